// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Random accesses of all agents at once, of all kinds and sizes, with false sharing and hot lines,
 * on a bag of packets and on modelled fabrics whose links make errors; every result is judged by
 * the oracle (tests/oracle), which knows nothing of caches.
 *
 *   random_fab [--ops N] [--seed S] [--whole] [NAME…]     scenarios; no NAME: all
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

#define EPOCH 2000u /* operations between two moments at which nothing is outstanding */
#define STUCK_PS UINT64_C(1000000000000) /* a second of the model without anything being done */

struct errors {
	double bit, burst, drop, duplicate, reorder;
};

struct scenario {
	const char *name;
	uint32_t nodes, lines, hot;
	uint32_t dir_sets, home_requests, cache_sets, accesses;
	bool fabric;
	enum hsl_topology topology;
	struct errors errors;
	uint32_t upset; /* one operation of so many upsets a link: retrain, lanes, other errors */
};

#define BAG false, 0, { 0, 0, 0, 0, 0 }, 0
#define FABRIC(topology) true, HSL_TOPO_##topology

static const struct scenario scenarios[] = {
	/* name          nodes lines hot dir home cache accesses   errors: bit burst drop dup
	   reorder */
	{ "bag-2", 2, 10, 2, 2, 4, 2, 8, BAG },
	{ "bag-4", 4, 40, 3, 2, 3, 2, 8, BAG },
	{ "bag-hot", 4, 5, 1, 1, 2, 1, 16, BAG },
	{ "bag-wide", 8, 250, 5, 4, 8, 8, 4, BAG },
	{ "clean", 2, 20, 2, 2, 4, 2, 8, FABRIC(MESH), { 0, 0, 0, 0, 0 }, 0 },
	{ "mesh", 4, 40, 3, 2, 4, 2, 8, FABRIC(MESH), { 1e-12, 0, 1e-4, 1e-4, 1e-4 }, 0 },
	{ "noisy", 2, 20, 2, 2, 4, 2, 8, FABRIC(MESH), { 1e-5, 0, 0, 0, 0 }, 0 },
	{ "lossy", 4, 40, 3, 2, 4, 2, 8, FABRIC(RING), { 0, 5e-3, 1e-2, 1e-2, 1e-2 }, 0 },
	{ "upset", 4, 40, 3, 2, 4, 2, 8, FABRIC(SWITCH), { 1e-7, 1e-3, 1e-3, 1e-3, 1e-3 }, 100 },
	{ "ring", 6, 60, 3, 2, 3, 2, 8, FABRIC(RING), { 1e-6, 1e-4, 1e-3, 1e-3, 1e-3 }, 300 },
	{ "ways", 4, 40, 3, 2, 4, 2, 8, FABRIC(MESH), { 1e-7, 0, 1e-4, 1e-4, 1e-4 }, 30 },
};

struct run {
	const struct scenario *s;
	struct world *w;
	struct oracle *o;
	struct traffic t;
	uint64_t ops, outstanding, poisoned; /* poisoned: reads told so */
	uint32_t ends, lanes;		     /* of links */
	uint16_t dead[64];		     /* lanes of each end */
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
		r->poisoned += x.status == HSL_ST_POISON;
		if (x.status == HSL_ST_UNREACHABLE || x.status == HSL_ST_TIMEOUT)
			r->why = "an access failed, and nothing was lost";
	}
	if (world_wrong(r->w)[0])
		r->why = world_wrong(r->w);
	return !r->why;
}

