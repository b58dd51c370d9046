// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * REDUCE's arithmetic against an oracle that shares nothing with it: the value of every 16-bit pattern is written down
 * as a double by the definition of its format, sums are made in double, and rounding is a search for the neighbours
 * among all values of the format. A sum of two 16-bit floats rounds the same from binary32 and from double, as both have
 * more than twice the digits (HEP-TXN-013 to -016).
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/engine_priv.h"

struct format {
	const char *name;
	unsigned int type, exp_bits, frac_bits;
	uint16_t nan;
};

static const struct format formats[] = {
	{ "f16", HSL_TYPE_F16, 5, 10, 0x7e00 },
	{ "bf16", HSL_TYPE_BF16, 8, 7, 0x7fc0 },
};

static double value_of(const struct format *f, uint16_t bits)
{
	unsigned int exp = bits >> f->frac_bits & ((1u << f->exp_bits) - 1), frac = bits & ((1u << f->frac_bits) - 1);
	int bias = (1 << (f->exp_bits - 1)) - 1;
	double v;

	if (exp == (1u << f->exp_bits) - 1)
		v = frac ? NAN : INFINITY;
	else if (exp)
		v = ldexp(1 + ldexp(frac, -(int)f->frac_bits), (int)exp - bias);
	else
		v = ldexp(frac, 1 - bias - (int)f->frac_bits);
	return bits & 0x8000 ? -v : v;
}

static double table[2][0x8000];		/* of the patterns without sign, ascending up to infinity */

static uint16_t nearest(const struct format *f, const double *t, double v)
{
	uint16_t inf = (uint16_t)(((1u << f->exp_bits) - 1) << f->frac_bits), lo = 0, hi = inf, sign = signbit(v) ? 0x8000 : 0;
	double a = fabs(v), up, down;

	if (isinf(v))
		return sign | inf;
	while (hi - lo > 1) {
		uint16_t mid = (uint16_t)((lo + hi) / 2);

		if (t[mid] <= a)
			lo = mid;
		else
			hi = mid;
	}
	down = a - t[lo];
	/* infinity rounds as if it were the next power of two */
	up = (hi == inf ? ldexp(1, 1 << (f->exp_bits - 1)) : t[hi]) - a;
	if (down < up || (down == up && !(lo & 1)))
		return sign | lo;
	return sign | hi;
}

static uint16_t expected(const struct format *f, const double *t, unsigned int op, uint16_t a, uint16_t b)
{
	double x = value_of(f, a), y = value_of(f, b);

	if (isnan(x) || isnan(y) || (op == HSL_REDUCE_ADD && isnan(x + y)))
		return f->nan;
	if (op == HSL_REDUCE_ADD)
		return nearest(f, t, x + y);
	if (x == y)	/* equal, or zeros of both signs */
		return op == HSL_REDUCE_MIN ? (a | b) & 0x8000 ? a | b : a : (a & b) & 0x8000 ? a : a & b & 0x7fff;
	return (x < y) == (op == HSL_REDUCE_MIN) ? a : b;
}

/* Every value with some that matter: zeros, subnormals, ones, largest, infinities, NaNs, neighbours of halfway points. */
static void sixteen_bits(void **state)
{
	static uint16_t d[65536], s[65536];

	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		const struct format *f = &formats[i];
		uint16_t inf = (uint16_t)(((1u << f->exp_bits) - 1) << f->frac_bits);
		uint16_t one = (uint16_t)(((1u << (f->exp_bits - 1)) - 1) << f->frac_bits);
		const uint16_t partners[] = {
			0, 0x8000, 1, 0x8001, 2, 3, (uint16_t)((1u << f->frac_bits) - 1), (uint16_t)(1u << f->frac_bits),
			one, (uint16_t)(one | 0x8000), (uint16_t)(one + 1), (uint16_t)(one - 1), (uint16_t)(one + 0x0101),
			(uint16_t)(inf - 1), (uint16_t)((inf - 1) | 0x8000), inf, (uint16_t)(inf | 0x8000),
			(uint16_t)(inf | 1), 0xffff, 0x1234, 0x5555, 0xaaaa, 0x7001, 0x0c03,
		};

		for (unsigned int b = 0; b < 0x8000; b++)
			table[i][b] = value_of(f, (uint16_t)b);
		for (size_t p = 0; p < sizeof(partners) / sizeof(partners[0]); p++) {
			for (unsigned int op = 0; op < HSL_REDUCE_OPS; op++) {
				for (unsigned int b = 0; b < 65536; b++) {
					d[b] = (uint16_t)b;
					s[b] = partners[p];
				}
				hsl_reduce_run(op, f->type, d, s, 65536, p & 1);
				for (unsigned int b = 0; b < 65536; b++) {
					uint16_t want = expected(f, table[i], op, (uint16_t)b, partners[p]);

					if (d[b] != want)
						fail_msg("%s op %u: %#x, %#x: %#x, not %#x", f->name, op, b, partners[p],
							 d[b], want);
				}
			}
		}
	}
}

