// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Commands of the engine: every check and its status, in order, with nothing changed; COPY and FILL against a
 * byte-wise oracle over all places, sizes and overlaps.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine_rig.c"

#define MEM	(4ull << 20)
#define R	HSL_SEG_READ
#define W	HSL_SEG_WRITE
#define RW	(HSL_SEG_READ | HSL_SEG_WRITE)
#define CTX	1u
#define HSEG	(3ull << 20)

/*
 * Context 1 on three chips: handles 1..3 the memory of chip 1..3 from 64 KiB on, 4 and 5 host memory, 6 read-only, 7
 * write-only memory of chip 1. Context 2 owns the first 64 KiB of chip 1.
 */
struct world {
	struct fake_fabric *f;
	struct fake_queue q[4];		/* of chip 1..3 */
	struct fake_mem *host[2];
	uint32_t skip[2];
};

static struct world *world_new(void)
{
	struct world *w = calloc(1, sizeof(*w));

	w->f = fake_new(3, HSL_TOPO_MESH, 2, MEM);
	fake_ctx_all(w->f, CTX);
	fake_ctx_all(w->f, 2);
	for (uint32_t n = 1; n <= 3; n++)
		fake_seg_chip(w->f, CTX, n, n, 65536, MEM - 65536 - 8192, RW);
	w->skip[0] = 4001;
	w->host[0] = fake_seg_host(w->f, CTX, 4, 0x10000000, w->skip[0], HSEG, RW);
	w->host[1] = fake_seg_host(w->f, CTX, 5, 0x20000000, w->skip[1], HSEG, RW);
	fake_seg_chip(w->f, CTX, 6, 1, MEM - 8192, 4096, R);
	fake_seg_chip(w->f, CTX, 7, 1, MEM - 4096, 4096, W);
	fake_seg_chip(w->f, 2, 1, 1, 0, 65536, RW);
	for (uint32_t n = 1; n <= 3; n++)
		assert_int_equal(fake_queue_new(&w->q[n], &w->f->chip[n], 1, CTX, 64, 1), HSL_ST_OK);
	return w;
}

static int setup(void **state)
{
	*state = world_new();
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	fake_free(w->f);
	free(w);
	return 0;
}

/* First byte of place p: 0..2 memory of chip 1..3, 3 and 4 host memory. */
static uint64_t place_ga(unsigned int p)
{
	return p < 3 ? HSL_GA(p + 1, 65536) : HSL_GA(FAKE_HOST, p == 3 ? 0x10000000 : 0x20000000);
}

static uint8_t *place_host(struct world *w, unsigned int p)
{
	return p < 3 ? w->f->chip[p + 1].mem + 65536 : w->host[p - 3]->host + w->skip[p - 3];
}

/* ---- statuses ---- */

struct bad {
	const char *name;
	struct hsl_desc d;
	uint32_t status;
	uint64_t fault;
};

#define C1	HSL_GA(1, 65536)
#define C1_END	HSL_GA(1, MEM - 8192)
#define RO	HSL_GA(1, MEM - 8192)
#define WO	HSL_GA(1, MEM - 4096)

