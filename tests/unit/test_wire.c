// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * The wire: what it does to flits against what its probabilities say. Seeds are fixed, so counts
 * are always the same; the bounds are six standard deviations, which a wrong distribution misses.
 */
#include "model_test.h"

#include <math.h>

#include "model/wire.h"

#define BITS 2048u

static struct hsl_flit flit(uint8_t fill)
{
	struct hsl_flit f;

	memset(&f, fill, sizeof(f));
	return f;
}

static uint32_t flips(const struct hsl_flit *a, const struct hsl_flit *b, uint32_t *first,
		      uint32_t *last)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < BITS; i++) {
		uint8_t d = (uint8_t)(((const uint8_t *)a)[i / 8] ^ ((const uint8_t *)b)[i / 8]);

		if (!(d >> i % 8 & 1))
			continue;
		if (first && !n)
			*first = i;
		if (last)
			*last = i;
		n++;
	}
	return n;
}

/* count of n trials with probability p */
static void near(uint64_t count, double n, double p)
{
	double bound = 6 * sqrt(n * p * (1 - p)) + 1;

	if (fabs((double)count - n * p) > bound)
		fail_msg("%llu of %.0f with p = %g: expected %.1f +- %.1f",
			 (unsigned long long)count, n, p, n * p, bound);
}

static void test_probability(void **state)
{
	(void)state;
	assert_true(hsl_wire_probability(0.0) == 0);
	assert_true(hsl_wire_probability(-1.0) == 0);
	assert_true(hsl_wire_probability(NAN) == 0);
	assert_true(hsl_wire_probability(0.5) == UINT64_C(1) << 63);
	assert_true(hsl_wire_probability(1e-12) == 18446744);
	assert_true(hsl_wire_probability(1.0) == UINT64_MAX);
	assert_true(hsl_wire_probability(7.0) == UINT64_MAX);
}

static void test_check(void **state)
{
	struct hsl_wire_cfg ok = { .burst = 1, .burst_bits = 2, .reorder = 1, .reorder_places = 1 }, c;

	(void)state;
	assert_null(hsl_wire_check(&(struct hsl_wire_cfg){ 0 }));
	assert_null(hsl_wire_check(&ok));
	assert_non_null(hsl_wire_check((c = ok, c.burst_bits = 1, &c)));
	assert_null(hsl_wire_check((c = ok, c.burst_bits = BITS, &c)));
	assert_non_null(hsl_wire_check((c = ok, c.burst_bits = BITS + 1, &c)));
	assert_non_null(hsl_wire_check((c = ok, c.reorder_places = 0, &c)));
}

static void test_clean(void **state)
{
	struct hsl_wire_cfg cfg = { 0 };
	struct hsl_wire_out out[2];
	struct hsl_flit f = flit(0x5a);
	struct hsl_wire w, before;

	(void)state;
	hsl_wire_init(&w, &cfg, 1);
	before = w;
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(hsl_wire_pass(&w, &f, out), 1);
		assert_memory_equal(&out[0].flit, &f, sizeof(f));
		assert_int_equal(out[0].late, 0);
	}
	assert_memory_equal(w.rng, before.rng, sizeof(w.rng));
	assert_int_equal(w.stats.flits, 1000);
	assert_int_equal(w.stats.bit_errors + w.stats.bursts + w.stats.dropped +
			 w.stats.duplicated + w.stats.reordered, 0);
}

/* Errors, flits without any, and errors of each bit position and of neighbours. */
static void bit_errors(double p, uint32_t flits)
{
	struct hsl_wire_cfg cfg = { .bit_error = hsl_wire_probability(p) };
	uint64_t total = 0, good = 0, low = 0, pairs = 0;
	struct hsl_flit f = flit(0);
	struct hsl_wire_out out[2];
	struct hsl_wire w;

	hsl_wire_init(&w, &cfg, 42);
	for (uint32_t i = 0; i < flits; i++) {
		const uint8_t *b = (const uint8_t *)&out[0].flit;
		uint32_t n;

		assert_int_equal(hsl_wire_pass(&w, &f, out), 1);
		if (!memcmp(b, &f, sizeof(f))) {
			good++;
			continue;
		}
		n = flips(&out[0].flit, &f, NULL, NULL);
		total += n;
		for (uint32_t k = 0; k < BITS / 8; k++) {
			low += b[k] & 1;
			pairs += (b[k] & 3) == 3;
		}
	}
	assert_int_equal(w.stats.bit_errors, total);
	near(total, (double)flits * BITS, p);
	near(good, flits, pow(1 - p, BITS));
	near(low, (double)flits * BITS / 8, p);
	near(pairs, (double)flits * BITS / 8, p * p);
}

