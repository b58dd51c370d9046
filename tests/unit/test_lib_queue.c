// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * The ring protocol of libhsl/queue.c against a chip made of this file, which does what no honest chip does on
 * demand: completes out of order, starts near 2^32, ends at any moment, forgets, invents (HEP-QUE-010 … 014).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "libhsl/priv.h"

#define DEPTH_MAX 64u

static struct chip {
	struct hsl_desc sq[DEPTH_MAX];
	struct hsl_cqe cq[DEPTH_MAX];
	struct hsl_queue_ctrl ctrl;
	uint32_t depth;
	uint32_t sq_tail;		/* the doorbell */
	uint32_t cq_tail;		/* completions written */
	uint32_t doorbells, arms;
	int doorbell_error;
	struct taken {			/* of descriptors seen and not completed, oldest first */
		uint64_t cookie;
		uint8_t opcode, flags, order;
	} taken[DEPTH_MAX];
	unsigned int ntaken;
	unsigned int sleeps, aborts;
	int abort_error;
	uint32_t moderation;
	uint64_t cap;
} chip;

static void complete(unsigned int i, uint32_t status);

static int fake_doorbell(struct hsl_queue *q, uint32_t sq_tail)
{
	(void)q;
	if (chip.doorbell_error)
		return chip.doorbell_error;
	chip.doorbells++;
	for (; chip.sq_tail != sq_tail; chip.sq_tail++) {
		const struct hsl_desc *d = &chip.sq[chip.sq_tail % chip.depth];

		assert_true(chip.ntaken < chip.depth);
		chip.taken[chip.ntaken++] = (struct taken){ d->cookie, d->opcode, d->flags, d->order };
	}
	return 0;
}

static int fake_arm(struct hsl_queue *q, uint32_t cq_head)
{
	(void)q;
	(void)cq_head;
	chip.arms++;
	return 0;
}

static void fake_refresh(struct hsl_queue *q)
{
	(void)q;
}

static void fake_fd_rearm(struct hsl_queue *q, bool settled)
{
	(void)q;
	(void)settled;
	chip.sleeps++;
}

static int fake_abort(struct hsl_queue *q)
{
	(void)q;
	chip.aborts++;
	if (chip.abort_error)
		return chip.abort_error;
	while (chip.ntaken)
		complete(0, HSL_ST_ABORTED);
	return 0;
}

static int fake_moderate(struct hsl_queue *q, uint32_t moderation)
{
	(void)q;
	chip.moderation = moderation;
	return 0;
}

static int fake_chip_info(struct hsl_fabric *f, struct hsl_chip_info *c)
{
	(void)f;
	c->cap = chip.cap;
	return c->node == 1 ? 0 : -ENOENT;
}

static const struct hsl_backend_ops fake_ops = {
	.name = "fake",
	.chip_info = fake_chip_info,
	.queue_fd_rearm = fake_fd_rearm,
	.queue_abort = fake_abort,
	.queue_moderate = fake_moderate,
	.queue_doorbell = fake_doorbell,
	.queue_arm = fake_arm,
	.queue_refresh = fake_refresh,
};

static void write_completion(uint64_t cookie, uint32_t status, uint64_t result)
{
	struct hsl_cqe *e = &chip.cq[chip.cq_tail % chip.depth];
	uint32_t phase = (chip.cq_tail / chip.depth & 1) ^ 1;

	e->cookie = cookie;
	e->result = result;
	e->fault_ga = 0;
	e->status = status | phase << 31;
	chip.cq_tail++;
}

/* Complete the i-th oldest outstanding command. */
static void complete(unsigned int i, uint32_t status)
{
	struct taken t = chip.taken[i];

	assert_true(i < chip.ntaken);
	chip.ntaken--;
	memmove(&chip.taken[i], &chip.taken[i + 1], (chip.ntaken - i) * sizeof(chip.taken[0]));
	if (status || !(t.flags & HSL_DF_NO_CQE))
		write_completion(t.cookie, status, t.cookie + 1000);
}

/* A queue whose counters stand at start, with the rings as start commands would have left them. */
static struct hsl_queue *make(uint32_t depth, uint32_t start)
{
	struct hsl_queue *q = calloc(1, sizeof(*q));

