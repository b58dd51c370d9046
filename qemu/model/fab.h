/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The modelled fabric: chips with agents and homes, joined by links that train, carry flits, make
 * errors and replay, in virtual time. It owns no policy: caches and directory are agent.c and
 * home.c, links link.c and phy.c, errors wire.c; this file moves packets between them and charges
 * time (docs/hep.md sections 8, 9, 12).
 *
 * A value in one caller-allocated arena, driven like the model of the software tables (model.h):
 * post, step, drain. A snapshot is a memcpy; the same seed and the same posts give the same run.
 *
 * Not thread-safe: one caller at a time per instance.
 */
#ifndef HSL_MODEL_FAB_H
#define HSL_MODEL_FAB_H

#include "coh.h"
#include "link.h"
#include "model.h"
#include "phy.h"
#include "wire.h"

struct hsl_fab_cfg {
    uint32_t nodes;             /* chips, 1 to HSL_FAB_NODES_MAX */
    enum hsl_topology topology;
    struct hsl_profile profile;
    uint64_t seed;
    struct hsl_link_cfg link;   /* of every end */
    struct hsl_phy_cfg phy;     /* lanes and rate are the profile's */
    struct hsl_wire_cfg errors; /* of every wire */
    struct hsl_agent_cfg agent; /* id and tag_first are set per agent */
    struct hsl_home_cfg home;   /* id and nodes are set per home */
    uint32_t hop_limit;
    uint64_t timeout_ps;        /* of a request, from when it was last sent; 0: never */
    /* of HSL_TOPO_FILE, as in struct hsl_model_config */
    uint32_t switches, nlinks;
    const struct hsl_topo_link *links;
    /*
     * The link from cut_a to cut_b, 0: none, leaves this fabric (fab_remote.c): cut_b and what is behind it are
     * somebody else's, who may access [0, open_bytes) of the memory of the chips here.
     */
    uint32_t cut_a, cut_b;
    uint64_t open_bytes;
};
#define HSL_FAB_NODES_MAX 64u
#define HSL_FAB_TIME_MAX (UINT64_C(1) << 62)     /* of what arrives */

/* Everything but nodes, topology, its links and profile as a plain fabric has it. */
void hsl_fab_defaults(struct hsl_fab_cfg *cfg);
const char *hsl_fab_check(const struct hsl_fab_cfg *cfg);
size_t hsl_fab_size(const struct hsl_fab_cfg *cfg);

struct hsl_fab;
int hsl_fab_init(struct hsl_fab *f, size_t arena_bytes, const struct hsl_fab_cfg *cfg);

enum hsl_fab_in_type {
    HSL_FAB_ACCESS,             /* agent, access */
    HSL_FAB_MEM,                /* node, mem: the answer to a memory read */
    HSL_FAB_NODE,               /* node, present: a chip vanishes, or is back; all are there at first */
    HSL_FAB_VIRAL,              /* node: the chip has a fatal error, until it vanishes; present: until now */
    HSL_FAB_LINK,               /* a, b, up: held down, or not any more */
    HSL_FAB_LEAVE,              /* a, b: held down as soon as other ways are used and it is empty */
    HSL_FAB_RETRAIN,            /* a, b */
    HSL_FAB_LANE,               /* a's receiver of the link from b: lane works or not */
    HSL_FAB_ERRORS,             /* a, b: error model of the wire from a to b */
    /* a, b: of the requests of a's agents that take the link to b, `hit` are lost behind `pass` */
    HSL_FAB_SWALLOW,
    HSL_FAB_TAP,                /* a, b, both 0: every end; tap, what: see hsl_fab_record */
    /* for testers: a's end of the link to b; test */
    HSL_FAB_SEED,               /* value: the wire from a to b draws from this seed from now on */
    HSL_FAB_ARM,                /* what, pass, hit, value; replaces the arming before, hit 0: none */
    HSL_FAB_CHANGE,             /* what: enum hsl_phy_event, DISABLE to HOT_RESET or RETRAIN */
    HSL_FAB_FREEZE,             /* what: bit v: hsl_link_freeze */
    HSL_FAB_PRESET,             /* what, value: enum hsl_fab_preset */
    HSL_FAB_LOOPBACK,           /* what: enum hsl_fab_loopback */
    HSL_FAB_SEND,               /* flit: goes out as it is when the wire is free, in L0 only */
    HSL_FAB_CALM,               /* ends what all of these but CHANGE, and LANE and ERRORS, did */
    /* where a link leaves this fabric */
    HSL_FAB_PEER,               /* peer.link: the other end is there, with these parameters; NULL: it is gone */
    HSL_FAB_ARRIVE,             /* arrive: a flit or a training set of the other end */
};

