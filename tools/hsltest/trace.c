/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What a capture of links shows of the requirements (docs/hep.md sections 8, 8.2, 8.3).
 *
 * A direction of a link is what one end, the speaker, sends to the other. Its flits may have been
 * captured as sent, as received, or both. As sent they are in order and undamaged, so everything is
 * checked; as received they tell what the receiver can know. Packets, and what the speaker says
 * about the other direction (next expected, slots freed), are taken as sent if there is that,
 * else as received.
 *
 * Nothing is known of what was before the capture: numbers are learnt from the first flit, and
 * slots are counted only where the beginning of a speaker was seen. A speaker that enters DETECT,
 * DISABLED or HOT_RESET begins anew; what one end says about the other is not judged until both are
 * in L0 again, and requests that were open then may end without an answer or have a late one.
 *
 * A request is followed where its requester's own link carries it, an answer where it reaches that
 * node. An agent of the same chip may answer READ_S, READ_U or UPGRADE without any link seeing it;
 * then the ACK to the home shows that there was an answer. Requests and ACKs are on different virtual
 * channels: one of a request from before the capture may come behind the next one with its tag.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "trace.h"

#define NUMBERS		(1u << HSL_FLIT_SEQ_BITS)
#define CRC_AT		offsetof(struct hsl_flit, crc)
#define EMPTY		15u
#define START		8u
#define DIRS_MAX	1024u

struct dir {
	uint16_t src, dst;
	uint32_t back;			/* index of the other direction */
	struct ht_trace_end end;	/* of the speaker */
	bool sent, received;		/* captured so, somewhere in the file */
	bool l0;
	bool anew;			/* the speaker's beginning was captured */

	bool numbered, from_zero;
	uint32_t next;			/* number of the next new flit */
	uint32_t history;		/* numbers before it whose slots are known */
	uint64_t slots[NUMBERS];	/* hash of a flit's slots and slot map */
	uint64_t used[HSL_VC_COUNT];	/* slots sent since number 0 */

	bool arrived;			/* expected is known */
	uint32_t expected;

	bool told;			/* what the speaker says about the other direction */
	uint32_t ack;
	uint8_t credit[HSL_VC_COUNT];
	uint64_t freed[HSL_VC_COUNT];
	bool nak;			/* the last one was for number ack */

	bool lost;			/* the packet that goes on is not known */
	uint32_t have, need, vc;
	uint8_t packet[HSL_PKT_SLOTS_MAX][HSL_SLOT_BYTES];
};

struct txn {
	uint32_t key;			/* agent [31:16], tag [15:0] */
	bool used, open, retried;
	bool before;			/* an ACK of a request from before the capture may come */
	bool acked;			/* it was open until an ACK came */
	uint8_t opcode;
	uint32_t acks_due;		/* of requests with this tag that are answered */
	uint32_t reused;		/* taken again before an ACK showed the answer */
	uint64_t record, era, first_era;
};

struct trace {
	struct ht_trace_result *r;
	struct dir **dirs;
	uint32_t ndirs;
	struct txn *txns;		/* open addressing, a power of two */
	size_t ntxns, txns_max;
	uint64_t era;			/* links that went down so far */
	uint64_t record;
	bool no_memory;
};

