// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Observable segments (HEP-MAP-025 to -027), coherent and not: the same results as ordinary ones.
 *
 * Commands are tested by twins: two sets of memory of the same shape, one with observable segments and one with
 * ordinary ones in their place. The same commands run on both, and status, result and every byte must agree. Observable
 * memory is looked at through commands of either chip, and where it can be mapped through that.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/lib_cases.h"

#define LEN		8192u
#define GUARD		128u		/* looked at on both sides of what a command may change */
#define LINE		64u
#define DIRECT		0u
#define COHERENT	HSL_SEGMENT_OBSERVABLE
#define NONCOHERENT	(HSL_SEGMENT_OBSERVABLE | HSL_SEGMENT_NONCOHERENT)

static const uint32_t kinds[2] = { COHERENT, NONCOHERENT };

/* False, and the case is skipped, if a chip has no such memory. */
static bool capable(struct lib_test *t)
{
	struct hsl_chip_props p = { .size = sizeof(p) };

	for (int i = 0; i < 2; i++) {
		if (!CHECK_EQ(t, hsl_chip_by_node(t->f, t->node[i], &p), 0))
			return false;
		if (!(p.cap & HSL_CAP_MODELLED)) {
			t->skipped = "the chip has no observable memory";
			return false;
		}
	}
	return true;
}

static int alloc(struct lib_test *t, uint32_t node, size_t len, uint32_t flags, struct hsl_segment **s)
{
	struct hsl_segment_opts o = { .size = sizeof(o), .flags = flags };

	return hsl_segment_alloc(t->f, node, len, &o, s);
}

/* A segment of a chip; p is NULL where it cannot be mapped, which is so for observable ones on sim: only. */
static bool mem_get(struct lib_test *t, struct lib_mem *m, uint32_t node, size_t len, uint32_t flags)
{
	void *p = NULL;
	int err;

	memset(m, 0, sizeof(*m));
	if (!CHECK_EQ(t, alloc(t, node, len, flags, &m->s), 0))
		return false;
	m->ga = hsl_segment_ga(m->s);
	m->len = len;
	err = hsl_segment_map(m->s, &p);
	m->p = p;
	if (!strncmp(t->url, "sim:", 4) && flags)
		return CHECK_EQ(t, err, -EOPNOTSUPP) && CHECK(t, !p);
	return CHECK_EQ(t, err, 0);
}

/* ---- twins ---- */

/* host, observable on both chips, ordinary on both */
#define AREAS 5

struct set {
	struct lib_mem m[AREAS];
};

struct twins {
	struct set set[2];		/* [0] without any observable memory */
	struct lib_mem scratch;		/* host: observable bytes come here to be looked at */
	struct hsl_queue *q[2];
};

static bool set_get(struct lib_test *t, struct set *s, uint32_t flags)
{
	bool ok = lib_mem_get(t, &s->m[0], 0, LEN);

	for (int i = 0; i < 2 && ok; i++)
		ok = mem_get(t, &s->m[1 + i], t->node[i], LEN, flags) && mem_get(t, &s->m[3 + i], t->node[i], LEN, DIRECT);
	return ok;
}

static void twins_put(struct lib_test *t, struct twins *w)
{
	hsl_queue_destroy(w->q[0]);
	hsl_queue_destroy(w->q[1]);
	for (int k = 0; k < 2; k++)
		for (int a = 0; a < AREAS; a++)
			lib_mem_put(t, &w->set[k].m[a]);
	lib_mem_put(t, &w->scratch);
}

static bool twins_get(struct lib_test *t, struct twins *w, uint32_t flags)
{
	uint8_t *p;

	memset(w, 0, sizeof(*w));
	if (!lib_mem_get(t, &w->scratch, 0, LEN) || !set_get(t, &w->set[0], DIRECT) || !set_get(t, &w->set[1], flags))
		return false;
	for (int i = 0; i < 2; i++)
		if (!CHECK_EQ(t, hsl_queue_create(t->f, t->node[i], NULL, &w->q[i]), 0))
			return false;
	/* the same bytes in each area of both */
	p = w->scratch.p;
	for (int a = 0; a < AREAS; a++) {
		lib_pattern(p, LEN, lib_random(t));
		for (int k = 0; k < 2; k++)
			if (!CHECK_EQ(t, hsl_copy(w->q[a % 2], w->set[k].m[a].ga, w->scratch.ga, LEN), 0))
				return false;
	}
	return true;
}

/* Bytes of an area, looked at by one of the ways there are; valid until the next call. */
static const uint8_t *look(struct lib_test *t, struct twins *w, struct lib_mem *m, size_t off, size_t len)
{
	unsigned int way = (unsigned int)(lib_random(t) % 3);

	if (m->p && (way == 2 || !hsl_segment_flags(m->s)))
		return m->p + off;
	return CHECK_EQ(t, hsl_copy(w->q[way % 2], w->scratch.ga, m->ga + off, len), 0) ? w->scratch.p : NULL;
}

