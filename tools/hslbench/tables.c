// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Tables of the verbs that are made of points, and of mem. All rows of one table have one basis; where the CPU's own work is model-input and
 * commands are model-emergent, the title says what the commands are and the header of the run that software is fiction.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "table.h"

#define MATRIX_WIDTH	16u		/* more columns than that do not fit a screen: shades */

/* ---- cells ---- */

static void cell_size(struct tool_table *t, uint64_t bytes)
{
	char buf[TOOL_SIZE_LEN];

	tool_table_cell(t, bytes ? "%s" : NULL, tool_size_format(bytes, buf, sizeof(buf)));
}

/* 582 ns, 12.3 us, 4.56 ms: one column holds all of mem */
static void cell_time(struct tool_table *t, double ns)
{
	if (!isfinite(ns))
		tool_table_cell(t, NULL);
	else if (ns < 999.5)
		tool_table_cell(t, ns < 9.995 ? "%.2f ns" : ns < 99.95 ? "%.1f ns" : "%.0f ns", ns);
	else if (ns < 999.5e3)
		tool_table_cell(t, "%.2f us", ns / 1e3);
	else
		tool_table_cell(t, "%.2f ms", ns / 1e6);
}

static void cell_ci(struct tool_table *t, const struct bench *b, const struct bench_result *r)
{
	bool loose = b->config->ci > 0 && r->ci95 > b->config->ci;

	if (isfinite(r->ci95))
		tool_table_cell(t, "%.1f %%%s", r->ci95 * 100, loose ? " !" : "");
	else
		tool_table_cell(t, NULL);
}

static void latency_columns(struct tool_table *t, const char *unit)
{
	static const char *const names[] = { "min", "p50", "p90", "p95", "p99", "p99.9", "max", "mean" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		tool_table_column(t, names[i], unit, TOOL_RIGHT);
}

/* scale 0: each with its unit */
static void latency_cells(struct tool_table *t, const struct tool_summary *l, double scale)
{
	const double v[] = { (double)l->min, (double)l->p50, (double)l->p90, (double)l->p95, (double)l->p99, (double)l->p99_9,
			     (double)l->max, l->mean };

	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++)
		if (scale > 0)
			bench_cell_number(t, scale < 10 ? "%.0f" : "%.2f", l->count ? v[i] / scale : NAN);
		else
			cell_time(t, l->count ? v[i] : NAN);
}

static bool not_run(struct tool_table *t, const struct bench_result *r)
{
	if (r->reason[0])
		tool_table_text(t, "not run: %s", r->reason);
	return r->reason[0];
}

static void notes(struct tool_table *t, const struct bench *b, const char *verb)
{
	bool loose = false, any = false;

	for (unsigned int i = 0; i < b->nresults; i++) {
		const struct bench_result *r = &b->result[i];

		if (strcmp(r->verb, verb) || r->reason[0] || !isfinite(r->ci95))
			continue;
		any = true;
		loose |= b->config->ci > 0 && r->ci95 > b->config->ci;
	}
	if (any)
		tool_table_note(t, "+-: 95 %% confidence interval of the rounds' mean.");
	if (loose)
		tool_table_note(t, "!: wider than %.1f %% after the last round that was allowed (--ci, --rounds).", b->config->ci * 100);
}

static struct tool_table *begin(const struct bench *b, const char *what, const char *basis)
{
	char *title = tool_printf("\n%s: %s", what, basis ? basis : bench_how_fast(b));
	struct tool_table *t = tool_table_new(title);

	free(title);
	return t;
}

static void end(struct tool_table *t)
{
	tool_table_print(t, stdout);
	tool_table_free(t);
}

#define EACH(r, b, name)								\
	for (const struct bench_result *r = (b)->result; r < (b)->result + (b)->nresults; r++)	\
		if (!strcmp(r->verb, name))

/* ---- matrix ---- */

