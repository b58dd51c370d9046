// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * hslctl inject: errors of a link on purpose, by the compliance test facility of a chip (hsl/ctf.h).
 *
 * Words become steps, each a command of the facility. They are given in the order of the words, but seeds
 * come first, so that they hold for everything. Test mode ends with the file that entered it: while a step lasts the
 * program stays.
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exit.h"
#include "hsl/ctf.h"
#include "hsl/hsl.h"
#include "hslctl.h"
#include "json.h"
#include "size.h"

#define STEPS_MAX 32

struct step {
	const char *what;
	char text[96]; /* for people */
	uint32_t cmd;
	uint64_t arg[3];
	uint32_t home; /* node of the memory that it is about; 0: it is about a link */
	bool lasts;    /* there is something to stay for */
	bool first;
};

struct plan {
	struct step step[STEPS_MAX];
	unsigned int n;
	bool clear;
};

/* Words that are left. */
struct words {
	char **w;
	int n;
};

/* ---- words of a step; false: a usage error has been printed ---- */

static bool complain(const char *what, const char *text)
{
	tool_usage("inject %s: %s", what, text);
	return false;
}

static const char *take(struct words *w)
{
	if (!w->n)
		return NULL;
	w->n--;
	return *w->w++;
}

static bool take_u64(struct words *w, const char *what, uint64_t min, uint64_t max, uint64_t *v)
{
	const char *s = take(w);

	if (s && !tool_u64_parse(s, min, max, v))
		return true;
	tool_usage("inject %s: %s%sa number from %" PRIu64 " to %" PRIu64 " is needed", what, s ? s : "",
		   s ? ": " : "", min, max);
	return false;
}

/* A probability in units of 2^-64; all ones: always. */
static bool take_rate(struct words *w, struct step *s)
{
	const char *word = take(w);
	char *end = NULL;
	double v = word ? strtod(word, &end) : -1;

	if (!word || end == word || *end || !(v >= 0 && v <= 1))
		return complain(s->what, "a probability from 0 to 1 is needed, as 1e-6");
	s->arg[1] = v >= 1 ? UINT64_MAX : (uint64_t)ldexp(v, 64);
	snprintf(s->text, sizeof(s->text), "with probability %s", word);
	return true;
}

/* N[@K]: N hit after K have passed. */
static bool take_count(struct words *w, struct step *s, const char *of)
{
	const char *word = take(w);
	char *end = NULL;
	unsigned long long n = 0, after = 0;

	if (word && isdigit((unsigned char)*word)) {
		n = strtoull(word, &end, 0);
		if (*end == '@' && isdigit((unsigned char)end[1]))
			after = strtoull(end + 1, &end, 0);
	}
	if (!end || *end || !n || n > UINT32_MAX || after > UINT32_MAX)
		return complain(s->what, "a count is needed, N or N@K: N after the next K");
	s->arg[1] = (uint64_t)n << 32 | after;
	snprintf(s->text, sizeof(s->text), "%llu %s%s", n, of, n == 1 ? "" : "s");
	if (after)
		snprintf(s->text + strlen(s->text), sizeof(s->text) - strlen(s->text), " after the next %llu", after);
	return true;
}

static void append(struct step *s, const char *fmt, uint64_t v)
{
	size_t n = strlen(s->text);

	snprintf(s->text + n, sizeof(s->text) - n, fmt, v);
}

static bool link_words(struct words *w, struct step *s)
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
		if (strcmp(word, states[i].name))
			continue;
		s->cmd = HSL_CTF_CMD_STATE;
		s->arg[0] = states[i].state;
		s->lasts = states[i].lasts;
		snprintf(s->text, sizeof(s->text), "%s", word);
		return true;
	}
	return complain(s->what, "down, leave, up, retrain or hot-reset");
}

