// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * hslbench: what programs get from an HSL fabric, by the clock that the machine has: wall or modelled.
 */
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <numa.h>

#include <json-c/json.h>

#include "bench.h"
#include "file.h"
#include "json.h"
#include "output.h"

/* Of one measurement, all rounds together; where nothing is left to chance a few hundred commands say all. */
#define DURATION_NS		300000000ull
#define DURATION_QUICK_NS	60000000ull
#define DURATION_MODELLED_NS	1000000ull
#define DURATION_MODELLED_QUICK_NS	300000ull

#define TOLERANCE		0.10
#define TOLERANCE_EXPECT	0.01

static void chips_list(struct bench *b)
{
	b->chip = tool_calloc(b->info.nchips + 1, sizeof(*b->chip));
	for (unsigned int i = 0; i < b->info.nchips; i++) {
		b->chip[i].size = sizeof(*b->chip);
		if (hsl_chip_by_index(b->f, i, &b->chip[i]))
			b->info.nchips = i;		/* one has left since */
	}
}

/* Which chips; 0 or an exit code after a message. */
static int chips_choose(struct bench *b)
{
	const struct bench_config *c = b->config;
	int rc;

	b->have_b = false;
	b->a.size = b->b.size = sizeof(b->a);
	if (c->src && c->src == c->dst)
		return tool_usage("--src and --dst: c2c is between two different chips");
	rc = c->src ? hsl_chip_by_node(b->f, c->src, &b->a) : hsl_chip_by_index(b->f, 0, &b->a);
	if (rc) {
		if (c->src && rc == -ENOENT)
			return tool_usage("--src %u: the fabric has no chip with that node id",
					  c->src);
		tool_error("the first chip: %s", strerror(-rc));
		return TOOL_ENV;
	}
	if (c->dst) {
		rc = hsl_chip_by_node(b->f, c->dst, &b->b);
		if (rc)
			return tool_usage("--dst %u: the fabric has no chip with that node id",
					  c->dst);
		b->have_b = b->b.node != b->a.node;
		return b->have_b ? 0 : tool_usage("--dst %u: that is the chip that executes",
						  c->dst);
	}
	for (unsigned int i = 0; !b->have_b && i < b->info.nchips; i++) {
		b->have_b = b->chip[i].node != b->a.node;
		b->b = b->chip[i];
	}
	return 0;
}

static int fabric_open(struct bench *b)
{
	int rc = tool_fabric_open(b->config->url, &b->f);

	if (rc)
		return rc;
	b->info.size = sizeof(b->info);
	rc = hsl_fabric_info(b->f, &b->info);
	if (rc) {
		tool_error("%s: %s", tool_fabric_name(b->config->url), strerror(-rc));
		return TOOL_ENV;
	}
	if (!b->info.nchips) {
		tool_error("%s: the fabric has no chips", tool_fabric_name(b->config->url));
		fprintf(stderr, "'hslctl doctor' finds out why.\n");
		return TOOL_ENV;
	}
	chips_list(b);
	for (unsigned int i = 0; i < b->info.nchips; i++)
		tool_chip_failed(&b->chip[i]);
	return 0;
}

static void duration_default(const struct bench *b, struct bench_config *c)
{
	if (c->duration_ns)
		return;
	if (bench_stands_still(b))
		c->duration_ns = c->quick ? DURATION_MODELLED_QUICK_NS : DURATION_MODELLED_NS;
	else
		c->duration_ns = c->quick ? DURATION_QUICK_NS : DURATION_NS;
}

/* What a fabric cannot have. */
static int axes_check(const struct bench *b)
{
	const struct bench_config *c = b->config;
	const char *one = c->threads > 1 ? "--threads" : c->procs > 1 ? "--procs" : c->per_s > 0 ? "--rate" : c->wait == BENCH_EVENT ? "--wait event" : NULL;

	if (one && bench_stands_still(b))
		return tool_usage("%s: the clock stands still while the program works: one thread, which polls, as fast as it goes", one);
	if (c->procs > 1 && !strcmp(b->info.backend, "sim"))
		return tool_usage("--procs: a fabric of sim: is in one process");
	return 0;
}

/* What this machine cannot have, with a fabric or without. */
static int machine_check(const struct bench_config *c)
{
	if (c->numa >= 0 && (numa_available() < 0 || c->numa > numa_max_node()))
		return tool_usage("--numa %d: this machine has no such node", c->numa);
	if (c->huge && !bench_huge_bytes())
		return tool_usage("--huge: this kernel has no huge pages");
	return 0;
}

