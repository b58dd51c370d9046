// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * A chip that is deliberately wrong (qemu/model/deviations.def): the misbehaviours that take more than a condition where
 * they happen. All are called only for a chip that has a deviation, and only user queues misbehave: the driver's own
 * commands work, so that a suite comes to its tests.
 *
 * Late words. For deviations of order the last word (at most 8 bytes) of what a command writes to chip memory is put back to
 * what it was and written later; `late` of the queue is what waits. It is written in the section that found the memory, or
 * dropped with the queue; chip memory is there as long as the chip.
 *
 * Nothing here may touch memory that the command could not have: a deviation is wrong towards the profile, not
 * towards the process that it runs in.
 */
#include <string.h>
#include <time.h>

#include "engine_priv.h"

static void pause_a_while(unsigned int n)
{
    while (n--) {
        hsl_cpu_relax();
    }
}

/* ---- the descriptor, before it is checked ---- */

/* What comes next, if it has been submitted. */
static int next_opcode(struct hsl_queue_engine *q)
{
    struct hsl_desc d;

    return hsl_queue_next(q, &d) ? d.opcode : -1;
}

static bool is_known(const struct hsl_desc *d)
{
    return d->opcode <= HSL_OP_COPY_LIST;
}

static void narrow(uint64_t *ga)
{
    *ga = HSL_GA(HSL_GA_NODE(*ga), HSL_GA_OFFSET(*ga) & UINT32_MAX);
}

bool hsl_deviant_descriptor(struct hsl_queue_engine *q, uint32_t *status)
{
    struct hsl_chip_engine *c = q->chip;
    struct hsl_desc *d = &q->cmd.d;
    bool moves = d->opcode == HSL_OP_COPY || d->opcode == HSL_OP_FILL;

    q->claimed = 0;
    *status = HSL_ST_OK;
    switch (c->cfg.deviation) {
    case HSL_DEV_OPCODE_WEDGES:
        if (!is_known(d) && d->opcode < HSL_OP_CTX_INVALIDATE) {
            atomic_store(&c->wedged, true);
        }
        break;
    case HSL_DEV_OPCODE_AS_NOP:
        return !is_known(d) && d->opcode < HSL_OP_CTX_INVALIDATE;
    case HSL_DEV_ADMIN_ON_USER:
        return d->opcode >= HSL_OP_CTX_INVALIDATE && d->opcode <= HSL_OP_FLUSH;
    case HSL_DEV_RESERVED_IGNORED:
        d->rsvd0 = 0;
        d->rsvd1 = 0;
        break;
    case HSL_DEV_ORDER_ANY:
        d->order = d->order > HSL_ORDER_RELAXED ? HSL_ORDER_STRONG : d->order;
        break;
    case HSL_DEV_FLAGS_ANY:
        d->flags &= HSL_DF_ALL;
        break;
    case HSL_DEV_COPY_SHORT:
        if (d->opcode == HSL_OP_COPY && d->len & 1) {
            q->claimed = d->len--;
        }
        break;
    case HSL_DEV_FILL_PHASE:
        if (d->opcode == HSL_OP_FILL && d->dst & 7) {
            d->arg0 = d->arg0 << 8 * (8 - (d->dst & 7)) | d->arg0 >> 8 * (d->dst & 7);
        }
        break;
    case HSL_DEV_PATTERN_STAYS:
        if (d->opcode == HSL_OP_FILL && q->stale) {
            d->arg0 = q->pattern;
        } else if (d->opcode == HSL_OP_FILL) {
            q->pattern = d->arg0;
        }
        q->stale = d->opcode == HSL_OP_ATOMIC && q->filled;
        q->filled = d->opcode == HSL_OP_FILL;
        break;
    case HSL_DEV_ZERO_REFUSED:
        if (moves && !d->len) {
            *status = HSL_ST_LENGTH;
            return true;
        }
        break;
    case HSL_DEV_MAX_LEN_REFUSED:
        if (moves && d->len == c->cfg.max_len) {
            *status = HSL_ST_LENGTH;
            return true;
        }
        break;
    case HSL_DEV_OFFSET_32:
        if (is_known(d)) {
            narrow(&d->dst);
            narrow(&d->src);
        }
        break;
    case HSL_DEV_NODE_ZERO:
        if (moves && d->len && !HSL_GA_NODE(d->dst)) {
            d->dst |= HSL_GA(c->cfg.node, 0);
        }
        if (d->opcode == HSL_OP_COPY && d->len && !HSL_GA_NODE(d->src)) {
            d->src |= HSL_GA(c->cfg.node, 0);
        }
        break;
    case HSL_DEV_REDUCE_LENGTH:
        if (d->opcode == HSL_OP_REDUCE && HSL_SUBOP_TYPE(d->subop) < HSL_TYPES) {
            d->len &= ~(uint64_t)(hsl_reduce_bytes(HSL_SUBOP_TYPE(d->subop)) - 1);
        }
        break;
    case HSL_DEV_LOAD_LONG:
        if (d->opcode == HSL_OP_LOAD && !d->dst && d->len > HSL_LOAD_RESULT_MAX && d->len <= HSL_LOADSTORE_MAX) {
            d->len = HSL_LOAD_RESULT_MAX;
        }
        break;
    case HSL_DEV_STORE_HALF:
        if (d->opcode == HSL_OP_STORE && !d->src && d->len > 8) {
            d->arg1 = d->arg0;
        }
        break;
    case HSL_DEV_COPY2D_ROW:
        if (d->opcode == HSL_OP_COPY2D && d->arg0 > 1 && !(d->arg0 >> 32)) {
            q->claimed = d->arg0-- * d->len;
        }
        break;
    case HSL_DEV_WAIT_GE:
        if (d->opcode == HSL_OP_WAIT && d->subop == HSL_WAIT_GT) {
            d->subop = HSL_WAIT_GE;
        }
        break;
    case HSL_DEV_SIGNAL_DEAF:
        if (d->opcode == HSL_OP_SIGNAL && d->subop == HSL_SIGNAL_ADD) {
            d->subop = HSL_SIGNAL_SET;
        }
        break;
    case HSL_DEV_UMIN_SIGNED:
        if (d->opcode == HSL_OP_ATOMIC && d->subop == HSL_ATOMIC_UMIN) {
            d->subop = HSL_ATOMIC_MIN;
        }
        break;
    case HSL_DEV_CAS_ALWAYS:
        if (d->opcode == HSL_OP_ATOMIC && d->subop == HSL_ATOMIC_CAS) {
            d->subop = HSL_ATOMIC_SWAP;
            d->arg1 = 0;
        }
        break;
    case HSL_DEV_ATOMIC_LENGTH:
        if (d->opcode == HSL_OP_ATOMIC && d->len == 2) {
            d->len = 4;
        }
        break;
    case HSL_DEV_SIGNAL_MISALIGNED:
        if (d->opcode == HSL_OP_SIGNAL) {
            d->dst &= ~7ull;
        }
        break;
    }
    return false;
}

