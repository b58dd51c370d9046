/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * TXN: REDUCE. Every pair of the values where a format is special, and random ones, in every operation and type; what
 * they give is computed by oracle.c without floating point. One wrong element is reported by its two operands.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "hsltest.h"

#define KIB ((uint64_t)1024)

static uint64_t element(const uint8_t *p, unsigned int type, uint64_t i)
{
	uint64_t v = 0;

	memcpy(&v, p + i * ht_type_bytes(type), ht_type_bytes(type));
	return v;
}

static void element_set(uint8_t *p, unsigned int type, uint64_t i, uint64_t v)
{
	memcpy(p + i * ht_type_bytes(type), &v, ht_type_bytes(type));
}

static uint64_t width_mask(unsigned int type)
{
	return ht_type_bytes(type) == 8 ? UINT64_MAX : (1ull << 8 * ht_type_bytes(type)) - 1;
}

/* Where a type turns: both signs of zero, the largest and smallest normal and subnormal, one and its neighbours, halves of
 * the last place, infinity, NaNs quiet and signalling, with payload. */
static unsigned int specials(unsigned int type, uint64_t *v)
{
	static const unsigned int fracs[HSL_TYPES] = { 0, 0, 10, 7, 23, 52 };
	uint64_t sign = 1ull << (8 * ht_type_bytes(type) - 1), one, inf, ulp;
	unsigned int n = 0, i, f = fracs[type];

	if (!ht_type_is_float(type)) {
		const uint64_t ints[] = { 0, 1, 2, UINT64_MAX, UINT64_MAX - 1, sign, sign + 1, sign - 1,
					  sign - 2, 0x80, 0x7fff, 0xffffffff, 0x100000000ull };

		for (i = 0; i < sizeof(ints) / sizeof(ints[0]); i++)
			v[n++] = ints[i] & width_mask(type);
		return n;
	}
	inf = ht_oracle_nan(type) & ~(1ull << (f - 1));
	one = inf >> 1 & ~((1ull << f) - 1);
	ulp = (uint64_t)f << f; /* one in the last place of 1.0 is this much less in the exponent */
	{
		const uint64_t floats[] = {
			0, 1, 2, (1ull << f) - 1, 1ull << f, (1ull << f) + 1, /* around the smallest normal */
			one, one + 1, one - 1, one + (1ull << f), one - ulp, one - ulp - (1ull << f),
			one - ulp - (1ull << f) + 1, one + (1ull << f) - 1, inf - 1, inf - 2,
			inf - (1ull << f), inf - (1ull << f) - ulp, inf,
			inf + 1, ht_oracle_nan(type), ht_oracle_nan(type) + 5, ht_oracle_nan(type) | ((1ull << f) - 1)
		};

		for (i = 0; i < sizeof(floats) / sizeof(floats[0]); i++) {
			v[n++] = floats[i];
			v[n++] = floats[i] | sign;
		}
	}
	return n;
}

/* Two numbers whose exponents are near each other, so that ADD has something to round. */
static uint64_t near_value(struct ht *t, unsigned int type, uint64_t v)
{
	static const unsigned int fracs[HSL_TYPES] = { 8, 8, 10, 7, 23, 52 };
	uint64_t shift = (ht_random_below(t, 2 * fracs[type] + 4)) << fracs[type];

	return (v + (ht_random(t) & 1 ? shift : -shift)) ^ (ht_random(t) & width_mask(type) >> 1 & ((1ull << fracs[type]) - 1)) ^
	       (ht_random(t) & (1ull << (8 * ht_type_bytes(type) - 1)));
}

/* What of the pairs a requirement is about. */
enum { PLAIN, NAN_OR_ZERO };

static bool wanted(unsigned int type, unsigned int op, uint64_t a, uint64_t b, int about)
{
	bool nan;

	if (!ht_type_is_float(type))
		return about == PLAIN;
	nan = ht_is_nan(type, ht_oracle_reduce(op, type, a, b));
	return about == PLAIN ? !nan : nan || op != HSL_REDUCE_ADD;
}

