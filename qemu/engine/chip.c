// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * A chip's life: new, enable, reset, detach, free; events, interrupts, windows.
 *
 * `enabled` is the gate: workers look at it at the start of every turn and every grant, hsl_chip_forget() closes it,
 * waits for sections and for admin commands between sections, and only then takes rings and caches away. The
 * chip's memory belongs to the host and outlives hsl_chip_engine_free().
 */
#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine_priv.h"

void hsl_guest_error(struct hsl_chip_engine *c, const char *fmt, ...)
{
    char msg[160];
    va_list ap;

    if (atomic_fetch_add(&c->guest_errors, 1) >= HSL_GUEST_ERRORS) {
        atomic_fetch_sub(&c->guest_errors, 1);
        return;
    }
    va_start(ap, fmt);
    vsnprintf(msg, sizeof(msg), fmt, ap);
    va_end(ap);
    if (c->cfg.ops->guest_error) {
        c->cfg.ops->guest_error(c->cfg.opaque, msg);
    }
}

bool hsl_deviates_one_in(struct hsl_chip_engine *c, enum hsl_deviation d, uint32_t n)
{
    return hsl_deviates(c, d) && !((atomic_fetch_add(&c->deviated, 1) + 1) % n);
}

static void interrupt_raise(struct hsl_chip_engine *c, uint32_t vector)
{
    if (c->cfg.ops->interrupt) {
        atomic_fetch_add_explicit(&c->n_interrupts, 1, memory_order_relaxed);
        c->cfg.ops->interrupt(c->cfg.opaque, vector);
    }
}

/* Raise what came while DMA was off. */
static void interrupts_release(struct hsl_chip_engine *c)
{
    for (uint32_t i = 0; i < HSL_VECTORS_MAX / 64; i++) {
        uint64_t held = atomic_exchange(&c->held[i], 0);

        for (; held; held &= held - 1) {
            interrupt_raise(c, i * 64 + (uint32_t)__builtin_ctzll(held));
        }
    }
}

/* With DMA off an interrupt, whose arming is spent already, is held back and not lost. */
void hsl_chip_interrupt(struct hsl_chip_engine *c, uint32_t vector)
{
    if (atomic_load(&c->dma_on)) {
        interrupt_raise(c, vector);
        return;
    }
    /* seq_cst: hold, then look at dma_on; hsl_chip_set_dma stores dma_on, then looks at held */
    atomic_fetch_or(&c->held[vector / 64], 1ull << vector % 64);
    if (atomic_load(&c->dma_on)) {
        interrupts_release(c);
    }
}

void hsl_chip_event(struct hsl_chip_engine *c, uint32_t bits)
{
    uint32_t old = atomic_fetch_or(&c->event, bits), mask = atomic_load(&c->event_mask);

    if (!(old & mask) && bits & mask) {
        hsl_chip_interrupt(c, 0);
    }
}

/* ---- windows; ctl_lock held ---- */

void hsl_window_off(struct hsl_chip_engine *c, unsigned int i)
{
    struct hsl_window *w = &c->win[i];

    if (atomic_load(&w->status) == HSL_WIN_ACTIVE) {
        c->cfg.ops->window(c->cfg.opaque, i, 0, 0, 0, 0);
    }
    atomic_store(&w->status, 0);
    atomic_store(&w->ctrl, 0);
}

static uint32_t window_check(struct hsl_chip_engine *c, const struct hsl_window *w, uint32_t ctrl)
{
    uint64_t ga = atomic_load(&w->ga), size = atomic_load(&w->size), off = HSL_GA_OFFSET(ga);
    struct hsl_chip_engine *target = hsl_chip_at(c->f, HSL_GA_NODE(ga));

    if (ctrl & ~(HSL_WIN_CTRL_ENABLE | (c->cap & HSL_CAP_MODELLED ? HSL_WIN_CTRL_MODELLED : 0))) {
        return HSL_ST_FIELD;
    }
    if (atomic_load(&w->ctx)) {
        return HSL_ST_CONTEXT;          /* windows with a context's rights are not in this edition: never with the driver's */
    }
    if ((ga | size) & (HSL_WIN_ALIGN - 1)) {
        return HSL_ST_ALIGN;
    }
    if (!size || size > 1ull << c->cfg.win_stride_log2) {
        return HSL_ST_LENGTH;
    }
    if (ctrl & HSL_WIN_CTRL_MODELLED && hsl_fabric_engine_is_remote(c->f, HSL_GA_NODE(ga))) {
        /* its home looks at each packet (docs/flit-socket.md): all of them have to be that home's */
        return size > (1ull << HSL_GA_OFFSET_BITS) - off ? HSL_ST_RANGE : HSL_ST_OK;
    }
    if (!target) {
        return HSL_ST_SEGMENT;
    }
    if (off > target->cfg.mem_bytes || size > target->cfg.mem_bytes - off) {
        if (hsl_deviates(c, HSL_DEV_WINDOW_LONG) && off < target->cfg.mem_bytes) {
            atomic_store(&((struct hsl_window *)w)->size, target->cfg.mem_bytes - off);
            return HSL_ST_OK;
        }
        return HSL_ST_RANGE;
    }
    return hsl_model_hops(c->f->model, c->cfg.node, target->cfg.node) < 0 ? HSL_ST_UNREACHABLE : HSL_ST_OK;
}

