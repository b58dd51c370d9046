// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * The allocator of chip memory on the raw ABI (HEP-MAP-007 … 009, HEP-MAP-023). As root in the VM.
 *
 *   chipmem random [n] | many | align | steady	prints TAP; exit 0, 1, 77
 *
 * random: allocations and frees of random sizes and alignments, HEP-MAP-023's 100,000 unless told otherwise; a model of what
 * is live says whether an answer overlaps, is misaligned, or is not zero where it is looked at. Then the chip in one piece.
 * many: 10,000 live segments; the rate of the first and of the last thousand is printed, not judged.
 * steady: what counts as free while a thread allocates and frees is what it left, at any moment.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "common/raw.h"

#define PAGE	4096ull
#define NODE	1


static uint64_t rng = 0x9e3779b97f4a7c15ull;
static uint64_t chip_bytes;

static uint64_t rnd(uint64_t below)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return rng % below;
}

static double now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

static int ctx_open(void)
{
	struct hsl_chip_info ci;
	int fd = raw_open(0);

	if (fd < 0) {
		errno = -fd;
		raw_bail("open " RAW_DEV);
	}
	if (raw_chip(fd, NODE, &ci))
		raw_bail("CHIP_INFO");
	chip_bytes = ci.mem_bytes;
	return fd;
}

static int alloc(int ctx, uint64_t len, uint64_t align, struct raw_seg *s)
{
	struct hsl_segment_alloc a = { .size = sizeof(a), .node = NODE, .len_bytes = len, .align_bytes = align,
				       .rights = RAW_RW };
	int r = raw_ioctl(ctx, HSL_IOC_SEGMENT_ALLOC, &a);

	if (!r)
		*s = (struct raw_seg){ a.handle, RAW_RW, a.ga, a.len_bytes };
	return r;
}

/* First and last word of the segment, which are written so that the next owner would see them. */
static bool ends_are_zero(int ctx, const struct raw_seg *s)
{
	uint64_t *p = mmap(NULL, s->len, PROT_READ | PROT_WRITE, MAP_SHARED, ctx, (off_t)s->ga);
	bool ok;

	if (p == MAP_FAILED)
		return false;
	ok = !p[0] && !p[s->len / 8 - 1];
	p[0] = p[s->len / 8 - 1] = ~0ull;
	munmap(p, s->len);
	return ok;
}

static void whole_chip(int ctx, const char *when)
{
	struct raw_seg s;
	int r = alloc(ctx, chip_bytes, 0, &s);

	raw_check(r == 0, "the whole chip, %llu MiB, in one piece %s (%d)", (unsigned long long)(chip_bytes >> 20), when, r);
	if (r)
		return;
	uint64_t *p = mmap(NULL, s.len, PROT_READ, MAP_SHARED, ctx, (off_t)s.ga);
	bool zero = p != MAP_FAILED;

	for (uint64_t i = 0; zero && i < s.len / 8; i++)
		zero = !p[i];
	raw_check(zero, "and every byte of it is zero");
	if (p != MAP_FAILED)
		munmap(p, s.len);
	raw_check(raw_free(ctx, s.handle) == 0, "and free again");
}

/* ---- random ---- */

#define LIVE_MAX	4096

static unsigned char *owned;	/* a byte per page of the chip: the model */

static bool claim(const struct raw_seg *s)
{
	uint64_t from = HSL_GA_OFFSET(s->ga) / PAGE, n = s->len / PAGE;

	if (HSL_GA_NODE(s->ga) != NODE || from + n > chip_bytes / PAGE)
		return false;
	for (uint64_t i = 0; i < n; i++)
		if (owned[from + i]++)
			return false;
	return true;
}

static uint64_t random_len(void)
{
	unsigned int k = (unsigned int)rnd(100);

	if (k < 60)
		return 1 + rnd(16 * PAGE);
	if (k < 95)
		return 1 + rnd(64 * PAGE);
	return 1 + rnd(chip_bytes / 64);
}

