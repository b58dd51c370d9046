/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * HEP 1.0 memory formats: descriptors, completions, CONTEXT/SEGMENT/PAGE tables, packets and flits.
 *
 * docs/hep.md sections 5 to 8 give the rules; this file is their only declaration in code. Everything is
 * little-endian and naturally aligned; a reserved field is zero when written and refused when not
 * (HEP-TXN-003). Sizes and offsets are asserted at the end.
 */
#ifndef HSL_PROTO_H
#define HSL_PROTO_H

#include "regs.h"

#ifdef __KERNEL__
typedef __le16 hsl_le16;
typedef __le32 hsl_le32;
typedef __le64 hsl_le64;
#else
typedef uint16_t hsl_le16;	/* hosts of the model and the library are little-endian, asserted in libhsl and engine */
typedef uint32_t hsl_le32;
typedef uint64_t hsl_le64;
#endif

/* ------------------------------------------------------------------ commands */

/* Opcodes of user queues. Reserved ones complete with HSL_ST_OPCODE (HEP-TXN-002). */
#define HSL_OP_NOP		0x00
#define HSL_OP_COPY		0x01	/* dst[0..len) = src[0..len), as memmove */
#define HSL_OP_FILL		0x02	/* dst[0..len) = arg0 as a repeated 8-byte pattern that starts at dst */
#define HSL_OP_REDUCE		0x03	/* dst[i] = dst[i] op src[i]; subop = HSL_REDUCE_SUBOP(op, type) */
#define HSL_OP_ATOMIC		0x04	/* old = *dst; *dst = subop(old, arg0 [, arg1]); len 4 or 8; result = old */
#define HSL_OP_LOAD		0x05	/* 1..64 bytes of src to dst; dst 0: 1..8 bytes to result */
#define HSL_OP_STORE		0x06	/* 1..64 bytes of src to dst; src 0: 1..16 bytes of arg0, arg1 to dst */
#define HSL_OP_SIGNAL		0x07	/* *dst = arg0, or += arg0; len 8; result = old value; wakes WAITs on dst */
#define HSL_OP_WAIT		0x08	/* parks the queue until *src subop arg0; len 8; arg1 = timeout, ns, 0 = none */
#define HSL_OP_FENCE		0x09	/* completes after all earlier commands; later ones start after it */
#define HSL_OP_COPY2D		0x0a	/* arg0 = rows, arg1 = HSL_PITCH(dst, src), len = bytes of a row */
#define HSL_OP_COPY_LIST	0x0b	/* src = array of struct hsl_copy_entry, len its bytes, dst 0 */
/* Opcodes of the admin queue, which also takes NOP, and FILL and COPY on the chip's own memory (context 0). */
#define HSL_OP_CTX_INVALIDATE	0x80	/* arg0 = context index */
#define HSL_OP_SEG_INVALIDATE	0x81	/* arg0 = context index, arg1 = segment handle */
#define HSL_OP_QUEUE_CREATE	0x82	/* arg0 = struct bits below, dst = SQ IOVA, src = CQ IOVA, len = control block IOVA or 0 */
#define HSL_OP_QUEUE_DESTROY	0x83	/* arg0 = queue id */
#define HSL_OP_QUEUE_ABORT	0x84	/* arg0 = queue id: what is submitted ends, the queue stays READY */
#define HSL_OP_FLUSH		0x85	/* dst = GA in the chip's memory, len: no cache keeps a line of it; needs HSL_CAP_MODELLED */
/* QUEUE_CREATE arg0: queue id [15:0], log2 depth [23:16], MSI-X vector [39:24]; arg1: context index [31:0] */
#define HSL_QC_ARG0(qid, depth_log2, vector) \
	((uint64_t)(qid) | (uint64_t)(depth_log2) << 16 | (uint64_t)(vector) << 24)
#define HSL_QC_QID(a)		((uint32_t)((a) & 0xffff))
#define HSL_QC_DEPTH_LOG2(a)	((uint32_t)(((a) >> 16) & 0xff))
#define HSL_QC_VECTOR(a)	((uint32_t)(((a) >> 24) & 0xffff))

