/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* MAP: global addresses, segments, their limits and rights. */
#include <inttypes.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "hsltest.h"

#define KIB ((uint64_t)1024)
#define MIB (1024 * KIB)

/* Both as destination and as source; neither good operand may change. */
static void bad_ga_at(struct ht *t, struct hsl_queue *q, struct ht_buf *good, uint64_t ga,
		      uint64_t len, uint32_t status, uint64_t fault, const char *what)
{
	struct hsl_completion c;
	struct hsl_op op;

	op = ht_op_copy(ga, good->ga, len);
	ht_op_run(t, q, &op, &c);
	ht_status(t, &c, status, what);
	HT_EQ(t, "fault GA of a bad destination", c.fault_ga, fault);
	op = ht_op_copy(good->ga, ga, len);
	ht_op_run(t, q, &op, &c);
	ht_status(t, &c, status, what);
	HT_EQ(t, "fault GA of a bad source", c.fault_ga, fault);
	op = ht_op_fill(ga, len, 0xbad);
	ht_op_run(t, q, &op, &c);
	ht_status(t, &c, status, what);
	ht_buf_check(t, good, what);
}

static void bad_ga(struct ht *t, struct hsl_queue *q, struct ht_buf *good, uint64_t ga,
		   uint64_t len, uint32_t status, const char *what)
{
	bad_ga_at(t, q, good, ga, len, status, ga, what);
}

static void bad_nodes(struct ht *t)
{
	uint32_t last = t->chip[t->nchips - 1].node;
	struct ht_buf b, h;
	struct hsl_queue *q;

	ht_buf_new(t, &b, t->chip[0].node, 64 * KIB);
	ht_buf_new(t, &h, 0, 64 * KIB);
	q = ht_queue_new(t, t->chip[0].node, 0);
	bad_ga(t, q, &b, 0, 64, HSL_ST_SEGMENT, "GA 0");
	bad_ga(t, q, &b, HSL_GA(0, HSL_GA_OFFSET(b.ga)), 64, HSL_ST_SEGMENT, "node 0");
	bad_ga(t, q, &b, HSL_GA(last + 1, HSL_GA_OFFSET(b.ga)), 64, HSL_ST_SEGMENT, "unknown chip");
	bad_ga(t, q, &b, HSL_GA(16383, HSL_GA_OFFSET(b.ga)), 64, HSL_ST_SEGMENT, "last chip id");
	bad_ga(t, q, &b, HSL_GA(HSL_NODE_SWITCH_FIRST, HSL_GA_OFFSET(b.ga)), 64, HSL_ST_SEGMENT,
	       "switch");
	bad_ga(t, q, &b, HSL_GA(HSL_NODE_MAX, HSL_GA_OFFSET(b.ga)), 64, HSL_ST_SEGMENT,
	       "last node id");
	bad_ga(t, q, &b, HSL_GA(t->info.host_node + 1, HSL_GA_OFFSET(h.ga)), 64, HSL_ST_SEGMENT,
	       "unknown host");
	bad_ga(t, q, &b, b.ga | 1ull << 63, 64, HSL_ST_SEGMENT, "bit 63");
	bad_ga(t, q, &h, UINT64_MAX - 63, 64, HSL_ST_SEGMENT, "end of all addresses");
	ht_queue_free(t, q);
	ht_buf_free(t, &b);
	ht_buf_free(t, &h);
}

/* The driver maps memory write-back, so that the one through sysfs, uncached, is refused: /dev/mem.
 */
static void offset_is_bar(struct ht *t)
{
	uint64_t base, bytes, len = 256 * KIB;
	struct hsl_queue *q;
	struct ht_buf b, h;
	struct ht_bar bar;
	struct ht_diff d;
	unsigned int i, k;

	for (i = 0; i < t->nchips; i++) {
		base = ht_bar_address(t, &t->chip[i], ht_bar_of(t, &t->chip[i], HT_BAR_MEM));
		bytes = ht_bar_bytes(t, &t->chip[i], ht_bar_of(t, &t->chip[i], HT_BAR_MEM));
		q = ht_queue_new(t, t->chip[i].node, 0);
		ht_buf_new(t, &h, 0, len);
		for (k = 0; k < 3; k++) {
			ht_buf_new(t, &b, t->chip[i].node, len);
			HT_TRUE(t,
				HSL_GA_OFFSET(b.ga) <= bytes && len <= bytes - HSL_GA_OFFSET(b.ga),
				"segment at GA %#" PRIx64 " is outside the memory BAR", b.ga);
			ht_bus_map(t, base + HSL_GA_OFFSET(b.ga), len, &bar);
			HT_TRUE(t, ht_equal((void *)bar.p, b.shadow, len, &d),
				"chip %u, GA %#" PRIx64 ": the memory BAR has 0x%02x there, expected 0x%02x",
				t->chip[i].node, b.ga + d.first, d.got, d.expected);
			/* a command writes, the BAR shows it */
			ht_copy(t, q, &b, 0, &h, 0, len);
			HT_TRUE(t, ht_equal((void *)bar.p, b.shadow, len, &d),
				"chip %u, GA %#" PRIx64
				": the memory BAR has 0x%02x after COPY, expected 0x%02x",
				t->chip[i].node, b.ga + d.first, d.got, d.expected);
			/* the BAR is written, mapping and command show it */
			ht_pattern(b.shadow, len, ht_random(t));
			memcpy((void *)bar.p, b.shadow, len);
			ht_buf_check(t, &b, "segment after writing through the BAR");
			ht_copy(t, q, &h, 0, &b, 0, len);
			ht_buf_check(t, &h, "COPY after writing through the BAR");
			ht_bar_unmap(&bar);
			ht_buf_free(t, &b);
		}
		ht_queue_free(t, q);
		ht_buf_free(t, &h);
	}
}

