// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Operands of commands: from a global address to host memory.
 *
 * hsl_operand_get checks one operand in the order of HEP section 6: segment, range, rights, home. What it finds is good for
 * the section it was found in, so commands of one turn that stay in a segment look it up once: what another look-up would say
 * by now is not in force before the section ends. hsl_span_get then gives host memory for a part of it, at most to the end of
 * what is contiguous: chip memory is, host memory is by pages.
 */
#include <string.h>

#include "engine_priv.h"

static uint32_t resolve_own(struct hsl_chip_engine *c, uint64_t ga, uint64_t len, struct hsl_operand *o,
                            uint64_t *fault_ga)
{
    uint64_t off = HSL_GA_OFFSET(ga);

    o->ga = ga;
    o->seg = NULL;
    o->home = c;
    if (HSL_GA_NODE(ga) != c->cfg.node || off >= c->cfg.mem_bytes) {
        *fault_ga = ga;
        return HSL_ST_SEGMENT;
    }
    if (len > c->cfg.mem_bytes - off) {
        *fault_ga = HSL_GA(c->cfg.node, c->cfg.mem_bytes);
        return HSL_ST_RANGE;
    }
    return HSL_ST_OK;
}

/* For chips that deviate: segments of the contexts that happen to be cached, and memory behind a segment. */
static struct hsl_seg *foreign_segment(struct hsl_chip_engine *c, uint64_t ga)
{
    struct hsl_seg *s = NULL;

    for (uint32_t i = 1; !s && i < atomic_load(&c->ctx_count); i++) {
        struct hsl_ctx *ctx = atomic_load(&c->ctx[i]);

        s = ctx && ctx->valid ? hsl_seg_find(ctx, ga) : NULL;
    }
    return s && HSL_GA_NODE(ga) == c->cfg.node ? s : NULL;
}

static bool is_own_memory(const struct hsl_chip_engine *c, const struct hsl_seg *s, uint64_t ga, uint64_t len)
{
    return !(s->e.flags & (HSL_SEG_PAGED | HSL_SEG_MODELLED)) && HSL_GA_NODE(ga) == c->cfg.node &&
           len <= c->cfg.mem_bytes - HSL_GA_OFFSET(ga);
}

static struct hsl_found *found_by(struct hsl_queue_engine *q, uint32_t rights)
{
    return &q->found[!!(rights & HSL_SEG_WRITE)];
}

/* Its home has granted bytes [0, end) of the segment, or need not be asked. The rights are among those that were found. */
static bool granted(const struct hsl_seg *s, uint32_t rights, uint64_t end)
{
    return s->e.flags & HSL_SEG_PAGED || ((!(rights & HSL_SEG_READ) || atomic_load(&s->grant_len[0]) >= end) &&
                                          (!(rights & HSL_SEG_WRITE) || atomic_load(&s->grant_len[1]) >= end));
}

/* A home that is being reset is looked up again. */
static bool found_again(struct hsl_queue_engine *q, uint64_t ga, uint64_t len, uint32_t rights, struct hsl_operand *o)
{
    const struct hsl_found *was = found_by(q, rights);
    struct hsl_seg *s = was->seg;
    uint64_t off;

    if (!s || rights & ~was->rights || (was->home && !atomic_load(&was->home->enabled))) {
        return false;
    }
    off = ga - s->e.ga;
    if (off >= s->e.len || len > s->e.len - off || !granted(s, rights, off + len)) {
        return false;
    }
    *o = (struct hsl_operand){ .ga = ga, .seg = s, .home = was->home };
    return true;
}

uint32_t hsl_operand_get(struct hsl_queue_engine *q, struct hsl_worker *w, uint64_t ga, uint64_t len, uint32_t rights,
                         struct hsl_operand *o, uint64_t *fault_ga)
{
    struct hsl_chip_engine *c = q->chip;
    struct hsl_ctx *ctx;
    uint64_t off;
    uint32_t status;

