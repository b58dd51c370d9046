/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Ends of links in the modelled fabric: what joins a link layer (link.c), a training state machine
 * (phy.c) and a wire with errors (wire.c).
 *
 * A packet waits in the queue of its port and channel until the link layer takes it, crosses, and
 * is given out at the peer's node. A wire takes a flit every flit time of the width and rate in
 * use; the flit is there one crossing later (two ports and the cable). Training sets take as long.
 *
 * A port is usable from the start, while it trains for the first time, and as long as it does not
 * leave L0, L1, RECOVERY or CONFIG for DETECT, DISABLED or HOT_RESET. Then it is down: routes go
 * round it, packets that wait for it are sent on another way, what the link had taken is lost
 * (fab_lost) and both link layers begin anew. Flits of before that come later still, on a slow or
 * delayed wire, are nobody's. It is usable again when both ends are in L0.
 *
 * Which packets are lost is known by `under`: the packets that the link layer took at one end and
 * has not given out at the other, in order, as a channel keeps its order.
 *
 * Each port has two events: "send" at the next moment it may put something on its wire, and
 * "timer" at the deadline of link layer and training.
 */
#include <string.h>

#include "fab_priv.h"

uint32_t fab_port_to(const struct hsl_fab *f, uint32_t node, uint32_t neighbour)
{
    const struct fab_port *port = fab_port_const(f, 0);

    for (uint32_t p = fab_first_port(f, node); p < fab_first_port(f, node + 1); p++) {
        if (port[port[p].peer].node == neighbour) {
            return p;
        }
    }
    return HSL_NONE;
}

static struct fab_carried *under_at(struct hsl_fab *f, uint32_t p, uint32_t vc, uint32_t i)
{
    struct fab_carried *ring = fab_at(f, f->off_under);

    return &ring[((uint64_t)p * HSL_VC_COUNT + vc) * f->under_cap + i % f->under_cap];
}

static void under_push(struct hsl_fab *f, uint32_t p, uint32_t vc, const struct fab_pkt *k)
{
    struct fab_port *port = fab_port(f, p);

    *under_at(f, p, vc, port->under_first[vc] + port->under_len[vc]++) = (struct fab_carried){
        .agent = (uint8_t)k->pair.agent,
        .home = (uint8_t)k->pair.home,
        .to_home = fab_pkt_dst(k) == k->pair.home,
        .hops = k->hops,
        .tag = (uint16_t)k->pair.tag,
        .has_tag = k->pair.tag < f->cfg.agent.requests,
    };
}

static struct fab_carried under_pop(struct hsl_fab *f, uint32_t p, uint32_t vc)
{
    struct fab_port *port = fab_port(f, p);
    struct fab_carried c = *under_at(f, p, vc, port->under_first[vc]);

    port->under_first[vc] = (port->under_first[vc] + 1) % f->under_cap;
    port->under_len[vc]--;
    return c;
}

static struct fab_pair pair_of(const struct hsl_fab *f, struct fab_carried c)
{
    return (struct fab_pair){ c.agent, c.home, c.has_tag ? c.tag : f->cfg.agent.requests };
}

static void carried_lost(struct hsl_fab *f, struct fab_carried c)
{
    uint32_t dst = c.to_home ? c.home : fab_agent_node(f, c.agent);

    fab_leaves(f, dst);
    fab_lost(f, pair_of(f, c), dst);
}

static uint32_t queue_pop(struct hsl_fab *f, struct fab_port *port, uint32_t vc)
{
    uint32_t i = port->head[vc];

    port->head[vc] = fab_pkt(f, i)->next;
    if (port->head[vc] == HSL_NONE) {
        port->tail[vc] = HSL_NONE;
    }
    return i;
}

static void pkt_give_back(struct hsl_fab *f, uint32_t i)
{
    fab_pkt(f, i)->next = f->pkt_free;
    f->pkt_free = i;
}

/* ---- when to do something ---- */

static bool carries_flits(const struct fab_port *port)
{
    return port->phy.state == HSL_LTSSM_L0;
}

static void send_soon(struct hsl_fab *f, uint32_t p)
{
    const struct fab_port *port = fab_port(f, p);

    fab_at_time(f, fab_ev_send(f, p), port->free_ps > f->now_ps ? port->free_ps : f->now_ps);
}

