// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * hslbench: bandwidth, latency and rate of an HSL fabric, by the clock that the machine has: wall or modelled.
 */
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "output.h"
#include "json.h"

#include <json-c/json.h>
#include "progress.h"

#define DURATION_NS		300000000ull
#define DURATION_QUICK_NS	60000000ull
#define TOLERANCE		0.10
#define TOLERANCE_EXPECT	0.01
#define SIZE_MAX_BYTES		(1ull << 40)
#define DEPTH_MAX		65536u

static const struct verb {
	const char *name;
	const char *ops;		/* that --op may name */
	void (*run)(struct bench *b);
	bool alone;			/* not among those of all */
} verbs[] = {
	{ "bw", "memcpy,memset,ram-load,ram-store,h2c,c2h,c2c,same,fill,load,store", bench_bw, false },
	{ "lat", "nop,copy", bench_lat, false },
	{ "rate", "nop,copy", bench_rate, false },
	{ "matrix", "copy,load", bench_matrix, false },
	{ "load", "seq,random,chase,mix,loaded", bench_load, false },
	{ "atomic", "add,signal,cpu-add", bench_atomic, false },
	{ "mem", "alloc,map,touch,export,import,revoke,free,register,deregister", bench_mem, false },
	{ "wake", "nop,eventfd,pipe", bench_wake_verb, false },
	{ "collective", "all-reduce,reduce-scatter,all-gather,broadcast,all-to-all", bench_collective, false },
	{ "coherence", "load,store,atomic,ping-pong,share", bench_coherence, false },
	{ "baseline", "memcpy", bench_baseline, true },
};
#define NVERBS	(sizeof(verbs) / sizeof(verbs[0]))

static const struct verb *verb_find(const char *name)
{
	for (size_t i = 0; i < NVERBS; i++)
		if (!strcmp(verbs[i].name, name))
			return &verbs[i];
	return NULL;
}

static bool is_verb(const char *name)
{
	return verb_find(name) || !strcmp(name, "all");
}

static const char help[] =
"usage: hslbench VERB [options]\n"
"       hslbench baseline [--size LIST] [--json[=FILE]]\n"
"       hslbench compare BEFORE.json NOW.json [--tolerance PERCENT]\n"
"       hslbench report FILE.json --csv|--plot FILE|--html FILE|--expect PROFILE\n"
"\n"
"Measures an HSL fabric in wall-clock time, or in modelled time where its chips have\n"
"that, and checks every byte that was moved.\n"
"\n"
"  bw         bandwidth of every way to move bytes, next to memcpy, memset, loads and\n"
"             stores on RAM: h2c c2h c2c same fill load store\n"
"  lat        submit to completion of one command at a time, polling and sleeping, next\n"
"             to a cache line bounced between two threads: nop copy\n"
"  rate       commands per second, by commands in flight and per doorbell: nop copy\n"
"  matrix     every chip to every chip: bandwidth of COPY, latency of LOAD; row = source\n"
"  load       loads and stores of the CPU: seq random chase mix loaded\n"
"  atomic     ATOMIC and SIGNAL on counters: add signal\n"
"  mem        what it takes to get memory and to give it back: alloc map touch export\n"
"             import revoke free register deregister\n"
"  wake       from submit until a waiter runs: poll, wait, event, eventfd\n"
"  collective all chips together: all-reduce reduce-scatter all-gather broadcast\n"
"             all-to-all\n"
"  coherence  one line of observable memory, by its state and where it is: load store\n"
"             atomic ping-pong share\n"
"  all        all of them\n"
"  baseline   memcpy of this machine, no fabric: prints SIZE=BYTES_PER_S,... to be passed\n"
"             into a VM as HSL_HOST_MEMCPY_BASELINE\n"
"\n"
"What to measure\n"
"  -f, --fabric URL      /dev/hsl0, sim:mesh4, ...  (default: $HSL_FABRIC, first device)\n"
"      --src NODE        chip that executes, and source of c2c  (default: the first)\n"
"      --dst NODE        destination of c2c                     (default: the next one)\n"
"      --op LIST         only these, separated by commas\n"
"  -s, --size LIST       64K,1M or a range of powers of two, 64:16M (also --sweep)\n"
"How\n"
"  -d, --depth LIST      commands in flight   (bw: 16, rate: 16,256)\n"
"  -b, --batch LIST      commands per doorbell   (bw: 1, rate: 1,8,32,128)\n"
"  -t, --duration TIME   of each measurement: 250ms, 2s   (default: 300ms)\n"
"  -n, --iters N         of each measurement: N operations, instead of a time\n"
"      --observable      the chips' memory is observable: packets through links and caches\n"
"  -q, --quick           a short run: fewer sizes, 60ms each\n"
"      --ci PERCENT      repeat until the mean is known this well  (default: 5; 0: never)\n"
"      --rounds N        but not more often than that        (default: 10, --quick: 3)\n"
"      --window TIME     bandwidth's minimum and maximum are of these  (default: 10ms)\n"
"      --seed N          of payload and order   (default: 1)\n"
"      --basis BASIS     emulator-wall (default), or hardware where the chips are real\n"
"Output\n"
"      --json[=FILE]     one document (schema hslbench/1): on standard output instead of\n"
"                        the tables, or into FILE beside them\n"
"      --csv[=FILE]      the same as a row for each result\n"
"      --plot FILE       pictures of all results, .svg or .png (gnuplot)\n"
"      --html FILE       one page with pictures and numbers (gnuplot)\n"
"      --baseline FILE   compare with a document of an earlier run; worse is exit status 1\n"
"      --tolerance PERCENT   of such a comparison  (default: 10; --expect: 1)\n"
"      --expect PROFILE  modelled results against the formulas of HEP section 9\n"
"  -h, --help   -V, --version\n"
"\n"
"Ctrl-C ends early and reports what was measured.\n"
"Exit status: 0 good, 1 an error, a wrong byte or interrupted, 2 usage, 3 no usable fabric or\n"
"output, 77 nothing could be run.\n";

