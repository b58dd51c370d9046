// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * A link that leaves the modelled fabric: two fabrics, each with one half of the nodes, run against each other as two
 * programs would, without a socket. Both sides have the whole topology.
 */
#include "model_test.h"
#include "fab_rig.h"
#include "model/coh_priv.h"
#include "model/fab_priv.h"

#define OPEN	65536u

struct side {
	struct rig *r;
	struct side *other;
	uint64_t nsent;
	/* of what leaves here: corrupt it; hand it over at all */
	void (*hurt)(struct hsl_fab_sent *s, uint64_t n);
	bool mute;
};

struct both {
	struct side a, b;
	uint64_t latency_ps;
};

static void hand_over(struct both *w, struct side *s)
{
	struct hsl_fab_sent o;

	rig_drain(s->r);
	while (hsl_fab_sent(s->r->fab, &o)) {
		struct hsl_fab_in in = { .type = HSL_FAB_ARRIVE };

		if (s->hurt)
			s->hurt(&o, s->nsent);
		s->nsent++;
		if (s->mute)
			continue;
		in.u.arrive.time_ps = o.time_ps + w->latency_ps;
		in.u.arrive.flit = o.is_ts ? NULL : &o.u.flit;
		in.u.arrive.ts = o.is_ts ? &o.u.ts : NULL;
		assert_int_equal(hsl_fab_post(s->other->r->fab, &in), 0);
	}
}

/* The earlier one of both goes on. False: neither has anything up to then. */
static bool step(struct both *w, uint64_t end_ps)
{
	uint64_t a = hsl_fab_next_ps(w->a.r->fab), b = hsl_fab_next_ps(w->b.r->fab);
	struct side *s = a <= b ? &w->a : &w->b;

	if ((a < b ? a : b) > end_ps)
		return false;
	hsl_fab_step(s->r->fab);
	hand_over(w, s);
	return true;
}

static void run(struct both *w, uint64_t ps)
{
	uint64_t end = hsl_fab_now_ps(w->a.r->fab) + ps;

	while (step(w, end))
		;
	/* nobody lags behind what the other has seen */
	hsl_fab_advance(w->a.r->fab, end);
	hsl_fab_advance(w->b.r->fab, end);
}

static int post(struct both *w, struct side *s, struct hsl_fab_in in)
{
	uint64_t a = hsl_fab_now_ps(w->a.r->fab), b = hsl_fab_now_ps(w->b.r->fab), now = a > b ? a : b;
	int err;

	/* what is done from outside is done after all that either side has seen */
	while (step(w, now))
		;
	hsl_fab_advance(w->a.r->fab, now);
	hsl_fab_advance(w->b.r->fab, now);
	err = hsl_fab_post(s->r->fab, &in);

	hand_over(w, s);
	return err;
}

static void peer(struct both *w, struct side *s, bool there)
{
	struct hsl_fab_in in = { .type = HSL_FAB_PEER };

	in.u.peer.link = there ? &s->other->r->cfg.link : NULL;
	assert_int_equal(post(w, s, in), 0);
}

static struct both new_cut(struct hsl_fab_cfg cfg, uint32_t a, uint32_t b)
{
	struct both w = { .latency_ps = hsl_time_crossing_ps(&cfg.profile) };

	cfg.open_bytes = OPEN;
	cfg.cut_a = a;
	cfg.cut_b = b;
	w.a.r = rig_new(&cfg);
	cfg.cut_a = b;
	cfg.cut_b = a;
	cfg.seed = 77;
	w.b.r = rig_new(&cfg);
	return w;
}

static void connect_both(struct both *w)
{
	w->a.other = &w->b;
	w->b.other = &w->a;
	hand_over(w, &w->a);
	hand_over(w, &w->b);
	run(w, 2000000);
	peer(w, &w->a, true);
	peer(w, &w->b, true);
	run(w, 4000000);
}

static void free_both(struct both *w)
{
	rig_free(w->a.r);
	rig_free(w->b.r);
}

static uint32_t state(struct side *s, uint32_t a, uint32_t b)
{
	return hsl_fab_phy(s->r->fab, a, b)->state;
}

/* One access of an agent of the side to its end. */
static struct hsl_access one(struct both *w, struct side *s, uint16_t agent, uint8_t op, uint64_t ga, uint64_t value)
{
	struct hsl_fab_in in = { .type = HSL_FAB_ACCESS };
	uint64_t n = s->r->ndone, end = hsl_fab_now_ps(s->r->fab) + UINT64_C(100000000000);

