// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * hslbench collective: what all chips do together, as libraries of collectives do it: rings in the order of node ids. The host submits
 * everything at once, one queue for each chip; the chips wait for each other by themselves, with SIGNAL and WAIT on a counter in
 * the receiver's memory.
 *
 *   reduce-scatter  N - 1 steps; in each, chip i adds a piece of its buffer into its neighbour's (REDUCE, ADD of 64-bit integers)
 *   all-reduce      reduce-scatter, then N - 1 steps of COPY of the finished pieces
 *   all-gather      N - 1 steps of COPY
 *   broadcast       the first chip's buffer in PIECES pieces down the ring
 *   all-to-all      every chip copies one piece to every other; nobody waits
 *
 * Size is that of the whole buffer, as nccl-tests counts it: algorithm bandwidth is size over time, bus bandwidth that times a
 * factor, so that it is what each link of the ring carries: all-reduce 2 (N - 1) / N, broadcast 1, the others (N - 1) / N.
 *
 * The counters only grow: round m of a run waits for what m rounds make. Buffers are reduced in place again and again, modulo 2^64, so
 * the result of m rounds is a known linear combination of what the buffers held: weights().
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "progress.h"

#define PIECES		8u
#define OPS_MAX		1024u		/* commands of one chip in one round */

enum kind { ALL_REDUCE, REDUCE_SCATTER, ALL_GATHER, BROADCAST, ALL_TO_ALL, KINDS };
static const char *const kind_name[KINDS] = { "all-reduce", "reduce-scatter", "all-gather", "broadcast", "all-to-all" };

struct ring {
	unsigned int n;
	uint64_t size, piece;		/* bytes; piece = size / n, or / PIECES for broadcast */
	struct bench_area *buf;		/* of each chip: the buffer, behind it what all-to-all receives, then the counter's line */
	struct hsl_queue **q;
	uint64_t rounds;		/* since the counters were zero */
	uint64_t *sent;			/* signals that the counter of each chip has got */
};

static uint64_t counter_ga(const struct ring *g, unsigned int i)
{
	return g->buf[i].ga + 2 * bench_stride(g->size);
}

/* One chip's commands of one round. */
struct program {
	struct hsl_op op[OPS_MAX + 8];
	unsigned int n;
};

static void await(const struct ring *g, struct program *p, unsigned int chip, uint64_t count)
{
	p->op[p->n++] = hsl_op_wait(HSL_WAIT_GE, counter_ga(g, chip), count, 0);
}

static void send(const struct ring *g, struct program *p, unsigned int from, unsigned int piece, bool reduce)
{
	unsigned int to = (from + 1) % g->n;
	uint64_t off = piece * g->piece;

	if (reduce)
		p->op[p->n++] = hsl_op_reduce(HSL_REDUCE_ADD, HSL_TYPE_I64, g->buf[to].ga + off, g->buf[from].ga + off, g->piece);
	else
		p->op[p->n++] = hsl_op_copy(g->buf[to].ga + off, g->buf[from].ga + off, g->piece);
	p->op[p->n++] = hsl_op_signal(HSL_SIGNAL_ADD, counter_ga(g, to), 1);
}

/* Steps [first, last) of the ring: chip i sends piece i - step. It has been sent to once for each step before. */
static void steps(const struct ring *g, struct program *p, unsigned int i, unsigned int first, unsigned int last, bool reduce)
{
	for (unsigned int s = first; s < last; s++) {
		if (s)
			await(g, p, i, g->sent[i] + s);
		send(g, p, i, (i + 2 * g->n - s) % g->n, reduce);
	}
}

/* Signals that one round sends to each chip. */
static unsigned int signals(const struct ring *g, enum kind kind, unsigned int chip)
{
	switch (kind) {
	case ALL_REDUCE:
		return 2 * (g->n - 1);
	case BROADCAST:
		return chip ? PIECES : 0;
	case ALL_TO_ALL:
		return 0;
	default:
		return g->n - 1;
	}
}

