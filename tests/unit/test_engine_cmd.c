// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Commands, tables and queues of the engine: every status it can give and where it says the fault is, the two checks
 * of an operand, invalidations, overlap over scattered pages, malformed tables, counters that wrap.
 */
#include "fake_driver.h"

#define expect(e, st, ga) do { struct hsl_cqe e_ = (e); \
	assert_int_equal(code(e_), st); assert_int_equal(e_.fault_ga, ga); } while (0)

static void pattern(uint8_t *p, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++)
		p[i] = (uint8_t)rng();
}

/* HEP-TXN-001 … -008, -010, -011: one chip, one segment [64 KiB, 128 KiB), read-only one, write-only one. */
static void statuses(void **state)
{
	struct fab *f = fab_ready(HSL_TOPO_PAIR, 2, 1);
	struct fchip *c = &f->c[1];
	uint64_t a = HSL_GA(1, 0x10000), ro = HSL_GA(1, 0x20000), wo = HSL_GA(1, 0x30000);
	struct hsl_desc d;
	struct hsl_cqe e = { 0 };
	struct fq q;
	uint8_t *before = malloc(FAKE_MEM);

	(void)state;
	ctx_write(c, 2, ctx_key(2));
	assert_int_equal(ctx_invalidate(c, 2), HSL_ST_OK);
	seg_put(c, 2, 1, seg_of(1, 0x10000, 0x10000, RW));
	seg_put(c, 2, 2, seg_of(1, 0x20000, 0x1000, HSL_SEG_VALID | HSL_SEG_READ));
	seg_put(c, 2, 3, seg_of(1, 0x30000, 0x1000, HSL_SEG_VALID | HSL_SEG_WRITE));
	assert_int_equal(fq_create(c, &q, 1, 16, 2), HSL_ST_OK);
	pattern(c->mem, FAKE_MEM);
	memcpy(before, c->mem, FAKE_MEM);

	for (unsigned int op = HSL_OP_FILL + 1; op < 256; op++) {
		if (op == HSL_OP_CTX_INVALIDATE)
			op = HSL_OP_QUEUE_ABORT + 1;
		if (op > HSL_OP_COPY_LIST)
			expect(fq_do(&q, (struct hsl_desc){ .opcode = (uint8_t)op, .rsvd0 = 1 }), HSL_ST_OPCODE, 0);
		expect(fq_do(&c->admin, (struct hsl_desc){ .opcode = (uint8_t)op }), HSL_ST_OPCODE, 0);
	}
	for (unsigned int op = HSL_OP_CTX_INVALIDATE; op <= HSL_OP_QUEUE_ABORT; op++)
		expect(fq_do(&q, (struct hsl_desc){ .opcode = (uint8_t)op, .flags = 1 }), HSL_ST_OPCODE, 0);

	/* reserved fields: each of them, on a command that would be good without; before length and operands */
	for (unsigned int byte = 1; byte < 64; byte++) {
		d = copy_of(a, a, FAKE_MAX_LEN + 1);
		if (byte >= 8 && byte < 40)
			continue;
		((uint8_t *)&d)[byte] = 0x80;
		expect(fq_do(&q, d), HSL_ST_FIELD, 0);
		d = fill_of(a, 64, 7);
		if (byte >= 40 && byte < 48)
			continue;
		((uint8_t *)&d)[byte] = 0x80;
		expect(fq_do(&q, d), HSL_ST_FIELD, 0);
	}
	expect(fq_do(&q, (struct hsl_desc){ .opcode = HSL_OP_FILL, .src = 1 }), HSL_ST_FIELD, 0);
	for (unsigned int byte = 16; byte < 64; byte++) {
		d = (struct hsl_desc){ .opcode = HSL_OP_NOP };
		((uint8_t *)&d)[byte] = 1;
		expect(fq_do(&q, d), HSL_ST_FIELD, 0);
	}
	for (unsigned int order = 0; order < 5; order++)
		assert_int_equal(code(fq_do(&q, (struct hsl_desc){ .order = (uint8_t)order })),
				 order > HSL_ORDER_RELAXED ? HSL_ST_FIELD : HSL_ST_OK);

	expect(fq_do(&q, copy_of(0, 0, FAKE_MAX_LEN + 1ull)), HSL_ST_LENGTH, 0);
	expect(fq_do(&q, fill_of(0, UINT64_MAX, 1)), HSL_ST_LENGTH, 0);
	expect(fq_do(&q, copy_of(0, 1, 0)), HSL_ST_OK, 0);

	expect(fq_do(&q, fill_of(0, 1, 1)), HSL_ST_SEGMENT, 0);
	expect(fq_do(&q, fill_of(a - 1, 2, 1)), HSL_ST_SEGMENT, a - 1);
	expect(fq_do(&q, fill_of(HSL_GA(1, 0x40000), 1, 1)), HSL_ST_SEGMENT, HSL_GA(1, 0x40000));
	expect(fq_do(&q, fill_of(HSL_GA(2, 0x10000), 1, 1)), HSL_ST_SEGMENT, HSL_GA(2, 0x10000));
	expect(fq_do(&q, fill_of(HSL_GA(HSL_NODE_SWITCH_FIRST, 0), 1, 1)), HSL_ST_SEGMENT,
	       HSL_GA(HSL_NODE_SWITCH_FIRST, 0));
	expect(fq_do(&q, fill_of(UINT64_MAX, 1, 1)), HSL_ST_SEGMENT, UINT64_MAX);
	expect(fq_do(&q, copy_of(a, a - 1, 1)), HSL_ST_SEGMENT, a - 1);
	expect(fq_do(&q, copy_of(ro, a - 1, 1)), HSL_ST_RIGHTS, ro);			/* dst first */
	expect(fq_do(&q, fill_of(a + 0xffff, 2, 1)), HSL_ST_RANGE, a + 0x10000);
	expect(fq_do(&q, copy_of(a, ro + 0xfff, 2)), HSL_ST_RANGE, ro + 0x1000);
	expect(fq_do(&q, fill_of(ro, 1, 1)), HSL_ST_RIGHTS, ro);
	expect(fq_do(&q, fill_of(ro + 5, 0x1000, 1)), HSL_ST_RANGE, ro + 0x1000);	/* before rights */
	expect(fq_do(&q, copy_of(a, wo + 3, 1)), HSL_ST_RIGHTS, wo + 3);
	expect(fq_do(&q, copy_of(ro, wo, 1)), HSL_ST_RIGHTS, ro);			/* dst first */
	assert_memory_equal(before, c->mem, FAKE_MEM);

	e = fq_do(&q, copy_of(wo, ro, 0x1000));
	assert_int_equal(code(e), HSL_ST_OK);
	assert_int_equal(e.result, 0x1000);
	memcpy(before + 0x30000, before + 0x20000, 0x1000);
	assert_memory_equal(before, c->mem, FAKE_MEM);
	for (unsigned int len = 1; len < 40; len++) {
		uint64_t v = rng();

		assert_int_equal(code(fq_do(&q, fill_of(a + len, len, v))), HSL_ST_OK);
		for (unsigned int i = 0; i < len; i++)
			before[0x10000 + len + i] = (uint8_t)(v >> 8 * (i % 8));
	}
	assert_memory_equal(before, c->mem, FAKE_MEM);

	/* the admin queue's own: the chip's memory, no segments */
	expect(fq_do(&c->admin, fill_of(HSL_GA(1, FAKE_MEM - 8), 8, 1)), HSL_ST_OK, 0);
	expect(fq_do(&c->admin, fill_of(HSL_GA(1, FAKE_MEM - 8), 9, 1)), HSL_ST_RANGE, HSL_GA(1, FAKE_MEM));
	expect(fq_do(&c->admin, fill_of(HSL_GA(1, FAKE_MEM), 1, 1)), HSL_ST_SEGMENT, HSL_GA(1, FAKE_MEM));
	expect(fq_do(&c->admin, copy_of(HSL_GA(1, 0), HSL_GA(2, 0), 1)), HSL_ST_SEGMENT, HSL_GA(2, 0));
	expect(fq_do(&c->admin, copy_of(HSL_GA(HOST, 0), HSL_GA(1, 0), 1)), HSL_ST_SEGMENT, HSL_GA(HOST, 0));

	/* its context gone */
	c->ctx[2].flags = 0;
	assert_int_equal(ctx_invalidate(c, 2), HSL_ST_OK);
	assert_int_equal(code(fq_do(&q, fill_of(a, 1, 1))), HSL_ST_CONTEXT);
	free(before);
	fab_free(f);
}

