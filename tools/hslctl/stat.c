// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * hslctl stat: counters of links and chips, and what the sensors of chips say.
 *
 * A sample is every counter of the chips and links asked for. What is printed is a sample, or with --interval
 * the difference of two, per second. Tables are cut out of the counters by their names: a row is those of one
 * block with a prefix, which the headings leave out.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exit.h"
#include "hsl/hsl.h"
#include "hslctl.h"
#include "json.h"
#include "size.h"
#include "table.h"

#define COUNTERS_MAX 64
#define WATCH_NS     1000000000u /* --watch without --interval */

/* The counters of one link, or of a chip. */
struct block {
	uint32_t node, link; /* HSL_COUNTERS_CHIP */
	struct hsl_link_props l;
	struct hsl_sensors sensors; /* of a chip; size 0: it has none */
	unsigned int n; /* 0: the chip has none */
	uint64_t v[COUNTERS_MAX];
};

struct sample {
	struct block *block;
	unsigned int n;
	uint64_t time_ns;
	double seconds; /* since the one before; 0: counters since power-on */
};

/* ---- reading ---- */

static int read_block(struct hsl_fabric *f, struct block *b)
{
	int rc = hsl_counters(f, b->node, b->link, b->v, COUNTERS_MAX);

	if (b->link != HSL_COUNTERS_CHIP || !ctl_sensors(f, b->node, &b->sensors))
		b->sensors.size = 0;
	if (rc < 0 && rc != -EOPNOTSUPP)
		return ctl_chip_error(f, b->node, "its counters", rc);
	b->n = rc < 0 ? 0 : rc < COUNTERS_MAX ? (unsigned int)rc : COUNTERS_MAX;
	return b->link == HSL_COUNTERS_CHIP ? TOOL_PASS : ctl_link_query(f, b->node, b->link, &b->l);
}

static bool has_counters(const struct sample *s)
{
	for (unsigned int i = 0; i < s->n; i++)
		if (s->block[i].n)
			return true;
	return false;
}

static bool has_sensors(const struct sample *s)
{
	for (unsigned int i = 0; i < s->n; i++)
		if (s->block[i].sensors.size)
			return true;
	return false;
}

static int read_sample(struct hsl_fabric *f, struct sample *s)
{
	int code = TOOL_PASS;

	s->time_ns = ctl_now_ns();
	for (unsigned int i = 0; code == TOOL_PASS && i < s->n; i++)
		code = read_block(f, &s->block[i]);
	if (code != TOOL_PASS || has_counters(s) || has_sensors(s) || !s->n)
		return code;
	if (s->block[0].node == s->block[s->n - 1].node)
		tool_error("chip %u has no counters, or its driver is older than this tool", s->block[0].node);
	else
		tool_error("no chip has counters, or the driver is older than this tool");
	return TOOL_ENV;
}

static void add_block(struct sample *s, uint32_t node, uint32_t link)
{
	s->block[s->n].node = node;
	s->block[s->n++].link = link;
}

/* Which blocks: of each chip its own, if no link is named, and its links. */
static int choose(const struct ctl_args *a, struct hsl_fabric *f, struct sample *s)
{
	struct hsl_chip_props *p = NULL;
	uint32_t first, end;
	unsigned int n = 0;
	int code;

	code = ctl_chips(a, f, &p, &n);
	s->block = tool_calloc((unsigned long)n * (HSL_LINK_MAX + 1), sizeof(*s->block));
	for (unsigned int i = 0; code == TOOL_PASS && i < n; i++) {
		if (ctl_left_out(a, f, &p[i]))
			continue;
		code = ctl_links(a, &p[i], &first, &end);
		for (uint32_t k = first; code == TOOL_PASS && k < end; k++)
			add_block(s, p[i].node, k);
		if (a->link == CTL_LINK_ALL)
			add_block(s, p[i].node, HSL_COUNTERS_CHIP);
	}
	free(p);
	return code;
}

