// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * What the user asked for: options and verbs, and suites, files with a run on each line.
 */
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "output.h"

#define SIZE_MAX_BYTES		(1ull << 40)
#define DEPTH_MAX		65536u

/* Axes that not every verb has. */
static const struct { const char *option, *verbs; } axes[] = {
	{ "--queues", "bw,rate" }, { "--threads", "bw,rate" }, { "--procs", "bw,rate" }, { "--bidir", "bw,rate" },
	{ "--pattern", "bw,rate" }, { "--rate", "bw,rate" }, { "--wait", "bw,rate,lat" }, { "--offset", "bw,rate,lat" },
	{ "--stride", "bw,rate" }, { "--huge", "bw,baseline" }, { "--map", "load" },
};
enum { AX_QUEUES, AX_THREADS, AX_PROCS, AX_BIDIR, AX_PATTERN, AX_RATE, AX_WAIT, AX_OFFSET, AX_STRIDE, AX_HUGE, AX_MAP };
#define NAXES	(sizeof(axes) / sizeof(axes[0]))
#define THREADS_MAX	64u
#define QUEUES_MAX	4096u

static const struct verb {
	const char *name;
	const char *ops;		/* that --op may name */
	const char *parallel;		/* those that many queues may do */
	void (*run)(struct bench *b);
	bool alone;			/* not among those of all */
} verbs[] = {
	{ "bw", "memcpy,memset,ram-load,ram-store,h2c,c2h,c2c,same,fill,load,store", "memcpy,memset,h2c,c2h,c2c,same,fill", bench_bw, false },
	{ "lat", "nop,copy", "nop,copy", bench_lat, false },
	{ "rate", "nop,copy", "nop,copy", bench_rate, false },
	{ "matrix", "copy,load", NULL, bench_matrix, false },
	{ "load", "seq,random,chase,mix,loaded,link", NULL, bench_load, false },
	{ "atomic", "add,signal,cpu-add", NULL, bench_atomic, false },
	{ "mem", "alloc,map,touch,export,import,revoke,free,register,deregister", NULL, bench_mem, false },
	{ "wake", "nop,eventfd,pipe", NULL, bench_wake_verb, false },
	{ "collective", "all-reduce,reduce-scatter,all-gather,broadcast,all-to-all", NULL, bench_collective, false },
	{ "coherence", "load,store,atomic,ping-pong,share", NULL, bench_coherence, false },
	{ "baseline", "memcpy", NULL, bench_baseline, true },
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
"       hslbench suite FILE [options]\n"
"       hslbench compare BEFORE.json NOW.json [--tolerance PERCENT]\n"
"       hslbench report FILE.json --csv|--plot FILE|--html FILE|--expect PROFILE\n"
"       hslbench report FILE.json FILE.json... --plot FILE   (by chips of their fabrics)\n"
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
"             link: a read while others cross the same links, modelled (sim:)\n"
"  atomic     ATOMIC and SIGNAL on counters: add signal\n"
"  mem        what it takes to get memory and to give it back: alloc map touch export\n"
"             import revoke free register deregister\n"
"  wake       from submit until a waiter runs: poll, wait, event, eventfd\n"
"  collective all chips together: all-reduce reduce-scatter all-gather broadcast\n"
"             all-to-all\n"
"  coherence  one line of observable memory, by its state and where it is: load store\n"
"             atomic ping-pong share\n"
"  all        all of them\n"
"  suite      what a file says: VERB [options] on each line, # begins a comment\n"
"  baseline   memcpy of this machine, no fabric: prints SIZE=BYTES_PER_S,... to be passed\n"
"             into a VM as HSL_HOST_MEMCPY_BASELINE\n"
"\n"
"What to measure\n"
"  -f, --fabric URL      /dev/hsl0, sim:mesh4, ...  (default: $HSL_FABRIC, first device)\n"
"      --src NODE        chip that executes, and source of c2c  (default: the first)\n"
"      --dst NODE        destination of c2c                     (default: the next one)\n"
"      --op LIST         only these, separated by commas\n"
"  -s, --size LIST       64K,1M or a range of powers of two, 64:16M (also --sweep)\n"
"  -a, --all             all powers of two from 2 to 8M\n"
"How\n"
"  -d, --depth LIST      commands in flight   (bw, matrix: 16; atomic; rate: 16,256, a list)\n"
"  -b, --batch LIST      commands per doorbell   (bw, matrix: 1; rate: 1,8,32,128, a list)\n"
"  -t, --duration TIME   of each measurement: 250ms, 2s   (default: 300ms; also -D)\n"
"  -n, --iters N         of each measurement: N operations, instead of a time\n"
"      --queues LIST     of each pair of chips, all at once   (bw, rate; as many as threads)\n"
"      --threads N, --procs N    that share these queues: N threads in each of N processes\n"
"      --pattern NAME    pair, one-to-all, all-to-one, bisection, neighbours, all-pairs   (default: pair)\n"
"      --bidir           the other way as well, at once\n"
"      --rate N          commands that each queue is due per second, in time or not; their\n"
"                        latency is from when they were due\n"
"      --wait poll|event     how completions are waited for   (bw, rate, lat)\n"
"      --offset BYTES    of buffers from the start of a page   (bw, rate, lat)\n"
"      --stride BYTES    from one buffer to the next   (bw, rate; default: whole lines)\n"
"      --huge            host memory is of huge pages   (bw)\n"
"      --map FILE        load: the same of what can be mapped, /dev/dax0.0; it is overwritten\n"
"      --numa NODE       threads and host memory are on this node\n"
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
       OPT_BASELINE, OPT_TOLERANCE, OPT_EXPECT, OPT_NUMA, OPT_AXIS };

