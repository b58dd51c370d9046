// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Rounds. Each one runs every point once, in an order of its own, so that what slows the machine for a while is not one
 * point's, and no result depends on its neighbours. Rounds are repeated until the 95 % interval of every mean is within --ci, or
 * there were --rounds-max; the report says which. With --iters the operations are divided among the rounds, and there are no more.
 *
 * On a modelled clock a point is settled when a round has repeated the one before to the nanosecond: nothing there is left to chance, and
 * more rounds would say the same.
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

/* Has every mean been found well enough after that many rounds? */
static bool rounds_enough(const struct bench *b, unsigned int done, double worst_ci)
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

void bench_points_skip(struct bench_point *list, unsigned int n, const char *reason)
{
	for (unsigned int i = 0; *reason && i < n; i++)
		snprintf(list[i].r.reason, sizeof(list[i].r.reason), "%s", reason);
}

/* One round's share to the others'. True: there are errors in it. */
static bool share_add(struct bench_share *all, struct tool_moments *rounds, const struct bench_share *s)
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
	r->settled = p->settled;
	r->ci95 = tool_moments_ci95(&p->rounds);
	r->ops_per_s = tool_rate(r->ops, r->duration_ns);
	if (p->bytes_per_op > 0 && r->ops) {
		r->bytes_per_s = r->ops_per_s * p->bytes_per_op;
		r->bytes_per_s_min = p->all.windows.least * p->bytes_per_op;
		r->bytes_per_s_max = p->all.windows.most * p->bytes_per_op;
	}
	if (p->bus_factor > 0)
		r->bus_bytes_per_s = r->bytes_per_s * p->bus_factor;
	if (p->flows)
		bench_flows_result(p->flows, p->bytes_per_op, r);
	if (p->stats)
		tool_stats_summary(p->stats, &r->latency);
	if (!r->ops && !r->errors && !r->reason[0])
		snprintf(r->reason, sizeof(r->reason), "interrupted");
}

/* Is there no need of another round, of the point or of any? */
static bool done(const struct bench_point *p)
{
	return p->settled || p->wrong || p->r.reason[0];
}

static bool all_done(const struct bench *b, const struct bench_point *list, unsigned int n, unsigned int rounds)
{
	double worst = 0, ci;
	unsigned int left = 0;

	for (unsigned int i = 0; i < n; i++) {
		if (done(&list[i]))
			continue;
		left++;
		ci = tool_moments_ci95(&list[i].rounds);
		worst = ci > worst ? ci : worst;
	}
	return !left || rounds_enough(b, rounds, worst);
}

static void share_take(struct bench *b, struct bench_point *p, const struct bench_share *s)
{
	const struct bench_share *last = &p->last;

	/* the clock is read in whole nanoseconds */
	if (bench_modelled(b) && !b->config->iters && s->ops)
		p->settled = s->ops == last->ops && s->ns + 1 >= last->ns && s->ns <= last->ns + 1;
	p->last = *s;
	p->wrong |= share_add(&p->all, &p->rounds, s);
}

static void warm_up(struct bench *b, struct bench_point *p)
{
	const struct bench_limit limit = { .iters = p->warm_up };
	struct bench_share share = { 0 };

	if (!p->warm_up || done(p))
		return;
	p->run(b, p, &limit, &share);
	if (p->stats)
		tool_stats_reset(p->stats);
	p->all.errors += share.errors;
	p->wrong |= share.errors != 0;
}

struct bench_limit bench_round_limit(const struct bench *b, unsigned int round)
{
	const struct bench_config *c = b->config;
	unsigned int rounds = bench_rounds(b);

	return (struct bench_limit){
		.iters = c->iters / rounds + (round < c->iters % rounds),
		.ns = c->duration_ns / rounds,
	};
}

void bench_points_run(struct bench *b, struct bench_point *list, unsigned int n)
{
	const struct bench_config *c = b->config;
	unsigned int *order = tool_calloc(n + 1, sizeof(*order));
	uint64_t state = c->seed;

	for (unsigned int i = 0; i < n; i++)
		order[i] = i;
	for (unsigned int i = 0; i < n && !tool_stopped(); i++)
		warm_up(b, &list[i]);
	for (unsigned int round = 0; !tool_stopped() && !all_done(b, list, n, round); round++) {
		struct bench_limit limit = bench_round_limit(b, round);

		if (c->iters && !limit.iters)
			break;
		bench_shuffle(&state, order, n);
		for (unsigned int i = 0; i < n && !tool_stopped(); i++) {
			struct bench_point *p = &list[order[i]];
			struct bench_share share = { .windows.width_ns = c->window_ns };

			if (done(p))
				continue;
			tool_progress("%s: round %u, %u of %u: %s %s", p->r.verb, round + 1, i + 1, n, p->r.op, p->r.variant);
			p->run(b, p, &limit, &share);
			share_take(b, p, &share);
		}
	}
	tool_progress_clear();
	for (unsigned int i = 0; i < n; i++) {
		report(b, &list[i]);
		tool_stats_free(list[i].stats);
		bench_flows_free(list[i].flows);
	}
	free(order);
	free(list);
}
