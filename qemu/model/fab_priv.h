/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Inside of the modelled fabric: what fab.c (front, event queue), fab_port.c (links), fab_node.c
 * (packets at nodes), fab_remote.c (a link that leaves the fabric) and
 * fab_tap.c (records of what links do) share.
 *
 * Arena. struct hsl_fab comes first, the arrays follow at the offsets it keeps:
 *
 *     net[2]                 struct hsl_model: topology and routes of now and, while they change, to
 *                            come (fab_routes.c); nothing else of them is used
 *     dst[nodes]             packets within the network, by where they go
 *     port[nports]           ends of links; their struct hsl_link lie in `links`
 *     pair[agents * nodes]   what is under way between an agent and a home
 *     pkt[npkts]             packets at nodes, waiting for a link, or being worked on
 *     flight[nflights]       flits and training sets on wires
 *     agents, homes          blocks of equal size each
 *     request[agents][..]    by tag, and one for packets that are about no request
 *     event[], heap[]        one event for each of: port to send, port timer, flight, packet,
 *                            request (timeout), and one for routes
 *     out[nout]              outputs, a ring
 *     net_stats[nnodes]      statistics
 *     record[nrecords]       records for taps, a ring
 *     sent[FAB_SENT]         what has left the fabric, a ring
 *     links                  blocks of equal size each
 *     under[nports][VC][..]  what the packets are that a link has taken and not yet given out
 *
 * Inside, a chip is its id - 1 and a switch comes after the chips, as in model_priv.h; an agent is
 * its bit number in a directory: chips first, then host ports.
 */
#ifndef HSL_FAB_PRIV_H
#define HSL_FAB_PRIV_H

#include "deviate.h"
#include "fab.h"
#include "model_priv.h"

/* In the heap of events. */
struct fab_due {
    uint64_t time_ps, order;    /* order: of scheduling, the tie-breaker */
    uint32_t ev, rsvd;
};

/* Who packets belong to when one of them is lost: an agent and the home of the line. */
struct fab_pair {
    uint16_t agent, home;       /* ix each */
    uint32_t tag;               /* the agent's request that it is about; cfg.agent.requests: none */
};

/* What is known of a packet within a link: flits have no room for it. */
struct fab_carried {
    uint8_t agent, home;        /* the pair */
    uint8_t to_home;            /* else to the agent */
    uint8_t hops;               /* links crossed before this one; 255: or more */
    uint16_t tag;               /* the pair's, if it has one */
    uint8_t has_tag;
};

/* What testers want of an end (fab_test.c). */
struct fab_test {
    uint8_t arm;                /* enum hsl_fab_arm, 0: none */
    uint8_t loopback;           /* enum hsl_fab_loopback */
    bool raw_waits;
    uint32_t pass, hit;         /* flits or packets: of arm */
    uint64_t value;             /* of arm */
    uint64_t injected;          /* by arm */
    uint64_t ack_ps, replay_ps; /* preset, 0: not */
    struct hsl_flit raw;
    uint32_t changes;           /* of state, the last HSL_FAB_LOG of them in the log */
    uint8_t state;              /* that the last one led to */
    struct hsl_fab_change log[HSL_FAB_LOG];
};

/* states that both ends of a link go through in one call of fab_test.c, and some more */
#define FAB_TEST_OUT 16u

enum fab_leaving { FAB_REMAINS, FAB_LEAVES, FAB_PEER_LEAVES };

struct fab_port {
    uint32_t node, peer;        /* ix of its node; the other end's port */
    uint8_t usable;             /* carries packets, now or when it has trained */
    uint8_t was_l0;             /* has been in L0 since it was last down */
    uint8_t remote;             /* at a node of somebody else: only its wire and its arming are used */
    uint8_t leaving;            /* enum fab_leaving: routes are to go round it, then it is disabled */
    uint32_t life;              /* of what is on its way here: over when either end trains anew */
    uint64_t free_ps;           /* the wire takes the next flit */
    uint32_t swallow_pass, swallow_hit;
    uint32_t head[HSL_VC_COUNT], tail[HSL_VC_COUNT];    /* packets that wait for the link */
    uint32_t under_first[HSL_VC_COUNT], under_len[HSL_VC_COUNT];
    uint64_t downs;
    uint8_t tap_tx, tap_rx;     /* taps that want what is sent and received, a bit each */
    struct hsl_phy phy;
    struct hsl_wire wire;       /* from here to the peer */
    struct fab_test test;
};

