/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * /dev/hsl<N>: one HSL fabric. An open file is a context; it owns segments and queues.
 *
 * Errno contract, for every ioctl here:
 *   ENOTTY      unknown ioctl, or one for the other kind of file (context file, queue file)
 *   EINVAL      size below the first version of the struct, an unknown flag, a reserved field that is not zero,
 *               or a value that no device could accept
 *   E2BIG       size above the driver's struct with a tail that is not zero, or above one page
 *   EFAULT      the struct or a buffer it names cannot be read or written
 *   ENODEV      the chip or the whole fabric is gone (unplug, unbind); the file is good only for close()
 *   ESHUTDOWN   the queue is in ERROR (chip reset, queue error): close it and create another
 *   ENOENT      no such chip, link, segment or queue in this context; a stranger's handle is never told apart
 *   EPROTO      driver and caller differ in ABI major version
 *   ENOMEM      out of kernel memory, or RLIMIT_MEMLOCK would be exceeded (SEGMENT_REGISTER)
 *   ENOSPC      out of chip memory, handles or global addresses
 *   EBUSY       out of queues or vectors on that chip now
 *   EDQUOT      a limit of this user would be exceeded (parameters of hsl.ko: contexts, queues, segments, chip memory)
 *   EACCES      rights that the segment does not have or was not exported with; a queue file used by a process that
 *               did not create it
 *   ESTALE      import of an export that was revoked
 *   EINTR       a signal came first; nothing was changed
 * On error nothing has changed, unless the ioctl's text says otherwise.
 *
 * Every struct starts with its size in bytes, set by the caller. A newer driver treats missing fields as zero
 * and writes back no more than size, and nothing where no field is Out. Numbers never change when a struct grows: they
 * carry no size.
 *
 * mmap() of the context file: the file offset is a global address (GA); the range must lie in one segment of
 * chip memory of this context. MAP_SHARED only (EINVAL else), PROT_EXEC is refused (EACCES), PROT_* beyond the
 * segment's rights is EACCES, a GA or length outside the segment is ENXIO. Free, revoke, unplug and unbind remove the
 * mapping: SIGBUS after. munmap, partial munmap and fork (the child keeps the mapping, not the context) work, and a
 * mapping with MADV_DONTFORK is not in the child; mremap may move or shrink, growth is EFAULT; mprotect beyond the rights
 * is EACCES; exec drops mappings and files (O_CLOEXEC). EOPNOTSUPP: observable memory of a chip whose windows do not
 * reach over all of it. A mapping keeps the memory of its segment, not the right to
 * name it: after SEGMENT_FREE it faults, whoever else holds the memory.
 * read() of the context file: see struct hsl_event_info; poll() of it: POLLIN while events are there to read, POLLHUP
 * when the fabric is gone.
 * A queue file: see hsl_queue_create. close() of a queue aborts what is outstanding.
 *
 * 1.1: export, import, revoke, abort, events. 1.2: observable memory (HSL_ALLOC_*), shadow tails (HSL_QUEUE_SHADOW); an older
 * driver answers EINVAL to their flags. 1.3: max_width and max_rate_mtps of a link; an older driver leaves them 0.
 */
#ifndef _UAPI_LINUX_HSL_H
#define _UAPI_LINUX_HSL_H

#include <linux/types.h>
#include <linux/ioctl.h>

#define HSL_ABI_MAJOR	1
#define HSL_ABI_MINOR	3
#define HSL_ABI_VERSION	((HSL_ABI_MAJOR << 16) | HSL_ABI_MINOR)

#define HSL_IOC_TYPE	0xe8
#define HSL_IO(nr)	_IO(HSL_IOC_TYPE, nr)

/* ---- fabric, chips, links ---- */

/**
 * struct hsl_info - HSL_IOC_INFO: version handshake and fabric
 * @size: In: sizeof(struct hsl_info)
 * @flags: In: must be 0
 * @abi_version: In: HSL_ABI_VERSION of the caller. Out: of the driver. Written even when the call fails with EPROTO
 * @nchips: Out: chips present now
 * @fabric_id: Out: 128-bit fabric id
 * @host_node: Out: node id of this host
 * @ga_offset_bits: Out: bits of a GA below the node id
 * @page_size: Out: granule of segments and mappings, bytes
 * @ctx_index: Out: index of this context in the chips' tables (for traces)
 */
struct hsl_info {
	__u32 size;
	__u32 flags;
	__u32 abi_version;
	__u32 nchips;
	__u64 fabric_id[2];
	__u32 host_node;
	__u32 ga_offset_bits;
	__u32 page_size;
	__u32 ctx_index;
};
#define HSL_IOC_INFO	HSL_IO(0x00)

