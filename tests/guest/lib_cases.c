// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * The library's cases on the fabric that HSL_FABRIC names, the driver's first without it. With arguments, only the cases
 * whose names contain one of them. Prints TAP; exit 0, 1, or 77 without a fabric.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/lib_cases.h"

static bool wanted(const char *name, int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (strstr(name, argv[i]))
			return true;
	return argc < 2;
}

int main(int argc, char **argv)
{
	static const struct lib_case *const groups[] = LIB_CASES_ALL;
	const char *url = getenv("HSL_FABRIC"), *skipped;
	unsigned int n = 0, failed = 0;
	struct hsl_fabric *f;
	int err;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!url)
		url = "/dev/hsl0";
	err = hsl_fabric_open(url, &f);
	if (err) {
		printf("1..0 # SKIP %s: %s\n", url, strerror(-err));
		return 77;
	}
	hsl_fabric_close(f);
	for (size_t g = 0; g < sizeof(groups) / sizeof(groups[0]); g++) {
		for (const struct lib_case *c = groups[g]; c->name; c++) {
			bool ok;

			if (!wanted(c->name, argc, argv))
				continue;
			ok = lib_case_run(c, url, &skipped);
			failed += !ok;
			printf("%s %u - %s%s%s\n", ok ? "ok" : "not ok", ++n, c->name, skipped ? " # SKIP " : "",
			       skipped ? skipped : "");
		}
	}
	printf("1..%u\n", n);
	return failed != 0;
}
