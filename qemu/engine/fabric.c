// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * The fabric: nodes, workers, the list of ready queues, and sections.
 *
 * A queue with work is on the run list once; a worker takes the head, gives it one turn and puts it back at the
 * end if work is left, so queues of all chips share the workers fairly (HEP-QUE-011). An admin queue that was idle
 * goes to the front: invalidations must not wait behind copies. After its turn it goes to the end like all others:
 * its own long FILL must not keep them, or the admin queue of another chip, from running.
 *
 * A queue that waits for a value is parked meanwhile (wait.c).
 *
 * No lost wake-up: `again` catches a doorbell that comes while the queue is in a worker's hands, and a worker
 * sleeps only under run_lock with the list empty. A doorbell takes the lock only when nobody has the queue: see
 * hsl_queue_ready.
 */
#include <errno.h>
#include <fenv.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "engine_priv.h"
#include "model/fab.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "formats are used in place on little-endian hosts");

void hsl_section_enter(struct hsl_worker *w)
{
    /* seq_cst: what a synchronizer hid before it looked at us is hidden from us, or it sees us inside */
    atomic_fetch_add(&w->section, 1);
}

void hsl_section_leave(struct hsl_worker *w)
{
    atomic_fetch_add(&w->section, 1);
}

void hsl_synchronize(struct hsl_fabric_engine *f)
{
    atomic_thread_fence(memory_order_seq_cst);
    for (unsigned int i = 0; i < f->nworkers; i++) {
        uint64_t seen = atomic_load(&f->worker[i].section);

        for (unsigned int n = 0; (seen & 1) && atomic_load(&f->worker[i].section) == seen; n++) {
            if (n < 1000) {
                hsl_cpu_relax();
            } else {
                sched_yield();
            }
        }
    }
}

struct hsl_chip_engine *hsl_chip_at(struct hsl_fabric_engine *f, uint32_t node)
{
    return node && node <= f->cfg.model.nodes ? atomic_load(&f->chips[node]) : NULL;
}

/* ---- run list ---- */

void hsl_run_notify(struct hsl_fabric_engine *f)
{
    if (f->sleepers) {
        pthread_cond_signal(&f->run_cond);
    } else if (hsl_driven(f) && !f->running) {
        f->cfg.due(f->cfg.opaque);
    }
}

void hsl_run_push(struct hsl_fabric_engine *f, struct hsl_queue_engine *q, bool front)
{
    q->sched = HSL_SCHED_LISTED;
    if (front) {
        q->next = f->run_head;
        f->run_head = q;
        if (!f->run_tail) {
            f->run_tail = q;
        }
    } else {
        q->next = NULL;
        if (f->run_tail) {
            f->run_tail->next = q;
        } else {
            f->run_head = q;
        }
        f->run_tail = q;
    }
    atomic_fetch_add(&f->nready, 1);
    hsl_run_notify(f);
}

/*
 * All seq_cst. We store what is new, then again, then look at sched. LISTED: the worker that pops the queue stores RUNNING
 * after that and looks for what is new after that. RUNNING: it stores IDLE after that and looks at again after that.
 */
void hsl_queue_ready(struct hsl_queue_engine *q)
{
    struct hsl_fabric_engine *f = q->chip->f;
    int sched;

    atomic_store(&q->again, true);
    sched = atomic_load(&q->sched);
    if (sched == HSL_SCHED_LISTED || sched == HSL_SCHED_RUNNING || sched == HSL_SCHED_DUE) {
        return;
    }
    pthread_mutex_lock(&f->run_lock);
    if (q->sched == HSL_SCHED_IDLE) {
        hsl_run_push(f, q, !q->qid);
    } else if (q->sched == HSL_SCHED_PARKED) {
        /* what is new waits behind the WAIT; a wrong doorbell ends it */
        if (atomic_load(&q->overflow)) {
            hsl_wait_unpark(q);
            hsl_run_push(f, q, false);
        }
    }
    pthread_mutex_unlock(&f->run_lock);
}

struct hsl_queue_engine *hsl_run_pop(struct hsl_fabric_engine *f)
{
    struct hsl_queue_engine *q;

