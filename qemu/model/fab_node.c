/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Packets at the nodes of the modelled fabric: from an agent or a home into the network, on from
 * node to node, and to the agent or home they are for.
 *
 * Time. A packet of a host port crosses that port (port) on its way in and out. A node that
 * forwards costs switch. A request that has reached its home costs home before the home sees it, a
 * memory read dram after its owner has answered. Everything else is immediate.
 *
 * Room. A node takes every packet that its links give it: there are as many packets as all agents
 * and homes can have under way at once (fab_packets in fab.c), so no packet ever waits for another
 * node to take one, and forwarding cannot deadlock. What can run out is the credit of a link.
 *
 * Loss. Links lose nothing while they are up. What a link carried when it went down, and what finds
 * no route, is lost; agents and homes cannot go on with a packet missing. Then the pair (agent,
 * home of the line) that the packet belonged to is fenced: both sides forget each other at once
 * (hsl_agent_lose, hsl_home_lose), what is still under way between them is thrown away where it
 * comes out, and new accesses fail with UNREACHABLE until nothing of it is left, the home has done
 * with its lost requests, and there is a route again. So an answer from before can never be taken for one of a new request with its tag.
 * Data that an owner sends straight to a requester belongs to the pair (requester, home). The home knows of it at once
 * (hsl_home_forwards), as the pair of the owner's answer to the home is another one and may be lost alone.
 *
 * Fatal errors. A chip that reports one is viral until it is reset or vanishes: its pairs with other chips are
 * lost and stay fenced. A line that it has sent straight to a requester, whose pair is another one, is
 * poison where it comes out. Links through it go on, as their packets are not its own.
 *
 * Timeouts. A request that has not ended in its time ends with TIMEOUT. If nothing about it is under
 * way and its home does not know it, it was lost on its way there: it alone ends, and its tag is
 * free at once. Else an answer may still come, or the home waits for one, and the pair is lost.
 */
#include <errno.h>
#include <string.h>

#include "fab_priv.h"

#define ADDR_HOP_SHIFT  48
#define ADDR_HOP_ONE    (UINT64_C(1) << ADDR_HOP_SHIFT)

uint32_t fab_pkt_new(struct hsl_fab *f)
{
    uint32_t i = f->pkt_free;

    if (i != HSL_NONE) {
        f->pkt_free = fab_pkt(f, i)->next;
    }
    return i;
}

static void pkt_free(struct hsl_fab *f, uint32_t i)
{
    fab_pkt(f, i)->next = f->pkt_free;
    f->pkt_free = i;
}

/* ---- agents and homes give packets ---- */

static bool is_request(uint8_t opcode)
{
    return hsl_pkt_vc(opcode) == HSL_VC_REQ;
}

/* Of the agent's request that the packet is about. Somebody else's agents have other tags, which nobody counts. */
uint32_t fab_pkt_tag(const struct hsl_fab *f, const struct hsl_pkt *p)
{
    uint32_t none = f->cfg.agent.requests;

    switch (p->u.h.opcode) {
    case HSL_PKT_GRANT:
    case HSL_PKT_SNP_RSP:
    case HSL_PKT_SNP_DATA:
        return none;
    default:
        return hsl_pkt_vc(p->u.h.opcode) == HSL_VC_SNP || p->u.h.tag > none ? none : p->u.h.tag;
    }
}

void fab_count_in(struct hsl_fab *f, struct fab_pair pair)
{
    fab_under_way(f, pair)->packets++;
    fab_request(f, pair.agent, pair.tag)->packets++;
}

void fab_count_out(struct hsl_fab *f, struct fab_pair pair)
{
    fab_under_way(f, pair)->packets--;
    fab_request(f, pair.agent, pair.tag)->packets--;
}