void hsl_window_write(struct hsl_chip_engine *c, unsigned int i, uint32_t val)
{
    struct hsl_window *w = &c->win[i];
    uint64_t ga = atomic_load(&w->ga);
    uint32_t status;

    hsl_window_off(c, i);
    if (!(val & HSL_WIN_CTRL_ENABLE)) {
        return;
    }
    pthread_mutex_lock(&c->f->model_lock);
    status = window_check(c, w, val);
    pthread_mutex_unlock(&c->f->model_lock);
    if (!status) {
        uint64_t off = HSL_GA_OFFSET(ga), size = atomic_load(&w->size);

        if (hsl_deviates(c, HSL_DEV_WINDOW_OFFSET) && hsl_chip_at(c->f, HSL_GA_NODE(ga)) &&
            off + size + HSL_WIN_ALIGN <= hsl_chip_at(c->f, HSL_GA_NODE(ga))->cfg.mem_bytes) {
            off += HSL_WIN_ALIGN;
        }
        status = c->cfg.ops->window(c->cfg.opaque, i, val, HSL_GA_NODE(ga), off, size);
    }
    if (!status) {
        atomic_store(&w->ctrl, val);
    } else {
        hsl_guest_error(c, "window %u refused with status %u", i, status);
    }
    atomic_store(&w->status, status ? status << 8 : HSL_WIN_ACTIVE);
}

/* The access is the host port's. What cannot be reached reads as all ones. */
static uint32_t window_access(struct hsl_chip_engine *c, unsigned int i, uint64_t off, uint64_t *val, unsigned int size,
                              unsigned int flags)
{
    const struct hsl_window *w = &c->win[i];
    uint64_t fault_ga;

    /* it may be another window by now than the one that the CPU found */
    if (atomic_load(&w->status) != HSL_WIN_ACTIVE || !(atomic_load(&w->ctrl) & HSL_WIN_CTRL_MODELLED) ||
        off >= atomic_load(&w->size) || size > atomic_load(&w->size) - off) {
        return HSL_ST_UNREACHABLE;
    }
    if (hsl_deviates(c, HSL_DEV_WINDOW_BYPASS) && !(flags & HSL_MODELLED_WRITE)) {
        uint64_t ga = atomic_load(&w->ga) + off;
        struct hsl_chip_engine *home = hsl_chip_at(c->f, HSL_GA_NODE(ga));

        if (!home) {
            return HSL_ST_UNREACHABLE;
        }
        memcpy(val, (char *)home->cfg.mem + HSL_GA_OFFSET(ga), size);
        return HSL_ST_OK;
    }
    return hsl_modelled_bytes(c->f, (uint16_t)(c->cfg.node | HSL_AGENT_HOST_PORT), atomic_load(&w->ga) + off, val, size,
                              flags, &fault_ga);
}

uint64_t hsl_chip_window_read(struct hsl_chip_engine *c, unsigned int i, uint64_t off, unsigned int size)
{
    uint64_t val = 0;

    return window_access(c, i, off, &val, size, 0) ? UINT64_MAX >> (64 - 8 * size) : val;
}

void hsl_chip_window_write(struct hsl_chip_engine *c, unsigned int i, uint64_t off, uint64_t val, unsigned int size)
{
    window_access(c, i, off, &val, size, HSL_MODELLED_WRITE);
}

/* Windows of all chips that show this one's memory. */
static void windows_onto_off(struct hsl_chip_engine *target)
{
    struct hsl_fabric_engine *f = target->f;

    for (uint32_t n = 1; n <= f->cfg.model.nodes; n++) {
        struct hsl_chip_engine *c = hsl_chip_at(f, n);

        for (unsigned int i = 0; c && i < c->cfg.nwindows; i++) {
            if (HSL_GA_NODE(atomic_load(&c->win[i].ga)) == target->cfg.node) {
                hsl_window_off(c, i);
            }
        }
    }
}

