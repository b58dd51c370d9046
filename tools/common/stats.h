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
	uint64_t min, p50, p90, p95, p99, p99_9, max;
	double mean;
	double stdev;		/* of the sample, n - 1; 0 for one sample */
};

struct tool_stats *tool_stats_new(void);
/* With the histogram alone: a few KiB each, for many at once. */
struct tool_stats *tool_stats_new_small(void);
/* A small one that processes made by fork(2) share, each after the other. NULL: there is no memory. */
struct tool_stats *tool_stats_new_shared(void);
void tool_stats_add(struct tool_stats *s, uint64_t v);
void tool_stats_reset(struct tool_stats *s);
/* All samples of from as well. Both are small ones. */
void tool_stats_merge(struct tool_stats *s, const struct tool_stats *from);
/* All zero when there are no samples. */
void tool_stats_summary(const struct tool_stats *s, struct tool_summary *out);
/* parts of 10000: 9990 is p99.9; 0 is the minimum, 10000 the maximum */
uint64_t tool_stats_percentile(const struct tool_stats *s, unsigned int per_10000);
void tool_stats_free(struct tool_stats *s);

/*
 * Units per second; exact where n * 1e9 would not fit 64 bits, NaN for a time of zero.
 */
double tool_rate(uint64_t n, uint64_t duration_ns);

/* Mean and spread of a few numbers that are no integers, as rounds' bandwidths. Zeroed: empty. */
struct tool_moments {
	uint64_t n;
	double mean, m2;
};
void tool_moments_add(struct tool_moments *m, double v);
double tool_moments_stdev(const struct tool_moments *m);	/* n - 1; 0 for fewer than two */
/*
 * Half-width of the 95 % confidence interval of the mean (Student's t), as a share of the mean. NaN for fewer than two
 * numbers or a mean of zero.
 */
double tool_moments_ci95(const struct tool_moments *m);

/*
 * A run cut into pieces of at least width_ns: how fast was the slowest, how fast the fastest? So a link that stalls shows in a run of
 * any length. What is left at the end is a piece of its own if it is half of one, else it belongs to the piece before: so all that was
 * done is in a piece, and the average is never outside of least and most. Zeroed but for width_ns: empty.
 */
struct tool_windows {
	uint64_t width_ns;
	uint64_t count;
	double least, most;		/* units/s; NaN in an empty one only after tool_windows_end */
	uint64_t from_ns, from_units;	/* where the last piece begins, not counted yet */
	uint64_t to_ns, to_units;	/* and ends, if nothing is added to it */
};
void tool_windows_begin(struct tool_windows *w, uint64_t now_ns, uint64_t units);
/* units: done since the beginning of the run, never fewer than before. */
void tool_windows_tick(struct tool_windows *w, uint64_t now_ns, uint64_t units);
void tool_windows_end(struct tool_windows *w, uint64_t now_ns, uint64_t units);

#endif
