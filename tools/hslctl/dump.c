// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * hslctl dump: all that a report of a bug needs, in one text: what software this is, what the kernel and its log say of hsl and
 * its chips, what the chips say of themselves.
 *
 * It is made of files of sysfs, procfs and debugfs, each under its own name, so that a reader knows where every line is from,
 * and of what doctor, link and stat print. What cannot be read says why: a dump without root is a dump. It reads
 * no memory of chips, of segments or of processes, and of the kernel's log only lines about hsl and its PCI functions.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "exit.h"
#include "file.h"
#include "hsl/hsl.h"
#include "hsl/regs.h"
#include "hslctl.h"

#define FILE_BYTES_MAX	  65536
#define CONFIG_BYTES	  4096
#define KLOG_READ_ALL	  3
#define KLOG_SIZE	  10

static void section(FILE *out, const char *name)
{
	fprintf(out, "\n==== %s ====\n", name);
}

/* ---- files ---- */

/* The whole of a small file, its end marked if it is longer; what is no text is left out. */
static void add_file(FILE *out, const char *path)
{
	char *buf = tool_calloc(1, FILE_BYTES_MAX + 1);
	size_t len = 0;
	ssize_t n = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	while (fd >= 0 && len < FILE_BYTES_MAX && (n = read(fd, buf + len, FILE_BYTES_MAX - len)) > 0)
		len += (size_t)n;
	if (fd < 0 || n < 0)
		fprintf(out, "%s: (%s)\n", path, strerror(errno));
	else if (strlen(buf) != len)
		fprintf(out, "%s: (no text)\n", path);
	else if (len && strchr(buf, '\n') == buf + len - 1)
		fprintf(out, "%s: %s", path, buf);
	else
		fprintf(out, "%s:\n%s%s", path, buf, len == FILE_BYTES_MAX ? "\n(cut here)\n" : "");
	if (fd >= 0)
		close(fd);
	free(buf);
}

static void add_files(FILE *out, const char *pattern)
{
	struct stat st;
	glob_t g;

	if (glob(pattern, 0, NULL, &g)) {
		fprintf(out, "%s: (none)\n", pattern);
		return;
	}
	for (size_t i = 0; i < g.gl_pathc; i++)
		if (!stat(g.gl_pathv[i], &st) && S_ISREG(st.st_mode) && (st.st_mode & 0444))
			add_file(out, g.gl_pathv[i]);
	globfree(&g);
}

/* Lines of a file that have a word in them. */
static void add_lines(FILE *out, const char *path, const char *word)
{
	FILE *in = fopen(path, "re");
	char *line = NULL;
	size_t room = 0;

	if (!in) {
		fprintf(out, "%s: (%s)\n", path, strerror(errno));
		return;
	}
	fprintf(out, "%s, lines with %s:\n", path, word);
	while (getline(&line, &room, in) > 0)
		if (strstr(line, word))
			fputs(line, out);
	free(line);
	fclose(in);
}

/* Registers of chips that the driver has given up, as they were just before. */
static void add_coredumps(FILE *out)
{
	char *text;
	size_t len;
	glob_t g;

	if (glob("/sys/class/devcoredump/devcd*/data", 0, NULL, &g))
		return;
	for (size_t i = 0; i < g.gl_pathc; i++) {
		text = tool_file_read(g.gl_pathv[i], &len);
		if (text && !strncmp(text, "hsl", 3)) /* "hsl0-1: failed: " */
			fprintf(out, "%s:\n%s", g.gl_pathv[i], text);
		free(text);
	}
	globfree(&g);
}

/* ---- the kernel's log ---- */

static bool about_hsl(const char *line, const struct ctl_pci *pci, int n)
{
	if (strstr(line, "hsl"))
		return true;
	for (int i = 0; i < n; i++)
		if (strstr(line, pci[i].addr))
			return true;
	return false;
}

