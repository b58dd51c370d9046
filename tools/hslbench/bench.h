/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * hslbench: what the files of this tool share.
 *
 *	main.c		the run of it; args.c: options, verbs, suites
 *	area.c		buffers on hosts and chips, their payload, who says what is wrong with it
 *	drive.c		submits operations and takes completions, timed
 *	move.c		does that with buffers, and compares what they hold then
 *	flow.c		many queues at once: patterns of chips, threads, processes
 *	cpu.c		what the CPU does itself: memcpy, memset, loads, stores, two-thread ping-pong; host baseline
 *	point.c		rounds: order, windows, repetition, what the report gets
 *	bw.c lat.c rate.c matrix.c load.c link.c atomic.c mem.c wake.c collective.c coherence.c	the verbs
 *	noise.c		was the machine quiet
 *	output.h	what is made of a document: comparison, CSV, pictures, page, expectation
 *	report.c	tables of bw, lat and rate, JSON; tables.c: the other tables; environment.c: where it was measured
 *
 * A measurement is made in rounds. A round runs each operation of the verb and each baseline once, one after the
 * other, so that a machine that is slow for a while is slow for both sides of a ratio. Payloads are made before and
 * checked after each round's share, outside of the time.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "exit.h"
#include "hsl/hsl.h"
#include "pattern.h"
#include "size.h"
#include "stats.h"
#include "stop.h"

enum bench_pattern { BENCH_PAIR, BENCH_ONE_TO_ALL, BENCH_ALL_TO_ONE, BENCH_BISECTION, BENCH_NEIGHBOURS, BENCH_ALL_PAIRS };
enum bench_wait { BENCH_WAIT_DEFAULT, BENCH_POLL, BENCH_EVENT };

#define BENCH_SIZES_MAX		64
#define BENCH_LIST_MAX		16
#define BENCH_BATCH_MAX		1024
#define BENCH_NS_PER_S		1000000000ull
#define BENCH_HANG_NS		(30 * BENCH_NS_PER_S)	/* no completion for this long is an error */
#define BENCH_COMPLAINTS_MAX	10			/* lines on stderr per run; all are counted */

struct bench_config {
	const char *url;		/* NULL = libhsl's default */
	uint32_t src, dst;		/* nodes, 0 = first chip, the next one */
	uint64_t size[BENCH_SIZES_MAX];
	unsigned int nsizes;		/* 0 = the verb's own */
	const char *ops;		/* comma-separated, NULL = all of the verb */
	uint64_t depth[BENCH_LIST_MAX], batch[BENCH_LIST_MAX];
	unsigned int ndepths, nbatches;	/* 0 = the verb's own */
	uint64_t queues[BENCH_LIST_MAX];	/* of each pair of chips */
	unsigned int nqueues;		/* 0: as many as there are threads */
	unsigned int threads, procs;	/* of each process; 0: one, and nobody asked */
	enum bench_pattern pattern;
	bool bidir;
	double per_s;			/* operations each queue is due per second, 0 = as fast as it goes */
	enum bench_wait wait;
	uint64_t offset, stride;	/* of buffers: from the start of a page; 0: whole lines, from one to the next */
	bool huge;			/* host memory is of huge pages */
	const char *map_path;		/* load: memory of another kind, next to RAM */
	int numa;			/* threads and host memory are on this node, -1: anywhere */
	unsigned int axes;		/* which of these were asked for, for args.c */
	uint64_t iters;			/* 0 = by time */
	uint64_t duration_ns;		/* of one measurement */
	uint64_t seed;
	bool quick;
	bool hardware;			/* --basis hardware */
	bool observable;		/* the chips' memory is */
	uint64_t window_ns;		/* bandwidth is also taken over pieces of this length */
	double ci;			/* rounds are repeated until the mean is known this well, 0.05 = 5 %; 0: never */
	unsigned int rounds_max;	/* but not more often; 0 = the verb's own */
	bool json;
	const char *json_path;		/* NULL = stdout, and no tables */
	bool csv;
	const char *csv_path;		/* as json_path */
	const char *plot_path, *html_path, *baseline_path, *expect;
	double tolerance;		/* NaN: the default of who uses it */
	const char *command;		/* what the user typed */
};

