// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * The judge is judged: logs written by hand, good and bad, one per rule, a bad one with the reason
 * that has to be given; then small random logs, right and slightly wrong ones, against trying every
 * order; then large right ones, which have to be accepted without looking back much.
 */
#include "model_test.h"
#include "oracle/oracle.h"
#include "oracle/traffic.h"

#define LINE 0x10000u
#define LOG_MAX 64

/* One operation of a log: who, what, where, and when it begins and ends (order of those numbers).
 */
struct rec {
	uint16_t agent;
	uint8_t kind, off, len;
	int from, to;	/* to 0: never done */
	uint64_t value; /* written or read, or the old value */
	uint8_t subop;
	uint64_t arg0, arg1;
	uint8_t status;
};

static void post(struct oracle *o, const struct rec *r, uint64_t *number)
{
	struct oracle_op op = {
		.ga = LINE + r->off,
		.ps = (uint64_t)r->from * 1000,
		.arg0 = r->arg0,
		.arg1 = r->arg1,
		.agent = r->agent,
		.kind = r->kind,
		.len = r->len,
		.subop = r->subop,
	};

	for (unsigned int i = 0; i < r->len; i++) /* longer than 8 bytes: repeated */
		op.data[i] = (uint8_t)(r->value >> 8 * (i % 8));
	*number = oracle_post(o, &op);
}

static bool done(struct oracle *o, const struct rec *r, uint64_t number)
{
	struct oracle_result res = { .ps = (uint64_t)r->to * 1000,
				     .value = r->value,
				     .status = r->status };

	for (unsigned int i = 0; i < r->len; i++)
		res.data[i] = (uint8_t)(r->value >> 8 * (i % 8));
	return oracle_done(o, number, r->agent, &res);
}

static void replay(struct oracle *o, const struct rec *r, unsigned int n)
{
	uint64_t number[LOG_MAX];

	for (int t = 1; t <= 2 * LOG_MAX; t++) {
		for (unsigned int i = 0; i < n; i++) {
			if (r[i].from == t)
				post(o, &r[i], &number[i]);
			if (r[i].to == t)
				assert_true(done(o, &r[i], number[i]));
		}
	}
}

static void judge(const struct rec *r, unsigned int n, bool poison, const char *reason)
{
	static const uint8_t zero[HSL_LINE_BYTES];
	struct oracle *o = oracle_new();

	oracle_memory(o, LINE, zero, poison);
	replay(o, r, n);
	if (oracle_end(o) != !reason || (reason && !strstr(oracle_why(o), reason)))
		fail_msg("expected \"%s\", got \"%s\"", reason ? reason : "", oracle_why(o));
	oracle_free(o);
}

#define GOOD(...)                                                                                  \
	judge((struct rec[]){ __VA_ARGS__ },                                                       \
	      sizeof((struct rec[]){ __VA_ARGS__ }) / sizeof(struct rec), false, NULL)
#define BAD(reason, ...)                                                                           \
	judge((struct rec[]){ __VA_ARGS__ },                                                       \
	      sizeof((struct rec[]){ __VA_ARGS__ }) / sizeof(struct rec), false, reason)
#define ST(a, off, len, v, from, to)                                                               \
	{                                                                                          \
		a, ORACLE_STORE, off, len, from, to, v, 0, 0, 0, HSL_ST_OK                         \
	}
#define LD(a, off, len, v, from, to)                                                               \
	{                                                                                          \
		a, ORACLE_LOAD, off, len, from, to, v, 0, 0, 0, HSL_ST_OK                          \
	}
#define WR(a, off, len, v, from, to)                                                               \
	{                                                                                          \
		a, ORACLE_WRITE, off, len, from, to, v, 0, 0, 0, HSL_ST_OK                         \
	}
#define RD(a, off, len, v, from, to)                                                               \
	{                                                                                          \
		a, ORACLE_READ, off, len, from, to, v, 0, 0, 0, HSL_ST_OK                          \
	}
#define AT(a, off, len, op, arg0, arg1, old, from, to)                                             \
	{                                                                                          \
		a, ORACLE_ATOMIC, off, len, from, to, old, HSL_ATOMIC_##op, arg0, arg1, HSL_ST_OK  \
	}

