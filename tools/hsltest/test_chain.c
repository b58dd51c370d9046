/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* QUE: commands without completion, chains, abort, moderation; batches of every size. */
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "hsltest.h"

#define KIB ((uint64_t)1024)
#define MIB (1024 * KIB)

static const struct hsl_op nop_op = { .opcode = HSL_OP_NOP };

/* Many times the ring's depth goes through it with one completion for each batch; those that fail are all reported. */
static void no_completion(struct ht *t)
{
	enum { DEPTH = 16, ROUNDS = 400 };
	struct hsl_completion c[DEPTH];
	unsigned int i, round, bad, failures = 0;
	uint64_t pattern, piece = 200;
	struct hsl_op ops[DEPTH];
	struct hsl_queue *q;
	struct ht_buf b;

	ht_buf_new(t, &b, t->chip[t->nchips - 1].node, DEPTH * piece);
	q = ht_queue_new(t, t->chip[0].node, DEPTH);
	for (round = 0; round < ROUNDS; round++) {
		bad = round % 3 ? DEPTH : (unsigned int)ht_random_below(t, DEPTH - 1);
		for (i = 0; i < DEPTH - 1; i++) {
			pattern = ht_random(t);
			ops[i] = ht_op_fill(i == bad ? 0x77 : b.ga + i * piece, piece, pattern);
			ops[i].flags = HSL_DF_NO_CQE;
			ops[i].order = (uint8_t)(round % 2 ? HSL_ORDER_RELAXED : HSL_ORDER_STRONG);
			ops[i].cookie = round * 100 + i;
			if (i != bad)
				ht_oracle_fill(b.shadow + i * piece, piece, pattern);
		}
		ops[DEPTH - 1] = nop_op; /* strong: after all of them */
		ops[DEPTH - 1].cookie = round * 100 + 99;
		ht_step(t, "round %u", round);
		ht_submit_all(t, q, ops, DEPTH);
		ht_wait_all(t, q, c, bad < DEPTH ? 2 : 1);
		if (bad < DEPTH) {
			HT_EQ(t, "cookie of the one that failed", c[0].cookie, round * 100 + bad);
			ht_status(t, &c[0], HSL_ST_SEGMENT, "failed command with NO_CQE");
			failures++;
		}
		HT_EQ(t, "cookie of the NOP", c[bad < DEPTH].cookie, round * 100 + 99);
		ht_status(t, &c[bad < DEPTH], HSL_ST_OK, "NOP");
		HT_RC(t, hsl_queue_poll(q, c, DEPTH), 0);
		ht_buf_check(t, &b, "FILLs without completion");
	}
	HT_EQ(t, "outstanding at the end", hsl_queue_outstanding(q), 0);
	ht_note(t, "%u commands, %u reported because they failed", round * DEPTH, failures);
	ht_queue_free(t, q);
	ht_buf_free(t, &b);
}

/* Chain A fails at each of its places in turn; chain B is right behind it. */
static void chains(struct ht *t)
{
	enum { A = 6, B = 4, N = A + B };
	struct hsl_completion c[N], *by[N];
	unsigned int fail, i, order, quiet;
	uint64_t pattern, piece = 3000;
	struct hsl_op ops[N];
	struct hsl_queue *q;
	struct ht_buf b;

	ht_buf_new(t, &b, t->chip[t->nchips - 1].node, N * piece);
	q = ht_queue_new(t, t->chip[0].node, 16);
	for (fail = 0; fail <= A; fail++) { /* A: no failure */
		for (order = 0; order < 6; order++) {
			quiet = order / 3;
			for (i = 0; i < N; i++) {
				pattern = ht_random(t);
				ops[i] = ht_op_fill(i == fail && i < A ? 0x77 : b.ga + i * piece, piece, pattern);
				ops[i].flags = i == A - 1 || i == N - 1 ? 0 : HSL_DF_LINK;
				/* a command that does not end OK is reported, quiet or not */
				if (quiet && i >= fail && i < A)
					ops[i].flags |= HSL_DF_NO_CQE;
				ops[i].order = (uint8_t)(order % 3);
				ops[i].cookie = i;
				if (i < fail || i >= A)
					ht_oracle_fill(b.shadow + i * piece, piece, pattern);
			}
			ht_step(t, "a chain that fails at %u, order %u", fail, order);
			ht_submit_all(t, q, ops, N);
			ht_wait_all(t, q, c, N);
			memset(by, 0, sizeof(by));
			for (i = 0; i < N; i++) {
				HT_TRUE(t, c[i].cookie < N && !by[c[i].cookie], "cookie %" PRIu64 " twice or not ours",
					c[i].cookie);
				by[c[i].cookie] = &c[i];
			}
			for (i = 0; i < N; i++)
				ht_status(t, by[i],
					  i >= A || i < fail ? HSL_ST_OK : i == fail ? HSL_ST_SEGMENT : HSL_ST_ABORTED,
					  i < A ? "command of a chain" : "command of the next chain");
			ht_buf_check(t, &b, "memory after a chain");
		}
	}
	/* the first command behind a failed chain that has no flag is its last; a lone one after it is not affected */
	ops[0] = ht_op_fill(0x77, 8, 0);
	ops[0].flags = HSL_DF_LINK;
	ops[1] = nop_op;
	ops[2] = nop_op;
	ht_submit_all(t, q, ops, 3);
	ht_wait_all(t, q, c, 3);
	ht_status(t, &c[0], HSL_ST_SEGMENT, "head of a chain of two");
	ht_status(t, &c[1], HSL_ST_ABORTED, "tail of a chain of two");
	ht_status(t, &c[2], HSL_ST_OK, "command behind a chain of two");
	ht_queue_free(t, q);
	ht_buf_free(t, &b);
}

