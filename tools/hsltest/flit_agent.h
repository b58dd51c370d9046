/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Two agents with caches, a chip's and its host port's, behind the tester's end of a link: they ask the device's home and answer its
 * snoops (docs/hep.md section 12). All of one test is in one of these.
 */
#ifndef HSLTEST_FLIT_AGENT_H
#define HSLTEST_FLIT_AGENT_H

#include "flit_end.h"

#define FA_TAGS 4096u
#define FA_LINES 8192u

struct fa_request {
	uint8_t opcode, status, flags; /* 0: none; of the answer */
	bool retried;
	unsigned int answers;
	uint64_t line, value;
};

struct fa {
	struct fe *e;
	size_t handled; /* of e->packets */
	struct fa_request request[2][FA_TAGS];
	union fe_pkt asked[2][FA_TAGS];
	uint64_t mask[2][FA_TAGS]; /* bytes that WRITE writes */
	char state[2][FA_LINES];   /* I S E M */
	uint16_t snoops[2][FA_LINES], invalidated[2][FA_LINES];
	uint8_t data[2][FA_LINES][HSL_LINE_BYTES];   /* in the cache */
	uint8_t written[2][FA_TAGS][HSL_LINE_BYTES]; /* by WRITE */
	uint8_t read[2][FA_TAGS][HSL_LINE_BYTES];    /* of READ */
	bool poison;				      /* the next WR_DATA carries POISON */
	uint64_t strangers;			      /* answers that nobody waits for */
};

struct fa *fa_new(struct fe *e);
/* Sends a request of an agent, 0 or 1; the line's number. The tag is free. */
void fa_ask(struct fa *a, unsigned int agent, uint8_t opcode, uint16_t tag, uint64_t line);
void fa_ask_atomic(struct fa *a, unsigned int agent, uint16_t tag, uint64_t ga, uint8_t subop, uint64_t arg0);
/* Handles what has come; then one event, as fe_step. */
bool fa_step(struct fa *a, uint64_t end_ps);
void fa_run(struct fa *a, uint64_t ps);
/* Until the request is answered, else the test fails. */
void fa_wait(struct fa *a, unsigned int agent, uint16_t tag);
#define FA_WAIT(a, ps, cond)                                           \
	({                                                             \
		const uint64_t end_ = (a)->e->now_ps + (ps);           \
		while (!(cond) && fa_step(a, end_)) {                  \
		}                                                      \
		(cond);                                                \
	})

#endif
