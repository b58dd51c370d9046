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
#include "tools/hsltest/oracle.c"

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

/* The integer oracle of REDUCE against the machine's own addition, where the machine has the type. */
static void sums_as_the_machine(void **state)
{
	uint64_t x = 1, bits[3], i;
	unsigned int k;
	double d[3];
	float f[3];

	(void)state;
	for (i = 0; i < 2000000; i++) {
		for (k = 0; k < 2; k++)
			bits[k] = ht_mix(x++);
		if (i & 1) /* exponents near each other, or equal */
			bits[1] = (bits[0] & ~0ull << 52) + ((bits[1] >> 58) << 52) + (bits[1] & ((1ull << 52) - 1));
		if (i & 2)
			bits[1] ^= 1ull << 63;
		if (i % 16 == 0)
			bits[0] &= ~(0x7ffull << 52); /* subnormal */
		memcpy(d, bits, 16);
		d[2] = d[0] + d[1];
		memcpy(&bits[2], &d[2], 8);
		if (d[2] != d[2])
			bits[2] = 0x7ff8000000000000ull;
		assert_int_equal(ht_oracle_reduce(HSL_REDUCE_ADD, HSL_TYPE_F64, bits[0], bits[1]), bits[2]);
		bits[0] >>= 32;
		bits[1] = i & 1 ? (bits[0] & ~0u << 23) + (bits[1] & 0x7ffffff) : bits[1] >> 32;
		for (k = 0; k < 2; k++) {
			uint32_t w = (uint32_t)bits[k];

			memcpy(&f[k], &w, 4);
		}
		f[2] = f[0] + f[1];
		{
			uint32_t w;

			memcpy(&w, &f[2], 4);
			bits[2] = f[2] != f[2] ? 0x7fc00000 : w;
		}
		assert_int_equal(ht_oracle_reduce(HSL_REDUCE_ADD, HSL_TYPE_F32, (uint32_t)bits[0], (uint32_t)bits[1]),
				 bits[2]);
	}
}

static void sums_by_hand(void **state)
{
	static const struct {
		unsigned int op, type;
		uint64_t a, b, want;
	} c[] = {
		/* 65504 + 16 is a tie that rounds to infinity, + 15.99 is not */
		{ HSL_REDUCE_ADD, HSL_TYPE_F16, 0x7bff, 0x4c00, 0x7c00 },
		{ HSL_REDUCE_ADD, HSL_TYPE_F16, 0x7bff, 0x4bff, 0x7bff },
		/* 1 + 2^-11: to even; 1 + 2^-10 + 2^-11: up */
		{ HSL_REDUCE_ADD, HSL_TYPE_F16, 0x3c00, 0x1000, 0x3c00 },
		{ HSL_REDUCE_ADD, HSL_TYPE_F16, 0x3c01, 0x1000, 0x3c02 },
		/* subnormals stay, and carry into the normal ones */
		{ HSL_REDUCE_ADD, HSL_TYPE_F16, 0x0001, 0x0001, 0x0002 },
		{ HSL_REDUCE_ADD, HSL_TYPE_F16, 0x03ff, 0x0001, 0x0400 },
		{ HSL_REDUCE_ADD, HSL_TYPE_BF16, 0x3f80, 0x3b80, 0x3f80 },	/* 1 + 2^-8 */
		{ HSL_REDUCE_ADD, HSL_TYPE_BF16, 0x3f81, 0x3b80, 0x3f82 },
		{ HSL_REDUCE_ADD, HSL_TYPE_BF16, 0x7f7f, 0x7f7f, 0x7f80 },
		{ HSL_REDUCE_ADD, HSL_TYPE_F16, 0x7c00, 0xfc00, 0x7e00 },	/* inf - inf */
		{ HSL_REDUCE_ADD, HSL_TYPE_F16, 0x8000, 0x0000, 0x0000 },
		{ HSL_REDUCE_ADD, HSL_TYPE_F16, 0x8000, 0x8000, 0x8000 },
		{ HSL_REDUCE_ADD, HSL_TYPE_F16, 0x3c00, 0xbc00, 0x0000 },
		{ HSL_REDUCE_MIN, HSL_TYPE_F16, 0x0000, 0x8000, 0x8000 },
		{ HSL_REDUCE_MAX, HSL_TYPE_F16, 0x8000, 0x0000, 0x0000 },
		{ HSL_REDUCE_MIN, HSL_TYPE_F32, 0xff800000, 0xff7fffff, 0xff800000 },
		{ HSL_REDUCE_MAX, HSL_TYPE_F32, 0xffc12345, 0x3f800000, 0x7fc00000 },
		{ HSL_REDUCE_MIN, HSL_TYPE_F64, 0x7ff0000000000001ull, 0, 0x7ff8000000000000ull },
		{ HSL_REDUCE_ADD, HSL_TYPE_I32, 0x7fffffff, 1, 0x80000000 },
		{ HSL_REDUCE_MIN, HSL_TYPE_I32, 0x80000000, 1, 0x80000000 },
		{ HSL_REDUCE_MAX, HSL_TYPE_I64, UINT64_MAX, 1, 1 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(c) / sizeof(c[0]); i++)
		assert_int_equal(ht_oracle_reduce(c[i].op, c[i].type, c[i].a, c[i].b), c[i].want);
	assert_int_equal(ht_oracle_atomic(HSL_ATOMIC_MIN, 4, 0x80000000, 1, 0), 0x80000000);
	assert_int_equal(ht_oracle_atomic(HSL_ATOMIC_UMIN, 4, 0x80000000, 1, 0), 1);
	assert_int_equal(ht_oracle_atomic(HSL_ATOMIC_ADD, 4, 0xffffffff, 1, 0), 0);
	assert_int_equal(ht_oracle_atomic(HSL_ATOMIC_CAS, 8, 5, 7, 5), 7);
	assert_int_equal(ht_oracle_atomic(HSL_ATOMIC_CAS, 8, 5, 7, 6), 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_every_byte), cmocka_unit_test(counts_differences),
		cmocka_unit_test(patterns_differ),  cmocka_unit_test(oracle_fill),
		cmocka_unit_test(oracle_move),	    cmocka_unit_test(cookies),
		cmocka_unit_test(sums_as_the_machine),
		cmocka_unit_test(sums_by_hand),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
