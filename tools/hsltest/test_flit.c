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

static struct fa *agents;
static bool once; /* the test is about how many answers there are */

static struct fe *wire(void)
{
	return agents->e;
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

void ht_flit_open(struct ht *t)
{
	agents = fa_new(fe_open(t));
	fe_train(wire());
}

/* What the flits of the whole test show of its requirement. */
static void judge(struct ht *t)
{
	static struct ht_trace_result res;

	ht_step(t, "judging what crossed the link");
	fe_judge(wire(), &res);
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
	fe_close(wire());
	free(agents);
}

/* ------------------------------------------------------------------ traffic */

static void need_memory(struct ht *t, uint64_t bytes)
{
	if (wire()->dut.open_bytes < bytes)
		HT_SKIP_TEST(t, "the device opens %llu bytes of memory, and this takes %llu (docs/flit-socket.md)",
			     (unsigned long long)wire()->dut.open_bytes, (unsigned long long)bytes);
}

static bool has_memory(void)
{
	return wire()->dut.open_bytes >= 4096;
}

static void answered(struct ht *t, unsigned int agent, uint16_t first, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		const struct fa_request *r = &agents->request[agent][first + i];

		if (r->opcode)
			fa_wait(agents, agent, (uint16_t)(first + i));
	}
	fa_run(agents, QUIET); /* for one too many */
	for (unsigned int i = 0; once && i < n; i++) {
		const struct fa_request *r = &agents->request[agent][first + i];

		HT_TRUE(t, !r->opcode || r->answers == 1, "tag %u of opcode 0x%02x has %u answers", first + i, r->opcode, r->answers);
	}
	HT_TRUE(t, !once || !agents->strangers, "%llu answers to tags that ask for nothing", (unsigned long long)agents->strangers);
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

		agents->mask[0][tag] = ht_random(t) | 1;
		ht_pattern(agents->written[0][tag], HSL_LINE_BYTES, ht_random(t));
		if (op == HSL_PKT_ATOMIC)
			fa_ask_atomic(agents, 0, tag, line * HSL_LINE_BYTES, HSL_ATOMIC_ADD, 1);
		else
			fa_ask(agents, 0, op, tag, line);
	}
	answered(t, 0, first, n);
}

static void test_traffic(struct ht *t)
{
	traffic(t, 0, t->config->effort == HT_FULL ? 2000 : 250);
}

/* ------------------------------------------------------------------ LNK */

/* A flit that the device must not take, then the right one with the same number. */
static void refused(struct ht *t, const char *what, uint16_t tag, void (*spoil)(struct hsl_flit *f, unsigned int k), unsigned int k)
{
	struct fe *e = wire();
	union fe_pkt p = { .h = { .opcode = HSL_PKT_READ, .tag = tag, .src = e->own.node, .dst = e->dut.node } };
	const uint32_t number = e->next;
	const uint64_t naks = e->naks;
	struct hsl_flit f;

	ht_step(t, "%s %u", what, k);
	fe_build(e, &f, &p, 1, false);
	spoil(&f, k);
	fe_raw(e, &f);
	fa_run(agents, 20 * FE_US);
	HT_TRUE(t, e->acked == number && e->state == HSL_LTSSM_L0 && e->trainings == 1, "a flit with %s %u is taken, or the link trains", what, k);
	HT_TRUE(t, e->naks > naks, "a flit with %s %u is not answered by NAK", what, k);
	fa_ask(agents, 0, HSL_PKT_READ, tag, 0);
	fa_wait(agents, 0, tag);
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
	const unsigned int n = 40u << wire()->dut.credit_shift;

	traffic(t, 0, 100);
	for (unsigned int i = 0; i < n; i++) {
		if (i && i % FA_TAGS == 0)
			answered(t, 0, 0, FA_TAGS);
		fa_ask(agents, 0, HSL_PKT_READ, (uint16_t)(i % FA_TAGS), 0);
	}
	answered(t, 0, 0, n < FA_TAGS ? n : FA_TAGS);
	HT_TRUE(t, !wire()->excess, "%llu times it %s", (unsigned long long)wire()->excess, wire()->excess_text);
}

