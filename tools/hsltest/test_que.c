/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * QUE: rings, doorbells, completions, waiting. What libhsl does not let a program do wrong is done
 * with rings of our own on the driver's interface (raw.c).
 */
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/hsl.h>

#include "hsltest.h"

#define KIB ((uint64_t)1024)
#define MIB (1024 * KIB)

static const struct hsl_op nop_op = { .opcode = HSL_OP_NOP };

/* Random batches in flight, good and bad commands mixed; afterwards each cookie was seen once. */
static void exactly_once(struct ht *t)
{
	enum { TOTAL = 4000, DEPTH = 64 };
	uint64_t *cookies = calloc(TOTAL, sizeof(*cookies)), bad;
	struct hsl_completion c[DEPTH];
	struct hsl_op ops[DEPTH];
	unsigned int i, k, n, sent = 0, have = 0;
	struct hsl_queue *q;
	struct ht_buf b;
	int rc;

	ht_buf_new(t, &b, t->chip[t->nchips - 1].node, 64 * KIB);
	for (k = 0; k < t->nchips && k < 4; k++) {
		q = ht_queue_new(t, t->chip[k].node, DEPTH);
		for (sent = have = 0; have < TOTAL;) {
			n = 1 + (unsigned int)ht_random_below(t, DEPTH);
			n = n < TOTAL - sent ? n : TOTAL - sent;
			for (i = 0; i < n; i++) {
				switch (ht_random_below(t, 4)) {
				case 0: ops[i] = nop_op; break;
				case 1:
					ops[i] = ht_op_copy(b.ga, b.ga + 32 * KIB,
							    ht_random_below(t, 9000));
					break;
				case 2: ops[i] = ht_op_fill(0x77, 8, 0); break; /* refused */
				default:
					ops[i] =
						ht_op_fill(b.ga, ht_random_below(t, 100), sent + i);
					break;
				}
				ops[i].order = (uint8_t)ht_random_below(t, 3);
				ops[i].cookie = 7000 + sent + i;
			}
			rc = n ? hsl_queue_submit(q, ops, n) : 0;
			if (rc > 0)
				sent += (unsigned int)rc;
			else
				HT_TRUE(t, !rc || rc == -EAGAIN, "hsl_queue_submit: %s",
					ht_errno_name(rc));
			rc = ht_completions(q, c, DEPTH);
			HT_TRUE(t, rc > 0, "hsl_queue_wait with %u of %u back: %s", have, sent,
				ht_errno_name(rc));
			HT_TRUE(t, (unsigned int)rc <= sent - have,
				"%d completions for %u outstanding", rc, sent - have);
			for (i = 0; i < (unsigned int)rc; i++)
				cookies[have++] = c[i].cookie;
		}
		HT_EQ(t, "outstanding at the end", hsl_queue_outstanding(q), 0);
		HT_RC(t, hsl_queue_wait(q, c, 1, 0), -ENOENT);
		rc = ht_cookies_check(cookies, have, 7000, TOTAL, &bad);
		HT_TRUE(t, !rc, "cookie %" PRIu64 ": %s", bad,
			rc == -EEXIST	? "twice"
			: rc == -ENOENT ? "never"
					: "not ours");
		ht_queue_free(t, q);
	}
	ht_buf_free(t, &b);
	free(cookies);
}

struct flipper {
	volatile struct hsl_desc *sq;
	unsigned int depth;
	uint64_t good, evil;
	volatile bool stop;
};

/* Rewrites every descriptor's length again and again while the chip reads them. */
static void *flip(void *arg)
{
	struct flipper *f = arg;
	unsigned int i;

	while (!f->stop) {
		for (i = 0; i < f->depth; i++)
			f->sq[i].len = f->evil;
		for (i = 0; i < f->depth; i++)
			f->sq[i].len = f->good;
	}
	return NULL;
}

/*
 * Two segments side by side; the length flips between one that fits the first and one that reaches
 * into the second. A chip that checks one reading and executes another would write the second.
 */
