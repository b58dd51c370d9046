// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * hslctl mem: chip memory in segments, free, and online as a NUMA node.
 *
 * Online is two steps: the driver adds the memory (mem_online_bytes of the chip in sysfs), and each of its blocks is put into
 * the movable zone here, because only from there it can be expected to come back; the driver lets it into no other. If the
 * second step fails, the first is taken back.
 *
 * Offline refuses while processes have pages on the node, and names them; the kernel would move what it can. With --force
 * it may, and then only pages that do not move are left to name.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "exit.h"
#include "hsl/hsl.h"
#include "hslctl.h"
#include "json.h"
#include "size.h"
#include "table.h"

#define HOLDERS_MAX 64
#define HOLDERS_SHOWN 16

struct mem_chip {
	struct hsl_chip_props p;
	char dir[80]; /* in sysfs; empty: sim: */
	uint64_t online_bytes;
	int numa_node; /* -1: nothing online */
};

struct holder {
	int pid;
	char name[20];
	uint64_t bytes;
};

/* ---- sysfs ---- */

static int file_read(char *buf, size_t len, const char *dir, const char *name)
{
	char path[256];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read(fd, buf, len - 1);
	close(fd);
	if (n < 0)
		return -EIO;
	buf[n] = 0;
	buf[strcspn(buf, "\n")] = 0;
	return 0;
}

static int file_write(const char *dir, const char *name, const char *text)
{
	char path[256];
	int fd, rc = 0;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		rc = -errno;
	close(fd);
	return rc;
}

static int file_u64(uint64_t *v, const char *dir, const char *name, int base)
{
	char buf[64], *end;
	int rc = file_read(buf, sizeof(buf), dir, name);

	if (rc)
		return rc;
	errno = 0;
	*v = strtoull(buf, &end, base);
	return errno || end == buf || *end ? -EINVAL : 0;
}

static void chip_online(struct mem_chip *c)
{
	char buf[32];

	c->online_bytes = 0;
	c->numa_node = -1;
	if (c->dir[0] && !file_u64(&c->online_bytes, c->dir, "mem_online_bytes", 10) && c->online_bytes &&
	    !file_read(buf, sizeof(buf), c->dir, "mem_online_node"))
		c->numa_node = atoi(buf);
}

/* Bytes in use on a NUMA node, whoever uses them. */
static bool node_used(int node, uint64_t *bytes)
{
	char path[64], line[128];
	unsigned long long kb;
	bool found = false;
	FILE *f;

	snprintf(path, sizeof(path), "/sys/devices/system/node/node%d/meminfo", node);
	f = fopen(path, "re");
	while (f && !found && fgets(line, sizeof(line), f))
		found = sscanf(line, "Node %*d MemUsed: %llu kB", &kb) == 1;
	if (f)
		fclose(f);
	if (found)
		*bytes = kb << 10;
	return found;
}

/* ---- who has pages there ---- */

static uint64_t mapped_on(int pid, int node)
{
	char path[48], want[16], *line = NULL, *word;
	uint64_t total = 0;
	size_t size = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/numa_maps", pid);
	snprintf(want, sizeof(want), " N%d=", node);
	f = fopen(path, "re");
	while (f && getline(&line, &size, f) > 0) {
		uint64_t pages = 0, kb = 4;

		word = strstr(line, want);
		if (word)
			pages = strtoull(word + strlen(want), NULL, 10);
		word = strstr(line, " kernelpagesize_kB=");
		if (word)
			kb = strtoull(word + 19, NULL, 10);
		total += pages * kb << 10;
	}
	free(line);
	if (f)
		fclose(f);
	return total;
}

static int holder_cmp(const void *a, const void *b)
{
	const struct holder *x = a, *y = b;

	return x->bytes < y->bytes ? 1 : x->bytes > y->bytes ? -1 : x->pid - y->pid;
}

