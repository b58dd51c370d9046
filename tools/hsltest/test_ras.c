/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* RAS: reset and errors. The tests that reset a chip run only with --disruptive: others may be
 * using it. */
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <setjmp.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/hsl.h>

#include "hsltest.h"

#define MIB ((uint64_t)1024 * 1024)

/* FLR of the last chip while the first one writes and reads its memory, and while it works itself.
 */
static void flr_under_traffic(struct ht *t)
{
	enum { OPS = 32, ROUNDS = 5 };
	const struct hsl_chip_props *victim = &t->chip[t->nchips - 1];
	struct hsl_completion c[OPS];
	unsigned int round, i, refused = 0;
	struct hsl_queue *q, *own;
	struct hsl_op ops[OPS];
	struct ht_buf a, z;

	ht_buf_new(t, &a, t->chip[0].node, 8 * MIB);
	ht_buf_new(t, &z, victim->node, 8 * MIB);
	q = ht_queue_new(t, t->chip[0].node, OPS);
	for (round = 0; round < ROUNDS; round++) {
		own = ht_queue_new(t, victim->node, OPS);
		for (i = 0; i < OPS; i++)
			ops[i] = i & 1 ? ht_op_copy(z.ga, a.ga, a.len)
				       : ht_op_copy(a.ga, z.ga, a.len);
		ht_submit_all(t, q, ops, OPS);
		ht_submit_all(t, own, ops, OPS);
		usleep((unsigned int)ht_random_below(t, 5000));
		ht_step(t, "round %u: FLR of chip %u under traffic", round, victim->node);
		HT_OK(t, ht_chip_flr(t, victim));
		ht_step(t, "round %u: after the FLR", round);
		ht_wait_all(t, q, c, OPS);
		for (i = 0; i < OPS; i++) {
			HT_TRUE(t,
				c[i].status == HSL_ST_OK || c[i].status == HSL_ST_REVOKED ||
					c[i].status == HSL_ST_UNREACHABLE,
				"command of another chip during FLR: status %s",
				hsl_status_name(c[i].status));
			refused += c[i].status != HSL_ST_OK;
		}
		ht_wait_all(t, own, c, OPS);
		ht_queue_free(t, own);
	}
	ht_expect(t, q, &ops[0], HSL_ST_OK, "COPY after the last FLR");
	ht_note(t, "%u of %u commands of the other chip refused", refused, OPS * ROUNDS);
	ht_queue_free(t, q);
	ht_buf_free(t, &a);
	ht_buf_free(t, &z);
}

static void reset_soon(struct ht *t)
{
	usleep(20000);
	HT_OK(t, ht_chip_flr(t, &t->chip[0]));
}

static void *reset_soon_in_thread(void *t)
{
	reset_soon(t);
	return NULL;
}

/* A reset while the caller waits: by another process, which sim: has not. */
struct resetter {
	pthread_t thread;
	int pid;
};

static void reset_meanwhile(struct ht *t, struct resetter *r)
{
	r->pid = -1;
	if (t->sim)
		HT_TRUE(t, !pthread_create(&r->thread, NULL, reset_soon_in_thread, t), "pthread_create");
	else
		r->pid = fork();
	HT_TRUE(t, t->sim || r->pid >= 0, "fork: %s", strerror(errno));
	if (!r->pid) {
		reset_soon(t);
		_exit(0);
	}
}

static void resetter_join(struct ht *t, struct resetter *r)
{
	if (t->sim)
		pthread_join(r->thread, NULL);
	else
		ht_child_join(t, r->pid);
}

