/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * CTF and counters: one link between two neighbouring chips as a tester sees it, from both ends.
 * Whatever is armed, what software sees stays right: that is half of every test here.
 */
#include <stdlib.h>

#include "hsl/ctf.h"
#include "lab.h"
#include "trace.h"

/* ---- HEP-CTF-001 to -003 ---- */

/* Registers of the page of a chip whose driver runs; nobody has it open. */
static void found(struct ht *t)
{
	static const uint32_t regs[] = { HSL_CTF_LINK, HSL_CTF_STATUS, HSL_CTF_ARG0, HSL_CTF_ARG1,
					 HSL_CTF_ARG2, HSL_CTF_RESULT0, HSL_CTF_RESULT1,
					 HSL_CTF_FLIT, HSL_CTF_FLIT + 252, HSL_CTF_RECORD };
	unsigned int n = 0;
	uint8_t cfg[4096];

	for (unsigned int i = 0; i < t->nchips; i++) {
		unsigned int off;
		bool cap = t->chip[i].cap & HSL_CAP_CTF;
		struct hsl_link_props l = { .size = sizeof(l) };
		uint32_t bars, at, v;
		struct ht_bar b;
		struct hsl_ctf *c;

		if (t->sim) { /* no DVSEC: where it would be */
			bars = HSL_BAR_REGS | (cap ? HSL_DVSEC_BARS_CTF : 0);
			at = cap ? HSL_CTF_OFFSET_DEFAULT : 0;
		} else {
			off = ht_dvsec_find(cfg, ht_config_read(t, &t->chip[i], cfg, sizeof(cfg)));
			if (!off)
				HT_SKIP_TEST(t, "the DVSEC cannot be read");
			memcpy(&bars, cfg + off + HSL_DVSEC_O_BARS, 4);
			memcpy(&at, cfg + off + HSL_DVSEC_O_CTF, 4);
		}
		HT_TRUE(t, cap == !!(bars & HSL_DVSEC_BARS_CTF) && cap == !!at && !(at % HSL_CTF_BYTES),
			"chip %u: CAP.CTF %u, the DVSEC says %u, offset %#x", t->chip[i].node, cap,
			!!(bars & HSL_DVSEC_BARS_CTF), at);
		if (!cap)
			continue;
		n++;
		/* the driver's door is shut while we are at the registers */
		c = lab_ctf_open(t, t->chip[i].node);
		ht_bar_map(t, &t->chip[i], HSL_DVSEC_BARS_REGS(bars), &b);
		HT_EQ(t, "ID", ht_read32(&b, at + HSL_CTF_ID), HSL_CTF_ID_VALUE);
		ht_write32(&b, at + HSL_CTF_KEY, HSL_CTF_UNLOCK);
		HT_EQ(t, "KEY in test mode", ht_read32(&b, at + HSL_CTF_KEY), 1);
		ht_write64(&b, at + HSL_CTF_ARG0, 0x123456789ull);
		HT_EQ(t, "ARG0 in test mode", ht_read64(&b, at + HSL_CTF_ARG0), 0x123456789ull);
		ht_write32(&b, at + HSL_CTF_KEY, ~HSL_CTF_UNLOCK);
		HT_EQ(t, "KEY outside test mode", ht_read32(&b, at + HSL_CTF_KEY), 0);
		for (unsigned int k = 0; k < sizeof(regs) / sizeof(regs[0]); k++) {
			ht_write32(&b, at + regs[k], 0x5a5a5a5a);
			ht_write32(&b, at + (regs[k] | 4), 0x5a5a5a5a);
			v = ht_read32(&b, at + regs[k]);
			HT_TRUE(t, !v, "register 0x%03x outside test mode: expected 0, got %#x", regs[k], v);
		}
		ht_write64(&b, at + HSL_CTF_ARG0, HSL_CTF_STATE_DISABLE);
		ht_write32(&b, at + HSL_CTF_CMD, HSL_CTF_CMD_STATE);	/* of link 0, which LINK would be */
		HT_TRUE(t, hsl_link_query(t->f, t->chip[i].node, 0, &l) || l.state != HSL_LTSSM_DISABLED,
			"a command outside test mode has disabled link 0 of chip %u", t->chip[i].node);
		v = ht_read32(&b, at + HSL_CTF_CAP);
		HT_TRUE(t, v && !(v & 1) && v < 2u << HSL_CTF_CMD_FATAL, "CAP: got %#x", v);
		ht_bar_unmap(&b);
		hsl_ctf_close(c);
	}
	if (!n)
		HT_SKIP_TEST(t, "no chip claims a test facility");
}

/* As software sees it: one opener, and what is claimed can be opened. */
static void opened_once(struct ht *t)
{
	struct hsl_ctf *c, *d;
	unsigned int n = 0;

	for (unsigned int i = 0; i < t->nchips; i++) {
		if (!(t->chip[i].cap & HSL_CAP_CTF)) {
			HT_RC(t, hsl_ctf_open(t->f, t->chip[i].node, &c), -EOPNOTSUPP);
			continue;
		}
		n++;
		for (unsigned int k = 0; k < 3; k++) {
			c = lab_ctf_open(t, t->chip[i].node);
			HT_RC(t, hsl_ctf_open(t->f, t->chip[i].node, &d), -EBUSY);
			HT_TRUE(t, hsl_ctf_commands(c), "the facility of chip %u has no command",
				t->chip[i].node);
			hsl_ctf_close(c);
		}
	}
	if (!n)
		HT_SKIP_TEST(t, "no chip claims a test facility");
}

static uint64_t credits(struct lab *l, uint32_t vc)
{
	return lab_ask(l, &l->here, HSL_CTF_CMD_CREDITS, vc, NULL);
}

/* So many accesses, of 2 to 3 slots each, take about 7/12 of the credit of REQ: less than all, more than may be untold. */
static unsigned int half_of(uint64_t full)
{
	return (unsigned int)(full / 4 + 1);
}

/* In a small buffer what is kept back cannot be told from what waits to be told. */
static void need_room(struct lab *l, uint64_t full)
{
	if (full < 64)
		HT_SKIP_TEST(l->t, "receive buffers of %llu slots are too small to tell", (unsigned long long)full);
}

static void credits_back(struct lab *l, uint32_t vc, uint64_t full, const char *which)
{
	uint64_t now = credits(l, vc);

	HT_TRUE(l->t, now + lab_untold(full) >= full, "credit of channel %u %s: %llu of %llu", vc, which,
		(unsigned long long)now, (unsigned long long)full);
}

