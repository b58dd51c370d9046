// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * What the engine promises while things happen at once: invalidation under a running copy, queues destroyed, chips
 * reset, detached and stopped under traffic of others, wake-ups, fairness. Clean under ThreadSanitizer too.
 *
 * Data that a command moves is looked at only when it has completed or its invalidation has.
 */
#include "fake_driver.h"

#ifdef __SANITIZE_THREAD__
#define SLOW 4
#else
#define SLOW 1
#endif

#define TARGET	HSL_GA(2, 0)

static void nap(unsigned int us)
{
	usleep(rng_below(us));
}

/*
 * HEP-MAP-010, -011: when the invalidation is complete no byte of the segment moves any more, and the command has
 * completed once, with OK or REVOKED. The requester's, the home's and the context's entries in turn, FILL and COPY.
 */
static void revoke_running(void **state)
{
	struct fab *f = fab_ready(HSL_TOPO_PAIR, 2, 2);
	struct fchip *c = &f->c[1], *h = &f->c[2], *at;
	unsigned int revoked = 0;
	struct hsl_cqe e = { 0 };
	struct fq q;

	(void)state;
	assert_int_equal(fq_create(c, &q, 1, 16, 1), HSL_ST_OK);
	for (unsigned int i = 0; i < 80 / SLOW; i++) {
		uint64_t len = FAKE_MAX_LEN;
		uint8_t *mine = h->mem;

		for (unsigned int n = 0; n < 4; n++)
			fq_submit(&q, &(struct hsl_desc){
				.opcode = i & 1 ? HSL_OP_COPY : HSL_OP_FILL, .cookie = n, .dst = TARGET,
				.src = i & 1 ? HSL_GA(1, 0) : 0, .len = len, .arg0 = i & 1 ? 0 : i });
		nap(300);
		at = i & 2 ? h : c;
		if (i & 4) {
			at->ctx[1].flags = 0;
			assert_int_equal(ctx_invalidate(at, 1), HSL_ST_OK);
		} else {
			at->leaf[1][2].flags = 0;
			assert_int_equal(seg_invalidate(at, 1, 2), HSL_ST_OK);
		}
		/* ours now: a store of the engine would be seen, by us or as a data race */
		memset(mine, 0xc3, len);
		for (unsigned int n = 0; n < 4; n++) {
			uint32_t lost = at == h ? HSL_ST_DENIED : i & 4 ? HSL_ST_CONTEXT : HSL_ST_SEGMENT;

			e = fq_wait(&q);
			assert_int_equal(e.cookie, n);
			if (code(e) == HSL_ST_REVOKED) {
				revoked++;
				/* a context that goes between the look-ups of dst and src is missed at src first */
				if (!(at == c && i & 4 && i & 1 && e.fault_ga == HSL_GA(1, 0)))
					assert_int_equal(e.fault_ga, TARGET);
				assert_true(e.result < len);
			} else if (code(e) == HSL_ST_OK) {
				assert_int_equal(e.result, len);
			} else {
				assert_int_equal(code(e), lost);
				assert_int_equal(e.result, 0);
			}
		}
		for (uint64_t n = 0; n < len; n++)
			if (mine[n] != 0xc3)
				fail_msg("byte %" PRIu64 " written after the invalidation", n);
		at->ctx[1].flags = HSL_CTX_VALID;
		at->leaf[1][2].flags = RW;
		assert_int_equal(ctx_invalidate(at, 1), HSL_ST_OK);
		assert_int_equal(code(fq_do(&q, (struct hsl_desc){ .opcode = HSL_OP_FILL, .dst = TARGET, .len = 1 })), 0);
	}
	print_message("# %u commands revoked while running\n", revoked);
	fab_free(f);
}

/*
 * The same, held in the middle of the first chunk: the invalidation does not complete before the chunk, and the next
 * chunk finds another entry, as good as the old one, and is not for it.
 */
static _Atomic bool chunk_reached, chunk_open;

