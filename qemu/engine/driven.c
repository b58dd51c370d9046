// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Modelled time: no worker, the host's clock is virtual, and a command takes as long as
 * docs/hep.md section 9 says.
 *
 * A turn has a price that is known before it: plan_ps() looks at the command and where its
 * operands are. The queue is then *due* after that time, in a list by time, and its turn is made
 * at the end of it: so what a command writes can be seen when the time for it has gone by, and a
 * copy of a gigabyte grows by 64 KiB at a time. The descriptor is read for its price and taken in
 * the turn itself: one that is changed meanwhile has the price of what it was.
 *
 * Some prices are known only afterwards: accesses of modelled memory, which the modelled fabric
 * times, and the entries of a list. A command that ends so is *late*: its accesses are done, its
 * completion is due.
 *
 * Commands of a queue follow one another, each begins when the one before it completes. Queues wait
 * for each other where their streams share a link or a memory (share.c): a chunk's turn is due so
 * much later. What happens at the same picosecond happens in the order in which it was planned.
 * Nothing here asks for anything but the clock, so the same calls at the same times do the same.
 *
 * A price comes before the checks: it follows no length that the turn may refuse.
 *
 * States of a queue: LISTED -> DUE -> RUNNING, in here -> DUE, PARKED or IDLE. All fields are
 * under run_lock or belong to who runs the fabric, of whom there is one at a time.
 */
#include <fenv.h>

#include "engine_priv.h"

#define LIST_BYTES  (HSL_COPY_LIST_MAX * sizeof(struct hsl_copy_entry))    /* a longer one is refused */

/* ---- the list ---- */

static void due_at(struct hsl_queue_engine *q, uint64_t ps)
{
    struct hsl_fabric_engine *f = q->chip->f;
    struct hsl_queue_engine **p = &f->due_head;

    ps = ps > f->event_ps ? ps : f->event_ps;   /* of a completion that was due while there was no DMA */
    pthread_mutex_lock(&f->run_lock);
    while (*p && (*p)->due_ps <= ps) {
        p = &(*p)->due_next;
    }
    q->due_ps = ps;
    q->due_next = *p;
    *p = q;
    q->sched = HSL_SCHED_DUE;
    pthread_mutex_unlock(&f->run_lock);
}

void hsl_driven_forget(struct hsl_queue_engine *q)
{
    struct hsl_queue_engine **p = &q->chip->f->due_head;

    while (*p != q) {
        p = &(*p)->due_next;
    }
    *p = q->due_next;
    q->sched = HSL_SCHED_IDLE;
}

/* ---- prices ---- */

/* How far away an operand is. False: modelled, or no such memory, which the turn finds. */
static bool operand_links(struct hsl_queue_engine *q, uint64_t ga, uint32_t *links)
{
    struct hsl_chip_engine *c = q->chip;
    struct hsl_seg *seg = NULL;
    struct hsl_ctx *ctx;
    int hops;

    *links = 0;
    if (!q->qid) {
        return true;
    }
    if (!hsl_ctx_get(c, q->ctx, &ctx)) {
        seg = hsl_seg_find(ctx, ga);
    }
    if (!seg || seg->e.flags & HSL_SEG_MODELLED) {
        return false;
    }
    if (seg->e.flags & HSL_SEG_PAGED) {
        *links = HSL_WAY_OWN_HOST;
        return true;
    }
    pthread_mutex_lock(&c->f->model_lock);
    hops = hsl_model_hops(c->f->model, c->cfg.node, HSL_GA_NODE(ga));
    pthread_mutex_unlock(&c->f->model_lock);
    *links = hops > 0 ? (uint32_t)hops : 0;
    return hops >= 0;
}

static uint64_t stream_ps(struct hsl_queue_engine *q, uint64_t from, uint64_t to)
{
    const struct hsl_profile *p = &q->chip->f->cfg.model.profile;

    return hsl_time_stream_ps(p, to) - hsl_time_stream_ps(p, from);
}

static uint64_t total_bytes(const struct hsl_desc *d)
{
    uint64_t rows = d->opcode == HSL_OP_COPY2D ? d->arg0 : 1, n;

    return __builtin_mul_overflow(rows, d->len, &n) ? UINT64_MAX : n;
}