static void locked_again(struct ht *t)
{
	struct lab l;
	uint64_t left, fresh[2];

	lab_new(t, &l);
	ht_need_tool(t, HSL_CAP_COUNTERS, "counters");
	lab_need(&l, HSL_CTF_CMD_ARM, "ARM");
	lab_need(&l, HSL_CTF_CMD_COUNT, "COUNT");
	lab_need(&l, HSL_CTF_CMD_WIRE, "WIRE");
	lab_need(&l, HSL_CTF_CMD_FREEZE, "FREEZE");
	lab_need(&l, HSL_CTF_CMD_CREDITS, "CREDITS");
	lab_need(&l, HSL_CTF_CMD_STATE, "STATE");
	lab_work(&l, 30, "before test mode");
	fresh[0] = credits(&l, HSL_VC_REQ);
	fresh[1] = credits(&l, HSL_VC_DAT);
	need_room(&l, fresh[0] < fresh[1] ? fresh[0] : fresh[1]);
	LAB_DO(&l, &l.there, HSL_CTF_CMD_FREEZE, 1u << HSL_VC_REQ | 1u << HSL_VC_DAT, 0, 0);
	lab_work(&l, 60, "while credits are frozen");
	LAB_DO(&l, &l.here, HSL_CTF_CMD_ARM, HSL_CTF_ARM_DROP, 1000ull << 32 | 1000000, 0);
	LAB_DO(&l, &l.here, HSL_CTF_CMD_WIRE, HSL_CTF_WIRE_DROP, UINT64_MAX / 4, 0);
	LAB_DO(&l, &l.here, HSL_CTF_CMD_STATE, HSL_CTF_STATE_DISABLE, 0, 0);
	hsl_ctf_close(l.here.ctf);
	hsl_ctf_close(l.there.ctf);
	lab_wait_up(&l, 0, "after test mode");
	l.here.ctf = lab_ctf_open(t, l.here.node);
	l.there.ctf = lab_ctf_open(t, l.there.node);
	lab_ask(&l, &l.here, HSL_CTF_CMD_COUNT, 0, &left);
	HT_EQ(t, "flits left to hit", left, 0);
	left = lab_counter(&l, &l.there, "rx_discarded");
	lab_work(&l, half_of(fresh[0] > fresh[1] ? fresh[0] : fresh[1]), "after test mode");
	HT_EQ(t, "flits after a lost one", lab_counter(&l, &l.there, "rx_discarded"), left);
	credits_back(&l, HSL_VC_REQ, fresh[0], "after test mode");
	credits_back(&l, HSL_VC_DAT, fresh[1], "after test mode");
	lab_memory(&l, "after test mode");
	lab_free(&l);
}

static void bad_arguments(struct ht *t)
{
	static const struct {
		uint32_t cmd;
		uint64_t a0, a1, a2;
		uint32_t want;
	} bad[] = {
		{ 0, 0, 0, 0, HSL_ST_OPCODE },
		{ HSL_CTF_CMD_FATAL + 1, 0, 0, 0, HSL_ST_OPCODE },
		{ UINT32_MAX, 0, 0, 0, HSL_ST_OPCODE },
		{ HSL_CTF_CMD_WIRE, HSL_CTF_WIRE_REORDER + 1, 1, 1, HSL_ST_FIELD },
		{ HSL_CTF_CMD_WIRE, HSL_CTF_WIRE_BURST, 1, 4096, HSL_ST_FIELD },
		{ HSL_CTF_CMD_ARM, 0, 1ull << 32, 0, HSL_ST_FIELD },
		{ HSL_CTF_CMD_ARM, HSL_CTF_ARM_SWALLOW + 1, 1ull << 32, 0, HSL_ST_FIELD },
		{ HSL_CTF_CMD_ARM, HSL_CTF_ARM_CRC, 1ull << 32, 2048, HSL_ST_FIELD },
		{ HSL_CTF_CMD_ARM, HSL_CTF_ARM_DELAY, 1ull << 32, UINT64_MAX, HSL_ST_FIELD },
		{ HSL_CTF_CMD_STATE, HSL_CTF_STATE_LEAVE + 1, 0, 0, HSL_ST_FIELD },
		{ HSL_CTF_CMD_LANE, 64, 0, 0, HSL_ST_FIELD },
		{ HSL_CTF_CMD_FREEZE, 1u << HSL_VC_COUNT, 0, 0, HSL_ST_FIELD },
		{ HSL_CTF_CMD_CREDITS, HSL_VC_COUNT, 0, 0, HSL_ST_FIELD },
		{ HSL_CTF_CMD_PRESET, HSL_CTF_PRESET_SEQ, 4096, 0, HSL_ST_FIELD },
		{ HSL_CTF_CMD_PRESET, HSL_CTF_PRESET_REPLAY_PS + 1, 0, 0, HSL_ST_FIELD },
		{ HSL_CTF_CMD_LOOPBACK, 3, 0, 0, HSL_ST_FIELD },
		{ HSL_CTF_CMD_POISON, 0, 1, 0, HSL_ST_FIELD },
		{ HSL_CTF_CMD_CAPTURE, 8, 0, 0, HSL_ST_FIELD },
		{ HSL_CTF_CMD_LOG, UINT64_MAX, 0, 0, HSL_ST_RANGE },
	};
	struct lab l;

	lab_new(t, &l);
	for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		uint32_t want = lab_has(&l.here, bad[i].cmd) ? bad[i].want : HSL_ST_OPCODE;
		int rc = lab_command(&l.here, bad[i].cmd, bad[i].a0, bad[i].a1, bad[i].a2, NULL);

		HT_TRUE(t, rc == hsl_status_errno(want),
			"command %u, %#llx, %#llx, %#llx: expected status %u, got %s", bad[i].cmd,
			(unsigned long long)bad[i].a0, (unsigned long long)bad[i].a1,
			(unsigned long long)bad[i].a2, want, ht_errno_name(rc));
	}
	if (lab_has(&l.here, HSL_CTF_CMD_COUNT)) {
		struct lab_end stranger = l.here;

		stranger.link = HSL_LINK_MAX;
		HT_RC(t, lab_command(&stranger, HSL_CTF_CMD_COUNT, 0, 0, 0, NULL),
		      hsl_status_errno(HSL_ST_UNREACHABLE));
	}
	lab_work(&l, 60, "after refused commands");
	lab_memory(&l, "after refused commands");
	lab_free(&l);
}

/* ---- HEP-CTF-004, -005 ---- */