/* "--json FILE" as "--json=FILE": only verbs are arguments. NULL: standard output. */
static const char *file_argument(int argc, char **argv)
{
	if (!optarg && optind < argc && argv[optind][0] != '-' && !is_verb(argv[optind]))
		optarg = argv[optind++];
	return optarg && strcmp(optarg, "-") ? optarg : NULL;
}

static int count_parse(const char *opt, unsigned int *n)
{
	uint64_t v;

	if (tool_u64_parse(optarg, 1, THREADS_MAX, &v))
		return tool_usage("%s %s: from 1 to %u", opt, optarg, THREADS_MAX);
	*n = (unsigned int)v;
	return 0;
}

/* 100000, 2.5e6 */
static int rate_parse(struct bench_config *c)
{
	char *end;

	c->per_s = strtod(optarg, &end);
	if (end == optarg || *end || !(c->per_s >= 0.1 && c->per_s <= 1e9))
		return tool_usage("--rate %s: commands per second, from 0.1 to 1e9", optarg);
	return 0;
}

static int bytes_parse(const char *opt, uint64_t least, uint64_t most, uint64_t *bytes)
{
	if (tool_size_parse(optarg, bytes) || *bytes < least || *bytes > most)
		return tool_usage("%s %s: bytes, from %llu to %llu", opt, optarg, (unsigned long long)least, (unsigned long long)most);
	return 0;
}

static int axis_parse(unsigned int axis, struct bench_config *c)
{
	const char *opt = axes[axis].option;

	c->axes |= 1u << axis;
	switch (axis) {
	case AX_QUEUES:
		return list_parse("queues", optarg, c->queues, &c->nqueues, QUEUES_MAX);
	case AX_THREADS:
		return count_parse(opt, &c->threads);
	case AX_PROCS:
		return count_parse(opt, &c->procs);
	case AX_BIDIR:
		c->bidir = true;
		return 0;
	case AX_PATTERN:
		if (bench_pattern_parse(optarg) < 0)
			return tool_usage("--pattern %s: pair, one-to-all, all-to-one, bisection, neighbours or all-pairs", optarg);
		c->pattern = (enum bench_pattern)bench_pattern_parse(optarg);
		return 0;
	case AX_RATE:
		return rate_parse(c);
	case AX_WAIT:
		c->wait = !strcmp(optarg, "event") ? BENCH_EVENT : BENCH_POLL;
		return c->wait == BENCH_EVENT || !strcmp(optarg, "poll") ? 0 : tool_usage("--wait %s: poll or event", optarg);
	case AX_OFFSET:
		return bytes_parse(opt, 0, 4095, &c->offset);
	case AX_STRIDE:
		return bytes_parse(opt, 1, 1ull << 30, &c->stride);
	case AX_MAP:
		c->map_path = optarg;
		return access(optarg, R_OK | W_OK) ? tool_usage("--map %s: %s", optarg, strerror(errno)) : 0;
	default:
		c->huge = true;
		return 0;
	}
}

