/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* TXN: LOAD, STORE, COPY2D, COPY_LIST, and what a chip that lacks an operation says. */
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>

#include "hsltest.h"

#define KIB ((uint64_t)1024)

static void three_places(struct ht *t, struct ht_buf *b, uint64_t len)
{
	ht_buf_new(t, &b[0], t->chip[0].node, len);
	ht_buf_new(t, &b[1], t->chip[t->nchips - 1].node, len);
	ht_buf_new_host(t, &b[2], len, 4093, HSL_RIGHT_RW);
}

static void places_check(struct ht *t, struct ht_buf *b, const char *what)
{
	unsigned int i;

	for (i = 0; i < 3; i++)
		ht_buf_check(t, &b[i], what);
}

/* ------------------------------------------------------------------ LOAD and STORE */

static void load_store(struct ht *t)
{
	static const uint64_t too_long[] = { 65, 128, 4096, UINT64_MAX };
	struct hsl_completion c;
	unsigned int n, k, i;
	struct hsl_queue *q;
	struct ht_buf b[3];
	struct hsl_op op;
	uint64_t v;

	ht_need_cap(t, HSL_CAP_OP_LOADSTORE, "LOAD and STORE");
	three_places(t, b, 16 * KIB);
	q = ht_queue_new(t, t->chip[0].node, 0);
	for (n = 1; n <= HSL_LOADSTORE_MAX; n++) {
		for (k = 0; k < 18; k++) { /* places, opcodes; random alignment, also across a page */
			struct ht_buf *d = &b[k % 3], *s = &b[k / 3 % 3];
			uint64_t off = k & 1 ? 4096 - ht_random_below(t, n + 1) : ht_random_below(t, 3000);
			uint64_t soff = 8192 + (k & 2 ? 4096 - ht_random_below(t, n + 1) : ht_random_below(t, 3000));

			op = (struct hsl_op){ .opcode = k < 9 ? HSL_OP_LOAD : HSL_OP_STORE,
					      .dst = d->ga + off, .src = s->ga + soff, .len = n };
			ht_op_run(t, q, &op, &c);
			ht_status(t, &c, HSL_ST_OK, k < 9 ? "LOAD to memory" : "STORE from memory");
			HT_EQ(t, "result", c.result, n);
			ht_oracle_move(d->shadow + off, s->shadow + soff, n);
			ht_buf_check(t, d, k < 9 ? "LOAD to memory" : "STORE from memory");
		}
		for (k = 0; k < 3 && n <= HSL_LOAD_RESULT_MAX; k++) {
			uint64_t off = k & 1 ? 4096 - ht_random_below(t, n + 1) : ht_random_below(t, 3000);

			op = (struct hsl_op){ .opcode = HSL_OP_LOAD, .src = b[k].ga + off, .len = n };
			ht_op_run(t, q, &op, &c);
			ht_status(t, &c, HSL_ST_OK, "LOAD to the result");
			for (v = 0, i = 0; i < n; i++)
				v |= (uint64_t)b[k].shadow[off + i] << 8 * i;
			HT_EQ(t, "value of a LOAD", c.result, v);
		}
		for (k = 0; k < 3 && n <= HSL_STORE_ARGS_MAX; k++) {
			uint64_t off = k & 1 ? 4096 - ht_random_below(t, n + 1) : ht_random_below(t, 3000);
			uint64_t args[2] = { ht_random(t), ht_random(t) };

			op = (struct hsl_op){ .opcode = HSL_OP_STORE, .dst = b[k].ga + off, .len = n,
					      .arg0 = args[0], .arg1 = args[1] };
			ht_op_run(t, q, &op, &c);
			ht_status(t, &c, HSL_ST_OK, "STORE from the descriptor");
			HT_EQ(t, "result", c.result, n);
			for (i = 0; i < n; i++)
				b[k].shadow[off + i] = (uint8_t)(args[i / 8] >> 8 * (i % 8));
			ht_buf_check(t, &b[k], "STORE from the descriptor");
		}
	}
	for (k = 0; k < sizeof(too_long) / sizeof(too_long[0]); k++) {
		op = (struct hsl_op){ .opcode = HSL_OP_LOAD, .dst = b[0].ga, .src = b[1].ga, .len = too_long[k] };
		ht_expect(t, q, &op, HSL_ST_LENGTH, "LOAD of more than 64 bytes");
		op.opcode = HSL_OP_STORE;
		ht_expect(t, q, &op, HSL_ST_LENGTH, "STORE of more than 64 bytes");
	}
	for (n = 9; n <= 65; n++) {
		op = (struct hsl_op){ .opcode = HSL_OP_LOAD, .src = b[0].ga, .len = n };
		ht_expect(t, q, &op, HSL_ST_LENGTH, "LOAD of more than 8 bytes to the result");
		op = (struct hsl_op){ .opcode = HSL_OP_STORE, .dst = b[0].ga, .len = n + 8, .arg0 = 1 };
		ht_expect(t, q, &op, HSL_ST_LENGTH, "STORE of more than 16 bytes from the descriptor");
	}
	op = (struct hsl_op){ .opcode = HSL_OP_LOAD, .dst = b[0].ga, .src = b[1].ga, .len = 8, .arg0 = 1 };
	ht_expect(t, q, &op, HSL_ST_FIELD, "LOAD with arg0");
	op.opcode = HSL_OP_STORE;
	ht_expect(t, q, &op, HSL_ST_FIELD, "STORE from memory with arg0");
	places_check(t, b, "after refused LOADs and STOREs");
	for (k = 0; k < 3; k++)
		ht_buf_free(t, &b[k]);
	ht_queue_free(t, q);
}

