/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What the files of libhsl share: the objects and the interface of a backend.
 *
 * One file per noun of the API (fabric, chip, counter, sensor, topology, segment, queue, op, ctf); each checks its arguments, keeps its
 * objects and asks the backend through struct hsl_backend_ops. The argument structs of a backend are those of the
 * uAPI, and so is its errno contract: the kernel backend hands them to ioctl, the sim backend is a small driver
 * that answers them in the process. Whatever can be the same on both is above the backends, the ring protocol of a queue
 * included (queue.c).
 *
 * Names: hsl_ is exported API, hslp_ is private to the library.
 *
 * Locks: hsl_fabric.lock, as its declaration says. Backends have their own, taken after it is released.
 */
#ifndef HSLP_PRIV_H
#define HSLP_PRIV_H

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hsl/hsl.h"
#include "linux/hsl.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "HEP formats are little-endian, and libhsl stores them without conversion"
#endif

/* The API's and the uAPI's names of the same thing have the same value. */
static_assert(HSL_RIGHT_READ == HSL_SEGMENT_READ && HSL_RIGHT_WRITE == HSL_SEGMENT_WRITE, "rights");
static_assert(HSL_SEGMENT_OBSERVABLE == HSL_ALLOC_OBSERVABLE && HSL_SEGMENT_NONCOHERENT == HSL_ALLOC_NONCOHERENT, "flags");

/* ---- log.c ---- */

enum hslp_level { HSLP_ERROR, HSLP_WARN, HSLP_INFO, HSLP_DEBUG };

/* One line to stderr if HSL_LOG says so. Keeps errno. */
__attribute__((format(printf, 2, 3)))
void hslp_log(enum hslp_level level, const char *fmt, ...);
#define hslp_err(...)	hslp_log(HSLP_ERROR, __VA_ARGS__)
#define hslp_warn(...)	hslp_log(HSLP_WARN, __VA_ARGS__)
#define hslp_info(...)	hslp_log(HSLP_INFO, __VA_ARGS__)
#define hslp_debug(...)	hslp_log(HSLP_DEBUG, __VA_ARGS__)

/* ---- sized structs of the API (fabric.c) ---- */

/*
 * Options: *src of the caller's size into *dst of ours, missing fields zero; both begin with a size_t size. -EINVAL
 * below min, the size in the first version; -E2BIG with fields set that we do not know.
 */
int hslp_opts_in(void *dst, size_t dst_size, size_t min, const void *src);
/* Results: what fits of *src into the caller's *dst, the rest of it zero; size stays. -EINVAL without room for size. */
int hslp_props_out(void *dst, const void *src, size_t src_size);

/* ---- objects ---- */

struct hslp_sim_context;
struct hslp_sim_queue;
struct hslp_plugin;
struct hsl_plugin_queue;

struct hsl_fabric {
	const struct hsl_backend_ops *ops;
	struct hsl_info info;		/* as at open; constant */
	int fd;				/* kernel: the context file */
	struct hslp_sim_context *sim;	/* sim: the context */
	struct hslp_plugin *plugin;
	pthread_mutex_t lock;		/* guards the lists below and the map fields of segments */
	struct hsl_segment *segments;
	struct hsl_queue *queues;
	struct hslp_window *windows;
	struct hsl_ctf *ctfs;
};

/* A node window: the address range reserved for a chip's memory (segment.c). Under fabric->lock. */
struct hslp_window {
	struct hslp_window *next;
	uint32_t node;
	unsigned int mapped;		/* segments in it */
	char *base;
	uint64_t len_bytes;
};

struct hsl_segment {
	struct hsl_fabric *fabric;
	struct hsl_segment *prev, *next;
	uint64_t ga;
	uint64_t len_bytes;
	uint32_t handle;
	uint32_t rights;		/* HSL_RIGHT_* */
	uint32_t flags;			/* HSL_SEGMENT_* */
	void *host;			/* registered memory, NULL for chip memory */
	void *map;			/* mapping of chip memory, NULL before hsl_segment_map; under fabric->lock */
	struct hslp_window *window;	/* it is mapped there */
};

/* A counter of a chip that has them. */
struct hslp_counter {
	uint32_t node;
	uint32_t link;			/* or HSL_COUNTERS_CHIP */
	uint32_t reg;
	const char *name;		/* in sysfs */
};

