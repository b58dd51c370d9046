// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Windows of 2, 4 and 64 GiB (HEP-MAP-002, HEP-MAP-021, HEP-MAP-025): loads, stores and commands at the far end of each chip's memory
 * reach that byte and no other. In the VM with MEM=2G,4G,64G.
 *
 * Of a segment in each GiB of a chip the first and the last are used: what goes to the one as if only the low bits of the offset
 * counted comes to the other. Of each size: direct memory in the process's window on the chip, and observable memory, by the
 * chip's own windows.
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

/* The same words of both ends, by the CPU and by commands. */
static bool apart(struct hsl_queue *q, struct end *low, struct end *high, uint64_t host_ga, volatile uint64_t *host)
{
	uint64_t old = 0;

	low->p[5] = 1;
	high->p[5] = 2;
	if (low->p[5] != 1 || high->p[5] != 2)
		return false;
	if (hsl_copy(q, host_ga, high->ga + 40, 8) || host[0] != 2 || hsl_fill(q, high->ga + 48, 8, 3) || low->p[6] || high->p[6] != 3)
		return false;
	if (hsl_atomic(q, HSL_ATOMIC_ADD, high->ga + 40, 8, 5, 0, &old) || old != 2 || high->p[5] != 7 || low->p[5] != 1)
		return false;
	return !hsl_load(q, high->ga + 48, 8, &old) && old == 3 && !hsl_copy(q, low->ga + 56, high->ga + 40, 8) && low->p[7] == 7;
}

static void test_memory(uint32_t node, uint64_t bytes, uint32_t flags, struct hsl_queue *q, uint64_t host_ga, volatile uint64_t *host)
{
	struct hsl_segment_opts o = { .size = sizeof(o), .align_bytes = GIB, .flags = flags };
	const char *what = flags ? "observable" : "direct";
	struct hsl_segment *s[64];
	struct end low, high;
	unsigned int n = 0;

	for (; n < bytes / GIB; n++)
		if (hsl_segment_alloc(f, node, LEN, &o, &s[n]))
			raw_bail("a segment in each GiB");
	look(s[0], &low);
	look(s[n - 1], &high);
	raw_check(high.ga - low.ga == bytes - GIB, "chip %u: %s memory at %#llx and %#llx", node, what, (unsigned long long)low.ga,
		  (unsigned long long)high.ga);
	raw_check((uintptr_t)high.p - (uintptr_t)low.p == bytes - GIB, "chip %u: as far apart in the process", node);
	raw_check(apart(q, &low, &high, host_ga, host), "chip %u: loads, stores and commands do not take one for the other", node);
	while (n)
		hsl_segment_free(s[--n]);
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
