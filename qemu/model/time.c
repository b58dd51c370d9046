/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Time: the event queue, in picoseconds, and the latency formula (docs/hep.md section 9).
 *
 *     flit   = 2048 bit / (lanes * rate), rounded up to a picosecond
 *     link   = 2 * port + cable + flit                   one crossing of an empty link
 *     way(L) = L * link + (L - 1) * switch, L >= 1       L links, L - 1 nodes that forward
 *     way(0) = 0 to the requester's own memory, port to the memory of its own host
 *     AUTH   = way(there) + home + way(back)             from the post to DELIVER_RSP
 *     fail   = port                                      from the loss to DELIVER_RSP
 *     READ   = AUTH + dram
 *     command = [fetch] + [READ(src)] + [AUTH(dst) or READ(dst)] + stream(bytes) + port
 *
 * A chip that forwards (ring, or a mesh with a link down) costs what a switch costs. A packet that
 * is lost is answered by the requester's own port. Links have latency and no queue here: packets
 * never wait for each other, whatever the load. That streams share links is the engine's matter
 * (qemu/engine/share.c).
 *
 * Queue. Every transaction has at most one pending event, so the queue is a binary heap of
 * transaction indices, as large as the transaction table, and a transaction knows its place in it
 * (heap_pos) to be taken out when a node vanishes. Order is (time, birth). Birth is the order in
 * which the requests were posted, not that of scheduling: so what comes next depends on the live
 * transactions only and not on how they came about, and requests of one path stay in order.
 *
 * Invariants: no time in the heap is before now; heap[txn[t].heap_pos] == t for exactly the
 * transactions in states REQ, RSP, FAILED.
 */
#include "model_priv.h"

#define FLIT_BITS (8u * HSL_FLIT_BYTES)
#define DATA_MAX  256u          /* bytes of one packet, and the slots of its header */
#define HEADER    2u

/* bits / (lanes * MT/s * 10^6 per s) in ps: bits * 10^6 / (lanes * MT/s) */
uint64_t hsl_time_flit_ps(const struct hsl_profile *p)
{
    uint64_t mbps = (uint64_t)p->lanes * p->rate_mtps;

    return (FLIT_BITS * UINT64_C(1000000) + mbps - 1) / mbps;
}

uint64_t hsl_time_crossing_ps(const struct hsl_profile *p)
{
    return 2 * (uint64_t)p->port_ps + p->cable_ps;
}

uint64_t hsl_time_link_ps(const struct hsl_profile *p)
{
    return hsl_time_crossing_ps(p) + hsl_time_flit_ps(p);
}

uint64_t hsl_time_way_ps(const struct hsl_profile *p, uint32_t links)
{
    if (links == HSL_WAY_OWN_HOST) {
        return p->port_ps;
    }
    return links ? links * hsl_time_link_ps(p) + (links - 1) * (uint64_t)p->switch_ps : 0;
}

uint64_t hsl_time_auth_ps(const struct hsl_profile *p, uint32_t links)
{
    return 2 * hsl_time_way_ps(p, links) + p->home_ps;
}

uint64_t hsl_time_read_ps(const struct hsl_profile *p, uint32_t links)
{
    return hsl_time_auth_ps(p, links) + p->dram_ps;
}

static uint64_t slots_of(uint64_t bytes)
{
    uint64_t packets = bytes / DATA_MAX + (bytes % DATA_MAX != 0);

    return packets * HEADER + bytes / HSL_SLOT_BYTES + (bytes % HSL_SLOT_BYTES != 0);
}

/* What follows the first flit, which is part of each link's latency. */
uint64_t hsl_time_stream_ps(const struct hsl_profile *p, uint64_t bytes)
{
    return bytes ? ((slots_of(bytes) - 1) / HSL_FLIT_SLOTS) * hsl_time_flit_ps(p) : 0;
}

uint64_t hsl_time_wire_ps(const struct hsl_profile *p, uint64_t bytes)
{
    return (slots_of(bytes) * hsl_time_flit_ps(p) + HSL_FLIT_SLOTS - 1) / HSL_FLIT_SLOTS;
}

uint64_t hsl_time_command_ps(const struct hsl_profile *p, const struct hsl_time_command *c)
{
    uint64_t ps = hsl_time_way_ps(p, HSL_WAY_OWN_HOST) + hsl_time_stream_ps(p, c->bytes);

    if (c->fetch) {
        ps += hsl_time_way_ps(p, HSL_WAY_OWN_HOST) + hsl_time_read_ps(p, HSL_WAY_OWN_HOST);
    }
    if (c->reads) {
        ps += hsl_time_read_ps(p, c->src_links);
    }
    if (c->updates) {
        ps += hsl_time_read_ps(p, c->dst_links);
    } else if (c->writes) {
        ps += hsl_time_auth_ps(p, c->dst_links);
    }
    return ps;
}

static uint32_t *heap_of(struct hsl_model *m)
{
    return hsl_arena_at(m, m->off_heap);
}

static bool before(struct hsl_model *m, uint32_t a, uint32_t b)
{
    const struct hsl_txn *x = hsl_txn_at(m, a), *y = hsl_txn_at(m, b);

    return x->time_ps != y->time_ps ? x->time_ps < y->time_ps : x->birth < y->birth;
}

static void place(struct hsl_model *m, uint32_t pos, uint32_t t)
{
    heap_of(m)[pos] = t;
    hsl_txn_at(m, t)->heap_pos = pos;
}

static void sift_up(struct hsl_model *m, uint32_t pos, uint32_t t)
{
    while (pos) {
        uint32_t parent = (pos - 1) / 2;

        if (!before(m, t, heap_of(m)[parent])) {
            break;
        }
        place(m, pos, heap_of(m)[parent]);
        pos = parent;
    }
    place(m, pos, t);
}

static void sift_down(struct hsl_model *m, uint32_t pos, uint32_t t)
{
    for (;;) {
        uint32_t child = 2 * pos + 1;

        if (child >= m->heap_len) {
            break;
        }
        if (child + 1 < m->heap_len && before(m, heap_of(m)[child + 1], heap_of(m)[child])) {
            child++;
        }
        if (!before(m, heap_of(m)[child], t)) {
            break;
        }
        place(m, pos, heap_of(m)[child]);
        pos = child;
    }
    place(m, pos, t);
}

void hsl_time_push(struct hsl_model *m, uint32_t t, uint64_t time_ps)
{
    hsl_txn_at(m, t)->time_ps = time_ps;
    sift_up(m, m->heap_len++, t);
}

void hsl_time_remove(struct hsl_model *m, uint32_t t)
{
    uint32_t pos = hsl_txn_at(m, t)->heap_pos;
    uint32_t last = heap_of(m)[--m->heap_len];

    hsl_txn_at(m, t)->heap_pos = HSL_NONE;
    if (last == t) {
        return;
    }
    /* The last one fills the hole; it may belong above it or below it. */
    if (pos && before(m, last, heap_of(m)[(pos - 1) / 2])) {
        sift_up(m, pos, last);
    } else {
        sift_down(m, pos, last);
    }
}

uint32_t hsl_time_pop(struct hsl_model *m)
{
    uint32_t t;

    if (!m->heap_len) {
        return HSL_NONE;
    }
    t = heap_of(m)[0];
    hsl_time_remove(m, t);
    m->now_ps = hsl_txn_at(m, t)->time_ps;
    return t;
}