/* dst.shadow and src.shadow hold the operands; runs the command, looks at each element and around them. */
static void run_pairs(struct ht *t, struct hsl_queue *q, struct ht_buf *dst, struct ht_buf *src,
		      uint64_t doff, uint64_t soff, unsigned int op, unsigned int type, uint64_t n)
{
	uint64_t bytes = n * ht_type_bytes(type), i, got, want;
	struct hsl_completion c;
	struct hsl_op o = ht_op_reduce(op, type, dst->ga + doff, src->ga + soff, bytes);
	uint8_t *a = malloc(bytes);

	HT_TRUE(t, a, "no memory");
	memcpy(a, dst->shadow + doff, bytes);
	memcpy(dst->p, dst->shadow, dst->len);
	memcpy(src->p, src->shadow, src->len);
	ht_op_run(t, q, &o, &c);
	ht_status(t, &c, HSL_ST_OK, "REDUCE");
	HT_EQ(t, "result of REDUCE", c.result, bytes);
	for (i = 0; i < n; i++) {
		want = ht_oracle_reduce(op, type, element(a, type, i), element(src->shadow + soff, type, i));
		element_set(dst->shadow + doff, type, i, want);
		got = element(dst->p + doff, type, i);
		if (got != want)
			HT_FAIL_TEST(t,
				     "REDUCE %s %s, element %" PRIu64 ": %#" PRIx64 " and %#" PRIx64
				     ": expected %#" PRIx64 ", got %#" PRIx64,
				     op == HSL_REDUCE_ADD ? "add" : op == HSL_REDUCE_MIN ? "min" : "max",
				     ht_type_name(type), i, element(a, type, i),
				     element(src->shadow + soff, type, i), want, got);
	}
	free(a);
	ht_buf_check(t, dst, "around the destination of REDUCE");
	ht_buf_check(t, src, "source of REDUCE");
}

static void all_pairs(struct ht *t, unsigned int type_first, unsigned int type_last, int about)
{
	enum { RANDOM = 6000, MARGIN = 64 };
	uint64_t v[64], n, a, b, total = 0, len = (64 * 64 + RANDOM) * 8 + 2 * MARGIN;
	unsigned int k, i, j, nv, type, op;
	struct hsl_queue *q[2];
	struct ht_buf buf[3];

	ht_need_cap(t, HSL_CAP_OP_REDUCE, "REDUCE");
	ht_buf_new(t, &buf[0], t->chip[0].node, len);
	ht_buf_new(t, &buf[1], t->chip[t->nchips - 1].node, len);
	ht_buf_new_host(t, &buf[2], len, 4096 - 56, HSL_RIGHT_RW);
	q[0] = ht_queue_new(t, t->chip[0].node, 0);
	q[1] = ht_queue_new(t, t->chip[t->nchips - 1].node, 0);
	for (type = type_first; type <= type_last; type++) {
		for (op = 0; op < HSL_REDUCE_OPS; op++) {
			struct ht_buf *dst = &buf[(op + type) % 3], *src = &buf[(op + type + 1 + op % 2) % 3];

			nv = specials(type, v);
			n = 0;
			for (i = 0; i < nv; i++) {
				for (j = 0; j < nv; j++) {
					if (!wanted(type, op, v[i], v[j], about))
						continue;
					element_set(dst->shadow + MARGIN, type, n, v[i]);
					element_set(src->shadow + MARGIN, type, n++, v[j]);
				}
			}
			for (i = 0; i < RANDOM; i++) {
				a = ht_random(t) & width_mask(type);
				b = i % 4 == 0 ? ht_random(t) & width_mask(type)
					       : near_value(t, type, a) & width_mask(type);
				if (about == NAN_OR_ZERO && i % 8 == 0)
					a = ht_oracle_nan(type) ^ (a & ((1ull << 6) - 1));
				if (!wanted(type, op, a, b, about))
					continue;
				element_set(dst->shadow + MARGIN, type, n, a);
				element_set(src->shadow + MARGIN, type, n++, b);
			}
			ht_step(t, "operation %u of %s, %" PRIu64 " pairs", op, ht_type_name(type), n);
			for (k = 0; k < 2 && n; k++) {
				uint64_t skew = ht_type_bytes(type) * ht_random_below(t, 3);
				uint8_t *keep = malloc(dst->len);

				HT_TRUE(t, keep, "no memory");
				memcpy(keep, dst->shadow, dst->len);
				/* the second time the destination begins an element or two later */
				run_pairs(t, q[k], dst, src, MARGIN + (k ? skew : 0), MARGIN, op, type,
					  k ? n - 4 : n);
				memcpy(dst->shadow, keep, dst->len);
				free(keep);
				total += n;
			}
		}
	}
	ht_note(t, "%" PRIu64 " pairs", total);
	for (i = 0; i < 2; i++)
		ht_queue_free(t, q[i]);
	for (i = 0; i < 3; i++)
		ht_buf_free(t, &buf[i]);
}

