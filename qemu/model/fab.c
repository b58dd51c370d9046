/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The modelled fabric's front: configuration, arena, event queue, posts, outputs and queries. Links
 * are in fab_port.c, packets at nodes in fab_node.c.
 *
 * Time is in picoseconds and moves only in hsl_fab_step, to the earliest event; events of the same
 * time happen in the order in which they were scheduled. So a run follows from configuration and
 * posts. For one access that misses, on links that are trained and idle (docs/hep.md section 9):
 *
 *     way(L) = L * link + (L - 1) * switch,  link = 2 * port + cable + flit
 *     LOAD   = [port] + way + home + dram + way + [port]     [port]: of a host port
 *
 * Outputs and records go into rings that have room for what one post or step can cause, so the
 * caller takes them all before the next one, but for answers of memory: else -EBUSY.
 */
#include <errno.h>
#include <string.h>

#include "fab_priv.h"

/* ---- configuration ---- */

#define CREDITS_MAX     127u    /* units of a receive buffer */
#define FLITS_MAX       2304u   /* of a receive buffer: 127 of the largest units */

/*
 * Room for what the other end sends until it hears that the first quarter of it was freed: flits of
 * two crossings and a few that begin or end meanwhile are the other three (docs/hep.md section 9).
 */
static void size_buffers(struct hsl_link_cfg *link, const struct hsl_profile *profile)
{
    uint64_t flit = hsl_time_flit_ps(profile);
    uint64_t flits = (2 * hsl_time_crossing_ps(profile) + flit - 1) / flit + 4;
    uint32_t slots, unit;

    flits = (flits * 4 + 2) / 3;
    flits = flits < FLITS_MAX ? flits : FLITS_MAX;
    slots = (uint32_t)flits * HSL_FLIT_SLOTS;
    while ((slots + (1u << link->credit_shift) - 1) >> link->credit_shift > CREDITS_MAX) {
        link->credit_shift++;
    }
    unit = 1u << link->credit_shift;
    for (uint32_t vc = 0; vc < HSL_VC_COUNT; vc++) {
        link->rx_slots[vc] = slots + unit - 1;
    }
    link->tell_units = slots / unit / 4;
    if (link->replay_flits < flits) {
        link->replay_flits = (uint32_t)flits;
    }
}

void hsl_fab_defaults(struct hsl_fab_cfg *cfg)
{
    static const struct hsl_link_cfg link = {
        .seq_bits = HSL_FLIT_SEQ_BITS,
        .replay_flits = 512,
        .tx_slots = { 28, 28, 28, 28, 28 },
        .ack_ps = 300000,
        .replay_ps = 1300000,
        .replay_rounds = 4,
    };
    uint64_t crossing = hsl_time_crossing_ps(&cfg->profile);

    *cfg = (struct hsl_fab_cfg){
        .nodes = cfg->nodes,
        .topology = cfg->topology,
        .profile = cfg->profile,
        .switches = cfg->switches,
        .nlinks = cfg->nlinks,
        .links = cfg->links,
    };
    cfg->seed = 1;
    cfg->link = link;
    size_buffers(&cfg->link, &cfg->profile);
    /* as testers may ask for it, where numbers have room */
    cfg->link.reorder = cfg->link.replay_flits < 1u << (cfg->link.seq_bits - 1);
    /* what waits for the other end waits for some crossings at least */
    cfg->link.ack_ps += 2 * crossing;
    cfg->link.replay_ps += 8 * crossing;
    cfg->phy.ts_ps = 100000 + crossing;
    cfg->phy.train_ps = 50000000 + 50 * crossing;
    cfg->timeout_ps = UINT64_C(10000000000);
    cfg->agent.sets = 64;
    cfg->agent.ways = 8;
    cfg->agent.requests = 16;
    cfg->agent.accesses = 32;
    cfg->home.sets = 256;
    cfg->home.ways = 8;
    cfg->home.requests = 32;
}