static int list_parse(const char *opt, const char *text, uint64_t *v, unsigned int *n, uint64_t max)
{
	int rc = tool_size_list_parse(text, v, BENCH_LIST_MAX);

	if (rc == -E2BIG)
		return tool_usage("--%s %s: at most %d values", opt, text, BENCH_LIST_MAX);
	if (rc < 0)
		return tool_usage("--%s %s: not a list of numbers", opt, text);
	for (int i = 0; i < rc; i++)
		if (!v[i] || v[i] > max)
			return tool_usage("--%s %s: from 1 to %llu", opt, text,
					  (unsigned long long)max);
	*n = (unsigned int)rc;
	return 0;
}

static int sizes_parse(const char *text, struct bench_config *c)
{
	int rc = tool_size_list_parse(text, c->size, BENCH_SIZES_MAX);

	if (rc == -E2BIG)
		return tool_usage("--size %s: at most %d sizes", text, BENCH_SIZES_MAX);
	if (rc < 0)
		return tool_usage("--size %s: not a list of sizes (64K,1M or 64:16M)", text);
	for (int i = 0; i < rc; i++)
		if (!c->size[i] || c->size[i] > SIZE_MAX_BYTES)
			return tool_usage("--size %s: sizes are from 1 byte to 1 TiB", text);
	c->nsizes = (unsigned int)rc;
	return 0;
}

static int node_parse(const char *opt, const char *text, uint32_t *node)
{
	uint64_t v;

	if (tool_u64_parse(text, 1, 0x7fff, &v))
		return tool_usage("--%s %s: not a node id", opt, text);
	*node = (uint32_t)v;
	return 0;
}

/* 5, 2.5, 5% -> 0.05 */
static int percent_parse(const char *opt, const char *text, double *share)
{
	char *end;
	double v = strtod(text, &end);

	if (end == text || (*end && strcmp(end, "%")) || !(v >= 0 && v <= 1000))
		return tool_usage("--%s %s: not a percentage from 0 to 1000", opt, text);
	*share = v / 100;
	return 0;
}

