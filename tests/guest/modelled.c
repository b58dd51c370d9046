// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Modelled time in the VM (docs/hep.md section 9): what a CPU's load of an observable mapping takes, and what commands take,
 * against the formula of the default profile, worked out here once more. Two chips, one link. All times are of the virtual
 * clock, so they are asserted: what measuring itself takes is a constant that differences are free of.
 *
 *   modelled	prints TAP; exit 0, 1, 77
 */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "hsl/hsl.h"

#define LINE	64u
#define LOADS	63u			/* in one page */
#define DEPTH	256u
#define SLACK	3000.0			/* ps: an instruction is a nanosecond */

/* profile "default", ps */
#define PORT	40000.0
#define FLIT	1143.0
#define LINK	(2 * PORT + 10000 + FLIT)
#define HOME	20000.0
#define DRAM	90000.0
#define AUTH(links)	(2 * (links) * LINK + HOME)
#define READ(links)	(AUTH(links) + DRAM)
#define READ_HOST	(2 * PORT + HOME + DRAM)

static struct hsl_fabric *f;
static unsigned int tests, failures;

static void check(const char *what, double ps, double formula)
{
	double off = ps - formula;
	bool good = off >= -SLACK && off <= SLACK;

	failures += !good;
	printf("%s %u - %s: %.0f ps, formula %.0f\n", good ? "ok" : "not ok", ++tests, what, ps, formula);
}

static void need(int err, const char *what)
{
	if (err < 0) {
		printf("Bail out! %s: %s\n", what, strerror(-err));
		exit(1);
	}
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static struct hsl_segment *memory(uint32_t node, uint32_t flags)
{
	struct hsl_segment_opts o = { .size = sizeof(o), .flags = flags };
	struct hsl_segment *s;

	need(hsl_segment_alloc(f, node, 1 << 20, &o, &s), "memory of a chip");
	return s;
}

/* ---- loads ---- */

/* A load of each of n lines, one after the other. */
static uint64_t loads(const volatile uint64_t *p, unsigned int n)
{
	uint64_t start = now_ns();

	for (unsigned int i = 0; i < n; i++)
		(void)p[i * LINE / 8];
	return now_ns() - start;
}

static void test_loads(uint32_t node)
{
	struct hsl_segment *s = memory(node, HSL_SEGMENT_OBSERVABLE);
	double miss, hit;
	void *p;

	need(hsl_segment_map(s, &p), "a mapping");
	(void)((volatile uint64_t *)p)[4096 / 8 - 1];	/* the page is there: no fault is timed */
	miss = (double)loads(p, LOADS);
	hit = (double)loads(p, LOADS);
	check("load of a line that no cache has, less one that the host port has", (miss - hit) * 1000 / (LOADS),
	      READ_HOST);
	need(hsl_segment_free(s), "free");
}

/* ---- commands ---- */

/* From the doorbell to the completion of the last one, the only one that has any. */
static uint64_t commands(struct hsl_queue *q, struct hsl_op op, uint64_t step, unsigned int n)
{
	struct hsl_op ops[DEPTH];
	struct hsl_completion c;
	uint64_t start;
	int got;

	for (unsigned int i = 0; i < n; i++) {
		ops[i] = op;
		ops[i].src += i * step;
		ops[i].flags = i + 1 < n ? HSL_DF_NO_CQE : 0;
	}
	need(hsl_queue_submit(q, ops, n), "submit");
	start = now_ns();
	do {
		got = hsl_queue_poll(q, &c, 1);
		need(got, "poll");
	} while (!got);
	need(c.status ? -EIO : 0, hsl_status_name(c.status));
	return now_ns() - start;
}

/*
 * The best of three runs, as a timer's interrupt may be in one. From fresh lines each time: *op moves on. The first run
 * of a kind also makes what is cached about the segment.
 */
static double best(struct hsl_queue *q, struct hsl_op *op, uint64_t step, unsigned int n)
{
	uint64_t least = UINT64_MAX;

	for (unsigned int i = 0; i < 3; i++) {
		uint64_t ns = commands(q, *op, step, n);

		op->src += n * step;
		least = ns < least ? ns : least;
	}
	return (double)least;
}

/* What each command more takes. */
static void test_command(struct hsl_queue *q, const char *what, struct hsl_op op, uint64_t step, double formula)
{
	unsigned int n = DEPTH / 2;
	double few = best(q, &op, step, n), many = best(q, &op, step, 2 * n);

	check(what, (many - few) * 1000 / n, formula);
}

static void test_commands(uint32_t a, uint32_t b)
{
	struct hsl_queue_opts o = { .size = sizeof(o), .depth = DEPTH };
	struct hsl_segment *sa = memory(a, 0), *sb = memory(b, 0), *oa = memory(a, HSL_SEGMENT_OBSERVABLE),
			   *ob = memory(b, HSL_SEGMENT_OBSERVABLE);
	struct hsl_op fill = { .opcode = HSL_OP_FILL, .dst = hsl_segment_ga(sb), .len = 64 };
	struct hsl_op copy = { .opcode = HSL_OP_COPY, .dst = hsl_segment_ga(sb), .src = hsl_segment_ga(sa), .len = 4096 };
	struct hsl_op load = { .opcode = HSL_OP_LOAD, .len = 8 };
	struct hsl_queue *q;

	need(hsl_queue_create(f, a, &o, &q), "a queue");
	test_command(q, "FILL of 64 bytes of the next chip", fill, 0, PORT + AUTH(1));
	test_command(q, "COPY of 4 KiB to the next chip", copy, 0, PORT + READ(0) + AUTH(1) + 20 * FLIT);
	load.src = hsl_segment_ga(sb);
	test_command(q, "LOAD from the next chip", load, 0, PORT + READ(1));
	load.src = hsl_segment_ga(oa);
	test_command(q, "LOAD of own observable memory", load, LINE, PORT + READ(0));
	load.src = hsl_segment_ga(ob);
	test_command(q, "LOAD of observable memory, one link", load, LINE, PORT + READ(1));
	hsl_queue_destroy(q);
}

int main(void)
{
	struct hsl_chip_props a = { .size = sizeof(a) }, b = { .size = sizeof(b) };

	need(hsl_fabric_open(NULL, &f), "fabric");
	need(hsl_chip_by_index(f, 0, &a), "first chip");
	need(hsl_chip_by_index(f, 1, &b), "second chip");
	if (!(a.cap & HSL_CAP_MODELLED_TIME)) {
		printf("1..0 # SKIP the clock is real: qemu/vm TIME=modelled\n");
		return 77;
	}
	test_loads(a.node);
	test_commands(a.node, b.node);
	hsl_fabric_close(f);
	printf("1..%u\n", tests);
	return failures != 0;
}