/* ---- tables ---- */

/* One row of each block: counters whose names begin with prefix. */
struct row {
	const char *name, *prefix;
};

static const struct layout {
	const char *title;
	bool chip;
	const char *what; /* heading of the rows' names, NULL: one row a block, without */
	struct row row[3];
} layouts[] = {
	{ "Links", false, NULL, { { "", "" } } },
	{ "Packets of links by virtual channel", false, "packets",
	  { { "sent", "tx_packets_" }, { "received", "rx_packets_" }, { "stalled", "credit_stalls_" } } },
	{ "Caches", true, "cache", { { "chip", "cache_" }, { "host port", "host_port_" } } },
	{ "Homes", true, NULL, { { "", "home_" } } },
	{ "Routing", true, NULL, { { "", "net_" } } },
};

/* Does this layout show the counter in a row? "": those that no other layout of links has. */
static bool shows(const struct layout *t, const struct row *r, const char *name)
{
	if (*r->prefix)
		return !strncmp(name, r->prefix, strlen(r->prefix));
	for (unsigned int i = 0; i < sizeof(layouts) / sizeof(layouts[0]); i++)
		for (unsigned int k = 0; k < 3 && layouts[i].row[k].name; k++)
			if (layouts[i].chip == t->chip && *layouts[i].row[k].prefix &&
			    shows(&layouts[i], &layouts[i].row[k], name))
				return false;
	return true;
}

static struct tool_table *table_of(const struct layout *t, const char *unit)
{
	unsigned int scope = t->chip ? HSL_COUNTERS_CHIP : 0;
	char title[96], name[64];
	struct tool_table *table;
	const char *counter;

	snprintf(title, sizeof(title), "%s%s", t->title, unit);
	table = tool_table_new(title);
	tool_table_column(table, "node", NULL, TOOL_RIGHT);
	if (!t->chip) {
		tool_table_column(table, "link", NULL, TOOL_RIGHT);
		tool_table_column(table, "peer", NULL, TOOL_LEFT);
	}
	if (t->what)
		tool_table_column(table, t->what, NULL, TOOL_LEFT);
	for (unsigned int i = 0; (counter = hsl_counter_name(scope, i)); i++) {
		if (!shows(t, &t->row[0], counter))
			continue;
		snprintf(name, sizeof(name), "%s", counter + strlen(t->row[0].prefix));
		for (char *c = name; *c; c++)
			*c = *c == '_' ? ' ' : *c;
		tool_table_column(table, name, NULL, TOOL_RIGHT);
	}
	return table;
}

static bool all_zero(const struct layout *t, const struct row *r, const struct block *b)
{
	for (unsigned int i = 0; i < b->n; i++)
		if (b->v[i] && shows(t, r, hsl_counter_name(b->link, i)))
			return false;
	return true;
}

static void add_row(struct tool_table *table, const struct layout *t, const struct row *r,
		    const struct block *b, double seconds)
{
	char text[CTL_PEER_LEN];

	tool_table_row(table);
	tool_table_cell(table, "%u", b->node);
	if (!t->chip) {
		tool_table_cell(table, "%u", b->link);
		tool_table_cell(table, "%s", ctl_peer(&b->l, text));
	}
	if (t->what)
		tool_table_cell(table, "%s", r->name);
	for (unsigned int i = 0; i < b->n; i++) {
		if (!shows(t, r, hsl_counter_name(b->link, i)))
			continue;
		if (seconds > 0)
			tool_table_cell(table, "%s", tool_count_format((double)b->v[i] / seconds, text,
								       sizeof(text)));
		else
			tool_table_cell(table, "%" PRIu64, b->v[i]);
	}
}