static void test_values(void **state)
{
	(void)state;
	GOOD(ST(1, 0, 8, 0xa, 1, 2), LD(2, 0, 8, 0xa, 3, 4));
	GOOD(LD(2, 0, 8, 0, 1, 2));
	BAD("nobody wrote this value", ST(1, 0, 8, 0xa, 1, 2), LD(2, 0, 8, 0xb, 3, 4));
	BAD("bytes 8 to 15: nobody wrote", ST(1, 0, 8, 0xa, 1, 2), LD(2, 8, 8, 0xa, 3, 4));
	/* stale: what was there before, and an earlier store; past the cache or through it */
	BAD("stale, of what was there before", ST(1, 0, 8, 0xa, 1, 2), LD(2, 0, 8, 0, 3, 4));
	BAD("stale, of #0", ST(1, 0, 4, 0xa, 1, 2), WR(2, 0, 4, 0xb, 3, 4), RD(3, 0, 4, 0xa, 5, 6));
	BAD("posted after the read was done", LD(2, 0, 8, 0xa, 1, 2), ST(1, 0, 8, 0xa, 3, 4));
	/* a lost store: part of the line comes back as it was */
	BAD("stale", ST(1, 0, 64, 0x11, 1, 2), ST(2, 16, 4, 0x22, 3, 4), LD(3, 16, 8, 0x11, 5, 6));
}

static void test_time(void **state)
{
	(void)state;
	/* overlapping: either value, either order */
	GOOD(ST(1, 0, 8, 0xa, 1, 10), ST(2, 0, 8, 0xb, 1, 10), LD(3, 0, 8, 0xa, 11, 12));
	GOOD(ST(1, 0, 8, 0xa, 1, 10), ST(2, 0, 8, 0xb, 1, 10), LD(3, 0, 8, 0xb, 11, 12));
	GOOD(ST(1, 0, 8, 0xa, 1, 10), LD(3, 0, 8, 0, 2, 3), LD(3, 0, 8, 0xa, 4, 5));
	/* CoRR: once seen it stays */
	BAD("be next", ST(1, 0, 8, 0xa, 1, 10), LD(3, 0, 8, 0xa, 2, 3), LD(3, 0, 8, 0, 4, 5));
	BAD("be next", ST(1, 0, 8, 0xa, 1, 10), LD(3, 0, 8, 0xa, 2, 3), LD(4, 0, 8, 0, 4, 5));
	/* two readers, two orders */
	BAD("be next", ST(1, 0, 8, 0xa, 1, 20), ST(2, 0, 8, 0xb, 1, 20), LD(3, 0, 8, 0xa, 2, 3),
	    LD(3, 0, 8, 0xb, 4, 5), LD(4, 0, 8, 0xb, 2, 3), LD(4, 0, 8, 0xa, 4, 5));
	/* after both are done nobody changes his mind */
	BAD("be next", ST(1, 0, 8, 0xa, 1, 3), ST(2, 0, 8, 0xb, 1, 3), LD(3, 0, 8, 0xa, 4, 5),
	    LD(4, 0, 8, 0xb, 6, 7));
}

static void test_agent_order(void **state)
{
	(void)state;
	/* outstanding at once, same agent, same line: order of posts */
	GOOD(ST(1, 0, 8, 0xa, 1, 10), ST(1, 0, 8, 0xb, 2, 9), LD(2, 0, 8, 0xb, 11, 12));
	BAD("be next", ST(1, 0, 8, 0xa, 1, 10), ST(1, 0, 8, 0xb, 2, 9), LD(2, 0, 8, 0xa, 11, 12));
	BAD("", ST(1, 0, 8, 0xa, 1, 10), LD(1, 0, 8, 0, 2, 9));
	BAD("", LD(1, 0, 8, 0xa, 1, 10), ST(1, 0, 8, 0xa, 2, 9));
	BAD("same agent", LD(1, 0, 8, 0xa, 1, 10), LD(1, 0, 8, 0, 2, 9), ST(2, 0, 8, 0xa, 1, 10));
	GOOD(LD(1, 0, 8, 0xa, 1, 10), LD(2, 0, 8, 0, 2, 9), ST(3, 0, 8, 0xa, 1, 10));
	/* false sharing: the order of one line, not of one word */
	BAD("be next", ST(1, 0, 8, 0xa, 1, 10), ST(1, 8, 8, 0xb, 2, 10), LD(2, 8, 8, 0xb, 3, 4),
	    LD(2, 0, 8, 0, 5, 6));
}

