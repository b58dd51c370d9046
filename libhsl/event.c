// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Fabric events (HEP-API-012). Kernel: read(2) of the context's file, which is open with O_NONBLOCK. Sim: sim_event.c.
 * Several threads may read; each event goes to one of them.
 */
#include "priv.h"

static_assert(sizeof(struct hsl_fabric_event) == sizeof(struct hsl_event_info) &&
	      offsetof(struct hsl_fabric_event, type) == offsetof(struct hsl_event_info, type) &&
	      offsetof(struct hsl_fabric_event, value) == offsetof(struct hsl_event_info, value), "one layout");

int hsl_event_fd(struct hsl_fabric *f)
{
	return f ? f->ops->event_fd(f) : -EINVAL;
}

int hsl_event_read(struct hsl_fabric *f, struct hsl_fabric_event *ev, unsigned int n)
{
	if (!f || (!ev && n))
		return -EINVAL;
	return n ? f->ops->event_read(f, ev, n) : 0;
}
