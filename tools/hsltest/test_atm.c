/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* ATM: ATOMIC, SIGNAL and the single accesses of LOAD and STORE. */
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#include "hsltest.h"

#define KIB ((uint64_t)1024)

/* Memory of the first chip, of the last one, and of the host. */
static void three_places(struct ht *t, struct ht_buf *b, uint64_t len)
{
	ht_buf_new(t, &b[0], t->chip[0].node, len);
	ht_buf_new(t, &b[1], t->chip[t->nchips - 1].node, len);
	ht_buf_new_host(t, &b[2], len, 8, HSL_RIGHT_RW);
}

static void atomic_one(struct ht *t, struct hsl_queue *q, struct ht_buf *b, uint64_t off,
		       unsigned int op, unsigned int len, uint64_t old, uint64_t operand, uint64_t compare)
{
	struct hsl_op o = ht_op_atomic(op, b->ga + off, len, operand, compare);
	struct hsl_completion c;
	uint64_t want, got = 0;

	memcpy(b->p + off, &old, len);
	memcpy(b->shadow + off, &old, len);
	want = ht_oracle_atomic(op, len, old, operand, compare);
	ht_op_run(t, q, &o, &c);
	ht_status(t, &c, HSL_ST_OK, "ATOMIC");
	HT_TRUE(t, c.result == (len == 4 ? (uint32_t)old : old),
		"ATOMIC %u of %u bytes, %#" PRIx64 " and %#" PRIx64 ", compare %#" PRIx64 ": expected the old value as result, got %#" PRIx64,
		op, len, old, operand, compare, c.result);
	memcpy(&got, b->p + off, len);
	HT_TRUE(t, got == want,
		"ATOMIC %u of %u bytes, %#" PRIx64 " and %#" PRIx64 ", compare %#" PRIx64 ": expected %#" PRIx64 " in memory, got %#" PRIx64,
		op, len, old, operand, compare, want, got);
	memcpy(b->shadow + off, &want, len);
	ht_buf_check_range(t, b, off > 16 ? off - 16 : 0, 40, "bytes beside an ATOMIC");
}

static void atomic_ops(struct ht *t)
{
	static const uint64_t v[] = { 0, 1, UINT64_MAX, 0x7fffffff, 0x80000000, 0x8000000000000000ull,
				      0x7fffffffffffffffull, 0x123456789abcdef0ull };
	enum { NV = sizeof(v) / sizeof(v[0]) };
	unsigned int op, i, j, k = 0, len;
	struct ht_buf b[3];
	struct hsl_queue *q;

	ht_need_cap(t, HSL_CAP_OP_ATOMIC, "ATOMIC");
	three_places(t, b, 4096);
	q = ht_queue_new(t, t->chip[0].node, 0);
	for (op = 0; op < HSL_ATOMICS; op++) {
		for (len = 4; len <= 8; len += 4) {
			for (i = 0; i < NV; i++) {
				for (j = 0; j < NV; j++, k++) {
					uint64_t off = 16 + len * ht_random_below(t, 500), compare = 0;

					/* upper halves that are not the operand's do not matter */
					uint64_t hi = len == 4 ? ht_random(t) << 32 : 0;

					if (op == HSL_ATOMIC_CAS)
						compare = (k & 1 ? v[i] : v[j]) ^ hi;
					ht_step(t, "ATOMIC %u of %u bytes", op, len);
					atomic_one(t, q, &b[k % 3], off, op, len, v[i], v[j] ^ hi, compare);
				}
			}
			atomic_one(t, q, &b[k++ % 3], 64, op, len, ht_random(t), ht_random(t),
				   op == HSL_ATOMIC_CAS ? ht_random(t) : 0);
		}
	}
	for (i = 0; i < 3; i++) {
		ht_buf_check(t, &b[i], "after all ATOMICs");
		ht_buf_free(t, &b[i]);
	}
	ht_queue_free(t, q);
}

/*
 * ADD 1 and SIGNAL ADD 1 of many queues on one place. Each old value is seen exactly once, so that nothing was
 * executed twice or lost on the way.
 */
