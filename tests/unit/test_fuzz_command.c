// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * The command fuzzer (tests/fuzz/fuzz_command.c) without a fuzzer: the inputs of its corpus, each of them cut short
 * everywhere and with seeded changes, so that what was found once stays mended.
 */
#include <dirent.h>
#include <stdio.h>

#include "fuzz/fuzz_command.c"

#define CORPUS	"tests/fuzz/corpus_command"
#define CHANGES	40

static void run_file(const char *name)
{
	uint8_t data[4096], changed[4096];
	char path[512];
	size_t len;
	uint32_t seed = 1;
	FILE *f;

	snprintf(path, sizeof(path), CORPUS "/%s", name);
	f = fopen(path, "rb");
	assert_non_null(f);
	len = fread(data, 1, sizeof(data), f);
	fclose(f);
	LLVMFuzzerTestOneInput(data, len);
	for (unsigned int i = 0; len && i < CHANGES; i++) {
		size_t cut = 1 + fake_random(&seed) % len;

		memcpy(changed, data, len);
		for (uint32_t k = fake_random(&seed) % 4; k > 0; k--)
			changed[fake_random(&seed) % len] ^= (uint8_t)(1u << fake_random(&seed) % 8);
		LLVMFuzzerTestOneInput(changed, i % 2 ? cut : len);
	}
}

static void corpus(void **state)
{
	DIR *d = opendir(CORPUS);
	unsigned int n = 0;

	(void)state;
	assert_non_null(d);
	for (struct dirent *e; (e = readdir(d));) {
		if (e->d_name[0] == '.')
			continue;
		run_file(e->d_name);
		n++;
	}
	closedir(d);
	print_message("# %u inputs\n", n);
	assert_true(n >= 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(corpus) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
