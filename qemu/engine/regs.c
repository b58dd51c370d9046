// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * BAR0: the register file and the doorbell pages, as docs/hep.md section 4 lists them.
 *
 * regs[] holds the fixed registers; blocks of windows and links, counters and doorbell pages are arrays and decoded apart.
 * Reads of any size and offset are cut out of 64-bit words and have no side effect (HEP-REG-003). Writes are 4 or 8 bytes,
 * naturally aligned; a 64-bit register written by halves keeps the low half aside until the high half commits
 * (HEP-REG-011). A high half alone goes with the low half last written; a reset forgets it.
 */
#include <string.h>

#include "engine_priv.h"

#define UNDEFINED_REG   0x70u           /* for who deviates */

enum access { RO, RW, RW1C, RW_OFF };   /* RW_OFF: writable only while not enabled (HEP-REG-006) */

static const struct reg {
    uint16_t off;
    uint8_t width;
    uint8_t access;
} regs[] = {
    { HSL_REG_MAGIC, 4, RO },           { HSL_REG_VERSION, 4, RO },     { HSL_REG_CAP, 8, RO },
    { HSL_REG_NODE, 4, RO },            { HSL_REG_HOST_NODE, 4, RO },   { HSL_REG_FABRIC_LO, 8, RO },
    { HSL_REG_FABRIC_HI, 8, RO },       { HSL_REG_MEM_SIZE, 8, RO },    { HSL_REG_GA_BITS, 4, RO },
    { HSL_REG_NQUEUES, 4, RO },         { HSL_REG_DB_OFFSET, 4, RO },   { HSL_REG_DB_STRIDE, 4, RO },
    { HSL_REG_MAX_DEPTH, 4, RO },       { HSL_REG_NCONTEXTS, 4, RO },   { HSL_REG_MAX_LEN, 8, RO },
    { HSL_REG_NWINDOWS, 4, RO },        { HSL_REG_WIN_STRIDE_LOG2, 4, RO }, { HSL_REG_NLINKS, 4, RO },
    { HSL_REG_NVECTORS, 4, RO },        { HSL_REG_CTRL, 4, RW },        { HSL_REG_STATUS, 4, RO },
    { HSL_REG_EVENT, 4, RW1C },         { HSL_REG_EVENT_MASK, 4, RW },  { HSL_REG_SCRATCH, 8, RW },
    { HSL_REG_AQ_SQ, 8, RW_OFF },       { HSL_REG_AQ_CQ, 8, RW_OFF },   { HSL_REG_AQ_DEPTH, 4, RW_OFF },
    { HSL_REG_CTX_TABLE, 8, RW_OFF },   { HSL_REG_CTX_COUNT, 4, RW_OFF },
    { HSL_REG_TEMP, 4, RO },            { HSL_REG_TEMP_MAX, 4, RO },    { HSL_REG_TEMP_CRIT, 4, RO },
    { HSL_REG_POWER, 4, RO },           { HSL_REG_THERMAL, 4, RO },
};

static const struct reg *reg_find(uint64_t off)
{
    for (size_t i = 0; i < sizeof(regs) / sizeof(regs[0]); i++) {
        if (regs[i].off == off) {
            return &regs[i];
        }
    }
    return NULL;
}

