// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * What the operations refuse, in which order, with which fault; lists and rows at their limits; words that many change
 * at once. Their results are judged on every backend by tests/common/lib_cases_ops.c.
 */
#include <fenv.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/engine_priv.h"
#include "engine_rig.c"

#define MEM	(1ull << 20)
#define RW	(HSL_SEG_READ | HSL_SEG_WRITE)
#define OK(e)	assert_int_equal(HSL_CQE_CODE((e).status), HSL_ST_OK)
#define IS(e, s)	assert_int_equal(HSL_CQE_CODE((e).status), (s))

#define A(off)	HSL_GA(1, 4096 + (off))		/* 64 KiB of chip 1 */
#define B(off)	HSL_GA(2, 8192 + (off))		/* 64 KiB of chip 2 */
#define H(off)	HSL_GA(FAKE_HOST, 0x10000 + 24 + (off))	/* 40 KiB of host memory, 24 bytes into its first page */
#define RO	HSL_GA(1, 0x40000)		/* a page to read only */
#define WO	HSL_GA(1, 0x50000)		/* a page to write only */
#define LEN	65536ull
#define HLEN	40960ull

struct world {
	struct fake_fabric *f;
	struct fake_queue q, q2;
	struct fake_mem *host;
};

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	w->f = fake_new(2, HSL_TOPO_PAIR, 3, MEM);
	fake_ctx_all(w->f, 1);
	fake_seg_chip(w->f, 1, 1, 1, 4096, LEN, RW);
	fake_seg_chip(w->f, 1, 2, 2, 8192, LEN, RW);
	w->host = fake_seg_host(w->f, 1, 3, 0x10000 + 24, 24, HLEN, RW);
	fake_seg_chip(w->f, 1, 4, 1, 0x40000, 4096, HSL_SEG_READ);
	fake_seg_chip(w->f, 1, 5, 1, 0x50000, 4096, HSL_SEG_WRITE);
	assert_int_equal(fake_queue_new(&w->q, &w->f->chip[1], 1, 1, 64, 1), HSL_ST_OK);
	assert_int_equal(fake_queue_new(&w->q2, &w->f->chip[2], 1, 1, 64, 1), HSL_ST_OK);
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

static uint8_t *a(struct world *w)
{
	return w->f->chip[1].mem + 4096;
}

static uint8_t *b(struct world *w)
{
	return w->f->chip[2].mem + 8192;
}

