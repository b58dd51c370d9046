// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * One page with everything of a document: where it was measured, the pictures inline, the numbers behind each. It refers to nothing
 * outside of itself. Every text of the document is escaped.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "bench.h"
#include "output.h"

static const char style[] =
"body{font:15px/1.45 system-ui,sans-serif;color:#222;max-width:1000px;margin:2em auto;padding:0 1em}"
"h1{font-size:1.5em;margin-bottom:.2em}h2{font-size:1.2em;margin:2em 0 .3em;border-bottom:1px solid #ccc}"
".basis{color:#8a3b00;font-weight:600}.bad{color:#b00020;font-weight:600}svg{width:100%;height:auto}"
"table{border-collapse:collapse;font-size:13px;margin:.5em 0}th,td{padding:2px 8px;text-align:right;border-bottom:1px solid #eee;white-space:nowrap}"
"th{border-bottom:1px solid #888}td.t,th.t{text-align:left}details{margin:.4em 0}summary{cursor:pointer;color:#1f5fa0}"
".scroll{overflow-x:auto}";

static void escaped(FILE *out, const char *s)
{
	for (; *s; s++)
		switch (*s) {
		case '<': fputs("&lt;", out); break;
		case '>': fputs("&gt;", out); break;
		case '&': fputs("&amp;", out); break;
		case '"': fputs("&quot;", out); break;
		default: fputc(*s, out);
		}
}

static void row(FILE *out, const char *name, const char *value)
{
	if (!*value)
		return;
	fputs("<tr><td class=t>", out);
	escaped(out, name);
	fputs("</td><td class=t>", out);
	escaped(out, value);
	fputs("</td></tr>\n", out);
}

static size_t list_length(struct json_object *list)
{
	return json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;
}

static void environment(FILE *out, struct json_object *env)
{
	char chips[32];

	snprintf(chips, sizeof(chips), "%zu", list_length(bench_get(env, "chips")));
	fputs("<table>\n", out);
	row(out, "fabric", bench_str(env, "fabric"));
	row(out, "backend", bench_str(env, "backend"));
	row(out, "chips", chips);
	row(out, "CPU", bench_str(env, "cpu_model"));
	row(out, "CPUs", bench_str(env, "cpus"));
	row(out, "kernel", bench_str(env, "kernel"));
	row(out, "hslbench", bench_str(env, "hslbench"));
	row(out, "HEP", bench_str(env, "hep"));
	row(out, "command", bench_str(env, "command"));
	row(out, "seed", bench_str(env, "seed"));
	row(out, "time", bench_str(env, "time"));
	fputs("</table>\n", out);
	struct json_object *noise = bench_get(env, "noise");

	if (noise && json_object_get_boolean(bench_get(noise, "noisy"))) {
		struct json_object *list = bench_get(noise, "reasons");

		fputs("<p class=bad>Noisy machine: ", out);
		for (size_t i = 0; i < list_length(list); i++) {
			const char *reason = json_object_get_string(json_object_array_get_idx(list, i));

			fputs(i ? "; " : "", out);
			escaped(out, reason ? reason : "");
		}
		fputs("</p>\n", out);
	}
	if (bench_get(env, "interrupted") && json_object_get_boolean(bench_get(env, "interrupted")))
		fputs("<p class=bad>Interrupted: what was measured until then.</p>\n", out);
}

static void text_cell(FILE *out, const char *class, const char *s)
{
	fprintf(out, "<td class=%s>", class);
	escaped(out, s);
	fputs("</td>", out);
}

static void cell(FILE *out, double v, double scale, const char *fmt)
{
	fputs("<td>", out);
	if (isfinite(v))
		fprintf(out, fmt, v / scale);
	fputs("</td>", out);
}

