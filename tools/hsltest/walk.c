/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The random walk's generator and golden model; see walk.h. */
#include <stdio.h>
#include <string.h>

#include "hsltest.h"
#include "walk.h"

/* ------------------------------------------------------------------ making operations */

struct gen {
	const struct walk_world *w;
	uint64_t rng;
};

static uint32_t below(struct gen *g, uint32_t limit)
{
	return (uint32_t)(ht_mix(g->rng++) % limit);
}

/* Mostly a few bytes, where edges are; sometimes pages. A multiple of unit, at least one. */
static uint32_t some_len(struct gen *g, uint32_t unit, uint32_t max)
{
	uint32_t limit = below(g, 4) ? 96 : below(g, 4) ? 2048 : max;

	limit = (limit < max ? limit : max) / unit;
	return (1 + below(g, limit ? limit : 1)) * unit;
}

/* len bytes fit behind it. */
static struct walk_place some_place(struct gen *g, uint32_t len, uint32_t unit)
{
	struct walk_place p = { .buf = (uint8_t)below(g, g->w->nbufs) };

	/* places near each other meet more often */
	p.off = below(g, (below(g, 2) && len + 256 < WALK_LEN ? 256 : WALK_LEN - len) / unit + 1) * unit;
	return p;
}

static struct walk_place elsewhere(struct gen *g, uint8_t buf, uint32_t len, uint32_t unit)
{
	struct walk_place p;

	do {
		p = some_place(g, len, unit);
	} while (p.buf == buf);
	return p;
}

static void make_list(struct gen *g, struct walk_op *op)
{
	unsigned int i;

	op->n = (uint8_t)(1 + below(g, WALK_ENTRIES));
	for (i = 0; i < op->n; i++) {
		op->e[i].len = some_len(g, 1, 1024);
		op->e[i].dst = some_place(g, op->e[i].len, 1);
		op->e[i].src = some_place(g, op->e[i].len, 1);
	}
	op->len = op->n * (uint32_t)sizeof(struct hsl_copy_entry);
}

static void make_2d(struct gen *g, struct walk_op *op)
{
	op->len = 1 + below(g, 100);
	op->rows = 1 + below(g, 8);
	op->dpitch = op->len + below(g, 60);
	op->spitch = op->len + below(g, 60);
	op->dst = some_place(g, op->dpitch * op->rows, 1);
	op->src = elsewhere(g, op->dst.buf, op->spitch * op->rows, 1);
}

static void make_reduce(struct gen *g, struct walk_op *op)
{
	unsigned int type = below(g, HSL_TYPES), bytes = ht_type_bytes(type);

	op->subop = HSL_REDUCE_SUBOP(below(g, HSL_REDUCE_OPS), type);
	op->len = some_len(g, bytes, 2048);
	op->dst = some_place(g, op->len, bytes);
	op->src = some_place(g, op->len, bytes);
}

static void make_command(struct gen *g, struct walk_op *op)
{
	static const struct {
		uint8_t opcode;
		uint64_t cap;
		unsigned int weight;
	} kinds[] = {
		{ HSL_OP_NOP, 0, 1 },
		{ HSL_OP_COPY, HSL_CAP_OP_COPY, 8 },
		{ HSL_OP_FILL, HSL_CAP_OP_FILL, 4 },
		{ HSL_OP_REDUCE, HSL_CAP_OP_REDUCE, 3 },
		{ HSL_OP_ATOMIC, HSL_CAP_OP_ATOMIC, 4 },
		{ HSL_OP_LOAD, HSL_CAP_OP_LOADSTORE, 3 },
		{ HSL_OP_STORE, HSL_CAP_OP_LOADSTORE, 3 },
		{ HSL_OP_SIGNAL, HSL_CAP_OP_SIGNAL, 2 },
		{ HSL_OP_WAIT, HSL_CAP_OP_SIGNAL, 2 },
		{ HSL_OP_FENCE, HSL_CAP_OP_FENCE, 1 },
		{ HSL_OP_COPY2D, HSL_CAP_OP_COPY2D, 2 },
		{ HSL_OP_COPY_LIST, HSL_CAP_OP_COPY_LIST, 2 },
	};
	unsigned int i, total = 0, pick;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		total += (g->w->cap & kinds[i].cap) == kinds[i].cap ? kinds[i].weight : 0;
	pick = below(g, total);
	for (i = 0;; i++) {
		unsigned int weight = (g->w->cap & kinds[i].cap) == kinds[i].cap ? kinds[i].weight : 0;

		if (pick < weight)
			break;
		pick -= weight;
	}
	op->opcode = kinds[i].opcode;
	op->order = (uint8_t)below(g, 3);
	op->queue = (uint8_t)below(g, g->w->nqueues);
	op->more = below(g, 2);
	op->arg0 = below(g, 3) ? ht_mix(g->rng++) : below(g, 3);
	switch (op->opcode) {
	case HSL_OP_COPY:
		op->len = some_len(g, 1, 8192);
		op->dst = some_place(g, op->len, 1);
		op->src = some_place(g, op->len, 1);
		break;
	case HSL_OP_FILL:
		op->len = some_len(g, 1, 8192);
		op->dst = some_place(g, op->len, 1);
		break;
	case HSL_OP_REDUCE: make_reduce(g, op); break;
	case HSL_OP_ATOMIC:
		op->subop = (uint8_t)below(g, HSL_ATOMIC_UMAX + 1);
		op->len = 4u << below(g, 2);
		op->dst = some_place(g, op->len, op->len);
		op->arg1 = op->subop == HSL_ATOMIC_CAS ? below(g, 3) : 0;
		break;
	case HSL_OP_LOAD:
	case HSL_OP_STORE:
		op->imm = below(g, 2);
		op->len = 1 + below(g, !op->imm ? 64 : op->opcode == HSL_OP_LOAD ? 8 : 16);
		op->dst = some_place(g, op->len, 1);
		op->src = elsewhere(g, op->dst.buf, op->len, 1);
		op->arg1 = ht_mix(g->rng++);
		break;
	case HSL_OP_SIGNAL:
		op->subop = (uint8_t)below(g, 2);
		op->len = 8;
		op->dst = some_place(g, 8, 8);
		break;
	case HSL_OP_WAIT:
		op->subop = (uint8_t)below(g, HSL_WAIT_GE + 1);
		op->len = 8;
		op->src = some_place(g, 8, 8);
		op->arg1 = 1000; /* ns: what does not hold now never will */
		break;
	case HSL_OP_COPY2D: make_2d(g, op); break;
	case HSL_OP_COPY_LIST: make_list(g, op); break;
	default: break;
	}
}

