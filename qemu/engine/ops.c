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

/* Of a chip that deviates: in two steps. */
static uint64_t atomic_unlocked(void *p, unsigned int op, unsigned int len, uint64_t a, uint64_t b)
{
    uint64_t old = 0, now;

    memcpy(&old, p, len);
    now = atomic_result(op, len, old, len == 4 ? (uint32_t)a : a, len == 4 ? (uint32_t)b : b);
    hsl_deviant_pause();
    memcpy(p, &now, len);
    return old;
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

/* At the home of the line, whatever caches have it. */
static uint32_t atomic_modelled(struct hsl_queue_engine *q, const struct hsl_operand *o, unsigned int op,
                                uint64_t *fault_ga)
{
    const struct hsl_desc *d = &q->cmd.d;
    struct hsl_access x = {
        .ga = o->ga,
        .op = HSL_ACCESS_ATOMIC,
        .subop = (uint8_t)op,
        .len = (uint8_t)d->len,
        .arg0 = d->arg0,
        .arg1 = d->arg1,
    };

    *fault_ga = o->ga;
    if (!hsl_operand_aligned(o, d->len)) {
        return HSL_ST_ALIGN;
    }
    hsl_modelled_run(q->chip->f, (uint16_t)q->chip->cfg.node, &x, 1);
    if (!x.status) {
        *fault_ga = 0;
        hsl_cmd_value(&q->cmd, x.value);
    }
    return x.status;
}

uint32_t hsl_ops_atomic(struct hsl_queue_engine *q, struct hsl_worker *w, uint64_t *fault_ga)
{
    struct hsl_cmd *cmd = &q->cmd;
    const struct hsl_desc *d = &cmd->d;
    bool signal = d->opcode == HSL_OP_SIGNAL;
    unsigned int op = d->subop;
    uint64_t value;
    struct hsl_operand o;
    struct hsl_span s;
    bool write_only = signal || hsl_deviates(q->chip, HSL_DEV_ATOMIC_WRITE_ONLY);
    uint32_t status = hsl_operand_get(q, w, d->dst, d->len, write_only ? HSL_SEG_WRITE : HSL_SEG_READ | HSL_SEG_WRITE, &o,
                                      fault_ga);

    if (status) {
        return status;
    }
    if (signal) {
        op = d->subop == HSL_SIGNAL_SET ? HSL_ATOMIC_SWAP : HSL_ATOMIC_ADD;
    }
    if (hsl_operand_modelled(&o)) {
        status = atomic_modelled(q, &o, op, fault_ga);
        if (status) {
            return status;
        }
    } else {
        status = hsl_word_get(q, &o, d->len, true, &s, fault_ga);
        if (status) {
            return status;
        }
        if (!signal && hsl_deviates(q->chip, HSL_DEV_ATOMIC_UNLOCKED)) {
            value = atomic_unlocked(s.host, op, (unsigned int)d->len, d->arg0, d->arg1);
        } else {
            value = atomic_run(s.host, op, (unsigned int)d->len, d->arg0, d->arg1);
        }
        hsl_cmd_value(cmd, hsl_conforms(q->chip) ? value : hsl_deviant_atomic(q, s.host, value));
        hsl_span_put(q, &s, true, d->len);
        hsl_operand_written(&o, 0, d->len);
    }
    cmd->done = d->len;
    hsl_wait_wake(q->chip->f, d->dst);
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
        status = hsl_operand_bytes(q, 1, &src, 0, buf, d->len, false, fault_ga);
    }
    if (status) {
        return status;
    }
    if (to_result) {
        memcpy(&value, buf, sizeof(value));
        if (hsl_deviates(q->chip, HSL_DEV_LOAD_SIGNED)) {
            value = (uint64_t)((int64_t)(value << (64 - 8 * d->len)) >> (64 - 8 * d->len));
        }
        hsl_cmd_value(cmd, value);
        return HSL_ST_OK;
    }
    status = hsl_operand_bytes(q, 0, &dst, 0, buf, d->len, true, fault_ga);
    if (!status) {
        cmd->done = d->len;
        /* each word that was written in part or whole */
        for (uint64_t ga = d->dst & ~7ull; ga < d->dst + d->len; ga += 8) {
            hsl_wait_wake(q->chip->f, ga);
        }
    }
    return status;
}
