/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* TXN: what each command does, to the byte, and how a bad one fails. */
#include <inttypes.h>
#include <stdlib.h>

#include "hsltest.h"

#define KIB ((uint64_t)1024)
#define MIB (1024 * KIB)

static void nop(struct ht *t)
{
	struct hsl_op op = { .opcode = HSL_OP_NOP };
	struct hsl_completion c;
	struct hsl_queue *q;
	unsigned int i, k;

	for (i = 0; i < t->nchips; i++) {
		q = ht_queue_new(t, t->chip[i].node, 0);
		for (k = 0; k < 100; k++) {
			op.order = (uint8_t)(k % 3);
			ht_op_run(t, q, &op, &c);
			ht_status(t, &c, HSL_ST_OK, "NOP");
			HT_EQ(t, "result of NOP", c.result, 0);
		}
		ht_queue_free(t, q);
	}
}

static void reserved_opcodes(struct ht *t)
{
	struct hsl_completion c;
	unsigned int code;
	struct hsl_queue *q;
	struct ht_buf b;

	ht_buf_new(t, &b, t->chip[0].node, 64 * KIB);
	q = ht_queue_new(t, t->chip[0].node, 0);
	for (code = 0; code < 256; code++) {
		/* the operands are fine, so that the opcode is the only mistake */
		struct hsl_op op = {
			.opcode = (uint8_t)code, .dst = b.ga, .src = b.ga + 4096, .len = 8
		};

		if (code <= HSL_OP_COPY_LIST)
			continue;
		ht_op_run(t, q, &op, &c);
		if (c.status != HSL_ST_OPCODE)
			HT_FAIL_TEST(t, "opcode 0x%02x: expected status opcode, got %s", code,
				     hsl_status_name(c.status));
	}
	ht_buf_check(t, &b, "after unknown opcodes");
	HT_OK(t, hsl_nop(q));
	ht_queue_free(t, q);
	ht_buf_free(t, &b);
}

static void reserved_fields(struct ht *t)
{
	struct hsl_queue *q;
	struct ht_buf b;
	unsigned int i;

	ht_buf_new(t, &b, t->chip[0].node, 64 * KIB);
	q = ht_queue_new(t, t->chip[0].node, 0);
	{
		uint64_t d = b.ga, s = b.ga + 4096;
		const struct hsl_op bad[] = {
			{ .opcode = HSL_OP_NOP, .order = 3 },
			{ .opcode = HSL_OP_NOP, .order = 255 },
			{ .opcode = HSL_OP_NOP, .dst = d },
			{ .opcode = HSL_OP_NOP, .src = s },
			{ .opcode = HSL_OP_NOP, .len = 1 },
			{ .opcode = HSL_OP_NOP, .arg0 = 1 },
			{ .opcode = HSL_OP_NOP, .arg1 = 1ull << 63 },
			{ .opcode = HSL_OP_COPY, .dst = d, .src = s, .len = 8, .order = 3 },
			{ .opcode = HSL_OP_COPY, .dst = d, .src = s, .len = 8, .arg0 = 1 },
			{ .opcode = HSL_OP_COPY, .dst = d, .src = s, .len = 8, .arg1 = 1 },
			{ .opcode = HSL_OP_FILL, .dst = d, .len = 8, .src = s },
			{ .opcode = HSL_OP_FILL, .dst = d, .len = 8, .arg1 = 1 },
			{ .opcode = HSL_OP_FILL, .dst = d, .len = 8, .order = 4 },
		};

		for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
			ht_step(t, "case %u: opcode %u", i, bad[i].opcode);
			ht_expect(t, q, &bad[i], HSL_ST_FIELD, "reserved field");
		}
	}
	ht_buf_check(t, &b, "after reserved fields");
	HT_OK(t, hsl_nop(q));
	ht_queue_free(t, q);
	ht_buf_free(t, &b);
}

