/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What people and programs read: a table with a summary by group on a terminal, TAP (version 13,
 * with the plan first) in a pipe, one JSON document (schema hsltest/1) with --json. A test that did
 * not run is never shown as passed.
 */
#include <fnmatch.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <json-c/json.h>

#include "exit.h"
#include "json.h"
#include "progress.h"
#include "run.h"
#include "table.h"

static const char *const verdict_names[] = { "none", "pass", "fail", "skip", "not-run" };

static const struct ht_test *const groups[] = {
	/* a group may have several tables */
	ht_tests_reg, ht_tests_map, ht_tests_obs, ht_tests_share, ht_tests_host, ht_tests_txn, ht_tests_move,
	ht_tests_reduce, ht_tests_sig, ht_tests_atm, ht_tests_ord, ht_tests_litmus, ht_tests_que, ht_tests_chain, ht_tests_shadow,
	ht_tests_sec, ht_tests_net, ht_tests_ras, ht_tests_ctf, ht_tests_api, ht_tests_limit, ht_tests_bare,
};
#define NGROUPS (sizeof(groups) / sizeof(groups[0]))

const struct ht_requirement ht_requirements[] = {
#include "requirements.h"
};
const size_t ht_requirement_count = sizeof(ht_requirements) / sizeof(ht_requirements[0]);

const struct ht_requirement *ht_requirement_find(const char *id)
{
	size_t i;

	for (i = 0; i < ht_requirement_count; i++) {
		if (!strcmp(ht_requirements[i].id, id))
			return &ht_requirements[i];
	}
	return NULL;
}

unsigned int ht_tests_all(const struct ht_test **list, unsigned int max)
{
	const struct ht_test *t;
	unsigned int n = 0;
	size_t g;

	for (g = 0; g < NGROUPS; g++) {
		for (t = groups[g]; t->requirement; t++, n++) {
			if (list && n < max)
				list[n] = t;
		}
	}
	return n;
}

const char *ht_group(const struct ht_test *test, char *buf, size_t len)
{
	snprintf(buf, len, "%.*s", (int)strcspn(test->requirement + 4, "-"), test->requirement + 4);
	return buf;
}

/* By id, name, group, or "id name", shell patterns, without regard to case: HEP-TXN-*, TXN*,
 * copy_*. */
bool ht_test_matches(const struct ht_test *test, char *const *globs, int nglobs)
{
	char group[16];
	int i;

	ht_group(test, group, sizeof(group));
	for (i = 0; i < nglobs; i++) {
		if (!fnmatch(globs[i], test->requirement, FNM_CASEFOLD) ||
		    !fnmatch(globs[i], test->name, FNM_CASEFOLD) ||
		    !fnmatch(globs[i], test->requirement + 4, FNM_CASEFOLD) ||
		    !fnmatch(globs[i], group, FNM_CASEFOLD))
			return true;
	}
	return !nglobs;
}

/* ------------------------------------------------------------------ run */

static const char *fabric_name(const struct ht_config *c)
{
	return tool_fabric_name(c->url);
}

void ht_report_begin(enum ht_format fmt, const struct ht_config *c, const struct ht_probe *p,
		     unsigned int ntests)
{
	if (fmt == HT_TAP) {
		printf("TAP version 13\n1..%u\n", ntests);
		printf("# hsltest %s, HEP %d.%d, fabric %s (%s), %u chips, seed %" PRIu64 "%s\n",
		       hsl_version(), HSL_HEP_MAJOR, HSL_HEP_MINOR, fabric_name(c), p->backend,
		       p->nchips, c->seed, c->disruptive ? ", disruptive" : "");
	} else if (fmt == HT_TABLE) {
		printf("hsltest %s: HEP %d.%d on %s (%s), %u chip%s, seed %" PRIu64 "%s\n\n",
		       hsl_version(), HSL_HEP_MAJOR, HSL_HEP_MINOR, fabric_name(c), p->backend,
		       p->nchips, p->nchips == 1 ? "" : "s", c->seed,
		       c->disruptive ? ", disruptive" : "");
	}
	fflush(stdout);
}

