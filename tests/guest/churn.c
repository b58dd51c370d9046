// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Create and destroy every object, ROUNDS times (3000; HSL_FABRIC, else /dev/hsl0), with few files and little pinned memory allowed: nothing
 * leaks, and the first object that is too many fails cleanly, with the errno of the limit, and again works once something is given
 * back (HEP-API-006, -010). Prints TAP; exit 0, 1 or 77.
 */
#include <dirent.h>
#include <errno.h>
#include <grp.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hsl/hsl.h"

#define PINNED	(512u << 10)
#define SPARE	6		/* files that may be opened besides those that are */
#define NOBODY	65534

static int nfailed, ntests;
static const char *url;
static bool sim;

static void check(bool ok, const char *what, int rc)
{
	printf("%sok %d - %s", ok ? "" : "not ", ++ntests, what);
	if (!ok)
		printf(" (%d: %s)", rc, strerror(rc < 0 ? -rc : 0));
	putchar('\n');
	nfailed += !ok;
}

static unsigned int files(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned int n = 0;

	while (d && readdir(d))
		n++;
	if (d)
		closedir(d);
	return n - 3;	/* ., .. and the directory itself */
}

static bool limit_files(unsigned int more)
{
	struct rlimit lim;

	if (getrlimit(RLIMIT_NOFILE, &lim))
		return false;
	lim.rlim_cur = more ? files() + more : lim.rlim_max;
	return !setrlimit(RLIMIT_NOFILE, &lim);
}

/* One of each; 0 or what failed. */
static int round_of(struct hsl_fabric *keep, uint32_t node, void *mem)
{
	struct hsl_segment *a = NULL, *r = NULL, *i = NULL;
	struct hsl_fabric *f = NULL;
	struct hsl_queue *q = NULL;
	int fd = -1, rc;
	void *p;

	rc = hsl_fabric_open(url, &f);
	if (!rc)
		rc = hsl_queue_create(f, node, NULL, &q);
	if (!rc)
		rc = hsl_segment_alloc(f, node, 8192, NULL, &a);
	if (!rc)
		rc = hsl_segment_map(a, &p);
	if (!rc)
		rc = hsl_segment_register(f, mem, PINNED / 2, NULL, &r);
	if (!rc)
		rc = hsl_copy(q, hsl_segment_ga(a), hsl_segment_ga(r), 8192);
	if (!rc && memcmp(p, mem, 8192))
		rc = -EILSEQ;
	if (!rc)
		rc = hsl_segment_export(a, 0, 0, &fd);
	if (!rc)
		rc = hsl_segment_import(keep, fd, 0, &i);
	if (fd >= 0)
		close(fd);
	if (!rc)
		rc = hsl_segment_revoke(a);
	if (i)
		hsl_segment_free(i);
	hsl_segment_free(r);
	hsl_segment_free(a);
	hsl_queue_destroy(q);
	if (f)
		hsl_fabric_close(f);
	return rc;
}

/* Queues until there are no more files, then fewer; registrations until no more may be pinned. */
static bool at_the_limits(struct hsl_fabric *f, uint32_t node, char *mem)
{
	struct hsl_segment *s[32] = { NULL };
	struct hsl_queue *q[32] = { NULL };
	unsigned int n, i, round;
	int rc = 0, want = sim ? 0 : -EMFILE;
	bool ok = true;

	for (round = 0; round < 2; round++) {
		for (n = 0; n < 32; n++) {
			rc = hsl_queue_create(f, node, NULL, &q[n]);
			if (rc)
				break;
		}
		ok = ok && n >= 1 && (n == 32 ? !want : rc == -EMFILE);
		for (i = 0; i < n; i++) {
			ok = ok && !hsl_nop(q[i]);
			hsl_queue_destroy(q[i]);
		}
	}
	for (round = 0; round < 2 && !sim; round++) {
		for (n = 0; n < 32; n++) {
			rc = hsl_segment_register(f, mem + n * (64u << 10), 64u << 10, NULL, &s[n]);
			if (rc)
				break;
		}
		ok = ok && n == PINNED / (64u << 10) && rc == -ENOMEM;
		for (i = 0; i < n; i++)
			ok = ok && !hsl_segment_free(s[i]);
	}
	return ok;
}

int main(int argc, char **argv)
{
	unsigned int rounds = argc > 1 ? (unsigned int)strtoul(argv[1], NULL, 0) : 3000, i, open_files;
	struct hsl_chip_props before = { .size = sizeof(before) }, after = { .size = sizeof(after) };
	struct rlimit lim = { PINNED, PINNED };
	struct hsl_fabric *f;
	bool limits = true;
	char *mem;
	int rc;

	setvbuf(stdout, NULL, _IOLBF, 0);
	url = getenv("HSL_FABRIC");
	if (!url || !*url)
		url = "/dev/hsl0";
	sim = !strncmp(url, "sim:", 4);
	/* who is root is not bound by RLIMIT_MEMLOCK */
	if (!sim && !getuid() && (chmod(url, 0666) || setgroups(0, NULL) || setgid(NOBODY) || setuid(NOBODY))) {
		printf("1..0 # SKIP cannot become another user\n");
		return 77;
	}
	mem = mmap(NULL, 4u << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (setrlimit(RLIMIT_MEMLOCK, &lim) || mem == MAP_FAILED || hsl_fabric_open(url, &f) || hsl_chip_by_index(f, 0, &before)) {
		printf("1..0 # SKIP %s cannot be opened\n", url);
		return 77;
	}
	memset(mem, 0x3c, 4u << 20);
	/* what the library opens once and keeps, it has now */
	rc = round_of(f, before.node, mem);
	check(!rc, "one of each object", rc);
	open_files = files();
	check(limit_files(SPARE), "few files", -errno);
	for (i = 0; i < rounds && !rc && limits; i++) {
		rc = round_of(f, before.node, mem);
		if (i % 500 == 0)
			limits = at_the_limits(f, before.node, mem);
	}
	printf("# %u rounds\n", i);
	check(!rc, "every round has all its objects", rc);
	check(limits, "one too many fails with the limit's errno, and fewer work again", 0);
	limit_files(0);
	check(files() == open_files, "no file is left over", 0);
	for (i = 0; i < 1000; i++) {
		if (hsl_chip_by_index(f, 0, &after) || (after.mem_free_bytes == before.mem_free_bytes && after.nqueues_free == before.nqueues_free))
			break;
		usleep(10000);
	}
	check(after.mem_free_bytes == before.mem_free_bytes && after.nqueues_free == before.nqueues_free, "no memory and no queue is left over", 0);
	hsl_fabric_close(f);
	printf("1..%d\n", ntests);
	return nfailed != 0;
}