static void read_once(struct ht *t)
{
	enum { DEPTH = 32, ROUNDS = 300 };
	struct flipper f = { .depth = DEPTH, .good = 64, .evil = 8192 };
	unsigned int i, round, ok = 0, refused = 0;
	uint64_t ga, ga2;
	uint32_t handle, handle2;
	int fd = ht_raw_open(t);
	struct ht_rawq q;
	struct hsl_cqe c;
	pthread_t th;
	uint8_t *p, *p2;

	ga = ht_raw_alloc(t, fd, t->chip[0].node, 4096, &handle);
	ga2 = ht_raw_alloc(t, fd, t->chip[0].node, 4096, &handle2);
	p = ht_raw_map(t, fd, ga, 4096);
	p2 = ht_raw_map(t, fd, ga2, 4096);
	memset(p, 0, 4096);
	memset(p2, 0, 4096);
	ht_rawq_new(t, &q, fd, t->chip[0].node, DEPTH);
	for (i = 0; i < DEPTH; i++) {
		q.sq[i].opcode = HSL_OP_FILL;
		q.sq[i].dst = ga;
		q.sq[i].arg0 = ~0ull;
		q.sq[i].len = f.good;
	}
	f.sq = q.sq;
	HT_TRUE(t, !pthread_create(&th, NULL, flip, &f), "pthread_create");
	for (round = 0; round < ROUNDS; round++) {
		q.tail += DEPTH;
		ht_rawq_ring(t, &q);
		for (i = 0; i < DEPTH; i++) {
			ht_rawq_wait(t, &q, &c);
			if (HSL_CQE_CODE(c.status) == HSL_ST_OK) {
				HT_EQ(t, "result", c.result, f.good);
				ok++;
			} else {
				HT_EQ(t, "status", HSL_CQE_CODE(c.status), HSL_ST_RANGE);
				refused++;
			}
		}
	}
	f.stop = true;
	pthread_join(th, NULL);
	for (i = 64; i < 4096; i++)
		HT_TRUE(t, !p[i], "byte %u, behind the checked length, was written", i);
	for (i = 0; i < 4096; i++)
		HT_TRUE(t, !p2[i], "byte %u of the next segment was written", i);
	ht_note(t, "%u executed, %u refused", ok, refused);
	ht_rawq_free(&q);
	munmap(p, 4096);
	munmap(p2, 4096);
	close(fd);
}

/* Raw ring, polled hard: when status and phase are there, cookie, result and the data are there. */
static void completion_last(struct ht *t)
{
	enum { ROUNDS = 20000 };
	struct ht_limit limit;
	uint32_t handle, i;
	int fd = ht_raw_open(t);
	struct ht_rawq q;
	struct hsl_cqe c;
	volatile uint64_t *p;
	uint64_t ga;

	ga = ht_raw_alloc(t, fd, t->chip[0].node, 4096, &handle);
	p = ht_raw_map(t, fd, ga, 4096);
	ht_rawq_new(t, &q, fd, t->chip[0].node, 4);
	for (i = 1; i <= ROUNDS; i++) {
		struct hsl_desc *d = ht_rawq_slot(&q);

		d->opcode = HSL_OP_FILL;
		d->dst = ga;
		d->len = 8 * (1 + i % 512);
		d->arg0 = i;
		d->cookie = 0xc00000000ull + i;
		ht_rawq_ring(t, &q);
		limit = ht_limit(HT_OP_LIMIT_S);
		while (!ht_rawq_poll(&q, &c))
			HT_TRUE(t, !ht_limit_over(&limit), "no completion");
		HT_EQ(t, "last word of the data", p[i % 512], i);
		HT_EQ(t, "first word of the data", p[0], i);
		HT_EQ(t, "cookie", c.cookie, 0xc00000000ull + i);
		HT_EQ(t, "result", c.result, 8 * (1 + i % 512));
		HT_EQ(t, "status", HSL_CQE_CODE(c.status), HSL_ST_OK);
		HT_EQ(t, "queue id", c.qid, q.qid);
		HT_EQ(t, "descriptors taken", c.sq_head, i & 0xffff);
	}
	ht_rawq_free(&q);
	munmap((void *)p, 4096);
	close(fd);
}

