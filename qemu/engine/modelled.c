// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Modelled memory: accesses that cross links and caches as packets (docs/hep.md section 12).
 *
 * The modelled fabric (qemu/model/fab.h) knows no threads: it is under `lock`. Whoever needs accesses posts a batch and
 * drives the fabric until the batch is done; meanwhile no one else's accesses go on, so batches are short and who waits
 * gets his turn. Virtual time moves with the accesses and stands still between them.
 *
 * Memory of a home is the chip's own: a read or write that comes out of the fabric is done at once on the chip that is
 * attached as that node. A chip is entered here after it is attached and taken out, under `lock`, before its memory
 * goes; so whoever is in here may touch the memory of every chip that he finds.
 *
 * Dirty lines may be in caches of any chip. hsl_modelled_flush empties all caches of a range, so that who frees the
 * memory finds all of it where it belongs (HEP-MAP-027); the home forgets the range too, as it would write poison over what
 * owners that were lost had there. A chip that vanishes takes its cache with it: lines only it had are poison, and what
 * others had of its memory is gone.
 *
 * Links. Their states are here; a chip is told (EVENT.LINK) when one of its ends begins or ceases to carry packets, or does
 * so with another width or rate. Changes are collected while a turn lasts and told after it, as who is told looks at them.
 *
 * Locks: `lock` is inside ctl_lock and sections; nothing but the host's mem_written callback is called with it held.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "modelled_priv.h"

#define BATCH           32u
#define ARENA_MAX       (512u << 20)
#define CROSSING_MAX_PS UINT64_C(10000000)
#define TRAINING_PS     UINT64_C(1000000000)    /* links of a chip that came have trained by then, or will not */
/* with a link that trains with another program, which costs an exchange of messages for each latency */
#define REMOTE_TRAINING_PS UINT64_C(100000000)
#define STUCK_PS        UINT64_C(100000000000)  /* what is not done by then never will be: a bug of the model */
#define FROZEN_PS       UINT64_C(200000000)     /* nothing is done for so long: credit that a tester keeps back is missing */

/* A batch under way. */
struct batch {
    struct hsl_access *x;
    uint32_t number, done;
    uint64_t done_ps;           /* the last one was */
};

/* Turns, as the mutex alone lets who unlocks it go first again: a CPU would wait as long as a command has batches. */
static void enter(struct hsl_modelled *m)
{
    pthread_mutex_lock(&m->turn);
    pthread_mutex_lock(&m->lock);
    pthread_mutex_unlock(&m->turn);
    if (m->remote) {
        hsl_remote_enter(m->remote);
    }
}

static void capture_set(struct hsl_modelled *m, struct hsl_capture *c)
{
    struct hsl_fab_in in = { .type = HSL_FAB_TAP, .u.tap = { .tap = TAP_CAPTURE } };

    in.u.tap.what = c ? HSL_FAB_TAP_TX | HSL_FAB_TAP_RX : 0;
    hsl_fab_post(m->fab, &in);
    m->capture = c;
}

/* The chips that are to be told about their links. */
static uint64_t leave(struct hsl_modelled *m)
{
    struct hsl_capture *broken = NULL;
    uint64_t changed;

    if (m->remote) {
        hsl_remote_leave(m->remote);
    }
    changed = m->changed;
    m->changed = 0;
    if (m->capture && hsl_capture_flush(m->capture)) {
        broken = m->capture;
        capture_set(m, NULL);
    }
    pthread_mutex_unlock(&m->lock);
    hsl_capture_end(broken);
    return changed;
}

/* ---- memory; lock held ---- */

static bool poison_get(struct hsl_modelled *m, uint32_t node, uint64_t line)
{
    return m->poisoned[node] && m->poisoned[node][line / 8] >> line % 8 & 1;
}

static void poison_set(struct hsl_modelled *m, uint32_t node, uint64_t line, bool poison)
{
    uint8_t bit = (uint8_t)(1u << line % 8);

    if (!m->poisoned[node] && poison) {
        m->poisoned[node] = calloc(m->chip[node]->cfg.mem_bytes / HSL_LINE_BYTES / 8 + 1, 1);
    }
    if (m->poisoned[node]) {
        m->poisoned[node][line / 8] = (uint8_t)((m->poisoned[node][line / 8] & ~bit) | (poison ? bit : 0));
    }
}

