/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Captures of links (docs/capture.md) checked against the requirements that show in a flit trace
 * (OBSERVABILITY T in docs/hep.md). Shares the contract's headers with the model and no code.
 */
#ifndef HT_TRACE_H
#define HT_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hsl/proto.h"

/* ---- trace_file.c: a pcapng file in memory, which may hold anything ---- */

/* An end of a link, as its interface description has it; 0: not said. */
struct ht_trace_end {
	uint16_t node, peer;
	bool usable;			/* of our link type, with a name */
	uint32_t seq_bits, replay_flits;
	uint32_t credit_shift;
	uint32_t rx_slots[HSL_VC_COUNT];
};

struct ht_trace_record {
	uint64_t number;		/* as Wireshark counts, from 1 */
	uint8_t kind, flags;
	uint16_t src, dst;
	const uint8_t *body;
	size_t len;
};
#define HT_TRACE_FLIT	1
#define HT_TRACE_STATE	3
#define HT_TRACE_F_RX	0x01

struct ht_trace_file {
	const uint8_t *p;
	size_t len, at;
	struct ht_trace_end *ends;	/* of this section */
	uint32_t nends;
	uint64_t number, skipped;	/* records that are not of this format */
	const char *error;
};

enum ht_trace_what { HT_TRACE_ERROR = -1, HT_TRACE_EOF, HT_TRACE_RECORD, HT_TRACE_END };

void ht_trace_open(struct ht_trace_file *f, const uint8_t *p, size_t len);
void ht_trace_close(struct ht_trace_file *f);
/* The next record, or the next end, which is then the last of f->ends. ERROR: f->error says why. */
enum ht_trace_what ht_trace_next(struct ht_trace_file *f, struct ht_trace_record *r);

/* ---- trace_out.c: a capture that the suite makes itself, in memory ---- */

struct ht_trace_raw { /* a record of docs/capture.md, as NEXT of the test facility gives it */
	uint8_t version, kind, flags, link;
	hsl_le16 src, dst;
	hsl_le64 time_ps;
	uint8_t body[HSL_FLIT_BYTES];
};
HSL_ASSERT_SIZE(ht_trace_raw, 272);
#define HT_TRACE_VERSION	1

struct ht_trace_out {
	uint8_t *p;			/* free() it */
	size_t len, room;
};
/* An end, interface 0 and up; before its records. What is 0 is not known. */
void ht_trace_put_end(struct ht_trace_out *o, const struct ht_trace_end *e);
void ht_trace_put(struct ht_trace_out *o, uint32_t interface, const struct ht_trace_raw *r);

/* ---- trace.c ---- */

enum ht_trace_req {
	HT_TRACE_LNK_001,
	HT_TRACE_LNK_002,
	HT_TRACE_LNK_004,
	HT_TRACE_LNK_005,
	HT_TRACE_LNK_007,
	HT_TRACE_TXN_020,
	HT_TRACE_TXN_021,
	HT_TRACE_REQS
};

struct ht_trace_verdict {
	const char *id;
	uint64_t checked, violations;	/* nothing checked: the capture says nothing about it */
	uint64_t record;		/* of the first violation; 0: the end of the capture */
	char text[120];
};

struct ht_trace_result {
	uint64_t records, flits, skipped;
	uint64_t open;			/* requests without an answer at the end */
	struct ht_trace_verdict req[HT_TRACE_REQS];
	const char *error;
};

/* HEP's CRC-64 (docs/hep.md section 8), bit by bit. */
uint64_t ht_crc64(const void *bytes, size_t len);

/*
 * complete: the capture ends when nothing is under way, so a request that is not answered in it
 * never was. 0, -EINVAL: not a capture, see error; what came before that is checked; -ENOMEM.
 */
int ht_trace_check(const uint8_t *file, size_t len, bool complete, struct ht_trace_result *out);

#endif