static void test_whole(void **state)
{
	(void)state;
	GOOD(ST(1, 0, 16, 0x1111111111111111, 1, 10), LD(2, 0, 16, 0x1111111111111111, 2, 9));
	/* torn: half of a store seen, the other half not */
	BAD("nobody wrote", ST(1, 4, 8, 0x2222222211111111, 1, 10), LD(2, 4, 8, 0x11111111, 2, 9));
	BAD("has yet to read", ST(1, 4, 8, 0x2222222211111111, 1, 10),
	    LD(2, 4, 8, 0x11111111, 2, 9), LD(3, 8, 4, 0, 3, 8));
	/* a load of words that were never there together */
	BAD("be next", ST(1, 0, 4, 1, 1, 4), ST(2, 4, 4, 2, 1, 4), LD(3, 0, 8, 1, 2, 3),
	    LD(4, 0, 8, UINT64_C(2) << 32, 2, 3));
	/* bytes of many writers in one load */
	GOOD(ST(1, 3, 1, 0x31, 1, 2), ST(2, 4, 2, 0x4241, 1, 2), WR(3, 0, 2, 0x5251, 1, 2),
	     LD(4, 0, 8, 0x424131005251, 3, 4));
}

static void test_atomics(void **state)
{
	(void)state;
	GOOD(AT(1, 0, 8, ADD, 1, 0, 0, 1, 10), AT(2, 0, 8, ADD, 1, 0, 1, 1, 10),
	     LD(3, 0, 8, 2, 11, 12));
	/* applied twice, not at all, to a value that was taken already */
	BAD("nobody wrote", AT(1, 0, 8, ADD, 1, 0, 0, 1, 10), LD(3, 0, 8, 2, 11, 12));
	BAD("stale", AT(1, 0, 8, ADD, 1, 0, 0, 1, 10), LD(3, 0, 8, 0, 11, 12));
	BAD("be next", AT(1, 0, 8, ADD, 1, 0, 0, 1, 10), AT(2, 0, 8, ADD, 1, 0, 0, 1, 10));
	BAD("be next", AT(1, 8, 4, SWAP, 7, 0, 0, 1, 10), AT(2, 8, 4, SWAP, 8, 0, 0, 1, 10));
	/* a store between the read and the write of an ATOMIC */
	BAD("", AT(1, 0, 8, SWAP, 7, 0, 0, 1, 10), ST(2, 0, 8, 5, 1, 10), LD(3, 0, 8, 5, 2, 3),
	    LD(3, 0, 8, 7, 11, 12));
	/* CAS that hits and CAS that does not */
	GOOD(ST(1, 0, 8, 5, 1, 2), AT(1, 0, 8, CAS, 6, 5, 5, 3, 4), AT(2, 0, 8, CAS, 7, 5, 6, 5, 6),
	     LD(3, 0, 8, 6, 7, 8));
	BAD("nobody wrote", ST(1, 0, 8, 5, 1, 2), AT(1, 0, 8, CAS, 6, 4, 5, 3, 4),
	    LD(3, 0, 8, 6, 7, 8));
	/* every operation, 4 bytes, signed and not */
	GOOD(ST(1, 0, 8, 0x55555555fffffff0, 1, 2), AT(1, 0, 4, MIN, 5, 0, 0xfffffff0, 3, 4),
	     AT(1, 0, 4, UMIN, 5, 0, 0xfffffff0, 5, 6), AT(1, 0, 4, MAX, 0xffffffff, 0, 5, 7, 8),
	     AT(1, 0, 4, UMAX, 0xffffffff, 0, 5, 9, 10),
	     AT(1, 0, 4, AND, 0xff, 0, 0xffffffff, 11, 12), AT(1, 0, 4, XOR, 0x0f, 0, 0xff, 13, 14),
	     AT(1, 0, 4, OR, 0x101, 0, 0xf0, 15, 16),
	     AT(1, 0, 4, ADD, 0xffffffff, 0, 0x1f1, 17, 18),
	     LD(2, 0, 8, 0x55555555000001f0, 19, 20));
}