static bool same(struct lib_test *t, struct twins *w, int area, size_t off, size_t len)
{
	const uint8_t *want = w->set[0].m[area].p + off, *got = look(t, w, &w->set[1].m[area], off, len);

	if (!got)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (got[i] == want[i])
			continue;
		printf("# area %d byte %zu is %#x, not %#x\n", area, off + i, got[i], want[i]);
		return CHECK(t, !"observable memory has other bytes than its twin");
	}
	return true;
}

/* Where a command's operands are; offsets count in both sets. */
struct place {
	int area;
	size_t off;
};

static uint64_t ga(const struct set *s, struct place p)
{
	return s->m[p.area].ga + p.off;
}

/* Run it on both sets, dst and src in its place; compare what it says. */
static bool both(struct lib_test *t, struct twins *w, int q, struct hsl_op op, const struct place *dst,
		 const struct place *src)
{
	struct hsl_completion c[2];
	uint64_t fault[2] = { 0 };

	for (int k = 0; k < 2; k++) {
		struct set *s = &w->set[k];

		op.cookie = lib_random(t);
		op.dst = dst ? ga(s, *dst) : 0;
		op.src = src ? ga(s, *src) : 0;
		if (!lib_op(t, w->q[q], &op, &c[k]))
			return false;
		for (int a = 0; a < AREAS; a++)
			/* not at a start, which may be the end of another area */
			if (c[k].fault_ga - s->m[a].ga - 1 < LEN)
				fault[k] = c[k].fault_ga - s->m[a].ga;
	}
	if (c[0].status != c[1].status || c[0].result != c[1].result || fault[0] != fault[1])
		printf("# op %u sub %#x len %llu: %s, result %#llx; its twin %s, %#llx\n", op.opcode, op.subop,
		       (unsigned long long)op.len, hsl_status_name(c[1].status), (unsigned long long)c[1].result,
		       hsl_status_name(c[0].status), (unsigned long long)c[0].result);
	return CHECK(t, c[0].status == c[1].status && c[0].result == c[1].result && fault[0] == fault[1]);
}

/* What it may have changed, and around it. */
static bool both_and_look(struct lib_test *t, struct twins *w, int q, struct hsl_op op, struct place dst,
			  const struct place *src, size_t changed)
{
	return both(t, w, q, op, &dst, src) && same(t, w, dst.area, dst.off - GUARD, changed + 2 * GUARD);
}

static void all_same(struct lib_test *t, struct twins *w)
{
	for (int a = 0; a < AREAS; a++)
		same(t, w, a, 0, LEN);
}

static void with_twins(struct lib_test *t, void (*run)(struct lib_test *t, struct twins *w))
{
	for (int k = 0; k < 2 && capable(t); k++) {
		struct twins w;

		if (twins_get(t, &w, kinds[k])) {
			run(t, &w);
			all_same(t, &w);
		}
		twins_put(t, &w);
	}
}

static struct place somewhere(struct lib_test *t, size_t align)
{
	return (struct place){ .area = (int)(lib_random(t) % AREAS),
			       .off = GUARD + lib_random(t) % 1024 / align * align };
}

/* ---- COPY and FILL ---- */

static void copies(struct lib_test *t, struct twins *w)
{
	static const size_t lens[] = { 1, 7, 8, 9, 31, 63, 64, 65, 127, 130, 500 };

	/* every pair of areas, every pair of alignments in a word; at d == s the ranges overlap */
	for (int d = 0; d < AREAS; d++)
		for (int s = 0; s < AREAS; s++)
			for (unsigned int i = 0; i < 64; i++) {
				size_t len = lens[lib_random(t) % (sizeof(lens) / sizeof(lens[0]))];
				struct place dst = { d, GUARD + (i % 8) + lib_random(t) % 64 / 8 * 8 };
				struct place src = { s, GUARD + (i / 8) + lib_random(t) % 64 / 8 * 8 };

				if (!both_and_look(t, w, (int)(i % 2), hsl_op_copy(0, 0, len), dst, &src, len))
					return;
			}
	/* long ones, over many lines */
	for (int i = 0; i < AREAS * AREAS; i++) {
		struct place dst = { i / AREAS, GUARD + i }, src = { i % AREAS, GUARD + 3u * (unsigned int)i };

		both_and_look(t, w, i % 2, hsl_op_copy(0, 0, 5000), dst, &src, 5000);
	}
}

static void observable_copy(struct lib_test *t)
{
	with_twins(t, copies);
}

static void fills(struct lib_test *t, struct twins *w)
{
	for (int i = 0; i < 300; i++) {
		struct place dst = somewhere(t, 1);
		size_t len = lib_random(t) % 300;

		if (!both_and_look(t, w, i % 2, hsl_op_fill(0, len, lib_random(t)), dst, NULL, len))
			return;
	}
}

static void observable_fill(struct lib_test *t)
{
	with_twins(t, fills);
}

/* ---- the other commands ---- */

static void reduces(struct lib_test *t, struct twins *w)
{
	static const uint8_t size[HSL_TYPES] = { 4, 8, 2, 2, 4, 8 };

	for (int i = 0; i < 360; i++) {
		unsigned int type = (unsigned int)i % HSL_TYPES, op = (unsigned int)i / HSL_TYPES % HSL_REDUCE_OPS;
		struct place dst = somewhere(t, size[type]), src = somewhere(t, size[type]);
		size_t len = (1 + lib_random(t) % 40) * size[type];

		if (!both_and_look(t, w, i % 2, hsl_op_reduce(op, type, 0, 0, len), dst, &src, len))
			return;
	}
}