/* What options say together. */
static int axes_check(const char *name, const struct bench_config *c)
{
	const struct verb *v = verb_find(name);
	char *copy, *rest, *item;
	int rc = 0;

	for (unsigned int i = 0; i < NAXES; i++)
		if (c->axes >> i & 1 && !bench_list_has(axes[i].verbs, name))
			return tool_usage("%s goes with %s, not with %s", axes[i].option, axes[i].verbs, name);
	if (c->pattern == BENCH_ALL_PAIRS && c->bidir)
		return tool_usage("--bidir: --pattern all-pairs has both directions");
	copy = rest = c->ops && bench_parallel(c) ? tool_printf("%s", c->ops) : NULL;
	while (!rc && rest && (item = strsep(&rest, ","))) {
		bool chips = !strcmp(item, "c2c") || (!strcmp(item, "copy") && !strcmp(name, "rate"));

		if (!bench_list_has(v->parallel, item))
			rc = tool_usage("--op %s: of the CPU itself: no axis of commands goes with it", item);
		else if (c->pattern && !chips)
			rc = tool_usage("--op %s: --pattern is of chip to chip", item);
		else if (c->bidir && !chips && strcmp(item, "h2c"))
			rc = tool_usage("--op %s: --bidir goes with c2c and h2c, and with copy of rate", item);
	}
	free(copy);
	return rc;
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
		{ "quick", no_argument, NULL, 'q' }, { "all", no_argument, NULL, 'a' }, { "seed", required_argument, NULL, OPT_SEED },
		{ "observable", no_argument, NULL, OPT_OBSERVABLE },
		{ "ci", required_argument, NULL, OPT_CI }, { "rounds", required_argument, NULL, OPT_ROUNDS },
		{ "window", required_argument, NULL, OPT_WINDOW }, { "csv", optional_argument, NULL, OPT_CSV },
		{ "plot", required_argument, NULL, OPT_PLOT }, { "html", required_argument, NULL, OPT_HTML },
		{ "baseline", required_argument, NULL, OPT_BASELINE }, { "tolerance", required_argument, NULL, OPT_TOLERANCE },
		{ "expect", required_argument, NULL, OPT_EXPECT },
		{ "queues", required_argument, NULL, OPT_AXIS + AX_QUEUES }, { "threads", required_argument, NULL, OPT_AXIS + AX_THREADS },
		{ "procs", required_argument, NULL, OPT_AXIS + AX_PROCS }, { "bidir", no_argument, NULL, OPT_AXIS + AX_BIDIR },
		{ "pattern", required_argument, NULL, OPT_AXIS + AX_PATTERN }, { "rate", required_argument, NULL, OPT_AXIS + AX_RATE },
		{ "wait", required_argument, NULL, OPT_AXIS + AX_WAIT }, { "offset", required_argument, NULL, OPT_AXIS + AX_OFFSET },
		{ "stride", required_argument, NULL, OPT_AXIS + AX_STRIDE }, { "huge", no_argument, NULL, OPT_AXIS + AX_HUGE },
		{ "map", required_argument, NULL, OPT_AXIS + AX_MAP },
		{ "numa", required_argument, NULL, OPT_NUMA },
		{ "basis", required_argument, NULL, OPT_BASIS }, { "json", optional_argument, NULL,
								  OPT_JSON },
		{ "help", no_argument, NULL, 'h' }, { "version", no_argument, NULL, 'V' }, { 0 }
	};
	uint64_t v = 0;
	int o, rc = 0;

	while (!rc && (o = getopt_long(argc, argv, "f:s:d:b:t:D:n:aqhV", opts, NULL)) != -1) {
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
		case 'D':
			if (tool_duration_parse(optarg, &c->duration_ns) || !c->duration_ns)
				rc = tool_usage("--duration %s: not a time (250ms, 2s, 1m)",
						optarg);
			break;
		case 'n':
			if (tool_u64_parse(optarg, 1, INT64_MAX, &c->iters))
				rc = tool_usage("--iters %s: not a count", optarg);
			break;
		case 'a':
			rc = sizes_parse("2:8M", c);
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
		case OPT_NUMA:
			if (tool_u64_parse(optarg, 0, 1023, &v))
				rc = tool_usage("--numa %s: not a node of memory", optarg);
			c->numa = (int)v;
			break;
		case 'h':
			fputs(help, stdout);
			return TOOL_PASS + 1;
		case 'V':
			tool_version();
			return TOOL_PASS + 1;
		default:
			if (o >= OPT_AXIS) {
				rc = axis_parse((unsigned int)(o - OPT_AXIS), c);
				break;
			}
			fprintf(stderr, "Try 'hslbench --help'.\n");
			rc = TOOL_USAGE;
		}
	}
	return rc ? rc + 1 : 0;
}

