/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* TXN, QUE, ORD: SIGNAL, WAIT and FENCE: queues that wait for each other without the CPU. */
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "hsltest.h"

#define KIB ((uint64_t)1024)
#define MIB (1024 * KIB)

static void three_places(struct ht *t, struct ht_buf *b, uint64_t len)
{
	ht_buf_new(t, &b[0], t->chip[0].node, len);
	ht_buf_new(t, &b[1], t->chip[t->nchips - 1].node, len);
	ht_buf_new_host(t, &b[2], len, 8, HSL_RIGHT_RW);
}

static void store64(uint8_t *p, uint64_t v)
{
	__atomic_store_n((uint64_t *)p, v, __ATOMIC_SEQ_CST);
}

/* A value for which the condition holds with 1000, and one for which it does not. */
static const struct {
	uint64_t yes, no;
} sides[HSL_WAITS] = {
	[HSL_WAIT_EQ] = { 1000, 1001 },
	[HSL_WAIT_NE] = { 1000ull << 32, 1000 },
	[HSL_WAIT_LT] = { 999, 1000 },
	[HSL_WAIT_LE] = { 1000, 1ull << 63 }, /* unsigned */
	[HSL_WAIT_GT] = { UINT64_MAX, 1000 },
	[HSL_WAIT_GE] = { 1000, 999 },
};

static void conditions(struct ht *t)
{
	struct hsl_queue *q, *other, *quick;
	unsigned int cond, how, place;
	struct hsl_completion c;
	struct ht_buf b[3], scratch;
	struct hsl_op op;
	uint64_t off;

	ht_need_cap(t, HSL_CAP_OP_SIGNAL, "SIGNAL and WAIT");
	three_places(t, b, 4096);
	ht_buf_new(t, &scratch, t->chip[0].node, 4096);
	q = ht_queue_new(t, t->chip[0].node, 0);
	other = ht_queue_new(t, t->chip[t->nchips - 1].node, 0);
	quick = ht_queue_new(t, t->chip[0].node, 0);
	for (place = 0; place < 3; place++) {
		for (cond = 0; cond < HSL_WAITS; cond++) {
			off = 8 * ht_random_below(t, 500);
			ht_step(t, "condition %u, place %u", cond, place);
			/* it holds already */
			store64(b[place].p + off, sides[cond].yes);
			op = ht_op_wait(cond, b[place].ga + off, 1000, 0);
			ht_op_run(t, q, &op, &c);
			ht_status(t, &c, HSL_ST_OK, "WAIT for what is so");
			HT_EQ(t, "value seen", c.result, sides[cond].yes);
			/* it comes: by SIGNAL, by another command, by the CPU */
			for (how = 0; how < 3; how++) {
				store64(b[place].p + off, sides[cond].no);
				ht_submit_all(t, q, &op, 1);
				ht_expect_parked(t, q, quick, "WAIT for what is not so");
				switch (how) {
				case 0: {
					struct hsl_op s = ht_op_signal(HSL_SIGNAL_SET, b[place].ga + off,
								       sides[cond].yes);
					ht_expect(t, other, &s, HSL_ST_OK, "SIGNAL");
					break;
				}
				case 1:
					memcpy(scratch.p, &sides[cond].yes, 8);
					HT_OK(t, hsl_copy(other, b[place].ga + off, scratch.ga, 8));
					break;
				default: store64(b[place].p + off, sides[cond].yes); break;
				}
				ht_wait_all(t, q, &c, 1);
				ht_status(t, &c, HSL_ST_OK, "WAIT");
				HT_EQ(t, "value seen", c.result, sides[cond].yes);
				HT_RC(t, hsl_queue_poll(q, &c, 1), 0);
			}
		}
	}
	ht_queue_free(t, q);
	ht_queue_free(t, other);
	ht_queue_free(t, quick);
	for (place = 0; place < 3; place++)
		ht_buf_free(t, &b[place]);
	ht_buf_free(t, &scratch);
}

