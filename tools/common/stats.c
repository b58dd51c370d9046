// SPDX-License-Identifier: MIT OR Apache-2.0
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "exit.h"
#include "stats.h"

#define SUB_BITS	7			/* steps per power of two: 1 << SUB_BITS */
#define LINEAR		(2u << SUB_BITS)	/* below this every value has its own bucket */
#define BUCKETS		(LINEAR + (64 - SUB_BITS - 1) * (1u << SUB_BITS))

struct tool_stats {
	uint64_t count, min, max;
	double mean, m2;			/* Welford: m2 is the sum of squared distances from the mean */
	uint64_t hist[BUCKETS];			/* all samples */
	uint64_t *sample;			/* the first TOOL_STATS_EXACT */
};

static unsigned int bucket_of(uint64_t v)
{
	unsigned int shift;

	if (v < LINEAR)
		return (unsigned int)v;
	shift = 63 - (unsigned int)__builtin_clzll(v) - SUB_BITS;
	return LINEAR + ((shift - 1) << SUB_BITS) + (unsigned int)(v >> shift) - (1u << SUB_BITS);
}

static uint64_t bucket_highest(unsigned int b)
{
	unsigned int shift, sub;

	if (b < LINEAR)
		return b;
	shift = ((b - LINEAR) >> SUB_BITS) + 1;
	sub = ((b - LINEAR) & ((1u << SUB_BITS) - 1)) + (1u << SUB_BITS);
	return ((uint64_t)sub << shift) + ((1ull << shift) - 1);
}

struct tool_stats *tool_stats_new(void)
{
	struct tool_stats *s = tool_calloc(1, sizeof(*s));

	s->sample = tool_calloc(TOOL_STATS_EXACT, sizeof(*s->sample));
	/* touched now, so that the page faults are not among the measured times */
	memset(s->sample, 0xff, TOOL_STATS_EXACT * sizeof(*s->sample));
	tool_stats_reset(s);
	return s;
}

void tool_stats_reset(struct tool_stats *s)
{
	s->count = 0;
	s->min = UINT64_MAX;
	s->max = 0;
	s->mean = 0;
	s->m2 = 0;
	memset(s->hist, 0, sizeof(s->hist));
}

void tool_stats_add(struct tool_stats *s, uint64_t v)
{
	double delta = (double)v - s->mean;

	if (s->count < TOOL_STATS_EXACT)
		s->sample[s->count] = v;
	s->count++;
	s->hist[bucket_of(v)]++;
	if (v < s->min)
		s->min = v;
	if (v > s->max)
		s->max = v;
	s->mean += delta / (double)s->count;
	s->m2 += delta * ((double)v - s->mean);
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* 1..count */
static uint64_t rank_of(uint64_t count, unsigned int per_10000)
{
	uint64_t rank = count / 10000 * per_10000 + (count % 10000 * per_10000 + 9999) / 10000;

	return rank ? rank : 1;
}

/* sorted: the samples in order, or NULL to use the histogram */
static uint64_t percentile(const struct tool_stats *s, const uint64_t *sorted,
			   unsigned int per_10000)
{
	uint64_t rank = rank_of(s->count, per_10000), seen = 0, v;

	if (sorted)
		return sorted[rank - 1];
	if (rank == 1)
		return s->min;
	for (unsigned int b = 0; b < BUCKETS; b++) {
		seen += s->hist[b];
		if (seen >= rank) {
			v = bucket_highest(b);
			return v > s->max ? s->max : v;
		}
	}
	return s->max;
}

static uint64_t *sorted_samples(const struct tool_stats *s)
{
	uint64_t *copy;

	if (s->count > TOOL_STATS_EXACT)
		return NULL;
	copy = tool_calloc(s->count, sizeof(*copy));
	memcpy(copy, s->sample, s->count * sizeof(*copy));
	qsort(copy, s->count, sizeof(*copy), by_value);
	return copy;
}

uint64_t tool_stats_percentile(const struct tool_stats *s, unsigned int per_10000)
{
	uint64_t *sorted, v;

	if (!s->count)
		return 0;
	sorted = sorted_samples(s);
	v = percentile(s, sorted, per_10000);
	free(sorted);
	return v;
}

void tool_stats_summary(const struct tool_stats *s, struct tool_summary *out)
{
	uint64_t *sorted;

	memset(out, 0, sizeof(*out));
	if (!s->count)
		return;
	sorted = sorted_samples(s);
	out->count = s->count;
	out->min = s->min;
	out->p50 = percentile(s, sorted, 5000);
	out->p90 = percentile(s, sorted, 9000);
	out->p99 = percentile(s, sorted, 9900);
	out->p99_9 = percentile(s, sorted, 9990);
	out->max = s->max;
	out->mean = s->mean;
	out->stdev = s->count > 1 ? sqrt(s->m2 / (double)(s->count - 1)) : 0;
	free(sorted);
}

void tool_stats_free(struct tool_stats *s)
{
	if (!s)
		return;
	free(s->sample);
	free(s);
}

double tool_rate(uint64_t n, uint64_t duration_ns)
{
	return duration_ns ? (double)n * 1e9 / (double)duration_ns : NAN;
}