/* TAP is a format of lines. */
static void print_one_line(const char *s)
{
	for (; *s; s++)
		putchar(*s == '\n' || *s == '\r' ? ' ' : *s);
}

void ht_report_test(enum ht_format fmt, unsigned int number, const struct ht_result *r)
{
	const struct ht_test *t = r->test;
	double ms = (double)r->duration_ns / 1e6;

	switch (fmt) {
	case HT_TAP:
		if (r->verdict == HT_NOT_RUN)
			return;
		printf("%sok %u - %s %s", r->verdict == HT_FAIL ? "not " : "", number,
		       t->requirement, t->name);
		if (r->verdict == HT_SKIP) {
			printf(" # SKIP ");
			print_one_line(r->reason);
		}
		putchar('\n');
		if (r->verdict == HT_FAIL) {
			printf("# ");
			print_one_line(r->reason);
			putchar('\n');
		} else if (r->note[0]) {
			printf("# ");
			print_one_line(r->note);
			putchar('\n');
		}
		break;
	case HT_TABLE:
		tool_progress_clear();
		printf("%-5s %-12s %-22s %9.1f ms  ",
		       r->verdict == HT_PASS   ? "ok"
		       : r->verdict == HT_FAIL ? "FAIL"
		       : r->verdict == HT_SKIP ? "skip"
					       : "-",
		       t->requirement, t->name, ms);
		print_one_line(r->verdict == HT_PASS ? t->sentence : r->reason);
		putchar('\n');
		break;
	default: break;
	}
	fflush(stdout);
}

static void table_end(const struct ht_config *c, const struct ht_result *r, unsigned int n,
		      const struct ht_summary *s)
{
	struct tool_table *t = tool_table_new(NULL);
	char group[16], last[16] = "";
	unsigned int i, k;

	putchar('\n');
	tool_table_column(t, "group", NULL, TOOL_LEFT);
	tool_table_column(t, "passed", NULL, TOOL_RIGHT);
	tool_table_column(t, "failed", NULL, TOOL_RIGHT);
	tool_table_column(t, "skipped", NULL, TOOL_RIGHT);
	tool_table_column(t, "not run", NULL, TOOL_RIGHT);
	for (i = 0; i < n; i++) {
		unsigned int count[5] = { 0 };

		ht_group(r[i].test, group, sizeof(group));
		/* a group's tests may be in two places of the table (LNK, NET): count at its first
		 */
		for (k = 0; k < i; k++) {
			ht_group(r[k].test, last, sizeof(last));
			if (!strcmp(last, group))
				break;
		}
		if (k < i)
			continue;
		for (k = i; k < n; k++) {
			ht_group(r[k].test, last, sizeof(last));
			if (!strcmp(last, group))
				count[r[k].verdict]++;
		}
		tool_table_row(t);
		tool_table_cell(t, "%s", group);
		tool_table_cell(t, "%u", count[HT_PASS]);
		tool_table_cell(t, "%u", count[HT_FAIL]);
		tool_table_cell(t, "%u", count[HT_SKIP]);
		tool_table_cell(t, "%u", count[HT_NOT_RUN]);
	}
	tool_table_print(t, stdout);
	tool_table_free(t);
	printf("\n%u passed, %u failed, %u skipped", s->passed, s->failed, s->skipped);
	if (s->not_run)
		printf(", %u NOT RUN (interrupted)", s->not_run);
	printf("\n");
	if (s->failed)
		printf("to see one again: hsltest run -f %s --seed %" PRIu64 "%s NAME\n",
		       fabric_name(c), c->seed, c->disruptive ? " --disruptive" : "");
}