static const struct opcode {
	uint8_t slots, vc, flags;
} opcodes[256] = {
	[HSL_PKT_AUTH] = { 2, HSL_VC_REQ, HSL_PKT_F_READ | HSL_PKT_F_WRITE },
	[HSL_PKT_READ] = { 1, HSL_VC_REQ, HSL_PKT_F_GRANTED },
	[HSL_PKT_WRITE] = { 1, HSL_VC_REQ, HSL_PKT_F_GRANTED },
	[HSL_PKT_ATOMIC] = { 3, HSL_VC_REQ, HSL_PKT_F_GRANTED },
	[HSL_PKT_READ_S] = { 1, HSL_VC_REQ, HSL_PKT_F_GRANTED },
	[HSL_PKT_READ_U] = { 1, HSL_VC_REQ, HSL_PKT_F_GRANTED },
	[HSL_PKT_UPGRADE] = { 1, HSL_VC_REQ, HSL_PKT_F_GRANTED },
	[HSL_PKT_WRITE_BACK] = { 1, HSL_VC_REQ, HSL_PKT_F_GRANTED },
	[HSL_PKT_SNP_S] = { 2, HSL_VC_SNP, 0 },
	[HSL_PKT_SNP_U] = { 2, HSL_VC_SNP, 0 },
	[HSL_PKT_SNP_I] = { 2, HSL_VC_SNP, 0 },
	[HSL_PKT_SNP_C] = { 2, HSL_VC_SNP, 0 },
	[HSL_PKT_RSP] = { 1, HSL_VC_RSP, 0xff },	/* a status */
	[HSL_PKT_RSP_DATA] = { 5, HSL_VC_DAT,
			       HSL_PKT_F_OWN | HSL_PKT_F_DIRTY | HSL_PKT_F_POISON },
	[HSL_PKT_COMP] = { 1, HSL_VC_RSP, 0 },
	[HSL_PKT_GO] = { 1, HSL_VC_RSP, 0 },
	[HSL_PKT_RETRY] = { 1, HSL_VC_RSP, 0 },
	[HSL_PKT_GRANT] = { 1, HSL_VC_RSP, 0 },
	[HSL_PKT_ACK] = { 1, HSL_VC_RSP, 0 },
	[HSL_PKT_SNP_RSP] = { 1, HSL_VC_RSP, HSL_PKT_F_DIRTY | HSL_PKT_F_FWD | HSL_PKT_F_KEEPS },
	[HSL_PKT_SNP_DATA] = { 5, HSL_VC_DAT, HSL_PKT_F_FWD | HSL_PKT_F_KEEPS | HSL_PKT_F_POISON },
	[HSL_PKT_WR_DATA] = { 6, HSL_VC_DAT, HSL_PKT_F_POISON },
};

/* ---- verdicts ---- */

static void checked(struct trace *t, enum ht_trace_req req)
{
	t->r->req[req].checked++;
}

__attribute__((format(printf, 4, 5)))
static void violated(struct trace *t, enum ht_trace_req req, const struct dir *d,
		     const char *fmt, ...)
{
	struct ht_trace_verdict *v = &t->r->req[req];
	va_list ap;
	int n = 0;

	if (v->violations++)
		return;
	v->record = t->record;
	if (d)
		n = snprintf(v->text, sizeof(v->text), "%u -> %u: ", d->src, d->dst);
	va_start(ap, fmt);
	vsnprintf(v->text + n, sizeof(v->text) - (size_t)n, fmt, ap);
	va_end(ap);
}

/* ---- directions ---- */

static struct dir *find_dir(const struct trace *t, uint16_t src, uint16_t dst)
{
	for (uint32_t i = 0; i < t->ndirs; i++)
		if (t->dirs[i]->src == src && t->dirs[i]->dst == dst)
			return t->dirs[i];
	return NULL;
}

static struct dir *add_dir(struct trace *t, uint16_t src, uint16_t dst)
{
	struct dir **bigger, *d;

	if (t->ndirs == DIRS_MAX)
		return NULL;
	bigger = realloc(t->dirs, (t->ndirs + 1) * sizeof(*bigger));
	if (bigger)
		t->dirs = bigger;
	d = bigger ? calloc(1, sizeof(*d)) : NULL;
	if (!d) {
		t->no_memory = true;
		return NULL;
	}
	d->src = src;
	d->dst = dst;
	d->l0 = true;
	t->dirs[t->ndirs++] = d;
	return d;
}

/* The direction and the one back, made when they are met first. */
static struct dir *dir_of(struct trace *t, uint16_t src, uint16_t dst)
{
	struct dir *d = find_dir(t, src, dst), *back;