static void test_bit_errors(void **state)
{
	(void)state;
	bit_errors(1e-6, 100000);
	bit_errors(1e-4, 20000);
	bit_errors(1e-2, 2000);
	bit_errors(0.3, 500);
	bit_errors(0.9, 500);
}

static void test_extreme_rates(void **state)
{
	struct hsl_wire_cfg cfg = { .bit_error = UINT64_MAX };
	struct hsl_flit f = flit(0), ones = flit(0xff);
	struct hsl_wire_out out[2];
	struct hsl_wire w;

	(void)state;
	hsl_wire_init(&w, &cfg, 3);
	for (int i = 0; i < 10; i++) {
		assert_int_equal(hsl_wire_pass(&w, &f, out), 1);
		assert_memory_equal(&out[0].flit, &ones, sizeof(ones));
	}
	/* what a double takes for certain is */
	cfg.bit_error = UINT64_MAX - 1;
	hsl_wire_init(&w, &cfg, 3);
	assert_int_equal(hsl_wire_pass(&w, &f, out), 1);
	assert_memory_equal(&out[0].flit, &ones, sizeof(ones));
	/* 2^-64: distances beyond what 64 bits hold do not wrap into errors */
	cfg.bit_error = 1;
	for (uint64_t seed = 0; seed < 1000; seed++) {
		hsl_wire_init(&w, &cfg, seed);
		assert_true(w.bits_to_error > UINT64_C(1) << 40);
	}
	assert_int_equal(hsl_wire_pass(&w, &f, out), 1);
	assert_memory_equal(&out[0].flit, &f, sizeof(f));
	hsl_wire_set(&w, &(struct hsl_wire_cfg){ 0 });
	assert_true(w.bits_to_error == UINT64_MAX);
}

/* A distance carries over from flit to flit: the mean gap is 1 / p, also when it is many flits. */
static void test_gaps(void **state)
{
	struct hsl_wire_cfg cfg = { .bit_error = hsl_wire_probability(1e-5) };
	uint64_t last = 0, bits = 0, gaps = 0, longer = 0;
	struct hsl_flit f = flit(0);
	struct hsl_wire_out out[2];
	struct hsl_wire w;

	(void)state;
	hsl_wire_init(&w, &cfg, 7);
	for (; gaps < 4000; bits += BITS) {
		uint32_t at = 0;

		hsl_wire_pass(&w, &f, out);
		/* of several in one flit the first is enough: 1 in 50 flits has one at all */
		if (!memcmp(&out[0].flit, &f, sizeof(f)))
			continue;
		flips(&out[0].flit, &f, &at, NULL);
		longer += gaps && bits + at - last > 69314;	/* the median: ln 2 / p */
		last = bits + at;
		gaps++;
	}
	near(longer, (double)gaps - 1, 0.5 * 1.01);
}

static void test_bursts(void **state)
{
	static const uint32_t lengths[] = { 2, 3, 63, 64, 65, 700, BITS };
	struct hsl_wire_cfg cfg = { .burst = hsl_wire_probability(0.25) };
	struct hsl_flit f = flit(0x33);
	struct hsl_wire_out out[2];
	struct hsl_wire w;

	(void)state;
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		uint64_t flipped = 0, bursts;
		uint32_t lowest = BITS, highest = 0;

		cfg.burst_bits = lengths[i];
		assert_null(hsl_wire_check(&cfg));
		hsl_wire_init(&w, &cfg, 11);
		for (int k = 0; k < 20000; k++) {
			uint32_t first = 0, last = 0, n;

			assert_int_equal(hsl_wire_pass(&w, &f, out), 1);
			n = flips(&out[0].flit, &f, &first, &last);
			flipped += n;
			assert_true(last - first < lengths[i]);
			if (n && first < lowest)
				lowest = first;
			if (n && last > highest)
				highest = last;
		}
		bursts = w.stats.bursts;
		near(bursts, 20000, 0.25);
		near(flipped, (double)bursts * lengths[i], 0.5);
		/* they reach both ends of the flit */
		assert_in_range(lowest, 0, 8);
		assert_in_range(highest, BITS - 9, BITS - 1);
	}
}