static int ops_check(const char *verb, const char *ops)
{
	const struct verb *v = verb_find(verb);
	char *copy, *rest, *item;
	int rc = 0;

	if (!v)
		return tool_usage("--op goes with one verb, not with '%s'", verb);
	copy = rest = tool_printf("%s", ops);
	while (!rc && (item = strsep(&rest, ",")))
		if (!bench_list_has(v->ops, item) || !*item)
			rc = tool_usage("--op %s: '%s' is none of %s", ops, item, v->ops);
	free(copy);
	return rc;
}

enum { OPT_SRC = 256, OPT_DST, OPT_OP, OPT_SEED, OPT_BASIS, OPT_JSON, OPT_OBSERVABLE, OPT_CI, OPT_ROUNDS, OPT_WINDOW, OPT_CSV, OPT_PLOT, OPT_HTML,
       OPT_BASELINE, OPT_TOLERANCE, OPT_EXPECT };

/* "--json FILE" as "--json=FILE": only verbs are arguments. NULL: standard output. */
static const char *file_argument(int argc, char **argv)
{
	if (!optarg && optind < argc && argv[optind][0] != '-' && !is_verb(argv[optind]))
		optarg = argv[optind++];
	return optarg && strcmp(optarg, "-") ? optarg : NULL;
}

/* 0, or the exit code + 1: --help ends with 0 */
static int args_parse(int argc, char **argv, struct bench_config *c)
{
	static const struct option opts[] = {
		{ "fabric", required_argument, NULL, 'f' }, { "src", required_argument, NULL,
							     OPT_SRC },
		{ "dst", required_argument, NULL, OPT_DST }, { "op", required_argument, NULL,
							      OPT_OP },
		{ "size", required_argument, NULL, 's' }, { "sweep", required_argument, NULL, 's' },
		{ "depth", required_argument, NULL, 'd' }, { "batch", required_argument, NULL,
							    'b' },
		{ "duration", required_argument, NULL, 't' }, { "iters", required_argument, NULL,
							       'n' },
		{ "quick", no_argument, NULL, 'q' }, { "seed", required_argument, NULL, OPT_SEED },
		{ "observable", no_argument, NULL, OPT_OBSERVABLE },
		{ "ci", required_argument, NULL, OPT_CI }, { "rounds", required_argument, NULL, OPT_ROUNDS },
		{ "window", required_argument, NULL, OPT_WINDOW }, { "csv", optional_argument, NULL, OPT_CSV },
		{ "plot", required_argument, NULL, OPT_PLOT }, { "html", required_argument, NULL, OPT_HTML },
		{ "baseline", required_argument, NULL, OPT_BASELINE }, { "tolerance", required_argument, NULL, OPT_TOLERANCE },
		{ "expect", required_argument, NULL, OPT_EXPECT },
		{ "basis", required_argument, NULL, OPT_BASIS }, { "json", optional_argument, NULL,
								  OPT_JSON },
		{ "help", no_argument, NULL, 'h' }, { "version", no_argument, NULL, 'V' }, { 0 }
	};
	uint64_t v = 0;
	int o, rc = 0;

	while (!rc && (o = getopt_long(argc, argv, "f:s:d:b:t:n:qhV", opts, NULL)) != -1) {
		switch (o) {
		case 'f':
			c->url = optarg;
			break;
		case OPT_SRC:
			rc = node_parse("src", optarg, &c->src);
			break;
		case OPT_DST:
			rc = node_parse("dst", optarg, &c->dst);
			break;
		case OPT_OP:
			c->ops = optarg;
			break;
		case 's':
			rc = sizes_parse(optarg, c);
			break;
		case 'd':
			rc = list_parse("depth", optarg, c->depth, &c->ndepths, DEPTH_MAX);
			break;
		case 'b':
			rc = list_parse("batch", optarg, c->batch, &c->nbatches, BENCH_BATCH_MAX);
			break;
		case 't':
			if (tool_duration_parse(optarg, &c->duration_ns) || !c->duration_ns)
				rc = tool_usage("--duration %s: not a time (250ms, 2s, 1m)",
						optarg);
			break;
		case 'n':
			if (tool_u64_parse(optarg, 1, INT64_MAX, &c->iters))
				rc = tool_usage("--iters %s: not a count", optarg);
			break;
		case 'q':
			c->quick = true;
			break;
		case OPT_OBSERVABLE:
			c->observable = true;
			break;
		case OPT_CI:
			rc = percent_parse("ci", optarg, &c->ci);
			break;
		case OPT_ROUNDS:
			if (tool_u64_parse(optarg, 1, 1000000, &v))
				rc = tool_usage("--rounds %s: not a count", optarg);
			c->rounds_max = (unsigned int)v;
			break;
		case OPT_WINDOW:
			if (tool_duration_parse(optarg, &c->window_ns) || !c->window_ns)
				rc = tool_usage("--window %s: not a time (10ms, 1s)", optarg);
			break;
		case OPT_SEED:
			if (tool_u64_parse(optarg, 0, UINT64_MAX, &c->seed))
				rc = tool_usage("--seed %s: not a number", optarg);
			break;
		case OPT_BASIS:
			c->hardware = !strcmp(optarg, "hardware");
			if (!c->hardware && strcmp(optarg, "emulator-wall"))
				rc = tool_usage("--basis %s: emulator-wall or hardware", optarg);
			break;
		case OPT_JSON:
			c->json = true;
			c->json_path = file_argument(argc, argv);
			break;
		case OPT_CSV:
			c->csv = true;
			c->csv_path = file_argument(argc, argv);
			break;
		case OPT_PLOT:
			c->plot_path = optarg;
			rc = bench_plot_check(optarg);
			break;
		case OPT_HTML:
			c->html_path = optarg;
			rc = bench_plot_check("page.svg");	/* its pictures are */
			break;
		case OPT_BASELINE:
			c->baseline_path = optarg;
			break;
		case OPT_TOLERANCE:
			rc = percent_parse("tolerance", optarg, &c->tolerance);
			break;
		case OPT_EXPECT:
			c->expect = optarg;
			rc = bench_expect_check(optarg);
			break;
		case 'h':
			fputs(help, stdout);
			return TOOL_PASS + 1;
		case 'V':
			return tool_version() + 1;
		default:
			fprintf(stderr, "Try 'hslbench --help'.\n");
			rc = TOOL_USAGE;
		}
	}
	return rc ? rc + 1 : 0;
}

