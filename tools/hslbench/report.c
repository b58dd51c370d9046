// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Results as tables and as JSON (schema hslbench/1). One table per verb; all rows of a run have the same basis.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "bench.h"
#include "json.h"
#include "table.h"

void bench_result_init(struct bench_result *r, const char *verb, const char *op)
{
	memset(r, 0, sizeof(*r));
	r->verb = verb;
	r->op = op;
	r->hops = -1;
	r->injected_per_s = r->fairness = NAN;
	r->bytes_per_s = r->bytes_per_s_min = r->bytes_per_s_max = r->bus_bytes_per_s = r->offered_per_s = NAN;
	r->ops_per_s = r->ci95 = r->ratio = r->host_bytes_per_s = NAN;
	r->per_s = r->flow_ops_per_s_min = r->flow_bytes_per_s_min = NAN;
	r->numa = -1;
}

void bench_result_of(const struct bench *b, struct bench_result *r)
{
	r->observable |= b->config->observable;
	r->ci_wanted = b->config->ci;
	r->offset = b->config->offset;
	r->stride = b->config->stride;
	r->page_bytes = b->config->huge ? bench_huge_bytes() : 0;
	r->numa = b->config->numa;
}

struct bench_result *bench_result_add(struct bench *b, const char *verb, const char *op)
{
	struct bench_result *r;

	b->result = reallocarray(b->result, b->nresults + 1, sizeof(*b->result));
	if (!b->result) {
		tool_error("out of memory");
		exit(TOOL_ENV);
	}
	r = &b->result[b->nresults++];
	bench_result_init(r, verb, op);
	bench_result_of(b, r);
	return r;
}

void bench_results_order(struct bench *b, unsigned int first, const uint64_t *size, unsigned int n)
{
	unsigned int count = b->nresults - first, out = 0;
	struct bench_result *copy = tool_calloc(count + 1, sizeof(*copy));

	for (unsigned int k = 0; k < n; k++) {
		bool again = false;

		for (unsigned int j = 0; j < k; j++)
			again |= size[j] == size[k];
		for (unsigned int i = 0; !again && i < count; i++)
			if (b->result[first + i].size_bytes == size[k])
				copy[out++] = b->result[first + i];
	}
	memcpy(b->result + first, copy, out * sizeof(*copy));
	free(copy);
}

void bench_ratios(struct bench *b, unsigned int first)
{
	for (unsigned int i = first; i < b->nresults; i++) {
		struct bench_result *r = &b->result[i];

		for (unsigned int k = first; r->ratio_to && k < b->nresults; k++) {
			const struct bench_result *o = &b->result[k];

			if (strcmp(o->op, r->ratio_to) || o->reason[0] || r->reason[0])
				continue;
			r->ratio = r->latency.count && o->latency.count ?
				(double)r->latency.p50 / (double)o->latency.p50 : r->ops_per_s / o->ops_per_s;
		}
	}
}

bool bench_list_has(const char *list, const char *op)
{
	size_t n = strlen(op);

	for (const char *p = list; p; p = strchr(p, ',')) {
		p += *p == ',';
		if (!strncmp(p, op, n) && (p[n] == ',' || !p[n]))
			return true;
	}
	return false;
}

/* ---- tables ---- */

/* What a row of commands stands for. */
const char *bench_how_fast(const struct bench *b)
{
	if (b->config->hardware)
		return "hardware, wall clock";
	if (!bench_modelled(b))
		return "emulator speed, not link speed";
	return b->config->observable ? "modelled time, model-emergent (links, caches and homes of the model)" :
	       "modelled time, model-input (the command time of HEP section 9)";
}

void bench_print_header(const struct bench *b)
{
	char model[128];
	struct utsname u;

	bench_cpu_model(model, sizeof(model));
	if (uname(&u))
		strcpy(u.release, "unknown");
	printf("hslbench %s  fabric %s (%s), %u chip%s\n", hsl_version(),
	       tool_fabric_name(b->config->url), b->info.backend,
	       b->info.nchips, b->info.nchips == 1 ? "" : "s");
	printf("%ld x %s, Linux %s, %s\n", sysconf(_SC_NPROCESSORS_ONLN), model, u.release,
	       bench_modelled(b) ? "modelled clock" : "wall clock");
	if (bench_stands_still(b))
		printf("What software takes is nothing: the clock stands still while this program works.\n");
	else if (bench_modelled(b))
		printf("What software takes is fiction: 1 ns an instruction; so are rows of the CPU alone.\n");
}

