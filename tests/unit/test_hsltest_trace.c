/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The checker of captures: real traffic of the link layer over a bad wire has nothing wrong in it,
 * and each thing that is made wrong in such a capture is found under its requirement. Files that
 * are cut, damaged or made up do no harm.
 */
#include "model_test.h"

#include "model/link.h"
#include "model/pcapng.h"
#include "model/wire.h"
#include "tools/hsltest/trace.c"
#include "tools/hsltest/trace_file.c"

#define AGENTS		2u		/* of chip 1: 1, and its host port */
#define TAGS		16u
#define FLIT_AT		44u		/* in its block */
#define BYTES_MAX	(8u << 20)

enum view { AS_SENT = 1, AS_RECEIVED = 2, AT_ONE_END = 4 };

struct rig {
	struct hsl_link *end[2];
	struct hsl_wire wire[2];
	uint64_t now;
	int view;
	uint8_t *file;
	size_t len;
	/* by agent and tag: the opcode under way, and RETRYs it will still get */
	uint8_t asked[AGENTS][TAGS];
	uint8_t retries[AGENTS][TAGS];
	uint32_t to_ask;
	struct hsl_pkt queue[2][256];	/* answers that wait for room */
	uint32_t queued[2];
};

static const struct hsl_link_cfg link_cfg = {
	.seq_bits = 6, .replay_flits = 20,
	.rx_slots = { 12, 12, 12, 20, 6 }, .tx_slots = { 12, 12, 12, 12, 6 },
	.ack_ps = 3000, .replay_ps = 40000, .replay_rounds = 100,
};

static uint16_t agent_id(uint32_t i)
{
	return (uint16_t)(1 | (i ? HSL_AGENT_HOST_PORT : 0));
}

static struct hsl_pkt pkt(uint8_t opcode, uint16_t src, uint16_t dst, uint16_t tag)
{
	struct hsl_pkt p = { 0 };

	p.u.h.opcode = opcode;
	p.u.h.src = src;
	p.u.h.dst = dst;
	p.u.h.tag = tag;
	p.u.h.addr = 64u * tag;
	if (opcode == HSL_PKT_ATOMIC)
		p.u.atomic.len = 8;
	return p;
}

static void say(struct rig *r, int end, const struct hsl_pkt *p)
{
	assert_true(r->queued[end] < 256);
	r->queue[end][r->queued[end]++] = *p;
}

static void push(struct rig *r, int end)
{
	while (r->queued[end] && !hsl_link_send(r->end[end], &r->queue[end][0])) {
		r->queued[end]--;
		memmove(r->queue[end], r->queue[end] + 1, r->queued[end] * sizeof(struct hsl_pkt));
	}
}

static void ask(struct rig *r)
{
	static const uint8_t ops[] = {
		HSL_PKT_READ, HSL_PKT_READ_S, HSL_PKT_READ_U, HSL_PKT_UPGRADE, HSL_PKT_ATOMIC,
		HSL_PKT_WRITE, HSL_PKT_WRITE_BACK, HSL_PKT_AUTH,
	};
	uint32_t a = rng_below(AGENTS), tag = rng_below(TAGS);
	struct hsl_pkt p;

	if (!r->to_ask || r->asked[a][tag])
		return;
	r->to_ask--;
	r->asked[a][tag] = ops[rng_below(sizeof(ops))];
	r->retries[a][tag] = (uint8_t)(rng_below(4) == 0);
	p = pkt(r->asked[a][tag], agent_id(a), 2, (uint16_t)tag);
	say(r, 0, &p);
}