/* Nothing but the end of its queue wakes this one: it waits for ever for a command that waits for ever. */
static void sleeper_wakes(struct ht *t)
{
	struct hsl_completion c;
	struct hsl_queue *q;
	struct resetter r;
	struct hsl_op op;
	struct ht_buf b;
	int rc;

	ht_need_tool(t, HSL_CAP_OP_SIGNAL, "WAIT");
	ht_buf_new(t, &b, t->chip[0].node, 4096);
	q = ht_queue_new(t, t->chip[0].node, 4);
	op = ht_op_wait(HSL_WAIT_EQ, b.ga, ~*(uint64_t *)b.shadow, 0);
	op.cookie = 77;
	HT_RC(t, hsl_queue_submit(q, &op, 1), 1);
	reset_meanwhile(t, &r);
	ht_step(t, "asleep while chip %u is reset", t->chip[0].node);
	do {
		rc = hsl_queue_wait(q, &c, 1, UINT64_MAX);
	} while (rc == -EINTR);
	HT_TRUE(t, rc == 1, "hsl_queue_wait across a reset: %s", ht_errno_name(rc));
	HT_EQ(t, "cookie of what was outstanding", c.cookie, 77);
	HT_TRUE(t, c.status != HSL_ST_OK, "a WAIT whose condition never held ended well");
	HT_RC(t, hsl_queue_wait(q, &c, 1, UINT64_MAX), -ENOENT);
	resetter_join(t, &r);
	ht_queue_free(t, q);
	ht_buf_free(t, &b);
}

/* A waiter is asleep in hsl_queue_wait, or about to be, when the chip is reset. */
static void waiter_wakes(struct ht *t)
{
	enum { OPS = 16 };
	struct hsl_completion c[OPS];
	struct hsl_op ops[OPS];
	struct hsl_fabric *f2;
	struct hsl_queue *q;
	struct resetter r;
	struct ht_buf b;
	unsigned int i;

	ht_buf_new(t, &b, t->chip[0].node, 32 * MIB);
	q = ht_queue_new(t, t->chip[0].node, OPS);
	for (i = 0; i < OPS; i++)
		ops[i] = ht_op_fill(b.ga, b.len, i);
	reset_meanwhile(t, &r);
	for (;;) { /* refill until the reset comes */
		int rc = hsl_queue_submit(q, ops, OPS);

		if (rc == -ESHUTDOWN)
			break;
		HT_TRUE(t, rc > 0 || rc == -EAGAIN, "hsl_queue_submit: %s", ht_errno_name(rc));
		rc = ht_completions(q, c, OPS);
		HT_TRUE(t, rc > 0, "hsl_queue_wait across a reset: %s", ht_errno_name(rc));
	}
	while (hsl_queue_outstanding(q))
		HT_TRUE(t,
			ht_completions(q, c, OPS) > 0,
			"outstanding operations are not reported");
	resetter_join(t, &r);
	ht_queue_free(t, q);
	ht_buf_free(t, &b);
	f2 = ht_open_again(t);
	hsl_fabric_close(f2);
}

static void content_survives(struct ht *t)
{
	const struct hsl_chip_props *chip = &t->chip[t->nchips - 1];
	struct hsl_queue *q, *q2;
	unsigned int round;
	struct ht_buf b, h;

	ht_buf_new(t, &b, chip->node, 4 * MIB);
	ht_buf_new(t, &h, 0, 4 * MIB);
	for (round = 0; round < 3; round++) {
		q = ht_queue_new(t, chip->node, 0);
		ht_copy(t, q, &b, 0, &h, 0, b.len);
		HT_OK(t, ht_chip_flr(t, chip));
		ht_buf_check(t, &b, "segment after FLR");
		HT_RC(t, hsl_queue_state(q, NULL), HSL_QUEUE_ERROR);
		/* the same segment serves a new queue, and queues of another chip */
		q2 = ht_queue_new(t, chip->node, 0);
		ht_buf_pattern(t, &h);
		ht_copy(t, q2, &h, 0, &b, 7, 1000000);
		ht_buf_check(t, &h, "COPY from the segment after FLR");
		ht_queue_free(t, q2);
		q2 = ht_queue_new(t, t->chip[0].node, 0);
		ht_copy(t, q2, &b, 100, &h, 0, 1000000);
		ht_buf_check(t, &b, "COPY into the segment after FLR");
		ht_queue_free(t, q2);
		ht_queue_free(t, q);
		ht_buf_pattern(t, &h);
	}
	ht_buf_free(t, &b);
	ht_buf_free(t, &h);
}