static void one_after_other(struct ht *t)
{
	enum { DEPTH = 64, ROUNDS = 20, QUEUES = 6 };
	unsigned int total = DEPTH * ROUNDS * QUEUES, place, i, k, round;
	uint8_t *seen = calloc(total, 1);
	struct hsl_completion c[DEPTH];
	struct hsl_op ops[DEPTH];
	struct hsl_queue *q[QUEUES];
	struct ht_buf b[3];
	uint64_t got;

	ht_need_cap(t, HSL_CAP_OP_ATOMIC, "ATOMIC");
	three_places(t, b, 4096);
	for (k = 0; k < QUEUES; k++)
		q[k] = ht_queue_new(t, t->chip[k % t->nchips].node, DEPTH);
	for (place = 0; place < 3; place++) {
		memset(b[place].p, 0, 4096);
		memset(seen, 0, total);
		for (round = 0; round < ROUNDS; round++) {
			for (k = 0; k < QUEUES; k++) {
				for (i = 0; i < DEPTH; i++) {
					if ((i + k) % 4 == 3 && (t->chip[0].cap & HSL_CAP_OP_SIGNAL))
						ops[i] = ht_op_signal(HSL_SIGNAL_ADD, b[place].ga + 64, 1);
					else
						ops[i] = ht_op_atomic(HSL_ATOMIC_ADD, b[place].ga + 64, 8, 1, 0);
					ops[i].order = (uint8_t)(round % 3);
				}
				ht_submit_all(t, q[k], ops, DEPTH);
			}
			for (k = 0; k < QUEUES; k++) {
				ht_wait_all(t, q[k], c, DEPTH);
				for (i = 0; i < DEPTH; i++) {
					ht_status(t, &c[i], HSL_ST_OK, "ADD");
					HT_TRUE(t, c[i].result < total && !seen[c[i].result],
						"old value %" PRIu64 " seen twice, or never written: an ADD was lost",
						c[i].result);
					seen[c[i].result] = 1;
				}
			}
		}
		memcpy(&got, b[place].p + 64, 8);
		HT_EQ(t, "sum of all ADDs", got, total);
	}
	for (k = 0; k < QUEUES; k++)
		ht_queue_free(t, q[k]);
	for (i = 0; i < 3; i++)
		ht_buf_free(t, &b[i]);
	free(seen);
}

static void atomic_refused(struct ht *t)
{
	static const uint64_t lens[] = { 1, 2, 3, 5, 6, 7, 9, 12, 16, 64, 4096, UINT64_MAX };
	struct hsl_queue *q;
	struct ht_buf b[3];
	unsigned int i, k;
	struct hsl_op o;

	ht_need_cap(t, HSL_CAP_OP_ATOMIC, "ATOMIC");
	ht_need_cap(t, HSL_CAP_OP_SIGNAL, "SIGNAL and WAIT");
	three_places(t, b, 4096);
	q = ht_queue_new(t, t->chip[0].node, 0);
	for (k = 0; k < 3; k++) {
		for (i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
			o = ht_op_atomic(HSL_ATOMIC_SWAP, b[k].ga, lens[i], 1, 0);
			ht_expect(t, q, &o, HSL_ST_LENGTH, "ATOMIC of another length");
			o = ht_op_signal(HSL_SIGNAL_SET, b[k].ga, 1);
			o.len = lens[i];
			ht_expect(t, q, &o, HSL_ST_LENGTH, "SIGNAL of another length");
			o = ht_op_wait(HSL_WAIT_EQ, b[k].ga, 1, 1);
			o.len = lens[i];
			ht_expect(t, q, &o, HSL_ST_LENGTH, "WAIT of another length");
		}
		o = ht_op_signal(HSL_SIGNAL_SET, b[k].ga, 1);
		o.len = 4;
		ht_expect(t, q, &o, HSL_ST_LENGTH, "SIGNAL of 4 bytes");
		for (i = 1; i < 8; i++) {
			o = ht_op_atomic(HSL_ATOMIC_SWAP, b[k].ga + i, 8, 1, 0);
			ht_expect(t, q, &o, HSL_ST_ALIGN, "misaligned ATOMIC of 8 bytes");
			o = ht_op_signal(HSL_SIGNAL_SET, b[k].ga + i, 1);
			ht_expect(t, q, &o, HSL_ST_ALIGN, "misaligned SIGNAL");
			o = ht_op_wait(HSL_WAIT_EQ, b[k].ga + i, 1, 1);
			ht_expect(t, q, &o, HSL_ST_ALIGN, "misaligned WAIT");
			if (i % 4) {
				o = ht_op_atomic(HSL_ATOMIC_SWAP, b[k].ga + i, 4, 1, 0);
				ht_expect(t, q, &o, HSL_ST_ALIGN, "misaligned ATOMIC of 4 bytes");
			}
		}
		o = ht_op_atomic(HSL_ATOMICS, b[k].ga, 8, 1, 0);
		ht_expect(t, q, &o, HSL_ST_FIELD, "ATOMIC with an unknown subop");
		o = ht_op_atomic(HSL_ATOMIC_ADD, b[k].ga, 8, 1, 1);
		ht_expect(t, q, &o, HSL_ST_FIELD, "ATOMIC other than CAS with a compare value");
		o = ht_op_atomic(HSL_ATOMIC_ADD, b[k].ga, 8, 1, 0);
		o.src = b[k].ga;
		ht_expect(t, q, &o, HSL_ST_FIELD, "ATOMIC with a source");
		o = ht_op_signal(HSL_SIGNALS, b[k].ga, 1);
		ht_expect(t, q, &o, HSL_ST_FIELD, "SIGNAL with an unknown subop");
		o = ht_op_wait(HSL_WAITS, b[k].ga, 1, 1);
		ht_expect(t, q, &o, HSL_ST_FIELD, "WAIT with an unknown subop");
		ht_buf_check(t, &b[k], "after refused commands");
	}
	for (i = 0; i < 3; i++)
		ht_buf_free(t, &b[i]);
	ht_queue_free(t, q);
}

