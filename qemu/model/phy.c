// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Link training and status (docs/hep.md section 8.4). The state changes in enter() only, which is
 * called by go() only, which asks the table: what is not an edge there cannot happen.
 *
 * Training is a handshake that both ends do at once, over a wire that loses TS:
 *
 *   POLLING, RECOVERY   "here I am": TS1 with the lanes I receive on and the number of my round
 *   CONFIG              "I hear you": TS2 repeats that, with your round
 *   L0                  "I know that you hear me": your TS2 had my round
 *
 * A round belongs to one set of lanes: who starts training, or whose lanes change during it, counts
 * his round up. Width and rate are functions of what two rounds told, so ends that know each
 * other's round agree. Who is in L0 first answers every further TS2 of the training, as the other
 * end may wait for one that was lost, with TS2 marked L0, which nobody answers.
 *
 * Both in L0 implies one training. Say A has heard (round b, echo a) and is in L0. B left that
 * round only to a later one, b'; to be in L0 it has to hear echo b' from A, and A, which has not
 * left L0, has never sent that. This needs TS in order and no more, so a round is a small number.
 *
 * An end that went through DETECT has forgotten its flits; the other one may have some from before.
 * It tells so by NEW in its TS until it is in L0. Who is not new and hears NEW in a round that he
 * does not know goes through DETECT too; in the round he knows, both were new then. Who is new
 * takes no TS of an end that is not, but one that has heard his round.
 *
 * L1. Who asks (TS1 with L1) does not know whether the other end has agreed and its TS2 was lost:
 * if there is something to send then, it retrains, which is right in either case. Who agrees is in
 * L1 and answers as often as it is asked.
 *
 * DISABLED. The end that software disabled says so once, and whenever it hears that the other end
 * does not know. An end that was disabled by a TS leaves when it hears another one. It believes a
 * TS that has heard its round only: one that was under way while the sender was enabled again would
 * leave both ends waiting for the other.
 *
 * HOT_RESET. The end that asked says so until it hears that the other end is new, or for the
 * training time; the one that is reset stays for a training period.
 *
 * Invariants: width and rate are 0 but in L0 and L1; fresh in DETECT and POLLING, not in L0, L1 and
 * RECOVERY; off in DISABLED, else in HOT_RESET only.
 */
#include <stddef.h>

#include "deviate.h"
#include "phy.h"

#define NEVER UINT64_MAX

enum off { OFF_SOFTWARE = 1, OFF_PEER = 2 };
enum hot { HOT_SELF = 1, HOT_OTHER = 2 };

/* What moves an end. TIME: the longest stay is over. */
enum move {
    MV_PRESENT, MV_ABSENT, MV_TIME, MV_HEARD, MV_NO_WIDTH, MV_AGREED, MV_RETRAIN, MV_OTHER_NEW,
    MV_SLEEP, MV_WAKE, MV_DISABLE, MV_ENABLE, MV_HOT_RESET, MV_COUNT
};

#define TO(state) (1 + HSL_LTSSM_##state)
static const uint8_t table[8][MV_COUNT] = {
    [HSL_LTSSM_DETECT] = {
        [MV_PRESENT] = TO(POLLING), [MV_TIME] = TO(POLLING), [MV_DISABLE] = TO(DISABLED),
    },
    [HSL_LTSSM_POLLING] = {
        [MV_HEARD] = TO(CONFIG), [MV_TIME] = TO(DETECT), [MV_ABSENT] = TO(DETECT),
        [MV_DISABLE] = TO(DISABLED),
    },
    [HSL_LTSSM_CONFIG] = {
        [MV_AGREED] = TO(L0), [MV_TIME] = TO(DETECT), [MV_ABSENT] = TO(DETECT),
        [MV_NO_WIDTH] = TO(DETECT), [MV_OTHER_NEW] = TO(DETECT), [MV_DISABLE] = TO(DISABLED),
        [MV_HOT_RESET] = TO(HOT_RESET),
    },
    [HSL_LTSSM_L0] = {
        [MV_RETRAIN] = TO(RECOVERY), [MV_SLEEP] = TO(L1), [MV_ABSENT] = TO(DETECT),
        [MV_OTHER_NEW] = TO(DETECT), [MV_DISABLE] = TO(DISABLED), [MV_HOT_RESET] = TO(HOT_RESET),
    },
    [HSL_LTSSM_L1] = {
        [MV_RETRAIN] = TO(RECOVERY), [MV_WAKE] = TO(RECOVERY), [MV_ABSENT] = TO(DETECT),
        [MV_OTHER_NEW] = TO(DETECT), [MV_DISABLE] = TO(DISABLED),
    },
    [HSL_LTSSM_RECOVERY] = {
        [MV_HEARD] = TO(CONFIG), [MV_TIME] = TO(DETECT), [MV_ABSENT] = TO(DETECT),
        [MV_OTHER_NEW] = TO(DETECT), [MV_DISABLE] = TO(DISABLED), [MV_HOT_RESET] = TO(HOT_RESET),
    },
    [HSL_LTSSM_DISABLED] = {
        [MV_ENABLE] = TO(DETECT),
    },
    [HSL_LTSSM_HOT_RESET] = {
        [MV_TIME] = TO(DETECT), [MV_ABSENT] = TO(DETECT), [MV_OTHER_NEW] = TO(DETECT),
    },
};