/* Whole lines of [off, off + len) are as good as new. */
static void poison_clear(struct hsl_modelled *m, uint32_t node, uint64_t off, uint64_t len)
{
    uint64_t line = off / HSL_LINE_BYTES, end = (off + len) / HSL_LINE_BYTES;

    if (!m->poisoned[node]) {
        return;
    }
    for (; line < end && line % 8; line++) {
        poison_set(m, node, line, false);
    }
    if (line < end) {
        memset(&m->poisoned[node][line / 8], 0, (end - line) / 8);
        line += (end - line) & ~7ull;
    }
    for (; line < end; line++) {
        poison_set(m, node, line, false);
    }
}

static void memory_op(struct hsl_modelled *m, uint32_t node, const struct hsl_mem_op *op)
{
    struct hsl_chip_engine *c = m->chip[node];
    bool there = c && op->offset + HSL_LINE_BYTES <= c->cfg.mem_bytes;
    struct hsl_fab_in in = { .type = HSL_FAB_MEM };

    if (op->write) {
        if (there) {
            memcpy((char *)c->cfg.mem + op->offset, op->data, HSL_LINE_BYTES);
            poison_set(m, node, op->offset / HSL_LINE_BYTES, op->poison);
            if (c->cfg.ops->mem_written) {
                c->cfg.ops->mem_written(c->cfg.opaque, op->offset, HSL_LINE_BYTES);
            }
        }
        return;
    }
    in.u.mem.node = node;
    in.u.mem.id = op->id;
    in.u.mem.poison = !there || poison_get(m, node, op->offset / HSL_LINE_BYTES);
    if (there && hsl_deviates(c, HSL_DEV_POISON_READS)) {
        in.u.mem.poison = false;
    }
    if (there && hsl_deviates(c, HSL_DEV_POISON_SPREADS) && op->offset >= HSL_LINE_BYTES) {
        in.u.mem.poison |= poison_get(m, node, op->offset / HSL_LINE_BYTES - 1);
    }
    if (there) {
        memcpy(in.u.mem.data, (char *)c->cfg.mem + op->offset, HSL_LINE_BYTES);
    }
    hsl_fab_post(m->fab, &in);
}

/* ---- links; lock held ---- */

static uint32_t ends_of(const struct hsl_fab *fab)
{
    uint32_t n = 0, a, b;

    while (hsl_fab_end(fab, n, &a, &b)) {
        n++;
    }
    return n;
}

static void link_entered(struct hsl_modelled *m, const struct hsl_fab_out *o)
{
    struct told *t = &m->told[o->u.link.end], now = *t;

    switch (o->u.link.state) {
    case HSL_LTSSM_L0:
        now = (struct told){ true, o->u.link.width, o->u.link.rate_mtps };
        break;
    case HSL_LTSSM_DETECT:
    case HSL_LTSSM_DISABLED:
    case HSL_LTSSM_HOT_RESET:
        now.up = false;
        break;
    }
    if (o->u.link.a <= m->nodes && (now.up != t->up || now.width != t->width || now.rate_mtps != t->rate_mtps)) {
        m->changed |= UINT64_C(1) << (o->u.link.a - 1);
    }
    *t = now;
}

/* ---- what comes out; lock held ---- */

/* One of a batch that was given up belongs to nobody. */
static void access_done(struct batch *b, const struct hsl_fab_out *o)
{
    if (b && b->number == (uint32_t)(o->u.access.x.cookie >> 32)) {
        b->x[(uint32_t)o->u.access.x.cookie] = o->u.access.x;
        b->done++;
        b->done_ps = o->time_ps;
    }
}

void hsl_modelled_take(struct hsl_modelled *m)
{
    struct hsl_fab_record r;
    struct hsl_fab_out o;

    while (hsl_fab_record(m->fab, &r)) {
        if (r.taps & 1u << TAP_CAPTURE && m->capture) {
            hsl_capture_add(m->capture, m->fab, &r);
        }
        if (r.taps & 1u << TAP_CTF && m->chip[r.a]) {
            hsl_facility_record(m->chip[r.a], &r);
        }
    }
    while (hsl_fab_drain(m->fab, &o)) {
        if (o.type == HSL_FAB_OUT_ACCESS) {
            access_done(m->batch, &o);
        } else if (o.type == HSL_FAB_OUT_MEM) {
            memory_op(m, o.u.mem.node, &o.u.mem.op);
        } else if (o.type == HSL_FAB_OUT_LINK) {
            link_entered(m, &o);
        }
    }
}

/* ---- others at the fabric ---- */

struct hsl_fab *hsl_modelled_enter(struct hsl_fabric_engine *f)
{
    enter(f->modelled);
    return f->modelled->fab;
}

void hsl_modelled_leave(struct hsl_fabric_engine *f)
{
    hsl_modelled_take(f->modelled);
    hsl_links_changed_soon(f, leave(f->modelled));
}

