// SPDX-License-Identifier: MIT OR Apache-2.0
/* Chips and their links: queries. Nothing is cached, so that state and free memory are those of now. */
#include <string.h>

#include "priv.h"

static int chip_query(struct hsl_fabric *f, uint32_t node, uint32_t flags, struct hsl_chip_props *p)
{
	struct hsl_chip_info c = { .size = sizeof(c), .flags = flags, .node = node };
	struct hsl_chip_props r = { 0 };
	int err;

	if (!f || !p)
		return -EINVAL;
	err = f->ops->chip_info(f, &c);
	if (err)
		return err;
	r.node = c.node;
	r.state = c.state;
	r.mem_bytes = c.mem_bytes;
	r.mem_free_bytes = c.mem_free_bytes;
	r.cap = c.cap;
	r.max_len_bytes = c.max_len_bytes;
	r.hep_version = c.hep_version;
	r.max_depth = c.max_depth;
	r.nqueues = c.nqueues;
	r.nqueues_free = c.nqueues_free;
	r.nlinks = c.nlinks;
	r.numa_node = c.numa_node;
	static_assert(sizeof(r.bus_addr) == sizeof(c.bus_addr) && sizeof(r.driver) == sizeof(c.driver), "names");
	memcpy(r.bus_addr, c.bus_addr, sizeof(r.bus_addr) - 1);
	memcpy(r.driver, c.driver, sizeof(r.driver) - 1);
	return hslp_props_out(p, &r, sizeof(r));
}

int hsl_chip_by_index(struct hsl_fabric *f, unsigned int index, struct hsl_chip_props *p)
{
	return chip_query(f, index, HSL_CHIP_BY_INDEX, p);
}

int hsl_chip_by_node(struct hsl_fabric *f, uint32_t node, struct hsl_chip_props *p)
{
	return chip_query(f, node, 0, p);
}

int hsl_link_query(struct hsl_fabric *f, uint32_t node, unsigned int index, struct hsl_link_props *p)
{
	struct hsl_link_info l = { .size = sizeof(l), .node = node, .index = index };
	struct hsl_link_props r = { 0 };
	int err;

	if (!f || !p)
		return -EINVAL;
	err = f->ops->link_info(f, &l);
	if (err)
		return err;
	r.peer = l.peer;
	r.peer_type = l.peer_type;
	r.state = l.state;
	r.width = l.width;
	r.rate_mtps = l.rate_mtps;
	r.latency_ps = l.latency_ps;
	r.max_width = l.max_width;
	r.max_rate_mtps = l.max_rate_mtps;
	return hslp_props_out(p, &r, sizeof(r));
}