void hsl_deviant_reread(struct hsl_queue_engine *q, const struct hsl_desc *now)
{
    struct hsl_chip_engine *c = q->chip;
    uint64_t off = HSL_GA_OFFSET(q->cmd.d.dst), len = now->len;

    /* still the chip's own memory */
    if (q->cmd.d.opcode == HSL_OP_FILL && HSL_GA_NODE(q->cmd.d.dst) == c->cfg.node && len <= HSL_CHUNK_BYTES &&
        off < c->cfg.mem_bytes && len <= c->cfg.mem_bytes - off) {
        q->cmd.d.len = len;
    }
}

/* ---- what a command writes ---- */

static bool has_late_words(const struct hsl_chip_engine *c)
{
    return hsl_deviates(c, HSL_DEV_STRONG_EARLY) || hsl_deviates(c, HSL_DEV_DATA_LATE) ||
           hsl_deviates(c, HSL_DEV_SIGNAL_EARLY);
}

static void late_write(struct hsl_queue_engine *q)
{
    /* the chip whose memory it is may be gone since */
    if (q->late.host && hsl_chip_at(q->chip->f, q->late.node) == q->late.home) {
        memcpy(q->late.host, q->late.bytes, q->late.len);
    }
    q->late.host = NULL;
}

static bool is_kept_back(struct hsl_queue_engine *q)
{
    switch (q->chip->cfg.deviation) {
    case HSL_DEV_DATA_LATE: return true;
    case HSL_DEV_SIGNAL_EARLY: return next_opcode(q) == HSL_OP_SIGNAL;
    default: return next_opcode(q) == HSL_OP_COPY || next_opcode(q) == HSL_OP_FILL;
    }
}

/* The bytes that a piece of FILL or COPY is about to write; len up to what is behind src. */
void hsl_deviant_before_move(struct hsl_queue_engine *q, const struct hsl_operand *dst, const uint8_t *host, uint64_t len)
{
    q->before_len = has_late_words(q->chip) && q->qid && dst->home && len ? (uint8_t)(len < 8 ? len : 8) : 0;
    memcpy(q->before, host + len - q->before_len, q->before_len);
}