static double matrix_value(const struct bench_result *r, bool load)
{
	if (r->reason[0])
		return NAN;
	return load ? (r->latency.count ? (double)r->latency.p50 / 1e3 : NAN) : r->bytes_per_s / 1e9;
}

static const struct bench_result *matrix_cell(const struct bench *b, const char *op, unsigned int src, unsigned int dst)
{
	char from[24], to[24];

	snprintf(from, sizeof(from), "chip %u", b->chip[src].node);
	snprintf(to, sizeof(to), "chip %u", b->chip[dst].node);
	EACH(r, b, "matrix")
		if (!strcmp(r->op, op) && !strcmp(r->src, from) && !strcmp(r->dst, to))
			return r;
	return NULL;
}

/* The same decimals in all cells: three figures of the least. */
static void matrix_numbers(const struct bench *b, struct tool_table *t, const char *op, bool load, double least)
{
	const char *fmt = least < 0.995 ? "%.3f" : least < 9.95 ? "%.2f" : least < 99.5 ? "%.1f" : "%.0f";
	unsigned int n = b->info.nchips;

	tool_table_column(t, "from \\ to", NULL, TOOL_RIGHT);
	for (unsigned int k = 0; k < n; k++) {
		char name[16];

		snprintf(name, sizeof(name), "%u", b->chip[k].node);
		tool_table_column(t, name, NULL, TOOL_RIGHT);
	}
	for (unsigned int i = 0; i < n; i++) {
		tool_table_row(t);
		tool_table_cell(t, "%u", b->chip[i].node);
		for (unsigned int k = 0; k < n; k++) {
			const struct bench_result *r = matrix_cell(b, op, i, k);

			bench_cell_number(t, fmt, r ? matrix_value(r, load) : NAN);
		}
	}
}

/* One character for each pair, from the least to the most of all. */
static void matrix_shades(const struct bench *b, struct tool_table *t, const char *op, bool load, double least, double most)
{
	static const char shade[] = " .:-=+*#%@";
	unsigned int n = b->info.nchips;
	char *line = tool_calloc(n + 1, 1);

	tool_table_column(t, "from", NULL, TOOL_RIGHT);
	tool_table_column(t, "to 1, 2, ...", NULL, TOOL_LEFT);
	for (unsigned int i = 0; i < n; i++) {
		for (unsigned int k = 0; k < n; k++) {
			const struct bench_result *r = matrix_cell(b, op, i, k);
			double v = r ? matrix_value(r, load) : NAN;

			line[k] = !isfinite(v) ? '?' : most > least ? shade[(unsigned int)((v - least) / (most - least) * 9.0)] : '=';
		}
		tool_table_row(t);
		tool_table_cell(t, "%u", b->chip[i].node);
		tool_table_cell(t, "[%s]", line);
	}
	tool_table_note(t, "\"%s\" from %.3g to %.3g %s; numbers are in --json and --csv.", shade, least, most, load ? "us" : "GB/s");
	free(line);
}

static void matrix_print(const struct bench *b, const char *op, bool load)
{
	double least = INFINITY, most = -INFINITY;
	unsigned int failed = 0, skipped = 0;
	const struct bench_result *one = NULL;
	char buf[TOOL_SIZE_LEN], *what;
	struct tool_table *t;

	EACH(r, b, "matrix") {
		if (strcmp(r->op, op))
			continue;
		one = r;
		failed += r->errors != 0;
		skipped += r->reason[0] != 0;
		least = fmin(least, isfinite(matrix_value(r, load)) ? matrix_value(r, load) : least);
		most = fmax(most, isfinite(matrix_value(r, load)) ? matrix_value(r, load) : most);
	}
	if (!one)
		return;
	tool_size_format(one->size_bytes, buf, sizeof(buf));
	what = load ? tool_printf("Latency of LOAD of %s, round trip, submit to completion, p50, us", buf) :
		tool_printf("Bandwidth of COPY of %s, %u in flight, GB/s", buf, one->depth);
	t = begin(b, what, NULL);
	if (b->info.nchips <= MATRIX_WIDTH)
		matrix_numbers(b, t, op, load, least);
	else
		matrix_shades(b, t, op, load, least, most);
	tool_table_note(t, "row: the chip that executes, from whose memory is %s; column: the other one. One pair at a time, nothing else is at work.",
			load ? "asked" : "copied");
	if (failed)
		tool_table_note(t, "FAILED: %u pairs had errors.", failed);
	if (skipped)
		tool_table_note(t, "%u pairs not run: %s", skipped, one->reason);
	end(t);
	free(what);
}