static const struct bad bads[] = {
	{ "opcode", { .opcode = HSL_OP_COPY_LIST + 1 }, HSL_ST_OPCODE, 0 },
	{ "opcode 0xff", { .opcode = 0xff, .flags = 1 }, HSL_ST_OPCODE, 0 },
	{ "admin opcode", { .opcode = HSL_OP_CTX_INVALIDATE, .arg0 = 1 }, HSL_ST_OPCODE, 0 },
	{ "admin opcode", { .opcode = HSL_OP_QUEUE_DESTROY, .arg0 = 1 }, HSL_ST_OPCODE, 0 },
	{ "flags", { .opcode = HSL_OP_NOP, .flags = HSL_DF_ALL + 1 }, HSL_ST_FIELD, 0 },
	{ "order", { .opcode = HSL_OP_NOP, .order = 3 }, HSL_ST_FIELD, 0 },
	{ "subop", { .opcode = HSL_OP_FILL, .dst = C1, .len = 8, .subop = 1 }, HSL_ST_FIELD, 0 },
	{ "rsvd0", { .opcode = HSL_OP_COPY, .dst = C1, .src = C1, .len = 8, .rsvd0 = 1 }, HSL_ST_FIELD, 0 },
	{ "rsvd1", { .opcode = HSL_OP_COPY, .dst = C1, .src = C1, .len = 8, .rsvd1 = 1 }, HSL_ST_FIELD, 0 },
	{ "COPY arg0", { .opcode = HSL_OP_COPY, .dst = C1, .src = C1, .len = 8, .arg0 = 1 }, HSL_ST_FIELD, 0 },
	{ "FILL src", { .opcode = HSL_OP_FILL, .dst = C1, .src = C1, .len = 8 }, HSL_ST_FIELD, 0 },
	{ "NOP len", { .opcode = HSL_OP_NOP, .len = 1 }, HSL_ST_FIELD, 0 },
	{ "field before length", { .opcode = HSL_OP_FILL, .dst = C1, .len = ~0ull, .arg1 = 1 }, HSL_ST_FIELD, 0 },
	{ "length", { .opcode = HSL_OP_FILL, .dst = 0, .len = (1ull << 34) + 1 }, HSL_ST_LENGTH, 0 },
	{ "node 0", { .opcode = HSL_OP_FILL, .dst = 64, .len = 8 }, HSL_ST_SEGMENT, 64 },
	{ "unknown node", { .opcode = HSL_OP_FILL, .dst = HSL_GA(99, 0), .len = 8 }, HSL_ST_SEGMENT, HSL_GA(99, 0) },
	{ "switch", { .opcode = HSL_OP_FILL, .dst = HSL_GA(HSL_NODE_SWITCH_FIRST, 0), .len = 8 }, HSL_ST_SEGMENT,
	  HSL_GA(HSL_NODE_SWITCH_FIRST, 0) },
	{ "context 2's", { .opcode = HSL_OP_FILL, .dst = HSL_GA(1, 0), .len = 8 }, HSL_ST_SEGMENT, HSL_GA(1, 0) },
	{ "runs into ours", { .opcode = HSL_OP_FILL, .dst = C1 - 4, .len = 8 }, HSL_ST_SEGMENT, C1 - 4 },
	{ "runs out of ours", { .opcode = HSL_OP_FILL, .dst = C1_END - 4, .len = 8 }, HSL_ST_RANGE, C1_END },
	{ "wraps", { .opcode = HSL_OP_FILL, .dst = HSL_GA(3, 65536), .len = 1ull << 34 }, HSL_ST_RANGE,
	  HSL_GA(3, MEM - 8192) },
	{ "dst before src", { .opcode = HSL_OP_COPY, .dst = 8, .src = 16, .len = 8 }, HSL_ST_SEGMENT, 8 },
	{ "src", { .opcode = HSL_OP_COPY, .dst = C1, .src = 16, .len = 8 }, HSL_ST_SEGMENT, 16 },
	{ "src range", { .opcode = HSL_OP_COPY, .dst = C1, .src = C1_END - 1, .len = 2 }, HSL_ST_RANGE, C1_END },
	{ "read-only dst", { .opcode = HSL_OP_FILL, .dst = RO, .len = 8 }, HSL_ST_RIGHTS, RO },
	{ "range before rights", { .opcode = HSL_OP_FILL, .dst = RO, .len = 4097 }, HSL_ST_RANGE, RO + 4096 },
	{ "write-only src", { .opcode = HSL_OP_COPY, .dst = C1, .src = WO, .len = 8 }, HSL_ST_RIGHTS, WO },
};

/* HEP-TXN-002, -003, -008, -010, HEP-MAP-001, -003, -012, HEP-SEC-001 */
static void refused(void **state)
{
	struct world *w = *state;
	uint8_t *before = malloc(MEM);

	fake_bytes(w->f->chip[1].mem, MEM, 7);
	memcpy(before, w->f->chip[1].mem, MEM);
	for (unsigned int n = 1; n <= 3; n++) {
		for (size_t i = 0; i < sizeof(bads) / sizeof(bads[0]); i++) {
			struct hsl_desc d = bads[i].d;
			struct hsl_cqe c;

			d.cookie = 0x1000 + i;
			c = fake_run(&w->q[n], &d);
			if (HSL_CQE_CODE(c.status) != bads[i].status || c.fault_ga != bads[i].fault)
				fail_msg("%s: status %u fault 0x%llx", bads[i].name, HSL_CQE_CODE(c.status),
					 (unsigned long long)c.fault_ga);
			assert_int_equal(c.cookie, 0x1000 + i);
			assert_int_equal(c.result, 0);
		}
	}
	assert_memory_equal(before, w->f->chip[1].mem, MEM);
	free(before);
}

