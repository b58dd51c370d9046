/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Transactions: a posted request becomes one slot of the transaction table and stays in it until
 * its one answer has been drained (HEP-TXN-020, HEP-TXN-021). The slot is the packet, the tag and
 * the output queue entry in one, so nothing can be full later that was not full at the post, and
 * nothing can be lost or doubled:
 *
 *      post REQ  arrives    drained   post RSP  arrives   drained
 *     FREE ──► REQ ──► OFFERED ──► HOME ──► RSP ──────► DONE ──► FREE
 *               │         │         │        │            ▲
 *               └─────────┴─────────┴────────┴► FAILED ───┘
 *
 *   REQ, RSP   the packet crosses from → at, hop by hop; on arrival it goes on, is lost, or is
 *              there
 *   OFFERED    DELIVER_REQ waits in the output list; withdrawn if the home vanishes first
 *   HOME       the home's host has it; only now is an RSP accepted, any other is -ENOENT
 *   FAILED     the packet or its home is lost; the network answers HSL_ST_UNREACHABLE after one
 *              port crossing
 *
 * What loses a packet: no route at a node, the hop limit, the link it is crossing goes down or one
 * of that link's ends vanishes, and its home node vanishes, even when the answer is already under
 * way (an old grant must not outlive its node). What removes a transaction without an answer: its
 * requester vanishes. Link and node events act in the post, not in a step, so that "which
 * transactions does it hit" is a question about one moment.
 *
 * An answer that waits in DONE has happened: later events do not change it. A home that vanished,
 * came back and then answers an old request by a tag that has been used again cannot be told apart:
 * the host of a node forgets what it owes when it posts that the node vanished.
 *
 * Memory of a host is reached through the requester's own host port: its home is the requester,
 * with no links but one port crossing.
 *
 * Invariants: a slot is in the live list iff its state is not FREE; in the heap iff REQ, RSP or
 * FAILED; in the output list iff OFFERED or DONE; (requester, tag) of live slots are unique. The
 * live list is in order of birth and all walks use it, so slot numbers and the order of look-up
 * chains never show in what comes out.
 */
#include <errno.h>

#include "model_priv.h"

#define ADDR_HOP_SHIFT 48

static uint32_t *bucket_of(struct hsl_model *m, uint32_t src, uint32_t tag)
{
    uint32_t *buckets = hsl_arena_at(m, m->off_bucket);
    uint32_t h = (src << 16 | tag) * UINT32_C(2654435769);  /* Fibonacci hashing */

    return &buckets[(h >> 8) & (m->nbuckets - 1)];
}

static uint32_t txn_find(struct hsl_model *m, uint32_t src, uint32_t tag)
{
    uint32_t t = *bucket_of(m, src, tag);

    while (t != HSL_NONE) {
        const struct hsl_txn *x = hsl_txn_at(m, t);

        if (x->src == src && x->req.tag == tag) {
            break;
        }
        t = x->chain_next;
    }
    return t;
}

void hsl_txn_init(struct hsl_model *m)
{
    uint32_t *buckets = hsl_arena_at(m, m->off_bucket);

    for (uint32_t i = 0; i < m->nbuckets; i++) {
        buckets[i] = HSL_NONE;
    }
    for (uint32_t t = 0; t < m->cfg.max_inflight; t++) {
        hsl_txn_at(m, t)->state = HSL_TXN_FREE;
        hsl_txn_at(m, t)->live_next = t + 1 < m->cfg.max_inflight ? t + 1 : HSL_NONE;
    }
    m->free_head = 0;
    m->live_head = m->live_tail = HSL_NONE;
    m->out_head = m->out_tail = HSL_NONE;
}

static uint32_t txn_new(struct hsl_model *m, const struct hsl_pkt_req *req)
{
    uint32_t t = m->free_head, *bucket;
    struct hsl_txn *x;

    if (t == HSL_NONE) {
        return t;
    }
    x = hsl_txn_at(m, t);
    m->free_head = x->live_next;
    *x = (struct hsl_txn){
        .req = *req,
        .birth = m->next_birth++,
        .live_prev = m->live_tail,
        .live_next = HSL_NONE,
        .out_prev = HSL_NONE,
        .out_next = HSL_NONE,
        .heap_pos = HSL_NONE,
        .src = req->src - 1u,
        .home = req->dst == m->cfg.host_node ? req->src - 1u : req->dst - 1u,
    };
    if (m->live_tail == HSL_NONE) {
        m->live_head = t;
    } else {
        hsl_txn_at(m, m->live_tail)->live_next = t;
    }
    m->live_tail = t;
    bucket = bucket_of(m, x->src, req->tag);
    x->chain_next = *bucket;
    *bucket = t;
    return t;
}

