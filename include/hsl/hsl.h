/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * libhsl: the C interface to an HSL fabric.
 *
 * Backends by URL (HEP-API-001): "/dev/hsl0" is the driver; "sim:mesh4" runs the same engine and model inside
 * the process (no VM, no root, no hardware). In one process, opening the same sim: URL twice gives two contexts
 * of one fabric, just as opening /dev/hsl0 twice does.
 *
 * Every function returns 0 or a count on success and a negative errno on failure; nothing is changed then.
 * Create calls take a zeroable struct whose first field is its size; NULL means defaults where allowed.
 * Threads: different objects may be used from different threads at once. A fabric may be used from any thread
 * at any time except hsl_fabric_close. One queue belongs to one thread at a time (no lock inside), except
 * hsl_queue_fd. A segment may be mapped, queried and used in commands from any thread; free it once.
 * HSL_LOG=error|warn|info|debug sends messages to stderr (default error).
 */
#ifndef HSL_HSL_H
#define HSL_HSL_H

#include <stddef.h>
#include <stdint.h>

#include "proto.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HSL_VERSION_MAJOR	1
#define HSL_VERSION_MINOR	1
#define HSL_VERSION_PATCH	0

struct hsl_fabric;
struct hsl_segment;
struct hsl_queue;

/* "1.1.0" */
const char *hsl_version(void);

/* Text for a completion status HSL_ST_*, and the errno it maps to (negative; 0 for HSL_ST_OK). */
const char *hsl_status_name(unsigned int status);	/* "ok", "no-segment", ... */
int hsl_status_errno(unsigned int status);

/* ---- fabric ---- */

struct hsl_fabric_info {
	size_t size;			/* in: sizeof */
	uint64_t fabric_id[2];
	uint32_t nchips;
	uint32_t host_node;
	uint32_t ga_offset_bits;
	uint32_t page_size_bytes;
	uint32_t ctx_index;
	uint32_t driver_abi;		/* 0 on sim: */
	char backend[16];		/* "kernel" or "sim" */
};

/*
 * url NULL: $HSL_FABRIC, else the first /dev/hsl<N>. Errors: -ENODEV no such device, -EACCES no permission,
 * -EPROTO driver of another ABI major, -EINVAL malformed sim: URL, -ENOMEM.
 * sim: URL: sim:TOPO<N>[,mem=SIZE][,queues=N][,profile=NAME][,time=modelled] with TOPO pair, ring, mesh, switch; sizes take K, M, G.
 * TOPO<N> and NAME may be fabric files (libhsl(7)). plugin:FILE.so[,ARGUMENTS]: what a shared object serves (hsl/plugin.h).
 */
int hsl_fabric_open(const char *url, struct hsl_fabric **out);
/* Frees segments and queues still open; no other thread may use them. */
void hsl_fabric_close(struct hsl_fabric *f);
int hsl_fabric_info(struct hsl_fabric *f, struct hsl_fabric_info *info);

/*
 * The clock of the fabric's chips, ns. CLOCK_MONOTONIC, but on sim: with time=modelled: there it goes on only while somebody waits
 * (hsl_queue_poll that finds nothing, hsl_queue_wait, calls that change segments and queues), and by what the link profile says.
 */
int hsl_clock_ns(struct hsl_fabric *f, uint64_t *ns);

/* ---- chips, links, topology ---- */

struct hsl_chip_props {
	size_t size;			/* in: sizeof */
	uint32_t node;
	uint32_t state;			/* 0 ready, 1 resetting, 2 failed */
	uint64_t mem_bytes;
	uint64_t mem_free_bytes;
	uint64_t cap;			/* HSL_CAP_* */
	uint64_t max_len_bytes;
	uint32_t hep_version;
	uint32_t max_depth;
	uint32_t nqueues;
	uint32_t nqueues_free;
	uint32_t nlinks;
	int32_t numa_node;
	char bus_addr[32];
	char driver[32];
};

struct hsl_link_props {
	size_t size;			/* in: sizeof */
	uint32_t peer;			/* node id, 0 = not connected */
	uint32_t peer_type;		/* HSL_NODE_TYPE_* */
	uint32_t state;			/* HSL_LTSSM_* */
	uint32_t width;			/* lanes */
	uint32_t rate_mtps;
	uint32_t latency_ps;		/* one way */
	uint32_t max_width;		/* the widest that this end can; 0 = the chip, or its driver, does not tell */
	uint32_t max_rate_mtps;		/* the highest that this end can; 0 = not told */
};

