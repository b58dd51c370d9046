/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * API: what libhsl does beside passing on: calls that submit and wait, structs with a size, names of fabrics. The same on every
 * backend; what a command does is judged by the tests of the command.
 */
#include <stdlib.h>
#include <sys/mman.h>

#include "hsltest.h"

#define KIB ((uint64_t)1024)
#define MIB (1024 * KIB)

/* ------------------------------------------------------------------ calls */

struct calls {
	struct hsl_queue *q;
	struct ht_buf a, b;
	uint64_t *word; /* the first ones of a */
};

/* What a call of an operation answers: want, or EOPNOTSUPP where the chip does not have it. */
#define CALL(t, cap_, call, want)                                                              \
	HT_RC(t, call, (t)->chip[0].cap & (cap_) ? (want) : -EOPNOTSUPP)

static void moving_calls(struct ht *t, struct calls *c)
{
	struct hsl_copy_entry *list = (void *)c->b.p;
	uint64_t out = c->a.ga + c->a.len;

	HT_RC(t, hsl_copy(c->q, c->a.ga + 8, c->b.ga + 16, 100), 0);
	ht_oracle_move(c->a.shadow + 8, c->b.shadow + 16, 100);
	HT_RC(t, hsl_copy(c->q, out - 99, c->b.ga, 100), -ERANGE);
	HT_RC(t, hsl_copy(c->q, c->a.ga, 0, 100), -EFAULT);
	HT_RC(t, hsl_fill(c->q, c->a.ga + 200, 50, 0x1122334455667788), 0);
	ht_oracle_fill(c->a.shadow + 200, 50, 0x1122334455667788);
	HT_RC(t, hsl_fill(c->q, out - 8, 16, 0), -ERANGE);
	if (t->chip[0].cap & HSL_CAP_OP_COPY2D) {
		ht_oracle_move(c->a.shadow + 512, c->b.shadow + 1024, 24);
		ht_oracle_move(c->a.shadow + 512 + 64, c->b.shadow + 1024 + 96, 24);
	}
	CALL(t, HSL_CAP_OP_COPY2D, hsl_copy2d(c->q, c->a.ga + 512, 64, c->b.ga + 1024, 96, 24, 2), 0);
	/* entries are in what is copied from */
	list[0] = (struct hsl_copy_entry){ .dst = c->a.ga + 3000, .src = c->b.ga + 1000, .len = 40 };
	list[1] = (struct hsl_copy_entry){ .dst = c->a.ga + 3100, .src = c->b.ga + 1100, .len = 50 };
	memcpy(c->b.shadow, list, 2 * sizeof(*list));
	if (t->chip[0].cap & HSL_CAP_OP_COPY_LIST) {
		ht_oracle_move(c->a.shadow + 3000, c->b.shadow + 1000, 40);
		ht_oracle_move(c->a.shadow + 3100, c->b.shadow + 1100, 50);
	}
	CALL(t, HSL_CAP_OP_COPY_LIST, hsl_copy_list(c->q, c->b.ga, 2), 0);
	HT_RC(t, hsl_nop(c->q), 0);
	CALL(t, HSL_CAP_OP_FENCE, hsl_fence(c->q), 0);
	ht_buf_check(t, &c->a, "after calls that move");
	ht_buf_check(t, &c->b, "after calls that move");
}