/* As they are in the ring: libhsl's cookies are its own. And the count of descriptors taken, past 2^16. */
static void raw_counts(struct ht *t, unsigned int total, uint64_t first)
{
	enum { DEPTH = 64 };
	int fd = ht_raw_open(t);
	struct ht_rawq q;
	struct hsl_cqe c;
	unsigned int n, seen = 0;

	ht_rawq_new(t, &q, fd, t->chip[0].node, DEPTH);
	while (seen < total) {
		for (n = 0; n < DEPTH; n++)
			ht_rawq_slot(&q)->cookie = ht_mix(first + seen + n);
		ht_rawq_ring(t, &q);
		for (n = 0; n < DEPTH; n++, seen++) {
			ht_rawq_wait(t, &q, &c);
			HT_EQ(t, "cookie", c.cookie, ht_mix(first + seen));
			HT_TRUE(t, (uint16_t)(c.sq_head - (seen + 1)) < DEPTH,
				"completion %u: sq_head %u, of %u submitted", seen, c.sq_head, q.tail);
		}
	}
	ht_rawq_free(&q);
	close(fd);
}

static void raw_cookies(struct ht *t)
{
	raw_counts(t, 4096, ht_random(t));
}

static void raw_wrap(struct ht *t)
{
	raw_counts(t, 70016, ht_random(t));
}

static void need_doorbell(struct ht *t, struct ht_rawq *q)
{
	if (!ht_rawq_has_doorbell(q))
		HT_SKIP_TEST(t, "the driver gives no doorbell page here");
}

/* Nothing may complete: looked at for a while, with another queue's traffic to show that the chip
 * is at work. */
static void expect_quiet(struct ht *t, struct ht_rawq *q, struct hsl_queue *other, const char *what)
{
	struct hsl_cqe c;
	unsigned int i;

	for (i = 0; i < 50; i++) {
		HT_OK(t, hsl_nop(other));
		HT_TRUE(t, !ht_rawq_poll(q, &c), "%s submitted a command", what);
	}
}

static void doorbell_widths(struct ht *t)
{
	struct hsl_queue *other = ht_queue_new(t, t->chip[0].node, 0);
	int fd = ht_raw_open(t);
	struct hsl_cqe c;
	struct ht_rawq q;
	unsigned int i;

	ht_rawq_new(t, &q, fd, t->chip[0].node, 16);
	need_doorbell(t, &q);
	for (i = 0; i < 3; i++) {
		ht_rawq_slot(&q); /* a zeroed descriptor is a NOP */
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		ht_rawq_doorbell(t, &q, HSL_DB_SQ_TAIL, q.tail, 1);
		expect_quiet(t, &q, other, "a 1-byte doorbell write");
		ht_rawq_doorbell(t, &q, HSL_DB_SQ_TAIL, q.tail, 2);
		expect_quiet(t, &q, other, "a 2-byte doorbell write");
		if (i & 1)
			ht_rawq_doorbell(t, &q, HSL_DB_SQ_TAIL, q.tail, 4);
		else /* the upper half is not part of it */
			ht_rawq_doorbell(t, &q, HSL_DB_SQ_TAIL, 0xdeadbeef00000000ull | q.tail, 8);
		ht_rawq_wait(t, &q, &c);
		HT_EQ(t, "status", HSL_CQE_CODE(c.status), HSL_ST_OK);
		expect_quiet(t, &q, other, "nothing");
	}
	ht_rawq_free(&q);
	ht_queue_free(t, other);
	close(fd);
}

static void ring_raw(struct ht *t, struct ht_rawq *q, uint32_t tail)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	ht_rawq_doorbell(t, q, HSL_DB_SQ_TAIL, tail, 4);
}

static void wait_state(struct ht *t, struct ht_rawq *q, uint32_t state, uint32_t error)
{
	struct ht_limit limit = ht_limit(HT_OP_LIMIT_S);
	uint32_t is, why = 0;

	while ((is = ht_rawq_state(t, q, &why)) != state) {
		HT_TRUE(t, !ht_limit_over(&limit), "queue state %u, expected %u", is, state);
		usleep(1000);
	}
	HT_EQ(t, "error of the queue", why, error);
}