static void aborts(struct ht *t)
{
	enum { DEPTH = 16, ROUNDS = 30 };
	unsigned int round, i, aborted = 0, done = 0;
	struct hsl_completion c[DEPTH];
	uint64_t cookies[DEPTH], bad;
	struct hsl_op ops[DEPTH];
	struct hsl_queue *q;
	struct ht_buf b, big;
	bool wait;

	ht_buf_new(t, &b, t->chip[0].node, 4096);
	ht_buf_new(t, &big, t->chip[t->nchips - 1].node, 16 * MIB);
	memset(b.p, 0, 4096);
	q = ht_queue_new(t, t->chip[0].node, DEPTH);
	HT_OK(t, hsl_queue_abort(q)); /* nothing to abort */
	for (round = 0; round < ROUNDS; round++) {
		/* a parked WAIT first, or long commands; then what waits behind them */
		wait = round % 2 && (t->chip[0].cap & HSL_CAP_OP_SIGNAL);
		for (i = 0; i < DEPTH; i++) {
			ops[i] = ht_op_fill(big.ga, big.len, ht_random(t));
			if (i % 4 == 3)
				ops[i].order = HSL_ORDER_RELAXED;
			if (i && wait)
				ops[i] = ht_op_fill(b.ga + 64, 8, ~0ull);
			ops[i].cookie = round * 100 + i;
		}
		if (wait) {
			ops[0] = ht_op_wait(HSL_WAIT_EQ, b.ga, 1, 0);
			ops[0].cookie = round * 100;
		}
		ht_submit_all(t, q, ops, DEPTH);
		if (round % 3 == 0)
			usleep(500);
		ht_step(t, "round %u: abort with %s", round, wait ? "a parked WAIT" : "long commands");
		HT_OK(t, hsl_queue_abort(q));
		/* all of it is in the completion ring now */
		HT_RC(t, hsl_queue_poll(q, c, DEPTH), DEPTH);
		for (i = 0; i < DEPTH; i++) {
			cookies[i] = c[i].cookie;
			if (wait || c[i].status != HSL_ST_OK)
				ht_status(t, &c[i], HSL_ST_ABORTED, "aborted command");
			aborted += c[i].status == HSL_ST_ABORTED;
			done += c[i].status == HSL_ST_OK;
		}
		HT_TRUE(t, !ht_cookies_check(cookies, DEPTH, round * 100, DEPTH, &bad),
			"cookie %" PRIu64 " lost, twice or not ours", bad);
		HT_EQ(t, "outstanding after an abort", hsl_queue_outstanding(q), 0);
		HT_RC(t, hsl_queue_state(q, NULL), HSL_QUEUE_READY);
		if (wait)
			HT_EQ(t, "memory of a command behind a parked WAIT", b.p[64], 0);
		/* the queue goes on, and nothing writes any more */
		ht_buf_pattern(t, &big);
		HT_OK(t, hsl_nop(q));
		HT_OK(t, hsl_fill(q, b.ga + 128, 8, round));
		ht_buf_check(t, &big, "memory after an abort");
	}
	ht_note(t, "%u aborted, %u had ended before", aborted, done);
	ht_queue_free(t, q);
	ht_buf_free(t, &b);
	ht_buf_free(t, &big);
}

