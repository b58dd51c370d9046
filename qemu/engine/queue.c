// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Queues: rings, doorbells, completions, interrupts, one turn of execution.
 *
 * Counters tail, taken and completed run free modulo 2^32; differences tell everything. Only the worker that has
 * the queue changes taken and completed. A descriptor is copied once and never looked at again (HEP-QUE-002).
 * Order of a completion: data, the first 24 bytes, then one 64-bit store with status and phase (HEP-QUE-003);
 * its partner is the acquire load of status in whoever polls.
 *
 * Shadow tail. Such a queue has its tail in memory, which is looked at when all that is known has been taken; a doorbell only
 * makes a worker look. need_doorbell is clear from the first look of a worker to the moment when the last one lets the
 * queue go without anything to do (hsl_queue_sleep). A parked or listed queue is not let go: it will be looked at.
 */
#include <stdlib.h>
#include <string.h>

#include "engine_priv.h"

/* ---- rings: mapped page by page, a buffer behind an IOMMU is contiguous only within a page ---- */

static void ring_unmap(struct hsl_chip_engine *c, struct hsl_ring *r)
{
    for (uint32_t i = 0; i < r->npages; i++) {
        c->cfg.ops->dma_unmap(c->cfg.opaque, r->page[i], r->bytes, r->write, r->write ? r->bytes : 0);
    }
    free(r->page);
    memset(r, 0, sizeof(*r));
}

static bool ring_map(struct hsl_chip_engine *c, struct hsl_ring *r, uint64_t iova, uint64_t bytes, bool write)
{
    uint32_t npages = (uint32_t)((bytes + HSL_TABLE_PAGE - 1) / HSL_TABLE_PAGE);

    r->bytes = bytes < HSL_TABLE_PAGE ? (uint32_t)bytes : HSL_TABLE_PAGE;
    r->write = write;
    r->npages = 0;
    r->page = calloc(npages, sizeof(*r->page));
    if (!r->page || iova > UINT64_MAX - bytes) {
        free(r->page);
        r->page = NULL;
        return false;
    }
    while (r->npages < npages) {
        uint64_t len = r->bytes;
        void *p = c->cfg.ops->dma_map(c->cfg.opaque, iova + (uint64_t)r->npages * HSL_TABLE_PAGE, &len, write);

        if (p && len < r->bytes) {
            c->cfg.ops->dma_unmap(c->cfg.opaque, p, len, write, 0);
            p = NULL;
        }
        if (!p) {
            ring_unmap(c, r);
            return false;
        }
        r->page[r->npages++] = p;
    }
    return true;
}

static void *ring_at(const struct hsl_ring *r, uint32_t index, uint32_t entry_bytes)
{
    uint64_t off = (uint64_t)index * entry_bytes;

    return (char *)r->page[off / HSL_TABLE_PAGE] + off % HSL_TABLE_PAGE;
}

static const struct hsl_desc *next_desc(struct hsl_queue_engine *q)
{
    return ring_at(&q->sq, atomic_load(&q->taken) & (q->depth - 1), sizeof(struct hsl_desc));
}

/* ---- the shadow tail; the queue is in hand, or no worker can run it ---- */

/*
 * Two doorbells at once, or one that goes back while a worker takes descriptors, can leave a tail behind taken: good when it
 * was looked at, wrong when it was stored. Nothing is known to be submitted then.
 */
static bool tail_good(struct hsl_queue_engine *q, uint32_t tail)
{
    return tail - atomic_load(&q->taken) <= q->depth;
}

/* The last good tail stays: what was submitted before a wrong one is known and completes with ABORTED. */
static void tail_set(struct hsl_queue_engine *q, uint32_t tail)
{
    if (!tail_good(q, tail)) {
        atomic_store(&q->overflow, hsl_conforms(q->chip) || !hsl_deviates(q->chip, atomic_load(&q->shadow) ?
                                   HSL_DEV_TAIL_TRUSTED : HSL_DEV_OVERFLOW_IGNORED));
    } else {
        /* pairs with the fetch of the descriptor, and with sched: see hsl_queue_ready */
        atomic_store(&q->tail, tail);
    }
}

static void need_doorbell(struct hsl_queue_engine *q, bool need)
{
    _Atomic uint32_t *flag = (_Atomic uint32_t *)(void *)&atomic_load(&q->shadow)->need_doorbell;

    q->asleep = need;
    atomic_store(flag, need);
}

