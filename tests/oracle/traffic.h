/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Seeded operations for randomised tests: all kinds and sizes, false sharing, hot lines. Values are
 * counters of each byte of memory, so that a byte that is read tells its writer among the last 255
 * to that byte, and the oracle rarely has to guess.
 *
 * What a line is used for depends on its number: bytes of any length and place; aligned words with
 * SWAP and CAS; whole lines; counters that only ATOMIC changes; everything at once.
 */
#ifndef TRAFFIC_H
#define TRAFFIC_H

#include "oracle.h"

#define TRAFFIC_LINES_MAX 256
#define TRAFFIC_USES 5 /* line i is used as i % 5 says; 2: whole */

struct traffic {
	uint64_t rng;
	uint32_t lines, hot; /* of the lines, every second operation goes to the first hot ones */
	uint64_t ga[TRAFFIC_LINES_MAX]; /* of each line, set by the owner */
	uint8_t count[TRAFFIC_LINES_MAX][HSL_LINE_BYTES];
};

void traffic_init(struct traffic *t, uint64_t seed, uint32_t lines, uint32_t hot);
uint64_t traffic_random(struct traffic *t);
uint32_t traffic_below(struct traffic *t, uint32_t n);
/* Everything but ps of an operation of this agent. */
void traffic_next(struct traffic *t, uint16_t agent, struct oracle_op *op);
/* A LOAD or READ of a whole line: what lets the oracle forget it. */
void traffic_audit(struct traffic *t, uint32_t line, uint16_t agent, struct oracle_op *op);

#endif
