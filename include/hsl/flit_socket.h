/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The flit socket: messages between two ends of a link that are in two programs. docs/flit-socket.md
 * is the protocol; these are its layouts. Little-endian, no padding, each message a header and a body
 * of the length that its type has.
 */
#ifndef HSL_FLIT_SOCKET_H
#define HSL_FLIT_SOCKET_H

#include "proto.h"

#define HSL_FS_MAJOR		1u
#define HSL_FS_MINOR		0u
#define HSL_FS_MAGIC		UINT64_C(0x54494c464c5348aa)	/* bytes aa 'H' 'S' 'L' 'F' 'L' 'I' 'T' */

enum hsl_fs_type {
	HSL_FS_HELLO = 1,
	HSL_FS_LINE,
	HSL_FS_FLIT,
	HSL_FS_TIME,
	HSL_FS_BYE,
};

struct hsl_fs_hdr {
	uint8_t  type;		/* enum hsl_fs_type */
	uint8_t  flags;		/* HSL_FS_F_*; reserved bits zero */
	hsl_le16 len;		/* of header and body, bytes */
	hsl_le32 rsvd;
	/* ps since the HELLOs. LINE, FLIT: the last bit leaves; TIME: the promise; else 0 */
	hsl_le64 time_ps;
};
HSL_ASSERT_SIZE(hsl_fs_hdr, 16);
#define HSL_FS_F_WANT		0x01	/* TIME: the sender waits for an answer */
#define HSL_FS_TIME_MAX		(UINT64_C(1) << 62)

struct hsl_fs_hello {
	struct hsl_fs_hdr hdr;
	hsl_le64 magic;
	hsl_le16 major, minor;	/* of this protocol */
	hsl_le32 hep_version;	/* HSL_HEP_VERSION */
	hsl_le16 node, peer;	/* node at this end; node that it takes the other one for */
	hsl_le32 lanes;
	hsl_le32 rate_mtps;
	hsl_le32 replay_flits;	/* W, R, b, u of docs/hep.md section 8.3 */
	uint8_t  reorder, seq_bits, credit_shift, rsvd0;
	hsl_le16 rx_slots[HSL_VC_COUNT];	/* receive slots of this end: REQ RSP SNP DAT MGMT */
	hsl_le16 rsvd1;
	hsl_le64 latency_ps;	/* of what this end sends, from leaving to arriving; at least 1 */
	hsl_le64 open_bytes;	/* [0, open) of memory behind this end may be accessed from the other */
};
HSL_ASSERT_SIZE(hsl_fs_hello, 80);

struct hsl_fs_line {
	struct hsl_fs_hdr hdr;
	struct hsl_ts ts;
};
HSL_ASSERT_SIZE(hsl_fs_line, 32);

struct hsl_fs_flit {
	struct hsl_fs_hdr hdr;
	struct hsl_flit flit;
};
HSL_ASSERT_SIZE(hsl_fs_flit, 272);

struct hsl_fs_time {
	struct hsl_fs_hdr hdr;
	hsl_le64 seen;		/* LINE and FLIT messages taken since the HELLO */
};
HSL_ASSERT_SIZE(hsl_fs_time, 24);

#define HSL_FS_TEXT		80u
struct hsl_fs_bye {
	struct hsl_fs_hdr hdr;
	hsl_le32 reason;	/* enum hsl_fs_reason */
	hsl_le32 rsvd;
	char text[HSL_FS_TEXT];	/* for people: printable ASCII, zeros behind it */
};
HSL_ASSERT_SIZE(hsl_fs_bye, 104);
enum hsl_fs_reason {
	HSL_FS_DONE,		/* the end is taken away */
	HSL_FS_VERSION,		/* another major version, or no HELLO of this protocol */
	HSL_FS_PARAMETERS,	/* the two ends do not fit */
	HSL_FS_MALFORMED,	/* a length, type or reserved field */
	HSL_FS_TIME_ERROR,	/* a message from before the promise, or far behind it */
	HSL_FS_BUSY,		/* the end has a peer */
};

#define HSL_FS_MESSAGE_MAX	sizeof(struct hsl_fs_flit)

#endif
