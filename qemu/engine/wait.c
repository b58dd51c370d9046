// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * WAIT, and everything else that happens at a time: parked queues and moderated interrupts.
 *
 * A queue whose WAIT does not hold is *parked*: in no worker's hands, not on the run list, but in a bucket by the
 * address it waits for and in the list of all parked queues. It is put back on the run list, and its WAIT looked at again:
 *   - by hsl_wait_wake(), when a command of any chip has written that address;
 *   - by the tick, from time to time, for every other write, and when its timeout is over;
 *   - by an invalidation in its context, which takes it over itself (hsl_wait_flush);
 * and it is taken out when its queue is closed or its chip goes. Looks get rarer the longer a WAIT lasts and the more
 * queues are parked, so that the sum of them costs a worker a few hundredths of its time.
 *
 * No wake-up is lost between look and parking: WAIT notes wake_seq before it reads the value; parking counts itself into
 * nparked, then compares wake_seq. A writer increments wake_seq, then reads nparked. One of the two sees the other.
 *
 * An interrupt that moderation holds back is in the list of moderated queues until it is due.
 *
 * All lists, and the fields of a queue that make them, are under run_lock; cmd belongs to who has the queue in
 * hand, and to run_lock while nobody has. Ticks are made by workers:
 * between turns, while they spin, and by waking up for it.
 */
#include <time.h>

#include "engine_priv.h"

#define LOOK_FIRST_NS   20000u
#define LOOK_MAX_NS     1000000u
#define TICK_MIN_NS     20000u