static void value_calls(struct ht *t, struct calls *c)
{
	static const uint8_t bytes[16] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 };
	const bool loads = t->chip[0].cap & HSL_CAP_OP_LOADSTORE, atomics = t->chip[0].cap & HSL_CAP_OP_ATOMIC,
		   signals = t->chip[0].cap & HSL_CAP_OP_SIGNAL;
	uint64_t ga = c->a.ga, v = 77;

	c->word[0] = 0x1122334455667788;
	c->word[1] = 5;
	CALL(t, HSL_CAP_OP_LOADSTORE, hsl_load(c->q, ga, 8, &v), 0);
	HT_EQ(t, "loaded", v, loads ? c->word[0] : 77);
	v = 77;
	CALL(t, HSL_CAP_OP_LOADSTORE, hsl_load(c->q, ga, 2, &v), 0);
	HT_EQ(t, "loaded, two bytes", v, loads ? 0x7788 : 77);
	v = 77;
	CALL(t, HSL_CAP_OP_LOADSTORE, hsl_load(c->q, ga + c->a.len - 4, 8, &v), -ERANGE);
	HT_EQ(t, "the value where a load fails", v, 77);
	HT_RC(t, hsl_load(c->q, ga, 0, &v), -EINVAL);
	HT_RC(t, hsl_load(c->q, ga, HSL_LOAD_RESULT_MAX + 1, &v), -EINVAL);
	HT_RC(t, hsl_load(c->q, ga, 8, NULL), -EINVAL);

	CALL(t, HSL_CAP_OP_LOADSTORE, hsl_store(c->q, ga + 32, bytes, HSL_STORE_ARGS_MAX), 0);
	CALL(t, HSL_CAP_OP_LOADSTORE, hsl_store(c->q, ga + 48, bytes, 3), 0);
	HT_TRUE(t, !loads || (!memcmp(&c->word[4], bytes, 16) && !memcmp(&c->word[6], bytes, 3)), "stored bytes are not there");
	HT_RC(t, hsl_store(c->q, ga, bytes, 0), -EINVAL);
	HT_RC(t, hsl_store(c->q, ga, bytes, HSL_STORE_ARGS_MAX + 1), -EINVAL);
	HT_RC(t, hsl_store(c->q, ga, NULL, 8), -EINVAL);

	CALL(t, HSL_CAP_OP_ATOMIC, hsl_atomic(c->q, HSL_ATOMIC_ADD, ga + 8, 8, 3, 0, &v), 0);
	HT_EQ(t, "old value", v, atomics ? 5 : 77);
	CALL(t, HSL_CAP_OP_ATOMIC, hsl_atomic(c->q, HSL_ATOMIC_CAS, ga + 8, 4, 9, 8, NULL), 0);
	HT_EQ(t, "value after ADD and CAS", c->word[1], atomics ? 9 : 5);
	HT_RC(t, hsl_atomic(c->q, HSL_ATOMICS, ga, 8, 0, 0, NULL), -EINVAL);
	HT_RC(t, hsl_atomic(c->q, HSL_ATOMIC_ADD, ga, 3, 0, 0, NULL), -EINVAL);

	c->word[2] = 40;
	CALL(t, HSL_CAP_OP_SIGNAL, hsl_signal(c->q, HSL_SIGNAL_ADD, ga + 16, 2, &v), 0);
	HT_EQ(t, "value after a signal", c->word[2], signals ? 42 : 40);
	HT_RC(t, hsl_signal(c->q, HSL_SIGNALS, ga + 16, 2, &v), -EINVAL);
	v = 77;
	CALL(t, HSL_CAP_OP_SIGNAL, hsl_wait_value(c->q, HSL_WAIT_GE, ga + 16, 42, 0, &v), 0);
	HT_EQ(t, "value waited for", v, signals ? 42 : 77);
	v = 77;
	CALL(t, HSL_CAP_OP_SIGNAL, hsl_wait_value(c->q, HSL_WAIT_EQ, ga + 16, 43, 1000, &v), -ETIMEDOUT);
	HT_EQ(t, "value seen at the timeout", v, signals ? 42 : 77);
	v = 77;
	CALL(t, HSL_CAP_OP_SIGNAL, hsl_wait_value(c->q, HSL_WAIT_EQ, 0, 1, 1000, &v), -EFAULT);
	HT_EQ(t, "the value where a wait fails", v, 77);
	CALL(t, HSL_CAP_OP_SIGNAL, hsl_wait_value(c->q, HSL_WAIT_LT, ga + 16, 43, 1000, NULL), 0);
	HT_RC(t, hsl_wait_value(c->q, HSL_WAITS, ga + 16, 43, 1000, NULL), -EINVAL);
}

