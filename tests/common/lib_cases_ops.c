// SPDX-License-Identifier: MIT OR Apache-2.0
/* REDUCE, ATOMIC, LOAD, STORE, COPY2D, COPY_LIST: results and errors, through the calls and in batches. */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/lib_cases.h"

enum { LEN = 1 << 16 };

/* A queue on each chip, memory of the host and of both. */
struct places {
	struct hsl_queue *q[2];
	struct lib_mem m[3];		/* host, chip 0, chip 1 */
};

static void places_put(struct lib_test *t, struct places *p)
{
	hsl_queue_destroy(p->q[0]);
	hsl_queue_destroy(p->q[1]);
	for (int i = 0; i < 3; i++)
		lib_mem_put(t, &p->m[i]);
}

/* False, with the case marked as skipped, if the chip does not have the operation, which then says so (HEP-TXN-026). */
static bool places_get(struct lib_test *t, struct places *p, uint64_t cap, unsigned int opcode)
{
	struct hsl_chip_props props = { .size = sizeof(props) };
	uint32_t nodes[3] = { 0, t->node[0], t->node[1] };
	struct hsl_op op = { .opcode = (uint8_t)opcode };
	struct hsl_completion c;
	bool ok = true;

	memset(p, 0, sizeof(*p));
	for (int i = 0; i < 2; i++)
		ok &= CHECK_EQ(t, hsl_queue_create(t->f, t->node[i], NULL, &p->q[i]), 0);
	for (int i = 0; i < 3 && ok; i++)
		ok &= lib_mem_get(t, &p->m[i], nodes[i], LEN);
	ok = ok && CHECK_EQ(t, hsl_chip_by_node(t->f, t->node[0], &props), 0);
	if (ok && !(props.cap & cap)) {
		if (lib_op(t, p->q[0], &op, &c))
			CHECK_EQ(t, c.status, HSL_ST_OPCODE);
		t->skipped = "the chip does not have the operation";
		ok = false;
	}
	if (!ok)
		places_put(t, p);
	return ok;
}

/* ---- REDUCE ---- */

/* Small integers, which every type holds exactly, sums included. */
static void put_value(uint8_t *p, unsigned int type, int v)
{
	float f = (float)v;
	double d = v;
	int64_t i = v;
	uint32_t bits;
	uint16_t h;

	memcpy(&bits, &f, sizeof(bits));
	switch (type) {
	case HSL_TYPE_I32:
		memcpy(p, &(int32_t){ v }, 4);
		break;
	case HSL_TYPE_I64:
		memcpy(p, &i, 8);
		break;
	case HSL_TYPE_F16:
		/* |v| < 2048 and not subnormal: move the exponent's bias from 127 to 15 */
		h = v ? (uint16_t)((bits >> 16 & 0x8000) | ((bits >> 13 & 0x3fc00) - (112 << 10)) | (bits >> 13 & 0x3ff)) : 0;
		memcpy(p, &h, 2);
		break;
	case HSL_TYPE_BF16:
		h = (uint16_t)(bits >> 16);
		memcpy(p, &h, 2);
		break;
	case HSL_TYPE_F32:
		memcpy(p, &f, 4);
		break;
	case HSL_TYPE_F64:
		memcpy(p, &d, 8);
		break;
	}
}

static const uint8_t type_bytes[HSL_TYPES] = { 4, 8, 2, 2, 4, 8 };

