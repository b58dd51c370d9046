// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * dma-bufs on the raw ABI (HEP-MAP-020). As root in the VM, without an IOMMU, on a kernel with dma-bufs; the other driver is
 * hsl_test_dmabuf.ko, and udmabuf where the kernel has it.
 *
 *   dmabuf export | import | remove	prints TAP; exit 0, 1, 77
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/udmabuf.h>

#include "common/raw.h"

#define PAGE	4096u
#define LEN	(64u * PAGE)
#define NODE	1
#define RW	(PROT_READ | PROT_WRITE)

/* kernel/hsl_test_dmabuf.c */
#define TEST_MAKE	0x7401
#define TEST_STATIC	0x7402
#define TEST_ATTACH	0x7403
#define TEST_DETACH	0x7404
#define TEST_READ	0x7405
#define TEST_WRITE	0x7406
#define TEST_NOTIFIED	0x7407
struct test_access {
	uint64_t off, buf;
	uint32_t len, rsvd;
};

static int ctx, dev;

static int test(unsigned long cmd, unsigned long arg)
{
	int r = ioctl(dev, cmd, arg);

	return r < 0 ? -errno : r;
}

static int dev_access(unsigned long cmd, uint64_t off, void *buf, uint32_t len)
{
	struct test_access a = { .off = off, .buf = (uintptr_t)buf, .len = len };

	return test(cmd, (unsigned long)&a);
}

static int export_dmabuf(uint32_t handle, uint32_t rights)
{
	struct hsl_segment_export e = { .size = sizeof(e), .flags = HSL_EXPORT_DMABUF, .handle = handle, .rights = rights };
	int r = raw_ioctl(ctx, HSL_IOC_SEGMENT_EXPORT, &e);

	return r ? r : e.fd;
}

static __attribute__((noinline)) bool faults(volatile uint64_t *p)
{
	return !RAW_TRY((void)*p);
}

static void number(volatile uint64_t *p, uint64_t base)
{
	for (unsigned int i = 0; i < LEN / 8; i++)
		p[i] = base + i;
}

static bool numbered(volatile uint64_t *p, uint64_t base)
{
	for (unsigned int i = 0; i < LEN / 8; i++)
		if (p[i] != base + i)
			return false;
	return true;
}

/* ---- export ---- */

static void other_device(int fd, volatile uint64_t *p)
{
	uint64_t w[2] = { 0 };

	raw_check(test(TEST_STATIC, (unsigned long)fd) == -EOPNOTSUPP, "a device that needs pages is refused");
	raw_check(test(TEST_ATTACH, (unsigned long)fd) == 0, "a peer-to-peer device attaches and maps");
	raw_check(!dev_access(TEST_READ, LEN - 16, w, 16) && w[0] == 1000 + LEN / 8 - 2 && w[1] == w[0] + 1,
		  "and reads the segment's bytes");
	w[0] = 0xabcd;
	raw_check(!dev_access(TEST_WRITE, PAGE, w, 8) && p[PAGE / 8] == 0xabcd, "and writes them");
	p[PAGE / 8] = 1000 + PAGE / 8;
}

static void readonly_export(const struct raw_seg *s)
{
	int ro = export_dmabuf(s->handle, HSL_SEGMENT_READ);
	void *p = ro < 0 ? MAP_FAILED : mmap(NULL, LEN, PROT_READ, MAP_SHARED, ro, 0);

	raw_check(p != MAP_FAILED && numbered(p, 1000), "exported for reading: mmap for reading");
	raw_check(mmap(NULL, LEN, RW, MAP_SHARED, ro, 0) == MAP_FAILED && errno == EACCES, "mmap for writing is EACCES");
	raw_check(p != MAP_FAILED && mprotect(p, LEN, RW) && errno == EACCES, "mprotect too");
	raw_check(test(TEST_ATTACH, (unsigned long)ro) == -EACCES, "a device that wants to write is EACCES");
	munmap(p, LEN);
	close(ro);
}

static void own_import(int fd, const struct raw_seg *s)
{
	int other = raw_open(0);
	volatile uint64_t *q;
	struct raw_seg t;

	raw_check(raw_import(ctx, fd, 0, &t) == -EEXIST, "imported by its own context: EEXIST");
	raw_check(!raw_import(other, fd, HSL_SEGMENT_READ, &t) && t.ga == s->ga && t.len == s->len &&
		  !raw_map(other, &t, PROT_READ, &q) && numbered(q, 1000), "imported by another: the same segment");
	close(other);
}

