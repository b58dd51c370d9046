// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Modelled time (docs/hep.md section 9): commands take what the formula says, to the picosecond,
 * here worked out from the numbers of the profile alone; WAITs and moderation go by the same
 * clock; the same calls give the same times.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine_rig.c"

#define MEM		(4ull << 20)
#define LEN		(1ull << 20)
#define RW		(HSL_SEG_READ | HSL_SEG_WRITE)
#define A(off)		HSL_GA(1, 65536 + (off))
#define B(off)		HSL_GA(2, 65536 + (off))
#define H(off)		HSL_GA(FAKE_HOST, 0x10000 + (off))
#define MA(off)		HSL_GA(1, 2097152 + (off))
#define MB(off)		HSL_GA(2, 2097152 + (off))
#define OK(e)		assert_int_equal(HSL_CQE_CODE((e).status), HSL_ST_OK)
#define IS(e, s)	assert_int_equal(HSL_CQE_CODE((e).status), (s))

/* profile "default", ps */
#define PORT	40000ull
#define FLIT	1143ull
#define LINK	(2 * PORT + 10000 + FLIT)
#define HOME	20000ull
#define DRAM	90000ull
#define AUTH_0	HOME
#define AUTH_1	(2 * LINK + HOME)
#define AUTH_H	(2 * PORT + HOME)
#define READ(a)	((a) + DRAM)
#define FETCH	(PORT + READ(AUTH_H))
#define NOP	PORT		/* of a queue that was busy */

struct world {
	struct fake_fabric *f;
	struct fake_queue q[2];
	struct fake_mem *host;
};

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	rig_time.on = true;
	rig_time.now_ps = 1000000;
	w->f = fake_new(2, HSL_TOPO_PAIR, 0, MEM);
	fake_ctx_all(w->f, 1);
	fake_seg_chip(w->f, 1, 1, 1, 65536, LEN, RW);
	fake_seg_chip(w->f, 1, 2, 2, 65536, LEN, RW);
	fake_seg_chip(w->f, 1, 3, 1, 2097152, 65536, RW | HSL_SEG_MODELLED);
	fake_seg_chip(w->f, 1, 4, 2, 2097152, 65536, RW | HSL_SEG_MODELLED);
	w->host = fake_seg_host(w->f, 1, 5, 0x10000, 0, LEN, RW);
	for (unsigned int i = 0; i < 2; i++)
		assert_int_equal(fake_queue_new(&w->q[i], &w->f->chip[1 + i], 1, 1, 64, 1), HSL_ST_OK);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	fake_free(w->f);
	free(w);
	return 0;
}

/* What a command takes, of a queue that is idle. */
static uint64_t took(struct fake_queue *q, const struct hsl_desc *d)
{
	uint64_t start = rig_time.now_ps;

	OK(fake_run(q, d));
	return rig_time.now_ps - start;
}

static uint64_t stream(uint64_t n)
{
	uint64_t slots = (n + 255) / 256 * 2 + (n + 15) / 16;

	return ((slots + 13) / 14 - 1) * FLIT;
}

static struct hsl_desc copy(uint64_t dst, uint64_t src, uint64_t len)
{
	return (struct hsl_desc){ .opcode = HSL_OP_COPY, .dst = dst, .src = src, .len = len };
}

/* ---- prices ---- */

