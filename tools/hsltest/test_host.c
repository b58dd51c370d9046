/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* MAP: kinds of host memory, the allocator, and what the memory calls of Linux do to mappings. */
#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/hsl.h>

#include "hsltest.h"

#define KIB ((uint64_t)1024)
#define MIB (1024 * KIB)

static sigjmp_buf touch_env;

static void touched(int sig)
{
	(void)sig;
	siglongjmp(touch_env, 1);
}

/* A byte through a mapping, or -EFAULT. */
static int touch(const volatile uint8_t *p)
{
	struct sigaction sa = { .sa_handler = touched, .sa_flags = SA_NODEFER }, bus, segv;
	volatile int v = -EFAULT;

	sigaction(SIGBUS, &sa, &bus);
	sigaction(SIGSEGV, &sa, &segv);
	if (!sigsetjmp(touch_env, 1))
		v = *p;
	sigaction(SIGBUS, &bus, NULL);
	sigaction(SIGSEGV, &segv, NULL);
	return v;
}

static int memory_file(struct ht *t, uint64_t len, unsigned int flags)
{
	int fd = memfd_create("hsltest", MFD_CLOEXEC | flags);

	if (fd < 0 && (flags & MFD_HUGETLB))
		return -1;
	HT_TRUE(t, fd >= 0, "memfd_create: %s", strerror(errno));
	if (ftruncate(fd, (off_t)len)) {
		close(fd);
		HT_TRUE(t, flags & MFD_HUGETLB, "ftruncate: %s", strerror(errno));
		return -1;
	}
	return fd;
}

/* Register it, move data in and out by command, and see it by the CPU. */
static void use_memory(struct ht *t, struct hsl_queue *q, struct ht_buf *chip, uint8_t *p, uint64_t len,
		       const char *what)
{
	struct hsl_segment *s;
	struct ht_diff d;
	int rc;

	ht_step(t, "%s", what);
	ht_pattern(p, len, ht_random(t));
	memcpy(chip->shadow, p, len);
	rc = hsl_segment_register(t->f, p, len, NULL, &s);
	HT_TRUE(t, !rc, "hsl_segment_register of %s: %s", what, ht_errno_name(rc));
	HT_OK(t, hsl_copy(q, chip->ga, hsl_segment_ga(s), len));
	ht_buf_check_range(t, chip, 0, len, what);
	ht_buf_pattern(t, chip);
	HT_OK(t, hsl_copy(q, hsl_segment_ga(s), chip->ga, len));
	HT_TRUE(t, ht_equal(p, chip->shadow, len, &d), "%s, byte %" PRIu64 ": expected 0x%02x, got 0x%02x", what, d.first,
		d.expected, d.got);
	HT_OK(t, hsl_segment_free(s));
}

static void memory_kinds(struct ht *t)
{
	struct hsl_segment_opts ro = { .size = sizeof(ro), .rights = HSL_RIGHT_READ },
				wo = { .size = sizeof(wo), .rights = HSL_RIGHT_WRITE };
	uint64_t len = 2 * MIB;
	struct hsl_segment *s;
	struct hsl_op op;
	struct ht_buf chip;
	struct hsl_queue *q;
	uint8_t *p;
	bool huge = false;
	int fd;

	ht_buf_new(t, &chip, t->chip[t->nchips - 1].node, len);
	q = ht_queue_new(t, t->chip[0].node, 0);
	p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	HT_TRUE(t, p != MAP_FAILED, "mmap: %s", strerror(errno));
	use_memory(t, q, &chip, p, len, "anonymous memory");
	munmap(p, len);
	p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	HT_TRUE(t, p != MAP_FAILED, "mmap: %s", strerror(errno));
	use_memory(t, q, &chip, p, len, "shared memory");
	munmap(p, len);
	fd = memory_file(t, len, 0);
	p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	HT_TRUE(t, p != MAP_FAILED, "mmap: %s", strerror(errno));
	use_memory(t, q, &chip, p, len, "a memfd");
	munmap(p, len);
	/* a private mapping of a file is written through to nobody */
	p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	HT_TRUE(t, p != MAP_FAILED, "mmap: %s", strerror(errno));
	use_memory(t, q, &chip, p, len, "a private mapping of a file");
	munmap(p, len);
	/* memory that may only be read */
	p = mmap(NULL, len, PROT_READ, MAP_SHARED, fd, 0);
	HT_TRUE(t, p != MAP_FAILED, "mmap: %s", strerror(errno));
	HT_RC(t, hsl_segment_register(t->f, p, len, NULL, &s), -EFAULT);
	HT_RC(t, hsl_segment_register(t->f, p, len, &wo, &s), -EFAULT);
	HT_OK(t, hsl_segment_register(t->f, p, len, &ro, &s));
	HT_OK(t, hsl_copy(q, chip.ga, hsl_segment_ga(s), len));
	memcpy(chip.shadow, p, len);
	ht_buf_check(t, &chip, "COPY from read-only memory");
	op = ht_op_fill(hsl_segment_ga(s), 8, 0);
	ht_expect(t, q, &op, HSL_ST_RIGHTS, "FILL of read-only memory");
	HT_OK(t, hsl_segment_free(s));
	munmap(p, len);
	close(fd);
	fd = memory_file(t, len, MFD_HUGETLB);
	p = fd < 0 ? MAP_FAILED : mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p != MAP_FAILED) {
		use_memory(t, q, &chip, p, len, "hugetlb memory");
		munmap(p, len);
		huge = true;
	}
	if (fd >= 0)
		close(fd);
	/* nothing, and half nothing */
	p = mmap(NULL, 8192, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	HT_TRUE(t, p != MAP_FAILED, "mmap: %s", strerror(errno));
	HT_RC(t, hsl_segment_register(t->f, p, 8192, NULL, &s), -EFAULT);
	HT_RC(t, hsl_segment_register(t->f, p, 8192, &ro, &s), -EFAULT);
	HT_TRUE(t, !mprotect(p, 4096, PROT_READ | PROT_WRITE), "mprotect: %s", strerror(errno));
	HT_RC(t, hsl_segment_register(t->f, p, 8192, NULL, &s), -EFAULT);
	munmap(p, 8192);
	ht_note(t, "%s", huge ? "with hugetlb" : "no huge pages here: hugetlb not tried");
	ht_queue_free(t, q);
	ht_buf_free(t, &chip);
}

