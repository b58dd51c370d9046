/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The state of one end of a link: for link.c, which opens with its theory, and link_look.c. */
#ifndef HSL_MODEL_LINK_PRIV_H
#define HSL_MODEL_LINK_PRIV_H

#include <string.h>

#include "link.h"

#define NEVER           UINT64_MAX
#define MAP_EMPTY       0xfu
#define MAP_START       0x8u
#define MAP_VC          0x7u
/* The same nibble for each of n slots, 0 to 15. */
#define MAP_RUN(nibble, n)  (UINT64_C(0x1111111111111111) * (nibble) & ((UINT64_C(1) << 4 * (n)) - 1))

enum { NAK_NO, NAK_DUE, NAK_SENT };
enum { SAY_NO, SAY_NEW, SAY_BY };       /* NEW: since a call that was not told the time */
enum { RETRAIN_NO, RETRAIN_ASKED, RETRAIN_TOLD };

/* What a flit changes in the receiver. Whole packets, and `have` slots of one that goes on. */
struct rx {
    uint16_t used[HSL_VC_COUNT];
    uint8_t vc, have, need;             /* need 0: none goes on */
    uint8_t rsvd;
};

struct hsl_link {
    struct hsl_link_cfg cfg;
    struct hsl_link_stats stats;
    uint32_t mask;                      /* 2^b - 1 */
    uint32_t slots_mask;                /* slots are counted modulo 256 units */
    uint32_t peer_window;
    uint32_t credit_max[HSL_VC_COUNT];
    uint32_t off_replay, off_tx[HSL_VC_COUNT], off_rx[HSL_VC_COUNT];

    uint64_t due;                       /* end of the replay time */
    uint64_t say_ps;                    /* SAY_BY: acknowledgement and credits go out by then */
    uint32_t una, cursor, next;
    uint32_t una_at;                    /* index of una in the replay buffer */
    uint32_t rounds;                    /* of replay since una moved */
    uint32_t expected;
    uint32_t tx_head[HSL_VC_COUNT], tx_used[HSL_VC_COUNT];
    uint32_t rx_head[HSL_VC_COUNT];
    struct rx rx;
    uint32_t sent[HSL_VC_COUNT], heard[HSL_VC_COUNT], freed[HSL_VC_COUNT], told[HSL_VC_COUNT];
    uint8_t first[HSL_VC_COUNT];        /* slots of the first packet not begun; 0: none */
    uint8_t vc, left;                   /* channel that was last; slots to pack of its packet */
    uint8_t frozen;                     /* VCs of which nothing more is told */
    uint16_t first_seq;                 /* of the first flit after a reset */
    uint8_t nak, say, retrain;
    bool ask;                           /* a control flit is due */
    uint16_t deviation;                 /* enum hsl_deviation */
    uint32_t deviated;                  /* packets, for what happens now and then */
};

static inline uint8_t *at(const struct hsl_link *l, uint32_t off)
{
    return (uint8_t *)(uintptr_t)l + off;
}

static inline uint32_t advance(uint32_t head, uint32_t n, uint32_t size)
{
    return head + n < size ? head + n : head + n - size;
}

/* Slot i of the transmit queue, or of the receive buffer, of a channel: a ring. */
static inline uint32_t tx_index(const struct hsl_link *l, uint32_t vc, uint32_t i)
{
    return advance(l->tx_head[vc], i, l->cfg.tx_slots[vc]);
}

static inline uint32_t rx_index(const struct hsl_link *l, uint32_t vc, uint32_t i)
{
    return advance(l->rx_head[vc], i, l->cfg.rx_slots[vc]);
}

static inline uint8_t *tx_slot(const struct hsl_link *l, uint32_t vc, uint32_t i)
{
    return at(l, l->off_tx[vc] + tx_index(l, vc, i) * HSL_SLOT_BYTES);
}

static inline uint8_t *rx_slot(const struct hsl_link *l, uint32_t vc, uint32_t i)
{
    return at(l, l->off_rx[vc] + rx_index(l, vc, i) * HSL_SLOT_BYTES);
}

/* How many slots count b is ahead of count a. */
static inline uint32_t slots_between(const struct hsl_link *l, uint32_t a, uint32_t b)
{
    return (b - a) & l->slots_mask;
}

/* How far number b is ahead of number a. */
static inline uint32_t distance(const struct hsl_link *l, uint32_t a, uint32_t b)
{
    return (b - a) & l->mask;
}

static inline struct hsl_flit *replay_flit(const struct hsl_link *l, uint32_t seq)
{
    uint32_t i = advance(l->una_at, distance(l, l->una, seq), l->cfg.replay_flits);

    return (struct hsl_flit *)(void *)at(l, l->off_replay + i * sizeof(struct hsl_flit));
}

static inline uint64_t map_get(const struct hsl_flit *f)
{
    uint64_t map = 0;

    memcpy(&map, f->slot_map, sizeof(f->slot_map));
    return map;
}

#endif
