/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Objects of hsl.ko and their life.
 *
 *   fabric   joins chips of all functions that report one fabric id; has /dev/hsl<N> while it has chips
 *   chip     one function; a device on the bus "hsl"; outlives its hardware while segments or queues name it
 *   context  one open file of /dev/hsl<N>; the owner of segments and queues
 *   attach   one context on one chip: its context entry and segment tables there; made at first use
 *   segment  a handle of a context: a share of chip memory, or pinned host memory
 *   mem      a range of chip memory; lives as long as a segment, an export or a dma-buf attachment holds it
 *   export   permission to make a segment of a mem in another context; a node in the tree of who gave it to whom (share.c)
 *   queue    one open queue file
 *
 * References: queue -> context -> fabric; queue, segment, mem and attach -> chip -> fabric; segment and export -> mem, export ->
 * fabric, until it is revoked. A mapping holds its segment or its queue's file. Files end their objects (ctx_shutdown, queue_end); a reference only keeps the struct.
 *
 * States of a chip (chip->state, changed under chip->lock, then chip->state_wq is woken):
 *
 *   READY      commands flow
 *   QUIESCING  on the way to one of the next; DMA may still run, so that nobody may release memory yet: wait
 *   STOPPED    in reset, no DMA; comes back as READY, or ends; FAILED after a time in which neither happened
 *   FAILED     does not answer; DMA was cut off; a reset (FLR) may bring it back
 *   GONE       unplugged or unbound; final
 *   ASLEEP     in D3hot, as nobody needs it (power.c); READY as soon as somebody does
 *
 * Locks, outermost first:
 *   chip->numa.lock   mutex: memory going online and offline
 *   runtime PM        of chip->dev, by hsl_chip_wake(): waits for the chip to come up, under its life
 *   hsl_fabrics_lock  mutex: the list of fabrics, chips joining and leaving
 *   chip->life        mutex: one life cycle change of a chip at a time
 *   fabric->lock      mutex: list of contexts, open_count; never held while waiting for a device
 *   mem->revoke_lock  mutex: one revoke of a memory at a time, so that who returns second finds the work of the first done
 *   ctx->lock         mutex: tables, segments and attachments of one context. Held over admin commands, which are
 *                     bounded; never over anything that takes mmap_lock (user copies, pinning, accounting)
 *                     Never two of them: a revoke collects other contexts' segments under share_lock and takes
 *                     references, then visits one context after the other
 *   fabric->share_lock  mutex: the tree of exports and the segments in it; never held while waiting for a device
 *   queue->lock       mutex: end of a queue
 *   mmap_lock, then chip->access
 *   chip->access      rwsem: read: registers are touched or PTEs to the chip inserted, after a look at the state.
 *                     Write: taken and dropped after a change of state, segment->dead or queue->state, so that who
 *                     looked before has finished
 *   pool.lock         mutex: a leaf
 *   chip->vectors_lock  mutex: held over request_irq and free_irq, nothing else
 *   chip->lock, ctx->tree_lock, admin.lock, vector.lock, events.lock  spinlocks: leaves, never nested in each other
 */
#ifndef HSL_PRIV_H
#define HSL_PRIV_H

#include <linux/cdev.h>
#include <linux/device.h>
#include <linux/dma-mapping.h>
#include <linux/eventfd.h>
#include <linux/fs.h>
#include <linux/idr.h>
#include <linux/io-64-nonatomic-lo-hi.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/notifier.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/rbtree.h>
#include <linux/refcount.h>
#include <linux/rwsem.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>
#include <linux/hsl.h>
#include <linux/hsl_bus.h>
#include <hsl/proto.h>

#include "compat.h"

#define HSL_CTX_COUNT_MAX	1024	/* contexts of a fabric, index 0 unused */
#define HSL_ADMIN_DEPTH		64
#define HSL_VECTORS_MAX		64
#define HSL_HOST_GA_CLASS_SHIFT	41	/* see host_ga_alloc() */
#define HSL_HOST_GA_CLASSES	(HSL_HOST_GA_CLASS_SHIFT - PAGE_SHIFT + 1)

