// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Words of injected errors, see inject.h.
 *
 * Words are taken one by one; each kind knows what comes behind its own. Seeds are given first, so that they hold for
 * everything. Of the others only leave can be refused for what the fabric is doing, so it is next: who has checked the
 * arguments of a plan has all of it done or nothing.
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hsl/ctf.h"
#include "inject.h"

enum turn { TURN_SEED, TURN_LEAVE, TURN_REST };

struct words {
    char *const *w;
    unsigned int n;             /* that are left */
    char *why;
    size_t why_len;
};

__attribute__((format(printf, 2, 3)))
static bool complain(struct words *w, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(w->why, w->why_len, fmt, ap);
    va_end(ap);
    return false;
}

static const char *take(struct words *w)
{
    if (!w->n) {
        return NULL;
    }
    w->n--;
    return *w->w++;
}

/* ---- numbers ---- */

/* strtoull alone would take blanks and signs. */
static bool number(const char *s, const char **end, uint64_t *v)
{
    bool hex = s[0] == '0' && (s[1] == 'x' || s[1] == 'X');
    char *e;

    if (hex ? !isxdigit((unsigned char)s[2]) : !isdigit((unsigned char)s[0])) {
        return false;
    }
    errno = 0;
    *v = strtoull(s, &e, hex ? 16 : 10);
    *end = e;
    return !errno;
}

static bool take_u64(struct words *w, const char *what, uint64_t min, uint64_t max, uint64_t *v)
{
    const char *s = take(w), *end;

    if (s && number(s, &end, v) && !*end && *v >= min && *v <= max) {
        return true;
    }
    return complain(w, "%s: %s%sa number from %" PRIu64 " to %" PRIu64 " is needed", what, s ? s : "", s ? ": " : "",
                    min, max);
}

/* A probability in units of 2^-64; all ones: always. */
static bool take_rate(struct words *w, struct hsl_inject *s)
{
    const char *word = take(w);
    char *end = NULL;
    double v = word ? strtod(word, &end) : -1;

    if (!word || end == word || *end || !(v >= 0 && v <= 1)) {
        return complain(w, "%s: a probability from 0 to 1 is needed, as 1e-6", s->what);
    }
    s->arg[1] = v >= 1 ? UINT64_MAX : (uint64_t)ldexp(v, 64);
    snprintf(s->text, sizeof(s->text), "with probability %s", word);
    return true;
}

/* N[@K]: N hit after K have passed. */
static bool take_count(struct words *w, struct hsl_inject *s, const char *of)
{
    const char *word = take(w), *end = "";
    uint64_t n = 0, after = 0;
    bool good = word && number(word, &end, &n);

    if (good && *end == '@') {
        good = number(end + 1, &end, &after);
    }
    if (!good || *end || !n || n > UINT32_MAX || after > UINT32_MAX) {
        return complain(w, "%s: a count is needed, N or N@K: N after the next K", s->what);
    }
    s->arg[1] = n << 32 | after;
    snprintf(s->text, sizeof(s->text), "%" PRIu64 " %s%s", n, of, n == 1 ? "" : "s");
    if (after) {
        snprintf(s->text + strlen(s->text), sizeof(s->text) - strlen(s->text), " after the next %" PRIu64, after);
    }
    return true;
}

static bool take_time(struct words *w, struct hsl_inject *s)
{
    static const struct { const char *name; double ps; } units[] = {
        { "ps", 1 }, { "ns", 1e3 }, { "us", 1e6 }, { "ms", 1e9 }, { "s", 1e12 },
    };
    const char *word = take(w);
    char *end = NULL;
    double v = word && isdigit((unsigned char)*word) ? strtod(word, &end) : -1;

    for (unsigned int i = 0; v >= 0 && i < sizeof(units) / sizeof(units[0]); i++) {
        if (!strcmp(end, units[i].name) && v * units[i].ps < 1e18) {
            s->arg[2] = (uint64_t)llround(v * units[i].ps);
            return true;
        }
    }
    return complain(w, "%s: a time is needed, as 500ps or 2us", s->what);
}

__attribute__((format(printf, 2, 0)))
static void append(struct hsl_inject *s, const char *fmt, uint64_t v)
{
    size_t n = strlen(s->text);

    snprintf(s->text + n, sizeof(s->text) - n, fmt, v);
}

/* ---- words of a step; false: what is wrong is told ---- */