static void program_make(const struct ring *g, enum kind kind, unsigned int i, struct program *p)
{
	p->n = 0;
	switch (kind) {
	case ALL_REDUCE:
		steps(g, p, i, 0, g->n - 1, true);
		steps(g, p, i, g->n - 1, 2 * (g->n - 1), false);
		break;
	case REDUCE_SCATTER:
		steps(g, p, i, 0, g->n - 1, true);
		break;
	case ALL_GATHER:
		steps(g, p, i, 0, g->n - 1, false);
		break;
	case BROADCAST:
		for (unsigned int k = 0; k < PIECES && i + 1 < g->n; k++) {
			if (i)
				await(g, p, i, g->sent[i] + k + 1);
			send(g, p, i, k, false);
		}
		break;
	default:
		for (unsigned int k = 1; k < g->n; k++) {
			unsigned int to = (i + k) % g->n;

			p->op[p->n++] = hsl_op_copy(g->buf[to].ga + bench_stride(g->size) + i * g->piece,
						    g->buf[i].ga + to * g->piece, g->piece);
		}
	}
	for (unsigned int k = 0; k < p->n; k++)
		p->op[k].cookie = k;
}

/* All chips' commands out, all completions in. */
static bool round_run(struct bench *b, struct ring *g, enum kind kind, struct program *p, uint64_t *ns)
{
	struct hsl_completion c;
	uint64_t t0;
	int rc;

	for (unsigned int i = 0; i < g->n; i++)
		program_make(g, kind, i, &p[i]);
	t0 = bench_now_ns();
	for (unsigned int i = 0; i < g->n; i++) {
		rc = p[i].n ? hsl_queue_submit(g->q[i], p[i].op, p[i].n) : 0;
		if (rc < 0 || (unsigned int)rc != p[i].n) {
			bench_complain(b, "%s: submit of %u commands on chip %u: %s", kind_name[kind], p[i].n, b->chip[i].node,
				       rc < 0 ? strerror(-rc) : "only some were taken");
			return false;
		}
	}
	for (unsigned int i = 0; i < g->n; i++)
		for (unsigned int k = 0; k < p[i].n; k++) {
			rc = bench_take(g->q[i], &c, t0);
			if (rc || c.status || c.cookie != k) {
				bench_complain(b, "%s: command %u of chip %u: %s at GA 0x%llx", kind_name[kind], k, b->chip[i].node,
					       rc ? strerror(-rc) : hsl_status_name(c.status), (unsigned long long)(rc ? 0 : c.fault_ga));
				return false;
			}
		}
	*ns = bench_now_ns() - t0;
	for (unsigned int i = 0; i < g->n; i++)
		g->sent[i] += signals(g, kind, i);
	return true;
}

/* ---- what must be there afterwards ---- */

static struct tool_pattern pattern_of(const struct bench *b, unsigned int chip)
{
	return (struct tool_pattern){ .seed = b->config->seed + 1000 * chip };
}

/*
 * After `rounds` of adding along the ring in place: how often what chip (first + k) held at the beginning is in what the last one of the way
 * holds. w[k], k < n. One round makes each the sum of itself and all before it, so the last one's weights are those of a repeated
 * prefix sum; with gather, all then hold the last one's.
 */
static void weights(unsigned int n, uint64_t rounds, bool gather, uint64_t *w)
{
	uint64_t *row = tool_calloc((unsigned long)n * n, sizeof(*row));	/* row[c * n + k]: chip c's weight of k */

	for (unsigned int k = 0; k < n; k++)
		row[k * n + k] = 1;
	for (uint64_t r = 0; r < rounds; r++) {
		for (unsigned int c = 1; c < n; c++)
			for (unsigned int k = 0; k < n; k++)
				row[c * n + k] += row[(c - 1) * n + k];
		for (unsigned int c = 0; gather && c + 1 < n; c++)
			memcpy(&row[c * n], &row[(n - 1) * n], n * sizeof(*row));
	}
	memcpy(w, &row[(n - 1) * n], n * sizeof(*w));
	free(row);
}