/* HEP-SEC-003: the home's table decides, whatever the requester's says. */
static void home_decides(void **state)
{
	struct fab *f = fab_ready(HSL_TOPO_RING, 4, 2);
	struct fchip *c = &f->c[1], *h = &f->c[3];
	uint64_t ga = HSL_GA(3, 0x8000);
	struct hsl_seg_entry good = seg_of(3, 0, FAKE_MEM, RW), bad;
	struct hsl_chip_stats st0, st1;
	struct fq q;

	(void)state;
	assert_int_equal(fq_create(c, &q, 1, 16, 1), HSL_ST_OK);
	expect(fq_do(&q, fill_of(ga, 8, 1)), HSL_ST_OK, 0);
	hsl_chip_stats(c->e, &st0);
	for (unsigned int i = 0; i < 20; i++)
		expect(fq_do(&q, fill_of(ga, 8, 1)), HSL_ST_OK, 0);
	hsl_chip_stats(c->e, &st1);
	assert_int_equal(st1.auth_requests, st0.auth_requests);		/* asked once, remembered */

	/* the requester alone changes its mind: epoch, handle, more than there is */
	bad = good;
	bad.epoch = 2;
	seg_put(c, 1, 3, bad);
	expect(fq_do(&q, fill_of(ga, 8, 1)), HSL_ST_DENIED, ga);
	expect(fq_do(&q, copy_of(HSL_GA(1, 0), ga, 8)), HSL_ST_DENIED, ga);
	seg_put(c, 1, 3, (struct hsl_seg_entry){ 0 });
	seg_put(c, 1, 5, good);
	expect(fq_do(&q, fill_of(ga, 8, 1)), HSL_ST_DENIED, ga);
	seg_put(c, 1, 5, (struct hsl_seg_entry){ 0 });
	bad = good;
	bad.len = 2 * FAKE_MEM;
	seg_put(c, 1, 3, bad);
	expect(fq_do(&q, fill_of(HSL_GA(3, FAKE_MEM - 1), 2, 1)), HSL_ST_DENIED, HSL_GA(3, FAKE_MEM - 1));
	expect(fq_do(&q, fill_of(HSL_GA(3, FAKE_MEM), 1, 1)), HSL_ST_DENIED, HSL_GA(3, FAKE_MEM));
	expect(fq_do(&q, fill_of(HSL_GA(3, FAKE_MEM - 1), 1, 1)), HSL_ST_OK, 0);
	seg_put(c, 1, 3, good);
	expect(fq_do(&q, fill_of(ga, 8, 1)), HSL_ST_OK, 0);

	/* the home alone: rights, epoch, length, key; each is in force when its invalidation is complete */
	bad = good;
	bad.flags = HSL_SEG_VALID | HSL_SEG_READ;
	seg_put(h, 1, 3, bad);
	expect(fq_do(&q, fill_of(ga, 8, 1)), HSL_ST_DENIED, ga);
	expect(fq_do(&q, copy_of(HSL_GA(1, 0), ga, 8)), HSL_ST_OK, 0);
	bad.flags = HSL_SEG_VALID | HSL_SEG_WRITE;
	seg_put(h, 1, 3, bad);
	expect(fq_do(&q, fill_of(ga, 8, 1)), HSL_ST_OK, 0);
	expect(fq_do(&q, copy_of(HSL_GA(1, 0), ga, 8)), HSL_ST_DENIED, ga);
	bad = good;
	bad.epoch = 9;
	seg_put(h, 1, 3, bad);
	expect(fq_do(&q, fill_of(ga, 8, 1)), HSL_ST_DENIED, ga);
	bad = good;
	bad.len = 0x9000;
	seg_put(h, 1, 3, bad);
	expect(fq_do(&q, fill_of(ga, 0x1000, 1)), HSL_ST_OK, 0);
	expect(fq_do(&q, fill_of(ga, 0x1001, 1)), HSL_ST_DENIED, ga);
	bad.len = 0x8800;
	seg_put(h, 1, 3, bad);
	expect(fq_do(&q, fill_of(ga, 0x1000, 1)), HSL_ST_DENIED, ga);
	seg_put(h, 1, 3, good);
	expect(fq_do(&q, fill_of(ga, 0x1000, 1)), HSL_ST_OK, 0);
	ctx_write(h, 1, ctx_key(7));
	assert_int_equal(ctx_invalidate(h, 1), HSL_ST_OK);
	expect(fq_do(&q, fill_of(ga, 8, 1)), HSL_ST_DENIED, ga);
	h->ctx[1].flags = 0;
	assert_int_equal(ctx_invalidate(h, 1), HSL_ST_OK);
	expect(fq_do(&q, fill_of(ga, 8, 1)), HSL_ST_DENIED, ga);
	ctx_write(h, 1, ctx_key(1));
	assert_int_equal(ctx_invalidate(h, 1), HSL_ST_OK);
	expect(fq_do(&q, fill_of(ga, 8, 1)), HSL_ST_OK, 0);

	/* no way, no DMA at the home, home in reset, home absent, home back with nothing in its tables */
	hsl_fabric_engine_set_link(f->e, 1, 2, false);
	expect(fq_do(&q, fill_of(ga, 8, 1)), HSL_ST_OK, 0);		/* the other way round the ring */
	hsl_fabric_engine_set_link(f->e, 1, 4, false);
	expect(fq_do(&q, fill_of(ga, 8, 1)), HSL_ST_UNREACHABLE, ga);
	expect(fq_do(&q, fill_of(HSL_GA(1, 0), 8, 1)), HSL_ST_OK, 0);
	hsl_fabric_engine_set_link(f->e, 1, 2, true);
	expect(fq_do(&q, fill_of(ga, 8, 1)), HSL_ST_OK, 0);
	assert_int_equal(ctx_invalidate(h, 1), HSL_ST_OK);
	hsl_chip_set_dma(h->e, false);
	expect(fq_do(&q, fill_of(ga, 8, 1)), HSL_ST_UNREACHABLE, ga);
	hsl_chip_set_dma(h->e, true);
	expect(fq_do(&q, fill_of(ga, 8, 1)), HSL_ST_OK, 0);
	hsl_chip_reset(h->e);
	expect(fq_do(&q, fill_of(ga, 8, 1)), HSL_ST_UNREACHABLE, ga);
	chip_up(h);
	expect(fq_do(&q, fill_of(ga, 8, 1)), HSL_ST_OK, 0);
	hsl_chip_engine_free(h->e);
	h->e = NULL;
	expect(fq_do(&q, fill_of(ga, 8, 1)), HSL_ST_UNREACHABLE, ga);
	h->ctx[1].flags = 0;
	chip_attach(h);
	chip_up(h);
	/* whatever generation the new chip is in, what the old one granted is no grant of it */
	for (unsigned int i = 0; i < 30; i++) {
		expect(fq_do(&q, fill_of(ga, 8, 1)), HSL_ST_DENIED, ga);
		assert_int_equal(ctx_invalidate(h, 1), HSL_ST_OK);
	}
	fab_free(f);
}

