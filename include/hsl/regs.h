/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * HEP 1.0 chip registers: PCI identity, DVSEC, BAR0 registers, doorbell pages, BAR4 windows, links.
 *
 * The prose and the requirements are in docs/hep.md sections 3 and 4, in the same order. All registers are
 * little-endian. A register is accessed at its natural width and alignment; a 64-bit register may also be
 * accessed as two 32-bit halves, low half first (the high half commits). Reads have no side effects.
 * Undefined registers read as zero and ignore writes (HEP-REG-003).
 *
 * Included by the device model, the kernel driver, libhsl and the tools: no dependencies but fixed-width types.
 */
#ifndef HSL_REGS_H
#define HSL_REGS_H

#ifdef __KERNEL__
#include <linux/types.h>
#include <linux/build_bug.h>
#else
#include <stdint.h>
#include <stddef.h>
#include <assert.h>
#endif

#define HSL_HEP_MAJOR		1
#define HSL_HEP_MINOR		0
#define HSL_HEP_VERSION		((HSL_HEP_MAJOR << 16) | HSL_HEP_MINOR)

/* ---- PCI identity (provisional ids, configurable on an emulated chip; HEP-REG-001) ---- */
#define HSL_PCI_VENDOR_ID	0x1234
#define HSL_PCI_DEVICE_ID	0x4853
#define HSL_PCI_CLASS		0x1200		/* processing accelerator */

/* ---- DVSEC: how software recognises an HSL chip (HEP-REG-002). Offsets from the extended capability. ---- */
#define HSL_DVSEC_VENDOR	0x1234
#define HSL_DVSEC_ID		0x4853
#define HSL_DVSEC_REV		1
#define HSL_DVSEC_LEN		0x20
#define HSL_DVSEC_O_HEP		0x0a		/* u16: major[15:8] minor[7:0] */
#define HSL_DVSEC_O_BARS	0x0c		/* u32: BIR of registers [2:0], memory [6:4], windows [10:8]; flags */
#define HSL_DVSEC_O_REGS	0x10		/* u32: offset of the register block in its BAR */
#define HSL_DVSEC_O_NODE	0x14		/* u32: node id of this chip */
#define HSL_DVSEC_O_CTF		0x18		/* u32: offset of the compliance test facility, 0 = none */
#define HSL_DVSEC_BARS_REGS(x)	((x) & 7)
#define HSL_DVSEC_BARS_MEM(x)	(((x) >> 4) & 7)
#define HSL_DVSEC_BARS_WIN(x)	(((x) >> 8) & 7)
#define HSL_DVSEC_BAR_NONE	7		/* windows: there is no such BAR */
#define HSL_DVSEC_BARS_CTF	(1u << 16)	/* compliance test facility present */
#define HSL_DVSEC_BARS_OWN_DRIVER	(1u << 17)	/* needs its maker's driver: others leave it alone (HEP-REG-014) */

#define HSL_BAR_REGS		0
#define HSL_BAR_MEM		2
#define HSL_BAR_WIN		4