static void chunk_written(void *opaque, uint64_t off, uint64_t len)
{
	(void)opaque;
	(void)off;
	(void)len;
	atomic_store(&chunk_reached, true);
	while (!atomic_load(&chunk_open))
		sched_yield();
}

static void revoke_between_chunks(void **state)
{
	struct fab *f = fab_ready(HSL_TOPO_PAIR, 2, 2);
	struct fchip *c = &f->c[1];
	struct hsl_chip_ops ops = fake_ops;
	struct hsl_desc d = fill_of(HSL_GA(1, 0), 4 * HSL_CHUNK_BYTES, 1);
	struct hsl_seg_array *old;
	struct hsl_cqe e = { 0 };
	struct fq q;

	(void)state;
	assert_int_equal(fq_create(c, &q, 1, 16, 1), HSL_ST_OK);
	ops.mem_written = chunk_written;
	hsl_synchronize(f->e);
	c->e->cfg.ops = &ops;
	old = atomic_load(&atomic_load(&c->e->ctx[1])->segs);
	fq_submit(&q, &d);
	while (!atomic_load(&chunk_reached))
		sched_yield();
	c->leaf[1][1].len -= 8;			/* another entry; the command still fits in it */
	fq_submit(&c->admin, &(struct hsl_desc){ .opcode = HSL_OP_SEG_INVALIDATE, .arg0 = 1, .arg1 = 1 });
	while (atomic_load(&atomic_load(&c->e->ctx[1])->segs) == old)
		sched_yield();
	usleep(20000);
	assert_false(fq_poll(&c->admin, &e));
	atomic_store(&chunk_open, true);
	assert_int_equal(code(fq_wait(&c->admin)), HSL_ST_OK);
	e = fq_wait(&q);
	assert_int_equal(code(e), HSL_ST_REVOKED);
	assert_int_equal(e.result, HSL_CHUNK_BYTES);
	assert_int_equal(e.fault_ga, HSL_GA(1, 0));
	assert_int_equal(code(fq_do(&q, d)), HSL_ST_OK);
	fab_free(f);
}

/* An equal entry, invalidated over and over, disturbs nobody. */
static void invalidate_equal(void **state)
{
	struct fab *f = fab_ready(HSL_TOPO_PAIR, 2, 2);
	struct fq q;

	(void)state;
	assert_int_equal(fq_create(&f->c[1], &q, 1, 16, 1), HSL_ST_OK);
	for (unsigned int i = 0; i < 200 / SLOW; i++) {
		struct hsl_desc d = fill_of(TARGET, FAKE_MAX_LEN, i);

		fq_submit(&q, &d);
		for (unsigned int n = 0; n < 3; n++) {
			assert_int_equal(seg_invalidate(&f->c[1], 1, 2), HSL_ST_OK);
			assert_int_equal(seg_invalidate(&f->c[2], 1, 2), HSL_ST_OK);
		}
		assert_int_equal(code(fq_wait(&q)), HSL_ST_OK);
	}
	fab_free(f);
}

/* HEP-QUE-008: everything submitted completes once; after QUEUE_DESTROY the rings are the driver's. */
static void destroy_running(void **state)
{
	struct fab *f = fab_ready(HSL_TOPO_PAIR, 2, 2);
	unsigned int ok = 0, aborted = 0;
	struct hsl_cqe e = { 0 };

	(void)state;
	for (unsigned int i = 0; i < 100 / SLOW; i++) {
		struct fq q;

		assert_int_equal(fq_create(&f->c[1], &q, 1 + i % 7, 16, 1), HSL_ST_OK);
		for (unsigned int n = 0; n < 16; n++)
			fq_submit(&q, &(struct hsl_desc){ .opcode = HSL_OP_FILL, .cookie = n, .dst = TARGET,
				.len = 200000, .arg0 = n });
		nap(500);
		assert_int_equal(fq_destroy(&q), HSL_ST_OK);
		for (unsigned int n = 0; n < 16; n++) {
			assert_true(fq_poll(&q, &e));
			assert_int_equal(e.cookie, n);
			assert_true(code(e) == HSL_ST_OK || code(e) == HSL_ST_ABORTED);
			assert_true(!aborted || i || code(e) == HSL_ST_ABORTED);
			ok += code(e) == HSL_ST_OK;
			aborted += code(e) == HSL_ST_ABORTED;
		}
		assert_false(fq_poll(&q, &e));
		memset(q.cq, 0x77, 16 * sizeof(*q.cq));
		memset(q.sq, 0x77, 16 * sizeof(*q.sq));
	}
	print_message("# %u done, %u aborted\n", ok, aborted);
	fab_free(f);
}