    pthread_mutex_lock(&f->run_lock);
    q = f->run_head;
    if (q) {
        f->run_head = q->next;
        if (!f->run_head) {
            f->run_tail = NULL;
        }
        atomic_store(&q->again, false);
        atomic_store(&q->sched, HSL_SCHED_RUNNING);
        atomic_fetch_sub(&f->nready, 1);
    }
    pthread_mutex_unlock(&f->run_lock);
    return q;
}

void hsl_run_done(struct hsl_fabric_engine *f, struct hsl_queue_engine *q)
{
    bool more = hsl_queue_pending(q), waits = more && q->cmd.active && q->cmd.waits && !q->cmd.late;

    more = more || !hsl_queue_sleep(q);
    pthread_mutex_lock(&f->run_lock);
    q->sched = HSL_SCHED_IDLE;
    if (waits && !atomic_load(&q->overflow) ? !hsl_wait_park(q) : atomic_load(&q->again) || more) {
        hsl_run_push(f, q, false);
    }
    if (hsl_driven(f)) {        /* else the queue may be another's by now */
        q->was_idle = q->sched == HSL_SCHED_IDLE;
    }
    pthread_mutex_unlock(&f->run_lock);
}

bool hsl_run_claim(struct hsl_queue_engine *q, uint32_t ctx)
{
    struct hsl_fabric_engine *f = q->chip->f;
    struct hsl_queue_engine **p = &f->run_head, *prev = NULL;
    bool claimed = false;

    pthread_mutex_lock(&f->run_lock);
    /* who is not RUNNING left cmd behind when he took run_lock */
    if (q->sched != HSL_SCHED_IDLE && q->sched != HSL_SCHED_RUNNING && q->cmd.waits && !q->cmd.late && q->ctx == ctx) {
        claimed = true;
        if (q->sched == HSL_SCHED_PARKED) {
            hsl_wait_unpark(q);
        } else if (q->sched == HSL_SCHED_DUE) {
            hsl_driven_forget(q);
        } else {
            while (*p != q) {
                prev = *p;
                p = &(*p)->next;
            }
            *p = q->next;
            if (f->run_tail == q) {
                f->run_tail = prev;
            }
            atomic_fetch_sub(&f->nready, 1);
        }
        atomic_store(&q->again, false);
        atomic_store(&q->sched, HSL_SCHED_RUNNING);
    }
    pthread_mutex_unlock(&f->run_lock);
    return claimed;
}

/* Take a chip's queues off the list; the caller synchronizes afterwards. */
void hsl_run_forget(struct hsl_chip_engine *c)
{
    struct hsl_fabric_engine *f = c->f;
    struct hsl_queue_engine **p, *q;

    for (uint32_t i = 0; i < c->cfg.nqueues; i++) {
        hsl_timed_forget(&c->queue[i]);
    }
    pthread_mutex_lock(&f->run_lock);
    f->run_tail = NULL;
    for (p = &f->run_head; (q = *p);) {
        if (q->chip == c) {
            *p = q->next;
            q->sched = HSL_SCHED_IDLE;
            atomic_fetch_sub(&f->nready, 1);
        } else {
            f->run_tail = q;
            p = &q->next;
        }
    }
    pthread_mutex_unlock(&f->run_lock);
}

/* ---- workers ---- */

/* Something other than what a worker is looking at. */
static bool called_away(struct hsl_worker *w)
{
    struct hsl_fabric_engine *f = w->f;

    return atomic_load_explicit(&f->nready, memory_order_relaxed) ||
           atomic_load_explicit(&f->stop, memory_order_relaxed) || (!(w->spun % 64) && hsl_tick_due(f));
}

/*
 * Who spins offers the core now and then to whoever waits for one: on a busy machine that may be the one who has the next
 * command. Not at once: a queue that is kept full pays nothing.
 */
#define SPINS_A_YIELD   256u

static void offer_core(const struct hsl_worker *w)
{
    if (w->spun % SPINS_A_YIELD == SPINS_A_YIELD / 2) {
        sched_yield();
    }
}