static void moderation(struct ht *t)
{
	static const uint32_t us[] = { 0, 1, 500, 20000 };
	enum { DEPTH = 32, ROUNDS = 240 };
	struct hsl_completion c[DEPTH];
	struct hsl_op ops[DEPTH];
	struct ht_limit limit;
	uint64_t start_ns, spent_ns, v;
	unsigned int round, n, count, i;
	struct hsl_queue *q;
	int efd, rc;

	q = ht_queue_new(t, t->chip[0].node, DEPTH);
	rc = hsl_queue_moderate(q, 4, 100);
	if (!(t->chip[0].cap & HSL_CAP_MODERATION)) {
		HT_TRUE(t, rc == -EOPNOTSUPP, "moderation is not claimed: expected -EOPNOTSUPP, got %s",
			ht_errno_name(rc));
		HT_NA_TEST(t, "chip %u does not claim MODERATION", t->chip[0].node);
	}
	HT_TRUE(t, !rc, "hsl_queue_moderate: %s", ht_errno_name(rc));
	HT_RC(t, hsl_queue_moderate(q, 65536, 1), -EINVAL);
	HT_RC(t, hsl_queue_moderate(q, 1, 65536), -EINVAL);
	efd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	HT_TRUE(t, efd >= 0, "eventfd: %s", strerror(errno));
	HT_OK(t, hsl_queue_eventfd(q, efd));
	for (round = 0; round < ROUNDS; round++) {
		uint32_t t_us = us[round % 4];

		count = (unsigned int)ht_random_below(t, 12);
		n = 1 + (unsigned int)ht_random_below(t, 20);
		HT_OK(t, hsl_queue_moderate(q, count, t_us));
		for (i = 0; i < n; i++)
			ops[i] = nop_op;
		ht_step(t, "round %u: %u completions, moderation %u in %u us", round, n, count, t_us);
		start_ns = ht_clock_ns(t);
		if (round & 1)
			HT_OK(t, hsl_queue_arm(q));
		ht_submit_all(t, q, ops, n);
		if (!(round & 1))
			HT_OK(t, hsl_queue_arm(q));
		HT_TRUE(t, ht_readable(efd) == POLLIN, "%u completions, moderation %u in %u us: no event", n, count, t_us);
		spent_ns = ht_clock_ns(t) - start_ns;
		HT_TRUE(t, read(efd, &v, sizeof(v)) == sizeof(v), "read of the eventfd: %s", strerror(errno));
		/* late is no fault on a busy machine; early is, when there were too few; a tenth for the clocks */
		HT_TRUE(t, count <= 1 || n >= count || spent_ns >= (uint64_t)t_us * 900,
			"event after %" PRIu64 " ns with %u of %u completions, the time is %u us", spent_ns, n, count,
			t_us);
		/* not by hsl_queue_wait, which may arm too */
		limit = ht_limit(HT_OP_LIMIT_S);
		for (i = 0; i < n; i += (unsigned int)rc) {
			rc = hsl_queue_poll(q, c, n - i);
			HT_TRUE(t, rc >= 0 && !ht_limit_over(&limit), "%u of %u completions: %s", i, n, ht_errno_name(rc));
		}
	}
	/* and what sleeps in the library wakes up too */
	HT_OK(t, hsl_queue_eventfd(q, -1));
	HT_OK(t, hsl_queue_moderate(q, 30, 10000));
	for (round = 0; round < 20; round++) {
		ht_submit_all(t, q, &nop_op, 1);
		HT_RC(t, ht_completions(q, c, 1), 1);
	}
	close(efd);
	ht_queue_free(t, q);
}

/*
 * Many queues signal one eventfd that nobody reads and that is full, and are destroyed armed and with work in flight. Nothing
 * waits for the eventfd; afterwards it works.
 */