/* Until no more than `most` are outstanding. */
static bool wait_for(struct run *r, uint64_t most)
{
	uint64_t before = r->outstanding, since = world_now_ps(r->w);

	while (r->outstanding > most) {
		if (!world_step(r->w) || world_now_ps(r->w) - since > STUCK_PS) {
			r->why = "stuck: accesses are outstanding, and nothing ends one";
			return false;
		}
		if (!collect(r))
			return false;
		if (r->outstanding != before)
			since = world_now_ps(r->w);
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

/*
 * A line that is used whole becomes poison in memory. A WRITE heals it, maybe in the agent's own
 * cache; after an ATOMIC, which is carried out at the home, no cache has it.
 */
static bool poison(struct run *r)
{
	uint32_t line = 2 + TRAFFIC_USES * traffic_below(&r->t, r->s->lines / TRAFFIC_USES);
	struct oracle_op op = { .ga = r->t.ga[line],
				.agent = random_agent(r),
				.kind = ORACLE_WRITE,
				.len = HSL_LINE_BYTES };
	struct oracle_result res = { .status = HSL_ST_OK };

	if (!post(r, &op) || !wait_for(r, 0))
		return false;
	op.kind = ORACLE_ATOMIC;
	op.len = 8;
	if (!post(r, &op) || !wait_for(r, 0))
		return false;
	world_poison(r->w, op.ga);
	op.kind = ORACLE_POISON;
	op.ps = res.ps = world_now_ps(r->w);
	return oracle_done(r->o, oracle_post(r->o, &op), op.agent, &res);
}

static struct hsl_wire_cfg wire_cfg(const struct errors *e, double times)
{
	return (struct hsl_wire_cfg){
		.bit_error = hsl_wire_probability(e->bit * times),
		.burst = hsl_wire_probability(e->burst * times),
		.drop = hsl_wire_probability(e->drop * times),
		.duplicate = hsl_wire_probability(e->duplicate * times),
		.reorder = hsl_wire_probability(e->reorder * times),
		.burst_bits = 40,
		.reorder_places = 3,
	};
}

/*
 * Retraining; a lane that fails, or works again (never lane 0: that is the link); other errors; a
 * link that leaves in order, or is used again.
 */
static void upset(struct run *r)
{
	uint32_t i = traffic_below(&r->t, r->ends);
	struct hsl_fab_in in = { .type = HSL_FAB_RETRAIN };
	double times = traffic_below(&r->t, 4);

	world_end(r->w, i, &in.u.link.a, &in.u.link.b);
	switch (traffic_below(&r->t, 5)) {
	case 0:
		in.type = HSL_FAB_LANE;
		in.u.link.lane = 1 + traffic_below(&r->t, r->lanes - 1);
		r->dead[i] ^= (uint16_t)(1u << in.u.link.lane);
		in.u.link.up = !(r->dead[i] >> in.u.link.lane & 1);
		break;
	case 1:
		in.type = HSL_FAB_ERRORS;
		in.u.link.errors = wire_cfg(&r->s->errors, times);
		break;
	case 3:
		in.type = HSL_FAB_LEAVE;
		break;
	case 4:
		in.type = HSL_FAB_LINK;
		in.u.link.up = true;
		break;
	}
	world_link(r->w, &in);
}

static bool epoch(struct run *r, uint64_t ops)
{
	uint64_t room = 2 * r->s->nodes * r->s->accesses,
		 most = 1 + traffic_below(&r->t, (uint32_t)room);

	for (uint32_t k = 1 + traffic_below(&r->t, 4); k > 0; k--) {
		if (!poison(r))
			return false;
	}
	for (uint64_t i = 0; i < ops; i++) {
		struct oracle_op op;

		traffic_next(&r->t, random_agent(r), &op);
		if (!post(r, &op) || !wait_for(r, most))
			return false;
		if (r->s->upset && !traffic_below(&r->t, r->s->upset))
			upset(r);
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
	uint32_t a, b;

	*r = (struct run){ .s = s, .o = oracle_new() };
	world_defaults(&cfg, s->nodes, seed);
	cfg.fab.home.sets = s->dir_sets;
	cfg.fab.home.requests = s->home_requests;
	cfg.fab.agent.sets = s->cache_sets;
	cfg.fab.agent.accesses = s->accesses;
	if (s->fabric) {
		world_fabric(&cfg, s->topology);
		cfg.fab.errors = wire_cfg(&s->errors, 1);
		cfg.fab.link.reorder = 3;
		r->lanes = cfg.fab.profile.lanes;
	}
	r->w = world_new(&cfg);
	while (world_end(r->w, r->ends, &a, &b))
		r->ends++;
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
	struct world_sums w;
	struct oracle_stats s;

	if (seconds <= 0)
		seconds = 1e-9;
	world_sums(r->w, &w);
	oracle_stats(r->o, &s);
	printf("# %s: %" PRIu64 " operations, %.0f us of the model, %.0f operations/s\n",
	       r->s->name, s.ops, (double)world_now_ps(r->w) / 1e6, (double)s.ops / seconds);
	printf("#   caches: hits %" PRIu64 " misses %" PRIu64 " upgrades %" PRIu64
	       " evictions %" PRIu64 "; homes: snoops %" PRIu64 " recalls %" PRIu64
	       " retries %" PRIu64 "\n",
	       w.agents.hits, w.agents.misses, w.agents.upgrades, w.agents.evictions,
	       w.homes.snoops, w.homes.recalls, w.homes.retries);
	if (r->ends)
		printf("#   links: flits %" PRIu64 " bad %" PRIu64 " replays %" PRIu64
		       " replayed %" PRIu64 " trained %" PRIu64 ", %.0f flits/s\n",
		       w.links.tx_flits, w.links.rx_bad, w.links.replays, w.links.tx_replayed,
		       w.trained, (double)w.links.tx_flits / seconds);
	printf("#   oracle: values %" PRIu64 " poison %" PRIu64 " ambiguous %" PRIu64
	       " backtracks %" PRIu64 "\n",
	       s.values, r->poisoned, s.ambiguous, s.backtracks);
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
			*(argv[0][2] == 'o' ? &ops : &seed) = world_number(argv[0], argv[1], argv[0][2] == 'o');
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
