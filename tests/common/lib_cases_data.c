// SPDX-License-Identifier: MIT OR Apache-2.0
/* Operations: what they move, what they refuse, who may. */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/lib_cases.h"

static struct hsl_queue *queue(struct lib_test *t, uint32_t node)
{
	struct hsl_queue *q = NULL;

	CHECK_EQ(t, hsl_queue_create(t->f, node, NULL, &q), 0);
	return q;
}

/* One COPY with 64 guard bytes around the destination. */
static void copy_once(struct lib_test *t, struct hsl_queue *q, struct lib_mem *dst, size_t doff, struct lib_mem *src,
		      size_t soff, size_t len)
{
	struct hsl_op op = { .opcode = HSL_OP_COPY, .cookie = lib_random(t) };
	struct hsl_completion c;
	uint64_t seed = lib_random(t);

	lib_pattern(src->p + soff, len, seed);
	memset(dst->p + doff - 64, 0xee, len + 128);
	op.dst = dst->ga + doff;
	op.src = src->ga + soff;
	op.len = len;
	if (!lib_op(t, q, &op, &c) || !CHECK_EQ(t, c.status, HSL_ST_OK))
		return;
	CHECK_EQ(t, c.result, len);
	CHECK(t, lib_all(dst->p + doff - 64, 64, 0xee) && lib_all(dst->p + doff + len, 64, 0xee));
	for (size_t i = 0; i < len; i++) {
		if (dst->p[doff + i] == lib_byte(seed, i))
			continue;
		printf("# copy of %zu to +%zu from +%zu: byte %zu is %#x, not %#x\n", len, doff, soff, i,
		       dst->p[doff + i], lib_byte(seed, i));
		CHECK(t, !"copied bytes differ");
		return;
	}
}

/* HEP-TXN-004, -009, -011, HEP-MAP-005, -006: every pair of places, sizes and alignments, both chips executing */
static void copy_everywhere(struct lib_test *t)
{
	static const size_t sizes[] = { 1, 2, 3, 7, 8, 9, 63, 64, 65, 255, 4095, 4096, 4097, 65535, 65536, 65537,
					1000003 };
	enum { LEN = 1 << 21 };
	uint32_t nodes[3] = { 0, t->node[0], t->node[1] };
	struct lib_mem a[3] = { 0 }, b[3] = { 0 };
	struct hsl_queue *q[2];

	q[0] = queue(t, t->node[0]);
	q[1] = queue(t, t->node[1]);
	for (int i = 0; i < 3; i++) {
		REQUIRE(t, lib_mem_get(t, &a[i], nodes[i], LEN));
		REQUIRE(t, lib_mem_get(t, &b[i], nodes[i], LEN));
	}
	for (int d = 0; d < 3; d++)
		for (int s = 0; s < 3; s++)
			for (size_t k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++)
				copy_once(t, q[k % 2], &b[d], 64 + lib_random(t) % 5000, &a[s],
					  lib_random(t) % 5000, sizes[k]);
	hsl_queue_destroy(q[0]);
	hsl_queue_destroy(q[1]);
	for (int i = 0; i < 3; i++) {
		lib_mem_put(t, &a[i]);
		lib_mem_put(t, &b[i]);
	}
}

/* HEP-TXN-005 */
static void copy_overlaps(struct lib_test *t)
{
	enum { LEN = 300000 };
	static const long shifts[] = { 0, 1, 7, 8, 64, 4096, 65535, 65536, 100000 };
	uint32_t nodes[2] = { 0, t->node[0] };
	struct hsl_queue *q = queue(t, t->node[0]);
	uint8_t *want = malloc(2 * LEN);
	struct lib_mem m;

	REQUIRE(t, q && want);
	for (int i = 0; i < 2; i++) {
		REQUIRE(t, lib_mem_get(t, &m, nodes[i], 2 * LEN));
		for (size_t k = 0; k < sizeof(shifts) / sizeof(shifts[0]); k++)
			for (int up = 0; up < 2; up++) {
				size_t src = up ? 0 : (size_t)shifts[k], dst = up ? (size_t)shifts[k] : 0;

				lib_pattern(m.p, 2 * LEN, k);
				memcpy(want, m.p, 2 * LEN);
				memmove(want + dst, want + src, LEN);
				CHECK_EQ(t, hsl_copy(q, m.ga + dst, m.ga + src, LEN), 0);
				CHECK(t, !memcmp(want, m.p, 2 * LEN));
			}
		lib_mem_put(t, &m);
	}
	free(want);
	hsl_queue_destroy(q);
}

