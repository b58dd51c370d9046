/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * An agent: a cache, the accesses that wait for it, and its outstanding requests (docs/hep.md
 * section 12; home.c is the other side).
 *
 * Accesses wait in the order of their calls. run() goes through them after every input and carries
 * out what it can: of each line only the oldest, so accesses to one line keep their order, and in
 * the same step as the line arrives, so what was asked for is used before a snoop can take it away.
 *
 * Requests. At most one for a line. What it goes through:
 *
 *     FREE ──► SEND ──► SENT ─────────────────────────► FREE     answered
 *               ▲        │ RETRY                         ▲
 *               │        ▼                               │
 *               └───── RETRIED (GRANT: to SEND, granted) │
 *                                                        │
 *     WRITE:             SENT ──GO──► WRITTEN ───RSP─────┘
 *
 *   READ_S, READ_U, UPGRADE  a way of the cache is kept for the line; it may not be evicted
 *   READ, WRITE, ATOMIC      past the cache
 *   WRITE_BACK               has the line's data and answers snoops from it while it is dirty; the
 *                            way has gone to another line
 *
 * A line's state is in its way, in all stages of its request: a snoop acts on what is there.
 * UPGRADE that has lost its copy waits for RSP_DATA instead of COMP: its home knows by itself.
 *
 *              snoop in   M                  E             S         I         write-back, dirty
 *     SNP_S   data to fwd → S, D FWD KEEPS   → S, FWD KEEPS  as E    –         D FWD, is clean
 *     SNP_U   data to fwd → I, DIRTY FWD     → I, FWD        → I     –         DIRTY FWD, is clean
 *     SNP_I               → I, D             → I             → I     –         D, is clean
 *     SNP_C               → S, D KEEPS       → S, KEEPS      KEEPS   –         D, is clean
 *   (D: SNP_DATA, else SNP_RSP. data to fwd: with OWN for SNP_U, and DIRTY if it was.)
 *
 * A GRANT may come before its RETRY: it is kept, at most one for each request of that home that
 * could still be told RETRY, so a home that sends too many fills nothing.
 *
 * Output: requests in SEND are drawn from the table. Everything else is what one input can cause:
 * two packets for a snoop, one for an answer. An input is refused while that is not taken out.
 */
#include <errno.h>

#include "coh_list.h"
#include "deviate.h"

#define OUT_PACKETS 2

enum stage { FREE, SEND, SENT, RETRIED, WRITTEN, STAGES };

struct line {
    uint64_t ga;
    char state;                 /* 'I': ga means nothing, unless kept for a request */
    uint8_t poison;
    uint8_t kept;               /* for a request that brings the line */
    uint8_t rsvd;
    uint32_t age;               /* rank in its set, 0: used last */
    uint8_t data[HSL_LINE_BYTES];
};

struct request {
    uint64_t ga;
    uint32_t access;            /* that it serves; HSL_COH_NONE: a line was evicted */
    uint8_t stage;              /* enum stage */
    uint8_t opcode;
    uint8_t granted;
    uint8_t dirty, poison;      /* WRITE_BACK: of data */
    uint8_t rsvd[7];
    uint8_t data[HSL_LINE_BYTES];
};

struct access {
    struct hsl_access x;
    uint64_t order;             /* of its call */
    uint16_t asked;             /* a request was made for it: no hit any more */
    uint16_t served;            /* that one is outstanding */
    uint32_t rsvd;
};

struct hsl_agent {
    struct hsl_agent_cfg cfg;
    struct hsl_agent_stats stats;
    struct hsl_coh_list free, waiting, done;    /* each access is in one */
    struct hsl_coh_list ready;                  /* and in this if it waits and no request serves it */
    struct hsl_coh_index by_line;               /* requests */
    uint64_t accepted;
    uint32_t words;             /* of a set of requests */
    uint32_t nfree, ngrants;    /* requests; GRANTs that are kept */
    uint32_t out_n;
    uint16_t deviation;         /* enum hsl_deviation */
    uint16_t deviated;
    uint32_t rsvd;
    uint64_t off_line, off_request, off_access, off_stage, off_grant;
    struct hsl_pkt out[OUT_PACKETS];
};

/* ---- memory ---- */

static uint64_t layout(const struct hsl_agent_cfg *cfg, struct hsl_agent *a)
{
    uint64_t end = sizeof(*a), links = (uint64_t)cfg->accesses * sizeof(struct hsl_coh_link);

    a->words = hsl_coh_words(cfg->requests);
    a->off_line = hsl_coh_take(&end, (uint64_t)cfg->sets * cfg->ways * sizeof(struct line));
    a->off_request = hsl_coh_take(&end, (uint64_t)cfg->requests * sizeof(struct request));
    a->off_access = hsl_coh_take(&end, (uint64_t)cfg->accesses * sizeof(struct access));
    a->free = a->waiting = a->done = hsl_coh_list_at(hsl_coh_take(&end, links));
    a->ready = hsl_coh_list_at(hsl_coh_take(&end, links));
    a->by_line = hsl_coh_index_at(hsl_coh_take(&end, hsl_coh_index_size(cfg->requests)), cfg->requests);
    a->off_stage = hsl_coh_take(&end, STAGES * a->words * sizeof(uint64_t));
    a->off_grant = hsl_coh_take(&end, cfg->requests * sizeof(uint16_t));
    return end;
}

static struct line *line_at(const struct hsl_agent *a, uint32_t i)
{
    return (struct line *)hsl_coh_at((void *)(uintptr_t)a, a->off_line) + i;
}