static void test_poison(void **state)
{
	struct rec dead = { 1, ORACLE_LOAD, 0, 8, 3, 4, 0, 0, 0, 0, HSL_ST_POISON };
	struct rec live = LD(2, 8, 8, 0, 5, 6);
	struct rec heal = ST(3, 0, 64, 0x7, 7, 8);
	struct rec part = ST(3, 0, 32, 0x7, 7, 8);
	struct rec after = LD(2, 0, 8, 0x7, 9, 10);

	(void)state;
	judge((struct rec[]){ dead, heal, after }, 3, true, NULL);
	judge((struct rec[]){ dead, live }, 2, true, "the line is poison");
	judge((struct rec[]){ dead }, 1, false, "the line is no poison");
	judge((struct rec[]){ dead, part, after }, 3, true, "the line is poison");
	after.status = HSL_ST_POISON;
	judge((struct rec[]){ dead, heal, after }, 3, true, "the line is no poison");
	/* an event of the test: either side of what overlaps it, poison for what comes later */
	GOOD({ 0, ORACLE_POISON, 0, 64, 1, 9, 0, 0, 0, 0, HSL_ST_OK }, LD(2, 0, 8, 0, 2, 3),
	     { 1, ORACLE_LOAD, 0, 8, 4, 5, 0, 0, 0, 0, HSL_ST_POISON });
	BAD("the line is poison", { 0, ORACLE_POISON, 0, 64, 1, 2, 0, 0, 0, 0, HSL_ST_OK },
	    LD(2, 0, 8, 0, 3, 4));
}

static void test_unreachable(void **state)
{
	const struct rec lost = { 1, ORACLE_STORE, 0, 8, 1, 2, 0xa, 0, 0, 0, HSL_ST_UNREACHABLE };
	const struct rec lost_add = { 1, ORACLE_ATOMIC,	    0, 8, 1, 2, 0, HSL_ATOMIC_ADD, 4,
				      0, HSL_ST_UNREACHABLE };

	(void)state;
	GOOD(lost, LD(2, 0, 8, 0, 3, 4), LD(2, 0, 8, 0xa, 5, 6));
	GOOD(lost, LD(2, 0, 8, 0, 3, 4));
	BAD("be next", lost, LD(2, 0, 8, 0xa, 3, 4), LD(2, 0, 8, 0, 5, 6));
	GOOD(lost_add, ST(2, 0, 8, 1, 3, 4), LD(2, 0, 8, 5, 5, 6));
	BAD("be next", lost_add, ST(2, 0, 8, 1, 3, 4), LD(2, 0, 8, 9, 5, 6));
}

static void test_completions(void **state)
{
	struct rec r = ST(1, 0, 8, 0xa, 1, 2);
	struct oracle *o = oracle_new();
	uint64_t number;

	(void)state;
	post(o, &r, &number);
	assert_true(done(o, &r, number));
	assert_false(done(o, &r, number));
	assert_non_null(strstr(oracle_why(o), "#0 (done by agent 0x1) is done a second time"));
	oracle_free(o);

	o = oracle_new();
	assert_false(done(o, &r, 7));
	assert_non_null(strstr(oracle_why(o), "never posted"));
	oracle_free(o);

	o = oracle_new();
	post(o, &r, &number);
	r.agent = 2;
	assert_false(done(o, &r, number));
	assert_non_null(strstr(oracle_why(o), "another agent"));
	oracle_free(o);

	o = oracle_new();
	post(o, &r, &number);
	assert_false(oracle_end(o));
	assert_non_null(strstr(oracle_why(o), "#0 of agent 0x2 on 0x10000 was never done"));
	oracle_free(o);

	/* results that no access of the kind can have */
	o = oracle_new();
	post(o, &r, &number);
	r.status = HSL_ST_POISON;
	assert_false(done(o, &r, number));
	assert_non_null(strstr(oracle_why(o), "reads nothing"));
	oracle_free(o);
	o = oracle_new();
	r = (struct rec)AT(1, 0, 4, ADD, 1, 0, UINT64_C(1) << 32, 1, 2);
	post(o, &r, &number);
	assert_false(done(o, &r, number));
	assert_non_null(strstr(oracle_why(o), "zero-extended"));
	oracle_free(o);
}

