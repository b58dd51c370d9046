// SPDX-License-Identifier: MIT OR Apache-2.0
/* What the library's test cases share. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "common/lib_cases.h"

bool lib_check(struct lib_test *t, bool ok, const char *file, int line, const char *what)
{
	if (!ok) {
		printf("# %s:%d: failed: %s\n", file, line, what);
		__atomic_fetch_add(&t->failures, 1, __ATOMIC_RELAXED);
	}
	return ok;
}

bool lib_check_eq(struct lib_test *t, long long got, long long want, const char *file, int line, const char *what)
{
	if (got != want) {
		printf("# %s:%d: %s is %lld, not %lld\n", file, line, what, got, want);
		__atomic_fetch_add(&t->failures, 1, __ATOMIC_RELAXED);
	}
	return got == want;
}

uint64_t lib_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

uint64_t lib_random(struct lib_test *t)
{
	t->rng ^= t->rng << 13;
	t->rng ^= t->rng >> 7;
	t->rng ^= t->rng << 17;
	return t->rng;
}

uint8_t lib_byte(uint64_t seed, size_t i)
{
	/* differs between neighbours, between words and between 4 KiB pages */
	return (uint8_t)((seed + i) * 167 + (i >> 8) * 29 + (i >> 16) * 13);
}

void lib_pattern(uint8_t *p, size_t n, uint64_t seed)
{
	for (size_t i = 0; i < n; i++)
		p[i] = lib_byte(seed, i);
}

bool lib_all(const uint8_t *p, size_t n, uint8_t value)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] != value)
			return false;
	return true;
}

bool lib_op(struct lib_test *t, struct hsl_queue *q, const struct hsl_op *op, struct hsl_completion *c)
{
	int n;

	if (!CHECK_EQ(t, hsl_queue_submit(q, op, 1), 1))
		return false;
	n = hsl_queue_wait(q, c, 1, lib_now_ns() + 60000000000u);
	return CHECK_EQ(t, n, 1) && CHECK(t, c->cookie == op->cookie) &&
	       CHECK_EQ(t, c->error, hsl_status_errno(c->status));
}

bool lib_mem_get(struct lib_test *t, struct lib_mem *m, uint32_t node, size_t len)
{
	void *p = NULL;

	memset(m, 0, sizeof(*m));
	m->len = len;
	m->host = !node;
	if (m->host) {
		p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (!CHECK(t, p != MAP_FAILED))
			return false;
		m->p = p;
		if (!CHECK_EQ(t, hsl_segment_register(t->f, p, len, NULL, &m->s), 0)) {
			munmap(p, len);
			return false;
		}
	} else {
		if (!CHECK_EQ(t, hsl_segment_alloc(t->f, node, len, NULL, &m->s), 0))
			return false;
		if (!CHECK_EQ(t, hsl_segment_map(m->s, &p), 0)) {
			hsl_segment_free(m->s);
			return false;
		}
		m->p = p;
	}
	m->ga = hsl_segment_ga(m->s);
	return true;
}

void lib_mem_put(struct lib_test *t, struct lib_mem *m)
{
	if (m->s)
		CHECK_EQ(t, hsl_segment_free(m->s), 0);
	if (m->host && m->p)
		munmap(m->p, m->len);
	memset(m, 0, sizeof(*m));
}

uint64_t lib_free_beside(struct lib_test *t)
{
	struct hsl_chip_props p = { .size = sizeof(p) };
	struct hsl_segment *all;

	CHECK_EQ(t, hsl_segment_alloc(t->f, t->node[0], t->chip_mem_bytes, NULL, &all), -ENOSPC);
	CHECK_EQ(t, hsl_chip_by_node(t->f, t->node[0], &p), 0);
	return p.mem_free_bytes;
}

uint64_t lib_free_bytes(struct lib_test *t)
{
	struct hsl_segment *page;
	uint64_t bytes;

	if (!CHECK_EQ(t, hsl_segment_alloc(t->f, t->node[0], 1, NULL, &page), 0))
		return 0;
	bytes = lib_free_beside(t) + hsl_segment_len(page);
	CHECK_EQ(t, hsl_segment_free(page), 0);
	return bytes;
}

bool lib_case_run(const struct lib_case *c, const char *url, const char **skipped)
{
	struct lib_test t = { .url = url, .rng = 0x9e3779b97f4a7c15ull };
	struct hsl_chip_props p = { .size = sizeof(p) };

	*skipped = NULL;
	if (!CHECK_EQ(&t, hsl_fabric_open(url, &t.f), 0))
		return false;
	if (CHECK_EQ(&t, hsl_chip_by_index(t.f, 0, &p), 0)) {
		t.node[0] = p.node;
		t.node[1] = p.node;
		t.chip_mem_bytes = p.mem_bytes;
		if (!hsl_chip_by_index(t.f, 1, &p))
			t.node[1] = p.node;
		c->run(&t);
	}
	if (t.f)
		hsl_fabric_close(t.f);
	*skipped = t.skipped;
	return !t.failures;
}