	in.u.access.agent = agent;
	in.u.access.x.ga = ga;
	in.u.access.x.op = op;
	in.u.access.x.len = 8;
	in.u.access.x.subop = HSL_ATOMIC_ADD;
	in.u.access.x.arg0 = value;
	memcpy(in.u.access.x.data, &value, 8);
	assert_int_equal(post(w, s, in), 0);
	while (s->r->ndone == n && step(w, end))
		;
	assert_int_equal(s->r->ndone, n + 1);
	return s->r->last;
}

static uint64_t value_of(const struct hsl_access *x)
{
	uint64_t v;

	assert_int_equal(x->status, HSL_ST_OK);
	memcpy(&v, x->data, 8);
	return v;
}

static struct both pair(void)
{
	return new_cut(rig_cfg(2, HSL_TOPO_PAIR, "default"), 1, 2);
}

static void trains(void **s)
{
	struct both w = pair();

	(void)s;
	assert_false(hsl_fab_is_remote(w.a.r->fab, 1));
	assert_true(hsl_fab_is_remote(w.a.r->fab, 2));
	assert_true(hsl_fab_is_remote(w.b.r->fab, 1));
	w.a.other = &w.b;
	w.b.other = &w.a;
	run(&w, 1000000);
	assert_int_equal(state(&w.a, 1, 2), HSL_LTSSM_DETECT);
	connect_both(&w);
	assert_int_equal(state(&w.a, 1, 2), HSL_LTSSM_L0);
	assert_int_equal(state(&w.b, 2, 1), HSL_LTSSM_L0);
	assert_int_equal(hsl_fab_phy(w.b.r->fab, 2, 1)->width, 16);
	free_both(&w);
}

static void accesses(void **s)
{
	struct both w = pair();
	uint64_t at = HSL_GA(2, 4096), t;
	struct hsl_access x;

	(void)s;
	connect_both(&w);
	/* WRITE and READ past the caches: memory of node 2 is the other side's */
	one(&w, &w.a, 1, HSL_ACCESS_WRITE, at, 0x1234);
	assert_memory_equal(w.b.r->mem[1][64], "\x34\x12", 2);
	t = hsl_fab_now_ps(w.a.r->fab);
	x = one(&w, &w.a, 1, HSL_ACCESS_READ, at, 0);
	assert_int_equal(value_of(&x), 0x1234);
	/* the formula of docs/hep.md section 9: READ of a neighbour */
	assert_int_equal(w.a.r->last_ps - t, 292286);
	/* a line moves: stored by chip 1, loaded by chip 2 and by the host port of chip 1 */
	one(&w, &w.a, 1, HSL_ACCESS_STORE, at, 7);
	x = one(&w, &w.b, 2, HSL_ACCESS_LOAD, at, 0);
	assert_int_equal(value_of(&x), 7);
	one(&w, &w.b, 2, HSL_ACCESS_STORE, at, 8);
	x = one(&w, &w.a, 1 | HSL_AGENT_HOST_PORT, HSL_ACCESS_LOAD, at, 0);
	assert_int_equal(value_of(&x), 8);
	/* the other way round, and an atomic from both sides */
	at = HSL_GA(1, 128);
	one(&w, &w.b, 2, HSL_ACCESS_STORE, at, 100);
	x = one(&w, &w.a, 1, HSL_ACCESS_ATOMIC, at, 5);
	assert_int_equal(x.value, 100);
	x = one(&w, &w.b, 2 | HSL_AGENT_HOST_PORT, HSL_ACCESS_ATOMIC, at, 5);
	assert_int_equal(x.value, 105);
	x = one(&w, &w.b, 2, HSL_ACCESS_LOAD, at, 0);
	assert_int_equal(value_of(&x), 110);
	assert_int_equal(hsl_fab_remote_refused(w.a.r->fab) + hsl_fab_remote_refused(w.b.r->fab), 0);
	run(&w, 10000000);
	assert_true(hsl_fab_quiet(w.a.r->fab));
	assert_true(hsl_fab_quiet(w.b.r->fab));
	free_both(&w);
}