/* HEP-TXN-013, -014: every operation on every type, from and to everywhere */
static void reduce_results(struct lib_test *t)
{
	struct places p;

	if (!places_get(t, &p, HSL_CAP_OP_REDUCE, HSL_OP_REDUCE))
		return;
	for (unsigned int type = 0; type < HSL_TYPES; type++)
		for (unsigned int op = 0; op < HSL_REDUCE_OPS; op++)
			for (unsigned int way = 0; way < 9; way++) {
				struct lib_mem *d = &p.m[way / 3], *s = &p.m[way % 3];
				unsigned int size = type_bytes[type], n = way == 4 ? 3000 : 1 + way * 13;
				uint8_t *dst = d->p + 64, *src = s->p + 32768, want[8];

				memset(dst - 64, 0xee, n * size + 128);
				for (unsigned int i = 0; i < n; i++) {
					put_value(dst + i * size, type, (int)(i * 7 % 64) - 32);
					put_value(src + i * size, type, (int)(i * 5 % 32) - 9);
				}
				CHECK_EQ(t, hsl_reduce(p.q[way % 2], op, type, d->ga + 64, s->ga + 32768, n), 0);
				for (unsigned int i = 0; i < n; i++) {
					int a = (int)(i * 7 % 64) - 32, b = (int)(i * 5 % 32) - 9;

					put_value(want, type, op == HSL_REDUCE_ADD ? a + b :
							      (op == HSL_REDUCE_MIN) == (a < b) ? a : b);
					if (!CHECK(t, !memcmp(dst + i * size, want, size))) {
						printf("# type %u op %u way %u element %u: %d, %d\n", type, op, way, i, a, b);
						break;
					}
				}
				CHECK(t, lib_all(dst - 64, 64, 0xee) && lib_all(dst + n * size, 64, 0xee));
			}
	places_put(t, &p);
}

/* HEP-TXN-013, -016, HEP-ATM-005: wrapping, overlap, and what is refused */
static void reduce_edges(struct lib_test *t)
{
	struct hsl_segment_opts ro = { .size = sizeof(ro), .rights = HSL_RIGHT_READ };
	struct hsl_segment *r;
	struct places p;
	struct lib_mem *m;
	int32_t *v;

	if (!places_get(t, &p, HSL_CAP_OP_REDUCE, HSL_OP_REDUCE))
		return;
	m = &p.m[1];
	v = (int32_t *)(void *)m->p;
	v[0] = INT32_MAX;
	v[1] = 1;
	CHECK_EQ(t, hsl_reduce(p.q[0], HSL_REDUCE_ADD, HSL_TYPE_I32, m->ga, m->ga + 4, 1), 0);
	CHECK_EQ(t, v[0], INT32_MIN);
	/* dst is src moved by one element, both ways */
	for (int up = 0; up < 2; up++) {
		enum { N = 12000 };

		for (int i = 0; i <= N; i++)
			v[i] = i * 3;
		CHECK_EQ(t, hsl_reduce(p.q[0], HSL_REDUCE_ADD, HSL_TYPE_I32, m->ga + (up ? 4 : 0), m->ga + (up ? 0 : 4), N), 0);
		for (int i = 0; i < N; i++)
			if (!CHECK_EQ(t, v[i + up], i * 3 + (i + 1) * 3))
				break;
	}
	CHECK_EQ(t, hsl_reduce(NULL, 0, 0, m->ga, m->ga, 1), -EINVAL);
	CHECK_EQ(t, hsl_reduce(p.q[0], HSL_REDUCE_OPS, 0, m->ga, m->ga, 1), -EINVAL);
	CHECK_EQ(t, hsl_reduce(p.q[0], 0, HSL_TYPES, m->ga, m->ga, 1), -EINVAL);
	CHECK_EQ(t, hsl_reduce(p.q[0], 256, 0, m->ga, m->ga, 1), -EINVAL);
	CHECK_EQ(t, hsl_reduce(p.q[0], 0, HSL_TYPE_I64, m->ga, m->ga, UINT64_MAX / 8 + 1), -EMSGSIZE);
	CHECK_EQ(t, hsl_reduce(p.q[0], 0, HSL_TYPE_I64, m->ga, m->ga, UINT64_MAX / 8), -EMSGSIZE);
	CHECK_EQ(t, hsl_reduce(p.q[0], 0, HSL_TYPE_I64, m->ga + 4, m->ga, 1), -EINVAL);
	CHECK_EQ(t, hsl_reduce(p.q[0], 0, HSL_TYPE_I64, m->ga, m->ga + 4, 1), -EINVAL);
	CHECK_EQ(t, hsl_reduce(p.q[0], 0, HSL_TYPE_I64, 0, m->ga, 1), -EFAULT);
	CHECK_EQ(t, hsl_reduce(p.q[0], 0, HSL_TYPE_I64, m->ga, m->ga + LEN - 8, 2), -ERANGE);
	CHECK_EQ(t, hsl_reduce(p.q[0], 0, HSL_TYPE_I64, 0, 0, 0), 0);
	if (CHECK_EQ(t, hsl_segment_alloc(t->f, t->node[0], 4096, &ro, &r), 0)) {
		CHECK_EQ(t, hsl_reduce(p.q[0], 0, 0, hsl_segment_ga(r), m->ga, 1), -EACCES);
		CHECK_EQ(t, hsl_reduce(p.q[0], 0, 0, m->ga, hsl_segment_ga(r), 1), 0);
		CHECK_EQ(t, hsl_segment_free(r), 0);
	}
	places_put(t, &p);
}