/* The parts as each instance has them. */
static struct hsl_phy_cfg phy_cfg(const struct hsl_fab_cfg *cfg)
{
    struct hsl_phy_cfg phy = cfg->phy;

    phy.lanes = cfg->profile.lanes;
    phy.rate_mtps = cfg->profile.rate_mtps;
    return phy;
}

static struct hsl_agent_cfg agent_cfg(const struct hsl_fab_cfg *cfg, uint32_t ix)
{
    struct hsl_agent_cfg agent = cfg->agent;

    agent.id = (uint16_t)(ix % cfg->nodes + 1 + (ix >= cfg->nodes ? HSL_AGENT_HOST_PORT : 0));
    agent.tag_first = 0;
    return agent;
}

static struct hsl_home_cfg home_cfg(const struct hsl_fab_cfg *cfg, uint32_t ix)
{
    struct hsl_home_cfg home = cfg->home;

    home.id = (uint16_t)(ix + 1);
    home.nodes = cfg->nodes;
    return home;
}

static struct hsl_model_config net_cfg(const struct hsl_fab_cfg *cfg)
{
    return (struct hsl_model_config){
        .nodes = cfg->nodes,
        .topology = cfg->topology,
        .host_node = HSL_NODE_HOST_DEFAULT,
        .max_inflight = 1,
        .hop_limit = cfg->hop_limit,
        .profile = cfg->profile,
        .switches = cfg->switches,
        .nlinks = cfg->nlinks,
        .links = cfg->links,
    };
}

const char *hsl_fab_check(const struct hsl_fab_cfg *cfg)
{
    struct hsl_model_config net;
    struct hsl_agent_cfg agent;
    struct hsl_home_cfg home;
    const char *why;

    if (!cfg) {
        return "there is no configuration";
    }
    net = net_cfg(cfg);
    why = hsl_model_check(&net);
    if (why) {
        return why;
    }
    if (cfg->nodes > HSL_FAB_NODES_MAX) {
        return "a modelled fabric has at most 64 chips";
    }
    agent = agent_cfg(cfg, 0);
    home = home_cfg(cfg, 0);
    why = hsl_link_check(&cfg->link);
    why = why ? why : hsl_wire_check(&cfg->errors);
    why = why ? why : hsl_agent_check(&agent);
    why = why ? why : hsl_home_check(&home);
    if (!why && (!cfg->phy.ts_ps || !cfg->phy.train_ps)) {
        why = "training sets and training take some time";
    }
    if (!why && cfg->errors.reorder_places > cfg->link.reorder) {
        why = "wires reorder by more places than the link layer expects";
    }
    if (!why && cfg->profile.lanes > 16) {
        why = "a modelled link has at most 16 lanes";
    }
    return why;
}

/* ix of a node of the topology by its id, HSL_NONE if it does not exist. */
static uint32_t node_ix(const struct hsl_fab *f, uint32_t id)
{
    bool is_switch = id >= HSL_NODE_SWITCH_FIRST;
    uint32_t ix = is_switch ? id - HSL_NODE_SWITCH_FIRST + f->cfg.nodes : id - 1;

    return id && ix < f->nnodes && (ix >= f->cfg.nodes) == is_switch ? ix : HSL_NONE;
}

uint32_t fab_port_between(const struct hsl_fab *f, uint32_t a_id, uint32_t b_id)
{
    uint32_t a = node_ix(f, a_id), b = node_ix(f, b_id);

    return a == HSL_NONE || b == HSL_NONE ? HSL_NONE : fab_port_to(f, a, b);
}

/* ---- arena ---- */

static uint64_t take(uint64_t *end, uint64_t bytes)
{
    uint64_t off = *end;

    *end += (bytes + 7) & ~UINT64_C(7);
    return off;
}

