/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Patterns, comparison and oracles. Nothing here knows a fabric: a mistake here would hide mistakes
 * everywhere, so tests/unit/test_hsltest_compare.c feeds it corrupted data. The oracles are written
 * byte by byte on purpose: they share no method with an engine that calls memmove.
 */
#include <errno.h>
#include <string.h>

#include "hsltest.h"

uint64_t ht_mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15ull;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
	return x ^ (x >> 31);
}

/* Every 8-byte word differs from every other and from zero-filled or shifted memory. */
void ht_pattern(void *p, size_t len, uint64_t seed)
{
	uint8_t *b = p;
	size_t off, n;
	uint64_t w;

	for (off = 0; off < len; off += n) {
		w = ht_mix(seed + off);
		n = len - off < 8 ? len - off : 8;
		memcpy(b + off, &w, n);
	}
}

bool ht_equal(const void *got, const void *want, size_t len, struct ht_diff *d)
{
	const uint8_t *g = got, *w = want;
	size_t i;

	memset(d, 0, sizeof(*d));
	if (!memcmp(g, w, len))
		return true;
	for (i = 0; i < len; i++) {
		uint8_t seen = g[i];

		if (seen == w[i])
			continue;
		if (!d->count) {
			d->first = i;
			d->expected = w[i];
			d->got = seen;
		}
		d->last = i;
		d->count++;
	}
	/* memcmp saw a difference that is gone now: someone is still writing, which is no less
	 * wrong */
	return false;
}

void ht_oracle_fill(uint8_t *dst, uint64_t len, uint64_t pattern)
{
	uint64_t i;

	for (i = 0; i < len; i++)
		dst[i] = (uint8_t)(pattern >> (8 * (i % 8)));
}

void ht_oracle_move(uint8_t *dst, const uint8_t *src, uint64_t len)
{
	uint64_t i;

	if ((uintptr_t)dst <= (uintptr_t)src) {
		for (i = 0; i < len; i++)
			dst[i] = src[i];
	} else {
		for (i = len; i > 0; i--)
			dst[i - 1] = src[i - 1];
	}
}

int ht_cookies_check(const uint64_t *cookies, unsigned int ncookies, uint64_t base, unsigned int n,
		     uint64_t *bad)
{
	unsigned int i, seen;
	uint64_t want;

	*bad = 0;
	for (i = 0; i < ncookies; i++) {
		if (cookies[i] - base >= n) {
			*bad = cookies[i];
			return -ERANGE;
		}
	}
	for (want = base; want - base < n; want++) {
		for (i = 0, seen = 0; i < ncookies; i++)
			seen += cookies[i] == want;
		if (seen != 1) {
			*bad = want;
			return seen ? -EEXIST : -ENOENT;
		}
	}
	return 0;
}