static void test_formula(void **state)
{
	struct world *w = *state;
	struct fake_queue *q = &w->q[0];
	static const struct {
		struct hsl_desc d;
		uint64_t ps;
	} c[] = {
		{ { .opcode = HSL_OP_NOP }, 0 },
		{ { .opcode = HSL_OP_FENCE }, 0 },
		{ { .opcode = HSL_OP_FILL, .dst = A(0), .len = 64 }, AUTH_0 },
		{ { .opcode = HSL_OP_FILL, .dst = B(0), .len = 64 }, AUTH_1 },
		{ { .opcode = HSL_OP_LOAD, .src = B(0), .len = 8 }, READ(AUTH_1) },
		{ { .opcode = HSL_OP_LOAD, .src = B(0), .dst = A(0), .len = 8 }, READ(AUTH_1) + AUTH_0 },
		{ { .opcode = HSL_OP_STORE, .dst = B(0), .len = 8, .arg0 = 1 }, AUTH_1 },
		{ { .opcode = HSL_OP_STORE, .dst = B(0), .src = H(0), .len = 8 }, READ(AUTH_H) + AUTH_1 },
		{ { .opcode = HSL_OP_SIGNAL, .dst = B(0), .len = 8, .subop = HSL_SIGNAL_ADD }, AUTH_1 },
		{ { .opcode = HSL_OP_ATOMIC, .dst = B(0), .len = 8, .arg0 = 1 }, READ(AUTH_1) },
		{ { .opcode = HSL_OP_WAIT, .src = B(0), .len = 8, .subop = HSL_WAIT_GE }, READ(AUTH_1) },
		{ { .opcode = HSL_OP_REDUCE, .dst = B(0), .src = A(0), .len = 64,
		    .subop = HSL_REDUCE_SUBOP(HSL_REDUCE_ADD, HSL_TYPE_I64) }, READ(AUTH_0) + READ(AUTH_1) },
	};

	for (size_t i = 0; i < sizeof(c) / sizeof(c[0]); i++)
		assert_int_equal(took(q, &c[i].d), FETCH + NOP + c[i].ps);
}

static void test_bytes(void **state)
{
	static const uint64_t len[] = { 1, 64, 256, 4096, 65535, 65536, 65537, 200000, LEN };
	struct world *w = *state;
	struct hsl_desc d;

	fake_bytes(w->f->chip[1].mem + 65536, LEN, 1);
	for (size_t i = 0; i < sizeof(len) / sizeof(len[0]); i++) {
		memset(w->f->chip[2].mem + 65536, 0, LEN);
		d = copy(B(0), A(0), len[i]);
		assert_int_equal(took(&w->q[0], &d), FETCH + NOP + READ(AUTH_0) + AUTH_1 + stream(len[i]));
		assert_memory_equal(w->f->chip[2].mem + 65536, w->f->chip[1].mem + 65536, len[i]);
	}
	/* 3 rows of 40000: a run ends within a chunk */
	d = (struct hsl_desc){ .opcode = HSL_OP_COPY2D, .dst = B(0), .src = A(0), .len = 40000, .arg0 = 3,
			       .arg1 = HSL_PITCH(40000, 50000) };
	assert_int_equal(took(&w->q[0], &d), FETCH + NOP + READ(AUTH_0) + AUTH_1 + stream(120000));
}

static void test_list(void **state)
{
	struct world *w = *state;
	struct hsl_copy_entry e[2] = { { .dst = A(0), .src = A(4096), .len = 64 },
				       { .dst = B(0), .src = A(8192), .len = 100000 } };
	struct hsl_desc d = { .opcode = HSL_OP_COPY_LIST, .src = H(0), .len = sizeof(e) };

	memcpy(w->host->host, e, sizeof(e));
	assert_int_equal(took(&w->q[0], &d), FETCH + NOP + READ(AUTH_H) + stream(sizeof(e)) +
			 READ(AUTH_0) + AUTH_1 + stream(100064));
}

/* One that will be refused costs what the longest one does, whatever length the ring has. */
static void test_list_length(void **state)
{
	static const uint64_t len[] = { HSL_COPY_LIST_MAX * sizeof(struct hsl_copy_entry) + 8, 1ull << 40, 1ull << 50, -4096ull };
	struct world *w = *state;
	uint64_t start;

	for (size_t i = 0; i < sizeof(len) / sizeof(len[0]); i++) {
		struct hsl_desc d = { .opcode = HSL_OP_COPY_LIST, .src = H(0), .len = len[i] };

		start = rig_time.now_ps;
		IS(fake_run(&w->q[0], &d), HSL_ST_LENGTH);
		assert_int_equal(rig_time.now_ps - start, FETCH + NOP + READ(AUTH_H) +
				 stream(HSL_COPY_LIST_MAX * sizeof(struct hsl_copy_entry)));
	}
}