static void overflow(struct ht *t)
{
	static const uint32_t ahead[] = { 17, 1000, 0x80000000u, 0xffffffffu };
	int fd = ht_raw_open(t);
	struct ht_rawq q;
	struct hsl_cqe c;
	unsigned int i;
	short events;

	for (i = 0; i < sizeof(ahead) / sizeof(ahead[0]); i++) {
		ht_rawq_new(t, &q, fd, t->chip[0].node, 16);
		ht_rawq_slot(&q);
		ht_rawq_ring(t, &q);
		ht_rawq_wait(t, &q, &c);
		ht_step(t, "doorbell ahead by %#x", ahead[i]);
		ring_raw(t, &q, q.tail + ahead[i]);
		wait_state(t, &q, HSL_QUEUE_ERROR, HSL_ST_OVERFLOW);
		/* the mapped doorbell page may be scratch memory by now: it must still be there */
		if (ht_rawq_has_doorbell(&q))
			ht_rawq_doorbell(t, &q, HSL_DB_SQ_TAIL, 0, 4);
		events = ht_readable(q.fd);
		HT_TRUE(t, events, "poll(2) of a dead queue does not return");
		HT_TRUE(t, t->sim || events & POLLERR, "poll(2) of a dead queue says %#x, without POLLERR",
			(unsigned int)events);	/* an eventfd has no POLLERR */
		ht_rawq_free(&q);
	}
	/* the whole depth at once is no overflow */
	ht_rawq_new(t, &q, fd, t->chip[0].node, 16);
	for (i = 0; i < 16; i++)
		ht_rawq_slot(&q);
	ht_rawq_ring(t, &q);
	for (i = 0; i < 16; i++) {
		ht_rawq_wait(t, &q, &c);
		HT_EQ(t, "status", HSL_CQE_CODE(c.status), HSL_ST_OK);
	}
	ht_rawq_free(&q);
	close(fd);
}

/* Doorbell pages of queues that do not exist, straight in BAR0. */
static void unknown_queue(struct ht *t)
{
	uint32_t stride, off, nq, i, n = 0;
	uint64_t before, after;
	struct hsl_queue *q;
	struct ht_bar b;

	ht_regs_map(t, &t->chip[0], &b);
	q = ht_queue_new(t, t->chip[0].node, 0);
	stride = ht_read32(&b, HSL_REG_DB_STRIDE);
	off = ht_read32(&b, HSL_REG_DB_OFFSET);
	nq = ht_read32(&b, HSL_REG_NQUEUES);
	before = ht_read32(&b, HSL_REG_STATUS);
	for (i = nq; i-- > 1;) {
		uint64_t db = off + (uint64_t)i * stride;

		if (db + 4096 > b.len || ht_read32(&b, db + HSL_DB_STATE) != HSL_QUEUE_RESET)
			continue;
		ht_write32(&b, db + HSL_DB_SQ_TAIL, 5);
		ht_write32(&b, db + HSL_DB_CQ_ARM, 0);
		HT_EQ(t, "STATE of a queue that does not exist", ht_read32(&b, db + HSL_DB_STATE),
		      HSL_QUEUE_RESET);
		n++;
	}
	HT_OK(t, hsl_nop(q));
	after = ht_read32(&b, HSL_REG_STATUS);
	HT_EQ(t, "STATUS of the chip", after, before);
	ht_note(t, "%u unused queues", n);
	ht_queue_free(t, q);
	/* a queue made there now starts from nothing */
	q = ht_queue_new(t, t->chip[0].node, 0);
	HT_OK(t, hsl_nop(q));
	ht_queue_free(t, q);
	ht_bar_unmap(&b);
}

