// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Commands that move bytes: COPY, FILL, REDUCE, COPY2D, COPY_LIST. Checks before the first byte, then chunks.
 *
 * Such a command is a list of *runs*, each a contiguous range of dst and (but for FILL) src: one run, a row each, an entry
 * each. A chunk is at most 64 KiB and a bounded number of runs, and lies in one section. Each chunk looks its
 * operands up again: the segment found must be the one found at the start (same uid), and its grant must still
 * hold, else the command ends with REVOKED. Nothing host-side is kept from chunk to chunk, so a segment, a page or
 * a chip can go between any two of them.
 *
 * Overlap is by GA (HEP-TXN-005, -016): when dst lies inside [src, src + len) of one node the run goes from the end.
 * Two segments over the same host page are different GAs; copying between them is safe, its order undefined.
 */
#include <stdlib.h>
#include <string.h>

#include "engine_priv.h"

#define RUNS_PER_CHUNK  256u
#define BOUNCE_BYTES    4096u       /* a multiple of every element */

#define q_deviates(q, d) hsl_deviates((q)->chip, d)

/* One contiguous part of the command, as offsets into its operands. */
struct run {
    uint64_t dst, src, len;
};

/* In backward copies a piece must end where the chunk ends and start in one page of each operand. */
static uint64_t backward_piece(const struct hsl_operand *o, uint64_t off, uint64_t want)
{
    uint64_t page_bytes, last;

    if (o->home) {
        return want;
    }
    page_bytes = 1ull << o->seg->e.page_shift;
    last = (o->ga - o->seg->e.ga + o->seg->e.page_offset + off + want - 1) & (page_bytes - 1);
    return last + 1 < want ? last + 1 : want;
}

static void fill_bytes(uint8_t *dst, uint64_t len, uint64_t pattern, unsigned int phase)
{
    uint64_t rotated = phase ? pattern >> (8 * phase) | pattern << (64 - 8 * phase) : pattern;
    uint64_t n = len < 8 ? len : 8;

    if (pattern == (pattern & 0xff) * 0x0101010101010101ull) {
        memset(dst, (int)(pattern & 0xff), len);
        return;
    }
    memcpy(dst, &rotated, n);
    while (n < len) {
        uint64_t m = n < len - n ? n : len - n;

        memcpy(dst + n, dst, m);
        n += m;
    }
}

static void reduce(struct hsl_queue_engine *q, unsigned int op, unsigned int type, void *dst, const void *src, uint64_t n)
{
    if (hsl_conforms(q->chip)) {
        hsl_reduce_run(op, type, dst, src, n, q->cmd.backward);
    } else {
        hsl_deviant_reduce(q, op, type, dst, src, n, q->cmd.backward);
    }
}

/* Byte after byte, whatever overlaps. */
static void copy_forward(uint8_t *dst, const uint8_t *src, uint64_t len)
{
    for (volatile uint8_t *d = dst; len; len--) {
        *d++ = *src++;
    }
}