/* A cut keeps what may still matter, and what it forgets it remembers as memory. */
static void test_cut(void **state)
{
	const struct rec first[] = { ST(1, 0, 8, 0xa, 1, 4), ST(2, 0, 8, 0xb, 2, 3),
				     LD(3, 0, 64, 0xb, 5, 6) };
	const struct rec open[] = { ST(1, 0, 8, 0xa, 1, 4), ST(2, 0, 8, 0xb, 2, 3) };
	const struct rec good = LD(4, 0, 4, 0xb, 1, 2), bad = LD(4, 0, 4, 0xa, 3, 4);
	struct oracle_stats s;
	struct oracle *o = oracle_new();

	(void)state;
	/* 64 bytes of rec are its value repeated: make memory agree */
	oracle_memory(o, LINE,
		      (uint8_t[HSL_LINE_BYTES]){ [8] = 0xb,
						 [16] = 0xb,
						 [24] = 0xb,
						 [32] = 0xb,
						 [40] = 0xb,
						 [48] = 0xb,
						 [56] = 0xb },
		      false);
	replay(o, first, 3);
	assert_true(oracle_cut(o));
	oracle_stats(o, &s);
	assert_int_equal(s.judged, 3);
	replay(o, &good, 1);
	replay(o, &bad, 1);
	assert_false(oracle_end(o));
	assert_non_null(strstr(oracle_why(o), "#4 agent 4 LOAD 0x10000+4 returned 0a000000"));
	oracle_free(o);

	for (int pick = 0; pick < 2; pick++) {
		o = oracle_new();
		replay(o, open, 2);
		assert_true(oracle_cut(o));
		oracle_stats(o, &s);
		assert_int_equal(s.judged, 0);
		replay(o, pick ? &good : &bad, 1);
		assert_true(oracle_end(o));
		oracle_free(o);
	}
}

/* ---- against trying every order ---- */

struct brute {
	const struct rec *r;
	unsigned int n, placed;
	bool poison;
	uint8_t line[HSL_LINE_BYTES];
};

static uint64_t reference_atomic(const struct rec *r, uint64_t old)
{
	switch (r->subop) {
	case HSL_ATOMIC_ADD: return old + r->arg0;
	case HSL_ATOMIC_SWAP: return r->arg0;
	default: return old == r->arg1 ? r->arg0 : old;
	}
}

/* Does the record agree with memory? Then it is applied. */
static bool apply(const struct rec *r, uint8_t *line)
{
	uint64_t old = 0;

	if (r->kind == ORACLE_STORE) {
		memcpy(line + r->off, &r->value, r->len);
		return true;
	}
	memcpy(&old, line + r->off, r->len);
	if (memcmp(&old, &r->value, r->len))
		return false;
	if (r->kind == ORACLE_ATOMIC) {
		old = reference_atomic(r, old);
		memcpy(line + r->off, &old, r->len);
	}
	return true;
}

static bool any_order(const struct brute *b)
{
	if (b->placed == (1u << b->n) - 1)
		return true;
	for (unsigned int i = 0; i < b->n; i++) {
		struct brute next = *b;
		bool may = !(b->placed >> i & 1);

		for (unsigned int k = 0; k < b->n && may; k++) {
			bool posted_before = b->r[k].from < b->r[i].from ||
					     (b->r[k].from == b->r[i].from && k < i);
			bool before = b->r[k].to < b->r[i].from ||
				      (b->r[k].agent == b->r[i].agent && posted_before);

			may = k == i || b->placed >> k & 1 || !before;
		}
		next.placed |= 1u << i;
		if (may && apply(&b->r[i], next.line) && any_order(&next))
			return true;
	}
	return false;
}

/* n accesses that take effect at random moments of their time; few values, so that many are
 * ambiguous. */
static void random_log(struct rec *r, unsigned int n, unsigned int values)
{
	uint8_t line[HSL_LINE_BYTES] = { 0 };
	int when[LOG_MAX], times = 4 * (int)n;

	for (unsigned int i = 0; i < n; i++) {
		static const uint8_t kinds[] = { ORACLE_STORE, ORACLE_STORE, ORACLE_LOAD,
						 ORACLE_LOAD, ORACLE_ATOMIC };
		uint8_t len = (uint8_t)(4u << rng_below(2));

		r[i] = (struct rec){
			.agent = (uint16_t)(1 + i),
			.kind = kinds[rng_below(5)],
			.len = len,
			.off = (uint8_t)(4 * rng_below(len == 8 ? 1 : 3)),
			.subop = (uint8_t)rng_below(3),
			.value = 1 + rng_below(values),
			.arg0 = 1 + rng_below(values),
			.arg1 = rng_below(values),
			.from = 1 + (int)rng_below((uint32_t)times - 1),
		};
		when[i] = r[i].from + (int)rng_below((uint32_t)(times - r[i].from + 1));
		r[i].to = when[i] + (int)rng_below((uint32_t)(times - when[i] + 1));
		r[i].to += r[i].to == r[i].from;
		r[i].off += r[i].kind == ORACLE_ATOMIC ? 0 : (uint8_t)rng_below(2) * 2;
		if (len == 8)
			r[i].value |= (1 + rng_below(values)) << 16 |
				      (uint64_t)(1 + rng_below(values)) << 40;
	}
	for (int t = 0; t <= times; t++) {
		for (unsigned int i = 0; i < n; i++) {
			uint64_t old = 0;

			if (when[i] != t)
				continue;
			memcpy(&old, line + r[i].off, r[i].len);
			if (r[i].kind != ORACLE_STORE)
				r[i].value = old;
			apply(&r[i], line);
		}
	}
}

