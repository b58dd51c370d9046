// SPDX-License-Identifier: MIT OR Apache-2.0
/* See engine_rig.h. Included by the test programs, each of which is one source file. */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine_rig.h"

uint32_t fake_random(uint32_t *s)
{
	*s ^= *s << 13;
	*s ^= *s >> 17;
	*s ^= *s << 5;
	return *s;
}

void fake_bytes(void *p, uint64_t n, uint32_t seed)
{
	uint8_t *b = p;
	uint32_t s = seed * 2654435761u | 1;

	for (uint64_t i = 0; i < n; i += 4) {
		uint32_t v = fake_random(&s);

		memcpy(b + i, &v, n - i < 4 ? n - i : 4);
	}
}

static void fake_die(const char *what)
{
	fprintf(stderr, "fake driver: %s\n", what);
	abort();
}

/* Words, as a chip may be reading; flags, in the first word, last. Partner: the engine's reads of entries. */
static void store_entry(void *entry, const void *value)
{
	uint64_t *dst = entry, src[8];

	memcpy(src, value, sizeof(src));
	__atomic_store_n(&dst[0], 0, __ATOMIC_RELEASE);
	for (int i = 1; i < 8; i++)
		__atomic_store_n(&dst[i], src[i], __ATOMIC_RELEASE);
	__atomic_store_n(&dst[0], src[0], __ATOMIC_RELEASE);
}

/* ---- memory ---- */

struct fake_mem *fake_mem(struct fake_fabric *f, uint64_t bytes)
{
	struct fake_mem *m = calloc(1, sizeof(*m));
	uint32_t s;

	bytes = (bytes + 4095) & ~4095ull;
	m->bytes = bytes;
	m->host = aligned_alloc(4096, bytes);
	memset(m->host, 0, bytes);
	pthread_rwlock_wrlock(&f->lock);
	s = atomic_load(&f->seed);
	f->next_iova += (1 + fake_random(&s) % 1000) * 4096ull;
	atomic_store(&f->seed, s);
	m->iova = f->next_iova;
	f->next_iova += bytes;
	if (f->nmem == f->room) {
		f->room = f->room ? f->room * 2 : 64;
		f->mem = realloc(f->mem, f->room * sizeof(*f->mem));
	}
	f->mem[f->nmem++] = m;
	pthread_rwlock_unlock(&f->lock);
	return m;
}

static void *fake_dma_map(void *opaque, uint64_t iova, uint64_t *len, bool write)
{
	struct fake_chip *c = opaque;
	struct fake_fabric *f = c->f;
	uint64_t left = 4096 - iova % 4096;
	void *p = NULL;
	size_t lo = 0, hi;

	(void)write;
	if (!*len)
		fake_die("dma_map of nothing");
	if (atomic_load(&f->dma_broken))
		return NULL;
	pthread_rwlock_rdlock(&f->lock);
	for (hi = f->nmem; lo < hi;) {
		size_t mid = (lo + hi) / 2;

		if (f->mem[mid]->iova <= iova)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo && iova - f->mem[lo - 1]->iova < f->mem[lo - 1]->bytes)
		p = f->mem[lo - 1]->host + (iova - f->mem[lo - 1]->iova);
	pthread_rwlock_unlock(&f->lock);
	if (!p)
		return NULL;
	if (atomic_load(&f->nasty) && left > 8 && *len != 4096)
		left = (left / 3 + 8) & ~7ull;
	if (*len > left)
		*len = left;
	atomic_fetch_add(&c->maps, 1);
	return p;
}

static void fake_dma_unmap(void *opaque, void *host, uint64_t len, bool write, uint64_t touched)
{
	struct fake_chip *c = opaque;

	(void)write;
	if (!host || !len || touched > len || (!write && touched))
		fake_die("dma_unmap with wrong arguments");
	if (atomic_fetch_sub(&c->maps, 1) <= 0)
		fake_die("more unmaps than maps");
}

static void fake_written(void *opaque, uint64_t off, uint64_t len)
{
	struct fake_chip *c = opaque;

	if (off > c->mem_bytes || len > c->mem_bytes - off)
		fake_die("mem_written outside");
	atomic_fetch_add(&c->written, 1);
}

static void fake_interrupt(void *opaque, unsigned int vector)
{
	struct fake_chip *c = opaque;

	if (vector >= FAKE_VECTORS)
		fake_die("vector out of range");
	atomic_fetch_add(&c->irq[vector], 1);
}