/* What is not open is not accessible, and says so; the link stays as it is. */
static void closed(void **s)
{
	struct both w = pair();
	struct hsl_access x;

	(void)s;
	connect_both(&w);
	for (uint8_t op = HSL_ACCESS_LOAD; op <= HSL_ACCESS_ATOMIC; op++) {
		x = one(&w, &w.a, 1, op, HSL_GA(2, OPEN), 1);
		assert_int_equal(x.status, HSL_ST_UNREACHABLE);
	}
	x = one(&w, &w.b, 2, HSL_ACCESS_STORE, HSL_GA(2, OPEN), 3);
	assert_int_equal(x.status, HSL_ST_OK);
	x = one(&w, &w.a, 1, HSL_ACCESS_READ, HSL_GA(2, OPEN - 8), 0);
	assert_int_equal(x.status, HSL_ST_OK);
	assert_int_equal(state(&w.a, 1, 2), HSL_LTSSM_L0);
	assert_int_equal(hsl_fab_downs(w.a.r->fab, 1, 2), 0);
	free_both(&w);
}

static void flip_some(struct hsl_fab_sent *o, uint64_t n)
{
	if (!o->is_ts && n % 5 == 0)
		((uint8_t *)&o->u.flit)[n % 256] ^= 0x10;
}

/* Errors in both directions, by who carries it and by the wires: everything arrives, once. */
static void replays(void **s)
{
	struct both w = pair();
	struct hsl_fab_in in = { .type = HSL_FAB_ERRORS, .u.link = { .a = 2, .b = 1 } };
	struct hsl_link_stats st;
	uint64_t at = HSL_GA(2, 64);
	struct hsl_access x;

	(void)s;
	connect_both(&w);
	w.a.hurt = flip_some;
	in.u.link.errors.drop = hsl_wire_probability(0.1);
	assert_int_equal(post(&w, &w.a, in), 0);	/* of what arrives at 1 */
	for (uint64_t i = 0; i < 200; i++) {
		x = one(&w, i % 3 ? &w.a : &w.b, i % 3 ? 1 : 2, HSL_ACCESS_ATOMIC, at, 1);
		assert_int_equal(x.status, HSL_ST_OK);
		assert_int_equal(x.value, i);
	}
	hsl_link_stats(hsl_fab_link(w.b.r->fab, 2, 1), &st);
	assert_true(st.rx_bad > 10);
	assert_true(st.tx_replayed > 10);
	assert_int_equal(hsl_fab_downs(w.a.r->fab, 1, 2), 0);
	free_both(&w);
}

/* The peer goes in the middle of everything: all ends, nothing hangs, and a new one starts with a clean slate. */
static void peer_dies(void **s)
{
	(void)s;
	for (uint64_t after = 0; after < 60; after++) {
		struct both w = pair();
		struct hsl_fab_in in = { .type = HSL_FAB_ACCESS };
		uint64_t n, end;
		struct hsl_access x;

		connect_both(&w);
		one(&w, &w.b, 2, HSL_ACCESS_STORE, HSL_GA(1, 0), 9);	/* dirty there */
		one(&w, &w.a, 1, HSL_ACCESS_STORE, HSL_GA(2, 0), 9);
		n = w.a.r->ndone;
		for (uint32_t i = 0; i < 8; i++) {
			in.u.access.agent = 1;
			in.u.access.x = (struct hsl_access){ .ga = HSL_GA(i % 2 + 1, 64 * (i / 2)), .len = 8,
							     .op = i < 4 ? HSL_ACCESS_LOAD : HSL_ACCESS_WRITE };
			assert_int_equal(post(&w, &w.a, in), 0);
		}
		end = hsl_fab_now_ps(w.a.r->fab) + 1000000;
		for (uint64_t i = 0; i < after; i++)
			step(&w, end);
		w.a.mute = w.b.mute = true;
		peer(&w, &w.a, false);
		assert_int_equal(state(&w.a, 1, 2), HSL_LTSSM_DETECT);
		run(&w, UINT64_C(30000000000));
		assert_int_equal(w.a.r->ndone, n + 8);
		assert_true(hsl_fab_quiet(w.a.r->fab));
		x = one(&w, &w.a, 1, HSL_ACCESS_READ, HSL_GA(2, 0), 0);
		assert_int_equal(x.status, HSL_ST_UNREACHABLE);
		/* own memory: but for what only the other side had */
		x = one(&w, &w.a, 1, HSL_ACCESS_WRITE, HSL_GA(1, 4096), 1);
		assert_int_equal(x.status, HSL_ST_OK);
		/* it comes back */
		w.a.mute = w.b.mute = false;
		peer(&w, &w.b, false);
		peer(&w, &w.a, true);
		peer(&w, &w.b, true);
		run(&w, 6000000);
		assert_int_equal(state(&w.a, 1, 2), HSL_LTSSM_L0);
		one(&w, &w.a, 1, HSL_ACCESS_WRITE, HSL_GA(2, 512), 55);
		x = one(&w, &w.b, 2, HSL_ACCESS_LOAD, HSL_GA(2, 512), 0);
		assert_int_equal(value_of(&x), 55);
		free_both(&w);
	}
}

