// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * An end of a flit socket.
 *
 * Time. Socket time is the fabric's less base_ps, its time when the HELLOs had been exchanged. What the other end sends at
 * t arrives at t + its latency. TIME (promise, seen) of the peer says: I send nothing before `promise`, unless in answer
 * to something that is not among the first `seen` messages of yours. So nothing arrives before
 *
 *     bound = min(promise, when our first message that it has not seen arrives there) + its latency
 *
 * and events before that may happen. Who cannot go on tells his own promise, that of his next event, and asks (WANT). The
 * other end goes on as far as it may and answers with how far it has come; its clock, if nobody uses it, moves there.
 * Of two that wait for each other the one with the earlier event can go on when both know; so it takes one exchange per
 * latency of virtual time in which something happens, and idle time costs nothing.
 *
 * Neither clock goes far for nothing: no promise of ours is more than HORIZON_PS from now, so a message of a peer that could
 * not have come so far is refused; and no answer moves our clock by more, whatever the peer promises.
 *
 * A promise binds who gave it: what is posted from outside afterwards is posted later (hsl_flit_socket_catch_up).
 *
 * Trust and bounds. What comes is checked message by message (qemu/model/flit_msg.c) and, as flits, by the link layer.
 * Anything wrong ends the connection with a BYE that says what. While we wait for the peer it has patience_ms to take all that
 * we send, as long for the next message of whatever kind, and GIVE_UP times that to let us go on by its latency. What we do
 * for it is a bounded number of bytes and events at a time. So a peer that dies, stops or plays takes the link down, and
 * nothing else.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "flit_socket.h"
#include "model/flit_msg.h"

#define NEVER           UINT64_MAX
#define PATIENCE_MS     5000u
#define GIVE_UP         12u
#define RETRY_MS        20u
#define LOCK_MS         1000u       /* others who start take less */
#define LOOK_MS         100u        /* who closes is heard by then */
#define FILLS_MAX       4u          /* of rx, at a time */
#define SERVED_MAX      4096u       /* events at a time that are the peer's wish only */
#define ASKS_MAX        16u
#define UNSEEN_MAX      8192u       /* messages that the peer has not told to have seen */
#define SENT_AT_ONCE    16u         /* by one event */
#define HORIZON_PS      UINT64_C(100000000000)  /* we promise no more, and go on without an event no further, at once */
#define LATE_PS         (2 * HSL_FAB_PRESET_MAX_PS) /* a wire may be so late */
#define RX_BYTES        (256u << 10)

struct hsl_flit_socket {
    struct hsl_flit_socket_cfg cfg;
    char *path;
    int listener, fd;               /* -1: none */
    bool made;                      /* the socket file is ours */
    bool connected;                 /* HELLOs have been exchanged */
    struct hsl_link_cfg link;
    struct hsl_fs_hello own, peer;
    bool met;                       /* peer is something */
    uint64_t since_ms;              /* the connection was made */
    uint64_t base_ps;
    uint64_t sent, seen;            /* LINE and FLIT messages, ours and his */
    uint64_t promise_ps, peer_seen; /* his last TIME, socket time */
    bool wants;                     /* it asked */
    uint64_t told_ps, told_seen;    /* our last TIME */
    uint64_t told_max_ps;           /* the latest of all */
    bool told, asked;               /* asked: and he has not answered yet */
    uint64_t stuck_at_ps, give_up_ms;   /* bound when it let us go on last, and until when it has to again; 0: it does not */
    uint64_t bound_by_ps;           /* what we promised, as far as it binds us: fabric time */
    uint64_t *unseen;               /* our clock when message i, at i % UNSEEN_MAX, was sent */
    uint8_t *rx, *tx;
    size_t rx_used, tx_used, tx_room;
};

static uint64_t now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static uint64_t add(uint64_t a, uint64_t b)
{
    return a < NEVER - b ? a + b : NEVER;
}

/* ---- bytes ---- */

static bool append(struct hsl_flit_socket *s, const union hsl_flit_msg *m)
{
    if (s->tx_room - s->tx_used < m->hdr.len) {
        size_t room = s->tx_room ? 2 * s->tx_room : 65536;
        uint8_t *tx = realloc(s->tx, room);

        if (!tx) {
            return false;
        }
        s->tx = tx;
        s->tx_room = room;
    }
    memcpy(s->tx + s->tx_used, m, m->hdr.len);
    s->tx_used += m->hdr.len;
    return true;
}

