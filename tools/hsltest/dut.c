/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The device under test: which kinds there are, and what can be known of one. A kind is what its URL begins with. Most are a
 * fabric that libhsl opens, and the same tests run on all of them; one that is not brings its own tests and its own way to
 * open it.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <json-c/json.h>

#include "dut.h"
#include "exit.h"
#include "flit_test.h"
#include "json.h"

static const struct ht_dut_kind kinds[] = {
	{ .prefix = "/", .what = "a fabric of the driver, /dev/hsl<N>" },
	{ .prefix = "sim:", .what = "emulated chips in this process, sim:mesh4" },
	{ .prefix = "plugin:", .what = "what a shared object serves (hsl/plugin.h), plugin:FILE.so" },
	{ .prefix = "flit:unix:", .what = "the other end of a link at a flit socket (docs/flit-socket.md), flit:unix:PATH[,patience=S]",
	  .unseen = "one link does not show it: software beside the device has to, or a capture of more (docs/partner-guide.md)",
	  .tests = ht_flit_tests, .probe = ht_flit_probe, .open = ht_flit_open, .close = ht_flit_close,
	  .patience_s = ht_flit_patience_s },
};
#define NKINDS (sizeof(kinds) / sizeof(kinds[0]))

const struct ht_dut_kind *ht_dut_kind(const char *url)
{
	const char *name = tool_fabric_name(url);
	size_t i;

	for (i = 0; i < NKINDS; i++) {
		if (!strncmp(name, kinds[i].prefix, strlen(kinds[i].prefix)))
			return &kinds[i];
	}
	return NULL;
}

unsigned int ht_dut_patience_s(const char *url)
{
	const struct ht_dut_kind *kind = ht_dut_kind(url);

	return kind && kind->patience_s ? kind->patience_s(url) : 0;
}

int ht_dut_check(const char *url)
{
	size_t i;

	if (ht_dut_kind(url))
		return TOOL_PASS;
	tool_error("%s: not a device that can be tested; one is", tool_fabric_name(url));
	for (i = 0; i < NKINDS; i++)
		fprintf(stderr, "  %s\n", kinds[i].what);
	return TOOL_USAGE;
}

int ht_dut_check_whole(const char *url)
{
	const struct ht_dut_kind *kind;
	int rc = ht_dut_check(url);

	if (rc)
		return rc;
	kind = ht_dut_kind(url);
	if (kind->patience_s && !kind->patience_s(url))
		return tool_usage("%s: expected %s", tool_fabric_name(url), kind->what);
	return TOOL_PASS;
}

unsigned int ht_dut_tests(const char *url, const struct ht_test **list, unsigned int max)
{
	const struct ht_dut_kind *kind = url ? ht_dut_kind(url) : NULL;

	return kind && kind->tests ? kind->tests(list, max) : ht_tests_all(list, max);
}

void ht_dut_probe(const struct ht_config *config, struct ht_probe *p)
{
	struct hsl_fabric_info info = { .size = sizeof(info) };
	struct hsl_fabric *f;
	unsigned int i, k;

	p->rc = hsl_fabric_open(config->url, &f);
	if (p->rc)
		return;
	p->rc = hsl_fabric_info(f, &info);
	p->driver_abi = info.driver_abi;
	p->host_node = info.host_node;
	memcpy(p->fabric_id, info.fabric_id, sizeof(p->fabric_id));
	memcpy(p->backend, info.backend, sizeof(p->backend));
	for (i = 0; i < info.nchips && i < HT_CHIPS_MAX && !p->rc; i++) {
		struct ht_chip_probe *c = &p->chip[i];

		c->props.size = sizeof(c->props);
		p->rc = hsl_chip_by_index(f, i, &c->props);
		for (k = 0; k < c->props.nlinks && k < HT_LINKS_MAX && !p->rc; k++) {
			c->link[k].size = sizeof(c->link[k]);
			if (!hsl_link_query(f, c->props.node, k, &c->link[k]))
				c->nlinks = k + 1;
		}
	}
	p->nchips = i;
	p->chips_present = info.nchips;
}

/* ------------------------------------------------------------------ what is said about it */

