// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * The compliance test facility of a chip (docs/hep.md section 10.2, include/hsl/ctf.h): a mailbox
 * before the modelled fabric, which does what testers want (qemu/model/fab_test.c).
 *
 * All of it is under the lock of modelled.c. A command is done in the thread of the write, which
 * drives the fabric until what a tester waits for has happened: the link is down, or trained again.
 * A bound of virtual time ends that, as it may never happen. Values come from a guest that may be
 * hostile: each command checks its arguments, and the fabric checks them again.
 *
 * Direct memory does not cross the modelled fabric, but its commands ask for a route: a link that a
 * tester disables is taken from the routes of the other model too. That needs ctl_lock, outside of
 * ours, so it comes after the command.
 *
 * Who makes errors from outside, at the host (inject.c), gives commands without a mailbox: hsl_facility_give.
 *
 * Test mode ends by KEY, in hsl_chip_forget (CTRL.RESET, FLR, detach) and when the chip is gone.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hsl/ctf.h"
#include "model/pcapng.h"
#include "modelled_priv.h"

#define TRAINED_PS      UINT64_C(1000000000)    /* links have trained by then, or will not */
#define SETTLED_PS      UINT64_C(2000000)       /* all is acknowledged, but for crossings */

#define RECORDS         16384u                  /* of a capture: 4 MiB, if it comes to that */

struct record {
    struct hsl_pcapng_hdr hdr;
    union {
        struct hsl_flit flit;
        struct hsl_ts ts;
        struct hsl_pcapng_state state;
    } u;
};
_Static_assert(sizeof(struct record) == HSL_CTF_RECORD_BYTES, "as docs/capture.md says");

struct capture {
    uint32_t first, len;
    uint64_t lost;
    struct record record[RECORDS];      /* a ring */
};

struct hsl_facility {
    bool open;                          /* test mode */
    uint32_t link, status;
    uint64_t arg[3], result[2];
    uint32_t low_half[3];               /* of arg, until the high half comes */
    uint64_t disabled, frozen;          /* links, bit by bit: by STATE, by FREEZE */
    uint32_t changes[HSL_LINK_MAX];     /* of state, when test mode began */
    uint8_t flit[HSL_FLIT_BYTES];
    struct record record;               /* that NEXT took */
    struct capture *capture;            /* NULL: none */
};

/* A command under way. */
struct call {
    struct hsl_fabric_engine *f;
    struct hsl_modelled *m;
    struct hsl_chip_engine *c;          /* NULL, of commands that are not about chips: node is a switch */
    struct hsl_facility *t;
    uint32_t node, peer;                /* ends of the selected link */
    const uint32_t *peers;              /* of all links */
    bool fatal;                         /* the chip is to report an error, without the lock */
};

static bool chip_is_in(const struct hsl_modelled *m, const struct hsl_chip_engine *c)
{
    return m->chip[c->cfg.node] == c;
}

static uint32_t link_count(const struct hsl_chip_engine *c)
{
    uint32_t n = hsl_model_nlinks(c->f->model, c->cfg.node);

    return n < HSL_LINK_MAX ? n : HSL_LINK_MAX;
}

/* ---- the fabric ---- */

static struct hsl_fab_in to_fabric(const struct call *a, enum hsl_fab_in_type type, uint32_t what)
{
    return (struct hsl_fab_in){
        .type = type,
        .u.test = { .a = a->node, .b = a->peer, .what = what },
    };
}

static uint32_t post(const struct call *a, const struct hsl_fab_in *in)
{
    return hsl_modelled_post(a->m, in) ? HSL_ST_FIELD : HSL_ST_OK;
}

static uint32_t state_of(const struct call *a, bool of_peer)
{
    return hsl_fab_phy(a->m->fab, of_peer ? a->peer : a->node, of_peer ? a->node : a->peer)->state;
}

static void drive_for(const struct call *a, uint64_t ps)
{
    uint64_t end = hsl_fab_now_ps(a->m->fab) + ps;

    while (hsl_modelled_step(a->m, end)) {
    }
}

