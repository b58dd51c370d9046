// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * hslbench lat: one operation at a time, from submit to completion, found by polling or by sleeping on the queue's
 * descriptor; next to what two threads of this program need to bounce a cache line, and to wake each other by eventfd.
 */
#include <stdio.h>
#include <string.h>

#include "bench.h"

#define WARM_UP		16u

enum { KEY_EVENT };		/* of threads: who wakes whom by eventfd */

static void run_copy(struct bench *b, struct bench_point *p, const struct bench_limit *limit, struct bench_share *share)
{
	struct tool_pattern pt = { .seed = b->config->seed };
	struct hsl_op op = { .opcode = HSL_OP_COPY, .len = p->r.size_bytes };
	const struct bench_area *dst;
	struct bench_set s;
	char reason[160];

	if (bench_set_new(b, &s, p->r.size_bytes, 1, reason)) {
		bench_complain(b, "copy: %s", reason);
		share->errors++;
		return;
	}
	/* across a link where there is one */
	dst = b->have_b ? &s.b_dst : &s.a_dst;
	op.src = s.a_src.ga;
	op.dst = dst->ga;
	bench_area_pattern(b, &s, &s.a_src, &pt);
	bench_area_poison(b, dst);
	bench_drive_single(b, "copy", &op, p->key[KEY_EVENT], limit, p->stats, share);
	if (share->ops && !bench_area_check(b, &s, dst, &pt, "copy"))
		share->errors++;
	bench_set_free(&s);
}

static void run(struct bench *b, struct bench_point *p, const struct bench_limit *limit, struct bench_share *share)
{
	struct hsl_op nop = { .opcode = HSL_OP_NOP };
	char reason[160];

	if (bench_queue_ready(b, b->a.node, 2, p->key[KEY_EVENT], reason)) {
		bench_complain(b, "lat: %s", reason);
		share->errors++;
	} else if (p->r.size_bytes) {
		run_copy(b, p, limit, share);
	} else {
		bench_drive_single(b, "nop", &nop, p->key[KEY_EVENT], limit, p->stats, share);
	}
}

static void point(struct bench *b, struct bench_point **list, unsigned int *n, uint64_t size, bool event)
{
	struct bench_point *p;

	if (!bench_wants(b, size ? "copy" : "nop"))
		return;
	p = bench_point_add(list, n, "lat", size ? "copy" : "nop");
	snprintf(p->r.src, sizeof(p->r.src), "chip %u", b->a.node);
	snprintf(p->r.dst, sizeof(p->r.dst), "chip %u", size && b->have_b ? b->b.node : b->a.node);
	p->r.wake = event ? "event" : "poll";
	p->r.size_bytes = size;
	p->r.depth = p->r.batch = 1;
	p->r.ratio_to = "ping-pong";
	p->bytes_per_op = (double)size;
	p->key[KEY_EVENT] = event;
	p->run = run;
	p->stats = tool_stats_new();
	p->warm_up = WARM_UP;
}

/* ---- threads of this program, without a chip ---- */

static void run_threads(struct bench *b, struct bench_point *p, const struct bench_limit *limit, struct bench_share *share)
{
	uint64_t start = bench_now_ns();
	struct tool_summary sum;
	int cpu[2] = { -1, -1 }, rc;

	(void)b;
	rc = p->key[KEY_EVENT] ? bench_wake(limit, p->stats, false, cpu) : bench_pingpong(limit, p->stats, cpu);
	if (rc) {
		snprintf(p->r.reason, sizeof(p->r.reason), "no second thread: %s", strerror(-rc));
		return;
	}
	/* every value came back, or the loop would not have ended */
	tool_stats_summary(p->stats, &sum);
	share->ops = sum.count - p->all.ops;
	share->ns = bench_now_ns() - start;
	snprintf(p->r.src, sizeof(p->r.src), "cpu %d", cpu[0]);
	snprintf(p->r.dst, sizeof(p->r.dst), "cpu %d", cpu[1]);
	if (cpu[0] == cpu[1] && !p->key[KEY_EVENT])
		p->r.wake = "yield";
}

static void point_threads(struct bench_point **list, unsigned int *n, bool event)
{
	struct bench_point *p = bench_point_add(list, n, "lat", event ? "eventfd" : "ping-pong");

	p->r.baseline = true;
	p->r.wake = event ? "event" : "poll";
	p->key[KEY_EVENT] = event;
	p->run = run_threads;
	p->stats = tool_stats_new();
}

void bench_lat(struct bench *b)
{
	static const uint64_t normal[] = { 0, 8, 64, 4096 }, quick[] = { 0, 64, 4096 };
	const struct bench_config *c = b->config;
	const uint64_t *size = c->nsizes ? c->size : c->quick ? quick : normal;
	unsigned int nsizes = c->nsizes ? c->nsizes : c->quick ? 3 : 4, n = 0, first = b->nresults;
	struct bench_point *list = NULL;

	for (unsigned int event = 0; event < 2 && !bench_stands_still(b); event++)
		point_threads(&list, &n, event);
	/* a sleeper would sleep for ever where time goes on with each look */
	for (unsigned int event = c->wait == BENCH_EVENT; event < (bench_stands_still(b) || c->wait == BENCH_POLL ? 1 : 2); event++) {
		/* sizes named by the user are of COPY: NOP stays */
		if (c->nsizes)
			point(b, &list, &n, 0, event);
		for (unsigned int i = 0; i < nsizes; i++)
			point(b, &list, &n, size[i], event);
	}
	bench_points_run(b, list, n);
	bench_ratios(b, first);
}
