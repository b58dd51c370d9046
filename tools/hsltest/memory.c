/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Buffers with a shadow, and operations. The shadow is what the memory should hold after what the
 * test did: ht_copy moves the shadow's bytes with the oracle, ht_buf_check compares all of the
 * buffer, so a byte changed anywhere outside a destination is found too.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "hsltest.h"

uint64_t ht_random(struct ht *t)
{
	ht_progress(t);
	return ht_mix(t->rng++);
}

uint64_t ht_random_below(struct ht *t, uint64_t limit)
{
	return ht_random(t) % limit;
}

static void *pages_new(struct ht *t, uint64_t len)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		HT_SKIP_TEST(t, "no memory for a buffer of %" PRIu64 " bytes: %s", len,
			     strerror(errno));
	return p;
}

static void buf_finish(struct ht *t, struct ht_buf *b, uint32_t rights)
{
	b->shadow = malloc(b->len);
	if (!b->shadow)
		HT_SKIP_TEST(t, "no memory for a shadow of %" PRIu64 " bytes", b->len);
	b->ga = hsl_segment_ga(b->seg);
	if (rights & HSL_RIGHT_WRITE)
		ht_buf_pattern(t, b);
	else
		memcpy(b->shadow, b->p, b->len);
}

void ht_buf_new_rights(struct ht *t, struct ht_buf *b, uint32_t node, uint64_t len, uint32_t rights)
{
	struct hsl_segment_opts o = { .size = sizeof(o), .rights = rights };
	void *p;
	int rc;

	memset(b, 0, sizeof(*b));
	b->node = node;
	b->len = len;
	HT_OK(t, hsl_segment_alloc(t->f, node, len, &o, &b->seg));
	rc = hsl_segment_map(b->seg, &p);
	/* a CPU cannot write only: a mapping of such a segment may be refused, and shows nothing
	 * then */
	if (rc == -EACCES && rights == HSL_RIGHT_WRITE)
		p = NULL;
	else
		HT_TRUE(t, !rc, "hsl_segment_map: expected success, got %s", ht_errno_name(rc));
	b->p = p;
	buf_finish(t, b, rights);
}

void ht_buf_new_host(struct ht *t, struct ht_buf *b, uint64_t len, unsigned int skew,
		     uint32_t rights)
{
	struct hsl_segment_opts o = { .size = sizeof(o), .rights = rights };
	struct rlimit lim;
	void *p;
	int rc;

	memset(b, 0, sizeof(*b));
	b->len = len;
	b->host_len = len + skew;
	b->host = pages_new(t, b->host_len);
	p = (uint8_t *)b->host + skew;
	ht_pattern(p, len, ht_random(t));
	rc = hsl_segment_register(t->f, p, len, &o, &b->seg);
	if (rc == -ENOMEM && !getrlimit(RLIMIT_MEMLOCK, &lim) && lim.rlim_cur < 64u << 20)
		HT_SKIP_TEST(t,
			     "RLIMIT_MEMLOCK of %" PRIu64 " bytes is too little for %" PRIu64
			     ": ulimit -l 65536",
			     (uint64_t)lim.rlim_cur, len);
	HT_TRUE(t, !rc, "hsl_segment_register of %" PRIu64 " bytes: expected success, got %s", len,
		ht_errno_name(rc));
	b->p = p;
	buf_finish(t, b, rights);
}

void ht_buf_new(struct ht *t, struct ht_buf *b, uint32_t node, uint64_t len)
{
	if (node)
		ht_buf_new_rights(t, b, node, len, HSL_RIGHT_RW);
	else
		ht_buf_new_host(t, b, len, 0, HSL_RIGHT_RW);
}

void ht_buf_free(struct ht *t, struct ht_buf *b)
{
	if (b->seg)
		HT_OK(t, hsl_segment_free(b->seg));
	if (b->host)
		munmap(b->host, b->host_len);
	free(b->shadow);
	memset(b, 0, sizeof(*b));
}

