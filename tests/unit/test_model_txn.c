// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Transactions: what a post refuses, one answer per request whatever nodes and links do
 * (HEP-TXN-020, HEP-TXN-021, HEP-NET-001).
 *
 * The random test judges by a checker of its own: per (requester, tag) what has been posted,
 * offered and answered. It knows nothing of routes or time but "if nothing changed while the
 * request was out, it was not unreachable".
 */
#include "model_test.h"

static void test_malformed(void **state)
{
	struct hsl_model *m = model_new(HSL_TOPO_MESH, 4);
	struct hsl_event ok = request(1, 2, 7), ev;
	uint64_t before;

	(void)state;
	assert_int_equal(post_node(m, 4, false), 0);
	before = hsl_model_hash(m);
#define REFUSED(field, value) do { \
	ev = ok; \
	ev.u.req.field = (value); \
	assert_int_equal(hsl_model_post(m, &ev), -EINVAL); \
} while (0)
	for (uint32_t op = 0; op < 256; op++)
		if (op != HSL_PKT_AUTH)
			REFUSED(opcode, (uint8_t)op);
	for (uint32_t bit = 2; bit < 8; bit++)
		REFUSED(flags, (uint8_t)(1u << bit));
	for (uint32_t bit = 48; bit < 64; bit++)
		REFUSED(addr, UINT64_C(1) << bit);
	REFUSED(src, 0);
	REFUSED(src, 4);		/* absent */
	REFUSED(src, 5);
	REFUSED(src, HOST);
	REFUSED(src, SWITCH);
	REFUSED(src, UINT16_MAX);
	REFUSED(dst, 0);
	REFUSED(dst, 5);
	REFUSED(dst, HOST + 1);
	REFUSED(dst, SWITCH);
	REFUSED(dst, UINT16_MAX);
#undef REFUSED
	assert_int_equal(hsl_model_hash(m), before);
	assert_int_equal(hsl_model_post(m, &ok), 0);
	assert_int_equal(next_output(m).type, HSL_OUT_DELIVER_REQ);

	before = hsl_model_hash(m);
	ok = answer(2, 1, 7, HSL_ST_DENIED, 0);
#define REFUSED(field, value, err) do { \
	ev = ok; \
	ev.u.rsp.field = (value); \
	assert_int_equal(hsl_model_post(m, &ev), err); \
} while (0)
	for (uint32_t op = 0; op < 256; op++)
		if (op != HSL_PKT_RSP)
			REFUSED(opcode, (uint8_t)op, -EINVAL);
	REFUSED(status, HSL_ST_COUNT, -EINVAL);
	REFUSED(status, 255, -EINVAL);
	REFUSED(src, 0, -EINVAL);
	REFUSED(src, 5, -EINVAL);
	REFUSED(src, SWITCH, -EINVAL);
	REFUSED(dst, 0, -EINVAL);
	REFUSED(dst, HOST, -EINVAL);
	REFUSED(dst, UINT16_MAX, -EINVAL);
	REFUSED(tag, 8, -ENOENT);
	REFUSED(src, 3, -ENOENT);	/* another node answers */
	REFUSED(src, HOST, -ENOENT);
	REFUSED(dst, 3, -ENOENT);
#undef REFUSED
	assert_int_equal(hsl_model_hash(m), before);
	assert_int_equal(hsl_model_post(m, &ok), 0);
	assert_int_equal(hsl_model_post(m, &ok), -ENOENT);
	assert_int_equal(next_output(m).u.rsp.status, HSL_ST_DENIED);
	assert_int_equal(hsl_model_post(m, &ok), -ENOENT);
	assert_quiet(m);
	free(m);
}

