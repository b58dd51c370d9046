// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Fabric files (docs/fabric-files.md): lines of words, a key and its values, under the heads
 * [profile] and [topology]. One line is taken at a time and every mistake is found in its line, but
 * for what is missing, which is found at the end and told with the line of the head.
 *
 * Nothing is guessed: a key is known, there once and complete, a number is decimal and in range.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "conf.h"
#include "model_priv.h"

#define LINE_MAX_BYTES  200u
#define WORDS_MAX       4u

enum section { NOWHERE, PROFILE, TOPOLOGY };

struct word {
    const char *s;
    size_t len;
};

struct parser {
    struct hsl_conf *c;
    char *why;
    size_t why_len;
    uint32_t line;
    enum section section;
    uint32_t head[3];                   /* line of each section, 0 none */
    uint32_t seen_profile, seen_topology;       /* keys, bit by bit */
    uint32_t link_line[HSL_MODEL_FILE_LINKS_MAX];
};

static int refuse(struct parser *p, uint32_t line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static int refuse(struct parser *p, uint32_t line, const char *format, ...)
{
    va_list ap;
    int n = line ? snprintf(p->why, p->why_len, "line %u: ", line) : 0;

    if (n >= 0 && (size_t)n < p->why_len) {
        va_start(ap, format);
        vsnprintf(p->why + n, p->why_len - (size_t)n, format, ap);
        va_end(ap);
    }
    return -EINVAL;
}

/* ---- words ---- */

static bool is(const struct word *w, const char *s)
{
    return w->len == strlen(s) && !memcmp(w->s, s, w->len);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Words of a line up to a comment; WORDS_MAX + 1 are too many. */
static uint32_t split(const char *s, size_t len, struct word w[WORDS_MAX + 1])
{
    uint32_t n = 0;
    size_t i = 0;

    while (n <= WORDS_MAX) {
        while (i < len && is_blank(s[i])) {
            i++;
        }
        if (i == len || s[i] == '#') {
            break;
        }
        w[n].s = s + i;
        while (i < len && !is_blank(s[i])) {
            i++;
        }
        w[n].len = (size_t)(s + i - w[n].s);
        n++;
    }
    return n;
}

static int parse_number(struct parser *p, const struct word *key, const struct word *w,
                        uint32_t min, uint32_t max, uint32_t *out)
{
    uint64_t v = 0;

    for (size_t i = 0; i < w->len; i++) {
        if (w->s[i] < '0' || w->s[i] > '9') {
            return refuse(p, p->line, "'%.*s' is not a number", (int)w->len, w->s);
        }
        v = v * 10 + (uint64_t)(w->s[i] - '0');
        if (v > max) {
            break;
        }
    }
    if (v < min || v > max) {
        return refuse(p, p->line, "%.*s is %u to %u", (int)key->len, key->s, min, max);
    }
    *out = (uint32_t)v;
    return 0;
}

static int parse_name(struct parser *p, const struct word *w, char name[16])
{
    size_t ok = 0;

    while (ok < w->len && w->s[ok] && strchr("abcdefghijklmnopqrstuvwxyz0123456789_-", w->s[ok])) {
        ok++;
    }
    if (ok < w->len || w->len > 15) {
        return refuse(p, p->line, "a name is 1 to 15 of a-z, 0-9, _ and -");
    }
    memset(name, 0, 16);
    memcpy(name, w->s, w->len);
    return 0;
}

/* ---- sections ---- */

/* Bit of the key among the names, marked as seen; -EINVAL unknown or seen already. */
static int parse_key(struct parser *p, const struct word *key, const char *const *names,
                     uint32_t count, uint32_t *seen)
{
    for (uint32_t i = 0; i < count; i++) {
        if (!is(key, names[i])) {
            continue;
        }
        if (*seen & 1u << i) {
            return refuse(p, p->line, "%s is there already", names[i]);
        }
        *seen |= 1u << i;
        return (int)i;
    }
    return refuse(p, p->line, "unknown key '%.*s'", (int)key->len, key->s);
}

static int need_values(struct parser *p, uint32_t n, uint32_t values, const struct word *key)
{
    if (n == 1 + values) {
        return 0;
    }
    return refuse(p, p->line, "%.*s has %u value%s", (int)key->len, key->s, values,
                  values == 1 ? "" : "s");
}

static const char *const profile_keys[] = {
    "name", "lanes", "rate_mtps", "port_ps", "cable_ps", "switch_ps", "home_ps", "dram_ps",
};
#define PROFILE_KEYS 8u

static int profile_line(struct parser *p, const struct word *w, uint32_t n)
{
    struct hsl_profile *f = &p->c->profile;
    uint32_t *const values[PROFILE_KEYS] = {
        NULL, &f->lanes, &f->rate_mtps, &f->port_ps, &f->cable_ps, &f->switch_ps, &f->home_ps,
        &f->dram_ps,
    };
    int key = parse_key(p, &w[0], profile_keys, PROFILE_KEYS, &p->seen_profile);

    if (key < 0 || need_values(p, n, 1, &w[0])) {
        return -EINVAL;
    }
    if (key) {
        return parse_number(p, &w[0], &w[1], 0, UINT32_MAX, values[key]);
    }
    if (parse_name(p, &w[1], f->name)) {
        return -EINVAL;
    }
    if (hsl_profile_find(f->name)) {
        return refuse(p, p->line, "the profile %s is built in, another one needs another name",
                      f->name);
    }
    return 0;
}

static const char *const topology_keys[] = { "name", "chips", "switches" };
#define TOPOLOGY_KEYS 3u

/* A chip is its number, a switch s and its number from 1 on. */
static int parse_node(struct parser *p, const struct word *w, uint16_t *id)
{
    const struct hsl_conf *c = p->c;
    bool is_switch = w->s[0] == 's';
    uint32_t count = is_switch ? c->switches : c->chips, i = 0;
    struct word number = { w->s + is_switch, w->len - is_switch };

    for (size_t k = 0; k < number.len && i <= count; k++) {
        if (number.s[k] < '0' || number.s[k] > '9') {
            i = 0;
            break;
        }
        i = i * 10 + (uint32_t)(number.s[k] - '0');
    }
    if (!i || i > count) {
        return refuse(p, p->line, "there is no node '%.*s', with %u chips and %u switches",
                      (int)w->len, w->s, c->chips, c->switches);
    }
    *id = (uint16_t)(is_switch ? HSL_NODE_SWITCH_FIRST + i - 1 : i);
    return 0;
}

static bool same_link(const struct hsl_topo_link *x, const struct hsl_topo_link *y)
{
    return (x->a == y->a && x->b == y->b) || (x->a == y->b && x->b == y->a);
}

static bool has_room(const struct hsl_conf *c, uint16_t id)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < c->nlinks; i++) {
        n += c->links[i].a == id || c->links[i].b == id;
    }
    return id >= HSL_NODE_SWITCH_FIRST || n < HSL_MODEL_LINKS_PER_NODE_MAX;
}