/**
 * struct hsl_chip_info - HSL_IOC_CHIP_INFO
 * @size: In: sizeof(struct hsl_chip_info)
 * @flags: In: HSL_CHIP_BY_INDEX or 0
 * @node: In: node id; with HSL_CHIP_BY_INDEX an index 0..nchips-1 in order of node ids. Out: node id
 * @state: Out: HSL_CHIP_READY (also of a chip that sleeps: who uses it wakes it), HSL_CHIP_RESETTING, HSL_CHIP_FAILED
 * @mem_bytes: Out: chip memory
 * @mem_free_bytes: Out: not allocated now; freed memory counts once it is zeroed, SEGMENT_ALLOC waits for that by itself
 * @cap: Out: HSL_CAP_* of include/hsl/regs.h
 * @max_len_bytes: Out: largest length of one command
 * @hep_version: Out: major[31:16] minor[15:0]
 * @max_depth: Out: largest queue depth
 * @nqueues: Out: user queues
 * @nqueues_free: Out: user queues not in use
 * @nlinks: Out: links, for HSL_IOC_LINK_INFO
 * @numa_node: Out: of the host bridge, or -1
 * @bus_addr: Out: name on its bus, such as 0000:01:00.0, zero-terminated
 * @driver: Out: name of the driver that registered the chip, zero-terminated
 */
struct hsl_chip_info {
	__u32 size;
	__u32 flags;
	__u32 node;
	__u32 state;
	__u64 mem_bytes;
	__u64 mem_free_bytes;
	__u64 cap;
	__u64 max_len_bytes;
	__u32 hep_version;
	__u32 max_depth;
	__u32 nqueues;
	__u32 nqueues_free;
	__u32 nlinks;
	__s32 numa_node;
	__u8 bus_addr[32];
	__u8 driver[32];
};
#define HSL_IOC_CHIP_INFO	HSL_IO(0x01)
#define HSL_CHIP_BY_INDEX	(1u << 0)
#define HSL_CHIP_READY		0
#define HSL_CHIP_RESETTING	1
#define HSL_CHIP_FAILED		2

/**
 * struct hsl_link_info - HSL_IOC_LINK_INFO
 * @size: In: sizeof(struct hsl_link_info)
 * @flags: In: must be 0
 * @node: In: node id of a chip
 * @index: In: link 0..nlinks-1
 * @peer: Out: node id at the other end, 0 = not connected
 * @peer_type: Out: HSL_NODE_TYPE_*
 * @state: Out: HSL_LTSSM_*
 * @width: Out: lanes in use
 * @rate_mtps: Out: MT/s per lane
 * @latency_ps: Out: one way, empty link (a model input on an emulated chip)
 * @max_width: Out: lanes of the widest link that this end can; 0 = the chip does not tell
 * @max_rate_mtps: Out: MT/s per lane, the highest that this end can; 0 = the chip does not tell
 */
struct hsl_link_info {
	__u32 size;
	__u32 flags;
	__u32 node;
	__u32 index;
	__u32 peer;
	__u32 peer_type;
	__u32 state;
	__u32 width;
	__u32 rate_mtps;
	__u32 latency_ps;
	__u32 max_width;
	__u32 max_rate_mtps;
};
#define HSL_IOC_LINK_INFO	HSL_IO(0x02)

/* ---- segments: ranges of the global address space, named by a handle in their context ---- */

#define HSL_SEGMENT_READ	(1u << 0)
#define HSL_SEGMENT_WRITE	(1u << 1)

/**
 * struct hsl_segment_alloc - HSL_IOC_SEGMENT_ALLOC: allocate chip memory, zeroed
 * @size: In: sizeof(struct hsl_segment_alloc)
 * @flags: In: HSL_ALLOC_*; EOPNOTSUPP: the chip cannot
 * @node: In: chip
 * @rights: In: HSL_SEGMENT_READ | HSL_SEGMENT_WRITE, at least one
 * @len_bytes: In: > 0; rounded up to page_size; more than the chip has is ENOSPC, however large. Out: rounded
 * @align_bytes: In: 0 or a power of two >= page_size and <= 1 GiB
 * @ga: Out: first GA
 * @handle: Out: 1..32767
 * @rsvd: In: must be 0
 */
