// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Shadow tails (docs/hep.md section 5, HEP-QUE-020 to -022): no wake-up is lost, wrong tails, what
 * ends a queue on whose tail a worker lingers, and that nobody waits for that worker. Races are run
 * often, with pauses around the time that a worker spins; clean under ThreadSanitizer too.
 */
#include "fake_driver.h"

#ifdef __SANITIZE_THREAD__
#define SLOW 4
#else
#define SLOW 1
#endif

static const struct hsl_desc nop = { .opcode = HSL_OP_NOP };
/* until the first word of chip 1 is 1 */
static const struct hsl_desc wait_one = {
	.opcode = HSL_OP_WAIT, .subop = HSL_WAIT_EQ, .src = HSL_GA(1, 0), .len = 8, .arg0 = 1
};

static struct fab *fab_spinning(unsigned int spins, unsigned int workers)
{
	struct fab *f;

	fake_spins = spins;
	f = fab_ready(HSL_TOPO_PAIR, 2, workers);
	fake_spins = 100;
	return f;
}

static void pause_for(unsigned int spins)
{
	while (spins--)
		hsl_cpu_relax();
}

static bool needs_doorbell(const struct fq *q)
{
	return atomic_load((_Atomic uint32_t *)&q->shadow->need_doorbell);
}

/* Memory only: as by a process that never rings. */
static void tail_store(struct fq *q, uint32_t tail)
{
	atomic_store((_Atomic uint32_t *)&q->shadow->tail, tail);
}

/* Until a worker has let go of the queue: from now on it looks at nothing but the doorbell. */
static void wait_asleep(struct fq *q)
{
	for (unsigned int n = 0; !needs_doorbell(q); n++) {
		must(n < FAKE_WAIT_MS);
		usleep(1000);
	}
}

static void wait_error(struct fq *q)
{
	for (unsigned int n = 0; rd(q->c, db(q->qid, HSL_DB_STATE), 4) != HSL_QUEUE_ERROR; n++) {
		must(n < FAKE_WAIT_MS);
		usleep(1000);
	}
	must(rd(q->c, db(q->qid, HSL_DB_ERROR), 4) == HSL_ST_OVERFLOW);
}

/* HEP-QUE-020: commands come while the worker works, lingers, falls asleep, sleeps. */
static void no_wakeup_lost(void **state)
{
	const unsigned int rounds = 4000 / SLOW;

	(void)state;
	for (unsigned int workers = 1; workers <= 2; workers++) {
		struct fab *f = fab_spinning(2000, workers);
		unsigned int sent = 0;
		struct fq q;

		assert_int_equal(fq_create(&f->c[1], &q, 1, 16, 1), HSL_ST_OK);
		assert_true(needs_doorbell(&q));
		/* on a busy machine it may take long until one finds the worker looking */
		while (sent < rounds || q.bells == sent) {
			unsigned int n = 1 + rng_below(4);

			for (unsigned int i = 0; i < n; i++)
				fq_submit(&q, &(struct hsl_desc){ .cookie = sent + i });
			for (unsigned int i = 0; i < n; i++)
				assert_int_equal(fq_wait(&q).cookie, sent++);
			/* around the time for which a worker looks */
			pause_for(rng_below(rng_below(4) ? 50 : 10000));
		}
		print_message("# %u doorbells for %u commands\n", q.bells, sent);
		assert_true(q.bells);
		fab_free(f);
	}
}

/* Not in between two states. */
static bool idle(struct hsl_queue_engine *q)
{
	struct hsl_fabric_engine *f = q->chip->f;
	bool is;

	pthread_mutex_lock(&f->run_lock);
	is = q->sched == HSL_SCHED_IDLE;
	pthread_mutex_unlock(&f->run_lock);
	return is;
}

/* A tail that comes between a worker's last look and its flag is seen by the look after it. */
static void looks_once_more(void **state)
{
	struct fab *f = fab_ready(HSL_TOPO_PAIR, 2, 1);
	struct hsl_queue_engine *eq = &f->c[1].e->queue[1];
	struct fq q;

	(void)state;
	assert_int_equal(fq_create(&f->c[1], &q, 1, 16, 1), HSL_ST_OK);
	for (unsigned int i = 0; i < 3; i++) {
		assert_int_equal(code(fq_do(&q, nop)), HSL_ST_OK);
		/* in nobody's hands: in ours, as a worker that is about to let it go */
		while (!idle(eq))
			sched_yield();
		assert_true(hsl_queue_sleep(eq));
		q.sq[q.tail & 15] = nop;
		tail_store(&q, ++q.tail);
		assert_false(hsl_queue_sleep(eq));
		assert_true(needs_doorbell(&q));
		hsl_queue_ready(eq);
		assert_int_equal(code(fq_wait(&q)), HSL_ST_OK);
	}
	fab_free(f);
}

