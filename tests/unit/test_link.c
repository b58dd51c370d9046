// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Link layer (HEP-LNK-004 to 007): two ends and a wire that loses, doubles, damages and delays, all
 * packets compared with what was sent; then each rule by itself, and flits nobody honest sends.
 */
#include "model_test.h"
#include "model/link.h"

#define SENT_MAX	4096	/* packets of one direction and channel under way or queued */
#define HELD_MAX	64
#define LATE_MAX	8
#define PS_FLIT		1000u

struct sent {
	struct hsl_pkt p[SENT_MAX];
	uint32_t head, count;
};

/* One direction. A flit that is `late` comes out behind so many of those that enter after it. */
struct wire {
	struct hsl_flit out[HELD_MAX];
	uint32_t outs;
	struct hsl_flit held[HELD_MAX];
	uint32_t late[HELD_MAX], helds;
};

struct rig {
	struct hsl_link_cfg cfg;
	struct hsl_link *end[2];
	struct wire wire[2];		/* from end i */
	struct sent sent[2][HSL_VC_COUNT];
	uint64_t now, flits, packets, retrains;
	uint32_t errors;		/* per 1000 flits, of each kind */
};

static struct hsl_link_cfg plain_cfg(void)
{
	struct hsl_link_cfg cfg = {
		.seq_bits = 12, .replay_flits = 64, .reorder = 0, .ack_ps = 4 * PS_FLIT,
		.replay_ps = 100 * PS_FLIT, .replay_rounds = 4,
	};

	for (unsigned int vc = 0; vc < HSL_VC_COUNT; vc++)
		cfg.rx_slots[vc] = cfg.tx_slots[vc] = 24;
	return cfg;
}

static struct hsl_link *link_new(const struct hsl_link_cfg *cfg)
{
	size_t bytes = hsl_link_size(cfg);
	struct hsl_link *l = malloc(bytes ? bytes : 1);

	assert_non_null(l);
	assert_null(hsl_link_check(cfg));
	memset(l, 0xa5, bytes);		/* init must not rely on clean memory */
	assert_int_equal(hsl_link_init(l, cfg, cfg), 0);
	return l;
}

static struct rig *rig_new(const struct hsl_link_cfg *cfg)
{
	struct rig *r = calloc(1, sizeof(*r));

	assert_non_null(r);
	r->cfg = *cfg;
	for (int i = 0; i < 2; i++)
		r->end[i] = link_new(cfg);
	return r;
}

static void rig_free(struct rig *r)
{
	for (int i = 0; i < 2; i++)
		free(r->end[i]);
	free(r);
}

static const uint8_t opcodes[] = {
	HSL_PKT_AUTH, HSL_PKT_READ, HSL_PKT_WRITE, HSL_PKT_ATOMIC, HSL_PKT_READ_S, HSL_PKT_READ_U,
	HSL_PKT_UPGRADE, HSL_PKT_WRITE_BACK, HSL_PKT_SNP_S, HSL_PKT_SNP_U, HSL_PKT_SNP_I,
	HSL_PKT_SNP_C, HSL_PKT_RSP, HSL_PKT_RSP_DATA, HSL_PKT_COMP, HSL_PKT_GO, HSL_PKT_RETRY,
	HSL_PKT_GRANT, HSL_PKT_ACK, HSL_PKT_SNP_RSP, HSL_PKT_SNP_DATA, HSL_PKT_WR_DATA,
};

static struct hsl_pkt packet(unsigned int opcode)
{
	struct hsl_pkt p;

	memset(&p, 0, sizeof(p));
	p.u.h.opcode = (uint8_t)opcode;
	p.u.h.tag = (uint16_t)rng();
	p.u.h.src = (uint16_t)rng();
	p.u.h.dst = (uint16_t)rng();
	p.u.h.addr = (rng() & UINT64_C(0x00ffffffffffffc0));
	if (opcode == HSL_PKT_ATOMIC) {
		p.u.atomic.len = 8;
		p.u.atomic.arg0 = rng();
	}
	if (opcode == HSL_PKT_AUTH)
		p.u.req.key = rng();
	if (hsl_pkt_vc(opcode) == HSL_VC_DAT) {
		uint8_t *data = opcode == HSL_PKT_WR_DATA ? p.u.wr.data : p.u.data.data;

		for (unsigned int i = 0; i < HSL_LINE_BYTES; i++)
			data[i] = (uint8_t)rng();
	}
	return p;
}

static bool same(const struct hsl_pkt *a, const struct hsl_pkt *b)
{
	return !memcmp(a, b, hsl_pkt_slots(a->u.h.opcode) * (size_t)HSL_SLOT_BYTES);
}

static bool rig_send(struct rig *r, int i, unsigned int opcode)
{
	struct hsl_pkt p = packet(opcode);
	struct sent *s = &r->sent[i][hsl_pkt_vc(opcode)];
	int rc = hsl_link_send(r->end[i], &p);

	if (rc) {
		assert_int_equal(rc, -EAGAIN);
		return false;
	}
	assert_true(s->count < SENT_MAX);
	s->p[(s->head + s->count++) % SENT_MAX] = p;
	return true;
}

/* Everything that end i has of a channel, against what was sent. */
static unsigned int rig_recv(struct rig *r, int i, uint32_t vc)
{
	struct sent *s = &r->sent[!i][vc];
	struct hsl_pkt p, peeked;
	unsigned int n = 0;

	while (hsl_link_peek(r->end[i], vc, &peeked)) {
		assert_int_equal(hsl_link_recv(r->end[i], vc, &p), 1);
		assert_memory_equal(&p, &peeked, sizeof(p));
		assert_true(s->count > 0);
		assert_true(same(&s->p[s->head], &p));
		s->head = (s->head + 1) % SENT_MAX;
		s->count--;
		r->packets++;
		n++;
	}
	return n;
}

static void wire_out(struct wire *w, const struct hsl_flit *f)
{
	assert_true(w->outs < HELD_MAX);
	w->out[w->outs++] = *f;
}