enum fab_stage {
    FAB_AT_NODE,                /* has arrived at node: goes on, or to its agent or home */
    FAB_AT_HOME,
    FAB_AT_AGENT,
    FAB_MEM,                    /* memory has answered */
    FAB_WAITS,                  /* in the queue of a port: no event */
};

struct fab_pkt {
    struct hsl_pkt pkt;         /* FAB_MEM: u.data: flags, data */
    struct fab_pair pair;
    uint32_t next;              /* free list, queue of a port */
    uint32_t node;
    uint32_t mem_id;
    uint8_t stage;
    uint8_t entered;            /* is within the network */
    uint8_t hops;
    bool tested;                /* fab_test_packet has seen it at this node */
};

struct fab_flight {
    uint32_t port, from;        /* where it arrives, HSL_NONE: free; the port that sent it */
    uint32_t next;              /* free list */
    uint32_t life;              /* of flits: the port's when it was sent */
    bool is_ts, is_raw;         /* raw: the sender's link layer does not know of it */
    union {
        struct hsl_flit flit;
        struct hsl_ts ts;
    } u;
};

struct fab_under_way {
    uint32_t packets;           /* injected, not yet delivered or lost */
    uint8_t fenced;             /* one was lost: nothing is delivered until all are gone */
};

enum fab_dst_state { FAB_STAYS, FAB_DRAINS, FAB_MOVED };       /* fab_routes.c */

struct fab_dst {
    uint32_t packets;           /* under way to it that have left the node of their source */
    uint32_t state;             /* enum fab_dst_state */
    uint32_t remote;            /* the chip is somebody else's */
    uint32_t viral;             /* the chip has a fatal error: fab_node.c */
    uint32_t deviation;         /* enum hsl_deviation */
};

struct fab_request {
    uint32_t packets;           /* about it, under way */
    uint32_t home;              /* ix, of the request that was sent last */
};

struct hsl_fab {
    struct hsl_fab_cfg cfg;
    uint32_t nnodes, nports, nagents, npkts, nflights, nevents, nout;
    uint32_t under_cap;         /* per port and VC */
    uint32_t pkt_free, flight_free;
    uint32_t held_head, held_tail;      /* packets at their sources: fab_routes.c */
    uint32_t changing;
    uint32_t heap_len, out_first, out_len, record_first, record_len, nrecords, sent_first, sent_len;
    uint32_t peer_there;        /* the other end of that link */
    uint32_t cut;               /* port of the link that leaves the fabric; HSL_NONE */
    uint32_t remote_flights, remote_flights_max;    /* on the wire from somebody else: he has no more than his share */
    uint64_t refused;           /* packets of somebody else */
    uint64_t now_ps, next_order;
    uint64_t crossing_ps;       /* 2 * port + cable */
    uint64_t link_bytes, agent_bytes, home_bytes;
    uint64_t net_bytes, off_dst;
    uint64_t off_net, off_port, off_pair, off_pkt, off_flight, off_agents, off_homes, off_links;
    uint64_t off_under, off_request, off_event, off_heap, off_out, off_first_port, off_net_stats;
    uint64_t off_record, off_sent;
};
#define FAB_SENT    8u          /* one step sends two training sets, two flits and something looped, at most */

static inline void *fab_at(struct hsl_fab *f, uint64_t off)
{
    return (unsigned char *)f + off;
}

static inline struct hsl_model *fab_net(struct hsl_fab *f)
{
    return fab_at(f, f->off_net);
}

static inline struct hsl_model *fab_net_new(struct hsl_fab *f)
{
    return fab_at(f, f->off_net + f->net_bytes);
}

static inline struct fab_dst *fab_dst(struct hsl_fab *f, uint32_t chip)
{
    return (struct fab_dst *)fab_at(f, f->off_dst) + chip;
}

static inline bool fab_deviates(struct hsl_fab *f, uint32_t chip, enum hsl_deviation d)
{
    return __builtin_expect(fab_dst(f, chip)->deviation == d, 0);
}