/*
 * Packets at nodes at once. Of an agent's request: itself or its answer, RETRY and GRANT, and the
 * ACK of the one before. Of a request that a home works on: a snoop or its answer for each agent,
 * data from an owner, the home's answer, an answer of memory.
 */
static uint64_t fab_packets(const struct hsl_fab_cfg *cfg)
{
    uint64_t agents = 2 * (uint64_t)cfg->nodes;

    return agents * cfg->agent.requests * 4 +
           (uint64_t)cfg->nodes * cfg->home.requests * (agents + 4);
}

/* Flits on a wire at once: as many as it takes to cross at full speed, each doubled, all late. */
static uint64_t wire_flights(const struct hsl_fab_cfg *cfg, uint64_t crossing_ps)
{
    uint64_t flit = hsl_time_flit_ps(&cfg->profile);

    return 2 * ((crossing_ps + flit - 1) / flit + cfg->link.reorder + 4);
}

static uint64_t fab_layout(struct hsl_fab *f, const struct hsl_fab_cfg *cfg)
{
    struct hsl_model_config net = net_cfg(cfg);
    struct hsl_agent_cfg agent = agent_cfg(cfg, 0);
    struct hsl_home_cfg home = home_cfg(cfg, 0);
    const uint64_t vc = HSL_VC_COUNT;
    uint64_t end = 0, largest = 0;

    memset(f, 0, sizeof(*f));
    f->cfg = *cfg;
    f->cfg.phy = phy_cfg(cfg);
    f->nnodes = cfg->nodes + hsl_net_switches(&net);
    f->cfg.hop_limit = cfg->hop_limit ? cfg->hop_limit : f->nnodes < 255 ? f->nnodes : 255;
    f->nports = 2 * hsl_net_total_links(&net);
    f->nagents = 2 * cfg->nodes;
    f->crossing_ps = hsl_time_crossing_ps(&cfg->profile);
    f->npkts = (uint32_t)fab_packets(cfg);
    f->nflights = (uint32_t)(f->nports * wire_flights(cfg, f->crossing_ps));
    if (cfg->cut_a) {       /* somebody else may be ahead of us by all that he sends without an answer */
        f->remote_flights_max = (uint32_t)wire_flights(cfg, f->crossing_ps) + cfg->link.replay_flits;
        f->nflights += f->remote_flights_max;
    }
    f->nevents = 2 * f->nports + f->nflights + f->npkts + f->nagents * cfg->agent.requests + 2;
    f->nout = 2 * f->nports + f->nagents * cfg->agent.accesses +
              cfg->nodes * cfg->home.requests * 4 + FAB_TEST_OUT;
    for (uint32_t i = 0; i < vc; i++) {
        uint64_t n = (uint64_t)cfg->link.tx_slots[i] + cfg->link.rx_slots[i] +
                     (uint64_t)cfg->link.replay_flits * HSL_FLIT_SLOTS;

        largest = n > largest ? n : largest;
    }
    f->under_cap = (uint32_t)largest;
    f->link_bytes = (hsl_link_size(&cfg->link) + 7) & ~UINT64_C(7);
    f->agent_bytes = (hsl_agent_size(&agent) + 7) & ~UINT64_C(7);
    f->home_bytes = (hsl_home_size(&home) + 7) & ~UINT64_C(7);
    take(&end, sizeof(*f));
    f->net_bytes = (hsl_model_size(&net) + 7) & ~UINT64_C(7);
    f->off_net = take(&end, 2 * f->net_bytes);
    f->off_dst = take(&end, cfg->nodes * sizeof(struct fab_dst));
    f->off_port = take(&end, f->nports * sizeof(struct fab_port));
    f->off_first_port = take(&end, (f->nnodes + 1) * sizeof(uint32_t));
    f->off_pair = take(&end, (uint64_t)f->nagents * cfg->nodes * sizeof(struct fab_under_way));
    f->off_pkt = take(&end, f->npkts * sizeof(struct fab_pkt));
    f->off_flight = take(&end, f->nflights * sizeof(struct fab_flight));
    f->off_agents = take(&end, f->nagents * f->agent_bytes);
    f->off_homes = take(&end, cfg->nodes * f->home_bytes);
    f->off_request = take(&end, (uint64_t)f->nagents * (cfg->agent.requests + 1) *
                                sizeof(struct fab_request));
    f->off_event = take(&end, f->nevents * sizeof(uint32_t));
    f->off_heap = take(&end, f->nevents * sizeof(struct fab_due));
    f->off_out = take(&end, f->nout * sizeof(struct hsl_fab_out));
    f->off_net_stats = take(&end, f->nnodes * sizeof(struct hsl_fab_net_stats));
    f->nrecords = fab_tap_records(f);
    f->off_record = take(&end, f->nrecords * sizeof(struct hsl_fab_record));
    f->off_sent = take(&end, FAB_SENT * sizeof(struct hsl_fab_sent));
    f->cut = HSL_NONE;
    /* rings: nobody reads what he has not written, so they are not cleared, and large ones cost no memory */
    f->off_links = take(&end, f->nports * f->link_bytes);
    f->off_under = take(&end, f->nports * vc * f->under_cap * sizeof(struct fab_carried));
    return end;
}