static bool worker_wait(struct hsl_worker *w)
{
    struct hsl_fabric_engine *f = w->f;

    /* looks at WAITs in vain do not count as work: a parked queue must not keep a worker from going to sleep */
    for (; w->spun < f->cfg.spin_iterations; w->spun++) {
        if (called_away(w)) {
            return !atomic_load(&f->stop);
        }
        offer_core(w);
        hsl_cpu_relax();
    }
    if (w->warm) {
        hsl_section_enter(w);
        hsl_sensor_rest(w);
        hsl_section_leave(w);
    }
    pthread_mutex_lock(&f->run_lock);
    while (!f->run_head && !atomic_load(&f->stop) && !hsl_tick_due(f)) {
        f->sleepers++;
        if (atomic_load(&f->nparked) || atomic_load(&f->nheld)) {
            uint64_t ns = atomic_load(&f->tick_next);
            struct timespec ts = { .tv_sec = (time_t)(ns / 1000000000u), .tv_nsec = (long)(ns % 1000000000u) };

            pthread_cond_timedwait(&f->run_cond, &f->run_lock, &ts);
        } else {
            pthread_cond_wait(&f->run_cond, &f->run_lock);
        }
        f->sleepers--;
    }
    pthread_mutex_unlock(&f->run_lock);
    return !atomic_load(&f->stop);
}

/* A turn. False: nothing was done but to look at a WAIT. */
static bool turn(struct hsl_worker *w, struct hsl_queue_engine *q)
{
    if (!hsl_queue_run(q, w, HSL_TURN_COMMANDS)) {
        return false;
    }
    w->spun = 0;
    hsl_sensor_turn(w, q->chip);
    return true;
}

/* looks at a tail in one section: who waits for sections waits for that */
#define LINGER_LOOKS    8u

/*
 * After a turn: linger on a queue with a shadow tail, so that its next command needs neither doorbell nor run_lock, for
 * as long as a worker would spin and nobody else has work. The queue stays RUNNING. Sections are short meanwhile, and
 * between them `busy` keeps the chip from going away.
 */
static void linger(struct hsl_worker *w, struct hsl_queue_engine *q)
{
    struct hsl_chip_engine *c = q->chip;

    if (!atomic_load(&q->shadow) || !hsl_queue_live(q)) {
        return;
    }
    atomic_fetch_add(&c->busy, 1);
    /* a WAIT that does not hold is parked in the section that has looked at it: see waits_again */
    while (!q->cmd.waits && hsl_queue_live(q) && w->spun < w->f->cfg.spin_iterations && !called_away(w)) {
        hsl_section_leave(w);
        offer_core(w);
        hsl_section_enter(w);
        /* it may be another queue by now, made without a shadow tail */
        if (!hsl_queue_live(q) || !atomic_load(&q->shadow)) {
            break;
        }
        if (q->cmd.active || hsl_queue_watch(q, LINGER_LOOKS)) {
            turn(w, q);
            w->spun = 0;
        } else {
            w->spun += LINGER_LOOKS;
        }
    }
    atomic_fetch_sub(&c->busy, 1);
}

static void *worker_main(void *opaque)
{
    struct hsl_worker *w = opaque;
    struct hsl_fabric_engine *f = w->f;

    /* not the rounding or flushing of whoever made us: REDUCE has its own rules */
    fesetenv(FE_DFL_ENV);
    if (f->cfg.thread_start) {
        f->cfg.thread_start(f->cfg.opaque);
    }
    while (worker_wait(w)) {
        struct hsl_queue_engine *q;

        hsl_section_enter(w);
        if (hsl_tick_due(f)) {
            hsl_tick(f);
        }
        q = hsl_run_pop(f);
        if (q) {
            if (turn(w, q)) {
                linger(w, q);
            }
            hsl_run_done(f, q);
        }
        hsl_section_leave(w);
    }
    if (f->cfg.thread_end) {
        f->cfg.thread_end(f->cfg.opaque);
    }
    return NULL;
}

/* Workers take no signals: those are for the threads of whoever uses us. */
static int worker_start(struct hsl_worker *w)
{
    sigset_t all, old;
    int r;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    r = pthread_create(&w->thread, NULL, worker_main, w);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return r;
}

static unsigned int default_workers(void)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);

    return cores <= 2 ? 1 : cores - 1 > HSL_WORKERS_MAX ? HSL_WORKERS_MAX : (unsigned int)(cores - 1);
}

/* ---- life ---- */

