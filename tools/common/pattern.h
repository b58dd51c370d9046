/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Payloads that say where they belong: the byte at an offset follows from seed and offset alone, so that data that is
 * missing, stale, shifted or someone else's does not compare equal. Offsets count from the start of the buffer the
 * pattern is for; a piece of it may be filled or checked by itself.
 */
#ifndef TOOL_PATTERN_H
#define TOOL_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum tool_pattern_kind {
	TOOL_PATTERN_HASH,	/* no two words of a buffer are equal */
	TOOL_PATTERN_COUNT,	/* word i is seed + i: cheap enough to be made inside a timed loop */
	TOOL_PATTERN_CONST,	/* every word is the seed: what FILL writes */
};

struct tool_pattern {
	uint64_t seed;
	enum tool_pattern_kind kind;
};

struct tool_mismatch {
	uint64_t offset;	/* of the first byte that differs, in the buffer */
	uint64_t count;		/* bytes that differ */
	uint8_t expected, got;	/* at offset */
};

/* The 8 bytes at offset off, which is a multiple of 8, as a little-endian number. */
static inline uint64_t tool_pattern_word(const struct tool_pattern *pt, uint64_t off)
{
	uint64_t x = pt->seed + off / 8;

	if (pt->kind == TOOL_PATTERN_CONST)
		return pt->seed;
	if (pt->kind == TOOL_PATTERN_COUNT)
		return x;
	/* odd factors: no two offsets collide, and another seed is no shift of this one by a few words */
	x += pt->seed * 0xd1342543de82ef94ull;
	x *= 0x9e3779b97f4a7c15ull;
	return x ^ x >> 32;
}

/* p is byte off of the buffer. */
void tool_pattern_fill(const struct tool_pattern *pt, void *p, size_t len, uint64_t off);
/* True when all bytes are right; else *m says which are not. */
bool tool_pattern_check(const struct tool_pattern *pt, const void *p, size_t len, uint64_t off,
			struct tool_mismatch *m);

#endif