struct hsl_path_props {
	size_t size;			/* in: sizeof */
	uint32_t hops;			/* links crossed; 0 = same node */
	uint32_t latency_ps;		/* one way, empty links, sum of link latencies */
	uint64_t raw_bytes_per_s;	/* per direction, narrowest link on the path: width * rate / 8 */
};

/* index 0..nchips-1 in order of node ids. -ENOENT past the end. */
int hsl_chip_by_index(struct hsl_fabric *f, unsigned int index, struct hsl_chip_props *p);
int hsl_chip_by_node(struct hsl_fabric *f, uint32_t node, struct hsl_chip_props *p);
int hsl_link_query(struct hsl_fabric *f, uint32_t node, unsigned int index, struct hsl_link_props *p);
/* Shortest path over links in L0 or L1 between two chips. -EHOSTUNREACH if there is none, -ENOENT unknown node. */
int hsl_topology_path(struct hsl_fabric *f, uint32_t src_node, uint32_t dst_node, struct hsl_path_props *p);

/*
 * Counters (HSL_CAP_COUNTERS; docs/hep.md section 10.1): those of a link, or of the chip itself. They count from power-on and wrap
 * at 2^64: take differences. hsl_counter_name: of value i of the two kinds, as sysfs names them ("tx_flits"); NULL past the end.
 * hsl_counters: value[i] for i < n. The number there are, however large n is. -ENOENT no such node or link, -EOPNOTSUPP the
 * chip (or its driver) has no counters, -ENODEV it has failed or left.
 */
#define HSL_COUNTERS_CHIP	0xffffffffu	/* in place of a link */
const char *hsl_counter_name(unsigned int link, unsigned int i);
int hsl_counters(struct hsl_fabric *f, uint32_t node, unsigned int link, uint64_t *value, unsigned int n);

/*
 * Sensors (HSL_CAP_SENSORS; docs/hep.md section 10.3) as they are now. -ENOENT no such node, -EOPNOTSUPP the chip (or its driver, or
 * the kernel) has none, -ENODEV it has failed or left, -EINVAL f or s is NULL or size too small.
 */
struct hsl_sensors {
	size_t size;			/* in: sizeof */
	int32_t temp_mc;		/* 1/1000 degree Celsius, as the next two */
	int32_t temp_max_mc;		/* it throttles from here on */
	int32_t temp_crit_mc;		/* it may be damaged from here on */
	uint32_t power_mw;
	uint32_t thermal;		/* HSL_THERMAL_* */
};
int hsl_chip_sensors(struct hsl_fabric *f, uint32_t node, struct hsl_sensors *s);

/* ---- segments ---- */

#define HSL_RIGHT_READ	1u
#define HSL_RIGHT_WRITE	2u
#define HSL_RIGHT_RW	3u

struct hsl_segment_opts {
	size_t size;			/* in: sizeof */
	uint64_t align_bytes;		/* 0 = page */
	uint32_t rights;		/* 0 = read and write */
	uint32_t flags;			/* hsl_segment_alloc: HSL_SEGMENT_*; else 0 */
	/* hsl_segment_alloc: 0, or where: memory that programs at a flit socket share (libhsl(7)); -ENOENT it is none */
	uint64_t ga;
};
/*
 * OBSERVABLE: every load, store and command on it crosses links and caches as packets, with the same results (HEP-MAP-025);
 * atomics of the CPU on its mapping are undefined, hsl_atomic is not. NONCOHERENT, with OBSERVABLE only: no cache of a chip
 * keeps its lines; that of its host port may, for mappings.
 */
#define HSL_SEGMENT_OBSERVABLE	1u
#define HSL_SEGMENT_NONCOHERENT	2u

/*
 * Allocate len bytes (rounded up to a page), zeroed, on a chip. -ENOENT unknown node, -ENOSPC chip full,
 * -EINVAL bad length, alignment, rights or flags, -EOPNOTSUPP the chip has no such memory.
 */