/* What there is; 0: nothing, or no room. -errno, -EPIPE at its end. */
static int fill(struct hsl_flit_socket *s)
{
    while (s->rx_used < RX_BYTES) {
        ssize_t n = recv(s->fd, s->rx + s->rx_used, RX_BYTES - s->rx_used, MSG_DONTWAIT);

        if (n > 0) {
            s->rx_used += (size_t)n;
            return (int)n;
        }
        if (!n) {
            return -EPIPE;
        }
        if (errno != EINTR) {
            return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -errno;
        }
    }
    return 0;
}

static bool stopped(const struct hsl_flit_socket *s)
{
    return s->cfg.stopped && s->cfg.stopped(s->cfg.opaque);
}

/* All of tx is sent; what comes meanwhile is taken, as the peer may wait for that. 0 or -errno. */
static int flush(struct hsl_flit_socket *s)
{
    uint64_t end_ms = now_ms() + s->cfg.patience_ms;
    size_t done = 0;
    int err = 0;

    while (!err && done < s->tx_used) {
        ssize_t n = send(s->fd, s->tx + done, s->tx_used - done, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (n >= 0) {
            done += (size_t)n;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            struct pollfd p = { .fd = s->fd, .events = POLLOUT };

            p.events |= s->rx_used < RX_BYTES ? POLLIN : 0;
            if (poll(&p, 1, LOOK_MS) > 0 && p.revents & POLLIN) {
                int got = fill(s);

                err = got < 0 ? got : 0;
            }
        } else if (errno != EINTR) {
            err = -errno;
        }
        if (!err && done < s->tx_used && (now_ms() > end_ms || stopped(s))) {
            err = -ETIMEDOUT;
        }
    }
    s->tx_used = 0;
    return err;
}

/* ---- the connection ---- */

static void post_peer(struct hsl_flit_socket *s, const struct hsl_link_cfg *link)
{
    struct hsl_fab_in in = { .type = HSL_FAB_PEER };

    in.u.peer.link = link;
    hsl_fab_post(s->cfg.fab, &in);
    s->cfg.take(s->cfg.opaque);
}

/* The link is down. text: why, for people here. */
static void hang_up(struct hsl_flit_socket *s, const char *text)
{
    bool was = s->connected;
    struct hsl_fab_sent lost;

    if (s->fd < 0) {
        return;
    }
    shutdown(s->fd, SHUT_RDWR);     /* wakes who polls it */
    close(s->fd);
    s->fd = -1;
    s->connected = s->wants = s->told = s->asked = false;
    s->rx_used = s->tx_used = 0;
    s->bound_by_ps = 0;
    if (was) {
        while (hsl_fab_sent(s->cfg.fab, &lost)) {
        }
        post_peer(s, NULL);
    }
    s->cfg.say(s->cfg.opaque, false, text);
}

static void bye(struct hsl_flit_socket *s, enum hsl_fs_reason reason, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void bye(struct hsl_flit_socket *s, enum hsl_fs_reason reason, const char *format, ...)
{
    char text[HSL_FS_TEXT + 1] = "";
    union hsl_flit_msg m;
    va_list ap;

    va_start(ap, format);
    vsnprintf(text, sizeof(text), format, ap);
    va_end(ap);
    hsl_flit_msg_begin(&m, HSL_FS_BYE, 0);
    m.bye.reason = reason;
    memcpy(m.bye.text, text, HSL_FS_TEXT);
    s->tx_used = 0;
    if (s->fd >= 0 && append(s, &m)) {
        send(s->fd, s->tx, s->tx_used, MSG_DONTWAIT | MSG_NOSIGNAL);
    }
    hang_up(s, text);
}

static void begin(struct hsl_flit_socket *s, int fd)
{
    union hsl_flit_msg m = { .hello = s->own };

    s->fd = fd;
    s->since_ms = now_ms();
    s->rx_used = s->tx_used = 0;
    s->sent = s->seen = s->promise_ps = s->peer_seen = s->told_ps = s->told_seen = s->told_max_ps = 0;
    s->give_up_ms = 0;
    if (!append(s, &m) || flush(s)) {
        hang_up(s, "the connection broke");
    }
}

void hsl_flit_socket_accept(struct hsl_flit_socket *s)
{
    int fd = s->listener < 0 ? -1 : accept4(s->listener, NULL, NULL, SOCK_CLOEXEC);
    union hsl_flit_msg m;

    if (fd < 0) {
        return;
    }
    if (s->fd < 0) {
        begin(s, fd);
        return;
    }
    hsl_flit_msg_begin(&m, HSL_FS_BYE, 0);
    m.bye.reason = HSL_FS_BUSY;
    snprintf(m.bye.text, sizeof(m.bye.text), "there is a peer already");
    send(fd, &m, m.hdr.len, MSG_DONTWAIT | MSG_NOSIGNAL);
    close(fd);
}

/* ---- messages ---- */

static void got_hello(struct hsl_flit_socket *s, const struct hsl_fs_hello *h)
{
    const char *why = hsl_flit_msg_fits(&s->own, h);
    struct hsl_link_cfg link = s->link;
    char text[80];

    if (s->connected) {
        bye(s, HSL_FS_MALFORMED, "a second HELLO");
        return;
    }
    if (why) {
        bool version = h->magic != HSL_FS_MAGIC || h->major != s->own.major;

        bye(s, version ? HSL_FS_VERSION : HSL_FS_PARAMETERS, "%s (here %u.%u node %u, there %u.%u node %u)", why,
            s->own.major, s->own.minor, s->own.node, h->major, h->minor, h->node);
        return;
    }
    s->peer = *h;
    s->met = s->connected = true;
    s->base_ps = hsl_fab_now_ps(s->cfg.fab);
    hsl_flit_msg_link(h, &link);
    snprintf(text, sizeof(text), "node %u is there, x%u at %u MT/s", h->node, h->lanes, h->rate_mtps);
    s->cfg.say(s->cfg.opaque, true, text);
    post_peer(s, &link);
}

/* Nothing of the peer arrives before; fabric time. */
static uint64_t bound(const struct hsl_flit_socket *s)
{
    uint64_t from = s->promise_ps;

    if (s->sent > s->peer_seen) {
        uint64_t there = add(s->unseen[s->peer_seen % UNSEEN_MAX], s->own.latency_ps);

        from = there < from ? there : from;
    }
    return add(add(from, s->peer.latency_ps), s->base_ps);
}

/* The peer's clock is not further than this, by what we promised; socket time. */
static uint64_t peer_clock_max(const struct hsl_flit_socket *s)
{
    return add(s->told_max_ps, s->own.latency_ps);
}

static void got_flit(struct hsl_flit_socket *s, const union hsl_flit_msg *m)
{
    struct hsl_fab_in in = { .type = HSL_FAB_ARRIVE };
    uint64_t at = s->base_ps + m->hdr.time_ps + s->peer.latency_ps;

    if (m->hdr.time_ps > add(peer_clock_max(s), LATE_PS)) {
        bye(s, HSL_FS_TIME_ERROR, "sent at %llu ps, when the clock there is at %llu ps at most",
            (unsigned long long)m->hdr.time_ps, (unsigned long long)peer_clock_max(s));
        return;
    }
    if (at < bound(s)) {
        bye(s, HSL_FS_TIME_ERROR, "sent at %llu ps, against the promise", (unsigned long long)m->hdr.time_ps);
        return;
    }
    in.u.arrive.time_ps = at;
    in.u.arrive.ts = m->hdr.type == HSL_FS_LINE ? &m->line.ts : NULL;
    in.u.arrive.flit = m->hdr.type == HSL_FS_FLIT ? &m->flit.flit : NULL;
    if (hsl_fab_post(s->cfg.fab, &in)) {
        bye(s, HSL_FS_TIME_ERROR, "sent at %llu ps, when the clock here was past its arrival",
            (unsigned long long)m->hdr.time_ps);
        return;
    }
    s->cfg.take(s->cfg.opaque);
    s->seen++;
    if (at < s->bound_by_ps) {
        s->bound_by_ps = at;        /* we may answer it */
    }
}

static void got_time(struct hsl_flit_socket *s, const struct hsl_fs_time *t)
{
    if (t->seen > s->sent || t->seen < s->peer_seen) {
        bye(s, HSL_FS_MALFORMED, "TIME says it has seen %llu messages of %llu", (unsigned long long)t->seen,
            (unsigned long long)s->sent);
        return;
    }
    s->promise_ps = t->hdr.time_ps;
    s->peer_seen = t->seen;
    s->asked = false;
    s->wants |= t->hdr.flags & HSL_FS_F_WANT;
}

static void got(struct hsl_flit_socket *s, const union hsl_flit_msg *m)
{
    char text[HSL_FS_TEXT + 40];

    if (m->hdr.type == HSL_FS_BYE) {
        snprintf(text, sizeof(text), "it says BYE, %s: %.*s", hsl_flit_msg_reason(m->bye.reason), (int)HSL_FS_TEXT,
                 m->bye.text);
        hang_up(s, text);
    } else if (m->hdr.type == HSL_FS_HELLO) {
        got_hello(s, &m->hello);
    } else if (!s->connected) {
        bye(s, HSL_FS_VERSION, "the first message is not HELLO");
    } else if (m->hdr.type == HSL_FS_TIME) {
        got_time(s, &m->time);
    } else {
        got_flit(s, m);
    }
}

/* All whole messages in rx. */
static void take_messages(struct hsl_flit_socket *s)
{
    size_t at = 0;

    while (s->fd >= 0) {
        union hsl_flit_msg m;
        const char *why;
        int n = hsl_flit_msg_take(s->rx + at, s->rx_used - at, &m, &why);

        if (!n) {
            break;
        }
        if (n < 0) {
            bye(s, HSL_FS_MALFORMED, "%s", why);
            return;
        }
        at += (size_t)n;
        got(s, &m);
    }
    if (s->fd >= 0) {
        s->rx_used -= at;
        memmove(s->rx, s->rx + at, s->rx_used);
    }
}

/* Everything that has come, but not all that somebody sends without end. */
static void receive(struct hsl_flit_socket *s)
{
    int n = 1;

    for (unsigned int i = 0; i < FILLS_MAX && s->fd >= 0 && n > 0; i++) {
        n = fill(s);
        take_messages(s);
    }
    if (n < 0 && s->fd >= 0) {
        hang_up(s, n == -EPIPE ? "it has closed the connection" : strerror(-n));
    }
}

/* ---- time ---- */

/* What has left the fabric goes into tx. */
static void collect(struct hsl_flit_socket *s)
{
    struct hsl_fab_sent o;

    while (hsl_fab_sent(s->cfg.fab, &o)) {
        union hsl_flit_msg m;

        if (!s->connected) {
            continue;
        }
        hsl_flit_msg_begin(&m, o.is_ts ? HSL_FS_LINE : HSL_FS_FLIT, o.time_ps - s->base_ps);
        if (o.is_ts) {
            m.line.ts = o.u.ts;
        } else {
            m.flit.flit = o.u.flit;
        }
        if (!append(s, &m)) {
            bye(s, HSL_FS_DONE, "out of memory");
            continue;
        }
        s->unseen[s->sent++ % UNSEEN_MAX] = hsl_fab_now_ps(s->cfg.fab) - s->base_ps;
    }
}

static bool step_fab(struct hsl_flit_socket *s)
{
    bool done = hsl_fab_step(s->cfg.fab) == 1;

    s->cfg.take(s->cfg.opaque);
    collect(s);
    return done;
}

/* Tell the peer, if it does not know: we send nothing before promise_ps, fabric time. */
static void tell(struct hsl_flit_socket *s, uint64_t promise_ps, bool want)
{
    uint64_t socket_ps = promise_ps - s->base_ps, now = hsl_fab_now_ps(s->cfg.fab) - s->base_ps;
    union hsl_flit_msg m;

    if (socket_ps > add(now, HORIZON_PS)) {
        socket_ps = now + HORIZON_PS;
    }

    if (socket_ps >= HSL_FS_TIME_MAX) {
        socket_ps = HSL_FS_TIME_MAX - 1;
    }
    if (!s->told || s->told_ps != socket_ps || s->told_seen != s->seen || s->wants || (want && !s->asked)) {
        hsl_flit_msg_begin(&m, HSL_FS_TIME, socket_ps);
        m.time.seen = s->seen;
        m.hdr.flags = want ? HSL_FS_F_WANT : 0;
        if (!append(s, &m)) {
            bye(s, HSL_FS_DONE, "out of memory");
            return;
        }
        s->told = true;
        s->told_ps = socket_ps;
        s->told_max_ps = socket_ps > s->told_max_ps ? socket_ps : s->told_max_ps;
        s->told_seen = s->seen;
        s->wants = false;
        s->asked |= want;
        s->bound_by_ps = add(socket_ps, s->base_ps);
    }
}

static void flush_or_hang_up(struct hsl_flit_socket *s)
{
    int err = s->fd >= 0 ? flush(s) : 0;

    if (err) {
        hang_up(s, err == -EPIPE || err == -ECONNRESET ? "it has closed the connection"
                   : err == -ETIMEDOUT ? "it takes nothing any more" : strerror(-err));
    }
}

/* The peer has to let us go on, not by the least that there is; tells when it is given up. */
static bool is_given_up(struct hsl_flit_socket *s, uint64_t now)
{
    if (!s->give_up_ms || bound(s) >= add(s->stuck_at_ps, s->peer.latency_ps)) {
        s->stuck_at_ps = bound(s);
        s->give_up_ms = now + (uint64_t)GIVE_UP * s->cfg.patience_ms;
    }
    return now >= s->give_up_ms;
}

/* Until a message has come, or the peer is given up. */
static void wait_for_peer(struct hsl_flit_socket *s)
{
    uint64_t end_ms = now_ms() + s->cfg.patience_ms;
    size_t had = s->rx_used;

    if (is_given_up(s, now_ms())) {
        hang_up(s, "it does not let us go on");
        return;
    }
    flush_or_hang_up(s);
    if (s->fd >= 0 && s->rx_used != had) {      /* something came while we sent */
        take_messages(s);
        return;
    }
    while (s->fd >= 0) {
        struct pollfd p = { .fd = s->fd, .events = POLLIN };
        uint64_t now = now_ms();

        if (stopped(s)) {
            bye(s, HSL_FS_DONE, "closed");
            return;
        }
        if (now >= end_ms) {
            hang_up(s, "it does not answer");
            return;
        }
        if (poll(&p, 1, (int)(end_ms - now < LOOK_MS ? end_ms - now : LOOK_MS)) > 0) {
            receive(s);
            return;
        }
    }
}

bool hsl_flit_socket_step(struct hsl_flit_socket *s, uint64_t end_ps)
{
    for (;;) {
        uint64_t next = hsl_fab_next_ps(s->cfg.fab), until = next < end_ps ? next : end_ps;

        if (!s->connected) {
            return next <= end_ps && step_fab(s);
        }
        if (until < bound(s) && s->sent - s->peer_seen < UNSEEN_MAX - SENT_AT_ONCE) {
            return next <= end_ps && step_fab(s);
        }
        if (until > add(hsl_fab_now_ps(s->cfg.fab), HORIZON_PS)) {      /* the next promise begins where nothing can come */
            hsl_fab_advance(s->cfg.fab, bound(s) < until ? bound(s) : until);
        }
        tell(s, until, true);
        wait_for_peer(s);
    }
}

/* The peer asked: we go on as far as we may, and answer with how far that is. */
static void answer(struct hsl_flit_socket *s)
{
    unsigned int events = 0;

    while (s->connected && s->wants) {
        uint64_t next = hsl_fab_next_ps(s->cfg.fab), limit = bound(s), to = next < limit ? next : limit;

        if (next < limit && events++ < SERVED_MAX && s->sent - s->peer_seen < UNSEEN_MAX - SENT_AT_ONCE) {
            step_fab(s);
            continue;
        }
        if (to > add(hsl_fab_now_ps(s->cfg.fab), HORIZON_PS)) {
            to = hsl_fab_now_ps(s->cfg.fab) + HORIZON_PS;
        }
        hsl_fab_advance(s->cfg.fab, to);
        tell(s, to, false);
    }
    flush_or_hang_up(s);
}

void hsl_flit_socket_serve(struct hsl_flit_socket *s)
{
    receive(s);
    if (s->fd >= 0 && !s->connected && now_ms() - s->since_ms > s->cfg.patience_ms) {
        bye(s, HSL_FS_VERSION, "it says no HELLO");
    }
    answer(s);
    /* what came while we could not send: nobody would look at it again */
    for (unsigned int i = 0; s->fd >= 0 && s->rx_used; i++) {
        size_t had = s->rx_used;

        take_messages(s);
        if (s->rx_used == had) {                /* part of a message */
            break;
        }
        if (s->wants && i >= ASKS_MAX) {
            bye(s, HSL_FS_DONE, "it asks and does not take the answers");
        }
        answer(s);
    }
}

void hsl_flit_socket_catch_up(struct hsl_flit_socket *s)
{
    uint64_t to;

    s->give_up_ms = 0;
    receive(s);
    while (s->connected && hsl_fab_now_ps(s->cfg.fab) < s->bound_by_ps) {
        to = s->bound_by_ps;
        if (!hsl_flit_socket_step(s, to)) {
            hsl_fab_advance(s->cfg.fab, to);
            return;
        }
    }
}

/* ---- life ---- */

bool hsl_flit_socket_connected(const struct hsl_flit_socket *s)
{
    return s->connected;
}

const struct hsl_fs_hello *hsl_flit_socket_peer(const struct hsl_flit_socket *s)
{
    return s->met ? &s->peer : NULL;
}

unsigned int hsl_flit_socket_poll(const struct hsl_flit_socket *s, struct pollfd fds[2], int *timeout_ms)
{
    unsigned int n = 0;

    if (s->listener >= 0) {
        fds[n++] = (struct pollfd){ .fd = s->listener, .events = POLLIN };
    }
    if (s->fd >= 0) {
        fds[n++] = (struct pollfd){ .fd = s->fd, .events = POLLIN };
    }
    *timeout_ms = s->fd >= 0 && !s->connected ? 500 : -1;
    return n;
}

static int address(const char *path, struct sockaddr_un *a)
{
    *a = (struct sockaddr_un){ .sun_family = AF_UNIX };
    if (!*path || strlen(path) >= sizeof(a->sun_path)) {
        return -ENAMETOOLONG;
    }
    strcpy(a->sun_path, path);
    return 0;
}

/* A connected socket, or -errno. */
static int try_connect(const char *path)
{
    struct sockaddr_un a;
    int fd, err = address(path, &a);

    if (err) {
        return err;
    }
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -errno;
    }
    if (connect(fd, (struct sockaddr *)&a, sizeof(a))) {
        err = -errno;
        close(fd);
        return err;
    }
    return fd;
}

/* A file that a program which was killed has left is in nobody's way. */
static int remove_stale(const char *path)
{
    struct stat st;
    int fd;

    if (lstat(path, &st)) {
        return errno == ENOENT ? 0 : -errno;
    }
    if (!S_ISSOCK(st.st_mode)) {
        return -EEXIST;
    }
    fd = try_connect(path);
    if (fd >= 0) {
        close(fd);
        return -EADDRINUSE;
    }
    return fd != -ECONNREFUSED ? fd : unlink(path) ? -errno : 0;
}

static int listen_at(struct hsl_flit_socket *s, const struct sockaddr_un *a)
{
    s->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (s->listener < 0 || bind(s->listener, (const struct sockaddr *)a, sizeof(*a))) {
        return -errno;
    }
    s->made = true;
    return chmod(s->path, 0600) || listen(s->listener, 4) ? -errno : 0;
}

static void pause_ms(unsigned int ms)
{
    struct timespec ts = { .tv_nsec = (long)ms * 1000000 };

    nanosleep(&ts, NULL);
}

/* The directory of a socket, locked, or -errno. Others who lock it are not waited for forever. */
static int lock_directory(const char *path)
{
    uint64_t end_ms = now_ms() + LOCK_MS;
    const char *base = strrchr(path, '/');
    char dir[sizeof(((struct sockaddr_un *)0)->sun_path)] = ".";
    int fd, err = 0;

    if (base) {
        snprintf(dir, sizeof(dir), "%.*s", base == path ? 1 : (int)(base - path), path);
    }
    fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return -errno;
    }
    while (flock(fd, LOCK_EX | LOCK_NB)) {
        err = errno == EWOULDBLOCK ? EBUSY : errno;
        if (err != EBUSY || now_ms() >= end_ms) {
            close(fd);
            return -err;
        }
        pause_ms(RETRY_MS);
    }
    return fd;
}