static void test_random(unsigned long n)
{
	static struct raw_seg live[LIVE_MAX];
	unsigned int nlive = 0, wrong = 0, misaligned = 0, dirty = 0, refused = 0, nospace = 0;
	unsigned long allocs = 0, frees = 0;
	int ctx = ctx_open();
	bool filling = true;

	owned = calloc(chip_bytes / PAGE, 1);
	if (!owned)
		raw_bail("calloc");
	while (allocs + frees < n) {
		/* waves: until the chip or the table is full, and down again */
		if (nlive == LIVE_MAX)
			filling = false;
		if (nlive < 32)
			filling = true;
		if (nlive && (nlive == LIVE_MAX || rnd(100) < (filling ? 20u : 70u))) {
			unsigned int i = (unsigned int)rnd(nlive);
			struct raw_seg s = live[i];

			live[i] = live[--nlive];
			memset(owned + HSL_GA_OFFSET(s.ga) / PAGE, 0, s.len / PAGE);
			refused += raw_free(ctx, s.handle) != 0;
			frees++;
			continue;
		}
		uint64_t len = random_len(), align = rnd(4) ? 0 : PAGE << rnd(10);
		struct raw_seg s;
		int r = alloc(ctx, len, align, &s);

		allocs++;
		if (r == -ENOSPC) {
			nospace++;
			filling = false;
			continue;
		}
		if (r) {
			refused++;
			continue;
		}
		wrong += !claim(&s) || s.len != (len + PAGE - 1) / PAGE * PAGE;
		misaligned += align && HSL_GA_OFFSET(s.ga) % align;
		if (!rnd(16))
			dirty += !ends_are_zero(ctx, &s);
		live[nlive++] = s;
	}
	raw_check(refused == 0, "%lu allocations and %lu frees: nothing refused but for room (%u times)", allocs, frees, nospace);
	raw_check(wrong == 0, "no two live segments overlap, and lengths are rounded to pages");
	raw_check(misaligned == 0, "all are aligned as asked for");
	raw_check(dirty == 0, "what was looked at is zero");
	raw_check(nospace > 0, "the chip was full now and then");
	while (nlive)
		refused += raw_free(ctx, live[--nlive].handle) != 0;
	raw_check(refused == 0, "all are freed");
	free(owned);
	whole_chip(ctx, "after that");
	close(ctx);
}

/* ---- many ---- */

#define MANY	10000u
#define SAMPLE	1000u

static double sample(int ctx, struct raw_seg *s, bool *ok)
{
	double t = now_s();

	for (unsigned int i = 0; i < SAMPLE; i++)
		*ok &= !alloc(ctx, PAGE * (1 + i % 3), 0, s + i);
	return (now_s() - t) / SAMPLE * 1e6;
}

static void test_many(void)
{
	struct raw_seg *s = calloc(MANY, sizeof(*s)), extra;
	int ctx = ctx_open();
	double first = 0, last = 0;
	bool ok = true;

	if (!s)
		raw_bail("calloc");
	for (unsigned int i = 0; i < MANY; i += SAMPLE) {
		last = sample(ctx, s + i, &ok);
		if (!i)
			first = last;
	}
	raw_check(ok, "%u live segments", MANY);
	printf("# an allocation took %.1f us at first and %.1f us at the end\n", first, last);
	/* holes everywhere, so that best fit has a choice of thousands */
	for (unsigned int i = 0; i < MANY; i += 2)
		ok &= !raw_free(ctx, s[i].handle);
	raw_check(ok, "every second one is freed");
	last = sample(ctx, s, &ok);
	printf("# and %.1f us with %u holes\n", last, MANY / 2);
	raw_check(ok, "%u more fit", SAMPLE);
	raw_check(!alloc(ctx, 2 << 20, 2 << 20, &extra) && HSL_GA_OFFSET(extra.ga) % (2 << 20) == 0,
		  "2 MiB aligned to 2 MiB beside the holes");
	close(ctx);
	ctx = ctx_open();
	whole_chip(ctx, "after the file was closed with all of them");
	close(ctx);
	free(s);
}

/* ---- align ---- */