static void read_cache(struct hsl_queue_engine *q, uint8_t *host, uint64_t len)
{
    uint64_t ga = q->cmd.d.src;

    if (q->cmd.d.opcode != HSL_OP_COPY || q->cmd.d.len != len || len > sizeof(q->cached)) {
        return;
    }
    if (q->cached_ga == ga && q->cached_len == len) {
        memcpy(host, q->cached, len);
        return;
    }
    q->cached_ga = ga;
    q->cached_len = (uint8_t)len;
    memcpy(q->cached, host, len);
}

/* It has written them. off: of the operand's home. */
void hsl_deviant_after_move(struct hsl_queue_engine *q, const struct hsl_operand *dst, uint64_t off, uint8_t *host,
                            uint64_t len)
{
    uint64_t room = dst->home ? dst->home->cfg.mem_bytes - HSL_GA_OFFSET(dst->ga) - off - len : 0;
    bool last = q->cmd.moved + len == q->cmd.d.len;

    if (!q->qid) {
        return;
    }
    if (q->before_len) {
        late_write(q);
        if (is_kept_back(q)) {
            q->late.home = dst->home;
            q->late.node = dst->home->cfg.node;
            q->late.host = host + len - q->before_len;
            q->late.len = q->before_len;
            memcpy(q->late.bytes, q->late.host, q->before_len);
            memcpy(q->late.host, q->before, q->before_len);
        }
    }
    switch (q->chip->cfg.deviation) {
    case HSL_DEV_BYTE_ENABLES:
        if (q->cmd.d.opcode == HSL_OP_COPY && last && len & 3 && room >= 4) {
            memset(host + len, 0xee, 4 - (len & 3));
        }
        break;
    case HSL_DEV_COPY2D_GAP:
        if (q->cmd.d.opcode == HSL_OP_COPY2D && last && room && q->cmd.run + 1 < q->cmd.runs &&
            HSL_PITCH_DST(q->cmd.d.arg1) > q->cmd.d.len) {
            host[len] = 0xee;
        }
        break;
    case HSL_DEV_READ_CACHE:
        read_cache(q, host, len);
        break;
    }
}

/* ---- REDUCE ---- */

static uint64_t element(const void *p, unsigned int bytes)
{
    uint64_t v = 0;

    memcpy(&v, p, bytes);
    return v;
}

static bool is_zero(uint64_t v, unsigned int bytes)
{
    return !(v << (64 - 8 * bytes) << 1);
}

static float f32_of(uint32_t bits)
{
    float f;

    memcpy(&f, &bits, sizeof(f));
    return f;
}

/* The right result r of a and b, made wrong. */
static uint64_t reduced(uint32_t deviation, unsigned int op, unsigned int type, uint64_t a, uint64_t b, uint64_t r)
{
    unsigned int bytes = hsl_reduce_bytes(type), shift = 64 - 8 * bytes;
    bool integer = type == HSL_TYPE_I32 || type == HSL_TYPE_I64, add = op == HSL_REDUCE_ADD;
    int64_t sum;
    float f;
    uint32_t bits;

    switch (deviation) {
    case HSL_DEV_REDUCE_SATURATES:
        if (integer && add && __builtin_add_overflow((int64_t)(a << shift), (int64_t)(b << shift), &sum)) {
            return ((uint64_t)INT64_MAX + ((int64_t)(a << shift) < 0)) >> shift;
        }
        break;
    case HSL_DEV_REDUCE_UNSIGNED:
        if (integer && !add) {
            return (a < b) == (op == HSL_REDUCE_MIN) ? a : b;
        }
        break;
    case HSL_DEV_REDUCE_TRUNCATES:
        if (type == HSL_TYPE_BF16 && add && r != 0x7fc0) {
            f = f32_of((uint32_t)a << 16) + f32_of((uint32_t)b << 16);
            memcpy(&bits, &f, sizeof(bits));
            return bits >> 16;
        }
        break;
    case HSL_DEV_REDUCE_FLUSHES:
        if (type == HSL_TYPE_F32 && add && !(r & 0x7f800000)) {
            return r & 0x80000000;
        }
        break;
    case HSL_DEV_REDUCE_NAN_PAYLOAD:
        if (type == HSL_TYPE_F32 && (a & 0x7fffffff) > 0x7f800000) {
            return a | 0x400000;
        }
        break;
    case HSL_DEV_REDUCE_ZEROS_EQUAL:
        if (!integer && !add && is_zero(a, bytes) && is_zero(b, bytes)) {
            return a;
        }
        break;
    }
    return r;
}

