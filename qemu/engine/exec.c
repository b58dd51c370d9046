// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Commands that move data: checks before the first byte, then chunks.
 *
 * A chunk is at most 64 KiB and lies in one section. Each chunk looks its operands up again: the segment found must
 * be the one found at the start (same uid), and its grant must still hold, else the command ends with REVOKED. Nothing
 * host-side is kept from chunk to chunk, so a segment, a page or a chip can go between any two of them.
 *
 * Overlap is by GA (HEP-TXN-005): when dst lies inside [src, src + len) of one node the chunks run from the end.
 * Two segments over the same host page are different GAs; copying between them is safe, its order undefined.
 */
#include <string.h>

#include "engine_priv.h"

/* An operand of the running chunk. */
struct operand {
    uint64_t ga;
    struct hsl_seg *seg;                /* NULL: the admin queue's own memory */
    struct hsl_chip_engine *home;       /* NULL: host memory */
};

/* Host memory for part of an operand. */
struct span {
    void *host;
    uint64_t len;
    bool mapped;
};

static uint64_t fail_ga(uint64_t ga, uint64_t *fault_ga)
{
    *fault_ga = ga;
    return ga;
}

/* ---- checks ---- */

static uint32_t resolve_own(struct hsl_chip_engine *c, uint64_t ga, uint64_t len, struct operand *o,
                            uint64_t *fault_ga)
{
    uint64_t off = HSL_GA_OFFSET(ga);

    o->ga = ga;
    o->seg = NULL;
    o->home = c;
    if (HSL_GA_NODE(ga) != c->cfg.node || off >= c->cfg.mem_bytes) {
        fail_ga(ga, fault_ga);
        return HSL_ST_SEGMENT;
    }
    if (len > c->cfg.mem_bytes - off) {
        fail_ga(HSL_GA(c->cfg.node, c->cfg.mem_bytes), fault_ga);
        return HSL_ST_RANGE;
    }
    return HSL_ST_OK;
}

static uint32_t resolve(struct hsl_queue_engine *q, struct hsl_worker *w, uint64_t ga, uint64_t len, bool write,
                        struct operand *o, uint64_t *fault_ga)
{
    struct hsl_chip_engine *c = q->chip;
    struct hsl_ctx *ctx;
    uint64_t end;
    uint32_t status;

    if (!q->qid) {
        return resolve_own(c, ga, len, o, fault_ga);
    }
    status = hsl_ctx_get(c, q->ctx, &ctx);
    if (status) {
        if (status == HSL_ST_SEGMENT) {
            fail_ga(ga, fault_ga);
        }
        return status;
    }
    o->ga = ga;
    o->home = NULL;
    o->seg = hsl_seg_find(ctx, ga);
    fail_ga(ga, fault_ga);
    if (!o->seg) {
        return HSL_ST_SEGMENT;
    }
    end = ga - o->seg->e.ga;
    if (len > o->seg->e.len - end) {
        fail_ga(o->seg->e.ga + o->seg->e.len, fault_ga);
        return HSL_ST_RANGE;
    }
    if (!(o->seg->e.flags & (write ? HSL_SEG_WRITE : HSL_SEG_READ))) {
        return HSL_ST_RIGHTS;
    }
    status = hsl_seg_authorise(c, w, q->ctx, ctx, o->seg, write, end + len);
    if (!status) {
        o->home = o->seg->e.flags & HSL_SEG_PAGED ? NULL : hsl_chip_at(c->f, HSL_GA_NODE(ga));
        *fault_ga = 0;
    }
    return status;
}

static uint32_t check_fields(struct hsl_queue_engine *q)
{
    const struct hsl_desc *d = &q->cmd.d;
    bool zero = !d->flags && !d->subop && !d->rsvd0 && !d->rsvd1 && d->order <= HSL_ORDER_RELAXED;

    switch (d->opcode) {
    case HSL_OP_NOP:
        zero = zero && !d->dst && !d->src && !d->len && !d->arg0 && !d->arg1;
        break;
    case HSL_OP_COPY:
        zero = zero && !d->arg0 && !d->arg1;
        break;
    case HSL_OP_FILL:
        zero = zero && !d->src && !d->arg1;
        break;
    case HSL_OP_CTX_INVALIDATE:
    case HSL_OP_QUEUE_DESTROY:
        zero = zero && !d->dst && !d->src && !d->len && !d->arg1;
        break;
    case HSL_OP_SEG_INVALIDATE:
        zero = zero && !d->dst && !d->src && !d->len;
        break;
    case HSL_OP_QUEUE_CREATE:
        zero = zero && !d->len && !(d->arg0 >> 40) && !(d->arg1 >> 32);
        break;
    default:
        return HSL_ST_OPCODE;
    }
    if (d->opcode >= HSL_OP_CTX_INVALIDATE && q->qid) {
        return HSL_ST_OPCODE;
    }
    return zero ? HSL_ST_OK : HSL_ST_FIELD;
}