/* A request that the other side never saw: both sides forget each other through DETECT. */
static void swallowed(void **s)
{
	struct both w = pair();
	struct hsl_fab_in in = { .type = HSL_FAB_SWALLOW, .u.swallow = { .a = 1, .b = 2, .hit = 1 } };
	struct hsl_access x;

	(void)s;
	connect_both(&w);
	one(&w, &w.a, 1, HSL_ACCESS_STORE, HSL_GA(2, 0), 1);
	assert_int_equal(post(&w, &w.a, in), 0);
	x = one(&w, &w.a, 1, HSL_ACCESS_READ, HSL_GA(2, 64), 0);
	assert_int_equal(x.status, HSL_ST_TIMEOUT);
	run(&w, 6000000);
	assert_int_equal(state(&w.a, 1, 2), HSL_LTSSM_L0);
	assert_int_equal(hsl_fab_downs(w.a.r->fab, 1, 2), 1);
	assert_int_equal(hsl_fab_downs(w.b.r->fab, 2, 1), 1);
	x = one(&w, &w.a, 1, HSL_ACCESS_READ, HSL_GA(2, 64), 0);
	assert_int_equal(x.status, HSL_ST_OK);
	/* what only the lost agent had is poison at its home */
	x = one(&w, &w.b, 2, HSL_ACCESS_LOAD, HSL_GA(2, 0), 0);
	assert_int_equal(x.status, HSL_ST_POISON);
	free_both(&w);
}

/* Chips behind a switch: what is cut off is more than one node, and others are forwarded to. */
static void switched(void **s)
{
	struct both w = new_cut(rig_cfg(3, HSL_TOPO_SWITCH, "default"), HSL_NODE_SWITCH_FIRST, 3);
	struct hsl_access x;

	(void)s;
	assert_false(hsl_fab_is_remote(w.a.r->fab, 2));
	assert_true(hsl_fab_is_remote(w.a.r->fab, 3));
	assert_false(hsl_fab_is_remote(w.a.r->fab, HSL_NODE_SWITCH_FIRST));
	assert_true(hsl_fab_is_remote(w.b.r->fab, 1));
	assert_true(hsl_fab_is_remote(w.b.r->fab, HSL_NODE_SWITCH_FIRST));
	connect_both(&w);
	one(&w, &w.a, 1, HSL_ACCESS_STORE, HSL_GA(3, 0), 1);
	x = one(&w, &w.a, 2, HSL_ACCESS_LOAD, HSL_GA(3, 0), 0);	/* from the cache of 1 */
	assert_int_equal(value_of(&x), 1);
	one(&w, &w.b, 3, HSL_ACCESS_STORE, HSL_GA(2, 0), 4);
	x = one(&w, &w.a, 1, HSL_ACCESS_LOAD, HSL_GA(2, 0), 0);	/* from that of 3 */
	assert_int_equal(value_of(&x), 4);
	free_both(&w);
}

static void chip_2_is_deaf(struct rig *r, uint32_t node, uint64_t line)
{
	(void)line;
	r->deaf = node == 2;
}

/*
 * The owner is lost with the link, its answer to the home with it. When the line has come to the requester here before
 * that, this waits for another home's line of the same offset, with the same tag: that is not to be answered by the
 * home of the first one. False: the home had heard of what the owner did.
 */