/* One piece of a run, from off on, its end if it goes backward; *len in: wanted, out: done. */
static uint32_t move_piece(struct hsl_queue_engine *q, const struct hsl_operand *dst, const struct hsl_operand *src,
                           const struct run *run, uint64_t off, uint64_t *len, uint64_t *fault_ga)
{
    const struct hsl_desc *cmd = &q->cmd.d;
    uint64_t unit = cmd->opcode == HSL_OP_REDUCE ? hsl_reduce_bytes(HSL_SUBOP_TYPE(cmd->subop)) : 1;
    struct hsl_span d, s;

    for (;;) {
        uint64_t n;

        if (!hsl_span_get(q, 0, dst, run->dst + off, *len, true, &d)) {
            *fault_ga = dst->ga + run->dst + off;
            return HSL_ST_DMA;
        }
        n = d.len;
        if (src && !hsl_span_get(q, 1, src, run->src + off, n, false, &s)) {
            hsl_span_put(q, &d, true, 0);
            *fault_ga = src->ga + run->src + off;
            return HSL_ST_DMA;
        }
        if (src && s.len < n) {
            n = s.len;
        }
        n -= n % unit;
        if (!n) {
            /* memory whose parts are smaller than an element */
            hsl_span_put(q, &d, true, 0);
            hsl_span_put(q, &s, false, 0);
            *fault_ga = dst->ga + run->dst + off;
            return HSL_ST_DMA;
        }
        if (!q->cmd.backward || n == *len) {
            *len = n;
            break;
        }
        /* a page whose parts lie apart (an IOMMU's pages are smaller): the last part goes first */
        hsl_span_put(q, &d, true, 0);
        hsl_span_put(q, &s, false, 0);
        off += n;
        *len -= n;
    }
    if (!hsl_conforms(q->chip)) {
        hsl_deviant_before_move(q, dst, d.host, *len);
    }
    if (cmd->opcode == HSL_OP_FILL) {
        fill_bytes(d.host, *len, cmd->arg0, off & 7);
    } else if (cmd->opcode == HSL_OP_REDUCE) {
        /* pages and operands are aligned to the element, so pieces are too */
        reduce(q, HSL_SUBOP_OP(cmd->subop), HSL_SUBOP_TYPE(cmd->subop), d.host, s.host, *len / unit);
    } else if (hsl_deviates(q->chip, HSL_DEV_COPY_FORWARD)) {
        copy_forward(d.host, s.host, *len);
    } else {
        memmove(d.host, s.host, *len);
    }
    if (!hsl_conforms(q->chip)) {
        hsl_deviant_after_move(q, dst, run->dst + off, d.host, *len);
    }
    if (src) {
        hsl_span_put(q, &s, false, 0);
    }
    hsl_span_put(q, &d, true, *len);
    hsl_operand_written(dst, run->dst + off, *len);
    return HSL_ST_OK;
}

/* A piece of at most BOUNCE_BYTES where an operand is modelled: no pointer leads there. */
static uint32_t move_modelled(struct hsl_queue_engine *q, const struct hsl_operand *dst, const struct hsl_operand *src,
                              const struct run *run, uint64_t off, uint64_t len, uint64_t *fault_ga)
{
    const struct hsl_desc *cmd = &q->cmd.d;
    _Alignas(8) uint8_t d[BOUNCE_BYTES], s[BOUNCE_BYTES];
    unsigned int type = HSL_SUBOP_TYPE(cmd->subop);
    uint32_t status = HSL_ST_OK;

    if (src) {
        status = hsl_operand_bytes(q, 1, src, run->src + off, s, len, false, fault_ga);
    }
    if (!status && cmd->opcode == HSL_OP_REDUCE) {
        status = hsl_operand_bytes(q, 0, dst, run->dst + off, d, len, false, fault_ga);
        if (!status) {
            hsl_reduce_run(HSL_SUBOP_OP(cmd->subop), type, d, s, len / hsl_reduce_bytes(type), false);
        }
    } else if (cmd->opcode == HSL_OP_FILL) {
        fill_bytes(d, len, cmd->arg0, off & 7);
    }
    if (!status) {
        bool copy = cmd->opcode != HSL_OP_REDUCE && cmd->opcode != HSL_OP_FILL;

        status = hsl_operand_bytes(q, 0, dst, run->dst + off, copy ? s : d, len, true, fault_ga);
    }
    return status;
}