static unsigned int fake_window(void *opaque, unsigned int i, uint32_t ctrl, uint32_t node, uint64_t off, uint64_t size)
{
	struct fake_chip *c = opaque;

	if (i >= 4)
		fake_die("window out of range");
	c->win_on[i] = ctrl;
	c->win_node[i] = node;
	c->win_off[i] = off;
	c->win_size[i] = size;
	return HSL_ST_OK;
}

static void fake_error(void *opaque, const char *msg)
{
	struct fake_chip *c = opaque;

	if (!msg || !*msg || strchr(msg, '\n'))
		fake_die("guest_error without one line");
	atomic_fetch_add(&c->errors, 1);
}

static const struct hsl_chip_ops fake_ops = {
	.dma_map = fake_dma_map,
	.dma_unmap = fake_dma_unmap,
	.mem_written = fake_written,
	.interrupt = fake_interrupt,
	.window = fake_window,
	.guest_error = fake_error,
};

/* ---- registers ---- */

uint32_t fake_read32(struct fake_chip *c, uint64_t reg)
{
	return (uint32_t)hsl_chip_mmio_read(c->e, reg, 4);
}

uint64_t fake_read64(struct fake_chip *c, uint64_t reg)
{
	return hsl_chip_mmio_read(c->e, reg, 8);
}

void fake_write32(struct fake_chip *c, uint64_t reg, uint32_t val)
{
	hsl_chip_mmio_write(c->e, reg, val, 4);
}

void fake_write64(struct fake_chip *c, uint64_t reg, uint64_t val)
{
	hsl_chip_mmio_write(c->e, reg, val, 8);
}

/* ---- chips ---- */

void fake_chip_enable(struct fake_chip *c)
{
	struct fake_fabric *f = c->f;

	c->admin.chip = c;
	c->admin.qid = 0;
	c->admin.depth = 16;
	c->admin.tail = c->admin.head = 0;
	c->admin.sq = fake_mem(f, 16 * 64);
	c->admin.cq = fake_mem(f, 16 * 32);
	fake_write64(c, HSL_REG_AQ_SQ, c->admin.sq->iova);
	fake_write64(c, HSL_REG_AQ_CQ, c->admin.cq->iova);
	fake_write32(c, HSL_REG_AQ_DEPTH, 16);
	fake_write64(c, HSL_REG_CTX_TABLE, c->ctx_table->iova);
	fake_write32(c, HSL_REG_CTX_COUNT, FAKE_CTXS);
	fake_write32(c, HSL_REG_CTRL, HSL_CTRL_ENABLE);
	if (fake_read32(c, HSL_REG_STATUS) != HSL_STATUS_READY)
		fake_die("chip not ready");
}

void fake_chip_attach(struct fake_fabric *f, uint32_t node)
{
	struct fake_chip *c = &f->chip[node];
	struct hsl_chip_engine_config cfg = {
		.node = node, .mem = c->mem, .mem_bytes = c->mem_bytes, .nqueues = FAKE_QUEUES,
		.nvectors = FAKE_VECTORS, .max_depth = 4096, .ncontexts = FAKE_CTXS, .nwindows = 4,
		.win_stride_log2 = 20, .max_len = 1ull << 34, .ops = &fake_ops, .opaque = c,
	};
	const char *err;

	c->e = hsl_chip_engine_new(f->e, &cfg, &err);
	if (!c->e)
		fake_die(err);
	if (!c->ctx_table)
		c->ctx_table = fake_mem(f, FAKE_CTXS * 64);
	fake_chip_enable(c);
}

/* Modelled time: its clock, which goes on in fake_wait and rig_step only. */
static struct {
	bool on, asked;
	uint64_t now_ps;
} rig_time;

static uint64_t rig_now(void *opaque)
{
	(void)opaque;
	return rig_time.now_ps;
}

static void rig_due(void *opaque)
{
	(void)opaque;
	rig_time.asked = true;
}

static bool rig_direct;		/* fabrics without CAP.MODELLED */


struct fake_fabric *fake_new(unsigned int chips, enum hsl_topology topo, unsigned int workers, uint64_t mem_bytes)
{
	struct hsl_fabric_engine_config cfg = {
		.model = { .nodes = chips, .topology = topo, .host_node = FAKE_HOST,
			   .profile = *hsl_profile_find("default") },
		.fabric_id = { 0x1122334455667788ull, 0x99aabbccddeeff00ull },
		.workers = rig_time.on ? 0 : workers ? workers : 2,
		.spin_iterations = 500,
		.modelled = !rig_direct,
		.now_ps = rig_time.on ? rig_now : NULL,
		.due = rig_due,
	};
	struct fake_fabric *f = calloc(1, sizeof(*f));
	const char *err;