struct hsl_segment_alloc {
	__u32 size;
	__u32 flags;
	__u32 node;
	__u32 rights;
	__u64 len_bytes;
	__u64 align_bytes;
	__u64 ga;
	__u32 handle;
	__u32 rsvd;
};
/*
 * OBSERVABLE: every load, store and command on the memory crosses links and caches as packets (HEP section 12), for the life of the
 * memory, whoever imports it. It is mapped through BAR4 and cannot be exported as a dma-buf. Locked read-modify-write
 * instructions of the CPU on such a mapping are undefined: ATOMIC commands are the way (HEP-MAP-025).
 * NONCOHERENT, with OBSERVABLE only (EINVAL else): the caches of chips keep no line of it. What CPUs do through mappings is coherent
 * with commands all the same; the cache of a chip's host port may keep lines for them.
 */
#define HSL_ALLOC_OBSERVABLE	(1u << 0)
#define HSL_ALLOC_NONCOHERENT	(1u << 1)
#define HSL_IOC_SEGMENT_ALLOC	HSL_IO(0x10)

/**
 * struct hsl_segment_register - HSL_IOC_SEGMENT_REGISTER: pin host memory and give it GAs in the host's node
 * @size: In: sizeof(struct hsl_segment_register)
 * @flags: In: must be 0
 * @rights: In: HSL_SEGMENT_*; WRITE needs memory the caller may write (EFAULT else)
 * @handle: Out: handle
 * @addr: In: first byte, any alignment
 * @len_bytes: In: > 0
 * @ga: Out: GA of the first byte; bits below page_size equal those of addr
 *
 * Pages stay pinned and accounted to RLIMIT_MEMLOCK until SEGMENT_FREE or close, also after munmap.
 */
struct hsl_segment_register {
	__u32 size;
	__u32 flags;
	__u32 rights;
	__u32 handle;
	__u64 addr;
	__u64 len_bytes;
	__u64 ga;
};
#define HSL_IOC_SEGMENT_REGISTER	HSL_IO(0x11)

/**
 * struct hsl_segment_free - HSL_IOC_SEGMENT_FREE
 * @size: In: sizeof(struct hsl_segment_free)
 * @flags: In: must be 0
 * @handle: In: handle
 * @rsvd: In: must be 0
 *
 * Returns after every command that used the segment has retired; running ones complete with HSL_ST_REVOKED.
 * Mappings are removed. Waits killably; once begun it is finished even if the caller dies.
 */
struct hsl_segment_free {
	__u32 size;
	__u32 flags;
	__u32 handle;
	__u32 rsvd;
};
#define HSL_IOC_SEGMENT_FREE	HSL_IO(0x12)

/**
 * struct hsl_segment_info - HSL_IOC_SEGMENT_INFO
 * @size: In: sizeof(struct hsl_segment_info)
 * @flags: In: must be 0. Out: HSL_SEGMENT_F_*
 * @handle: In: handle
 * @rights: Out: HSL_SEGMENT_*
 * @ga: Out: first GA
 * @len_bytes: Out: length
 */
struct hsl_segment_info {
	__u32 size;
	__u32 flags;
	__u32 handle;
	__u32 rights;
	__u64 ga;
	__u64 len_bytes;
};
#define HSL_IOC_SEGMENT_INFO	HSL_IO(0x13)
#define HSL_SEGMENT_F_HOST	(1u << 0)	/* host memory */
#define HSL_SEGMENT_F_OBSERVABLE	(1u << 1)	/* allocated, perhaps by another context, with HSL_ALLOC_OBSERVABLE */
#define HSL_SEGMENT_F_NONCOHERENT	(1u << 2)	/* the same of HSL_ALLOC_NONCOHERENT */

/**
 * struct hsl_segment_export - HSL_IOC_SEGMENT_EXPORT: a file that stands for the memory of a segment
 * @size: In: sizeof(struct hsl_segment_export)
 * @flags: In: 0, or HSL_EXPORT_DMABUF
 * @handle: In: a segment of this context, of chip memory (EOPNOTSUPP for host memory)
 * @rights: In: HSL_SEGMENT_*, at least one, no more than the segment's (EACCES)
 * @fd: Out: O_CLOEXEC; to be passed over a UNIX socket. It holds the memory.
 * @rsvd: In: must be 0
 *
 * An imported segment may be exported again. With HSL_EXPORT_DMABUF the file is a dma-buf for other drivers; EOPNOTSUPP on a
 * kernel without, and for observable memory. An open dma-buf attachment of another driver is told to let go by a revoke if it can be.
 */
struct hsl_segment_export {
	__u32 size;
	__u32 flags;
	__u32 handle;
	__u32 rights;
	__s32 fd;
	__u32 rsvd;
};
#define HSL_IOC_SEGMENT_EXPORT	HSL_IO(0x14)
#define HSL_EXPORT_DMABUF	(1u << 0)