/* The modelled fabric says how long: more than a way there and back, always the same. */
static void test_modelled(void **state)
{
	struct world *w = *state;
	struct hsl_desc load = { .opcode = HSL_OP_LOAD, .src = MB(0), .len = 8 };
	struct hsl_desc flush = { .opcode = HSL_OP_FLUSH, .dst = MB(0), .len = 4096 };
	uint64_t miss, hit;

	miss = took(&w->q[0], &load);
	hit = took(&w->q[0], &load);
	assert_true(miss > FETCH + NOP + 2 * LINK + DRAM);
	assert_true(hit < miss);
	assert_int_equal(fake_admin(&w->f->chip[2], flush), HSL_ST_OK);
	assert_int_equal(took(&w->q[0], &load), miss);
	assert_int_equal(took(&w->q[0], &load), hit);
}

/* ---- order ---- */

/* Commands that were submitted together follow each other, and only the first one is fetched. */
static void test_serial(void **state)
{
	struct world *w = *state;
	struct fake_queue *q = &w->q[0];
	struct hsl_desc nop = { .opcode = HSL_OP_NOP }, d = copy(B(0), A(0), 4096);
	uint64_t start = rig_time.now_ps, each = NOP + READ(AUTH_0) + AUTH_1 + stream(4096);

	fake_submit(q, &d);
	fake_submit(q, &nop);
	fake_submit(q, &d);
	fake_doorbell(q);
	assert_true(rig_time.asked);
	OK(fake_wait(q));
	assert_int_equal(rig_time.now_ps - start, FETCH + each);
	OK(fake_wait(q));
	assert_int_equal(rig_time.now_ps - start, FETCH + each + NOP);
	OK(fake_wait(q));
	assert_int_equal(rig_time.now_ps - start, FETCH + each + NOP + each);
}

/* Nothing happens before its time, and a copy is seen as far as its time has gone. */
static void test_not_before(void **state)
{
	struct world *w = *state;
	struct fake_queue *q = &w->q[0];
	struct hsl_desc d = copy(B(0), A(0), LEN);
	const uint8_t *dst = w->f->chip[2].mem + 65536;
	struct hsl_cqe c;
	uint64_t first = FETCH + NOP + READ(AUTH_0) + AUTH_1 + stream(65536), start = rig_time.now_ps;

	memset(w->f->chip[1].mem + 65536, 7, LEN);
	fake_submit(q, &d);
	fake_doorbell(q);
	assert_int_equal(hsl_fabric_engine_run(w->f->e), start + first);
	rig_time.now_ps = start + first - 1;
	assert_int_equal(hsl_fabric_engine_run(w->f->e), start + first);
	assert_int_equal(dst[0], 0);
	rig_time.now_ps = start + first;
	assert_int_equal(hsl_fabric_engine_run(w->f->e), start + first + stream(131072) - stream(65536));
	assert_int_equal(dst[65535], 7);
	assert_int_equal(dst[65536], 0);
	assert_false(fake_poll(q, &c));
	OK(fake_wait(q));
	assert_int_equal(hsl_fabric_engine_run(w->f->e), UINT64_MAX);
}

/* Two queues that share nothing do not wait for each other; of two that end at once who was planned first is. */
static void test_parallel(void **state)
{
	struct world *w = *state;
	struct hsl_desc a = { .opcode = HSL_OP_STORE, .dst = H(0), .len = 8, .arg0 = 1 }, b = a;
	uint64_t start = rig_time.now_ps;

	b.arg0 = 2;
	fake_submit(&w->q[1], &b);
	fake_submit(&w->q[0], &a);
	fake_doorbell(&w->q[1]);
	fake_doorbell(&w->q[0]);
	OK(fake_wait(&w->q[0]));
	OK(fake_wait(&w->q[1]));
	assert_int_equal(rig_time.now_ps - start, FETCH + NOP + AUTH_H);
	assert_int_equal(w->host->host[0], 1);
}