/* A queue asleep is woken by a doorbell of any value, and by nothing else. */
static void doorbell_looks(void **state)
{
	struct fab *f = fab_ready(HSL_TOPO_PAIR, 2, 1);
	struct hsl_cqe e = { 0 };
	struct fq q;

	(void)state;
	assert_int_equal(fq_create(&f->c[1], &q, 1, 16, 1), HSL_ST_OK);
	for (unsigned int i = 0; i < 20; i++) {
		wait_asleep(&q);
		q.sq[q.tail & 15] = (struct hsl_desc){ .cookie = i };
		/* a doorbell alone: the tail in memory has not moved */
		wr(q.c, db(1, HSL_DB_SQ_TAIL), q.tail + 1, 4);
		assert_false(fq_wait_ms(&q, &e, 1));
		wait_asleep(&q);
		tail_store(&q, ++q.tail);
		wr(q.c, db(1, HSL_DB_SQ_TAIL), i % 2 ? 0 : 100000, 4);
		assert_int_equal(fq_wait(&q).cookie, i);
	}
	assert_int_equal(rd(q.c, db(1, HSL_DB_STATE), 4), HSL_QUEUE_READY);
	fab_free(f);
}

/* HEP-QUE-021: too far ahead, backwards, the flag as the process likes it; others do not notice. */
static void wrong_tails(void **state)
{
	struct fab *f = fab_ready(HSL_TOPO_PAIR, 2, 1);
	struct fchip *c = &f->c[1];
	struct hsl_cqe e = { 0 };
	struct fq q, other;

	(void)state;
	assert_int_equal(fq_create(c, &other, 2, 16, 1), HSL_ST_OK);
	for (unsigned int i = 0; i < 200 / SLOW; i++) {
		static const uint32_t wrong[] = { 3 + 17, 2, 0, UINT32_MAX, 0x80000000 };

		assert_int_equal(fq_create(c, &q, 1, 16, 1), HSL_ST_OK);
		for (unsigned int k = 0; k < 3; k++)
			assert_int_equal(code(fq_do(&q, nop)), HSL_ST_OK);
		atomic_store((_Atomic uint32_t *)&q.shadow->need_doorbell, rng_below(3));
		pause_for(rng_below(300));
		tail_store(&q, wrong[i % 5]);
		wr(c, db(1, HSL_DB_SQ_TAIL), 3, 4);
		wait_error(&q);
		assert_int_equal(code(fq_do(&other, nop)), HSL_ST_OK);
		assert_int_equal(fq_destroy(&q), HSL_ST_OK);
		assert_false(fq_poll(&q, &e));		/* no completion of what nobody submitted */
	}
	fab_free(f);
}

/* A process that stores garbage into both words all the time ends its queue, at worst. */
static void *scribble_main(void *opaque)
{
	struct fq *q = opaque;
	uint64_t x = 88172645463325252ull;

	for (unsigned int i = 0; i < 20000; i++) {
		x ^= x << 13, x ^= x >> 7, x ^= x << 17;
		atomic_store((_Atomic uint32_t *)&q->shadow->need_doorbell, (uint32_t)(x >> 40));
		tail_store(q, x & 0xf000 ? (uint32_t)(x & 31) : (uint32_t)x);
		if (!(x & 0xf0000))
			wr(q->c, db(q->qid, HSL_DB_SQ_TAIL), (uint32_t)x, 4);
	}
	return NULL;
}

static void scribbled(void **state)
{
	struct fab *f = fab_ready(HSL_TOPO_PAIR, 2, 2);
	struct fq q, other;

	(void)state;
	assert_int_equal(fq_create(&f->c[1], &other, 2, 16, 1), HSL_ST_OK);
	for (unsigned int i = 0; i < 12 / SLOW; i++) {
		pthread_t t;

		assert_int_equal(fq_create(&f->c[1], &q, 1, 16, 1), HSL_ST_OK);
		must(!pthread_create(&t, NULL, scribble_main, &q));
		for (unsigned int k = 0; k < 50; k++)
			assert_int_equal(code(fq_do(&other, fill_of(HSL_GA(2, 0), 64, k))), HSL_ST_OK);
		if (i & 1)
			assert_int_equal(fq_destroy(&q), HSL_ST_OK);
		must(!pthread_join(t, NULL));
		if (!(i & 1))
			assert_int_equal(fq_destroy(&q), HSL_ST_OK);
	}
	fab_free(f);
}

