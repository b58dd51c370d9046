// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * What memory management calls, and a debugger, do to mappings of chip memory, on the raw ABI (HEP-MAP-024, HEP-SEC-007). As root in the VM.
 *
 *   mapping calls | fork | exec | race [rounds] | far	prints TAP; exit 0, 1, 77
 *
 * race: one thread maps a GA and reads it while its owner frees the segment and another context gets the memory and writes its
 * mark there. The reader sees its owner's mark, zero, SIGBUS or a refused mmap: never the other's mark.
 * far: offsets above 4 GiB; needs a chip of 8 GiB.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/raw.h"

#define PAGE	4096u
#define PAGES	16u
#define LEN	(PAGES * PAGE)
#define NODE	1
#define WORDS	(PAGE / 8)
#define RW	(PROT_READ | PROT_WRITE)

static int ctx;

static int ctx_open(void)
{
	int fd = raw_open(0);

	if (fd < 0) {
		errno = -fd;
		raw_bail("open " RAW_DEV);
	}
	return fd;
}

/* A segment whose pages hold their number, mapped. */
static volatile uint64_t *numbered(int c, struct raw_seg *s, uint64_t base)
{
	volatile uint64_t *p;

	if (raw_alloc(c, NODE, LEN, RAW_RW, s) || raw_map(c, s, RW, &p))
		raw_bail("a mapped segment");
	for (unsigned int i = 0; i < PAGES; i++)
		p[i * WORDS] = base + i;
	return p;
}

static bool are_numbered(volatile uint64_t *p, unsigned int first, unsigned int n, uint64_t base)
{
	for (unsigned int i = 0; i < n; i++)
		if (p[i * WORDS] != base + first + i)
			return false;
	return true;
}

static __attribute__((noinline)) bool try_read(volatile uint64_t *p, uint64_t *v)
{
	return RAW_TRY(*v = *p);
}

static bool faults(volatile uint64_t *p)
{
	uint64_t v;

	return !try_read(p, &v);
}

/* ---- calls ---- */

static bool mmap_is(uint64_t ga, size_t len, int prot, int flags, int want)
{
	void *p = mmap(NULL, len, prot, flags, ctx, (off_t)ga);

	if (p == MAP_FAILED)
		return errno == want;
	munmap(p, len);
	return !want;
}

static void calls_mmap(void)
{
	struct raw_seg a, b;

	if (raw_alloc(ctx, NODE, LEN, RAW_RW, &a) || raw_alloc(ctx, NODE, LEN, RAW_RW, &b))
		raw_bail("two segments");
	raw_check(mmap_is(a.ga, LEN, RW, MAP_SHARED, 0) && mmap_is(a.ga + LEN - PAGE, PAGE, RW, MAP_SHARED, 0),
		  "mmap of all and of the last page");
	raw_check(b.ga != a.ga + LEN || mmap_is(a.ga, 2 * LEN, RW, MAP_SHARED, ENXIO), "over two neighbours is ENXIO");
	raw_check(mmap_is(a.ga + LEN - PAGE, 2 * PAGE, RW, MAP_SHARED, ENXIO),
		  "over the end is ENXIO");
	raw_check(mmap_is(a.ga, 1ull << 40, RW, MAP_SHARED | MAP_NORESERVE, ENXIO), "a terabyte is ENXIO");
	raw_check(mmap_is(a.ga, PAGE, RW, MAP_PRIVATE, EINVAL), "MAP_PRIVATE is EINVAL");
	raw_check(mmap_is(a.ga, PAGE, RW, MAP_SHARED_VALIDATE, 0), "MAP_SHARED_VALIDATE is as MAP_SHARED");
	raw_check(mmap_is(a.ga, PAGE, PROT_READ | PROT_EXEC, MAP_SHARED, EACCES), "PROT_EXEC is EACCES");
	raw_check(mmap_is(0x7ffffffffffff000ull, PAGE, RW, MAP_SHARED, ENXIO), "the last GA is ENXIO");
	raw_free(ctx, a.handle);
	raw_free(ctx, b.handle);
}