int hsl_modelled_post(struct hsl_modelled *m, const struct hsl_fab_in *in)
{
    int err = hsl_fab_post(m->fab, in);

    hsl_modelled_take(m);
    return err;
}

bool hsl_modelled_step(struct hsl_modelled *m, uint64_t end_ps)
{
    if (m->remote) {
        return hsl_remote_step(m->remote, end_ps);
    }
    if (hsl_fab_next_ps(m->fab) > end_ps || hsl_fab_step(m->fab) != 1) {
        return false;
    }
    hsl_modelled_take(m);
    return true;
}

bool hsl_modelled_poisoned(struct hsl_modelled *m, uint32_t node, uint64_t offset)
{
    return poison_get(m, node, offset / HSL_LINE_BYTES);
}

void hsl_modelled_poison(struct hsl_modelled *m, uint32_t node, uint64_t offset, bool poison)
{
    poison_set(m, node, offset / HSL_LINE_BYTES, poison);
}

void hsl_modelled_capture(struct hsl_fabric_engine *f, struct hsl_capture *c)
{
    struct hsl_modelled *m = f->modelled;
    struct hsl_capture *old;

    enter(m);
    old = m->capture;
    capture_set(m, c);
    if (c) {
        hsl_capture_begin(c, m->fab);
    }
    hsl_links_changed_soon(f, leave(m));
    hsl_capture_end(old);
}

/* ---- life ---- */

/* 0: such a fabric has no modelled memory. */
static size_t arena_bytes(const struct hsl_fab_cfg *cfg)
{
    size_t bytes = hsl_fab_size(cfg);

    return bytes > ARENA_MAX || hsl_time_crossing_ps(&cfg->profile) > CROSSING_MAX_PS ? 0 : bytes;
}

int hsl_modelled_init(struct hsl_fabric_engine *f, const struct hsl_remote_config *remote)
{
    struct hsl_fab_cfg cfg = {
        .nodes = f->cfg.model.nodes,
        .topology = f->cfg.model.topology,
        .profile = f->cfg.model.profile,
        .switches = f->cfg.model.switches,
        .nlinks = f->cfg.model.nlinks,
        .links = f->cfg.model.links,
    };
    struct hsl_modelled *m;
    size_t bytes;
    int err;

    hsl_fab_defaults(&cfg);
    cfg.hop_limit = f->cfg.model.hop_limit;
    if (f->cfg.home_requests) {
        bool fits = arena_bytes(&cfg);

        cfg.home.requests = f->cfg.home_requests;
        if (fits && !arena_bytes(&cfg)) {
            return -ERANGE;
        }
    }
    if (remote) {
        cfg.cut_a = remote->a;
        cfg.cut_b = remote->b;
        cfg.open_bytes = remote->open_bytes;
    }
    bytes = arena_bytes(&cfg);
    if (!bytes) {
        return remote ? -EINVAL : 0;
    }
    m = calloc(1, sizeof(*m));
    if (!m) {
        return -ENOMEM;
    }
    m->nodes = cfg.nodes;
    m->chip = calloc(cfg.nodes + 1, sizeof(*m->chip));
    m->poisoned = calloc(cfg.nodes + 1, sizeof(*m->poisoned));
    m->fab = aligned_alloc(64, (bytes + 63) / 64 * 64);
    pthread_mutex_init(&m->lock, NULL);
    pthread_mutex_init(&m->turn, NULL);
    f->modelled = m;
    err = m->chip && m->poisoned && m->fab ? hsl_fab_init(m->fab, bytes, &cfg) : -ENOMEM;
    if (err) {
        hsl_modelled_free(f);
        return err;
    }
    m->told = calloc(ends_of(m->fab) + 1, sizeof(*m->told));
    if (!m->told) {
        hsl_modelled_free(f);
        return -ENOMEM;
    }
    hsl_modelled_take(m);
    for (uint32_t n = 1; n <= m->nodes; n++) {  /* before any link has come up */
        struct hsl_fab_in in = { .type = HSL_FAB_NODE, .u.node = { n, false } };

        hsl_modelled_post(m, &in);
    }
    err = remote ? hsl_remote_new(m, &cfg, remote) : 0;
    if (err) {
        hsl_modelled_free(f);
    }
    return err;
}

