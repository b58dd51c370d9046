// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * hslctl monitor: a fabric as it lives.
 *
 * On a terminal: two tables, of chips and of links, drawn anew every interval, and under them what happened last. In a pipe:
 * what happens, one line each, and with --json one document a line, samples too. What happens is what the fabric reports,
 * what counters of errors tell: how much they grew in an interval; and that a chip throttles, or does no more.
 *
 * It goes on where other verbs give up: chips come, leave and fail while it runs. The list of them is made again for each
 * sample; a link's growth is known from the second sample in a row that has it, and of a chip in another one's place it is not
 * known: that counts from zero. The last sample is made when monitor ends. An interval is measured on the fabric's
 * clock, so that rates of modelled time are those of the model.
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
#define RECENT	     8 /* events under the tables */
#define INTERVAL_NS  1000000000u

/* Counters that monitor shows. Errors are those that also make an event when they grow. */
enum { TX, RX, LINK_ERRORS, REPLAYED = LINK_ERRORS, BAD, PROTOCOL, RETRAINS, DOWNS, LINK_N };
enum { DELIVERED, CHIP_ERRORS, LOST = CHIP_ERRORS, POISONED, CHIP_N };

static const struct shown {
	const char *counter, *words; /* of an event: "3 flits refused" */
} of_link[LINK_N] = {
	[TX] = { "tx_flits", NULL },
	[RX] = { "rx_flits", NULL },
	[REPLAYED] = { "tx_replayed", "flits sent again" },
	[BAD] = { "rx_bad", "flits refused" },
	[PROTOCOL] = { "protocol_errors", "protocol errors" },
	[RETRAINS] = { "retrains", "times in Recovery" },
	[DOWNS] = { "downs", "times down" },
}, of_chip[CHIP_N] = {
	[DELIVERED] = { "net_delivered", NULL },
	[LOST] = { "net_lost", "packets lost" },
	[POISONED] = { "net_poisoned", "poisoned accesses" },
};

/* The counters of a link, or of a chip. */
struct block {
	uint32_t node, link; /* HSL_COUNTERS_CHIP */
	bool counted, grown; /* v is good; so is by */
	struct hsl_link_props l;
	uint64_t v[LINK_N], by[LINK_N]; /* since the sample before */
};

struct sample {
	struct hsl_chip_props *chip;
	struct hsl_sensors *sensors; /* of each; size 0: it has none */
	unsigned int nchips;
	struct block *block; /* in order of nodes: each chip, then its links */
	unsigned int n;
	uint64_t time_ns;
	double seconds; /* since the one before; 0: there was none */
};

struct monitor {
	const struct ctl_args *a;
	struct hsl_fabric *f;
	struct ctl_screen screen;
	struct sample last;
	char recent[RECENT][CTL_EVENT_LEN + 32];
	unsigned int nrecent; /* ever */
};

static const struct shown *shown_of(uint32_t link, unsigned int *n, unsigned int *errors)
{
	bool chip = link == HSL_COUNTERS_CHIP;

	*n = chip ? CHIP_N : LINK_N;
	*errors = chip ? CHIP_ERRORS : LINK_ERRORS;
	return chip ? of_chip : of_link;
}

/* ---- sampling ---- */

static void read_counters(struct hsl_fabric *f, struct block *b)
{
	uint64_t all[COUNTERS_MAX];
	unsigned int n, errors;
	const struct shown *s = shown_of(b->link, &n, &errors);
	int have = hsl_counters(f, b->node, b->link, all, COUNTERS_MAX);

	b->counted = have > 0;
	for (unsigned int i = 0; i < COUNTERS_MAX && have > 0 && i < (unsigned int)have; i++)
		for (unsigned int k = 0; k < n; k++)
			if (!strcmp(hsl_counter_name(b->link, i), s[k].counter))
				b->v[k] = all[i];
}

static const struct block *find(const struct sample *s, const struct block *b)
{
	for (unsigned int i = 0; i < s->n; i++)
		if (s->block[i].node == b->node && s->block[i].link == b->link)
			return &s->block[i];
	return NULL;
}

