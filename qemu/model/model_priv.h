/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Inside of the model: what its files share. Nobody outside qemu/model includes this.
 *
 * Arena. struct hsl_model is its first bytes; the arrays follow at the offsets it keeps, each
 * 8-byte aligned:
 *
 *     txn[max_inflight]      transactions (txn.c)
 *     heap[max_inflight]     indices of transactions with a pending event (time.c)
 *     bucket[nbuckets]       heads of the (requester, tag) look-up chains (txn.c)
 *     present[nodes]         1 = the chip is there
 *     link_up[nlinks]        1 = the link is not held down
 *     graph                  the links of a file (net.c)
 *     route[]                derived from the three above (net.c)
 *
 * Everything is an index; HSL_NONE is "no index". Inside, a chip is its id - 1 (`ix`) and switch i
 * is ix nodes + i.
 */
#ifndef HSL_MODEL_PRIV_H
#define HSL_MODEL_PRIV_H

#include "model.h"

#define HSL_NONE UINT32_MAX

/* What routing looks like: PAIR, MESH and every 1-chip fabric are FULL, a ring of two as well. */
enum hsl_shape { HSL_SHAPE_FULL, HSL_SHAPE_RING, HSL_SHAPE_STAR, HSL_SHAPE_GRAPH };

enum hsl_txn_state {
    HSL_TXN_FREE,
    HSL_TXN_REQ,        /* the request crosses to node `at`; in the heap */
    HSL_TXN_OFFERED,    /* DELIVER_REQ waits to be drained; in the output list */
    HSL_TXN_HOME,       /* drained, the home node owes the answer */
    HSL_TXN_RSP,        /* the answer crosses to node `at`; in the heap */
    HSL_TXN_FAILED,     /* the network's own answer is on its way; in the heap */
    HSL_TXN_DONE,       /* DELIVER_RSP waits to be drained; in the output list */
};

struct hsl_txn {
    struct hsl_pkt_req req;     /* as posted: the hop field is made from `hops` on delivery */
    uint64_t value;             /* of the answer */
    uint64_t time_ps;           /* in heap: when it happens; in the output list: when it happened */
    uint64_t birth;             /* order of posting, the tie-breaker of equal times */
    uint32_t live_prev, live_next;      /* all used ones by birth; free ones: live_next */
    uint32_t out_prev, out_next;        /* output list */
    uint32_t chain_next;        /* look-up by (requester, tag) */
    uint32_t heap_pos;          /* HSL_NONE when not in the heap */
    uint32_t src, home;         /* ix; the home of host memory is the requester itself */
    uint32_t from, at;          /* ix: on its way from → at; equal: crosses no link */
    uint32_t hops;              /* links the packet has crossed or is crossing */
    uint8_t state;              /* enum hsl_txn_state */
    uint8_t status;             /* of the answer */
    uint8_t rsvd[2];
};

struct hsl_model {
    struct hsl_model_config cfg;        /* defaults resolved */
    uint32_t shape;             /* enum hsl_shape */
    uint32_t nlinks;
    uint32_t nswitches;
    uint32_t link_ps;           /* crossing one empty link */
    uint32_t nbuckets;          /* power of two */
    uint32_t heap_len;
    uint32_t free_head;
    uint32_t live_head, live_tail;
    uint32_t out_head, out_tail;
    uint64_t now_ps;
    uint64_t next_birth;
    uint64_t off_txn, off_heap, off_bucket, off_present, off_link_up, off_graph, off_route;
};

static inline void *hsl_arena_at(struct hsl_model *m, uint64_t off)
{
    return (unsigned char *)m + off;
}

static inline const void *hsl_arena_at_const(const struct hsl_model *m, uint64_t off)
{
    return (const unsigned char *)m + off;
}

static inline struct hsl_txn *hsl_txn_at(struct hsl_model *m, uint32_t i)
{
    return (struct hsl_txn *)hsl_arena_at(m, m->off_txn) + i;
}

static inline const struct hsl_txn *hsl_txn_at_const(const struct hsl_model *m, uint32_t i)
{
    return (const struct hsl_txn *)hsl_arena_at_const(m, m->off_txn) + i;
}