/* An open test facility. */
struct hsl_ctf {
	struct hsl_fabric *fabric;
	struct hsl_ctf *prev, *next;
	uint32_t node;
	uint32_t commands;		/* CAP of the page */
	int fd;				/* kernel: the door */
};

/* What a slot holds, and so what happens at its completion. */
enum hslp_slot_kind {
	HSLP_SLOT_FREE,
	HSLP_SLOT_LOUD,			/* completes and is reported */
	HSLP_SLOT_QUIET,		/* HSL_DF_NO_CQE: completes, and is reported, if it fails; on the list of quiet ones */
	HSLP_SLOT_FORCED,		/* the same, but made to complete by the library: hidden unless it fails */
	HSLP_SLOT_OWN,			/* the library's, completes, never reported */
};

/* What is kept of a command until its completion has been taken. */
struct hslp_slot {
	uint64_t cookie;		/* the user's; the descriptor carries the slot's index */
	uint32_t seq;			/* sq_tail when submitted: orders what is reported as GONE */
	uint32_t prev, next;		/* QUIET: neighbours in the order of submission, HSLP_NO_SLOT at the ends */
	uint8_t kind;			/* enum hslp_slot_kind */
	bool marks;			/* its completion says that all before it have ended */
};
#define HSLP_NO_SLOT	UINT32_MAX

struct hsl_queue {
	struct hsl_fabric *fabric;
	const struct hsl_backend_ops *ops;
	struct hsl_queue *prev, *next;
	uint32_t node;
	uint32_t depth;
	uint32_t depth_log2;
	uint32_t flags;			/* HSL_QUEUE_F_* */

	/* set by the backend's queue_create; memory shared with the chip and the driver */
	struct hsl_desc *sq;		/* written here, read by the chip; comes zeroed */
	const struct hsl_cqe *cq;	/* written by the chip */
	struct hsl_queue_ctrl *ctrl;	/* each field says who writes it */
	struct hsl_queue_shadow *shadow;	/* shadow tail, NULL: none */
	volatile uint32_t *doorbell;	/* mapped doorbell page, NULL: ops->queue_doorbell and queue_arm */
	int fd;				/* for poll(2) */
	struct hslp_sim_queue *sim;
	struct hsl_plugin_queue *plugin;
	void *ring_map, *doorbell_map;	/* kernel: to unmap */
	size_t ring_bytes, doorbell_bytes;

	/* counters modulo 2^32 */
	uint32_t sq_tail;		/* submitted */
	uint32_t cq_head;		/* completions taken from the ring */

	bool ended;			/* the end has been seen: the ring is not looked at any more */
	uint32_t ngone, gone_next;	/* slots of gone[] still to report after the end */
	struct hslp_slot *slots;	/* [depth] */
	uint32_t *free_slots;		/* stack of nfree indices; reused as gone[] after the end */
	uint32_t nfree;
	uint32_t quiet_first, quiet_last;	/* list of QUIET slots, oldest first */
	uint32_t nquiet, nhidden, nown;	/* QUIET slots; FORCED and OWN slots; OWN slots */
	uint32_t unmarked;		/* quiet ones submitted since the last command that marks */
	uint32_t abort_seq;		/* abort_done: everything submitted before this has ended */
	bool abort_done;
	bool linked;			/* the last descriptor had HSL_DF_LINK */

	uint32_t spin_ns;		/* how long the next wait spins: adapts */
	_Atomic bool fd_used;		/* hsl_queue_fd was called: any thread */
};

/* ---- backends ---- */

/*
 * All return 0 or -errno as include/uapi/linux/hsl.h says. In/out structs have size and flags set by the caller.
 * Any thread, except that operations on one queue come from one thread at a time.
 */