static void add_block(struct monitor *m, struct sample *s, uint32_t node, uint32_t link)
{
	struct block *b = &s->block[s->n++];
	const struct block *before;

	*b = (struct block){ .node = node, .link = link, .l.size = sizeof(b->l) };
	if (link != HSL_COUNTERS_CHIP && hsl_link_query(m->f, node, link, &b->l))
		b->l = (struct hsl_link_props){ .state = UINT32_MAX };
	read_counters(m->f, b);
	before = find(&m->last, b);
	b->grown = b->counted && before && before->counted;
	for (unsigned int i = 0; b->grown && i < LINK_N; i++)
		b->grown = b->v[i] >= before->v[i];
	for (unsigned int i = 0; b->grown && i < LINK_N; i++)
		b->by[i] = b->v[i] - before->v[i];
}

static void free_sample(struct sample *s)
{
	free(s->chip);
	free(s->sensors);
	free(s->block);
	*s = (struct sample){ 0 };
}

/* 0 or -errno. */
static int take_sample(struct monitor *m, struct sample *s)
{
	int rc;

	*s = (struct sample){ 0 };
	rc = hsl_clock_ns(m->f, &s->time_ns);
	if (!rc)
		rc = ctl_chips_now(m->a, m->f, &s->chip, &s->nchips);
	if (rc)
		return rc;
	if (m->last.time_ns)
		s->seconds = (double)(s->time_ns - m->last.time_ns) / 1e9;
	s->block = tool_calloc((unsigned long)s->nchips * (HSL_LINK_MAX + 1) + 1, sizeof(*s->block));
	s->sensors = tool_calloc(s->nchips + 1ul, sizeof(*s->sensors));
	for (unsigned int i = 0; i < s->nchips; i++) {
		if (!ctl_sensors(m->f, s->chip[i].node, &s->sensors[i]))
			s->sensors[i].size = 0;
		add_block(m, s, s->chip[i].node, HSL_COUNTERS_CHIP);
		for (uint32_t k = 0; k < s->chip[i].nlinks; k++)
			if (m->a->link == CTL_LINK_ALL || m->a->link == k)
				add_block(m, s, s->chip[i].node, k);
	}
	return 0;
}

/* ---- tables ---- */

static double gb_per_s(const struct sample *s, uint64_t flits)
{
	return (double)flits * HSL_FLIT_BYTES / s->seconds / 1e9;
}

static void cell_rate(struct tool_table *t, const struct sample *s, const struct block *b, unsigned int i)
{
	tool_table_cell(t, b->grown && s->seconds > 0 ? "%.3f" : NULL, gb_per_s(s, b->by[i]));
}

static void cell_count(struct tool_table *t, const struct block *b, unsigned int i)
{
	tool_table_cell(t, b->counted ? "%" PRIu64 : NULL, b->v[i]);
}

static struct tool_table *chips_table(const struct sample *s)
{
	static const char *const names[] = { "node", "state", "memory free", "queues in use", "links up",
					     "temp", "power", "packets taken", "lost", "poisoned" };
	struct tool_table *t = tool_table_new(NULL);
	const struct block *b = s->block, *end = b + s->n;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		tool_table_column(t, names[i], NULL, i == 1 ? TOOL_LEFT : TOOL_RIGHT);
	for (unsigned int i = 0; i < s->nchips; i++) {
		const struct hsl_chip_props *p = &s->chip[i];
		const struct block *chip = b++;
		const struct hsl_sensors *warm = s->sensors[i].size ? &s->sensors[i] : NULL;
		unsigned int up = 0, links = 0, told = 0;
		char size[TOOL_SIZE_LEN], temp[CTL_TEMP_LEN];

		for (; b < end && b->link != HSL_COUNTERS_CHIP; b++, links++) {
			told += b->l.state != UINT32_MAX;
			up += b->l.peer && (b->l.state == HSL_LTSSM_L0 || b->l.state == HSL_LTSSM_L1);
		}
		tool_table_row(t);
		tool_table_cell(t, "%u", p->node);
		tool_table_cell(t, "%s", ctl_chip_state(p->state));
		tool_table_cell(t, "%s", tool_size_format(p->mem_free_bytes, size, sizeof(size)));
		tool_table_cell(t, "%u/%u", p->nqueues - p->nqueues_free, p->nqueues);
		tool_table_cell(t, told == links ? "%u/%u" : NULL, up, links);
		tool_table_cell(t, warm ? "%s" : NULL, warm ? ctl_temp(warm, temp) : "");
		tool_table_cell(t, warm ? "%.1f W" : NULL, warm ? warm->power_mw / 1e3 : 0);
		for (unsigned int k = 0; k < CHIP_N; k++)
			cell_count(t, chip, k);
	}
	return t;
}