static int json_end(const struct ht_config *c, const struct ht_probe *p, const struct ht_result *r,
		    unsigned int n, const struct ht_summary *s)
{
	struct json_object *doc = tool_json_object(), *o, *list;
	unsigned int i;
	int rc;

	tool_json_str(doc, "schema", "hsltest/1");
	o = tool_json_set(doc, "environment", tool_json_object());
	tool_json_str(o, "tool_version", hsl_version());
	tool_json_str(o, "profile", "HEP 1.0");
	tool_json_str(o, "fabric", fabric_name(c));
	tool_json_str(o, "backend", p->backend);
	tool_json_u64(o, "chips", p->nchips);
	tool_json_u64(o, "seed", c->seed);
	tool_json_bool(o, "disruptive", c->disruptive);
	tool_json_bool(o, "root", !geteuid());
	list = tool_json_set(doc, "results", tool_json_array());
	for (i = 0; i < n; i++) {
		if (r[i].verdict == HT_NOT_RUN)
			continue;
		o = tool_json_append(list, tool_json_object());
		tool_json_str(o, "requirement", r[i].test->requirement);
		tool_json_str(o, "test", r[i].test->name);
		tool_json_str(o, "verdict", verdict_names[r[i].verdict]);
		tool_json_str(o, "reason", r[i].reason[0] ? r[i].reason : NULL);
		tool_json_u64(o, "duration_ns", r[i].duration_ns);
		tool_json_str(o, "note", r[i].note[0] ? r[i].note : NULL);
	}
	o = tool_json_set(doc, "summary", tool_json_object());
	tool_json_u64(o, "passed", s->passed);
	tool_json_u64(o, "failed", s->failed);
	tool_json_u64(o, "skipped", s->skipped);
	tool_json_u64(o, "not_run", s->not_run);
	tool_json_bool(o, "interrupted", s->not_run > 0);
	rc = tool_json_write(doc, NULL);
	tool_json_free(doc);
	return rc;
}

int ht_report_end(enum ht_format fmt, const struct ht_config *c, const struct ht_probe *p,
		  const struct ht_result *r, unsigned int n, const struct ht_summary *s)
{
	switch (fmt) {
	case HT_TABLE: table_end(c, r, n, s); return 0;
	case HT_TAP:
		if (s->not_run)
			printf("Bail out! interrupted, %u tests not run\n", s->not_run);
		printf("# %u passed, %u failed, %u skipped, %u not run\n", s->passed, s->failed,
		       s->skipped, s->not_run);
		return 0;
	default: return json_end(c, p, r, n, s);
	}
}

/* ------------------------------------------------------------------ list */

int ht_list_tests(bool json, char *const *globs, int nglobs)
{
	const struct ht_test *list[512];
	unsigned int n = ht_tests_all(list, 512), i, shown = 0;
	struct tool_table *t = tool_table_new(NULL);
	struct json_object *doc = tool_json_object(), *a, *o;
	int rc = 0;

	tool_json_str(doc, "schema", "hsltest-list/1");
	a = tool_json_set(doc, "tests", tool_json_array());
	tool_table_column(t, "requirement", NULL, TOOL_LEFT);
	tool_table_column(t, "test", NULL, TOOL_LEFT);
	tool_table_column(t, "level", NULL, TOOL_LEFT);
	tool_table_column(t, "subject", NULL, TOOL_LEFT);
	tool_table_column(t, "needs", NULL, TOOL_LEFT);
	tool_table_column(t, "what it shows", NULL, TOOL_LEFT);
	for (i = 0; i < n; i++) {
		const struct ht_requirement *r = ht_requirement_find(list[i]->requirement);
		uint32_t f = list[i]->flags;
		const char *needs = f & (HT_F_RESET | HT_F_LINK) ? "disruptive"
				    : f & HT_F_BAR	 ? "registers"
				    : f & HT_F_KERNEL	 ? "driver"
				    : f & HT_F_TWO_CHIPS ? "two chips"
							 : "";

		if (!ht_test_matches(list[i], globs, nglobs))
			continue;
		shown++;
		tool_table_row(t);
		tool_table_cell(t, "%s", list[i]->requirement);
		tool_table_cell(t, "%s", list[i]->name);
		tool_table_cell(t, "%s", r ? r->level : "?");
		tool_table_cell(t, "%s", r ? r->subject : "?");
		tool_table_cell(t, "%s", needs);
		tool_table_cell(t, "%s", list[i]->sentence);
		o = tool_json_append(a, tool_json_object());
		tool_json_str(o, "requirement", list[i]->requirement);
		tool_json_str(o, "test", list[i]->name);
		tool_json_str(o, "level", r ? r->level : NULL);
		tool_json_str(o, "subject", r ? r->subject : NULL);
		tool_json_str(o, "needs", *needs ? needs : NULL);
		tool_json_str(o, "sentence", list[i]->sentence);
	}
	if (json)
		rc = tool_json_write(doc, NULL);
	else if (shown)
		tool_table_print(t, stdout);
	tool_table_free(t);
	tool_json_free(doc);
	if (!shown) {
		tool_error("no test matches");
		return TOOL_USAGE;
	}
	return rc ? TOOL_ENV : TOOL_PASS;
}

