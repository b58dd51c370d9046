// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Every state that two ends of a small link can reach, which are qemu/model/link.c itself, not a
 * model of it: packets posted, flits sent and delivered, packets taken and timers firing in any
 * order, over wires that hold a few flits each and lose, double, damage and reorder them.
 *
 * In every state: packets come out once, in order per channel; the laws of hsl_link_audit; a NAK is
 * not repeated before the flit it asks for was taken; no training after fewer errors than there are
 * rounds of replay; and quiet, with everything delivered, can still be reached without another
 * error.
 *
 * What bounds it: the number of packets, the flits on a wire, and in most links the errors, among
 * which is a timer that fires while flits are on a wire or to be sent. A damaged flit is always the
 * same one, as nothing of it is looked at but its CRC. Time is not explored but timers are: each
 * end's clock moves only when its timer fires.
 *
 *     explore_link [-d] [-m MiB] [NAME…]	-d: the large ones too; NAME: only these
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "model/link.h"
#include "model/model.h"
#include "tests/model/explore.h"

#define WIRE_MAX	4u
#define DAMAGED		0u
#define NO_LIMIT	UINT32_MAX

struct scene {
	const char *name;
	bool deep;
	uint32_t seq_bits, replay_flits, reorder, rounds;
	uint32_t rx_slots, tx_slots;
	uint8_t opcode[2];		/* posted by each end, on two channels; 0: none */
	uint32_t packets[2];		/* of each opcode, by each end */
	uint32_t wire;			/* flits on a wire at once */
	uint32_t errors, resets;
	bool prompt;			/* packets are taken as soon as they come */
};

static const struct scene scenes[] = {
	{ "window", false, 2, 3, 0, 3, 4, 1, { HSL_PKT_READ }, { 6, 0 }, 2, 2, 0, true },
	{ "reorder", false, 3, 2, 2, 3, 4, 1, { HSL_PKT_READ }, { 9, 0 }, 3, 2, 0, true },
	{ "tight", false, 2, 1, 2, 1, 4, 1, { HSL_PKT_READ }, { 6, 0 }, 3, 4, 0, true },
	{ "credits", false, 2, 2, 0, 2, 1, 1, { HSL_PKT_READ, HSL_PKT_ACK }, { 2, 0 }, 2, 1, 0, false },
	{ "both", false, 2, 1, 0, 3, 1, 1, { HSL_PKT_READ }, { 2, 2 }, 2, 2, 0, true },
	{ "span", false, 2, 2, 0, 2, 18, 18, { HSL_PKT_WR_DATA }, { 4, 0 }, 2, 1, 0, true },
	{ "reset", false, 2, 1, 1, 1, 1, 1, { HSL_PKT_READ }, { 3, 0 }, 2, 1, 1, false },
	{ "any-errors", true, 2, 1, 2, 1, 1, 1, { HSL_PKT_READ }, { 3, 0 }, 2, NO_LIMIT, 0, false },
	{ "window-deep", true, 2, 3, 0, 4, 4, 1, { HSL_PKT_READ }, { 9, 0 }, 3, 3, 0, true },
	{ "reorder-deep", true, 3, 2, 2, 5, 4, 1, { HSL_PKT_READ }, { 9, 0 }, 4, 4, 0, true },
	{ "credits-deep", true, 2, 2, 0, 3, 2, 2, { HSL_PKT_READ, HSL_PKT_ACK }, { 3, 0 }, 2, 2, 0,
	  false },
	{ "both-deep", true, 2, 1, 1, 1, 1, 1, { HSL_PKT_READ }, { 2, 2 }, 2, 3, 0, false },
	{ "span-deep", true, 2, 2, 0, 3, 18, 18, { HSL_PKT_WR_DATA }, { 5, 0 }, 3, 2, 0, false },
};

/* Flits are interned: equal ones have one number, and 0 is any damaged one. */
struct ctx {
	const struct scene *scene;
	struct hsl_link_cfg cfg;
	size_t link_words;
	uint64_t *scratch;		/* of so many */
	struct hsl_flit *flits;
	uint32_t count, cap;
};

struct wire {
	uint32_t flit[WIRE_MAX];
	uint8_t passed[WIRE_MAX];	/* by how many that came later */
	uint32_t count;
};