static bool link_words(struct words *w, struct hsl_inject *s)
{
    static const struct { const char *name; uint64_t state; bool lasts; } states[] = {
        { "down", HSL_CTF_STATE_DISABLE, true },
        { "leave", HSL_CTF_STATE_LEAVE, true },
        { "up", HSL_CTF_STATE_ENABLE, false },
        { "retrain", HSL_CTF_STATE_RETRAIN, false },
        { "hot-reset", HSL_CTF_STATE_HOT_RESET, false },
    };
    const char *word = take(w);

    for (unsigned int i = 0; word && i < sizeof(states) / sizeof(states[0]); i++) {
        if (strcmp(word, states[i].name)) {
            continue;
        }
        s->cmd = HSL_CTF_CMD_STATE;
        s->arg[0] = states[i].state;
        s->lasts = states[i].lasts;
        s->turn = s->arg[0] == HSL_CTF_STATE_LEAVE ? TURN_LEAVE : TURN_REST;
        snprintf(s->text, sizeof(s->text), "%s", word);
        return true;
    }
    return complain(w, "%s: down, leave, up, retrain or hot-reset", s->what);
}

static bool lane_words(struct words *w, struct hsl_inject *s)
{
    const char *word;

    if (!take_u64(w, s->what, 0, 63, &s->arg[0])) {
        return false;
    }
    word = take(w);
    if (!word || (strcmp(word, "fail") && strcmp(word, "ok"))) {
        return complain(w, "%s: after the lane: fail or ok", s->what);
    }
    s->cmd = HSL_CTF_CMD_LANE;
    s->arg[1] = !strcmp(word, "ok");
    s->lasts = !s->arg[1];
    snprintf(s->text, sizeof(s->text), "%" PRIu64 " %s", s->arg[0], s->arg[1] ? "works" : "fails");
    return true;
}

static bool wire_words(struct words *w, struct hsl_inject *s, uint64_t kind)
{
    s->cmd = HSL_CTF_CMD_WIRE;
    s->arg[0] = kind;
    if (kind == HSL_CTF_WIRE_SEED) {
        s->turn = TURN_SEED;
        if (!take_u64(w, s->what, 0, UINT64_MAX, &s->arg[1])) {
            return false;
        }
        append(s, "of random errors: %" PRIu64, s->arg[1]);
        return true;
    }
    s->lasts = true;
    if (!take_rate(w, s)) {
        return false;
    }
    if (kind == HSL_CTF_WIRE_BURST) {
        if (!take_u64(w, s->what, 2, HSL_FLIT_BYTES * 8, &s->arg[2])) {
            return false;
        }
        append(s, " per flit, %" PRIu64 " bits long", s->arg[2]);
    } else if (kind == HSL_CTF_WIRE_REORDER) {
        if (!take_u64(w, s->what, 1, UINT32_MAX, &s->arg[2])) {
            return false;
        }
        append(s, " per flit, %" PRIu64 " places late", s->arg[2]);
    } else {
        append(s, kind == HSL_CTF_WIRE_BIT ? " per bit" : " per flit", 0);
    }
    return true;
}

static bool arm_words(struct words *w, struct hsl_inject *s, uint64_t kind)
{
    const char *of = kind == HSL_CTF_ARM_POISON ? "packet" : kind == HSL_CTF_ARM_SWALLOW ? "request" : "flit";

    s->cmd = HSL_CTF_CMD_ARM;
    s->arg[0] = kind;
    s->lasts = true;
    if (!take_count(w, s, of)) {
        return false;
    }
    if (kind == HSL_CTF_ARM_CRC && w->n && isdigit((unsigned char)w->w[0][0])) {
        if (!take_u64(w, s->what, 0, HSL_FLIT_BYTES * 8 - 1, &s->arg[2])) {
            return false;
        }
        append(s, ", bit %" PRIu64, s->arg[2]);
    } else if (kind == HSL_CTF_ARM_REORDER) {
        if (!take_u64(w, s->what, 1, UINT32_MAX, &s->arg[2])) {
            return false;
        }
        append(s, ", %" PRIu64 " places late", s->arg[2]);
    } else if (kind == HSL_CTF_ARM_DELAY) {
        if (!take_time(w, s)) {
            return false;
        }
        append(s, ", %" PRIu64 " ps late", s->arg[2]);
    }
    return true;
}

static bool poison_words(struct words *w, struct hsl_inject *s, uint64_t on)
{
    if (!take_u64(w, s->what, 0, UINT64_MAX, &s->arg[0])) {
        return false;
    }
    s->cmd = HSL_CTF_CMD_POISON;
    s->arg[1] = on;
    s->home = HSL_GA_NODE(s->arg[0]);
    s->no_link = true;
    if (!s->home || s->home > HSL_NODE_MAX) {
        return complain(w, "%s: this is no global address of a chip's memory", s->what);
    }
    snprintf(s->text, sizeof(s->text), "the line at 0x%" PRIx64, s->arg[0]);
    return true;
}