/* Two accesses of different times must not touch in time: posts come before ends of the same
 * moment. */
static void spread(struct rec *r, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		r[i].from = 2 * r[i].from;
		r[i].to = 2 * r[i].to + 1;
	}
}

static void test_every_order(void **state)
{
	unsigned int good = 0, bad = 0, wrong_changed = 0;

	(void)state;
	rng_seed();
	for (unsigned int round = 0; round < 10000; round++) {
		unsigned int n = 2 + rng_below(6);
		struct rec r[LOG_MAX];
		struct brute b = { .r = r, .n = n };
		struct oracle *o = oracle_new();
		bool changed = rng_below(3), expected;

		random_log(r, n, rng_below(2) ? 2 : 200);
		spread(r, n);
		if (changed) { /* one access says something else, or somebody else says it */
			unsigned int i = rng_below(n), k = rng_below(n);

			if (rng_below(2))
				r[i].value = r[k].value & (r[i].len == 8 ? UINT64_MAX : UINT32_MAX);
			else
				r[i].agent = r[k].agent;
		}
		expected = any_order(&b);
		assert_true(expected || changed);
		wrong_changed += changed && !expected;
		replay(o, r, n);
		if (oracle_end(o) != expected)
			fail_msg("round %u: every order says %s, the oracle \"%s\"", round,
				 expected ? "good" : "bad", oracle_why(o));
		*(expected ? &good : &bad) += 1;
		oracle_free(o);
	}
	print_message("# %u good logs, %u bad\n", good, bad);
	assert_true(wrong_changed > 300);
}

/* ---- long logs of a memory that is right ---- */

#define AGENTS 12
#define OUTSTANDING 4 /* of an agent */
#define LINES 15

struct pending {
	struct oracle_op op;
	struct oracle_result res;
	uint64_t number;
	bool busy, applied;
};

static uint64_t wide_atomic(const struct oracle_op *op, uint64_t old)
{
	int64_t s = op->len == 8 ? (int64_t)old : (int32_t)old;
	int64_t a = op->len == 8 ? (int64_t)op->arg0 : (int32_t)op->arg0;
	uint64_t mask = op->len == 8 ? UINT64_MAX : UINT32_MAX, u = op->arg0 & mask;

	switch (op->subop) {
	case HSL_ATOMIC_ADD: return old + u;
	case HSL_ATOMIC_SWAP: return u;
	case HSL_ATOMIC_CAS: return old == (op->arg1 & mask) ? u : old;
	case HSL_ATOMIC_AND: return old & u;
	case HSL_ATOMIC_OR: return old | u;
	case HSL_ATOMIC_XOR: return old ^ u;
	case HSL_ATOMIC_MIN: return s < a ? old : u;
	case HSL_ATOMIC_MAX: return s > a ? old : u;
	case HSL_ATOMIC_UMIN: return old < u ? old : u;
	default: return old > u ? old : u;
	}
}

static void take_effect(struct pending *p, uint8_t *memory)
{
	uint8_t *at = memory + p->op.ga;
	uint64_t fresh;

	p->applied = true;
	if (p->op.kind == ORACLE_STORE || p->op.kind == ORACLE_WRITE) {
		memcpy(at, p->op.data, p->op.len);
	} else if (p->op.kind == ORACLE_ATOMIC) {
		memcpy(&p->res.value, at, p->op.len);
		fresh = wide_atomic(&p->op, p->res.value);
		memcpy(at, &fresh, p->op.len);
	} else {
		memcpy(p->res.data, at, p->op.len);
	}
}

