// SPDX-License-Identifier: MIT OR Apache-2.0
/* SIGNAL, WAIT, FENCE; commands without completion and linked ones; abort, moderation; waits that take long. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/lib_cases.h"

#define MS	1000000ull

static uint64_t soon(void)
{
	return lib_now_ns() + 60000 * MS;
}

/* Two queues, one on each chip, and memory of the second one. */
struct pair {
	struct hsl_queue *q[2];
	struct lib_mem m;
	uint64_t *word;
};

static bool pair_get(struct lib_test *t, struct pair *p, uint64_t cap)
{
	struct hsl_chip_props props = { .size = sizeof(props) };

	memset(p, 0, sizeof(*p));
	if (!CHECK_EQ(t, hsl_chip_by_node(t->f, t->node[0], &props), 0))
		return false;
	if ((props.cap & cap) != cap) {
		t->skipped = "the chip does not have the operations";
		return false;
	}
	if (!lib_mem_get(t, &p->m, t->node[1], 1 << 20))
		return false;
	p->word = (uint64_t *)(void *)p->m.p;
	return CHECK_EQ(t, hsl_queue_create(t->f, t->node[0], NULL, &p->q[0]), 0) &&
	       CHECK_EQ(t, hsl_queue_create(t->f, t->node[1], NULL, &p->q[1]), 0);
}

static void pair_put(struct lib_test *t, struct pair *p)
{
	hsl_queue_destroy(p->q[0]);
	hsl_queue_destroy(p->q[1]);
	lib_mem_put(t, &p->m);
}

static bool submit(struct lib_test *t, struct hsl_queue *q, struct hsl_op op, uint64_t cookie, uint8_t flags)
{
	op.cookie = cookie;
	op.flags = flags;
	return CHECK_EQ(t, hsl_queue_submit(q, &op, 1), 1);
}

/* The next completion is this one. */
static void expect(struct lib_test *t, struct hsl_queue *q, uint64_t cookie, uint32_t status)
{
	struct hsl_completion c = { 0 };

	if (CHECK_EQ(t, hsl_queue_wait(q, &c, 1, soon()), 1)) {
		CHECK_EQ(t, c.cookie, cookie);
		CHECK_EQ(t, c.status, status);
	}
}

static void expect_nothing(struct lib_test *t, struct hsl_queue *q)
{
	struct hsl_completion c;

	CHECK_EQ(t, hsl_queue_wait(q, &c, 1, soon()), -ENOENT);
	CHECK_EQ(t, hsl_queue_outstanding(q), 0);
}

/* ---- SIGNAL and WAIT ---- */