/* Until both ends are in the state, and what follows from it has happened: routes are as they will be. */
static void drive_to(const struct call *a, uint32_t state)
{
    uint64_t end = hsl_fab_now_ps(a->m->fab) + TRAINED_PS;

    while ((state_of(a, false) != state || state_of(a, true) != state) &&
           hsl_modelled_step(a->m, end)) {
    }
    drive_for(a, SETTLED_PS);
}

static struct hsl_fab_test tested(const struct call *a)
{
    struct hsl_fab_test t = { 0 };

    hsl_fab_test(a->m->fab, a->node, a->peer, &t);
    return t;
}

/* ---- commands; a status each ---- */

static uint32_t wire_seed(const struct call *a)
{
    struct hsl_fab_in in = to_fabric(a, HSL_FAB_SEED, 0);

    in.u.test.value = a->t->arg[1];
    return post(a, &in);
}

static uint32_t cmd_wire(struct call *a)
{
    struct hsl_fab_in in = { .type = HSL_FAB_ERRORS, .u.link = { .a = a->node, .b = a->peer } };
    struct hsl_wire_cfg *e = &in.u.link.errors;
    uint64_t p = a->t->arg[1], n = a->t->arg[2];

    *e = hsl_fab_wire(a->m->fab, a->node, a->peer)->cfg;
    switch (a->t->arg[0]) {
    case HSL_CTF_WIRE_SEED: return wire_seed(a);
    case HSL_CTF_WIRE_BIT: e->bit_error = p; break;
    case HSL_CTF_WIRE_DROP: e->drop = p; break;
    case HSL_CTF_WIRE_DUPLICATE: e->duplicate = p; break;
    case HSL_CTF_WIRE_BURST:
    case HSL_CTF_WIRE_REORDER:
        if (n > UINT32_MAX) {
            return HSL_ST_FIELD;
        }
        if (a->t->arg[0] == HSL_CTF_WIRE_BURST) {
            e->burst = p;
            e->burst_bits = (uint32_t)n;
        } else {
            e->reorder = p;
            e->reorder_places = p ? (uint32_t)n : 0;
        }
        break;
    default:
        return HSL_ST_FIELD;
    }
    return post(a, &in);
}

static uint32_t cmd_arm(struct call *a)
{
    struct hsl_fab_test before = tested(a);
    struct hsl_fab_in in;

    if (a->t->arg[0] > UINT32_MAX) {
        return HSL_ST_FIELD;
    }
    in = to_fabric(a, HSL_FAB_ARM, (uint32_t)a->t->arg[0]);
    in.u.test.pass = (uint32_t)a->t->arg[1];
    in.u.test.hit = (uint32_t)(a->t->arg[1] >> 32);
    in.u.test.value = a->t->arg[2];
    a->t->result[0] = (uint64_t)before.pass + before.hit;
    return post(a, &in);
}

static uint32_t cmd_count(struct call *a)
{
    struct hsl_fab_test t = tested(a);

    a->t->result[0] = t.injected;
    a->t->result[1] = (uint64_t)t.pass + t.hit;
    return HSL_ST_OK;
}

/* Routes that are changing already do so within a retraining. */
static uint32_t leave(struct call *a)
{
    struct hsl_fab_in in = { .type = HSL_FAB_LEAVE, .u.link = { .a = a->node, .b = a->peer } };
    int err = hsl_modelled_post(a->m, &in);

    if (err == -EBUSY) {
        drive_for(a, TRAINED_PS);
        err = hsl_modelled_post(a->m, &in);
    }
    if (err) {
        return err == -EHOSTUNREACH ? HSL_ST_UNREACHABLE : HSL_ST_INTERNAL;
    }
    a->t->disabled |= 1ull << a->t->link;
    drive_to(a, HSL_LTSSM_DISABLED);
    return HSL_ST_OK;
}