/* ------------------------------------------------------------------ COPY2D */

static struct hsl_op op_copy2d(uint64_t dst, uint32_t dpitch, uint64_t src, uint32_t spitch, uint64_t len,
			       uint32_t rows)
{
	return (struct hsl_op){ .opcode = HSL_OP_COPY2D, .dst = dst, .src = src, .len = len, .arg0 = rows,
				.arg1 = HSL_PITCH(dpitch, spitch) };
}

static void copy2d(struct ht *t)
{
	enum { LEN = 256 * 1024, ROUNDS = 120 };
	struct hsl_completion c;
	struct hsl_queue *q;
	struct ht_buf b[3];
	struct hsl_op op;
	unsigned int i, k;

	ht_need_cap(t, HSL_CAP_OP_COPY2D, "COPY2D");
	three_places(t, b, LEN);
	q = ht_queue_new(t, t->chip[0].node, 0);
	for (i = 0; i < ROUNDS; i++) {
		struct ht_buf *d = &b[i % 3], *s = &b[(i + 1 + i / 3 % 2) % 3];
		uint32_t len = (uint32_t)(1 + ht_random_below(t, i % 7 == 0 ? 9000 : 200));
		uint32_t rows = (uint32_t)(1 + ht_random_below(t, i % 5 == 0 ? 300 : 20)), dp, sp, r;
		uint64_t room, doff, soff;

		dp = len + (uint32_t)ht_random_below(t, 100);
		/* source pitches may be anything: rows that overlap, one row for all */
		sp = i % 8 == 0 ? 0 : i % 8 == 1 ? (uint32_t)ht_random_below(t, len) : len + (uint32_t)ht_random_below(t, 100);
		while ((uint64_t)(rows - 1) * (dp > sp ? dp : sp) + len > LEN)
			rows = (rows + 1) / 2;
		/* from its first byte to the last byte of the last row, not a pitch more: to the segment's end sometimes */
		room = LEN - ((uint64_t)(rows - 1) * dp + len);
		doff = i & 1 ? room : ht_random_below(t, room + 1);
		room = LEN - ((uint64_t)(rows - 1) * sp + len);
		soff = i & 2 ? room : ht_random_below(t, room + 1);
		ht_step(t, "%u rows of %u bytes, pitches %u and %u", rows, len, dp, sp);
		op = op_copy2d(d->ga + doff, dp, s->ga + soff, sp, len, rows);
		ht_op_run(t, q, &op, &c);
		ht_status(t, &c, HSL_ST_OK, "COPY2D");
		HT_EQ(t, "result of COPY2D", c.result, (uint64_t)rows * len);
		for (r = 0; r < rows; r++)
			ht_oracle_move(d->shadow + doff + (uint64_t)r * dp, s->shadow + soff + (uint64_t)r * sp, len);
		ht_buf_check(t, d, "COPY2D: rows and what is between them");
		ht_buf_check(t, s, "source of COPY2D");
	}
	for (k = 0; k < 3; k++) {
		struct ht_buf *d = &b[k], *s = &b[(k + 1) % 3];

		op = op_copy2d(d->ga, 63, s->ga, 64, 64, 4);
		ht_expect(t, q, &op, HSL_ST_FIELD, "COPY2D with a dst pitch below the row");
		op = op_copy2d(d->ga, 64, s->ga, 64, 64, 4);
		op.arg0 |= 1ull << 32;
		ht_expect(t, q, &op, HSL_ST_FIELD, "COPY2D with a reserved bit of arg0");
		op = op_copy2d(d->ga, 1 << 20, s->ga, 0, 1 << 20, UINT32_MAX);
		ht_expect(t, q, &op, HSL_ST_LENGTH, "COPY2D of more than MAX_LEN");
		/* the last row ends one byte too far: nothing moves, though all rows before would fit */
		op = op_copy2d(d->ga + 1, 4096, s->ga, 64, 4096, LEN / 4096);
		ht_op_run(t, q, &op, &c);
		ht_status(t, &c, HSL_ST_RANGE, "COPY2D past the end of dst");
		HT_EQ(t, "fault GA", c.fault_ga, d->ga + LEN);
		op = op_copy2d(d->ga, 64, s->ga + LEN - 64 - 3 * 4096 + 1, 4096, 64, 4);
		ht_expect(t, q, &op, HSL_ST_RANGE, "COPY2D past the end of src");
		/* rows a 64-bit product wraps at */
		op = op_copy2d(d->ga, UINT32_MAX, s->ga, UINT32_MAX, 16, 0x10000);
		ht_expect(t, q, &op, HSL_ST_RANGE, "COPY2D with rows far behind the segment");
		op = op_copy2d(0x77, 64, s->ga, 64, 64, 4);
		ht_expect(t, q, &op, HSL_ST_SEGMENT, "COPY2D to nowhere");
	}
	places_check(t, b, "after refused COPY2Ds");
	for (k = 0; k < 3; k++)
		ht_buf_free(t, &b[k]);
	ht_queue_free(t, q);
}

