/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A link that leaves the modelled fabric (docs/flit-socket.md): what is behind it is somebody else's, in another
 * program, perhaps hardware. Both sides have the whole topology and the same node ids, and no memory in common.
 *
 *     here: nodes, agents, homes ── port `cut` ═══ HSL_FAB_ARRIVE, hsl_fab_sent ═══ somebody else
 *
 * The link must be the only way between its two sides, so a node is either here or remote. The arrays have room
 * for remote nodes, but only this is used of them: in the network, whether they are there; of the remote end of
 * the link its wire and its arming, for errors of what arrives. Their agents and homes never see a packet.
 *
 * Trust. Flits are checked by the link layer, as anybody's. A packet of somebody else must come from a remote node
 * and go to an agent or a home here that exists; a request must be for an open part of memory, and an answer about a
 * request to a home of his, or with an open line. Tags of his, which are his own numbers, index nothing. What makes no
 * sense puts the link through DETECT; a request for memory that is not open is answered UNREACHABLE.
 *
 * Loss. fab_node.c lets an agent and a home forget each other at once. Here each side can do its half only, so who
 * has to forget puts the link through DETECT, by an event of its own; and when the link goes down, for whatever
 * reason, each side takes all its agents and homes and all those of the other as lost to each other. The link's end
 * tells the other one that it is new (docs/hep.md section 8.4), so both do. A request that arrives before its home
 * has done with those of before is answered UNREACHABLE.
 *
 * What is under way is counted here as long as it is here: from its agent or home to the link, and from the link on.
 */
#include <errno.h>
#include <string.h>

#include "coh_priv.h"
#include "fab_priv.h"

/* ---- which nodes ---- */

static void spread(struct hsl_fab *f, uint32_t node, uint32_t from, uint32_t to, uint8_t *seen)
{
    const struct hsl_model *net = fab_net(f);
    uint32_t stack[HSL_FAB_NODES_MAX + 256], n = 0;

    seen[node] = 1;
    stack[n++] = node;
    while (n) {
        uint32_t v = stack[--n];

        for (uint32_t k = 0; k < hsl_net_degree(net, v); k++) {
            uint32_t w = hsl_net_peer(net, v, k);

            if (!seen[w] && !(v == from && w == to)) {
                seen[w] = 1;
                stack[n++] = w;
            }
        }
    }
}

static uint32_t ix_of(const struct hsl_fab *f, uint32_t id)
{
    bool is_switch = id >= HSL_NODE_SWITCH_FIRST;
    uint32_t ix = is_switch ? id - HSL_NODE_SWITCH_FIRST + f->cfg.nodes : id - 1;

    return id && ix < f->nnodes && (ix >= f->cfg.nodes) == is_switch ? ix : HSL_NONE;
}

/* Before there are ports: these are numbered node by node, in the order of their links. */
int fab_remote_init(struct hsl_fab *f)
{
    const struct hsl_model *net = fab_net(f);
    uint32_t a = ix_of(f, f->cfg.cut_a), b = ix_of(f, f->cfg.cut_b), p = 0;
    uint8_t here[HSL_FAB_NODES_MAX + 256] = { 0 };

    if (!f->cfg.cut_a && !f->cfg.cut_b) {
        return 0;
    }
    if (a == HSL_NONE || b == HSL_NONE || f->nnodes > sizeof(here)) {
        return -EINVAL;
    }
    spread(f, a, a, b, here);
    for (uint32_t n = 0; n < f->nnodes; n++) {
        for (uint32_t k = 0; k < hsl_net_degree(net, n); k++, p++) {
            if (n == a && hsl_net_peer(net, n, k) == b) {
                f->cut = p;
            }
            fab_port(f, p)->remote = !here[n];
        }
        if (n < f->cfg.nodes) {
            fab_dst(f, n)->remote = !here[n];
        }
    }
    return f->cut == HSL_NONE || here[b] ? -EINVAL : 0;
}

bool hsl_fab_is_remote(const struct hsl_fab *f, uint32_t node)
{
    struct hsl_fab *w = (struct hsl_fab *)(uintptr_t)f;
    uint32_t ix = ix_of(f, node);

    if (ix == HSL_NONE || f->cut == HSL_NONE) {
        return false;
    }
    return ix < f->cfg.nodes ? fab_dst(w, ix)->remote
                             : fab_port(w, fab_first_port(f, ix))->remote;
}

