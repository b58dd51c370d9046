// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * hslbench mem: what it takes to get memory and to give it back, by size. Each turn allocates, maps, touches every page, exports,
 * imports, revokes and frees chip memory, and registers and deregisters host memory; each of these is timed by itself.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench.h"
#include "progress.h"

enum step { ALLOC, MAP, TOUCH, EXPORT, IMPORT, REVOKE, FREE, REGISTER, DEREGISTER, STEPS };
static const char *const step_name[STEPS] = {
	"alloc", "map", "touch", "export", "import", "revoke", "free", "register", "deregister",
};

struct row {				/* of one size */
	uint64_t size;
	void *host;			/* what is registered */
	struct hsl_fabric *other;	/* who imports: a context of its own */
	struct tool_stats *stats[STEPS];
	uint64_t total_ns[STEPS];
	bool wanted[STEPS];
	struct bench_share share;
	char reason[STEPS][160];
};

static bool step_done(struct bench *b, struct row *r, enum step s, int rc, uint64_t t0)
{
	uint64_t t1 = bench_now_ns();

	if (rc == -EOPNOTSUPP || rc == -ENOSPC || (rc == -ENOMEM && s == REGISTER)) {
		snprintf(r->reason[s], sizeof(r->reason[s]), "%s%s", strerror(-rc), rc == -ENOMEM ? " (ulimit -l?)" : "");
		return false;
	}
	if (rc) {
		bench_complain(b, "mem %s of %llu bytes: %s", step_name[s], (unsigned long long)r->size, strerror(-rc));
		r->share.errors++;
		return false;
	}
	tool_stats_add(r->stats[s], t1 - t0);
	r->total_ns[s] += t1 - t0;
	return true;
}

/* Fresh memory is zero; a store into each page is what a first user pays. */
static bool touch(struct bench *b, struct row *r, uint8_t *p)
{
	uint64_t page = b->info.page_size_bytes;
	uint8_t seen = 0;

	for (uint64_t off = 0; off < r->size; off += page) {
		seen |= *(volatile uint8_t *)(p + off);
		*(volatile uint8_t *)(p + off) = 0xa5;
	}
	if (seen) {
		bench_complain(b, "mem: fresh memory of chip %u at address 0x%llx: expected 0x00 got 0x%02x", b->a.node,
			       (unsigned long long)(uintptr_t)p, seen);
		r->share.errors++;
	}
	return !seen;
}

static void share_and_revoke(struct bench *b, struct row *r, struct hsl_segment *s)
{
	struct hsl_segment *got = NULL;
	uint64_t t0 = bench_now_ns();
	int fd = -1;

	if (!step_done(b, r, EXPORT, hsl_segment_export(s, 0, 0, &fd), t0))
		return;
	t0 = bench_now_ns();
	step_done(b, r, IMPORT, hsl_segment_import(r->other, fd, 0, &got), t0);
	t0 = bench_now_ns();
	step_done(b, r, REVOKE, hsl_segment_revoke(s), t0);
	if (got)
		hsl_segment_free(got);
	close(fd);
}

static void turn(struct bench *b, struct row *r)
{
	struct hsl_segment_opts opts = { .size = sizeof(opts), .flags = b->config->observable ? HSL_SEGMENT_OBSERVABLE : 0 };
	struct hsl_segment *s = NULL;
	uint64_t t0 = bench_now_ns();
	void *p;

	if (step_done(b, r, ALLOC, hsl_segment_alloc(b->f, b->a.node, r->size, &opts, &s), t0)) {
		t0 = bench_now_ns();
		if (!bench_stands_still(b) && step_done(b, r, MAP, hsl_segment_map(s, &p), t0)) {
			t0 = bench_now_ns();
			step_done(b, r, TOUCH, touch(b, r, p) ? 0 : -EIO, t0);
		}
		if (r->other)
			share_and_revoke(b, r, s);
		t0 = bench_now_ns();
		step_done(b, r, FREE, hsl_segment_free(s), t0);
	}
	t0 = bench_now_ns();
	if (step_done(b, r, REGISTER, hsl_segment_register(b->f, r->host, r->size, NULL, &s), t0)) {
		t0 = bench_now_ns();
		step_done(b, r, DEREGISTER, hsl_segment_free(s), t0);
	}
}