static bool words_are(struct bench *b, const struct ring *g, enum kind kind, unsigned int chip, uint64_t at, uint64_t from,
		      unsigned int owner, const uint64_t *w)
{
	struct tool_pattern pt = pattern_of(b, owner);

	for (uint64_t off = 0; off < g->piece; off += 8) {
		uint64_t want = 0, got;

		memcpy(&got, g->buf[chip].p + at + off, 8);
		for (unsigned int k = 0; w && k < g->n; k++) {
			struct tool_pattern of = pattern_of(b, (owner + k) % g->n);

			want += w[k] * tool_pattern_word(&of, from + off);
		}
		if (!w)
			want = tool_pattern_word(&pt, from + off);
		if (got != want) {
			bench_complain(b, "%s in %s: address 0x%llx (GA 0x%llx) offset 0x%llx expected 0x%llx got 0x%llx",
				       kind_name[kind], g->buf[chip].name, (unsigned long long)(uintptr_t)(g->buf[chip].p + at + off),
				       (unsigned long long)(g->buf[chip].ga + at + off), (unsigned long long)(at + off),
				       (unsigned long long)want, (unsigned long long)got);
			return false;
		}
	}
	return true;
}

static bool right(struct bench *b, struct ring *g, enum kind kind)
{
	uint64_t *w = tool_calloc(g->n, sizeof(*w));
	bool good = true;

	weights(g->n, kind == ALL_REDUCE || kind == REDUCE_SCATTER ? g->rounds : 0, kind == ALL_REDUCE, w);
	for (unsigned int i = 0; i < g->n; i++) {
		good &= bench_area_pull(b, &g->buf[i]);
		switch (kind) {
		case REDUCE_SCATTER:		/* piece c ends at the chip before the one that it began with */
			good &= words_are(b, g, kind, i, (i + 1) % g->n * g->piece, (i + 1) % g->n * g->piece, (i + 1) % g->n, w);
			break;
		case ALL_REDUCE:
			for (unsigned int c = 0; c < g->n; c++)
				good &= words_are(b, g, kind, i, c * g->piece, c * g->piece, c, w);
			break;
		case ALL_GATHER:
			for (unsigned int c = 0; c < g->n; c++)
				good &= words_are(b, g, kind, i, c * g->piece, c * g->piece, c, NULL);
			break;
		case BROADCAST:
			for (unsigned int c = 0; c < PIECES; c++)
				good &= words_are(b, g, kind, i, c * g->piece, c * g->piece, 0, NULL);
			break;
		default:
			for (unsigned int c = 0; c < g->n; c++)
				if (c != i)
					good &= words_are(b, g, kind, i, bench_stride(g->size) + c * g->piece, i * g->piece, c, NULL);
		}
	}
	free(w);
	return good;
}

static void begin(struct bench *b, struct ring *g)
{
	for (unsigned int i = 0; i < g->n; i++) {
		struct tool_pattern pt = pattern_of(b, i);

		memset(g->buf[i].p, 0, g->buf[i].len);
		tool_pattern_fill(&pt, g->buf[i].p, g->size, 0);
		bench_area_push(b, &g->buf[i]);
		g->sent[i] = 0;
	}
	g->rounds = 0;
}

/* ---- the verb ---- */

static void ring_free(struct ring *g)
{
	for (unsigned int i = 0; g->buf && i < g->n; i++) {
		hsl_queue_destroy(g->q[i]);
		bench_area_free(&g->buf[i]);
	}
	free(g->buf);
	free(g->q);
	free(g->sent);
	memset(g, 0, sizeof(*g));
}

static int ring_new(struct bench *b, struct ring *g, uint64_t size, unsigned int pieces, char *reason)
{
	struct hsl_queue_opts opts = { .size = sizeof(opts) };
	int rc = 0;

	g->n = b->info.nchips;
	g->size = size;
	g->piece = size / pieces;
	for (opts.depth = 2; opts.depth < 8 * g->n || opts.depth < 8 * PIECES; opts.depth *= 2)
		;
	g->buf = tool_calloc(g->n, sizeof(*g->buf));
	g->q = tool_calloc(g->n, sizeof(*g->q));
	g->sent = tool_calloc(g->n, sizeof(*g->sent));
	for (unsigned int i = 0; !rc && i < g->n; i++) {
		rc = bench_area_new(b, &g->buf[i], b->chip[i].node, 2 * bench_stride(size) + 64, reason);
		if (rc)
			break;
		rc = hsl_queue_create(b->f, b->chip[i].node, &opts, &g->q[i]);
		if (rc)
			snprintf(reason, 160, "queue of depth %u on chip %u: %s", opts.depth, b->chip[i].node, strerror(-rc));
	}
	if (rc)
		ring_free(g);
	return rc;
}