/* True: a queue with a shadow tail, whose tail is now the one in memory. */
static bool tail_look(struct hsl_queue_engine *q)
{
    struct hsl_queue_shadow *s = atomic_load_explicit(&q->shadow, memory_order_relaxed);

    if (!s) {
        return false;
    }
    /* seq_cst: with the descriptors, and see hsl_queue_sleep */
    tail_set(q, atomic_load((_Atomic uint32_t *)(void *)&s->tail));
    return true;
}

/* ---- life; the caller makes sure that no worker runs the queue ---- */

static bool rings_map(struct hsl_queue_engine *q, const struct hsl_queue_rings *iova, uint32_t depth)
{
    struct hsl_chip_engine *c = q->chip;

    if (!ring_map(c, &q->sq, iova->sq, (uint64_t)depth * sizeof(struct hsl_desc), false)) {
        return false;
    }
    if (!ring_map(c, &q->cq, iova->cq, (uint64_t)depth * sizeof(struct hsl_cqe), true)) {
        ring_unmap(c, &q->sq);
        return false;
    }
    if (iova->shadow && !ring_map(c, &q->block, iova->shadow, sizeof(struct hsl_queue_shadow), true)) {
        ring_unmap(c, &q->cq);
        ring_unmap(c, &q->sq);
        return false;
    }
    return true;
}

uint32_t hsl_queue_open(struct hsl_queue_engine *q, const struct hsl_queue_rings *iova, uint32_t depth,
                        uint32_t vector, uint32_t ctx)
{
    if (!rings_map(q, iova, depth)) {
        return HSL_ST_DMA;
    }
    atomic_store(&q->shadow, iova->shadow ? q->block.page[0] : NULL);
    q->asleep = false;
    if (iova->shadow) {
        need_doorbell(q, true);
    }
    q->depth = depth;
    q->vector = vector;
    q->ctx = ctx;
    q->cmd.active = false;
    q->chain_failed = false;
    q->was_idle = true;
    q->paid_bytes = 0;
    atomic_store(&q->moderation, 0);
    atomic_store(&q->paused, false);
    q->leaf[0].uid = q->leaf[1].uid = 0;
    atomic_store(&q->tail, 0);
    atomic_store(&q->overflow, false);
    atomic_store(&q->taken, 0);
    atomic_store(&q->completed, 0);
    atomic_store(&q->armed, 0);
    atomic_store(&q->error, 0);
    q->outlives = q->spread = q->stash.used = false;
    q->late.host = NULL;
    q->cached_len = 0;
    atomic_store(&q->state, HSL_QUEUE_READY);
    return HSL_ST_OK;
}

static void cmd_end(struct hsl_queue_engine *q)
{
    q->cmd.active = false;
    q->cmd.late = false;
    if (q->cmd.waits) {
        q->cmd.waits = false;
        atomic_fetch_sub(&q->chip->nwaits, 1);
    }
    if (q->cmd.list) {
        free(q->cmd.list);
        q->cmd.list = NULL;
    }
}

static void announce(struct hsl_queue_engine *q);

static void abort_rest(struct hsl_queue_engine *q)
{
    uint32_t tail;

    tail_look(q);
    tail = atomic_load(&q->tail);
    if (!tail_good(q, tail)) {
        tail = atomic_load(&q->taken);
    }
    if (q->cmd.waits && q->qid && hsl_deviates(q->chip, HSL_DEV_ABORT_FORGETS)) {
        cmd_end(q);
    } else if (q->cmd.active) {
        hsl_queue_complete(q, HSL_ST_ABORTED, 0);
    }
    while (atomic_load(&q->taken) != tail) {
        memcpy(&q->cmd.d, next_desc(q), sizeof(q->cmd.d));
        q->cmd.done = 0;
        q->cmd.has_value = false;
        atomic_fetch_add(&q->taken, 1);
        hsl_queue_complete(q, HSL_ST_ABORTED, 0);
    }
    announce(q);
}

void hsl_queue_abort_all(struct hsl_queue_engine *q)
{
    hsl_timed_forget(q);
    abort_rest(q);
    q->chain_failed = false;
}

