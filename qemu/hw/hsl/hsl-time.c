/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Modelled time (hsl-fabric,time=modelled): the engine runs on the virtual clock, which with
 * -icount counts the guest's instructions and nothing else. So a run depends on nothing of the
 * host, and is the same each time.
 *
 * Everything is done by one timer of QEMU_CLOCK_VIRTUAL, whose callbacks run on the thread of the
 * only vCPU, between two instructions and under the BQL. A doorbell arms it for now; the engine
 * says when it is due next. Interrupts are sent by the same timer: not by a bottom half, which
 * runs whenever the main loop gets to it, and not from within the engine, as a guest may aim them
 * at a register of this very device.
 *
 * A load or store in a modelled window takes the time that the fabric says: the virtual clock is
 * put forward while the CPU is in the access. It goes in steps to the next deadline, so that
 * timers of all devices fire in their order and at their time, and at the end the CPU is kicked:
 * its budget of instructions was made for another clock. What is less than a nanosecond is kept
 * for the next access.
 */
#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/main-loop.h"
#include "qemu/timer.h"
#include "block/aio.h"
#include "hw/hsl/hsl.h"

uint64_t hsl_time_now_ps(void *opaque)
{
    return qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL) * 1000;
}

void hsl_time_due(void *opaque)
{
    HslFabric *f = opaque;

    if (!f->in_timer) {
        timer_mod(f->timer, qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL));
    }
}

static void hsl_time_run(void *opaque)
{
    HslFabric *f = opaque;
    uint64_t next;

    f->in_timer = true;
    next = hsl_fabric_engine_run(f->engine);
    f->in_timer = false;
    if (next < INT64_MAX) {
        timer_mod(f->timer, DIV_ROUND_UP(next, 1000));
    }
    for (uint32_t node = 1; node <= f->nodes; node++) {
        if (f->chips[node]) {
            hsl_host_send_interrupts(f->chips[node]);
        }
    }
}

void hsl_time_init(HslFabric *f)
{
    f->timer = timer_new_ns(QEMU_CLOCK_VIRTUAL, hsl_time_run, f);
}

void hsl_time_exit(HslFabric *f)
{
    timer_free(f->timer);
}

bool hsl_time_check(Error **errp)
{
    if (icount_enabled() != 1) {
        error_setg(errp, "hsl-fabric,time=modelled needs -icount shift=N (not auto)");
        return false;
    }
    if (current_machine->smp.max_cpus != 1) {
        error_setg(errp, "hsl-fabric,time=modelled needs -smp 1: it has one CPU");
        return false;
    }
    return true;
}

static void hsl_time_advance(int64_t ns)
{
    seqlock_write_lock(&timers_state.vm_clock_seqlock, &timers_state.vm_clock_lock);
    qatomic_set_i64(&timers_state.qemu_icount_bias, timers_state.qemu_icount_bias + ns);
    seqlock_write_unlock(&timers_state.vm_clock_seqlock, &timers_state.vm_clock_lock);
}

void hsl_time_charge(HslFabric *f)
{
    bool stuck = false;
    uint64_t ps;
    int64_t left;

    if (!f->modelled_time) {
        return;
    }
    ps = hsl_fabric_engine_took_ps(f->engine);
    if (!current_cpu) {
        return;                 /* a debugger, or a device: nobody whose time it is */
    }
    f->owed_ps += ps;
    left = f->owed_ps / 1000;
    f->owed_ps %= 1000;
    while (left) {
        int64_t deadline = qemu_clock_deadline_ns_all(QEMU_CLOCK_VIRTUAL, QEMU_TIMER_ATTR_ALL);
        bool overdue = !deadline && stuck;      /* of a thread that is not here */
        int64_t step = deadline < 0 || overdue ? left : MIN(left, deadline);

        hsl_time_advance(step);
        left -= step;
        qemu_clock_run_timers(QEMU_CLOCK_VIRTUAL);
        /* block devices have theirs apart */
        timerlist_run_timers(qemu_get_aio_context()->tlg.tl[QEMU_CLOCK_VIRTUAL]);
        stuck = !step;
    }
    qemu_cpu_kick(current_cpu);
}
