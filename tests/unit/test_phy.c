// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Link states: the code's edges against the table of docs/hep.md section 8.4, one end in each state
 * with everything that can happen to it, and two ends on a wire with a delay.
 */
#include "model_test.h"

#include <stdio.h>

#include "model/phy.h"

#define TS_PS 1000u
#define TRAIN_PS 100000u
#define WIRE_PS 2500u		/* more than a training period: several TS are under way */

static struct hsl_phy_cfg cfg16 = { .lanes = 16, .rate_mtps = 112000, .ts_ps = TS_PS,
				    .train_ps = TRAIN_PS };

/* ---- two ends and a wire ---- */

#define FLYING 32

struct wire {
	struct { struct hsl_ts ts; uint64_t at; } q[FLYING];
	uint32_t n, lose;	/* under way; how many of the next to lose */
};

struct pair {
	struct hsl_phy end[2];
	struct wire to[2];
	uint64_t now;
	uint8_t seen[2][8];	/* states that were entered */
};

static void note(struct pair *l)
{
	for (int i = 0; i < 2; i++) {
		struct hsl_phy *p = &l->end[i];
		bool up = p->state == HSL_LTSSM_L0 || p->state == HSL_LTSSM_L1;

		l->seen[i][p->state] = 1;
		assert_int_equal(p->width != 0, up);
		assert_int_equal(p->rate_mtps != 0, up);
	}
	if (l->end[0].state == HSL_LTSSM_L0 && l->end[1].state == HSL_LTSSM_L0) {
		assert_int_equal(l->end[0].width, l->end[1].width);
		assert_int_equal(l->end[0].rate_mtps, l->end[1].rate_mtps);
	}
}

static void send_all(struct pair *l)
{
	struct hsl_ts ts;

	for (int i = 0; i < 2; i++) {
		struct wire *w = &l->to[!i];

		while (hsl_phy_tx(&l->end[i], l->now, &ts)) {
			if (w->lose) {
				w->lose--;
				continue;
			}
			assert_true(w->n < FLYING);
			w->q[w->n].ts = ts;
			w->q[w->n++].at = l->now + WIRE_PS;
		}
	}
	note(l);
}

static void event(struct pair *l, int i, enum hsl_phy_event ev)
{
	hsl_phy_event(&l->end[i], l->now, ev);
	send_all(l);
}

static uint64_t next_ps(struct pair *l)
{
	uint64_t t = UINT64_MAX, d;

	for (int i = 0; i < 2; i++) {
		d = hsl_phy_deadline(&l->end[i]);
		t = d < t ? d : t;
		d = l->to[i].n ? l->to[i].q[0].at : UINT64_MAX;
		t = d < t ? d : t;
	}
	return t;
}

static void step(struct pair *l)
{
	uint64_t t = next_ps(l);

	l->now = t > l->now ? t : l->now;
	for (int i = 0; i < 2; i++) {
		struct wire *w = &l->to[i];

		while (w->n && w->q[0].at <= l->now) {
			struct hsl_ts ts = w->q[0].ts;

			memmove(&w->q[0], &w->q[1], --w->n * sizeof(w->q[0]));
			hsl_phy_rx(&l->end[i], l->now, &ts);
			send_all(l);
		}
		hsl_phy_timer(&l->end[i], l->now);
		send_all(l);
	}
}

static void run(struct pair *l, uint64_t ps)
{
	uint64_t end = l->now + ps;

	while (next_ps(l) <= end)
		step(l);
	l->now = end;
}

/* Until both are in these states; not in five training times: fails. */
static void until(struct pair *l, uint32_t a, uint32_t b)
{
	uint64_t end = l->now + 5 * TRAIN_PS;

	while (l->end[0].state != a || l->end[1].state != b) {
		if (next_ps(l) > end)
			fail_msg("%s and %s, expected %s and %s",
				 hsl_phy_state_name(l->end[0].state),
				 hsl_phy_state_name(l->end[1].state),
				 hsl_phy_state_name(a), hsl_phy_state_name(b));
		step(l);
	}
}

static void both_until(struct pair *l, uint32_t state)
{
	until(l, state, state);
}

static struct pair *pair_of(const struct hsl_phy_cfg *a, const struct hsl_phy_cfg *b)
{
	static struct pair l;

	memset(&l, 0, sizeof(l));
	hsl_phy_init(&l.end[0], a);
	hsl_phy_init(&l.end[1], b);
	return &l;
}

