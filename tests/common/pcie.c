// SPDX-License-Identifier: MIT OR Apache-2.0
/* See pcie.h. */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pcie.h"
#include "raw.h"

char pcie_bdf[PCIE_CHIPS + 1][32];
static int qmp = -1;

void pcie_find(int ctx)
{
	struct hsl_chip_info ci;

	for (unsigned int i = 1; i <= PCIE_CHIPS; i++)
		if (!raw_chip(ctx, i, &ci))
			memcpy(pcie_bdf[i], ci.bus_addr, sizeof(pcie_bdf[i]));
}

const char *pcie_file(unsigned int node, const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/%s", pcie_bdf[node], name);
	return path;
}

const char *pcie_line(const char *path)
{
	static char line[128];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, line, sizeof(line) - 1);

	line[n > 0 ? n : 0] = '\0';
	line[strcspn(line, "\n")] = '\0';
	if (fd >= 0)
		close(fd);
	return line;
}

int pcie_driver(const char *file, unsigned int node)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/bus/pci/drivers/hsl_pci/%s", file);
	return raw_write_file(path, pcie_bdf[node]);
}

void pcie_config16(const char *path, off_t off, uint16_t set, uint16_t clear)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	uint16_t v;

	if (fd < 0 || pread(fd, &v, 2, off) != 2)
		raw_bail(path);
	v = (uint16_t)((v | set) & ~clear);
	if (pwrite(fd, &v, 2, off) != 2)
		raw_bail(path);
	close(fd);
}

static void monitor(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void monitor(const char *fmt, ...)
{
	struct pollfd p = { .events = POLLOUT };
	char cmd[256];
	va_list ap;

	if (qmp < 0) {
		qmp = open("/dev/virtio-ports/org.hsl.qmp", O_RDWR | O_NONBLOCK | O_CLOEXEC);
		if (qmp < 0)
			raw_skip_all("needs QMP=guest");
		monitor("{\"execute\":\"qmp_capabilities\"}\n");
	}
	va_start(ap, fmt);
	vsnprintf(cmd, sizeof(cmd), fmt, ap);
	va_end(ap);
	p.fd = qmp;
	while (write(qmp, cmd, strlen(cmd)) < 0)	/* all or nothing; EAGAIN: QEMU has not yet taken what is there */
		if (errno != EAGAIN || poll(&p, 1, 10000) != 1)
			raw_bail("QMP");
}

/* What is in configuration space tells when QEMU has done it. */
void pcie_absent(unsigned int node, bool absent)
{
	uint16_t id;
	int fd;

	monitor("{\"execute\":\"qom-set\",\"arguments\":{\"path\":\"/machine/peripheral/chip%u\","
		"\"property\":\"absent\",\"value\":%s}}\n", node, absent ? "true" : "false");
	for (int i = 0; i < 10000; i++) {
		fd = open(pcie_file(node, "config"), O_RDONLY | O_CLOEXEC);
		if (fd >= 0 && pread(fd, &id, 2, 0) == 2 && (id == 0xffff) == absent) {
			close(fd);
			return;
		}
		close(fd);
		raw_sleep_us(1000);
	}
	raw_bail("a chip does not vanish and come back as it is told");
}

bool pcie_said(const char *what)
{
	char cmd[160];

	snprintf(cmd, sizeof(cmd), "dmesg | grep -q '%s'", what);
	return system(cmd) == 0;
}

void pcie_error(unsigned int node, const char *error)
{
	monitor("{\"execute\":\"human-monitor-command\",\"arguments\":{\"command-line\":"
		"\"pcie_aer_inject_error chip%u %s\"}}\n", node, error);
}

/* The root port passes error messages on only with SERR in its bridge control. */
void pcie_errors_pass(unsigned int node)
{
	char port[PATH_MAX];

	if (!realpath(pcie_file(node, "../config"), port))
		raw_bail("the root port of a chip");
	pcie_config16(port, 0x3e, 2, 0);
}

void pcie_fabric(const char *what)
{
	char reply[512];

	monitor("{\"execute\":\"qom-set\",\"arguments\":{\"path\":\"/objects/fab0\",\"property\":\"inject\","
		"\"value\":\"%s\"}}\n", what);
	while (read(qmp, reply, sizeof(reply)) > 0)	/* nobody else does */
		;
}

bool pcie_system_can_sleep(const char *state)
{
	char line[64] = "";
	FILE *f = fopen("/sys/power/state", "re");
	bool can = f && fgets(line, sizeof(line), f) && strstr(line, state);

	if (f)
		fclose(f);
	return can;
}

/*
 * virtio's console of 7.x takes nothing any more after a sleep, in a VM without chips too. So it sleeps unbound, and what is
 * printed meanwhile goes into a file.
 */
static char console[32];		/* name of its device; empty: it is bound */
static FILE *meanwhile;

static void console_write(const char *file)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/bus/virtio/drivers/virtio_console/%s", file);
	raw_write_file(path, console);
}

void pcie_console_away(void)
{
	glob_t g;

	if (glob("/sys/bus/virtio/drivers/virtio_console/virtio*", 0, NULL, &g))
		return;
	snprintf(console, sizeof(console), "%s", strrchr(g.gl_pathv[0], '/') + 1);
	globfree(&g);
	fflush(stdout);
	meanwhile = tmpfile();
	if (!meanwhile || dup2(fileno(meanwhile), STDOUT_FILENO) < 0)
		raw_bail("a file for what is printed");
	console_write("unbind");
}

void pcie_console_back(void)
{
	char line[512];
	int out = -1;

	if (!console[0])
		return;
	console_write("bind");
	console[0] = '\0';
	for (int i = 0; i < 5000 && out < 0; i++) {
		raw_sleep_us(1000);
		out = open("/dev/virtio-ports/org.hsl.out", O_WRONLY | O_CLOEXEC);
	}
	fflush(stdout);
	if (out < 0 || dup2(out, STDOUT_FILENO) < 0)
		_exit(1);
	close(out);
	rewind(meanwhile);
	while (fgets(line, sizeof(line), meanwhile))
		fputs(line, stdout);
	fclose(meanwhile);
}

void pcie_power(unsigned int node, const char *name, const char *text)
{
	char file[48];

	snprintf(file, sizeof(file), "power/%s", name);
	if (raw_write_file(pcie_file(node, file), text))
		raw_bail(pcie_file(node, file));
}

void pcie_allow_sleep(unsigned int node)
{
	pcie_power(node, "autosuspend_delay_ms", "0");
	pcie_power(node, "control", "auto");
}

const char *pcie_state(unsigned int node)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/bus/hsl/devices/hsl0-%u/state", node);
	return pcie_line(path);
}

bool pcie_falls_asleep(unsigned int node)
{
	for (int i = 0; i < 10000; i++) {
		if (!strcmp(pcie_state(node), "asleep") && !strcmp(pcie_line(pcie_file(node, "power/runtime_status")), "suspended"))
			return !strcmp(pcie_line(pcie_file(node, "power_state")), "D3hot");
		raw_sleep_us(1000);
	}
	printf("# chip %u is %s\n", node, pcie_state(node));
	printf("# and its function %s\n", pcie_line(pcie_file(node, "power/runtime_status")));
	return false;
}