	memset(&chip, 0, sizeof(chip));
	chip.depth = depth;
	chip.cq_tail = start - depth;
	while (chip.cq_tail != start)
		write_completion(~0ull, HSL_ST_INTERNAL, 0);
	chip.sq_tail = start;
	chip.ctrl.state = HSL_QUEUE_READY;
	chip.ctrl.cq_head = start;
	assert_non_null(q);
	q->ops = &fake_ops;
	q->node = 1;
	q->depth = depth;
	q->depth_log2 = (uint32_t)__builtin_ctz(depth);
	q->sq = chip.sq;
	q->cq = chip.cq;
	q->ctrl = &chip.ctrl;
	q->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	assert_true(q->fd >= 0);
	q->sq_tail = start;
	q->cq_head = start;
	assert_int_equal(hslp_queue_init(q), 0);
	return q;
}

static void unmake(struct hsl_queue *q)
{
	close(q->fd);
	hslp_queue_fini(q);
	free(q);
}

static int submit(struct hsl_queue *q, uint64_t first_cookie, unsigned int n)
{
	struct hsl_op ops[2 * DEPTH_MAX] = { 0 };

	for (unsigned int i = 0; i < n; i++)
		ops[i].cookie = first_cookie + i;
	return hsl_queue_submit(q, ops, n);
}

static void end_queue(uint32_t error)
{
	chip.ctrl.error = error;
	__atomic_store_n(&chip.ctrl.state, HSL_QUEUE_ERROR, __ATOMIC_RELEASE);
}

static void one_doorbell_per_batch(void **state)
{
	struct hsl_queue *q = make(16, 0);
	struct hsl_completion c[16];

	(void)state;
	assert_int_equal(submit(q, 100, 16), 16);
	assert_int_equal(chip.doorbells, 1);
	assert_int_equal(submit(q, 200, 1), -EAGAIN);
	assert_int_equal(chip.doorbells, 1);
	/* the descriptor says what the operation said, and nothing else */
	for (unsigned int i = 0; i < 16; i++)
		assert_int_equal(chip.sq[i].opcode | chip.sq[i].flags | chip.sq[i].order | chip.sq[i].subop |
				 chip.sq[i].rsvd0 | chip.sq[i].rsvd1, 0);
	complete(0, HSL_ST_OK);
	/* written, but not taken: there is still no room */
	assert_int_equal(submit(q, 200, 1), -EAGAIN);
	assert_int_equal(hsl_queue_poll(q, c, 16), 1);
	assert_int_equal(c[0].cookie, 100);
	assert_int_equal(chip.ctrl.cq_head, 1);
	assert_int_equal(submit(q, 200, 5), 1);
	unmake(q);
}

static void any_order(void **state)
{
	static const uint32_t starts[] = { 0, 65536 - 3, 0u - 3, 0u - 64, 0x7fffffff };
	uint32_t rng = 1;

	(void)state;
	for (size_t s = 0; s < sizeof(starts) / sizeof(starts[0]); s++)
		for (uint32_t depth = 2; depth <= DEPTH_MAX; depth *= 2) {
			struct hsl_queue *q = make(depth, starts[s]);
			struct hsl_completion c[DEPTH_MAX];
			static uint8_t seen[2000];
			unsigned int sent = 0, got = 0;

			memset(seen, 0, sizeof(seen));
			while (got < sizeof(seen)) {
				unsigned int want = 1 + (rng = rng * 1103515245 + 12345) / 65536 % depth;
				int n;

				if (want > sizeof(seen) - sent)
					want = (unsigned int)sizeof(seen) - sent;
				n = want ? submit(q, sent, want) : 0;
				assert_true(n >= 0 || n == -EAGAIN);
				sent += n > 0 ? (unsigned int)n : 0;
				for (unsigned int k = 1 + (rng >> 8) % depth; k && chip.ntaken; k--)
					complete((rng >> 4) % chip.ntaken, HSL_ST_OK);
				n = hsl_queue_poll(q, c, 1 + (rng >> 12) % depth);
				assert_true(n >= 0);
				for (int i = 0; i < n; i++) {
					assert_true(c[i].cookie < sent);
					assert_int_equal(seen[c[i].cookie]++, 0);
					assert_int_equal(c[i].status, HSL_ST_OK);
				}
				got += (unsigned int)n;
				assert_int_equal(hsl_queue_outstanding(q), sent - got);
				assert_int_equal(chip.ctrl.cq_head, starts[s] + got);
			}
			assert_int_equal(q->sq_tail, (uint32_t)(starts[s] + sizeof(seen)));
			unmake(q);
		}
}