static const struct bad {
	const char *name;
	struct hsl_desc d;
	uint32_t status;
	uint64_t fault;
} bads[] = {
	{ "REDUCE op", { .opcode = HSL_OP_REDUCE, .subop = 3, .len = ~0ull }, HSL_ST_FIELD, 0 },
	{ "REDUCE type", { .opcode = HSL_OP_REDUCE, .subop = 0x60, .len = ~0ull }, HSL_ST_FIELD, 0 },
	{ "REDUCE arg0", { .opcode = HSL_OP_REDUCE, .arg0 = 1 }, HSL_ST_FIELD, 0 },
	{ "REDUCE length before alignment", { .opcode = HSL_OP_REDUCE, .dst = 1, .len = ~0ull }, HSL_ST_LENGTH, 0 },
	{ "REDUCE dst alignment", { .opcode = HSL_OP_REDUCE, .dst = A(2), .src = 1, .len = 8 }, HSL_ST_ALIGN, A(2) },
	{ "REDUCE src alignment", { .opcode = HSL_OP_REDUCE, .subop = 0x10, .dst = A(8), .src = B(4), .len = 8 },
	  HSL_ST_ALIGN, B(4) },
	{ "REDUCE len alignment", { .opcode = HSL_OP_REDUCE, .subop = 0x20, .dst = A(2), .src = B(4), .len = 3 },
	  HSL_ST_ALIGN, A(2) },
	{ "REDUCE len alignment, dst 0", { .opcode = HSL_OP_REDUCE, .src = B(4), .len = 3 }, HSL_ST_ALIGN, 0 },
	{ "REDUCE reads dst", { .opcode = HSL_OP_REDUCE, .dst = WO, .src = A(0), .len = 8 }, HSL_ST_RIGHTS, WO },
	{ "REDUCE writes dst", { .opcode = HSL_OP_REDUCE, .dst = RO, .src = A(0), .len = 8 }, HSL_ST_RIGHTS, RO },
	{ "REDUCE reads src", { .opcode = HSL_OP_REDUCE, .dst = A(0), .src = WO, .len = 8 }, HSL_ST_RIGHTS, WO },
	{ "ATOMIC subop", { .opcode = HSL_OP_ATOMIC, .subop = HSL_ATOMICS, .dst = 1, .len = 3 }, HSL_ST_FIELD, 0 },
	{ "ATOMIC src", { .opcode = HSL_OP_ATOMIC, .dst = A(0), .src = 8, .len = 8 }, HSL_ST_FIELD, 0 },
	{ "ATOMIC arg1", { .opcode = HSL_OP_ATOMIC, .dst = A(0), .len = 8, .arg1 = 1 }, HSL_ST_FIELD, 0 },
	{ "ATOMIC len 0", { .opcode = HSL_OP_ATOMIC, .dst = A(0) }, HSL_ST_LENGTH, 0 },
	{ "ATOMIC len 2", { .opcode = HSL_OP_ATOMIC, .dst = A(1), .len = 2 }, HSL_ST_LENGTH, 0 },
	{ "ATOMIC len 16", { .opcode = HSL_OP_ATOMIC, .dst = A(0), .len = 16 }, HSL_ST_LENGTH, 0 },
	{ "ATOMIC alignment 8", { .opcode = HSL_OP_ATOMIC, .dst = A(4), .len = 8 }, HSL_ST_ALIGN, A(4) },
	{ "ATOMIC alignment 4", { .opcode = HSL_OP_ATOMIC, .dst = A(2), .len = 4 }, HSL_ST_ALIGN, A(2) },
	{ "ATOMIC range", { .opcode = HSL_OP_ATOMIC, .dst = H(HLEN - 8) + 4, .len = 4 }, HSL_ST_OK, 0 },
	{ "ATOMIC past", { .opcode = HSL_OP_ATOMIC, .dst = H(HLEN), .len = 4 }, HSL_ST_SEGMENT, H(HLEN) },
	{ "ATOMIC reads", { .opcode = HSL_OP_ATOMIC, .dst = WO, .len = 4 }, HSL_ST_RIGHTS, WO },
	{ "ATOMIC writes", { .opcode = HSL_OP_ATOMIC, .dst = RO, .len = 4 }, HSL_ST_RIGHTS, RO },
	{ "SIGNAL subop", { .opcode = HSL_OP_SIGNAL, .subop = HSL_SIGNALS, .dst = A(0), .len = 8 }, HSL_ST_FIELD, 0 },
	{ "SIGNAL len", { .opcode = HSL_OP_SIGNAL, .dst = A(0), .len = 4 }, HSL_ST_LENGTH, 0 },
	{ "SIGNAL alignment", { .opcode = HSL_OP_SIGNAL, .dst = A(4), .len = 8 }, HSL_ST_ALIGN, A(4) },
	{ "SIGNAL only writes", { .opcode = HSL_OP_SIGNAL, .dst = WO, .len = 8 }, HSL_ST_OK, 0 },
	{ "WAIT subop", { .opcode = HSL_OP_WAIT, .subop = HSL_WAITS, .src = A(0), .len = 8 }, HSL_ST_FIELD, 0 },
	{ "WAIT dst", { .opcode = HSL_OP_WAIT, .dst = A(0), .src = A(0), .len = 8 }, HSL_ST_FIELD, 0 },
	{ "WAIT len", { .opcode = HSL_OP_WAIT, .src = A(0), .len = 0 }, HSL_ST_LENGTH, 0 },
	{ "WAIT alignment", { .opcode = HSL_OP_WAIT, .src = A(4), .len = 8 }, HSL_ST_ALIGN, A(4) },
	{ "WAIT reads", { .opcode = HSL_OP_WAIT, .src = WO, .len = 8 }, HSL_ST_RIGHTS, WO },
	{ "WAIT segment", { .opcode = HSL_OP_WAIT, .src = 16, .len = 8 }, HSL_ST_SEGMENT, 16 },
	{ "LOAD len 0", { .opcode = HSL_OP_LOAD, .dst = A(0), .src = B(0) }, HSL_ST_LENGTH, 0 },
	{ "LOAD len 65", { .opcode = HSL_OP_LOAD, .dst = A(0), .src = B(0), .len = 65 }, HSL_ST_LENGTH, 0 },
	{ "LOAD to result, 9", { .opcode = HSL_OP_LOAD, .src = B(0), .len = 9 }, HSL_ST_LENGTH, 0 },
	{ "LOAD arg0", { .opcode = HSL_OP_LOAD, .src = B(0), .len = 8, .arg0 = 1 }, HSL_ST_FIELD, 0 },
	{ "LOAD dst first", { .opcode = HSL_OP_LOAD, .dst = RO, .src = WO, .len = 8 }, HSL_ST_RIGHTS, RO },
	{ "LOAD range", { .opcode = HSL_OP_LOAD, .src = B(LEN - 1), .len = 2 }, HSL_ST_RANGE, B(LEN) },
	{ "STORE len 0", { .opcode = HSL_OP_STORE, .dst = A(0) }, HSL_ST_LENGTH, 0 },
	{ "STORE of args, 17", { .opcode = HSL_OP_STORE, .dst = A(0), .len = 17 }, HSL_ST_LENGTH, 0 },
	{ "STORE len 65", { .opcode = HSL_OP_STORE, .dst = A(0), .src = B(0), .len = 65 }, HSL_ST_LENGTH, 0 },
	{ "STORE src and args", { .opcode = HSL_OP_STORE, .dst = A(0), .src = B(0), .len = 8, .arg1 = 1 }, HSL_ST_FIELD, 0 },
	{ "STORE dst 0", { .opcode = HSL_OP_STORE, .len = 8, .arg0 = 1 }, HSL_ST_SEGMENT, 0 },
	{ "FENCE len", { .opcode = HSL_OP_FENCE, .len = 1 }, HSL_ST_FIELD, 0 },
	{ "COPY2D rows", { .opcode = HSL_OP_COPY2D, .dst = A(0), .src = B(0), .len = 8, .arg0 = 1ull << 32,
	  .arg1 = HSL_PITCH(8, 8) }, HSL_ST_FIELD, 0 },
	{ "COPY2D dst pitch", { .opcode = HSL_OP_COPY2D, .dst = A(0), .src = B(0), .len = 8, .arg0 = 2,
	  .arg1 = HSL_PITCH(7, 8) }, HSL_ST_FIELD, 0 },
	{ "COPY2D total", { .opcode = HSL_OP_COPY2D, .dst = 8, .src = 8, .len = 1u << 31, .arg0 = 0xffffffff,
	  .arg1 = HSL_PITCH(1u << 31, 0) }, HSL_ST_LENGTH, 0 },
	{ "COPY2D extent", { .opcode = HSL_OP_COPY2D, .dst = A(0), .src = B(0), .len = 1, .arg0 = 1u << 29,
	  .arg1 = HSL_PITCH(0xffffffff, 0) }, HSL_ST_RANGE, A(LEN) },
	{ "COPY2D src extent", { .opcode = HSL_OP_COPY2D, .dst = A(0), .src = B(0), .len = 8, .arg0 = 4,
	  .arg1 = HSL_PITCH(8, 32768) }, HSL_ST_RANGE, B(LEN) },
	{ "COPY2D last row fits", { .opcode = HSL_OP_COPY2D, .dst = A(0), .src = B(0), .len = 8, .arg0 = 2,
	  .arg1 = HSL_PITCH(LEN - 8, LEN - 8) }, HSL_ST_OK, 0 },
	{ "COPY2D last row does not", { .opcode = HSL_OP_COPY2D, .dst = A(0), .src = B(0), .len = 8, .arg0 = 2,
	  .arg1 = HSL_PITCH(LEN - 7, LEN - 8) }, HSL_ST_RANGE, A(LEN) },
	{ "COPY2D no rows", { .opcode = HSL_OP_COPY2D, .dst = 1, .src = 1, .len = 8, .arg1 = 8 }, HSL_ST_OK, 0 },
	{ "COPY_LIST dst", { .opcode = HSL_OP_COPY_LIST, .dst = 1, .src = A(0), .len = 32 }, HSL_ST_FIELD, 0 },
	{ "COPY_LIST len", { .opcode = HSL_OP_COPY_LIST, .src = A(0), .len = 33 }, HSL_ST_LENGTH, 0 },
	{ "COPY_LIST too many", { .opcode = HSL_OP_COPY_LIST, .src = A(0), .len = 1025 * 32 }, HSL_ST_LENGTH, 0 },
	{ "COPY_LIST alignment", { .opcode = HSL_OP_COPY_LIST, .src = A(4), .len = 32 }, HSL_ST_ALIGN, A(4) },
	{ "COPY_LIST segment", { .opcode = HSL_OP_COPY_LIST, .src = 32, .len = 32 }, HSL_ST_SEGMENT, 32 },
	{ "COPY_LIST range", { .opcode = HSL_OP_COPY_LIST, .src = A(LEN - 32), .len = 64 }, HSL_ST_RANGE, A(LEN) },
	{ "COPY_LIST rights", { .opcode = HSL_OP_COPY_LIST, .src = WO, .len = 64 }, HSL_ST_RIGHTS, WO },
	{ "COPY_LIST empty", { .opcode = HSL_OP_COPY_LIST, .src = 8 }, HSL_ST_OK, 0 },
};