	if (d || src == dst)
		return d;
	d = add_dir(t, src, dst);
	back = d ? add_dir(t, dst, src) : NULL;
	if (!back)
		return NULL;
	d->back = t->ndirs - 1;
	back->back = t->ndirs - 2;
	return d;
}

static struct dir *back_of(const struct trace *t, const struct dir *d)
{
	return t->dirs[d->back];
}

static uint32_t numbers_of(const struct dir *d)
{
	return d->end.seq_bits ? 1u << d->end.seq_bits : NUMBERS;
}

static uint32_t window_of(const struct dir *d)
{
	return d->end.replay_flits ? d->end.replay_flits : numbers_of(d) / 2;
}

static uint32_t ahead(const struct dir *d, uint32_t from, uint32_t to)
{
	return (to - from) & (numbers_of(d) - 1);
}

/* Both ends are where what one says is about what the other does. */
static bool both_up(const struct trace *t, const struct dir *d)
{
	return d->l0 && back_of(t, d)->l0;
}

/* ---- requests ---- */

static uint32_t hash_key(uint32_t key)
{
	key *= 0x9e3779b1u;
	return key ^ key >> 15;
}

static struct txn *slot_of(struct txn *txns, size_t max, uint32_t key)
{
	size_t i = hash_key(key) & (max - 1);

	while (txns[i].used && txns[i].key != key)
		i = (i + 1) & (max - 1);
	return &txns[i];
}

static bool grow(struct trace *t)
{
	size_t max = t->txns_max ? 2 * t->txns_max : 1024;
	struct txn *bigger = calloc(max, sizeof(*bigger));

	if (!bigger) {
		t->no_memory = true;
		return false;
	}
	for (size_t i = 0; i < t->txns_max; i++)
		if (t->txns[i].used)
			*slot_of(bigger, max, t->txns[i].key) = t->txns[i];
	free(t->txns);
	t->txns = bigger;
	t->txns_max = max;
	return true;
}

static struct txn *txn_of(struct trace *t, uint32_t agent, uint32_t tag)
{
	struct txn *x;

	if (2 * t->ntxns >= t->txns_max && !grow(t))
		return NULL;
	x = slot_of(t->txns, t->txns_max, agent << 16 | tag);
	if (!x->used) {
		x->used = true;
		x->key = agent << 16 | tag;
		x->era = x->first_era = t->era;
		t->ntxns++;
	}
	return x;
}

/* May be answered by an agent of the requester's own chip. */
static bool answered_nearby(uint8_t opcode)
{
	return opcode == HSL_PKT_READ_S || opcode == HSL_PKT_READ_U || opcode == HSL_PKT_UPGRADE;
}

static void request_seen(struct trace *t, const struct dir *d, const struct hsl_pkt_hdr *h)
{
	struct txn *x = txn_of(t, h->src, h->tag);

	if (!x)
		return;
	checked(t, HT_TRACE_TXN_020);
	checked(t, HT_TRACE_TXN_021);
	if (x->open && x->era == t->era) {
		if (x->retried && h->opcode == x->opcode && (h->flags & HSL_PKT_F_GRANTED)) {
			x->retried = false;
			return;
		}
		if (answered_nearby(x->opcode) && !x->retried)
			x->reused++;
		else
			violated(t, HT_TRACE_TXN_020, d,
				 "agent 0x%04x uses tag %u again, outstanding since record %llu",
				 h->src, h->tag, (unsigned long long)x->record);
	}
	if (x->era != t->era)
		x->acks_due = x->reused = 0;
	if (!x->record)
		x->before = !d->from_zero;
	x->open = true;
	x->retried = x->acked = false;
	x->opcode = h->opcode;
	x->record = t->record;
	x->era = t->era;
}