/* HEP-TXN-001, -007, -011 */
static void nothing(void **state)
{
	struct world *w = *state;
	struct hsl_cqe c = fake_run(&w->q[1], &(struct hsl_desc){ .opcode = HSL_OP_NOP, .cookie = 9, .order = 2 });

	assert_int_equal(HSL_CQE_CODE(c.status), HSL_ST_OK);
	assert_int_equal(c.cookie, 9);
	assert_int_equal(c.result | c.fault_ga, 0);
	assert_int_equal(c.sq_head, 1);
	c = fake_copy(&w->q[1], 0, 5, 0);
	assert_int_equal(HSL_CQE_CODE(c.status), HSL_ST_OK);
	c = fake_fill(&w->q[1], HSL_GA(77, 0), 0, 1);
	assert_int_equal(HSL_CQE_CODE(c.status), HSL_ST_OK);
	/* the rights of read-only and write-only memory are enough for what they allow */
	assert_int_equal(HSL_CQE_CODE(fake_copy(&w->q[2], C1, RO, 4096).status), HSL_ST_OK);
	assert_int_equal(HSL_CQE_CODE(fake_copy(&w->q[3], WO, C1, 4096).status), HSL_ST_OK);
}

/* ---- COPY ---- */

static const uint64_t sizes[] = { 1, 7, 64, 4095, 4096, 4097, 65535, 65536, 65537, 131073, 1 << 20 };

/* HEP-MAP-006, HEP-TXN-004, -009 */
static void copy_places(void **state)
{
	struct world *w = *state;
	uint8_t *src_old = malloc(HSEG), *dst_old = malloc(HSEG);
	uint32_t rng = 3;

	for (unsigned int by = 1; by <= 3; by++)
		for (unsigned int dp = 0; dp < 5; dp++)
			for (unsigned int sp = 0; sp < 5; sp++)
				for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		uint64_t len = sizes[i], d = fake_random(&rng) % 5000, s = (1 << 20) + 5001 + fake_random(&rng) % 5000;
		uint8_t *dh = place_host(w, dp), *sh = place_host(w, sp);
		struct hsl_cqe c;

		if ((len == 1 << 20 && (dp + sp + by) % 7) || (len > 65536 && (dp + sp + by + i) % 3))
			continue;
		/* the bytes around are watched, too */
		fake_bytes(sh + s - 64, len + 128, rng);
		fake_bytes(dh + (d < 64 ? 0 : d - 64), len + 128, rng + 1);
		memcpy(dst_old, dh, d + len + 64);
		memcpy(src_old, sh + s, len);
		c = fake_copy(&w->q[by], place_ga(dp) + d, place_ga(sp) + s, len);
		assert_int_equal(HSL_CQE_CODE(c.status), HSL_ST_OK);
		assert_int_equal(c.result, len);
		memcpy(dst_old + d, src_old, len);
		assert_memory_equal(dst_old, dh, d + len + 64);
		assert_memory_equal(src_old, sh + s, len);
	}
	free(src_old);
	free(dst_old);
}

static void overlaps(struct world *w, unsigned int place, uint32_t seed, unsigned int rounds)
{
	uint8_t *mem = place_host(w, place), *want = malloc(600000);
	uint32_t rng = seed;

	for (unsigned int i = 0; i < rounds; i++) {
		uint64_t len = 1 + fake_random(&rng) % (i % 4 ? 9000 : 250000);
		uint64_t s = fake_random(&rng) % 40000, d = fake_random(&rng) % 40000;
		struct hsl_cqe c;

		if (!(i % 8))
			d = s + (i % 16 ? 1 : 0);
		fake_bytes(mem, 300000, i + 1);
		memcpy(want, mem, 300000);
		memmove(want + d, want + s, len);
		c = fake_copy(&w->q[1 + i % 3], place_ga(place) + d, place_ga(place) + s, len);
		assert_int_equal(HSL_CQE_CODE(c.status), HSL_ST_OK);
		assert_int_equal(c.result, len);
		assert_memory_equal(want, mem, 300000);
	}
	free(want);
}

/* HEP-TXN-005 */
static void copy_overlap(void **state)
{
	struct world *w = *state;

	for (unsigned int place = 0; place < 5; place++)
		overlaps(w, place, place + 11, 40);
}

/* The same when every mapping is shorter than asked for. */
static void copy_nasty(void **state)
{
	struct world *w = *state;

	atomic_store(&w->f->nasty, true);
	overlaps(w, 0, 91, 10);
	overlaps(w, 3, 92, 40);
	overlaps(w, 4, 93, 40);
}