static struct tool_table *links_table(const struct sample *s)
{
	static const struct { const char *name, *unit; } columns[] = {
		{ "node", NULL }, { "link", NULL }, { "peer", NULL }, { "state", NULL }, { "lanes", NULL },
		{ "raw", "GB/s" }, { "sends", "GB/s" }, { "receives", "GB/s" }, { "sent again", "flits" },
		{ "refused", "flits" }, { "protocol", "errors" }, { "retrains", NULL }, { "downs", NULL },
	};
	struct tool_table *t = tool_table_new(NULL);

	for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++)
		tool_table_column(t, columns[i].name, columns[i].unit, i == 2 || i == 3 ? TOOL_LEFT : TOOL_RIGHT);
	for (const struct block *b = s->block; b < s->block + s->n; b++) {
		char peer[CTL_PEER_LEN];

		if (b->link == HSL_COUNTERS_CHIP || !b->l.peer)
			continue;
		tool_table_row(t);
		tool_table_cell(t, "%u", b->node);
		tool_table_cell(t, "%u", b->link);
		tool_table_cell(t, "%s", ctl_peer(&b->l, peer));
		tool_table_cell(t, "%s", ctl_link_state(b->l.state));
		ctl_cell_lanes(t, &b->l);
		tool_table_cell(t, "%.1f", b->l.width * (b->l.rate_mtps / 8e3));
		cell_rate(t, s, b, TX);
		cell_rate(t, s, b, RX);
		for (unsigned int k = LINK_ERRORS; k < LINK_N; k++)
			cell_count(t, b, k);
	}
	return t;
}

static void print_table(struct tool_table *t, FILE *out)
{
	if (tool_table_rows(t))
		tool_table_print(t, out);
	tool_table_free(t);
}

static void draw(struct monitor *m, const struct sample *s)
{
	FILE *out = ctl_screen_frame(&m->screen);

	fprintf(out, "%s: %u chip%s", tool_fabric_name(m->a->url), s->nchips, s->nchips == 1 ? "" : "s");
	if (s->seconds > 0)
		fprintf(out, ", the last %.1f s", s->seconds);
	fputs(" (ctrl-C ends)\n\n", out);
	print_table(chips_table(s), out);
	fprintf(out, "\nLinks: data flits of %d bytes; %s. Errors since power-on.\n", HSL_FLIT_BYTES,
		s->nchips && s->chip[0].cap & HSL_CAP_MODELLED_TIME ? "modelled time" : "on emulated chips emulator speed, not link speed");
	print_table(links_table(s), out);
	if (m->nrecent)
		fputc('\n', out);
	for (unsigned int i = m->nrecent > RECENT ? m->nrecent - RECENT : 0; i < m->nrecent; i++)
		fputs(m->recent[i % RECENT], out);
	ctl_screen_show(&m->screen);
}

/* ---- documents, one a line ---- */

static struct json_object *line_begin(const char *what)
{
	struct json_object *o = ctl_document("monitor");

	tool_json_str(o, "line", what);
	return o;
}

static void counters_json(struct json_object *o, const struct block *b)
{
	unsigned int n, errors;
	const struct shown *s = shown_of(b->link, &n, &errors);

	o = tool_json_set(o, "counters", b->counted ? tool_json_object() : NULL);
	for (unsigned int i = 0; b->counted && i < n; i++)
		tool_json_u64(o, s[i].counter, b->v[i]);
}

static void rate_json(struct json_object *o, const char *key, const struct sample *s, const struct block *b,
		      unsigned int i)
{
	if (b->grown && s->seconds > 0)
		tool_json_double(o, key, gb_per_s(s, b->by[i]) * 1e9);
	else
		tool_json_null(o, key);
}

