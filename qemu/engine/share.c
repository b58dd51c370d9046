// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * What streams share, in modelled time (docs/hep.md section 9): each direction of a link, of a chip's
 * memory and of its host port carries one flit at a time.
 *
 * Each of these has a calendar: the times at which it is taken, in order. A chunk of a stream takes
 * the first time that is free and long enough on each part of its way, one after the other: no part
 * before the one that it comes from, as flits go on when they arrive. So a chunk goes behind what was
 * planned before it, and between that where there is room. A queue has one chunk planned at a time;
 * streams that share a part take turns there, 64 KiB each.
 *
 * A chunk's turn is over when its last byte has been written and the host could know: a port later. The
 * chunk that follows is planned then, from that byte on, so calendars keep what was taken since. A
 * command that ends early, as it is aborted, leaves what it has taken to nobody.
 *
 * Of who runs the fabric, one at a time: no lock.
 */
#include <stdlib.h>
#include <string.h>

#include "engine_priv.h"

struct slot {
    uint64_t from_ps, to_ps;
};

struct hsl_calendar {
    struct slot *slot;
    uint32_t n, room;
};

enum { MEM_READ, MEM_WRITE, HOST_READ, HOST_WRITE, PARTS };     /* of each chip; links follow */

static uint32_t part_of(uint32_t node, uint32_t part)
{
    return (node - 1) * PARTS + part;
}

static uint32_t calendars(const struct hsl_fabric_engine *f)
{
    return f->cfg.model.nodes * PARTS + 2 * hsl_model_links(f->model);
}

bool hsl_share_init(struct hsl_fabric_engine *f)
{
    f->calendar = calloc(calendars(f), sizeof(*f->calendar));
    return f->calendar;
}

void hsl_share_free(struct hsl_fabric_engine *f)
{
    for (uint32_t i = 0; f->calendar && i < calendars(f); i++) {
        free(f->calendar[i].slot);
    }
    free(f->calendar);
}

/* ---- ways ---- */

/* A command that uses a part twice streams once: the formula says so. */
static void way_add(struct hsl_share_way *w, uint32_t part)
{
    for (uint32_t i = 0; i < w->n; i++) {
        if (w->part[i] == part) {
            return;
        }
    }
    w->part[w->n++] = part;
}

static void links_add(struct hsl_fabric_engine *f, uint32_t from, uint32_t to, struct hsl_share_way *w)
{
    uint32_t way[HSL_WAY_MAX];
    int n;

    pthread_mutex_lock(&f->model_lock);
    n = hsl_model_way(f->model, from, to, way);
    pthread_mutex_unlock(&f->model_lock);
    for (int i = 0; i < n; i++) {
        way_add(w, f->cfg.model.nodes * PARTS + way[i]);
    }
}

void hsl_share_read(struct hsl_fabric_engine *f, uint32_t node, uint32_t home, struct hsl_share_way *w)
{
    if (!home) {
        way_add(w, part_of(node, HOST_READ));
        return;
    }
    way_add(w, part_of(home, MEM_READ));
    links_add(f, home, node, w);
}

void hsl_share_write(struct hsl_fabric_engine *f, uint32_t node, uint32_t home, struct hsl_share_way *w)
{
    if (!home) {
        way_add(w, part_of(node, HOST_WRITE));
        return;
    }
    links_add(f, node, home, w);
    way_add(w, part_of(home, MEM_WRITE));
}

/* ---- calendars ---- */

/* Nobody plans for what is over by then. */
static void forget(struct hsl_calendar *c, uint64_t before_ps)
{
    uint32_t over = 0;

    while (over < c->n && c->slot[over].to_ps <= before_ps) {
        over++;
    }
    if (over) {
        c->n -= over;
        memmove(c->slot, c->slot + over, c->n * sizeof(*c->slot));
    }
}

static bool has_room(struct hsl_calendar *c)
{
    uint32_t room = c->room ? 2 * c->room : 8;
    struct slot *slot;

    if (c->n < c->room) {
        return true;
    }
    slot = realloc(c->slot, room * sizeof(*slot));
    if (!slot) {
        return false;
    }
    c->slot = slot;
    c->room = room;
    return true;
}

/* From when on ps are taken, from_ps or later. */
static uint64_t take(struct hsl_calendar *c, uint64_t from_ps, uint64_t ps)
{
    uint32_t i = 0;

    for (; i < c->n && c->slot[i].from_ps < from_ps + ps; i++) {
        if (c->slot[i].to_ps > from_ps) {
            from_ps = c->slot[i].to_ps;
        }
    }
    if (i && c->slot[i - 1].to_ps == from_ps) {
        c->slot[i - 1].to_ps += ps;
    } else if (has_room(c)) {   /* else nobody sees that it is taken */
        memmove(c->slot + i + 1, c->slot + i, (c->n++ - i) * sizeof(*c->slot));
        c->slot[i] = (struct slot){ from_ps, from_ps + ps };
    }
    return from_ps;
}

uint64_t hsl_share_take(struct hsl_fabric_engine *f, const struct hsl_share_way *w, uint64_t from_ps, uint64_t ps)
{
    const struct hsl_profile *p = &f->cfg.model.profile;
    uint64_t behind = hsl_time_way_ps(p, HSL_WAY_OWN_HOST) + hsl_time_flit_ps(p);

    for (uint32_t i = 0; ps && i < w->n; i++) {
        struct hsl_calendar *c = &f->calendar[w->part[i]];

        forget(c, f->event_ps > behind ? f->event_ps - behind : 0);
        from_ps = take(c, from_ps, ps);
    }
    return from_ps + ps;
}