void hsl_modelled_free(struct hsl_fabric_engine *f)
{
    struct hsl_modelled *m = f->modelled;

    if (!m) {
        return;
    }
    hsl_remote_free(m->remote);
    m->remote = NULL;
    for (uint32_t n = 1; m->poisoned && n <= m->nodes; n++) {
        free(m->poisoned[n]);
    }
    pthread_mutex_destroy(&m->turn);
    pthread_mutex_destroy(&m->lock);
    hsl_capture_end(m->capture);
    free(m->told);
    free(m->poisoned);
    free(m->chip);
    free(m->fab);
    free(m);
    f->modelled = NULL;
}

/* ---- accesses ---- */

/* As many of the batch as the agent takes; how many. */
static uint32_t post_some(struct hsl_modelled *m, uint16_t agent, struct batch *b, uint32_t from, uint32_t n)
{
    while (from < n) {
        struct hsl_fab_in in = { .type = HSL_FAB_ACCESS };
        int err;

        in.u.access.agent = agent;
        in.u.access.x = b->x[from];
        in.u.access.x.cookie = (uint64_t)b->number << 32 | from;
        err = hsl_fab_post(m->fab, &in);
        hsl_modelled_take(m);
        if (err == -EAGAIN) {
            break;
        }
        if (err) {
            b->x[from].status = HSL_ST_UNREACHABLE;
            b->done++;
        }
        from++;
    }
    return from;
}

static void run(struct hsl_fabric_engine *f, uint16_t agent, struct hsl_access *x, uint32_t n, uint32_t wait)
{
    struct hsl_modelled *m = f->modelled;
    struct batch b = { .x = x };
    uint32_t posted, done = 0;
    uint64_t begun, moved;

    enter(m);
    b.number = ++m->batches;
    begun = moved = b.done_ps = hsl_fab_now_ps(m->fab);
    m->batch = &b;
    posted = post_some(m, agent, &b, 0, n);
    while ((b.done < wait || posted < n) && hsl_modelled_step(m, moved + STUCK_PS)) {
        posted = post_some(m, agent, &b, posted, n);
        if (!m->frozen) {
            continue;
        }
        if (b.done == done && hsl_fab_now_ps(m->fab) > moved + FROZEN_PS) {
            break;              /* nobody waits for a tester */
        }
        if (b.done != done) {
            done = b.done;
            moved = hsl_fab_now_ps(m->fab);
        }
    }
    m->batch = NULL;
    m->took_ps += b.done_ps - begun;
    if (b.done == n && b.done_ps == begun) {
        /* refused at once: who asks again until a link has trained has to see it train */
        hsl_modelled_step(m, begun + STUCK_PS);
    }
    hsl_links_changed_soon(f, leave(m));
    for (uint32_t i = 0; b.done < wait && i < n; i++) {    /* the fabric stands still: its error, not the memory's */
        x[i].status = HSL_ST_INTERNAL;
    }
}

void hsl_modelled_run(struct hsl_fabric_engine *f, uint16_t agent, struct hsl_access *x, uint32_t n)
{
    run(f, agent, x, n, n);
}

uint64_t hsl_modelled_took(struct hsl_fabric_engine *f)
{
    struct hsl_modelled *m = f->modelled;
    uint64_t ps;

    if (!m) {
        return 0;
    }
    enter(m);
    ps = m->took_ps;
    m->took_ps = 0;
    pthread_mutex_unlock(&m->lock);
    return ps;
}

uint32_t hsl_modelled_bytes(struct hsl_fabric_engine *f, uint16_t agent, uint64_t ga, void *buf, uint64_t len,
                            unsigned int flags, uint64_t *fault_ga)
{
    static const uint8_t op[2][2] = { { HSL_ACCESS_LOAD, HSL_ACCESS_READ }, { HSL_ACCESS_STORE, HSL_ACCESS_WRITE } };
    bool write = flags & HSL_MODELLED_WRITE;
    struct hsl_access x[BATCH];
    uint8_t *p = buf;

    while (len) {
        uint32_t n = 0;

        for (uint64_t at = 0; n < BATCH && at < len; n++) {
            uint64_t room = HSL_LINE_BYTES - ((ga + at) & (HSL_LINE_BYTES - 1));

            x[n] = (struct hsl_access){
                .ga = ga + at,
                .op = op[write][flags & HSL_MODELLED_NONCOHERENT ? 1 : 0],
                .len = (uint8_t)(room < len - at ? room : len - at),
            };
            if (write) {
                memcpy(x[n].data, p + at, x[n].len);
            }
            at += x[n].len;
        }
        run(f, agent, x, n, n - !!(write && flags & HSL_MODELLED_HASTY));
        for (uint32_t i = 0; i < n; i++) {
            if (x[i].status) {
                *fault_ga = x[i].ga;
                return x[i].status;
            }
            if (!write) {
                memcpy(p, x[i].data, x[i].len);
            }
            p += x[i].len;
            ga += x[i].len;
            len -= x[i].len;
        }
    }
    return HSL_ST_OK;
}