static struct request *request_at(const struct hsl_agent *a, uint32_t i)
{
    return (struct request *)hsl_coh_at((void *)(uintptr_t)a, a->off_request) + i;
}

static struct access *access_at(const struct hsl_agent *a, uint32_t i)
{
    return (struct access *)hsl_coh_at((void *)(uintptr_t)a, a->off_access) + i;
}

/* The requests of a stage. */
static uint64_t *stage_set(const struct hsl_agent *a, enum stage stage)
{
    return (uint64_t *)hsl_coh_at((void *)(uintptr_t)a, a->off_stage) + stage * a->words;
}

/* GRANTs that came before their RETRY: the home's id each, 0 is none. */
static uint16_t *grants(const struct hsl_agent *a)
{
    return hsl_coh_at((void *)(uintptr_t)a, a->off_grant);
}

const char *hsl_agent_check(const struct hsl_agent_cfg *cfg)
{
    uint32_t chip = cfg->id & ~(uint32_t)HSL_AGENT_HOST_PORT;

    if (chip < 1 || chip > HSL_CHIPS_MAX) {
        return "an agent is a chip, 1 to 16383, or the host port of one";
    }
    if (!cfg->sets || cfg->sets & (cfg->sets - 1) || cfg->sets > 1u << 20) {
        return "a cache has 1 to 2^20 sets, a power of two";
    }
    if (!cfg->ways || cfg->ways > 64) {
        return "a cache has 1 to 64 ways";
    }
    if (cfg->requests < 2 || cfg->requests + cfg->tag_first > 1u << 16) {
        return "an agent has at least 2 requests, and tags below 2^16 for them";
    }
    if (!cfg->accesses || cfg->accesses > 1u << 16) {
        return "an agent has room for 1 to 65536 accesses";
    }
    return NULL;
}

size_t hsl_agent_size(const struct hsl_agent_cfg *cfg)
{
    struct hsl_agent head;

    return hsl_agent_check(cfg) ? 0 : (size_t)layout(cfg, &head);
}

int hsl_agent_init(struct hsl_agent *a, const struct hsl_agent_cfg *cfg)
{
    struct hsl_agent_cfg copy = *cfg;

    if (hsl_agent_check(cfg)) {
        return -EINVAL;
    }
    memset(a, 0, hsl_agent_size(cfg));
    a->cfg = copy;
    layout(&copy, a);
    for (uint32_t i = 0; i < copy.sets * copy.ways; i++) {
        line_at(a, i)->state = 'I';
        line_at(a, i)->age = i % copy.ways;
    }
    for (uint32_t i = 0; i < copy.accesses; i++) {
        hsl_coh_append(a, &a->free, i, 1);
    }
    a->nfree = copy.requests;
    for (uint32_t i = 0; i < copy.requests; i++) {
        hsl_coh_set_add(stage_set(a, FREE), i);
    }
    return 0;
}

void hsl_agent_deviate(struct hsl_agent *a, uint32_t deviation)
{
    a->deviation = (uint16_t)deviation;
}

static bool deviates(const struct hsl_agent *a, enum hsl_deviation d)
{
    return __builtin_expect(a->deviation == d, 0);
}

/* ---- accesses, by what becomes of them ---- */

static void finish(struct hsl_agent *a, uint32_t i, uint32_t status)
{
    struct access *x = access_at(a, i);

    x->x.status = (uint8_t)status;
    if (!x->served) {
        hsl_coh_remove(a, &a->ready, i);
    }
    x->served = 0;
    hsl_coh_remove(a, &a->waiting, i);
    hsl_coh_append(a, &a->done, i, 1);
}

/* ---- the cache ---- */

static uint32_t set_of(const struct hsl_agent *a, uint64_t ga)
{
    return (uint32_t)(ga / HSL_LINE_BYTES) & (a->cfg.sets - 1);
}

static struct line *way_at(const struct hsl_agent *a, uint64_t ga, uint32_t way)
{
    return line_at(a, set_of(a, ga) * a->cfg.ways + way);
}

/* The way that has the line or is kept for it; NULL. */
static struct line *line_of(const struct hsl_agent *a, uint64_t ga)
{
    for (uint32_t i = 0; i < a->cfg.ways; i++) {
        struct line *l = way_at(a, ga, i);

        if (l->ga == ga && (l->state != 'I' || l->kept)) {
            return l;
        }
    }
    return NULL;
}

static char state_of(const struct line *l)
{
    return l ? l->state : 'I';
}

static void touch(struct hsl_agent *a, struct line *l)
{
    for (uint32_t i = 0; i < a->cfg.ways; i++) {
        struct line *other = way_at(a, l->ga, i);

        if (other->age < l->age) {
            other->age++;
        }
    }
    l->age = 0;
}

static void drop(struct line *l)
{
    l->state = 'I';
    l->poison = 0;
    memset(l->data, 0, sizeof(l->data));
    if (!l->kept) {
        l->ga = 0;
    }
}

/* ---- requests ---- */

static uint32_t home_of(const struct request *r)
{
    return HSL_GA_NODE(r->ga);
}

static uint32_t number_of(const struct hsl_agent *a, const struct request *r)
{
    return (uint32_t)(r - request_at(a, 0));
}

static void set_stage(struct hsl_agent *a, struct request *r, enum stage stage)
{
    uint32_t i = number_of(a, r);

    hsl_coh_set_remove(stage_set(a, (enum stage)r->stage), i);
    hsl_coh_set_add(stage_set(a, stage), i);
    r->stage = (uint8_t)stage;
}