void hsl_queue_close(struct hsl_queue_engine *q, bool complete)
{
    if (!q->sq.page) {
        return;
    }
    hsl_timed_forget(q);
    if (complete && !hsl_deviates(q->chip, HSL_DEV_DESTROY_FORGETS)) {
        abort_rest(q);
    }
    atomic_store(&q->state, HSL_QUEUE_RESET);
    atomic_store(&q->error, 0);
    atomic_store(&q->chip->moving, 0);
    cmd_end(q);
    ring_unmap(q->chip, &q->sq);
    ring_unmap(q->chip, &q->cq);
    if (atomic_exchange(&q->shadow, NULL)) {
        ring_unmap(q->chip, &q->block);
    }
}

/* ---- completions and interrupts ---- */

/*
 * The count guards a re-arming from a worker that is late with the completion before: it must not spend it. The user may
 * even be ahead of completed, as he sees the phase before completed is stored: a signed difference.
 */
static void raise_if_armed(struct hsl_queue_engine *q, bool now)
{
    uint64_t armed = atomic_load(&q->armed);
    uint32_t mod = atomic_load_explicit(&q->moderation, memory_order_relaxed);
    bool ended;
    int32_t more;

    do {
        more = (int32_t)(atomic_load(&q->completed) - (uint32_t)armed);
        ended = atomic_load(&q->state) == HSL_QUEUE_ERROR;
        if (!armed || (more <= 0 && !ended)) {
            return;
        }
        if (!now && !ended && more < (int32_t)(mod & 0xffff) && !hsl_deviates(q->chip, HSL_DEV_MODERATION_IGNORED)) {
            if (!hsl_deviates(q->chip, HSL_DEV_MODERATION_LATE)) {
                hsl_moderate_hold(q, armed, hsl_now_ns(q->chip->f) + (mod >> 16 ? mod >> 16 : 1) * 1000ull);
            }
            return;
        }
        /* its time is not the next arming's. If that came meanwhile its time was dropped here: look again */
        hsl_moderate_release(q);
    } while (!atomic_compare_exchange_strong(&q->armed, &armed, 0));
    if (!hsl_conforms(q->chip) && q->qid && hsl_deviates_one_in(q->chip, HSL_DEV_INTERRUPT_LOST, 1000)) {
        return;
    }
    hsl_chip_interrupt(q->chip, q->vector);
}

void hsl_queue_moderated(struct hsl_queue_engine *q, uint64_t armed)
{
    raise_if_armed(q, atomic_load(&q->armed) == armed);
}

/* One writer, so no locked addition. */
static void count(_Atomic uint64_t *n, uint64_t add)
{
    atomic_store_explicit(n, atomic_load_explicit(n, memory_order_relaxed) + add, memory_order_relaxed);
}

static inline __attribute__((always_inline)) void cqe_write(struct hsl_queue_engine *q, uint64_t cookie, uint64_t result, uint64_t fault_ga,
                             uint32_t status, bool conforms)
{
    uint32_t n = atomic_load_explicit(&q->completed, memory_order_relaxed);
    struct hsl_cqe *e = ring_at(&q->cq, n & (q->depth - 1), sizeof(*e));
    uint32_t phase = (n / q->depth) & 1 ? 0 : HSL_CQE_PHASE;
    uint16_t head = (uint16_t)atomic_load_explicit(&q->taken, memory_order_relaxed);
    uint64_t last = (uint64_t)(status | phase) << 32 | (uint64_t)q->qid << 16 | head;

    if (!conforms) {
        hsl_deviant_cqe(q, e, &last);
    }
    e->cookie = cookie;
    e->result = result;
    e->fault_ga = fault_ga;
    atomic_store_explicit((_Atomic uint64_t *)(void *)&e->sq_head, last, memory_order_release);
    atomic_store_explicit(&q->completed, n + 1, memory_order_release);
    /* an arming of a while ago needs no order to be seen; for one of this very moment see announce */
    if (atomic_load_explicit(&q->armed, memory_order_relaxed)) {
        raise_if_armed(q, false);
    }
}

void hsl_cqe_write(struct hsl_queue_engine *q, uint64_t cookie, uint64_t result, uint64_t fault_ga, uint32_t status)
{
    cqe_write(q, cookie, result, fault_ga, status, false);
}