void hsl_deviant_reduce(struct hsl_queue_engine *q, unsigned int op, unsigned int type, void *dst, const void *src,
                        uint64_t n, bool backward)
{
    unsigned int bytes = hsl_reduce_bytes(type);

    for (uint64_t i = 0; i < n; i++) {
        uint64_t at = (backward ? n - 1 - i : i) * bytes;
        uint64_t a = element((uint8_t *)dst + at, bytes), b = element((const uint8_t *)src + at, bytes), r = a;

        hsl_reduce_run(op, type, &r, &b, 1, false);
        r = reduced(q->chip->cfg.deviation, op, type, a, b, r);
        memcpy((uint8_t *)dst + at, &r, bytes);
    }
}

/* ---- ATOMIC and SIGNAL on memory ---- */

/* It has been done once, and found `old`. */
uint64_t hsl_deviant_atomic(struct hsl_queue_engine *q, void *host, uint64_t old)
{
    struct hsl_chip_engine *c = q->chip;
    const struct hsl_desc *d = &q->cmd.d;
    bool signal = d->opcode == HSL_OP_SIGNAL;
    uint64_t now = 0, zero = 0;

    memcpy(&now, host, d->len);
    switch (c->cfg.deviation) {
    case HSL_DEV_ATOMIC_NEW: return signal ? old : now;
    case HSL_DEV_SIGNAL_NEW: return signal ? now : old;
    case HSL_DEV_ATOMIC_SIGNED: return !signal && d->len == 4 ? (uint64_t)(int64_t)(int32_t)old : old;
    case HSL_DEV_ATOMIC_WIDE:
        if (!signal && d->len == 4 && HSL_GA_OFFSET(d->dst) & 4) {
            memcpy((uint8_t *)host - 4, &zero, 4);      /* in the same page as the word */
        }
        break;
    case HSL_DEV_ATOMIC_TWICE:
        if (!signal && d->subop == HSL_ATOMIC_ADD && hsl_deviates_one_in(c, HSL_DEV_ATOMIC_TWICE, 100)) {
            now += d->arg0;
            memcpy(host, &now, d->len);
        }
        break;
    case HSL_DEV_SIGNAL_TWICE:
        if (signal && d->subop == HSL_SIGNAL_ADD && hsl_deviates_one_in(c, HSL_DEV_SIGNAL_TWICE, 100)) {
            __atomic_fetch_add((uint64_t *)host, d->arg0, __ATOMIC_SEQ_CST);
        }
        break;
    }
    return old;
}

/* Between the load and the store of an ATOMIC that is not one. */
void hsl_deviant_pause(void)
{
    pause_a_while(500);
}

/* ---- queues that wait for others ---- */

bool hsl_deviant_holds(struct hsl_queue_engine *q)
{
    struct hsl_chip_engine *c = q->chip;

    if (!q->qid) {
        return false;
    }
    switch (c->cfg.deviation) {
    case HSL_DEV_OPCODE_WEDGES: return atomic_load(&c->wedged);
    case HSL_DEV_WAIT_BLOCKS: return atomic_load(&c->nwaits) && !q->cmd.waits;
    case HSL_DEV_LONG_COMMAND: return atomic_load(&c->moving) && atomic_load(&c->moving) != q->qid;
    }
    return false;
}

/* ---- completions ---- */

struct hsl_deviant_cqe {
    uint64_t cookie, result, fault_ga;
    uint32_t status;
};

static bool is_short(int opcode)
{
    return opcode == HSL_OP_NOP || opcode == HSL_OP_COPY || opcode == HSL_OP_FILL || opcode == HSL_OP_FENCE;
}

static bool is_stashed(struct hsl_queue_engine *q)
{
    if (hsl_deviates(q->chip, HSL_DEV_FENCE_EARLY)) {
        return next_opcode(q) == HSL_OP_FENCE;
    }
    return hsl_deviates(q->chip, HSL_DEV_COMPLETIONS_SWAPPED) && is_short(next_opcode(q));
}

static void neighbour_fails(struct hsl_queue_engine *q)
{
    uint32_t qid = q->qid + 1 < q->chip->cfg.nqueues ? q->qid + 1 : 1;
    struct hsl_queue_engine *next = &q->chip->queue[qid];
    uint32_t ready = HSL_QUEUE_READY;

    if (next != q && atomic_compare_exchange_strong(&next->state, &ready, HSL_QUEUE_ERROR)) {
        atomic_store(&next->error, HSL_ST_INTERNAL);
    }
}

