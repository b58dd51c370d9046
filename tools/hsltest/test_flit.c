/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A device at the other end of a flit socket (docs/flit-socket.md): flit:unix:PATH. What a link shows of it, by training sets, flits and
 * answers to requests of our agents; our end of the link also does what a wire or a hostile peer could.
 *
 * Each test connects anew. When it ends, all that crossed the link is judged too (trace.c), by the requirement of the test. Which
 * numbers a device has, HELLO tells; how long it may take is virtual time, of which there is enough.
 */
#include <stdlib.h>
#include <unistd.h>

#include "dut.h"
#include "flit_agent.h"
#include "flit_test.h"

#define QUIET (100 * FE_US)

struct fa *ht_flit_agents;
bool ht_flit_once; /* the test is about how many answers there are */

struct fe *ht_flit_wire(void)
{
	return ht_flit_agents->e;
}

void ht_flit_probe(const struct ht_config *config, struct ht_probe *p)
{
	struct hsl_fs_hello *h = &p->hello;
	struct ht_chip_probe *c = &p->chip[0];
	struct fe_url u;

	p->rc = fe_url_parse(config->url, &u) ? fe_hello(&u, h, p->hello_wrong, sizeof(p->hello_wrong)) : -EINVAL;
	snprintf(p->backend, sizeof(p->backend), "flit");
	if (p->rc == -EPROTO) { /* somebody is there: the tests say what is wrong */
		p->rc = 0;
		memset(h, 0, sizeof(*h));
	}
	p->has_hello = true;
	p->nchips = p->chips_present = 1;
	c->props.node = h->node;
	c->props.hep_version = h->hep_version;
	c->props.nlinks = c->nlinks = 1;
	c->link[0] = (struct hsl_link_props){ .peer = h->peer, .peer_type = HSL_NODE_TYPE_CHIP };
}

unsigned int ht_flit_patience_s(const char *url)
{
	struct fe_url u;

	return fe_url_parse(url, &u) ? u.patience_s : 0;
}

void ht_flit_open(struct ht *t)
{
	ht_flit_agents = fa_new(fe_open(t));
	fe_train(ht_flit_wire());
}

/* What the flits of the whole test show of its requirement. */
static void judge(struct ht *t)
{
	static struct ht_trace_result res;

	ht_step(t, "judging what crossed the link");
	fe_judge(ht_flit_wire(), &res);
	for (unsigned int i = 0; i < HT_TRACE_REQS; i++) {
		const struct ht_trace_verdict *v = &res.req[i];

		if (strcmp(v->id, t->test->requirement))
			continue;
		HT_TRUE(t, !v->violations, "in the flits, %llu times: %s", (unsigned long long)v->violations, v->text);
		ht_note(t, "%llu checks of %llu flits", (unsigned long long)v->checked, (unsigned long long)res.flits);
	}
}

void ht_flit_close(struct ht *t)
{
	judge(t);
	fe_close(ht_flit_wire());
	free(ht_flit_agents);
}

/* ------------------------------------------------------------------ traffic */

void ht_flit_need_memory(struct ht *t, uint64_t bytes)
{
	if (ht_flit_wire()->dut.open_bytes < bytes)
		HT_SKIP_TEST(t, "the device opens %llu bytes of memory, and this takes %llu (docs/flit-socket.md)",
			     (unsigned long long)ht_flit_wire()->dut.open_bytes, (unsigned long long)bytes);
}

static bool has_memory(void)
{
	return ht_flit_wire()->dut.open_bytes >= 4096;
}

void ht_flit_answered(struct ht *t, unsigned int agent, uint16_t first, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		const struct fa_request *r = &ht_flit_agents->request[agent][first + i];

		if (r->opcode)
			fa_wait(ht_flit_agents, agent, (uint16_t)(first + i));
	}
	fa_run(ht_flit_agents, QUIET); /* for one too many */
	for (unsigned int i = 0; ht_flit_once && i < n; i++) {
		const struct fa_request *r = &ht_flit_agents->request[agent][first + i];

		HT_TRUE(t, !r->opcode || r->answers == 1, "tag %u of opcode 0x%02x has %u answers", first + i, r->opcode, r->answers);
	}
	HT_TRUE(t, !ht_flit_once || !ht_flit_agents->strangers, "%llu answers to tags that ask for nothing", (unsigned long long)ht_flit_agents->strangers);
}