/* REDUCE subop: operation [3:0], element type [7:4] */
#define HSL_REDUCE_ADD		0
#define HSL_REDUCE_MIN		1
#define HSL_REDUCE_MAX		2
#define HSL_REDUCE_OPS		3
#define HSL_TYPE_I32		0
#define HSL_TYPE_I64		1
#define HSL_TYPE_F16		2	/* IEEE binary16; computed in binary32 */
#define HSL_TYPE_BF16		3	/* upper half of binary32; computed in binary32 */
#define HSL_TYPE_F32		4
#define HSL_TYPE_F64		5
#define HSL_TYPES		6
#define HSL_REDUCE_SUBOP(op, type)	((uint8_t)((op) | (type) << 4))
#define HSL_SUBOP_OP(subop)	((subop) & 0xf)
#define HSL_SUBOP_TYPE(subop)	((subop) >> 4)
/* ATOMIC subop. Operands are the low len bytes of arg0 and arg1; all but CAS need arg1 = 0. */
#define HSL_ATOMIC_ADD		0
#define HSL_ATOMIC_SWAP		1
#define HSL_ATOMIC_CAS		2	/* if old == arg1, store arg0 */
#define HSL_ATOMIC_AND		3
#define HSL_ATOMIC_OR		4
#define HSL_ATOMIC_XOR		5
#define HSL_ATOMIC_MIN		6	/* signed */
#define HSL_ATOMIC_MAX		7
#define HSL_ATOMIC_UMIN		8
#define HSL_ATOMIC_UMAX		9
#define HSL_ATOMICS		10
/* SIGNAL subop */
#define HSL_SIGNAL_SET		0
#define HSL_SIGNAL_ADD		1
#define HSL_SIGNALS		2
/* WAIT subop: unsigned 64-bit comparison of *src with arg0 */
#define HSL_WAIT_EQ		0
#define HSL_WAIT_NE		1
#define HSL_WAIT_LT		2
#define HSL_WAIT_LE		3
#define HSL_WAIT_GT		4
#define HSL_WAIT_GE		5
#define HSL_WAITS		6
/* COPY2D arg1: bytes from one row to the next, of dst [31:0] and src [63:32]; dst >= len, src any (0: one row for all) */
#define HSL_PITCH(dst, src)	((uint64_t)(uint32_t)(dst) | (uint64_t)(uint32_t)(src) << 32)
#define HSL_PITCH_DST(a)	((uint32_t)(a))
#define HSL_PITCH_SRC(a)	((uint32_t)((a) >> 32))
/* limits of LOAD and STORE */
#define HSL_LOADSTORE_MAX	64u
#define HSL_LOAD_RESULT_MAX	8u
#define HSL_STORE_ARGS_MAX	16u

/* descriptor flags */
#define HSL_DF_NO_CQE		0x01	/* no completion if the status is OK (HEP-QUE-016) */
#define HSL_DF_LINK		0x02	/* the next descriptor is not started if this one fails (HEP-QUE-017) */
#define HSL_DF_ALL		0x03
/* ordering against earlier descriptors of the queue; zero is the strictest */
#define HSL_ORDER_STRONG	0	/* starts after all earlier ones have completed; completes in order */
#define HSL_ORDER_ACQ_REL	1	/* a HEP 1.0 chip may treat both as STRONG */
#define HSL_ORDER_RELAXED	2

/* 64-byte command descriptor, read once by the chip (HEP-QUE-002). */
struct hsl_desc {
	uint8_t  opcode;	/* HSL_OP_* */
	uint8_t  flags;		/* HSL_DF_* */
	uint8_t  order;		/* HSL_ORDER_* */
	uint8_t  subop;		/* of REDUCE, ATOMIC, SIGNAL, WAIT */
	hsl_le32 rsvd0;
	hsl_le64 cookie;	/* returned in the completion */
	hsl_le64 dst;		/* GA */
	hsl_le64 src;		/* GA */
	hsl_le64 len;		/* bytes */
	hsl_le64 arg0;
	hsl_le64 arg1;
	hsl_le64 rsvd1;
};