/* The routes for what goes to a chip. */
static inline struct hsl_model *fab_net_to(struct hsl_fab *f, uint32_t chip)
{
    return fab_dst(f, chip)->state == FAB_MOVED ? fab_net_new(f) : fab_net(f);
}

static inline struct fab_port *fab_port(struct hsl_fab *f, uint32_t p)
{
    return (struct fab_port *)fab_at(f, f->off_port) + p;
}

static inline const struct fab_port *fab_port_const(const struct hsl_fab *f, uint32_t p)
{
    return (const struct fab_port *)((const unsigned char *)f + f->off_port) + p;
}

static inline struct hsl_link *fab_link(struct hsl_fab *f, uint32_t p)
{
    return fab_at(f, f->off_links + p * f->link_bytes);
}

static inline struct hsl_agent *fab_agent(struct hsl_fab *f, uint32_t ix)
{
    return fab_at(f, f->off_agents + ix * f->agent_bytes);
}

static inline struct hsl_home *fab_home(struct hsl_fab *f, uint32_t ix)
{
    return fab_at(f, f->off_homes + ix * f->home_bytes);
}

static inline struct fab_pkt *fab_pkt(struct hsl_fab *f, uint32_t i)
{
    return (struct fab_pkt *)fab_at(f, f->off_pkt) + i;
}

static inline struct fab_flight *fab_flight(struct hsl_fab *f, uint32_t i)
{
    return (struct fab_flight *)fab_at(f, f->off_flight) + i;
}

static inline struct fab_under_way *fab_under_way(struct hsl_fab *f, struct fab_pair pair)
{
    return (struct fab_under_way *)fab_at(f, f->off_pair) + pair.agent * f->cfg.nodes + pair.home;
}

static inline struct hsl_fab_net_stats *fab_net_stats(struct hsl_fab *f, uint32_t node)
{
    return (struct hsl_fab_net_stats *)fab_at(f, f->off_net_stats) + node;
}

static inline struct fab_request *fab_request(struct hsl_fab *f, uint32_t agent, uint32_t tag)
{
    return (struct fab_request *)fab_at(f, f->off_request) + agent * (f->cfg.agent.requests + 1) +
           tag;
}

/* Agent of an id, HSL_NONE: there is none. */
static inline uint32_t fab_agent_ix(const struct hsl_fab *f, uint16_t id)
{
    uint32_t chip = id & ~(uint32_t)HSL_AGENT_HOST_PORT;

    if (chip < 1 || chip > f->cfg.nodes) {
        return HSL_NONE;
    }
    return chip - 1 + (id & HSL_AGENT_HOST_PORT ? f->cfg.nodes : 0);
}

static inline uint32_t fab_agent_node(const struct hsl_fab *f, uint32_t agent)
{
    return agent % f->cfg.nodes;
}

/* ix of the chip that a packet is for. */
static inline uint32_t fab_pkt_dst(const struct fab_pkt *k)
{
    return (k->pkt.u.h.dst & ~(uint32_t)HSL_AGENT_HOST_PORT) - 1;
}

static inline uint16_t fab_agent_id(const struct hsl_fab *f, uint32_t agent)
{
    return (uint16_t)((fab_agent_node(f, agent) + 1) |
                      (agent >= f->cfg.nodes ? HSL_AGENT_HOST_PORT : 0));
}

/* The ports of a node are those up to the next one's first. */
static inline uint32_t fab_first_port(const struct hsl_fab *f, uint32_t node)
{
    return ((const uint32_t *)((const unsigned char *)f + f->off_first_port))[node];
}

/* Is the other end of this port's link somebody else's? */
static inline bool fab_leaves_here(const struct hsl_fab *f, uint32_t port)
{
    return port == f->cut;
}

/* Event numbers. */
static inline uint32_t fab_ev_send(const struct hsl_fab *f, uint32_t port)
{
    (void)f;
    return port;
}

static inline uint32_t fab_ev_timer(const struct hsl_fab *f, uint32_t port)
{
    return f->nports + port;
}

static inline uint32_t fab_ev_flight(const struct hsl_fab *f, uint32_t i)
{
    return 2 * f->nports + i;
}

