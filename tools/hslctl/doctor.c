// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * hslctl doctor: from the bottom up: kernel modules, PCI functions, device nodes, opening,
 * versions, a NOP on each chip. Each check is one line with its layer; a bad one says what to do.
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
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include <linux/hsl.h>

#include "exit.h"
#include "hsl/hsl.h"
#include "hslctl.h"
#include "json.h"

#define NOP_DEADLINE_S 5
#define NODES_MAX      16

enum result { OK, INFO, WARN, FAIL, NOT_CHECKED };

static const char *const result_names[] = { "OK", "INFO", "WARN", "FAIL", "NOT CHECKED" };
static const char *const result_json[] = { "ok", "info", "warn", "fail", "not-checked" };

struct doctor {
	const struct ctl_args *args;
	struct json_object *checks;
	const char *layer;
	const char *remedy; /* for the next report() that is WARN or FAIL */
	unsigned int count[5];
};

static void __attribute__((format(printf, 4, 5)))
report(struct doctor *d, enum result r, const char *subject, const char *fmt, ...)
{
	struct json_object *o = tool_json_append(d->checks, tool_json_object());
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
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

/* The last kernel message that names this, for root; false when there is none. */
static bool kernel_message(const char *what, char *buf, size_t len)
{
	int size = klogctl(10, NULL, 0), n;
	char *log, *line, *rest;
	bool found = false;

	if (size <= 0)
		return false;
	log = tool_calloc(1, (unsigned long)size + 1);
	n = klogctl(3, log, size);
	if (n > 0) {
		log[n] = 0;
		for (rest = log; (line = strsep(&rest, "\n"));) {
			if (!strstr(line, what) || !strstr(line, "hsl"))
				continue;
			snprintf(buf, len, "%s", line);
			found = true;
		}
	}
	free(log);
	return found;
}

/* ------------------------------------------------------------------ kernel */

static bool module_loaded(struct doctor *d, const char *name)
{
	char path[64], version[64] = "";
	struct stat st;

	snprintf(path, sizeof(path), "/sys/module/%s", name);
	if (stat(path, &st)) {
		d->remedy =
			!strcmp(name, "hsl")
				? "modprobe hsl_pci (loads hsl too); not installed: see README.md, make install, DKMS"
				: "modprobe hsl_pci, or the vendor's module for this chip";
		/* a vendor's own module may serve the chips instead of the generic one */
		report(d, strcmp(name, "hsl") ? WARN : FAIL, name, "the module is not loaded");
		return false;
	}
	snprintf(path, sizeof(path), "/sys/module/%s/version", name);
	if (read_line(path, version, sizeof(version)))
		report(d, OK, name, "loaded, version %s", version);
	else
		report(d, OK, name, "loaded");
	return true;
}

static bool check_kernel(struct doctor *d)
{
	struct utsname u;
	bool core;

	d->layer = "kernel";
	if (!uname(&u))
		report(d, INFO, "kernel", "%s %s %s", u.sysname, u.release, u.machine);
	core = module_loaded(d, "hsl");
	module_loaded(d, "hsl_pci");
	return core;
}

/* ------------------------------------------------------------------ PCI */

static void check_bars(struct doctor *d, const struct ctl_pci *p)
{
	static const char *const names[] = { "registers", "memory", "windows" };
	unsigned int i;

	for (i = 0; i < 3; i++) {
		uint32_t b = p->bir[i];

		d->remedy =
			"the firmware or the bridge gave no address range: larger bridge windows (pref64-reserve, mem-reserve), "
			"kernel option pci=realloc, 'Above 4G decoding'";
		if (i == 2 && b == HSL_DVSEC_BAR_NONE)
			continue;
		if (b >= CTL_BARS)
			report(d, FAIL, p->addr, "DVSEC names BAR %u for %s, which does not exist",
			       b, names[i]);
		else if (!p->bar_bytes[b])
			report(d, FAIL, p->addr, "BAR %u (%s) has no size", b, names[i]);
		else if (!p->bar_base[b])
			report(d, FAIL, p->addr, "BAR %u (%s, %" PRIu64 " MiB) has no address", b,
			       names[i], p->bar_bytes[b] >> 20);
	}
	d->remedy = NULL;
}

static bool check_function(struct doctor *d, const struct ctl_pci *p)
{
	unsigned int fails = d->count[FAIL];
	char line[256];

	if (p->dvsec == CTL_DVSEC_FOUND) {
		if (p->hep_major != HSL_HEP_MAJOR) {
			d->remedy = "use a driver and library for the chip's version";
			report(d, FAIL, p->addr,
			       "chip %u speaks HEP %u.%u, this software HEP %d.%d", p->node,
			       p->hep_major, p->hep_minor, HSL_HEP_MAJOR, HSL_HEP_MINOR);
		} else {
			report(d, OK, p->addr, "%04x:%04x, chip %u, HEP %u.%u", p->vendor,
			       p->device, p->node, p->hep_major, p->hep_minor);
		}
		check_bars(d, p);
	} else {
		report(d, NOT_CHECKED, p->addr,
		       "%04x:%04x: DVSEC and BARs: extended configuration space is shown to root only",
		       p->vendor, p->device);
	}
	if (!p->driver[0]) {
		d->remedy = line;
		if (p->own_driver)
			d->remedy = "the chip asks for its maker's driver: load that one";
		else if (geteuid())
			d->remedy = "as root, this tool and dmesg say why a probe failed; "
				    "modprobe hsl_pci";
		else if (!kernel_message(p->addr, line, sizeof(line)))
			snprintf(
				line, sizeof(line),
				"modprobe hsl_pci, or: echo %s > /sys/bus/pci/drivers/hsl_pci/bind",
				p->addr);
		report(d, FAIL, p->addr, "no driver is bound");
		report(d, NOT_CHECKED, p->addr,
		       "memory decode, bus master, MSI-X: a driver turns them on");
		return false;
	}
	report(d, OK, p->addr, "driver %s", p->driver);
	if (!p->memory_on || !p->master_on) {
		d->remedy = "rebind the driver; if it stays off, dmesg of the probe";
		report(d, FAIL, p->addr, "memory decode %s, bus master %s, with a driver bound",
		       p->memory_on ? "on" : "OFF", p->master_on ? "on" : "OFF");
	} else {
		report(d, OK, p->addr, "memory decode and bus master on");
	}
	if (!p->caps_readable) {
		report(d, NOT_CHECKED, p->addr, "MSI-X, AER: capabilities are shown to root only");
	} else if (!p->msix) {
		d->remedy = "the chip needs MSI-X for sleeping waits";
		report(d, FAIL, p->addr, "no MSI-X capability");
	} else if (!p->msix_on) {
		d->remedy = "kernel option pci=nomsi? vectors exhausted? dmesg of the probe";
		report(d, FAIL, p->addr, "MSI-X is off, %u vectors", p->msix_vectors);
	} else {
		report(d, OK, p->addr, "MSI-X on, %u vectors", p->msix_vectors);
	}
	if (p->caps_readable && p->dvsec == CTL_DVSEC_FOUND)
		report(d, p->aer ? OK : INFO, p->addr, "%s",
		       p->aer ? "AER capability present"
			      : "no AER capability: link errors of PCIe are not reported");
	if (p->iommu_group >= 0)
		report(d, INFO, p->addr, "behind an IOMMU, group %d", p->iommu_group);
	else
		report(d, INFO, p->addr,
		       "no IOMMU: the chip reaches all of memory, its driver's tables are the only guard");
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
		d->remedy = "no way to the bus: is /sys mounted? In a container, pass the device";
		report(d, FAIL, "bus", "no PCI bus can be seen from here");
		return 0;
	}
	if (!n) {
		d->remedy =
			geteuid()
				? "as root, the DVSEC of functions with other ids can be seen: try again as root"
				: "is the chip powered and its link up (lspci -nn)? In a VM: qemu/vm, CHIPS=";
		report(d, FAIL, "bus", "no HSL chip (class 0x1200 with the HSL DVSEC)%s",
		       foreign ? "; other accelerators of the class are there" : "");
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
		d->remedy =
			!core ? "load the modules first"
			: !bound
				? "no chip has a driver: see above"
				: "is devtmpfs mounted, udev running? /sys/class/hsl says which numbers there are";
		report(d, FAIL, "/dev/hsl*", "no device node");
		return 0;
	}
	for (i = 0; i < (d->args->url ? 1 : g.gl_pathc) && n < NODES_MAX; i++) {
		const char *path = d->args->url ? d->args->url : g.gl_pathv[i];
		struct stat st;

		if (stat(path, &st)) {
			d->remedy = "ls /dev/hsl*";
			report(d, FAIL, path, "%s", strerror(errno));
			continue;
		}
		if (!S_ISCHR(st.st_mode)) {
			d->remedy = "remove it; the kernel makes the node when the driver binds";
			report(d, FAIL, path, "not a character device");
			continue;
		}
		if (access(path, R_OK | W_OK)) {
			d->remedy =
				"a udev rule or membership in its group gives access; root has it";
			report(d, FAIL, path, "no permission for uid %u: mode %04o, owner %u:%u",
			       geteuid(), st.st_mode & 07777, st.st_uid, st.st_gid);
			continue;
		}
		report(d, OK, path,
		       "character device, mode %04o, owner %u:%u, accessible to uid %u",
		       st.st_mode & 07777, st.st_uid, st.st_gid, geteuid());
		snprintf(paths[n++], 64, "%s", path);
	}
	if (!d->args->url)
		globfree(&g);
	return n;
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

/* ------------------------------------------------------------------ fabric */

static int nop_once(struct hsl_fabric *f, uint32_t node, char *why, size_t len)
{
	struct hsl_queue_opts o = { .size = sizeof(o), .depth = 2 };
	struct hsl_op op = { .opcode = HSL_OP_NOP, .cookie = 0x900d };
	struct hsl_completion c;
	struct timespec ts;
	struct hsl_queue *q;
	int rc;

	rc = hsl_queue_create(f, node, &o, &q);
	if (rc) {
		snprintf(why, len, "no queue can be created: %s", strerror(-rc));
		return rc;
	}
	rc = hsl_queue_submit(q, &op, 1);
	if (rc != 1) {
		snprintf(why, len, "a NOP cannot be submitted: %s", strerror(-rc));
		goto out;
	}
	clock_gettime(CLOCK_MONOTONIC, &ts);
	rc = hsl_queue_wait(q, &c, 1, ((uint64_t)ts.tv_sec + NOP_DEADLINE_S) * 1000000000ull);
	if (rc == -ETIMEDOUT)
		snprintf(why, len, "a NOP does not complete within %d s", NOP_DEADLINE_S);
	else if (rc != 1)
		snprintf(why, len, "waiting for a NOP: %s", strerror(-rc));
	else if (c.status != HSL_ST_OK || c.cookie != op.cookie)
		snprintf(why, len, "a NOP completes with %s, cookie %#" PRIx64,
			 hsl_status_name(c.status), c.cookie);
	rc = rc == 1 && c.status == HSL_ST_OK && c.cookie == op.cookie ? 0 : rc < 0 ? rc : -EIO;
out:
	hsl_queue_destroy(q);
	return rc;
}

static void check_chips(struct doctor *d, struct hsl_fabric *f, uint32_t nchips)
{
	char subject[32], why[128];
	uint32_t i;
	int rc;

	d->layer = "chip";
	for (i = 0; i < nchips; i++) {
		struct hsl_chip_props p = { .size = sizeof(p) };

		snprintf(subject, sizeof(subject), "index %u", i);
		rc = hsl_chip_by_index(f, i, &p);
		if (rc) {
			d->remedy = "it left while we looked: dmesg";
			report(d, FAIL, subject, "%s", strerror(-rc));
			continue;
		}
		snprintf(subject, sizeof(subject), "chip %u", p.node);
		if (p.hep_version >> 16 != HSL_HEP_MAJOR) {
			d->remedy = "use a library for the chip's version";
			report(d, FAIL, subject, "HEP %u.%u, this software HEP %d.%d",
			       p.hep_version >> 16, p.hep_version & 0xffff, HSL_HEP_MAJOR,
			       HSL_HEP_MINOR);
		} else {
			report(d, OK, subject, "HEP %u.%u", p.hep_version >> 16,
			       p.hep_version & 0xffff);
		}
		if (p.state) {
			d->remedy =
				p.state == 1
					? "wait and try again"
					: "echo 1 > /sys/bus/pci/devices/ADDRESS/reset, then dmesg";
			report(d, p.state == 1 ? WARN : FAIL, subject, "%s",
			       ctl_chip_state(p.state));
			report(d, NOT_CHECKED, subject, "a NOP: the chip is not ready");
			continue;
		}
		if (!p.nqueues_free) {
			d->remedy = "its users hold all of them";
			report(d, WARN, subject, "all %u queues are in use", p.nqueues);
			report(d, NOT_CHECKED, subject, "a NOP: there is no free queue");
			continue;
		}
		why[0] = 0;
		rc = nop_once(f, p.node, why, sizeof(why));
		d->remedy =
			"dmesg; bus master and IOMMU faults; echo 1 > /sys/bus/pci/devices/ADDRESS/reset";
		if (rc)
			report(d, FAIL, subject, "%s", why);
		else
			report(d, OK, subject, "a NOP completes");
		d->remedy = NULL;
	}
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
		d->remedy =
			rc == -EPROTO ? "install library and driver of the same major version"
			: rc == -EINVAL && sim
				? "sim:TOPO<N>|FILE[,mem=SIZE][,queues=N][,profile=NAME], TOPO pair ring mesh switch"
			: rc == -ENOMEM ? "free memory, or less of it: mem="
					: "dmesg";
		if (rc == -EPROTO)
			report(d, FAIL, url, "the driver has ABI %u.%u, the library (%s) ABI %d.%d",
			       abi >> 16, abi & 0xffff, hsl_version(), HSL_ABI_MAJOR,
			       HSL_ABI_MINOR);
		else
			report(d, FAIL, url, "cannot be opened: %s", strerror(-rc));
		d->layer = "chip";
		report(d, NOT_CHECKED, url,
		       "versions, a NOP on each chip: the fabric does not open");
		return;
	}
	rc = hsl_fabric_info(f, &info);
	d->remedy = "dmesg";
	if (rc) {
		report(d, FAIL, url, "opens, but tells nothing: %s", strerror(-rc));
	} else {
		if (info.driver_abi)
			report(d, OK, url, "opens: library %s, driver ABI %u.%u", hsl_version(),
			       info.driver_abi >> 16, info.driver_abi & 0xffff);
		else
			report(d, OK, url, "opens: library %s, in-process emulation, no driver",
			       hsl_version());
		d->remedy = "no chip has joined this fabric: dmesg of their probes";
		report(d, info.nchips ? OK : FAIL, url, "%u chip%s", info.nchips,
		       info.nchips == 1 ? "" : "s");
		d->remedy = NULL;
		check_chips(d, f, info.nchips);
	}
	d->remedy = NULL;
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
		report(&d, INFO,
		       "sim:", "in this process: kernel, PCI and device node are not part of it");
		check_fabric(&d, a.url, true);
	} else {
		core = check_kernel(&d);
		bound = check_pci(&d);
		n = check_nodes(&d, paths, core, bound);
		for (i = 0; i < n; i++)
			check_fabric(&d, paths[i], false);
		if (!n) {
			d.layer = "fabric";
			report(&d, NOT_CHECKED, "fabric",
			       "opening, versions, a NOP on each chip: there is no device node to open");
		}
	}
	tool_json_bool(doc, "healthy", !d.count[FAIL]);
	if (a.json)
		return ctl_document_end(doc, d.count[FAIL] ? TOOL_FAIL : TOOL_PASS);
	tool_json_free(doc);
	printf("\n%s: %u ok, %u warnings, %u failed, %u not checked\n",
	       d.count[FAIL] ? "BROKEN" : "healthy", d.count[OK], d.count[WARN], d.count[FAIL],
	       d.count[NOT_CHECKED]);
	return d.count[FAIL] ? TOOL_FAIL : TOOL_PASS;
}