static void reduce_calls(struct ht *t, struct calls *c)
{
	static const unsigned int bytes[HSL_TYPES] = { 4, 8, 2, 2, 4, 8 };
	int32_t *dst = (void *)c->a.p, *src = (void *)c->b.p;
	unsigned int type;

	dst[0] = 3, dst[1] = -7, dst[2] = 100;
	src[0] = 4, src[1] = 2, src[2] = 1;
	CALL(t, HSL_CAP_OP_REDUCE, hsl_reduce(c->q, HSL_REDUCE_ADD, HSL_TYPE_I32, c->a.ga, c->b.ga, 2), 0);
	if (t->chip[0].cap & HSL_CAP_OP_REDUCE)
		HT_TRUE(t, dst[0] == 7 && dst[1] == -5 && dst[2] == 100, "a reduction of two values made %d, %d, %d of 3, -7, 100",
			dst[0], dst[1], dst[2]);
	HT_RC(t, hsl_reduce(c->q, HSL_REDUCE_OPS, HSL_TYPE_I32, c->a.ga, c->b.ga, 1), -EINVAL);
	HT_RC(t, hsl_reduce(c->q, HSL_REDUCE_ADD, HSL_TYPES, c->a.ga, c->b.ga, 1), -EINVAL);
	HT_RC(t, hsl_reduce(c->q, HSL_REDUCE_ADD, UINT32_MAX, c->a.ga, c->b.ga, 1), -EINVAL);
	for (type = 0; type < HSL_TYPES; type++)
		HT_RC(t, hsl_reduce(c->q, HSL_REDUCE_ADD, type, c->a.ga, c->b.ga, UINT64_MAX / bytes[type] + 1), -EMSGSIZE);
}

static void calls(struct ht *t)
{
	const struct hsl_op nop = { .opcode = HSL_OP_NOP };
	struct hsl_completion done;
	struct calls c;

	c.q = ht_queue_new(t, t->chip[0].node, 4);
	ht_buf_new(t, &c.a, t->chip[0].node, 4 * KIB);
	ht_buf_new(t, &c.b, 0, 4 * KIB);
	c.word = (void *)c.a.p;
	moving_calls(t, &c);
	value_calls(t, &c);
	reduce_calls(t, &c);
	HT_EQ(t, "outstanding after calls", hsl_queue_outstanding(c.q), 0);
	ht_submit_all(t, c.q, &nop, 1);
	HT_RC(t, hsl_nop(c.q), -EBUSY);
	ht_wait_all(t, c.q, &done, 1);
	HT_RC(t, hsl_nop(c.q), 0);
	HT_RC(t, hsl_nop(NULL), -EINVAL);
	ht_buf_free(t, &c.b);
	ht_buf_free(t, &c.a);
	ht_queue_free(t, c.q);
}

/* ------------------------------------------------------------------ structs with a size */

union sized {
	size_t size;
	uint8_t bytes[8192];
	struct hsl_fabric_info fabric;
	struct hsl_chip_props chip;
	struct hsl_path_props path;
	struct hsl_segment_opts segment;
	struct hsl_queue_opts queue;
};

static int ask_fabric(struct ht *t, union sized *u)
{
	return hsl_fabric_info(t->f, &u->fabric);
}

static int ask_chip(struct ht *t, union sized *u)
{
	return hsl_chip_by_index(t->f, 0, &u->chip);
}

static int ask_path(struct ht *t, union sized *u)
{
	return hsl_topology_path(t->f, t->chip[0].node, t->chip[t->nchips - 1].node, &u->path);
}

static int make_segment(struct ht *t, union sized *u)
{
	struct hsl_segment *s;
	int err = hsl_segment_alloc(t->f, t->chip[0].node, 4096, &u->segment, &s);

	return err ? err : hsl_segment_free(s);
}

static int make_queue(struct ht *t, union sized *u)
{
	struct hsl_queue *q;
	int err = hsl_queue_create(t->f, t->chip[0].node, &u->queue, &q);

	if (!err)
		hsl_queue_destroy(q);
	return err;
}

/* Results: what fits, then zeroes, and not a byte behind the size. */
static void results(struct ht *t, int (*ask)(struct ht *, union sized *), size_t known, const char *what)
{
	const size_t sizes[] = { sizeof(size_t), sizeof(size_t) + 4, known - 1, known, known + 1, 4096 };
	static union sized whole, u;
	unsigned int i, k;

	memset(&whole, 0, sizeof(whole));
	whole.size = known;
	HT_OK(t, ask(t, &whole));
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		memset(&u, 0xa5, sizeof(u));
		u.size = sizes[i];
		HT_OK(t, ask(t, &u));
		HT_EQ(t, "size after a query", u.size, sizes[i]);
		for (k = sizeof(size_t); k < sizeof(u); k++)
			HT_TRUE(t, u.bytes[k] == (k >= sizes[i] ? 0xa5 : k >= known ? 0 : whole.bytes[k]),
				"%s of size %zu: byte %u is 0x%02x", what, sizes[i], k, u.bytes[k]);
	}
	u.size = sizeof(size_t) - 1;
	HT_RC(t, ask(t, &u), -EINVAL);
	u.size = 4097;
	HT_RC(t, ask(t, &u), -EINVAL);
}

