// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * hslctl inject: errors of a link on purpose, by the compliance test facility of a chip (hsl/ctf.h). The words are
 * model/inject.h's. Test mode ends with the file that entered it: while a step lasts the program stays.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exit.h"
#include "hsl/ctf.h"
#include "hsl/hsl.h"
#include "hslctl.h"
#include "json.h"
#include "model/inject.h"

static int parse(const struct ctl_args *a, struct hsl_inject_plan *p)
{
	char why[160];

	for (int i = 0; i < a->nwords && a->nwords > 1; i++)
		if (!strcmp(a->word[i], "clear"))
			return tool_usage("inject: clear goes alone");
	return hsl_inject_parse(p, a->word, (unsigned int)a->nwords, why, sizeof(why)) ? tool_usage("inject: %s", why) :
											  TOOL_PASS;
}

/* ---- where ---- */

struct target {
	uint32_t node, link;
	struct hsl_link_props l;
	char name[64]; /* "chip 1 link 0 (to chip 2)" */
};

static int choose_node(const struct ctl_args *a, struct hsl_fabric *f, const struct hsl_inject_plan *p, uint32_t *node)
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

static int give(struct hsl_ctf *c, const struct target *t, const struct hsl_inject *s)
{
	int rc = hsl_ctf_command(c, t->link, s->cmd, s->arg, NULL);

	bool leaves = s->cmd == HSL_CTF_CMD_STATE && s->arg[0] == HSL_CTF_STATE_LEAVE;

	if (!rc)
		return TOOL_PASS;
	tool_error("%s: %s: %s", t->name, s->what,
		   leaves && rc == -EHOSTUNREACH ? "it is the only way of some chips to others" : ctl_ctf_error(rc));
	return TOOL_FAIL;
}

static int give_all(const struct ctl_args *a, struct hsl_ctf *c, const struct target *t, const struct hsl_inject_plan *p)
{
	int code = TOOL_PASS;

	for (unsigned int i = 0; code == TOOL_PASS && i < p->n; i++) {
		const struct hsl_inject *s = &p->step[i];

		code = give(c, t, s);
		if (code == TOOL_PASS)
			say(a, "%s: %s %s\n", t->name, s->what, s->text);
	}
	return code;
}

static bool anything_lasts(const struct hsl_inject_plan *p)
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
static int run(const struct ctl_args *a, struct hsl_fabric *f, struct hsl_ctf *c, const struct hsl_inject_plan *p,
	       const struct target *t, struct json_object *doc, int *status)
{
	struct tally before, now;
	struct ctl_run r;
	int code = TOOL_PASS;

	if (hsl_inject_needs_link(p))
		code = tally(f, c, t, &before);
	if (code == TOOL_PASS)
		code = give_all(a, c, t, p);
	if (code != TOOL_PASS)
		return code;
	if (anything_lasts(p) || a->command || a->for_ns) {
		say_how_long(a);
		code = ctl_run_begin(&r, a, false);
		while (code == TOOL_PASS && ctl_run_wait(&r, -1, 1000))
			;
		*status = ctl_run_end(&r);
	}
	if (code == TOOL_PASS && hsl_inject_needs_link(p))
		code = tally(f, c, t, &now);
	if (code == TOOL_PASS && hsl_inject_needs_link(p))
		report(a, f, t, &before, &now, doc);
	return code;
}

static void plan_json(struct json_object *doc, const struct hsl_inject_plan *p, const struct target *t, bool link)
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

static int inject(const struct ctl_args *a, struct hsl_fabric *f, const struct hsl_inject_plan *p, struct json_object *doc,
		  int *status)
{
	struct target t = { 0 };
	struct hsl_ctf *c;
	int code;

	code = choose_node(a, f, p, &t.node);
	snprintf(t.name, sizeof(t.name), "chip %u", t.node);
	if (code == TOOL_PASS && hsl_inject_needs_link(p))
		code = choose_link(a, f, &t);
	if (code != TOOL_PASS)
		return code;
	plan_json(doc, p, &t, hsl_inject_needs_link(p));
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
	struct hsl_inject_plan p;

	/* whoever has read enough of what is said does not lift the fault, nor change the command's status */
	tool_output_by_the_way();
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
