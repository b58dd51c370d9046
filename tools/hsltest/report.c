/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What is printed while tests run and at the end: a table with a summary by group and class on a terminal, TAP (version 13,
 * with the plan first) in a pipe. A test that did not run is never shown as passed. Files are written from the document
 * (document.c).
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "doc.h"
#include "exit.h"
#include "progress.h"
#include "run.h"
#include "table.h"

static const char *effort(const struct ht_config *c)
{
	return c->effort == HT_QUICK ? ", quick" : c->effort == HT_FULL ? ", full" : "";
}

void ht_report_begin(const struct ht_report *rep)
{
	const struct ht_config *c = rep->config;
	const struct ht_probe *p = rep->probe;
	char chips[32];

	if (rep->format == HT_JSON)
		return;
	if (p->nchips < p->chips_present)
		snprintf(chips, sizeof(chips), "%u of %u", p->nchips, p->chips_present);
	else
		snprintf(chips, sizeof(chips), "%u", p->nchips);
	if (rep->format == HT_TAP)
		printf("TAP version 13\n1..%u\n# ", rep->n * rep->rounds + rep->ntrace);
	printf("hsltest %s%s HEP %d.%d%s %s (%s), %s chip%s, seed %" PRIu64 "%s%s\n", hsl_version(),
	       rep->format == HT_TAP ? "," : ":", HSL_HEP_MAJOR, HSL_HEP_MINOR, rep->format == HT_TAP ? ", fabric" : " on",
	       tool_fabric_name(c->url), p->backend, chips, p->chips_present == 1 ? "" : "s", c->seed,
	       c->disruptive ? ", disruptive" : "", effort(c));
	if (rep->format == HT_TABLE)
		putchar('\n');
	fflush(stdout);
}

char *ht_again(const struct ht_config *c, const struct ht_result *r)
{
	return r->again ? tool_printf("%s", r->again) : ht_reproduce(c, r->seed, r->test->name);
}

char *ht_reproduce(const struct ht_config *c, uint64_t seed, const char *test)
{
	return tool_printf("hsltest run -f %s --seed %" PRIu64 "%s%s%s%s %s", tool_fabric_name(c->url), seed,
			   c->disruptive ? " --disruptive" : "", c->bring_up ? " --bring-up " : "",
			   c->bring_up ? c->bring_up : "",
			   c->effort == HT_QUICK  ? " --quick"
			   : c->effort == HT_FULL ? " --full"
						  : "",
			   test);
}

/* TAP is a format of lines. */
static void print_one_line(const char *s)
{
	for (; *s; s++)
		putchar(*s == '\n' || *s == '\r' ? ' ' : *s);
}

static void print_comments(const char *s)
{
	while (*s) {
		int n = (int)strcspn(s, "\n");

		printf("# %.*s\n", n, s);
		s += n + (s[n] == '\n');
	}
}

static void tap_test(unsigned int number, unsigned int round, const struct ht_result *r)
{
	static const char *const why[HT_VERDICTS] = {
		[HT_SKIP] = " # SKIP ", [HT_NA] = " # SKIP not applicable: ", [HT_INCONCLUSIVE] = " # SKIP inconclusive: "
	};
	bool bad = r->verdict == HT_FAIL || r->verdict == HT_ERROR || r->verdict == HT_WAIVED;

	printf("%sok %u - %s %s", bad ? "not " : "", number, r->test->requirement, r->test->name);
	if (round)
		printf(" (round %u)", round + 1);
	if (why[r->verdict]) {
		printf("%s", why[r->verdict]);
		print_one_line(r->reason);
	} else if (r->waiver) {
		printf(" # TODO waived by %s: ", r->waiver->owner);
		print_one_line(r->waiver->reason);
	}
	putchar('\n');
	if (bad) {
		printf(r->verdict == HT_ERROR ? "# error: " : "# ");
		print_one_line(r->reason);
		putchar('\n');
		print_comments(r->dump);
	} else if (r->note[0]) {
		printf("# ");
		print_one_line(r->note);
		putchar('\n');
	}
}

static void table_test(unsigned int round, const struct ht_result *r)
{
	static const char *const words[HT_VERDICTS] = { "-", "ok", "FAIL", "skip", "-", "n/a", "incon", "ERROR", "waive" };

	tool_progress_clear();
	if (round)
		printf("%4u  ", round + 1);
	printf("%-5s %-12s %-22s %9.1f ms  ", words[r->verdict], r->test->requirement, r->test->name, (double)r->duration_ns / 1e6);
	print_one_line(r->verdict == HT_PASS ? r->test->sentence : r->reason);
	putchar('\n');
	for (const char *s = r->dump; *s;) {
		int n = (int)strcspn(s, "\n");

		printf("      %.*s\n", n, s);
		s += n + (s[n] == '\n');
	}
}

void ht_report_test(const struct ht_report *rep, unsigned int number, unsigned int round, const struct ht_result *r)
{
	/* later rounds show what a person has to see */
	if (rep->format == HT_TABLE && (!round || ht_gravity(r->verdict) >= ht_gravity(HT_INCONCLUSIVE)))
		table_test(round, r);
	else if (rep->format == HT_TAP)
		tap_test(number, round, r);
	fflush(stdout);
}

