/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * gen_capture FILE.pcapng FILE.expected SEED RECORDS: a capture of two links with every kind of
 * record and packet of docs/capture.md, and what a dissector must find in it: a line of field
 * names, then a line of values for each record, in the form of tshark -T fields. Expected values
 * are written down where the bytes are made; nothing is read back from them.
 *
 * Each flit of the random part is recorded as sent, goes over a wire that may lose or damage it,
 * and is recorded as received. The receiver takes the expected number only; the sender goes back
 * to it after a while.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/model.h"
#include "model/pcapng.h"

#define SWITCH		HSL_NODE_SWITCH_FIRST
#define HISTORY		64u
#define LINE_MAX	8192

/* Columns of a record, then those of its packets, whose values are in the order of the packets. */
#define COLUMNS(X) \
	X(NUMBER, "frame.number") X(KIND, "hsl.kind") X(RX, "hsl.rx") X(LINK, "hsl.link") \
	X(SRC, "hsl.src") X(DST, "hsl.dst") X(TIME, "hsl.time_ps") X(SEQ, "hsl.flit.seq") \
	X(TYPE, "hsl.flit.type") X(ACK, "hsl.flit.ack") X(NAK, "hsl.flit.nak") \
	X(ACK_VALID, "hsl.flit.ack_valid") X(FREED0, "hsl.flit.freed.req") \
	X(FREED1, "hsl.flit.freed.rsp") X(FREED2, "hsl.flit.freed.snp") \
	X(FREED3, "hsl.flit.freed.dat") X(FREED4, "hsl.flit.freed.mgmt") \
	X(CRC, "hsl.flit.crc.status") X(VERDICT, "hsl.flit.verdict") X(TS, "hsl.ts.type") \
	X(TS_DISABLE, "hsl.ts.disable") X(TS_RESET, "hsl.ts.hot_reset") \
	X(TS_L1, "hsl.ts.l1") X(TS_L0, "hsl.ts.l0") X(TS_NEW, "hsl.ts.new") \
	X(TS_LANES, "hsl.ts.lanes") X(TS_RATE, "hsl.ts.rate_mtps") X(TS_ROUND, "hsl.ts.round") \
	X(TS_ECHO, "hsl.ts.echo") X(TS_WIDTH, "hsl.ts.width") \
	X(STATE, "hsl.state") X(WIDTH, "hsl.state.width") X(RATE, "hsl.state.rate_mtps") \
	X(OPCODE, "hsl.pkt.opcode") X(VC, "hsl.pkt.vc") X(FLAGS, "hsl.pkt.flags") \
	X(STATUS, "hsl.pkt.status") X(TAG, "hsl.pkt.tag") X(OWNER, "hsl.pkt.tag_owner") \
	X(PSRC, "hsl.pkt.src") X(PSRC_HOST, "hsl.pkt.src.host_port") \
	X(PDST, "hsl.pkt.dst") X(PDST_HOST, "hsl.pkt.dst.host_port") \
	X(ADDR, "hsl.pkt.addr") X(HOPS, "hsl.pkt.hops") X(VALUE, "hsl.pkt.value") \
	X(KEY, "hsl.pkt.key") X(SEGMENT, "hsl.pkt.segment") X(CONTEXT, "hsl.pkt.context") \
	X(EPOCH, "hsl.pkt.epoch") X(FWD, "hsl.pkt.fwd") X(FWD_TAG, "hsl.pkt.fwd_tag") \
	X(SUBOP, "hsl.pkt.subop") X(LEN, "hsl.pkt.len") X(ARG0, "hsl.pkt.arg0") \
	X(ARG1, "hsl.pkt.arg1") X(MASK, "hsl.pkt.mask") X(DATA, "hsl.pkt.data") \
	X(REQUEST, "hsl.pkt.request_in") X(LATENCY, "hsl.pkt.latency_ps") \
	X(RESPONSE, "hsl.pkt.response_in")
#define AS_ENUM(id, name) id,
#define AS_NAME(id, name) name,
enum column { COLUMNS(AS_ENUM) NCOLUMNS };
static const char *const column_names[] = { COLUMNS(AS_NAME) };