/* ---- enable and reset; ctl_lock held ---- */

static const char *config_fault(struct hsl_chip_engine *c)
{
    struct hsl_queue_rings iova = { .sq = atomic_load(&c->aq_sq), .cq = atomic_load(&c->aq_cq) };
    uint32_t depth = atomic_load(&c->aq_depth), count = atomic_load(&c->ctx_count);

    if ((iova.sq | iova.cq | atomic_load(&c->ctx_table)) & (HSL_TABLE_PAGE - 1) &&
        !hsl_deviates(c, HSL_DEV_CONFIG_MISALIGNED)) {
        return "a table or ring is not aligned to 4 KiB";
    }
    if (depth < 2 || depth > c->cfg.max_depth || depth & (depth - 1)) {
        if (!hsl_deviates(c, HSL_DEV_CONFIG_DEPTH)) {
            return "AQ_DEPTH";
        }
        depth = 2;
    }
    if (!count || (count > c->cfg.ncontexts && !hsl_deviates(c, HSL_DEV_CONFIG_CONTEXTS))) {
        return "CTX_COUNT";
    }
    if (count > c->cfg.ncontexts) {
        atomic_store(&c->ctx_count, c->cfg.ncontexts);  /* that many entries there are */
    }
    return hsl_queue_open(&c->queue[0], &iova, depth, 0, 0) ? "the admin rings are not in memory" : NULL;
}

/* FATAL comes when it comes, and stays. */
static void status_set(struct hsl_chip_engine *c, uint32_t bits)
{
    atomic_fetch_and(&c->status, HSL_STATUS_FATAL);
    atomic_fetch_or(&c->status, bits);
}

void hsl_chip_enable(struct hsl_chip_engine *c)
{
    const char *fault;

    if (atomic_load(&c->enabled) || !c->attached || atomic_load(&c->status) & HSL_STATUS_FATAL) {
        return;
    }
    fault = config_fault(c);
    if (fault) {
        hsl_guest_error(c, "ENABLE refused: %s", fault);
        status_set(c, HSL_STATUS_CONFIG_ERROR);
        return;
    }
    status_set(c, HSL_STATUS_READY);
    atomic_store(&c->enabled, true);
}

void hsl_chip_forget(struct hsl_chip_engine *c)
{
    atomic_store(&c->enabled, false);
    atomic_fetch_add(&c->home_gen, 1);
    atomic_store(&c->wedged, false);
    hsl_facility_end(c);
    hsl_synchronize(c->f);
    while (atomic_load(&c->busy)) {
        sched_yield();
    }
    hsl_synchronize(c->f);

    if (hsl_deviates(c, HSL_DEV_RESET_CLEARS_MEMORY) && c->attached) {
        memset(c->cfg.mem, 0, c->cfg.mem_bytes);
    }
    for (uint32_t i = 0; i < c->cfg.nqueues; i++) {
        c->queue[i].outlives |= i && atomic_load(&c->queue[i].state) == HSL_QUEUE_READY;
        hsl_queue_close(&c->queue[i], false);
        atomic_store(&c->queue[i].error, 0);
    }
    for (uint32_t i = 0; i < c->cfg.ncontexts; i++) {
        if (atomic_load(&c->ctx[i])) {
            hsl_ctx_free(hsl_ctx_drop(c, i));
        }
    }
    for (unsigned int i = 0; i < c->cfg.nwindows; i++) {
        hsl_window_off(c, i);
        atomic_store(&c->win[i].ga, 0);
        atomic_store(&c->win[i].size, 0);
        atomic_store(&c->win[i].ctx, 0);
    }
    windows_onto_off(c);
    status_set(c, 0);
    if (hsl_deviates(c, HSL_DEV_FATAL_FORGOTTEN)) {
        atomic_store(&c->status, 0);
    }
    atomic_store(&c->event, 0);
    atomic_store(&c->event_mask, 0);
    if (!hsl_deviates(c, HSL_DEV_RESET_KEEPS_SCRATCH)) {
        atomic_store(&c->scratch, 0);
    }
    atomic_store(&c->aq_sq, 0);
    atomic_store(&c->aq_cq, 0);
    atomic_store(&c->aq_depth, 0);
    atomic_store(&c->ctx_table, 0);
    atomic_store(&c->ctx_count, 0);
    atomic_store(&c->guest_errors, 0);
    for (size_t i = 0; i < sizeof(c->low_half) / sizeof(c->low_half[0]); i++) {
        atomic_store(&c->low_half[i], 0);
    }
    for (unsigned int i = 0; i < HSL_VECTORS_MAX / 64; i++) {
        atomic_store(&c->held[i], 0);
    }
}

