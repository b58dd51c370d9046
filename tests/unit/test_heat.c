// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Power and temperature of a chip (docs/hep.md section 10.3, MODEL-008): steady states, decays by their time constants, worked
 * out here from the numbers of the profile alone; throttling with its release; looking changes nothing.
 */
#include "model_test.h"

#include "model/heat.h"

#define S	1000000000ull
#define GB	1000000000ull

static void assert_near(int64_t got, int64_t want, int64_t by)
{
	assert_in_range(got - want + by, 0, 2 * by);
}

/* So many bytes a second, in shares of 1 ms. */
static uint64_t work(struct hsl_heat *h, uint64_t now, uint64_t until, uint64_t bytes_per_s)
{
	for (; now < until; now += S / 1000)
		hsl_heat_add(h, now, 0, bytes_per_s / 1000);
	return now;
}

static void test_idle(void **state)
{
	struct hsl_heat h;
	struct hsl_heat_sensors s;

	(void)state;
	hsl_heat_init(&h, 7 * S, 25);
	s = hsl_heat_read(&h, 7 * S);
	assert_int_equal(s.temp_mc, 45000);
	assert_int_equal(s.power_mw, 25000);
	assert_false(s.throttled || s.critical);
	s = hsl_heat_read(&h, 1000000 * S);
	assert_int_equal(s.temp_mc, 45000);
	hsl_heat_init(&h, 0, -40);
	assert_int_equal(hsl_heat_read(&h, S).temp_mc, -20000);
}

/* 100 GB/s take 10 W more: 8 degrees. One command takes 20 nJ. */
static void test_load(void **state)
{
	struct hsl_heat h, one;
	struct hsl_heat_sensors s;
	uint64_t now;

	(void)state;
	hsl_heat_init(&h, 0, 25);
	now = work(&h, 0, 2 * S, 100 * GB);
	s = hsl_heat_read(&h, now);
	assert_near(s.power_mw, 35000, 100);
	assert_near(s.temp_mc, 45000 + 5057, 10);	/* 8 K (1 - 1/e) */
	now = work(&h, now, 40 * S, 100 * GB);
	assert_near(hsl_heat_read(&h, now).temp_mc, 53000, 10);
	assert_near(hsl_heat_read(&h, now + S / 10).power_mw, 25000 + 3679, 40);	/* 10 W / e */
	assert_near(hsl_heat_read(&h, now + 2 * S).temp_mc, 45000 + 2943, 10);
	hsl_heat_init(&h, 0, 25);
	one = h;
	hsl_heat_add(&h, S, 1000000, 0);
	hsl_heat_add(&one, S, 0, 200000000);
	assert_int_equal(hsl_heat_read(&h, S).power_mw, hsl_heat_read(&one, S).power_mw);
	assert_near(hsl_heat_read(&h, S).power_mw, 25200, 1);	/* 20 mJ within 0.1 s */
}

static void test_throttle(void **state)
{
	struct hsl_heat h;

	(void)state;
	hsl_heat_init(&h, 0, 74);
	assert_false(hsl_heat_read(&h, 0).throttled);
	hsl_heat_init(&h, 0, 75);
	assert_true(hsl_heat_read(&h, 0).throttled);
	assert_false(hsl_heat_read(&h, 0).critical);
	hsl_heat_init(&h, 0, 85);
	assert_true(hsl_heat_read(&h, 0).critical);
	/* 45 degrees to 110: 95 after 2 s * ln(65 / 15), critical never; back: below 90 after 2 s * ln(65 / 45) of the rest */
	hsl_heat_init(&h, 0, 25);
	hsl_heat_ambient(&h, 0, 84);
	assert_false(hsl_heat_read(&h, 3 * S).throttled);
	assert_true(hsl_heat_read(&h, 5 * S).throttled);
	hsl_heat_ambient(&h, 100 * S, 25);
	assert_true(hsl_heat_read(&h, 100 * S).throttled);
	assert_in_range(hsl_heat_read(&h, 100 * S + S / 2).temp_mc, 90000, 94999);
	assert_true(hsl_heat_read(&h, 100 * S + S / 2).throttled);
	assert_false(hsl_heat_read(&h, 101 * S).throttled);
	assert_in_range(hsl_heat_read(&h, 101 * S).temp_mc, 80000, 89999);
}

/* Whether somebody looks between two shares, and how often, changes nothing; time that goes back stands still. */
static void test_looks(void **state)
{
	struct hsl_heat h, looked;
	struct hsl_heat_sensors a, b;

	(void)state;
	hsl_heat_init(&h, 0, 72);
	looked = h;
	for (uint64_t t = 1; t <= 200; t++) {
		hsl_heat_add(&h, t * S / 100, t % 7, t % 50 * GB);
		hsl_heat_add(&looked, t * S / 100, t % 7, t % 50 * GB);
		for (unsigned int i = 0; i < 5; i++)
			hsl_heat_read(&looked, t * S / 100 + i);
	}
	a = hsl_heat_read(&h, 3 * S);
	b = hsl_heat_read(&looked, 3 * S);
	assert_memory_equal(&a, &b, sizeof(a));
	b = hsl_heat_read(&h, 0);
	a = hsl_heat_read(&h, 2 * S);
	assert_memory_equal(&a, &b, sizeof(a));
}

/* Bytes that no chip moves: the sensors end at what their registers can tell. */
static void test_ends(void **state)
{
	struct hsl_heat h;

	(void)state;
	hsl_heat_init(&h, 0, 25);
	hsl_heat_add(&h, 1, UINT64_MAX, UINT64_MAX);
	assert_int_equal(hsl_heat_read(&h, 1).power_mw, UINT32_MAX);
	assert_int_equal(hsl_heat_read(&h, 1).temp_mc, INT32_MAX);
	assert_int_equal(hsl_heat_read(&h, 1000 * S).temp_mc, 45000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_idle), cmocka_unit_test(test_load), cmocka_unit_test(test_throttle),
		cmocka_unit_test(test_looks), cmocka_unit_test(test_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
