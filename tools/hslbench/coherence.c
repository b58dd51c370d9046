// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * hslbench coherence: one access of one line of observable memory, by what state the line is in and where: requester (the chip whose cache
 * asks), home (whose memory it is), owner (in whose cache it is). Each sample prepares its line by commands that are not timed, then times one LOAD or
 * STORE from submit to completion; a NOP the same way is the baseline, and what is beyond it is the access.
 *
 *   load hit		the requester has it
 *   load miss		nobody has it: the home's memory
 *   load shared	the owner has a clean copy
 *   load modified	the owner has written it: it is forwarded
 *   store hit		the requester has written it before
 *   store miss		nobody has it
 *   store upgrade	the requester has a clean copy, as the owner has
 *   store modified	the owner has written it
 *   atomic		at the home, of a line that nobody has
 *   ping-pong		two chips store into one line in turn: one handover
 *   share		two chips store as fast as they can: words of one line (false), of two lines (apart)
 *
 * A line that nobody has is one that was not used since its memory was allocated. Values that a load finds are compared.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "progress.h"

#define LINE		64u
#define LINES		256u		/* of one allocation */
#define SAMPLES_MIN	4u
#define SHARE_DEPTH	8u

enum access { LOAD_HIT, LOAD_MISS, LOAD_SHARED, LOAD_MODIFIED, STORE_HIT, STORE_MISS, STORE_UPGRADE, STORE_MODIFIED, ATOMIC, ACCESSES };
static const struct {
	const char *op, *variant;
	bool load, fresh, other;	/* other: needs an owner that is not the requester */
} access_of[ACCESSES] = {
	[LOAD_HIT] = { "load", "hit", true, false, false },
	[LOAD_MISS] = { "load", "miss", true, true, false },
	[LOAD_SHARED] = { "load", "shared", true, true, true },
	[LOAD_MODIFIED] = { "load", "modified", true, false, true },
	[STORE_HIT] = { "store", "hit", false, false, false },
	[STORE_MISS] = { "store", "miss", false, true, false },
	[STORE_UPGRADE] = { "store", "upgrade", false, true, true },
	[STORE_MODIFIED] = { "store", "modified", false, false, true },
	[ATOMIC] = { "atomic", "miss", false, true, false },
};

struct chips {
	uint32_t requester, home, owner;
};

static int command(struct bench *b, uint32_t node, const struct hsl_op *op, uint64_t *ns, uint64_t *value)
{
	struct hsl_completion c;
	char reason[160];
	uint64_t t0;
	int rc = bench_queue_ready(b, node, 2 * SHARE_DEPTH, false, reason);

	if (rc)
		return rc;
	t0 = bench_now_ns();
	rc = hsl_queue_submit(b->q, op, 1);
	if (rc == 1)
		rc = bench_take(b->q, &c, t0);
	else
		rc = rc < 0 ? rc : -EAGAIN;
	if (ns)
		*ns = bench_now_ns() - t0;
	if (!rc && c.status)
		rc = c.error ? c.error : -EIO;
	if (!rc && value)
		*value = c.result;
	return rc;
}

static int line_load(struct bench *b, uint32_t node, uint64_t ga, uint64_t *ns, uint64_t *value)
{
	struct hsl_op op = hsl_op_load(0, ga, 8);

	return command(b, node, &op, ns, value);
}

static int line_store(struct bench *b, uint32_t node, uint64_t ga, uint64_t value, uint64_t *ns)
{
	struct hsl_op op = hsl_op_store(ga, value, 8);

	return command(b, node, &op, ns, NULL);
}

/* The line into the state that the access is to find; *value: what is in it then. */
static int prepare(struct bench *b, enum access a, const struct chips *c, uint64_t ga, uint64_t n, uint64_t *value)
{
	uint64_t seen;
	int rc;

	*value = 0;
	switch (a) {
	case LOAD_HIT:
		return line_load(b, c->requester, ga, NULL, value);
	case LOAD_SHARED:
		return line_load(b, c->owner, ga, NULL, &seen);
	case LOAD_MODIFIED:
	case STORE_MODIFIED:
		*value = n + 1;
		return line_store(b, c->owner, ga, *value, NULL);
	case STORE_HIT:
		return line_store(b, c->requester, ga, n, NULL);
	case STORE_UPGRADE:
		rc = line_load(b, c->requester, ga, NULL, &seen);
		return rc ? rc : line_load(b, c->owner, ga, NULL, &seen);
	default:
		return 0;
	}
}

