// SPDX-License-Identifier: GPL-2.0-only
/*
 * sysfs: what docs/abi/sysfs-hsl describes. All of it but mem_online_bytes is read-only; a reset is the PCI device's "reset".
 *
 * Attributes of links are made per chip, since their number is the chip's. Registers are read through
 * hsl_chip_link(), which waits for a reset and refuses a chip that has left.
 */
#include <linux/device.h>
#include <linux/sysfs.h>

#include "hsl_priv.h"

const char *hsl_chip_state_name(enum hsl_chip_state state)
{
	static const char * const names[] = {
		[HSL_STATE_READY] = "ready",
		[HSL_STATE_QUIESCING] = "resetting",
		[HSL_STATE_STOPPED] = "resetting",
		[HSL_STATE_FAILED] = "failed",
		[HSL_STATE_GONE] = "gone",
	};

	return state < ARRAY_SIZE(names) ? names[state] : "unknown";
}

#define HSL_CHIP_ATTR(name, fmt, ...)								\
static ssize_t name##_show(struct device *dev, struct device_attribute *attr, char *buf)	\
{												\
	struct hsl_chip *chip = container_of(dev, struct hsl_chip, dev);			\
												\
	return sysfs_emit(buf, fmt "\n", __VA_ARGS__);						\
}												\
static DEVICE_ATTR_RO(name)

HSL_CHIP_ATTR(node, "%u", chip->node);
HSL_CHIP_ATTR(hep_version, "%u.%u", chip->hep_version >> 16, chip->hep_version & 0xffff);
HSL_CHIP_ATTR(mem_size, "%llu", chip->mem_bytes);
HSL_CHIP_ATTR(mem_free, "%llu", hsl_mem_avail(chip));
HSL_CHIP_ATTR(capabilities, "0x%llx", chip->cap);
HSL_CHIP_ATTR(queues, "%u", chip->nqueues - 1);
HSL_CHIP_ATTR(queues_free, "%u", chip->nqueues - 1 - atomic_read(&chip->nqueues_used));
HSL_CHIP_ATTR(max_depth, "%u", chip->max_depth);
HSL_CHIP_ATTR(state, "%s", hsl_chip_state_name(hsl_chip_state_get(chip)));
HSL_CHIP_ATTR(fabric, "hsl%d", chip->fabric->minor);

HSL_CHIP_ATTR(mem_online_node, "%d", READ_ONCE(chip->numa.node));

static ssize_t mem_online_bytes_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%llu\n", READ_ONCE(container_of(dev, struct hsl_chip, dev)->numa.bytes));
}

static ssize_t mem_online_bytes_store(struct device *dev, struct device_attribute *attr, const char *buf, size_t len)
{
	u64 bytes;
	int err = kstrtou64(buf, 0, &bytes);

	if (!err)
		err = hsl_numa_set(container_of(dev, struct hsl_chip, dev), bytes);
	return err ?: len;
}
static DEVICE_ATTR_RW(mem_online_bytes);

static ssize_t mem_phys_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "0x%llx\n", (u64)container_of(dev, struct hsl_chip, dev)->p.mem_phys);
}
static DEVICE_ATTR_ADMIN_RO(mem_phys);

static struct attribute *hsl_chip_attrs[] = {
	&dev_attr_node.attr,
	&dev_attr_hep_version.attr,
	&dev_attr_mem_size.attr,
	&dev_attr_mem_free.attr,
	&dev_attr_mem_online_bytes.attr,
	&dev_attr_mem_online_node.attr,
	&dev_attr_mem_phys.attr,
	&dev_attr_capabilities.attr,
	&dev_attr_queues.attr,
	&dev_attr_queues_free.attr,
	&dev_attr_max_depth.attr,
	&dev_attr_state.attr,
	&dev_attr_fabric.attr,
	NULL
};

static const struct attribute_group hsl_chip_group = { .attrs = hsl_chip_attrs };

/* ---- links/link<i> ---- */

struct hsl_link_attr {
	struct device_attribute attr;
	u32 index;
	char name[16];
};

