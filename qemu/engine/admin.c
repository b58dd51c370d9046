// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * The admin queue: invalidations, queues made and destroyed.
 *
 * These wait for the sections of other workers, so they step out of their own first (two admin commands on two
 * workers would wait for each other else). Meanwhile `busy` keeps a reset from taking the chip away; if a reset
 * has begun, the command ends without a completion, as all of them do.
 */
#include <string.h>

#include "engine_priv.h"

/* Wait for the others. False: the chip was disabled meanwhile. */
static bool synchronize_outside(struct hsl_chip_engine *c, struct hsl_worker *w)
{
    bool alive;

    atomic_fetch_add(&c->busy, 1);
    hsl_section_leave(w);
    hsl_synchronize(c->f);
    hsl_section_enter(w);
    alive = atomic_load(&c->enabled);
    atomic_fetch_sub(&c->busy, 1);
    return alive;
}

/*
 * The WAITs of a context have been looked at with the new tables when this returns (HEP-TXN-024): here if nobody had
 * them in hand, else by who had, whose section has begun after the change.
 *
 * Not when the chip or its DMA was switched off meanwhile: who did that waits for busy, then for one section more, and
 * takes the end of that for the end of this command; and no WAIT is looked at before it is on again.
 */
static void waits_again(struct hsl_chip_engine *c, struct hsl_worker *w, uint32_t ctx)
{
    if (atomic_load(&c->nwaits) && atomic_load(&c->enabled) && atomic_load(&c->dma_on)) {
        hsl_wait_flush(c, w, ctx);
        synchronize_outside(c, w);
    }
}

static uint32_t ctx_invalidate(struct hsl_chip_engine *c, struct hsl_worker *w, uint64_t index)
{
    struct hsl_ctx *old;

    if (!index || index >= atomic_load(&c->ctx_count)) {
        return HSL_ST_CONTEXT;
    }
    old = hsl_ctx_drop(c, (uint32_t)index);
    atomic_fetch_add(&c->home_gen, 1);
    synchronize_outside(c, w);
    hsl_ctx_free(old);
    waits_again(c, w, (uint32_t)index);
    return HSL_ST_OK;
}

static uint32_t seg_invalidate(struct hsl_chip_engine *c, struct hsl_worker *w, uint64_t index, uint64_t handle)
{
    struct hsl_stale stale;

    if (!index || index >= atomic_load(&c->ctx_count)) {
        return HSL_ST_CONTEXT;
    }
    if (!handle || handle >= HSL_SEGS_MAX) {
        return HSL_ST_SEGMENT;
    }
    stale = hsl_seg_reload(c, (uint32_t)index, (uint32_t)handle);
    atomic_fetch_add(&c->home_gen, 1);
    synchronize_outside(c, w);
    hsl_stale_free(stale);
    waits_again(c, w, (uint32_t)index);
    return HSL_ST_OK;
}

static uint32_t queue_create(struct hsl_chip_engine *c, const struct hsl_desc *d)
{
    struct hsl_queue_rings iova = { .sq = d->dst, .cq = d->src, .shadow = d->len };
    uint32_t qid = HSL_QC_QID(d->arg0), log2 = HSL_QC_DEPTH_LOG2(d->arg0), vector = HSL_QC_VECTOR(d->arg0);
    struct hsl_ctx *ctx;

    if (!hsl_conforms(c)) {
        log2 += hsl_deviates(c, HSL_DEV_QUEUE_DEPTH_ANY) && !log2;
        vector = hsl_deviates(c, HSL_DEV_QUEUE_VECTOR_ANY) ? vector % c->cfg.nvectors : vector;
        if (hsl_deviates(c, HSL_DEV_QUEUE_TWICE) && qid && qid < c->cfg.nqueues && c->queue[qid].sq.page) {
            return HSL_ST_OK;
        }
    }
    if (!qid || qid >= c->cfg.nqueues || log2 < 1 || log2 > 16 || 1u << log2 > c->cfg.max_depth ||
        vector >= c->cfg.nvectors || c->queue[qid].sq.page) {
        return HSL_ST_QUEUE;
    }
    if (hsl_deviates(c, HSL_DEV_BLOCK_ANYWHERE)) {
        iova.shadow &= ~(uint64_t)(HSL_QUEUE_SHADOW_ALIGN - 1);
    }
    if ((d->dst | d->src) & (HSL_TABLE_PAGE - 1) || iova.shadow & (HSL_QUEUE_SHADOW_ALIGN - 1)) {
        return HSL_ST_ALIGN;
    }
    if (hsl_ctx_get(c, (uint32_t)d->arg1, &ctx)) {
        return HSL_ST_CONTEXT;
    }
    return hsl_queue_open(&c->queue[qid], &iova, 1u << log2, vector, (uint32_t)d->arg1);
}

