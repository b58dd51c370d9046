// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Random accesses of all agents at once, of all kinds and sizes, with false sharing and hot lines,
 * on a bag of packets and on modelled fabrics whose links make errors; every result is judged by
 * the oracle (tests/oracle), which knows nothing of caches.
 *
 *   random_fab [--ops N] [--seed S] [--whole] [NAME…]     scenarios, see below; all without a name
 *
 * A run is repeated exactly by --seed and --ops. One that fails is run again with fewer operations
 * until the fewest are found that still fail (--whole: not).
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "oracle/oracle.h"
#include "oracle/traffic.h"
#include "tests/model/world.h"

#define EPOCH 20000u	    /* operations between two moments at which nothing is outstanding */
#define STEPS_MAX 20000000u /* without anything being done: stuck */

struct scenario {
	const char *name;
	uint32_t nodes, lines, hot;
	uint32_t dir_sets, home_requests, cache_sets, accesses;
};

static const struct scenario scenarios[] = {
	/* name       nodes lines hot dir home cache accesses */
	{ "bag-2", 2, 10, 2, 2, 4, 2, 8 },
	{ "bag-4", 4, 40, 3, 2, 3, 2, 8 },
	{ "bag-hot", 4, 5, 1, 1, 2, 1, 16 },
	{ "bag-wide", 8, 250, 5, 4, 8, 8, 4 },
};

struct run {
	const struct scenario *s;
	struct world *w;
	struct oracle *o;
	struct traffic t;
	uint64_t ops, outstanding;
	const char *why;
};

static struct hsl_access access_of(const struct oracle_op *op, uint64_t number)
{
	static const uint8_t ops[ORACLE_KINDS] = {
		[ORACLE_LOAD] = HSL_ACCESS_LOAD,     [ORACLE_STORE] = HSL_ACCESS_STORE,
		[ORACLE_READ] = HSL_ACCESS_READ,     [ORACLE_WRITE] = HSL_ACCESS_WRITE,
		[ORACLE_ATOMIC] = HSL_ACCESS_ATOMIC, [ORACLE_FLUSH] = HSL_ACCESS_FLUSH,
	};
	struct hsl_access x = {
		.cookie = number,
		.ga = op->ga,
		.op = ops[op->kind],
		.len = op->len,
		.subop = op->subop,
		.arg0 = op->arg0,
		.arg1 = op->arg1,
	};

	memcpy(x.data, op->data, op->len);
	return x;
}

static uint16_t random_agent(struct run *r)
{
	uint32_t i = traffic_below(&r->t, 2 * r->s->nodes);

	return (uint16_t)(i < r->s->nodes ? i + 1 : (i - r->s->nodes + 1) | HSL_AGENT_HOST_PORT);
}

static bool collect(struct run *r)
{
	struct hsl_access x;
	uint16_t agent;

	while (world_done(r->w, &agent, &x)) {
		struct oracle_result res = {
			.ps = world_now_ps(r->w),
			.value = x.value,
			.status = x.status,
		};

		memcpy(res.data, x.data, sizeof(res.data));
		if (!oracle_done(r->o, x.cookie, agent, &res)) {
			r->why = oracle_why(r->o);
			return false;
		}
		r->outstanding--;
	}
	if (world_wrong(r->w)[0])
		r->why = world_wrong(r->w);
	return !r->why;
}

/* Until no more than `most` are outstanding. */
static bool wait_for(struct run *r, uint64_t most)
{
	uint64_t idle = 0, before = r->outstanding;

	while (r->outstanding > most) {
		if (!world_step(r->w) || idle++ > STEPS_MAX) {
			r->why =
				"stuck: accesses are outstanding, and nothing that happens ends one";
			return false;
		}
		if (!collect(r))
			return false;
		if (r->outstanding != before)
			idle = 0;
		before = r->outstanding;
	}
	return true;
}

static bool post(struct run *r, struct oracle_op *op)
{
	struct oracle_stats s;
	struct hsl_access x;

	oracle_stats(r->o, &s);
	op->ps = world_now_ps(r->w);
	x = access_of(op, s.ops);
	while (world_post(r->w, op->agent, &x) == -EAGAIN) {
		if (!wait_for(r, r->outstanding - 1))
			return false;
	}
	oracle_post(r->o, op);
	r->outstanding++;
	return collect(r);
}

/* Every line is read whole, by itself: the oracle can forget what was before. */
static bool audit(struct run *r)
{
	struct oracle_op op;

	for (uint32_t i = 0; i < r->t.lines; i++) {
		traffic_audit(&r->t, i, random_agent(r), &op);
		if (!post(r, &op) || !wait_for(r, 0))
			return false;
	}
	if (!oracle_cut(r->o)) {
		r->why = oracle_why(r->o);
		return false;
	}
	return true;
}

static bool epoch(struct run *r, uint64_t ops)
{
	uint64_t room = 2 * r->s->nodes * r->s->accesses,
		 most = 1 + traffic_below(&r->t, (uint32_t)room);

	for (uint64_t i = 0; i < ops; i++) {
		struct oracle_op op;

		traffic_next(&r->t, random_agent(r), &op);
		if (!post(r, &op) || !wait_for(r, most))
			return false;
		for (uint32_t k = traffic_below(&r->t, 6); k > 0; k--) {
			world_step(r->w);
			if (!collect(r))
				return false;
		}
	}
	r->ops += ops;
	return wait_for(r, 0) && audit(r);
}