/* ------------------------------------------------------------------ the allocator */

static void allocator(struct ht *t)
{
	enum { LIVE = 400, ROUNDS = 100000 };
	struct hsl_segment *s[LIVE] = { NULL };
	struct hsl_chip_props before = { .size = sizeof(before) };
	uint32_t node = t->chip[0].node, round;
	uint64_t len, room, full = 0;
	unsigned int i;
	int rc;

	HT_OK(t, hsl_chip_by_node(t->f, node, &before));
	room = before.mem_free_bytes;
	for (round = 0; round < ROUNDS; round++) {
		struct hsl_segment_opts o = { .size = sizeof(o) };

		i = (unsigned int)ht_random_below(t, LIVE);
		if (s[i]) {
			HT_OK(t, hsl_segment_free(s[i]));
			s[i] = NULL;
			continue;
		}
		/* mostly a page or a few, now and then large or aligned */
		len = 4096 * (1 + ht_random_below(t, ht_random_below(t, 20) ? 4 : 64));
		if (ht_random_below(t, 20) == 0)
			len = room / 24 < 6 * MIB ? (room / 24) & ~4095ull : 6 * MIB;
		o.align_bytes = ht_random_below(t, 10) ? 0 : 4096ull << ht_random_below(t, 8);
		if (round % 10000 == 0)
			ht_step(t, "round %u", round);
		rc = hsl_segment_alloc(t->f, node, len, &o, &s[i]);
		if (rc)
			s[i] = NULL;
		HT_TRUE(t, !rc || rc == -ENOSPC, "round %u, %" PRIu64 " bytes: %s", round, len, ht_errno_name(rc));
		full += rc == -ENOSPC;
	}
	for (i = 0; i < LIVE; i++) {
		if (s[i])
			HT_OK(t, hsl_segment_free(s[i]));
	}
	ht_step(t, "waiting for the memory");
	ht_wait_free(t, node, before.mem_free_bytes, before.nqueues_free);
	rc = hsl_segment_alloc(t->f, node, room, NULL, &s[0]);
	HT_TRUE(t, !rc, "all %" PRIu64 " bytes in one piece: %s", room, ht_errno_name(rc));
	HT_OK(t, hsl_segment_free(s[0]));
	ht_note(t, "%u rounds, %" PRIu64 " times full", round, full);
}

/* ------------------------------------------------------------------ mappings */