static void observable_reduce(struct lib_test *t)
{
	with_twins(t, reduces);
}

static void atomics(struct lib_test *t, struct twins *w)
{
	for (unsigned int i = 0; i < 400; i++) {
		unsigned int op = i % HSL_ATOMICS, len = i / HSL_ATOMICS % 2 ? 8 : 4;
		struct place dst = somewhere(t, len);
		uint64_t compare = 0;

		if (op == HSL_ATOMIC_CAS) {	/* every other one hits */
			compare = lib_random(t);
			if (i % 4 < 2)
				memcpy(&compare, w->set[0].m[dst.area].p + dst.off, len);
			if (len == 4)
				compare &= UINT32_MAX;
		}
		if (!both_and_look(t, w, (int)(i % 3 % 2), hsl_op_atomic(op, 0, len, lib_random(t), compare), dst, NULL,
				   len))
			return;
	}
}

static void signals(struct lib_test *t, struct twins *w)
{
	for (unsigned int i = 0; i < 100; i++) {
		struct place dst = somewhere(t, 8);

		if (!both_and_look(t, w, (int)(i % 2), hsl_op_signal(i / 2 % HSL_SIGNALS, 0, lib_random(t)), dst, NULL, 8))
			return;
	}
	/* against what is there: some hold, the others time out */
	for (unsigned int i = 0; i < 60; i++) {
		struct place src = somewhere(t, 8);
		uint64_t there;

		memcpy(&there, w->set[0].m[src.area].p + src.off, sizeof(there));
		if (!both(t, w, (int)(i % 2), hsl_op_wait(i % HSL_WAITS, 0, there + i / HSL_WAITS % 3 - 1, 1000), NULL,
			  &src))
			return;
	}
}

static void observable_atomic(struct lib_test *t)
{
	with_twins(t, atomics);
	with_twins(t, signals);
}

static void loads_stores(struct lib_test *t, struct twins *w)
{
	for (unsigned int i = 0; i < 600; i++) {
		unsigned int len = 1 + (unsigned int)lib_random(t) % (i % 4 < 2 ? HSL_LOADSTORE_MAX : HSL_LOAD_RESULT_MAX);
		struct place dst = somewhere(t, 1), src = somewhere(t, 1);
		struct hsl_op store = hsl_op_store(0, lib_random(t), len);
		int q = (int)(i / 4 % 2);
		bool ok;

		if (i % 4 == 0)
			ok = both_and_look(t, w, q, hsl_op_load(0, 0, len), dst, &src, len);
		else if (i % 4 == 1)
			ok = both_and_look(t, w, q, hsl_op_make(HSL_OP_STORE, 0, 0, 0, len, 0, 0), dst, &src, len);
		else if (i % 4 == 2)
			ok = both(t, w, q, hsl_op_load(0, 0, len), NULL, &src);
		else
			ok = both_and_look(t, w, q, store, dst, NULL, len);
		if (!ok)
			return;
	}
}

static void observable_load_store(struct lib_test *t)
{
	with_twins(t, loads_stores);
}

static void rows(struct lib_test *t, struct twins *w)
{
	for (unsigned int i = 0; i < 100; i++) {
		struct place dst = somewhere(t, 1), src = somewhere(t, 1);
		uint32_t len = 1 + (uint32_t)lib_random(t) % 100, n = 1 + (uint32_t)lib_random(t) % 8;
		uint32_t dst_pitch = len + (uint32_t)lib_random(t) % 90, src_pitch = (uint32_t)lib_random(t) % 190;

		/* rows that overlap have no defined result */
		if (src.area == dst.area)
			src.off = dst.off + LEN / 2;
		if (!both_and_look(t, w, (int)(i % 2), hsl_op_copy2d(0, dst_pitch, 0, src_pitch, len, n), dst, &src,
				   (size_t)(n - 1) * dst_pitch + len))
			return;
	}
}

/* The list itself is in any kind of memory; it names other addresses in each set. */
static void lists(struct lib_test *t, struct twins *w)
{
	enum { N = 6, LIST = 4096 };

	for (unsigned int i = 0; i < 60; i++) {
		struct place list = { (int)(i % AREAS), LIST }, dst[N], src[N];
		struct hsl_copy_entry e[N] = { 0 };

		for (unsigned int n = 0; n < N; n++) {
			dst[n] = somewhere(t, 1);
			src[n] = somewhere(t, 1);
			e[n].len = lib_random(t) % 200;
		}
		for (int k = 0; k < 2; k++) {
			for (unsigned int n = 0; n < N; n++) {
				e[n].dst = ga(&w->set[k], dst[n]);
				e[n].src = ga(&w->set[k], src[n]);
			}
			memcpy(w->scratch.p, e, sizeof(e));
			if (!CHECK_EQ(t, hsl_copy(w->q[i % 2], ga(&w->set[k], list), w->scratch.ga, sizeof(e)), 0) ||
			    !CHECK_EQ(t, hsl_copy_list(w->q[i / 2 % 2], ga(&w->set[k], list), N), 0) ||
			    !CHECK_EQ(t, hsl_fill(w->q[0], ga(&w->set[k], list), sizeof(e), 0), 0))
				return;
		}
		for (unsigned int n = 0; n < N; n++)
			if (!same(t, w, dst[n].area, dst[n].off - GUARD, e[n].len + 2 * GUARD))
				return;
	}
}