static bool lane_words(struct words *w, struct step *s)
{
	const char *word;

	if (!take_u64(w, s->what, 0, 63, &s->arg[0]))
		return false;
	word = take(w);
	if (!word || (strcmp(word, "fail") && strcmp(word, "ok")))
		return complain(s->what, "after the lane: fail or ok");
	s->cmd = HSL_CTF_CMD_LANE;
	s->arg[1] = !strcmp(word, "ok");
	s->lasts = !s->arg[1];
	snprintf(s->text, sizeof(s->text), "%" PRIu64 " %s", s->arg[0], s->arg[1] ? "works" : "fails");
	return true;
}

static bool wire_words(struct words *w, struct step *s, uint64_t kind)
{
	s->cmd = HSL_CTF_CMD_WIRE;
	s->arg[0] = kind;
	if (kind == HSL_CTF_WIRE_SEED) {
		s->first = true;
		snprintf(s->text, sizeof(s->text), "of random errors");
		if (!take_u64(w, s->what, 0, UINT64_MAX, &s->arg[1]))
			return false;
		append(s, ": %" PRIu64, s->arg[1]);
		return true;
	}
	s->lasts = true;
	if (!take_rate(w, s))
		return false;
	if (kind == HSL_CTF_WIRE_BURST) {
		if (!take_u64(w, s->what, 2, HSL_FLIT_BYTES * 8, &s->arg[2]))
			return false;
		append(s, " per flit, %" PRIu64 " bits long", s->arg[2]);
	} else if (kind == HSL_CTF_WIRE_REORDER) {
		if (!take_u64(w, s->what, 1, UINT32_MAX, &s->arg[2]))
			return false;
		append(s, " per flit, %" PRIu64 " places late", s->arg[2]);
	} else {
		append(s, kind == HSL_CTF_WIRE_BIT ? " per bit" : " per flit", 0);
	}
	return true;
}

static bool is_number(const struct words *w)
{
	return w->n && isdigit((unsigned char)w->w[0][0]);
}

static bool delay_word(struct words *w, struct step *s)
{
	const char *word = take(w);
	uint64_t ns, ps;
	char *end;

	if (!word)
		return complain(s->what, "a time is needed, as 500ps or 2us");
	ps = strtoull(word, &end, 10);
	if (!isdigit((unsigned char)*word) || strcmp(end, "ps")) {
		if (tool_duration_parse(word, &ns) || ns > UINT64_MAX / 1000)
			return complain(s->what, "a time is needed, as 500ps or 2us");
		ps = ns * 1000;
	}
	s->arg[2] = ps;
	append(s, ", %" PRIu64 " ps late", ps);
	return true;
}

static bool arm_words(struct words *w, struct step *s, uint64_t kind)
{
	const char *of = kind == HSL_CTF_ARM_POISON  ? "packet" :
			 kind == HSL_CTF_ARM_SWALLOW ? "request" :
						       "flit";

	s->cmd = HSL_CTF_CMD_ARM;
	s->arg[0] = kind;
	s->lasts = true;
	if (!take_count(w, s, of))
		return false;
	if (kind == HSL_CTF_ARM_CRC && is_number(w)) {
		if (!take_u64(w, s->what, 0, HSL_FLIT_BYTES * 8 - 1, &s->arg[2]))
			return false;
		append(s, ", bit %" PRIu64, s->arg[2]);
	} else if (kind == HSL_CTF_ARM_REORDER) {
		if (!take_u64(w, s->what, 1, UINT32_MAX, &s->arg[2]))
			return false;
		append(s, ", %" PRIu64 " places late", s->arg[2]);
	} else if (kind == HSL_CTF_ARM_DELAY) {
		return delay_word(w, s);
	}
	return true;
}

static bool poison_words(struct words *w, struct step *s, uint64_t on)
{
	if (!take_u64(w, s->what, 0, UINT64_MAX, &s->arg[0]))
		return false;
	s->cmd = HSL_CTF_CMD_POISON;
	s->arg[1] = on;
	s->home = HSL_GA_NODE(s->arg[0]);
	if (!s->home || s->home > HSL_NODE_MAX)
		return complain(s->what, "this is no global address of a chip's memory");
	snprintf(s->text, sizeof(s->text), "the line at 0x%" PRIx64, s->arg[0]);
	return true;
}

/* ---- plans ---- */