static uint64_t reg_get(struct hsl_chip_engine *c, uint64_t off)
{
    switch (off) {
    case HSL_REG_MAGIC: return hsl_deviates(c, HSL_DEV_MAGIC_SWAPPED) ? __builtin_bswap32(HSL_MAGIC) : HSL_MAGIC;
    case HSL_REG_VERSION: return c->cfg.hep_version + hsl_deviates(c, HSL_DEV_VERSION_MINOR);
    case HSL_REG_CAP: return c->cap;
    case HSL_REG_NODE: return c->cfg.node;
    case HSL_REG_HOST_NODE: return c->f->cfg.model.host_node;
    case HSL_REG_FABRIC_LO:
        return c->f->cfg.fabric_id[0] ^ (hsl_deviates(c, HSL_DEV_FABRIC_ID) ? c->cfg.node : 0);
    case HSL_REG_FABRIC_HI: return c->f->cfg.fabric_id[1];
    case HSL_REG_MEM_SIZE: return c->cfg.mem_bytes << hsl_deviates(c, HSL_DEV_MEM_SIZE_DOUBLE);
    case HSL_REG_GA_BITS: return HSL_GA_OFFSET_BITS | HSL_GA_NODE_BITS << 8;
    case HSL_REG_NQUEUES: return c->cfg.nqueues;
    case HSL_REG_DB_OFFSET: return HSL_DB_OFFSET_DEFAULT;
    case HSL_REG_DB_STRIDE: return c->db_stride;
    case HSL_REG_MAX_DEPTH: return c->cfg.max_depth;
    case HSL_REG_NCONTEXTS: return c->cfg.ncontexts;
    case HSL_REG_MAX_LEN: return c->cfg.max_len;
    case HSL_REG_NWINDOWS: return c->cfg.nwindows;
    case HSL_REG_WIN_STRIDE_LOG2: return c->cfg.nwindows ? c->cfg.win_stride_log2 : 0;
    case HSL_REG_NLINKS: return hsl_model_nlinks(c->f->model, c->cfg.node);
    case HSL_REG_NVECTORS: return c->cfg.nvectors;
    case HSL_REG_CTRL: return atomic_load(&c->enabled) ? HSL_CTRL_ENABLE : 0;
    case HSL_REG_STATUS: return atomic_load(&c->status);
    case HSL_REG_EVENT: return atomic_load(&c->event);
    case HSL_REG_EVENT_MASK: return atomic_load(&c->event_mask);
    case HSL_REG_SCRATCH:
        return hsl_deviates(c, HSL_DEV_READ_CLEARS) ? atomic_exchange(&c->scratch, 0) : atomic_load(&c->scratch);
    case HSL_REG_AQ_SQ: return atomic_load(&c->aq_sq);
    case HSL_REG_AQ_CQ: return atomic_load(&c->aq_cq);
    case HSL_REG_AQ_DEPTH: return atomic_load(&c->aq_depth);
    case HSL_REG_CTX_TABLE: return atomic_load(&c->ctx_table);
    case HSL_REG_CTX_COUNT: return atomic_load(&c->ctx_count);
    case HSL_REG_TEMP:
    case HSL_REG_TEMP_MAX:
    case HSL_REG_TEMP_CRIT:
    case HSL_REG_POWER:
    case HSL_REG_THERMAL: return hsl_sensor_get(c, off);
    default: return 0;
    }
}

static void ctrl_write(struct hsl_chip_engine *c, uint32_t val)
{
    if (val & HSL_CTRL_RESET && hsl_deviates(c, HSL_DEV_RESET_IGNORED)) {
        return;
    }
    pthread_mutex_lock(&c->f->ctl_lock);
    if (val & HSL_CTRL_RESET || (!(val & HSL_CTRL_ENABLE) && atomic_load(&c->enabled))) {
        hsl_chip_forget(c);
    } else if (val & HSL_CTRL_ENABLE) {
        hsl_chip_enable(c);
    }
    pthread_mutex_unlock(&c->f->ctl_lock);
}

static void reg_store_off(struct hsl_chip_engine *c, uint64_t off, uint64_t val)
{
    switch (off) {
    case HSL_REG_AQ_SQ: atomic_store(&c->aq_sq, val); break;
    case HSL_REG_AQ_CQ: atomic_store(&c->aq_cq, val); break;
    case HSL_REG_AQ_DEPTH: atomic_store(&c->aq_depth, (uint32_t)val); break;
    case HSL_REG_CTX_TABLE: atomic_store(&c->ctx_table, val); break;
    case HSL_REG_CTX_COUNT: atomic_store(&c->ctx_count, (uint32_t)val); break;
    }
}