/* What happened, for read() of the context files (event.c). */
#define HSL_EVENTS		256
struct hsl_events {
	spinlock_t lock;		/* all of it, and ctx->next_event */
	u64 next;			/* number of the next event */
	bool ended;
	wait_queue_head_t wq;
	struct hsl_event_info ring[HSL_EVENTS];	/* event n at n % HSL_EVENTS */
};

/* What is limited per user (limits.c). */
enum hsl_limit { HSL_LIMIT_CONTEXTS, HSL_LIMIT_QUEUES, HSL_LIMIT_SEGMENTS, HSL_LIMIT_MEM, HSL_LIMITS };
struct hsl_user;

struct dma_buf;
struct dma_buf_attachment;

struct hsl_fabric {
	struct device dev;		/* /sys/class/hsl/hsl<minor>; its reference count is the fabric's */
	struct cdev cdev;
	struct list_head link;		/* hsl_fabrics_lock */
	int minor;
	u64 id[2];
	u32 host_node;
	struct inode *inode;		/* one address_space for all mappings, so that zapping finds them */
	struct xarray chips;		/* by node; written under hsl_fabrics_lock */
	unsigned int nchips;		/* hsl_fabrics_lock; read anywhere */
	struct xarray left;		/* nodes of chips that have left: ENODEV rather than ENOENT */
	struct mutex lock;		/* contexts, open_count */
	struct list_head contexts;
	unsigned int open_count;
	struct mutex share_lock;	/* mem->exports, all of struct hsl_export, segment->export and ->import_link */
	struct ida ctx_ida;
	struct ida host_ga[HSL_HOST_GA_CLASSES];
	struct hsl_events events;
	struct dentry *debugfs;
};

enum hsl_chip_state {
	HSL_STATE_READY,
	HSL_STATE_QUIESCING,
	HSL_STATE_STOPPED,
	HSL_STATE_FAILED,
	HSL_STATE_GONE,
	HSL_STATE_ASLEEP,
};

struct hsl_vector {
	struct hsl_chip *chip;
	unsigned int index;
	int irq;
	unsigned int users;		/* queues, and for vector 0 the chip; requested while there are any; chip->vectors_lock */
	spinlock_t lock;		/* queues, and queue->eventfd of these; taken in the handler */
	struct list_head queues;
	char name[40];
};

enum hsl_admin_state { HSL_REQ_PENDING, HSL_REQ_DONE, HSL_REQ_ABORTED };

struct hsl_admin_req {
	struct hsl_desc desc;
	enum hsl_admin_state state;	/* admin.lock */
	unsigned int slot;
	u32 status;			/* HSL_ST_*, when done */
	ktime_t start;
};

struct hsl_admin {
	spinlock_t lock;
	struct hsl_desc *sq;
	struct hsl_cqe *cq;
	dma_addr_t sq_dma, cq_dma;
	u32 depth;
	u32 sq_tail, cq_head;
	struct hsl_admin_req *slots[HSL_ADMIN_DEPTH];	/* by descriptor index: at most depth are outstanding */
	wait_queue_head_t slot_wq;
};

/* A range of chip memory, free in its pool or taken by one owner. */
struct hsl_extent {
	struct rb_node by_off, by_len;	/* free: pool.lock */
	u64 off, len;
};

struct hsl_pool {
	struct mutex lock;
	struct rb_root by_off, by_len;	/* lock */
	u64 avail;			/* written under lock, read anywhere */
};

/* Memory that is online as a NUMA node: numa.c. */
struct hsl_numa {
	struct mutex lock;
	struct hsl_mem *mem;		/* lock; NULL: nothing is online */
	struct notifier_block notifier;	/* registered while there is mem */
	u64 bytes;			/* of mem; written under lock, set to 0 under chip->lock too, read anywhere */
	int node;			/* written under lock, read anywhere */
	bool hold;			/* reset or removal: nothing goes online */
	bool stopping;			/* work is queued or running */
	bool left;			/* the chip was removed with this memory online; chip->lock */
	struct work_struct work, claim_work;
};