static struct pair *up(const struct hsl_phy_cfg *a, const struct hsl_phy_cfg *b)
{
	struct pair *l = pair_of(a, b);

	event(l, 0, HSL_PHY_PRESENT);
	event(l, 1, HSL_PHY_PRESENT);
	both_until(l, HSL_LTSSM_L0);
	/* what is still under way changes nothing */
	run(l, 4 * WIRE_PS);
	assert_int_equal(l->end[0].state, HSL_LTSSM_L0);
	assert_int_equal(l->end[1].state, HSL_LTSSM_L0);
	return l;
}

/* ---- the document ---- */

static int state_of(const char *word, size_t len)
{
	for (uint32_t s = 0; s < 8; s++)
		if (strlen(hsl_phy_state_name(s)) == len &&
		    !strncmp(word, hsl_phy_state_name(s), len))
			return (int)s;
	return -1;
}

/* The words in capitals of the last column are where the state of the first column leads to. */
static void read_row(const char *line, uint8_t edge[8][8], uint8_t *rows)
{
	size_t len = strcspn(line + 2, " ");
	int from = state_of(line + 2, len);
	const char *p = line;

	if (from < 0)
		return;
	(*rows)++;
	for (int bar = 0; bar < 3; p++)
		bar += *p == '|';
	while (*p && *p != '|') {
		int to;

		len = strcspn(p, " ,;:|\n");
		to = state_of(p, len);
		if (to >= 0)
			edge[from][to] = 1;
		p += len ? len : 1;
	}
}

static void test_document(void **state)
{
	uint8_t edge[8][8] = { { 0 } }, rows = 0;
	bool inside = false;
	char line[1024];
	FILE *f = fopen("docs/hep.md", "r");

	(void)state;
	if (!f)
		fail_msg("docs/hep.md: run this in the project's directory");
	while (fgets(line, sizeof(line), f)) {
		if (line[0] == '#')
			inside = !strncmp(line, "### 8.4 ", 8);
		if (inside && !strncmp(line, "| ", 2))
			read_row(line, edge, &rows);
	}
	fclose(f);
	assert_int_equal(rows, 8);
	for (uint32_t from = 0; from < 8; from++)
		for (uint32_t to = 0; to < 8; to++)
			if (edge[from][to] != hsl_phy_edge(from, to))
				fail_msg("%s to %s: docs/hep.md says %s, the code %s",
					 hsl_phy_state_name(from), hsl_phy_state_name(to),
					 edge[from][to] ? "yes" : "no",
					 hsl_phy_edge(from, to) ? "yes" : "no");
	assert_false(hsl_phy_edge(8, 0));
	assert_string_equal(hsl_phy_state_name(8), "?");
}

/* ---- one end ---- */

#define NEW HSL_TS_F_NEW
#define ECHO 0x80		/* in a table: TS1 with the end's own round as echo */

static struct hsl_ts heard(uint8_t type, uint8_t flags, const struct hsl_phy *p)
{
	return (struct hsl_ts){
		.type = type, .flags = flags, .lanes = 0xffff, .rate_mtps = 64000, .round = 77,
		.echo = type == HSL_TS2 ? p->round : 0, .width = type == HSL_TS2 ? 16 : 0,
	};
}

static void hear(struct hsl_phy *p, uint64_t now, uint8_t type, uint8_t flags)
{
	struct hsl_ts ts = heard(type, flags, p);

	hsl_phy_rx(p, now, &ts);
}

/* An end of 16 lanes in this state, at time 0, with the other end present but in DISABLED. */
static struct hsl_phy in_state(uint32_t s)
{
	struct hsl_phy_cfg c = cfg16;
	struct hsl_phy p;

	c.idle_ps = 7000;
	hsl_phy_init(&p, &c);
	if (s == HSL_LTSSM_DETECT)
		return p;
	hsl_phy_event(&p, 0, HSL_PHY_PRESENT);
	if (s == HSL_LTSSM_DISABLED)
		hsl_phy_event(&p, 0, HSL_PHY_DISABLE);
	else if (s != HSL_LTSSM_POLLING)
		hear(&p, 0, HSL_TS1, NEW);
	if (s == HSL_LTSSM_L0 || s == HSL_LTSSM_L1 || s == HSL_LTSSM_RECOVERY ||
	    s == HSL_LTSSM_HOT_RESET)
		hear(&p, 0, HSL_TS2, NEW);
	if (s == HSL_LTSSM_L1) {
		p.busy_ps = 0;
		hear(&p, 7000, HSL_TS1, HSL_TS_F_L1);
	} else if (s == HSL_LTSSM_RECOVERY) {
		hsl_phy_event(&p, 0, HSL_PHY_RETRAIN);
	} else if (s == HSL_LTSSM_HOT_RESET) {
		hsl_phy_event(&p, 0, HSL_PHY_HOT_RESET);
	}
	if (p.state != s)
		fail_msg("%s, not %s", hsl_phy_state_name(p.state), hsl_phy_state_name(s));
	return p;
}