static void reg_set(struct hsl_chip_engine *c, const struct reg *r, uint64_t val)
{
    if (r->access == RO) {
        if (hsl_deviates(c, HSL_DEV_RO_WRITABLE) && r->off == HSL_REG_NVECTORS) {
            c->cfg.nvectors = (uint32_t)val;
        }
        return;
    }
    if (r->access == RW_OFF) {
        /* the lock: ENABLE checks these registers, nothing may change them between that and `enabled` */
        pthread_mutex_lock(&c->f->ctl_lock);
        if (atomic_load(&c->enabled) && !hsl_deviates(c, HSL_DEV_AQ_WRITABLE)) {
            hsl_guest_error(c, "write of register 0x%x while enabled", r->off);
        } else {
            reg_store_off(c, r->off, val);
        }
        pthread_mutex_unlock(&c->f->ctl_lock);
        return;
    }
    switch (r->off) {
    case HSL_REG_CTRL: ctrl_write(c, (uint32_t)val); break;
    case HSL_REG_EVENT:
        if (hsl_deviates(c, HSL_DEV_EVENT_PLAIN)) {
            atomic_store(&c->event, (uint32_t)val);
        }
        atomic_fetch_and(&c->event, hsl_deviates(c, HSL_DEV_EVENT_ALL_CLEARED) ? 0 : ~(uint32_t)val);
        break;
    case HSL_REG_EVENT_MASK:
        if (!(atomic_exchange(&c->event_mask, (uint32_t)val & HSL_EVENT_ALL) & atomic_load(&c->event)) &&
            atomic_load(&c->event) & val) {
            hsl_chip_interrupt(c, 0);
        }
        break;
    case HSL_REG_SCRATCH: atomic_store(&c->scratch, val); break;
    }
}

/* ---- arrays of blocks ---- */

static bool is_window(const struct hsl_chip_engine *c, uint64_t off)
{
    return off >= HSL_REG_WIN(0) && off < HSL_REG_WIN(c->cfg.nwindows);
}

static struct hsl_window *window_at(struct hsl_chip_engine *c, uint64_t off, unsigned int *i, uint64_t *o)
{
    *i = (unsigned int)((off - HSL_REG_WIN(0)) / 0x20);
    *o = (off - HSL_REG_WIN(0)) % 0x20;
    return &c->win[*i];
}

static uint64_t window_word(struct hsl_chip_engine *c, uint64_t off)
{
    unsigned int i;
    uint64_t o;
    struct hsl_window *w = window_at(c, off, &i, &o);

    switch (o) {
    case HSL_WIN_O_GA: return atomic_load(&w->ga);
    case HSL_WIN_O_SIZE: return atomic_load(&w->size);
    case HSL_WIN_O_CTRL: return atomic_load(&w->ctrl) | (uint64_t)atomic_load(&w->ctx) << 32;
    default: return atomic_load(&w->status);
    }
}

static uint64_t link_word(struct hsl_chip_engine *c, uint64_t off)
{
    uint64_t o = (off - HSL_REG_LINK(0)) % 0x20;
    struct hsl_model_link l;

    if (hsl_fabric_engine_link(c->f, c->cfg.node, (uint32_t)((off - HSL_REG_LINK(0)) / 0x20), &l)) {
        return 0;
    }
    switch (o) {
    case HSL_LINK_O_PEER: return (l.peer | l.peer_type << 16) | (uint64_t)l.state << 32;
    case HSL_LINK_O_WIDTH:
        return l.width >> (hsl_deviates(c, HSL_DEV_LINK_WIDTH) && c->cfg.node > l.peer) | (uint64_t)l.rate_mtps << 32;
    case HSL_LINK_O_LATENCY:
        return l.latency_ps | (uint64_t)(hsl_deviates(c, HSL_DEV_LINK_MAX_NOW) ? l.width : l.max_width) << 32;
    case HSL_LINK_O_MAX_RATE: return l.max_rate_mtps >> hsl_deviates(c, HSL_DEV_LINK_MAX_RATE);
    default: return 0;
    }
}

static uint64_t counter_word(struct hsl_chip_engine *c, uint64_t off)
{
    if (!(c->cap & HSL_CAP_COUNTERS)) {
        return 0;
    }
    if (off >= HSL_REG_NODE_STAT) {
        return hsl_node_stat_word(c, off - HSL_REG_NODE_STAT);
    }
    off -= HSL_REG_LINK_STAT(0);
    return hsl_link_stat_word(c, (uint32_t)(off / 0x100), off % 0x100);
}