static inline uint32_t fab_ev_pkt(const struct hsl_fab *f, uint32_t i)
{
    return 2 * f->nports + f->nflights + i;
}

static inline uint32_t fab_ev_due(const struct hsl_fab *f, uint32_t agent, uint32_t tag)
{
    return fab_ev_pkt(f, f->npkts) + agent * f->cfg.agent.requests + tag;
}

static inline uint32_t fab_ev_routes(const struct hsl_fab *f)
{
    return fab_ev_due(f, f->nagents, 0);
}

static inline uint32_t fab_ev_bounce(const struct hsl_fab *f)
{
    return fab_ev_routes(f) + 1;
}

/* ---- fab.c ---- */
/* (Re)schedule an event. */
void fab_at_time(struct hsl_fab *f, uint32_t ev, uint64_t time_ps);
void fab_cancel(struct hsl_fab *f, uint32_t ev);
struct hsl_fab_out *fab_out(struct hsl_fab *f, enum hsl_fab_out_type type);

/* ---- fab_port.c ---- */
/* Index of the port of node towards a neighbour; HSL_NONE. */
uint32_t fab_port_between(const struct hsl_fab *f, uint32_t a_id, uint32_t b_id);
uint32_t fab_port_to(const struct hsl_fab *f, uint32_t node, uint32_t neighbour);
void fab_ports_init(struct hsl_fab *f);
/* The packet waits for this port's link from now on. */
void fab_port_queue(struct hsl_fab *f, uint32_t port, uint32_t pkt);
void fab_port_send(struct hsl_fab *f, uint32_t port);
void fab_port_timer(struct hsl_fab *f, uint32_t port);
void fab_port_arrive(struct hsl_fab *f, uint32_t flight);
void fab_port_event(struct hsl_fab *f, uint32_t port, enum hsl_phy_event ev);
/* The chip at the end of these links is there, or not any more. */
void fab_ports_node(struct hsl_fab *f, uint32_t node, bool present);
void fab_port_lane(struct hsl_fab *f, uint32_t port, uint32_t lane, bool works);
/* Something at this end, not its state, has changed. */
void fab_port_look(struct hsl_fab *f, uint32_t port);
/* The link carries no packets any more, until it has trained again. */
void fab_port_down(struct hsl_fab *f, uint32_t port);

/* Time for a flit at the width and rate in use. */
uint64_t fab_flit_ps(const struct fab_port *port);
/* A free place for something that arrives at a port; NULL. */
struct fab_flight *fab_flight_new(struct hsl_fab *f, uint32_t port, uint32_t from, uint64_t at_ps);
/* What somebody else has sent and has not arrived yet never will. */
void fab_flights_forget(struct hsl_fab *f);

/* ---- fab_remote.c ---- */
/* Which nodes are somebody else's. -EINVAL: there is no such link, or another way round it. */
int fab_remote_init(struct hsl_fab *f);
int fab_remote_post(struct hsl_fab *f, const struct hsl_fab_in *in);
/* What leaves, to be filled in. */
struct hsl_fab_sent *fab_remote_launch(struct hsl_fab *f, uint64_t time_ps);
/* A link gives out a packet of somebody else; taken, unless it makes no sense. */
void fab_remote_take(struct hsl_fab *f, const struct hsl_pkt *pkt);
/* The link has taken a packet for somebody else, whose it is now. */
void fab_remote_give(struct hsl_fab *f, const struct fab_pkt *k);
/* The link is down: everybody here and everybody there have lost each other. */
void fab_remote_down(struct hsl_fab *f);
/* The pair is lost here, so it has to be there. */
void fab_remote_lost(struct hsl_fab *f, struct fab_pair pair);
bool fab_remote_pair(struct hsl_fab *f, struct fab_pair pair);
void fab_remote_bounce(struct hsl_fab *f);

/* ---- fab_test.c ---- */
int fab_test_post(struct hsl_fab *f, const struct hsl_fab_in *in);
/* States that the end has been in since the last call. */
void fab_test_log(struct hsl_fab *f, struct fab_port *port);
/* A flit is on the wire: out[n] is what comes out. How many; *delay_ps: the wire takes longer. */
uint32_t fab_test_flit(struct fab_port *port, const struct hsl_flit *f, struct hsl_wire_out out[2],
                       uint32_t n, uint64_t *delay_ps);