/* HEP-TXN-003, -010, -016 to -019, HEP-ATM-003, -005 */
static void refused(void **state)
{
	struct world *w = *state;
	uint8_t *mem = malloc(2 * MEM);

	for (unsigned int nasty = 0; nasty < 2; nasty++) {
		atomic_store(&w->f->nasty, nasty);
		for (size_t i = 0; i < sizeof(bads) / sizeof(bads[0]); i++) {
			struct hsl_cqe e;

			memcpy(mem, w->f->chip[1].mem, MEM);
			memcpy(mem + MEM, w->f->chip[2].mem, MEM);
			e = fake_run(&w->q, &bads[i].d);
			if (HSL_CQE_CODE(e.status) != bads[i].status || e.fault_ga != bads[i].fault)
				fail_msg("%s: status %u, fault %#llx", bads[i].name, HSL_CQE_CODE(e.status),
					 (unsigned long long)e.fault_ga);
			if (bads[i].status) {
				assert_memory_equal(mem, w->f->chip[1].mem, MEM);
				assert_memory_equal(mem + MEM, w->f->chip[2].mem, MEM);
				assert_int_equal(e.result, 0);
			}
		}
	}
	free(mem);
}

/* HEP-TXN-026 */
static void capabilities(void **state)
{
	static const struct { uint8_t opcode; uint64_t cap; } ops[] = {
		{ HSL_OP_COPY, HSL_CAP_OP_COPY }, { HSL_OP_FILL, HSL_CAP_OP_FILL }, { HSL_OP_REDUCE, HSL_CAP_OP_REDUCE },
		{ HSL_OP_ATOMIC, HSL_CAP_OP_ATOMIC }, { HSL_OP_LOAD, HSL_CAP_OP_LOADSTORE },
		{ HSL_OP_STORE, HSL_CAP_OP_LOADSTORE }, { HSL_OP_SIGNAL, HSL_CAP_OP_SIGNAL },
		{ HSL_OP_WAIT, HSL_CAP_OP_SIGNAL }, { HSL_OP_FENCE, HSL_CAP_OP_FENCE },
		{ HSL_OP_COPY2D, HSL_CAP_OP_COPY2D }, { HSL_OP_COPY_LIST, HSL_CAP_OP_COPY_LIST },
	};
	struct world *w = *state;
	struct hsl_chip_engine *c = w->f->chip[1].e;
	uint64_t cap = c->cap;

	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		/* the only mistake is a reserved field, which is looked at later */
		struct hsl_desc d = { .opcode = ops[i].opcode, .rsvd0 = 1 };

		assert_true(cap & ops[i].cap);
		IS(fake_run(&w->q, &d), HSL_ST_FIELD);
		c->cap = cap & ~ops[i].cap;
		IS(fake_run(&w->q, &d), HSL_ST_OPCODE);
		c->cap = cap;
	}
}