/* A value that would be left out without a word is refused. all gives each verb what it takes. */
static int list_check(const char *verb, const char *option, unsigned int n, const char *verbs, const char *one)
{
	if (!n || !strcmp(verb, "all"))
		return 0;
	if (!bench_list_has(verbs, verb))
		return tool_usage("%s goes with %s, not with %s", option, verbs, verb);
	return n > 1 && bench_list_has(one, verb) ? tool_usage("%s: %s takes one value", option, verb) : 0;
}

static int lists_check(const char *verb, const struct bench_config *c)
{
	int rc = list_check(verb, "--size", c->nsizes, "bw,lat,matrix,load,mem,collective,baseline", "matrix");

	if (!rc)
		rc = list_check(verb, "--depth", c->ndepths, "bw,rate,matrix,atomic", "bw,matrix,atomic");
	return rc ? rc : list_check(verb, "--batch", c->nbatches, "bw,rate,matrix", "bw,matrix");
}

/* One verb with its options, checked as far as it can be without a fabric. 0 or an exit code. */
static int run_check(const char *verb, struct bench_config *c)
{
	int rc;

	if (!is_verb(verb))
		return tool_usage("'%s': no such verb", verb);
	rc = c->ops ? ops_check(verb, c->ops) : 0;
	if (!rc)
		rc = axes_check(verb, c);
	if (!rc)
		rc = lists_check(verb, c);
	if (rc)
		return rc;
	if (c->nbatches && c->ndepths && strcmp(verb, "rate") && c->batch[0] > c->depth[0])
		return tool_usage("--batch %llu: more than --depth %llu", (unsigned long long)c->batch[0],
				  (unsigned long long)c->depth[0]);
	return 0;
}

static void run_add(struct bench_run **list, unsigned int *n, const char *verb, const struct bench_config *c)
{
	*list = reallocarray(*list, *n + 1, sizeof(**list));
	if (!*list) {
		tool_error("out of memory");
		exit(TOOL_ENV);
	}
	(*list)[(*n)++] = (struct bench_run){ .verb = verb, .config = *c };
}

/* ---- suites ---- */

#define WORDS_MAX	64