/* Not before the wire is free: what is due is sent then. */
static void set_timer(struct hsl_fab *f, uint32_t p)
{
    const struct fab_port *port = fab_port(f, p);
    uint64_t from = port->free_ps > f->now_ps ? port->free_ps : f->now_ps;
    uint64_t at = hsl_phy_deadline(&port->phy);

    if (carries_flits(port) && hsl_link_deadline(fab_link(f, p)) < at) {
        at = hsl_link_deadline(fab_link(f, p));
    }
    if (at == UINT64_MAX) {
        fab_cancel(f, fab_ev_timer(f, p));
    } else {
        fab_at_time(f, fab_ev_timer(f, p), at > from ? at : from);
    }
}

/* ---- up and down ---- */

static void lose_what_it_carried(struct hsl_fab *f, uint32_t p)
{
    struct fab_port *port = fab_port(f, p);

    for (uint32_t vc = 0; vc < HSL_VC_COUNT; vc++) {
        while (port->under_len[vc]) {
            carried_lost(f, under_pop(f, p, vc));
        }
        while (port->head[vc] != HSL_NONE) {
            fab_pkt_arrive(f, queue_pop(f, port, vc), port->node, 0);
        }
    }
}

static void link_down(struct hsl_fab *f, uint32_t p)
{
    uint32_t peer = fab_port(f, p)->peer;

    if (fab_port(f, p)->was_l0 && fab_port(f, peer)->was_l0) {
        fab_port(f, p)->downs++;
        fab_port(f, peer)->downs++;
    }
    fab_port(f, p)->usable = fab_port(f, peer)->usable = 0;
    fab_port(f, p)->was_l0 = fab_port(f, peer)->was_l0 = 0;
    hsl_link_reset(fab_link(f, p));
    hsl_link_reset(fab_link(f, peer));
    fab_routes_lose(f, p);
    lose_what_it_carried(f, p);
    lose_what_it_carried(f, peer);
    if (fab_leaves_here(f, p)) {
        fab_remote_down(f);
    }
}

static void entered_l0(struct hsl_fab *f, uint32_t p)
{
    struct fab_port *port = fab_port(f, p), *peer = fab_port(f, port->peer);

    if (port->was_l0) {
        hsl_link_retrained(fab_link(f, p), f->now_ps);
    }
    port->was_l0 = 1;
    if (fab_leaves_here(f, p)) {
        peer->was_l0 = 1;       /* or will be, as it has heard this end */
    }
    if (!port->usable && peer->was_l0 && !port->test.loopback && !peer->test.loopback) {
        /* nothing has been sent, but what a tester put on the wire or preset */
        hsl_link_reset(fab_link(f, p));
        hsl_link_reset(fab_link(f, port->peer));
        port->usable = peer->usable = 1;
        fab_routes_review(f);
    }
}

/* After whatever may have changed the state of an end. */
static void state_changed(struct hsl_fab *f, uint32_t p)
{
    struct fab_port *port = fab_port(f, p);
    struct hsl_fab_out *o = fab_out(f, HSL_FAB_OUT_LINK);

    fab_record_state(f, p);
    o->u.link.end = p;
    o->u.link.a = hsl_net_id(fab_net(f), port->node);
    o->u.link.b = hsl_net_id(fab_net(f), fab_port(f, port->peer)->node);
    o->u.link.state = port->phy.state;
    o->u.link.width = port->phy.width;
    o->u.link.rate_mtps = port->phy.rate_mtps;
    fab_test_log(f, port);
    switch (port->phy.state) {
    case HSL_LTSSM_L0:
        entered_l0(f, p);
        break;
    case HSL_LTSSM_DETECT:
    case HSL_LTSSM_DISABLED:
    case HSL_LTSSM_HOT_RESET:
        fab_port_down(f, p);
        port->was_l0 = 0;
        port->life++;
        fab_port(f, port->peer)->life++;
        break;
    default:
        break;
    }
}

static void after(struct hsl_fab *f, uint32_t p, bool changed)
{
    if (changed) {
        state_changed(f, p);
    }
    send_soon(f, p);
    set_timer(f, p);
}

void fab_port_event(struct hsl_fab *f, uint32_t p, enum hsl_phy_event ev)
{
    if (fab_port(f, p)->remote) {
        return;
    }
    after(f, p, hsl_phy_event(&fab_port(f, p)->phy, f->now_ps, ev));
}

void fab_port_look(struct hsl_fab *f, uint32_t p)
{
    after(f, p, false);
}