/* n requests of all kinds that the device can be asked, tags from `first` on. Memory that is not open ends with UNREACHABLE, also an answer. */
static void traffic(struct ht *t, uint16_t first, unsigned int n)
{
	static const uint8_t kinds[] = { HSL_PKT_READ, HSL_PKT_ATOMIC, HSL_PKT_READ, HSL_PKT_WRITE };

	ht_step(t, "%u requests", n);
	for (unsigned int i = 0; i < n; i++) {
		const uint16_t tag = (uint16_t)(first + i);
		const uint8_t op = has_memory() ? kinds[ht_random_below(t, sizeof(kinds))] : HSL_PKT_READ;
		const uint64_t line = ht_random_below(t, 32);

		ht_flit_agents->mask[0][tag] = ht_random(t) | 1;
		ht_pattern(ht_flit_agents->written[0][tag], HSL_LINE_BYTES, ht_random(t));
		if (op == HSL_PKT_ATOMIC)
			fa_ask_atomic(ht_flit_agents, 0, tag, line * HSL_LINE_BYTES, HSL_ATOMIC_ADD, 1);
		else
			fa_ask(ht_flit_agents, 0, op, tag, line);
	}
	ht_flit_answered(t, 0, first, n);
}

static void test_traffic(struct ht *t)
{
	traffic(t, 0, t->config->effort == HT_FULL ? 2000 : 250);
}

/* ------------------------------------------------------------------ LNK */

/* A flit that the device must not take, then the right one with the same number. */
static void refused(struct ht *t, const char *what, uint16_t tag, void (*spoil)(struct hsl_flit *f, unsigned int k), unsigned int k)
{
	struct fe *e = ht_flit_wire();
	union fe_pkt p = { .h = { .opcode = HSL_PKT_READ, .tag = tag, .src = e->own.node, .dst = e->dut.node } };
	const uint32_t number = e->next;
	const uint64_t naks = e->naks;
	struct hsl_flit f;

	ht_step(t, "%s %u", what, k);
	fe_build(e, &f, &p, 1, false);
	spoil(&f, k);
	fe_raw(e, &f);
	fa_run(ht_flit_agents, 20 * FE_US);
	HT_TRUE(t, e->acked == number && e->state == HSL_LTSSM_L0 && e->trainings == 1, "a flit with %s %u is taken, or the link trains", what, k);
	HT_TRUE(t, e->naks > naks, "a flit with %s %u is not answered by NAK", what, k);
	fa_ask(ht_flit_agents, 0, HSL_PKT_READ, tag, 0);
	fa_wait(ht_flit_agents, 0, tag);
}

static void spoil_bit(struct hsl_flit *f, unsigned int k)
{
	((uint8_t *)f)[k / 8] ^= (uint8_t)(1u << k % 8);
}

static void spoil_reserved(struct hsl_flit *f, unsigned int k)
{
	static const struct {
		uint16_t at;
		uint8_t bits;
	} field[] = { { 1, 0x40 }, { 1, 0x80 }, { 3, 0x40 }, { 3, 0x80 }, { offsetof(struct hsl_flit, rsvd), 1 },
		      { offsetof(struct hsl_flit, rsvd) + 1, 0x80 } };

	((uint8_t *)f)[field[k].at] |= field[k].bits;
	fe_seal(f);
}

static void spoil_fec(struct hsl_flit *f, unsigned int k)
{
	f->fec[k] = 1;
}

static void spoil_map(struct hsl_flit *f, unsigned int k)
{
	static const uint8_t low[] = { 13, 14, 7, 3 }; /* start on VC 5, 6; continuation on VC 7, of nothing on VC 3 */

	f->slot_map[3] = (uint8_t)(0xf0 | low[k]);
	fe_seal(f);
}

static void spoil_type(struct hsl_flit *f, unsigned int k)
{
	(void)k;
	f->hdr |= 3u << HSL_FLIT_SEQ_BITS;
	fe_seal(f);
}