static void link_json(struct json_object *links, const struct sample *s, const struct block *b)
{
	struct json_object *o = tool_json_append(links, tool_json_object());

	tool_json_u64(o, "node", b->node);
	tool_json_u64(o, "link", b->link);
	ctl_peer_json(o, &b->l);
	tool_json_str(o, "state", ctl_link_state(b->l.state));
	tool_json_u64(o, "width", b->l.width);
	tool_json_u64(o, "rate_mtps", b->l.rate_mtps);
	ctl_max_json(o, "max_width", b->l.max_width);
	ctl_max_json(o, "max_rate_mtps", b->l.max_rate_mtps);
	rate_json(o, "tx_bytes_per_s", s, b, TX);
	rate_json(o, "rx_bytes_per_s", s, b, RX);
	counters_json(o, b);
}

static void sample_json(const struct sample *s)
{
	struct json_object *doc = line_begin("sample"), *chips, *links, *o;
	unsigned int chip = 0;

	tool_json_u64(doc, "time_ns", s->time_ns);
	chips = tool_json_set(doc, "chips", tool_json_array());
	links = tool_json_set(doc, "links", tool_json_array());
	for (const struct block *b = s->block; b < s->block + s->n; b++) {
		const struct hsl_chip_props *p;
		const struct hsl_sensors *sensors;

		if (b->link != HSL_COUNTERS_CHIP) {
			link_json(links, s, b);
			continue;
		}
		sensors = &s->sensors[chip];
		p = &s->chip[chip++];
		o = tool_json_append(chips, tool_json_object());
		tool_json_u64(o, "node", p->node);
		tool_json_str(o, "state", ctl_chip_state(p->state));
		tool_json_u64(o, "mem_free_bytes", p->mem_free_bytes);
		tool_json_u64(o, "queues", p->nqueues);
		tool_json_u64(o, "queues_free", p->nqueues_free);
		ctl_sensors_json(o, sensors->size ? sensors : NULL);
		counters_json(o, b);
	}
	tool_json_line(doc, stdout);
}

/* ---- what happens ---- */

/* o: the document's line, with --json. */
static void happened(struct monitor *m, uint64_t seq, uint64_t time_ns, const char *text, struct json_object *o)
{
	FILE *line;

	if (m->a->json) {
		tool_json_line(o, stdout);
		return;
	}
	if (!m->screen.live) {
		ctl_event_line(stdout, seq, time_ns, text);
		fflush(stdout);
		return;
	}
	line = fmemopen(m->recent[m->nrecent++ % RECENT], sizeof(m->recent[0]), "w");
	if (!line)
		return;
	ctl_event_line(line, seq, time_ns, text);
	fclose(line);
}

/* 0 or -errno. */
static int read_events(struct monitor *m)
{
	struct hsl_fabric_event ev[64];
	char text[CTL_EVENT_LEN];
	int n;

	while ((n = hsl_event_read(m->f, ev, 64)) > 0) {
		for (int i = 0; i < n; i++) {
			struct json_object *o = m->a->json ? line_begin("event") : NULL;

			if (ctl_event(m->a, &ev[i], text, o))
				happened(m, ev[i].seq, ev[i].time_ns, text, o);
			tool_json_free(o);
		}
	}
	return n;
}

/* Counters of errors that grew in this interval make one event of a link or chip. */
static void errors_of(struct monitor *m, const struct sample *s, const struct block *b)
{
	struct json_object *o, *by;
	unsigned int n, errors, at;
	const struct shown *shown = shown_of(b->link, &n, &errors);
	char text[CTL_EVENT_LEN];
	bool any = false;

	at = (unsigned int)snprintf(text, sizeof(text), "chip %u", b->node);
	if (b->link != HSL_COUNTERS_CHIP)
		at += (unsigned int)snprintf(text + at, sizeof(text) - at, " link %u", b->link);
	for (unsigned int i = errors; i < n; i++) {
		if (!b->by[i] || at >= sizeof(text))
			continue;
		at += (unsigned int)snprintf(text + at, sizeof(text) - at, "%s%" PRIu64 " %s", any ? ", " : ": ",
					     b->by[i], shown[i].words);
		any = true;
	}
	if (!any)
		return;
	o = m->a->json ? line_begin("event") : NULL;
	tool_json_u64(o, "time_ns", s->time_ns);
	tool_json_str(o, "type", "errors");
	tool_json_u64(o, "node", b->node);
	if (b->link != HSL_COUNTERS_CHIP)
		tool_json_u64(o, "link", b->link);
	by = tool_json_set(o, "by", o ? tool_json_object() : NULL);
	for (unsigned int i = errors; i < n; i++)
		if (b->by[i])
			tool_json_u64(by, shown[i].counter, b->by[i]);
	happened(m, 0, s->time_ns, text, o);
	tool_json_free(o);
}