/* The home, chip 2: answers at once. */
static void home(struct rig *r, const struct hsl_pkt *p)
{
	uint32_t a = p->u.h.src == agent_id(1);
	struct hsl_pkt out = pkt(0, 2, p->u.h.src, p->u.h.tag);

	if (hsl_pkt_vc(p->u.h.opcode) == HSL_VC_REQ && r->retries[a][p->u.h.tag] &&
	    p->u.h.opcode != HSL_PKT_AUTH) {
		r->retries[a][p->u.h.tag]--;
		out.u.h.opcode = HSL_PKT_RETRY;
		say(r, 1, &out);
		out.u.h.opcode = HSL_PKT_GRANT;
		say(r, 1, &out);
		return;
	}
	switch (p->u.h.opcode) {
	case HSL_PKT_READ:
	case HSL_PKT_READ_S:
	case HSL_PKT_READ_U: out.u.h.opcode = HSL_PKT_RSP_DATA; break;
	case HSL_PKT_UPGRADE: out.u.h.opcode = HSL_PKT_COMP; break;
	case HSL_PKT_WRITE:
	case HSL_PKT_WRITE_BACK: out.u.h.opcode = HSL_PKT_GO; break;
	case HSL_PKT_ATOMIC:
	case HSL_PKT_AUTH: out.u.h.opcode = HSL_PKT_RSP; break;
	case HSL_PKT_WR_DATA:
		if (!p->u.wr.mask)
			return;
		out.u.h.opcode = HSL_PKT_RSP;
		break;
	default: return;
	}
	say(r, 1, &out);
}

static void requester(struct rig *r, const struct hsl_pkt *p)
{
	uint32_t a = p->u.h.dst == agent_id(1);
	uint8_t *asked = &r->asked[a][p->u.h.tag];
	struct hsl_pkt out = pkt(HSL_PKT_ACK, p->u.h.dst, 2, p->u.h.tag);

	switch (p->u.h.opcode) {
	case HSL_PKT_RETRY: return;
	case HSL_PKT_GRANT:
		out = pkt(*asked, p->u.h.dst, 2, p->u.h.tag);
		out.u.h.flags = HSL_PKT_F_GRANTED;
		break;
	case HSL_PKT_GO:
		out.u.h.opcode = HSL_PKT_WR_DATA;
		out.u.wr.mask = *asked == HSL_PKT_WRITE;	/* else nothing comes any more */
		if (*asked == HSL_PKT_WRITE_BACK)
			*asked = 0;
		break;
	default: {
		bool ack = *asked != HSL_PKT_READ && p->u.h.opcode != HSL_PKT_RSP;

		*asked = 0;
		if (!ack)
			return;
		break;
	}
	}
	say(r, 0, &out);
}

static void add(struct rig *r, const uint8_t *block, size_t len)
{
	assert_true(r->len + len <= BYTES_MAX);
	memcpy(r->file + r->len, block, len);
	r->len += len;
}

static void capture(struct rig *r, int from, bool rx, const struct hsl_flit *f)
{
	struct hsl_pcapng_at at = {
		.end = (uint32_t)(rx ? !from : from), .src = (uint16_t)(from + 1),
		.dst = (uint16_t)(!from + 1), .seq_bits = 6, .rx = rx, .time_ps = r->now,
	};
	uint8_t block[HSL_PCAPNG_BLOCK_MAX];

	if (r->view == AT_ONE_END ? (rx ? from != 1 : from != 0) : !(r->view & (rx ? 2 : 1)))
		return;
	add(r, block, hsl_pcapng_flit(block, &at, f));
}

static void speak(struct rig *r, int from)
{
	struct hsl_wire_out out[2];
	struct hsl_flit f;

	while (hsl_link_tx(r->end[from], r->now, &f)) {
		uint32_t n = hsl_wire_pass(&r->wire[from], &f, out);

		capture(r, from, false, &f);
		for (uint32_t i = 0; i < n; i++) {
			capture(r, from, true, &out[i].flit);
			hsl_link_rx(r->end[!from], r->now, &out[i].flit);
		}
	}
}

