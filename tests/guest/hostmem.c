// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Kinds of host memory as segments, on the raw ABI (HEP-MAP-006, HEP-MAP-019). As root in the VM.
 *
 *   hostmem kinds | readonly | life	prints TAP; exit 0, 1, 77
 *
 * kinds: every kind is registered at an odd offset, copied to the chip and back into, and compared.
 * readonly: what may only be read registers for reading only; and a registration for reading follows what the program
 * writes later, whether or not the page was there when it was registered.
 * life: the program unmaps, remaps, forks, punches holes and truncates while its memory is registered. The chip keeps to the pages
 * that were registered, a registration made afterwards has the new ones.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/raw.h"

#define PAGE	4096u
#define LEN	(64u * PAGE)
#define HUGE	(2u << 20)
#define NODE	1
#define TMPFS	"/tmp/hostmem"

static int ctx;
static struct raw_queue queue;
static struct raw_seg chip;
static volatile uint8_t *chip_p;	/* the chip segment, mapped */

static int reg(const volatile void *p, uint64_t len, uint32_t rights, struct raw_seg *s)
{
	struct hsl_segment_register r = { .size = sizeof(r), .addr = (uintptr_t)p, .len_bytes = len, .rights = rights };
	int err = raw_ioctl(ctx, HSL_IOC_SEGMENT_REGISTER, &r);

	if (!err)
		*s = (struct raw_seg){ r.handle, rights, r.ga, len };
	return err;
}

/* Is it refused with this error? Nothing stays registered. */
static int reg_error(const volatile void *p, uint64_t len, uint32_t rights)
{
	struct raw_seg s;
	int err = reg(p, len, rights, &s);

	if (!err)
		raw_free(ctx, s.handle);
	return err;
}

static uint8_t byte_of(unsigned int seed, size_t i)
{
	return (uint8_t)((seed + i) * 167 + (i >> 8) * 29 + (i >> 16) * 13);
}

static void paint(volatile uint8_t *p, size_t n, unsigned int seed)
{
	for (size_t i = 0; i < n; i++)
		p[i] = byte_of(seed, i);
}

static bool painted(const volatile uint8_t *p, size_t n, unsigned int seed)
{
	for (size_t i = 0; i < n; i++) {
		if (p[i] != byte_of(seed, i)) {
			printf("# byte %zu is %#x, not %#x\n", i, p[i], byte_of(seed, i));
			return false;
		}
	}
	return true;
}

static bool all_are(const volatile uint8_t *p, size_t n, uint8_t value)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] != value)
			return false;
	return true;
}

static void *map(size_t len, int prot, int flags, int fd)
{
	void *p = mmap(NULL, len, prot, flags, fd, 0);

	if (p == MAP_FAILED)
		raw_bail("mmap");
	return p;
}

#define PROT_RW		(PROT_READ | PROT_WRITE)
#define ANON		(MAP_PRIVATE | MAP_ANONYMOUS)

static int memory_file(size_t len, unsigned int flags)
{
	int fd = memfd_create("hostmem", MFD_CLOEXEC | flags);

	if (fd < 0 || ftruncate(fd, (off_t)len))
		raw_bail("memfd");
	return fd;
}

static int tmpfs_file(size_t len)
{
	int fd;

	mkdir(TMPFS, 0700);
	if (mount("none", TMPFS, "tmpfs", 0, NULL))
		raw_bail("mount a tmpfs");
	fd = open(TMPFS "/file", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, (off_t)len))
		raw_bail("file on tmpfs");
	return fd;
}

/* Chip and host both ways over the registered segment s of p. */
static bool goes_both_ways(const struct raw_seg *s, volatile uint8_t *p, unsigned int seed)
{
	paint(p, s->len, seed);
	memset((void *)(uintptr_t)chip_p, 0, s->len);
	if (raw_copy(&queue, chip.ga, s->ga, s->len) != HSL_ST_OK || !painted(chip_p, s->len, seed))
		return false;
	paint(chip_p, s->len, seed + 1);
	return raw_copy(&queue, s->ga, chip.ga, s->len) == HSL_ST_OK && painted(p, s->len, seed + 1);
}

/* ---- kinds ---- */