void fab_inject(struct hsl_fab *f, const struct hsl_pkt *p, struct fab_pair pair, uint32_t node,
                uint64_t delay_ps)
{
    uint32_t i = fab_pkt_new(f);
    struct fab_pkt *k;

    if (i == HSL_NONE) {        /* cannot happen (fab_packets); if it did, it would be a loss */
        fab_fence(f, pair, HSL_ST_UNREACHABLE);
        return;
    }
    pair.tag = fab_pkt_tag(f, p);
    k = fab_pkt(f, i);
    k->pkt = *p;
    k->pair = pair;
    k->node = node;
    k->hops = 0;
    k->entered = 0;
    k->stage = FAB_AT_NODE;
    fab_count_in(f, pair);
    fab_at_time(f, fab_ev_pkt(f, i), f->now_ps + delay_ps);
}

static void watch_time(struct hsl_fab *f, uint32_t agent, const struct hsl_pkt *p)
{
    fab_request(f, agent, p->u.h.tag)->home = p->u.h.dst - 1u;
    if (f->cfg.timeout_ps) {
        fab_at_time(f, fab_ev_due(f, agent, p->u.h.tag), f->now_ps + f->cfg.timeout_ps);
    }
}

static void stop_watch(struct hsl_fab *f, uint32_t agent, uint32_t tag)
{
    if (tag < f->cfg.agent.requests && !hsl_agent_waits(fab_agent(f, agent), tag)) {
        fab_cancel(f, fab_ev_due(f, agent, tag));
    }
}

/* snooped_by: the home whose packet the agent has just taken, for data it sends to another agent. */
static void agent_out(struct hsl_fab *f, uint32_t agent, uint32_t snooped_by)
{
    uint64_t delay = agent >= f->cfg.nodes ? f->cfg.profile.port_ps : 0;
    struct hsl_access x;
    struct hsl_pkt p;

    while (hsl_agent_tx(fab_agent(f, agent), &p)) {
        struct fab_pair pair = { .agent = (uint16_t)agent, .home = (uint16_t)(p.u.h.dst - 1u) };

        if (is_request(p.u.h.opcode)) {
            watch_time(f, agent, &p);
        }
        if (p.u.h.opcode == HSL_PKT_RSP_DATA) {
            pair.agent = (uint16_t)fab_agent_ix(f, p.u.h.dst);
            pair.home = (uint16_t)snooped_by;
            hsl_home_forwards(fab_home(f, snooped_by), &p);
        }
        fab_inject(f, &p, pair, fab_agent_node(f, agent), delay);
    }
    while (hsl_agent_done(fab_agent(f, agent), &x)) {
        struct hsl_fab_out *o = fab_out(f, HSL_FAB_OUT_ACCESS);

        o->u.access.agent = fab_agent_id(f, agent);
        o->u.access.x = x;
        fab_net_stats(f, fab_agent_node(f, agent))->poisoned += x.status == HSL_ST_POISON;
    }
}

static void home_out(struct hsl_fab *f, uint32_t home)
{
    struct hsl_mem_op op;
    struct hsl_pkt p;

    while (hsl_home_tx(fab_home(f, home), &p)) {
        struct fab_pair pair = { .agent = (uint16_t)fab_agent_ix(f, p.u.h.dst),
                                 .home = (uint16_t)home };

        fab_inject(f, &p, pair, home, 0);
    }
    while (hsl_home_mem(fab_home(f, home), &op)) {
        struct hsl_fab_out *o = fab_out(f, HSL_FAB_OUT_MEM);

        o->u.mem.node = home + 1;
        o->u.mem.op = op;
    }
}

/* ---- loss ---- */

static bool reachable(struct hsl_fab *f, struct fab_pair pair)
{
    uint32_t node = fab_agent_node(f, pair.agent);

    if (!hsl_ix_present(fab_net(f), node) || !hsl_ix_present(fab_net(f), pair.home)) {
        return false;
    }
    return node == pair.home ||
           (hsl_net_distance(fab_net_to(f, pair.home), node, pair.home) <= f->cfg.hop_limit &&
            hsl_net_distance(fab_net_to(f, node), pair.home, node) <= f->cfg.hop_limit);
}