struct hsl_chip {
	struct device dev;		/* on the bus; its reference count is the chip's */
	struct device *parent;		/* NULL checks are no use: only touched while not GONE */
	struct hsl_fabric *fabric;
	struct hsl_chip_params p;
	char driver[32], bus_addr[32];
	u32 node, host_node, hep_version, nqueues, db_offset, db_stride, max_depth, nlinks, ctx_count;
	u32 nwindows, win_shift;
	u64 fabric_id[2], cap, mem_bytes, max_len;
	int numa_node;
	bool owner_held;		/* fabric->lock: module reference for open files */

	spinlock_t lock;		/* state, attachments, queues, dirty */
	enum hsl_chip_state state;
	struct list_head attachments;
	struct list_head queues;
	struct list_head dirty;		/* struct hsl_mem waiting to be zeroed */
	wait_queue_head_t state_wq;
	struct mutex life;
	struct rw_semaphore access;

	struct hsl_admin admin;
	struct hsl_ctx_entry *ctx_table;
	dma_addr_t ctx_table_dma;

	struct hsl_pool pool;		/* what is free of its memory */
	unsigned long *clean;		/* a bit per page: known to be zero; clean_lock */
	spinlock_t clean_lock;
	void *mem_va;			/* also gives the mappings' memory type to the architecture */
	bool windows_on;		/* observable memory can be mapped: window.c; written while not READY, read anywhere */
	struct hsl_numa numa;
	struct mutex dmabufs_lock;	/* dmabufs; outside of their resv */
	struct list_head dmabufs;	/* exported ones: dmabuf.c */
	struct work_struct zero_work;
	struct work_struct event_work;
	struct work_struct fail_work;
	const char *fail_why;		/* of the last hsl_chip_fail() */
	struct delayed_work overdue_work;	/* queued while a reset has begun */
	unsigned long overdue_at;	/* jiffies; life */
	atomic_t events;		/* HSL_EVENT_* for event_work */

	struct hsl_link_info *links;	/* last seen; event_work's own after registration */
	u32 event_state;		/* HSL_CHIP_* last told; life */

	struct ida qids;
	atomic_t nqueues_used;
	struct mutex vectors_lock;	/* vector->users */
	struct hsl_vector *vectors;
	unsigned int nvectors;
	struct hsl_sysfs *sysfs;
	struct dentry *debugfs;		/* chip<node>/; hsl_fabrics_lock */
	struct device *hwmon;		/* NULL: none */
	unsigned long ctf_open;		/* bit 0: someone has the test facility's file open */
};

struct hsl_mem {
	struct hsl_chip *chip;		/* reference */
	struct hsl_extent *extent;
	u64 off, len;			/* of the extent */
	u32 flags;			/* HSL_ALLOC_*, for its whole life */
	struct list_head link;		/* chip->dirty */
	/* the rest is that of memory handed out by hsl_share_alloc(): share.c */
	struct kref kref;
	struct mutex revoke_lock;
	struct list_head exports;	/* not revoked, in order of creation; fabric->share_lock */
	struct hsl_user *user;		/* reference; who is charged */
};

/* What SEGMENT_EXPORT made. All but the first three under fabric->share_lock. */
struct hsl_export {
	refcount_t ref;			/* its file, segments imported from it, exports below it */
	struct hsl_fabric *fabric;	/* reference */
	u32 rights;
	struct hsl_mem *mem;		/* reference; NULL: revoked */
	struct hsl_export *parent;	/* reference: where the exporting segment came from; NULL: from its allocation */
	struct hsl_segment *from;	/* the exporting segment, only to be compared; NULL: freed */
	struct list_head link;		/* mem->exports */
	struct list_head imports;	/* segments, by import_link */
	/* for other kinds of file, set by their maker: called once by a revoke, after mem was let go; may sleep */
	void (*revoked)(struct hsl_export *exp);
	void *priv;			/* kfree()d with the node */
};

