// SPDX-License-Identifier: MIT OR Apache-2.0
/* Queues: full, wrapping, waited for, watched, destroyed, shared out among threads. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/lib_cases.h"

static struct hsl_queue *queue(struct lib_test *t, uint32_t node, uint32_t depth, uint32_t flags)
{
	struct hsl_queue_opts o = { .size = sizeof(o), .depth = depth, .flags = flags };
	struct hsl_queue *q = NULL;

	CHECK_EQ(t, hsl_queue_create(t->f, node, &o, &q), 0);
	return q;
}

static uint64_t soon(void)
{
	return lib_now_ns() + 60000000000u;
}

static int create_with(struct lib_test *t, uint32_t node, uint32_t depth, uint32_t flags)
{
	struct hsl_queue_opts o = { .size = sizeof(o), .depth = depth, .flags = flags };
	struct hsl_queue *q;
	int err = hsl_queue_create(t->f, node, &o, &q);

	if (!err)
		hsl_queue_destroy(q);
	return err;
}

static void queue_errors(struct lib_test *t)
{
	struct hsl_chip_props p = { .size = sizeof(p) };
	struct hsl_op op = { .opcode = HSL_OP_NOP }, bad[2] = { op, op };
	struct hsl_completion c;
	struct hsl_queue *q;
	uint32_t error = 77;

	REQUIRE_EQ(t, hsl_chip_by_node(t->f, t->node[0], &p), 0);
	CHECK_EQ(t, create_with(t, 0, 16, 0), -ENOENT);
	CHECK_EQ(t, create_with(t, 16000, 0, 0), -ENOENT);
	CHECK_EQ(t, create_with(t, t->node[0], 1, 0), -EINVAL);
	CHECK_EQ(t, create_with(t, t->node[0], 24, 0), -EINVAL);
	CHECK_EQ(t, create_with(t, t->node[0], p.max_depth * 2, 0), -EINVAL);
	CHECK_EQ(t, create_with(t, t->node[0], 1u << 31, 0), -EINVAL);
	CHECK_EQ(t, create_with(t, t->node[0], 16, 2), -EINVAL);
	CHECK_EQ(t, create_with(t, t->node[0], 2, 0), 0);
	CHECK_EQ(t, create_with(t, t->node[0], p.max_depth, 0), 0);
	CHECK_EQ(t, hsl_queue_create(t->f, t->node[0], NULL, NULL), -EINVAL);

	REQUIRE_EQ(t, hsl_queue_create(t->f, t->node[0], NULL, &q), 0);
	CHECK_EQ(t, hsl_queue_depth(q), p.max_depth < 256 ? p.max_depth : 256);
	CHECK_EQ(t, hsl_queue_node(q), t->node[0]);
	CHECK_EQ(t, hsl_queue_state(q, &error), HSL_QUEUE_READY);
	CHECK_EQ(t, error, 0);
	CHECK_EQ(t, hsl_queue_state(q, NULL), HSL_QUEUE_READY);
	CHECK_EQ(t, hsl_queue_submit(q, &op, 0), 0);
	CHECK_EQ(t, hsl_queue_submit(q, NULL, 1), -EINVAL);
	CHECK_EQ(t, hsl_queue_poll(q, NULL, 0), 0);
	CHECK_EQ(t, hsl_queue_poll(q, NULL, 1), -EINVAL);
	CHECK_EQ(t, hsl_queue_wait(q, &c, 0, 0), -EINVAL);
	CHECK_EQ(t, hsl_queue_wait(q, &c, 1, UINT64_MAX), -ENOENT);
	/* a reserved field: nothing of the batch is taken */
	bad[1].rsvd1 = 1;
	CHECK_EQ(t, hsl_queue_submit(q, bad, 2), -EINVAL);
	CHECK_EQ(t, hsl_queue_outstanding(q), 0);
	/* one operation at a time */
	CHECK_EQ(t, hsl_nop(q), 0);
	CHECK_EQ(t, hsl_queue_submit(q, &op, 1), 1);
	CHECK_EQ(t, hsl_nop(q), -EBUSY);
	CHECK_EQ(t, hsl_queue_wait(q, &c, 1, UINT64_MAX), 1);
	CHECK_EQ(t, hsl_nop(q), 0);
	CHECK_EQ(t, hsl_copy(q, 0, 0, 1), hsl_status_errno(HSL_ST_SEGMENT));
	CHECK_EQ(t, hsl_fill(q, 0, UINT64_MAX, 0), hsl_status_errno(HSL_ST_LENGTH));
	hsl_queue_destroy(q);
	hsl_queue_destroy(NULL);
}