static void add_log(FILE *out, const struct ctl_pci *pci, int n)
{
	int size = klogctl(KLOG_SIZE, NULL, 0), len;
	char *log, *line, *rest;

	section(out, "kernel log, lines about hsl");
	log = tool_calloc(1, size > 0 ? (unsigned long)size + 1 : 1);
	len = size > 0 ? klogctl(KLOG_READ_ALL, log, size) : size;
	if (len < 0)
		fprintf(out, "(%s)\n", strerror(errno));
	for (rest = log; len > 0 && (line = strsep(&rest, "\n"));)
		if (about_hsl(line, pci, n))
			fprintf(out, "%s\n", line);
	free(log);
}

/* ---- PCI ---- */

static void add_config(FILE *out, const char *addr)
{
	unsigned char config[CONFIG_BYTES];
	char path[64];
	ssize_t len;
	int fd;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/config", addr);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	len = fd < 0 ? -1 : pread(fd, config, sizeof(config), 0);
	if (fd >= 0)
		close(fd);
	fprintf(out, "%s: ", path);
	if (len < 0) {
		fprintf(out, "(%s)\n", strerror(errno));
		return;
	}
	fprintf(out, "%zd bytes, lines of zeros left out%s\n", len, len < 256 ? "; root sees more" : "");
	for (ssize_t i = 0; i + 16 <= len; i += 16) {
		bool zero = true;

		for (int k = 0; k < 16; k++)
			zero &= !config[i + k];
		if (zero)
			continue;
		fprintf(out, "%03zx:", (size_t)i); /* as lspci -xxxx, which decodes it: lspci -F */
		for (int k = 0; k < 16; k++)
			fprintf(out, " %02x", config[i + k]);
		fputc('\n', out);
	}
}

static void add_pci(FILE *out, const struct ctl_pci *pci, int n, unsigned int foreign)
{
	static const char *const files[] = { "resource", "enable", "numa_node", "power_state", "current_link_speed",
					     "current_link_width", "aer_dev_correctable", "aer_dev_nonfatal",
					     "aer_dev_fatal", "driver_override" };
	char path[128];

	section(out, "PCI");
	fprintf(out, "%d functions, %u others of class 0x%04x\n", n < 0 ? 0 : n, foreign, HSL_PCI_CLASS);
	for (int i = 0; i < n; i++) {
		const struct ctl_pci *p = &pci[i];

		fprintf(out, "\n%s %04x:%04x driver %s\n", p->addr, p->vendor, p->device, p->driver[0] ? p->driver : "none");
		if (p->dvsec == CTL_DVSEC_FOUND)
			fprintf(out, "DVSEC: HEP %u.%u, node %u, BARs %u %u %u%s\n", p->hep_major, p->hep_minor, p->node,
				p->bir[0], p->bir[1], p->bir[2], p->own_driver ? ", wants its maker's driver" : "");
		for (size_t k = 0; k < sizeof(files) / sizeof(files[0]); k++) {
			snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/%s", p->addr, files[k]);
			if (!access(path, F_OK))
				add_file(out, path);
		}
		add_config(out, p->addr);
	}
}

/* ---- verbs of hslctl ---- */

/* Exit status, or -errno. */
static int run_verb(FILE *out, char *const argv[])
{
	char buf[4096];
	ssize_t len;
	int fd[2], status;
	pid_t pid;

	fflush(NULL);
	if (pipe(fd))
		return -errno;
	pid = fork();
	if (!pid) {
		dup2(fd[1], STDOUT_FILENO);
		dup2(fd[1], STDERR_FILENO);
		close(fd[0]);
		close(fd[1]);
		execv("/proc/self/exe", argv);
		_exit(127);
	}
	close(fd[1]);
	while (pid > 0 && (len = read(fd[0], buf, sizeof(buf))) > 0)
		fwrite(buf, 1, (size_t)len, out);
	close(fd[0]);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* What hslctl prints of a fabric, by a process of its own: a verb that crashes is in the report, and not the end of it. */
static void add_verbs(FILE *out, const char *url)
{
	static char *const verbs[][2] = { { "list" }, { "mem" }, { "link" }, { "stat", "--nonzero" } };

	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		char *argv[] = { "hslctl", "-f", (char *)url, verbs[i][0], verbs[i][1], NULL };
		int rc;

		fprintf(out, "\n==== hslctl %s%s%s -f %s ====\n", verbs[i][0], verbs[i][1] ? " " : "",
			verbs[i][1] ? verbs[i][1] : "", url);
		rc = run_verb(out, argv);
		if (rc)
			fprintf(out, "(exit status %d)\n", rc);
	}
}