/* What is, not what was counted. */
static struct tool_table *sensors_table(const struct sample *s)
{
	static const struct { const char *name, *unit; } columns[] = {
		{ "node", NULL }, { "temperature", "C" }, { "throttles from", "C" }, { "critical from", "C" },
		{ "power", "W" }, { "state", NULL },
	};
	struct tool_table *t = tool_table_new("Sensors");

	for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++)
		tool_table_column(t, columns[i].name, columns[i].unit, i == 5 ? TOOL_LEFT : TOOL_RIGHT);
	for (unsigned int i = 0; i < s->n; i++) {
		const struct hsl_sensors *x = &s->block[i].sensors;

		if (!x->size)
			continue;
		tool_table_row(t);
		tool_table_cell(t, "%u", s->block[i].node);
		tool_table_cell(t, "%.1f", x->temp_mc / 1e3);
		tool_table_cell(t, "%.1f", x->temp_max_mc / 1e3);
		tool_table_cell(t, "%.1f", x->temp_crit_mc / 1e3);
		tool_table_cell(t, "%.1f", x->power_mw / 1e3);
		tool_table_cell(t, x->thermal ? "%s" : NULL, x->thermal & HSL_THERMAL_CRITICAL ? "critical" : "throttled");
	}
	return t;
}

/* If it has rows, after the n tables before it; is it the next one? */
static bool print_table(struct tool_table *t, unsigned int n, FILE *out)
{
	bool rows = tool_table_rows(t);

	if (rows && n)
		fputc('\n', out);
	if (rows)
		tool_table_print(t, out);
	tool_table_free(t);
	return rows;
}

static void print_tables(const struct ctl_args *a, const struct sample *s, FILE *out)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < sizeof(layouts) / sizeof(layouts[0]); i++) {
		const struct layout *t = &layouts[i];
		struct tool_table *table = table_of(t, s->seconds > 0 ? ", per second" : "");

		for (unsigned int b = 0; b < s->n; b++) {
			if ((s->block[b].link == HSL_COUNTERS_CHIP) != t->chip)
				continue;
			for (unsigned int k = 0; k < 3 && t->row[k].name; k++)
				if (!a->nonzero || !all_zero(t, &t->row[k], &s->block[b]))
					add_row(table, t, &t->row[k], &s->block[b], s->seconds);
		}
		n += print_table(table, n, out);
	}
	if (!n && has_counters(s))
		fprintf(out, "%s\n", s->seconds > 0 ? "Nothing was counted." : "All counters are zero.");
	print_table(sensors_table(s), n || has_counters(s), out);
}

/* ---- document ---- */

static void block_json(struct json_object *list, const struct ctl_args *a, const struct block *b,
		       double seconds)
{
	bool chip = b->link == HSL_COUNTERS_CHIP;
	struct json_object *o = tool_json_append(list, tool_json_object()), *v;

	tool_json_u64(o, "node", b->node);
	if (!chip) {
		tool_json_u64(o, "link", b->link);
		ctl_peer_json(o, &b->l);
	}
	if (chip)
		ctl_sensors_json(o, b->sensors.size ? &b->sensors : NULL);
	if (!b->n) {
		tool_json_null(o, seconds > 0 ? "per_s" : "counters");
		return;
	}
	v = tool_json_set(o, seconds > 0 ? "per_s" : "counters", tool_json_object());
	for (unsigned int i = 0; i < b->n; i++) {
		if (a->nonzero && !b->v[i])
			continue;
		if (seconds > 0)
			tool_json_double(v, hsl_counter_name(b->link, i), (double)b->v[i] / seconds);
		else
			tool_json_u64(v, hsl_counter_name(b->link, i), b->v[i]);
	}
}

static void sample_json(struct json_object *samples, const struct ctl_args *a, const struct sample *s)
{
	struct json_object *o = tool_json_append(samples, tool_json_object()), *links, *chips;

	if (s->seconds > 0)
		tool_json_double(o, "seconds", s->seconds);
	else
		tool_json_null(o, "seconds");
	links = tool_json_set(o, "links", tool_json_array());
	chips = tool_json_set(o, "chips", tool_json_array());
	for (unsigned int i = 0; i < s->n; i++)
		block_json(s->block[i].link == HSL_COUNTERS_CHIP ? chips : links, a, &s->block[i], s->seconds);
}

