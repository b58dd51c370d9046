/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the log (oracle.c) and the judge of one line (judge.c) share. */
#ifndef ORACLE_PRIV_H
#define ORACLE_PRIV_H

#include "oracle.h"

#define ORACLE_WHY_LEN 6000

struct entry {
	uint64_t number, ga, arg0, arg1, value;
	uint64_t posted, done; /* at which call; done 0: not yet */
	uint64_t posted_ps, done_ps;
	uint64_t bytes; /* data begins here in the pool */
	uint16_t agent;
	uint8_t kind, len, subop, status;
};

struct line_state {
	uint8_t data[HSL_LINE_BYTES];
	bool poison;
};

/*
 * May n operations on one line, in the order in which they were posted, have happened from this
 * state? True, with the state after them in one of the ways in which they may. False: why is
 * filled.
 */
bool judge_line(const struct entry *const *e, uint32_t n, const uint8_t *pool,
		struct line_state *state, struct oracle_stats *stats, char *why);

static inline bool entry_reads(const struct entry *e)
{
	return (e->kind == ORACLE_LOAD || e->kind == ORACLE_READ || e->kind == ORACLE_ATOMIC) &&
	       e->status != HSL_ST_UNREACHABLE;
}

#endif