/* One line of the report. */
struct bench_result {
	const char *verb, *op;
	char src[24], dst[24];
	const char *wake;		/* "poll", "event" or NULL */
	uint64_t size_bytes;
	uint32_t depth, batch;		/* 0 = does not apply */
	uint64_t ops;			/* operations timed */
	uint64_t duration_ns;
	double bytes_per_s, ops_per_s;	/* NaN = does not apply */
	double bytes_per_s_min, bytes_per_s_max;	/* of the windows */
	unsigned int rounds;
	double ci_wanted;
	double ci95;			/* half-width of the 95 % interval of the rounds' mean, of that mean; NaN = one round */
	struct tool_summary latency;	/* count 0 = does not apply */
	char variant[24];		/* what of the verb: "random", "hit", "2:1" */
	char home[24];			/* coherence: chip whose memory it is; "" = does not apply */
	unsigned int participants;	/* chips or threads at work at once, 0 = does not apply */
	int hops;			/* links between src and dst, -1 = does not apply */
	double offered_per_s;		/* load: bytes/s that the other side tried to move */
	double injected_per_s;		/* and did move */
	double bus_bytes_per_s;		/* collective: what each link of a ring carries */
	double fairness;		/* coherence: Jain's index of those who share */
	bool observable;		/* of observable memory, whatever --observable says */
	uint64_t errors;		/* failed operations and wrong bytes' rounds */
	bool settled;			/* modelled: two rounds were the same, there are no more */
	bool verified;			/* every payload and completion was compared and right */
	bool baseline;			/* measured for the sake of others' ratios */
	const char *ratio_to;		/* op it is compared with, NULL = none */
	double ratio;			/* bandwidth: this / that; latency: p50 of this / p50 of that */
	double host_bytes_per_s;	/* memcpy on the machine below the VM, NaN = not told */
	char reason[160];		/* not run: why; then there are no numbers */
	/* of many queues; 0, false, NULL, NaN: does not apply */
	unsigned int queues, threads, procs, flows;	/* flows: queues of all pairs of chips */
	bool bidir;
	const char *pattern;
	double per_s;			/* operations that each queue was given per second */
	double flow_ops_per_s_min, flow_bytes_per_s_min;	/* of the slowest queue */
	uint64_t offset, stride, page_bytes;
	int numa;
};

struct bench_queue {
	struct hsl_queue *q;
	bool event;			/* its descriptor is used: such a queue costs its poller more */
};

#define BENCH_NOISE_MAX	6u
struct bench_noise {
	uint64_t begun_ns, all, stolen, cpu_us;
	bool known;
	long aside;
	double load, steal, aside_per_s, cpu;
	char reason[BENCH_NOISE_MAX][120];
	unsigned int nreasons;
	uint64_t links[2];		/* replayed flits, retrains: during the run */
};

struct bench {
	const struct bench_config *config;
	struct hsl_fabric *f;
	struct hsl_fabric_info info;
	struct hsl_chip_props *chip;	/* all, info.nchips of them */
	struct hsl_chip_props a, b;	/* the chip that executes, and the other one of c2c */
	bool have_b;
	struct bench_queue *queue;	/* of each chip, by index; made when needed */
	struct bench_queue *cur;	/* what bench_queue_ready chose last */
	struct hsl_queue *q;		/* cur's */
	uint64_t loaded;		/* what a LOAD must find */
	struct hsl_queue *carrier;	/* moves bytes between chips and copies in host memory, never timed */
	struct bench_result *result;
	unsigned int nresults;
	unsigned int complaints;
	uint64_t errors;
	unsigned int measured;		/* results with numbers that are no baselines */
	char why[160];			/* the last one that was not run */
	bool interrupted;
	const _Atomic bool *stop;	/* NULL, or whether another process was told to stop */
	struct bench_noise noise;
};