static void add_doctor(FILE *out, const char *url)
{
	char *argv[] = { "hslctl", "doctor", "--lang", "en", url ? "-f" : NULL, (char *)url, NULL };
	int rc;

	section(out, "hslctl doctor");
	rc = run_verb(out, argv);
	fprintf(out, "(exit status %d)\n", rc);
}

/* The fabric that was asked for, else each that has a device. */
static void add_fabrics(FILE *out, const char *url)
{
	glob_t g;

	add_doctor(out, url);
	if (url) {
		add_verbs(out, url);
		return;
	}
	if (glob("/dev/hsl[0-9]*", 0, NULL, &g))
		return;
	for (size_t i = 0; i < g.gl_pathc; i++)
		add_verbs(out, g.gl_pathv[i]);
	globfree(&g);
}

/* ---- all of it ---- */

/* Of the kernel's command line only what may concern a chip. */
static void add_cmdline(FILE *out)
{
	static const char *const prefixes[] = { "pci", "iommu", "intel_iommu", "amd_iommu", "hsl", "mem", "movable",
						"tsc", "clocksource", "nosmp", "maxcpus", "efi" };
	size_t len;
	char *text = tool_file_read("/proc/cmdline", &len), *rest = text, *word;

	fprintf(out, "/proc/cmdline, words about memory, PCI and clocks:");
	while (text && (word = strsep(&rest, " \n")))
		for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
			if (!strncmp(word, prefixes[i], strlen(prefixes[i]))) {
				fprintf(out, " %s", word);
				break;
			}
	fputc('\n', out);
	free(text);
}

static void add_head(FILE *out)
{
	time_t now = time(NULL);
	char when[32];

	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", gmtime(&now));
	fprintf(out, "hslctl dump of %s: hsl %s, HEP %d.%d, uid %u\n", when, hsl_version(), HSL_HEP_MAJOR, HSL_HEP_MINOR,
		geteuid());
	section(out, "system");
	add_file(out, "/proc/version");
	add_cmdline(out);
	add_file(out, "/proc/sys/kernel/tainted");
	add_file(out, "/etc/os-release");
}

static void add_driver(FILE *out)
{
	static const char *const patterns[] = {
		"/sys/module/hsl*/version", "/sys/module/hsl*/srcversion", "/sys/module/hsl*/taint",
		"/sys/module/hsl*/refcnt", "/sys/module/hsl*/parameters/*", "/sys/class/hsl/hsl*/*",
		"/sys/bus/hsl/devices/*/*", "/sys/bus/hsl/devices/*/links/*",
		"/sys/bus/hsl/devices/*/counters*/*", "/sys/kernel/debug/hsl/*/state",
		"/sys/kernel/debug/hsl/*/chip*/registers",
	};

	section(out, "driver");
	for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++)
		add_files(out, patterns[i]);
	add_coredumps(out);
	add_lines(out, "/proc/interrupts", "hsl");
	add_lines(out, "/proc/iomem", "hsl");
}

int ctl_dump(const struct ctl_args *a)
{
	const char *env = getenv("HSL_FABRIC"), *url = a->url ? a->url : env && *env ? env : NULL;
	struct ctl_pci *pci = NULL;
	unsigned int foreign = 0;
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	int n = 0, rc;

	if (!out) {
		tool_error("out of memory");
		return TOOL_ENV;
	}
	add_head(out);
	if (!url || strncmp(url, "sim:", 4)) {
		n = ctl_pci_scan(&pci, &foreign);
		add_driver(out);
		add_pci(out, pci, n, foreign);
		add_log(out, pci, n);
		free(pci);
	}
	add_fabrics(out, url);
	rc = fclose(out) ? -ENOMEM : tool_file_write(a->file, text);
	free(text);
	return rc ? tool_not_written(a->file, rc) : TOOL_PASS;
}