/* HEP-TXN-022, -023, -025, HEP-ATM-003 */
static void signal_and_wait(struct lib_test *t)
{
	static const struct {
		unsigned int cond;
		uint64_t value;
		bool holds[3];		/* for value - 1, value, value + 1 */
	} conds[] = {
		{ HSL_WAIT_EQ, 10, { false, true, false } }, { HSL_WAIT_NE, 10, { true, false, true } },
		{ HSL_WAIT_LT, 10, { true, false, false } }, { HSL_WAIT_LE, 10, { true, true, false } },
		{ HSL_WAIT_GT, 10, { false, false, true } }, { HSL_WAIT_GE, 10, { false, true, true } },
		/* unsigned */
		{ HSL_WAIT_LT, 1ull << 63, { true, false, false } }, { HSL_WAIT_GE, 1ull << 63, { false, true, true } },
	};
	uint64_t old = 99, seen = 99;
	struct pair p;

	if (!pair_get(t, &p, HSL_CAP_OP_SIGNAL)) {
		pair_put(t, &p);
		return;
	}
	p.word[0] = 5;
	CHECK_EQ(t, hsl_signal(p.q[0], HSL_SIGNAL_ADD, p.m.ga, 3, &old), 0);
	CHECK(t, old == 5 && p.word[0] == 8);
	CHECK_EQ(t, hsl_signal(p.q[1], HSL_SIGNAL_SET, p.m.ga, UINT64_MAX, &old), 0);
	CHECK(t, old == 8 && p.word[0] == UINT64_MAX);
	CHECK_EQ(t, hsl_signal(p.q[0], HSL_SIGNAL_ADD, p.m.ga, 2, NULL), 0);
	CHECK(t, p.word[0] == 1 && p.word[1] == 0);

	for (size_t i = 0; i < sizeof(conds) / sizeof(conds[0]); i++)
		for (int d = -1; d <= 1; d++) {
			bool holds = conds[i].holds[d + 1];
			int err;

			p.word[0] = conds[i].value + (uint64_t)(int64_t)d;
			seen = 1234;
			err = hsl_wait_value(p.q[i % 2], conds[i].cond, p.m.ga, conds[i].value, holds ? 0 : MS, &seen);
			CHECK_EQ(t, err, holds ? 0 : -ETIMEDOUT);
			CHECK(t, seen == p.word[0]);
		}
	CHECK_EQ(t, hsl_wait_value(p.q[0], HSL_WAIT_EQ, p.m.ga, p.word[0], 0, NULL), 0);

	seen = 7;
	CHECK_EQ(t, hsl_signal(NULL, 0, p.m.ga, 0, &seen), -EINVAL);
	CHECK_EQ(t, hsl_signal(p.q[0], HSL_SIGNALS, p.m.ga, 0, &seen), -EINVAL);
	CHECK_EQ(t, hsl_signal(p.q[0], 256, p.m.ga, 0, &seen), -EINVAL);
	CHECK_EQ(t, hsl_signal(p.q[0], 0, p.m.ga + 4, 0, &seen), -EINVAL);
	CHECK_EQ(t, hsl_signal(p.q[0], 0, 8, 0, &seen), -EFAULT);
	CHECK_EQ(t, hsl_wait_value(NULL, 0, p.m.ga, 0, 0, &seen), -EINVAL);
	CHECK_EQ(t, hsl_wait_value(p.q[0], HSL_WAITS, p.m.ga, 0, 0, &seen), -EINVAL);
	CHECK_EQ(t, hsl_wait_value(p.q[0], 256, p.m.ga, 0, 0, &seen), -EINVAL);
	CHECK_EQ(t, hsl_wait_value(p.q[0], 0, p.m.ga + 4, 0, 0, &seen), -EINVAL);
	CHECK_EQ(t, hsl_wait_value(p.q[0], 0, 8, 0, 0, &seen), -EFAULT);
	CHECK(t, seen == 7);
	pair_put(t, &p);
}

/* a WAIT looks while FILL writes: that is what software asked for, and a data race to the sanitizer */
#ifdef __SANITIZE_THREAD__
#define HOWS	2u
#else
#define HOWS	3u
#endif

/* HEP-TXN-022, HEP-QUE-015: woken by a chip, by the CPU, by another command; other queues go on meanwhile */
static void wait_is_woken(struct lib_test *t)
{
	struct hsl_queue *other = NULL;
	struct pair p;

	if (pair_get(t, &p, HSL_CAP_OP_SIGNAL) && CHECK_EQ(t, hsl_queue_create(t->f, t->node[0], NULL, &other), 0))
		for (unsigned int i = 0; i < 60; i++) {
			struct hsl_completion c;

			p.word[0] = 0;
			submit(t, p.q[0], hsl_op_wait(HSL_WAIT_EQ, p.m.ga, i + 1, 0), 1, 0);
			submit(t, p.q[0], hsl_op_fill(p.m.ga + 64, 8, i), 2, 0);
			CHECK_EQ(t, hsl_nop(other), 0);
			if (i % 2)
				usleep(1000);
			CHECK_EQ(t, hsl_queue_poll(p.q[0], &c, 1), 0);
			CHECK_EQ(t, hsl_queue_outstanding(p.q[0]), 2);
			switch (i % HOWS) {
			case 0:
				CHECK_EQ(t, hsl_signal(p.q[1], HSL_SIGNAL_ADD, p.m.ga, i + 1, NULL), 0);
				break;
			case 1:
				__atomic_store_n(p.word, i + 1, __ATOMIC_RELEASE);
				break;
			default:
				CHECK_EQ(t, hsl_fill(other, p.m.ga, 8, i + 1), 0);
			}
			expect(t, p.q[0], 1, HSL_ST_OK);
			expect(t, p.q[0], 2, HSL_ST_OK);
			CHECK_EQ(t, p.word[8], i);
		}
	hsl_queue_destroy(other);
	pair_put(t, &p);
}

