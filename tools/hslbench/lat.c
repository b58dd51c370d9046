// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * hslbench lat: one operation at a time, from submit to completion, found by polling or by sleeping on the queue's
 * descriptor; next to what two threads of this program need to bounce a cache line, and to wake each other by eventfd.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "bench.h"
#include "progress.h"

#define CASES_MAX	(2 * (BENCH_SIZES_MAX + 1))
#define WARM_UP		16u

struct kind {			/* one row */
	uint64_t size;		/* 0 = NOP */
	bool event;
	struct bench_share all;
	struct tool_stats *stats;
	bool wrong;
};

static void run_copy(struct bench *b, struct kind *k, const struct bench_limit *limit,
		     struct tool_stats *stats,
		     struct bench_share *share)
{
	struct tool_pattern pt = { .seed = b->config->seed };
	struct hsl_op op = { .opcode = HSL_OP_COPY, .len = k->size };
	struct bench_set s;
	char reason[160];

	if (bench_set_new(b, &s, k->size, 1, reason)) {
		bench_complain(b, "copy: %s", reason);
		share->errors++;
		return;
	}
	/* across a link where there is one */
	op.src = s.a_src.ga;
	op.dst = b->have_b ? s.b_dst.ga : s.a_dst.ga;
	bench_area_pattern(b, &s, &s.a_src, &pt);
	bench_area_poison(b, b->have_b ? &s.b_dst : &s.a_dst);
	bench_drive_single(b, "copy", &op, k->event, limit, stats, share);
	if (share->ops && !bench_area_check(b, &s, b->have_b ? &s.b_dst : &s.a_dst, &pt, "copy"))
		share->errors++;
	bench_set_free(&s);
}

static void run_kind(struct bench *b, struct kind *k, const struct bench_limit *limit,
		     struct tool_stats *stats)
{
	struct hsl_op nop = { .opcode = HSL_OP_NOP };
	struct bench_share share = { 0 };
	char reason[160];

	if (bench_queue_ready(b, b->a.node, 2, k->event, reason)) {
		bench_complain(b, "lat: %s", reason);
		share.errors++;
	} else if (k->size) {
		run_copy(b, k, limit, stats, &share);
	} else {
		bench_drive_single(b, "nop", &nop, k->event, limit, stats, &share);
	}
	k->wrong |= share.errors != 0;
	k->all.errors += share.errors;
	if (stats != k->stats)
		return;		/* warm-up */
	k->all.ops += share.ops;
	k->all.ns += share.ns;
}

static void report(struct bench *b, const struct kind *k, unsigned int n,
		   const struct tool_summary *base)
{
	for (unsigned int i = 0; i < n; i++) {
		struct bench_result *r = bench_result_add(b, "lat", k[i].size ? "copy" : "nop");

		snprintf(r->src, sizeof(r->src), "chip %u", b->a.node);
		snprintf(r->dst, sizeof(r->dst), "chip %u", k[i].size &&
			 b->have_b ? b->b.node : b->a.node);
		r->wake = k[i].event ? "event" : "poll";
		r->size_bytes = k[i].size;
		r->depth = 1;
		r->batch = 1;
		r->ops = k[i].all.ops;
		r->duration_ns = k[i].all.ns;
		r->errors = k[i].all.errors;
		r->verified = !k[i].wrong && r->ops;
		tool_stats_summary(k[i].stats, &r->latency);
		if (!r->ops && !r->errors)
			snprintf(r->reason, sizeof(r->reason), "interrupted");
		r->ops_per_s = tool_rate(r->ops, r->duration_ns);
		r->bytes_per_s = k[i].size ? r->ops_per_s * (double)k[i].size : NAN;
		if (base->count && base->p50) {
			r->ratio_to = "ping-pong";
			r->ratio = r->latency.count ? (double)r->latency.p50 / (double)base->p50 : NAN;
		}
	}
}