static void test_twice(struct ht *t)
{
	once = true;
	wire()->twice = true;
	traffic(t, 0, 250);
}

/* Numbers go through all of their range, so that both ends' wrap. */
static void test_wrap(struct ht *t)
{
	const unsigned int n = (1u << wire()->dut.seq_bits) + 64;

	once = true;
	for (unsigned int i = 0; i < n; i++) {
		if (i % FA_TAGS == 0 && i)
			answered(t, 0, 0, FA_TAGS);
		fa_ask(agents, 0, HSL_PKT_READ, (uint16_t)(i % FA_TAGS), 0);
	}
	answered(t, 0, 0, n < FA_TAGS ? n : FA_TAGS);
}

/* Times that the device has sent the data flit with this number. */
static unsigned int times_sent(uint32_t number, size_t since)
{
	const struct fe *e = wire();
	const uint32_t mask = (1u << e->dut.seq_bits) - 1;
	unsigned int n = 0;

	for (size_t i = since; i < e->nseen; i++)
		n += !e->seen[i].is_ts && e->seen[i].number >> HSL_FLIT_SEQ_BITS == HSL_FLIT_DATA && (e->seen[i].number & mask) == number;
	return n;
}

/* The device answers, and hears no acknowledgement. Returns the number of its first flit that is not acknowledged. */
static uint32_t unacknowledged(struct ht *t, uint16_t first, unsigned int n)
{
	struct fe *e = wire();
	const uint32_t number = e->expected;

	e->hold_ack = true;
	for (unsigned int i = 0; i < n; i++)
		fa_ask(agents, 0, HSL_PKT_READ, (uint16_t)(first + i), i);
	for (unsigned int i = 0; i < n; i++)
		fa_wait(agents, 0, (uint16_t)(first + i));
	HT_TRUE(t, e->expected != number, "the device answers in no flit");
	return number;
}

static void test_same_again(struct ht *t)
{
	struct fe *e = wire();

	for (uint16_t round = 0; round < 8; round++) {
		const size_t since = e->nseen;
		const uint32_t number = unacknowledged(t, (uint16_t)(round * 8), 1 + round % 4);

		fe_idle(e, true); /* NAK: all from `number` on, please */
		HT_TRUE(t, FA_WAIT(agents, FE_MS, times_sent(number, since) > 1), "NAK for number %u, and it is not sent again", number);
		e->hold_ack = false;
		e->say = true;
		fa_run(agents, QUIET);
	}
	answered(t, 0, 0, FA_TAGS);
}

static void test_replay_time(struct ht *t)
{
	struct fe *e = wire();
	const size_t since = e->nseen;
	const uint64_t trained = e->trainings;
	const uint32_t number = unacknowledged(t, 0, 2);

	ht_step(t, "acknowledging nothing");
	HT_TRUE(t, FA_WAIT(agents, 10 * FE_MS, times_sent(number, since) > 1 || e->trainings > trained),
		"number %u is not acknowledged for 10 ms, and not sent again", number);
	HT_TRUE(t, times_sent(number, since) > 1, "number %u is not acknowledged: the link trains at once", number);
	HT_TRUE(t, FA_WAIT(agents, 50 * FE_MS, e->state != HSL_LTSSM_L0 || e->trainings > trained),
		"number %u is sent %u times and never acknowledged, and the link does not train", number, times_sent(number, since));
	ht_note(t, "number %u was sent %u times before the link trained", number, times_sent(number, since));
	e->hold_ack = false;
	HT_TRUE(t, FA_WAIT(agents, 10 * FE_MS, e->state == HSL_LTSSM_L0), "the link does not come back");
}

