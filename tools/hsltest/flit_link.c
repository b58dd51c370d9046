/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The tester's end of a link, from flits to packets (docs/hep.md section 8.3), and what crossed as a capture.
 *
 * It acknowledges at once, never holds back what it could send, and takes from the device whatever has a right CRC: what else is wrong
 * with a flit is judged by trace.c, and is no reason to lose sight of all the rest. The capture is the one that the device's end would
 * make: its flits as sent, ours as received, by the times there.
 */
#include <stdlib.h>
#include <unistd.h>

#include "flit_priv.h"

#define REPLAY_PS (20 * FE_US)
#define UNDER_WAY 128u /* flits at a time: what waits at the device's end to arrive has bounds too */
#define ACK_NAK (1u << 12)
#define ACK_VALID (1u << 13)
#define EMPTY 15u
#define START 8u

unsigned int fe_pkt_slots(uint8_t opcode)
{
	switch (opcode) {
	case HSL_PKT_AUTH:
	case HSL_PKT_SNP_S:
	case HSL_PKT_SNP_U:
	case HSL_PKT_SNP_I:
	case HSL_PKT_SNP_C: return 2;
	case HSL_PKT_ATOMIC: return 3;
	case HSL_PKT_RSP_DATA:
	case HSL_PKT_SNP_DATA: return 5;
	case HSL_PKT_WR_DATA: return 6;
	default: return 1;
	}
}

unsigned int fe_pkt_vc(uint8_t opcode)
{
	switch (opcode) {
	case HSL_PKT_SNP_S:
	case HSL_PKT_SNP_U:
	case HSL_PKT_SNP_I:
	case HSL_PKT_SNP_C: return HSL_VC_SNP;
	case HSL_PKT_RSP_DATA:
	case HSL_PKT_SNP_DATA:
	case HSL_PKT_WR_DATA: return HSL_VC_DAT;
	default: return opcode < HSL_PKT_RSP ? HSL_VC_REQ : HSL_VC_RSP;
	}
}

static uint32_t mask_of(const struct fe *e)
{
	return (1u << e->dut.seq_bits) - 1;
}

uint32_t fe_ahead(const struct fe *e, uint32_t from, uint32_t to)
{
	return (to - from) & mask_of(e);
}

void fe_link_reset(struct fe *e)
{
	e->next = e->acked = e->expected = e->told_expected = 0;
	memset(e->used, 0, sizeof(e->used));
	memset(e->heard, 0, sizeof(e->heard));
	memset(e->freed, 0, sizeof(e->freed));
	e->replay_ps = 0;
	e->nak_sent = e->say = e->say_nak = false;
	e->need = e->have = 0;
}

void fe_link_retrained(struct fe *e)
{
	e->nak_sent = false;
	e->say = true;
	if (!e->no_replay)
		fe_again(e, e->acked);
}

/* ---- out ---- */

static void set_entry(struct hsl_flit *f, unsigned int slot, unsigned int entry)
{
	uint8_t *b = &f->slot_map[slot / 2];

	*b = (uint8_t)(slot % 2 ? (*b & 0x0f) | entry << 4 : (*b & 0xf0) | entry);
}

static unsigned int entry_of(const struct hsl_flit *f, unsigned int slot)
{
	return f->slot_map[slot / 2] >> (slot % 2 * 4) & 15;
}

void fe_seal(struct hsl_flit *f)
{
	const uint64_t crc = ht_crc64(f, offsetof(struct hsl_flit, crc));

	memcpy(f->crc, &crc, sizeof(crc));
}

/* What every flit says, and its CRC. */
static void finish(struct fe *e, struct hsl_flit *f, uint32_t number, uint32_t type, bool nak)
{
	if (!e->hold_ack)
		e->told_expected = e->expected;
	f->hdr = (uint16_t)(number | type << HSL_FLIT_SEQ_BITS);
	f->ack = (uint16_t)(e->told_expected | ACK_VALID | (nak ? ACK_NAK : 0));
	for (unsigned int vc = 0; vc < HSL_VC_COUNT; vc++)
		f->credits[vc] = (uint8_t)(e->freed[vc] >> e->dut.credit_shift);
	fe_seal(f);
}

void fe_raw(struct fe *e, const struct hsl_flit *f)
{
	fe_flit_leaves(e, f);
}

void fe_idle(struct fe *e, bool nak)
{
	struct hsl_flit f = { 0 };

	memset(f.slot_map, 0xff, sizeof(f.slot_map));
	finish(e, &f, e->next, HSL_FLIT_IDLE, nak);
	fe_flit_leaves(e, &f);
}

