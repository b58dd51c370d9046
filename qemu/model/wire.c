// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * What a wire does to flits. Everything random comes from one stream, xoshiro256** seeded through
 * splitmix64, and is drawn in a fixed order: bit errors, burst, loss, duplicate, and for each copy
 * its delay. A probability of zero draws nothing.
 *
 * Bit errors. Each bit is wrong with probability p, independently, so the number of good bits
 * before the next wrong one is geometric: floor(ln u / ln(1 - p)) for u uniform in (0, 1). It is
 * drawn once per error and counted down flit by flit. Logarithms are made here, of operations that
 * IEEE 754 rounds the same everywhere, so that a seed means the same errors with every C library.
 */
#include "wire.h"

#define FLIT_BITS   (8u * HSL_FLIT_BYTES)
#define CERTAIN     UINT64_MAX      /* as a probability */
#define NEVER       UINT64_MAX      /* as a distance */

/* ---- random numbers ---- */

static uint64_t rotl(uint64_t x, unsigned int k)
{
    return x << k | x >> (64 - k);
}

static uint64_t rng_next(struct hsl_wire *w)
{
    uint64_t *s = w->rng, result = rotl(s[1] * 5, 7) * 9, t = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotl(s[3], 45);
    return result;
}

static void rng_seed(struct hsl_wire *w, uint64_t seed)
{
    for (int i = 0; i < 4; i++) {
        uint64_t z = seed += UINT64_C(0x9e3779b97f4a7c15);

        z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
        w->rng[i] = z ^ (z >> 31);
    }
}

/* 0 to n - 1, n at most 2^32: the high half of a product, biased by less than 2^-32. */
static uint32_t rng_below(struct hsl_wire *w, uint32_t n)
{
    return (uint32_t)((rng_next(w) >> 32) * n >> 32);
}

static bool happens(struct hsl_wire *w, uint64_t probability)
{
    return probability && (probability == CERTAIN || rng_next(w) < probability);
}

/* ---- distances ---- */

/* ln(1 + x) for |x| <= 1/3 and tiny x alike: 2 atanh(x / (2 + x)) */
static double ln_1p(double x)
{
    double z = x / (2.0 + x), zz = z * z, term = z, sum = 0.0;

    for (int k = 1; k < 30; k += 2) {
        sum += term / k;
        term *= zz;
    }
    return 2.0 * sum;
}

/* 0 < x <= 1 */
static double ln(double x)
{
    static const double ln2 = 0.693147180559945309417;
    int halvings = 0;

    while (x < 0.75) {
        x *= 2.0;
        halvings++;
    }
    return ln_1p(x - 1.0) - halvings * ln2;
}

static uint64_t distance(struct hsl_wire *w)
{
    double p, u, d;

    if (!w->cfg.bit_error) {
        return NEVER;
    }
    if (w->cfg.bit_error == CERTAIN) {
        return 0;
    }
    p = (double)w->cfg.bit_error * 0x1p-64;
    if (p >= 1.0) {             /* rounded up: ln(0) has no end */
        return 0;
    }
    u = ((double)(rng_next(w) >> 11) + 0.5) * 0x1p-53;
    d = ln(u) / (p < 0.25 ? ln_1p(-p) : ln(1.0 - p));
    return d < 0x1p63 ? (uint64_t)d : NEVER - 1;
}

/* ---- errors ---- */

static void flip(struct hsl_flit *f, uint64_t bit)
{
    ((uint8_t *)f)[bit / 8] ^= (uint8_t)(1u << bit % 8);
}

static void bit_errors(struct hsl_wire *w, struct hsl_flit *f)
{
    uint64_t at = 0;

    if (w->bits_to_error == NEVER) {
        return;
    }
    while (w->bits_to_error < FLIT_BITS - at) {
        at += w->bits_to_error;
        flip(f, at++);
        w->stats.bit_errors++;
        w->bits_to_error = distance(w);
    }
    w->bits_to_error -= FLIT_BITS - at;
}

static void burst(struct hsl_wire *w, struct hsl_flit *f)
{
    uint32_t first = rng_below(w, FLIT_BITS - w->cfg.burst_bits + 1);
    uint64_t bits = 0;

    for (uint32_t i = 0; i < w->cfg.burst_bits; i++, bits >>= 1) {
        if (i % 64 == 0) {
            bits = rng_next(w);
        }
        if (bits & 1) {
            flip(f, first + i);
        }
    }
    w->stats.bursts++;
}

uint32_t hsl_wire_pass(struct hsl_wire *w, const struct hsl_flit *f, struct hsl_wire_out out[2])
{
    uint32_t n = 1;

    w->stats.flits++;
    out[0].flit = *f;
    bit_errors(w, &out[0].flit);
    if (happens(w, w->cfg.burst)) {
        burst(w, &out[0].flit);
    }
    if (happens(w, w->cfg.drop)) {
        w->stats.dropped++;
        return 0;
    }
    if (happens(w, w->cfg.duplicate)) {
        out[1].flit = out[0].flit;
        w->stats.duplicated++;
        n = 2;
    }
    for (uint32_t i = 0; i < n; i++) {
        out[i].late = 0;
        if (happens(w, w->cfg.reorder)) {
            out[i].late = 1 + rng_below(w, w->cfg.reorder_places);
            w->stats.reordered++;
        }
    }
    return n;
}

/* ---- configuration ---- */

uint64_t hsl_wire_probability(double p)
{
    if (!(p > 0.0)) {
        return 0;
    }
    return p < 1.0 ? (uint64_t)(p * 0x1p64) : CERTAIN;
}

const char *hsl_wire_check(const struct hsl_wire_cfg *cfg)
{
    if (cfg->burst && (cfg->burst_bits < 2 || cfg->burst_bits > FLIT_BITS)) {
        return "a burst has 2 to 2048 bits";
    }
    if (cfg->reorder && !cfg->reorder_places) {
        return "a wire that reorders does so by at least one place";
    }
    return NULL;
}

void hsl_wire_init(struct hsl_wire *w, const struct hsl_wire_cfg *cfg, uint64_t seed)
{
    *w = (struct hsl_wire){ .cfg = *cfg };
    hsl_wire_seed(w, seed);
}

void hsl_wire_set(struct hsl_wire *w, const struct hsl_wire_cfg *cfg)
{
    w->cfg = *cfg;
    /* geometric distances have no memory: what was left of the old one does not matter */
    w->bits_to_error = distance(w);
}

void hsl_wire_seed(struct hsl_wire *w, uint64_t seed)
{
    rng_seed(w, seed);
    w->bits_to_error = distance(w);
}

uint64_t hsl_wire_injected(const struct hsl_wire *w)
{
    return w->stats.bit_errors + w->stats.bursts + w->stats.dropped + w->stats.duplicated +
           w->stats.reordered;
}