    if (!q->qid) {
        return resolve_own(c, ga, len, o, fault_ga);
    }
    if (found_again(q, ga, len, rights, o)) {
        return HSL_ST_OK;
    }
    status = hsl_ctx_get(c, q->ctx, &ctx);
    if (status) {
        if (status == HSL_ST_SEGMENT) {
            *fault_ga = ga;
        }
        return status;
    }
    o->ga = ga;
    o->home = NULL;
    o->seg = hsl_seg_find(ctx, ga);
    *fault_ga = ga;
    if (!o->seg && hsl_deviates(c, HSL_DEV_FOREIGN_SEGMENT)) {
        o->seg = foreign_segment(c, ga);
    }
    if (!o->seg) {
        return hsl_deviates(c, HSL_DEV_NODE_UNREACHABLE) && HSL_GA_NODE(ga) > c->f->cfg.model.nodes ?
               HSL_ST_UNREACHABLE : HSL_ST_SEGMENT;
    }
    off = ga - o->seg->e.ga;
    if (len > o->seg->e.len - off) {
        if (hsl_deviates(c, HSL_DEV_RANGE_IGNORED) && is_own_memory(c, o->seg, ga, len)) {
            o->home = c;
            *fault_ga = 0;
            return HSL_ST_OK;
        }
        *fault_ga = hsl_deviates(c, HSL_DEV_FAULT_GA_FIRST) ? ga : o->seg->e.ga + o->seg->e.len;
        return HSL_ST_RANGE;
    }
    if (rights & ~o->seg->e.flags && !hsl_deviates(c, HSL_DEV_RIGHTS_IGNORED)) {
        return HSL_ST_RIGHTS;
    }
    if (!hsl_conforms(c) && HSL_GA_NODE(ga) != c->cfg.node && !(o->seg->e.flags & HSL_SEG_PAGED) &&
        ((hsl_deviates(c, HSL_DEV_FROM_ABOVE) && rights == HSL_SEG_READ && HSL_GA_NODE(ga) > c->cfg.node) ||
         (hsl_deviates(c, HSL_DEV_NO_WAY) && c->cfg.node == 1 && HSL_GA_NODE(ga) == c->f->cfg.model.nodes))) {
        return HSL_ST_UNREACHABLE;
    }
    if (hsl_deviates(c, HSL_DEV_FOREIGN_SEGMENT) || hsl_deviates(c, HSL_DEV_RIGHTS_IGNORED)) {
        rights = HSL_GA_NODE(ga) == c->cfg.node ? 0 : rights & o->seg->e.flags;     /* its own home says so too */
    }
    if (rights & HSL_SEG_READ) {
        status = hsl_seg_authorise(c, w, q->ctx, ctx, o->seg, false, off + len);
    }
    if (!status && rights & HSL_SEG_WRITE) {
        status = hsl_seg_authorise(c, w, q->ctx, ctx, o->seg, true, off + len);
    }
    /* an entry that goes just now is gone at its home first; here it is SEGMENT as soon as it is gone here too */
    if (status == HSL_ST_DENIED) {
        struct hsl_seg *now = hsl_ctx_get(c, q->ctx, &ctx) ? NULL : hsl_seg_find(ctx, ga);

        if (!now || now->uid != o->seg->uid) {
            status = HSL_ST_SEGMENT;
        }
    }
    if (!status) {
        o->home = o->seg->e.flags & HSL_SEG_PAGED ? NULL : hsl_chip_at(c->f, HSL_GA_NODE(ga));
        *fault_ga = 0;
        if (hsl_conforms(c)) {
            *found_by(q, rights) = (struct hsl_found){ .seg = o->seg, .home = o->home, .rights = rights };
        }
    }
    return status;
}

bool hsl_operand_aligned(const struct hsl_operand *o, uint64_t bytes)
{
    uint64_t at = o->ga;

    if (o->seg && o->seg->e.flags & HSL_SEG_PAGED) {
        at = o->ga - o->seg->e.ga + o->seg->e.page_offset;
    }
    return !(at & (bytes - 1));
}

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

/* At most want bytes at offset off of the operand. False: no translation. */
static bool span_paged(struct hsl_queue_engine *q, unsigned int which, const struct hsl_operand *o, uint64_t off,
                       uint64_t want, bool write, struct hsl_span *s)
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

bool hsl_span_get(struct hsl_queue_engine *q, unsigned int which, const struct hsl_operand *o, uint64_t off,
                  uint64_t want, bool write, struct hsl_span *s)
{
    if (!o->home) {
        return span_paged(q, which, o, off, want, write, s);
    }
    s->host = (char *)o->home->cfg.mem + HSL_GA_OFFSET(o->ga) + off;
    s->len = want;
    s->mapped = false;
    if (hsl_deviates(q->chip, HSL_DEV_MEMORY_SWAPPED)) {
        uint64_t at = HSL_GA_OFFSET(o->ga) + off;

        s->host = (char *)o->home->cfg.mem + (at ^ HSL_TABLE_PAGE);
        s->len = want < HSL_TABLE_PAGE - at % HSL_TABLE_PAGE ? want : HSL_TABLE_PAGE - at % HSL_TABLE_PAGE;
    }
    return true;
}