static bool has_credit(const struct fe *e, const union fe_pkt *p, unsigned int n)
{
	uint32_t need[HSL_VC_COUNT] = { 0 };

	for (unsigned int i = 0; i < n; i++)
		need[fe_pkt_vc(p[i].h.opcode)] += fe_pkt_slots(p[i].h.opcode);
	for (unsigned int vc = 0; vc < HSL_VC_COUNT; vc++) {
		if (need[vc] && e->used[vc] + need[vc] - (e->heard[vc] << e->dut.credit_shift) > e->dut.rx_slots[vc])
			return false;
	}
	return e->state == HSL_LTSSM_L0 && fe_ahead(e, e->acked, e->next) < (e->own.replay_flits < UNDER_WAY ? e->own.replay_flits : UNDER_WAY);
}

void fe_build(struct fe *e, struct hsl_flit *f, const union fe_pkt *p, unsigned int n, bool commit)
{
	unsigned int at = 0;

	memset(f, 0, sizeof(*f));
	memset(f->slot_map, 0xff, sizeof(f->slot_map));
	for (unsigned int i = 0; i < n; i++) {
		const unsigned int slots = fe_pkt_slots(p[i].h.opcode), vc = fe_pkt_vc(p[i].h.opcode);

		memcpy(f->slot[at], p[i].slot, slots * HSL_SLOT_BYTES);
		for (unsigned int k = 0; k < slots; k++)
			set_entry(f, at++, vc | (k ? 0 : START));
		if (commit)
			e->used[vc] += slots;
	}
	finish(e, f, e->next, HSL_FLIT_DATA, false);
	if (!commit)
		return;
	e->kept[e->next] = *f;
	e->next = (e->next + 1) & mask_of(e);
	if (!e->replay_ps && !e->no_replay)
		e->replay_ps = e->now_ps + REPLAY_PS;
}

void fe_send(struct fe *e, const union fe_pkt *p, unsigned int n)
{
	struct hsl_flit f;

	HT_TRUE(e->t, FE_WAIT(e, 20 * FE_MS, has_credit(e, p, n)),
		"no flit can be sent for 20 ms: link state %u, %u flits not acknowledged, of channel %u %u slots sent and %u told as freed", e->state,
		fe_ahead(e, e->acked, e->next), fe_pkt_vc(p->h.opcode), e->used[fe_pkt_vc(p->h.opcode)],
		e->heard[fe_pkt_vc(p->h.opcode)] << e->dut.credit_shift);
	fe_build(e, &f, p, n, true);
	fe_flit_leaves(e, &f);
	if (e->twice)
		fe_flit_leaves(e, &f);
}

void fe_again(struct fe *e, uint32_t from)
{
	for (uint32_t i = from; i != e->next; i = (i + 1) & mask_of(e)) {
		struct hsl_flit f = e->kept[i];

		finish(e, &f, i, HSL_FLIT_DATA, false);
		fe_flit_leaves(e, &f);
	}
}

void fe_replay(struct fe *e)
{
	e->replay_ps = 0;
	if (e->acked == e->next || e->no_replay || e->state != HSL_LTSSM_L0)
		return;
	fe_again(e, e->acked);
	e->replay_ps = e->now_ps + REPLAY_PS;
}

void fe_speak(struct fe *e)
{
	if (e->state != HSL_LTSSM_L0 || !(e->say || e->say_nak))
		return;
	fe_idle(e, e->say_nak);
	e->say = e->say_nak = false;
}

/* ---- in ---- */

static void whole(struct fe *e)
{
	e->freed[fe_pkt_vc(e->in.h.opcode)] += e->need;
	ht_progress(e->t);
	e->packets = fe_grow(e->packets, e->npackets, &e->packets_room, sizeof(*e->packets));
	e->packets[e->npackets].at_ps = e->now_ps;
	e->packets[e->npackets++].p = e->in;
}

static void take(struct fe *e, const struct hsl_flit *f)
{
	for (unsigned int i = 0; i < HSL_FLIT_SLOTS; i++) {
		const unsigned int entry = entry_of(f, i);

		if (entry == EMPTY)
			continue;
		if (entry & START) {
			memset(&e->in, 0, sizeof(e->in));
			e->have = 0;
			e->need = fe_pkt_slots(f->slot[i][0]);
		}
		if (!e->need)
			continue;
		memcpy(e->in.slot[e->have++], f->slot[i], HSL_SLOT_BYTES);
		if (e->have == e->need) {
			whole(e);
			e->need = 0;
		}
	}
}

static void missing(struct fe *e)
{
	if (!e->nak_sent)
		e->say_nak = true;
	e->nak_sent = true;
}

