// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Every litmus test (tests/oracle/litmus.c) in its three forms, many times, on a bag of packets and
 * on modelled fabrics: agents of the program are any of the chips' and host ports', places are
 * anywhere, caches hold them or not, loads and stores go through the cache or past it, and every
 * agent starts when it likes.
 *
 * What is seen has to be allowed. The other way round, runs go on until all that the machine of
 * litmus.c reaches was seen. In a bag it has to be, a fabric with its times cannot do everything:
 * there the rest is only shown.
 *
 *   litmus_fab [--runs N] [--least N] [--seed S] [NAME…]
 *
 * At most, and at least, so many runs of each test and form; worlds.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "oracle/litmus.h"
#include "oracle/traffic.h"
#include "tests/model/world.h"

#define BAG_RUNS 50000
#define FABRIC_RUNS 200
#define OUTCOMES_MAX 128

struct where {
	const char *name;
	uint32_t nodes;
	bool fabric;
	enum hsl_topology topology;
	double drop; /* of each flit; as many are damaged, doubled and come late */
};

static const struct where worlds[] = {
	{ "bag-2", 2, false, 0, 0 },
	{ "bag-4", 4, false, 0, 0 },
	{ "pair-2", 2, true, HSL_TOPO_PAIR, 0 },
	{ "mesh-4", 4, true, HSL_TOPO_MESH, 1e-2 },
	{ "ring-5", 5, true, HSL_TOPO_RING, 1e-2 },
	{ "switch-4", 4, true, HSL_TOPO_SWITCH, 1e-2 },
};

struct trial {
	const struct litmus *t;
	struct world *w;
	struct traffic rng;
	uint32_t nodes;
	uint16_t agent[LITMUS_AGENTS];
	uint64_t ga[LITMUS_PLACES];
	uint8_t len;
	uint8_t regs[LITMUS_REGS];
	uint32_t posted, done; /* steps, bit by bit */
};

struct seen {
	litmus_outcome of[OUTCOMES_MAX];
	uint64_t times[OUTCOMES_MAX];
	size_t n;
};

static uint32_t below(struct trial *r, uint32_t n)
{
	return traffic_below(&r->rng, n);
}

static uint16_t agent_number(const struct trial *r, uint32_t i)
{
	return (uint16_t)(i < r->nodes ? i + 1 : (i - r->nodes + 1) | HSL_AGENT_HOST_PORT);
}

static void stuck(const struct trial *r)
{
	printf("# %s: accesses are outstanding and nothing happens; %s\n", r->t->name,
	       world_wrong(r->w));
	exit(1);
}

static uint8_t access_now(struct trial *r, uint8_t op, uint16_t agent, uint32_t place)
{
	struct hsl_access x = { .ga = r->ga[place], .op = op, .len = r->len };

	if (world_post(r->w, agent, &x))
		stuck(r);
	while (!world_done(r->w, &agent, &x)) {
		if (!world_step(r->w))
			stuck(r);
	}
	return x.data[0];
}

static void set_places(struct trial *r)
{
	uint64_t line = 0;

	for (uint32_t p = 0; p < r->t->places; p++) {
		/* places of different lines: of different numbers modulo 3 */
		if (!p || r->t->form != LITMUS_ONE_LINE)
			line = HSL_GA(1 + below(r, r->nodes),
				      (3 * below(r, 8) + p) * HSL_LINE_BYTES);
		r->ga[p] = line + 16 * p + 8 * below(r, 2);
	}
	r->len = below(r, 2) ? 4 : 8;
}

static void set_agents(struct trial *r)
{
	for (uint32_t i = 0; i < r->t->agents; i++) {
		bool taken = true;

		while (taken) {
			r->agent[i] = agent_number(r, below(r, 2 * r->nodes));
			taken = false;
			for (uint32_t k = 0; k < i; k++)
				taken |= r->agent[k] == r->agent[i];
		}
	}
}

/* All places 0, and in the caches of some agents. */
static void set_memory(struct trial *r)
{
	for (uint32_t p = 0; p < r->t->places; p++)
		access_now(r, below(r, 2) ? HSL_ACCESS_STORE : HSL_ACCESS_WRITE,
			   agent_number(r, below(r, 2 * r->nodes)), p);
	for (uint32_t i = 0; i < r->t->agents; i++) {
		for (uint32_t p = 0; p < r->t->places; p++) {
			uint32_t what = below(r, 4);

			if (what < 2)
				access_now(r, what ? HSL_ACCESS_LOAD : HSL_ACCESS_STORE,
					   r->agent[i], p);
		}
	}
}