/* Fields that libhsl does not let through: a descriptor of our own. */
static void reserved_fields_raw(struct ht *t)
{
	static const struct {
		unsigned int off, len;
		const char *name;
	} fields[] = {
		{ offsetof(struct hsl_desc, flags), 1, "flags" },
		{ offsetof(struct hsl_desc, subop), 1, "subop" },
		{ offsetof(struct hsl_desc, rsvd0), 4, "rsvd0" },
		{ offsetof(struct hsl_desc, rsvd1), 8, "rsvd1" },
		{ offsetof(struct hsl_desc, order), 1, "order" },
	};
	unsigned int i, bit, op;
	struct hsl_cqe c;
	struct ht_rawq q;
	int fd = ht_raw_open(t);
	uint32_t handle;
	uint64_t ga;

	ga = ht_raw_alloc(t, fd, t->chip[0].node, 64 * KIB, &handle);
	ht_rawq_new(t, &q, fd, t->chip[0].node, 16);
	for (op = HSL_OP_NOP; op <= HSL_OP_FILL; op++) {
		for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
			for (bit = 0; bit < fields[i].len * 8; bit++) {
				struct hsl_desc *d;

				if (fields[i].off == offsetof(struct hsl_desc, order) && bit < 2)
					continue;
				if (fields[i].off == offsetof(struct hsl_desc, flags) &&
				    1u << bit & HSL_DF_ALL)
					continue;
				d = ht_rawq_slot(&q);
				d->opcode = (uint8_t)op;
				if (op != HSL_OP_NOP) {
					d->dst = ga;
					d->len = 8;
				}
				if (op == HSL_OP_COPY)
					d->src = ga + 4096;
				((uint8_t *)d)[fields[i].off + bit / 8] |= (uint8_t)(1u << bit % 8);
				ht_rawq_ring(t, &q);
				ht_rawq_wait(t, &q, &c);
				if (HSL_CQE_CODE(c.status) != HSL_ST_FIELD)
					HT_FAIL_TEST(
						t,
						"opcode %u, bit %u of %s: expected status field, got %s",
						op, bit, fields[i].name,
						hsl_status_name(HSL_CQE_CODE(c.status)));
			}
		}
	}
	ht_rawq_free(&q);
	ht_raw_free(t, fd, handle);
}

/* Every pair of alignments within 16 bytes for lengths around every boundary an implementation may
 * have. */
static void copy_alignment(struct ht *t)
{
	static const uint64_t lens[] = { 1,  2,	 3,  4,	 7,  8,	  9,   15,   16,   17,
					 31, 33, 63, 64, 65, 255, 257, 4095, 4096, 4097 };
	enum { BATCH = 16 };
	struct hsl_completion c[BATCH];
	struct hsl_op ops[BATCH];
	struct ht_buf host, chip, peer,
		*pairs[4][2] = {
			{ &chip, &host }, { &host, &chip }, { &peer, &chip }, { &chip, &chip }
		};
	uint64_t room = 3 * 4096, s, d, copies = 0;
	unsigned int p, l, i, align;
	struct hsl_queue *q;

	q = ht_queue_new(t, t->chip[0].node, BATCH);
	ht_buf_new_host(t, &host, BATCH * room * 2, 3, HSL_RIGHT_RW);
	ht_buf_new(t, &chip, t->chip[0].node, BATCH * room * 2);
	ht_buf_new(t, &peer, t->chip[t->nchips - 1].node, BATCH * room * 2);
	for (p = 0; p < 4; p++) {
		struct ht_buf *dst = pairs[p][0], *src = pairs[p][1];

		for (l = 0; l < sizeof(lens) / sizeof(lens[0]); l++) {
			for (align = 0; align < 16; align++) {
				ht_step(t, "pair %u, length %" PRIu64 ", source alignment %u", p,
					lens[l], align);
				for (i = 0; i < BATCH; i++) {
					/* sources in the second half, so that one buffer can be
					 * both */
					d = i * room + 4096 + i;
					s = (BATCH + i) * room + 2048 + align;
					ops[i] = ht_op_copy(dst->ga + d, src->ga + s, lens[l]);
					ops[i].cookie = i;
					ops[i].order = HSL_ORDER_STRONG;
					ht_oracle_move(dst->shadow + d, src->shadow + s, lens[l]);
					copies++;
				}
				ht_submit_all(t, q, ops, BATCH);
				ht_wait_all(t, q, c, BATCH);
				for (i = 0; i < BATCH; i++)
					ht_status(t, &c[i], HSL_ST_OK, "COPY");
				for (i = 0; i < BATCH; i++)
					ht_buf_check_range(t, dst, i * room, room,
							   "destination and its surroundings");
			}
			/* fresh sources: a copy that does nothing must not pass because an equal
			 * one did it before */
			ht_buf_check(t, dst, "all of the destination");
			ht_buf_check(t, src, "all of the source");
			ht_buf_pattern(t, src);
		}
	}
	ht_note(t, "%" PRIu64 " copies", copies);
	ht_queue_free(t, q);
	ht_buf_free(t, &host);
	ht_buf_free(t, &chip);
	ht_buf_free(t, &peer);
}

