// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * The explorer (tests/model/explore.h) on toys whose answers are known: what is wrong is found, by
 * the shortest way; what is right is counted.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/model/explore.h"

/*
 * Two processes take two locks and drop them. As toy A both take the low lock first; as toy B
 * the second one takes the high lock first, and both can stand waiting.
 */
struct locks {
	uint8_t holder[2];	/* of each lock: 0, or process + 1 */
	uint8_t stage[2];	/* of each process: locks taken, 2 = then drops */
	uint8_t rounds[2];
	uint8_t pad[2];
};

static void locks_init(void *ctx, void *state)
{
	(void)ctx;
	memset(state, 0, sizeof(struct locks));
}

static enum explore_move locks_move(void *ctx, void *state, uint32_t i, char *text, size_t len)
{
	const bool *crossed = ctx;
	struct locks *s = state;
	uint32_t lock;

	if (i >= 2)
		return EXPLORE_END;
	if (text)
		snprintf(text, len, "process %u", i);
	if (s->stage[i] == 2) {
		for (lock = 0; lock < 2; lock++)
			s->holder[lock] = s->holder[lock] == i + 1 ? 0 : s->holder[lock];
		s->stage[i] = 0;
		return EXPLORE_STEP;
	}
	lock = s->stage[i] ^ (i && *crossed);
	if (s->holder[lock])
		return EXPLORE_NONE;
	if (!s->stage[i] && s->rounds[i]++ == 3)
		return EXPLORE_NONE;
	s->holder[lock] = (uint8_t)(i + 1);
	return s->stage[i]++ ? EXPLORE_STEP : EXPLORE_WORK;
}

static const char *no_check(void *ctx, const void *state)
{
	(void)ctx;
	(void)state;
	return NULL;
}

static void locks_hash(void *ctx, const void *state, uint64_t h[2])
{
	(void)ctx;
	explore_hash(state, sizeof(struct locks), h);
}

static bool locks_quiet(void *ctx, const void *state)
{
	const struct locks *s = state;

	(void)ctx;
	return !s->stage[0] && !s->stage[1];
}

static struct explore locks(bool *crossed)
{
	return (struct explore){ .name = "locks", .ctx = crossed, .init = locks_init,
				 .state_bytes = sizeof(struct locks), .move = locks_move,
				 .check = no_check, .hash = locks_hash, .quiet = locks_quiet };
}

static void test_deadlock(void **unused)
{
	bool crossed = true;
	struct explore e = locks(&crossed);
	struct explore_result r;

	(void)unused;
	explore_run(&e, &r);
	assert_int_equal(r.verdict, EXPLORE_DEADLOCK);
	assert_int_equal(r.trace_len, 2);	/* one lock each */
	assert_int_not_equal(r.trace[0], r.trace[1]);
	explore_free(&r);
}

static void test_right(void **unused)
{
	bool crossed = false;
	struct explore e = locks(&crossed);
	struct explore_result r;

	(void)unused;
	explore_run(&e, &r);
	assert_int_equal(r.verdict, EXPLORE_OK);
	assert_false(r.bounded);
	assert_int_equal(r.quiet_states, 16);	/* 0 to 3 rounds done by each */
	assert_true(explore_report(&e, &r));
	explore_free(&r);
	e.depth_max = 3;
	explore_run(&e, &r);
	assert_int_equal(r.verdict, EXPLORE_OK);
	assert_true(r.bounded);
	assert_int_equal(r.depth, 3);
	explore_free(&r);
	e.depth_max = 0;
	e.states_max = 10;
	explore_run(&e, &r);
	assert_true(r.bounded);
	assert_in_range(r.states, 10, 13);
	explore_free(&r);
}

/*
 * A walk over 0 … 999 by +1, +7 and *2 modulo 1000, from 1. Known by another way: breadth-first
 * distances over an array.
 */
#define RING 1000

static void ring_init(void *ctx, void *state)
{
	(void)ctx;
	*(uint64_t *)state = 1;
}

static uint64_t ring_to(uint64_t v, uint32_t i)
{
	return (i == 0 ? v + 1 : i == 1 ? v + 7 : v * 2) % RING;
}

static enum explore_move ring_move(void *ctx, void *state, uint32_t i, char *text, size_t len)
{
	uint64_t *v = state;