/* The one of that stage with the lowest number from `from` on; NULL. */
static struct request *next_in_stage(const struct hsl_agent *a, enum stage stage, uint32_t from)
{
    uint32_t i = hsl_coh_set_next(stage_set(a, stage), a->words, from);

    return i == HSL_COH_NONE ? NULL : request_at(a, i);
}

static struct request *request_of(const struct hsl_agent *a, uint64_t ga)
{
    uint32_t i = hsl_coh_index_first(a, &a->by_line, ga);

    while (i != HSL_COH_NONE && request_at(a, i)->ga != ga) {
        i = hsl_coh_index_next(a, &a->by_line, i);
    }
    return i == HSL_COH_NONE ? NULL : request_at(a, i);
}

/* Requests that the home may still tell RETRY, and GRANTs of it that are kept. */
static uint32_t may_be_retried(const struct hsl_agent *a, uint32_t home)
{
    const struct request *r;
    uint32_t n = 0;

    for (uint32_t i = 0; (r = next_in_stage(a, SENT, i)); i = number_of(a, r) + 1) {
        n += !r->granted && home_of(r) == home;
    }
    return n;
}

static uint32_t grants_kept(const struct hsl_agent *a, uint32_t home)
{
    uint32_t n = 0;

    for (uint32_t i = 0; a->ngrants && i < a->cfg.requests; i++) {
        n += grants(a)[i] == home;
    }
    return n;
}

/* Replace one entry: (home, 0) takes a kept GRANT out, (0, home) puts one in. */
static bool grant_swap(struct hsl_agent *a, uint32_t from, uint32_t to)
{
    for (uint32_t i = 0; (!from || a->ngrants) && i < a->cfg.requests; i++) {
        if (grants(a)[i] == from) {
            grants(a)[i] = (uint16_t)to;
            a->ngrants += to ? 1 : -1u;
            return true;
        }
    }
    return false;
}

static struct request *ask(struct hsl_agent *a, uint32_t opcode, uint64_t ga, uint32_t access)
{
    struct request *r = next_in_stage(a, FREE, 0);

    *r = (struct request){ .ga = ga, .access = access, .opcode = (uint8_t)opcode };
    set_stage(a, r, SEND);
    a->nfree--;
    hsl_coh_index_add(a, &a->by_line, ga, number_of(a, r));
    if (access != HSL_COH_NONE) {
        access_at(a, access)->asked = access_at(a, access)->served = 1;
        hsl_coh_remove(a, &a->ready, access);
    }
    return r;
}

static void end(struct hsl_agent *a, struct request *r)
{
    uint32_t home = home_of(r);
    struct line *l = line_of(a, r->ga);

    if (l && l->kept) {
        l->kept = 0;
        if (l->state == 'I') {
            drop(l);
        }
    }
    if (r->access != HSL_COH_NONE && access_at(a, r->access)->served) {
        access_at(a, r->access)->served = 0;
        hsl_coh_sort_in(a, &a->ready, r->access, access_at(a, r->access)->order);
    }
    set_stage(a, r, FREE);
    a->nfree++;
    hsl_coh_index_remove(a, &a->by_line, r->ga, number_of(a, r));
    memset(r, 0, sizeof(*r));
    while (a->ngrants && grants_kept(a, home) > may_be_retried(a, home)) {
        grant_swap(a, home, 0);
    }
}

static void write_back(struct hsl_agent *a, struct line *l, uint32_t access)
{
    struct request *r = ask(a, HSL_PKT_WRITE_BACK, l->ga, access);

    r->dirty = 1;
    r->poison = l->poison;
    memcpy(r->data, l->data, sizeof(r->data));
    drop(l);
    a->stats.write_backs++;
}

/*
 * Ask for a line that is to be cached. Of the ways that no request needs, an empty one, else the
 * one that was used longest ago.
 */
static bool fill(struct hsl_agent *a, uint32_t opcode, uint64_t ga, uint32_t access)
{
    struct line *victim = NULL;

    for (uint32_t i = 0; i < a->cfg.ways; i++) {
        struct line *l = way_at(a, ga, i);
        bool empty = l->state == 'I';

        if (l->kept || (!empty && request_of(a, l->ga))) {
            continue;
        }
        if (!victim || (empty && victim->state != 'I') ||
            (empty == (victim->state == 'I') && l->age > victim->age)) {
            victim = l;
        }
    }
    if (victim && victim->state == 'M' && deviates(a, HSL_DEV_DIRTY_DROPPED)) {
        victim->state = 'E';
    }
    if (!victim || a->nfree < (victim->state == 'M' ? 2u : 1u)) {
        return false;
    }
    a->stats.evictions += victim->state != 'I';
    if (victim->state == 'M') {
        write_back(a, victim, HSL_COH_NONE);
    }
    drop(victim);
    victim->ga = ga;
    victim->kept = 1;
    ask(a, opcode, ga, access);
    a->stats.misses += !(deviates(a, HSL_DEV_MISS_UNCOUNTED) && a->cfg.id & HSL_AGENT_HOST_PORT);
    return true;
}

/* ---- accesses ---- */

static uint64_t ga_of(const struct access *x)
{
    return x->x.ga & HSL_LINE_MASK;
}

