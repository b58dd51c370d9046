// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Queues that wait, and what ends or orders commands besides their own work: WAIT and SIGNAL, timeouts, abort, chains,
 * completions that are not written, interrupts that are held back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine_rig.c"

#define MEM	(1ull << 20)
#define RW	(HSL_SEG_READ | HSL_SEG_WRITE)
#define DB(q)	(HSL_DB_OFFSET_DEFAULT + (q) * HSL_DB_STRIDE_DEFAULT)
#define OK(e)	assert_int_equal(HSL_CQE_CODE((e).status), HSL_ST_OK)
#define IS(e, s)	assert_int_equal(HSL_CQE_CODE((e).status), (s))
#define GA(n, off)	HSL_GA(n, 4096 + (off))

struct world {
	struct fake_fabric *f;
	struct fake_queue q[3];		/* of node 1, 2: queue 1 */
};

/* Two chips, one context on both with a segment of each chip's memory. */
static struct world *world_new(unsigned int workers)
{
	struct world *w = calloc(1, sizeof(*w));

	w->f = fake_new(2, HSL_TOPO_PAIR, workers, MEM);
	fake_ctx_all(w->f, 1);
	for (uint32_t n = 1; n <= 2; n++)
		fake_seg_chip(w->f, 1, n, n, 4096, MEM - 8192, RW);
	for (uint32_t n = 1; n <= 2; n++)
		assert_int_equal(fake_queue_new(&w->q[n], &w->f->chip[n], 1, 1, 64, n), HSL_ST_OK);
	return w;
}

static void world_free(struct world *w)
{
	fake_free(w->f);
	free(w);
}

static uint64_t *word(struct world *w, uint32_t node, uint64_t off)
{
	return (uint64_t *)(void *)(w->f->chip[node].mem + 4096 + off);
}

static void put(struct world *w, uint32_t node, uint64_t off, uint64_t v)
{
	__atomic_store_n(word(w, node, off), v, __ATOMIC_SEQ_CST);
}

static struct hsl_desc wait_for(uint64_t ga, uint8_t cond, uint64_t value, uint64_t timeout_ns)
{
	return (struct hsl_desc){ .opcode = HSL_OP_WAIT, .subop = cond, .src = ga, .len = 8, .arg0 = value,
				  .arg1 = timeout_ns };
}

static struct hsl_desc signal_of(uint64_t ga, uint8_t op, uint64_t value)
{
	return (struct hsl_desc){ .opcode = HSL_OP_SIGNAL, .subop = op, .dst = ga, .len = 8, .arg0 = value };
}

static void start(struct fake_queue *q, struct hsl_desc d)
{
	fake_submit(q, &d);
	fake_doorbell(q);
}

static const struct hsl_desc nop = { .opcode = HSL_OP_NOP };

/* COPY moves bytes, and a WAIT looks while it does: that is what software asked for, and a data race to the sanitizer. */
#ifdef __SANITIZE_THREAD__
#define HOWS	3u
#else
#define HOWS	4u
#endif

/* HEP-TXN-022: each condition, true at once, by a plain store, by SIGNAL of another chip, by COPY. */
static void conditions(void **state)
{
	static const struct { uint8_t cond; uint64_t arg, no, yes; } cases[] = {
		{ HSL_WAIT_EQ, 5, 4, 5 }, { HSL_WAIT_NE, 5, 5, 6 }, { HSL_WAIT_LT, 5, 5, 4 }, { HSL_WAIT_LE, 5, 6, 5 },
		{ HSL_WAIT_GT, 5, 5, UINT64_MAX }, { HSL_WAIT_GE, 1ull << 63, (1ull << 63) - 1, 1ull << 63 },
	};
	struct world *w = world_new(2);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (unsigned int how = 0; how < HOWS; how++) {
			struct hsl_cqe e;

			put(w, 2, 64, how ? cases[i].no : cases[i].yes);
			put(w, 2, 128, cases[i].yes);
			start(&w->q[1], wait_for(GA(2, 64), cases[i].cond, cases[i].arg, 0));
			start(&w->q[1], nop);
			if (how) {
				usleep(200);
				assert_false(fake_poll(&w->q[1], &e));
			}
			if (how == 1)
				put(w, 2, 64, cases[i].yes);
			else if (how == 2)
				OK(fake_run(&w->q[2], &(struct hsl_desc){ .opcode = HSL_OP_SIGNAL, .dst = GA(2, 64),
					    .len = 8, .arg0 = cases[i].yes }));
			else if (how == 3)
				OK(fake_copy(&w->q[2], GA(2, 64), GA(2, 128), 8));
			e = fake_wait(&w->q[1]);
			OK(e);
			assert_int_equal(e.result, cases[i].yes);
			OK(fake_wait(&w->q[1]));
		}
	}
	world_free(w);
}

