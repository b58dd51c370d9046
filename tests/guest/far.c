// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Windows of 2, 4 and 64 GiB (HEP-MAP-002, HEP-MAP-021, HEP-MAP-025): loads, stores and commands at the far end of each chip's memory
 * reach that byte and no other. In the VM with MEM=2G,4G,64G.
 *
 * Of a segment in each GiB of a chip the first and the last are used: what goes to the last as if only the low bits of the offset
 * counted comes to another one, which one depends on how many count (32 of 36: the fourth), so that all are looked at. Of each
 * size: direct memory in the process's window on the chip, and observable memory, by the chip's own windows.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/raw.h"
#include "hsl/hsl.h"

#define LEN	(64u << 10)
#define GIB	(1ull << 30)

static const uint64_t sizes[] = { 2 * GIB, 4 * GIB, 64 * GIB };
static struct hsl_fabric *f;

struct end {
	uint64_t ga;
	volatile uint64_t *p;
};

static void look(struct hsl_segment *s, struct end *e)
{
	void *p;

	if (hsl_segment_map(s, &p))
		raw_bail("hsl_segment_map");
	*e = (struct end){ .ga = hsl_segment_ga(s), .p = p };
}

/* Words FIRST to FIRST + WORDS - 1 of each of the n segments, by commands: what they are, and what they should be. */
#define FIRST	5u
#define WORDS	3u

struct words {
	unsigned int n;
	uint64_t ga[64], want[64][WORDS];
};

static bool mark(struct hsl_queue *q, struct words *w)
{
	for (unsigned int i = 0; i < w->n * WORDS; i++) {
		uint64_t *v = &w->want[i / WORDS][i % WORDS];

		*v = raw_mix(i);
		if (hsl_fill(q, w->ga[i / WORDS] + 8 * (FIRST + i % WORDS), 8, *v))
			return false;
	}
	return true;
}

static bool as_wanted(struct hsl_queue *q, const struct words *w)
{
	uint64_t v;

	for (unsigned int i = 0; i < w->n * WORDS; i++)
		if (hsl_load(q, w->ga[i / WORDS] + 8 * (FIRST + i % WORDS), 8, &v) || v != w->want[i / WORDS][i % WORDS]) {
			printf("# word %u of segment %u\n", FIRST + i % WORDS, i / WORDS);
			return false;
		}
	return true;
}

/* By the CPU and by commands: each changes the word that it means, and none of any other segment. */
static bool apart(struct hsl_queue *q, struct words *w, const struct end *low, const struct end *high, uint64_t host_ga,
		  volatile uint64_t *host)
{
	uint64_t *lw = w->want[0], *hw = w->want[w->n - 1], old = 0;

	if (!mark(q, w) || !as_wanted(q, w))
		return false;
	if (low->p[FIRST] != lw[0] || high->p[FIRST] != hw[0] || hsl_copy(q, host_ga, high->ga + 8 * FIRST, 8) || host[0] != hw[0])
		return false;
	low->p[FIRST] = lw[0] = 1;
	high->p[FIRST] = hw[0] = 2;
	if (low->p[FIRST] != 1 || high->p[FIRST] != 2 || !as_wanted(q, w))
		return false;
	hw[1] = 3;
	if (hsl_fill(q, high->ga + 8 * (FIRST + 1), 8, 3) || high->p[FIRST + 1] != 3)
		return false;
	hw[0] = 7;
	if (hsl_atomic(q, HSL_ATOMIC_ADD, high->ga + 8 * FIRST, 8, 5, 0, &old) || old != 2 || high->p[FIRST] != 7)
		return false;
	lw[2] = 7;
	if (hsl_copy(q, low->ga + 8 * (FIRST + 2), high->ga + 8 * FIRST, 8) || low->p[FIRST + 2] != 7)
		return false;
	return as_wanted(q, w);
}

static void test_memory(uint32_t node, uint64_t bytes, uint32_t flags, struct hsl_queue *q, uint64_t host_ga, volatile uint64_t *host)
{
	struct hsl_segment_opts o = { .size = sizeof(o), .align_bytes = GIB, .flags = flags };
	const char *what = flags ? "observable" : "direct";
	struct words w = { .n = (unsigned int)(bytes / GIB) };
	struct hsl_segment *s[64];
	struct end low, high;

	for (unsigned int i = 0; i < w.n; i++) {
		struct hsl_segment *any;
		uint64_t gib;

		/* in no order: what was freed before may still be zeroed */
		if (hsl_segment_alloc(f, node, LEN, &o, &any))
			raw_bail("a segment in each GiB");
		gib = HSL_GA_OFFSET(hsl_segment_ga(any)) / GIB;
		if (gib >= w.n)
			raw_bail("a segment beyond the chip's memory");
		s[gib] = any;
		w.ga[gib] = hsl_segment_ga(any);
	}
	look(s[0], &low);
	look(s[w.n - 1], &high);
	raw_check(high.ga - low.ga == bytes - GIB, "chip %u: %s memory at %#llx and %#llx", node, what, (unsigned long long)low.ga,
		  (unsigned long long)high.ga);
	raw_check((uintptr_t)high.p - (uintptr_t)low.p == bytes - GIB, "chip %u: as far apart in the process", node);
	raw_check(apart(q, &w, &low, &high, host_ga, host), "chip %u: loads, stores and commands do not take one for the other", node);
	while (w.n)
		hsl_segment_free(s[--w.n]);
}

static void test_chip(uint32_t node, uint64_t bytes)
{
	struct hsl_window w = { .size = sizeof(w) };
	struct hsl_chip_props p = { .size = sizeof(p) };
	static uint64_t host[512] __attribute__((aligned(4096)));
	struct hsl_segment *h;
	struct hsl_queue *q;
	char cmd[160];

	if (hsl_chip_by_node(f, node, &p) || hsl_window_open(f, node, &w))
		raw_bail("a window on the chip");
	raw_check(p.mem_bytes == bytes, "chip %u has %llu bytes", node, (unsigned long long)p.mem_bytes);
	raw_check(w.len_bytes >= bytes, "a window on all of it: %llu", (unsigned long long)w.len_bytes);
	if (hsl_queue_create(f, node, NULL, &q) || hsl_segment_register(f, host, sizeof(host), NULL, &h))
		raw_bail("a queue or host memory");
	test_memory(node, bytes, 0, q, hsl_segment_ga(h), host);
	test_memory(node, bytes, HSL_SEGMENT_OBSERVABLE, q, hsl_segment_ga(h), host);
	hsl_segment_free(h);
	hsl_queue_destroy(q);
	snprintf(cmd, sizeof(cmd), "hslctl mem --json | tr -d ' ' | grep -q '\"mem_bytes\":%llu,'", (unsigned long long)bytes);
	raw_check(system(cmd) == 0, "chip %u: hslctl mem --json has it to the byte", node);
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (hsl_fabric_open(NULL, &f))
		raw_skip_all(RAW_DEV);
	for (uint32_t node = 1; node <= sizeof(sizes) / sizeof(sizes[0]); node++)
		test_chip(node, sizes[node - 1]);
	hsl_fabric_close(f);
	return raw_done();
}
