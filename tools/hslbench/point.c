// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Rounds. Each one runs every point once, in an order of its own, so that what slows the machine for a while is not one
 * point's, and no result depends on its neighbours. Rounds are repeated until the 95 % interval of every mean is within --ci, or
 * there were --rounds-max; the report says which. With --iters the operations are divided among the rounds, and there are no more.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "progress.h"

#define ROUNDS		5u
#define ROUNDS_QUICK	3u
#define ROUNDS_MAX	10u

unsigned int bench_random(uint64_t *state, unsigned int n)
{
	*state += 0x9e3779b97f4a7c15ull;
	uint64_t x = *state;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ x >> 27) * 0x94d049bb133111ebull;
	return (unsigned int)((x ^ x >> 31) % n);
}

void bench_shuffle(uint64_t *state, unsigned int *v, unsigned int n)
{
	for (unsigned int i = n; i > 1; i--) {
		unsigned int k = bench_random(state, i), t = v[k];

		v[k] = v[i - 1];
		v[i - 1] = t;
	}
}

unsigned int bench_rounds(const struct bench *b)
{
	unsigned int n = b->config->quick ? ROUNDS_QUICK : ROUNDS;

	return b->config->rounds_max && b->config->rounds_max < n ? b->config->rounds_max : n;
}

bool bench_rounds_enough(const struct bench *b, unsigned int done, double worst_ci)
{
	const struct bench_config *c = b->config;
	unsigned int most = c->rounds_max ? c->rounds_max : c->quick ? ROUNDS_QUICK : ROUNDS_MAX;

	if (done < bench_rounds(b))
		return false;
	return c->iters || !c->ci || done >= most || !(worst_ci > c->ci);
}

struct bench_point *bench_point_add(struct bench_point **list, unsigned int *n, const char *verb, const char *op)
{
	struct bench_point *p;

	*list = reallocarray(*list, *n + 1, sizeof(**list));
	if (!*list) {
		tool_error("out of memory");
		exit(TOOL_ENV);
	}
	p = &(*list)[(*n)++];
	memset(p, 0, sizeof(*p));
	bench_result_init(&p->r, verb, op);
	return p;
}

bool bench_share_add(struct bench_share *all, struct tool_moments *rounds, const struct bench_share *s)
{
	struct tool_windows *w = &all->windows, got = s->windows;

	all->ops += s->ops;
	all->ns += s->ns;
	all->errors += s->errors;
	if (!s->ops || !s->ns)
		return s->errors;
	tool_moments_add(rounds, tool_rate(s->ops, s->ns));
	/* who does not look at windows has one, the round */
	if (!got.count)
		got.least = got.most = tool_rate(s->ops, s->ns);
	if (!w->count || got.least < w->least)
		w->least = got.least;
	if (!w->count || got.most > w->most)
		w->most = got.most;
	w->count++;
	return s->errors;
}

static void report(struct bench *b, struct bench_point *p)
{
	struct bench_result *r = bench_result_add(b, p->r.verb, p->r.op);

	*r = p->r;
	bench_result_of(b, r);
	r->ops = p->all.ops;
	r->duration_ns = p->all.ns;
	r->errors = p->all.errors;
	r->verified = r->ops && !p->wrong;
	r->rounds = (unsigned int)p->rounds.n;
	r->ci95 = tool_moments_ci95(&p->rounds);
	r->ops_per_s = tool_rate(r->ops, r->duration_ns);
	if (p->bytes_per_op > 0 && r->ops) {
		r->bytes_per_s = r->ops_per_s * p->bytes_per_op;
		r->bytes_per_s_min = p->all.windows.least * p->bytes_per_op;
		r->bytes_per_s_max = p->all.windows.most * p->bytes_per_op;
	}
	if (p->bus_factor > 0)
		r->bus_bytes_per_s = r->bytes_per_s * p->bus_factor;
	if (p->stats)
		tool_stats_summary(p->stats, &r->latency);
	if (!r->ops && !r->errors && !r->reason[0])
		snprintf(r->reason, sizeof(r->reason), "interrupted");
}

static double worst_ci(const struct bench_point *list, unsigned int n)
{
	double worst = 0, ci;

	for (unsigned int i = 0; i < n; i++) {
		ci = tool_moments_ci95(&list[i].rounds);
		worst = ci > worst && !list[i].wrong ? ci : worst;
	}
	return worst;
}

void bench_points_run(struct bench *b, struct bench_point *list, unsigned int n)
{
	const struct bench_config *c = b->config;
	unsigned int rounds = bench_rounds(b), round, *order = tool_calloc(n + 1, sizeof(*order));
	uint64_t state = c->seed;

	for (unsigned int i = 0; i < n; i++)
		order[i] = i;
	for (round = 0; !tool_stopped() && !bench_rounds_enough(b, round, worst_ci(list, n)); round++) {
		struct bench_limit limit = { .iters = c->iters / rounds + (round < c->iters % rounds),
					     .ns = c->duration_ns / rounds };

		if (c->iters && !limit.iters)
			break;
		bench_shuffle(&state, order, n);
		for (unsigned int i = 0; i < n && !tool_stopped(); i++) {
			struct bench_point *p = &list[order[i]];
			struct bench_share share = { .windows.width_ns = c->window_ns };

			if (p->wrong || p->r.reason[0])
				continue;
			tool_progress("%s: round %u, %u of %u: %s %s", p->r.verb, round + 1, i + 1, n, p->r.op, p->r.variant);
			p->run(b, p, &limit, &share);
			p->wrong |= bench_share_add(&p->all, &p->rounds, &share);
		}
	}
	tool_progress_clear();
	for (unsigned int i = 0; i < n; i++) {
		report(b, &list[i]);
		tool_stats_free(list[i].stats);
	}
	free(order);
	free(list);
}