/* Errors of chosen flits (of type data) or packets that leave an end. */
enum hsl_fab_arm {
    HSL_FAB_ARM_CRC = 1,        /* value: bit that is inverted */
    HSL_FAB_ARM_DROP,
    HSL_FAB_ARM_DUPLICATE,
    HSL_FAB_ARM_REORDER,        /* value: places late */
    HSL_FAB_ARM_DELAY,          /* value: ps, less than the replay time */
    HSL_FAB_ARM_POISON,         /* packets with data */
    HSL_FAB_ARM_SWALLOW,        /* requests of a's agents: as HSL_FAB_SWALLOW */
};
/* Value 0: as configured. Times: HSL_FAB_PRESET_MAX_PS at most. */
enum hsl_fab_preset { HSL_FAB_PRESET_SEQ, HSL_FAB_PRESET_ACK_PS, HSL_FAB_PRESET_REPLAY_PS };
#define HSL_FAB_PRESET_MAX_PS UINT64_C(1000000000)
/*
 * A link of which an end loops carries no packets, as if it were down. NEAR: what the end sends
 * comes back to it. FAR: what it receives goes back to the peer, in place of its own. With OFF both
 * ends go through DETECT.
 */
enum hsl_fab_loopback { HSL_FAB_LOOPBACK_OFF, HSL_FAB_LOOPBACK_NEAR, HSL_FAB_LOOPBACK_FAR };

struct hsl_fab_in {
    enum hsl_fab_in_type type;
    union {
        struct { uint16_t agent; struct hsl_access x; } access;
        struct { uint32_t node, id; bool poison; uint8_t data[HSL_LINE_BYTES]; } mem;
        struct { uint32_t id; bool present; } node;
        struct { uint32_t a, b, lane; bool up; struct hsl_wire_cfg errors; } link;
        struct { uint32_t a, b, pass, hit; } swallow;
        struct { uint32_t a, b; uint8_t tap, what; } tap;
        struct {
            uint32_t a, b, what, pass, hit;
            uint64_t value;
            const struct hsl_flit *flit;
        } test;
        struct { const struct hsl_link_cfg *link; } peer;
        struct { uint64_t time_ps; const struct hsl_flit *flit; const struct hsl_ts *ts; } arrive;
    } u;
};
/*
 * 0; -EAGAIN the agent has no room; -EINVAL unknown agent, node, link or lane, an argument out of
 * bounds, or hsl_agent_access's. LEAVE: -EHOSTUNREACH, a chip would lose its way to another; -EBUSY,
 * routes are changing.
 */
int hsl_fab_post(struct hsl_fab *f, const struct hsl_fab_in *in);
/* The earliest pending event happens and time moves to it. 1, or 0: nothing is pending. */
int hsl_fab_step(struct hsl_fab *f);
uint64_t hsl_fab_next_ps(const struct hsl_fab *f);      /* time of that event; UINT64_MAX */

enum hsl_fab_out_type { HSL_FAB_OUT_ACCESS, HSL_FAB_OUT_MEM, HSL_FAB_OUT_LINK };
struct hsl_fab_out {
    enum hsl_fab_out_type type;
    uint64_t time_ps;
    union {
        struct { uint16_t agent; struct hsl_access x; } access;
        struct { uint32_t node; struct hsl_mem_op op; } mem;
        struct { uint32_t end, a, b, state, width, rate_mtps; } link;   /* end a changed state */
    } u;
};
int hsl_fab_drain(struct hsl_fab *f, struct hsl_fab_out *out);

/*
 * What has left by the link that leaves this fabric, and arrives a crossing after its time. Taken before the next
 * post or step, like outputs.
 */
struct hsl_fab_sent {
    uint64_t time_ps;
    bool is_ts;
    union {
        struct hsl_flit flit;
        struct hsl_ts ts;
    } u;
};
int hsl_fab_sent(struct hsl_fab *f, struct hsl_fab_sent *out);
/* Is the chip or switch somebody else's? */
bool hsl_fab_is_remote(const struct hsl_fab *f, uint32_t node);
/* Packets of somebody else that made no sense: they put the link through DETECT. */
uint64_t hsl_fab_remote_refused(const struct hsl_fab *f);
/* Time moves on, though nothing happens: to time_ps at most, and not beyond the next event. */
void hsl_fab_advance(struct hsl_fab *f, uint64_t time_ps);