/* SIGNAL and time-out meet: whichever comes first, one completion, and the value says which. */
static void timeouts(struct ht *t)
{
	enum { ROUNDS = 300 };
	struct hsl_queue *q, *other;
	unsigned int i, k, ok = 0, late = 0;
	struct hsl_completion c;
	struct hsl_op op, sig;
	struct ht_buf b[3];
	uint64_t start_ns, spent_ns, timeout_ns;

	ht_need_cap(t, HSL_CAP_OP_SIGNAL, "SIGNAL and WAIT");
	three_places(t, b, 4096);
	q = ht_queue_new(t, t->chip[0].node, 0);
	other = ht_queue_new(t, t->chip[t->nchips - 1].node, 0);
	for (k = 0; k < 3; k++) { /* nobody comes */
		store64(b[k].p, 5);
		start_ns = ht_clock_ns(t);
		timeout_ns = 1000000ull << 2 * k;
		op = ht_op_wait(HSL_WAIT_GT, b[k].ga, 5, timeout_ns);
		ht_op_run(t, q, &op, &c);
		spent_ns = ht_clock_ns(t) - start_ns;
		ht_status(t, &c, HSL_ST_TIMEOUT, "WAIT for what does not come");
		HT_EQ(t, "value seen last", c.result, 5);
		/* late is no fault on a busy machine, early is; a tenth for clocks that differ */
		HT_TRUE(t, spent_ns >= timeout_ns - timeout_ns / 10,
			"time-out of %" PRIu64 " ns after %" PRIu64 " ns", timeout_ns, spent_ns);
	}
	for (i = 0; i < ROUNDS; i++) {
		struct ht_buf *m = &b[i % 3];

		store64(m->p, 0);
		op = ht_op_wait(HSL_WAIT_EQ, m->ga, i + 1, 1 + ht_random_below(t, 300000));
		op.cookie = i;
		ht_submit_all(t, q, &op, 1);
		for (k = (unsigned int)ht_random_below(t, 40000); k; k--)
			__asm__ volatile("" ::: "memory");
		if (i % 8 == 0)
			usleep(400); /* longer than any of these time-outs */
		sig = ht_op_signal(HSL_SIGNAL_SET, m->ga, i + 1);
		ht_expect(t, other, &sig, HSL_ST_OK, "SIGNAL");
		ht_wait_all(t, q, &c, 1);
		HT_EQ(t, "cookie", c.cookie, i);
		if (c.status == HSL_ST_OK) {
			HT_EQ(t, "value seen by a WAIT that is OK", c.result, i + 1);
			ok++;
		} else {
			ht_status(t, &c, HSL_ST_TIMEOUT, "WAIT");
			HT_EQ(t, "value seen by a WAIT that timed out", c.result, 0);
			late++;
		}
		HT_OK(t, hsl_nop(other));
		HT_RC(t, hsl_queue_poll(q, &c, 1), 0);
	}
	/* commands behind it start after it, either way */
	HT_OK(t, hsl_nop(q));
	ht_note(t, "%u in time, %u timed out", ok, late);
	for (k = 0; k < 3; k++)
		ht_buf_free(t, &b[k]);
	ht_queue_free(t, q);
	ht_queue_free(t, other);
}

/* In the ring itself: a library drops a completion whose command it has already reported. */
static void raw_timeouts(struct ht *t)
{
	enum { ROUNDS = 64 };
	int fd = ht_raw_open(t);
	struct hsl_desc *d;
	struct ht_rawq q;
	struct hsl_cqe c;
	uint32_t handle;
	unsigned int i;
	uint64_t ga;

	ht_need_cap(t, HSL_CAP_OP_SIGNAL, "SIGNAL and WAIT");
	ga = ht_raw_alloc(t, fd, t->chip[0].node, 4096, &handle);
	ht_rawq_new(t, &q, fd, t->chip[0].node, 16);
	for (i = 0; i < ROUNDS; i++) {
		d = ht_rawq_slot(&q);
		d->opcode = HSL_OP_WAIT;
		d->subop = HSL_WAIT_GT;
		d->src = ga;
		d->len = 8;
		d->arg1 = 1000 + ht_random_below(t, 200000);
		d->cookie = 2 * i;
		ht_rawq_slot(&q)->cookie = 2 * i + 1; /* a NOP */
		ht_rawq_ring(t, &q);
		ht_rawq_wait(t, &q, &c);
		HT_EQ(t, "cookie of the WAIT", c.cookie, 2 * i);
		HT_EQ(t, "status of the WAIT", HSL_CQE_CODE(c.status), HSL_ST_TIMEOUT);
		ht_rawq_wait(t, &q, &c);
		HT_EQ(t, "cookie of what comes next", c.cookie, 2 * i + 1);
	}
	ht_rawq_free(&q);
	ht_raw_free(t, fd, handle);
	close(fd);
}