/* The waiter arms before, during and after the completion, many times: it always wakes up. */
static void no_lost_wakeup(struct ht *t)
{
	enum { ROUNDS = 3000 };
	struct hsl_completion c;
	struct hsl_queue *q;
	unsigned int i, k;
	struct hsl_op op;
	struct ht_buf b;
	uint64_t v;
	int efd;

	ht_buf_new(t, &b, t->chip[0].node, 256 * KIB);
	q = ht_queue_new(t, t->chip[0].node, 4);
	efd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	HT_TRUE(t, efd >= 0, "eventfd: %s", strerror(errno));
	HT_OK(t, hsl_queue_eventfd(q, efd));
	for (i = 0; i < ROUNDS; i++) {
		op = i % 3 ? nop_op : ht_op_fill(b.ga, ht_random_below(t, b.len), i);
		op.cookie = i;
		if (i & 1)
			HT_OK(t, hsl_queue_arm(q));
		ht_submit_all(t, q, &op, 1);
		if (i % 50 == 0)
			usleep(500);	/* it is there when the chip is armed, and the chip at rest */
		if (!(i & 1)) {
			for (k = (unsigned int)ht_random_below(t, 2000); k; k--)
				__asm__ volatile("" ::: "memory");
			HT_OK(t, hsl_queue_arm(q));
		}
		if (ht_readable(efd) != POLLIN)
			HT_FAIL_TEST(
				t,
				"round %u, armed %s the command: no event within 10 s; %d completions were there",
				i, i & 1 ? "before" : "after", hsl_queue_poll(q, &c, 1));
		HT_TRUE(t, read(efd, &v, sizeof(v)) == sizeof(v), "read of the eventfd: %s",
			strerror(errno));
		HT_RC(t, hsl_queue_poll(q, &c, 1), 1);
		HT_EQ(t, "cookie", c.cookie, i);
	}
	HT_OK(t, hsl_queue_eventfd(q, -1));
	close(efd);
	ht_queue_free(t, q);
	ht_buf_free(t, &b);
}

static void destroy_running(struct ht *t)
{
	enum { OPS = 32, ROUNDS = 10 };
	uint64_t len = 16 * MIB;
	struct hsl_op ops[OPS];
	struct hsl_queue *q;
	struct ht_buf b;
	unsigned int i, round;

	ht_buf_new(t, &b, t->chip[0].node, len);
	for (round = 0; round < ROUNDS; round++) {
		q = ht_queue_new(t, t->chip[round % t->nchips].node, OPS);
		for (i = 0; i < OPS; i++)
			ops[i] = ht_op_fill(b.ga, len, ht_random(t));
		ht_submit_all(t, q, ops, OPS);
		if (round & 1)
			usleep(1000);
		ht_step(t, "destroying a queue with %u commands in it", OPS);
		ht_queue_free(t, q);
		ht_step(t, "looking for late writes");
		ht_buf_pattern(t, &b);
		q = ht_queue_new(t, t->chip[round % t->nchips].node, 0);
		for (i = 0; i < 100; i++)
			HT_OK(t, hsl_nop(q));
		ht_buf_check(t, &b, "memory after its writer's queue was destroyed");
		ht_queue_free(t, q);
	}
	ht_buf_free(t, &b);
}

/* Over and over until there are no more queues; nothing is made twice, and each of them works. */
static void all_queues(struct ht *t)
{
	enum { MAX = 512 };
	struct hsl_queue *q[MAX];
	struct hsl_chip_props p = { .size = sizeof(p) };
	struct hsl_queue_opts o = { .size = sizeof(o) };
	static const uint32_t bad_depth[] = { 1, 3, 48, 0x80000000u, 0xffffffffu };
	unsigned int n, i, round;
	int rc = 0;

	for (i = 0; i < sizeof(bad_depth) / sizeof(bad_depth[0]); i++) {
		o.depth = bad_depth[i];
		rc = hsl_queue_create(t->f, t->chip[0].node, &o, &q[0]);
		HT_TRUE(t, rc == -EINVAL, "queue of depth %u: expected -EINVAL, got %s",
			bad_depth[i], ht_errno_name(rc));
	}
	o.depth = t->chip[0].max_depth * 2;
	HT_RC(t, hsl_queue_create(t->f, t->chip[0].node, &o, &q[0]), -EINVAL);
	o.depth = 2;
	HT_RC(t, hsl_queue_create(t->f, 16383, &o, &q[0]), -ENOENT);
	for (round = 0; round < 2; round++) {
		for (n = 0; n < MAX; n++) {
			rc = hsl_queue_create(t->f, t->chip[0].node, &o, &q[n]);
			if (rc)
				break;
		}
		HT_TRUE(t, n == MAX || rc == -EBUSY || rc == -EMFILE,
			"after %u queues: expected -EBUSY, got %s", n, ht_errno_name(rc));
		HT_TRUE(t, n > 0, "not one queue");
		HT_OK(t, hsl_chip_by_node(t->f, t->chip[0].node, &p));
		if (rc == -EBUSY)
			HT_EQ(t, "free queues when there are none", p.nqueues_free, 0);
		for (i = 0; i < n; i++)
			HT_OK(t, hsl_nop(q[i]));
		for (i = 0; i < n; i++)
			hsl_queue_destroy(q[i]);
		HT_OK(t, hsl_chip_by_node(t->f, t->chip[0].node, &p));
		HT_EQ(t, "free queues after destroying all", p.nqueues_free,
		      t->chip[0].nqueues_free);
		ht_note(t, "%u queues", n);
	}
}

