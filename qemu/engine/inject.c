// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Errors on purpose from outside of the chips (QEMU's monitor): the words of model/inject.h behind the place where, done by
 * what the test facility of a chip does them with (facility.c).
 *
 * First the words, then the place and every argument are looked at, then all is done; only a link that is to leave can
 * still refuse, and comes before what changes anything.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hsl/ctf.h"
#include "model/inject.h"
#include "modelled_priv.h"

#define WORDS_MAX       128u
#define TRAINED_PS      UINT64_C(1000000000)

struct order {
    struct hsl_fabric_engine *f;
    uint32_t a, b;              /* 0: none was named */
    struct hsl_inject_plan plan;
    char *why;
    size_t why_len;
};

__attribute__((format(printf, 2, 3)))
static int refuse(struct order *o, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(o->why, o->why_len, fmt, ap);
    va_end(ap);
    return -EINVAL;
}

/* ---- words ---- */

/* A or A-B, if the word begins like that. */
static int parse_place(struct order *o, const char *word)
{
    unsigned long a, b = 0;
    char *end;

    a = strtoul(word, &end, 10);
    if (*end == '-' && end[1] >= '0' && end[1] <= '9') {
        b = strtoul(end + 1, &end, 10);
        if (!b) {
            a = 0;
        }
    }
    if (*end || !a || a > UINT16_MAX || b > UINT16_MAX) {
        return refuse(o, "'%s' is neither a link, as 1-2, nor a chip", word);
    }
    o->a = (uint32_t)a;
    o->b = (uint32_t)b;
    return 0;
}

/* text is cut into words. */
static int parse(struct order *o, char *text)
{
    char *words[WORDS_MAX], *save = NULL, *w = strtok_r(text, " \t", &save);
    unsigned int n = 0;

    if (w && *w >= '0' && *w <= '9') {
        if (parse_place(o, w)) {
            return -EINVAL;
        }
        w = strtok_r(NULL, " \t", &save);
    }
    for (; w; w = strtok_r(NULL, " \t", &save)) {
        if (n == WORDS_MAX) {
            return refuse(o, "too much at once");
        }
        words[n++] = w;
    }
    if (!n) {
        return refuse(o, "what? As in 1-2 ber 1e-6 seed 7");
    }
    return hsl_inject_parse(&o->plan, words, n, o->why, o->why_len);
}

/* ---- what the fabric says to it; its lock is held ---- */

static int check_link(struct order *o, struct hsl_fab *fab)
{
    if (!o->b) {
        return refuse(o, "at which link? As in 1-2 %s", o->plan.clear ? "clear" : "ber 1e-6");
    }
    return hsl_fab_phy(fab, o->a, o->b) ? 0 : refuse(o, "there is no link %u-%u", o->a, o->b);
}

static int check_chip(struct order *o, const struct hsl_inject *s)
{
    uint32_t node = s->home ? s->home : o->a;
    struct hsl_chip_engine *c;

    if (!node || (o->b && !s->home)) {
        return refuse(o, "%s: of which chip? As in 2 %s", s->what, s->what);
    }
    c = node <= o->f->modelled->nodes ? o->f->modelled->chip[node] : NULL;
    if (!c) {
        return refuse(o, "%s: there is no chip %u", s->what, node);
    }
    if (s->home && HSL_GA_OFFSET(s->arg[0]) >= c->cfg.mem_bytes) {
        return refuse(o, "%s: chip %u has 0x%llx bytes of memory", s->what, node, (unsigned long long)c->cfg.mem_bytes);
    }
    return 0;
}