/* HEP-TXN-024: what else ends a wait */
static void wait_is_ended(struct lib_test *t)
{
	struct hsl_completion c = { 0 };
	struct pair p;

	if (pair_get(t, &p, HSL_CAP_OP_SIGNAL)) {
		submit(t, p.q[0], hsl_op_wait(HSL_WAIT_NE, p.m.ga, 0, 0), 1, 0);
		submit(t, p.q[0], hsl_op_wait(HSL_WAIT_NE, p.m.ga, 0, 0), 2, 0);
		submit(t, p.q[0], hsl_op_fill(p.m.ga + 64, 8, 7), 3, 0);
		CHECK_EQ(t, hsl_queue_abort(p.q[0]), 0);
		for (uint64_t i = 1; i <= 3; i++) {
			/* in the ring already */
			CHECK_EQ(t, hsl_queue_poll(p.q[0], &c, 1), 1);
			CHECK(t, c.cookie == i && c.status == HSL_ST_ABORTED && c.error == -ECANCELED);
		}
		CHECK_EQ(t, p.word[8], 0);
		CHECK_EQ(t, hsl_nop(p.q[0]), 0);
		CHECK_EQ(t, hsl_queue_abort(p.q[0]), 0);
		expect_nothing(t, p.q[0]);

		/* freed while it waits; where that was before it began, once more */
		for (int i = 0; i < 100 && c.status != HSL_ST_REVOKED && p.m.s; i++) {
			submit(t, p.q[0], hsl_op_wait(HSL_WAIT_NE, p.m.ga, 0, 0), 4, 0);
			usleep(2000);
			CHECK_EQ(t, hsl_segment_free(p.m.s), 0);
			p.m.s = NULL;
			CHECK_EQ(t, hsl_queue_wait(p.q[0], &c, 1, soon()), 1);
			CHECK(t, c.cookie == 4 && (c.status == HSL_ST_REVOKED || c.status == HSL_ST_SEGMENT));
			if (c.status != HSL_ST_REVOKED && !lib_mem_get(t, &p.m, t->node[1], 1 << 20))
				break;
		}
		CHECK_EQ(t, c.status, HSL_ST_REVOKED);
		CHECK_EQ(t, hsl_wait_value(p.q[0], HSL_WAIT_NE, p.m.ga, 0, 0, NULL), -EFAULT);
	}
	/* parked when the queue is destroyed */
	p.m.p = NULL;
	if (!t->skipped && lib_mem_get(t, &p.m, t->node[0], 4096))
		submit(t, p.q[1], hsl_op_wait(HSL_WAIT_NE, p.m.ga, 0, 0), 5, 0);
	pair_put(t, &p);
}