static bool owner_is_lost(uint64_t steps, unsigned int *served)
{
	struct both w = new_cut(rig_cfg(3, HSL_TOPO_SWITCH, "default"), HSL_NODE_SWITCH_FIRST, 3);
	struct hsl_fab_in in = { .type = HSL_FAB_LANE, .u.link = { .a = 1, .b = HSL_NODE_SWITCH_FIRST, .lane = 1 } };
	const struct hsl_home *home;
	uint64_t n, agents;
	struct hsl_access x;
	bool before, both;

	connect_both(&w);
	home = hsl_fab_home(w.a.r->fab, 1);
	assert_int_equal(post(&w, &w.a, in), 0);		/* to the home it takes longer */
	run(&w, 10000000);
	one(&w, &w.b, 3, HSL_ACCESS_STORE, HSL_GA(1, 64), 4);
	run(&w, 10000000);
	n = w.a.r->ndone;
	in = (struct hsl_fab_in){ .type = HSL_FAB_ACCESS, .u.access = { .agent = 2 } };
	in.u.access.x = (struct hsl_access){ .ga = HSL_GA(1, 64), .op = HSL_ACCESS_STORE, .len = 8, .data = { 5 } };
	assert_int_equal(post(&w, &w.a, in), 0);
	w.a.r->nposted = n + 1;
	w.a.r->read = chip_2_is_deaf;
	in.u.access.x = (struct hsl_access){ .ga = HSL_GA(2, 64), .op = HSL_ACCESS_LOAD, .len = 8 };
	for (uint64_t i = 0; i < steps; i++) {
		assert_true(step(&w, UINT64_MAX));
		if (w.a.r->ndone == n + 1 && w.a.r->nposted == n + 1)
			assert_int_equal(rig_post(w.a.r, &in), 0);
	}
	both = w.a.r->nposted == n + 2;
	hsl_home_line(home, 64, NULL, &agents, 1);
	before = agents == 1u << 2;
	if (before) {
		*served += both;
		w.a.mute = w.b.mute = true;
		peer(&w, &w.a, false);
		run(&w, 50000000);
		assert_int_equal(w.a.r->ndone, n + 1);
		assert_int_equal(w.a.r->last.status, HSL_ST_OK);
		if (both) {
			in = (struct hsl_fab_in){ .type = HSL_FAB_MEM, .u.mem = { .node = 2, .id = w.a.r->deaf_id } };
			assert_int_equal(rig_post(w.a.r, &in), 0);
			run(&w, 50000000);
			assert_int_equal(w.a.r->ndone, n + 2);
			assert_int_equal(w.a.r->last.status, HSL_ST_OK);
		}
		x = one(&w, &w.a, 1, HSL_ACCESS_LOAD, HSL_GA(1, 64), 0);
		assert_true(x.status == HSL_ST_OK || x.status == HSL_ST_POISON);
		run(&w, 50000000);
		assert_true(hsl_fab_quiet(w.a.r->fab));
	}
	free_both(&w);
	return before;
}

static void owner_lost(void **s)
{
	unsigned int served = 0;
	uint64_t steps = 0;

	(void)s;
	while (owner_is_lost(steps, &served))
		steps++;
	assert_true(served > 0);
}

static void bad_cut(void **s)
{
	static const struct { enum hsl_topology topology; uint32_t nodes, a, b; } bad[] = {
		{ HSL_TOPO_PAIR, 2, 1, 3 }, { HSL_TOPO_PAIR, 2, 0, 2 }, { HSL_TOPO_PAIR, 2, 1, 1 },
		{ HSL_TOPO_RING, 4, 1, 2 }, { HSL_TOPO_MESH, 3, 1, 2 }, { HSL_TOPO_SWITCH, 2, 1, 2 },
	};

	(void)s;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct hsl_fab_cfg cfg = rig_cfg(bad[i].nodes, bad[i].topology, "default");
		size_t bytes;
		void *fab;

		cfg.cut_a = bad[i].a;
		cfg.cut_b = bad[i].b;
		bytes = hsl_fab_size(&cfg);
		fab = aligned_alloc(64, (bytes + 63) & ~(size_t)63);
		assert_int_equal(hsl_fab_init(fab, bytes, &cfg), -EINVAL);
		free(fab);
	}
}

