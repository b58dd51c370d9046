/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What testers do to ends of links in the modelled fabric (docs/hep.md section 10.2): armed errors,
 * frozen credit, presets, loopback, raw flits; and the log of states, which is always kept.
 *
 * An end that nobody tests pays a comparison for each flit and packet that leaves it. Errors come
 * after those of the wire and in the same way: the link layer mends them.
 *
 * A raw flit may be anything, also one that the other end takes for the next of its peer. Then, or
 * if it acknowledges or credits what is not so, both ends cannot go on: the link goes through
 * DETECT, which loses and answers what it carried, before a packet of the flit gets out. So nothing
 * of a raw flit ever reaches an agent or a home.
 *
 * A link of which an end loops is down for packets. Flits and training sets of its ends may do
 * anything there; both link layers are reset when it is up again.
 */
#include <errno.h>
#include <string.h>

#include "fab_priv.h"

void hsl_fab_deviate(struct hsl_fab *f, uint32_t node, uint32_t deviation)
{
    uint32_t ix = node - 1;

    hsl_agent_deviate(fab_agent(f, ix), deviation);
    hsl_agent_deviate(fab_agent(f, ix + f->cfg.nodes), deviation);
    hsl_home_deviate(fab_home(f, ix), deviation);
    fab_dst(f, ix)->deviation = deviation;
    for (uint32_t p = fab_first_port(f, ix); p < fab_first_port(f, ix + 1); p++) {
        hsl_link_deviate(fab_link(f, p), deviation);
        fab_port(f, p)->phy.deviation = (uint16_t)deviation;
    }
}

#define FLIT_BITS       (8u * HSL_FLIT_BYTES)

/* ---- hooks ---- */

void fab_test_log(struct hsl_fab *f, struct fab_port *port)
{
    struct fab_test *t = &port->test;

    while (t->changes != port->phy.changes) {
        uint8_t to = port->phy.trail[t->changes % HSL_PHY_TRAIL];

        t->log[t->changes++ % HSL_FAB_LOG] = (struct hsl_fab_change){ f->now_ps, t->state, to };
        t->state = to;
    }
}

/* Is this one to be hit? */
static bool strikes(struct fab_test *t)
{
    if (t->pass) {
        t->pass--;
        return false;
    }
    t->injected++;
    if (!--t->hit) {
        t->arm = 0;
    }
    return true;
}

uint32_t fab_test_flit(struct fab_port *port, const struct hsl_flit *f, struct hsl_wire_out out[2],
                       uint32_t n, uint64_t *delay_ps)
{
    struct fab_test *t = &port->test;
    uint32_t arm = t->arm;

    if (arm >= HSL_FAB_ARM_POISON || f->hdr >> HSL_FLIT_SEQ_BITS != HSL_FLIT_DATA || !n ||
        !strikes(t)) {
        return n;
    }
    switch (arm) {
    case HSL_FAB_ARM_DROP:
        return 0;
    case HSL_FAB_ARM_DUPLICATE:
        out[1] = out[0];
        return 2;
    case HSL_FAB_ARM_DELAY:
        *delay_ps = t->value;
        return n;
    }
    for (uint32_t i = 0; i < n; i++) {
        if (arm == HSL_FAB_ARM_CRC) {
            ((uint8_t *)&out[i].flit)[t->value / 8] ^= (uint8_t)(1u << t->value % 8);
        } else {
            out[i].late = (uint32_t)t->value;
        }
    }
    return n;
}

void fab_test_packet(struct fab_port *port, struct hsl_pkt *p)
{
    struct fab_test *t = &port->test;

    if (t->arm == HSL_FAB_ARM_POISON && hsl_pkt_vc(p->u.h.opcode) == HSL_VC_DAT && strikes(t)) {
        p->u.h.flags |= HSL_PKT_F_POISON;
    }
}

void fab_test_gone(struct fab_port *port)
{
    port->test.injected = 0;
    port->wire.stats = (struct hsl_wire_stats){ 0 };
}

/* Through DETECT, unless it is on its way there or held down. */
static void bounce(struct hsl_fab *f, uint32_t p)
{
    uint32_t state = fab_port(f, p)->phy.state;

    if (state != HSL_LTSSM_DISABLED && state != HSL_LTSSM_HOT_RESET && state != HSL_LTSSM_DETECT) {
        fab_port_event(f, p, HSL_PHY_DISABLE);
        fab_port_event(f, p, HSL_PHY_ENABLE);
    }
}

static void bounce_both(struct hsl_fab *f, uint32_t p)
{
    bounce(f, p);
    bounce(f, fab_port(f, p)->peer);
}

/* What somebody else has made of it is not known. */
static bool in_order(struct hsl_fab *f, uint32_t p)
{
    return !fab_leaves_here(f, p) &&
           !hsl_link_audit(fab_link(f, p), fab_link(f, fab_port(f, p)->peer));
}