static void entry(uint8_t *at, uint64_t dst, uint64_t src, uint64_t len, uint64_t rsvd)
{
	struct hsl_copy_entry e = { dst, src, len, rsvd };

	memcpy(at, &e, sizeof(e));
}

/* HEP-TXN-019: each check of an entry, the last one of a long list being wrong; not a byte has moved. */
static void lists(void **state)
{
	static const struct { uint64_t dst, src, len, rsvd; uint32_t status; uint64_t fault; } last[] = {
		{ A(0), B(0), 8, 1, HSL_ST_FIELD, 0 }, { A(0), B(0), 1ull << 40, 0, HSL_ST_LENGTH, 0 },
		{ A(0), B(0), ~0ull, 0, HSL_ST_LENGTH, 0 }, { 8, B(0), 8, 0, HSL_ST_SEGMENT, 8 },
		{ A(0), 8, 8, 0, HSL_ST_SEGMENT, 8 }, { A(0), B(LEN - 7), 8, 0, HSL_ST_RANGE, B(LEN) },
		{ RO, B(0), 8, 0, HSL_ST_RIGHTS, RO }, { A(0), WO, 8, 0, HSL_ST_RIGHTS, WO },
		{ 8, 8, 0, 0, HSL_ST_OK, 0 }, { A(100), B(50), 10, 0, HSL_ST_OK, 0 },
	};
	struct world *w = *state;
	uint8_t *list = w->host->host + 24, *before = malloc(LEN), *model = malloc(LEN);
	const unsigned int n = HSL_COPY_LIST_MAX;

	atomic_store(&w->f->nasty, true);
	for (size_t i = 0; i < sizeof(last) / sizeof(last[0]); i++) {
		uint64_t total = 0;
		uint32_t seed = 5;
		struct hsl_cqe e;

		fake_bytes(a(w), LEN, 1);
		fake_bytes(b(w), LEN, 2);
		memcpy(before, a(w), LEN);
		memcpy(model, a(w), LEN);
		for (unsigned int k = 0; k < n - 1; k++) {
			uint64_t len = fake_random(&seed) % 300, dst = fake_random(&seed) % (LEN - 300);
			uint64_t src = fake_random(&seed) % (LEN - 300);
			bool own = k % 3 == 0;	/* from chip 1 itself, overlapping now and then */

			entry(list + k * 32, A(dst), own ? A(src) : B(src), len, 0);
			memmove(model + dst, own ? model + src : b(w) + src, len);
			total += len;
		}
		entry(list + (n - 1) * 32, last[i].dst, last[i].src, last[i].len, last[i].rsvd);
		e = fake_run(&w->q, &(struct hsl_desc){ .opcode = HSL_OP_COPY_LIST, .src = H(0), .len = n * 32 });
		IS(e, last[i].status);
		assert_int_equal(e.fault_ga, last[i].fault);
		if (last[i].status) {
			assert_memory_equal(a(w), before, LEN);
			assert_int_equal(e.result, 0);
		} else {
			if (last[i].len)
				memmove(model + 100, b(w) + 50, 10);
			assert_memory_equal(a(w), model, LEN);
			assert_int_equal(e.result, total + last[i].len);
		}
	}
	atomic_store(&w->f->nasty, false);
	/* a list that overwrites itself is what it was when it was read */
	for (unsigned int k = 0; k < 64; k++)
		entry(a(w) + k * 32, A(k * 32), B(k * 32), 32, 0);
	OK(fake_run(&w->q, &(struct hsl_desc){ .opcode = HSL_OP_COPY_LIST, .src = A(0), .len = 64 * 32 }));
	assert_memory_equal(a(w), b(w), 64 * 32);
	free(before);
	free(model);
}

