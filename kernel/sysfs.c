// SPDX-License-Identifier: GPL-2.0-only
/*
 * sysfs: what docs/abi/sysfs-hsl describes. All of it but mem_online_bytes is read-only; a reset is the PCI device's "reset".
 *
 * Attributes of links and counters are made per chip, since their number is the chip's. Registers are read through
 * hsl_chip_link() and hsl_chip_counter(), which wake the chip, wait for a reset and refuse a chip that has left.
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
		[HSL_STATE_ASLEEP] = "asleep",
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

/* ---- links/link<i>, counters/, counters_link<i>/ ---- */

struct hsl_reg_attr {
	struct device_attribute attr;
	u32 reg;			/* the counter's register; of a link: its index */
	char name[24];
};

/* Room for count attributes in a directory. */
struct hsl_reg_group {
	struct attribute_group group;
	struct attribute **attrs;
	struct hsl_reg_attr *reg;
	char name[24];
};

struct hsl_sysfs {
	const struct attribute_group *groups[HSL_LINK_MAX + 4];
	struct hsl_reg_group links, chip, link[HSL_LINK_MAX];
};

struct hsl_counter {
	const char *name;
	u32 off;
	bool per_vc;			/* a register for each virtual channel */
};

/* Registers that follow each other in a directory; their names begin with prefix. */
struct hsl_counters {
	const char *prefix;
	u32 off;
	const struct hsl_counter *list;
	unsigned int n;
};

static const char * const hsl_vc_names[HSL_VC_COUNT] = {
	[HSL_VC_REQ] = "req", [HSL_VC_RSP] = "rsp", [HSL_VC_SNP] = "snp", [HSL_VC_DAT] = "dat", [HSL_VC_MGMT] = "mgmt",
};

static const struct hsl_counter hsl_link_list[] = {
	{ "tx_flits", HSL_LINK_STAT_TX_FLITS },
	{ "rx_flits", HSL_LINK_STAT_RX_FLITS },
	{ "tx_replayed", HSL_LINK_STAT_TX_REPLAYED },
	{ "rx_bad", HSL_LINK_STAT_RX_BAD },
	{ "rx_discarded", HSL_LINK_STAT_RX_DISCARDED },
	{ "tx_naks", HSL_LINK_STAT_TX_NAKS },
	{ "rx_naks", HSL_LINK_STAT_RX_NAKS },
	{ "protocol_errors", HSL_LINK_STAT_PROTOCOL_ERRORS },
	{ "retrains", HSL_LINK_STAT_RETRAINS },
	{ "downs", HSL_LINK_STAT_DOWNS },
	{ "idle_flits", HSL_LINK_STAT_IDLE_FLITS },
	{ "credit_stalls", HSL_LINK_STAT_CREDIT_STALLS(0), true },
	{ "tx_packets", HSL_LINK_STAT_TX_PACKETS(0), true },
	{ "rx_packets", HSL_LINK_STAT_RX_PACKETS(0), true },
};

static const struct hsl_counter hsl_cache_list[] = {
	{ "hits", HSL_CACHE_STAT_HITS },
	{ "misses", HSL_CACHE_STAT_MISSES },
	{ "upgrades", HSL_CACHE_STAT_UPGRADES },
	{ "write_backs", HSL_CACHE_STAT_WRITE_BACKS },
	{ "evictions", HSL_CACHE_STAT_EVICTIONS },
	{ "snoops", HSL_CACHE_STAT_SNOOPS },
	{ "snoop_hits", HSL_CACHE_STAT_SNOOP_HITS },
	{ "forwards", HSL_CACHE_STAT_FORWARDS },
	{ "retries", HSL_CACHE_STAT_RETRIES },
};

static const struct hsl_counter hsl_home_list[] = {
	{ "requests", HSL_HOME_STAT_REQUESTS },
	{ "snoops", HSL_HOME_STAT_SNOOPS },
	{ "recalls", HSL_HOME_STAT_RECALLS },
	{ "retries", HSL_HOME_STAT_RETRIES },
	{ "grants", HSL_HOME_STAT_GRANTS },
	{ "mem_reads", HSL_HOME_STAT_MEM_READS },
	{ "mem_writes", HSL_HOME_STAT_MEM_WRITES },
};