static void start(struct run *r, const struct scenario *s, uint64_t seed)
{
	struct world_cfg cfg;

	*r = (struct run){ .s = s, .o = oracle_new() };
	world_defaults(&cfg, s->nodes, seed);
	cfg.fab.home.sets = s->dir_sets;
	cfg.fab.home.requests = s->home_requests;
	cfg.fab.agent.sets = s->cache_sets;
	cfg.fab.agent.accesses = s->accesses;
	r->w = world_new(&cfg);
	traffic_init(&r->t, seed, s->lines, s->hot);
	for (uint32_t i = 0; i < s->lines; i++)
		r->t.ga[i] = HSL_GA(1 + traffic_below(&r->t, s->nodes), i * HSL_LINE_BYTES);
}

static void end(struct run *r)
{
	world_free(r->w);
	oracle_free(r->o);
}

/* True: nothing wrong. */
static bool go(struct run *r, uint64_t ops)
{
	while (r->ops < ops) {
		if (!epoch(r, ops - r->ops < EPOCH ? ops - r->ops : EPOCH))
			return false;
	}
	return true;
}

static void print_run(const struct run *r, double seconds)
{
	struct hsl_agent_stats a;
	struct hsl_home_stats h;
	struct oracle_stats s;

	world_sums(r->w, &a, &h);
	oracle_stats(r->o, &s);
	printf("# %-9s %9" PRIu64 " ops %9.1f us | hits %" PRIu64 " misses %" PRIu64
	       " upgrades %" PRIu64 " evictions %" PRIu64 " snoops %" PRIu64 " recalls %" PRIu64
	       " retries %" PRIu64 " | %" PRIu64 " values, %" PRIu64 " ambiguous, %" PRIu64
	       " backtracks | %.0f ops/s\n",
	       r->s->name, s.ops, (double)world_now_ps(r->w) / 1e6, a.hits, a.misses, a.upgrades,
	       a.evictions, a.snoops, h.recalls, h.retries, s.values, s.ambiguous, s.backtracks,
	       (double)s.ops / (seconds > 0 ? seconds : 1));
}

/* The fewest operations with which it still fails, as far as halving finds them. */
static void shrink(const struct scenario *s, uint64_t seed, uint64_t ops)
{
	uint64_t good = 0, bad = ops;
	struct run r;

	while (good + 1 < bad) {
		uint64_t mid = good + (bad - good) / 2;

		start(&r, s, seed);
		if (go(&r, mid))
			good = mid;
		else
			bad = mid;
		end(&r);
	}
	start(&r, s, seed);
	go(&r, bad);
	printf("# fails already with: random_fab --seed %" PRIu64 " --ops %" PRIu64 " %s\n%s\n",
	       seed, bad, s->name, r.why ? r.why : "");
	end(&r);
}

static bool run_scenario(const struct scenario *s, uint64_t seed, uint64_t ops, bool whole)
{
	struct timespec from, to;
	struct run r;
	bool ok;

	clock_gettime(CLOCK_MONOTONIC, &from);
	start(&r, s, seed);
	ok = go(&r, ops);
	clock_gettime(CLOCK_MONOTONIC, &to);
	print_run(&r,
		  (double)(to.tv_sec - from.tv_sec) + 1e-9 * (double)(to.tv_nsec - from.tv_nsec));
	if (!ok)
		printf("# random_fab --seed %" PRIu64 " --ops %" PRIu64 " %s, after about %" PRIu64
		       " operations:\n%s\n",
		       seed, ops, s->name, r.ops, r.why);
	end(&r);
	if (!ok && !whole)
		shrink(s, seed, ops);
	return ok;
}

static bool chosen(const char *name, int argc, char **argv)
{
	for (int i = 0; i < argc; i++) {
		if (!strcmp(argv[i], name))
			return true;
	}
	return !argc;
}

int main(int argc, char **argv)
{
	uint64_t ops = 20000, seed = (uint64_t)time(NULL);
	unsigned int n = 0, failed = 0;
	bool whole = false;

	for (argc--, argv++; argc > 0 && argv[0][0] == '-'; argc--, argv++) {
		if (!strcmp(argv[0], "--whole")) {
			whole = true;
		} else if (argc > 1 && (!strcmp(argv[0], "--ops") || !strcmp(argv[0], "--seed"))) {
			*(argv[0][2] == 'o' ? &ops : &seed) = strtoull(argv[1], NULL, 0);
			argc--, argv++;
		} else {
			fprintf(stderr,
				"usage: random_fab [--ops N] [--seed S] [--whole] [NAME...]\n");
			return 2;
		}
	}
	printf("# --seed %" PRIu64 "\n", seed);
	for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++) {
		if (!chosen(scenarios[i].name, argc, argv))
			continue;
		n++;
		if (run_scenario(&scenarios[i], seed, ops, whole)) {
			printf("ok %u - %s\n", n, scenarios[i].name);
		} else {
			printf("not ok %u - %s\n", n, scenarios[i].name);
			failed++;
		}
		fflush(stdout);
	}
	printf("1..%u\n", n);
	return failed || !n;
}