#define X(off)	HSL_GA(FAKE_HOST, 0x100000 + (off))	/* host memory whose page offset does not fit its GA */

/* A driver may put an aligned GA on memory that is not: words lie across pages then, nothing may loop or tear. */
static void misplaced(void **state)
{
	struct world *w = *state;
	const uint64_t cross = X(4096 - 8);		/* 5 bytes in the first page */
	struct fake_mem *m = fake_seg_host(w->f, 1, 6, 0x100000, 3, 3 * 4096, RW);
	const struct bad d[] = {
		{ "ATOMIC", { .opcode = HSL_OP_ATOMIC, .dst = cross, .len = 8 }, HSL_ST_ALIGN, cross },
		{ "ATOMIC inside", { .opcode = HSL_OP_ATOMIC, .dst = X(4), .len = 4 }, HSL_ST_ALIGN, X(4) },
		{ "SIGNAL", { .opcode = HSL_OP_SIGNAL, .dst = cross, .len = 8, .arg0 = 1 }, HSL_ST_ALIGN, cross },
		{ "WAIT", { .opcode = HSL_OP_WAIT, .src = cross, .len = 8 }, HSL_ST_ALIGN, cross },
		{ "REDUCE to", { .opcode = HSL_OP_REDUCE, .dst = X(0), .src = A(0), .len = 8192 }, HSL_ST_ALIGN, X(0) },
		{ "REDUCE from", { .opcode = HSL_OP_REDUCE, .dst = A(0), .src = X(8), .len = 8192 }, HSL_ST_ALIGN, X(8) },
		{ "COPY_LIST", { .opcode = HSL_OP_COPY_LIST, .src = X(32), .len = 8192 }, HSL_ST_ALIGN, X(32) },
	};
	uint8_t *before = malloc(m->bytes);

	fake_bytes(m->host, m->bytes, 9);
	memcpy(before, m->host, m->bytes);
	for (unsigned int nasty = 0; nasty < 2; nasty++) {
		atomic_store(&w->f->nasty, nasty);
		for (size_t i = 0; i < sizeof(d) / sizeof(d[0]); i++) {
			struct hsl_cqe e = fake_run(&w->q, &d[i].d);

			if (HSL_CQE_CODE(e.status) != d[i].status || e.fault_ga != d[i].fault)
				fail_msg("%s: status %u, fault %#llx", d[i].name, HSL_CQE_CODE(e.status),
					 (unsigned long long)e.fault_ga);
		}
	}
	assert_memory_equal(m->host, before, m->bytes);
	/* bytes go anywhere */
	OK(fake_run(&w->q, &(struct hsl_desc){ .opcode = HSL_OP_STORE, .dst = cross, .len = 8, .arg0 = 0x1122334455667788 }));
	assert_int_equal(fake_run(&w->q, &(struct hsl_desc){ .opcode = HSL_OP_LOAD, .src = cross, .len = 8 }).result,
			 0x1122334455667788);
	free(before);
}