/* Complete q->cmd. result is what it has moved. */
void hsl_queue_complete(struct hsl_queue_engine *q, uint32_t status, uint64_t fault_ga)
{
    bool writes = status || !(q->cmd.d.flags & HSL_DF_NO_CQE);
    struct hsl_chip_engine *c = q->chip;
    bool conforms = hsl_conforms(c);

    if (q->cmd.d.flags & HSL_DF_LINK) {
        q->chain_failed |= status;
    } else {
        q->chain_failed = false;
    }
    if (!conforms) {
        writes = hsl_deviant_complete(q, status, fault_ga, writes);
    }
    if (writes) {
        cqe_write(q, q->cmd.d.cookie, q->cmd.has_value ? q->cmd.value : q->cmd.done, fault_ga, status, conforms);
    }
    cmd_end(q);

    count(&q->n_commands, 1);
    count(&q->n_bytes, q->cmd.done);
    count(&q->n_errors, status != 0);
    if (c->cfg.ops->trace_complete) {
        c->cfg.ops->trace_complete(c->cfg.opaque, q->qid, q->cmd.d.opcode, q->cmd.d.cookie, status);
    }
}

/*
 * At the end of what may have completed something. Seq_cst store, then look at armed; hsl_queue_arm_at stores armed, then looks
 * at completed: one of us sees the other. Once for many completions, as it waits for all stores before it.
 */
static void announce(struct hsl_queue_engine *q)
{
    atomic_store(&q->completed, atomic_load_explicit(&q->completed, memory_order_relaxed));
    raise_if_armed(q, false);
}

void hsl_queue_arm_at(struct hsl_queue_engine *q, uint32_t consumed)
{
    atomic_store(&q->armed, HSL_ARMED | consumed);
    if (q->qid && hsl_deviates(q->chip, HSL_DEV_ARM_LOOKS_AHEAD)) {
        return;
    }
    raise_if_armed(q, false);
}

void hsl_queue_doorbell(struct hsl_queue_engine *q, uint32_t tail)
{
    if (!atomic_load(&q->shadow)) {
        tail_set(q, tail);
    }
    if (atomic_load(&q->chip->enabled) && atomic_load(&q->state) == HSL_QUEUE_READY) {
        hsl_queue_ready(q);
    }
}

static void queue_fail(struct hsl_queue_engine *q, uint32_t status)
{
    abort_rest(q);
    atomic_store(&q->error, status);
    atomic_store(&q->state, HSL_QUEUE_ERROR);
    hsl_chip_event(q->chip, HSL_EVENT_QUEUE_ERROR);
    raise_if_armed(q, true);
}

/* ---- a turn ---- */

bool hsl_queue_live(struct hsl_queue_engine *q)
{
    struct hsl_chip_engine *c = q->chip;

    return atomic_load(&c->enabled) && atomic_load(&c->dma_on) && atomic_load(&q->state) == HSL_QUEUE_READY &&
           !atomic_load(&q->paused);
}

static bool submitted(struct hsl_queue_engine *q)
{
    return atomic_load(&q->overflow) || atomic_load(&q->tail) != atomic_load(&q->taken);
}

bool hsl_queue_pending(struct hsl_queue_engine *q)
{
    if (!hsl_queue_live(q)) {
        return false;
    }
    if (q->cmd.active || submitted(q)) {
        return true;
    }
    if (q->asleep) {
        need_doorbell(q, false);
    }
    return tail_look(q) && submitted(q);
}

bool hsl_queue_watch(struct hsl_queue_engine *q, unsigned int looks)
{
    const struct hsl_queue_shadow *s = atomic_load_explicit(&q->shadow, memory_order_relaxed);
    const _Atomic uint32_t *tail = (const _Atomic uint32_t *)(const void *)&s->tail;
    uint32_t taken = atomic_load_explicit(&q->taken, memory_order_relaxed);

    while (atomic_load_explicit(tail, memory_order_relaxed) == taken) {
        if (!looks--) {
            return false;
        }
        hsl_cpu_relax();
    }
    return true;
}

bool hsl_queue_sleep(struct hsl_queue_engine *q)
{
    /* live first: as long as this section lasts it stays what it is then */
    if (!hsl_queue_live(q) || !atomic_load(&q->shadow)) {
        return true;        /* who brings it back to life puts it on the run list */
    }
    if (hsl_deviates_one_in(q->chip, HSL_DEV_SLEEPS_SILENTLY, 50)) {
        return true;
    }
    /*
     * Ours is store flag, load tail; whoever submits has store tail, load flag. All four are seq_cst, so one of us sees the
     * other's store; release and acquire would let both loads go first.
     */
    need_doorbell(q, true);
    tail_look(q);
    return !submitted(q);
}