static void perform(struct hsl_agent *a, uint32_t i, struct line *l)
{
    struct hsl_access *x = &access_at(a, i)->x;
    uint8_t *at = l->data + x->ga % HSL_LINE_BYTES;
    bool load = x->op == HSL_ACCESS_LOAD || x->op == HSL_ACCESS_READ;

    touch(a, l);
    if (load) {
        memcpy(x->data, at, x->len);
    } else {
        memcpy(at, x->data, x->len);
        l->state = 'M';
        l->poison = l->poison && x->len < HSL_LINE_BYTES;
    }
    finish(a, i, load && l->poison ? HSL_ST_POISON : HSL_ST_OK);
}

enum outcome { DONE, WAITS, FULL };     /* FULL: for want of a request */

static enum outcome past_cache(struct hsl_agent *a, uint32_t opcode, uint32_t i)
{
    if (!a->nfree) {
        return FULL;
    }
    ask(a, opcode, ga_of(access_at(a, i)), i);
    return WAITS;
}

static enum outcome store(struct hsl_agent *a, uint32_t i, struct line *l)
{
    if (state_of(l) != 'S') {
        return fill(a, HSL_PKT_READ_U, ga_of(access_at(a, i)), i) ? WAITS : FULL;
    }
    if (!a->nfree) {
        return FULL;
    }
    l->kept = 1;
    a->stats.upgrades++;
    if (deviates(a, HSL_DEV_STORE_SHARED)) {
        ask(a, HSL_PKT_UPGRADE, l->ga, HSL_COH_NONE);
        perform(a, i, l);
        l->state = 'S';
        return DONE;
    }
    ask(a, HSL_PKT_UPGRADE, l->ga, i);
    return WAITS;
}

static enum outcome flush(struct hsl_agent *a, uint32_t i, struct line *l)
{
    if (state_of(l) == 'M' && !deviates(a, HSL_DEV_FLUSH_DROPS)) {
        if (!a->nfree) {
            return FULL;
        }
        write_back(a, l, i);
        return WAITS;
    }
    if (l) {
        drop(l);
    }
    finish(a, i, HSL_ST_OK);
    return DONE;
}

/* The oldest access to a line that has no request. */
static enum outcome try_access(struct hsl_agent *a, uint32_t i)
{
    uint64_t ga = ga_of(access_at(a, i));
    struct line *l = line_of(a, ga);
    char state = state_of(l);
    uint32_t op = access_at(a, i)->x.op;
    bool load = op == HSL_ACCESS_LOAD || op == HSL_ACCESS_READ;
    bool write = op == HSL_ACCESS_STORE || op == HSL_ACCESS_WRITE;

    if ((load && state != 'I') || (write && (state == 'E' || state == 'M'))) {
        a->stats.hits += !access_at(a, i)->asked;
        perform(a, i, l);
        return DONE;
    }
    switch (op) {
    case HSL_ACCESS_LOAD:
        return fill(a, HSL_PKT_READ_S, ga, i) ? WAITS : FULL;
    case HSL_ACCESS_STORE:
        return store(a, i, l);
    case HSL_ACCESS_READ:
        return past_cache(a, HSL_PKT_READ, i);
    case HSL_ACCESS_WRITE:
        return past_cache(a, HSL_PKT_WRITE, i);
    case HSL_ACCESS_ATOMIC:
        return past_cache(a, HSL_PKT_ATOMIC, i);
    default:
        return flush(a, i, l);
    }
}

/*
 * All that can be done now. Younger accesses do not take requests that an older one needs. An older
 * access to the line has been done, or has a request.
 */
static void run(struct hsl_agent *a)
{
    uint32_t next;

    for (uint32_t i = a->ready.head; i != HSL_COH_NONE; i = next) {
        next = hsl_coh_next(a, &a->ready, i);
        if (!request_of(a, ga_of(access_at(a, i))) && try_access(a, i) == FULL) {
            return;
        }
    }
}

static bool access_ok(const struct hsl_access *x)
{
    uint32_t node = HSL_GA_NODE(x->ga);

    if (x->op > HSL_ACCESS_FLUSH || node < 1 || node > HSL_CHIPS_MAX) {
        return false;
    }
    if (x->op == HSL_ACCESS_ATOMIC) {
        return x->subop < HSL_ATOMICS && (x->len == 4 || x->len == 8) && !(x->ga % x->len);
    }
    return x->len >= 1 && x->ga % HSL_LINE_BYTES + x->len <= HSL_LINE_BYTES;
}

int hsl_agent_access(struct hsl_agent *a, const struct hsl_access *x)
{
    uint32_t i = a->free.head;

    if (!access_ok(x)) {
        return -EINVAL;
    }
    if (i == HSL_COH_NONE) {
        return -EAGAIN;
    }
    hsl_coh_remove(a, &a->free, i);
    *access_at(a, i) = (struct access){ .x = *x, .order = ++a->accepted };
    access_at(a, i)->x.status = HSL_ST_OK;
    access_at(a, i)->x.value = 0;
    hsl_coh_append(a, &a->waiting, i, a->accepted);
    hsl_coh_append(a, &a->ready, i, a->accepted);
    run(a);
    return 0;
}

int hsl_agent_done(struct hsl_agent *a, struct hsl_access *x)
{
    uint32_t i = a->done.head;

    if (i == HSL_COH_NONE) {
        return 0;
    }
    *x = access_at(a, i)->x;
    hsl_coh_remove(a, &a->done, i);
    memset(&access_at(a, i)->x, 0, sizeof(*x));
    hsl_coh_append(a, &a->free, i, 1);
    return 1;
}

/* ---- packets out ---- */

