/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Explicit-state exploration, breadth first: every state that any order of moves leads to is built
 * once, checked, and remembered by a 128-bit hash. The caller owns the state, a block of bytes
 * without pointers, and says what can happen in it; the shortest way to whatever is wrong is
 * printed move by move.
 *
 * Three things can be wrong:
 *   bad state   check() has a sentence about it
 *   deadlock    not quiet, and nothing but new work or errors can happen
 *   livelock    quiet cannot be reached any more without new work or errors (AG EF quiet): found
 *               after everything was explored, backwards over the stored graph
 *
 * States beyond a bound are checked but not expanded: "bounded" in the statistics, and the livelock
 * check takes them for good.
 */
#ifndef HSL_TEST_EXPLORE_H
#define HSL_TEST_EXPLORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum explore_move {
	EXPLORE_END,	/* no move i, nor any after it */
	EXPLORE_NONE,	/* move i cannot happen here; the state may be spoilt */
	EXPLORE_STEP,	/* done */
	EXPLORE_WORK,	/* done: new work, or an error, that need not happen */
};

struct explore {
	const char *name;
	void *ctx;
	size_t state_bytes;		/* a multiple of 8 */
	void (*init)(void *ctx, void *state);
	/* Apply move i. text: NULL, or what happened, for a trace. Deterministic. */
	enum explore_move (*move)(void *ctx, void *state, uint32_t i, char *text, size_t len);
	/* NULL, or what is wrong in one sentence. */
	const char *(*check)(void *ctx, const void *state);
	/* Equal for states that need not be told apart: canonical under symmetry. */
	void (*hash)(void *ctx, const void *state, uint64_t h[2]);
	bool (*quiet)(void *ctx, const void *state);
	/* On stderr, at the end of a trace; or NULL. */
	void (*show)(void *ctx, const void *state);
	uint64_t states_max, bytes_max;	/* 0: none */
	uint32_t depth_max;		/* 0: none */
	bool no_livelock;		/* leave that check, and its memory, out */
};

enum explore_verdict { EXPLORE_OK, EXPLORE_BAD, EXPLORE_DEADLOCK, EXPLORE_LIVELOCK };

struct explore_result {
	enum explore_verdict verdict;
	char sentence[240];
	uint16_t *trace;		/* moves from the first state on; explore_free() */
	uint32_t trace_len;
	uint64_t states, transitions, quiet_states, bytes;
	uint32_t depth;
	bool bounded;
	double seconds;
};

/* Memory that cannot be had ends the program. */
void explore_run(const struct explore *e, struct explore_result *r);
/* A line of statistics on stdout; the trace of what is wrong on stderr. True: nothing is wrong. */
bool explore_report(const struct explore *e, const struct explore_result *r);
void explore_free(struct explore_result *r);

/* For hashes: the 128-bit hash of some bytes. */
void explore_hash(const void *p, size_t len, uint64_t h[2]);

#endif