static void options(struct ht *t, int (*make)(struct ht *, union sized *), size_t first, size_t known)
{
	static union sized u;

	memset(&u, 0, sizeof(u));
	u.size = first - 1;
	HT_RC(t, make(t, &u), -EINVAL);
	u.size = first;
	HT_RC(t, make(t, &u), 0);
	u.size = known + 1;
	HT_RC(t, make(t, &u), 0);
	u.bytes[known] = 1;
	HT_RC(t, make(t, &u), -E2BIG);
	u.bytes[known] = 0;
	u.size = 4096;
	HT_RC(t, make(t, &u), 0);
	u.bytes[4095] = 1;
	HT_RC(t, make(t, &u), -E2BIG);
	u.bytes[4095] = 0;
	u.size = 4097;
	HT_RC(t, make(t, &u), -E2BIG);
}

static void sizes(struct ht *t)
{
	results(t, ask_fabric, sizeof(struct hsl_fabric_info), "fabric info");
	results(t, ask_chip, sizeof(struct hsl_chip_props), "chip properties");
	results(t, ask_path, sizeof(struct hsl_path_props), "path properties");
	options(t, make_segment, offsetof(struct hsl_segment_opts, ga), sizeof(struct hsl_segment_opts));
	options(t, make_queue, sizeof(struct hsl_queue_opts), sizeof(struct hsl_queue_opts));
}

/* ------------------------------------------------------------------ arguments that are nothing */

