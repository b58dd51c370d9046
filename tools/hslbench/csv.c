// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Results as CSV (RFC 4180): a line of names, a line for each result, absent values empty, members of latency_ns as latency_ns.MEMBER. The columns
 * are the same for every document, in this order; new ones come at the end.
 */
#include <stdio.h>
#include <string.h>

#include <json-c/json.h>

#include "output.h"

static const char *const columns[] = {
	"verb", "op", "src", "dst", "size_bytes", "depth", "batch", "bytes_per_s", "ops_per_s",
	"latency_ns.min", "latency_ns.p50", "latency_ns.p90", "latency_ns.p95", "latency_ns.p99", "latency_ns.p99_9", "latency_ns.max",
	"latency_ns.mean", "latency_ns.stdev", "latency_ns.cv",
	"clock", "basis", "errors", "verified", "wait", "operations", "duration_ns", "bytes_per_s_min", "bytes_per_s_max", "variant", "home",
	"observable", "participants", "hops", "offered_bytes_per_s", "injected_bytes_per_s", "bus_bytes_per_s", "fairness", "rounds", "ci95",
	"converged", "baseline", "ratio_to", "ratio", "ratio_host_memcpy", "skipped", "deterministic",
	"queues", "threads", "procs", "flows", "pattern", "bidirectional", "offset_bytes", "stride_bytes", "page_bytes", "numa_node", "rate_per_s",
	"flow_bytes_per_s_min", "flow_ops_per_s_min",
};
#define NCOLUMNS	(sizeof(columns) / sizeof(columns[0]))

static void field(FILE *out, const char *s, bool first)
{
	if (!first)
		fputc(',', out);
	if (!strpbrk(s, ",\"\n\r")) {
		fputs(s, out);
		return;
	}
	fputc('"', out);
	for (; *s; s++) {
		if (*s == '"')
			fputc('"', out);
		fputc(*s, out);
	}
	fputc('"', out);
}

static const char *value(struct json_object *r, const char *column)
{
	const char *dot = strchr(column, '.');
	char object[32];

	if (!dot)
		return bench_str(r, column);
	snprintf(object, sizeof(object), "%.*s", (int)(dot - column), column);
	r = bench_get(r, object);
	return json_object_is_type(r, json_type_object) ? bench_str(r, dot + 1) : "";
}

static bool rows(FILE *out, struct json_object *doc)
{
	struct json_object *list = bench_get(doc, "results");

	for (size_t c = 0; c < NCOLUMNS; c++)
		field(out, columns[c], !c);
	fputs("\r\n", out);
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		for (size_t c = 0; c < NCOLUMNS; c++)
			field(out, value(json_object_array_get_idx(list, i), columns[c]), !c);
		fputs("\r\n", out);
	}
	return true;
}

int bench_csv(struct json_object *doc, const char *path)
{
	return bench_write(doc, path, rows);
}