/* One of an agent's: those to one line take effect in the order of their posts. */
static bool may_apply(struct pending p[OUTSTANDING], unsigned int i)
{
	for (unsigned int k = 0; k < OUTSTANDING; k++) {
		if (p[k].busy && !p[k].applied && p[k].number < p[i].number &&
		    p[k].op.ga / HSL_LINE_BYTES == p[i].op.ga / HSL_LINE_BYTES)
			return false;
	}
	return p[i].busy && !p[i].applied;
}

static void step(struct oracle *o, struct traffic *t, struct pending *p, uint32_t agent,
		 uint8_t *memory, bool post)
{
	unsigned int i = traffic_below(t, OUTSTANDING);

	p += agent * OUTSTANDING;
	if (!p[i].busy && post) {
		memset(&p[i], 0, sizeof(p[i]));
		traffic_next(t, (uint16_t)(agent + 1), &p[i].op);
		p[i].number = oracle_post(o, &p[i].op);
		p[i].busy = true;
	} else if (may_apply(p, i)) {
		take_effect(&p[i], memory);
	} else if (p[i].busy && p[i].applied && !traffic_below(t, 3)) {
		assert_true(oracle_done(o, p[i].number, (uint16_t)(agent + 1), &p[i].res));
		p[i].busy = false;
	}
}

static void drain(struct oracle *o, struct traffic *t, struct pending *p, uint8_t *memory)
{
	for (bool busy = true; busy;) {
		busy = false;
		for (unsigned int i = 0; i < AGENTS * OUTSTANDING; i++) {
			step(o, t, p, i / OUTSTANDING, memory, false);
			busy |= p[i].busy;
		}
	}
}

static void audit(struct oracle *o, struct traffic *t, const uint8_t *memory, unsigned int line,
		  uint8_t change)
{
	struct oracle_result res = { 0 };
	struct oracle_op op;

	traffic_audit(t, line, 1, &op);
	memcpy(res.data, memory + op.ga, HSL_LINE_BYTES);
	res.data[traffic_below(t, HSL_LINE_BYTES)] ^= change;
	assert_true(oracle_done(o, oracle_post(o, &op), 1, &res));
}

static void run_long(uint64_t seed, unsigned int steps, bool break_it)
{
	static struct pending p[AGENTS * OUTSTANDING];
	static uint8_t memory[LINES * HSL_LINE_BYTES];
	struct oracle *o = oracle_new();
	struct oracle_stats s;
	struct traffic t;

	memset(p, 0, sizeof(p));
	memset(memory, 0, sizeof(memory));
	traffic_init(&t, seed, LINES, 3);
	for (unsigned int i = 0; i < LINES; i++)
		t.ga[i] = i * HSL_LINE_BYTES;
	for (unsigned int cut = 0; cut < 4; cut++) {
		for (unsigned int k = 0; k < steps; k++)
			step(o, &t, p, traffic_below(&t, AGENTS), memory, true);
		drain(o, &t, p, memory);
		for (unsigned int i = 0; i < LINES; i++)
			audit(o, &t, memory, i, break_it && cut == 3 && i == LINES / 2 ? 0x80 : 0);
		if (!oracle_cut(o) && !(break_it && cut == 3))
			fail_msg("seed %llu: %s", (unsigned long long)seed, oracle_why(o));
	}
	if (oracle_end(o) == break_it)
		fail_msg("seed %llu: %s", (unsigned long long)seed, oracle_why(o));
	oracle_stats(o, &s);
	print_message(
		"# %llu operations, %llu values, %llu ambiguous, %llu steps, %llu backtracks\n",
		(unsigned long long)s.ops, (unsigned long long)s.values,
		(unsigned long long)s.ambiguous, (unsigned long long)s.steps,
		(unsigned long long)s.backtracks);
	assert_true(s.judged > s.ops / 2);
	assert_true(s.steps < 2 * s.ops + 1000 * break_it);
	oracle_free(o);
}

static void test_long(void **state)
{
	(void)state;
	rng_seed();
	run_long(rng(), 30000, false);
	run_long(rng(), 30000, false);
	run_long(rng(), 3000, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),	    cmocka_unit_test(test_time),
		cmocka_unit_test(test_agent_order), cmocka_unit_test(test_whole),
		cmocka_unit_test(test_atomics),	    cmocka_unit_test(test_poison),
		cmocka_unit_test(test_unreachable), cmocka_unit_test(test_completions),
		cmocka_unit_test(test_cut),	    cmocka_unit_test(test_every_order),
		cmocka_unit_test(test_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