void fab_fence(struct hsl_fab *f, struct fab_pair pair, uint8_t status)
{
    struct fab_under_way *u = fab_under_way(f, pair);

    if (u->fenced) {
        return;
    }
    u->fenced = 1;
    hsl_agent_lose(fab_agent(f, pair.agent), (uint16_t)(pair.home + 1), status);
    for (uint32_t tag = 0; tag < f->cfg.agent.requests; tag++) {
        stop_watch(f, pair.agent, tag);
    }
    agent_out(f, pair.agent, HSL_NONE);
    hsl_home_lose(fab_home(f, pair.home), fab_agent_id(f, pair.agent));
    home_out(f, pair.home);
    fab_remote_lost(f, pair);
}

void fab_lost(struct hsl_fab *f, struct fab_pair pair, uint32_t dst)
{
    fab_count_out(f, pair);
    fab_net_stats(f, dst)->lost++;
    fab_fence(f, pair, HSL_ST_UNREACHABLE);
}

void fab_request_due(struct hsl_fab *f, uint32_t agent, uint32_t tag)
{
    const struct fab_request *r = fab_request(f, agent, tag);
    struct fab_pair pair = { .agent = (uint16_t)agent, .home = (uint16_t)r->home };
    uint32_t node = fab_agent_node(f, agent);
    uint8_t status = fab_deviates(f, node, HSL_DEV_TIMEOUT_UNREACHABLE) ? HSL_ST_UNREACHABLE : HSL_ST_TIMEOUT;
    bool lost = !r->packets && !fab_remote_pair(f, pair) && !hsl_home_knows(fab_home(f, r->home), fab_agent_id(f, agent), tag);

    if ((lost || fab_deviates(f, node, HSL_DEV_TAG_EARLY)) && hsl_agent_give_up(fab_agent(f, agent), tag, status)) {
        agent_out(f, agent, HSL_NONE);
    } else {
        fab_fence(f, pair, status);
    }
}

void fab_node_gone(struct hsl_fab *f, uint32_t node)
{
    for (uint32_t a = 0; a < f->nagents; a++) {
        for (uint32_t h = 0; h < f->cfg.nodes; h++) {
            if (fab_agent_node(f, a) == node || h == node) {
                struct fab_pair pair = { .agent = (uint16_t)a, .home = (uint16_t)h };

                fab_fence(f, pair, HSL_ST_UNREACHABLE);
            }
        }
    }
}

/* Who does not trust whom: one of two chips has a fatal error. */
static bool is_contained(struct hsl_fab *f, struct fab_pair pair)
{
    uint32_t node = fab_agent_node(f, pair.agent);

    return node != pair.home && (fab_dst(f, node)->viral || fab_dst(f, pair.home)->viral);
}

void fab_node_viral(struct hsl_fab *f, uint32_t node)
{
    if (fab_deviates(f, node, HSL_DEV_FATAL_OPEN)) {
        return;
    }
    fab_dst(f, node)->viral = 1;
    for (uint32_t a = 0; a < f->nagents; a++) {
        for (uint32_t h = 0; h < f->cfg.nodes; h++) {
            struct fab_pair pair = { .agent = (uint16_t)a, .home = (uint16_t)h };

            if (is_contained(f, pair)) {
                fab_fence(f, pair, HSL_ST_UNREACHABLE);
            }
        }
    }
}

/* ---- packets on their way ---- */

bool fab_pkt_for_home(uint8_t opcode)
{
    return is_request(opcode) || opcode == HSL_PKT_ACK || opcode == HSL_PKT_SNP_RSP ||
           opcode == HSL_PKT_SNP_DATA || opcode == HSL_PKT_WR_DATA;
}

/* At the node of its agent or home: the last step. */
static void arrive_home_or_agent(struct hsl_fab *f, uint32_t i)
{
    struct fab_pkt *k = fab_pkt(f, i);
    uint64_t delay;

    if (k->entered) {
        k->entered = 0;
        fab_leaves(f, k->node);
    }
    if (fab_pkt_for_home(k->pkt.u.h.opcode)) {
        k->stage = FAB_AT_HOME;
        delay = is_request(k->pkt.u.h.opcode) ? f->cfg.profile.home_ps : 0;
    } else {
        k->stage = FAB_AT_AGENT;
        delay = k->pkt.u.h.dst & HSL_AGENT_HOST_PORT ? f->cfg.profile.port_ps : 0;
    }
    fab_at_time(f, fab_ev_pkt(f, i), f->now_ps + delay);
}