static void wait_ends(struct ht *t)
{
	struct hsl_queue *q, *quick;
	struct hsl_completion c[3];
	struct hsl_op ops[3];
	unsigned int place;
	struct ht_buf keep, b;

	ht_need_cap(t, HSL_CAP_OP_SIGNAL, "SIGNAL and WAIT");
	ht_buf_new(t, &keep, t->chip[0].node, 4096);
	quick = ht_queue_new(t, t->chip[0].node, 0);
	for (place = 0; place < 3; place++) {
		q = ht_queue_new(t, t->chip[0].node, 8);
		ht_buf_new(t, &b, place == 2 ? 0 : t->chip[place ? t->nchips - 1 : 0].node, 4096);
		store64(b.p, 1);
		ops[0] = ht_op_wait(HSL_WAIT_EQ, b.ga, 2, 0);
		ops[1] = ht_op_fill(keep.ga, 8, 0x1234);
		ops[2] = (struct hsl_op){ .opcode = HSL_OP_NOP };
		ht_submit_all(t, q, ops, 3);
		ht_expect_parked(t, q, quick, "WAIT");
		ht_step(t, "freeing the segment that a WAIT looks at");
		ht_buf_free(t, &b);
		/* before the free returned */
		HT_TRUE(t, hsl_queue_poll(q, c, 1) == 1, "a WAIT goes on after its segment was freed");
		ht_status(t, &c[0], HSL_ST_REVOKED, "WAIT whose segment was freed");
		ht_wait_all(t, q, c + 1, 2);
		ht_status(t, &c[1], HSL_ST_OK, "command behind the WAIT");
		ht_queue_free(t, q);

		ht_step(t, "destroying a queue with a parked WAIT");
		q = ht_queue_new(t, t->chip[0].node, 8);
		ops[0] = ht_op_wait(HSL_WAIT_EQ, keep.ga + 64, 0, 0);
		memset(keep.p + 64, 1, 8);
		ops[1] = ht_op_fill(keep.ga + 128, 8, 0);
		memset(keep.p + 128, 0x77, 8);
		ht_submit_all(t, q, ops, 2);
		ht_expect_parked(t, q, quick, "WAIT");
		ht_queue_free(t, q);
		/* what was behind it did not start, and does not now */
		memset(keep.p + 64, 0, 8);
		HT_OK(t, hsl_nop(quick));
		HT_EQ(t, "memory behind a WAIT of a destroyed queue", keep.p[128], 0x77);
	}
	ht_queue_free(t, quick);
	ht_buf_free(t, &keep);
}

