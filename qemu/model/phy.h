/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * One end of a link below its flits: the link training and status state machine (docs/hep.md
 * section 8.4). A value: no pointers, no time of its own, no calls out. Its owner tells it what
 * happens and asks it what to send.
 *
 * Not thread-safe: one caller at a time per instance.
 */
#ifndef HSL_MODEL_PHY_H
#define HSL_MODEL_PHY_H

#include <stdbool.h>
#include <stdint.h>

#include "hsl/proto.h"
#include "hsl/regs.h"

struct hsl_phy_cfg {
    uint32_t lanes;             /* 1 to 16 */
    uint32_t rate_mtps;
    uint64_t ts_ps;             /* between two training sets */
    uint64_t train_ps;          /* longest stay in POLLING, CONFIG, RECOVERY */
    uint64_t idle_ps;           /* L0 without a flit: asks for L1; 0 = never, nor agrees */
};

/* What can happen to an end; the only way to another state is an edge of the table in phy.c. */
enum hsl_phy_event {
    HSL_PHY_PRESENT,            /* the other end is there, or again */
    HSL_PHY_ABSENT,
    HSL_PHY_RETRAIN,            /* asked for by the link layer or by software */
    HSL_PHY_DISABLE,            /* by software */
    HSL_PHY_ENABLE,             /* whoever disabled it */
    HSL_PHY_HOT_RESET,          /* by software: the other end is reset */
    HSL_PHY_WAKE,               /* there is something to send */
};

struct hsl_phy {
    struct hsl_phy_cfg cfg;
    uint32_t state;             /* HSL_LTSSM_* */
    uint32_t width, rate_mtps;  /* in use; 0 outside L0 and L1 */
    uint16_t lanes_ok;          /* receiving lanes that work, bit by bit */
    uint16_t lanes_told;        /* those of this round, as the other end is told */
    uint16_t peer_lanes;        /* from its last TS, like the two below */
    uint16_t peer_round;
    uint16_t round;             /* of training; every TS of a round tells the same lanes */
    uint32_t peer_rate_mtps;
    uint8_t present;            /* the other end */
    uint8_t off;                /* who disabled the link */
    uint8_t fresh;              /* been through DETECT since L0 */
    uint8_t owed;               /* a TS to send once */
    uint8_t l1_asked;           /* in L0: since when the other end may be in L1 */
    uint8_t hot;                /* in HOT_RESET: who is reset */
    uint64_t entered_ps, next_ts_ps, busy_ps;
    uint16_t deviation;         /* enum hsl_deviation */
    uint32_t resets;            /* times that the other end has had this one reset */
    uint64_t entries[8];        /* times each state was entered */
    uint32_t changes;           /* of state; one call makes HSL_PHY_TRAIL at most */
    uint8_t trail[4];           /* the state that change i led to, at i % HSL_PHY_TRAIL */
};
#define HSL_PHY_TRAIL 4u

/*
 * In DETECT, the other end absent. An end that is made anew is absent for the other end meanwhile.
 * `lanes` of the configuration count from lane 0.
 */
void hsl_phy_init(struct hsl_phy *p, const struct hsl_phy_cfg *cfg);
/*
 * An event; nothing happens where the table has no edge for it, but that DISABLE in HOT_RESET is
 * remembered. True if the state changed.
 *
 * Before a flit is sent: HSL_PHY_WAKE, and only if the state is L0 afterwards.
 */
bool hsl_phy_event(struct hsl_phy *p, uint64_t now_ps, enum hsl_phy_event ev);
/* Receiving lane i fails or works again: in L0 and L1 a failure of a lane in use retrains. */
bool hsl_phy_lane(struct hsl_phy *p, uint64_t now_ps, uint32_t lane, bool works);
/* TS may be lost; they must arrive in the order in which they were sent, among flits too. */
bool hsl_phy_rx(struct hsl_phy *p, uint64_t now_ps, const struct hsl_ts *ts);
/*
 * What to send now; 0 if nothing. Ask after every call above and at the deadline, and send it
 * before a flit of the same time.
 */
int hsl_phy_tx(struct hsl_phy *p, uint64_t now_ps, struct hsl_ts *ts);
/* When to call hsl_phy_timer and hsl_phy_tx next at the latest; UINT64_MAX never. */
uint64_t hsl_phy_deadline(const struct hsl_phy *p);
bool hsl_phy_timer(struct hsl_phy *p, uint64_t now_ps);
/* The widest link that an end can be of, all of whose lanes work. */
uint32_t hsl_phy_max_width(const struct hsl_phy_cfg *cfg);
/* Is there an edge from one state to another? For tests and for the table in docs/hep.md. */
bool hsl_phy_edge(uint32_t from, uint32_t to);
const char *hsl_phy_state_name(uint32_t state);

#endif