/* One more link to cross: false at the hop limit. An answer on RSP has a value where others count. */
static bool count_hop(const struct hsl_fab *f, struct hsl_pkt *p)
{
    if (hsl_pkt_vc(p->u.h.opcode) == HSL_VC_RSP) {
        return true;
    }
    if ((p->u.h.addr >> ADDR_HOP_SHIFT & 255) >= f->cfg.hop_limit) {
        return false;
    }
    p->u.h.addr += ADDR_HOP_ONE;
    return true;
}

/* Is it a request of this node that the port is to lose without a word? */
static bool is_swallowed(struct hsl_fab *f, uint32_t p, const struct fab_pkt *k)
{
    struct fab_port *port = fab_port(f, p);

    if (!is_request(k->pkt.u.h.opcode) || fab_agent_node(f, k->pair.agent) != k->node ||
        !port->swallow_hit) {
        return false;
    }
    if (port->swallow_pass) {
        port->swallow_pass--;
        return false;
    }
    port->swallow_hit--;
    port->test.injected++;
    return true;
}

/* Out of the network, but for what is known of it as a loss. */
static void forget(struct hsl_fab *f, uint32_t i)
{
    const struct fab_pkt *k = fab_pkt(f, i);

    if (k->entered) {
        fab_leaves(f, fab_pkt_dst(k));
    }
    pkt_free(f, i);
}

void fab_pkt_forward(struct hsl_fab *f, uint32_t i)
{
    struct fab_pkt *k = fab_pkt(f, i);
    struct fab_pair pair = k->pair;
    uint32_t dst = fab_pkt_dst(k), next, port;

    if (dst == k->node) {
        arrive_home_or_agent(f, i);
        return;
    }
    if (fab_is_held(f, i)) {
        return;
    }
    next = fab_next_node(f, k, dst);
    if (next == HSL_NONE || !count_hop(f, &k->pkt)) {
        forget(f, i);
        fab_lost(f, pair, dst);
        return;
    }
    port = fab_port_to(f, k->node, next);
    if (is_swallowed(f, port, k)) {
        forget(f, i);
        fab_count_out(f, pair);
        return;
    }
    fab_enters(f, k);
    k->stage = FAB_WAITS;
    fab_port_queue(f, port, i);
}

void fab_pkt_arrive(struct hsl_fab *f, uint32_t i, uint32_t node, uint64_t delay_ps)
{
    struct fab_pkt *k = fab_pkt(f, i);

    k->node = node;
    k->stage = FAB_AT_NODE;
    fab_at_time(f, fab_ev_pkt(f, i), f->now_ps + delay_ps);
}

/* A line from a chip that has a fatal error, for another one. */
static void contain(struct hsl_fab *f, struct hsl_pkt *p)
{
    uint32_t src = fab_agent_ix(f, p->u.h.src), dst = fab_agent_ix(f, p->u.h.dst);

    if (p->u.h.opcode == HSL_PKT_RSP_DATA && fab_agent_node(f, src) != fab_agent_node(f, dst) &&
        fab_dst(f, fab_agent_node(f, src))->viral) {
        p->u.h.flags |= HSL_PKT_F_POISON;
        memset(p->u.data.data, 0, sizeof(p->u.data.data));
    }
}