void bench_cell_number(struct tool_table *t, const char *fmt, double v)
{
	char buf[32];

	if (isfinite(v))
		snprintf(buf, sizeof(buf), fmt, v);
	tool_table_cell(t, isfinite(v) ? "%s" : NULL, buf);
}

void bench_cell_check(struct tool_table *t, const struct bench_result *r)
{
	if (r->errors)
		tool_table_cell(t, "FAILED %llu", (unsigned long long)r->errors);
	else
		tool_table_cell(t, "%s", r->verified ? "ok" : "-");
}

void bench_cell_count(struct tool_table *t, double v)
{
	char buf[16];

	tool_table_cell(t, "%s", tool_count_format(v, buf, sizeof(buf)));
}

void bench_cell_path(struct tool_table *t, const struct bench_result *r)
{
	if (!strcmp(r->src, r->dst))
		tool_table_cell(t, "%s", r->src);
	else
		tool_table_cell(t, "%s -> %s", r->src, r->dst);
}

static const struct bench_result *baseline_of(const struct bench *b, const struct bench_result *r)
{
	for (unsigned int i = 0; r->ratio_to && i < b->nresults; i++) {
		const struct bench_result *o = &b->result[i];

		if (!strcmp(o->verb, r->verb) && !strcmp(o->op, r->ratio_to) &&
		    o->size_bytes == r->size_bytes)
			return o;
	}
	return NULL;
}

/* ---- many queues ---- */

/* Which of them a table has. */
struct axes {
	bool flows, paced;
};

static struct axes axes_of(const struct bench *b, const char *verb)
{
	struct axes a = { 0 };

	for (unsigned int i = 0; i < b->nresults; i++) {
		const struct bench_result *r = &b->result[i];

		if (strcmp(r->verb, verb))
			continue;
		a.flows |= r->flows != 0;
		a.paced |= isfinite(r->per_s);
	}
	return a;
}

static void axes_columns(struct tool_table *t, const struct axes *a, const char *unit)
{
	if (a->flows) {
		tool_table_column(t, "queues", NULL, TOOL_RIGHT);
		tool_table_column(t, "slowest queue", unit, TOOL_RIGHT);
		tool_table_column(t, "fair", NULL, TOOL_RIGHT);
	}
	if (a->paced) {
		tool_table_column(t, "p50", "us", TOOL_RIGHT);
		tool_table_column(t, "p99", "us", TOOL_RIGHT);
		tool_table_column(t, "max", "us", TOOL_RIGHT);
	}
}

static void axes_cells(struct tool_table *t, const struct axes *a, const struct bench_result *r, bool bytes)
{
	const struct tool_summary *l = &r->latency;

	if (a->flows) {
		tool_table_cell(t, r->flows ? "%u" : NULL, r->flows);
		if (bytes)
			bench_cell_number(t, "%.2f", r->flow_bytes_per_s_min / 1e9);
		else if (r->flows)
			bench_cell_count(t, r->flow_ops_per_s_min);
		else
			tool_table_cell(t, NULL);
		bench_cell_number(t, "%.3f", r->flows ? r->fairness : NAN);
	}
	if (a->paced) {
		bench_cell_number(t, "%.2f", l->count ? (double)l->p50 / 1e3 : NAN);
		bench_cell_number(t, "%.2f", l->count ? (double)l->p99 / 1e3 : NAN);
		bench_cell_number(t, "%.2f", l->count ? (double)l->max / 1e3 : NAN);
	}
}

/* "all-to-one, both ways, 4 queues a pair, 2 threads, ...": the end of a title; free() it. */
static char *axes_title(const struct bench *b, const char *what)
{
	const struct bench_config *c = b->config;
	char *text = NULL, size[TOOL_SIZE_LEN];
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	if (!out) {
		tool_error("out of memory");
		exit(TOOL_ENV);
	}
	fprintf(out, "\n%s", what);
	if (c->pattern)
		fprintf(out, ", %s", bench_pattern_name(c->pattern));
	if (c->bidir)
		fputs(", both ways", out);
	if (c->nqueues == 1)
		fprintf(out, ", %llu queue%s a pair", (unsigned long long)c->queues[0], c->queues[0] == 1 ? "" : "s");
	if (c->threads)
		fprintf(out, ", %u thread%s", c->threads, c->threads == 1 ? "" : "s");
	if (c->procs)
		fprintf(out, c->threads ? " in each of %u process%s" : ", %u process%s", c->procs, c->procs == 1 ? "" : "es");
	if (c->per_s > 0)
		fprintf(out, ", %.6g/s due of each queue", c->per_s);
	if (c->wait)
		fputs(c->wait == BENCH_EVENT ? ", waiting for events" : ", polling", out);
	if (c->offset)
		fprintf(out, ", offset %llu", (unsigned long long)c->offset);
	if (c->stride)
		fprintf(out, ", stride %s", tool_size_format(c->stride, size, sizeof(size)));
	if (c->huge)
		fprintf(out, ", pages of %s", tool_size_format(bench_huge_bytes(), size, sizeof(size)));
	if (c->numa >= 0)
		fprintf(out, ", NUMA node %d", c->numa);
	fprintf(out, ": %s", bench_how_fast(b));
	fclose(out);
	return text;
}