static void crc_errors(struct ht *t)
{
	static const uint32_t bits[] = { 0, 11, 700, 1935, 1936, 1999 };
	struct lab l;

	lab_new(t, &l);
	ht_need_tool(t, HSL_CAP_COUNTERS, "counters");
	lab_need(&l, HSL_CTF_CMD_ARM, "ARM");
	lab_need(&l, HSL_CTF_CMD_COUNT, "COUNT");
	for (unsigned int i = 0; i < sizeof(bits) / sizeof(bits[0]); i++) {
		uint64_t bad = lab_counter(&l, &l.there, "rx_bad");
		uint64_t again = lab_counter(&l, &l.here, "tx_replayed");
		uint64_t injected = lab_ask(&l, &l.here, HSL_CTF_CMD_COUNT, 0, NULL), left;

		LAB_DO(&l, &l.here, HSL_CTF_CMD_ARM, HSL_CTF_ARM_CRC, 3ull << 32 | 5, bits[i]);
		lab_work(&l, 60, "with CRC errors");
		injected = lab_ask(&l, &l.here, HSL_CTF_CMD_COUNT, 0, &left) - injected;
		HT_EQ(t, "errors injected", injected, 3);
		HT_EQ(t, "errors left", left, 0);
		HT_EQ(t, "flits refused by the other end",
		      lab_counter(&l, &l.there, "rx_bad") - bad, 3);
		HT_TRUE(t, lab_counter(&l, &l.here, "tx_replayed") > again,
			"three flits were refused and none was sent again");
	}
	lab_memory(&l, "after CRC errors");
	lab_free(&l);
}

static void flit_errors(struct ht *t)
{
	static const struct {
		uint32_t kind;
		uint64_t arg;
		const char *what;
	} errors[] = {
		{ HSL_CTF_ARM_DROP, 0, "with lost flits" },
		{ HSL_CTF_ARM_DUPLICATE, 0, "with flits that come twice" },
		{ HSL_CTF_ARM_REORDER, 1, "with flits out of order" },
		{ HSL_CTF_ARM_DELAY, 50000, "with late flits" },
	};
	struct lab l;

	lab_new(t, &l);
	lab_need(&l, HSL_CTF_CMD_ARM, "ARM");
	lab_need(&l, HSL_CTF_CMD_COUNT, "COUNT");
	for (unsigned int i = 0; i < 2 * sizeof(errors) / sizeof(errors[0]); i++) {
		struct lab_end *e = i % 2 ? &l.there : &l.here;
		uint64_t before = lab_ask(&l, e, HSL_CTF_CMD_COUNT, 0, NULL);

		int rc = lab_command(e, HSL_CTF_CMD_ARM, errors[i / 2].kind, 20ull << 32 | 3,
				 errors[i / 2].arg, NULL);

		if (errors[i / 2].kind == HSL_CTF_ARM_REORDER && rc)
			continue;	/* this wire keeps the order: R is 0 */
		HT_OK(t, rc);
		lab_work(&l, 90, errors[i / 2].what);
		HT_EQ(t, "errors injected", lab_ask(&l, e, HSL_CTF_CMD_COUNT, 0, NULL) - before, 20);
	}
	lab_memory(&l, "after errors of flits");
	lab_free(&l);
}

static void random_errors(struct ht *t)
{
	struct lab l;
	uint64_t before;

	lab_new(t, &l);
	ht_need_tool(t, HSL_CAP_COUNTERS, "counters");
	lab_need(&l, HSL_CTF_CMD_WIRE, "WIRE");
	for (unsigned int i = 0; i < 2; i++) {
		struct lab_end *e = i ? &l.there : &l.here;

		LAB_DO(&l, e, HSL_CTF_CMD_WIRE, HSL_CTF_WIRE_SEED, ht_random(t), 0);
		LAB_DO(&l, e, HSL_CTF_CMD_WIRE, HSL_CTF_WIRE_BIT, UINT64_MAX / 100000, 0);
		LAB_DO(&l, e, HSL_CTF_CMD_WIRE, HSL_CTF_WIRE_DROP, UINT64_MAX / 50, 0);
		LAB_DO(&l, e, HSL_CTF_CMD_WIRE, HSL_CTF_WIRE_DUPLICATE, UINT64_MAX / 50, 0);
		LAB_DO(&l, e, HSL_CTF_CMD_WIRE, HSL_CTF_WIRE_BURST, UINT64_MAX / 50, 32);
	}
	before = lab_counter(&l, &l.there, "rx_bad");
	lab_work(&l, 1500, "on a bad wire");
	HT_TRUE(t, lab_counter(&l, &l.there, "rx_bad") > before,
		"1500 accesses with one flit in fifty damaged, and none was refused");
	lab_memory(&l, "after a bad wire");
	lab_free(&l);
}

/* ---- HEP-CTF-006 ---- */

#define REQ_MOST 3	/* slots of a packet */

/* Until three packets may have no room any more: the next access might wait for ever. */
static void use_up_frozen(struct lab *l)
{
	uint64_t left = credits(l, HSL_VC_REQ), before;

	while (left >= 3 * REQ_MOST) {
		before = left;
		lab_work(l, 3, "while credits are frozen");	/* one of each kind */
		left = credits(l, HSL_VC_REQ);
		HT_TRUE(l->t, left < before, "3 accesses while credit of REQ is frozen, and it goes from %llu to %llu",
			(unsigned long long)before, (unsigned long long)left);
	}
}

static void frozen_credits(struct ht *t)
{
	uint64_t full[HSL_VC_COUNT];
	struct lab l;

	lab_new(t, &l);
	lab_need(&l, HSL_CTF_CMD_FREEZE, "FREEZE");
	lab_need(&l, HSL_CTF_CMD_CREDITS, "CREDITS");
	lab_work(&l, 9, "before credits are frozen");
	for (uint32_t vc = 0; vc < HSL_VC_COUNT; vc++)
		full[vc] = credits(&l, vc);
	need_room(&l, full[HSL_VC_REQ]);
	LAB_DO(&l, &l.there, HSL_CTF_CMD_FREEZE, 1u << HSL_VC_REQ, 0, 0);
	use_up_frozen(&l);
	for (uint32_t vc = 0; vc < HSL_VC_COUNT; vc++)
		if (vc != HSL_VC_REQ)
			credits_back(&l, vc, full[vc], "of another channel");
	LAB_DO(&l, &l.there, HSL_CTF_CMD_FREEZE, 0, 0, 0);
	lab_work(&l, 300, "after credits were frozen");
	credits_back(&l, HSL_VC_REQ, full[HSL_VC_REQ], "afterwards");
	lab_memory(&l, "after credits were frozen");
	lab_free(&l);
}

/* ---- HEP-CTF-007 ---- */

struct record {
	uint8_t version, kind, flags, link;
	uint16_t src, dst;
	uint64_t time_ps;
	struct hsl_flit flit;
};
_Static_assert(sizeof(struct record) == HSL_CTF_RECORD_BYTES, "docs/capture.md");
#define KIND_FLIT 1
#define FLAG_RX	  1

static bool record_next(struct lab *l, struct record *r, uint64_t *lost)
{
	if (!lab_ask(l, &l->here, HSL_CTF_CMD_NEXT, 0, lost))
		return false;
	HT_OK(l->t, hsl_ctf_record(l->here.ctf, r));
	return true;
}