static void fabric_stop(struct hsl_fabric_engine *f)
{
    pthread_mutex_lock(&f->run_lock);
    atomic_store(&f->stop, true);
    pthread_cond_broadcast(&f->run_cond);
    pthread_mutex_unlock(&f->run_lock);
    for (unsigned int i = 0; i < f->nworkers; i++) {
        pthread_join(f->worker[i].thread, NULL);
    }
}

static void fabric_release(struct hsl_fabric_engine *f)
{
    hsl_modelled_free(f);
    hsl_share_free(f);
    free(f->model);
    free((void *)f->chips);
    free(f);
}

struct hsl_fabric_engine *hsl_fabric_engine_new(const struct hsl_fabric_engine_config *cfg, const char **err)
{
    struct hsl_fabric_engine *f;
    unsigned int workers = cfg->now_ps ? 0 : cfg->workers ? cfg->workers : default_workers();
    struct hsl_model_config model = cfg->model;
    pthread_condattr_t attr;
    size_t bytes;
    int r;

    errno = EINVAL;
    if (cfg->remote && (cfg->now_ps || !cfg->modelled)) {
        *err = "a link to another program needs modelled memory, and no modelled time";
        return NULL;
    }
    if (workers > HSL_WORKERS_MAX) {
        *err = "more than 8 workers";
        return NULL;
    }
    if (cfg->now_ps && cfg->workers) {
        *err = "there are no workers in modelled time";
        return NULL;
    }
    if (!model.max_inflight) {
        model.max_inflight = model.nodes * 4 > 64 ? model.nodes * 4 : 64;
    }
    *err = hsl_model_check(&model);
    if (*err) {
        return NULL;
    }
    *err = "out of memory";
    errno = ENOMEM;
    bytes = hsl_model_size(&model);
    f = aligned_alloc(64, (sizeof(*f) + 63) / 64 * 64);
    if (!f) {
        return NULL;
    }
    memset(f, 0, sizeof(*f));
    f->cfg = *cfg;
    f->cfg.model = model;
    f->model = malloc(bytes);
    f->chips = calloc(model.nodes + 1, sizeof(*f->chips));
    if (!f->model || !f->chips || hsl_model_init(f->model, bytes, &model) ||
        (hsl_driven(f) && !hsl_share_init(f))) {
        fabric_release(f);
        return NULL;
    }
    r = cfg->modelled ? hsl_modelled_init(f, cfg->remote) : 0;
    if (r) {
        *err = r == -EINVAL ? "the link to another program is none of the fabric's, or not the only way there" :
               r == -EADDRINUSE ? "another program listens there already" :
               r == -EBUSY ? "another program holds a lock of the socket's directory" :
               r == -EEXIST ? "the path is of a file that is no socket" :
               r == -ERANGE ? "observable memory of such a fabric cannot have homes for so many requests" :
               strerrordesc_np(-r);
        fabric_release(f);
        errno = -r;
        return NULL;
    }
    f->cfg.remote = NULL;               /* the caller's */
    f->cfg.model.links = NULL;          /* the caller's */
    if (!f->cfg.spin_iterations) {
        f->cfg.spin_iterations = 20000;
    }
    atomic_store(&f->next_uid, 1);
    pthread_mutex_init(&f->ctl_lock, NULL);
    pthread_mutex_init(&f->model_lock, NULL);
    pthread_mutex_init(&f->run_lock, NULL);
    atomic_store(&f->tick_next, UINT64_MAX);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&f->run_cond, &attr);
    pthread_condattr_destroy(&attr);
    for (unsigned int i = 0; i < HSL_WORKERS_MAX; i++) {
        f->worker[i].f = f;
        f->worker[i].index = i;
    }
    for (; f->nworkers < workers; f->nworkers++) {
        if (worker_start(&f->worker[f->nworkers])) {
            fabric_stop(f);
            fabric_release(f);
            *err = "no thread for a worker";
            return NULL;
        }
    }
    return f;
}

void hsl_fabric_engine_free(struct hsl_fabric_engine *f)
{
    if (!f) {
        return;
    }
    fabric_stop(f);
    hsl_modelled_free(f);       /* its thread uses the locks */
    pthread_cond_destroy(&f->run_cond);
    pthread_mutex_destroy(&f->run_lock);
    pthread_mutex_destroy(&f->model_lock);
    pthread_mutex_destroy(&f->ctl_lock);
    fabric_release(f);
}