struct hsl_backend_ops {
	const char *name;
	/* No segment, queue or mapping of the fabric exists any more. */
	void (*close)(struct hsl_fabric *f);
	int (*info)(struct hsl_fabric *f, struct hsl_info *i);
	int (*chip_info)(struct hsl_fabric *f, struct hsl_chip_info *c);
	int (*link_info)(struct hsl_fabric *f, struct hsl_link_info *l);
	int (*counter)(struct hsl_fabric *f, const struct hslp_counter *at, uint64_t *value);
	/* Of a chip that has them. */
	int (*sensors)(struct hsl_fabric *f, uint32_t node, struct hsl_sensors *s);
	/*
	 * Test facility: one opener; close leaves test mode. Access to the page at a register's offset, len 4 or 8, or words
	 * of 8 bytes in FLIT and RECORD.
	 */
	int (*ctf_open)(struct hsl_fabric *f, struct hsl_ctf *c);
	void (*ctf_close)(struct hsl_ctf *c);
	int (*ctf_read)(struct hsl_ctf *c, uint32_t off, void *buf, size_t len);
	int (*ctf_write)(struct hsl_ctf *c, uint32_t off, const void *buf, size_t len);
	int (*segment_alloc)(struct hsl_fabric *f, struct hsl_segment_alloc *a);
	int (*segment_register)(struct hsl_fabric *f, struct hsl_segment_register *r);
	int (*segment_free)(struct hsl_fabric *f, uint32_t handle);
	int (*segment_info)(struct hsl_fabric *f, struct hsl_segment_info *i);
	/* Map a chip segment with protection prot, at an address if not NULL; undone by munmap of the page-rounded length. */
	int (*segment_map)(struct hsl_fabric *f, const struct hsl_segment *s, int prot, void *at, void **ptr);
	int (*segment_export)(struct hsl_fabric *f, struct hsl_segment_export *e);
	int (*segment_import)(struct hsl_fabric *f, struct hsl_segment_import *i);
	int (*segment_revoke)(struct hsl_fabric *f, uint32_t handle);
	/* Readable while event_read has something. Any thread, both. */
	int (*event_fd)(struct hsl_fabric *f);
	int (*event_read)(struct hsl_fabric *f, struct hsl_fabric_event *ev, unsigned int n);
	/* node, depth and flags of q are set; sets its shared memory, doorbell, fd and ctrl. */
	int (*queue_create)(struct hsl_fabric *f, struct hsl_queue *q);
	/* Returns when the chip does not touch the rings any more, and releases them. */
	void (*queue_destroy)(struct hsl_queue *q);
	/* Doorbell and arming where no doorbell page is mapped. */
	int (*queue_doorbell)(struct hsl_queue *q, uint32_t sq_tail);
	int (*queue_arm)(struct hsl_queue *q, uint32_t cq_head);
	int (*queue_eventfd)(struct hsl_queue *q, int fd);
	/* Returns when the completions of all that was submitted are in the ring. */
	int (*queue_abort)(struct hsl_queue *q);
	/* HSL_MODERATION() where no doorbell page is mapped; NULL: cannot be done there. */
	int (*queue_moderate)(struct hsl_queue *q, uint32_t moderation);
	/* Bring ctrl->state and error up to date if the backend does not do that by itself. */
	void (*queue_refresh)(struct hsl_queue *q);
	/*
	 * Make q->fd readable if and as soon as completions beyond ctrl->cq_head exist. NULL if it always is so.
	 * settled: the caller owns the queue and will call again after each time it takes completions.
	 */
	void (*queue_fd_rearm)(struct hsl_queue *q, bool settled);
	/* Where time only goes on while somebody waits: somebody has looked and found nothing. NULL: it goes on by itself. */
	void (*queue_idle)(struct hsl_queue *q);
	/* NULL: CLOCK_MONOTONIC */
	int (*clock)(struct hsl_fabric *f, uint64_t *ns);
};

/* URL is a path. */
int hslp_kernel_open(struct hsl_fabric *f, const char *path);
/* spec is what follows "sim:". */
int hslp_sim_open(struct hsl_fabric *f, const char *spec);
/* spec is what follows "plugin:". */
int hslp_plugin_open(struct hsl_fabric *f, const char *spec);

/* window.c, under fabric->lock: map a segment, into its node's window if that is open, and undo it */
int hslp_window_map(struct hsl_segment *s, int prot);
void hslp_window_unmap(struct hsl_segment *s, size_t len);

/* ctf.c, queue.c, segment.c, window.c: for hsl_fabric_close, in this order */
void hslp_ctf_free_all(struct hsl_fabric *f);
void hslp_queue_free_all(struct hsl_fabric *f);
void hslp_segment_free_all(struct hsl_fabric *f);
void hslp_window_free_all(struct hsl_fabric *f);
/* queue.c, for tests with a backend of their own: the ring state of q from what queue_create has set */
int hslp_queue_init(struct hsl_queue *q);
void hslp_queue_fini(struct hsl_queue *q);

static inline size_t hslp_round_up(size_t v, size_t pow2)
{
	return (v + pow2 - 1) & ~(pow2 - 1);
}

#endif /* HSLP_PRIV_H */