static void post_step(struct trial *r, uint32_t i)
{
	const struct litmus_step *s = &r->t->step[i];
	struct hsl_access x = {
		.cookie = i, .ga = r->ga[s->place], .len = r->len, .arg0 = s->value
	};

	x.data[0] = s->value;
	if (s->op == 'W')
		x.op = below(r, 2) ? HSL_ACCESS_STORE : HSL_ACCESS_WRITE;
	else if (s->op == 'R')
		x.op = below(r, 2) ? HSL_ACCESS_LOAD : HSL_ACCESS_READ;
	else
		x.op = HSL_ACCESS_ATOMIC;
	x.subop = s->op == 'A' ? HSL_ATOMIC_ADD : HSL_ATOMIC_SWAP;
	if (x.op != HSL_ACCESS_ATOMIC)
		x.subop = 0, x.arg0 = 0;
	if (!world_post(r->w, r->agent[s->agent], &x))
		r->posted |= 1u << i;
}

/* Is this the agent's next step, and has it waited for what it waits for? */
static bool may_post(const struct trial *r, uint32_t i)
{
	const struct litmus_step *s = &r->t->step[i];

	for (uint32_t k = 0; k < i; k++) {
		if (r->t->step[k].agent == s->agent &&
		    !((k < s->waits ? r->done : r->posted) >> k & 1))
			return false;
	}
	return !(r->posted >> i & 1);
}

static void collect(struct trial *r)
{
	struct hsl_access x;
	uint16_t agent;

	while (world_done(r->w, &agent, &x)) {
		const struct litmus_step *s = &r->t->step[x.cookie];

		r->done |= 1u << x.cookie;
		if (s->op != 'W')
			r->regs[s->reg] = s->op == 'R' ? x.data[0] : (uint8_t)x.value;
	}
}

static bool any_may_post(const struct trial *r)
{
	for (uint32_t i = 0; i < r->t->steps; i++) {
		if (may_post(r, i))
			return true;
	}
	return false;
}

/* All steps, with more or less time between them. */
static void run_steps(struct trial *r)
{
	uint32_t all = (1u << r->t->steps) - 1, pace = below(r, 8), slow[LITMUS_AGENTS];

	r->posted = r->done = 0;
	for (uint32_t i = 0; i < LITMUS_AGENTS; i++)
		slow[i] = 1u << below(r, 6);
	while (r->done != all) {
		uint32_t i = below(r, r->t->steps);

		if (may_post(r, i) && !below(r, slow[r->t->step[i].agent]))
			post_step(r, i);
		if ((below(r, 8) < pace || !any_may_post(r)) && !world_step(r->w) &&
		    r->posted == all) {
			collect(r);
			if (r->done != all)
				stuck(r);
		}
		collect(r);
	}
}

static litmus_outcome run(struct trial *r)
{
	uint8_t places[LITMUS_PLACES];

	set_places(r);
	set_agents(r);
	set_memory(r);
	run_steps(r);
	for (uint32_t p = 0; p < r->t->places; p++)
		places[p] = access_now(r, below(r, 2) ? HSL_ACCESS_LOAD : HSL_ACCESS_READ,
				       agent_number(r, below(r, 2 * r->nodes)), p);
	return litmus_outcome_of(r->t, r->regs, places);
}

static void count(struct seen *seen, litmus_outcome out)
{
	size_t i = 0;

	while (i < seen->n && seen->of[i] != out)
		i++;
	if (i == seen->n) {
		if (i == OUTCOMES_MAX)
			abort();
		seen->of[seen->n++] = out;
		seen->times[i] = 0;
	}
	seen->times[i]++;
}

static bool was_seen(const struct seen *seen, litmus_outcome out)
{
	for (size_t i = 0; i < seen->n; i++) {
		if (seen->of[i] == out)
			return true;
	}
	return false;
}

