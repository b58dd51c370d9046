// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * hslbench bw: bytes per second of every way to move them, next to what this CPU does on RAM.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "progress.h"

#define DEPTH			16u
#define BYTES_IN_FLIGHT_MAX	(64ull << 20)	/* the end of a share has to come in sight */

enum where { HOST, A, B };

/* One way to move bytes. Baselines come first: they have no ratio. */
struct way {
	const char *op;
	const char *baseline;
	bool by_chip;		/* a command, else the CPU itself */
	uint8_t opcode;
	enum bench_cpu_op cpu_op;
	enum where src, dst;
	enum tool_pattern_kind kind;	/* what the destination holds after */
};

static const struct way ways[] = {
	{ "memcpy", NULL, false, 0, BENCH_MEMCPY, HOST, HOST, TOOL_PATTERN_HASH },
	{ "memset", NULL, false, 0, BENCH_MEMSET, HOST, HOST, TOOL_PATTERN_CONST },
	{ "ram-load", NULL, false, 0, BENCH_LOAD, HOST, HOST, TOOL_PATTERN_HASH },
	{ "ram-store", NULL, false, 0, BENCH_STORE, HOST, HOST, TOOL_PATTERN_COUNT },
	{ "h2c", "memcpy", true, HSL_OP_COPY, 0, HOST, A, TOOL_PATTERN_HASH },
	{ "c2h", "memcpy", true, HSL_OP_COPY, 0, A, HOST, TOOL_PATTERN_HASH },
	{ "c2c", "memcpy", true, HSL_OP_COPY, 0, A, B, TOOL_PATTERN_HASH },
	{ "same", "memcpy", true, HSL_OP_COPY, 0, A, A, TOOL_PATTERN_HASH },
	{ "fill", "memset", true, HSL_OP_FILL, 0, A, A, TOOL_PATTERN_CONST },
	{ "load", "ram-load", false, 0, BENCH_LOAD, A, A, TOOL_PATTERN_HASH },
	{ "store", "ram-store", false, 0, BENCH_STORE, A, A, TOOL_PATTERN_COUNT },
};
#define NWAYS	(sizeof(ways) / sizeof(ways[0]))

/* What the points of one size share. */
struct bytes {
	struct bench_set set;
	uint32_t depth, batch;
};

/* Queues of a pattern are of chip to chip; both ways at once are there with an end on either side. */
static bool fits_axes(const struct bench_config *c, const struct way *w)
{
	bool c2c = w->src == A && w->dst == B, h2c = w->src == HOST && w->dst == A;

	if (!w->baseline || !bench_parallel(c))
		return true;
	return w->by_chip && (c2c || !c->pattern) && (c2c || h2c || !c->bidir);
}

static bool wanted(const struct bench *b, const struct way *w)
{
	if (!fits_axes(b->config, w))
		return false;
	if (!w->baseline && b->f && bench_stands_still(b))
		return false;
	if (bench_wants(b, w->op))
		return true;
	/* a baseline whose ratio is asked for */
	for (size_t i = 0; i < NWAYS; i++)
		if (ways[i].baseline && !strcmp(ways[i].baseline, w->op) &&
		    bench_wants(b, ways[i].op) && fits_axes(b->config, &ways[i]))
			return true;
	return false;
}

static const struct bench_area *area_of(const struct bench_set *s, enum where where, bool dst)
{
	switch (where) {
	case A:
		return dst ? &s->a_dst : &s->a_src;
	case B:
		return dst ? &s->b_dst : NULL;
	default:
		return dst ? &s->host_dst : &s->host_src;
	}
}

/* The CPU does it: poison, run, compare. */
static void run_by_cpu(struct bench *b, const struct bench_move *m, enum bench_cpu_op op, const struct bench_limit *limit,
		       struct bench_share *share)
{
	struct bench_move done = *m;
	bool reads_only = op == BENCH_LOAD;

	if (m->pt.kind == TOOL_PATTERN_CONST)
		done.pt.seed = (m->pt.seed & 0xff) * 0x0101010101010101ull;	/* memset knows bytes */
	if (!reads_only)
		bench_area_poison(b, m->dst);
	bench_cpu_run(m->shape, op, m->dst, m->src, done.pt.seed, limit, share);
	if (!reads_only)
		share->errors += !bench_move_check(b, &done, share->ops);
	else if (share->errors)
		bench_complain(b, "%s: the sum of what was loaded from %s at 0x%llx is wrong %llu times", m->name, m->src->name,
			       (unsigned long long)(uintptr_t)m->src->p, (unsigned long long)share->errors);
}

