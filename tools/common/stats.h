/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Distribution of a stream of 64-bit samples in bounded memory.
 *
 * The first TOOL_STATS_EXACT samples are kept, so that percentiles of shorter runs are exact. Beyond that they come from
 * a histogram of all samples with 128 steps per power of two: at most 0.8 % above the true value, never below it and
 * never above the largest sample. Minimum and maximum are exact always; mean and standard deviation are Welford's, so
 * that nothing overflows or cancels after hours. Percentiles are nearest-rank: the smallest sample such that at least
 * p of all samples are not above it. One thread at a time.
 */
#ifndef TOOL_STATS_H
#define TOOL_STATS_H

#include <stdint.h>

#define TOOL_STATS_EXACT	(1u << 17)

struct tool_stats;

struct tool_summary {
	uint64_t count;
	uint64_t min, p50, p90, p99, p99_9, max;
	double mean;
	double stdev;		/* of the sample, n - 1; 0 for one sample */
};

struct tool_stats *tool_stats_new(void);
void tool_stats_add(struct tool_stats *s, uint64_t v);
void tool_stats_reset(struct tool_stats *s);
/* All zero when there are no samples. */
void tool_stats_summary(const struct tool_stats *s, struct tool_summary *out);
/* parts of 10000: 9990 is p99.9; 0 is the minimum, 10000 the maximum */
uint64_t tool_stats_percentile(const struct tool_stats *s, unsigned int per_10000);
void tool_stats_free(struct tool_stats *s);

/*
 * Units per second; exact where n * 1e9 would not fit 64 bits, NaN for a time of zero.
 */
double tool_rate(uint64_t n, uint64_t duration_ns);

#endif
