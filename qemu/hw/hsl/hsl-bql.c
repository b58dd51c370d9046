/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the engine's worker threads and QEMU's big lock (BQL) meet.
 *
 * Workers run without the BQL, yet a few things they need may only happen under it: a DMA address behind an IOMMU is
 * translated there, because a translation fault makes the IOMMU raise an interrupt; a BAR4 window changes the memory
 * map. On the other side MMIO, reset and unplug hold the BQL and wait until workers have let go of a chip. A worker
 * that simply took the BQL would wait for a thread that waits for the worker.
 *
 * So nobody waits for the BQL as such. A worker posts a call and waits for its result (hsl_bql_call). A holder of the
 * BQL that is about to wait for workers puts the waiting into a helper thread and lends them its BQL: it runs what they
 * post until the helper is through (hsl_bql_lend). Otherwise the main loop runs posted calls in a bottom half.
 *
 * Invariants: a posted call is run exactly once, by a thread that has the BQL; the poster's stack frame that holds it
 * stays until `done`. The BQL is never dropped in between, so no MMIO of another CPU and no unplug can slip into a
 * register write that waits.
 *
 * Locking: `lock` guards the queue, every `done` and every `finished`. It is a leaf: nothing is called with it held.
 */
#include "qemu/osdep.h"
#include "qemu/queue.h"
#include "qemu/thread.h"
#include "hw/hsl/hsl.h"

typedef struct HslBqlCall {
    HslBqlFunc *fn;
    void *opaque;
    bool done;
    QSIMPLEQ_ENTRY(HslBqlCall) next;
} HslBqlCall;

typedef struct HslBqlLoan {
    HslBqlFunc *fn;
    void *opaque;
    bool finished;
} HslBqlLoan;

static struct {
    QemuMutex lock;
    QemuCond changed;                   /* a call was posted or done, a loan has finished */
    QSIMPLEQ_HEAD(, HslBqlCall) calls;  /* posted, not yet taken */
    QEMUBH *bh;
} bql;

/* With bql.lock held; drops it while a call runs. */
static void hsl_bql_run_posted(void)
{
    HslBqlCall *call;

    while ((call = QSIMPLEQ_FIRST(&bql.calls))) {
        QSIMPLEQ_REMOVE_HEAD(&bql.calls, next);
        qemu_mutex_unlock(&bql.lock);
        call->fn(call->opaque);
        qemu_mutex_lock(&bql.lock);
        call->done = true;
        qemu_cond_broadcast(&bql.changed);
    }
}

static void hsl_bql_bh(void *opaque)
{
    qemu_mutex_lock(&bql.lock);
    hsl_bql_run_posted();
    qemu_mutex_unlock(&bql.lock);
}

void hsl_bql_init(void)
{
    if (bql.bh) {
        return;
    }
    qemu_mutex_init(&bql.lock);
    qemu_cond_init(&bql.changed);
    QSIMPLEQ_INIT(&bql.calls);
    bql.bh = qemu_bh_new(hsl_bql_bh, NULL);
}

void hsl_bql_call(HslBqlFunc *fn, void *opaque)
{
    HslBqlCall call = { .fn = fn, .opaque = opaque };

    if (hsl_bql_locked()) {
        fn(opaque);
        return;
    }
    qemu_mutex_lock(&bql.lock);
    QSIMPLEQ_INSERT_TAIL(&bql.calls, &call, next);
    qemu_cond_broadcast(&bql.changed);
    qemu_bh_schedule(bql.bh);
    while (!call.done) {
        qemu_cond_wait(&bql.changed, &bql.lock);
    }
    qemu_mutex_unlock(&bql.lock);
}

static void *hsl_bql_helper(void *opaque)
{
    HslBqlLoan *loan = opaque;

    rcu_register_thread();
    loan->fn(loan->opaque);
    rcu_unregister_thread();
    qemu_mutex_lock(&bql.lock);
    loan->finished = true;
    qemu_cond_broadcast(&bql.changed);
    qemu_mutex_unlock(&bql.lock);
    return NULL;
}

void hsl_bql_lend(HslBqlFunc *fn, void *opaque)
{
    HslBqlLoan loan = { .fn = fn, .opaque = opaque };
    QemuThread thread;

    assert(hsl_bql_locked());
    qemu_thread_create(&thread, "hsl-lend", hsl_bql_helper, &loan, QEMU_THREAD_JOINABLE);
    qemu_mutex_lock(&bql.lock);
    for (;;) {
        hsl_bql_run_posted();
        if (loan.finished) {
            break;
        }
        qemu_cond_wait(&bql.changed, &bql.lock);
    }
    qemu_mutex_unlock(&bql.lock);
    qemu_thread_join(&thread);
}