/* ---- spans: host memory behind an operand ---- */

static bool pte_at(struct hsl_queue_engine *q, unsigned int which, const struct hsl_seg *s, uint64_t page,
                   uint64_t *iova)
{
    struct hsl_chip_engine *c = q->chip;
    struct hsl_leaf *leaf = &q->leaf[which];
    uint64_t index = page / HSL_PTES_PER_TABLE, table = s->e.pages, pte;

    if (leaf->uid != s->uid || leaf->index != index) {
        leaf->uid = 0;
        for (unsigned int level = s->e.page_levels; level > 1; level--) {
            uint64_t slot = page >> (9 * (level - 1)) & (HSL_PTES_PER_TABLE - 1);

            if (!hsl_dma_read(c, table + slot * 8, &pte, sizeof(pte)) || !(pte & HSL_PTE_VALID)) {
                return false;
            }
            table = HSL_PTE_IOVA(pte);
        }
        if (!hsl_dma_read(c, table, leaf->pte, sizeof(leaf->pte))) {
            return false;
        }
        leaf->uid = s->uid;
        leaf->index = index;
    }
    pte = leaf->pte[page % HSL_PTES_PER_TABLE];
    *iova = HSL_PTE_IOVA(pte);
    return pte & HSL_PTE_VALID;
}

/* At most want bytes at offset off of the operand's segment; from the end if backward. False: no translation. */
static bool span_paged(struct hsl_queue_engine *q, unsigned int which, const struct operand *o, uint64_t off,
                       uint64_t want, bool write, struct span *s)
{
    struct hsl_chip_engine *c = q->chip;
    uint64_t page_bytes = 1ull << o->seg->e.page_shift;
    uint64_t at = o->ga - o->seg->e.ga + o->seg->e.page_offset + off;
    uint64_t page = at >> o->seg->e.page_shift, iova, next;

    if (!pte_at(q, which, o->seg, page, &iova)) {
        return false;
    }
    s->len = page_bytes - (at & (page_bytes - 1));
    while (s->len < want && pte_at(q, which, o->seg, page + 1, &next) && next == iova + page_bytes) {
        s->len += page_bytes;
        iova = next;
        page++;
    }
    if (s->len > want) {
        s->len = want;
    }
    /* iova moved with the pages joined; go back to the first byte */
    iova = iova - ((page << o->seg->e.page_shift) - at);
    s->host = c->cfg.ops->dma_map(c->cfg.opaque, iova, &s->len, write);
    s->mapped = true;
    return s->host;
}

static bool span_get(struct hsl_queue_engine *q, unsigned int which, const struct operand *o, uint64_t off,
                     uint64_t want, bool write, struct span *s)
{
    if (!o->home) {
        return span_paged(q, which, o, off, want, write, s);
    }
    s->host = (char *)o->home->cfg.mem + HSL_GA_OFFSET(o->ga) + off;
    s->len = want;
    s->mapped = false;
    return true;
}

static void span_put(struct hsl_queue_engine *q, struct span *s, bool write, uint64_t touched)
{
    if (s->mapped) {
        q->chip->cfg.ops->dma_unmap(q->chip->cfg.opaque, s->host, s->len, write, write ? touched : 0);
    }
}

/* In backward copies a piece must end where the chunk ends and start in one page of each operand. */
static uint64_t backward_piece(const struct operand *o, uint64_t off, uint64_t want)
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

/* ---- chunks ---- */

/* Host memory for the same bytes of both operands, from off on; *len in: wanted, out: got. */
static uint32_t spans_get(struct hsl_queue_engine *q, const struct operand *dst, const struct operand *src,
                          uint64_t off, uint64_t *len, struct span *d, struct span *s, uint64_t *fault_ga)
{
    if (!span_get(q, 0, dst, off, *len, true, d)) {
        fail_ga(dst->ga + off, fault_ga);
        return HSL_ST_DMA;
    }
    *len = d->len;
    if (src) {
        if (!span_get(q, 1, src, off, *len, false, s)) {
            span_put(q, d, true, 0);
            fail_ga(src->ga + off, fault_ga);
            return HSL_ST_DMA;
        }
        *len = s->len < *len ? s->len : *len;
    }
    return HSL_ST_OK;
}

