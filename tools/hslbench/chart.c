// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Which pictures there are of a document: for each verb a few, and for each basis its own, so that none mixes measurements of the emulator with
 * what the model says. What was not run is in none.
 */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "bench.h"
#include "output.h"

static const char *const basis_text[][2] = {
	{ "emulator-wall", "emulator speed, not link speed" },
	{ "hardware", "hardware, wall clock" },
	{ "model-input", "modelled time, model-input: repeats the link profile" },
	{ "model-emergent", "modelled time, model-emergent: links, caches and homes of the model" },
};
#define NBASES	(sizeof(basis_text) / sizeof(basis_text[0]))

const char *bench_basis_text(const char *basis)
{
	for (size_t i = 0; i < NBASES; i++)
		if (!strcmp(basis, basis_text[i][0]))
			return basis_text[i][1];
	return basis;
}

struct charts {
	struct chart *c;
	unsigned int n;
};

static void *grown(void *p, unsigned int n, size_t size)
{
	p = reallocarray(p, n, size);
	if (!p) {
		tool_error("out of memory");
		exit(TOOL_ENV);
	}
	return p;
}

static struct chart *chart_new(struct charts *all, enum chart_kind kind, const char *verb, unsigned int basis, const char *title,
			       const char *xlabel, const char *ylabel)
{
	struct chart *c;

	all->c = grown(all->c, all->n + 1, sizeof(*all->c));
	c = &all->c[all->n++];
	memset(c, 0, sizeof(*c));
	c->kind = kind;
	c->verb = verb;
	snprintf(c->title, sizeof(c->title), "%s", title);
	snprintf(c->basis, sizeof(c->basis), "%s", basis_text[basis][1]);
	snprintf(c->xlabel, sizeof(c->xlabel), "%s", xlabel);
	snprintf(c->ylabel, sizeof(c->ylabel), "%s", ylabel);
	return c;
}

static void series_free(struct chart *c)
{
	for (unsigned int s = 0; s < c->nseries; s++) {
		free(c->series[s].x);
		free(c->series[s].y);
	}
	free(c->series);
	free(c->category);
}

/* One without a point is none. */
static void chart_keep(struct charts *all)
{
	struct chart *c = &all->c[all->n - 1];

	if (c->nseries)
		return;
	series_free(c);
	all->n--;
}

static double category(struct chart *c, const char *name)
{
	for (unsigned int i = 0; i < c->ncategories; i++)
		if (!strcmp(c->category[i], name))
			return i;
	c->category = grown(c->category, c->ncategories + 1, sizeof(*c->category));
	snprintf(c->category[c->ncategories], sizeof(*c->category), "%s", name);
	return c->ncategories++;
}

static void point(struct chart *c, const char *name, double x, double y)
{
	struct chart_series *s = NULL;

	if (!isfinite(x) || !isfinite(y) || (c->log_x && !(x > 0 && x <= 0x1p63)) || (c->log_y && y <= 0))
		return;
	for (unsigned int i = 0; i < c->nseries; i++)
		if (!strcmp(c->series[i].name, name))
			s = &c->series[i];
	if (!s) {
		c->series = grown(c->series, c->nseries + 1, sizeof(*c->series));
		s = &c->series[c->nseries++];
		memset(s, 0, sizeof(*s));
		snprintf(s->name, sizeof(s->name), "%s", name);
	}
	s->x = grown(s->x, s->n + 1, sizeof(*s->x));
	s->y = grown(s->y, s->n + 1, sizeof(*s->y));
	s->x[s->n] = x;
	s->y[s->n++] = y;
}