static void signals(struct ht *t)
{
	enum { ROUNDS = 40, BATCH = 16 };
	struct hsl_completion c[2 * BATCH];
	struct hsl_op ops[2][2 * BATCH];
	struct hsl_queue *q[2];
	unsigned int place, i, k, round;
	struct ht_buf b[3];
	struct hsl_op op;
	uint64_t v, n;

	ht_need_cap(t, HSL_CAP_OP_SIGNAL, "SIGNAL and WAIT");
	three_places(t, b, 4096);
	for (k = 0; k < 2; k++)
		q[k] = ht_queue_new(t, t->chip[k ? t->nchips - 1 : 0].node, 2 * BATCH);
	for (place = 0; place < 3; place++) {
		memcpy(&v, b[place].shadow + 8, 8);
		for (i = 0; i < 20; i++) {
			struct hsl_completion one;
			uint64_t x = i == 3 ? UINT64_MAX : ht_random(t);

			op = ht_op_signal(i & 1 ? HSL_SIGNAL_ADD : HSL_SIGNAL_SET, b[place].ga + 8, x);
			ht_op_run(t, q[i & 1], &op, &one);
			ht_status(t, &one, HSL_ST_OK, "SIGNAL");
			HT_EQ(t, "value before a SIGNAL", one.result, v);
			v = i & 1 ? v + x : x;
			memcpy(b[place].shadow + 8, &v, 8);
			ht_buf_check(t, &b[place], "SIGNAL");
		}
		/* ping-pong: both queues get their batch, then nobody but the chips does anything */
		store64(b[place].p + 64, 0);
		store64(b[place].p + 128, 0);
		for (n = 0, round = 0; round < ROUNDS; round++) {
			for (i = 0; i < BATCH; i++, n++) {
				ops[0][2 * i] = ht_op_signal(HSL_SIGNAL_SET, b[place].ga + 64, n + 1);
				ops[0][2 * i + 1] = ht_op_wait(HSL_WAIT_EQ, b[place].ga + 128, n + 1, 0);
				ops[1][2 * i] = ht_op_wait(HSL_WAIT_EQ, b[place].ga + 64, n + 1, 0);
				ops[1][2 * i + 1] = ht_op_signal(HSL_SIGNAL_ADD, b[place].ga + 128, 1);
			}
			ht_step(t, "ping-pong to %" PRIu64 ", place %u", n, place);
			for (k = 0; k < 2; k++)
				ht_submit_all(t, q[!k], ops[!k], 2 * BATCH);
			for (k = 0; k < 2; k++) {
				ht_wait_all(t, q[k], c, 2 * BATCH);
				for (i = 0; i < 2 * BATCH; i++)
					ht_status(t, &c[i], HSL_ST_OK, "SIGNAL and WAIT in turn");
			}
		}
		memcpy(&v, b[place].p + 128, 8);
		HT_EQ(t, "last answer", v, n);
	}
	for (i = 0; i < 3; i++)
		ht_buf_free(t, &b[i]);
	for (k = 0; k < 2; k++)
		ht_queue_free(t, q[k]);
}

/* As many parked WAITs as there are queues, but one. That one works, also on a chip whose others all wait. */
static void parked_queues(struct ht *t)
{
	enum { MAX = 256 };
	struct hsl_queue_opts o = { .size = sizeof(o), .depth = 4 };
	struct hsl_queue *q[MAX], *quick;
	struct hsl_completion c;
	unsigned int n = 0, i, want;
	struct ht_buf b, big;
	struct hsl_op op;
	int rc;

	ht_need_cap(t, HSL_CAP_OP_SIGNAL, "SIGNAL and WAIT");
	ht_buf_new(t, &b, t->chip[0].node, 4096);
	ht_buf_new(t, &big, t->chip[0].node, 1 * MIB);
	quick = ht_queue_new(t, t->chip[0].node, 0);
	memset(b.p, 0, 4096);
	want = t->chip[0].nqueues_free ? t->chip[0].nqueues_free - 1 : 0;
	for (; n < want && n < MAX; n++) {
		rc = hsl_queue_create(t->f, t->chip[0].node, &o, &q[n]);
		if (rc)
			break;
		/* half of them look at the same word, the others each at one of their own */
		op = ht_op_wait(HSL_WAIT_GE, b.ga + (n & 1 ? 8 + 8 * (n / 2) : 0), 1, n % 4 == 3 ? 600000000000ull : 0);
		op.cookie = n;
		ht_submit_all(t, q[n], &op, 1);
	}
	HT_TRUE(t, n > 0, "not one queue to park");
	ht_step(t, "working beside %u parked queues", n);
	for (i = 0; i < 20; i++) {
		HT_OK(t, hsl_nop(quick));
		HT_OK(t, hsl_fill(quick, big.ga, big.len, i));
	}
	for (i = 0; i < n; i++)
		HT_TRUE(t, !hsl_queue_poll(q[i], &c, 1), "parked queue %u of %u completed with %s", i, n,
			hsl_status_name(c.status));
	for (i = 0; i <= n; i++) {
		op = ht_op_signal(HSL_SIGNAL_SET, b.ga + 8 * i, 1);
		if (i == 0 || i - 1 < (n + 1) / 2)
			ht_expect(t, quick, &op, HSL_ST_OK, "SIGNAL to parked queues");
	}
	ht_step(t, "waking %u parked queues", n);
	for (i = 0; i < n; i++) {
		ht_wait_all(t, q[i], &c, 1);
		ht_status(t, &c, HSL_ST_OK, "WAIT of a parked queue");
		HT_EQ(t, "cookie", c.cookie, i);
		hsl_queue_destroy(q[i]);
	}
	ht_note(t, "%u queues parked at once", n);
	ht_queue_free(t, quick);
	ht_buf_free(t, &b);
	ht_buf_free(t, &big);
}