/* ---- BAR0: identity and capabilities, read-only ---- */
#define HSL_REG_MAGIC		0x0000		/* u32 */
#define HSL_MAGIC		0x314c5348u	/* "HSL1" */
#define HSL_REG_VERSION		0x0004		/* u32: HEP major[31:16] minor[15:0] */
#define HSL_REG_CAP		0x0008		/* u64: HSL_CAP_* */
#define HSL_CAP_HOST_COHERENT	(1ull << 0)	/* CPU loads/stores of BAR2 and BAR4 direct windows are coherent: map write-back */
#define HSL_CAP_HOST_ATOMIC	(1ull << 1)	/* CPU locked operations are atomic against the chip's on direct memory */
#define HSL_CAP_WINDOWS		(1ull << 2)	/* BAR4 windows present */
#define HSL_CAP_MODELLED	(1ull << 3)	/* modelled (observable) windows and segments */
#define HSL_CAP_CTF		(1ull << 4)	/* compliance test facility */
#define HSL_CAP_COUNTERS	(1ull << 5)	/* HSL_REG_LINK_STAT, HSL_REG_NODE_STAT */
#define HSL_CAP_MODELLED_TIME	(1ull << 6)	/* the chip's clock and its host's are modelled: docs/hep.md section 9 */
#define HSL_CAP_SENSORS		(1ull << 7)	/* HSL_REG_TEMP and what follows it */
#define HSL_CAP_OP_COPY		(1ull << 16)
#define HSL_CAP_OP_FILL		(1ull << 17)
#define HSL_CAP_OP_REDUCE	(1ull << 18)
#define HSL_CAP_OP_ATOMIC	(1ull << 19)
#define HSL_CAP_OP_LOADSTORE	(1ull << 20)
#define HSL_CAP_OP_SIGNAL	(1ull << 21)	/* SIGNAL and WAIT */
#define HSL_CAP_OP_FENCE	(1ull << 22)
#define HSL_CAP_OP_COPY2D	(1ull << 23)
#define HSL_CAP_OP_COPY_LIST	(1ull << 24)
#define HSL_CAP_MODERATION	(1ull << 32)	/* HSL_DB_MODERATION */
#define HSL_CAP_SHADOW_TAIL	(1ull << 33)	/* QUEUE_CREATE takes a control block: struct hsl_queue_shadow */
#define HSL_REG_NODE		0x0010		/* u32: node id of the chip, 1..32767 */
#define HSL_REG_HOST_NODE	0x0014		/* u32: node id of the host this function is attached to */
#define HSL_REG_FABRIC_LO	0x0018		/* u64: fabric id, 128 bits; functions of one fabric report the same */
#define HSL_REG_FABRIC_HI	0x0020		/* u64 */
#define HSL_REG_MEM_SIZE	0x0028		/* u64: bytes of chip memory, all of it behind BAR2 */
#define HSL_REG_GA_BITS		0x0030		/* u32: offset bits [7:0], node bits [15:8] */
#define HSL_REG_NQUEUES		0x0034		/* u32: queues, the admin queue (0) included */
#define HSL_REG_DB_OFFSET	0x0038		/* u32: first doorbell page in BAR0 */
#define HSL_REG_DB_STRIDE	0x003c		/* u32: bytes from one queue's doorbell page to the next, >= 64 KiB, power of two */
#define HSL_REG_MAX_DEPTH	0x0040		/* u32: largest ring depth, a power of two */
#define HSL_REG_NCONTEXTS	0x0044		/* u32: context table entries the chip can use */
#define HSL_REG_MAX_LEN		0x0048		/* u64: largest length of one command, bytes */
#define HSL_REG_NWINDOWS	0x0050		/* u32: BAR4 windows */
#define HSL_REG_WIN_STRIDE_LOG2	0x0054		/* u32: window i starts at i << this in BAR4 and is at most that large */
#define HSL_REG_NLINKS		0x0058		/* u32: link blocks */
#define HSL_REG_NVECTORS	0x005c		/* u32: MSI-X vectors: 0 = events and admin queue, others free for queues */