/* HEP-TXN-023 */
static void timeouts(void **state)
{
	struct world *w = world_new(2);
	struct hsl_desc d = wait_for(GA(1, 0), HSL_WAIT_EQ, 1, 1);
	struct hsl_cqe e;

	(void)state;
	put(w, 1, 0, 77);
	for (unsigned int i = 0; i < 50; i++) {
		d.arg1 = 1 + i * 20000;
		e = fake_run(&w->q[1], &d);
		IS(e, HSL_ST_TIMEOUT);
		assert_int_equal(e.result, 77);
		assert_int_equal(e.fault_ga, 0);
	}
	/* a timeout that does not come, however large */
	d.arg1 = UINT64_MAX;
	start(&w->q[1], d);
	usleep(2000);
	assert_false(fake_poll(&w->q[1], &e));
	put(w, 1, 0, 1);
	OK(fake_wait(&w->q[1]));
	assert_false(fake_poll(&w->q[1], &e));
	/* many at once, each once, while another queue works */
	for (uint32_t i = 2; i < FAKE_QUEUES; i++) {
		struct fake_queue q;

		assert_int_equal(fake_queue_new(&q, &w->f->chip[1], i, 1, 8, 1), HSL_ST_OK);
		start(&q, wait_for(GA(1, 0), HSL_WAIT_EQ, 2, 3000000 - i * 300000));
		OK(fake_run(&w->q[1], &nop));
		IS(fake_wait(&q), HSL_ST_TIMEOUT);
	}
	world_free(w);
}

/* HEP-TXN-024, HEP-MAP-011: the invalidation completes after the WAIT. */
static void revoked(void **state)
{
	struct world *w = world_new(3);
	struct hsl_seg_entry none = { 0 };
	struct hsl_cqe e;

	(void)state;
	for (unsigned int i = 0; i < 300; i++) {
		put(w, 1, 0, 0);
		start(&w->q[1], wait_for(GA(1, 0), HSL_WAIT_NE, 0, 0));
		start(&w->q[1], nop);
		if (i % 3)
			usleep(i % 3 == 1 ? 1 : 300);
		if (i % 2) {
			fake_seg(&w->f->chip[1], 1, 1, &none, false);
		} else {
			/* another segment's: the WAIT stays */
			fake_seg(&w->f->chip[1], 1, 2, &none, false);
			fake_seg_chip(w->f, 1, 2, 2, 4096, MEM - 8192, RW);
			assert_false(fake_poll(&w->q[1], &e));
			fake_ctx(&w->f->chip[1], 1, 0);
		}
		/* no waiting: it is there. SEGMENT or CONTEXT if it had not begun, and then it may begin later still */
		if (!fake_poll(&w->q[1], &e)) {
			e = fake_wait(&w->q[1]);
			assert_int_not_equal(HSL_CQE_CODE(e.status), HSL_ST_REVOKED);
		}
		if (HSL_CQE_CODE(e.status) != HSL_ST_SEGMENT && HSL_CQE_CODE(e.status) != HSL_ST_CONTEXT) {
			IS(e, HSL_ST_REVOKED);
			assert_int_equal(e.fault_ga, GA(1, 0));
		}
		OK(fake_wait(&w->q[1]));
		fake_ctx_all(w->f, 1);
		fake_seg_chip(w->f, 1, 1, 1, 4096, MEM - 8192, RW);
	}
	world_free(w);
}