static const struct kind {
	const char *name;
	enum { LINK_STATE, LANE, WIRE, ARM, MEMORY } group;
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
};

static bool parse_step(struct words *w, const struct kind *k, struct step *s)
{
	switch (k->group) {
	case LINK_STATE: return link_words(w, s);
	case LANE: return lane_words(w, s);
	case WIRE: return wire_words(w, s, k->arg);
	case ARM: return arm_words(w, s, k->arg);
	default: return poison_words(w, s, k->arg);
	}
}

static const struct kind *find_kind(const char *name)
{
	for (unsigned int i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (!strcmp(name, kinds[i].name))
			return &kinds[i];
	return NULL;
}

static int parse(const struct ctl_args *a, struct plan *p)
{
	struct words w = { a->word, a->nwords };
	unsigned int arms = 0;

	*p = (struct plan){ .clear = w.n == 1 && !strcmp(w.w[0], "clear") };
	while (w.n && !p->clear) {
		const char *name = take(&w);
		const struct kind *k = find_kind(name);
		struct step *s = &p->step[p->n];

		if (!k)
			return tool_usage("inject '%s': not known; 'hslctl --help' lists what is", name);
		if (p->n == STEPS_MAX)
			return tool_usage("inject: too much at once");
		s->what = k->name;
		if (!parse_step(&w, k, s))
			return TOOL_USAGE;
		arms += k->group == ARM;
		p->n++;
	}
	if (arms > 1)
		return tool_usage("inject: a link end has one of crc, lose, double, late, delay, poison-data, timeout at a time");
	return TOOL_PASS;
}

/* ---- where ---- */

struct target {
	uint32_t node, link;
	struct hsl_link_props l;
	char name[64]; /* "chip 1 link 0 (to chip 2)" */
};

static int choose_node(const struct ctl_args *a, struct hsl_fabric *f, const struct plan *p, uint32_t *node)
{
	struct hsl_chip_props *chips = NULL;
	unsigned int n = 0;
	int code;

	*node = a->node;
	for (unsigned int i = 0; i < p->n; i++) {
		if (p->step[i].home && *node && *node != p->step[i].home)
			return tool_usage("inject: the memory of chip %u and chip %u: one chip at a time",
					  p->step[i].home, *node);
		if (p->step[i].home)
			*node = p->step[i].home;
	}
	if (*node)
		return TOOL_PASS;
	code = ctl_chips(a, f, &chips, &n);
	if (code == TOOL_PASS && n > 1)
		code = tool_usage("inject: --node is needed, as there are %u chips", n);
	if (code == TOOL_PASS)
		*node = chips[0].node;
	free(chips);
	return code;
}

static bool needs_link(const struct plan *p)
{
	for (unsigned int i = 0; i < p->n; i++)
		if (!p->step[i].home)
			return true;
	return false;
}

/* The only one that is connected, if none is named. */
static int choose_link(const struct ctl_args *a, struct hsl_fabric *f, struct target *t)
{
	struct ctl_args one = { .url = a->url, .node = t->node, .link = a->link };
	struct hsl_chip_props *p = NULL;
	unsigned int n, connected = 0;
	uint32_t first = 0, end = 0;
	struct hsl_link_props l;
	char peer[CTL_PEER_LEN];
	int code;

	code = ctl_chips(&one, f, &p, &n);
	if (code == TOOL_PASS)
		code = ctl_links(&one, p, &first, &end);
	free(p);
	for (uint32_t k = first; code == TOOL_PASS && k < end; k++) {
		code = ctl_link_query(f, t->node, k, &l);
		if (code != TOOL_PASS || !l.peer)
			continue;
		connected++;
		t->link = k;
		t->l = l;
	}
	if (code != TOOL_PASS)
		return code;
	if (connected > 1)
		return tool_usage("inject: --link is needed, as chip %u has %u links ('hslctl link')", t->node, connected);
	if (!connected) {
		tool_error("chip %u: %s", t->node, a->link == CTL_LINK_ALL ? "no link is connected" : "this link is not connected");
		return TOOL_ENV;
	}
	snprintf(t->name, sizeof(t->name), "chip %u link %u (to %s)", t->node, t->link, ctl_peer(&t->l, peer));
	return TOOL_PASS;
}

/* ---- doing it ---- */

/* For people. A command's output is its own. */
__attribute__((format(printf, 2, 3)))
static void say(const struct ctl_args *a, const char *fmt, ...)
{
	FILE *out = a->command ? stderr : stdout;
	va_list ap;

	if (a->json)
		return;
	va_start(ap, fmt);
	vfprintf(out, fmt, ap);
	va_end(ap);
	fflush(out);
}

static int give(struct hsl_ctf *c, const struct target *t, const struct step *s)
{
	int rc = hsl_ctf_command(c, t->link, s->cmd, s->arg, NULL);

	bool leaves = s->cmd == HSL_CTF_CMD_STATE && s->arg[0] == HSL_CTF_STATE_LEAVE;

	if (!rc)
		return TOOL_PASS;
	tool_error("%s: %s: %s", t->name, s->what,
		   leaves && rc == -EHOSTUNREACH ? "it is the only way of some chips to others" : ctl_ctf_error(rc));
	return TOOL_FAIL;
}

static int give_all(const struct ctl_args *a, struct hsl_ctf *c, const struct target *t, const struct plan *p)
{
	int code = TOOL_PASS;

	for (int first = 1; first >= 0; first--) {
		for (unsigned int i = 0; code == TOOL_PASS && i < p->n; i++) {
			const struct step *s = &p->step[i];

			if (s->first != first)
				continue;
			code = give(c, t, s);
			if (code == TOOL_PASS)
				say(a, "%s: %s %s\n", t->name, s->what, s->text);
		}
	}
	return code;
}

static bool anything_lasts(const struct plan *p)
{
	for (unsigned int i = 0; i < p->n; i++)
		if (p->step[i].lasts)
			return true;
	return false;
}

static void say_how_long(const struct ctl_args *a)
{
	if (a->command)
		say(a, "while %s runs\n", a->command[0]);
	else if (a->for_ns)
		say(a, "for %.3g s\n", (double)a->for_ns / 1e9);
	else
		say(a, "until ctrl-C\n");
}

/* Errors injected, and the link's counters: what they are or, with before, their growth. */
struct tally {
	bool counted;
	uint64_t errors, left, v[64];
	unsigned int n;
};

static int tally(struct hsl_fabric *f, struct hsl_ctf *c, const struct target *t, struct tally *y)
{
	uint64_t result[2];
	int rc;

	*y = (struct tally){ .counted = false };
	rc = hsl_ctf_command(c, t->link, HSL_CTF_CMD_COUNT, NULL, result);
	if (rc && rc != -EOPNOTSUPP) {
		tool_error("%s: %s", t->name, ctl_ctf_error(rc));
		return TOOL_FAIL;
	}
	if (!rc) {
		y->counted = true;
		y->errors = result[0];
		y->left = result[1];
	}
	rc = hsl_counters(f, t->node, t->link, y->v, 64);
	y->n = rc < 0 ? 0 : rc < 64 ? (unsigned int)rc : 64;
	return TOOL_PASS;
}

static bool tells_of_errors(const char *name)
{
	static const char *const names[] = { "tx_replayed", "rx_bad", "rx_discarded", "tx_naks", "rx_naks",
					     "protocol_errors", "retrains", "downs" };

	for (unsigned int i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(name, names[i]))
			return true;
	return false;
}

static void report_errors(const struct ctl_args *a, struct hsl_fabric *f, const struct target *t, uint64_t errors,
			  uint64_t left)
{
	struct hsl_link_props l = { .size = sizeof(l) };
	bool known = !hsl_link_query(f, t->node, t->link, &l);

	say(a, "%s: %" PRIu64 " error%s injected%s%s\n", t->name, errors, errors == 1 ? "" : "s",
	    known ? "; the link is in " : "", known ? ctl_link_state(l.state) : "");
	if (left)
		say(a, "  what was armed still waited for %" PRIu64 " more to come along\n", left);
}

static void report(const struct ctl_args *a, struct hsl_fabric *f, const struct target *t, const struct tally *before,
		   const struct tally *now, struct json_object *doc)
{
	struct json_object *o = tool_json_set(doc, "counters", tool_json_object());
	bool any = false;

	if (now->counted) {
		tool_json_u64(doc, "errors", now->errors - before->errors);
		tool_json_u64(doc, "left", now->left);
		report_errors(a, f, t, now->errors - before->errors, now->left);
	}
	for (unsigned int i = 0; i < now->n && i < before->n; i++) {
		const char *name = hsl_counter_name(t->link, i);
		uint64_t grown = now->v[i] - before->v[i];

		tool_json_u64(o, name, grown);
		if (!grown || !tells_of_errors(name))
			continue;
		say(a, "%s%s %" PRIu64, any ? ", " : "  meanwhile at this end: ", name, grown);
		any = true;
	}
	if (any)
		say(a, "\n");
}

/* Test mode is on. *status: the command's. */
static int run(const struct ctl_args *a, struct hsl_fabric *f, struct hsl_ctf *c, const struct plan *p,
	       const struct target *t, struct json_object *doc, int *status)
{
	struct tally before, now;
	struct ctl_run r;
	int code = TOOL_PASS;

	if (needs_link(p))
		code = tally(f, c, t, &before);
	if (code == TOOL_PASS)
		code = give_all(a, c, t, p);
	if (code != TOOL_PASS)
		return code;
	if (anything_lasts(p) || a->command || a->for_ns) {
		say_how_long(a);
		code = ctl_run_begin(&r, a);
		while (code == TOOL_PASS && ctl_run_wait(&r, -1, 1000))
			;
		*status = ctl_run_end(&r);
	}
	if (code == TOOL_PASS && needs_link(p))
		code = tally(f, c, t, &now);
	if (code == TOOL_PASS && needs_link(p))
		report(a, f, t, &before, &now, doc);
	return code;
}

static void plan_json(struct json_object *doc, const struct plan *p, const struct target *t, bool link)
{
	struct json_object *list, *o;

	tool_json_u64(doc, "node", t->node);
	if (link) {
		tool_json_u64(doc, "link", t->link);
		ctl_peer_json(doc, &t->l);
	}
	list = tool_json_set(doc, "injected", tool_json_array());
	for (unsigned int i = 0; i < p->n; i++) {
		o = tool_json_append(list, tool_json_object());
		tool_json_str(o, "what", p->step[i].what);
		tool_json_str(o, "text", p->step[i].text);
	}
}

static int inject(const struct ctl_args *a, struct hsl_fabric *f, const struct plan *p, struct json_object *doc,
		  int *status)
{
	struct target t = { 0 };
	struct hsl_ctf *c;
	int code;

	code = choose_node(a, f, p, &t.node);
	snprintf(t.name, sizeof(t.name), "chip %u", t.node);
	if (code == TOOL_PASS && needs_link(p))
		code = choose_link(a, f, &t);
	if (code != TOOL_PASS)
		return code;
	plan_json(doc, p, &t, needs_link(p));
	code = ctl_ctf_open(f, t.node, &c);
	if (code != TOOL_PASS)
		return code;
	if (p->clear)
		say(a, "chip %u: test mode is off\n", t.node);
	else
		code = run(a, f, c, p, &t, doc, status);
	hsl_ctf_close(c);
	return code;
}

int ctl_inject(const struct ctl_args *a)
{
	struct json_object *doc = ctl_document("inject");
	int code, status = TOOL_PASS;
	struct hsl_fabric *f;
	struct plan p;

	code = parse(a, &p);
	if (code == TOOL_PASS && p.clear && (a->command || a->for_ns))
		code = tool_usage("inject clear: takes no time and no command");
	if (code == TOOL_PASS)
		code = tool_fabric_open(a->url, &f);
	if (code == TOOL_PASS) {
		code = inject(a, f, &p, doc, &status);
		hsl_fabric_close(f);
	}
	if (code == TOOL_PASS && a->json)
		return ctl_document_end(doc, status);
	tool_json_free(doc);
	return code == TOOL_PASS ? status : code;
}