/* HEP-QUE-012: batches around the depth; a full ring says so and loses nothing */
static void queue_full(struct lib_test *t)
{
	static const uint32_t depths[] = { 2, 4, 64 };

	for (size_t d = 0; d < sizeof(depths) / sizeof(depths[0]); d++) {
		uint32_t depth = depths[d], batches[] = { 1, depth - 1, depth, depth + 1, 3 * depth };
		struct hsl_op ops[3 * 64];
		struct hsl_completion c[3 * 64];
		struct hsl_queue *q = queue(t, t->node[0], depth, 0);
		uint64_t cookie = 1000, expect = 1000;

		REQUIRE(t, q);
		memset(ops, 0, sizeof(ops));
		for (size_t b = 0; b < sizeof(batches) / sizeof(batches[0]); b++) {
			uint32_t n = batches[b], taken = n < depth ? n : depth;
			unsigned int got = 0;

			for (uint32_t i = 0; i < n; i++)
				ops[i].cookie = cookie + i;
			CHECK_EQ(t, hsl_queue_submit(q, ops, n), taken);
			cookie += taken;
			CHECK_EQ(t, hsl_queue_outstanding(q), taken);
			if (taken == depth)
				CHECK_EQ(t, hsl_queue_submit(q, ops, 1), -EAGAIN);
			while (got < taken) {
				int r = hsl_queue_wait(q, c, 1 + lib_random(t) % (3 * 64), soon());

				REQUIRE(t, r > 0);
				for (int i = 0; i < r; i++)
					CHECK(t, c[i].cookie == expect++ && c[i].status == HSL_ST_OK);
				got += (unsigned int)r;
			}
			CHECK_EQ(t, got, taken);
			CHECK_EQ(t, hsl_queue_poll(q, c, 1), 0);
		}
		hsl_queue_destroy(q);
	}
}

/* HEP-QUE-001, -010: more than 2^16 commands, each completes once and in order */
static void queue_wraps(struct lib_test *t)
{
	enum { TOTAL = 70000, DEPTH = 128 };
	struct hsl_queue *q = queue(t, t->node[0], DEPTH, 0);
	struct hsl_completion c[DEPTH];
	struct hsl_op ops[DEPTH];
	uint64_t sent = 0, got = 0;

	REQUIRE(t, q);
	memset(ops, 0, sizeof(ops));
	while (got < TOTAL) {
		unsigned int n = 1 + (unsigned int)(lib_random(t) % DEPTH);
		int r;

		if (n > TOTAL - sent)
			n = (unsigned int)(TOTAL - sent);
		for (unsigned int i = 0; i < n; i++)
			ops[i].cookie = sent + i;
		if (n) {
			r = hsl_queue_submit(q, ops, n);
			REQUIRE(t, r > 0 || r == -EAGAIN);
			sent += r > 0 ? (unsigned int)r : 0;
		}
		r = hsl_queue_wait(q, c, DEPTH, soon());
		REQUIRE(t, r > 0);
		for (int i = 0; i < r; i++)
			REQUIRE(t, c[i].cookie == got++ && c[i].status == HSL_ST_OK);
	}
	CHECK_EQ(t, hsl_queue_outstanding(q), 0);
	hsl_queue_destroy(q);
}

/* HEP-QUE-013: a timeout loses nothing */
static void wait_times_out(struct lib_test *t)
{
	struct hsl_queue *q = queue(t, t->node[0], 16, 0);
	struct lib_mem a, b;
	unsigned int timeouts = 0;

	REQUIRE(t, q && lib_mem_get(t, &a, t->node[0], 32 << 20) && lib_mem_get(t, &b, t->node[1], 32 << 20));
	for (int i = 0; i < 6; i++) {
		struct hsl_op op = { .opcode = HSL_OP_COPY, .dst = a.ga, .src = b.ga, .len = a.len,
				     .cookie = 100 + (uint64_t)i };
		struct hsl_completion c;
		int n;

		CHECK_EQ(t, hsl_queue_submit(q, &op, 1), 1);
		n = hsl_queue_wait(q, &c, 1, i % 2 ? lib_now_ns() + 100000 : 0);
		CHECK(t, n == 1 || n == -ETIMEDOUT);
		if (n == -ETIMEDOUT) {
			timeouts++;
			CHECK_EQ(t, hsl_queue_outstanding(q), 1);
			CHECK_EQ(t, hsl_queue_wait(q, &c, 1, i % 3 ? UINT64_MAX : soon()), 1);
		}
		CHECK(t, c.cookie == op.cookie && c.status == HSL_ST_OK && c.result == a.len);
		CHECK_EQ(t, hsl_queue_wait(q, &c, 1, 0), -ENOENT);
	}
	/* 32 MiB take longer than no time */
	CHECK(t, timeouts > 0);
	lib_mem_put(t, &a);
	lib_mem_put(t, &b);
	hsl_queue_destroy(q);
}