static void no_objects(struct ht *t)
{
	struct hsl_chip_props chip = { .size = sizeof(chip) };
	struct hsl_link_props link = { .size = sizeof(link) };
	struct hsl_window w = { .size = sizeof(w) };
	struct hsl_fabric_event ev;
	struct hsl_completion c;
	struct hsl_segment *s;
	struct hsl_queue *q;
	uint8_t byte;
	uint64_t ns;
	void *p;
	int fd;

	HT_RC(t, hsl_fabric_open("sim:pair2", NULL), -EINVAL);
	HT_RC(t, hsl_fabric_info(NULL, NULL), -EINVAL);
	HT_RC(t, hsl_fabric_info(t->f, NULL), -EINVAL);
	HT_RC(t, hsl_clock_ns(NULL, &ns), -EINVAL);
	HT_RC(t, hsl_clock_ns(t->f, NULL), -EINVAL);
	HT_RC(t, hsl_chip_by_index(NULL, 0, &chip), -EINVAL);
	HT_RC(t, hsl_chip_by_index(t->f, 0, NULL), -EINVAL);
	HT_RC(t, hsl_link_query(NULL, t->chip[0].node, 0, &link), -EINVAL);
	HT_RC(t, hsl_link_query(t->f, t->chip[0].node, 0, NULL), -EINVAL);
	HT_RC(t, hsl_link_query(t->f, t->chip[0].node, t->chip[0].nlinks, &link), -ENOENT);
	HT_RC(t, hsl_topology_path(NULL, 1, 1, NULL), -EINVAL);
	HT_RC(t, hsl_topology_path(t->f, t->chip[0].node, t->chip[0].node, NULL), -EINVAL);
	HT_RC(t, hsl_event_fd(NULL), -EINVAL);
	HT_RC(t, hsl_event_read(NULL, &ev, 1), -EINVAL);
	HT_RC(t, hsl_event_read(t->f, NULL, 1), -EINVAL);
	HT_RC(t, hsl_event_read(t->f, NULL, 0), 0);
	HT_RC(t, hsl_window_open(NULL, t->chip[0].node, &w), -EINVAL);
	HT_RC(t, hsl_window_open(t->f, t->chip[0].node, NULL), -EINVAL);
	HT_RC(t, hsl_window_open(t->f, 16383, &w), -ENOENT);
	HT_RC(t, hsl_window_close(NULL, t->chip[0].node), -EINVAL);
	HT_RC(t, hsl_window_close(t->f, t->chip[0].node), -ENOENT);

	HT_RC(t, hsl_segment_alloc(NULL, t->chip[0].node, 4096, NULL, &s), -EINVAL);
	HT_RC(t, hsl_segment_alloc(t->f, t->chip[0].node, 4096, NULL, NULL), -EINVAL);
	HT_RC(t, hsl_segment_register(NULL, &byte, 1, NULL, &s), -EINVAL);
	HT_RC(t, hsl_segment_register(t->f, &byte, 1, NULL, NULL), -EINVAL);
	HT_RC(t, hsl_segment_import(NULL, 0, 0, &s), -EINVAL);
	HT_RC(t, hsl_segment_import(t->f, 0, 0, NULL), -EINVAL);
	HT_RC(t, hsl_segment_revoke(NULL), -EINVAL);
	HT_RC(t, hsl_segment_map(NULL, &p), -EINVAL);
	HT_RC(t, hsl_segment_export(NULL, 0, 0, &fd), -EINVAL);
	HT_OK(t, hsl_segment_alloc(t->f, t->chip[0].node, 4096, NULL, &s));
	HT_RC(t, hsl_segment_map(s, NULL), -EINVAL);
	HT_RC(t, hsl_segment_export(s, 0, 0, NULL), -EINVAL);
	HT_RC(t, hsl_segment_export(s, 0, 1u << 31, &fd), -EINVAL);
	HT_OK(t, hsl_segment_free(s));

	HT_RC(t, hsl_queue_create(NULL, t->chip[0].node, NULL, &q), -EINVAL);
	HT_RC(t, hsl_queue_create(t->f, t->chip[0].node, NULL, NULL), -EINVAL);
	HT_RC(t, hsl_queue_create(t->f, 16383, NULL, &q), -ENOENT);
	HT_RC(t, hsl_queue_submit(NULL, NULL, 0), -EINVAL);
	HT_RC(t, hsl_queue_poll(NULL, &c, 1), -EINVAL);
	HT_RC(t, hsl_queue_wait(NULL, &c, 1, 0), -EINVAL);
	HT_RC(t, hsl_queue_eventfd(NULL, -1), -EINVAL);
	HT_RC(t, hsl_queue_arm(NULL), -EINVAL);
	HT_RC(t, hsl_queue_abort(NULL), -EINVAL);
	HT_RC(t, hsl_queue_moderate(NULL, 0, 0), -EINVAL);
	HT_RC(t, hsl_queue_state(NULL, NULL), -EINVAL);
	hsl_queue_destroy(NULL);
	q = ht_queue_new(t, t->chip[0].node, 4);
	HT_RC(t, hsl_queue_submit(q, NULL, 1), -EINVAL);
	HT_RC(t, hsl_queue_submit(q, NULL, 0), 0);
	HT_RC(t, hsl_queue_poll(q, NULL, 1), -EINVAL);
	HT_RC(t, hsl_queue_poll(q, NULL, 0), 0);
	HT_RC(t, hsl_queue_wait(q, NULL, 1, 0), -EINVAL);
	HT_RC(t, hsl_queue_wait(q, &c, 0, 0), -EINVAL);
	HT_RC(t, hsl_queue_wait(q, &c, 1, 0), -ENOENT);
	HT_RC(t, hsl_queue_eventfd(q, -2), -EINVAL);
	HT_RC(t, hsl_queue_moderate(q, 1u << 16, 0), -EINVAL);
	HT_RC(t, hsl_queue_moderate(q, 0, 1u << 16), -EINVAL);
	HT_RC(t, hsl_queue_state(q, NULL), HSL_QUEUE_READY);
	ht_queue_free(t, q);
}

/* ------------------------------------------------------------------ names of fabrics */

struct name {
	const char *url;
	unsigned int chips;	/* 0: it is refused */
	uint64_t mem_bytes;	/* of each; 0: as by default */
	unsigned int queues;
};