static void axes_notes(struct tool_table *t, const struct bench *b, const struct axes *a)
{
	if (a->flows)
		tool_table_note(t, "queues: of all pairs together, from one start to the last completion of the last.  fair: Jain's index, 1: all got the same.");
	if (a->flows && bench_stands_still(b) && !b->config->observable)
		tool_table_note(t, "model-input: streams that share a link, a memory or a host port take turns there (HEP section 9).");
	if (a->flows && bench_stands_still(b) && b->config->observable)
		tool_table_note(t, "Accesses of different commands are not in the model's links at once: load --op link shows what contention does.");
	if (a->paced)
		tool_table_note(t, "p50, p99, max: from when a command was due, submitted in time or not, until it had completed.");
}

static void bw_row(struct tool_table *t, const struct bench *b, const struct bench_result *r,
		   bool host, const struct axes *axes)
{
	const struct bench_result *base = baseline_of(b, r);
	char buf[TOOL_SIZE_LEN];

	tool_table_row(t);
	tool_table_cell(t, "%s", r->op);
	bench_cell_path(t, r);
	tool_table_cell(t, "%s", tool_size_format(r->size_bytes, buf, sizeof(buf)));
	if (r->reason[0]) {
		tool_table_text(t, "not run: %s", r->reason);
		return;
	}
	bench_cell_number(t, "%.2f", r->bytes_per_s / 1e9);
	bench_cell_number(t, "%.2f", r->bytes_per_s_min / 1e9);
	bench_cell_count(t, r->ops_per_s);
	axes_cells(t, axes, r, true);
	tool_table_cell(t, base ? "%s" : NULL, r->ratio_to);
	bench_cell_number(t, "%.2f", base ? base->bytes_per_s / 1e9 : NAN);
	bench_cell_number(t, "%.2f", r->ratio);
	if (host)
		bench_cell_number(t, "%.2f", r->bytes_per_s / r->host_bytes_per_s);
	bench_cell_check(t, r);
}

/* A baseline that was only run for others is in their rows. */
static bool bw_shown(const struct bench *b, const struct bench_result *r)
{
	return !strcmp(r->verb, "bw") && (!r->baseline || (b->config->ops &&
							   bench_list_has(b->config->ops, r->op)));
}

static void print_bw(const struct bench *b)
{
	char *title = axes_title(b, "Bandwidth");
	struct axes axes = axes_of(b, "bw");
	struct tool_table *t = tool_table_new(title);
	const struct bench_result *last = NULL, *command = NULL;
	bool host = false;

	for (unsigned int i = 0; i < b->nresults; i++) {
		host |= isfinite(b->result[i].host_bytes_per_s);
		if (!strcmp(b->result[i].verb, "bw") && (!command ||
							 b->result[i].depth > command->depth))
			command = &b->result[i];
	}
	tool_table_column(t, "op", NULL, TOOL_LEFT);
	tool_table_column(t, "path", NULL, TOOL_LEFT);
	tool_table_column(t, "size", NULL, TOOL_RIGHT);
	tool_table_column(t, "speed", "GB/s", TOOL_RIGHT);
	tool_table_column(t, "slowest", "GB/s", TOOL_RIGHT);
	tool_table_column(t, "rate", "op/s", TOOL_RIGHT);
	axes_columns(t, &axes, "GB/s");
	tool_table_column(t, "baseline", NULL, TOOL_LEFT);
	tool_table_column(t, "speed", "GB/s", TOOL_RIGHT);
	tool_table_column(t, "ratio", NULL, TOOL_RIGHT);
	if (host)
		tool_table_column(t, "ratio to", "host memcpy", TOOL_RIGHT);
	tool_table_column(t, "check", NULL, TOOL_LEFT);
	for (unsigned int i = 0; i < b->nresults; i++) {
		const struct bench_result *r = &b->result[i];

		if (!bw_shown(b, r))
			continue;
		/* a group for each size, if it has more than one row */
		if (last && last->size_bytes != r->size_bytes && strcmp(last->op, r->op))
			tool_table_blank(t);
		last = r;
		bw_row(t, b, r, host, &axes);
	}
	tool_table_note(t,
			"baseline: one thread on RAM, same size, same run.  slowest: the slowest window (--window).");
	if (host)
		tool_table_note(t, "host memcpy: of the machine below this VM, whose CPU is not emulated.");
	if (command && command->depth)
		tool_table_note(t,
				"commands: %u in flight, %u per doorbell.  check: destination compared byte by byte.",
				command->depth, command->batch);
	axes_notes(t, b, &axes);
	tool_table_print(t, stdout);
	tool_table_free(t);
	free(title);
}