bool fab_test_raw(struct hsl_fab *f, uint32_t p, const struct hsl_flit *flit)
{
    struct hsl_link *l = fab_link(f, p);
    uint32_t expected = hsl_link_expected(l);

    hsl_link_rx(l, f->now_ps, flit);
    if (hsl_link_expected(l) == expected && in_order(f, p)) {
        return true;
    }
    bounce_both(f, p);
    return false;
}

/* ---- posts ---- */

static void disarm(struct fab_port *port)
{
    port->test.arm = 0;
    port->test.pass = port->test.hit = 0;
    port->swallow_pass = port->swallow_hit = 0;
}

static int arm(struct hsl_fab *f, struct fab_port *port, const struct hsl_fab_in *in)
{
    struct fab_test *t = &port->test;
    uint64_t value = in->u.test.value, least = 0, most = 0;

    switch (in->u.test.what) {
    case HSL_FAB_ARM_CRC:
        most = FLIT_BITS - 1;
        break;
    case HSL_FAB_ARM_REORDER:
        least = 1;
        most = f->cfg.link.reorder;
        break;
    case HSL_FAB_ARM_DELAY:
        most = f->cfg.link.replay_ps - 1;
        break;
    case HSL_FAB_ARM_DROP:
    case HSL_FAB_ARM_DUPLICATE:
    case HSL_FAB_ARM_POISON:
    case HSL_FAB_ARM_SWALLOW:
        most = UINT64_MAX;      /* it means nothing */
        break;
    }
    if (value < least || value > most || !in->u.test.what ||
        in->u.test.what > HSL_FAB_ARM_SWALLOW) {
        return -EINVAL;
    }
    disarm(port);
    if (!in->u.test.hit) {
        return 0;
    }
    if (in->u.test.what == HSL_FAB_ARM_SWALLOW) {
        port->swallow_pass = in->u.test.pass;
        port->swallow_hit = in->u.test.hit;
        return 0;
    }
    t->arm = (uint8_t)in->u.test.what;
    t->pass = in->u.test.pass;
    t->hit = in->u.test.hit;
    t->value = value;
    return 0;
}

static int state(struct hsl_fab *f, uint32_t p, uint32_t ev)
{
    switch (ev) {
    case HSL_PHY_DISABLE:
    case HSL_PHY_ENABLE:
        fab_port(f, p)->leaving = fab_port(f, fab_port(f, p)->peer)->leaving = FAB_REMAINS;
        /* fallthrough */
    case HSL_PHY_RETRAIN:
    case HSL_PHY_HOT_RESET:
        fab_port_event(f, p, (enum hsl_phy_event)ev);
        return 0;
    default:
        return -EINVAL;
    }
}

static int preset(struct hsl_fab *f, uint32_t p, uint32_t what, uint64_t value)
{
    struct hsl_link *l = fab_link(f, p);
    struct fab_test *t = &fab_port(f, p)->test;

    switch (what) {
    case HSL_FAB_PRESET_SEQ:
        if (value >> f->cfg.link.seq_bits) {
            return -EINVAL;
        }
        hsl_link_first(l, (uint32_t)value);
        return 0;
    case HSL_FAB_PRESET_ACK_PS:
    case HSL_FAB_PRESET_REPLAY_PS:
        if (value > HSL_FAB_PRESET_MAX_PS) {
            return -EINVAL;
        }
        if (what == HSL_FAB_PRESET_ACK_PS) {
            t->ack_ps = value;
        } else {
            t->replay_ps = value;
        }
        hsl_link_times(l, t->ack_ps ? t->ack_ps : f->cfg.link.ack_ps,
                       t->replay_ps ? t->replay_ps : f->cfg.link.replay_ps);
        fab_port_look(f, p);
        return 0;
    default:
        return -EINVAL;
    }
}

static int loopback(struct hsl_fab *f, uint32_t p, uint32_t what)
{
    struct fab_port *port = fab_port(f, p);

    if (what > HSL_FAB_LOOPBACK_FAR) {
        return -EINVAL;
    }
    if (what == port->test.loopback) {
        return 0;
    }
    port->test.loopback = (uint8_t)what;
    if (what) {
        fab_port_down(f, p);
    } else {
        bounce_both(f, p);
    }
    return 0;
}

static void freeze(struct hsl_fab *f, uint32_t p, uint32_t vcs)
{
    hsl_link_freeze(fab_link(f, p), vcs);
    fab_port_look(f, p);
}

static void lanes_work(struct hsl_fab *f, uint32_t p)
{
    struct fab_port *port = fab_port(f, p);

    for (uint32_t lane = 0; lane < f->cfg.phy.lanes; lane++) {
        fab_port_lane(f, p, lane, true);
    }
    if (port->phy.width && port->phy.width < f->cfg.phy.lanes) {
        fab_port_event(f, p, HSL_PHY_RETRAIN);
    }
}