static const char *text(char *buf, size_t len, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static const char *text(char *buf, size_t len, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(buf, len, fmt, ap);
	va_end(ap);
	return buf;
}

struct of {				/* results of one verb and basis */
	struct json_object *list;
	const char *verb, *basis;
	const char *key;		/* NULL, or a number that all of them have, or lack */
	double value;			/* this one; NaN: they lack it */
	size_t next;
};

static struct json_object *next(struct of *o)
{
	while (o->next < json_object_array_length(o->list)) {
		struct json_object *r = json_object_array_get_idx(o->list, o->next++);
		double v = o->key ? bench_num(r, o->key) : NAN;

		if (!strcmp(bench_str(r, "verb"), o->verb) && !strcmp(bench_str(r, "basis"), o->basis) && !bench_get(r, "skipped") &&
		    (!o->key || v == o->value || (!isfinite(v) && !isfinite(o->value))))
			return r;
	}
	return NULL;
}

#define EACH(r, o)	(o)->next = 0; for (struct json_object *r; (r = next(o)); )

/* Are both of one operation and, unless it is asked for, variant? */
static bool alike(struct json_object *a, struct json_object *b, const char *key)
{
	return !strcmp(bench_str(a, "op"), bench_str(b, "op")) &&
	       (!strcmp(key, "variant") || !strcmp(bench_str(a, "variant"), bench_str(b, "variant")));
}

/* Are there results with more than one value of it? Among those like one, where none is a value as well; like NULL: among all. */
static bool several(const struct of *results, const char *key, struct json_object *like)
{
	struct json_object *first = NULL;
	struct of o = *results;

	EACH(r, &o) {
		if (like ? !alike(r, like, key) : !bench_get(r, key))
			continue;
		if (first && strcmp(bench_str(first, key), bench_str(r, key)))
			return true;
		first = first ? first : r;
	}
	return false;
}

static const char *size_of(struct json_object *r, char *buf)
{
	return tool_size_format(bench_size(bench_num(r, "size_bytes")), buf, TOOL_SIZE_LEN);
}

/* By size where there are several, else a bar for each operation. */
static void by_size(struct charts *all, struct of *o, unsigned int basis, const char *title, const char *key, double scale,
		    const char *ylabel, bool log_y)
{
	bool lines = several(o, "size_bytes", NULL);
	struct chart *c = chart_new(all, lines ? CHART_LINES : CHART_BARS, o->verb, basis, title, lines ? "size" : "", ylabel);

	c->log_x = c->sizes = lines;
	c->log_y = log_y;
	EACH(r, o) {
		double y = (!strcmp(key, "p50") ? bench_num(bench_get(r, "latency_ns"), key) : bench_num(r, key)) / scale;
		char size[TOOL_SIZE_LEN];

		if (lines)
			point(c, bench_str(r, "op"), bench_num(r, "size_bytes"), y);
		else
			point(c, size_of(r, size), category(c, bench_str(r, "op")), y);
	}
	chart_keep(all);
}

/* Lines go from left to right, in whatever order documents were named. */
static void series_order(struct chart_series *s)
{
	for (unsigned int i = 1; i < s->n; i++)
		for (unsigned int k = i; k && s->x[k] < s->x[k - 1]; k--) {
			double x = s->x[k], y = s->y[k];

			s->x[k] = s->x[k - 1];
			s->y[k] = s->y[k - 1];
			s->x[k - 1] = x;
			s->y[k - 1] = y;
		}
}

/* An operation and what tells it from others of that name: a line that goes with key is of one measurement. */
static const char *line_name(const struct of *o, struct json_object *r, const char *key, char *buf, size_t len)
{
	static const struct { const char *key, *before, *after; } apart[] = {
		{ "variant", " ", "" }, { "size_bytes", " ", "" }, { "wait", " ", "" }, { "src", ", ", "" }, { "dst", " to ", "" },
		{ "home", ", home ", "" }, { "observable", ", observable ", "" }, { "pattern", ", ", "" }, { "bidirectional", ", both ways ", "" },
		{ "queues", ", ", " queues" }, { "threads", ", ", " threads" }, { "procs", ", ", " processes" },
		{ "depth", ", ", " in flight" }, { "batch", ", ", " a doorbell" }, { "rate_per_s", ", ", "/s due" },
		{ "offset_bytes", ", offset ", "" }, { "stride_bytes", ", stride ", "" }, { "page_bytes", ", pages of ", "" }, { "numa_node", ", node ", "" },
	};
	FILE *out = fmemopen(buf, len - 1, "w");
	char size[TOOL_SIZE_LEN];

	/* one that is too long is cut, and has an end */
	memset(buf, 0, len);
	if (!out)
		return buf;
	fputs(bench_str(r, "op"), out);
	for (size_t i = 0; i < sizeof(apart) / sizeof(apart[0]); i++)
		if (bench_get(r, apart[i].key) && strcmp(apart[i].key, key) && several(o, apart[i].key, r))
			fprintf(out, "%s%s%s", apart[i].before, strcmp(apart[i].key, "size_bytes") ? bench_str(r, apart[i].key) : size_of(r, size),
				apart[i].after);
	fclose(out);
	return buf;
}

/* By chips or queues: what each operation comes to, in a picture for each unit. */
static void by_count(struct charts *all, struct of *o, unsigned int basis, const char *key, const char *title, const char *xlabel)
{
	static const struct { const char *unit, *label; } units[] = { { "GB/s", "GB/s" }, { "us", "p50, us" }, { "Mop/s", "Mop/s" } };

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		struct chart *c = chart_new(all, CHART_LINES, o->verb, basis, title, xlabel, units[i].label);
		char name[128];

		c->log_x = true;
		EACH(r, o) {
			const struct bench_figure *f = bench_figure(r);

			if (!strcmp(f->unit, units[i].unit))
				point(c, line_name(o, r, key, name, sizeof(name)), bench_num(r, key), f->of(r));
		}
		for (unsigned int k = 0; k < c->nseries; k++)
			series_order(&c->series[k]);
		chart_keep(all);
	}
}

