/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * One end of a link: packets in, numbered flits out, and back (docs/hep.md section 8.3): sequence
 * numbers, go-back-N replay, ACK and NAK, credits of five virtual channels.
 *
 * A value in a block of memory of its owner, hsl_link_size() bytes, 8-byte aligned: no pointers,
 * no allocation, no calls out. The owner moves flits between two ends (wire.h) and calls
 * hsl_link_timer at the deadline. A snapshot is a memcpy.
 *
 * Not thread-safe: one caller at a time per instance.
 */
#ifndef HSL_MODEL_LINK_H
#define HSL_MODEL_LINK_H

#include "pkt.h"

struct hsl_link_cfg {
    uint32_t seq_bits;          /* b: 2 to 12; alike at both ends */
    uint32_t replay_flits;      /* W: at least 1, (R + 1) W < 2^b */
    uint32_t reorder;           /* R: by how many places the wire may reorder; alike at both ends */
    uint32_t credit_shift;      /* u: credits are told in units of 2^u slots; alike at both ends */
    uint32_t tell_units;        /* so many units of a VC freed and not told do not wait; 0: they do */
    /*
     * Receive buffers: the credits that the other end starts with. 6 + 2^u - 1 slots to 127 units,
     * (R + 1) units < 256. Fewer are for exploration: hsl_link_send refuses what does not fit.
     */
    uint32_t rx_slots[HSL_VC_COUNT];
    uint32_t tx_slots[HSL_VC_COUNT];    /* transmit queues; at least 6, for the same reason */
    uint64_t ack_ps;            /* an acknowledgement or credit waits for data at most so long */
    uint64_t replay_ps;         /* without progress: go back; or, without credit, ask for it */
    uint32_t replay_rounds;     /* without progress: ask for retraining */
};

struct hsl_link_stats {
    uint64_t tx_flits, tx_idle, tx_replayed, rx_flits, rx_idle, rx_bad, rx_duplicate, rx_gap;
    uint64_t rx_taken;          /* data flits; rx_gap counts flits of all types */
    uint64_t rx_impossible;     /* right CRC, wrong content: protocol errors */
    uint64_t tx_naks, rx_naks, replays, retrains;       /* retrains: asked for by this end */
    uint64_t tx_packets[HSL_VC_COUNT], rx_packets[HSL_VC_COUNT];
    /* flits that went out while the VC had a packet and too little credit */
    uint64_t credit_stalls[HSL_VC_COUNT];
};

struct hsl_link;

/* NULL if valid, else one English sentence. */
const char *hsl_link_check(const struct hsl_link_cfg *cfg);
size_t hsl_link_size(const struct hsl_link_cfg *cfg);   /* 0 if invalid */
/* peer: the other end's configuration, whose receive buffers are our credits. */
int hsl_link_init(struct hsl_link *l, const struct hsl_link_cfg *cfg,
                  const struct hsl_link_cfg *peer);
/* Another other end, while the link is down: as after init with it; statistics, presets and what is frozen stay. */
int hsl_link_peer(struct hsl_link *l, const struct hsl_link_cfg *peer);
/* Link down: as after init, statistics stay. */
void hsl_link_reset(struct hsl_link *l);

/* ---- packets ---- */
/*
 * 0, -EAGAIN: the transmit queue of its VC is full, -EINVAL: hsl_pkt_check, or longer than the
 * queue or the other end's buffer.
 */
int hsl_link_send(struct hsl_link *l, const struct hsl_pkt *p);
/* The oldest whole packet of a VC, whose slots are free afterwards; 1, or 0 if there is none. */
int hsl_link_recv(struct hsl_link *l, uint32_t vc, struct hsl_pkt *p);
/* Look at it without taking it. */
int hsl_link_peek(const struct hsl_link *l, uint32_t vc, struct hsl_pkt *p);

/* ---- flits ---- */
/*
 * The next flit for the wire, 1; 0 if there is nothing to say now. Deterministic: no choice is left
 * to the caller, who calls it after every other call until it returns 0.
 */
int hsl_link_tx(struct hsl_link *l, uint64_t now_ps, struct hsl_flit *f);
/* Any 256 bytes. */
void hsl_link_rx(struct hsl_link *l, uint64_t now_ps, const struct hsl_flit *f);
/* Back from RECOVERY: everything that is not acknowledged goes out again. */
void hsl_link_retrained(struct hsl_link *l, uint64_t now_ps);
/* Earliest time at which hsl_link_tx may have something new to say by itself; UINT64_MAX never. */
uint64_t hsl_link_deadline(const struct hsl_link *l);
/* At the deadline. True: retrain; the rounds are used up, or the other end sends nonsense. */
bool hsl_link_timer(struct hsl_link *l, uint64_t now_ps);

/* ---- for testers ---- */
/*
 * Slots of the VCs of the mask (bit v: VC v) that are freed from now on are not told the other end,
 * until they are not in the mask any more.
 */
void hsl_link_freeze(struct hsl_link *l, uint32_t vcs);
/* The number of the first flit, of both directions, from the next reset on. */
void hsl_link_first(struct hsl_link *l, uint32_t seq);
/* Instead of those of the configuration. */
void hsl_link_times(struct hsl_link *l, uint64_t ack_ps, uint64_t replay_ps);

/* Be wrong: enum hsl_deviation. It stays over a reset. */
void hsl_link_deviate(struct hsl_link *l, uint32_t deviation);

/* ---- looking at it ---- */
/* Nothing to send, to acknowledge or to be acknowledged, nothing received and not taken. */
bool hsl_link_quiet(const struct hsl_link *l);
uint32_t hsl_link_credits(const struct hsl_link *l, uint32_t vc);      /* slots we may send */
uint32_t hsl_link_held(const struct hsl_link *l, uint32_t vc);  /* slots received and not freed */
uint32_t hsl_link_expected(const struct hsl_link *l);   /* number of the next flit to be taken */
void hsl_link_stats(const struct hsl_link *l, struct hsl_link_stats *out);
/* Two ends, whatever is on the wire between them: NULL, or which law they break. */
const char *hsl_link_audit(const struct hsl_link *a, const struct hsl_link *b);
/* Equal for states that cannot be told apart by what follows: not statistics, not absolute time. */
uint64_t hsl_link_hash(const struct hsl_link *l, uint64_t now_ps);

#endif