size_t hsl_fab_size(const struct hsl_fab_cfg *cfg)
{
    struct hsl_fab f;
    uint64_t bytes;

    if (hsl_fab_check(cfg)) {
        return 0;
    }
    bytes = fab_layout(&f, cfg);
    return bytes <= SIZE_MAX ? (size_t)bytes : 0;
}

/* Of an event in the heap, HSL_NONE if it is not scheduled. */
static uint32_t *place_of(struct hsl_fab *f, uint32_t ev)
{
    return (uint32_t *)fab_at(f, f->off_event) + ev;
}

int hsl_fab_init(struct hsl_fab *f, size_t arena_bytes, const struct hsl_fab_cfg *cfg)
{
    size_t bytes = hsl_fab_size(cfg);
    struct hsl_model_config net;
    struct hsl_fab head;

    if (!f || (uintptr_t)f % 8 || !bytes) {
        return -EINVAL;
    }
    if (arena_bytes < bytes) {
        return -ENOSPC;
    }
    fab_layout(&head, cfg);
    memset(f, 0, head.off_links);
    memcpy(f, &head, sizeof(head));
    net = net_cfg(cfg);
    hsl_model_init(fab_net(f), hsl_model_size(&net), &net);
    f->cfg.links = NULL;        /* the caller's */
    f->held_head = f->held_tail = HSL_NONE;
    if (fab_remote_init(f)) {
        return -EINVAL;
    }
    for (uint32_t i = 0; i < cfg->nodes; i++) {
        struct hsl_event here = { .type = HSL_EV_NODE, .u.node = { i + 1, !fab_dst(f, i)->remote } };
        struct hsl_home_cfg home = home_cfg(cfg, i);

        hsl_model_post(fab_net(f), &here);
        hsl_home_init(fab_home(f, i), &home);
    }
    for (uint32_t i = 0; i < f->nagents; i++) {
        struct hsl_agent_cfg agent = agent_cfg(cfg, i);

        hsl_agent_init(fab_agent(f, i), &agent);
    }
    for (uint32_t i = 0; i < f->npkts; i++) {
        fab_pkt(f, i)->next = i + 1 < f->npkts ? i + 1 : HSL_NONE;
    }
    for (uint32_t i = 0; i < f->nflights; i++) {
        fab_flight(f, i)->next = i + 1 < f->nflights ? i + 1 : HSL_NONE;
        fab_flight(f, i)->port = HSL_NONE;
    }
    if (!f->nflights) {
        f->flight_free = HSL_NONE;
    }
    for (uint32_t i = 0; i < f->nevents; i++) {
        *place_of(f, i) = HSL_NONE;
    }
    fab_ports_init(f);
    return 0;
}

