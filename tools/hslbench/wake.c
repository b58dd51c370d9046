// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * hslbench wake: from submitting a NOP until the program knows that it has ended, by the way it waits: looking at the ring (poll),
 * hsl_queue_wait, which looks for a while and then sleeps (wait), poll(2) on the queue's descriptor (event), and an eventfd of
 * the program's that the driver writes (eventfd). Next to it, without any chip, one thread that wakes another by an eventfd and by a pipe.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "bench.h"

enum way { POLL, WAIT, EVENT, EVENTFD, THREADS, WAYS };
static const char *const way_name[WAYS] = { "poll", "wait", "event", "eventfd", "threads" };

static int take_by_wait(struct hsl_queue *q, struct hsl_completion *c)
{
	int rc;

	do
		rc = hsl_queue_wait(q, c, 1, bench_now_ns() + BENCH_HANG_NS);
	while (rc == -EINTR);
	return rc < 0 ? rc : 0;
}

static int take_by_eventfd(struct hsl_queue *q, struct hsl_completion *c, int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	uint64_t count;
	int rc;

	for (;;) {
		rc = hsl_queue_poll(q, c, 1);
		if (rc)
			return rc < 0 ? rc : 0;
		rc = hsl_queue_arm(q);
		if (rc)
			return rc;
		rc = poll(&p, 1, (int)(BENCH_HANG_NS / 1000000));
		if (!rc)
			return -ETIMEDOUT;
		if (rc > 0 && read(fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
			return -errno;
	}
}

/* The two that bench_drive_single does not know. */
static void drive(struct bench *b, struct bench_point *p, int fd, const struct bench_limit *limit, struct bench_share *share)
{
	uint64_t start = bench_now_ns(), now = start, t0, n = 0;
	struct hsl_op op = { .opcode = HSL_OP_NOP };
	struct hsl_completion c;
	int rc;

	while (!tool_stopped() && (limit->iters ? n < limit->iters : now - start < limit->ns)) {
		op.cookie = n;
		t0 = bench_now_ns();
		rc = hsl_queue_submit(b->q, &op, 1);
		if (rc == 1)
			rc = fd >= 0 ? take_by_eventfd(b->q, &c, fd) : take_by_wait(b->q, &c);
		now = bench_now_ns();
		if (rc || c.cookie != n || c.status) {
			bench_complain(b, "wake by %s: operation %llu: %s", p->r.wake, (unsigned long long)n,
				       rc ? strerror(rc < 0 ? -rc : EAGAIN) : hsl_status_name(c.status));
			share->errors++;
			break;
		}
		tool_stats_add(p->stats, now - t0);
		n++;
	}
	share->ops += n;
	share->ns += now - start;
}

static void run_eventfd(struct bench *b, struct bench_point *p, const struct bench_limit *limit, struct bench_share *share)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), rc;

	rc = fd < 0 ? -errno : hsl_queue_eventfd(b->q, fd);
	if (rc) {
		bench_complain(b, "wake by eventfd: %s", strerror(-rc));
		share->errors++;
	} else {
		drive(b, p, fd, limit, share);
		hsl_queue_eventfd(b->q, -1);
	}
	if (fd >= 0)
		close(fd);
}

static void run(struct bench *b, struct bench_point *p, const struct bench_limit *limit, struct bench_share *share)
{
	struct hsl_op nop = { .opcode = HSL_OP_NOP };
	enum way way = p->key[0];
	struct tool_summary before, after;
	char reason[160];
	int rc, cpu[2];

	if (way == THREADS) {
		tool_stats_summary(p->stats, &before);
		share->ns = bench_now_ns();
		rc = bench_wake(limit, p->stats, p->key[1], cpu);
		share->ns = bench_now_ns() - share->ns;
		tool_stats_summary(p->stats, &after);
		share->ops = after.count - before.count;
		if (rc)
			snprintf(p->r.reason, sizeof(p->r.reason), "no second thread: %s", strerror(-rc));
		return;
	}
	/* a queue whose descriptor was used costs its poller more */
	if (bench_queue_ready(b, b->a.node, 2, way == EVENT, reason)) {
		bench_complain(b, "wake: %s", reason);
		share->errors++;
	} else if (way == EVENTFD) {
		run_eventfd(b, p, limit, share);
	} else if (way == WAIT) {
		drive(b, p, -1, limit, share);
	} else {
		bench_drive_single(b, "wake nop", &nop, way == EVENT, limit, p->stats, share);
	}
}

void bench_wake_verb(struct bench *b)
{
	struct bench_point *list = NULL, *p;
	unsigned int n = 0, first = b->nresults;

	for (unsigned int pipe = 0; pipe < 2 && !bench_stands_still(b); pipe++) {
		p = bench_point_add(&list, &n, "wake", pipe ? "pipe" : "eventfd");
		strcpy(p->r.src, "thread");
		strcpy(p->r.dst, "thread");
		p->r.baseline = true;
		p->r.wake = "event";
		p->key[0] = THREADS;
		p->key[1] = pipe;
		p->run = run;
		p->stats = tool_stats_new();
	}
	for (unsigned int way = 0; way < THREADS; way++) {
		p = bench_point_add(&list, &n, "wake", "nop");
		if (way > WAIT && bench_stands_still(b))
			strcpy(p->r.reason, "time goes on only while the program looks");
		snprintf(p->r.src, sizeof(p->r.src), "chip %u", b->a.node);
		strcpy(p->r.dst, p->r.src);
		p->r.wake = way_name[way];
		p->r.depth = p->r.batch = 1;
		p->r.ratio_to = "eventfd";
		p->key[0] = way;
		p->run = run;
		p->stats = tool_stats_new();
	}
	bench_points_run(b, list, n);
	bench_ratios(b, first);
}