struct adder {
	uint64_t *word;
	uint64_t *old; /* values seen before each addition */
	unsigned int n;
};

/* In step with the chip, so that both are at it all the time; not for ever, as a wrong one may lose additions. */
static void *cpu_add(void *arg)
{
	struct adder *a = arg;
	unsigned int i, patience = 100000;

	for (i = 0; i < a->n; i++) {
		while (__atomic_load_n(a->word, __ATOMIC_RELAXED) + 32 < 2ull * i && patience) {
			sched_yield();
			patience--;
		}
		a->old[i] = __atomic_fetch_add(a->word, 1, __ATOMIC_SEQ_CST);
	}
	return NULL;
}

static void with_cpu(struct ht *t)
{
	enum { N = 20000, DEPTH = 64 };
	struct hsl_completion c[DEPTH];
	uint8_t *seen = calloc(2 * N, 1);
	uint64_t *old = calloc(2 * N, sizeof(*old));
	struct adder a = { .n = N };
	unsigned int place, i, n, sent;
	struct hsl_op ops[DEPTH];
	struct hsl_queue *q;
	struct ht_buf b[3];
	pthread_t th;

	ht_need_cap(t, HSL_CAP_OP_ATOMIC, "ATOMIC");
	ht_need_cap(t, HSL_CAP_HOST_ATOMIC, "HOST_ATOMIC");
	three_places(t, b, 4096);
	q = ht_queue_new(t, t->chip[0].node, DEPTH);
	for (place = 0; place < 3; place++) {
		memset(b[place].p, 0, 4096);
		memset(seen, 0, 2 * N);
		a.word = (uint64_t *)(b[place].p + 128);
		a.old = old + N;
		HT_TRUE(t, !pthread_create(&th, NULL, cpu_add, &a), "pthread_create");
		for (sent = 0; sent < N; sent += n) {
			n = N - sent < DEPTH ? N - sent : DEPTH;
			for (i = 0; i < n; i++)
				ops[i] = ht_op_atomic(HSL_ATOMIC_ADD, b[place].ga + 128, 8, 1, 0);
			ht_submit_all(t, q, ops, n);
			ht_wait_all(t, q, c, n);
			for (i = 0; i < n; i++) {
				ht_status(t, &c[i], HSL_ST_OK, "ADD");
				old[sent + i] = c[i].result;
			}
		}
		pthread_join(th, NULL);
		for (i = 0; i < 2 * N; i++) {
			HT_TRUE(t, old[i] < 2 * N && !seen[old[i]],
				"old value %" PRIu64 " seen twice by chip and CPU", old[i]);
			seen[old[i]] = 1;
		}
		HT_EQ(t, "sum of the chip's and the CPU's ADDs", *a.word, 2 * N);
	}
	for (i = 0; i < 3; i++)
		ht_buf_free(t, &b[i]);
	ht_queue_free(t, q);
	free(seen);
	free(old);
}

