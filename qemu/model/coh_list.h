/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Lists, sets and an index of what is numbered 0 ... n - 1, for agent.c and home.c: values in the
 * block of memory of their owner, `base`, that they know by its offset. Nothing here is looked at by
 * hashes of states: it follows from what they do look at.
 *
 * A list is in the order of `order`, which who is in it was given when it came, and is not 0. What
 * is in one of several lists that never share a member may have one array of links for them.
 *
 * A set is a bit each; the first of it is the lowest number.
 *
 * An index finds numbers by the line that they are for, the last added first. It gives candidates:
 * the caller compares lines.
 */
#ifndef HSL_MODEL_COH_LIST_H
#define HSL_MODEL_COH_LIST_H

#include <stdbool.h>
#include <stdint.h>

#include "coh_priv.h"

/* The offset of so many bytes more of the block, which has *end until now. */
static inline uint64_t hsl_coh_take(uint64_t *end, uint64_t bytes)
{
    uint64_t off = *end;

    *end += (bytes + 7) & ~UINT64_C(7);
    return off;
}

/* ---- lists ---- */

struct hsl_coh_link {
    uint32_t prev, next;
    uint64_t order;             /* 0: in no list */
};

struct hsl_coh_list {
    uint64_t off;               /* of links */
    uint32_t head, tail;
};

static inline struct hsl_coh_list hsl_coh_list_at(uint64_t off)
{
    return (struct hsl_coh_list){ off, HSL_COH_NONE, HSL_COH_NONE };
}

static inline struct hsl_coh_link *hsl_coh_link(const void *base, const struct hsl_coh_list *l,
                                                uint32_t i)
{
    return (struct hsl_coh_link *)hsl_coh_at((void *)(uintptr_t)base, l->off) + i;
}

static inline uint32_t hsl_coh_next(const void *base, const struct hsl_coh_list *l, uint32_t i)
{
    return hsl_coh_link(base, l, i)->next;
}

static inline void hsl_coh_insert(void *base, struct hsl_coh_list *l, uint32_t i, uint32_t prev,
                                  uint64_t order)
{
    uint32_t next = prev == HSL_COH_NONE ? l->head : hsl_coh_next(base, l, prev);

    *hsl_coh_link(base, l, i) = (struct hsl_coh_link){ prev, next, order };
    if (prev == HSL_COH_NONE) {
        l->head = i;
    } else {
        hsl_coh_link(base, l, prev)->next = i;
    }
    if (next == HSL_COH_NONE) {
        l->tail = i;
    } else {
        hsl_coh_link(base, l, next)->prev = i;
    }
}

/* The order is that of the one at the end, or later. */
static inline void hsl_coh_append(void *base, struct hsl_coh_list *l, uint32_t i, uint64_t order)
{
    hsl_coh_insert(base, l, i, l->tail, order);
}

/* To its place; it is not far from the head. */
static inline void hsl_coh_sort_in(void *base, struct hsl_coh_list *l, uint32_t i, uint64_t order)
{
    uint32_t prev = HSL_COH_NONE;

    for (uint32_t k = l->head; k != HSL_COH_NONE; k = hsl_coh_next(base, l, k)) {
        if (hsl_coh_link(base, l, k)->order > order) {
            break;
        }
        prev = k;
    }
    hsl_coh_insert(base, l, i, prev, order);
}

static inline void hsl_coh_remove(void *base, struct hsl_coh_list *l, uint32_t i)
{
    struct hsl_coh_link *k = hsl_coh_link(base, l, i);

    if (k->prev == HSL_COH_NONE) {
        l->head = k->next;
    } else {
        hsl_coh_link(base, l, k->prev)->next = k->next;
    }
    if (k->next == HSL_COH_NONE) {
        l->tail = k->prev;
    } else {
        hsl_coh_link(base, l, k->next)->prev = k->prev;
    }
    *k = (struct hsl_coh_link){ HSL_COH_NONE, HSL_COH_NONE, 0 };
}