static void rig_make(struct rig *r, int view, uint32_t requests)
{
	const struct hsl_wire_cfg bad = {
		.bit_error = hsl_wire_probability(2e-5), .drop = hsl_wire_probability(0.02),
		.duplicate = hsl_wire_probability(0.02),
	};
	uint8_t block[HSL_PCAPNG_BLOCK_MAX];
	struct hsl_pkt p;

	memset(r, 0, sizeof(*r));
	r->view = view;
	r->to_ask = requests;
	r->file = malloc(BYTES_MAX);
	assert_non_null(r->file);
	add(r, block, hsl_pcapng_section(block, NULL, "test_hsltest_trace"));
	for (int i = 0; i < 2; i++) {
		struct hsl_pcapng_end e = {
			.node = (uint16_t)(i + 1), .peer = (uint16_t)(!i + 1), .cfg = &link_cfg,
		};

		add(r, block, hsl_pcapng_end(block, &e));
		r->end[i] = malloc(hsl_link_size(&link_cfg));
		assert_non_null(r->end[i]);
		assert_int_equal(hsl_link_init(r->end[i], &link_cfg, &link_cfg), 0);
		hsl_wire_init(&r->wire[i], &bad, rng());
	}
	for (uint32_t k = 0; k < 4; k++) {
		struct hsl_pcapng_at at = {
			.end = k & 1, .src = (uint16_t)((k & 1) + 1),
			.dst = (uint16_t)(2 - (k & 1)),
		};
		uint32_t enters = k < 2 ? HSL_LTSSM_DETECT : HSL_LTSSM_L0;

		add(r, block, hsl_pcapng_state(block, &at, enters, 0, 0));
	}
	while (r->to_ask || r->queued[0] || r->queued[1] || !hsl_link_quiet(r->end[0]) ||
	       !hsl_link_quiet(r->end[1])) {
		r->now += 1000;
		if (rng_below(2))
			ask(r);
		for (int i = 0; i < 2; i++) {
			push(r, i);
			assert_false(hsl_link_timer(r->end[i], r->now));
			speak(r, i);
			for (uint32_t vc = 0; vc < HSL_VC_COUNT; vc++)
				while (r->queued[i] < 200 && hsl_link_recv(r->end[i], vc, &p))
					i ? home(r, &p) : requester(r, &p);
		}
	}
	for (int i = 0; i < 2; i++)
		free(r->end[i]);
}

static void show(const struct ht_trace_result *res)
{
	for (const struct ht_trace_verdict *v = res->req; v < res->req + HT_TRACE_REQS; v++)
		print_message("# %s: %llu checked, %llu violations, record %llu: %s\n", v->id,
			      (unsigned long long)v->checked, (unsigned long long)v->violations,
			      (unsigned long long)v->record, v->text);
}

static void nothing_wrong(const uint8_t *file, size_t len)
{
	struct ht_trace_result res;

	assert_int_equal(ht_trace_check(file, len, true, &res), 0);
	assert_true(res.flits > 1000);
	assert_int_equal(res.skipped, 0);
	for (int i = 0; i < HT_TRACE_REQS; i++) {
		if (res.req[i].violations || !res.req[i].checked) {
			show(&res);
			fail_msg("%s", res.req[i].id);
		}
	}
	assert_int_equal(res.open, 0);
}

static void test_good(void **state)
{
	static const int views[] = { AS_SENT, AS_SENT | AS_RECEIVED, AT_ONE_END };
	struct rig r;

	(void)state;
	rng_seed();
	for (unsigned int i = 0; i < 3 * 4; i++) {
		rig_make(&r, views[i % 3], 1500);
		nothing_wrong(r.file, r.len);
		free(r.file);
	}
}