/* HEP-QUE-011: long commands on a user queue and on an admin queue keep neither user nor admin queues waiting. */
static void fairness(void **state)
{
	struct fab *f = fab_ready(HSL_TOPO_PAIR, 2, 1);
	struct fchip *c = &f->c[1], *o = &f->c[2];
	struct fq q, p, r;

	(void)state;
	assert_int_equal(fq_create(c, &q, 1, 256, 1), HSL_ST_OK);
	assert_int_equal(fq_create(c, &p, 2, 16, 1), HSL_ST_OK);
	assert_int_equal(fq_create(o, &r, 2, 16, 1), HSL_ST_OK);
	for (unsigned int i = 0; i < 10; i++) {
		/* 16 MiB of user work, 12 MiB of the admin queue's */
		for (unsigned int n = 0; n < 16; n++)
			fq_submit(&q, &(struct hsl_desc){ .opcode = HSL_OP_FILL, .dst = TARGET, .len = FAKE_MAX_LEN });
		for (unsigned int n = 0; n < 12; n++)
			fq_submit(&c->admin, &(struct hsl_desc){ .opcode = HSL_OP_FILL, .dst = HSL_GA(1, 0),
				.len = FAKE_MAX_LEN });
		assert_int_equal(code(fq_do(&p, fill_of(HSL_GA(1, FAKE_MAX_LEN), 64, 1))), HSL_ST_OK);
		assert_int_equal(admin(o, HSL_OP_NOP, 0, 0), HSL_ST_OK);
		assert_int_equal(code(fq_do(&r, fill_of(HSL_GA(1, FAKE_MAX_LEN), 64, 1))), HSL_ST_OK);
		for (unsigned int n = 0; n < 16; n++)
			assert_int_equal(code(fq_wait(&q)), HSL_ST_OK);
		for (unsigned int n = 0; n < 12; n++)
			assert_int_equal(code(fq_wait(&c->admin)), HSL_ST_OK);
	}
	fab_free(f);
}

/*
 * The same without a clock: the only worker is held in the trace point while two admin queues get work, the one with
 * the long FILLs in front; the order of completions tells whether it let the other one through.
 */
#define COOKIE_GATE	0x47415445u
#define COOKIE_OTHER	0x4e4f50u
static _Atomic uint32_t order_seq, order_other;
static _Atomic bool gate_reached, gate_open;

static void order_trace(void *opaque, unsigned int qid, unsigned int opcode, uint64_t cookie, unsigned int status)
{
	uint32_t n = atomic_fetch_add(&order_seq, 1);

	(void)opaque;
	(void)qid;
	(void)opcode;
	(void)status;
	if (cookie == COOKIE_OTHER)
		atomic_store(&order_other, n);
	if (cookie != COOKIE_GATE)
		return;
	atomic_store(&gate_reached, true);
	while (!atomic_load(&gate_open))
		sched_yield();
}