/* Overlap across two segments that lie one behind the other. */
static void copy_overlap_segments(void **state)
{
	struct world *w = *state;
	uint8_t *mem = w->f->chip[2].mem, *want = malloc(MEM);

	/* context 3: three segments over chip 2, copies whose operands lie in different ones cannot overlap, in one can */
	fake_ctx_all(w->f, 3);
	fake_seg_chip(w->f, 3, 1, 2, 65536, 200000, RW);
	fake_seg_chip(w->f, 3, 2, 2, 265536, 200000, RW);
	struct fake_queue q;

	assert_int_equal(fake_queue_new(&q, &w->f->chip[1], 2, 3, 64, 1), HSL_ST_OK);
	fake_bytes(mem, MEM, 5);
	memcpy(want, mem, MEM);
	memmove(want + 265536, want + 65536, 200000);
	assert_int_equal(HSL_CQE_CODE(fake_copy(&q, HSL_GA(2, 265536), HSL_GA(2, 65536), 200000).status), HSL_ST_OK);
	assert_memory_equal(want, mem, MEM);
	memmove(want + 65537, want + 65536, 199999);
	assert_int_equal(HSL_CQE_CODE(fake_copy(&q, HSL_GA(2, 65537), HSL_GA(2, 65536), 199999).status), HSL_ST_OK);
	assert_memory_equal(want, mem, MEM);
	/* no operand spans two of them */
	assert_int_equal(HSL_CQE_CODE(fake_copy(&q, HSL_GA(2, 265530), HSL_GA(2, 65536), 10).status), HSL_ST_RANGE);
	free(want);
}

/* HEP-TXN-006 */
static void fill(void **state)
{
	static const uint64_t patterns[] = { 0, 0x0807060504030201ull, 0xabababababababab, 0xff00000000000000ull };
	struct world *w = *state;
	uint8_t *want = malloc(HSEG);
	uint32_t rng = 17;

	for (unsigned int i = 0; i < 300; i++) {
		uint64_t len = i < 40 ? i : fake_random(&rng) % (i % 5 ? 5000 : 200000), off = 64 + fake_random(&rng) % 70;
		uint64_t p = patterns[i % 4];
		unsigned int place = i % 5;
		uint8_t *mem = place_host(w, place);
		struct hsl_cqe c;

		atomic_store(&w->f->nasty, i & 32);
		fake_bytes(mem, off + len + 64, i);
		memcpy(want, mem, off + len + 64);
		for (uint64_t k = 0; k < len; k++)
			want[off + k] = (uint8_t)(p >> (k % 8 * 8));
		c = fake_fill(&w->q[1 + i % 3], place_ga(place) + off, len, p);
		assert_int_equal(HSL_CQE_CODE(c.status), HSL_ST_OK);
		assert_int_equal(c.result, len);
		assert_memory_equal(want, mem, off + len + 64);
	}
	free(want);
}

/* ---- host pages that are not there ---- */

static void dma_status(void **state)
{
	struct world *w = *state;
	struct fake_fabric *f = w->f;
	struct fake_mem *root = fake_mem(f, 4096), *page = fake_mem(f, 3 * 4096);
	uint64_t *pte = (uint64_t *)(void *)root->host;
	uint64_t ga = HSL_GA(FAKE_HOST, 0x30000000);
	struct hsl_seg_entry e = { .flags = HSL_SEG_VALID | HSL_SEG_PAGED | RW, .epoch = 1, .ga = ga, .len = 4 * 4096,
				   .pages = root->iova, .page_shift = 12, .page_levels = 1, .page_offset = 0 };
	struct hsl_cqe c;

	pte[0] = page->iova | HSL_PTE_VALID;
	pte[1] = (page->iova + 4096) | HSL_PTE_VALID;
	pte[2] = page->iova + 8192;			/* not valid */
	pte[3] = 0x123000 | HSL_PTE_VALID;		/* nothing there */
	fake_seg(&f->chip[1], CTX, 9, &e, false);
	c = fake_fill(&w->q[1], ga, 2 * 4096, 5);
	assert_int_equal(HSL_CQE_CODE(c.status), HSL_ST_OK);
	c = fake_fill(&w->q[1], ga + 100, 3 * 4096, 6);
	assert_int_equal(HSL_CQE_CODE(c.status), HSL_ST_DMA);
	assert_int_equal(c.fault_ga, ga + 2 * 4096);
	assert_int_equal(c.result, 2 * 4096 - 100);
	c = fake_copy(&w->q[1], C1, ga + 3 * 4096 + 8, 8);
	assert_int_equal(HSL_CQE_CODE(c.status), HSL_ST_DMA);
	assert_int_equal(c.fault_ga, ga + 3 * 4096 + 8);
	/* other commands are not disturbed */
	assert_int_equal(HSL_CQE_CODE(fake_copy(&w->q[1], C1, ga, 4096).status), HSL_ST_OK);
	assert_int_equal(f->chip[1].mem[65536 + 100], 6);
}