/*
 * Nobody but the owner may connect, as who does may access open memory. Between bind and listen a socket looks like one that
 * was left behind, and two who remove one may remove each other's: one at a time.
 */
static int make_listener(struct hsl_flit_socket *s)
{
    struct sockaddr_un a;
    int dir, err = address(s->path, &a);

    if (err) {
        return err;
    }
    dir = lock_directory(s->path);
    if (dir < 0) {
        return dir;
    }
    err = remove_stale(s->path);
    if (!err) {
        err = listen_at(s, &a);
    }
    close(dir);
    return err;
}

static void set_own(struct hsl_flit_socket *s, const struct hsl_fab_cfg *cfg)
{
    union hsl_flit_msg m;

    s->link = cfg->link;
    hsl_flit_msg_hello(&m, &cfg->link);
    m.hello.node = (uint16_t)cfg->cut_a;
    m.hello.peer = (uint16_t)cfg->cut_b;
    m.hello.lanes = cfg->profile.lanes;
    m.hello.rate_mtps = cfg->profile.rate_mtps;
    m.hello.latency_ps = hsl_time_crossing_ps(&cfg->profile);
    m.hello.open_bytes = cfg->open_bytes;
    s->own = m.hello;
}

int hsl_flit_socket_new(const struct hsl_flit_socket_cfg *cfg, struct hsl_flit_socket **out)
{
    struct hsl_flit_socket *s = calloc(1, sizeof(*s));
    int err;

    if (!s) {
        return -ENOMEM;
    }
    s->cfg = *cfg;
    s->cfg.cfg = NULL;
    s->cfg.patience_ms = cfg->patience_ms ? cfg->patience_ms : PATIENCE_MS;
    s->listener = s->fd = -1;
    set_own(s, cfg->cfg);
    s->path = strdup(cfg->path);
    s->unseen = calloc(UNSEEN_MAX, sizeof(*s->unseen));
    s->rx = malloc(RX_BYTES);
    err = !s->path || !s->unseen || !s->rx ? -ENOMEM : !s->own.latency_ps ? -EINVAL : 0;
    if (!err && cfg->listen) {
        err = make_listener(s);
    }
    if (err) {
        hsl_flit_socket_free(s);
        return err;
    }
    *out = s;
    return 0;
}

