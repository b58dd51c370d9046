/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Network: which nodes are linked, which of the links work, and the next node on the way to
 * another.
 *
 * Topologies of n chips (docs/hep.md section 8):
 *
 *   pair    one link between chips 1 and 2
 *   mesh    a full mesh: every two chips are linked; at most 17 chips, since a chip has at most 16
 *           links
 *   ring    chip i is linked to i + 1 and n to 1; at most 256 chips, since a packet counts at most
 *           255 hops and the way around a broken ring is n - 1 long
 *   switch  one switch, node HSL_NODE_SWITCH_FIRST, with one link to each chip
 *   file    any connected graph of at most 256 chips and switches, so that a way has 255 links
 *
 * A pair is a mesh of two, a ring of two is a pair and one chip alone has no links: four shapes
 * are left. A link works ("is up") when it is not held down and both its ends are present. A switch
 * is always present.
 *
 * Routing is by shortest path over working links, hop by hop, each node deciding with the routes of
 * the moment. What is kept per shape so that a decision is O(1):
 *
 *   FULL  next[dst][v] and distance[dst][v] by breadth-first search from every dst; ties go to the
 *         lowest node. n <= 17.
 *   RING  cw[v], ccw[v]: working links in a row, upwards and downwards from v. The shorter way if
 *         it works, upwards when equal.
 *   STAR  nothing: both links work or there is no way.
 *   GRAPH as FULL, over the links of the list: adjacency is kept for each node (struct port), in
 *         the order of the list, which is the order of its link blocks.
 *
 * Invariant between changes: next is one link closer to dst, so a packet arrives after distance
 * links. Across changes a packet may turn back; the hop limit bounds that.
 */
#include <string.h>

#include "model_priv.h"

/* Distances in FULL tables are bytes. */
#define FAR 0xffu
/* In those of GRAPH they have 16 bits. */
#define GRAPH_FAR 0xffffu

/* One end of a link of a GRAPH. A node's are in a row, from first[ix] to first[ix + 1]. */
struct port {
    uint16_t peer, link;
};

/* ---- graphs ---- */

static uint32_t vertices(const struct hsl_model *m)
{
    return m->cfg.nodes + m->nswitches;
}

static const uint32_t *graph_first(const struct hsl_model *m)
{
    return hsl_arena_at_const(m, m->off_graph);
}

static const struct port *graph_ports(const struct hsl_model *m)
{
    return (const struct port *)(graph_first(m) + vertices(m) + 1);
}

size_t hsl_net_graph_bytes(const struct hsl_model *m)
{
    if (m->shape != HSL_SHAPE_GRAPH) {
        return 0;
    }
    return (vertices(m) + 1) * sizeof(uint32_t) + 2 * (size_t)m->nlinks * sizeof(struct port);
}

/* ix of a node of a file, HSL_NONE for others. */
static uint32_t file_ix(uint32_t id, uint32_t chips, uint32_t switches)
{
    if (id >= 1 && id <= chips) {
        return id - 1;
    }
    return id >= HSL_NODE_SWITCH_FIRST && id - HSL_NODE_SWITCH_FIRST < switches ?
           chips + id - HSL_NODE_SWITCH_FIRST : HSL_NONE;
}

static bool is_connected(const struct hsl_model_config *cfg)
{
    bool reached[HSL_MODEL_FILE_NODES_MAX] = { true }, more = true;
    uint32_t n = 1;

    while (more) {
        more = false;
        for (uint32_t i = 0; i < cfg->nlinks; i++) {
            uint32_t a = file_ix(cfg->links[i].a, cfg->nodes, cfg->switches);
            uint32_t b = file_ix(cfg->links[i].b, cfg->nodes, cfg->switches);

            if (reached[a] != reached[b]) {
                reached[a] = reached[b] = more = true;
                n++;
            }
        }
    }
    return n == cfg->nodes + cfg->switches;
}