static void model_reduce(uint64_t type, uint8_t *dst, const uint8_t *src, uint64_t len)
{
	uint8_t *read = malloc(len + 1);

	memcpy(read, src, len);
	for (uint64_t i = 0; type == HSL_TYPE_I64 && i < len; i += 8) {
		uint64_t x, y;

		memcpy(&x, dst + i, 8);
		memcpy(&y, read + i, 8);
		x += y;
		memcpy(dst + i, &x, 8);
	}
	for (uint64_t i = 0; type == HSL_TYPE_I32 && i < len; i += 4) {
		uint32_t x, y;

		memcpy(&x, dst + i, 4);
		memcpy(&y, read + i, 4);
		x += y;
		memcpy(dst + i, &x, 4);
	}
	free(read);
}

/* HEP-TXN-013, -016, -017, -018 over pages that lie anywhere and are mapped in small parts; operands overlap or not. */
static void scattered(void **state)
{
	struct world *w = *state;
	const uint64_t base[] = { A(0), B(0), H(0) };
	uint8_t *mem[] = { a(w), b(w), w->host->host + 24 }, *model[3];
	uint32_t seed = 77;

	for (unsigned int p = 0; p < 3; p++) {
		model[p] = malloc(HLEN);
		fake_bytes(mem[p], HLEN, p + 1);
		memcpy(model[p], mem[p], HLEN);
	}
	for (unsigned int i = 0; i < 3000; i++) {
		/* host memory, which has pages, is in most of them */
		unsigned int dp = i % 2 ? 2 : fake_random(&seed) % 3, sp = i % 3 ? 2 : fake_random(&seed) % 3;
		uint64_t dst = fake_random(&seed) % (HLEN / 2), src = fake_random(&seed) % (HLEN / 2);
		uint64_t len = fake_random(&seed) % (HLEN / 2);
		struct hsl_desc d = { .opcode = HSL_OP_REDUCE };

		atomic_store(&w->f->nasty, i & 4);
		if (i % 7 < 4) {
			unsigned int type = i & 8 ? HSL_TYPE_I64 : HSL_TYPE_I32;

			if (i & 16)	/* close to each other */
				src = dst + fake_random(&seed) % 512 - (dst < 256 ? 0 : 256);
			dst &= ~7ull;
			src &= ~7ull;
			len &= ~7ull;
			d.subop = HSL_REDUCE_SUBOP(HSL_REDUCE_ADD, type);
			model_reduce(type, model[dp] + dst, model[sp] + src, len);
		} else if (i % 7 < 6) {
			uint64_t rows = 1 + fake_random(&seed) % 40, dpitch, spitch;

			len = 1 + len % 300;
			dpitch = len + fake_random(&seed) % 100;
			spitch = fake_random(&seed) % 400;
			sp = dp == sp ? (dp + 1) % 3 : sp;
			d.opcode = HSL_OP_COPY2D;
			d.arg0 = rows;
			d.arg1 = HSL_PITCH(dpitch, spitch);
			for (uint64_t r = 0; r < rows; r++)
				memcpy(model[dp] + dst + r * dpitch, model[sp] + src + r * spitch, len);
		} else {
			len = 1 + len % 64;
			d.opcode = i & 8 ? HSL_OP_LOAD : HSL_OP_STORE;
			dst = 4096 * (1 + dst % 4) - fake_random(&seed) % 80;
			memmove(model[dp] + dst, model[sp] + src, len);
		}
		d.dst = base[dp] + dst;
		d.src = base[sp] + src;
		d.len = len;
		OK(fake_run(&w->q, &d));
		for (unsigned int p = 0; p < 3; p++) {
			if (memcmp(mem[p], model[p], HLEN))
				fail_msg("round %u, opcode %u, %#llx from %#llx, %llu bytes: place %u is wrong", i, d.opcode,
					 (unsigned long long)d.dst, (unsigned long long)d.src, (unsigned long long)len, p);
		}
	}
	for (unsigned int p = 0; p < 3; p++)
		free(model[p]);
}

/* HEP-TXN-014 does not depend on how the thread that made the fabric rounds, or whether it flushes subnormals. */
static void rounding(void **state)
{
	struct world *w = NULL;
	float d[3] = { 0x1p-149f, 1, 0x1p-126f }, s[3] = { 0x1p-149f, 0x1p-30f, -0x1p-127f };
	const float want[3] = { 0x1p-148f, 1, 0x1p-127f };

	assert_int_equal(fesetround(FE_UPWARD), 0);
#ifdef __x86_64__
	__builtin_ia32_ldmxcsr(__builtin_ia32_stmxcsr() | 0x8040);
#endif
	setup((void **)&w);
	fesetenv(FE_DFL_ENV);
	memcpy(a(w), d, sizeof(d));
	memcpy(b(w), s, sizeof(s));
	OK(fake_run(&w->q, &(struct hsl_desc){ .opcode = HSL_OP_REDUCE, .dst = A(0), .src = B(0), .len = sizeof(d),
					       .subop = HSL_REDUCE_SUBOP(HSL_REDUCE_ADD, HSL_TYPE_F32) }));
	assert_memory_equal(a(w), want, sizeof(want));
	*state = w;
	teardown(state);
}

