// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Mappings of observable memory, and what ends them, on the raw ABI (HEP-MAP-025). As root in the VM, 2 chips.
 *
 *   observable calls | flr | kill | unplug	prints TAP; exit 0, 1, 77
 *
 * unplug needs qemu/vm QMP=guest.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/raw.h"

#define LEN	65536u
#define WORDS	(LEN / 8)
#define NODE	2
#define RW	(PROT_READ | PROT_WRITE)

static int ctx;
static struct hsl_chip_info chip;

static int alloc(int c, uint32_t flags, struct raw_seg *s)
{
	struct hsl_segment_alloc a = { .size = sizeof(a), .flags = flags, .node = NODE, .rights = RAW_RW, .len_bytes = LEN };
	int err = raw_ioctl(c, HSL_IOC_SEGMENT_ALLOC, &a);

	*s = (struct raw_seg){ .handle = a.handle, .rights = RAW_RW, .ga = a.ga, .len = a.len_bytes };
	return err;
}

/* An observable segment whose words hold their number, mapped. */
static volatile uint64_t *numbered(int c, struct raw_seg *s)
{
	volatile uint64_t *p;

	if (alloc(c, HSL_ALLOC_OBSERVABLE, s) || raw_map(c, s, RW, &p))
		raw_bail("a mapped observable segment");
	for (unsigned int i = 0; i < WORDS; i += 16)
		p[i] = i + 1;
	return p;
}

static bool are_numbered(volatile uint64_t *p)
{
	for (unsigned int i = 0; i < WORDS; i += 16)
		if (p[i] != i + 1)
			return false;
	return true;
}

static bool is_zero(volatile uint64_t *p)
{
	for (unsigned int i = 0; i < WORDS; i++)
		if (p[i])
			return false;
	return true;
}

/* Whoever gets memory of the chip now finds zeroes. */
static void next_is_zero(const char *after)
{
	struct raw_seg s;
	volatile uint64_t *p;

	for (uint32_t flags = 0; flags <= HSL_ALLOC_OBSERVABLE; flags++) {
		if (alloc(ctx, flags, &s) || raw_map(ctx, &s, RW, &p))
			raw_bail("a segment");
		raw_check(is_zero(p), "memory is zero after %s, flags %u", after, flags);
		munmap((void *)p, LEN);
		raw_free(ctx, s.handle);
	}
}

static void case_calls(void)
{
	struct hsl_segment_info i = { .size = sizeof(i) };
	struct hsl_segment_export e = { .size = sizeof(e), .flags = HSL_EXPORT_DMABUF, .rights = RAW_RW };
	struct raw_seg s, plain;
	volatile uint64_t *p, *q;
	uint64_t was;
	int status;
	pid_t pid;

	raw_check(alloc(ctx, HSL_ALLOC_NONCOHERENT, &s) == -EINVAL, "NONCOHERENT alone is EINVAL");
	raw_check(alloc(ctx, 1u << 2, &s) == -EINVAL, "an unknown flag is EINVAL");
	p = numbered(ctx, &s);
	i.handle = s.handle;
	raw_check(!raw_ioctl(ctx, HSL_IOC_SEGMENT_INFO, &i) && i.flags == HSL_SEGMENT_F_OBSERVABLE, "SEGMENT_INFO tells it");
	e.handle = s.handle;
	raw_check(raw_ioctl(ctx, HSL_IOC_SEGMENT_EXPORT, &e) == -EOPNOTSUPP, "no dma-buf of it");
	raw_check(are_numbered(p), "what was stored is there");
	raw_check(mmap(NULL, LEN, RW, MAP_PRIVATE, ctx, (off_t)s.ga) == MAP_FAILED && errno == EINVAL, "MAP_PRIVATE is EINVAL");
	if (raw_map(ctx, &s, RW, &q))
		raw_bail("a second mapping");
	q[5] = 0x77;
	raw_check(p[5] == 0x77, "two mappings show the same bytes");
	munmap((void *)q, LEN);
	pid = fork();
	if (!pid) {
		p[9] = 0x99;
		_exit(!are_numbered(p));
	}
	raw_check(waitpid(pid, &status, 0) == pid && !status && p[9] == 0x99, "a child's store is seen");
	/* the kernel's own copies, to and from it */
	if (pwrite(memfd_create("obs", MFD_CLOEXEC), (void *)p, LEN, 0) != (ssize_t)LEN)
		raw_check(false, "the kernel reads it: %s", strerror(errno));
	was = p[0];
	/* the last page next to ordinary memory, through the same context file */
	if (alloc(ctx, 0, &plain) || raw_map(ctx, &plain, RW, &q))
		raw_bail("an ordinary segment");
	memset((void *)q, 0x11, LEN);
	raw_check(p[0] == was && are_numbered(p), "ordinary memory beside it is other memory");
	raw_free(ctx, plain.handle);
	raw_check(!RAW_TRY((void)q[0]), "ordinary: SIGBUS after its free");
	raw_check(RAW_TRY((void)p[0]), "its neighbour stays");
	raw_free(ctx, s.handle);
	raw_check(!RAW_TRY((void)p[0]), "SIGBUS after the free");
	munmap((void *)p, LEN);
	munmap((void *)q, LEN);
	next_is_zero("a free");
}