/* The first HOLDERS_MAX found, largest first. */
static unsigned int holders_find(int node, struct holder *h)
{
	DIR *d = opendir("/proc");
	unsigned int n = 0;
	struct dirent *e;

	while (d && n < HOLDERS_MAX && (e = readdir(d))) {
		char dir[32];

		if (!isdigit((unsigned char)e->d_name[0]))
			continue;
		h[n].pid = atoi(e->d_name);
		h[n].bytes = mapped_on(h[n].pid, node);
		snprintf(dir, sizeof(dir), "/proc/%d", h[n].pid);
		if (h[n].bytes) {
			if (file_read(h[n].name, sizeof(h[n].name), dir, "comm"))
				strcpy(h[n].name, "?");
			n++;
		}
	}
	if (d)
		closedir(d);
	qsort(h, n, sizeof(*h), holder_cmp);
	return n;
}

static void holders_print(int node, const struct holder *h, unsigned int n)
{
	char size[TOOL_SIZE_LEN];
	unsigned int i;

	for (i = 0; i < n && i < HOLDERS_SHOWN; i++)
		fprintf(stderr, "  process %d (%s) has %s on node %d\n", h[i].pid, h[i].name,
			tool_size_format(h[i].bytes, size, sizeof(size)), node);
	if (n > HOLDERS_SHOWN)
		fprintf(stderr, "  and %u more\n", n - HOLDERS_SHOWN);
}

static void holders_json(struct json_object *doc, const struct holder *h, unsigned int n)
{
	struct json_object *list = tool_json_set(doc, "holders", tool_json_array());
	unsigned int i;

	for (i = 0; i < n; i++) {
		struct json_object *o = tool_json_append(list, tool_json_object());

		tool_json_u64(o, "pid", (uint64_t)h[i].pid);
		tool_json_str(o, "name", h[i].name);
		tool_json_u64(o, "bytes", h[i].bytes);
	}
}

/* ---- online ---- */

static int block_online(const char *dir)
{
	char state[16];
	int rc = file_read(state, sizeof(state), dir, "state");

	return rc || !strcmp(state, "online") ? rc : file_write(dir, "state", "online_movable");
}

static int blocks_online(const struct mem_chip *c, uint64_t bytes)
{
	uint64_t block, phys, end, b;
	char dir[80];
	int rc, bad = 0;

	rc = file_u64(&block, "/sys/devices/system/memory", "block_size_bytes", 16);
	if (!rc)
		rc = file_u64(&phys, c->dir, "mem_phys", 0);
	if (rc)
		return rc;
	end = (phys + c->p.mem_bytes) / block;
	for (b = end - bytes / block; b < end; b++) {
		snprintf(dir, sizeof(dir), "/sys/devices/system/memory/memory%" PRIu64, b);
		rc = block_online(dir);
		if (rc)
			bad = rc;
	}
	return bad;
}

#define CHIP_LEAST (512ull << 20) /* HSL_NUMA_CHIP_MIN of the driver, docs/abi/sysfs-hsl */

static const char *online_why(const struct mem_chip *c, int err)
{
	static char text[128];
	uint64_t block = 0;

	switch (err) {
	case -EOPNOTSUPP:
		if (c->p.mem_bytes < CHIP_LEAST)
			return "the chip has less than 512 MiB";
		if (!(c->p.cap & HSL_CAP_HOST_COHERENT))
			return "the host's accesses of its memory are not coherent";
		return "the kernel has no memory hotplug, or no NUMA node without CPUs to put it on (the kernel log says which)";
	case -EINVAL:
		file_u64(&block, "/sys/devices/system/memory", "block_size_bytes", 16);
		snprintf(text, sizeof(text), "the size is no multiple of the kernel's memory block, %" PRIu64 " MiB", block >> 20);
		return text;
	case -ENOSPC: return "segments are in the upper end of the chip, or it is smaller than that";
	case -EBUSY: return "another size is online already: take it offline first";
	case -ENOENT: return "the driver has no such attribute: it is older than this tool";
	case -EACCES:
	case -EPERM: return "only root may";
	default: return strerror(-err);
	}
}