/* HEP-QUE-007, -013: the waiter comes early, late, and at the same moment; polled, slept for, watched */
static void no_wakeup_is_lost(struct lib_test *t)
{
	struct hsl_queue *q[2];
	struct lib_mem m;

	q[0] = queue(t, t->node[0], 8, 0);
	q[1] = queue(t, t->node[1], 8, HSL_QUEUE_F_SYSCALL);
	REQUIRE(t, q[0] && q[1] && lib_mem_get(t, &m, t->node[0], 1 << 20));
	for (uint64_t i = 0; i < 2000; i++) {
		struct hsl_op op = { .opcode = HSL_OP_FILL, .dst = m.ga, .cookie = i,
				     .len = lib_random(t) % 4 ? lib_random(t) % 4096 : lib_random(t) % (1 << 20) };
		struct hsl_queue *x = q[i % 2];
		struct hsl_completion c = { 0 };
		struct pollfd p = { .events = POLLIN };

		REQUIRE_EQ(t, hsl_queue_submit(x, &op, 1), 1);
		if (lib_random(t) % 3 == 0)
			usleep((useconds_t)(lib_random(t) % 120));
		if (i > 1000) {
			p.fd = hsl_queue_fd(x);
			REQUIRE_EQ(t, poll(&p, 1, 60000), 1);
			REQUIRE_EQ(t, hsl_queue_poll(x, &c, 1), 1);
		} else {
			REQUIRE_EQ(t, hsl_queue_wait(x, &c, 1, soon()), 1);
		}
		CHECK(t, c.cookie == i && c.status == HSL_ST_OK && c.result == op.len);
	}
	lib_mem_put(t, &m);
	hsl_queue_destroy(q[0]);
	hsl_queue_destroy(q[1]);
}

/* hsl_queue_fd is level-triggered: readable while, and only while, there is something to take. */
static void fd_is_level_triggered(struct lib_test *t)
{
	struct hsl_queue *q = queue(t, t->node[0], 16, 0);
	struct hsl_op ops[4] = { 0 };
	struct hsl_completion c[4];
	struct epoll_event ev = { .events = EPOLLIN, .data.u64 = 42 };
	int ep = epoll_create1(EPOLL_CLOEXEC), fd;

	REQUIRE(t, q && ep >= 0);
	fd = hsl_queue_fd(q);
	CHECK(t, fd >= 0 && hsl_queue_fd(q) == fd);
	REQUIRE_EQ(t, epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev), 0);
	CHECK_EQ(t, epoll_wait(ep, &ev, 1, 0), 0);
	for (int i = 0; i < 200; i++) {
		int n = 0;

		REQUIRE_EQ(t, hsl_queue_submit(q, ops, 4), 4);
		REQUIRE_EQ(t, epoll_wait(ep, &ev, 1, 60000), 1);
		CHECK(t, ev.data.u64 == 42 && (ev.events & EPOLLIN));
		/* again, as nothing was taken; and after some were taken, as some are left or still to come */
		CHECK_EQ(t, epoll_wait(ep, &ev, 1, 60000), 1);
		while (n < 4) {
			int r;

			REQUIRE_EQ(t, epoll_wait(ep, &ev, 1, 60000), 1);
			r = hsl_queue_poll(q, c, 1 + (unsigned int)(i % 2));
			REQUIRE(t, r >= 0);
			n += r;
		}
		CHECK_EQ(t, n, 4);
		CHECK_EQ(t, epoll_wait(ep, &ev, 1, i % 50 ? 0 : 20), 0);
	}
	close(ep);
	hsl_queue_destroy(q);
}

static bool signalled(int fd, int timeout_ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	uint64_t v;

	return poll(&p, 1, timeout_ms) == 1 && read(fd, &v, sizeof(v)) == sizeof(v);
}