struct line {
	char col[NCOLUMNS][LINE_MAX];
};

/* A flit and what is to be found in its packets if they are taken. */
struct sent {
	struct hsl_flit flit;
	struct line packets;
};

struct dir {
	uint16_t src, dst;
	uint32_t tx_end, rx_end, seq_mask, window;	/* numbers from window on are behind */
	uint32_t next, rx_expected;
	bool received;		/* something: from then on it is known what is expected */
	struct sent sent[HISTORY];
	/* the packet that goes on in the next flit */
	struct hsl_pkt rest;
	struct line rest_line;
	uint32_t rest_vc, rest_at, rest_slots;
};

static struct dir dirs[] = {
	{ .src = 1, .dst = 2, .tx_end = 0, .rx_end = 1, .seq_mask = 0xfff, .window = 2048 },
	{ .src = 2, .dst = 1, .tx_end = 1, .rx_end = 0, .seq_mask = 0xfff, .window = 2048 },
	{ .src = 2, .dst = SWITCH, .tx_end = 2, .rx_end = 3, .seq_mask = 0xf, .window = 8 },
	{ .src = SWITCH, .dst = 2, .tx_end = 3, .rx_end = 2, .seq_mask = 0xf, .window = 8 },
};
#define NDIRS	(sizeof(dirs) / sizeof(dirs[0]))

static FILE *capture, *expected;
static uint64_t rng_state, now_ps, records;
static struct line line;