static void txn_free(struct hsl_model *m, uint32_t t)
{
    struct hsl_txn *x = hsl_txn_at(m, t);
    uint32_t *link = bucket_of(m, x->src, x->req.tag);

    while (*link != t) {
        link = &hsl_txn_at(m, *link)->chain_next;
    }
    *link = x->chain_next;
    if (x->live_prev == HSL_NONE) {
        m->live_head = x->live_next;
    } else {
        hsl_txn_at(m, x->live_prev)->live_next = x->live_next;
    }
    if (x->live_next == HSL_NONE) {
        m->live_tail = x->live_prev;
    } else {
        hsl_txn_at(m, x->live_next)->live_prev = x->live_prev;
    }
    x->state = HSL_TXN_FREE;
    x->live_next = m->free_head;
    m->free_head = t;
}

static void out_append(struct hsl_model *m, uint32_t t)
{
    struct hsl_txn *x = hsl_txn_at(m, t);

    x->out_prev = m->out_tail;
    x->out_next = HSL_NONE;
    if (m->out_tail == HSL_NONE) {
        m->out_head = t;
    } else {
        hsl_txn_at(m, m->out_tail)->out_next = t;
    }
    m->out_tail = t;
}

static void out_remove(struct hsl_model *m, uint32_t t)
{
    struct hsl_txn *x = hsl_txn_at(m, t);

    if (x->out_prev == HSL_NONE) {
        m->out_head = x->out_next;
    } else {
        hsl_txn_at(m, x->out_prev)->out_next = x->out_next;
    }
    if (x->out_next == HSL_NONE) {
        m->out_tail = x->out_prev;
    } else {
        hsl_txn_at(m, x->out_next)->out_prev = x->out_prev;
    }
    x->out_prev = x->out_next = HSL_NONE;
}

/* Out of heap and output list, wherever it is. */
static void txn_withdraw(struct hsl_model *m, uint32_t t)
{
    struct hsl_txn *x = hsl_txn_at(m, t);

    if (x->heap_pos != HSL_NONE) {
        hsl_time_remove(m, t);
    }
    if (x->state == HSL_TXN_OFFERED || x->state == HSL_TXN_DONE) {
        out_remove(m, t);
    }
}

static void txn_fail(struct hsl_model *m, uint32_t t)
{
    struct hsl_txn *x = hsl_txn_at(m, t);

    txn_withdraw(m, t);
    x->state = HSL_TXN_FAILED;
    x->status = HSL_ST_UNREACHABLE;
    x->value = 0;
    x->hops = 0;
    x->from = x->at = x->src;
    hsl_time_push(m, t, m->now_ps + m->cfg.profile.port_ps);
}

static uint32_t txn_target(const struct hsl_txn *x)
{
    return x->state == HSL_TXN_REQ ? x->home : x->src;
}

/* The packet leaves x->at for the next node, or stays when that is its target already. */
static void txn_depart(struct hsl_model *m, uint32_t t, uint64_t delay_ps)
{
    struct hsl_txn *x = hsl_txn_at(m, t);
    uint32_t target = txn_target(x), next;

    x->from = x->at;
    if (x->from == target) {
        if (x->req.dst == m->cfg.host_node) {
            delay_ps += m->cfg.profile.port_ps;
        }
        hsl_time_push(m, t, m->now_ps + delay_ps);
        return;
    }
    next = x->hops < m->cfg.hop_limit ? hsl_net_next(m, x->from, target) : HSL_NONE;
    if (next == HSL_NONE) {
        txn_fail(m, t);
        return;
    }
    if (x->hops) {
        delay_ps += m->cfg.profile.switch_ps;
    }
    x->at = next;
    x->hops++;
    hsl_time_push(m, t, m->now_ps + delay_ps + m->link_ps);
}

void hsl_txn_arrive(struct hsl_model *m, uint32_t t)
{
    struct hsl_txn *x = hsl_txn_at(m, t);

    if (x->state != HSL_TXN_FAILED && x->at != txn_target(x)) {
        txn_depart(m, t, 0);
        return;
    }
    x->state = x->state == HSL_TXN_REQ ? HSL_TXN_OFFERED : HSL_TXN_DONE;
    out_append(m, t);
}