static void test_refused(struct ht *t)
{
	const unsigned int bits = HSL_FLIT_BYTES * 8;
	uint16_t tag = 0;

	for (unsigned int k = offsetof(struct hsl_flit, crc); k < offsetof(struct hsl_flit, fec); k++)
		refused(t, "a wrong bit", tag++, spoil_bit, 8 * k + (unsigned int)ht_random_below(t, 8));
	for (unsigned int k = 0; k < (t->config->effort == HT_FULL ? 500 : 20); k++)
		refused(t, "a wrong bit", tag++, spoil_bit, (unsigned int)ht_random_below(t, bits));
	for (unsigned int k = 0; k < 6; k++)
		refused(t, "a reserved bit set in field", tag++, spoil_reserved, k);
	for (unsigned int k = 0; k < 6; k++)
		refused(t, "FEC byte", tag++, spoil_fec, k);
	for (unsigned int k = 0; k < 4; k++)
		refused(t, "an impossible slot map", tag++, spoil_map, k);
	refused(t, "type 3, case", tag, spoil_type, 0);
}

/* So many that one slot too much in 16 packets makes a unit. */
static void test_credits(struct ht *t)
{
	const unsigned int n = 40u << ht_flit_wire()->dut.credit_shift;

	traffic(t, 0, 100);
	for (unsigned int i = 0; i < n; i++) {
		if (i && i % FA_TAGS == 0)
			ht_flit_answered(t, 0, 0, FA_TAGS);
		fa_ask(ht_flit_agents, 0, HSL_PKT_READ, (uint16_t)(i % FA_TAGS), 0);
	}
	ht_flit_answered(t, 0, 0, n < FA_TAGS ? n : FA_TAGS);
	HT_TRUE(t, !ht_flit_wire()->excess, "%llu times it %s", (unsigned long long)ht_flit_wire()->excess, ht_flit_wire()->excess_text);
}

static void test_twice(struct ht *t)
{
	ht_flit_once = true;
	ht_flit_wire()->twice = true;
	traffic(t, 0, 250);
}

/* Numbers go through all of their range, so that both ends' wrap. */
static void test_wrap(struct ht *t)
{
	const unsigned int n = (1u << ht_flit_wire()->dut.seq_bits) + 64;

	ht_flit_once = true;
	for (unsigned int i = 0; i < n; i++) {
		if (i % FA_TAGS == 0 && i)
			ht_flit_answered(t, 0, 0, FA_TAGS);
		fa_ask(ht_flit_agents, 0, HSL_PKT_READ, (uint16_t)(i % FA_TAGS), 0);
	}
	ht_flit_answered(t, 0, 0, n < FA_TAGS ? n : FA_TAGS);
}

/* Times that the device has sent the data flit with this number. */
static unsigned int times_sent(uint32_t number, size_t since)
{
	const struct fe *e = ht_flit_wire();
	const uint32_t mask = (1u << e->dut.seq_bits) - 1;
	unsigned int n = 0;

	for (size_t i = since; i < e->nseen; i++)
		n += !e->seen[i].is_ts && e->seen[i].number >> HSL_FLIT_SEQ_BITS == HSL_FLIT_DATA && (e->seen[i].number & mask) == number;
	return n;
}

/* n, or fewer if a window is smaller: section 8.3 allows one of 1. */
static unsigned int in_window(unsigned int n)
{
	const uint32_t window = ht_flit_wire()->dut.replay_flits;

	return n < window ? n : window;
}

static void need_window(struct ht *t, unsigned int n)
{
	if (in_window(n) < n)
		HT_SKIP_TEST(t, "the device has a window of %u, and this takes one of %u", in_window(n), n);
}

/* The device answers, and hears no acknowledgement. Returns the number of its first flit that is not acknowledged. */
static uint32_t unacknowledged(struct ht *t, uint16_t first, unsigned int n)
{
	struct fe *e = ht_flit_wire();
	const uint32_t number = e->expected;

	n = in_window(n);
	e->hold_ack = true;
	for (unsigned int i = 0; i < n; i++)
		fa_ask(ht_flit_agents, 0, HSL_PKT_READ, (uint16_t)(first + i), i);
	for (unsigned int i = 0; i < n; i++)
		fa_wait(ht_flit_agents, 0, (uint16_t)(first + i));
	HT_TRUE(t, e->expected != number, "the device answers in no flit");
	return number;
}

