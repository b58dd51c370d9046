// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * The explorer's core. What is kept of a state:
 *
 *   node      its hash, its parent, the move that led from there: 24 bytes, for ever
 *   table     open addressing, node numbers by hash, at most half full
 *   packed    its bytes while it waits to be expanded: XOR with the first state, as a bit map of
 *             the words that differ and those words. Two levels exist at a time.
 *   edges     the nodes its steps lead to, in order of expansion, for the livelock check
 *
 * Nodes are numbered in order of discovery, so a lower number is never deeper, and expanded in that
 * order. A trace is replayed from the first state: moves are deterministic and the states along
 * parent links are the real ones, not their canonical images.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/model/explore.h"

#define NO_NODE UINT32_MAX

struct node {
	uint64_t h[2];
	uint32_t parent;
	uint16_t move;
	uint16_t depth;
};

struct pool {			/* bytes that grow */
	unsigned char *p;
	size_t len, cap;
};

struct run {
	const struct explore *e;
	struct explore_result *r;
	struct node *nodes;
	uint32_t n, nodes_cap;
	uint32_t *table;
	uint64_t table_cap;
	struct pool level[2];	/* packed states: being expanded, found */
	struct pool edges;	/* uint32_t: the nodes that steps lead to */
	struct pool first;	/* uint64_t: index into edges of each expanded node's first */
	struct pool quiet;	/* a bit for each node: it is quiet, or stands for good */
	uint64_t *state, *work, *origin;
	size_t words;
};

static void *must(void *p)
{
	if (!p) {
		fprintf(stderr, "explore: out of memory\n");
		exit(3);
	}
	return p;
}

static void *append(struct pool *pool, size_t bytes)
{
	void *p;

	if (pool->len + bytes > pool->cap) {
		pool->cap = pool->cap ? pool->cap + pool->cap / 2 : 1 << 16;
		if (pool->cap < pool->len + bytes)
			pool->cap = pool->len + bytes;
		pool->p = must(realloc(pool->p, pool->cap));
	}
	p = pool->p + pool->len;
	pool->len += bytes;
	return p;
}