static int mem_online(struct mem_chip *c, const char *arg)
{
	uint64_t bytes, had;
	char text[24], size[TOOL_SIZE_LEN];
	int rc;

	if (tool_size_parse(arg, &bytes) || !bytes)
		return tool_usage("mem online %s: not a size", arg);
	chip_online(c);
	had = c->online_bytes;
	snprintf(text, sizeof(text), "%" PRIu64, bytes);
	rc = file_write(c->dir, "mem_online_bytes", text);
	if (rc) {
		tool_error("chip %u: %s", c->p.node, online_why(c, rc));
		return TOOL_FAIL;
	}
	rc = blocks_online(c, bytes);
	if (rc) {
		tool_error("chip %u: the kernel does not put its memory online as movable: %s", c->p.node, strerror(-rc));
		if (!had)
			file_write(c->dir, "mem_online_bytes", "0");
		chip_online(c);
		if (c->online_bytes)
			fprintf(stderr, "  %s of it stay in NUMA node %d: 'hslctl mem offline --chip %u' takes them back\n",
				tool_size_format(c->online_bytes, size, sizeof(size)), c->numa_node, c->p.node);
		return TOOL_FAIL;
	}
	return TOOL_PASS;
}

/* ---- offline ---- */

static int mem_offline(struct mem_chip *c, bool force, struct json_object *doc)
{
	struct holder h[HOLDERS_MAX];
	unsigned int n;
	int rc;

	chip_online(c);
	if (!c->online_bytes)
		return TOOL_PASS;
	if (geteuid()) {
		tool_error("chip %u: only root may", c->p.node);
		return TOOL_FAIL;
	}
	n = holders_find(c->numa_node, h);
	rc = n && !force ? -EBUSY : file_write(c->dir, "mem_online_bytes", "0");
	if (!rc)
		return TOOL_PASS;
	if (force)
		n = holders_find(c->numa_node, h);
	tool_error("chip %u: its memory, NUMA node %d, %s", c->p.node, c->numa_node,
		   rc != -EBUSY ? strerror(-rc) :
		   force ? "is in use by pages that do not move" : "is in use (--force moves what can be moved)");
	holders_print(c->numa_node, h, n);
	if (!n && rc == -EBUSY)
		fprintf(stderr, "  no process has it mapped: the kernel itself, or files, pipes and sockets\n");
	holders_json(doc, h, n);
	return TOOL_FAIL;
}

/* ---- show ---- */

static void mem_row(struct tool_table *t, struct json_object *list, struct mem_chip *c)
{
	struct json_object *o = tool_json_append(list, tool_json_object());
	uint64_t used = 0, seg = c->p.mem_bytes - c->p.mem_free_bytes - c->online_bytes;
	bool known = c->numa_node >= 0 && node_used(c->numa_node, &used);
	char size[TOOL_SIZE_LEN];

	tool_json_u64(o, "node", c->p.node);
	tool_json_u64(o, "mem_bytes", c->p.mem_bytes);
	tool_json_u64(o, "segments_bytes", seg);
	tool_json_u64(o, "mem_free_bytes", c->p.mem_free_bytes);
	tool_json_u64(o, "online_bytes", c->online_bytes);
	if (c->numa_node >= 0)
		tool_json_i64(o, "numa_node", c->numa_node);
	else
		tool_json_null(o, "numa_node");
	if (known)
		tool_json_u64(o, "numa_node_used_bytes", used);
	else
		tool_json_null(o, "numa_node_used_bytes");
	tool_table_row(t);
	tool_table_cell(t, "%u", c->p.node);
	tool_table_cell(t, "%s", tool_size_format(c->p.mem_bytes, size, sizeof(size)));
	tool_table_cell(t, "%s", tool_size_format(seg, size, sizeof(size)));
	tool_table_cell(t, "%s", tool_size_format(c->p.mem_free_bytes, size, sizeof(size)));
	tool_table_cell(t, "%s", tool_size_format(c->online_bytes, size, sizeof(size)));
	tool_table_cell(t, c->numa_node >= 0 ? "%d" : NULL, c->numa_node);
	tool_table_cell(t, known ? "%s" : NULL, tool_size_format(used, size, sizeof(size)));
}