static void past_end(struct ht *t, struct ht_buf *b, struct ht_buf *other, struct hsl_queue *q)
{
	const struct {
		uint64_t back, len;
	} cases[] = {
		{ 1, 2 },
		{ 64, 65 },
		{ 4096, 4097 },
		{ 4095, 8192 },
		{ 1, 64 * KIB },
		{ 64 * KIB, 64 * KIB + 1 },
		{ b->len, b->len + 1 },
		{ 64, t->chip[0].max_len_bytes },
	};
	struct hsl_completion c;
	struct hsl_op op;
	unsigned int i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t ga = b->ga + b->len - cases[i].back;

		op = ht_op_fill(ga, cases[i].len, ht_random(t));
		ht_op_run(t, q, &op, &c);
		ht_status(t, &c, HSL_ST_RANGE, "FILL past the end");
		/* the first byte that is not the segment's */
		HT_EQ(t, "fault GA of FILL past the end", c.fault_ga, b->ga + b->len);
		/* the good operand is long enough only for the short ones: dst is checked first, so
		 * give the bad one there */
		op = ht_op_copy(ga, other->ga, cases[i].len);
		ht_op_run(t, q, &op, &c);
		ht_status(t, &c, HSL_ST_RANGE, "COPY to past the end");
		if (cases[i].len <= other->len) {
			op = ht_op_copy(other->ga, ga, cases[i].len);
			ht_op_run(t, q, &op, &c);
			ht_status(t, &c, HSL_ST_RANGE, "COPY from past the end");
		}
	}
}

static void range(struct ht *t)
{
	struct ht_buf b[3], h;
	struct hsl_queue *q;
	unsigned int i;

	/* neighbours of one context: running from one into the next is past the end all the same */
	for (i = 0; i < 3; i++)
		ht_buf_new(t, &b[i], t->chip[0].node, 128 * KIB);
	ht_buf_new(t, &h, 0, 128 * KIB);
	q = ht_queue_new(t, t->chip[0].node, 0);
	past_end(t, &b[0], &b[1], q);
	past_end(t, &b[1], &h, q);
	past_end(t, &b[2], &b[0], q);
	past_end(t, &h, &b[1], q);
	for (i = 0; i < 3; i++)
		ht_buf_check(t, &b[i], "after refused commands");
	ht_buf_check(t, &h, "after refused commands");
	ht_queue_free(t, q);
	for (i = 0; i < 3; i++)
		ht_buf_free(t, &b[i]);
	ht_buf_free(t, &h);
}

static uint64_t mem_free(struct ht *t, uint32_t node)
{
	struct hsl_chip_props p = { .size = sizeof(p) };

	HT_OK(t, hsl_chip_by_node(t->f, node, &p));
	return p.mem_free_bytes;
}

static void check_zero(struct ht *t, const uint8_t *p, uint64_t len, uint64_t ga, const char *what)
{
	uint64_t i;

	for (i = 0; i < len; i++) {
		if (p[i])
			HT_FAIL_TEST(t,
				     "%s: GA %#" PRIx64 " (byte %" PRIu64
				     "): expected 0x00, got 0x%02x",
				     what, ga + i, i, p[i]);
	}
}