static void run(struct bench *b, struct bench_point *p, const struct bench_limit *limit, struct bench_share *share)
{
	const struct bytes *y = p->arg;
	const struct way *w = &ways[p->key[0]];
	const struct bench_move m = {
		.name = w->op, .opcode = w->opcode, .shape = &y->set, .src = area_of(&y->set, w->src, false),
		.dst = area_of(&y->set, w->dst, true), .pt = { .seed = b->config->seed, .kind = w->kind },
		.node = b->a.node, .depth = y->depth, .batch = y->batch,
	};

	if (w->by_chip)
		bench_move(b, &m, limit, share);
	else
		run_by_cpu(b, &m, w->cpu_op, limit, share);
}

/* What the table calls an end of a way. */
static void end_name(const struct bench *b, enum where where, char *buf, size_t len)
{
	if (where == HOST)
		snprintf(buf, len, "host");
	else if (where == B && !b->have_b)
		snprintf(buf, len, "-");
	else
		snprintf(buf, len, "chip %u", where == A ? b->a.node : b->b.node);
}

/* The CPU's own accesses of chip memory. */
static bool needs_mapping(const struct way *w)
{
	return !w->by_chip && w->baseline;
}

static uint32_t node_of(const struct bench *b, enum where where)
{
	return where == HOST ? 0 : where == A ? b->a.node : b->b.node;
}

/* Several queues instead of one. */
static void make_flows(struct bench *b, struct bytes *y, struct bench_point *p, const struct way *w, uint64_t queues)
{
	struct bench_flows *x = bench_flows_new(b, p, queues);

	x->opcode = w->opcode;
	x->kind = w->kind;
	if (w->dst == B)
		bench_edges_of(b, x);
	else
		bench_edges_add(b, x, node_of(b, w->src), node_of(b, w->dst));
	bench_flows_ready(b, p, &y->set);
}

static struct bench_point *point(struct bench *b, struct bytes *y, struct bench_point **list, unsigned int *n, const char *verb,
				 const struct way *w)
{
	struct bench_point *p = bench_point_add(list, n, verb, w->op);
	uint64_t size = y->set.size;

	p->r.baseline = !w->baseline;
	p->r.ratio_to = w->baseline;
	p->r.size_bytes = size;
	end_name(b, w->src, p->r.src, sizeof(p->r.src));
	end_name(b, w->dst, p->r.dst, sizeof(p->r.dst));
	if (w->by_chip) {
		p->r.depth = y->depth;
		p->r.batch = y->batch;
		if (w->opcode == HSL_OP_FILL)
			strcpy(p->r.src, "pattern");
	} else if (w->cpu_op == BENCH_LOAD) {
		strcpy(p->r.dst, "cpu");
	} else if (w->cpu_op != BENCH_MEMCPY) {
		strcpy(p->r.src, "cpu");
	}
	if (w->baseline && w->by_chip && w->opcode == HSL_OP_COPY)
		p->r.host_bytes_per_s = bench_host_baseline(getenv("HSL_HOST_MEMCPY_BASELINE"), size);
	p->bytes_per_op = (double)size;
	p->run = run;
	p->arg = y;
	p->key[0] = (unsigned int)(w - ways);
	if (!w->by_chip && w->cpu_op != BENCH_MEMCPY && w->cpu_op != BENCH_MEMSET && b->config->offset % 8)
		strcpy(p->r.reason, "words of 8 bytes are loaded and stored: --offset is not a multiple");
	else if (needs_mapping(w) && y->set.a_src.copy)
		strcpy(p->r.reason, "observable memory of sim: cannot be mapped");
	else if (needs_mapping(w) && bench_stands_still(b))
		strcpy(p->r.reason, BENCH_NO_CPU);
	else if (w->dst == B && !b->have_b)
		strcpy(p->r.reason, "needs two chips, the fabric has one");
	return p;
}