void hsl_chip_reset(struct hsl_chip_engine *c)
{
    pthread_mutex_lock(&c->f->ctl_lock);
    hsl_chip_forget(c);
    hsl_modelled_heal(c);
    pthread_mutex_unlock(&c->f->ctl_lock);
}

void hsl_chip_detach(struct hsl_chip_engine *c)
{
    pthread_mutex_lock(&c->f->ctl_lock);
    if (c->attached) {
        hsl_chip_forget(c);
        c->attached = false;
        hsl_model_node(c->f, c->cfg.node, false);
        hsl_modelled_node(c->f, c->cfg.node, NULL);
        hsl_facility_end(c);         /* somebody may have entered test mode meanwhile */
        atomic_store(&c->f->chips[c->cfg.node], NULL);
        hsl_run_forget(c);
        hsl_synchronize(c->f);
    }
    pthread_mutex_unlock(&c->f->ctl_lock);
}

void hsl_chip_set_dma(struct hsl_chip_engine *c, bool on)
{
    pthread_mutex_lock(&c->f->ctl_lock);
    if (atomic_exchange(&c->dma_on, on) != on) {
        if (!on) {
            hsl_synchronize(c->f);
            while (atomic_load(&c->busy)) {
                sched_yield();
            }
            hsl_synchronize(c->f);
        }
        for (uint32_t i = 0; on && i < c->cfg.nqueues; i++) {
            if (atomic_load(&c->queue[i].state) == HSL_QUEUE_READY) {
                hsl_queue_ready(&c->queue[i]);
            }
        }
        if (on) {
            interrupts_release(c);
        }
    }
    pthread_mutex_unlock(&c->f->ctl_lock);
}

/* ---- new and free ---- */

static const char *chip_config_fault(struct hsl_fabric_engine *f, struct hsl_chip_engine_config *cfg)
{
    if (!cfg->node || cfg->node > f->cfg.model.nodes) {
        return "node id outside the fabric (chips count from 1)";
    }
    if (!cfg->mem || !cfg->mem_bytes || cfg->mem_bytes % HSL_WIN_ALIGN || cfg->mem_bytes > HSL_GA_OFFSET_MASK) {
        return "chip memory must be a multiple of 64 KiB below 256 TiB";
    }
    cfg->max_depth = cfg->max_depth ? cfg->max_depth : 4096;
    cfg->ncontexts = cfg->ncontexts ? cfg->ncontexts : 1024;
    cfg->max_len = cfg->max_len ? cfg->max_len : 1ull << 30;
    cfg->hep_version = cfg->hep_version ? cfg->hep_version : HSL_HEP_VERSION;
    if (cfg->nqueues < 2 || cfg->nqueues > 256) {
        return "queues must be 2 to 256";
    }
    if (!cfg->nvectors || cfg->nvectors > HSL_VECTORS_MAX) {
        return "vectors must be 1 to 2048";
    }
    if (cfg->max_depth < 2 || cfg->max_depth > 65536 || cfg->max_depth & (cfg->max_depth - 1)) {
        return "the largest depth must be a power of two, 2 to 65536";
    }
    if (cfg->ncontexts < 2 || cfg->ncontexts > 65536) {
        return "contexts must be 2 to 65536";
    }
    if (cfg->nwindows > HSL_WIN_MAX || (cfg->nwindows && (cfg->win_stride_log2 < 16 || cfg->win_stride_log2 > 47))) {
        return "at most 64 windows of 64 KiB or more";
    }
    if (!hsl_heat_bears(HSL_HEAT_AMBIENT + cfg->ambient_off)) {
        return "around the chip it must be -40 to 125 degrees warm";
    }
    if (!cfg->ops->window) {
        cfg->nwindows = 0;
    }
    return NULL;
}

static void chip_release(struct hsl_chip_engine *c)
{
    pthread_mutex_destroy(&c->heat_lock);
    pthread_mutex_destroy(&c->tables_lock);
    free((void *)c->ctx);
    free(c->queue);
    hsl_facility_free(c->ctf);
    free(c);
}