static void zeroed(struct ht *t)
{
	uint64_t len = 8 * MIB, old_ga, ga, big;
	uint32_t node = t->chip[0].node;
	struct hsl_segment *s;
	struct hsl_queue *q;
	struct ht_buf h;
	bool reused = false;
	void *p;

	q = ht_queue_new(t, node, 0);
	HT_OK(t, hsl_segment_alloc(t->f, node, len, NULL, &s));
	HT_OK(t, hsl_segment_map(s, &p));
	check_zero(t, p, len, hsl_segment_ga(s), "first owner");
	/* dirty it by command and by CPU */
	old_ga = hsl_segment_ga(s);
	HT_OK(t, hsl_fill(q, old_ga, len, 0xa5a5a5a5a5a5a5a5ull));
	memset(p, 0x5a, 4096);
	HT_OK(t, hsl_segment_free(s));

	big = mem_free(t, node);
	big = big < 64 * MIB ? big : 64 * MIB;
	while (big >= len && hsl_segment_alloc(t->f, node, big, NULL, &s))
		big /= 2;
	HT_TRUE(t, big >= len, "freed %" PRIu64 " bytes and cannot allocate them again", len);
	ga = hsl_segment_ga(s);
	reused = ga < old_ga + len && old_ga < ga + big;
	HT_OK(t, hsl_segment_map(s, &p));
	check_zero(t, p, big, ga, "next owner, by CPU");
	ht_buf_new(t, &h, 0, len);
	HT_OK(t, hsl_copy(q, h.ga, ga, len));
	check_zero(t, h.p, len, ga, "next owner, by COPY");
	ht_note(t, "%" PRIu64 " MiB checked, the dirty range was %s", big / MIB,
		reused ? "among them" : "not among them");
	HT_OK(t, hsl_segment_free(s));
	ht_buf_free(t, &h);
	ht_queue_free(t, q);
}

static void store_at(uint8_t *p, uint64_t v, unsigned int width)
{
	/* one store of this width each; unaligned on purpose where the caller says so */
	switch (width) {
	case 1: *(volatile uint8_t *)p = (uint8_t)v; break;
	case 2: {
		uint16_t x = (uint16_t)v;
		memcpy(p, &x, 2);
		break;
	}
	case 4: {
		uint32_t x = (uint32_t)v;
		memcpy(p, &x, 4);
		break;
	}
	default: memcpy(p, &v, 8); break;
	}
}

static void cpu_and_commands(struct ht *t)
{
	struct ht_buf b, h;
	struct hsl_queue *q;
	unsigned int i, k;

	for (k = 0; k < t->nchips && k < 4; k++) {
		ht_buf_new(t, &b, t->chip[k].node, 64 * KIB);
		ht_buf_new(t, &h, 0, 64 * KIB);
		q = ht_queue_new(t, t->chip[k].node, 0);
		for (i = 0; i < 300; i++) {
			unsigned int width = 1u << (i & 3);
			uint64_t off = ht_random_below(t, b.len - 8), v = ht_random(t);

			store_at(b.p + off, v, width);
			memcpy(b.shadow + off, &v, width);
			ht_copy(t, q, &h, off, &b, off,
				width + 3 <= b.len - off ? width + 3 : width);
			ht_buf_check_range(t, &h, off, width, "CPU store, then COPY");
			store_at(h.p + off, ~v, width);
			v = ~v;
			memcpy(h.shadow + off, &v, width);
			ht_copy(t, q, &b, off, &h, off, width);
			ht_buf_check_range(t, &b, off, width, "COPY, then CPU load");
		}
		ht_buf_check(t, &b, "at the end");
		ht_buf_check(t, &h, "at the end");
		ht_queue_free(t, q);
		ht_buf_free(t, &b);
		ht_buf_free(t, &h);
	}
}

static void four_directions(struct ht *t)
{
	struct ht_buf chip_a, chip_b, host_a, host_b,
		*b[4] = { &chip_a, &chip_b, &host_a, &host_b };
	uint64_t len = 192 * KIB, n, so, doff;
	struct hsl_queue *q;
	unsigned int s, d, k, i;

	ht_buf_new(t, &chip_a, t->chip[0].node, len);
	ht_buf_new(t, &chip_b, t->chip[t->nchips - 1].node, len);
	ht_buf_new_host(t, &host_a, len, 4095, HSL_RIGHT_RW);
	ht_buf_new_host(t, &host_b, len, 17, HSL_RIGHT_RW);
	for (k = 0; k < t->nchips && k < 4; k++) {
		q = ht_queue_new(t, t->chip[k].node, 0);
		for (s = 0; s < 4; s++) {
			for (d = 0; d < 4; d++) {
				if (s == d)
					continue;
				ht_step(t, "executed by chip %u, buffer %u to buffer %u",
					t->chip[k].node, s, d);
				for (i = 0; i < 4; i++) {
					n = 1 + ht_random_below(t, i ? 5000 : len - 1);
					so = ht_random_below(t, len - n + 1);
					doff = ht_random_below(t, len - n + 1);
					ht_copy(t, q, b[d], doff, b[s], so, n);
				}
				ht_buf_check(t, b[d], "destination");
				ht_buf_check(t, b[s], "source");
				ht_buf_pattern(t, b[d]);
			}
		}
		ht_queue_free(t, q);
	}
	for (i = 0; i < 4; i++)
		ht_buf_free(t, b[i]);
}

static int by_ga(const void *a, const void *b)
{
	uint64_t x = hsl_segment_ga(*(struct hsl_segment *const *)a),
		 y = hsl_segment_ga(*(struct hsl_segment *const *)b);

	return x < y ? -1 : x > y;
}

