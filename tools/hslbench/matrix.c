// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * hslbench matrix: every chip to every chip, itself too. The row's chip executes: COPY from its own memory to the column's, many
 * in flight, for bandwidth; LOAD of 8 bytes from the column's, one at a time, for latency: a round trip, from submit to completion.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "progress.h"

#define BYTES		65536u
#define BYTES_OBSERVABLE 4096u
#define DEPTH		16u
#define LATENCY_BYTES	8u

struct matrix {
	uint64_t size;
	uint32_t depth, batch, slots;
	struct bench_set shape;			/* of the areas: sizes only */
	struct bench_area *src, *dst;		/* of each chip */
};

static void run_copy(struct bench *b, struct bench_point *p, const struct bench_limit *limit, struct bench_share *share)
{
	const struct matrix *m = p->arg;
	const struct bench_move copy = {
		.name = "matrix copy", .opcode = HSL_OP_COPY, .shape = &m->shape, .src = &m->src[p->key[0]], .dst = &m->dst[p->key[1]],
		.pt.seed = b->config->seed, .node = b->chip[p->key[0]].node, .depth = m->depth, .batch = m->batch,
	};

	bench_move(b, &copy, limit, share);
}

static void run_load(struct bench *b, struct bench_point *p, const struct bench_limit *limit, struct bench_share *share)
{
	const struct matrix *m = p->arg;
	const struct bench_area *from = &m->src[p->key[1]];
	struct tool_pattern pt = { .seed = b->config->seed };
	struct hsl_op op = hsl_op_load(0, from->ga, LATENCY_BYTES);
	char reason[160];

	b->loaded = 0;
	for (unsigned int i = 0; i < LATENCY_BYTES && i < m->size; i++)
		b->loaded |= (tool_pattern_word(&pt, 0) >> 8 * i & 0xff) << 8 * i;
	for (unsigned int i = (unsigned int)m->size; i < LATENCY_BYTES; i++)
		b->loaded |= (uint64_t)from->p[i] << 8 * i;
	if (bench_queue_ready(b, b->chip[p->key[0]].node, 2, false, reason)) {
		bench_complain(b, "matrix: %s", reason);
		share->errors++;
		return;
	}
	bench_drive_single(b, "matrix load", &op, false, limit, p->stats, share);
}

static int areas_new(struct bench *b, struct matrix *m, char *reason)
{
	struct tool_pattern pt = { .seed = b->config->seed };
	struct bench_set *s = &m->shape;
	int rc = 0;

	s->size = m->size;
	s->slots = m->slots;
	s->stride = bench_stride(m->size);
	s->len = s->stride * s->slots + s->stride;
	m->src = tool_calloc(b->info.nchips, sizeof(*m->src));
	m->dst = tool_calloc(b->info.nchips, sizeof(*m->dst));
	for (unsigned int i = 0; !rc && i < b->info.nchips; i++) {
		rc = bench_area_new(b, &m->src[i], b->chip[i].node, s->len, reason);
		if (!rc)
			rc = bench_area_new(b, &m->dst[i], b->chip[i].node, s->len, reason);
		if (!rc)
			bench_area_pattern(b, s, &m->src[i], &pt);
	}
	return rc;
}

static void areas_free(struct bench *b, struct matrix *m)
{
	for (unsigned int i = 0; i < b->info.nchips; i++) {
		bench_area_free(&m->src[i]);
		bench_area_free(&m->dst[i]);
	}
	free(m->src);
	free(m->dst);
}

static void pair(struct bench *b, struct matrix *m, struct bench_point **list, unsigned int *n, bool load, unsigned int i,
		 unsigned int k)
{
	struct hsl_path_props path = { .size = sizeof(path) };
	struct bench_point *p = bench_point_add(list, n, "matrix", load ? "load" : "copy");

	snprintf(p->r.src, sizeof(p->r.src), "chip %u", b->chip[i].node);
	snprintf(p->r.dst, sizeof(p->r.dst), "chip %u", b->chip[k].node);
	p->r.size_bytes = load ? LATENCY_BYTES : m->size;
	p->r.depth = load ? 1 : m->depth;
	p->r.batch = load ? 1 : m->batch;
	if (load)
		p->r.wake = "poll";
	else
		p->bytes_per_op = (double)m->size;
	if (!hsl_topology_path(b->f, b->chip[i].node, b->chip[k].node, &path))
		p->r.hops = (int)path.hops;
	else
		snprintf(p->r.reason, sizeof(p->r.reason), "no path");
	if (load && !(b->chip[i].cap & HSL_CAP_OP_LOADSTORE))
		snprintf(p->r.reason, sizeof(p->r.reason), "chip %u has no LOAD", b->chip[i].node);
	p->arg = m;
	p->run = load ? run_load : run_copy;
	p->key[0] = i;
	p->key[1] = k;
	p->stats = load ? tool_stats_new_small() : NULL;
}

void bench_matrix(struct bench *b)
{
	static const uint64_t normal[] = { BYTES }, observable[] = { BYTES_OBSERVABLE };
	const struct bench_config *c = b->config;
	const uint64_t *size = c->nsizes ? c->size : c->observable ? observable : normal;
	struct bench_point *list = NULL;
	char reason[160] = "";
	unsigned int n = 0;
	struct matrix m = { .size = size[0], .batch = c->nbatches ? (uint32_t)c->batch[0] : 1 };

	m.depth = c->ndepths ? (uint32_t)c->depth[0] : m.batch > DEPTH ? m.batch : DEPTH;
	m.slots = bench_slots(b, m.size, m.depth);
	tool_progress("matrix: preparing");
	areas_new(b, &m, reason);
	for (int load = 0; load < 2; load++)
		for (unsigned int i = 0; bench_wants(b, load ? "load" : "copy") && i < b->info.nchips; i++)
			for (unsigned int k = 0; k < b->info.nchips; k++)
				pair(b, &m, &list, &n, load, i, k);
	bench_points_skip(list, n, reason);
	bench_points_run(b, list, n);
	areas_free(b, &m);
}