static void calls_munmap(void)
{
	struct raw_seg s;
	volatile uint64_t *p = numbered(ctx, &s, 100);

	munmap((void *)(uintptr_t)(p + 4 * WORDS), 4 * PAGE);
	raw_check(are_numbered(p, 0, 4, 100) && are_numbered(p + 8 * WORDS, 8, 8, 100), "partial munmap: the rest is there");
	raw_check(faults(p + 4 * WORDS) && faults(p + 8 * WORDS - 1), "and the hole is not");
	void *h = mmap((void *)(uintptr_t)(p + 4 * WORDS), 4 * PAGE, RW, MAP_SHARED | MAP_FIXED, ctx, (off_t)(s.ga + 4 * PAGE));
	raw_check(h != MAP_FAILED && are_numbered(p, 0, PAGES, 100), "the hole mapped again");
	munmap((void *)(uintptr_t)(p + WORDS), (PAGES - 1) * PAGE);
	raw_check(!raw_free(ctx, s.handle) && faults(p), "free: what was left is SIGBUS");
	munmap((void *)(uintptr_t)p, PAGE);
}

static void calls_mremap(void)
{
	struct raw_seg s;
	volatile uint64_t *p = numbered(ctx, &s, 200), *q;
	void *m, *place = mmap(NULL, LEN, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	m = mremap((void *)(uintptr_t)p, LEN, LEN, MREMAP_MAYMOVE | MREMAP_FIXED, place);
	raw_check(m == place, "mremap moves");
	q = place;
	raw_check(are_numbered(q, 0, PAGES, 200) && faults(p), "the bytes are at the new place and not at the old one");
	q[0] = 1;
	raw_check(mremap(place, LEN, LEN / 2, 0) == place && are_numbered(q + WORDS, 1, PAGES / 2 - 1, 200) && q[0] == 1 &&
		  faults(q + PAGES / 2 * WORDS), "and shrinks");
	raw_check(mremap(place, LEN / 2, LEN, MREMAP_MAYMOVE) == MAP_FAILED && errno == EFAULT, "growth is EFAULT");
	raw_check(mremap(place, 0, PAGE, MREMAP_MAYMOVE) == MAP_FAILED, "a second mapping from length 0 is refused");
	m = mremap(place, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, (char *)place + LEN / 2);
	raw_check(m != MAP_FAILED && *(volatile uint64_t *)m == 1 && faults(q), "one page moves out of the middle");
	raw_check(!raw_free(ctx, s.handle) && faults(m) && faults(q + WORDS), "free finds all the pieces");
	munmap(place, LEN);
}

static void calls_protect(void)
{
	struct raw_seg s, r;
	volatile uint64_t *p = numbered(ctx, &s, 300), *q;
	void *v = (void *)(uintptr_t)p;

	raw_check(!mprotect(v, PAGE, PROT_READ) && !RAW_TRY(p[0] = 1) && p[0] == 300, "mprotect to less holds");
	raw_check(!mprotect(v, PAGE, RW) && RAW_TRY(p[0] = 1) && p[0] == 1, "and back, within the segment's rights");
	raw_check(!mprotect(v, PAGE, PROT_NONE) && faults(p) && !faults(p + WORDS), "PROT_NONE on one page");
	raw_check(mprotect(v, PAGE, PROT_READ | PROT_EXEC) && errno == EACCES, "executable is EACCES");
	if (raw_alloc(ctx, NODE, PAGE, HSL_SEGMENT_READ, &r) || raw_map(ctx, &r, PROT_READ, &q))
		raw_bail("a segment to be read");
	raw_check(mprotect((void *)(uintptr_t)q, PAGE, RW) && errno == EACCES, "more than the segment's rights is EACCES");
	raw_check(mmap_is(r.ga, PAGE, RW, MAP_SHARED, EACCES), "and so is mmap");
	raw_check(madvise((void *)(uintptr_t)q, PAGE, MADV_DOFORK) && errno == EINVAL, "MADV_DOFORK is EINVAL");
	raw_check(madvise((void *)(uintptr_t)q, PAGE, MADV_DONTNEED) && errno == EINVAL, "MADV_DONTNEED is EINVAL");
	munmap((void *)(uintptr_t)q, PAGE);
	munmap(v, LEN);
	raw_free(ctx, s.handle);
	raw_free(ctx, r.handle);
}

/* ptrace and /proc/PID/mem reach it as they reach all memory: pages that nobody touched yet, over a page's end, within what mprotect says. */
static void calls_debugger(void)
{
	int mem = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	uint64_t w[2 * WORDS], v = 0x0123456789abcdef;
	struct raw_seg s;
	volatile uint64_t *p = numbered(ctx, &s, 400), *q;
	off_t at;

	if (mem < 0 || raw_map(ctx, &s, RW, &q))
		raw_bail("/proc/self/mem, or a second mapping");
	at = (off_t)(uintptr_t)q;
	raw_check(pread(mem, &v, 8, at + 3 * PAGE) == 8 && v == 403, "a debugger reads a page that was not touched");
	raw_check(pread(mem, w, sizeof(w), at + 5 * PAGE + 8) == sizeof(w) && w[WORDS - 1] == 406 && w[2 * WORDS - 1] == 407, "and over pages' ends");
	munmap((char *)(uintptr_t)q + LEN - PAGE, PAGE);
	w[0] = w[1] = 7;
	raw_check(pread(mem, w, 16, at + LEN - PAGE - 8) == 8 && !w[0] && w[1] == 7, "but not over the mapping's end");
	w[0] = w[1] = 8;
	raw_check(pwrite(mem, w, 16, at + LEN - PAGE - 8) == 8 && p[(PAGES - 1) * WORDS - 1] == 8 && p[(PAGES - 1) * WORDS] == 400 + PAGES - 1,
		  "nor does it write there");
	v = 1;
	raw_check(pwrite(mem, &v, 8, at + 9 * PAGE) == 8 && p[9 * WORDS] == 1, "and writes");
	mprotect((void *)(uintptr_t)q, LEN, PROT_READ);
	raw_check(pwrite(mem, &v, 8, at) < 0 && errno == EIO && p[0] == 400, "not where it is read-only");
	raw_free(ctx, s.handle);
	raw_check(pread(mem, &v, 8, at) < 0 && errno == EIO, "freed: EIO");
	munmap((void *)(uintptr_t)p, LEN);
	munmap((void *)(uintptr_t)q, LEN);
	close(mem);
}

static void test_calls(void)
{
	calls_mmap();
	calls_munmap();
	calls_mremap();
	calls_protect();
	calls_debugger();
}

/* ---- fork ---- */

struct step {
	int down[2], up[2];
};

static void tell(int fd)
{
	if (write(fd, "x", 1) != 1)
		_exit(9);
}

static void hear(int fd)
{
	char c;

	if (read(fd, &c, 1) != 1)
		_exit(9);
}

static int child_fork(struct step *t, volatile uint64_t *p, volatile uint64_t *dont)
{
	if (!are_numbered(p, 0, PAGES, 400))
		return 1;
	if (!faults(dont))
		return 2;
	p[5] = 77;
	tell(t->up[1]);
	hear(t->down[0]);	/* the parent has written */
	if (p[6] != 88)
		return 3;
	munmap((void *)(uintptr_t)(p + WORDS), PAGE);
	tell(t->up[1]);
	hear(t->down[0]);	/* the parent has freed the segment */
	if (!faults(p) || !faults(p + 2 * WORDS))
		return 4;
	return 0;
}

static void test_fork(void)
{
	struct raw_seg s, d;
	volatile uint64_t *p = numbered(ctx, &s, 400), *dont = numbered(ctx, &d, 500);
	struct step t;
	int status;
	pid_t pid;

	raw_check(!madvise((void *)(uintptr_t)dont, LEN, MADV_DONTFORK), "MADV_DONTFORK");
	if (pipe(t.down) || pipe(t.up))
		raw_bail("pipe");
	pid = fork();
	if (!pid)
		_exit(child_fork(&t, p, dont));
	hear(t.up[0]);
	raw_check(p[5] == 77, "a store of the child is seen by the parent");
	p[6] = 88;
	tell(t.down[1]);
	hear(t.up[0]);
	raw_check(are_numbered(p, 0, PAGES, 400), "munmap in the child leaves the parent's mapping alone");
	raw_check(!raw_free(ctx, s.handle) && faults(p), "freed by the parent");
	tell(t.down[1]);
	waitpid(pid, &status, 0);
	raw_check(WIFEXITED(status) && !WEXITSTATUS(status), "the child: same bytes, no mapping with DONTFORK, SIGBUS after the free (%d)",
		  WEXITSTATUS(status));
	raw_check(are_numbered(dont, 0, PAGES, 500), "the end of the child leaves the parent's other mapping alone");
	munmap((void *)(uintptr_t)p, LEN);

	/* a child that outlives the parent's file keeps the memory */
	int c = ctx_open();
	uint64_t before = raw_free_bytes(ctx, NODE);

	p = numbered(c, &s, 600);
	pid = fork();
	if (!pid) {
		close(c);
		hear(t.down[0]);
		bool ok = are_numbered(p, 0, PAGES, 600);

		tell(t.up[1]);
		hear(t.down[0]);
		_exit(!ok);
	}
	munmap((void *)(uintptr_t)p, LEN);
	close(c);
	tell(t.down[1]);
	hear(t.up[0]);
	raw_check(raw_free_bytes(ctx, NODE) + LEN == before, "the child's mapping keeps the memory after the parent's close");
	tell(t.down[1]);
	waitpid(pid, &status, 0);
	raw_check(WIFEXITED(status) && !WEXITSTATUS(status), "and its bytes");
	raw_check(raw_mem_comes_to(ctx, NODE, before), "its end gives it back");
}

/* ---- exec ---- */

static int after_exec(const char *addr, const char *fd)
{
	volatile uint64_t *p = (volatile uint64_t *)(uintptr_t)strtoull(addr, NULL, 16);
	struct hsl_info i = { .size = sizeof(i), .abi_version = HSL_ABI_VERSION };

	raw_catch_faults();
	return !faults(p) || raw_ioctl(atoi(fd), HSL_IOC_INFO, &i) != -EBADF;
}

static void test_exec(void)
{
	struct hsl_chip_info before;
	int status, go[2];
	pid_t pid;

	raw_chip(ctx, NODE, &before);
	if (pipe2(go, 0))
		raw_bail("pipe");
	pid = fork();
	if (!pid) {
		struct raw_seg s;
		int c = ctx_open();
		volatile uint64_t *p = numbered(c, &s, 700);
		struct raw_queue q;
		char addr[32], fd[16];

		if (raw_queue_open(c, NODE, &q))
			_exit(8);
		snprintf(addr, sizeof(addr), "%llx", (unsigned long long)(uintptr_t)p);
		snprintf(fd, sizeof(fd), "%d", c);
		execl("/proc/self/exe", "mapping", "after-exec", addr, fd, NULL);
		_exit(9);
	}
	waitpid(pid, &status, 0);
	raw_check(WIFEXITED(status) && !WEXITSTATUS(status), "exec: no mapping, no file (%d)", WEXITSTATUS(status));
	raw_check(raw_mem_comes_to(ctx, NODE, before.mem_free_bytes), "and the memory is free");
}

/* ---- race ---- */

#define OWN	0x1111111111111111ull
#define FOREIGN	0x2222222222222222ull

static _Atomic uint64_t race_ga;
static atomic_bool race_stop;
static atomic_ulong race_reads, race_busts, race_refused, race_foreign;

static void *race_reader(void *arg)
{
	(void)arg;
	while (!atomic_load(&race_stop)) {
		uint64_t ga = atomic_load(&race_ga), v = 0;
		volatile uint64_t *p;

		if (!ga)
			continue;
		p = mmap(NULL, LEN, RW, MAP_SHARED, ctx, (off_t)ga);
		if (p == MAP_FAILED) {
			atomic_fetch_add(&race_refused, 1);
			continue;
		}
		for (unsigned int i = 0; i < 64; i++) {
			if (!try_read(p + i % PAGES * WORDS, &v)) {
				atomic_fetch_add(&race_busts, 1);
				break;
			}
			atomic_fetch_add(&race_reads, 1);
			if (v == FOREIGN)
				atomic_fetch_add(&race_foreign, 1);
		}
		munmap((void *)(uintptr_t)p, LEN);
	}
	return NULL;
}

static void test_race(unsigned int rounds)
{
	int other = ctx_open();
	unsigned int same = 0;
	pthread_t reader[2];

	for (int i = 0; i < 2; i++)
		if (pthread_create(&reader[i], NULL, race_reader, NULL))
			raw_bail("thread");
	for (unsigned int r = 0; r < rounds; r++) {
		struct raw_seg s, f;
		volatile uint64_t *p;

		if (raw_alloc(ctx, NODE, LEN, RAW_RW, &s) || raw_map(ctx, &s, RW, &p))
			raw_bail("segment");
		for (unsigned int i = 0; i < PAGES; i++)
			p[i * WORDS] = OWN;
		atomic_store(&race_ga, s.ga);
		raw_sleep_us(r % 8 * 100);
		munmap((void *)(uintptr_t)p, LEN);
		raw_free(ctx, s.handle);
		/* the memory of the one that was freed, as soon as it can be had */
		for (int tries = 0; tries < 100; tries++) {
			if (raw_alloc(other, NODE, LEN, RAW_RW, &f) || raw_map(other, &f, RW, &p))
				raw_bail("segment of the other");
			for (unsigned int i = 0; i < PAGES; i++)
				p[i * WORDS] = FOREIGN;
			munmap((void *)(uintptr_t)p, LEN);
			bool hit = f.ga == s.ga;

			if (hit)
				raw_sleep_us(200);
			raw_free(other, f.handle);
			same += hit;
			if (hit)
				break;
		}
	}
	atomic_store(&race_stop, true);
	for (int i = 0; i < 2; i++)
		pthread_join(reader[i], NULL);
	printf("# %lu reads, %lu SIGBUS, %lu refused mmap, %u times the same memory went to the other\n", race_reads, race_busts,
	       race_refused, same);
	raw_check(race_foreign == 0, "nobody saw what the next owner wrote");
	raw_check(race_reads > 0 && race_refused > 0 && same > 0, "and all of it has happened");
	close(other);
}

/* ---- far ---- */

static void test_far(void)
{
	const uint64_t far = (4ull << 30) + 5 * PAGE;
	struct hsl_chip_info ci;
	struct raw_seg s, h;
	struct raw_queue q;
	uint64_t *p;

	if (raw_chip(ctx, NODE, &ci))
		raw_bail("CHIP_INFO");
	if (ci.mem_bytes < 6ull << 30)
		raw_skip_all("the chip has less than 6 GiB");
	if (raw_alloc(ctx, NODE, 5ull << 30, RAW_RW, &s) || raw_queue_open(ctx, NODE, &q))
		raw_bail("5 GiB");
	p = mmap(NULL, s.len, RW, MAP_SHARED, ctx, (off_t)s.ga);
	raw_check(p != MAP_FAILED, "5 GiB in one mapping");
	p[far / 8] = 0xfeedull;
	p[(far & 0xffffffff) / 8] = 0xbadull;
	uint64_t *one = mmap(NULL, PAGE, RW, MAP_SHARED, ctx, (off_t)(s.ga + far / PAGE * PAGE));

	raw_check(one != MAP_FAILED && one[far % PAGE / 8] == 0xfeed, "one page beyond 4 GiB is that page");
	raw_check(!raw_alloc(ctx, NODE, PAGE, RAW_RW, &h) && raw_copy(&q, h.ga, s.ga + far, 8) == HSL_ST_OK,
		  "a command beyond 4 GiB");
	uint64_t *hp = mmap(NULL, PAGE, RW, MAP_SHARED, ctx, (off_t)h.ga);

	raw_check(hp != MAP_FAILED && *hp == 0xfeed, "reads the same");
	munmap((char *)p + (4ull << 30), 1ull << 30);
	raw_check(p[(far & 0xffffffff) / 8] == 0xbad && faults(p + far / 8), "munmap of the fifth GiB");
	raw_check(!raw_free(ctx, s.handle) && faults(p) && faults(one), "free takes all mappings");
	raw_queue_close(&q);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (!strcmp(what, "after-exec") && argc == 4)
		return after_exec(argv[2], argv[3]);
	raw_catch_faults();
	ctx = ctx_open();
	if (!strcmp(what, "calls"))
		test_calls();
	else if (!strcmp(what, "fork"))
		test_fork();
	else if (!strcmp(what, "exec"))
		test_exec();
	else if (!strcmp(what, "race"))
		test_race(argc > 2 ? (unsigned int)atoi(argv[2]) : 2000);
	else if (!strcmp(what, "far"))
		test_far();
	else
		return fprintf(stderr, "mapping calls | fork | exec | race [rounds] | far\n"), 2;
	return raw_done();
}