/* Which operands a command has. False: none. */
static bool operands(const struct hsl_desc *d, struct hsl_time_command *t)
{
    switch (d->opcode) {
    case HSL_OP_COPY:
    case HSL_OP_COPY2D:
        t->reads = t->writes = true;
        break;
    case HSL_OP_REDUCE:
        t->reads = t->updates = true;
        break;
    case HSL_OP_FILL:
    case HSL_OP_SIGNAL:
        t->writes = true;
        break;
    case HSL_OP_ATOMIC:
        t->updates = true;
        break;
    case HSL_OP_STORE:
        t->writes = true;
        t->reads = d->src;
        break;
    case HSL_OP_LOAD:
        t->reads = true;
        t->writes = d->dst;
        break;
    case HSL_OP_WAIT:
    case HSL_OP_COPY_LIST:      /* the list; its entries come when it has been read */
        t->reads = true;
        break;
    default:
        return false;
    }
    return true;
}

/* The way of bytes between the chip and an operand. */
static void way_add(struct hsl_queue_engine *q, uint64_t ga, bool write, struct hsl_share_way *w)
{
    uint32_t node = q->chip->cfg.node, links, home;

    if (!q->qid || !operand_links(q, ga, &links)) {
        return;
    }
    home = links == HSL_WAY_OWN_HOST ? 0 : HSL_GA_NODE(ga);
    if (write) {
        hsl_share_write(q->chip->f, node, home, w);
    } else {
        hsl_share_read(q->chip->f, node, home, w);
    }
}

/* Bytes `from` to `to` of the stream take their way; how much later than if nobody else did. */
static uint64_t shared_ps(struct hsl_queue_engine *q, const struct hsl_share_way *w, uint64_t from, uint64_t to)
{
    const struct hsl_profile *p = &q->chip->f->cfg.model.profile;
    uint64_t ps = hsl_time_wire_ps(p, to) - hsl_time_wire_ps(p, from);
    uint64_t alone = q->stream_ps + ps;

    q->stream_ps = hsl_share_take(q->chip->f, w, q->stream_ps, ps);
    return q->stream_ps - alone;
}

/* Its first flit, which is part of each link's latency, has come by then. */
static void stream_begins(struct hsl_queue_engine *q, uint64_t ps)
{
    uint64_t flit = hsl_time_flit_ps(&q->chip->f->cfg.model.profile);

    q->stream_ps = ps > q->chip->f->event_ps + flit ? ps - flit : q->chip->f->event_ps;
}

/* Its last byte may be a port old, see share.c. It is older after a pause or accesses that the modelled fabric has timed. */
static void stream_goes_on(struct hsl_queue_engine *q, uint64_t ps)
{
    const struct hsl_profile *p = &q->chip->f->cfg.model.profile;

    if (q->stream_ps + hsl_time_way_ps(p, HSL_WAY_OWN_HOST) + hsl_time_flit_ps(p) < ps) {
        stream_begins(q, ps);
    }
}

/* The bytes of the next chunk, as far as they have not had their time. */
static uint64_t chunk_ps(struct hsl_queue_engine *q, const struct hsl_desc *d, uint64_t done)
{
    uint64_t total = total_bytes(d), from = q->paid_bytes;
    struct hsl_time_command t = { 0 };
    struct hsl_share_way w = { 0 };

    if (total < done || total - done > HSL_CHUNK_BYTES) {
        total = done + HSL_CHUNK_BYTES;
    }
    q->paid_bytes = total > from ? total : from;
    operands(d, &t);
    if (t.reads) {
        way_add(q, d->src, false, &w);
    }
    if (t.updates) {
        way_add(q, d->dst, false, &w);
    }
    if (t.writes || t.updates) {
        way_add(q, d->dst, true, &w);
    }
    return stream_ps(q, from, q->paid_bytes) + shared_ps(q, &w, from, q->paid_bytes);
}

