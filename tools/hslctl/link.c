// SPDX-License-Identifier: MIT OR Apache-2.0
/* hslctl link: the links as they are, and with --watch as they change. */
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

static void add_link(struct hsl_fabric *f, struct tool_table *t, struct json_object *list,
		     uint32_t node, uint32_t link, const struct hsl_link_props *l)
{
	static const char *const counters[] = { "retrains", "downs" };
	struct json_object *o = tool_json_append(list, tool_json_object());
	char peer[CTL_PEER_LEN];

	tool_json_u64(o, "node", node);
	tool_json_u64(o, "link", link);
	ctl_peer_json(o, l);
	tool_json_str(o, "state", ctl_link_state(l->state));
	tool_json_u64(o, "width", l->width);
	tool_json_u64(o, "rate_mtps", l->rate_mtps);
	tool_json_u64(o, "latency_ps", l->latency_ps);
	ctl_max_json(o, "max_width", l->max_width);
	ctl_max_json(o, "max_rate_mtps", l->max_rate_mtps);
	tool_table_row(t);
	tool_table_cell(t, "%u", node);
	tool_table_cell(t, "%u", link);
	tool_table_cell(t, "%s", ctl_peer(l, peer));
	tool_table_cell(t, l->peer ? "%s" : NULL, ctl_link_state(l->state));
	if (l->peer) {
		ctl_cell_lanes(t, l);
		ctl_cell_gts(t, l);
	} else {
		tool_table_cell(t, NULL);
		tool_table_cell(t, NULL);
	}
	tool_table_cell(t, l->peer ? "%.1f" : NULL, l->latency_ps / 1000.0);
	for (int i = 0; i < 2; i++) {
		uint64_t v = 0;

		if (ctl_counter(f, node, link, counters[i], &v)) {
			tool_json_u64(o, counters[i], v);
			tool_table_cell(t, l->peer ? "%" PRIu64 : NULL, v);
		} else {
			tool_json_null(o, counters[i]);
			tool_table_cell(t, NULL);
		}
	}
}

static int show_links(const struct ctl_args *a, struct hsl_fabric *f, struct json_object *doc)
{
	struct json_object *list = tool_json_set(doc, "links", tool_json_array());
	struct tool_table *t = tool_table_new(NULL);
	struct hsl_chip_props *p = NULL;
	struct hsl_link_props l;
	uint32_t first, end;
	unsigned int n = 0;
	int code;

	tool_table_column(t, "node", NULL, TOOL_RIGHT);
	tool_table_column(t, "link", NULL, TOOL_RIGHT);
	tool_table_column(t, "peer", NULL, TOOL_LEFT);
	tool_table_column(t, "state", NULL, TOOL_LEFT);
	tool_table_column(t, "width", "lanes", TOOL_RIGHT);
	tool_table_column(t, "rate", "GT/s", TOOL_RIGHT);
	tool_table_column(t, "latency", "ns", TOOL_RIGHT);
	tool_table_column(t, "retrains", NULL, TOOL_RIGHT);
	tool_table_column(t, "downs", NULL, TOOL_RIGHT);
	code = ctl_chips(a, f, &p, &n);
	for (unsigned int i = 0; code == TOOL_PASS && i < n; i++) {
		if (ctl_left_out(a, f, &p[i]))
			continue;
		code = ctl_links(a, &p[i], &first, &end);
		for (uint32_t k = first; code == TOOL_PASS && k < end; k++) {
			code = ctl_link_query(f, p[i].node, k, &l);
			if (code == TOOL_PASS)
				add_link(f, t, list, p[i].node, k, &l);
		}
	}
	if (code == TOOL_PASS && !a->json)
		tool_table_print(t, stdout);
	tool_table_free(t);
	free(p);
	return code;
}

/* ---- --watch ---- */

static void show_event(const struct ctl_args *a, struct json_object *list, const struct hsl_fabric_event *e)
{
	struct json_object *o = a->json ? tool_json_object() : NULL;
	char text[CTL_EVENT_LEN];

	if (!ctl_event(a, e, text, o)) {
		tool_json_free(o);
	} else if (a->json) {
		tool_json_append(list, o);
	} else {
		ctl_event_line(stdout, e->seq, e->time_ns, text);
		fflush(stdout);
	}
}

static int watch(const struct ctl_args *a, struct hsl_fabric *f, struct json_object *doc)
{
	struct json_object *list = tool_json_set(doc, "events", tool_json_array());
	struct hsl_fabric_event ev[64];
	struct ctl_run run;
	int fd, n, code;

	fd = hsl_event_fd(f);
	if (fd < 0) {
		tool_error("events: %s", strerror(-fd));
		return TOOL_ENV;
	}
	code = ctl_run_begin(&run, a, true);
	if (code != TOOL_PASS)
		return code;
	if (!a->json) {
		putchar('\n');
		ctl_event_head(stdout);
	}
	fflush(stdout);
	do {
		while ((n = hsl_event_read(f, ev, 64)) > 0)
			for (int i = 0; i < n; i++)
				show_event(a, list, &ev[i]);
		if (n < 0) {
			tool_error("%s", n == -ENODEV ? "the last chip has left" : strerror(-n));
			return TOOL_ENV;
		}
	} while (ctl_run_wait(&run, fd, 1000));
	return TOOL_PASS;
}

int ctl_link(const struct ctl_args *a)
{
	struct json_object *doc = ctl_document("link");
	struct hsl_fabric *f;
	int code;

	code = tool_fabric_open(a->url, &f);
	if (code == TOOL_PASS) {
		code = show_links(a, f, doc);
		if (code == TOOL_PASS && a->watch)
			code = watch(a, f, doc);
		hsl_fabric_close(f);
	}
	if (code == TOOL_PASS && a->json)
		return ctl_document_end(doc, code);
	tool_json_free(doc);
	return code;
}
