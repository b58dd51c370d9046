// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * hslctl doctor: from the bottom up: kernel modules, PCI functions, device nodes, opening,
 * versions, a NOP on each chip, its links. Each check is one line with its layer; a bad one says what to do.
 * What cannot be looked at because a lower layer is broken is said to be NOT CHECKED, never left
 * out, so that a short report is not taken for a good one.
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/klog.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include <linux/hsl.h>

#include "doctor_text.h"
#include "exit.h"
#include "hsl/hsl.h"
#include "hslctl.h"
#include "json.h"

#define MEMLOCK_LEAST  (1u << 20) /* below: WARN */
#define NOP_DEADLINE_S 5
#define NODES_MAX      16

enum result { OK, INFO, WARN, FAIL, NOT_CHECKED };

static const char *const result_names[] = { "OK", "INFO", "WARN", "FAIL", "NOT CHECKED" };
static const char *const result_json[] = { "ok", "info", "warn", "fail", "not-checked" };

/* TEXT_*, and each text once more in both languages for the compiler to check the arguments of report() */
#define TEXT_ID(id, en, zh)	TEXT_##id,
#define TEXT_STRINGS(id, en, zh) [TEXT_##id] = { en, zh },
#define TEXT_CHECK(id, en, zh)                                       \
	static const char EN_##id[] __attribute__((unused)) = en;    \
	static const char ZH_##id[] __attribute__((unused)) = zh;
enum text { DOCTOR_TEXTS(TEXT_ID) };
static const char *const texts[][2] = { DOCTOR_TEXTS(TEXT_STRINGS) };
DOCTOR_TEXTS(TEXT_CHECK)

struct doctor {
	const struct ctl_args *args;
	struct json_object *checks;
	const char *layer;
	const char *remedy; /* for the next report() that is WARN or FAIL */
	char remedy_buf[256];
	unsigned int count[5];
};

static const char *text_of(const struct doctor *d, enum text id)
{
	return texts[id][d->args->chinese];
}