static void test_export(void)
{
	volatile uint64_t *p, *q;
	struct hsl_chip_info ci;
	struct raw_seg s;
	int fd;

	raw_chip(ctx, NODE, &ci);
	if (raw_alloc(ctx, NODE, LEN, RAW_RW, &s) || raw_map(ctx, &s, RW, &p))
		raw_bail("segment");
	number(p, 1000);
	fd = export_dmabuf(s.handle, RAW_RW);
	raw_check(fd >= 0, "exported as a dma-buf (%d)", fd);
	raw_check(lseek(fd, 0, SEEK_END) == LEN, "of its length");
	q = mmap(NULL, LEN, RW, MAP_SHARED, fd, 0);
	raw_check(q != MAP_FAILED && numbered(q, 1000), "mmap of it: the same bytes");
	q[3] = 1;
	raw_check(p[3] == 1, "a store is seen in the segment");
	p[3] = 1003;
	raw_check(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, LEN) == MAP_FAILED && mmap(NULL, PAGE, RW, MAP_PRIVATE, fd, 0) == MAP_FAILED,
		  "mmap beyond it and MAP_PRIVATE are refused");
	volatile uint64_t *end = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, LEN - PAGE);

	raw_check(end != MAP_FAILED && end[0] == 1000 + (LEN - PAGE) / 8, "its last page");
	other_device(fd, p);
	readonly_export(&s);
	raw_check(test(TEST_ATTACH, (unsigned long)fd) == 0, "attached again");
	own_import(fd, &s);

	/* revoke */
	raw_check(raw_revoke(ctx, s.handle) == 0 && numbered(p, 1000), "revoked: the segment itself goes on");
	raw_check(faults(q) && faults(end), "mappings of the dma-buf are SIGBUS");
	raw_check(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED && errno == ENODEV, "and mmap is ENODEV");
	raw_check(test(TEST_NOTIFIED, 0) == 1 && dev_access(TEST_READ, 0, &ci, 8) == -EINVAL, "the device was told and let go");
	raw_check(test(TEST_ATTACH, (unsigned long)fd) == -ENODEV, "and cannot attach again");
	close(fd);

	/* the dma-buf keeps the memory */
	fd = export_dmabuf(s.handle, RAW_RW);
	munmap((void *)(uintptr_t)q, LEN);
	q = mmap(NULL, LEN, RW, MAP_SHARED, fd, 0);
	raw_check(q != MAP_FAILED && !raw_free(ctx, s.handle) && faults(p) && numbered(q, 1000),
		  "exported anew, the segment freed: the dma-buf has the bytes");
	close(fd);
	raw_check(numbered(q, 1000), "its mapping too, without the descriptor");
	munmap((void *)(uintptr_t)q, LEN);
	test(TEST_DETACH, 0);
	raw_check(raw_mem_comes_to(ctx, NODE, ci.mem_free_bytes), "all gone: the memory is free");
}

/* ---- import ---- */

static void foreign(const char *name, int fd, volatile uint64_t *m)
{
	struct raw_seg s, chip;
	struct raw_queue q;
	volatile uint64_t *c;

	if (raw_alloc(ctx, NODE, LEN, RAW_RW, &chip) || raw_map(ctx, &chip, RW, &c) || raw_queue_open(ctx, NODE, &q))
		raw_bail("segment and queue");
	number(m, 5000);
	int r = raw_import(ctx, fd, 0, &s);

	raw_check(r == 0 && s.rights == RAW_RW && s.len == LEN, "%s: imported (%d)", name, r);
	if (r)
		return;
	raw_check(raw_copy(&q, chip.ga, s.ga, LEN) == HSL_ST_OK && numbered(c, 5000), "%s: the chip reads it", name);
	number(c, 7000);
	raw_check(raw_copy(&q, s.ga, chip.ga, LEN) == HSL_ST_OK && numbered(m, 7000), "%s: and writes it", name);
	raw_check(raw_copy(&q, s.ga, chip.ga, LEN + 8) == HSL_ST_RANGE, "%s: not beyond its end", name);
	close(fd);
	munmap((void *)(uintptr_t)m, LEN);
	raw_check(raw_copy(&q, chip.ga, s.ga, LEN) == HSL_ST_OK && numbered(c, 7000), "%s: the segment keeps the memory", name);
	raw_check(!raw_free(ctx, s.handle) && raw_copy(&q, chip.ga, s.ga, 8) == HSL_ST_SEGMENT, "%s: freed", name);
	raw_queue_close(&q);
	raw_free(ctx, chip.handle);
}