static void wire_hold(struct wire *w, const struct hsl_flit *f, uint32_t late)
{
	assert_true(w->helds < HELD_MAX);
	w->held[w->helds] = *f;
	w->late[w->helds++] = late;
}

static void wire_release(struct wire *w, uint32_t places)
{
	uint32_t kept = 0;

	for (uint32_t k = 0; k < w->helds; k++) {
		if (w->late[k] <= places) {
			wire_out(w, &w->held[k]);
		} else {
			w->held[kept] = w->held[k];
			w->late[kept++] = w->late[k] - places;
		}
	}
	w->helds = kept;
}

static bool happens(struct rig *r)
{
	return rng_below(1000) < r->errors;
}

static void wire_put(struct rig *r, int i, struct hsl_flit f)
{
	struct wire *w = &r->wire[i];
	bool lost = happens(r), late = r->cfg.reorder && happens(r);

	if (happens(r)) {		/* twice */
		if (r->cfg.reorder)
			wire_hold(w, &f, 1 + rng_below(r->cfg.reorder) + 1);
		else
			wire_out(w, &f);
	}
	if (happens(r))
		((uint8_t *)&f)[rng_below(HSL_FLIT_BYTES)] ^= (uint8_t)(1 + rng_below(255));
	if (late && !lost)
		wire_hold(w, &f, 1 + rng_below(r->cfg.reorder) + 1);
	else if (!lost)
		wire_out(w, &f);
	wire_release(w, 1);
}

static void rig_tx(struct rig *r, int i)
{
	struct hsl_flit f;

	if (hsl_link_tx(r->end[i], r->now, &f)) {
		assert_true(hsl_flit_check(&f));
		r->flits++;
		wire_put(r, i, f);
	}
}

static void rig_deliver(struct rig *r, int i)
{
	struct wire *w = &r->wire[i];

	for (uint32_t k = 0; k < w->outs; k++)
		hsl_link_rx(r->end[!i], r->now, &w->out[k]);
	w->outs = 0;
}

static void rig_audit(struct rig *r)
{
	const char *what = hsl_link_audit(r->end[0], r->end[1]);

	if (what)
		fail_msg("%s", what);
}

static void rig_timers(struct rig *r)
{
	bool retrain = false;

	for (int i = 0; i < 2; i++)
		if (hsl_link_deadline(r->end[i]) <= r->now && hsl_link_timer(r->end[i], r->now))
			retrain = true;
	if (!retrain)
		return;
	r->retrains++;
	for (int i = 0; i < 2; i++)
		hsl_link_retrained(r->end[i], r->now);
}

/* A flit time: each end may send one flit, and flits arrive. */
static void rig_step(struct rig *r)
{
	r->now += PS_FLIT;
	rig_timers(r);
	for (int i = 0; i < 2; i++)
		rig_tx(r, i);
	for (int i = 0; i < 2; i++)
		if (rng_below(4))	/* else they wait on the wire */
			rig_deliver(r, i);
	rig_audit(r);
}

static void rig_flush(struct rig *r)
{
	for (int i = 0; i < 2; i++) {
		wire_release(&r->wire[i], UINT32_MAX);
		rig_deliver(r, i);
	}
}

/* No more errors: everything arrives. */
static void rig_drain(struct rig *r)
{
	bool quiet = false;

	r->errors = 0;
	for (int n = 0; n < 100000 && !quiet; n++) {
		rig_step(r);
		rig_flush(r);
		for (int i = 0; i < 2; i++)
			for (uint32_t vc = 0; vc < HSL_VC_COUNT; vc++)
				rig_recv(r, i, vc);
		quiet = hsl_link_quiet(r->end[0]) && hsl_link_quiet(r->end[1]);
	}
	assert_true(quiet);
	rig_audit(r);
	for (int i = 0; i < 2; i++)
		for (uint32_t vc = 0; vc < HSL_VC_COUNT; vc++)
			assert_int_equal(r->sent[i][vc].count, 0);
}

static struct hsl_link_stats stats(const struct hsl_link *l)
{
	struct hsl_link_stats s;

	hsl_link_stats(l, &s);
	return s;
}

/* ---- configuration ---- */

static void test_check(void **state)
{
	struct hsl_link_cfg ok = plain_cfg(), c;

	(void)state;
	assert_null(hsl_link_check(&ok));
#define REFUSED(change)	(c = ok, change, assert_non_null(hsl_link_check(&c)), \
			 assert_int_equal(hsl_link_size(&c), 0))
#define TAKEN(change)	(c = ok, change, assert_null(hsl_link_check(&c)))
	REFUSED(c.seq_bits = 1);
	REFUSED(c.seq_bits = 13);
	REFUSED(c.replay_flits = 0);
	TAKEN(c.replay_flits = 4095);
	REFUSED(c.replay_flits = 4096);
	TAKEN((c.replay_flits = 819, c.reorder = 4));
	REFUSED((c.replay_flits = 820, c.reorder = 4));
	REFUSED(c.reorder = UINT32_MAX);
	REFUSED(c.rx_slots[3] = 0);
	TAKEN(c.rx_slots[3] = 127);
	REFUSED(c.rx_slots[3] = 128);
	TAKEN((c.rx_slots[3] = 127 * 256 + 255, c.rx_slots[0] = c.rx_slots[1] = c.rx_slots[2] = c.rx_slots[4] = 256,
	       c.credit_shift = 8));
	REFUSED((c.rx_slots[3] = 128 * 256, c.rx_slots[0] = c.rx_slots[1] = c.rx_slots[2] = c.rx_slots[4] = 256,
		 c.credit_shift = 8));
	REFUSED((c.rx_slots[3] = 15, c.credit_shift = 4));
	REFUSED(c.credit_shift = 9);
	TAKEN((c.rx_slots[3] = 85, c.reorder = 2));
	REFUSED((c.rx_slots[3] = 86, c.reorder = 2));
	REFUSED(c.tx_slots[0] = 0);
	REFUSED(c.tx_slots[0] = 65536);
	REFUSED(c.replay_ps = 0);
	REFUSED(c.replay_rounds = 0);
	TAKEN(c.ack_ps = 0);
	c = ok;
	c.reorder = 1;			/* ends that do not fit each other */
	assert_int_equal(hsl_link_init(NULL, &ok, &c), -EINVAL);
	c = ok;
	c.seq_bits = 11;
	assert_int_equal(hsl_link_init(NULL, &ok, &c), -EINVAL);
	c = ok;
	c.credit_shift = 1;
	assert_int_equal(hsl_link_init(NULL, &ok, &c), -EINVAL);
}

