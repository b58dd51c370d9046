/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A driver and its machine for tests of the engine: DMA memory behind IOVAs, tables, rings, queues.
 *
 * An IOVA is node << 44 | (block + 1) << 24 | offset, of one chip: neither a pointer nor an IOVA of another chip
 * translates by accident. Every block is an allocation of its own, so AddressSanitizer guards its ends, and dma_map
 * ends at the block's end, or at every 4 KiB with short_maps. A map that is not undone fails fab_free().
 *
 * Blocks are only ever added, and never change once their count is published, so dma_map takes no lock. must() may be
 * used in any thread, cmocka's assertions only in the test's own.
 */
#ifndef FAKE_DRIVER_H
#define FAKE_DRIVER_H

#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "model_test.h"
#include "engine/engine.h"
#include "engine/engine_priv.h"

/* Nothing takes so long but by a lost wake-up. */
#ifndef FAKE_WAIT_MS
#define FAKE_WAIT_MS 60000u
#endif

#define must(cond) do { if (!(cond)) { \
	fprintf(stderr, "%s:%d: must(%s)\n", __FILE__, __LINE__, #cond); abort(); } } while (0)

#define FAKE_CHIPS	4
#define FAKE_BLOCKS	8192
#define FAKE_MEM	(2u << 20)
#define FAKE_CTXS	16u
#define FAKE_QUEUES	8u
#define FAKE_VECTORS	8u
#define FAKE_MAX_LEN	(1u << 20)
#define FAKE_GUARD	4096u

struct fab;

struct block {
	void *host;
	uint64_t bytes, iova;
	_Atomic bool bad;		/* does not translate */
};

struct fq {
	struct fchip *c;
	uint32_t qid, depth;
	struct block *sqb, *cqb, *shadowb;
	struct hsl_desc *sq;
	struct hsl_cqe *cq;
	struct hsl_queue_shadow *shadow;	/* NULL: its tail goes by doorbell */
	uint32_t tail, head;
	uint32_t bells;			/* with a shadow: doorbells that it took */
};

/* Queues made from now on have a shadow tail. */
static bool fake_shadow;
/* spin_iterations of fabrics made from now on. */
static unsigned int fake_spins = 100;

struct fwin { _Atomic uint32_t on, node; _Atomic uint64_t offset, size; };

struct fchip {
	struct fab *f;
	uint32_t node;
	uint8_t *mem;			/* FAKE_MEM bytes between two guards */
	struct hsl_chip_engine *e;
	struct block *block;
	pthread_mutex_t block_lock;	/* adding blocks */
	_Atomic uint32_t nblocks;
	_Atomic bool short_maps;
	_Atomic int64_t maps;		/* not undone yet */
	_Atomic uint64_t interrupts[FAKE_VECTORS];
	_Atomic uint64_t guest_errors, written;
	struct fwin win[4];
	_Atomic uint32_t refuse_window;
	struct hsl_ctx_entry *ctx;
	uint64_t *dir[FAKE_CTXS];
	struct hsl_seg_entry *leaf[FAKE_CTXS];	/* handles 0..63 */
	struct block *ctx_block, *dir_block[FAKE_CTXS], *leaf_block[FAKE_CTXS];
	struct fq admin;
};

struct fab {
	struct hsl_fabric_engine *e;
	uint32_t n;
	struct fchip c[FAKE_CHIPS + 1];
};

/* ---- memory of the machine ---- */

static inline struct block *dma_alloc(struct fchip *c, uint64_t bytes)
{
	struct block *b;
	uint32_t i;

	pthread_mutex_lock(&c->block_lock);
	i = atomic_load(&c->nblocks);
	must(i < FAKE_BLOCKS && bytes <= 1u << 24);
	b = &c->block[i];
	b->bytes = (bytes + 4095) / 4096 * 4096;
	b->host = aligned_alloc(4096, b->bytes);
	must(b->host);
	memset(b->host, 0, b->bytes);
	b->iova = (uint64_t)c->node << 44 | (uint64_t)(i + 1) << 24;
	atomic_store(&c->nblocks, i + 1);
	pthread_mutex_unlock(&c->block_lock);
	return b;
}

static inline void *fake_map(void *opaque, uint64_t iova, uint64_t *len, bool write)
{
	struct fchip *c = opaque;
	uint64_t i = (iova >> 24 & 0xfffff) - 1, off = iova & 0xffffff, room;
	struct block *b;

	(void)write;
	must(*len);
	if (iova >> 44 != c->node || i >= atomic_load(&c->nblocks))
		return NULL;
	b = &c->block[i];
	if (off >= b->bytes || atomic_load(&b->bad))
		return NULL;
	room = atomic_load(&c->short_maps) ? 4096 - off % 4096 : b->bytes - off;
	if (*len > room)
		*len = room;
	atomic_fetch_add(&c->maps, 1);
	return (char *)b->host + off;
}

static inline void fake_unmap(void *opaque, void *host, uint64_t len, bool write, uint64_t touched)
{
	struct fchip *c = opaque;

	must(host && touched <= len && (write || !touched));
	must(atomic_fetch_sub(&c->maps, 1) > 0);
}

static inline void fake_written(void *opaque, uint64_t off, uint64_t len)
{
	struct fchip *c = opaque;

	must(off < FAKE_MEM && len <= FAKE_MEM - off);
	atomic_fetch_add(&c->written, len);
}

static inline void fake_interrupt(void *opaque, unsigned int vector)
{
	struct fchip *c = opaque;

	must(vector < FAKE_VECTORS);
	atomic_fetch_add(&c->interrupts[vector], 1);
}

static inline unsigned int fake_window(void *opaque, unsigned int i, uint32_t ctrl, uint32_t node, uint64_t offset,
				       uint64_t size)
{
	struct fchip *c = opaque;
	uint64_t bytes;

	must(i < 4);
	if (ctrl && atomic_load(&c->refuse_window))
		return atomic_load(&c->refuse_window);
	must(atomic_load(&c->win[i].on) == !ctrl);
	if (ctrl) {
		must(hsl_fabric_engine_mem(c->f->e, node, &bytes));
		must(size && offset < bytes && size <= bytes - offset);
	}
	atomic_store(&c->win[i].on, ctrl != 0);
	atomic_store(&c->win[i].node, node);
	atomic_store(&c->win[i].offset, offset);
	atomic_store(&c->win[i].size, size);
	return HSL_ST_OK;
}

static inline void fake_guest_error(void *opaque, const char *msg)
{
	struct fchip *c = opaque;

	must(msg[0]);
	atomic_fetch_add(&c->guest_errors, 1);
}

static const struct hsl_chip_ops fake_ops = {
	.dma_map = fake_map,
	.dma_unmap = fake_unmap,
	.mem_written = fake_written,
	.interrupt = fake_interrupt,
	.window = fake_window,
	.guest_error = fake_guest_error,
};

/* ---- registers ---- */

static inline uint64_t rd(struct fchip *c, uint64_t off, unsigned int size)
{
	return hsl_chip_mmio_read(c->e, off, size);
}

static inline void wr(struct fchip *c, uint64_t off, uint64_t val, unsigned int size)
{
	hsl_chip_mmio_write(c->e, off, val, size);
}

static inline uint64_t db(uint32_t qid, uint64_t reg)
{
	return HSL_DB_OFFSET_DEFAULT + (uint64_t)qid * HSL_DB_STRIDE_DEFAULT + reg;
}

/* ---- queues ---- */

static inline void fq_publish(struct fq *q, uint32_t tail)
{
	if (q->shadow) {
		/* both seq_cst; partner: hsl_queue_sleep */
		atomic_store((_Atomic uint32_t *)&q->shadow->tail, tail);
		if (!atomic_load((_Atomic uint32_t *)&q->shadow->need_doorbell))
			return;
		q->bells++;
		tail = 0xdeadbeef;	/* the value says nothing */
	}
	wr(q->c, db(q->qid, HSL_DB_SQ_TAIL), tail, 4);
}

static inline void fq_submit(struct fq *q, const struct hsl_desc *d)
{
	must(q->tail - q->head < q->depth);
	q->sq[q->tail & (q->depth - 1)] = *d;
	q->tail++;
	fq_publish(q, q->tail);
}

/* True: the next completion is in *e, with a checked phase, queue id and head. */
static inline bool fq_poll(struct fq *q, struct hsl_cqe *e)
{
	struct hsl_cqe *at = &q->cq[q->head & (q->depth - 1)];
	uint32_t phase = q->head / q->depth & 1 ? 0 : HSL_CQE_PHASE;
	uint64_t last = atomic_load_explicit((_Atomic uint64_t *)(void *)&at->sq_head, memory_order_acquire);

	if ((uint32_t)(last >> 32 & HSL_CQE_PHASE) != phase)
		return false;
	*e = *at;
	must(e->qid == q->qid);
	q->head++;
	return true;
}

static inline bool fq_wait_ms(struct fq *q, struct hsl_cqe *e, unsigned int ms)
{
	struct timespec t0, t;

	clock_gettime(CLOCK_MONOTONIC, &t0);
	while (!fq_poll(q, e)) {
		sched_yield();
		clock_gettime(CLOCK_MONOTONIC, &t);
		if ((uint64_t)(t.tv_sec - t0.tv_sec) * 1000 + (uint64_t)(t.tv_nsec / 1000000) >
		    ms + (uint64_t)(t0.tv_nsec / 1000000))
			return false;
	}
	return true;
}

static inline struct hsl_cqe fq_wait(struct fq *q)
{
	struct hsl_cqe e;

	must(fq_wait_ms(q, &e, FAKE_WAIT_MS));
	return e;
}

/* One command, alone on its queue. */
static inline struct hsl_cqe fq_do(struct fq *q, struct hsl_desc d)
{
	struct hsl_cqe e;

	must(q->tail == q->head);
	d.cookie = 0xc00c1e0000000000ull | q->tail;
	fq_submit(q, &d);
	e = fq_wait(q);
	must(e.cookie == d.cookie && e.sq_head == (q->tail & 0xffff));
	return e;
}

static inline uint32_t code(struct hsl_cqe e)
{
	return HSL_CQE_CODE(e.status);
}

static inline struct hsl_desc copy_of(uint64_t dst, uint64_t src, uint64_t len)
{
	return (struct hsl_desc){ .opcode = HSL_OP_COPY, .dst = dst, .src = src, .len = len };
}

static inline struct hsl_desc fill_of(uint64_t dst, uint64_t len, uint64_t pattern)
{
	return (struct hsl_desc){ .opcode = HSL_OP_FILL, .dst = dst, .len = len, .arg0 = pattern };
}

static inline uint32_t admin(struct fchip *c, uint8_t opcode, uint64_t arg0, uint64_t arg1)
{
	return code(fq_do(&c->admin, (struct hsl_desc){ .opcode = opcode, .arg0 = arg0, .arg1 = arg1 }));
}

static inline void fq_rings(struct fchip *c, struct fq *q, uint32_t qid, uint32_t depth)
{
	*q = (struct fq){ .c = c, .qid = qid, .depth = depth };
	q->sqb = dma_alloc(c, depth * sizeof(*q->sq));
	q->cqb = dma_alloc(c, depth * sizeof(*q->cq));
	q->sq = q->sqb->host;
	q->cq = q->cqb->host;
	if (qid && fake_shadow) {
		q->shadowb = dma_alloc(c, sizeof(*q->shadow));
		q->shadow = q->shadowb->host;
	}
}

/* For another QUEUE_CREATE with the same memory. */
static inline void fq_again(struct fq *q)
{
	memset(q->cq, 0, q->depth * sizeof(*q->cq));
	q->head = q->tail = 0;
	if (q->shadow)
		memset(q->shadow, 0, sizeof(*q->shadow));
}

static inline struct hsl_desc create_of(const struct fq *q, uint32_t vector, uint32_t ctx)
{
	return (struct hsl_desc){
		.opcode = HSL_OP_QUEUE_CREATE,
		.dst = q->sqb->iova,
		.src = q->cqb->iova,
		.len = q->shadow ? q->shadowb->iova : 0,
		.arg0 = HSL_QC_ARG0(q->qid, __builtin_ctz(q->depth), vector),
		.arg1 = ctx,
	};
}

static inline uint32_t fq_create(struct fchip *c, struct fq *q, uint32_t qid, uint32_t depth, uint32_t ctx)
{
	fq_rings(c, q, qid, depth);
	return code(fq_do(&c->admin, create_of(q, qid % FAKE_VECTORS, ctx)));
}

static inline uint32_t fq_destroy(struct fq *q)
{
	return admin(q->c, HSL_OP_QUEUE_DESTROY, q->qid, 0);
}

/* ---- tables ---- */

static inline uint64_t ctx_key(uint32_t ctx)
{
	return 0x6b65790000000000ull | ctx;
}

static inline void ctx_write(struct fchip *c, uint32_t ctx, uint64_t key)
{
	c->ctx[ctx] = (struct hsl_ctx_entry){ .flags = HSL_CTX_VALID, .key = key, .seg_dir = c->dir_block[ctx]->iova };
}

static inline uint32_t ctx_invalidate(struct fchip *c, uint32_t ctx)
{
	return admin(c, HSL_OP_CTX_INVALIDATE, ctx, 0);
}

static inline uint32_t seg_invalidate(struct fchip *c, uint32_t ctx, uint32_t handle)
{
	return admin(c, HSL_OP_SEG_INVALIDATE, ctx, handle);
}

#define RW (HSL_SEG_VALID | HSL_SEG_READ | HSL_SEG_WRITE)

static inline struct hsl_seg_entry seg_of(uint32_t node, uint64_t off, uint64_t len, uint32_t flags)
{
	return (struct hsl_seg_entry){ .flags = flags, .epoch = 1, .ga = HSL_GA(node, off), .len = len };
}

/* Write and invalidate on one chip. */
static inline void seg_put(struct fchip *c, uint32_t ctx, uint32_t handle, struct hsl_seg_entry e)
{
	c->leaf[ctx][handle] = e;
	must(seg_invalidate(c, ctx, handle) == HSL_ST_OK);
}

/* On every chip of the fabric. */
static inline void seg_all(struct fab *f, uint32_t ctx, uint32_t handle, struct hsl_seg_entry e)
{
	for (uint32_t n = 1; n <= f->n; n++)
		seg_put(&f->c[n], ctx, handle, e);
}

/*
 * Host memory of npages pages of 1 << shift bytes behind a PAGE table; run pages at a time lie side by side.
 * page[i] is where page i is. The entry's GA is the host's offset `off`.
 */
static inline struct hsl_seg_entry paged_new(struct fchip *c, uint64_t off, uint64_t len, uint32_t page_offset,
					     unsigned int shift, unsigned int levels, unsigned int run, uint8_t **page)
{
	uint64_t npages = (page_offset + len + (1ull << shift) - 1) >> shift, *table, iova = 0;
	struct block *root, *b = NULL;
	struct hsl_seg_entry e = seg_of(HOST, off, len, RW | HSL_SEG_PAGED);

	must(npages <= 512);
	root = dma_alloc(c, 4096);
	table = root->host;
	for (uint64_t i = 0; i < npages; i++) {
		if (!(i % run)) {
			b = dma_alloc(c, (uint64_t)run << shift);
			iova = b->iova;
		}
		table[i] = iova | HSL_PTE_VALID;
		page[i] = (uint8_t *)b->host + ((i % run) << shift);
		iova += 1ull << shift;
	}
	for (unsigned int l = 1; l < levels; l++) {
		struct block *up = dma_alloc(c, 4096);

		*(uint64_t *)up->host = root->iova | HSL_PTE_VALID;
		root = up;
	}
	e.pages = root->iova;
	e.page_shift = (uint8_t)shift;
	e.page_levels = (uint8_t)levels;
	e.page_offset = page_offset;
	return e;
}

/* Copy between a buffer and paged memory, byte by byte: the test's own idea of the layout. */
static inline void paged_move(uint8_t **page, unsigned int shift, uint64_t at, uint8_t *buf, uint64_t len, bool out)
{
	for (uint64_t i = 0; i < len; i++, at++) {
		uint8_t *p = &page[at >> shift][at & ((1ull << shift) - 1)];

		if (out)
			*p = buf[i];
		else
			buf[i] = *p;
	}
}

/* ---- chips and the fabric ---- */

static inline void chip_attach(struct fchip *c)
{
	struct hsl_chip_engine_config cfg = {
		.node = c->node, .mem = c->mem, .mem_bytes = FAKE_MEM, .nqueues = FAKE_QUEUES,
		.nvectors = FAKE_VECTORS, .max_depth = 256, .ncontexts = FAKE_CTXS, .nwindows = 4,
		.win_stride_log2 = 20, .max_len = FAKE_MAX_LEN, .ops = &fake_ops, .opaque = c,
	};
	const char *err = NULL;

	c->e = hsl_chip_engine_new(c->f->e, &cfg, &err);
	must(c->e);
}

static inline void chip_program(struct fchip *c)
{
	wr(c, HSL_REG_AQ_SQ, c->admin.sqb->iova, 8);
	wr(c, HSL_REG_AQ_CQ, c->admin.cqb->iova, 8);
	wr(c, HSL_REG_AQ_DEPTH, c->admin.depth, 4);
	wr(c, HSL_REG_CTX_TABLE, c->ctx_block->iova, 8);
	wr(c, HSL_REG_CTX_COUNT, FAKE_CTXS, 4);
}

/* From reset to READY; tables keep what they say. */
static inline void chip_up(struct fchip *c)
{
	memset(c->admin.cqb->host, 0, c->admin.cqb->bytes);
	c->admin.tail = c->admin.head = 0;
	chip_program(c);
	wr(c, HSL_REG_CTRL, HSL_CTRL_ENABLE, 4);
	must(rd(c, HSL_REG_STATUS, 4) == HSL_STATUS_READY);
}

static inline void chip_init(struct fab *f, uint32_t node)
{
	struct fchip *c = &f->c[node];

	c->f = f;
	c->node = node;
	pthread_mutex_init(&c->block_lock, NULL);
	c->block = calloc(FAKE_BLOCKS, sizeof(*c->block));
	c->mem = aligned_alloc(4096, FAKE_MEM + 2 * FAKE_GUARD);
	must(c->block && c->mem);
	memset(c->mem, 0xa5, FAKE_MEM + 2 * FAKE_GUARD);
	c->mem += FAKE_GUARD;
	memset(c->mem, 0, FAKE_MEM);
	c->ctx_block = dma_alloc(c, FAKE_CTXS * sizeof(*c->ctx));
	c->ctx = c->ctx_block->host;
	for (uint32_t i = 1; i < FAKE_CTXS; i++) {
		c->dir_block[i] = dma_alloc(c, 4096);
		c->leaf_block[i] = dma_alloc(c, 4096);
		c->dir[i] = c->dir_block[i]->host;
		c->leaf[i] = c->leaf_block[i]->host;
		c->dir[i][0] = c->leaf_block[i]->iova;
	}
	fq_rings(c, &c->admin, 0, 16);
	chip_attach(c);
}

static inline void chip_memory_free(struct fchip *c)
{
	for (uint32_t i = 0; i < FAKE_GUARD; i++)
		must(c->mem[-1 - (int)i] == 0xa5 && c->mem[FAKE_MEM + i] == 0xa5);
	must(atomic_load(&c->maps) == 0);
	for (uint32_t i = 0; i < atomic_load(&c->nblocks); i++)
		free(c->block[i].host);
	free(c->block);
	free(c->mem - FAKE_GUARD);
	pthread_mutex_destroy(&c->block_lock);
}

static inline struct fab *fab_new(enum hsl_topology topology, uint32_t n, unsigned int workers)
{
	struct hsl_fabric_engine_config cfg = {
		.model = config(topology, n), .fabric_id = { 0x1111, 0x2222 }, .workers = workers,
		.spin_iterations = fake_spins,
	};
	struct fab *f = calloc(1, sizeof(*f));
	const char *err = NULL;

	must(f && n <= FAKE_CHIPS);
	f->e = hsl_fabric_engine_new(&cfg, &err);
	must(f->e);
	f->n = n;
	for (uint32_t i = 1; i <= n; i++)
		chip_init(f, i);
	for (uint32_t i = 1; i <= n; i++)
		chip_up(&f->c[i]);
	return f;
}

static inline void fab_free(struct fab *f)
{
	for (uint32_t i = 1; i <= f->n; i++)
		hsl_chip_engine_free(f->c[i].e);
	hsl_fabric_engine_free(f->e);
	for (uint32_t i = 1; i <= f->n; i++)
		chip_memory_free(&f->c[i]);
	free(f);
}

/* Context 1 valid on all chips, with all memory of chip n as its segment n. */
static inline struct fab *fab_ready(enum hsl_topology topology, uint32_t n, unsigned int workers)
{
	struct fab *f = fab_new(topology, n, workers);

	for (uint32_t i = 1; i <= n; i++) {
		ctx_write(&f->c[i], 1, ctx_key(1));
		must(ctx_invalidate(&f->c[i], 1) == HSL_ST_OK);
	}
	for (uint32_t i = 1; i <= n; i++)
		seg_all(f, 1, i, seg_of(i, 0, FAKE_MEM, RW));
	return f;
}

#endif