/* Windows turn off and are programmed again; who accesses meanwhile waits. */
static void case_flr(void)
{
	struct raw_seg s;
	volatile uint64_t *p = numbered(ctx, &s);
	char path[128];
	pid_t pid;
	int status;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/reset", (const char *)chip.bus_addr);
	for (unsigned int n = 0; n < 3; n++) {
		/* a child reads all the time: never all ones, never a fault */
		pid = fork();
		if (!pid) {
			for (unsigned int i = 0;; i++)
				if (p[16 * (i % (WORDS / 16))] != 16 * (i % (WORDS / 16)) + 1)
					_exit(1);
		}
		raw_check(!raw_write_file(path, "1"), "reset %u with a live mapping", n);
		raw_check(are_numbered(p), "the content survives");
		p[3] = n;
		raw_check(p[3] == n, "stores go on");
		kill(pid, SIGKILL);
		raw_check(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL,
			  "whoever read during the reset saw nothing else (%#x)", status);
	}
	raw_free(ctx, s.handle);
	raw_check(!RAW_TRY((void)p[0]), "SIGBUS after the free");
	next_is_zero("resets");
}

static void case_kill(void)
{
	struct hsl_chip_info before;
	int pipefd[2];

	if (pipe(pipefd))
		raw_bail("pipe");
	raw_chip(ctx, NODE, &before);
	for (unsigned int n = 0; n < 5; n++) {
		char byte;
		pid_t pid = fork();

		if (!pid) {
			struct raw_seg s;
			volatile uint64_t *p = numbered(raw_open(0), &s);

			for (uint64_t i = 0;; i++) {
				p[i % WORDS] = ~i;
				if (i == WORDS && write(pipefd[1], "x", 1) != 1)
					_exit(1);
			}
		}
		if (read(pipefd[0], &byte, 1) != 1)
			raw_bail("the child");
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		raw_check(raw_mem_comes_to(ctx, NODE, before.mem_free_bytes), "killed while it stored: all memory is back");
		next_is_zero("a kill");
	}
}

static bool comes_true(bool (*cond)(void *arg), void *arg)
{
	for (unsigned int n = 0; n < 6000; n++) {
		if (cond(arg))
			return true;
		raw_sleep_us(10000);
	}
	return false;
}

static bool gone(void *path)
{
	return access(path, F_OK) != 0;
}

static void case_unplug(void)
{
	static const char *const cmd[] = { "{\"execute\":\"qmp_capabilities\"}\n",
					   "{\"execute\":\"device_del\",\"arguments\":{\"id\":\"chip2\"}}\n" };
	int qmp = open("/dev/virtio-ports/org.hsl.qmp", O_RDWR | O_NONBLOCK);
	struct raw_seg s;
	volatile uint64_t *p;
	char path[128];

	if (qmp < 0)
		raw_skip_all("needs QMP=guest");
	p = numbered(ctx, &s);
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s", (const char *)chip.bus_addr);
	for (unsigned int i = 0; i < 2; i++)
		if (write(qmp, cmd[i], strlen(cmd[i])) < 0)
			raw_bail("QMP");
	raw_check(comes_true(gone, path), "chip %u is unplugged", NODE);
	raw_check(!RAW_TRY((void)p[0]), "a load is SIGBUS");
	raw_check(!RAW_TRY(p[WORDS - 1] = 1), "a store is SIGBUS");
	raw_check(alloc(ctx, HSL_ALLOC_OBSERVABLE, &s) == -ENODEV, "SEGMENT_ALLOC is ENODEV");
	close(qmp);
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";

	setvbuf(stdout, NULL, _IOLBF, 0);
	raw_catch_faults();
	ctx = raw_open(0);
	if (ctx < 0)
		raw_skip_all("no " RAW_DEV);
	if (raw_chip(ctx, NODE, &chip))
		raw_skip_all("needs two chips");
	if (!(chip.cap & HSL_CAP_MODELLED))
		raw_skip_all("the chip has no observable memory");
	if (!strcmp(name, "calls"))
		case_calls();
	else if (!strcmp(name, "flr"))
		case_flr();
	else if (!strcmp(name, "kill"))
		case_kill();
	else if (!strcmp(name, "unplug"))
		case_unplug();
	else
		return fprintf(stderr, "usage: observable calls|flr|kill|unplug\n"), 2;
	return raw_done();
}