/* HEP-TXN-025, HEP-ORD-005: two chips take turns a thousand times, and the CPU only watches */
static void semaphores(struct lib_test *t)
{
	enum { ROUNDS = 1000, BATCH = 50 };
	struct pair p;

	if (pair_get(t, &p, HSL_CAP_OP_SIGNAL)) {
		uint64_t go[2] = { p.m.ga, p.m.ga + 64 }, data = p.m.ga + 4096;
		struct hsl_queue *q[2] = { p.q[0], p.q[1] };

		for (uint64_t r = 0; r < ROUNDS; r += BATCH) {
			for (uint64_t i = r; i < r + BATCH; i++) {
				struct hsl_op a[3] = {
					hsl_op_wait(HSL_WAIT_GE, go[0], i, 0), hsl_op_fill(data, 65536, i + 1),
					hsl_op_signal(HSL_SIGNAL_ADD, go[1], 1),
				};
				struct hsl_op b[3] = {
					hsl_op_wait(HSL_WAIT_GE, go[1], i + 1, 0), hsl_op_copy(data + 65536, data, 65536),
					hsl_op_signal(HSL_SIGNAL_ADD, go[0], 1),
				};

				CHECK_EQ(t, hsl_queue_submit(q[0], a, 3), 3);
				CHECK_EQ(t, hsl_queue_submit(q[1], b, 3), 3);
			}
			for (int k = 0; k < 2; k++)
				for (int i = 0; i < 3 * BATCH; i++)
					expect(t, q[k], 0, HSL_ST_OK);
			CHECK_EQ(t, p.word[0], r + BATCH);
			/* the last copy has what the last fill wrote before its signal */
			for (unsigned int i = 0; i < 65536 / 8; i++)
				if (!CHECK_EQ(t, p.word[(4096 + 65536) / 8 + i], r + BATCH))
					break;
		}
	}
	pair_put(t, &p);
}

/* HEP-ORD-004 */
static void fence(struct lib_test *t)
{
	struct pair p;

	if (pair_get(t, &p, HSL_CAP_OP_FENCE)) {
		CHECK_EQ(t, hsl_fence(NULL), -EINVAL);
		CHECK_EQ(t, hsl_fence(p.q[0]), 0);
		for (unsigned int round = 0; round < 50; round++) {
			struct hsl_op ops[9];
			unsigned int before = 0, n = 0;

			for (unsigned int i = 0; i < 9; i++) {
				ops[i] = i == 4 ? hsl_op_fence() : hsl_op_fill(p.m.ga + i * 65536, 65536, i + round);
				ops[i].cookie = i;
				ops[i].order = i == 4 ? HSL_ORDER_STRONG : HSL_ORDER_RELAXED;
			}
			CHECK_EQ(t, hsl_queue_submit(p.q[0], ops, 9), 9);
			while (n < 9) {
				struct hsl_completion c;

				if (!CHECK_EQ(t, hsl_queue_wait(p.q[0], &c, 1, soon()), 1))
					break;
				CHECK(t, c.status == HSL_ST_OK && (c.cookie != 4 || before == 4) && (c.cookie <= 4 || n > 4));
				before += c.cookie < 4;
				n++;
			}
		}
	}
	pair_put(t, &p);
}

/* ---- commands without completion, linked commands ---- */

