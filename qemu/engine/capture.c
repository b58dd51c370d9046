// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * A capture of all links into a file (docs/capture.md). The modelled fabric is tapped; what it
 * records is written when the turn in which it happened is over, whole blocks at a time, so the file
 * of a process that is killed can be read up to its last turn. A file that cannot be written any
 * more ends the capture and is told once; the fabric goes on.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "engine_priv.h"
#include "model/capture.h"

#define ROOM    65536u

struct hsl_capture {
    int fd, err;
    void (*failed)(void *opaque, int err);
    void *opaque;
    size_t used;
    uint8_t buf[ROOM];
};

int hsl_capture_flush(struct hsl_capture *c)
{
    size_t done = 0;

    while (!c->err && done < c->used) {
        ssize_t n = write(c->fd, c->buf + done, c->used - done);

        if (n >= 0) {
            done += (size_t)n;
        } else if (errno != EINTR) {
            c->err = -errno;
        }
    }
    c->used = 0;
    return c->err;
}

/* Room for one more block. */
static uint8_t *room(struct hsl_capture *c)
{
    if (ROOM - c->used < HSL_PCAPNG_BLOCK_MAX) {
        hsl_capture_flush(c);
    }
    return c->buf + c->used;
}

void hsl_capture_begin(struct hsl_capture *c, const struct hsl_fab *fab)
{
    size_t n;

    for (uint32_t i = 0; (n = hsl_capture_head(fab, i, "hsl", room(c))); i++) {
        c->used += n;
    }
}

void hsl_capture_add(struct hsl_capture *c, const struct hsl_fab *fab,
                     const struct hsl_fab_record *r)
{
    c->used += hsl_capture_record(fab, r, room(c));
}

void hsl_capture_end(struct hsl_capture *c)
{
    if (c) {
        close(c->fd);
        if (c->err) {
            c->failed(c->opaque, c->err);
        }
        free(c);
    }
}

int hsl_fabric_engine_capture(struct hsl_fabric_engine *f, const char *path,
                              void (*failed)(void *opaque, int err), void *opaque)
{
    struct hsl_capture *c = NULL;

    if (!f->modelled) {
        return path ? -EOPNOTSUPP : 0;
    }
    if (path) {
        c = calloc(1, sizeof(*c));
        if (!c) {
            return -ENOMEM;
        }
        c->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
        if (c->fd < 0) {
            int err = -errno;

            free(c);
            return err;
        }
        c->failed = failed;
        c->opaque = opaque;
    }
    hsl_modelled_capture(f, c);
    return 0;
}
