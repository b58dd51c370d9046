// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * A fabric of chips that can do different things, for mixed.sh (HEP-TXN-026, HEP-MAP-025, HEP-TXN-003).
 *
 * What a command needs is asked of the chip that executes it, whatever the chip at the other end can do: a command that its CAP lacks
 * ends with -EOPNOTSUPP and changes nothing, every other one is right, on the chip's own memory and on its peers'. Observable memory is of
 * a chip that has it, and a chip without it has no such segment. Counters, sensors, test facility, queues and their
 * depth, lengths and memory are those of each chip.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/raw.h"
#include "hsl/hsl.h"

#define CHIPS	4u
#define LEN	4096u
#define WORDS	(LEN / 8)

struct chip {
	struct hsl_chip_props p;
	struct hsl_queue *q;
	struct hsl_segment *seg;
	uint64_t ga, *mem;
};

static struct hsl_fabric *f;
static struct chip chip[CHIPS + 1];	/* by node */

/* ---- commands: from the first LEN / 2 of the source's segment to the second half of the destination's ---- */

struct command {
	const char *name;
	uint64_t cap;
	int (*run)(struct hsl_queue *q, uint64_t dst, uint64_t src);
	uint64_t want[2];		/* the first words of dst, which are 10 and 20; those of src are 1 and 2 */
};

static int run_copy(struct hsl_queue *q, uint64_t dst, uint64_t src) { return hsl_copy(q, dst, src, 16); }
static int run_fill(struct hsl_queue *q, uint64_t dst, uint64_t src) { (void)src; return hsl_fill(q, dst, 16, 7); }
static int run_signal(struct hsl_queue *q, uint64_t dst, uint64_t src) { (void)src; return hsl_signal(q, HSL_SIGNAL_ADD, dst, 3, NULL); }
static int run_fence(struct hsl_queue *q, uint64_t dst, uint64_t src) { (void)dst, (void)src; return hsl_fence(q); }
static int run_copy2d(struct hsl_queue *q, uint64_t dst, uint64_t src) { return hsl_copy2d(q, dst, 8, src, 8, 8, 2); }
static int run_list(struct hsl_queue *q, uint64_t dst, uint64_t src) { (void)dst; return hsl_copy_list(q, src + 64, 1); }

static int run_reduce(struct hsl_queue *q, uint64_t dst, uint64_t src)
{
	return hsl_reduce(q, HSL_REDUCE_ADD, HSL_TYPE_I64, dst, src, 2);
}

static int run_atomic(struct hsl_queue *q, uint64_t dst, uint64_t src)
{
	uint64_t old = 0;
	int err = hsl_atomic(q, HSL_ATOMIC_ADD, dst, 8, 5, 0, &old);

	(void)src;
	return !err && old != 10 ? -EILSEQ : err;
}

static int run_load(struct hsl_queue *q, uint64_t dst, uint64_t src)
{
	uint64_t v = 0;
	int err = hsl_load(q, src, 8, &v);

	(void)dst;
	return !err && v != 1 ? -EILSEQ : err;
}

static int run_store(struct hsl_queue *q, uint64_t dst, uint64_t src)
{
	uint64_t v = 9;

	(void)src;
	return hsl_store(q, dst, &v, 8);
}

static int run_wait(struct hsl_queue *q, uint64_t dst, uint64_t src)
{
	(void)dst;
	return hsl_wait_value(q, HSL_WAIT_EQ, src, 1, 1000000000, NULL);
}

static const struct command commands[] = {
	{ "COPY", HSL_CAP_OP_COPY, run_copy, { 1, 2 } },		{ "FILL", HSL_CAP_OP_FILL, run_fill, { 7, 7 } },
	{ "REDUCE", HSL_CAP_OP_REDUCE, run_reduce, { 11, 22 } },	{ "ATOMIC", HSL_CAP_OP_ATOMIC, run_atomic, { 15, 20 } },
	{ "LOAD", HSL_CAP_OP_LOADSTORE, run_load, { 10, 20 } },		{ "STORE", HSL_CAP_OP_LOADSTORE, run_store, { 9, 20 } },
	{ "SIGNAL", HSL_CAP_OP_SIGNAL, run_signal, { 13, 20 } },	{ "WAIT", HSL_CAP_OP_SIGNAL, run_wait, { 10, 20 } },
	{ "FENCE", HSL_CAP_OP_FENCE, run_fence, { 10, 20 } },		{ "COPY2D", HSL_CAP_OP_COPY2D, run_copy2d, { 1, 2 } },
	{ "COPY_LIST", HSL_CAP_OP_COPY_LIST, run_list, { 1, 2 } },
};
#define NCOMMANDS (sizeof(commands) / sizeof(commands[0]))