/* sim: is part of the library wherever the fabric under test is. */
static const struct name names[] = {
	{ "sim:pair2", 2, 256 * MIB, 63 },
	{ "sim:pair2,mem=128M,queues=1", 2, 128 * MIB, 1 },
	{ "sim:pair2,mem=131072k", 2, 128 * MIB, 63 },
	{ "sim:pair2,mem=134217728", 2, 128 * MIB, 63 },
	{ "sim:pair2,mem=1g,queues=255", 2, 1024 * MIB, 255 },
	{ "sim:ring3,profile=gen2", 3, 256 * MIB, 63 },
	{ "sim:mesh4,time=modelled,profile=pcie5", 4, 256 * MIB, 63 },
	{ "sim:switch2,queues=2,mem=192M", 2, 192 * MIB, 2 },
	{ "sim:", 0, 0, 0 },
	{ "sim:2", 0, 0, 0 },
	{ "sim:nonsense4", 0, 0, 0 },
	{ "sim:a-name-longer-than-any-topology4", 0, 0, 0 },
	{ "sim:mesh", 0, 0, 0 },
	{ "sim:mesh0", 0, 0, 0 },
	{ "sim:mesh257", 0, 0, 0 },
	{ "sim:mesh18446744073709551620", 0, 0, 0 },
	{ "sim:pair3", 0, 0, 0 },
	{ "sim:pair2x", 0, 0, 0 },
	{ "sim:pair2,", 0, 0, 0 },
	{ "sim:pair2,what=1", 0, 0, 0 },
	{ "sim:pair2,mem=", 0, 0, 0 },
	{ "sim:pair2,mem=0", 0, 0, 0 },
	{ "sim:pair2,mem=127M", 0, 0, 0 },
	{ "sim:pair2,mem=65G", 0, 0, 0 },
	{ "sim:pair2,mem=134217729", 0, 0, 0 },
	{ "sim:pair2,mem=256MB", 0, 0, 0 },
	{ "sim:pair2,mem=17179869185G", 0, 0, 0 },
	{ "sim:pair2,queues=", 0, 0, 0 },
	{ "sim:pair2,queues=0", 0, 0, 0 },
	{ "sim:pair2,queues=256", 0, 0, 0 },
	{ "sim:pair2,queues=-1", 0, 0, 0 },
	{ "sim:pair2,profile=", 0, 0, 0 },
	{ "sim:pair2,profile=fast", 0, 0, 0 },
	{ "sim:pair2,profile=a-name-longer-than-any-profile", 0, 0, 0 },
	{ "sim:pair2,profile=/no/such/file", 0, 0, 0 },
	{ "sim:/no/such/file", 0, 0, 0 },
	{ "sim:pair2,time=real", 0, 0, 0 },
	{ "sim:pair2,time=modelledx", 0, 0, 0 },
	{ "sim:pair2,capture=", 0, 0, 0 },
	{ "sim:pair2,capture=/dev/null,capture=/dev/null", 0, 0, 0 },
	{ "sim:pair2,deviate=nothing-of-that-name", 0, 0, 0 },
	{ "sim:pair2,remote=1", 0, 0, 0 },
	{ "sim:pair2,open=1M", 0, 0, 0 },
	{ "sim:pair2,patience=1", 0, 0, 0 },
	{ "sim:pair2,remote=1-2:listen:/x,patience=0", 0, 0, 0 },
	{ "sim:pair2,remote=1-2:listen:/x,patience=3601", 0, 0, 0 },
	{ "sim:pair2,remote=1-2:listen:/x,open=100", 0, 0, 0 },
	{ "sim:pair2,remote=1-2:listen:/x,open=256M", 0, 0, 0 },
	{ "sim:pair2,remote=1-2:listen:/x,remote=1-2:listen:/x", 0, 0, 0 },
	{ "neither", 0, 0, 0 },
	{ "plugin:", 0, 0, 0 },
};

/* Also a switch, which has no registers, knows its links. */
static void two_ends_alike(struct ht *t, struct hsl_fabric *f, uint32_t node, unsigned int index)
{
	struct hsl_link_props here = { .size = sizeof(here) }, there = here;
	unsigned int i;

	HT_OK(t, hsl_link_query(f, node, index, &here));
	for (i = 0; !hsl_link_query(f, here.peer, i, &there); i++)
		if (there.peer == node && there.state == here.state && there.width == here.width && there.rate_mtps == here.rate_mtps &&
		    there.latency_ps == here.latency_ps && there.peer_type == HSL_NODE_TYPE_CHIP)
			return;
	HT_FAIL_TEST(t, "link %u of node %u has no other end like it among %u links of node %u", index, node, i, here.peer);
}