struct known {				/* what a hash is made of, but for the links' own */
	uint64_t link[2];
	struct wire wire[2];		/* from end i */
	uint32_t posted[2][2], taken[2][2];	/* by end i, of opcode k; from it, at the other end */
	uint32_t errors, resets;
	uint8_t naked[2];		/* end i has sent NAK and still waits */
	uint8_t broken;			/* index of a sentence */
	uint8_t pad[5];
};

struct state {
	struct known k;
	uint64_t now[2];
	uint64_t links[];
};

enum { FINE, ORDER, TWO_NAKS, OPAQUE, TRAINED };
static const char *const sentences[] = {
	[ORDER] = "a packet came out twice, too early, or changed",
	[TWO_NAKS] = "NAK was sent again before the flit it asks for was taken",
	[OPAQUE] = "a flit was sent that does not pass its own check",
	[TRAINED] = "the link asks for training after fewer errors than it has rounds of replay",
};

static struct hsl_link *end_of(const struct ctx *c, const struct state *s, uint32_t i)
{
	return (struct hsl_link *)(void *)(uintptr_t)(s->links + i * c->link_words);
}

static uint32_t flit_number(struct ctx *c, const struct hsl_flit *f)
{
	for (uint32_t i = 0; i < c->count; i++)
		if (!memcmp(&c->flits[i], f, sizeof(*f)))
			return i;
	if (c->count == c->cap) {
		c->cap = c->cap ? 2 * c->cap : 256;
		c->flits = realloc(c->flits, c->cap * sizeof(*c->flits));
		if (!c->flits)
			abort();
	}
	c->flits[c->count] = *f;
	return c->count++;
}

static void init(void *ctx, void *state)
{
	const struct ctx *c = ctx;
	struct state *s = state;

	for (uint32_t i = 0; i < 2; i++)
		if (hsl_link_init(end_of(c, s, i), &c->cfg, &c->cfg))
			abort();
}

/* Data flits taken: all that came, but for those counted otherwise. */
static uint64_t flits_taken(const struct hsl_link *l)
{
	struct hsl_link_stats t;

	hsl_link_stats(l, &t);
	return t.rx_flits - t.rx_idle - t.rx_bad - t.rx_duplicate - t.rx_gap - t.rx_impossible;
}

/* ---- moves ---- */

static struct hsl_pkt packet(uint32_t opcode, uint32_t number)
{
	struct hsl_pkt p;

	memset(&p, 0, sizeof(p));
	p.u.h.opcode = (uint8_t)opcode;
	p.u.h.tag = (uint16_t)number;
	memset(p.u.slot[1], 0, sizeof(p) - HSL_SLOT_BYTES);
	for (uint32_t i = 2; i < hsl_pkt_slots(opcode); i++)
		p.u.slot[i][0] = (uint8_t)(16 * number + i);
	return p;
}

static enum explore_move post(const struct ctx *c, struct state *s, uint32_t i, uint32_t k,
			      char *text, size_t len)
{
	uint32_t n = s->k.posted[i][k], opcode = c->scene->opcode[k];
	struct hsl_pkt p = packet(opcode, n);

	if (!opcode || n == c->scene->packets[i] || hsl_link_send(end_of(c, s, i), &p))
		return EXPLORE_NONE;
	s->k.posted[i][k]++;
	if (text)
		snprintf(text, len, "%c: post packet %u of channel %u", 'A' + i, n, hsl_pkt_vc(opcode));
	return EXPLORE_WORK;
}

static enum explore_move recv(const struct ctx *c, struct state *s, uint32_t i, uint32_t k,
			      char *text, size_t len)
{
	uint32_t opcode = c->scene->opcode[k], *n = &s->k.taken[!i][k];
	struct hsl_pkt p, expected = packet(opcode, *n);

	if (!opcode || !hsl_link_recv(end_of(c, s, i), hsl_pkt_vc(opcode), &p))
		return EXPLORE_NONE;
	if (memcmp(&p, &expected, sizeof(p)) || *n >= s->k.posted[!i][k])
		s->k.broken = ORDER;
	++*n;
	if (text)
		snprintf(text, len, "%c: take packet %u of channel %u", 'A' + i, p.u.h.tag,
			 hsl_pkt_vc(opcode));
	return EXPLORE_STEP;
}