static void points_of(struct bench *b, struct bytes *y, struct bench_point **list, unsigned int *n, const struct way *w)
{
	const struct bench_config *c = b->config;
	unsigned int points = w->by_chip && c->nqueues ? c->nqueues : 1;

	for (unsigned int i = 0; i < points; i++) {
		struct bench_point *p = point(b, y, list, n, "bw", w);

		if (w->by_chip && bench_parallel(c))
			make_flows(b, y, p, w, c->nqueues ? c->queues[i] : 0);
	}
}

/* Buffers of one size, filled; reason gets why there are none. */
static void bytes_new(struct bench *b, struct bytes *y, uint64_t size, char *reason)
{
	const struct bench_config *c = b->config;
	struct tool_pattern pt = { .seed = c->seed };

	y->batch = c->nbatches ? (uint32_t)c->batch[0] : 1;
	y->depth = c->ndepths ? (uint32_t)c->depth[0] : y->batch > DEPTH ? y->batch : DEPTH;
	while (y->depth > 2 && y->depth / 2 >= y->batch && y->depth > BYTES_IN_FLIGHT_MAX / size)
		y->depth /= 2;
	if (b->f && size > b->a.max_len_bytes) {
		snprintf(reason, 160, "longer than one command of chip %u can be (%llu bytes)", b->a.node,
			 (unsigned long long)b->a.max_len_bytes);
	} else if (c->stride && c->stride < size) {
		snprintf(reason, 160, "--stride %llu is less than the size", (unsigned long long)c->stride);
	} else if (!bench_set_new(b, &y->set, size, bench_slots(b, size, y->depth), reason)) {
		bench_area_pattern(b, &y->set, &y->set.host_src, &pt);
		if (b->f)
			bench_area_pattern(b, &y->set, &y->set.a_src, &pt);
	}
	y->set.size = size;
}

static void measure_size(struct bench *b, uint64_t size)
{
	struct bench_point *list = NULL;
	char reason[160] = "", buf[TOOL_SIZE_LEN];
	unsigned int n = 0, first = b->nresults;
	struct bytes y = { 0 };

	tool_progress("bw %s: preparing", tool_size_format(size, buf, sizeof(buf)));
	bytes_new(b, &y, size, reason);
	for (size_t i = 0; i < NWAYS; i++)
		/* without buffers there is nothing to compare with */
		if (wanted(b, &ways[i]) && (!*reason || ways[i].baseline))
			points_of(b, &y, &list, &n, &ways[i]);
	bench_points_skip(list, n, reason);
	bench_points_run(b, list, n);
	bench_ratios(b, first);
	bench_set_free(&y.set);
}

/* In any order, reported in the order asked for: no size profits from the one before it. */
void bench_bw(struct bench *b)
{
	static const uint64_t normal[] = { 4096, 65536, 1 << 20, 16 << 20 };
	static const uint64_t quick[] = { 4096, 65536, 1 << 20 }, observable[] = { 64, 4096, 65536 };
	const struct bench_config *c = b->config;
	const uint64_t *size = c->nsizes ? c->size : c->observable ? observable : c->quick ? quick : normal;
	unsigned int n = c->nsizes ? c->nsizes : c->quick || c->observable ? 3 : 4, order[BENCH_SIZES_MAX];
	unsigned int first = b->nresults;
	uint64_t state = c->seed;

	for (unsigned int i = 0; i < n; i++)
		order[i] = i;
	bench_shuffle(&state, order, n);
	for (unsigned int i = 0; i < n && !tool_stopped(); i++)
		measure_size(b, size[order[i]]);
	bench_results_order(b, first, size, n);
}

/* ---- the machine below ---- */

void bench_baseline(struct bench *b)
{
	static const uint64_t normal[] = { 4096, 65536, 1 << 20, 16 << 20 };
	const struct bench_config *c = b->config;
	const uint64_t *size = c->nsizes ? c->size : normal;
	size_t n = c->nsizes ? c->nsizes : sizeof(normal) / sizeof(normal[0]);

	for (size_t i = 0; i < n && !tool_stopped(); i++) {
		struct bench_point *list = NULL;
		char reason[160] = "";
		unsigned int points = 0;
		struct bytes y = { 0 };

		bytes_new(b, &y, size[i], reason);
		point(b, &y, &list, &points, "baseline", &ways[0]);
		bench_points_skip(list, points, reason);
		bench_points_run(b, list, points);
		bench_set_free(&y.set);
	}
}