bool hsl_queue_next(struct hsl_queue_engine *q, struct hsl_desc *d)
{
    if (!tail_good(q, atomic_load(&q->tail)) || atomic_load(&q->tail) == atomic_load(&q->taken)) {
        return false;
    }
    memcpy(d, next_desc(q), sizeof(*d));
    return true;
}

void hsl_queue_reread(struct hsl_queue_engine *q)
{
    struct hsl_desc d;

    memcpy(&d, ring_at(&q->sq, (atomic_load(&q->taken) - 1) & (q->depth - 1), sizeof(d)), sizeof(d));
    hsl_deviant_reread(q, &d);
}

#define AHEAD   4u  /* descriptors */

/* Fetch the next descriptor into q->cmd. False if there is none or the doorbell is wrong. */
static bool fetch(struct hsl_queue_engine *q)
{
    /* pairs with the doorbell's store, so that the descriptor is seen */
    uint32_t tail = atomic_load(&q->tail), taken = atomic_load_explicit(&q->taken, memory_order_relaxed);

    if (atomic_load(&q->overflow) || !tail_good(q, tail)) {
        queue_fail(q, HSL_ST_OVERFLOW);
        return false;
    }
    if (tail == taken) {
        return false;
    }
    memcpy(&q->cmd.d, ring_at(&q->sq, taken & (q->depth - 1), sizeof(q->cmd.d)), sizeof(q->cmd.d));
    if (tail - taken > AHEAD) {
        /* it comes from another core's cache, which takes as long as a small command */
        __builtin_prefetch(ring_at(&q->sq, (taken + AHEAD) & (q->depth - 1), sizeof(q->cmd.d)));
    }
    q->cmd.done = 0;
    q->cmd.active = false;
    q->cmd.has_value = false;
    atomic_store_explicit(&q->taken, taken + 1, memory_order_relaxed);
    return true;
}

static bool turn(struct hsl_queue_engine *q, struct hsl_worker *w, unsigned int commands)
{
    uint64_t moved = 0;
    bool progress = false;

    for (unsigned int n = 0; n < commands && moved < HSL_CHUNK_BYTES && hsl_queue_pending(q); n++) {
        uint64_t before, fault_ga = 0;
        uint32_t status;

        if (q->cmd.late) {
            hsl_queue_complete(q, q->cmd.late_status, q->cmd.late_fault_ga);
            return true;
        }
        if (q->cmd.waits) {
            tail_look(q);
            if (atomic_load(&q->overflow)) {
                queue_fail(q, HSL_ST_OVERFLOW);
                return true;
            }
        }
        if (!q->cmd.active && !fetch(q)) {
            return progress;
        }
        before = q->cmd.done;
        if (q->cmd.active) {
            status = hsl_exec_chunk(q, w, &fault_ga);
        } else {
            status = q->chain_failed ? HSL_ST_ABORTED : hsl_exec_start(q, w, &fault_ga);
        }
        moved += q->cmd.done - before;
        if (q->cmd.d.opcode == HSL_OP_COPY_LIST) {
            moved += q->cmd.d.len;      /* its entries were work, if nothing of them has moved */
        }
        if (!atomic_load(&q->chip->enabled)) {
            return progress;    /* a reset has begun: this command ends with its queue, not with a status */
        }
        if (status || !q->cmd.active) {
            if (hsl_driven_late(q, status, fault_ga)) {
                return true;
            }
            hsl_queue_complete(q, status, fault_ga);
        } else if (q->cmd.waits) {
            return progress;
        }
        progress = true;
    }
    return progress;
}

bool hsl_queue_run(struct hsl_queue_engine *q, struct hsl_worker *w, unsigned int commands)
{
    uint32_t before = atomic_load_explicit(&q->completed, memory_order_relaxed);
    bool progress;

    if (!hsl_conforms(q->chip) && hsl_deviant_holds(q)) {
        return false;
    }
    hsl_operand_forget(q);
    progress = turn(q, w, commands);

    if (atomic_load_explicit(&q->completed, memory_order_relaxed) != before) {
        announce(q);
    }
    return progress;
}