struct hsl_attach {
	struct hsl_context *ctx;
	struct hsl_chip *chip;		/* reference */
	struct list_head ctx_link;	/* ctx->attachments */
	struct list_head chip_link;	/* chip->attachments, chip->lock */
	struct hsl_admin_req inv;	/* SEG_INVALIDATE in flight; ctx->lock */
	int inv_err;
	__le64 *dir;
	dma_addr_t dir_dma;
	struct hsl_leaf {
		struct hsl_seg_entry *va;
		dma_addr_t dma;
	} leaf[HSL_SEG_DIR_LEAVES];
};

struct hsl_context {
	struct kref kref;
	struct hsl_fabric *fabric;	/* reference */
	struct list_head link;		/* fabric->contexts */
	pid_t pid;			/* of the opener, for dumps */
	struct hsl_user *user;		/* reference; of the opener */
	struct mutex read_lock;		/* readers of events */
	u64 next_event;			/* events.lock */
	u32 index;
	u64 key;
	struct mutex lock;
	bool closed;			/* lock */
	u32 next_epoch;
	struct list_head attachments;
	struct list_head queues;
	struct xarray segments;		/* by handle; lock */
	spinlock_t tree_lock;
	struct rb_root tree;		/* chip segments by ga; tree_lock */
};

/* Host memory of one segment as one chip sees it. */
struct hsl_hostmap {
	struct list_head link;		/* segment->maps */
	struct hsl_attach *attach;
	dma_addr_t *dma;		/* per page */
	struct dma_buf_attachment *dmabuf;	/* these three: the segment is an imported dma-buf */
	struct sg_table *sgt;
	enum dma_data_direction attach_dir;
	unsigned long mapped;
	struct hsl_table {
		__le64 *va;
		dma_addr_t dma;
	} *tables;
	unsigned long ntables;
	dma_addr_t root;
	unsigned int levels;
};

/* Pinned pages of a process, or an imported dma-buf. */
struct hsl_host {
	struct dma_buf *dmabuf;		/* reference; then there is no mm and no page */
	struct mm_struct *mm;		/* mm_count reference: who is charged */
	struct page **pages;
	unsigned long npages, pinned;
	unsigned int offset;		/* of the first byte in the first page */
	bool writable;
	unsigned int ga_class;
	int ga_slot;
	bool ga_valid;
};

struct hsl_segment {
	struct kref kref;
	u32 handle, epoch, rights;
	u32 flags;			/* HSL_ALLOC_*: of its memory */
	u64 ga, len;
	struct hsl_context *ctx;	/* valid while a handle or on an import list */
	bool dead;			/* freed, revoked, or its chip has left: no PTE, no entry is written any more */
	struct hsl_chip *chip;		/* reference; NULL: host memory */
	struct hsl_mem *mem;		/* reference; chip memory; taken away by xchg; NULL: revoked */
	struct hsl_export *export;	/* reference; where it was imported from, or NULL */
	struct list_head import_link;	/* export->imports */
	bool exported;			/* some export is from here; ctx->lock */
	struct hsl_host *host;		/* host memory */
	struct list_head maps;		/* host memory: struct hsl_hostmap; ctx->lock */
	struct rb_node node;
	struct hsl_fabric *fabric;	/* valid as long as any file of the fabric, so for every mapping */
};

struct hsl_ring {
	void *va;
	size_t bytes;
	dma_addr_t dma;
};