/* ---- event queue: a heap of times and event numbers; each event knows its place ---- */

static struct fab_due *heap_of(struct hsl_fab *f)
{
    return fab_at(f, f->off_heap);
}

static bool before(const struct fab_due *a, const struct fab_due *b)
{
    return a->time_ps != b->time_ps ? a->time_ps < b->time_ps : a->order < b->order;
}

static void sift_up(struct hsl_fab *f, uint32_t pos, const struct fab_due *due)
{
    struct fab_due *heap = heap_of(f);

    for (uint32_t parent; pos && before(due, &heap[parent = (pos - 1) / 2]); pos = parent) {
        heap[pos] = heap[parent];
        *place_of(f, heap[pos].ev) = pos;
    }
    heap[pos] = *due;
    *place_of(f, due->ev) = pos;
}

static void sift_down(struct hsl_fab *f, uint32_t pos, const struct fab_due *due)
{
    struct fab_due *heap = heap_of(f);

    for (uint32_t child; (child = 2 * pos + 1) < f->heap_len; pos = child) {
        child += child + 1 < f->heap_len && before(&heap[child + 1], &heap[child]);
        if (!before(&heap[child], due)) {
            break;
        }
        heap[pos] = heap[child];
        *place_of(f, heap[pos].ev) = pos;
    }
    heap[pos] = *due;
    *place_of(f, due->ev) = pos;
}

void fab_cancel(struct hsl_fab *f, uint32_t ev)
{
    uint32_t pos = *place_of(f, ev);
    struct fab_due last;

    if (pos == HSL_NONE) {
        return;
    }
    *place_of(f, ev) = HSL_NONE;
    last = heap_of(f)[--f->heap_len];
    if (last.ev == ev) {
        return;
    }
    /* the last one fills the hole; it may belong above it or below it */
    if (pos && before(&last, &heap_of(f)[(pos - 1) / 2])) {
        sift_up(f, pos, &last);
    } else {
        sift_down(f, pos, &last);
    }
}

void fab_at_time(struct hsl_fab *f, uint32_t ev, uint64_t time_ps)
{
    struct fab_due due = { .time_ps = time_ps, .ev = ev };
    uint32_t pos = *place_of(f, ev);

    if (pos != HSL_NONE && heap_of(f)[pos].time_ps == time_ps) {
        return;
    }
    due.order = f->next_order++;
    if (pos != HSL_NONE && time_ps > heap_of(f)[pos].time_ps) {
        sift_down(f, pos, &due);
    } else {
        sift_up(f, pos != HSL_NONE ? pos : f->heap_len++, &due);
    }
}

uint64_t hsl_fab_next_ps(const struct hsl_fab *f)
{
    const void *heap = (const unsigned char *)f + f->off_heap;

    return f->heap_len ? ((const struct fab_due *)heap)->time_ps : UINT64_MAX;
}

int hsl_fab_step(struct hsl_fab *f)
{
    uint32_t ev;

    if (f->out_len || f->record_len || f->sent_len) {
        return -EBUSY;
    }
    if (!f->heap_len) {
        return 0;
    }
    ev = heap_of(f)[0].ev;
    f->now_ps = heap_of(f)[0].time_ps;
    fab_cancel(f, ev);
    if (ev < f->nports) {
        fab_port_send(f, ev);
    } else if (ev < 2 * f->nports) {
        fab_port_timer(f, ev - f->nports);
    } else if (ev < fab_ev_pkt(f, 0)) {
        fab_port_arrive(f, ev - fab_ev_flight(f, 0));
    } else if (ev < fab_ev_due(f, 0, 0)) {
        fab_pkt_happen(f, ev - fab_ev_pkt(f, 0));
    } else if (ev == fab_ev_routes(f)) {
        fab_routes_event(f);
    } else if (ev == fab_ev_bounce(f)) {
        fab_remote_bounce(f);
    } else {
        ev -= fab_ev_due(f, 0, 0);
        fab_request_due(f, ev / f->cfg.agent.requests, ev % f->cfg.agent.requests);
    }
    return 1;
}

