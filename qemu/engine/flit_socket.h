/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * An end of a flit socket (docs/flit-socket.md): what leaves a modelled fabric (qemu/model/fab.h, cut_a and cut_b) goes
 * to another program, and what comes from there arrives. It keeps both sides' virtual time together, so once there is a
 * peer the fabric is stepped by hsl_flit_socket_step only.
 *
 * Not thread-safe: the caller's lock of the fabric is the socket's.
 */
#ifndef HSL_ENGINE_FLIT_SOCKET_H
#define HSL_ENGINE_FLIT_SOCKET_H

#include <poll.h>

#include "model/fab.h"
#include "hsl/flit_socket.h"

struct hsl_flit_socket_cfg {
    struct hsl_fab *fab;
    const struct hsl_fab_cfg *cfg;      /* what it was made of; used by hsl_flit_socket_new only */
    const char *path;                   /* of a UNIX socket */
    bool listen;                        /* else connect */
    unsigned int patience_ms;           /* 0: 5000; a peer that is silent for so long when it is waited for is gone */
    void (*take)(void *opaque);         /* outputs and records of the fabric are to be taken */
    /* one line for people, without newline: a peer has come, or is gone (why) */
    void (*say)(void *opaque, bool there, const char *text);
    bool (*stopped)(void *opaque);      /* asked while the peer is waited for: hang up? NULL: never */
    void *opaque;
};

struct hsl_flit_socket;
/* listen: makes the socket file, in place of one that nobody listens at. -EADDRINUSE: somebody does. */
int hsl_flit_socket_new(const struct hsl_flit_socket_cfg *cfg, struct hsl_flit_socket **out);
/* Says BYE. The link is down. NULL is fine. */
void hsl_flit_socket_free(struct hsl_flit_socket *s);
/*
 * Until a peer has said HELLO: connecting tries for so long, as the other program may not be there yet. -ETIMEDOUT,
 * -EPROTO: it does not fit, which has been said; -errno of connect(2).
 */
int hsl_flit_socket_meet(struct hsl_flit_socket *s, unsigned int wait_ms);
bool hsl_flit_socket_connected(const struct hsl_flit_socket *s);
/* What the peer said last in its HELLO; NULL: nothing yet. */
const struct hsl_fs_hello *hsl_flit_socket_peer(const struct hsl_flit_socket *s);

/*
 * Files to wait for, and for how long in ms (-1: for ever), until hsl_flit_socket_accept and _serve are to be called. How
 * many. A peer is only accepted by who waits here.
 */
unsigned int hsl_flit_socket_poll(const struct hsl_flit_socket *s, struct pollfd fds[2], int *timeout_ms);
void hsl_flit_socket_accept(struct hsl_flit_socket *s);
/*
 * Takes what has come, without waiting, and goes on with the fabric as far as the peer needs. At the end of each turn at
 * the fabric too, as the peer may have asked in the middle of it.
 */
void hsl_flit_socket_serve(struct hsl_flit_socket *s);
/* Before something is posted from outside: time has passed that the peer was promised to be silent. */
void hsl_flit_socket_catch_up(struct hsl_flit_socket *s);
/* One event, perhaps after waiting for the peer; false: there is none up to end_ps. Without a peer as hsl_fab_step. */
bool hsl_flit_socket_step(struct hsl_flit_socket *s, uint64_t end_ps);

#endif