void ht_buf_pattern(struct ht *t, struct ht_buf *b)
{
	ht_pattern(b->shadow, b->len, ht_random(t));
	if (b->p)
		memcpy(b->p, b->shadow, b->len);
}

void ht_buf_check_at(struct ht *t, struct ht_buf *b, uint64_t off, uint64_t len, const char *file,
		     int line, const char *what)
{
	struct ht_diff d;

	ht_progress(t);
	if (!b->p || ht_equal(b->p + off, b->shadow + off, len, &d))
		return;
	ht_finish(t, HT_FAIL, file, line,
		  "%s: %s memory, GA %#" PRIx64 " (byte %" PRIu64 " of %" PRIu64
		  "): expected 0x%02x, got 0x%02x; "
		  "%" PRIu64 " bytes differ, the last is byte %" PRIu64,
		  what, b->node ? "chip" : "host", b->ga + off + d.first, off + d.first, b->len,
		  d.expected, d.got, d.count, off + d.last);
}

/* ------------------------------------------------------------------ operations */

#define QUEUES_WATCHED 8

/* Queues of this test, for the dump after a time-out (run.c). Written by the test, read in its
 * signal handler. */
struct hsl_queue *volatile ht_watched_queues[QUEUES_WATCHED];

struct hsl_queue *ht_queue_new(struct ht *t, uint32_t node, uint32_t depth)
{
	struct hsl_queue_opts o = { .size = sizeof(o), .depth = depth };
	struct hsl_queue *q = NULL;
	unsigned int i;
	int rc;

	rc = hsl_queue_create(t->f, node, &o, &q);
	if (rc == -EBUSY)
		HT_SKIP_TEST(t, "every queue of chip %u is in use", node);
	HT_TRUE(t, !rc, "hsl_queue_create on chip %u, depth %u: expected success, got %s", node,
		depth, ht_errno_name(rc));
	for (i = 0; i < QUEUES_WATCHED; i++) {
		if (!ht_watched_queues[i]) {
			ht_watched_queues[i] = q;
			break;
		}
	}
	return q;
}

void ht_queue_free(struct ht *t, struct hsl_queue *q)
{
	unsigned int i;

	(void)t;
	for (i = 0; i < QUEUES_WATCHED; i++) {
		if (ht_watched_queues[i] == q)
			ht_watched_queues[i] = NULL;
	}
	hsl_queue_destroy(q);
}

struct hsl_op ht_op_copy(uint64_t dst, uint64_t src, uint64_t len)
{
	return (struct hsl_op){ .opcode = HSL_OP_COPY, .dst = dst, .src = src, .len = len };
}

struct hsl_op ht_op_fill(uint64_t dst, uint64_t len, uint64_t pattern)
{
	return (struct hsl_op){ .opcode = HSL_OP_FILL, .dst = dst, .len = len, .arg0 = pattern };
}

struct hsl_op ht_op_reduce(unsigned int op, unsigned int type, uint64_t dst, uint64_t src,
			   uint64_t len)
{
	return (struct hsl_op){ .opcode = HSL_OP_REDUCE,
				.subop = HSL_REDUCE_SUBOP(op, type),
				.dst = dst,
				.src = src,
				.len = len };
}

struct hsl_op ht_op_atomic(unsigned int op, uint64_t dst, uint64_t len, uint64_t operand,
			   uint64_t compare)
{
	return (struct hsl_op){ .opcode = HSL_OP_ATOMIC,
				.subop = (uint8_t)op,
				.dst = dst,
				.len = len,
				.arg0 = operand,
				.arg1 = compare };
}

struct hsl_op ht_op_signal(unsigned int op, uint64_t dst, uint64_t value)
{
	return (struct hsl_op){
		.opcode = HSL_OP_SIGNAL, .subop = (uint8_t)op, .dst = dst, .len = 8, .arg0 = value
	};
}

