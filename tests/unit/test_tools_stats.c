// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * tools/common: the statistics of hslbench against a plain definition and known answers, and payload patterns, which have
 * to find every single wrong byte.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <math.h>

#include "pattern.h"
#include "stats.h"

static uint64_t rng = 88172645463325252ull;

static uint64_t rnd(void)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return rng;
}

static void assert_near(double got, double want, double rel)
{
	if (fabs(got - want) > rel * fabs(want))
		fail_msg("%.17g is not near %.17g", got, want);
}

static void test_known(void **state)
{
	struct tool_stats *s = tool_stats_new();
	struct tool_summary sum;

	(void)state;
	tool_stats_summary(s, &sum);
	assert_int_equal(sum.count, 0);
	assert_int_equal(sum.max, 0);
	assert_int_equal(tool_stats_percentile(s, 5000), 0);

	tool_stats_add(s, 42);
	tool_stats_summary(s, &sum);
	assert_int_equal(sum.min, 42);
	assert_int_equal(sum.p50, 42);
	assert_int_equal(sum.p99_9, 42);
	assert_int_equal(sum.max, 42);
	assert_true(sum.mean == 42 && sum.stdev == 0);

	/* 1..1000 in a mixed order: nearest rank */
	tool_stats_reset(s);
	for (uint64_t i = 0; i < 1000; i++)
		tool_stats_add(s, (i * 7) % 1000 + 1);
	tool_stats_summary(s, &sum);
	assert_int_equal(sum.count, 1000);
	assert_int_equal(sum.min, 1);
	assert_int_equal(sum.p50, 500);
	assert_int_equal(sum.p90, 900);
	assert_int_equal(sum.p99, 990);
	assert_int_equal(sum.p99_9, 999);
	assert_int_equal(sum.max, 1000);
	assert_near(sum.mean, 500.5, 1e-12);
	assert_near(sum.stdev, sqrt(1000.0 * 1001 / 12), 1e-12);

	/* 2 4 4 4 5 5 7 9: mean 5, squared distances 32 */
	tool_stats_reset(s);
	for (const char *p = "24445579"; *p; p++)
		tool_stats_add(s, (uint64_t)(*p - '0'));
	tool_stats_summary(s, &sum);
	assert_near(sum.mean, 5, 1e-15);
	assert_near(sum.stdev, sqrt(32.0 / 7), 1e-15);
	assert_int_equal(sum.p50, 4);
	assert_int_equal(sum.p90, 9);
	tool_stats_free(s);
	tool_stats_free(NULL);
}

/* Sub-unit spread on a large offset must not vanish, nor an extreme sample overflow. */
static void test_numeric(void **state)
{
	struct tool_stats *s = tool_stats_new();
	struct tool_summary sum;
	uint64_t base = 1ull << 50;

	(void)state;
	for (int i = 0; i < 100000; i++)
		tool_stats_add(s, base + (i & 1));
	tool_stats_summary(s, &sum);
	assert_near(sum.mean, (double)base, 1e-12);
	assert_near(sum.stdev, 0.5, 1e-3);
	assert_int_equal(sum.p50, base);
	assert_int_equal(sum.max, base + 1);

	tool_stats_reset(s);
	tool_stats_add(s, UINT64_MAX);
	tool_stats_add(s, 0);
	tool_stats_add(s, UINT64_MAX);
	tool_stats_summary(s, &sum);
	assert_true(sum.max == UINT64_MAX && sum.min == 0 && sum.p50 == UINT64_MAX);
	assert_near(sum.mean, 2.0 / 3 * 0x1p64, 1e-12);
	assert_true(isfinite(sum.stdev));
	tool_stats_free(s);
}

/* Without kept samples the histogram answers: exact below its linear part, never above the largest sample. */
static void test_small(void **state)
{
	struct tool_stats *s = tool_stats_new_small();
	struct tool_summary sum;

	(void)state;
	tool_stats_summary(s, &sum);
	assert_int_equal(sum.count, 0);
	tool_stats_add(s, 200);
	tool_stats_summary(s, &sum);
	assert_true(sum.min == 200 && sum.p50 == 200 && sum.p95 == 200 && sum.max == 200 && sum.stdev == 0);
	for (unsigned int i = 0; i < 98; i++)
		tool_stats_add(s, 100);
	tool_stats_add(s, 100001);
	tool_stats_summary(s, &sum);
	assert_true(sum.p50 == 100 && sum.p95 == 100 && sum.p99 == 200 && sum.max == 100001);
	tool_stats_free(s);
}