/*
 * For captures (docs/capture.md): what an end of a link sends and receives, and which state it
 * enters, in the order in which it happens. A tap is one listener of several; nothing is recorded
 * where none asks. Like outputs, records are taken before the next post or step: else -EBUSY.
 */
#define HSL_FAB_TAPS    8u
#define HSL_FAB_TAP_TX  1u      /* flits before errors of the wire; states with either */
#define HSL_FAB_TAP_RX  2u
enum hsl_fab_record_kind { HSL_FAB_FLIT = 1, HSL_FAB_TS, HSL_FAB_STATE };
struct hsl_fab_record {
    uint64_t time_ps;
    uint32_t end, a, b;         /* number of the end; the node it is at, the node at the other */
    uint32_t link;              /* link block of a */
    enum hsl_fab_record_kind kind;
    uint8_t taps;               /* bit i: tap i wants it */
    bool rx;
    union {
        struct hsl_flit flit;
        struct hsl_ts ts;
        struct { uint32_t state, width, rate_mtps; } state;
    } u;
};
int hsl_fab_record(struct hsl_fab *f, struct hsl_fab_record *out);
/* Ends of links are numbered from 0; false: there are fewer. */
bool hsl_fab_end(const struct hsl_fab *f, uint32_t end, uint32_t *a, uint32_t *b);

/*
 * Memory [offset, offset + len) of a chip will be used past the fabric: what its home remembers of
 * lines there that no agent has is forgotten. Lines that an agent has stay.
 */
void hsl_fab_forget(struct hsl_fab *f, uint32_t node, uint64_t offset, uint64_t len);
/* A chip is wrong: its agents, its home, its ends of links. enum hsl_deviation */
void hsl_fab_deviate(struct hsl_fab *f, uint32_t node, uint32_t deviation);
uint64_t hsl_fab_now_ps(const struct hsl_fab *f);
const struct hsl_fab_cfg *hsl_fab_config(const struct hsl_fab *f);
uint64_t hsl_fab_hash(const struct hsl_fab *f);
/* Nothing is under way: links may still train, or send idle flits. */
bool hsl_fab_quiet(const struct hsl_fab *f);
/* Of one end of a link; NULL: there is no such link. */
const struct hsl_link *hsl_fab_link(const struct hsl_fab *f, uint32_t a, uint32_t b);
const struct hsl_phy *hsl_fab_phy(const struct hsl_fab *f, uint32_t a, uint32_t b);
/* What is left of HSL_FAB_SWALLOW, to pass and to hit. */
uint32_t hsl_fab_swallow_left(const struct hsl_fab *f, uint32_t a, uint32_t b);
const struct hsl_agent *hsl_fab_agent(const struct hsl_fab *f, uint16_t agent);
const struct hsl_home *hsl_fab_home(const struct hsl_fab *f, uint32_t node);
/* Times that the link of this end carried packets and then did no more. */
uint64_t hsl_fab_downs(const struct hsl_fab *f, uint32_t a, uint32_t b);
/* Packets of a node's agents and home, and accesses of its agents. Statistics are never reset. */
struct hsl_fab_net_stats {
    uint64_t delivered, hops, forwarded, lost, poisoned;
};
const struct hsl_fab_net_stats *hsl_fab_net_stats(const struct hsl_fab *f, uint32_t node);
const struct hsl_wire *hsl_fab_wire(const struct hsl_fab *f, uint32_t a, uint32_t b);
/* What testers did to an end. */
struct hsl_fab_test {
    uint64_t injected;          /* errors, those of the wire too, since the chip came */
    uint32_t pass, hit;         /* that the arming has left */
    bool waits;                 /* a flit of HSL_FAB_SEND */
};
int hsl_fab_test(const struct hsl_fab *f, uint32_t a, uint32_t b, struct hsl_fab_test *out);
/* Change of state i of an end, counted from the beginning; -ERANGE: none yet, or not kept. */
struct hsl_fab_change { uint64_t time_ps; uint8_t from, to; };
#define HSL_FAB_LOG 64u
uint32_t hsl_fab_changes(const struct hsl_fab *f, uint32_t a, uint32_t b);
int hsl_fab_change(const struct hsl_fab *f, uint32_t a, uint32_t b, uint32_t i,
                   struct hsl_fab_change *out);

#endif