/* HEP-TXN-024, HEP-QUE-018, -008, -005: what else ends a WAIT */
static void ended(void **state)
{
	struct world *w = world_new(2);
	struct fake_chip *c = &w->f->chip[1];
	struct hsl_cqe e;

	(void)state;
	for (unsigned int i = 0; i < 100; i++) {
		start(&w->q[1], wait_for(GA(2, 0), HSL_WAIT_NE, 0, 0));
		for (unsigned int n = 0; n < 5; n++)
			start(&w->q[1], nop);
		if (i % 2)
			usleep(200);
		assert_int_equal(fake_admin(c, (struct hsl_desc){ .opcode = HSL_OP_QUEUE_ABORT, .arg0 = 1 }), HSL_ST_OK);
		for (unsigned int n = 0; n < 6; n++) {
			assert_true(fake_poll(&w->q[1], &e));
			IS(e, HSL_ST_ABORTED);
		}
		assert_false(fake_poll(&w->q[1], &e));
		OK(fake_run(&w->q[1], &nop));
	}
	assert_int_equal(fake_admin(c, (struct hsl_desc){ .opcode = HSL_OP_QUEUE_ABORT, .arg0 = 5 }), HSL_ST_QUEUE);
	assert_int_equal(fake_admin(c, (struct hsl_desc){ .opcode = HSL_OP_QUEUE_ABORT }), HSL_ST_QUEUE);

	/* a wrong doorbell behind a parked WAIT */
	start(&w->q[1], wait_for(GA(2, 0), HSL_WAIT_NE, 0, 0));
	usleep(500);
	fake_write32(c, DB(1), w->q[1].tail + 100);
	IS(fake_wait(&w->q[1]), HSL_ST_ABORTED);
	while (fake_read32(c, DB(1) + HSL_DB_STATE) == HSL_QUEUE_READY)
		sched_yield();
	assert_int_equal(fake_admin(c, (struct hsl_desc){ .opcode = HSL_OP_QUEUE_DESTROY, .arg0 = 1 }), HSL_ST_OK);

	/* destroyed; and a home that goes: the next look finds it */
	assert_int_equal(fake_queue_new(&w->q[1], c, 1, 1, 64, 1), HSL_ST_OK);
	start(&w->q[1], wait_for(GA(2, 0), HSL_WAIT_NE, 0, 0));
	usleep(500);
	assert_int_equal(fake_admin(c, (struct hsl_desc){ .opcode = HSL_OP_QUEUE_DESTROY, .arg0 = 1 }), HSL_ST_OK);
	assert_true(fake_poll(&w->q[1], &e));
	IS(e, HSL_ST_ABORTED);
	assert_int_equal(fake_queue_new(&w->q[1], c, 1, 1, 64, 1), HSL_ST_OK);
	start(&w->q[1], wait_for(GA(2, 0), HSL_WAIT_NE, 0, 0));
	usleep(500);
	hsl_chip_reset(w->f->chip[2].e);
	e = fake_wait(&w->q[1]);
	assert_true(HSL_CQE_CODE(e.status) == HSL_ST_REVOKED || HSL_CQE_CODE(e.status) == HSL_ST_UNREACHABLE);

	/* a chip that resets forgets its parked queues */
	start(&w->q[1], wait_for(GA(1, 0), HSL_WAIT_NE, 0, 0));
	usleep(500);
	hsl_chip_reset(c->e);
	usleep(2000);
	assert_false(fake_poll(&w->q[1], &e));
	world_free(w);
}