/* Pages of 64 KiB that the IOMMU hands out in pieces, backwards too. */
static void large_pages(void **state)
{
	struct world *w = *state;
	struct fake_fabric *f = w->f;
	struct fake_mem *root = fake_mem(f, 4096), *m = fake_mem(f, 8 << 16);
	uint64_t ga = HSL_GA(FAKE_HOST, 0x40000000), len = (4 << 16) - 100;
	uint8_t *want = malloc(8 << 16);
	struct hsl_seg_entry e = { .flags = HSL_SEG_VALID | HSL_SEG_PAGED | RW, .epoch = 1, .ga = ga, .len = len,
				   .pages = root->iova, .page_shift = 16, .page_levels = 1, .page_offset = 100 };

	/* page 0 lies behind page 1: the segment is not contiguous */
	for (unsigned int i = 0; i < 4; i++)
		((uint64_t *)(void *)root->host)[i] = (m->iova + ((i ^ 1) << 16)) | HSL_PTE_VALID;
	fake_seg(&f->chip[1], CTX, 10, &e, false);
	fake_bytes(f->chip[1].mem + 65536, len, 8);
	memcpy(want, f->chip[1].mem + 65536, len);
	assert_int_equal(HSL_CQE_CODE(fake_copy(&w->q[1], ga, C1, len).status), HSL_ST_OK);
	assert_memory_equal(m->host + 65536 + 100, want, 65536 - 100);
	assert_memory_equal(m->host, want + 65536 - 100, 65536);
	memmove(want + 777, want, len - 777);
	assert_int_equal(HSL_CQE_CODE(fake_copy(&w->q[1], ga + 777, ga, len - 777).status), HSL_ST_OK);
	assert_int_equal(HSL_CQE_CODE(fake_copy(&w->q[1], C1, ga, len).status), HSL_ST_OK);
	assert_memory_equal(f->chip[1].mem + 65536, want, len);
	free(want);
}

/* ---- admin queue ---- */