static void kind(const char *name, uint8_t *p, size_t len)
{
	struct raw_seg s;
	int err = reg(p + 3, len - 10, RAW_RW, &s);
	bool ok;

	if (err) {
		raw_check(false, "%s registers (%d)", name, err);
		return;
	}
	ok = goes_both_ways(&s, p + 3, 11);
	raw_check(ok && !raw_free(ctx, s.handle), "%s", name);
	/* and in the other order: filled first, then registered */
	paint(p, len, 50);
	ok = !reg(p, len, RAW_RW, &s) && raw_copy(&queue, chip.ga, s.ga, len) == HSL_ST_OK && painted(chip_p, len, 50) &&
	     !raw_free(ctx, s.handle);
	raw_check(ok, "%s, written before it is registered", name);
}

static unsigned long smaps_kb(const void *p, const char *field)
{
	FILE *f = fopen("/proc/self/smaps", "r");
	unsigned long from, to, kb = 0;
	bool mine = false;
	char line[256];

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			mine = (uintptr_t)p >= from && (uintptr_t)p < to;
		else if (mine && !strncmp(line, field, strlen(field)))
			kb = strtoul(line + strlen(field), NULL, 10);
	}
	if (f)
		fclose(f);
	return kb;
}

static void huge_kinds(void)
{
	int fd;
	uint8_t *p, *thp;

	raw_write_file("/sys/kernel/mm/transparent_hugepage/enabled", "madvise");
	p = map(3 * HUGE, PROT_RW, ANON, -1);
	thp = (uint8_t *)(((uintptr_t)p + HUGE - 1) & ~(uintptr_t)(HUGE - 1));
	madvise(thp, HUGE, MADV_HUGEPAGE);
	memset(thp, 1, HUGE);
	raw_check(smaps_kb(thp, "AnonHugePages:") >= HUGE / 1024, "a transparent huge page is there");
	kind("a transparent huge page", thp, HUGE);
	munmap(p, 3 * HUGE);

	raw_write_file("/proc/sys/vm/nr_hugepages", "4");
	fd = memory_file(2 * HUGE, MFD_HUGETLB);
	p = mmap(NULL, 2 * HUGE, PROT_RW, MAP_SHARED, fd, 0);
	raw_check(p != MAP_FAILED, "two pages of hugetlb");
	if (p != MAP_FAILED) {
		kind("hugetlb memfd, shared", p, 2 * HUGE);
		munmap(p, 2 * HUGE);
		p = map(2 * HUGE, PROT_RW, MAP_PRIVATE, fd);
		kind("hugetlb memfd, private", p, 2 * HUGE);
		munmap(p, 2 * HUGE);
	}
	close(fd);
}

static void test_kinds(void)
{
	int mem = memory_file(LEN, 0), tmp = tmpfs_file(LEN);

	kind("anonymous memory", map(LEN, PROT_RW, ANON, -1), LEN);
	kind("shared anonymous memory", map(LEN, PROT_RW, MAP_SHARED | MAP_ANONYMOUS, -1), LEN);
	kind("memfd, shared", map(LEN, PROT_RW, MAP_SHARED, mem), LEN);
	kind("memfd, private", map(LEN, PROT_RW, MAP_PRIVATE, mem), LEN);
	kind("a file on tmpfs, shared", map(LEN, PROT_RW, MAP_SHARED, tmp), LEN);
	kind("a file on tmpfs, private", map(LEN, PROT_RW, MAP_PRIVATE, tmp), LEN);
	kind("locked memory", map(LEN, PROT_RW, ANON | MAP_LOCKED, -1), LEN);
	huge_kinds();
	close(mem);
	close(tmp);
	umount(TMPFS);
}

/* ---- read-only ---- */

static void reads_as(const char *name, const uint8_t *p, unsigned int seed)
{
	struct raw_seg s;

	raw_check(reg_error(p, LEN, RAW_RW) == -EFAULT && reg_error(p, LEN, HSL_SEGMENT_WRITE) == -EFAULT,
		  "%s: for writing EFAULT", name);
	if (reg(p, LEN, HSL_SEGMENT_READ, &s)) {
		raw_check(false, "%s: registers for reading", name);
		return;
	}
	raw_check(raw_copy(&queue, chip.ga, s.ga, LEN) == HSL_ST_OK && painted(chip_p, LEN, seed), "%s: the chip reads it", name);
	memset((void *)(uintptr_t)chip_p, 0xee, LEN);
	raw_check(raw_copy(&queue, s.ga, chip.ga, LEN) == HSL_ST_RIGHTS && painted(p, LEN, seed),
		  "%s: the chip may not write it", name);
	raw_free(ctx, s.handle);
}