static inline bool hsl_ix_present(const struct hsl_model *m, uint32_t ix)
{
    return ix >= m->cfg.nodes || ((const uint8_t *)hsl_arena_at_const(m, m->off_present))[ix];
}

/* True if id is a chip of this fabric, present or not. */
static inline bool hsl_id_is_chip(const struct hsl_model *m, uint32_t id)
{
    return id >= 1 && id <= m->cfg.nodes;
}

/* Id of a node of the topology: chips by number, then switches. */
static inline uint32_t hsl_net_id(const struct hsl_model *m, uint32_t ix)
{
    return ix < m->cfg.nodes ? ix + 1 : HSL_NODE_SWITCH_FIRST + (ix - m->cfg.nodes);
}

/* One 64-bit word into the hash: multiply and fold, after splitmix64. */
static inline uint64_t hsl_mix(uint64_t h, uint64_t v)
{
    h = (h ^ v) * UINT64_C(0x9e3779b97f4a7c15);
    h = (h ^ (h >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    return h ^ (h >> 27);
}

/* net.c */
enum hsl_shape hsl_net_shape(enum hsl_topology topology, uint32_t nodes);
uint32_t hsl_net_total_links(const struct hsl_model_config *cfg);
uint32_t hsl_net_switches(const struct hsl_model_config *cfg);
/* Of a model whose cfg, shape, nswitches and nlinks are set. */
size_t hsl_net_graph_bytes(const struct hsl_model *m);
size_t hsl_net_route_bytes(const struct hsl_model *m);
/* NULL, or what is wrong with the switches and links of a file. */
const char *hsl_net_check_graph(const struct hsl_model_config *cfg);
void hsl_net_init_graph(struct hsl_model *m, const struct hsl_topo_link *links);
/* Routes follow after every change of present[] or link_up[]. */
void hsl_net_reroute(struct hsl_model *m);
/* Link between two nodes by ix, HSL_NONE if there is none. */
uint32_t hsl_net_link_between(const struct hsl_model *m, uint32_t a, uint32_t b);
bool hsl_net_link_is_up(const struct hsl_model *m, uint32_t a, uint32_t b);
/* Of a link that exists: not held down, whether its ends are present or not. */
bool hsl_net_link_held_up(const struct hsl_model *m, uint32_t a, uint32_t b);
uint32_t hsl_net_degree(const struct hsl_model *m, uint32_t ix);
uint32_t hsl_net_peer(const struct hsl_model *m, uint32_t ix, uint32_t k);
/* Next node on the way, HSL_NONE without a route. from != dst, dst a chip. */
uint32_t hsl_net_next(const struct hsl_model *m, uint32_t from, uint32_t dst);
/* The k-th of all next nodes on shortest ways, the one above first; HSL_NONE: there are no more. */
uint32_t hsl_net_next_k(const struct hsl_model *m, uint32_t from, uint32_t dst, uint32_t k);
/* Links on the way between two chips, HSL_NONE without a route; knows no hop limit. */
uint32_t hsl_net_distance(const struct hsl_model *m, uint32_t src, uint32_t dst);

/* time.c */
uint64_t hsl_time_link_ps(const struct hsl_profile *p);
void hsl_time_push(struct hsl_model *m, uint32_t t, uint64_t time_ps);
void hsl_time_remove(struct hsl_model *m, uint32_t t);
/* Earliest pending transaction, removed, time moved to it; HSL_NONE if there is none. */
uint32_t hsl_time_pop(struct hsl_model *m);

/* txn.c */
void hsl_txn_init(struct hsl_model *m);
int hsl_txn_post_req(struct hsl_model *m, const struct hsl_pkt_req *req);
int hsl_txn_post_rsp(struct hsl_model *m, const struct hsl_pkt_rsp *rsp);
void hsl_txn_arrive(struct hsl_model *m, uint32_t t);
void hsl_txn_node_gone(struct hsl_model *m, uint32_t ix);
void hsl_txn_link_gone(struct hsl_model *m, uint32_t a, uint32_t b);
int hsl_txn_drain(struct hsl_model *m, struct hsl_output *out);

/* profile.c: NULL or one English sentence. */
const char *hsl_profile_check(const struct hsl_profile *p);

#endif