/*
 * Does the user want this operation? op is one of the comma-separated list, or there is no list. A NOP touches no memory: it
 * is not among results of observable memory.
 */
bool bench_list_has(const char *list, const char *op);
static inline bool bench_wants(const struct bench *b, const char *op)
{
	if (b->config->observable && !strcmp(op, "nop"))
		return false;
	return !b->config->ops || bench_list_has(b->config->ops, op);
}

/* ---- args.c ---- */

struct bench_run {
	const char *verb;
	struct bench_config config;
};
struct bench_args {
	struct bench_config config;	/* of the command line */
	const char *verb;
	char **argv;			/* what follows it */
	int argc;
	struct bench_run *run;		/* what is to be measured: one, or a suite; free() it */
	unsigned int nruns;		/* 0: verb is of files */
};
/* 0, or the exit code + 1: --help ends with 0 */
int bench_args(int argc, char **argv, struct bench_args *out);
void bench_verb_run(struct bench *b, const char *verb);

/* ---- area.c ---- */

struct bench_area {
	uint32_t node;			/* 0 = host memory */
	char name[24];			/* "host", "chip 2" */
	struct hsl_segment *seg;	/* NULL: not known to the fabric (host baseline) */
	void *mapping;			/* host memory: what was mapped */
	uint64_t mapping_len;
	uint8_t *p;			/* its bytes, or of what cannot be mapped a copy of them in host memory */
	struct hsl_segment *copy;	/* that copy, NULL: p is the memory itself */
	uint64_t ga;
	uint64_t len;
};

/*
 * The buffers of one size. Each area is slots pieces of size bytes, stride apart, and a guard after the last; what lies
 * between and behind is checked to be untouched.
 */
struct bench_set {
	uint64_t size, stride, len;
	uint32_t slots;
	struct bench_area host_src, host_dst, a_src, a_dst, b_dst;
};

/* reason gets why not (buffer of 160); 0 or -errno. f NULL: host areas only, not registered. */
int bench_set_new(struct bench *b, struct bench_set *s, uint64_t size, uint32_t slots,
		  char *reason);
/* The host's two areas alone, len bytes each. */
int bench_set_new_host(struct bench *b, struct bench_set *s, uint64_t len, char *reason);
void bench_set_free(struct bench_set *s);
/* From one slot to the next: whole cache lines. */
uint64_t bench_stride(uint64_t size);
/* How many slots of that size are used at that depth: in flight together they are to fit a cache. */
uint32_t bench_slots(const struct bench *b, uint64_t size, uint32_t depth);
uint64_t bench_huge_bytes(void);		/* of a huge page, 0: there are none */
/* Everything becomes what no test pattern is. */
void bench_area_poison(struct bench *b, const struct bench_area *a);
void bench_area_pattern(struct bench *b, const struct bench_set *s, const struct bench_area *a,
			const struct tool_pattern *pt);
/* Memory of a chip, whole pages, mapped where it can be; reason gets why not. */
int bench_area_new(struct bench *b, struct bench_area *a, uint32_t node, uint64_t len, char *reason);
void bench_area_free(struct bench_area *a);
/* From the copy to the chip and back; nothing where p is the memory itself. False: complained. */
bool bench_area_push(struct bench *b, const struct bench_area *a);
bool bench_area_pull(struct bench *b, const struct bench_area *a);
/* What the slots must hold and what lies between. Complains with addresses; false when wrong. */
bool bench_area_check(struct bench *b, const struct bench_set *s, const struct bench_area *a,
		      const struct tool_pattern *pt,
		      const char *op);