static void wrap(struct ht *t)
{
	enum { DEPTH = 64, TOTAL = 70000 };
	struct hsl_completion c[DEPTH];
	struct hsl_op ops[DEPTH];
	uint64_t sent = 0, seen = 0;
	struct hsl_queue *q;
	unsigned int i, n;
	int rc;

	q = ht_queue_new(t, t->chip[0].node, DEPTH);
	while (seen < TOTAL) {
		n = 1 + (unsigned int)ht_random_below(t, DEPTH);
		for (i = 0; i < n; i++) {
			ops[i] = nop_op;
			ops[i].cookie = sent + i;
		}
		rc = hsl_queue_submit(q, ops, n);
		HT_TRUE(t, rc > 0 || rc == -EAGAIN, "hsl_queue_submit after %" PRIu64 ": %s", sent,
			ht_errno_name(rc));
		sent += rc > 0 ? (uint64_t)rc : 0;
		rc = ht_completions(q, c, DEPTH);
		HT_TRUE(t, rc > 0, "hsl_queue_wait after %" PRIu64 ": %s", seen, ht_errno_name(rc));
		for (i = 0; i < (unsigned int)rc; i++, seen++) {
			HT_EQ(t, "cookie", c[i].cookie, seen);
			HT_EQ(t, "status", c[i].status, HSL_ST_OK);
		}
	}
	ht_note(t, "%" PRIu64 " commands through a ring of %d: past 2^16", seen, DEPTH);
	ht_queue_free(t, q);
}

/*
 * One queue has gigabytes to do. Commands of another one come back while it is still at it. No time
 * is judged: if the other queue had to wait, the first would be empty when its command came back.
 */
static void long_command(struct ht *t)
{
	enum { OPS = 64, ATTEMPTS = 10 }; /* whoever looks may have had to wait for a CPU */
	uint64_t len = 32 * MIB;
	struct hsl_completion c[OPS];
	struct hsl_queue *busy, *quick;
	struct hsl_op ops[OPS];
	unsigned int i, attempt, have = 0;
	struct ht_buf b;
	int rc;

	ht_buf_new(t, &b, t->chip[0].node, len);
	busy = ht_queue_new(t, t->chip[0].node, OPS);
	quick = ht_queue_new(t, t->chip[0].node, 0);
	for (attempt = 0; attempt < ATTEMPTS; attempt++) {
		for (i = 0; i < OPS; i++)
			ops[i] = ht_op_fill(b.ga, len, i);
		ht_submit_all(t, busy, ops, OPS);
		ht_wait_all(t, busy, c, 1); /* they are under way */
		for (i = 0; i < 5; i++)
			HT_OK(t, hsl_nop(quick));
		rc = hsl_queue_poll(busy, c, OPS);
		HT_TRUE(t, rc >= 0, "hsl_queue_poll: %s", ht_errno_name(rc));
		have = 1 + (unsigned int)rc;
		if (have < OPS)
			break;
	}
	HT_TRUE(t, have < OPS,
		"%d long commands (%" PRIu64
		" MiB each) were through before 5 NOPs of another queue, %d times",
		OPS, len / MIB, ATTEMPTS);
	ht_note(t, "5 NOPs were back with %u of %d long commands done", have, OPS);
	ht_queue_free(t, quick);
	ht_queue_free(t, busy); /* with work in it */
	ht_buf_free(t, &b);
}