static uint32_t queue_destroy(struct hsl_chip_engine *c, struct hsl_worker *w, uint64_t qid)
{
    struct hsl_queue_engine *q;

    if (!qid || qid >= c->cfg.nqueues || !c->queue[qid].sq.page) {
        return HSL_ST_QUEUE;
    }
    q = &c->queue[qid];
    /* not READY: no worker starts a turn of it; after the wait none is in one */
    atomic_store(&q->state, HSL_QUEUE_ERROR);
    if (synchronize_outside(c, w)) {
        hsl_queue_close(q, true);
    }
    return HSL_ST_OK;
}

static uint32_t queue_abort(struct hsl_chip_engine *c, struct hsl_worker *w, uint64_t qid)
{
    struct hsl_queue_engine *q;

    if (!qid || qid >= c->cfg.nqueues || atomic_load(&c->queue[qid].state) != HSL_QUEUE_READY) {
        return HSL_ST_QUEUE;
    }
    q = &c->queue[qid];
    /* as in queue_destroy; software sees the state only by a register that it reads in between */
    atomic_store(&q->paused, true);
    if (synchronize_outside(c, w)) {
        hsl_queue_abort_all(q);
        atomic_store(&q->paused, false);
        if (hsl_deviates(c, HSL_DEV_ABORT_ENDS)) {
            atomic_store(&q->error, HSL_ST_ABORTED);
            atomic_store(&q->state, HSL_QUEUE_ERROR);
        }
        hsl_queue_ready(q);
    }
    return HSL_ST_OK;
}

static uint32_t flush(struct hsl_chip_engine *c, struct hsl_worker *w, const struct hsl_desc *d, uint64_t *fault_ga)
{
    uint64_t off = HSL_GA_OFFSET(d->dst);
    uint32_t status;

    if (HSL_GA_NODE(d->dst) != c->cfg.node || off >= c->cfg.mem_bytes) {
        *fault_ga = d->dst;
        return HSL_ST_SEGMENT;
    }
    if (d->len > c->cfg.mem_bytes - off) {
        *fault_ga = HSL_GA(c->cfg.node, c->cfg.mem_bytes);
        return HSL_ST_RANGE;
    }
    atomic_fetch_add(&c->busy, 1);
    hsl_section_leave(w);
    status = hsl_modelled_flush(c->f, d->dst, d->len);
    hsl_section_enter(w);
    atomic_fetch_sub(&c->busy, 1);
    if (status) {
        *fault_ga = d->dst;
    }
    return status;
}

uint32_t hsl_admin_exec(struct hsl_queue_engine *q, struct hsl_worker *w, uint64_t *fault_ga)
{
    struct hsl_chip_engine *c = q->chip;
    const struct hsl_desc *d = &q->cmd.d;

    if ((hsl_deviates(c, HSL_DEV_INVALIDATE_REFUSED) && d->opcode == HSL_OP_SEG_INVALIDATE) ||
        (hsl_deviates(c, HSL_DEV_DESTROY_REFUSED) && d->opcode == HSL_OP_QUEUE_DESTROY)) {
        return HSL_ST_INTERNAL;
    }
    switch (d->opcode) {
    case HSL_OP_CTX_INVALIDATE:
        return ctx_invalidate(c, w, d->arg0);
    case HSL_OP_SEG_INVALIDATE:
        return seg_invalidate(c, w, d->arg0, d->arg1);
    case HSL_OP_QUEUE_CREATE:
        return queue_create(c, d);
    case HSL_OP_QUEUE_ABORT:
        return queue_abort(c, w, d->arg0);
    case HSL_OP_FLUSH:
        return flush(c, w, d, fault_ga);
    default:
        return queue_destroy(c, w, d->arg0);
    }
}