static void no_overlap(struct ht *t)
{
	enum { N = 200 };
	struct hsl_segment *s[N] = { 0 };
	struct hsl_fabric *f2 = ht_open_again(t);
	uint64_t end, len;
	unsigned int i, n = 0, round;
	int rc;

	for (round = 0; round < 3; round++) {
		for (i = 0; i < N; i++) {
			if (s[i])
				continue;
			len = 1 + ht_random_below(t, i % 7 ? 64 * KIB : 1 * MIB);
			rc = hsl_segment_alloc(i & 1 ? f2 : t->f, t->chip[i % t->nchips].node, len,
					       NULL, &s[i]);
			if (rc == -ENOSPC)
				continue;
			HT_TRUE(t, !rc, "hsl_segment_alloc: %s", ht_errno_name(rc));
		}
		/* pack, sort, compare neighbours */
		for (i = 0, n = 0; i < N; i++) {
			if (s[i])
				s[n++] = s[i];
		}
		for (i = n; i < N; i++)
			s[i] = NULL;
		qsort(s, n, sizeof(s[0]), by_ga);
		for (i = 1; i < n; i++) {
			end = hsl_segment_ga(s[i - 1]) + hsl_segment_len(s[i - 1]);
			HT_TRUE(t, end <= hsl_segment_ga(s[i]),
				"segments [%#" PRIx64 ", %#" PRIx64 ") and %#" PRIx64 " overlap",
				hsl_segment_ga(s[i - 1]), end, hsl_segment_ga(s[i]));
		}
		for (i = 0; i < n; i++) { /* free about half of them, so that holes are used next */
			if (ht_random(t) & 1) {
				HT_OK(t, hsl_segment_free(s[i]));
				s[i] = NULL;
			}
		}
	}
	for (i = 0; i < N; i++)
		HT_OK(t, hsl_segment_free(s[i]));
	hsl_fabric_close(f2);
}

static void alignment(struct ht *t)
{
	static const uint64_t lens[] = { 1, 4095, 4096, 4097, 65536, 65537, 1000000 };
	uint64_t page = t->info.page_size_bytes, align, want;
	struct hsl_segment_opts o = { .size = sizeof(o) };
	struct hsl_segment *s, *odd;
	unsigned int i;

	HT_TRUE(t, page >= 4096 && !(page & (page - 1)), "page size %" PRIu64, page);
	for (align = page; align <= 16 * MIB; align *= 2) {
		for (i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
			/* something small first, so that the next free address is not aligned by
			 * accident */
			HT_OK(t, hsl_segment_alloc(t->f, t->chip[0].node, page, NULL, &odd));
			o.align_bytes = align;
			HT_OK(t, hsl_segment_alloc(t->f, t->chip[0].node, lens[i], &o, &s));
			want = (lens[i] + page - 1) & ~(page - 1);
			HT_TRUE(t, !(hsl_segment_ga(s) & (align - 1)),
				"GA %#" PRIx64 " for alignment %#" PRIx64, hsl_segment_ga(s),
				align);
			HT_EQ(t, "length rounded up", hsl_segment_len(s), want);
			HT_OK(t, hsl_segment_free(s));
			HT_OK(t, hsl_segment_free(odd));
		}
	}
}

static void free_all(struct ht *t)
{
	enum { N = 64 };
	struct hsl_segment *s[N], *all;
	uint32_t node = t->chip[0].node;
	uint64_t page = t->info.page_size_bytes;
	unsigned int i, round;

	if (mem_free(t, node) != t->chip[0].mem_bytes)
		HT_INCONCLUSIVE_TEST(t, "somebody else holds memory of chip %u", node);
	for (round = 0; round < 2; round++) {
		memset(s, 0, sizeof(s));
		for (i = 0; i < N; i++)
			HT_OK(t, hsl_segment_alloc(t->f, node, page * (1 + ht_random_below(t, 200)),
						   NULL, &s[i]));
		for (i = 0; i < N; i += 2)
			HT_OK(t, hsl_segment_free(s[i]));
		for (i = 1; i < N; i += 2)
			HT_OK(t, hsl_segment_free(s[i]));
		ht_step(t, "allocating %" PRIu64 " bytes in one piece", t->chip[0].mem_bytes);
		HT_OK(t, hsl_segment_alloc(t->f, node, t->chip[0].mem_bytes, NULL, &all));
		HT_RC(t, hsl_segment_alloc(t->f, node, page, NULL, &s[0]), -ENOSPC);
		HT_OK(t, hsl_segment_free(all));
	}
	ht_wait_free(t, node, t->chip[0].mem_bytes, t->chip[0].nqueues_free);
}

/*
 * Free a segment under a stream of commands that write it, then own the memory again: no late write
 * may come.
 */
