/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * COH: caches of chips and a home, seen by commands on observable memory and by LINE of the test
 * facility. Each chip's LOADs and STOREs go through its cache, so lines are shared, owned, taken
 * away and evicted in an order that the test chooses; what they must hold it knows.
 *
 * No requirement of section 12 depends on sizes. A cache is made to evict by lines that fall into one
 * set whatever the number of sets is, up to SPREAD bytes; if it does not, less is shown.
 */
#include <stdlib.h>

#include "hsl/ctf.h"
#include "hsltest.h"

#define LINE   64u
#define SPREAD ((uint64_t)128 * 1024)	/* between lines of one set */
#define LINES  24u			/* of one set: more than ways of caches, and of a directory */

struct coh {
	struct ht *t;
	struct hsl_queue *q[2]; /* of the home's chip, of another one */
	uint32_t node[2];
	struct hsl_segment *seg;
	uint64_t ga;
};

static void coh_new(struct ht *t, struct coh *c)
{
	struct hsl_segment_opts o = { .size = sizeof(o), .flags = HSL_SEGMENT_OBSERVABLE };

	ht_need_cap(t, HSL_CAP_MODELLED, "observable memory");
	ht_need_tool(t, HSL_CAP_OP_LOADSTORE, "LOAD and STORE");
	c->t = t;
	for (unsigned int i = 0; i < 2; i++) {
		c->node[i] = t->chip[i].node;
		c->q[i] = ht_queue_new(t, c->node[i], 0);
	}
	HT_OK(t, hsl_segment_alloc(t->f, c->node[0], LINES * SPREAD, &o, &c->seg));
	c->ga = hsl_segment_ga(c->seg);
}

static void coh_free(struct coh *c)
{
	HT_OK(c->t, hsl_segment_free(c->seg));
	ht_queue_free(c->t, c->q[0]);
	ht_queue_free(c->t, c->q[1]);
}

static void put(struct coh *c, unsigned int who, uint64_t off, uint64_t v)
{
	int rc = hsl_store(c->q[who], c->ga + off, &v, 8);

	HT_TRUE(c->t, !rc, "STORE by chip %u at byte %#llx: %s", c->node[who], (unsigned long long)off,
		ht_errno_name(rc));
}

static void get(struct coh *c, unsigned int who, uint64_t off, uint64_t want, const char *when)
{
	uint64_t v = 0;
	int rc = hsl_load(c->q[who], c->ga + off, 8, &v);

	HT_TRUE(c->t, !rc, "LOAD by chip %u at byte %#llx %s: %s", c->node[who], (unsigned long long)off, when,
		ht_errno_name(rc));
	HT_TRUE(c->t, v == want, "LOAD by chip %u at byte %#llx %s: expected %#llx, got %#llx", c->node[who],
		(unsigned long long)off, when, (unsigned long long)want, (unsigned long long)v);
}

static struct hsl_ctf *facility(struct ht *t, uint32_t node, uint32_t command, const char *what)
{
	struct hsl_ctf *f = NULL;
	int rc = hsl_ctf_open(t->f, node, &f);

	if (rc == -EOPNOTSUPP || rc == -EACCES || rc == -EPERM)
		HT_SKIP_TEST(t, "test facility of chip %u: %s", node, ht_errno_name(rc));
	HT_OK(t, rc);
	if (!(hsl_ctf_commands(f) >> command & 1))
		HT_SKIP_TEST(t, "the facility of chip %u has no %s", node, what);
	return f;
}

/* The line in the cache of the facility's chip: 'I', 'S', 'E', 'M'. */
static char state(struct coh *c, struct hsl_ctf *f, uint64_t off)
{
	uint64_t arg[3] = { c->ga + off, 0, 0 }, r[2] = { 0, 0 };

	HT_OK(c->t, hsl_ctf_command(f, 0, HSL_CTF_CMD_LINE, arg, r));
	return (char)(r[0] & 0xff);
}

/* ---- HEP-COH-001 ---- */

