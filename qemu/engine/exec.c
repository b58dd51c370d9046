// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Execution of a descriptor: the checks that need no table, in the order of HEP section 6 (opcode, fields, length,
 * alignment), then the operation: move.c for what moves bytes, ops.c for what touches a word, wait.c, admin.c.
 */
#include "engine_priv.h"

static uint64_t cap_of(uint8_t opcode)
{
    static const uint64_t cap[] = {
        [HSL_OP_COPY] = HSL_CAP_OP_COPY, [HSL_OP_FILL] = HSL_CAP_OP_FILL, [HSL_OP_REDUCE] = HSL_CAP_OP_REDUCE,
        [HSL_OP_ATOMIC] = HSL_CAP_OP_ATOMIC, [HSL_OP_LOAD] = HSL_CAP_OP_LOADSTORE,
        [HSL_OP_STORE] = HSL_CAP_OP_LOADSTORE, [HSL_OP_SIGNAL] = HSL_CAP_OP_SIGNAL, [HSL_OP_WAIT] = HSL_CAP_OP_SIGNAL,
        [HSL_OP_FENCE] = HSL_CAP_OP_FENCE, [HSL_OP_COPY2D] = HSL_CAP_OP_COPY2D,
        [HSL_OP_COPY_LIST] = HSL_CAP_OP_COPY_LIST,
    };

    return opcode < sizeof(cap) / sizeof(cap[0]) ? cap[opcode] : 0;
}

static uint32_t check_opcode(const struct hsl_queue_engine *q)
{
    uint8_t opcode = q->cmd.d.opcode;

    if (q->qid) {
        uint64_t cap = cap_of(opcode);

        return opcode == HSL_OP_NOP || (cap && (q->chip->cap & cap)) ||
               (opcode == HSL_OP_COPY2D && hsl_deviates(q->chip, HSL_DEV_CAP_HIDDEN)) ? HSL_ST_OK : HSL_ST_OPCODE;
    }
    if (opcode == HSL_OP_FLUSH) {
        return q->chip->cap & HSL_CAP_MODELLED ? HSL_ST_OK : HSL_ST_OPCODE;
    }
    /* the driver's own COPY and FILL are not operations that a chip may leave out */
    return opcode <= HSL_OP_FILL || (opcode >= HSL_OP_CTX_INVALIDATE && opcode <= HSL_OP_QUEUE_ABORT) ? HSL_ST_OK
                                                                                                   : HSL_ST_OPCODE;
}

static bool fields_ok(const struct hsl_queue_engine *q)
{
    const struct hsl_desc *d = &q->cmd.d;
    bool no_args = !d->arg0 && !d->arg1;

    if (d->rsvd0 || d->rsvd1 || d->order > HSL_ORDER_RELAXED || (d->flags & ~(q->qid ? HSL_DF_ALL : 0))) {
        return false;
    }
    switch (d->opcode) {
    case HSL_OP_REDUCE:
        return no_args && HSL_SUBOP_OP(d->subop) < HSL_REDUCE_OPS && HSL_SUBOP_TYPE(d->subop) < HSL_TYPES;
    case HSL_OP_ATOMIC:
        return d->subop < HSL_ATOMICS && !d->src && (!d->arg1 || d->subop == HSL_ATOMIC_CAS);
    case HSL_OP_SIGNAL:
        return d->subop < HSL_SIGNALS && !d->src && !d->arg1;
    case HSL_OP_WAIT:
        return d->subop < HSL_WAITS && !d->dst;
    }
    if (d->subop) {
        return false;
    }
    switch (d->opcode) {
    case HSL_OP_NOP:
    case HSL_OP_FENCE:
        return !d->dst && !d->src && !d->len && no_args;
    case HSL_OP_COPY:
    case HSL_OP_LOAD:
        return no_args;
    case HSL_OP_STORE:
        return !d->src || no_args;
    case HSL_OP_FILL:
        return !d->src && !d->arg1;
    case HSL_OP_COPY2D:
        return !(d->arg0 >> 32) && HSL_PITCH_DST(d->arg1) >= d->len;
    case HSL_OP_COPY_LIST:
        return !d->dst && no_args;
    case HSL_OP_CTX_INVALIDATE:
    case HSL_OP_QUEUE_DESTROY:
    case HSL_OP_QUEUE_ABORT:
        return !d->dst && !d->src && !d->len && !d->arg1;
    case HSL_OP_SEG_INVALIDATE:
        return !d->dst && !d->src && !d->len;
    case HSL_OP_FLUSH:
        return !d->src && no_args;
    default:
        /* QUEUE_CREATE */
        return (!d->len || q->chip->cap & HSL_CAP_SHADOW_TAIL) && !(d->arg0 >> 40) && !(d->arg1 >> 32);
    }
}