static struct hsl_pkt *send(struct hsl_agent *a, uint32_t opcode, uint32_t flags, uint32_t tag,
                            uint32_t dst, uint64_t ga)
{
    struct hsl_pkt *p = &a->out[a->out_n++];

    *p = hsl_coh_pkt(opcode, flags, tag, a->cfg.id, dst, HSL_GA_OFFSET(ga));
    return p;
}

static void send_line(struct hsl_agent *a, uint32_t opcode, uint32_t flags, uint32_t tag,
                      uint32_t dst, uint64_t ga, const uint8_t *data)
{
    memcpy(send(a, opcode, flags, tag, dst, ga)->u.data.data, data, HSL_LINE_BYTES);
}

static uint32_t tag_of(const struct hsl_agent *a, const struct request *r)
{
    uint32_t i = number_of(a, r);

    if (deviates(a, HSL_DEV_TAG_SHARED) && r->opcode == HSL_PKT_READ) {
        i &= ~1u;
    }
    return a->cfg.tag_first + i;
}

static void ack(struct hsl_agent *a, const struct request *r)
{
    send(a, HSL_PKT_ACK, 0, tag_of(a, r), home_of(r), r->ga);
}

static void request_packet(const struct hsl_agent *a, const struct request *r, struct hsl_pkt *p)
{
    *p = hsl_coh_pkt(r->opcode, r->granted ? HSL_PKT_F_GRANTED : 0, tag_of(a, r), a->cfg.id,
                     home_of(r), HSL_GA_OFFSET(r->ga));
    if (r->opcode == HSL_PKT_ATOMIC) {
        const struct hsl_access *x = &access_at(a, r->access)->x;

        p->u.h.addr = HSL_GA_OFFSET(x->ga);
        p->u.atomic.subop = x->subop;
        p->u.atomic.len = x->len;
        p->u.atomic.arg0 = x->arg0;
        p->u.atomic.arg1 = x->arg1;
    }
}

int hsl_agent_tx(struct hsl_agent *a, struct hsl_pkt *p)
{
    struct request *r;

    if (a->out_n) {
        *p = a->out[0];
        a->out[0] = a->out[1];
        memset(&a->out[1], 0, sizeof(a->out[1]));
        if (!--a->out_n) {
            memset(&a->out[0], 0, sizeof(a->out[0]));
        }
        return 1;
    }
    r = next_in_stage(a, SEND, 0);
    if (!r) {
        return 0;
    }
    set_stage(a, r, SENT);
    request_packet(a, r, p);
    return 1;
}

/* ---- answers ---- */

/* The request that an answer is for, if it is at a stage to be answered; NULL. */
static struct request *answered(const struct hsl_agent *a, const struct hsl_pkt *p, bool has_line)
{
    uint32_t i = (uint32_t)p->u.h.tag - a->cfg.tag_first;
    struct request *r;

    if (p->u.h.tag < a->cfg.tag_first || i >= a->cfg.requests) {
        return NULL;
    }
    r = request_at(a, i);
    if (deviates(a, HSL_DEV_TAG_SHARED) && p->u.h.opcode == HSL_PKT_RSP_DATA && HSL_GA_OFFSET(r->ga) != hsl_pkt_offset(p)) {
        r = request_at(a, i ^ 1);       /* the line tells which of the two */
    }
    if (r->stage != SENT && r->stage != WRITTEN) {
        return NULL;
    }
    return !has_line || HSL_GA_OFFSET(r->ga) == hsl_pkt_offset(p) ? r : NULL;
}

static bool from_home(const struct request *r, const struct hsl_pkt *p)
{
    return p->u.h.src == home_of(r);
}

static bool brings_line(const struct request *r)
{
    return r->opcode == HSL_PKT_READ_S || r->opcode == HSL_PKT_READ_U ||
           r->opcode == HSL_PKT_UPGRADE;
}

static bool read_answered(struct hsl_agent *a, struct request *r, const struct hsl_pkt *p)
{
    struct hsl_access *x = &access_at(a, r->access)->x;
    bool poison = p->u.h.flags & HSL_PKT_F_POISON;

    if (!from_home(r, p) || p->u.h.flags & (HSL_PKT_F_OWN | HSL_PKT_F_DIRTY)) {
        return false;
    }
    memcpy(x->data, p->u.data.data + x->ga % HSL_LINE_BYTES, x->len);
    poison = poison && !deviates(a, HSL_DEV_POISON_SWALLOWED);
    finish(a, r->access, poison ? HSL_ST_POISON : HSL_ST_OK);
    end(a, r);
    return true;
}

static bool rx_data(struct hsl_agent *a, const struct hsl_pkt *p)
{
    struct request *r = answered(a, p, true);
    uint32_t flags = p->u.h.flags;
    bool own = flags & HSL_PKT_F_OWN, dirty = flags & HSL_PKT_F_DIRTY;
    struct line *l;

    if (!r || r->stage != SENT || (dirty && !own)) {
        return false;
    }
    if (r->opcode == HSL_PKT_READ) {
        return read_answered(a, r, p);
    }
    if (!brings_line(r) || (r->opcode != HSL_PKT_READ_S && !own)) {
        return false;
    }
    l = line_of(a, r->ga);
    l->state = dirty ? 'M' : own ? 'E' : 'S';
    l->poison = flags & HSL_PKT_F_POISON && !deviates(a, HSL_DEV_POISON_SWALLOWED);
    memcpy(l->data, p->u.data.data, sizeof(l->data));
    touch(a, l);
    if (!deviates(a, HSL_DEV_ACK_LOST) || ++a->deviated % 50) {
        ack(a, r);
    }
    end(a, r);
    return true;
}