bool hsl_phy_edge(uint32_t from, uint32_t to)
{
    for (size_t i = 0; from < 8 && i < MV_COUNT; i++) {
        if (table[from][i] == 1 + to) {
            return true;
        }
    }
    return false;
}

const char *hsl_phy_state_name(uint32_t state)
{
    static const char *const names[8] = {
        "DETECT", "POLLING", "CONFIG", "L0", "L1", "RECOVERY", "DISABLED", "HOT_RESET",
    };

    return state < 8 ? names[state] : "?";
}

/* ---- width and rate ---- */

static const uint32_t widths[] = { 16, 8, 4, 1 };

uint32_t hsl_phy_max_width(const struct hsl_phy_cfg *cfg)
{
    const uint32_t *w = widths;

    while (*w > cfg->lanes) {
        w++;
    }
    return *w;
}

static uint32_t common_width(const struct hsl_phy *p)
{
    uint32_t both = p->lanes_told & p->peer_lanes;

    for (size_t i = 0; i < sizeof(widths) / sizeof(widths[0]); i++) {
        uint32_t lanes = (1u << widths[i]) - 1;

        if (p->deviation == HSL_DEV_WIDTH_SKIPPED && widths[i] == 8) {
            continue;
        }
        if ((both & lanes) == lanes || (p->deviation == HSL_DEV_LANE_IGNORED && widths[i] == p->cfg.lanes)) {
            return widths[i];
        }
    }
    return 0;
}

static uint32_t common_rate(const struct hsl_phy *p)
{
    return p->peer_rate_mtps < p->cfg.rate_mtps ? p->peer_rate_mtps : p->cfg.rate_mtps;
}

/* ---- states ---- */

static bool go(struct hsl_phy *p, uint64_t now_ps, enum move mv);

static void owe(struct hsl_phy *p, uint64_t now_ps)
{
    p->owed = 1;
    p->next_ts_ps = now_ps;
}

static void new_round(struct hsl_phy *p, uint64_t now_ps)
{
    p->round++;
    p->lanes_told = p->lanes_ok;
    p->next_ts_ps = now_ps;
}

static void enter(struct hsl_phy *p, uint64_t now_ps, uint32_t state)
{
    p->state = state;
    p->trail[p->changes++ % HSL_PHY_TRAIL] = (uint8_t)state;
    p->entries[state]++;
    p->entered_ps = now_ps;
    p->next_ts_ps = NEVER;
    p->owed = p->l1_asked = 0;
    if (state != HSL_LTSSM_L0 && state != HSL_LTSSM_L1) {
        p->width = p->rate_mtps = 0;
    }
    if (state != HSL_LTSSM_HOT_RESET) {
        p->hot = 0;
    }
    switch (state) {
    case HSL_LTSSM_DETECT:
        p->fresh = 1;
        if (p->off) {
            go(p, now_ps, MV_DISABLE);
        }
        break;
    case HSL_LTSSM_POLLING:
    case HSL_LTSSM_RECOVERY:
        new_round(p, now_ps);
        break;
    case HSL_LTSSM_CONFIG:
        p->next_ts_ps = now_ps;
        break;
    case HSL_LTSSM_L0:
        p->width = common_width(p);
        p->rate_mtps = common_rate(p);
        p->fresh = 0;
        p->busy_ps = now_ps;
        owe(p, now_ps);         /* the other end may not have had a TS2 of this round yet */
        break;
    case HSL_LTSSM_L1:
        break;
    case HSL_LTSSM_DISABLED:
        if (p->off & OFF_SOFTWARE) {
            owe(p, now_ps);
        }
        break;
    case HSL_LTSSM_HOT_RESET:
        if (p->hot & HOT_OTHER) {
            p->next_ts_ps = now_ps;
        }
        break;
    }
}