/* ---- posts ---- */

static int post_link(struct hsl_fab *f, const struct hsl_fab_in *in)
{
    uint32_t p = fab_port_between(f, in->u.link.a, in->u.link.b), q;

    if (p == HSL_NONE || (fab_port(f, p)->remote && in->type != HSL_FAB_ERRORS)) {
        return -EINVAL;
    }
    q = fab_port(f, p)->peer;
    switch (in->type) {
    case HSL_FAB_LINK:
        fab_port(f, p)->leaving = fab_port(f, q)->leaving = 0;
        fab_port_event(f, p, in->u.link.up ? HSL_PHY_ENABLE : HSL_PHY_DISABLE);
        fab_port_event(f, q, in->u.link.up ? HSL_PHY_ENABLE : HSL_PHY_DISABLE);
        return 0;
    case HSL_FAB_LEAVE:
        return fab_port_leave(f, p);
    case HSL_FAB_RETRAIN:
        fab_port_event(f, p, HSL_PHY_RETRAIN);
        return 0;
    case HSL_FAB_LANE:
        if (in->u.link.lane >= f->cfg.phy.lanes) {
            return -EINVAL;
        }
        fab_port_lane(f, p, in->u.link.lane, in->u.link.up);
        return 0;
    default:
        if (hsl_wire_check(&in->u.link.errors) ||
            in->u.link.errors.reorder_places > f->cfg.link.reorder) {
            return -EINVAL;
        }
        hsl_wire_set(&fab_port(f, p)->wire, &in->u.link.errors);
        return 0;
    }
}

static int post_swallow(struct hsl_fab *f, const struct hsl_fab_in *in)
{
    uint32_t p = fab_port_between(f, in->u.swallow.a, in->u.swallow.b);

    if (p == HSL_NONE || fab_port(f, p)->remote) {
        return -EINVAL;
    }
    fab_port(f, p)->swallow_pass = in->u.swallow.pass;
    fab_port(f, p)->swallow_hit = in->u.swallow.hit;
    return 0;
}

static int post_tap(struct hsl_fab *f, const struct hsl_fab_in *in)
{
    uint32_t p = fab_port_between(f, in->u.tap.a, in->u.tap.b);
    int err = 0;

    if (in->u.tap.a || in->u.tap.b) {
        return p == HSL_NONE ? -EINVAL : fab_tap(f, p, in->u.tap.tap, in->u.tap.what);
    }
    for (p = 0; p < f->nports && !err; p++) {
        err = fab_tap(f, p, in->u.tap.tap, in->u.tap.what);
    }
    return err;
}

static bool somebody_has(struct hsl_fab *f, uint64_t ga)
{
    bool busy;

    for (uint32_t a = 0; a < f->nagents; a++) {
        if (hsl_agent_line(fab_agent(f, a), ga, &busy, NULL) != 'I' || busy) {
            return true;
        }
    }
    return false;
}

void hsl_fab_forget(struct hsl_fab *f, uint32_t node, uint64_t offset, uint64_t len)
{
    struct hsl_home *h = fab_home(f, node - 1);
    uint32_t cursor = 0;
    uint64_t line;

    while (hsl_home_next_line(h, &cursor, &line)) {
        if (f->cut != HSL_NONE && line < f->cfg.open_bytes) {
            continue;           /* agents of somebody else may have it */
        }
        if (line - offset < len && !somebody_has(f, HSL_GA(node, line))) {
            hsl_home_forget(h, line);
        }
    }
}