/* HEP-TXN-025, HEP-QUE-015: two queues take turns without the CPU; parked ones do not hold up others. */
static void ping_pong(void **state)
{
	enum { ROUNDS = 20000 };
	struct world *w = world_new(2);
	uint64_t sent = 0, seen = 0;

	(void)state;
	for (uint32_t i = 3; i < FAKE_QUEUES; i++) {
		struct fake_queue q;

		assert_int_equal(fake_queue_new(&q, &w->f->chip[1], i, 1, 8, 1), HSL_ST_OK);
		start(&q, wait_for(GA(1, 512), HSL_WAIT_NE, 0, 0));
	}
	while (seen < 2 * ROUNDS) {
		struct hsl_cqe e;

		/* queue 1: wait for i on chip 1, signal i + 1 on chip 2; queue 2 the other way round */
		while (sent < ROUNDS && sent < seen / 2 + 16) {
			for (uint32_t n = 1; n <= 2; n++) {
				start(&w->q[n], wait_for(GA(n, 0), HSL_WAIT_GE, n == 1 ? sent : sent + 1, 0));
				start(&w->q[n], signal_of(GA(3 - n, 0), HSL_SIGNAL_SET, sent + 1));
			}
			sent++;
		}
		for (uint32_t n = 1; n <= 2; n++) {
			while (fake_poll(&w->q[n], &e)) {
				OK(e);
				seen += e.sq_head % 2 == 0;
			}
		}
	}
	assert_int_equal(*word(w, 1, 0), ROUNDS);
	assert_int_equal(*word(w, 2, 0), ROUNDS);
	world_free(w);
}

/* The wake-up comes at any time between the look and the parking; nothing else would wake it for a long time. */
static void no_wake_up_lost(void **state)
{
	struct world *w = world_new(3);
	uint32_t seed = 1;

	(void)state;
	for (uint64_t i = 1; i <= 5000; i++) {
		start(&w->q[1], wait_for(GA(1, 0), HSL_WAIT_GE, i, 0));
		for (uint32_t n = fake_random(&seed) % 300; n; n--)
			__asm__ volatile("" ::: "memory");
		OK(fake_run(&w->q[2], &(struct hsl_desc){ .opcode = HSL_OP_ATOMIC, .dst = GA(1, 0), .len = 8, .arg0 = 1 }));
		OK(fake_wait(&w->q[1]));
	}
	world_free(w);
}

/* HEP-QUE-016 */
static void no_completion(void **state)
{
	struct world *w = world_new(2);
	struct hsl_desc d = signal_of(GA(1, 0), HSL_SIGNAL_ADD, 1), bad = signal_of(8, HSL_SIGNAL_ADD, 1);
	struct hsl_cqe e;

	(void)state;
	d.flags = bad.flags = HSL_DF_NO_CQE;
	for (unsigned int i = 0; i < 1000; i++) {
		unsigned int quiet = 1 + i % 60;

		for (unsigned int n = 0; n < quiet; n++)
			fake_submit(&w->q[1], &d);
		bad.cookie = i;
		fake_submit(&w->q[1], &bad);
		fake_submit(&w->q[1], &(struct hsl_desc){ .opcode = HSL_OP_FENCE, .cookie = 1000 + i });
		fake_doorbell(&w->q[1]);
		e = fake_wait(&w->q[1]);
		IS(e, HSL_ST_SEGMENT);
		assert_int_equal(e.cookie, i);
		e = fake_wait(&w->q[1]);
		OK(e);
		assert_int_equal(e.cookie, 1000 + i);
		assert_int_equal(e.sq_head, w->q[1].tail & 0xffff);
		assert_false(fake_poll(&w->q[1], &e));
	}
	world_free(w);
}

