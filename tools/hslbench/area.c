// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Buffers. Host memory is mapped by us and registered; chip memory is allocated and mapped for the CPU, which writes
 * source payloads and checks destinations: data moved by a chip is judged by another path than the one measured. Observable
 * memory of sim: cannot be mapped: a queue of its own carries payloads there and back.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench.h"
#include "progress.h"

#define CACHE_LINE	64u
/* Slots in use together: registered memory of an unprivileged user is often limited to 8 MiB, and caches are small. */
#define IN_FLIGHT_BYTES	(2u << 20)
#define IN_FLIGHT_OBSERVABLE	(64u << 10)	/* every line of it is packets */
/*
 * An emulated CPU finds a page through a table indexed by the low bits of the page number: two buffers 16 MiB apart take
 * each other's entries with every access (measured: a fifth of the speed).
 */
#define ALIAS_BYTES	(16ull << 20)
#define ALIAS_NEAR	(256ull << 10)

static const struct tool_pattern poison = { .seed = 0xa5a5a5a5a5a5a5a5ull,
					   .kind = TOOL_PATTERN_CONST };

void bench_complain(struct bench *b, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	if (b->complaints++ > BENCH_COMPLAINTS_MAX)
		return;
	if (b->complaints > BENCH_COMPLAINTS_MAX) {
		tool_error("more errors follow; they are counted, not shown");
		return;
	}
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	tool_error("%s", text);
}

uint32_t bench_slots(const struct bench *b, uint64_t size, uint32_t depth)
{
	uint64_t n = size ? (b->config->observable ? IN_FLIGHT_OBSERVABLE : IN_FLIGHT_BYTES) / size : depth;

	if (n > depth)
		n = depth;
	return n ? (uint32_t)n : 1;
}

uint64_t bench_stride(uint64_t size)
{
	return (size + CACHE_LINE - 1) & ~(uint64_t)(CACHE_LINE - 1);
}

uint64_t bench_huge_bytes(void)
{
	FILE *f = fopen("/proc/meminfo", "re");
	unsigned long kib = 0;
	char line[128];

	while (f && !kib && fgets(line, sizeof(line), f))
		if (sscanf(line, "Hugepagesize: %lu kB", &kib) != 1)
			kib = 0;
	if (f)
		fclose(f);
	return kib * 1024ull;
}

static uint64_t page_round(const struct bench *b, uint64_t len)
{
	uint64_t page = b->config->huge ? bench_huge_bytes() : (uint64_t)sysconf(_SC_PAGESIZE);

	return page ? (len + page - 1) / page * page : len;
}

static void *host_map(const struct bench *b, uint64_t len)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | (b->config->huge ? MAP_HUGETLB : 0), -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

/* --offset: buffers begin so far behind the start of their memory, which is that of a page. */
static void shift(const struct bench *b, struct bench_area *a)
{
	a->p += a->copy ? 0 : b->config->offset;
	a->ga += b->config->offset;
}

/* src and dst in one mapping, far enough from ALIAS_BYTES apart */
static int host_new(struct bench *b, struct bench_set *s, char *reason)
{
	struct bench_area *src = &s->host_src, *dst = &s->host_dst;
	uint64_t off = b->config->offset, apart = page_round(b, s->len + off), r = apart % ALIAS_BYTES;
	int rc;

	if (r < ALIAS_NEAR || r > ALIAS_BYTES - ALIAS_NEAR)
		apart += page_round(b, 2 * ALIAS_NEAR);
	src->mapping_len = apart + page_round(b, s->len + off);
	src->mapping = host_map(b, src->mapping_len);
	if (!src->mapping) {
		rc = -errno;
		snprintf(reason, 160, "%llu bytes of host memory: %s%s", (unsigned long long)src->mapping_len, strerror(-rc),
			 b->config->huge ? " (free huge pages: /proc/sys/vm/nr_hugepages)" : "");
		return rc;
	}
	src->p = src->mapping;
	dst->p = src->p + apart;
	src->len = dst->len = s->len;
	strcpy(src->name, "host");
	strcpy(dst->name, "host");
	for (int i = 0; b->f && i < 2; i++) {
		struct bench_area *a = i ? dst : src;

		rc = hsl_segment_register(b->f, a->p, a->len + off, NULL, &a->seg);
		if (rc) {
			snprintf(reason, 160, "registering %llu bytes of host memory: %s%s",
				 (unsigned long long)a->len,
				 strerror(-rc), rc == -ENOMEM ? " (ulimit -l?)" : "");
			return rc;
		}
		a->ga = hsl_segment_ga(a->seg);
	}
	shift(b, src);
	shift(b, dst);
	return 0;
}