/* At most *budget bytes of what is left of a run. */
static uint32_t move_run(struct hsl_queue_engine *q, const struct hsl_operand *dst, const struct hsl_operand *src,
                         const struct run *run, uint64_t *budget, uint64_t *fault_ga)
{
    /* operands of an empty run have not been looked up */
    bool modelled = run->len && (hsl_operand_modelled(dst) || (src && hsl_operand_modelled(src)));
    struct hsl_cmd *cmd = &q->cmd;

    while (*budget && cmd->moved != run->len) {
        uint64_t left = run->len - cmd->moved, n = left < *budget ? left : *budget, off = cmd->moved;
        uint32_t status;

        if (modelled) {
            n = n < BOUNCE_BYTES ? n : BOUNCE_BYTES;
        } else if (cmd->backward) {
            n = backward_piece(dst, run->dst + left - n, n);
            n = backward_piece(src, run->src + left - n, n);
        }
        if (cmd->backward) {
            off = left - n;
        }
        status = modelled ? move_modelled(q, dst, src, run, off, n, fault_ga) :
                 move_piece(q, dst, src, run, off, &n, fault_ga);
        if (status) {
            return status;
        }
        cmd->moved += n;
        cmd->done += n;
        /* packets take long: a piece is a chunk of its own */
        *budget = modelled ? 0 : *budget - n;
    }
    return HSL_ST_OK;
}

/* ---- runs of a command ---- */

static uint64_t extent(uint64_t rows, uint64_t pitch, uint64_t len)
{
    uint64_t n;

    /* what does not fit into 64 bits is in no segment */
    if (__builtin_mul_overflow(rows - 1, pitch, &n) || __builtin_add_overflow(n, len, &n)) {
        return UINT64_MAX;
    }
    return n;
}

/* dst lies inside src: what is moved first must not be what is read later. */
static bool goes_backward(uint64_t dst, uint64_t src, uint64_t len)
{
    return dst > src && dst - src < len;
}

/* GA and length of operand which of the current run's look-up. */
static void operand_range(const struct hsl_cmd *cmd, unsigned int which, uint64_t *ga, uint64_t *len)
{
    const struct hsl_desc *d = &cmd->d;

    if (d->opcode == HSL_OP_COPY_LIST) {
        const struct hsl_list_entry *e = &cmd->list[cmd->run];

        *ga = which ? e->src : e->dst;
        *len = e->len;
        return;
    }
    *ga = which ? d->src : d->dst;
    *len = d->len;
    if (d->opcode == HSL_OP_COPY2D) {
        *len = extent(d->arg0, which ? HSL_PITCH_SRC(d->arg1) : HSL_PITCH_DST(d->arg1), d->len);
    }
}

static uint32_t operand_find(struct hsl_queue_engine *q, struct hsl_worker *w, unsigned int which,
                             struct hsl_operand *o, uint64_t *fault_ga)
{
    uint32_t rights = which ? HSL_SEG_READ : HSL_SEG_WRITE;
    uint64_t ga, len;

    if (!which && q->cmd.d.opcode == HSL_OP_REDUCE && !q_deviates(q, HSL_DEV_REDUCE_WRITE_ONLY)) {
        rights |= HSL_SEG_READ;
    }
    operand_range(&q->cmd, which, &ga, &len);
    return hsl_operand_get(q, w, ga, len, rights, o, fault_ga);
}

static uint64_t *operand_uid(struct hsl_cmd *cmd, unsigned int which)
{
    return cmd->d.opcode == HSL_OP_COPY_LIST ? &cmd->list[cmd->run].uid[which] : &cmd->uid[which];
}

/* The first look, before anything moves. */
static uint32_t operand_check(struct hsl_queue_engine *q, struct hsl_worker *w, unsigned int which,
                              struct hsl_operand *o, uint64_t *fault_ga)
{
    uint32_t status = operand_find(q, w, which, o, fault_ga);

    if (!status && q->cmd.d.opcode == HSL_OP_REDUCE &&
        !hsl_operand_aligned(o, hsl_reduce_bytes(HSL_SUBOP_TYPE(q->cmd.d.subop)))) {
        *fault_ga = o->ga;
        status = HSL_ST_ALIGN;
    }
    if (!status) {
        *operand_uid(&q->cmd, which) = o->seg ? o->seg->uid : 0;
    }
    return status;
}

static uint32_t operand_again(struct hsl_queue_engine *q, struct hsl_worker *w, unsigned int which,
                              struct hsl_operand *o, uint64_t *fault_ga)
{
    uint32_t status = operand_find(q, w, which, o, fault_ga);
    uint64_t len;