/* ---- transfer ---- */

static void test_every_packet(void **state)
{
	struct hsl_link_cfg cfg = plain_cfg();
	struct rig *r = rig_new(&cfg);
	struct hsl_link_stats s;

	(void)state;
	rng_seed();
	for (int round = 0; round < 40; round++) {
		for (unsigned int k = 0; k < sizeof(opcodes); k++) {
			int i = (int)rng_below(2);

			while (!rig_send(r, i, opcodes[k]))
				rig_drain(r);
		}
	}
	rig_drain(r);
	assert_int_equal(r->packets, 40 * sizeof(opcodes));
	for (int i = 0; i < 2; i++) {
		s = stats(r->end[i]);
		assert_int_equal(s.rx_bad + s.rx_duplicate + s.rx_gap + s.rx_impossible, 0);
		assert_int_equal(s.replays + s.retrains + s.tx_naks, 0);
		for (uint32_t vc = 0; vc < HSL_VC_COUNT; vc++)
			assert_int_equal(hsl_link_credits(r->end[i], vc), cfg.rx_slots[vc]);
	}
	rig_free(r);
}

/* Whole packets, one after the other, channels in turn, as many flits as it takes. */
static void test_packing(void **state)
{
	static const struct { uint8_t vc, slots, starts; } expected[] = {
		{ HSL_VC_REQ, 2, 1 }, { HSL_VC_DAT, 6, 1 }, { HSL_VC_REQ, 1, 1 },
		{ HSL_VC_DAT, 5, 1 },	/* the first flit ends here */
		{ HSL_VC_DAT, 1, 0 }, { HSL_VC_DAT, 6, 1 },
	};
	struct hsl_link_cfg cfg = plain_cfg();
	struct hsl_link *l = link_new(&cfg);
	struct hsl_pkt p;
	struct hsl_flit f;
	unsigned int slot = 14;

	(void)state;
	p = packet(HSL_PKT_WR_DATA);
	for (int i = 0; i < 3; i++)
		assert_int_equal(hsl_link_send(l, &p), 0);
	p = packet(HSL_PKT_AUTH);
	assert_int_equal(hsl_link_send(l, &p), 0);
	p = packet(HSL_PKT_READ);
	assert_int_equal(hsl_link_send(l, &p), 0);
	for (unsigned int k = 0; k < sizeof(expected) / sizeof(expected[0]); k++) {
		for (unsigned int n = 0; n < expected[k].slots; n++, slot++) {
			if (slot == 14) {
				assert_int_equal(hsl_link_tx(l, 0, &f), 1);
				assert_true(hsl_flit_check(&f));
				slot = 0;
			}
			assert_int_equal((f.slot_map[slot / 2] >> 4 * (slot % 2)) & 0xf,
					 expected[k].vc | (n == 0 && expected[k].starts ? 8 : 0));
		}
	}
	for (; slot < 14; slot++)
		assert_int_equal((f.slot_map[slot / 2] >> 4 * (slot % 2)) & 0xf, 0xf);
	assert_int_equal(hsl_link_tx(l, 0, &f), 0);
	free(l);
}

static void run_with_errors(const struct hsl_link_cfg *cfg, uint32_t errors, uint64_t flits)
{
	struct rig *r = rig_new(cfg);
	struct hsl_link_stats a, b;

	while (r->flits < flits) {
		for (int i = 0; i < 2; i++) {
			for (unsigned int n = rng_below(4); n; n--)
				rig_send(r, i, opcodes[rng_below(sizeof(opcodes))]);
			if (rng_below(3))
				rig_recv(r, i, rng_below(HSL_VC_COUNT));
		}
		r->errors = errors;
		rig_step(r);
		if (!rng_below(5000))
			rig_drain(r);
	}
	rig_drain(r);
	a = stats(r->end[0]);
	b = stats(r->end[1]);
	print_message("# b %u W %u R %u: %llu flits, %llu packets, %llu bad, %llu gaps, %llu twice, "
		      "%llu NAKs, %llu replays, %llu trainings\n",
		      cfg->seq_bits, cfg->replay_flits, cfg->reorder,
		      (unsigned long long)r->flits, (unsigned long long)r->packets,
		      (unsigned long long)(a.rx_bad + b.rx_bad), (unsigned long long)(a.rx_gap + b.rx_gap),
		      (unsigned long long)(a.rx_duplicate + b.rx_duplicate),
		      (unsigned long long)(a.tx_naks + b.tx_naks),
		      (unsigned long long)(a.replays + b.replays), (unsigned long long)r->retrains);
	assert_true(r->packets > flits / 4);
	assert_int_equal(a.rx_impossible + b.rx_impossible, 0);
	if (errors)
		assert_true(a.rx_bad && a.rx_gap && a.rx_duplicate && a.tx_naks && a.replays);
	rig_free(r);
}