/* ---- ATOMIC ---- */

static uint64_t atomic_expected(unsigned int op, uint64_t old, uint64_t x, uint64_t cmp, bool narrow)
{
	int64_t a = narrow ? (int32_t)old : (int64_t)old, b = narrow ? (int32_t)x : (int64_t)x;

	switch (op) {
	case HSL_ATOMIC_ADD:	return old + x;
	case HSL_ATOMIC_SWAP:	return x;
	case HSL_ATOMIC_CAS:	return old == cmp ? x : old;
	case HSL_ATOMIC_AND:	return old & x;
	case HSL_ATOMIC_OR:	return old | x;
	case HSL_ATOMIC_XOR:	return old ^ x;
	case HSL_ATOMIC_MIN:	return a < b ? old : x;
	case HSL_ATOMIC_MAX:	return a > b ? old : x;
	case HSL_ATOMIC_UMIN:	return old < x ? old : x;
	default:		return old > x ? old : x;
	}
}

/* HEP-ATM-001: each operation, both widths, everywhere; the bytes beside stay */
static void atomic_results(struct lib_test *t)
{
	static const uint64_t values[] = { 0, 1, 5, 0x7fffffff, 0x80000000u, 0xffffffffu, 0x8000000000000000u, UINT64_MAX,
					   0x123456789abcdef0u };
	enum { N = sizeof(values) / sizeof(values[0]) };
	struct places p;

	if (!places_get(t, &p, HSL_CAP_OP_ATOMIC, HSL_OP_ATOMIC))
		return;
	for (unsigned int op = 0; op < HSL_ATOMICS; op++)
		for (unsigned int i = 0; i < N * N * 2; i++) {
			unsigned int width = i % 2 ? 4 : 8;
			uint64_t mask = width == 4 ? 0xffffffffu : UINT64_MAX;
			uint64_t was = values[i / 2 % N] & mask, x = values[i / 2 / N] & mask, old = 77, now = 0, want;
			uint64_t cmp = op != HSL_ATOMIC_CAS ? 0 : i % 3 ? was : was ^ 1;
			struct lib_mem *m = &p.m[i % 3];
			uint8_t *at = m->p + 64 + width;

			memset(m->p, 0xa5, 256);
			memcpy(at, &was, width);
			want = atomic_expected(op, was, x, cmp, width == 4) & mask;
			CHECK_EQ(t, hsl_atomic(p.q[i % 2], op, m->ga + 64 + width, width, x, cmp, i % 5 ? &old : NULL), 0);
			memcpy(&now, at, width);
			if (!CHECK(t, now == want && (old == was || i % 5 == 0)))
				printf("# op %u width %u: %#llx with %#llx gave %#llx, old %#llx\n", op, width,
				       (unsigned long long)was, (unsigned long long)x, (unsigned long long)now,
				       (unsigned long long)old);
			CHECK(t, lib_all(m->p, 64 + width, 0xa5) && lib_all(at + width, 64, 0xa5));
		}
	places_put(t, &p);
}