static void reduce_integers(struct ht *t)
{
	all_pairs(t, HSL_TYPE_I32, HSL_TYPE_I64, PLAIN);
}

static void reduce_floats(struct ht *t)
{
	all_pairs(t, HSL_TYPE_F16, HSL_TYPE_F64, PLAIN);
}

static void reduce_special(struct ht *t)
{
	all_pairs(t, HSL_TYPE_F16, HSL_TYPE_F64, NAN_OR_ZERO);
}

/* Lengths from one element to far beyond a chunk, at every alignment that is allowed. */
static void reduce_lengths(struct ht *t)
{
	static const uint64_t counts[] = { 1, 2, 3, 7, 8, 31, 511, 512, 513, 1024, 8191, 8193, 20000 };
	uint64_t len = 300 * KIB, n, doff, soff;
	unsigned int i, k, type;
	struct ht_buf a, b;
	struct hsl_queue *q;

	ht_need_cap(t, HSL_CAP_OP_REDUCE, "REDUCE");
	ht_buf_new(t, &a, t->chip[t->nchips - 1].node, len);
	ht_buf_new_host(t, &b, len, 4096 - 8, HSL_RIGHT_RW);
	q = ht_queue_new(t, t->chip[0].node, 0);
	for (type = 0; type < HSL_TYPES; type++) {
		for (i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
			n = ht_type_bytes(type);
			k = (i + type) & 1;
			doff = n * ht_random_below(t, 5000);
			soff = n * ht_random_below(t, 5000);
			ht_buf_pattern(t, &a);
			ht_buf_pattern(t, &b);
			ht_step(t, "%" PRIu64 " elements of %s", counts[i], ht_type_name(type));
			run_pairs(t, q, k ? &a : &b, k ? &b : &a, doff, soff, HSL_REDUCE_MAX, type, counts[i]);
		}
	}
	ht_queue_free(t, q);
	ht_buf_free(t, &a);
	ht_buf_free(t, &b);
}