/* HEP-QUE-022 */
static void refused(void **state)
{
	struct fab *f = fab_ready(HSL_TOPO_PAIR, 2, 1);
	struct fchip *c = &f->c[1];
	struct hsl_desc d;
	struct fq q;

	(void)state;
	fq_rings(c, &q, 1, 16);
	d = create_of(&q, 1, 1);
	d.len += 64;
	assert_int_equal(code(fq_do(&c->admin, d)), HSL_ST_ALIGN);
	d.len = (uint64_t)c->node << 44 | 0xfffffull << 24;
	assert_int_equal(code(fq_do(&c->admin, d)), HSL_ST_DMA);
	c->e->cap &= ~HSL_CAP_SHADOW_TAIL;
	assert_int_equal(code(fq_do(&c->admin, create_of(&q, 1, 1))), HSL_ST_FIELD);
	c->e->cap |= HSL_CAP_SHADOW_TAIL;
	assert_int_equal(code(fq_do(&c->admin, create_of(&q, 1, 1))), HSL_ST_OK);
	assert_int_equal(code(fq_do(&q, nop)), HSL_ST_OK);
	assert_int_equal(fq_destroy(&q), HSL_ST_OK);
	/* made again without one: nothing of the old one counts */
	fq_again(&q);
	q.shadow = NULL;
	assert_int_equal(code(fq_do(&c->admin, create_of(&q, 1, 1))), HSL_ST_OK);
	assert_int_equal(code(fq_do(&q, nop)), HSL_ST_OK);
	fab_free(f);
}

/*
 * What takes a queue away while a worker lingers on its tail: its memory is the host's when that
 * returns. If the worker were waited for this would last for ever, as its time here has no end.
 */
static void ends_while_lingering(void **state)
{
	struct fab *f = fab_spinning(UINT32_MAX, 1);
	struct fchip *c = &f->c[1];
	struct fq q, other;

	(void)state;
	for (unsigned int i = 0; i < 60 / SLOW; i++) {
		assert_int_equal(fq_create(c, &q, 1, 16, 1), HSL_ST_OK);
		assert_int_equal(code(fq_do(&q, nop)), HSL_ST_OK);
		assert_false(needs_doorbell(&q));
		switch (i % 6) {
		case 0:
			assert_int_equal(fq_destroy(&q), HSL_ST_OK);
			break;
		case 1:
			hsl_chip_reset(c->e);
			break;
		case 2:
			hsl_chip_detach(c->e);
			hsl_chip_engine_free(c->e);
			chip_attach(c);
			break;
		case 3:
			/* the only worker leaves for others, and comes back */
			assert_int_equal(seg_invalidate(c, 1, 1), HSL_ST_OK);
			assert_int_equal(fq_create(c, &other, 2, 16, 1), HSL_ST_OK);
			assert_int_equal(code(fq_do(&other, nop)), HSL_ST_OK);
			assert_int_equal(code(fq_do(&q, nop)), HSL_ST_OK);
			hsl_chip_reset(c->e);
			break;
		case 4:
			hsl_chip_set_dma(c->e, false);
			/* no DMA, so no look: this one waits */
			q.sq[q.tail & 15] = nop;
			tail_store(&q, ++q.tail);
			pause_for(1000);
			assert_int_equal(q.cq[1].status, 0);
			hsl_chip_set_dma(c->e, true);
			assert_int_equal(code(fq_wait(&q)), HSL_ST_OK);
			hsl_chip_reset(c->e);
			break;
		default:
			q.sq[q.tail & 15] = nop;
			tail_store(&q, ++q.tail);
			assert_int_equal(admin(c, HSL_OP_QUEUE_ABORT, 1, 0), HSL_ST_OK);
			/* done before or aborted, but by now it has been told */
			assert_true(1u << code(fq_wait(&q)) & (1u << HSL_ST_OK | 1u << HSL_ST_ABORTED));
			assert_int_equal(code(fq_do(&q, nop)), HSL_ST_OK);
			hsl_chip_reset(c->e);
		}
		memset(q.shadowb->host, 0x77, q.shadowb->bytes);
		memset(q.cqb->host, 0x77, q.cqb->bytes);
		if (i % 6)
			chip_up(c);
	}
	fab_free(f);
}