static const struct hsl_counter hsl_net_list[] = {
	{ "delivered", HSL_NET_STAT_DELIVERED },
	{ "hops", HSL_NET_STAT_HOPS },
	{ "forwarded", HSL_NET_STAT_FORWARDED },
	{ "lost", HSL_NET_STAT_LOST },
	{ "poisoned", HSL_NET_STAT_POISONED },
};

static const struct hsl_counters hsl_link_counters[] = {
	{ "", 0, hsl_link_list, ARRAY_SIZE(hsl_link_list) },
};

static const struct hsl_counters hsl_chip_counters[] = {
	{ "cache_", HSL_NODE_STAT_CHIP, hsl_cache_list, ARRAY_SIZE(hsl_cache_list) },
	{ "host_port_", HSL_NODE_STAT_HOST_PORT, hsl_cache_list, ARRAY_SIZE(hsl_cache_list) },
	{ "home_", HSL_NODE_STAT_HOME, hsl_home_list, ARRAY_SIZE(hsl_home_list) },
	{ "net_", HSL_NODE_STAT_NET, hsl_net_list, ARRAY_SIZE(hsl_net_list) },
};

static ssize_t hsl_counter_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct hsl_chip *chip = container_of(dev, struct hsl_chip, dev);
	u64 value;
	int err;

	err = hsl_chip_counter(chip, container_of(attr, struct hsl_reg_attr, attr)->reg, &value);
	return err ?: sysfs_emit(buf, "%llu\n", value);
}

static ssize_t hsl_link_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	static const char * const states[] = {
		[HSL_LTSSM_DETECT] = "Detect", [HSL_LTSSM_POLLING] = "Polling", [HSL_LTSSM_CONFIG] = "Configuration",
		[HSL_LTSSM_L0] = "L0", [HSL_LTSSM_L1] = "L1", [HSL_LTSSM_RECOVERY] = "Recovery",
		[HSL_LTSSM_DISABLED] = "Disabled", [HSL_LTSSM_HOT_RESET] = "HotReset",
	};
	static const char * const types[] = {
		[HSL_NODE_TYPE_CHIP] = "chip", [HSL_NODE_TYPE_SWITCH] = "switch", [HSL_NODE_TYPE_HOST] = "host",
	};
	struct hsl_chip *chip = container_of(dev, struct hsl_chip, dev);
	struct hsl_link_info li = { 0 };
	const char *type = "none";
	int err;

	err = hsl_chip_link(chip, container_of(attr, struct hsl_reg_attr, attr)->reg, &li);
	if (err)
		return err;
	if (li.peer && li.peer_type < ARRAY_SIZE(types) && types[li.peer_type])
		type = types[li.peer_type];
	return sysfs_emit(buf, "peer=%u type=%s state=%s width=%u rate_mtps=%u latency_ps=%u max_width=%u max_rate_mtps=%u\n",
			  li.peer, type, li.state < ARRAY_SIZE(states) ? states[li.state] : "unknown", li.width,
			  li.rate_mtps, li.latency_ps, li.max_width, li.max_rate_mtps);
}

static int hsl_reg_group_init(struct hsl_reg_group *g, unsigned int count, typeof(hsl_link_show) *show)
{
	unsigned int i;

	g->attrs = kcalloc(count + 1, sizeof(*g->attrs), GFP_KERNEL);
	g->reg = kcalloc(count, sizeof(*g->reg), GFP_KERNEL);
	if (!g->attrs || (count && !g->reg))
		return -ENOMEM;
	for (i = 0; i < count; i++) {
		struct device_attribute *a = &g->reg[i].attr;

		sysfs_attr_init(&a->attr);
		a->attr.name = g->reg[i].name;
		a->attr.mode = 0444;
		a->show = show;
		g->attrs[i] = &a->attr;
	}
	g->group.name = g->name;
	g->group.attrs = g->attrs;
	return 0;
}