static void captured(struct ht *t)
{
	uint64_t flits[2] = { 0, 0 }, last = 0, lost = 0, sent, room, got = 0;
	uint32_t next[2] = { 0, 0 };
	struct record r;
	struct lab l;

	lab_new(t, &l);
	ht_need_tool(t, HSL_CAP_COUNTERS, "counters");
	lab_need(&l, HSL_CTF_CMD_CAPTURE, "CAPTURE");
	lab_need(&l, HSL_CTF_CMD_NEXT, "NEXT");
	lab_work(&l, 3, "before a capture");
	room = lab_ask(&l, &l.here, HSL_CTF_CMD_CAPTURE, HSL_CTF_CAPTURE_TX | HSL_CTF_CAPTURE_RX, NULL);
	HT_TRUE(t, room >= 64, "a capture holds %llu records", (unsigned long long)room);
	sent = lab_counter(&l, &l.here, "tx_flits");
	lab_work(&l, 6, "while it is captured");
	sent = lab_counter(&l, &l.here, "tx_flits") - sent;
	while (record_next(&l, &r, &lost)) {
		bool rx = r.flags & FLAG_RX;
		uint32_t seq = r.flit.hdr & ((1u << HSL_FLIT_SEQ_BITS) - 1);

		HT_TRUE(t, r.version == 1 && r.link == l.here.link &&
				   r.src == (rx ? l.there.node : l.here.node) &&
				   r.dst == (rx ? l.here.node : l.there.node),
			"record: version %u, link %u, from %u to %u%s", r.version, r.link, r.src, r.dst,
			rx ? ", received" : "");
		HT_TRUE(t, r.time_ps >= last, "time goes back from %llu to %llu ps",
			(unsigned long long)last, (unsigned long long)r.time_ps);
		last = r.time_ps;
		if (r.kind != KIND_FLIT || r.flit.hdr >> HSL_FLIT_SEQ_BITS != HSL_FLIT_DATA)
			continue;
		HT_TRUE(t, !flits[rx] || seq == next[rx], "%s: number %u, expected %u",
			rx ? "received" : "sent", seq, next[rx]);
		next[rx] = (seq + 1) % (1u << HSL_FLIT_SEQ_BITS);
		flits[rx]++;
	}
	HT_EQ(t, "records lost", lost, 0);
	HT_EQ(t, "data flits captured as sent", flits[0], sent);
	HT_TRUE(t, flits[1] >= 6, "%llu data flits captured as received, six accesses were answered",
		(unsigned long long)flits[1]);

	room = lab_ask(&l, &l.here, HSL_CTF_CMD_CAPTURE, HSL_CTF_CAPTURE_TX | HSL_CTF_CAPTURE_RX, NULL);
	for (uint64_t i = 0; i < room; i += 30)
		lab_work(&l, 30, "while a full capture loses records");
	while (record_next(&l, &r, &lost))
		got++;
	HT_EQ(t, "records of a full capture", got, room);
	HT_TRUE(t, lost, "more was captured than there is room for, and nothing was lost");
	lab_free(&l);
}

/* ---- HEP-CTF-008 ---- */

/* docs/hep.md section 8.4: state i goes to the states of edges[i]. */
#define TO(s) (1u << HSL_LTSSM_##s)
static const uint32_t edges[8] = {
	[HSL_LTSSM_DETECT] = TO(POLLING) | TO(DISABLED),
	[HSL_LTSSM_POLLING] = TO(CONFIG) | TO(DETECT) | TO(DISABLED),
	[HSL_LTSSM_CONFIG] = TO(L0) | TO(DETECT) | TO(DISABLED) | TO(HOT_RESET),
	[HSL_LTSSM_L0] = TO(RECOVERY) | TO(L1) | TO(DETECT) | TO(DISABLED) | TO(HOT_RESET),
	[HSL_LTSSM_L1] = TO(RECOVERY) | TO(DETECT) | TO(DISABLED),
	[HSL_LTSSM_RECOVERY] = TO(CONFIG) | TO(DETECT) | TO(DISABLED) | TO(HOT_RESET),
	[HSL_LTSSM_DISABLED] = TO(DETECT),
	[HSL_LTSSM_HOT_RESET] = TO(DETECT),
};

/* The whole log of an end: how many entries, the states it has entered, and the last of them. */
static uint64_t log_read(struct lab *l, struct lab_end *e, uint32_t *seen, uint32_t *at)
{
	uint64_t r[2], last = 0, i;

	*seen = 0;
	*at = HSL_LTSSM_DETECT;
	for (i = 0; !lab_command(e, HSL_CTF_CMD_LOG, i, 0, 0, r); i++) {
		uint32_t from = r[1] & 0xff, to = r[1] >> 8 & 0xff;

		HT_TRUE(l->t, from < 8 && to < 8 && edges[from] >> to & 1,
			"chip %u, entry %llu: from state %u to %u", e->node, (unsigned long long)i, from, to);
		HT_TRUE(l->t, !i || (from == *at && r[0] >= last),
			"chip %u, entry %llu does not follow the one before", e->node, (unsigned long long)i);
		*at = to;
		last = r[0];
		*seen |= 1u << to;
	}
	return i;
}

static void state_log(struct ht *t)
{
	uint32_t seen, before, at;
	uint64_t i;
	struct lab l;

	lab_new(t, &l);
	lab_need(&l, HSL_CTF_CMD_LOG, "LOG");
	lab_need(&l, HSL_CTF_CMD_STATE, "STATE");
	for (i = 0; i < 5; i++) {
		LAB_DO(&l, i % 2 ? &l.there : &l.here, HSL_CTF_CMD_STATE, HSL_CTF_STATE_RETRAIN, 0, 0);
		lab_work(&l, 9, "after retraining");
	}
	lab_wait_up(&l, 0, "after retraining");
	before = lab_link(&l, &l.here).state;
	i = log_read(&l, &l.here, &seen, &at);
	HT_TRUE(t, i >= 15, "five retrainings, and the log has %llu entries", (unsigned long long)i);
	HT_TRUE(t, (seen & (TO(RECOVERY) | TO(CONFIG) | TO(L0))) == (TO(RECOVERY) | TO(CONFIG) | TO(L0)),
		"states entered: %#x", seen);
	/* unless it has gone to L1, or left it, meanwhile */
	HT_TRUE(t, at == before || before != lab_link(&l, &l.here).state,
		"the log ends in state %u, the link is in state %u", at, before);
	lab_memory(&l, "after retraining");
	lab_free(&l);
}

/* ---- HEP-PHY-001, -003, HEP-LNK-006 ---- */