/* A capture that begins and ends in the middle. */
static void test_part(void **state)
{
	struct ht_trace_result res;
	struct rig r;

	(void)state;
	rng_seed();
	rig_make(&r, AS_SENT | AS_RECEIVED, 1500);
	for (int i = 0; i < 40; i++) {
		struct ht_trace_file f;
		struct ht_trace_record rec;
		size_t head = 0, from = 0, to = r.len, cut = 100 + rng_below(2000), at;
		uint8_t *part = malloc(r.len);

		assert_non_null(part);
		ht_trace_open(&f, r.file, r.len);
		for (at = 0; ht_trace_next(&f, &rec) > HT_TRACE_EOF; at = f.at) {
			if (f.number == 0)
				head = f.at;
			if (f.number == cut)
				from = at;
			if (f.number == cut + 500)
				to = at;
		}
		ht_trace_close(&f);
		memcpy(part, r.file, head);
		memcpy(part + head, r.file + from, to - from);
		assert_int_equal(ht_trace_check(part, head + to - from, false, &res), 0);
		for (int k = 0; k < HT_TRACE_REQS; k++) {
			if (res.req[k].violations) {
				show(&res);
				fail_msg("%s in a part", res.req[k].id);
			}
		}
		free(part);
	}
	free(r.file);
}

/* ---- captures with one thing wrong ---- */

/* The n-th flit of a type that src sent from record `from` on: in place. NULL: none. */
static struct hsl_flit *nth(struct rig *r, uint16_t src, uint32_t type, uint64_t from)
{
	struct ht_trace_file f;
	struct ht_trace_record rec;
	struct hsl_flit *found = NULL;

	ht_trace_open(&f, r->file, r->len);
	while (!found && ht_trace_next(&f, &rec) > HT_TRACE_EOF) {
		if (f.number > 4 && f.number >= from && rec.src == src && rec.body[1] >> 4 == type)
			found = (struct hsl_flit *)(r->file + (rec.body - r->file));
	}
	ht_trace_close(&f);
	assert_non_null(found);
	return found;
}

static void seal(struct hsl_flit *f)
{
	uint64_t crc = hsl_crc64(f, offsetof(struct hsl_flit, crc));

	memcpy(f->crc, &crc, sizeof(crc));
}

static void set_entry(struct hsl_flit *f, uint32_t slot, uint32_t entry)
{
	uint8_t *b = &f->slot_map[slot / 2];

	*b = (uint8_t)(slot % 2 ? (*b & 0x0f) | entry << 4 : (*b & 0xf0) | entry);
}

/* True when src has sent this number a short while before: what differs then is that, and nothing else is looked at. */
static bool sent_again(struct rig *r, uint16_t src, const struct hsl_flit *flit)
{
	enum { KEPT = 40 };		/* more than replay_flits, fewer than there are numbers */
	uint16_t last[KEPT];
	struct ht_trace_file f;
	struct ht_trace_record rec;
	unsigned int n = 0;
	bool again = false;

	ht_trace_open(&f, r->file, r->len);
	while (ht_trace_next(&f, &rec) > HT_TRACE_EOF) {
		if (f.number <= 4 || rec.src != src || rec.body[1] >> 4 != HSL_FLIT_DATA)
			continue;
		if (rec.body == (const uint8_t *)flit)
			break;
		last[n++ % KEPT] = ((const struct hsl_flit *)rec.body)->hdr;
	}
	ht_trace_close(&f);
	for (unsigned int i = 0; i < n && i < KEPT; i++)
		again |= last[i] == flit->hdr;
	return again;
}

/* A data flit of src that begins a packet of this opcode; *slot is where. */
static struct hsl_flit *with(struct rig *r, uint16_t src, uint8_t opcode, uint32_t *slot)
{
	for (uint64_t from = 50;; from++) {
		struct hsl_flit *f = nth(r, src, HSL_FLIT_DATA, from);

		if (sent_again(r, src, f))
			continue;
		for (*slot = 0; *slot < HSL_FLIT_SLOTS; ++*slot)
			if (map_entry(f, *slot) != EMPTY && (map_entry(f, *slot) & START) &&
			    f->slot[*slot][0] == opcode)
				return f;
	}
}

static void wrong_crc(struct rig *r)
{
	nth(r, 1, HSL_FLIT_DATA, 100)->crc[3] ^= 1;
}

static void wrong_reserved(struct rig *r)
{
	struct hsl_flit *f = nth(r, 1, HSL_FLIT_DATA, 100);

	f->ack |= 0x8000;
	seal(f);
}