/* HEP-ATM-003, -005 */
static void atomic_errors(struct lib_test *t)
{
	static const struct hsl_segment_opts one_right[] = {
		{ .size = sizeof(one_right[0]), .rights = HSL_RIGHT_READ },
		{ .size = sizeof(one_right[0]), .rights = HSL_RIGHT_WRITE },
	};
	struct hsl_completion c;
	uint64_t old = 123;
	struct places p;
	struct hsl_op op;

	if (!places_get(t, &p, HSL_CAP_OP_ATOMIC, HSL_OP_ATOMIC))
		return;
	CHECK_EQ(t, hsl_atomic(NULL, 0, p.m[1].ga, 8, 1, 0, &old), -EINVAL);
	CHECK_EQ(t, hsl_atomic(p.q[0], HSL_ATOMICS, p.m[1].ga, 8, 1, 0, &old), -EINVAL);
	CHECK_EQ(t, hsl_atomic(p.q[0], 256, p.m[1].ga, 8, 1, 0, &old), -EINVAL);
	CHECK_EQ(t, hsl_atomic(p.q[0], 0, p.m[1].ga, 2, 1, 0, &old), -EINVAL);
	CHECK_EQ(t, hsl_atomic(p.q[0], 0, p.m[1].ga, 0, 1, 0, &old), -EINVAL);
	CHECK_EQ(t, hsl_atomic(p.q[0], HSL_ATOMIC_ADD, p.m[1].ga, 8, 1, 1, &old), -EINVAL);
	CHECK_EQ(t, hsl_atomic(p.q[0], 0, p.m[1].ga + 4, 8, 1, 0, &old), -EINVAL);
	CHECK_EQ(t, hsl_atomic(p.q[0], 0, p.m[1].ga + 2, 4, 1, 0, &old), -EINVAL);
	CHECK_EQ(t, hsl_atomic(p.q[0], 0, 8, 8, 1, 0, &old), -EFAULT);
	op = hsl_op_atomic(HSL_ATOMIC_ADD, p.m[1].ga, 16, 1, 0);
	if (lib_op(t, p.q[0], &op, &c))
		CHECK_EQ(t, c.status, HSL_ST_LENGTH);
	for (int i = 0; i < 2; i++) {
		struct hsl_segment *s;

		if (!CHECK_EQ(t, hsl_segment_alloc(t->f, t->node[0], 4096, &one_right[i], &s), 0))
			continue;
		CHECK_EQ(t, hsl_atomic(p.q[0], 0, hsl_segment_ga(s), 8, 1, 0, &old), -EACCES);
		CHECK_EQ(t, hsl_segment_free(s), 0);
	}
	CHECK_EQ(t, old, 123);
	CHECK(t, lib_all(p.m[1].p, 64, 0));
	places_put(t, &p);
}

struct adder {
	uint64_t *word;
	unsigned int n;
};

static void *cpu_adds(void *arg)
{
	struct adder *a = arg;

	for (unsigned int i = 0; i < a->n; i++)
		__atomic_fetch_add(a->word, 1, __ATOMIC_RELAXED);
	return NULL;
}

/* HEP-ATM-002, -004: two chips, and the CPU where that is claimed, on one word */
static void atomic_together(struct lib_test *t)
{
	enum { N = 100, BATCHES = 30 };
	struct hsl_chip_props props = { .size = sizeof(props) };
	struct places p;

	if (!places_get(t, &p, HSL_CAP_OP_ATOMIC, HSL_OP_ATOMIC))
		return;
	CHECK_EQ(t, hsl_chip_by_node(t->f, t->node[0], &props), 0);
	for (int place = 0; place < 3; place++) {
		struct adder a = { (uint64_t *)(void *)p.m[place].p, 20000 };
		uint64_t want = 2 * N * BATCHES;
		pthread_t cpu;
		bool with_cpu = props.cap & HSL_CAP_HOST_ATOMIC;

		with_cpu = with_cpu && CHECK_EQ(t, pthread_create(&cpu, NULL, cpu_adds, &a), 0);
		for (int b = 0; b < BATCHES; b++) {
			struct hsl_completion c[N];
			struct hsl_op ops[N];

			for (unsigned int i = 0; i < N; i++) {
				ops[i] = hsl_op_atomic(HSL_ATOMIC_ADD, p.m[place].ga, 8, 1, 0);
				ops[i].order = HSL_ORDER_RELAXED;
			}
			for (int k = 0; k < 2; k++)
				CHECK_EQ(t, hsl_queue_submit(p.q[k], ops, N), N);
			for (int k = 0; k < 2; k++)
				for (int got = 0, r; got < N; got += r) {
					r = hsl_queue_wait(p.q[k], c, N, lib_now_ns() + 60000000000u);
					if (!CHECK(t, r > 0))
						break;
					for (int i = 0; i < r; i++)
						CHECK_EQ(t, c[i].status, HSL_ST_OK);
				}
		}
		if (with_cpu) {
			pthread_join(cpu, NULL);
			want += a.n;
		}
		CHECK_EQ(t, *a.word, want);
	}
	places_put(t, &p);
}

