/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* QUE: queues whose tail is in memory. */
#include <unistd.h>

#include <linux/hsl.h>

#include "hsltest.h"

/* From nothing to longer than a chip looks: it works, lingers, falls asleep, sleeps. */
static void pause_somewhere(struct ht *t)
{
	uint64_t until_ns = ht_now_ns();

	switch (ht_random_below(t, 8)) {
	case 0:
		usleep((useconds_t)ht_random_below(t, 3000));
		break;
	case 1:
	case 2:
		until_ns += ht_random_below(t, 20000);
		break;
	case 3:
		until_ns += ht_random_below(t, 1500000);
		break;
	}
	while (ht_now_ns() < until_ns)
		;
}

/* As every program submits. If a chip fell asleep without flag or second look one would hang. */
static void wakeups(struct ht *t)
{
	enum { ROUNDS = 4000, DEPTH = 8 };
	struct hsl_completion c[DEPTH];
	struct hsl_op ops[DEPTH];
	struct hsl_queue *q;
	unsigned int i, n, round;

	ht_need_cap(t, HSL_CAP_SHADOW_TAIL, "SHADOW_TAIL");
	q = ht_queue_new(t, t->chip[0].node, DEPTH);
	for (round = 0; round < ROUNDS; round++) {
		n = 1 + (unsigned int)ht_random_below(t, DEPTH);
		for (i = 0; i < n; i++)
			ops[i] = (struct hsl_op){ .opcode = HSL_OP_NOP, .cookie = round * 100 + i };
		pause_somewhere(t);
		ht_step(t, "round %u: %u commands", round, n);
		ht_submit_all(t, q, ops, n);
		ht_wait_all(t, q, c, n);
		for (i = 0; i < n; i++)
			HT_EQ(t, "cookie", c[i].cookie, round * 100 + i);
	}
	ht_queue_free(t, q);
}

/* Has the chip fallen asleep by then? */
static bool sleeps(struct ht_rawq *q)
{
	uint64_t end_ns = ht_now_ns() + HT_NS_PER_S / 10;

	while (!__atomic_load_n(&q->shadow->need_doorbell, __ATOMIC_SEQ_CST)) {
		if (ht_now_ns() >= end_ns)
			return false;
		usleep(50);
	}
	return true;
}

/*
 * The same with the words in hand: the doorbell is rung when the chip asks. On a busy machine an emulated chip finds work whenever
 * it looks, and hardly sleeps: every tenth time it is waited for, unless it never does.
 */
static void raw_wakeups(struct ht *t)
{
	enum { ROUNDS = 2000, NEVER = 20 };
	unsigned int round, asked = 0, waited = 0, slept = 0;
	int fd = ht_raw_open(t);
	struct ht_rawq q;
	struct hsl_cqe c;

	ht_rawq_new_shadow(t, &q, fd, &t->chip[0], 4);
	HT_TRUE(t, q.shadow->need_doorbell, "need_doorbell is 0 in a new queue");
	for (round = 0; round < ROUNDS; round++) {
		if (round % 10 || (!slept && waited == NEVER)) {
			pause_somewhere(t);
		} else {
			waited++;
			slept += sleeps(&q);
		}
		ht_rawq_slot(&q)->cookie = round;
		asked += !!q.shadow->need_doorbell;
		ht_rawq_ring(t, &q);
		ht_rawq_wait(t, &q, &c);
		HT_EQ(t, "status", HSL_CQE_CODE(c.status), HSL_ST_OK);
		HT_EQ(t, "cookie", c.cookie, round);
	}
	ht_note(t, "%u of %u times the chip wanted a doorbell", asked, ROUNDS);
	ht_rawq_free(&q);
	close(fd);
}

static void wait_error(struct ht *t, struct ht_rawq *q, const char *what)
{
	struct ht_limit limit = ht_limit(HT_OP_LIMIT_S);
	struct hsl_queue_kick k = { .size = sizeof(k), .sq_tail = 5 };
	uint32_t state, error = 0;

	do {
		/* the chip may have gone to sleep, and the test scribbles over what it says */
		if (q->sim)
			ht_rawq_doorbell(t, q, HSL_DB_SQ_TAIL, k.sq_tail, 4);
		else
			(void)ht_ioctl(q->fd, HSL_IOC_QUEUE_KICK, &k);
		state = ht_rawq_state(t, q, &error);
		HT_TRUE(t, !ht_limit_over(&limit), "%s: the queue is still in state %u", what, state);
		usleep(1000);
	} while (state == HSL_QUEUE_READY);
	HT_EQ(t, "error of the queue", error, HSL_ST_OVERFLOW);
}

static void wrong_tails(struct ht *t)
{
	static const uint32_t add[] = { 17, 1000, 0x80000000u, 0xffffffffu };
	struct hsl_queue *other = ht_queue_new(t, t->chip[0].node, 0);
	int fd = ht_raw_open(t);
	struct ht_rawq q;
	struct hsl_cqe c;
	unsigned int i;

	for (i = 0; i < 16; i++) {
		ht_rawq_new_shadow(t, &q, fd, &t->chip[0], 16);
		ht_rawq_slot(&q);
		ht_rawq_ring(t, &q);
		ht_rawq_wait(t, &q, &c);
		/* the flag is the chip's to write: whatever else is in it harms nobody but this queue */
		__atomic_store_n(&q.shadow->need_doorbell, i / 4, __ATOMIC_SEQ_CST);
		pause_somewhere(t);
		ht_step(t, "a tail of %#x", q.tail + add[i % 4]);
		__atomic_store_n(&q.shadow->tail, q.tail + add[i % 4], __ATOMIC_SEQ_CST);
		wait_error(t, &q, "a wrong tail");
		HT_OK(t, hsl_nop(other));
		ht_rawq_free(&q);
	}
	ht_queue_free(t, other);
	close(fd);
}

const struct ht_test ht_tests_shadow[] = {
	{ "HEP-QUE-020", "shadow_wakeups", "no command is left behind when the chip stops looking",
	  wakeups, 0, 120 },
	{ "HEP-QUE-020", "shadow_raw", "a doorbell is needed only when the chip asks for it",
	  raw_wakeups, HT_F_RAW, 120 },
	{ "HEP-QUE-021", "shadow_wrong_tails", "a tail in memory that is wrong is OVERFLOW",
	  wrong_tails, HT_F_RAW, 0 },
	{ 0 }
};