/* What makes a link change its state, and the edges that both ends took. */
static void phy_edges(struct ht *t)
{
	uint32_t seen, at;
	struct lab l;

	lab_new(t, &l);
	lab_need(&l, HSL_CTF_CMD_LOG, "LOG");
	lab_need(&l, HSL_CTF_CMD_STATE, "STATE");
	lab_need(&l, HSL_CTF_CMD_LANE, "LANE");
	lab_work(&l, 9, "before the link changes its state");
	LAB_DO(&l, &l.here, HSL_CTF_CMD_STATE, HSL_CTF_STATE_RETRAIN, 0, 0);
	lab_work(&l, 9, "after retraining");
	LAB_DO(&l, &l.there, HSL_CTF_CMD_LANE, lab_link(&l, &l.here).width - 1, 0, 0);
	lab_work(&l, 9, "after a lane failed");
	LAB_DO(&l, &l.here, HSL_CTF_CMD_STATE, HSL_CTF_STATE_DISABLE, 0, 0);
	LAB_DO(&l, &l.here, HSL_CTF_CMD_STATE, HSL_CTF_STATE_ENABLE, 0, 0);
	lab_wait_up(&l, 0, "when it is enabled again");
	for (unsigned int i = 0; i < 2; i++) {
		log_read(&l, i ? &l.there : &l.here, &seen, &at);
		HT_TRUE(t, !(~seen & (TO(RECOVERY) | TO(CONFIG) | TO(L0) | TO(DISABLED) | TO(DETECT) | TO(POLLING))),
			"states entered: %#x", seen);
	}
	lab_free(&l);
}

/* n accesses of which each loses `lost` data flits in a row on its way there. */
static void lose(struct lab *l, unsigned int n, uint64_t lost)
{
	while (n--) {
		uint64_t left;

		LAB_DO(l, &l->here, HSL_CTF_CMD_ARM, HSL_CTF_ARM_DROP, lost << 32, 0);
		lab_work(l, 1, "whose flits are lost");
		lab_ask(l, &l->here, HSL_CTF_CMD_COUNT, 0, &left);
		HT_TRUE(l->t, !left, "an access is done, and %llu of %llu flits that it needs are still to be lost",
			(unsigned long long)left, (unsigned long long)lost);
	}
}

/* The last flit of all is lost, so nothing behind it tells the other end. */
static void replays(struct ht *t)
{
	uint64_t again;
	struct lab l;

	lab_new(t, &l);
	ht_need_tool(t, HSL_CAP_COUNTERS, "counters");
	lab_need(&l, HSL_CTF_CMD_ARM, "ARM");
	lab_need(&l, HSL_CTF_CMD_COUNT, "COUNT");
	again = lab_counter(&l, &l.here, "tx_replayed");
	lose(&l, 30, 1);
	again = lab_counter(&l, &l.here, "tx_replayed") - again;
	HT_TRUE(t, again >= 30, "30 flits were lost, and %llu sent again", (unsigned long long)again);
	lab_memory(&l, "after lost flits");
	lab_free(&l);
}

/* Lost until the link retrains; then it arrives, once. */
static void recovery(struct ht *t)
{
	uint64_t trained;
	struct lab l;

	lab_new(t, &l);
	ht_need_tool(t, HSL_CAP_COUNTERS, "counters");
	lab_need(&l, HSL_CTF_CMD_ARM, "ARM");
	lab_need(&l, HSL_CTF_CMD_COUNT, "COUNT");
	trained = lab_counter(&l, &l.here, "retrains");
	lose(&l, 6, 12);
	HT_TRUE(t, lab_counter(&l, &l.here, "retrains") > trained,
		"12 times in a row nothing of a flit arrived, and the link did not retrain");
	lab_memory(&l, "after recovery");
	lab_free(&l);
}

/* ---- HEP-CTF-009 ---- */

static void seal(struct hsl_flit *f)
{
	uint64_t crc = ht_crc64(f, offsetof(struct hsl_flit, crc));

	memcpy(f->crc, &crc, sizeof(crc));
}

static void raw_flits(struct ht *t)
{
	struct hsl_flit f;
	struct lab l;

	lab_new(t, &l);
	ht_need_tool(t, HSL_CAP_COUNTERS, "counters");
	lab_need(&l, HSL_CTF_CMD_SEND, "SEND");
	lab_work(&l, 30, "before raw flits");
	for (unsigned int i = 0; i < 40; i++) {
		uint64_t bad = lab_counter(&l, &l.there, "rx_bad");

		for (unsigned int k = 0; k < sizeof(f) / 8; k++)
			((uint64_t *)&f)[k] = ht_random(t);
		switch (i % 4) {
		case 1:
			memset(&f, 0, sizeof(f));
			memset(f.slot_map, 0xff, sizeof(f.slot_map));
			f.rsvd[0] = 1;
			seal(&f);
			break;
		case 2:
			memset(&f, 0, sizeof(f));
			f.hdr = HSL_FLIT_DATA << HSL_FLIT_SEQ_BITS;
			memset(f.slot_map, 0x77, sizeof(f.slot_map));	/* a channel there is not */
			seal(&f);
			break;
		case 3:
			memset(&f, 0, sizeof(f));
			f.hdr = 3u << HSL_FLIT_SEQ_BITS;
			memset(f.slot_map, 0xff, sizeof(f.slot_map));
			seal(&f);
			break;
		}
		HT_OK(t, hsl_ctf_flit(l.here.ctf, &f));
		for (unsigned int k = 0; lab_command(&l.here, HSL_CTF_CMD_SEND, 0, 0, 0, NULL); k++) {
			HT_TRUE(t, k < 100, "SEND fails, also when the link is not idle");
			lab_work(&l, 1, "to wake the link");
		}
		lab_work(&l, 3, "after a raw flit");
		HT_EQ(t, "flits refused", lab_counter(&l, &l.there, "rx_bad") - bad, 1);
	}
	lab_memory(&l, "after raw flits");
	lab_free(&l);
}

/* ---- HEP-CTF-010 ---- */