static bool go(struct hsl_phy *p, uint64_t now_ps, enum move mv)
{
    uint32_t to = table[p->state][mv];

    if (!to) {
        return false;
    }
    if (p->deviation == HSL_DEV_RECOVERY_DETOUR && p->state == HSL_LTSSM_RECOVERY && mv == MV_HEARD) {
        to = 1 + HSL_LTSSM_POLLING;
    }
    if (p->deviation == HSL_DEV_TRAINING_DISABLES && p->state != HSL_LTSSM_DETECT && (mv == MV_TIME || mv == MV_NO_WIDTH)) {
        to = 1 + HSL_LTSSM_DISABLED;
    }
    enter(p, now_ps, to - 1);
    return true;
}

void hsl_phy_init(struct hsl_phy *p, const struct hsl_phy_cfg *cfg)
{
    *p = (struct hsl_phy){
        .cfg = *cfg,
        .lanes_ok = (uint16_t)((1u << cfg->lanes) - 1),
        .fresh = 1,
        .next_ts_ps = NEVER,
    };
}

/* ---- events ---- */

static bool disable(struct hsl_phy *p, uint64_t now_ps, enum off who)
{
    p->off |= (uint8_t)who;
    return go(p, now_ps, MV_DISABLE);
}

static bool hot_reset(struct hsl_phy *p, uint64_t now_ps, enum hot who)
{
    uint8_t before = p->hot;

    p->hot |= (uint8_t)who;
    if (p->state != HSL_LTSSM_HOT_RESET && !go(p, now_ps, MV_HOT_RESET)) {
        p->hot = before;
        return false;
    }
    if (p->hot & ~before & HOT_SELF) {
        p->resets++;
    }
    return true;
}

static bool wake(struct hsl_phy *p, uint64_t now_ps)
{
    p->busy_ps = now_ps;
    return go(p, now_ps, p->l1_asked ? MV_RETRAIN : MV_WAKE);
}

bool hsl_phy_event(struct hsl_phy *p, uint64_t now_ps, enum hsl_phy_event ev)
{
    switch (ev) {
    case HSL_PHY_PRESENT:
        p->present = 1;
        return go(p, now_ps, MV_PRESENT);
    case HSL_PHY_ABSENT:
        p->present = 0;
        return go(p, now_ps, MV_ABSENT);
    case HSL_PHY_RETRAIN:
        return go(p, now_ps, MV_RETRAIN);
    case HSL_PHY_DISABLE:
        return disable(p, now_ps, OFF_SOFTWARE);
    case HSL_PHY_ENABLE:
        p->off = 0;
        return go(p, now_ps, MV_ENABLE);
    case HSL_PHY_HOT_RESET:
        return p->state != HSL_LTSSM_HOT_RESET && hot_reset(p, now_ps, HOT_OTHER);
    case HSL_PHY_WAKE:
        return wake(p, now_ps);
    }
    return false;
}

bool hsl_phy_lane(struct hsl_phy *p, uint64_t now_ps, uint32_t lane, bool works)
{
    uint32_t bit = lane < p->cfg.lanes ? 1u << lane : 0;
    uint32_t lanes = works ? p->lanes_ok | bit : p->lanes_ok & ~bit;

    if (lanes == p->lanes_ok) {
        return false;
    }
    p->lanes_ok = (uint16_t)lanes;
    switch (p->state) {
    case HSL_LTSSM_POLLING:
    case HSL_LTSSM_RECOVERY:
        new_round(p, now_ps);
        return false;
    case HSL_LTSSM_CONFIG:
        new_round(p, now_ps);
        return !common_width(p) && go(p, now_ps, MV_NO_WIDTH);
    case HSL_LTSSM_L0:
    case HSL_LTSSM_L1:
        return !works && lane < p->width && go(p, now_ps, MV_RETRAIN);
    }
    return false;
}