static void groups_table(const struct ht_report *rep)
{
	struct tool_table *t = tool_table_new(NULL);
	char group[16], other[16];
	unsigned int i, k;

	tool_table_column(t, "group", NULL, TOOL_LEFT);
	tool_table_column(t, "passed", NULL, TOOL_RIGHT);
	tool_table_column(t, "failed", NULL, TOOL_RIGHT);
	tool_table_column(t, "skipped", NULL, TOOL_RIGHT);
	tool_table_column(t, "n/a", NULL, TOOL_RIGHT);
	tool_table_column(t, "other", NULL, TOOL_RIGHT);
	tool_table_column(t, "not run", NULL, TOOL_RIGHT);
	for (i = 0; i < rep->n; i++) {
		unsigned int count[HT_VERDICTS] = { 0 };

		/* a group's tests may be in two places of the table (LNK, NET): count at its first */
		ht_layer(rep->results[i].test->requirement, group, sizeof(group));
		for (k = 0; k < i; k++) {
			ht_layer(rep->results[k].test->requirement, other, sizeof(other));
			if (!strcmp(other, group))
				break;
		}
		if (k < i)
			continue;
		for (k = i; k < rep->n; k++) {
			ht_layer(rep->results[k].test->requirement, other, sizeof(other));
			if (!strcmp(other, group))
				count[rep->results[k].verdict]++;
		}
		tool_table_row(t);
		tool_table_cell(t, "%s", group);
		tool_table_cell(t, "%u", count[HT_PASS]);
		tool_table_cell(t, "%u", count[HT_FAIL]);
		tool_table_cell(t, "%u", count[HT_SKIP]);
		tool_table_cell(t, "%u", count[HT_NA]);
		tool_table_cell(t, "%u", count[HT_INCONCLUSIVE] + count[HT_ERROR] + count[HT_WAIVED]);
		tool_table_cell(t, "%u", count[HT_NOT_RUN]);
	}
	tool_table_print(t, stdout);
	tool_table_free(t);
}

/* "HEP-Base: incomplete, 70 of 85 MUST passed, 15 not tested" */
static void print_classes(const struct ht_report *rep, const char *before)
{
	int c;

	for (c = 0; c < HT_CLASSES; c++) {
		const struct ht_class_outcome *o = &rep->classes[c];
		unsigned int tested = o->count[HT_PASS] + o->count[HT_FAIL] + o->count[HT_WAIVED] + o->count[HT_NA];

		printf("%s%-12s  %-14s  %3u of %3u MUST passed", before, ht_class_name((enum ht_class)c),
		       ht_class_verdict_name(o->verdict), o->count[HT_PASS], o->must);
		if (o->count[HT_FAIL])
			printf(", %u failed", o->count[HT_FAIL]);
		if (o->count[HT_WAIVED])
			printf(", %u waived", o->count[HT_WAIVED]);
		if (o->count[HT_NA])
			printf(", %u not applicable", o->count[HT_NA]);
		if (tested < o->must)
			printf(", %u not tested", o->must - tested);
		putchar('\n');
	}
}

static void print_contradictions(const struct ht_report *rep, const char *before)
{
	struct json_object *list = doc_get(rep->pics, "items"), *o;
	size_t i;

	for (i = 0; i < doc_len(list); i++) {
		o = doc_at(list, i);
		if (*doc_str(o, "contradiction"))
			printf("%sPICS %s, %s: %s\n", before, doc_str(o, "item"), doc_str(o, "feature"), doc_str(o, "contradiction"));
	}
}

static void print_summary(const struct ht_report *rep)
{
	const unsigned int *n = rep->summary.count;

	printf("%u passed, %u failed, %u skipped", n[HT_PASS], n[HT_FAIL], n[HT_SKIP]);
	if (n[HT_NA])
		printf(", %u not applicable", n[HT_NA]);
	if (n[HT_INCONCLUSIVE])
		printf(", %u inconclusive", n[HT_INCONCLUSIVE]);
	if (n[HT_ERROR])
		printf(", %u errors", n[HT_ERROR]);
	if (n[HT_WAIVED])
		printf(", %u waived", n[HT_WAIVED]);
}

/* ", 5 of 2000 rounds" */
static void print_rounds(const struct ht_report *rep)
{
	if (rep->rounds > 1)
		printf(", %u of %u rounds", rep->rounds_done, rep->rounds);
}

static void tap_end(const struct ht_report *rep)
{
	unsigned int not_run = rep->summary.count[HT_NOT_RUN];

	print_classes(rep, "# ");
	print_contradictions(rep, "# ");
	if (rep->interrupted) {
		printf("Bail out! interrupted, %u tests not run", not_run);
		print_rounds(rep);
		putchar('\n');
	}
	printf("# ");
	print_summary(rep);
	printf(", %u not run", not_run);
	print_rounds(rep);
	putchar('\n');
}

static void table_end(const struct ht_report *rep)
{
	unsigned int i;
	char *again;

	putchar('\n');
	groups_table(rep);
	putchar('\n');
	print_classes(rep, "  ");
	print_contradictions(rep, "  ");
	putchar('\n');
	print_summary(rep);
	if (rep->summary.count[HT_NOT_RUN])
		printf(", %u NOT RUN", rep->summary.count[HT_NOT_RUN]);
	print_rounds(rep);
	printf("%s\n", rep->interrupted ? " (interrupted)" : "");
	for (i = 0; i < rep->n; i++) {
		const struct ht_result *r = &rep->results[i];

		if (r->verdict != HT_FAIL && r->verdict != HT_ERROR)
			continue;
		again = ht_again(rep->config, r);
		printf("again: %s", again);
		if (r->runs > 1)
			printf("   (%u of %u rounds failed)", r->failures, r->runs);
		putchar('\n');
		free(again);
	}
}

void ht_report_end(const struct ht_report *rep)
{
	if (rep->format == HT_TABLE)
		table_end(rep);
	else if (rep->format == HT_TAP)
		tap_end(rep);
	fflush(stdout);
}