/* ---- model events that come from outside of commands ---- */

void hsl_links_changed(struct hsl_fabric_engine *f, uint64_t nodes)
{
    for (; nodes; nodes &= nodes - 1) {
        struct hsl_chip_engine *c = hsl_chip_at(f, (uint32_t)__builtin_ctzll(nodes) + 1);

        if (c) {
            hsl_chip_event(c, HSL_EVENT_LINK);
        }
    }
}

void hsl_links_changed_soon(struct hsl_fabric_engine *f, uint64_t nodes)
{
    if (!nodes) {
        return;
    }
    atomic_fetch_or(&f->changed, nodes);
    pthread_mutex_lock(&f->run_lock);
    hsl_run_notify(f);
    pthread_mutex_unlock(&f->run_lock);
}

/* The chips at the other ends of node's links see an event, where links have no state of their own. ctl_lock held. */
static void peers_event(struct hsl_fabric_engine *f, uint32_t node)
{
    for (uint32_t i = 0; !f->modelled && i < hsl_model_nlinks(f->model, node); i++) {
        struct hsl_model_link link;
        struct hsl_chip_engine *peer = NULL;

        pthread_mutex_lock(&f->model_lock);
        if (!hsl_model_link(f->model, node, i, &link)) {
            peer = hsl_chip_at(f, link.peer);
        }
        pthread_mutex_unlock(&f->model_lock);
        if (peer) {
            hsl_chip_event(peer, HSL_EVENT_LINK);
        }
    }
}

void hsl_model_node(struct hsl_fabric_engine *f, uint32_t node, bool present)
{
    struct hsl_event ev = { .type = HSL_EV_NODE, .u.node = { .id = node, .present = present } };

    pthread_mutex_lock(&f->model_lock);
    hsl_model_post(f->model, &ev);
    pthread_mutex_unlock(&f->model_lock);
    peers_event(f, node);
}

int hsl_fabric_engine_set_link(struct hsl_fabric_engine *f, uint32_t a, uint32_t b, bool up)
{
    struct hsl_event ev = { .type = HSL_EV_LINK, .u.link = { .a = a, .b = b, .up = up } };
    struct hsl_chip_engine *c;
    int r;

    pthread_mutex_lock(&f->ctl_lock);
    pthread_mutex_lock(&f->model_lock);
    r = hsl_model_post(f->model, &ev);
    pthread_mutex_unlock(&f->model_lock);
    if (!r) {
        hsl_modelled_link(f, a, b, up);
    }
    /* grants were given over routes that may be gone: everyone asks again */
    for (uint32_t n = 1; !r && n <= f->cfg.model.nodes; n++) {
        c = hsl_chip_at(f, n);
        if (c) {
            atomic_fetch_add(&c->home_gen, 1);
            if (!f->modelled && (n == a || n == b)) {
                hsl_chip_event(c, HSL_EVENT_LINK);
            }
        }
    }
    if (!r) {
        hsl_synchronize(f);
    }
    pthread_mutex_unlock(&f->ctl_lock);
    return r;
}

int hsl_fabric_engine_link(struct hsl_fabric_engine *f, uint32_t node, uint32_t index, struct hsl_model_link *out)
{
    int r;

    pthread_mutex_lock(&f->model_lock);
    r = hsl_model_link(f->model, node, index, out);
    pthread_mutex_unlock(&f->model_lock);
    if (!r && f->modelled) {
        const struct hsl_phy *phy = hsl_fab_phy(hsl_modelled_enter(f), node, out->peer);

        out->state = phy->state;
        out->width = phy->width;
        out->rate_mtps = phy->rate_mtps;
        out->max_width = hsl_phy_max_width(&phy->cfg);
        out->max_rate_mtps = phy->cfg.rate_mtps;
        hsl_modelled_leave(f);
    }
    return r;
}

void *hsl_fabric_engine_mem(struct hsl_fabric_engine *f, uint32_t node, uint64_t *bytes)
{
    struct hsl_chip_engine *c = hsl_chip_at(f, node);

    if (!c) {
        return NULL;
    }
    *bytes = c->cfg.mem_bytes;
    return c->cfg.mem;
}