int hsl_txn_post_req(struct hsl_model *m, const struct hsl_pkt_req *req)
{
    uint32_t t;

    /* READ, WRITE and ATOMIC are reserved in this edition. */
    if (req->opcode != HSL_PKT_AUTH || (req->flags & ~(HSL_PKT_F_READ | HSL_PKT_F_WRITE))) {
        return -EINVAL;
    }
    if (req->addr >> ADDR_HOP_SHIFT) {
        return -EINVAL;
    }
    if (!hsl_id_is_chip(m, req->src) || !hsl_ix_present(m, req->src - 1u)) {
        return -EINVAL;
    }
    if (!hsl_id_is_chip(m, req->dst) && req->dst != m->cfg.host_node) {
        return -EINVAL;
    }
    if (txn_find(m, req->src - 1u, req->tag) != HSL_NONE) {
        return -EBUSY;
    }
    t = txn_new(m, req);
    if (t == HSL_NONE) {
        return -EAGAIN;
    }
    hsl_txn_at(m, t)->state = HSL_TXN_REQ;
    hsl_txn_at(m, t)->at = hsl_txn_at(m, t)->src;
    txn_depart(m, t, 0);
    return 0;
}

int hsl_txn_post_rsp(struct hsl_model *m, const struct hsl_pkt_rsp *rsp)
{
    struct hsl_txn *x;
    uint32_t t;

    if (rsp->opcode != HSL_PKT_RSP || rsp->status >= HSL_ST_COUNT) {
        return -EINVAL;
    }
    if (!hsl_id_is_chip(m, rsp->dst)) {
        return -EINVAL;
    }
    if (!hsl_id_is_chip(m, rsp->src) && rsp->src != m->cfg.host_node) {
        return -EINVAL;
    }
    t = txn_find(m, rsp->dst - 1u, rsp->tag);
    if (t == HSL_NONE) {
        return -ENOENT;
    }
    x = hsl_txn_at(m, t);
    if (x->state != HSL_TXN_HOME || x->req.dst != rsp->src) {
        return -ENOENT;
    }
    x->state = HSL_TXN_RSP;
    x->status = rsp->status;
    x->value = rsp->value;
    x->hops = 0;
    x->at = x->home;
    txn_depart(m, t, m->cfg.profile.home_ps);
    return 0;
}

static bool txn_is_crossing(const struct hsl_txn *x)
{
    return (x->state == HSL_TXN_REQ || x->state == HSL_TXN_RSP) && x->from != x->at;
}

void hsl_txn_link_gone(struct hsl_model *m, uint32_t a, uint32_t b)
{
    for (uint32_t t = m->live_head; t != HSL_NONE; t = hsl_txn_at(m, t)->live_next) {
        const struct hsl_txn *x = hsl_txn_at(m, t);

        if (txn_is_crossing(x) && ((x->from == a && x->at == b) || (x->from == b && x->at == a))) {
            txn_fail(m, t);
        }
    }
}

void hsl_txn_node_gone(struct hsl_model *m, uint32_t ix)
{
    uint32_t next;

    for (uint32_t t = m->live_head; t != HSL_NONE; t = next) {
        const struct hsl_txn *x = hsl_txn_at(m, t);

        next = x->live_next;
        if (x->src == ix) {
            txn_withdraw(m, t);
            txn_free(m, t);
        } else if (x->state == HSL_TXN_FAILED || x->state == HSL_TXN_DONE) {
            continue;
        } else if (x->home == ix || (txn_is_crossing(x) && (x->from == ix || x->at == ix))) {
            txn_fail(m, t);
        }
    }
}

int hsl_txn_drain(struct hsl_model *m, struct hsl_output *out)
{
    uint32_t t = m->out_head;
    struct hsl_txn *x;

    if (t == HSL_NONE) {
        return 0;
    }
    x = hsl_txn_at(m, t);
    out_remove(m, t);
    *out = (struct hsl_output){ .hops = x->hops, .time_ps = x->time_ps };
    if (x->state == HSL_TXN_OFFERED) {
        out->type = HSL_OUT_DELIVER_REQ;
        out->node = x->req.dst;
        out->u.req = x->req;
        out->u.req.addr |= (uint64_t)x->hops << ADDR_HOP_SHIFT;
        x->state = HSL_TXN_HOME;
        return 1;
    }
    out->type = HSL_OUT_DELIVER_RSP;
    out->node = x->req.src;
    out->u.rsp = (struct hsl_pkt_rsp){
        .opcode = HSL_PKT_RSP,
        .status = x->status,
        .tag = x->req.tag,
        .src = x->req.dst,
        .dst = x->req.src,
        .value = x->value,
    };
    txn_free(m, t);
    return 1;
}