uint64_t hsl_fab_remote_refused(const struct hsl_fab *f)
{
    return f->refused;
}

/* ---- out ---- */

struct hsl_fab_sent *fab_remote_launch(struct hsl_fab *f, uint64_t time_ps)
{
    struct hsl_fab_sent *ring = fab_at(f, f->off_sent);
    struct hsl_fab_sent *s = &ring[(f->sent_first + f->sent_len++) % FAB_SENT];

    s->time_ps = time_ps;
    return s;
}

int hsl_fab_sent(struct hsl_fab *f, struct hsl_fab_sent *out)
{
    const struct hsl_fab_sent *ring = fab_at(f, f->off_sent);

    if (!f->sent_len) {
        return 0;
    }
    *out = ring[f->sent_first];
    f->sent_first = (f->sent_first + 1) % FAB_SENT;
    f->sent_len--;
    return 1;
}

void fab_remote_give(struct hsl_fab *f, const struct fab_pkt *k)
{
    fab_leaves(f, fab_pkt_dst(k));
    fab_count_out(f, k->pair);
}

/* ---- lost ---- */

bool fab_remote_pair(struct hsl_fab *f, struct fab_pair pair)
{
    return fab_dst(f, fab_agent_node(f, pair.agent))->remote != fab_dst(f, pair.home)->remote;
}

void fab_remote_lost(struct hsl_fab *f, struct fab_pair pair)
{
    if (f->cut != HSL_NONE && fab_port(f, f->cut)->usable && f->peer_there && fab_remote_pair(f, pair)) {
        fab_at_time(f, fab_ev_bounce(f), f->now_ps);
    }
}

void fab_remote_bounce(struct hsl_fab *f)
{
    uint32_t state = fab_port(f, f->cut)->phy.state;

    if (state != HSL_LTSSM_DISABLED && state != HSL_LTSSM_HOT_RESET && state != HSL_LTSSM_DETECT) {
        fab_port_event(f, f->cut, HSL_PHY_DISABLE);
        fab_port_event(f, f->cut, HSL_PHY_ENABLE);
    }
}

/* The port is not usable any more, so nothing asks for DETECT. */
void fab_remote_down(struct hsl_fab *f)
{
    for (uint32_t a = 0; a < f->nagents; a++) {
        for (uint32_t h = 0; h < f->cfg.nodes; h++) {
            struct fab_pair pair = { .agent = (uint16_t)a, .home = (uint16_t)h };

            if (fab_remote_pair(f, pair)) {
                fab_fence(f, pair, HSL_ST_UNREACHABLE);
            }
        }
    }
}

/* ---- in ---- */

/* Index of an agent of somebody else, or of one here; HSL_NONE. */
static uint32_t agent_of(struct hsl_fab *f, uint16_t id, bool remote)
{
    uint32_t ix = fab_agent_ix(f, id);

    return ix != HSL_NONE && !fab_dst(f, fab_agent_node(f, ix))->remote == !remote ? ix : HSL_NONE;
}

/* Index of a home; HSL_NONE. */
static uint32_t home_of(struct hsl_fab *f, uint16_t id, bool remote)
{
    return id & HSL_AGENT_HOST_PORT ? HSL_NONE : agent_of(f, id, remote);
}

static bool is_open(const struct hsl_fab *f, const struct hsl_pkt *p)
{
    return p->u.h.opcode != HSL_PKT_AUTH && hsl_pkt_offset(p) < f->cfg.open_bytes;
}

/* Was the agent's request with this tag sent to the home? */
static bool asked(struct hsl_fab *f, uint32_t agent, uint32_t tag, uint32_t home)
{
    return tag < f->cfg.agent.requests && fab_request(f, agent, tag)->home == home;
}

/*
 * May somebody else say this of the agent's request? What his homes answer is about requests to them, and a line of a home
 * here that an owner of his has is an open one. A snoop makes an agent here answer in his place.
 */