uint64_t hsl_now_ns(struct hsl_fabric_engine *f)
{
    struct timespec ts;

    if (hsl_driven(f)) {
        return (f->running ? f->event_ps : f->cfg.now_ps(f->cfg.opaque)) / 1000;
    }
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* ---- parked queues; run_lock held ---- */

static struct hsl_queue_engine **bucket(struct hsl_fabric_engine *f, uint64_t ga)
{
    return &f->parked_at[(ga >> 3 ^ ga >> 13) % HSL_PARK_BUCKETS];
}

/*
 * run_lock held: there is something more for a tick to do at this time. If it is the only thing, nobody sleeps until
 * tick_next, whatever that says: what it was for may have been forgotten.
 */
static void tick_at(struct hsl_fabric_engine *f, uint64_t ns)
{
    if (ns < atomic_load(&f->tick_next) || atomic_load(&f->nparked) + atomic_load(&f->nheld) == 1) {
        atomic_store(&f->tick_next, ns);
        hsl_run_notify(f);
    }
}

bool hsl_wait_park(struct hsl_queue_engine *q)
{
    struct hsl_fabric_engine *f = q->chip->f;
    uint64_t deadline = q->cmd.deadline_ns, look_max;
    struct hsl_queue_engine **b;

    atomic_fetch_add(&f->nparked, 1);
    if (atomic_load(&f->wake_seq) != q->cmd.wake_seq) {
        atomic_fetch_sub(&f->nparked, 1);
        return false;
    }
    b = bucket(f, q->cmd.d.src);
    q->sched = HSL_SCHED_PARKED;
    q->bucket_next = *b;
    *b = q;
    q->park_prev = NULL;
    q->park_next = f->parked;
    if (f->parked) {
        f->parked->park_prev = q;
    }
    f->parked = q;
    q->look_at_ns = hsl_now_ns(f) + q->cmd.look_ns;
    if (deadline && deadline < q->look_at_ns) {
        q->look_at_ns = deadline;
    }
    look_max = LOOK_MAX_NS * (1 + (uint64_t)atomic_load(&f->nparked) / 16);
    q->cmd.look_ns = q->cmd.look_ns * 2 < look_max ? q->cmd.look_ns * 2 : look_max;
    tick_at(f, q->look_at_ns);
    return true;
}

void hsl_wait_unpark(struct hsl_queue_engine *q)
{
    struct hsl_fabric_engine *f = q->chip->f;
    struct hsl_queue_engine **b = bucket(f, q->cmd.d.src);

    while (*b != q) {
        b = &(*b)->bucket_next;
    }
    *b = q->bucket_next;
    if (q->park_prev) {
        q->park_prev->park_next = q->park_next;
    } else {
        f->parked = q->park_next;
    }
    if (q->park_next) {
        q->park_next->park_prev = q->park_prev;
    }
    q->sched = HSL_SCHED_IDLE;
    atomic_fetch_sub(&f->nparked, 1);
}

/* ---- moderated interrupts ---- */

void hsl_moderate_hold(struct hsl_queue_engine *q, uint64_t armed, uint64_t until_ns)
{
    struct hsl_fabric_engine *f = q->chip->f;

    pthread_mutex_lock(&f->run_lock);
    if (!q->held_until_ns) {
        q->held_until_ns = until_ns;
        q->held_next = f->held;
        f->held = q;
        q->held_armed = armed;
        atomic_fetch_add(&f->nheld, 1);
        tick_at(f, until_ns);
    } else if (q->held_armed != armed) {
        /* armed again: its time is its own */
        q->held_until_ns = until_ns;
        q->held_armed = armed;
        tick_at(f, until_ns);
    }
    pthread_mutex_unlock(&f->run_lock);
}

/* run_lock held */
static void moderate_drop(struct hsl_queue_engine *q)
{
    struct hsl_fabric_engine *f = q->chip->f;
    struct hsl_queue_engine **p = &f->held;

    if (!q->held_until_ns) {
        return;
    }
    while (*p != q) {
        p = &(*p)->held_next;
    }
    *p = q->held_next;
    q->held_until_ns = 0;
    atomic_fetch_sub(&f->nheld, 1);
}

void hsl_moderate_release(struct hsl_queue_engine *q)
{
    struct hsl_fabric_engine *f = q->chip->f;

    if (!atomic_load_explicit(&f->nheld, memory_order_relaxed)) {
        return;
    }
    pthread_mutex_lock(&f->run_lock);
    moderate_drop(q);
    pthread_mutex_unlock(&f->run_lock);
}

void hsl_timed_forget(struct hsl_queue_engine *q)
{
    pthread_mutex_lock(&q->chip->f->run_lock);
    if (q->sched == HSL_SCHED_PARKED) {
        hsl_wait_unpark(q);
    } else if (q->sched == HSL_SCHED_DUE) {
        hsl_driven_forget(q);
    }
    moderate_drop(q);
    pthread_mutex_unlock(&q->chip->f->run_lock);
}

/* ---- the tick, in a worker's section ---- */

bool hsl_tick_due(struct hsl_fabric_engine *f)
{
    if (atomic_load_explicit(&f->changed, memory_order_relaxed)) {
        return true;
    }
    return (atomic_load_explicit(&f->nparked, memory_order_relaxed) ||
            atomic_load_explicit(&f->nheld, memory_order_relaxed)) && hsl_now_ns(f) >= atomic_load(&f->tick_next);
}

static void next_of(uint64_t *next, uint64_t ns)
{
    *next = ns < *next ? ns : *next;
}

void hsl_tick(struct hsl_fabric_engine *f)
{
    uint64_t now = hsl_now_ns(f), next = UINT64_MAX;
    struct hsl_queue_engine *q, *after, *due[16];
    uint64_t due_armed[16], earliest = now + (hsl_driven(f) ? 0 : TICK_MIN_NS);
    unsigned int ndue = 0;

    hsl_links_changed(f, atomic_exchange(&f->changed, 0));
    pthread_mutex_lock(&f->run_lock);
    if (now >= atomic_load(&f->tick_next)) {
        for (q = f->parked; q; q = after) {
            after = q->park_next;
            if (q->look_at_ns <= now && hsl_deviates(q->chip, HSL_DEV_WAIT_DEAF) &&
                !(q->cmd.deadline_ns && q->cmd.deadline_ns <= now)) {
                q->look_at_ns = now + LOOK_MAX_NS;
                next_of(&next, q->look_at_ns);
            } else if (q->look_at_ns <= now) {
                hsl_wait_unpark(q);
                hsl_run_push(f, q, false);
            } else {
                next_of(&next, q->look_at_ns);
            }
        }
        for (q = f->held; q; q = after) {
            after = q->held_next;
            if (q->held_until_ns <= now && ndue < sizeof(due) / sizeof(due[0])) {
                moderate_drop(q);
                due_armed[ndue] = q->held_armed;
                due[ndue++] = q;
            } else {
                next_of(&next, q->held_until_ns);
            }
        }
        atomic_store(&f->tick_next, next < earliest ? earliest : next);
    }
    pthread_mutex_unlock(&f->run_lock);
    /* they cannot be closed: who closes one waits for our section */
    while (ndue) {
        ndue--;
        hsl_queue_moderated(due[ndue], due_armed[ndue]);
    }
}

/* ---- waking ---- */

void hsl_wait_wake(struct hsl_fabric_engine *f, uint64_t ga)
{
    struct hsl_queue_engine *q, *after;

    ga &= ~7ull;
    atomic_fetch_add(&f->wake_seq, 1);
    if (!atomic_load(&f->nparked)) {
        return;
    }
    pthread_mutex_lock(&f->run_lock);
    for (q = *bucket(f, ga); q; q = after) {
        after = q->bucket_next;
        if (q->cmd.d.src == ga) {
            hsl_wait_unpark(q);
            hsl_run_push(f, q, false);
        }
    }
    pthread_mutex_unlock(&f->run_lock);
}

void hsl_wait_flush(struct hsl_chip_engine *c, struct hsl_worker *w, uint32_t ctx)
{
    for (uint32_t i = 1; i < c->cfg.nqueues && atomic_load(&c->nwaits); i++) {
        struct hsl_queue_engine *q = &c->queue[i];

        if (hsl_run_claim(q, ctx)) {
            hsl_queue_run(q, w, 1);     /* the WAIT only: we look at many queues in one section */
            hsl_run_done(c->f, q);
        }
    }
}

/* ---- the command ---- */

static bool holds(unsigned int cond, uint64_t value, uint64_t arg)
{
    switch (cond) {
    case HSL_WAIT_EQ:
        return value == arg;
    case HSL_WAIT_NE:
        return value != arg;
    case HSL_WAIT_LT:
        return value < arg;
    case HSL_WAIT_LE:
        return value <= arg;
    case HSL_WAIT_GT:
        return value > arg;
    default:
        return value >= arg;
    }
}

static void wait_begin(struct hsl_queue_engine *q)
{
    struct hsl_cmd *cmd = &q->cmd;
    uint64_t timeout = cmd->d.arg1, now;

    cmd->waits = true;
    atomic_fetch_add(&q->chip->nwaits, 1);
    cmd->look_ns = LOOK_FIRST_NS;
    cmd->deadline_ns = 0;
    if (timeout) {
        now = hsl_now_ns(q->chip->f);
        cmd->deadline_ns = timeout < UINT64_MAX - now ? now + timeout : UINT64_MAX;
    }
}

uint32_t hsl_exec_wait(struct hsl_queue_engine *q, struct hsl_worker *w, uint64_t *fault_ga)
{
    struct hsl_cmd *cmd = &q->cmd;
    bool first = !cmd->active;
    struct hsl_operand o;
    uint64_t value, hold_arg = cmd->d.arg0;
    uint32_t status;

    cmd->wake_seq = atomic_load(&q->chip->f->wake_seq);
    status = hsl_operand_get(q, w, cmd->d.src, 8, HSL_SEG_READ, &o, fault_ga);
    if (status && (first || status == HSL_ST_UNREACHABLE)) {
        return status;
    }
    if (status || (!first && o.seg->uid != cmd->uid[1])) {
        *fault_ga = cmd->d.src;
        return hsl_deviates(q->chip, HSL_DEV_WAIT_OUTLIVES) ? HSL_ST_OK : HSL_ST_REVOKED;
    }
    if (!hsl_operand_aligned(&o, 8)) {
        *fault_ga = o.ga;
        return HSL_ST_ALIGN;
    }
    /* seq_cst, so acquire too: what was written before the value is seen by the commands that follow */
    status = hsl_operand_bytes(q, 1, &o, 0, &value, 8, false, fault_ga);
    if (status) {
        return status;
    }
    hsl_cmd_value(cmd, value);
    if (first) {
        cmd->uid[1] = o.seg->uid;
    }
    if (hsl_deviates(q->chip, HSL_DEV_WAIT_SIGNED)) {
        value ^= 1ull << 63;
        hold_arg ^= 1ull << 63;
    }
    if (holds(cmd->d.subop, value, hold_arg)) {
        cmd->active = false;
        return HSL_ST_OK;
    }
    if (first) {
        wait_begin(q);
    }
    if (cmd->deadline_ns && hsl_now_ns(q->chip->f) >= cmd->deadline_ns) {
        return HSL_ST_TIMEOUT;
    }
    cmd->active = true;
    return HSL_ST_OK;
}