static uint32_t cmd_state(struct call *a)
{
    static const uint8_t event[] = {
        [HSL_CTF_STATE_ENABLE] = HSL_PHY_ENABLE, [HSL_CTF_STATE_DISABLE] = HSL_PHY_DISABLE,
        [HSL_CTF_STATE_RETRAIN] = HSL_PHY_RETRAIN, [HSL_CTF_STATE_HOT_RESET] = HSL_PHY_HOT_RESET,
    };
    uint64_t what = a->t->arg[0], bit = 1ull << a->t->link;
    struct hsl_fab_in in;

    if (what == HSL_CTF_STATE_LEAVE) {
        return leave(a);
    }
    if (what >= sizeof(event)) {
        return HSL_ST_FIELD;
    }
    in = to_fabric(a, HSL_FAB_CHANGE, event[what]);
    post(a, &in);
    if (what == HSL_CTF_STATE_DISABLE) {
        a->t->disabled |= bit;
        drive_to(a, HSL_LTSSM_DISABLED);
        return HSL_ST_OK;
    }
    if (what == HSL_CTF_STATE_ENABLE) {
        a->t->disabled &= ~bit;
    }
    if (what != HSL_CTF_STATE_HOT_RESET || state_of(a, false) == HSL_LTSSM_HOT_RESET) {
        drive_to(a, HSL_LTSSM_L0);
    }
    return HSL_ST_OK;
}

static uint32_t cmd_lane(struct call *a)
{
    struct hsl_fab_in in = { .type = HSL_FAB_LANE, .u.link = { .a = a->node, .b = a->peer } };
    uint32_t status;

    if (a->t->arg[0] > UINT32_MAX || a->t->arg[1] > 1) {
        return HSL_ST_FIELD;
    }
    in.u.link.lane = (uint32_t)a->t->arg[0];
    in.u.link.up = a->t->arg[1];
    status = post(a, &in);
    if (!status) {
        drive_to(a, HSL_LTSSM_L0);
    }
    return status;
}

static void count_frozen(struct call *a, uint32_t link, bool frozen)
{
    uint64_t bit = 1ull << link, was = a->t->frozen & bit;

    if (frozen && !was) {
        a->t->frozen |= bit;
        a->m->frozen++;
    } else if (!frozen && was) {
        a->t->frozen &= ~bit;
        a->m->frozen--;
    }
}

static uint32_t cmd_freeze(struct call *a)
{
    struct hsl_fab_in in;

    if (a->t->arg[0] >> HSL_VC_COUNT && !hsl_deviates(a->c, HSL_DEV_ARGUMENT_ANY)) {
        return HSL_ST_FIELD;
    }
    in = to_fabric(a, HSL_FAB_FREEZE, (uint32_t)a->t->arg[0]);
    post(a, &in);
    count_frozen(a, a->t->link, a->t->arg[0]);
    return HSL_ST_OK;
}

static uint32_t cmd_credits(struct call *a)
{
    const struct hsl_link *l = hsl_fab_link(a->m->fab, a->node, a->peer);

    if (a->t->arg[0] >= HSL_VC_COUNT) {
        return HSL_ST_FIELD;
    }
    a->t->result[0] = hsl_link_credits(l, (uint32_t)a->t->arg[0]);
    a->t->result[1] = hsl_link_held(l, (uint32_t)a->t->arg[0]);
    return HSL_ST_OK;
}

static uint32_t cmd_preset(struct call *a)
{
    struct hsl_fab_in in;

    if (a->t->arg[0] > UINT32_MAX) {
        return HSL_ST_FIELD;
    }
    in = to_fabric(a, HSL_FAB_PRESET, (uint32_t)a->t->arg[0]);
    in.u.test.value = a->t->arg[1];
    return post(a, &in);
}

/* 'I' for what has no state. */
static uint64_t cache_state(const struct call *a, uint16_t agent, uint64_t ga)
{
    bool busy;

    return (uint8_t)hsl_agent_line(hsl_fab_agent(a->m->fab, agent), ga, &busy, NULL);
}