	pthread_rwlock_init(&f->lock, NULL);
	f->nchips = chips;
	atomic_store(&f->seed, 12345);
	f->next_iova = 1ull << 40;
	f->e = hsl_fabric_engine_new(&cfg, &err);
	if (!f->e)
		fake_die(err);
	for (uint32_t n = 1; n <= chips; n++) {
		struct fake_chip *c = &f->chip[n];

		c->f = f;
		c->node = n;
		c->mem_bytes = mem_bytes;
		c->mem = aligned_alloc(65536, mem_bytes);
		memset(c->mem, 0, mem_bytes);
		pthread_mutex_init(&c->admin_lock, NULL);
		fake_chip_attach(f, n);
	}
	return f;
}

void fake_free(struct fake_fabric *f)
{
	for (uint32_t n = 1; n <= f->nchips; n++) {
		hsl_chip_engine_free(f->chip[n].e);
		if (atomic_load(&f->chip[n].maps))
			fake_die("a chip kept DMA mappings");
		free(f->chip[n].mem);
		pthread_mutex_destroy(&f->chip[n].admin_lock);
	}
	hsl_fabric_engine_free(f->e);
	for (size_t i = 0; i < f->nmem; i++) {
		free(f->mem[i]->host);
		free(f->mem[i]);
	}
	free(f->mem);
	pthread_rwlock_destroy(&f->lock);
	free(f);
}

/* ---- queues ---- */

void fake_submit(struct fake_queue *q, const struct hsl_desc *d)
{
	memcpy(q->sq->host + (q->tail & (q->depth - 1)) * sizeof(*d), d, sizeof(*d));
	q->tail++;
}

void fake_doorbell(struct fake_queue *q)
{
	fake_write32(q->chip, HSL_DB_OFFSET_DEFAULT + q->qid * HSL_DB_STRIDE_DEFAULT + HSL_DB_SQ_TAIL, q->tail);
}

bool fake_poll(struct fake_queue *q, struct hsl_cqe *out)
{
	uint64_t *e = (uint64_t *)(void *)(q->cq->host + (q->head & (q->depth - 1)) * sizeof(*out));
	/* acquire: pairs with the chip's last store */
	uint64_t last = __atomic_load_n(&e[3], __ATOMIC_ACQUIRE);

	if ((last >> 63) != (((q->head / q->depth) & 1) ^ 1))
		return false;
	memcpy(out, e, 24);
	memcpy((char *)out + 24, &last, 8);
	q->head++;
	return true;
}

/* Modelled time: from one thing that is due to the next, until the queue has a completion. */
static void rig_run(struct fake_queue *q, struct hsl_cqe *c)
{
	uint64_t next;

	for (;;) {
		rig_time.asked = false;
		next = hsl_fabric_engine_run(q->chip->f->e);
		if (fake_poll(q, c))
			return;
		if (next == UINT64_MAX)
			fake_die("no completion, and nothing is due");
		rig_time.now_ps = next;
	}
}

struct hsl_cqe fake_wait(struct fake_queue *q)
{
	struct hsl_cqe c;
	time_t end = time(NULL) + FAKE_WAIT_S;

	if (rig_time.on)
		rig_run(q, &c);
	for (unsigned int n = 0; !rig_time.on && !fake_poll(q, &c); n++) {
		if (n > 100)
			sched_yield();
		if (n % 1000 == 999 && time(NULL) > end)
			fake_die("no completion");
	}
	if (c.qid != q->qid)
		fake_die("completion of another queue");
	return c;
}

struct hsl_cqe fake_run(struct fake_queue *q, const struct hsl_desc *d)
{
	fake_submit(q, d);
	fake_doorbell(q);
	return fake_wait(q);
}

struct hsl_cqe fake_copy(struct fake_queue *q, uint64_t dst, uint64_t src, uint64_t len)
{
	return fake_run(q, &(struct hsl_desc){ .opcode = HSL_OP_COPY, .cookie = dst ^ src, .dst = dst, .src = src,
					       .len = len });
}

struct hsl_cqe fake_fill(struct fake_queue *q, uint64_t dst, uint64_t len, uint64_t pattern)
{
	return fake_run(q, &(struct hsl_desc){ .opcode = HSL_OP_FILL, .dst = dst, .len = len, .arg0 = pattern });
}

uint32_t fake_admin(struct fake_chip *c, struct hsl_desc d)
{
	uint32_t status;

	pthread_mutex_lock(&c->admin_lock);
	status = HSL_CQE_CODE(fake_run(&c->admin, &d).status);
	pthread_mutex_unlock(&c->admin_lock);
	return status;
}

