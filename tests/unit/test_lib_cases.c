// SPDX-License-Identifier: MIT OR Apache-2.0
/* The library's cases on sim:, with sanitizers. The same run on the driver: tests/guest/lib_cases.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/lib_cases.h"

static void run(void **state)
{
	const char *url = getenv("HSL_FABRIC"), *skipped;
	bool ok = lib_case_run(*state, url ? url : "sim:mesh4", &skipped);

	if (ok && skipped)
		skip();
	assert_true(ok);
}

int main(void)
{
	static const struct lib_case *const groups[] = LIB_CASES_ALL;
	struct CMUnitTest tests[128] = { 0 };
	size_t n = 0;

	for (size_t g = 0; g < sizeof(groups) / sizeof(groups[0]); g++)
		for (const struct lib_case *c = groups[g]; c->name; c++)
			tests[n++] = (struct CMUnitTest){ .name = c->name, .test_func = run,
							  .initial_state = (void *)(uintptr_t)c };
	/* what cmocka_run_group_tests does, for as many as there are */
	return _cmocka_run_group_tests("libhsl", tests, n, NULL, NULL);
}