/* One copy of COPY_LIST: read once, before any byte moves; executed in order, each as COPY. */
struct hsl_copy_entry {
	hsl_le64 dst;		/* GA */
	hsl_le64 src;		/* GA */
	hsl_le64 len;		/* bytes */
	hsl_le64 rsvd;
};
#define HSL_COPY_LIST_MAX	1024u	/* entries; the sum of len is at most MAX_LEN */

/*
 * 32-byte completion. The last 8 bytes are written by one 64-bit store after everything else, the data of the
 * command included (HEP-QUE-003). status: code [15:0], phase [31]. The phase of completion n (counted from 0)
 * is ((n / depth) & 1) ^ 1, so that a zeroed ring holds no completion.
 */
struct hsl_cqe {
	hsl_le64 cookie;
	hsl_le64 result;	/* bytes written; the value (ATOMIC, SIGNAL: before; WAIT: last seen; LOAD without dst) */
	hsl_le64 fault_ga;	/* first GA at fault, 0 if none */
	hsl_le16 sq_head;	/* low 16 bits of the count of descriptors taken */
	hsl_le16 qid;
	hsl_le32 status;
};
#define HSL_CQE_PHASE		(1u << 31)
#define HSL_CQE_CODE(status)	((status) & 0xffffu)

/*
 * Control block of a queue, in host memory, 128-byte aligned (docs/hep.md section 5, HEP-QUE-020). Two lines, each with one
 * writer, so that a busy queue needs no doorbell. Both fields are read without trust.
 */
struct hsl_queue_shadow {
	hsl_le32 tail;		/* written by software: count of descriptors submitted since create, modulo 2^32 */
	hsl_le32 rsvd0[15];
	hsl_le32 need_doorbell;	/* written by the chip: not 0: it is not looking, store SQ_TAIL too */
	hsl_le32 rsvd1[15];
};
#define HSL_QUEUE_SHADOW_ALIGN	128u

/* Completion status (docs/hep.md section 6; HEP-TXN-010). Operands are checked dst first, then src. */
#define HSL_ST_OK		0
#define HSL_ST_OPCODE		1	/* unknown or not allowed on this queue */
#define HSL_ST_FIELD		2	/* reserved field, flag or order not as specified */
#define HSL_ST_LENGTH		3	/* length over MAX_LEN */
#define HSL_ST_ALIGN		4	/* operand not aligned as the command needs */
#define HSL_ST_SEGMENT		5	/* GA in no segment of this context; node 0 and unknown nodes too */
#define HSL_ST_RANGE		6	/* starts inside a segment, runs past its end or wraps */
#define HSL_ST_RIGHTS		7	/* segment lacks the right */
#define HSL_ST_DENIED		8	/* the home node refused context, key or epoch */
#define HSL_ST_UNREACHABLE	9	/* no route, link down or home node absent or in reset */
#define HSL_ST_DMA		10	/* IOVA of a table or page did not translate to memory */
#define HSL_ST_ABORTED		11	/* queue destroyed, aborted or in ERROR first; or a linked command failed */
#define HSL_ST_REVOKED		12	/* segment entry changed while the command ran */
#define HSL_ST_TIMEOUT		13
#define HSL_ST_POISON		14
#define HSL_ST_CONTEXT		15	/* context entry invalid or index out of range */
#define HSL_ST_QUEUE		16	/* admin: queue id, depth or vector out of range, exists already, or does not exist */
#define HSL_ST_OVERFLOW		17	/* doorbell ran ahead by more than the depth */
#define HSL_ST_INTERNAL		18
#define HSL_ST_GONE		19	/* never written by a chip: software reports ops lost with their queue this way */
#define HSL_ST_COUNT		20