static void test_errors(void **state)
{
	struct hsl_link_cfg cfg = plain_cfg();

	(void)state;
	rng_seed();
	run_with_errors(&cfg, 20, 30000);
	cfg.reorder = LATE_MAX;
	run_with_errors(&cfg, 50, 30000);
	cfg.seq_bits = 6;		/* as tight as it may be */
	cfg.replay_flits = 7;
	run_with_errors(&cfg, 100, 30000);
	cfg.seq_bits = 2;
	cfg.reorder = 2;
	cfg.replay_flits = 1;
	run_with_errors(&cfg, 200, 20000);
	cfg.seq_bits = 3;
	cfg.replay_flits = 2;
	cfg.ack_ps = 0;
	for (unsigned int vc = 0; vc < HSL_VC_COUNT; vc++) {
		cfg.rx_slots[vc] = 6 + vc;
		cfg.tx_slots[vc] = 13;
	}
	run_with_errors(&cfg, 200, 30000);
	cfg.seq_bits = 12;
	cfg.reorder = 0;
	cfg.replay_flits = 4095;
	for (unsigned int vc = 0; vc < HSL_VC_COUNT; vc++) {
		cfg.rx_slots[vc] = 127;
		cfg.tx_slots[vc] = 200;
	}
	run_with_errors(&cfg, 5, 30000);
	run_with_errors(&cfg, 0, 10000);
	cfg.replay_flits = 4095 / (LATE_MAX + 1);	/* credits in units, as late as they may be */
	cfg.reorder = LATE_MAX;
	cfg.credit_shift = 3;
	for (unsigned int vc = 0; vc < HSL_VC_COUNT; vc++)
		cfg.rx_slots[vc] = vc ? 8 * (255 / (LATE_MAX + 1)) + 7 - vc : 6 + 7;
	run_with_errors(&cfg, 50, 30000);
	cfg.tell_units = 2;
	run_with_errors(&cfg, 50, 30000);
}

/* ---- each rule by itself ---- */

struct pair {
	struct hsl_link *a, *b;
};

static struct pair pair_new(const struct hsl_link_cfg *cfg)
{
	return (struct pair){ link_new(cfg), link_new(cfg) };
}

static void pair_free(struct pair *p)
{
	free(p->a);
	free(p->b);
}

static struct hsl_flit tx(struct hsl_link *l, uint64_t now)
{
	struct hsl_flit f;

	assert_int_equal(hsl_link_tx(l, now, &f), 1);
	return f;
}

static void tx_nothing(struct hsl_link *l, uint64_t now)
{
	struct hsl_flit f;

	assert_int_equal(hsl_link_tx(l, now, &f), 0);
}

static struct hsl_flit tx_new(struct hsl_link *l, uint64_t now, unsigned int opcode)
{
	struct hsl_pkt p = packet(opcode);

	assert_int_equal(hsl_link_send(l, &p), 0);
	return tx(l, now);
}

#define TYPE(f)	((f).hdr >> 12)
#define NUMBER(f) ((f).hdr & 0xfff)
#define NAK	(1u << 12)
#define VALID	(1u << 13)

/* Acknowledgements wait for data, but not longer than they may. */
static void test_acknowledge(void **state)
{
	struct hsl_link_cfg cfg = plain_cfg();
	struct pair p = pair_new(&cfg);
	struct hsl_flit f;

	(void)state;
	tx_nothing(p.a, 0);
	assert_int_equal(hsl_link_deadline(p.a), UINT64_MAX);
	assert_true(hsl_link_quiet(p.a));
	f = tx_new(p.a, 500, HSL_PKT_READ);
	assert_int_equal(TYPE(f), HSL_FLIT_DATA);
	assert_int_equal(NUMBER(f), 0);
	assert_int_equal(hsl_link_deadline(p.a), 500 + cfg.replay_ps);
	hsl_link_rx(p.b, 1000, &f);
	assert_int_equal(hsl_link_deadline(p.b), 1000 + cfg.ack_ps);
	assert_false(hsl_link_quiet(p.b));
	tx_nothing(p.b, 1000 + cfg.ack_ps - 1);
	f = tx(p.b, 1000 + cfg.ack_ps);
	assert_int_equal(TYPE(f), HSL_FLIT_IDLE);
	assert_int_equal(f.ack, VALID | 1);
	assert_int_equal(f.credits[HSL_VC_REQ], 0);
	hsl_link_rx(p.a, 9000, &f);
	assert_true(hsl_link_quiet(p.a));
	assert_int_equal(hsl_link_deadline(p.a), UINT64_MAX);
	assert_int_equal(hsl_link_credits(p.a, HSL_VC_REQ), 23);
	/* taken: the credit goes back; with data at once */
	assert_int_equal(hsl_link_recv(p.b, HSL_VC_REQ, &(struct hsl_pkt){ 0 }), 1);
	assert_int_equal(hsl_link_deadline(p.b), 0);
	tx_nothing(p.b, 20000);
	assert_int_equal(hsl_link_deadline(p.b), 20000 + cfg.ack_ps);
	f = tx_new(p.b, 20001, HSL_PKT_GO);
	assert_int_equal(TYPE(f), HSL_FLIT_DATA);
	assert_int_equal(f.credits[HSL_VC_REQ], 1);
	hsl_link_rx(p.a, 20500, &f);
	assert_int_equal(hsl_link_credits(p.a, HSL_VC_REQ), 24);
	tx_nothing(p.b, 20001 + cfg.ack_ps);
	pair_free(&p);
}

/* HEP-LNK-007 */
static void test_one_nak(void **state)
{
	struct hsl_link_cfg cfg = plain_cfg();
	struct pair p = pair_new(&cfg);
	struct hsl_flit f[4], nak, idle;

	(void)state;
	for (int i = 0; i < 4; i++)
		f[i] = tx_new(p.a, 0, HSL_PKT_READ);
	hsl_link_rx(p.b, 0, &f[1]);		/* f[0] is lost */
	nak = tx(p.b, 0);
	assert_int_equal(nak.ack, VALID | NAK | 0);
	hsl_link_rx(p.b, 0, &f[2]);
	f[3].slot[0][3] ^= 1;			/* damaged */
	hsl_link_rx(p.b, 0, &f[3]);
	tx_nothing(p.b, 0);
	assert_int_equal(stats(p.b).tx_naks, 1);
	hsl_link_rx(p.a, 0, &nak);
	for (uint32_t i = 0; i < 4; i++) {
		f[i] = tx(p.a, 0);
		assert_int_equal(NUMBER(f[i]), i);
	}
	hsl_link_rx(p.b, 0, &f[0]);
	hsl_link_rx(p.b, 0, &f[1]);
	hsl_link_rx(p.b, 0, &f[3]);		/* f[2] is lost: another one */
	nak = tx(p.b, 0);
	assert_int_equal(nak.ack, VALID | NAK | 2);
	hsl_link_rx(p.a, 0, &nak);
	f[2] = tx(p.a, 0);
	assert_int_equal(NUMBER(f[2]), 2);
	assert_int_equal(NUMBER(tx(p.a, 0)), 3);
	tx_nothing(p.a, 0);
	/* the last one is lost, and an idle flit tells */
	hsl_link_rx(p.b, 0, &f[2]);
	f[0] = tx_new(p.b, 0, HSL_PKT_GO);
	hsl_link_rx(p.a, 0, &f[0]);
	idle = tx(p.a, cfg.ack_ps);
	assert_int_equal(TYPE(idle), HSL_FLIT_IDLE);
	assert_int_equal(NUMBER(idle), 4);
	hsl_link_rx(p.b, cfg.ack_ps, &idle);
	nak = tx(p.b, cfg.ack_ps);
	assert_int_equal(nak.ack, VALID | NAK | 3);
	pair_free(&p);
}