/* A segment without one of the rights. Host memory shows its bytes to the CPU whatever its rights are. */
static void atomic_rights(struct ht *t)
{
	static const uint32_t rights[] = { HSL_RIGHT_READ, HSL_RIGHT_WRITE };
	struct hsl_completion c;
	unsigned int i, k, place;
	struct ht_buf b, src;
	struct hsl_queue *q;
	struct hsl_op o;

	ht_need_cap(t, HSL_CAP_OP_ATOMIC, "ATOMIC");
	ht_need_cap(t, HSL_CAP_OP_REDUCE, "REDUCE");
	q = ht_queue_new(t, t->chip[0].node, 0);
	ht_buf_new(t, &src, t->chip[0].node, 4096);
	for (i = 0; i < 2; i++) {
		for (place = 0; place < 3; place++) {
			if (place == 2)
				ht_buf_new_host(t, &b, 4096, 0, rights[i]);
			else
				ht_buf_new_rights(t, &b, t->chip[place ? t->nchips - 1 : 0].node, 4096,
						  rights[i]);
			for (k = 0; k < HSL_ATOMICS; k++) {
				o = ht_op_atomic(k, b.ga + 8, 8, 0x55, 0);
				ht_op_run(t, q, &o, &c);
				ht_status(t, &c, HSL_ST_RIGHTS, "ATOMIC without READ or without WRITE");
				HT_EQ(t, "fault GA", c.fault_ga, b.ga + 8);
			}
			for (k = 0; k < HSL_REDUCE_OPS; k++) {
				o = ht_op_reduce(k, HSL_TYPE_I32, b.ga, src.ga, 256);
				ht_expect(t, q, &o, HSL_ST_RIGHTS, "REDUCE without READ or without WRITE on dst");
			}
			if (rights[i] == HSL_RIGHT_WRITE) {
				o = ht_op_reduce(0, HSL_TYPE_I32, src.ga, b.ga, 256);
				ht_expect(t, q, &o, HSL_ST_RIGHTS, "REDUCE without READ on src");
			}
			if (b.p)
				ht_buf_check(t, &b, "memory without a right");
			ht_buf_free(t, &b);
		}
	}
	ht_buf_check(t, &src, "source");
	ht_buf_free(t, &src);
	ht_queue_free(t, q);
}

struct blinker {
	void *p;
	unsigned int width;
	volatile bool stop;
};

static const uint64_t blink_values[2] = { 0x0101010101010101ull, 0xfefefefefefefefeull };

static void *blink(void *arg)
{
	struct blinker *b = arg;
	unsigned int i;

	for (i = 0; !b->stop; i++) {
		switch (b->width) {
		case 1: __atomic_store_n((uint8_t *)b->p, (uint8_t)blink_values[i & 1], __ATOMIC_RELAXED); break;
		case 2: __atomic_store_n((uint16_t *)b->p, (uint16_t)blink_values[i & 1], __ATOMIC_RELAXED); break;
		case 4: __atomic_store_n((uint32_t *)b->p, (uint32_t)blink_values[i & 1], __ATOMIC_RELAXED); break;
		default: __atomic_store_n((uint64_t *)b->p, blink_values[i & 1], __ATOMIC_RELAXED); break;
		}
	}
	return NULL;
}

static uint64_t whole_load(const void *p, unsigned int width)
{
	switch (width) {
	case 1: return __atomic_load_n((const uint8_t *)p, __ATOMIC_RELAXED);
	case 2: return __atomic_load_n((const uint16_t *)p, __ATOMIC_RELAXED);
	case 4: return __atomic_load_n((const uint32_t *)p, __ATOMIC_RELAXED);
	default: return __atomic_load_n((const uint64_t *)p, __ATOMIC_RELAXED);
	}
}

static bool whole(uint64_t v, unsigned int width)
{
	uint64_t mask = width == 8 ? UINT64_MAX : (1ull << 8 * width) - 1;

	return v == (blink_values[0] & mask) || v == (blink_values[1] & mask);
}