static uint64_t rng(void)	/* splitmix64 */
{
	uint64_t z = rng_state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static uint32_t below(uint32_t n)
{
	return (uint32_t)(rng() % n);
}

static bool one_in(uint32_t n)
{
	return !below(n);
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

/* ---- expectations ---- */

__attribute__((format(printf, 3, 4)))
static void want(struct line *l, enum column c, const char *fmt, ...)
{
	size_t n = strlen(l->col[c]);
	va_list ap;

	if (n)
		l->col[c][n++] = ',';
	va_start(ap, fmt);
	vsnprintf(l->col[c] + n, LINE_MAX - n, fmt, ap);
	va_end(ap);
}

static void want_u64(struct line *l, enum column c, uint64_t v)
{
	want(l, c, "0x%016llx", (unsigned long long)v);
}

static void want_hex(struct line *l, enum column c, const uint8_t *p, size_t len)
{
	char text[2 * HSL_LINE_BYTES + 1];

	for (size_t i = 0; i < len; i++)
		snprintf(text + 2 * i, 3, "%02x", p[i]);
	want(l, c, "%s", text);
}

static void append(struct line *to, const struct line *from)
{
	for (int c = 0; c < NCOLUMNS; c++)
		if (from->col[c][0])
			want(to, c, "%s", from->col[c]);
}

static void print_line(const struct line *l)
{
	for (int c = 0; c < NCOLUMNS; c++)
		fprintf(expected, "%s%c", l->col[c], c + 1 < NCOLUMNS ? '\t' : '\n');
}

/* ---- records ---- */

static void write_block(const uint8_t *block, size_t len)
{
	if (fwrite(block, 1, len, capture) != len)
		die("write");
}

static struct hsl_pcapng_at record_begin(const struct dir *d, int kind, bool rx)
{
	struct hsl_pcapng_at at = {
		.end = rx ? d->rx_end : d->tx_end, .src = d->src, .dst = d->dst,
		.link = (uint8_t)below(256), .rx = rx, .time_ps = now_ps,
		.seq_bits = d->seq_mask == 0xf ? 4 : one_in(2) ? 12 : 0,
		.comment = one_in(5) ? "a comment" : NULL,
	};

	memset(&line, 0, sizeof(line));
	want(&line, NUMBER, "%llu", (unsigned long long)++records);
	want(&line, KIND, "%d", kind);
	want(&line, RX, "%d", rx);
	want(&line, LINK, "%u", at.link);
	want(&line, SRC, "%u", at.src);
	want(&line, DST, "%u", at.dst);
	want(&line, TIME, "%llu", (unsigned long long)at.time_ps);
	return at;
}

static void record_ts(const struct dir *d)
{
	struct hsl_ts ts = {
		.type = (uint8_t)(1 + below(2)), .flags = (uint8_t)below(32),
		.lanes = (uint16_t)rng(), .rate_mtps = (uint32_t)rng(),
		.round = (uint16_t)rng(), .echo = (uint16_t)rng(), .width = (uint8_t)below(17),
	};
	struct hsl_pcapng_at at = record_begin(d, HSL_PCAPNG_TS, one_in(2));
	uint8_t block[HSL_PCAPNG_BLOCK_MAX];

	want(&line, TS, "%u", ts.type);
	want(&line, TS_DISABLE, "%u", ts.flags & 1);
	want(&line, TS_RESET, "%u", ts.flags >> 1 & 1);
	want(&line, TS_L1, "%u", ts.flags >> 2 & 1);
	want(&line, TS_L0, "%u", ts.flags >> 3 & 1);
	want(&line, TS_NEW, "%u", ts.flags >> 4 & 1);
	want(&line, TS_LANES, "0x%04x", ts.lanes);
	want(&line, TS_RATE, "%u", ts.rate_mtps);
	want(&line, TS_ROUND, "%u", ts.round);
	want(&line, TS_ECHO, "%u", ts.echo);
	want(&line, TS_WIDTH, "%u", ts.width);
	write_block(block, hsl_pcapng_ts(block, &at, &ts));
	print_line(&line);
}

/* One that forgets nothing, or the link goes down: both directions begin anew. */
static void record_state(uint32_t i, uint32_t state)
{
	struct hsl_pcapng_at at = record_begin(&dirs[i], HSL_PCAPNG_STATE, false);
	uint32_t width = below(17), rate = (uint32_t)rng();
	uint8_t block[HSL_PCAPNG_BLOCK_MAX];

	want(&line, STATE, "%u", state);
	want(&line, WIDTH, "%u", width);
	want(&line, RATE, "%u", rate);
	write_block(block, hsl_pcapng_state(block, &at, state, width, rate));
	print_line(&line);
	if (state == HSL_LTSSM_DETECT || state >= HSL_LTSSM_DISABLED)
		for (uint32_t k = i & ~1u; k <= (i | 1u); k++)
			dirs[k].next = dirs[k].rx_expected = dirs[k].rest_slots = 0;
}

static void record_flit(const struct dir *d, bool rx, struct hsl_flit *f, bool crc_ok, int verdict,
			const struct line *packets)
{
	struct hsl_pcapng_at at = record_begin(d, HSL_PCAPNG_FLIT, rx);
	uint8_t block[HSL_PCAPNG_BLOCK_MAX];

	want(&line, SEQ, "%u", f->hdr & 0xfff);
	want(&line, TYPE, "%u", f->hdr >> 12 & 3);
	want(&line, ACK, "%u", f->ack & 0xfff);
	want(&line, NAK, "%u", f->ack >> 12 & 1);
	want(&line, ACK_VALID, "%u", f->ack >> 13 & 1);
	for (int vc = 0; vc < HSL_VC_COUNT; vc++)
		want(&line, FREED0 + vc, "%u", f->credits[vc]);
	want(&line, CRC, "%d", crc_ok);
	want(&line, VERDICT, "%d", verdict);
	if (packets)
		append(&line, packets);
	write_block(block, hsl_pcapng_flit(block, &at, f));
	print_line(&line);
}

/* ---- packets ---- */

static void random_bytes(void *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		((uint8_t *)p)[i] = (uint8_t)rng();
}

static uint16_t random_agent(void)
{
	return (uint16_t)(1 + below(0x6fff) + (one_in(3) ? HSL_AGENT_HOST_PORT : 0));
}

static uint32_t nothing(struct hsl_pkt *p, struct line *l)
{
	(void)p, (void)l;
	return 1;
}

static uint32_t auth(struct hsl_pkt *p, struct line *l)
{
	uint16_t segment = (uint16_t)rng(), context = (uint16_t)rng();

	p->u.req.key = rng();
	p->u.req.ctx_seg = HSL_PKT_CTX(context, segment);
	p->u.req.epoch = (uint32_t)rng();
	want_u64(l, KEY, p->u.req.key);
	want(l, SEGMENT, "%u", segment);
	want(l, CONTEXT, "%u", context);
	want(l, EPOCH, "%u", p->u.req.epoch);
	return 2;
}

static uint32_t snoop(struct hsl_pkt *p, struct line *l)
{
	(void)p, (void)l;
	return 2;
}

static uint32_t snoop_fwd(struct hsl_pkt *p, struct line *l)
{
	p->u.snp.fwd = random_agent();
	p->u.snp.fwd_tag = (uint16_t)rng();
	want(l, FWD, "0x%04x", p->u.snp.fwd);
	want(l, FWD_TAG, "%u", p->u.snp.fwd_tag);
	return 2;
}

static uint32_t atomic(struct hsl_pkt *p, struct line *l)
{
	p->u.atomic.subop = (uint8_t)below(HSL_ATOMICS);
	p->u.atomic.len = (uint8_t)(4 << below(2));
	p->u.atomic.arg0 = rng();
	p->u.atomic.arg1 = rng();
	want(l, SUBOP, "%u", p->u.atomic.subop);
	want(l, LEN, "%u", p->u.atomic.len);
	want_u64(l, ARG0, p->u.atomic.arg0);
	want_u64(l, ARG1, p->u.atomic.arg1);
	return 3;
}

static uint32_t data(struct hsl_pkt *p, struct line *l)
{
	random_bytes(p->u.data.data, HSL_LINE_BYTES);
	want_hex(l, DATA, p->u.data.data, HSL_LINE_BYTES);
	return 5;
}

static uint32_t wr_data(struct hsl_pkt *p, struct line *l)
{
	p->u.wr.mask = rng();
	random_bytes(p->u.wr.data, HSL_LINE_BYTES);
	want_u64(l, MASK, p->u.wr.mask);
	want_hex(l, DATA, p->u.wr.data, HSL_LINE_BYTES);
	return 6;
}

#define F_LINE	(HSL_PKT_F_OWN | HSL_PKT_F_DIRTY | HSL_PKT_F_POISON)
#define F_KEEP	(HSL_PKT_F_FWD | HSL_PKT_F_KEEPS)
static const struct opcode {
	uint8_t opcode, flags, vc;
	bool tag_of_dst;	/* the answer to whom the tag belongs */
	/* Puts in what is behind the header; slots in all. */
	uint32_t (*tail)(struct hsl_pkt *, struct line *);
} opcodes[] = {
	{ HSL_PKT_AUTH, HSL_PKT_F_READ | HSL_PKT_F_WRITE, HSL_VC_REQ, false, auth },
	{ HSL_PKT_READ, HSL_PKT_F_GRANTED, HSL_VC_REQ, false, nothing },
	{ HSL_PKT_WRITE, HSL_PKT_F_GRANTED, HSL_VC_REQ, false, nothing },
	{ HSL_PKT_ATOMIC, HSL_PKT_F_GRANTED, HSL_VC_REQ, false, atomic },
	{ HSL_PKT_READ_S, HSL_PKT_F_GRANTED, HSL_VC_REQ, false, nothing },
	{ HSL_PKT_READ_U, HSL_PKT_F_GRANTED, HSL_VC_REQ, false, nothing },
	{ HSL_PKT_UPGRADE, HSL_PKT_F_GRANTED, HSL_VC_REQ, false, nothing },
	{ HSL_PKT_WRITE_BACK, HSL_PKT_F_GRANTED, HSL_VC_REQ, false, nothing },
	{ HSL_PKT_SNP_S, 0, HSL_VC_SNP, false, snoop_fwd },
	{ HSL_PKT_SNP_U, 0, HSL_VC_SNP, false, snoop_fwd },
	{ HSL_PKT_SNP_I, 0, HSL_VC_SNP, false, snoop },
	{ HSL_PKT_SNP_C, 0, HSL_VC_SNP, false, snoop },
	{ HSL_PKT_RSP, 0, HSL_VC_RSP, true, nothing },
	{ HSL_PKT_RSP_DATA, F_LINE, HSL_VC_DAT, true, data },
	{ HSL_PKT_COMP, 0, HSL_VC_RSP, true, nothing },
	{ HSL_PKT_GO, 0, HSL_VC_RSP, true, nothing },
	{ HSL_PKT_RETRY, 0, HSL_VC_RSP, true, nothing },
	{ HSL_PKT_GRANT, 0, HSL_VC_RSP, true, nothing },
	{ HSL_PKT_ACK, 0, HSL_VC_RSP, false, nothing },
	{ HSL_PKT_SNP_RSP, HSL_PKT_F_DIRTY | F_KEEP, HSL_VC_RSP, true, nothing },
	{ HSL_PKT_SNP_DATA, F_KEEP | HSL_PKT_F_POISON, HSL_VC_DAT, true, data },
	{ HSL_PKT_WR_DATA, HSL_PKT_F_POISON, HSL_VC_DAT, false, wr_data },
};
#define NOPCODES	(sizeof(opcodes) / sizeof(opcodes[0]))

/* Make it what goes out next. */
static void packet(struct dir *d, const struct opcode *o, uint16_t src, uint16_t dst, uint16_t tag)
{
	struct hsl_pkt_hdr *h = &d->rest.u.h;
	struct line *l = &d->rest_line;

	memset(&d->rest, 0, sizeof(d->rest));
	memset(l, 0, sizeof(*l));
	*h = (struct hsl_pkt_hdr){
		.opcode = o->opcode, .flags = (uint8_t)(rng() & o->flags), .tag = tag, .src = src,
		.dst = dst, .addr = rng() >> 8,
	};
	want(l, OPCODE, "0x%02x", h->opcode);
	want(l, VC, "%u", o->vc);
	if (h->opcode == HSL_PKT_RSP) {
		h->flags = (uint8_t)below(HSL_ST_COUNT);
		h->addr = rng();
		want(l, STATUS, "%u", h->flags);
		want_u64(l, VALUE, h->addr);
	} else {
		want(l, FLAGS, "0x%02x", h->flags);
		want_u64(l, ADDR, h->addr & UINT64_C(0xffffffffffff));
	}
	if (o->vc != HSL_VC_RSP)
		want(l, HOPS, "%u", (unsigned int)(h->addr >> 48));
	want(l, TAG, "%u", h->tag);
	want(l, OWNER, "0x%04x", o->tag_of_dst ? h->dst : h->src);
	want(l, PSRC, "%u", h->src & 0x7fff);
	want(l, PSRC_HOST, "%u", h->src >> 15);
	want(l, PDST, "%u", h->dst & 0x7fff);
	want(l, PDST_HOST, "%u", h->dst >> 15);
	d->rest_vc = o->vc;
	d->rest_at = 0;
	d->rest_slots = o->tail(&d->rest, l);
}

static void random_packet(struct dir *d)
{
	packet(d, &opcodes[below(NOPCODES)], random_agent(), random_agent(), (uint16_t)rng());
}

/* ---- flits ---- */

static void set_map(struct hsl_flit *f, uint32_t slot, uint32_t entry)
{
	uint8_t *b = &f->slot_map[slot / 2];

	*b = (uint8_t)(slot % 2 ? (*b & 0x0f) | entry << 4 : (*b & 0xf0) | entry);
}

static void control_slot(struct hsl_flit *f)
{
	f->ack = (uint16_t)(rng() & 0x3fff);
	random_bytes(f->credits, sizeof(f->credits));
}

static struct hsl_flit empty_flit(void)
{
	struct hsl_flit f = { .hdr = 0 };

	memset(f.slot_map, 0xff, sizeof(f.slot_map));
	control_slot(&f);
	return f;
}

static void put_slot(struct dir *d, struct sent *s, uint32_t slot)
{
	set_map(&s->flit, slot, d->rest_vc | (d->rest_at ? 0 : 8));
	memcpy(s->flit.slot[slot], d->rest.u.slot[d->rest_at], HSL_SLOT_BYTES);
	if (++d->rest_at == d->rest_slots) {
		append(&s->packets, &d->rest_line);
		d->rest_slots = 0;
	}
}

/* The rest of a packet, then new ones and gaps; the last one may go on in the next flit. */
static void fill(struct dir *d, struct sent *s)
{
	s->flit = empty_flit();
	memset(&s->packets, 0, sizeof(s->packets));
	for (uint32_t slot = 0; slot < HSL_FLIT_SLOTS; slot++) {
		if (!d->rest_slots) {
			if (slot && one_in(4))
				continue;
			random_packet(d);
		}
		put_slot(d, s, slot);
	}
}

static void crc(struct hsl_flit *f)
{
	uint64_t v = hsl_crc64(f, offsetof(struct hsl_flit, crc));

	for (int i = 0; i < 8; i++)
		f->crc[i] = (uint8_t)(v >> (8 * i));
}

/* What comes out at the other end: as it was, damaged, or forbidden with a right CRC. */
static void receive(struct dir *d, struct hsl_flit f, const struct line *packets)
{
	uint32_t ahead = ((f.hdr & 0xfffu) - d->rx_expected) & d->seq_mask;
	bool numbered = f.hdr >> 12 == HSL_FLIT_DATA;
	int verdict = !ahead ? 0 : ahead < d->window ? 2 : numbered;

	now_ps += below(100000);
	switch (d->received ? below(12) : 11) {
	case 0:		/* lost */
		return;
	case 1:		/* damaged behind the control slot */
		((uint8_t *)&f)[18 + below(232)] ^= (uint8_t)(1u << below(8));
		record_flit(d, true, &f, false, 3, NULL);
		return;
	case 2:
		f.rsvd[below(2)] = (uint8_t)(1u << below(8));
		crc(&f);
		record_flit(d, true, &f, true, 3, NULL);
		return;
	case 3:
		set_map(&f, below(HSL_FLIT_SLOTS), 5 + below(3));
		crc(&f);
		record_flit(d, true, &f, true, 3, NULL);
		return;
	default:
		record_flit(d, true, &f, true, verdict, verdict ? NULL : packets);
		if (!verdict && numbered) {
			d->rx_expected = (d->rx_expected + 1) & d->seq_mask;
			d->received = true;
		}
	}
}

static void send(struct dir *d, uint32_t seq, int verdict)
{
	struct sent *s = &d->sent[seq % HISTORY];

	control_slot(&s->flit);
	hsl_flit_seal(&s->flit, seq, HSL_FLIT_DATA);
	record_flit(d, false, &s->flit, true, verdict, verdict ? NULL : &s->packets);
	receive(d, s->flit, &s->packets);
}

static void send_new(struct dir *d)
{
	fill(d, &d->sent[d->next % HISTORY]);
	send(d, d->next, 0);
	d->next = (d->next + 1) & d->seq_mask;
}

static void send_empty(struct dir *d)
{
	struct hsl_flit f = empty_flit();

	hsl_flit_seal(&f, d->next, one_in(2) ? HSL_FLIT_IDLE : HSL_FLIT_CONTROL);
	record_flit(d, false, &f, true, 0, NULL);
	receive(d, f, NULL);
}

/* Go back, once or until the other end has everything. */
static void replay(struct dir *d)
{
	for (uint32_t seq = d->rx_expected; seq != d->next; seq = (seq + 1) & d->seq_mask)
		send(d, seq, 1);
}

static void anything(void)
{
	static const uint32_t states[] = {
		HSL_LTSSM_POLLING, HSL_LTSSM_CONFIG, HSL_LTSSM_L0, HSL_LTSSM_L1, HSL_LTSSM_RECOVERY,
	};
	static const uint32_t down[] = {
		HSL_LTSSM_DETECT, HSL_LTSSM_DISABLED, HSL_LTSSM_HOT_RESET,
	};
	uint32_t i = below(NDIRS);
	struct dir *d = &dirs[i];

	now_ps += 1 + below(1000000);
	if (((d->next - d->rx_expected) & d->seq_mask) > 6 || one_in(6)) {
		replay(d);
		return;
	}
	switch (below(40)) {
	case 0: record_ts(d); break;
	case 1: record_state(i, states[below(5)]); break;
	case 2: record_state(i, down[below(3)]); break;
	case 3 ... 9: send_empty(d); break;
	default: send_new(d); break;
	}
}

struct step {
	uint32_t dir;
	uint8_t opcode;
	uint16_t src, dst, tag;
	uint32_t request, response;	/* steps + 1: who is answered, by whom */
};

/* One flit for each step, as sent only: who answers whom, and after what time. */
static void transactions(void)
{
	static const struct step steps[] = {
		{ 0, HSL_PKT_READ_S, 1, 2, 5, 0, 7 },
		{ 0, HSL_PKT_WRITE, 0x8001, 2, 5, 0, 4 },	/* another agent's 5 */
		{ 1, HSL_PKT_SNP_U, 2, 1, 77, 0, 5 },
		{ 1, HSL_PKT_GO, 2, 0x8001, 5, 2, 0 },
		{ 0, HSL_PKT_SNP_RSP, 1, 2, 77, 3, 0 },
		{ 0, HSL_PKT_WR_DATA, 0x8001, 2, 5, 0, 0 },
		{ 1, HSL_PKT_RSP_DATA, 2, 1, 5, 1, 0 },
		{ 1, HSL_PKT_RSP, 2, 0x8001, 5, 2, 0 },
		{ 0, HSL_PKT_ACK, 1, 2, 5, 0, 0 },
		{ 0, HSL_PKT_UPGRADE, 1, 2, 5, 0, 11 },		/* 5 again */
		{ 1, HSL_PKT_COMP, 2, 1, 5, 10, 0 },
	};
	unsigned long long first, sent_ps[sizeof(steps) / sizeof(steps[0])];

	record_state(0, HSL_LTSSM_DETECT);
	first = records;
	for (uint32_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		const struct step *t = &steps[i];
		struct dir *d = &dirs[t->dir];
		struct sent s = { .flit = empty_flit() };
		const struct opcode *o = opcodes;

		while (o->opcode != t->opcode)
			o++;
		packet(d, o, t->src, t->dst, t->tag);
		for (uint32_t slot = 2; d->rest_slots; slot++)
			put_slot(d, &s, slot);
		sent_ps[i] = now_ps += 1000;
		if (t->request) {
			want(&s.packets, REQUEST, "%llu", first + t->request);
			want(&s.packets, LATENCY, "%llu", sent_ps[i] - sent_ps[t->request - 1]);
		}
		if (t->response)
			want(&s.packets, RESPONSE, "%llu", first + t->response);
		hsl_flit_seal(&s.flit, d->next++, HSL_FLIT_DATA);
		record_flit(d, false, &s.flit, true, 0, &s.packets);
	}
}

static void write_header(void)
{
	struct hsl_link_cfg cfg = { .rx_slots = { 127, 127, 127, 127, 127 } };
	uint8_t block[HSL_PCAPNG_BLOCK_MAX];

	write_block(block, hsl_pcapng_section(block, "made by hand", "gen_capture"));
	for (uint32_t i = 0; i < NDIRS; i++) {
		struct hsl_pcapng_end e = {
			.node = dirs[i].src, .peer = dirs[i].dst,
			.bits_per_s = UINT64_C(1792000000000), .cfg = &cfg,
		};

		cfg.seq_bits = dirs[i].seq_mask == 0xfff ? 12 : 4;
		cfg.replay_flits = dirs[i].window - 1;
		write_block(block, hsl_pcapng_end(block, &e));
	}
	for (int c = 0; c < NCOLUMNS; c++)
		fprintf(expected, "%s%c", column_names[c], c + 1 < NCOLUMNS ? '\t' : '\n');
}

int main(int argc, char **argv)
{
	uint64_t count;

	if (argc != 5) {
		fprintf(stderr, "usage: gen_capture FILE.pcapng FILE.expected SEED RECORDS\n");
		return 2;
	}
	capture = fopen(argv[1], "wb");
	expected = fopen(argv[2], "w");
	if (!capture || !expected)
		die(argv[1]);
	rng_state = strtoull(argv[3], NULL, 0);
	count = strtoull(argv[4], NULL, 0);
	dirs[0].next = dirs[0].rx_expected = 4080;	/* as if begun in the middle; wraps soon */
	write_header();
	while (records < count)
		anything();
	transactions();
	if (fclose(capture) || fclose(expected))
		die("close");
	return 0;
}