static void flit_text(const struct hsl_flit *f, char *text, size_t len)
{
	static const char *const types[] = { "idle", "data", "control" };

	if (!f->ack) {
		snprintf(text, len, "a damaged flit");
		return;
	}
	snprintf(text, len, "%s %u, next expected %u%s, credits %u %u", types[f->hdr >> 12 & 3],
		 f->hdr & 0xfff, f->ack & 0xfff, f->ack >> 12 & 1 ? " NAK" : "",
		 f->credits[HSL_VC_REQ], f->credits[HSL_VC_RSP]);
}

static enum explore_move transmit(struct ctx *c, struct state *s, uint32_t i, char *text,
				  size_t len)
{
	struct wire *w = &s->k.wire[i];
	struct hsl_link *l = end_of(c, s, i);
	uint64_t due = hsl_link_deadline(l);
	struct hsl_flit f;
	int n;

	if (w->count == c->scene->wire)
		return EXPLORE_NONE;
	if (!hsl_link_tx(l, s->now[i], &f)) {
		if (text)
			snprintf(text, len, "%c: nothing to send, and the timer runs", 'A' + i);
		return hsl_link_deadline(l) == due ? EXPLORE_NONE : EXPLORE_STEP;
	}
	if (!hsl_flit_check(&f))
		s->k.broken = OPAQUE;
	if (f.ack >> 12 & 1) {
		if (s->k.naked[i])
			s->k.broken = TWO_NAKS;
		s->k.naked[i] = 1;
	}
	w->flit[w->count++] = flit_number(c, &f);
	if (text) {
		n = snprintf(text, len, "%c: send ", 'A' + i);
		flit_text(&f, text + n, len - (size_t)n);
	}
	return EXPLORE_STEP;
}

/* False: there were as many as there may be. */
static bool count_error(const struct ctx *c, struct state *s)
{
	return c->scene->errors == NO_LIMIT || s->k.errors++ < c->scene->errors;
}

static void wire_remove(struct wire *w, uint32_t at)
{
	w->count--;
	for (uint32_t j = at; j < w->count; j++) {
		w->flit[j] = w->flit[j + 1];
		w->passed[j] = w->passed[j + 1];
	}
	w->flit[w->count] = w->passed[w->count] = 0;
}

/* Flit `at` of the wire from i: before those that came earlier only as far as the wire reorders. */
static enum explore_move deliver(const struct ctx *c, struct state *s, uint32_t i, uint32_t at,
				 char *text, size_t len)
{
	struct wire *w = &s->k.wire[i];
	struct hsl_link *to = end_of(c, s, !i);
	struct hsl_flit f;
	uint64_t before;
	int n;

	if (at && !count_error(c, s))
		return EXPLORE_NONE;
	for (uint32_t j = 0; j < at; j++)
		if (w->passed[j]++ == c->cfg.reorder)
			return EXPLORE_NONE;
	f = c->flits[w->flit[at]];
	wire_remove(w, at);
	before = flits_taken(to);
	hsl_link_rx(to, s->now[!i], &f);
	if (flits_taken(to) != before)
		s->k.naked[!i] = 0;
	for (uint32_t k = 0; c->scene->prompt && k < 2; k++)
		while (recv(c, s, !i, k, NULL, 0) == EXPLORE_STEP)
			;
	if (text) {
		n = snprintf(text, len, "%c: %s", 'A' + !i, at ? "overtaking, comes " : "comes ");
		flit_text(&f, text + n, len - (size_t)n);
	}
	return at ? EXPLORE_WORK : EXPLORE_STEP;
}

enum { LOSE, DOUBLE, DAMAGE, ERRORS };