void fab_port_down(struct hsl_fab *f, uint32_t p)
{
    if (fab_port(f, p)->usable) {
        link_down(f, p);
    }
}

void fab_ports_node(struct hsl_fab *f, uint32_t node, bool present)
{
    enum hsl_phy_event ev = present ? HSL_PHY_PRESENT : HSL_PHY_ABSENT;

    for (uint32_t p = fab_first_port(f, node); p < fab_first_port(f, node + 1); p++) {
        uint32_t peer = fab_port(f, p)->peer;

        if (!present) {
            fab_test_gone(fab_port(f, p));
        }
        if (!present || (fab_leaves_here(f, p) ? f->peer_there : hsl_ix_present(fab_net(f), fab_port(f, peer)->node))) {
            fab_port_event(f, p, ev);
            fab_port_event(f, peer, ev);
        }
    }
}

void fab_port_lane(struct hsl_fab *f, uint32_t p, uint32_t lane, bool works)
{
    after(f, p, hsl_phy_lane(&fab_port(f, p)->phy, f->now_ps, lane, works));
}

/* ---- sending ---- */

void fab_port_queue(struct hsl_fab *f, uint32_t p, uint32_t i)
{
    struct fab_port *port = fab_port(f, p);
    struct fab_pkt *k = fab_pkt(f, i);
    uint32_t vc = hsl_pkt_vc(k->pkt.u.h.opcode);

    k->next = HSL_NONE;
    k->tested = false;
    if (port->tail[vc] == HSL_NONE) {
        port->head[vc] = i;
    } else {
        fab_pkt(f, port->tail[vc])->next = i;
    }
    port->tail[vc] = i;
    if (port->phy.state == HSL_LTSSM_L1) {
        fab_port_event(f, p, HSL_PHY_WAKE);
    } else {
        send_soon(f, p);
    }
}

/* What waits goes into the link layer as far as there is room. */
static void fill_link(struct hsl_fab *f, uint32_t p)
{
    struct fab_port *port = fab_port(f, p);

    for (uint32_t vc = 0; vc < HSL_VC_COUNT; vc++) {
        while (port->head[vc] != HSL_NONE) {
            struct fab_pkt *k = fab_pkt(f, port->head[vc]);

            if (port->test.arm && !k->tested) {
                fab_test_packet(port, &k->pkt);
            }
            k->tested = true;
            if (hsl_link_send(fab_link(f, p), &k->pkt)) {
                break;
            }
            if (fab_leaves_here(f, p)) {
                fab_remote_give(f, k);
            } else {
                under_push(f, p, vc, k);
            }
            pkt_give_back(f, queue_pop(f, port, vc));
        }
    }
}

uint64_t fab_flit_ps(const struct fab_port *port)
{
    uint64_t mbps = (uint64_t)port->phy.width * port->phy.rate_mtps;

    return (8u * HSL_FLIT_BYTES * UINT64_C(1000000) + mbps - 1) / mbps;
}

struct fab_flight *fab_flight_new(struct hsl_fab *f, uint32_t p, uint32_t from, uint64_t at_ps)
{
    uint32_t i = f->flight_free;
    bool remote = fab_port(f, from)->remote;
    struct fab_flight *t;

    /* as if the wire had lost it: the link layer mends that */
    if (i == HSL_NONE || (remote && f->remote_flights == f->remote_flights_max)) {
        return NULL;
    }
    f->remote_flights += remote;
    t = fab_flight(f, i);
    f->flight_free = t->next;
    t->port = p;
    t->from = from;
    t->life = fab_port(f, p)->life;
    t->is_ts = t->is_raw = false;
    fab_at_time(f, fab_ev_flight(f, i), at_ps);
    return t;
}

/* On the wire now; it is there after `late_ps` more than a crossing. One of ts and flit is not NULL. */
static void launch(struct hsl_fab *f, uint32_t p, uint64_t late_ps, const struct hsl_ts *ts,
                   const struct hsl_flit *flit, bool is_raw)
{
    const struct fab_port *port = fab_port(f, p);
    bool near = port->test.loopback == HSL_FAB_LOOPBACK_NEAR;
    struct hsl_fab_sent *s;
    struct fab_flight *t;

    if (fab_leaves_here(f, p) && !near) {
        s = fab_remote_launch(f, f->now_ps + late_ps);
        s->is_ts = ts;
        if (ts) {
            s->u.ts = *ts;
        } else {
            s->u.flit = *flit;
        }
        return;
    }
    t = fab_flight_new(f, near ? p : port->peer, p, f->now_ps + f->crossing_ps + late_ps);
    if (!t) {
        return;
    }
    t->is_ts = ts;
    t->is_raw = is_raw;
    if (ts) {
        t->u.ts = *ts;
    } else {
        t->u.flit = *flit;
    }
}