static void wrong_opcode(struct rig *r)
{
	uint32_t slot;
	struct hsl_flit *f = with(r, 1, HSL_PKT_READ, &slot);

	f->slot[slot][0] = 0x55;
	seal(f);
}

static void wrong_flag(struct rig *r)
{
	uint32_t slot;
	struct hsl_flit *f = with(r, 1, HSL_PKT_READ_S, &slot);

	f->slot[slot][1] = 0x10;
	seal(f);
}

static void wrong_cut(struct rig *r)
{
	uint32_t slot;
	struct hsl_flit *f = with(r, 1, HSL_PKT_READ, &slot);

	f->slot[slot][0] = HSL_PKT_AUTH;
	seal(f);
}

static void wrong_channel(struct rig *r)
{
	uint32_t slot;
	struct hsl_flit *f = with(r, 1, HSL_PKT_READ, &slot);

	set_entry(f, slot, START | HSL_VC_MGMT);
	seal(f);
}

static void wrong_number(struct rig *r)
{
	struct hsl_flit *f = nth(r, 1, HSL_FLIT_DATA, 100);

	f->hdr = (uint16_t)((f->hdr & ~0x3fu) | ((f->hdr + 30) & 0x3f));
	seal(f);
}

static void wrong_idle_number(struct rig *r)
{
	struct hsl_flit *f = nth(r, 1, HSL_FLIT_IDLE, 100);

	f->hdr ^= 1;
	seal(f);
}

static void wrong_ack(struct rig *r)
{
	struct hsl_flit *f = nth(r, 2, HSL_FLIT_IDLE, 100);

	f->ack = (uint16_t)((f->ack & ~0x3fu) | ((f->ack + 25) & 0x3f));
	seal(f);
}

static void wrong_credit(struct rig *r)
{
	struct hsl_flit *f = nth(r, 2, HSL_FLIT_IDLE, 100);

	f->credits[HSL_VC_REQ] = (uint8_t)(f->credits[HSL_VC_REQ] + 100);
	seal(f);
}

/* The receiver had less room than it said. */
static void wrong_room(struct rig *r)
{
	char *s = memmem(r->file, 400, "rx_slots=12,", 12);

	assert_non_null(s);
	memcpy(s, "rx_slots=01,", 12);
	s = memmem(s, 200, "rx_slots=12,", 12);
	assert_non_null(s);
	memcpy(s, "rx_slots=01,", 12);
}

static void wrong_nak(struct rig *r)
{
	struct hsl_flit *f, *next;

	for (uint64_t from = 50;; from++) {
		f = nth(r, 2, HSL_FLIT_DATA, from);
		next = nth(r, 2, HSL_FLIT_DATA, from + 1);
		if (f != next && f->ack == next->ack && !(f->ack & 0x1000))
			break;
	}
	f->ack |= 0x1000;
	next->ack |= 0x1000;
	seal(f);
	seal(next);
}

/* Replays have to say it too, so all requests with these tags are changed. */
static void change_tags(struct rig *r, uint16_t src, uint8_t opcode, uint16_t from, uint16_t to)
{
	struct ht_trace_file file;
	struct ht_trace_record rec;

	ht_trace_open(&file, r->file, r->len);
	while (ht_trace_next(&file, &rec) > HT_TRACE_EOF) {
		struct hsl_flit *f = (struct hsl_flit *)(r->file + (rec.body - r->file));

		if (file.number <= 4 || rec.src != src)
			continue;
		for (uint32_t i = 0; i < HSL_FLIT_SLOTS; i++)
			if (map_entry(f, i) != EMPTY && (map_entry(f, i) & START) &&
			    f->slot[i][0] == opcode && f->slot[i][2] == from)
				f->slot[i][2] = (uint8_t)to;
		seal(f);
	}
	ht_trace_close(&file);
}

static void wrong_tag(struct rig *r)
{
	change_tags(r, 1, HSL_PKT_READ, 3, 4);
}

static void wrong_answer(struct rig *r)
{
	change_tags(r, 2, HSL_PKT_RSP, 3, 4);
}