void walk_generate(const struct walk_world *w, uint64_t seed, struct walk_op *ops, unsigned int n)
{
	struct gen g = { .w = w, .rng = ht_mix(seed) };
	unsigned int i, pick;

	memset(ops, 0, n * sizeof(*ops));
	for (i = 0; i < n; i++) {
		pick = below(&g, 100);
		if (i && pick >= 85) {
			/* the very same once more: what a chip remembers shows when it has changed meanwhile */
			ops[i] = ops[i - 1 - below(&g, i < 8 ? i : 8)];
		} else if (pick < 12) {
			ops[i].kind = WALK_CPU_STORE;
			ops[i].len = 1 + below(&g, 64);
			ops[i].dst = some_place(&g, ops[i].len, 1);
			ops[i].arg0 = ht_mix(g.rng++);
		} else if (pick == 12) {
			ops[i].kind = WALK_RENEW;
			ops[i].dst.buf = (uint8_t)below(&g, w->nbufs);
		} else {
			make_command(&g, &ops[i]);
		}
	}
}

/* ------------------------------------------------------------------ the model */

void walk_model_reset(const struct walk_world *w, uint64_t seed, uint8_t (*mem)[WALK_LEN])
{
	unsigned int i;

	for (i = 0; i < w->nbufs; i++)
		ht_pattern(mem[i], WALK_LEN, ht_mix(seed + i));
}

static uint64_t get(const uint8_t *p, unsigned int len)
{
	uint64_t v = 0;

	memcpy(&v, p, len);
	return v;
}

static void reduce(const struct walk_op *op, uint8_t *dst, const uint8_t *src)
{
	unsigned int type = op->subop >> 4, bytes = ht_type_bytes(type), i;
	uint8_t before[WALK_LEN];
	uint64_t v;

	memcpy(before, src, op->len);
	for (i = 0; i < op->len; i += bytes) {
		v = ht_oracle_reduce(op->subop & 15, type, get(dst + i, bytes), get(before + i, bytes));
		memcpy(dst + i, &v, bytes);
	}
}

static void atomic(const struct walk_op *op, uint8_t *dst, struct walk_expect *e)
{
	uint64_t v;

	e->result = get(dst, op->len);
	v = ht_oracle_atomic(op->subop, op->len, e->result, op->arg0, op->arg1);
	memcpy(dst, &v, op->len);
}

static void store(const struct walk_op *op, uint8_t *dst, const uint8_t *src)
{
	uint8_t bytes[16];

	memcpy(bytes, &op->arg0, 8);
	memcpy(bytes + 8, &op->arg1, 8);
	memcpy(dst, op->imm ? bytes : src, op->len);
}