static uint32_t f32(float v)
{
	uint32_t u;

	memcpy(&u, &v, 4);
	return u;
}

static uint64_t f64(double v)
{
	uint64_t u;

	memcpy(&u, &v, 8);
	return u;
}

/* op, a, b, result in binary32; binary64 from the same numbers where they have no name of their own */
static void wide_floats(void **state)
{
	static const struct { unsigned int op; float a, b, r; } cases[] = {
		{ HSL_REDUCE_ADD, 1, 2, 3 }, { HSL_REDUCE_ADD, 0x1p24f, 1, 0x1p24f }, { HSL_REDUCE_ADD, 0x1.000002p24f, 1, 0x1.000004p24f },
		{ HSL_REDUCE_ADD, 0x1p-149f, 0x1p-149f, 0x1p-148f }, { HSL_REDUCE_ADD, 0x1p-126f, -0x1p-149f, 0x1.fffffcp-127f },
		{ HSL_REDUCE_ADD, 0x1.fffffep127f, 0x1p103f, INFINITY }, { HSL_REDUCE_ADD, INFINITY, -1, INFINITY },
		{ HSL_REDUCE_ADD, -0.f, -0.f, -0.f }, { HSL_REDUCE_ADD, -0.f, 0.f, 0.f }, { HSL_REDUCE_ADD, 1, -1, 0.f },
		{ HSL_REDUCE_MIN, 0.f, -0.f, -0.f }, { HSL_REDUCE_MIN, -0.f, 0.f, -0.f }, { HSL_REDUCE_MAX, 0.f, -0.f, 0.f },
		{ HSL_REDUCE_MAX, -0.f, 0.f, 0.f }, { HSL_REDUCE_MIN, -1, -2, -2 }, { HSL_REDUCE_MAX, -1, -2, -1 },
		{ HSL_REDUCE_MIN, -INFINITY, 5, -INFINITY }, { HSL_REDUCE_MAX, 5, INFINITY, INFINITY },
		{ HSL_REDUCE_MIN, 0x1p-149f, -0x1p-149f, -0x1p-149f }, { HSL_REDUCE_MAX, 3, 3, 3 },
	};
	static const uint32_t nans[] = { 0x7fc00000, 0xffc00000, 0x7f800001, 0xff812345, 0x7fffffff };
	uint32_t d, s;
	uint64_t d8, s8;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		d = f32(cases[i].a);
		s = f32(cases[i].b);
		hsl_reduce_run(cases[i].op, HSL_TYPE_F32, &d, &s, 1, false);
		if (d != f32(cases[i].r))
			fail_msg("f32 case %zu: %#x", i, d);
		if (cases[i].op == HSL_REDUCE_ADD && isinf(cases[i].r) && !isinf(cases[i].a))
			continue;
		d8 = f64(cases[i].a);
		s8 = f64(cases[i].b);
		hsl_reduce_run(cases[i].op, HSL_TYPE_F64, &d8, &s8, 1, false);
		if (cases[i].op != HSL_REDUCE_ADD)
			assert_true(d8 == f64(cases[i].r));
		else
			assert_true(d8 == f64((double)cases[i].a + (double)cases[i].b));
	}
	for (unsigned int op = 0; op < HSL_REDUCE_OPS; op++) {
		for (size_t i = 0; i < sizeof(nans) / sizeof(nans[0]); i++) {
			for (unsigned int side = 0; side < 2; side++) {
				d = side ? f32(1) : nans[i];
				s = side ? nans[i] : f32(1);
				hsl_reduce_run(op, HSL_TYPE_F32, &d, &s, 1, false);
				assert_int_equal(d, 0x7fc00000);
				d8 = side ? f64(-INFINITY) : (uint64_t)nans[i] << 32 | 7;
				s8 = side ? (uint64_t)nans[i] << 32 | 7 : f64(-INFINITY);
				hsl_reduce_run(op, HSL_TYPE_F64, &d8, &s8, 1, true);
				/* as a binary64, 0x7f8… and 0xff8… are numbers: only those that are NaN there count */
				if ((nans[i] & 0x7ff00000) == 0x7ff00000)
					assert_true(d8 == 0x7ff8000000000000ull);
			}
		}
	}
	d = f32(INFINITY);
	s = f32(-INFINITY);
	hsl_reduce_run(HSL_REDUCE_ADD, HSL_TYPE_F32, &d, &s, 1, false);
	assert_int_equal(d, 0x7fc00000);
	d8 = f64(-INFINITY);
	s8 = f64(INFINITY);
	hsl_reduce_run(HSL_REDUCE_ADD, HSL_TYPE_F64, &d8, &s8, 1, false);
	assert_true(d8 == 0x7ff8000000000000ull);
	d8 = f64(0x1p53);
	s8 = f64(1);
	hsl_reduce_run(HSL_REDUCE_ADD, HSL_TYPE_F64, &d8, &s8, 1, false);
	assert_true(d8 == f64(0x1p53));
	d8 = f64(0x1.fffffffffffffp1023);
	s8 = f64(0x1p970);
	hsl_reduce_run(HSL_REDUCE_ADD, HSL_TYPE_F64, &d8, &s8, 1, false);
	assert_true(d8 == f64(INFINITY));
}

