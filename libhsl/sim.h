/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The sim backend: a small driver in the process, for chips made by the engine (qemu/engine/engine.h).
 *
 *   sim_fabric    one per URL and process, counted: engine, chips, context table. Opening is a new context.
 *   sim_chip      an engine chip, its memory (a memfd, so that every mapping of a segment is a mapping of its own
 *                 with the rights of the segment), its admin queue, its user queues
 *   sim_context   an open fabric: key, segment tables, segments
 *   sim_queue     rings and the eventfds that stand for the queue's file
 *
 * An IOVA is a process address, but only inside what the iova set holds: tables, rings and registered memory.
 * So one set of tables serves every chip, and a wild address in a table is a DMA error, not a crash.
 *
 * The rules are those of the kernel driver: table entry written, then SEG_INVALIDATE on every chip, and after an
 * entry was taken away nothing is reused before all chips have answered (HEP-MAP-010).
 *
 * Locks, in this order:
 *   fabrics_lock (backend_sim.c)   the list of fabrics and their reference counts
 *   sim_fabric.lock                everything but what follows; held over admin commands
 *   hslp_sim_queue.arm_lock        see there
 *   sim_fabric.run_lock            in modelled time: held over every call into the engine
 *   sim_chip.irq_lock              queues[], the eventfds in them, admin_irq; taken by the engine's interrupt callback,
 *                                  so never held over a call into the engine
 *   sim_fabric.events_lock         events, cursors, link states seen; taken by the engine's interrupt callback
 *   sim_iova_set.lock              the set; taken by the engine's dma_map callback
 */
#ifndef HSLP_SIM_H
#define HSLP_SIM_H

#include "engine/engine.h"
#include "priv.h"

#define SIM_CHIPS_MAX		256u
#define SIM_QUEUES_MAX		255u	/* user queues; the engine has one more */
#define SIM_CONTEXTS		1024u
#define SIM_ADMIN_DEPTH		64u
#define SIM_EVENTS		256u

/* ---- sim_ranges.c ---- */

/* Allocator of address ranges: the free ones, ascending, never adjacent. */
struct sim_free_range {
	uint64_t start, len;
};

struct sim_ranges {
	struct sim_free_range *r;
	size_t n, room;
	size_t taken;			/* ranges given out: bounds how many free ones there can be */
	uint64_t free_bytes;
};

int sim_ranges_init(struct sim_ranges *a, uint64_t start, uint64_t len);
void sim_ranges_fini(struct sim_ranges *a);
/* First fit. align: power of two. -ENOSPC, -ENOMEM */
int sim_ranges_take(struct sim_ranges *a, uint64_t len, uint64_t align, uint64_t *start);
/* Cannot fail: take has made room. */
void sim_ranges_give(struct sim_ranges *a, uint64_t start, uint64_t len);

/* What dma_map may hand out. Ranges may overlap: two contexts may register the same memory. */
struct sim_iova {
	uint64_t start, end;
	uint64_t max_end;		/* largest end of this and all before it */
	bool write;
};

struct sim_iova_set {
	pthread_rwlock_t lock;		/* guards the rest */
	struct sim_iova *r;		/* by start */
	size_t n, room;
};

int sim_iova_init(struct sim_iova_set *s);
void sim_iova_fini(struct sim_iova_set *s);
int sim_iova_add(struct sim_iova_set *s, const void *mem, uint64_t len, bool write);
/* Exactly as added. */
void sim_iova_remove(struct sim_iova_set *s, const void *mem, uint64_t len, bool write);
/* Bytes from iova on, at most len, that may be accessed; 0 if none. */
uint64_t sim_iova_check(struct sim_iova_set *s, uint64_t iova, uint64_t len, bool write);

/* ---- objects ---- */