static void print_lat(const struct bench *b)
{
	static const char *const names[] = { "min", "p50", "p90", "p99", "p99.9", "max", "mean" };
	char *title = axes_title(b, "Latency, submit to completion, one at a time");
	struct tool_table *t = tool_table_new(title);
	char buf[TOOL_SIZE_LEN];
	bool threads = false;

	tool_table_column(t, "op", NULL, TOOL_LEFT);
	tool_table_column(t, "path", NULL, TOOL_LEFT);
	tool_table_column(t, "size", NULL, TOOL_RIGHT);
	tool_table_column(t, "wait", NULL, TOOL_LEFT);
	for (unsigned int i = 0; i < 7; i++)
		tool_table_column(t, names[i], "us", TOOL_RIGHT);
	tool_table_column(t, "p50 /", "ping-pong", TOOL_RIGHT);
	tool_table_column(t, "check", NULL, TOOL_LEFT);
	for (unsigned int i = 0; i < b->nresults; i++) {
		const struct bench_result *r = &b->result[i];
		const struct tool_summary *l = &r->latency;
		const uint64_t v[] = { l->min, l->p50, l->p90, l->p99, l->p99_9, l->max };

		if (strcmp(r->verb, "lat"))
			continue;
		threads |= r->baseline;
		tool_table_row(t);
		tool_table_cell(t, "%s", r->op);
		bench_cell_path(t, r);
		tool_table_cell(t, r->size_bytes ? "%s" : NULL,
				tool_size_format(r->size_bytes, buf, sizeof(buf)));
		tool_table_cell(t, "%s", r->wake);
		if (r->reason[0]) {
			tool_table_text(t, "not run: %s", r->reason);
			continue;
		}
		for (unsigned int k = 0; k < 6; k++)
			bench_cell_number(t, "%.2f", l->count ? (double)v[k] / 1e3 : NAN);
		bench_cell_number(t, "%.2f", l->count ? l->mean / 1e3 : NAN);
		bench_cell_number(t, "%.1f", r->ratio);
		bench_cell_check(t, r);
	}
	if (threads)
		tool_table_note(t,
			"ping-pong: two threads of this program bounce a cache line; a round trip without any device.");
	if (threads)
		tool_table_note(t, "eventfd: one thread writes it until another one, asleep in epoll_wait, runs.");
	tool_table_print(t, stdout);
	tool_table_free(t);
	free(title);
}

static void print_rate(const struct bench *b)
{
	char *title = axes_title(b, "Rate of commands");
	struct axes axes = axes_of(b, "rate");
	struct tool_table *t = tool_table_new(title);
	char buf[TOOL_SIZE_LEN];

	tool_table_column(t, "op", NULL, TOOL_LEFT);
	tool_table_column(t, "path", NULL, TOOL_LEFT);
	tool_table_column(t, "size", NULL, TOOL_RIGHT);
	tool_table_column(t, "in flight", NULL, TOOL_RIGHT);
	tool_table_column(t, "per doorbell", NULL, TOOL_RIGHT);
	tool_table_column(t, "rate", "op/s", TOOL_RIGHT);
	tool_table_column(t, "time", "ns/op", TOOL_RIGHT);
	axes_columns(t, &axes, "op/s");
	tool_table_column(t, "check", NULL, TOOL_LEFT);
	for (unsigned int i = 0; i < b->nresults; i++) {
		const struct bench_result *r = &b->result[i];

		if (strcmp(r->verb, "rate"))
			continue;
		tool_table_row(t);
		tool_table_cell(t, "%s", r->op);
		bench_cell_path(t, r);
		tool_table_cell(t, r->size_bytes ? "%s" : NULL,
				tool_size_format(r->size_bytes, buf, sizeof(buf)));
		tool_table_cell(t, "%u", r->depth);
		tool_table_cell(t, "%u", r->batch);
		if (r->reason[0]) {
			tool_table_text(t, "not run: %s", r->reason);
			continue;
		}
		bench_cell_count(t, r->ops_per_s);
		bench_cell_number(t, "%.0f", 1e9 / r->ops_per_s);
		axes_cells(t, &axes, r, false);
		bench_cell_check(t, r);
	}
	axes_notes(t, b, &axes);
	tool_table_print(t, stdout);
	tool_table_free(t);
	free(title);
}