const struct ht_capability ht_capabilities[] = {
	{ HSL_CAP_HOST_COHERENT, "HOST_COHERENT" },
	{ HSL_CAP_HOST_ATOMIC, "HOST_ATOMIC" },
	{ HSL_CAP_WINDOWS, "WINDOWS" },
	{ HSL_CAP_MODELLED, "MODELLED" },
	{ HSL_CAP_CTF, "CTF" },
	{ HSL_CAP_COUNTERS, "COUNTERS" },
	{ HSL_CAP_MODELLED_TIME, "MODELLED_TIME" },
	{ HSL_CAP_SENSORS, "SENSORS" },
	{ HSL_CAP_OP_COPY, "COPY" },
	{ HSL_CAP_OP_FILL, "FILL" },
	{ HSL_CAP_OP_REDUCE, "REDUCE" },
	{ HSL_CAP_OP_ATOMIC, "ATOMIC" },
	{ HSL_CAP_OP_LOADSTORE, "LOADSTORE" },
	{ HSL_CAP_OP_SIGNAL, "SIGNAL" },
	{ HSL_CAP_OP_FENCE, "FENCE" },
	{ HSL_CAP_OP_COPY2D, "COPY2D" },
	{ HSL_CAP_OP_COPY_LIST, "COPY_LIST" },
	{ HSL_CAP_MODERATION, "MODERATION" },
	{ HSL_CAP_SHADOW_TAIL, "SHADOW_TAIL" },
	{ 0 },
};

const char *ht_link_state_name(unsigned int state)
{
	static const char *const names[] = { "DETECT", "POLLING", "CONFIG", "L0", "L1", "RECOVERY", "DISABLED", "HOT_RESET" };

	return state < sizeof(names) / sizeof(names[0]) ? names[state] : "?";
}

static bool pci_read(const char *bus_addr, const char *file, char *buf, size_t len)
{
	char path[128];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/%s", bus_addr, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, buf, len);
	close(fd);
	if (n <= 0)
		return false;
	if ((size_t)n < len)
		buf[n] = 0;
	return true;
}

static uint32_t le32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* The Device Serial Number capability, where configuration space beyond 256 bytes may be read. */
static bool pci_serial(const char *bus_addr, char *out, size_t len)
{
	enum { CAP_DSN = 3 };
	uint8_t cfg[4096];
	char path[128];
	unsigned int at = 256, hops;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/config", bus_addr);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, cfg, sizeof(cfg));
	close(fd);
	for (hops = 0; hops < 64 && at >= 256 && (ssize_t)at + 12 <= n; hops++, at = le32(cfg + at) >> 20) {
		if ((le32(cfg + at) & 0xffff) != CAP_DSN)
			continue;
		snprintf(out, len, "%08x%08x", le32(cfg + at + 8), le32(cfg + at + 4));
		return true;
	}
	return false;
}

/* A line of a sysfs file as a string, or null. */
static void pci_field(struct json_object *o, const char *key, const char *bus_addr, const char *file)
{
	char buf[64];
	bool have = *bus_addr && pci_read(bus_addr, file, buf, sizeof(buf) - 1);

	if (have)
		buf[strcspn(buf, "\n")] = 0;
	tool_json_str(o, key, have ? buf : NULL);
}