/* Which answers end which requests. */
static bool ends(uint8_t request_opcode, uint8_t answer)
{
	switch (request_opcode) {
	case HSL_PKT_AUTH:
	case HSL_PKT_WRITE:
	case HSL_PKT_ATOMIC: return answer == HSL_PKT_RSP;
	case HSL_PKT_UPGRADE: return answer == HSL_PKT_COMP || answer == HSL_PKT_RSP_DATA;
	case HSL_PKT_WRITE_BACK: return answer == HSL_PKT_GO;
	default: return answer == HSL_PKT_RSP_DATA;
	}
}

static void answer_seen(struct trace *t, const struct dir *d, const struct hsl_pkt_hdr *h)
{
	struct txn *x = txn_of(t, h->dst, h->tag);

	if (!x)
		return;
	if (x->open && x->era == t->era && ends(x->opcode, h->opcode)) {
		x->open = false;
		x->acks_due += answered_nearby(x->opcode) || x->opcode == HSL_PKT_WRITE_BACK;
		return;
	}
	if (x->open && h->opcode == HSL_PKT_GO && x->opcode == HSL_PKT_WRITE)
		return;
	if (x->acked && x->before && ends(x->opcode, h->opcode)) {	/* so the ACK was an older one's */
		x->acked = x->before = false;
		x->acks_due++;
		return;
	}
	/* the request may have been one to a home of this chip, or from before the capture */
	if (h->opcode == HSL_PKT_RSP_DATA || !x->record || x->first_era != t->era)
		return;
	violated(t, HT_TRACE_TXN_021, d,
		 "answer 0x%02x to tag %u of agent 0x%04x, which waits for none", h->opcode, h->tag,
		 h->dst);
}

static void retry(struct trace *t, const struct hsl_pkt_hdr *h)
{
	struct txn *x = txn_of(t, h->dst, h->tag);

	if (x && x->open)
		x->retried = true;
}

/* ACK, WR_DATA: the requester has had an answer. */
static void requester_goes_on(struct trace *t, const struct hsl_pkt_hdr *h)
{
	struct txn *x = txn_of(t, h->src, h->tag);

	if (!x)
		return;
	if (x->acks_due)
		x->acks_due--;
	else if (h->opcode == HSL_PKT_ACK && x->reused)
		x->reused--;
	else if (h->opcode == HSL_PKT_ACK && answered_nearby(x->opcode) && x->open) {
		x->open = false;
		x->acked = true;
	}
}

static void requests_end(struct trace *t, bool complete)
{
	t->record = 0;
	for (size_t i = 0; i < t->txns_max; i++) {
		const struct txn *x = &t->txns[i];

		if (!x->used || x->era != t->era || !(x->open || x->reused))
			continue;
		t->r->open++;
		if (complete && x->reused)
			violated(t, HT_TRACE_TXN_020, NULL,
				 "agent 0x%04x used tag %u again while outstanding", x->key >> 16,
				 x->key & 0xffff);
		else if (complete)
			violated(t, HT_TRACE_TXN_021, NULL,
				 "tag %u of agent 0x%04x, record %llu, has no answer",
				 x->key & 0xffff, x->key >> 16, (unsigned long long)x->record);
	}
}

/* ---- packets ---- */

static bool zero(const void *p, size_t len)
{
	const uint8_t *b = p;

	while (len--)
		if (*b++)
			return false;
	return true;
}

static bool reserved_is_zero(const struct dir *d, uint8_t opcode)
{
	const uint8_t *b = d->packet[0];

	if (opcodes[opcode].vc != HSL_VC_RSP && b[15])
		return false;
	switch (opcode) {
	case HSL_PKT_SNP_S:
	case HSL_PKT_SNP_U: return zero(b + 20, 12);
	case HSL_PKT_SNP_I:
	case HSL_PKT_SNP_C: return zero(b + 16, 16);
	case HSL_PKT_ATOMIC: return zero(b + 18, 6) && zero(b + 40, 8);
	case HSL_PKT_WR_DATA: return zero(b + 24, 8);
	default: return true;
	}
}

