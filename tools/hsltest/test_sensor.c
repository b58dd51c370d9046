/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* RAS, sensors: temperature, power, throttling. Values move while one looks: each is read between two readings of another. */
#include <unistd.h>

#include "hsltest.h"

#define MIB	((uint64_t)1 << 20)
#define LOAD_NS 500000000ull /* a few time constants of a power sensor */

static int32_t temp(struct ht_bar *b)
{
	return (int32_t)ht_read32(b, HSL_REG_TEMP);
}

static void limits_of(struct ht *t, struct ht_bar *b)
{
	int32_t max = (int32_t)ht_read32(b, HSL_REG_TEMP_MAX), crit = (int32_t)ht_read32(b, HSL_REG_TEMP_CRIT);
	int32_t before = temp(b);
	uint32_t thermal = ht_read32(b, HSL_REG_THERMAL);
	int32_t after = temp(b);

	HT_TRUE(t, max < crit, "TEMP_MAX %d m C, TEMP_CRIT %d m C: expected less", max, crit);
	HT_EQ(t, "undefined bits of THERMAL", thermal & ~(HSL_THERMAL_THROTTLED | HSL_THERMAL_CRITICAL), 0);
	if (before >= max && after >= max)
		HT_TRUE(t, thermal & HSL_THERMAL_THROTTLED, "TEMP %d m C, TEMP_MAX %d m C: expected THROTTLED", after, max);
	if (before >= crit && after >= crit)
		HT_TRUE(t, thermal & HSL_THERMAL_CRITICAL, "TEMP %d m C, TEMP_CRIT %d m C: expected CRITICAL", after, crit);
	if (before < crit && after < crit)
		HT_TRUE(t, !(thermal & HSL_THERMAL_CRITICAL), "TEMP %d m C, TEMP_CRIT %d m C: CRITICAL is set", after, crit);
	ht_note(t, "%.1f C%s", after / 1e3, thermal & HSL_THERMAL_THROTTLED ? ", throttled" : "");
}

static void limits(struct ht *t)
{
	struct ht_bar b;

	ht_need_cap(t, HSL_CAP_SENSORS, "sensors");
	for (unsigned int i = 0; i < t->nchips; i++) {
		ht_regs_map(t, &t->chip[i], &b);
		limits_of(t, &b);
		ht_bar_unmap(&b);
	}
}

static void power(struct ht *t)
{
	struct hsl_queue *q;
	struct hsl_op rest;
	uint32_t idle, busy = 0, v;
	uint64_t end;
	struct ht_bar b;
	struct ht_buf buf;

	ht_need_cap(t, HSL_CAP_SENSORS, "sensors");
	ht_need_cap(t, HSL_CAP_OP_SIGNAL, "WAIT");
	ht_regs_map(t, &t->chip[0], &b);
	ht_buf_new(t, &buf, t->chip[0].node, 2 * MIB);
	q = ht_queue_new(t, t->chip[0].node, 0);
	/* forget what tests before this one did; the chip's time may be modelled */
	rest = hsl_op_wait(HSL_WAIT_NE, buf.ga, *(uint64_t *)buf.shadow, LOAD_NS);
	ht_expect(t, q, &rest, HSL_ST_TIMEOUT, "WAIT for what does not come");
	idle = ht_read32(&b, HSL_REG_POWER);
	for (end = ht_now_ns() + LOAD_NS; ht_now_ns() < end && busy <= idle;) {
		for (int i = 0; i < 16; i++)
			HT_OK(t, hsl_copy(q, buf.ga, buf.ga + MIB, MIB));
		v = ht_read32(&b, HSL_REG_POWER);
		busy = v > busy ? v : busy;
	}
	HT_TRUE(t, busy > idle, "POWER under load %u mW, idle %u mW: expected more", busy, idle);
	ht_queue_free(t, q);
	ht_buf_free(t, &buf);
	ht_bar_unmap(&b);
}

static bool between(int64_t v, int64_t a, int64_t b)
{
	return a < b ? v >= a && v <= b : v >= b && v <= a;
}

/* libhsl takes it from hwmon; a chip that cools down or warms up does so in one direction meanwhile. */
static void hwmon(struct ht *t)
{
	struct hsl_sensors s = { .size = sizeof(s) };
	int32_t before;
	struct ht_bar b;
	int rc;

	ht_need_cap(t, HSL_CAP_SENSORS, "sensors");
	if (access("/sys/class/hwmon", F_OK))
		HT_SKIP_TEST(t, "the kernel has no hwmon");
	for (unsigned int i = 0; i < t->nchips; i++) {
		ht_regs_map(t, &t->chip[i], &b);
		before = temp(&b);
		rc = hsl_chip_sensors(t->f, t->chip[i].node, &s);
		HT_TRUE(t, !rc, "chip %u has CAP.SENSORS, hwmon says %s", t->chip[i].node, ht_errno_name(rc));
		HT_TRUE(t, between(s.temp_mc, before, temp(&b)), "hwmon has %d m C, TEMP %d before it, %d after it", s.temp_mc,
			before, temp(&b));
		HT_EQ(t, "temp1_max", s.temp_max_mc, (int32_t)ht_read32(&b, HSL_REG_TEMP_MAX));
		HT_EQ(t, "temp1_crit", s.temp_crit_mc, (int32_t)ht_read32(&b, HSL_REG_TEMP_CRIT));
		HT_TRUE(t, s.power_mw, "hwmon has no power");
		ht_bar_unmap(&b);
	}
}

const struct ht_test ht_tests_sensor[] = {
	{ "HEP-RAS-010", "thermal_limits", "THROTTLED and CRITICAL agree with TEMP and its limits", limits, HT_F_BAR, 0 },
	{ "HEP-RAS-011", "power_of_load", "POWER is more while data is moved", power, HT_F_BAR, 0 },
	{ "HEP-RAS-012", "hwmon_values", "the hwmon device has what the registers say", hwmon, HT_F_BAR | HT_F_KERNEL, 0 },
	{ 0 }
};