const char *hsl_net_check_graph(const struct hsl_model_config *cfg)
{
    uint8_t linked[HSL_MODEL_FILE_NODES_MAX][HSL_MODEL_FILE_NODES_MAX / 8] = { { 0 } };
    uint8_t degree[HSL_MODEL_FILE_NODES_MAX] = { 0 };

    if (cfg->nodes > HSL_MODEL_FILE_NODES_MAX ||
        cfg->switches > HSL_MODEL_FILE_NODES_MAX - cfg->nodes) {
        return "a fabric from a file has at most 256 chips and switches";
    }
    if (cfg->nlinks > HSL_MODEL_FILE_LINKS_MAX || (cfg->nlinks && !cfg->links)) {
        return "a fabric from a file has at most 4096 links";
    }
    for (uint32_t i = 0; i < cfg->nlinks; i++) {
        uint32_t a = file_ix(cfg->links[i].a, cfg->nodes, cfg->switches);
        uint32_t b = file_ix(cfg->links[i].b, cfg->nodes, cfg->switches);

        if (a == HSL_NONE || b == HSL_NONE) {
            return "a link joins nodes of its fabric";
        }
        if (a == b || linked[a][b / 8] & 1u << b % 8) {
            return "a link joins two nodes that no other link joins";
        }
        linked[a][b / 8] |= (uint8_t)(1u << b % 8);
        linked[b][a / 8] |= (uint8_t)(1u << a % 8);
        if ((a < cfg->nodes && ++degree[a] > HSL_MODEL_LINKS_PER_NODE_MAX) ||
            (b < cfg->nodes && ++degree[b] > HSL_MODEL_LINKS_PER_NODE_MAX)) {
            return "a chip has at most 16 links";
        }
    }
    return is_connected(cfg) ? NULL : "every node of a fabric has a way to every other one";
}

void hsl_net_init_graph(struct hsl_model *m, const struct hsl_topo_link *links)
{
    uint32_t *first = hsl_arena_at(m, m->off_graph), n = 0;
    struct port *ports = (struct port *)(first + vertices(m) + 1);

    if (m->shape != HSL_SHAPE_GRAPH) {
        return;
    }
    for (uint32_t v = 0; v < vertices(m); v++) {
        first[v] = n;
        for (uint32_t i = 0; i < m->nlinks; i++) {
            uint32_t a = file_ix(links[i].a, m->cfg.nodes, m->nswitches);
            uint32_t b = file_ix(links[i].b, m->cfg.nodes, m->nswitches);

            if (a == v || b == v) {
                ports[n++] = (struct port){ (uint16_t)(a == v ? b : a), (uint16_t)i };
            }
        }
    }
    first[vertices(m)] = n;
}

static bool port_works(const struct hsl_model *m, uint32_t ix, const struct port *p)
{
    const uint8_t *up = hsl_arena_at_const(m, m->off_link_up);

    return up[p->link] && hsl_ix_present(m, ix) && hsl_ix_present(m, p->peer);
}

static void graph_search(struct hsl_model *m, uint32_t dst, uint16_t *next, uint16_t *dist)
{
    const uint32_t *first = graph_first(m);
    uint16_t queue[HSL_MODEL_FILE_NODES_MAX];
    uint32_t head = 0, tail = 0;

    for (uint32_t v = 0; v < vertices(m); v++) {
        next[v] = dist[v] = GRAPH_FAR;
    }
    dist[dst] = 0;
    queue[tail++] = (uint16_t)dst;
    while (head < tail) {
        uint32_t v = queue[head++];

        for (uint32_t i = first[v]; i < first[v + 1]; i++) {
            const struct port *p = &graph_ports(m)[i];

            if (!port_works(m, v, p)) {
                continue;
            }
            if (dist[p->peer] == GRAPH_FAR) {
                dist[p->peer] = (uint16_t)(dist[v] + 1);
                queue[tail++] = p->peer;
            }
            if (dist[p->peer] == dist[v] + 1 && v < next[p->peer]) {
                next[p->peer] = (uint16_t)v;
            }
        }
    }
}

/* next[] and dist[] towards one chip, by ix */
static uint16_t *graph_next(struct hsl_model *m, uint32_t dst)
{
    return (uint16_t *)hsl_arena_at(m, m->off_route) + 2 * (size_t)dst * vertices(m);
}

static const uint16_t *graph_next_const(const struct hsl_model *m, uint32_t dst)
{
    return (const uint16_t *)hsl_arena_at_const(m, m->off_route) + 2 * (size_t)dst * vertices(m);
}

static const uint16_t *graph_dist(const struct hsl_model *m, uint32_t dst)
{
    return graph_next_const(m, dst) + vertices(m);
}