/* Fabric events, as driver and library report them (HEP-API-012) */
#define HSL_FABRIC_EV_OVERFLOW	0	/* value = events lost to a slow reader */
#define HSL_FABRIC_EV_CHIP_ADD	1
#define HSL_FABRIC_EV_CHIP_REMOVE	2
#define HSL_FABRIC_EV_CHIP_STATE	3	/* value = 0 ready, 1 resetting, 2 failed */
#define HSL_FABRIC_EV_LINK	4	/* index = link, value = HSL_LTSSM_* */

/* ------------------------------------------------------------------ tables in host memory */

/*
 * The driver writes tables, the chip reads them and may cache any entry, valid or not. After every change,
 * from invalid to valid too, the driver issues CTX_INVALIDATE or SEG_INVALIDATE; its completion means that no
 * operation which used the old entry is still running and none will start (HEP-MAP-010).
 */
#define HSL_TABLE_PAGE		4096u
#define HSL_CTX_VALID		(1u << 0)
struct hsl_ctx_entry {		/* 64 bytes; entry 0 is the driver's own and never valid in the table */
	hsl_le32 flags;		/* HSL_CTX_* */
	hsl_le32 rsvd0;
	hsl_le64 key;		/* random, non-zero, the same for this context on every chip of the fabric */
	hsl_le64 seg_dir;	/* IOVA of the segment directory: one 4 KiB page of 512 leaf IOVAs (0 = absent) */
	hsl_le64 rsvd1[5];
};

#define HSL_SEG_VALID		(1u << 0)
#define HSL_SEG_READ		(1u << 1)
#define HSL_SEG_WRITE		(1u << 2)
#define HSL_SEG_PAGED		(1u << 3)	/* host memory: pages holds a PAGE table; else chip memory at GA_OFFSET */
#define HSL_SEG_MODELLED	(1u << 4)	/* needs HSL_CAP_MODELLED */
#define HSL_SEG_NONCOHERENT	(1u << 5)	/* with MODELLED: READ and WRITE packets, no cache keeps a line */
#define HSL_SEG_ALL		0x3fu
#define HSL_SEGS_PER_LEAF	(HSL_TABLE_PAGE / 64)
#define HSL_SEG_DIR_LEAVES	(HSL_TABLE_PAGE / 8)
#define HSL_SEGS_MAX		(HSL_SEGS_PER_LEAF * HSL_SEG_DIR_LEAVES)	/* handles 0..32767; 0 is never used */
struct hsl_seg_entry {		/* 64 bytes, 64 of them in a leaf page; handle = leaf index * 64 + slot */
	hsl_le32 flags;		/* HSL_SEG_* */
	hsl_le32 epoch;		/* never repeats for one (context, handle) until the context's key changes */
	hsl_le64 ga;		/* first byte */
	hsl_le64 len;		/* bytes, > 0, does not wrap the node */
	hsl_le64 pages;		/* PAGED: IOVA of the root of the PAGE table */
	uint8_t  page_shift;	/* PAGED: 12..30; every leaf entry maps 1 << page_shift bytes */
	uint8_t  page_levels;	/* PAGED: 1..4; a table is 4 KiB of 512 IOVAs, the last level holds the pages */
	hsl_le16 rsvd0;
	hsl_le32 page_offset;	/* PAGED: offset of the segment's first byte in its first page, < 1 << page_shift */
	hsl_le64 rsvd1[3];
};
#define HSL_PTES_PER_TABLE	(HSL_TABLE_PAGE / 8)
#define HSL_PTE_VALID		1ull		/* bit 0 of a table entry; the IOVA is bits [63:12], as in a CPU page table */
#define HSL_PTE_IOVA(e)		((e) & ~0xfffull)

/* ------------------------------------------------------------------ packets and flits */

/* Virtual channels (HEP-LNK-002). */
#define HSL_VC_REQ		0
#define HSL_VC_RSP		1
#define HSL_VC_SNP		2
#define HSL_VC_DAT		3
#define HSL_VC_MGMT		4
#define HSL_VC_COUNT		5