static bool fatal_word(struct hsl_inject *s)
{
    s->cmd = HSL_CTF_CMD_FATAL;
    s->no_link = true;
    snprintf(s->text, sizeof(s->text), "error: its driver stops it, until a function level reset");
    return true;
}

/* ---- plans ---- */

static const struct kind {
    const char *name;
    enum { LINK_STATE, LANE, WIRE, ARM, MEMORY, FATAL } group;
    uint64_t arg;
} kinds[] = {
    { "link", LINK_STATE, 0 },
    { "lane", LANE, 0 },
    { "seed", WIRE, HSL_CTF_WIRE_SEED },
    { "ber", WIRE, HSL_CTF_WIRE_BIT },
    { "burst", WIRE, HSL_CTF_WIRE_BURST },
    { "drop", WIRE, HSL_CTF_WIRE_DROP },
    { "duplicate", WIRE, HSL_CTF_WIRE_DUPLICATE },
    { "reorder", WIRE, HSL_CTF_WIRE_REORDER },
    { "crc", ARM, HSL_CTF_ARM_CRC },
    { "lose", ARM, HSL_CTF_ARM_DROP },
    { "double", ARM, HSL_CTF_ARM_DUPLICATE },
    { "late", ARM, HSL_CTF_ARM_REORDER },
    { "delay", ARM, HSL_CTF_ARM_DELAY },
    { "poison-data", ARM, HSL_CTF_ARM_POISON },
    { "timeout", ARM, HSL_CTF_ARM_SWALLOW },
    { "poison", MEMORY, 1 },
    { "unpoison", MEMORY, 0 },
    { "fatal", FATAL, 0 },
};

static const struct kind *find_kind(const char *name)
{
    for (unsigned int i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (!strcmp(name, kinds[i].name)) {
            return &kinds[i];
        }
    }
    return NULL;
}

static void unknown(struct words *w, const char *name)
{
    complain(w, "'%.20s' is not known, but:", name);
    for (unsigned int i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        size_t n = strlen(w->why);

        snprintf(w->why + n, w->why_len - n, " %s", kinds[i].name);
    }
}

static bool parse_step(struct words *w, const struct kind *k, struct hsl_inject *s)
{
    switch (k->group) {
    case LINK_STATE: return link_words(w, s);
    case LANE: return lane_words(w, s);
    case WIRE: return wire_words(w, s, k->arg);
    case ARM: return arm_words(w, s, k->arg);
    case MEMORY: return poison_words(w, s, k->arg);
    default: return fatal_word(s);
    }
}

/* Behind all that have their turn before or with it. */
static void add(struct hsl_inject_plan *p, const struct hsl_inject *s)
{
    unsigned int at = p->n++;

    for (; at && p->step[at - 1].turn > s->turn; at--) {
        p->step[at] = p->step[at - 1];
    }
    p->step[at] = *s;
}

static bool goes_together(struct words *w, const struct hsl_inject_plan *p)
{
    unsigned int arms = 0, states = 0, leaves = 0, fatal = 0;

    for (unsigned int i = 0; i < p->n; i++) {
        arms += p->step[i].cmd == HSL_CTF_CMD_ARM;
        states += p->step[i].cmd == HSL_CTF_CMD_STATE;
        leaves += p->step[i].turn == TURN_LEAVE;
        fatal += p->step[i].cmd == HSL_CTF_CMD_FATAL;
    }
    if (fatal && p->n > 1) {
        return complain(w, "fatal: goes alone, as it ends the test mode of the chip");
    }
    if (leaves && states > 1) {
        return complain(w, "link: leave goes with no other state");
    }
    return arms <= 1 || complain(w, "a link end has one of crc, lose, double, late, delay, poison-data, timeout at a time");
}

int hsl_inject_parse(struct hsl_inject_plan *p, char *const *words, unsigned int n, char *why, size_t why_len)
{
    struct words w = { words, n, why, why_len };

    *p = (struct hsl_inject_plan){ .clear = n == 1 && !strcmp(words[0], "clear") };
    if (p->clear) {
        return 0;
    }
    while (w.n) {
        const char *name = take(&w);
        const struct kind *k = find_kind(name);
        struct hsl_inject s = { .turn = TURN_REST };

        if (!k) {
            unknown(&w, name);
            return -EINVAL;
        }
        if (p->n == HSL_INJECT_MAX) {
            complain(&w, "too much at once");
            return -EINVAL;
        }
        s.what = k->name;
        if (!parse_step(&w, k, &s)) {
            return -EINVAL;
        }
        add(p, &s);
    }
    return goes_together(&w, p) ? 0 : -EINVAL;
}

bool hsl_inject_needs_link(const struct hsl_inject_plan *p)
{
    for (unsigned int i = 0; i < p->n; i++) {
        if (!p->step[i].no_link) {
            return true;
        }
    }
    return false;
}