static void admin_is_fair(void **state)
{
	struct fab *f = fab_ready(HSL_TOPO_PAIR, 2, 1);
	struct fchip *c = &f->c[1], *o = &f->c[2];
	struct hsl_chip_ops ops = fake_ops;
	struct fq q;

	(void)state;
	assert_int_equal(fq_create(c, &q, 1, 16, 1), HSL_ST_OK);
	ops.trace_complete = order_trace;
	hsl_synchronize(f->e);
	c->e->cfg.ops = o->e->cfg.ops = &ops;
	fq_submit(&q, &(struct hsl_desc){ .cookie = COOKIE_GATE });
	while (!atomic_load(&gate_reached))
		sched_yield();
	fq_submit(&o->admin, &(struct hsl_desc){ .cookie = COOKIE_OTHER });
	for (unsigned int n = 0; n < 12; n++)
		fq_submit(&c->admin, &(struct hsl_desc){ .opcode = HSL_OP_FILL, .dst = HSL_GA(1, 0),
			.len = FAKE_MAX_LEN });
	atomic_store(&gate_open, true);
	for (unsigned int n = 0; n < 12; n++)
		assert_int_equal(code(fq_wait(&c->admin)), HSL_ST_OK);
	assert_int_equal(code(fq_wait(&o->admin)), HSL_ST_OK);
	hsl_synchronize(f->e);
	assert_int_equal(atomic_load(&order_other), 1);		/* the first after the gate */
	c->e->cfg.ops = o->e->cfg.ops = &fake_ops;
	fab_free(f);
}

/* HEP-QUE-007: no wake-up is lost. */
static void arm(void **state)
{
	struct fab *f = fab_ready(HSL_TOPO_PAIR, 2, 1);
	struct fchip *c = &f->c[1];
	struct hsl_cqe e = { 0 };
	struct fq q;

	(void)state;
	assert_int_equal(fq_create(c, &q, 1, 16, 1), HSL_ST_OK);
	for (unsigned int i = 0; i < 10000 / SLOW; i++) {
		uint64_t n0 = atomic_load(&c->interrupts[1]);

		fq_submit(&q, &(struct hsl_desc){ .cookie = i });
		for (unsigned int spin = rng_below(400); spin; spin--)
			hsl_cpu_relax();
		wr(c, db(1, HSL_DB_CQ_ARM), q.head, 4);
		for (unsigned int n = 0; atomic_load(&c->interrupts[1]) == n0; n++) {
			if (n > 30000)
				fail_msg("wake-up %u lost", i);
			if (n > 1000)
				usleep(1000);
			else
				sched_yield();
		}
		/* raised once, and not before the completion is there */
		assert_true(fq_poll(&q, &e));
		assert_int_equal(e.cookie, i);
		assert_int_equal(atomic_load(&c->interrupts[1]), n0 + 1);
	}
	fab_free(f);
}

/* Who arms just when a completion is written may see the count before it, and the worker look before he has armed. */
static void arm_unseen_trace(void *opaque, unsigned int qid, unsigned int opcode, uint64_t cookie, unsigned int status)
{
	(void)opcode;
	(void)status;
	if (qid == 1)
		atomic_store(&((struct fchip *)opaque)->e->queue[1].armed, HSL_ARMED | (uint32_t)cookie);
}

static void arm_unseen(void **state)
{
	struct fab *f = fab_ready(HSL_TOPO_PAIR, 2, 1);
	struct fchip *c = &f->c[1];
	struct hsl_chip_ops ops = fake_ops;
	struct fq q;

	(void)state;
	assert_int_equal(fq_create(c, &q, 1, 16, 1), HSL_ST_OK);
	ops.trace_complete = arm_unseen_trace;
	hsl_synchronize(f->e);
	c->e->cfg.ops = &ops;
	for (unsigned int i = 0; i < 10; i++) {
		fq_submit(&q, &(struct hsl_desc){ .cookie = i });
		assert_int_equal(fq_wait(&q).cookie, i);
		for (unsigned int n = 0; atomic_load(&c->interrupts[1]) != i + 1; n++) {
			must(n < FAKE_WAIT_MS);
			usleep(1000);
		}
	}
	hsl_synchronize(f->e);
	c->e->cfg.ops = &fake_ops;
	fab_free(f);
}

/* ---- many threads ---- */

struct traffic {
	struct fab *f;
	uint32_t node, qid, ctx;
	uint32_t others;		/* statuses allowed beyond OK, a bit each */
	_Atomic bool *stop;
	_Atomic uint64_t *count;	/* by status */
	pthread_t thread;
	uint64_t rng;
	struct fq q;
};