	(void)ctx;
	if (text)
		snprintf(text, len, "%u", i);
	if (i > 2)
		return EXPLORE_END;
	*v = ring_to(*v, i);
	return EXPLORE_STEP;
}

static const char *ring_check(void *ctx, const void *state)
{
	return *(const uint64_t *)state == *(uint64_t *)ctx ? "the bad number" : NULL;
}

static void ring_hash(void *ctx, const void *state, uint64_t h[2])
{
	(void)ctx;
	explore_hash(state, 8, h);
}

static bool ring_quiet(void *ctx, const void *state)
{
	(void)ctx;
	return *(const uint64_t *)state == 0;
}

static void test_bad_state(void **unused)
{
	uint32_t dist[RING], queue[RING], head = 0, tail = 0;
	uint64_t bad = RING, v;
	struct explore e = { .name = "ring", .ctx = &bad, .state_bytes = 8, .init = ring_init,
			     .move = ring_move, .check = ring_check, .hash = ring_hash,
			     .quiet = ring_quiet };
	struct explore_result r;

	(void)unused;
	memset(dist, 0xff, sizeof(dist));
	dist[1] = 0;
	queue[tail++] = 1;
	while (head < tail) {
		uint32_t from = queue[head++];

		for (uint32_t i = 0; i < 3; i++) {
			uint32_t to = (uint32_t)ring_to(from, i);

			if (dist[to] == UINT32_MAX) {
				dist[to] = dist[from] + 1;
				queue[tail++] = to;
			}
		}
	}
	for (bad = 0; bad < RING; bad += 13) {
		explore_run(&e, &r);
		assert_int_equal(r.verdict, EXPLORE_BAD);
		assert_string_equal(r.sentence, "the bad number");
		assert_int_equal(r.trace_len, dist[bad]);
		v = 1;
		for (uint32_t i = 0; i < r.trace_len; i++)
			v = ring_to(v, r.trace[i]);
		assert_int_equal(v, bad);
		explore_free(&r);
	}
	bad = RING;
	explore_run(&e, &r);
	assert_int_equal(r.verdict, EXPLORE_OK);
	assert_int_equal(r.states, RING);
	assert_int_equal(r.transitions, 3 * RING);
	assert_int_equal(r.depth, dist[queue[RING - 1]]);
	explore_free(&r);
}

/*
 * 0 ─work→ 1 → 2 → 0 can come to rest; 1 → 3 ⇄ 4 runs for ever, and only an error leads out of it.
 */
static enum explore_move trap_move(void *ctx, void *state, uint32_t i, char *text, size_t len)
{
	static const struct {
		uint64_t from, to;
		enum explore_move kind;
	} edges[] = {
		{ 0, 1, EXPLORE_WORK }, { 1, 2, EXPLORE_STEP }, { 2, 0, EXPLORE_STEP },
		{ 1, 3, EXPLORE_STEP }, { 3, 4, EXPLORE_STEP }, { 4, 3, EXPLORE_STEP },
		{ 4, 0, EXPLORE_WORK },
	};
	uint64_t *v = state;

	(void)ctx;
	(void)text;
	(void)len;
	if (i >= sizeof(edges) / sizeof(edges[0]))
		return EXPLORE_END;
	if (edges[i].from != *v)
		return EXPLORE_NONE;
	*v = edges[i].to;
	return edges[i].kind;
}

static void trap_init(void *ctx, void *state)
{
	(void)ctx;
	*(uint64_t *)state = 0;
}

static void test_livelock(void **unused)
{
	struct explore e = { .name = "trap", .state_bytes = 8, .init = trap_init, .move = trap_move,
			     .check = no_check, .hash = ring_hash, .quiet = ring_quiet };
	struct explore_result r;

	(void)unused;
	explore_run(&e, &r);
	assert_int_equal(r.verdict, EXPLORE_LIVELOCK);
	assert_int_equal(r.trace_len, 2);	/* 0 → 1 → 3 */
	assert_int_equal(r.trace[0], 0);
	assert_int_equal(r.trace[1], 3);
	assert_int_equal(r.states, 5);
	explore_free(&r);
	e.no_livelock = true;
	explore_run(&e, &r);
	assert_int_equal(r.verdict, EXPLORE_OK);
	explore_free(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_deadlock),
		cmocka_unit_test(test_right),
		cmocka_unit_test(test_bad_state),
		cmocka_unit_test(test_livelock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