static uint32_t cmd_line(struct call *a)
{
    uint64_t ga = a->t->arg[0] & ~(uint64_t)(HSL_LINE_BYTES - 1), agents[2] = { 0 };
    uint64_t off = HSL_GA_OFFSET(ga);
    uint32_t home = HSL_GA_NODE(ga);
    bool busy;

    if (!home || home > a->m->nodes || ga >> (HSL_GA_OFFSET_BITS + HSL_GA_NODE_BITS) ||
        (home == a->node && off >= a->c->cfg.mem_bytes)) {
        return HSL_ST_FIELD;
    }
    a->t->result[0] = cache_state(a, (uint16_t)a->node, ga) |
                      cache_state(a, (uint16_t)(a->node | HSL_AGENT_HOST_PORT), ga) << 8;
    if (home == a->node) {
        char state = hsl_home_line(hsl_fab_home(a->m->fab, home), off, &busy, agents, 2);

        a->t->result[0] |= (uint64_t)(uint8_t)state << 16;
        a->t->result[0] |= (uint64_t)hsl_modelled_poisoned(a->m, home, off) << 24;
        a->t->result[1] = agents[0];
    }
    return HSL_ST_OK;
}

static uint32_t cmd_poison(struct call *a)
{
    uint64_t ga = a->t->arg[0], off = HSL_GA_OFFSET(ga);

    if (ga != HSL_GA(a->node, off) || off >= a->c->cfg.mem_bytes || a->t->arg[1] > 1) {
        return HSL_ST_FIELD;
    }
    hsl_modelled_poison(a->m, a->node, off, a->t->arg[1]);
    if (hsl_modelled_poisoned(a->m, a->node, off) != (bool)a->t->arg[1]) {
        return HSL_ST_INTERNAL;
    }
    return HSL_ST_OK;
}

static uint32_t cmd_fatal(struct call *a)
{
    struct hsl_fab_in in = { .type = HSL_FAB_VIRAL, .u.node = { a->node, false } };

    if (post(a, &in)) {
        return HSL_ST_INTERNAL;
    }
    atomic_fetch_or(&a->c->status, HSL_STATUS_FATAL);
    a->fatal = true;
    drive_for(a, TRAINED_PS);           /* what was under way goes nowhere */
    return HSL_ST_OK;
}

static uint32_t cmd_loopback(struct call *a)
{
    struct hsl_fab_in in;
    uint32_t status;

    if (a->t->arg[0] > HSL_FAB_LOOPBACK_FAR) {
        return HSL_ST_FIELD;
    }
    in = to_fabric(a, HSL_FAB_LOOPBACK, (uint32_t)a->t->arg[0]);
    status = post(a, &in);
    if (!a->t->arg[0]) {
        drive_to(a, HSL_LTSSM_L0);
    }
    return status;
}

/* Until it has arrived, and been answered if it is. */
static uint32_t cmd_send(struct call *a)
{
    const struct hsl_profile *profile = &a->f->cfg.model.profile;
    struct hsl_fab_in in = to_fabric(a, HSL_FAB_SEND, 0);
    uint64_t end = hsl_fab_now_ps(a->m->fab) + TRAINED_PS;
    struct hsl_flit flit;

    if (state_of(a, false) != HSL_LTSSM_L0) {
        return HSL_ST_UNREACHABLE;
    }
    memcpy(&flit, a->t->flit, sizeof(flit));
    in.u.test.flit = &flit;
    post(a, &in);
    while (tested(a).waits && hsl_modelled_step(a->m, end)) {
    }
    drive_for(a, 4 * (hsl_time_crossing_ps(profile) + profile->lanes * hsl_time_flit_ps(profile)));
    return HSL_ST_OK;
}

static uint32_t cmd_log(struct call *a)
{
    uint32_t last = hsl_fab_changes(a->m->fab, a->node, a->peer), first = a->t->changes[a->t->link];
    struct hsl_fab_change change;

    if (last - first > HSL_FAB_LOG) {
        first = last - HSL_FAB_LOG;
    }
    first += hsl_deviates(a->c, HSL_DEV_LOG_SHORT) && first != last;
    if (a->t->arg[0] >= last - first ||
        hsl_fab_change(a->m->fab, a->node, a->peer, first + (uint32_t)a->t->arg[0], &change)) {
        return HSL_ST_RANGE;
    }
    a->t->result[0] = change.time_ps;
    a->t->result[1] = change.from | (uint64_t)change.to << 8;
    return HSL_ST_OK;
}

