// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Commands on a few bytes, done at once: ATOMIC, SIGNAL, LOAD, STORE.
 *
 * Read-modify-write is the host's own atomic instruction on the memory itself, so it is atomic against every other
 * worker and against a guest's locked instructions (HEP-ATM-002, -004). A LOAD or STORE of 1, 2, 4 or 8 aligned bytes is one
 * access (HEP-ATM-006). All are sequentially consistent: what earlier commands of the queue wrote is visible before
 * (HEP-ORD-005). Whoever writes here wakes the WAITs on that address.
 */
#include <string.h>

#include "engine_priv.h"

static uint64_t atomic_result(unsigned int op, unsigned int len, uint64_t old, uint64_t a, uint64_t b)
{
    bool less = len == 4 ? (int32_t)old < (int32_t)a : (int64_t)old < (int64_t)a;

    switch (op) {
    case HSL_ATOMIC_ADD:
        return old + a;
    case HSL_ATOMIC_SWAP:
        return a;
    case HSL_ATOMIC_CAS:
        return old == b ? a : old;
    case HSL_ATOMIC_AND:
        return old & a;
    case HSL_ATOMIC_OR:
        return old | a;
    case HSL_ATOMIC_XOR:
        return old ^ a;
    case HSL_ATOMIC_MIN:
        return less ? old : a;
    case HSL_ATOMIC_MAX:
        return less ? a : old;
    case HSL_ATOMIC_UMIN:
        return old < a ? old : a;
    default:
        return old < a ? a : old;
    }
}

/* *p = op(*p) in one step; returns what it was. */
static uint64_t atomic_run(void *p, unsigned int op, unsigned int len, uint64_t a, uint64_t b)
{
    if (len == 4) {
        uint32_t old = __atomic_load_n((uint32_t *)p, __ATOMIC_SEQ_CST);

        a = (uint32_t)a;
        b = (uint32_t)b;
        while (!__atomic_compare_exchange_n((uint32_t *)p, &old, (uint32_t)atomic_result(op, len, old, a, b), false,
                                            __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
        }
        return old;
    } else {
        uint64_t old = __atomic_load_n((uint64_t *)p, __ATOMIC_SEQ_CST);

        while (!__atomic_compare_exchange_n((uint64_t *)p, &old, atomic_result(op, len, old, a, b), false,
                                            __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
        }
        return old;
    }
}

uint32_t hsl_ops_atomic(struct hsl_queue_engine *q, struct hsl_worker *w, uint64_t *fault_ga)
{
    struct hsl_cmd *cmd = &q->cmd;
    const struct hsl_desc *d = &cmd->d;
    bool signal = d->opcode == HSL_OP_SIGNAL;
    unsigned int op = d->subop;
    struct hsl_operand o;
    struct hsl_span s;
    uint32_t status = hsl_operand_get(q, w, d->dst, d->len, signal ? HSL_SEG_WRITE : HSL_SEG_READ | HSL_SEG_WRITE, &o,
                                      fault_ga);

    if (status) {
        return status;
    }
    if (signal) {
        op = d->subop == HSL_SIGNAL_SET ? HSL_ATOMIC_SWAP : HSL_ATOMIC_ADD;
    }
    status = hsl_word_get(q, &o, d->len, true, &s, fault_ga);
    if (status) {
        return status;
    }
    hsl_cmd_value(cmd, atomic_run(s.host, op, (unsigned int)d->len, d->arg0, d->arg1));
    hsl_span_put(q, &s, true, d->len);
    hsl_operand_written(&o, 0, d->len);
    cmd->done = d->len;
    hsl_wait_wake(q->chip->f, d->dst);
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

/* len bytes between buf and an operand; one access if that is possible. */
static uint32_t bytes_move(struct hsl_queue_engine *q, const struct hsl_operand *o, uint8_t *buf, uint64_t len, bool write,
                           uint64_t *fault_ga)
{
    struct hsl_span s;

    for (uint64_t at = 0; at < len; at += s.len) {
        bool one;

        if (!hsl_span_get(q, !write, o, at, len - at, write, &s)) {
            *fault_ga = o->ga + at;
            return HSL_ST_DMA;
        }
        one = s.len == len && len <= 8 && !(len & (len - 1)) && !((uintptr_t)s.host & (len - 1));
        if (!one) {
            memcpy(write ? s.host : buf + at, write ? buf + at : s.host, s.len);
        } else {
            access_one(s.host, buf, len, write);
        }
        hsl_span_put(q, &s, write, s.len);
        if (write) {
            hsl_operand_written(o, at, s.len);
        }
    }
    return HSL_ST_OK;
}

uint32_t hsl_ops_load_store(struct hsl_queue_engine *q, struct hsl_worker *w, uint64_t *fault_ga)
{
    struct hsl_cmd *cmd = &q->cmd;
    const struct hsl_desc *d = &cmd->d;
    bool to_result = d->opcode == HSL_OP_LOAD && !d->dst, from_args = d->opcode == HSL_OP_STORE && !d->src;
    _Alignas(8) uint8_t buf[HSL_LOADSTORE_MAX] = { 0 };
    struct hsl_operand dst, src;
    uint64_t value;
    uint32_t status = HSL_ST_OK;

    if (!to_result) {
        status = hsl_operand_get(q, w, d->dst, d->len, HSL_SEG_WRITE, &dst, fault_ga);
    }
    if (!status && !from_args) {
        status = hsl_operand_get(q, w, d->src, d->len, HSL_SEG_READ, &src, fault_ga);
    }
    if (status) {
        return status;
    }
    if (from_args) {
        memcpy(buf, &d->arg0, 8);
        memcpy(buf + 8, &d->arg1, 8);
    } else {
        status = bytes_move(q, &src, buf, d->len, false, fault_ga);
    }
    if (status) {
        return status;
    }
    if (to_result) {
        memcpy(&value, buf, sizeof(value));
        hsl_cmd_value(cmd, value);
        return HSL_ST_OK;
    }
    status = bytes_move(q, &dst, buf, d->len, true, fault_ga);
    if (!status) {
        cmd->done = d->len;
        /* each word that was written in part or whole */
        for (uint64_t ga = d->dst & ~7ull; ga < d->dst + d->len; ga += 8) {
            hsl_wait_wake(q->chip->f, ga);
        }
    }
    return status;
}