/* From the minimum to the maximum: the tail is what matters. */
static void percentiles(struct charts *all, struct of *o, unsigned int basis, const char *title)
{
	static const char *const keys[] = { "min", "p50", "p90", "p95", "p99", "p99_9", "max" };
	static const char *const names[] = { "min", "p50", "p90", "p95", "p99", "p99.9", "max" };
	struct chart *c = chart_new(all, CHART_LINES, o->verb, basis, title, "percentile", "us");
	char buf[96], size[TOOL_SIZE_LEN];

	c->log_y = true;
	for (unsigned int i = 0; i < 7; i++)
		category(c, names[i]);
	EACH(r, o) {
		bool sized = bench_num(r, "size_bytes") > 0;

		text(buf, sizeof(buf), "%s%s%s, %s", bench_str(r, "op"), sized ? " " : "", sized ? size_of(r, size) : "",
		     bench_get(r, "baseline") && json_object_get_boolean(bench_get(r, "baseline")) ? "threads" : bench_str(r, "wait"));
		for (unsigned int i = 0; i < 7; i++)
			point(c, buf, i, bench_num(bench_get(r, "latency_ns"), keys[i]) / 1e3);
	}
	chart_keep(all);
}

static void of_rate(struct charts *all, struct of *o, unsigned int basis)
{
	struct chart *c = chart_new(all, CHART_LINES, o->verb, basis, "Commands per second", "commands per doorbell", "Mop/s");
	char buf[64];

	c->log_x = true;
	EACH(r, o)
		point(c, text(buf, sizeof(buf), "%s, %.0f in flight", bench_str(r, "op"), bench_num(r, "depth")), bench_num(r, "batch"),
		      bench_num(r, "ops_per_s") / 1e6);
	chart_keep(all);
}