/* ---- streams that share what they pass ---- */

/* What n bytes take of a link for themselves. */
static uint64_t wire(uint64_t n)
{
	return (((n + 255) / 256 * 2 + (n + 15) / 16) * FLIT + 13) / 14;
}

static void submit(struct fake_queue *q, const struct hsl_desc *d)
{
	fake_submit(q, d);
	fake_doorbell(q);
}

/* When the commands that two queues have are over, from now on. */
static void ends(struct world *w, struct fake_queue *q[2], uint64_t ps[2])
{
	uint64_t start = rig_time.now_ps;
	struct hsl_cqe c;
	bool over[2] = { false };

	while (!over[0] || !over[1]) {
		uint64_t next = hsl_fabric_engine_run(w->f->e);

		for (unsigned int i = 0; i < 2; i++)
			if (!over[i] && fake_poll(q[i], &c)) {
				OK(c);
				ps[i] = rig_time.now_ps - start;
				over[i] = true;
			}
		if (!over[0] || !over[1])
			rig_time.now_ps = next;
	}
}

static void both(struct world *w, struct fake_queue *q[2], const struct hsl_desc d[2], uint64_t ps[2])
{
	for (unsigned int i = 0; i < 2; i++)
		submit(q[i], &d[i]);
	ends(w, q, ps);
}

/* Until the next thing is due, and that. */
static void event(struct world *w)
{
	rig_time.now_ps = hsl_fabric_engine_run(w->f->e);
	hsl_fabric_engine_run(w->f->e);
}

/* Streams of two queues: what they share decides what they take. */
static void test_share(void **state)
{
	struct world *w = *state;
	struct fake_queue more, host, *q[2] = { &w->q[0], &more };
	struct hsl_desc d[2] = { copy(B(0), A(0), LEN / 2), copy(B(LEN / 2), A(LEN / 2), LEN / 2) };
	uint64_t alone = FETCH + NOP + READ(AUTH_0) + AUTH_1 + stream(LEN / 2), ps[2];
	static const uint64_t small = 4096;

	assert_int_equal(fake_queue_new(&more, &w->f->chip[1], 2, 1, 64, 2), HSL_ST_OK);
	assert_int_equal(fake_queue_new(&host, &w->f->chip[2], 2, 1, 64, 2), HSL_ST_OK);
	/* the same link: in turns, so both need the time of both, but for the chunk that the last one is behind */
	both(w, q, d, ps);
	assert_in_range(ps[1] - alone, wire(LEN / 2) - FLIT, wire(LEN / 2) + FLIT);
	assert_in_range(ps[1] - ps[0], wire(65536) - FLIT, wire(65536) + FLIT);
	assert_in_range(took(q[0], &d[0]), alone, alone);

	/* a short one goes behind one chunk at most */
	d[1].len = small;
	both(w, q, d, ps);
	assert_int_equal(ps[1], FETCH + NOP + READ(AUTH_0) + AUTH_1 + stream(small) + wire(65536));
	assert_in_range(ps[0] - alone, wire(small) - FLIT, wire(small) + FLIT);

	/* one memory, read by one and written by the other, and the two ways of a link: nothing is shared */
	q[1] = &w->q[1];
	d[1] = copy(A(LEN / 2), B(LEN / 2), LEN / 2);
	both(w, q, d, ps);
	assert_int_equal(ps[0], alone);
	assert_int_equal(ps[1], alone);

	/* what both write: from this chip's own memory, and from its host */
	q[0] = &w->q[1];
	q[1] = &host;
	d[0] = copy(B(0), B(LEN / 2), LEN / 4);
	d[1] = copy(B(LEN / 4), H(0), LEN / 4);
	both(w, q, d, ps);
	alone = FETCH + NOP + READ(AUTH_H) + AUTH_0 + stream(LEN / 4);
	assert_true(ps[1] - alone > wire(LEN / 4) - 2 * wire(65536));
	d[0] = copy(H(LEN / 2), B(LEN / 2), LEN / 4);
	both(w, q, d, ps);
	assert_int_equal(ps[1], alone);
}