static void observable_rows_lists(struct lib_test *t)
{
	with_twins(t, rows);
	with_twins(t, lists);
}

/* HEP-TXN-010: what is refused, and where the fault is said to be */
static void refusals(struct lib_test *t, struct twins *w)
{
	for (int a = 0; a < AREAS; a++) {
		struct place end = { a, LEN - 8 }, odd = { a, 4 + 1 }, good = { (a + 1) % AREAS, 8 };

		both(t, w, a % 2, hsl_op_fill(0, 9, 1), &end, NULL);
		both(t, w, a % 2, hsl_op_copy(0, 0, 4096), &good, &end);
		both(t, w, a % 2, hsl_op_atomic(HSL_ATOMIC_ADD, 0, 4, 1, 0), &odd, NULL);
		both(t, w, a % 2, hsl_op_atomic(HSL_ATOMIC_ADD, 0, 3, 1, 0), &good, NULL);
		both(t, w, a % 2, hsl_op_reduce(HSL_REDUCE_ADD, HSL_TYPE_I32, 0, 0, 8), &odd, &good);
		both(t, w, a % 2, hsl_op_wait(HSL_WAIT_EQ, 0, 0, 1), NULL, &odd);
		both(t, w, a % 2, hsl_op_copy(0, 0, 0), &good, &end);
	}
}

static void observable_refusals(struct lib_test *t)
{
	struct hsl_segment_opts o = { .size = sizeof(o), .flags = COHERENT, .rights = HSL_RIGHT_READ };
	struct hsl_segment *s;
	struct hsl_queue *q;

	with_twins(t, refusals);
	if (t->skipped)
		return;
	REQUIRE_EQ(t, hsl_queue_create(t->f, t->node[1], NULL, &q), 0);
	REQUIRE_EQ(t, hsl_segment_alloc(t->f, t->node[0], LEN, &o, &s), 0);
	CHECK_EQ(t, hsl_fill(q, hsl_segment_ga(s), 8, 0), -EACCES);
	CHECK_EQ(t, hsl_atomic(q, HSL_ATOMIC_OR, hsl_segment_ga(s), 8, 0, 0, NULL), -EACCES);
	CHECK_EQ(t, hsl_segment_free(s), 0);
	o.rights = HSL_RIGHT_WRITE;
	REQUIRE_EQ(t, hsl_segment_alloc(t->f, t->node[0], LEN, &o, &s), 0);
	CHECK_EQ(t, hsl_load(q, hsl_segment_ga(s), 8, &(uint64_t){ 0 }), -EACCES);
	CHECK_EQ(t, hsl_fill(q, hsl_segment_ga(s), 8, 0), 0);
	CHECK_EQ(t, hsl_segment_free(s), 0);
	hsl_queue_destroy(q);
}

/* ---- everybody on one line ---- */

/* Words of the line: 0 and 1 are chip 0's, 2 and 3 chip 1's, 4 and 5 the CPU's, 7 everybody's but the CPU's. */
struct sharer {
	struct lib_test *t;
	struct lib_mem *m;
	unsigned int who;		/* 0, 1: chip; 2: CPU */
	uint64_t rounds;
};

static void *share_line(void *arg)
{
	struct sharer *s = arg;
	struct lib_test *t = s->t;
	struct hsl_queue *q;
	uint64_t at = s->m->ga + 16 * s->who, i;

	if (s->who == 2) {
		volatile uint64_t *word = (volatile uint64_t *)(void *)(s->m->p + 32);
		volatile uint8_t *byte = s->m->p + 40;

		for (i = 0; i < s->rounds; i++) {
			*word = *word + 1;
			byte[i % 8]++;
		}
		return NULL;
	}
	if (!CHECK_EQ(t, hsl_queue_create(t->f, t->node[s->who], NULL, &q), 0))
		return NULL;
	for (i = 0; i < s->rounds; i++) {
		uint64_t old, byte = 0;

		if (!CHECK_EQ(t, hsl_atomic(q, HSL_ATOMIC_ADD, at, 8, 1, 0, &old), 0) || !CHECK_EQ(t, old, i) ||
		    !CHECK_EQ(t, hsl_signal(q, HSL_SIGNAL_ADD, s->m->ga + 56, 1, NULL), 0) ||
		    !CHECK_EQ(t, hsl_load(q, at + 8 + i % 8, 1, &byte), 0))
			break;
		byte++;
		if (!CHECK_EQ(t, hsl_store(q, at + 8 + i % 8, &byte, 1), 0))
			break;
	}
	hsl_queue_destroy(q);
	return NULL;
}