/* ---- all shapes ---- */

enum hsl_shape hsl_net_shape(enum hsl_topology topology, uint32_t nodes)
{
    if (topology == HSL_TOPO_FILE) {
        return HSL_SHAPE_GRAPH;
    }
    if (topology == HSL_TOPO_SWITCH && nodes > 1) {
        return HSL_SHAPE_STAR;
    }
    if (topology == HSL_TOPO_RING && nodes > 2) {
        return HSL_SHAPE_RING;
    }
    return HSL_SHAPE_FULL;
}

uint32_t hsl_net_total_links(const struct hsl_model_config *cfg)
{
    switch (hsl_net_shape(cfg->topology, cfg->nodes)) {
    case HSL_SHAPE_FULL:
        return cfg->nodes * (cfg->nodes - 1) / 2;
    case HSL_SHAPE_RING:
    case HSL_SHAPE_STAR:
        return cfg->nodes;
    case HSL_SHAPE_GRAPH:
        return cfg->nlinks;
    }
    return 0;
}

uint32_t hsl_net_switches(const struct hsl_model_config *cfg)
{
    enum hsl_shape shape = hsl_net_shape(cfg->topology, cfg->nodes);

    return shape == HSL_SHAPE_STAR ? 1 : shape == HSL_SHAPE_GRAPH ? cfg->switches : 0;
}

size_t hsl_net_route_bytes(const struct hsl_model *m)
{
    size_t nodes = m->cfg.nodes;

    switch ((enum hsl_shape)m->shape) {
    case HSL_SHAPE_FULL:
        return 2 * nodes * nodes;
    case HSL_SHAPE_RING:
        return 2 * nodes * sizeof(uint16_t);
    case HSL_SHAPE_GRAPH:
        return 2 * nodes * vertices(m) * sizeof(uint16_t);
    case HSL_SHAPE_STAR:
        break;
    }
    return 0;
}

static uint32_t graph_link_between(const struct hsl_model *m, uint32_t a, uint32_t b)
{
    const uint32_t *first = graph_first(m);

    for (uint32_t i = first[a]; i < first[a + 1]; i++) {
        if (graph_ports(m)[i].peer == b) {
            return graph_ports(m)[i].link;
        }
    }
    return HSL_NONE;
}

uint32_t hsl_net_link_between(const struct hsl_model *m, uint32_t a, uint32_t b)
{
    uint32_t n = m->cfg.nodes;
    uint32_t lo = a < b ? a : b, hi = a < b ? b : a;

    if (lo == hi) {
        return HSL_NONE;
    }
    switch ((enum hsl_shape)m->shape) {
    case HSL_SHAPE_FULL:
        return hi < n ? hi * (hi - 1) / 2 + lo : HSL_NONE;
    case HSL_SHAPE_RING:
        if (hi >= n) {
            return HSL_NONE;
        }
        return hi == lo + 1 ? lo : (lo == 0 && hi == n - 1) ? hi : HSL_NONE;
    case HSL_SHAPE_STAR:
        return hi == n ? lo : HSL_NONE;
    case HSL_SHAPE_GRAPH:
        return graph_link_between(m, lo, hi);
    }
    return HSL_NONE;
}

bool hsl_net_link_is_up(const struct hsl_model *m, uint32_t a, uint32_t b)
{
    const uint8_t *up = hsl_arena_at_const(m, m->off_link_up);
    uint32_t link = hsl_net_link_between(m, a, b);

    return link != HSL_NONE && up[link] && hsl_ix_present(m, a) && hsl_ix_present(m, b);
}

bool hsl_net_link_held_up(const struct hsl_model *m, uint32_t a, uint32_t b)
{
    const uint8_t *up = hsl_arena_at_const(m, m->off_link_up);

    return up[hsl_net_link_between(m, a, b)];
}

uint32_t hsl_net_degree(const struct hsl_model *m, uint32_t ix)
{
    switch ((enum hsl_shape)m->shape) {
    case HSL_SHAPE_FULL:
        return m->cfg.nodes - 1;
    case HSL_SHAPE_RING:
        return 2;
    case HSL_SHAPE_STAR:
        return ix == m->cfg.nodes ? m->cfg.nodes : 1;
    case HSL_SHAPE_GRAPH:
        return graph_first(m)[ix + 1] - graph_first(m)[ix];
    }
    return 0;
}