static void one_owner(struct ht *t)
{
	struct hsl_ctf *f[2];
	struct coh c;

	coh_new(t, &c);
	for (unsigned int i = 0; i < 2; i++)
		f[i] = facility(t, c.node[i], HSL_CTF_CMD_LINE, "LINE");
	for (uint64_t round = 0; round < 64; round++) {
		uint64_t off = round % 8 * LINE;
		unsigned int who = (unsigned int)ht_random_below(t, 2);
		char a, b;

		if (ht_random_below(t, 3)) {
			uint64_t v;

			HT_OK(t, hsl_load(c.q[who], c.ga + off, 8, &v));
		} else {
			put(&c, who, off, round);
		}
		a = state(&c, f[0], off);
		b = state(&c, f[1], off);
		HT_TRUE(t, (a != 'E' && a != 'M') || b == 'I', "chip %u has line %#llx in %c, chip %u in %c",
			c.node[0], (unsigned long long)off, a, c.node[1], b);
		HT_TRUE(t, (b != 'E' && b != 'M') || a == 'I', "chip %u has line %#llx in %c, chip %u in %c",
			c.node[1], (unsigned long long)off, b, c.node[0], a);
	}
	hsl_ctf_close(f[0]);
	hsl_ctf_close(f[1]);
	coh_free(&c);
}

/* ---- HEP-COH-002, -003, -005, -008 ---- */

/* Both share the line, one stores, both load. */
static void last_store(struct ht *t)
{
	struct coh c;

	coh_new(t, &c);
	for (uint64_t round = 1; round <= 400; round++) {
		uint64_t off = ht_random_below(t, 16) * LINE + 8 * ht_random_below(t, 8);
		unsigned int who = (unsigned int)ht_random_below(t, 2);
		uint64_t v = ht_random(t), dummy;

		ht_step(t, "round %llu", (unsigned long long)round);
		HT_OK(t, hsl_load(c.q[0], c.ga + off, 8, &dummy));
		HT_OK(t, hsl_load(c.q[1], c.ga + off, 8, &dummy));
		put(&c, who, off, v);
		get(&c, !who, off, v, "after a store of the other chip");
		get(&c, who, off, v, "after its own store");
	}
	coh_free(&c);
}

/* Lines of one set, dirty and clean, of both chips: each is answered, whatever has to leave for it. */
static void evictions(struct ht *t)
{
	uint64_t shadow[LINES] = { 0 };
	struct coh c;

	coh_new(t, &c);
	for (unsigned int round = 0; round < 40 * LINES; round++) {
		unsigned int i = (unsigned int)ht_random_below(t, LINES);
		unsigned int who = (unsigned int)ht_random_below(t, 2);

		ht_step(t, "access %u of lines that share a set", round);
		if (ht_random_below(t, 2)) {
			shadow[i] = ht_random(t);
			put(&c, who, i * SPREAD, shadow[i]);
		} else {
			get(&c, who, i * SPREAD, shadow[i], "among lines that share a set");
		}
	}
	coh_free(&c);
}

/* One chip makes more lines of a set dirty than a cache has ways, the other one looks. */
static void dirty_lines(struct ht *t)
{
	struct coh c;

	coh_new(t, &c);
	for (uint64_t round = 0; round < 8; round++) {
		unsigned int who = round % 2;

		for (uint64_t i = 0; i < LINES; i++)
			put(&c, who, i * SPREAD, round << 32 | i);
		for (uint64_t i = 0; i < LINES; i++)
			get(&c, round & 2 ? who : !who, i * SPREAD, round << 32 | i, "after it left a cache");
	}
	coh_free(&c);
}

/* More lines of a set in use than a directory has ways: no copy stays in a cache that the home does not know of. */
static void recalls(struct ht *t)
{
	struct hsl_ctf *f[2];
	struct coh c;

	coh_new(t, &c);
	for (unsigned int i = 0; i < 2; i++)
		f[i] = facility(t, c.node[i], HSL_CTF_CMD_LINE, "LINE");
	for (uint64_t round = 1; round <= 16; round++) {
		for (uint64_t i = 0; i < LINES; i++) {
			uint64_t v;

			HT_OK(t, hsl_load(c.q[i % 2], c.ga + i * SPREAD, 8, &v));
		}
		for (uint64_t i = LINES; i-- > 0;) {	/* what was loaded last is still in a cache */
			unsigned int who = (i + round) % 2;

			put(&c, who, i * SPREAD, round << 32 | i);
			HT_TRUE(t, state(&c, f[!who], i * SPREAD) == 'I',
				"chip %u has stored to line %llu, which chip %u still has", c.node[who],
				(unsigned long long)i, c.node[!who]);
		}
		for (uint64_t i = 0; i < LINES; i++)
			get(&c, i % 2, i * SPREAD, round << 32 | i, "after a recall");
	}
	hsl_ctf_close(f[0]);
	hsl_ctf_close(f[1]);
	coh_free(&c);
}