/* HEP-QUE-016 */
static void quiet_commands(struct lib_test *t)
{
	enum { TOTAL = 20000 };
	unsigned int failed = 0, failures = 0, loud = 0, reported = 0;
	struct hsl_completion c[64];
	struct pair p;
	int n;

	if (pair_get(t, &p, 0)) {
		/* one, waited for; one that fails */
		submit(t, p.q[0], hsl_op_fill(p.m.ga, 8, 1), 1, HSL_DF_NO_CQE);
		CHECK_EQ(t, hsl_queue_outstanding(p.q[0]), 1);
		expect_nothing(t, p.q[0]);
		CHECK_EQ(t, p.word[0], 1);
		submit(t, p.q[0], hsl_op_fill(0, 8, 1), 2, HSL_DF_NO_CQE);
		expect(t, p.q[0], 2, HSL_ST_SEGMENT);
		expect_nothing(t, p.q[0]);
		/* as many as the queue holds and more, now and then one that fails or is loud; taken now and then */
		for (unsigned int i = 0; i < TOTAL;) {
			uint64_t r = lib_random(t);
			struct hsl_op op = r % 50 == 0 ? hsl_op_fill(0, 8, 1) : hsl_op_fill(p.m.ga + i % 1000 * 8, 8, i);

			op.cookie = i;
			op.flags = r % 30 == 1 ? 0 : HSL_DF_NO_CQE;
			op.order = r % 7 ? HSL_ORDER_STRONG : HSL_ORDER_RELAXED;
			n = hsl_queue_submit(p.q[0], &op, 1);
			if (n == 1) {
				failures += r % 50 == 0;
				loud += !op.flags && r % 50;
				i++;
			}
			if (!CHECK(t, n == 1 || n == -EAGAIN))
				break;
			if (n == 1 && r % 100)
				continue;
			n = n == 1 ? hsl_queue_poll(p.q[0], c, 64) : hsl_queue_wait(p.q[0], c, 64, soon());
			/* a wait may also find that all the quiet ones have ended meanwhile */
			if (!CHECK(t, n >= 0 || n == -ENOENT))
				break;
			for (int k = 0; k < n; k++) {
				reported++;
				failed += c[k].status == HSL_ST_SEGMENT;
				CHECK(t, c[k].status == HSL_ST_SEGMENT || c[k].status == HSL_ST_OK);
			}
		}
		while ((n = hsl_queue_wait(p.q[0], c, 64, soon())) > 0)
			for (int k = 0; k < n; k++) {
				reported++;
				failed += c[k].status == HSL_ST_SEGMENT;
			}
		CHECK_EQ(t, n, -ENOENT);
		CHECK_EQ(t, failed, failures);
		CHECK_EQ(t, reported, failures + loud);
		CHECK_EQ(t, hsl_nop(p.q[0]), 0);
	}
	pair_put(t, &p);
}

/* HEP-QUE-017 */
static void linked_commands(struct lib_test *t)
{
	struct pair p;

	if (pair_get(t, &p, 0)) {
		/* a chain that fails in its middle, and one behind it that is not affected */
		struct hsl_op ops[7];

		for (unsigned int i = 0; i < 7; i++) {
			ops[i] = hsl_op_fill(i == 1 ? 0 : p.m.ga + 8 * i, 8, 9);
			ops[i].cookie = i;
			ops[i].flags = i < 3 || i == 4 ? HSL_DF_LINK : 0;
		}
		CHECK_EQ(t, hsl_queue_submit(p.q[0], ops, 7), 7);
		for (unsigned int i = 0; i < 7; i++)
			expect(t, p.q[0], i, i == 1 ? HSL_ST_SEGMENT : i == 2 || i == 3 ? HSL_ST_ABORTED : HSL_ST_OK);
		for (unsigned int i = 0; i < 7; i++)
			CHECK_EQ(t, p.word[i], i >= 1 && i <= 3 ? 0 : 9);
		/* quiet too: only the failures are heard of */
		memset(p.m.p, 0, 64);
		for (unsigned int i = 0; i < 7; i++)
			ops[i].flags |= HSL_DF_NO_CQE;
		CHECK_EQ(t, hsl_queue_submit(p.q[0], ops, 7), 7);
		for (unsigned int i = 1; i <= 3; i++)
			expect(t, p.q[0], i, i == 1 ? HSL_ST_SEGMENT : HSL_ST_ABORTED);
		expect_nothing(t, p.q[0]);
		for (unsigned int i = 0; i < 7; i++)
			CHECK_EQ(t, p.word[i], i >= 1 && i <= 3 ? 0 : 9);
		/* a chain over two submissions, with a wait between that has a command of its own */
		submit(t, p.q[0], hsl_op_fill(0, 8, 1), 10, HSL_DF_LINK | HSL_DF_NO_CQE);
		expect(t, p.q[0], 10, HSL_ST_SEGMENT);
		submit(t, p.q[0], hsl_op_fill(p.m.ga, 8, 1), 11, HSL_DF_NO_CQE);
		expect(t, p.q[0], 11, HSL_ST_ABORTED);
		submit(t, p.q[0], hsl_op_fill(p.m.ga, 8, 1), 12, HSL_DF_LINK | HSL_DF_NO_CQE);
		expect_nothing(t, p.q[0]);
		submit(t, p.q[0], hsl_op_fill(p.m.ga, 8, 2), 13, HSL_DF_NO_CQE);
		expect_nothing(t, p.q[0]);
		CHECK_EQ(t, p.word[0], 2);
	}
	pair_put(t, &p);
}