static void admin(void **state)
{
	struct world *w = *state;
	struct fake_chip *c = &w->f->chip[1];
	struct fake_mem *m = fake_mem(w->f, 8192);
	uint64_t sq = m->iova, cq = m->iova + 4096;
	static const uint64_t own[] = { HSL_GA(1, 0), HSL_GA(2, 0), HSL_GA(FAKE_HOST, 0x10000000), HSL_GA(1, MEM) };
	static const uint32_t st[] = { HSL_ST_OK, HSL_ST_SEGMENT, HSL_ST_SEGMENT, HSL_ST_SEGMENT };
#define ADMIN(...) fake_admin(c, (struct hsl_desc){ __VA_ARGS__ })
#define CREATE(qid, log2, vec, ctx, s, d) ADMIN(.opcode = HSL_OP_QUEUE_CREATE, \
	.arg0 = HSL_QC_ARG0(qid, log2, vec), .arg1 = (ctx), .dst = (s), .src = (d))

	assert_int_equal(ADMIN(.opcode = HSL_OP_NOP), HSL_ST_OK);
	for (int i = 0; i < 4; i++)
		assert_int_equal(ADMIN(.opcode = HSL_OP_FILL, .dst = own[i], .len = 16, .arg0 = 3), st[i]);
	assert_int_equal(c->mem[0], 3);
	assert_int_equal(c->mem[16], 0);
	assert_int_equal(ADMIN(.opcode = HSL_OP_FILL, .dst = HSL_GA(1, MEM - 8), .len = 16), HSL_ST_RANGE);
	assert_int_equal(ADMIN(.opcode = HSL_OP_COPY, .dst = HSL_GA(1, 32), .src = HSL_GA(1, 0), .len = 16), HSL_ST_OK);
	assert_int_equal(c->mem[32], 3);

	assert_int_equal(ADMIN(.opcode = HSL_OP_CTX_INVALIDATE, .arg0 = 0), HSL_ST_CONTEXT);
	assert_int_equal(ADMIN(.opcode = HSL_OP_CTX_INVALIDATE, .arg0 = FAKE_CTXS), HSL_ST_CONTEXT);
	assert_int_equal(ADMIN(.opcode = HSL_OP_CTX_INVALIDATE, .arg0 = 1ull << 32 | 1), HSL_ST_CONTEXT);
	assert_int_equal(ADMIN(.opcode = HSL_OP_CTX_INVALIDATE, .arg0 = 1, .arg1 = 1), HSL_ST_FIELD);
	assert_int_equal(ADMIN(.opcode = HSL_OP_SEG_INVALIDATE, .arg0 = 1, .arg1 = 0), HSL_ST_SEGMENT);
	assert_int_equal(ADMIN(.opcode = HSL_OP_SEG_INVALIDATE, .arg0 = 1, .arg1 = HSL_SEGS_MAX), HSL_ST_SEGMENT);
	assert_int_equal(ADMIN(.opcode = HSL_OP_SEG_INVALIDATE, .arg0 = 7, .arg1 = 3), HSL_ST_OK);

	/* HEP-QUE-009 */
	assert_int_equal(CREATE(0, 4, 1, CTX, sq, cq), HSL_ST_QUEUE);
	assert_int_equal(CREATE(1, 4, 1, CTX, sq, cq), HSL_ST_QUEUE);		/* in use */
	assert_int_equal(CREATE(FAKE_QUEUES, 4, 1, CTX, sq, cq), HSL_ST_QUEUE);
	assert_int_equal(CREATE(2, 0, 1, CTX, sq, cq), HSL_ST_QUEUE);
	assert_int_equal(CREATE(2, 13, 1, CTX, sq, cq), HSL_ST_QUEUE);
	assert_int_equal(CREATE(2, 255, 1, CTX, sq, cq), HSL_ST_QUEUE);
	assert_int_equal(CREATE(2, 4, FAKE_VECTORS, CTX, sq, cq), HSL_ST_QUEUE);
	assert_int_equal(CREATE(2, 4, 1, 0, sq, cq), HSL_ST_CONTEXT);
	assert_int_equal(CREATE(2, 4, 1, 5, sq, cq), HSL_ST_CONTEXT);
	assert_int_equal(CREATE(2, 4, 1, FAKE_CTXS, sq, cq), HSL_ST_CONTEXT);
	assert_int_equal(CREATE(2, 4, 1, CTX, sq + 64, cq), HSL_ST_ALIGN);
	assert_int_equal(CREATE(2, 4, 1, CTX, 0x5000, cq), HSL_ST_DMA);
	assert_int_equal(CREATE(2, 4, 1, CTX, sq, 0x5000), HSL_ST_DMA);
	assert_int_equal(CREATE(2, 12, 1, CTX, sq, cq), HSL_ST_DMA);		/* longer than what is there */
	assert_int_equal(CREATE(2, 12, 1, CTX, ~0xfffull, cq), HSL_ST_DMA);
	assert_int_equal(ADMIN(.opcode = HSL_OP_QUEUE_CREATE, .arg0 = 1ull << 40), HSL_ST_FIELD);
	assert_int_equal(fake_read32(c, HSL_DB_OFFSET_DEFAULT + 2 * HSL_DB_STRIDE_DEFAULT + HSL_DB_STATE),
			 HSL_QUEUE_RESET);
	assert_int_equal(CREATE(2, 4, 1, CTX, sq, cq), HSL_ST_OK);
	assert_int_equal(ADMIN(.opcode = HSL_OP_QUEUE_DESTROY, .arg0 = 2), HSL_ST_OK);
	assert_int_equal(ADMIN(.opcode = HSL_OP_QUEUE_DESTROY, .arg0 = 2), HSL_ST_QUEUE);
	assert_int_equal(ADMIN(.opcode = HSL_OP_QUEUE_DESTROY, .arg0 = 0), HSL_ST_QUEUE);
	assert_int_equal(ADMIN(.opcode = HSL_OP_QUEUE_DESTROY, .arg0 = FAKE_QUEUES), HSL_ST_QUEUE);
#undef ADMIN
#undef CREATE
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(refused), T(nothing), T(copy_places), T(copy_overlap), T(copy_nasty), T(copy_overlap_segments),
		T(fill), T(dma_status), T(large_pages), T(admin),
	};

	return cmocka_run_group_tests_name("engine command", tests, NULL, NULL);
}
