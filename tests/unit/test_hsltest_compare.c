/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* hsltest's comparators and oracles, fed with data that is wrong: a comparator that misses it would
 * pass everything. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tools/hsltest/compare.c"

/* Each single byte of a buffer changed in turn: found, at that byte, with both values. */
static void finds_every_byte(void **state)
{
	static const size_t lens[] = { 1, 7, 8, 9, 63, 64, 65, 1000 };
	uint8_t *got, *want;
	struct ht_diff d;
	size_t i, k;

	(void)state;
	for (k = 0; k < sizeof(lens) / sizeof(lens[0]); k++) {
		got = malloc(lens[k]);
		want = malloc(lens[k]);
		ht_pattern(got, lens[k], 42);
		memcpy(want, got, lens[k]);
		assert_true(ht_equal(got, want, lens[k], &d));
		for (i = 0; i < lens[k]; i++) {
			got[i] ^= 0x10;
			assert_false(ht_equal(got, want, lens[k], &d));
			assert_int_equal(d.first, i);
			assert_int_equal(d.last, i);
			assert_int_equal(d.count, 1);
			assert_int_equal(d.expected, want[i]);
			assert_int_equal(d.got, got[i]);
			got[i] ^= 0x10;
		}
		free(got);
		free(want);
	}
}

static void counts_differences(void **state)
{
	uint8_t got[100] = { 0 }, want[100] = { 0 };
	struct ht_diff d;

	(void)state;
	got[3] = got[50] = got[99] = 1;
	assert_false(ht_equal(got, want, sizeof(got), &d));
	assert_int_equal(d.first, 3);
	assert_int_equal(d.last, 99);
	assert_int_equal(d.count, 3);
	assert_true(ht_equal(got, want, 3, &d));
	assert_true(ht_equal(got, want, 0, &d));
}

/* No word of a pattern equals another, its neighbour shifted, or zero; another seed shares none. */
static void patterns_differ(void **state)
{
	enum { N = 4096 };
	uint64_t *a = malloc(N * 8), *b = malloc(N * 8);
	unsigned int i, k;

	(void)state;
	ht_pattern(a, N * 8, 1);
	ht_pattern(b, N * 8, 0x123456789);
	for (i = 0; i < N; i++) {
		assert_true(a[i] != 0);
		for (k = i + 1; k < N; k++)
			assert_true(a[i] != a[k]);
		for (k = 0; k < N; k += 17)
			assert_true(a[i] != b[k]);
	}
	free(a);
	free(b);
}

static void oracle_fill(void **state)
{
	static const uint8_t want[11] = { 1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3 };
	uint8_t buf[13];

	(void)state;
	memset(buf, 0xee, sizeof(buf));
	ht_oracle_fill(buf + 1, 11, 0x0807060504030201ull);
	assert_memory_equal(buf + 1, want, 11);
	assert_int_equal(buf[0], 0xee);
	assert_int_equal(buf[12], 0xee);
}

/* The oracle for COPY against memmove, for every overlap of short ranges. */
static void oracle_move(void **state)
{
	uint8_t a[80], b[80];
	unsigned int src, dst, len;

	(void)state;
	for (src = 0; src < 24; src++) {
		for (dst = 0; dst < 24; dst++) {
			for (len = 0; len < 40; len++) {
				ht_pattern(a, sizeof(a), src * 1000 + dst);
				memcpy(b, a, sizeof(a));
				ht_oracle_move(a + dst, a + src, len);
				memmove(b + dst, b + src, len);
				assert_memory_equal(a, b, sizeof(a));
			}
		}
	}
}

static void cookies(void **state)
{
	uint64_t c[5] = { 12, 10, 14, 13, 11 }, bad;

	(void)state;
	assert_int_equal(ht_cookies_check(c, 5, 10, 5, &bad), 0);
	assert_int_equal(ht_cookies_check(c, 4, 10, 5, &bad), -ENOENT);
	assert_int_equal(bad, 11);
	c[4] = 12;
	assert_int_equal(ht_cookies_check(c, 5, 10, 5, &bad), -ENOENT);
	c[4] = 15;
	assert_int_equal(ht_cookies_check(c, 5, 10, 5, &bad), -ERANGE);
	assert_int_equal(bad, 15);
	c[4] = 9;
	assert_int_equal(ht_cookies_check(c, 5, 10, 5, &bad), -ERANGE);
	assert_int_equal(bad, 9);
	{
		uint64_t twice[3] = { 1, 2, 2 };

		assert_int_equal(ht_cookies_check(twice, 3, 1, 2, &bad), -EEXIST);
		assert_int_equal(bad, 2);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_every_byte), cmocka_unit_test(counts_differences),
		cmocka_unit_test(patterns_differ),  cmocka_unit_test(oracle_fill),
		cmocka_unit_test(oracle_move),	    cmocka_unit_test(cookies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