/* HEP-QUE-018, HEP-QUE-008: what only the tail in memory tells of is submitted too. */
static void abort_sees_tail(void **state)
{
	struct fab *f = fab_ready(HSL_TOPO_PAIR, 2, 1);
	struct fchip *c = &f->c[1];
	struct hsl_cqe e = { 0 };
	struct fq q;

	(void)state;
	for (unsigned int i = 0; i < 40; i++) {
		assert_int_equal(fq_create(c, &q, 1, 16, 1), HSL_ST_OK);
		fq_submit(&q, &wait_one);
		/* parked: nobody looks at the tail, and nobody needs to ring */
		while (atomic_load(&c->e->queue[1].sched) != HSL_SCHED_PARKED)
			sched_yield();
		assert_false(needs_doorbell(&q));
		for (unsigned int k = 1; k < 4; k++) {
			q.sq[k] = (struct hsl_desc){ .cookie = k };
			tail_store(&q, ++q.tail);
		}
		assert_int_equal(i & 1 ? fq_destroy(&q) : admin(c, HSL_OP_QUEUE_ABORT, 1, 0), HSL_ST_OK);
		for (unsigned int k = 0; k < 4; k++) {
			assert_true(fq_poll(&q, &e));
			assert_int_equal(code(e), HSL_ST_ABORTED);
			assert_int_equal(e.cookie, k);
		}
		if (!(i & 1)) {
			assert_int_equal(code(fq_do(&q, nop)), HSL_ST_OK);
			assert_int_equal(fq_destroy(&q), HSL_ST_OK);
		}
	}
	fab_free(f);
}

/* Behind a WAIT: commands that came by the tail alone run when it is over; a wrong tail ends it. */
static void behind_a_wait(void **state)
{
	struct fab *f = fab_ready(HSL_TOPO_PAIR, 2, 1);
	struct fchip *c = &f->c[1];
	struct fq q;

	(void)state;
	for (unsigned int i = 0; i < 20; i++) {
		__atomic_store_n((uint64_t *)(void *)c->mem, 0, __ATOMIC_SEQ_CST);
		assert_int_equal(fq_create(c, &q, 1, 16, 1), HSL_ST_OK);
		fq_submit(&q, &wait_one);
		while (atomic_load(&c->e->queue[1].sched) != HSL_SCHED_PARKED)
			sched_yield();
		if (i & 1) {
			tail_store(&q, 100);
			wait_error(&q);
			assert_int_equal(code(fq_wait(&q)), HSL_ST_ABORTED);
		} else {
			fq_submit(&q, &(struct hsl_desc){ .cookie = 7 });
			assert_int_equal(q.bells, 1);
			__atomic_store_n((uint64_t *)(void *)c->mem, 1, __ATOMIC_SEQ_CST);
			assert_int_equal(code(fq_wait(&q)), HSL_ST_OK);
			assert_int_equal(fq_wait(&q).cookie, 7);
		}
		assert_int_equal(fq_destroy(&q), HSL_ST_OK);
	}
	fab_free(f);
}

/* HEP-QUE-011: one worker and a queue that always has a next command keep nobody waiting. */
struct feeder {
	struct fq *q;
	_Atomic bool stop;
};

static void *feed_main(void *opaque)
{
	struct feeder *a = opaque;

	while (!atomic_load(&a->stop)) {
		struct hsl_cqe e;

		while (a->q->tail - a->q->head < 8)
			fq_submit(a->q, &nop);
		while (fq_poll(a->q, &e))
			must(code(e) == HSL_ST_OK);
	}
	return NULL;
}

static void feeds_others(void **state)
{
	struct fab *f = fab_spinning(UINT32_MAX, 1);
	struct feeder a = { 0 };
	struct fq q, other;
	pthread_t t;

	(void)state;
	assert_int_equal(fq_create(&f->c[1], &q, 1, 16, 1), HSL_ST_OK);
	assert_int_equal(fq_create(&f->c[2], &other, 1, 16, 1), HSL_ST_OK);
	a.q = &q;
	must(!pthread_create(&t, NULL, feed_main, &a));
	for (unsigned int i = 0; i < 200 / SLOW; i++) {
		assert_int_equal(code(fq_do(&other, nop)), HSL_ST_OK);
		assert_int_equal(admin(&f->c[2], HSL_OP_NOP, 0, 0), HSL_ST_OK);
	}
	atomic_store(&a.stop, true);
	must(!pthread_join(t, NULL));
	fab_free(f);
}

static int setup(void **state)
{
	(void)state;
	fake_shadow = true;
	rng_seed();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_wakeup_lost),
		cmocka_unit_test(looks_once_more),
		cmocka_unit_test(doorbell_looks),
		cmocka_unit_test(wrong_tails),
		cmocka_unit_test(scribbled),
		cmocka_unit_test(refused),
		cmocka_unit_test(ends_while_lingering),
		cmocka_unit_test(abort_sees_tail),
		cmocka_unit_test(behind_a_wait),
		cmocka_unit_test(feeds_others),
	};

	return cmocka_run_group_tests_name("engine-shadow", tests, setup, NULL);
}