static void one_line(struct lib_test *t)
{
	for (int k = 0; k < 2 && capable(t); k++) {
		struct lib_mem m;
		struct sharer s[3];
		pthread_t thread[3];
		struct hsl_queue *q;
		uint64_t word[8];
		unsigned int n;

		REQUIRE(t, mem_get(t, &m, t->node[0], LEN, kinds[k]));
		n = m.p ? 3 : 2;
		for (unsigned int i = 0; i < n; i++) {
			s[i] = (struct sharer){ .t = t, .m = &m, .who = i, .rounds = 800 };
			REQUIRE_EQ(t, pthread_create(&thread[i], NULL, share_line, &s[i]), 0);
		}
		for (unsigned int i = 0; i < n; i++)
			pthread_join(thread[i], NULL);
		REQUIRE_EQ(t, hsl_queue_create(t->f, t->node[1], NULL, &q), 0);
		for (unsigned int i = 0; i < 8; i++)
			CHECK_EQ(t, hsl_load(q, m.ga + 8 * i, 8, &word[i]), 0);
		for (unsigned int i = 0; i < n; i++) {
			CHECK_EQ(t, word[2 * i], 800);
			CHECK_EQ(t, word[2 * i + 1], 0x6464646464646464);	/* 100 in each byte */
		}
		CHECK_EQ(t, word[7], 1600);
		hsl_queue_destroy(q);
		lib_mem_put(t, &m);
	}
}

/* Two chips hand a turn to each other, and data with it, through one piece of observable memory. */
static void turns(struct lib_test *t)
{
	enum { ROUNDS = 40, DATA = 256 };

	for (int k = 0; k < 2 && capable(t); k++) {
		struct hsl_queue *q[2];
		struct hsl_completion c[3];
		struct lib_mem m;
		uint64_t v;

		REQUIRE(t, mem_get(t, &m, t->node[1], LEN, kinds[k]));
		for (int i = 0; i < 2; i++)
			REQUIRE_EQ(t, hsl_queue_create(t->f, t->node[i], NULL, &q[i]), 0);
		for (uint64_t r = 0; r < ROUNDS; r++) {
			int me = (int)(r % 2);
			/* wait for the turn, add to each word of the data, pass the turn on */
			struct hsl_op ops[3] = {
				hsl_op_wait(HSL_WAIT_EQ, m.ga, r, 20000000000u),
				hsl_op_reduce(HSL_REDUCE_ADD, HSL_TYPE_I64, m.ga + DATA, m.ga + 2 * DATA, DATA),
				hsl_op_signal(HSL_SIGNAL_SET, m.ga, r + 1),
			};

			if (!r)
				REQUIRE_EQ(t, hsl_fill(q[1], m.ga + 2 * DATA, DATA, 3), 0);
			REQUIRE_EQ(t, hsl_queue_submit(q[me], ops, 3), 3);
			/* the other's turn is submitted before this one is over */
			if (r % 2)
				for (int i = 0; i < 2; i++)
					for (int n = 0; n < 3;) {
						int got = hsl_queue_wait(q[i], c, 3, lib_now_ns() + 60000000000u);

						REQUIRE(t, got > 0);
						for (int j = 0; j < got; j++)
							CHECK_EQ(t, c[j].status, HSL_ST_OK);
						n += got;
					}
		}
		for (unsigned int i = 0; i < DATA; i += 8)
			if (!CHECK_EQ(t, hsl_load(q[i / 8 % 2], m.ga + DATA + i, 8, &v), 0) || !CHECK_EQ(t, v, 3 * ROUNDS))
				break;
		hsl_queue_destroy(q[0]);
		hsl_queue_destroy(q[1]);
		lib_mem_put(t, &m);
	}
}

/* ---- the CPU's accesses ---- */

#define ODD(n) struct odd##n { uint##n##_t v; } __attribute__((packed, may_alias))
ODD(8);
ODD(16);
ODD(32);
ODD(64);

static void cpu_store(uint8_t *p, unsigned int width, uint64_t v)
{
	switch (width) {
	case 1: ((volatile struct odd8 *)(void *)p)->v = (uint8_t)v; break;
	case 2: ((volatile struct odd16 *)(void *)p)->v = (uint16_t)v; break;
	case 4: ((volatile struct odd32 *)(void *)p)->v = (uint32_t)v; break;
	default: ((volatile struct odd64 *)(void *)p)->v = v; break;
	}
}

static uint64_t cpu_load(const uint8_t *p, unsigned int width)
{
	switch (width) {
	case 1: return ((const volatile struct odd8 *)(const void *)p)->v;
	case 2: return ((const volatile struct odd16 *)(const void *)p)->v;
	case 4: return ((const volatile struct odd32 *)(const void *)p)->v;
	default: return ((const volatile struct odd64 *)(const void *)p)->v;
	}
}

/* Mapped observable memory, a private copy of what it should hold, and a queue on each chip. */
struct mapped {
	struct lib_mem m, host;
	uint8_t want[LEN];
	struct hsl_queue *q[2];
};

static bool bytes_are(struct lib_test *t, struct mapped *x, unsigned int by)
{
	if (!CHECK_EQ(t, hsl_copy(x->q[by % 2], x->host.ga, x->m.ga, LEN), 0))
		return false;
	return CHECK(t, !memcmp(x->host.p, x->want, LEN));
}

