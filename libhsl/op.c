// SPDX-License-Identifier: MIT OR Apache-2.0
/* One operation, submitted and waited for. */
#include "priv.h"

static int run(struct hsl_queue *q, const struct hsl_op *op)
{
	struct hsl_completion c;
	int n;

	if (!q)
		return -EINVAL;
	if (hsl_queue_outstanding(q))
		return -EBUSY;
	n = hsl_queue_submit(q, op, 1);
	if (n < 0)
		return n;
	/* a signal must not leave the operation behind */
	do
		n = hsl_queue_wait(q, &c, 1, UINT64_MAX);
	while (n == -EINTR);
	return n < 0 ? n : c.error;
}

int hsl_copy(struct hsl_queue *q, uint64_t dst_ga, uint64_t src_ga, uint64_t len_bytes)
{
	return run(q, &(struct hsl_op){ .opcode = HSL_OP_COPY, .dst = dst_ga, .src = src_ga, .len = len_bytes });
}

int hsl_fill(struct hsl_queue *q, uint64_t dst_ga, uint64_t len_bytes, uint64_t pattern)
{
	return run(q, &(struct hsl_op){ .opcode = HSL_OP_FILL, .dst = dst_ga, .len = len_bytes, .arg0 = pattern });
}

int hsl_nop(struct hsl_queue *q)
{
	return run(q, &(struct hsl_op){ .opcode = HSL_OP_NOP });
}