static void no_late_write(struct ht *t)
{
	enum { OPS = 16, ROUNDS = 20 };
	struct hsl_completion c[OPS];
	struct hsl_op ops[OPS];
	uint64_t len = 4 * MIB;
	struct ht_diff d;
	struct hsl_queue *q;
	unsigned int i, round;
	struct hsl_segment *s;
	uint8_t *p, *want;

	q = ht_queue_new(t, t->chip[0].node, OPS);
	p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	want = malloc(len);
	if (p == MAP_FAILED || !want)
		HT_SKIP_TEST(t, "no memory");
	for (round = 0; round < ROUNDS; round++) {
		memset(p, 0, len);
		HT_OK(t, hsl_segment_register(t->f, p, len, NULL, &s));
		for (i = 0; i < OPS; i++) {
			ops[i] = ht_op_fill(hsl_segment_ga(s), len, ~0ull);
			ops[i].cookie = i;
		}
		ht_submit_all(t, q, ops, OPS);
		if (round & 1)
			usleep((unsigned int)ht_random_below(t, 2000));
		HT_OK(t, hsl_segment_free(s));
		/* the memory is ours alone now */
		ht_pattern(want, len, ht_random(t));
		memcpy(p, want, len);
		ht_wait_all(t, q, c, OPS);
		HT_TRUE(t, ht_equal(p, want, len, &d),
			"round %u: byte %" PRIu64
			" was written after hsl_segment_free returned: expected 0x%02x, got 0x%02x",
			round, d.first, d.expected, d.got);
	}
	free(want);
	munmap(p, len);
	ht_queue_free(t, q);
}

static void freed_segment(struct ht *t)
{
	enum { OPS = 8, ROUNDS = 30 };
	unsigned int i, k, round, ended[3] = { 0 };
	uint64_t cookies[OPS], ga, len = 4 * MIB, bad;
	struct hsl_completion c[OPS], extra;
	struct hsl_op ops[OPS];
	struct hsl_segment *s;
	struct hsl_queue *q;
	struct ht_buf keep;

	ht_buf_new(t, &keep, t->chip[0].node, 64 * KIB);
	q = ht_queue_new(t, t->chip[0].node, OPS);
	for (round = 0; round < ROUNDS; round++) {
		HT_OK(t, hsl_segment_alloc(t->f, t->chip[0].node, len, NULL, &s));
		ga = hsl_segment_ga(s);
		for (i = 0; i < OPS; i++) {
			ops[i] = ht_op_fill(ga, len, ht_random(t));
			ops[i].cookie = 1000 + i;
		}
		ht_submit_all(t, q, ops, OPS);
		if (round % 3)
			usleep((unsigned int)ht_random_below(t, 3000));
		HT_OK(t, hsl_segment_free(s));
		ht_wait_all(t, q, c, OPS);
		HT_RC(t, hsl_queue_poll(q, &extra, 1), 0);
		for (i = 0; i < OPS; i++) {
			cookies[i] = c[i].cookie;
			k = c[i].status == HSL_ST_OK ? 0 : c[i].status == HSL_ST_REVOKED ? 1 : 2;
			HT_TRUE(t, k < 2 || c[i].status == HSL_ST_SEGMENT,
				"command on a segment that is being freed: status %s",
				hsl_status_name(c[i].status));
			ended[k]++;
		}
		HT_TRUE(t, !ht_cookies_check(cookies, OPS, 1000, OPS, &bad),
			"cookie %" PRIu64 " lost, twice or unknown", bad);
		/* and from now on there is no such segment */
		bad_ga(t, q, &keep, ga, 64, HSL_ST_SEGMENT, "freed segment");
	}
	ht_note(t, "%u ok, %u revoked, %u no-segment", ended[0], ended[1], ended[2]);
	ht_queue_free(t, q);
	ht_buf_free(t, &keep);
}

static void rights_one(struct ht *t, struct hsl_queue *q, struct ht_buf *ro, struct ht_buf *wo,
		       struct ht_buf *rw)
{
	struct hsl_completion c;
	struct hsl_op op;

	op = ht_op_copy(ro->ga + 5, rw->ga, 1000);
	ht_op_run(t, q, &op, &c);
	ht_status(t, &c, HSL_ST_RIGHTS, "COPY into read-only");
	HT_EQ(t, "fault GA", c.fault_ga, ro->ga + 5);
	op = ht_op_fill(ro->ga, 1, 0x77);
	ht_op_run(t, q, &op, &c);
	ht_status(t, &c, HSL_ST_RIGHTS, "FILL of read-only");
	op = ht_op_copy(rw->ga, wo->ga + 9, 1000);
	ht_op_run(t, q, &op, &c);
	ht_status(t, &c, HSL_ST_RIGHTS, "COPY from write-only");
	HT_EQ(t, "fault GA", c.fault_ga, wo->ga + 9);
	ht_buf_check(t, ro, "read-only segment");
	ht_buf_check(t, rw, "after refused commands");
	/* what is allowed works */
	ht_copy(t, q, rw, 3, ro, 1, 2000);
	ht_copy(t, q, wo, 2, rw, 1, 3000);
	ht_buf_check(t, rw, "COPY from read-only");
	ht_buf_check(t, wo, "COPY into write-only");
}