/* A remedy without arguments. */
#define REMEDY(d, id) ((d)->remedy = text_of(d, TEXT_R_##id))
/* One about something. */
#define REMEDY_OF(d, id, what)                                                                                \
	do {                                                                                                 \
		if (0)                                                                                       \
			printf(EN_R_##id, what), printf(ZH_R_##id, what);                                    \
		snprintf((d)->remedy_buf, sizeof((d)->remedy_buf), text_of(d, TEXT_R_##id), what);           \
		(d)->remedy = (d)->remedy_buf;                                                               \
	} while (0)

static void report_text(struct doctor *d, enum result r, const char *subject, enum text id, ...)
{
	struct json_object *o = tool_json_append(d->checks, tool_json_object());
	char text[512];
	va_list ap;

	va_start(ap, id);
	vsnprintf(text, sizeof(text), text_of(d, id), ap);
	va_end(ap);
	d->count[r]++;
	tool_json_str(o, "layer", d->layer);
	tool_json_str(o, "subject", subject);
	tool_json_str(o, "result", result_json[r]);
	tool_json_str(o, "detail", text);
	tool_json_str(o, "remedy", r == WARN || r == FAIL ? d->remedy : NULL);
	if (!d->args->json) {
		printf("%-11s  %-7s  %-14s %s\n", result_names[r], d->layer, subject, text);
		if ((r == WARN || r == FAIL) && d->remedy)
			printf("%-11s  %-7s  %-14s -> %s\n", "", "", "", d->remedy);
		fflush(stdout);
	}
	d->remedy = NULL;
}

#define report(d, r, subject, id, ...)                                                    \
	do {                                                                              \
		if (0)                                                                    \
			printf(EN_##id, ##__VA_ARGS__), printf(ZH_##id, ##__VA_ARGS__);   \
		report_text(d, r, subject, TEXT_##id, ##__VA_ARGS__);                     \
	} while (0)

/* First line of a small file; false when it is not there. */
static bool read_line(const char *path, char *buf, size_t len)
{
	FILE *f = fopen(path, "re");
	bool ok;

	if (!f)
		return false;
	ok = fgets(buf, (int)len, f) != NULL;
	fclose(f);
	if (ok)
		buf[strcspn(buf, "\n")] = 0;
	return ok;
}

/*
 * What the kernel said of this: the last message of an error, as it is the driver's own and says what to do, unless it only sums up
 * what stands above it; else the last of all, as the driver core's, which has a number only, though newer kernels tell it as an error.
 * "<3>[    5.270508] TEXT"
 */
static bool tells_why(const char *line)
{
	return line[0] == '<' && line[1] <= '3' && line[2] == '>' && !strstr(line, ": not usable as an HSL chip") &&
	       !strstr(line, ": probe with driver ");
}

/* Without level and time. */
static const char *message_text(const char *line)
{
	const char *end = line[0] == '<' ? strchr(line, '>') : NULL;

	line = end ? end + 1 : line;
	end = line[0] == '[' ? strstr(line, "] ") : NULL;
	return end ? end + 2 : line;
}

/* For root; false when there is none. *why: it tells why, in whatever driver's name. */
static bool kernel_message(const char *what, char *buf, size_t len, bool *why)
{
	int size = klogctl(10, NULL, 0), n;
	char *log, *line, *rest;
	bool found = false;

	*why = false;
	if (size <= 0)
		return false;
	log = tool_calloc(1, (unsigned long)size + 1);
	n = klogctl(3, log, size);
	if (n > 0) {
		log[n] = 0;
		for (rest = log; (line = strsep(&rest, "\n"));) {
			if (!strstr(line, what) || (!tells_why(line) && (*why || !strstr(line, "hsl"))))
				continue;
			*why = tells_why(line);
			snprintf(buf, len, "%s", message_text(line));
			found = true;
		}
	}
	free(log);
	return found;
}

/* ------------------------------------------------------------------ kernel */

static bool module_loaded(struct doctor *d, const char *name)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/sys/module/%s", name);
	if (stat(path, &st)) {
		if (!strcmp(name, "hsl"))
			REMEDY(d, LOAD_CORE);
		else
			REMEDY(d, LOAD_PCI);
		/* a vendor's own module may serve the chips instead of the generic one */
		report(d, strcmp(name, "hsl") ? WARN : FAIL, name, NOT_LOADED);
		return false;
	}
	report(d, OK, name, LOADED);
	return true;
}

static bool check_kernel(struct doctor *d)
{
	struct utsname u;
	bool core;

	d->layer = "kernel";
	if (!uname(&u))
		report(d, INFO, "kernel", SYSTEM, u.sysname, u.release, u.machine);
	core = module_loaded(d, "hsl");
	module_loaded(d, "hsl_pci");
	if (core && !geteuid() && access("/sys/kernel/debug/hsl", F_OK))
		report(d, INFO, "debugfs", NO_DEBUGFS);
	return core;
}

/* ------------------------------------------------------------------ PCI */

static void check_bars(struct doctor *d, const struct ctl_pci *p)
{
	static const char *const names[] = { "registers", "memory", "windows" };
	unsigned int i;

	for (i = 0; i < 3; i++) {
		uint32_t b = p->bir[i];

		REMEDY(d, BAR);
		if (i == 2 && b == HSL_DVSEC_BAR_NONE)
			continue;
		if (b >= CTL_BARS)
			report(d, FAIL, p->addr, BAR_NUMBER, b, names[i]);
		else if (!p->bar_bytes[b])
			report(d, FAIL, p->addr, BAR_SIZE, b, names[i]);
		else if (!p->bar_base[b])
			report(d, FAIL, p->addr, BAR_ADDRESS, b, names[i], p->bar_bytes[b] >> 20);
	}
	d->remedy = NULL;
}

/* Why has it no driver? */
static void check_unbound(struct doctor *d, const struct ctl_pci *p)
{
	char line[256], path[96], override[64] = "";
	bool why;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/driver_override", p->addr);
	if (read_line(path, override, sizeof(override)) && *override && strcmp(override, "(null)") &&
	    strcmp(override, "hsl_pci")) {
		REMEDY_OF(d, OVERRIDDEN, p->addr);
		report(d, FAIL, p->addr, OVERRIDDEN, override);
	} else {
		/* a maker's driver may have been there, and refused */
		if (!geteuid() && kernel_message(p->addr, line, sizeof(line), &why) && (why || !p->own_driver))
			d->remedy = line;
		else if (p->own_driver)
			REMEDY(d, OWN_DRIVER);
		else if (geteuid())
			REMEDY(d, NO_DRIVER_USER);
		else
			REMEDY_OF(d, BIND, p->addr);
		report(d, FAIL, p->addr, NO_DRIVER);
	}
	report(d, NOT_CHECKED, p->addr, NOT_TURNED_ON);
}

static bool check_function(struct doctor *d, const struct ctl_pci *p)
{
	unsigned int fails = d->count[FAIL];

	if (p->dvsec == CTL_DVSEC_FOUND) {
		if (p->hep_major != HSL_HEP_MAJOR) {
			REMEDY(d, HEP_PCI);
			report(d, FAIL, p->addr, BAD_HEP_PCI, p->node,
			       p->hep_major, p->hep_minor, HSL_HEP_MAJOR, HSL_HEP_MINOR);
		} else {
			report(d, OK, p->addr, FUNCTION, p->vendor,
			       p->device, p->node, p->hep_major, p->hep_minor);
		}
		check_bars(d, p);
	} else {
		report(d, NOT_CHECKED, p->addr, NO_DVSEC_USER, p->vendor, p->device);
	}
	if (!p->driver[0]) {
		check_unbound(d, p);
		return false;
	}
	report(d, OK, p->addr, DRIVER, p->driver);
	if (!p->memory_on || !p->master_on) {
		REMEDY(d, DECODE);
		report(d, FAIL, p->addr, DECODE,
		       p->memory_on ? "on" : "OFF", p->master_on ? "on" : "OFF");
	} else {
		report(d, OK, p->addr, DECODE_ON);
	}
	if (!p->caps_readable) {
		report(d, NOT_CHECKED, p->addr, NO_CAPS_USER);
	} else if (!p->msix) {
		REMEDY(d, NO_MSIX);
		report(d, FAIL, p->addr, NO_MSIX);
	} else if (!p->msix_on) {
		REMEDY(d, MSIX_OFF);
		report(d, FAIL, p->addr, MSIX_OFF, p->msix_vectors);
	} else {
		report(d, OK, p->addr, MSIX_ON, p->msix_vectors);
	}
	if (p->caps_readable && p->dvsec == CTL_DVSEC_FOUND && p->aer)
		report(d, OK, p->addr, AER);
	else if (p->caps_readable && p->dvsec == CTL_DVSEC_FOUND)
		report(d, INFO, p->addr, NO_AER);
	if (p->iommu_group >= 0)
		report(d, INFO, p->addr, IOMMU, p->iommu_group);
	else
		report(d, INFO, p->addr, NO_IOMMU);
	return d->count[FAIL] == fails;
}

/* Returns how many functions have a driver. */
static unsigned int check_pci(struct doctor *d)
{
	unsigned int foreign, bound = 0;
	struct ctl_pci *list;
	int n, i;

	d->layer = "pci";
	n = ctl_pci_scan(&list, &foreign);
	if (n < 0) {
		REMEDY(d, NO_BUS);
		report(d, FAIL, "bus", NO_BUS);
		return 0;
	}
	if (!n) {
		if (geteuid())
			REMEDY(d, NO_CHIP_USER);
		else
			REMEDY(d, NO_CHIP);
		if (foreign)
			report(d, FAIL, "bus", NO_CHIP_OTHERS);
		else
			report(d, FAIL, "bus", NO_CHIP);
		return 0;
	}
	for (i = 0; i < n; i++) {
		check_function(d, &list[i]);
		bound += list[i].driver[0] != 0;
	}
	free(list);
	return bound;
}

/* ------------------------------------------------------------------ device nodes */

/* Which nodes there are; fills paths with those that can be used. */
static unsigned int check_nodes(struct doctor *d, char paths[][64], bool core, unsigned int bound)
{
	unsigned int n = 0;
	size_t i;
	glob_t g;

	d->layer = "device";
	if (d->args->url) {
		memset(&g, 0, sizeof(g));
		snprintf(paths[0], 64, "%s", d->args->url);
	} else if (glob("/dev/hsl[0-9]*", 0, NULL, &g)) {
		if (!core)
			REMEDY(d, NODE_CORE);
		else if (!bound)
			REMEDY(d, NODE_BOUND);
		else
			REMEDY(d, NODE);
		report(d, FAIL, "/dev/hsl*", NO_NODE);
		return 0;
	}
	for (i = 0; i < (d->args->url ? 1 : g.gl_pathc) && n < NODES_MAX; i++) {
		const char *path = d->args->url ? d->args->url : g.gl_pathv[i];
		struct stat st;

		if (stat(path, &st)) {
			REMEDY(d, NODE_STAT);
			report(d, FAIL, path, NODE_STAT, strerror(errno));
			continue;
		}
		if (!S_ISCHR(st.st_mode)) {
			REMEDY(d, NODE_TYPE);
			report(d, FAIL, path, NODE_TYPE);
			continue;
		}
		if (access(path, R_OK | W_OK)) {
			REMEDY(d, NODE_ACCESS);
			report(d, FAIL, path, NODE_ACCESS,
			       geteuid(), st.st_mode & 07777, st.st_uid, st.st_gid);
			continue;
		}
		report(d, OK, path, NODE_OK,
		       st.st_mode & 07777, st.st_uid, st.st_gid, geteuid());
		snprintf(paths[n++], 64, "%s", path);
	}
	if (!d->args->url)
		globfree(&g);
	return n;
}

/* Root may register as much as there is. */
static void check_memlock(struct doctor *d)
{
	struct rlimit l;

	if (!geteuid() || getrlimit(RLIMIT_MEMLOCK, &l) || l.rlim_cur == RLIM_INFINITY)
		return;
	REMEDY(d, MEMLOCK);
	report(d, l.rlim_cur < MEMLOCK_LEAST ? WARN : INFO, "limits", MEMLOCK, (uint64_t)l.rlim_cur >> 10);
}

/* The driver's ABI version, also when it is not ours: libhsl only says that it is not. 0 = it does
 * not tell. */
static uint32_t driver_abi(const char *path)
{
	struct hsl_info info = { .size = sizeof(info), .abi_version = HSL_ABI_VERSION };
	uint32_t v = 0;
	int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return 0;
	if (!ioctl(fd, HSL_IOC_INFO, &info) || errno == EPROTO)
		v = info.abi_version;
	close(fd);
	return v;
}

/* ------------------------------------------------------------------ chips */

static void nop_once(struct doctor *d, struct hsl_fabric *f, const char *subject, const struct hsl_chip_props *p)
{
	struct hsl_queue_opts o = { .size = sizeof(o), .depth = 2 };
	struct hsl_op op = { .opcode = HSL_OP_NOP, .cookie = 0x900d };
	struct hsl_completion c;
	struct hsl_queue *q;
	int rc;

	REMEDY_OF(d, NOP, p->bus_addr);
	rc = hsl_queue_create(f, p->node, &o, &q);
	if (rc) {
		if (rc == -EDQUOT)
			REMEDY(d, QUEUES_LIMIT);
		report(d, FAIL, subject, NO_QUEUE, strerror(-rc));
		return;
	}
	rc = hsl_queue_submit(q, &op, 1);
	if (rc != 1) {
		report(d, FAIL, subject, NOP_SUBMIT, strerror(-rc));
		goto out;
	}
	rc = hsl_queue_wait(q, &c, 1, ctl_now_ns() + NOP_DEADLINE_S * 1000000000ull);
	if (rc == -ETIMEDOUT)
		report(d, FAIL, subject, NOP_TIMEOUT, NOP_DEADLINE_S);
	else if (rc != 1)
		report(d, FAIL, subject, NOP_WAIT, strerror(-rc));
	else if (c.status != HSL_ST_OK || c.cookie != op.cookie)
		report(d, FAIL, subject, NOP_STATUS, hsl_status_name(c.status), c.cookie);
	else
		report(d, OK, subject, NOP_OK);
out:
	hsl_queue_destroy(q);
}

static void check_heat(struct doctor *d, struct hsl_fabric *f, const char *subject, const struct hsl_chip_props *p)
{
	struct hsl_sensors s = { .size = sizeof(s) };
	int rc = hsl_chip_sensors(f, p->node, &s);

	if (rc) {
		if (p->cap & HSL_CAP_SENSORS)
			report(d, NOT_CHECKED, subject, NO_TEMPERATURE, strerror(-rc));
		return;
	}
	REMEDY(d, HOT);
	if (s.thermal & HSL_THERMAL_CRITICAL)
		report(d, FAIL, subject, TOO_HOT, s.temp_mc / 1e3, s.temp_crit_mc / 1e3);
	else if (s.thermal & HSL_THERMAL_THROTTLED)
		report(d, WARN, subject, HOT, s.temp_mc / 1e3, s.temp_max_mc / 1e3);
	else
		report(d, OK, subject, TEMPERATURE, s.temp_mc / 1e3, s.temp_max_mc / 1e3, s.power_mw / 1e3);
	d->remedy = NULL;
}

static void check_chip(struct doctor *d, struct hsl_fabric *f, const struct hsl_chip_props *p)
{
	char subject[32];

	snprintf(subject, sizeof(subject), "chip %u", p->node);
	if (p->hep_version >> 16 != HSL_HEP_MAJOR) {
		REMEDY(d, HEP);
		report(d, FAIL, subject, BAD_HEP, p->hep_version >> 16, p->hep_version & 0xffff,
		       HSL_HEP_MAJOR, HSL_HEP_MINOR);
	} else {
		report(d, OK, subject, HEP, p->hep_version >> 16, p->hep_version & 0xffff);
	}
	if (p->state) {
		if (p->state == HSL_CHIP_RESETTING)
			REMEDY(d, RESETTING);
		else
			REMEDY_OF(d, FAILED, p->bus_addr);
		report(d, p->state == HSL_CHIP_RESETTING ? WARN : FAIL, subject, CHIP_STATE,
		       ctl_chip_state(p->state));
		report(d, NOT_CHECKED, subject, NO_NOP_STATE);
		return;
	}
	check_heat(d, f, subject, p);
	if (p->mem_bytes && !p->mem_free_bytes) {
		REMEDY(d, MEMORY_USED);
		report(d, WARN, subject, MEMORY_USED);
	}
	if (!p->nqueues_free) {
		REMEDY(d, QUEUES_USED);
		report(d, WARN, subject, QUEUES_USED, p->nqueues);
		report(d, NOT_CHECKED, subject, NO_NOP_QUEUE);
		return;
	}
	nop_once(d, f, subject, p);
	d->remedy = NULL;
}

/* ------------------------------------------------------------------ links */

/* The best of a fabric's links: with it those are compared whose chip does not tell what they can. */
struct best {
	uint32_t width, rate_mtps;
	bool switches;
};

static bool carries(const struct hsl_link_props *l)
{
	return l->peer && (l->state == HSL_LTSSM_L0 || l->state == HSL_LTSSM_L1);
}

/*
 * What the link can: the less of its ends, as far as they tell (0: this end does not), and what the other end tells, for one that does
 * not. That is asked by its node; of parallel links the least counts, as which is which is not known.
 */
struct can {
	uint32_t width, rate_mtps, other_width, other_rate;
	bool both;
};

static uint32_t less(uint32_t a, uint32_t b)
{
	return b && b < a ? b : a;
}

static struct can link_can(struct hsl_fabric *f, uint32_t node, const struct hsl_link_props *l)
{
	struct can c = { .width = l->max_width, .rate_mtps = l->max_rate_mtps };
	struct hsl_link_props other = { .size = sizeof(other) };

	for (uint32_t k = 0; !hsl_link_query(f, l->peer, k, &other); k++) {
		if (other.peer != node)
			continue;
		c.other_width = c.other_width ? less(c.other_width, other.max_width) : other.max_width;
		c.other_rate = c.other_rate ? less(c.other_rate, other.max_rate_mtps) : other.max_rate_mtps;
	}
	c.width = less(c.width, c.other_width);
	c.rate_mtps = less(c.rate_mtps, c.other_rate);
	c.both = c.other_width && c.other_rate;
	return c;
}

static void check_width(struct doctor *d, const char *subject, const struct hsl_link_props *l, const struct can *can,
			const struct best *best)
{
	if (can->width && l->width < can->width) {
		if (can->both)
			REMEDY(d, LINK_LANES);
		else
			REMEDY(d, LINK_LANES_ONE);
		report(d, WARN, subject, LINK_LANES, ctl_node_type(l->peer_type), l->peer, l->width, can->width);
	} else if (!can->width && l->width < less(best->width, can->other_width)) {
		REMEDY(d, LINK_NARROW);
		report(d, WARN, subject, LINK_NARROW, ctl_node_type(l->peer_type), l->peer, l->width, best->width);
	}
}

static void check_rate(struct doctor *d, const char *subject, const struct hsl_link_props *l, const struct can *can,
		       const struct best *best)
{
	if (can->rate_mtps && l->rate_mtps < can->rate_mtps) {
		if (can->both)
			REMEDY(d, LINK_RATE);
		else
			REMEDY(d, LINK_RATE_ONE);
		report(d, WARN, subject, LINK_RATE, ctl_node_type(l->peer_type), l->peer, l->rate_mtps / 1000.0, can->rate_mtps / 1000.0);
	} else if (!can->rate_mtps && l->rate_mtps < less(best->rate_mtps, can->other_rate)) {
		REMEDY(d, LINK_SLOW);
		report(d, WARN, subject, LINK_SLOW, ctl_node_type(l->peer_type), l->peer, l->rate_mtps / 1000.0,
		       best->rate_mtps / 1000.0);
	}
}

static void check_link(struct doctor *d, struct hsl_fabric *f, uint32_t node, uint32_t link,
		       const struct hsl_link_props *l, const struct best *best)
{
	static const char *const names[] = { "rx_bad", "tx_replayed", "retrains", "downs" };
	uint64_t v[4] = { 0 };
	char subject[32];
	struct can can;

	snprintf(subject, sizeof(subject), "chip %u link %u", node, link);
	if (!carries(l)) {
		REMEDY(d, LINK_DOWN);
		report(d, WARN, subject, LINK_DOWN, ctl_node_type(l->peer_type), l->peer, ctl_link_state(l->state));
		return;
	}
	can = link_can(f, node, l);
	check_width(d, subject, l, &can, best);
	check_rate(d, subject, l, &can, best);
	for (int i = 0; i < 4; i++)
		ctl_counter(f, node, link, names[i], &v[i]);
	if (v[0] || v[1] || v[2] || v[3])
		report(d, INFO, subject, LINK_ERRORS, v[0], v[1], v[2], v[3]);
}

/* Paths over switches that stand behind switches are not known: then a missing one says nothing. */
static void check_paths(struct doctor *d, struct hsl_fabric *f, const struct hsl_chip_props *p, unsigned int n)
{
	char subject[32];

	for (unsigned int i = 0; i < n; i++) {
		for (unsigned int k = i + 1; k < n; k++) {
			struct hsl_path_props path = { .size = sizeof(path) };

			if (hsl_topology_path(f, p[i].node, p[k].node, &path) != -EHOSTUNREACH)
				continue;
			snprintf(subject, sizeof(subject), "chip %u", p[i].node);
			REMEDY(d, NO_PATH);
			report(d, WARN, subject, NO_PATH, p[k].node);
		}
	}
}

static void check_links(struct doctor *d, struct hsl_fabric *f, const struct hsl_chip_props *p, unsigned int n)
{
	struct best best = { 0 };
	struct hsl_link_props l;
	char subject[32];

	d->layer = "link";
	for (int round = 0; round < 2; round++) {
		for (unsigned int i = 0; i < n; i++) {
			unsigned int up = 0, links = 0;

			for (uint32_t k = 0; k < p[i].nlinks; k++) {
				l = (struct hsl_link_props){ .size = sizeof(l) };
				if (hsl_link_query(f, p[i].node, k, &l) || !l.peer)
					continue;
				links++;
				up += carries(&l);
				best.width = l.width > best.width ? l.width : best.width;
				best.rate_mtps = l.rate_mtps > best.rate_mtps ? l.rate_mtps : best.rate_mtps;
				best.switches |= l.peer_type == HSL_NODE_TYPE_SWITCH;
				if (round)
					check_link(d, f, p[i].node, k, &l, &best);
			}
			snprintf(subject, sizeof(subject), "chip %u", p[i].node);
			if (round && links)
				report(d, up == links ? OK : INFO, subject, LINKS, up, links);
		}
	}
	if (!best.switches)
		check_paths(d, f, p, n);
}

/* ------------------------------------------------------------------ fabric */

static void check_chips(struct doctor *d, struct hsl_fabric *f, uint32_t nchips)
{
	struct hsl_chip_props *p = tool_calloc(nchips, sizeof(*p));
	char subject[32];
	unsigned int n = 0;
	int rc;

	d->layer = "chip";
	for (uint32_t i = 0; i < nchips; i++) {
		p[n].size = sizeof(*p);
		rc = hsl_chip_by_index(f, i, &p[n]);
		if (rc) {
			snprintf(subject, sizeof(subject), "index %u", i);
			REMEDY(d, CHIP_LEFT);
			report(d, FAIL, subject, CHIP_LEFT, strerror(-rc));
			continue;
		}
		check_chip(d, f, &p[n++]);
	}
	check_links(d, f, p, n);
	free(p);
}

static void open_failed(struct doctor *d, const char *url, bool sim, int rc, uint32_t abi)
{
	if (rc == -EPROTO && sim)
		REMEDY(d, REMOTE);
	else if (rc == -EPROTO)
		REMEDY(d, BAD_ABI);
	else if (rc == -EINVAL && sim)
		REMEDY(d, SIM_URL);
	else if (rc == -ENOMEM)
		REMEDY(d, NO_MEMORY);
	else if (rc == -EDQUOT)
		REMEDY(d, CONTEXTS);
	else
		REMEDY(d, DMESG);
	if (rc == -EPROTO && !sim)
		report(d, FAIL, url, BAD_ABI, abi >> 16, abi & 0xffff, hsl_version(), HSL_ABI_MAJOR, HSL_ABI_MINOR);
	else
		report(d, FAIL, url, NOT_OPENED, strerror(-rc));
	d->layer = "chip";
	report(d, NOT_CHECKED, url, UNOPENED_CHIPS);
}

static void check_fabric(struct doctor *d, const char *url, bool sim)
{
	struct hsl_fabric_info info = { .size = sizeof(info) };
	struct hsl_fabric *f;
	uint32_t abi = 0;
	int rc;

	d->layer = "fabric";
	if (!sim)
		abi = driver_abi(url);
	rc = hsl_fabric_open(url, &f);
	if (rc) {
		open_failed(d, url, sim, rc, abi);
		return;
	}
	rc = hsl_fabric_info(f, &info);
	if (rc) {
		REMEDY(d, DMESG);
		report(d, FAIL, url, NO_INFO, strerror(-rc));
		hsl_fabric_close(f);
		return;
	}
	if (info.driver_abi)
		report(d, OK, url, OPENS, hsl_version(), info.driver_abi >> 16, info.driver_abi & 0xffff);
	else
		report(d, OK, url, OPENS_SIM, hsl_version());
	if (info.nchips) {
		report(d, OK, url, CHIPS, info.nchips);
	} else {
		REMEDY(d, NO_CHIPS);
		report(d, FAIL, url, NO_CHIPS);
	}
	check_chips(d, f, info.nchips);
	hsl_fabric_close(f);
}

int ctl_doctor(const struct ctl_args *args)
{
	struct ctl_args a = *args;
	struct doctor d = { .args = &a };
	struct json_object *doc = ctl_document("doctor");
	char paths[NODES_MAX][64];
	const char *env = getenv("HSL_FABRIC");
	unsigned int n, i, bound;
	bool core, sim;

	if (!a.url && env && *env)
		a.url = env;
	sim = a.url && !strncmp(a.url, "sim:", 4);
	d.checks = tool_json_set(doc, "checks", tool_json_array());
	if (sim) {
		d.layer = "kernel";
		report(&d, INFO, "sim:", SIM);
		check_fabric(&d, a.url, true);
	} else {
		core = check_kernel(&d);
		bound = check_pci(&d);
		n = check_nodes(&d, paths, core, bound);
		check_memlock(&d);
		for (i = 0; i < n; i++)
			check_fabric(&d, paths[i], false);
		if (!n) {
			d.layer = "fabric";
			report(&d, NOT_CHECKED, "fabric", UNOPENED);
		}
	}
	tool_json_bool(doc, "healthy", !d.count[FAIL]);
	if (a.json)
		return ctl_document_end(doc, d.count[FAIL] ? TOOL_FAIL : TOOL_PASS);
	tool_json_free(doc);
	putchar('\n');
	printf(text_of(&d, d.count[FAIL] ? TEXT_SUMMARY_BAD : TEXT_SUMMARY_GOOD), d.count[OK], d.count[WARN],
	       d.count[FAIL], d.count[NOT_CHECKED]);
	putchar('\n');
	return d.count[FAIL] ? TOOL_FAIL : TOOL_PASS;
}