static uint64_t traffic_rng(struct traffic *t)
{
	t->rng = t->rng * 6364136223846793005ull + 1442695040888963407ull;
	return t->rng >> 33;
}

static void *traffic_main(void *opaque)
{
	struct traffic *t = opaque;
	uint32_t n = t->f->n;

	while (!atomic_load(t->stop)) {
		struct hsl_desc d = { .opcode = traffic_rng(t) & 1 ? HSL_OP_COPY : HSL_OP_FILL };
		struct hsl_cqe e;

		/* every thread has its part of every memory */
		d.dst = HSL_GA(1 + traffic_rng(t) % n, t->qid * 0x10000 + t->node * 0x40000);
		d.src = d.opcode == HSL_OP_COPY ? HSL_GA(1 + traffic_rng(t) % n, t->qid * 0x10000 + t->node * 0x40000) : 0;
		d.len = 1 + traffic_rng(t) % 0xffff;
		e = fq_do(&t->q, d);
		must(1u << code(e) & (t->others | 1u << HSL_ST_OK));
		atomic_fetch_add(&t->count[code(e)], 1);
	}
	return NULL;
}

static void traffic_start(struct traffic *t, struct fab *f, uint32_t node, uint32_t qid, uint32_t others,
			  _Atomic bool *stop, _Atomic uint64_t *count)
{
	*t = (struct traffic){ .f = f, .node = node, .qid = qid, .others = others, .stop = stop, .count = count,
		.rng = rng() };
	must(fq_create(&f->c[node], &t->q, qid, 16, 1) == HSL_ST_OK);
	must(!pthread_create(&t->thread, NULL, traffic_main, t));
}

/*
 * HEP-RAS-001: chip 3 is reset, detached and plugged again, loses its links and its DMA, while chips 1 and 2 work on
 * everything. They see UNREACHABLE or REVOKED for it and nothing else; afterwards all works.
 */
static void disturb(void **state)
{
	struct fab *f = fab_ready(HSL_TOPO_MESH, 3, 2);
	uint32_t others = 1u << HSL_ST_UNREACHABLE | 1u << HSL_ST_REVOKED;
	_Atomic uint64_t count[HSL_ST_COUNT] = { 0 };
	struct fchip *v = &f->c[3];
	_Atomic bool stop = false;
	struct traffic t[4];
	struct hsl_cqe e = { 0 };
	struct fq q;

	(void)state;
	for (unsigned int i = 0; i < 4; i++)
		traffic_start(&t[i], f, 1 + i % 2, 1 + i / 2, others, &stop, count);
	for (unsigned int i = 0; i < 80 / SLOW; i++) {
		/* its own traffic ends with it, without a status */
		must(fq_create(v, &q, 1, 16, 1) == HSL_ST_OK);
		for (unsigned int n = 0; n < 8; n++)
			fq_submit(&q, &(struct hsl_desc){ .opcode = HSL_OP_FILL, .dst = HSL_GA(1 + n % 3, 0x180000),
				.len = 0x40000 });
		nap(2000);
		switch (i % 5) {
		case 0:
			hsl_chip_reset(v->e);
			break;
		case 1:
			wr(v, HSL_REG_CTRL, 0, 4);
			break;
		case 2:
			hsl_chip_detach(v->e);
			wr(v, db(1, HSL_DB_SQ_TAIL), 9, 4);
			wr(v, HSL_REG_CTRL, HSL_CTRL_ENABLE, 4);
			nap(500);
			hsl_chip_engine_free(v->e);
			chip_attach(v);
			break;
		case 3:
			hsl_fabric_engine_set_link(f->e, 1, 3, false);
			nap(500);
			hsl_fabric_engine_set_link(f->e, 2, 3, false);
			nap(500);
			hsl_fabric_engine_set_link(f->e, 1, 3, true);
			hsl_fabric_engine_set_link(f->e, 2, 3, true);
			hsl_chip_reset(v->e);
			break;
		default:
			hsl_chip_set_dma(v->e, false);
			while (fq_poll(&q, &e))
				;
			/* no DMA: nothing completes, also not what was submitted meanwhile */
			nap(1000);
			assert_false(fq_poll(&q, &e));
			hsl_chip_set_dma(v->e, true);
			while (q.head != q.tail)
				assert_int_equal(code(fq_wait(&q)), HSL_ST_OK);
			hsl_chip_reset(v->e);
		}
		/* gone means gone: memory and rings are the host's */
		memset(v->mem, (int)i, FAKE_MEM);
		memset(q.cq, 0, 16 * sizeof(*q.cq));
		nap(1000);
		chip_up(v);
	}
	atomic_store(&stop, true);
	for (unsigned int i = 0; i < 4; i++)
		must(!pthread_join(t[i].thread, NULL));
	print_message("# ok %" PRIu64 ", unreachable %" PRIu64 ", revoked %" PRIu64 "\n", atomic_load(&count[0]),
		      atomic_load(&count[HSL_ST_UNREACHABLE]), atomic_load(&count[HSL_ST_REVOKED]));
	for (unsigned int i = 0; i < 4; i++)
		assert_int_equal(code(fq_do(&t[i].q, fill_of(HSL_GA(3, 0), 100, 1))), HSL_ST_OK);
	fab_free(f);
}