static void widths(struct lib_test *t, struct mapped *x)
{
	/* every width at every place of two lines, so within, and across the end of one */
	for (unsigned int width = 1; width <= 8; width *= 2)
		for (size_t off = LINE; off < 3 * LINE; off++) {
			uint64_t v = lib_random(t), mask = width == 8 ? UINT64_MAX : (1ull << 8 * width) - 1, got = 0;

			cpu_store(x->m.p + off, width, v);
			memcpy(x->want + off, &v, width);
			if (!CHECK_EQ(t, hsl_load(x->q[off % 2], x->m.ga + off, width, &got), 0) ||
			    !CHECK_EQ(t, got, v & mask) || !CHECK_EQ(t, cpu_load(x->m.p + off, width), v & mask))
				return;
			v = lib_random(t);
			memcpy(x->want + off, &v, width);
			if (!CHECK_EQ(t, hsl_store(x->q[off / 2 % 2], x->m.ga + off, &v, width), 0) ||
			    !CHECK_EQ(t, cpu_load(x->m.p + off, width), v & mask))
				return;
		}
	bytes_are(t, x, 0);
}

/* What compilers and C libraries make of it: vector registers, string instructions. */
static void blocks(struct lib_test *t, struct mapped *x)
{
	uint8_t buf[1200];

	for (unsigned int i = 0; i < 200; i++) {
		size_t len = lib_random(t) % sizeof(buf), off = lib_random(t) % 1000, from = 2048 + lib_random(t) % 1000;

		lib_pattern(buf, sizeof(buf), lib_random(t));
		switch (i % 4) {
		case 0:
			memcpy(x->m.p + off, buf, len);
			memcpy(x->want + off, buf, len);
			break;
		case 1:
			memset(x->m.p + off, (int)i, len);
			memset(x->want + off, (int)i, len);
			break;
		case 2:	/* within it */
			memmove(x->m.p + off, x->m.p + from, len);
			memmove(x->want + off, x->want + from, len);
			break;
		default:
			memcpy(buf, x->m.p + off, len);
			if (!CHECK(t, !memcmp(buf, x->want + off, len)))
				return;
		}
		if (i % 20 == 19 && !bytes_are(t, x, i / 20))
			return;
	}
#ifdef __x86_64__
	for (size_t off = 1; off < 200; off += 13) {
		void *d = x->m.p + off, *s = buf;
		size_t n = 300 + off;

		lib_pattern(buf, sizeof(buf), off);
		memcpy(x->want + off, buf, n);
		__asm__ volatile("rep movsb" : "+D"(d), "+S"(s), "+c"(n) : : "memory");
	}
	bytes_are(t, x, 1);
#endif
}

/* A WAIT that is parked sees the store of a CPU. */
static void wakes(struct lib_test *t, struct mapped *x)
{
	for (unsigned int i = 0; i < 10; i++) {
		uint64_t old = cpu_load(x->m.p + 512, 8);
		struct hsl_op op = hsl_op_wait(HSL_WAIT_NE, x->m.ga + 512, old, 0);
		struct hsl_completion c;

		REQUIRE_EQ(t, hsl_queue_submit(x->q[i % 2], &op, 1), 1);
		cpu_store(x->m.p + 512, 8, old + 1);
		REQUIRE_EQ(t, hsl_queue_wait(x->q[i % 2], &c, 1, lib_now_ns() + 60000000000u), 1);
		CHECK_EQ(t, c.status, HSL_ST_OK);
		CHECK_EQ(t, c.result, old + 1);
	}
}

static void mapping(struct lib_test *t)
{
	for (int k = 0; k < 2 && capable(t); k++) {
		static void (*const runs[])(struct lib_test *t, struct mapped *x) = { widths, blocks, wakes };

		for (unsigned int i = 0; i < sizeof(runs) / sizeof(runs[0]); i++) {
			struct mapped x = { 0 };

			REQUIRE(t, mem_get(t, &x.m, t->node[i % 2], LEN, kinds[k]) && lib_mem_get(t, &x.host, 0, LEN));
			for (int n = 0; n < 2; n++)
				REQUIRE_EQ(t, hsl_queue_create(t->f, t->node[n], NULL, &x.q[n]), 0);
			if (x.m.p)
				runs[i](t, &x);
			else	/* nothing traps on sim: */
				CHECK_EQ(t, hsl_segment_map(x.m.s, (void **)&x.m.p), -EOPNOTSUPP);
			for (int n = 0; n < 2; n++)
				hsl_queue_destroy(x.q[n]);
			lib_mem_put(t, &x.host);
			lib_mem_put(t, &x.m);
		}
	}
}

/* ---- life ---- */