uint32_t hsl_net_peer(const struct hsl_model *m, uint32_t ix, uint32_t k)
{
    uint32_t n = m->cfg.nodes;

    switch ((enum hsl_shape)m->shape) {
    case HSL_SHAPE_FULL:
        return k < ix ? k : k + 1;
    case HSL_SHAPE_RING:
        return k == 0 ? (ix + 1) % n : (ix + n - 1) % n;
    case HSL_SHAPE_STAR:
        return ix == n ? k : n;
    case HSL_SHAPE_GRAPH:
        return graph_ports(m)[graph_first(m)[ix] + k].peer;
    }
    return HSL_NONE;
}

static void full_search(struct hsl_model *m, uint32_t dst, uint8_t *next, uint8_t *dist)
{
    uint32_t n = m->cfg.nodes, head = 0, tail = 0;
    uint8_t queue[HSL_MODEL_LINKS_PER_NODE_MAX + 1];

    memset(next, FAR, n);
    memset(dist, FAR, n);
    dist[dst] = 0;
    queue[tail++] = (uint8_t)dst;
    while (head < tail) {
        uint32_t v = queue[head++];

        for (uint32_t w = 0; w < n; w++) {
            if (!hsl_net_link_is_up(m, v, w)) {
                continue;
            }
            if (dist[w] == FAR) {
                dist[w] = (uint8_t)(dist[v] + 1);
                queue[tail++] = (uint8_t)w;
            }
            /* whichever search order: the lowest of the nodes that are one closer */
            if (dist[w] == dist[v] + 1 && v < next[w]) {
                next[w] = (uint8_t)v;
            }
        }
    }
}

static void ring_runs(struct hsl_model *m, uint16_t *cw, uint16_t *ccw)
{
    uint32_t n = m->cfg.nodes, gap = 0;

    while (gap < n && hsl_net_link_is_up(m, gap, (gap + 1) % n)) {
        gap++;
    }
    for (uint32_t v = 0; v < n; v++) {
        cw[v] = ccw[v] = (uint16_t)(n - 1);
    }
    if (gap == n) {
        return;
    }
    /* Count away from a gap: no run passes it, so once around is enough. */
    cw[gap] = 0;
    ccw[(gap + 1) % n] = 0;
    for (uint32_t k = 1; k < n; k++) {
        uint32_t v = (gap + n - k) % n, above = (v + 1) % n;
        uint32_t u = (gap + 1 + k) % n, below = (u + n - 1) % n;

        cw[v] = (uint16_t)(hsl_net_link_is_up(m, v, above) ? cw[above] + 1 : 0);
        ccw[u] = (uint16_t)(hsl_net_link_is_up(m, below, u) ? ccw[below] + 1 : 0);
    }
}

void hsl_net_reroute(struct hsl_model *m)
{
    uint32_t n = m->cfg.nodes;

    switch ((enum hsl_shape)m->shape) {
    case HSL_SHAPE_FULL: {
        uint8_t *next = hsl_arena_at(m, m->off_route), *dist = next + n * n;

        for (uint32_t dst = 0; dst < n; dst++) {
            full_search(m, dst, next + dst * n, dist + dst * n);
        }
        break;
    }
    case HSL_SHAPE_RING: {
        uint16_t *cw = hsl_arena_at(m, m->off_route);

        ring_runs(m, cw, cw + n);
        break;
    }
    case HSL_SHAPE_GRAPH:
        for (uint32_t dst = 0; dst < n; dst++) {
            graph_search(m, dst, graph_next(m, dst), graph_next(m, dst) + vertices(m));
        }
        break;
    case HSL_SHAPE_STAR:
        break;
    }
}

/* Steps from `from` to dst on the ring: > 0 upwards, < 0 downwards, 0 no way. */
static int32_t ring_way(const struct hsl_model *m, uint32_t from, uint32_t dst)
{
    uint32_t n = m->cfg.nodes;
    const uint16_t *cw = hsl_arena_at_const(m, m->off_route), *ccw = cw + n;
    uint32_t up = (dst + n - from) % n, down = n - up;
    bool can_up = cw[from] >= up, can_down = ccw[from] >= down;

    if (can_up && (up <= down || !can_down)) {
        return (int32_t)up;
    }
    return can_down ? -(int32_t)down : 0;
}