/* ---- HEP-COH-006 ---- */

/* Chips in turn, and lines in their caches: each addition counts once. */
static void atomics_once(struct ht *t)
{
	uint64_t sum[4] = { 0 }, old;
	struct coh c;

	ht_need_cap(t, HSL_CAP_OP_ATOMIC, "ATOMIC");
	coh_new(t, &c);
	for (unsigned int round = 0; round < 400; round++) {
		unsigned int who = (unsigned int)ht_random_below(t, 2), i = (unsigned int)ht_random_below(t, 4);
		uint64_t v = 1 + ht_random_below(t, 1000);

		HT_OK(t, hsl_atomic(c.q[who], HSL_ATOMIC_ADD, c.ga + i * LINE, 8, v, 0, &old));
		HT_TRUE(t, old == sum[i], "ADD %u by chip %u: expected the old value %llu, got %llu", round,
			c.node[who], (unsigned long long)sum[i], (unsigned long long)old);
		sum[i] += v;
		if (ht_random_below(t, 2))
			get(&c, !who, i * LINE, sum[i], "after an ADD");
	}
	coh_free(&c);
}

/* ---- HEP-COH-007 ---- */

static void poison_goes_along(struct ht *t)
{
	struct hsl_ctf *f;
	struct coh c;
	uint64_t v;

	coh_new(t, &c);
	f = facility(t, c.node[0], HSL_CTF_CMD_POISON, "POISON");
	for (uint64_t i = 0; i < 4; i++) {
		uint64_t arg[3] = { c.ga + (2 * i + 1) * LINE, 1, 0 };

		HT_OK(t, hsl_ctf_command(f, 0, HSL_CTF_CMD_POISON, arg, NULL));
		for (unsigned int k = 0; k < 4; k++) {
			int rc = hsl_load(c.q[k % 2], arg[0] + 8 * k, 8, &v);

			HT_TRUE(t, rc == hsl_status_errno(HSL_ST_POISON), "LOAD %u of a poisoned line by chip %u: %s",
				k, c.node[k % 2], ht_errno_name(rc));
			HT_OK(t, hsl_load(c.q[k % 2], arg[0] - LINE, 8, &v));
			HT_OK(t, hsl_load(c.q[k % 2], arg[0] + LINE, 8, &v));
		}
	}
	hsl_ctf_close(f);
	coh_free(&c);
}

const struct ht_test ht_tests_coh[] = {
	{ "HEP-COH-001", "coh_one_owner", "who may write a line is the only one who has it", one_owner,
	  HT_F_TWO_CHIPS, 0 },
	{ "HEP-COH-002", "coh_last_store", "a load returns the last store, of whichever chip", last_store,
	  HT_F_TWO_CHIPS, 0 },
	{ "HEP-COH-003", "coh_evictions", "each access is answered, whatever leaves the caches for it", evictions,
	  HT_F_TWO_CHIPS, 0 },
	{ "HEP-COH-005", "coh_dirty_lines", "dirty lines that leave a cache are not lost", dirty_lines,
	  HT_F_TWO_CHIPS, 0 },
	{ "HEP-COH-006", "coh_atomics_once", "each ATOMIC at a home counts once", atomics_once, HT_F_TWO_CHIPS, 0 },
	{ "HEP-COH-007", "coh_poison", "POISON reaches who loads the line, and nobody else", poison_goes_along,
	  HT_F_TWO_CHIPS, 0 },
	{ "HEP-COH-008", "coh_recalls", "a line that leaves the directory leaves all caches", recalls,
	  HT_F_TWO_CHIPS, 0 },
	{ 0 }
};