static void test_tag_and_room(void **state)
{
	struct hsl_model_config cfg = config(HSL_TOPO_MESH, 3);
	struct hsl_output out;
	struct hsl_model *m;

	(void)state;
	cfg.max_inflight = 3;
	m = model_of(&cfg);
	assert_int_equal(post_req(m, 1, 2, 5), 0);
	assert_int_equal(post_req(m, 1, 3, 5), -EBUSY);
	assert_int_equal(post_req(m, 2, 3, 5), 0);
	assert_int_equal(post_req(m, 1, HOST, 65535), 0);
	assert_int_equal(post_req(m, 3, 1, 5), -EAGAIN);
	assert_int_equal(post_req(m, 1, 3, 5), -EBUSY);
	/* an answer in the output list still holds its place and its tag */
	assert_int_equal(next_output(m).node, HOST);
	assert_int_equal(post_rsp(m, HOST, 1, 65535, HSL_ST_OK, 1), 0);
	while (hsl_model_step(m))
		;
	assert_int_equal(post_req(m, 3, 1, 5), -EAGAIN);
	assert_int_equal(post_req(m, 1, HOST, 65535), -EBUSY);
	/* events that are not requests need no room */
	assert_int_equal(post_link(m, 1, 2, false), 0);
	assert_int_equal(post_link(m, 1, 2, true), 0);
	for (int i = 0; i < 3; i++) {
		out = next_output(m);
		if (out.type == HSL_OUT_DELIVER_RSP)
			break;
		assert_int_equal(post_req(m, 3, 1, 5), -EAGAIN);
	}
	assert_int_equal(out.type, HSL_OUT_DELIVER_RSP);
	assert_int_equal(out.node, 1);
	assert_int_equal(out.u.rsp.tag, 65535);
	assert_int_equal(post_req(m, 3, 1, 5), 0);
	free(m);
}

/* Default room is four per chip, and all of it is usable by one chip, again and again. */
static void test_fill_and_reuse(void **state)
{
	struct hsl_model *m = model_new(HSL_TOPO_SWITCH, 5);
	struct hsl_output out;

	(void)state;
	for (uint32_t round = 0; round < 50; round++) {
		uint64_t seen = 0;

		for (uint32_t i = 0; i < 20; i++)
			assert_int_equal(post_req(m, 1, 2 + i % 4, 1000 * round + i), 0);
		assert_int_equal(post_req(m, 2, 1, 0), -EAGAIN);
		for (uint32_t i = 0; i < 20; i++) {
			out = next_output(m);
			/* equal latency: in the order of posting */
			assert_int_equal(out.type, HSL_OUT_DELIVER_REQ);
			assert_int_equal(out.u.req.tag, 1000 * round + i);
		}
		for (uint32_t i = 20; i-- > 0;)
			assert_int_equal(post_rsp(m, 2 + i % 4, 1, 1000 * round + i, 0, i), 0);
		for (uint32_t i = 0; i < 20; i++) {
			out = next_output(m);
			assert_int_equal(out.type, HSL_OUT_DELIVER_RSP);
			assert_int_equal(out.u.rsp.tag - 1000 * round, out.u.rsp.value);
			seen |= 1u << out.u.rsp.value;
		}
		assert_int_equal(seen, (1u << 20) - 1);
		assert_quiet(m);
	}
	free(m);
}

static void expect_unreachable(struct hsl_model *m, uint32_t requester, uint32_t tag)
{
	struct hsl_output out = next_output(m);

	assert_int_equal(out.type, HSL_OUT_DELIVER_RSP);
	assert_int_equal(out.node, requester);
	assert_int_equal(out.u.rsp.tag, tag);
	assert_int_equal(out.u.rsp.status, HSL_ST_UNREACHABLE);
	assert_quiet(m);
}

/*
 * Bring a request 1 → 2 of a pair to each of its stations, then let `loss` happen. Stations: 0
 * request on the link, 1 offered, 2 at the home, 3 answer on the link, 4 answer offered.
 */
static struct hsl_model *at_station(int station)
{
	struct hsl_model *m = model_new(HSL_TOPO_PAIR, 2);

	assert_int_equal(post_req(m, 1, 2, 3), 0);
	if (station >= 1)
		assert_int_equal(hsl_model_step(m), 1);
	if (station >= 2)
		assert_int_equal(next_output(m).type, HSL_OUT_DELIVER_REQ);
	if (station >= 3)
		assert_int_equal(post_rsp(m, 2, 1, 3, HSL_ST_OK, 99), 0);
	if (station >= 4)
		assert_int_equal(hsl_model_step(m), 1);
	return m;
}

static void test_home_vanishes(void **state)
{
	(void)state;
	for (int station = 0; station < 4; station++) {
		struct hsl_model *m = at_station(station);

		assert_int_equal(post_node(m, 2, false), 0);
		assert_int_equal(post_rsp(m, 2, 1, 3, HSL_ST_OK, 1), -ENOENT);
		assert_int_equal(post_req(m, 1, 2, 3), -EBUSY);
		if (station % 2)	/* coming back does not help */
			assert_int_equal(post_node(m, 2, true), 0);
		assert_int_equal(post_rsp(m, 2, 1, 3, HSL_ST_OK, 1), -ENOENT);
		expect_unreachable(m, 1, 3);
		assert_int_equal(post_rsp(m, 2, 1, 3, HSL_ST_OK, 1), -ENOENT);
		free(m);
	}
}