void bench_print_matrix(const struct bench *b)
{
	matrix_print(b, "copy", false);
	matrix_print(b, "load", true);
}

/* ---- the others ---- */

/* Latency by what else was going on. */
static void print_loaded(const struct bench *b, const char *op, const char *what, const char *basis, const char *note)
{
	struct tool_table *t = begin(b, what, basis);
	unsigned int rows = 0, skipped = 0;

	tool_table_column(t, "offered", NULL, TOOL_RIGHT);
	tool_table_column(t, "offered", "GB/s", TOOL_RIGHT);
	tool_table_column(t, "moved", "GB/s", TOOL_RIGHT);
	tool_table_column(t, "a load", "ns", TOOL_RIGHT);
	tool_table_column(t, "p50", "ns", TOOL_RIGHT);
	tool_table_column(t, "p99", "ns", TOOL_RIGHT);
	tool_table_column(t, "size", NULL, TOOL_RIGHT);
	tool_table_column(t, "check", NULL, TOOL_LEFT);
	EACH(r, b, "load") {
		if (strcmp(r->op, op))
			continue;
		rows++;
		skipped += r->reason[0] != 0;
		tool_table_row(t);
		tool_table_cell(t, "%s", r->variant);
		if (not_run(t, r))
			continue;
		bench_cell_number(t, "%.2f", r->offered_per_s / 1e9);
		bench_cell_number(t, "%.2f", r->injected_per_s / 1e9);
		bench_cell_number(t, "%.2f", 1e9 / r->ops_per_s);
		bench_cell_number(t, "%.0f", (double)r->latency.p50);
		bench_cell_number(t, "%.0f", (double)r->latency.p99);
		cell_size(t, r->size_bytes);
		bench_cell_check(t, r);
	}
	if (note)
		tool_table_note(t, "%s", note);
	if (rows && (skipped < rows || !note))
		tool_table_print(t, stdout);
	tool_table_free(t);
}

void bench_print_load(const struct bench *b)
{
	const struct bench_result *last = NULL;
	struct tool_table *t = begin(b, "Loads and stores of the CPU", bench_modelled(b) ? "modelled time, software is fiction" : NULL);

	tool_table_column(t, "op", NULL, TOOL_LEFT);
	tool_table_column(t, "read:write", NULL, TOOL_RIGHT);
	tool_table_column(t, "memory", NULL, TOOL_LEFT);
	tool_table_column(t, "footprint", NULL, TOOL_RIGHT);
	tool_table_column(t, "speed", "GB/s", TOOL_RIGHT);
	tool_table_column(t, "slowest", "GB/s", TOOL_RIGHT);
	tool_table_column(t, "a load", "ns", TOOL_RIGHT);
	tool_table_column(t, "+-", NULL, TOOL_RIGHT);
	tool_table_column(t, "/ RAM", NULL, TOOL_RIGHT);
	tool_table_column(t, "check", NULL, TOOL_LEFT);
	EACH(r, b, "load") {
		bool loads = r->latency.count;

		if (!strcmp(r->op, "loaded") || !strcmp(r->op, "link"))
			continue;
		if (last && strcmp(last->src, r->src))
			tool_table_blank(t);
		last = r;
		tool_table_row(t);
		tool_table_cell(t, "%s", r->op);
		tool_table_cell(t, r->variant[0] ? "%s" : NULL, r->variant);
		tool_table_cell(t, "%s", strcmp(r->src, "host") ? r->src : "RAM");
		cell_size(t, r->size_bytes);
		if (not_run(t, r))
			continue;
		bench_cell_number(t, "%.2f", r->bytes_per_s / 1e9);
		bench_cell_number(t, "%.2f", r->bytes_per_s_min / 1e9);
		bench_cell_number(t, "%.2f", loads ? 1e9 / r->ops_per_s : NAN);
		cell_ci(t, b, r);
		bench_cell_number(t, "%.2f", r->ratio);
		bench_cell_check(t, r);
	}
	tool_table_note(t, "chase: each load's address comes from the one before.  slowest: the slowest window (--window).");
	notes(t, b, "load");
	if (last)
		end(t);
	else
		tool_table_free(t);

	print_loaded(b, "loaded", "Loaded latency: a chase while the chip copies in the same memory", NULL, NULL);
	print_loaded(b, "link", "Loaded latency: a read of a line of another chip while bursts of reads cross the same links",
		     "modelled time, model-emergent (links and homes of the model)",
		     "offered: of what the chip reads as fast as it goes (100 %), in bursts of 4 KiB at random moments.");
}