static void queue_error_alone(struct ht *t)
{
	int fd = ht_raw_open(t), i, round;
	uint32_t error;
	struct ht_rawq good, bad;
	struct hsl_queue *q;
	struct hsl_cqe c;

	q = ht_queue_new(t, t->chip[0].node, 0);
	ht_rawq_new(t, &good, fd, t->chip[0].node, 16);
	for (round = 0; round < 5; round++) {
		ht_rawq_new(t, &bad, fd, t->chip[0].node, 16);
		ht_rawq_doorbell(t, &bad, HSL_DB_SQ_TAIL, 1000, 4);
		for (i = 0; i < 100; i++) {
			ht_rawq_slot(&good);
			ht_rawq_ring(t, &good);
			ht_rawq_wait(t, &good, &c);
			HT_EQ(t, "status on a queue next to a broken one", HSL_CQE_CODE(c.status),
			      HSL_ST_OK);
			HT_OK(t, hsl_nop(q));
		}
		/* the driver learns of it by an interrupt and says so by POLLHUP, which an eventfd has not */
		HT_TRUE(t, t->sim || ht_readable(bad.fd), "the file of the broken queue does not hang up");
		HT_EQ(t, "state of the broken queue", ht_rawq_state(t, &bad, &error), HSL_QUEUE_ERROR);
		ht_rawq_free(&bad);
	}
	ht_rawq_free(&good);
	ht_queue_free(t, q);
	close(fd);
}

/* Refused commands of one queue, as many as it takes: the queue and its neighbours go on. */
static void failing_commands(struct ht *t)
{
	enum { DEPTH = 64 };
	struct hsl_completion c[DEPTH];
	struct hsl_op ops[DEPTH];
	struct hsl_queue *bad, *good;
	unsigned int i, round;
	struct ht_buf b, h;

	ht_buf_new(t, &b, t->chip[0].node, MIB);
	ht_buf_new(t, &h, 0, MIB);
	bad = ht_queue_new(t, t->chip[0].node, DEPTH);
	good = ht_queue_new(t, t->chip[0].node, 0);
	for (i = 0; i < DEPTH; i++)
		ops[i] = ht_op_copy(HSL_GA(16383, i * 4096), b.ga, 4096);
	for (round = 0; round < 50; round++) {
		ht_submit_all(t, bad, ops, DEPTH);
		ht_copy(t, good, &h, round * 100, &b, round * 50, 10000);
		ht_wait_all(t, bad, c, DEPTH);
		for (i = 0; i < DEPTH; i++)
			ht_status(t, &c[i], HSL_ST_SEGMENT, "refused command");
	}
	HT_RC(t, hsl_queue_state(bad, NULL), HSL_QUEUE_READY);
	HT_OK(t, hsl_nop(bad));
	ht_buf_check(t, &h, "traffic of the other queue");
	ht_buf_check(t, &b, "its source");
	ht_queue_free(t, bad);
	ht_queue_free(t, good);
	ht_buf_free(t, &b);
	ht_buf_free(t, &h);
}

static void sleep_and_wake(struct ht *t)
{
	const struct hsl_chip_props *chip = &t->chip[0];
	struct hsl_queue *q;
	struct ht_buf a, b;

	ht_sleep(t, chip);
	ht_buf_new(t, &a, chip->node, MIB);	/* from here on t->f holds it */
	ht_buf_new(t, &b, chip->node, MIB);
	q = ht_queue_new(t, chip->node, 0);
	HT_OK(t, hsl_nop(q));
	ht_copy(t, q, &a, 4096, &b, 8192, 100000);
	ht_buf_check(t, &a, "memory of a chip that was woken");
	ht_buf_check(t, &b, "its source");
	ht_queue_free(t, q);
	ht_buf_free(t, &a);
	ht_buf_free(t, &b);
}