static void copy_sizes(struct ht *t)
{
	struct ht_buf host, chip;
	uint64_t len = 9 * MIB, n, s, d;
	struct hsl_queue *q;
	unsigned int i;

	q = ht_queue_new(t, t->chip[0].node, 0);
	ht_buf_new_host(t, &host, len, 1001, HSL_RIGHT_RW);
	ht_buf_new(t, &chip, t->chip[t->nchips - 1].node, len);
	for (i = 0; i < 24; i++) {
		/* around powers of two up to 8 MiB, chunk limits included */
		n = (4096ull << i % 12) + ht_random_below(t, 5) - 2;
		n = n < len ? n : len;
		s = ht_random_below(t, len - n + 1);
		d = ht_random_below(t, len - n + 1);
		ht_step(t, "%" PRIu64 " bytes", n);
		if (i & 1)
			ht_copy(t, q, &chip, d, &host, s, n);
		else
			ht_copy(t, q, &host, d, &chip, s, n);
		ht_buf_check(t, i & 1 ? &chip : &host, "destination");
		ht_buf_pattern(t, i & 1 ? &host : &chip);
	}
	ht_queue_free(t, q);
	ht_buf_free(t, &host);
	ht_buf_free(t, &chip);
}

static void copy_overlap(struct ht *t)
{
	static const uint64_t shifts[] = { 0,	 1,    7,    8,	    63,	   64,	  65,
					   4095, 4096, 4097, 65535, 65536, 65537, 200000 };
	static const uint64_t lens[] = { 1, 2, 64, 100, 4096, 5000, 65536, 65537, 131072, 300001 };
	struct ht_buf b[2];
	struct hsl_queue *q;
	unsigned int i, k, m;

	q = ht_queue_new(t, t->chip[0].node, 0);
	ht_buf_new(t, &b[0], t->chip[t->nchips - 1].node, 1 * MIB);
	ht_buf_new_host(t, &b[1], 1 * MIB, 1, HSL_RIGHT_RW);
	for (m = 0; m < 2; m++) {
		for (i = 0; i < sizeof(shifts) / sizeof(shifts[0]); i++) {
			for (k = 0; k < sizeof(lens) / sizeof(lens[0]); k++) {
				uint64_t at = 100000 + i, to = at + shifts[i];

				ht_step(t, "%s memory, %" PRIu64 " bytes by %" PRIu64,
					m ? "host" : "chip", lens[k], shifts[i]);
				ht_copy(t, q, &b[m], to, &b[m], at, lens[k]); /* upwards */
				ht_copy(t, q, &b[m], at, &b[m], to, lens[k]); /* and down */
			}
			ht_buf_check(t, &b[m], "overlapping COPY");
			ht_buf_pattern(t, &b[m]);
		}
	}
	ht_queue_free(t, q);
	ht_buf_free(t, &b[0]);
	ht_buf_free(t, &b[1]);
}

static void fill(struct ht *t)
{
	static const uint64_t lens[] = { 1,    2,    3,	   5,	  7,	 8,	9,
					 15,   16,   17,   63,	  64,	 65,	100,
					 4095, 4096, 4097, 65535, 65536, 65537, 200001 };
	uint64_t off, pattern;
	struct hsl_completion c;
	struct ht_buf b[2];
	struct hsl_queue *q;
	unsigned int i, k, m;
	struct hsl_op op;

	q = ht_queue_new(t, t->chip[0].node, 0);
	ht_buf_new(t, &b[0], t->chip[t->nchips - 1].node, 512 * KIB);
	ht_buf_new_host(t, &b[1], 512 * KIB, 5, HSL_RIGHT_RW);
	for (m = 0; m < 2; m++) {
		for (i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
			for (k = 0; k < 9; k++) {
				off = 10000 + k + ht_random_below(t, 8) * 8;
				pattern = ht_random(t);
				ht_step(t, "%" PRIu64 " bytes at %" PRIu64, lens[i], off);
				op = ht_op_fill(b[m].ga + off, lens[i], pattern);
				ht_op_run(t, q, &op, &c);
				ht_status(t, &c, HSL_ST_OK, "FILL");
				HT_EQ(t, "result of FILL", c.result, lens[i]);
				ht_oracle_fill(b[m].shadow + off, lens[i], pattern);
			}
			ht_buf_check(t, &b[m], "FILL");
		}
	}
	ht_queue_free(t, q);
	ht_buf_free(t, &b[0]);
	ht_buf_free(t, &b[1]);
}