static int link_line(struct parser *p, const struct word *w, uint32_t n)
{
    struct hsl_conf *c = p->c;
    struct hsl_topo_link l;

    if (need_values(p, n, 2, &w[0])) {
        return -EINVAL;
    }
    if (!c->chips) {
        return refuse(p, p->line, "chips comes before the first link");
    }
    if (parse_node(p, &w[1], &l.a) || parse_node(p, &w[2], &l.b)) {
        return -EINVAL;
    }
    if (l.a == l.b) {
        return refuse(p, p->line, "a link joins two different nodes");
    }
    for (uint32_t i = 0; i < c->nlinks; i++) {
        if (same_link(&l, &c->links[i])) {
            return refuse(p, p->line, "these two are linked already, in line %u", p->link_line[i]);
        }
    }
    for (int i = 0; i < 2; i++) {
        if (!has_room(c, i ? l.b : l.a)) {
            return refuse(p, p->line, "chip %u has %u links already, which is all it can have",
                          i ? l.b : l.a, HSL_MODEL_LINKS_PER_NODE_MAX);
        }
    }
    if (c->nlinks == HSL_MODEL_FILE_LINKS_MAX) {
        return refuse(p, p->line, "a fabric has at most %u links", HSL_MODEL_FILE_LINKS_MAX);
    }
    p->link_line[c->nlinks] = p->line;
    c->links[c->nlinks++] = l;
    return 0;
}

static int topology_line(struct parser *p, const struct word *w, uint32_t n)
{
    struct hsl_conf *c = p->c;
    int key;

    if (is(&w[0], "link")) {
        return link_line(p, w, n);
    }
    key = parse_key(p, &w[0], topology_keys, TOPOLOGY_KEYS, &p->seen_topology);
    if (key < 0 || need_values(p, n, 1, &w[0])) {
        return -EINVAL;
    }
    if (key == 0) {
        return parse_name(p, &w[1], c->topology);
    }
    if (c->nlinks) {
        return refuse(p, p->line, "chips and switches come before the first link");
    }
    if (key == 1) {
        return parse_number(p, &w[0], &w[1], 1, HSL_MODEL_FILE_NODES_MAX, &c->chips);
    }
    return parse_number(p, &w[0], &w[1], 0, HSL_MODEL_FILE_NODES_MAX - 1, &c->switches);
}

