// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Two ends of a link, the code of qemu/model/phy.c, in every order of what can happen: TS and flits
 * arrive or are lost, timers run out, lanes fail and heal, either end is there or not, software
 * disables, enables, retrains, resets. Time is whatever it needs to be: a timer may be due at any
 * moment, so the order of timers is explored like all else.
 *
 *   no end takes an edge that the table has not (HEP-PHY-001)
 *   both in L0: same width and rate, and the lanes in use work in both directions (HEP-PHY-002)
 *   no end takes flits from two lives of the other one: what one has forgotten, both have
 *   (HEP-PHY-003); a life ends in DETECT
 *   with both ends there, enabled and lane 0 working, L0 or L1 of both can be reached (HEP-PHY-004)
 *
 * What disturbs is bounded by a number per run, and what is under way by the wire's places. Rounds
 * and lives are only compared for equality, so they are numbered anew after each move, the current
 * one highest: that makes the states finite.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/phy.h"
#include "tests/model/explore.h"

#define PLACES 2
#define LATE 1000u		/* every timer is due, every end idle */
#define CURRENT 200u

/* What a run lets happen. */
enum { LOSS = 1, LANES = 2, ABSENCE = 4, DISABLING = 8, HOT_RESETS = 16, RETRAINING = 32 };

struct run {
	const char *name;
	uint32_t what;
	uint32_t places, disturbances;
	bool l1, flits;
};

struct item {			/* on the wire */
	struct hsl_ts ts;	/* type 0: a flit */
	uint16_t life;
};

struct state {
	struct hsl_phy end[2];
	struct item to[2][PLACES];
	uint8_t n[2];
	uint8_t disturbed;
	uint8_t bad;		/* see sentences */
	uint16_t life[2], partner[2];	/* partner: life of the other end whose flits were taken */
};
union padded {
	struct state s;
	uint64_t words[(sizeof(struct state) + 7) / 8];
};

static const char *const sentences[] = {
	NULL,
	"an end took an edge that is not in the table",
	"an end took flits from two lives of the other one",
};

static const char *const events[] = {
	"present", "absent", "retrain", "disable", "enable", "hot reset", "wake",
};

/* ---- canonical form ---- */

struct names {
	uint16_t from[2 * PLACES + 2], n;
};

static uint16_t name(struct names *m, uint16_t current, uint16_t v)
{
	if (v == current)
		return CURRENT;
	for (uint16_t i = 0; i < m->n; i++)
		if (m->from[i] == v)
			return (uint16_t)(CURRENT - 1 - i);
	m->from[m->n++] = v;
	return (uint16_t)(CURRENT - m->n);
}

static void rename_rounds(struct state *s, int i)
{
	uint16_t now = s->end[i].round;
	struct names m = { .n = 0 };

	s->end[!i].peer_round = name(&m, now, s->end[!i].peer_round);
	for (int k = 0; k < s->n[!i]; k++)
		if (s->to[!i][k].ts.round)
			s->to[!i][k].ts.round = name(&m, now, s->to[!i][k].ts.round);
	for (int k = 0; k < s->n[i]; k++)
		if (s->to[i][k].ts.echo)
			s->to[i][k].ts.echo = name(&m, now, s->to[i][k].ts.echo);
	s->end[i].round = CURRENT;
}

static void rename_lives(struct state *s, int i)
{
	uint16_t now = s->life[i];
	struct names m = { .n = 0 };

	if (s->partner[!i])
		s->partner[!i] = name(&m, now, s->partner[!i]);
	for (int k = 0; k < s->n[!i]; k++)
		if (s->to[!i][k].life)
			s->to[!i][k].life = name(&m, now, s->to[!i][k].life);
	s->life[i] = CURRENT;
}

/* What no later move can tell apart is made equal. */
static void canonical(struct state *s)
{
	for (int i = 0; i < 2; i++) {
		struct hsl_phy *p = &s->end[i];
		uint32_t st = p->state;

		p->entered_ps = p->busy_ps = 0;
		if (p->next_ts_ps != UINT64_MAX)
			p->next_ts_ps = 0;
		memset(p->entries, 0, sizeof(p->entries));
		p->changes = 0;
		memset(p->trail, 0, sizeof(p->trail));
		p->resets = 0;
		if (st != HSL_LTSSM_CONFIG && st != HSL_LTSSM_L0 && st != HSL_LTSSM_L1)
			p->peer_lanes = 0, p->peer_rate_mtps = 0;
		if (st == HSL_LTSSM_DETECT || st == HSL_LTSSM_DISABLED || st == HSL_LTSSM_HOT_RESET)
			p->lanes_told = 0;
		memset(&s->to[i][s->n[i]], 0, (PLACES - s->n[i]) * sizeof(s->to[i][0]));
	}
	for (int i = 0; i < 2; i++) {
		rename_rounds(s, i);
		rename_lives(s, i);
	}
}