struct hsl_chip_engine *hsl_chip_engine_new(struct hsl_fabric_engine *f, const struct hsl_chip_engine_config *cfg,
                                            const char **err)
{
    struct hsl_chip_engine_config fixed = *cfg;
    struct hsl_chip_engine *c;

    *err = chip_config_fault(f, &fixed);
    if (*err) {
        return NULL;
    }
    *err = "out of memory";
    c = calloc(1, sizeof(*c));
    if (!c) {
        return NULL;
    }
    pthread_mutex_init(&c->tables_lock, NULL);
    pthread_mutex_init(&c->heat_lock, NULL);
    c->f = f;
    c->cfg = fixed;
    hsl_sensor_init(c);
    c->db_stride = hsl_deviates(c, HSL_DEV_STRIDE_4K) ? HSL_TABLE_PAGE : HSL_DB_STRIDE_DEFAULT;
    c->ctx = calloc(fixed.ncontexts, sizeof(*c->ctx));
    c->queue = calloc(fixed.nqueues, sizeof(*c->queue));
    if (!c->ctx || !c->queue) {
        chip_release(c);
        return NULL;
    }
    for (uint32_t i = 0; i < fixed.nqueues; i++) {
        c->queue[i].chip = c;
        c->queue[i].qid = i;
    }
    c->cap = (HSL_CAP_HOST_COHERENT | HSL_CAP_HOST_ATOMIC | HSL_CAP_OP_COPY | HSL_CAP_OP_FILL | HSL_CAP_OP_REDUCE |
              HSL_CAP_OP_ATOMIC | HSL_CAP_OP_LOADSTORE | HSL_CAP_OP_SIGNAL | HSL_CAP_OP_FENCE | HSL_CAP_OP_COPY2D |
              HSL_CAP_OP_COPY_LIST | HSL_CAP_MODERATION | HSL_CAP_SHADOW_TAIL | HSL_CAP_SENSORS |
              (fixed.nwindows ? HSL_CAP_WINDOWS : 0) | (hsl_driven(f) ? HSL_CAP_MODELLED_TIME : 0) |
              (f->modelled ? HSL_CAP_MODELLED | HSL_CAP_COUNTERS | HSL_CAP_CTF : 0)) & ~fixed.cap_clear;
    if (hsl_deviates(c, HSL_DEV_CAP_HIDDEN)) {
        c->cap &= ~HSL_CAP_OP_COPY2D;
    }
    if (hsl_deviates(c, HSL_DEV_SENSORS_UNCLAIMED)) {
        c->cap &= ~HSL_CAP_SENSORS;
    }
    if (c->cap & HSL_CAP_CTF) {
        c->ctf = hsl_facility_new();
        if (!c->ctf) {
            chip_release(c);
            return NULL;
        }
    }
    for (c->bar0_bytes = 65536;
         c->bar0_bytes < HSL_DB_OFFSET_DEFAULT + (uint64_t)fixed.nqueues * HSL_DB_STRIDE_DEFAULT;) {
        c->bar0_bytes *= 2;
    }
    /* above all generations of an earlier chip with this node id: its grants may still be remembered elsewhere */
    atomic_store(&c->home_gen, atomic_fetch_add(&f->next_uid, 1ull << 40));
    atomic_store(&c->dma_on, true);

    pthread_mutex_lock(&f->ctl_lock);
    if (atomic_load(&f->chips[fixed.node])) {
        pthread_mutex_unlock(&f->ctl_lock);
        chip_release(c);
        *err = "another chip of this fabric has that node id";
        return NULL;
    }
    c->attached = true;
    atomic_store(&f->chips[fixed.node], c);
    hsl_model_node(f, fixed.node, true);
    hsl_modelled_node(f, fixed.node, c);
    hsl_modelled_deviate(f, fixed.node, fixed.deviation);
    atomic_store(&c->event, 0);
    pthread_mutex_unlock(&f->ctl_lock);
    return c;
}

void hsl_chip_engine_free(struct hsl_chip_engine *c)
{
    if (c) {
        hsl_chip_detach(c);
        /* a doorbell that was under way during the detach may have put a queue back; none comes any more */
        hsl_synchronize(c->f);
        hsl_run_forget(c);
        hsl_synchronize(c->f);
        chip_release(c);
    }
}

uint64_t hsl_chip_bar0_bytes(const struct hsl_chip_engine *c)
{
    return c->bar0_bytes;
}

void hsl_chip_stats(struct hsl_chip_engine *c, struct hsl_chip_stats *out)
{
    memset(out, 0, sizeof(*out));
    for (uint32_t i = 0; i < c->cfg.nqueues; i++) {
        out->commands += atomic_load(&c->queue[i].n_commands);
        out->errors += atomic_load(&c->queue[i].n_errors);
        out->bytes += atomic_load(&c->queue[i].n_bytes);
    }
    out->auth_requests = atomic_load(&c->n_auth);
    out->interrupts = atomic_load(&c->n_interrupts);
}