/* ---- abort, moderation ---- */

/* HEP-QUE-018: with work in flight, and at once used again */
static void abort_in_flight(struct lib_test *t)
{
	struct pair p;

	CHECK_EQ(t, hsl_queue_abort(NULL), -EINVAL);
	if (pair_get(t, &p, 0))
		for (unsigned int round = 0; round < 40; round++) {
			unsigned int n = 1 + (unsigned int)(lib_random(t) % 20), got = 0;
			struct hsl_completion c[64];
			uint64_t next = 0;
			bool aborted = false;
			int r;

			for (unsigned int i = 0; i < n; i++)
				submit(t, p.q[0], hsl_op_fill(p.m.ga, 1 << 20, i), i, round % 3 || i % 2 ? 0 : HSL_DF_NO_CQE);
			if (round % 2)
				usleep((useconds_t)(lib_random(t) % 2000));
			CHECK_EQ(t, hsl_queue_abort(p.q[0]), 0);
			submit(t, p.q[0], hsl_op_fill(p.m.ga, 8, 4711 + round), 100, 0);
			while ((r = hsl_queue_wait(p.q[0], c, 64, soon())) > 0)
				for (int i = 0; i < r; i++) {
					/* in order, each once; after the first that was aborted all are, but the new one */
					CHECK(t, c[i].cookie >= next && (c[i].cookie < n || c[i].cookie == 100));
					next = c[i].cookie + 1;
					aborted |= c[i].status == HSL_ST_ABORTED;
					CHECK_EQ(t, c[i].status, aborted && c[i].cookie != 100 ? HSL_ST_ABORTED : HSL_ST_OK);
					got++;
				}
			CHECK_EQ(t, r, -ENOENT);
			CHECK(t, round % 3 == 0 || got == n + 1);
			CHECK_EQ(t, p.word[0], 4711 + round);
		}
	pair_put(t, &p);
}

/* HEP-QUE-019: nothing is lost, neither below the count nor above */
static void moderation(struct lib_test *t)
{
	struct hsl_queue_opts by_call = { .size = sizeof(by_call), .flags = HSL_QUEUE_F_SYSCALL };
	struct hsl_queue *q;
	struct pair p;
	int err;

	if (pair_get(t, &p, 0)) {
		err = hsl_queue_moderate(p.q[0], 4, 1000);
		if (err == -EOPNOTSUPP) {
			t->skipped = "no moderation";
		} else {
			CHECK_EQ(t, err, 0);
			CHECK_EQ(t, hsl_queue_moderate(p.q[0], 65536, 0), -EINVAL);
			CHECK_EQ(t, hsl_queue_moderate(p.q[0], 0, 65536), -EINVAL);
			CHECK_EQ(t, hsl_queue_moderate(NULL, 1, 1), -EINVAL);
			if (CHECK_EQ(t, hsl_queue_create(t->f, t->node[0], &by_call, &q), 0)) {
				CHECK_EQ(t, hsl_queue_moderate(q, 1, 1), -EOPNOTSUPP);
				hsl_queue_destroy(q);
			}
			for (unsigned int i = 0; i < 300; i++) {
				unsigned int n = 1 + i % 9;
				struct pollfd fd = { .fd = hsl_queue_fd(p.q[0]), .events = POLLIN };
				struct hsl_completion c[16];

				for (unsigned int k = 0; k < n; k++)
					submit(t, p.q[0], hsl_op_fill(p.m.ga, lib_random(t) % 65536, k), k, 0);
				for (unsigned int got = 0; got < n;) {
					int r;

					if (i % 2 && !CHECK_EQ(t, poll(&fd, 1, 60000), 1))
						break;
					r = i % 2 ? hsl_queue_poll(p.q[0], c, 16) : hsl_queue_wait(p.q[0], c, 16, soon());
					if (!CHECK(t, r > 0 || (!r && i % 2)))
						break;
					got += (unsigned int)r;
				}
				if (i == 150)
					CHECK_EQ(t, hsl_queue_moderate(p.q[0], 60000, 1), 0);
				if (i == 220)
					CHECK_EQ(t, hsl_queue_moderate(p.q[0], 0, 0), 0);
			}
		}
	}
	pair_put(t, &p);
}