static void test_one_nak(struct ht *t)
{
	struct fe *e = wire();

	e->no_replay = true;
	for (uint16_t round = 0; round < 5; round++) {
		union fe_pkt p = { .h = { .opcode = HSL_PKT_READ, .src = e->own.node, .dst = e->dut.node } };
		const uint32_t first = e->next;
		const uint64_t naks = e->naks;
		struct hsl_flit f;

		for (uint16_t i = 0; i < 6; i++) { /* the first one is lost */
			p.h.tag = (uint16_t)(round * 6 + i);
			agents->request[0][p.h.tag] = (struct fa_request){ .opcode = HSL_PKT_READ };
			fe_build(e, &f, &p, 1, true);
			if (i)
				fe_raw(e, &f);
		}
		fa_run(agents, 10 * FE_US);
		HT_TRUE(t, e->naks == naks + 1, "number %u is lost and 5 others arrive: %llu NAKs, not one", first,
			(unsigned long long)(e->naks - naks));
		HT_TRUE(t, e->acked == first, "number %u never arrived, and %u is acknowledged", first, e->acked);
		fe_again(e, first);
		for (uint16_t i = 0; i < 6; i++)
			fa_wait(agents, 0, (uint16_t)(round * 6 + i));
	}
}

/* ------------------------------------------------------------------ PHY */

