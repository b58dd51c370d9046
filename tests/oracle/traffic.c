// SPDX-License-Identifier: MIT OR Apache-2.0
#include <string.h>

#include "traffic.h"

enum use { BYTES, WORDS, WHOLE, COUNTERS, ALL };

uint64_t traffic_random(struct traffic *t) /* splitmix64 */
{
	uint64_t z = t->rng += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

uint32_t traffic_below(struct traffic *t, uint32_t n)
{
	return (uint32_t)((traffic_random(t) >> 32) * n >> 32);
}

void traffic_init(struct traffic *t, uint64_t seed, uint32_t lines, uint32_t hot)
{
	memset(t, 0, sizeof(*t));
	t->rng = seed;
	t->lines = lines;
	t->hot = hot;
}

/* The next values of bytes [off, off + len) of a line. */
static void next_values(struct traffic *t, uint32_t line, uint32_t off, uint32_t len, uint8_t *out)
{
	for (uint32_t i = 0; i < len; i++)
		out[i] = ++t->count[line][off + i];
}

static void set_atomic(struct traffic *t, uint32_t line, bool counter, struct oracle_op *op)
{
	static const uint8_t of_counters[] = { HSL_ATOMIC_ADD, HSL_ATOMIC_ADD, HSL_ATOMIC_ADD,
					       HSL_ATOMIC_XOR, HSL_ATOMIC_AND, HSL_ATOMIC_OR,
					       HSL_ATOMIC_MIN, HSL_ATOMIC_MAX, HSL_ATOMIC_UMIN,
					       HSL_ATOMIC_UMAX };
	uint32_t off = op->ga % HSL_LINE_BYTES;

	op->kind = ORACLE_ATOMIC;
	if (counter) {
		op->subop = of_counters[traffic_below(t, sizeof(of_counters))];
		op->arg0 = traffic_random(t);
		/* or the word would soon be all ones, or all zeros */
		if (op->subop == HSL_ATOMIC_OR)
			op->arg0 &= traffic_random(t) & traffic_random(t);
		else if (op->subop == HSL_ATOMIC_AND)
			op->arg0 |= traffic_random(t) | traffic_random(t);
		return;
	}
	op->subop = traffic_below(t, 2) ? HSL_ATOMIC_SWAP : HSL_ATOMIC_CAS;
	if (op->subop == HSL_ATOMIC_CAS) /* what may be there */
		memcpy(&op->arg1, &t->count[line][off], op->len);
	next_values(t, line, off, op->len, (uint8_t *)&op->arg0);
}

static void set_place(struct traffic *t, uint32_t line, uint32_t off, uint32_t len,
		      struct oracle_op *op)
{
	op->ga = t->ga[line] + off;
	op->len = (uint8_t)len;
}

static void set_word(struct traffic *t, uint32_t line, struct oracle_op *op)
{
	uint32_t len = 4u << traffic_below(t, 2);

	set_place(t, line, len * traffic_below(t, HSL_LINE_BYTES / len), len, op);
}

static void set_bytes(struct traffic *t, uint32_t line, struct oracle_op *op)
{
	uint32_t off = traffic_below(t, HSL_LINE_BYTES), most = HSL_LINE_BYTES - off;

	if (traffic_below(t, 2) && most > 8)
		most = 8;
	set_place(t, line, off, 1 + traffic_below(t, most), op);
}

void traffic_next(struct traffic *t, uint16_t agent, struct oracle_op *op)
{
	static const uint8_t kinds[] = { ORACLE_LOAD,  ORACLE_LOAD,  ORACLE_LOAD, ORACLE_STORE,
					 ORACLE_STORE, ORACLE_STORE, ORACLE_READ, ORACLE_WRITE,
					 ORACLE_FLUSH, ORACLE_ATOMIC };
	uint32_t line = traffic_below(t, traffic_below(t, 2) ? t->hot : t->lines);
	enum use use = line % TRAFFIC_USES;
	bool writes, counter = use == COUNTERS;

	memset(op, 0, sizeof(*op));
	op->agent = agent;
	op->kind = kinds[traffic_below(t, sizeof(kinds))];
	if (use == ALL) {
		use = traffic_below(t, 3);
		counter = traffic_below(t, 2);
	}
	if (use == BYTES && op->kind != ORACLE_ATOMIC)
		set_bytes(t, line, op);
	else if (use == WHOLE && op->kind != ORACLE_ATOMIC)
		set_place(t, line, 0, HSL_LINE_BYTES, op);
	else
		set_word(t, line, op);
	writes = op->kind == ORACLE_STORE || op->kind == ORACLE_WRITE;
	if (op->kind == ORACLE_ATOMIC || (writes && use == COUNTERS))
		set_atomic(t, line, counter, op);
	else if (writes)
		next_values(t, line, op->ga % HSL_LINE_BYTES, op->len, op->data);
}

void traffic_audit(struct traffic *t, uint32_t line, uint16_t agent, struct oracle_op *op)
{
	memset(op, 0, sizeof(*op));
	op->agent = agent;
	op->kind = traffic_below(t, 2) ? ORACLE_LOAD : ORACLE_READ;
	set_place(t, line, 0, HSL_LINE_BYTES, op);
}