static int access_run(struct bench *b, enum access a, const struct chips *c, uint64_t ga, uint64_t n, uint64_t *ns)
{
	struct hsl_op add = hsl_op_atomic(HSL_ATOMIC_ADD, ga, 8, 1, 0);
	uint64_t want, got;
	int rc = prepare(b, a, c, ga, n, &want);

	if (rc)
		return rc;
	if (a == ATOMIC) {
		rc = command(b, c->requester, &add, ns, &got);
	} else if (access_of[a].load) {
		rc = line_load(b, c->requester, ga, ns, &got);
	} else {
		rc = line_store(b, c->requester, ga, ~n, ns);
		got = want;
	}
	if (!rc && got != want) {
		bench_complain(b, "coherence %s %s: GA 0x%llx expected 0x%llx got 0x%llx", access_of[a].op, access_of[a].variant,
			       (unsigned long long)ga, (unsigned long long)want, (unsigned long long)got);
		return -EBADMSG;
	}
	/* a store is there for everyone */
	if (!rc && !access_of[a].load) {
		want = a == ATOMIC ? 1 : ~n;
		rc = line_load(b, c->owner, ga, NULL, &got);
		if (!rc && got != want) {
			bench_complain(b, "coherence %s %s, seen by chip %u: GA 0x%llx expected 0x%llx got 0x%llx", access_of[a].op,
				       access_of[a].variant, c->owner, (unsigned long long)ga, (unsigned long long)want,
				       (unsigned long long)got);
			return -EBADMSG;
		}
	}
	return rc;
}

static struct hsl_segment *memory_new(struct bench *b, uint32_t home, struct bench_point *p)
{
	struct hsl_segment_opts opts = { .size = sizeof(opts), .flags = HSL_SEGMENT_OBSERVABLE };
	struct hsl_segment *s = NULL;
	int rc = hsl_segment_alloc(b->f, home, LINES * LINE, &opts, &s);

	if (rc)
		snprintf(p->r.reason, sizeof(p->r.reason), "observable memory on chip %u: %s", home, strerror(-rc));
	return s;
}

static void failed(struct bench *b, const struct bench_point *p, int rc, struct bench_share *share)
{
	if (rc != -EBADMSG)
		bench_complain(b, "coherence %s %s: %s", p->r.op, p->r.variant, strerror(-rc));
	share->errors++;
}

static void run_access(struct bench *b, struct bench_point *p, const struct bench_limit *limit, struct bench_share *share)
{
	const struct chips *c = p->arg;
	enum access a = p->key[0];
	struct hsl_segment *s = NULL;
	uint64_t start = bench_now_ns(), ns;
	int rc;

	while (!tool_stopped() && (limit->iters ? share->ops < limit->iters :
				   share->ops < SAMPLES_MIN || bench_now_ns() - start < limit->ns)) {
		unsigned int line = (unsigned int)(share->ops % LINES);

		/* lines that nobody has are new ones */
		if (!s || (!line && access_of[a].fresh)) {
			if (s)
				hsl_segment_free(s);
			s = memory_new(b, c->home, p);
			if (!s)
				return;
		}
		rc = access_run(b, a, c, hsl_segment_ga(s) + line * LINE, share->ops, &ns);
		if (rc) {
			failed(b, p, rc, share);
			break;
		}
		tool_stats_add(p->stats, ns);
		share->ops++;
		share->ns += ns;
	}
	hsl_segment_free(s);
}

static void run_nop(struct bench *b, struct bench_point *p, const struct bench_limit *limit, struct bench_share *share)
{
	struct hsl_op nop = { .opcode = HSL_OP_NOP };
	char reason[160];

	if (bench_queue_ready(b, b->a.node, 2 * SHARE_DEPTH, false, reason)) {
		bench_complain(b, "coherence nop: %s", reason);
		share->errors++;
		return;
	}
	bench_drive_single(b, "nop", &nop, false, limit, p->stats, share);
}