/* The device's training sets from one on, until its end is in L0 again: in which states it was. */
static void test_edges(struct ht *t)
{
	struct fe *e = wire();

	for (unsigned int i = 0; i < 5; i++) {
		const size_t since = e->nseen;
		const uint16_t round = e->dut_round;
		bool config = false;

		traffic(t, (uint16_t)(i * 20), 20);
		fe_retrain(e);
		HT_TRUE(t, FA_WAIT(agents, 10 * FE_MS, e->state == HSL_LTSSM_L0), "the link does not come back from RECOVERY");
		fa_run(agents, QUIET);
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
	struct fe *e = wire();
	const uint16_t all = e->lanes;
	const uint32_t rate = e->own.rate_mtps;

	for (size_t i = 0; i < 2 * sizeof(lanes) / sizeof(lanes[0]); i++) {
		uint32_t want, want_rate;

		e->lanes = lanes[i / 2] & all;
		e->own.rate_mtps = i % 2 ? rate / 2 : rate;
		if (!e->lanes)
			continue;
		ht_step(t, "training with lanes 0x%04x at %u MT/s", e->lanes, e->own.rate_mtps);
		e->state = HSL_LTSSM_L0;
		fe_retrain(e);
		FA_WAIT(agents, FE_MS, e->state == HSL_LTSSM_L0);
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
	struct fe *e = wire();

	once = true;
	for (uint16_t round = 0; round < 5; round++) {
		const uint32_t number = e->expected;
		size_t since;

		/* four answers that never arrive here, four requests that never arrive there */
		e->deaf = e->no_replay = true;
		for (uint16_t i = 0; i < 4; i++)
			fa_ask(agents, 0, HSL_PKT_READ, (uint16_t)(round * 8 + i), i);
		fa_run(agents, FE_US);
		for (uint16_t i = 4; i < 8; i++) {
			union fe_pkt p = { .h = { .opcode = HSL_PKT_READ, .tag = (uint16_t)(round * 8 + i), .src = e->own.node, .dst = e->dut.node } };
			struct hsl_flit f;

			agents->request[0][p.h.tag] = (struct fa_request){ .opcode = HSL_PKT_READ };
			fe_build(e, &f, &p, 1, true);
		}
		e->deaf = e->no_replay = false;
		since = e->nseen;
		fe_retrain(e);
		HT_TRUE(t, FA_WAIT(agents, 10 * FE_MS, e->state == HSL_LTSSM_L0), "the link does not come back from RECOVERY");
		HT_TRUE(t, FA_WAIT(agents, FE_MS, times_sent(number, since)), "number %u was not acknowledged before RECOVERY, and is not sent again after it",
			number);
		answered(t, 0, (uint16_t)(round * 8), 8);
	}
}

static bool heard_new(size_t since)
{
	for (size_t i = since; i < wire()->nseen; i++) {
		if (wire()->seen[i].is_ts && (wire()->seen[i].ts.flags & HSL_TS_F_NEW))
			return true;
	}
	return false;
}

/* We begin a training and fall silent. */
static void test_training_ends(struct ht *t)
{
	struct fe *e = wire();
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

/* ------------------------------------------------------------------ TXN, COH */

static void test_own_requests(struct ht *t)
{
	const struct fe *e = wire();
	unsigned int n = 0;

	ht_step(t, "listening for requests of the device");
	fa_run(agents, 10 * FE_MS);
	for (size_t i = 0; i < e->npackets; i++)
		n += e->packets[i].p.h.opcode < HSL_PKT_SNP_S;
	if (!n)
		HT_SKIP_TEST(t, "the device asks for nothing by itself; capture what it does at a peer with open memory, and check-trace it");
	ht_note(t, "%u requests", n);
}

static void test_answers(struct ht *t)
{
	once = true;
	need_memory(t, 4096);
	for (unsigned int i = 0; i < 300; i++)
		fa_ask_atomic(agents, 0, (uint16_t)i, 8 * (i % 64), HSL_ATOMIC_ADD, 1);
	answered(t, 0, 0, 300);
}

static void write_line(uint16_t tag, uint64_t line, uint64_t mask, uint64_t seed)
{
	agents->mask[0][tag] = mask;
	ht_pattern(agents->written[0][tag], HSL_LINE_BYTES, seed);
	fa_ask(agents, 0, HSL_PKT_WRITE, tag, line);
	fa_wait(agents, 0, tag);
}

static const uint8_t *read_line_by(unsigned int agent, uint16_t tag, uint64_t line)
{
	fa_ask(agents, agent, HSL_PKT_READ, tag, line);
	fa_wait(agents, agent, tag);
	return agents->read[agent][tag];
}

static const uint8_t *read_line(uint16_t tag, uint64_t line)
{
	return read_line_by(0, tag, line);
}

static void same(struct ht *t, const void *got, const void *want, const char *what)
{
	struct ht_diff d;

	HT_TRUE(t, ht_equal(got, want, HSL_LINE_BYTES, &d), "%s: byte %llu is 0x%02x, not 0x%02x (%llu differ)", what, (unsigned long long)d.first, d.got,
		d.expected, (unsigned long long)d.count);
}

static void test_last_store(struct ht *t)
{
	uint8_t want[2][HSL_LINE_BYTES];
	uint16_t tag = 0;

	need_memory(t, 4096);
	for (unsigned int line = 0; line < 2; line++) {
		write_line(tag, line, UINT64_MAX, ht_random(t));
		memcpy(want[line], agents->written[0][tag++], HSL_LINE_BYTES);
	}
	for (unsigned int i = 0; i < 100; i++) {
		const unsigned int line = i % 2;
		const uint64_t mask = i ? ht_random(t) : 1;

		write_line(tag, line, mask, ht_random(t));
		for (unsigned int b = 0; b < HSL_LINE_BYTES; b++)
			want[line][b] = mask >> b & 1 ? agents->written[0][tag][b] : want[line][b];
		tag++;
		same(t, read_line(tag++, line), want[line], "a line after WRITE of some bytes");
		same(t, read_line(tag++, !line), want[!line], "another line");
	}
}

/* One agent owns what the other one shared, which has to be told. */
static void test_one_owner(struct ht *t)
{
	uint16_t tag = 0;

	need_memory(t, 16 * HSL_LINE_BYTES);
	for (unsigned int line = 0; line < 16; line++) {
		const uint8_t op = line % 2 ? HSL_PKT_READ_U : HSL_PKT_UPGRADE;
		const unsigned int b = line / 2 % 2, a = !b;

		for (unsigned int i = 0; i < 3; i++) { /* a has it alone, both share it, b owns it */
			const unsigned int who = i == 0 ? a : b;

			if (i == 2 && op == HSL_PKT_READ_U)
				agents->state[b][line] = 'I'; /* dropped silently */
			fa_ask(agents, who, i < 2 ? HSL_PKT_READ_S : op, tag, line);
			fa_wait(agents, who, tag++);
		}
		HT_TRUE(t, agents->state[a][line] == 'I' && agents->invalidated[a][line],
			"line %u: agent %u has it to own, agent %u has it in %c and was not snooped", line, b, a, agents->state[a][line]);
	}
}

static void test_dirty(struct ht *t)
{
	uint8_t want[HSL_LINE_BYTES];
	uint16_t tag = 0;

	need_memory(t, 64 * HSL_LINE_BYTES);
	for (unsigned int line = 0; line < 64; line++) {
		const unsigned int how = line % 4;

		fa_ask(agents, 0, HSL_PKT_READ_U, tag, line);
		fa_wait(agents, 0, tag++);
		HT_TRUE(t, agents->state[0][line] != 'S', "READ_U of line %u gives it to share", line);
		ht_pattern(agents->data[0][line], HSL_LINE_BYTES, ht_random(t));
		memcpy(want, agents->data[0][line], HSL_LINE_BYTES);
		agents->state[0][line] = 'M';
		if (how == 0) {
			fa_ask(agents, 0, HSL_PKT_WRITE_BACK, tag, line);
			fa_wait(agents, 0, tag++);
		} else if (how == 1) { /* by way of the other cache, which is asked for it then */
			fa_ask(agents, 1, HSL_PKT_READ_U, tag, line);
			fa_wait(agents, 1, tag++);
		} else if (how == 2) {
			fa_ask(agents, 1, HSL_PKT_READ_S, tag, line);
			fa_wait(agents, 1, tag++);
		}
		same(t, read_line_by(how == 3, tag, line), want, how ? "a line that was dirty in a cache" : "a line after WRITE_BACK");
		tag++;
	}
}

static void test_every_request(struct ht *t)
{
	static const uint8_t kinds[] = { HSL_PKT_READ_S, HSL_PKT_READ_U, HSL_PKT_READ_S, HSL_PKT_UPGRADE, HSL_PKT_WRITE_BACK, HSL_PKT_READ, HSL_PKT_WRITE };
	enum { LINES = 24, N = 600 };
	int64_t busy[2][LINES]; /* tag of the request under way for it; -1: none */

	once = true;
	need_memory(t, LINES * HSL_LINE_BYTES);
	memset(busy, 0xff, sizeof(busy));
	for (unsigned int i = 0; i < N; i++) {
		const unsigned int who = (unsigned int)ht_random_below(t, 2), line = (unsigned int)ht_random_below(t, LINES);
		const uint16_t tag = (uint16_t)i;
		uint8_t op = kinds[ht_random_below(t, sizeof(kinds))];
		char state;

		if (busy[who][line] >= 0)
			fa_wait(agents, who, (uint16_t)busy[who][line]); /* an agent has one request outstanding for a line */
		while (agents->handled < wire()->npackets)
			fa_step(agents, wire()->now_ps);
		state = agents->state[who][line];
		if ((op == HSL_PKT_UPGRADE && state != 'S') || (op == HSL_PKT_WRITE_BACK && state != 'M'))
			op = state == 'I' ? HSL_PKT_READ_U : HSL_PKT_READ;
		if ((op == HSL_PKT_READ_S || op == HSL_PKT_READ_U) && state != 'I')
			op = HSL_PKT_READ;
		if (state == 'E' && ht_random_below(t, 2))
			agents->state[who][line] = 'M';
		agents->mask[who][tag] = 1 + ht_random_below(t, 1000);
		fa_ask(agents, who, op, tag, line);
		busy[who][line] = tag;
	}
	answered(t, 0, 0, N);
	answered(t, 1, 0, N);
}

static void test_atomic_once(struct ht *t)
{
	struct fe *e = wire();
	uint64_t before;

	need_memory(t, 4096);
	write_line(0, 1, UINT64_MAX, 1);
	memcpy(&before, agents->written[0][0], sizeof(before));
	e->twice = true;
	for (uint16_t i = 0; i < 200; i++) {
		fa_ask_atomic(agents, 0, (uint16_t)(1 + i), HSL_LINE_BYTES, HSL_ATOMIC_ADD, 3);
		fa_wait(agents, 0, (uint16_t)(1 + i));
		HT_TRUE(t, agents->request[0][1 + i].value == before + 3 * i, "ATOMIC ADD %u returns 0x%llx, not 0x%llx: one before it was done twice, or not",
			i, (unsigned long long)agents->request[0][1 + i].value, (unsigned long long)(before + 3 * i));
	}
}

static void test_poison(struct ht *t)
{
	uint8_t want[HSL_LINE_BYTES];

	need_memory(t, 4096);
	write_line(0, 4, UINT64_MAX, 1);
	write_line(1, 5, UINT64_MAX, 2);
	memcpy(want, agents->written[0][1], sizeof(want));
	agents->poison = true;
	write_line(2, 4, UINT64_MAX, 3);
	read_line(3, 4);
	HT_TRUE(t, agents->request[0][3].flags & HSL_PKT_F_POISON, "a line that was written with POISON is read without");
	same(t, read_line(4, 5), want, "the line after a poisoned one");
	HT_TRUE(t, !(agents->request[0][4].flags & HSL_PKT_F_POISON), "the line after a poisoned one is read with POISON");
	fa_ask_atomic(agents, 0, 5, 4 * HSL_LINE_BYTES, HSL_ATOMIC_ADD, 1);
	fa_wait(agents, 0, 5);
	HT_EQ(t, "status of ATOMIC on a poisoned line", agents->request[0][5].status, HSL_ST_POISON);
	write_line(6, 4, UINT64_MAX, 4);
	memcpy(want, agents->written[0][6], sizeof(want));
	same(t, read_line(7, 4), want, "a line that was written anew");
	HT_TRUE(t, !(agents->request[0][7].flags & HSL_PKT_F_POISON), "a store of the whole line does not heal it");
}

/* More lines than the directory has entries, as far as there is memory: who has one that another agent gets is asked. */
static void test_recall(struct ht *t)
{
	const uint64_t open = wire()->dut.open_bytes / HSL_LINE_BYTES;
	const unsigned int lines = open < 3000 ? (unsigned int)open : 3000, step = 16;
	unsigned int recalled = 0, had = 0;

	need_memory(t, 2 * step * HSL_LINE_BYTES);
	ht_step(t, "%u lines to own", lines);
	for (unsigned int i = 0; i < lines; i += step) {
		for (unsigned int k = i; k < i + step && k < lines; k++)
			fa_ask(agents, 0, HSL_PKT_READ_U, (uint16_t)k, k);
		for (unsigned int k = i; k < i + step && k < lines; k++)
			fa_wait(agents, 0, (uint16_t)k);
	}
	for (unsigned int i = 0; i < lines; i++)
		recalled += agents->state[0][i] == 'I';
	ht_step(t, "what one agent owns, for the other");
	for (unsigned int i = 0; i < lines; i += 5) {
		const unsigned int before = agents->snoops[0][i];

		if (agents->state[0][i] == 'I')
			continue;
		had++;
		fa_ask(agents, 1, HSL_PKT_READ_U, (uint16_t)i, i);
		fa_wait(agents, 1, (uint16_t)i);
		HT_TRUE(t, agents->snoops[0][i] > before, "line %u is given to one agent while another one owns it: it was not recalled", i);
	}
	ht_note(t, "%u lines owned, %u recalled, %u asked back", lines, recalled, had);
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
	{ "HEP-TXN-021", "link_answers", "each request has one answer", test_answers, 0, 0 },
	{ "HEP-COH-001", "link_one_owner", "who shares a line is snooped before another one owns it", test_one_owner, 0, 0 },
	{ "HEP-COH-002", "link_last_store", "READ returns what was written last, byte by byte", test_last_store, 0, 0 },
	{ "HEP-COH-003", "link_every_request", "requests of two agents that cross are answered once each", test_every_request, 0, 0 },
	{ "HEP-COH-005", "link_dirty", "dirty data comes to who asks next, by write-back and by snoop", test_dirty, 0, 0 },
	{ "HEP-COH-006", "link_atomic_once", "an ATOMIC whose flit arrives twice is done once", test_atomic_once, 0, 0 },
	{ "HEP-COH-007", "link_poison", "POISON stays with the line it was written to, until it is written anew", test_poison, 0, 0 },
	{ "HEP-COH-008", "link_recall", "a line that the directory forgets is recalled", test_recall, 0, 0 },
};

unsigned int ht_flit_tests(const struct ht_test **list, unsigned int max)
{
	const unsigned int n = sizeof(tests) / sizeof(tests[0]);

	for (unsigned int i = 0; list && i < n && i < max; i++)
		list[i] = &tests[i];
	return n;
}
