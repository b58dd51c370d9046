// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * REDUCE: dst[i] = dst[i] op src[i] over n elements in host memory (HEP-TXN-013 to 016).
 *
 * Integers wrap. The 16-bit types are widened to binary32, which is exact, and rounded once after the operation; F32 and
 * F64 rely on the compiler's IEEE arithmetic without excess precision, which FLT_EVAL_METHOD states. NaN in, or ∞ − ∞, is the
 * canonical NaN out. MIN and MAX compare the bits as sign and magnitude, so that −0 is before +0.
 *
 * Direction: backward works from the last element, for operands that overlap with dst behind src. The caller
 * guarantees alignment to the element.
 */
#include <float.h>
#include <string.h>

#include "engine_priv.h"

#if defined(__FAST_MATH__) || FLT_EVAL_METHOD != 0
#error "REDUCE needs IEEE 754 arithmetic without excess precision"
#endif

#define F16_NAN     0x7e00u
#define BF16_NAN    0x7fc0u
#define F32_NAN     0x7fc00000u
#define F64_NAN     0x7ff8000000000000ull

static uint32_t f32_bits(float f)
{
    uint32_t u;

    memcpy(&u, &f, sizeof(u));
    return u;
}

static float f32_from(uint32_t u)
{
    float f;

    memcpy(&f, &u, sizeof(f));
    return f;
}

static uint32_t f16_widen(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, exp = h >> 10 & 0x1f, frac = h & 0x3ff;

    if (exp == 0x1f) {
        return sign | 0x7f800000 | frac << 13;
    }
    if (exp) {
        return sign | (exp + 112) << 23 | frac << 13;
    }
    /* zero or subnormal: frac * 2^-24 is exact */
    return sign | f32_bits((float)frac * 0x1p-24f);
}

/* u is not NaN. Nearest, ties to even: what is cut off is compared with half of the last place kept. */
static uint16_t f16_narrow(uint32_t u)
{
    uint32_t sign = u >> 16 & 0x8000, exp = u >> 23 & 0xff, frac = u & 0x7fffff, shift, kept, rest, half;

    if (exp >= 143) {
        return (uint16_t)(sign | 0x7c00);       /* infinity, or 2^16 and more */
    }
    if (exp >= 113) {
        kept = (exp - 112) << 10 | frac >> 13;
        rest = frac & 0x1fff;
        half = 0x1000;
    } else if (exp >= 102) {
        /* subnormal result: the implicit bit becomes explicit; 2^-25 and more can round to something */
        frac |= 0x800000;
        shift = 126 - exp;
        kept = frac >> shift;
        rest = frac & ((1u << shift) - 1);
        half = 1u << (shift - 1);
    } else {
        return (uint16_t)sign;
    }
    /* a carry out of the fraction is the next exponent, out of the last one infinity: both right */
    kept += rest > half || (rest == half && (kept & 1));
    return (uint16_t)(sign | kept);
}

static uint16_t bf16_narrow(uint32_t u)
{
    uint32_t kept = u >> 16, rest = u & 0xffff;

    kept += rest > 0x8000 || (rest == 0x8000 && (kept & 1));
    return (uint16_t)kept;
}

static bool f32_nan(uint32_t u)
{
    return (u & 0x7fffffff) > 0x7f800000;
}

static bool f64_nan(uint64_t u)
{
    return (u & 0x7fffffffffffffffull) > 0x7ff0000000000000ull;
}

/* Bits whose signed order is the order of the numbers, -0 before +0. */
static int32_t f32_key(uint32_t u)
{
    return (int32_t)(u & 0x80000000 ? u ^ 0x7fffffff : u);
}

static int64_t f64_key(uint64_t u)
{
    return (int64_t)(u >> 63 ? u ^ 0x7fffffffffffffffull : u);
}