static unsigned int hsl_counters_count(const struct hsl_counters *c, unsigned int n)
{
	unsigned int i, k, count = 0;

	for (i = 0; i < n; i++)
		for (k = 0; k < c[i].n; k++)
			count += c[i].list[k].per_vc ? HSL_VC_COUNT : 1;
	return count;
}

static struct hsl_reg_attr *hsl_counter_init(struct hsl_reg_attr *a, const char *prefix, const struct hsl_counter *c,
					     u32 block)
{
	u32 vc;

	if (!c->per_vc) {
		snprintf(a->name, sizeof(a->name), "%s%s", prefix, c->name);
		a->reg = block + c->off;
		return a + 1;
	}
	for (vc = 0; vc < HSL_VC_COUNT; vc++, a++) {
		snprintf(a->name, sizeof(a->name), "%s%s_%s", prefix, c->name, hsl_vc_names[vc]);
		a->reg = block + c->off + 8 * vc;
	}
	return a;
}

/* A directory of the n blocks at c; base is their register. */
static int hsl_counters_init(struct hsl_reg_group *g, const struct hsl_counters *c, unsigned int n, u32 base)
{
	struct hsl_reg_attr *a;
	unsigned int i, k;
	int err;

	err = hsl_reg_group_init(g, hsl_counters_count(c, n), hsl_counter_show);
	a = g->reg;
	for (i = 0; !err && i < n; i++)
		for (k = 0; k < c[i].n; k++)
			a = hsl_counter_init(a, c[i].prefix, &c[i].list[k], base + c[i].off);
	return err;
}

static int hsl_links_init(struct hsl_reg_group *g, u32 nlinks)
{
	u32 i;
	int err;

	strscpy(g->name, "links", sizeof(g->name));
	err = hsl_reg_group_init(g, nlinks, hsl_link_show);
	for (i = 0; !err && i < nlinks; i++) {
		snprintf(g->reg[i].name, sizeof(g->reg[i].name), "link%u", i);
		g->reg[i].reg = i;
	}
	return err;
}

/* What it made is hsl_sysfs_free()'s, also after an error. */
int hsl_sysfs_init(struct hsl_chip *chip)
{
	const struct attribute_group **group;
	struct hsl_sysfs *s;
	u32 i;
	int err;

	s = kzalloc(sizeof(*s), GFP_KERNEL);
	if (!s)
		return -ENOMEM;
	chip->sysfs = s;
	group = s->groups;
	*group++ = &hsl_chip_group;
	err = hsl_links_init(&s->links, chip->nlinks);
	*group++ = &s->links.group;
	chip->dev.groups = s->groups;
	if (err || !(chip->cap & HSL_CAP_COUNTERS))
		return err;
	strscpy(s->chip.name, "counters", sizeof(s->chip.name));
	err = hsl_counters_init(&s->chip, hsl_chip_counters, ARRAY_SIZE(hsl_chip_counters), HSL_REG_NODE_STAT);
	*group++ = &s->chip.group;
	for (i = 0; !err && i < chip->nlinks; i++) {
		snprintf(s->link[i].name, sizeof(s->link[i].name), "counters_link%u", i);
		err = hsl_counters_init(&s->link[i], hsl_link_counters, ARRAY_SIZE(hsl_link_counters),
					HSL_REG_LINK_STAT(i));
		*group++ = &s->link[i].group;
	}
	return err;
}

static void hsl_reg_group_free(struct hsl_reg_group *g)
{
	kfree(g->attrs);
	kfree(g->reg);
}

void hsl_sysfs_free(struct hsl_chip *chip)
{
	struct hsl_sysfs *s = chip->sysfs;
	u32 i;

	if (!s)
		return;
	hsl_reg_group_free(&s->links);
	hsl_reg_group_free(&s->chip);
	for (i = 0; i < HSL_LINK_MAX; i++)
		hsl_reg_group_free(&s->link[i]);
	kfree(s);
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