/* ---- waits that take long ---- */

struct late_signal {
	struct lib_test *t;
	struct hsl_queue *q;
	uint64_t ga;
};

static void *signal_late(void *arg)
{
	struct late_signal *s = arg;

	usleep(150000);
	CHECK_EQ(s->t, hsl_signal(s->q, HSL_SIGNAL_ADD, s->ga, 1, NULL), 0);
	return NULL;
}

/* A completion that is far away is slept for, in each of the ways; a deadline that comes before loses nothing. */
static void long_waits(struct lib_test *t)
{
	int ep = epoll_create1(EPOLL_CLOEXEC), efd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	struct pair p;

	if (pair_get(t, &p, HSL_CAP_OP_SIGNAL) && CHECK(t, ep >= 0 && efd >= 0))
		for (int way = 0; way < 4; way++) {
			struct late_signal s = { t, p.q[1], p.m.ga };
			struct epoll_event ev = { .events = EPOLLIN };
			struct pollfd efd_poll = { .fd = efd, .events = POLLIN };
			struct hsl_completion c = { 0 };
			struct rusage before, after;
			pthread_t thread;
			uint64_t v;

			p.word[0] = 0;
			submit(t, p.q[0], hsl_op_wait(HSL_WAIT_EQ, p.m.ga, 1, 0), 50, 0);
			if (way == 2) {
				CHECK_EQ(t, epoll_ctl(ep, EPOLL_CTL_ADD, hsl_queue_fd(p.q[0]), &ev), 0);
			} else if (way == 3) {
				CHECK_EQ(t, hsl_queue_eventfd(p.q[0], efd), 0);
				CHECK_EQ(t, hsl_queue_arm(p.q[0]), 0);
			}
			if (!CHECK_EQ(t, pthread_create(&thread, NULL, signal_late, &s), 0))
				break;
			getrusage(RUSAGE_THREAD, &before);
			if (way == 0) {
				CHECK_EQ(t, hsl_queue_wait(p.q[0], &c, 1, UINT64_MAX), 1);
			} else if (way == 1) {
				/* deadlines before: each is a sleep, none takes the completion away */
				uint64_t deadline = lib_now_ns() + 20 * MS;

				CHECK_EQ(t, hsl_queue_wait(p.q[0], &c, 1, deadline), -ETIMEDOUT);
				CHECK(t, lib_now_ns() >= deadline);
				CHECK_EQ(t, hsl_queue_wait(p.q[0], &c, 1, deadline), -ETIMEDOUT);
				CHECK_EQ(t, hsl_queue_outstanding(p.q[0]), 1);
				CHECK_EQ(t, hsl_queue_wait(p.q[0], &c, 1, soon()), 1);
			} else if (way == 2) {
				CHECK_EQ(t, epoll_wait(ep, &ev, 1, 60000), 1);
				CHECK_EQ(t, hsl_queue_poll(p.q[0], &c, 1), 1);
				CHECK_EQ(t, epoll_wait(ep, &ev, 1, 0), 0);
			} else {
				CHECK_EQ(t, poll(&efd_poll, 1, 60000), 1);
				CHECK_EQ(t, read(efd, &v, sizeof(v)), sizeof(v));
				CHECK_EQ(t, hsl_queue_poll(p.q[0], &c, 1), 1);
			}
			getrusage(RUSAGE_THREAD, &after);
			CHECK(t, c.cookie == 50 && c.status == HSL_ST_OK && c.result == 1);
			/* it has given the processor away by itself */
			CHECK(t, after.ru_nvcsw > before.ru_nvcsw);
			pthread_join(thread, NULL);
		}
	close(ep);
	close(efd);
	pair_put(t, &p);
}