static void launch_flit(struct hsl_fab *f, uint32_t p, const struct hsl_flit *flit,
                        uint64_t late_ps, bool is_raw)
{
    if (fab_port(f, p)->test.loopback != HSL_FAB_LOOPBACK_FAR) {        /* the wire is the peer's */
        launch(f, p, late_ps, NULL, flit, is_raw);
    }
}

static void send_raw(struct hsl_fab *f, uint32_t p)
{
    struct fab_port *port = fab_port(f, p);
    uint64_t each = fab_flit_ps(port);

    fab_record_flit(f, p, false, &port->test.raw);
    port->test.raw_waits = false;
    port->free_ps = f->now_ps + each;
    launch_flit(f, p, &port->test.raw, each, true);
}

static bool send_flit(struct hsl_fab *f, uint32_t p)
{
    struct fab_port *port = fab_port(f, p);
    struct hsl_wire_out out[2];
    uint64_t each = fab_flit_ps(port), delay_ps = 0;
    struct hsl_flit flit;
    uint32_t n;

    fill_link(f, p);
    if (port->test.raw_waits) {
        send_raw(f, p);
        return true;
    }
    if (!hsl_link_tx(fab_link(f, p), f->now_ps, &flit)) {
        return false;
    }
    /* no L0 any more, as the other end may be in L1: what is numbered goes out again after RECOVERY */
    if (hsl_phy_event(&port->phy, f->now_ps, HSL_PHY_WAKE)) {
        state_changed(f, p);
        return true;
    }
    fab_record_flit(f, p, false, &flit);
    n = hsl_wire_pass(&port->wire, &flit, out);
    if (port->test.arm) {
        n = fab_test_flit(port, &flit, out, n, &delay_ps);
    }
    for (uint32_t i = 0; i < n; i++) {
        launch_flit(f, p, &out[i].flit, each * (1 + out[i].late) + out[i].late + delay_ps, false);
    }
    port->free_ps = f->now_ps + each + delay_ps;
    return true;
}

void fab_port_send(struct hsl_fab *f, uint32_t p)
{
    struct fab_port *port = fab_port(f, p);
    struct hsl_ts ts;

    while (hsl_phy_tx(&port->phy, f->now_ps, &ts)) {
        fab_record_ts(f, p, false, &ts);
        if (port->test.loopback != HSL_FAB_LOOPBACK_FAR) {
            launch(f, p, 0, &ts, NULL, false);
        }
    }
    if (carries_flits(port) && send_flit(f, p)) {
        send_soon(f, p);
    }
    set_timer(f, p);
}

void fab_port_timer(struct hsl_fab *f, uint32_t p)
{
    struct fab_port *port = fab_port(f, p);
    bool changed = hsl_phy_timer(&port->phy, f->now_ps);

    if (!changed && carries_flits(port) && hsl_link_timer(fab_link(f, p), f->now_ps)) {
        changed = hsl_phy_event(&port->phy, f->now_ps, HSL_PHY_RETRAIN);
    }
    after(f, p, changed);
}

/* ---- receiving ---- */

static void take_packets(struct hsl_fab *f, uint32_t p)
{
    const struct fab_port *port = fab_port(f, p);

    for (uint32_t vc = 0; vc < HSL_VC_COUNT; vc++) {
        struct hsl_pkt pkt;

        while (hsl_link_recv(fab_link(f, p), vc, &pkt)) {
            bool here = (pkt.u.h.dst & ~(uint32_t)HSL_AGENT_HOST_PORT) - 1 == port->node;
            struct fab_carried c;
            uint32_t i;

            if (fab_leaves_here(f, p)) {
                fab_remote_take(f, &pkt);
                continue;
            }
            if (!fab_port(f, port->peer)->under_len[vc]) {
                continue;       /* never sent: an error that the CRC did not find */
            }
            c = under_pop(f, port->peer, vc);
            i = fab_pkt_new(f);
            if (i == HSL_NONE) {        /* cannot happen (fab_packets) */
                carried_lost(f, c);
                continue;
            }
            fab_pkt(f, i)->pkt = pkt;
            fab_pkt(f, i)->pair = pair_of(f, c);
            fab_pkt(f, i)->entered = 1;
            fab_pkt(f, i)->hops = (uint8_t)(c.hops < UINT8_MAX ? c.hops + 1 : c.hops);
            fab_net_stats(f, port->node)->forwarded += !here;
            fab_pkt_arrive(f, i, port->node, here ? 0 : f->cfg.profile.switch_ps);
        }
    }
}

