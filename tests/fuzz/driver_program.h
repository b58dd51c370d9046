/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Programs for the driver: bytes that stand for calls of /dev/hsl0, for tests/guest/fuzz.c.
 *
 * A program is at most PROG_MAX bytes. Each call takes one byte that says which, and what its arguments take; past the
 * end all bytes are zero. Arguments are drawn from what makes sense there (a node that exists, a handle that a call
 * before gave, a length of some pages), and now and then anything else. What calls give is kept in slots, which other
 * calls name by number, so that any bytes are a program and cut and spliced ones still make sense.
 *
 * Calls run on files, mappings and segments of this process; PROG_END takes them all away. Two threads may run programs
 * on the same slots at once: slots are read and written without a lock, only what must not be closed twice is taken by
 * an exchange. Nothing a program does reaches the memory of the fuzzer: mappings lie in an arena of their own, at
 * fixed places, and are touched under raw_catch_faults().
 */
#ifndef HSL_TESTS_DRIVER_PROGRAM_H
#define HSL_TESTS_DRIVER_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROG_MAX	384u

struct prog {
	uint32_t len;
	uint8_t byte[PROG_MAX];
};

void prog_init(void);			/* once, before threads, and when all files that are to stay are open */
void prog_begin(void);			/* all slots empty, but for a context */
/* Calls made. say: a line for each call and what it gave; dry: say what would be called, call nothing. */
unsigned int prog_run(const struct prog *p, bool say, bool dry);
void prog_end(void);

/* Another one, by the numbers of rng: of nothing, from p, or from p and q. */
struct prog_rng {
	uint64_t state;
};
uint64_t prog_rnd(struct prog_rng *r, uint64_t below);
void prog_fresh(struct prog *p, struct prog_rng *r);
void prog_mutate(struct prog *p, const struct prog *q, struct prog_rng *r);
void prog_print(const struct prog *p);	/* in hexadecimal */
bool prog_parse(struct prog *p, const char *hex);

#endif