/* The capture ends where something is open. */
static void wrong_end(struct rig *r)
{
	struct ht_trace_file file;
	struct ht_trace_record rec;
	struct ht_trace_result res;

	ht_trace_open(&file, r->file, r->len);
	do {
		assert_true(ht_trace_next(&file, &rec) > HT_TRACE_EOF);
		ht_trace_check(r->file, file.at, false, &res);
	} while (!res.open);
	r->len = file.at;
	ht_trace_close(&file);
}

static void test_bad(void **state)
{
	static const struct {
		void (*spoil)(struct rig *);
		enum ht_trace_req req;
		const char *text;
	} bad[] = {
		{ wrong_crc, HT_TRACE_LNK_001, "wrong CRC" },
		{ wrong_reserved, HT_TRACE_LNK_001, "reserved bit" },
		{ wrong_opcode, HT_TRACE_LNK_001, "reserved opcode 0x55" },
		{ wrong_flag, HT_TRACE_LNK_001, "reserved flag" },
		{ wrong_cut, HT_TRACE_LNK_001, "ends before its last slot" },
		{ wrong_channel, HT_TRACE_LNK_002, "opcode 0x02 on virtual channel 4" },
		{ wrong_number, HT_TRACE_LNK_004, "is next" },
		{ wrong_idle_number, HT_TRACE_LNK_004, "a flit without slots" },
		{ wrong_ack, HT_TRACE_LNK_004, "acknowledges to" },
		{ wrong_credit, HT_TRACE_LNK_005, "says it freed" },
		{ wrong_room, HT_TRACE_LNK_005, "room for 1" },
		{ wrong_nak, HT_TRACE_LNK_007, "a second NAK" },
		{ wrong_tag, HT_TRACE_TXN_020, "uses tag 4 again" },
		{ wrong_answer, HT_TRACE_TXN_021, "which waits for none" },
		{ wrong_end, HT_TRACE_TXN_021, "has no answer" },
	};
	struct ht_trace_result res;
	struct rig r;

	(void)state;
	rng_seed();
	for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		rig_make(&r, AS_SENT, 1500);
		bad[i].spoil(&r);
		assert_int_equal(ht_trace_check(r.file, r.len, true, &res), 0);
		if (!res.req[bad[i].req].violations ||
		    !strstr(res.req[bad[i].req].text, bad[i].text)) {
			show(&res);
			fail_msg("not found: %s", bad[i].text);
		}
		free(r.file);
	}
}

/* ---- hostile files ---- */

static void test_hostile(void **state)
{
	struct ht_trace_result res;
	uint8_t *copy;
	struct rig r;
	size_t len;

	(void)state;
	rng_seed();
	rig_make(&r, AS_SENT, 20);
	len = r.len < 6000 ? r.len : 6000;
	for (size_t n = 0; n <= len; n++) {	/* of its own size: a byte too far is seen */
		copy = malloc(n ? n : 1);
		assert_non_null(copy);
		memcpy(copy, r.file, n);
		ht_trace_check(copy, n, true, &res);
		free(copy);
	}
	copy = malloc(len);
	assert_non_null(copy);
	for (int i = 0; i < 20000; i++) {
		memcpy(copy, r.file, len);
		for (uint32_t k = 1 + rng_below(8); k; k--)
			copy[rng_below(rng_below(2) ? 400 : (uint32_t)len)] = (uint8_t)rng();
		ht_trace_check(copy, len, true, &res);
	}
	free(copy);
	copy = (uint8_t *)"not a capture at all";
	assert_int_equal(ht_trace_check(copy, 20, true, &res), -EINVAL);
	assert_string_equal(res.error, "not a pcapng file");
	assert_int_equal(ht_trace_check(r.file, r.len - 1, true, &res), -EINVAL);
	assert_string_equal(res.error, "the file ends within a block");
	free(r.file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_part),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_hostile),
	};

	return cmocka_run_group_tests_name("hsltest trace", tests, NULL, NULL);
}