static int copy_new(struct bench *b, struct bench_area *a, uint64_t len)
{
	int rc;

	a->mapping_len = page_round(b, len);
	a->mapping = host_map(b, a->mapping_len);
	if (!a->mapping)
		return -errno;
	rc = hsl_segment_register(b->f, a->mapping, len, NULL, &a->copy);
	if (!rc && !b->carrier)
		rc = hsl_queue_create(b->f, b->a.node, NULL, &b->carrier);
	a->p = a->mapping;
	return rc;
}

int bench_area_new(struct bench *b, struct bench_area *a, uint32_t node, uint64_t len, char *reason)
{
	struct hsl_segment_opts opts = {
		.size = sizeof(opts),
		.flags = b->config->observable ? HSL_SEGMENT_OBSERVABLE : 0,
	};
	void *p = NULL;
	int rc = hsl_segment_alloc(b->f, node, len + b->config->offset, &opts, &a->seg);

	if (rc) {
		snprintf(reason, 160, "%llu bytes on chip %u: %s", (unsigned long long)len, node,
			 strerror(-rc));
		return rc;
	}
	rc = hsl_segment_map(a->seg, &p);
	a->p = p;
	if (rc == -EOPNOTSUPP && opts.flags)
		rc = copy_new(b, a, len);
	if (rc) {
		snprintf(reason, 160, "mapping memory of chip %u: %s", node, strerror(-rc));
		bench_area_free(a);
		return rc;
	}
	a->node = node;
	a->ga = hsl_segment_ga(a->seg);
	a->len = len;
	shift(b, a);
	snprintf(a->name, sizeof(a->name), "chip %u", node);
	return 0;
}

void bench_area_free(struct bench_area *a)
{
	hsl_segment_free(a->copy);
	hsl_segment_free(a->seg);
	if (a->mapping)
		munmap(a->mapping, a->mapping_len);
	memset(a, 0, sizeof(*a));
}

static bool carry(struct bench *b, const struct bench_area *a, bool to_chip)
{
	uint64_t copy = a->copy ? hsl_segment_ga(a->copy) : 0;
	int rc;

	if (!a->copy)
		return true;
	rc = hsl_copy(b->carrier, to_chip ? a->ga : copy, to_chip ? copy : a->ga, a->len);
	if (rc)
		bench_complain(b, "%s: payload %s chip %u: %s", tool_name, to_chip ? "to" : "from", a->node, strerror(-rc));
	return !rc;
}

bool bench_area_push(struct bench *b, const struct bench_area *a)
{
	return carry(b, a, true);
}

bool bench_area_pull(struct bench *b, const struct bench_area *a)
{
	return carry(b, a, false);
}