static bool rx_comp(struct hsl_agent *a, const struct hsl_pkt *p)
{
    struct request *r = answered(a, p, true);
    struct line *l;

    if (!r || !from_home(r, p) || r->opcode != HSL_PKT_UPGRADE) {
        return false;
    }
    l = line_of(a, r->ga);
    if (l->state != 'S') {
        return false;
    }
    l->state = deviates(a, HSL_DEV_STORE_SHARED) ? 'M' : 'E';
    ack(a, r);
    end(a, r);
    return true;
}

static void wr_data(struct hsl_agent *a, const struct request *r, const uint8_t *data, uint32_t at,
                    uint32_t len)
{
    struct hsl_pkt *p = send(a, HSL_PKT_WR_DATA, r->poison ? HSL_PKT_F_POISON : 0, tag_of(a, r),
                             home_of(r), r->ga);

    p->u.wr.mask = (len == HSL_LINE_BYTES ? UINT64_MAX : (UINT64_C(1) << len) - 1) << at;
    memcpy(p->u.wr.data + at, data, len);
}

static bool rx_go(struct hsl_agent *a, const struct hsl_pkt *p)
{
    struct request *r = answered(a, p, true);

    if (!r || !from_home(r, p) || r->stage != SENT) {
        return false;
    }
    if (r->opcode == HSL_PKT_WRITE) {
        const struct hsl_access *x = &access_at(a, r->access)->x;

        wr_data(a, r, x->data, (uint32_t)(x->ga % HSL_LINE_BYTES), x->len);
        set_stage(a, r, WRITTEN);
        return true;
    }
    if (r->opcode != HSL_PKT_WRITE_BACK) {
        return false;
    }
    if (r->dirty) {
        wr_data(a, r, r->data, 0, HSL_LINE_BYTES);
    } else {
        ack(a, r);
    }
    if (r->access != HSL_COH_NONE) {
        finish(a, r->access, HSL_ST_OK);
    }
    end(a, r);
    return true;
}

/* A request has failed, and the copy of the line that is kept for it with it. */
static void fail(struct hsl_agent *a, struct request *r, uint32_t status)
{
    struct line *l = line_of(a, r->ga);

    if (r->access != HSL_COH_NONE) {
        finish(a, r->access, status);
    }
    if (l && l->kept) {
        drop(l);
    }
    end(a, r);
}

static bool rx_rsp(struct hsl_agent *a, const struct hsl_pkt *p)
{
    struct request *r = answered(a, p, false);
    uint32_t status = p->u.rsp.status;

    if (!r) {
        return false;
    }
    if (status == HSL_ST_UNREACHABLE) {
        fail(a, r, status);
        return true;
    }
    if (!from_home(r, p)) {
        return false;
    }
    if (r->opcode == HSL_PKT_ATOMIC ? status != HSL_ST_OK && status != HSL_ST_POISON :
                                      r->stage != WRITTEN || status != HSL_ST_OK) {
        return false;
    }
    access_at(a, r->access)->x.value = r->opcode == HSL_PKT_ATOMIC ? p->u.rsp.value : 0;
    finish(a, r->access, status);
    end(a, r);
    return true;
}

static void send_again(struct hsl_agent *a, struct request *r)
{
    set_stage(a, r, SEND);
    r->granted = 1;
}

static bool rx_retry(struct hsl_agent *a, const struct hsl_pkt *p)
{
    struct request *r = answered(a, p, true);

    if (!r || !from_home(r, p) || r->stage != SENT || r->granted) {
        return false;
    }
    a->stats.retries++;
    if (grant_swap(a, home_of(r), 0)) {
        send_again(a, r);
    } else {
        set_stage(a, r, RETRIED);
    }
    return true;
}

static bool rx_grant(struct hsl_agent *a, const struct hsl_pkt *p)
{
    uint32_t home = p->u.h.src;
    struct request *r;

    if (home < 1 || home > HSL_CHIPS_MAX) {
        return false;
    }
    for (uint32_t i = 0; (r = next_in_stage(a, RETRIED, i)); i = number_of(a, r) + 1) {
        if (home_of(r) == home) {
            send_again(a, r);
            return true;
        }
    }
    return grants_kept(a, home) < may_be_retried(a, home) && grant_swap(a, 0, home);
}

/* ---- snoops ---- */

/* What an agent has of a line, in the cache or on its way back from it. */
struct copy {
    struct line *line;
    struct request *leaving;    /* WRITE_BACK, dirty */
    char state;
    bool dirty, poison;
    const uint8_t *data;
};

static struct copy copy_of(const struct hsl_agent *a, uint64_t ga)
{
    struct line *l = line_of(a, ga);
    struct request *r = request_of(a, ga);
    struct copy c = { .line = l, .state = state_of(l) };

    if (r && r->opcode == HSL_PKT_WRITE_BACK && r->dirty) {
        c.leaving = r;
        c.dirty = true;
        c.poison = r->poison;
        c.data = r->data;
    } else if (c.state != 'I') {
        c.dirty = c.state == 'M';
        c.poison = l->poison;
        c.data = l->data;
    }
    return c;
}