static uint64_t doorbell_word(struct hsl_chip_engine *c, uint64_t off)
{
    uint64_t qid = (off - HSL_DB_OFFSET_DEFAULT) / c->db_stride;

    if (qid >= c->cfg.nqueues || (off & (c->db_stride - 1)) != HSL_DB_STATE) {
        return 0;
    }
    if (hsl_deviates(c, HSL_DEV_RESET_KEEPS_QUEUE) && c->queue[qid].outlives) {
        return HSL_QUEUE_READY;
    }
    return atomic_load(&c->queue[qid].state) | (uint64_t)atomic_load(&c->queue[qid].error) << 32;
}

/* The 64-bit word at an 8-byte aligned offset. */
static uint64_t word_at(struct hsl_chip_engine *c, uint64_t off)
{
    const struct reg *r = reg_find(off);

    if (off >= HSL_DB_OFFSET_DEFAULT) {
        return doorbell_word(c, off);
    }
    if (off >= HSL_REG_LINK(0) && off < HSL_REG_LINK(HSL_LINK_MAX)) {
        return link_word(c, off);
    }
    if (hsl_facility_at(c, off)) {
        return hsl_facility_word(c, off);
    }
    if (off >= HSL_REG_LINK_STAT(0) && off < HSL_MSIX_TABLE) {
        return counter_word(c, off);
    }
    if (is_window(c, off)) {
        return window_word(c, off);
    }
    if (r && r->width == 8) {
        return reg_get(c, off);
    }
    if (hsl_deviates(c, HSL_DEV_UNDEFINED_ONES) && !r && !reg_find(off + 4)) {
        return UINT64_MAX;
    }
    if (hsl_deviates(c, HSL_DEV_UNDEFINED_KEEPS) && off == UNDEFINED_REG) {
        return atomic_load(&c->deviated);
    }
    return reg_get(c, off) | reg_get(c, off + 4) << 32;
}

uint64_t hsl_chip_mmio_read(struct hsl_chip_engine *c, uint64_t off, unsigned int size)
{
    unsigned int shift = off % 8 * 8;
    uint64_t v = word_at(c, off & ~7ull) >> shift;

    if (off % 8 + size > 8) {
        v |= word_at(c, (off & ~7ull) + 8) << (64 - shift);
    }
    return size >= 8 ? v : v & ((1ull << size * 8) - 1);
}

/* ---- writes ---- */

static void doorbell_write(struct hsl_chip_engine *c, uint64_t off, uint32_t val)
{
    uint64_t qid = (off - HSL_DB_OFFSET_DEFAULT) / c->db_stride, r = off & (c->db_stride - 1);
    struct hsl_queue_engine *q;

    if (qid >= c->cfg.nqueues || (r != HSL_DB_SQ_TAIL && r != HSL_DB_CQ_ARM && r != HSL_DB_MODERATION)) {
        return;
    }
    q = &c->queue[qid];
    if (atomic_load(&q->state) == HSL_QUEUE_RESET) {
        if (hsl_deviates(c, HSL_DEV_DOORBELL_MAKES_ERROR)) {
            atomic_store(&q->state, HSL_QUEUE_ERROR);
        }
        hsl_guest_error(c, "doorbell of queue %u, which does not exist", q->qid);
        return;
    }
    if (r == HSL_DB_CQ_ARM) {
        hsl_queue_arm_at(q, val);
        return;
    }
    if (r == HSL_DB_MODERATION) {
        if (c->cap & HSL_CAP_MODERATION) {
            atomic_store(&q->moderation, val);
        }
        return;
    }
    hsl_queue_doorbell(q, val);
}