static uint32_t thermal_of(const struct sample *s, uint32_t node)
{
	for (unsigned int i = 0; i < s->nchips; i++)
		if (s->chip[i].node == node)
			return s->sensors[i].thermal;
	return 0;
}

static void heat_of(struct monitor *m, const struct sample *s, unsigned int i)
{
	const struct hsl_sensors *now = &s->sensors[i];
	uint32_t node = s->chip[i].node;
	char text[CTL_EVENT_LEN], temp[CTL_TEMP_LEN];
	struct json_object *o;

	if (!now->size || now->thermal == thermal_of(&m->last, node))
		return;
	snprintf(text, sizeof(text), "chip %u: %s%s", node, ctl_temp(now, temp), now->thermal ? "" : ", throttled no more");
	o = m->a->json ? line_begin("event") : NULL;
	tool_json_u64(o, "time_ns", s->time_ns);
	tool_json_str(o, "type", "thermal");
	tool_json_u64(o, "node", node);
	if (o)
		ctl_sensors_json(o, now);
	happened(m, 0, s->time_ns, text, o);
	tool_json_free(o);
}

/* 0 or -errno. */
static int next(struct monitor *m)
{
	struct sample s;
	int rc = take_sample(m, &s);

	if (rc) {
		free_sample(&s);
		return rc;
	}
	for (unsigned int i = 0; i < s.n; i++)
		errors_of(m, &s, &s.block[i]);
	for (unsigned int i = 0; i < s.nchips; i++)
		heat_of(m, &s, i);
	if (m->a->json)
		sample_json(&s);
	else if (m->screen.live)
		draw(m, &s);
	free_sample(&m->last);
	m->last = s;
	return 0;
}

/* 0 or -errno, which is to be told when the screen is as it was. */
static int run(struct monitor *m, struct ctl_run *run, int fd)
{
	uint64_t interval = m->a->interval_ns ? m->a->interval_ns : INTERVAL_NS, due = 0, now;
	int rc;

	do {
		rc = read_events(m);
		now = ctl_now_ns();
		if (!rc && now >= due) {
			due = now + interval;
			rc = next(m);
		}
	} while (!rc && ctl_run_wait(run, fd, (unsigned int)((due - now + 999999) / 1000000)));
	if (!rc)
		rc = read_events(m);
	return rc ? rc : next(m);
}

/* Are there such chips and links? Later they may leave. */
static int check(const struct monitor *m)
{
	struct hsl_chip_props *p = NULL;
	uint32_t first, end;
	unsigned int n = 0;
	int code = ctl_chips(m->a, m->f, &p, &n);

	for (unsigned int i = 0; code == TOOL_PASS && i < n; i++)
		code = ctl_links(m->a, &p[i], &first, &end);
	free(p);
	return code;
}

static int monitor(struct monitor *m)
{
	struct ctl_run how_long;
	int fd, rc, code = check(m);

	if (code != TOOL_PASS)
		return code;
	fd = hsl_event_fd(m->f);
	if (fd < 0) {
		tool_error("events: %s", strerror(-fd));
		return TOOL_ENV;
	}
	code = ctl_run_begin(&how_long, m->a, true);
	if (code != TOOL_PASS)
		return code;
	if (!m->a->json)
		ctl_screen_begin(&m->screen);
	if (!m->a->json && !m->screen.live)
		ctl_event_head(stdout);
	fflush(stdout);
	rc = run(m, &how_long, fd);
	ctl_screen_end(&m->screen);
	free_sample(&m->last);
	if (!rc)
		return TOOL_PASS;
	tool_error("%s: %s", tool_fabric_name(m->a->url),
		   rc == -ENODEV ? "the last chip has left" : strerror(-rc));
	return TOOL_ENV;
}

int ctl_monitor(const struct ctl_args *a)
{
	struct monitor m = { .a = a };
	int code = tool_fabric_open(a->url, &m.f);

	if (code != TOOL_PASS)
		return code;
	code = monitor(&m);
	hsl_fabric_close(m.f);
	return code;
}