/* One piece at offset off of both operands, its end if the command runs backward; *len in: wanted, out: done. */
static uint32_t move_piece(struct hsl_queue_engine *q, const struct operand *dst, const struct operand *src,
                           uint64_t off, uint64_t *len, uint64_t *fault_ga)
{
    struct span d, s;
    uint64_t n;

    for (;;) {
        uint32_t status;

        n = *len;
        status = spans_get(q, dst, src, off, &n, &d, &s, fault_ga);
        if (status) {
            return status;
        }
        if (!q->cmd.backward || n == *len) {
            break;
        }
        /* a page whose parts lie apart (an IOMMU's pages are smaller): the last part goes first */
        span_put(q, &d, true, 0);
        span_put(q, &s, false, 0);
        off += n;
        *len -= n;
    }
    if (src) {
        memmove(d.host, s.host, n);
        span_put(q, &s, false, 0);
    } else {
        fill_bytes(d.host, n, q->cmd.d.arg0, off & 7);
    }
    span_put(q, &d, true, n);
    if (dst->home && dst->home->cfg.ops->mem_written) {
        dst->home->cfg.ops->mem_written(dst->home->cfg.opaque, HSL_GA_OFFSET(dst->ga) + off, n);
    }
    *len = n;
    return HSL_ST_OK;
}

static uint32_t look_again(struct hsl_queue_engine *q, struct hsl_worker *w, unsigned int which, struct operand *o,
                           uint64_t *fault_ga)
{
    const struct hsl_desc *d = &q->cmd.d;
    uint32_t status = resolve(q, w, which ? d->src : d->dst, d->len, !which, o, fault_ga);

    if (status == HSL_ST_UNREACHABLE) {
        return status;
    }
    if (status || (o->seg && o->seg->uid != q->cmd.uid[which])) {
        fail_ga(which ? d->src : d->dst, fault_ga);
        return HSL_ST_REVOKED;
    }
    return HSL_ST_OK;
}

static uint32_t move_chunk(struct hsl_queue_engine *q, const struct operand *dst, const struct operand *src,
                           uint64_t *fault_ga)
{
    struct hsl_cmd *cmd = &q->cmd;
    uint64_t left = cmd->d.len - cmd->done, chunk = left < HSL_CHUNK_BYTES ? left : HSL_CHUNK_BYTES;

    while (chunk) {
        uint64_t n = chunk, off = cmd->done;
        uint32_t status;

        if (cmd->backward) {
            n = backward_piece(dst, cmd->d.len - cmd->done - n, n);
            n = backward_piece(src, cmd->d.len - cmd->done - n, n);
            off = cmd->d.len - cmd->done - n;
        }
        status = move_piece(q, dst, src, off, &n, fault_ga);
        if (status) {
            return status;
        }
        cmd->done += n;
        chunk -= n;
    }
    cmd->active = cmd->done != cmd->d.len;
    return HSL_ST_OK;
}

uint32_t hsl_exec_start(struct hsl_queue_engine *q, struct hsl_worker *w, uint64_t *fault_ga)
{
    struct hsl_cmd *cmd = &q->cmd;
    const struct hsl_desc *d = &cmd->d;
    struct operand dst, src;
    uint32_t status = check_fields(q);

    if (status || d->opcode == HSL_OP_NOP) {
        return status;
    }
    if (d->opcode >= HSL_OP_CTX_INVALIDATE) {
        return hsl_admin_exec(q, w);
    }
    if (d->len > q->chip->cfg.max_len) {
        return HSL_ST_LENGTH;
    }
    if (!d->len) {
        return HSL_ST_OK;
    }
    status = resolve(q, w, d->dst, d->len, true, &dst, fault_ga);
    if (status) {
        return status;
    }
    cmd->uid[0] = dst.seg ? dst.seg->uid : 0;
    cmd->backward = false;
    if (d->opcode == HSL_OP_COPY) {
        status = resolve(q, w, d->src, d->len, false, &src, fault_ga);
        if (status) {
            return status;
        }
        cmd->uid[1] = src.seg ? src.seg->uid : 0;
        cmd->backward = d->dst > d->src && d->dst - d->src < d->len;
    }
    cmd->active = true;
    /* the checks were made in this section: they hold for the first chunk */
    return move_chunk(q, &dst, d->opcode == HSL_OP_COPY ? &src : NULL, fault_ga);
}

uint32_t hsl_exec_chunk(struct hsl_queue_engine *q, struct hsl_worker *w, uint64_t *fault_ga)
{
    bool copy = q->cmd.d.opcode == HSL_OP_COPY;
    struct operand dst, src;
    uint32_t status = look_again(q, w, 0, &dst, fault_ga);

    if (!status && copy) {
        status = look_again(q, w, 1, &src, fault_ga);
    }
    return status ? status : move_chunk(q, &dst, copy ? &src : NULL, fault_ga);
}