struct hsl_op ht_op_wait(unsigned int cond, uint64_t src, uint64_t value, uint64_t timeout_ns)
{
	return (struct hsl_op){ .opcode = HSL_OP_WAIT,
				.subop = (uint8_t)cond,
				.src = src,
				.len = 8,
				.arg0 = value,
				.arg1 = timeout_ns };
}

/* The first chip that does not claim it. */
static const struct hsl_chip_props *without(const struct ht *t, uint64_t cap)
{
	for (unsigned int i = 0; i < t->nchips; i++) {
		if (!(t->chip[i].cap & cap))
			return &t->chip[i];
	}
	return NULL;
}

void ht_need_cap(struct ht *t, uint64_t cap, const char *what)
{
	const struct hsl_chip_props *c = without(t, cap);

	if (c)
		HT_NA_TEST(t, "chip %u does not claim %s", c->node, what);
}

void ht_need_tool(struct ht *t, uint64_t cap, const char *what)
{
	const struct hsl_chip_props *c = without(t, cap);

	if (c)
		HT_SKIP_TEST(t, "chip %u does not claim %s, which would show it", c->node, what);
}

void ht_expect_parked(struct ht *t, struct hsl_queue *q, struct hsl_queue *other, const char *what)
{
	struct hsl_completion c;
	unsigned int i;
	int rc;

	for (i = 0; i < 20; i++) {
		HT_OK(t, hsl_nop(other));
		rc = hsl_queue_poll(q, &c, 1);
		HT_TRUE(t, !rc, "%s: completed with status %s, result %" PRIu64 ", it has to wait",
			what, rc == 1 ? hsl_status_name(c.status) : ht_errno_name(rc),
			rc == 1 ? c.result : 0);
	}
}

void ht_submit_all(struct ht *t, struct hsl_queue *q, const struct hsl_op *ops, unsigned int n)
{
	int rc = hsl_queue_submit(q, ops, n);

	ht_progress(t);
	HT_TRUE(t, rc == (int)n, "hsl_queue_submit of %u operations: expected %u, got %s", n, n,
		ht_errno_name(rc));
}

void ht_op_run(struct ht *t, struct hsl_queue *q, const struct hsl_op *op, struct hsl_completion *c)
{
	struct hsl_op mine = *op;
	struct hsl_completion extra;

	mine.cookie = ht_random(t);
	ht_submit_all(t, q, &mine, 1);
	ht_wait_all(t, q, c, 1);
	HT_EQ(t, "cookie of the completion", c->cookie, mine.cookie);
	HT_RC(t, hsl_queue_poll(q, &extra, 1), 0);
}

void ht_status_at(struct ht *t, const struct hsl_completion *c, uint32_t want, const char *file,
		  int line, const char *what)
{
	ht_progress(t);
	if (c->status != want)
		ht_finish(t, HT_FAIL, file, line,
			  "%s: expected status %u (%s), got %u (%s), result %" PRIu64
			  ", fault GA %#" PRIx64,
			  what, want, hsl_status_name(want), c->status, hsl_status_name(c->status),
			  c->result, c->fault_ga);
	if (c->error != hsl_status_errno(want))
		ht_finish(t, HT_FAIL, file, line, "%s: status %s goes with error %d, got %d", what,
			  hsl_status_name(want), hsl_status_errno(want), c->error);
}

void ht_copy(struct ht *t, struct hsl_queue *q, struct ht_buf *dst, uint64_t dst_off,
	     struct ht_buf *src, uint64_t src_off, uint64_t len)
{
	struct hsl_op op = ht_op_copy(dst->ga + dst_off, src->ga + src_off, len);
	struct hsl_completion c;

	ht_op_run(t, q, &op, &c);
	ht_status(t, &c, HSL_ST_OK, "COPY");
	HT_EQ(t, "result of COPY", c.result, len);
	ht_oracle_move(dst->shadow + dst_off, src->shadow + src_off, len);
}

struct hsl_fabric *ht_open_again(struct ht *t)
{
	struct hsl_fabric *f = NULL;

	HT_OK(t, hsl_fabric_open(t->config->url, &f));
	return f;
}