/*
 * Packet opcodes (docs/hep.md sections 8 and 12). AUTH asks the home node whether (context, key, epoch) may use a range
 * (HEP-SEC-003).
 */
#define HSL_PKT_AUTH		0x01	/* REQ: rights wanted in flags */
#define HSL_PKT_READ		0x02	/* REQ: the bytes of a line now, not to be cached */
#define HSL_PKT_WRITE		0x03	/* REQ: bytes of a line at the home; data follows GO */
#define HSL_PKT_ATOMIC		0x04	/* REQ: at the home */
#define HSL_PKT_READ_S		0x10	/* REQ: a line to share */
#define HSL_PKT_READ_U		0x11	/* REQ: a line to own, with data */
#define HSL_PKT_UPGRADE		0x12	/* REQ: own a line that is shared already */
#define HSL_PKT_WRITE_BACK	0x13	/* REQ: a dirty line leaves the cache; data follows GO */
#define HSL_PKT_SNP_S		0x20	/* SNP: share; who owns it serves fwd */
#define HSL_PKT_SNP_U		0x21	/* SNP: give up; who owns it serves fwd */
#define HSL_PKT_SNP_I		0x22	/* SNP: give up; dirty data to the home */
#define HSL_PKT_SNP_C		0x23	/* SNP: share; dirty data to the home */
#define HSL_PKT_RSP		0x80	/* RSP: final answer, status and value */
#define HSL_PKT_RSP_DATA	0x81	/* DAT: a line for the requester, from its home or its owner */
#define HSL_PKT_COMP		0x82	/* RSP: UPGRADE granted without data */
#define HSL_PKT_GO		0x83	/* RSP: send the data of WRITE or WRITE_BACK */
#define HSL_PKT_RETRY		0x84	/* RSP: no room at the home; GRANT will come */
#define HSL_PKT_GRANT		0x85	/* RSP: one request that was told RETRY has room now */
#define HSL_PKT_ACK		0x86	/* RSP: the requester has what it asked for, or has nothing to send after GO */
#define HSL_PKT_SNP_RSP		0x87	/* RSP: snoop done, no data for the home */
#define HSL_PKT_SNP_DATA	0x88	/* DAT: snoop done, dirty data for the home */
#define HSL_PKT_WR_DATA		0x89	/* DAT: data after GO */

#define HSL_PKT_F_READ		0x01	/* AUTH: wants to read */
#define HSL_PKT_F_WRITE		0x02	/* AUTH: wants to write */
#define HSL_PKT_F_GRANTED	0x01	/* coherent request: uses a GRANT */
#define HSL_PKT_F_OWN		0x02	/* RSP_DATA: the requester owns the line */
#define HSL_PKT_F_DIRTY		0x04	/* RSP_DATA: newer than memory; SNP_RSP: such data went to fwd */
#define HSL_PKT_F_FWD		0x08	/* SNP_RSP, SNP_DATA: fwd has been served */
#define HSL_PKT_F_KEEPS		0x10	/* SNP_RSP, SNP_DATA: the agent keeps a shared copy */
#define HSL_PKT_F_POISON	0x80

/* Agents. A chip's cache has the chip's node id; the host port of a chip has this bit set as well. */
#define HSL_AGENT_HOST_PORT	0x8000
#define HSL_LINE_BYTES		64

struct hsl_pkt_req {		/* two 16-byte slots */
	uint8_t  opcode;	/* HSL_PKT_* */
	uint8_t  flags;
	hsl_le16 tag;		/* unique among the requester's outstanding ones */
	hsl_le16 src;		/* requester node */
	hsl_le16 dst;		/* home node */
	hsl_le64 addr;		/* offset in the home node [47:0], hop count so far [55:48], reserved [63:56] */
	hsl_le64 key;		/* context key */
	hsl_le32 ctx_seg;	/* HSL_PKT_CTX: context index [31:16], segment handle [15:0] */
	hsl_le32 epoch;		/* segment epoch the requester believes in */
};
#define HSL_PKT_CTX(ctx, handle)	((uint32_t)(ctx) << 16 | (uint32_t)(handle))

