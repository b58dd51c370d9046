// SPDX-License-Identifier: GPL-2.0-only
/*
 * The sensors of a chip (HSL_CAP_SENSORS) as a hwmon device of the device that the chip was found on, so that sensors(1) and
 * whoever watches temperatures find them. Where the kernel has no hwmon the chip has no sensors here.
 *
 * Each read is one of a register, through hsl_chip_regs_get(): it waits for a reset, and is ENODEV of a chip that has failed or
 * does not answer.
 */
#include <linux/hwmon.h>

#include "hsl_priv.h"

static umode_t hsl_hwmon_visible(const void *chip, enum hwmon_sensor_types type, u32 attr, int channel)
{
	return 0444;
}

static u32 hsl_hwmon_reg(enum hwmon_sensor_types type, u32 attr)
{
	if (type == hwmon_power)
		return HSL_REG_POWER;
	switch (attr) {
	case hwmon_temp_input:
		return HSL_REG_TEMP;
	case hwmon_temp_max:
		return HSL_REG_TEMP_MAX;
	case hwmon_temp_crit:
		return HSL_REG_TEMP_CRIT;
	default:
		return HSL_REG_THERMAL;
	}
}

/* The unit of hwmon: 1/1000 degree, microwatts, 0 or 1. */
static long hsl_hwmon_value(u32 v, enum hwmon_sensor_types type, u32 attr)
{
	if (type == hwmon_power)
		return v * 1000L;
	switch (attr) {
	case hwmon_temp_max_alarm:
		return !!(v & HSL_THERMAL_THROTTLED);
	case hwmon_temp_crit_alarm:
		return !!(v & HSL_THERMAL_CRITICAL);
	default:
		return (s32)v;
	}
}

static int hsl_hwmon_read(struct device *dev, enum hwmon_sensor_types type, u32 attr, int channel, long *val)
{
	struct hsl_chip *chip = dev_get_drvdata(dev);
	int err = hsl_chip_regs_get(chip);
	u32 v;

	if (err)
		return err;
	v = readl(chip->p.regs + hsl_hwmon_reg(type, attr));
	if (v == ~0u)
		err = hsl_chip_answers(chip);
	hsl_chip_regs_put(chip);
	*val = hsl_hwmon_value(v, type, attr);
	return err;
}

static const struct hwmon_ops hsl_hwmon_ops = {
	.is_visible = hsl_hwmon_visible,
	.read = hsl_hwmon_read,
};

static const struct hwmon_channel_info *hsl_hwmon_channels[] = {
	HWMON_CHANNEL_INFO(temp, HWMON_T_INPUT | HWMON_T_MAX | HWMON_T_CRIT | HWMON_T_MAX_ALARM | HWMON_T_CRIT_ALARM),
	HWMON_CHANNEL_INFO(power, HWMON_P_INPUT),
	NULL
};

static const struct hwmon_chip_info hsl_hwmon_info = {
	.ops = &hsl_hwmon_ops,
	.info = hsl_hwmon_channels,
};

/* A chip works without. */
void hsl_hwmon_add(struct hsl_chip *chip)
{
	if (!(chip->cap & HSL_CAP_SENSORS))
		return;
	chip->hwmon = hwmon_device_register_with_info(chip->parent, "hsl", chip, &hsl_hwmon_info, NULL);
	if (IS_ERR(chip->hwmon)) {
		dev_warn(&chip->dev, "its sensors cannot be shown: error %ld\n", PTR_ERR(chip->hwmon));
		chip->hwmon = NULL;
	}
}

/* The chip is GONE: whoever waits for it in a read gets on. */
void hsl_hwmon_remove(struct hsl_chip *chip)
{
	if (chip->hwmon)
		hwmon_device_unregister(chip->hwmon);
}
