// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * A COPY or FILL of each slot of a buffer, again and again, by one queue: the destination is poisoned before and compared after, outside
 * of the time.
 */
#include <stdlib.h>
#include <string.h>

#include "bench.h"

struct hsl_op *bench_move_ops(const struct bench_move *m)
{
	const struct bench_set *s = m->shape;
	struct hsl_op *op = tool_calloc(s->slots, sizeof(*op));

	for (uint32_t i = 0; i < s->slots; i++) {
		op[i].opcode = m->opcode;
		op[i].dst = m->dst->ga + i * s->stride;
		op[i].len = s->size;
		if (m->opcode == HSL_OP_COPY)
			op[i].src = m->src->ga + i * s->stride;
		else
			op[i].arg0 = m->pt.seed;
	}
	return op;
}

bool bench_move_check(struct bench *b, const struct bench_move *m, uint64_t ops)
{
	struct bench_set used = *m->shape;

	/* with fewer operations than slots the rest is still poison */
	if (ops < used.slots)
		used.slots = (uint32_t)ops;
	return !ops || bench_area_check(b, &used, m->dst, &m->pt, m->name);
}

void bench_move(struct bench *b, const struct bench_move *m, const struct bench_limit *limit, struct bench_share *share)
{
	struct hsl_op *op = bench_move_ops(m);
	char reason[160];

	bench_area_poison(b, m->dst);
	if (bench_queue_ready(b, m->node, m->depth, false, reason)) {
		bench_complain(b, "%s: %s", m->name, reason);
		share->errors++;
	} else {
		bench_drive(b, m->name, op, m->shape->slots, m->depth, m->batch, limit, share);
		share->errors += !bench_move_check(b, m, share->ops);
	}
	free(op);
}