/* How many there are; *reason: why none of them was run, if it is one and the same. */
static unsigned int rows_of(const struct bench *b, const char *verb, const char **reason)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < b->nresults; i++) {
		const struct bench_result *r = &b->result[i];

		if (strcmp(r->verb, verb))
			continue;
		if (!n++)
			*reason = r->reason[0] ? r->reason : NULL;
		else if (*reason && strcmp(*reason, r->reason))
			*reason = NULL;
	}
	return n;
}

/* Why there were so few rounds. */
static void print_settled(const struct bench *b)
{
	unsigned int settled = 0, of = 0;

	for (unsigned int i = 0; i < b->nresults; i++) {
		settled += b->result[i].settled;
		of += b->result[i].rounds > 0;
	}
	if (settled)
		printf("\n%u of %u results are deterministic: a round repeated the one before to the nanosecond, and was the last.\n", settled, of);
}

void bench_print_tables(const struct bench *b)
{
	static const struct { const char *verb; void (*print)(const struct bench *b); } verbs[] = {
		{ "bw", print_bw }, { "lat", print_lat }, { "rate", print_rate }, { "matrix", bench_print_matrix },
		{ "load", bench_print_load }, { "atomic", bench_print_atomic }, { "mem", bench_print_mem }, { "wake", bench_print_wake },
		{ "collective", bench_print_collective }, { "coherence", bench_print_coherence },
	};

	for (size_t v = 0; v < sizeof(verbs) / sizeof(verbs[0]); v++) {
		const char *reason = NULL;
		unsigned int n = rows_of(b, verbs[v].verb, &reason);

		if (n > 1 && reason)
			printf("\n%s: not run: %s\n", verbs[v].verb, reason);
		else if (n)
			verbs[v].print(b);
	}
	print_settled(b);
}

/* ---- JSON ---- */

static void latency_json(struct json_object *o, const struct tool_summary *l)
{
	struct json_object *d = tool_json_set(o, "latency_ns", tool_json_object());

	if (!l->count) {
		static const char *const keys[] = { "min", "p50", "p90", "p95", "p99", "p99_9", "max", "mean", "stdev", "cv" };

		for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
			tool_json_null(d, keys[i]);
		return;
	}
	tool_json_u64(d, "min", l->min);
	tool_json_u64(d, "p50", l->p50);
	tool_json_u64(d, "p90", l->p90);
	tool_json_u64(d, "p95", l->p95);
	tool_json_u64(d, "p99", l->p99);
	tool_json_u64(d, "p99_9", l->p99_9);
	tool_json_u64(d, "max", l->max);
	/* a hundredth of a nanosecond is more than any clock knows */
	tool_json_double(d, "mean", round(l->mean * 100) / 100);
	tool_json_double(d, "stdev", round(l->stdev * 100) / 100);
	tool_json_double(d, "cv", l->mean > 0 ? round(l->stdev / l->mean * 1e4) / 1e4 : NAN);
}

static void number_or_null(struct json_object *o, const char *key, uint64_t v)
{
	if (v)
		tool_json_u64(o, key, v);
	else
		tool_json_null(o, key);
}

/* Links between two chips, where both ends are chips. */
static int hops_of(const struct bench *b, const struct bench_result *r)
{
	struct hsl_path_props path = { .size = sizeof(path) };
	unsigned int src, dst;

	if (r->hops >= 0 || !b->f || sscanf(r->src, "chip %u", &src) != 1 || sscanf(r->dst, "chip %u", &dst) != 1)
		return r->hops;
	return hsl_topology_path(b->f, src, dst, &path) ? -1 : (int)path.hops;
}