static enum explore_move error(const struct ctx *c, struct state *s, uint32_t i, uint32_t at,
			       uint32_t kind, char *text, size_t len)
{
	static const char *const names[] = { "lost", "doubled", "damaged" };
	struct wire *w = &s->k.wire[i];

	if (text)
		snprintf(text, len, "from %c: flit %u of those on the wire is %s", 'A' + i, at, names[kind]);
	if (!count_error(c, s))
		return EXPLORE_NONE;
	if (kind == LOSE) {
		wire_remove(w, at);
	} else if (kind == DAMAGE) {
		if (w->flit[at] == DAMAGED)
			return EXPLORE_NONE;
		w->flit[at] = DAMAGED;
	} else {
		if (w->count == c->scene->wire)
			return EXPLORE_NONE;
		for (uint32_t j = w->count++; j > at; j--) {
			w->flit[j] = w->flit[j - 1];
			w->passed[j] = w->passed[j - 1];
		}
	}
	return EXPLORE_WORK;
}

/* Something is on a wire, or will be. */
static bool busy(const struct ctx *c, const struct state *s)
{
	struct hsl_link *copy = (struct hsl_link *)(void *)c->scratch;
	struct hsl_flit f;

	for (uint32_t i = 0; i < 2; i++) {
		memcpy(copy, end_of(c, s, i), c->link_words * sizeof(uint64_t));
		if (s->k.wire[i].count || hsl_link_tx(copy, s->now[i], &f))
			return true;
	}
	return false;
}

static enum explore_move fire(const struct ctx *c, struct state *s, uint32_t i, char *text,
			      size_t len)
{
	bool early, retrain;

	if (hsl_link_deadline(end_of(c, s, i)) == UINT64_MAX)
		return EXPLORE_NONE;
	early = busy(c, s);
	if (early && !count_error(c, s))
		return EXPLORE_NONE;
	s->now[i] += c->cfg.replay_ps;
	retrain = hsl_link_timer(end_of(c, s, i), s->now[i]);
	if (retrain) {
		if (c->scene->rounds > c->scene->errors)
			s->k.broken = TRAINED;
		for (uint32_t k = 0; k < 2; k++) {
			hsl_link_retrained(end_of(c, s, k), s->now[k]);
			s->k.naked[k] = 0;
		}
	}
	if (text)
		snprintf(text, len, "%c: timer%s", 'A' + i, retrain ? ": both ends train" : "");
	return early ? EXPLORE_WORK : EXPLORE_STEP;
}

/* The link goes down and comes back: what was posted and not taken is lost. */
static enum explore_move reset(const struct ctx *c, struct state *s, char *text, size_t len)
{
	if (s->k.resets == c->scene->resets)
		return EXPLORE_NONE;
	s->k.resets++;
	for (uint32_t i = 0; i < 2; i++) {
		hsl_link_reset(end_of(c, s, i));
		s->k.naked[i] = 0;
		memcpy(s->k.taken[i], s->k.posted[i], sizeof(s->k.taken[i]));
	}
	memset(s->k.wire, 0, sizeof(s->k.wire));
	if (text)
		snprintf(text, len, "down and up again");
	return EXPLORE_WORK;
}

enum { POST, TAKE = POST + 2, SEND = TAKE + 2, FIRE, END_MOVES };

static enum explore_move end_move(struct ctx *c, struct state *s, uint32_t i, uint32_t m,
				  char *text, size_t len)
{
	if (m < TAKE)
		return post(c, s, i, m - POST, text, len);
	if (m < SEND)
		return recv(c, s, i, m - TAKE, text, len);
	return m == SEND ? transmit(c, s, i, text, len) : fire(c, s, i, text, len);
}

static enum explore_move wire_move(const struct ctx *c, struct state *s, uint32_t i, uint32_t m,
				   char *text, size_t len)
{
	uint32_t at = m / (ERRORS + 1), kind = m % (ERRORS + 1);

	if (kind == ERRORS)
		return deliver(c, s, i, at, text, len);
	return error(c, s, i, at, kind, text, len);
}

static enum explore_move move(void *ctx, void *state, uint32_t m, char *text, size_t len)
{
	struct ctx *c = ctx;
	struct state *s = state;

	if (m == 0)
		return reset(c, s, text, len);
	m--;
	if (m < 2 * END_MOVES)
		return end_move(c, s, m / END_MOVES, m % END_MOVES, text, len);
	m -= 2 * END_MOVES;
	for (uint32_t i = 0; i < 2; i++) {
		uint32_t n = s->k.wire[i].count * (ERRORS + 1);

		if (m < n)
			return wire_move(c, s, i, m, text, len);
		m -= n;
	}
	return EXPLORE_END;
}