/* A line about a wrong byte or failed operation, a limited number of times. */
void bench_complain(struct bench *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* ---- drive.c ---- */

struct bench_share {		/* what one round contributes */
	uint64_t ops;
	uint64_t ns;
	uint64_t errors;
	struct tool_windows windows;	/* of ops; .width_ns 0: not looked at */
};

/* How long: iters operations, or until ns have passed. */
struct bench_limit {
	uint64_t iters;
	uint64_t ns;
};

uint64_t bench_now_ns(void);
/* Time is that of this fabric's chips, which stands still while the program works; NULL: CLOCK_MONOTONIC. */
void bench_clock_of(struct hsl_fabric *f);
/*
 * A queue that is kept busy: up to depth operations in flight, submitted batch at a time, taken from op[0..nops) in turn. With a gap the
 * operations are due at times that are fixed from the start on (open loop), and stats get the time from when one was due until it
 * has completed: one that could not be submitted in time has waited, too.
 */
struct bench_lane {
	const char *name;
	struct hsl_queue *q;
	const struct hsl_op *op;
	unsigned int nops;
	uint32_t depth, batch;
	uint64_t iters;			/* 0: by time */
	double gap_ns;			/* 0: as fast as it goes */
	struct tool_stats *stats;	/* only with a gap */
	/* what came of it */
	uint64_t done, errors, end_ns;	/* end: of the last completion */
	/* bench_lanes_drive's own */
	struct hsl_op *train;
	unsigned int next, check, period;
	uint64_t sent;
	bool stop, ended;
};
/* All of them by this thread until ns after start, or their iters. event: it sleeps on their descriptors while nothing happens. */
void bench_lanes_drive(struct bench *b, struct bench_lane *l, unsigned int n, bool event, uint64_t start, uint64_t ns,
		       struct tool_windows *windows);
/* One lane, b->q. Keeps up to depth operations in flight, submitted batch at a time, taking them from op[0..nops) in turn. */
void bench_drive(struct bench *b, const char *name, const struct hsl_op *op, unsigned int nops,
		 uint32_t depth, uint32_t batch,
		 const struct bench_limit *limit, struct bench_share *out);
/* One at a time; each one's time from submit to completion goes to stats. event: sleep on the queue's descriptor. */
void bench_drive_single(struct bench *b, const char *name, const struct hsl_op *op, bool event,
			const struct bench_limit *limit,
			struct tool_stats *stats, struct bench_share *out);
/*
 * b->q becomes the queue of that chip, made again when its depth is too small, it has ended, or was used the other way
 * (event: by its descriptor).
 */
int bench_queue_ready(struct bench *b, uint32_t node, uint32_t depth, bool event, char *reason);
void bench_queues_free(struct bench *b);
/* What a queue with so many operations in flight is made with. */
uint32_t bench_queue_depth(uint32_t depth);
/* Waits for one completion of q. 0, or the errno that ended the wait. */
int bench_take(struct hsl_queue *q, struct hsl_completion *c, uint64_t since_ns);

/* ---- move.c ---- */

struct bench_move {
	const char *name;
	uint8_t opcode;			/* COPY or FILL */
	const struct bench_set *shape;	/* of both areas */
	const struct bench_area *src, *dst;
	struct tool_pattern pt;		/* what dst is to hold; FILL: of its seed */
	uint32_t node, depth, batch;	/* who does it */
};
void bench_move(struct bench *b, const struct bench_move *m, const struct bench_limit *limit, struct bench_share *share);
/* One operation for each slot: free() them. */
struct hsl_op *bench_move_ops(const struct bench_move *m);
/* Is there what so many operations leave there? Complains. */
bool bench_move_check(struct bench *b, const struct bench_move *m, uint64_t ops);

/* ---- flow.c ---- */

struct bench_edge {
	uint32_t src, dst;		/* nodes; 0: the host's memory, and the other one's chip does it */
};
struct bench_flows {
	const char *name;
	uint8_t opcode;			/* NOP, COPY or FILL */
	enum tool_pattern_kind kind;	/* what destinations hold then */
	struct bench_set shape;		/* of each flow's buffers: sizes only */
	uint32_t depth, batch;
	double per_s;			/* 0 = as fast as it goes */
	struct bench_edge *edge;
	unsigned int nedges, queues, threads, procs;
	struct tool_stats **stats;	/* of each worker while a round runs; NULL: no time of single ones is taken */
	uint64_t *ops, *ns;		/* of each flow, all rounds */
	uint64_t given;			/* operations that flows had to do, in turn, until this round; by time at least one each */
};
struct bench_point;
/* Has the user asked for more than one queue that is polled as fast as it goes? */
bool bench_parallel(const struct bench_config *c);
int bench_pattern_parse(const char *text);	/* -1: it is none */
const char *bench_pattern_name(enum bench_pattern p);
/* What p, with depth and batch, is to run; edges are added, then it is made ready: reason of p says why it cannot be. */
struct bench_flows *bench_flows_new(const struct bench *b, struct bench_point *p, uint64_t queues);
void bench_edges_of(const struct bench *b, struct bench_flows *x);	/* of the pattern; both ways with --bidir, as are the next */
void bench_edges_add(const struct bench *b, struct bench_flows *x, uint32_t src, uint32_t dst);
void bench_flows_ready(const struct bench *b, struct bench_point *p, const struct bench_set *shape);
void bench_flows_result(const struct bench_flows *x, double bytes_per_op, struct bench_result *r);
void bench_flows_free(struct bench_flows *x);

/* ---- point.c ---- */

/*
 * One line of a report to be: the verb fills r with what it is, and run makes one round's share of it. Stats, if there are, get
 * each operation's time.
 */
struct bench_point {
	struct bench_result r;
	void (*run)(struct bench *b, struct bench_point *p, const struct bench_limit *limit, struct bench_share *share);
	void *arg;
	unsigned int key[4];		/* the verb's own, as the next */
	uint64_t side[2];
	double bytes_per_op;		/* 0: there is no bandwidth */
	struct bench_flows *flows;	/* NULL, or what is run; bench_points_run frees it */
	double bus_factor;		/* collective: bus over algorithm bandwidth, 0 = none */
	struct tool_stats *stats;	/* bench_points_run frees it */
	unsigned int warm_up;		/* operations before the first round that do not count */
	struct bench_share all, last;
	struct tool_moments rounds;	/* of operations/s */
	bool wrong, settled;
};

/* A new one at the end of an array that grows; zero but for verb and op. */
struct bench_point *bench_point_add(struct bench_point **list, unsigned int *n, const char *verb, const char *op);
/*
 * All points in rounds, each round in an order of its own, until all means are known as well as asked for. Adds results in
 * the order of the array, which is freed.
 */
void bench_points_run(struct bench *b, struct bench_point *list, unsigned int n);
/* None of them is run, and why; "": nothing of the kind. */
void bench_points_skip(struct bench_point *list, unsigned int n, const char *reason);
/* How many rounds there are at least. */
unsigned int bench_rounds(const struct bench *b);
/* What a point does in that round; with --iters there may be nothing left for it. */
struct bench_limit bench_round_limit(const struct bench *b, unsigned int round);
/* A number below n, the same in each run with the same seed. */
unsigned int bench_random(uint64_t *state, unsigned int n);
void bench_shuffle(uint64_t *state, unsigned int *v, unsigned int n);

/* ---- cpu.c ---- */

/*
 * Loads and stores: the same machine code for chip memory and for RAM, 8 bytes at a time, aligned, nothing the compiler
 * can leave out or widen; the rest bytewise. store writes seed, seed + 1, ... (TOOL_PATTERN_COUNT).
 */
uint64_t bench_cpu_load(const void *p, uint64_t len);	/* the sum of all words and bytes */
void bench_cpu_store(void *p, uint64_t len, uint64_t seed);

enum bench_cpu_op { BENCH_MEMCPY, BENCH_MEMSET, BENCH_LOAD, BENCH_STORE };
/* dst of MEMCPY, MEMSET and STORE; src of MEMCPY and LOAD. */
void bench_cpu_run(const struct bench_set *s, enum bench_cpu_op op, const struct bench_area *dst,
		   const struct bench_area *src,
		   uint64_t seed, const struct bench_limit *limit, struct bench_share *out);
/* The sum that bench_cpu_load gives for a slot of that pattern. */
uint64_t bench_pattern_sum(const struct bench_set *s, const struct tool_pattern *pt, uint32_t slot);
/* Round trips of a cache line pair between two threads, on two CPUs where there are two; cpu[] gets which. */
int bench_pingpong(const struct bench_limit *limit, struct tool_stats *stats, int cpu[2]);
/*
 * Write of an eventfd, or of a pipe, by one thread until another one, asleep in epoll_wait, runs: both ways in turn; cpu[] gets
 * which. 0 or -errno.
 */
int bench_wake(const struct bench_limit *limit, struct tool_stats *stats, bool by_pipe, int cpu[2]);

/* "65536=12000000000,1048576=9e9": bytes/s for that size, NaN if it is not there or the text is not of that form. */
double bench_host_baseline(const char *text, uint64_t size);

/* ---- verbs: add results; stop early when tool_stopped() ---- */
void bench_bw(struct bench *b);
void bench_lat(struct bench *b);
void bench_rate(struct bench *b);
void bench_matrix(struct bench *b);
void bench_load(struct bench *b);
void bench_load_link(struct bench *b);	/* a part of it, link.c */
void bench_atomic(struct bench *b);
void bench_mem(struct bench *b);
void bench_wake_verb(struct bench *b);
void bench_collective(struct bench *b);
void bench_coherence(struct bench *b);
/* memcpy on this machine, no fabric: adds results of verb "baseline". */
void bench_baseline(struct bench *b);

/* ---- report.c, environment.c ---- */
struct json_object;
/* All that does not apply. */
void bench_result_init(struct bench_result *r, const char *verb, const char *op);
/* What it has from the run's options. */
void bench_result_of(const struct bench *b, struct bench_result *r);
struct bench_result *bench_result_add(struct bench *b, const char *verb, const char *op);
/* Results from the first on, by size in that order; those of one size stay as they are. */
void bench_results_order(struct bench *b, unsigned int first, const uint64_t *size, unsigned int n);
/* From the first on: ratio, where ratio_to names a result among them; of p50 where both have latencies, else of rates. */
void bench_ratios(struct bench *b, unsigned int first);
void bench_print_header(const struct bench *b);
void bench_print_tables(const struct bench *b);
/* What a row of commands stands for: the end of a table's title. */
const char *bench_how_fast(const struct bench *b);
struct tool_table;
void bench_cell_number(struct tool_table *t, const char *fmt, double v);
void bench_cell_check(struct tool_table *t, const struct bench_result *r);
void bench_cell_count(struct tool_table *t, double v);
void bench_cell_path(struct tool_table *t, const struct bench_result *r);
/* tables.c */
void bench_print_matrix(const struct bench *b);
void bench_print_load(const struct bench *b);
void bench_print_atomic(const struct bench *b);
void bench_print_mem(const struct bench *b);
void bench_print_wake(const struct bench *b);
void bench_print_collective(const struct bench *b);
void bench_print_coherence(const struct bench *b);
struct json_object *bench_json(const struct bench *b);
struct json_object *bench_environment_json(const struct bench *b);
/* The chips' clock, and this machine's, is modelled. */
static inline bool bench_modelled(const struct bench *b)
{
	return b->a.cap & HSL_CAP_MODELLED_TIME;
}
/* And it stands still while the program works: CPU and threads cannot be measured. */
static inline bool bench_stands_still(const struct bench *b)
{
	return bench_modelled(b) && !strcmp(b->info.backend, "sim");
}
#define BENCH_NO_CPU	"the clock stands still while the program works"
/* emulator-wall, hardware, model-input or model-emergent; r NULL: of the commands of this run */
const char *bench_basis(const struct bench *b, const struct bench_result *r);
/* Is it of observable memory? A baseline never is. r NULL: the commands of this run. */
bool bench_observable(const struct bench *b, const struct bench_result *r);
/* noise.c: around all measurements; end complains about a noisy machine */
void bench_noise_begin(struct bench *b);
void bench_noise_end(struct bench *b);
struct json_object *bench_noise_json(const struct bench *b);
void bench_cpu_model(char *buf, unsigned long len);

#endif