int hsl_segment_alloc(struct hsl_fabric *f, uint32_t node, uint64_t len_bytes,
		      const struct hsl_segment_opts *opts, struct hsl_segment **out);
/*
 * Register host memory [addr, addr + len). It stays pinned until the segment is freed. -EFAULT not mapped or
 * not writable, -ENOMEM over RLIMIT_MEMLOCK, -EINVAL bad length or rights, or flags or an alignment: it is what it is.
 */
int hsl_segment_register(struct hsl_fabric *f, void *addr, uint64_t len_bytes,
			 const struct hsl_segment_opts *opts, struct hsl_segment **out);
/*
 * Export: a file that stands for the segment's memory, to be passed over a UNIX socket; rights 0 = the segment's. flags: 0
 * or HSL_EXPORT_F_DMABUF. -EACCES more rights than it has, -EOPNOTSUPP for host memory (and dma-bufs on sim:). On sim: the file
 * is good in this process only.
 * Import: rights 0 = all that are granted. -ESTALE revoked, -EXDEV another fabric's, -EEXIST this context has the memory as a
 * segment already, -EINVAL not an export.
 * Revoke: returns when nothing imported from an export of s gives access any more; s itself stays.
 */
#define HSL_EXPORT_F_DMABUF	1u
int hsl_segment_export(struct hsl_segment *s, uint32_t rights, uint32_t flags, int *fd);
int hsl_segment_import(struct hsl_fabric *f, int fd, uint32_t rights, struct hsl_segment **out);
int hsl_segment_revoke(struct hsl_segment *s);
uint32_t hsl_segment_rights(const struct hsl_segment *s);
/* Returns when no command uses the segment any more; mappings made by hsl_segment_map are removed. NULL is 0. */
int hsl_segment_free(struct hsl_segment *s);
uint64_t hsl_segment_ga(const struct hsl_segment *s);
uint64_t hsl_segment_len(const struct hsl_segment *s);
uint32_t hsl_segment_handle(const struct hsl_segment *s);
/* HSL_SEGMENT_* of its memory: what an imported segment was allocated with, too. */
uint32_t hsl_segment_flags(const struct hsl_segment *s);
/*
 * Pointer to the segment's first byte for CPU loads and stores; the same pointer for every call. Registered
 * host memory gives the address it was registered at. -EACCES for chip memory without the READ right, -ENODEV, -EOPNOTSUPP
 * for OBSERVABLE memory on sim:, where loads and stores cannot be trapped, and on a chip whose windows are too small.
 */
int hsl_segment_map(struct hsl_segment *s, void **ptr);

/*
 * Node window: one reserved range of addresses for all memory of a chip, so that GA and pointer differ by a constant
 * (HEP-MAP-021). hsl_segment_map puts segments of that node into it from then on; the rest of it is not accessible.
 * Open: -EBUSY a segment of the node is mapped already or the window is open, -ENOENT, -ENOMEM. Close: -EBUSY while a segment is mapped in it.
 */
struct hsl_window {
	size_t size;			/* in: sizeof */
	uint32_t node;
	uint32_t rsvd;
	uint64_t ga;			/* of base */
	uint64_t len_bytes;
	char *base;
};
int hsl_window_open(struct hsl_fabric *f, uint32_t node, struct hsl_window *w);
int hsl_window_close(struct hsl_fabric *f, uint32_t node);
static inline void *hsl_window_ptr(const struct hsl_window *w, uint64_t ga)
{
	return w->base + (ga - w->ga);
}
static inline uint64_t hsl_window_ga(const struct hsl_window *w, const void *ptr)
{
	return w->ga + (uint64_t)((const char *)ptr - w->base);
}

/* ---- events ---- */

struct hsl_fabric_event {
	uint64_t seq;			/* consecutive */
	uint64_t time_ns;		/* CLOCK_MONOTONIC */
	uint32_t type;			/* HSL_FABRIC_EV_* */
	uint32_t node;
	uint32_t index;
	uint32_t value;
};
/* For poll(2): readable while events are there. Owned by the fabric: do not read or close it. */
int hsl_event_fd(struct hsl_fabric *f);
/* Take up to n events without waiting; 0 if there are none. Any thread. -ENODEV when the fabric is gone. */
int hsl_event_read(struct hsl_fabric *f, struct hsl_fabric_event *ev, unsigned int n);