/*
 * HEP-QUE-007, -013: no wake-up is lost, however arming, completion and sleep meet. HSL_TEST_ROUNDS of them; a lost one shows
 * as a minute without a completion.
 */
static void random_arming(struct lib_test *t)
{
	const char *env = getenv("HSL_TEST_ROUNDS");
	unsigned long rounds = env ? strtoul(env, NULL, 10) : 3000;
	int efd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	/* its fd is watched; an eventfd is attached; neither */
	struct hsl_queue *q[3] = { NULL };
	unsigned long n = 0;

	CHECK(t, efd >= 0);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(t, hsl_queue_create(t->f, t->node[i % 2], NULL, &q[i]), 0);
	if (!t->failures)
		CHECK_EQ(t, hsl_queue_eventfd(q[1], efd), 0);
	for (; n < rounds && !t->failures; n++) {
		uint64_t r = lib_random(t), drained;
		unsigned int way = (unsigned int)(r % 3), ops = 1 + (r >> 8 & 3), got = 0;
		struct pollfd p = { .fd = way ? efd : hsl_queue_fd(q[0]), .events = POLLIN };
		struct hsl_op op[4] = { 0 };
		struct hsl_completion c[4];
		int k;

		if (way == 1 && (r >> 10 & 1))
			CHECK_EQ(t, hsl_queue_arm(q[way]), 0);
		CHECK_EQ(t, hsl_queue_submit(q[way], op, ops), ops);
		for (volatile uint64_t spin = r >> 16 & 0x3ff; spin; spin--)
			;
		while (got < ops) {
			if (way == 2) {
				k = hsl_queue_wait(q[way], c, 1 + (r >> 12 & 3), soon());
				if (!CHECK(t, k > 0))
					break;
			} else {
				/* armed before or after the submission, or again because there is more to come */
				if (way == 1 && (got || !(r >> 10 & 1)))
					CHECK_EQ(t, hsl_queue_arm(q[way]), 0);
				if (!CHECK_EQ(t, poll(&p, 1, 60000), 1))
					break;
				/* EAGAIN: not this time */
				if (way == 1 && read(efd, &drained, sizeof(drained)) < 0)
					CHECK_EQ(t, errno, EAGAIN);
				k = hsl_queue_poll(q[way], c, 1 + (r >> 12 & 3));
				if (!CHECK(t, k >= 0))
					break;
			}
			got += (unsigned int)k;
		}
		if (t->failures)
			printf("# round %lu, way %u, %u of %u\n", n, way, got, ops);
	}
	for (int i = 0; i < 3; i++)
		hsl_queue_destroy(q[i]);
	close(efd);
}

const struct lib_case lib_cases_sync[] = {
	{ "signal and wait: values, conditions, errors", signal_and_wait },
	{ "wait: woken by a chip, by the CPU, by another command", wait_is_woken },
	{ "wait: ended by abort, free and destroy", wait_is_ended },
	{ "signal and wait: two chips take turns", semaphores },
	{ "fence", fence },
	{ "quiet commands", quiet_commands },
	{ "linked commands", linked_commands },
	{ "abort with work in flight", abort_in_flight },
	{ "moderation", moderation },
	{ "waits that take long sleep", long_waits },
	{ "no wake-up is lost by random arming", random_arming },
	{ NULL, NULL },
};