/* ---- captures ---- */

void hsl_facility_record(struct hsl_chip_engine *c, const struct hsl_fab_record *r)
{
    struct capture *k = c->ctf ? c->ctf->capture : NULL;
    struct record *to;

    if (!k || (r->kind == HSL_FAB_FLIT && hsl_deviates_one_in(c, HSL_DEV_CAPTURE_SKIPS, 8))) {
        return;
    }
    if (k->len == RECORDS) {
        k->lost += !hsl_deviates(c, HSL_DEV_CAPTURE_UNCOUNTED);
        return;
    }
    to = &k->record[(k->first + k->len++) % RECORDS];
    memset(to, 0, sizeof(*to));
    to->hdr = (struct hsl_pcapng_hdr){
        .version = HSL_PCAPNG_VERSION,
        .flags = r->rx ? HSL_PCAPNG_F_RX : 0,
        .link = (uint8_t)r->link,
        .src = (uint16_t)(r->rx ? r->b : r->a),
        .dst = (uint16_t)(r->rx ? r->a : r->b),
        .time_ps = r->time_ps,
    };
    switch (r->kind) {
    case HSL_FAB_FLIT:
        to->hdr.kind = HSL_PCAPNG_FLIT;
        to->u.flit = r->u.flit;
        break;
    case HSL_FAB_TS:
        to->hdr.kind = HSL_PCAPNG_TS;
        to->u.ts = r->u.ts;
        break;
    case HSL_FAB_STATE:
        to->hdr.kind = HSL_PCAPNG_STATE;
        to->u.state.state = r->u.state.state;
        to->u.state.width = r->u.state.width;
        to->u.state.rate_mtps = r->u.state.rate_mtps;
        break;
    }
}

static void tap(const struct call *a, uint32_t peer, uint64_t what)
{
    struct hsl_fab_in in = { .type = HSL_FAB_TAP };

    in.u.tap.a = a->node;
    in.u.tap.b = peer;
    in.u.tap.tap = TAP_CTF;
    in.u.tap.what = (uint8_t)((what & HSL_CTF_CAPTURE_TX ? HSL_FAB_TAP_TX : 0) |
                              (what & HSL_CTF_CAPTURE_RX ? HSL_FAB_TAP_RX : 0));
    hsl_modelled_post(a->m, &in);
}

static void capture_stop(struct call *a)
{
    for (uint32_t i = 0; i < link_count(a->c); i++) {
        tap(a, a->peers[i], 0);
    }
}

static void capture_end(struct call *a)
{
    capture_stop(a);
    free(a->t->capture);
    a->t->capture = NULL;
}

static uint32_t cmd_capture(struct call *a)
{
    uint64_t what = a->t->arg[0], all = what & HSL_CTF_CAPTURE_ALL_LINKS;

    if (what & ~7ull || what == HSL_CTF_CAPTURE_ALL_LINKS) {
        return HSL_ST_FIELD;
    }
    if (what && !all && !a->peer) {
        return HSL_ST_UNREACHABLE;
    }
    if (!what) {
        capture_stop(a);        /* what was captured waits for NEXT */
        return HSL_ST_OK;
    }
    capture_end(a);
    a->t->capture = calloc(1, sizeof(*a->t->capture));
    if (!a->t->capture) {
        return HSL_ST_INTERNAL;
    }
    for (uint32_t i = 0; i < link_count(a->c); i++) {
        if (all || i == a->t->link) {
            tap(a, a->peers[i], what);
        }
    }
    a->t->result[0] = RECORDS;
    return HSL_ST_OK;
}

static uint32_t cmd_next(struct call *a)
{
    struct capture *k = a->t->capture;

    memset(&a->t->record, 0, sizeof(a->t->record));
    if (!k) {
        return HSL_ST_OK;
    }
    if (k->len) {
        a->t->record = k->record[k->first];
        k->first = (k->first + 1) % RECORDS;
        k->len--;
        a->t->result[0] = 1;
    }
    a->t->result[1] = k->lost;
    return HSL_ST_OK;
}