static void whole_packet(struct trace *t, struct dir *d)
{
	struct hsl_pkt_hdr h;
	const struct opcode *o;
	uint32_t src, dst;

	memcpy(&h, d->packet, sizeof(h));
	o = &opcodes[h.opcode];
	checked(t, HT_TRACE_LNK_002);
	if (o->vc != d->vc)
		violated(t, HT_TRACE_LNK_002, d, "opcode 0x%02x on virtual channel %u", h.opcode,
			 d->vc);
	if ((h.flags & ~o->flags) || !reserved_is_zero(d, h.opcode))
		violated(t, HT_TRACE_LNK_001, d, "opcode 0x%02x with a reserved flag or field set",
			 h.opcode);
	src = h.src & ~HSL_AGENT_HOST_PORT;
	dst = h.dst & ~HSL_AGENT_HOST_PORT;
	if (o->vc == HSL_VC_REQ && src == d->src)
		request_seen(t, d, &h);
	else if ((h.opcode == HSL_PKT_ACK || h.opcode == HSL_PKT_WR_DATA) && src == d->src)
		requester_goes_on(t, &h);
	else if (h.opcode >= HSL_PKT_RSP && h.opcode <= HSL_PKT_GO && dst == d->dst)
		answer_seen(t, d, &h);
	else if (h.opcode == HSL_PKT_RETRY && dst == d->dst)
		retry(t, &h);
}

static uint32_t map_entry(const struct hsl_flit *f, uint32_t i)
{
	return f->slot_map[i / 2] >> (4 * (i % 2)) & 15u;
}

static void packet_slot(struct trace *t, struct dir *d, uint32_t entry, const uint8_t *slot)
{
	if (d->need && (entry & START || entry != d->vc)) {
		violated(t, HT_TRACE_LNK_001, d, "a packet ends before its last slot");
		d->need = 0;
	}
	if (entry == EMPTY)
		return;
	if (entry & START) {
		d->lost = false;
		d->have = 0;
		d->vc = entry & 7;
		d->need = opcodes[slot[0]].slots;
		if (!d->need) {
			violated(t, HT_TRACE_LNK_001, d, "reserved opcode 0x%02x", slot[0]);
			d->lost = true;
		}
	}
	if (!d->need) {
		if (!d->lost)
			violated(t, HT_TRACE_LNK_001, d, "a slot continues no packet");
		return;
	}
	memcpy(d->packet[d->have++], slot, HSL_SLOT_BYTES);
	if (d->have == d->need) {
		d->need = 0;
		whole_packet(t, d);
	}
}

static void packets(struct trace *t, struct dir *d, const struct hsl_flit *f)
{
	for (uint32_t i = 0; i < HSL_FLIT_SLOTS; i++)
		packet_slot(t, d, map_entry(f, i), f->slot[i]);
}

/* ---- flits ---- */

uint64_t ht_crc64(const void *bytes, size_t len)
{
	const uint8_t *p = bytes;
	uint64_t crc = UINT64_MAX;

	while (len--) {
		crc ^= *p++;
		for (int i = 0; i < 8; i++)
			crc = crc >> 1 ^ (crc & 1 ? UINT64_C(0xc96c5795d7870f42) : 0);
	}
	return ~crc;
}

