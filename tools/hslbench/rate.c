// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * hslbench rate: operations per second, over how many go with one doorbell and how many are in flight.
 */
#include <stdio.h>

#include "bench.h"

#define COPY_BYTES	64u

enum { KEY_COPY };

/* Operations are spread over all slots of the set: a lost one leaves a hole. */
static void run(struct bench *b, struct bench_point *p, const struct bench_limit *limit, struct bench_share *share)
{
	const struct bench_set *s = p->arg;
	const struct bench_move copy = {
		.name = "copy", .opcode = HSL_OP_COPY, .shape = s, .src = &s->a_src, .dst = b->have_b ? &s->b_dst : &s->a_dst,
		.pt.seed = b->config->seed, .node = b->a.node, .depth = p->r.depth, .batch = p->r.batch,
	};
	const struct hsl_op nop = { .opcode = HSL_OP_NOP };
	char reason[160];

	if (p->key[KEY_COPY]) {
		bench_move(b, &copy, limit, share);
	} else if (bench_queue_ready(b, b->a.node, p->r.depth, false, reason)) {
		bench_complain(b, "rate: %s", reason);
		share->errors++;
	} else {
		bench_drive(b, "nop", &nop, 1, p->r.depth, p->r.batch, limit, share);
	}
}

static void make_flows(struct bench *b, struct bench_set *s, struct bench_point *p, uint64_t queues)
{
	struct bench_flows *x = bench_flows_new(b, p, queues);

	x->opcode = p->key[KEY_COPY] ? HSL_OP_COPY : HSL_OP_NOP;
	if (p->key[KEY_COPY] && (b->have_b || b->config->pattern))
		bench_edges_of(b, x);
	else
		bench_edges_add(b, x, b->a.node, b->a.node);
	bench_flows_ready(b, p, p->key[KEY_COPY] ? s : NULL);
}

static void point(struct bench *b, struct bench_set *s, struct bench_point **list, unsigned int *n, bool copy, uint32_t depth,
		  uint32_t batch, uint64_t queues)
{
	struct bench_point *p = bench_point_add(list, n, "rate", copy ? "copy" : "nop");

	snprintf(p->r.src, sizeof(p->r.src), "chip %u", b->a.node);
	snprintf(p->r.dst, sizeof(p->r.dst), "chip %u", copy && b->have_b ? b->b.node : b->a.node);
	p->r.size_bytes = copy ? COPY_BYTES : 0;
	p->r.depth = depth;
	p->r.batch = batch;
	p->bytes_per_op = copy ? COPY_BYTES : 0;
	p->key[KEY_COPY] = copy;
	p->run = run;
	p->arg = s;
	if (bench_parallel(b->config))
		make_flows(b, s, p, queues);
}

void bench_rate(struct bench *b)
{
	static const uint64_t depths[] = { 16, 256 }, quick_depths[] = { 256 }, batches[] = { 1, 8, 32, 128 };
	const struct bench_config *c = b->config;
	const uint64_t *depth = c->ndepths ? c->depth : c->quick ? quick_depths : depths;
	const uint64_t *batch = c->nbatches ? c->batch : batches;
	unsigned int nd = c->ndepths ? c->ndepths : c->quick ? 1 : 2, nb = c->nbatches ? c->nbatches : 4, n = 0;
	struct tool_pattern pt = { .seed = c->seed };
	struct bench_point *list = NULL;
	struct bench_set s = { 0 };
	char reason[160] = "";

	if (c->stride && c->stride < COPY_BYTES)
		snprintf(reason, sizeof(reason), "--stride %llu is less than the size", (unsigned long long)c->stride);
	else if (!bench_set_new(b, &s, COPY_BYTES, 256, reason))
		bench_area_pattern(b, &s, &s.a_src, &pt);
	/* a NOP goes nowhere */
	for (int copy = c->pattern || c->bidir; copy < 2; copy++)
		for (unsigned int d = 0; bench_wants(b, copy ? "copy" : "nop") && d < nd; d++)
			for (unsigned int i = 0; i < nb; i++) {
				uint32_t deep = depth[d] > b->a.max_depth && !c->ndepths ? b->a.max_depth : (uint32_t)depth[d];

				for (unsigned int q = 0; batch[i] <= deep && q < (c->nqueues ? c->nqueues : 1); q++)
					point(b, &s, &list, &n, copy, deep, (uint32_t)batch[i], c->nqueues ? c->queues[q] : 0);
			}
	bench_points_skip(list, n, reason);
	bench_points_run(b, list, n);
	bench_set_free(&s);
}