/* ---- the mailbox ---- */

static const struct {
    uint32_t (*run)(struct call *a);
    bool no_link;                       /* it is not about the selected one, or may be not */
} commands[] = {
    [HSL_CTF_CMD_WIRE] = { cmd_wire, false },         [HSL_CTF_CMD_ARM] = { cmd_arm, false },
    [HSL_CTF_CMD_COUNT] = { cmd_count, false },       [HSL_CTF_CMD_STATE] = { cmd_state, false },
    [HSL_CTF_CMD_LANE] = { cmd_lane, false },         [HSL_CTF_CMD_FREEZE] = { cmd_freeze, false },
    [HSL_CTF_CMD_CREDITS] = { cmd_credits, false },   [HSL_CTF_CMD_PRESET] = { cmd_preset, false },
    [HSL_CTF_CMD_LINE] = { cmd_line, true },          [HSL_CTF_CMD_POISON] = { cmd_poison, true },
    [HSL_CTF_CMD_LOOPBACK] = { cmd_loopback, false }, [HSL_CTF_CMD_SEND] = { cmd_send, false },
    [HSL_CTF_CMD_CAPTURE] = { cmd_capture, true },    [HSL_CTF_CMD_NEXT] = { cmd_next, true },
    [HSL_CTF_CMD_LOG] = { cmd_log, false },           [HSL_CTF_CMD_FATAL] = { cmd_fatal, true },
};
#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static uint32_t capabilities(void)
{
    uint32_t cap = 0;

    for (uint32_t i = 0; i < COMMANDS; i++) {
        cap |= commands[i].run ? 1u << i : 0;
    }
    return cap;
}

static uint32_t peer_of(struct hsl_chip_engine *c, uint32_t link)
{
    struct hsl_model_link l = { 0 };

    hsl_fabric_engine_link(c->f, c->cfg.node, link, &l);
    return l.peer;
}

/*
 * Time stands still between accesses, but not for who looks: what has been under way since the last
 * one, acknowledgements and credit too, arrives before the command. A link that leaves is asked at
 * once, as it is to lose nothing of what is under way.
 */
static void command(struct call *a, uint32_t cmd)
{
    struct hsl_facility *t = a->t;

    if (cmd != HSL_CTF_CMD_STATE || t->arg[0] != HSL_CTF_STATE_LEAVE) {
        drive_for(a, SETTLED_PS + 10 * hsl_time_crossing_ps(&a->f->cfg.model.profile));
    }
    t->result[0] = t->result[1] = 0;
    if (cmd >= COMMANDS || !commands[cmd].run) {
        t->status = HSL_ST_OPCODE;
    } else if (!commands[cmd].no_link && !a->peer) {
        t->status = HSL_ST_UNREACHABLE;
    } else {
        t->status = commands[cmd].run(a);
    }
}

uint32_t hsl_facility_give(struct hsl_fabric_engine *f, struct hsl_chip_engine *c, uint32_t a, uint32_t b, uint32_t cmd,
                           const uint64_t arg[3], bool *fatal)
{
    struct hsl_facility t = { .open = true };
    struct call call = { f, f->modelled, c, &t, a, b, NULL, false };

    memcpy(t.arg, arg, sizeof(t.arg));
    command(&call, cmd);
    *fatal |= call.fatal;
    return t.status;
}

static void begin(struct call *a)
{
    memset(a->t, 0, sizeof(*a->t));
    a->t->open = true;
    for (uint32_t i = 0; i < link_count(a->c); i++) {
        a->t->changes[i] = hsl_fab_changes(a->m->fab, a->node, a->peers[i]);
    }
}

