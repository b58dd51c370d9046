/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What a wire does to flits: seeded bit errors, bursts, loss, duplicates, reordering. A value. The
 * same seed and the same flits give the same errors; every probability zero costs next to nothing.
 *
 * Bit errors are drawn as distances to the next one, so a rate of 1e-12 costs no more than zero.
 *
 * Not thread-safe: one caller at a time per instance.
 */
#ifndef HSL_MODEL_WIRE_H
#define HSL_MODEL_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hsl/proto.h"

/* Probabilities in units of 2^-64, UINT64_MAX: always. See hsl_wire_probability. */
struct hsl_wire_cfg {
    uint64_t bit_error;         /* of each bit */
    uint64_t burst;             /* of each flit: burst_bits in a row become random bits */
    uint64_t drop;              /* of each flit */
    uint64_t duplicate;         /* of each flit that is not lost: it comes twice, damaged alike */
    uint64_t reorder;           /* of each copy: it comes 1 to reorder_places late */
    uint32_t burst_bits;        /* 2 to 2048 */
    uint32_t reorder_places;
};

struct hsl_wire_stats {
    uint64_t flits, bit_errors, bursts, dropped, duplicated, reordered;
};

struct hsl_wire {
    struct hsl_wire_cfg cfg;
    uint64_t rng[4];
    uint64_t bits_to_error;
    struct hsl_wire_stats stats;
};

/* One flit as it comes out, `late` places behind its own. */
struct hsl_wire_out {
    struct hsl_flit flit;
    uint32_t late;
};

/* 0.0 to 1.0; for configuration, not for use while running. */
uint64_t hsl_wire_probability(double p);
/* NULL, or what is wrong in one English sentence. */
const char *hsl_wire_check(const struct hsl_wire_cfg *cfg);
void hsl_wire_init(struct hsl_wire *w, const struct hsl_wire_cfg *cfg, uint64_t seed);
/* Other probabilities from now on; the stream of random numbers goes on. */
void hsl_wire_set(struct hsl_wire *w, const struct hsl_wire_cfg *cfg);
/* From now on everything is drawn as after hsl_wire_init with this seed. */
void hsl_wire_seed(struct hsl_wire *w, uint64_t seed);
/* Errors so far: wrong bits, bursts, flits lost, doubled or late. */
uint64_t hsl_wire_injected(const struct hsl_wire *w);
/* How many come out: 0, 1 or 2. */
uint32_t hsl_wire_pass(struct hsl_wire *w, const struct hsl_flit *f, struct hsl_wire_out out[2]);

#endif