/* HEP-QUE-017 */
static void chains(void **state)
{
	struct world *w = world_new(2);
	struct hsl_desc add = signal_of(GA(1, 0), HSL_SIGNAL_ADD, 1), bad = signal_of(8, HSL_SIGNAL_ADD, 1);
	struct hsl_desc add_link = add, bad_link = bad;

	(void)state;
	add_link.flags = bad_link.flags = HSL_DF_LINK;
	/* good, bad, not started, not started; then a chain of its own */
	for (unsigned int apart = 0; apart < 2; apart++) {
		const struct hsl_desc *d[] = { &add_link, &bad_link, &add_link, &add, &add, &add_link, &add };
		static const uint32_t want[] = { HSL_ST_OK, HSL_ST_SEGMENT, HSL_ST_ABORTED, HSL_ST_ABORTED, HSL_ST_OK,
						 HSL_ST_OK, HSL_ST_OK };

		put(w, 1, 0, 0);
		for (unsigned int i = 0; i < 7; i++) {
			struct hsl_cqe e;

			fake_submit(&w->q[1], d[i]);
			if (apart) {
				fake_doorbell(&w->q[1]);
				e = fake_wait(&w->q[1]);
				IS(e, want[i]);
			}
		}
		if (!apart) {
			fake_doorbell(&w->q[1]);
			for (unsigned int i = 0; i < 7; i++)
				IS(fake_wait(&w->q[1]), want[i]);
		}
		assert_int_equal(*word(w, 1, 0), 4);
	}
	/* the end of the chain has not come: an abort forgets that it failed */
	IS(fake_run(&w->q[1], &bad_link), HSL_ST_SEGMENT);
	assert_int_equal(fake_admin(&w->f->chip[1], (struct hsl_desc){ .opcode = HSL_OP_QUEUE_ABORT, .arg0 = 1 }),
			 HSL_ST_OK);
	OK(fake_run(&w->q[1], &add));
	/* what is not started writes its completion, NO_CQE or not */
	IS(fake_run(&w->q[1], &bad_link), HSL_ST_SEGMENT);
	add.flags = HSL_DF_NO_CQE;
	IS(fake_run(&w->q[1], &add), HSL_ST_ABORTED);
	world_free(w);
}

static void until_irq(struct fake_chip *c, unsigned int vector, unsigned int n)
{
	for (unsigned int i = 0; i < 60000 && atomic_load(&c->irq[vector]) != n; i++)
		usleep(1000);
	assert_int_equal(atomic_load(&c->irq[vector]), n);
}

/* HEP-QUE-019 */
static void moderation(void **state)
{
	struct world *w = world_new(2);
	struct fake_chip *c = &w->f->chip[1];
	unsigned int n = 0;

	(void)state;
	/* by count: the time is as long as it can be, so this must not wait for it */
	for (unsigned int i = 0; i < 50; i++) {
		fake_write32(c, DB(1) + HSL_DB_MODERATION, 4 | 0xffffu << 16);
		fake_write32(c, DB(1) + HSL_DB_CQ_ARM, w->q[1].head);
		for (unsigned int k = 0; k < 3; k++)
			OK(fake_run(&w->q[1], &nop));
		assert_in_range(atomic_load(&c->irq[1]), n, n + 1);	/* 65 ms may have passed */
		OK(fake_run(&w->q[1], &nop));
		until_irq(c, 1, ++n);
	}
	/* by time, also of completions that were there before the arming */
	for (unsigned int i = 0; i < 50; i++) {
		fake_write32(c, DB(1) + HSL_DB_MODERATION, 1000 | (1 + i * 10) << 16);
		if (i % 2)
			fake_write32(c, DB(1) + HSL_DB_CQ_ARM, w->q[1].head);
		OK(fake_run(&w->q[1], &nop));
		if (!(i % 2))
			fake_write32(c, DB(1) + HSL_DB_CQ_ARM, w->q[1].head - 1);
		until_irq(c, 1, ++n);
	}
	/* off: at once, as always; what was held back is not raised twice */
	fake_write32(c, DB(1) + HSL_DB_MODERATION, 0);
	fake_write32(c, DB(1) + HSL_DB_CQ_ARM, w->q[1].head);
	OK(fake_run(&w->q[1], &nop));
	until_irq(c, 1, ++n);
	usleep(70000);
	assert_int_equal(atomic_load(&c->irq[1]), n);
	/* the queue goes while an interrupt is held back */
	fake_write32(c, DB(1) + HSL_DB_MODERATION, 1000 | 20000u << 16);
	fake_write32(c, DB(1) + HSL_DB_CQ_ARM, w->q[1].head);
	OK(fake_run(&w->q[1], &nop));
	assert_int_equal(fake_admin(c, (struct hsl_desc){ .opcode = HSL_OP_QUEUE_DESTROY, .arg0 = 1 }), HSL_ST_OK);
	usleep(30000);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(conditions), cmocka_unit_test(timeouts), cmocka_unit_test(revoked),
		cmocka_unit_test(ended), cmocka_unit_test(ping_pong), cmocka_unit_test(no_wake_up_lost),
		cmocka_unit_test(no_completion), cmocka_unit_test(chains), cmocka_unit_test(moderation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