/* It has what its name says. Another one of the same name is the same fabric, of another name is not. */
static void is_named(struct ht *t, const struct name *n, struct hsl_fabric *f)
{
	struct hsl_fabric_info info = { .size = sizeof(info) }, again = info, other = info;
	struct hsl_chip_props chip = { .size = sizeof(chip) };
	struct hsl_fabric *f2, *f3;
	char url[64];
	unsigned int i, k;

	HT_OK(t, hsl_fabric_info(f, &info));
	HT_EQ(t, "chips", info.nchips, n->chips);
	for (i = 0; i < n->chips; i++) {
		HT_OK(t, hsl_chip_by_index(f, i, &chip));
		HT_EQ(t, "memory of a chip", chip.mem_bytes, n->mem_bytes);
		HT_EQ(t, "free memory of a chip", chip.mem_free_bytes, n->mem_bytes);
		HT_EQ(t, "queues of a chip", chip.nqueues, n->queues);
		for (k = 0; k < chip.nlinks; k++)
			two_ends_alike(t, f, chip.node, k);
	}
	HT_OK(t, hsl_fabric_open(n->url, &f2));
	HT_OK(t, hsl_fabric_info(f2, &again));
	HT_TRUE(t, !memcmp(info.fabric_id, again.fabric_id, sizeof(info.fabric_id)), "%s twice is two fabrics", n->url);
	snprintf(url, sizeof(url), "%s%s", n->url, strstr(n->url, ",queues=") ? ",time=modelled" : ",queues=3");
	HT_OK(t, hsl_fabric_open(url, &f3));
	HT_OK(t, hsl_fabric_info(f3, &other));
	HT_TRUE(t, memcmp(info.fabric_id, other.fabric_id, sizeof(info.fabric_id)), "%s is %s", url, n->url);
	hsl_fabric_close(f3);
	hsl_fabric_close(f2);
	HT_OK(t, hsl_chip_by_index(f, 0, &chip));
}

/* Without a name it is that of the environment, else the first device, which may not be there. */
static void no_name(struct ht *t)
{
	struct hsl_fabric_info info = { .size = sizeof(info) };
	struct hsl_fabric *f;
	int rc;

	HT_TRUE(t, !setenv("HSL_FABRIC", "sim:ring3", 1), "setenv");
	HT_OK(t, hsl_fabric_open(NULL, &f));
	HT_OK(t, hsl_fabric_info(f, &info));
	HT_EQ(t, "chips of $HSL_FABRIC, sim:ring3", info.nchips, 3);
	hsl_fabric_close(f);
	HT_TRUE(t, !unsetenv("HSL_FABRIC"), "unsetenv");
	rc = hsl_fabric_open(NULL, &f);
	HT_TRUE(t, t->kernel ? !rc : !rc || rc == -ENODEV || rc == -EACCES, "without a name: %s", ht_errno_name(rc));
	if (rc)
		return;
	HT_OK(t, hsl_fabric_info(f, &info));
	HT_TRUE(t, !strcmp(info.backend, "kernel"), "without a name the fabric is one of %s", info.backend);
	hsl_fabric_close(f);
}

static void fabric_names(struct ht *t)
{
	struct hsl_fabric *f;
	unsigned int i;

	/* libhsl says on stderr what is wrong with a name, which is right, and noise here */
	HT_TRUE(t, freopen("/dev/null", "w", stderr) != NULL, "freopen: %s", strerror(errno));
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const struct name *n = &names[i];
		int rc;

		ht_step(t, "%s", n->url);
		rc = hsl_fabric_open(n->url, &f);
		HT_TRUE(t, rc == (n->chips ? 0 : -EINVAL), "%s: expected %s, got %s", n->url, n->chips ? "success" : "-EINVAL",
			ht_errno_name(rc));
		if (!n->chips)
			continue;
		is_named(t, n, f);
		hsl_fabric_close(f);
	}
	ht_step(t, "no name");
	no_name(t);
}

const struct ht_test ht_tests_lib[] = {
	{ "HEP-API-008", "no_objects", "what is no object, and what does not exist, is refused", no_objects, 0, 0 },
	{ "HEP-API-008", "fabric_names", "a name of a fabric says what it has; what is no name is EINVAL", fabric_names, 0, 0 },
	{ "HEP-API-013", "calls", "calls do what their operations do", calls, 0, 0 },
	{ "HEP-API-014", "sizes", "structs shorter and longer than the library's own", sizes, 0, 0 },
	{ 0 }
};