static void test_requester_vanishes(void **state)
{
	(void)state;
	for (int station = 0; station < 5; station++) {
		struct hsl_model *m = at_station(station);

		assert_int_equal(post_node(m, 1, false), 0);
		assert_int_equal(post_rsp(m, 2, 1, 3, HSL_ST_OK, 1), -ENOENT);
		assert_quiet(m);
		assert_int_equal(post_node(m, 1, true), 0);
		assert_int_equal(post_rsp(m, 2, 1, 3, HSL_ST_OK, 1), -ENOENT);
		/* all of its room is back */
		for (uint32_t i = 0; i < 8; i++)
			assert_int_equal(post_req(m, 1, 2, i), 0);
		assert_int_equal(post_req(m, 1, 2, 8), -EAGAIN);
		free(m);
	}
}

static void test_answer_offered_stands(void **state)
{
	struct hsl_model *m = at_station(4);
	struct hsl_output out;

	(void)state;
	assert_int_equal(post_node(m, 2, false), 0);
	out = next_output(m);
	assert_int_equal(out.u.rsp.status, HSL_ST_OK);
	assert_int_equal(out.u.rsp.value, 99);
	assert_quiet(m);
	free(m);
}

static void test_link_down(void **state)
{
	struct hsl_model *m;

	(void)state;
	for (int station = 0; station < 4; station += 3) {	/* on the link: lost at once */
		m = at_station(station);
		assert_int_equal(post_link(m, 1, 2, false), 0);
		assert_int_equal(post_link(m, 1, 2, true), 0);
		expect_unreachable(m, 1, 3);
		free(m);
	}
	m = at_station(1);	/* at the home: only the answer finds no way */
	assert_int_equal(post_link(m, 1, 2, false), 0);
	assert_int_equal(next_output(m).type, HSL_OUT_DELIVER_REQ);
	assert_int_equal(post_rsp(m, 2, 1, 3, HSL_ST_OK, 99), 0);
	expect_unreachable(m, 1, 3);
	free(m);
	m = at_station(2);	/* or finds it again */
	assert_int_equal(post_link(m, 1, 2, false), 0);
	assert_int_equal(post_link(m, 1, 2, true), 0);
	assert_int_equal(post_rsp(m, 2, 1, 3, HSL_ST_OK, 99), 0);
	assert_int_equal(next_output(m).u.rsp.value, 99);
	free(m);
	m = model_new(HSL_TOPO_RING, 5);	/* another link's failure is not noticed */
	assert_int_equal(post_req(m, 1, 2, 3), 0);
	assert_int_equal(post_link(m, 3, 4, false), 0);
	assert_int_equal(next_output(m).type, HSL_OUT_DELIVER_REQ);
	free(m);
	m = model_new(HSL_TOPO_RING, 5);	/* a forwarder vanishes with the packet on its link */
	assert_int_equal(post_req(m, 1, 3, 3), 0);
	assert_int_equal(post_node(m, 2, false), 0);
	expect_unreachable(m, 1, 3);
	assert_int_equal(hsl_model_now_ps(m), 40000);	/* at once, not when it would have got there */
	free(m);
}

/* What is lost already is not lost again: a second failure does not put its answer off. */
static void test_lost_once(void **state)
{
	struct hsl_model *m = model_new(HSL_TOPO_PAIR, 2);

	(void)state;
	assert_int_equal(post_link(m, 1, 2, false), 0);
	assert_int_equal(post_req(m, 1, 2, 3), 0);
	assert_int_equal(post_req(m, 1, 1, 4), 0);
	assert_int_equal(next_output(m).u.req.tag, 4);
	assert_int_equal(post_rsp(m, 1, 1, 4, HSL_ST_OK, 0), 0);
	assert_int_equal(next_output(m).time_ps, 20000);
	assert_int_equal(post_node(m, 2, false), 0);
	expect_unreachable(m, 1, 3);
	assert_int_equal(hsl_model_now_ps(m), 40000);
	free(m);
}