/* ---- BAR0: control and status ---- */
#define HSL_REG_CTRL		0x0080		/* u32 RW */
#define HSL_CTRL_ENABLE		(1u << 0)	/* 0->1: take CTX_TABLE and AQ_*; 1->0: same as RESET */
#define HSL_CTRL_RESET		(1u << 1)	/* write 1: forget queues, tables, windows; reads 0. Memory is kept. */
#define HSL_REG_STATUS		0x0084		/* u32 RO */
#define HSL_STATUS_READY	(1u << 0)	/* enabled, commands accepted */
#define HSL_STATUS_CONFIG_ERROR	(1u << 1)	/* ENABLE was refused: AQ_* or CTX_* out of bounds */
#define HSL_STATUS_FATAL	(1u << 2)	/* only FLR helps */
#define HSL_REG_EVENT		0x0088		/* u32 RW1C: HSL_EVENT_* */
#define HSL_EVENT_LINK		(1u << 0)	/* a link changed state */
#define HSL_EVENT_QUEUE_ERROR	(1u << 1)	/* a queue went to ERROR */
#define HSL_EVENT_FATAL		(1u << 2)
#define HSL_EVENT_ALL		(HSL_EVENT_LINK | HSL_EVENT_QUEUE_ERROR | HSL_EVENT_FATAL)
#define HSL_REG_EVENT_MASK	0x008c		/* u32 RW: set bits raise vector 0 */
#define HSL_REG_SCRATCH		0x0090		/* u64 RW: no effect, cleared by reset */

/* ---- BAR0: admin queue and tables; writable only while not enabled (HEP-REG-006) ---- */
#define HSL_REG_AQ_SQ		0x00a0		/* u64 RW: IOVA of the admin submission ring, 4 KiB aligned */
#define HSL_REG_AQ_CQ		0x00a8		/* u64 RW: IOVA of the admin completion ring, 4 KiB aligned */
#define HSL_REG_AQ_DEPTH	0x00b0		/* u32 RW: power of two, 2..MAX_DEPTH */
#define HSL_REG_CTX_TABLE	0x00b8		/* u64 RW: IOVA of the context table, 4 KiB aligned */
#define HSL_REG_CTX_COUNT	0x00c0		/* u32 RW: entries, 1..NCONTEXTS */

/* ---- BAR0: sensors, read-only (HSL_CAP_SENSORS, docs/hep.md section 10.3); resets leave them alone ---- */
#define HSL_REG_TEMP		0x0100		/* s32: temperature, 1/1000 degree Celsius */
#define HSL_REG_TEMP_MAX	0x0104		/* s32: the chip throttles from here on */
#define HSL_REG_TEMP_CRIT	0x0108		/* s32: it may be damaged from here on; above TEMP_MAX */
#define HSL_REG_POWER		0x010c		/* u32: what it takes, milliwatts */
#define HSL_REG_THERMAL		0x0110		/* u32 */
#define HSL_THERMAL_THROTTLED	(1u << 0)	/* slowed down; ends below TEMP_MAX, how far below is the maker's choice */
#define HSL_THERMAL_CRITICAL	(1u << 1)	/* TEMP is TEMP_CRIT or more */

/* ---- BAR0: BAR4 window blocks ---- */
#define HSL_REG_WIN(i)		(0x1000 + (i) * 0x20)
#define HSL_WIN_MAX		64
#define HSL_WIN_O_GA		0x00		/* u64 RW: first GA, 64 KiB aligned; writable while CTRL is 0 */
#define HSL_WIN_O_SIZE		0x08		/* u64 RW: bytes, multiple of 64 KiB, <= 1 << WIN_STRIDE_LOG2 */
#define HSL_WIN_O_CTRL		0x10		/* u32 RW */
#define HSL_WIN_CTRL_ENABLE	(1u << 0)
#define HSL_WIN_CTRL_MODELLED	(1u << 1)	/* else direct */
#define HSL_WIN_O_CTX		0x14		/* u32 RW: reserved for windows that obey a context; only 0 in HEP 1.0 */
#define HSL_WIN_O_STATUS	0x18		/* u32 RO: 0 off, HSL_WIN_ACTIVE, or a completion status << 8 after a refused ENABLE */
#define HSL_WIN_ACTIVE		1u
#define HSL_WIN_ALIGN		0x10000u

