/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Shrinking by delta debugging (Zeller and Hildebrandt): leave out a half, a quarter, … of the sequence, keep what still fails, until no
 * single operation can be left out. Then each operation is made simpler where the failure stays.
 */
#include <stdlib.h>
#include <string.h>

#include "walk.h"
#include "hsl/proto.h"

struct shrink {
	struct walk_op *ops, *trial;
	unsigned int n, tries;
	bool (*fails)(void *arg, const struct walk_op *ops, unsigned int n);
	void *arg;
};

static bool still_fails(struct shrink *s, unsigned int n)
{
	if (!n || !s->tries)
		return false;
	s->tries--;
	return s->fails(s->arg, s->trial, n);
}

/* Leaves out ops[from, from + len) if it fails without them. */
static bool drop(struct shrink *s, unsigned int from, unsigned int len)
{
	unsigned int rest = s->n - from - len;

	memcpy(s->trial, s->ops, from * sizeof(*s->ops));
	memcpy(s->trial + from, s->ops + from + len, rest * sizeof(*s->ops));
	if (!still_fails(s, s->n - len))
		return false;
	s->n -= len;
	memcpy(s->ops, s->trial, s->n * sizeof(*s->ops));
	return true;
}

static void leave_out(struct shrink *s)
{
	unsigned int chunk = s->n, from, len;
	bool any;

	do {
		chunk = chunk > 1 ? (chunk + 1) / 2 : 1;
		any = false;
		for (from = 0; from < s->n && s->tries;) {
			len = chunk < s->n - from ? chunk : s->n - from;
			if (drop(s, from, len))
				any = true;
			else
				from += len;
		}
	} while (s->tries && (chunk > 1 || any));
}

#define WAYS 6

/* Change number `way` of an operation; false when there is none, or it changes nothing. */
static bool simplify(struct walk_op *op, unsigned int way)
{
	struct walk_op before = *op;
	bool sized = op->kind == WALK_COMMAND && (op->opcode == HSL_OP_COPY || op->opcode == HSL_OP_FILL);

	switch (way) {
	case 0: op->more = false; break;
	case 1: op->order = 0; break;
	case 2: /* other lengths are bound to a unit */
		if (sized && op->len > 1)
			op->len /= 2;
		break;
	case 3:
		if (sized && op->len > 1)
			op->len--;
		break;
	case 4:
		if (op->n > 1) {
			op->n--;
			op->len = op->n * (uint32_t)sizeof(struct hsl_copy_entry);
		}
		break;
	case 5:
		if (op->rows > 1)
			op->rows--;
		break;
	default: return false;
	}
	return memcmp(&before, op, sizeof(before)) != 0;
}

static void make_simpler(struct shrink *s)
{
	unsigned int i, way;

	for (i = 0; i < s->n; i++) {
		for (way = 0; way < WAYS && s->tries;) {
			memcpy(s->trial, s->ops, s->n * sizeof(*s->ops));
			if (simplify(&s->trial[i], way) && still_fails(s, s->n))
				s->ops[i] = s->trial[i];
			else
				way++;
		}
	}
}

unsigned int walk_shrink(struct walk_op *ops, unsigned int n, bool (*fails)(void *arg, const struct walk_op *ops, unsigned int n),
			 void *arg, unsigned int tries)
{
	struct shrink s = { .ops = ops, .n = n, .tries = tries, .fails = fails, .arg = arg };

	s.trial = malloc(n * sizeof(*ops));
	if (!s.trial)
		return n;
	leave_out(&s);
	make_simpler(&s);
	leave_out(&s);
	free(s.trial);
	return s.n;
}
