/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * TXN: the random walk (walk.h) on the fabric under test. Every completion and every byte is compared with the model; when they
 * differ, the walk is shrunk on the fabric itself, and the report names the few operations that show it.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "hsltest.h"
#include "walk.h"

#define QUEUES 4
#define CHIP_BUFS 4
#define CHECK_EVERY 64	   /* operations between looks at all memory */
#define SHRINK_OP_S 5	   /* for completions, when it is known that something is wrong */
#define SHRINK_TRIES 1500
#define SHRINK_S 20

struct walk {
	struct ht *t;
	struct walk_world world;
	uint64_t seed;
	struct hsl_queue *q[QUEUES];
	uint32_t node[WALK_BUFS]; /* 0: host memory */
	struct hsl_segment *seg[WALK_BUFS];
	uint8_t *p[WALK_BUFS];
	uint64_t ga[WALK_BUFS];
	uint8_t (*model)[WALK_LEN];
	/* lists of COPY_LIST, a slot for each operation of a batch */
	struct ht_buf lists;
	struct hsl_copy_entry (*list)[WALK_ENTRIES];
	uint64_t list_ga;
	/* the first difference */
	bool diverged;
	unsigned int at;
	char text[320];
	uint64_t shrink_until_ns;
};

static void buf_new(struct walk *w, unsigned int b)
{
	struct ht *t = w->t;
	void *p;

	if (w->node[b]) {
		HT_OK(t, hsl_segment_alloc(t->f, w->node[b], WALK_LEN, NULL, &w->seg[b]));
		HT_OK(t, hsl_segment_map(w->seg[b], &p));
	} else {
		p = mmap(NULL, WALK_LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (p == MAP_FAILED)
			HT_ERROR_TEST(t, "no memory");
		HT_OK(t, hsl_segment_register(t->f, p, WALK_LEN, NULL, &w->seg[b]));
	}
	w->p[b] = p;
	w->ga[b] = hsl_segment_ga(w->seg[b]);
}

static void buf_free(struct walk *w, unsigned int b)
{
	HT_OK(w->t, hsl_segment_free(w->seg[b]));
	if (!w->node[b])
		munmap(w->p[b], WALK_LEN);
}

static void queue_new(struct walk *w, unsigned int i)
{
	w->q[i] = ht_queue_new(w->t, w->t->chip[i % w->t->nchips].node, 64);
}

static void differs(struct walk *w, unsigned int at, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static void differs(struct walk *w, unsigned int at, const char *fmt, ...)
{
	va_list ap;

	if (w->diverged)
		return;
	w->diverged = true;
	w->at = at;
	va_start(ap, fmt);
	vsnprintf(w->text, sizeof(w->text), fmt, ap);
	va_end(ap);
}

static void look_at(struct walk *w, unsigned int at, unsigned int b)
{
	struct ht_diff d;

	if (!ht_equal(w->p[b], w->model[b], WALK_LEN, &d))
		differs(w, at, "b%u, byte 0x%" PRIx64 ": expected 0x%02x, got 0x%02x; %" PRIu64 " bytes differ, the last is 0x%" PRIx64, b,
			d.first, d.expected, d.got, d.count, d.last);
}

static void look_at_all(struct walk *w, unsigned int at)
{
	unsigned int b;

	for (b = 0; b < w->world.nbufs; b++)
		look_at(w, at, b);
}

/* What is in a queue when all has been waited for belongs to nothing, and must not be taken for what comes later. */
static void look_for_more(struct walk *w, unsigned int at)
{
	struct hsl_completion c;
	unsigned int i;

	for (i = 0; i < QUEUES; i++) {
		if (!hsl_queue_poll(w->q[i], &c, 1))
			continue;
		differs(w, at, "q%u has one completion more than commands, status %s", i, hsl_status_name(c.status));
		ht_queue_free(w->t, w->q[i]);
		queue_new(w, i);
	}
}

static uint64_t place(const struct walk *w, const struct walk_place *p)
{
	return w->ga[p->buf] + p->off;
}

/* slot: which of the batch it is, also its cookie. */
static struct hsl_op command(struct walk *w, const struct walk_op *o, unsigned int slot)
{
	struct hsl_op op = { .opcode = o->opcode, .subop = o->subop, .order = o->order, .cookie = slot };
	unsigned int i;

	if (o->opcode == HSL_OP_NOP || o->opcode == HSL_OP_FENCE)
		return op;
	op.len = o->len;
	op.arg0 = o->arg0;
	op.dst = place(w, &o->dst);
	op.src = place(w, &o->src);
	switch (o->opcode) {
	case HSL_OP_COPY:
	case HSL_OP_REDUCE: op.arg0 = 0; break;
	case HSL_OP_FILL:
	case HSL_OP_SIGNAL: op.src = 0; break;
	case HSL_OP_ATOMIC:
		op.src = 0;
		op.arg1 = o->arg1;
		break;
	case HSL_OP_LOAD:
		op.arg0 = 0;
		op.dst = o->imm ? 0 : op.dst;
		break;
	case HSL_OP_STORE:
		op.src = o->imm ? 0 : op.src;
		op.arg0 = o->imm ? o->arg0 : 0;
		op.arg1 = o->imm ? o->arg1 : 0;
		break;
	case HSL_OP_WAIT:
		op.dst = 0;
		op.arg1 = o->arg1;
		break;
	case HSL_OP_COPY2D:
		op.arg0 = o->rows;
		op.arg1 = HSL_PITCH(o->dpitch, o->spitch);
		break;
	case HSL_OP_COPY_LIST:
		for (i = 0; i < o->n; i++)
			w->list[slot][i] = (struct hsl_copy_entry){ .dst = place(w, &o->e[i].dst), .src = place(w, &o->e[i].src), .len = o->e[i].len };
		op.dst = 0;
		op.arg0 = 0;
		op.src = w->list_ga + slot * sizeof(w->list[0]);
		break;
	default: break;
	}
	return op;
}

/* Commands ops[0, n) of one queue, submitted together. at: where they are in the walk. */
static void run_batch(struct walk *w, const struct walk_op *ops, unsigned int at, unsigned int n)
{
	struct hsl_queue **q = &w->q[ops[0].queue];
	struct hsl_completion c[WALK_BATCH + 1];
	struct hsl_op op[WALK_BATCH];
	unsigned int i, have = 0;
	struct walk_expect e;
	int rc;

	ht_progress(w->t);
	for (i = 0; i < n; i++) {
		op[i] = command(w, &ops[i], i);
		if (n > 1) /* in a batch it takes strong order that each sees the one before it */
			op[i].order = 0;
	}
	rc = hsl_queue_submit(*q, op, n);
	if (rc != (int)n) {
		differs(w, at, "hsl_queue_submit of %u: %s", n, ht_errno_name(rc));
		return;
	}
	while (have < n) {
		if (w->shrink_until_ns)
			rc = hsl_queue_wait(*q, c + have, n + 1 - have, ht_now_ns() + SHRINK_OP_S * HT_NS_PER_S);
		else
			rc = ht_completions(*q, c + have, n + 1 - have);
		if (rc == -EINTR)
			continue;
		if (rc <= 0)
			break;
		have += (unsigned int)rc;
	}
	for (i = 0; i < n; i++) {
		walk_model_apply(&ops[i], w->model, &e);
		if (i >= have)
			differs(w, at + i, "no completion");
		else if (c[i].cookie != i)
			differs(w, at + i, "completion %u of %u has cookie %" PRIu64, i, n, c[i].cookie);
		else if (c[i].status != e.status)
			differs(w, at + i, "status: expected %s, got %s", hsl_status_name(e.status), hsl_status_name(c[i].status));
		else if (c[i].result != e.result)
			differs(w, at + i, "result: expected 0x%" PRIx64 ", got 0x%" PRIx64, e.result, c[i].result);
	}
	for (i = 0; i < n; i++)
		look_at(w, at + n - 1, ops[i].dst.buf);
	if (have > n)
		differs(w, at, "%u completions of %u commands", have, n);
	if (w->diverged) { /* what is still under way must not be taken for what comes later */
		ht_queue_free(w->t, *q);
		queue_new(w, (unsigned int)(q - w->q));
	}
}

static unsigned int batch_len(const struct walk_op *ops, unsigned int left)
{
	unsigned int n = 1;

	while (n < left && n < WALK_BATCH && ops[n - 1].more && ops[n].kind == WALK_COMMAND && ops[n].queue == ops[0].queue)
		n++;
	return n;
}

/* Runs a walk from the same beginning every time; true if it goes as the model says. */
static bool walk_run(struct walk *w, const struct walk_op *ops, unsigned int n)
{
	struct walk_expect e;
	unsigned int i, k, b, looked = 0;

	w->diverged = false;
	walk_model_reset(&w->world, w->seed, w->model);
	for (b = 0; b < w->world.nbufs; b++)
		memcpy(w->p[b], w->model[b], WALK_LEN);
	for (i = 0; i < n && !w->diverged; i += k) {
		k = 1;
		switch (ops[i].kind) {
		case WALK_CPU_STORE:
			walk_model_apply(&ops[i], w->model, &e);
			memcpy(w->p[ops[i].dst.buf] + ops[i].dst.off, w->model[ops[i].dst.buf] + ops[i].dst.off, ops[i].len);
			break;
		case WALK_RENEW:
			walk_model_apply(&ops[i], w->model, &e);
			buf_free(w, ops[i].dst.buf);
			buf_new(w, ops[i].dst.buf);
			look_at(w, i, ops[i].dst.buf);
			break;
		default:
			k = batch_len(ops + i, n - i);
			run_batch(w, ops + i, i, k);
			break;
		}
		if (i + k - looked >= CHECK_EVERY) {
			looked = i + k;
			look_at_all(w, i + k - 1);
		}
	}
	if (!w->diverged)
		look_at_all(w, n - 1);
	look_for_more(w, n - 1);
	return !w->diverged;
}

static bool fails(void *arg, const struct walk_op *ops, unsigned int n)
{
	struct walk *w = arg;

	return ht_now_ns() < w->shrink_until_ns && !walk_run(w, ops, n);
}

static void walk_open(struct walk *w, struct ht *t)
{
	unsigned int i, chips = t->nchips < CHIP_BUFS ? t->nchips : CHIP_BUFS;

	w->t = t;
	w->seed = t->config->seed;
	w->world.cap = UINT64_MAX;
	w->world.nqueues = QUEUES;
	w->world.nbufs = chips + 2 < WALK_BUFS ? chips + 2 : WALK_BUFS;
	for (i = 0; i < t->nchips; i++)
		w->world.cap &= t->chip[i].cap;
	for (i = 0; i < chips; i++)
		w->node[i] = t->chip[i].node;
	for (i = 0; i < w->world.nbufs; i++)
		buf_new(w, i);
	for (i = 0; i < QUEUES; i++)
		queue_new(w, i);
	ht_buf_new(t, &w->lists, 0, WALK_BATCH * sizeof(w->list[0]));
	w->list = (void *)w->lists.p;
	w->list_ga = w->lists.ga;
	w->model = calloc(WALK_BUFS, sizeof(*w->model));
	if (!w->model)
		HT_ERROR_TEST(t, "no memory");
}

/* The shrunk walk, one operation a line, into the dump of the test. */
static void show(struct walk *w, const struct walk_op *ops, unsigned int n)
{
	char *out = w->t->shared->detail, line[400];
	size_t room = sizeof(w->t->shared->detail), used = 0;
	unsigned int i;

	used += (size_t)snprintf(out, room, "b0 … b%u: memory of chips, then two of the host\n", w->world.nbufs - 1);
	for (i = 0; i < n && used < room; i++)
		used += (size_t)snprintf(out + used, room - used, "%u. %s\n", i + 1, walk_describe(&ops[i], line, sizeof(line)));
}

static void report(struct walk *w, struct walk_op *ops, unsigned int length)
{
	char first[320], last[400];
	unsigned int at = w->at, n;

	snprintf(first, sizeof(first), "%s", w->text);
	walk_describe(&ops[at], last, sizeof(last));
	ht_step(w->t, "shrinking a walk that failed at operation %u of %u: %s", at + 1, length, last);
	w->shrink_until_ns = ht_now_ns() + SHRINK_S * HT_NS_PER_S;
	if (!fails(w, ops, at + 1))
		HT_FAIL_TEST(w->t, "operation %u of %u, %s: %s; not when the walk was run again", at + 1, length, last, first);
	n = walk_shrink(ops, at + 1, fails, w, SHRINK_TRIES);
	w->shrink_until_ns = UINT64_MAX;
	show(w, ops, n);
	if (!fails(w, ops, n))
		HT_FAIL_TEST(w->t, "operation %u of %u, %s: %s; from time to time also with the %u operations below", at + 1, length, last,
			     first, n);
	HT_FAIL_TEST(w->t, "operation %u of %u, %s: %s; shrunk to the %u operation%s below: %s", at + 1, length, last, first, n,
		     n == 1 ? "" : "s", w->text);
}

static void random_walk(struct ht *t)
{
	unsigned int length = t->config->effort == HT_QUICK ? 1000 : t->config->effort == HT_FULL ? 100000 : 5000, i;
	struct walk_op *ops = calloc(length, sizeof(*ops));
	struct walk w = { 0 };

	if (!ops)
		HT_ERROR_TEST(t, "no memory");
	walk_open(&w, t);
	walk_generate(&w.world, w.seed, ops, length);
	ht_step(t, "walking %u operations", length);
	if (!walk_run(&w, ops, length))
		report(&w, ops, length);
	for (i = 0; i < QUEUES; i++)
		ht_queue_free(t, w.q[i]);
	for (i = 0; i < w.world.nbufs; i++)
		buf_free(&w, i);
	ht_buf_free(t, &w.lists);
	ht_note(t, "%u operations on %u queues and %u buffers", length, QUEUES, w.world.nbufs);
	free(w.model);
	free(ops);
}

const struct ht_test ht_tests_walk[] = {
	{ "HEP-TXN-029", "random_walk", "a random sequence of legal operations gives every byte and result of a golden model", random_walk, 0, 0 },
	{ 0 },
};