/* ---- what comes in ---- */

static bool is_idle(const struct hsl_phy *p, uint64_t now_ps)
{
    return p->cfg.idle_ps && now_ps - p->busy_ps >= p->cfg.idle_ps;
}

static bool rx_disabled(struct hsl_phy *p, uint64_t now_ps, const struct hsl_ts *ts)
{
    if (ts->flags & HSL_TS_F_DISABLE) {
        return false;
    }
    p->peer_round = ts->round;
    p->off &= (uint8_t)~OFF_PEER;
    if (p->off) {
        owe(p, now_ps);
        return false;
    }
    return go(p, now_ps, MV_ENABLE);
}

static bool rx_hot_reset(struct hsl_phy *p, uint64_t now_ps, const struct hsl_ts *ts)
{
    if (ts->flags & HSL_TS_F_HOT_RESET) {
        hot_reset(p, now_ps, HOT_SELF);
        return false;
    }
    /* a round that was not heard before: NEW of the last training may still be under way */
    return p->hot & HOT_OTHER && ts->type == HSL_TS1 && (ts->flags & HSL_TS_F_NEW) &&
           ts->round != p->peer_round && go(p, now_ps, MV_OTHER_NEW);
}

static bool rx_l1(struct hsl_phy *p, uint64_t now_ps, const struct hsl_ts *ts)
{
    bool changed = false;

    if (ts->type == HSL_TS2) {
        return p->state == HSL_LTSSM_L0 && p->l1_asked && go(p, now_ps, MV_SLEEP);
    }
    if (p->state == HSL_LTSSM_L0 && is_idle(p, now_ps)) {
        changed = go(p, now_ps, MV_SLEEP);
    }
    if (p->state == HSL_LTSSM_L1) {
        owe(p, now_ps);
    }
    return changed;
}

/* POLLING, CONFIG or RECOVERY hears a TS of the other end's training. */
static bool rx_train(struct hsl_phy *p, uint64_t now_ps, const struct hsl_ts *ts)
{
    bool changed;

    p->peer_lanes = ts->lanes;
    p->peer_rate_mtps = ts->rate_mtps;
    p->peer_round = ts->round;
    changed = go(p, now_ps, MV_HEARD);
    if (!common_width(p)) {
        return go(p, now_ps, MV_NO_WIDTH) || changed;
    }
    if (ts->type == HSL_TS2 && ts->echo == p->round && ts->width == common_width(p)) {
        changed = go(p, now_ps, MV_AGREED);
    }
    return changed;
}

bool hsl_phy_rx(struct hsl_phy *p, uint64_t now_ps, const struct hsl_ts *ts)
{
    bool same_training = ts->type == HSL_TS2 && ts->round == p->peer_round;

    if (!p->present || (ts->type != HSL_TS1 && ts->type != HSL_TS2) || !ts->rate_mtps) {
        return false;
    }
    if (p->state == HSL_LTSSM_DISABLED) {
        return rx_disabled(p, now_ps, ts);
    }
    if (p->state == HSL_LTSSM_DETECT) {
        return false;
    }
    if (p->state == HSL_LTSSM_HOT_RESET) {
        return rx_hot_reset(p, now_ps, ts);
    }
    if (ts->flags & HSL_TS_F_DISABLE) {
        return ts->echo == p->round && disable(p, now_ps, OFF_PEER);
    }
    if (ts->flags & HSL_TS_F_HOT_RESET) {
        return p->state == HSL_LTSSM_L1 ? go(p, now_ps, MV_RETRAIN) :
                                          hot_reset(p, now_ps, HOT_SELF);
    }
    if (ts->flags & HSL_TS_F_L1) {
        return rx_l1(p, now_ps, ts);
    }
    if (ts->flags & HSL_TS_F_L0) {
        /* nobody but who waits for just this answer */
        return p->state == HSL_LTSSM_CONFIG && ts->echo == p->round && rx_train(p, now_ps, ts);
    }
    if (p->state == HSL_LTSSM_L0 && same_training) {
        owe(p, now_ps);
        return false;
    }
    if (!p->fresh && (ts->flags & HSL_TS_F_NEW) && ts->round != p->peer_round) {
        return go(p, now_ps, MV_OTHER_NEW);
    }
    if (p->fresh && !(ts->flags & HSL_TS_F_NEW) && ts->echo != p->round) {
        return false;
    }
    if (p->state == HSL_LTSSM_L0 || p->state == HSL_LTSSM_L1) {
        return go(p, now_ps, MV_RETRAIN);
    }
    return rx_train(p, now_ps, ts);
}