/* A sample on its own, or with --watch on a terminal in place of the one before. */
static void show(const struct ctl_args *a, struct ctl_screen *screen, struct json_object *samples,
		 const struct sample *s)
{
	FILE *out;

	if (a->json) {
		sample_json(samples, a, s);
		return;
	}
	out = ctl_screen_frame(screen);
	print_tables(a, s, out);
	if (s->seconds > 0)
		fputc('\n', out);
	ctl_screen_show(screen);
}

/* ---- --interval, --watch ---- */

/* Now into *now; *diff: since *before, which becomes *now. */
static int next_sample(struct hsl_fabric *f, struct sample *before, struct sample *diff)
{
	int code;

	for (unsigned int i = 0; i < before->n; i++)
		diff->block[i] = before->block[i];
	diff->n = before->n;
	code = read_sample(f, diff);
	if (code != TOOL_PASS)
		return code;
	diff->seconds = (double)(diff->time_ns - before->time_ns) / 1e9;
	for (unsigned int i = 0; i < diff->n; i++) {
		for (unsigned int k = 0; k < diff->block[i].n; k++) {
			uint64_t now = diff->block[i].v[k];

			diff->block[i].v[k] = now - before->block[i].v[k];
			before->block[i].v[k] = now;
		}
	}
	before->time_ns = diff->time_ns;
	return TOOL_PASS;
}

/* A document without --for has one interval: somebody waits for its end. */
static int watch(const struct ctl_args *a, struct hsl_fabric *f, struct json_object *samples,
		 struct sample *before)
{
	struct sample diff = { .block = tool_calloc(before->n, sizeof(*diff.block)) };
	uint64_t interval = a->interval_ns ? a->interval_ns : WATCH_NS;
	uint64_t next = before->time_ns + interval, now;
	struct ctl_screen screen = { 0 };
	struct ctl_run run;
	int code;

	code = ctl_run_begin(&run, a, true);
	if (a->watch && !a->json)
		ctl_screen_begin(&screen);
	/* not a dark window until the end of the first interval */
	if (screen.live)
		show(a, &screen, samples, before);
	while (code == TOOL_PASS) {
		now = ctl_now_ns();
		if (now < next) {
			if (!ctl_run_wait(&run, -1, (unsigned int)((next - now + 999999) / 1000000)))
				break;
			continue;
		}
		next = next + interval > now ? next + interval : now + interval;
		code = next_sample(f, before, &diff);
		if (code != TOOL_PASS)
			break;
		show(a, &screen, samples, &diff);
		if (a->json && !a->for_ns)
			break;
		if (!ctl_run_wait(&run, -1, 0))
			break;
	}
	ctl_screen_end(&screen);
	free(diff.block);
	return code;
}

int ctl_stat(const struct ctl_args *a)
{
	struct json_object *doc = ctl_document("stat"), *samples;
	struct sample s = { 0 };
	struct hsl_fabric *f;
	int code;

	samples = tool_json_set(doc, "samples", tool_json_array());
	code = tool_fabric_open(a->url, &f);
	if (code == TOOL_PASS) {
		code = choose(a, f, &s);
		if (code == TOOL_PASS)
			code = read_sample(f, &s);
		if (code == TOOL_PASS && (a->interval_ns || a->watch))
			code = watch(a, f, samples, &s);
		else if (code == TOOL_PASS)
			show(a, &(struct ctl_screen){ 0 }, samples, &s);
		hsl_fabric_close(f);
	}
	free(s.block);
	if (code == TOOL_PASS && a->json)
		return ctl_document_end(doc, code);
	tool_json_free(doc);
	return code;
}