/* ------------------------------------------------------------------ COPY_LIST */

static struct hsl_op op_list(uint64_t ga, uint64_t bytes)
{
	return (struct hsl_op){ .opcode = HSL_OP_COPY_LIST, .src = ga, .len = bytes };
}

static void list_put(struct ht_buf *list, const struct hsl_copy_entry *e, unsigned int n)
{
	memcpy(list->p, e, n * sizeof(*e));
	memcpy(list->shadow, e, n * sizeof(*e));
}

static void copy_list(struct ht *t)
{
	enum { LEN = 128 * 1024, ROUNDS = 60 };
	struct hsl_copy_entry *e = calloc(HSL_COPY_LIST_MAX + 1, sizeof(*e));
	struct hsl_completion c;
	struct ht_buf b[3], list[2];
	unsigned int i, k, n, round;
	struct hsl_queue *q;
	struct hsl_op op;
	uint64_t sum;

	ht_need_cap(t, HSL_CAP_OP_COPY_LIST, "COPY_LIST");
	HT_TRUE(t, e, "no memory");
	three_places(t, b, LEN);
	ht_buf_new(t, &list[0], t->chip[0].node, 64 * KIB);
	ht_buf_new(t, &list[1], 0, 64 * KIB);
	q = ht_queue_new(t, t->chip[t->nchips - 1].node, 0);
	for (round = 0; round < ROUNDS; round++) {
		n = round % 10 == 0 ? HSL_COPY_LIST_MAX : 1 + (unsigned int)ht_random_below(t, 40);
		sum = 0;
		for (i = 0; i < n; i++) {
			/* dense, so that later entries read what earlier ones wrote; some overlap, some are empty */
			uint64_t len = ht_random_below(t, n > 100 ? 50 : 3000), d = ht_random_below(t, 6000),
				 s = ht_random_below(t, 6000);
			unsigned int dk = (unsigned int)ht_random_below(t, 3), sk = (unsigned int)ht_random_below(t, 3);

			e[i] = (struct hsl_copy_entry){ .dst = b[dk].ga + d, .src = b[sk].ga + s, .len = len };
			ht_oracle_move(b[dk].shadow + d, b[sk].shadow + s, len);
			sum += len;
		}
		list_put(&list[round & 1], e, n);
		op = op_list(list[round & 1].ga, n * sizeof(*e));
		ht_step(t, "list of %u entries", n);
		ht_op_run(t, q, &op, &c);
		ht_status(t, &c, HSL_ST_OK, "COPY_LIST");
		HT_EQ(t, "result of COPY_LIST", c.result, sum);
		places_check(t, b, "COPY_LIST");
	}
	/* the one bad entry is the last: none of those before it may have moved a byte */
	for (i = 0; i < 16; i++)
		e[i] = (struct hsl_copy_entry){ .dst = b[i % 3].ga + i * 100, .src = b[(i + 1) % 3].ga, .len = 64 };
	for (k = 0; k < 7; k++) {
		static const uint32_t want[] = { HSL_ST_SEGMENT, HSL_ST_SEGMENT, HSL_ST_RANGE, HSL_ST_RANGE,
						 HSL_ST_FIELD, HSL_ST_LENGTH, HSL_ST_SEGMENT };

		e[15] = (struct hsl_copy_entry){ .dst = b[0].ga, .src = b[1].ga, .len = 64 };
		switch (k) {
		case 0: e[15].dst = 0x77; break;
		case 1: e[15].src = HSL_GA(HSL_NODE_SWITCH_FIRST, 0); break;
		case 2: e[15].dst = b[0].ga + LEN - 63; break;
		case 3: e[15].src = b[1].ga + LEN - 63; break;
		case 4: e[15].rsvd = 1; break;
		case 5: e[15].len = t->chip[t->nchips - 1].max_len_bytes; break; /* 15 * 64 bytes too much */
		default: e[15].src = 0; break;
		}
		list_put(&list[k & 1], e, 16);
		op = op_list(list[k & 1].ga, 16 * sizeof(*e));
		ht_step(t, "bad entry %u", k);
		ht_expect(t, q, &op, want[k], "COPY_LIST with a bad last entry");
		places_check(t, b, "COPY_LIST with a bad last entry");
	}
	e[15] = e[14];
	list_put(&list[0], e, 16);
	for (i = 1; i < 32; i++) {
		op = op_list(list[0].ga, 32 + i);
		ht_expect(t, q, &op, HSL_ST_LENGTH, "COPY_LIST of a part of an entry");
		if (i % 8) {
			op = op_list(list[0].ga + i, 64);
			ht_expect(t, q, &op, HSL_ST_ALIGN, "COPY_LIST with a misaligned list");
		}
	}
	op = op_list(list[0].ga, (HSL_COPY_LIST_MAX + 1) * sizeof(*e));
	ht_expect(t, q, &op, HSL_ST_LENGTH, "COPY_LIST of 1025 entries");
	op = op_list(list[0].ga + list[0].len - 32, 64);
	ht_expect(t, q, &op, HSL_ST_RANGE, "COPY_LIST whose list runs past its segment");
	op = op_list(list[0].ga, 64);
	op.dst = b[0].ga;
	ht_expect(t, q, &op, HSL_ST_FIELD, "COPY_LIST with a dst");
	places_check(t, b, "after refused COPY_LISTs");
	ht_buf_check(t, &list[0], "list");
	ht_buf_check(t, &list[1], "list");
	for (k = 0; k < 3; k++)
		ht_buf_free(t, &b[k]);
	ht_buf_free(t, &list[0]);
	ht_buf_free(t, &list[1]);
	ht_queue_free(t, q);
	free(e);
}