int bench_set_new(struct bench *b, struct bench_set *s, uint64_t size, uint32_t slots, char *reason)
{
	int rc;

	memset(s, 0, sizeof(*s));
	s->size = size;
	s->slots = slots;
	if (size > (1ull << 46) / slots) {
		snprintf(reason, 160, "no memory is that large");
		return -ENOMEM;
	}
	s->stride = b->config->stride ? b->config->stride : bench_stride(size);
	s->len = s->stride * slots + CACHE_LINE;
	rc = host_new(b, s, reason);
	if (!rc && b->f)
		rc = bench_area_new(b, &s->a_src, b->a.node, s->len, reason);
	if (!rc && b->f)
		rc = bench_area_new(b, &s->a_dst, b->a.node, s->len, reason);
	if (!rc && b->f && b->have_b)
		rc = bench_area_new(b, &s->b_dst, b->b.node, s->len, reason);
	if (rc)
		bench_set_free(s);
	return rc;
}

int bench_set_new_host(struct bench *b, struct bench_set *s, uint64_t len, char *reason)
{
	int rc;

	memset(s, 0, sizeof(*s));
	s->size = s->stride = s->len = bench_stride(len);
	s->slots = 1;
	rc = host_new(b, s, reason);
	if (rc)
		bench_set_free(s);
	return rc;
}

void bench_set_free(struct bench_set *s)
{
	struct bench_area *all[] = { &s->host_src, &s->host_dst, &s->a_src, &s->a_dst, &s->b_dst };

	/* both host areas are in the mapping of the first */
	hsl_segment_free(s->host_dst.seg);
	s->host_dst.seg = NULL;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		bench_area_free(all[i]);
	memset(s, 0, sizeof(*s));
}

static void overwrite(const struct bench_area *a)
{
	memset(a->p, (int)(poison.seed & 0xff), a->len);
}

void bench_area_poison(struct bench *b, const struct bench_area *a)
{
	overwrite(a);
	bench_area_push(b, a);
}

void bench_area_pattern(struct bench *b, const struct bench_set *s, const struct bench_area *a,
			const struct tool_pattern *pt)
{
	overwrite(a);
	for (uint32_t i = 0; i < s->slots; i++)
		tool_pattern_fill(pt, a->p + i * s->stride, s->size, i * s->stride);
	bench_area_push(b, a);
}

/* One piece of the area; *shown says whether this area has been complained about. */
static bool piece_check(struct bench *b, const struct bench_area *a, const struct tool_pattern *pt,
			uint64_t off, uint64_t len,
			const char *what, bool *shown)
{
	struct tool_mismatch m;

	if (tool_pattern_check(pt, a->p + off, len, off, &m))
		return true;
	if (!*shown)
		bench_complain(b,
			       "%s in %s: address 0x%llx (GA 0x%llx) offset 0x%llx expected 0x%02x got 0x%02x, %llu bytes differ here",
			       what, a->name, (unsigned long long)(uintptr_t)(a->p + m.offset),
			       (unsigned long long)(a->ga ? a->ga + m.offset : 0), (unsigned long long)m.offset,
			       m.expected, m.got, (unsigned long long)m.count);
	*shown = true;
	return false;
}

bool bench_area_check(struct bench *b, const struct bench_set *s, const struct bench_area *a,
		      const struct tool_pattern *pt,
		      const char *op)
{
	char buf[TOOL_SIZE_LEN], payload[80], gap[80];
	bool shown = false;
	uint32_t wrong = 0;

	if (!bench_area_pull(b, a))
		return false;
	tool_size_format(s->size, buf, sizeof(buf));
	snprintf(payload, sizeof(payload), "%s %s: wrong payload", op, buf);
	snprintf(gap, sizeof(gap), "%s %s: touched byte beside the payload", op, buf);
	for (uint32_t i = 0; i < s->slots; i++) {
		uint64_t off = i * s->stride;
		/* the last guard reaches to the end of the area */
		uint64_t end = i + 1 == s->slots ? a->len : off + s->stride;
		bool good = piece_check(b, a, pt, off, s->size, payload, &shown);

		good &= piece_check(b, a, &poison, off + s->size, end - off - s->size, gap, &shown);
		wrong += !good;
	}
	if (wrong > 1)
		bench_complain(b, "%s %s: %u of %u buffers are wrong", op, buf, wrong, s->slots);
	return !wrong;
}