static void test_whole_flits(void **state)
{
	struct hsl_wire_cfg cfg = {
		.drop = hsl_wire_probability(0.1), .duplicate = hsl_wire_probability(0.2),
		.reorder = hsl_wire_probability(0.3), .reorder_places = 5,
		.bit_error = hsl_wire_probability(1e-4),
	};
	uint64_t came[3] = { 0 }, late[7] = { 0 }, copies = 0, twice_late = 0;
	struct hsl_flit f = flit(0);
	struct hsl_wire_out out[2];
	struct hsl_wire w;

	(void)state;
	hsl_wire_init(&w, &cfg, 5);
	for (int i = 0; i < 50000; i++) {
		uint32_t n = hsl_wire_pass(&w, &f, out);

		assert_in_range(n, 0, 2);
		came[n]++;
		for (uint32_t k = 0; k < n; k++) {
			assert_in_range(out[k].late, 0, 5);
			late[out[k].late]++;
			copies++;
		}
		if (n == 2) {
			assert_memory_equal(&out[0].flit, &out[1].flit, sizeof(f));
			twice_late += out[0].late && out[1].late;
		}
	}
	near(came[0], 50000, 0.1);
	near(came[2], 50000 - (double)came[0], 0.2);
	near(twice_late, (double)came[2], 0.09);
	for (uint32_t k = 1; k <= 5; k++)
		near(late[k], (double)copies, 0.06);
	assert_int_equal(w.stats.flits, 50000);
	assert_int_equal(w.stats.dropped, came[0]);
	assert_int_equal(w.stats.duplicated, came[2]);
	assert_int_equal(w.stats.reordered, copies - late[0]);
}

static uint64_t run(struct hsl_wire *w, int n)
{
	struct hsl_flit f = flit(0);
	struct hsl_wire_out out[2];
	uint64_t h = 0;

	while (n--) {
		uint32_t k = hsl_wire_pass(w, &f, out);

		h = h * 31 + k;
		for (uint32_t i = 0; i < k; i++)
			h = h * 31 + hsl_crc64(&out[i].flit, sizeof(f)) + out[i].late;
	}
	return h;
}

static void test_deterministic(void **state)
{
	struct hsl_wire_cfg cfg = {
		.bit_error = hsl_wire_probability(1e-4), .burst = hsl_wire_probability(0.01),
		.drop = hsl_wire_probability(0.05), .duplicate = hsl_wire_probability(0.05),
		.reorder = hsl_wire_probability(0.05), .burst_bits = 33, .reorder_places = 3,
	};
	struct hsl_wire a, b, c;
	uint64_t h;

	(void)state;
	memset(&a, 0x11, sizeof(a));
	memset(&b, 0x22, sizeof(b));
	hsl_wire_init(&a, &cfg, 99);
	hsl_wire_init(&b, &cfg, 99);
	hsl_wire_init(&c, &cfg, 100);
	h = run(&a, 5000);
	assert_true(run(&b, 5000) == h);
	assert_true(run(&c, 5000) != h);
	/* the stream goes on: a snapshot is a copy, and other probabilities do not rewind it */
	c = a;
	assert_true(run(&c, 100) == run(&a, 100));
	hsl_wire_set(&a, &cfg);
	assert_true(run(&a, 5000) != h);
	/* what this seed gives, on every host */
	hsl_wire_init(&a, &cfg, 1);
	run(&a, 1000);
	assert_int_equal(a.stats.bit_errors, 212);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_probability),
		cmocka_unit_test(test_check),
		cmocka_unit_test(test_clean),
		cmocka_unit_test(test_bit_errors),
		cmocka_unit_test(test_extreme_rates),
		cmocka_unit_test(test_gaps),
		cmocka_unit_test(test_bursts),
		cmocka_unit_test(test_whole_flits),
		cmocka_unit_test(test_deterministic),
	};

	return cmocka_run_group_tests_name("wire", tests, NULL, NULL);
}