bool hsl_deviant_complete(struct hsl_queue_engine *q, uint32_t status, uint64_t fault_ga, bool writes)
{
    struct hsl_chip_engine *c = q->chip;
    const struct hsl_desc *d = &q->cmd.d;
    bool chained = d->flags & HSL_DF_LINK;
    uint64_t result;

    if (!q->qid) {
        return writes;
    }
    if (!status && q->claimed) {
        q->cmd.done = q->claimed;
    }
    result = q->cmd.has_value ? q->cmd.value : q->cmd.done;
    if (has_late_words(c) && !hsl_deviates(c, HSL_DEV_DATA_LATE) && !is_kept_back(q)) {
        if (q->late.host && d->opcode == HSL_OP_SIGNAL) {
            nanosleep(&(struct timespec){ .tv_nsec = 2000000 }, NULL);     /* who looks may not run just now */
        }
        late_write(q);
    }
    switch (c->cfg.deviation) {
    case HSL_DEV_COMPLETION_TWICE:
        if (writes && hsl_deviates_one_in(c, HSL_DEV_COMPLETION_TWICE, 500)) {
            hsl_cqe_write(q, d->cookie, result, fault_ga, status);
        }
        break;
    case HSL_DEV_TIMEOUT_TWICE:
        if (status == HSL_ST_TIMEOUT) {
            hsl_cqe_write(q, d->cookie, result, fault_ga, status);
        }
        break;
    case HSL_DEV_TIMEOUT_RESULT:
        q->cmd.value = status == HSL_ST_TIMEOUT ? 0 : q->cmd.value;
        break;
    case HSL_DEV_COMPLETION_LOST: return writes && !hsl_deviates_one_in(c, HSL_DEV_COMPLETION_LOST, 700);
    case HSL_DEV_COOKIE_SHORT: q->cmd.d.cookie &= 0xfff; break;
    case HSL_DEV_NOP_RESULT: q->cmd.done += d->opcode == HSL_OP_NOP && !status; break;
    case HSL_DEV_RESULT_WORDS: q->cmd.done &= ~7ull; break;
    case HSL_DEV_NO_CQE_IGNORED: return true;
    case HSL_DEV_NO_CQE_HIDES: return !(d->flags & HSL_DF_NO_CQE);
    case HSL_DEV_LINK_GOES_ON: q->chain_failed = false; break;
    case HSL_DEV_LINK_SPREADS:
        /* the last one of the chain was aborted: so is the next, which is in no chain or the first of one */
        q->chain_failed = chained ? q->chain_failed : status == HSL_ST_ABORTED && !q->spread;
        q->spread = q->chain_failed && !chained;
        break;
    case HSL_DEV_ERROR_SPREADS:
        if (status && status != HSL_ST_ABORTED) {
            neighbour_fails(q);
        }
        break;
    case HSL_DEV_COMPLETIONS_SWAPPED:
    case HSL_DEV_FENCE_EARLY:
        if (q->stash.used) {
            hsl_cqe_write(q, d->cookie, result, fault_ga, status);
            hsl_cqe_write(q, q->stash.cookie, q->stash.result, q->stash.fault_ga, q->stash.status);
            q->stash.used = false;
            return false;
        }
        if (writes && is_stashed(q)) {
            q->stash.used = true;
            q->stash.cookie = d->cookie;
            q->stash.result = result;
            q->stash.fault_ga = fault_ga;
            q->stash.status = status;
            return false;
        }
        break;
    case HSL_DEV_DATA_LATE:
        if (writes) {
            hsl_cqe_write(q, d->cookie, result, fault_ga, status);
            pause_a_while(q->late.host ? 3000 : 0);
        }
        late_write(q);
        return false;
    }
    return writes;
}

void hsl_deviant_cqe(struct hsl_queue_engine *q, struct hsl_cqe *e, uint64_t *last)
{
    uint32_t n = atomic_load_explicit(&q->completed, memory_order_relaxed);

    if (!q->qid) {
        return;
    }
    if (hsl_deviates(q->chip, HSL_DEV_STATUS_FIRST)) {
        atomic_store((_Atomic uint64_t *)(void *)&e->sq_head, *last);
        pause_a_while(1000);
    }
    if (hsl_deviates(q->chip, HSL_DEV_COUNTER_15)) {
        *last &= ~0x8000ull;
    }
    if (hsl_deviates(q->chip, HSL_DEV_PHASE_STUCK) && n >> 16) {
        *last ^= (uint64_t)HSL_CQE_PHASE << 32;
    }
}