static void memory_calls(struct ht *t)
{
	uint64_t len = 16 * 4096;
	uint8_t *p, *hole, *moved;
	int fd = ht_raw_open(t), pid;
	uint32_t handle;
	uint64_t ga;
	unsigned int i;

	ga = ht_raw_alloc(t, fd, t->chip[0].node, len, &handle);
	p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)ga);
	HT_TRUE(t, p != MAP_FAILED, "mmap: %s", strerror(errno));
	for (i = 0; i < 16; i++)
		p[i * 4096] = (uint8_t)(i + 1);
	/* fork: the child has the mapping, and it is the same memory */
	pid = fork();
	HT_TRUE(t, pid >= 0, "fork: %s", strerror(errno));
	if (!pid) {
		HT_EQ(t, "byte seen by a child", touch(p + 4096), 2);
		p[4097] = 0x99;
		_exit(0);
	}
	ht_child_join(t, pid);
	HT_EQ(t, "byte stored by a child", p[4097], 0x99);
	/* with MADV_DONTFORK it has not */
	HT_TRUE(t, !madvise(p + 8192, 4096, MADV_DONTFORK), "MADV_DONTFORK: %s", strerror(errno));
	pid = fork();
	HT_TRUE(t, pid >= 0, "fork: %s", strerror(errno));
	if (!pid) {
		HT_EQ(t, "page with MADV_DONTFORK in a child", (uint64_t)touch(p + 8192), (uint64_t)-EFAULT);
		HT_EQ(t, "page beside it", touch(p + 4096), 2);
		_exit(0);
	}
	ht_child_join(t, pid);
	/* a hole in the middle leaves both sides */
	hole = p + 5 * 4096;
	HT_TRUE(t, !munmap(hole, 2 * 4096), "munmap: %s", strerror(errno));
	HT_EQ(t, "byte before the hole", touch(hole - 4096), 5);
	HT_EQ(t, "byte behind the hole", touch(hole + 2 * 4096), 8);
	HT_EQ(t, "byte in the hole", (uint64_t)touch(hole), (uint64_t)-EFAULT);
	/* moved and made smaller; not larger */
	moved = mremap(p + 8 * 4096, 4 * 4096, 2 * 4096, MREMAP_MAYMOVE);
	HT_TRUE(t, moved != MAP_FAILED, "mremap to less: %s", strerror(errno));
	HT_EQ(t, "byte after mremap", touch(moved + 4096), 10);
	{
		uint8_t *to = mmap(NULL, 2 * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *there;

		there = mremap(moved, 2 * 4096, 2 * 4096, MREMAP_MAYMOVE | MREMAP_FIXED, to);
		HT_TRUE(t, there == to, "mremap to another address: %s", strerror(errno));
		HT_EQ(t, "byte after a move", touch(there), 9);
		HT_TRUE(t, mremap(there, 2 * 4096, 3 * 4096, MREMAP_MAYMOVE) == MAP_FAILED && errno == EFAULT,
			"mremap to more: expected EFAULT");
		HT_TRUE(t, !mprotect(there, 4096, PROT_READ), "mprotect to less: %s", strerror(errno));
		HT_TRUE(t, !mprotect(there, 4096, PROT_READ | PROT_WRITE), "mprotect back: %s", strerror(errno));
		HT_TRUE(t, mprotect(there, 4096, PROT_READ | PROT_EXEC) && errno == EACCES, "mprotect to EXEC: expected EACCES");
		*there = 0x42;
		/* a free reaches every piece, wherever it is by now */
		ht_raw_free(t, fd, handle);
		HT_EQ(t, "moved piece after the free", (uint64_t)touch(there), (uint64_t)-EFAULT);
		munmap(there, 2 * 4096);
	}
	HT_EQ(t, "first piece after the free", (uint64_t)touch(p), (uint64_t)-EFAULT);
	HT_EQ(t, "piece behind the hole after the free", (uint64_t)touch(hole + 2 * 4096), (uint64_t)-EFAULT);
	munmap(p, len);
	/* exec drops mapping, files and context: memory and queues come back */
	ht_wait_free(t, t->chip[0].node, t->chip[0].mem_free_bytes, t->chip[0].nqueues_free);
	pid = fork();
	HT_TRUE(t, pid >= 0, "fork: %s", strerror(errno));
	if (!pid) {
		struct ht_rawq q;

		fd = ht_raw_open(t);
		ga = ht_raw_alloc(t, fd, t->chip[0].node, 4 * MIB, &handle);
		p = mmap(NULL, 4 * MIB, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)ga);
		HT_TRUE(t, p != MAP_FAILED, "mmap: %s", strerror(errno));
		ht_rawq_new(t, &q, fd, t->chip[0].node, 16);
		if (dup2(open("/dev/null", O_WRONLY), 1) < 0) /* a test never prints */
			_exit(6);
		execl("/proc/self/exe", "hsltest", "--version", (char *)NULL);
		_exit(5);
	}
	ht_step(t, "exec with a mapping and a queue");
	ht_child_join(t, pid);
	ht_wait_free(t, t->chip[0].node, t->chip[0].mem_free_bytes, t->chip[0].nqueues_free);
	close(fd);
}

const struct ht_test ht_tests_host[] = {
	{ "HEP-MAP-019", "memory_kinds", "anonymous, shared, memfd, hugetlb; read-only only for reading",
	  memory_kinds, 0, 0 },
	{ "HEP-MAP-023", "allocator", "after 100,000 allocations and frees the chip is in one piece", allocator, HT_F_LONG,
	  0 },
	{ "HEP-MAP-024", "memory_calls", "fork, munmap, mremap, mprotect, exec do what is written", memory_calls,
	  HT_F_KERNEL, 0 },
	{ 0 }
};