/* Relaxed commands, FENCE, relaxed commands: nothing passes it in either direction. */
static void fence(struct ht *t)
{
	enum { N = 12, ROUNDS = 60 };
	struct hsl_completion c[2 * N + 1];
	struct hsl_op ops[2 * N + 1];
	uint64_t piece = 20 * KIB, pattern;
	unsigned int i, round, at;
	struct ht_buf a, z;
	struct hsl_queue *q;

	ht_need_cap(t, HSL_CAP_OP_FENCE, "FENCE");
	ht_buf_new(t, &a, t->chip[0].node, N * piece);
	ht_buf_new(t, &z, t->chip[t->nchips - 1].node, N * piece);
	q = ht_queue_new(t, t->chip[0].node, 32);
	for (round = 0; round < ROUNDS; round++) {
		for (i = 0; i < N; i++) {
			pattern = ht_random(t);
			ops[i] = ht_op_fill(a.ga + i * piece, piece, pattern);
			ht_oracle_fill(a.shadow + i * piece, piece, pattern);
			/* the last before it is read first behind it */
			ops[N + 1 + i] = ht_op_copy(z.ga + (N - 1 - i) * piece, a.ga + (N - 1 - i) * piece, piece);
			ht_oracle_move(z.shadow + i * piece, a.shadow + i * piece, piece);
		}
		ops[N] = (struct hsl_op){ .opcode = HSL_OP_FENCE };
		for (i = 0; i < 2 * N + 1; i++) {
			ops[i].order = HSL_ORDER_RELAXED;
			ops[i].cookie = i;
		}
		ops[N].order = (uint8_t)(round % 3);
		ht_submit_all(t, q, ops, 2 * N + 1);
		ht_wait_all(t, q, c, 2 * N + 1);
		for (i = 0, at = 0; i < 2 * N + 1; i++) {
			ht_status(t, &c[i], HSL_ST_OK, "command around a FENCE");
			if (c[i].cookie == N)
				at = i;
		}
		HT_EQ(t, "completions before the FENCE's", at, N);
		for (i = 0; i < N; i++)
			HT_TRUE(t, c[i].cookie < N, "command %" PRIu64 ", behind a FENCE, completed before it",
				c[i].cookie);
		ht_buf_check(t, &z, "relaxed COPY behind FENCE behind relaxed FILL");
	}
	ops[0] = (struct hsl_op){ .opcode = HSL_OP_FENCE, .len = 8 };
	ht_expect(t, q, &ops[0], HSL_ST_FIELD, "FENCE with a length");
	ht_queue_free(t, q);
	ht_buf_free(t, &a);
	ht_buf_free(t, &z);
}

/*
 * The producer's commands are all relaxed, SIGNAL too, and nobody waits for their completions. The consumer, a queue of
 * another chip or the CPU, sees the counter and takes the data at once.
 */