struct hsl_queue {
	struct kref kref;
	struct hsl_context *ctx;	/* reference */
	struct hsl_chip *chip;		/* reference */
	struct list_head ctx_link;	/* ctx->queues; ctx->lock */
	struct list_head chip_link;	/* chip->queues; chip->lock */
	struct list_head vec_link;	/* vector->queues; vector->lock */
	struct mutex lock;
	u32 qid, depth, state, error;	/* state: written under lock, read anywhere */
	bool shadow;			/* with a shadow tail, behind struct hsl_queue_ctrl */
	bool mapped;			/* rings are DMA-mapped, queue is listed; lock */
	struct hsl_vector *vec;
	struct hsl_ring ctrl, sq, cq;
	struct page *scratch;		/* replaces the doorbell page after the end */
	struct mm_struct *mm;		/* mm_count reference: only this one may map and ring; only to be compared */
	loff_t db_off;			/* place of the doorbell page in the fabric's address_space */
	wait_queue_head_t wq;
	struct eventfd_ctx *eventfd;	/* vector->lock */
};

/* fabric.c */
extern struct bus_type hsl_bus_type;
int hsl_fabric_join(struct hsl_chip *chip);
void hsl_fabric_leave(struct hsl_chip *chip);
struct hsl_chip *hsl_fabric_chip(struct hsl_fabric *f, u32 node);
struct hsl_chip *hsl_fabric_chip_index(struct hsl_fabric *f, u32 index);
int hsl_fabric_open_begin(struct hsl_fabric *f, struct hsl_context *ctx);
void hsl_fabric_open_end(struct hsl_fabric *f, struct hsl_context *ctx);
extern const struct file_operations hsl_context_fops;

/* chip.c */
enum hsl_chip_state hsl_chip_state_get(struct hsl_chip *chip);
void hsl_chip_state_set(struct hsl_chip *chip, enum hsl_chip_state state);
void hsl_chip_fail(struct hsl_chip *chip, const char *why);
int hsl_chip_settled(struct hsl_chip *chip);
bool hsl_chip_present(struct hsl_chip *chip);
void hsl_chip_barrier(struct hsl_chip *chip);
int hsl_chip_regs_get(struct hsl_chip *chip);
void hsl_chip_regs_put(struct hsl_chip *chip);
int hsl_chip_answers(struct hsl_chip *chip);
int hsl_chip_link(struct hsl_chip *chip, u32 index, struct hsl_link_info *li);
int hsl_chip_counter(struct hsl_chip *chip, u32 reg, u64 *value);
static inline struct hsl_chip *hsl_chip_get(struct hsl_chip *chip)
{
	get_device(&chip->dev);
	return chip;
}

static inline void hsl_chip_put(struct hsl_chip *chip)
{
	put_device(&chip->dev);
}

static inline void __iomem *hsl_chip_doorbell(struct hsl_chip *chip, u32 qid)
{
	return chip->p.regs + chip->db_offset + (size_t)qid * chip->db_stride;
}

/* One zeroed 4 KiB page for a table of the chip. Not while GONE is past (see hsl_attach). */
static inline void *hsl_table_alloc(struct hsl_chip *chip, dma_addr_t *dma)
{
	return dma_alloc_coherent(chip->parent, HSL_TABLE_PAGE, dma, GFP_KERNEL);
}

static inline void hsl_table_free(struct hsl_chip *chip, void *va, dma_addr_t dma)
{
	dma_free_coherent(chip->parent, HSL_TABLE_PAGE, va, dma);
}

u32 hsl_chip_uapi_state(struct hsl_chip *chip);
int hsl_chip_links_init(struct hsl_chip *chip);
bool hsl_chip_links_check(struct hsl_chip *chip);
void hsl_chip_quiesce(struct hsl_chip *chip);
int hsl_chip_restart(struct hsl_chip *chip, const char *after);

/* power.c */
void hsl_power_init(struct hsl_chip *chip);
void hsl_power_exit(struct hsl_chip *chip);
void hsl_chip_wake(struct hsl_chip *chip);
void hsl_chip_stay_awake(struct hsl_chip *chip);
void hsl_chip_let_sleep(struct hsl_chip *chip);