/* ---- compliance test facility (hsl/ctf.h; docs/hep.md section 10.2) ---- */

/*
 * For testers: a chip in test mode makes errors on purpose. One opener of a chip at a time; on the driver it takes root. Test mode
 * lasts from open to close, also when the process dies. One facility belongs to one thread at a time.
 * Open: -EOPNOTSUPP the chip has none, or the driver offers none (built without it, debugfs not mounted), -EACCES no
 * permission, -EBUSY somebody else has it, -ENOENT no such chip, -ENODEV it has failed or left.
 */
struct hsl_ctf;
int hsl_ctf_open(struct hsl_fabric *f, uint32_t node, struct hsl_ctf **out);
void hsl_ctf_close(struct hsl_ctf *c);
/* Bit n: the chip knows command n. */
uint32_t hsl_ctf_commands(const struct hsl_ctf *c);
/*
 * HSL_CTF_CMD_* with its three arguments (NULL: zeros) about a link of the chip; its two results (may be NULL). What STATUS says is
 * mapped by hsl_status_errno: -EOPNOTSUPP the chip has no such command, -EINVAL an argument, -EHOSTUNREACH no such link, -ERANGE nothing
 * there (yet). -ESHUTDOWN test mode has ended, by a reset of the chip: close. -ENODEV the chip has failed or left.
 */
int hsl_ctf_command(struct hsl_ctf *c, unsigned int link, unsigned int cmd, const uint64_t arg[3], uint64_t result[2]);
/* The HSL_FLIT_BYTES bytes that HSL_CTF_CMD_SEND sends. */
int hsl_ctf_flit(struct hsl_ctf *c, const void *flit);
/* The HSL_CTF_RECORD_BYTES bytes that HSL_CTF_CMD_NEXT took. */
int hsl_ctf_record(struct hsl_ctf *c, void *record);

/* ---- queues and operations ---- */

struct hsl_queue_opts {
	size_t size;			/* in: sizeof */
	uint32_t depth;			/* power of two; 0 = 256 or the chip's maximum if less */
	uint32_t flags;			/* 0 or HSL_QUEUE_F_SYSCALL */
};
#define HSL_QUEUE_F_SYSCALL	1u	/* ring the doorbell by ioctl, as where it cannot be mapped */

struct hsl_op {
	uint8_t opcode;			/* HSL_OP_* */
	uint8_t order;			/* HSL_ORDER_*; 0 = strong */
	uint8_t flags;			/* HSL_DF_* */
	uint8_t subop;			/* HSL_REDUCE_SUBOP(), HSL_ATOMIC_*, HSL_SIGNAL_*, HSL_WAIT_* */
	uint32_t rsvd1;
	uint64_t cookie;		/* comes back in the completion */
	uint64_t dst;			/* GA */
	uint64_t src;			/* GA */
	uint64_t len;			/* bytes */
	uint64_t arg0;			/* FILL: pattern; ATOMIC, SIGNAL, WAIT: operand; COPY2D: rows */
	uint64_t arg1;			/* CAS: compare; WAIT: timeout, ns; COPY2D: HSL_PITCH() */
};

struct hsl_completion {
	uint64_t cookie;
	uint64_t result;		/* bytes written; ATOMIC, SIGNAL, WAIT, LOAD without dst: the value */
	uint64_t fault_ga;
	uint32_t status;		/* HSL_ST_* */
	int32_t error;			/* hsl_status_errno(status) */
};

int hsl_queue_create(struct hsl_fabric *f, uint32_t node, const struct hsl_queue_opts *opts, struct hsl_queue **out);
/* Outstanding operations are aborted; what they had written stays. */
void hsl_queue_destroy(struct hsl_queue *q);
uint32_t hsl_queue_depth(const struct hsl_queue *q);
uint32_t hsl_queue_node(const struct hsl_queue *q);
/*
 * Submit up to n operations with one doorbell. Returns how many were taken (fewer when the ring fills), -EAGAIN
 * if none fitted, -ESHUTDOWN when the queue has ended, -EINVAL on a non-zero reserved field. Operands are
 * checked by the chip: errors come in the completion.
 */
