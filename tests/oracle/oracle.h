/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The judge of coherence and ordering: a log of what agents asked for and were told, and the
 * question whether the memory of docs/hep.md section 6.3 could have behaved so. It knows nothing of
 * caches, homes and packets and shares no code with qemu/model: what both get wrong, each gets
 * wrong alone.
 *
 * The log is written as things happen: oracle_post when an access is given to its agent,
 * oracle_done when it is told to be done. The order of these calls is the judge's only clock;
 * picoseconds are for the text.
 *
 * Not thread-safe: one caller at a time per instance.
 */
#ifndef ORACLE_H
#define ORACLE_H

#include <stdbool.h>
#include <stdint.h>

#include "hsl/proto.h"

enum oracle_kind {
	ORACLE_LOAD,
	ORACLE_STORE,
	ORACLE_READ,  /* judged as LOAD */
	ORACLE_WRITE, /* judged as STORE */
	ORACLE_ATOMIC,
	ORACLE_FLUSH,  /* changes nothing that can be seen; has to end once */
	ORACLE_POISON, /* the line becomes poison: an event of the test, posted and done by it */
	ORACLE_KINDS,
};

struct oracle_op {
	uint64_t ga, ps;     /* ps: when posted */
	uint64_t arg0, arg1; /* ATOMIC */
	uint16_t agent;
	uint8_t kind, len, subop;
	uint8_t data[HSL_LINE_BYTES]; /* STORE, WRITE */
};

struct oracle_result {
	uint64_t ps, value; /* value: ATOMIC: old value */
	uint8_t status; /* HSL_ST_OK, HSL_ST_POISON, HSL_ST_UNREACHABLE: may have happened or not */
	uint8_t data[HSL_LINE_BYTES]; /* LOAD, READ */
};

struct oracle_stats {
	uint64_t ops, judged, lines;
	uint64_t values, ambiguous; /* read; several writes may have been meant */
	uint64_t steps, backtracks;
};

struct oracle;
struct oracle *oracle_new(void); /* NULL: no memory */
void oracle_free(struct oracle *o);

/* What a line holds before the first access to it; zero and no poison if never told. */
void oracle_memory(struct oracle *o, uint64_t ga, const uint8_t data[HSL_LINE_BYTES], bool poison);
/* Returns the number of the operation, counted from 0. */
uint64_t oracle_post(struct oracle *o, const struct oracle_op *op);
/* False: a number that was never posted by this agent, or is done already. Explained by oracle_why.
 */
bool oracle_done(struct oracle *o, uint64_t number, uint16_t agent, const struct oracle_result *r);
/*
 * Nothing is outstanding: judges, and forgets, every line whose last access is an OK LOAD or READ
 * of all of it that overlaps no other access. A log of any length fits memory if such reads come at
 * times.
 */
bool oracle_cut(struct oracle *o);
/* The log is complete: judges what is left. */
bool oracle_end(struct oracle *o);

/* The first thing found wrong, in English, with the operations involved; "" if nothing. */
const char *oracle_why(const struct oracle *o);
void oracle_stats(const struct oracle *o, struct oracle_stats *out);

#endif