static void chip_json(struct json_object *o, const struct ht_chip_probe *c)
{
	const struct hsl_chip_props *p = &c->props;
	const char *pci = strchr(p->bus_addr, ':') ? p->bus_addr : "";
	struct json_object *caps, *links, *l;
	char text[32];
	unsigned int i;

	tool_json_u64(o, "node", p->node);
	tool_json_str(o, "bus_addr", p->bus_addr[0] ? p->bus_addr : NULL);
	tool_json_str(o, "driver", p->driver[0] ? p->driver : NULL);
	pci_field(o, "vendor", pci, "vendor");
	pci_field(o, "device", pci, "device");
	pci_field(o, "revision", pci, "revision");
	tool_json_str(o, "serial", *pci && pci_serial(pci, text, sizeof(text)) ? text : NULL);
	snprintf(text, sizeof(text), "%u.%u", p->hep_version >> 16, p->hep_version & 0xffff);
	tool_json_str(o, "hep", text);
	tool_json_u64(o, "mem_bytes", p->mem_bytes);
	tool_json_u64(o, "queues", p->nqueues);
	tool_json_u64(o, "max_depth", p->max_depth);
	tool_json_u64(o, "max_len_bytes", p->max_len_bytes);
	snprintf(text, sizeof(text), "0x%" PRIx64, p->cap);
	tool_json_str(o, "cap", text);
	caps = tool_json_set(o, "capabilities", tool_json_object());
	for (i = 0; ht_capabilities[i].bit; i++)
		tool_json_bool(caps, ht_capabilities[i].name, p->cap & ht_capabilities[i].bit);
	tool_json_u64(o, "nlinks", p->nlinks);
	links = tool_json_set(o, "links", tool_json_array());
	for (i = 0; i < c->nlinks; i++) {
		l = tool_json_append(links, tool_json_object());
		tool_json_u64(l, "link", i);
		tool_json_u64(l, "peer", c->link[i].peer);
		tool_json_str(l, "peer_type", c->link[i].peer_type == HSL_NODE_TYPE_CHIP   ? "chip"
					      : c->link[i].peer_type == HSL_NODE_TYPE_HOST ? "host"
					      : c->link[i].peer_type == HSL_NODE_TYPE_SWITCH ? "switch"
											     : NULL);
		tool_json_str(l, "state", ht_link_state_name(c->link[i].state));
		tool_json_u64(l, "width", c->link[i].width);
		tool_json_u64(l, "rate_mtps", c->link[i].rate_mtps);
	}
}

static void hello_json(struct json_object *dut, const struct ht_probe *p)
{
	static const char *const vcs[HSL_VC_COUNT] = { "REQ", "RSP", "SNP", "DAT", "MGMT" };
	const struct hsl_fs_hello *h = &p->hello;
	struct json_object *o = tool_json_set(dut, "link", tool_json_object()), *slots;
	unsigned int vc;

	tool_json_str(o, "wrong", p->hello_wrong[0] ? p->hello_wrong : NULL);
	tool_json_u64(o, "node", h->node);
	tool_json_u64(o, "peer", h->peer);
	tool_json_u64(o, "lanes", h->lanes);
	tool_json_u64(o, "rate_mtps", h->rate_mtps);
	tool_json_u64(o, "replay_flits", h->replay_flits);
	tool_json_u64(o, "reorder", h->reorder);
	tool_json_u64(o, "seq_bits", h->seq_bits);
	tool_json_u64(o, "credit_shift", h->credit_shift);
	slots = tool_json_set(o, "rx_slots", tool_json_object());
	for (vc = 0; vc < HSL_VC_COUNT; vc++)
		tool_json_u64(slots, vcs[vc], h->rx_slots[vc]);
	tool_json_u64(o, "latency_ps", h->latency_ps);
	tool_json_u64(o, "open_bytes", h->open_bytes);
}

struct json_object *ht_dut_json(const struct ht_config *config, const struct ht_probe *p)
{
	struct json_object *dut = tool_json_object(), *chips;
	char id[40];
	unsigned int i;

	tool_json_str(dut, "name", tool_fabric_name(config->url));
	tool_json_str(dut, "backend", p->backend);
	snprintf(id, sizeof(id), "%016" PRIx64 "%016" PRIx64, p->fabric_id[1], p->fabric_id[0]);
	tool_json_str(dut, "fabric_id", id);
	tool_json_u64(dut, "host_node", p->host_node);
	if (p->driver_abi)
		snprintf(id, sizeof(id), "%u.%u", p->driver_abi >> 16, p->driver_abi & 0xffff);
	tool_json_str(dut, "driver_abi", p->driver_abi ? id : NULL);
	chips = tool_json_set(dut, "chips", tool_json_array());
	if (p->has_hello) { /* there is no more to be known of the chip */
		hello_json(dut, p);
		return dut;
	}
	for (i = 0; i < p->nchips; i++)
		chip_json(tool_json_append(chips, tool_json_object()), &p->chip[i]);
	return dut;
}