/* HEP-MAP-025: the flags themselves */
static void flags(struct lib_test *t)
{
	struct hsl_segment_opts o = { .size = sizeof(o) };
	struct hsl_chip_props p = { .size = sizeof(p) };
	static uint8_t host[64];
	struct hsl_segment *s;
	bool can;

	REQUIRE_EQ(t, hsl_chip_by_node(t->f, t->node[0], &p), 0);
	can = p.cap & HSL_CAP_MODELLED;
	CHECK_EQ(t, alloc(t, t->node[0], 4096, HSL_SEGMENT_NONCOHERENT, &s), -EINVAL);
	CHECK_EQ(t, alloc(t, t->node[0], 4096, 4, &s), -EINVAL);
	CHECK_EQ(t, alloc(t, t->node[0], 4096, COHERENT | 1u << 31, &s), -EINVAL);
	CHECK_EQ(t, alloc(t, 16000, 4096, COHERENT, &s), -ENOENT);
	o.flags = COHERENT;
	CHECK_EQ(t, hsl_segment_register(t->f, host, sizeof(host), &o, &s), -EINVAL);
	for (int k = 0; k < 2; k++) {
		int err = alloc(t, t->node[0], 4096, kinds[k], &s);

		CHECK_EQ(t, err, can ? 0 : -EOPNOTSUPP);
		if (err)
			continue;
		CHECK_EQ(t, hsl_segment_flags(s), kinds[k]);
		CHECK_EQ(t, hsl_segment_free(s), 0);
	}
	REQUIRE_EQ(t, alloc(t, t->node[0], 4096, DIRECT, &s), 0);
	CHECK_EQ(t, hsl_segment_flags(s), 0);
	CHECK_EQ(t, hsl_segment_free(s), 0);
}

/* All of the segment is made dirty: by both chips, by the CPU alone, by each in turn. */
static void soil(struct lib_test *t, struct lib_mem *m, struct hsl_queue *q[2], unsigned int round)
{
	for (size_t off = 0; off < m->len; off += 4096) {
		unsigned int who = round % 3 == 2 ? (unsigned int)off / 4096 % 3 : round % 3;

		if (who == 2 && m->p)
			memset(m->p + off, 0xee, 4096);
		else
			CHECK_EQ(t, hsl_fill(q[who % 2], m->ga + off, 4096, 0xeeeeeeeeeeeeeeee), 0);
	}
}

/* HEP-MAP-004, -027: whatever caches held is nobody's after the free; neither at once nor when lines are evicted later */
static void zero_after_free(struct lib_test *t)
{
	enum { BYTES = 64 << 10 };
	struct lib_mem m, host;
	struct hsl_queue *q[2];
	struct hsl_segment *kept;
	uint64_t before;

	if (!capable(t))
		return;
	REQUIRE_EQ(t, hsl_segment_alloc(t->f, t->node[0], 1, NULL, &kept), 0);
	before = lib_free_beside(t);
	REQUIRE(t, lib_mem_get(t, &host, 0, BYTES));
	for (int i = 0; i < 2; i++)
		REQUIRE_EQ(t, hsl_queue_create(t->f, t->node[i], NULL, &q[i]), 0);
	for (unsigned int round = 0; round < 12; round++) {
		uint32_t next = round % 2 ? DIRECT : kinds[round / 2 % 2];
		uint64_t was;

		REQUIRE(t, mem_get(t, &m, t->node[0], BYTES, round % 3 ? COHERENT : NONCOHERENT));
		was = m.ga;
		soil(t, &m, q, round / 2);
		lib_mem_put(t, &m);
		CHECK_EQ(t, lib_free_beside(t), before);

		/* the same memory, as best fit gives the lowest */
		REQUIRE(t, mem_get(t, &m, t->node[0], BYTES, next));
		CHECK(t, m.ga == was);
		CHECK_EQ(t, hsl_copy(q[round % 2], host.ga, m.ga, BYTES), 0);
		CHECK(t, lib_all(host.p, BYTES, 0));
		CHECK(t, !m.p || lib_all(m.p, BYTES, 0));
		if (next == DIRECT) {
			struct lib_mem other;

			/* what is still in a cache would come out now */
			lib_pattern(m.p, BYTES, round);
			REQUIRE(t, mem_get(t, &other, t->node[0], BYTES * 4, COHERENT));
			soil(t, &other, q, 2);
			lib_mem_put(t, &other);
			lib_pattern(host.p, BYTES, round);
			CHECK(t, !memcmp(host.p, m.p, BYTES));
		}
		lib_mem_put(t, &m);
		CHECK_EQ(t, lib_free_beside(t), before);
	}
	hsl_queue_destroy(q[0]);
	hsl_queue_destroy(q[1]);
	lib_mem_put(t, &host);
	CHECK_EQ(t, hsl_segment_free(kept), 0);
}

static sigjmp_buf on_bus;

static void bus(int sig)
{
	(void)sig;
	siglongjmp(on_bus, 1);
}

static bool faults(volatile uint8_t *p)
{
	struct sigaction sa = { .sa_handler = bus }, old;
	volatile bool faulted = false;

	sigaction(SIGBUS, &sa, &old);
	if (sigsetjmp(on_bus, 1))
		faulted = true;
	else
		(void)*p;
	sigaction(SIGBUS, &old, NULL);
	return faulted;
}

