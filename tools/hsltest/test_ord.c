/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* ORD: what a completion promises about order and visibility. */
#include <inttypes.h>

#include "hsltest.h"

#define KIB ((uint64_t)1024)

/*
 * Chains of dependent commands in one batch, none waited for: each reads what the one before it
 * wrote. A command that starts early moves old bytes. Sizes vary, so that a short one would
 * overtake a long one if it could.
 */
static void strong_chain(struct ht *t)
{
	enum { STEPS = 32, SLOTS = 6, ROUNDS = 10 };
	struct hsl_completion c[STEPS];
	struct hsl_op ops[STEPS];
	struct ht_buf b[SLOTS];
	uint64_t len = 200 * KIB, n;
	unsigned int i, k, round, src, dst;
	struct hsl_queue *q;

	for (i = 0; i < SLOTS; i++)
		ht_buf_new(t, &b[i], i == SLOTS - 1 ? 0 : t->chip[i % t->nchips].node, len);
	for (k = 0; k < t->nchips && k < 2; k++) {
		q = ht_queue_new(t, t->chip[k].node, STEPS);
		for (round = 0; round < ROUNDS; round++) {
			for (i = 0; i < STEPS; i++) {
				src = i % SLOTS;
				dst = (i + 1) % SLOTS;
				n = i & 1 ? 64 + ht_random_below(t, 200)
					  : len - ht_random_below(t, 1000);
				if (i % 5 == 4) {
					uint64_t pattern = ht_random(t);

					ops[i] = ht_op_fill(b[dst].ga, n, pattern);
					ht_oracle_fill(b[dst].shadow, n, pattern);
				} else {
					ops[i] = ht_op_copy(b[dst].ga, b[src].ga, n);
					ht_oracle_move(b[dst].shadow, b[src].shadow, n);
				}
				ops[i].cookie = round * 1000 + i;
				ops[i].order = HSL_ORDER_STRONG;
			}
			ht_submit_all(t, q, ops, STEPS);
			ht_wait_all(t, q, c, STEPS);
			for (i = 0; i < STEPS; i++) {
				ht_status(t, &c[i], HSL_ST_OK, "command of the chain");
				HT_EQ(t, "cookie in submission order", c[i].cookie,
				      round * 1000 + i);
			}
			for (i = 0; i < SLOTS; i++)
				ht_buf_check(t, &b[i], "chain of dependent commands");
		}
		ht_queue_free(t, q);
	}
	for (i = 0; i < SLOTS; i++)
		ht_buf_free(t, &b[i]);
}

/* A strong command behind relaxed ones waits for all of them. */
static void strong_after_relaxed(struct ht *t)
{
	enum { N = 16, ROUNDS = 100 };
	struct hsl_completion c[N];
	struct hsl_op ops[N];
	uint64_t piece = 20 * KIB, pattern;
	unsigned int i, round;
	struct hsl_queue *q;
	struct ht_buf a, z;

	ht_buf_new(t, &a, t->chip[0].node, N * piece);
	ht_buf_new(t, &z, t->chip[t->nchips - 1].node, N * piece);
	q = ht_queue_new(t, t->chip[0].node, N);
	for (round = 0; round < ROUNDS; round++) {
		for (i = 0; i < N - 1; i++) {
			pattern = ht_random(t);
			ops[i] = ht_op_fill(a.ga + i * piece, piece, pattern);
			ops[i].order = HSL_ORDER_RELAXED;
			ops[i].cookie = i;
			ht_oracle_fill(a.shadow + i * piece, piece, pattern);
		}
		ops[i] = ht_op_copy(z.ga, a.ga, (N - 1) * piece);
		ops[i].cookie = i;
		ht_oracle_move(z.shadow, a.shadow, (N - 1) * piece);
		ht_submit_all(t, q, ops, N);
		ht_wait_all(t, q, c, N);
		HT_EQ(t, "cookie of the last completion", c[N - 1].cookie, N - 1);
		for (i = 0; i < N; i++)
			ht_status(t, &c[i], HSL_ST_OK, "command");
		ht_buf_check(t, &z, "strong COPY behind relaxed FILLs");
	}
	ht_buf_check(t, &a, "at the end");
	ht_queue_free(t, q);
	ht_buf_free(t, &a);
	ht_buf_free(t, &z);
}

/* Hand a buffer from queue to queue and chip to chip; the only order is that the completion was
 * seen. */