/* ---- BAR0: link blocks, read-only ---- */
#define HSL_REG_LINK(i)		(0x2000 + (i) * 0x20)
#define HSL_LINK_MAX		64
#define HSL_LINK_O_PEER		0x00		/* u32: node id at the other end [15:0], HSL_NODE_TYPE_* [23:16]; 0 = not connected */
#define HSL_LINK_O_STATE	0x04		/* u32: HSL_LTSSM_* */
#define HSL_LINK_O_WIDTH	0x08		/* u32: lanes in use */
#define HSL_LINK_O_RATE		0x0c		/* u32: MT/s per lane */
#define HSL_LINK_O_LATENCY	0x10		/* u32: one-way latency of an empty link, picoseconds (model input) */
#define HSL_LINK_O_MAX_WIDTH	0x14		/* u32: lanes of the widest link that this end can; 0 = not told */
#define HSL_LINK_O_MAX_RATE	0x18		/* u32: MT/s per lane, the highest that this end can; 0 = not told */
#define HSL_NODE_TYPE_CHIP	1
#define HSL_NODE_TYPE_SWITCH	2
#define HSL_NODE_TYPE_HOST	3
#define HSL_LTSSM_DETECT	0
#define HSL_LTSSM_POLLING	1
#define HSL_LTSSM_CONFIG	2
#define HSL_LTSSM_L0		3
#define HSL_LTSSM_L1		4
#define HSL_LTSSM_RECOVERY	5
#define HSL_LTSSM_DISABLED	6
#define HSL_LTSSM_HOT_RESET	7

/*
 * ---- BAR0: counters, u64 read-only (HSL_CAP_COUNTERS, docs/hep.md section 10.1). They count from power-on, over resets,
 * modulo 2^64. An emulated chip counts what crosses links as packets: direct memory does not.
 */
#define HSL_REG_LINK_STAT(i)	(0x3000 + (i) * 0x100)
#define HSL_LINK_STAT_TX_FLITS		0x00	/* of type data, replayed ones too */
#define HSL_LINK_STAT_RX_FLITS		0x08	/* of type data, taken */
#define HSL_LINK_STAT_TX_REPLAYED	0x10
#define HSL_LINK_STAT_RX_BAD		0x18	/* refused: CRC, reserved bits, slot map (HEP-LNK-001) */
#define HSL_LINK_STAT_RX_DISCARDED	0x20	/* good, but not the one expected */
#define HSL_LINK_STAT_TX_NAKS		0x28
#define HSL_LINK_STAT_RX_NAKS		0x30
#define HSL_LINK_STAT_PROTOCOL_ERRORS	0x38	/* flits that pass HEP-LNK-001 and cannot be */
#define HSL_LINK_STAT_RETRAINS		0x40	/* times RECOVERY was entered */
#define HSL_LINK_STAT_DOWNS		0x48	/* times the link carried packets and does no more */
#define HSL_LINK_STAT_IDLE_FLITS	0x50	/* sent, of types idle and control */
#define HSL_LINK_STAT_CREDIT_STALLS(vc)	(0x60 + (vc) * 8)	/* flits that left while a packet of the VC waited for credit */
#define HSL_LINK_STAT_TX_PACKETS(vc)	(0x90 + (vc) * 8)
#define HSL_LINK_STAT_RX_PACKETS(vc)	(0xc0 + (vc) * 8)