static void test_same_again(struct ht *t)
{
	struct fe *e = ht_flit_wire();

	for (uint16_t round = 0; round < 8; round++) {
		const size_t since = e->nseen;
		const uint32_t number = unacknowledged(t, (uint16_t)(round * 8), 1 + round % 4);

		fe_idle(e, true); /* NAK: all from `number` on, please */
		HT_TRUE(t, FA_WAIT(ht_flit_agents, FE_MS, times_sent(number, since) > 1), "NAK for number %u, and it is not sent again", number);
		e->hold_ack = false;
		e->say = true;
		fa_run(ht_flit_agents, QUIET);
	}
	ht_flit_answered(t, 0, 0, FA_TAGS);
}

static void test_replay_time(struct ht *t)
{
	struct fe *e = ht_flit_wire();
	const size_t since = e->nseen;
	const uint64_t trained = e->trainings;
	const uint32_t number = unacknowledged(t, 0, 2);

	ht_step(t, "acknowledging nothing");
	HT_TRUE(t, FA_WAIT(ht_flit_agents, 10 * FE_MS, times_sent(number, since) > 1 || e->trainings > trained),
		"number %u is not acknowledged for 10 ms, and not sent again", number);
	HT_TRUE(t, times_sent(number, since) > 1, "number %u is not acknowledged: the link trains at once", number);
	HT_TRUE(t, FA_WAIT(ht_flit_agents, 50 * FE_MS, e->state != HSL_LTSSM_L0 || e->trainings > trained),
		"number %u is sent %u times and never acknowledged, and the link does not train", number, times_sent(number, since));
	ht_note(t, "number %u was sent %u times before the link trained", number, times_sent(number, since));
	e->hold_ack = false;
	HT_TRUE(t, FA_WAIT(ht_flit_agents, 10 * FE_MS, e->state == HSL_LTSSM_L0), "the link does not come back");
}

static void test_one_nak(struct ht *t)
{
	struct fe *e = ht_flit_wire();
	const uint16_t n = (uint16_t)in_window(6);

	need_window(t, 2);
	e->no_replay = true;
	for (uint16_t round = 0; round < 5; round++) {
		union fe_pkt p = { .h = { .opcode = HSL_PKT_READ, .src = e->own.node, .dst = e->dut.node } };
		const uint32_t first = e->next;
		const uint64_t naks = e->naks;
		struct hsl_flit f;

		for (uint16_t i = 0; i < n; i++) { /* the first one is lost */
			p.h.tag = (uint16_t)(round * 6 + i);
			ht_flit_agents->request[0][p.h.tag] = (struct fa_request){ .opcode = HSL_PKT_READ };
			fe_build(e, &f, &p, 1, true);
			if (i)
				fe_raw(e, &f);
		}
		fa_run(ht_flit_agents, 10 * FE_US);
		HT_TRUE(t, e->naks == naks + 1, "number %u is lost and %u behind it arrive: %llu NAKs, not one", first, n - 1,
			(unsigned long long)(e->naks - naks));
		HT_TRUE(t, e->acked == first, "number %u never arrived, and %u is acknowledged", first, e->acked);
		fe_again(e, first);
		for (uint16_t i = 0; i < n; i++)
			fa_wait(ht_flit_agents, 0, (uint16_t)(round * 6 + i));
	}
}

/* ------------------------------------------------------------------ PHY */

/* The device's training sets from one on, until its end is in L0 again: in which states it was. */
static void test_edges(struct ht *t)
{
	struct fe *e = ht_flit_wire();

	for (unsigned int i = 0; i < 5; i++) {
		const size_t since = e->nseen;
		const uint16_t round = e->dut_round;
		bool config = false;

		traffic(t, (uint16_t)(i * 20), 20);
		fe_retrain(e);
		HT_TRUE(t, FA_WAIT(ht_flit_agents, 10 * FE_MS, e->state == HSL_LTSSM_L0), "the link does not come back from RECOVERY");
		fa_run(ht_flit_agents, QUIET);
		for (size_t k = since; k < e->nseen; k++) {
			const struct fe_seen *s = &e->seen[k];

			if (!s->is_ts)
				continue;
			HT_TRUE(t, !(s->ts.flags & HSL_TS_F_NEW), "it trains by way of DETECT: NEW in a training set");
			HT_TRUE(t, s->ts.type == HSL_TS2 || !config, "TS1 after TS2 in one training: CONFIG led back");
			HT_TRUE(t, (uint16_t)(s->ts.round - round) <= 1, "one training, and its round goes from %u to %u: it began anew", round,
				s->ts.round);
			config |= s->ts.type == HSL_TS2;
		}
		HT_TRUE(t, e->dut_round == (uint16_t)(round + 1), "a training, and its round is still %u", round);
	}
}