static void eventfd_signals(struct lib_test *t)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), pipes[2];
	struct hsl_queue *q = queue(t, t->node[0], 16, 0);
	struct hsl_op op = { 0 };
	struct hsl_completion c;

	REQUIRE(t, q && fd >= 0 && !pipe(pipes));
	CHECK_EQ(t, hsl_queue_eventfd(q, pipes[0]), -EINVAL);
	close(pipes[0]);
	close(pipes[1]);
	CHECK_EQ(t, hsl_queue_eventfd(q, pipes[0]), -EBADF);
	CHECK_EQ(t, hsl_queue_eventfd(q, -2), -EINVAL);
	CHECK_EQ(t, hsl_queue_eventfd(q, -1), 0);
	CHECK_EQ(t, hsl_queue_eventfd(q, fd), 0);
	for (int i = 0; i < 100; i++) {
		/* armed before */
		REQUIRE_EQ(t, hsl_queue_arm(q), 0);
		CHECK(t, !signalled(fd, 0));
		REQUIRE_EQ(t, hsl_queue_submit(q, &op, 1), 1);
		REQUIRE(t, signalled(fd, 60000));
		REQUIRE_EQ(t, hsl_queue_poll(q, &c, 1), 1);
		/* armed after the completion has come: at once */
		REQUIRE_EQ(t, hsl_queue_submit(q, &op, 1), 1);
		if (i % 2)
			usleep(500);
		REQUIRE_EQ(t, hsl_queue_arm(q), 0);
		REQUIRE(t, signalled(fd, 60000));
		REQUIRE_EQ(t, hsl_queue_poll(q, &c, 1), 1);
		/* not armed: silent. (A wait may arm.) */
		REQUIRE_EQ(t, hsl_queue_submit(q, &op, 1), 1);
		while (!hsl_queue_poll(q, &c, 1))
			;
		CHECK(t, !signalled(fd, 0));
	}
	/* detached, also when the caller has closed his end before */
	CHECK_EQ(t, hsl_queue_eventfd(q, -1), 0);
	CHECK_EQ(t, hsl_queue_arm(q), 0);
	CHECK_EQ(t, hsl_nop(q), 0);
	CHECK(t, !signalled(fd, 20));
	CHECK_EQ(t, hsl_queue_eventfd(q, fd), 0);
	close(fd);
	CHECK_EQ(t, hsl_queue_arm(q), 0);
	CHECK_EQ(t, hsl_nop(q), 0);
	hsl_queue_destroy(q);
}

/* HEP-QUE-008 and what follows for the next user */
static void destroy_in_flight(struct lib_test *t)
{
	struct lib_mem a, b;

	REQUIRE(t, lib_mem_get(t, &a, t->node[0], 8 << 20) && lib_mem_get(t, &b, t->node[1], 8 << 20));
	for (int i = 0; i < 20; i++) {
		struct hsl_queue *q = queue(t, t->node[i % 2], 16, 0);
		struct hsl_op ops[8];

		REQUIRE(t, q);
		for (int k = 0; k < 8; k++)
			ops[k] = (struct hsl_op){ .opcode = HSL_OP_COPY, .dst = a.ga, .src = b.ga, .len = a.len };
		CHECK_EQ(t, hsl_queue_submit(q, ops, 8), 8);
		if (i % 3)
			usleep((useconds_t)(lib_random(t) % 3000));
		hsl_queue_destroy(q);
		/* nothing of it writes any more */
		memset(a.p, 0, 4096);
		memset(b.p, 0xff, 4096);
		q = queue(t, t->node[i % 2], 16, 0);
		REQUIRE(t, q);
		CHECK_EQ(t, hsl_nop(q), 0);
		CHECK(t, lib_all(a.p, 4096, 0));
		hsl_queue_destroy(q);
	}
	lib_mem_put(t, &a);
	lib_mem_put(t, &b);
}

static void all_queues(struct lib_test *t)
{
	struct hsl_chip_props p = { .size = sizeof(p) };
	struct hsl_queue *q[1024], *extra;
	struct hsl_op op = { 0 };
	uint32_t n = 0;
	int err = 0;

	REQUIRE_EQ(t, hsl_chip_by_node(t->f, t->node[0], &p), 0);
	while (n < 1024 && !(err = hsl_queue_create(t->f, t->node[0], NULL, &q[n])))
		n++;
	CHECK_EQ(t, err, -EBUSY);
	CHECK_EQ(t, n, p.nqueues_free);
	for (uint32_t i = 0; i < n; i++) {
		op.cookie = i;
		CHECK_EQ(t, hsl_queue_submit(q[i], &op, 1), 1);
	}
	for (uint32_t i = n; i-- > 0;) {
		struct hsl_completion c;

		CHECK(t, hsl_queue_wait(q[i], &c, 1, soon()) == 1 && c.cookie == i);
	}
	/* the full chip takes one again as soon as one is gone */
	if (n) {
		hsl_queue_destroy(q[n / 2]);
		CHECK_EQ(t, hsl_queue_create(t->f, t->node[0], NULL, &q[n / 2]), 0);
		CHECK_EQ(t, hsl_queue_create(t->f, t->node[0], NULL, &extra), -EBUSY);
	}
	while (n > 0)
		hsl_queue_destroy(q[--n]);
	CHECK_EQ(t, hsl_chip_by_node(t->f, t->node[0], &p), 0);
	CHECK(t, p.nqueues_free > 0);
}