/* What only this side may do to the other end, and what nobody may. */
static void posts(void **s)
{
	struct both w = pair();
	struct hsl_fab_in in = { .type = HSL_FAB_ARM, .u.test = { .a = 2, .b = 1, .what = HSL_FAB_ARM_DROP, .hit = 1 } };
	struct hsl_ts ts = { .type = HSL_TS1 };

	(void)s;
	connect_both(&w);
	assert_int_equal(post(&w, &w.a, in), 0);
	in.u.test.what = HSL_FAB_ARM_POISON;
	assert_int_equal(post(&w, &w.a, in), -EINVAL);
	for (enum hsl_fab_in_type t = HSL_FAB_CHANGE; t <= HSL_FAB_CALM; t++) {
		in.type = t;
		assert_int_equal(post(&w, &w.a, in), -EINVAL);
	}
	in = (struct hsl_fab_in){ .type = HSL_FAB_NODE, .u.node = { 2, false } };
	assert_int_equal(post(&w, &w.a, in), -EINVAL);
	in = (struct hsl_fab_in){ .type = HSL_FAB_ACCESS };
	in.u.access.agent = 2;
	in.u.access.x = (struct hsl_access){ .ga = HSL_GA(1, 0), .op = HSL_ACCESS_LOAD, .len = 1 };
	assert_int_equal(post(&w, &w.a, in), -EINVAL);
	/* the past */
	in = (struct hsl_fab_in){ .type = HSL_FAB_ARRIVE };
	in.u.arrive.time_ps = hsl_fab_now_ps(w.a.r->fab) - 1;
	in.u.arrive.ts = &ts;
	assert_int_equal(post(&w, &w.a, in), -EINVAL);
	free_both(&w);
}

/* What is sent ahead in any number takes nothing from the other links, and is gone with who sent it. */
static void far_ahead(void **s)
{
	struct both w = new_cut(rig_cfg(3, HSL_TOPO_SWITCH, "default"), HSL_NODE_SWITCH_FIRST, 3);
	struct hsl_ts ts = { .type = HSL_TS1 };
	struct hsl_fab_in in = { .type = HSL_FAB_ARRIVE };
	struct hsl_access x;

	(void)s;
	connect_both(&w);
	in.u.arrive.time_ps = UINT64_C(1) << 61;
	in.u.arrive.ts = &ts;
	for (unsigned int i = 0; i < 5000; i++)
		assert_int_equal(hsl_fab_post(w.a.r->fab, &in), 0);
	assert_true(w.a.r->fab->remote_flights < w.a.r->fab->nflights / 2);
	x = one(&w, &w.a, 1, HSL_ACCESS_LOAD, HSL_GA(2, OPEN), 0);
	assert_int_equal(x.status, HSL_ST_OK);
	peer(&w, &w.a, false);
	assert_int_equal(w.a.r->fab->remote_flights, 0);
	peer(&w, &w.b, false);
	peer(&w, &w.a, true);
	peer(&w, &w.b, true);
	run(&w, 4000000);
	assert_int_equal(state(&w.a, HSL_NODE_SWITCH_FIRST, 3), HSL_LTSSM_L0);
	assert_true(hsl_fab_next_ps(w.a.r->fab) != in.u.arrive.time_ps);
	free_both(&w);
}

/* Requests without end of who takes no answer: the answers leave packets for others. */
static void takes_no_answer(void **s)
{
	struct hsl_fab_cfg cfg = rig_cfg(3, HSL_TOPO_SWITCH, "default");
	struct both w = new_cut(cfg, HSL_NODE_SWITCH_FIRST, 3);
	uint32_t free = 0, taken = 0;

	(void)s;
	connect_both(&w);
	for (; !hsl_fab_remote_refused(w.a.r->fab) && taken < w.a.r->fab->npkts; taken++) {
		struct hsl_pkt p = hsl_coh_pkt(HSL_PKT_READ, 0, (uint16_t)taken, 3, 1 + taken % 2, taken % 3 ? OPEN : 0);

		fab_remote_take(w.a.r->fab, &p);
	}
	assert_int_equal(hsl_fab_remote_refused(w.a.r->fab), 1);
	assert_true(taken >= 4 * cfg.agent.requests);
	for (uint32_t i = w.a.r->fab->pkt_free; i != HSL_NONE; i = fab_pkt(w.a.r->fab, i)->next)
		free++;
	assert_true(free > w.a.r->fab->npkts / 2);
	free_both(&w);
}

/*
 * Somebody hostile: right flits with packets of any kind. Side b's link layer sends them, so numbers and CRC are right;
 * nothing of it may hurt a's own accesses for longer than the link takes to train.
 */
static uint64_t rnd(uint64_t *s)
{
	*s ^= *s << 13;
	*s ^= *s >> 7;
	*s ^= *s << 17;
	return *s;
}