static uint64_t mix(uint64_t z)
{
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

void explore_hash(const void *p, size_t len, uint64_t h[2])
{
	const unsigned char *b = p;
	uint64_t a = UINT64_C(0x9e3779b97f4a7c15) ^ len, c = UINT64_C(0xd1b54a32d192ed03) + len, w;

	for (; len; b += sizeof(w)) {
		size_t n = len < sizeof(w) ? len : sizeof(w);

		w = 0;
		memcpy(&w, b, n);
		a = mix(a + w) + UINT64_C(0x9e3779b97f4a7c15);
		c = (c ^ w) * UINT64_C(0xff51afd7ed558ccd);
		c ^= c >> 32;
		len -= n;
	}
	h[0] = mix(a ^ (c << 1));
	h[1] = mix(c + a);
}

/* ---- packed states ---- */

static void pack(struct run *x, struct pool *pool, const uint64_t *state)
{
	size_t map_words = (x->words + 63) / 64, used = 0;
	uint64_t *map = append(pool, (map_words + x->words) * 8), *out = map + map_words;

	memset(map, 0, map_words * 8);
	for (size_t i = 0; i < x->words; i++) {
		uint64_t d = state[i] ^ x->origin[i];

		if (d) {
			map[i / 64] |= UINT64_C(1) << (i % 64);
			out[used++] = d;
		}
	}
	pool->len -= (x->words - used) * 8;
}

static size_t unpack(const struct run *x, const struct pool *pool, size_t at, uint64_t *state)
{
	size_t map_words = (x->words + 63) / 64, used = 0;
	const uint64_t *map = (const uint64_t *)(const void *)(pool->p + at);
	const uint64_t *in = map + map_words;

	memcpy(state, x->origin, x->words * 8);
	for (size_t m = 0; m < map_words; m++) {
		for (uint64_t bits = map[m]; bits; bits &= bits - 1)
			state[m * 64 + (size_t)__builtin_ctzll(bits)] ^= in[used++];
	}
	return at + (map_words + used) * 8;
}

/* ---- nodes ---- */

static void table_grow(struct run *x)
{
	uint64_t cap = x->table_cap ? x->table_cap * 2 : 1 << 12;

	free(x->table);
	x->table = must(malloc(cap * sizeof(*x->table)));
	memset(x->table, 0xff, cap * sizeof(*x->table));
	x->table_cap = cap;
	for (uint32_t i = 0; i < x->n; i++) {
		uint64_t at = x->nodes[i].h[0] & (cap - 1);

		while (x->table[at] != NO_NODE)
			at = (at + 1) & (cap - 1);
		x->table[at] = i;
	}
}

/* The node with this hash, made if there is none. */
static uint32_t node_of(struct run *x, const uint64_t h[2], uint32_t parent, uint32_t move,
			bool *fresh)
{
	uint64_t at;

	if (x->table_cap < 2 * ((uint64_t)x->n + 1))
		table_grow(x);
	at = h[0] & (x->table_cap - 1);
	for (; x->table[at] != NO_NODE; at = (at + 1) & (x->table_cap - 1)) {
		const struct node *n = &x->nodes[x->table[at]];

		if (n->h[0] == h[0] && n->h[1] == h[1]) {
			*fresh = false;
			return x->table[at];
		}
	}
	if (x->n == x->nodes_cap) {
		x->nodes_cap = x->nodes_cap ? x->nodes_cap + x->nodes_cap / 2 : 1 << 11;
		x->nodes = must(realloc(x->nodes, x->nodes_cap * sizeof(*x->nodes)));
	}
	x->nodes[x->n] = (struct node){
		.h = { h[0], h[1] },
		.parent = parent,
		.move = (uint16_t)move,
		.depth = (uint16_t)(parent == NO_NODE ? 0 : x->nodes[parent].depth + 1),
	};
	x->table[at] = x->n;
	*fresh = true;
	return x->n++;
}

static void mark(struct pool *bits, uint32_t i)
{
	while (bits->len <= i / 8)
		*(unsigned char *)append(bits, 1) = 0;
	bits->p[i / 8] |= (unsigned char)(1 << (i % 8));
}

static bool marked(const struct pool *bits, uint32_t i)
{
	return i / 8 < bits->len && bits->p[i / 8] >> (i % 8) & 1;
}

static void trace_to(struct run *x, uint32_t node, enum explore_verdict verdict, const char *what)
{
	struct explore_result *r = x->r;

	r->verdict = verdict;
	snprintf(r->sentence, sizeof(r->sentence), "%s", what);
	r->trace_len = x->nodes[node].depth;
	r->trace = must(malloc((r->trace_len + 1) * sizeof(*r->trace)));
	for (uint32_t i = r->trace_len; i-- > 0; node = x->nodes[node].parent)
		r->trace[i] = x->nodes[node].move;
}

/* The state in `state` was reached: its node, checked and queued if it is a new one. */
static uint32_t reach(struct run *x, const uint64_t *state, uint32_t parent, uint32_t move)
{
	const struct explore *e = x->e;
	const char *what;
	uint64_t h[2];
	uint32_t node;
	bool fresh;

	e->hash(e->ctx, state, h);
	node = node_of(x, h, parent, move, &fresh);
	if (!fresh)
		return node;
	what = e->check(e->ctx, state);
	if (what) {
		trace_to(x, node, EXPLORE_BAD, what);
		return node;
	}
	if (x->nodes[node].depth > x->r->depth)
		x->r->depth = x->nodes[node].depth;
	if (e->quiet(e->ctx, state)) {
		x->r->quiet_states++;
		mark(&x->quiet, node);
	}
	pack(x, &x->level[1], state);
	return node;
}

static bool full(const struct run *x, uint32_t node)
{
	const struct explore *e = x->e;

	return (e->depth_max && x->nodes[node].depth >= e->depth_max) ||
	       (e->states_max && x->n >= e->states_max) ||
	       (e->bytes_max && x->r->bytes >= e->bytes_max);
}

/* Everything that can happen in the unpacked state of `node`. */
static void expand(struct run *x, uint32_t node)
{
	const struct explore *e = x->e;
	enum explore_move kind;
	bool steps = false;

	for (uint32_t i = 0; !x->r->verdict; i++) {
		uint32_t to;

		memcpy(x->work, x->state, x->words * 8);
		kind = e->move(e->ctx, x->work, i, NULL, 0);
		if (kind == EXPLORE_END)
			break;
		if (kind == EXPLORE_NONE)
			continue;
		x->r->transitions++;
		to = reach(x, x->work, node, i);
		if (kind != EXPLORE_STEP)
			continue;
		steps = true;
		if (!e->no_livelock)
			memcpy(append(&x->edges, sizeof(to)), &to, sizeof(to));
	}
	if (!steps && !x->r->verdict && !marked(&x->quiet, node))
		trace_to(x, node, EXPLORE_DEADLOCK, "deadlock: work waits and nothing can happen");
}

static void count_bytes(struct run *x)
{
	x->r->bytes = x->nodes_cap * sizeof(*x->nodes) + x->table_cap * sizeof(*x->table) +
		      x->level[0].cap + x->level[1].cap +
		      x->edges.cap + x->first.cap + x->quiet.cap;
}

static void explore_all(struct run *x)
{
	uint32_t node = 0;

	reach(x, x->origin, NO_NODE, 0);
	while (x->level[1].len && !x->r->verdict) {
		struct pool done = x->level[0];
		size_t at = 0;

		x->level[0] = x->level[1];
		x->level[1] = done;
		x->level[1].len = 0;
		while (at < x->level[0].len && !x->r->verdict) {
			uint64_t first = x->edges.len / sizeof(uint32_t);

			at = unpack(x, &x->level[0], at, x->state);
			memcpy(append(&x->first, sizeof(first)), &first, sizeof(first));
			if (full(x, node)) {
				x->r->bounded = true;
				mark(&x->quiet, node);
			} else {
				expand(x, node);
			}
			node++;
			if (!(node & 0xfff))
				count_bytes(x);
		}
	}
	count_bytes(x);
}

/* Whoever has a step to a good state is good; sweeps until nothing changes. */
static void find_livelock(struct run *x)
{
	const uint64_t *first = (const uint64_t *)(const void *)x->first.p;
	const uint32_t *edges = (const uint32_t *)(const void *)x->edges.p;
	uint64_t end = x->edges.len / sizeof(*edges);
	bool changed = true;

	while (changed) {
		changed = false;
		for (uint32_t i = x->n; i-- > 0;) {
			uint64_t last = i + 1 < x->n ? first[i + 1] : end;

			if (marked(&x->quiet, i))
				continue;
			for (uint64_t k = first[i]; k < last; k++) {
				if (marked(&x->quiet, edges[k])) {
					mark(&x->quiet, i);
					changed = true;
					break;
				}
			}
		}
	}
	for (uint32_t i = 0; i < x->n; i++) {
		if (!marked(&x->quiet, i)) {
			trace_to(x, i, EXPLORE_LIVELOCK,
				 "livelock: from here quiet is never reached without new work");
			return;
		}
	}
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

void explore_run(const struct explore *e, struct explore_result *r)
{
	struct run x = { .e = e, .r = r, .words = e->state_bytes / 8 };
	double begin = now();

	memset(r, 0, sizeof(*r));
	x.origin = must(calloc(x.words + 1, 8));
	x.state = must(calloc(x.words + 1, 8));
	x.work = must(calloc(x.words + 1, 8));
	e->init(e->ctx, x.origin);
	explore_all(&x);
	if (!r->verdict && !e->no_livelock)
		find_livelock(&x);
	r->states = x.n;
	r->seconds = now() - begin;
	free(x.origin);
	free(x.state);
	free(x.work);
	free(x.nodes);
	free(x.table);
	free(x.level[0].p);
	free(x.level[1].p);
	free(x.edges.p);
	free(x.first.p);
	free(x.quiet.p);
}

static void print_trace(const struct explore *e, const struct explore_result *r)
{
	uint64_t *state = must(calloc(e->state_bytes / 8 + 1, 8));
	char text[512];

	e->init(e->ctx, state);
	fprintf(stderr, "%s: %s\n", e->name, r->sentence);
	for (uint32_t i = 0; i < r->trace_len; i++) {
		text[0] = 0;
		e->move(e->ctx, state, r->trace[i], text, sizeof(text));
		fprintf(stderr, "  %3u  %s\n", i + 1, text);
	}
	if (e->show)
		e->show(e->ctx, state);
	free(state);
}

bool explore_report(const struct explore *e, const struct explore_result *r)
{
	printf("# %s: %" PRIu64 " states (%" PRIu64 " quiet), %" PRIu64 " transitions, depth %u%s, "
	       "%.1f s, %.0f states/s, %" PRIu64 " MiB\n", e->name, r->states, r->quiet_states,
	       r->transitions, r->depth, r->bounded ? " (bounded)" : "", r->seconds,
	       (double)r->states / (r->seconds > 1e-6 ? r->seconds : 1e-6), r->bytes >> 20);
	fflush(stdout);
	if (r->verdict)
		print_trace(e, r);
	return !r->verdict;
}

void explore_free(struct explore_result *r)
{
	free(r->trace);
	r->trace = NULL;
}