/* All that was done is undone, and links have trained again. */
static void end(struct call *a)
{
    uint32_t links = link_count(a->c);

    capture_end(a);
    for (uint32_t i = 0; i < links; i++) {
        struct hsl_fab_in in;

        a->peer = a->peers[i];
        in = to_fabric(a, HSL_FAB_CALM, 0);
        if (!hsl_deviates(a->c, HSL_DEV_NOT_CALM)) {
            post(a, &in);
        }
        if (a->t->disabled >> i & 1) {
            in = to_fabric(a, HSL_FAB_CHANGE, HSL_PHY_ENABLE);
            post(a, &in);
        }
        count_frozen(a, i, false);
    }
    for (uint32_t i = 0; i < links; i++) {
        a->peer = a->peers[i];
        drive_to(a, HSL_LTSSM_L0);
    }
    memset(a->t, 0, sizeof(*a->t));
}

/* ---- links of direct memory; ctl_lock held ---- */

static void sync_link(struct hsl_fabric_engine *f, uint32_t a, uint32_t b)
{
    struct hsl_event ev = { .type = HSL_EV_LINK, .u.link = { .a = a, .b = b } };

    ev.u.link.up = hsl_fab_phy(hsl_modelled_enter(f), a, b)->state != HSL_LTSSM_DISABLED;
    hsl_modelled_leave(f);
    pthread_mutex_lock(&f->model_lock);
    hsl_model_post(f->model, &ev);
    pthread_mutex_unlock(&f->model_lock);
}

/* They were given over routes that may be gone. */
static void end_grants(struct hsl_fabric_engine *f)
{
    for (uint32_t n = 1; n <= f->cfg.model.nodes; n++) {
        struct hsl_chip_engine *other = hsl_chip_at(f, n);

        if (other) {
            atomic_fetch_add(&other->home_gen, 1);
        }
    }
}

static void sync_links(struct hsl_chip_engine *c, const uint32_t *peers)
{
    struct hsl_fabric_engine *f = c->f;

    for (uint32_t i = 0; i < link_count(c); i++) {
        if (peers[i]) {
            sync_link(f, c->cfg.node, peers[i]);
        }
    }
    end_grants(f);
}

void hsl_facility_sync(struct hsl_fabric_engine *f, uint32_t a, uint32_t b)
{
    sync_link(f, a, b);
    end_grants(f);
}
/* ---- life ---- */

struct hsl_facility *hsl_facility_new(void)
{
    return calloc(1, sizeof(struct hsl_facility));
}

/* Test mode has ended. */
void hsl_facility_free(struct hsl_facility *t)
{
    free(t);
}

/* ---- registers ---- */

bool hsl_facility_at(const struct hsl_chip_engine *c, uint64_t off)
{
    return c->ctf && off >= HSL_CTF_OFFSET_DEFAULT && off < HSL_CTF_OFFSET_DEFAULT + HSL_CTF_BYTES;
}

static uint64_t word(const struct hsl_facility *t, uint64_t o)
{
    uint64_t v = 0;

    switch (o) {
    case HSL_CTF_ID: return HSL_CTF_ID_VALUE | (uint64_t)capabilities() << 32;
    case HSL_CTF_KEY: return t->open | (uint64_t)t->link << 32;
    case HSL_CTF_CMD: return (uint64_t)t->status << 32;
    case HSL_CTF_ARG0: return t->arg[0];
    case HSL_CTF_ARG1: return t->arg[1];
    case HSL_CTF_ARG2: return t->arg[2];
    case HSL_CTF_RESULT0: return t->result[0];
    case HSL_CTF_RESULT1: return t->result[1];
    }
    if (o >= HSL_CTF_RECORD && o < HSL_CTF_RECORD + sizeof(t->record)) {
        memcpy(&v, (const uint8_t *)&t->record + (o - HSL_CTF_RECORD), sizeof(v));
    } else if (o >= HSL_CTF_FLIT && o < HSL_CTF_FLIT + sizeof(t->flit)) {
        memcpy(&v, &t->flit[o - HSL_CTF_FLIT], sizeof(v));
    }
    return v;
}

/* Outside test mode all of t is zero. */
uint64_t hsl_facility_word(struct hsl_chip_engine *c, uint64_t off)
{
    uint64_t v;

    hsl_modelled_enter(c->f);
    v = word(c->ctf, off - HSL_CTF_OFFSET_DEFAULT);
    hsl_modelled_leave(c->f);
    return v;
}