/* What was completed before the end comes as it is, the rest as GONE, oldest first, each once. */
static void end_reports_once(void **state)
{
	(void)state;
	for (uint32_t max = 1; max <= 9; max++) {
		struct hsl_queue *q = make(8, 0u - 5);
		struct hsl_completion c[9];
		static const uint64_t want[] = { 12, 10, 11, 13, 14, 15, 16, 17 };
		unsigned int got = 0;
		int n;

		assert_int_equal(submit(q, 10, 8), 8);
		complete(2, HSL_ST_OK);
		complete(0, HSL_ST_RANGE);
		end_queue(HSL_ST_GONE);
		assert_int_equal(submit(q, 99, 1), -ESHUTDOWN);
		assert_int_equal(hsl_queue_arm(q), -ESHUTDOWN);
		while ((n = hsl_queue_wait(q, c, max, UINT64_MAX)) > 0)
			for (int i = 0; i < n; i++, got++) {
				uint32_t status = got == 0 ? HSL_ST_OK : got == 1 ? HSL_ST_RANGE : HSL_ST_GONE;

				assert_true(got < 8);
				assert_int_equal(c[i].cookie, want[got]);
				assert_int_equal(c[i].status, status);
				assert_int_equal(c[i].error, hsl_status_errno(status));
				assert_true(c[i].result == 0 || status != HSL_ST_GONE);
			}
		assert_int_equal(n, -ENOENT);
		assert_int_equal(got, 8);
		assert_int_equal(hsl_queue_outstanding(q), 0);
		assert_int_equal(hsl_queue_poll(q, c, 9), 0);
		/* a completion that comes all the same is too late */
		complete(3, HSL_ST_OK);
		assert_int_equal(hsl_queue_poll(q, c, 9), 0);
		assert_int_equal(submit(q, 99, 1), -ESHUTDOWN);
		unmake(q);
	}
}

static void state_and_error(void **state)
{
	struct hsl_queue *q = make(8, 0);
	uint32_t error = 1;

	(void)state;
	assert_int_equal(hsl_queue_state(q, &error), HSL_QUEUE_READY);
	assert_int_equal(error, 0);
	end_queue(HSL_ST_OVERFLOW);
	assert_int_equal(hsl_queue_state(q, &error), HSL_QUEUE_ERROR);
	assert_int_equal(error, HSL_ST_OVERFLOW);
	unmake(q);
}

/* A doorbell that could not be rung has submitted nothing. */
static void doorbell_fails(void **state)
{
	struct hsl_queue *q = make(8, 0u - 2);
	struct hsl_completion c[8];

	(void)state;
	assert_int_equal(submit(q, 1, 3), 3);
	chip.doorbell_error = -ESHUTDOWN;
	assert_int_equal(submit(q, 50, 4), -ESHUTDOWN);
	chip.doorbell_error = -ENODEV;
	assert_int_equal(submit(q, 50, 4), -ESHUTDOWN);
	chip.doorbell_error = 0;
	assert_int_equal(hsl_queue_outstanding(q), 3);
	assert_int_equal(submit(q, 4, 6), 5);
	for (int i = 0; i < 8; i++)
		complete(0, HSL_ST_OK);
	assert_int_equal(hsl_queue_poll(q, c, 8), 8);
	for (unsigned int i = 0; i < 8; i++)
		assert_int_equal(c[i].cookie, 1 + i);
	unmake(q);
}

