/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Ways through the modelled fabric, and how they change (docs/hep.md section 8.1).
 *
 * Several ways. Where more than one neighbour is one link closer to where a packet goes, the line
 * that it is about says which one it takes, with its source and destination. So what is of one
 * line, and of one channel, goes one way and keeps its order, and lines are spread.
 *
 * A way that is lost is lost at once: packets go round it, and keep no order. Any other change, a
 * link that is back or one that is taken out of use, waits for what is under way:
 *
 *     net[0]                     the routes of now
 *     net[1]                     while `changing`: those that are to come
 *
 *     STAYS ──► DRAINS ──► MOVED         of each chip as a destination
 *
 * STAYS: both are alike, or nothing changes. DRAINS: packets to it that are within the network go
 * on by net[0], new ones are held at their source. When none is left it is MOVED: by net[1]. When no
 * chip drains any more net[1] is net[0], and links that were to leave carry nothing: they are
 * disabled. So a packet never meets two routes, and none overtakes another by a change.
 *
 * It ends, as every node takes every packet (fab_node.c). All is done by an event of its own, at the
 * time at which the last packet is out, so nothing changes in the middle of something else.
 */
#include <errno.h>
#include <string.h>

#include "fab_priv.h"

/* ---- which way ---- */

static bool names_line(uint8_t opcode)
{
    return opcode != HSL_PKT_RSP && opcode != HSL_PKT_GRANT;
}

static uint64_t way_of(uint32_t node, const struct hsl_pkt *p)
{
    uint64_t line = names_line(p->u.h.opcode) ? HSL_GA_OFFSET(p->u.h.addr) / HSL_LINE_BYTES : 0;

    return hsl_mix(hsl_mix(hsl_mix(0, (uint64_t)p->u.h.src << 16 | p->u.h.dst), line), node) >> 8;
}

uint32_t fab_next_node(struct hsl_fab *f, const struct fab_pkt *k, uint32_t dst)
{
    const struct hsl_model *net = fab_net_to(f, dst);
    uint32_t next = hsl_net_next(net, k->node, dst), ways = 1;

    if (next == HSL_NONE || next == dst) {
        return next;
    }
    while (hsl_net_next_k(net, k->node, dst, ways) != HSL_NONE) {
        ways++;
    }
    return hsl_net_next_k(net, k->node, dst, (uint32_t)(way_of(k->node, &k->pkt) % ways));
}

/* ---- what is within the network ---- */

bool fab_is_held(struct hsl_fab *f, uint32_t i)
{
    struct fab_pkt *k = fab_pkt(f, i);

    if (k->entered || fab_dst(f, fab_pkt_dst(k))->state != FAB_DRAINS) {
        return false;
    }
    k->stage = FAB_WAITS;
    k->next = HSL_NONE;
    if (f->held_tail == HSL_NONE) {
        f->held_head = i;
    } else {
        fab_pkt(f, f->held_tail)->next = i;
    }
    f->held_tail = i;
    return true;
}

void fab_enters(struct hsl_fab *f, struct fab_pkt *k)
{
    fab_dst(f, fab_pkt_dst(k))->packets += !k->entered;
    k->entered = 1;
}

void fab_leaves(struct hsl_fab *f, uint32_t dst)
{
    if (!--fab_dst(f, dst)->packets && fab_dst(f, dst)->state == FAB_DRAINS) {
        fab_at_time(f, fab_ev_routes(f), f->now_ps);
    }
}

/* ---- changes ---- */

static void set_link(struct hsl_fab *f, struct hsl_model *net, uint32_t p, bool up)
{
    struct hsl_event ev = { .type = HSL_EV_LINK };

    ev.u.link.a = hsl_net_id(net, fab_port(f, p)->node);
    ev.u.link.b = hsl_net_id(net, fab_port(f, fab_port(f, p)->peer)->node);
    ev.u.link.up = up;
    hsl_model_post(net, &ev);
}

void fab_routes_lose(struct hsl_fab *f, uint32_t p)
{
    set_link(f, fab_net(f), p, false);
    if (f->changing) {
        set_link(f, fab_net_new(f), p, false);
    }
}

/* The routes that ports ask for, in net[1]. */
static void make_new(struct hsl_fab *f)
{
    memcpy(fab_net_new(f), fab_net(f), f->net_bytes);
    for (uint32_t p = 0; p < f->nports; p++) {
        const struct fab_port *port = fab_port(f, p);

        if (p < port->peer) {
            set_link(f, fab_net_new(f), p, port->usable && !port->leaving);
        }
    }
}