static int post_node(struct hsl_fab *f, uint32_t id, bool present)
{
    struct hsl_event ev = { .type = HSL_EV_NODE, .u.node = { id, present } };

    if (id < 1 || id > f->cfg.nodes || fab_dst(f, id - 1)->remote) {
        return -EINVAL;
    }
    if (hsl_ix_present(fab_net(f), id - 1) == present) {
        return 0;
    }
    hsl_model_post(fab_net(f), &ev);
    if (f->changing) {
        hsl_model_post(fab_net_new(f), &ev);
    }
    fab_ports_node(f, id - 1, present);
    if (!present) {
        fab_dst(f, id - 1)->viral = 0;
        fab_node_gone(f, id - 1);
        hsl_fab_forget(f, id, 0, UINT64_MAX);   /* another memory may come back */
    }
    return 0;
}

static int post_viral(struct hsl_fab *f, uint32_t id, bool healed)
{
    if (id < 1 || id > f->cfg.nodes || !hsl_ix_present(fab_net(f), id - 1) || fab_dst(f, id - 1)->remote) {
        return -EINVAL;
    }
    if (healed) {
        fab_dst(f, id - 1)->viral = 0;      /* fences go when nothing behind them is left */
    } else {
        fab_node_viral(f, id - 1);
    }
    return 0;
}

int hsl_fab_post(struct hsl_fab *f, const struct hsl_fab_in *in)
{
    if ((f->out_len || f->record_len || f->sent_len) && in->type != HSL_FAB_MEM) {     /* that one puts nothing out */
        return -EBUSY;
    }
    switch (in->type) {
    case HSL_FAB_ACCESS:
        return fab_access(f, in->u.access.agent, &in->u.access.x);
    case HSL_FAB_MEM:
        return fab_mem(f, in->u.mem.node, in->u.mem.id, in->u.mem.poison, in->u.mem.data);
    case HSL_FAB_NODE:
        return post_node(f, in->u.node.id, in->u.node.present);
    case HSL_FAB_VIRAL:
        return post_viral(f, in->u.node.id, in->u.node.present);
    case HSL_FAB_LINK:
    case HSL_FAB_LEAVE:
    case HSL_FAB_RETRAIN:
    case HSL_FAB_LANE:
    case HSL_FAB_ERRORS:
        return post_link(f, in);
    case HSL_FAB_SWALLOW:
        return post_swallow(f, in);
    case HSL_FAB_TAP:
        return post_tap(f, in);
    case HSL_FAB_PEER:
    case HSL_FAB_ARRIVE:
        return fab_remote_post(f, in);
    default:
        return fab_test_post(f, in);
    }
}

/* ---- outputs ---- */

static struct hsl_fab_out *out_at(struct hsl_fab *f, uint32_t i)
{
    return (struct hsl_fab_out *)fab_at(f, f->off_out) + i % f->nout;
}

struct hsl_fab_out *fab_out(struct hsl_fab *f, enum hsl_fab_out_type type)
{
    struct hsl_fab_out *o = out_at(f, f->out_first + f->out_len++);

    memset(o, 0, sizeof(*o));
    o->type = type;
    o->time_ps = f->now_ps;
    return o;
}

int hsl_fab_drain(struct hsl_fab *f, struct hsl_fab_out *out)
{
    if (!f->out_len) {
        return 0;
    }
    *out = *out_at(f, f->out_first);
    f->out_first = (f->out_first + 1) % f->nout;
    f->out_len--;
    return 1;
}

/* ---- queries ---- */

const struct hsl_fab_cfg *hsl_fab_config(const struct hsl_fab *f)
{
    return &f->cfg;
}

uint64_t hsl_fab_now_ps(const struct hsl_fab *f)
{
    return f->now_ps;
}

const struct hsl_link *hsl_fab_link(const struct hsl_fab *f, uint32_t a, uint32_t b)
{
    uint32_t p = fab_port_between(f, a, b);

    return p == HSL_NONE ? NULL :
           (const void *)((const unsigned char *)f + f->off_links + p * f->link_bytes);
}

