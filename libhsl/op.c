// SPDX-License-Identifier: MIT OR Apache-2.0
/* One operation, submitted and waited for. */
#include <string.h>

#include "priv.h"

/* *result (may be NULL) gets the completion's, whatever its status. */
static int run(struct hsl_queue *q, struct hsl_op op, uint64_t *result)
{
	struct hsl_completion c;
	int n;

	if (!q)
		return -EINVAL;
	if (hsl_queue_outstanding(q))
		return -EBUSY;
	n = hsl_queue_submit(q, &op, 1);
	if (n < 0)
		return n;
	/* a signal must not leave the operation behind */
	do
		n = hsl_queue_wait(q, &c, 1, UINT64_MAX);
	while (n == -EINTR);
	if (n < 0)
		return n;
	if (result)
		*result = c.result;
	return c.error;
}

/* The same, where the result is a value that only an operation that ended well has. */
static int run_value(struct hsl_queue *q, struct hsl_op op, uint64_t *value)
{
	uint64_t result;
	int err = run(q, op, &result);

	if (!err && value)
		*value = result;
	return err;
}

int hsl_copy(struct hsl_queue *q, uint64_t dst_ga, uint64_t src_ga, uint64_t len_bytes)
{
	return run(q, hsl_op_copy(dst_ga, src_ga, len_bytes), NULL);
}

int hsl_fill(struct hsl_queue *q, uint64_t dst_ga, uint64_t len_bytes, uint64_t pattern)
{
	return run(q, hsl_op_fill(dst_ga, len_bytes, pattern), NULL);
}

int hsl_nop(struct hsl_queue *q)
{
	return run(q, hsl_op_make(HSL_OP_NOP, 0, 0, 0, 0, 0, 0), NULL);
}

int hsl_fence(struct hsl_queue *q)
{
	return run(q, hsl_op_fence(), NULL);
}

int hsl_reduce(struct hsl_queue *q, unsigned int op, unsigned int type, uint64_t dst_ga, uint64_t src_ga,
	       uint64_t count)
{
	static const uint8_t bytes[HSL_TYPES] = { 4, 8, 2, 2, 4, 8 };

	if (op >= HSL_REDUCE_OPS || type >= HSL_TYPES)
		return -EINVAL;
	if (count > UINT64_MAX / bytes[type])
		return -EMSGSIZE;
	return run(q, hsl_op_reduce(op, type, dst_ga, src_ga, count * bytes[type]), NULL);
}

int hsl_atomic(struct hsl_queue *q, unsigned int op, uint64_t ga, unsigned int len_bytes, uint64_t operand,
	       uint64_t compare, uint64_t *old)
{
	if (op >= HSL_ATOMICS || (len_bytes != 4 && len_bytes != 8))
		return -EINVAL;
	return run_value(q, hsl_op_atomic(op, ga, len_bytes, operand, compare), old);
}

int hsl_load(struct hsl_queue *q, uint64_t src_ga, unsigned int len_bytes, uint64_t *value)
{
	if (!value || !len_bytes || len_bytes > HSL_LOAD_RESULT_MAX)
		return -EINVAL;
	return run_value(q, hsl_op_load(0, src_ga, len_bytes), value);
}

int hsl_store(struct hsl_queue *q, uint64_t dst_ga, const void *bytes, unsigned int len_bytes)
{
	uint64_t arg[2] = { 0, 0 };

	if (!bytes || !len_bytes || len_bytes > HSL_STORE_ARGS_MAX)
		return -EINVAL;
	memcpy(arg, bytes, len_bytes);
	return run(q, hsl_op_make(HSL_OP_STORE, 0, dst_ga, 0, len_bytes, arg[0], arg[1]), NULL);
}

int hsl_signal(struct hsl_queue *q, unsigned int op, uint64_t ga, uint64_t value, uint64_t *old)
{
	if (op >= HSL_SIGNALS)
		return -EINVAL;
	return run_value(q, hsl_op_signal(op, ga, value), old);
}

int hsl_wait_value(struct hsl_queue *q, unsigned int cond, uint64_t ga, uint64_t value, uint64_t timeout_ns,
		   uint64_t *seen)
{
	uint64_t result;
	int err;

	if (cond >= HSL_WAITS)
		return -EINVAL;
	err = run(q, hsl_op_wait(cond, ga, value, timeout_ns), &result);
	/* a timeout has seen a value too */
	if (seen && (!err || err == -ETIMEDOUT))
		*seen = result;
	return err;
}

int hsl_copy2d(struct hsl_queue *q, uint64_t dst_ga, uint32_t dst_pitch, uint64_t src_ga, uint32_t src_pitch,
	       uint64_t row_bytes, uint32_t rows)
{
	return run(q, hsl_op_copy2d(dst_ga, dst_pitch, src_ga, src_pitch, row_bytes, rows), NULL);
}

int hsl_copy_list(struct hsl_queue *q, uint64_t list_ga, unsigned int n)
{
	return run(q, hsl_op_copy_list(list_ga, n), NULL);
}
