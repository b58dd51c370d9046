// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * hslbench bw: bytes per second of every way to move them, next to what this CPU does on RAM.
 */
#include <math.h>
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

struct sum {
	struct bench_share all;	/* windows: of all rounds */
	struct tool_moments rounds;
	bool wrong;
};

static bool wanted(const struct bench *b, const struct way *w)
{
	if (!w->baseline && b->f && bench_stands_still(b))
		return false;
	if (bench_wants(b, w->op))
		return true;
	/* a baseline whose ratio is asked for */
	for (size_t i = 0; i < NWAYS; i++)
		if (ways[i].baseline && !strcmp(ways[i].baseline, w->op) &&
		    bench_wants(b, ways[i].op))
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

static void run_by_chip(struct bench *b, const struct bench_set *s, const struct way *w,
			uint64_t seed, uint32_t depth,
			uint32_t batch, const struct bench_limit *limit, struct bench_share *out)
{
	const struct bench_area *src = area_of(s, w->src, false), *dst = area_of(s, w->dst, true);
	struct hsl_op *op = tool_calloc(s->slots, sizeof(*op));
	char reason[160];

	for (uint32_t i = 0; i < s->slots; i++) {
		op[i].opcode = w->opcode;
		op[i].dst = dst->ga + i * s->stride;
		op[i].len = s->size;
		if (w->opcode == HSL_OP_COPY)
			op[i].src = src->ga + i * s->stride;
		else
			op[i].arg0 = seed;
	}
	if (bench_queue_ready(b, b->a.node, depth, false, reason)) {
		bench_complain(b, "%s: %s", w->op, reason);
		out->errors++;
	} else {
		bench_drive(b, w->op, op, s->slots, depth, batch, limit, out);
	}
	free(op);
}

/* One round's share of one way: poison, run, compare. */
static void run_way(struct bench *b, const struct bench_set *s, const struct way *w, uint32_t depth,
		    uint32_t batch,
		    const struct bench_limit *limit, struct sum *sum)
{
	const struct bench_area *src = area_of(s, w->src, false), *dst = area_of(s, w->dst, true);
	struct tool_pattern pt = { .seed = b->config->seed, .kind = w->kind };
	struct bench_share share = { .windows.width_ns = b->config->window_ns };
	bool reads_only = !w->by_chip && w->cpu_op == BENCH_LOAD;

	if (w->kind == TOOL_PATTERN_CONST && !w->by_chip)
		pt.seed = (pt.seed & 0xff) * 0x0101010101010101ull;	/* memset knows bytes */
	if (!reads_only)
		bench_area_poison(b, dst);
	if (w->by_chip)
		run_by_chip(b, s, w, pt.seed, depth, batch, limit, &share);
	else
		bench_cpu_run(s, w->cpu_op, dst, src, pt.seed, limit, &share);
	/* with fewer operations than slots the rest is still poison */
	if (reads_only && share.errors) {
		bench_complain(b,
			       "%s: the sum of what was loaded from %s at 0x%llx is wrong %llu times", w->op, src->name,
			       (unsigned long long)(uintptr_t)src->p, (unsigned long long)share.errors);
	} else if (!reads_only && share.ops) {
		struct bench_set used = *s;

		if (share.ops < used.slots)
			used.slots = (uint32_t)share.ops;
		if (!bench_area_check(b, &used, dst, &pt, w->op))
			share.errors++;
	}
	sum->wrong |= bench_share_add(&sum->all, &sum->rounds, &share);
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

static struct bench_result *result_new(struct bench *b, const struct way *w, uint64_t size,
				       uint32_t depth, uint32_t batch)
{
	struct bench_result *r = bench_result_add(b, "bw", w->op);

	r->baseline = !w->baseline;
	r->size_bytes = size;
	end_name(b, w->src, r->src, sizeof(r->src));
	end_name(b, w->dst, r->dst, sizeof(r->dst));
	if (w->by_chip) {
		r->depth = depth;
		r->batch = batch;
		if (w->opcode == HSL_OP_FILL)
			strcpy(r->src, "pattern");
	} else if (w->cpu_op == BENCH_LOAD) {
		strcpy(r->dst, "cpu");
	} else if (w->cpu_op != BENCH_MEMCPY) {
		strcpy(r->src, "cpu");
	}
	return r;
}

/* The CPU's own accesses of chip memory. */
static bool needs_mapping(const struct way *w)
{
	return !w->by_chip && w->baseline;
}

static void report(struct bench *b, uint64_t size, const struct sum *sum, bool mapped, uint32_t depth,
		   uint32_t batch)
{
	for (size_t i = 0; i < NWAYS; i++) {
		const struct way *w = &ways[i];
		bool no_chip = w->dst == B && !b->have_b, no_map = needs_mapping(w) && (!mapped || bench_stands_still(b));
		struct bench_result *r;

		if (!wanted(b, w) || (!sum[i].all.ops && !sum[i].all.errors && !no_chip && !no_map))
			continue;
		r = result_new(b, w, size, depth, batch);
		if (no_map) {
			snprintf(r->reason, sizeof(r->reason), "%s", mapped ? BENCH_NO_CPU : "observable memory of sim: cannot be mapped");
			continue;
		}
		if (no_chip) {
			snprintf(r->reason, sizeof(r->reason),
				 "needs two chips, the fabric has one");
			continue;
		}
		r->ops = sum[i].all.ops;
		r->duration_ns = sum[i].all.ns;
		r->ops_per_s = tool_rate(r->ops, r->duration_ns);
		r->bytes_per_s = r->ops_per_s * (double)size;
		r->bytes_per_s_min = sum[i].all.windows.least * (double)size;
		r->bytes_per_s_max = sum[i].all.windows.most * (double)size;
		r->rounds = (unsigned int)sum[i].rounds.n;
		r->ci95 = tool_moments_ci95(&sum[i].rounds);
		r->errors = sum[i].all.errors;
		r->verified = !sum[i].wrong;
		r->ratio_to = w->baseline;
		for (size_t k = 0; w->baseline && k < NWAYS; k++)
			if (!strcmp(ways[k].op, w->baseline))
				r->ratio = r->ops_per_s / tool_rate(sum[k].all.ops, sum[k].all.ns);
		if (w->baseline && w->by_chip && w->opcode == HSL_OP_COPY)
			r->host_bytes_per_s = bench_host_baseline(getenv("HSL_HOST_MEMCPY_BASELINE"), size);
	}
}

static void skip_all(struct bench *b, uint64_t size, const char *reason)
{
	for (size_t i = 0; i < NWAYS; i++)
		if (bench_wants(b, ways[i].op) && ways[i].baseline)
			snprintf(result_new(b, &ways[i], size, 0, 0)->reason, 160, "%s", reason);
}

static double worst_ci(const struct sum *sum)
{
	double worst = 0, ci;

	for (size_t i = 0; i < NWAYS; i++) {
		ci = tool_moments_ci95(&sum[i].rounds);
		worst = ci > worst && !sum[i].wrong ? ci : worst;
	}
	return worst;
}

static void measure_size(struct bench *b, uint64_t size)
{
	const struct bench_config *c = b->config;
	unsigned int rounds = bench_rounds(b);
	uint32_t batch = c->nbatches ? (uint32_t)c->batch[0] : 1;
	uint32_t depth = c->ndepths ? (uint32_t)c->depth[0] : batch > DEPTH ? batch : DEPTH;
	struct tool_pattern pt = { .seed = c->seed };
	struct sum sum[NWAYS];
	struct bench_set s;
	char reason[160], buf[TOOL_SIZE_LEN];

	while (depth > 2 && depth / 2 >= batch && depth > BYTES_IN_FLIGHT_MAX / size)
		depth /= 2;
	if (size > b->a.max_len_bytes) {
		snprintf(reason, sizeof(reason),
			 "longer than one command of chip %u can be (%llu bytes)", b->a.node,
			 (unsigned long long)b->a.max_len_bytes);
		skip_all(b, size, reason);
		return;
	}
	tool_progress("bw %s: preparing", tool_size_format(size, buf, sizeof(buf)));
	if (bench_set_new(b, &s, size, bench_slots(b, size, depth), reason)) {
		skip_all(b, size, reason);
		return;
	}
	for (size_t i = 0; i < NWAYS; i++)
		sum[i] = (struct sum){ 0 };
	bench_area_pattern(b, &s, &s.host_src, &pt);
	bench_area_pattern(b, &s, &s.a_src, &pt);
	for (unsigned int round = 0; !tool_stopped() && !bench_rounds_enough(b, round, worst_ci(sum)); round++) {
		struct bench_limit limit = { .iters = c->iters / rounds + (round < c->iters % rounds),
					     .ns = c->duration_ns / rounds };

		if (c->iters && !limit.iters)
			break;
		for (size_t i = 0; i < NWAYS && !tool_stopped(); i++) {
			if (!wanted(b, &ways[i]) || (ways[i].dst == B && !b->have_b) ||
			    (needs_mapping(&ways[i]) && (s.a_src.copy || bench_stands_still(b))) || sum[i].wrong)
				continue;
			tool_progress("bw %s: round %u, %s", buf, round + 1,
				      ways[i].op);
			run_way(b, &s, &ways[i], depth, batch, &limit, &sum[i]);
		}
	}
	tool_progress_clear();
	report(b, size, sum, !s.a_src.copy, depth, batch);
	bench_set_free(&s);
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
		const struct way *w = &ways[0];
		struct bench_limit limit = { .iters = c->iters, .ns = c->duration_ns };
		struct tool_pattern pt = { .seed = c->seed };
		struct sum sum = { 0 };
		struct bench_result *r;
		struct bench_set s;
		char reason[160];

		if (bench_set_new(b, &s, size[i], bench_slots(b, size[i], DEPTH), reason)) {
			snprintf(result_new(b, w, size[i], 0, 0)->reason, 160, "%s", reason);
			continue;
		}
		bench_area_pattern(b, &s, &s.host_src, &pt);
		run_way(b, &s, w, 0, 0, &limit, &sum);
		bench_set_free(&s);
		if (!sum.all.ops)
			continue;
		r = result_new(b, w, size[i], 0, 0);
		r->verb = "baseline";
		r->ops = sum.all.ops;
		r->duration_ns = sum.all.ns;
		r->ops_per_s = tool_rate(r->ops, r->duration_ns);
		r->bytes_per_s = r->ops_per_s * (double)size[i];
		r->bytes_per_s_min = sum.all.windows.least * (double)size[i];
		r->bytes_per_s_max = sum.all.windows.most * (double)size[i];
		r->errors = sum.all.errors;
		r->verified = !sum.wrong;
	}
}