struct hsl_link_group {
	struct attribute_group group;
	struct attribute *attrs[HSL_LINK_MAX + 1];
	struct hsl_link_attr link[HSL_LINK_MAX];
};

static ssize_t hsl_link_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	static const char * const states[] = {
		[HSL_LTSSM_DETECT] = "Detect", [HSL_LTSSM_POLLING] = "Polling", [HSL_LTSSM_CONFIG] = "Configuration",
		[HSL_LTSSM_L0] = "L0", [HSL_LTSSM_L1] = "L1", [HSL_LTSSM_RECOVERY] = "Recovery",
		[HSL_LTSSM_DISABLED] = "Disabled",
	};
	static const char * const types[] = {
		[HSL_NODE_TYPE_CHIP] = "chip", [HSL_NODE_TYPE_SWITCH] = "switch", [HSL_NODE_TYPE_HOST] = "host",
	};
	struct hsl_chip *chip = container_of(dev, struct hsl_chip, dev);
	struct hsl_link_info li = { 0 };
	const char *type = "none";
	int err;

	err = hsl_chip_link(chip, container_of(attr, struct hsl_link_attr, attr)->index, &li);
	if (err)
		return err;
	if (li.peer && li.peer_type < ARRAY_SIZE(types) && types[li.peer_type])
		type = types[li.peer_type];
	return sysfs_emit(buf, "peer=%u type=%s state=%s width=%u rate_mtps=%u latency_ps=%u\n", li.peer, type,
			  li.state < ARRAY_SIZE(states) ? states[li.state] : "unknown", li.width, li.rate_mtps,
			  li.latency_ps);
}

int hsl_sysfs_init(struct hsl_chip *chip)
{
	struct hsl_link_group *g;
	u32 i;

	g = kzalloc(sizeof(*g), GFP_KERNEL);
	if (!g)
		return -ENOMEM;
	for (i = 0; i < chip->nlinks; i++) {
		struct hsl_link_attr *l = &g->link[i];

		l->index = i;
		snprintf(l->name, sizeof(l->name), "link%u", i);
		sysfs_attr_init(&l->attr.attr);
		l->attr.attr.name = l->name;
		l->attr.attr.mode = 0444;
		l->attr.show = hsl_link_show;
		g->attrs[i] = &l->attr.attr;
	}
	g->group.name = "links";
	g->group.attrs = g->attrs;
	chip->groups[0] = &hsl_chip_group;
	chip->groups[1] = &g->group;
	chip->dev.groups = chip->groups;
	return 0;
}

void hsl_sysfs_free(struct hsl_chip *chip)
{
	if (chip->groups[1])
		kfree(container_of(chip->groups[1], struct hsl_link_group, group));
}

/* ---- /sys/class/hsl/hsl<N> ---- */

#define HSL_FABRIC_ATTR(name, fmt, ...)								\
static ssize_t name##_show(struct device *dev, struct device_attribute *attr, char *buf)	\
{												\
	struct hsl_fabric *f = container_of(dev, struct hsl_fabric, dev);			\
												\
	return sysfs_emit(buf, fmt "\n", __VA_ARGS__);						\
}												\
static DEVICE_ATTR_RO(name)

HSL_FABRIC_ATTR(fabric_id, "%016llx%016llx", f->id[1], f->id[0]);
HSL_FABRIC_ATTR(host_node, "%u", f->host_node);
HSL_FABRIC_ATTR(chips, "%u", READ_ONCE(f->nchips));

static ssize_t abi_version_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u.%u\n", HSL_ABI_MAJOR, HSL_ABI_MINOR);
}
static DEVICE_ATTR_RO(abi_version);

static struct attribute *hsl_fabric_attrs[] = {
	&dev_attr_fabric_id.attr,
	&dev_attr_host_node.attr,
	&dev_attr_chips.attr,
	&dev_attr_abi_version.attr,
	NULL
};

static const struct attribute_group hsl_fabric_group = { .attrs = hsl_fabric_attrs };
const struct attribute_group *hsl_fabric_groups[] = { &hsl_fabric_group, NULL };