struct admin_thread {
	struct fchip *c;
	_Atomic bool *stop;
	unsigned int slot;		/* its own bytes: commands of different queues are not ordered */
	uint64_t rounds;
	pthread_t thread;
};

/* Queues come and go, entries are invalidated: admin commands of several chips wait for each other's sections. */
static void *admin_main(void *opaque)
{
	struct admin_thread *a = opaque;
	struct fq q;

	fq_rings(a->c, &q, 5, 16);
	/* one round in any case: a loaded machine may start this thread after the others are through */
	do {
		fq_again(&q);
		must(code(fq_do(&a->c->admin, create_of(&q, 1, 1))) == HSL_ST_OK);
		fq_submit(&q, &(struct hsl_desc){ .opcode = HSL_OP_FILL, .dst = HSL_GA(1, 0x1f0000 + 64 * a->slot),
				.len = 10 });
		must(seg_invalidate(a->c, 1, 1) == HSL_ST_OK);
		must(fq_destroy(&q) == HSL_ST_OK);
		fq_wait(&q);
		must(seg_invalidate(a->c, 1, 2) == HSL_ST_OK);
		a->rounds++;
	} while (!atomic_load(a->stop));
	return NULL;
}

static void admins(void **state)
{
	struct fab *f = fab_ready(HSL_TOPO_MESH, 3, 3);
	_Atomic uint64_t count[HSL_ST_COUNT] = { 0 };
	_Atomic bool stop = false;
	struct admin_thread a[3];
	struct traffic t[3];

	(void)state;
	for (unsigned int i = 0; i < 3; i++)
		traffic_start(&t[i], f, 1 + i, 1, 0, &stop, count);
	for (unsigned int i = 0; i < 3; i++) {
		a[i] = (struct admin_thread){ .c = &f->c[1 + i], .stop = &stop, .slot = i };
		must(!pthread_create(&a[i].thread, NULL, admin_main, &a[i]));
	}
	for (unsigned int i = 0; i < 40 / SLOW; i++) {
		usleep(5000);
		/* these block, but only for chunks; nothing may be lost over them */
		hsl_chip_set_dma(f->c[1 + i % 3].e, false);
		nap(1000);
		hsl_chip_set_dma(f->c[1 + i % 3].e, true);
	}
	atomic_store(&stop, true);
	for (unsigned int i = 0; i < 3; i++) {
		must(!pthread_join(t[i].thread, NULL));
		must(!pthread_join(a[i].thread, NULL));
		assert_true(a[i].rounds > 0);
	}
	fab_free(f);
}