/* NULL, or why HEP-LNK-001 refuses it. */
static const char *impossible(const struct hsl_flit *f)
{
	uint32_t type = f->hdr >> HSL_FLIT_SEQ_BITS, before = EMPTY;
	uint64_t crc;

	memcpy(&crc, f->crc, sizeof(crc));
	if (crc != ht_crc64(f, CRC_AT))
		return "wrong CRC";
	if (type > HSL_FLIT_CONTROL || f->ack >> 14 || !zero(f->rsvd, sizeof(f->rsvd)) ||
	    !zero(f->fec, sizeof(f->fec)))
		return "a reserved bit is set";
	for (uint32_t i = 0; i < HSL_FLIT_SLOTS; i++) {
		uint32_t e = map_entry(f, i);

		if (e != EMPTY && type != HSL_FLIT_DATA)
			return "slots in a flit that is not of type data";
		if (e != EMPTY && (e & 7) >= HSL_VC_COUNT)
			return "a slot of no virtual channel";
		if (e < START && i && (before == EMPTY || (before & 7) != e))
			return "a slot that continues nothing";
		before = e;
	}
	return NULL;
}

static uint64_t hash_slots(const struct hsl_flit *f)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);
	const uint8_t *p = (const uint8_t *)f;

	for (size_t i = offsetof(struct hsl_flit, slot_map); i < CRC_AT; i++)
		h = (h ^ p[i]) * UINT64_C(0x100000001b3);
	return h;
}

/* What the speaker says about the other direction: next expected, NAK. */
static void acknowledgement(struct trace *t, struct dir *d, const struct hsl_flit *f, bool sent)
{
	struct dir *back = back_of(t, d);
	uint32_t ack = f->ack & (NUMBERS - 1), limit = back->next;
	bool nak = f->ack >> 12 & 1, known = back->numbered;

	if (!(f->ack >> 13 & 1) || ack >= numbers_of(back))
		return;
	if (back->received) {
		limit = back->expected;
		known = back->arrived;
	}
	if (d->told && known && both_up(t, d)) {
		checked(t, HT_TRACE_LNK_004);
		if (ahead(back, d->ack, ack) > ahead(back, d->ack, limit)) {
			if (sent)
				violated(t, HT_TRACE_LNK_004, d,
					 "acknowledges to %u, but only numbers from %u to %u %s",
					 ack, d->ack, limit,
					 back->received ? "have arrived" : "were sent");
			return;
		}
	}
	if (sent && nak) {
		checked(t, HT_TRACE_LNK_007);
		if (d->told && d->nak && ack == d->ack)
			violated(t, HT_TRACE_LNK_007, d, "a second NAK for number %u", ack);
	}
	d->nak = nak || (d->nak && d->told && ack == d->ack);
	d->told = true;
	d->ack = ack;
}

static void credits(struct trace *t, struct dir *d, const struct hsl_flit *f, bool sent)
{
	struct dir *back = back_of(t, d);

	for (int vc = 0; vc < HSL_VC_COUNT; vc++) {
		uint8_t gain = (uint8_t)(f->credits[vc] - d->credit[vc]);
		uint64_t freed = d->freed[vc] + ((uint64_t)gain << d->end.credit_shift);

		if (!back->from_zero || !both_up(t, d)) {
			d->credit[vc] = f->credits[vc];
			continue;
		}
		checked(t, HT_TRACE_LNK_005);
		if (freed > back->used[vc]) {
			if (sent)
				violated(t, HT_TRACE_LNK_005, d,
					 "says it freed %llu slots of channel %d, of %llu sent",
					 (unsigned long long)freed, vc,
					 (unsigned long long)back->used[vc]);
			continue;
		}
		d->freed[vc] = freed;
		d->credit[vc] = f->credits[vc];
	}
}

static void use_credits(struct trace *t, struct dir *d, const struct hsl_flit *f)
{
	const struct dir *back = back_of(t, d);

	for (uint32_t i = 0; i < HSL_FLIT_SLOTS; i++)
		if (map_entry(f, i) != EMPTY)
			d->used[map_entry(f, i) & 7]++;
	if (!d->from_zero || !both_up(t, d))
		return;
	for (int vc = 0; vc < HSL_VC_COUNT; vc++) {
		uint64_t under_way = d->used[vc] - back->freed[vc];

		if (!back->end.rx_slots[vc])
			continue;
		checked(t, HT_TRACE_LNK_005);
		if (under_way > back->end.rx_slots[vc])
			violated(t, HT_TRACE_LNK_005, d,
				 "%llu slots of channel %d under way, room for %u",
				 (unsigned long long)under_way, vc, back->end.rx_slots[vc]);
	}
}