/* HEP-QUE-005, -008, -009, HEP-RAS-004 */
static void queues(void **state)
{
	struct fab *f = fab_ready(HSL_TOPO_PAIR, 2, 1);
	struct fchip *c = &f->c[1];
	struct hsl_desc d;
	struct hsl_cqe e = { 0 };
	struct fq q, o, full;

	(void)state;
	fq_rings(c, &q, 1, 16);
	q.qid = 0;
	expect(fq_do(&c->admin, create_of(&q, 0, 1)), HSL_ST_QUEUE, 0);
	q.qid = FAKE_QUEUES;
	expect(fq_do(&c->admin, create_of(&q, 0, 1)), HSL_ST_QUEUE, 0);
	q.qid = 1;
	expect(fq_do(&c->admin, create_of(&q, FAKE_VECTORS, 1)), HSL_ST_QUEUE, 0);
	for (unsigned int log2 = 0; log2 < 256; log2++) {
		if (log2 == 1)
			log2 = 9;
		d = create_of(&q, 0, 1);
		d.arg0 = HSL_QC_ARG0(1, log2, 0);
		expect(fq_do(&c->admin, d), HSL_ST_QUEUE, 0);
	}
	expect(fq_do(&c->admin, create_of(&q, 0, 0)), HSL_ST_CONTEXT, 0);
	expect(fq_do(&c->admin, create_of(&q, 0, 2)), HSL_ST_CONTEXT, 0);
	expect(fq_do(&c->admin, create_of(&q, 0, FAKE_CTXS)), HSL_ST_CONTEXT, 0);
	expect(fq_do(&c->admin, create_of(&q, 0, UINT32_MAX)), HSL_ST_CONTEXT, 0);
	d = create_of(&q, 0, 1);
	d.src += 64;
	expect(fq_do(&c->admin, d), HSL_ST_ALIGN, 0);
	d = create_of(&q, 0, 1);
	d.dst = 0;
	expect(fq_do(&c->admin, d), HSL_ST_DMA, 0);
	d = create_of(&q, 0, 1);
	d.src = f->c[2].admin.cqb->iova;
	expect(fq_do(&c->admin, d), HSL_ST_DMA, 0);
	d = create_of(&q, 0, 1);
	d.arg0 = HSL_QC_ARG0(1, 8, 0);			/* longer than its memory */
	expect(fq_do(&c->admin, d), HSL_ST_DMA, 0);
	d = create_of(&q, 0, 1);
	d.arg0 |= 1ull << 40;
	expect(fq_do(&c->admin, d), HSL_ST_FIELD, 0);
	d = create_of(&q, 0, 1);
	d.arg1 |= 1ull << 32;
	expect(fq_do(&c->admin, d), HSL_ST_FIELD, 0);
	assert_int_equal(rd(c, db(1, HSL_DB_STATE), 8), HSL_QUEUE_RESET);
	for (unsigned int bad = 0; bad < FAKE_QUEUES + 2; bad++)
		assert_int_equal(admin(c, HSL_OP_QUEUE_DESTROY, bad, 0), HSL_ST_QUEUE);
	assert_int_equal(admin(c, HSL_OP_QUEUE_DESTROY, 1ull << 32, 0), HSL_ST_QUEUE);
	assert_int_equal(admin(c, HSL_OP_CTX_INVALIDATE, 0, 0), HSL_ST_CONTEXT);
	assert_int_equal(admin(c, HSL_OP_CTX_INVALIDATE, FAKE_CTXS, 0), HSL_ST_CONTEXT);
	assert_int_equal(admin(c, HSL_OP_CTX_INVALIDATE, 1ull << 32 | 1, 0), HSL_ST_CONTEXT);
	assert_int_equal(admin(c, HSL_OP_SEG_INVALIDATE, 0, 1), HSL_ST_CONTEXT);
	assert_int_equal(admin(c, HSL_OP_SEG_INVALIDATE, 1, 0), HSL_ST_SEGMENT);
	assert_int_equal(admin(c, HSL_OP_SEG_INVALIDATE, 1, HSL_SEGS_MAX), HSL_ST_SEGMENT);
	assert_int_equal(admin(c, HSL_OP_SEG_INVALIDATE, 1, HSL_SEGS_MAX - 1), HSL_ST_OK);

	/* the largest, in use, and a ring of two that wraps often */
	assert_int_equal(fq_create(c, &full, 2, 256, 1), HSL_ST_OK);
	assert_int_equal(fq_create(c, &q, 1, 2, 1), HSL_ST_OK);
	expect(fq_do(&c->admin, create_of(&q, 0, 1)), HSL_ST_QUEUE, 0);
	for (unsigned int i = 0; i < 11; i++)
		expect(fq_do(&q, fill_of(HSL_GA(2, i), 1, i)), HSL_ST_OK, 0);
	for (unsigned int i = 0; i < 256; i++)
		fq_submit(&full, &(struct hsl_desc){ .cookie = i });
	for (unsigned int i = 0; i < 256; i++)
		assert_int_equal(fq_wait(&full).cookie, i);

	/* a doorbell too far ahead; 1- and 2-byte ones are nothing, 8-byte ones are their low half */
	assert_int_equal(fq_create(c, &o, 3, 16, 1), HSL_ST_OK);
	wr(c, db(3, HSL_DB_SQ_TAIL), 200, 1);
	wr(c, db(3, HSL_DB_SQ_TAIL), 20000, 2);
	wr(c, HSL_REG_EVENT, UINT32_MAX, 4);
	o.tail = 1;
	wr(c, db(3, HSL_DB_SQ_TAIL), 0xffffffff00000001, 8);
	assert_int_equal(code(fq_wait(&o)), HSL_ST_OK);
	wr(c, db(3, HSL_DB_SQ_TAIL), 1 + 17, 4);
	while (rd(c, db(3, HSL_DB_STATE), 4) == HSL_QUEUE_READY)
		sched_yield();
	assert_int_equal(rd(c, db(3, HSL_DB_STATE), 8), HSL_QUEUE_ERROR | (uint64_t)HSL_ST_OVERFLOW << 32);
	while (!(rd(c, HSL_REG_EVENT, 4) & HSL_EVENT_QUEUE_ERROR))
		sched_yield();
	expect(fq_do(&q, (struct hsl_desc){ 0 }), HSL_ST_OK, 0);
	wr(c, db(3, HSL_DB_SQ_TAIL), 1 + 3, 4);		/* it stays in ERROR; on destroying, what was submitted is told */
	assert_false(fq_poll(&o, &e));
	for (unsigned int i = 1; i < 4; i++)
		o.sq[i].cookie = 100 + i;
	assert_int_equal(fq_destroy(&o), HSL_ST_OK);
	for (unsigned int i = 1; i < 4; i++) {
		assert_true(fq_poll(&o, &e));
		expect(e, HSL_ST_ABORTED, 0);
		assert_int_equal(e.cookie, 100 + i);
	}
	assert_false(fq_poll(&o, &e));
	assert_int_equal(rd(c, db(3, HSL_DB_STATE), 8), HSL_QUEUE_RESET);
	assert_int_equal(fq_destroy(&o), HSL_ST_QUEUE);
	/* the id is free again */
	assert_int_equal(fq_create(c, &o, 3, 16, 1), HSL_ST_OK);
	expect(fq_do(&o, fill_of(HSL_GA(1, 0), 1, 1)), HSL_ST_OK, 0);
	/* an admin queue in ERROR can be brought back by a reset only */
	wr(c, db(0, HSL_DB_SQ_TAIL), c->admin.tail + 17, 4);
	while (rd(c, db(0, HSL_DB_STATE), 4) == HSL_QUEUE_READY)
		sched_yield();
	expect(fq_do(&o, fill_of(HSL_GA(1, 0), 1, 1)), HSL_ST_OK, 0);
	hsl_chip_reset(c->e);
	chip_up(c);
	assert_int_equal(admin(c, HSL_OP_NOP, 0, 0), HSL_ST_OK);
	fab_free(f);
}