/* Threads and memory of the run that begins. */
static void numa_bind_to(int node)
{
	struct bitmask *nodes;

	if (numa_available() < 0)
		return;
	numa_run_on_node(node);		/* -1: all */
	if (node < 0) {
		numa_set_localalloc();
		return;
	}
	nodes = numa_allocate_nodemask();
	numa_bitmask_setbit(nodes, (unsigned int)node);
	numa_set_membind(nodes);
	numa_free_nodemask(nodes);
}

/* One run's chips and what it asks of them. */
static int run_prepare(struct bench *b)
{
	int rc = chips_choose(b);

	if (rc)
		return rc;
	if (bench_stands_still(b))
		bench_clock_of(b->f);
	rc = axes_check(b);
	if (rc)
		return rc;
	if (b->config->observable && !(b->a.cap & HSL_CAP_MODELLED)) {
		tool_error("nothing was measured: chip %u has no observable memory", b->a.node);
		return TOOL_SKIP;
	}
	for (unsigned int i = 0; i < b->config->ndepths; i++)
		if (b->config->depth[i] > b->a.max_depth)
			return tool_usage("--depth %llu: chip %u takes at most %u",
					  (unsigned long long)b->config->depth[i],
					  b->a.node, b->a.max_depth);
	return 0;
}

/* A chip that goes away while its memory is mapped. */
static void on_sigbus(int sig)
{
	static const char text[] = "hslbench: mapped memory went away: a chip was reset, unplugged or unbound\n";

	(void)sig;
	if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
		_exit(TOOL_ENV);
	_exit(TOOL_FAIL);
}

/* Standard output is for a document alone. */
static bool tables_wanted(const struct bench_config *c)
{
	return (!c->json || c->json_path) && (!c->csv || c->csv_path);
}

static void print_baseline(const struct bench *b)
{
	const char *comma = "";

	for (unsigned int i = 0; i < b->nresults; i++) {
		if (!isfinite(b->result[i].bytes_per_s))
			continue;
		printf("%s%llu=%.0f", comma, (unsigned long long)b->result[i].size_bytes,
		       b->result[i].bytes_per_s);
		comma = ",";
	}
	putchar('\n');
}

/* What a document becomes, this run's or a file's. */
static int outputs(const struct bench_config *c, struct json_object *doc, bool tables)
{
	double expect = isfinite(c->tolerance) ? c->tolerance : TOLERANCE_EXPECT;
	struct json_object *before;
	int rc, worst = TOOL_PASS;

	if (c->csv)
		worst = bench_csv(doc, c->csv_path);
	if (c->plot_path && (rc = bench_plot(doc, c->plot_path)))
		worst = rc;
	if (c->html_path && (rc = bench_html(doc, c->html_path)))
		worst = rc;
	if (c->expect && (rc = bench_expect(doc, c->expect, expect, tables)) && !worst)
		worst = rc;
	if (!c->baseline_path)
		return worst;
	rc = bench_doc_read(c->baseline_path, &before);
	if (!rc) {
		rc = bench_compare(before, doc, isfinite(c->tolerance) ? c->tolerance : TOLERANCE, tables);
		json_object_put(before);
		if (rc)
			tool_error("worse than %s", c->baseline_path);
	}
	return worst ? worst : rc;
}

/* What one run has added. */
static void run_account(struct bench *b, const struct bench_run *run, unsigned int first)
{
	const char *ops = run->config.ops;
	struct bench part = *b;
	bool baseline = !strcmp(run->verb, "baseline");

	for (unsigned int i = first; i < b->nresults; i++) {
		const struct bench_result *r = &b->result[i];

		b->errors += r->errors;
		if (r->reason[0])
			snprintf(b->why, sizeof(b->why), "%s", r->reason);
		else if (!r->baseline || baseline || (ops && bench_list_has(ops, r->op)))
			b->measured++;
	}
	if (!tables_wanted(&run->config))
		return;
	part.result += first;
	part.nresults -= first;
	if (baseline)
		print_baseline(&part);
	else
		bench_print_tables(&part);
	fflush(stdout);
}