/* ---- LOAD, STORE ---- */

/* HEP-TXN-017 */
static void load_store(struct lib_test *t)
{
	struct hsl_completion c;
	struct hsl_op op;
	struct places p;
	uint8_t bytes[16];
	uint64_t v = 5;

	if (!places_get(t, &p, HSL_CAP_OP_LOADSTORE, HSL_OP_LOAD))
		return;
	for (unsigned int i = 0; i < 300; i++) {
		struct lib_mem *m = &p.m[i % 3], *o = &p.m[i / 3 % 3];
		unsigned int len = 1 + i % 8, off = (unsigned int)(lib_random(t) % 64) + 64;
		uint64_t want = 0;

		memset(m->p, 0xee, 256);
		lib_pattern(m->p + off, len, i);
		memcpy(&want, m->p + off, len);
		CHECK_EQ(t, hsl_load(p.q[i % 2], m->ga + off, len, &v), 0);
		CHECK(t, v == want);

		len = 1 + i % 16;
		lib_pattern(bytes, sizeof(bytes), i + 1000);
		memset(m->p, 0xee, 256);
		CHECK_EQ(t, hsl_store(p.q[i % 2], m->ga + off, bytes, len), 0);
		CHECK(t, !memcmp(m->p + off, bytes, len));
		CHECK(t, lib_all(m->p, off, 0xee) && lib_all(m->p + off + len, 64, 0xee));

		/* between memories, up to 64 bytes; the way that is not the other opcode's */
		len = 1 + i % 64;
		lib_pattern(o->p + 1000, len, i);
		memset(m->p, 0xee, 256);
		op = hsl_op_load(m->ga + off, o->ga + 1000, len);
		op.opcode = i % 2 ? HSL_OP_LOAD : HSL_OP_STORE;
		if (lib_op(t, p.q[i % 2], &op, &c))
			CHECK(t, c.status == HSL_ST_OK && c.result == len);
		CHECK(t, !memcmp(m->p + off, o->p + 1000, len));
		CHECK(t, lib_all(m->p, off, 0xee) && lib_all(m->p + off + len, 64, 0xee));
	}
	op = hsl_op_store(p.m[1].ga, 0x0807060504030201u, 5);
	memset(p.m[1].p, 0, 16);
	if (lib_op(t, p.q[0], &op, &c))
		CHECK(t, !memcmp(p.m[1].p, "\1\2\3\4\5\0\0\0", 8));

	v = 5;
	CHECK_EQ(t, hsl_load(p.q[0], p.m[1].ga, 0, &v), -EINVAL);
	CHECK_EQ(t, hsl_load(p.q[0], p.m[1].ga, 9, &v), -EINVAL);
	CHECK_EQ(t, hsl_load(p.q[0], p.m[1].ga, 8, NULL), -EINVAL);
	CHECK_EQ(t, hsl_load(NULL, p.m[1].ga, 8, &v), -EINVAL);
	CHECK_EQ(t, hsl_load(p.q[0], 0, 8, &v), -EFAULT);
	CHECK_EQ(t, hsl_load(p.q[0], p.m[1].ga + LEN - 4, 8, &v), -ERANGE);
	CHECK_EQ(t, v, 5);
	CHECK_EQ(t, hsl_store(p.q[0], p.m[1].ga, bytes, 0), -EINVAL);
	CHECK_EQ(t, hsl_store(p.q[0], p.m[1].ga, bytes, 17), -EINVAL);
	CHECK_EQ(t, hsl_store(p.q[0], p.m[1].ga, NULL, 8), -EINVAL);
	CHECK_EQ(t, hsl_store(NULL, p.m[1].ga, bytes, 8), -EINVAL);
	CHECK_EQ(t, hsl_store(p.q[0], 0, bytes, 8), -EFAULT);
	CHECK_EQ(t, hsl_store(p.q[0], p.m[1].ga + LEN - 4, bytes, 8), -ERANGE);
	op = hsl_op_load(p.m[1].ga, p.m[2].ga, 65);
	if (lib_op(t, p.q[0], &op, &c))
		CHECK_EQ(t, c.status, HSL_ST_LENGTH);
	op = hsl_op_load(0, p.m[2].ga, 9);
	if (lib_op(t, p.q[0], &op, &c))
		CHECK_EQ(t, c.status, HSL_ST_LENGTH);
	op = hsl_op_store(p.m[2].ga, 0, 17);
	if (lib_op(t, p.q[0], &op, &c))
		CHECK_EQ(t, c.status, HSL_ST_LENGTH);
	places_put(t, &p);
}

