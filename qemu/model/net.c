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
 *
 * A pair is a mesh of two, a ring of two is a pair and one chip alone has no links: three shapes
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
 *
 * Invariant between changes: next is one link closer to dst, so a packet arrives after distance
 * links. Across changes a packet may turn back; the hop limit bounds that.
 */
#include <string.h>

#include "model_priv.h"

/* Distances in FULL tables are bytes. */
#define FAR 0xffu

enum hsl_shape hsl_net_shape(enum hsl_topology topology, uint32_t nodes)
{
    if (topology == HSL_TOPO_SWITCH && nodes > 1) {
        return HSL_SHAPE_STAR;
    }
    if (topology == HSL_TOPO_RING && nodes > 2) {
        return HSL_SHAPE_RING;
    }
    return HSL_SHAPE_FULL;
}

uint32_t hsl_net_total_links(enum hsl_shape shape, uint32_t nodes)
{
    return shape == HSL_SHAPE_FULL ? nodes * (nodes - 1) / 2 : nodes;
}

size_t hsl_net_route_bytes(enum hsl_shape shape, uint32_t nodes)
{
    switch (shape) {
    case HSL_SHAPE_FULL:
        return 2 * (size_t)nodes * nodes;
    case HSL_SHAPE_RING:
        return 2 * (size_t)nodes * sizeof(uint16_t);
    case HSL_SHAPE_STAR:
        break;
    }
    return 0;
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
    }
    return HSL_NONE;
}

bool hsl_net_link_is_up(const struct hsl_model *m, uint32_t a, uint32_t b)
{
    const uint8_t *up = hsl_arena_at_const(m, m->off_link_up);
    uint32_t link = hsl_net_link_between(m, a, b);

    return link != HSL_NONE && up[link] && hsl_ix_present(m, a) && hsl_ix_present(m, b);
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
    }
    return HSL_NONE;
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
    }
    return HSL_NONE;
}