/**
 * struct hsl_segment_import - HSL_IOC_SEGMENT_IMPORT: a handle of this context for an exported segment or a dma-buf
 * @size: In: sizeof(struct hsl_segment_import)
 * @flags: In: must be 0
 * @fd: In: from SEGMENT_EXPORT of this fabric (EXDEV of another), or a dma-buf of another driver; else EINVAL, or EBADF if
 *      it is not open. May be closed afterwards.
 * @rights: In: HSL_SEGMENT_* wanted, 0 = all that are granted; more is EACCES. Out: what was given
 * @handle: Out: handle
 * @rsvd: In: must be 0
 * @ga: Out: first GA: the exporter's; for a foreign dma-buf in the host's node
 * @len_bytes: Out: length
 *
 * EEXIST: the memory is a segment of this context already (a GA has one segment in a context).
 */
struct hsl_segment_import {
	__u32 size;
	__u32 flags;
	__s32 fd;
	__u32 rights;
	__u32 handle;
	__u32 rsvd;
	__u64 ga;
	__u64 len_bytes;
};
#define HSL_IOC_SEGMENT_IMPORT	HSL_IO(0x15)

/**
 * struct hsl_segment_revoke - HSL_IOC_SEGMENT_REVOKE: end every export of this handle
 * @size: In: sizeof(struct hsl_segment_revoke)
 * @flags: In: must be 0
 * @handle: In: a segment of this context
 * @rsvd: In: must be 0
 *
 * Returns when every segment that was imported from an export of this handle, or again from an export of such an
 * import, gives no access: as after SEGMENT_FREE by its holder, who still has to free the handle. Export files
 * give ESTALE from now on. The segment itself stays, and can be exported anew.
 */
struct hsl_segment_revoke {
	__u32 size;
	__u32 flags;
	__u32 handle;
	__u32 rsvd;
};
#define HSL_IOC_SEGMENT_REVOKE	HSL_IO(0x16)

/* ---- events ---- */

/**
 * struct hsl_event_info - what read() of a context file returns, whole events only, oldest first
 * @seq: counts the fabric's events; the next one has seq + 1
 * @time_ns: CLOCK_MONOTONIC
 * @type: HSL_FABRIC_EV_* of include/hsl/proto.h
 * @node: chip
 * @index: HSL_FABRIC_EV_LINK: link of the chip
 * @value: HSL_FABRIC_EV_CHIP_STATE: HSL_CHIP_*; HSL_FABRIC_EV_LINK: HSL_LTSSM_*; HSL_FABRIC_EV_OVERFLOW: how many events were lost, this seq
 *         being that of the last of them
 *
 * A file sees what happens after its open. A buffer shorter than one event is EINVAL. O_NONBLOCK is EAGAIN when there is
 * nothing. The driver keeps the last 256 events of a fabric.
 */
struct hsl_event_info {
	__u64 seq;
	__u64 time_ns;
	__u32 type;
	__u32 node;
	__u32 index;
	__u32 value;
};

/* ---- queues ---- */

/**
 * struct hsl_queue_create - HSL_IOC_QUEUE_CREATE: a command queue of a chip, as a new file descriptor
 * @size: In: sizeof(struct hsl_queue_create)
 * @flags: In: HSL_QUEUE_SHADOW (since ABI 1.2) or 0
 * @node: In: chip that executes the commands
 * @depth: In: descriptors, a power of two, 2..max_depth
 * @fd: Out: queue file, O_CLOEXEC
 * @qid: Out: queue id on the chip (for traces)
 * @ring_bytes: Out: length of the ring area, mmap()ed at offset HSL_QUEUE_MMAP_RINGS
 * @ctrl_offset: Out: of struct hsl_queue_ctrl in the ring area
 * @sq_offset: Out: of depth struct hsl_desc in the ring area
 * @cq_offset: Out: of depth struct hsl_cqe in the ring area
 * @doorbell_bytes: Out: length of the doorbell page, mmap()ed at HSL_QUEUE_MMAP_DOORBELL; 0 = use QUEUE_KICK
 * @rsvd: In: must be 0
 * @shadow_offset: Out, since ABI 1.2: of struct hsl_queue_shadow (include/hsl/proto.h) in the ring area; 0 = none: by
 *                 HSL_QUEUE_SHADOW not asked for, or the chip has no HSL_CAP_SHADOW_TAIL
 * @rsvd1: In: must be 0
 *
 * A queue with a shadow tail takes its tail from there only: store it, then ring the doorbell, by whatever way, if
 * need_doorbell asks for it.
 *
 * poll() of the file: POLLIN while the completion at cq_head is there; POLLERR | POLLHUP once state is not
 * READY. The driver arms the chip by itself, the caller only keeps ctrl->cq_head up to date. mmap(): MAP_SHARED only
 * (EINVAL else), a range that is not inside one of the two areas is ENXIO. Mappings are not inherited by fork; mmap,
 * QUEUE_KICK and QUEUE_ABORT by a process other than the creator are EACCES. After the queue's end the doorbell page is
 * a page of scratch memory, never a SIGBUS.
 */