/* HEP-QUE-010: 2^16 and 2^32 are passed by queues of every kind. */
static void counters_wrap(void **state)
{
	static const uint32_t start[] = { 65530, UINT32_MAX - 5 };
	struct fab *f = fab_ready(HSL_TOPO_PAIR, 2, 1);
	struct fchip *c = &f->c[1];
	struct fq q;

	(void)state;
	assert_int_equal(fq_create(c, &q, 1, 8, 1), HSL_ST_OK);
	for (unsigned int s = 0; s < 2; s++) {
		for (unsigned int which = 0; which < 2; which++) {
			struct fq *at = which ? &q : &c->admin;
			struct hsl_queue_engine *eq = &c->e->queue[at->qid];
			uint64_t n0;

			/* nothing is outstanding: move all counters; the phase of the old completions must not fit */
			assert_int_equal(at->head, at->tail);
			usleep(1000);
			hsl_synchronize(f->e);
			for (uint32_t i = 0; i < at->depth; i++)
				at->cq[(start[s] + i) & (at->depth - 1)].status =
					(start[s] + i) / at->depth & 1 ? HSL_CQE_PHASE : 0;
			at->head = at->tail = start[s];
			atomic_store(&eq->taken, start[s]);
			atomic_store(&eq->completed, start[s]);
			atomic_store(&eq->tail, start[s]);
			for (uint32_t i = 0; i < 100; i++) {
				unsigned int burst = 1 + rng_below(at->depth);

				for (unsigned int b = 0; b < burst; b++)
					fq_submit(at, &(struct hsl_desc){ .cookie = i << 8 | b });
				for (unsigned int b = 0; b < burst; b++)
					assert_int_equal(fq_wait(at).cookie, i << 8 | b);
			}
			n0 = atomic_load(&c->interrupts[eq->vector]);
			wr(c, db(at->qid, HSL_DB_CQ_ARM), at->head, 4);
			assert_int_equal(atomic_load(&c->interrupts[eq->vector]), n0);
			wr(c, db(at->qid, HSL_DB_CQ_ARM), at->head - 1, 4);
			assert_int_equal(atomic_load(&c->interrupts[eq->vector]), n0 + 1);
			assert_true(at->tail < start[s] || s == 0);
		}
	}
	fab_free(f);
}