static void length_zero(struct ht *t)
{
	struct hsl_completion c;
	struct hsl_queue *q;
	struct ht_buf b;
	unsigned int i;

	ht_buf_new(t, &b, t->chip[0].node, 4096);
	q = ht_queue_new(t, t->chip[0].node, 0);
	{
		const struct hsl_op ops[] = {
			ht_op_copy(b.ga, b.ga + 100, 0),
			ht_op_fill(b.ga, 0, ~0ull),
			ht_op_copy(0, 0, 0),
			ht_op_fill(0, 0, 1),
			ht_op_copy(b.ga + b.len, b.ga, 0),
			ht_op_copy(UINT64_MAX, UINT64_MAX, 0),
			ht_op_copy(b.ga, HSL_GA(16383, 1), 0),
		};

		for (i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
			ht_op_run(t, q, &ops[i], &c);
			ht_status(t, &c, HSL_ST_OK, "length 0");
			HT_EQ(t, "result of length 0", c.result, 0);
		}
	}
	ht_buf_check(t, &b, "after length 0");
	ht_queue_free(t, q);
	ht_buf_free(t, &b);
}

static void max_len(struct ht *t)
{
	uint64_t max = t->chip[0].max_len_bytes;
	struct hsl_completion c;
	struct hsl_segment *s = NULL;
	struct hsl_queue *q;
	struct hsl_op op;
	struct ht_buf b;

	ht_buf_new(t, &b, t->chip[0].node, 64 * KIB);
	q = ht_queue_new(t, t->chip[0].node, 0);
	op = ht_op_fill(b.ga, max + 1, 0xff);
	ht_expect(t, q, &op, HSL_ST_LENGTH, "FILL of MAX_LEN + 1");
	op = ht_op_copy(b.ga, b.ga, max + 1);
	ht_expect(t, q, &op, HSL_ST_LENGTH, "COPY of MAX_LEN + 1");
	op = ht_op_copy(b.ga, b.ga, UINT64_MAX);
	ht_expect(t, q, &op, HSL_ST_LENGTH, "COPY of 2^64 - 1");
	ht_buf_check(t, &b, "after refused lengths");
	/* MAX_LEN passes the check of the length: in a segment that is shorter the range is what
	 * fails */
	op = ht_op_fill(b.ga, max, 0xff);
	ht_expect(t, q, &op, HSL_ST_RANGE, "FILL of MAX_LEN in a short segment");
	ht_buf_check(t, &b, "after a refused range");
	/* really do it where a chip has the room and it does not take minutes */
	if (max <= 256 * MIB && !hsl_segment_alloc(t->f, t->chip[0].node, max, NULL, &s)) {
		op = ht_op_fill(hsl_segment_ga(s), max, 0x1122334455667788ull);
		ht_op_run(t, q, &op, &c);
		ht_status(t, &c, HSL_ST_OK, "FILL of MAX_LEN");
		HT_EQ(t, "result", c.result, max);
		ht_note(t, "executed %" PRIu64 " bytes", max);
		HT_OK(t, hsl_segment_free(s));
	} else {
		ht_note(t, "MAX_LEN is %" PRIu64 ": its acceptance shown by the check that follows",
			max);
	}
	ht_queue_free(t, q);
	ht_buf_free(t, &b);
}

static void every_pair(struct ht *t)
{
	unsigned int n = t->nchips < 16 ? t->nchips : 16, e, s, d;
	struct ht_buf b[16];
	struct hsl_queue *q;
	uint64_t len = 16 * KIB, copies = 0;

	for (s = 0; s < n; s++)
		ht_buf_new(t, &b[s], t->chip[s].node, len);
	for (e = 0; e < n; e++) {
		q = ht_queue_new(t, t->chip[e].node, 0);
		for (s = 0; s < n; s++) {
			for (d = 0; d < n; d++) {
				if (s == d)
					continue;
				ht_step(t, "chip %u copies from chip %u to chip %u",
					t->chip[e].node, t->chip[s].node, t->chip[d].node);
				ht_copy(t, q, &b[d], 1 + (e + s) * 8, &b[s], 3 + d * 16, 5000 + s);
				ht_buf_check_range(t, &b[d], 0, len, "destination");
				copies++;
			}
			ht_buf_pattern(t, &b[s]);
		}
		ht_queue_free(t, q);
	}
	for (s = 0; s < n; s++) {
		ht_buf_check(t, &b[s], "at the end");
		ht_buf_free(t, &b[s]);
	}
	ht_note(t, "%u chips, %" PRIu64 " copies", n, copies);
}