int hsl_queue_submit(struct hsl_queue *q, const struct hsl_op *ops, unsigned int n);
/* Take up to max completions without waiting. After the queue's end, what was outstanding comes as HSL_ST_GONE. */
int hsl_queue_poll(struct hsl_queue *q, struct hsl_completion *c, unsigned int max);
/*
 * As poll, but waits for at least one: spins a little, then sleeps. deadline_ns: CLOCK_MONOTONIC, UINT64_MAX =
 * forever. -ETIMEDOUT (nothing is lost, wait again), -EINTR, -ENOENT nothing is outstanding. With only HSL_DF_NO_CQE
 * operations outstanding it waits until all have ended, and is -ENOENT then if none failed.
 */
int hsl_queue_wait(struct hsl_queue *q, struct hsl_completion *c, unsigned int max, uint64_t deadline_ns);
/* Submitted and not taken; of those with HSL_DF_NO_CQE, what is not known to have ended. */
unsigned int hsl_queue_outstanding(const struct hsl_queue *q);
/* A descriptor for poll(2)/epoll: readable while completions are there to take. Owned by the queue. */
int hsl_queue_fd(const struct hsl_queue *q);
/* Signal an eventfd once when a completion beyond those consumed exists; arm before each wait. -1 detaches. */
int hsl_queue_eventfd(struct hsl_queue *q, int fd);
int hsl_queue_arm(struct hsl_queue *q);
/*
 * Everything submitted ends, with HSL_ST_ABORTED if it had not ended before, and is in the completion ring on return. The queue can be used
 * on. -ESHUTDOWN when it has ended.
 */
int hsl_queue_abort(struct hsl_queue *q);
/*
 * Interrupt moderation: a sleeping waiter, the fd and the eventfd are woken at count completions or us microseconds after the first,
 * whichever is first; count 0 or 1 is off. Both < 65536. -EOPNOTSUPP if the chip has none, or with HSL_QUEUE_F_SYSCALL.
 */
int hsl_queue_moderate(struct hsl_queue *q, uint32_t count, uint32_t us);
/* HSL_QUEUE_READY or HSL_QUEUE_ERROR; *error (may be NULL) gets the HSL_ST_* that ended it. */
int hsl_queue_state(struct hsl_queue *q, uint32_t *error);

/* Operations for hsl_queue_submit; set order, flags and cookie afterwards where they matter. */
static inline struct hsl_op hsl_op_make(unsigned int opcode, unsigned int subop, uint64_t dst, uint64_t src, uint64_t len,
					uint64_t arg0, uint64_t arg1)
{
	struct hsl_op op = { (uint8_t)opcode, 0, 0, (uint8_t)subop, 0, 0, dst, src, len, arg0, arg1 };

	return op;
}
static inline struct hsl_op hsl_op_copy(uint64_t dst_ga, uint64_t src_ga, uint64_t len_bytes)
{
	return hsl_op_make(HSL_OP_COPY, 0, dst_ga, src_ga, len_bytes, 0, 0);
}
static inline struct hsl_op hsl_op_fill(uint64_t dst_ga, uint64_t len_bytes, uint64_t pattern)
{
	return hsl_op_make(HSL_OP_FILL, 0, dst_ga, 0, len_bytes, pattern, 0);
}
static inline struct hsl_op hsl_op_fence(void)
{
	return hsl_op_make(HSL_OP_FENCE, 0, 0, 0, 0, 0, 0);
}
static inline struct hsl_op hsl_op_reduce(unsigned int op, unsigned int type, uint64_t dst_ga, uint64_t src_ga,
					  uint64_t len_bytes)
{
	return hsl_op_make(HSL_OP_REDUCE, HSL_REDUCE_SUBOP(op, type), dst_ga, src_ga, len_bytes, 0, 0);
}
static inline struct hsl_op hsl_op_atomic(unsigned int op, uint64_t ga, unsigned int len_bytes, uint64_t operand,
					  uint64_t compare)
{
	return hsl_op_make(HSL_OP_ATOMIC, op, ga, 0, len_bytes, operand, compare);
}
/* dst_ga 0: the value comes as result, at most 8 bytes; else at most 64 bytes to dst_ga. */
static inline struct hsl_op hsl_op_load(uint64_t dst_ga, uint64_t src_ga, unsigned int len_bytes)
{
	return hsl_op_make(HSL_OP_LOAD, 0, dst_ga, src_ga, len_bytes, 0, 0);
}
/* The low len_bytes, at most 8, of value. */
static inline struct hsl_op hsl_op_store(uint64_t dst_ga, uint64_t value, unsigned int len_bytes)
{
	return hsl_op_make(HSL_OP_STORE, 0, dst_ga, 0, len_bytes, value, 0);
}
static inline struct hsl_op hsl_op_signal(unsigned int op, uint64_t ga, uint64_t value)
{
	return hsl_op_make(HSL_OP_SIGNAL, op, ga, 0, 8, value, 0);
}
static inline struct hsl_op hsl_op_wait(unsigned int cond, uint64_t ga, uint64_t value, uint64_t timeout_ns)
{
	return hsl_op_make(HSL_OP_WAIT, cond, 0, ga, 8, value, timeout_ns);
}
static inline struct hsl_op hsl_op_copy2d(uint64_t dst_ga, uint32_t dst_pitch, uint64_t src_ga, uint32_t src_pitch,
					  uint64_t row_bytes, uint32_t rows)
{
	return hsl_op_make(HSL_OP_COPY2D, 0, dst_ga, src_ga, row_bytes, rows, HSL_PITCH(dst_pitch, src_pitch));
}
static inline struct hsl_op hsl_op_copy_list(uint64_t list_ga, unsigned int n)
{
	return hsl_op_make(HSL_OP_COPY_LIST, 0, 0, list_ga, (uint64_t)n * sizeof(struct hsl_copy_entry), 0, 0);
}