/* ---- moves ---- */

static void watch(struct state *s, int i, uint32_t from)
{
	const struct hsl_phy *p = &s->end[i];
	bool legal = from == p->state || hsl_phy_edge(from, p->state);

	/* at most two edges in one call */
	for (uint32_t m = 0; m < 8 && !legal; m++)
		legal = p->entries[m] && hsl_phy_edge(from, m) && hsl_phy_edge(m, p->state);
	if (!legal)
		s->bad = 1;
	if (p->entries[HSL_LTSSM_DETECT]) {
		s->life[i]++;
		s->partner[i] = 0;
	}
}

static void put_on(struct state *s, int to, const struct hsl_ts *ts, uint16_t life)
{
	struct item *it = &s->to[to][s->n[to]++];

	memset(it, 0, sizeof(*it));
	it->life = life;
	if (!ts)
		return;
	it->ts.type = ts->type;
	it->ts.flags = ts->flags;
	if (ts->flags & (HSL_TS_F_DISABLE | HSL_TS_F_HOT_RESET | HSL_TS_F_L1)) {
		it->ts.flags &= (uint8_t)~HSL_TS_F_NEW;
		it->ts.rate_mtps = 1;
		it->ts.echo = ts->flags & HSL_TS_F_DISABLE ? ts->echo : 0;
		return;
	}
	it->ts = *ts;
}

static struct item take_off(struct state *s, int i)
{
	struct item it = s->to[i][0];

	s->n[i]--;
	memmove(&s->to[i][0], &s->to[i][1], s->n[i] * sizeof(it));
	return it;
}

static bool send(const struct run *r, struct state *s, int i)
{
	struct hsl_ts ts;

	if (s->n[!i] == r->places || !hsl_phy_tx(&s->end[i], LATE, &ts))
		return false;
	put_on(s, !i, &ts, 0);
	return true;
}

static bool send_flit(const struct run *r, struct state *s, int i)
{
	struct hsl_phy *p = &s->end[i];

	if (!r->flits || p->state != HSL_LTSSM_L0 || s->n[!i] == r->places || p->owed)
		return false;
	hsl_phy_event(p, 0, HSL_PHY_WAKE);
	if (p->state == HSL_LTSSM_L0)
		put_on(s, !i, NULL, s->life[i]);
	return true;
}

static void arrive(struct state *s, int i, uint64_t now)
{
	struct item it = take_off(s, i);

	if (it.ts.type) {
		hsl_phy_rx(&s->end[i], now, &it.ts);
	} else if (s->end[i].state == HSL_LTSSM_L0) {
		if (s->partner[i] && s->partner[i] != it.life)
			s->bad = 2;
		s->partner[i] = it.life;
	}
}

static bool allowed(const struct run *r, const struct hsl_phy *p, uint32_t ev)
{
	switch ((enum hsl_phy_event)ev) {
	case HSL_PHY_PRESENT:
		return !p->present;
	case HSL_PHY_ABSENT:
		return p->present && r->what & ABSENCE;
	case HSL_PHY_RETRAIN:
		return r->what & RETRAINING;
	case HSL_PHY_DISABLE:
		return r->what & DISABLING;
	case HSL_PHY_ENABLE:
		return p->off;
	case HSL_PHY_HOT_RESET:
		return r->what & HOT_RESETS;
	case HSL_PHY_WAKE:
		return r->l1;
	}
	return false;
}

static bool disturb(const struct run *r, struct state *s)
{
	return s->disturbed++ < r->disturbances;
}

enum { MV_SEND, MV_TIMER, MV_ARRIVE, MV_ARRIVE_LATE, MV_FLIT, MV_LOSE, MV_LANE0, MV_LANE3, MV_EVENT,
       MV_PER_END = MV_EVENT + 7 };

static enum explore_move move_of(const struct run *r, struct state *s, int i, uint32_t mv)
{
	struct hsl_phy *p = &s->end[i];
	uint32_t lane = mv == MV_LANE0 ? 0 : 3;