static void result(FILE *out, struct json_object *r)
{
	struct json_object *lat = bench_get(r, "latency_ns");
	char size[TOOL_SIZE_LEN] = "";

	if (bench_num(r, "size_bytes") > 0)
		tool_size_format(bench_size(bench_num(r, "size_bytes")), size, sizeof(size));
	fputs("<tr>", out);
	text_cell(out, "t", bench_str(r, "op"));
	text_cell(out, "t", bench_str(r, "variant"));
	fputs("<td class=t>", out);
	escaped(out, bench_str(r, "src"));
	fputs(" → ", out);
	escaped(out, bench_str(r, "dst"));
	fputs("</td>", out);
	text_cell(out, "n", size);
	text_cell(out, "n", bench_str(r, "depth"));
	text_cell(out, "n", bench_str(r, "batch"));
	text_cell(out, "t", bench_str(r, "wait"));
	if (bench_get(r, "skipped")) {
		fputs("<td class=t colspan=11>not run: ", out);
		escaped(out, bench_str(r, "skipped"));
		fputs("</td></tr>\n", out);
		return;
	}
	cell(out, bench_num(r, "bytes_per_s"), 1e9, "%.3f");
	cell(out, bench_num(r, "bytes_per_s_min"), 1e9, "%.3f");
	cell(out, bench_num(r, "bytes_per_s_max"), 1e9, "%.3f");
	cell(out, bench_num(r, "ops_per_s"), 1, "%.0f");
	cell(out, bench_num(lat, "min"), 1e3, "%.3f");
	cell(out, bench_num(lat, "p50"), 1e3, "%.3f");
	cell(out, bench_num(lat, "p99"), 1e3, "%.3f");
	cell(out, bench_num(lat, "p99_9"), 1e3, "%.3f");
	cell(out, bench_num(lat, "max"), 1e3, "%.3f");
	cell(out, bench_num(r, "ci95"), 0.01, "%.1f %%");
	fprintf(out, "<td class=%s>%s</td></tr>\n", bench_num(r, "errors") > 0 ? "bad" : "t",
		bench_num(r, "errors") > 0 ? "FAILED" : "ok");
}

/* The results of a verb with that basis. */
static void numbers(FILE *out, struct json_object *list, const char *verb, const char *basis)
{
	fputs("<details><summary>numbers</summary><div class=scroll><table><tr><th class=t>op</th><th class=t>of</th><th class=t>path</th><th>size</th>"
	      "<th>in flight</th><th>per doorbell</th><th class=t>wait</th><th>GB/s</th><th>slowest</th><th>fastest</th><th>op/s</th><th>min us</th>"
	      "<th>p50 us</th><th>p99 us</th><th>p99.9 us</th><th>max us</th><th>±</th><th class=t>check</th></tr>\n", out);
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *r = json_object_array_get_idx(list, i);

		if (!strcmp(bench_str(r, "verb"), verb) && !strcmp(bench_str(r, "basis"), basis))
			result(out, r);
	}
	fputs("</table></div></details>\n", out);
}

/* A section for each verb and basis, in the order measured. False: a picture failed, after a message. */
static bool sections(FILE *out, struct json_object *doc, const struct chart *c, unsigned int n)
{
	struct json_object *list = bench_get(doc, "results");
	const char *verb = "", *basis = "";

	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *r = json_object_array_get_idx(list, i);
		bool seen = false;

		verb = bench_str(r, "verb");
		basis = bench_str(r, "basis");
		for (size_t k = 0; k < i; k++) {
			struct json_object *o = json_object_array_get_idx(list, k);

			seen |= !strcmp(bench_str(o, "verb"), verb) && !strcmp(bench_str(o, "basis"), basis);
		}
		if (seen)
			continue;
		fputs("<h2>", out);
		escaped(out, verb);
		fputs("</h2>\n<p class=basis>", out);
		escaped(out, bench_basis_text(basis));
		fputs("</p>\n", out);
		for (unsigned int k = 0; k < n; k++) {
			char *svg;

			if (strcmp(c[k].verb, verb) || strcmp(c[k].basis, bench_basis_text(basis)))
				continue;
			svg = bench_chart_svg(&c[k]);
			if (!svg)
				return false;
			/* inline: without the XML head */
			fputs(strstr(svg, "<svg") ? strstr(svg, "<svg") : svg, out);
			free(svg);
		}
		numbers(out, list, verb, basis);
	}
	return true;
}

static bool page(FILE *out, struct json_object *doc)
{
	unsigned int n;
	struct chart *c = bench_charts(doc, &n);
	bool good;

	fprintf(out, "<!doctype html>\n<html lang=en><head><meta charset=utf-8><meta name=viewport content='width=device-width'>"
		"<title>hslbench</title><style>%s</style></head><body>\n<h1>hslbench</h1>\n", style);
	environment(out, bench_get(doc, "environment"));
	good = sections(out, doc, c, n);
	fputs("</body></html>\n", out);
	bench_charts_free(c, n);
	return good;
}

int bench_html(struct json_object *doc, const char *path)
{
	return bench_write(doc, path, page);
}
