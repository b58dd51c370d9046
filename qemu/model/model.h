/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The protocol model: nodes, links, routes and transactions of one fabric in virtual time.
 *
 * Shape. The model is a value: it lives in one caller-allocated arena, uses indices instead of
 * pointers, allocates nothing after init, has no globals, no threads, no OS calls and no callbacks.
 * Its host (the engine, in QEMU, in libhsl's sim: backend or in a test) drives it:
 *
 *     post(event)   something happens at a node: a request is sent, an answer is given, a link
 *                   changes
 *     step()        the earliest pending event is processed and time moves to it
 *     drain(out)    what came out: a request that reached its home node, a response that reached
 *                   its requester
 *
 * A remote access is never a function call: the requester posts, the home node's host drains a
 * DELIVER_REQ, looks at its own tables and posts the answer, the requester's host drains a
 * DELIVER_RSP. A snapshot is a memcpy of the arena, and hsl_model_hash() is equal for equal states
 * wherever the arena lies.
 *
 * Not thread-safe: one caller at a time per instance.
 */
#ifndef HSL_MODEL_H
#define HSL_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hsl/proto.h"

/*
 * pair: one link. mesh: every two chips are linked, at most 17 chips. ring: at most 256 chips, as a
 * packet counts at most 255 hops; of two it is a pair. switch: one switch, node
 * HSL_NODE_SWITCH_FIRST, one link to each chip. One chip alone is allowed in every topology and has
 * no links. file: chips, switches and links as listed (conf.h reads such lists), all connected.
 */
enum hsl_topology { HSL_TOPO_PAIR, HSL_TOPO_RING, HSL_TOPO_MESH, HSL_TOPO_SWITCH, HSL_TOPO_FILE };

struct hsl_topo_link {
    uint16_t a, b;              /* node ids: chips from 1, switches from HSL_NODE_SWITCH_FIRST */
};

/* Link profile: the inputs of the latency formula (docs/hep.md section 9). All modelled, none measured. */
struct hsl_profile {
    char name[16];
    uint32_t lanes;
    uint32_t rate_mtps;         /* per lane */
    uint32_t port_ps;           /* one crossing of a port, SerDes and link layer */
    uint32_t cable_ps;          /* one cable */
    uint32_t switch_ps;         /* one switch hop */
    uint32_t home_ps;           /* directory look-up at the home node */
    uint32_t dram_ps;
};

/* From the wire of one end into the other: two ports and the cable, ps. */
uint64_t hsl_time_flit_ps(const struct hsl_profile *p);         /* on all lanes */
uint64_t hsl_time_crossing_ps(const struct hsl_profile *p);

/* A command on direct memory, as far as its time goes. */
#define HSL_WAY_OWN_HOST    UINT32_MAX  /* instead of a number of links: memory of the chip's own host */
struct hsl_time_command {
    bool fetch;                 /* its queue was idle */
    bool reads, writes, updates;/* bytes of src; of dst; of dst, having read them there */
    uint32_t src_links, dst_links;
    uint64_t bytes;
};
/* docs/hep.md section 9, all in ps. links: how many to the home, or HSL_WAY_OWN_HOST. */
uint64_t hsl_time_way_ps(const struct hsl_profile *p, uint32_t links);
uint64_t hsl_time_auth_ps(const struct hsl_profile *p, uint32_t links);
uint64_t hsl_time_read_ps(const struct hsl_profile *p, uint32_t links);
uint64_t hsl_time_stream_ps(const struct hsl_profile *p, uint64_t bytes);
/* What the slots of so many bytes occupy of a link, rounded up to a picosecond. */
uint64_t hsl_time_wire_ps(const struct hsl_profile *p, uint64_t bytes);
uint64_t hsl_time_command_ps(const struct hsl_profile *p, const struct hsl_time_command *c);

/* Profile by name ("default", "gen2", "pcie5"); NULL if unknown. */
const struct hsl_profile *hsl_profile_find(const char *name);

struct hsl_model_config {
    uint32_t nodes;             /* chips, ids 1..nodes */
    enum hsl_topology topology; /* PAIR needs nodes == 2 (1 is allowed: no link) */
    uint32_t host_node;         /* id of the host; reached through the requester's own chip */
    uint32_t max_inflight;      /* transactions at once; 0 = 4 per node */
    uint32_t hop_limit;         /* links a packet may cross, <= 255; 0 = chips (and FILE's switches), or 255 */
    struct hsl_profile profile;
    /* of HSL_TOPO_FILE; read by check and init. Link i of a node is the i-th that names it. */
    uint32_t switches, nlinks;
    const struct hsl_topo_link *links;
};

#define HSL_MODEL_NODES_MAX 4096u
#define HSL_MODEL_FILE_NODES_MAX 256u   /* chips and switches: a way has at most 255 links */
#define HSL_MODEL_FILE_LINKS_MAX 4096u
#define HSL_MODEL_LINKS_PER_NODE_MAX 16u  /* larger meshes are refused: use ring or switch */

/* Topology by name, `file` is none; -EINVAL if unknown. */
int hsl_topology_parse(const char *name, enum hsl_topology *out);
const char *hsl_topology_name(enum hsl_topology t);

/* Bytes of arena for a configuration, 8-byte aligned; 0 if the configuration is invalid (why: see check). */
size_t hsl_model_size(const struct hsl_model_config *cfg);
/* NULL if valid, else one English sentence, static storage. */
const char *hsl_model_check(const struct hsl_model_config *cfg);

struct hsl_model;               /* the arena */

/*
 * -EINVAL bad configuration or arena not 8-byte aligned, -ENOSPC arena smaller than hsl_model_size.
 * Afterwards every chip is absent until its HSL_EV_NODE, and every link is up as soon as both its
 * ends are present.
 */
int hsl_model_init(struct hsl_model *m, size_t arena_bytes, const struct hsl_model_config *cfg);

/* ---- events in ---- */
enum hsl_event_type {
    HSL_EV_REQ,                 /* req: node req.src sends it; addr's hop field must be 0 */
    HSL_EV_RSP,                 /* rsp: home node rsp.src answers a delivered request */
    HSL_EV_LINK,                /* link: both directions between two node ids go up or down, routes follow */
    HSL_EV_NODE,                /* node: a chip appears or vanishes; requests to it fail as unreachable */
};
struct hsl_event {
    enum hsl_event_type type;
    union {
        struct hsl_pkt_req req;
        struct hsl_pkt_rsp rsp;
        struct { uint32_t a, b; bool up; } link;
        struct { uint32_t id; bool present; } node;
    } u;
};
/*
 * 0; -EAGAIN no room, drain first; -EINVAL unknown node, link or opcode, reserved bits; -EBUSY tag
 * in use by the same requester; -ENOENT an RSP nobody waits for (a late answer: dropped,
 * HEP-TXN-021). A posted REQ produces exactly one DELIVER_RSP at its requester, whatever happens to
 * links and nodes, unless the requester itself vanishes. Its tag is in use until that DELIVER_RSP
 * has been drained. In this edition the only request is AUTH and the only answer HSL_PKT_RSP; a
 * chip that is absent cannot send (-EINVAL) but can be sent to (UNREACHABLE).
 *
 * LINK and NODE act before the post returns and cannot fail for lack of room; the answers they cause
 * come by step. No change is no event.
 *
 *   link down   packets on the link are lost, their transactions answered UNREACHABLE; others find
 *               another way or none
 *   node gone   its own transactions end without an answer, its later RSPs are -ENOENT. Transactions
 *               homed at it, a DELIVER_REQ not yet drained included, and packets on its links are
 *               answered UNREACHABLE
 *
 * An RSP is accepted once, between the drain of its DELIVER_REQ and the loss of the home. Whoever
 * hosts a node forgets what the node owes when it posts that the node is gone: a tag may have been
 * used again when the node is back.
 */
int hsl_model_post(struct hsl_model *m, const struct hsl_event *ev);

/* Process the earliest pending event. 1 = did something, 0 = nothing pending. */
int hsl_model_step(struct hsl_model *m);

/* ---- outputs ---- */
enum hsl_output_type { HSL_OUT_DELIVER_REQ, HSL_OUT_DELIVER_RSP };
struct hsl_output {
    enum hsl_output_type type;
    uint32_t node;              /* where it came out */
    uint32_t hops;              /* links crossed by this packet */
    uint64_t time_ps;
    union {
        struct hsl_pkt_req req; /* addr has the hop count in [55:48], as on the wire */
        struct hsl_pkt_rsp rsp; /* status HSL_ST_UNREACHABLE is made by the network */
    } u;
};
/* 1 = *out filled, 0 = nothing. */
int hsl_model_drain(struct hsl_model *m, struct hsl_output *out);

/* ---- queries ---- */
uint64_t hsl_model_now_ps(const struct hsl_model *m);
uint64_t hsl_model_hash(const struct hsl_model *m);
uint32_t hsl_model_nlinks(const struct hsl_model *m, uint32_t node);
struct hsl_model_link {
    uint32_t peer;              /* node id, switches included */
    uint32_t peer_type;         /* HSL_NODE_TYPE_* */
    uint32_t state;             /* HSL_LTSSM_L0 or HSL_LTSSM_DETECT (end absent or down) */
    uint32_t width, rate_mtps;  /* 0 while not in L0 */
    uint32_t max_width, max_rate_mtps;  /* what the end can */
    uint32_t latency_ps;        /* crossing it when empty: 2 * port + cable + one flit */
};
/* -EINVAL unknown node or index. */
int hsl_model_link(const struct hsl_model *m, uint32_t node, uint32_t index, struct hsl_model_link *out);
/*
 * Links on the route from one chip to another, at most the hop limit; -EHOSTUNREACH, -EINVAL.
 * Between a host and a present chip 0.
 */
int hsl_model_hops(const struct hsl_model *m, uint32_t src, uint32_t dst);
#define HSL_WAY_MAX 255u
/*
 * The same links by number, in the order in which they are crossed: 2 * link + direction, below
 * 2 * hsl_model_links(). As many as hsl_model_hops says, and its errors.
 */
int hsl_model_way(const struct hsl_model *m, uint32_t src, uint32_t dst, uint32_t way[HSL_WAY_MAX]);
uint32_t hsl_model_links(const struct hsl_model *m);

/* ---- flits: packing and CRC (docs/hep.md section 8) ---- */
uint64_t hsl_crc64(const void *data, size_t len);       /* CRC-64/XZ */
uint64_t hsl_crc64_portable(const void *data, size_t len);      /* the same, on every CPU */
/* Fill hdr, reserved bytes and CRC of a flit whose slots, slot_map, ack and credits are set. */
void hsl_flit_seal(struct hsl_flit *f, uint32_t seq, uint32_t type);
/* True if CRC, reserved bits and slot map are right. */
bool hsl_flit_check(const struct hsl_flit *f);
/*
 * Wire bytes of a transfer of len bytes in packets of at most 256 data bytes, one header of hdr_slots
 * each; UINT64_MAX when that does not fit.
 */
uint64_t hsl_wire_bytes(uint64_t len, uint32_t hdr_slots);

#endif