static bool length_ok(const struct hsl_queue_engine *q)
{
    const struct hsl_desc *d = &q->cmd.d;
    uint64_t max = q->chip->cfg.max_len, total;

    switch (d->opcode) {
    case HSL_OP_ATOMIC:
        return d->len == 4 || d->len == 8;
    case HSL_OP_SIGNAL:
    case HSL_OP_WAIT:
        return d->len == 8;
    case HSL_OP_LOAD:
        return d->len && d->len <= (d->dst ? HSL_LOADSTORE_MAX : HSL_LOAD_RESULT_MAX);
    case HSL_OP_STORE:
        return d->len && d->len <= (d->src ? HSL_LOADSTORE_MAX : HSL_STORE_ARGS_MAX);
    case HSL_OP_COPY2D:
        return !__builtin_mul_overflow(d->arg0, d->len, &total) && total <= max;
    case HSL_OP_COPY_LIST:
        return !(d->len % sizeof(struct hsl_copy_entry)) && d->len / sizeof(struct hsl_copy_entry) <= HSL_COPY_LIST_MAX;
    default:
        return d->len <= max || hsl_deviates(q->chip, HSL_DEV_MAX_LEN_IGNORED);
    }
}

/* False: *ga is the first operand that is not aligned; a length that is not counts as dst's. */
static bool aligned(const struct hsl_queue_engine *q, uint64_t *ga)
{
    const struct hsl_desc *d = &q->cmd.d;
    uint64_t dst_mask = 0, src_mask = 0, len_mask = 0;

    switch (d->opcode) {
    case HSL_OP_ATOMIC:
    case HSL_OP_SIGNAL:
        dst_mask = d->len - 1;
        break;
    case HSL_OP_WAIT:
    case HSL_OP_COPY_LIST:
        src_mask = 7;
        break;
    case HSL_OP_REDUCE:
        dst_mask = src_mask = len_mask = hsl_reduce_bytes(HSL_SUBOP_TYPE(d->subop)) - 1;
        break;
    }
    *ga = d->dst & dst_mask || d->len & len_mask ? d->dst : d->src;
    return !(d->dst & dst_mask || d->len & len_mask || d->src & src_mask);
}

uint32_t hsl_exec_start(struct hsl_queue_engine *q, struct hsl_worker *w, uint64_t *fault_ga)
{
    uint32_t status;
    uint64_t ga;

    if (!hsl_conforms(q->chip)) {
        uint32_t ends;

        if (q->qid && hsl_deviant_descriptor(q, &ends)) {
            return ends;
        }
    }
    status = check_opcode(q);
    if (status) {
        return status;
    }
    if (!fields_ok(q)) {
        return HSL_ST_FIELD;
    }
    if (q->cmd.d.opcode >= HSL_OP_CTX_INVALIDATE) {
        return hsl_admin_exec(q, w, fault_ga);
    }
    if (!length_ok(q)) {
        return HSL_ST_LENGTH;
    }
    if (!aligned(q, &ga)) {
        *fault_ga = ga;
        return HSL_ST_ALIGN;
    }
    switch (q->cmd.d.opcode) {
    case HSL_OP_NOP:
    case HSL_OP_FENCE:          /* a queue runs its commands one after the other */
        return HSL_ST_OK;
    case HSL_OP_ATOMIC:
    case HSL_OP_SIGNAL:
        return hsl_ops_atomic(q, w, fault_ga);
    case HSL_OP_LOAD:
    case HSL_OP_STORE:
        return hsl_ops_load_store(q, w, fault_ga);
    case HSL_OP_WAIT:
        return hsl_exec_wait(q, w, fault_ga);
    default:
        return hsl_move_start(q, w, fault_ga);
    }
}

uint32_t hsl_exec_chunk(struct hsl_queue_engine *q, struct hsl_worker *w, uint64_t *fault_ga)
{
    return q->cmd.d.opcode == HSL_OP_WAIT ? hsl_exec_wait(q, w, fault_ga) : hsl_move_chunk(q, w, fault_ga);
}