static void window_reg_write(struct hsl_chip_engine *c, uint64_t off, uint64_t val, unsigned int size)
{
    unsigned int i;
    uint64_t o;
    struct hsl_window *w = window_at(c, off, &i, &o);
    _Atomic uint64_t *wide = o < HSL_WIN_O_SIZE ? &w->ga : &w->size;
    _Atomic uint32_t *half = &c->low_half[8 + 2 * i + (o >= HSL_WIN_O_SIZE)];

    pthread_mutex_lock(&c->f->ctl_lock);
    if (o == HSL_WIN_O_CTRL) {
        hsl_window_write(c, i, (uint32_t)val);
    } else if (o != HSL_WIN_O_STATUS && atomic_load(&w->ctrl)) {
        hsl_guest_error(c, "window %u: written while enabled", i);
    } else if (o == HSL_WIN_O_CTX) {
        atomic_store(&w->ctx, (uint32_t)val);
    } else if (o < HSL_WIN_O_CTRL) {
        if (size == 8) {
            atomic_store(wide, val);
            atomic_store(half, (uint32_t)val);
        } else if (o % 8) {
            atomic_store(wide, val << 32 | atomic_load(half));
        } else {
            atomic_store(half, (uint32_t)val);
        }
    }
    pthread_mutex_unlock(&c->f->ctl_lock);
}

static unsigned int half_index(uint64_t off)
{
    return off == HSL_REG_SCRATCH ? 0 : off == HSL_REG_AQ_SQ ? 1 : off == HSL_REG_AQ_CQ ? 2 :
           off == HSL_REG_CTX_TABLE ? 3 : 4;    /* 4: read-only ones, never used */
}

static void fixed_write(struct hsl_chip_engine *c, uint64_t off, uint64_t val, unsigned int size)
{
    const struct reg *r = reg_find(off), *low = off >= 4 ? reg_find(off - 4) : NULL;

    if (r && r->width == size) {
        if (size == 8) {
            atomic_store(&c->low_half[half_index(off)], (uint32_t)val);
        }
        reg_set(c, r, val);
    } else if (r && size == 4) {
        atomic_store(&c->low_half[half_index(off)], (uint32_t)val);
        if (hsl_deviates(c, HSL_DEV_LOW_HALF_COMMITS)) {
            reg_set(c, r, (reg_get(c, off) & ~(uint64_t)UINT32_MAX) | val);
        }
    } else if (size == 8) {
        fixed_write(c, off, (uint32_t)val, 4);
        fixed_write(c, off + 4, val >> 32, 4);
    } else if (low && low->width == 8) {
        uint32_t half = atomic_load(&c->low_half[half_index(off - 4)]);

        reg_set(c, low, val << 32 | (hsl_deviates(c, HSL_DEV_HIGH_HALF_ALONE) ? 0 : half));
    } else if (hsl_deviates(c, HSL_DEV_UNDEFINED_KEEPS) && off == UNDEFINED_REG) {
        atomic_store(&c->deviated, (uint32_t)val);
    }
}

void hsl_chip_mmio_write(struct hsl_chip_engine *c, uint64_t off, uint64_t val, unsigned int size)
{
    if (!hsl_conforms(c) && off >= HSL_DB_OFFSET_DEFAULT) {
        if (size == 8 && hsl_deviates(c, HSL_DEV_DOORBELL_8_IGNORED)) {
            return;
        }
        size = hsl_deviates(c, HSL_DEV_DOORBELL_BYTES) ? 4 : size;
    }
    if (size < 4 || off % size) {
        hsl_guest_error(c, "%u-byte write at 0x%llx", size, (unsigned long long)off);
        return;
    }
    if (size == 4) {
        val = (uint32_t)val;
    }
    if (off >= HSL_DB_OFFSET_DEFAULT) {
        doorbell_write(c, off, (uint32_t)val);
    } else if (hsl_facility_at(c, off)) {
        hsl_facility_write(c, off, val, size);
    } else if (is_window(c, off)) {
        if (size == 8 && (off - HSL_REG_WIN(0)) % 0x20 >= HSL_WIN_O_CTRL) {
            window_reg_write(c, off + 4, val >> 32, 4);
            val = (uint32_t)val;
        }
        window_reg_write(c, off, val, size);
    } else {
        fixed_write(c, off, val, size);
    }
}