/* Prints a row and what is remarkable; returns whether all that was seen is allowed. */
static bool report(const struct litmus *t, const struct litmus_set *allowed,
		   const struct litmus_set *reachable, const struct seen *seen, uint64_t runs)
{
	static const char *const forms[] = { "", ", waits", ", one line" };
	uint64_t asked = 0;
	size_t missed = 0;
	char name[64], buf[100];
	bool ok = true;

	for (size_t i = 0; i < seen->n; i++) {
		if (litmus_is_asked(t, seen->of[i]))
			asked += seen->times[i];
	}
	for (size_t i = 0; i < reachable->n; i++)
		missed += !was_seen(seen, reachable->of[i]);
	snprintf(name, sizeof(name), "%s%s", t->name, forms[t->form]);
	printf("# %-27s %-20s %-9s %6" PRIu64 " of %7" PRIu64 "   %3zu of %3zu\n", name, t->asked,
	       litmus_verdict(t), asked, runs, reachable->n - missed, reachable->n);
	for (size_t i = 0; i < seen->n; i++) {
		if (litmus_has(allowed, seen->of[i]))
			continue;
		ok = false;
		printf("#   FORBIDDEN and seen %" PRIu64 " times: %s\n", seen->times[i],
		       litmus_text(t, seen->of[i], buf, sizeof(buf)));
	}
	for (size_t i = 0; i < reachable->n; i++) {
		if (!was_seen(seen, reachable->of[i]))
			printf("#   never seen: %s\n",
			       litmus_text(t, reachable->of[i], buf, sizeof(buf)));
	}
	for (size_t i = 0; i < allowed->n; i++) {
		if (!litmus_has(reachable, allowed->of[i]))
			printf("#   only the axioms allow: %s\n",
			       litmus_text(t, allowed->of[i], buf, sizeof(buf)));
	}
	return ok;
}

static uint64_t least = 100;

static bool run_test(struct trial *r, uint64_t most, bool all)
{
	struct litmus_set allowed = { 0 }, reachable = { 0 };
	struct seen seen = { .n = 0 };
	uint64_t runs = 0;
	bool ok;

	litmus_allowed(r->t, &allowed);
	litmus_reachable(r->t, &reachable);
	while (runs < most && (runs < least || seen.n < reachable.n)) {
		count(&seen, run(r));
		runs++;
	}
	ok = report(r->t, &allowed, &reachable, &seen, runs) && !world_wrong(r->w)[0] &&
	     (!all || seen.n == reachable.n);
	litmus_free(&allowed);
	litmus_free(&reachable);
	return ok;
}

static struct hsl_wire_cfg wire_cfg(double drop)
{
	uint64_t p = hsl_wire_probability(drop);

	return (struct hsl_wire_cfg){ .burst = p,
				      .drop = p,
				      .duplicate = p,
				      .reorder = p,
				      .burst_bits = 40,
				      .reorder_places = 3 };
}

static bool run_world(const struct where *where, uint64_t seed, uint64_t most)
{
	struct world_cfg cfg;
	struct trial r = { .nodes = where->nodes };
	struct litmus t;
	bool ok = true;

	if (!most)
		most = where->fabric ? FABRIC_RUNS : BAG_RUNS;
	world_defaults(&cfg, where->nodes, seed);
	if (where->fabric) {
		world_fabric(&cfg, where->topology);
		cfg.fab.link.reorder = 3;
		cfg.fab.errors = wire_cfg(where->drop);
	}
	r.w = world_new(&cfg);
	traffic_init(&r.rng, seed, 0, 0);
	printf("# %s\n# %-27s %-20s %-9s %17s   %s\n", where->name, "test", "outcome", "is", "seen",
	       "outcomes seen");
	for (enum litmus_form form = 0; form < LITMUS_FORMS; form++) {
		for (uint32_t i = 0; litmus_get(i, form, &t); i++) {
			r.t = &t;
			if (t.agents <= 2 * where->nodes)
				ok &= run_test(&r, most, !where->fabric);
		}
	}
	if (world_wrong(r.w)[0])
		printf("# %s\n", world_wrong(r.w));
	world_free(r.w);
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
	uint64_t runs = 0, seed = (uint64_t)time(NULL);
	unsigned int n = 0, failed = 0;

	for (argc--, argv++; argc > 0 && argv[0][0] == '-'; argc -= 2, argv += 2) {
		if (argc > 1 && !strcmp(argv[0], "--runs")) {
			runs = world_number(argv[0], argv[1], 1);
		} else if (argc > 1 && !strcmp(argv[0], "--least")) {
			least = world_number(argv[0], argv[1], 1);
		} else if (argc > 1 && !strcmp(argv[0], "--seed")) {
			seed = world_number(argv[0], argv[1], 0);
		} else {
			fprintf(stderr, "usage: litmus_fab [--runs N] [--least N] [--seed S] [NAME...]\n");
			return 2;
		}
	}
	printf("# --seed %" PRIu64 "\n", seed);
	for (size_t i = 0; i < sizeof(worlds) / sizeof(worlds[0]); i++) {
		if (!chosen(worlds[i].name, argc, argv))
			continue;
		n++;
		if (run_world(&worlds[i], seed, runs)) {
			printf("ok %u - %s\n", n, worlds[i].name);
		} else {
			printf("not ok %u - %s\n", n, worlds[i].name);
			failed++;
		}
		fflush(stdout);
	}
	printf("1..%u\n", n);
	return failed || !n;
}