static void full_ring(struct ht *t)
{
	static const unsigned int depths[] = { 2, 4, 64 };
	struct hsl_completion *c = calloc(64, sizeof(*c));
	struct hsl_op *ops = calloc(65, sizeof(*ops));
	unsigned int k, i, depth, taken;
	uint64_t len = 4 * MIB;
	struct hsl_queue *q;
	struct ht_buf b;
	int rc;

	ht_buf_new(t, &b, t->chip[0].node, len);
	for (k = 0; k < sizeof(depths) / sizeof(depths[0]); k++) {
		depth = depths[k];
		q = ht_queue_new(t, t->chip[0].node, depth);
		HT_EQ(t, "depth", hsl_queue_depth(q), depth);
		for (i = 0; i <= depth; i++) {
			ops[i] = ht_op_fill(b.ga, len, i);
			ops[i].cookie = i;
		}
		/* one more than fits: what was taken is said, and nothing is taken back */
		rc = hsl_queue_submit(q, ops, depth + 1);
		HT_TRUE(t, rc >= 1 && (unsigned int)rc <= depth,
			"%u operations into a ring of %u: %s", depth + 1, depth, ht_errno_name(rc));
		taken = (unsigned int)rc;
		while (taken < depth) {
			rc = hsl_queue_submit(q, ops + taken, depth - taken);
			HT_TRUE(t, rc > 0, "hsl_queue_submit: %s", ht_errno_name(rc));
			taken += (unsigned int)rc;
		}
		/* not consumed is not free, completed or not */
		HT_RC(t, hsl_queue_submit(q, &nop_op, 1), -EAGAIN);
		HT_EQ(t, "outstanding", hsl_queue_outstanding(q), depth);
		ht_wait_all(t, q, c, depth);
		for (i = 0; i < depth; i++) {
			HT_EQ(t, "cookie", c[i].cookie, i);
			ht_status(t, &c[i], HSL_ST_OK, "FILL");
		}
		HT_RC(t, hsl_queue_poll(q, c, 1), 0);
		HT_OK(t, hsl_nop(q));
		ht_queue_free(t, q);
	}
	ht_buf_free(t, &b);
	free(ops);
	free(c);
}

static void waits(struct ht *t)
{
	struct hsl_completion c[2];
	struct hsl_queue *q;
	struct hsl_op op;
	struct pollfd p;
	struct ht_buf b;
	unsigned int i, timeouts = 0;
	int rc, fd;

	ht_buf_new(t, &b, t->chip[0].node, 32 * MIB);
	q = ht_queue_new(t, t->chip[0].node, 4);
	HT_RC(t, hsl_queue_wait(q, c, 1, UINT64_MAX), -ENOENT);
	for (i = 0; i < 300; i++) {
		op = i % 10 ? ht_op_fill(b.ga, 1 + ht_random_below(t, 64 * KIB), i)
			    : ht_op_fill(b.ga, b.len, i);
		op.cookie = i;
		ht_submit_all(t, q, &op, 1);
		/* a deadline that has passed is a look; none, a short one and a long one */
		rc = hsl_queue_wait(q, c, 2, i & 1 ? 0 : ht_now_ns() + ht_random_below(t, 300000));
		while (rc == -ETIMEDOUT || rc == -EINTR) {
			timeouts += rc == -ETIMEDOUT;
			rc = i & 2 ? hsl_queue_wait(q, c, 2, UINT64_MAX) : ht_completions(q, c, 2);
			HT_TRUE(t, rc != -ETIMEDOUT, "no completion within %d s", HT_OP_LIMIT_S);
		}
		HT_EQ(t, "completions", rc, 1);
		HT_EQ(t, "cookie", c[0].cookie, i);
	}
	/* poll(2) on the queue's own descriptor */
	for (i = 0; i < 300; i++) {
		op = ht_op_fill(b.ga, 1 + ht_random_below(t, 256 * KIB), i);
		op.cookie = i;
		ht_submit_all(t, q, &op, 1);
		fd = hsl_queue_fd(q);
		HT_TRUE(t, fd >= 0, "hsl_queue_fd: %s", ht_errno_name(fd));
		HT_EQ(t, "poll(2) with a completion to come", ht_readable(fd), POLLIN);
		HT_RC(t, hsl_queue_poll(q, c, 2), 1);
		HT_EQ(t, "cookie", c[0].cookie, i);
	}
	p = (struct pollfd){ .fd = hsl_queue_fd(q), .events = POLLIN };
	HT_EQ(t, "poll(2) with nothing outstanding", poll(&p, 1, 0), 0);
	ht_note(t, "%u time-outs on the way", timeouts);
	ht_queue_free(t, q);
	ht_buf_free(t, &b);
}

/* FLR under a queue full of work: each operation is reported once, and the queue says that it has
 * ended. */