struct flipper {
	volatile struct hsl_copy_entry *e;
	unsigned int n;
	uint64_t good, evil;
	volatile bool stop;
};

static void *flip(void *arg)
{
	struct flipper *f = arg;
	unsigned int i;

	while (!f->stop) {
		for (i = 0; i < f->n; i++)
			f->e[i].dst = f->evil;
		for (i = 0; i < f->n; i++)
			f->e[i].dst = f->good;
	}
	return NULL;
}

/* The list changes all the time between a segment of this context and one of another. */
static void list_read_once(struct ht *t)
{
	enum { N = 64, ROUNDS = 400 };
	struct flipper f = { .n = N };
	struct ht_buf victim, good, src, list;
	unsigned int i, place, ok = 0, refused = 0;
	struct hsl_completion c;
	struct hsl_queue *q;
	struct ht v = *t;
	struct hsl_op op;
	pthread_t th;

	ht_need_cap(t, HSL_CAP_OP_COPY_LIST, "COPY_LIST");
	v.f = ht_open_again(t);
	ht_buf_new(&v, &victim, t->chip[0].node, 64 * KIB);
	ht_buf_new(t, &good, t->chip[0].node, 64 * KIB);
	ht_buf_new(t, &src, 0, 64 * KIB);
	q = ht_queue_new(t, t->chip[0].node, 0);
	for (place = 0; place < 2; place++) {
		ht_buf_new(t, &list, place ? t->chip[0].node : 0, 4096);
		f.e = (void *)list.p;
		f.good = good.ga;
		f.evil = victim.ga;
		f.stop = false;
		for (i = 0; i < N; i++) {
			f.e[i].dst = good.ga;
			f.e[i].src = src.ga + i * 256;
			f.e[i].len = 256;
			f.e[i].rsvd = 0;
		}
		HT_TRUE(t, !pthread_create(&th, NULL, flip, &f), "pthread_create");
		for (i = 0; i < ROUNDS; i++) {
			op = op_list(list.ga, N * sizeof(struct hsl_copy_entry));
			ht_op_run(t, q, &op, &c);
			if (c.status == HSL_ST_OK)
				HT_EQ(t, "result", c.result, N * 256);
			else
				ht_status(t, &c, HSL_ST_SEGMENT, "COPY_LIST while it changes");
			ok += c.status == HSL_ST_OK;
			refused += c.status != HSL_ST_OK;
		}
		f.stop = true;
		pthread_join(th, NULL);
		ht_buf_check(t, &victim, "another context's memory");
		ht_buf_check_range(t, &good, 256, good.len - 256, "behind the destination");
		ht_buf_check(t, &src, "source");
		ht_buf_free(t, &list);
	}
	ht_note(t, "%u executed, %u refused", ok, refused);
	ht_queue_free(t, q);
	ht_buf_free(t, &good);
	ht_buf_free(t, &src);
	ht_buf_free(&v, &victim);
	hsl_fabric_close(v.f);
}

