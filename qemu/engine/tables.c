// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * CONTEXT and SEGMENT tables as a chip sees them, and the home's word on each segment.
 *
 * A context is cached whole at its first use: its valid segment entries, sorted by GA. SEG_INVALIDATE reads one
 * entry again and publishes a new array; CTX_INVALIDATE drops the context. Readers are inside sections, so what
 * was replaced is freed after a synchronize. Entries that break the rules of proto.h are treated as invalid. A context
 * entry or directory that cannot be read counts as empty but is not cached: bus mastering may be back next time.
 *
 * The driver may be storing an entry while it is read. It makes the first word (flags, epoch) zero, stores the rest, then
 * the first word. Words are read upwards with acquire and the first one again at the end: if both agree the entry is
 * whole, else it counts as invalid, and the invalidation that must follow reads it again.
 *
 * A grant is an answer of the home node, good while the home's generation stays (HEP-SEC-003). Every
 * invalidation, reset and departure at the home moves its generation before it synchronizes; a chunk that saw
 * the old one is over by the end of that.
 */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "engine_priv.h"

static void copy_words(void *dst, const void *src, uint64_t n)
{
    uint64_t *d = dst;
    const uint64_t *s = src;

    if (((uintptr_t)dst | (uintptr_t)src | n) % sizeof(*s)) {
        memcpy(dst, src, n);
        return;
    }
    for (uint64_t i = 0; i < n / sizeof(*s); i++) {
        d[i] = __atomic_load_n(&s[i], __ATOMIC_ACQUIRE);
    }
}

bool hsl_dma_read(struct hsl_chip_engine *c, uint64_t iova, void *buf, uint64_t len)
{
    char *dst = buf;

    while (len) {
        uint64_t n = len;
        void *p;

        if (iova > UINT64_MAX - len) {
            return false;
        }
        p = c->cfg.ops->dma_map(c->cfg.opaque, iova, &n, false);
        if (!p) {
            return false;
        }
        copy_words(dst, p, n);
        c->cfg.ops->dma_unmap(c->cfg.opaque, p, n, false, 0);
        dst += n;
        iova += n;
        len -= n;
    }
    return true;
}

/* n entries of 64 bytes; one that changed meanwhile has its first word, and so its flags, zero. */
static bool entries_read(struct hsl_chip_engine *c, uint64_t iova, void *entries, unsigned int n)
{
    uint64_t *e = entries, again[HSL_SEGS_PER_LEAF * 8];

    if (!hsl_dma_read(c, iova, e, n * 64ull) || !hsl_dma_read(c, iova, again, n * 64ull)) {
        return false;
    }
    for (unsigned int i = 0; i < n; i++) {
        if (e[i * 8] != again[i * 8]) {
            e[i * 8] = 0;
        }
    }
    return true;
}

/* ---- one entry ---- */

static const char *entry_fault(struct hsl_chip_engine *c, const struct hsl_seg_entry *e)
{
    uint64_t off = HSL_GA_OFFSET(e->ga);
    uint32_t node = HSL_GA_NODE(e->ga);

    if (e->flags & ~HSL_SEG_ALL || e->rsvd0 || e->rsvd1[0] || e->rsvd1[1] || e->rsvd1[2]) {
        return "reserved bits";
    }
    if (e->flags & HSL_SEG_MODELLED && !(c->cap & HSL_CAP_MODELLED)) {
        return "modelled, but the chip cannot";
    }
    if ((e->flags & HSL_SEG_MODELLED && e->flags & HSL_SEG_PAGED) ||
        (e->flags & HSL_SEG_NONCOHERENT && !(e->flags & HSL_SEG_MODELLED))) {
        return "modelled is chip memory, and noncoherent is modelled";
    }
    if (!e->len || e->len > HSL_GA_OFFSET_MASK + 1 - off) {
        return "length";
    }
    if (!(e->flags & HSL_SEG_PAGED)) {
        if (!node || node > c->f->cfg.model.nodes) {
            return "node";
        }
        if (node == c->cfg.node && (off > c->cfg.mem_bytes || e->len > c->cfg.mem_bytes - off)) {
            return "range outside the chip's memory";
        }
        return NULL;
    }
    if (node != c->f->cfg.model.host_node) {
        return "paged, but not of this host";
    }
    if (e->page_shift < 12 || e->page_shift > 30 || e->page_levels < 1 || e->page_levels > 4 ||
        e->page_offset >> e->page_shift || e->pages & (HSL_TABLE_PAGE - 1)) {
        return "page table shape";
    }
    /* pages the tree can hold: 512^levels; beyond 48 bits of bytes nothing can be missing */
    if (9 * e->page_levels + e->page_shift < 48 &&
        e->len + e->page_offset > 1ull << (9 * e->page_levels + e->page_shift)) {
        return "longer than its page table";
    }
    return NULL;
}