static int report(struct bench *b)
{
	const struct bench_config *c = b->config;
	struct json_object *doc = bench_json(b);
	int rc = 0;

	if (c->json) {
		rc = tool_json_write(doc, c->json_path);
		/* a reader that had enough (head) does not cost the other files */
		if (rc && (c->json_path || rc != -EPIPE)) {
			tool_json_free(doc);
			return tool_not_written(c->json_path, rc);
		}
	}
	rc = outputs(c, doc, tables_wanted(c));
	tool_json_free(doc);
	if (b->interrupted)
		tool_error("interrupted: what was measured until then is above");
	if (b->errors)
		tool_error("FAILED: %llu error%s", (unsigned long long)b->errors,
			   b->errors == 1 ? "" : "s");
	if (b->errors || b->interrupted)
		return TOOL_FAIL;
	if (rc)
		return rc;
	if (b->measured)
		return TOOL_PASS;
	tool_error("nothing was measured: %s", b->why[0] ? b->why : "no operation fits the options");
	return TOOL_SKIP;
}

static int bench_run(struct bench *b, const struct bench_args *args)
{
	bool fabric = strcmp(args->run[0].verb, "baseline");
	int rc = 0;

	/* all of a suite is checked before any of it is run */
	for (unsigned int i = 0; !rc && i < args->nruns; i++)
		rc = machine_check(&args->run[i].config);
	if (fabric && !rc)
		rc = fabric_open(b);
	for (unsigned int i = 0; fabric && !rc && i < args->nruns; i++) {
		b->config = &args->run[i].config;
		rc = run_prepare(b);
	}
	for (unsigned int i = 0; !rc && i < args->nruns; i++)
		duration_default(b, &args->run[i].config);
	if (rc)
		return rc;
	if (fabric && tables_wanted(&args->config))
		bench_print_header(b);
	fflush(stdout);
	bench_noise_begin(b);
	for (unsigned int i = 0; i < args->nruns && !tool_stopped(); i++) {
		unsigned int first = b->nresults;

		b->config = &args->run[i].config;
		if (fabric)
			run_prepare(b);
		if (b->config->numa >= 0 || (i && args->run[i - 1].config.numa >= 0))
			numa_bind_to(b->config->numa);
		bench_verb_run(b, args->run[i].verb);
		run_account(b, &args->run[i], first);
	}
	b->config = &args->config;
	bench_noise_end(b);
	b->interrupted = tool_stopped();
	return report(b);
}

/* hslbench compare A B; hslbench report A */
static int of_files(const struct bench_args *args)
{
	const struct bench_config *c = &args->config;
	char **file = args->argv;
	int n = args->argc;
	struct json_object *a = NULL, *b = NULL;
	int rc;

	if (!strcmp(args->verb, "compare")) {
		if (n != 2)
			return tool_usage("compare takes two documents: the earlier one and the later one");
		rc = bench_doc_read(file[0], &a);
		if (!rc)
			rc = bench_doc_read(file[1], &b);
		if (!rc)
			rc = bench_compare(a, b, isfinite(c->tolerance) ? c->tolerance : TOLERANCE, true);
	} else {
		if (n < 1)
			return tool_usage("report takes a document");
		if (n > 1 && (!c->plot_path || c->csv || c->html_path || c->baseline_path || c->expect))
			return tool_usage("report of several documents is --plot alone");
		if (!c->csv && !c->plot_path && !c->html_path && !c->baseline_path && !c->expect)
			return tool_usage("report %s: as what? --csv, --plot, --html, --baseline, --expect", file[0]);
		rc = bench_doc_read(file[0], &a);
		for (int i = 1; !rc && i < n; i++) {
			rc = bench_doc_read(file[i], &b);
			if (!rc)
				bench_doc_join(a, b);
			b = NULL;
		}
		if (!rc)
			rc = outputs(c, a, !c->csv || c->csv_path);
	}
	json_object_put(a);
	json_object_put(b);
	return rc;
}

int main(int argc, char **argv)
{
	struct bench_args args;
	struct bench b = { .config = &args.config };
	const struct bench_config *c = &args.config;
	int rc;

	tool_begin("hslbench");
	rc = bench_args(argc, argv, &args);
	if (rc)
		return tool_finish(rc - 1);
	if (!args.nruns)
		return tool_finish(of_files(&args));
	rc = tool_files_check((const char *const[]){ c->json_path, c->csv_path, c->plot_path, c->html_path }, 4);
	if (rc)
		return tool_finish(rc);
	tool_stop_install();
	signal(SIGBUS, on_sigbus);
	rc = bench_run(&b, &args);
	hsl_queue_destroy(b.carrier);
	bench_queues_free(&b);
	if (b.f)
		hsl_fabric_close(b.f);
	free(b.chip);
	free(b.result);
	free(args.run);
	free((char *)args.config.command);
	return tool_finish(rc);
}