    if (status == HSL_ST_UNREACHABLE) {
        return hsl_deviates(q->chip, HSL_DEV_FLR_INTERNAL) ? HSL_ST_INTERNAL : status;
    }
    if (status || (o->seg && o->seg->uid != *operand_uid(&q->cmd, which))) {
        operand_range(&q->cmd, which, fault_ga, &len);
        return HSL_ST_REVOKED;
    }
    return HSL_ST_OK;
}

static void run_begin(struct hsl_queue_engine *q, struct run *run)
{
    struct hsl_cmd *cmd = &q->cmd;
    const struct hsl_desc *d = &cmd->d;

    *run = (struct run){ .len = d->len };
    cmd->backward = d->opcode != HSL_OP_FILL && d->opcode != HSL_OP_COPY2D && goes_backward(d->dst, d->src, d->len) &&
                    !(q_deviates(q, HSL_DEV_COPY_FORWARD) && d->opcode == HSL_OP_COPY) &&
                    !(q_deviates(q, HSL_DEV_REDUCE_FORWARD) && d->opcode == HSL_OP_REDUCE);
    if (d->opcode == HSL_OP_COPY2D) {
        run->dst = cmd->run * (uint64_t)HSL_PITCH_DST(d->arg1);
        run->src = cmd->run * (uint64_t)HSL_PITCH_SRC(d->arg1);
    } else if (d->opcode == HSL_OP_COPY_LIST) {
        const struct hsl_list_entry *e = &cmd->list[cmd->run];

        run->len = e->len;
        cmd->backward = goes_backward(e->dst, e->src, e->len);
    }
}

/* found: o[] is what a look-up of this section has found for the first run. */
static uint32_t chunk(struct hsl_queue_engine *q, struct hsl_worker *w, struct hsl_operand o[2], bool found,
                      uint64_t *fault_ga)
{
    struct hsl_cmd *cmd = &q->cmd;
    bool has_src = cmd->d.opcode != HSL_OP_FILL, list = cmd->d.opcode == HSL_OP_COPY_LIST;
    uint64_t budget = HSL_CHUNK_BYTES;
    struct run run;

    for (unsigned int n = 0; budget && n < RUNS_PER_CHUNK && cmd->run != cmd->runs; n++) {
        uint32_t status = HSL_ST_OK;

        run_begin(q, &run);
        if (run.len && (!found || list)) {
            status = operand_again(q, w, 0, &o[0], fault_ga);
            if (!status && has_src) {
                status = operand_again(q, w, 1, &o[1], fault_ga);
            }
            found = true;
        }
        if (!status) {
            status = move_run(q, &o[0], has_src ? &o[1] : NULL, &run, &budget, fault_ga);
        }
        if (status) {
            return status;
        }
        if (cmd->moved == run.len) {
            cmd->run++;
            cmd->moved = 0;
        }
    }
    cmd->active = cmd->run != cmd->runs;
    if (hsl_deviates(q->chip, HSL_DEV_LONG_COMMAND)) {
        struct hsl_desc next;

        atomic_store(&q->chip->moving, cmd->active || hsl_queue_next(q, &next) ? q->qid : 0);
    }
    return HSL_ST_OK;
}

uint32_t hsl_move_chunk(struct hsl_queue_engine *q, struct hsl_worker *w, uint64_t *fault_ga)
{
    struct hsl_operand o[2];

    return chunk(q, w, o, false, fault_ga);
}

/* ---- start ---- */

