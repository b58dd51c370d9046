// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Programs on chip memory that is online as a NUMA node, for numa.sh (HEP-MAP-022).
 *
 *   numa use NODE MIB		allocate there with libnuma and by mbind, check where the pages are and what they hold
 *   numa hold NODE MIB		the same, then say "ready" and keep it until standard input ends; the bytes must be there then
 *   numa pin NODE		hold one page that cannot move: it is in a pipe
 *   numa run NODE CMD…		CMD with all its memory bound to the node
 *   numa apart CHIP BYTES	segments on what is left of the chip: none is in the upper BYTES
 *   numa whole CHIP		the whole chip in one segment, and zero
 * Exit status 0, 1 with a reason.
 */
#include <errno.h>
#include <fcntl.h>
#include <numa.h>
#include <numaif.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "common/raw.h"

#define PAGE	4096ul

static int fail(const char *what)
{
	printf("# %s: %s\n", what, strerror(errno));
	return 1;
}

static void paint(uint64_t *p, size_t bytes, uint64_t seed)
{
	for (size_t i = 0; i < bytes / 8; i++)
		p[i] = (seed + i) * 0x9e3779b97f4a7c15ull;
}

static bool painted(const uint64_t *p, size_t bytes, uint64_t seed)
{
	for (size_t i = 0; i < bytes / 8; i++)
		if (p[i] != (seed + i) * 0x9e3779b97f4a7c15ull)
			return false;
	return true;
}

/* How many of these pages are on the node, as move_pages tells. */
static unsigned long pages_on(char *p, size_t bytes, int node)
{
	unsigned long n = bytes / PAGE, on = 0;
	void **pages = calloc(n, sizeof(*pages));
	int *status = calloc(n, sizeof(*status));

	if (!pages || !status)
		raw_bail("calloc");
	for (unsigned long i = 0; i < n; i++)
		pages[i] = p + i * PAGE;
	if (move_pages(0, n, pages, NULL, status, 0))
		raw_bail("move_pages");
	for (unsigned long i = 0; i < n; i++)
		on += status[i] == node;
	free(pages);
	free(status);
	return on;
}

static void *bound(size_t bytes, int node)
{
	unsigned long mask = 1ul << node;
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED || mbind(p, bytes, MPOL_BIND, &mask, 8 * sizeof(mask), 0))
		return NULL;
	return p;
}

static int use(int node, size_t bytes)
{
	uint64_t *a, *b;
	int at = -1;

	if (numa_available() < 0)
		return fail("libnuma");
	a = numa_alloc_onnode(bytes, node);
	b = bound(bytes, node);
	if (!a || !b)
		return fail("allocate on the node");
	paint(a, bytes, 1);
	paint(b, bytes, 2);
	if (pages_on((char *)a, bytes, node) != bytes / PAGE || pages_on((char *)b, bytes, node) != bytes / PAGE)
		return fail("pages are elsewhere");
	if (get_mempolicy(&at, NULL, 0, a, MPOL_F_NODE | MPOL_F_ADDR) || at != node)
		return fail("get_mempolicy names another node");
	if (!painted(a, bytes, 1) || !painted(b, bytes, 2))
		return fail("bytes are wrong");
	/* to the host's memory and back */
	for (int to = 0; to < 2; to++) {
		void *page = a;
		int want = to ? node : 0, status;

		if (move_pages(0, 1, &page, &want, &status, MPOL_MF_MOVE) || status != want)
			return fail("move_pages");
	}
	if (!painted(a, bytes, 1))
		return fail("bytes changed on the way");
	numa_free(a, bytes);
	return 0;
}

static int wait_for_end(void)
{
	char c;

	printf("ready\n");
	fflush(stdout);
	while (read(0, &c, 1) > 0)
		;
	return 0;
}

static int hold(int node, size_t bytes)
{
	uint64_t *p = bound(bytes, node);

	if (!p)
		return fail("mbind");
	paint(p, bytes, 3);
	if (pages_on((char *)p, bytes, node) != bytes / PAGE)
		return fail("pages are elsewhere");
	wait_for_end();
	return painted(p, bytes, 3) ? 0 : fail("bytes changed");
}

static int pin(int node)
{
	char *p = bound(PAGE, node);
	struct iovec iov = { p, PAGE };
	int fds[2];

	if (!p || pipe(fds))
		return fail("mbind");
	memset(p, 7, PAGE);
	if (vmsplice(fds[1], &iov, 1, 0) != (ssize_t)PAGE)
		return fail("vmsplice");
	return wait_for_end();
}

static int apart(uint32_t chip, uint64_t online)
{
	struct hsl_segment_alloc a;
	struct hsl_chip_info ci;
	int ctx = raw_open(0), r;
	uint64_t got = 0;

	if (ctx < 0 || raw_chip(ctx, chip, &ci))
		return fail("CHIP_INFO");
	a = (struct hsl_segment_alloc){ .size = sizeof(a), .node = chip, .len_bytes = ci.mem_bytes, .rights = RAW_RW };
	if (raw_ioctl(ctx, HSL_IOC_SEGMENT_ALLOC, &a) != -ENOSPC)
		return fail("the whole chip could be had");
	for (;;) {
		a = (struct hsl_segment_alloc){ .size = sizeof(a), .node = chip, .len_bytes = 1 << 20, .rights = RAW_RW };
		r = raw_ioctl(ctx, HSL_IOC_SEGMENT_ALLOC, &a);
		if (r)
			break;
		if (HSL_GA_OFFSET(a.ga) + a.len_bytes > ci.mem_bytes - online)
			return fail("a segment is in memory that is online");
		got += a.len_bytes;
	}
	if (r != -ENOSPC || got != ci.mem_bytes - online) {
		printf("# %llu bytes in segments (%d)\n", (unsigned long long)got, r);
		return 1;
	}
	return 0;
}

static int whole(uint32_t chip)
{
	struct hsl_chip_info ci;
	volatile uint64_t *p;
	struct raw_seg s;
	int ctx = raw_open(0);

	if (ctx < 0 || raw_chip(ctx, chip, &ci) || raw_alloc(ctx, chip, ci.mem_bytes, RAW_RW, &s) ||
	    raw_map(ctx, &s, PROT_READ, &p))
		return fail("the whole chip");
	for (uint64_t i = 0; i < s.len / 8; i++)
		if (p[i])
			return fail("not zero");
	return 0;
}

static int run(int node, char **cmd)
{
	unsigned long mask = 1ul << node;

	if (set_mempolicy(MPOL_BIND, &mask, 8 * sizeof(mask)))
		return fail("set_mempolicy");
	execvp(cmd[0], cmd);
	return fail(cmd[0]);
}

int main(int argc, char **argv)
{
	int n = argc > 2 ? atoi(argv[2]) : 0;
	const char *what = argc > 2 ? argv[1] : "";

	if (!strcmp(what, "use") && argc == 4)
		return use(n, strtoul(argv[3], NULL, 0) << 20);
	if (!strcmp(what, "hold") && argc == 4)
		return hold(n, strtoul(argv[3], NULL, 0) << 20);
	if (!strcmp(what, "pin"))
		return pin(n);
	if (!strcmp(what, "run") && argc > 3)
		return run(n, argv + 3);
	if (!strcmp(what, "apart") && argc == 4)
		return apart((uint32_t)n, strtoull(argv[3], NULL, 0));
	if (!strcmp(what, "whole"))
		return whole((uint32_t)n);
	fprintf(stderr, "numa use|hold NODE MIB, pin NODE, run NODE CMD, apart CHIP BYTES, whole CHIP\n");
	return 2;
}