void walk_model_apply(const struct walk_op *op, uint8_t (*mem)[WALK_LEN], struct walk_expect *e)
{
	uint8_t *dst = mem[op->dst.buf] + op->dst.off, *src = mem[op->src.buf] + op->src.off;
	unsigned int i;
	uint64_t v;

	*e = (struct walk_expect){ .status = HSL_ST_OK, .result = op->len };
	if (op->kind == WALK_CPU_STORE) {
		ht_pattern(dst, op->len, op->arg0);
		return;
	}
	if (op->kind == WALK_RENEW) {
		memset(mem[op->dst.buf], 0, WALK_LEN);
		return;
	}
	switch (op->opcode) {
	case HSL_OP_COPY: ht_oracle_move(dst, src, op->len); break;
	case HSL_OP_FILL: ht_oracle_fill(dst, op->len, op->arg0); break;
	case HSL_OP_REDUCE: reduce(op, dst, src); break;
	case HSL_OP_ATOMIC: atomic(op, dst, e); break;
	case HSL_OP_LOAD:
		if (op->imm)
			e->result = get(src, op->len);
		else
			ht_oracle_move(dst, src, op->len);
		break;
	case HSL_OP_STORE: store(op, dst, src); break;
	case HSL_OP_SIGNAL:
		e->result = get(dst, 8);
		v = op->subop == HSL_SIGNAL_ADD ? e->result + op->arg0 : op->arg0;
		memcpy(dst, &v, 8);
		break;
	case HSL_OP_WAIT:
		e->result = get(src, 8);
		e->status = ht_oracle_condition(op->subop, e->result, op->arg0) ? HSL_ST_OK : HSL_ST_TIMEOUT;
		break;
	case HSL_OP_COPY2D:
		for (i = 0; i < op->rows; i++)
			ht_oracle_move(dst + (uint64_t)i * op->dpitch, src + (uint64_t)i * op->spitch, op->len);
		e->result = (uint64_t)op->rows * op->len;
		break;
	case HSL_OP_COPY_LIST:
		for (i = 0, e->result = 0; i < op->n; i++) {
			ht_oracle_move(mem[op->e[i].dst.buf] + op->e[i].dst.off, mem[op->e[i].src.buf] + op->e[i].src.off, op->e[i].len);
			e->result += op->e[i].len;
		}
		break;
	default: break; /* NOP, FENCE: len is 0 */
	}
}

/* ------------------------------------------------------------------ words */

const char *walk_describe(const struct walk_op *op, char *buf, size_t len)
{
	static const char *const names[] = { "NOP",    "COPY", "FILL",  "REDUCE", "ATOMIC", "LOAD",
					     "STORE", "SIGNAL", "WAIT", "FENCE",  "COPY2D", "COPY_LIST" };
	size_t used;
	unsigned int i;

	if (op->kind == WALK_CPU_STORE) {
		snprintf(buf, len, "CPU store b%u+0x%x, %u bytes", op->dst.buf, op->dst.off, op->len);
		return buf;
	}
	if (op->kind == WALK_RENEW) {
		snprintf(buf, len, "free and allocate b%u", op->dst.buf);
		return buf;
	}
	used = (size_t)snprintf(buf, len, "q%u %s", op->queue, names[op->opcode]);
	if (op->opcode == HSL_OP_REDUCE || op->opcode == HSL_OP_ATOMIC || op->opcode == HSL_OP_SIGNAL || op->opcode == HSL_OP_WAIT)
		used += (size_t)snprintf(buf + used, len - used, ".%u", op->subop);
	if (op->opcode == HSL_OP_COPY_LIST) {
		for (i = 0; i < op->n && used < len; i++)
			used += (size_t)snprintf(buf + used, len - used, "%s b%u+0x%x <- b%u+0x%x, %u bytes", i ? ";" : "", op->e[i].dst.buf,
						 op->e[i].dst.off, op->e[i].src.buf, op->e[i].src.off, op->e[i].len);
	} else if (op->len) {
		if (op->opcode != HSL_OP_WAIT && !(op->opcode == HSL_OP_LOAD && op->imm))
			used += (size_t)snprintf(buf + used, len - used, " b%u+0x%x", op->dst.buf, op->dst.off);
		if (op->opcode == HSL_OP_COPY || op->opcode == HSL_OP_REDUCE || op->opcode == HSL_OP_WAIT || op->opcode == HSL_OP_COPY2D ||
		    op->opcode == HSL_OP_LOAD || (op->opcode == HSL_OP_STORE && !op->imm))
			used += (size_t)snprintf(buf + used, len - used, " <- b%u+0x%x", op->src.buf, op->src.off);
		used += (size_t)snprintf(buf + used, len - used, ", %u bytes", op->len);
	}
	if (op->opcode == HSL_OP_COPY2D && used < len)
		used += (size_t)snprintf(buf + used, len - used, " x %u rows, pitches %u <- %u", op->rows, op->dpitch, op->spitch);
	if ((op->opcode == HSL_OP_FILL || op->opcode == HSL_OP_ATOMIC || op->opcode == HSL_OP_SIGNAL || op->opcode == HSL_OP_WAIT ||
	     (op->opcode == HSL_OP_STORE && op->imm)) &&
	    used < len)
		used += (size_t)snprintf(buf + used, len - used, ", 0x%llx", (unsigned long long)op->arg0);
	if (op->more && used < len)
		snprintf(buf + used, len - used, " +");
	return buf;
}