/* Registered for reading while nothing was there; the program writes afterwards. */
static void follows(const char *name, uint8_t *p)
{
	struct raw_seg s;

	if (reg(p, LEN, HSL_SEGMENT_READ, &s)) {
		raw_check(false, "%s: registers for reading", name);
		return;
	}
	paint(p, LEN, 33);
	raw_check(raw_copy(&queue, chip.ga, s.ga, LEN) == HSL_ST_OK && painted(chip_p, LEN, 33),
		  "%s: the chip reads what is written after the registration", name);
	raw_free(ctx, s.handle);
}

static void test_readonly(void)
{
	int mem = memory_file(LEN, 0), ro;
	uint8_t *rw = map(LEN, PROT_RW, MAP_SHARED, mem), *p;
	char path[64];

	p = map(LEN, PROT_RW, ANON, -1);
	paint(p, LEN, 21);
	mprotect(p, LEN, PROT_READ);
	reads_as("anonymous, PROT_READ", p, 21);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", mem);
	ro = open(path, O_RDONLY | O_CLOEXEC);
	paint(rw, LEN, 22);
	reads_as("shared mapping of a file open for reading", map(LEN, PROT_READ, MAP_SHARED, ro), 22);
	reads_as("private mapping, PROT_READ", map(LEN, PROT_READ, MAP_PRIVATE, ro), 22);
	raw_check(reg_error(map(LEN, PROT_NONE, ANON, -1), LEN, HSL_SEGMENT_READ) == -EFAULT, "PROT_NONE is EFAULT");
	raw_check(reg_error(chip_p, PAGE, HSL_SEGMENT_READ) == -EFAULT, "a mapping of chip memory is EFAULT");

	follows("anonymous memory not touched before", map(LEN, PROT_RW, ANON, -1));
	p = map(LEN, PROT_RW, ANON, -1);
	raw_check(all_are(p, LEN, 0), "anonymous memory that was only read");
	follows("anonymous memory only read before", p);
	follows("private mapping of a file", map(LEN, PROT_RW, MAP_PRIVATE, mem));
	follows("shared mapping of a file", rw);
	close(ro);
	close(mem);
}

/* ---- life ---- */