static void one(const struct command *c, const struct chip *by, const struct chip *from, const struct chip *to)
{
	uint64_t *src = from->mem, *dst = to->mem + WORDS / 2;
	struct hsl_copy_entry *list = (struct hsl_copy_entry *)(src + 8);
	bool can = by->p.cap & c->cap;
	int err;

	src[0] = 1, src[1] = 2, dst[0] = 10, dst[1] = 20;
	*list = (struct hsl_copy_entry){ .dst = to->ga + LEN / 2, .src = from->ga, .len = 16 };
	err = c->run(by->q, to->ga + LEN / 2, from->ga);
	if (err != (can ? 0 : -EOPNOTSUPP) || dst[0] != (can ? c->want[0] : 10) || dst[1] != (can ? c->want[1] : 20))
		raw_check(false, "%s of chip %u (%s) from chip %u to chip %u: %s, %llu %llu", c->name, by->p.node, can ? "can" : "cannot",
			  from->p.node, to->p.node, strerror(-err), (unsigned long long)dst[0], (unsigned long long)dst[1]);
}

static void test_commands(void)
{
	unsigned int can = 0, n = 0;
	int failed = raw_nfailed;

	for (unsigned int by = 1; by <= CHIPS; by++)
		for (unsigned int i = 0; i < NCOMMANDS; i++)
			for (unsigned int from = 1; from <= CHIPS; from++)
				for (unsigned int to = 1; to <= CHIPS; to++, n++) {
					one(&commands[i], &chip[by], &chip[from], &chip[to]);
					can += (chip[by].p.cap & commands[i].cap) != 0;
				}
	raw_check(raw_nfailed == failed && can && can < n, "%u commands, of which %u can be executed by their chip", n, can);
}

/* ---- the rest of what chips differ in ---- */

static void test_lengths(void)
{
	uint64_t len = 65u << 20;	/* more than the segment: a chip that takes it says so */

	for (unsigned int n = 1; n <= CHIPS; n++) {
		int err = hsl_copy(chip[n].q, chip[1].ga, chip[1].ga, len);

		raw_check(err == (chip[n].p.max_len_bytes < len ? -EMSGSIZE : -ERANGE), "chip %u, of %llu bytes at most, takes 65 MiB: %s", n,
			  (unsigned long long)chip[n].p.max_len_bytes, strerror(-err));
	}
}

static void test_queues(void)
{
	for (unsigned int n = 1; n <= CHIPS; n++) {
		struct hsl_queue_opts o = { .size = sizeof(o), .depth = chip[n].p.max_depth }, deeper = o;
		struct hsl_queue *q[256];
		unsigned int k = 0;
		int err;

		deeper.depth *= 2;
		raw_check(hsl_queue_create(f, n, &deeper, &q[0]) == -EINVAL, "chip %u: %u is too deep", n, deeper.depth);
		o.depth = 2;
		while (k < 256 && !(err = hsl_queue_create(f, n, &o, &q[k])))
			k++;
		raw_check(k + 1 == chip[n].p.nqueues && err == -EBUSY, "chip %u: %u of %u queues more, then: %s", n, k, chip[n].p.nqueues,
			  strerror(-err));
		while (k)
			hsl_queue_destroy(q[--k]);
	}
}