static int head_line(struct parser *p, const struct word *w, uint32_t n)
{
    enum section s = is(w, "[profile]") ? PROFILE : is(w, "[topology]") ? TOPOLOGY : NOWHERE;

    if (s == NOWHERE || n != 1) {
        return refuse(p, p->line, "a section is [profile] or [topology], alone in its line");
    }
    if (p->head[s]) {
        return refuse(p, p->line, "%.*s is there already, in line %u", (int)w->len, w->s,
                      p->head[s]);
    }
    p->head[s] = p->line;
    p->section = s;
    return 0;
}

static int any_line(struct parser *p, const char *s, size_t len)
{
    struct word w[WORDS_MAX + 1];
    uint32_t n;

    if (len && s[len - 1] == '\r') {
        len--;
    }
    if (len > LINE_MAX_BYTES) {
        return refuse(p, p->line, "a line has at most %u bytes", LINE_MAX_BYTES);
    }
    for (size_t i = 0; i < len; i++) {
        if (((unsigned char)s[i] < ' ' && s[i] != '\t') || s[i] == 0x7f) {
            return refuse(p, p->line, "there is a control character (0x%02x)", s[i]);
        }
    }
    n = split(s, len, w);
    if (!n) {
        return 0;
    }
    if (w[0].s[0] == '[') {
        return head_line(p, w, n);
    }
    switch (p->section) {
    case PROFILE:
        return profile_line(p, w, n);
    case TOPOLOGY:
        return topology_line(p, w, n);
    case NOWHERE:
        break;
    }
    return refuse(p, p->line, "[profile] or [topology] comes first");
}

/* ---- the whole ---- */

static int need_keys(struct parser *p, enum section s, const char *const *names, uint32_t count,
                     uint32_t seen)
{
    for (uint32_t i = 0; i < count; i++) {
        if (!(seen & 1u << i)) {
            return refuse(p, p->head[s], "%s is missing in this section", names[i]);
        }
    }
    return 0;
}

static int end_profile(struct parser *p)
{
    const char *why;

    if (need_keys(p, PROFILE, profile_keys, PROFILE_KEYS, p->seen_profile)) {
        return -EINVAL;
    }
    why = hsl_profile_check(&p->c->profile);
    if (why) {
        return refuse(p, p->head[PROFILE], "%s", why);
    }
    p->c->has_profile = true;
    return 0;
}

static int end_topology(struct parser *p)
{
    struct hsl_model_config cfg;
    const char *why;

    if (need_keys(p, TOPOLOGY, topology_keys, TOPOLOGY_KEYS, p->seen_topology)) {
        return -EINVAL;
    }
    hsl_conf_topology(p->c, &cfg);
    why = hsl_net_check_graph(&cfg);
    if (why) {
        return refuse(p, p->head[TOPOLOGY], "%s", why);
    }
    p->c->has_topology = true;
    return 0;
}

int hsl_conf_parse(struct hsl_conf *c, const char *text, size_t len, char *why, size_t why_len)
{
    struct parser p = { .c = c, .why = why, .why_len = why_len };
    const char *end = text + len;

    memset(c, 0, sizeof(*c));
    if (len > HSL_CONF_BYTES_MAX) {
        return refuse(&p, 0, "a fabric file has at most %u bytes", HSL_CONF_BYTES_MAX);
    }
    while (text < end) {
        const char *nl = memchr(text, '\n', (size_t)(end - text));
        const char *stop = nl ? nl : end;

        p.line++;
        if (any_line(&p, text, (size_t)(stop - text))) {
            return -EINVAL;
        }
        text = nl ? nl + 1 : end;
    }
    if (!p.head[PROFILE] && !p.head[TOPOLOGY]) {
        return refuse(&p, 0, "there is neither [profile] nor [topology]");
    }
    if ((p.head[PROFILE] && end_profile(&p)) || (p.head[TOPOLOGY] && end_topology(&p))) {
        return -EINVAL;
    }
    return 0;
}

void hsl_conf_topology(const struct hsl_conf *c, struct hsl_model_config *cfg)
{
    *cfg = (struct hsl_model_config){
        .nodes = c->chips,
        .topology = HSL_TOPO_FILE,
        .switches = c->switches,
        .nlinks = c->nlinks,
        .links = c->links,
    };
}