struct flipper {
	uint8_t *list;
	_Atomic bool stop;
};

static void *flip(void *opaque)
{
	struct flipper *f = opaque;

	/* between a good entry and one that points at what the context does not have */
	for (unsigned int i = 0; !atomic_load(&f->stop); i++) {
		__atomic_store_n((uint64_t *)(void *)(f->list + 32 * (i % 64)), i & 1 ? A(0) : HSL_GA(1, 0x80000),
				 __ATOMIC_RELAXED);
		__atomic_store_n((uint64_t *)(void *)(f->list + 32 * (i % 64) + 16), i & 1 ? 64 : ~0ull, __ATOMIC_RELAXED);
	}
	return NULL;
}

/* HEP-QUE-002, HEP-SEC-001 for lists: what was checked is what is done. */
static void lists_that_change(void **state)
{
	struct world *w = *state;
	struct flipper f = { .list = w->host->host + 24 };
	unsigned int ok = 0, refused_ = 0;
	pthread_t thread;

	memset(w->f->chip[1].mem + 0x80000, 0x5a, 4096);
	fake_bytes(b(w), LEN, 2);
	for (unsigned int k = 0; k < 64; k++)
		entry(f.list + k * 32, A(0), B(0), 64, 0);
	assert_int_equal(pthread_create(&thread, NULL, flip, &f), 0);
	for (unsigned int i = 0; i < 3000; i++) {
		struct hsl_cqe e = fake_run(&w->q, &(struct hsl_desc){ .opcode = HSL_OP_COPY_LIST, .src = H(0),
								       .len = i % 2 ? 64 * 32 : 32 });

		ok += HSL_CQE_CODE(e.status) == HSL_ST_OK;
		refused_ += HSL_CQE_CODE(e.status) != HSL_ST_OK;
	}
	atomic_store(&f.stop, true);
	pthread_join(thread, NULL);
	assert_int_equal(ok + refused_, 3000);
	for (unsigned int i = 0; i < 4096; i++)
		assert_int_equal(w->f->chip[1].mem[0x80000 + i], 0x5a);
}

struct adder {
	struct fake_queue *q;		/* or a CPU */
	uint64_t *word;
	uint64_t ga;
};

#define ADDS 4000u

static void *add(void *opaque)
{
	struct adder *t = opaque;

	for (unsigned int i = 0; i < ADDS; i++) {
		if (!t->q)
			__atomic_fetch_add(t->word, 1, __ATOMIC_SEQ_CST);
		else if (i % 2)
			fake_run(t->q, &(struct hsl_desc){ .opcode = HSL_OP_ATOMIC, .dst = t->ga, .len = 8, .arg0 = 1 });
		else
			fake_run(t->q, &(struct hsl_desc){ .opcode = HSL_OP_SIGNAL, .subop = HSL_SIGNAL_ADD, .dst = t->ga,
							   .len = 8, .arg0 = 1 });
	}
	return NULL;
}

/* HEP-ATM-002, -004 */
static void atomics_at_once(void **state)
{
	struct world *w = *state;
	const uint64_t ga[] = { A(64), B(64), H(40) };
	uint64_t *words[] = { (uint64_t *)(void *)(a(w) + 64), (uint64_t *)(void *)(b(w) + 64),
			      (uint64_t *)(void *)(w->host->host + 64) };

	for (unsigned int i = 0; i < 3; i++) {
		struct adder t[3] = { { &w->q, words[i], ga[i] }, { &w->q2, words[i], ga[i] }, { NULL, words[i], ga[i] } };
		pthread_t thread[3];

		if (i == 2)	/* host memory is mapped on both chips alike */
			assert_int_equal((uintptr_t)words[i] % 8, 0);
		__atomic_store_n(words[i], 0, __ATOMIC_SEQ_CST);
		for (unsigned int k = 0; k < 3; k++)
			assert_int_equal(pthread_create(&thread[k], NULL, add, &t[k]), 0);
		for (unsigned int k = 0; k < 3; k++)
			pthread_join(thread[k], NULL);
		assert_int_equal(*words[i], 3 * ADDS);
	}
}