struct hsl_pkt_rsp {		/* one 16-byte slot */
	uint8_t  opcode;	/* HSL_PKT_RSP* */
	uint8_t  status;	/* HSL_ST_* */
	hsl_le16 tag;
	hsl_le16 src;		/* home node */
	hsl_le16 dst;		/* requester node */
	hsl_le64 value;		/* AUTH: bytes of the segment that remain from addr on */
};

/* Every packet begins with a slot of this shape; addr is a value in answers, as in hsl_pkt_rsp. */
struct hsl_pkt_hdr {
	uint8_t  opcode;
	uint8_t  flags;		/* HSL_PKT_F_*; RSP: status */
	hsl_le16 tag;		/* the requester's; in a snoop and its answer the home's */
	hsl_le16 src;		/* agent or home node */
	hsl_le16 dst;
	hsl_le64 addr;		/* offset of the line in the home [47:0], hop count so far [55:48], reserved [63:56] */
};

struct hsl_pkt_snp {		/* two slots */
	struct hsl_pkt_hdr h;
	hsl_le16 fwd;		/* SNP_S, SNP_U: the agent to serve */
	hsl_le16 fwd_tag;	/* and the tag of its request */
	hsl_le32 rsvd0;
	hsl_le64 rsvd1;
};

struct hsl_pkt_atomic {		/* three slots; addr is that of the operand */
	struct hsl_pkt_hdr h;
	uint8_t  subop;		/* HSL_ATOMIC_* */
	uint8_t  len;		/* 4 or 8 */
	hsl_le16 rsvd0;
	hsl_le32 rsvd1;
	hsl_le64 arg0;
	hsl_le64 arg1;
	hsl_le64 rsvd2;
};

struct hsl_pkt_data {		/* RSP_DATA, SNP_DATA: five slots */
	struct hsl_pkt_hdr h;
	uint8_t  data[HSL_LINE_BYTES];
};

struct hsl_pkt_wr_data {	/* WR_DATA: six slots */
	struct hsl_pkt_hdr h;
	hsl_le64 mask;		/* bit i: byte i of the line is written */
	hsl_le64 rsvd;
	uint8_t  data[HSL_LINE_BYTES];
};
#define HSL_PKT_SLOTS_MAX	6

/*
 * 256-byte flit: 2 B header, 15 slots of 16 B of which slot 0 is the control slot, 8 B CRC-64, 6 B FEC (reserved,
 * zero, in HEP 1.0). 14 slots carry packets: 224 bytes, so goodput is at most 0.875 of raw (docs/hep.md section 8).
 */
#define HSL_FLIT_BYTES		256
#define HSL_FLIT_SLOTS		14
#define HSL_SLOT_BYTES		16
#define HSL_FLIT_SEQ_BITS	12
struct hsl_flit {
	hsl_le16 hdr;		/* sequence [11:0], HSL_FLIT_* type [13:12], reserved [15:14] */
	hsl_le16 ack;		/* next sequence expected [11:0], NAK [12], ack valid [13] */
	uint8_t  credits[HSL_VC_COUNT];	/* slots of each VC freed since the link came up, modulo 256 */
	uint8_t  slot_map[7];	/* 4 bits per slot, low nibble first: VC [2:0], first slot of a packet [3]; 0xf = empty */
	uint8_t  rsvd[2];
	uint8_t  slot[HSL_FLIT_SLOTS][HSL_SLOT_BYTES];
	uint8_t  crc[8];	/* CRC-64 over bytes 0..241, little-endian */
	uint8_t  fec[6];
};
#define HSL_FLIT_IDLE		0
#define HSL_FLIT_DATA		1
#define HSL_FLIT_CONTROL	2