	switch (mv) {
	case MV_SEND:
		return send(r, s, i) ? EXPLORE_STEP : EXPLORE_NONE;
	case MV_TIMER:
		return hsl_phy_timer(p, LATE) ? EXPLORE_STEP : EXPLORE_NONE;
	case MV_ARRIVE:
	case MV_ARRIVE_LATE:
		/* whether the end is idle matters to who asks for L1 only */
		if (!s->n[i] || (mv == MV_ARRIVE_LATE && !(s->to[i][0].ts.flags & HSL_TS_F_L1)))
			return EXPLORE_NONE;
		arrive(s, i, mv == MV_ARRIVE_LATE ? LATE : 0);
		return EXPLORE_STEP;
	case MV_FLIT:
		return send_flit(r, s, i) ? EXPLORE_WORK : EXPLORE_NONE;
	case MV_LOSE:
		if (!s->n[i] || !(r->what & LOSS) || !disturb(r, s))
			return EXPLORE_NONE;
		take_off(s, i);
		return EXPLORE_WORK;
	case MV_LANE0:
	case MV_LANE3:
		if (!(r->what & LANES) || !disturb(r, s))
			return EXPLORE_NONE;
		hsl_phy_lane(p, 0, lane, !(p->lanes_ok >> lane & 1));
		return EXPLORE_WORK;
	}
	mv -= MV_EVENT;
	if (!allowed(r, p, mv))
		return EXPLORE_NONE;
	if (mv != HSL_PHY_PRESENT && mv != HSL_PHY_ENABLE && mv != HSL_PHY_WAKE && !disturb(r, s))
		return EXPLORE_NONE;
	hsl_phy_event(p, 0, (enum hsl_phy_event)mv);
	return EXPLORE_WORK;
}

static enum explore_move move(void *ctx, void *state, uint32_t m, char *text, size_t len)
{
	static const char *const names[] = {
		"sends", "timer", "hears", "hears, idle", "sends a flit", "loses", "lane 0", "lane 3",
	};
	struct state *s = &((union padded *)state)->s;
	uint32_t i = m / MV_PER_END, mv = m % MV_PER_END, from[2];
	enum explore_move result;
	struct hsl_ts ts;

	if (i > 1)
		return EXPLORE_END;
	ts = s->to[i][0].ts;
	from[0] = s->end[0].state;
	from[1] = s->end[1].state;
	result = move_of(ctx, s, (int)i, mv);
	if (result == EXPLORE_NONE)
		return result;
	for (int k = 0; k < 2; k++)
		watch(s, k, from[k]);
	if (text && (mv == MV_ARRIVE || mv == MV_ARRIVE_LATE || mv == MV_LOSE))
		snprintf(text, len, "%c %s TS%u flags %#x lanes %#x round %u echo %u width %u: %s to %s",
			 'A' + i, names[mv], ts.type, ts.flags, ts.lanes, ts.round, ts.echo, ts.width,
			 hsl_phy_state_name(from[i]), hsl_phy_state_name(s->end[i].state));
	else if (text)
		snprintf(text, len, "%c %s: %s to %s", 'A' + i,
			 mv < MV_EVENT ? names[mv] : events[mv - MV_EVENT],
			 hsl_phy_state_name(from[i]), hsl_phy_state_name(s->end[i].state));
	canonical(s);
	return result;
}

/* ---- what must hold ---- */

static bool is_up(const struct hsl_phy *p)
{
	return p->state == HSL_LTSSM_L0 || p->state == HSL_LTSSM_L1;
}

static const char *check_end(const struct hsl_phy *p)
{
	uint32_t lanes = (1u << p->width) - 1;

	if ((p->width != 0) != is_up(p) || (p->rate_mtps != 0) != is_up(p))
		return "width and rate are those of L0 and L1 only";
	if ((p->lanes_ok & lanes) != lanes)
		return "a lane in use does not work";
	if (p->off ? p->state != HSL_LTSSM_DISABLED && p->state != HSL_LTSSM_HOT_RESET :
		     p->state == HSL_LTSSM_DISABLED)
		return "disabled and not in DISABLED, or the other way around";
	if (is_up(p) && p->fresh)
		return "an end in L0 or L1 is not new";
	if (!p->present && p->state != HSL_LTSSM_DETECT && p->state != HSL_LTSSM_DISABLED)
		return "an end without another is in DETECT or DISABLED";
	return NULL;
}