static void rights(struct ht *t)
{
	struct ht_buf ro[2], wo[2], rw;
	unsigned int i, k;
	struct hsl_queue *q;
	uint32_t node = t->chip[t->nchips - 1].node;

	q = ht_queue_new(t, t->chip[0].node, 0);
	ht_buf_new(t, &rw, t->chip[0].node, 16 * KIB);
	ht_buf_new_rights(t, &ro[0], node, 16 * KIB, HSL_RIGHT_READ);
	ht_buf_new_host(t, &ro[1], 16 * KIB, 100, HSL_RIGHT_READ);
	ht_buf_new_rights(t, &wo[0], node, 16 * KIB, HSL_RIGHT_WRITE);
	ht_buf_new_host(t, &wo[1], 16 * KIB, 200, HSL_RIGHT_WRITE);
	for (i = 0; i < 2; i++) {
		for (k = 0; k < 2; k++)
			rights_one(t, q, &ro[i], &wo[k], &rw);
	}
	ht_queue_free(t, q);
	ht_buf_free(t, &rw);
	for (i = 0; i < 2; i++) {
		ht_buf_free(t, &ro[i]);
		ht_buf_free(t, &wo[i]);
	}
}

static void host_unaligned(struct ht *t)
{
	static const struct {
		unsigned int skew;
		uint64_t len;
	} cases[] = {
		{ 0, 1 },    { 1, 1 },	    { 4095, 1 },  { 4095, 2 },		{ 1, 4095 },
		{ 1, 4096 }, { 77, 10000 }, { 4000, 97 }, { 123, 4 * MIB + 5 }, { 0, 4096 },
	};
	uint64_t total, seed, i;
	struct hsl_segment *s;
	struct hsl_queue *q;
	unsigned int k;
	struct ht_buf chip;
	struct ht_diff d;
	uint8_t *area, *want, *p;

	q = ht_queue_new(t, t->chip[0].node, 0);
	ht_buf_new(t, &chip, t->chip[0].node, 4 * MIB + 8192);
	for (k = 0; k < sizeof(cases) / sizeof(cases[0]); k++) {
		uint64_t len = cases[k].len, ga;

		/* a page before and after that belong to the program and not to the segment */
		total = (cases[k].skew + len + 3 * 4096) & ~4095ull;
		area = mmap(NULL, total, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			    0);
		want = malloc(total);
		if (area == MAP_FAILED || !want)
			HT_SKIP_TEST(t, "no memory");
		seed = ht_random(t);
		ht_pattern(area, total, seed);
		ht_pattern(want, total, seed);
		p = area + 4096 + cases[k].skew;
		HT_OK(t, hsl_segment_register(t->f, p, len, NULL, &s));
		ga = hsl_segment_ga(s);
		ht_step(t, "skew %u, length %" PRIu64 ", GA %#" PRIx64, cases[k].skew, len, ga);
		HT_EQ(t, "length of the segment", hsl_segment_len(s), len);
		bad_ga(t, q, &chip, ga - 1, 1, HSL_ST_SEGMENT, "byte before registered memory");
		bad_ga(t, q, &chip, ga - 1, 2, HSL_ST_SEGMENT, "from before registered memory");
		bad_ga(t, q, &chip, ga + len, 1, HSL_ST_SEGMENT, "byte behind registered memory");
		bad_ga_at(t, q, &chip, ga + len - 1, 2, HSL_ST_RANGE, ga + len,
			  "past the end of registered memory");
		HT_TRUE(t, ht_equal(area, want, total, &d),
			"refused commands changed byte %" PRIu64, d.first);
		HT_OK(t, hsl_copy(q, ga, chip.ga + 3, len));
		for (i = 0; i < len; i++)
			want[4096 + cases[k].skew + i] = chip.shadow[3 + i];
		HT_TRUE(t, ht_equal(area, want, total, &d),
			"skew %u, length %" PRIu64 ": byte %" PRId64
			" from the segment's first: expected 0x%02x, got 0x%02x",
			cases[k].skew, len, (int64_t)d.first - 4096 - cases[k].skew, d.expected,
			d.got);
		HT_OK(t, hsl_segment_free(s));
		free(want);
		munmap(area, total);
	}
	ht_queue_free(t, q);
	ht_buf_free(t, &chip);
}

/* ------------------------------------------------------------------ BAR4 windows */