/* Of equally long ways: upwards on a ring, by the lowest node in a mesh. What cuts it tells. */
static void test_equal_ways(void **state)
{
	struct hsl_model *m;

	(void)state;
	for (uint32_t via = 2; via <= 4; via += 2) {
		m = model_new(HSL_TOPO_RING, 4);
		assert_int_equal(post_req(m, 1, 3, 3), 0);
		assert_int_equal(post_node(m, via, false), 0);
		if (via == 2)
			expect_unreachable(m, 1, 3);
		else
			assert_int_equal(next_output(m).hops, 2);
		free(m);
		m = model_new(HSL_TOPO_MESH, 4);
		assert_int_equal(post_link(m, 1, 3, false), 0);
		assert_int_equal(post_req(m, 1, 3, 3), 0);
		assert_int_equal(post_node(m, via, false), 0);
		if (via == 2)
			expect_unreachable(m, 1, 3);
		else
			assert_int_equal(next_output(m).hops, 2);
		free(m);
	}
}

/* ---- exactly once under random failures, judged by a reference of its own ---- */

#define REF_TAGS 8
#define REF_CHIPS 6

struct ref_txn {
	bool live, offered, home, answered;
	uint32_t dst, status;
	uint64_t key, value;
	uint64_t changes;		/* how many disturbances there had been at the post */
	bool had_route;
};

struct ref {
	struct hsl_model *m;
	enum hsl_topology topology;
	uint32_t n, room, live;
	bool present[REF_CHIPS + 1];
	struct ref_txn txn[REF_CHIPS + 1][REF_TAGS];
	uint64_t next_key, changes, last_ps;
	uint64_t posted, ok, unreachable, dropped;
};

static void ref_output(struct ref *r, const struct hsl_output *out)
{
	struct ref_txn *x;

	assert_true(out->time_ps >= r->last_ps);
	assert_true(out->time_ps <= hsl_model_now_ps(r->m));
	r->last_ps = out->time_ps;
	if (out->type == HSL_OUT_DELIVER_REQ) {
		assert_in_range(out->u.req.src, 1, r->n);
		assert_in_range(out->u.req.tag, 0, REF_TAGS - 1);
		x = &r->txn[out->u.req.src][out->u.req.tag];
		assert_true(x->live && !x->offered);
		assert_int_equal(x->key, out->u.req.key);
		assert_int_equal(x->dst, out->u.req.dst);
		assert_int_equal(x->dst, out->node);
		assert_int_equal(out->u.req.addr >> 48, out->hops);
		assert_true(x->dst == HOST || r->present[x->dst]);
		x->offered = x->home = true;
		return;
	}
	assert_in_range(out->u.rsp.dst, 1, r->n);
	assert_in_range(out->u.rsp.tag, 0, REF_TAGS - 1);
	x = &r->txn[out->u.rsp.dst][out->u.rsp.tag];
	assert_true(x->live);
	assert_int_equal(out->node, out->u.rsp.dst);
	assert_int_equal(x->dst, out->u.rsp.src);
	if (out->u.rsp.status == HSL_ST_UNREACHABLE) {
		assert_false(x->had_route && x->changes == r->changes);
		assert_int_equal(out->u.rsp.value, 0);
		r->unreachable++;
	} else {
		assert_true(x->answered);
		assert_int_equal(out->u.rsp.status, x->status);
		assert_int_equal(out->u.rsp.value, x->value);
		r->ok++;
	}
	x->live = false;
	r->live--;
}

static void ref_post_req(struct ref *r)
{
	uint32_t src = 1 + rng_below(r->n), tag = rng_below(REF_TAGS);
	uint32_t dst = rng_below(8) ? 1 + rng_below(r->n) : HOST;
	struct hsl_event ev = request(src, dst, tag);
	struct ref_txn *x = &r->txn[src][tag];
	int expect = !r->present[src] ? -EINVAL : x->live ? -EBUSY :
		     r->live == r->room ? -EAGAIN : 0;
	bool had_route = hsl_model_hops(r->m, src, dst) >= 0;

	ev.u.req.key = r->next_key++;
	assert_int_equal(hsl_model_post(r->m, &ev), expect);
	if (expect)
		return;
	*x = (struct ref_txn){
		.live = true, .dst = dst, .key = ev.u.req.key,
		.changes = r->changes, .had_route = had_route,
	};
	r->live++;
	r->posted++;
}