/* ---- COPY2D, COPY_LIST ---- */

/* HEP-TXN-018 */
static void copy2d(struct lib_test *t)
{
	static const struct shape {
		uint32_t row, rows, dst_pitch, src_pitch;
	} shapes[] = {
		{ 1, 1, 1, 1 }, { 16, 4, 64, 16 }, { 64, 100, 64, 64 }, { 13, 77, 31, 57 }, { 4000, 7, 4096, 4001 },
		{ 33, 50, 40, 0 }, { 100, 20, 128, 10 }, { 8, 1, 8, 0xffffffff }, { 1, 3000, 5, 2 }, { 0, 10, 8, 8 }, { 8, 0, 8, 8 },
	};
	static uint8_t want[LEN];
	struct places p;

	if (!places_get(t, &p, HSL_CAP_OP_COPY2D, HSL_OP_COPY2D))
		return;
	for (unsigned int i = 0; i < 9 * sizeof(shapes) / sizeof(shapes[0]); i++) {
		const struct shape *s = &shapes[i / 9];
		struct lib_mem *d = &p.m[i % 9 / 3], *o = &p.m[i % 3];
		size_t doff = 64 + i % 7, soff = LEN / 2 + i % 5;

		lib_pattern(o->p + LEN / 2, LEN / 2, i);
		memset(d->p, 0xee, LEN / 2);
		memcpy(want, d->p, LEN);
		for (uint32_t r = 0; r < s->rows; r++)
			memcpy(want + doff + (size_t)r * s->dst_pitch, o->p + soff + (size_t)r * s->src_pitch, s->row);
		CHECK_EQ(t, hsl_copy2d(p.q[i % 2], d->ga + doff, s->dst_pitch, o->ga + soff, s->src_pitch, s->row, s->rows), 0);
		if (!CHECK(t, !memcmp(d->p, want, LEN)))
			printf("# shape %u way %u\n", i / 9, i % 9);
	}
	CHECK_EQ(t, hsl_copy2d(NULL, p.m[1].ga, 8, p.m[2].ga, 8, 8, 1), -EINVAL);
	CHECK_EQ(t, hsl_copy2d(p.q[0], p.m[1].ga, 7, p.m[2].ga, 8, 8, 1), -EINVAL);
	CHECK_EQ(t, hsl_copy2d(p.q[0], 0, 8, p.m[2].ga, 8, 8, 2), -EFAULT);
	CHECK_EQ(t, hsl_copy2d(p.q[0], p.m[1].ga, LEN, p.m[2].ga, 8, 8, 2), -ERANGE);
	CHECK_EQ(t, hsl_copy2d(p.q[0], p.m[1].ga, 8, p.m[2].ga, LEN, 8, 2), -ERANGE);
	CHECK_EQ(t, hsl_copy2d(p.q[0], p.m[1].ga, 0xffffffff, p.m[2].ga, 0xffffffff, 8, 0xffffffff), -EMSGSIZE);
	CHECK_EQ(t, hsl_copy2d(p.q[0], p.m[1].ga, 0xffffffff, p.m[2].ga, 0xffffffff, UINT64_MAX, 3), -EINVAL);
	places_put(t, &p);
}