static struct hsl_seg *seg_new(struct hsl_chip_engine *c, const struct hsl_seg_entry *e, uint32_t handle)
{
    const char *fault;
    struct hsl_seg *s;

    if (!handle || !(e->flags & HSL_SEG_VALID)) {
        return NULL;
    }
    fault = entry_fault(c, e);
    if (fault) {
        hsl_guest_error(c, "segment entry %u: %s", handle, fault);
        return NULL;
    }
    s = calloc(1, sizeof(*s));
    if (s) {
        s->e = *e;
        s->handle = handle;
        s->uid = atomic_fetch_add(&c->f->next_uid, 1);
    }
    return s;
}

/* ---- arrays ---- */

static int by_ga(const void *a, const void *b)
{
    uint64_t x = (*(struct hsl_seg *const *)a)->e.ga, y = (*(struct hsl_seg *const *)b)->e.ga;

    return x < y ? -1 : x > y;
}

static struct hsl_seg_array *array_new(uint32_t count)
{
    struct hsl_seg_array *a = malloc(sizeof(*a) + count * sizeof(a->seg[0]));

    if (a) {
        a->count = 0;
    }
    return a;
}

/* First index whose ga is above. */
static uint32_t array_above(const struct hsl_seg_array *a, uint64_t ga)
{
    uint32_t lo = 0, hi = a->count;

    while (lo < hi) {
        uint32_t mid = (lo + hi) / 2;

        if (a->seg[mid]->e.ga <= ga) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo;
}

struct hsl_seg *hsl_seg_find(struct hsl_ctx *ctx, uint64_t ga)
{
    struct hsl_seg_array *a = atomic_load_explicit(&ctx->segs, memory_order_acquire);
    uint32_t i = a ? array_above(a, ga) : 0;

    return i && ga - a->seg[i - 1]->e.ga < a->seg[i - 1]->e.len ? a->seg[i - 1] : NULL;
}

/* ---- by handle; under tables_lock ---- */

static struct hsl_seg **handle_slot(struct hsl_ctx *ctx, uint32_t handle, bool make)
{
    struct hsl_seg ***leaf = &ctx->by_handle[handle / HSL_SEGS_PER_LEAF];

    if (!*leaf && make) {
        *leaf = calloc(HSL_SEGS_PER_LEAF, sizeof(**leaf));
    }
    return *leaf ? &(*leaf)[handle % HSL_SEGS_PER_LEAF] : NULL;
}

static struct hsl_seg *handle_get(struct hsl_ctx *ctx, uint32_t handle)
{
    struct hsl_seg **slot = handle_slot(ctx, handle, false);

    return slot ? *slot : NULL;
}

static void array_free(struct hsl_seg_array *a)
{
    for (uint32_t i = 0; a && i < a->count; i++) {
        free(a->seg[i]);
    }
    free(a);
}

/* Give ctx all valid segments of its directory. False: no memory, or the tables cannot be read. */
static bool load_segments(struct hsl_chip_engine *c, struct hsl_ctx *ctx)
{
    uint64_t dir[HSL_SEG_DIR_LEAVES];
    struct hsl_seg_entry leaf[HSL_SEGS_PER_LEAF];
    struct hsl_seg_array *a = array_new(0), *grown;
    uint32_t kept = 0;

    if (!a) {
        return false;
    }
    if (!ctx->seg_dir) {
        atomic_store(&ctx->segs, a);
        return true;
    }
    if (!hsl_dma_read(c, ctx->seg_dir, dir, sizeof(dir))) {
        hsl_guest_error(c, "segment directory at 0x%llx cannot be read", (unsigned long long)ctx->seg_dir);
        array_free(a);
        return false;
    }
    for (uint32_t l = 0; l < HSL_SEG_DIR_LEAVES; l++) {
        if (!dir[l]) {
            continue;
        }
        if (!entries_read(c, dir[l], leaf, HSL_SEGS_PER_LEAF)) {
            hsl_guest_error(c, "segment leaf at 0x%llx cannot be read", (unsigned long long)dir[l]);
            if (!atomic_load(&c->dma_on)) {
                array_free(a);
                return false;
            }
            continue;           /* its entries are invalid */
        }
        if (a->count + HSL_SEGS_PER_LEAF > HSL_CACHED_SEGS_MAX - c->cached_segs) {
            hsl_guest_error(c, "more than %u segments in use", HSL_CACHED_SEGS_MAX);
            array_free(a);
            return false;
        }
        grown = realloc(a, sizeof(*a) + (a->count + HSL_SEGS_PER_LEAF) * sizeof(a->seg[0]));
        if (!grown) {
            array_free(a);
            return false;
        }
        a = grown;
        for (uint32_t i = 0; i < HSL_SEGS_PER_LEAF; i++) {
            struct hsl_seg *s = seg_new(c, &leaf[i], l * HSL_SEGS_PER_LEAF + i);

            if (s) {
                a->seg[a->count++] = s;
            }
        }
    }
    qsort(a->seg, a->count, sizeof(a->seg[0]), by_ga);
    for (uint32_t i = 0; i < a->count; i++) {
        struct hsl_seg *s = a->seg[i];

        if (kept && s->e.ga - a->seg[kept - 1]->e.ga < a->seg[kept - 1]->e.len) {
            hsl_guest_error(c, "segment entry %u overlaps entry %u", s->handle, a->seg[kept - 1]->handle);
            free(s);
        } else {
            a->seg[kept++] = s;
        }
    }
    a->count = kept;
    for (uint32_t i = 0; i < kept; i++) {
        struct hsl_seg **slot = handle_slot(ctx, a->seg[i]->handle, true);

        if (!slot) {
            array_free(a);
            return false;
        }
        *slot = a->seg[i];
    }
    c->cached_segs += kept;
    atomic_store(&ctx->segs, a);
    return true;
}

/* ---- contexts ---- */

uint32_t hsl_ctx_get(struct hsl_chip_engine *c, uint32_t index, struct hsl_ctx **out)
{
    struct hsl_ctx_entry e;
    struct hsl_ctx *ctx;
    uint32_t status = HSL_ST_INTERNAL;

    *out = NULL;
    if (!index || index >= atomic_load(&c->ctx_count)) {
        return HSL_ST_CONTEXT;
    }
    ctx = atomic_load_explicit(&c->ctx[index], memory_order_acquire);
    if (ctx) {
        *out = ctx;
        return ctx->valid ? HSL_ST_OK : HSL_ST_CONTEXT;
    }
    pthread_mutex_lock(&c->tables_lock);
    ctx = atomic_load(&c->ctx[index]);
    if (!ctx && (ctx = calloc(1, sizeof(*ctx)))) {
        if (!entries_read(c, atomic_load(&c->ctx_table) + (uint64_t)index * sizeof(e), &e, 1)) {
            hsl_guest_error(c, "context entry %u cannot be read", index);
            status = HSL_ST_CONTEXT;
            hsl_ctx_free(ctx);
            ctx = NULL;
        } else if (e.flags & HSL_CTX_VALID) {
            ctx->valid = e.flags == HSL_CTX_VALID && !e.rsvd0 && e.key && !(e.seg_dir & (HSL_TABLE_PAGE - 1));
            ctx->key = e.key;
            ctx->seg_dir = e.seg_dir;
            if (!ctx->valid) {
                hsl_guest_error(c, "context entry %u: reserved bits, key or directory", index);
            } else if (!load_segments(c, ctx)) {
                status = HSL_ST_SEGMENT;
                hsl_ctx_free(ctx);      /* not cached: the next use tries again */
                ctx = NULL;
            }
        }
        atomic_store_explicit(&c->ctx[index], ctx, memory_order_release);
    }
    pthread_mutex_unlock(&c->tables_lock);
    *out = ctx;
    return ctx ? (ctx->valid ? HSL_ST_OK : HSL_ST_CONTEXT) : status;
}

void hsl_ctx_free(struct hsl_ctx *ctx)
{
    if (!ctx) {
        return;
    }
    array_free(atomic_load(&ctx->segs));
    for (uint32_t l = 0; l < HSL_SEG_DIR_LEAVES; l++) {
        free(ctx->by_handle[l]);
    }
    free(ctx);
}

struct hsl_ctx *hsl_ctx_drop(struct hsl_chip_engine *c, uint32_t index)
{
    struct hsl_ctx *old;

    pthread_mutex_lock(&c->tables_lock);
    old = atomic_exchange(&c->ctx[index], NULL);
    if (old && atomic_load(&old->segs)) {
        c->cached_segs -= atomic_load(&old->segs)->count;
    }
    pthread_mutex_unlock(&c->tables_lock);
    return old;
}

static struct hsl_seg *seg_read(struct hsl_chip_engine *c, struct hsl_ctx *ctx, uint32_t handle)
{
    uint64_t leaf = 0;
    struct hsl_seg_entry e;

    if (!ctx->seg_dir || !hsl_dma_read(c, ctx->seg_dir + handle / HSL_SEGS_PER_LEAF * 8, &leaf, sizeof(leaf)) ||
        !leaf || !entries_read(c, leaf + handle % HSL_SEGS_PER_LEAF * sizeof(e), &e, 1)) {
        return NULL;
    }
    return seg_new(c, &e, handle);
}

/* Publish an array without `old` (may be NULL) and with `fresh` (may be NULL). False without memory. */
static bool array_replace(struct hsl_chip_engine *c, struct hsl_ctx *ctx, struct hsl_seg *old, struct hsl_seg **fresh)
{
    struct hsl_seg_array *a = atomic_load(&ctx->segs), *b = array_new(a->count + 1);
    struct hsl_seg *s = *fresh, **slot = s ? handle_slot(ctx, s->handle, true) : NULL;
    uint32_t at;

    if (!b || (s && !slot)) {
        free(b);
        return false;
    }
    at = old ? array_above(a, old->e.ga) - 1 : a->count;
    memcpy(b->seg, a->seg, at * sizeof(a->seg[0]));
    if (old) {
        memcpy(&b->seg[at], &a->seg[at + 1], (a->count - at - 1) * sizeof(a->seg[0]));
        *handle_slot(ctx, old->handle, false) = NULL;
    }
    b->count = a->count - !!old;
    if (s) {
        at = array_above(b, s->e.ga);
        if ((at && s->e.ga - b->seg[at - 1]->e.ga < b->seg[at - 1]->e.len) ||
            (at < b->count && b->seg[at]->e.ga - s->e.ga < s->e.len)) {
            hsl_guest_error(c, "segment entry %u overlaps another", s->handle);
            free(s);
            *fresh = NULL;
        } else {
            memmove(&b->seg[at + 1], &b->seg[at], (b->count - at) * sizeof(b->seg[0]));
            b->seg[at] = s;
            b->count++;
            *slot = s;
        }
    }
    c->cached_segs += b->count - a->count;
    atomic_store_explicit(&ctx->segs, b, memory_order_release);
    return true;
}

struct hsl_stale hsl_seg_reload(struct hsl_chip_engine *c, uint32_t index, uint32_t handle)
{
    struct hsl_stale stale = { NULL, NULL };
    struct hsl_ctx *ctx;
    struct hsl_seg_array *a;
    struct hsl_seg *old, *fresh;

    pthread_mutex_lock(&c->tables_lock);
    ctx = atomic_load(&c->ctx[index]);
    a = ctx && ctx->valid ? atomic_load(&ctx->segs) : NULL;
    if (!a) {
        pthread_mutex_unlock(&c->tables_lock);
        return stale;
    }
    old = handle_get(ctx, handle);
    fresh = seg_read(c, ctx, handle);
    if (old && !fresh && hsl_deviates(c, HSL_DEV_INVALIDATE_LOST)) {
        pthread_mutex_unlock(&c->tables_lock);
        return stale;
    }
    if (fresh && !old && c->cached_segs >= HSL_CACHED_SEGS_MAX) {
        hsl_guest_error(c, "more than %u segments in use", HSL_CACHED_SEGS_MAX);
        free(fresh);            /* counts as invalid: the rest of its context works on */
        fresh = NULL;
    }
    if (old && fresh && !(old->e.flags & HSL_SEG_PAGED) && !memcmp(&old->e, &fresh->e, sizeof(old->e))) {
        free(fresh);            /* the same: running commands go on. A PAGE table may differ behind an equal entry. */
    } else if (old || fresh) {
        if (array_replace(c, ctx, old, &fresh)) {
            stale.array = a;
            stale.seg = old;
        } else {
            /* no memory: nothing of this context may be used any more */
            ctx->valid = false;
            free(fresh);
        }
    }
    pthread_mutex_unlock(&c->tables_lock);
    return stale;
}

void hsl_stale_free(struct hsl_stale s)
{
    free(s.array);
    free(s.seg);
}

/* ---- the home's side of AUTH ---- */

static uint32_t home_answer(struct hsl_fabric_engine *f, const struct hsl_pkt_req *req, uint64_t *value)
{
    struct hsl_chip_engine *home = hsl_chip_at(f, req->dst);
    uint64_t ga = HSL_GA(req->dst, HSL_GA_OFFSET(req->addr));
    uint32_t index = req->ctx_seg >> 16, handle = req->ctx_seg & 0xffff, need = 0, status;
    struct hsl_ctx *ctx;
    struct hsl_seg *s;

    *value = 0;
    if (!home || !atomic_load(&home->enabled)) {
        return home && hsl_deviates(home, HSL_DEV_RESET_DENIES) ? HSL_ST_DENIED : HSL_ST_UNREACHABLE;
    }
    if (!atomic_load(&home->dma_on) && index < home->cfg.ncontexts && !atomic_load(&home->ctx[index])) {
        return HSL_ST_UNREACHABLE;      /* without DMA it cannot look into its tables */
    }
    status = hsl_ctx_get(home, index, &ctx);
    if (status) {
        return HSL_ST_DENIED;
    }
    if (ctx->key != req->key && !hsl_deviates(home, HSL_DEV_HOME_KEY)) {
        return HSL_ST_DENIED;
    }
    need |= req->flags & HSL_PKT_F_READ ? HSL_SEG_READ : 0;
    need |= req->flags & HSL_PKT_F_WRITE ? HSL_SEG_WRITE : 0;
    s = hsl_seg_find(ctx, ga);
    if (!s || s->handle != handle || (s->e.epoch != req->epoch && !hsl_deviates(home, HSL_DEV_HOME_EPOCH)) ||
        s->e.flags & HSL_SEG_PAGED || ((s->e.flags & need) != need && !hsl_deviates(home, HSL_DEV_HOME_RIGHTS))) {
        return HSL_ST_DENIED;
    }
    *value = hsl_deviates(home, HSL_DEV_HOME_RANGE) ? home->cfg.mem_bytes - HSL_GA_OFFSET(ga) :
             s->e.ga + s->e.len - ga;
    return HSL_ST_OK;
}

/* One step of the model; answers what reached a home, hands out what reached a requester. */
static bool model_pump(struct hsl_fabric_engine *f)
{
    struct hsl_output out;
    struct hsl_event ev;
    int stepped, drained;
    uint64_t value;
    uint32_t status;

    pthread_mutex_lock(&f->model_lock);
    stepped = hsl_model_step(f->model);
    drained = hsl_model_drain(f->model, &out);
    if (drained && out.type == HSL_OUT_DELIVER_RSP && out.u.rsp.tag < HSL_WORKERS_MAX) {
        f->worker[out.u.rsp.tag].answer = out.u.rsp;
        f->worker[out.u.rsp.tag].answered = true;
    }
    pthread_mutex_unlock(&f->model_lock);
    if (drained && out.type == HSL_OUT_DELIVER_REQ) {
        status = home_answer(f, &out.u.req, &value);
        memset(&ev, 0, sizeof(ev));
        ev.type = HSL_EV_RSP;
        ev.u.rsp.opcode = HSL_PKT_RSP;
        ev.u.rsp.status = (uint8_t)status;
        ev.u.rsp.tag = out.u.req.tag;
        ev.u.rsp.src = out.u.req.dst;
        ev.u.rsp.dst = out.u.req.src;
        ev.u.rsp.value = value;
        pthread_mutex_lock(&f->model_lock);
        hsl_model_post(f->model, &ev);  /* -ENOENT: the home or the requester left meanwhile, the network answers */
        pthread_mutex_unlock(&f->model_lock);
    }
    return stepped || drained;
}

/* Send a request as worker w and wait for its one answer. */
static uint32_t transact(struct hsl_worker *w, struct hsl_pkt_req *req, uint64_t *value)
{
    struct hsl_fabric_engine *f = w->f;
    struct hsl_event ev = { .type = HSL_EV_REQ };
    bool answered = false;
    int r;

    req->tag = (uint16_t)w->index;
    ev.u.req = *req;
    do {
        pthread_mutex_lock(&f->model_lock);
        w->answered = false;
        r = hsl_model_post(f->model, &ev);
        pthread_mutex_unlock(&f->model_lock);
    } while (r == -EAGAIN && (model_pump(f) || !sched_yield()));
    if (r) {
        return HSL_ST_UNREACHABLE;
    }
    while (!answered) {
        if (!model_pump(f)) {
            sched_yield();      /* another worker has our packet in its hands */
        }
        pthread_mutex_lock(&f->model_lock);
        answered = w->answered;
        *value = w->answer.value;
        r = w->answer.status;
        pthread_mutex_unlock(&f->model_lock);
    }
    return (uint32_t)r;
}

uint32_t hsl_seg_authorise(struct hsl_chip_engine *c, struct hsl_worker *w, uint32_t ctx_index, struct hsl_ctx *ctx,
                           struct hsl_seg *s, bool write, uint64_t end)
{
    struct hsl_chip_engine *home;
    struct hsl_pkt_req req;
    uint64_t gen, value = 0;
    uint32_t status;

    if (s->e.flags & HSL_SEG_PAGED) {
        return HSL_ST_OK;       /* the PAGE table is the grant of the requester's own host port */
    }
    if (s->e.flags & HSL_SEG_MODELLED && hsl_fabric_engine_is_remote(c->f, HSL_GA_NODE(s->e.ga))) {
        return HSL_ST_OK;       /* its home looks at each packet: docs/flit-socket.md */
    }
    home = hsl_chip_at(c->f, HSL_GA_NODE(s->e.ga));
    if (!home || !atomic_load(&home->enabled)) {
        return home && hsl_deviates(c, HSL_DEV_RESET_DENIES) ? HSL_ST_DENIED : HSL_ST_UNREACHABLE;
    }
    for (;;) {
        gen = hsl_deviates(c, HSL_DEV_GRANT_KEPT) ? 1 : atomic_load(&home->home_gen);
        if (atomic_load(&s->grant_gen[write]) == gen) {
            value = atomic_load(&s->grant_len[write]);
            if (atomic_load(&s->grant_gen[write]) == gen) {
                return value >= end ? HSL_ST_OK : HSL_ST_DENIED;
            }
            continue;
        }
        memset(&req, 0, sizeof(req));
        req.opcode = HSL_PKT_AUTH;
        req.flags = write ? HSL_PKT_F_WRITE : HSL_PKT_F_READ;
        req.src = (uint16_t)c->cfg.node;
        req.dst = (uint16_t)home->cfg.node;
        req.addr = HSL_GA_OFFSET(s->e.ga);
        req.key = ctx->key;
        req.ctx_seg = HSL_PKT_CTX(ctx_index, s->handle);
        req.epoch = s->e.epoch;
        atomic_fetch_add_explicit(&c->n_auth, 1, memory_order_relaxed);
        status = transact(w, &req, &value);
        if (status || !atomic_load(&home->enabled)) {
            return status ? status : HSL_ST_UNREACHABLE;
        }
        /*
         * The generation was read before asking: if the home invalidated meanwhile, the loop asks again. It ends,
         * because the next invalidation cannot complete before our section closes. Generations grow; the lock and
         * the zero keep the length of one answer from being taken for that of a later one.
         */
        pthread_mutex_lock(&c->f->model_lock);
        if (atomic_load(&s->grant_gen[write]) < gen) {
            atomic_store(&s->grant_gen[write], 0);
            atomic_store(&s->grant_len[write], value);
            atomic_store(&s->grant_gen[write], gen);
        }
        pthread_mutex_unlock(&c->f->model_lock);
    }
}