static void integers(void **state)
{
	static const int64_t v[] = { 0, 1, -1, 2, INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN, 0x123456789abcdefll };

	(void)state;
	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		for (size_t j = 0; j < sizeof(v) / sizeof(v[0]); j++) {
			int32_t a = (int32_t)v[i], b = (int32_t)v[j];

			for (unsigned int op = 0; op < HSL_REDUCE_OPS; op++) {
				int32_t d = a, want = op == HSL_REDUCE_MIN ? (a < b ? a : b) : a < b ? b : a;
				int64_t d8 = v[i], want8 = op == HSL_REDUCE_MIN ? (v[i] < v[j] ? v[i] : v[j])
										: v[i] < v[j] ? v[j] : v[i];

				if (op == HSL_REDUCE_ADD) {
					want = (int32_t)((uint32_t)a + (uint32_t)b);
					want8 = (int64_t)((uint64_t)v[i] + (uint64_t)v[j]);
				}
				hsl_reduce_run(op, HSL_TYPE_I32, &d, &b, 1, false);
				assert_int_equal(d, want);
				hsl_reduce_run(op, HSL_TYPE_I64, &d8, &v[j], 1, true);
				assert_true(d8 == want8);
			}
		}
	}
}

/* Overlap: forward when dst is before src, backward when behind, is as if src had been read first. */
static void overlap(void **state)
{
	(void)state;
	for (int shift = -9; shift <= 9; shift++) {
		int64_t m[64], want[64];
		unsigned int src = 20, dst = (unsigned int)(20 + shift);

		for (unsigned int i = 0; i < 64; i++)
			m[i] = want[i] = i * i + 1;
		for (unsigned int i = 0; i < 20; i++)
			want[dst + i] = m[dst + i] + m[src + i];
		hsl_reduce_run(HSL_REDUCE_ADD, HSL_TYPE_I64, m + dst, m + src, 20, dst > src);
		assert_memory_equal(m, want, sizeof(m));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sixteen_bits), cmocka_unit_test(wide_floats), cmocka_unit_test(integers),
		cmocka_unit_test(overlap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