static void queue_ends(struct ht *t)
{
	enum { OPS = 64 };
	uint64_t cookies[OPS], bad;
	struct hsl_completion c[OPS], extra;
	struct hsl_op ops[OPS];
	unsigned int i, gone = 0, round;
	struct hsl_queue *q;
	struct ht_buf b;
	uint32_t error;

	ht_buf_new(t, &b, t->chip[t->nchips - 1].node, 16 * MIB);
	for (round = 0; round < 3; round++) {
		q = ht_queue_new(t, t->chip[0].node, OPS);
		for (i = 0; i < OPS; i++) {
			ops[i] = ht_op_fill(b.ga, b.len, i);
			ops[i].cookie = 100 + i;
		}
		ht_submit_all(t, q, ops, OPS);
		HT_OK(t, ht_chip_flr(t, &t->chip[0]));
		ht_wait_all(t, q, c, OPS);
		for (i = 0; i < OPS; i++) {
			cookies[i] = c[i].cookie;
			gone += c[i].status == HSL_ST_GONE;
		}
		HT_TRUE(t, !ht_cookies_check(cookies, OPS, 100, OPS, &bad),
			"cookie %" PRIu64 " lost, twice or not ours", bad);
		HT_TRUE(t, hsl_queue_poll(q, &extra, 1) <= 0,
			"one more completion than operations");
		HT_EQ(t, "outstanding", hsl_queue_outstanding(q), 0);
		HT_RC(t, hsl_queue_state(q, &error), HSL_QUEUE_ERROR);
		HT_RC(t, hsl_queue_submit(q, &nop_op, 1), -ESHUTDOWN);
		ht_queue_free(t, q);
	}
	ht_note(t, "%u of %u reported as gone", gone, round * OPS);
	ht_buf_free(t, &b);
}

const struct ht_test ht_tests_que[] = {
	{ "HEP-QUE-001", "exactly_once", "each command yields one completion with its cookie",
	  exactly_once, 0, 0 },
	{ "HEP-QUE-001", "raw_cookies", "a completion has all 64 bits of its command's cookie", raw_cookies,
	  HT_F_RAW, 0 },
	{ "HEP-QUE-010", "raw_wrap", "cookies and the count of descriptors taken past 2^16", raw_wrap, HT_F_RAW, 120 },
	{ "HEP-QUE-002", "read_once",
	  "a descriptor that changes meanwhile is checked as it is executed", read_once,
	  HT_F_RAW, 0 },
	{ "HEP-QUE-003", "completion_last", "status and phase come after cookie, result and data",
	  completion_last, HT_F_RAW, 0 },
	{ "HEP-QUE-004", "doorbell_widths",
	  "doorbell writes of 4 and 8 bytes count, of 1 and 2 do not", doorbell_widths, HT_F_RAW,
	  0 },
	{ "HEP-QUE-005", "overflow", "a doorbell ahead by more than the depth is OVERFLOW",
	  overflow, HT_F_RAW, 0 },
	{ "HEP-QUE-006", "unknown_queue", "a doorbell of no queue has no effect", unknown_queue,
	  HT_F_BAR, 0 },
	{ "HEP-QUE-007", "no_lost_wakeup", "armed early or late, the waiter wakes up",
	  no_lost_wakeup, 0, 120 },
	{ "HEP-QUE-008", "destroy_running", "a destroyed queue has stopped writing",
	  destroy_running, 0, 0 },
	{ "HEP-QUE-009", "all_queues",
	  "bad depths fail; every queue can be made, used, and made again", all_queues, 0, 120 },
	{ "HEP-QUE-010", "wrap", "counters wrap at 2^16", wrap, 0, 120 },
	{ "HEP-QUE-011", "long_command", "long commands of one queue do not hold up another",
	  long_command, 0, 0 },
	{ "HEP-QUE-012", "full_ring", "a full ring is -EAGAIN and loses nothing", full_ring, 0, 0 },
	{ "HEP-QUE-013", "waits", "waits wake up, time out and lose nothing", waits, 0, 0 },
	{ "HEP-QUE-014", "queue_ends", "when a queue ends, all it had is reported once", queue_ends,
	  HT_F_RESET, 0 },
	{ 0 }
};
