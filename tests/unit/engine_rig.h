/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A driver for tests of the engine: chips of one fabric, their tables and rings, commands waited for.
 *
 * IOVAs are random and not host addresses, so an engine that takes one for the other faults. dma_map gives at most
 * what is left of a 4 KiB page (like an IOMMU), or fewer bytes when asked to be nasty. Maps and unmaps are counted.
 * All memory is from malloc, so the sanitizers see every byte outside of it. Tables are per chip: a test can make them
 * differ. Waits end after FAKE_WAIT_S with an abort, so that a lost completion fails and does not hang.
 */
#ifndef ENGINE_RIG_H
#define ENGINE_RIG_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "engine/engine.h"

#define FAKE_CHIPS	4u
#define FAKE_CTXS	8u
#define FAKE_QUEUES	8u
#define FAKE_LEAVES	160u
#define FAKE_VECTORS	16u
#define FAKE_WAIT_S	60
#define FAKE_HOST	HSL_NODE_HOST_DEFAULT

struct fake_mem {
	uint8_t *host;
	uint64_t iova, bytes;
};

struct fake_queue {
	struct fake_chip *chip;
	uint32_t qid, depth;
	uint32_t tail, head;		/* submitted, completions consumed */
	struct fake_mem *sq, *cq;
};

struct fake_chip {
	struct fake_fabric *f;
	struct hsl_chip_engine *e;
	uint32_t node;
	uint8_t *mem;
	uint64_t mem_bytes;
	struct fake_mem *ctx_table;
	struct fake_mem *dir[FAKE_CTXS], *leaf[FAKE_CTXS][FAKE_LEAVES];
	struct fake_queue admin;
	pthread_mutex_t admin_lock;
	_Atomic int maps;		/* not undone yet */
	_Atomic unsigned int irq[FAKE_VECTORS], errors, written;
	/* window callback: what is on */
	bool win_on[4];
	uint32_t win_node[4];
	uint64_t win_off[4], win_size[4];
};

struct fake_fabric {
	struct hsl_fabric_engine *e;
	unsigned int nchips;
	struct fake_chip chip[FAKE_CHIPS + 1];	/* by node */
	pthread_rwlock_t lock;		/* guards mem, nmem and the IOVAs; dma_map takes it */
	struct fake_mem **mem;		/* by iova */
	size_t nmem, room;
	uint64_t next_iova;
	_Atomic uint32_t seed;
	_Atomic bool nasty;		/* dma_map gives few bytes */
	_Atomic bool dma_broken;	/* dma_map gives nothing */
};

/* workers 0 = 2. Chips enabled, with empty tables. */
struct fake_fabric *fake_new(unsigned int chips, enum hsl_topology topo, unsigned int workers, uint64_t mem_bytes);
void fake_free(struct fake_fabric *f);
struct fake_mem *fake_mem(struct fake_fabric *f, uint64_t bytes);
void fake_chip_attach(struct fake_fabric *f, uint32_t node);
/* Registers and admin queue as after a reset. */
void fake_chip_enable(struct fake_chip *c);

uint32_t fake_read32(struct fake_chip *c, uint64_t reg);
uint64_t fake_read64(struct fake_chip *c, uint64_t reg);
void fake_write32(struct fake_chip *c, uint64_t reg, uint32_t val);
void fake_write64(struct fake_chip *c, uint64_t reg, uint64_t val);

/* Admin command; the status. Any thread. */
uint32_t fake_admin(struct fake_chip *c, struct hsl_desc d);
/* Context entry of one chip (key 0: invalid), with CTX_INVALIDATE. */
void fake_ctx(struct fake_chip *c, uint32_t ctx, uint64_t key);
/* Entry of one chip's table; then SEG_INVALIDATE unless quiet. */
void fake_seg(struct fake_chip *c, uint32_t ctx, uint32_t handle, const struct hsl_seg_entry *e, bool quiet);
/* On all chips: the context with key 1000 + ctx; a segment of chip or host memory, epoch = handle. */
void fake_ctx_all(struct fake_fabric *f, uint32_t ctx);
void fake_seg_chip(struct fake_fabric *f, uint32_t ctx, uint32_t handle, uint32_t node, uint64_t off, uint64_t len,
		   uint32_t rights);
/* Host memory of its own at host offset goff; `skip` bytes into its first page. */
struct fake_mem *fake_seg_host(struct fake_fabric *f, uint32_t ctx, uint32_t handle, uint64_t goff, uint32_t skip,
			       uint64_t len, uint32_t rights);
void fake_seg_gone(struct fake_fabric *f, uint32_t ctx, uint32_t handle);

uint32_t fake_queue_new(struct fake_queue *q, struct fake_chip *c, uint32_t qid, uint32_t ctx, uint32_t depth,
			uint32_t vector);
void fake_submit(struct fake_queue *q, const struct hsl_desc *d);
void fake_doorbell(struct fake_queue *q);
bool fake_poll(struct fake_queue *q, struct hsl_cqe *out);
struct hsl_cqe fake_wait(struct fake_queue *q);
struct hsl_cqe fake_run(struct fake_queue *q, const struct hsl_desc *d);
struct hsl_cqe fake_copy(struct fake_queue *q, uint64_t dst, uint64_t src, uint64_t len);
struct hsl_cqe fake_fill(struct fake_queue *q, uint64_t dst, uint64_t len, uint64_t pattern);

uint32_t fake_random(uint32_t *state);
void fake_bytes(void *p, uint64_t n, uint32_t seed);

#endif