static bool same_ways(struct hsl_fab *f, uint32_t dst)
{
    for (uint32_t v = 0; v < f->nnodes; v++) {
        uint32_t was, is, k = 0;

        do {
            was = hsl_net_next_k(fab_net(f), v, dst, k);
            is = hsl_net_next_k(fab_net_new(f), v, dst, k);
            if (was != is) {
                return false;
            }
            k++;
        } while (is != HSL_NONE);
    }
    return true;
}

/*
 * A destination with the same ways stays. Not when a link leaves: packets that set out when routes were others, before a
 * link was lost, may be on it.
 */
static void begin_change(struct hsl_fab *f, bool leaves)
{
    f->changing = 1;
    for (uint32_t d = 0; d < f->cfg.nodes; d++) {
        bool old = leaves && fab_dst(f, d)->packets;

        fab_dst(f, d)->state = same_ways(f, d) && !old ? FAB_STAYS : FAB_DRAINS;
    }
    fab_at_time(f, fab_ev_routes(f), f->now_ps);
}

void fab_routes_review(struct hsl_fab *f)
{
    if (!f->changing) {
        make_new(f);
        begin_change(f, false);
    }
}

/* Every way between two chips of now is there by net[1], too. */
static bool all_reached(struct hsl_fab *f)
{
    for (uint32_t a = 0; a < f->cfg.nodes; a++) {
        for (uint32_t b = 0; b < f->cfg.nodes; b++) {
            if (hsl_net_distance(fab_net(f), a, b) <= f->cfg.hop_limit &&
                hsl_net_distance(fab_net_new(f), a, b) > f->cfg.hop_limit) {
                return false;
            }
        }
    }
    return true;
}

int fab_port_leave(struct hsl_fab *f, uint32_t p)
{
    struct fab_port *port = fab_port(f, p), *peer = fab_port(f, port->peer);

    if (!port->usable) {        /* nobody's way */
        fab_port_event(f, p, HSL_PHY_DISABLE);
        return 0;
    }
    if (f->changing) {
        return -EBUSY;
    }
    port->leaving = FAB_LEAVES;
    peer->leaving = FAB_PEER_LEAVES;
    make_new(f);
    if (!all_reached(f)) {
        port->leaving = peer->leaving = 0;
        return -EHOSTUNREACH;
    }
    begin_change(f, true);
    return 0;
}

static void release_held(struct hsl_fab *f)
{
    uint32_t i = f->held_head, next;

    f->held_head = f->held_tail = HSL_NONE;
    for (; i != HSL_NONE; i = next) {
        next = fab_pkt(f, i)->next;
        fab_pkt_forward(f, i);          /* one whose destination still drains is held again */
    }
}

static void adopt(struct hsl_fab *f)
{
    memcpy(fab_net(f), fab_net_new(f), f->net_bytes);
    f->changing = 0;
    for (uint32_t d = 0; d < f->cfg.nodes; d++) {
        fab_dst(f, d)->state = FAB_STAYS;
    }
    for (uint32_t p = 0; p < f->nports; p++) {
        if (fab_port(f, p)->leaving == FAB_LEAVES) {
            fab_port_event(f, p, HSL_PHY_DISABLE);
        }
    }
    for (uint32_t p = 0; p < f->nports; p++) {
        fab_port(f, p)->leaving = 0;
    }
}

/* What ports ask for has changed meanwhile: the next change. */
static bool is_stale(struct hsl_fab *f)
{
    for (uint32_t p = 0; p < f->nports; p++) {
        const struct fab_port *port = fab_port(f, p);

        if ((port->usable && !port->leaving) != hsl_net_link_held_up(fab_net(f), port->node,
                                                   fab_port(f, port->peer)->node)) {
            return true;
        }
    }
    return false;
}

void fab_routes_event(struct hsl_fab *f)
{
    bool drains = false;

    for (uint32_t d = 0; d < f->cfg.nodes; d++) {
        struct fab_dst *to = fab_dst(f, d);

        if (to->state == FAB_DRAINS && (!to->packets || fab_deviates(f, d, HSL_DEV_DRAIN_SKIPPED))) {
            to->state = FAB_MOVED;
        }
        drains |= to->state == FAB_DRAINS;
    }
    if (!drains && f->changing) {
        adopt(f);
    }
    release_held(f);
    if (!f->changing && is_stale(f)) {
        fab_routes_review(f);
    }
}
