/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The model's front: configuration, arena, the dispatch of events, the hash and the queries. The
 * work is in
 *
 *     net.c      who is linked, which links work, the next node on the way
 *     txn.c      a request and its one answer
 *     time.c     the event queue and the latency formula
 *     profile.c  link profiles
 *     flit.c     flits, wire bytes; no state; their CRC in crc64.c
 *
 * State is: now, present[], link_up[], the live transactions in order of birth and the output list.
 * Everything else in the arena (routes, heap, look-up chains, free list, slot numbers, birth
 * numbers) follows from it or does not show. The hash covers the configuration and the state and
 * nothing else, so it is equal for equal states whatever history led there and wherever the arena
 * lies.
 */
#include <errno.h>
#include <string.h>

#include "model_priv.h"

#if !defined(__BYTE_ORDER__) || __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "packets and flits are used in place: the model needs a little-endian host"
#endif

#define INFLIGHT_PER_NODE   4u
#define INFLIGHT_MAX        (1u << 20)
#define HOP_LIMIT_MAX       255u    /* eight bits of a request's addr */
#define RING_NODES_MAX      (HOP_LIMIT_MAX + 1)

static const char *const topology_names[] = {
    [HSL_TOPO_PAIR] = "pair",
    [HSL_TOPO_RING] = "ring",
    [HSL_TOPO_MESH] = "mesh",
    [HSL_TOPO_SWITCH] = "switch",
    [HSL_TOPO_FILE] = "file",
};
#define NTOPOLOGIES (sizeof(topology_names) / sizeof(topology_names[0]))

int hsl_topology_parse(const char *name, enum hsl_topology *out)
{
    for (size_t i = 0; name && i < HSL_TOPO_FILE; i++) {
        if (!strcmp(topology_names[i], name)) {
            *out = (enum hsl_topology)i;
            return 0;
        }
    }
    return -EINVAL;
}

const char *hsl_topology_name(enum hsl_topology t)
{
    return (size_t)t < NTOPOLOGIES ? topology_names[t] : "unknown";
}

const char *hsl_model_check(const struct hsl_model_config *cfg)
{
    if (!cfg) {
        return "there is no configuration";
    }
    if ((size_t)cfg->topology >= NTOPOLOGIES) {
        return "the topology is one of pair, ring, mesh, switch and file";
    }
    if (cfg->nodes < 1 || cfg->nodes > HSL_MODEL_NODES_MAX) {
        return "a fabric has 1 to 4096 chips";
    }
    if (cfg->topology == HSL_TOPO_PAIR && cfg->nodes > 2) {
        return "a pair has at most 2 chips: use mesh, ring or switch";
    }
    if (cfg->topology == HSL_TOPO_MESH && cfg->nodes > HSL_MODEL_LINKS_PER_NODE_MAX + 1) {
        return "a mesh has at most 17 chips, larger meshes are refused: use ring or switch";
    }
    if (cfg->topology == HSL_TOPO_RING && cfg->nodes > RING_NODES_MAX) {
        return "a ring has at most 256 chips, larger rings are refused: use switch";
    }
    if (cfg->topology == HSL_TOPO_FILE && hsl_net_check_graph(cfg)) {
        return hsl_net_check_graph(cfg);
    }
    if (cfg->host_node < HSL_NODE_HOST_DEFAULT || cfg->host_node >= HSL_NODE_SWITCH_FIRST) {
        return "the node id of the host is one of 16384 to 28671";
    }
    if (cfg->max_inflight > INFLIGHT_MAX) {
        return "at most 1048576 transactions can be in flight";
    }
    if (cfg->hop_limit > HOP_LIMIT_MAX) {
        return "the hop limit is at most 255";
    }
    return hsl_profile_check(&cfg->profile);
}

static uint64_t take(uint64_t *end, uint64_t bytes)
{
    uint64_t off = *end;

    *end += (bytes + 7) & ~UINT64_C(7);
    return off;
}

/* All of *m that follows from a valid configuration; returns the bytes of the arena. */
static uint64_t model_layout(struct hsl_model *m, const struct hsl_model_config *cfg)
{
    uint64_t end = 0;
    uint32_t hops;

    memset(m, 0, sizeof(*m));
    m->cfg.nodes = cfg->nodes;
    m->cfg.topology = cfg->topology;
    m->cfg.host_node = cfg->host_node;
    m->cfg.max_inflight = cfg->max_inflight ? cfg->max_inflight : INFLIGHT_PER_NODE * cfg->nodes;
    m->cfg.profile = cfg->profile;
    m->shape = hsl_net_shape(cfg->topology, cfg->nodes);
    m->nswitches = hsl_net_switches(cfg);
    m->nlinks = hsl_net_total_links(cfg);
    hops = cfg->hop_limit ? cfg->hop_limit : cfg->nodes;
    if (m->shape == HSL_SHAPE_GRAPH) {
        hops += cfg->hop_limit ? 0 : m->nswitches;
        m->cfg.switches = m->nswitches;
        m->cfg.nlinks = m->nlinks;
    }
    m->cfg.hop_limit = hops < HOP_LIMIT_MAX ? hops : HOP_LIMIT_MAX;
    m->link_ps = (uint32_t)hsl_time_link_ps(&cfg->profile);
    m->nbuckets = 1;
    while (m->nbuckets < m->cfg.max_inflight) {
        m->nbuckets *= 2;
    }
    take(&end, sizeof(*m));
    m->off_txn = take(&end, (uint64_t)m->cfg.max_inflight * sizeof(struct hsl_txn));
    m->off_heap = take(&end, (uint64_t)m->cfg.max_inflight * sizeof(uint32_t));
    m->off_bucket = take(&end, (uint64_t)m->nbuckets * sizeof(uint32_t));
    m->off_present = take(&end, cfg->nodes);
    m->off_link_up = take(&end, m->nlinks);
    m->off_graph = take(&end, hsl_net_graph_bytes(m));
    m->off_route = take(&end, hsl_net_route_bytes(m));
    return end;
}