/* Entries of a list take what they pass, each for itself. */
static void test_share_list(void **state)
{
	struct world *w = *state;
	struct hsl_copy_entry e[2] = { { .dst = A(0), .src = H(4096), .len = 30000 },
				       { .dst = B(0), .src = H(65536), .len = 30000 } };
	struct hsl_desc list = { .opcode = HSL_OP_COPY_LIST, .src = H(0), .len = sizeof(e) }, d[2];
	struct fake_queue *q[2] = { &w->q[1], &w->q[0] };
	uint64_t alone, ps[2];

	memcpy(w->host->host, e, sizeof(e));
	alone = took(&w->q[0], &list);
	d[0] = copy(A(LEN / 2), B(LEN / 2), LEN / 2);	/* writes where the first entry does */
	d[1] = list;
	both(w, q, d, ps);
	assert_in_range(ps[1] - alone, 1, wire(65536) + FLIT);
	d[0] = copy(B(LEN / 4), B(LEN / 2), 64);	/* over before the list writes there */
	both(w, q, d, ps);
	assert_int_equal(ps[1], alone);
}

/* A stream goes on where its command does, after a pause too: what passes the link then takes its time. */
static void test_share_pause(void **state)
{
	struct world *w = *state;
	struct fake_queue more, *q[2] = { &w->q[0], &more };
	struct hsl_desc d[2] = { copy(B(0), A(0), LEN / 2), copy(B(LEN / 2), A(LEN / 2), LEN / 2) };
	uint64_t ps[2];

	assert_int_equal(fake_queue_new(&more, &w->f->chip[1], 2, 1, 64, 2), HSL_ST_OK);
	submit(q[0], &d[0]);
	event(w);				/* 64 KiB have had their time, the next are under way */
	hsl_chip_set_dma(w->f->chip[1].e, false);
	rig_time.now_ps += 100000000;
	assert_int_equal(hsl_fabric_engine_run(w->f->e), UINT64_MAX);
	hsl_chip_set_dma(w->f->chip[1].e, true);
	submit(q[1], &d[1]);
	ends(w, q, ps);
	assert_true(ps[0] >= wire(LEN / 2) - 2 * wire(65536));
	assert_true(ps[1] >= wire(LEN) - 2 * wire(65536) - FLIT);
}

/* So does one behind accesses of observable memory in the same list. */
static void test_share_modelled(void **state)
{
	struct world *w = *state;
	struct hsl_copy_entry e[3] = { { .dst = MB(0), .src = MA(0), .len = 65536 },
				       { .dst = MB(0), .src = MA(0), .len = 4096 },
				       { .dst = B(0), .src = A(0), .len = LEN / 2 } };
	struct hsl_desc list = { .opcode = HSL_OP_COPY_LIST, .src = H(0), .len = sizeof(e) };
	struct hsl_desc d = copy(B(LEN / 2), A(LEN / 2), LEN / 2);
	struct fake_queue more, *q[2] = { &w->q[0], &more };
	uint64_t ps[2];

	memcpy(w->host->host, e, sizeof(e));
	assert_int_equal(fake_queue_new(&more, &w->f->chip[1], 2, 1, 64, 2), HSL_ST_OK);
	w->f->chip[1].mem[65536] = 1;
	submit(q[0], &list);
	while (!w->f->chip[2].mem[65536])	/* up to the turn with the second entry and some of the third */
		event(w);
	event(w);				/* 64 KiB more, which now pass */
	submit(q[1], &d);
	ends(w, q, ps);
	assert_true((ps[0] > ps[1] ? ps[0] : ps[1]) >= wire(LEN) - wire(65536) - FLIT);
}

/* ---- WAIT, moderation, and what takes a queue away ---- */