static void of_matrix(struct charts *all, struct of *o, unsigned int basis, bool load)
{
	char title[64];
	struct chart *c = chart_new(all, CHART_HEAT, o->verb, basis,
				    text(title, sizeof(title), isfinite(o->value) ? "%s, %.0f chips" : "%s",
					 load ? "LOAD, round trip, p50, us" : "COPY, GB/s", o->value), "to", "from");

	EACH(r, o) {
		const char *src = bench_str(r, "src") + strcspn(bench_str(r, "src"), "0123456789");
		const char *dst = bench_str(r, "dst") + strcspn(bench_str(r, "dst"), "0123456789");

		if (strcmp(bench_str(r, "op"), load ? "load" : "copy"))
			continue;
		point(c, src, category(c, dst), load ? bench_num(bench_get(r, "latency_ns"), "p50") / 1e3 :
		      bench_num(r, "bytes_per_s") / 1e9);
	}
	chart_keep(all);
}

/* What links add, in one picture: latency by what they carried. */
static void of_links(struct charts *all, struct of *o, unsigned int basis)
{
	struct chart *c = chart_new(all, CHART_LINES, o->verb, basis, "A read while others cross the same links", "GB/s moved meanwhile", "ns");
	static const char *const keys[] = { "p50", "mean", "p99" };

	EACH(r, o)
		for (unsigned int i = 0; !strcmp(bench_str(r, "op"), "link") && i < 3; i++)
			point(c, keys[i], bench_num(r, "injected_bytes_per_s") / 1e9, bench_num(bench_get(r, "latency_ns"), keys[i]));
	chart_keep(all);
}

static void of_load(struct charts *all, struct of *o, unsigned int basis)
{
	struct chart *c = chart_new(all, CHART_BARS, o->verb, basis, "Loads and stores of the CPU", "", "GB/s");
	char buf[64], size[TOOL_SIZE_LEN];

	EACH(r, o)
		point(c, text(buf, sizeof(buf), "%s, %s", strcmp(bench_str(r, "src"), "host") ? bench_str(r, "src") : "RAM", size_of(r, size)),
		      isfinite(bench_num(r, "bytes_per_s")) ? category(c, text(buf + 48, 16, "%s %s", bench_str(r, "op"), bench_str(r, "variant"))) : NAN,
		      bench_num(r, "bytes_per_s") / 1e9);
	chart_keep(all);
	c = chart_new(all, CHART_BARS, o->verb, basis, "Pointer chase: a load that waits for the one before", "", "ns");
	EACH(r, o)
		if (!strcmp(bench_str(r, "op"), "chase"))
			point(c, size_of(r, size), category(c, strcmp(bench_str(r, "src"), "host") ? bench_str(r, "src") : "RAM"),
			      1e9 / bench_num(r, "ops_per_s"));
	chart_keep(all);
	of_links(all, o, basis);
	c = chart_new(all, CHART_LINES, o->verb, basis, "Loaded latency: chase while the chip copies", "GB/s moved meanwhile", "ns a load");
	EACH(r, o)
		if (!strcmp(bench_str(r, "op"), "loaded"))
			point(c, size_of(r, size), bench_num(r, "injected_bytes_per_s") / 1e9, 1e9 / bench_num(r, "ops_per_s"));
	chart_keep(all);
}

static void of_atomic(struct charts *all, struct of *o, unsigned int basis)
{
	struct chart *c = chart_new(all, CHART_BARS, o->verb, basis, "Atomics on 8 bytes", "", "Mop/s");
	char buf[96];

	EACH(r, o)
		if (*bench_str(r, "variant"))
			point(c, text(buf, sizeof(buf), "%s, %s -> %s", bench_str(r, "op"), bench_str(r, "src"), bench_str(r, "dst")),
			      category(c, bench_str(r, "variant")), bench_num(r, "ops_per_s") / 1e6);
	chart_keep(all);
}