/* A duplicate is dropped, and acknowledged again. */
static void test_duplicate(void **state)
{
	struct hsl_link_cfg cfg = plain_cfg();
	struct pair p = pair_new(&cfg);
	struct hsl_flit f = tx_new(p.a, 0, HSL_PKT_READ);
	struct hsl_pkt got;

	(void)state;
	hsl_link_rx(p.b, 0, &f);
	tx(p.b, cfg.ack_ps);			/* lost */
	hsl_link_rx(p.b, cfg.ack_ps, &f);
	f = tx(p.b, 2 * cfg.ack_ps);
	assert_int_equal(f.ack, VALID | 1);
	assert_int_equal(hsl_link_recv(p.b, HSL_VC_REQ, &got), 1);
	assert_int_equal(hsl_link_recv(p.b, HSL_VC_REQ, &got), 0);
	assert_int_equal(stats(p.b).rx_duplicate, 1);
	pair_free(&p);
}

/* HEP-LNK-006 */
static void test_replay_rounds(void **state)
{
	struct hsl_link_cfg cfg = plain_cfg();
	struct pair p = pair_new(&cfg);
	uint64_t now = 0;
	struct hsl_flit f;

	(void)state;
	tx_new(p.a, now, HSL_PKT_READ);
	tx_new(p.a, now, HSL_PKT_READ);
	for (uint32_t round = 1; round <= cfg.replay_rounds; round++) {
		assert_int_equal(hsl_link_deadline(p.a), now + cfg.replay_ps);
		assert_false(hsl_link_timer(p.a, now + cfg.replay_ps - 1));
		tx_nothing(p.a, now + cfg.replay_ps - 1);
		now += cfg.replay_ps;
		assert_false(hsl_link_timer(p.a, now));
		assert_int_equal(NUMBER(tx(p.a, now)), 0);
		now += 10;			/* the time runs from the last flit of a replay */
		f = tx(p.a, now);
		assert_int_equal(NUMBER(f), 1);
		tx_nothing(p.a, now);
		assert_int_equal(stats(p.a).replays, round);
	}
	assert_true(hsl_link_timer(p.a, now + cfg.replay_ps));
	assert_int_equal(hsl_link_deadline(p.a), UINT64_MAX);
	assert_true(hsl_link_timer(p.a, now + cfg.replay_ps + 1));	/* until it is done */
	assert_int_equal(stats(p.a).retrains, 1);
	now += 1000000;
	hsl_link_retrained(p.a, now);
	hsl_link_retrained(p.b, now);
	f = tx(p.a, now);
	assert_int_equal(NUMBER(f), 0);
	hsl_link_rx(p.b, now, &f);
	f = tx(p.b, now);			/* says where it is at once */
	assert_int_equal(f.ack, VALID | 1);
	assert_int_equal(NUMBER(tx(p.a, now)), 1);
	/* progress: the count of rounds begins anew */
	for (uint32_t round = 0; round < cfg.replay_rounds; round++) {
		now += cfg.replay_ps;
		assert_false(hsl_link_timer(p.a, now));
		tx(p.a, now);
		tx(p.a, now);
	}
	hsl_link_rx(p.a, now, &f);
	for (uint32_t round = 0; round < cfg.replay_rounds; round++) {
		now += cfg.replay_ps;
		assert_false(hsl_link_timer(p.a, now));
		assert_int_equal(NUMBER(tx(p.a, now)), 1);
		tx_nothing(p.a, now);
	}
	assert_true(hsl_link_timer(p.a, now + cfg.replay_ps));
	pair_free(&p);
}

/* HEP-LNK-005: no more than there is room for; others go on; a lost count is asked for. */
static void test_credits(void **state)
{
	struct hsl_link_cfg cfg = plain_cfg();
	struct pair p = pair_new(&cfg);
	struct hsl_pkt data = packet(HSL_PKT_WR_DATA), got;
	struct hsl_flit f;
	uint64_t now = 0;

	(void)state;
	for (int i = 0; i < 4; i++)
		assert_int_equal(hsl_link_send(p.a, &data), 0);
	assert_int_equal(hsl_link_send(p.a, &data), -EAGAIN);
	while (hsl_link_tx(p.a, now, &f))
		hsl_link_rx(p.b, now, &f);
	assert_int_equal(hsl_link_credits(p.a, HSL_VC_DAT), 0);
	assert_int_equal(hsl_link_send(p.a, &data), 0);
	f = tx(p.b, cfg.ack_ps);
	hsl_link_rx(p.a, now, &f);
	tx_nothing(p.a, now);
	f = tx_new(p.a, now, HSL_PKT_GO);	/* another channel */
	assert_int_equal(stats(p.a).credit_stalls[HSL_VC_DAT], 1);
	hsl_link_rx(p.b, now, &f);
	now += cfg.ack_ps;
	f = tx(p.b, now);
	hsl_link_rx(p.a, now, &f);
	assert_int_equal(hsl_link_recv(p.b, HSL_VC_DAT, &got), 1);
	tx_nothing(p.b, now);
	now += cfg.ack_ps;
	f = tx(p.b, now);			/* tells the credit, and is lost */
	assert_int_equal(f.credits[HSL_VC_DAT], 6);
	assert_null(hsl_link_audit(p.a, p.b));
	assert_true(hsl_link_quiet(p.b) || hsl_link_peek(p.b, HSL_VC_DAT, &got));
	assert_int_equal(hsl_link_deadline(p.a), cfg.ack_ps + cfg.replay_ps);
	now = hsl_link_deadline(p.a);
	assert_false(hsl_link_timer(p.a, now));
	f = tx(p.a, now);
	assert_int_equal(TYPE(f), HSL_FLIT_CONTROL);
	hsl_link_rx(p.b, now, &f);
	f = tx(p.b, now);
	assert_int_equal(TYPE(f), HSL_FLIT_IDLE);
	hsl_link_rx(p.a, now, &f);
	assert_int_equal(hsl_link_credits(p.a, HSL_VC_DAT), 6);
	f = tx(p.a, now);
	assert_int_equal(TYPE(f), HSL_FLIT_DATA);
	assert_null(hsl_link_audit(p.a, p.b));
	pair_free(&p);
}

