// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * The model is a value: a snapshot is a memcpy and goes on like the original, the same events give
 * the same outputs wherever the arena lies and whatever was in it before, and the hash is equal for
 * equal states.
 */
#include "model_test.h"

/* One random event; the same rng state gives the same. Returns a digest of what came out. */
static uint64_t random_event(struct hsl_model *m, uint32_t n)
{
	struct hsl_output out;
	uint32_t a = 1 + rng_below(n), b = 1 + rng_below(n), tag = rng_below(16);

	switch (rng_below(8)) {
	case 0:
	case 1:
		return (uint64_t)post_req(m, a, b, tag);
	case 2:
	case 3:
		return (uint64_t)post_rsp(m, a, b, tag, HSL_ST_OK, tag);
	case 4:
		return (uint64_t)post_link(m, a, b, rng_below(3) != 0);
	case 5:
		return (uint64_t)post_node(m, a, rng_below(4) != 0);
	case 6:
		return (uint64_t)hsl_model_step(m);
	default:
		if (!hsl_model_drain(m, &out))
			return 0;
		return out.time_ps * 8191 + out.node * 127 + out.hops +
		       (out.type == HSL_OUT_DELIVER_REQ ? hsl_crc64(&out.u.req, sizeof(out.u.req)) :
							  hsl_crc64(&out.u.rsp, sizeof(out.u.rsp)));
	}
}

static void test_snapshot(void **state)
{
	struct hsl_model_config cfg = config(HSL_TOPO_RING, 5);
	size_t bytes = hsl_model_size(&cfg);
	struct hsl_model *m = model_of(&cfg), *copy = malloc(bytes);
	uint64_t seed, want, last = 0;
	unsigned int moved = 0;

	(void)state;
	rng_seed();
	assert_non_null(copy);
	for (int round = 0; round < 200; round++) {
		for (int i = 0; i < 20; i++)
			random_event(m, cfg.nodes);
		memcpy(copy, m, bytes);
		assert_int_equal(hsl_model_hash(copy), hsl_model_hash(m));
		seed = rng_state;
		for (int i = 0; i < 40; i++) {
			uint64_t then = rng_state;

			want = random_event(m, cfg.nodes);
			rng_state = then;
			assert_int_equal(random_event(copy, cfg.nodes), want);
			assert_int_equal(hsl_model_hash(copy), hsl_model_hash(m));
			moved += hsl_model_hash(m) != last;
			last = hsl_model_hash(m);
		}
		rng_state = seed + 1;
		assert_memory_equal(copy, m, bytes);
	}
	assert_true(moved > 2000);
	free(copy);
	free(m);
}

/* Same run, different arena contents before init and different address. */
static void test_deterministic(void **state)
{
	struct hsl_model *a = model_new(HSL_TOPO_MESH, 6), *b = model_new(HSL_TOPO_MESH, 6);
	uint64_t then, want;

	(void)state;
	rng_seed();
	for (int i = 0; i < 5000; i++) {
		then = rng_state;
		want = random_event(a, 6);
		rng_state = then;
		assert_int_equal(random_event(b, 6), want);
	}
	assert_int_equal(hsl_model_hash(a), hsl_model_hash(b));
	free(a);
	free(b);
}

/* Equal states reached on different ways hash equal and go on alike; different states do not. */
static void test_hash(void **state)
{
	struct hsl_model *a = model_new(HSL_TOPO_MESH, 4), *b = model_new(HSL_TOPO_MESH, 4);
	uint64_t empty = hsl_model_hash(a);
	struct hsl_model_config cfg;
	struct hsl_output x, y;
	struct hsl_model *c;

	(void)state;
	assert_int_equal(empty, hsl_model_hash(b));

	/* b uses other slots for the same transactions, and its chains and routes have a history */
	for (uint32_t i = 0; i < 5; i++)
		assert_int_equal(post_req(b, 4, 1, i), 0);
	assert_int_equal(post_req(b, 1, 2, 10), 0);
	assert_int_equal(post_node(b, 4, false), 0);
	assert_int_equal(post_link(b, 2, 3, false), 0);
	assert_int_equal(post_req(b, 2, 1, 11), 0);
	assert_int_equal(post_link(b, 2, 3, true), 0);
	assert_int_equal(post_node(b, 4, true), 0);
	assert_int_equal(post_req(a, 1, 2, 10), 0);
	assert_int_not_equal(hsl_model_hash(a), hsl_model_hash(b));
	assert_int_equal(post_req(a, 2, 1, 11), 0);
	assert_int_equal(hsl_model_hash(a), hsl_model_hash(b));
	for (int i = 0; i < 2; i++) {
		x = next_output(a);
		y = next_output(b);
		assert_int_equal(x.node, y.node);
		assert_int_equal(x.u.req.tag, y.u.req.tag);
		assert_int_equal(hsl_model_hash(a), hsl_model_hash(b));
	}

	/* what the state is, shows */
	assert_int_equal(post_rsp(a, 2, 1, 10, HSL_ST_OK, 1), 0);
	assert_int_equal(post_rsp(b, 2, 1, 10, HSL_ST_OK, 2), 0);
	assert_int_not_equal(hsl_model_hash(a), hsl_model_hash(b));
	free(a);
	free(b);

	a = model_new(HSL_TOPO_MESH, 4);
	assert_int_equal(post_link(a, 1, 2, false), 0);
	assert_int_not_equal(hsl_model_hash(a), empty);
	assert_int_equal(post_link(a, 1, 2, true), 0);
	assert_int_equal(hsl_model_hash(a), empty);
	assert_int_equal(post_node(a, 3, false), 0);
	assert_int_not_equal(hsl_model_hash(a), empty);
	free(a);
	cfg = config(HSL_TOPO_MESH, 4);
	cfg.profile.dram_ps++;
	c = model_of(&cfg);
	assert_int_not_equal(hsl_model_hash(c), empty);
	free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_snapshot),
		cmocka_unit_test(test_deterministic),
		cmocka_unit_test(test_hash),
	};

	return cmocka_run_group_tests_name("model_value", tests, NULL, NULL);
}
