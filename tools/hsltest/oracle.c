/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What ATOMIC and REDUCE have to give, and operations of the second edition.
 *
 * The oracles use integers only: a floating sum is formed exactly, in 128 bits with everything below them in one
 * sticky bit, and rounded once to nearest even. That shares no method with an engine that adds with the machine's
 * own floating point. For the 16-bit types HEP adds in binary32 and rounds again; two roundings give the same as one
 * here, because 24 bits are at least 2p + 2 of both formats. tests/unit/test_hsltest_compare.c holds the oracle against
 * the machine.
 */
#include <string.h>

#include "hsltest.h"

__extension__ typedef unsigned __int128 u128;

struct format {
	unsigned int exp_bits, frac_bits;
};

static const struct format formats[HSL_TYPES] = {
	[HSL_TYPE_F16] = { 5, 10 },
	[HSL_TYPE_BF16] = { 8, 7 },
	[HSL_TYPE_F32] = { 8, 23 },
	[HSL_TYPE_F64] = { 11, 52 },
};

unsigned int ht_type_bytes(unsigned int type)
{
	static const uint8_t bytes[HSL_TYPES] = { 4, 8, 2, 2, 4, 8 };

	return bytes[type];
}

const char *ht_type_name(unsigned int type)
{
	static const char *const names[HSL_TYPES] = { "i32", "i64", "f16", "bf16", "f32", "f64" };

	return names[type];
}

bool ht_type_is_float(unsigned int type)
{
	return type >= HSL_TYPE_F16;
}

uint64_t ht_oracle_nan(unsigned int type)
{
	const struct format *f = &formats[type];

	return (((1ull << f->exp_bits) - 1) << f->frac_bits) | 1ull << (f->frac_bits - 1);
}

static uint64_t inf_bits(const struct format *f)
{
	return ((1ull << f->exp_bits) - 1) << f->frac_bits;
}

static uint64_t magnitude(const struct format *f, uint64_t v)
{
	return v & ((1ull << (f->exp_bits + f->frac_bits)) - 1);
}

static bool negative(const struct format *f, uint64_t v)
{
	return v >> (f->exp_bits + f->frac_bits) & 1;
}

bool ht_is_nan(unsigned int type, uint64_t v)
{
	return ht_type_is_float(type) && magnitude(&formats[type], v) > inf_bits(&formats[type]);
}

/* |v| = sig * 2^exp, v finite */
static void unpack(const struct format *f, uint64_t v, uint64_t *sig, int *exp)
{
	uint64_t frac = v & ((1ull << f->frac_bits) - 1);
	int bias = (1 << (f->exp_bits - 1)) - 1, e = (int)(magnitude(f, v) >> f->frac_bits);

	*sig = e ? frac | 1ull << f->frac_bits : frac;
	*exp = (e ? e : 1) - bias - (int)f->frac_bits;
}

/* sig * 2^exp rounded to nearest even, sign apart; sig is not zero. */
static uint64_t round_pack(const struct format *f, u128 sig, int exp)
{
	int bias = (1 << (f->exp_bits - 1)) - 1, top = 127, unit, shift;
	u128 kept, rest, half;
	uint64_t bits;

	while (!(sig >> top & 1))
		top--;
	/* exponent of the last bit that is kept: subnormals keep fewer */
	unit = top + exp - (int)f->frac_bits;
	if (unit < 1 - bias - (int)f->frac_bits)
		unit = 1 - bias - (int)f->frac_bits;
	shift = unit - exp;
	if (shift <= 0) {
		kept = sig << -shift;
	} else if (shift > 127) {
		kept = 0;
	} else {
		kept = sig >> shift;
		rest = sig & (((u128)1 << shift) - 1);
		half = (u128)1 << (shift - 1);
		if (rest > half || (rest == half && (kept & 1)))
			kept++;
	}
	/* a carry out of the fraction is a carry into the exponent */
	bits = ((uint64_t)(unit + bias + (int)f->frac_bits - 1) << f->frac_bits) + (uint64_t)kept;
	return bits < inf_bits(f) ? bits : inf_bits(f);
}