/* HEP-TXN-004, -005, HEP-MAP-013: random moves inside one paged segment and to and from chip memory, against memmove. */
static void paged_against_memmove(void **state)
{
	static const struct { unsigned int shift, levels, run; uint32_t offset; bool short_maps; } shape[] = {
		{ 12, 1, 1, 0, false }, { 12, 1, 1, 0x123, false }, { 12, 2, 3, 0xfff, false },
		{ 12, 3, 1, 0x801, true }, { 16, 1, 1, 0x3001, false }, { 16, 2, 2, 0xfff1, true },
		{ 16, 3, 1, 7, true },
	};
	struct fab *f = fab_ready(HSL_TOPO_PAIR, 2, 1);
	struct fchip *c = &f->c[1];
	uint64_t len = 300001, base = 0x123456789000;
	uint8_t *want = malloc(len), *got = malloc(len), *page[512];
	struct fq q;

	(void)state;
	assert_int_equal(fq_create(c, &q, 1, 16, 1), HSL_ST_OK);
	for (size_t i = 0; i < sizeof(shape) / sizeof(shape[0]); i++) {
		struct hsl_seg_entry e = paged_new(c, base, len, shape[i].offset, shape[i].shift, shape[i].levels,
						   shape[i].run, page);
		uint64_t edge = (uint64_t)shape[i].offset, last = edge + len;
		uint8_t guard = 0xee;

		atomic_store(&c->short_maps, shape[i].short_maps);
		e.epoch = (uint32_t)i + 1;
		seg_put(c, 1, 9, e);
		pattern(want, len);
		paged_move(page, shape[i].shift, edge, want, len, true);
		/* only the registered bytes are reachable */
		if (edge)
			paged_move(page, shape[i].shift, edge - 1, &guard, 1, true);
		if (last & ((1ull << shape[i].shift) - 1))
			paged_move(page, shape[i].shift, last, &guard, 1, true);
		for (unsigned int n = 0; n < 60; n++) {
			uint64_t l = 1 + rng_below(n % 3 ? 9000 : 200000), d = rng_below((uint32_t)(len - l)), s;
			uint64_t gap = rng_below(n % 2 ? 5000 : 70000);
			struct hsl_cqe r;

			s = n % 4 == 0 ? rng_below((uint32_t)(len - l)) : n % 4 == 1 ? d : d > gap && n % 4 == 2 ?
			    d - gap : d + gap < len - l ? d + gap : d;
			r = fq_do(&q, copy_of(HSL_GA(HOST, base + d), HSL_GA(HOST, base + s), l));
			assert_int_equal(code(r), HSL_ST_OK);
			assert_int_equal(r.result, l);
			memmove(want + d, want + s, l);
		}
		paged_move(page, shape[i].shift, edge, got, len, false);
		assert_memory_equal(want, got, len);
		/* fill, out to the peer's memory, and back from there somewhere else */
		assert_int_equal(code(fq_do(&q, fill_of(HSL_GA(HOST, base + 17), 100003, 0x0807060504030201))), 0);
		for (unsigned int n = 0; n < 100003; n++)
			want[17 + n] = (uint8_t)(1 + n % 8);
		assert_int_equal(code(fq_do(&q, copy_of(HSL_GA(2, 3), HSL_GA(HOST, base), len))), 0);
		assert_memory_equal(want, f->c[2].mem + 3, len);
		assert_int_equal(code(fq_do(&q, copy_of(HSL_GA(HOST, base + 5), HSL_GA(2, 3), len - 5))), 0);
		memmove(want + 5, want, len - 5);
		paged_move(page, shape[i].shift, edge, got, len, false);
		assert_memory_equal(want, got, len);
		if (edge) {
			paged_move(page, shape[i].shift, edge - 1, &guard, 1, false);
			assert_int_equal(guard, 0xee);
		}
		expect(fq_do(&q, fill_of(HSL_GA(HOST, base + len), 1, 0)), HSL_ST_SEGMENT, HSL_GA(HOST, base + len));
	}
	/* and in chip memory */
	pattern(want, len);
	memcpy(c->mem, want, len);
	for (unsigned int n = 0; n < 100; n++) {
		uint64_t l = 1 + rng_below(200000), d = rng_below((uint32_t)(len - l)), s = rng_below((uint32_t)(len - l));

		assert_int_equal(code(fq_do(&q, copy_of(HSL_GA(1, d), HSL_GA(1, s), l))), HSL_ST_OK);
		memmove(want + d, want + s, l);
	}
	assert_memory_equal(want, c->mem, len);
	free(want);
	free(got);
	fab_free(f);
}