static struct tool_table *mem_table(void)
{
	struct tool_table *t = tool_table_new("Memory of the chips");

	tool_table_column(t, "node", NULL, TOOL_RIGHT);
	tool_table_column(t, "memory", NULL, TOOL_RIGHT);
	tool_table_column(t, "segments", NULL, TOOL_RIGHT);
	tool_table_column(t, "free", NULL, TOOL_RIGHT);
	tool_table_column(t, "online", NULL, TOOL_RIGHT);
	tool_table_column(t, "NUMA node", NULL, TOOL_RIGHT);
	tool_table_column(t, "node used", NULL, TOOL_RIGHT);
	return t;
}

static void mem_show(const struct ctl_args *a, struct hsl_fabric *f, const char *dev, struct json_object *doc)
{
	struct json_object *list = tool_json_set(doc, "chips", tool_json_array());
	struct tool_table *t = mem_table();
	unsigned int i;

	for (i = 0;; i++) {
		struct mem_chip c = { .p.size = sizeof(c.p) };

		if (hsl_chip_by_index(f, i, &c.p))
			break;
		if (dev)
			snprintf(c.dir, sizeof(c.dir), "/sys/bus/hsl/devices/%s-%u", dev, c.p.node);
		chip_online(&c);
		mem_row(t, list, &c);
	}
	if (!a->json)
		tool_table_print(t, stdout);
	tool_table_free(t);
}

/* The chip that is meant. TOOL_PASS, or a message and the exit code. */
static int mem_choose(const struct ctl_args *a, struct hsl_fabric *f, const char *dev, struct mem_chip *c)
{
	struct hsl_chip_props other = { .size = sizeof(other) };
	int rc;

	*c = (struct mem_chip){ .p.size = sizeof(c->p) };
	if (!dev) {
		tool_error("%s: only memory of chips on a driver can be online", tool_fabric_name(a->url));
		return TOOL_FAIL;
	}
	if (!a->chip && !hsl_chip_by_index(f, 1, &other))
		return tool_usage("there are several chips: which one? --chip NODE");
	rc = a->chip ? hsl_chip_by_node(f, a->chip, &c->p) : hsl_chip_by_index(f, 0, &c->p);
	if (rc) {
		tool_error("chip %u: %s", a->chip, rc == -ENOENT ? "no such chip" : strerror(-rc));
		return TOOL_ENV;
	}
	snprintf(c->dir, sizeof(c->dir), "/sys/bus/hsl/devices/%s-%u", dev, c->p.node);
	return TOOL_PASS;
}

int ctl_mem(const struct ctl_args *a)
{
	struct json_object *doc = ctl_document("mem");
	const char *url = tool_fabric_name(a->url), *dev = NULL;
	struct hsl_fabric *f;
	struct mem_chip c;
	int code;

	code = tool_fabric_open(a->url, &f);
	if (code != TOOL_PASS) {
		tool_json_free(doc);
		return code;
	}
	if (!strncmp(url, "/dev/", 5))
		dev = url + 5;
	if (a->action)
		code = mem_choose(a, f, dev, &c);
	if (code == TOOL_PASS && a->action)
		code = a->size ? mem_online(&c, a->size) : mem_offline(&c, a->force, doc);
	if (code == TOOL_PASS || code == TOOL_FAIL) {
		if (code == TOOL_PASS || a->json)
			mem_show(a, f, dev, doc);
		if (a->json)
			code = ctl_document_end(doc, code);
		else
			tool_json_free(doc);
	} else {
		tool_json_free(doc);
	}
	hsl_fabric_close(f);
	return code;
}