void bench_print_atomic(const struct bench *b)
{
	struct tool_table *t = begin(b, "Atomics, 8 bytes", NULL);

	tool_table_column(t, "op", NULL, TOOL_LEFT);
	tool_table_column(t, "path", NULL, TOOL_LEFT);
	tool_table_column(t, "how", NULL, TOOL_LEFT);
	tool_table_column(t, "in flight", NULL, TOOL_RIGHT);
	tool_table_column(t, "rate", "op/s", TOOL_RIGHT);
	tool_table_column(t, "+-", NULL, TOOL_RIGHT);
	tool_table_column(t, "min", "us", TOOL_RIGHT);
	tool_table_column(t, "p50", "us", TOOL_RIGHT);
	tool_table_column(t, "p99", "us", TOOL_RIGHT);
	tool_table_column(t, "check", NULL, TOOL_LEFT);
	EACH(r, b, "atomic") {
		tool_table_row(t);
		tool_table_cell(t, "%s", r->op);
		bench_cell_path(t, r);
		tool_table_cell(t, r->variant[0] ? "%s" : NULL, r->variant);
		tool_table_cell(t, r->depth ? "%u" : NULL, r->depth);
		if (not_run(t, r))
			continue;
		bench_cell_count(t, r->ops_per_s);
		cell_ci(t, b, r);
		bench_cell_number(t, "%.2f", r->latency.count ? (double)r->latency.min / 1e3 : NAN);
		bench_cell_number(t, "%.2f", r->latency.count ? (double)r->latency.p50 / 1e3 : NAN);
		bench_cell_number(t, "%.2f", r->latency.count ? (double)r->latency.p99 / 1e3 : NAN);
		bench_cell_check(t, r);
	}
	tool_table_note(t, "cpu-add: this CPU's own locked add on RAM.  check: the counters' sum is the number of operations.");
	notes(t, b, "atomic");
	end(t);
}

void bench_print_mem(const struct bench *b)
{
	const struct bench_result *last = NULL;
	struct tool_table *t = begin(b, "Getting memory and giving it back",
				     bench_modelled(b) ? "modelled time, software is fiction" : NULL);

	tool_table_column(t, "op", NULL, TOOL_LEFT);
	tool_table_column(t, "memory", NULL, TOOL_LEFT);
	tool_table_column(t, "size", NULL, TOOL_RIGHT);
	latency_columns(t, NULL);
	tool_table_column(t, "times", NULL, TOOL_RIGHT);
	tool_table_column(t, "check", NULL, TOOL_LEFT);
	EACH(r, b, "mem") {
		if (last && last->size_bytes != r->size_bytes)
			tool_table_blank(t);
		last = r;
		tool_table_row(t);
		tool_table_cell(t, "%s", r->op);
		tool_table_cell(t, "%s", r->src);
		cell_size(t, r->size_bytes);
		if (not_run(t, r))
			continue;
		latency_cells(t, &r->latency, 0);
		tool_table_cell(t, "%llu", (unsigned long long)r->ops);
		bench_cell_check(t, r);
	}
	tool_table_note(t, "touch: a load and a store in each page of new memory, which must be zero.");
	tool_table_note(t, "revoke: of a segment that another context has imported.");
	end(t);
}