static void poisoned_line(struct ht *t)
{
	enum { AT = 1024 };
	uint64_t v, r;
	struct hsl_op op;
	struct lab l;

	lab_new(t, &l);
	lab_need(&l, HSL_CTF_CMD_POISON, "POISON");
	lab_need(&l, HSL_CTF_CMD_LINE, "LINE");
	lab_work(&l, 90, "before poison");
	LAB_DO(&l, &l.there, HSL_CTF_CMD_POISON, l.ga + AT, 1, 0);
	r = lab_ask(&l, &l.there, HSL_CTF_CMD_LINE, l.ga + AT, NULL);
	HT_TRUE(t, r >> 24 & 1, "LINE of a poisoned line says %#llx", (unsigned long long)r);
	for (uint64_t off = AT - 64; off < AT + 128; off += 8) {
		bool in = off - AT < 64;
		int rc = hsl_load(l.q, l.ga + off, 8, &v);

		HT_TRUE(t, rc == (in ? hsl_status_errno(HSL_ST_POISON) : 0),
			"load at byte %llu of a page whose line %d is poisoned: %s",
			(unsigned long long)off, AT / 64, ht_errno_name(rc));
		HT_TRUE(t, in || v == l.shadow[off / 8], "a neighbour of a poisoned line has changed");
	}
	op = ht_op_fill(l.ga + AT, 64, 0);
	ht_expect(t, l.q, &op, HSL_ST_OK, "FILL of the poisoned line");
	memset(&l.shadow[AT / 8], 0, 64);
	LAB_DO(&l, &l.there, HSL_CTF_CMD_POISON, l.ga + 64, 1, 0);
	LAB_DO(&l, &l.there, HSL_CTF_CMD_POISON, l.ga + 64, 0, 0);
	lab_memory(&l, "when poison is healed");
	lab_free(&l);
}

/* ---- HEP-CTF-011 ---- */

static void sequence_wraps(struct ht *t)
{
	bool wrapped[2] = { false, false };
	struct record r;
	struct lab l;

	lab_new(t, &l);
	lab_need(&l, HSL_CTF_CMD_PRESET, "PRESET");
	lab_need(&l, HSL_CTF_CMD_STATE, "STATE");
	lab_need(&l, HSL_CTF_CMD_CAPTURE, "CAPTURE");
	lab_need(&l, HSL_CTF_CMD_NEXT, "NEXT");
	LAB_DO(&l, &l.here, HSL_CTF_CMD_PRESET, HSL_CTF_PRESET_SEQ, 4080, 0);
	LAB_DO(&l, &l.there, HSL_CTF_CMD_PRESET, HSL_CTF_PRESET_SEQ, 4080, 0);
	LAB_DO(&l, &l.here, HSL_CTF_CMD_STATE, HSL_CTF_STATE_DISABLE, 0, 0);
	LAB_DO(&l, &l.here, HSL_CTF_CMD_STATE, HSL_CTF_STATE_ENABLE, 0, 0);
	lab_wait_up(&l, 0, "with a preset sequence number");
	LAB_DO(&l, &l.here, HSL_CTF_CMD_CAPTURE, HSL_CTF_CAPTURE_TX | HSL_CTF_CAPTURE_RX, 0, 0);
	for (unsigned int i = 0; i < 20; i++) {
		lab_work(&l, 3, "around the wrap of sequence numbers");
		while (record_next(&l, &r, NULL)) {
			uint32_t seq = r.flit.hdr & ((1u << HSL_FLIT_SEQ_BITS) - 1);

			if (r.kind == KIND_FLIT && r.flit.hdr >> HSL_FLIT_SEQ_BITS == HSL_FLIT_DATA) {
				HT_TRUE(t, i || seq >= 4080 || seq < 16,
					"the first flits have number %u", seq);
				wrapped[r.flags & FLAG_RX] |= seq < 16;
			}
		}
	}
	HT_TRUE(t, wrapped[0] && wrapped[1], "numbers did not wrap");
	lab_memory(&l, "after the wrap of sequence numbers");
	lab_free(&l);
}

/* ---- HEP-CTF-012 ---- */

static void lanes_fail(struct ht *t)
{
	uint32_t width, want;
	struct lab l;

	lab_new(t, &l);
	lab_need(&l, HSL_CTF_CMD_LANE, "LANE");
	lab_need(&l, HSL_CTF_CMD_STATE, "STATE");
	lab_work(&l, 30, "before a lane fails");
	width = lab_link(&l, &l.here).width;
	for (uint32_t lane = width; lane-- > 1;) {
		want = lane >= 16 ? 16 : lane >= 8 ? 8 : lane >= 4 ? 4 : 1;
		LAB_DO(&l, lane % 2 ? &l.there : &l.here, HSL_CTF_CMD_LANE, lane, 0, 0);
		lab_work(&l, 9, "after a lane failed");
		lab_wait_up(&l, want, "after a lane failed");
	}
	for (uint32_t lane = 1; lane < width; lane++)
		LAB_DO(&l, lane % 2 ? &l.there : &l.here, HSL_CTF_CMD_LANE, lane, 1, 0);
	LAB_DO(&l, &l.here, HSL_CTF_CMD_STATE, HSL_CTF_STATE_RETRAIN, 0, 0);
	lab_wait_up(&l, width, "when all lanes work again");
	lab_work(&l, 30, "when all lanes work again");
	lab_memory(&l, "when all lanes work again");
	lab_free(&l);
}

/* A link with a failed lane is narrower, and both its ends tell the same maximum as before. */
static void max_stays(struct ht *t)
{
	struct hsl_link_props before[2], after;
	struct lab l;
	const struct lab_end *e[2] = { &l.here, &l.there };

	lab_new(t, &l);
	lab_need(&l, HSL_CTF_CMD_LANE, "LANE");
	for (int i = 0; i < 2; i++) {
		before[i] = lab_link(&l, e[i]);
		if (!before[i].max_width || !before[i].max_rate_mtps)
			HT_NA_TEST(t, "chip %u does not tell MAX_WIDTH and MAX_RATE", e[i]->node);
	}
	if (before[0].width < 2)
		HT_SKIP_TEST(t, "the link has one lane");
	LAB_DO(&l, &l.here, HSL_CTF_CMD_LANE, before[0].width - 1, 0, 0);
	lab_wait_up(&l, 0, "after a lane failed");
	for (int i = 0; i < 2; i++) {
		after = lab_link(&l, e[i]);
		HT_TRUE(t, after.width < before[i].width, "chip %u: %u lanes after lane %u failed", e[i]->node, after.width, before[0].width - 1);
		HT_EQ(t, "MAX_WIDTH after a lane failed", after.max_width, before[i].max_width);
		HT_EQ(t, "MAX_RATE after a lane failed", after.max_rate_mtps, before[i].max_rate_mtps);
	}
	LAB_DO(&l, &l.here, HSL_CTF_CMD_LANE, before[0].width - 1, 1, 0);
	lab_free(&l);
}