static struct hsl_pkt any_packet(uint64_t *s)
{
	static const uint8_t ops[] = {
		HSL_PKT_AUTH, HSL_PKT_READ, HSL_PKT_WRITE, HSL_PKT_ATOMIC, HSL_PKT_READ_S, HSL_PKT_READ_U, HSL_PKT_UPGRADE,
		HSL_PKT_WRITE_BACK, HSL_PKT_SNP_S, HSL_PKT_SNP_U, HSL_PKT_SNP_I, HSL_PKT_SNP_C, HSL_PKT_RSP,
		HSL_PKT_RSP_DATA, HSL_PKT_COMP, HSL_PKT_GO, HSL_PKT_RETRY, HSL_PKT_GRANT, HSL_PKT_ACK, HSL_PKT_SNP_RSP,
		HSL_PKT_SNP_DATA, HSL_PKT_WR_DATA,
	};
	static const uint16_t ids[] = { 1, 2, 1 | HSL_AGENT_HOST_PORT, 2 | HSL_AGENT_HOST_PORT, 0, 3, 0xffff };
	struct hsl_pkt p;

	do {
		p = hsl_coh_pkt(ops[rnd(s) % sizeof(ops)], rnd(s) % 4 ? 0 : 1u << rnd(s) % 8, rnd(s) % 5 ? rnd(s) % 20 : rnd(s) & 0xffff,
				ids[rnd(s) % 8 ? rnd(s) % 4 : rnd(s) % 7], ids[rnd(s) % 8 ? rnd(s) % 4 : rnd(s) % 7],
				(rnd(s) % 2 ? OPEN : 0) + rnd(s) % 8 * 64);
		if (hsl_pkt_vc(p.u.h.opcode) == HSL_VC_SNP) {
			p.u.snp.fwd = rnd(s) % 2 ? ids[rnd(s) % 7] : 0;
			p.u.snp.fwd_tag = p.u.snp.fwd ? rnd(s) & 31 : 0;
		}
		if (p.u.h.opcode == HSL_PKT_ATOMIC) {
			p.u.atomic.subop = HSL_ATOMIC_ADD;
			p.u.atomic.len = 8;
		}
	} while (hsl_pkt_check(&p));
	return p;
}

/* What agent 1 has of its own closed memory is what is there, whatever the other side says meanwhile. */
#define CLOSED	HSL_GA(1, OPEN)

static void own_done(struct rig *r, uint16_t agent, const struct hsl_access *x, uint64_t time_ps)
{
	uint64_t v;

	(void)r;
	(void)agent;
	(void)time_ps;
	if (x->ga < CLOSED || x->ga >= CLOSED + 8 * HSL_LINE_BYTES)
		return;
	assert_int_equal(x->status, HSL_ST_OK);
	memcpy(&v, x->data, 8);
	if (x->op == HSL_ACCESS_LOAD)
		assert_int_equal(v, 0x5a5a5a5a5a5a5a5a);
}

static void own_access(struct both *w, uint64_t i)
{
	struct hsl_fab_in in = { .type = HSL_FAB_ACCESS };

	in.u.access.agent = 1;
	in.u.access.x = (struct hsl_access){ .ga = CLOSED + i / 2 % 8 * HSL_LINE_BYTES, .len = 8,
					      .op = i % 2 ? HSL_ACCESS_FLUSH : HSL_ACCESS_LOAD };
	post(w, &w->a, in);
}

/* A load of it is under way when the packet arrives, which is refused; the load ends as it should. */
static void refused_answer(struct hsl_pkt p, uint32_t tag)
{
	struct both w = pair();
	uint64_t n;

	connect_both(&w);
	memset(w.a.r->mem[0][OPEN / HSL_LINE_BYTES], 0x5a, 8 * HSL_LINE_BYTES);
	w.a.r->done = own_done;
	n = w.a.r->ndone;
	own_access(&w, 0);
	hsl_fab_step(w.a.r->fab);
	hand_over(&w, &w.a);
	if (p.u.h.opcode == HSL_PKT_SNP_S || p.u.h.opcode == HSL_PKT_SNP_U)
		p.u.snp.fwd_tag = (uint16_t)tag;
	else
		p.u.h.tag = (uint16_t)tag;
	assert_int_equal(hsl_pkt_check(&p), 0);
	fab_remote_take(w.a.r->fab, &p);
	assert_int_equal(hsl_fab_remote_refused(w.a.r->fab), 1);
	run(&w, 4000000);
	assert_int_equal(w.a.r->ndone, n + 1);
	free_both(&w);
}

