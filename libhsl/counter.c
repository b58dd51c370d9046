// SPDX-License-Identifier: MIT OR Apache-2.0
/* Counters: their names, which are those of docs/abi/sysfs-hsl, and their registers (hsl/regs.h). */
#include "priv.h"

struct counter {
	const char *name;
	uint32_t reg;			/* from the block's start */
};

#define LINK(name, id)	{ name, HSL_LINK_STAT_##id }
#define VCS(name, id)									\
	{ name "_req", HSL_LINK_STAT_##id(HSL_VC_REQ) }, { name "_rsp", HSL_LINK_STAT_##id(HSL_VC_RSP) },	\
	{ name "_snp", HSL_LINK_STAT_##id(HSL_VC_SNP) }, { name "_dat", HSL_LINK_STAT_##id(HSL_VC_DAT) },	\
	{ name "_mgmt", HSL_LINK_STAT_##id(HSL_VC_MGMT) }
static const struct counter of_link[] = {
	LINK("tx_flits", TX_FLITS),
	LINK("rx_flits", RX_FLITS),
	LINK("tx_replayed", TX_REPLAYED),
	LINK("rx_bad", RX_BAD),
	LINK("rx_discarded", RX_DISCARDED),
	LINK("tx_naks", TX_NAKS),
	LINK("rx_naks", RX_NAKS),
	LINK("protocol_errors", PROTOCOL_ERRORS),
	LINK("retrains", RETRAINS),
	LINK("downs", DOWNS),
	LINK("idle_flits", IDLE_FLITS),
	VCS("credit_stalls", CREDIT_STALLS),
	VCS("tx_packets", TX_PACKETS),
	VCS("rx_packets", RX_PACKETS),
};

#define CACHE(cache, block, name, id)	{ cache "_" name, HSL_NODE_STAT_##block + HSL_CACHE_STAT_##id }
#define CACHES(cache, block)						\
	CACHE(cache, block, "hits", HITS),				\
	CACHE(cache, block, "misses", MISSES),				\
	CACHE(cache, block, "upgrades", UPGRADES),			\
	CACHE(cache, block, "write_backs", WRITE_BACKS),		\
	CACHE(cache, block, "evictions", EVICTIONS),			\
	CACHE(cache, block, "snoops", SNOOPS),				\
	CACHE(cache, block, "snoop_hits", SNOOP_HITS),			\
	CACHE(cache, block, "forwards", FORWARDS),			\
	CACHE(cache, block, "retries", RETRIES)
#define HOME(name, id)	{ "home_" name, HSL_NODE_STAT_HOME + HSL_HOME_STAT_##id }
#define NET(name, id)	{ "net_" name, HSL_NODE_STAT_NET + HSL_NET_STAT_##id }
static const struct counter of_chip[] = {
	CACHES("cache", CHIP),
	CACHES("host_port", HOST_PORT),
	HOME("requests", REQUESTS),
	HOME("snoops", SNOOPS),
	HOME("recalls", RECALLS),
	HOME("retries", RETRIES),
	HOME("grants", GRANTS),
	HOME("mem_reads", MEM_READS),
	HOME("mem_writes", MEM_WRITES),
	NET("delivered", DELIVERED),
	NET("hops", HOPS),
	NET("forwarded", FORWARDED),
	NET("lost", LOST),
	NET("poisoned", POISONED),
};

static const struct counter *counters_of(unsigned int link, unsigned int *n)
{
	if (link == HSL_COUNTERS_CHIP) {
		*n = sizeof(of_chip) / sizeof(of_chip[0]);
		return of_chip;
	}
	*n = sizeof(of_link) / sizeof(of_link[0]);
	return of_link;
}

const char *hsl_counter_name(unsigned int link, unsigned int i)
{
	unsigned int n;
	const struct counter *c = counters_of(link, &n);

	return i < n ? c[i].name : NULL;
}

int hsl_counters(struct hsl_fabric *f, uint32_t node, unsigned int link, uint64_t *value, unsigned int n)
{
	struct hsl_chip_info info = { .size = sizeof(info), .node = node };
	bool chip = link == HSL_COUNTERS_CHIP;
	const struct counter *c;
	unsigned int have;
	uint32_t block;
	int err;

	if (!f || (!value && n))
		return -EINVAL;
	err = f->ops->chip_info(f, &info);
	if (err)
		return err;
	if (!chip && link >= info.nlinks)
		return -ENOENT;
	if (!(info.cap & HSL_CAP_COUNTERS))
		return -EOPNOTSUPP;
	c = counters_of(link, &have);
	block = chip ? HSL_REG_NODE_STAT : HSL_REG_LINK_STAT(link);
	for (unsigned int i = 0; i < have && i < n; i++) {
		struct hslp_counter at = { node, link, block + c[i].reg, c[i].name };

		err = f->ops->counter(f, &at, &value[i]);
		if (err)
			return err;
	}
	return (int)have;
}