static void data_before_signal(struct ht *t)
{
	enum { ROUNDS = 120, PIECES = 8 };
	struct hsl_completion c[PIECES + 1], cc[2];
	struct hsl_op ops[PIECES + 1], take[2];
	uint64_t piece = 64 * KIB, pattern, v;
	struct ht_limit limit;
	struct hsl_queue *p, *q;
	struct ht_buf data, flag, sink;
	unsigned int i, round;

	ht_need_cap(t, HSL_CAP_OP_SIGNAL, "SIGNAL and WAIT");
	ht_buf_new(t, &data, t->chip[t->nchips - 1].node, PIECES * piece);
	ht_buf_new(t, &sink, 0, PIECES * piece);
	p = ht_queue_new(t, t->chip[0].node, 16);
	q = ht_queue_new(t, t->chip[t->nchips - 1].node, 16);
	ht_buf_new(t, &flag, t->chip[0].node, 4096);
	store64(flag.p, 0);
	for (round = 1; round <= ROUNDS; round++) {
		for (i = 0; i < PIECES; i++) {
			pattern = ht_random(t);
			ops[i] = ht_op_fill(data.ga + i * piece, piece, pattern);
			ht_oracle_fill(data.shadow + i * piece, piece, pattern);
		}
		ops[PIECES] = ht_op_signal(HSL_SIGNAL_ADD, flag.ga, 1);
		for (i = 0; i <= PIECES; i++)
			ops[i].order = round & 1 ? HSL_ORDER_RELAXED : HSL_ORDER_ACQ_REL;
		take[0] = ht_op_wait(HSL_WAIT_GE, flag.ga, round, 0);
		take[1] = ht_op_copy(sink.ga, data.ga, PIECES * piece);
		if (round & 2) { /* by another chip */
			ht_submit_all(t, q, take, 2);
			ht_submit_all(t, p, ops, PIECES + 1);
			ht_wait_all(t, q, cc, 2);
			ht_status(t, &cc[0], HSL_ST_OK, "WAIT");
			ht_status(t, &cc[1], HSL_ST_OK, "COPY");
			memcpy(sink.shadow, data.shadow, sink.len);
			ht_buf_check(t, &sink, "data taken after the WAIT for its SIGNAL");
		} else { /* by the CPU */
			ht_submit_all(t, p, ops, PIECES + 1);
			limit = ht_limit(HT_OP_LIMIT_S);
			do {
				v = __atomic_load_n((uint64_t *)flag.p, __ATOMIC_ACQUIRE);
				HT_TRUE(t, v == round || !ht_limit_over(&limit), "no SIGNAL seen within %d s",
					HT_OP_LIMIT_S);
			} while (v != round);
			ht_buf_check(t, &data, "data seen by the CPU after the SIGNAL");
		}
		ht_wait_all(t, p, c, PIECES + 1);
		for (i = 0; i <= PIECES; i++)
			ht_status(t, &c[i], HSL_ST_OK, "producer's command");
	}
	ht_queue_free(t, p);
	ht_queue_free(t, q);
	ht_buf_free(t, &data);
	ht_buf_free(t, &flag);
	ht_buf_free(t, &sink);
}

const struct ht_test ht_tests_sig[] = {
	{ "HEP-TXN-022", "conditions", "six conditions, by SIGNAL, COPY and CPU store, all memory",
	  conditions, 0, 120 },
	{ "HEP-TXN-023", "timeouts", "a WAIT completes once, OK or TIMEOUT, and never early", timeouts,
	  0, 120 },
	{ "HEP-TXN-023", "raw_timeouts", "a WAIT that times out has one completion in the ring", raw_timeouts,
	  HT_F_RAW, 0 },
	{ "HEP-TXN-024", "wait_ends", "WAITs end with their segment and with their queue", wait_ends, 0,
	  0 },
	{ "HEP-TXN-025", "signals", "old values; two queues in turn without the CPU", signals, 0, 120 },
	{ "HEP-QUE-015", "parked_queues", "all queues but one parked, and that one works", parked_queues,
	  0, 120 },
	{ "HEP-ORD-004", "fence", "nothing passes a FENCE, in either direction", fence, 0, 0 },
	{ "HEP-ORD-005", "data_before_signal", "who sees a SIGNAL sees the data before it",
	  data_before_signal, 0, 120 },
	{ 0 }
};