/* irq.c */
#define HSL_EVENT_AWAKE	(1u << 31)	/* beside those of hsl/regs.h: it slept, and its links may be others */
void hsl_events_look(struct hsl_chip *chip, u32 events);
int hsl_irq_init(struct hsl_chip *chip);
struct hsl_vector *hsl_vector_get(struct hsl_chip *chip, unsigned int qid);
void hsl_vector_put(struct hsl_vector *v);
void hsl_irq_exit(struct hsl_chip *chip);
void hsl_event_work(struct work_struct *work);

/* admin.c */
#define HSL_ADMIN_ONCE	1u	/* a reset in between is -EAGAIN, not a reason to submit again */
int hsl_admin_init(struct hsl_chip *chip);
void hsl_admin_exit(struct hsl_chip *chip);
void hsl_admin_reset(struct hsl_chip *chip);
int hsl_admin_ready(struct hsl_chip *chip, unsigned int flags);
int hsl_admin_submit(struct hsl_chip *chip, struct hsl_admin_req *req, unsigned int flags);
int hsl_admin_wait(struct hsl_chip *chip, struct hsl_admin_req *req);
int hsl_admin_exec(struct hsl_chip *chip, struct hsl_admin_req *req, unsigned int flags);
int hsl_admin_fill(struct hsl_chip *chip, u64 off, u64 len);
int hsl_admin_flush(struct hsl_chip *chip, u64 off, u64 len);
void hsl_admin_distrust(struct hsl_chip *chip);
int hsl_admin_ctx_invalidate(struct hsl_chip *chip, u32 index);

/* pool.c */
int hsl_pool_init(struct hsl_pool *pool, u64 len);
void hsl_pool_exit(struct hsl_pool *pool);
struct hsl_extent *hsl_pool_take(struct hsl_pool *pool, u64 len, u64 align);
struct hsl_extent *hsl_pool_take_at(struct hsl_pool *pool, u64 off, u64 len);
void hsl_pool_give(struct hsl_pool *pool, struct hsl_extent *e);
u64 hsl_pool_avail(struct hsl_pool *pool);

/* mem.c */
int hsl_mem_init(struct hsl_chip *chip);
void hsl_mem_exit(struct hsl_chip *chip);
struct hsl_mem *hsl_mem_alloc(struct hsl_chip *chip, u64 len, u64 align);
struct hsl_mem *hsl_mem_alloc_at(struct hsl_chip *chip, u64 off, u64 len);
void hsl_mem_free(struct hsl_mem *mem);
u64 hsl_mem_avail(struct hsl_chip *chip);

/* numa.c */
int hsl_numa_begin(void);
void hsl_numa_end(void);
void hsl_numa_init(struct hsl_chip *chip);
int hsl_numa_set(struct hsl_chip *chip, u64 bytes);
void hsl_numa_stop(struct hsl_chip *chip);
void hsl_numa_leave(struct hsl_chip *chip);
void hsl_numa_allow(struct hsl_chip *chip);

/* dmabuf.c */
struct file *hsl_dmabuf_file(struct hsl_export *exp);
int hsl_dmabuf_import(struct hsl_context *ctx, struct hsl_segment_import *i);
int hsl_dmabuf_map_host(struct hsl_hostmap *map, struct hsl_host *h, enum dma_data_direction dir);
void hsl_dmabuf_chip_gone(struct hsl_chip *chip);
void hsl_dmabuf_unmap_host(struct hsl_hostmap *map);
void hsl_dmabuf_put(struct hsl_host *h);

/* context.c */
struct hsl_context *hsl_context_open(struct hsl_fabric *f);
void hsl_context_shutdown(struct hsl_context *ctx);
void hsl_context_put(struct hsl_context *ctx);
struct hsl_attach *hsl_attach_get(struct hsl_context *ctx, struct hsl_chip *chip);
void hsl_attach_drop(struct hsl_attach *at);
void hsl_attach_drop_all(struct hsl_chip *chip);
int hsl_attach_write(struct hsl_attach *at, struct hsl_segment *seg);
void hsl_attach_clear(struct hsl_attach *at, u32 handle);

