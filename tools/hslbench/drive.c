// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Submitting and completing, timed.
 *
 * All operations are STRONG, so completions come in the order of submission (HEP-ORD-001): the next cookie is known, and
 * a lost, doubled or foreign completion is an error at once. The clock is read about every 64 turns of the loop, not
 * per operation; the time of a share ends with its last completion.
 */
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench.h"

#define TURNS_PER_CLOCK	64u
#define LOOK_NS	100000000	/* a sleeper looks whether it is to end */
#define TAKE_MAX	128u
/*
 * A poller that has waited for this long gives its CPU away between looks: on a busy machine the emulator's thread
 * may be waiting for just this CPU, and would get it only at the end of the poller's time slice.
 */
#define YIELD_AFTER_NS	20000u

/* On sim: with time=modelled: the fabric's clock. */
static struct hsl_fabric *modelled_sim;

void bench_clock_of(struct hsl_fabric *f)
{
	modelled_sim = f;
}

uint64_t bench_now_ns(void)
{
	struct timespec ts;
	uint64_t ns;

	if (modelled_sim && !hsl_clock_ns(modelled_sim, &ns))
		return ns;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * BENCH_NS_PER_S + (uint64_t)ts.tv_nsec;
}

uint32_t bench_queue_depth(uint32_t n)
{
	uint32_t p = 2;

	while (p < n)
		p *= 2;
	return p;
}

static struct bench_queue *queue_of(struct bench *b, uint32_t node)
{
	if (!b->queue)
		b->queue = tool_calloc(b->info.nchips, sizeof(*b->queue));
	for (unsigned int i = 0; i < b->info.nchips; i++)
		if (b->chip[i].node == node)
			return &b->queue[i];
	return NULL;
}

int bench_queue_ready(struct bench *b, uint32_t node, uint32_t depth, bool event, char *reason)
{
	struct hsl_queue_opts opts = { .size = sizeof(opts), .depth = bench_queue_depth(depth) };
	uint32_t error = 0;
	int rc;

	if (!b->q || hsl_queue_node(b->q) != node) {
		b->cur = queue_of(b, node);
		b->q = b->cur ? b->cur->q : NULL;
	}
	if (!b->cur) {
		snprintf(reason, 160, "chip %u has left", node);
		return -ENOENT;
	}
	if (b->q && hsl_queue_depth(b->q) >= depth && b->cur->event == event &&
	    hsl_queue_state(b->q, &error) == HSL_QUEUE_READY)
		return 0;
	hsl_queue_destroy(b->q);
	b->q = b->cur->q = NULL;
	b->cur->event = event;
	rc = hsl_queue_create(b->f, node, &opts, &b->cur->q);
	b->q = b->cur->q;
	if (rc)
		snprintf(reason, 160, "queue of depth %u on chip %u: %s", opts.depth, node,
			 strerror(-rc));
	return rc;
}

void bench_queues_free(struct bench *b)
{
	for (unsigned int i = 0; b->queue && i < b->info.nchips; i++)
		hsl_queue_destroy(b->queue[i].q);
	free(b->queue);
	b->queue = NULL;
	b->q = NULL;
}

/* False: wrong, and said so. */
static bool completion_good(struct bench *b, const char *name, const struct hsl_completion *c,
			    uint64_t cookie,
			    const struct hsl_op *op)
{
	if (c->cookie != cookie) {
		bench_complain(b, "%s: completion of operation %llu where %llu was next", name,
			       (unsigned long long)c->cookie,
			       (unsigned long long)cookie);
		return false;
	}
	if (c->status != HSL_ST_OK) {
		bench_complain(b, "%s: operation %llu failed: %s at GA 0x%llx", name,
			       (unsigned long long)cookie,
			       hsl_status_name(c->status), (unsigned long long)c->fault_ga);
		return false;
	}
	if (op->opcode == HSL_OP_LOAD && !op->dst) {
		if (c->result == b->loaded)
			return true;
		bench_complain(b, "%s: operation %llu at GA 0x%llx: expected 0x%llx got 0x%llx", name, (unsigned long long)cookie,
			       (unsigned long long)op->src, (unsigned long long)b->loaded, (unsigned long long)c->result);
		return false;
	}
	/* the old value, which the verb judges by the sum of all */
	if (op->opcode == HSL_OP_ATOMIC || op->opcode == HSL_OP_SIGNAL)
		return true;
	if (c->result != op->len) {
		bench_complain(b, "%s: operation %llu moved %llu of %llu bytes", name,
			       (unsigned long long)cookie,
			       (unsigned long long)c->result, (unsigned long long)op->len);
		return false;
	}
	return true;
}

/*
 * The operations again and again, *period of them, which is not less than batch, and the first batch - 1 once more: any
 * batch of them is in one piece, and submitting it costs no more than writing the cookies.
 */
static struct hsl_op *train_make(const struct hsl_op *op, unsigned int nops, uint32_t batch, unsigned int *period)
{
	struct hsl_op *train;