/* Descriptors with two or more mistakes: the first in the order of HEP section 6 is the one
 * reported. */
static void check_order(struct ht *t)
{
	struct ht_buf rw, ro;
	uint64_t nowhere, max = t->chip[0].max_len_bytes;
	struct hsl_completion c;
	struct hsl_queue *q;
	unsigned int i;

	ht_buf_new(t, &rw, t->chip[0].node, 16 * KIB);
	ht_buf_new_rights(t, &ro, t->chip[0].node, 16 * KIB, HSL_RIGHT_READ);
	nowhere = HSL_GA(16383, 0x1000);
	q = ht_queue_new(t, t->chip[0].node, 0);
	{
		const struct {
			struct hsl_op op;
			uint32_t status;
			uint64_t fault;
			const char *what;
		} cases[] = {
			{ { .opcode = 0x70, .order = 9, .len = UINT64_MAX },
			  HSL_ST_OPCODE,
			  0,
			  "opcode before order and length" },
			{ { .opcode = HSL_OP_COPY, .order = 9, .len = max + 1 },
			  HSL_ST_FIELD,
			  0,
			  "order before length" },
			{ { .opcode = HSL_OP_COPY, .arg0 = 1, .len = max + 1 },
			  HSL_ST_FIELD,
			  0,
			  "field before length" },
			{ { .opcode = HSL_OP_COPY, .arg1 = 1, .len = 0 },
			  HSL_ST_FIELD,
			  0,
			  "field before length 0" },
			{ { .opcode = HSL_OP_COPY, .dst = nowhere, .src = nowhere, .len = max + 1 },
			  HSL_ST_LENGTH,
			  0,
			  "length before operands" },
			{ { .opcode = HSL_OP_COPY, .dst = nowhere, .src = nowhere + 8, .len = 8 },
			  HSL_ST_SEGMENT,
			  nowhere,
			  "destination before source" },
			{ { .opcode = HSL_OP_COPY, .dst = ro.ga, .src = nowhere, .len = 8 },
			  HSL_ST_RIGHTS,
			  ro.ga,
			  "right of the destination before the source" },
			{ { .opcode = HSL_OP_COPY,
			    .dst = ro.ga + ro.len - 4,
			    .src = nowhere,
			    .len = 8 },
			  HSL_ST_RANGE,
			  ro.ga + ro.len,
			  "range before right" },
			{ { .opcode = HSL_OP_COPY, .dst = rw.ga, .src = nowhere, .len = 8 },
			  HSL_ST_SEGMENT,
			  nowhere,
			  "source" },
			{ { .opcode = HSL_OP_COPY,
			    .dst = rw.ga,
			    .src = rw.ga + rw.len - 7,
			    .len = 8 },
			  HSL_ST_RANGE,
			  rw.ga + rw.len,
			  "range of the source" },
		};

		for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
			ht_op_run(t, q, &cases[i].op, &c);
			ht_status(t, &c, cases[i].status, cases[i].what);
			HT_EQ(t, "result of a refused command", c.result, 0);
			/* the operand's first byte; for RANGE the first byte behind the segment; 0
			 * where no address is at fault */
			HT_EQ(t, cases[i].what, c.fault_ga, cases[i].fault);
		}
	}
	ht_buf_check(t, &rw, "after refused commands");
	ht_buf_check(t, &ro, "after refused commands");
	ht_queue_free(t, q);
	ht_buf_free(t, &rw);
	ht_buf_free(t, &ro);
}

static void result_bytes(struct ht *t)
{
	struct hsl_completion c;
	uint64_t len = 3 * MIB, n;
	struct ht_buf a, h;
	struct hsl_queue *q;
	struct hsl_op op;
	unsigned int i;

	ht_buf_new(t, &a, t->chip[t->nchips - 1].node, len);
	ht_buf_new(t, &h, 0, len);
	q = ht_queue_new(t, t->chip[0].node, 0);
	for (i = 0; i < 60; i++) {
		n = i < 10 ? i : ht_random_below(t, len + 1);
		op = i & 1 ? ht_op_fill(a.ga, n, i) : ht_op_copy(h.ga, a.ga, n);
		ht_op_run(t, q, &op, &c);
		ht_status(t, &c, HSL_ST_OK, "command");
		HT_EQ(t, "result", c.result, n);
		HT_EQ(t, "fault GA of a command that is OK", c.fault_ga, 0);
	}
	ht_queue_free(t, q);
	ht_buf_free(t, &a);
	ht_buf_free(t, &h);
}