/* Which chips; 0 or an exit code after a message. */
static int chips_choose(struct bench *b)
{
	const struct bench_config *c = b->config;
	int rc;

	b->chip = tool_calloc(b->info.nchips + 1, sizeof(*b->chip));
	for (unsigned int i = 0; i < b->info.nchips; i++) {
		b->chip[i].size = sizeof(*b->chip);
		if (hsl_chip_by_index(b->f, i, &b->chip[i]))
			b->info.nchips = i;		/* one has left since */
	}
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

static int fabric_prepare(struct bench *b)
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
	rc = chips_choose(b);
	if (rc)
		return rc;
	if (bench_stands_still(b))
		bench_clock_of(b->f);
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

static int report(struct bench *b, const char *verb)
{
	const struct bench_config *c = b->config;
	bool baseline = !strcmp(verb, "baseline");
	const char *reason = NULL;
	struct json_object *doc = bench_json(b);
	bool measured = false;
	int rc = 0;

	if (tables_wanted(c)) {
		if (baseline)
			print_baseline(b);
		else
			bench_print_tables(b);
	}
	if (c->json) {
		rc = tool_json_write(doc, c->json_path);
		if (rc && (c->json_path || rc != -EPIPE)) {
			tool_error("%s: %s", c->json_path ? c->json_path : "standard output",
				   strerror(-rc));
			tool_json_free(doc);
			return TOOL_ENV;
		}
	}
	rc = outputs(c, doc, tables_wanted(c));
	tool_json_free(doc);
	for (unsigned int i = 0; i < b->nresults; i++) {
		const struct bench_result *r = &b->result[i];

		b->errors += r->errors;
		if (r->reason[0])
			reason = r->reason;
		else if (!r->baseline || baseline || (c->ops && bench_list_has(c->ops, r->op)))
			measured = true;
	}
	if (b->interrupted)
		tool_error("interrupted: what was measured until then is above");
	if (b->errors)
		tool_error("FAILED: %llu error%s", (unsigned long long)b->errors,
			   b->errors == 1 ? "" : "s");
	if (b->errors || b->interrupted)
		return TOOL_FAIL;
	if (rc)
		return rc;
	if (measured)
		return TOOL_PASS;
	tool_error("nothing was measured: %s", reason ? reason : "no operation fits the options");
	return TOOL_SKIP;
}

static int bench_run(struct bench *b, const char *verb)
{
	int rc;

	if (strcmp(verb, "baseline")) {
		rc = fabric_prepare(b);
		if (rc)
			return rc;
		if (tables_wanted(b->config))
			bench_print_header(b);
		fflush(stdout);
	}
	bench_noise_begin(b);
	for (size_t i = 0; i < NVERBS && !tool_stopped(); i++)
		if (!strcmp(verb, verbs[i].name) || (!strcmp(verb, "all") && !verbs[i].alone))
			verbs[i].run(b);
	bench_noise_end(b);
	b->interrupted = tool_stopped();
	return report(b, verb);
}

/* hslbench compare A B; hslbench report A */
static int of_files(const char *verb, char **file, int n, struct bench_config *c)
{
	struct json_object *a = NULL, *b = NULL;
	int rc;

	if (!strcmp(verb, "compare")) {
		if (n != 2)
			return tool_usage("compare takes two documents: the earlier one and the later one");
		rc = bench_doc_read(file[0], &a);
		if (!rc)
			rc = bench_doc_read(file[1], &b);
		if (!rc)
			rc = bench_compare(a, b, isfinite(c->tolerance) ? c->tolerance : TOLERANCE, true);
	} else {
		if (n != 1)
			return tool_usage("report takes one document");
		if (!c->csv && !c->plot_path && !c->html_path && !c->baseline_path && !c->expect)
			return tool_usage("report %s: as what? --csv, --plot, --html, --baseline, --expect", file[0]);
		rc = bench_doc_read(file[0], &a);
		if (!rc)
			rc = outputs(c, a, !c->csv || c->csv_path);
	}
	json_object_put(a);
	json_object_put(b);
	return rc;
}

static char *command_line(int argc, char **argv)
{
	char *text = tool_printf("hslbench");

	for (int i = 1; i < argc; i++) {
		char *more = tool_printf("%s %s", text, argv[i]);

		free(text);
		text = more;
	}
	return text;
}

int main(int argc, char **argv)
{
	struct bench_config config = { .seed = 1, .ci = 0.05, .window_ns = 10000000, .tolerance = NAN };
	struct bench b = { .config = &config };
	const char *verb;
	int rc;

	tool_name = "hslbench";
	argv[0] = (char *)tool_name;	/* what getopt calls itself */
	config.command = command_line(argc, argv);
	rc = args_parse(argc, argv, &config);
	if (rc)
		return tool_finish(rc - 1);
	if (optind == argc)
		return tool_usage("what shall be measured? bw, lat, matrix, ... or all");
	verb = argv[optind++];
	if (!strcmp(verb, "compare") || !strcmp(verb, "report"))
		return tool_finish(of_files(verb, argv + optind, argc - optind, &config));
	if (optind != argc)
		return tool_usage("'%s': too many arguments", argv[optind]);
	if (!is_verb(verb))
		return tool_usage("'%s': no such verb", verb);
	if (config.ops && (rc = ops_check(verb, config.ops)))
		return rc;
	if (config.nbatches && config.ndepths && strcmp(verb, "rate") &&
	    config.batch[0] > config.depth[0])
		return tool_usage("--batch %llu: more than --depth %llu",
				  (unsigned long long)config.batch[0],
				  (unsigned long long)config.depth[0]);
	if (!config.duration_ns)
		config.duration_ns = config.quick ? DURATION_QUICK_NS : DURATION_NS;
	tool_stop_install();
	signal(SIGBUS, on_sigbus);
	rc = bench_run(&b, verb);
	hsl_queue_destroy(b.carrier);
	bench_queues_free(&b);
	if (b.f)
		hsl_fabric_close(b.f);
	free(b.chip);
	free(b.result);
	free((char *)config.command);
	return tool_finish(rc);
}