/* A detach with doorbells under way, then free: the run list must not know the chip any more. */
static void *bell_main(void *opaque)
{
	struct admin_thread *a = opaque;

	while (!atomic_load(a->stop))
		wr(a->c, db(1, HSL_DB_SQ_TAIL), (uint32_t)a->rounds++ % 8, 4);
	return NULL;
}

static void free_under_doorbells(void **state)
{
	struct fab *f = fab_ready(HSL_TOPO_PAIR, 2, 2);
	struct fchip *c = &f->c[1];

	(void)state;
	for (unsigned int i = 0; i < 100 / SLOW; i++) {
		_Atomic bool stop = false;
		struct admin_thread a = { .c = c, .stop = &stop };
		struct fq q;

		assert_int_equal(fq_create(c, &q, 1, 16, 1), HSL_ST_OK);
		must(!pthread_create(&a.thread, NULL, bell_main, &a));
		nap(500);
		hsl_chip_detach(c->e);
		atomic_store(&stop, true);
		must(!pthread_join(a.thread, NULL));
		hsl_chip_engine_free(c->e);
		chip_attach(c);
		chip_up(c);
	}
	fab_free(f);
}

/*
 * HEP-SEC-008: two doorbells at once, each good when it was looked at, leave a tail that is behind. What follows is an
 * error of that queue, not four thousand million commands.
 */
static void tail_behind(void **state)
{
	struct fab *f = fab_ready(HSL_TOPO_PAIR, 2, 2);
	struct fchip *c = &f->c[1];
	struct hsl_desc nop = { .opcode = HSL_OP_NOP };
	struct hsl_queue_engine *eq;
	struct hsl_cqe e;
	struct fq q;

	(void)state;
	for (unsigned int i = 0; i < 3; i++) {
		assert_int_equal(fq_create(c, &q, 1, 16, 1), HSL_ST_OK);
		for (unsigned int k = 0; k < 5; k++)
			assert_int_equal(code(fq_do(&q, nop)), HSL_ST_OK);
		eq = &c->e->queue[1];
		atomic_store(&eq->tail, 2);		/* what the slower of the two does */
		if (i == 0)
			hsl_queue_ready(eq);
		else if (i == 1)
			atomic_store(&eq->overflow, true), hsl_queue_ready(eq);
		for (unsigned int n = 0; i < 2 && rd(c, db(1, HSL_DB_STATE), 4) != HSL_QUEUE_ERROR; n++) {
			must(n < 60000);
			nap(1000);
		}
		if (i < 2)
			assert_int_equal(rd(c, db(1, HSL_DB_ERROR), 4), HSL_ST_OVERFLOW);
		assert_int_equal(fq_destroy(&q), HSL_ST_OK);
		assert_false(fq_poll(&q, &e));		/* no completion of what nobody submitted */
	}
	fab_free(f);
}

static int seed(void **state)
{
	(void)state;
	rng_seed();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(revoke_running),
		cmocka_unit_test(revoke_between_chunks),
		cmocka_unit_test(invalidate_equal),
		cmocka_unit_test(destroy_running),
		cmocka_unit_test(fairness),
		cmocka_unit_test(admin_is_fair),
		cmocka_unit_test(arm),
		cmocka_unit_test(arm_unseen),
		cmocka_unit_test(disturb),
		cmocka_unit_test(admins),
		cmocka_unit_test(free_under_doorbells),
		cmocka_unit_test(tail_behind),
	};

	const struct CMUnitTest shadow[] = {
		cmocka_unit_test(revoke_running),
		cmocka_unit_test(destroy_running),
		cmocka_unit_test(fairness),
		cmocka_unit_test(arm),
		cmocka_unit_test(arm_unseen),
		cmocka_unit_test(disturb),
		cmocka_unit_test(admins),
		cmocka_unit_test(free_under_doorbells),
	};
	int failed = cmocka_run_group_tests_name("engine-race", tests, seed, NULL);

	fake_shadow = true;
	return cmocka_run_group_tests_name("engine-race with shadow tails", shadow, NULL, NULL) || failed;
}