static void above_4gib(struct ht *t)
{
	const uint64_t limit = 4096 * MIB;
	struct hsl_segment *below = NULL;
	const struct hsl_chip_props *chip = NULL;
	struct hsl_queue *q;
	struct ht_buf b, h;
	uint64_t largest = 0;
	unsigned int i;
	uint8_t *alias;
	void *p;

	for (i = 0; i < t->nchips && !chip; i++) {
		largest = t->chip[i].mem_bytes > largest ? t->chip[i].mem_bytes : largest;
		if (t->chip[i].mem_free_bytes > limit + 64 * MIB)
			chip = &t->chip[i];
	}
	if (largest <= limit)
		HT_NA_TEST(t, "no chip has more than 4 GiB of memory");
	if (!chip)
		HT_SKIP_TEST(t, "no chip has more than 4 GiB of free memory");
	ht_step(t, "allocating the first 4 GiB of chip %u", chip->node);
	HT_OK(t, hsl_segment_alloc(t->f, chip->node, limit, NULL, &below));
	ht_buf_new(t, &b, chip->node, 1 * MIB);
	ht_buf_new(t, &h, 0, 1 * MIB);
	if (HSL_GA_OFFSET(b.ga) < limit && HSL_GA_OFFSET(hsl_segment_ga(below)) == 0)
		HT_FAIL_TEST(t, "allocated offset %#" PRIx64 " twice",
			     (uint64_t)HSL_GA_OFFSET(b.ga));
	q = ht_queue_new(t, t->chip[0].node, 0);
	/* where a 32-bit offset would end up */
	HT_OK(t, hsl_segment_map(below, &p));
	alias = (uint8_t *)p + (HSL_GA_OFFSET(b.ga) - HSL_GA_OFFSET(hsl_segment_ga(below))) % limit;
	ht_copy(t, q, &b, 5, &h, 7, 500000);
	ht_buf_check(t, &b, "above 4 GiB");
	for (i = 0; i < 4096; i++)
		HT_TRUE(t, !alias[i], "4 GiB below the destination, byte %u was written", i);
	ht_buf_pattern(t, &h);
	ht_copy(t, q, &h, 1, &b, 100, 400000);
	ht_buf_check(t, &h, "from above 4 GiB");
	ht_queue_free(t, q);
	ht_buf_free(t, &b);
	ht_buf_free(t, &h);
	HT_OK(t, hsl_segment_free(below));
}

const struct ht_test ht_tests_txn[] = {
	{ "HEP-TXN-001", "nop", "NOP completes OK with result 0 in every order", nop, 0, 0 },
	{ "HEP-TXN-002", "reserved_opcodes",
	  "all other opcodes and the admin ones complete with OPCODE", reserved_opcodes, 0, 0 },
	{ "HEP-TXN-003", "reserved_fields",
	  "unused operands and unknown orders complete with FIELD", reserved_fields, 0, 0 },
	{ "HEP-TXN-003", "reserved_bits", "each reserved bit of a descriptor completes with FIELD",
	  reserved_fields_raw, HT_F_RAW, 0 },
	{ "HEP-TXN-004", "copy_alignment", "COPY for every alignment, no byte outside touched",
	  copy_alignment, 0, 180 },
	{ "HEP-TXN-004", "copy_sizes", "COPY of sizes around each power of two up to 8 MiB",
	  copy_sizes, 0, 180 },
	{ "HEP-TXN-005", "copy_overlap", "overlapping COPY is memmove, upwards and down",
	  copy_overlap, 0, 180 },
	{ "HEP-TXN-006", "fill", "FILL repeats its pattern from the first byte, every length", fill,
	  0, 0 },
	{ "HEP-TXN-007", "length_zero", "length 0 is OK whatever the operands are", length_zero, 0,
	  0 },
	{ "HEP-TXN-008", "max_len", "MAX_LEN is accepted, one more is LENGTH", max_len, 0, 0 },
	{ "HEP-TXN-009", "every_pair", "COPY between all pairs of chips, executed by each chip",
	  every_pair, HT_F_TWO_CHIPS, 180 },
	{ "HEP-TXN-010", "check_order", "the first failing check and its GA are reported",
	  check_order, 0, 0 },
	{ "HEP-TXN-011", "result_bytes", "result is the number of bytes moved", result_bytes, 0,
	  0 },
	{ "HEP-TXN-012", "above_4gib", "offsets above 4 GiB work", above_4gib, 0, 600 },
	{ 0 }
};