/* HEP-TXN-006 */
static void fill_everywhere(struct lib_test *t)
{
	enum { LEN = 1 << 20 };
	static const size_t sizes[] = { 1, 5, 8, 13, 64, 4095, 65537, 700001 };
	const uint64_t pattern = 0x8877665544332211ull;
	uint32_t nodes[3] = { 0, t->node[0], t->node[1] };
	struct hsl_queue *q = queue(t, t->node[0]);
	struct lib_mem m;

	REQUIRE(t, q);
	for (int i = 0; i < 3; i++) {
		REQUIRE(t, lib_mem_get(t, &m, nodes[i], LEN));
		for (size_t k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++) {
			size_t off = 64 + lib_random(t) % 999, n = sizes[k];
			bool same = true;

			memset(m.p, 0xee, LEN);
			CHECK_EQ(t, hsl_fill(q, m.ga + off, n, pattern), 0);
			CHECK(t, lib_all(m.p, off, 0xee) && lib_all(m.p + off + n, LEN - off - n, 0xee));
			for (size_t b = 0; b < n; b++)
				same &= m.p[off + b] == (uint8_t)(pattern >> 8 * (b % 8));
			CHECK(t, same);
		}
		lib_mem_put(t, &m);
	}
	hsl_queue_destroy(q);
}