/* Result as bits of binary32; NaN is F32_NAN. */
static uint32_t f32_op(unsigned int op, uint32_t a, uint32_t b)
{
    uint32_t r;

    if (f32_nan(a) || f32_nan(b)) {
        return F32_NAN;
    }
    if (op == HSL_REDUCE_ADD) {
        r = f32_bits(f32_from(a) + f32_from(b));
        return f32_nan(r) ? F32_NAN : r;
    }
    return (f32_key(a) <= f32_key(b)) == (op == HSL_REDUCE_MIN) ? a : b;
}

static uint16_t f16_op(unsigned int op, uint16_t a, uint16_t b)
{
    uint32_t r = f32_op(op, f16_widen(a), f16_widen(b));

    return r == F32_NAN ? F16_NAN : f16_narrow(r);
}

static uint16_t bf16_op(unsigned int op, uint16_t a, uint16_t b)
{
    uint32_t r = f32_op(op, (uint32_t)a << 16, (uint32_t)b << 16);

    return r == F32_NAN ? BF16_NAN : bf16_narrow(r);
}

static uint64_t f64_op(unsigned int op, uint64_t a, uint64_t b)
{
    double x, y;
    uint64_t r;

    if (f64_nan(a) || f64_nan(b)) {
        return F64_NAN;
    }
    if (op == HSL_REDUCE_ADD) {
        memcpy(&x, &a, sizeof(x));
        memcpy(&y, &b, sizeof(y));
        x += y;
        memcpy(&r, &x, sizeof(r));
        return f64_nan(r) ? F64_NAN : r;
    }
    return (f64_key(a) <= f64_key(b)) == (op == HSL_REDUCE_MIN) ? a : b;
}

static uint32_t i32_op(unsigned int op, uint32_t a, uint32_t b)
{
    if (op == HSL_REDUCE_ADD) {
        return a + b;
    }
    return ((int32_t)a <= (int32_t)b) == (op == HSL_REDUCE_MIN) ? a : b;
}

static uint64_t i64_op(unsigned int op, uint64_t a, uint64_t b)
{
    if (op == HSL_REDUCE_ADD) {
        return a + b;
    }
    return ((int64_t)a <= (int64_t)b) == (op == HSL_REDUCE_MIN) ? a : b;
}

/* op is a constant at each call, so that the compiler has three plain loops per type */
#define LOOP(type, fn, op) do { \
        type *d = dst; \
        const type *s = src; \
        if (backward) { \
            for (uint64_t i = n; i--; ) { \
                d[i] = fn(op, d[i], s[i]); \
            } \
        } else { \
            for (uint64_t i = 0; i < n; i++) { \
                d[i] = fn(op, d[i], s[i]); \
            } \
        } \
    } while (0)

#define REDUCE(type, fn) do { \
        if (op == HSL_REDUCE_ADD) { \
            LOOP(type, fn, HSL_REDUCE_ADD); \
        } else if (op == HSL_REDUCE_MIN) { \
            LOOP(type, fn, HSL_REDUCE_MIN); \
        } else { \
            LOOP(type, fn, HSL_REDUCE_MAX); \
        } \
    } while (0)

unsigned int hsl_reduce_bytes(unsigned int type)
{
    static const uint8_t bytes[HSL_TYPES] = { 4, 8, 2, 2, 4, 8 };

    return bytes[type];
}

void hsl_reduce_run(unsigned int op, unsigned int type, void *dst, const void *src, uint64_t n, bool backward)
{
    switch (type) {
    case HSL_TYPE_I32:
        REDUCE(uint32_t, i32_op);
        break;
    case HSL_TYPE_I64:
        REDUCE(uint64_t, i64_op);
        break;
    case HSL_TYPE_F16:
        REDUCE(uint16_t, f16_op);
        break;
    case HSL_TYPE_BF16:
        REDUCE(uint16_t, bf16_op);
        break;
    case HSL_TYPE_F32:
        REDUCE(uint32_t, f32_op);
        break;
    default:
        REDUCE(uint64_t, f64_op);
        break;
    }
}