static void disabled(struct ht *t)
{
	struct hsl_path_props p = { .size = sizeof(p) };
	uint64_t downs, v;
	struct lab l;
	int rc;

	lab_new(t, &l);
	ht_need_tool(t, HSL_CAP_COUNTERS, "counters");
	lab_need(&l, HSL_CTF_CMD_STATE, "STATE");
	lab_work(&l, 30, "before the link is disabled");
	downs = lab_counter(&l, &l.there, "downs");
	LAB_DO(&l, &l.here, HSL_CTF_CMD_STATE, HSL_CTF_STATE_DISABLE, 0, 0);
	HT_EQ(t, "state of the disabled link", lab_link(&l, &l.here).state, HSL_LTSSM_DISABLED);
	HT_TRUE(t, !lab_carries(&(struct hsl_link_props){ .state = lab_link(&l, &l.there).state }),
		"one end is disabled, the other one is up");
	rc = hsl_topology_path(t->f, l.here.node, l.there.node, &p);
	if (rc == -EHOSTUNREACH)
		HT_RC(t, hsl_load(l.q, l.ga, 8, &v), hsl_status_errno(HSL_ST_UNREACHABLE));
	else
		lab_work(&l, 30, "on another way");
	LAB_DO(&l, &l.here, HSL_CTF_CMD_STATE, HSL_CTF_STATE_ENABLE, 0, 0);
	lab_wait_up(&l, 0, "after it was enabled");
	lab_work(&l, 90, "after it was enabled");
	HT_EQ(t, "times down", lab_counter(&l, &l.there, "downs") - downs, 1);
	lab_memory(&l, "after it was enabled");
	lab_free(&l);
}

/* ---- HEP-RAS-006 to -008 ---- */

/* Every counter of every chip, in a fixed order; how many. */
static unsigned int counters_everywhere(struct ht *t, uint64_t *v)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < t->nchips; i++)
		for (uint32_t k = 0; k <= t->chip[i].nlinks; k++) {
			int got = hsl_counters(t->f, t->chip[i].node,
					       k < t->chip[i].nlinks ? k : HSL_COUNTERS_CHIP, v + n, LAB_COUNTERS_MAX);

			HT_TRUE(t, got > 0 && got <= LAB_COUNTERS_MAX, "counters of chip %u: %s", t->chip[i].node,
				ht_errno_name(got));
			n += (unsigned int)got;
		}
	return n;
}

static uint64_t *counters_new(struct ht *t)
{
	uint64_t *v = calloc(HT_CHIPS_MAX, (HSL_LINK_MAX + 1) * LAB_COUNTERS_MAX * sizeof(*v));

	HT_TRUE(t, v, "no memory");
	return v;
}

static void lab_plain(struct ht *t, struct lab *l)
{
	struct hsl_segment_opts o = { .size = sizeof(o),
				      .flags = HSL_SEGMENT_OBSERVABLE | HSL_SEGMENT_NONCOHERENT };

	ht_need_cap(t, HSL_CAP_COUNTERS, "counters");
	ht_need_tool(t, HSL_CAP_MODELLED, "observable memory");
	memset(l, 0, sizeof(*l));
	l->t = t;
	l->q = ht_queue_new(t, t->chip[0].node, 0);
	HT_OK(t, hsl_segment_alloc(t->f, t->chip[t->nchips - 1].node, LAB_LEN, &o, &l->seg));
	l->ga = hsl_segment_ga(l->seg);
}

static void grow(struct ht *t, struct lab *l, int (*disturb)(struct ht *))
{
	uint64_t *before = counters_new(t), *after = counters_new(t);
	unsigned int n = counters_everywhere(t, before), grown = 0;

	if (l)
		lab_work(l, 90, "while counters are watched");
	if (disturb)
		HT_OK(t, disturb(t));
	HT_EQ(t, "counters", counters_everywhere(t, after), n);
	for (unsigned int i = 0; i < n; i++) {
		HT_TRUE(t, after[i] >= before[i], "counter %u went back from %llu to %llu", i,
			(unsigned long long)before[i], (unsigned long long)after[i]);
		grown += after[i] > before[i];
	}
	HT_TRUE(t, !l || grown >= 4, "90 accesses, and %u of %u counters have grown", grown, n);
	free(before);
	free(after);
}

static void counters_grow(struct ht *t)
{
	struct lab l;

	lab_plain(t, &l);
	for (unsigned int i = 0; i < 10; i++)
		grow(t, &l, NULL);
	HT_RC(t, hsl_counters(t->f, t->chip[0].node, t->chip[0].nlinks, NULL, 0), -ENOENT);
	HT_RC(t, hsl_counters(t->f, t->info.host_node, HSL_COUNTERS_CHIP, NULL, 0), -ENOENT);
	ht_queue_free(t, l.q);
	HT_OK(t, hsl_segment_free(l.seg));
}

static int flr_first(struct ht *t)
{
	return ht_chip_flr(t, &t->chip[0]);
}

static void counters_survive_reset(struct ht *t)
{
	struct lab l;

	lab_plain(t, &l);
	lab_work(&l, 90, "before a reset");
	ht_queue_free(t, l.q);
	grow(t, NULL, flr_first);
	HT_OK(t, hsl_segment_free(l.seg));
}

/* What a VC of a link has carried from one chip to another since some time. */
struct carried {
	uint32_t from, link, to, back;
	unsigned int vc;
	uint64_t sent, taken, downs;
};

static void carried_now(struct ht *t, struct carried *c)
{
	static const char *const sent[HSL_VC_COUNT] = { "tx_packets_req", "tx_packets_rsp", "tx_packets_snp",
							"tx_packets_dat", "tx_packets_mgmt" };
	static const char *const taken[HSL_VC_COUNT] = { "rx_packets_req", "rx_packets_rsp", "rx_packets_snp",
							 "rx_packets_dat", "rx_packets_mgmt" };

	c->taken = lab_counter_of(t, c->to, c->back, taken[c->vc]);
	c->sent = lab_counter_of(t, c->from, c->link, sent[c->vc]);
	c->downs = lab_counter_of(t, c->from, c->link, "downs");
}

static void packets_conserved(struct ht *t)
{
	static struct carried was[HT_CHIPS_MAX * HSL_LINK_MAX * HSL_VC_COUNT];
	uint64_t some = 0, sent, taken;
	struct ht_limit limit;
	unsigned int n = 0;
	struct lab l;

	lab_plain(t, &l);
	lab_work(&l, 9, "before packets are counted");
	for (unsigned int a = 0; a < t->nchips; a++)
		for (uint32_t i = 0; i < t->chip[a].nlinks; i++) {
			struct hsl_link_props p = { .size = sizeof(p) };
			uint32_t back;

			HT_OK(t, hsl_link_query(t->f, t->chip[a].node, i, &p));
			if (p.peer_type != HSL_NODE_TYPE_CHIP || !lab_carries(&p) ||
			    !lab_link_to(t, p.peer, t->chip[a].node, &back))
				continue;
			for (unsigned int vc = 0; vc < HSL_VC_COUNT; vc++) {
				was[n] = (struct carried){ t->chip[a].node, i, p.peer, back, vc, 0, 0, 0 };
				carried_now(t, &was[n++]);
			}
		}
	if (!n)
		HT_SKIP_TEST(t, "no link joins two chips");
	lab_work(&l, 300, "while packets are counted");
	for (unsigned int k = 0; k < n; k++) {
		struct carried now = was[k];

		limit = ht_limit(HT_OP_LIMIT_S);
		do {	/* somebody else's packet may be under way */
			carried_now(t, &now);
			sent = now.sent - was[k].sent;
			taken = now.taken - was[k].taken;
		} while (sent != taken && now.downs == was[k].downs && !ht_limit_over(&limit));
		HT_TRUE(t, sent == taken || now.downs != was[k].downs,
			"chip %u has sent %llu packets of channel %u to chip %u, which has taken %llu", now.from,
			(unsigned long long)sent, now.vc, now.to, (unsigned long long)taken);
		some += sent;
	}
	HT_TRUE(t, some, "300 accesses, and no link has carried a packet");
	ht_queue_free(t, l.q);
	HT_OK(t, hsl_segment_free(l.seg));
}