/* Samples dealt out to several and merged are what one had got. */
static void test_merge(void **state)
{
	struct tool_stats *one = tool_stats_new_small(), *part[3], *all = tool_stats_new_small();
	struct tool_summary a, b;
	uint64_t v = 1;

	(void)state;
	for (unsigned int i = 0; i < 3; i++)
		part[i] = tool_stats_new_small();
	for (unsigned int i = 0; i < 10000; i++) {
		v = v * 6364136223846793005ull + 1442695040888963407ull;
		tool_stats_add(one, v >> 44);
		tool_stats_add(part[i % 7 ? 0 : 1], v >> 44);	/* the third gets none */
	}
	for (unsigned int i = 0; i < 3; i++)
		tool_stats_merge(all, part[i]);
	tool_stats_summary(one, &a);
	tool_stats_summary(all, &b);
	assert_true(a.count == b.count && a.min == b.min && a.max == b.max && a.p50 == b.p50 && a.p99 == b.p99);
	assert_near(b.mean, a.mean, 1e-9);
	assert_near(b.stdev, a.stdev, 1e-9);
	for (unsigned int i = 0; i < 3; i++)
		tool_stats_free(part[i]);
	tool_stats_free(one);
	tool_stats_free(all);
}

/* What another process has added is there. */
static void test_shared(void **state)
{
	struct tool_stats *s = tool_stats_new_shared(), *all = tool_stats_new_small();
	struct tool_summary sum;
	int status;
	pid_t pid;

	(void)state;
	assert_non_null(s);
	pid = fork();
	if (!pid) {
		for (uint64_t v = 1; v <= 100; v++)
			tool_stats_add(s, v);
		_exit(0);
	}
	assert_true(pid > 0 && waitpid(pid, &status, 0) == pid && !status);
	tool_stats_add(s, 1000);
	tool_stats_merge(all, s);
	tool_stats_summary(all, &sum);
	assert_true(sum.count == 101 && sum.min == 1 && sum.p50 == 51 && sum.max == 1000);
	tool_stats_free(s);
	tool_stats_free(all);
}

/* Rounds: numbers that are no integers. Student's t of 4 degrees of freedom is 2.776. */
static void test_moments(void **state)
{
	struct tool_moments m = { 0 };

	(void)state;
	assert_true(isnan(tool_moments_ci95(&m)));
	tool_moments_add(&m, 5);
	assert_true(m.mean == 5 && tool_moments_stdev(&m) == 0 && isnan(tool_moments_ci95(&m)));
	tool_moments_add(&m, 5);
	assert_true(tool_moments_ci95(&m) == 0);	/* equal: known exactly */

	m = (struct tool_moments){ 0 };
	for (int i = 1; i <= 5; i++)
		tool_moments_add(&m, i);
	assert_near(m.mean, 3, 1e-15);
	assert_near(tool_moments_stdev(&m), sqrt(2.5), 1e-15);
	assert_near(tool_moments_ci95(&m), 2.776 * sqrt(2.5) / sqrt(5) / 3, 1e-12);
	/* spread far below one unit on a large mean */
	m = (struct tool_moments){ 0 };
	for (int i = 0; i < 1000; i++)
		tool_moments_add(&m, 1e9 + (i & 1) * 1e-3);
	assert_near(tool_moments_stdev(&m), 0.5e-3, 1e-2);
	m = (struct tool_moments){ 0 };
	tool_moments_add(&m, -1);
	tool_moments_add(&m, 1);
	assert_true(isnan(tool_moments_ci95(&m)));	/* of a mean of zero */
}