size_t hsl_model_size(const struct hsl_model_config *cfg)
{
    struct hsl_model m;
    uint64_t bytes;

    if (hsl_model_check(cfg)) {
        return 0;
    }
    bytes = model_layout(&m, cfg);
    return bytes <= SIZE_MAX ? (size_t)bytes : 0;
}

int hsl_model_init(struct hsl_model *m, size_t arena_bytes, const struct hsl_model_config *cfg)
{
    struct hsl_model head;
    size_t bytes = hsl_model_size(cfg);

    if (!m || (uintptr_t)m % 8 || !bytes) {
        return -EINVAL;
    }
    if (arena_bytes < bytes) {
        return -ENOSPC;
    }
    model_layout(&head, cfg);
    memset(m, 0, bytes);
    memcpy(m, &head, sizeof(head));
    memset(hsl_arena_at(m, m->off_link_up), 1, m->nlinks);
    hsl_net_init_graph(m, cfg->links);
    hsl_txn_init(m);
    hsl_net_reroute(m);
    return 0;
}

/* ix of a node of the topology, HSL_NONE for hosts and ids that do not exist. */
static uint32_t node_ix(const struct hsl_model *m, uint32_t id)
{
    if (hsl_id_is_chip(m, id)) {
        return id - 1;
    }
    return id >= HSL_NODE_SWITCH_FIRST && id - HSL_NODE_SWITCH_FIRST < m->nswitches ?
           m->cfg.nodes + id - HSL_NODE_SWITCH_FIRST : HSL_NONE;
}

static int post_link(struct hsl_model *m, uint32_t a_id, uint32_t b_id, bool up)
{
    uint8_t *link_up = hsl_arena_at(m, m->off_link_up);
    uint32_t a = node_ix(m, a_id), b = node_ix(m, b_id), link;

    link = a == HSL_NONE || b == HSL_NONE ? HSL_NONE : hsl_net_link_between(m, a, b);
    if (link == HSL_NONE) {
        return -EINVAL;
    }
    if (link_up[link] == up) {
        return 0;
    }
    link_up[link] = up;
    hsl_net_reroute(m);
    if (!up) {
        hsl_txn_link_gone(m, a, b);
    }
    return 0;
}

static int post_node(struct hsl_model *m, uint32_t id, bool present)
{
    uint8_t *here = hsl_arena_at(m, m->off_present);

    if (!hsl_id_is_chip(m, id)) {
        return -EINVAL;
    }
    if (here[id - 1] == present) {
        return 0;
    }
    here[id - 1] = present;
    hsl_net_reroute(m);
    if (!present) {
        hsl_txn_node_gone(m, id - 1);
    }
    return 0;
}

int hsl_model_post(struct hsl_model *m, const struct hsl_event *ev)
{
    switch (ev->type) {
    case HSL_EV_REQ:
        return hsl_txn_post_req(m, &ev->u.req);
    case HSL_EV_RSP:
        return hsl_txn_post_rsp(m, &ev->u.rsp);
    case HSL_EV_LINK:
        return post_link(m, ev->u.link.a, ev->u.link.b, ev->u.link.up);
    case HSL_EV_NODE:
        return post_node(m, ev->u.node.id, ev->u.node.present);
    }
    return -EINVAL;
}

int hsl_model_step(struct hsl_model *m)
{
    uint32_t t = hsl_time_pop(m);

    if (t == HSL_NONE) {
        return 0;
    }
    hsl_txn_arrive(m, t);
    return 1;
}

int hsl_model_drain(struct hsl_model *m, struct hsl_output *out)
{
    return hsl_txn_drain(m, out);
}

uint64_t hsl_model_now_ps(const struct hsl_model *m)
{
    return m->now_ps;
}

static uint64_t mix_bytes(uint64_t h, const uint8_t *p, size_t n)
{
    h = hsl_mix(h, n);
    for (size_t i = 0; i < n; i++) {
        h = hsl_mix(h, p[i]);
    }
    return h;
}

static uint64_t mix_config(uint64_t h, const struct hsl_model_config *c)
{
    const struct hsl_profile *p = &c->profile;
    const uint32_t words[] = {
        c->nodes, (uint32_t)c->topology, c->host_node, c->max_inflight, c->hop_limit, p->lanes,
        p->rate_mtps, p->port_ps, p->cable_ps, p->switch_ps, p->home_ps, p->dram_ps,
    };

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        h = hsl_mix(h, words[i]);
    }
    return mix_bytes(h, (const uint8_t *)p->name, strlen(p->name));
}