static void miss_then_hit(struct ht *t)
{
	struct hsl_segment_opts o = { .size = sizeof(o), .flags = HSL_SEGMENT_OBSERVABLE };
	static const char *const names[3] = { "host_port_hits", "host_port_misses", "home_requests" };
	uint64_t at[3][3];
	uint32_t node = t->chip[0].node;
	struct hsl_segment *s;
	void *p = NULL;
	int rc;

	ht_need_cap(t, HSL_CAP_MODELLED, "observable memory");
	ht_need_cap(t, HSL_CAP_COUNTERS, "counters");
	HT_OK(t, hsl_segment_alloc(t->f, node, LAB_LEN, &o, &s));
	rc = hsl_segment_map(s, &p);
	if (rc == -EOPNOTSUPP)
		HT_SKIP_TEST(t, "observable memory cannot be mapped here");
	HT_OK(t, rc);
	for (unsigned int i = 0; i < 20; i++) {
		for (unsigned int k = 0; k < 3; k++) {
			for (unsigned int c = 0; c < 3; c++)
				at[k][c] = lab_counter_of(t, node, HSL_COUNTERS_CHIP, names[c]);
			if (k < 2)
				(void)*((volatile uint64_t *)p + i * 8 + k);
		}
		for (unsigned int k = 0; k < 2; k++)
			HT_TRUE(t, at[k + 1][0] == at[k][0] + k && at[k + 1][1] == at[k][1] + !k &&
					   at[k + 1][2] == at[k][2] + !k,
				"load %u of a line: %llu hits, %llu misses, %llu requests at the home", k + 1,
				(unsigned long long)(at[k + 1][0] - at[k][0]),
				(unsigned long long)(at[k + 1][1] - at[k][1]),
				(unsigned long long)(at[k + 1][2] - at[k][2]));
	}
	HT_OK(t, hsl_segment_free(s));
}

const struct ht_test ht_tests_ctf[] = {
	{ "HEP-CTF-001", "ctf_found", "capability and DVSEC agree; the page is locked, and opens with the key", found,
	  HT_F_BAR, 0 },
	{ "HEP-CTF-001", "ctf_opened_once", "who claims a facility has one, for one user at a time", opened_once, 0, 0 },
	{ "HEP-CTF-002", "ctf_locked_again", "leaving test mode ends all that was armed", locked_again,
	  HT_F_TWO_CHIPS | HT_F_LINK, 0 },
	{ "HEP-CTF-003", "ctf_bad_arguments", "a command that cannot be says so and changes nothing",
	  bad_arguments, HT_F_TWO_CHIPS, 0 },
	{ "HEP-CTF-004", "ctf_crc_errors", "armed CRC errors are counted, replayed, and harm nothing",
	  crc_errors, HT_F_TWO_CHIPS, 0 },
	{ "HEP-CTF-005", "ctf_flit_errors", "lost, doubled, late and reordered flits change no result",
	  flit_errors, HT_F_TWO_CHIPS, 0 },
	{ "HEP-CTF-005", "ctf_random_errors", "nor does a bad wire", random_errors, HT_F_TWO_CHIPS, 0 },
	{ "HEP-CTF-006", "ctf_frozen_credits", "credits that are kept back are missing, in their channel only",
	  frozen_credits, HT_F_TWO_CHIPS, 0 },
	{ "HEP-CTF-007", "ctf_captured", "a capture has what was sent and received, in order", captured,
	  HT_F_TWO_CHIPS, 0 },
	{ "HEP-LNK-006", "lnk_replays", "a flit that is lost is sent again, without anything behind it", replays,
	  HT_F_TWO_CHIPS, 0 },
	{ "HEP-PHY-001", "phy_edges", "both ends change their state along the edges of the state machine", phy_edges,
	  HT_F_TWO_CHIPS | HT_F_LINK, 0 },
	{ "HEP-PHY-002", "phy_widths", "the widest of x16, x8, x4, x1 that works, whichever lanes fail", lanes_fail,
	  HT_F_TWO_CHIPS, 0 },
	{ "HEP-PHY-003", "phy_recovery", "what was under way when a link retrains arrives, once", recovery,
	  HT_F_TWO_CHIPS, 0 },
	{ "HEP-CTF-008", "ctf_state_log", "the log follows the edges of the state machine", state_log,
	  HT_F_TWO_CHIPS, 0 },
	{ "HEP-CTF-009", "ctf_raw_flits", "impossible flits are refused and change nothing", raw_flits,
	  HT_F_TWO_CHIPS, 0 },
	{ "HEP-CTF-010", "ctf_poisoned_line", "poison reaches who loads the line, and nobody else",
	  poisoned_line, HT_F_TWO_CHIPS, 0 },
	{ "HEP-CTF-011", "ctf_sequence_wraps", "preset sequence numbers wrap without loss", sequence_wraps,
	  HT_F_TWO_CHIPS | HT_F_LINK, 0 },
	{ "HEP-CTF-012", "ctf_lanes_fail", "a link goes on with the lanes that are left", lanes_fail,
	  HT_F_TWO_CHIPS, 0 },
	{ "HEP-LNK-009", "lnk_max_stays", "a link with a failed lane is narrower, and what its ends can is the same", max_stays,
	  HT_F_TWO_CHIPS, 0 },
	{ "HEP-CTF-012", "ctf_disabled", "a disabled link answers for what it carried, and comes back",
	  disabled, HT_F_TWO_CHIPS | HT_F_LINK, 0 },
	{ "HEP-RAS-006", "counters_grow", "counters grow or stay", counters_grow, 0, 0 },
	{ "HEP-RAS-006", "counters_survive_reset", "also over FLR", counters_survive_reset,
	  HT_F_BAR | HT_F_RESET, 0 },
	{ "HEP-RAS-007", "packets_conserved", "packets sent at one end are those taken at the other",
	  packets_conserved, 0, 0 },
	{ "HEP-RAS-008", "miss_then_hit", "a first load is a miss, the next one a hit", miss_then_hit, 0, 0 },
	{ 0 }
};