static void write_arg(struct hsl_facility *t, uint64_t o, uint64_t val, unsigned int size)
{
    uint32_t i = (uint32_t)(o - HSL_CTF_ARG0) / 8;

    if (o % 8) {
        t->arg[i] = val << 32 | t->low_half[i];
    } else {
        t->low_half[i] = (uint32_t)val;
        if (size == 8) {
            t->arg[i] = val;
        }
    }
}

/* What is no command. */
static void write_plain(struct hsl_facility *t, uint64_t o, uint64_t val, unsigned int size)
{
    if (o >= HSL_CTF_FLIT && o < HSL_CTF_FLIT + sizeof(t->flit)) {
        memcpy(&t->flit[o - HSL_CTF_FLIT], &val, size);
    } else if (o >= HSL_CTF_ARG0 && o < HSL_CTF_RESULT0) {
        write_arg(t, o, val, size);
    } else if (o == HSL_CTF_LINK) {
        t->link = (uint32_t)val;
    }
}

/* True: links may have changed. */
static bool write_key(struct call *a, bool unlock)
{
    bool was = a->t->open;

    if (unlock && !was && chip_is_in(a->m, a->c)) {
        begin(a);
    } else if (!unlock && was) {
        end(a);
        return true;
    }
    return false;
}

static void all_peers(struct hsl_chip_engine *c, uint32_t peers[HSL_LINK_MAX])
{
    for (uint32_t i = 0; i < link_count(c); i++) {
        peers[i] = peer_of(c, i);
    }
}

static void write_register(struct hsl_chip_engine *c, uint64_t o, uint64_t val, unsigned int size)
{
    uint32_t peers[HSL_LINK_MAX] = { 0 };
    struct call a = { c->f, c->f->modelled, c, c->ctf, c->cfg.node, 0, peers, false };
    bool changed = false;

    all_peers(c, peers);
    hsl_modelled_enter(c->f);
    if (o == HSL_CTF_KEY) {
        changed = write_key(&a, (uint32_t)val == HSL_CTF_UNLOCK);
    } else if (!chip_is_in(a.m, c)) {
        /* on its way out: test mode has ended, or is about to */
    } else if (a.t->open && o == HSL_CTF_CMD) {
        a.peer = a.t->link < HSL_LINK_MAX ? peers[a.t->link] : 0;
        command(&a, (uint32_t)val);
        changed = a.m->changed || (uint32_t)val == HSL_CTF_CMD_STATE;
    } else if (a.t->open || hsl_deviates(c, HSL_DEV_PAGE_OPEN)) {
        write_plain(a.t, o, val, size);
    }
    hsl_modelled_leave(c->f);
    if (a.fatal) {
        hsl_chip_event(c, HSL_EVENT_FATAL);
    }
    if (changed) {
        pthread_mutex_lock(&c->f->ctl_lock);
        sync_links(c, peers);
        pthread_mutex_unlock(&c->f->ctl_lock);
    }
}

void hsl_facility_write(struct hsl_chip_engine *c, uint64_t off, uint64_t val, unsigned int size)
{
    uint64_t o = off - HSL_CTF_OFFSET_DEFAULT;

    if (size == 8 && o < HSL_CTF_ARG0) {        /* 32-bit registers */
        write_register(c, o, (uint32_t)val, 4);
        write_register(c, o + 4, val >> 32, 4);
    } else {
        write_register(c, o, val, size);
    }
}

void hsl_facility_end(struct hsl_chip_engine *c)
{
    uint32_t peers[HSL_LINK_MAX] = { 0 };
    struct call a = { c->f, c->f->modelled, c, c->ctf, c->cfg.node, 0, peers, false };
    bool changed;

    if (!c->ctf) {
        return;
    }
    all_peers(c, peers);
    hsl_modelled_enter(c->f);
    changed = write_key(&a, false);
    hsl_modelled_leave(c->f);
    if (changed) {
        sync_links(c, peers);
    }
}