/* ------------------------------------------------------------------ capabilities */

static void not_claimed(struct ht *t)
{
	struct hsl_completion c;
	unsigned int i, k, clear = 0;
	struct hsl_queue *q;
	struct ht_buf b;

	for (k = 0; k < t->nchips; k++) {
		const struct {
			uint64_t cap;
			struct hsl_op op;
		} ops[] = {
			{ HSL_CAP_OP_COPY, { .opcode = HSL_OP_COPY } },
			{ HSL_CAP_OP_FILL, { .opcode = HSL_OP_FILL } },
			{ HSL_CAP_OP_REDUCE, { .opcode = HSL_OP_REDUCE } },
			{ HSL_CAP_OP_ATOMIC, { .opcode = HSL_OP_ATOMIC, .len = 8 } },
			{ HSL_CAP_OP_LOADSTORE, { .opcode = HSL_OP_LOAD, .len = 8 } },
			{ HSL_CAP_OP_LOADSTORE, { .opcode = HSL_OP_STORE, .len = 8 } },
			{ HSL_CAP_OP_SIGNAL, { .opcode = HSL_OP_SIGNAL, .len = 8 } },
			{ HSL_CAP_OP_SIGNAL, { .opcode = HSL_OP_WAIT, .len = 8 } },
			{ HSL_CAP_OP_FENCE, { .opcode = HSL_OP_FENCE } },
			{ HSL_CAP_OP_COPY2D, { .opcode = HSL_OP_COPY2D } },
			{ HSL_CAP_OP_COPY_LIST, { .opcode = HSL_OP_COPY_LIST } },
		};

		ht_buf_new(t, &b, t->chip[k].node, 4096);
		q = ht_queue_new(t, t->chip[k].node, 0);
		for (i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
			struct hsl_op op = ops[i].op;

			if (t->chip[k].cap & ops[i].cap)
				continue;
			clear++;
			op.dst = b.ga;
			op.src = b.ga + 512;
			ht_op_run(t, q, &op, &c);
			HT_TRUE(t, c.status == HSL_ST_OPCODE,
				"chip %u does not claim opcode 0x%02x: expected status opcode, got %s",
				t->chip[k].node, op.opcode, hsl_status_name(c.status));
		}
		ht_buf_check(t, &b, "after operations that the chip lacks");
		ht_queue_free(t, q);
		ht_buf_free(t, &b);
	}
	if (!clear)
		HT_NA_TEST(t, "every chip claims every operation");
	ht_note(t, "%u operations not claimed", clear);
}

const struct ht_test ht_tests_move[] = {
	{ "HEP-TXN-017", "load_store", "1 to 64 bytes, to the result, from the descriptor", load_store, 0,
	  120 },
	{ "HEP-TXN-018", "copy2d", "rows of any pitch, nothing between them, all or nothing", copy2d, 0,
	  120 },
	{ "HEP-TXN-019", "copy_list", "entries in order, all checked before the first", copy_list, 0,
	  120 },
	{ "HEP-TXN-019", "list_read_once", "a list that changes meanwhile harms nobody", list_read_once,
	  0, 120 },
	{ "HEP-TXN-026", "not_claimed", "an operation that is not claimed completes with OPCODE",
	  not_claimed, 0, 0 },
	{ 0 }
};