/* Both counters go around many times; a late count or acknowledgement is no new one. */
static void test_wrap_and_stale(void **state)
{
	struct hsl_link_cfg cfg = plain_cfg();
	struct pair p;
	struct hsl_flit f, old[2];
	struct hsl_pkt got;

	(void)state;
	cfg.seq_bits = 3;
	cfg.replay_flits = 2;
	cfg.reorder = 2;
	p = pair_new(&cfg);
	for (uint32_t i = 0; i < 3000; i++) {
		f = tx_new(p.a, i, HSL_PKT_WR_DATA);
		assert_int_equal(NUMBER(f), i % 8);
		hsl_link_rx(p.b, i, &f);
		assert_int_equal(hsl_link_recv(p.b, HSL_VC_DAT, &got), 1);
		f = tx(p.b, i + cfg.ack_ps);
		assert_int_equal(f.ack, VALID | ((i + 1) % 8));
		assert_int_equal(f.credits[HSL_VC_DAT], (i + 1) * 6 % 256);
		hsl_link_rx(p.a, i, &f);
		if (i > 1)
			hsl_link_rx(p.a, i, &old[i % 2]);	/* two places late */
		old[i % 2] = f;
		assert_int_equal(hsl_link_credits(p.a, HSL_VC_DAT), 24);
		assert_null(hsl_link_audit(p.a, p.b));
		assert_true(hsl_link_quiet(p.a));
	}
	pair_free(&p);
}

/* HEP-LNK-008: only whole units are told; enough of them at once, fewer with the acknowledgement. */
static void test_units(void **state)
{
	struct hsl_link_cfg cfg = plain_cfg();
	uint32_t told = 0;
	struct hsl_pkt got;
	struct hsl_flit f;
	struct pair p;

	(void)state;
	cfg.credit_shift = 3;
	cfg.tell_units = 2;
	for (uint32_t vc = 0; vc < HSL_VC_COUNT; vc++)
		cfg.rx_slots[vc] = 40;
	p = pair_new(&cfg);
	for (uint32_t i = 1; i <= 3000; i++) {
		f = tx_new(p.a, i, HSL_PKT_RSP_DATA);
		hsl_link_rx(p.b, i, &f);
		assert_int_equal(hsl_link_recv(p.b, HSL_VC_DAT, &got), 1);
		assert_null(hsl_link_audit(p.a, p.b));
		if (5 * i - told >= 16) {
			told = 5 * i / 8 * 8;
			f = tx(p.b, i);
			assert_int_equal(TYPE(f), HSL_FLIT_IDLE);
			assert_int_equal(f.credits[HSL_VC_DAT], told / 8 % 256);
			hsl_link_rx(p.a, i, &f);
		} else {
			tx_nothing(p.b, i);
		}
		assert_int_equal(hsl_link_credits(p.a, HSL_VC_DAT), 40 - (5 * i - told));
	}
	pair_free(&p);
}

static void test_reset(void **state)
{
	struct hsl_link_cfg cfg = plain_cfg();
	struct pair p = pair_new(&cfg);
	uint64_t fresh = hsl_link_hash(p.a, 0);
	struct hsl_flit f;
	struct hsl_pkt got;

	(void)state;
	for (int i = 0; i < 3; i++) {
		f = tx_new(p.a, 0, HSL_PKT_WR_DATA);
		hsl_link_rx(p.b, 0, &f);
	}
	f = tx_new(p.b, 0, HSL_PKT_GO);
	hsl_link_rx(p.a, 0, &f);
	assert_true(hsl_link_hash(p.a, 0) != fresh);
	hsl_link_reset(p.a);
	hsl_link_reset(p.b);
	assert_int_equal(hsl_link_hash(p.a, 77), fresh);
	assert_int_equal(hsl_link_hash(p.b, 0), fresh);
	assert_true(hsl_link_quiet(p.a) && hsl_link_quiet(p.b));
	assert_int_equal(hsl_link_recv(p.b, HSL_VC_DAT, &got), 0);
	assert_int_equal(hsl_link_credits(p.a, HSL_VC_DAT), 24);
	assert_int_equal(stats(p.a).tx_packets[HSL_VC_DAT], 3);
	f = tx_new(p.a, 0, HSL_PKT_READ);
	assert_int_equal(NUMBER(f), 0);
	hsl_link_rx(p.b, 0, &f);
	assert_int_equal(hsl_link_recv(p.b, HSL_VC_REQ, &got), 1);
	pair_free(&p);
}