	*period = (batch + nops - 1) / nops * nops;
	train = tool_calloc(*period + batch - 1, sizeof(*train));
	for (unsigned int i = 0; i < *period + batch - 1; i++)
		train[i] = op[i % nops];
	return train;
}

/* The queue cannot be trusted any more: the next user makes a new one. */
static void queue_drop(struct bench *b)
{
	hsl_queue_destroy(b->q);
	b->q = b->cur->q = NULL;
}

/* ---- lanes: queues that one thread keeps busy ---- */

/* Due times of a lane with a pace are a batch apart, from the start on, whatever became of the operations before. */
static uint64_t due_ns(const struct bench_lane *l, uint64_t start, uint64_t op)
{
	return start + (uint64_t)((double)(op / l->batch * l->batch) * l->gap_ns);
}

static void lane_failed(struct bench_lane *l)
{
	l->errors++;
	l->ended = true;
}

/* No more is submitted; it ends with its last completion. */
static void lane_stop(struct bench_lane *l, bool stop)
{
	l->stop |= stop;
	if (l->ended || !l->stop || l->done != l->sent)
		return;
	l->ended = true;
	l->end_ns = bench_now_ns();
}

static void lane_submit(struct bench *b, struct bench_lane *l, uint64_t start, uint64_t now)
{
	int rc;

	/* a poll takes what there is: one for each submission would cost more than it brings */
	while (!l->stop && l->sent - l->done + l->batch <= l->depth && (l->gap_ns <= 0 || now >= due_ns(l, start, l->sent))) {
		uint32_t n = l->batch;

		if (l->iters && l->iters - l->sent < n)
			n = (uint32_t)(l->iters - l->sent);
		for (uint32_t i = 0; i < n; i++)
			l->train[l->next + i].cookie = l->sent + i;
		rc = hsl_queue_submit(l->q, &l->train[l->next], n);
		if (rc < 0 || (uint32_t)rc != n) {
			bench_complain(b, "%s: submit of %u operations, %u outstanding: %s", l->name, n, hsl_queue_outstanding(l->q),
				       rc < 0 ? strerror(-rc) : "only some were taken");
			lane_failed(l);
			return;
		}
		l->next = l->next + n < l->period ? l->next + n : l->next + n - l->period;
		l->sent += n;
		l->stop = l->iters && l->sent == l->iters;
	}
}

/* What has completed; *now is read again for operations that were due at a time. */
static void lane_take(struct bench *b, struct bench_lane *l, uint64_t start, uint64_t *now)
{
	struct hsl_completion c[TAKE_MAX];
	int rc = hsl_queue_poll(l->q, c, TAKE_MAX);

	if (rc < 0) {
		bench_complain(b, "%s: poll: %s", l->name, strerror(-rc));
		lane_failed(l);
		return;
	}
	if (rc && l->stats)
		*now = bench_now_ns();
	for (int i = 0; i < rc; i++) {
		l->errors += !completion_good(b, l->name, &c[i], l->done, &l->op[l->check]);
		l->check = l->check + 1 == l->nops ? 0 : l->check + 1;
		if (l->stats)
			tool_stats_add(l->stats, *now - due_ns(l, start, l->done));
		l->done++;
	}
	lane_stop(l, l->errors);
}

/* Until a completion or the next operation that is due. */
static void lanes_sleep(struct bench_lane *l, unsigned int n, uint64_t start, uint64_t now)
{
	struct pollfd *pfd = tool_calloc(n, sizeof(*pfd));
	uint64_t until = now + LOOK_NS;
	struct timespec ts;

	for (unsigned int i = 0; i < n; i++) {
		uint64_t due = due_ns(&l[i], start, l[i].sent);

		pfd[i] = (struct pollfd){ .fd = l[i].ended ? -1 : hsl_queue_fd(l[i].q), .events = POLLIN };
		if (l[i].gap_ns > 0 && !l[i].stop && l[i].sent - l[i].done + l[i].batch <= l[i].depth && due < until)
			until = due > now ? due : now;
	}
	ts = (struct timespec){ .tv_nsec = (long)(until - now) };
	if (until > now)
		ppoll(pfd, n, &ts, NULL);
	free(pfd);
}

/* Is anything to come? Between operations that are due nothing is. */
static bool lanes_busy(const struct bench_lane *l, unsigned int n)
{
	bool busy = false;

	for (unsigned int i = 0; i < n; i++)
		busy |= l[i].sent != l[i].done;
	return busy;
}

static uint64_t lanes_done(const struct bench_lane *l, unsigned int n, bool *all_ended)
{
	uint64_t done = 0;

	*all_ended = true;
	for (unsigned int i = 0; i < n; i++) {
		done += l[i].done;
		*all_ended &= l[i].ended;
	}
	return done;
}

void bench_lanes_drive(struct bench *b, struct bench_lane *l, unsigned int n, bool event, uint64_t start, uint64_t ns,
		       struct tool_windows *windows)
{
	uint64_t now = start, seen = 0, seen_ns = start, done, before = 0, end = start;
	bool clocked = event, all_ended = false, stop;
	unsigned int turns = 0;