struct hsl_queue_create {
	__u32 size;
	__u32 flags;
	__u32 node;
	__u32 depth;
	__s32 fd;
	__u32 qid;
	__u64 ring_bytes;
	__u32 ctrl_offset;
	__u32 sq_offset;
	__u32 cq_offset;
	__u32 doorbell_bytes;
	__u64 rsvd;
	__u32 shadow_offset;
	__u32 rsvd1;
};
#define HSL_IOC_QUEUE_CREATE	HSL_IO(0x20)
#define HSL_QUEUE_SHADOW	(1u << 0)
#define HSL_QUEUE_MMAP_RINGS	0x00000000ull
#define HSL_QUEUE_MMAP_DOORBELL	0x40000000ull

/* Shared page at ctrl_offset. The driver trusts nothing it reads here. */
struct hsl_queue_ctrl {
	__u32 cq_head;		/* written by the user: completions consumed, modulo 2^32 */
	__u32 rsvd0[15];
	__u32 state;		/* written by the driver: HSL_QUEUE_* of include/hsl/regs.h */
	__u32 error;		/* written by the driver: HSL_ST_* that ended the queue */
	__u32 rsvd1[14];
};

/**
 * struct hsl_queue_kick - HSL_IOC_QUEUE_KICK: ring the doorbell by system call
 * @size: In: sizeof(struct hsl_queue_kick)
 * @flags: In: HSL_KICK_ARM: also arm at cq_head
 * @sq_tail: In: value for the doorbell
 * @cq_head: In: completions consumed, with HSL_KICK_ARM; else must be 0
 */
struct hsl_queue_kick {
	__u32 size;
	__u32 flags;
	__u32 sq_tail;
	__u32 cq_head;
};
#define HSL_IOC_QUEUE_KICK	HSL_IO(0x40)
#define HSL_KICK_ARM		(1u << 0)

/**
 * struct hsl_queue_eventfd - HSL_IOC_QUEUE_EVENTFD: signal an eventfd at every interrupt of the queue and at its end
 * @size: In: sizeof(struct hsl_queue_eventfd)
 * @flags: In: must be 0
 * @fd: In: an eventfd, or -1 to detach
 * @rsvd: In: must be 0
 *
 * An interrupt comes only after arming: by HSL_DB_CQ_ARM in the doorbell page or HSL_KICK_ARM.
 */
struct hsl_queue_eventfd {
	__u32 size;
	__u32 flags;
	__s32 fd;
	__u32 rsvd;
};
#define HSL_IOC_QUEUE_EVENTFD	HSL_IO(0x41)

/**
 * struct hsl_queue_info - HSL_IOC_QUEUE_INFO; works on a dead queue too
 * @size: In: sizeof(struct hsl_queue_info)
 * @flags: In: must be 0
 * @node: Out: chip
 * @depth: Out: descriptors
 * @state: Out: HSL_QUEUE_*
 * @error: Out: HSL_ST_* that ended the queue, or 0
 * @qid: Out: queue id
 * @rsvd: In: must be 0
 */
struct hsl_queue_info {
	__u32 size;
	__u32 flags;
	__u32 node;
	__u32 depth;
	__u32 state;
	__u32 error;
	__u32 qid;
	__u32 rsvd;
};
#define HSL_IOC_QUEUE_INFO	HSL_IO(0x42)

/**
 * struct hsl_queue_abort - HSL_IOC_QUEUE_ABORT: complete what is submitted with HSL_ST_ABORTED; the queue stays READY
 * @size: In: sizeof(struct hsl_queue_abort)
 * @flags: In: must be 0
 *
 * EOPNOTSUPP: the chip does not know QUEUE_ABORT.
 */
struct hsl_queue_abort {
	__u32 size;
	__u32 flags;
};
#define HSL_IOC_QUEUE_ABORT	HSL_IO(0x43)

#endif /* _UAPI_LINUX_HSL_H */