/* segment.c */
int hsl_segment_alloc(struct hsl_context *ctx, struct hsl_segment_alloc *a);
int hsl_segment_register(struct hsl_context *ctx, struct hsl_segment_register *r);
int hsl_segment_import_host(struct hsl_context *ctx, struct hsl_host *host, struct hsl_segment_import *i);
int hsl_segment_free(struct hsl_context *ctx, u32 handle);
int hsl_segment_info(struct hsl_context *ctx, struct hsl_segment_info *i);
struct hsl_segment *hsl_segment_new(struct hsl_context *ctx, u32 rights);
int hsl_segment_install(struct hsl_context *ctx, struct hsl_segment *seg);
void hsl_segment_kill(struct hsl_segment *seg);
void hsl_segment_drop(struct hsl_segment *seg);
bool hsl_rights_valid(u32 rights);
void hsl_segment_destroy(struct hsl_context *ctx, struct hsl_segment *seg);
void hsl_segment_orphan(struct hsl_context *ctx, struct hsl_chip *chip);
struct hsl_segment *hsl_segment_find(struct hsl_context *ctx, u64 ga);
void hsl_segment_put(struct hsl_segment *seg);

/* share.c */
struct hsl_mem *hsl_share_alloc(struct hsl_context *ctx, struct hsl_chip *chip, u64 len, u64 align, u32 flags);
struct hsl_mem *hsl_share_get(struct hsl_mem *mem);
void hsl_share_put(struct hsl_mem *mem);
void hsl_share_drop(struct hsl_segment *seg);
struct hsl_export *hsl_export_create(struct hsl_context *ctx, u32 handle, u32 rights);
void hsl_export_put(struct hsl_export *exp);
struct hsl_mem *hsl_export_mem(struct hsl_export *exp);
struct file *hsl_export_file(struct hsl_export *exp);
int hsl_export_import(struct hsl_context *ctx, struct hsl_export *exp, struct hsl_segment_import *i);
void hsl_export_leave(struct hsl_segment *seg);
void hsl_export_count(struct hsl_segment *seg, unsigned int *exports, unsigned int *imports);
int hsl_segment_import(struct hsl_context *ctx, struct hsl_segment_import *i);
int hsl_segment_revoke(struct hsl_context *ctx, u32 handle);

/* event.c */
void hsl_events_init(struct hsl_events *ev);
void hsl_event_post(struct hsl_fabric *f, u32 type, u32 node, u32 index, u32 value);
void hsl_events_end(struct hsl_fabric *f);
void hsl_events_open(struct hsl_context *ctx, struct hsl_fabric *f);
ssize_t hsl_context_read(struct file *file, char __user *buf, size_t len, loff_t *pos);
__poll_t hsl_context_poll(struct file *file, struct poll_table_struct *wait);

/* limits.c */
struct hsl_user *hsl_user_current(void);
struct hsl_user *hsl_user_get(struct hsl_user *u);
void hsl_user_put(struct hsl_user *u);
int hsl_user_charge(struct hsl_user *u, enum hsl_limit what, u64 n);
void hsl_user_uncharge(struct hsl_user *u, enum hsl_limit what, u64 n);
void hsl_user_usage(struct hsl_user *u, struct seq_file *m);

/* host.c */
struct hsl_host *hsl_host_pin(struct hsl_fabric *f, u64 addr, u64 len, bool writable);
struct hsl_host *hsl_host_dmabuf(struct hsl_fabric *f, struct dma_buf *dmabuf, unsigned long npages, bool writable);
void hsl_host_unpin(struct hsl_fabric *f, struct hsl_host *host);
u64 hsl_host_ga(struct hsl_fabric *f, struct hsl_host *host);
struct hsl_hostmap *hsl_hostmap_create(struct hsl_attach *at, struct hsl_segment *seg);
void hsl_hostmap_destroy(struct hsl_segment *seg, struct hsl_hostmap *map);
struct hsl_hostmap *hsl_hostmap_find(struct hsl_segment *seg, struct hsl_attach *at);