static bool may_answer(struct hsl_fab *f, const struct hsl_pkt *p, uint32_t agent, uint32_t home)
{
    uint32_t fwd;

    switch (p->u.h.opcode) {
    case HSL_PKT_RSP:
    case HSL_PKT_COMP:
    case HSL_PKT_GO:
    case HSL_PKT_RETRY:
        return asked(f, agent, p->u.h.tag, home);
    case HSL_PKT_RSP_DATA:
        return fab_dst(f, home)->remote || is_open(f, p);
    case HSL_PKT_SNP_S:
    case HSL_PKT_SNP_U:
        fwd = fab_agent_ix(f, p->u.snp.fwd);
        return fwd != HSL_NONE &&
               (fab_dst(f, fab_agent_node(f, fwd))->remote || asked(f, fwd, p->u.snp.fwd_tag, home));
    default:
        return true;
    }
}

/* Whose packet is it? False: nobody's. */
static bool pair_of(struct hsl_fab *f, const struct hsl_pkt *p, struct fab_pair *pair)
{
    uint32_t agent, home;

    if (fab_pkt_for_home(p->u.h.opcode)) {
        agent = agent_of(f, p->u.h.src, true);
        home = home_of(f, p->u.h.dst, false);
    } else if (p->u.h.opcode == HSL_PKT_RSP_DATA) {     /* of the home, or of an owner */
        agent = agent_of(f, p->u.h.dst, false);
        home = agent_of(f, p->u.h.src, true);
        if (agent != HSL_NONE && home != HSL_NONE) {
            home = p->u.h.tag < f->cfg.agent.requests ? fab_request(f, agent, p->u.h.tag)->home : HSL_NONE;
        }
    } else {
        agent = agent_of(f, p->u.h.dst, false);
        home = home_of(f, p->u.h.src, true);
    }
    if (agent == HSL_NONE || home == HSL_NONE || hsl_pkt_check(p) || !may_answer(f, p, agent, home)) {
        return false;
    }
    *pair = (struct fab_pair){ (uint16_t)agent, (uint16_t)home, 0 };
    pair->tag = fab_pkt_tag(f, p);
    return true;
}

static void refuse(struct hsl_fab *f)
{
    f->refused++;
    fab_at_time(f, fab_ev_bounce(f), f->now_ps);
}

/* Has the agent as many packets under way as its requests and snoops of all homes are (fab_packets)? */
static bool is_full(struct hsl_fab *f, uint32_t agent)
{
    uint32_t n = 0;

    for (uint32_t h = 0; h < f->cfg.nodes; h++) {
        n += fab_under_way(f, (struct fab_pair){ (uint16_t)agent, (uint16_t)h, 0 })->packets;
    }
    return n >= f->cfg.agent.requests * 4 + f->cfg.nodes * f->cfg.home.requests;
}

/* Nobody takes what is for him, and he goes on to ask for more. */
static bool is_too_much(struct hsl_fab *f, const struct hsl_pkt *p, struct fab_pair pair)
{
    bool forwards = p->u.h.opcode == HSL_PKT_SNP_S || p->u.h.opcode == HSL_PKT_SNP_U;

    return is_full(f, pair.agent) || (forwards && is_full(f, fab_agent_ix(f, p->u.snp.fwd)));
}

void fab_remote_take(struct hsl_fab *f, const struct hsl_pkt *p)
{
    const uint32_t node = fab_port(f, f->cut)->node;
    bool request = hsl_pkt_vc(p->u.h.opcode) == HSL_VC_REQ, here;
    struct fab_pair pair;
    uint32_t i;

    if (!pair_of(f, p, &pair) || is_too_much(f, p, pair)) {
        refuse(f);
        return;
    }
    if (!fab_unfence(f, pair) || (request && !is_open(f, p))) {
        struct hsl_pkt no = hsl_coh_pkt(HSL_PKT_RSP, HSL_ST_UNREACHABLE, p->u.h.tag, p->u.h.dst,
                                        p->u.h.src, 0);

        if (request) {
            fab_inject(f, &no, pair, pair.home, 0);
        }
        return;
    }
    i = fab_pkt_new(f);
    if (i == HSL_NONE) {        /* cannot happen (is_full) */
        refuse(f);
        return;
    }
    if (p->u.h.opcode == HSL_PKT_RSP_DATA) {
        hsl_home_forwards(fab_home(f, pair.home), p);
    }
    fab_pkt(f, i)->pkt = *p;
    fab_pkt(f, i)->pair = pair;
    fab_pkt(f, i)->hops = 1;
    fab_pkt(f, i)->entered = 0;
    fab_count_in(f, pair);
    fab_enters(f, fab_pkt(f, i));
    here = fab_pkt_dst(fab_pkt(f, i)) == node;
    fab_net_stats(f, node)->forwarded += !here;
    fab_pkt_arrive(f, i, node, here ? 0 : f->cfg.profile.switch_ps);
}