static void new_flit(struct trace *t, struct dir *d, const struct hsl_flit *f, uint32_t seq)
{
	const struct dir *back = back_of(t, d);

	d->slots[seq] = hash_slots(f);
	d->next = (seq + 1) & (numbers_of(d) - 1);
	if (d->history < numbers_of(d) - 1)
		d->history++;
	if (back->told && both_up(t, d) && ahead(d, back->ack, d->next) > window_of(d))
		violated(t, HT_TRACE_LNK_004, d,
			 "number %u is sent, %u is not acknowledged: more than %u", seq, back->ack,
			 window_of(d));
	use_credits(t, d, f);
	packets(t, d, f);
}

static void learn_numbers(struct dir *d, uint32_t seq)
{
	d->from_zero = d->anew && !d->numbered && seq == 0;
	d->numbered = true;
	d->next = seq;
	d->history = 0;
	d->need = 0;
	d->lost = !d->from_zero;
}

static void sent_data(struct trace *t, struct dir *d, const struct hsl_flit *f, uint32_t seq)
{
	uint32_t behind;

	checked(t, HT_TRACE_LNK_004);
	if (!d->numbered)
		learn_numbers(d, seq);
	behind = ahead(d, seq, d->next);
	if (!behind) {
		new_flit(t, d, f, seq);
	} else if (behind <= d->history && behind <= window_of(d)) {
		if (d->slots[seq] != hash_slots(f))
			violated(t, HT_TRACE_LNK_004, d, "number %u is sent again with other slots",
				 seq);
	} else if (d->from_zero || behind > window_of(d)) {
		violated(t, HT_TRACE_LNK_004, d, "number %u is sent, %u is next", seq, d->next);
		learn_numbers(d, seq);
		new_flit(t, d, f, seq);
	}
}

/* The receiver takes what it expects; the first one tells what that is. */
static bool arrives(struct dir *d, uint32_t seq)
{
	if (!d->arrived)
		d->expected = seq;
	d->arrived = true;
	if (seq != d->expected)
		return false;
	d->expected = (seq + 1) & (numbers_of(d) - 1);
	return true;
}

static void flit(struct trace *t, struct dir *d, bool sent, const struct hsl_flit *f)
{
	uint32_t type = f->hdr >> HSL_FLIT_SEQ_BITS, seq = f->hdr & (numbers_of(d) - 1);
	const char *why = impossible(f);

	t->r->flits++;
	if (sent) {
		checked(t, HT_TRACE_LNK_001);
		if (why)
			violated(t, HT_TRACE_LNK_001, d, "a flit is sent with %s", why);
	}
	if (why)
		return;
	if (sent && type == HSL_FLIT_DATA) {
		sent_data(t, d, f, seq);
	} else if (sent && d->numbered) {
		checked(t, HT_TRACE_LNK_004);
		if (seq != d->next)
			violated(t, HT_TRACE_LNK_004, d,
				 "a flit without slots says %u is next, not %u", seq, d->next);
	} else if (!sent && type == HSL_FLIT_DATA) {
		if (!d->arrived)
			d->lost = true;
		if (arrives(d, seq) && !d->sent)
			packets(t, d, f);
	}
	if (sent || !d->sent) {
		acknowledgement(t, d, f, sent);
		credits(t, d, f, sent);
	}
}

static void forget_packet(struct dir *d, bool yes)
{
	if (yes) {
		d->need = 0;
		d->lost = false;
	}
}