static void ref_post_rsp(struct ref *r, uint32_t requester, uint32_t tag)
{
	struct ref_txn *x = &r->txn[requester][tag];
	bool owed = x->live && x->home && !x->answered;
	uint32_t src = x->dst ? x->dst : 1, status = rng_below(4) ? HSL_ST_OK : HSL_ST_DENIED;
	uint64_t value = rng();

	assert_int_equal(post_rsp(r->m, src, requester, tag, status, value), owed ? 0 : -ENOENT);
	if (owed) {
		x->answered = true;
		x->status = status;
		x->value = value;
	}
}

static void ref_node(struct ref *r, uint32_t id, bool present)
{
	assert_int_equal(post_node(r->m, id, present), 0);
	if (r->present[id] == present)
		return;
	r->present[id] = present;
	r->changes++;
	if (present)
		return;
	for (uint32_t tag = 0; tag < REF_TAGS; tag++) {
		if (r->txn[id][tag].live) {
			r->txn[id][tag].live = false;
			r->live--;
			r->dropped++;
		}
		for (uint32_t src = 1; src <= r->n; src++)
			if (r->txn[src][tag].dst == id)
				r->txn[src][tag].home = false;
	}
}

static void ref_link(struct ref *r, bool up)
{
	uint32_t node = 1 + rng_below(r->n);
	struct hsl_model_link l;

	assert_int_equal(hsl_model_link(r->m, node, rng_below(hsl_model_nlinks(r->m, node)), &l), 0);
	assert_int_equal(post_link(r->m, node, l.peer, up), 0);
	r->changes++;
}

static void ref_settle(struct ref *r)
{
	struct hsl_output out;

	for (uint32_t id = 1; id <= r->n; id++)
		for (uint32_t tag = 0; tag < REF_TAGS; tag++)
			if (r->txn[id][tag].home && !r->txn[id][tag].answered)
				ref_post_rsp(r, id, tag);
	for (;;) {
		if (hsl_model_drain(r->m, &out)) {
			ref_output(r, &out);
			if (out.type == HSL_OUT_DELIVER_REQ)
				ref_post_rsp(r, out.u.req.src, out.u.req.tag);
		} else if (!hsl_model_step(r->m)) {
			break;
		}
	}
	assert_int_equal(r->live, 0);
}

static void flap(enum hsl_topology topology, uint32_t n, uint32_t room, uint32_t events)
{
	struct hsl_model_config cfg = config(topology, n);
	struct hsl_output out;
	struct ref r = { .topology = topology, .n = n, .room = room, .next_key = 1 };

	cfg.max_inflight = room;
	r.m = model_of(&cfg);
	for (uint32_t id = 1; id <= n; id++)
		r.present[id] = true;
	for (uint32_t i = 0; i < events; i++) {
		uint32_t dice = rng_below(100);

		if (dice < 28)
			ref_post_req(&r);
		else if (dice < 48)
			ref_post_rsp(&r, 1 + rng_below(n), rng_below(REF_TAGS));
		else if (dice < 70)
			hsl_model_step(r.m);
		else if (dice < 94) {
			if (hsl_model_drain(r.m, &out))
				ref_output(&r, &out);
		} else if (dice < 97)
			ref_link(&r, rng_below(4) != 0);
		else
			ref_node(&r, 1 + rng_below(n), rng_below(4) != 0);
		if (rng_below(2000) == 0)
			ref_settle(&r);
	}
	ref_settle(&r);
	assert_int_equal(r.posted, r.ok + r.unreachable + r.dropped);
	/* the test would prove nothing if one of these never happened */
	assert_true(r.ok > events / 100 && r.unreachable > events / 1000 && r.dropped > events / 1000);
	free(r.m);
}

static void test_exactly_once(void **state)
{
	(void)state;
	rng_seed();
	flap(HSL_TOPO_PAIR, 2, 8, 25000);
	flap(HSL_TOPO_RING, 6, 48, 40000);
	flap(HSL_TOPO_RING, 5, 7, 25000);
	flap(HSL_TOPO_MESH, 4, 16, 25000);
	flap(HSL_TOPO_SWITCH, 6, 48, 25000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_tag_and_room),
		cmocka_unit_test(test_fill_and_reuse),
		cmocka_unit_test(test_home_vanishes),
		cmocka_unit_test(test_requester_vanishes),
		cmocka_unit_test(test_answer_offered_stands),
		cmocka_unit_test(test_link_down),
		cmocka_unit_test(test_lost_once),
		cmocka_unit_test(test_equal_ways),
		cmocka_unit_test(test_exactly_once),
	};

	return cmocka_run_group_tests_name("model_txn", tests, NULL, NULL);
}