/* Training set: what crosses a link while it is not in L0 (docs/hep.md section 8.4). */
struct hsl_ts {
	uint8_t  type;		/* HSL_TS1, HSL_TS2 */
	uint8_t  flags;		/* HSL_TS_F_* */
	hsl_le16 lanes;		/* bit i: the sender receives on lane i */
	hsl_le32 rate_mtps;	/* TS1: the sender's highest rate; TS2: the rate that both use */
	hsl_le16 round;		/* the sender's round of training */
	hsl_le16 echo;		/* the receiver's round, as the sender heard it last */
	uint8_t  width;		/* TS2: the width that both use */
	uint8_t  rsvd[3];
};
#define HSL_TS1			1
#define HSL_TS2			2
#define HSL_TS_F_DISABLE	0x01	/* TS1: the link goes to DISABLED */
#define HSL_TS_F_HOT_RESET	0x02	/* TS1: the receiver is reset */
#define HSL_TS_F_L1		0x04	/* TS1 asks for L1, TS2 agrees */
#define HSL_TS_F_L0		0x08	/* TS2: the sender is in L0 already */
#define HSL_TS_F_NEW		0x10	/* the sender has been through DETECT since it was in L0: it remembers no flit */

/* ------------------------------------------------------------------ the layout is the contract */

#if defined(__cplusplus) || defined(__KERNEL__) || (defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L)
#define HSL_ASSERT_SIZE(t, n)	static_assert(sizeof(struct t) == (n), #t " size")
#define HSL_ASSERT_OFF(t, m, n)	static_assert(offsetof(struct t, m) == (n), #t "." #m " offset")
HSL_ASSERT_SIZE(hsl_desc, 64);
HSL_ASSERT_OFF(hsl_desc, cookie, 8);
HSL_ASSERT_OFF(hsl_desc, dst, 16);
HSL_ASSERT_OFF(hsl_desc, src, 24);
HSL_ASSERT_OFF(hsl_desc, len, 32);
HSL_ASSERT_OFF(hsl_desc, arg0, 40);
HSL_ASSERT_OFF(hsl_desc, arg1, 48);
HSL_ASSERT_SIZE(hsl_copy_entry, 32);
HSL_ASSERT_SIZE(hsl_cqe, 32);
HSL_ASSERT_OFF(hsl_cqe, fault_ga, 16);
HSL_ASSERT_OFF(hsl_cqe, sq_head, 24);
HSL_ASSERT_OFF(hsl_cqe, status, 28);
HSL_ASSERT_SIZE(hsl_queue_shadow, HSL_QUEUE_SHADOW_ALIGN);
HSL_ASSERT_OFF(hsl_queue_shadow, need_doorbell, 64);
HSL_ASSERT_SIZE(hsl_ctx_entry, 64);
HSL_ASSERT_OFF(hsl_ctx_entry, seg_dir, 16);
HSL_ASSERT_SIZE(hsl_seg_entry, 64);
HSL_ASSERT_OFF(hsl_seg_entry, pages, 24);
HSL_ASSERT_OFF(hsl_seg_entry, page_offset, 36);
HSL_ASSERT_SIZE(hsl_pkt_req, 32);
HSL_ASSERT_OFF(hsl_pkt_req, key, 16);
HSL_ASSERT_SIZE(hsl_pkt_rsp, 16);
HSL_ASSERT_SIZE(hsl_pkt_hdr, 16);
HSL_ASSERT_SIZE(hsl_pkt_snp, 32);
HSL_ASSERT_SIZE(hsl_pkt_atomic, 48);
HSL_ASSERT_SIZE(hsl_pkt_data, 80);
HSL_ASSERT_SIZE(hsl_pkt_wr_data, 96);
HSL_ASSERT_SIZE(hsl_ts, 16);
HSL_ASSERT_SIZE(hsl_flit, HSL_FLIT_BYTES);
HSL_ASSERT_OFF(hsl_flit, slot, 18);
HSL_ASSERT_OFF(hsl_flit, crc, 242);
#endif

#endif /* HSL_PROTO_H */