static void result_json(struct json_object *list, const struct bench *b,
			const struct bench_result *r)
{
	struct json_object *o = tool_json_append(list, tool_json_object());
	bool run = !r->reason[0];

	tool_json_str(o, "verb", r->verb);
	tool_json_str(o, "op", r->op);
	tool_json_str(o, "src", r->src);
	tool_json_str(o, "dst", r->dst);
	tool_json_u64(o, "size_bytes", r->size_bytes);
	number_or_null(o, "depth", r->depth);
	number_or_null(o, "batch", r->batch);
	tool_json_double(o, "bytes_per_s", round(r->bytes_per_s));
	tool_json_double(o, "ops_per_s", round(r->ops_per_s * 100) / 100);
	latency_json(o, &r->latency);
	tool_json_str(o, "clock", bench_modelled(b) ? "modelled" : "wall");
	tool_json_str(o, "basis", bench_basis(b, r));
	tool_json_u64(o, "errors", r->errors);
	if (run)
		tool_json_bool(o, "verified", r->verified);
	else
		tool_json_null(o, "verified");
	/* additions to the schema's required fields */
	tool_json_str(o, "wait", r->wake);
	number_or_null(o, "operations", r->ops);
	number_or_null(o, "duration_ns", r->duration_ns);
	tool_json_double(o, "bytes_per_s_min", round(r->bytes_per_s_min));
	tool_json_double(o, "bytes_per_s_max", round(r->bytes_per_s_max));
	tool_json_str(o, "variant", r->variant[0] ? r->variant : NULL);
	tool_json_str(o, "home", r->home[0] ? r->home : NULL);
	tool_json_bool(o, "observable", bench_observable(b, r));
	number_or_null(o, "participants", r->participants);
	if (hops_of(b, r) >= 0)
		tool_json_i64(o, "hops", hops_of(b, r));
	else
		tool_json_null(o, "hops");
	tool_json_double(o, "offered_bytes_per_s", round(r->offered_per_s));
	tool_json_double(o, "injected_bytes_per_s", round(r->injected_per_s));
	tool_json_double(o, "bus_bytes_per_s", round(r->bus_bytes_per_s));
	tool_json_double(o, "fairness", round(r->fairness * 1e4) / 1e4);
	number_or_null(o, "rounds", r->rounds);
	tool_json_double(o, "ci95", round(r->ci95 * 1e4) / 1e4);
	if (run && isfinite(r->ci95) && r->ci_wanted > 0)
		tool_json_bool(o, "converged", r->settled || r->ci95 <= r->ci_wanted);
	else
		tool_json_null(o, "converged");
	if (run && bench_modelled(b) && r->rounds)
		tool_json_bool(o, "deterministic", r->settled);
	else
		tool_json_null(o, "deterministic");
	tool_json_bool(o, "baseline", r->baseline);
	number_or_null(o, "queues", r->queues);
	number_or_null(o, "threads", r->threads);
	number_or_null(o, "procs", r->procs);
	number_or_null(o, "flows", r->flows);
	tool_json_str(o, "pattern", r->pattern);
	tool_json_bool(o, "bidirectional", r->bidir);
	number_or_null(o, "offset_bytes", r->offset);
	number_or_null(o, "stride_bytes", r->stride);
	number_or_null(o, "page_bytes", r->page_bytes);
	if (r->numa >= 0)
		tool_json_i64(o, "numa_node", r->numa);
	else
		tool_json_null(o, "numa_node");
	tool_json_double(o, "rate_per_s", r->per_s);
	tool_json_double(o, "flow_bytes_per_s_min", round(r->flow_bytes_per_s_min));
	tool_json_double(o, "flow_ops_per_s_min", round(r->flow_ops_per_s_min * 100) / 100);
	tool_json_str(o, "ratio_to", r->ratio_to);
	tool_json_double(o, "ratio", round(r->ratio * 1e4) / 1e4);
	tool_json_double(o, "ratio_host_memcpy",
			 round(r->bytes_per_s / r->host_bytes_per_s * 1e4) / 1e4);
	tool_json_str(o, "skipped", run ? NULL : r->reason);
}

struct json_object *bench_json(const struct bench *b)
{
	struct json_object *doc = tool_json_object(), *list;

	tool_json_str(doc, "schema", "hslbench/1");
	tool_json_set(doc, "environment", bench_environment_json(b));
	list = tool_json_set(doc, "results", tool_json_array());
	for (unsigned int i = 0; i < b->nresults; i++)
		result_json(list, b, &b->result[i]);
	return doc;
}
