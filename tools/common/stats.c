// SPDX-License-Identifier: MIT OR Apache-2.0
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "exit.h"
#include "stats.h"

#define SUB_BITS	7			/* steps per power of two: 1 << SUB_BITS */
#define LINEAR		(2u << SUB_BITS)	/* below this every value has its own bucket */
#define BUCKETS		(LINEAR + (64 - SUB_BITS - 1) * (1u << SUB_BITS))

struct tool_stats {
	uint64_t count, min, max;
	double mean, m2;			/* Welford: m2 is the sum of squared distances from the mean */
	uint64_t hist[BUCKETS];			/* all samples */
	uint64_t *sample;			/* the first TOOL_STATS_EXACT, or NULL: none is kept */
	bool shared;
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

/* calloc has zeroed the histogram: what no sample touches takes no memory */
struct tool_stats *tool_stats_new_small(void)
{
	struct tool_stats *s = tool_calloc(1, sizeof(*s));

	s->min = UINT64_MAX;
	return s;
}

struct tool_stats *tool_stats_new_shared(void)
{
	struct tool_stats *s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (s == MAP_FAILED)
		return NULL;
	s->min = UINT64_MAX;
	s->shared = true;
	return s;
}

struct tool_stats *tool_stats_new(void)
{
	struct tool_stats *s = tool_stats_new_small();

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

	if (s->sample && s->count < TOOL_STATS_EXACT)
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

void tool_stats_merge(struct tool_stats *s, const struct tool_stats *from)
{
	double n = (double)(s->count + from->count), delta = from->mean - s->mean;

	if (!from->count)
		return;
	for (unsigned int b = 0; b < BUCKETS; b++)
		s->hist[b] += from->hist[b];
	s->min = from->min < s->min ? from->min : s->min;
	s->max = from->max > s->max ? from->max : s->max;
	s->m2 += from->m2 + delta * delta * (double)s->count * (double)from->count / n;
	s->mean += delta * (double)from->count / n;
	s->count += from->count;
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

	if (!s->sample || s->count > TOOL_STATS_EXACT)
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
	out->p95 = percentile(s, sorted, 9500);
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
	if (s->shared)
		munmap(s, sizeof(*s));
	else
		free(s);
}

double tool_rate(uint64_t n, uint64_t duration_ns)
{
	return duration_ns ? (double)n * 1e9 / (double)duration_ns : NAN;
}

void tool_moments_add(struct tool_moments *m, double v)
{
	double delta = v - m->mean;

	m->n++;
	m->mean += delta / (double)m->n;
	m->m2 += delta * (v - m->mean);
}

double tool_moments_stdev(const struct tool_moments *m)
{
	return m->n > 1 ? sqrt(m->m2 / (double)(m->n - 1)) : 0;
}

/* Two-sided 95 % quantile of Student's t for df degrees of freedom; between and beyond the table the next smaller df: wider. */
static double student_t95(uint64_t df)
{
	static const struct { unsigned int df; double t; } table[] = {
		{ 1, 12.706 }, { 2, 4.303 }, { 3, 3.182 }, { 4, 2.776 }, { 5, 2.571 }, { 6, 2.447 }, { 7, 2.365 }, { 8, 2.306 },
		{ 9, 2.262 }, { 10, 2.228 }, { 12, 2.179 }, { 15, 2.131 }, { 20, 2.086 }, { 30, 2.042 }, { 60, 2.000 },
		{ 120, 1.980 },
	};
	double t = table[0].t;

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]) && table[i].df <= df; i++)
		t = table[i].t;
	return t;
}

double tool_moments_ci95(const struct tool_moments *m)
{
	if (m->n < 2 || m->mean == 0)
		return NAN;
	return student_t95(m->n - 1) * tool_moments_stdev(m) / sqrt((double)m->n) / fabs(m->mean);
}

void tool_windows_begin(struct tool_windows *w, uint64_t now_ns, uint64_t units)
{
	w->from_ns = w->to_ns = now_ns;
	w->from_units = w->to_units = units;
}

/* The piece that ended last is one for good; the next one begins at its end. */
static void window_count(struct tool_windows *w)
{
	double rate;

	if (w->to_ns == w->from_ns)
		return;
	rate = tool_rate(w->to_units - w->from_units, w->to_ns - w->from_ns);
	if (!w->count || rate < w->least)
		w->least = rate;
	if (!w->count || rate > w->most)
		w->most = rate;
	w->count++;
	w->from_ns = w->to_ns;
	w->from_units = w->to_units;
}

void tool_windows_tick(struct tool_windows *w, uint64_t now_ns, uint64_t units)
{
	if (!w->width_ns || now_ns - w->to_ns < w->width_ns)
		return;
	window_count(w);
	w->to_ns = now_ns;
	w->to_units = units;
}

void tool_windows_end(struct tool_windows *w, uint64_t now_ns, uint64_t units)
{
	if (now_ns - w->to_ns >= w->width_ns / 2)
		window_count(w);
	w->to_ns = now_ns;
	w->to_units = units;
	window_count(w);
	if (!w->count)
		w->least = w->most = NAN;
}