static void answers_of_others(void **st)
{
	static const uint8_t ops[] = { HSL_PKT_RSP, HSL_PKT_COMP, HSL_PKT_GO, HSL_PKT_RETRY };
	struct hsl_pkt p;

	(void)st;
	for (uint32_t tag = 0; tag < 16; tag += 15) {
		for (size_t i = 0; i < sizeof(ops); i++)
			refused_answer(hsl_coh_pkt(ops[i], ops[i] == HSL_PKT_RSP ? HSL_ST_UNREACHABLE : 0, 0, 2, 1, OPEN), tag);
		p = hsl_coh_pkt(HSL_PKT_RSP_DATA, HSL_PKT_F_OWN | HSL_PKT_F_DIRTY, 0, 2, 1, OPEN);
		memset(p.u.data.data, 0xee, sizeof(p.u.data.data));
		refused_answer(p, tag);
		/* agent 1's host port would answer it */
		p = hsl_coh_pkt(HSL_PKT_SNP_U, 0, 0, 2, 1 | HSL_AGENT_HOST_PORT, OPEN);
		p.u.snp.fwd = 1;
		refused_answer(p, tag);
	}
}

static void hostile_packets(void **st)
{
	struct hsl_fab_cfg cfg = rig_cfg(2, HSL_TOPO_PAIR, "default");
	struct hsl_link *l = aligned_alloc(64, (hsl_link_size(&cfg.link) + 63) & ~(size_t)63);
	uint64_t seed = 12345;

	(void)st;
	for (unsigned int round = 0; round < 60; round++) {
		struct both w = pair();
		struct hsl_access x;

		connect_both(&w);
		one(&w, &w.a, 1, HSL_ACCESS_LOAD, HSL_GA(2, 64), 1);
		one(&w, &w.a, 1, HSL_ACCESS_STORE, HSL_GA(2, 128), 1);
		hsl_link_init(l, &cfg.link, &cfg.link);
		/* b is silent from now on: this link layer, which is new as a's would be, speaks in its place */
		peer(&w, &w.a, false);
		peer(&w, &w.b, false);
		peer(&w, &w.a, true);
		peer(&w, &w.b, true);
		run(&w, 4000000);
		assert_int_equal(state(&w.a, 1, 2), HSL_LTSSM_L0);
		w.b.mute = true;
		memset(w.a.r->mem[0][OPEN / HSL_LINE_BYTES], 0x5a, 8 * HSL_LINE_BYTES);
		w.a.r->done = own_done;
		for (unsigned int i = 0; i < 200 && state(&w.a, 1, 2) == HSL_LTSSM_L0; i++) {
			struct hsl_fab_in in = { .type = HSL_FAB_ARRIVE };
			struct hsl_pkt p = any_packet(&seed);
			struct hsl_flit f;

			if (i % 50 == 10) {
				struct hsl_fab_in own = { .type = HSL_FAB_ACCESS };

				own.u.access.agent = 1;
				own.u.access.x = (struct hsl_access){ .ga = HSL_GA(2, rnd(&seed) % 4 * 64), .len = 8,
								      .op = (uint8_t)(rnd(&seed) % 5) };
				post(&w, &w.a, own);
			}
			if (i % 3 == 0)
				own_access(&w, i / 3);
			hsl_link_send(l, &p);
			in.u.arrive.time_ps = hsl_fab_now_ps(w.a.r->fab) + 1000;
			in.u.arrive.flit = &f;
			while (hsl_link_tx(l, in.u.arrive.time_ps, &f)) {
				hand_over(&w, &w.a);
				assert_int_equal(hsl_fab_post(w.a.r->fab, &in), 0);
				in.u.arrive.time_ps += 1143;
			}
			run(&w, 20000);
			w.b.r->ndone = 0;
		}
		peer(&w, &w.a, false);
		run(&w, UINT64_C(30000000000));
		assert_true(hsl_fab_quiet(w.a.r->fab));
		x = one(&w, &w.a, 1, HSL_ACCESS_WRITE, HSL_GA(1, 8192), 1);
		assert_int_equal(x.status, HSL_ST_OK);
		free_both(&w);
	}
	free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(trains),	  cmocka_unit_test(accesses),  cmocka_unit_test(closed),
		cmocka_unit_test(replays),	  cmocka_unit_test(peer_dies), cmocka_unit_test(swallowed),
		cmocka_unit_test(switched),	  cmocka_unit_test(bad_cut),   cmocka_unit_test(posts),
		cmocka_unit_test(owner_lost),	  cmocka_unit_test(far_ahead), cmocka_unit_test(takes_no_answer),
		cmocka_unit_test(answers_of_others), cmocka_unit_test(hostile_packets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
