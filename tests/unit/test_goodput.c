// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Goodput of modelled links (docs/hep.md section 9): streams of accesses to lines of another chip, as many outstanding
 * as said, in virtual time. What is measured between two completions is the published formula, headers, requests and
 * acknowledgements included, within 0.1 %.
 */
#include "fab_rig.h"
#include "model_test.h"

#define DEPTH_MAX	3200u
#define CACHED		(RIG_LINES / 2)	/* half of the lines: each access misses */
#define MEASURED	2800u		/* whole flits of every kind */
#define ENDS_MAX	2u

struct stream {
	const char *name;
	uint8_t op, len;
	uint32_t there, back;	/* slots of packets from and to the requester, by each access */
	bool both_ways;
};

/* The table of section 9, written down a second time. */
static const struct stream streams[] = {
	{ "READ", HSL_ACCESS_READ, 64, 1, 5, false },	 { "READ", HSL_ACCESS_READ, 24, 1, 5, false },
	{ "WRITE", HSL_ACCESS_WRITE, 64, 7, 2, false },	 { "WRITE", HSL_ACCESS_WRITE, 8, 7, 2, false },
	{ "ATOMIC", HSL_ACCESS_ATOMIC, 8, 3, 1, false }, { "LOAD", HSL_ACCESS_LOAD, 64, 2, 5, false },
	{ "READ", HSL_ACCESS_READ, 64, 1, 5, true },
};

static struct hsl_fab_cfg stream_cfg(const char *profile)
{
	struct hsl_fab_cfg cfg = rig_cfg(2, HSL_TOPO_PAIR, profile);

	cfg.agent.requests = cfg.agent.accesses = DEPTH_MAX;
	cfg.agent.sets = CACHED / cfg.agent.ways;
	cfg.home.requests = 2 * DEPTH_MAX;
	cfg.home.sets = 2 * RIG_LINES / cfg.home.ways;
	return cfg;
}

static uint64_t warm_up, done_by[ENDS_MAX], from_ps[ENDS_MAX], to_ps[ENDS_MAX];

static void count_by_agent(struct rig *r, uint16_t agent, const struct hsl_access *x, uint64_t time_ps)
{
	uint64_t n = ++done_by[agent - 1];

	(void)r;
	assert_int_equal(x->status, HSL_ST_OK);
	if (n == warm_up)
		from_ps[agent - 1] = time_ps;
	if (n == warm_up + MEASURED)
		to_ps[agent - 1] = time_ps;
}

/* Picoseconds for MEASURED accesses of chip 1. */
static uint64_t run_stream(const struct hsl_fab_cfg *cfg, const struct stream *s, uint32_t depth)
{
	uint32_t ends = s->both_ways ? 2 : 1;
	uint64_t posted[ENDS_MAX] = { 0 };
	struct rig *r = rig_up(cfg);

	memset(done_by, 0, sizeof(done_by));
	r->done = count_by_agent;
	warm_up = 2 * depth;
	while (done_by[0] < warm_up + MEASURED) {
		for (uint32_t i = 0; i < ends; i++) {
			for (; posted[i] - done_by[i] < depth; posted[i]++) {
				uint64_t ga = HSL_GA(2 - i, posted[i] % RIG_LINES * HSL_LINE_BYTES);

				assert_int_equal(rig_access(r, (uint16_t)(i + 1), s->op, ga, s->len, NULL), 0);
			}
		}
		assert_int_equal(hsl_fab_step(r->fab), 1);
		rig_drain(r);
	}
	rig_free(r);
	return to_ps[0] - from_ps[0];
}

static uint64_t flit_ps(const struct hsl_profile *p)
{
	uint64_t mbps = (uint64_t)p->lanes * p->rate_mtps;

	return (UINT64_C(2048) * 1000000 + mbps - 1) / mbps;
}

/* Slots of an access in the direction that has more. */
static uint32_t slots_of(const struct stream *s)
{
	uint32_t there = s->there + (s->both_ways ? s->back : 0), back = s->back + (s->both_ways ? s->there : 0);

	return there > back ? there : back;
}

static double formula_ps(const struct hsl_profile *p, const struct stream *s)
{
	return (double)MEASURED * slots_of(s) / HSL_FLIT_SLOTS * (double)flit_ps(p);
}

/* Of one access that misses, on an idle link. */
static uint64_t trip_ps(const struct hsl_profile *p)
{
	return 2 * (2 * (uint64_t)p->port_ps + p->cable_ps + flit_ps(p)) + p->home_ps + p->dram_ps;
}

/* A quarter more than fill the link. WRITE crosses it four times. */
static uint32_t depth_of(const struct hsl_profile *p, const struct stream *s)
{
	uint64_t flits = (s->op == HSL_ACCESS_WRITE ? 2 : 1) * trip_ps(p) / flit_ps(p);

	return (uint32_t)(flits * HSL_FLIT_SLOTS / slots_of(s) * 5 / 4);
}

static void check_profile(const char *profile)
{
	struct hsl_fab_cfg cfg = stream_cfg(profile);

	for (size_t i = 0; i < sizeof(streams) / sizeof(streams[0]); i++) {
		const struct stream *s = &streams[i];
		uint32_t depth = depth_of(&cfg.profile, s);
		uint64_t took = run_stream(&cfg, s, depth);
		double formula = formula_ps(&cfg.profile, s);

		print_message("# %-7s %-6s %2u bytes%s, %4u outstanding: %.3f GB/s, formula %.3f, %+.3f %%\n", profile,
			      s->name, s->len, s->both_ways ? " both ways" : "", depth, MEASURED * s->len * 1e3 / (double)took,
			      MEASURED * s->len * 1e3 / formula, (formula / (double)took - 1) * 100);
		assert_true((double)took <= formula * 1.001 && (double)took >= formula * 0.999);
	}
}

static void default_profile(void **state)
{
	(void)state;
	check_profile("default");
}

static void gen2_profile(void **state)
{
	(void)state;
	check_profile("gen2");
}

static void pcie5_profile(void **state)
{
	(void)state;
	check_profile("pcie5");
}

/* A depth that does not fill the link: what the depth brings in each round trip, no more. */
static void shallow(void **state)
{
	struct hsl_fab_cfg cfg = stream_cfg("default");
	uint64_t trip = trip_ps(&cfg.profile);
	uint64_t took = run_stream(&cfg, &streams[0], 16);

	(void)state;
	assert_in_range(took, trip * MEASURED / 16, trip * MEASURED / 16 * 12 / 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(default_profile), cmocka_unit_test(gen2_profile), cmocka_unit_test(pcie5_profile),
		cmocka_unit_test(shallow),
	};

	rng_seed();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
