// SPDX-License-Identifier: MIT OR Apache-2.0
/* Sensors: temperature, power and throttling of a chip. */
#include "priv.h"

int hsl_chip_sensors(struct hsl_fabric *f, uint32_t node, struct hsl_sensors *s)
{
	struct hsl_chip_info info = { .size = sizeof(info), .node = node };
	struct hsl_sensors r = { 0 };
	int err;

	if (!f || !s)
		return -EINVAL;
	err = f->ops->chip_info(f, &info);
	if (err)
		return err;
	if (!(info.cap & HSL_CAP_SENSORS))
		return -EOPNOTSUPP;
	err = f->ops->sensors(f, node, &r);
	return err ? err : hslp_props_out(s, &r, sizeof(r));
}