static struct hsl_desc wait_for(uint64_t value)
{
	return (struct hsl_desc){ .opcode = HSL_OP_WAIT, .src = B(0), .len = 8, .subop = HSL_WAIT_EQ, .arg0 = value };
}

static void test_wait(void **state)
{
	struct world *w = *state;
	struct hsl_desc wait = wait_for(5);
	struct hsl_desc signal = { .opcode = HSL_OP_SIGNAL, .subop = HSL_SIGNAL_SET, .dst = B(0), .len = 8, .arg0 = 5 };
	uint64_t start = rig_time.now_ps, woken;

	fake_submit(&w->q[0], &wait);
	fake_doorbell(&w->q[0]);
	hsl_fabric_engine_run(w->f->e);
	rig_time.now_ps += FETCH + NOP + READ(AUTH_1);
	hsl_fabric_engine_run(w->f->e);
	woken = rig_time.now_ps;
	OK(fake_run(&w->q[1], &signal));
	assert_int_equal(rig_time.now_ps - woken, FETCH + NOP + AUTH_0);
	woken = rig_time.now_ps;
	OK(fake_wait(&w->q[0]));
	assert_int_equal(rig_time.now_ps - woken, READ(AUTH_1));

	wait.arg0 = 6;
	wait.arg1 = 3000000;		/* ns */
	start = rig_time.now_ps;
	fake_submit(&w->q[0], &wait);
	fake_doorbell(&w->q[0]);
	IS(fake_wait(&w->q[0]), HSL_ST_TIMEOUT);
	start += FETCH + NOP + READ(AUTH_1);
	assert_true(rig_time.now_ps - start >= 3000000000ull);
	assert_true(rig_time.now_ps - start < 3000000000ull + 1000 + READ(AUTH_1));
}

static void test_moderation(void **state)
{
	struct world *w = *state;
	struct fake_chip *c = &w->f->chip[1];
	uint64_t db = HSL_DB_OFFSET_DEFAULT + HSL_DB_STRIDE_DEFAULT, next;

	fake_write32(c, db + HSL_DB_MODERATION, 50u << 16 | 8);
	fake_write32(c, db + HSL_DB_CQ_ARM, 0);
	took(&w->q[0], &(struct hsl_desc){ .opcode = HSL_OP_NOP });
	assert_int_equal(atomic_load(&c->irq[1]), 0);
	next = hsl_fabric_engine_run(w->f->e);
	assert_in_range(next, rig_time.now_ps + 49999000, rig_time.now_ps + 50000000);
	rig_time.now_ps = next;
	hsl_fabric_engine_run(w->f->e);
	assert_int_equal(atomic_load(&c->irq[1]), 1);
}

/* A completion that is due while there is no DMA is written when there is again: then, not when it was due. */
static void test_no_dma(void **state)
{
	struct world *w = *state;
	struct fake_chip *c = &w->f->chip[1];
	uint64_t db = HSL_DB_OFFSET_DEFAULT + HSL_DB_STRIDE_DEFAULT;
	struct hsl_desc m = copy(MB(0), MA(0), 4096);
	struct hsl_cqe e;

	fake_write32(c, db + HSL_DB_MODERATION, 50u << 16 | 8);
	fake_write32(c, db + HSL_DB_CQ_ARM, 0);
	memset(w->f->chip[1].mem + 2097152, 9, 4096);
	fake_submit(&w->q[0], &m);
	fake_doorbell(&w->q[0]);
	rig_time.now_ps = hsl_fabric_engine_run(w->f->e);
	rig_time.now_ps = hsl_fabric_engine_run(w->f->e);
	hsl_chip_set_dma(w->f->chip[1].e, false);
	assert_int_equal(hsl_fabric_engine_run(w->f->e), UINT64_MAX);
	assert_false(fake_poll(&w->q[0], &e));
	rig_time.now_ps += 100000000;
	hsl_chip_set_dma(w->f->chip[1].e, true);
	assert_in_range(hsl_fabric_engine_run(w->f->e), rig_time.now_ps + 49999000, rig_time.now_ps + 50000000);
	assert_int_equal(atomic_load(&c->irq[1]), 0);
	OK(fake_wait(&w->q[0]));
	assert_int_equal(took(&w->q[0], &(struct hsl_desc){ .opcode = HSL_OP_NOP }), FETCH + NOP);
}