/* A copy goes on like the original; a hash knows no absolute time and no history. */
static void test_snapshot(void **state)
{
	struct hsl_link_cfg cfg = plain_cfg();
	size_t bytes = hsl_link_size(&cfg);
	struct hsl_link *a = link_new(&cfg), *b = link_new(&cfg), *copy = malloc(bytes);
	struct hsl_pkt p = packet(HSL_PKT_WR_DATA);
	struct hsl_flit f, g;

	(void)state;
	assert_non_null(copy);
	assert_int_equal(hsl_link_send(a, &p), 0);
	assert_int_equal(hsl_link_send(b, &p), 0);
	f = tx(a, 100);
	g = tx(b, 900);
	assert_memory_equal(&f, &g, sizeof(f));
	assert_int_equal(hsl_link_hash(a, 200), hsl_link_hash(b, 1000));
	assert_true(hsl_link_hash(a, 200) != hsl_link_hash(b, 1001));
	memcpy(copy, a, bytes);
	assert_false(hsl_link_timer(a, 100 + cfg.replay_ps));
	assert_true(hsl_link_hash(a, 0) != hsl_link_hash(copy, 0));
	assert_false(hsl_link_timer(copy, 100 + cfg.replay_ps));
	f = tx(a, 1000000);
	g = tx(copy, 1000000);
	assert_memory_equal(&f, &g, sizeof(f));
	assert_int_equal(hsl_link_hash(a, 0), hsl_link_hash(copy, 0));
	free(a);
	free(b);
	free(copy);
}

static void test_arguments(void **state)
{
	struct hsl_link_cfg cfg = plain_cfg();
	struct hsl_link *l;
	struct hsl_pkt p = packet(HSL_PKT_READ), got;

	(void)state;
	cfg.rx_slots[HSL_VC_DAT] = 5;
	cfg.tx_slots[HSL_VC_REQ] = 2;
	l = link_new(&cfg);
	p.u.h.flags = 0x40;
	assert_int_equal(hsl_link_send(l, &p), -EINVAL);
	p = packet(HSL_PKT_WR_DATA);		/* never any room for it there */
	assert_int_equal(hsl_link_send(l, &p), -EINVAL);
	p = packet(HSL_PKT_ATOMIC);		/* nor for this one here */
	assert_int_equal(hsl_link_send(l, &p), -EINVAL);
	p = packet(HSL_PKT_RSP_DATA);
	assert_int_equal(hsl_link_send(l, &p), 0);
	assert_int_equal(hsl_link_recv(l, HSL_VC_COUNT, &got), 0);
	assert_int_equal(hsl_link_peek(l, UINT32_MAX, &got), 0);
	assert_int_equal(hsl_link_credits(l, HSL_VC_COUNT), 0);
	free(l);
}

/* ---- hostile flits ---- */

static void map_set(struct hsl_flit *f, unsigned int slot, unsigned int e)
{
	uint8_t *b = &f->slot_map[slot / 2];

	*b = (uint8_t)(slot % 2 ? (*b & 0x0f) | e << 4 : (*b & 0xf0) | e);
}

static struct hsl_flit empty_flit(void)
{
	struct hsl_flit f;

	memset(&f, 0, sizeof(f));
	memset(f.slot_map, 0xff, sizeof(f.slot_map));
	f.ack = VALID;
	return f;
}

/* A packet into slots from `slot` on, as far as it fits; returns the slot behind it. */
static unsigned int put(struct hsl_flit *f, unsigned int slot, const struct hsl_pkt *p,
			unsigned int vc, unsigned int slots)
{
	for (unsigned int i = 0; i < slots && slot < 14; i++, slot++) {
		map_set(f, slot, vc | (i ? 0 : 8));
		memcpy(f->slot[slot], p->u.slot[i], 16);
	}
	return slot;
}

/* Nothing of it counts, not even what it acknowledges, and the link asks for retraining. */
static void impossible(struct hsl_link *l, struct hsl_flit f, uint32_t number)
{
	uint64_t before = stats(l).rx_impossible;
	struct hsl_pkt p;

	hsl_flit_seal(&f, number, HSL_FLIT_DATA);
	assert_true(hsl_flit_check(&f));
	assert_false(hsl_link_timer(l, 0));
	hsl_link_rx(l, 0, &f);
	assert_int_equal(stats(l).rx_impossible, before + 1);
	assert_int_equal(hsl_link_deadline(l), 0);
	assert_true(hsl_link_timer(l, 0));
	for (uint32_t vc = 0; vc < HSL_VC_COUNT; vc++)
		assert_int_equal(hsl_link_peek(l, vc, &p), 0);
	hsl_link_retrained(l, 0);
	f = tx(l, 0);
	assert_int_equal(f.ack & 0xfff, number);
}

static void test_impossible(void **state)
{
	struct hsl_link_cfg cfg = plain_cfg();
	struct pair p = pair_new(&cfg);
	struct hsl_pkt read = packet(HSL_PKT_READ), data = packet(HSL_PKT_WR_DATA), odd, got;
	struct hsl_flit f;
	unsigned int at;

	(void)state;
	f = empty_flit();			/* the wrong channel for its opcode */
	put(&f, 0, &read, HSL_VC_RSP, 1);
	impossible(p.b, f, 0);
	odd = read;				/* a reserved opcode */
	odd.u.h.opcode = 0x7f;
	f = empty_flit();
	put(&f, 0, &odd, HSL_VC_REQ, 1);
	impossible(p.b, f, 0);
	odd = read;				/* a reserved flag */
	odd.u.h.flags = 0x80;
	f = empty_flit();
	put(&f, 0, &odd, HSL_VC_REQ, 1);
	impossible(p.b, f, 0);
	f = empty_flit();			/* cut short: by nothing, by another start */
	at = put(&f, 0, &read, HSL_VC_REQ, 1);
	put(&f, at, &data, HSL_VC_DAT, 5);
	impossible(p.b, f, 0);
	at = put(&f, at, &data, HSL_VC_DAT, 5);
	put(&f, at, &read, HSL_VC_REQ, 1);
	impossible(p.b, f, 0);
	f = empty_flit();			/* longer than it is */
	at = put(&f, 0, &data, HSL_VC_DAT, 6);
	map_set(&f, at, HSL_VC_DAT);
	impossible(p.b, f, 0);
	f = empty_flit();			/* goes on, and nothing began */
	map_set(&f, 0, HSL_VC_DAT);
	impossible(p.b, f, 0);

	/* a packet that ends in the flit behind, or does not */
	f = tx_new(p.a, 0, HSL_PKT_WR_DATA);
	hsl_link_rx(p.b, 0, &f);
	assert_int_equal(hsl_link_send(p.a, &data), 0);
	assert_int_equal(hsl_link_send(p.a, &data), 0);
	assert_int_equal(hsl_link_send(p.a, &data), 0);
	f = tx(p.a, 0);
	hsl_link_rx(p.b, 0, &f);		/* 14 slots: two packets and two slots */
	for (int i = 0; i < 3; i++)
		assert_int_equal(hsl_link_recv(p.b, HSL_VC_DAT, &got), 1);
	f = empty_flit();
	impossible(p.b, f, 2);
	put(&f, 0, &read, HSL_VC_REQ, 1);
	impossible(p.b, f, 2);
	f = empty_flit();
	for (unsigned int i = 0; i < 4; i++)
		map_set(&f, i, HSL_VC_SNP);
	impossible(p.b, f, 2);
	f = tx(p.a, 0);
	hsl_link_rx(p.b, 0, &f);
	assert_int_equal(hsl_link_recv(p.b, HSL_VC_DAT, &got), 1);
	assert_true(same(&got, &data));
	assert_null(hsl_link_audit(p.a, p.b));
	pair_free(&p);
}