/* ---- posts ---- */

static void remote_nodes(struct hsl_fab *f, bool present)
{
    for (uint32_t i = 0; i < f->cfg.nodes; i++) {
        struct hsl_event ev = { .type = HSL_EV_NODE, .u.node = { i + 1, present } };

        if (fab_dst(f, i)->remote) {
            hsl_model_post(fab_net(f), &ev);
            if (f->changing) {
                hsl_model_post(fab_net_new(f), &ev);
            }
        }
    }
}

static int peer(struct hsl_fab *f, const struct hsl_link_cfg *link)
{
    const struct fab_port *port = fab_port(f, f->cut);
    bool node_there = port->node >= f->cfg.nodes || hsl_ix_present(fab_net(f), port->node);

    if (link) {
        struct hsl_link_cfg other = f->cfg.link;
        int err;

        other.replay_flits = link->replay_flits;
        other.reorder = link->reorder;
        other.seq_bits = link->seq_bits;
        other.credit_shift = link->credit_shift;
        memcpy(other.rx_slots, link->rx_slots, sizeof(other.rx_slots));
        err = hsl_link_peer(fab_link(f, f->cut), &other);
        if (err) {
            return err;
        }
    }
    if (!link) {
        fab_flights_forget(f);
    }
    f->peer_there = link != NULL;
    remote_nodes(f, link);
    fab_port_event(f, f->cut, link && node_there ? HSL_PHY_PRESENT : HSL_PHY_ABSENT);
    return 0;
}

static int arrive(struct hsl_fab *f, const struct hsl_fab_in *in)
{
    struct fab_port *port = fab_port(f, f->cut), *from = fab_port(f, port->peer);
    uint64_t each, delay_ps = 0, at_ps = in->u.arrive.time_ps;
    struct hsl_wire_out out[2];
    struct fab_flight *t;
    uint32_t n;

    if (at_ps < f->now_ps || at_ps >= HSL_FAB_TIME_MAX || !in->u.arrive.flit == !in->u.arrive.ts) {
        return -EINVAL;
    }
    if (in->u.arrive.ts) {
        t = fab_flight_new(f, f->cut, port->peer, at_ps);
        if (t) {
            t->is_ts = true;
            t->u.ts = *in->u.arrive.ts;
        }
        return 0;
    }
    n = hsl_wire_pass(&from->wire, in->u.arrive.flit, out);
    if (from->test.arm) {
        n = fab_test_flit(from, in->u.arrive.flit, out, n, &delay_ps);
    }
    each = port->phy.width ? fab_flit_ps(port) : 0;
    for (uint32_t i = 0; i < n; i++) {
        t = fab_flight_new(f, f->cut, port->peer, at_ps + (each + 1) * out[i].late + delay_ps);
        if (t) {
            t->u.flit = out[i].flit;
        }
    }
    return 0;
}

int fab_remote_post(struct hsl_fab *f, const struct hsl_fab_in *in)
{
    if (f->cut == HSL_NONE) {
        return -EINVAL;
    }
    return in->type == HSL_FAB_PEER ? peer(f, in->u.peer.link) : arrive(f, in);
}

void hsl_fab_advance(struct hsl_fab *f, uint64_t time_ps)
{
    uint64_t next = hsl_fab_next_ps(f), to = time_ps < next ? time_ps : next;

    if (to > f->now_ps && to < HSL_FAB_TIME_MAX) {
        f->now_ps = to;
    }
}