/* map.c */
int hsl_context_mmap(struct file *file, struct vm_area_struct *vma);
void hsl_segment_zap(struct hsl_segment *seg);
vm_fault_t hsl_chip_fault(struct vm_fault *vmf, struct hsl_chip *chip, u32 flags, const bool *dead);
int hsl_chip_access(struct vm_area_struct *vma, unsigned long addr, void *buf, int len, int write, struct hsl_chip *chip, u32 flags,
		    const bool *dead);
int hsl_chip_vma_init(struct vm_area_struct *vma, struct hsl_chip *chip, u32 rights, u32 flags);
void hsl_chip_zap_dead(struct hsl_chip *chip, struct hsl_fabric *f, u64 ga, u64 len, bool *dead);
void hsl_chip_zap(struct hsl_chip *chip);
int hsl_queue_mmap(struct file *file, struct vm_area_struct *vma);
void hsl_queue_zap_doorbell(struct hsl_queue *q);

/* window.c */
void hsl_windows_start(struct hsl_chip *chip);

/* queue.c */
struct file *hsl_queue_create(struct hsl_context *ctx, struct hsl_queue_create *c);
void hsl_queue_end(struct hsl_queue *q, u32 error, bool on_chip);
void hsl_queue_end_all(struct hsl_chip *chip, u32 error);
void hsl_queue_check_all(struct hsl_chip *chip);
void hsl_queue_put(struct hsl_queue *q);
int hsl_queue_kick(struct hsl_queue *q, const struct hsl_queue_kick *k);
int hsl_queue_abort(struct hsl_queue *q);
int hsl_queue_eventfd(struct hsl_queue *q, const struct hsl_queue_eventfd *e);
void hsl_queue_info(struct hsl_queue *q, struct hsl_queue_info *i);

/* ioctl.c */
long hsl_context_ioctl(struct file *file, unsigned int cmd, unsigned long arg);
long hsl_queue_ioctl(struct file *file, unsigned int cmd, unsigned long arg);

/* sysfs.c */
extern const struct attribute_group *hsl_fabric_groups[];
int hsl_sysfs_init(struct hsl_chip *chip);
void hsl_sysfs_free(struct hsl_chip *chip);
const char *hsl_chip_state_name(enum hsl_chip_state state);

/* hwmon.c */
#if IS_REACHABLE(CONFIG_HWMON)
void hsl_hwmon_add(struct hsl_chip *chip);
void hsl_hwmon_remove(struct hsl_chip *chip);
#else
static inline void hsl_hwmon_add(struct hsl_chip *chip) { }
static inline void hsl_hwmon_remove(struct hsl_chip *chip) { }
#endif

/* dump.c */
#define HSL_DUMP_BYTES	SZ_64K	/* more than all registers take: below 700 lines of at most 50 bytes */
int hsl_dump_registers(struct hsl_chip *chip, char *buf, size_t len);
void hsl_dump_failed(struct hsl_chip *chip, const char *why);

/* debugfs.c */
void hsl_debugfs_init(void);
void hsl_debugfs_exit(void);
void hsl_debugfs_add(struct hsl_fabric *f);
void hsl_debugfs_remove(struct hsl_fabric *f);
void hsl_debugfs_add_chip(struct hsl_chip *chip);
void hsl_debugfs_remove_chip(struct hsl_chip *chip);

/* ctf.c; kernel/Kbuild leaves it out with HSL_TEST_FACILITY=n */
#ifdef HSL_TEST_FACILITY
void hsl_ctf_add(struct hsl_chip *chip);
#else
static inline void hsl_ctf_add(struct hsl_chip *chip) { }
#endif

#endif /* HSL_PRIV_H */