static int udmabuf_make(void)
{
	int u = open("/dev/udmabuf", O_RDWR | O_CLOEXEC);
	struct udmabuf_create c = { .memfd = 0, .flags = UDMABUF_FLAGS_CLOEXEC, .size = LEN };

	if (u < 0)
		return -1;
	c.memfd = (uint32_t)memfd_create("dmabuf", MFD_ALLOW_SEALING);
	if (ftruncate((int)c.memfd, LEN) || fcntl((int)c.memfd, F_ADD_SEALS, F_SEAL_SHRINK))
		raw_bail("memfd");
	int fd = ioctl(u, UDMABUF_CREATE, &c);

	close((int)c.memfd);
	close(u);
	return fd;
}

static void test_import(void)
{
	int fd = test(TEST_MAKE, LEN / PAGE);
	struct raw_seg s;
	void *m = fd < 0 ? MAP_FAILED : mmap(NULL, LEN, RW, MAP_SHARED, fd, 0);

	if (m == MAP_FAILED)
		raw_bail("a dma-buf of the test module");
	raw_check(raw_import(ctx, fd, 4, &s) == -EINVAL, "an unknown right is EINVAL");
	foreign("test module", fd, m);
	fd = udmabuf_make();
	if (fd < 0) {
		printf("# this kernel has no udmabuf\n");
		return;
	}
	m = mmap(NULL, LEN, RW, MAP_SHARED, fd, 0);
	if (m == MAP_FAILED)
		raw_bail("mmap of a udmabuf");
	foreign("udmabuf", fd, m);
}

/* ---- the chip leaves ---- */

static void test_remove(void)
{
	volatile uint64_t *q;
	struct hsl_chip_info ci;
	struct raw_seg s, imported;
	struct raw_queue queue;
	char path[128];
	int fd, foreign_fd;

	if (raw_chip(ctx, NODE, &ci) || raw_alloc(ctx, NODE, LEN, RAW_RW, &s) || raw_queue_open(ctx, NODE, &queue))
		raw_bail("segment and queue");
	fd = export_dmabuf(s.handle, RAW_RW);
	q = mmap(NULL, LEN, RW, MAP_SHARED, fd, 0);
	foreign_fd = test(TEST_MAKE, 16);
	raw_check(test(TEST_ATTACH, (unsigned long)fd) == 0, "a device has it mapped");
	raw_check(q != MAP_FAILED && !faults(q) && foreign_fd >= 0 && !raw_import(ctx, foreign_fd, 0, &imported) &&
		  raw_copy(&queue, s.ga, imported.ga, PAGE) == HSL_ST_OK, "a dma-buf each way, in use");
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/driver/unbind", (char *)ci.bus_addr);
	raw_check(raw_write_file(path, (char *)ci.bus_addr) == 0, "unbound meanwhile");
	raw_check(test(TEST_NOTIFIED, 0) == 1, "the device was told and let go");
	raw_check(faults(q), "the mapping is SIGBUS");
	raw_check(mmap(NULL, LEN, RW, MAP_SHARED, fd, 0) == MAP_FAILED && errno == ENODEV, "mmap is ENODEV");
	raw_check(test(TEST_ATTACH, (unsigned long)fd) == -ENODEV, "attaching is ENODEV");
	raw_check(export_dmabuf(s.handle, RAW_RW) == -ENODEV, "exporting is ENODEV");
	raw_check(raw_free(ctx, imported.handle) == 0, "the imported one is freed");
	raw_queue_close(&queue);
	close(fd);
	close(foreign_fd);
	raw_check(raw_write_file("/sys/bus/pci/drivers/hsl_pci/bind", (char *)ci.bus_addr) == 0, "bound again");
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	int m = open("/lib/hsl/hsl_test_dmabuf.ko", O_RDONLY | O_CLOEXEC);

	if (m < 0)
		raw_skip_all("no test module: this kernel has no dma-bufs");
	if (syscall(SYS_finit_module, m, "", 0) && errno != EEXIST)
		raw_bail("load hsl_test_dmabuf");
	dev = open("/dev/hsl_test_dmabuf", O_RDWR | O_CLOEXEC);
	ctx = raw_open(0);
	if (dev < 0 || ctx < 0)
		raw_bail("open");
	raw_catch_faults();
	if (!strcmp(what, "export"))
		test_export();
	else if (!strcmp(what, "import"))
		test_import();
	else if (!strcmp(what, "remove"))
		test_remove();
	else
		return fprintf(stderr, "dmabuf export | import | remove\n"), 2;
	return raw_done();
}