struct worker {
	struct lib_test *t;
	unsigned int id;
	uint64_t rng;
};

static uint64_t worker_random(struct worker *w)
{
	w->rng = w->rng * 6364136223846793005u + 1442695040888963407u;
	return w->rng >> 24;
}

/* Own queue, own memory: host to a chip, to the other, back; while others do the same. */
static void *worker_run(void *arg)
{
	enum { LEN = 1 << 18 };
	struct worker *w = arg;
	struct lib_test *t = w->t;
	struct hsl_queue *q = NULL;
	struct hsl_segment *h = NULL, *a = NULL, *b = NULL;
	uint8_t *buf = calloc(2, LEN);

	CHECK(t, buf != NULL);
	CHECK_EQ(t, hsl_queue_create(t->f, t->node[w->id % 2], NULL, &q), 0);
	CHECK_EQ(t, hsl_segment_register(t->f, buf, 2 * LEN, NULL, &h), 0);
	CHECK_EQ(t, hsl_segment_alloc(t->f, t->node[0], LEN, NULL, &a), 0);
	CHECK_EQ(t, hsl_segment_alloc(t->f, t->node[1], LEN, NULL, &b), 0);
	for (unsigned int i = 0; i < 60 && buf && q && h && a && b; i++) {
		size_t len = 1 + worker_random(w) % LEN, off = worker_random(w) % (LEN - len + 1);
		uint64_t hga = hsl_segment_ga(h), aga = hsl_segment_ga(a), bga = hsl_segment_ga(b);
		struct hsl_segment *tmp;

		lib_pattern(buf + off, len, w->rng);
		memset(buf + LEN, 0, LEN);
		CHECK_EQ(t, hsl_copy(q, aga + off, hga + off, len), 0);
		CHECK_EQ(t, hsl_copy(q, bga, aga + off, len), 0);
		CHECK_EQ(t, hsl_copy(q, hga + LEN + off, bga, len), 0);
		CHECK(t, !memcmp(buf + off, buf + LEN + off, len));
		/* objects come and go meanwhile */
		if (i % 8 == 0 && CHECK_EQ(t, hsl_segment_alloc(t->f, t->node[i % 2], 4096, NULL, &tmp), 0)) {
			CHECK_EQ(t, hsl_fill(q, hsl_segment_ga(tmp), 4096, i), 0);
			CHECK_EQ(t, hsl_segment_free(tmp), 0);
		}
	}
	hsl_queue_destroy(q);
	CHECK_EQ(t, hsl_segment_free(a), 0);
	CHECK_EQ(t, hsl_segment_free(b), 0);
	CHECK_EQ(t, hsl_segment_free(h), 0);
	free(buf);
	return NULL;
}

/* HEP-API-009 */
static void threads(struct lib_test *t)
{
	enum { N = 4 };
	struct worker w[N];
	pthread_t th[N];

	for (unsigned int i = 0; i < N; i++) {
		w[i] = (struct worker){ .t = t, .id = i, .rng = 77 + i };
		REQUIRE_EQ(t, pthread_create(&th[i], NULL, worker_run, &w[i]), 0);
	}
	for (unsigned int i = 0; i < N; i++)
		pthread_join(th[i], NULL);
}

const struct lib_case lib_cases_queues[] = {
	{ "queues: every error", queue_errors },
	{ "queues: batches around the depth, full ring", queue_full },
	{ "queues: 70000 commands", queue_wraps },
	{ "wait: timeouts lose nothing", wait_times_out },
	{ "wait: no wake-up is lost", no_wakeup_is_lost },
	{ "queue fd: level-triggered", fd_is_level_triggered },
	{ "eventfd: once per arming", eventfd_signals },
	{ "destroy with work in flight", destroy_in_flight },
	{ "every queue of a chip", all_queues },
	{ "threads, each with a queue of its own", threads },
	{ NULL, NULL },
};