static void never_torn(struct ht *t)
{
	enum { DEPTH = 64, ROUNDS = 30 };
	struct hsl_completion c[DEPTH];
	unsigned int place, i, round;
	struct hsl_op ops[DEPTH];
	struct blinker bl;
	struct hsl_queue *q;
	struct ht_buf b[3];
	pthread_t th;
	uint64_t v;

	ht_need_cap(t, HSL_CAP_OP_LOADSTORE, "LOAD and STORE");
	three_places(t, b, 4096);
	q = ht_queue_new(t, t->chip[0].node, DEPTH);
	for (place = 0; place < 3; place++) {
		for (bl.width = 1; bl.width <= 8; bl.width *= 2) {
			/* the CPU stores at 256, the chip loads there; to the result, and to 512 */
			memset(b[place].p, 1, 4096);
			bl.p = b[place].p + 256 + bl.width;
			bl.stop = false;
			HT_TRUE(t, !pthread_create(&th, NULL, blink, &bl), "pthread_create");
			for (round = 0; round < ROUNDS; round++) {
				for (i = 0; i < DEPTH; i++)
					ops[i] = (struct hsl_op){ .opcode = HSL_OP_LOAD,
								  .src = b[place].ga + 256 + bl.width,
								  .dst = i & 1 ? b[place].ga + 512 + 8 * i : 0,
								  .len = bl.width,
								  .order = HSL_ORDER_STRONG };
				ht_submit_all(t, q, ops, DEPTH);
				ht_wait_all(t, q, c, DEPTH);
				for (i = 0; i < DEPTH; i++) {
					ht_status(t, &c[i], HSL_ST_OK, "LOAD");
					v = i & 1 ? whole_load(b[place].p + 512 + 8 * i, bl.width) : c[i].result;
					HT_TRUE(t, whole(v, bl.width), "LOAD of %u bytes is torn: %#" PRIx64,
						bl.width, v);
				}
			}
			bl.stop = true;
			pthread_join(th, NULL);
			/* the chip stores, from the descriptor and from memory; the CPU looks */
			memcpy(b[place].p + 1024, &blink_values[1], 8);
			for (round = 0; round < ROUNDS; round++) {
				for (i = 0; i < DEPTH; i++) {
					ops[i] = (struct hsl_op){ .opcode = HSL_OP_STORE,
								  .dst = b[place].ga + 2048,
								  .len = bl.width,
								  .arg0 = blink_values[0] };
					if (i & 1) {
						ops[i].arg0 = 0;
						ops[i].src = b[place].ga + 1024;
					} else if (bl.width < 8) { /* the bytes beyond len do not matter */
						ops[i].arg0 |= ht_random(t) << 8 * bl.width;
					}
				}
				ht_submit_all(t, q, ops, DEPTH);
				for (i = 0; i < 2000; i++) {
					v = whole_load(b[place].p + 2048, bl.width);
					HT_TRUE(t, whole(v, bl.width), "STORE of %u bytes is torn: %#" PRIx64,
						bl.width, v);
				}
				ht_wait_all(t, q, c, DEPTH);
				for (i = 0; i < DEPTH; i++)
					ht_status(t, &c[i], HSL_ST_OK, "STORE");
			}
		}
	}
	for (i = 0; i < 3; i++)
		ht_buf_free(t, &b[i]);
	ht_queue_free(t, q);
}

const struct ht_test ht_tests_atm[] = {
	{ "HEP-ATM-001", "atomic_ops", "ten operations, 4 and 8 bytes, old value, nothing beside",
	  atomic_ops, 0, 120 },
	{ "HEP-ATM-002", "one_after_other", "ADDs of six queues on one place: each old value once",
	  one_after_other, 0, 120 },
	{ "HEP-ATM-003", "atomic_refused", "other lengths and alignments change nothing",
	  atomic_refused, 0, 0 },
	{ "HEP-ATM-004", "with_cpu", "ADDs of chip and CPU on one place: each old value once",
	  with_cpu, 0, 120 },
	{ "HEP-ATM-005", "atomic_rights", "ATOMIC and REDUCE need READ and WRITE", atomic_rights, 0,
	  0 },
	{ "HEP-ATM-006", "never_torn", "aligned LOADs and STOREs are whole, against the CPU",
	  never_torn, 0, 120 },
	{ 0 }
};