int ht_list_requirements(bool json)
{
	const struct ht_test *list[512];
	unsigned int n = ht_tests_all(list, 512), i, must = 0, tested = 0;
	struct tool_table *t = tool_table_new(NULL);
	struct json_object *doc = tool_json_object(), *a, *o, *names;
	size_t k;
	int rc = 0;

	tool_json_str(doc, "schema", "hsltest-requirements/1");
	a = tool_json_set(doc, "requirements", tool_json_array());
	tool_table_column(t, "requirement", NULL, TOOL_LEFT);
	tool_table_column(t, "level", NULL, TOOL_LEFT);
	tool_table_column(t, "subject", NULL, TOOL_LEFT);
	tool_table_column(t, "seen by", NULL, TOOL_LEFT);
	tool_table_column(t, "tests", NULL, TOOL_LEFT);
	for (k = 0; k < ht_requirement_count; k++) {
		const struct ht_requirement *r = &ht_requirements[k];
		char tests[256] = "";
		size_t used = 0;

		o = tool_json_append(a, tool_json_object());
		tool_json_str(o, "requirement", r->id);
		tool_json_str(o, "level", r->level);
		tool_json_str(o, "subject", r->subject);
		tool_json_str(o, "observability", r->observability);
		tool_json_str(o, "sentence", r->sentence);
		names = tool_json_set(o, "tests", tool_json_array());
		for (i = 0; i < n; i++) {
			if (strcmp(list[i]->requirement, r->id))
				continue;
			tool_json_append(names, json_object_new_string(list[i]->name));
			if (used < sizeof(tests))
				used += (size_t)snprintf(tests + used, sizeof(tests) - used, "%s%s",
							 used ? ", " : "", list[i]->name);
		}
		if (!strcmp(r->level, "MUST") && !strcmp(r->observability, "S")) {
			must++;
			tested += used > 0;
		}
		tool_table_row(t);
		tool_table_cell(t, "%s", r->id);
		tool_table_cell(t, "%s", r->level);
		tool_table_cell(t, "%s", r->subject);
		tool_table_cell(t, "%s",
				!strcmp(r->observability, "S")	 ? "software"
				: !strcmp(r->observability, "T") ? "trace"
				: !strcmp(r->observability, "C") ? "test facility"
								 : "declaration");
		tool_table_cell(t, "%s", used ? tests : "UNTESTED");
	}
	o = tool_json_set(doc, "summary", tool_json_object());
	tool_json_u64(o, "must_by_software", must);
	tool_json_u64(o, "tested", tested);
	if (json) {
		rc = tool_json_write(doc, NULL);
	} else {
		tool_table_print(t, stdout);
		printf("\n%zu requirements; of %u MUST that software can observe %u have a test, %u have none\n",
		       ht_requirement_count, must, tested, must - tested);
	}
	tool_table_free(t);
	tool_json_free(doc);
	return rc ? TOOL_ENV : TOOL_PASS;
}