/* Entries that break the rules are as if they were not there; addresses that do not translate are DMA. */
static void malformed_tables(void **state)
{
	struct fab *f = fab_ready(HSL_TOPO_PAIR, 2, 1);
	struct fchip *c = &f->c[1];
	uint64_t base = 0x100000, ga = HSL_GA(HOST, base);
	uint8_t *page[512];
	struct hsl_seg_entry good = paged_new(c, base, 16 * 4096, 0, 12, 2, 1, page), bad;
	struct block *root, *leaf;
	uint64_t *pte;
	struct hsl_cqe e = { 0 };
	struct fq q;

	(void)state;
	root = &c->block[(good.pages >> 24 & 0xfffff) - 1];
	leaf = &c->block[(HSL_PTE_IOVA(*(uint64_t *)root->host) >> 24 & 0xfffff) - 1];
	assert_int_equal(fq_create(c, &q, 1, 16, 1), HSL_ST_OK);
	seg_put(c, 1, 9, good);
	expect(fq_do(&q, fill_of(ga, 16 * 4096, 1)), HSL_ST_OK, 0);
#define BAD(...) do { \
		bad = good; __VA_ARGS__; seg_put(c, 1, 9, bad); \
		expect(fq_do(&q, fill_of(ga, 1, 1)), HSL_ST_SEGMENT, ga); } while (0)
	BAD(bad.flags &= ~HSL_SEG_VALID);
	BAD(bad.flags |= 0x20);
	BAD(bad.flags |= HSL_SEG_MODELLED);
	BAD(bad.flags &= ~HSL_SEG_PAGED);
	BAD(bad.rsvd0 = 1);
	BAD(bad.rsvd1[0] = 1);
	BAD(bad.rsvd1[2] = 1);
	BAD(bad.len = 0);
	BAD(bad.len = 1ull << 48);
	BAD(bad.len = UINT64_MAX);
	BAD(bad.ga = HSL_GA(1, base));
	BAD(bad.ga = HSL_GA(HOST + 1, base));
	BAD(bad.ga |= 1ull << 63);
	BAD(bad.page_shift = 11);
	BAD(bad.page_shift = 31);
	BAD(bad.page_shift = 255);
	BAD(bad.page_levels = 0);
	BAD(bad.page_levels = 5);
	BAD(bad.page_offset = 4096);
	BAD(bad.page_offset = UINT32_MAX);
	BAD(bad.pages += 64);
	BAD(bad.page_levels = 1; bad.len = (512ull << 12) + 1);
	BAD(bad.page_levels = 1; bad.len = 512ull << 12; bad.page_offset = 1);

	/* PAGE entries */
	seg_put(c, 1, 9, good);
	pte = leaf->host;