static void test_observable(void)
{
	struct hsl_segment_opts o = { .size = sizeof(o), .flags = HSL_SEGMENT_OBSERVABLE };
	struct hsl_segment *s = NULL;
	int err;

	for (unsigned int n = CHIPS; n >= 1; n--) {
		bool can = chip[n].p.cap & HSL_CAP_MODELLED;

		err = hsl_segment_alloc(f, n, LEN, &o, &s);
		raw_check(err == (can ? 0 : -EOPNOTSUPP), "chip %u %s observable memory: %s", n, can ? "has" : "has no", strerror(-err));
		if (!err && n > 1)
			hsl_segment_free(s);
	}
	if (err)
		raw_bail("observable memory of chip 1");
	for (unsigned int n = 1; n <= CHIPS; n++) {
		chip[n].mem[0] = n;
		err = hsl_copy(chip[n].q, hsl_segment_ga(s), chip[n].ga, 8);
		raw_check(err == (chip[n].p.cap & HSL_CAP_MODELLED ? 0 : -EFAULT), "chip %u copies to that of chip 1: %s", n, strerror(-err));
	}
	hsl_segment_free(s);
}

/*
 * Free memory of a chip of which we hold some, when all that has been freed is zeroed and counts: that all of it is not to be had is
 * said only then.
 */
static uint64_t free_bytes(unsigned int n)
{
	struct hsl_chip_props p = { .size = sizeof(p) };
	struct hsl_segment *all;

	if (hsl_segment_alloc(f, n, chip[n].p.mem_bytes, NULL, &all) != -ENOSPC || hsl_chip_by_node(f, n, &p))
		raw_bail("the whole chip beside a segment");
	return p.mem_free_bytes;
}

/* Of whatever zeroes it: the chip's own FILL, or a CPU. */
static void test_zeroed(void)
{
	const size_t len = 1u << 20;

	for (unsigned int n = 1; n <= CHIPS; n++) {
		uint64_t before = free_bytes(n), ga;
		struct hsl_segment *seg;
		bool again, zero = true;
		void *p;

		if (hsl_segment_alloc(f, n, len, NULL, &seg) || hsl_segment_map(seg, &p))
			raw_bail("a segment");
		memset(p, 0xa5, len);
		ga = hsl_segment_ga(seg);
		hsl_segment_free(seg);
		/* as much and the same is free as before, so the same is given */
		again = free_bytes(n) == before;
		if (hsl_segment_alloc(f, n, len, NULL, &seg) || hsl_segment_map(seg, &p))
			raw_bail("a segment");
		again &= hsl_segment_ga(seg) == ga;
		for (size_t k = 0; k < len; k++)
			zero &= !((volatile uint8_t *)p)[k];
		hsl_segment_free(seg);
		raw_check(again && zero, "chip %u, %s FILL: what others had is zero", n, chip[n].p.cap & HSL_CAP_OP_FILL ? "with" : "without");
	}
}

static void test_facilities(void)
{
	struct hsl_sensors x = { .size = sizeof(x) };
	uint64_t v[1];

	for (unsigned int n = 1; n <= CHIPS; n++) {
		struct hsl_ctf *c = NULL;
		uint64_t cap = chip[n].p.cap;
		int err = hsl_counters(f, n, HSL_COUNTERS_CHIP, v, 1);

		raw_check(cap & HSL_CAP_COUNTERS ? err > 0 : err == -EOPNOTSUPP, "chip %u: counters: %d", n, err);
		err = hsl_chip_sensors(f, n, &x);
		raw_check(err == (cap & HSL_CAP_SENSORS ? 0 : -EOPNOTSUPP), "chip %u: sensors: %s", n, strerror(-err));
		err = hsl_ctf_open(f, n, &c);
		raw_check(err == (cap & HSL_CAP_CTF ? 0 : -EOPNOTSUPP), "chip %u: test facility: %s", n, strerror(-err));
		if (!err)
			hsl_ctf_close(c);
	}
}

int main(void)
{
	void *p;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (hsl_fabric_open(NULL, &f))
		raw_skip_all(RAW_DEV);
	for (unsigned int n = 1; n <= CHIPS; n++) {
		struct chip *c = &chip[n];

		c->p.size = sizeof(c->p);
		if (hsl_chip_by_node(f, n, &c->p))
			raw_bail("four chips");
		if (hsl_queue_create(f, n, NULL, &c->q) || hsl_segment_alloc(f, n, LEN, NULL, &c->seg) || hsl_segment_map(c->seg, &p))
			raw_bail("a queue or a segment");
		c->ga = hsl_segment_ga(c->seg);
		c->mem = p;
	}
	test_commands();
	test_lengths();
	test_queues();
	test_observable();
	test_facilities();
	test_zeroed();
	return raw_done();
}
