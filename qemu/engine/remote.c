// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * A link of the fabric to another program: the flit socket (flit_socket.h) under the lock of the modelled fabric.
 *
 * Who has a turn at the fabric drives the socket himself, and waits for the peer where he has to. Otherwise a thread waits
 * for the peer to come, to ask for progress and to go; it takes turns like everybody else. Without a peer both cost nothing
 * but the look at whether there is one.
 */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "flit_socket.h"
#include "modelled_priv.h"

#define TRAINING_PS UINT64_C(100000000)     /* of virtual time, once the peer is there */

struct hsl_remote {
    struct hsl_modelled *m;
    struct hsl_flit_socket *socket;
    void (*say)(void *opaque, bool there, const char *text);
    void *opaque;
    uint32_t a, b;
    bool came;                      /* a peer, and nobody has trained the link with it yet */
    struct hsl_fabric_engine *f;
    pthread_t thread;
    bool running;
    int stop;                       /* an eventfd */
    atomic_bool stopping;           /* the thread looks at this while it waits for the peer with the lock held */
    bool listen;
};

/* Digits to the end that is wanted. */
static bool parse_node(const char **s, char until, uint32_t *node)
{
    unsigned long v;
    char *end;

    if (**s < '0' || **s > '9') {
        return false;
    }
    v = strtoul(*s, &end, 10);
    *s = end + 1;
    *node = (uint32_t)v;
    return *end == until && v && v <= UINT16_MAX;
}

bool hsl_remote_parse(struct hsl_remote_config *r, const char *text)
{
    const char *path;

    if (!parse_node(&text, '-', &r->a) || !parse_node(&text, ':', &r->b)) {
        return false;
    }
    path = strchr(text, ':');
    if (!path || !path[1]) {
        return false;
    }
    r->listen = !strncmp(text, "listen:", 7);
    r->path = path + 1;
    return r->listen || !strncmp(text, "connect:", 8);
}

static void take(void *opaque)
{
    struct hsl_remote *r = opaque;

    hsl_modelled_take(r->m);
}

static void say(void *opaque, bool there, const char *text)
{
    struct hsl_remote *r = opaque;

    r->came = there;
    if (r->say) {
        r->say(r->opaque, there, text);
    }
}

static bool stopped(void *opaque)
{
    struct hsl_remote *r = opaque;

    return r->stopping && pthread_equal(pthread_self(), r->thread);
}

int hsl_remote_new(struct hsl_modelled *m, const struct hsl_fab_cfg *cfg, const struct hsl_remote_config *remote)
{
    struct hsl_remote *r = calloc(1, sizeof(*r));
    struct hsl_flit_socket_cfg sc = {
        .fab = m->fab,
        .cfg = cfg,
        .path = remote->path,
        .listen = remote->listen,
        .patience_ms = remote->patience_ms,
        .take = take,
        .say = say,
        .stopped = stopped,
        .opaque = r,
    };
    int err;

    if (!r) {
        return -ENOMEM;
    }
    r->m = m;
    r->a = remote->a;
    r->b = remote->b;
    r->say = remote->say;
    r->opaque = remote->opaque;
    r->listen = remote->listen;
    r->stop = eventfd(0, EFD_CLOEXEC);
    err = r->stop < 0 ? -errno : hsl_flit_socket_new(&sc, &r->socket);
    if (err) {
        hsl_remote_free(r);
        return err;
    }
    m->remote = r;
    return 0;
}

void hsl_remote_free(struct hsl_remote *r)
{
    uint64_t one = 1;

    if (!r) {
        return;
    }
    if (r->running) {
        r->stopping = true;
        while (write(r->stop, &one, sizeof(one)) < 0 && errno == EINTR) {
        }
        pthread_join(r->thread, NULL);
    }
    r->say = NULL;                  /* who closes knows */
    hsl_flit_socket_free(r->socket);
    if (r->stop >= 0) {
        close(r->stop);
    }
    free(r);
}

void hsl_remote_enter(struct hsl_remote *r)
{
    hsl_flit_socket_catch_up(r->socket);
}

/* The link trains, so that who opens a fabric finds it up. */
static void train(struct hsl_remote *r)
{
    uint64_t end = hsl_fab_now_ps(r->m->fab) + TRAINING_PS;

    r->came = false;
    while (hsl_fab_phy(r->m->fab, r->a, r->b)->state != HSL_LTSSM_L0 && hsl_flit_socket_connected(r->socket) &&
           hsl_flit_socket_step(r->socket, end)) {
    }
}

void hsl_remote_leave(struct hsl_remote *r)
{
    hsl_flit_socket_serve(r->socket);
    if (r->came) {
        train(r);
        hsl_flit_socket_serve(r->socket);
    }
}

bool hsl_remote_step(struct hsl_remote *r, uint64_t end_ps)
{
    return hsl_flit_socket_step(r->socket, end_ps);
}

bool hsl_remote_connected(const struct hsl_remote *r)
{
    return hsl_flit_socket_connected(r->socket);
}

/* ---- the thread ---- */

static void serve_until_stopped(struct hsl_remote *r)
{
    struct pollfd fds[3];

    for (;;) {
        unsigned int n;
        int timeout;

        hsl_modelled_enter(r->f);
        hsl_flit_socket_accept(r->socket);
        n = hsl_flit_socket_poll(r->socket, fds, &timeout);
        hsl_modelled_leave(r->f);       /* serves */
        fds[n] = (struct pollfd){ .fd = r->stop, .events = POLLIN };
        if ((poll(fds, n + 1, timeout) < 0 && errno != EINTR) || fds[n].revents) {
            return;
        }
    }
}

/* What the peer accesses is the memory of chips here: their host is told of writes from this thread. */
static void *serve(void *opaque)
{
    struct hsl_remote *r = opaque;
    const struct hsl_fabric_engine_config *cfg = &r->f->cfg;

    if (cfg->thread_start) {
        cfg->thread_start(cfg->opaque);
    }
    serve_until_stopped(r);
    if (cfg->thread_end) {
        cfg->thread_end(cfg->opaque);
    }
    return NULL;
}

int hsl_remote_start(struct hsl_fabric_engine *f, unsigned int wait_ms)
{
    struct hsl_remote *r = f->modelled->remote;
    sigset_t all, old;
    int err = 0;

    r->f = f;
    if (!r->listen) {
        hsl_modelled_enter(f);
        err = hsl_flit_socket_meet(r->socket, wait_ms);
        hsl_modelled_leave(f);
    }
    if (err) {
        return err;
    }
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    err = -pthread_create(&r->thread, NULL, serve, r);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    r->running = !err;
    return err;
}

int hsl_fabric_engine_meet(struct hsl_fabric_engine *f, unsigned int wait_ms)
{
    return f->modelled && f->modelled->remote ? hsl_remote_start(f, wait_ms) : 0;
}

void hsl_fabric_engine_closing(struct hsl_fabric_engine *f)
{
    if (f->modelled && f->modelled->remote && f->modelled->remote->running) {
        f->modelled->remote->stopping = true;
    }
}

bool hsl_fabric_engine_is_remote(struct hsl_fabric_engine *f, uint32_t node)
{
    return f->modelled && f->modelled->remote && hsl_fab_is_remote(f->modelled->fab, node);
}