static sigjmp_buf bus_jump;
static volatile sig_atomic_t bus_signal;

static void bus_handler(int sig)
{
	bus_signal = sig;
	siglongjmp(bus_jump, 1);
}

/* 0, or the signal that a load of *p raised. */
static int load_signal(volatile uint8_t *p)
{
	bus_signal = 0;
	if (!sigsetjmp(bus_jump, 1))
		(void)*p;
	return bus_signal;
}

static void sigbus_after_free(struct ht *t)
{
	struct sigaction sa = { .sa_handler = bus_handler };
	int fd = ht_raw_open(t), pid, ready[2], go[2];
	uint32_t handle;
	uint64_t ga, len = 64 * 1024;
	char c = 0;
	uint8_t *p;

	sigaction(SIGBUS, &sa, NULL);
	sigaction(SIGSEGV, &sa, NULL);
	ga = ht_raw_alloc(t, fd, t->chip[0].node, len, &handle);
	p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)ga);
	HT_TRUE(t, p != MAP_FAILED, "mmap: %s", strerror(errno));
	memset(p, 0x3c, len);
	HT_EQ(t, "signal before the free", load_signal(p), 0);
	HT_TRUE(t, !pipe(ready) && !pipe(go), "pipe: %s", strerror(errno));
	pid = fork(); /* the child's copy of the mapping goes too */
	HT_TRUE(t, pid >= 0, "fork: %s", strerror(errno));
	if (!pid) {
		HT_EQ(t, "child's signal before the free", load_signal(p), 0);
		HT_TRUE(t, write(ready[1], &c, 1) == 1 && read(go[0], &c, 1) == 1, "pipe");
		HT_EQ(t, "child's signal after the free", load_signal(p), SIGBUS);
		_exit(0);
	}
	HT_TRUE(t, read(ready[0], &c, 1) == 1, "pipe");
	ht_raw_free(t, fd, handle);
	HT_EQ(t, "signal for the first byte after the free", load_signal(p), SIGBUS);
	HT_EQ(t, "signal for the last byte after the free", load_signal(p + len - 1), SIGBUS);
	HT_TRUE(t, write(go[1], &c, 1) == 1, "pipe");
	ht_child_join(t, pid);
	munmap(p, len);
	close(fd);
}

const struct ht_test ht_tests_ras[] = {
	{ "HEP-RAS-001", "flr_under_traffic",
	  "FLR completes under traffic of this chip and of others", flr_under_traffic,
	  HT_F_RESET | HT_F_TWO_CHIPS, 120 },
	{ "HEP-RAS-002", "waiter_wakes", "a reset wakes waiters and reports what was outstanding",
	  waiter_wakes, HT_F_RESET, 0 },
	{ "HEP-RAS-002", "sleeper_wakes", "a reset wakes who waits for ever for what would never end",
	  sleeper_wakes, HT_F_RESET, 0 },
	{ "HEP-RAS-003", "content_survives", "segments and content survive FLR, queues do not",
	  content_survives, HT_F_RESET, 0 },
	{ "HEP-RAS-013", "sleep_and_wake", "a chip that sleeps works for who comes", sleep_and_wake,
	  HT_F_ROOT | HT_F_RESET | HT_F_SLEEP, 0 },
	{ "HEP-RAS-004", "queue_error_alone", "a queue in ERROR leaves the others working",
	  queue_error_alone, HT_F_RAW, 0 },
	{ "HEP-RAS-004", "failing_commands", "refused commands stop neither their queue nor others",
	  failing_commands, 0, 0 },
	{ "HEP-RAS-005", "sigbus_after_free",
	  "a mapping of a freed segment is SIGBUS, in a child too", sigbus_after_free, HT_F_KERNEL,
	  0 },
	{ 0 }
};