/* More slots than credit: the receive buffer is never overrun. */
static void test_no_credit(void **state)
{
	struct hsl_link_cfg cfg = plain_cfg();
	struct hsl_link *l = link_new(&cfg);
	struct hsl_pkt read = packet(HSL_PKT_READ), got;
	struct hsl_flit f = empty_flit();
	unsigned int n = 0;

	(void)state;
	for (unsigned int i = 0; i < 12; i++)
		put(&f, i, &read, HSL_VC_REQ, 1);
	for (uint32_t k = 0; k < 3; k++) {
		hsl_flit_seal(&f, k, HSL_FLIT_DATA);
		hsl_link_rx(l, 0, &f);
	}
	assert_int_equal(stats(l).rx_impossible, 1);
	while (hsl_link_recv(l, HSL_VC_REQ, &got))
		n++;
	assert_int_equal(n, 24);
	free(l);
}

static struct hsl_flit random_flit(void)
{
	struct hsl_flit f = empty_flit();
	unsigned int slot = rng_below(3);

	for (unsigned int i = 0; i < slot; i++)
		map_set(&f, i, HSL_VC_DAT);	/* goes on */
	while (slot < 14 && rng_below(20)) {
		struct hsl_pkt p = packet(opcodes[rng_below(sizeof(opcodes))]);
		unsigned int vc = hsl_pkt_vc(p.u.h.opcode), n = hsl_pkt_slots(p.u.h.opcode);

		if (!rng_below(30))
			p.u.slot[rng_below(2)][rng_below(16)] = (uint8_t)rng();
		if (!rng_below(30))
			vc = rng_below(HSL_VC_COUNT);
		if (!rng_below(30))
			n = 1 + rng_below(7);
		slot = put(&f, slot, &p, vc, n < 6 ? n : 6);
	}
	f.ack = (uint16_t)(rng() & (rng_below(2) ? 0x3fff : 0x3007));
	for (unsigned int vc = 0; vc < HSL_VC_COUNT; vc++)
		f.credits[vc] = (uint8_t)(rng() & (rng_below(2) ? 0xff : 7));
	return f;
}

static void number_below(struct hsl_flit *f, uint32_t n)
{
	hsl_flit_seal(f, NUMBER(*f) % n, TYPE(*f));
}

/* Any bytes, and flits with the right CRC that say anything: what comes out is a packet. */
static void test_anything(void **state)
{
	struct hsl_link_cfg cfg = plain_cfg();
	uint64_t packets = 0, begun = 0;

	(void)state;
	rng_seed();
	cfg.seq_bits = 4;
	cfg.replay_flits = 7;
	cfg.reorder = 1;
	for (int round = 0; round < 200; round++) {
		struct hsl_link *l = link_new(&cfg);
		struct hsl_link_stats s;
		uint64_t now = 0;

		for (int i = 0; i < 500; i++) {
			struct hsl_flit f = random_flit(), out;
			struct hsl_pkt p = packet(opcodes[rng_below(sizeof(opcodes))]);

			if (rng_below(8)) {
				hsl_flit_seal(&f, rng_below(4) ? stats(l).rx_flits : (uint32_t)rng(),
					      rng_below(8) ? HSL_FLIT_DATA : rng_below(3));
				if (rng_below(50))
					number_below(&f, 16);
			} else {
				for (unsigned int b = 0; b < sizeof(f); b++)
					((uint8_t *)&f)[b] = (uint8_t)rng();
			}
			hsl_link_send(l, &p);
			hsl_link_tx(l, now, &out);
			hsl_link_rx(l, now, &f);
			hsl_link_hash(l, now);
			now += rng_below(20000);
			if (hsl_link_timer(l, now))
				hsl_link_retrained(l, now);
			for (uint32_t vc = 0; vc < HSL_VC_COUNT; vc++) {
				assert_true(hsl_link_credits(l, vc) <= cfg.rx_slots[vc]);
				if (rng_below(2) && hsl_link_recv(l, vc, &p)) {
					assert_null(hsl_pkt_check(&p));
					assert_int_equal(hsl_pkt_vc(p.u.h.opcode), vc);
					packets++;
				}
			}
		}
		s = stats(l);
		assert_true(s.rx_bad && s.rx_impossible);
		begun += s.tx_packets[HSL_VC_REQ];
		free(l);
	}
	assert_true(packets > 1000 && begun > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_check),
		cmocka_unit_test(test_every_packet),
		cmocka_unit_test(test_packing),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_acknowledge),
		cmocka_unit_test(test_one_nak),
		cmocka_unit_test(test_duplicate),
		cmocka_unit_test(test_replay_rounds),
		cmocka_unit_test(test_credits),
		cmocka_unit_test(test_wrap_and_stale),
		cmocka_unit_test(test_units),
		cmocka_unit_test(test_reset),
		cmocka_unit_test(test_snapshot),
		cmocka_unit_test(test_arguments),
		cmocka_unit_test(test_impossible),
		cmocka_unit_test(test_no_credit),
		cmocka_unit_test(test_anything),
	};

	return cmocka_run_group_tests_name("link", tests, NULL, NULL);
}