/* ---- properties ---- */

static const char *check(void *ctx, const void *state)
{
	const struct ctx *c = ctx;
	const struct state *s = state;

	if (s->k.broken)
		return sentences[s->k.broken];
	return hsl_link_audit(end_of(c, s, 0), end_of(c, s, 1));
}

static void hash(void *ctx, const void *state, uint64_t h[2])
{
	const struct ctx *c = ctx;
	const struct state *s = state;
	struct known k = s->k;

	for (uint32_t i = 0; i < 2; i++)
		k.link[i] = hsl_link_hash(end_of(c, s, i), s->now[i]);
	explore_hash(&k, sizeof(k), h);
}

static bool quiet(void *ctx, const void *state)
{
	const struct ctx *c = ctx;
	const struct state *s = state;

	return hsl_link_quiet(end_of(c, s, 0)) && hsl_link_quiet(end_of(c, s, 1)) && !s->k.wire[0].count &&
	       !s->k.wire[1].count && !memcmp(s->k.posted, s->k.taken, sizeof(s->k.taken));
}

/* ---- running ---- */

static bool run(const struct scene *scene, uint64_t bytes_max)
{
	static const struct hsl_flit damaged;
	struct ctx c = { .scene = scene };
	struct explore e = {
		.name = scene->name, .ctx = &c, .init = init, .move = move,
		.check = check, .hash = hash, .quiet = quiet, .bytes_max = bytes_max,
	};
	struct explore_result r;
	bool ok;

	c.cfg = (struct hsl_link_cfg){
		.seq_bits = scene->seq_bits, .replay_flits = scene->replay_flits,
		.reorder = scene->reorder, .replay_ps = 1, .replay_rounds = scene->rounds,
	};
	for (uint32_t vc = 0; vc < HSL_VC_COUNT; vc++) {
		bool used = vc == hsl_pkt_vc(scene->opcode[0]) || vc == hsl_pkt_vc(scene->opcode[1]);

		c.cfg.rx_slots[vc] = used ? scene->rx_slots : 1;
		c.cfg.tx_slots[vc] = used ? scene->tx_slots : 1;
	}
	if (hsl_link_check(&c.cfg)) {
		fprintf(stderr, "%s: %s\n", scene->name, hsl_link_check(&c.cfg));
		return false;
	}
	c.link_words = (hsl_link_size(&c.cfg) + 7) / 8;
	c.scratch = calloc(c.link_words, sizeof(uint64_t));
	if (!c.scratch)
		abort();
	e.state_bytes = sizeof(struct state) + 2 * c.link_words * sizeof(uint64_t);
	flit_number(&c, &damaged);
	explore_run(&e, &r);
	ok = explore_report(&e, &r) && r.quiet_states > 1;
	explore_free(&r);
	free(c.flits);
	free(c.scratch);
	return ok;
}

static bool is_named(const struct scene *scene, char **names, bool deep)
{
	if (!*names)
		return deep || !scene->deep;
	for (; *names; names++)
		if (!strcmp(*names, scene->name))
			return true;
	return false;
}

int main(int argc, char **argv)
{
	uint64_t bytes_max = 0;
	bool deep = false, failed = false;
	uint32_t n = 0;
	int opt;

	while ((opt = getopt(argc, argv, "dm:")) != -1) {
		if (opt == 'd') {
			deep = true;
		} else if (opt == 'm') {
			bytes_max = strtoull(optarg, NULL, 0) << 20;
		} else {
			fprintf(stderr, "usage: %s [-d] [-m MiB] [NAME...]\n", argv[0]);
			return 2;
		}
	}
	for (size_t i = 0; i < sizeof(scenes) / sizeof(scenes[0]); i++) {
		if (is_named(&scenes[i], argv + optind, deep)) {
			bool ok = run(&scenes[i], bytes_max);

			printf("%s %u - %s\n", ok ? "ok" : "not ok", ++n, scenes[i].name);
			fflush(stdout);
			failed |= !ok;
		}
	}
	printf("1..%u\n", n);
	return failed || !n;
}