/* Submit one operation and wait for it. Only on a queue with nothing outstanding (-EBUSY else). */
int hsl_copy(struct hsl_queue *q, uint64_t dst_ga, uint64_t src_ga, uint64_t len_bytes);
int hsl_fill(struct hsl_queue *q, uint64_t dst_ga, uint64_t len_bytes, uint64_t pattern);
int hsl_nop(struct hsl_queue *q);
int hsl_fence(struct hsl_queue *q);
/* dst[i] = dst[i] op src[i] for count elements; op HSL_REDUCE_*, type HSL_TYPE_*. */
int hsl_reduce(struct hsl_queue *q, unsigned int op, unsigned int type, uint64_t dst_ga, uint64_t src_ga, uint64_t count);
/* op HSL_ATOMIC_* on len_bytes 4 or 8; compare for CAS, else 0. *old may be NULL. */
int hsl_atomic(struct hsl_queue *q, unsigned int op, uint64_t ga, unsigned int len_bytes, uint64_t operand,
	       uint64_t compare, uint64_t *old);
/* 1 to 8 bytes, zero-extended; never torn if 1, 2, 4 or 8 and aligned. */
int hsl_load(struct hsl_queue *q, uint64_t src_ga, unsigned int len_bytes, uint64_t *value);
/* 1 to 16 bytes from memory of the caller's that need not be registered. */
int hsl_store(struct hsl_queue *q, uint64_t dst_ga, const void *bytes, unsigned int len_bytes);
/* op HSL_SIGNAL_*. *old may be NULL. */
int hsl_signal(struct hsl_queue *q, unsigned int op, uint64_t ga, uint64_t value, uint64_t *old);
/* Wait on the chip until the 8 bytes at ga fulfil cond (HSL_WAIT_*) with value; timeout_ns 0 = none. -ETIMEDOUT. *seen may be NULL. */
int hsl_wait_value(struct hsl_queue *q, unsigned int cond, uint64_t ga, uint64_t value, uint64_t timeout_ns, uint64_t *seen);
int hsl_copy2d(struct hsl_queue *q, uint64_t dst_ga, uint32_t dst_pitch, uint64_t src_ga, uint32_t src_pitch,
	       uint64_t row_bytes, uint32_t rows);
/* list_ga: n struct hsl_copy_entry in memory the chip can read. */
int hsl_copy_list(struct hsl_queue *q, uint64_t list_ga, unsigned int n);

#ifdef __cplusplus
}
#endif

#endif /* HSL_HSL_H */