static void test_width(struct ht *t)
{
	static const uint16_t lanes[] = { 0x7fff, 0x00ff, 0xff7f, 0x000f, 0x0107, 0x0001, 0xffff };
	struct fe *e = ht_flit_wire();
	const uint16_t all = e->lanes;
	const uint32_t rate = e->own.rate_mtps;

	for (size_t i = 0; i < 2 * sizeof(lanes) / sizeof(lanes[0]); i++) {
		uint32_t want, want_rate;

		e->lanes = lanes[i / 2] & all;
		e->own.rate_mtps = i % 2 && rate > 1 ? rate / 2 : rate;
		if (!e->lanes)
			continue;
		ht_step(t, "training with lanes 0x%04x at %u MT/s", e->lanes, e->own.rate_mtps);
		e->state = HSL_LTSSM_L0;
		fe_retrain(e);
		FA_WAIT(ht_flit_agents, FE_MS, e->state == HSL_LTSSM_L0);
		want = fe_width(e->lanes & e->dut_lanes);
		want_rate = e->dut.rate_mtps < e->own.rate_mtps ? e->dut.rate_mtps : e->own.rate_mtps;
		for (size_t k = e->nseen; k-- && e->seen[k].is_ts;) {
			const struct hsl_ts *ts = &e->seen[k].ts;

			if (ts->type == HSL_TS2 && ts->echo == e->round)
				HT_TRUE(t, ts->width == want && ts->rate_mtps == want_rate,
					"lanes 0x%04x work at %u MT/s, its lanes 0x%04x: TS2 says x%u at %u MT/s, not x%u at %u", e->lanes,
					e->own.rate_mtps, e->dut_lanes, ts->width, ts->rate_mtps, want, want_rate);
		}
		HT_TRUE(t, e->state == HSL_LTSSM_L0, "the link does not train with lanes 0x%04x at %u MT/s", e->lanes, e->own.rate_mtps);
	}
	e->own.rate_mtps = rate;
	traffic(t, 0, 50);
}

static void test_recovery_keeps(struct ht *t)
{
	struct fe *e = ht_flit_wire();
	const uint16_t n = (uint16_t)(in_window(8) / 2);

	ht_flit_once = true;
	need_window(t, 2);
	for (uint16_t round = 0; round < 5; round++) {
		const uint32_t number = e->expected;
		size_t since;

		/* n answers that never arrive here, n requests that never arrive there */
		e->deaf = e->no_replay = true;
		for (uint16_t i = 0; i < n; i++)
			fa_ask(ht_flit_agents, 0, HSL_PKT_READ, (uint16_t)(round * 8 + i), i);
		fa_run(ht_flit_agents, FE_US);
		for (uint16_t i = n; i < 2 * n; i++) {
			union fe_pkt p = { .h = { .opcode = HSL_PKT_READ, .tag = (uint16_t)(round * 8 + i), .src = e->own.node, .dst = e->dut.node } };
			struct hsl_flit f;

			ht_flit_agents->request[0][p.h.tag] = (struct fa_request){ .opcode = HSL_PKT_READ };
			fe_build(e, &f, &p, 1, true);
		}
		e->deaf = e->no_replay = false;
		since = e->nseen;
		fe_retrain(e);
		HT_TRUE(t, FA_WAIT(ht_flit_agents, 10 * FE_MS, e->state == HSL_LTSSM_L0), "the link does not come back from RECOVERY");
		HT_TRUE(t, FA_WAIT(ht_flit_agents, FE_MS, times_sent(number, since)), "number %u was not acknowledged before RECOVERY, and is not sent again after it",
			number);
		ht_flit_answered(t, 0, (uint16_t)(round * 8), 2 * n);
	}
}