static void calm(struct hsl_fab *f, uint32_t p)
{
    struct fab_port *port = fab_port(f, p);
    struct fab_test *t = &port->test;

    hsl_wire_set(&port->wire, &f->cfg.errors);
    disarm(port);
    t->raw_waits = false;
    t->ack_ps = t->replay_ps = 0;
    hsl_link_times(fab_link(f, p), f->cfg.link.ack_ps, f->cfg.link.replay_ps);
    /* one end alone cannot begin elsewhere */
    hsl_link_first(fab_link(f, p), 0);
    hsl_link_first(fab_link(f, port->peer), 0);
    freeze(f, p, 0);
    loopback(f, p, HSL_FAB_LOOPBACK_OFF);
    lanes_work(f, p);
    if (!in_order(f, p)) {
        bounce_both(f, p);
    }
}

int fab_test_post(struct hsl_fab *f, const struct hsl_fab_in *in)
{
    uint32_t p = fab_port_between(f, in->u.test.a, in->u.test.b), what = in->u.test.what;
    struct fab_port *port;

    /* of somebody else's end only what is sent can be hurt, here where it arrives */
    if (p == HSL_NONE || (fab_port(f, p)->remote && in->type != HSL_FAB_SEED &&
                          (in->type != HSL_FAB_ARM || what >= HSL_FAB_ARM_POISON))) {
        return -EINVAL;
    }
    port = fab_port(f, p);
    switch (in->type) {
    case HSL_FAB_SEED:
        hsl_wire_seed(&port->wire, in->u.test.value);
        return 0;
    case HSL_FAB_ARM:
        return arm(f, port, in);
    case HSL_FAB_CHANGE:
        return state(f, p, what);
    case HSL_FAB_FREEZE:
        if (what >> HSL_VC_COUNT) {
            return -EINVAL;
        }
        freeze(f, p, what);
        return 0;
    case HSL_FAB_PRESET:
        return preset(f, p, what, in->u.test.value);
    case HSL_FAB_LOOPBACK:
        return loopback(f, p, what);
    case HSL_FAB_SEND:
        port->test.raw = *in->u.test.flit;
        port->test.raw_waits = true;
        fab_port_look(f, p);
        return 0;
    case HSL_FAB_CALM:
        calm(f, p);
        return 0;
    default:
        return -EINVAL;
    }
}

/* ---- looking at it ---- */

static const struct fab_port *port_at(const struct hsl_fab *f, uint32_t a, uint32_t b)
{
    uint32_t p = fab_port_between(f, a, b);

    return p == HSL_NONE ? NULL : fab_port_const(f, p);
}

const struct hsl_wire *hsl_fab_wire(const struct hsl_fab *f, uint32_t a, uint32_t b)
{
    const struct fab_port *port = port_at(f, a, b);

    return port ? &port->wire : NULL;
}

int hsl_fab_test(const struct hsl_fab *f, uint32_t a, uint32_t b, struct hsl_fab_test *out)
{
    const struct fab_port *port = port_at(f, a, b);

    if (!port) {
        return -EINVAL;
    }
    *out = (struct hsl_fab_test){
        .injected = port->test.injected + hsl_wire_injected(&port->wire),
        .pass = port->test.pass + port->swallow_pass,   /* one of them is armed at most */
        .hit = port->test.hit + port->swallow_hit,
        .waits = port->test.raw_waits,
    };
    return 0;
}

uint32_t hsl_fab_changes(const struct hsl_fab *f, uint32_t a, uint32_t b)
{
    const struct fab_port *port = port_at(f, a, b);

    return port ? port->test.changes : 0;
}

int hsl_fab_change(const struct hsl_fab *f, uint32_t a, uint32_t b, uint32_t i,
                   struct hsl_fab_change *out)
{
    const struct fab_port *port = port_at(f, a, b);

    if (!port) {
        return -EINVAL;
    }
    if (i >= port->test.changes || port->test.changes - i > HSL_FAB_LOG) {
        return -ERANGE;
    }
    *out = port->test.log[i % HSL_FAB_LOG];
    return 0;
}

uint64_t fab_test_hash(const struct fab_test *t)
{
    uint64_t h = hsl_mix(0, t->arm | (uint64_t)t->loopback << 8 | (uint64_t)t->raw_waits << 16);

    h = hsl_mix(h, (uint64_t)t->hit << 32 | t->pass);
    h = hsl_mix(h, t->arm ? t->value : 0);
    h = hsl_mix(h, t->ack_ps);
    h = hsl_mix(h, t->replay_ps);
    for (uint32_t i = 0; t->raw_waits && i < sizeof(t->raw); i += 8) {
        uint64_t v;

        memcpy(&v, (const uint8_t *)&t->raw + i, 8);
        h = hsl_mix(h, v);
    }
    return h;
}