/* In the middle of its time a command is aborted or revoked, or its chip is reset. */
static void test_taken_away(void **state)
{
	struct world *w = *state;
	struct hsl_desc d = copy(B(0), A(0), LEN), m = copy(MB(0), MA(0), 4096);
	struct hsl_desc abort = { .opcode = HSL_OP_QUEUE_ABORT, .arg0 = 1 };

	fake_submit(&w->q[0], &d);
	fake_doorbell(&w->q[0]);
	assert_int_equal(fake_admin(&w->f->chip[1], abort), HSL_ST_OK);
	IS(fake_wait(&w->q[0]), HSL_ST_ABORTED);

	/* late: the bytes are there, the completion is not */
	memset(w->f->chip[1].mem + 2097152, 9, 4096);
	fake_submit(&w->q[0], &m);
	fake_doorbell(&w->q[0]);
	rig_time.now_ps = hsl_fabric_engine_run(w->f->e);
	hsl_fabric_engine_run(w->f->e);
	assert_int_equal(fake_admin(&w->f->chip[1], abort), HSL_ST_OK);
	IS(fake_wait(&w->q[0]), HSL_ST_ABORTED);
	assert_int_equal(took(&w->q[0], &(struct hsl_desc){ .opcode = HSL_OP_NOP }), FETCH + NOP);

	fake_submit(&w->q[0], &d);
	fake_doorbell(&w->q[0]);
	rig_time.now_ps = hsl_fabric_engine_run(w->f->e);
	hsl_fabric_engine_run(w->f->e);
	fake_seg_gone(w->f, 1, 2);
	IS(fake_wait(&w->q[0]), HSL_ST_REVOKED);

	d = copy(A(0), H(0), LEN);
	fake_submit(&w->q[0], &d);
	fake_doorbell(&w->q[0]);
	hsl_fabric_engine_run(w->f->e);
	hsl_chip_reset(w->f->chip[1].e);
	assert_int_equal(hsl_fabric_engine_run(w->f->e), UINT64_MAX);
}

/* A WAIT that is due for a look is looked at by the invalidation itself (HEP-TXN-024). */
static void test_wait_revoked(void **state)
{
	struct world *w = *state;
	struct hsl_desc wait = wait_for(5);
	struct hsl_cqe c;

	fake_submit(&w->q[0], &wait);
	fake_doorbell(&w->q[0]);
	rig_time.now_ps = hsl_fabric_engine_run(w->f->e);
	rig_time.now_ps = hsl_fabric_engine_run(w->f->e);	/* parked, until its first look */
	hsl_fabric_engine_run(w->f->e);
	fake_seg(&w->f->chip[1], 1, 2, &(struct hsl_seg_entry){ 0 }, false);
	assert_true(fake_poll(&w->q[0], &c));
	IS(c, HSL_ST_REVOKED);
}

/* Random commands by two queues: the same twice gives the same times, completions and memory. */
static uint64_t run_random(struct world *w, uint32_t seed)
{
	uint64_t hash = 0;

	for (unsigned int i = 0; i < 300; i++) {
		struct fake_queue *q = &w->q[fake_random(&seed) % 2];
		uint64_t src[] = { A(0), B(0), H(0), MA(0), MB(0) };
		uint64_t off = fake_random(&seed) % 8192 * 4, len = fake_random(&seed) % 30000;
		uint64_t to = src[fake_random(&seed) % 5] + off, from = src[fake_random(&seed) % 5] + off;
		struct hsl_desc d = copy(to, from, len);
		struct hsl_cqe c;

		if (i % 3 == 0)
			d.len = len * 20;	/* some fail */
		fake_submit(q, &d);
		fake_doorbell(q);
		if (fake_random(&seed) % 4)
			rig_time.now_ps = hsl_fabric_engine_run(w->f->e);
		c = fake_wait(q);
		hash = hash * 1099511628211u + rig_time.now_ps + c.result + HSL_CQE_CODE(c.status);
	}
	for (uint64_t i = 0; i < MEM; i++)
		hash = hash * 31 + w->f->chip[1].mem[i] + 7 * w->f->chip[2].mem[i];
	return hash;
}