static bool heard_new(size_t since)
{
	for (size_t i = since; i < ht_flit_wire()->nseen; i++) {
		if (ht_flit_wire()->seen[i].is_ts && (ht_flit_wire()->seen[i].ts.flags & HSL_TS_F_NEW))
			return true;
	}
	return false;
}

/* We begin a training and fall silent. */
static void test_training_ends(struct ht *t)
{
	struct fe *e = ht_flit_wire();
	const size_t since = e->nseen;
	struct hsl_ts ts;

	traffic(t, 0, 20);
	e->mute = true;
	e->round++;
	ts = fe_ts(e, HSL_TS1, 0);
	fe_line(e, &ts);
	HT_TRUE(t, FE_WAIT(e, 100 * FE_MS, heard_new(since)), "a training that goes nowhere has not ended in DETECT after 100 ms");
	ht_note(t, "its training sets are NEW %.1f us after the training began", (double)(e->seen[e->nseen - 1].at_ps - e->seen[since].at_ps) / 1e6);
	e->mute = false;
	e->state = HSL_LTSSM_L0;
	HT_TRUE(t, FE_WAIT(e, 10 * FE_MS, e->trainings > 1), "the link does not train again");
	fe_run(e, FE_US);
	traffic(t, 100, 20);
}

/* ------------------------------------------------------------------ requests of the device */

static void test_own_requests(struct ht *t)
{
	const struct fe *e = ht_flit_wire();
	unsigned int n = 0;

	ht_step(t, "listening for requests of the device");
	fa_run(ht_flit_agents, 10 * FE_MS);
	for (size_t i = 0; i < e->npackets; i++)
		n += e->packets[i].p.h.opcode < HSL_PKT_SNP_S;
	if (!n)
		HT_SKIP_TEST(t, "the device asks for nothing by itself; capture what it does at a peer with open memory, and check-trace it");
	ht_note(t, "%u requests", n);
}

/* ------------------------------------------------------------------ table */

static const struct ht_test tests[] = {
	{ "HEP-LNK-001", "link_flits", "flits have the layout, and a right CRC", test_traffic, 0, 0 },
	{ "HEP-LNK-001", "link_refused", "a flit with a wrong bit, a reserved field or an impossible slot map is refused", test_refused, 0, 0 },
	{ "HEP-LNK-002", "link_channels", "packets use the virtual channel of their opcode", test_traffic, 0, 0 },
	{ "HEP-LNK-004", "link_numbers", "numbers and acknowledgements follow each other", test_traffic, 0, 0 },
	{ "HEP-LNK-004", "link_twice", "flits that arrive twice are taken once", test_twice, 0, 0 },
	{ "HEP-LNK-004", "link_same_again", "what is sent again is the same", test_same_again, 0, 0 },
	{ "HEP-LNK-004", "link_wrap", "sequence numbers wrap", test_wrap, 0, 0 },
	{ "HEP-LNK-005", "link_credits", "slots freed are those that were sent, and no more are under way than there is room for", test_credits, 0, 0 },
	{ "HEP-LNK-006", "link_replay", "what is not acknowledged is sent again, and then the link trains", test_replay_time, 0, 0 },
	{ "HEP-LNK-007", "link_one_nak", "a missing flit is answered by one NAK", test_one_nak, 0, 0 },
	{ "HEP-PHY-001", "link_edges", "a training goes by RECOVERY and CONFIG", test_edges, 0, 0 },
	{ "HEP-PHY-002", "link_width", "a link trains to the widest width and highest rate that both ends have", test_width, 0, 0 },
	{ "HEP-PHY-003", "link_recovery", "RECOVERY loses, doubles and reorders nothing", test_recovery_keeps, 0, 0 },
	{ "HEP-PHY-004", "link_training_ends", "a training that goes nowhere ends in DETECT", test_training_ends, 0, 0 },
	{ "HEP-TXN-020", "link_own_requests", "tags of requests of the device are unique", test_own_requests, 0, 0 },
	{ 0 }
};

unsigned int ht_flit_tests(const struct ht_test **list, unsigned int max)
{
	const struct ht_test *const tables[] = { tests, ht_flit_tests_coh };
	unsigned int n = 0;

	for (unsigned int k = 0; k < 2; k++) {
		for (const struct ht_test *i = tables[k]; i->name; i++, n++) {
			if (list && n < max)
				list[n] = i;
		}
	}
	return n;
}