/* Every state and every event. */
static void test_events(void **state)
{
	enum { D, P, C, U, L, R, X, H };	/* the states in their order */
	static const uint8_t want[8][7] = {
		/*           PRESENT ABSENT RETRAIN DISABLE ENABLE HOT_RESET WAKE */
		[D] = { P, D, D, X, D, D, D },
		[P] = { P, D, P, X, P, P, P },
		[C] = { C, D, C, X, C, H, C },
		[U] = { U, D, R, X, U, H, U },
		[L] = { L, D, R, X, L, L, R },
		[R] = { R, D, R, X, R, H, R },
		[X] = { X, X, X, X, D, X, X },
		[H] = { H, D, H, H, H, H, H },
	};

	(void)state;
	for (uint32_t s = 0; s < 8; s++) {
		for (uint32_t ev = 0; ev < 7; ev++) {
			struct hsl_phy p = in_state(s);
			bool changed = hsl_phy_event(&p, 9000, (enum hsl_phy_event)ev);

			if (p.state != want[s][ev])
				fail_msg("%s and event %u: %s, expected %s", hsl_phy_state_name(s),
					 ev, hsl_phy_state_name(p.state),
					 hsl_phy_state_name(want[s][ev]));
			assert_int_equal(changed, p.state != s);
			if (changed) {
				assert_true(hsl_phy_edge(s, p.state));
				assert_int_equal(p.entered_ps, 9000);
				assert_true(p.entries[p.state] > 0);
			}
		}
		assert_false(hsl_phy_event(&(struct hsl_phy){ .state = s }, 0,
					   (enum hsl_phy_event)99));
	}
}