static void serve(struct hsl_agent *a, const struct hsl_pkt_snp *s, const struct copy *c,
                  uint64_t ga, bool own)
{
    uint32_t flags = c->poison ? HSL_PKT_F_POISON : 0;

    flags |= own ? HSL_PKT_F_OWN | (c->dirty ? HSL_PKT_F_DIRTY : 0) : 0;
    send_line(a, HSL_PKT_RSP_DATA, flags, s->fwd_tag, s->fwd, ga, c->data);
    a->stats.forwards++;
}

static void answer(struct hsl_agent *a, const struct hsl_pkt_snp *s, const struct copy *c,
                   uint64_t ga, uint32_t flags, bool with_data)
{
    if (with_data) {
        send_line(a, HSL_PKT_SNP_DATA, flags | (c->poison ? HSL_PKT_F_POISON : 0), s->h.tag,
                  s->h.src, ga, c->data);
    } else {
        send(a, HSL_PKT_SNP_RSP, flags, s->h.tag, s->h.src, ga);
    }
}

static bool rx_snoop(struct hsl_agent *a, const struct hsl_pkt *p)
{
    const struct hsl_pkt_snp *s = &p->u.snp;
    uint32_t op = s->h.opcode, chip = s->fwd & ~(uint32_t)HSL_AGENT_HOST_PORT;
    uint64_t ga = HSL_GA(s->h.src, hsl_pkt_offset(p));
    bool forwards = op == HSL_PKT_SNP_S || op == HSL_PKT_SNP_U;
    bool keeps = op == HSL_PKT_SNP_S || op == HSL_PKT_SNP_C;
    struct copy c;
    uint32_t flags;

    if (s->h.src < 1 || s->h.src > HSL_CHIPS_MAX || ga % HSL_LINE_BYTES) {
        return false;
    }
    if (forwards && (chip < 1 || chip > HSL_CHIPS_MAX || s->fwd == a->cfg.id)) {
        return false;
    }
    c = copy_of(a, ga);
    a->stats.snoops++;
    a->stats.snoop_hits += !!c.data;
    keeps = keeps && c.state != 'I';
    forwards = forwards && c.data && !(op == HSL_PKT_SNP_U && c.state == 'S');
    flags = (forwards ? HSL_PKT_F_FWD : 0) | (keeps ? HSL_PKT_F_KEEPS : 0);
    if (forwards) {
        serve(a, s, &c, ga, op == HSL_PKT_SNP_U);
    }
    if (op == HSL_PKT_SNP_U) {
        answer(a, s, &c, ga, flags | (forwards && c.dirty ? HSL_PKT_F_DIRTY : 0), false);
    } else {
        answer(a, s, &c, ga, flags, c.dirty);
    }
    if (c.leaving) {
        c.leaving->dirty = 0;
        c.leaving->poison = 0;
        memset(c.leaving->data, 0, sizeof(c.leaving->data));
    } else if (keeps) {
        c.line->state = 'S';
    } else if (c.state != 'I' && !(deviates(a, HSL_DEV_SNOOP_IGNORED) && op == HSL_PKT_SNP_I && !c.dirty)) {
        drop(c.line);
    }
    return true;
}

static bool rx(struct hsl_agent *a, const struct hsl_pkt *p)
{
    switch (p->u.h.opcode) {
    case HSL_PKT_SNP_S:
    case HSL_PKT_SNP_U:
    case HSL_PKT_SNP_I:
    case HSL_PKT_SNP_C:
        return rx_snoop(a, p);
    case HSL_PKT_RSP_DATA:
        return rx_data(a, p);
    case HSL_PKT_COMP:
        return rx_comp(a, p);
    case HSL_PKT_GO:
        return rx_go(a, p);
    case HSL_PKT_RSP:
        return rx_rsp(a, p);
    case HSL_PKT_RETRY:
        return rx_retry(a, p);
    case HSL_PKT_GRANT:
        return rx_grant(a, p);
    default:
        return false;
    }
}

bool hsl_agent_rx(struct hsl_agent *a, const struct hsl_pkt *p)
{
    if (a->out_n || hsl_pkt_check(p) || p->u.h.dst != a->cfg.id || !rx(a, p)) {
        return false;
    }
    run(a);
    return true;
}

void hsl_agent_lose(struct hsl_agent *a, uint16_t home, uint8_t status)
{
    uint32_t next;

    for (uint32_t i = 0; i < a->cfg.requests; i++) {
        struct request *r = request_at(a, i);

        if (r->stage != FREE && home_of(r) == home) {
            fail(a, r, status);
        }
    }
    for (uint32_t i = 0; i < a->cfg.sets * a->cfg.ways; i++) {
        struct line *l = line_at(a, i);

        if (l->state != 'I' && HSL_GA_NODE(l->ga) == home) {
            drop(l);
        }
    }
    for (uint32_t i = a->waiting.head; i != HSL_COH_NONE; i = next) {
        next = hsl_coh_next(a, &a->waiting, i);
        if (HSL_GA_NODE(access_at(a, i)->x.ga) == home) {
            finish(a, i, status);
        }
    }
    run(a);
}

static struct request *request_tagged(const struct hsl_agent *a, uint32_t tag)
{
    uint32_t i = tag - a->cfg.tag_first;

    return tag < a->cfg.tag_first || i >= a->cfg.requests || request_at(a, i)->stage == FREE
               ? NULL
               : request_at(a, i);
}

bool hsl_agent_waits(const struct hsl_agent *a, uint32_t tag)
{
    return request_tagged(a, tag);
}

