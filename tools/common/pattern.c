// SPDX-License-Identifier: MIT OR Apache-2.0
#include <string.h>

#include "pattern.h"

static uint8_t byte_at(const struct tool_pattern *pt, uint64_t off)
{
	return (uint8_t)(tool_pattern_word(pt, off & ~7ull) >> (8 * (off & 7)));
}

/* Bytes until off is a multiple of 8, then words, then bytes: no access reaches outside [p, p + len). */
void tool_pattern_fill(const struct tool_pattern *pt, void *p, size_t len, uint64_t off)
{
	uint8_t *b = p;
	size_t i = 0;

	for (; i < len && ((off + i) & 7); i++)
		b[i] = byte_at(pt, off + i);
	for (; len - i >= 8; i += 8) {
		uint64_t w = tool_pattern_word(pt, off + i);

		memcpy(b + i, &w, 8);
	}
	for (; i < len; i++)
		b[i] = byte_at(pt, off + i);
}

static void note(struct tool_mismatch *m, uint64_t off, uint8_t expected, uint8_t got)
{
	if (expected == got)
		return;
	if (!m->count) {
		m->offset = off;
		m->expected = expected;
		m->got = got;
	}
	m->count++;
}

bool tool_pattern_check(const struct tool_pattern *pt, const void *p, size_t len, uint64_t off,
			struct tool_mismatch *m)
{
	const uint8_t *b = p;
	size_t i = 0;

	memset(m, 0, sizeof(*m));
	for (; i < len && ((off + i) & 7); i++)
		note(m, off + i, byte_at(pt, off + i), b[i]);
	for (; len - i >= 8; i += 8) {
		uint64_t want = tool_pattern_word(pt, off + i), got;

		memcpy(&got, b + i, 8);
		if (got == want)
			continue;
		for (unsigned int k = 0; k < 8; k++)
			note(m, off + i + k, (uint8_t)(want >> 8 * k), (uint8_t)(got >> 8 * k));
	}
	for (; i < len; i++)
		note(m, off + i, byte_at(pt, off + i), b[i]);
	return !m->count;
}