/* HEP-TXN-019 */
static void copy_list(struct lib_test *t)
{
	static struct hsl_copy_entry e[HSL_COPY_LIST_MAX + 1];
	struct places p;

	if (!places_get(t, &p, HSL_CAP_OP_COPY_LIST, HSL_OP_COPY_LIST))
		return;
	for (int way = 0; way < 9; way++) {
		struct lib_mem *d = &p.m[way / 3], *list = &p.m[way % 3], *s = &p.m[(way + 1) % 3];
		unsigned int n = way % 2 ? HSL_COPY_LIST_MAX : 37;
		size_t off = 0;

		/* pieces of 0 to 12 bytes, from the end of the source to the beginning */
		lib_pattern(s->p + 16384, 16384, (uint64_t)way);
		memset(d->p, 0xee, 16384);
		for (unsigned int i = 0; i < n; i++) {
			e[i] = (struct hsl_copy_entry){ .dst = d->ga + off, .src = s->ga + 32000 - off - 12, .len = i % 13 };
			off += i % 13;
		}
		memcpy(list->p + 32768, e, n * sizeof(e[0]));
		CHECK_EQ(t, hsl_copy_list(p.q[way % 2], list->ga + 32768, n), 0);
		off = 0;
		for (unsigned int i = 0; i < n; i++) {
			if (!CHECK(t, !memcmp(d->p + off, s->p + 32000 - off - 12, i % 13)))
				break;
			off += i % 13;
		}
		CHECK(t, lib_all(d->p + off, 16384 - off, 0xee));
	}
	/* one after the other: the second moves what the first has brought */
	memset(p.m[1].p, 0, 64);
	memcpy(p.m[1].p, "abcdefgh", 8);
	e[0] = (struct hsl_copy_entry){ .dst = p.m[1].ga + 8, .src = p.m[1].ga, .len = 8 };
	e[1] = (struct hsl_copy_entry){ .dst = p.m[1].ga + 16, .src = p.m[1].ga, .len = 16 };
	memcpy(p.m[0].p, e, 64);
	CHECK_EQ(t, hsl_copy_list(p.q[0], p.m[0].ga, 2), 0);
	CHECK(t, !memcmp(p.m[1].p, "abcdefghabcdefghabcdefghabcdefgh", 32));
	/* nothing moves if one entry is bad */
	for (int bad = 0; bad < 4; bad++) {
		static const int errors[] = { -EFAULT, -ERANGE, -EINVAL, -EMSGSIZE };

		e[0] = (struct hsl_copy_entry){ .dst = p.m[1].ga, .src = p.m[2].ga, .len = 64 };
		e[1] = e[0];
		e[1].dst = bad == 0 ? 0 : e[1].dst;
		e[1].src += bad == 1 ? LEN - 32 : 0;
		e[1].rsvd = bad == 2;
		e[1].len = bad == 3 ? UINT64_MAX - 10 : 64;
		memcpy(p.m[0].p, e, 64);
		memset(p.m[1].p, 0x11, 64);
		CHECK_EQ(t, hsl_copy_list(p.q[0], p.m[0].ga, 2), errors[bad]);
		CHECK(t, lib_all(p.m[1].p, 64, 0x11));
	}
	CHECK_EQ(t, hsl_copy_list(NULL, p.m[0].ga, 1), -EINVAL);
	CHECK_EQ(t, hsl_copy_list(p.q[0], p.m[0].ga + 4, 1), -EINVAL);
	CHECK_EQ(t, hsl_copy_list(p.q[0], 0, 1), -EFAULT);
	CHECK_EQ(t, hsl_copy_list(p.q[0], p.m[0].ga, HSL_COPY_LIST_MAX + 1), -EMSGSIZE);
	CHECK_EQ(t, hsl_copy_list(p.q[0], p.m[0].ga + LEN - 32, 2), -ERANGE);
	places_put(t, &p);
}

const struct lib_case lib_cases_ops[] = {
	{ "reduce: every operation and type, everywhere", reduce_results },
	{ "reduce: wrapping, overlap, errors", reduce_edges },
	{ "atomic: every operation and width, everywhere", atomic_results },
	{ "atomic: errors", atomic_errors },
	{ "atomic: two chips and the CPU on one word", atomic_together },
	{ "load and store", load_store },
	{ "copy2d", copy2d },
	{ "copy list", copy_list },
	{ NULL, NULL },
};