#define PTE(i, v, ...) do { \
		uint64_t old_ = pte[i]; \
		pte[i] = (v); must(seg_invalidate(c, 1, 9) == HSL_ST_OK); \
		e = fq_do(&q, fill_of(ga + 100, 4 * 4096, 1)); __VA_ARGS__; pte[i] = old_; } while (0)
	PTE(2, pte[2] & ~HSL_PTE_VALID, expect(e, HSL_ST_DMA, ga + 2 * 4096));
	assert_int_equal(e.result, 2 * 4096 - 100);
	PTE(0, 0, expect(e, HSL_ST_DMA, ga + 100));
	PTE(1, HSL_PTE_VALID, expect(e, HSL_ST_DMA, ga + 4096));
	PTE(1, UINT64_MAX, expect(e, HSL_ST_DMA, ga + 4096));
	PTE(1, (uintptr_t)page[1] | HSL_PTE_VALID, expect(e, HSL_ST_DMA, ga + 4096));
	PTE(3, pte[3] | 0xffe, expect(e, HSL_ST_OK, 0));			/* bits [11:1] are not the address */
	atomic_store(&leaf->bad, true);
	assert_int_equal(seg_invalidate(c, 1, 9), HSL_ST_OK);
	expect(fq_do(&q, copy_of(HSL_GA(1, 0), ga + 9, 1)), HSL_ST_DMA, ga + 9);
	atomic_store(&leaf->bad, false);
	atomic_store(&root->bad, true);
	assert_int_equal(seg_invalidate(c, 1, 9), HSL_ST_OK);
	expect(fq_do(&q, copy_of(HSL_GA(1, 0), ga + 9, 1)), HSL_ST_DMA, ga + 9);
	atomic_store(&root->bad, false);
	*(uint64_t *)root->host &= ~HSL_PTE_VALID;
	assert_int_equal(seg_invalidate(c, 1, 9), HSL_ST_OK);
	expect(fq_do(&q, copy_of(HSL_GA(1, 0), ga + 9, 1)), HSL_ST_DMA, ga + 9);
	*(uint64_t *)root->host |= HSL_PTE_VALID;
	/* a PAGE table that is its own parent */
	bad = good;
	bad.page_levels = 4;
	*(uint64_t *)root->host = root->iova | HSL_PTE_VALID;
	seg_put(c, 1, 9, bad);
	expect(fq_do(&q, fill_of(ga, 8, 0)), HSL_ST_OK, 0);	/* its first page is the table itself: granted by it */
	seg_put(c, 1, 9, (struct hsl_seg_entry){ 0 });

	/* chip memory entries: outside of it, overlapping another */
	seg_put(c, 1, 9, seg_of(1, FAKE_MEM, 1, RW));
	expect(fq_do(&q, fill_of(HSL_GA(1, FAKE_MEM), 1, 1)), HSL_ST_SEGMENT, HSL_GA(1, FAKE_MEM));
	seg_put(c, 1, 1, seg_of(1, 0, FAKE_MEM + 1ull, RW));
	expect(fq_do(&q, fill_of(HSL_GA(1, 0), 1, 1)), HSL_ST_SEGMENT, HSL_GA(1, 0));
	seg_put(c, 1, 1, seg_of(1, 0x1000, 0x1000, RW));
	seg_put(c, 1, 9, seg_of(1, 0x1fff, 0x1000, RW));	/* overlaps: not there */
	expect(fq_do(&q, fill_of(HSL_GA(1, 0x2000), 1, 1)), HSL_ST_SEGMENT, HSL_GA(1, 0x2000));
	expect(fq_do(&q, fill_of(HSL_GA(1, 0x1fff), 1, 1)), HSL_ST_OK, 0);
	seg_put(c, 1, 9, seg_of(1, 0, 0x1001, RW));
	expect(fq_do(&q, fill_of(HSL_GA(1, 0), 1, 1)), HSL_ST_SEGMENT, HSL_GA(1, 0));
	seg_put(c, 1, 9, seg_of(1, 0, 0x1000, RW));
	expect(fq_do(&q, fill_of(HSL_GA(1, 0), 1, 1)), HSL_ST_OK, 0);
	/* handle 0 is never used */
	c->leaf[1][0] = seg_of(1, 0x100000, 0x1000, RW);
	assert_int_equal(ctx_invalidate(c, 1), HSL_ST_OK);
	expect(fq_do(&q, fill_of(HSL_GA(1, 0x100000), 1, 1)), HSL_ST_SEGMENT, HSL_GA(1, 0x100000));

	/* every directory entry the same leaf, then none that translates, then no directory, then a bad context entry */
	for (unsigned int i = 0; i < 512; i++)
		c->dir[1][i] = c->leaf_block[1]->iova;
	assert_int_equal(ctx_invalidate(c, 1), HSL_ST_OK);
	e = fq_do(&q, fill_of(HSL_GA(1, 0), 1, 1));
	assert_true(code(e) == HSL_ST_OK);
	for (unsigned int i = 0; i < 512; i++)
		c->dir[1][i] = i * 0x777777777ull;
	assert_int_equal(ctx_invalidate(c, 1), HSL_ST_OK);
	expect(fq_do(&q, fill_of(HSL_GA(1, 0), 1, 1)), HSL_ST_SEGMENT, HSL_GA(1, 0));
	assert_int_equal(seg_invalidate(c, 1, 100), HSL_ST_OK);
	c->ctx[1].seg_dir = 0;
	assert_int_equal(ctx_invalidate(c, 1), HSL_ST_OK);
	expect(fq_do(&q, fill_of(HSL_GA(1, 0), 1, 1)), HSL_ST_SEGMENT, HSL_GA(1, 0));
	assert_int_equal(seg_invalidate(c, 1, 1), HSL_ST_OK);
	c->ctx[1].seg_dir = 0x1000;
	assert_int_equal(ctx_invalidate(c, 1), HSL_ST_OK);
	expect(fq_do(&q, fill_of(HSL_GA(1, 0), 1, 1)), HSL_ST_SEGMENT, HSL_GA(1, 0));
	ctx_write(c, 1, 0);
	assert_int_equal(ctx_invalidate(c, 1), HSL_ST_OK);
	assert_int_equal(code(fq_do(&q, fill_of(HSL_GA(1, 0), 1, 1))), HSL_ST_CONTEXT);
	ctx_write(c, 1, 5);
	c->ctx[1].flags |= 2;
	assert_int_equal(ctx_invalidate(c, 1), HSL_ST_OK);
	assert_int_equal(code(fq_do(&q, fill_of(HSL_GA(1, 0), 1, 1))), HSL_ST_CONTEXT);
	atomic_store(&c->ctx_block->bad, true);
	assert_int_equal(ctx_invalidate(c, 1), HSL_ST_OK);
	assert_int_equal(code(fq_do(&q, fill_of(HSL_GA(1, 0), 1, 1))), HSL_ST_CONTEXT);
	assert_true(atomic_load(&c->guest_errors) > 0);
	fab_free(f);
}