static void reduce_overlap(struct ht *t)
{
	static const int64_t distances[] = { 0, 1, -1, 2, -3, 100, -100, 8192, -8192, 8193, 16384, -16384, 16500, -16500 };
	uint64_t n = 20000, len = 56000 * 8, i;
	uint8_t *old = malloc(len);
	struct hsl_completion c;
	unsigned int k, type;
	struct hsl_queue *q;
	struct ht_buf b[2];
	struct hsl_op o;

	ht_need_cap(t, HSL_CAP_OP_REDUCE, "REDUCE");
	HT_TRUE(t, old, "no memory");
	ht_buf_new(t, &b[0], t->chip[0].node, len);
	ht_buf_new_host(t, &b[1], len, 8, HSL_RIGHT_RW);
	q = ht_queue_new(t, t->chip[0].node, 0);
	for (k = 0; k < 2 * sizeof(distances) / sizeof(distances[0]); k++) {
		struct ht_buf *m = &b[k & 1];
		int64_t d = distances[k / 2];
		uint64_t w, doff, soff;

		type = k % 3 == 0 ? HSL_TYPE_I32 : k % 3 == 1 ? HSL_TYPE_I64 : HSL_TYPE_F16;
		w = ht_type_bytes(type);
		soff = 17000 * w;
		doff = (uint64_t)(17000 + d) * w;
		ht_buf_pattern(t, m);
		memcpy(old, m->shadow, len);
		o = ht_op_reduce(HSL_REDUCE_ADD, type, m->ga + doff, m->ga + soff, n * w);
		ht_op_run(t, q, &o, &c);
		ht_status(t, &c, HSL_ST_OK, "REDUCE of overlapping operands");
		for (i = 0; i < n; i++)
			element_set(m->shadow + doff, type, i,
				    ht_oracle_reduce(HSL_REDUCE_ADD, type, element(old + doff, type, i),
						     element(old + soff, type, i)));
		ht_step(t, "destination %" PRId64 " elements behind the source", d);
		ht_buf_check(t, m, "REDUCE of overlapping operands");
	}
	ht_queue_free(t, q);
	ht_buf_free(t, &b[0]);
	ht_buf_free(t, &b[1]);
	free(old);
}

static void reduce_alignment(struct ht *t)
{
	unsigned int type, op;
	struct hsl_queue *q;
	struct hsl_op o;
	struct ht_buf b;
	uint64_t w, x;

	ht_need_cap(t, HSL_CAP_OP_REDUCE, "REDUCE");
	ht_buf_new(t, &b, t->chip[0].node, 64 * KIB);
	q = ht_queue_new(t, t->chip[0].node, 0);
	for (type = 0; type < HSL_TYPES; type++) {
		w = ht_type_bytes(type);
		for (op = 0; op < HSL_REDUCE_OPS; op++) {
			for (x = 1; x < w; x++) {
				o = ht_op_reduce(op, type, b.ga + x, b.ga + 4096, 8 * w);
				ht_expect(t, q, &o, HSL_ST_ALIGN, "REDUCE to a misaligned destination");
				o = ht_op_reduce(op, type, b.ga, b.ga + 4096 + x, 8 * w);
				ht_expect(t, q, &o, HSL_ST_ALIGN, "REDUCE from a misaligned source");
				o = ht_op_reduce(op, type, b.ga, b.ga + 4096, 8 * w + x);
				ht_expect(t, q, &o, HSL_ST_ALIGN, "REDUCE of a part of an element");
			}
		}
	}
	for (x = 0; x < 256; x++) { /* what subop does not name */
		if (HSL_SUBOP_OP(x) < HSL_REDUCE_OPS && HSL_SUBOP_TYPE(x) < HSL_TYPES)
			continue;
		o = ht_op_reduce(0, 0, b.ga, b.ga + 4096, 64);
		o.subop = (uint8_t)x;
		ht_expect(t, q, &o, HSL_ST_FIELD, "REDUCE with an unknown subop");
	}
	ht_buf_check(t, &b, "after refused REDUCEs");
	ht_queue_free(t, q);
	ht_buf_free(t, &b);
}

const struct ht_test ht_tests_reduce[] = {
	{ "HEP-TXN-013", "reduce_integers", "add, min and max of i32 and i64, all pairs of edges",
	  reduce_integers, 0, 120 },
	{ "HEP-TXN-013", "reduce_lengths", "one element to many chunks, no byte outside touched",
	  reduce_lengths, 0, 120 },
	{ "HEP-TXN-014", "reduce_floats", "sums of f16, bf16, f32 and f64 are rounded once, to even",
	  reduce_floats, 0, 180 },
	{ "HEP-TXN-015", "reduce_special", "NaNs become the canonical one; -0 is before +0",
	  reduce_special, 0, 180 },
	{ "HEP-TXN-016", "reduce_overlap", "overlapping operands act as if src were read first",
	  reduce_overlap, 0, 120 },
	{ "HEP-TXN-016", "reduce_alignment", "parts of elements are ALIGN, unknown subops FIELD",
	  reduce_alignment, 0, 0 },
	{ 0 }
};
