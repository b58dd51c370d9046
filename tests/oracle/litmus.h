/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Litmus tests: tiny programs of a few agents, and which outcomes docs/hep.md section 6.3 allows.
 *
 * A program is text: agents are separated by '|', their accesses by blanks.
 *   Wx1   write 1 to x		Rx    read x
 *   Ax1   ATOMIC ADD of 1 to x	Sx1   ATOMIC SWAP of 1 with x
 *   F     wait until all accesses before it are done
 * What R, A and S return are r0, r1, … in the order of the text; x, y, z are 0 before. An outcome
 * is the value of every register and of x, y, z at the end.
 *
 * Each program exists in three forms: as written; with an F between any two accesses of an agent;
 * and with x, y, z in one line.
 */
#ifndef LITMUS_H
#define LITMUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LITMUS_AGENTS 4
#define LITMUS_STEPS 12 /* of all agents together, without F */
#define LITMUS_PLACES 3
#define LITMUS_REGS 8

enum litmus_form { LITMUS_PLAIN, LITMUS_WAITS, LITMUS_ONE_LINE, LITMUS_FORMS };

struct litmus_step {
	char op; /* W R A S */
	uint8_t agent, place, value;
	uint8_t reg;   /* of R, A, S */
	uint8_t waits; /* for the first so many steps, those of its agent among them, to be done */
};

struct litmus {
	const char *name, *text;
	const char *asked; /* the outcome that the test is about: "r0=1 r1=0" */
	enum litmus_form form;
	uint32_t agents, steps, regs, places;
	struct litmus_step step[LITMUS_STEPS]; /* by agent, in program order */
};

/* Three bits for each register, then each place. */
typedef uint64_t litmus_outcome;

struct litmus_set {
	litmus_outcome *of; /* sorted */
	size_t n, room;
};

/* Number i, 0 …, in a form; false: there are fewer. */
bool litmus_get(uint32_t i, enum litmus_form form, struct litmus *t);
/* Must the step that comes later in the program of one agent take effect later? */
bool litmus_ordered(const struct litmus *t, uint32_t earlier, uint32_t later);
litmus_outcome litmus_outcome_of(const struct litmus *t, const uint8_t *regs,
				 const uint8_t *places);
const char *litmus_text(const struct litmus *t, litmus_outcome out, char *buf, size_t len);
/* Is it the outcome the test is about? */
bool litmus_is_asked(const struct litmus *t, litmus_outcome out);

/* What the axioms allow: every choice of writers read and of orders of writes whose union has no
 * cycle. */
void litmus_allowed(const struct litmus *t, struct litmus_set *set);
/* What a machine reaches that performs accesses one by one in any order the axioms leave. */
void litmus_reachable(const struct litmus *t, struct litmus_set *set);
bool litmus_has(const struct litmus_set *set, litmus_outcome out);
void litmus_free(struct litmus_set *set);
/* "forbidden" or "allowed": the outcome the test is about */
const char *litmus_verdict(const struct litmus *t);

#endif