struct hslp_sim_queue {
	struct sim_chip *chip;
	struct hslp_sim_context *ctx;
	struct hsl_queue_ctrl *ctrl;
	uint32_t qid;			/* also its vector */
	uint64_t db;			/* its doorbell page in BAR0 */
	void *ring;
	size_t ring_bytes;
	int fd;				/* eventfd, readable as hsl_queue_fd says */
	int user_fd;			/* duplicate of the eventfd attached, or -1; under irq_lock */
	bool signalled;			/* fd is readable; under irq_lock, which is held while it is made so or not */
	bool settled;			/* see sim_queue.c; under irq_lock */
	bool armed;			/* queue_fd_rearm has armed at armed_at, and no interrupt has come since; */
	uint32_t armed_at;		/* both under irq_lock */
	pthread_mutex_t arm_lock;	/* makes "read cq_head, arm with it" one step; taken before irq_lock */
	const struct hsl_cqe *cq;
	uint32_t depth_log2;
};

struct sim_chip {
	struct sim_fabric *fabric;
	struct hsl_chip_engine *engine;
	uint32_t node;
	int memfd;
	int memfd_ro;			/* for segments without WRITE: mprotect cannot make those mappings writable */
	void *mem;
	uint64_t mem_bytes;
	struct sim_ranges free;		/* offsets not allocated */
	bool ctf_open;			/* somebody has its test facility */
	uint64_t open_bytes;		/* from 0 on: open to another program, not allocated */
	bool failed;			/* its admin queue has stopped answering */
	uint32_t link_state[HSL_LINK_MAX];	/* seen last; events_lock */

	/* admin queue */
	struct hsl_desc *aq_sq;
	struct hsl_cqe *aq_cq;
	uint32_t aq_tail, aq_head;
	uint64_t db_offset, db_stride;
	uint32_t nqueues;		/* with the admin queue */

	pthread_mutex_t irq_lock;
	pthread_cond_t irq_cond;
	bool admin_irq;			/* vector 0 was raised since last cleared */
	struct hslp_sim_queue *queues[SIM_QUEUES_MAX + 1];	/* by id */
};

/* Chip memory that segments and exports share; under sim_fabric.lock. */
struct sim_mem {
	struct sim_chip *chip;
	uint64_t offset, len;
	uint32_t flags;			/* HSL_ALLOC_* */
	unsigned int refs;
};

struct sim_export;

struct sim_segment {
	uint32_t node;			/* of chip memory; 0 = host memory */
	uint32_t rights;
	uint32_t flags;			/* HSL_ALLOC_*, of its memory */
	uint64_t ga;
	uint64_t len_bytes;
	struct sim_chip *chip;
	bool fixed;			/* open memory at a flit socket: nobody allocates it */
	struct sim_mem *mem;		/* chip memory; NULL after a revoke: the handle is all that is left */
	struct sim_export *via;		/* imported from there */
	void *map;			/* where the library has mapped it */
	/* host memory: what is in the iova set, the GA range, the PAGE table */
	void *host;
	uint64_t host_bytes;
	uint64_t ga_start, ga_bytes;
	uint64_t **tables;
	size_t ntables;
};

struct hslp_sim_context {
	struct sim_fabric *fabric;
	uint32_t index;
	uint32_t epoch;			/* of the entry made last: never used twice in one context */
	uint32_t next_handle;		/* handles below are in use */
	hsl_le64 *dir;			/* page of IOVAs of leaves */
	struct hsl_seg_entry *leaf[HSL_SEG_DIR_LEAVES];
	struct sim_segment *segs[HSL_SEGS_MAX];	/* by handle */
	struct hslp_sim_context *next_reader;	/* this and the next: events_lock */
	uint64_t next_event;
	int event_fd;
};