/* HEP-TXN-001, -002, -003, -007, -008, -010; HEP-MAP-001, -003, -012, -013 */
static void operand_checks(struct lib_test *t)
{
	struct hsl_fabric_info info = { .size = sizeof(info) };
	struct hsl_chip_props chip = { .size = sizeof(chip) };
	struct hsl_segment_opts ro = { .size = sizeof(ro), .rights = HSL_RIGHT_READ };
	struct hsl_segment_opts wo = { .size = sizeof(wo), .rights = HSL_RIGHT_WRITE };
	struct hsl_segment *rs, *ws;
	struct hsl_queue *q = queue(t, t->node[0]);
	struct lib_mem m, h;
	uint64_t page, rga, wga, end;

	REQUIRE(t, q);
	REQUIRE_EQ(t, hsl_fabric_info(t->f, &info), 0);
	REQUIRE_EQ(t, hsl_chip_by_node(t->f, t->node[0], &chip), 0);
	page = info.page_size_bytes;
	REQUIRE_EQ(t, hsl_segment_alloc(t->f, t->node[0], page, &ro, &rs), 0);
	REQUIRE_EQ(t, hsl_segment_alloc(t->f, t->node[1], page, &wo, &ws), 0);
	REQUIRE(t, lib_mem_get(t, &m, t->node[0], 4 * page));
	REQUIRE(t, lib_mem_get(t, &h, 0, 4 * page));
	rga = hsl_segment_ga(rs);
	wga = hsl_segment_ga(ws);
	end = m.ga + 4 * page;

	const struct {
		struct hsl_op op;
		uint32_t status;
		uint64_t fault_ga;
	} cases[] = {
		{ { .opcode = HSL_OP_NOP }, HSL_ST_OK, 0 },
		{ { .opcode = HSL_OP_NOP, .dst = m.ga }, HSL_ST_FIELD, 0 },
		{ { .opcode = HSL_OP_NOP, .arg1 = 1 }, HSL_ST_FIELD, 0 },
		{ { .opcode = HSL_OP_NOP, .order = HSL_ORDER_RELAXED }, HSL_ST_OK, 0 },
		{ { .opcode = HSL_OP_NOP, .order = 3 }, HSL_ST_FIELD, 0 },
		{ { .opcode = HSL_OP_COPY_LIST + 1 }, HSL_ST_OPCODE, 0 },
		{ { .opcode = HSL_OP_CTX_INVALIDATE - 1 }, HSL_ST_OPCODE, 0 },
		{ { .opcode = 0x7f, .order = 77 }, HSL_ST_OPCODE, 0 },
		{ { .opcode = HSL_OP_SEG_INVALIDATE, .arg0 = 1, .arg1 = 1 }, HSL_ST_OPCODE, 0 },
		{ { .opcode = HSL_OP_QUEUE_DESTROY, .arg0 = 1 }, HSL_ST_OPCODE, 0 },
		{ { .opcode = 0xff }, HSL_ST_OPCODE, 0 },
		{ { .opcode = HSL_OP_COPY, .dst = m.ga, .src = h.ga, .len = 8, .arg0 = 1 }, HSL_ST_FIELD, 0 },
		{ { .opcode = HSL_OP_FILL, .dst = m.ga, .src = 1, .len = 8 }, HSL_ST_FIELD, 0 },
		{ { .opcode = HSL_OP_FILL, .dst = m.ga, .len = 8, .arg1 = 1 }, HSL_ST_FIELD, 0 },
		{ { .opcode = HSL_OP_COPY, .dst = m.ga, .src = h.ga, .len = chip.max_len_bytes + 1 },
		  HSL_ST_LENGTH, 0 },
		{ { .opcode = HSL_OP_FILL, .dst = m.ga, .len = UINT64_MAX }, HSL_ST_LENGTH, 0 },
		/* order of the checks: field before length before segment */
		{ { .opcode = HSL_OP_FILL, .dst = 0, .len = UINT64_MAX, .arg1 = 1 }, HSL_ST_FIELD, 0 },
		{ { .opcode = HSL_OP_FILL, .dst = 0, .len = UINT64_MAX }, HSL_ST_LENGTH, 0 },
		/* length 0: operands are not looked at */
		{ { .opcode = HSL_OP_COPY, .dst = 1, .src = 2 }, HSL_ST_OK, 0 },
		{ { .opcode = HSL_OP_FILL, .dst = UINT64_MAX }, HSL_ST_OK, 0 },
		/* no segment there; dst is looked at first */
		{ { .opcode = HSL_OP_COPY, .dst = 0, .src = 1, .len = 1 }, HSL_ST_SEGMENT, 0 },
		{ { .opcode = HSL_OP_COPY, .dst = m.ga, .src = 0, .len = 1 }, HSL_ST_SEGMENT, 0 },
		{ { .opcode = HSL_OP_COPY, .dst = m.ga, .src = HSL_GA(16000, 0), .len = 1 }, HSL_ST_SEGMENT,
		  HSL_GA(16000, 0) },
		{ { .opcode = HSL_OP_FILL, .dst = HSL_GA(HSL_NODE_SWITCH_FIRST, 64), .len = 1 }, HSL_ST_SEGMENT,
		  HSL_GA(HSL_NODE_SWITCH_FIRST, 64) },
		{ { .opcode = HSL_OP_FILL, .dst = 1ull << 63 | m.ga, .len = 1 }, HSL_ST_SEGMENT, 1ull << 63 | m.ga },
		{ { .opcode = HSL_OP_FILL, .dst = HSL_GA(info.host_node, 1ull << 47), .len = 1 }, HSL_ST_SEGMENT,
		  HSL_GA(info.host_node, 1ull << 47) },
		{ { .opcode = HSL_OP_FILL, .dst = (uintptr_t)h.p, .len = 1 }, HSL_ST_SEGMENT, (uintptr_t)h.p },
		/* past the end, by one and by very much */
		{ { .opcode = HSL_OP_FILL, .dst = m.ga, .len = 4 * page + 1 }, HSL_ST_RANGE, end },
		{ { .opcode = HSL_OP_FILL, .dst = end - 1, .len = 2 }, HSL_ST_RANGE, end },
		{ { .opcode = HSL_OP_COPY, .dst = h.ga + 4 * page - 4, .src = m.ga, .len = 8 }, HSL_ST_RANGE,
		  h.ga + 4 * page },
		{ { .opcode = HSL_OP_COPY, .dst = m.ga, .src = h.ga + 1, .len = 4 * page }, HSL_ST_RANGE,
		  h.ga + 4 * page },
		/* rights */
		{ { .opcode = HSL_OP_FILL, .dst = rga, .len = 8 }, HSL_ST_RIGHTS, rga },
		{ { .opcode = HSL_OP_COPY, .dst = rga + 8, .src = m.ga, .len = 8 }, HSL_ST_RIGHTS, rga + 8 },
		{ { .opcode = HSL_OP_COPY, .dst = m.ga, .src = wga, .len = 8 }, HSL_ST_RIGHTS, wga },
		{ { .opcode = HSL_OP_COPY, .dst = m.ga, .src = rga, .len = page }, HSL_ST_OK, 0 },
		{ { .opcode = HSL_OP_COPY, .dst = wga, .src = m.ga, .len = page }, HSL_ST_OK, 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		bool moves = cases[i].status == HSL_ST_OK && cases[i].op.len;
		struct hsl_op op = cases[i].op;
		struct hsl_completion c;

		op.cookie = lib_random(t);
		memset(m.p, 0x11, m.len);
		memset(h.p, 0x11, h.len);
		if (!lib_op(t, q, &op, &c))
			break;
		if (c.status != cases[i].status || c.fault_ga != cases[i].fault_ga)
			printf("# case %zu: opcode %#x: status %s, fault %#llx; not %s, %#llx\n", i, op.opcode,
			       hsl_status_name(c.status), (unsigned long long)c.fault_ga,
			       hsl_status_name(cases[i].status), (unsigned long long)cases[i].fault_ga);
		CHECK(t, c.status == cases[i].status && c.fault_ga == cases[i].fault_ga);
		CHECK_EQ(t, c.result, moves ? op.len : 0);
		if (!moves)
			CHECK(t, lib_all(m.p, m.len, 0x11) && lib_all(h.p, h.len, 0x11));
	}
	CHECK_EQ(t, hsl_segment_free(rs), 0);
	CHECK_EQ(t, hsl_segment_free(ws), 0);
	lib_mem_put(t, &m);
	lib_mem_put(t, &h);
	hsl_queue_destroy(q);
}

/* HEP-MAP-013: of registered memory, exactly the registered bytes */
static void registered_bytes(struct lib_test *t)
{
	struct hsl_queue *q = queue(t, t->node[0]);
	uint8_t *p = mmap(NULL, 16384, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	REQUIRE(t, q && p != MAP_FAILED);
	for (int i = 0; i < 60; i++) {
		size_t off = lib_random(t) % 5000 + 1, len = lib_random(t) % 9000 + 1;
		struct hsl_segment *s;
		struct hsl_completion c;
		struct hsl_op op = { .opcode = HSL_OP_FILL, .arg0 = ~0ull, .len = 1 };
		uint64_t ga;

		memset(p, 0, 16384);
		REQUIRE_EQ(t, hsl_segment_register(t->f, p + off, len, NULL, &s), 0);
		ga = hsl_segment_ga(s);
		CHECK_EQ(t, hsl_fill(q, ga, len, 0x0101010101010101ull), 0);
		CHECK(t, lib_all(p + off, len, 1) && lib_all(p, off, 0) && lib_all(p + off + len, 16384 - off - len, 0));
		op.dst = ga - 1;
		CHECK(t, lib_op(t, q, &op, &c) && c.status == HSL_ST_SEGMENT);
		op.dst = ga + len;
		CHECK(t, lib_op(t, q, &op, &c) && c.status == HSL_ST_SEGMENT);
		op.dst = ga + len - 1;
		op.len = 2;
		CHECK(t, lib_op(t, q, &op, &c) && c.status == HSL_ST_RANGE);
		CHECK(t, lib_all(p, off, 0) && lib_all(p + off + len, 16384 - off - len, 0));
		CHECK_EQ(t, hsl_segment_free(s), 0);
	}
	munmap(p, 16384);
	hsl_queue_destroy(q);
}

/* mem of one context is out of reach for q, a queue of another */
static void out_of_reach(struct lib_test *t, struct hsl_queue *q, struct lib_mem *own, struct lib_mem *theirs)
{
	const struct hsl_op ops[] = {
		{ .opcode = HSL_OP_COPY, .dst = theirs->ga, .src = own->ga, .len = 4096 },
		{ .opcode = HSL_OP_COPY, .dst = own->ga, .src = theirs->ga, .len = 4096 },
		{ .opcode = HSL_OP_COPY, .dst = theirs->ga + 4095, .src = own->ga, .len = 1 },
		{ .opcode = HSL_OP_COPY, .dst = own->ga, .src = theirs->ga + 1, .len = 1 },
		{ .opcode = HSL_OP_FILL, .dst = theirs->ga, .len = 4096, .arg0 = 0x5555 },
		{ .opcode = HSL_OP_COPY, .dst = theirs->ga, .src = theirs->ga, .len = 64 },
	};

	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		struct hsl_completion c;

		memset(own->p, 0x33, 4096);
		memset(theirs->p, 0x44, 4096);
		if (!lib_op(t, q, &ops[i], &c))
			return;
		CHECK_EQ(t, c.status, HSL_ST_SEGMENT);
		CHECK_EQ(t, c.result, 0);
		CHECK(t, lib_all(own->p, 4096, 0x33) && lib_all(theirs->p, 4096, 0x44));
	}
}

/* HEP-SEC-001, -002: two contexts, both directions, every place, executed by the chip that holds it and another */
static void contexts_isolated(struct lib_test *t)
{
	uint32_t nodes[3] = { 0, t->node[0], t->node[1] };
	struct hsl_fabric_info ia = { .size = sizeof(ia) }, ib = { .size = sizeof(ib) };
	struct lib_test other = *t;

	other.failures = 0;
	REQUIRE_EQ(t, hsl_fabric_open(t->url, &other.f), 0);
	CHECK_EQ(t, hsl_fabric_info(t->f, &ia), 0);
	CHECK_EQ(t, hsl_fabric_info(other.f, &ib), 0);
	CHECK(t, ia.ctx_index != ib.ctx_index && ia.fabric_id[0] == ib.fabric_id[0]);
	for (int where = 0; where < 3; where++)
		for (int exec = 0; exec < 2; exec++) {
			struct hsl_queue *qa = queue(t, t->node[exec]), *qb = queue(&other, t->node[exec]);
			struct lib_mem a, b;

			REQUIRE(t, qa && qb && lib_mem_get(t, &a, nodes[where], 4096) &&
				   lib_mem_get(&other, &b, nodes[where], 4096));
			out_of_reach(t, qa, &a, &b);
			out_of_reach(&other, qb, &b, &a);
			/* and each still reaches its own */
			CHECK_EQ(t, hsl_fill(qa, a.ga, 4096, 0), 0);
			CHECK_EQ(t, hsl_fill(qb, b.ga, 4096, 0), 0);
			lib_mem_put(t, &a);
			lib_mem_put(&other, &b);
			hsl_queue_destroy(qa);
			hsl_queue_destroy(qb);
		}
	hsl_fabric_close(other.f);
	t->failures += other.failures;
}

/* HEP-MAP-011 */
static void freed_is_gone(struct lib_test *t)
{
	uint32_t nodes[3] = { 0, t->node[0], t->node[1] };
	struct hsl_queue *q = queue(t, t->node[0]);
	struct lib_mem m, keep;

	REQUIRE(t, q && lib_mem_get(t, &keep, t->node[0], 4096));
	for (int i = 0; i < 3; i++) {
		struct hsl_completion c;
		struct hsl_op op = { .opcode = HSL_OP_COPY, .dst = keep.ga, .len = 4096 };

		REQUIRE(t, lib_mem_get(t, &m, nodes[i], 4096));
		op.src = m.ga;
		CHECK(t, lib_op(t, q, &op, &c) && c.status == HSL_ST_OK);
		lib_mem_put(t, &m);
		CHECK(t, lib_op(t, q, &op, &c) && c.status == HSL_ST_SEGMENT && c.fault_ga == op.src);
	}
	lib_mem_put(t, &keep);
	hsl_queue_destroy(q);
}

struct traffic {
	struct lib_test *t;
	struct hsl_queue *q;
	uint64_t dst, src;
	atomic_uint done;		/* completions so far */
	unsigned int ok, refused;
};

static void *traffic_run(void *arg)
{
	struct traffic *x = arg;
	struct lib_test *t = x->t;
	struct hsl_completion c[8];

	/* until the free has been seen, with up to 8 on their way */
	while (x->refused < 8) {
		struct hsl_op op = { .opcode = HSL_OP_COPY, .dst = x->dst, .src = x->src, .len = 1 << 20 };
		int n;

		while (hsl_queue_outstanding(x->q) < 8)
			if (!CHECK_EQ(t, hsl_queue_submit(x->q, &op, 1), 1))
				return NULL;
		n = hsl_queue_wait(x->q, c, 8, lib_now_ns() + 60000000000u);
		if (!CHECK(t, n > 0))
			return NULL;
		for (int i = 0; i < n; i++) {
			if (c[i].status == HSL_ST_OK) {
				/* commands are STRONG: none succeeds after one that found the segment gone */
				CHECK_EQ(t, x->refused, 0);
				x->ok++;
			} else {
				CHECK(t, c[i].status == HSL_ST_REVOKED || c[i].status == HSL_ST_SEGMENT ||
					 c[i].status == HSL_ST_DENIED);
				x->refused++;
			}
		}
		atomic_fetch_add(&x->done, (unsigned int)n);
	}
	while (hsl_queue_outstanding(x->q))
		if (!CHECK(t, hsl_queue_wait(x->q, c, 8, lib_now_ns() + 60000000000u) > 0))
			return NULL;
	return NULL;
}

/*
 * HEP-MAP-010, -011, HEP-SEC-004: the destination of running commands is freed, and its memory given to another
 * context, where it stays zero whatever is still on its way.
 */
static void free_one_under_traffic(struct lib_test *t, struct lib_test *other, int round)
{
	struct traffic x = { .t = t };
	struct lib_mem src, dst, next;
	bool host = round % 3 == 2;
	pthread_t thread;

	x.q = queue(t, t->node[round % 2]);
	REQUIRE(t, x.q && lib_mem_get(t, &src, t->node[0], 1 << 20) &&
		   lib_mem_get(t, &dst, host ? 0 : t->node[1], 1 << 20));
	memset(src.p, 0x77, src.len);
	x.dst = dst.ga;
	x.src = src.ga;
	REQUIRE_EQ(t, pthread_create(&thread, NULL, traffic_run, &x), 0);
	while (atomic_load(&x.done) < 3 && !__atomic_load_n(&t->failures, __ATOMIC_RELAXED))
		usleep(200);
	CHECK_EQ(t, hsl_segment_free(dst.s), 0);
	dst.s = NULL;
	if (host) {
		memset(dst.p, 0, dst.len);
		pthread_join(thread, NULL);
		CHECK(t, lib_all(dst.p, dst.len, 0));
	} else if (lib_mem_get(other, &next, t->node[1], 1 << 20)) {
		pthread_join(thread, NULL);
		CHECK(t, lib_all(next.p, next.len, 0));
		lib_mem_put(other, &next);
	} else {
		pthread_join(thread, NULL);
	}
	lib_mem_put(t, &dst);
	CHECK(t, x.ok >= 1 && x.refused >= 8);
	hsl_queue_destroy(x.q);
	lib_mem_put(t, &src);
}

static void free_under_traffic(struct lib_test *t)
{
	struct lib_test other = *t;

	other.failures = 0;
	REQUIRE_EQ(t, hsl_fabric_open(t->url, &other.f), 0);
	for (int round = 0; round < 12 && !t->failures; round++)
		free_one_under_traffic(t, &other, round);
	hsl_fabric_close(other.f);
	t->failures += other.failures;
}

const struct lib_case lib_cases_data[] = {
	{ "COPY between all places, sizes, alignments", copy_everywhere },
	{ "COPY: overlaps are memmove", copy_overlaps },
	{ "FILL everywhere", fill_everywhere },
	{ "operands are checked, in order, with the fault", operand_checks },
	{ "registered memory: exactly its bytes", registered_bytes },
	{ "contexts are isolated", contexts_isolated },
	{ "a freed segment is gone", freed_is_gone },
	{ "free under traffic", free_under_traffic },
	{ NULL, NULL },
};