static void acknowledged(struct fe *e, uint16_t ack)
{
	const uint32_t number = ack & mask_of(e), n = fe_ahead(e, e->acked, number);

	if (!(ack & ACK_VALID) || n > fe_ahead(e, e->acked, e->next))
		return;
	e->acked = number;
	if (n) {
		e->replay_ps = e->acked == e->next || e->no_replay ? 0 : e->now_ps + REPLAY_PS;
		ht_progress(e->t);
	}
	if (!(ack & ACK_NAK))
		return;
	e->naks++;
	if (!e->no_replay)
		fe_again(e, e->acked);
}

static void credits(struct fe *e, const struct hsl_flit *f)
{
	for (unsigned int vc = 0; vc < HSL_VC_COUNT; vc++) {
		const uint32_t units = e->heard[vc] + (uint8_t)(f->credits[vc] - e->heard[vc]);

		if (units << e->dut.credit_shift <= e->used[vc])
			e->heard[vc] = units;
		else if (!e->excess++)
			snprintf(e->excess_text, sizeof(e->excess_text), "says that %u slots of channel %u are freed, of %u sent", units << e->dut.credit_shift, vc,
				 e->used[vc]);
	}
}

void fe_rx(struct fe *e, const struct hsl_flit *f)
{
	const uint32_t type = f->hdr >> HSL_FLIT_SEQ_BITS & 3, number = f->hdr & mask_of(e);
	const uint64_t crc = ht_crc64(f, offsetof(struct hsl_flit, crc));
	struct fe_seen *s;

	fe_record(e, e->now_ps - e->dut.latency_ps, true, HT_TRACE_FLIT, f, sizeof(*f));
	e->seen = fe_grow(e->seen, e->nseen, &e->seen_room, sizeof(*e->seen));
	s = &e->seen[e->nseen++];
	*s = (struct fe_seen){ .at_ps = e->now_ps, .number = f->hdr, .ack = f->ack };
	if (e->deaf || e->state != HSL_LTSSM_L0)
		return;
	if (memcmp(&crc, f->crc, sizeof(crc))) {
		missing(e);
		return;
	}
	if (type == HSL_FLIT_DATA && number == e->expected) {
		s->taken = true;
		e->expected = (e->expected + 1) & mask_of(e);
		e->nak_sent = false;
		take(e, f);
	} else if (fe_ahead(e, e->expected, number) && fe_ahead(e, e->expected, number) <= e->dut.replay_flits) {
		missing(e);
	}
	e->say |= (type == HSL_FLIT_DATA && !e->hold_ack) || type == HSL_FLIT_CONTROL;
	acknowledged(e, f->ack);
	credits(e, f);
}

/* ---- the capture ---- */

static int by_time(const void *a, const void *b)
{
	const struct fe_record *x = a, *y = b;

	if (x->time_ps != y->time_ps)
		return x->time_ps < y->time_ps ? -1 : 1;
	if (x->from_dut != y->from_dut) /* who says something at this time has heard what arrived then */
		return x->from_dut ? 1 : -1;
	return x->order < y->order ? -1 : 1;
}

static void record(struct ht_trace_out *o, const struct fe *e, const struct fe_record *r)
{
	const struct hsl_fs_hello *from = r->from_dut ? &e->dut : &e->own;
	const bool rx = !r->from_dut && r->kind == HT_TRACE_FLIT;
	struct ht_trace_raw raw = {
		.version = HT_TRACE_VERSION, .kind = r->kind, .flags = (uint8_t)((rx ? HT_TRACE_F_RX : 0) | e->dut.seq_bits << 4),
		.src = from->node, .dst = from->peer, .time_ps = r->time_ps,
	};

	memcpy(raw.body, r->body, sizeof(raw.body));
	ht_trace_put(o, r->from_dut || rx ? 0 : 1, &raw);
}

static void interface(struct ht_trace_out *o, const struct hsl_fs_hello *h)
{
	struct ht_trace_end end = { .node = h->node, .peer = h->peer, .seq_bits = h->seq_bits, .replay_flits = h->replay_flits, .credit_shift = h->credit_shift };

	for (unsigned int vc = 0; vc < HSL_VC_COUNT; vc++)
		end.rx_slots[vc] = h->rx_slots[vc];
	ht_trace_put_end(o, &end);
}

void fe_judge(struct fe *e, struct ht_trace_result *res)
{
	struct ht_trace_out o = { 0 };

	qsort(e->records, e->nrecords, sizeof(*e->records), by_time);
	interface(&o, &e->dut);
	interface(&o, &e->own);
	for (size_t i = 0; i < e->nrecords; i++)
		record(&o, e, &e->records[i]);
	if (ht_trace_check(o.p, o.len, false, res))
		HT_ERROR_TEST(e->t, "the suite's own capture: %s", res->error);
	free(o.p);
}