/* The options of a line go on from those of the command line; where results go is the command line's alone. */
static int line_parse(char *line, const struct bench_config *base, struct bench_run **list, unsigned int *n)
{
	char *argv[WORDS_MAX + 2] = { (char *)tool_name }, *rest = line, *word;
	struct bench_config c = *base;
	int argc = 1, rc;

	while ((word = strsep(&rest, " \t\r\n")))
		if (*word && argc <= WORDS_MAX)
			argv[argc++] = word;
	if (argc == 1)
		return 0;
	if (argc > WORDS_MAX)
		return tool_usage("more than %d words", WORDS_MAX);
	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h") || !strcmp(argv[i], "--version") || !strcmp(argv[i], "-V"))
			return tool_usage("%s is for the command line", argv[i]);
	optind = 0;	/* begins anew */
	rc = args_parse(argc, argv, &c);
	if (rc)
		return rc - 1;
	if (c.url != base->url || c.json != base->json || c.csv != base->csv || c.plot_path != base->plot_path ||
	    c.html_path != base->html_path || c.baseline_path != base->baseline_path || c.expect != base->expect)
		return tool_usage("the fabric and where results go are said on the command line");
	if (optind + 1 != argc)
		return tool_usage("a line is one VERB and its options");
	if (!strcmp(argv[optind], "baseline"))
		return tool_usage("baseline has no fabric: not in a suite");
	rc = run_check(argv[optind], &c);
	if (!rc)
		run_add(list, n, argv[optind], &c);
	return rc;
}

/* The text stays: options point into it. */
static int suite_parse(const char *path, const struct bench_config *base, struct bench_run **list, unsigned int *n)
{
	FILE *in = fopen(path, "re");
	unsigned int number = 0;
	char *line = NULL;
	size_t room = 0;
	int rc = 0;

	if (!in) {
		tool_error("%s: %s", path, strerror(errno));
		return TOOL_ENV;
	}
	while (!rc && getline(&line, &room, in) > 0) {
		number++;
		line[strcspn(line, "#")] = '\0';
		rc = line_parse(line, base, list, n);
		if (rc)
			tool_error("%s, line %u", path, number);
		line = NULL;	/* kept */
		room = 0;
	}
	if (!rc && ferror(in)) {
		tool_error("%s: %s", path, strerror(errno));
		rc = TOOL_ENV;
	}
	fclose(in);
	if (!rc && !*n)
		rc = tool_usage("%s: nothing in it", path);
	return rc;
}

/* ---- all ---- */

static char *command_line(int argc, char **argv)
{
	char *text = tool_printf("%s", tool_name);

	for (int i = 1; i < argc; i++) {
		char *more = tool_printf("%s %s", text, argv[i]);

		free(text);
		text = more;
	}
	return text;
}

int bench_args(int argc, char **argv, struct bench_args *out)
{
	struct bench_config *c = &out->config;
	int rc;

	*out = (struct bench_args){ .config = { .seed = 1, .ci = 0.05, .window_ns = 10000000, .tolerance = NAN, .numa = -1 } };
	argv[0] = (char *)tool_name;	/* what getopt calls itself */
	c->command = command_line(argc, argv);
	rc = args_parse(argc, argv, c);
	if (rc)
		return rc;
	if (optind == argc)
		return tool_usage("what shall be measured? bw, lat, matrix, ... or all") + 1;
	out->verb = argv[optind++];
	out->argv = argv + optind;
	out->argc = argc - optind;
	if (!strcmp(out->verb, "compare") || !strcmp(out->verb, "report"))
		return 0;
	if (!strcmp(out->verb, "suite")) {
		if (out->argc != 1)
			return tool_usage("suite takes one file") + 1;
		rc = suite_parse(out->argv[0], c, &out->run, &out->nruns);
		return rc ? rc + 1 : 0;
	}
	if (out->argc)
		return tool_usage("'%s': too many arguments", out->argv[0]) + 1;
	rc = run_check(out->verb, c);
	if (rc)
		return rc + 1;
	run_add(&out->run, &out->nruns, out->verb, c);
	return 0;
}

void bench_verb_run(struct bench *b, const char *verb)
{
	for (size_t i = 0; i < NVERBS && !tool_stopped(); i++)
		if (!strcmp(verb, verbs[i].name) || (!strcmp(verb, "all") && !verbs[i].alone))
			verbs[i].run(b);
}