/* A chip that names a command that does not exist is not believed. */
static void invented_completions(void **state)
{
	struct hsl_queue *q = make(8, 0);
	struct hsl_completion c[8];

	(void)state;
	assert_int_equal(submit(q, 7, 2), 2);
	write_completion(0xdeadbeef12345678ull, HSL_ST_OK, 1);
	write_completion(7, HSL_ST_OK, 1);
	write_completion(chip.taken[1].cookie, HSL_ST_OK, 5);
	write_completion(chip.taken[1].cookie, HSL_ST_OK, 6);
	assert_int_equal(hsl_queue_poll(q, c, 8), 1);
	assert_int_equal(c[0].cookie, 8);
	assert_int_equal(c[0].result, 5);
	assert_int_equal(hsl_queue_outstanding(q), 1);
	end_queue(HSL_ST_GONE);
	assert_int_equal(hsl_queue_poll(q, c, 8), 1);
	assert_int_equal(c[0].cookie, 7);
	assert_int_equal(c[0].status, HSL_ST_GONE);
	unmake(q);
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void *complete_later(void *arg)
{
	const uint64_t one = 1;
	struct hsl_queue *q = arg;

	usleep(20000);
	/* woken for nothing first */
	assert_int_equal(write(q->fd, &one, sizeof(one)), sizeof(one));
	usleep(20000);
	end_queue(HSL_ST_GONE);
	assert_int_equal(write(q->fd, &one, sizeof(one)), sizeof(one));
	return NULL;
}

static void waiting(void **state)
{
	struct hsl_queue *q = make(8, 0);
	struct hsl_completion c[8];
	uint64_t deadline;
	pthread_t thread;

	(void)state;
	assert_int_equal(hsl_queue_wait(q, c, 8, UINT64_MAX), -ENOENT);
	assert_int_equal(submit(q, 1, 3), 3);
	assert_int_equal(hsl_queue_wait(q, c, 8, 0), -ETIMEDOUT);
	deadline = now_ns() + 3000000;
	assert_int_equal(hsl_queue_wait(q, c, 8, deadline), -ETIMEDOUT);
	assert_true(now_ns() >= deadline);
	assert_int_equal(hsl_queue_outstanding(q), 3);
	complete(1, HSL_ST_OK);
	assert_int_equal(hsl_queue_wait(q, c, 8, 0), 1);
	assert_int_equal(c[0].cookie, 2);
	/* the end wakes one who sleeps */
	assert_int_equal(pthread_create(&thread, NULL, complete_later, q), 0);
	assert_int_equal(hsl_queue_wait(q, c, 8, UINT64_MAX), 2);
	assert_int_equal(c[0].status, HSL_ST_GONE);
	assert_int_equal(c[1].cookie, 3);
	pthread_join(thread, NULL);
	unmake(q);
}

static int submit_op(struct hsl_queue *q, uint64_t cookie, uint8_t flags, uint8_t order)
{
	struct hsl_op op = { .cookie = cookie, .flags = flags, .order = order };

	return hsl_queue_submit(q, &op, 1);
}

/*
 * Operations that differ in everything, the plain ones of which take a shorter way: what is in the ring, what a refused
 * one among them leaves behind, and completions that failed among others.
 */
static void mixed_batch(void **state)
{
	struct hsl_op ops[8];
	struct hsl_completion c[9];

	(void)state;
	for (unsigned int odd = 0; odd < 256; odd++) {
		struct hsl_queue *q = make(16, 0u - 4);

		for (unsigned int i = 0; i < 8; i++)
			ops[i] = (struct hsl_op){
				.opcode = (uint8_t)(1 + i), .subop = (uint8_t)(16 * i), .cookie = 100 + i,
				.order = odd >> i & 1 ? (uint8_t)(i % 3) : HSL_ORDER_STRONG,
				.flags = odd >> i & 1 && i % 2 ? HSL_DF_LINK : 0,
				.dst = 1000 + i, .src = 2000 + i, .len = 3000 + i, .arg0 = 4000 + i, .arg1 = 5000 + i,
			};
		assert_int_equal(submit_op(q, 1, HSL_DF_NO_CQE, HSL_ORDER_RELAXED), 1);
		for (unsigned int bad = 0; bad < 8; bad++) {
			ops[bad].rsvd1 = 1;
			assert_int_equal(hsl_queue_submit(q, ops, 8), -EINVAL);
			ops[bad].rsvd1 = 0;
			assert_int_equal(hsl_queue_outstanding(q), 1);
			assert_int_equal(q->unmarked, 1);
			assert_false(q->linked);
		}
		assert_int_equal(hsl_queue_submit(q, ops, 8), 8);
		assert_int_equal(chip.ntaken, 9);
		for (unsigned int i = 0; i < 8; i++) {
			const struct hsl_desc *d = &chip.sq[(0u - 3 + i) % 16];
			struct hsl_op got = {
				.opcode = d->opcode, .order = d->order, .flags = d->flags, .subop = d->subop,
				.cookie = ops[i].cookie, .dst = d->dst, .src = d->src, .len = d->len, .arg0 = d->arg0,
				.arg1 = d->arg1,
			};

			assert_memory_equal(&got, &ops[i], sizeof(got));
			assert_int_equal(d->rsvd0 | d->rsvd1, 0);
		}
		for (unsigned int i = 0; i < 9; i++)
			complete(0, i && odd >> (i - 1) & 1 ? HSL_ST_RANGE : HSL_ST_OK);
		assert_int_equal(hsl_queue_poll(q, c, 9), 8);
		for (unsigned int i = 0; i < 8; i++) {
			assert_int_equal(c[i].cookie, 100 + i);
			assert_int_equal(c[i].error, odd >> i & 1 ? -ERANGE : 0);
		}
		unmake(q);
	}
}

/*
 * HEP-QUE-016: any mixture of quiet and loud, strong and relaxed commands, some of which fail. What is loud or fails is reported
 * once, what is quiet and ends well never; whenever the chip has done everything, there is room again; in the end
 * nothing is outstanding, however few commands were loud.
 */
static void quiet_mixture(void **state)
{
	enum { TOTAL = 3000 };
	static uint8_t quiet[TOTAL], failed[TOTAL], seen[TOTAL];
	uint32_t rng = 7;

	(void)state;
	for (uint32_t depth = 2; depth <= DEPTH_MAX; depth *= 2)
		for (uint32_t mix = 0; mix < 6; mix++) {
			struct hsl_queue *q = make(depth, 0u - 100);
			struct hsl_completion c[DEPTH_MAX];
			uint64_t user_of[DEPTH_MAX] = { 0 };
			unsigned int sent = 0, stuck = 0;
			int n;

			memset(seen, 0, sizeof(seen));
			memset(failed, 0, sizeof(failed));
			while (sent < TOTAL) {
				uint8_t flags, order;

				rng = rng * 1103515245 + 12345;
				/* all quiet, 7/8 quiet, half; all relaxed or some */
				flags = mix % 3 == 0 || (rng >> 8) % (mix % 3 == 1 ? 8 : 2) ? HSL_DF_NO_CQE : 0;
				order = mix >= 3 || (rng >> 12) % 2 ? HSL_ORDER_RELAXED : (rng >> 13) % 2;
				n = submit_op(q, sent, flags, order);
				if (n == 1) {
					quiet[sent] = flags;
					user_of[chip.taken[chip.ntaken - 1].cookie] = sent++;
					stuck = 0;
				} else {
					assert_int_equal(n, -EAGAIN);
					assert_true(++stuck < 3);
				}
				while (chip.ntaken && (n < 0 || (rng >> 16) % 3)) {
					unsigned int i = (rng >> 20) % chip.ntaken;
					uint32_t status = (rng >> 5) % 11 ? HSL_ST_OK : HSL_ST_RANGE;

					rng = rng * 1103515245 + 12345;
					if (chip.taken[i].order != HSL_ORDER_RELAXED)
						i = 0;
					failed[user_of[chip.taken[i].cookie]] = status != HSL_ST_OK;
					complete(i, status);
				}
				if (n < 0 || (rng >> 24) % 4 == 0) {
					n = hsl_queue_poll(q, c, DEPTH_MAX);
					assert_true(n >= 0);
					for (int i = 0; i < n; i++) {
						assert_true(c[i].cookie < sent);
						assert_true(!quiet[c[i].cookie] || failed[c[i].cookie]);
						assert_int_equal(c[i].status != HSL_ST_OK, failed[c[i].cookie]);
						seen[c[i].cookie]++;
					}
				}
				assert_true(hsl_queue_outstanding(q) <= depth);
			}
			do {
				while (chip.ntaken)
					complete(0, HSL_ST_OK);
				n = hsl_queue_wait(q, c, DEPTH_MAX, 0);
				for (int i = 0; i < n; i++)
					seen[c[i].cookie]++;
			} while (n != -ENOENT);
			for (unsigned int i = 0; i < TOTAL; i++)
				assert_int_equal(seen[i], !quiet[i] || failed[i]);
			assert_int_equal(hsl_queue_outstanding(q), 0);
			unmake(q);
		}
}

/* Who submits quiet commands and never takes a completion gets room as the chip goes on. */
static void quiet_without_polling(void **state)
{
	(void)state;
	for (uint32_t depth = 2; depth <= DEPTH_MAX; depth *= 2) {
		struct hsl_queue *q = make(depth, 0);
		struct hsl_completion c[2];

		for (unsigned int i = 0; i < 10 * depth; i++) {
			uint8_t order = i % 3 % 2 * HSL_ORDER_RELAXED;
			int n = submit_op(q, i, HSL_DF_NO_CQE, order);

			if (n == -EAGAIN) {
				while (chip.ntaken)
					complete(0, HSL_ST_OK);
				n = submit_op(q, i, HSL_DF_NO_CQE, order);
			}
			assert_int_equal(n, 1);
			if (i % 5 == 0)
				complete(0, HSL_ST_OK);
		}
		while (chip.ntaken)
			complete(0, HSL_ST_OK);
		/* the library made one in depth / 2 complete */
		assert_int_equal(chip.cq_tail, 20);
		/* a failure is not swallowed, and is not taken away by a submission */
		assert_int_equal(submit_op(q, 777, HSL_DF_NO_CQE, 0), 1);
		complete(0, HSL_ST_RIGHTS);
		for (unsigned int i = 0; i < depth; i++)
			submit_op(q, i, HSL_DF_NO_CQE, 0);
		assert_int_equal(hsl_queue_poll(q, c, 1), 1);
		assert_int_equal(c[0].cookie, 777);
		assert_int_equal(c[0].error, -EACCES);
		unmake(q);
	}
}

/* A wait for nothing but quiet commands ends when they have ended, and is woken by one command of the library's. */
static void quiet_waited_for(void **state)
{
	struct hsl_queue *q = make(16, 0);
	struct hsl_completion c[4];

	(void)state;
	for (uint8_t link = 0; link <= HSL_DF_LINK; link += HSL_DF_LINK) {
		for (uint64_t i = 0; i < 3; i++)
			assert_int_equal(submit_op(q, i, HSL_DF_NO_CQE | link, HSL_ORDER_RELAXED), 1);
		assert_int_equal(hsl_queue_outstanding(q), 3);
		assert_int_equal(hsl_queue_poll(q, c, 4), 0);
		assert_int_equal(chip.ntaken, 3);
		assert_int_equal(hsl_queue_wait(q, c, 4, 0), -ETIMEDOUT);
		assert_int_equal(hsl_queue_wait(q, c, 4, now_ns() + 1000), -ETIMEDOUT);
		assert_int_equal(chip.ntaken, 4);
		assert_int_equal(chip.taken[3].opcode, HSL_OP_NOP);
		assert_int_equal(chip.taken[3].order, HSL_ORDER_STRONG);
		/* it does not end a chain that the user goes on with */
		assert_int_equal(chip.taken[3].flags, link);
		assert_int_equal(hsl_queue_outstanding(q), 3);
		complete(1, HSL_ST_REVOKED);
		assert_int_equal(hsl_queue_wait(q, c, 4, UINT64_MAX), 1);
		assert_int_equal(c[0].cookie, 1);
		assert_int_equal(hsl_queue_outstanding(q), 2);
		complete(0, HSL_ST_OK);
		complete(0, HSL_ST_OK);
		assert_int_equal(hsl_queue_wait(q, c, 4, 0), -ETIMEDOUT);
		/* the library's own is not reported, not even when a chain failed before it */
		complete(0, link ? HSL_ST_ABORTED : HSL_ST_OK);
		assert_int_equal(hsl_queue_wait(q, c, 4, UINT64_MAX), -ENOENT);
		assert_int_equal(hsl_queue_outstanding(q), 0);
	}
	/* a loud one behind them says the same: no need for another */
	assert_int_equal(submit_op(q, 5, HSL_DF_NO_CQE, 0), 1);
	assert_int_equal(submit_op(q, 6, 0, 0), 1);
	assert_int_equal(hsl_queue_wait(q, c, 4, 0), -ETIMEDOUT);
	assert_int_equal(chip.ntaken, 2);
	complete(0, HSL_ST_OK);
	complete(0, HSL_ST_OK);
	assert_int_equal(hsl_queue_wait(q, c, 4, UINT64_MAX), 1);
	assert_int_equal(c[0].cookie, 6);
	assert_int_equal(hsl_queue_wait(q, c, 4, UINT64_MAX), -ENOENT);
	unmake(q);
}

/* The end of the queue: a quiet command that may not have ended is GONE like the others, the library's own is not reported. */
static void quiet_at_the_end(void **state)
{
	struct hsl_queue *q = make(16, 0);
	struct hsl_completion c[16];

	(void)state;
	for (uint64_t i = 0; i < 6; i++)
		assert_int_equal(submit_op(q, i, i == 2 ? 0 : HSL_DF_NO_CQE, 0), 1);
	for (int i = 0; i < 3; i++)
		complete(0, HSL_ST_OK);
	assert_int_equal(hsl_queue_wait(q, c, 16, 0), 1);
	assert_int_equal(c[0].cookie, 2);
	assert_int_equal(hsl_queue_wait(q, c, 16, 0), -ETIMEDOUT);
	assert_int_equal(chip.ntaken, 4);
	complete(1, HSL_ST_DMA);
	end_queue(HSL_ST_GONE);
	assert_int_equal(hsl_queue_wait(q, c, 16, UINT64_MAX), 3);
	assert_int_equal(c[0].cookie, 4);
	assert_int_equal(c[0].status, HSL_ST_DMA);
	assert_int_equal(c[1].cookie, 3);
	assert_int_equal(c[1].status, HSL_ST_GONE);
	assert_int_equal(c[2].cookie, 5);
	assert_int_equal(hsl_queue_wait(q, c, 16, UINT64_MAX), -ENOENT);
	unmake(q);
}

static void quiet_doorbell_fails(void **state)
{
	struct hsl_queue *q = make(8, 0u - 2);
	struct hsl_op ops[6] = { 0 };
	struct hsl_completion c[8];

	(void)state;
	for (unsigned int i = 0; i < 6; i++)
		ops[i] = (struct hsl_op){ .cookie = i, .flags = HSL_DF_NO_CQE | HSL_DF_LINK };
	ops[5].flags = 0;
	assert_int_equal(submit_op(q, 10, HSL_DF_NO_CQE, 0), 1);
	for (int i = 0; i < 3; i++) {
		chip.doorbell_error = -ESHUTDOWN;
		assert_int_equal(hsl_queue_submit(q, ops, 6), -ESHUTDOWN);
		assert_int_equal(hsl_queue_outstanding(q), 1);
		/* nothing comes of the library's own either, and the wait says why it cannot wait */
		chip.doorbell_error = -EACCES;
		assert_int_equal(hsl_queue_wait(q, c, 8, 0), -EACCES);
		assert_int_equal(hsl_queue_outstanding(q), 1);
	}
	chip.doorbell_error = 0;
	assert_int_equal(hsl_queue_wait(q, c, 8, 0), -ETIMEDOUT);
	assert_int_equal(chip.ntaken, 2);
	/* not linked: that batch was taken back */
	assert_int_equal(chip.taken[1].flags, 0);
	complete(0, HSL_ST_OK);
	complete(0, HSL_ST_OK);
	assert_int_equal(hsl_queue_wait(q, c, 8, 0), -ENOENT);
	unmake(q);
}

static void abort_and_moderate(void **state)
{
	struct hsl_queue *q = make(16, 0);
	struct hsl_completion c[16];

	(void)state;
	assert_int_equal(hsl_queue_abort(NULL), -EINVAL);
	for (uint64_t i = 0; i < 6; i++)
		assert_int_equal(submit_op(q, i, i % 2 ? HSL_DF_NO_CQE : 0, HSL_ORDER_RELAXED), 1);
	complete(0, HSL_ST_OK);
	complete(0, HSL_ST_OK);
	assert_int_equal(hsl_queue_abort(q), 0);
	/* submitted after it: not affected */
	assert_int_equal(submit_op(q, 6, HSL_DF_NO_CQE, 0), 1);
	assert_int_equal(hsl_queue_poll(q, c, 2), 2);
	assert_int_equal(c[0].status, HSL_ST_OK);
	assert_int_equal(c[1].error, -ECANCELED);
	assert_int_equal(hsl_queue_outstanding(q), 5);
	assert_int_equal(hsl_queue_poll(q, c, 16), 3);
	for (unsigned int i = 0; i < 3; i++)
		assert_true(c[i].cookie == 3 + i && c[i].status == HSL_ST_ABORTED);
	/* 1 had ended well before, which is known now */
	assert_int_equal(hsl_queue_outstanding(q), 1);
	complete(0, HSL_ST_OK);
	assert_int_equal(hsl_queue_wait(q, c, 16, 0), -ETIMEDOUT);
	complete(0, HSL_ST_OK);
	assert_int_equal(hsl_queue_wait(q, c, 16, 0), -ENOENT);
	chip.abort_error = -ENODEV;
	assert_int_equal(hsl_queue_abort(q), -ESHUTDOWN);
	chip.abort_error = -EIO;
	assert_int_equal(hsl_queue_abort(q), -EIO);

	assert_int_equal(hsl_queue_moderate(NULL, 1, 1), -EINVAL);
	assert_int_equal(hsl_queue_moderate(q, 8, 20), -EOPNOTSUPP);
	chip.cap = HSL_CAP_MODERATION;
	assert_int_equal(hsl_queue_moderate(q, 65536, 20), -EINVAL);
	assert_int_equal(hsl_queue_moderate(q, 8, 65536), -EINVAL);
	assert_int_equal(chip.moderation, 0);
	assert_int_equal(hsl_queue_moderate(q, 8, 65535), 0);
	assert_int_equal(chip.moderation, 0xffff0008);
	end_queue(HSL_ST_GONE);
	assert_int_equal(hsl_queue_abort(q), -ESHUTDOWN);
	assert_int_equal(hsl_queue_moderate(q, 0, 0), -ESHUTDOWN);
	assert_int_equal(chip.aborts, 3);
	unmake(q);
}

/* A wait for something far away sleeps; it does not spin, nor wake to look. */
static void long_wait_sleeps_once(void **state)
{
	struct hsl_queue *q = make(8, 0);
	struct hsl_completion c[8];

	(void)state;
	assert_int_equal(submit(q, 1, 1), 1);
	assert_int_equal(hsl_queue_wait(q, c, 8, now_ns() + 50000000), -ETIMEDOUT);
	assert_int_equal(chip.sleeps, 1);
	unmake(q);
}

static void status_table(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < HSL_ST_COUNT; i++) {
		assert_true(i == HSL_ST_OK ? hsl_status_errno(i) == 0 : hsl_status_errno(i) < 0);
		assert_string_not_equal(hsl_status_name(i), "unknown");
		for (unsigned int k = 0; k < i; k++)
			assert_string_not_equal(hsl_status_name(i), hsl_status_name(k));
	}
	assert_string_equal(hsl_status_name(HSL_ST_COUNT), "unknown");
	assert_int_equal(hsl_status_errno(UINT32_MAX), -EIO);
	assert_string_equal(hsl_status_name(HSL_ST_SEGMENT), "no-segment");
	assert_int_equal(hsl_status_errno(HSL_ST_SEGMENT), -EFAULT);
	assert_int_equal(hsl_status_errno(HSL_ST_REVOKED), -ESTALE);
	assert_string_equal(hsl_version(), "1.1.0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_doorbell_per_batch),
		cmocka_unit_test(any_order),
		cmocka_unit_test(mixed_batch),
		cmocka_unit_test(end_reports_once),
		cmocka_unit_test(state_and_error),
		cmocka_unit_test(doorbell_fails),
		cmocka_unit_test(invented_completions),
		cmocka_unit_test(waiting),
		cmocka_unit_test(long_wait_sleeps_once),
		cmocka_unit_test(quiet_mixture),
		cmocka_unit_test(quiet_without_polling),
		cmocka_unit_test(quiet_waited_for),
		cmocka_unit_test(quiet_at_the_end),
		cmocka_unit_test(quiet_doorbell_fails),
		cmocka_unit_test(abort_and_moderate),
		cmocka_unit_test(status_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