/* It has come out: to whom it is for, unless the pair is fenced. */
static void deliver(struct hsl_fab *f, uint32_t i)
{
    struct fab_pkt *k = fab_pkt(f, i);
    struct fab_under_way *u = fab_under_way(f, k->pair);
    struct hsl_pkt p = k->pkt;
    uint32_t home = k->pair.home, node = k->node;
    struct hsl_fab_net_stats *stats = fab_net_stats(f, node);
    bool to_home = k->stage == FAB_AT_HOME;

    fab_count_out(f, k->pair);
    pkt_free(f, i);
    if (u->fenced) {
        stats->lost++;
        return;
    }
    stats->delivered++;
    stats->hops += k->hops;
    if (hsl_pkt_vc(p.u.h.opcode) != HSL_VC_RSP) {
        p.u.h.addr &= ADDR_HOP_ONE - 1;
    }
    if (to_home) {
        hsl_home_rx(fab_home(f, node), &p);
        home_out(f, node);
    } else {
        uint32_t agent = fab_agent_ix(f, p.u.h.dst);

        contain(f, &p);
        hsl_agent_rx(fab_agent(f, agent), &p);
        stop_watch(f, agent, fab_pkt_tag(f, &p));
        agent_out(f, agent, home);
    }
}

static void mem_answers(struct hsl_fab *f, uint32_t i)
{
    struct fab_pkt *k = fab_pkt(f, i);
    struct hsl_pkt_data d = k->pkt.u.data;
    uint32_t home = k->node, id = k->mem_id;

    pkt_free(f, i);
    hsl_home_mem_data(fab_home(f, home), id, d.h.flags & HSL_PKT_F_POISON, d.data);
    home_out(f, home);
}

void fab_pkt_happen(struct hsl_fab *f, uint32_t i)
{
    switch ((enum fab_stage)fab_pkt(f, i)->stage) {
    case FAB_AT_NODE:
        fab_pkt_forward(f, i);
        break;
    case FAB_AT_HOME:
    case FAB_AT_AGENT:
        deliver(f, i);
        break;
    case FAB_MEM:
        mem_answers(f, i);
        break;
    case FAB_WAITS:
        break;
    }
}

bool fab_unfence(struct hsl_fab *f, struct fab_pair pair)
{
    struct fab_under_way *u = fab_under_way(f, pair);

    /* what the home still does for a lost request may bring data to its requester, by another pair */
    if (u->fenced && !u->packets &&
        !hsl_home_serves(fab_home(f, pair.home), fab_agent_id(f, pair.agent)) && reachable(f, pair) &&
        !is_contained(f, pair)) {
        u->fenced = 0;
    }
    return !u->fenced;
}

/* ---- posts ---- */

int fab_access(struct hsl_fab *f, uint16_t id, const struct hsl_access *x)
{
    uint32_t agent = fab_agent_ix(f, id), home = (uint32_t)(x->ga >> HSL_GA_OFFSET_BITS) - 1;
    struct fab_pair pair = { .agent = (uint16_t)agent, .home = (uint16_t)home };
    int err;

    if (agent == HSL_NONE || home >= f->cfg.nodes || fab_dst(f, fab_agent_node(f, agent))->remote) {
        return -EINVAL;
    }
    if (!fab_unfence(f, pair)) {
        struct hsl_fab_out *o = fab_out(f, HSL_FAB_OUT_ACCESS);

        o->u.access.agent = id;
        o->u.access.x = *x;
        o->u.access.x.status = HSL_ST_UNREACHABLE;
        return 0;
    }
    err = hsl_agent_access(fab_agent(f, agent), x);
    agent_out(f, agent, HSL_NONE);
    return err;
}

int fab_mem(struct hsl_fab *f, uint32_t node, uint32_t id, bool poison, const uint8_t *data)
{
    struct fab_pkt *k;
    uint32_t i;

    if (node < 1 || node > f->cfg.nodes) {
        return -EINVAL;
    }
    i = fab_pkt_new(f);
    if (i == HSL_NONE) {
        return -EAGAIN;
    }
    k = fab_pkt(f, i);
    memset(k, 0, sizeof(*k));
    k->pkt.u.data.h.flags = poison ? HSL_PKT_F_POISON : 0;
    memcpy(k->pkt.u.data.data, data, HSL_LINE_BYTES);
    k->node = node - 1;
    k->mem_id = id;
    k->stage = FAB_MEM;
    fab_at_time(f, fab_ev_pkt(f, i), f->now_ps + f->cfg.profile.dram_ps);
    return 0;
}