/* The last window, if nobody uses it. */
static uint32_t free_window(struct ht *t, const struct ht_bar *regs,
			    const struct hsl_chip_props *chip)
{
	uint32_t n = ht_read32(regs, HSL_REG_NWINDOWS), i;

	if (!(chip->cap & HSL_CAP_WINDOWS) || !n)
		HT_NA_TEST(t, "chip %u has no BAR4 windows", chip->node);
	i = (n < HSL_WIN_MAX ? n : HSL_WIN_MAX) - 1;
	if (ht_read32(regs, HSL_REG_WIN(i) + HSL_WIN_O_CTRL) ||
	    ht_read32(regs, HSL_REG_WIN(i) + HSL_WIN_O_STATUS))
		HT_SKIP_TEST(t, "window %u of chip %u is in use", i, chip->node);
	return i;
}

static uint32_t window_set(const struct ht_bar *regs, uint32_t i, uint64_t ga, uint64_t size,
			   uint32_t ctx)
{
	uint32_t base = HSL_REG_WIN(i);

	ht_write32(regs, base + HSL_WIN_O_CTRL, 0);
	ht_write64(regs, base + HSL_WIN_O_GA, ga);
	ht_write64(regs, base + HSL_WIN_O_SIZE, size);
	ht_write32(regs, base + HSL_WIN_O_CTX, ctx);
	ht_write32(regs, base + HSL_WIN_O_CTRL, HSL_WIN_CTRL_ENABLE);
	return ht_read32(regs, base + HSL_WIN_O_STATUS);
}

static void window_off(const struct ht_bar *regs, uint32_t i)
{
	uint32_t base = HSL_REG_WIN(i);

	ht_write32(regs, base + HSL_WIN_O_CTRL, 0);
	ht_write64(regs, base + HSL_WIN_O_GA, 0);
	ht_write64(regs, base + HSL_WIN_O_SIZE, 0);
	ht_write32(regs, base + HSL_WIN_O_CTX, 0);
}

static void window_direct(struct ht *t)
{
	struct hsl_segment_opts o = { .size = sizeof(o), .align_bytes = HSL_WIN_ALIGN };
	uint64_t len = 2 * HSL_WIN_ALIGN, at, i;
	const struct hsl_chip_props *chip = &t->chip[0];
	struct ht_bar regs, win;
	uint32_t w, status, off;
	unsigned int k;

	ht_regs_map(t, chip, &regs);
	w = free_window(t, &regs, chip);
	ht_bar_map(t, chip, ht_bar_of(t, chip, HT_BAR_WIN), &win);
	at = (uint64_t)w << ht_read32(&regs, HSL_REG_WIN_STRIDE_LOG2);
	HT_TRUE(t, at < win.len && len <= win.len - at, "window %u at %#" PRIx64 " is outside its BAR",
		w, at);
	for (k = 0; k < t->nchips; k++) {
		struct hsl_segment *s;
		uint8_t want;
		void *p;

		HT_OK(t, hsl_segment_alloc(t->f, t->chip[k].node, len, &o, &s));
		HT_OK(t, hsl_segment_map(s, &p));
		ht_pattern(p, len, k + 1);
		status = window_set(&regs, w, hsl_segment_ga(s), len, t->info.ctx_index);
		if (status >> 8 == HSL_ST_CONTEXT) { /* the driver's own is the only one it knows */
			ht_note(t, "this chip's windows do not take a context");
			status = window_set(&regs, w, hsl_segment_ga(s), len, 0);
		}
		if (status != HSL_WIN_ACTIVE) {
			window_off(&regs, w);
			HT_FAIL_TEST(t, "window on chip %u: status %#x (%s)", t->chip[k].node,
				     status, hsl_status_name(status >> 8));
		}
		for (i = 0; i < len; i += 4093) {
			want = ((uint8_t *)p)[i];
			if (win.p[at + i] != want) {
				uint8_t got = win.p[at + i];

				window_off(&regs, w);
				HT_FAIL_TEST(t,
					     "window on chip %u, byte %" PRIu64
					     ": expected 0x%02x, got 0x%02x",
					     t->chip[k].node, i, want, got);
			}
			win.p[at + i] = (uint8_t)~want;
			if ((uint8_t)(((volatile uint8_t *)p)[i] ^ want) != 0xff) {
				window_off(&regs, w);
				HT_FAIL_TEST(t,
					     "window on chip %u: a store to byte %" PRIu64
					     " did not reach memory",
					     t->chip[k].node, i);
			}
		}
		window_off(&regs, w);
		off = ht_read32(&regs, HSL_REG_WIN(w) + HSL_WIN_O_STATUS);
		HT_EQ(t, "STATUS of a window that is off", off, 0);
		HT_OK(t, hsl_segment_free(s));
	}
	ht_bar_unmap(&win);
	ht_bar_unmap(&regs);
}