static void test_align(void)
{
	int ctx = ctx_open();
	struct raw_seg odd, s, t;
	bool ok = true;

	raw_check(!alloc(ctx, PAGE, 0, &odd), "one page, so that nothing is aligned by itself");
	for (uint64_t align = PAGE; align <= 1ull << 30; align <<= 1) {
		int r = alloc(ctx, PAGE, align, &s);

		/* an aligned page may be the one that is taken: a chip has chip_bytes / align of them */
		if (r == -ENOSPC && align >= chip_bytes)
			continue;
		ok &= !r && HSL_GA_OFFSET(s.ga) % align == 0 && !raw_free(ctx, s.handle);
	}
	raw_check(ok, "alignments of 4 KiB to 1 GiB, where the chip has such a place free");
	raw_check(!alloc(ctx, 32 << 20, 2 << 20, &s) && HSL_GA_OFFSET(s.ga) % (2 << 20) == 0, "32 MiB in huge pages");
	raw_check(!alloc(ctx, 3 * PAGE, 2 << 20, &t) && HSL_GA_OFFSET(t.ga) % (2 << 20) == 0,
		  "a short one on a huge page of its own");
	raw_check(alloc(ctx, PAGE, 2ull << 30, &t) == -EINVAL, "2 GiB is EINVAL");
	raw_check(alloc(ctx, PAGE, 3 * PAGE, &t) == -EINVAL, "what is no power of two is EINVAL");
	raw_check(alloc(ctx, PAGE, PAGE / 2, &t) == -EINVAL, "less than a page is EINVAL");
	raw_check(alloc(ctx, chip_bytes, 0, &t) == -ENOSPC, "the whole chip is ENOSPC meanwhile");
	raw_check(alloc(ctx, ~0ull, 0, &t) == -ENOSPC, "2^64 - 1 bytes are ENOSPC");
	close(ctx);
	ctx = ctx_open();
	whole_chip(ctx, "afterwards");
	close(ctx);
}

/* ---- steady ---- */

#define BURST	500u	/* pages that wait to be zeroed, at most */

static atomic_bool changing;

static void *change(void *arg)
{
	int ctx = *(int *)arg;
	struct raw_seg s;

	for (unsigned int i = 0; i < 40 * BURST; i++) {
		if (i % BURST == 0)
			raw_free_bytes(ctx, NODE);
		if (alloc(ctx, PAGE, 0, &s) || raw_free(ctx, s.handle))
			raw_bail("a page");
	}
	atomic_store(&changing, false);
	return NULL;
}

static void test_steady(void)
{
	int ctx = ctx_open();
	uint64_t all = raw_free_bytes(ctx, NODE), least = all, most = 0;
	struct hsl_chip_info ci;
	unsigned long looks = 0;
	pthread_t t;

	atomic_store(&changing, true);
	if (pthread_create(&t, NULL, change, &ctx))
		raw_bail("pthread_create");
	for (; atomic_load(&changing); looks++) {
		if (raw_chip(ctx, NODE, &ci))
			raw_bail("CHIP_INFO");
		least = ci.mem_free_bytes < least ? ci.mem_free_bytes : least;
		most = ci.mem_free_bytes > most ? ci.mem_free_bytes : most;
	}
	pthread_join(t, NULL);
	printf("# %lu looks, %llu to %llu of %llu bytes free\n", looks, (unsigned long long)least, (unsigned long long)most,
	       (unsigned long long)all);
	raw_check(looks && most <= all && least + (BURST + 2) * PAGE >= all, "never are more than %u pages missing", BURST + 2);
	raw_check(raw_free_bytes(ctx, NODE) == all, "and none in the end");
	close(ctx);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (!strcmp(what, "random"))
		test_random(argc > 2 ? strtoul(argv[2], NULL, 0) : 100000);
	else if (!strcmp(what, "many"))
		test_many();
	else if (!strcmp(what, "align"))
		test_align();
	else if (!strcmp(what, "steady"))
		test_steady();
	else
		return fprintf(stderr, "chipmem random [n] | many | align | steady\n"), 2;
	return raw_done();
}