#define HSL_REG_NODE_STAT	0x7000
#define HSL_NODE_STAT_CHIP		0x000	/* of the chip's cache */
#define HSL_NODE_STAT_HOST_PORT		0x080	/* of its host port's */
#define HSL_CACHE_STAT_HITS		0x00
#define HSL_CACHE_STAT_MISSES		0x08
#define HSL_CACHE_STAT_UPGRADES		0x10
#define HSL_CACHE_STAT_WRITE_BACKS	0x18
#define HSL_CACHE_STAT_EVICTIONS	0x20
#define HSL_CACHE_STAT_SNOOPS		0x28	/* received */
#define HSL_CACHE_STAT_SNOOP_HITS	0x30
#define HSL_CACHE_STAT_FORWARDS		0x38	/* lines given to another cache */
#define HSL_CACHE_STAT_RETRIES		0x40	/* requests that were told RETRY */
#define HSL_NODE_STAT_HOME		0x100
#define HSL_HOME_STAT_REQUESTS		0x00
#define HSL_HOME_STAT_SNOOPS		0x08	/* sent */
#define HSL_HOME_STAT_RECALLS		0x10
#define HSL_HOME_STAT_RETRIES		0x18	/* said RETRY */
#define HSL_HOME_STAT_GRANTS		0x20
#define HSL_HOME_STAT_MEM_READS		0x28
#define HSL_HOME_STAT_MEM_WRITES	0x30
#define HSL_NODE_STAT_NET		0x180
#define HSL_NET_STAT_DELIVERED		0x00	/* packets for this node */
#define HSL_NET_STAT_HOPS		0x08	/* links they crossed, in all */
#define HSL_NET_STAT_FORWARDED		0x10	/* packets for other nodes */
#define HSL_NET_STAT_LOST		0x18	/* packets to this node's agents and home that a link or node took with it */
#define HSL_NET_STAT_POISONED		0x20	/* accesses of this node's agents that ended with POISON */

/* ---- BAR0: MSI-X structures (as the MSI-X capability says; fixed here for the emulated chip) ---- */
#define HSL_MSIX_TABLE		0x8000
#define HSL_MSIX_PBA		0xc000

/*
 * ---- Doorbell page of queue q: DB_OFFSET + q * DB_STRIDE; may be mapped to the queue's owner ----
 * Only the first 4 KiB of a page are defined. Wider or narrower than 32-bit writes: an 8-byte write at an
 * 8-byte aligned register writes its low half there; 1- and 2-byte writes are ignored (HEP-QUE-004).
 */
#define HSL_DB_SQ_TAIL		0x000		/* u32 WO: count of descriptors submitted since create, modulo 2^32 */
#define HSL_DB_CQ_ARM		0x008		/* u32 WO: count of completions consumed; raise the vector once when more exist */
#define HSL_DB_STATE		0x010		/* u32 RO: HSL_QUEUE_* */
#define HSL_DB_ERROR		0x014		/* u32 RO: completion status that put the queue into ERROR */
#define HSL_DB_MODERATION	0x018		/* u32 WO: completions [15:0], microseconds [31:16] (HEP-QUE-019); needs HSL_CAP_MODERATION */
#define HSL_MODERATION(count, us)	(((uint32_t)(count) & 0xffffu) | (uint32_t)(us) << 16)
#define HSL_DB_OFFSET_DEFAULT	0x10000
#define HSL_DB_STRIDE_DEFAULT	0x10000
#define HSL_QUEUE_RESET		0		/* does not exist */
#define HSL_QUEUE_READY		1
#define HSL_QUEUE_ERROR		2		/* takes no more descriptors; destroy it */

/* ---- Node ids and global addresses (HEP-MAP-001) ---- */
#define HSL_GA_OFFSET_BITS	48
#define HSL_GA_NODE_BITS	15
#define HSL_GA_OFFSET_MASK	((1ull << HSL_GA_OFFSET_BITS) - 1)
#define HSL_NODE_MAX		32767
#define HSL_NODE_HOST_DEFAULT	16384		/* first host of a fabric; chips count from 1 */
#define HSL_NODE_SWITCH_FIRST	28672		/* switches are not addressable but have ids for the topology */
#define HSL_GA(node, off)	(((uint64_t)(node) << HSL_GA_OFFSET_BITS) | ((uint64_t)(off) & HSL_GA_OFFSET_MASK))
#define HSL_GA_NODE(ga)		((uint32_t)((uint64_t)(ga) >> HSL_GA_OFFSET_BITS))
#define HSL_GA_OFFSET(ga)	((uint64_t)(ga) & HSL_GA_OFFSET_MASK)

#endif /* HSL_REGS_H */