static int check_arguments(struct order *o, const struct hsl_fab_cfg *cfg, const struct hsl_inject *s)
{
    bool places = (s->cmd == HSL_CTF_CMD_WIRE && s->arg[0] == HSL_CTF_WIRE_REORDER) ||
                  (s->cmd == HSL_CTF_CMD_ARM && s->arg[0] == HSL_CTF_ARM_REORDER);

    if (places && s->arg[2] > cfg->link.reorder) {
        return refuse(o, "%s: this link layer bears %u places at most", s->what, cfg->link.reorder);
    }
    if (s->cmd == HSL_CTF_CMD_ARM && s->arg[0] == HSL_CTF_ARM_DELAY && s->arg[2] >= cfg->link.replay_ps) {
        return refuse(o, "%s: less than the replay time, %llu ps", s->what, (unsigned long long)cfg->link.replay_ps);
    }
    if (s->cmd == HSL_CTF_CMD_LANE && s->arg[0] >= cfg->phy.lanes) {
        return refuse(o, "%s: the link has lanes 0 to %u", s->what, cfg->phy.lanes - 1);
    }
    return 0;
}

/* What is sent by another program can be damaged here, where it arrives; the rest is done there. */
static int check_owner(struct order *o, const struct hsl_fab *fab, const struct hsl_inject *s)
{
    bool wire = s->cmd == HSL_CTF_CMD_WIRE || (s->cmd == HSL_CTF_CMD_ARM && s->arg[0] < HSL_CTF_ARM_POISON);

    return wire || !hsl_fab_is_remote(fab, o->a) ? 0 :
           refuse(o, "%s: node %u is in another program", s->what, o->a);
}

static int check(struct order *o, struct hsl_fab *fab)
{
    int err = o->b || o->plan.clear || hsl_inject_needs_link(&o->plan) ? check_link(o, fab) : 0;

    for (unsigned int i = 0; !err && i < o->plan.n; i++) {
        const struct hsl_inject *s = &o->plan.step[i];

        err = s->no_link ? check_chip(o, s) : check_owner(o, fab, s);
        if (!err) {
            err = check_arguments(o, hsl_fab_config(fab), s);
        }
    }
    return err;
}

static int do_step(struct order *o, const struct hsl_inject *s, bool *fatal)
{
    uint32_t a = s->home ? s->home : o->a, status;
    struct hsl_modelled *m = o->f->modelled;

    status = hsl_facility_give(o->f, a <= m->nodes ? m->chip[a] : NULL, a, o->b, s->cmd, s->arg, fatal);
    if (!status) {
        return 0;
    }
    return refuse(o, "%s: %s", s->what, status == HSL_ST_UNREACHABLE ? "it is the only way of some chips to others" :
                  "routes are changing, or there is no memory left");
}

static int clear(struct order *o, struct hsl_fab *fab)
{
    struct hsl_fab_in in = { .type = HSL_FAB_CALM, .u.test = { .a = o->a, .b = o->b } };
    uint64_t end = hsl_fab_now_ps(fab) + TRAINED_PS;

    if (hsl_modelled_post(o->f->modelled, &in)) {
        return refuse(o, "clear: node %u is in another program", o->a);
    }
    while (hsl_modelled_step(o->f->modelled, end)) {
    }
    return 0;
}

int hsl_fabric_engine_inject(struct hsl_fabric_engine *f, const char *text, char *why, size_t why_len)
{
    struct order o = { .f = f, .why = why, .why_len = why_len };
    struct hsl_chip_engine *c;
    bool fatal = false;
    struct hsl_fab *fab;
    char *copy;
    int err;

    if (!f->modelled) {
        return refuse(&o, "the links of this fabric are not modelled");
    }
    copy = strdup(text);
    err = copy ? parse(&o, copy) : refuse(&o, "out of memory");
    free(copy);
    if (err) {
        return err;
    }
    fab = hsl_modelled_enter(f);
    err = check(&o, fab);
    if (!err && o.plan.clear) {
        err = clear(&o, fab);
    }
    for (unsigned int i = 0; !err && i < o.plan.n; i++) {
        err = do_step(&o, &o.plan.step[i], &fatal);
    }
    hsl_modelled_leave(f);
    pthread_mutex_lock(&f->ctl_lock);
    c = fatal ? hsl_chip_at(f, o.a) : NULL;
    if (c) {
        hsl_chip_event(c, HSL_EVENT_FATAL);
    }
    if (!err && o.b) {
        hsl_facility_sync(f, o.a, o.b);
    }
    pthread_mutex_unlock(&f->ctl_lock);
    return err;
}