static struct bench_result *threads_result(struct bench *b, const char *op, const int cpu[2], int rc,
					   const struct tool_summary *sum)
{
	struct bench_result *r = bench_result_add(b, "lat", op);

	snprintf(r->src, sizeof(r->src), "cpu %d", cpu[0]);
	snprintf(r->dst, sizeof(r->dst), "cpu %d", cpu[1]);
	r->baseline = true;
	r->wake = cpu[0] == cpu[1] ? "yield" : "poll";
	r->latency = *sum;
	r->ops = sum->count;
	r->verified = sum->count != 0;	/* every value came back, or the loop would not have ended */
	if (rc)
		snprintf(r->reason, sizeof(r->reason), "no second thread: %s", strerror(-rc));
	else if (!sum->count)
		snprintf(r->reason, sizeof(r->reason), "interrupted");
	return r;
}

static unsigned int kinds_make(const struct bench *b, struct kind *k)
{
	static const uint64_t normal[] = { 0, 8, 64, 4096 }, quick[] = { 0, 64, 4096 };
	const struct bench_config *c = b->config;
	const uint64_t *size = c->nsizes ? c->size : c->quick ? quick : normal;
	size_t nsizes = c->nsizes ? c->nsizes : c->quick ? sizeof(quick) / sizeof(quick[0]) : sizeof(normal) / sizeof(normal[0]);
	unsigned int n = 0;

	/* sizes named by the user are of COPY: NOP stays */
	/* a sleeper would sleep for ever where time goes on with each look */
	for (int event = 0; event < (bench_stands_still(b) ? 1 : 2); event++) {
		if (c->nsizes && bench_wants(b, "nop"))
			k[n++] = (struct kind){ .event = event };
		for (size_t i = 0; i < nsizes; i++)
			if (bench_wants(b, size[i] ? "copy" : "nop"))
				k[n++] = (struct kind){ .size = size[i], .event = event };
	}
	for (unsigned int i = 0; i < n; i++)
		k[i].stats = tool_stats_new();
	return n;
}

void bench_lat(struct bench *b)
{
	const struct bench_config *c = b->config;
	unsigned int rounds = bench_rounds(b), n;
	struct tool_stats *base = tool_stats_new(), *wake = tool_stats_new(), *warm = tool_stats_new();
	const struct bench_limit warm_up = { .iters = WARM_UP };
	struct tool_summary base_sum, wake_sum;
	struct kind k[CASES_MAX];
	int cpu[2] = { -1, -1 }, rc = 0, rc_wake = 0;

	n = kinds_make(b, k);
	for (unsigned int i = 0; i < n && !tool_stopped(); i++)
		run_kind(b, &k[i], &warm_up, warm);
	for (unsigned int round = 0; round < rounds && !tool_stopped(); round++) {
		struct bench_limit limit = { .iters = c->iters / rounds + (round < c->iters % rounds),
					     .ns = c->duration_ns / rounds };

		if (c->iters && !limit.iters)
			break;
		tool_progress("lat: round %u of %u", round + 1, rounds);
		if (!bench_stands_still(b)) {
			rc = bench_pingpong(&limit, base, cpu);
			rc_wake = bench_wake(&limit, wake, false);
		}
		for (unsigned int i = 0; i < n && !tool_stopped(); i++)
			if (!k[i].wrong)
				run_kind(b, &k[i], &limit, k[i].stats);
	}
	tool_progress_clear();
	tool_stats_summary(base, &base_sum);
	tool_stats_summary(wake, &wake_sum);
	if (!bench_stands_still(b)) {
		threads_result(b, "ping-pong", cpu, rc, &base_sum);
		threads_result(b, "eventfd", cpu, rc_wake, &wake_sum)->wake = "event";
	}
	report(b, k, n, &base_sum);
	for (unsigned int i = 0; i < n; i++)
		tool_stats_free(k[i].stats);
	tool_stats_free(base);
	tool_stats_free(wake);
	tool_stats_free(warm);
}