static void run_pingpong(struct bench *b, struct bench_point *p, const struct bench_limit *limit, struct bench_share *share)
{
	const struct chips *c = p->arg;
	struct hsl_segment *s = memory_new(b, c->home, p);
	uint64_t start = bench_now_ns(), ns, got;
	int rc = s ? 0 : -ENOMEM;

	while (!rc && !tool_stopped() && (limit->iters ? share->ops < limit->iters :
					  share->ops < SAMPLES_MIN || bench_now_ns() - start < limit->ns)) {
		rc = line_store(b, share->ops & 1 ? c->owner : c->requester, hsl_segment_ga(s), share->ops + 1, &ns);
		if (!rc) {
			tool_stats_add(p->stats, ns);
			share->ops++;
			share->ns += ns;
		}
	}
	if (!rc && s)
		rc = line_load(b, c->home, hsl_segment_ga(s), NULL, &got);
	if (!rc && s && share->ops && got != share->ops) {
		bench_complain(b, "coherence ping-pong: GA 0x%llx expected 0x%llx got 0x%llx", (unsigned long long)hsl_segment_ga(s),
			       (unsigned long long)share->ops, (unsigned long long)got);
		rc = -EBADMSG;
	}
	if (rc && s)
		failed(b, p, rc, share);
	hsl_segment_free(s);
}

/* ---- two chips at once ---- */

struct side {
	uint32_t node;
	struct hsl_queue *q;
	uint64_t ga, sent, done;
};

static int side_push(struct side *d, bool more)
{
	struct hsl_completion c[SHARE_DEPTH];
	struct hsl_op op;
	int rc;

	while (more && d->sent - d->done < SHARE_DEPTH) {
		op = hsl_op_store(d->ga, d->sent + 1, 8);
		op.cookie = d->sent;
		rc = hsl_queue_submit(d->q, &op, 1);
		if (rc != 1)
			return rc < 0 ? rc : -EAGAIN;
		d->sent++;
	}
	rc = hsl_queue_poll(d->q, c, SHARE_DEPTH);
	for (int i = 0; i < rc; i++, d->done++)
		if (c[i].status || c[i].cookie != d->done)
			return c[i].error ? c[i].error : -EIO;
	return rc < 0 ? rc : 0;
}

static void run_share(struct bench *b, struct bench_point *p, const struct bench_limit *limit, struct bench_share *share)
{
	const struct chips *c = p->arg;
	struct hsl_queue_opts opts = { .size = sizeof(opts), .depth = 2 * SHARE_DEPTH };
	struct hsl_segment *s = memory_new(b, c->home, p);
	struct side d[2] = { { .node = c->requester }, { .node = c->owner } };
	uint64_t start, now, got;
	bool more = true;
	int rc = s ? 0 : -ENOMEM;

	for (unsigned int i = 0; !rc && i < 2; i++) {
		d[i].ga = hsl_segment_ga(s) + i * p->key[1];
		rc = hsl_queue_create(b->f, d[i].node, &opts, &d[i].q);
	}
	start = now = bench_now_ns();
	while (!rc && (more || d[0].done < d[0].sent || d[1].done < d[1].sent)) {
		now = bench_now_ns();
		more = !tool_stopped() && (limit->iters ? d[0].done + d[1].done < limit->iters :
					   d[0].done + d[1].done < SAMPLES_MIN || now - start < limit->ns);
		for (unsigned int i = 0; !rc && i < 2; i++)
			rc = side_push(&d[i], more);
		if (now - start > BENCH_HANG_NS + limit->ns)
			rc = -ETIMEDOUT;
	}
	for (unsigned int i = 0; !rc && i < 2; i++) {
		rc = line_load(b, c->home, d[i].ga, NULL, &got);
		if (!rc && got != d[i].sent) {
			bench_complain(b, "coherence share %s: GA 0x%llx expected 0x%llx got 0x%llx", p->r.variant,
				       (unsigned long long)d[i].ga, (unsigned long long)d[i].sent, (unsigned long long)got);
			rc = -EBADMSG;
		}
	}
	if (rc && s)
		failed(b, p, rc, share);
	share->ops += d[0].done + d[1].done;
	share->ns += now - start;
	p->side[0] += d[0].done;
	p->side[1] += d[1].done;
	/* Jain's index of two: 1 = both got the same, 1/2 = one got it all */
	if (p->side[0] + p->side[1])
		p->r.fairness = pow((double)(p->side[0] + p->side[1]), 2) /
			(2 * (pow((double)p->side[0], 2) + pow((double)p->side[1], 2)));
	hsl_queue_destroy(d[0].q);
	hsl_queue_destroy(d[1].q);
	hsl_segment_free(s);
}