static void flight_free(struct hsl_fab *f, uint32_t flight)
{
    struct fab_flight *t = fab_flight(f, flight);

    f->remote_flights -= fab_port(f, t->from)->remote;
    t->port = HSL_NONE;
    t->next = f->flight_free;
    f->flight_free = flight;
}

void fab_flights_forget(struct hsl_fab *f)
{
    for (uint32_t i = 0; f->remote_flights && i < f->nflights; i++) {
        const struct fab_flight *t = fab_flight(f, i);

        if (t->port != HSL_NONE && fab_port(f, t->from)->remote) {
            fab_cancel(f, fab_ev_flight(f, i));
            flight_free(f, i);
        }
    }
}

/* What arrives at an end that loops: is it for this end? FAR: it goes back to the peer. */
static bool loops(struct hsl_fab *f, const struct fab_flight *t)
{
    const struct fab_port *port = fab_port(f, t->port);

    if (port->test.loopback == HSL_FAB_LOOPBACK_NEAR) {
        return t->from == t->port;
    }
    launch(f, t->port, 0, t->is_ts ? &t->u.ts : NULL, &t->u.flit, t->is_raw);
    return false;
}

void fab_port_arrive(struct hsl_fab *f, uint32_t flight)
{
    struct fab_flight *t = fab_flight(f, flight);
    uint32_t p = t->port;
    struct fab_port *port = fab_port(f, p);
    bool changed = false;

    if (!t->is_ts && t->life != port->life) {
        /* of a training that is over, and however late: its number means nothing now */
    } else if (port->test.loopback && !loops(f, t)) {
        /* goes on, or nowhere */
    } else if (t->is_ts) {
        fab_record_ts(f, p, true, &t->u.ts);
        changed = hsl_phy_rx(&port->phy, f->now_ps, &t->u.ts);
    } else if (t->is_raw && port->usable && carries_flits(port)) {
        fab_record_flit(f, p, true, &t->u.flit);
        if (!fab_test_raw(f, p, &t->u.flit)) {
            flight_free(f, flight);
            return;
        }
    } else if (carries_flits(port)) {
        fab_record_flit(f, p, true, &t->u.flit);
        hsl_link_rx(fab_link(f, p), f->now_ps, &t->u.flit);
    }
    flight_free(f, flight);
    take_packets(f, p);
    after(f, p, changed);
}

/* ---- the beginning ---- */

void fab_ports_init(struct hsl_fab *f)
{
    uint32_t *first = fab_at(f, f->off_first_port), p = 0;
    const struct hsl_model *net = fab_net(f);

    for (uint32_t n = 0; n < f->nnodes; n++) {
        first[n] = p;
        for (uint32_t k = 0; k < hsl_net_degree(net, n); k++, p++) {
            struct fab_port *port = fab_port(f, p);

            port->node = n;
            port->usable = 1;
            for (uint32_t vc = 0; vc < HSL_VC_COUNT; vc++) {
                port->head[vc] = port->tail[vc] = HSL_NONE;
            }
            hsl_link_init(fab_link(f, p), &f->cfg.link, &f->cfg.link);
            hsl_phy_init(&port->phy, &f->cfg.phy);
            hsl_wire_init(&port->wire, &f->cfg.errors, f->cfg.seed + p);
            port->test.state = (uint8_t)port->phy.state;
        }
    }
    first[f->nnodes] = p;
    for (uint32_t n = 0; n < f->nnodes; n++) {
        for (uint32_t k = 0; k < hsl_net_degree(net, n); k++) {
            uint32_t m = hsl_net_peer(net, n, k);

            for (uint32_t j = 0; j < hsl_net_degree(net, m); j++) {
                if (hsl_net_peer(net, m, j) == n) {
                    fab_port(f, first[n] + k)->peer = first[m] + j;
                }
            }
        }
    }
    for (p = 0; p < f->nports; p++) {
        if (!fab_leaves_here(f, p)) {
            fab_port_event(f, p, HSL_PHY_PRESENT);
        }
    }
}