const struct hsl_phy *hsl_fab_phy(const struct hsl_fab *f, uint32_t a, uint32_t b)
{
    uint32_t p = fab_port_between(f, a, b);

    return p == HSL_NONE ? NULL : &fab_port_const(f, p)->phy;
}

uint64_t hsl_fab_downs(const struct hsl_fab *f, uint32_t a, uint32_t b)
{
    uint32_t p = fab_port_between(f, a, b);

    return p == HSL_NONE ? 0 : fab_port_const(f, p)->downs;
}

const struct hsl_fab_net_stats *hsl_fab_net_stats(const struct hsl_fab *f, uint32_t node)
{
    uint32_t ix = node_ix(f, node);

    return ix == HSL_NONE ? NULL : fab_net_stats((struct hsl_fab *)(uintptr_t)f, ix);
}

uint32_t hsl_fab_swallow_left(const struct hsl_fab *f, uint32_t a, uint32_t b)
{
    uint32_t p = fab_port_between(f, a, b);

    return p == HSL_NONE ? 0
                         : fab_port_const(f, p)->swallow_pass + fab_port_const(f, p)->swallow_hit;
}

const struct hsl_agent *hsl_fab_agent(const struct hsl_fab *f, uint16_t agent)
{
    uint32_t ix = fab_agent_ix(f, agent);

    return ix == HSL_NONE ? NULL :
           (const void *)((const unsigned char *)f + f->off_agents + ix * f->agent_bytes);
}

const struct hsl_home *hsl_fab_home(const struct hsl_fab *f, uint32_t node)
{
    return node < 1 || node > f->cfg.nodes ? NULL :
           (const void *)((const unsigned char *)f + f->off_homes + (node - 1) * f->home_bytes);
}

bool hsl_fab_quiet(const struct hsl_fab *f)
{
    struct hsl_fab *w = (struct hsl_fab *)(uintptr_t)f;

    for (uint32_t i = 0; i < f->nagents; i++) {
        if (!hsl_agent_quiet(fab_agent(w, i))) {
            return false;
        }
    }
    for (uint32_t i = 0; i < f->cfg.nodes; i++) {
        if (!hsl_home_quiet(fab_home(w, i))) {
            return false;
        }
    }
    for (uint32_t a = 0; a < f->nagents; a++) {
        for (uint32_t h = 0; h < f->cfg.nodes; h++) {
            struct fab_pair pair = { .agent = (uint16_t)a, .home = (uint16_t)h };

            if (fab_under_way(w, pair)->packets) {
                return false;
            }
        }
    }
    return true;
}

uint64_t hsl_fab_hash(const struct hsl_fab *f)
{
    struct hsl_fab *w = (struct hsl_fab *)(uintptr_t)f;
    uint64_t h = hsl_mix(hsl_mix(0, f->now_ps), f->changing);

    for (uint32_t i = 0; i < f->nagents; i++) {
        h = hsl_mix(h, hsl_agent_hash(fab_agent(w, i)));
    }
    for (uint32_t i = 0; i < f->cfg.nodes; i++) {
        h = hsl_mix(h, fab_dst(w, i)->viral);
        h = hsl_mix(h, hsl_home_hash(fab_home(w, i)));
    }
    for (uint32_t p = 0; p < f->nports; p++) {
        const struct fab_port *port = fab_port_const(f, p);

        h = hsl_mix(h, hsl_link_hash(fab_link(w, p), f->now_ps));
        h = hsl_mix(h, (uint64_t)port->phy.state << 32 | port->phy.width);
        for (uint32_t i = 0; i < 4; i++) {
            h = hsl_mix(h, port->wire.rng[i]);
        }
        h = hsl_mix(h, fab_test_hash(&port->test));
    }
    for (uint32_t i = 0; i < f->heap_len; i++) {
        h = hsl_mix(h, heap_of(w)[i].ev);
        h = hsl_mix(h, heap_of(w)[i].time_ps);
    }
    return h;
}