static uint64_t mix_txn(uint64_t h, const struct hsl_txn *x)
{
    h = hsl_mix(h, (uint64_t)x->req.opcode << 56 | (uint64_t)x->req.flags << 48 |
               (uint64_t)x->req.tag << 32 | (uint64_t)x->req.src << 16 | x->req.dst);
    h = hsl_mix(h, x->req.addr);
    h = hsl_mix(h, x->req.key);
    h = hsl_mix(h, (uint64_t)x->req.ctx_seg << 32 | x->req.epoch);
    h = hsl_mix(h, (uint64_t)x->state << 32 | x->hops);
    switch ((enum hsl_txn_state)x->state) {
    case HSL_TXN_RSP:
    case HSL_TXN_FAILED:
    case HSL_TXN_DONE:
        h = hsl_mix(h, x->status);
        h = hsl_mix(h, x->value);
        break;
    default:
        break;
    }
    if (x->state != HSL_TXN_HOME) {
        h = hsl_mix(h, x->time_ps);
    }
    if (x->state == HSL_TXN_REQ || x->state == HSL_TXN_RSP) {
        h = hsl_mix(h, (uint64_t)x->from << 32 | x->at);
    }
    return h;
}

uint64_t hsl_model_hash(const struct hsl_model *m)
{
    uint64_t h = mix_config(0, &m->cfg);

    h = mix_bytes(h, hsl_arena_at_const(m, m->off_graph), hsl_net_graph_bytes(m));
    h = hsl_mix(h, m->now_ps);
    h = mix_bytes(h, hsl_arena_at_const(m, m->off_present), m->cfg.nodes);
    h = mix_bytes(h, hsl_arena_at_const(m, m->off_link_up), m->nlinks);
    for (uint32_t t = m->live_head; t != HSL_NONE; t = hsl_txn_at_const(m, t)->live_next) {
        h = mix_txn(h, hsl_txn_at_const(m, t));
    }
    h = hsl_mix(h, HSL_NONE);
    for (uint32_t t = m->out_head; t != HSL_NONE; t = hsl_txn_at_const(m, t)->out_next) {
        const struct hsl_txn *x = hsl_txn_at_const(m, t);

        h = hsl_mix(h, (uint64_t)x->src << 16 | x->req.tag);
    }
    return h;
}

uint32_t hsl_model_nlinks(const struct hsl_model *m, uint32_t node)
{
    uint32_t ix = node_ix(m, node);

    return ix == HSL_NONE ? 0 : hsl_net_degree(m, ix);
}

int hsl_model_link(const struct hsl_model *m, uint32_t node, uint32_t index,
                   struct hsl_model_link *out)
{
    uint32_t ix = node_ix(m, node), peer;
    bool up;

    if (ix == HSL_NONE || index >= hsl_net_degree(m, ix)) {
        return -EINVAL;
    }
    peer = hsl_net_peer(m, ix, index);
    up = hsl_net_link_is_up(m, ix, peer);
    *out = (struct hsl_model_link){
        .peer = hsl_net_id(m, peer),
        .peer_type = peer < m->cfg.nodes ? HSL_NODE_TYPE_CHIP : HSL_NODE_TYPE_SWITCH,
        .state = up ? HSL_LTSSM_L0 : HSL_LTSSM_DETECT,
        .width = up ? m->cfg.profile.lanes : 0,
        .rate_mtps = up ? m->cfg.profile.rate_mtps : 0,
        .max_width = m->cfg.profile.lanes,
        .max_rate_mtps = m->cfg.profile.rate_mtps,
        .latency_ps = m->link_ps,
    };
    return 0;
}

int hsl_model_hops(const struct hsl_model *m, uint32_t src, uint32_t dst)
{
    uint32_t distance;

    /* A host is zero links away from each chip: it is reached through the chip's own host port. */
    if (src == m->cfg.host_node) {
        src = dst;
    } else if (dst == m->cfg.host_node) {
        dst = src;
    }
    if (src == m->cfg.host_node) {
        return 0;
    }
    if (!hsl_id_is_chip(m, src) || !hsl_id_is_chip(m, dst)) {
        return -EINVAL;
    }
    distance = hsl_net_distance(m, src - 1, dst - 1);
    return distance > m->cfg.hop_limit ? -EHOSTUNREACH : (int)distance;
}

int hsl_model_way(const struct hsl_model *m, uint32_t src, uint32_t dst, uint32_t way[HSL_WAY_MAX])
{
    int hops = hsl_model_hops(m, src, dst);
    uint32_t at = src - 1;

    for (int i = 0; i < hops; i++) {
        uint32_t next = hsl_net_next(m, at, dst - 1);

        way[i] = 2 * hsl_net_link_between(m, at, next) + (next < at);
        at = next;
    }
    return hops;
}

uint32_t hsl_model_links(const struct hsl_model *m)
{
    return m->nlinks;
}