/* n commands that a worker sees at once, and their completions. */
static void together(struct fq *q, const struct hsl_desc *d, struct hsl_cqe *e, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		q->sq[q->tail++ & (q->depth - 1)] = d[i];
	fq_publish(q, q->tail);
	for (unsigned int i = 0; i < n; i++)
		e[i] = fq_wait(q);
}

/* HEP-SEC-003, HEP-TXN-010: of commands of one turn each is checked as if it were alone, though they share a look-up. */
static void one_turn(void **state)
{
	struct fab *f = fab_ready(HSL_TOPO_PAIR, 2, 1);
	struct fchip *c = &f->c[1], *h = &f->c[2];
	uint64_t ga = HSL_GA(2, 0x8000), own = HSL_GA(1, 0);
	struct hsl_desc add = { .opcode = HSL_OP_ATOMIC, .subop = HSL_ATOMIC_ADD, .dst = ga, .len = 8, .arg0 = 1 };
	struct hsl_seg_entry good = seg_of(2, 0, FAKE_MEM, RW), less = good;
	struct hsl_cqe e[4];
	struct fq q;

	(void)state;
	assert_int_equal(fq_create(c, &q, 1, 16, 1), HSL_ST_OK);
	together(&q, (struct hsl_desc[]){ add, add, fill_of(ga, 8, 1), add }, e, 4);
	for (unsigned int i = 0; i < 4; i++)
		expect(e[i], HSL_ST_OK, 0);
	assert_int_equal(e[3].result, 1);

	/* beyond the segment, into what is none */
	together(&q, (struct hsl_desc[]){ fill_of(ga, 8, 1), fill_of(HSL_GA(2, FAKE_MEM - 8), 9, 1), fill_of(HSL_GA(2, FAKE_MEM), 1, 1),
					  copy_of(own, HSL_GA(1, FAKE_MEM - 1), 2) }, e, 4);
	expect(e[0], HSL_ST_OK, 0);
	expect(e[1], HSL_ST_RANGE, HSL_GA(2, FAKE_MEM));
	expect(e[2], HSL_ST_SEGMENT, HSL_GA(2, FAKE_MEM));
	expect(e[3], HSL_ST_RANGE, HSL_GA(1, FAKE_MEM));

	/* the entry has one right less than the next command needs */
	less.flags = HSL_SEG_VALID | HSL_SEG_WRITE;
	seg_put(c, 1, 2, less);
	together(&q, (struct hsl_desc[]){ fill_of(ga, 8, 1), add, copy_of(own, ga, 8), fill_of(ga, 8, 1) }, e, 4);
	expect(e[0], HSL_ST_OK, 0);
	expect(e[1], HSL_ST_RIGHTS, ga);
	expect(e[2], HSL_ST_RIGHTS, ga);
	expect(e[3], HSL_ST_OK, 0);

	/* or is shorter than what the home grants */
	less = good;
	less.len = 0x9000;
	seg_put(c, 1, 2, less);
	together(&q, (struct hsl_desc[]){ fill_of(ga, 0x1000, 1), fill_of(ga, 0x1001, 1), fill_of(ga + 0x1000, 1, 1), add }, e, 4);
	expect(e[0], HSL_ST_OK, 0);
	expect(e[1], HSL_ST_RANGE, ga + 0x1000);
	expect(e[2], HSL_ST_SEGMENT, ga + 0x1000);
	expect(e[3], HSL_ST_OK, 0);

	/* the home grants one right less, or less of it, than it did before */
	seg_put(c, 1, 2, good);
	less.len = good.len;
	less.flags = HSL_SEG_VALID | HSL_SEG_WRITE;
	expect(fq_do(&q, add), HSL_ST_OK, 0);
	seg_put(h, 1, 2, less);
	together(&q, (struct hsl_desc[]){ fill_of(ga, 8, 1), add, copy_of(own, ga, 8), fill_of(ga, 8, 1) }, e, 4);
	expect(e[0], HSL_ST_OK, 0);
	expect(e[1], HSL_ST_DENIED, ga);
	expect(e[2], HSL_ST_DENIED, ga);
	expect(e[3], HSL_ST_OK, 0);
	less = good;
	less.len = 0x9000;
	seg_put(h, 1, 2, less);
	together(&q, (struct hsl_desc[]){ fill_of(ga, 0x1000, 1), fill_of(ga, 0x1001, 1), add, fill_of(ga + 0x1000, 8, 1) }, e, 4);
	expect(e[0], HSL_ST_OK, 0);
	expect(e[1], HSL_ST_DENIED, ga);
	expect(e[2], HSL_ST_OK, 0);
	expect(e[3], HSL_ST_DENIED, ga + 0x1000);
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
		cmocka_unit_test(statuses),
		cmocka_unit_test(home_decides),
		cmocka_unit_test(one_turn),
		cmocka_unit_test(queues),
		cmocka_unit_test(counters_wrap),
		cmocka_unit_test(paged_against_memmove),
		cmocka_unit_test(malformed_tables),
	};

	return cmocka_run_group_tests_name("engine-cmd", tests, seed, NULL);
}