static void of_coherence(struct charts *all, struct of *o, unsigned int basis)
{
	struct chart *c = chart_new(all, CHART_BARS, o->verb, basis, "One access of a line, by its state and home", "", "p50, ns");
	char buf[96], name[96];

	EACH(r, o)
		if (*bench_str(r, "home") && strcmp(bench_str(r, "op"), "share"))
			point(c, text(buf, sizeof(buf), "home %s", bench_str(r, "home")),
			      category(c, text(name, sizeof(name), "%s %s", bench_str(r, "op"), bench_str(r, "variant"))),
			      bench_num(bench_get(r, "latency_ns"), "p50"));
	chart_keep(all);
}

/* The pictures of a verb by itself. */
static void of_verb(struct charts *all, struct of *o, unsigned int basis)
{
	const char *verb = o->verb;

	if (!strcmp(verb, "bw") || !strcmp(verb, "baseline"))
		by_size(all, o, basis, "Bandwidth", "bytes_per_s", 1e9, "GB/s", false);
	else if (!strcmp(verb, "lat"))
		percentiles(all, o, basis, "Latency, submit to completion");
	else if (!strcmp(verb, "rate"))
		of_rate(all, o, basis);
	else if (!strcmp(verb, "load"))
		of_load(all, o, basis);
	else if (!strcmp(verb, "atomic"))
		of_atomic(all, o, basis);
	else if (!strcmp(verb, "mem"))
		by_size(all, o, basis, "Getting memory and giving it back, p50", "p50", 1e3, "us", true);
	else if (!strcmp(verb, "wake"))
		percentiles(all, o, basis, "Waking, from submit or write until the waiter runs");
	else if (!strcmp(verb, "collective"))
		by_size(all, o, basis, "Collectives, bus bandwidth", "bus_bytes_per_s", 1e9, "GB/s", false);
	else if (!strcmp(verb, "coherence"))
		of_coherence(all, o, basis);
	else if (!strcmp(verb, "matrix")) {
		of_matrix(all, o, basis, false);
		of_matrix(all, o, basis, true);
	}
}

/* A matrix is of one fabric: the next larger one. */
static double more_chips(const struct of *results, double than)
{
	struct of o = *results;
	double least = INFINITY;

	EACH(r, &o)
		if (bench_num(r, "chips") > than)
			least = fmin(least, bench_num(r, "chips"));
	return least;
}

/* Several documents, or queues: that is what the picture is about, and what has no such number has its own. */
static void of_results(struct charts *all, struct of *o, unsigned int basis)
{
	bool chips = several(o, "chips", NULL);
	const char *key = chips ? "chips" : several(o, "queues", NULL) ? "queues" : NULL;
	char title[64];

	for (double n = more_chips(o, 0); chips && !strcmp(o->verb, "matrix") && isfinite(n); n = more_chips(o, n)) {
		struct of one = { o->list, o->verb, o->basis, "chips", n, 0 };

		of_verb(all, &one, basis);
	}
	if (key && strcmp(o->verb, "matrix"))
		by_count(all, o, basis, key, text(title, sizeof(title), chips ? "%s, by chips of the fabric" : "%s, by queues at work at once", o->verb),
			 chips ? "chips" : "queues of each pair of chips");
	o->key = key;
	of_verb(all, o, basis);
}

struct chart *bench_charts(struct json_object *doc, unsigned int *n)
{
	static const char *const verbs[] = {
		"bw", "lat", "rate", "matrix", "load", "atomic", "mem", "wake", "collective", "coherence", "baseline",
	};
	struct charts all = { 0 };

	for (size_t v = 0; v < sizeof(verbs) / sizeof(verbs[0]); v++)
		for (unsigned int basis = 0; basis < NBASES; basis++) {
			struct of o = { bench_get(doc, "results"), verbs[v], basis_text[basis][0], NULL, NAN, 0 };

			if (next(&o))
				of_results(&all, &o, basis);
		}
	*n = all.n;
	return all.c;
}

void bench_charts_free(struct chart *c, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		series_free(&c[i]);
	free(c);
}