/* ---- what goes out ---- */

static struct hsl_ts ts1(const struct hsl_phy *p, uint32_t flags)
{
    return (struct hsl_ts){
        .type = HSL_TS1,
        .flags = (uint8_t)(flags | (p->fresh ? HSL_TS_F_NEW : 0)),
        .lanes = p->lanes_told,
        .rate_mtps = p->cfg.rate_mtps,
        .round = p->round,
        .echo = p->peer_round,
    };
}

static struct hsl_ts ts2(const struct hsl_phy *p, uint32_t flags)
{
    struct hsl_ts ts = ts1(p, flags);

    ts.type = HSL_TS2;
    ts.rate_mtps = common_rate(p);
    ts.width = (uint8_t)common_width(p);
    return ts;
}

static int tx_l0(struct hsl_phy *p, uint64_t now_ps, struct hsl_ts *ts)
{
    uint64_t ask_ps = p->cfg.idle_ps ? p->busy_ps + p->cfg.idle_ps : NEVER;
    bool owed = p->owed;

    if (owed) {
        p->owed = 0;
        *ts = ts2(p, HSL_TS_F_L0);
    } else if (now_ps >= ask_ps) {
        p->l1_asked = 1;
        *ts = ts1(p, HSL_TS_F_L1);
        ask_ps = now_ps + p->cfg.ts_ps;
        owed = true;
    }
    p->next_ts_ps = ask_ps;
    return owed;
}

int hsl_phy_tx(struct hsl_phy *p, uint64_t now_ps, struct hsl_ts *ts)
{
    if (now_ps < p->next_ts_ps) {
        return 0;
    }
    p->next_ts_ps = now_ps + p->cfg.ts_ps;
    switch (p->state) {
    case HSL_LTSSM_POLLING:
    case HSL_LTSSM_RECOVERY:
        *ts = ts1(p, 0);
        return 1;
    case HSL_LTSSM_CONFIG:
        *ts = ts2(p, 0);
        return 1;
    case HSL_LTSSM_HOT_RESET:
        *ts = ts1(p, HSL_TS_F_HOT_RESET);
        return 1;
    case HSL_LTSSM_L0:
        return tx_l0(p, now_ps, ts);
    }
    /* L1 and DISABLED answer, once */
    *ts = p->state == HSL_LTSSM_L1 ? ts2(p, HSL_TS_F_L1) : ts1(p, HSL_TS_F_DISABLE);
    p->owed = 0;
    p->next_ts_ps = NEVER;
    return 1;
}

/* ---- time ---- */

/* When the stay in this state is over. */
static uint64_t stay_ps(const struct hsl_phy *p)
{
    switch (p->state) {
    case HSL_LTSSM_DETECT:
        return p->present ? p->entered_ps + p->cfg.ts_ps : NEVER;
    case HSL_LTSSM_POLLING:
    case HSL_LTSSM_CONFIG:
    case HSL_LTSSM_RECOVERY:
        return p->entered_ps + p->cfg.train_ps;
    case HSL_LTSSM_HOT_RESET:
        return p->entered_ps + (p->hot & HOT_OTHER ? p->cfg.train_ps : p->cfg.ts_ps);
    }
    return NEVER;
}

uint64_t hsl_phy_deadline(const struct hsl_phy *p)
{
    uint64_t stay = stay_ps(p);

    return stay < p->next_ts_ps ? stay : p->next_ts_ps;
}

bool hsl_phy_timer(struct hsl_phy *p, uint64_t now_ps)
{
    return now_ps >= stay_ps(p) && go(p, now_ps, MV_TIME);
}