struct sim_fabric {
	struct sim_fabric *next;
	unsigned int refs;		/* under fabrics_lock, as next */
	char *spec;
	char gone[128];				/* why the other end of the link to another program last went */
	uint64_t fabric_id[2];
	uint32_t page_size;
	struct hsl_fabric_engine *engine;
	struct hsl_model_config model;	/* what it was made of; its links are a copy, free() them */
	bool modelled_time;		/* time=modelled: see sim_time_step */
	uint64_t now_ps;		/* then: the clock, under run_lock */
	pthread_mutex_t run_lock;	/* then: one thread at a time is in the engine; recursive: callbacks call it again */
	pthread_mutex_t lock;
	struct sim_iova_set iova;
	struct sim_ranges host_ga;	/* offsets of the host's node */
	struct hsl_ctx_entry *ctx_table;
	struct hslp_sim_context *contexts[SIM_CONTEXTS];	/* by index; 0 is the driver's */
	pthread_mutex_t events_lock;
	struct hsl_fabric_event events[SIM_EVENTS];
	uint64_t next_event;			/* its number; counts from 1 */
	struct hslp_sim_context *readers;
	uint64_t open_bytes;			/* of each chip here, to another program */
	uint32_t nnodes, nchips;
	struct sim_chip *chips[SIM_CHIPS_MAX];			/* node i + 1; nchips of nnodes are not NULL */
};

static inline struct sim_chip *sim_chip_find(struct sim_fabric *f, uint32_t node)
{
	return node >= 1 && node <= f->nnodes ? f->chips[node - 1] : NULL;
}

/*
 * Modelled time (URL option time=modelled; docs/hep.md section 9). The engine has no threads, and its clock stands still unless
 * somebody waits: hsl_queue_poll that finds nothing, hsl_queue_wait, an admin command. Then it goes on to what happens next, and the
 * waiter looks again. The program itself takes no time. Where nothing is going to happen a look takes SIM_IDLE_PS, so that who waits
 * for something in vain sees time pass.
 */
#define SIM_IDLE_PS	1000000u
/* Does what is due, or what is due next. False: nothing was. */
bool sim_time_step(struct sim_fabric *f);

static inline void sim_run_begin(struct sim_fabric *f)
{
	if (f->modelled_time)
		pthread_mutex_lock(&f->run_lock);
}

static inline void sim_run_end(struct sim_fabric *f)
{
	if (f->modelled_time)
		pthread_mutex_unlock(&f->run_lock);
}

static inline uint64_t sim_read(struct sim_chip *c, uint64_t off, unsigned int size)
{
	uint64_t v;

	sim_run_begin(c->fabric);
	v = hsl_chip_mmio_read(c->engine, off, size);
	sim_run_end(c->fabric);
	return v;
}

static inline void sim_write(struct sim_chip *c, uint64_t off, uint64_t v, unsigned int size)
{
	sim_run_begin(c->fabric);
	hsl_chip_mmio_write(c->engine, off, v, size);
	sim_run_end(c->fabric);
}

/* Zeroed, page-aligned, and in the iova set. */
void *sim_dma_alloc(struct sim_fabric *f, size_t bytes);
void sim_dma_free(struct sim_fabric *f, void *mem, size_t bytes);

/* ---- sim_chip.c. All under sim_fabric.lock, but the last five. ---- */

int sim_chip_new(struct sim_fabric *f, uint32_t node, uint64_t mem_bytes, uint32_t nqueues, int ambient, uint32_t deviation,
		 struct sim_chip **out);
void sim_chip_free(struct sim_chip *c);
/* One admin command; its completion status, or -EIO when the chip does not answer. */
int sim_admin(struct sim_chip *c, const struct hsl_desc *d);
void sim_admin_refused(struct sim_chip *c, const struct hsl_desc *d, int status);
/* The same command on every chip that answers; returns when all have completed. -EIO if one refused it. */
int sim_admin_all(struct sim_fabric *f, const struct hsl_desc *d);
/* What a driver does around a function level reset: queues end, tables and segments stay. */
int sim_chip_reset(struct sim_chip *c);
/* The driver lets go of a chip, as a bare one, and takes it back. */
void sim_chip_unbind(struct sim_chip *c);
int sim_chip_bind(struct sim_chip *c);
void sim_chip_zero(struct sim_chip *c, uint64_t offset, uint64_t len);

int sim_counter(struct hsl_fabric *f, const struct hslp_counter *at, uint64_t *value);
int sim_sensors(struct hsl_fabric *f, uint32_t node, struct hsl_sensors *s);
int sim_ctf_open(struct hsl_fabric *f, struct hsl_ctf *c);
void sim_ctf_close(struct hsl_ctf *c);
int sim_ctf_read(struct hsl_ctf *c, uint32_t off, void *buf, size_t len);
int sim_ctf_write(struct hsl_ctf *c, uint32_t off, const void *buf, size_t len);