static const char *check(void *ctx, const void *state)
{
	const struct state *s = &((const union padded *)state)->s;
	const struct hsl_phy *a = &s->end[0], *b = &s->end[1];
	const char *why = sentences[s->bad];

	(void)ctx;
	for (int i = 0; i < 2 && !why; i++)
		why = check_end(&s->end[i]);
	if (!why && a->state == HSL_LTSSM_L0 && b->state == HSL_LTSSM_L0 &&
	    (a->width != b->width || a->rate_mtps != b->rate_mtps))
		why = "both are in L0 and do not agree on width and rate";
	return why;
}

/* Both up; or something that no step changes keeps them from it. */
static bool quiet(void *ctx, const void *state)
{
	const struct state *s = &((const union padded *)state)->s;
	bool up = true;

	(void)ctx;
	for (int i = 0; i < 2; i++) {
		const struct hsl_phy *p = &s->end[i];

		if (!p->present || !(p->lanes_ok & 1) || p->off & 1)
			return true;
		up = up && is_up(p);
	}
	return up;
}

/* The ends are alike: a state and its mirror image are one. */
static void hash(void *ctx, const void *state, uint64_t h[2])
{
	const struct state *s = &((const union padded *)state)->s;
	union padded mirror;
	uint64_t g[2];

	(void)ctx;
	memset(&mirror, 0, sizeof(mirror));
	for (int i = 0; i < 2; i++) {
		mirror.s.end[i] = s->end[!i];
		memcpy(mirror.s.to[i], s->to[!i], sizeof(s->to[i]));
		mirror.s.n[i] = s->n[!i];
		mirror.s.life[i] = s->life[!i];
		mirror.s.partner[i] = s->partner[!i];
	}
	mirror.s.disturbed = s->disturbed;
	mirror.s.bad = s->bad;
	explore_hash(state, sizeof(union padded), h);
	explore_hash(&mirror, sizeof(mirror), g);
	if (g[0] < h[0])
		memcpy(h, g, sizeof(g));
}

static void init(void *ctx, void *state)
{
	const struct run *r = ctx;
	struct state *s = &((union padded *)state)->s;

	memset(state, 0, sizeof(union padded));
	for (int i = 0; i < 2; i++) {
		struct hsl_phy_cfg cfg = {
			.lanes = 4, .rate_mtps = 112000, .ts_ps = 1, .train_ps = 1,
			.idle_ps = r->l1,
		};

		hsl_phy_init(&s->end[i], &cfg);
		s->life[i] = CURRENT;
	}
	canonical(s);
}

#define EVERYTHING (LOSS | LANES | ABSENCE | DISABLING | HOT_RESETS | RETRAINING)
static const struct run runs[] = {
	{ "phy, loss, lanes", LOSS | LANES, 1, 2, false, false },
	{ "phy, retraining, flits", LOSS | RETRAINING | ABSENCE, 1, 2, false, true },
	{ "phy, disabling, hot reset", LOSS | DISABLING | HOT_RESETS | ABSENCE, 1, 2, false, false },
	{ "phy, L1", LOSS | RETRAINING, 1, 2, true, true },
	{ "phy, everything", EVERYTHING, 1, 1, true, true },
	/* deep */
	{ "phy, loss, lanes, deep", LOSS | LANES, 2, 2, false, false },
	{ "phy, retraining, flits, deep", LOSS | RETRAINING | ABSENCE, 2, 3, false, true },
	{ "phy, disabling, hot reset, deep", LOSS | DISABLING | HOT_RESETS | ABSENCE, 2, 2, false,
	  false },
	{ "phy, L1, deep", LOSS | RETRAINING, 2, 3, true, true },
	{ "phy, everything, deep", EVERYTHING, 2, 1, true, true },
};
#define FAST_RUNS 5

int main(int argc, char **argv)
{
	size_t first = argc > 1 && !strcmp(argv[1], "deep") ? FAST_RUNS : 0;
	size_t last = first ? sizeof(runs) / sizeof(runs[0]) : FAST_RUNS;
	bool good = true;

	if (argc > 1 && !first) {
		first = (size_t)atoi(argv[1]);
		last = first + 1;
	}
	for (size_t i = first; i < last; i++) {
		struct run r = runs[i];
		struct explore e = {
			.name = r.name, .ctx = &r, .state_bytes = sizeof(union padded), .init = init,
			.move = move, .check = check, .hash = hash, .quiet = quiet,
		};
		struct explore_result result;

		explore_run(&e, &result);
		good = explore_report(&e, &result) && good;
		explore_free(&result);
	}
	return !good;
}