bool hsl_agent_give_up(struct hsl_agent *a, uint32_t tag, uint8_t status)
{
    struct request *r = request_tagged(a, tag);

    if (!r || r->stage != SENT || r->granted || r->opcode == HSL_PKT_WRITE_BACK) {
        return false;
    }
    if (deviates(a, HSL_DEV_REQUEST_AGAIN)) {
        set_stage(a, r, SEND);
        return true;
    }
    fail(a, r, status);
    run(a);
    return true;
}

/* ---- looking at it ---- */

char hsl_agent_line(const struct hsl_agent *a, uint64_t ga, bool *busy, uint8_t *data)
{
    const struct line *l = line_of(a, ga & HSL_LINE_MASK);

    if (busy) {
        *busy = request_of(a, ga & HSL_LINE_MASK);
    }
    if (data && state_of(l) != 'I') {
        memcpy(data, l->data, sizeof(l->data));
    }
    return state_of(l);
}

bool hsl_agent_next_line(const struct hsl_agent *a, uint32_t *cursor, uint64_t *ga)
{
    while (*cursor < a->cfg.sets * a->cfg.ways) {
        const struct line *l = line_at(a, (*cursor)++);

        if (l->state != 'I') {
            *ga = l->ga;
            return true;
        }
    }
    return false;
}

bool hsl_agent_writing_back(const struct hsl_agent *a, uint64_t ga, uint8_t *data)
{
    struct copy c = copy_of(a, ga & HSL_LINE_MASK);

    if (c.leaving && data) {
        memcpy(data, c.data, HSL_LINE_BYTES);
    }
    return c.leaving;
}

bool hsl_agent_tag_cookie(const struct hsl_agent *a, uint32_t tag, uint64_t *cookie)
{
    const struct request *r = request_tagged(a, tag);

    if (!r || r->access == HSL_COH_NONE) {
        return false;
    }
    *cookie = access_at(a, r->access)->x.cookie;
    return true;
}

bool hsl_agent_quiet(const struct hsl_agent *a)
{
    return a->waiting.head == HSL_COH_NONE && a->done.head == HSL_COH_NONE && !a->out_n &&
           a->nfree == a->cfg.requests;
}

void hsl_agent_stats(const struct hsl_agent *a, struct hsl_agent_stats *out)
{
    *out = a->stats;
}

static uint64_t hash_list(const struct hsl_agent *a, const struct hsl_coh_list *l, uint64_t h)
{
    for (uint32_t i = l->head; i != HSL_COH_NONE; i = hsl_coh_next(a, l, i)) {
        const struct hsl_access *x = &access_at(a, i)->x;

        h = hsl_coh_mix(h, x->cookie);
        h = hsl_coh_mix(h, x->ga);
        h = hsl_coh_mix(h, x->op | (uint64_t)x->len << 8 | (uint64_t)x->subop << 16 |
                           (uint64_t)x->status << 24);
        h = hsl_coh_mix(h, x->arg0);
        h = hsl_coh_mix(h, x->arg1);
        h = hsl_coh_mix(h, x->value);
        h = hsl_coh_mix_line(h, x->data);
    }
    return hsl_coh_mix(h, 1);
}

/* Ways in the order of their use; which one a line is in does not matter. */
static uint64_t hash_lines(const struct hsl_agent *a, uint64_t h)
{
    for (uint32_t i = 0; i < a->cfg.sets * a->cfg.ways; i++) {
        uint32_t set = i / a->cfg.ways * a->cfg.ways, k = set;
        const struct line *l;

        while (line_at(a, k)->age != i - set) {
            k++;
        }
        l = line_at(a, k);
        h = hsl_coh_mix(h, l->ga);
        h = hsl_coh_mix(h, (uint64_t)(uint8_t)l->state | (uint64_t)l->poison << 8 |
                           (uint64_t)l->kept << 16);
        if (l->state != 'I') {
            h = hsl_coh_mix_line(h, l->data);
        }
    }
    return h;
}

static uint64_t hash_request(const struct hsl_agent *a, const struct request *r)
{
    uint64_t h = hsl_coh_mix(r->stage, r->ga);

    h = hsl_coh_mix(h, r->access == HSL_COH_NONE ? 0 : access_at(a, r->access)->x.cookie);
    h = hsl_coh_mix(h, r->opcode | r->granted << 8 | r->dirty << 16 | r->poison << 24);
    return hsl_coh_mix_line(h, r->data);
}

/* Tags are seen outside: the number of a request matters. Kept GRANTs count by home only. */
uint64_t hsl_agent_hash_as(const struct hsl_agent *a, bool by_line)
{
    uint64_t h = hash_lines(a, 0), sum = 0;

    for (uint32_t i = 0; i < a->cfg.requests; i++) {
        const struct request *r = request_at(a, i);

        if (r->stage != FREE) {
            sum += hsl_coh_mix(hash_request(a, r), by_line ? 0 : i);
        }
        sum += grants(a)[i] ? hsl_coh_mix(0, grants(a)[i]) : 0;
    }
    for (uint32_t i = 0; i < a->out_n; i++) {
        for (uint32_t s = 0; s < HSL_PKT_SLOTS_MAX * HSL_SLOT_BYTES; s += 8) {
            uint64_t w;

            memcpy(&w, a->out[i].u.slot[0] + s, sizeof(w));
            h = hsl_coh_mix(h, w);
        }
    }
    h = hash_list(a, &a->waiting, hsl_coh_mix(h, sum));
    return hash_list(a, &a->done, h);
}

uint64_t hsl_agent_hash(const struct hsl_agent *a)
{
    return hsl_agent_hash_as(a, false);
}