static void eventfd_storm(struct ht *t)
{
	enum { QUEUES = 8, ROUNDS = 40, DEPTH = 16 };
	struct hsl_completion c[DEPTH];
	struct hsl_op ops[DEPTH];
	struct hsl_queue *q[QUEUES];
	unsigned int i, k, n, round;
	struct ht_buf b;
	uint64_t v = UINT64_MAX - 1;
	int efd;

	ht_buf_new(t, &b, t->chip[t->nchips - 1].node, 64 * KIB);
	efd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	HT_TRUE(t, efd >= 0 && write(efd, &v, 8) == 8, "eventfd: %s", strerror(errno));
	for (round = 0; round < ROUNDS; round++) {
		for (k = 0; k < QUEUES; k++) {
			q[k] = ht_queue_new(t, t->chip[k % t->nchips].node, DEPTH);
			HT_OK(t, hsl_queue_eventfd(q[k], efd));
			for (i = 0; i < DEPTH; i++)
				ops[i] = i & 1 ? nop_op : ht_op_fill(b.ga, b.len, i);
			HT_OK(t, hsl_queue_arm(q[k]));
			ht_submit_all(t, q[k], ops, DEPTH);
		}
		ht_step(t, "round %u: arming again at every completion", round);
		for (k = 0; k < QUEUES; k++) {
			for (n = 0; n < DEPTH / 2;) {
				int rc = hsl_queue_poll(q[k], c, 1);

				HT_TRUE(t, rc >= 0, "hsl_queue_poll: %s", ht_errno_name(rc));
				n += (unsigned int)rc;
				HT_OK(t, hsl_queue_arm(q[k]));
			}
		}
		ht_step(t, "round %u: destroying armed queues", round);
		for (k = 0; k < QUEUES; k++)
			ht_queue_free(t, q[k]);
	}
	HT_TRUE(t, read(efd, &v, 8) == 8, "read of the eventfd: %s", strerror(errno));
	while (read(efd, &v, 8) == 8)
		;
	q[0] = ht_queue_new(t, t->chip[0].node, DEPTH);
	HT_OK(t, hsl_queue_eventfd(q[0], efd));
	HT_OK(t, hsl_queue_arm(q[0]));
	ht_submit_all(t, q[0], &nop_op, 1);
	HT_EQ(t, "poll(2) of the eventfd after the storm", ht_readable(efd), POLLIN);
	ht_wait_all(t, q[0], c, 1);
	ht_queue_free(t, q[0]);
	close(efd);
	ht_buf_free(t, &b);
}

/* Batches of 1, depth - 1, depth and depth + 1, at every position in the ring. */
static void batch_sizes(struct ht *t)
{
	static const unsigned int depths[] = { 2, 8, 64 };
	struct hsl_completion *c = calloc(65, sizeof(*c));
	struct hsl_op *ops = calloc(65, sizeof(*ops));
	unsigned int k, s, i, round, depth, n;
	struct hsl_queue *q;
	uint64_t cookie = 0;

	HT_TRUE(t, c && ops, "no memory");
	for (k = 0; k < sizeof(depths) / sizeof(depths[0]); k++) {
		depth = depths[k];
		q = ht_queue_new(t, t->chip[0].node, depth);
		for (round = 0; round < 3 * depth; round++) {
			const unsigned int sizes[] = { 1, depth - 1, depth, depth + 1 };

			for (s = 0; s < 4; s++) {
				n = sizes[s] <= depth ? sizes[s] : depth;
				for (i = 0; i < sizes[s]; i++) {
					ops[i] = nop_op;
					ops[i].cookie = cookie + i;
				}
				HT_RC(t, hsl_queue_submit(q, ops, sizes[s]), (int)n);
				if (n == depth)
					HT_RC(t, hsl_queue_submit(q, ops, 1), -EAGAIN);
				ht_wait_all(t, q, c, n);
				for (i = 0; i < n; i++) {
					HT_EQ(t, "cookie", c[i].cookie, cookie + i);
					ht_status(t, &c[i], HSL_ST_OK, "NOP");
				}
				cookie += n;
			}
		}
		ht_queue_free(t, q);
	}
	free(ops);
	free(c);
}

const struct ht_test ht_tests_chain[] = {
	{ "HEP-QUE-012", "batch_sizes", "batches of 1, depth - 1, depth and depth + 1", batch_sizes, 0, 0 },
	{ "HEP-QUE-013", "eventfd_storm", "an eventfd that is full holds nothing up", eventfd_storm, 0, 0 },
	{ "HEP-QUE-016", "no_completion", "NO_CQE is silent when OK and reports what fails", no_completion,
	  0, 120 },
	{ "HEP-QUE-017", "chains", "the rest of a failed chain is ABORTED, the next one runs", chains, 0,
	  0 },
	{ "HEP-QUE-018", "aborts", "an abort reports all once, a parked WAIT too, and work goes on", aborts,
	  0, 120 },
	{ "HEP-QUE-019", "moderation", "moderated events come, neither early nor never", moderation, 0,
	  120 },
	{ 0 }
};