uint32_t fake_queue_new(struct fake_queue *q, struct fake_chip *c, uint32_t qid, uint32_t ctx, uint32_t depth,
			uint32_t vector)
{
	q->chip = c;
	q->qid = qid;
	q->depth = depth;
	q->tail = q->head = 0;
	q->sq = fake_mem(c->f, depth * 64ull);
	q->cq = fake_mem(c->f, depth * 32ull);
	return fake_admin(c, (struct hsl_desc){
		.opcode = HSL_OP_QUEUE_CREATE, .dst = q->sq->iova, .src = q->cq->iova, .arg1 = ctx,
		.arg0 = HSL_QC_ARG0(qid, __builtin_ctz(depth), vector) });
}

/* ---- tables ---- */

void fake_ctx(struct fake_chip *c, uint32_t ctx, uint64_t key)
{
	struct hsl_ctx_entry e = { .flags = key ? HSL_CTX_VALID : 0, .key = key };

	if (!c->dir[ctx])
		c->dir[ctx] = fake_mem(c->f, 4096);
	e.seg_dir = c->dir[ctx]->iova;
	store_entry(c->ctx_table->host + ctx * sizeof(e), &e);
	if (fake_admin(c, (struct hsl_desc){ .opcode = HSL_OP_CTX_INVALIDATE, .arg0 = ctx }))
		fake_die("CTX_INVALIDATE failed");
}

void fake_seg(struct fake_chip *c, uint32_t ctx, uint32_t handle, const struct hsl_seg_entry *e, bool quiet)
{
	uint32_t l = handle / HSL_SEGS_PER_LEAF;

	if (!c->leaf[ctx][l]) {
		c->leaf[ctx][l] = fake_mem(c->f, 4096);
		__atomic_store_n((uint64_t *)(void *)c->dir[ctx]->host + l, c->leaf[ctx][l]->iova, __ATOMIC_RELEASE);
	}
	store_entry(c->leaf[ctx][l]->host + handle % HSL_SEGS_PER_LEAF * sizeof(*e), e);
	if (!quiet && fake_admin(c, (struct hsl_desc){ .opcode = HSL_OP_SEG_INVALIDATE, .arg0 = ctx, .arg1 = handle }))
		fake_die("SEG_INVALIDATE failed");
}

void fake_ctx_all(struct fake_fabric *f, uint32_t ctx)
{
	for (uint32_t n = 1; n <= f->nchips; n++)
		fake_ctx(&f->chip[n], ctx, 1000 + ctx);
}

static void fake_seg_all(struct fake_fabric *f, uint32_t ctx, uint32_t handle, const struct hsl_seg_entry *e)
{
	for (uint32_t n = 1; n <= f->nchips; n++)
		fake_seg(&f->chip[n], ctx, handle, e, false);
}

void fake_seg_chip(struct fake_fabric *f, uint32_t ctx, uint32_t handle, uint32_t node, uint64_t off, uint64_t len,
		   uint32_t rights)
{
	fake_seg_all(f, ctx, handle, &(struct hsl_seg_entry){ .flags = HSL_SEG_VALID | rights, .epoch = handle,
							      .ga = HSL_GA(node, off), .len = len });
}

struct fake_mem *fake_seg_host(struct fake_fabric *f, uint32_t ctx, uint32_t handle, uint64_t goff, uint32_t skip,
			       uint64_t len, uint32_t rights)
{
	uint64_t pages = (skip + len + 4095) / 4096, leaves = (pages + 511) / 512;
	struct fake_mem *m = fake_mem(f, pages * 4096), *root = fake_mem(f, 4096);
	struct hsl_seg_entry e = {
		.flags = HSL_SEG_VALID | HSL_SEG_PAGED | rights, .epoch = handle, .ga = HSL_GA(FAKE_HOST, goff),
		.len = len, .pages = root->iova, .page_shift = 12, .page_levels = 2, .page_offset = skip,
	};

	for (uint64_t l = 0; l < leaves; l++) {
		struct fake_mem *leaf = fake_mem(f, 4096);

		((uint64_t *)(void *)root->host)[l] = leaf->iova | HSL_PTE_VALID;
		for (uint64_t i = 0; i < 512 && l * 512 + i < pages; i++)
			((uint64_t *)(void *)leaf->host)[i] = (m->iova + (l * 512 + i) * 4096) | HSL_PTE_VALID;
	}
	fake_seg_all(f, ctx, handle, &e);
	return m;
}

void fake_seg_gone(struct fake_fabric *f, uint32_t ctx, uint32_t handle)
{
	fake_seg_all(f, ctx, handle, &(struct hsl_seg_entry){ 0 });
}