static void across_queues(struct ht *t)
{
	enum { QUEUES = 4, ROUNDS = 200 };
	struct hsl_queue *q[QUEUES];
	struct ht_buf b[QUEUES];
	uint64_t len = 32 * KIB, n;
	unsigned int i, round;

	for (i = 0; i < QUEUES; i++) {
		q[i] = ht_queue_new(t, t->chip[i % t->nchips].node, 0);
		ht_buf_new(t, &b[i], i == 3 ? 0 : t->chip[(i + 1) % t->nchips].node, len);
	}
	for (round = 0; round < ROUNDS; round++) {
		unsigned int src = round % QUEUES, dst = (round + 1) % QUEUES;

		n = 1 + ht_random_below(t, len);
		ht_copy(t, q[(unsigned int)ht_random_below(t, QUEUES)], &b[dst], 0, &b[src], 0, n);
		if (round % 16 == 0) {
			uint64_t pattern = ht_random(t);
			struct hsl_op op = ht_op_fill(b[dst].ga, len, pattern);

			ht_expect(t, q[(unsigned int)ht_random_below(t, QUEUES)], &op, HSL_ST_OK,
				  "FILL");
			ht_oracle_fill(b[dst].shadow, len, pattern);
		}
	}
	/* one queue reads the same few bytes again and again, another one writes them meanwhile */
	for (round = 0; round < ROUNDS; round++) {
		uint64_t pattern = ht_random(t);
		struct hsl_op op = ht_op_fill(b[0].ga, 64, pattern);

		ht_expect(t, q[round % QUEUES], &op, HSL_ST_OK, "FILL");
		ht_oracle_fill(b[0].shadow, 64, pattern);
		ht_copy(t, q[0], &b[1], 64 * (round % 16), &b[0], 0, 64);
	}
	for (i = 0; i < QUEUES; i++) {
		ht_buf_check(t, &b[i], "after handing on");
		ht_queue_free(t, q[i]);
		ht_buf_free(t, &b[i]);
	}
}

/*
 * The moment a completion is there, the last byte of the data is there, seen by the CPU and by
 * another chip. Polled without a system call between, so that nothing but the chip's own order
 * helps.
 */
static void visible(struct ht *t)
{
	enum { ROUNDS = 2000 };
	struct hsl_queue *q, *q2;
	struct hsl_completion c;
	uint64_t len = 8 * KIB, i;
	struct ht_limit limit;
	struct hsl_op op;
	struct ht_buf b, h;
	unsigned int round;
	int rc;

	ht_buf_new(t, &b, t->chip[t->nchips - 1].node, len);
	ht_buf_new(t, &h, 0, len);
	q = ht_queue_new(t, t->chip[0].node, 0);
	q2 = ht_queue_new(t, t->chip[t->nchips - 1].node, 0);
	for (round = 0; round < ROUNDS; round++) {
		struct ht_buf *dst = round & 1 ? &h : &b;
		uint8_t byte = (uint8_t)(round * 7 + 1);

		op = ht_op_fill(dst->ga, len, byte * 0x0101010101010101ull);
		op.cookie = round;
		ht_submit_all(t, q, &op, 1);
		limit = ht_limit(HT_OP_LIMIT_S);
		while (!(rc = hsl_queue_poll(q, &c, 1)))
			HT_TRUE(t, !ht_limit_over(&limit), "no completion within %d s", HT_OP_LIMIT_S);
		/* the last bytes first: they are the ones that would be late */
		for (i = len; i > 0; i--) {
			uint8_t got = ((volatile uint8_t *)dst->p)[i - 1];

			if (got != byte)
				HT_FAIL_TEST(t,
					     "round %u: byte %" PRIu64
					     " is 0x%02x after the completion, expected 0x%02x",
					     round, i - 1, got, byte);
		}
		HT_EQ(t, "hsl_queue_poll", rc, 1);
		ht_status(t, &c, HSL_ST_OK, "FILL");
		memset(dst->shadow, byte, len);
		if (round % 8 == 0) { /* another chip sees it too */
			ht_copy(t, q2, &h, 0, &b, 0, len);
			ht_buf_check(t, &h, "what another chip read");
		}
	}
	ht_queue_free(t, q);
	ht_queue_free(t, q2);
	ht_buf_free(t, &b);
	ht_buf_free(t, &h);
}

const struct ht_test ht_tests_ord[] = {
	{ "HEP-ORD-001", "strong_chain", "dependent commands in one batch, completions in order",
	  strong_chain, 0, 0 },
	{ "HEP-ORD-001", "strong_after_relaxed", "a strong command waits for relaxed ones",
	  strong_after_relaxed, 0, 0 },
	{ "HEP-ORD-002", "across_queues",
	  "a completed write is seen by commands of any queue and chip", across_queues, 0, 0 },
	{ "HEP-ORD-003", "visible", "data is visible when its completion is", visible, 0, 0 },
	{ 0 }
};