void bench_print_wake(const struct bench *b)
{
	struct tool_table *t = begin(b, "Waking, from submit or write until the waiter runs", NULL);

	tool_table_column(t, "op", NULL, TOOL_LEFT);
	tool_table_column(t, "path", NULL, TOOL_LEFT);
	tool_table_column(t, "wait", NULL, TOOL_LEFT);
	latency_columns(t, "us");
	tool_table_column(t, "p50 /", "threads", TOOL_RIGHT);
	tool_table_column(t, "check", NULL, TOOL_LEFT);
	EACH(r, b, "wake") {
		tool_table_row(t);
		tool_table_cell(t, "%s", r->op);
		bench_cell_path(t, r);
		tool_table_cell(t, "%s", r->wake);
		if (not_run(t, r))
			continue;
		latency_cells(t, &r->latency, 1e3);
		bench_cell_number(t, "%.2f", r->ratio);
		bench_cell_check(t, r);
	}
	tool_table_note(t, "poll: looks at the ring.  wait: hsl_queue_wait.  event: poll(2) on the queue's descriptor.  eventfd: one of the program's.");
	tool_table_note(t, "threads: one thread writes an eventfd or pipe until another one, asleep in epoll_wait, runs; no chip.");
	end(t);
}

void bench_print_collective(const struct bench *b)
{
	char *what = tool_printf("Collectives of %u chips, rings in order of node ids", b->info.nchips);
	struct tool_table *t = begin(b, what, NULL);

	tool_table_column(t, "op", NULL, TOOL_LEFT);
	tool_table_column(t, "size", NULL, TOOL_RIGHT);
	tool_table_column(t, "p50", "us", TOOL_RIGHT);
	tool_table_column(t, "p99", "us", TOOL_RIGHT);
	tool_table_column(t, "algbw", "GB/s", TOOL_RIGHT);
	tool_table_column(t, "busbw", "GB/s", TOOL_RIGHT);
	tool_table_column(t, "slowest", "GB/s", TOOL_RIGHT);
	tool_table_column(t, "+-", NULL, TOOL_RIGHT);
	tool_table_column(t, "check", NULL, TOOL_LEFT);
	EACH(r, b, "collective") {
		tool_table_row(t);
		tool_table_cell(t, "%s", r->op);
		cell_size(t, r->size_bytes);
		if (not_run(t, r))
			continue;
		bench_cell_number(t, "%.2f", (double)r->latency.p50 / 1e3);
		bench_cell_number(t, "%.2f", (double)r->latency.p99 / 1e3);
		bench_cell_number(t, "%.3f", r->bytes_per_s / 1e9);
		bench_cell_number(t, "%.3f", r->bus_bytes_per_s / 1e9);
		bench_cell_number(t, "%.3f", r->bytes_per_s_min / 1e9);
		cell_ci(t, b, r);
		bench_cell_check(t, r);
	}
	tool_table_note(t, "algbw: size / time.  busbw: algbw x what each link of the ring carries of it (2(N-1)/N, (N-1)/N, 1).");
	tool_table_note(t, "check: every element of every chip against what it must be after all rounds.");
	notes(t, b, "collective");
	end(t);
	free(what);
}