/* ---- sets ---- */

static inline uint32_t hsl_coh_words(uint32_t n)
{
    return (n + 63) / 64;
}

static inline bool hsl_coh_set_has(const uint64_t *set, uint32_t i)
{
    return set[i / 64] >> (i % 64) & 1;
}

static inline void hsl_coh_set_add(uint64_t *set, uint32_t i)
{
    set[i / 64] |= UINT64_C(1) << (i % 64);
}

static inline void hsl_coh_set_remove(uint64_t *set, uint32_t i)
{
    set[i / 64] &= ~(UINT64_C(1) << (i % 64));
}

/* The first from `from` on; HSL_COH_NONE. */
static inline uint32_t hsl_coh_set_next(const uint64_t *set, uint32_t words, uint32_t from)
{
    uint64_t mask = UINT64_MAX << (from % 64);

    for (uint32_t w = from / 64; w < words; w++, mask = UINT64_MAX) {
        if (set[w] & mask) {
            return w * 64 + (uint32_t)__builtin_ctzll(set[w] & mask);
        }
    }
    return HSL_COH_NONE;
}

/* ---- index by line ---- */

struct hsl_coh_index {
    uint64_t off_head, off_next;        /* uint32_t each, number + 1; 0 ends a chain */
    uint32_t bits;                      /* of a head's number */
    uint32_t rsvd;
};

static inline uint32_t hsl_coh_index_bits(uint32_t n)
{
    uint32_t bits = 1;

    while (1u << bits < n) {
        bits++;
    }
    return bits;
}

/* Bytes: a multiple of 8. */
static inline uint64_t hsl_coh_index_size(uint32_t n)
{
    return ((UINT64_C(1) << hsl_coh_index_bits(n)) + n + 1) / 2 * 8;
}

static inline struct hsl_coh_index hsl_coh_index_at(uint64_t off, uint32_t n)
{
    uint32_t bits = hsl_coh_index_bits(n);

    return (struct hsl_coh_index){ off, off + (UINT64_C(4) << bits), bits, 0 };
}

static inline uint32_t *hsl_coh_index_head(const void *base, const struct hsl_coh_index *x,
                                           uint64_t line)
{
    uint64_t mixed = line / HSL_LINE_BYTES * UINT64_C(0x9e3779b97f4a7c15);

    return (uint32_t *)hsl_coh_at((void *)(uintptr_t)base, x->off_head) + (mixed >> (64 - x->bits));
}

static inline uint32_t *hsl_coh_index_link(const void *base, const struct hsl_coh_index *x,
                                           uint32_t i)
{
    return (uint32_t *)hsl_coh_at((void *)(uintptr_t)base, x->off_next) + i;
}

/* Candidates: the first, and the one after i, which was added before it. */
static inline uint32_t hsl_coh_index_first(const void *base, const struct hsl_coh_index *x,
                                           uint64_t line)
{
    return *hsl_coh_index_head(base, x, line) - 1;
}

static inline uint32_t hsl_coh_index_next(const void *base, const struct hsl_coh_index *x,
                                          uint32_t i)
{
    return *hsl_coh_index_link(base, x, i) - 1;
}

static inline void hsl_coh_index_add(void *base, const struct hsl_coh_index *x, uint64_t line,
                                     uint32_t i)
{
    uint32_t *head = hsl_coh_index_head(base, x, line);

    *hsl_coh_index_link(base, x, i) = *head;
    *head = i + 1;
}

static inline void hsl_coh_index_remove(void *base, const struct hsl_coh_index *x, uint64_t line,
                                        uint32_t i)
{
    uint32_t *at = hsl_coh_index_head(base, x, line);

    while (*at != i + 1) {
        at = hsl_coh_index_link(base, x, *at - 1);
    }
    *at = *hsl_coh_index_link(base, x, i);
}

#endif