static void test_again(void **state)
{
	void *other;
	uint64_t first = run_random(*state, 99);

	teardown(state);
	setup(&other);
	*state = other;
	assert_int_equal(run_random(other, 99), first);
}

/* Sensors go by the same clock: 1 GB moved in a moment are 0.1 J, 1 W for a while. */
static void test_sensors(void **state)
{
	struct world *w = *state;
	struct fake_chip *c = &w->f->chip[1];
	struct hsl_desc d = copy(A(0), A(LEN / 2), LEN / 2);

	assert_true(fake_read64(c, HSL_REG_CAP) & HSL_CAP_SENSORS);
	assert_int_equal(fake_read32(c, HSL_REG_POWER), 25000);
	assert_int_equal(fake_read32(c, HSL_REG_TEMP), 45000);
	for (unsigned int i = 0; i < 2000; i++)
		OK(fake_run(&w->q[0], &d));
	assert_in_range(fake_read32(c, HSL_REG_POWER), 25900, 26100);
	assert_in_range(fake_read32(c, HSL_REG_TEMP), 45030, 45050);
	assert_int_equal(fake_read32(&w->f->chip[2], HSL_REG_POWER), 25000);
	rig_time.now_ps += 2000000000000ull;
	assert_int_equal(fake_read32(c, HSL_REG_POWER), 25000);
	assert_int_equal(fake_read32(c, HSL_REG_THERMAL), 0);
	assert_int_equal(hsl_chip_set_ambient(c->e, 126), -EINVAL);
	assert_int_equal(hsl_chip_set_ambient(c->e, 80), 0);
	assert_int_equal(fake_read32(c, HSL_REG_THERMAL), 0);
	rig_time.now_ps += 20000000000000ull;
	assert_in_range(fake_read32(c, HSL_REG_TEMP), 99990, 100000);
	assert_int_equal(fake_read32(c, HSL_REG_THERMAL), HSL_THERMAL_THROTTLED);
	hsl_chip_reset(c->e);
	assert_int_equal(fake_read32(c, HSL_REG_THERMAL), HSL_THERMAL_THROTTLED);
}

static void test_config(void **state)
{
	struct world *w = *state;
	struct hsl_fabric_engine_config cfg = {
		.model = { .nodes = 1, .profile = *hsl_profile_find("default"), .host_node = FAKE_HOST },
		.workers = 1, .now_ps = rig_now, .due = rig_due,
	};
	const char *err = NULL;

	assert_null(hsl_fabric_engine_new(&cfg, &err));
	assert_string_equal(err, "there are no workers in modelled time");
	cfg.workers = 0;
	cfg.modelled = true;
	cfg.home_requests = 1;
	assert_null(hsl_fabric_engine_new(&cfg, &err));
	assert_string_equal(err, "observable memory of such a fabric cannot have homes for so many requests");
	assert_true(fake_read64(&w->f->chip[1], HSL_REG_CAP) & HSL_CAP_MODELLED_TIME);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_formula), TEST(test_bytes), TEST(test_list), TEST(test_list_length), TEST(test_modelled), TEST(test_serial),
		TEST(test_not_before), TEST(test_parallel), TEST(test_share), TEST(test_share_list),
		TEST(test_share_pause), TEST(test_share_modelled), TEST(test_wait), TEST(test_moderation),
		TEST(test_taken_away), TEST(test_no_dma), TEST(test_wait_revoked), TEST(test_again), TEST(test_sensors),
		TEST(test_config),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
