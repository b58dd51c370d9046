/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The random walk without a fabric: every operation is legal, the same seed gives the same walk, and the shrinker finds the few
 * operations that a made-up chip needs to fail.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tools/hsltest/compare.c"
#include "tools/hsltest/oracle.c"
#include "tools/hsltest/walk.c"
#include "tools/hsltest/walk_shrink.c"

#define N 4000

static const struct walk_world world = { .nbufs = WALK_BUFS, .nqueues = 4, .cap = UINT64_MAX };
static struct walk_op ops[N], again[N];

static void in_bounds(const struct walk_place *p, uint64_t len)
{
	assert_true(p->buf < world.nbufs);
	assert_true(p->off + len <= WALK_LEN);
}

static void every_operation_is_legal(void **state)
{
	static uint8_t mem[WALK_BUFS][WALK_LEN];
	unsigned int seen[HSL_OP_COPY_LIST + 1] = { 0 };
	struct walk_expect e;
	uint64_t seed, dlen, slen;
	unsigned int i, k;
	char text[400];

	(void)state;
	for (seed = 0; seed < 20; seed++) {
		walk_generate(&world, seed, ops, N);
		walk_model_reset(&world, seed, mem);
		for (i = 0; i < N; i++) {
			const struct walk_op *o = &ops[i];
			bool two = o->kind == WALK_COMMAND && o->opcode == HSL_OP_COPY2D;

			dlen = two ? (uint64_t)o->dpitch * (o->rows - 1) + o->len : o->len;
			slen = two ? (uint64_t)o->spitch * (o->rows - 1) + o->len : o->len;
			if (o->kind == WALK_COMMAND && o->opcode == HSL_OP_COPY_LIST) {
				assert_in_range(o->n, 1, WALK_ENTRIES);
				for (k = 0; k < o->n; k++) {
					in_bounds(&o->e[k].dst, o->e[k].len);
					in_bounds(&o->e[k].src, o->e[k].len);
				}
			} else {
				in_bounds(&o->dst, dlen);
				in_bounds(&o->src, slen);
			}
			assert_true(walk_describe(o, text, sizeof(text))[0]);
			assert_true(strlen(text) < sizeof(text) - 1);
			walk_model_apply(o, mem, &e);
			if (o->kind != WALK_COMMAND)
				continue;
			seen[o->opcode]++;
			assert_true(o->queue < world.nqueues && o->order <= 2);
			if (o->opcode == HSL_OP_ATOMIC)
				assert_int_equal(o->dst.off % o->len, 0);
			if (o->opcode == HSL_OP_REDUCE)
				assert_int_equal((o->dst.off | o->src.off | o->len) % ht_type_bytes(o->subop >> 4), 0);
			if (two)
				assert_int_not_equal(o->dst.buf, o->src.buf);
		}
	}
	for (i = 0; i <= HSL_OP_COPY_LIST; i++)
		assert_true(seen[i] > 100);
}

static void same_seed_same_walk(void **state)
{
	(void)state;
	walk_generate(&world, 7, ops, N);
	walk_generate(&world, 7, again, N);
	assert_memory_equal(ops, again, sizeof(ops));
	walk_generate(&world, 8, again, N);
	assert_memory_not_equal(ops, again, sizeof(ops));
}

/* A command that no chip claims is not in a walk. */
static void only_what_is_claimed(void **state)
{
	struct walk_world w = world;
	unsigned int i;

	(void)state;
	w.cap = HSL_CAP_OP_COPY;
	walk_generate(&w, 1, ops, N);
	for (i = 0; i < N; i++)
		assert_true(ops[i].kind != WALK_COMMAND || ops[i].opcode == HSL_OP_COPY || ops[i].opcode == HSL_OP_NOP);
}

/* A chip that fails when an atomic on b0 comes anywhere after a FILL longer than 5 bytes. */
static unsigned int calls;
static bool order_bug(void *arg, const struct walk_op *o, unsigned int n)
{
	bool filled = false;
	unsigned int i;

	(void)arg;
	calls++;
	for (i = 0; i < n; i++) {
		if (o[i].kind != WALK_COMMAND)
			continue;
		if (o[i].opcode == HSL_OP_FILL && o[i].len > 5)
			filled = true;
		else if (o[i].opcode == HSL_OP_ATOMIC && o[i].dst.buf == 0 && filled)
			return true;
	}
	return false;
}

static void shrinks_to_what_matters(void **state)
{
	unsigned int n;

	(void)state;
	walk_generate(&world, 3, ops, N);
	assert_true(order_bug(NULL, ops, N));
	calls = 0;
	n = walk_shrink(ops, N, order_bug, NULL, 10000);
	assert_int_equal(n, 2);
	assert_true(order_bug(NULL, ops, n));
	assert_int_equal(ops[0].opcode, HSL_OP_FILL);
	assert_int_equal(ops[0].len, 6); /* the shortest that fails */
	assert_int_equal(ops[1].opcode, HSL_OP_ATOMIC);
	assert_false(ops[0].more || ops[1].more);
	assert_true(calls < 1000);
}

/* Forty of one kind are needed: none of them can be left out, all others can. */
static bool counting_bug(void *arg, const struct walk_op *o, unsigned int n)
{
	unsigned int i, seen = 0;

	(void)arg;
	for (i = 0; i < n; i++)
		seen += o[i].kind == WALK_COMMAND && o[i].opcode == HSL_OP_SIGNAL;
	return seen >= 40;
}

static void keeps_all_that_is_needed(void **state)
{
	(void)state;
	walk_generate(&world, 5, ops, N);
	assert_true(counting_bug(NULL, ops, N));
	assert_int_equal(walk_shrink(ops, N, counting_bug, NULL, 100000), 40);
}

static void stops_when_tries_are_used_up(void **state)
{
	unsigned int n;

	(void)state;
	walk_generate(&world, 3, ops, N);
	calls = 0;
	n = walk_shrink(ops, N, order_bug, NULL, 7);
	assert_int_equal(calls, 7);
	assert_true(n > 2 && order_bug(NULL, ops, n));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_operation_is_legal),
		cmocka_unit_test(same_seed_same_walk),
		cmocka_unit_test(only_what_is_claimed),
		cmocka_unit_test(shrinks_to_what_matters),
		cmocka_unit_test(keeps_all_that_is_needed),
		cmocka_unit_test(stops_when_tries_are_used_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