static void run(struct bench *b, struct bench_point *p, const struct bench_limit *limit, struct bench_share *share)
{
	enum kind kind = p->key[0];
	struct program *prog;
	struct ring g = { 0 };
	char reason[160];
	uint64_t ns;

	if (ring_new(b, &g, p->r.size_bytes, kind == BROADCAST ? PIECES : b->info.nchips, reason)) {
		snprintf(p->r.reason, sizeof(p->r.reason), "%s", reason);
		return;
	}
	prog = tool_calloc(g.n, sizeof(*prog));
	begin(b, &g);
	while (!tool_stopped() && (limit->iters ? share->ops < limit->iters : share->ns < limit->ns)) {
		if (!round_run(b, &g, kind, prog, &ns)) {
			share->errors++;
			break;
		}
		g.rounds++;
		share->ops++;
		share->ns += ns;
		tool_stats_add(p->stats, ns);
	}
	if (!share->errors && !right(b, &g, kind))
		share->errors++;
	free(prog);
	ring_free(&g);
}

static const char *cannot(const struct bench *b, uint64_t size, char *reason)
{
	const uint64_t need = HSL_CAP_OP_COPY | HSL_CAP_OP_REDUCE | HSL_CAP_OP_SIGNAL;

	if (b->info.nchips < 2)
		return "needs two chips, the fabric has one";
	if (4 * b->info.nchips > OPS_MAX)
		return "more chips than the rings here are made for (256)";
	for (unsigned int i = 0; i < b->info.nchips; i++)
		if ((b->chip[i].cap & need) != need) {
			snprintf(reason, 160, "chip %u lacks COPY, REDUCE or SIGNAL", b->chip[i].node);
			return reason;
		}
	if (size % (8 * b->info.nchips) || size % (8 * PIECES)) {
		snprintf(reason, 160, "size is not a multiple of 8 bytes for each of %u chips", b->info.nchips);
		return reason;
	}
	return NULL;
}

void bench_collective(struct bench *b)
{
	static const uint64_t normal[] = { 64 << 10, 1 << 20, 8 << 20 }, quick[] = { 64 << 10 }, observable[] = { 4096 };
	const struct bench_config *c = b->config;
	const uint64_t *size = c->nsizes ? c->size : c->observable ? observable : c->quick ? quick : normal;
	unsigned int nsizes = c->nsizes ? c->nsizes : c->observable || c->quick ? 1 : 3, n = 0, chips = b->info.nchips;
	struct bench_point *list = NULL;
	char reason[160];

	for (unsigned int kind = 0; kind < KINDS; kind++)
		for (unsigned int s = 0; bench_wants(b, kind_name[kind]) && s < nsizes; s++) {
			/* the default sizes fit any number of chips: down to a whole piece for each */
			uint64_t unit = 8ull * PIECES * chips, bytes = c->nsizes ? size[s] : size[s] / unit * unit;
			struct bench_point *p = bench_point_add(&list, &n, "collective", kind_name[kind]);
			const char *why = cannot(b, bytes, reason);

			strcpy(p->r.src, "all chips");
			strcpy(p->r.dst, "all chips");
			p->r.size_bytes = bytes;
			p->r.participants = chips;
			p->r.wake = "poll";
			p->bytes_per_op = (double)bytes;
			p->bus_factor = kind == BROADCAST ? 1 : (kind == ALL_REDUCE ? 2.0 : 1.0) * (chips - 1) / chips;
			p->key[0] = kind;
			p->run = run;
			p->stats = tool_stats_new_small();
			if (why)
				snprintf(p->r.reason, sizeof(p->r.reason), "%s", why);
		}
	bench_points_run(b, list, n);
}