void hsl_span_put(struct hsl_queue_engine *q, struct hsl_span *s, bool write, uint64_t touched)
{
    if (s->mapped) {
        q->chip->cfg.ops->dma_unmap(q->chip->cfg.opaque, s->host, s->len, write, write ? touched : 0);
    }
}

uint32_t hsl_word_get(struct hsl_queue_engine *q, const struct hsl_operand *o, uint64_t len, bool write,
                      struct hsl_span *s, uint64_t *fault_ga)
{
    *fault_ga = o->ga;
    if (!hsl_operand_aligned(o, len)) {
        return HSL_ST_ALIGN;
    }
    if (!hsl_span_get(q, !write, o, 0, len, write, s)) {
        return HSL_ST_DMA;
    }
    if (s->len < len) {
        hsl_span_put(q, s, write, 0);
        return HSL_ST_DMA;
    }
    *fault_ga = 0;
    return HSL_ST_OK;
}

/* One access of 1, 2, 4 or 8 aligned bytes. */
static void access_one(void *host, uint8_t *buf, uint64_t len, bool write)
{
    switch (len) {
#define ACCESS(bytes, type) \
    case bytes: { \
        type v; \
        if (write) { \
            memcpy(&v, buf, bytes); \
            __atomic_store_n((type *)host, v, __ATOMIC_SEQ_CST); \
        } else { \
            v = __atomic_load_n((type *)host, __ATOMIC_SEQ_CST); \
            memcpy(buf, &v, bytes); \
        } \
        break; \
    }
    ACCESS(1, uint8_t)
    ACCESS(2, uint16_t)
    ACCESS(4, uint32_t)
    ACCESS(8, uint64_t)
#undef ACCESS
    }
}

/* Words that are aligned on both sides are read and written as such: somebody may change them meanwhile. */
static void access_bytes(void *host, uint8_t *buf, uint64_t len, bool write)
{
    if (((uintptr_t)host | (uintptr_t)buf | len) & 7) {
        memcpy(write ? host : buf, write ? buf : host, len);
        return;
    }
    for (uint64_t at = 0; at < len; at += 8) {
        access_one((uint8_t *)host + at, buf + at, 8, write);
    }
}

uint32_t hsl_operand_bytes(struct hsl_queue_engine *q, unsigned int which, const struct hsl_operand *o, uint64_t off,
                           void *buf, uint64_t len, bool write, uint64_t *fault_ga)
{
    uint8_t *p = buf;
    struct hsl_span s;

    if (hsl_operand_modelled(o)) {
        unsigned int flags = write ? HSL_MODELLED_WRITE : 0;

        flags |= o->seg->e.flags & HSL_SEG_NONCOHERENT ? HSL_MODELLED_NONCOHERENT : 0;
        if (hsl_deviates(q->chip, HSL_DEV_DONE_EARLY) ||
            (hsl_deviates(q->chip, HSL_DEV_ACQ_REL_EARLY) && q->cmd.d.order == HSL_ORDER_ACQ_REL)) {
            flags |= HSL_MODELLED_HASTY;
        }
        return hsl_modelled_bytes(q->chip->f, (uint16_t)q->chip->cfg.node, o->ga + off, buf, len, flags, fault_ga);
    }
    for (uint64_t at = 0; at < len; at += s.len) {
        if (!hsl_span_get(q, which, o, off + at, len - at, write, &s)) {
            *fault_ga = o->ga + off + at;
            return HSL_ST_DMA;
        }
        if (write && len == 8 && hsl_deviates(q->chip, HSL_DEV_STORE_TORN)) {
            memcpy(s.host, p, 4);
            hsl_deviant_pause();
            memcpy((uint8_t *)s.host + 4, p + 4, s.len < 8 ? 0 : 4);
        } else if (s.len == len && len <= 8 && !(len & (len - 1)) && !((uintptr_t)s.host & (len - 1))) {
            access_one(s.host, p, len, write);
        } else {
            access_bytes(s.host, p + at, s.len, write);
        }
        hsl_span_put(q, &s, write, s.len);
        if (write) {
            hsl_operand_written(o, off + at, s.len);
        }
    }
    return HSL_ST_OK;
}

void hsl_operand_written(const struct hsl_operand *o, uint64_t off, uint64_t len)
{
    if (o->home && o->home->cfg.ops->mem_written) {
        o->home->cfg.ops->mem_written(o->home->cfg.opaque, HSL_GA_OFFSET(o->ga) + off, len);
    }
}