/* Every state and every kind of TS. */
static void test_ts(void **state)
{
	enum { D, P, C, U, L, R, X, H };
	/* round 77 is the one that was heard before; TS2 echoes the end's own round */
	static const struct { uint8_t type, flags, round, to[8]; } t[] = {
		/*                                  D  P  C  U  L  R  X  H */
		{ HSL_TS1, 0, 78,                 { D, P, C, R, R, C, X, H } },
		{ HSL_TS1, NEW, 77,               { D, C, C, R, R, C, X, H } },
		{ HSL_TS1, NEW, 78,               { D, C, C, D, D, D, X, D } },
		{ HSL_TS2, 0, 77,                 { D, U, U, U, R, U, X, H } },
		{ HSL_TS2, 0, 78,                 { D, U, U, R, R, U, X, H } },
		{ HSL_TS2, NEW, 77,               { D, U, U, U, R, U, X, H } },
		{ HSL_TS2, NEW, 78,               { D, U, U, D, D, D, X, H } },
		{ HSL_TS2, HSL_TS_F_L0, 77,       { D, P, U, U, L, R, X, H } },
		{ HSL_TS1, HSL_TS_F_L1, 77,       { D, P, C, L, L, R, X, H } },
		{ HSL_TS2, HSL_TS_F_L1, 77,       { D, P, C, U, L, R, X, H } },
		{ HSL_TS1, HSL_TS_F_DISABLE, 78,  { D, P, C, U, L, R, X, H } },
		{ HSL_TS1, ECHO | HSL_TS_F_DISABLE, 78, { D, X, X, X, X, X, X, H } },
		{ HSL_TS1, ECHO, 78,              { D, C, C, R, R, C, X, H } },
		{ HSL_TS1, HSL_TS_F_HOT_RESET, 78, { D, P, H, H, R, H, X, H } },
		{ 0, 0, 78,                       { D, P, C, U, L, R, X, H } },
		{ 3, NEW, 78,                     { D, P, C, U, L, R, X, H } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		for (uint32_t s = 0; s < 8; s++) {
			struct hsl_phy p = in_state(s);
			struct hsl_ts ts = heard(t[i].type, t[i].flags, &p);
			bool changed;

			ts.round = t[i].round;
			if (t[i].flags & ECHO) {
				ts.flags &= (uint8_t)~ECHO;
				ts.echo = p.round;
			}
			changed = hsl_phy_rx(&p, 90000, &ts);

			if (p.state != t[i].to[s])
				fail_msg("%s and TS%u with flags %#x: %s, expected %s",
					 hsl_phy_state_name(s), t[i].type, t[i].flags,
					 hsl_phy_state_name(p.state),
					 hsl_phy_state_name(t[i].to[s]));
			assert_int_equal(changed, p.state != s);
		}
	}
}

static void test_timers(void **state)
{
	(void)state;
	for (uint32_t s = 0; s < 8; s++) {
		struct hsl_phy p = in_state(s), q = p;
		bool trains = s == HSL_LTSSM_POLLING || s == HSL_LTSSM_CONFIG ||
			      s == HSL_LTSSM_RECOVERY || s == HSL_LTSSM_HOT_RESET;
		struct hsl_ts ts;

		/* no state is left before its time, and L0, L1, DISABLED never are */
		assert_false(hsl_phy_timer(&p, TRAIN_PS - 1));
		assert_int_equal(p.state, s);
		assert_int_equal(hsl_phy_timer(&p, trains ? TRAIN_PS : 1ull << 60), trains);
		assert_int_equal(p.state, trains ? (uint32_t)HSL_LTSSM_DETECT : s);
		/* the deadline never asks for nothing: at it, the timer or a TS does something */
		for (int i = 0; i < 300; i++) {
			uint64_t t = hsl_phy_deadline(&q);

			if (t == UINT64_MAX)
				break;
			assert_true(hsl_phy_timer(&q, t) | hsl_phy_tx(&q, t, &ts) ||
				    hsl_phy_deadline(&q) > t);
		}
		/* nothing to do in DETECT without the other end, DISABLED and L1 */
		if (s == HSL_LTSSM_DETECT || s == HSL_LTSSM_DISABLED || s == HSL_LTSSM_L1)
			assert_true(hsl_phy_deadline(&q) == UINT64_MAX);
	}
}

/* ---- two ends ---- */

static uint32_t widest(uint32_t lanes)
{
	static const uint32_t w[] = { 16, 8, 4, 1 };

	for (int i = 0; i < 4; i++)
		if ((lanes & ((1u << w[i]) - 1)) == (1u << w[i]) - 1)
			return w[i];
	return 0;
}

static void test_width_and_rate(void **state)
{
	static const uint32_t rates[] = { 32000, 112000, 240000 };

	(void)state;
	for (uint32_t a = 1; a <= 16; a++) {
		for (uint32_t b = 1; b <= 16; b++) {
			struct hsl_phy_cfg ca = cfg16, cb = cfg16;
			uint32_t lanes = a < b ? a : b;
			struct pair *l;

			ca.lanes = a;
			cb.lanes = b;
			ca.rate_mtps = rates[a % 3];
			cb.rate_mtps = rates[b % 3];
			l = up(&ca, &cb);
			assert_int_equal(l->end[0].width, widest((1u << lanes) - 1));
			assert_int_equal(l->end[1].width, l->end[0].width);
			assert_int_equal(l->end[0].width, hsl_phy_max_width(lanes == a ? &ca : &cb));
			assert_int_equal(l->end[1].rate_mtps,
					 ca.rate_mtps < cb.rate_mtps ? ca.rate_mtps : cb.rate_mtps);
			assert_int_equal(l->end[0].entries[HSL_LTSSM_L0], 1);
			assert_int_equal(l->end[1].entries[HSL_LTSSM_RECOVERY], 0);
		}
	}
}

static void lane(struct pair *l, int i, uint32_t n, bool works)
{
	hsl_phy_lane(&l->end[i], l->now, n, works);
	send_all(l);
}

static void test_lanes(void **state)
{
	static const struct { uint32_t lane, width; } fail[] = {
		{ 15, 8 }, { 7, 4 }, { 9, 4 }, { 2, 1 }, { 1, 1 },
	};
	struct pair *l = up(&cfg16, &cfg16);

	(void)state;
	/* the lanes of either direction count, and no lane that is not in use costs a training */
	for (uint32_t i = 0; i < 5; i++) {
		uint32_t before = l->end[0].width, rounds = l->end[1].entries[HSL_LTSSM_RECOVERY];

		lane(l, i & 1, fail[i].lane, false);
		if (fail[i].lane < before)
			assert_int_equal(l->end[i & 1].state, HSL_LTSSM_RECOVERY);
		both_until(l, HSL_LTSSM_L0);
		assert_int_equal(l->end[0].width, fail[i].width);
		assert_int_equal(l->end[1].width, fail[i].width);
		assert_int_equal(l->end[1].entries[HSL_LTSSM_RECOVERY] - rounds,
				 fail[i].lane < before);
	}
	/* recovery does not forget */
	assert_int_equal(l->end[0].entries[HSL_LTSSM_DETECT], 0);
	/* a lane that works again is used after the next training */
	for (uint32_t i = 0; i < 5; i++)
		lane(l, i & 1, fail[i].lane, true);
	assert_int_equal(l->end[0].width, 1);
	event(l, 1, HSL_PHY_RETRAIN);
	both_until(l, HSL_LTSSM_L0);
	assert_int_equal(l->end[0].width, 16);
	/* lane 0: no width, both try again for ever, and come back with the lane */
	lane(l, 0, 0, false);
	run(l, 20 * TRAIN_PS);
	assert_int_equal(l->end[0].entries[HSL_LTSSM_L0], l->end[1].entries[HSL_LTSSM_L0]);
	assert_int_not_equal(l->end[0].state, HSL_LTSSM_L0);
	assert_true(l->end[0].entries[HSL_LTSSM_DETECT] > 2);
	lane(l, 0, 0, true);
	both_until(l, HSL_LTSSM_L0);
	assert_int_equal(l->end[1].width, 16);
	assert_false(hsl_phy_lane(&l->end[0], l->now, 16, false));
	assert_false(hsl_phy_lane(&l->end[0], l->now, 99, false));
}

/* A lane that changes in the middle of training, at every moment of it, on either side. */
static void test_lane_while_training(void **state)
{
	(void)state;
	for (uint64_t at = 0; at < 40; at++) {
		for (int end = 0; end < 2; end++) {
			struct pair *l = up(&cfg16, &cfg16);

			event(l, 0, HSL_PHY_RETRAIN);
			run(l, at * 400);
			lane(l, end, 5, false);
			both_until(l, HSL_LTSSM_L0);
			run(l, TRAIN_PS);
			assert_int_equal(l->end[0].state, HSL_LTSSM_L0);
			assert_int_equal(l->end[1].state, HSL_LTSSM_L0);
			assert_int_equal(l->end[0].width, 4);
			assert_int_equal(l->end[1].width, 4);
			assert_int_equal(l->end[0].entries[HSL_LTSSM_DETECT], 0);
			assert_int_equal(l->end[1].entries[HSL_LTSSM_DETECT], 0);
		}
	}
}

/* Up to five TS each way are lost, anywhere in a recovery: it ends in L0 without DETECT. */
static void test_lost_ts(void **state)
{
	(void)state;
	for (uint64_t at = 0; at < 40; at++) {
		for (uint32_t lost = 0; lost < 36; lost++) {
			struct pair *l = up(&cfg16, &cfg16);

			event(l, 0, HSL_PHY_RETRAIN);
			run(l, at * 400);
			l->to[0].lose = lost % 6;
			l->to[1].lose = lost / 6;
			run(l, TRAIN_PS);
			assert_int_equal(l->end[0].state, HSL_LTSSM_L0);
			assert_int_equal(l->end[1].state, HSL_LTSSM_L0);
			assert_int_equal(l->end[0].entries[HSL_LTSSM_DETECT], 0);
			assert_int_equal(l->end[1].entries[HSL_LTSSM_DETECT], 0);
		}
	}
}

static void test_time_is_over(void **state)	/* HEP-PHY-004 */
{
	struct pair *l = up(&cfg16, &cfg16);

	(void)state;
	l->to[0].lose = l->to[1].lose = UINT32_MAX;
	event(l, 0, HSL_PHY_RETRAIN);
	run(l, TRAIN_PS - 1);
	assert_int_equal(l->end[0].state, HSL_LTSSM_RECOVERY);
	assert_int_equal(l->end[1].state, HSL_LTSSM_L0);
	run(l, 1);
	assert_int_equal(l->end[0].state, HSL_LTSSM_DETECT);
	run(l, TS_PS);
	assert_int_equal(l->end[0].state, HSL_LTSSM_POLLING);
	/* the other end has forgotten nothing: it goes through DETECT before they train */
	l->to[0].lose = l->to[1].lose = 0;
	both_until(l, HSL_LTSSM_L0);
	assert_int_equal(l->end[1].entries[HSL_LTSSM_DETECT], 1);
	assert_int_equal(l->end[1].entries[HSL_LTSSM_RECOVERY], 0);
}

static void test_absence(void **state)
{
	(void)state;
	for (uint64_t at = 0; at < 30; at++) {
		struct pair *l = pair_of(&cfg16, &cfg16);

		event(l, 0, HSL_PHY_PRESENT);
		event(l, 1, HSL_PHY_PRESENT);
		run(l, at * 500);
		event(l, 0, HSL_PHY_ABSENT);
		assert_int_equal(l->end[0].state, HSL_LTSSM_DETECT);
		run(l, 3 * TRAIN_PS);
		assert_int_equal(l->end[0].state, HSL_LTSSM_DETECT);
		event(l, 0, HSL_PHY_PRESENT);
		both_until(l, HSL_LTSSM_L0);
	}
}

static void test_l1(void **state)
{
	struct hsl_phy_cfg sleepy = cfg16, awake = cfg16;
	struct pair *l;

	(void)state;
	sleepy.idle_ps = 50000;
	l = up(&sleepy, &sleepy);
	both_until(l, HSL_LTSSM_L1);
	assert_int_equal(l->end[0].width, 16);
	event(l, 1, HSL_PHY_WAKE);
	assert_int_equal(l->end[1].state, HSL_LTSSM_RECOVERY);
	both_until(l, HSL_LTSSM_L0);
	assert_int_equal(l->end[0].entries[HSL_LTSSM_DETECT], 0);
	/* an end with something to send keeps both in L0, and is not disturbed by being asked */
	for (int i = 0; i < 50; i++) {
		hsl_phy_event(&l->end[1], l->now, HSL_PHY_WAKE);
		run(l, 20000);
		assert_int_equal(l->end[1].state, HSL_LTSSM_L0);
		assert_int_equal(l->end[0].state, HSL_LTSSM_L0);
	}
	assert_true(l->end[0].l1_asked);
	/* who has asked and has something to send retrains: the answer may have been lost */
	event(l, 0, HSL_PHY_WAKE);
	assert_int_equal(l->end[0].state, HSL_LTSSM_RECOVERY);
	both_until(l, HSL_LTSSM_L0);
	/* the TS2 that agrees is lost: it is asked again */
	until(l, HSL_LTSSM_L1, HSL_LTSSM_L1);
	event(l, 0, HSL_PHY_WAKE);
	both_until(l, HSL_LTSSM_L0);
	hsl_phy_event(&l->end[1], l->now + 40000, HSL_PHY_WAKE);
	while (l->end[1].state != HSL_LTSSM_L1) {
		l->to[0].lose = 1;
		step(l);
	}
	assert_int_equal(l->end[0].state, HSL_LTSSM_L0);
	l->to[0].lose = 0;
	both_until(l, HSL_LTSSM_L1);
	/* a lane in use that fails in L1 retrains */
	lane(l, 0, 3, false);
	assert_int_equal(l->end[0].state, HSL_LTSSM_RECOVERY);
	both_until(l, HSL_LTSSM_L0);
	assert_int_equal(l->end[0].width, 1);

	/* who never sleeps does not agree */
	l = up(&sleepy, &awake);
	run(l, 10 * TRAIN_PS);
	assert_int_equal(l->end[0].state, HSL_LTSSM_L0);
	assert_int_equal(l->end[1].state, HSL_LTSSM_L0);
}

static void test_disable(void **state)
{
	struct pair *l = up(&cfg16, &cfg16);
	uint32_t before;

	(void)state;
	event(l, 0, HSL_PHY_DISABLE);
	both_until(l, HSL_LTSSM_DISABLED);
	run(l, 3 * TRAIN_PS);
	assert_int_equal(l->end[1].state, HSL_LTSSM_DISABLED);
	assert_true(next_ps(l) == UINT64_MAX);
	/* the end that did not ask cannot undo it alone */
	event(l, 1, HSL_PHY_ENABLE);
	run(l, TRAIN_PS / 2);
	assert_int_equal(l->end[1].state, HSL_LTSSM_DISABLED);
	event(l, 0, HSL_PHY_ENABLE);
	both_until(l, HSL_LTSSM_L0);
	/* both asked: both have to be enabled, in either order */
	event(l, 0, HSL_PHY_DISABLE);
	event(l, 1, HSL_PHY_DISABLE);
	both_until(l, HSL_LTSSM_DISABLED);
	event(l, 1, HSL_PHY_ENABLE);
	run(l, TRAIN_PS / 2);
	both_until(l, HSL_LTSSM_DISABLED);
	event(l, 0, HSL_PHY_ENABLE);
	both_until(l, HSL_LTSSM_L0);
	/* the one TS is lost: the other end learns it when it trains */
	run(l, 4 * WIRE_PS);
	l->to[1].lose = 1;
	event(l, 0, HSL_PHY_DISABLE);
	run(l, TRAIN_PS);
	assert_int_equal(l->end[1].state, HSL_LTSSM_L0);
	event(l, 1, HSL_PHY_RETRAIN);
	both_until(l, HSL_LTSSM_DISABLED);
	event(l, 0, HSL_PHY_ENABLE);
	both_until(l, HSL_LTSSM_L0);
	/* and when it never hears of it, that the link is new */
	run(l, 4 * WIRE_PS);
	l->to[1].lose = 1;
	before = l->end[1].entries[HSL_LTSSM_DISABLED];
	event(l, 0, HSL_PHY_DISABLE);
	event(l, 0, HSL_PHY_ENABLE);
	both_until(l, HSL_LTSSM_L0);
	assert_int_equal(l->end[1].entries[HSL_LTSSM_DISABLED], before);
}

static void test_hot_reset(void **state)
{
	struct hsl_phy_cfg sleepy = cfg16;
	struct pair *l = up(&cfg16, &cfg16);

	(void)state;
	event(l, 0, HSL_PHY_HOT_RESET);
	until(l, HSL_LTSSM_HOT_RESET, HSL_LTSSM_HOT_RESET);
	both_until(l, HSL_LTSSM_L0);
	assert_int_equal(l->end[1].resets, 1);
	assert_int_equal(l->end[0].resets, 0);
	assert_int_equal(l->end[0].entries[HSL_LTSSM_DETECT], 1);
	/* lost a few times */
	l->to[1].lose = 5;
	event(l, 0, HSL_PHY_HOT_RESET);
	both_until(l, HSL_LTSSM_L0);
	assert_int_equal(l->end[1].resets, 2);
	/* both at once, and in the middle of training */
	event(l, 0, HSL_PHY_HOT_RESET);
	event(l, 1, HSL_PHY_HOT_RESET);
	both_until(l, HSL_LTSSM_L0);
	assert_int_equal(l->end[0].resets, 1);
	assert_int_equal(l->end[1].resets, 3);
	event(l, 1, HSL_PHY_RETRAIN);
	event(l, 0, HSL_PHY_HOT_RESET);
	both_until(l, HSL_LTSSM_L0);
	assert_int_equal(l->end[1].resets, 4);
	/* in L1 by way of RECOVERY; software disables meanwhile: remembered */
	sleepy.idle_ps = 50000;
	l = up(&sleepy, &sleepy);
	both_until(l, HSL_LTSSM_L1);
	event(l, 0, HSL_PHY_WAKE);
	event(l, 0, HSL_PHY_HOT_RESET);
	assert_int_equal(l->end[1].state, HSL_LTSSM_L1);
	event(l, 0, HSL_PHY_DISABLE);
	assert_int_equal(l->end[0].state, HSL_LTSSM_HOT_RESET);
	both_until(l, HSL_LTSSM_DISABLED);
	assert_int_equal(l->end[1].resets, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_document),
		cmocka_unit_test(test_events),
		cmocka_unit_test(test_ts),
		cmocka_unit_test(test_timers),
		cmocka_unit_test(test_width_and_rate),
		cmocka_unit_test(test_lanes),
		cmocka_unit_test(test_lane_while_training),
		cmocka_unit_test(test_lost_ts),
		cmocka_unit_test(test_time_is_over),
		cmocka_unit_test(test_absence),
		cmocka_unit_test(test_l1),
		cmocka_unit_test(test_disable),
		cmocka_unit_test(test_hot_reset),
	};

	return cmocka_run_group_tests_name("phy", tests, NULL, NULL);
}