/* A command that begins. Bytes are of direct memory: the modelled fabric times its own. */
static uint64_t command_ps(struct hsl_queue_engine *q, uint64_t from_ps)
{
    const struct hsl_profile *p = &q->chip->f->cfg.model.profile;
    struct hsl_time_command t = { .fetch = q->was_idle };
    struct hsl_share_way w = { 0 };
    uint64_t ps;
    struct hsl_desc d;
    bool direct = hsl_queue_next(q, &d) && !q->chain_failed && operands(&d, &t);

    q->paid_bytes = 0;
    if (t.reads && !operand_links(q, d.src, &t.src_links)) {
        t.reads = direct = false;
    }
    if ((t.writes || t.updates) && !operand_links(q, d.dst, &t.dst_links)) {
        t.writes = t.updates = direct = false;
    }
    ps = hsl_time_command_ps(p, &t);
    stream_begins(q, from_ps + ps - hsl_time_way_ps(p, HSL_WAY_OWN_HOST));
    if (direct && d.opcode == HSL_OP_COPY_LIST) {
        uint64_t len = d.len < LIST_BYTES ? d.len : LIST_BYTES;

        way_add(q, d.src, false, &w);
        return ps + stream_ps(q, 0, len) + shared_ps(q, &w, 0, len);
    }
    return direct ? ps + chunk_ps(q, &d, 0) : ps;
}

/* The turn that comes next. */
static uint64_t plan_ps(struct hsl_queue_engine *q, uint64_t from_ps)
{
    const struct hsl_profile *p = &q->chip->f->cfg.model.profile;
    const struct hsl_desc *d = &q->cmd.d;
    uint32_t links;

    if (!q->cmd.active) {
        return command_ps(q, from_ps);
    }
    if (d->opcode == HSL_OP_WAIT) {
        return operand_links(q, d->src, &links) ? hsl_time_read_ps(p, links) : 0;
    }
    /* what began without bytes to pay for goes on so; a list pays later */
    if (!q->paid_bytes || d->opcode == HSL_OP_COPY_LIST) {
        return 0;
    }
    stream_goes_on(q, from_ps);
    return chunk_ps(q, d, q->cmd.done);
}

/* The farthest entry of a list. */
static uint64_t list_ps(struct hsl_queue_engine *q)
{
    struct hsl_time_command t = { 0 };
    uint64_t most = 0, ps, none = hsl_time_command_ps(&q->chip->f->cfg.model.profile, &t);

    for (uint32_t i = 0; q->cmd.list && i < q->cmd.runs; i++) {
        t.reads = operand_links(q, q->cmd.list[i].src, &t.src_links);
        t.writes = operand_links(q, q->cmd.list[i].dst, &t.dst_links);
        ps = hsl_time_command_ps(&q->chip->f->cfg.model.profile, &t) - none;
        most = ps > most ? ps : most;
    }
    return most;
}

/* Its bytes that have moved since the last turn, each entry's on its own way. */
static uint64_t list_shared_ps(struct hsl_queue_engine *q)
{
    uint64_t begin = 0, end, ps = 0;

    for (uint32_t i = 0; q->cmd.list && i < q->cmd.runs && begin < q->cmd.done; i++, begin = end) {
        const struct hsl_list_entry *e = &q->cmd.list[i];
        uint64_t from = begin > q->paid_bytes ? begin : q->paid_bytes;
        uint64_t to = begin + e->len < q->cmd.done ? begin + e->len : q->cmd.done;
        struct hsl_share_way w = { 0 };

        end = begin + e->len;
        if (from < to) {
            way_add(q, e->src, false, &w);
            way_add(q, e->dst, true, &w);
            ps += shared_ps(q, &w, from, to);
        }
    }
    return ps;
}

/* What the turn has cost on top of its price. */
static uint64_t extra_ps(struct hsl_queue_engine *q)
{
    uint64_t ps = hsl_modelled_took(q->chip->f);

    if (q->cmd.d.opcode == HSL_OP_COPY_LIST && q->cmd.done > q->paid_bytes) {
        if (!q->paid_bytes) {
            ps += list_ps(q);
        }
        stream_goes_on(q, q->chip->f->event_ps + ps);
        ps += list_shared_ps(q);
        ps += stream_ps(q, q->paid_bytes, q->cmd.done);
        q->paid_bytes = q->cmd.done;
    }
    return ps;
}