/* The end at d's source has entered a state. */
static void state(struct trace *t, struct dir *d, uint32_t entered)
{
	struct dir *back = back_of(t, d);

	switch (entered) {
	case HSL_LTSSM_L0:
		d->l0 = true;
		break;
	case HSL_LTSSM_RECOVERY:
		d->nak = false;		/* what is missing is asked for again */
		break;
	case HSL_LTSSM_POLLING:		/* after DETECT only, which may be before the capture */
	case HSL_LTSSM_DETECT:
	case HSL_LTSSM_DISABLED:
	case HSL_LTSSM_HOT_RESET:
		t->era++;
		d->l0 = false;
		d->anew = true;
		d->numbered = d->from_zero = d->told = d->nak = false;
		d->history = 0;
		forget_packet(d, d->sent);
		forget_packet(back, !back->sent);
		memset(d->used, 0, sizeof(d->used));
		memset(d->freed, 0, sizeof(d->freed));
		memset(d->credit, 0, sizeof(d->credit));
		back->arrived = true;
		back->expected = 0;
		break;
	}
}

/* ---- the file ---- */

static void record(struct trace *t, const struct ht_trace_record *r)
{
	struct dir *d = dir_of(t, r->src, r->dst);
	struct hsl_flit f;
	uint32_t entered;

	t->record = r->number;
	t->r->records++;
	if (d && r->kind == HT_TRACE_FLIT && r->len == sizeof(f)) {
		memcpy(&f, r->body, sizeof(f));
		flit(t, d, !(r->flags & HT_TRACE_F_RX), &f);
	} else if (d && r->kind == HT_TRACE_STATE && r->len >= sizeof(entered)) {
		memcpy(&entered, r->body, sizeof(entered));
		state(t, d, entered);
	}
}

/* How each direction was captured, which has to be known before its first flit. */
static void look_first(struct trace *t, const struct ht_trace_record *r)
{
	struct dir *d = r->kind == HT_TRACE_FLIT ? dir_of(t, r->src, r->dst) : NULL;

	if (d && r->flags & HT_TRACE_F_RX)
		d->received = true;
	else if (d)
		d->sent = true;
}

static void end(struct trace *t, const struct ht_trace_end *e)
{
	struct dir *d = e->usable ? dir_of(t, e->node, e->peer) : NULL;

	if (d)
		d->end = *e;
}

static int pass(struct trace *t, const uint8_t *file, size_t len,
		void (*each)(struct trace *, const struct ht_trace_record *))
{
	struct ht_trace_record r;
	struct ht_trace_file f;
	enum ht_trace_what what;

	ht_trace_open(&f, file, len);
	while (!t->no_memory && (what = ht_trace_next(&f, &r)) > HT_TRACE_EOF) {
		if (what == HT_TRACE_END)
			end(t, &f.ends[f.nends - 1]);
		else
			each(t, &r);
	}
	t->r->skipped = f.skipped;
	t->r->error = t->no_memory ? "no memory" : f.error;
	ht_trace_close(&f);
	return t->no_memory ? -ENOMEM : f.error ? -EINVAL : 0;
}

int ht_trace_check(const uint8_t *file, size_t len, bool complete, struct ht_trace_result *out)
{
	static const char *const ids[HT_TRACE_REQS] = {
		"HEP-LNK-001", "HEP-LNK-002", "HEP-LNK-004", "HEP-LNK-005", "HEP-LNK-007",
		"HEP-TXN-020", "HEP-TXN-021",
	};
	struct trace t = { .r = out };
	int rc;

	memset(out, 0, sizeof(*out));
	for (int i = 0; i < HT_TRACE_REQS; i++)
		out->req[i].id = ids[i];
	rc = pass(&t, file, len, look_first);
	if (rc != -ENOMEM)
		rc = pass(&t, file, len, record);
	if (rc != -ENOMEM)
		requests_end(&t, complete && !rc);
	for (uint32_t i = 0; i < t.ndirs; i++)
		free(t.dirs[i]);
	free(t.dirs);
	free(t.txns);
	return rc;
}
