/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * CRC-64/XZ: polynomial 0x42f0e1eba9ea3693 reflected, initial value and final XOR all ones.
 *
 * By tables, eight bytes a step: table[k][b] is what byte b does to the CRC with k bytes behind it.
 * A CRC is linear, so a table follows from its eight entries of a single bit, and these are written
 * here; the compiler makes the rest.
 *
 * By carry-less multiplication where the CPU has it, four times sixteen bytes a step: 128 bits of
 * message with n bits behind them leave the same remainder as (low half) x^(n+64) + (high half) x^n.
 * Bit order is reflected, by which a product comes out one bit too high: the constants are
 * x^(n+63) and x^(n-1) modulo the polynomial, for n = 128 and 512. Zero bytes before a message do
 * not change its remainder, so the bytes that are no whole sixteen come first, behind zeros. The
 * last 128 bits become 64 by Barrett's reduction, with floor(x^128 / polynomial).
 */
#include <stddef.h>
#include <string.h>

#include "model.h"

#define BIT(i, b, v)    ((i) >> (b) & 1 ? UINT64_C(v) : 0)
#define ENTRY(i, a, b, c, d, e, f, g, h) \
    (BIT(i, 0, a) ^ BIT(i, 1, b) ^ BIT(i, 2, c) ^ BIT(i, 3, d) ^ \
     BIT(i, 4, e) ^ BIT(i, 5, f) ^ BIT(i, 6, g) ^ BIT(i, 7, h))
#define ENTRIES4(i, ...) \
    ENTRY(i, __VA_ARGS__), ENTRY(i + 1, __VA_ARGS__), \
    ENTRY(i + 2, __VA_ARGS__), ENTRY(i + 3, __VA_ARGS__)
#define ENTRIES16(i, ...) \
    ENTRIES4(i, __VA_ARGS__), ENTRIES4(i + 4, __VA_ARGS__), \
    ENTRIES4(i + 8, __VA_ARGS__), ENTRIES4(i + 12, __VA_ARGS__)
#define ENTRIES64(i, ...) \
    ENTRIES16(i, __VA_ARGS__), ENTRIES16(i + 16, __VA_ARGS__), \
    ENTRIES16(i + 32, __VA_ARGS__), ENTRIES16(i + 48, __VA_ARGS__)
#define TABLE(...) \
    { ENTRIES64(0, __VA_ARGS__), ENTRIES64(64, __VA_ARGS__), \
      ENTRIES64(128, __VA_ARGS__), ENTRIES64(192, __VA_ARGS__) }

static const uint64_t table[8][256] = {
    TABLE(0xb32e4cbe03a75f6f, 0xf4843657a840a05b, 0x7bd0c384ff8f5e33, 0xf7a18709ff1ebc66,
          0x7d9ba13851336649, 0xfb374270a266cc92, 0x64b62bcaebc387a1, 0xc96c5795d7870f42),
    TABLE(0x54e979925cd0f10d, 0xa9d2f324b9a1e21a, 0xc17d4962dc4ddab1, 0x10223dee1795abe7,
          0x20447bdc2f2b57ce, 0x4088f7b85e56af9c, 0x8111ef70bcad5f38, 0x90fb71cad654a0f5),
    TABLE(0x3f0be14a916a6dcb, 0x7e17c29522d4db96, 0xfc2f852a45a9b72c, 0x6a87a57f245d70dd,
          0xd50f4afe48bae1ba, 0x38c63ad73e7bddf1, 0x718c75ae7cf7bbe2, 0xe318eb5cf9ef77c4),
    TABLE(0x1dee8a5e222ca1dc, 0x3bdd14bc445943b8, 0x77ba297888b28770, 0xef7452f111650ee0,
          0x4c300ac98dc40345, 0x986015931b88068a, 0xa218840d981e1391, 0xd6e9a7309f3239a7),
    TABLE(0x5c2d776033c4205e, 0xb85aeec0678840bc, 0xe26d72ab601e9ffd, 0x56024a7d6f33217f,
          0xac0494fade6642fe, 0xcad186de13c29b79, 0x077ba297888b2877, 0x0ef7452f111650ee),
    TABLE(0x6184d55f721267c6, 0xc309aabee424cf8c, 0x14cbfa566747819d, 0x2997f4acce8f033a,
          0x532fe9599d1e0674, 0xa65fd2b33a3c0ce8, 0xde670a4ddb760755, 0x2e16bbb019e2102f),
    TABLE(0x22ef0d5934f964ec, 0x45de1ab269f2c9d8, 0x8bbc3564d3e593b0, 0x85a0c5e208c539e5,
          0x999924efbe846d4f, 0xa1eae6f4d206c41b, 0xd10d62c20b0396b3, 0x30c26aafb90933e3),
    TABLE(0xdabe95afc7875f40, 0x27a584742000a005, 0x4f4b08e84001400a, 0x9e9611d080028014,
          0xaff48c8aaf0b1ead, 0xcd31b63ef11823df, 0x08bbc3564d3e593b, 0x117786ac9a7cb276),
};

static uint64_t load64(const uint8_t *p)
{
    uint64_t v;

    memcpy(&v, p, sizeof(v));
    return v;
}