	for (unsigned int i = 0; i < n; i++) {
		l[i].train = train_make(l[i].op, l[i].nops, l[i].batch, &l[i].period);
		clocked |= l[i].gap_ns > 0;
	}
	tool_windows_begin(windows, start, 0);
	while (!all_ended) {
		for (unsigned int i = 0; i < n; i++) {
			if (l[i].ended)
				continue;
			lane_submit(b, &l[i], start, now);
			if (!l[i].ended)
				lane_take(b, &l[i], start, &now);
		}
		done = lanes_done(l, n, &all_ended);
		if (event && done == before && !all_ended)
			lanes_sleep(l, n, start, now);
		before = done;
		if (!clocked && ++turns < TURNS_PER_CLOCK)
			continue;
		turns = 0;
		now = bench_now_ns();
		/* the last piece ends with the last completion, as the run does */
		if (!all_ended)
			tool_windows_tick(windows, now, done);
		stop = tool_stopped() || (b->stop && atomic_load(b->stop));
		for (unsigned int i = 0; i < n; i++)
			lane_stop(&l[i], (!l[i].iters && now - start >= ns) || stop);
		if (seen != done || !lanes_busy(l, n)) {
			seen = done;
			seen_ns = now;
		} else if (now - seen_ns > BENCH_HANG_NS) {
			bench_complain(b, "%s: no completion for %llu s", l[0].name, BENCH_HANG_NS / BENCH_NS_PER_S);
			for (unsigned int i = 0; i < n; i++)
				if (!l[i].ended)
					lane_failed(&l[i]);
		} else if (now - seen_ns > YIELD_AFTER_NS) {
			sched_yield();
		}
	}
	for (unsigned int i = 0; i < n; i++) {
		if (!l[i].end_ns)
			l[i].end_ns = bench_now_ns();
		end = l[i].end_ns > end ? l[i].end_ns : end;
		free(l[i].train);
	}
	tool_windows_end(windows, end, before);
}

void bench_drive(struct bench *b, const char *name, const struct hsl_op *op, unsigned int nops,
		 uint32_t depth, uint32_t batch,
		 const struct bench_limit *limit, struct bench_share *out)
{
	struct bench_lane l = {
		.name = name, .q = b->q, .op = op, .nops = nops, .depth = depth, .batch = batch, .iters = limit->iters,
	};
	uint64_t start = bench_now_ns();

	bench_lanes_drive(b, &l, 1, false, start, limit->ns, &out->windows);
	out->ops += l.done;
	out->ns += l.end_ns - start;
	out->errors += l.errors;
	if (l.errors)
		queue_drop(b);
}

int bench_take(struct hsl_queue *q, struct hsl_completion *c, uint64_t t0)
{
	unsigned int turns = 0;
	uint64_t waited;
	int rc;

	for (;;) {
		rc = hsl_queue_poll(q, c, 1);
		if (rc)
			return rc < 0 ? rc : 0;
		if (++turns % TURNS_PER_CLOCK)
			continue;
		waited = bench_now_ns() - t0;
		if (waited > BENCH_HANG_NS)
			return -ETIMEDOUT;
		if (waited > YIELD_AFTER_NS)
			sched_yield();
	}
}

static int take_by_event(struct bench *b, struct hsl_completion *c, uint64_t t0)
{
	struct pollfd pfd = { .fd = hsl_queue_fd(b->q), .events = POLLIN };
	int rc;

	for (;;) {
		rc = poll(&pfd, 1, (int)(BENCH_HANG_NS / 1000000));
		if (rc < 0 && errno != EINTR)
			return -errno;
		rc = hsl_queue_poll(b->q, c, 1);
		if (rc)
			return rc < 0 ? rc : 0;
		if (bench_now_ns() - t0 > BENCH_HANG_NS)
			return -ETIMEDOUT;
	}
}

void bench_drive_single(struct bench *b, const char *name, const struct hsl_op *op, bool event,
			const struct bench_limit *limit,
			struct tool_stats *stats, struct bench_share *out)
{
	struct hsl_op o = *op;
	struct hsl_completion c;
	uint64_t start = bench_now_ns(), t0 = start, t1 = start, n = 0;
	int rc;

	while (limit->iters ? n < limit->iters : t1 - start < limit->ns) {
		if (tool_stopped())
			break;
		o.cookie = n;
		t0 = bench_now_ns();
		rc = hsl_queue_submit(b->q, &o, 1);
		if (rc == 1)
			rc = event ? take_by_event(b, &c, t0) : bench_take(b->q, &c, t0);
		t1 = bench_now_ns();
		if (rc || !completion_good(b, name, &c, n, op)) {
			if (rc)
				bench_complain(b, "%s: %s", name, strerror(rc < 0 ? -rc : EAGAIN));
			out->errors++;
			queue_drop(b);
			break;
		}
		tool_stats_add(stats, t1 - t0);
		n++;
	}
	out->ops += n;
	out->ns += t1 - start;
}