/* Read the list once and check every entry. */
static uint32_t list_begin(struct hsl_queue_engine *q, struct hsl_worker *w, uint64_t *fault_ga)
{
    struct hsl_cmd *cmd = &q->cmd;
    uint64_t len = cmd->d.len, total = 0, ga;
    struct hsl_copy_entry *raw;
    struct hsl_operand o;
    uint32_t status = hsl_operand_get(q, w, cmd->d.src, len, HSL_SEG_READ, &o, fault_ga);

    if (status) {
        return status;
    }
    if (!hsl_operand_aligned(&o, 8)) {
        *fault_ga = o.ga;
        return HSL_ST_ALIGN;
    }
    raw = malloc(len);
    cmd->list = calloc(len / sizeof(*raw), sizeof(*cmd->list));
    status = raw && cmd->list ? hsl_operand_bytes(q, 1, &o, 0, raw, len, false, fault_ga) : HSL_ST_INTERNAL;
    cmd->runs = status ? 0 : (uint32_t)(len / sizeof(*raw));
    for (uint32_t i = 0; i < cmd->runs; i++) {
        const struct hsl_copy_entry *e = &raw[hsl_deviates(q->chip, HSL_DEV_LIST_BACKWARD) ? cmd->runs - 1 - i : i];

        cmd->list[i] = (struct hsl_list_entry){ .dst = e->dst, .src = e->src, .len = e->len };
        cmd->list[i].uid[0] = e->rsvd;          /* until it is checked */
    }
    free(raw);
    for (cmd->run = 0; cmd->run < cmd->runs && !status; cmd->run++) {
        const struct hsl_list_entry *e = &cmd->list[cmd->run];

        if (e->uid[0]) {
            status = HSL_ST_FIELD;
        } else if (e->len > q->chip->cfg.max_len - total) {
            status = HSL_ST_LENGTH;
        } else if (e->len) {
            total += e->len;
            status = operand_check(q, w, 0, &o, &ga);
            if (!status) {
                status = operand_check(q, w, 1, &o, &ga);
            }
            if (status) {
                *fault_ga = ga;
            }
        }
    }
    cmd->run = 0;
    return status;
}

uint32_t hsl_move_start(struct hsl_queue_engine *q, struct hsl_worker *w, uint64_t *fault_ga)
{
    struct hsl_cmd *cmd = &q->cmd;
    const struct hsl_desc *d = &cmd->d;
    struct hsl_operand o[2];
    uint32_t status;

    cmd->run = 0;
    cmd->runs = 1;
    cmd->moved = 0;
    if (!d->len || (d->opcode == HSL_OP_COPY2D && !d->arg0)) {
        return hsl_deviates(q->chip, HSL_DEV_ZERO_LOOKS) ? operand_check(q, w, 0, &o[0], fault_ga) : HSL_ST_OK;
    }
    if (d->opcode == HSL_OP_COPY2D) {
        cmd->runs = (uint32_t)d->arg0;
    }
    if (d->opcode == HSL_OP_COPY_LIST) {
        status = list_begin(q, w, fault_ga);
        if (status && hsl_deviates(q->chip, HSL_DEV_LIST_PARTIAL) && cmd->runs > 1) {
            uint64_t ga;

            cmd->runs = 1;
            hsl_move_chunk(q, w, &ga);
            cmd->active = false;
        }
        return status ? status : hsl_move_chunk(q, w, fault_ga);
    }
    if (hsl_deviates(q->chip, HSL_DEV_SRC_FIRST) && d->opcode != HSL_OP_FILL) {
        status = operand_check(q, w, 1, &o[1], fault_ga);
        if (status) {
            return status;
        }
    }
    status = operand_check(q, w, 0, &o[0], fault_ga);
    if (status == HSL_ST_RANGE && hsl_deviates(q->chip, HSL_DEV_RANGE_CLIPPED) && d->opcode == HSL_OP_FILL) {
        uint64_t ga;

        cmd->d.len = *fault_ga - d->dst;
        if (!operand_check(q, w, 0, &o[0], &ga)) {
            chunk(q, w, o, true, &ga);
        }
        cmd->active = false;
    }
    if (!status && d->opcode != HSL_OP_FILL) {
        status = operand_check(q, w, 1, &o[1], fault_ga);
    }
    if (!status && hsl_deviates(q->chip, HSL_DEV_READ_TWICE)) {
        hsl_queue_reread(q);
    }
    return status ? status : chunk(q, w, o, true, fault_ga);
}