static uint64_t by_tables(uint64_t crc, const uint8_t *p, size_t len)
{
    for (; len >= 8; p += 8, len -= 8) {
        crc ^= load64(p);
        crc = table[7][crc & 0xff] ^ table[6][crc >> 8 & 0xff] ^
              table[5][crc >> 16 & 0xff] ^ table[4][crc >> 24 & 0xff] ^
              table[3][crc >> 32 & 0xff] ^ table[2][crc >> 40 & 0xff] ^
              table[1][crc >> 48 & 0xff] ^ table[0][crc >> 56];
    }
    for (; len; p++, len--) {
        crc = crc >> 8 ^ table[0][(crc ^ *p) & 0xff];
    }
    return crc;
}

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>

#define HAVE_MULTIPLY() __builtin_cpu_supports("pclmul")
#define TARGET          __attribute__((target("pclmul")))

TARGET static inline __m128i load128(const uint8_t *p)
{
    return _mm_loadu_si128((const __m128i *)(const void *)p);
}

TARGET static inline __m128i constants(uint64_t low, uint64_t high)
{
    return _mm_set_epi64x((long long)high, (long long)low);
}

TARGET static inline __m128i fold(__m128i v, __m128i by, __m128i next)
{
    __m128i low = _mm_clmulepi64_si128(v, by, 0x00);
    __m128i high = _mm_clmulepi64_si128(v, by, 0x11);

    return _mm_xor_si128(_mm_xor_si128(low, next), high);
}

/* The remainder of 128 bits with 64 zero bits behind them. */
TARGET static inline uint64_t reduce(__m128i v)
{
    const __m128i by8 = constants(0xdabe95afc7875f40, 0);
    const __m128i barrett = constants(0x92d8af2baf0e1e85, 0x9c3e466c172963d5);
    __m128i q;

    v = _mm_xor_si128(_mm_clmulepi64_si128(v, by8, 0x00), _mm_srli_si128(v, 8));
    q = _mm_clmulepi64_si128(v, barrett, 0x10);
    q = _mm_xor_si128(_mm_clmulepi64_si128(q, barrett, 0x00), _mm_slli_si128(q, 8));
    v = _mm_srli_si128(_mm_xor_si128(q, v), 8);
    return (uint64_t)_mm_cvtsi128_si64(v);
}

/* len is a multiple of 16; v is of the 64 bytes before. */
TARGET static inline uint64_t fold_all(__m128i v[4], const uint8_t *p, size_t len)
{
    const __m128i by16 = constants(0xe05dd497ca393ae4, 0xdabe95afc7875f40);
    const __m128i by64 = constants(0x6ae3efbb9dd441f3, 0x081f6054a7842df4);

    for (; len >= 64; p += 64, len -= 64) {
        v[0] = fold(v[0], by64, load128(p));
        v[1] = fold(v[1], by64, load128(p + 16));
        v[2] = fold(v[2], by64, load128(p + 32));
        v[3] = fold(v[3], by64, load128(p + 48));
    }
    for (int i = 1; i < 4; i++) {
        v[0] = fold(v[0], by16, v[i]);
    }
    for (; len; p += 16, len -= 16) {
        v[0] = fold(v[0], by16, load128(p));
    }
    return reduce(v[0]);
}

/* len >= 80 */
TARGET static uint64_t by_multiplication(uint64_t crc, const uint8_t *p, size_t len)
{
    size_t odd = len % 16;
    uint8_t head[32] = { 0 };
    uint64_t first;
    __m128i v[4];

    memcpy(head + 16 - odd, p, odd + 16);
    memcpy(&first, p, sizeof(first));
    first ^= crc;
    memcpy(head + 16 - odd, &first, sizeof(first));
    v[0] = load128(head);
    v[1] = load128(head + 16);
    v[2] = load128(p + odd + 16);
    v[3] = load128(p + odd + 32);
    return fold_all(v, p + odd + 48, len - odd - 48);
}

#define FLIT_ODD        (offsetof(struct hsl_flit, crc) % 16)   /* less than the CRC is long */

/* The same, of a flit, without memory between. */
TARGET static uint64_t of_flit(uint64_t crc, const uint8_t *p)
{
    __m128i v[4] = {
        _mm_slli_si128(_mm_xor_si128(load128(p), constants(crc, 0)), 16 - FLIT_ODD),
        _mm_xor_si128(load128(p + FLIT_ODD), constants(crc >> 8 * FLIT_ODD, 0)),
        load128(p + FLIT_ODD + 16),
        load128(p + FLIT_ODD + 32),
    };

    return fold_all(v, p + FLIT_ODD + 48, offsetof(struct hsl_flit, crc) - FLIT_ODD - 48);
}
#else
#define HAVE_MULTIPLY() false
#define by_multiplication by_tables
#define of_flit(crc, p) by_tables(crc, p, offsetof(struct hsl_flit, crc))
#endif

uint64_t hsl_crc64_portable(const void *data, size_t len)
{
    return ~by_tables(~UINT64_C(0), data, len);
}

uint64_t hsl_crc64(const void *data, size_t len)
{
    if (len < 80 || !HAVE_MULTIPLY()) {
        return hsl_crc64_portable(data, len);
    }
    return len == offsetof(struct hsl_flit, crc) ? ~of_flit(~UINT64_C(0), data)
                                                 : ~by_multiplication(~UINT64_C(0), data, len);
}