static void window_refused(struct ht *t)
{
	struct hsl_segment_opts o = { .size = sizeof(o), .align_bytes = HSL_WIN_ALIGN };
	const struct hsl_chip_props *chip = &t->chip[0];
	uint64_t stride, ga;
	struct hsl_segment *s;
	struct ht_bar regs;
	uint32_t w, ctx = t->info.ctx_index, status;
	unsigned int i, n;

	ht_regs_map(t, chip, &regs);
	w = free_window(t, &regs, chip);
	stride = 1ull << ht_read32(&regs, HSL_REG_WIN_STRIDE_LOG2);
	HT_OK(t, hsl_segment_alloc(t->f, chip->node, 4 * HSL_WIN_ALIGN, &o, &s));
	ga = hsl_segment_ga(s);
	{
		const struct {
			uint64_t ga, size;
			const char *what;
		} cases[] = {
			{ ga + 4096, HSL_WIN_ALIGN, "GA misaligned" },
			{ ga, HSL_WIN_ALIGN + 4096, "SIZE misaligned" },
			{ ga, 0, "SIZE 0" },
			{ ga, stride * 2, "SIZE above the stride" },
			{ HSL_GA(chip->node, chip->mem_bytes), HSL_WIN_ALIGN,
			  "GA behind the memory" },
			{ HSL_GA(chip->node, chip->mem_bytes - HSL_WIN_ALIGN), 2 * HSL_WIN_ALIGN,
			  "runs past the memory" },
			{ HSL_GA(16383, 0), HSL_WIN_ALIGN, "unknown node" },
			{ 0, HSL_WIN_ALIGN, "GA 0" },
			{ ga, 8 * HSL_WIN_ALIGN, "runs past the segment" },
		};

		/* a chip may know the driver's own context only, and then no segments of a window
		 */
		n = sizeof(cases) / sizeof(cases[0]);
		status = window_set(&regs, w, ga, HSL_WIN_ALIGN, ctx);
		window_off(&regs, w);
		if (status >> 8 == HSL_ST_CONTEXT) {
			ht_note(t, "this chip's windows do not take a context");
			ctx = 0;
			n--;
		} else {
			HT_EQ(t, "STATUS of a good window", status, HSL_WIN_ACTIVE);
		}
		for (i = 0; i < n; i++) {
			status = window_set(&regs, w, cases[i].ga, cases[i].size, ctx);
			window_off(&regs, w);
			HT_TRUE(t, status != HSL_WIN_ACTIVE, "window with %s is active",
				cases[i].what);
			HT_TRUE(t, status >> 8 && status >> 8 < HSL_ST_COUNT && !(status & 0xff),
				"window with %s: STATUS %#x names no reason", cases[i].what,
				status);
		}
	}
	HT_OK(t, hsl_segment_free(s));
	ht_bar_unmap(&regs);
}

const struct ht_test ht_tests_map[] = {
	{ "HEP-MAP-001", "bad_nodes",
	  "operands in node 0, unknown nodes and switches fail with SEGMENT", bad_nodes, 0, 0 },
	{ "HEP-MAP-002", "offset_is_bar", "offset x of a chip is byte x of its memory BAR",
	  offset_is_bar, HT_F_BAR, 0 },
	{ "HEP-MAP-003", "range",
	  "running past a segment's end fails with RANGE and changes nothing", range, 0, 0 },
	{ "HEP-MAP-004", "zeroed", "allocated memory is zero after an earlier owner dirtied it",
	  zeroed, 0, 0 },
	{ "HEP-MAP-005", "cpu_and_commands", "CPU stores and commands see each other, all widths",
	  cpu_and_commands, 0, 0 },
	{ "HEP-MAP-006", "four_directions", "COPY host and chip, all directions, every executor",
	  four_directions, 0, 0 },
	{ "HEP-MAP-007", "no_overlap", "live segments of two contexts never overlap", no_overlap, 0,
	  0 },
	{ "HEP-MAP-008", "alignment", "alignment as asked for, length rounded up to the page",
	  alignment, 0, 0 },
	{ "HEP-MAP-009", "free_all", "all freed memory can be allocated in one piece", free_all, 0,
	  180 },
	{ "HEP-MAP-010", "no_late_write", "no command writes memory after its segment was freed",
	  no_late_write, 0, 0 },
	{ "HEP-MAP-011", "freed_segment",
	  "commands on a freed segment end once: OK, REVOKED or SEGMENT", freed_segment, 0, 0 },
	{ "HEP-MAP-012", "rights", "READ and WRITE are enforced on chip and host memory", rights, 0,
	  0 },
	{ "HEP-MAP-013", "host_unaligned", "registered memory of any alignment, and only its bytes",
	  host_unaligned, 0, 0 },
	{ "HEP-MAP-014", "window_direct", "a direct window shows the target's bytes", window_direct,
	  HT_F_BAR, 0 },
	{ "HEP-MAP-015", "window_refused", "a bad window is refused with a status", window_refused,
	  HT_F_BAR, 0 },
	{ 0 }
};