/* ---- the verb ---- */

static struct bench_point *point(struct bench *b, struct bench_point **list, unsigned int *n, const char *op, const char *variant,
				 struct chips *c)
{
	struct bench_point *p = bench_point_add(list, n, "coherence", op);

	(void)b;
	snprintf(p->r.variant, sizeof(p->r.variant), "%s", variant);
	snprintf(p->r.src, sizeof(p->r.src), "chip %u", c->requester);
	snprintf(p->r.dst, sizeof(p->r.dst), "chip %u", c->owner);
	snprintf(p->r.home, sizeof(p->r.home), "chip %u", c->home);
	p->r.size_bytes = 8;
	p->r.depth = p->r.batch = 1;
	p->r.wake = "poll";
	p->r.ratio_to = "nop";
	p->r.observable = true;
	p->arg = c;
	return p;
}

static void points_of(struct bench *b, struct bench_point **list, unsigned int *n, struct chips *c)
{
	struct bench_point *p;

	for (unsigned int a = 0; a < ACCESSES; a++) {
		/* who else looks matters only where somebody else has it */
		if (!bench_wants(b, access_of[a].op) || (access_of[a].other && c->owner == c->requester))
			continue;
		p = point(b, list, n, access_of[a].op, access_of[a].variant, c);
		p->key[0] = a;
		p->run = run_access;
		p->stats = tool_stats_new_small();
		if (!access_of[a].other)
			strcpy(p->r.dst, p->r.src);
	}
}

void bench_coherence(struct bench *b)
{
	const uint64_t need = HSL_CAP_MODELLED | HSL_CAP_OP_LOADSTORE | HSL_CAP_OP_ATOMIC;
	struct bench_point *list = NULL, *p;
	struct chips c[3] = { { b->a.node, b->a.node, b->b.node }, { b->a.node, b->b.node, b->b.node }, { b->a.node, 0, b->b.node } };
	unsigned int n = 0, sets = 2, first = b->nresults;
	bool can = b->have_b && (b->a.cap & b->b.cap & need) == need;

	for (unsigned int i = 0; !c[2].home && i < b->info.nchips; i++)
		if (b->chip[i].node != b->a.node && b->chip[i].node != b->b.node) {
			c[2].home = b->chip[i].node;
			sets = 3;
		}
	p = bench_point_add(&list, &n, "coherence", "nop");
	snprintf(p->r.src, sizeof(p->r.src), "chip %u", b->a.node);
	strcpy(p->r.dst, p->r.src);
	p->r.baseline = true;
	p->r.depth = p->r.batch = 1;
	p->r.wake = "poll";
	p->run = run_nop;
	p->stats = tool_stats_new_small();
	for (unsigned int i = 0; i < sets; i++)
		points_of(b, &list, &n, &c[i]);
	for (unsigned int i = 0; bench_wants(b, "ping-pong") && i < sets; i++) {
		p = point(b, &list, &n, "ping-pong", "store", &c[i]);
		p->run = run_pingpong;
		p->stats = tool_stats_new_small();
	}
	for (unsigned int apart = 0; bench_wants(b, "share") && apart < 2; apart++) {
		p = point(b, &list, &n, "share", apart ? "apart" : "false", &c[sets - 1]);
		p->r.depth = SHARE_DEPTH;
		p->r.participants = 2;
		p->r.ratio_to = NULL;
		p->key[1] = apart ? 2 * LINE : 8;
		p->run = run_share;
	}
	bench_points_skip(list, n, can ? "" : "needs two chips with observable memory, LOAD, STORE and ATOMIC");
	bench_points_run(b, list, n);
	bench_ratios(b, first);
}
