// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * hslbench atomic: ATOMIC and SIGNAL on a counter, by where it is; one at a time for latency, many in flight for the rate, on one counter or on
 * one for each operation in flight. Each operation adds one, so the counters' sum says how many were done, no more and no less. The
 * baseline is this CPU's own locked add on RAM.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "progress.h"

#define DEPTH		16u
#define STRIDE		128u		/* of counters: two lines, so that none shares one */
#define CPU_TURNS	256u

enum { KEY_WHERE, KEY_SPREAD, KEY_SIGNAL, KEY_SINGLE };

struct counters {
	struct bench_area at[2];	/* on a, on b */
	struct bench_set host;
};

static bool sum_is(struct bench *b, const struct bench_area *a, uint64_t want, const char *op)
{
	uint64_t sum = 0, v;

	if (!bench_area_pull(b, a))
		return false;
	for (uint64_t off = 0; off + 8 <= a->len; off += STRIDE) {
		memcpy(&v, a->p + off, 8);
		sum += v;
	}
	if (sum == want)
		return true;
	bench_complain(b, "atomic %s in %s: address 0x%llx (GA 0x%llx): expected a sum of %llu got %llu", op, a->name,
		       (unsigned long long)(uintptr_t)a->p, (unsigned long long)a->ga, (unsigned long long)want,
		       (unsigned long long)sum);
	return false;
}

static void run_chip(struct bench *b, struct bench_point *p, const struct bench_limit *limit, struct bench_share *share)
{
	struct counters *c = p->arg;
	const struct bench_area *a = &c->at[p->key[KEY_WHERE]];
	unsigned int nops = p->key[KEY_SPREAD] ? p->r.depth : 1;
	struct hsl_op *op = tool_calloc(nops, sizeof(*op));
	char reason[160];

	for (unsigned int i = 0; i < nops; i++)
		op[i] = p->key[KEY_SIGNAL] ? hsl_op_signal(HSL_SIGNAL_ADD, a->ga + i * STRIDE, 1) :
			hsl_op_atomic(HSL_ATOMIC_ADD, a->ga + i * STRIDE, 8, 1, 0);
	memset(a->p, 0, a->len);
	bench_area_push(b, a);
	if (bench_queue_ready(b, b->a.node, p->r.depth < 2 ? 2 : p->r.depth, false, reason)) {
		bench_complain(b, "atomic: %s", reason);
		share->errors++;
	} else if (p->key[KEY_SINGLE]) {
		bench_drive_single(b, p->r.op, op, false, limit, p->stats, share);
	} else {
		bench_drive(b, p->r.op, op, nops, p->r.depth, 1, limit, share);
	}
	if (!share->errors && !sum_is(b, a, share->ops, p->r.op))
		share->errors++;
	free(op);
}

static void run_cpu(struct bench *b, struct bench_point *p, const struct bench_limit *limit, struct bench_share *share)
{
	struct counters *c = p->arg;
	_Atomic uint64_t *v = (_Atomic uint64_t *)(void *)c->host.host_dst.p;
	uint64_t start = bench_now_ns(), now = start, n = 0;

	atomic_store(v, 0);
	while (!tool_stopped() && (limit->iters ? n < limit->iters : now - start < limit->ns)) {
		for (unsigned int i = 0; i < CPU_TURNS && (!limit->iters || n < limit->iters); i++, n++)
			atomic_fetch_add(v, 1);
		now = bench_now_ns();
	}
	share->ops += n;
	share->ns += now - start;
	if (atomic_load(v) != n) {
		bench_complain(b, "atomic cpu: expected %llu got %llu", (unsigned long long)n, (unsigned long long)atomic_load(v));
		share->errors++;
	}
}

static void point(struct bench *b, struct counters *c, struct bench_point **list, unsigned int *n, bool sig, unsigned int where,
		  bool single, bool spread)
{
	struct bench_point *p = bench_point_add(list, n, "atomic", sig ? "signal" : "add");
	uint32_t depth = b->config->ndepths ? (uint32_t)b->config->depth[0] : DEPTH;

	snprintf(p->r.src, sizeof(p->r.src), "chip %u", b->a.node);
	snprintf(p->r.dst, sizeof(p->r.dst), "chip %u", where ? b->b.node : b->a.node);
	snprintf(p->r.variant, sizeof(p->r.variant), "%s", single ? "one at a time" : spread ? "spread" : "one counter");
	p->r.size_bytes = 8;
	p->r.depth = single ? 1 : depth;
	p->r.batch = 1;
	p->r.wake = "poll";
	p->r.ratio_to = single ? NULL : "cpu-add";
	p->arg = c;
	p->run = run_chip;
	p->key[KEY_WHERE] = where;
	p->key[KEY_SPREAD] = spread;
	p->key[KEY_SIGNAL] = sig;
	p->key[KEY_SINGLE] = single;
	p->stats = single ? tool_stats_new() : NULL;
	if (!(b->a.cap & (sig ? HSL_CAP_OP_SIGNAL : HSL_CAP_OP_ATOMIC)))
		snprintf(p->r.reason, sizeof(p->r.reason), "chip %u has no %s", b->a.node, sig ? "SIGNAL" : "ATOMIC");
}

void bench_atomic(struct bench *b)
{
	struct counters c = { 0 };
	struct bench_point *list = NULL, *p;
	uint64_t len = STRIDE * (b->config->ndepths ? b->config->depth[0] : DEPTH);
	unsigned int n = 0, first = b->nresults;
	char reason[160] = "";

	if (!bench_stands_still(b) && (bench_wants(b, "cpu-add") || bench_wants(b, "add") || bench_wants(b, "signal"))) {
		p = bench_point_add(&list, &n, "atomic", "cpu-add");
		strcpy(p->r.src, "cpu");
		strcpy(p->r.dst, "host");
		p->r.baseline = true;
		p->r.size_bytes = 8;
		p->run = run_cpu;
		p->arg = &c;
	}
	for (int sig = 0; sig < 2; sig++)
		for (unsigned int where = 0; bench_wants(b, sig ? "signal" : "add") && where < (b->have_b ? 2 : 1); where++) {
			point(b, &c, &list, &n, sig, where, true, false);
			point(b, &c, &list, &n, sig, where, false, false);
			point(b, &c, &list, &n, sig, where, false, true);
		}
	if (bench_set_new_host(b, &c.host, 64, reason) || bench_area_new(b, &c.at[0], b->a.node, len, reason) ||
	    (b->have_b && bench_area_new(b, &c.at[1], b->b.node, len, reason)))
		bench_points_skip(list, n, reason);
	bench_points_run(b, list, n);
	bench_ratios(b, first);
	bench_area_free(&c.at[0]);
	bench_area_free(&c.at[1]);
	bench_set_free(&c.host);
}