static uint64_t add_float(unsigned int type, uint64_t a, uint64_t b)
{
	const struct format *f = &formats[type];
	uint64_t sa, sb, sign = 1ull << (f->exp_bits + f->frac_bits), inf = inf_bits(f);
	int ea, eb, d, up;
	bool na = negative(f, a), nb = negative(f, b), neg;
	u128 x, y;

	if (magnitude(f, a) == inf || magnitude(f, b) == inf) {
		if (magnitude(f, a) == magnitude(f, b) && na != nb)
			return ht_oracle_nan(type);
		return magnitude(f, a) == inf ? a : b;
	}
	if (!magnitude(f, a) && !magnitude(f, b))
		return na && nb ? sign : 0;
	if (magnitude(f, a) < magnitude(f, b)) { /* a the larger */
		uint64_t v = a;

		a = b;
		b = v;
		neg = na;
		na = nb;
		nb = neg;
	}
	unpack(f, a, &sa, &ea);
	unpack(f, b, &sb, &eb);
	/* up to 66 places exactly; what is further down is one sticky bit */
	d = ea - eb;
	up = d < 66 ? d : 66;
	x = (u128)sa << up;
	d -= up;
	y = d > 63 ? (u128)(sb != 0) : (u128)(sb >> d | (d && (sb & ((1ull << d) - 1))));
	x = na == nb ? x + y : x - y;
	if (!x)
		return 0; /* x - x is +0 */
	return round_pack(f, x, ea - up) | (na ? sign : 0);
}

static uint64_t order_key(const struct format *f, uint64_t v)
{
	return negative(f, v) ? (1ull << 63) - 1 - magnitude(f, v) : (1ull << 63) + magnitude(f, v);
}

static int64_t sign_extend(unsigned int len, uint64_t v)
{
	return len == 4 ? (int64_t)(int32_t)(uint32_t)v : (int64_t)v;
}

uint64_t ht_oracle_reduce(unsigned int op, unsigned int type, uint64_t a, uint64_t b)
{
	unsigned int len = ht_type_bytes(type);
	bool less;

	if (!ht_type_is_float(type)) {
		if (op == HSL_REDUCE_ADD)
			return len == 4 ? (uint32_t)(a + b) : a + b;
		less = sign_extend(len, a) < sign_extend(len, b);
		return less == (op == HSL_REDUCE_MIN) ? a : b;
	}
	if (ht_is_nan(type, a) || ht_is_nan(type, b))
		return ht_oracle_nan(type);
	if (op == HSL_REDUCE_ADD)
		return add_float(type, a, b);
	less = order_key(&formats[type], a) < order_key(&formats[type], b);
	return less == (op == HSL_REDUCE_MIN) ? a : b;
}

uint64_t ht_oracle_atomic(unsigned int op, unsigned int len, uint64_t old, uint64_t operand,
			  uint64_t compare)
{
	uint64_t mask = len == 4 ? UINT32_MAX : UINT64_MAX, v = old;

	old &= mask;
	operand &= mask;
	switch (op) {
	case HSL_ATOMIC_ADD: v = old + operand; break;
	case HSL_ATOMIC_SWAP: v = operand; break;
	case HSL_ATOMIC_CAS: v = old == (compare & mask) ? operand : old; break;
	case HSL_ATOMIC_AND: v = old & operand; break;
	case HSL_ATOMIC_OR: v = old | operand; break;
	case HSL_ATOMIC_XOR: v = old ^ operand; break;
	case HSL_ATOMIC_MIN:
		v = sign_extend(len, operand) < sign_extend(len, old) ? operand : old;
		break;
	case HSL_ATOMIC_MAX:
		v = sign_extend(len, operand) > sign_extend(len, old) ? operand : old;
		break;
	case HSL_ATOMIC_UMIN: v = operand < old ? operand : old; break;
	case HSL_ATOMIC_UMAX: v = operand > old ? operand : old; break;
	default: break;
	}
	return v & mask;
}

bool ht_oracle_condition(unsigned int cond, uint64_t seen, uint64_t value)
{
	switch (cond) {
	case HSL_WAIT_EQ: return seen == value;
	case HSL_WAIT_NE: return seen != value;
	case HSL_WAIT_LT: return seen < value;
	case HSL_WAIT_LE: return seen <= value;
	case HSL_WAIT_GT: return seen > value;
	default: return seen >= value;
	}
}