/* ---- what chips and links do ---- */

static void post_and_train(struct hsl_modelled *m, const struct hsl_fab_in *in)
{
    uint64_t end;

    hsl_modelled_post(m, in);
    end = hsl_fab_now_ps(m->fab) + (m->remote && hsl_remote_connected(m->remote) ? REMOTE_TRAINING_PS : TRAINING_PS);
    while (hsl_modelled_step(m, end)) {
    }
}

void hsl_modelled_node(struct hsl_fabric_engine *f, uint32_t node, struct hsl_chip_engine *c)
{
    struct hsl_modelled *m = f->modelled;
    struct hsl_fab_in in = { .type = HSL_FAB_NODE, .u.node = { node, c } };

    if (!m) {
        return;
    }
    enter(m);
    m->chip[node] = c;
    free(m->poisoned[node]);
    m->poisoned[node] = NULL;
    post_and_train(m, &in);
    hsl_links_changed(f, leave(m));
}

void hsl_modelled_deviate(struct hsl_fabric_engine *f, uint32_t node, uint32_t deviation)
{
    if (f->modelled) {
        enter(f->modelled);
        hsl_fab_deviate(f->modelled->fab, node, deviation);
        hsl_links_changed_soon(f, leave(f->modelled));
    }
}

void hsl_modelled_link(struct hsl_fabric_engine *f, uint32_t a, uint32_t b, bool up)
{
    struct hsl_modelled *m = f->modelled;
    struct hsl_fab_in in = { .type = HSL_FAB_LINK, .u.link = { .a = a, .b = b, .up = up } };

    if (!m) {
        return;
    }
    enter(m);
    post_and_train(m, &in);
    hsl_links_changed(f, leave(m));
}

void hsl_modelled_heal(struct hsl_chip_engine *c)
{
    struct hsl_fab_in in = { .type = HSL_FAB_VIRAL, .u.node = { c->cfg.node, true } };
    struct hsl_modelled *m = c->f->modelled;

    if (!m) {
        return;
    }
    enter(m);
    if (atomic_fetch_and(&c->status, ~HSL_STATUS_FATAL) & HSL_STATUS_FATAL) {
        post_and_train(m, &in);         /* what was under way is gone, and nobody is kept from it any more */
    }
    hsl_links_changed(c->f, leave(m));
}

/* What is under way arrives, write-backs too. */
static bool settle(struct hsl_modelled *m)
{
    uint64_t end = hsl_fab_now_ps(m->fab) + STUCK_PS;

    while (!hsl_fab_quiet(m->fab) && hsl_modelled_step(m, end)) {
        for (unsigned int i = 0; i < 63 && hsl_modelled_step(m, end); i++) {
        }
    }
    return hsl_fab_quiet(m->fab);
}

uint32_t hsl_modelled_flush(struct hsl_fabric_engine *f, uint64_t ga, uint64_t len)
{
    struct hsl_modelled *m = f->modelled;
    struct hsl_access x[BATCH];
    uint32_t status = HSL_ST_OK;

    for (uint32_t i = 0; i < 2 * m->nodes; i++) {
        uint16_t agent = (uint16_t)(i % m->nodes + 1 + (i >= m->nodes ? HSL_AGENT_HOST_PORT : 0));
        uint32_t cursor = 0, n;

        do {
            enter(m);
            for (n = 0; n < BATCH;) {
                uint64_t line;

                if (!hsl_agent_next_line(hsl_fab_agent(m->fab, agent), &cursor, &line)) {
                    break;
                }
                if (line - ga < len) {
                    x[n++] = (struct hsl_access){ .ga = line, .op = HSL_ACCESS_FLUSH, .len = 1 };
                }
            }
            hsl_links_changed_soon(f, leave(m));
            hsl_modelled_run(f, agent, x, n);
            for (uint32_t k = 0; k < n && !status; k++) {
                status = x[k].status;
            }
        } while (n == BATCH);
    }
    enter(m);
    if (!settle(m) && !status) {
        status = HSL_ST_INTERNAL;
    }
    hsl_fab_forget(m->fab, HSL_GA_NODE(ga), HSL_GA_OFFSET(ga), len);
    poison_clear(m, HSL_GA_NODE(ga), HSL_GA_OFFSET(ga), len);
    hsl_links_changed_soon(f, leave(m));
    return status;
}