/* A packet goes to the link layer. */
void fab_test_packet(struct fab_port *port, struct hsl_pkt *p);
/* The chip of this end is gone. */
void fab_test_gone(struct fab_port *port);
/* A raw flit arrives where links carry packets. False: it has put the link out of order. */
bool fab_test_raw(struct hsl_fab *f, uint32_t port, const struct hsl_flit *flit);
uint64_t fab_test_hash(const struct fab_test *t);

/* ---- fab_tap.c ---- */
uint32_t fab_tap_records(const struct hsl_fab *f);
int fab_tap(struct hsl_fab *f, uint32_t port, uint8_t tap, uint8_t what);
void fab_record_flit(struct hsl_fab *f, uint32_t port, bool rx, const struct hsl_flit *flit);
void fab_record_ts(struct hsl_fab *f, uint32_t port, bool rx, const struct hsl_ts *ts);
void fab_record_state(struct hsl_fab *f, uint32_t port);

/* ---- fab_node.c ---- */
int fab_access(struct hsl_fab *f, uint16_t agent, const struct hsl_access *x);
int fab_mem(struct hsl_fab *f, uint32_t node, uint32_t id, bool poison, const uint8_t *data);
/* A free packet, HSL_NONE when all are in use. */
uint32_t fab_pkt_new(struct hsl_fab *f);
void fab_pkt_happen(struct hsl_fab *f, uint32_t pkt);
/* On from the node where it is, to the next or to its agent or home. */
void fab_pkt_forward(struct hsl_fab *f, uint32_t pkt);
/* A link gives the packet out at a node. */
void fab_pkt_arrive(struct hsl_fab *f, uint32_t pkt, uint32_t node, uint64_t delay_ps);
/* The time of the request with this tag is up. */
void fab_request_due(struct hsl_fab *f, uint32_t agent, uint32_t tag);
/* It begins to be under way, and is no more; the pair's tag is set. */
void fab_count_in(struct hsl_fab *f, struct fab_pair pair);
void fab_count_out(struct hsl_fab *f, struct fab_pair pair);
/* Pair and tag of a packet between an agent and a home. */
uint32_t fab_pkt_tag(const struct hsl_fab *f, const struct hsl_pkt *p);
bool fab_pkt_for_home(uint8_t opcode);
/* A packet of the pair starts at a node, after a delay. */
void fab_inject(struct hsl_fab *f, const struct hsl_pkt *p, struct fab_pair pair, uint32_t node,
                uint64_t delay_ps);
void fab_fence(struct hsl_fab *f, struct fab_pair pair, uint8_t status);
/* Nothing of before is left: agent and home may begin anew. */
bool fab_unfence(struct hsl_fab *f, struct fab_pair pair);
/* A packet of the pair, for a chip's agent or home, is lost. */
void fab_lost(struct hsl_fab *f, struct fab_pair pair, uint32_t dst);
/* ---- fab_routes.c ---- */
/* The neighbour that the packet goes to; HSL_NONE. */
uint32_t fab_next_node(struct hsl_fab *f, const struct fab_pkt *k, uint32_t dst);
/* It waits at its source until routes have changed, which give it to fab_pkt_forward again. */
bool fab_is_held(struct hsl_fab *f, uint32_t pkt);
/* A packet is within the network from its first link on, until it is where it goes, or lost. */
void fab_enters(struct hsl_fab *f, struct fab_pkt *k);
void fab_leaves(struct hsl_fab *f, uint32_t dst);
/* The link of the port is down: no route has it any more. */
void fab_routes_lose(struct hsl_fab *f, uint32_t port);
/* Ports are usable, or not to be used, that were not: routes change when they can. */
void fab_routes_review(struct hsl_fab *f);
int fab_port_leave(struct hsl_fab *f, uint32_t port);
void fab_routes_event(struct hsl_fab *f);

/* ---- fab_node.c ---- */
/* The chip has a fatal error. */
void fab_node_viral(struct hsl_fab *f, uint32_t node);
/* The chip is gone: nothing between it and anybody goes on. */
void fab_node_gone(struct hsl_fab *f, uint32_t node);

#endif