/* ---- sim_tables.c. All under sim_fabric.lock. ---- */

int sim_context_new(struct sim_fabric *f, struct hslp_sim_context **out);
/* Its queues are gone. */
void sim_context_free(struct hslp_sim_context *x);
int sim_segment_alloc(struct hslp_sim_context *x, struct hsl_segment_alloc *a);
int sim_segment_register(struct hslp_sim_context *x, struct hsl_segment_register *r);
int sim_segment_free(struct hslp_sim_context *x, uint32_t handle);
int sim_segment_info(struct hslp_sim_context *x, struct hsl_segment_info *i);
/* Give s, which describes chip memory, a handle and an entry. */
int sim_segment_publish(struct hslp_sim_context *x, struct sim_segment *s, uint32_t *handle);
/* Take the entry away; returns when no command uses the segment any more. */
int sim_segment_withdraw(struct hslp_sim_context *x, uint32_t handle);

/* ---- sim_share.c. All under sim_fabric.lock. ---- */

struct sim_mem *sim_mem_new(struct sim_chip *c, uint64_t len, uint64_t align, uint32_t flags, int *err);
void sim_mem_put(struct sim_mem *m);
int sim_segment_export(struct hslp_sim_context *x, struct hsl_segment_export *a);
int sim_segment_import(struct hslp_sim_context *x, struct hsl_segment_import *i);
int sim_segment_revoke(struct hslp_sim_context *x, uint32_t handle);
/* Export files that nobody holds any more let go of their memory; all: the others too. */
void sim_exports_reap(struct sim_fabric *f, bool all);
/* Around fork: the child has no exports. */
void sim_share_before_fork(void);
void sim_share_after_fork(bool child);
/* s is about to be freed: its share and its place in the tree of exports. */
void sim_share_leave(struct hslp_sim_context *x, struct sim_segment *s);

/* ---- sim_event.c ---- */

int sim_event_open(struct hslp_sim_context *x);
void sim_event_close(struct hslp_sim_context *x);
void sim_event_post(struct sim_fabric *f, uint32_t type, uint32_t node, uint32_t index, uint32_t value);
/* One event for each link whose state is not what was seen last; quiet: none, only look. */
void sim_event_links(struct sim_chip *c, bool quiet);
int sim_event_fd(struct hsl_fabric *f);
int sim_event_read(struct hsl_fabric *f, struct hsl_fabric_event *ev, unsigned int n);

/* ---- sim_queue.c ---- */

int sim_queue_create(struct hsl_fabric *f, struct hsl_queue *q);
void sim_queue_destroy(struct hsl_queue *q);
int sim_queue_doorbell(struct hsl_queue *q, uint32_t sq_tail);
int sim_queue_arm(struct hsl_queue *q, uint32_t cq_head);
int sim_queue_eventfd(struct hsl_queue *q, int fd);
int sim_queue_abort(struct hsl_queue *q);
int sim_queue_moderate(struct hsl_queue *q, uint32_t moderation);
void sim_queue_refresh(struct hsl_queue *q);
void sim_queue_fd_rearm(struct hsl_queue *q, bool settled);
void sim_queue_idle(struct hsl_queue *q);
/* From the interrupt callback and at a queue's end; irq_lock is held. */
void sim_queue_signal(struct hslp_sim_queue *q);
/*
 * The chip has stopped the queue and will not write its rings: tell its user. An error that ctrl has already stays.
 * Under sim_fabric.lock.
 */
void sim_queue_end(struct hslp_sim_queue *q, uint32_t error);

/* ---- for tests: what no user of the API can cause (backend_sim.c) ---- */

int hslp_sim_reset_chip(struct hsl_fabric *f, uint32_t node);
int hslp_sim_set_link(struct hsl_fabric *f, uint32_t a, uint32_t b, bool up);
struct hsl_chip_engine *hslp_sim_engine(struct hsl_fabric *f, uint32_t node);

#endif /* HSLP_SIM_H */