static void row_run(struct bench *b, struct row *r)
{
	const struct bench_config *c = b->config;
	uint64_t start = bench_now_ns(), n = 0, now = start;
	char buf[TOOL_SIZE_LEN];

	tool_progress("mem: %s", tool_size_format(r->size, buf, sizeof(buf)));
	r->host = mmap(NULL, r->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (r->host == MAP_FAILED) {
		for (unsigned int s = 0; s < STEPS; s++)
			snprintf(r->reason[s], sizeof(r->reason[s]), "no host memory of that size: %s", strerror(errno));
		return;
	}
	while (!tool_stopped() && !r->share.errors && (c->iters ? n < c->iters : now - start < c->duration_ns)) {
		turn(b, r);
		now = bench_now_ns();
		n++;
	}
	munmap(r->host, r->size);
	tool_progress_clear();
}

static void row_report(struct bench *b, struct row *row)
{
	for (unsigned int s = 0; s < STEPS; s++) {
		struct bench_result *r;

		if (!row->wanted[s])
			continue;
		r = bench_result_add(b, "mem", step_name[s]);
		snprintf(r->src, sizeof(r->src), s >= REGISTER ? "host" : "chip %u", b->a.node);
		strcpy(r->dst, r->src);
		r->size_bytes = row->size;
		tool_stats_summary(row->stats[s], &r->latency);
		r->ops = r->latency.count;
		r->duration_ns = row->total_ns[s];
		r->ops_per_s = tool_rate(r->ops, r->duration_ns);
		r->errors = s == ALLOC ? row->share.errors : 0;
		r->verified = !row->share.errors && r->ops;
		if (!r->ops)
			snprintf(r->reason, sizeof(r->reason), "%s", row->reason[s][0] ? row->reason[s] :
				 s == TOUCH && row->reason[MAP][0] ? row->reason[MAP] : (s == TOUCH || s == MAP) && bench_stands_still(b) ? BENCH_NO_CPU : tool_stopped() ? "interrupted" : "a step before it could not be done");
	}
}

void bench_mem(struct bench *b)
{
	static const uint64_t normal[] = { 4096, 1 << 20, 16 << 20 }, quick[] = { 4096, 1 << 20 };
	const struct bench_config *c = b->config;
	const uint64_t *size = c->nsizes ? c->size : c->quick ? quick : normal;
	unsigned int n = c->nsizes ? c->nsizes : c->quick ? 2 : 3, order[BENCH_SIZES_MAX], first = b->nresults;
	struct hsl_fabric *other = NULL;
	uint64_t state = c->seed;
	int rc = hsl_fabric_open(c->url, &other);

	for (unsigned int i = 0; i < n; i++)
		order[i] = i;
	bench_shuffle(&state, order, n);
	for (unsigned int i = 0; i < n && !tool_stopped(); i++) {
		struct row *r = tool_calloc(1, sizeof(*r));

		r->size = size[order[i]];
		r->other = other;
		for (unsigned int s = 0; s < STEPS; s++) {
			r->wanted[s] = bench_wants(b, step_name[s]);
			r->stats[s] = tool_stats_new_small();
			if (rc)
				snprintf(r->reason[s], sizeof(r->reason[s]), "second context: %s", strerror(-rc));
		}
		row_run(b, r);
		row_report(b, r);
		for (unsigned int s = 0; s < STEPS; s++)
			tool_stats_free(r->stats[s]);
		free(r);
	}
	bench_results_order(b, first, size, n);
	if (other)
		hsl_fabric_close(other);
}