/* HEP-MAP-016 to -018 */
static void shared(struct lib_test *t)
{
	for (int k = 0; k < 2 && capable(t); k++) {
		struct hsl_segment *s, *again;
		struct hsl_fabric *f;
		struct hsl_queue *q[2];
		struct lib_mem m;
		uint64_t v, before = lib_free_bytes(t);
		uint8_t *p = NULL;
		int fd;

		REQUIRE(t, mem_get(t, &m, t->node[0], LEN, kinds[k]));
		REQUIRE_EQ(t, hsl_fabric_open(t->url, &f), 0);
		REQUIRE_EQ(t, hsl_queue_create(t->f, t->node[0], NULL, &q[0]), 0);
		REQUIRE_EQ(t, hsl_queue_create(f, t->node[1], NULL, &q[1]), 0);
		CHECK_EQ(t, hsl_segment_export(m.s, 0, HSL_EXPORT_F_DMABUF, &fd), -EOPNOTSUPP);
		REQUIRE_EQ(t, hsl_segment_export(m.s, 0, 0, &fd), 0);
		REQUIRE_EQ(t, hsl_segment_import(f, fd, 0, &s), 0);
		CHECK_EQ(t, hsl_segment_flags(s), kinds[k]);
		CHECK_EQ(t, hsl_segment_map(s, (void **)&p), m.p ? 0 : -EOPNOTSUPP);
		/* what one stores the other loads, by command and by mapping */
		for (uint64_t i = 1; i < 50; i++) {
			CHECK_EQ(t, hsl_store(q[i % 2], m.ga + 8, &i, 8), 0);
			CHECK_EQ(t, hsl_load(q[(i + 1) % 2], m.ga + 8, 8, &v), 0);
			if (!CHECK_EQ(t, v, i) || !m.p)
				continue;
			CHECK_EQ(t, cpu_load(m.p + 8, 8), i);
			cpu_store(p + 61, 8, i);	/* in two lines */
			CHECK_EQ(t, cpu_load(m.p + 61, 8), i);
		}
		CHECK_EQ(t, hsl_segment_revoke(m.s), 0);
		CHECK_EQ(t, hsl_fill(q[1], m.ga, 8, 5), -EFAULT);
		CHECK(t, !p || faults(p));
		CHECK_EQ(t, hsl_segment_import(f, fd, 0, &again), -ESTALE);
		CHECK_EQ(t, hsl_fill(q[0], m.ga, 8, 7), 0);
		CHECK_EQ(t, hsl_load(q[0], m.ga, 8, &v), 0);
		CHECK_EQ(t, v, 7);
		close(fd);
		CHECK_EQ(t, hsl_segment_free(s), 0);

		/* the last holder is another than who allocated it */
		REQUIRE_EQ(t, hsl_segment_export(m.s, 0, 0, &fd), 0);
		REQUIRE_EQ(t, hsl_segment_import(f, fd, 0, &s), 0);
		close(fd);
		lib_mem_put(t, &m);
		CHECK_EQ(t, hsl_fill(q[1], hsl_segment_ga(s), LEN, UINT64_MAX), 0);
		hsl_queue_destroy(q[1]);
		hsl_fabric_close(f);
		CHECK_EQ(t, lib_free_bytes(t), before);
		REQUIRE(t, mem_get(t, &m, t->node[0], LEN, COHERENT));
		for (size_t off = 0; off < LEN; off += 8)
			if (!CHECK_EQ(t, hsl_load(q[0], m.ga + off, 8, &v), 0) || !CHECK_EQ(t, v, 0))
				break;
		hsl_queue_destroy(q[0]);
		lib_mem_put(t, &m);
	}
}

/* It lies in a node's window as any other; where it cannot be mapped the window's addresses stay reserved. */
static void in_window(struct lib_test *t)
{
	struct hsl_window w = { .size = sizeof(w) };
	struct lib_mem m, plain;

	if (!capable(t))
		return;
	REQUIRE_EQ(t, hsl_window_open(t->f, t->node[0], &w), 0);
	for (int k = 0; k < 2; k++) {
		REQUIRE(t, mem_get(t, &m, t->node[0], LEN, kinds[k]) && mem_get(t, &plain, t->node[0], LEN, DIRECT));
		CHECK(t, !m.p || m.p == hsl_window_ptr(&w, m.ga));
		CHECK(t, plain.p == hsl_window_ptr(&w, plain.ga));
		if (m.p) {
			memset(m.p, 0x5a, LEN);
			memcpy(plain.p, m.p, LEN);
			CHECK(t, lib_all(plain.p, LEN, 0x5a));
		}
		CHECK_EQ(t, msync(hsl_window_ptr(&w, m.ga), LEN, MS_ASYNC), 0);
		lib_mem_put(t, &plain);
		lib_mem_put(t, &m);
	}
	CHECK_EQ(t, hsl_window_close(t->f, t->node[0]), 0);
}

const struct lib_case lib_cases_observable[] = {
	{ "observable: flags", flags },
	{ "observable: COPY", observable_copy },
	{ "observable: FILL", observable_fill },
	{ "observable: REDUCE", observable_reduce },
	{ "observable: ATOMIC, SIGNAL, WAIT", observable_atomic },
	{ "observable: LOAD, STORE", observable_load_store },
	{ "observable: COPY2D, COPY_LIST", observable_rows_lists },
	{ "observable: what is refused", observable_refusals },
	{ "observable: two chips and the CPU on one line", one_line },
	{ "observable: two chips in turn", turns },
	{ "observable: mapping", mapping },
	{ "observable: zero after free", zero_after_free },
	{ "observable: shared between contexts", shared },
	{ "observable: in a window", in_window },
	{ 0 },
};
