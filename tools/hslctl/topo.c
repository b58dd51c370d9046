// SPDX-License-Identifier: MIT OR Apache-2.0
/* hslctl topo: links and hops. Rates and latencies repeat what the chips state: basis model-input
 * on emulated ones. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exit.h"
#include "hsl/hsl.h"
#include "hslctl.h"
#include "json.h"
#include "table.h"

#define BASIS "model-input"

static int links(const struct ctl_args *a, struct hsl_fabric *f, const struct hsl_chip_props *p, uint32_t n,
		 struct json_object *doc)
{
	struct json_object *list = tool_json_set(doc, "links", tool_json_array()), *o;
	struct tool_table *t;
	char title[256], peer[CTL_PEER_LEN];
	uint32_t i, k;
	int rc = 0;

	snprintf(title, sizeof(title),
		 "Links of %s (basis %s: what the chips state, not a measurement)",
		 tool_fabric_name(a->url), BASIS);
	t = tool_table_new(title);
	tool_table_column(t, "node", NULL, TOOL_RIGHT);
	tool_table_column(t, "link", NULL, TOOL_RIGHT);
	tool_table_column(t, "peer", NULL, TOOL_LEFT);
	tool_table_column(t, "state", NULL, TOOL_LEFT);
	tool_table_column(t, "width", "lanes", TOOL_RIGHT);
	tool_table_column(t, "rate", "GT/s", TOOL_RIGHT);
	tool_table_column(t, "raw, each way", "GB/s", TOOL_RIGHT);
	tool_table_column(t, "latency", "ns", TOOL_RIGHT);
	for (i = 0; i < n && !rc; i++) {
		if (ctl_left_out(a, f, &p[i]))
			continue;
		for (k = 0; k < p[i].nlinks; k++) {
			struct hsl_link_props l = { .size = sizeof(l) };
			double gts, raw;

			rc = hsl_link_query(f, p[i].node, k, &l);
			if (rc)
				break;
			gts = l.rate_mtps / 1000.0;
			raw = (double)l.width * l.rate_mtps * 1e6 / 8 / 1e9;
			o = tool_json_append(list, tool_json_object());
			tool_json_u64(o, "node", p[i].node);
			tool_json_u64(o, "link", k);
			ctl_peer_json(o, &l);
			tool_json_str(o, "state", ctl_link_state(l.state));
			tool_json_u64(o, "width", l.width);
			tool_json_double(o, "rate_gtps", gts);
			tool_json_double(o, "raw_bytes_per_s", raw * 1e9);
			tool_json_double(o, "latency_ns", l.latency_ps / 1000.0);
			ctl_max_json(o, "max_width", l.max_width);
			if (l.max_rate_mtps)
				tool_json_double(o, "max_rate_gtps", l.max_rate_mtps / 1000.0);
			else
				tool_json_null(o, "max_rate_gtps");
			tool_json_str(o, "basis", BASIS);
			tool_table_row(t);
			tool_table_cell(t, "%u", p[i].node);
			tool_table_cell(t, "%u", k);
			tool_table_cell(t, "%s", ctl_peer(&l, peer));
			if (!l.peer)
				continue;
			tool_table_cell(t, "%s", ctl_link_state(l.state));
			ctl_cell_lanes(t, &l);
			ctl_cell_gts(t, &l);
			tool_table_cell(t, "%.1f", raw);
			tool_table_cell(t, "%.1f", l.latency_ps / 1000.0);
		}
	}
	if (!a->json && !rc)
		tool_table_print(t, stdout);
	tool_table_free(t);
	return rc;
}

/* Columns of one table, as many as a terminal shows: with more chips there are several tables. */
#define MATRIX_COLUMNS	16u

static void matrix_print(const struct hsl_chip_props *p, uint32_t n, const int64_t *hops, uint32_t first)
{
	uint32_t end = n - first > MATRIX_COLUMNS ? first + MATRIX_COLUMNS : n, i, k;
	struct tool_table *t = tool_table_new(first ? NULL : "Hops: links crossed on the shortest path");

	tool_table_column(t, "from \\ to", NULL, TOOL_RIGHT);
	for (k = first; k < end; k++) {
		char name[16];

		snprintf(name, sizeof(name), "%u", p[k].node);
		tool_table_column(t, name, NULL, TOOL_RIGHT);
	}
	for (i = 0; i < n; i++) {
		tool_table_row(t);
		tool_table_cell(t, "%u", p[i].node);
		for (k = first; k < end; k++)
			tool_table_cell(t, hops[(size_t)i * n + k] < 0 ? NULL : "%" PRId64, hops[i * n + k]);
	}
	putchar('\n');
	tool_table_print(t, stdout);
	tool_table_free(t);
}

static int matrix(const struct ctl_args *a, struct hsl_fabric *f, const struct hsl_chip_props *p, uint32_t n,
		  struct json_object *doc)
{
	struct json_object *paths = tool_json_set(doc, "paths", tool_json_array()), *o;
	int64_t *hops = tool_calloc((size_t)n * n + 1, sizeof(*hops));	/* -1: no way */
	uint32_t i, k;
	int rc = 0;

	for (i = 0; i < n; i++) {
		for (k = 0; k < n; k++) {
			struct hsl_path_props path = { .size = sizeof(path) };

			rc = hsl_topology_path(f, p[i].node, p[k].node, &path);
			if (rc && rc != -EHOSTUNREACH)
				goto out;
			hops[(size_t)i * n + k] = rc ? -1 : (int64_t)path.hops;
			o = tool_json_append(paths, tool_json_object());
			tool_json_u64(o, "from", p[i].node);
			tool_json_u64(o, "to", p[k].node);
			if (rc) {
				tool_json_null(o, "hops");
				tool_json_null(o, "latency_ns");
				tool_json_null(o, "raw_bytes_per_s");
			} else {
				tool_json_u64(o, "hops", path.hops);
				tool_json_double(o, "latency_ns", path.latency_ps / 1000.0);
				tool_json_u64(o, "raw_bytes_per_s", path.raw_bytes_per_s);
			}
			tool_json_str(o, "basis", BASIS);
			rc = 0;
		}
	}
	for (i = 0; i < n && !a->json; i += MATRIX_COLUMNS)
		matrix_print(p, n, hops, i);
out:
	free(hops);
	return rc;
}

int ctl_topo(const struct ctl_args *a)
{
	struct json_object *doc = ctl_document("topo");
	struct hsl_chip_props *p = NULL;
	struct hsl_fabric *f = NULL;
	unsigned int n = 0;
	int code, rc;

	code = tool_fabric_open(a->url, &f);
	if (code == TOOL_PASS) {
		tool_json_str(doc, "url", tool_fabric_name(a->url));
		code = ctl_chips(a, f, &p, &n);
	}
	if (code == TOOL_PASS) {
		rc = links(a, f, p, n, doc);
		if (!rc)
			rc = matrix(a, f, p, n, doc);
		if (rc) {
			tool_error("%s: %s", tool_fabric_name(a->url), strerror(-rc));
			code = TOOL_ENV;
		}
	}
	free(p);
	hsl_fabric_close(f);
	if (code == TOOL_PASS && a->json)
		return ctl_document_end(doc, TOOL_PASS);
	tool_json_free(doc);
	return code;
}