/* Sixty hours at 200 GB/s with one window that stalls and one at the full rate: counters pass 2^55, nothing is negative. */
static void test_windows(void **state)
{
	const uint64_t second = 1000000000ull, rate = 200000000000ull, start = UINT64_MAX / 2;
	struct tool_windows w = { .width_ns = second };
	uint64_t bytes = 0, now = start;

	(void)state;
	tool_windows_begin(&w, now, 0);
	for (unsigned int i = 0; i < 60 * 3600; i++) {
		bytes += i == 100000 ? rate / 1000 : rate / 2;
		bytes += i == 200000 ? rate / 2 : 0;
		now += second;
		tool_windows_tick(&w, now, bytes);
	}
	tool_windows_end(&w, now, bytes);
	assert_int_equal(w.count, 60 * 3600);
	assert_near(w.least, (double)rate / 1000, 1e-12);
	assert_near(w.most, (double)rate, 1e-12);
	assert_near(tool_rate(bytes, now - start), (double)rate / 2, 1e-4);
	assert_true(bytes > 1ull << 54);

	/* shorter than a window: it is the only one; nothing at all: none */
	w = (struct tool_windows){ .width_ns = second };
	tool_windows_begin(&w, 10, 0);
	tool_windows_end(&w, 10 + second / 4, 100);
	assert_true(w.count == 1 && w.least == 400 && w.most == 400);
	w = (struct tool_windows){ .width_ns = second };
	tool_windows_begin(&w, 10, 0);
	tool_windows_end(&w, 10, 0);
	assert_true(!w.count && isnan(w.least) && isnan(w.most));
	/* a rest of less than half a window is of the one before, one of half a window is a window */
	w = (struct tool_windows){ .width_ns = second };
	tool_windows_begin(&w, 0, 0);
	tool_windows_tick(&w, second, 1000);
	tool_windows_tick(&w, second + second / 5, 1400);
	tool_windows_end(&w, second + second / 4, 1500);
	assert_true(w.count == 1 && w.least == 1200 && w.most == 1200);
	w = (struct tool_windows){ .width_ns = second };
	tool_windows_begin(&w, 0, 0);
	tool_windows_tick(&w, second, 1000);
	tool_windows_tick(&w, 2 * second, 1000);
	tool_windows_end(&w, 2 * second + second / 2, 2000);
	assert_true(w.count == 3 && w.least == 0 && w.most == 2000);
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* More samples than are kept: against sorting them all. The bound of the header: never below, at most 1/128 above. */
static void test_long_run(void **state)
{
	static const unsigned int ps[] = { 1, 1000, 5000, 9000, 9900, 9990, 9999, 10000 };
	const size_t n = 3 * TOOL_STATS_EXACT + 17;
	uint64_t *all = malloc(n * sizeof(*all));
	struct tool_stats *s = tool_stats_new();
	struct tool_summary sum;
	long double total = 0, squares = 0;

	(void)state;
	assert_non_null(all);
	for (size_t i = 0; i < n; i++) {
		/* all magnitudes; the largest sample comes late, when samples are no longer kept */
		all[i] = rnd() >> (rnd() % 50 + 10);
		if (i == n - 5)
			all[i] = 1ull << 62;
		tool_stats_add(s, all[i]);
		total += all[i];
	}
	for (size_t i = 0; i < n; i++)
		squares += (all[i] - total / n) * (all[i] - total / n);
	qsort(all, n, sizeof(*all), by_value);
	for (size_t i = 0; i < sizeof(ps) / sizeof(ps[0]); i++) {
		size_t rank = (n * ps[i] + 9999) / 10000;
		uint64_t want = all[rank - 1], got = tool_stats_percentile(s, ps[i]);

		assert_true(got >= want && got - want <= want / 128 + 1);
	}
	tool_stats_summary(s, &sum);
	assert_int_equal(sum.count, n);
	assert_true(sum.max == 1ull << 62);
	assert_int_equal(sum.min, all[0]);
	assert_near(sum.mean, (double)(total / n), 1e-9);
	assert_near(sum.stdev, sqrt((double)(squares / (n - 1))), 1e-9);
	tool_stats_free(s);
	free(all);
}

/* Both ways of computing agree where one takes over from the other. */
static void test_handover(void **state)
{
	struct tool_stats *s = tool_stats_new();
	uint64_t before, after;

	(void)state;
	for (uint64_t i = 0; i < TOOL_STATS_EXACT; i++)
		tool_stats_add(s, 1000 + i % 1000);
	before = tool_stats_percentile(s, 9000);
	tool_stats_add(s, 1500);
	after = tool_stats_percentile(s, 9000);
	assert_int_equal(before, 1899);
	assert_true(after >= before && after <= before + before / 128);
	tool_stats_free(s);
}

static void test_rate(void **state)
{
	(void)state;
	assert_near(tool_rate(5, 1000000000), 5, 1e-15);
	assert_true(isnan(tool_rate(5, 0)));
	/* 60 hours at 1 TB/s: n * 1e9 is far beyond 64 bits */
	assert_near(tool_rate(216000ull * 1000000000000ull, 216000ull * 1000000000ull), 1e12, 1e-12);
	assert_true(tool_rate(UINT64_MAX, 1) > 0);
}

/* ---- patterns ---- */

static void test_pattern_pieces(void **state)
{
	static const enum tool_pattern_kind kinds[] = { TOOL_PATTERN_HASH, TOOL_PATTERN_COUNT, TOOL_PATTERN_CONST };
	uint8_t whole[301], part[301];
	struct tool_mismatch m;

	(void)state;
	for (int k = 0; k < 3; k++) {
		struct tool_pattern pt = { .seed = 0x0123456789abcdefull, .kind = kinds[k] };

		tool_pattern_fill(&pt, whole, sizeof(whole), 0);
		for (size_t i = 0; i < sizeof(whole); i++)	/* byte i of the definition */
			assert_int_equal(whole[i], (uint8_t)(tool_pattern_word(&pt, i & ~7ull) >> 8 * (i & 7)));
		for (size_t from = 0; from < 20; from++) {
			for (size_t len = 0; len < 40; len++) {
				memset(part, 0, sizeof(part));
				tool_pattern_fill(&pt, part + from, len, from);
				assert_memory_equal(part + from, whole + from, len);
				assert_int_equal(part[from + len], 0);
				assert_true(tool_pattern_check(&pt, part + from, len, from, &m));
			}
		}
	}
}

static void test_pattern_finds_each_byte(void **state)
{
	struct tool_pattern pt = { .seed = 9 };
	uint8_t buf[77];
	struct tool_mismatch m;

	(void)state;
	for (size_t bad = 0; bad < sizeof(buf); bad++) {
		tool_pattern_fill(&pt, buf, sizeof(buf), 1003);
		buf[bad] ^= 0x40;
		assert_false(tool_pattern_check(&pt, buf, sizeof(buf), 1003, &m));
		assert_int_equal(m.offset, 1003 + bad);
		assert_int_equal(m.count, 1);
		assert_int_equal(m.got, buf[bad]);
		assert_int_equal(m.expected, buf[bad] ^ 0x40);
	}
	/* two of them: the first is named */
	tool_pattern_fill(&pt, buf, sizeof(buf), 0);
	buf[70] ^= 1;
	buf[3] ^= 1;
	assert_false(tool_pattern_check(&pt, buf, sizeof(buf), 0, &m));
	assert_int_equal(m.offset, 3);
	assert_int_equal(m.count, 2);
}

/* Shifted by a word, a page or a slot, or of another seed: must differ nearly everywhere. */
static void test_pattern_shifted(void **state)
{
	struct tool_pattern pt = { .seed = 1 }, other = { .seed = 2 };
	static uint8_t buf[8192];
	static const uint64_t shifts[] = { 8, 64, 4096, 65536, 1 << 20 };
	struct tool_mismatch m;

	(void)state;
	for (size_t i = 0; i < sizeof(shifts) / sizeof(shifts[0]); i++) {
		tool_pattern_fill(&pt, buf, sizeof(buf), shifts[i]);
		assert_false(tool_pattern_check(&pt, buf, sizeof(buf), 0, &m));
		assert_true(m.count > sizeof(buf) * 9 / 10);
	}
	tool_pattern_fill(&other, buf, sizeof(buf), 0);
	assert_false(tool_pattern_check(&pt, buf, sizeof(buf), 0, &m));
	assert_true(m.count > sizeof(buf) * 9 / 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known),
		cmocka_unit_test(test_small), cmocka_unit_test(test_merge), cmocka_unit_test(test_shared), cmocka_unit_test(test_moments), cmocka_unit_test(test_windows),
		cmocka_unit_test(test_numeric),
		cmocka_unit_test(test_long_run),
		cmocka_unit_test(test_handover),
		cmocka_unit_test(test_rate),
		cmocka_unit_test(test_pattern_pieces),
		cmocka_unit_test(test_pattern_finds_each_byte),
		cmocka_unit_test(test_pattern_shifted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