/* ---- turns ---- */

bool hsl_driven_late(struct hsl_queue_engine *q, uint32_t status, uint64_t fault_ga)
{
    uint64_t ps = hsl_driven(q->chip->f) ? extra_ps(q) : 0;

    if (!ps) {
        return false;
    }
    q->cmd.active = q->cmd.late = true;
    q->cmd.late_status = status;
    q->cmd.late_fault_ga = fault_ga;
    q->due_ps = q->chip->f->event_ps + ps;
    return true;
}

/* In hand, with or without something to do. */
static void go_on(struct hsl_queue_engine *q, uint64_t from_ps)
{
    if (q->cmd.late && hsl_queue_live(q)) {     /* else it is completed when there is DMA again */
        due_at(q, q->due_ps);
    } else if (hsl_queue_pending(q)) {
        due_at(q, from_ps + plan_ps(q, from_ps));
        q->was_idle = false;
    } else {
        hsl_run_done(q->chip->f, q);
    }
}

static void turn(struct hsl_fabric_engine *f, struct hsl_queue_engine *q, struct hsl_worker *w)
{
    uint64_t extra;

    hsl_queue_run(q, w, 1);
    hsl_sensor_turn(w, q->chip);
    extra = q->cmd.late ? 0 : extra_ps(q);
    if (q->cmd.waits && !q->cmd.late) {
        hsl_run_done(f, q);
    } else {
        go_on(q, f->event_ps + extra);
    }
}

/* UINT64_MAX: never. 0: now. */
static uint64_t tick_ps(struct hsl_fabric_engine *f)
{
    uint64_t ns = atomic_load(&f->tick_next);
    bool some = atomic_load(&f->nparked) || atomic_load(&f->nheld);

    if (atomic_load(&f->changed)) {
        return 0;
    }
    return some && ns < UINT64_MAX / 1000 ? ns * 1000 : UINT64_MAX;
}

static uint64_t due_ps(struct hsl_fabric_engine *f)
{
    return f->due_head ? f->due_head->due_ps : UINT64_MAX;
}

/* One thing that is ready or due until then. False: nothing is. */
static bool step(struct hsl_fabric_engine *f, uint64_t until_ps)
{
    uint64_t tick = tick_ps(f), due = due_ps(f);
    struct hsl_queue_engine *q = hsl_run_pop(f);
    struct hsl_worker *w = &f->worker[0];

    if (!q && (tick < due ? tick : due) > until_ps) {
        return false;
    }
    hsl_section_enter(w);
    if (q) {
        go_on(q, f->event_ps);
    } else if (tick < due) {
        f->event_ps = tick ? tick : f->event_ps;
        hsl_tick(f);
    } else {
        q = f->due_head;
        f->event_ps = due;
        pthread_mutex_lock(&f->run_lock);
        hsl_driven_forget(q);
        atomic_store(&q->again, false);
        atomic_store(&q->sched, HSL_SCHED_RUNNING);
        pthread_mutex_unlock(&f->run_lock);
        turn(f, q, w);
    }
    hsl_section_leave(w);
    return true;
}

uint64_t hsl_fabric_engine_run(struct hsl_fabric_engine *f)
{
    uint64_t now = f->cfg.now_ps(f->cfg.opaque), tick, due;
    fenv_t caller;

    fegetenv(&caller);
    fesetenv(FE_DFL_ENV);       /* as workers have it */
    f->running = true;
    f->event_ps = now;
    while (step(f, now)) {
    }
    if (!f->due_head) {
        hsl_section_enter(&f->worker[0]);
        hsl_sensor_rest(&f->worker[0]);
        hsl_section_leave(&f->worker[0]);
    }
    f->running = false;
    fesetenv(&caller);
    tick = tick_ps(f);
    due = due_ps(f);
    return tick < due ? tick : due;
}

uint64_t hsl_fabric_engine_took_ps(struct hsl_fabric_engine *f)
{
    return hsl_modelled_took(f);
}