uint32_t hsl_net_next(const struct hsl_model *m, uint32_t from, uint32_t dst)
{
    uint32_t n = m->cfg.nodes;

    switch ((enum hsl_shape)m->shape) {
    case HSL_SHAPE_FULL: {
        const uint8_t *next = hsl_arena_at_const(m, m->off_route);
        uint8_t v = next[dst * n + from];

        return v == FAR ? HSL_NONE : v;
    }
    case HSL_SHAPE_RING: {
        int32_t way = ring_way(m, from, dst);

        return way > 0 ? (from + 1) % n : way < 0 ? (from + n - 1) % n : HSL_NONE;
    }
    case HSL_SHAPE_STAR:
        if (!hsl_net_link_is_up(m, dst, n)) {
            return HSL_NONE;
        }
        return from == n ? dst : hsl_net_link_is_up(m, from, n) ? n : HSL_NONE;
    case HSL_SHAPE_GRAPH: {
        uint16_t v = graph_next_const(m, dst)[from];

        return v == GRAPH_FAR ? HSL_NONE : v;
    }
    }
    return HSL_NONE;
}

/* One link closer to dst than `from`, by a link that works. */
static bool is_next(const struct hsl_model *m, uint32_t from, uint32_t v, uint32_t dst)
{
    if (m->shape == HSL_SHAPE_GRAPH) {
        const uint16_t *dist = graph_dist(m, dst);

        return dist[v] + 1 == dist[from] && hsl_net_link_is_up(m, from, v);
    } else {
        const uint8_t *next = hsl_arena_at_const(m, m->off_route);
        const uint8_t *dist = next + (m->cfg.nodes + dst) * m->cfg.nodes;

        return dist[v] + 1 == dist[from] && hsl_net_link_is_up(m, from, v);
    }
}

static uint32_t ring_next_k(const struct hsl_model *m, uint32_t from, uint32_t dst, uint32_t k)
{
    uint32_t n = m->cfg.nodes, down = (from + n - dst) % n;
    const uint16_t *ccw = (const uint16_t *)hsl_arena_at_const(m, m->off_route) + n;

    if (k == 1 && 2 * down == n && ring_way(m, from, dst) > 0 && ccw[from] >= down) {
        return (from + n - 1) % n;
    }
    return HSL_NONE;
}

uint32_t hsl_net_next_k(const struct hsl_model *m, uint32_t from, uint32_t dst, uint32_t k)
{
    uint32_t v = hsl_net_next(m, from, dst);

    if (!k || v == HSL_NONE || m->shape == HSL_SHAPE_STAR) {
        return k ? HSL_NONE : v;
    }
    if (m->shape == HSL_SHAPE_RING) {
        return ring_next_k(m, from, dst, k);
    }
    while (k && ++v < vertices(m)) {
        k -= is_next(m, from, v, dst);
    }
    return v < vertices(m) ? v : HSL_NONE;
}

uint32_t hsl_net_distance(const struct hsl_model *m, uint32_t src, uint32_t dst)
{
    uint32_t n = m->cfg.nodes;

    if (!hsl_ix_present(m, src) || !hsl_ix_present(m, dst)) {
        return HSL_NONE;
    }
    if (src == dst) {
        return 0;
    }
    switch ((enum hsl_shape)m->shape) {
    case HSL_SHAPE_FULL: {
        const uint8_t *next = hsl_arena_at_const(m, m->off_route), *dist = next + n * n;

        return dist[dst * n + src] == FAR ? HSL_NONE : dist[dst * n + src];
    }
    case HSL_SHAPE_RING: {
        int32_t way = ring_way(m, src, dst);

        return way ? (uint32_t)(way < 0 ? -way : way) : HSL_NONE;
    }
    case HSL_SHAPE_STAR:
        return hsl_net_next(m, src, dst) == HSL_NONE ? HSL_NONE : 2;
    case HSL_SHAPE_GRAPH:
        return graph_dist(m, dst)[src] == GRAPH_FAR ? HSL_NONE : graph_dist(m, dst)[src];
    }
    return HSL_NONE;
}