/* HEP-MAP-010: each long kind ends with REVOKED or had ended, when its segment goes. */
static void revoked(void **state)
{
	struct world *w = *state;
	struct hsl_seg_entry none = { 0 };

	for (unsigned int k = 0; k < 64; k++)
		entry(w->host->host + 24 + k * 32, A(0), B(0), LEN, 0);
	for (unsigned int i = 0; i < 200; i++) {
		const struct hsl_desc d[] = {
			{ .opcode = HSL_OP_COPY2D, .dst = A(0), .src = B(0), .len = 1024, .arg0 = 60,
			  .arg1 = HSL_PITCH(1024, 512) },
			{ .opcode = HSL_OP_COPY_LIST, .src = H(0), .len = 64 * 32 },
			{ .opcode = HSL_OP_REDUCE, .subop = HSL_REDUCE_SUBOP(HSL_REDUCE_MIN, HSL_TYPE_BF16), .dst = A(0),
			  .src = B(0), .len = LEN },
		};
		struct hsl_cqe e;

		for (unsigned int k = 0; k < 30; k++)
			fake_submit(&w->q, &d[i % 3]);
		fake_doorbell(&w->q);
		fake_seg(&w->f->chip[1], 1, i % 2 ? 1 : 2, &none, false);
		memset(i % 2 ? a(w) : b(w), 0x77, LEN);	/* nobody else writes or looks now, the sanitizer would see it */
		for (unsigned int k = 0; k < 30; k++) {
			e = fake_wait(&w->q);
			/* DENIED: began when the home had dropped the entry and the requester not yet */
			if (HSL_CQE_CODE(e.status) != HSL_ST_OK && HSL_CQE_CODE(e.status) != HSL_ST_REVOKED &&
			    HSL_CQE_CODE(e.status) != HSL_ST_SEGMENT && HSL_CQE_CODE(e.status) != HSL_ST_DENIED)
				fail_msg("round %u, command %u: status %u, fault %#llx", i, k, HSL_CQE_CODE(e.status),
					 (unsigned long long)e.fault_ga);
			if (HSL_CQE_CODE(e.status))
				assert_int_equal(e.fault_ga, i % 2 ? A(0) : B(0));
		}
		if (i % 2)
			fake_seg_chip(w->f, 1, 1, 1, 4096, LEN, RW);
		else
			fake_seg_chip(w->f, 1, 2, 2, 8192, LEN, RW);
	}
}

/* HEP-SEC-008: what tables make a chip remember is bounded. The bound is brought near, not the segments. */
static void too_many_segments(void **state)
{
	struct world *w = *state;
	struct hsl_chip_engine *c = w->f->chip[1].e;
	uint32_t others = HSL_CACHED_SEGS_MAX - 40, used;

	OK(fake_fill(&w->q, A(0), 8, 1));
	used = c->cached_segs;
	assert_int_equal(used, 5);
	c->cached_segs += others;
	/* what is there stays, and may change */
	OK(fake_fill(&w->q, A(0), 8, 2));
	fake_seg_gone(w->f, 1, 5);
	fake_seg_chip(w->f, 1, 5, 1, 0x50000, 4096, HSL_SEG_WRITE);
	OK(fake_fill(&w->q, WO, 8, 2));
	/* one entry too many counts as invalid and spoils nothing */
	c->cached_segs = HSL_CACHED_SEGS_MAX;
	fake_seg_chip(w->f, 1, 6, 1, 0x60000, 4096, RW);
	IS(fake_fill(&w->q, HSL_GA(1, 0x60000), 8, 2), HSL_ST_SEGMENT);
	OK(fake_fill(&w->q, A(0), 8, 2));
	c->cached_segs = used + others;
	fake_seg_chip(w->f, 1, 6, 1, 0x60000, 4096, RW);
	OK(fake_fill(&w->q, HSL_GA(1, 0x60000), 8, 2));
	fake_seg_gone(w->f, 1, 6);
	/* a context that is read anew does not fit any more; when there is room, it does */
	assert_int_equal(fake_admin(&w->f->chip[1], (struct hsl_desc){ .opcode = HSL_OP_CTX_INVALIDATE, .arg0 = 1 }), HSL_ST_OK);
	assert_int_equal(c->cached_segs, others);
	IS(fake_fill(&w->q, A(0), 8, 3), HSL_ST_SEGMENT);
	IS(fake_fill(&w->q, A(0), 8, 3), HSL_ST_SEGMENT);
	c->cached_segs -= others;
	OK(fake_fill(&w->q, A(0), 8, 4));
	assert_int_equal(c->cached_segs, used);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(refused, setup, teardown),
		cmocka_unit_test_setup_teardown(capabilities, setup, teardown),
		cmocka_unit_test_setup_teardown(lists, setup, teardown),
		cmocka_unit_test_setup_teardown(misplaced, setup, teardown),
		cmocka_unit_test_setup_teardown(scattered, setup, teardown),
		cmocka_unit_test(rounding),
		cmocka_unit_test_setup_teardown(lists_that_change, setup, teardown),
		cmocka_unit_test_setup_teardown(atomics_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(revoked, setup, teardown),
		cmocka_unit_test_setup_teardown(too_many_segments, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
