// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * hslbench rate: operations per second, over how many go with one doorbell and how many are in flight.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "progress.h"

#define COPY_BYTES	64u

struct point {
	bool copy;
	uint32_t depth, batch;
	struct bench_share all;
	struct tool_moments rounds;
	bool wrong;
};

/* Operations are spread over all slots of the set: a lost one leaves a hole. */
static void run_point(struct bench *b, struct point *p, struct bench_set *s,
		      const struct bench_limit *limit)
{
	const struct bench_area *dst = b->have_b ? &s->b_dst : &s->a_dst;
	struct tool_pattern pt = { .seed = b->config->seed };
	struct hsl_op *op = tool_calloc(s->slots, sizeof(*op));
	struct bench_share share = { .windows.width_ns = b->config->window_ns };
	unsigned int nops = p->copy ? s->slots : 1;
	char reason[160];

	for (uint32_t i = 0; p->copy && i < s->slots; i++) {
		op[i].opcode = HSL_OP_COPY;
		op[i].src = s->a_src.ga + i * s->stride;
		op[i].dst = dst->ga + i * s->stride;
		op[i].len = s->size;
	}
	bench_area_poison(b, dst);
	if (bench_queue_ready(b, b->a.node, p->depth, false, reason)) {
		bench_complain(b, "rate: %s", reason);
		share.errors++;
	} else {
		bench_drive(b, p->copy ? "copy" : "nop", op, nops, p->depth, p->batch, limit,
			    &share);
		if (p->copy && share.ops) {
			struct bench_set used = *s;

			if (share.ops < used.slots)
				used.slots = (uint32_t)share.ops;
			share.errors += !bench_area_check(b, &used, dst, &pt, "copy");
		}
	}
	free(op);
	p->wrong |= bench_share_add(&p->all, &p->rounds, &share);
}

static unsigned int points_make(const struct bench *b, struct point *p, unsigned int max)
{
	static const uint64_t depths[] = { 16, 256 }, quick_depths[] = { 256 }, batches[] = { 1, 8,
											     32, 128 };
	const struct bench_config *c = b->config;
	const uint64_t *depth = c->ndepths ? c->depth : c->quick ? quick_depths : depths;
	const uint64_t *batch = c->nbatches ? c->batch : batches;
	unsigned int nd = c->ndepths ? c->ndepths : c->quick ? 1 : 2, nb = c->nbatches ? c->nbatches : 4, n = 0;

	for (int copy = 0; copy < 2; copy++) {
		if (!bench_wants(b, copy ? "copy" : "nop"))
			continue;
		for (unsigned int d = 0; d < nd; d++)
			for (unsigned int i = 0; i < nb; i++) {
				uint32_t deep = depth[d] > b->a.max_depth && !c->ndepths ? b->a.max_depth : (uint32_t)depth[d];

				if (batch[i] <= deep && n < max)
					p[n++] = (struct point){ .copy = copy, .depth = deep, .batch = (uint32_t)batch[i] };
			}
	}
	return n;
}

static void report(struct bench *b, const struct point *p, const char *reason)
{
	struct bench_result *r = bench_result_add(b, "rate", p->copy ? "copy" : "nop");
	bool link = p->copy && b->have_b;

	snprintf(r->src, sizeof(r->src), "chip %u", b->a.node);
	snprintf(r->dst, sizeof(r->dst), "chip %u", link ? b->b.node : b->a.node);
	r->size_bytes = p->copy ? COPY_BYTES : 0;
	r->depth = p->depth;
	r->batch = p->batch;
	r->ops = p->all.ops;
	r->duration_ns = p->all.ns;
	r->ops_per_s = tool_rate(r->ops, r->duration_ns);
	if (p->copy) {
		r->bytes_per_s = r->ops_per_s * COPY_BYTES;
		r->bytes_per_s_min = p->all.windows.least * COPY_BYTES;
		r->bytes_per_s_max = p->all.windows.most * COPY_BYTES;
	}
	r->rounds = (unsigned int)p->rounds.n;
	r->ci95 = tool_moments_ci95(&p->rounds);
	r->errors = p->all.errors;
	r->verified = !p->wrong && r->ops;
	if (reason)
		snprintf(r->reason, sizeof(r->reason), "%s", reason);
	else if (!r->ops && !r->errors)
		snprintf(r->reason, sizeof(r->reason), "interrupted");
}

static double worst_ci(const struct point *p, unsigned int n)
{
	double worst = 0, ci;

	for (unsigned int i = 0; i < n; i++) {
		ci = tool_moments_ci95(&p[i].rounds);
		worst = ci > worst && !p[i].wrong ? ci : worst;
	}
	return worst;
}

void bench_rate(struct bench *b)
{
	const struct bench_config *c = b->config;
	struct tool_pattern pt = { .seed = c->seed };
	struct point p[2 * BENCH_LIST_MAX * BENCH_LIST_MAX];
	unsigned int n = points_make(b, p, sizeof(p) / sizeof(p[0])), rounds = bench_rounds(b);
	struct bench_set s;
	char reason[160];

	if (bench_set_new(b, &s, COPY_BYTES, 256, reason)) {
		for (unsigned int i = 0; i < n; i++)
			report(b, &p[i], reason);
		return;
	}
	bench_area_pattern(b, &s, &s.a_src, &pt);
	for (unsigned int round = 0; !tool_stopped() && !bench_rounds_enough(b, round, worst_ci(p, n)); round++) {
		struct bench_limit limit = { .iters = c->iters / rounds + (round < c->iters % rounds),
					     .ns = c->duration_ns / rounds };

		if (c->iters && !limit.iters)
			break;
		tool_progress("rate: round %u", round + 1);
		for (unsigned int i = 0; i < n && !tool_stopped(); i++)
			if (!p[i].wrong)
				run_point(b, &p[i], &s, &limit);
	}
	tool_progress_clear();
	for (unsigned int i = 0; i < n; i++)
		report(b, &p[i], NULL);
	bench_set_free(&s);
}