static void fork_after_register(void)
{
	uint8_t *p = map(LEN, PROT_RW, ANON, -1);
	int to_child[2], status = 0;
	struct raw_seg s;
	pid_t pid;
	char c = 0;

	paint(p, LEN, 1);
	if (reg(p, LEN, RAW_RW, &s) || pipe(to_child))
		raw_bail("register");
	pid = fork();
	if (!pid) {
		/* the parent has written since: this is the child's own copy */
		bool ok = read(to_child[0], &c, 1) == 1 && painted(p, LEN, 1);

		paint(p, LEN, 99);
		_exit(!ok);
	}
	paint(p, LEN, 2);
	raw_check(raw_copy(&queue, chip.ga, s.ga, LEN) == HSL_ST_OK && painted(chip_p, LEN, 2),
		  "after fork the chip reads what the parent writes");
	paint(chip_p, LEN, 3);
	raw_check(raw_copy(&queue, s.ga, chip.ga, LEN) == HSL_ST_OK && painted(p, LEN, 3),
		  "and the parent sees what the chip writes");
	if (write(to_child[1], &c, 1) != 1 || waitpid(pid, &status, 0) != pid)
		raw_bail("child");
	raw_check(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the child has the bytes of the time of the fork");
	raw_check(painted(p, LEN, 3) && goes_both_ways(&s, p, 4), "and its writes and its end leave the parent alone");
	raw_free(ctx, s.handle);
	munmap(p, LEN);
	close(to_child[0]);
	close(to_child[1]);
}

static void unmap_and_again(void)
{
	uint8_t *p = map(LEN, PROT_RW, ANON, -1), *q;
	struct raw_seg old, new;

	paint(p, LEN, 1);
	if (reg(p, LEN, RAW_RW, &old))
		raw_bail("register");
	munmap(p, LEN);
	raw_check(raw_copy(&queue, chip.ga, old.ga, LEN) == HSL_ST_OK && painted(chip_p, LEN, 1),
		  "after munmap the pages are there until the segment is freed");
	q = mmap(p, LEN, PROT_RW, ANON | MAP_FIXED, -1, 0);
	if (q != p)
		raw_bail("mmap at the same address");
	paint(q, LEN, 2);
	raw_check(!reg(q, LEN, RAW_RW, &new) && goes_both_ways(&new, q, 7), "the same address again: a segment of the new pages");
	paint(q, LEN, 2);
	memset((void *)(uintptr_t)chip_p, 0xcc, LEN);
	raw_check(raw_copy(&queue, old.ga, chip.ga, LEN) == HSL_ST_OK && painted(q, LEN, 2),
		  "the old segment does not reach them");
	raw_check(raw_free(ctx, old.handle) == 0 && goes_both_ways(&new, q, 9), "nor does its end");
	raw_check(raw_copy(&queue, chip.ga, old.ga, LEN) == HSL_ST_SEGMENT, "its GA is SEGMENT from then on");
	raw_free(ctx, new.handle);

	paint(q, LEN, 5);
	if (reg(q, LEN, RAW_RW, &old))
		raw_bail("register");
	madvise(q, LEN, MADV_DONTNEED);
	raw_check(all_are(q, LEN, 0) && raw_copy(&queue, chip.ga, old.ga, LEN) == HSL_ST_OK && painted(chip_p, LEN, 5),
		  "MADV_DONTNEED: new pages for the program, the registered ones for the chip");
	raw_check(raw_copy(&queue, old.ga, chip.ga, LEN) == HSL_ST_OK && all_are(q, LEN, 0), "and they do not mix");
	raw_free(ctx, old.handle);
	munmap(q, LEN);
}

static void holes(void)
{
	int fd = memory_file(LEN, 0);
	uint8_t *p = map(LEN, PROT_RW, MAP_SHARED, fd);
	struct raw_seg s;

	paint(p, LEN, 1);
	if (reg(p, LEN, RAW_RW, &s))
		raw_bail("register");
	if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, LEN))
		raw_bail("fallocate");
	raw_check(all_are(p, LEN, 0), "a hole punched into a registered file is zero");
	raw_check(raw_copy(&queue, chip.ga, s.ga, LEN) == HSL_ST_OK && painted(chip_p, LEN, 1), "the chip has the old pages");
	raw_check(raw_copy(&queue, s.ga, chip.ga, LEN) == HSL_ST_OK && all_are(p, LEN, 0), "and does not write into the file");
	raw_free(ctx, s.handle);
	raw_check(!reg(p, LEN, RAW_RW, &s) && goes_both_ways(&s, p, 2), "registered again: the new pages");
	if (ftruncate(fd, 0))
		raw_bail("ftruncate");
	raw_check(raw_copy(&queue, chip.ga, s.ga, LEN) == HSL_ST_OK, "a truncated file: the pages are there");
	raw_check(reg_error(p, LEN, RAW_RW) == -EFAULT, "and registering beyond its end is EFAULT");
	raw_check(raw_free(ctx, s.handle) == 0, "freed");
	munmap(p, LEN);
	close(fd);
}

static void test_life(void)
{
	fork_after_register();
	unmap_and_again();
	holes();
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	volatile uint64_t *p;

	ctx = raw_open(0);
	if (ctx < 0 || raw_queue_open(ctx, NODE, &queue) || raw_alloc(ctx, NODE, 2 * HUGE, RAW_RW, &chip) ||
	    raw_map(ctx, &chip, PROT_RW, &p))
		raw_bail("a segment and a queue on node 1");
	chip_p = (volatile uint8_t *)p;
	if (!strcmp(what, "kinds"))
		test_kinds();
	else if (!strcmp(what, "readonly"))
		test_readonly();
	else if (!strcmp(what, "life"))
		test_life();
	else
		return fprintf(stderr, "hostmem kinds | readonly | life\n"), 2;
	raw_queue_close(&queue);
	close(ctx);
	return raw_done();
}