static double nop_p50(const struct bench *b)
{
	EACH(r, b, "coherence")
		if (!strcmp(r->op, "nop") && r->latency.count)
			return (double)r->latency.p50;
	return NAN;
}

void bench_print_coherence(const struct bench *b)
{
	const char *basis = b->config->hardware || !bench_modelled(b) ? NULL :
		"modelled time, model-emergent (links, caches and homes of the model)";
	struct tool_table *t = begin(b, "One line of observable memory, submit to completion", basis);
	double nop = nop_p50(b);
	unsigned int shares = 0;

	tool_table_column(t, "access", NULL, TOOL_LEFT);
	tool_table_column(t, "line is", NULL, TOOL_LEFT);
	tool_table_column(t, "requester", NULL, TOOL_LEFT);
	tool_table_column(t, "home", NULL, TOOL_LEFT);
	tool_table_column(t, "owner", NULL, TOOL_LEFT);
	tool_table_column(t, "min", "ns", TOOL_RIGHT);
	tool_table_column(t, "p50", "ns", TOOL_RIGHT);
	tool_table_column(t, "p99", "ns", TOOL_RIGHT);
	tool_table_column(t, "max", "ns", TOOL_RIGHT);
	tool_table_column(t, "p50", "beyond NOP", TOOL_RIGHT);
	tool_table_column(t, "check", NULL, TOOL_LEFT);
	EACH(r, b, "coherence") {
		if (!strcmp(r->op, "share")) {
			shares++;
			continue;
		}
		tool_table_row(t);
		tool_table_cell(t, "%s", r->op);
		tool_table_cell(t, r->variant[0] ? "%s" : NULL, r->variant);
		tool_table_cell(t, "%s", r->src);
		tool_table_cell(t, r->home[0] ? "%s" : NULL, r->home);
		tool_table_cell(t, strcmp(r->dst, r->src) ? "%s" : NULL, r->dst);
		if (not_run(t, r))
			continue;
		bench_cell_number(t, "%.0f", (double)r->latency.min);
		bench_cell_number(t, "%.0f", (double)r->latency.p50);
		bench_cell_number(t, "%.0f", (double)r->latency.p99);
		bench_cell_number(t, "%.0f", (double)r->latency.max);
		bench_cell_number(t, "%.0f", r->home[0] ? (double)r->latency.p50 - nop : NAN);
		bench_cell_check(t, r);
	}
	tool_table_note(t, "ping-pong: one handover of a line that two chips store into in turn.");
	end(t);
	if (!shares)
		return;
	t = begin(b, "Two chips store at once", basis);
	tool_table_column(t, "words", NULL, TOOL_LEFT);
	tool_table_column(t, "chips", NULL, TOOL_LEFT);
	tool_table_column(t, "home", NULL, TOOL_LEFT);
	tool_table_column(t, "in flight", "each", TOOL_RIGHT);
	tool_table_column(t, "rate", "op/s", TOOL_RIGHT);
	tool_table_column(t, "+-", NULL, TOOL_RIGHT);
	tool_table_column(t, "fairness", NULL, TOOL_RIGHT);
	tool_table_column(t, "check", NULL, TOOL_LEFT);
	EACH(r, b, "coherence") {
		if (strcmp(r->op, "share"))
			continue;
		tool_table_row(t);
		tool_table_cell(t, "%s", strcmp(r->variant, "false") ? "of two lines" : "of one line");
		tool_table_cell(t, "%s, %s", r->src, r->dst);
		tool_table_cell(t, "%s", r->home);
		tool_table_cell(t, "%u", r->depth);
		if (not_run(t, r))
			continue;
		bench_cell_count(t, r->ops_per_s);
		cell_ci(t, b, r);
		bench_cell_number(t, "%.3f", r->fairness);
		bench_cell_check(t, r);
	}
	tool_table_note(t, "fairness: Jain's index, 1: both did the same, 0.5: one did all.");
	notes(t, b, "coherence");
	end(t);
}
