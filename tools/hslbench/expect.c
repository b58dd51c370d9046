// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * --expect PROFILE: what docs/hep.md section 9 says that a command takes, next to what a modelled run has measured. The formulas are written
 * here once more, from the document: the engine has its own. Results that have no formula (observable memory, several
 * chips at once, the CPU's work) are left out.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "bench.h"
#include "model/conf.h"
#include "output.h"
#include "table.h"

#define OWN_HOST	-1

struct link {				/* ns */
	double flit, link, port, hop, home, dram;
};

static double way(const struct link *l, int links)
{
	if (links == OWN_HOST)
		return l->port;
	return links ? links * l->link + (links - 1) * l->hop : 0;
}

static double auth(const struct link *l, int links)
{
	return 2 * way(l, links) + l->home;
}

static double read_(const struct link *l, int links)
{
	return auth(l, links) + l->dram;
}

static double stream(const struct link *l, double n)
{
	return n > 0 ? (ceil((2 * ceil(n / 256) + ceil(n / 16)) / 14) - 1) * l->flit : 0;
}

static int place(const char *name, int links)
{
	return !strcmp(name, "host") ? OWN_HOST : links;
}

/* Command time, without fetch, ns; NaN: there is no formula for it here. idle: each one is of an idle queue. */
static double command(const struct link *l, struct json_object *r, bool *idle)
{
	const char *verb = bench_str(r, "verb"), *op = bench_str(r, "op");
	double n = bench_num(r, "size_bytes");
	int links = (int)fmin(fmax(bench_num(r, "hops"), 0), 1e6);
	bool chips = !strncmp(bench_str(r, "src"), "chip", 4) && !strncmp(bench_str(r, "dst"), "chip", 4);

	*idle = bench_num(r, "depth") == 1;
	if (bench_get(r, "skipped") || bench_get(r, "flows") || strcmp(bench_str(r, "basis"), "model-input") || json_object_get_boolean(bench_get(r, "baseline")))
		return NAN;
	if (!strcmp(verb, "lat") || !strcmp(verb, "rate"))
		return !strcmp(op, "nop") ? l->port : read_(l, 0) + auth(l, links) + stream(l, n) + l->port;
	if (!strcmp(verb, "matrix"))
		return !strcmp(op, "load") ? read_(l, links) + l->port : read_(l, 0) + auth(l, links) + stream(l, n) + l->port;
	if (!strcmp(verb, "bw") && !strcmp(op, "fill"))
		return auth(l, 0) + stream(l, n) + l->port;
	if (!strcmp(verb, "bw") && strcmp(op, "load") && strcmp(op, "store"))
		return read_(l, place(bench_str(r, "src"), 0)) + auth(l, place(bench_str(r, "dst"), chips ? links : 0)) + stream(l, n) + l->port;
	if (!strcmp(verb, "atomic") && !strcmp(op, "add"))
		return read_(l, links) + l->port;
	if (!strcmp(verb, "atomic") && !strcmp(op, "signal"))
		return auth(l, links) + l->port;
	return NAN;
}

static int profile_find(const char *name, struct hsl_profile *out)
{
	const struct hsl_profile *p = strchr(name, '/') ? NULL : hsl_profile_find(name);
	struct hsl_conf *conf;
	char why[160] = "", *text;
	FILE *in;
	size_t n;
	int err;

	if (p) {
		*out = *p;
		return 0;
	}
	if (!strchr(name, '/'))
		return tool_usage("--expect %s: default, gen2, pcie5, or a file with a / in its name", name);
	in = fopen(name, "re");
	if (!in) {
		tool_error("%s: cannot be read", name);
		return TOOL_ENV;
	}
	text = tool_calloc(HSL_CONF_BYTES_MAX + 1, 1);
	n = fread(text, 1, HSL_CONF_BYTES_MAX + 1, in);
	fclose(in);
	conf = tool_calloc(1, sizeof(*conf));
	err = hsl_conf_parse(conf, text, n, why, sizeof(why));
	if (!err && !conf->has_profile)
		snprintf(why, sizeof(why), "the file has no [profile]");
	*out = conf->profile;
	free(conf);
	free(text);
	return why[0] || err ? tool_usage("--expect %s: %s", name, why) : 0;
}

int bench_expect_check(const char *name)
{
	struct hsl_profile p;

	return profile_find(name, &p);
}

int bench_expect(struct json_object *doc, const char *name, double tolerance, bool print)
{
	struct json_object *list = bench_get(doc, "results");
	char *title = tool_printf("\nExpected of profile %s by HEP section 9, and measured, tolerance %.1f %%", name, tolerance * 100);
	struct tool_table *t = tool_table_new(title);
	unsigned int rows = 0, wrong = 0;
	struct hsl_profile p;
	struct link l;
	int rc = profile_find(name, &p);

	free(title);
	if (rc) {
		tool_table_free(t);
		return rc;
	}
	l.flit = ceil(2048e6 / ((double)p.lanes * p.rate_mtps)) / 1e3;
	l.port = p.port_ps / 1e3;
	l.link = 2 * l.port + p.cable_ps / 1e3 + l.flit;
	l.hop = p.switch_ps / 1e3;
	l.home = p.home_ps / 1e3;
	l.dram = p.dram_ps / 1e3;
	tool_table_column(t, "measurement", NULL, TOOL_LEFT);
	tool_table_column(t, "path", NULL, TOOL_LEFT);
	tool_table_column(t, "size", NULL, TOOL_RIGHT);
	tool_table_column(t, "in flight", NULL, TOOL_RIGHT);
	tool_table_column(t, "expected", "ns each", TOOL_RIGHT);
	tool_table_column(t, "measured", "ns each", TOOL_RIGHT);
	tool_table_column(t, "off", NULL, TOOL_RIGHT);
	tool_table_column(t, "verdict", NULL, TOOL_LEFT);
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *r = json_object_array_get_idx(list, i);
		double fetch = l.port + read_(&l, OWN_HOST), want, got, ops = bench_num(r, "operations"), off;
		char buf[TOOL_SIZE_LEN];
		bool idle, good;

		want = command(&l, r, &idle);
		if (!isfinite(want))
			continue;
		/* a queue that was busy pays the fetch once in a round */
		want += idle ? fetch : fetch * (isfinite(bench_num(r, "rounds")) ? bench_num(r, "rounds") : 1) / ops;
		got = bench_num(r, "duration_ns") / ops;
		off = got / want - 1;
		good = fabs(off) <= tolerance || fabs(got - want) <= 1;	/* the clock is read in whole ns */
		rows++;
		wrong += !good;
		tool_table_row(t);
		tool_table_cell(t, "%s %s%s%s", bench_str(r, "verb"), bench_str(r, "op"), *bench_str(r, "variant") ? " " : "",
				bench_str(r, "variant"));
		tool_table_cell(t, "%s -> %s", bench_str(r, "src"), bench_str(r, "dst"));
		tool_table_cell(t, bench_num(r, "size_bytes") > 0 ? "%s" : NULL,
				tool_size_format(bench_size(bench_num(r, "size_bytes")), buf, sizeof(buf)));
		tool_table_cell(t, "%.0f", bench_num(r, "depth"));
		tool_table_cell(t, "%.2f", want);
		tool_table_cell(t, "%.2f", got);
		tool_table_cell(t, "%+.2f %%", off * 100);
		tool_table_cell(t, "%s", good ? "ok" : "OFF");
	}
	tool_table_note(t, "%u results have a formula, %u are off.", rows, wrong);
	if (print)
		tool_table_print(t, stdout);
	tool_table_free(t);
	if (!rows) {
		tool_error("--expect %s: no result of modelled time that has a formula", name);
		return TOOL_FAIL;
	}
	if (wrong)
		tool_error("--expect %s: %u of %u results are not what the profile says", name, wrong, rows);
	return wrong ? TOOL_FAIL : TOOL_PASS;
}