void hsl_flit_socket_free(struct hsl_flit_socket *s)
{
    if (!s) {
        return;
    }
    if (s->fd >= 0) {
        bye(s, HSL_FS_DONE, "closed");
    }
    if (s->made) {
        unlink(s->path);        /* while it listens nobody else makes one there */
    }
    if (s->listener >= 0) {
        close(s->listener);
    }
    free(s->unseen);
    free(s->path);
    free(s->rx);
    free(s->tx);
    free(s);
}

int hsl_flit_socket_meet(struct hsl_flit_socket *s, unsigned int wait_ms)
{
    uint64_t end_ms = now_ms() + wait_ms;
    bool began = false;

    while (!s->connected) {
        struct pollfd fds[2];
        int timeout, fd;

        if (s->listener < 0 && s->fd < 0) {
            if (began) {
                return -EPROTO;
            }
            fd = try_connect(s->path);
            if (fd >= 0) {
                began = true;
                begin(s, fd);
                continue;
            }
            if ((fd != -ENOENT && fd != -ECONNREFUSED) || now_ms() >= end_ms) {
                return fd;
            }
            pause_ms(RETRY_MS);
            continue;
        }
        if (now_ms() >= end_ms) {
            return -ETIMEDOUT;
        }
        if (poll(fds, hsl_flit_socket_poll(s, fds, &timeout), (int)RETRY_MS) >= 0) {
            hsl_flit_socket_accept(s);
            hsl_flit_socket_serve(s);
        }
    }
    return 0;
}
