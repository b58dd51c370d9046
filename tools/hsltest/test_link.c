/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Requirements of links that only their flits or an error on purpose show, by the test facilities of two neighbours: what their link
 * carries is captured and judged as a capture from elsewhere would be (trace.c), and links fail, leave and lose requests.
 */
#include <stdlib.h>

#include "lab.h"
#include "trace.h"

/* ------------------------------------------------------------------ captured */

static uint64_t drain(struct lab *l, struct lab_end *e, struct ht_trace_out *o)
{
	struct ht_trace_raw r;
	uint64_t lost = 0;

	while (lab_ask(l, e, HSL_CTF_CMD_NEXT, 0, &lost)) {
		HT_OK(l->t, hsl_ctf_record(e->ctf, &r));
		ht_trace_put(o, 0, &r);
	}
	return lost;
}

/* Traffic over a link that loses and damages some of its flits, as one end captures it. */
static void capture(struct lab *l, struct lab_end *e, struct ht_trace_out *o)
{
	const struct ht_trace_end name = { .node = (uint16_t)e->node, .peer = (uint16_t)(e == &l->here ? l->there.node : l->here.node) };
	uint64_t lost = 0;

	ht_trace_put_end(o, &name);
	lab_ask(l, e, HSL_CTF_CMD_CAPTURE, HSL_CTF_CAPTURE_TX | HSL_CTF_CAPTURE_RX, NULL);
	for (unsigned int i = 0; i < 40; i++) {
		if (i % 4 == 1)
			LAB_DO(l, i % 8 == 1 ? &l->here : &l->there, HSL_CTF_CMD_ARM, i % 3 ? HSL_CTF_ARM_DROP : HSL_CTF_ARM_CRC, (uint64_t)1 << 32 | 2,
			       ht_random_below(l->t, 8 * HSL_FLIT_BYTES));
		HT_OK(l->t, hsl_copy(l->q, l->ga, l->ga, 1024)); /* many at a time, and nothing new */
		lab_work(l, 6, "while it is captured");
		lost += drain(l, e, o);
	}
	LAB_DO(l, e, HSL_CTF_CMD_CAPTURE, 0, 0, 0);
	if (lost)
		HT_INCONCLUSIVE_TEST(l->t, "%llu records did not fit into the capture", (unsigned long long)lost);
}

/* What a capture shows of the test's requirement; how often it was checked. */
static uint64_t judge(struct ht *t, const struct ht_trace_out *o, uint32_t node)
{
	static struct ht_trace_result res;

	if (ht_trace_check(o->p, o->len, false, &res))
		HT_FAIL_TEST(t, "what chip %u captured is no capture: %s", node, res.error);
	for (unsigned int i = 0; i < HT_TRACE_REQS; i++) {
		const struct ht_trace_verdict *v = &res.req[i];

		if (strcmp(v->id, t->test->requirement))
			continue;
		HT_TRUE(t, !v->violations, "captured at chip %u: %llu violations in %llu checks; first in record %llu: %s", node,
			(unsigned long long)v->violations, (unsigned long long)v->checked, (unsigned long long)v->record, v->text);
		return v->checked;
	}
	return 0;
}

static void captured(struct ht *t)
{
	uint64_t checked = 0;
	struct lab l;

	lab_new(t, &l);
	lab_need(&l, HSL_CTF_CMD_CAPTURE, "CAPTURE");
	lab_need(&l, HSL_CTF_CMD_NEXT, "NEXT");
	lab_need(&l, HSL_CTF_CMD_ARM, "ARM");
	for (unsigned int i = 0; i < 2; i++) {
		struct lab_end *e = i ? &l.there : &l.here;
		struct ht_trace_out o = { 0 };

		capture(&l, e, &o);
		checked += judge(t, &o, e->node);
		free(o.p);
	}
	lab_memory(&l, "after it was captured");
	if (!checked)
		HT_INCONCLUSIVE_TEST(t, "the captures hold nothing that is about it");
	ht_note(t, "%llu checks of captured flits", (unsigned long long)checked);
	lab_free(&l);
}

/* ------------------------------------------------------------------ credits */

struct credit {
	uint64_t may[2][HSL_VC_COUNT]; /* slots that may be sent, from here, from there */
};

static void credit_now(struct lab *l, struct credit *c)
{
	for (uint64_t vc = 0; vc < HSL_VC_COUNT; vc++) {
		c->may[0][vc] = lab_ask(l, &l->here, HSL_CTF_CMD_CREDITS, vc, NULL);
		c->may[1][vc] = lab_ask(l, &l->there, HSL_CTF_CMD_CREDITS, vc, NULL);
	}
}

/* What was sent is freed again, but for what is too little to be told: a link that is at rest has the credit that it had. */
static void credit_conserved(struct ht *t)
{
	struct credit full, now;
	struct lab l;

	lab_new(t, &l);
	lab_need(&l, HSL_CTF_CMD_CREDITS, "CREDITS");
	lab_need(&l, HSL_CTF_CMD_ARM, "ARM");
	credit_now(&l, &full);
	for (unsigned int i = 0; i < 40; i++) {
		LAB_DO(&l, i % 2 ? &l.here : &l.there, HSL_CTF_CMD_ARM, HSL_CTF_ARM_DROP, (uint64_t)1 << 32 | i % 5, 0);
		lab_work(&l, 30, "while credits are watched");
		credit_now(&l, &now);
		for (unsigned int k = 0; k < 2 * HSL_VC_COUNT; k++) {
			const uint64_t was = full.may[k / HSL_VC_COUNT][k % HSL_VC_COUNT], is = now.may[k / HSL_VC_COUNT][k % HSL_VC_COUNT];

			HT_TRUE(t, is + lab_untold(was) >= was && is <= was + lab_untold(was), "channel %u: chip %u could send %llu slots at first, and after %u accesses %llu",
				k % HSL_VC_COUNT, k < HSL_VC_COUNT ? l.here.node : l.there.node, (unsigned long long)was, 30 * (i + 1), (unsigned long long)is);
		}
	}
	lab_memory(&l, "after credits were watched");
	lab_free(&l);
}

static uint64_t stalls(struct lab *l)
{
	static const char *const names[] = { "credit_stalls_req", "credit_stalls_rsp", "credit_stalls_snp", "credit_stalls_dat", "credit_stalls_mgmt" };
	uint64_t n = 0;

	for (unsigned int vc = 0; vc < HSL_VC_COUNT; vc++)
		n += lab_counter(l, &l->here, names[vc]) + lab_counter(l, &l->there, names[vc]);
	return n;
}

/* Streams of as many lines as a chip reads and writes at a time. */
static void never_stopped(struct ht *t)
{
	uint64_t before;
	struct lab l;

	lab_new(t, &l);
	ht_need_tool(t, HSL_CAP_COUNTERS, "counters");
	before = stalls(&l);
	for (unsigned int i = 0; i < 50; i++) {
		HT_OK(t, hsl_copy(l.q, l.ga, l.ga + LAB_LEN / 2, LAB_LEN / 2));
		HT_OK(t, hsl_fill(l.q, l.ga, LAB_LEN, i));
	}
	before = stalls(&l) - before;
	HT_TRUE(t, !before, "%llu flits left while a packet waited for credit", (unsigned long long)before);
	lab_free(&l);
}

/* ------------------------------------------------------------------ links that go */

#define BUSY_LEN ((uint64_t)256 << 10) /* more than a cache may hold */

/* Both sides forget what the link took with it, before they take something new; a command of the facility waits for what is under way. */
static void works_again(struct lab *l)
{
	struct ht_limit limit = ht_limit(HT_OP_LIMIT_S);
	uint64_t v;
	int rc;

	do {
		lab_ask(l, &l->here, HSL_CTF_CMD_COUNT, 0, NULL);
		rc = hsl_load(l->q, l->ga, 8, &v);
	} while (rc == hsl_status_errno(HSL_ST_UNREACHABLE) && !ht_limit_over(&limit));
	HT_TRUE(l->t, !rc, "the link works again, and a load over it ends with %s", ht_errno_name(rc));
}

/* No lane works, so no training can end well. */
static void no_lane(struct ht *t)
{
	struct hsl_path_props p = { .size = sizeof(p) };
	uint32_t width;
	uint64_t v;
	struct lab l;
	int rc;

	lab_new(t, &l);
	lab_need(&l, HSL_CTF_CMD_LANE, "LANE");
	lab_need(&l, HSL_CTF_CMD_COUNT, "COUNT");
	lab_work(&l, 30, "before all lanes fail");
	width = lab_link(&l, &l.here).width;
	for (uint32_t lane = 0; lane < width; lane++)
		LAB_DO(&l, &l.here, HSL_CTF_CMD_LANE, lane, 0, 0);
	HT_TRUE(t, !lab_carries(&(struct hsl_link_props){ .state = lab_link(&l, &l.here).state }) &&
			   !lab_carries(&(struct hsl_link_props){ .state = lab_link(&l, &l.there).state }),
		"no lane works, and the ends are in states %u and %u", lab_link(&l, &l.here).state, lab_link(&l, &l.there).state);
	HT_TRUE(t, lab_link(&l, &l.here).state != HSL_LTSSM_DISABLED && lab_link(&l, &l.there).state != HSL_LTSSM_DISABLED,
		"a link that cannot be trained ends in DETECT, and one of its ends is DISABLED");
	rc = hsl_topology_path(t->f, l.here.node, l.there.node, &p);
	if (rc == -EHOSTUNREACH)
		HT_RC(t, hsl_load(l.q, l.ga, 8, &v), hsl_status_errno(HSL_ST_UNREACHABLE));
	else
		lab_work(&l, 30, "on another way");
	for (uint32_t lane = width; lane--;) /* lane 0 last, without which there is no width */
		LAB_DO(&l, &l.here, HSL_CTF_CMD_LANE, lane, 1, 0);
	lab_wait_up(&l, width, "when the lanes work again");
	works_again(&l);
	lab_work(&l, 30, "when the lanes work again");
	lab_memory(&l, "when the lanes work again");
	lab_free(&l);
}

/*
 * Who has what it wanted of its last lines still owes their home an acknowledgement, and what had to leave the cache for them: that is
 * under way when the command completes.
 */
static void leave_under_way(struct lab *l, const struct hsl_segment *s, uint64_t round)
{
	HT_OK(l->t, hsl_fill(l->q, hsl_segment_ga(s) + round % 2 * (BUSY_LEN / 2), BUSY_LEN / 2, round));
}

static void leaves(struct ht *t)
{
	struct hsl_segment_opts o = { .size = sizeof(o), .flags = HSL_SEGMENT_OBSERVABLE };
	struct hsl_segment *busy;
	uint64_t lost;
	struct lab l;
	int rc;

	lab_new(t, &l);
	HT_OK(t, hsl_segment_alloc(t->f, l.there.node, BUSY_LEN, &o, &busy));
	ht_need_tool(t, HSL_CAP_COUNTERS, "counters");
	lab_need(&l, HSL_CTF_CMD_STATE, "STATE");
	lost = lab_counter_of(t, l.here.node, HSL_COUNTERS_CHIP, "net_lost") + lab_counter_of(t, l.there.node, HSL_COUNTERS_CHIP, "net_lost");
	for (unsigned int i = 0; i < 5; i++) {
		lab_work(&l, 30, "before the link leaves");
		leave_under_way(&l, busy, i);
		rc = lab_command(&l.here, HSL_CTF_CMD_STATE, HSL_CTF_STATE_LEAVE, 0, 0, NULL);
		if (rc == hsl_status_errno(HSL_ST_UNREACHABLE))
			HT_SKIP_TEST(t, "the link of chips %u and %u is some chip's only way", l.here.node, l.there.node);
		HT_TRUE(t, !rc, "STATE, leave: %s", ht_errno_name(rc));
		lab_work(&l, 60, "while the link leaves");
		HT_EQ(t, "state of the link that has left", lab_link(&l, &l.here).state, HSL_LTSSM_DISABLED);
		LAB_DO(&l, &l.here, HSL_CTF_CMD_STATE, HSL_CTF_STATE_ENABLE, 0, 0);
		lab_work(&l, 60, "while the link comes back");
		lab_wait_up(&l, 0, "when it is enabled again");
	}
	HT_EQ(t, "packets lost", lab_counter_of(t, l.here.node, HSL_COUNTERS_CHIP, "net_lost") + lab_counter_of(t, l.there.node, HSL_COUNTERS_CHIP, "net_lost"), lost);
	lab_memory(&l, "after the link left and came back");
	HT_OK(t, hsl_segment_free(busy));
	lab_free(&l);
}

/* ------------------------------------------------------------------ order */

struct way { /* what one end of all ways captures: new flits of each link, first slots of packets */
	struct lab_end end;
	uint8_t kind; /* HT_TRACE_F_RX: as received */
	bool known[HSL_LINK_MAX];
	uint32_t next[HSL_LINK_MAX];
	struct hsl_pkt_hdr *packet; /* between the two chips, in order */
	unsigned int n;
};
#define PACKETS_MAX 100000u

static unsigned int channel_of(uint8_t opcode)
{
	if (opcode == HSL_PKT_RSP_DATA || opcode == HSL_PKT_SNP_DATA || opcode == HSL_PKT_WR_DATA)
		return HSL_VC_DAT;
	return opcode >= HSL_PKT_RSP ? HSL_VC_RSP : opcode >= HSL_PKT_SNP_S ? HSL_VC_SNP : HSL_VC_REQ;
}

/* RSP and GRANT name no line. */
static bool names_line(const struct hsl_pkt_hdr *h)
{
	return h->opcode != HSL_PKT_RSP && h->opcode != HSL_PKT_GRANT;
}

static void way_packets(struct way *w, const struct hsl_flit *f, uint32_t src, uint32_t dst)
{
	struct hsl_pkt_hdr h;

	for (unsigned int i = 0; i < HSL_FLIT_SLOTS; i++) {
		const unsigned int entry = f->slot_map[i / 2] >> (i % 2 * 4) & 15;

		if (entry < 8 || entry == 15)
			continue;
		memcpy(&h, f->slot[i], sizeof(h));
		h.addr &= (UINT64_C(1) << 48) - 1; /* without hops */
		if ((h.src & ~HSL_AGENT_HOST_PORT) == src && (h.dst & ~HSL_AGENT_HOST_PORT) == dst && names_line(&h) && w->n < PACKETS_MAX)
			w->packet[w->n++] = h;
	}
}

static void way_drain(struct ht *t, struct way *w, uint32_t src, uint32_t dst)
{
	uint64_t r[2] = { 0, 0 }, crc;
	struct ht_trace_raw raw;
	struct hsl_flit f;

	while (!lab_command(&w->end, HSL_CTF_CMD_NEXT, 0, 0, 0, r) && r[0]) {
		HT_OK(t, hsl_ctf_record(w->end.ctf, &raw));
		memcpy(&f, raw.body, sizeof(f));
		crc = ht_crc64(&f, offsetof(struct hsl_flit, crc));
		if (raw.kind != HT_TRACE_FLIT || (raw.flags & HT_TRACE_F_RX) != w->kind || raw.link >= HSL_LINK_MAX || memcmp(&crc, f.crc, sizeof(crc)) ||
		    f.hdr >> HSL_FLIT_SEQ_BITS != HSL_FLIT_DATA)
			continue;
		f.hdr &= (1u << HSL_FLIT_SEQ_BITS) - 1;
		if (w->known[raw.link] && f.hdr != w->next[raw.link])
			continue; /* sent again, or out of order */
		w->known[raw.link] = true;
		w->next[raw.link] = (f.hdr + 1) % (1u << HSL_FLIT_SEQ_BITS);
		way_packets(w, &f, src, dst);
	}
	if (r[1])
		HT_INCONCLUSIVE_TEST(t, "%llu records of chip %u did not fit into the capture", (unsigned long long)r[1], w->end.node);
}

/* The next packet from *at on of the same line and channel as h; false: none. */
static bool next_of(const struct way *w, unsigned int *at, const struct hsl_pkt_hdr *h)
{
	for (; *at < w->n; ++*at) {
		const struct hsl_pkt_hdr *p = &w->packet[*at];

		if (p->src == h->src && p->dst == h->dst && p->addr / 64 == h->addr / 64 && channel_of(p->opcode) == channel_of(h->opcode))
			return true;
	}
	return false;
}

/* Both chips want the same few lines, so that requests, acknowledgements and answers to snoops of a line follow each other. */
static void contend(struct ht *t, struct hsl_queue *const q[2], uint64_t ga)
{
	struct hsl_completion c[16];
	struct hsl_op ops[16];

	for (unsigned int k = 0; k < 2; k++) {
		for (unsigned int i = 0; i < 16; i++) {
			const uint64_t at = ga + 64 * ht_random_below(t, 4);

			ops[i] = ht_random_below(t, 3) ? hsl_op_store(at, i, 8) : hsl_op_load(0, at, 8);
			ops[i].order = HSL_ORDER_RELAXED;
			ops[i].cookie = i;
		}
		ht_submit_all(t, q[k], ops, 16);
	}
	for (unsigned int k = 0; k < 2; k++) {
		ht_wait_all(t, q[k], c, 16);
		for (unsigned int i = 0; i < 16; i++)
			ht_status(t, &c[i], HSL_ST_OK, "a command on a line that two chips want");
	}
}

/* Packets of a line leave one chip and arrive at another one in the same order. */
static void in_order(struct ht *t)
{
	struct hsl_segment_opts o = { .size = sizeof(o), .flags = HSL_SEGMENT_OBSERVABLE };
	const uint32_t a = t->chip[0].node, b = t->chip[t->nchips / 2].node;
	struct way from = { .end.node = a, .kind = 0 }, to = { .end.node = b, .kind = HT_TRACE_F_RX };
	struct hsl_segment *seg;
	struct hsl_queue *q[2];

	ht_need_tool(t, HSL_CAP_MODELLED, "observable memory");
	ht_need_tool(t, HSL_CAP_OP_LOADSTORE, "LOAD and STORE");
	ht_need_tool(t, HSL_CAP_CTF, "a test facility");
	from.end.ctf = lab_ctf_open(t, a);
	to.end.ctf = lab_ctf_open(t, b);
	if (!lab_has(&from.end, HSL_CTF_CMD_CAPTURE) || !lab_has(&to.end, HSL_CTF_CMD_CAPTURE))
		HT_SKIP_TEST(t, "the facility has no CAPTURE");
	from.packet = calloc(PACKETS_MAX, sizeof(*from.packet));
	to.packet = calloc(PACKETS_MAX, sizeof(*to.packet));
	if (!from.packet || !to.packet)
		abort();
	q[0] = ht_queue_new(t, a, 0);
	q[1] = ht_queue_new(t, b, 0);
	HT_OK(t, hsl_segment_alloc(t->f, b, LAB_LEN, &o, &seg));
	HT_OK(t, lab_command(&from.end, HSL_CTF_CMD_CAPTURE, HSL_CTF_CAPTURE_TX | HSL_CTF_CAPTURE_ALL_LINKS, 0, 0, NULL));
	HT_OK(t, lab_command(&to.end, HSL_CTF_CMD_CAPTURE, HSL_CTF_CAPTURE_RX | HSL_CTF_CAPTURE_ALL_LINKS, 0, 0, NULL));
	for (unsigned int i = 0; i < 60; i++) {
		contend(t, q, hsl_segment_ga(seg));
		way_drain(t, &from, a, b);
		way_drain(t, &to, a, b);
	}
	HT_TRUE(t, from.n, "chip %u has sent chip %u nothing that it captured", a, b);
	HT_EQ(t, "packets that arrived, of those sent", to.n, from.n);
	for (unsigned int i = 0; i < from.n; i++) {
		unsigned int at = 0;

		HT_TRUE(t, next_of(&to, &at, &from.packet[i]) && !memcmp(&to.packet[at], &from.packet[i], sizeof(to.packet[at])),
			"packet %u to chip %u, opcode 0x%02x, tag %u, line 0x%llx: another one of its line and channel arrived first", i, b,
			from.packet[i].opcode, from.packet[i].tag, (unsigned long long)from.packet[i].addr);
		to.packet[at].src = to.packet[at].dst = 0; /* it is found */
	}
	ht_note(t, "%u packets from chip %u to chip %u", from.n, a, b);
	free(from.packet);
	free(to.packet);
	hsl_ctf_close(from.end.ctf);
	hsl_ctf_close(to.end.ctf);
	ht_queue_free(t, q[0]);
	ht_queue_free(t, q[1]);
	HT_OK(t, hsl_segment_free(seg));
}

/* ------------------------------------------------------------------ requests */

/* Requests that are swallowed: each command ends once, with TIMEOUT, and has done nothing or all. */
static void swallowed(struct ht *t)
{
	uint64_t count, v, left;
	struct lab l;

	lab_new(t, &l);
	lab_need(&l, HSL_CTF_CMD_ARM, "ARM");
	lab_need(&l, HSL_CTF_CMD_COUNT, "COUNT");
	lab_work(&l, 9, "before requests are swallowed");
	for (unsigned int i = 0; i < 12; i++) {
		const struct hsl_op op = ht_op_atomic(HSL_ATOMIC_ADD, l.ga + LAB_COUNT_AT, 8, 1, 0);
		struct hsl_completion c;

		LAB_DO(&l, &l.here, HSL_CTF_CMD_ARM, HSL_CTF_ARM_SWALLOW, (uint64_t)1 << 32, 0);
		ht_op_run(t, l.q, &op, &c);
		ht_status(t, &c, HSL_ST_TIMEOUT, "ATOMIC whose request is swallowed");
		lab_ask(&l, &l.here, HSL_CTF_CMD_COUNT, 0, &left);
		HT_EQ(t, "requests still to be swallowed", left, 0);
		HT_OK(t, hsl_load(l.q, l.ga + LAB_COUNT_AT, 8, &count));
		v = l.shadow[LAB_LEN / 8 - 1];
		HT_TRUE(t, count == v || count == v + 1, "ATOMIC ADD of 1 ended with TIMEOUT, and %llu became %llu", (unsigned long long)v,
			(unsigned long long)count);
		l.shadow[LAB_LEN / 8 - 1] = count;
		lab_work(&l, 9, "after a request was swallowed");
	}
	lab_memory(&l, "after requests were swallowed");
	lab_free(&l);
}

/* Tags of requests that were sent and whose answers have not arrived, as the requester's end captures them. */
struct tags {
	bool waits[1u << 16];
	bool owed[1u << 16]; /* of commands that have ended */
	bool known[2];
	uint32_t next[2];  /* numbers of flits, sent and received */
	unsigned int late; /* answers that came after their command had ended */
};

static void tags_packet(struct lab *l, struct tags *g, const struct hsl_pkt_hdr *h, bool rx)
{
	if (!rx && h->opcode < HSL_PKT_SNP_S && h->src == l->here.node) {
		HT_TRUE(l->t, !g->waits[h->tag], "a request with tag %u is sent, which another one has whose answer can still come", h->tag);
		g->waits[h->tag] = true;
	} else if (rx && (h->opcode == HSL_PKT_RSP || h->opcode == HSL_PKT_RSP_DATA) && h->dst == l->here.node) {
		g->late += g->owed[h->tag];
		g->waits[h->tag] = g->owed[h->tag] = false;
	}
}

static void tags_record(struct lab *l, struct tags *g, const struct ht_trace_raw *r)
{
	const bool rx = r->flags & HT_TRACE_F_RX;
	struct hsl_pkt_hdr h;
	struct hsl_flit f;
	uint32_t number;

	memcpy(&f, r->body, sizeof(f));
	if (r->kind == HT_TRACE_STATE && r->body[0] != HSL_LTSSM_L0 && r->body[0] != HSL_LTSSM_L1 && r->body[0] != HSL_LTSSM_RECOVERY &&
	    r->body[0] != HSL_LTSSM_CONFIG)
		memset(g, 0, offsetof(struct tags, late)); /* through DETECT: nothing comes any more */
	number = f.hdr & ((1u << HSL_FLIT_SEQ_BITS) - 1);
	if (r->kind != HT_TRACE_FLIT || f.hdr >> HSL_FLIT_SEQ_BITS != HSL_FLIT_DATA || (g->known[rx] && number != g->next[rx]))
		return;
	g->known[rx] = true;
	g->next[rx] = (number + 1) % (1u << HSL_FLIT_SEQ_BITS);
	for (unsigned int i = 0; i < HSL_FLIT_SLOTS; i++) {
		const unsigned int entry = f.slot_map[i / 2] >> (i % 2 * 4) & 15;

		if (entry < 8 || entry == 15)
			continue;
		memcpy(&h, f.slot[i], sizeof(h));
		tags_packet(l, g, &h, rx);
	}
}

/* A capture begins: of `room` records. */
static uint64_t tags_capture(struct lab *l)
{
	return lab_ask(l, &l->here, HSL_CTF_CMD_CAPTURE, HSL_CTF_CAPTURE_TX | HSL_CTF_CAPTURE_RX, NULL);
}

/* At most so many: a link that loses all has always more to show. Returns how many were lost. */
static uint64_t tags_drain(struct lab *l, struct tags *g, uint64_t room)
{
	struct ht_trace_raw r;
	uint64_t lost = 0;

	while (room-- && lab_ask(l, &l->here, HSL_CTF_CMD_NEXT, 0, &lost)) {
		HT_OK(l->t, hsl_ctf_record(l->here.ctf, &r));
		tags_record(l, g, &r);
	}
	return lost;
}

/* All that the other end sends is lost until the command has ended, and arrives afterwards. */
static void late_answers(struct ht *t)
{
	unsigned int timeouts = 0;
	uint64_t v, room, lost = 0;
	static struct tags g;
	struct lab l;
	int rc;

	lab_new(t, &l);
	lab_need(&l, HSL_CTF_CMD_WIRE, "WIRE");
	lab_need(&l, HSL_CTF_CMD_CAPTURE, "CAPTURE");
	lab_work(&l, 9, "before answers are late");
	for (unsigned int i = 0; i < 4; i++) {
		room = tags_capture(&l);
		LAB_DO(&l, &l.there, HSL_CTF_CMD_WIRE, HSL_CTF_WIRE_DROP, UINT64_MAX, 0);
		rc = hsl_load(l.q, l.ga + 8 * i, 8, &v);
		HT_TRUE(t, rc == hsl_status_errno(HSL_ST_TIMEOUT) || rc == hsl_status_errno(HSL_ST_UNREACHABLE), "a load whose answer is lost ends with %s",
			ht_errno_name(rc));
		timeouts += rc == hsl_status_errno(HSL_ST_TIMEOUT);
		ht_step(t, "looking for the request of load %u", i);
		tags_drain(&l, &g, room); /* the request is among the first */
		room = tags_capture(&l);
		rc = hsl_load(l.q, l.ga + LAB_LEN / 2, 8, &v);
		HT_TRUE(t, rc == hsl_status_errno(HSL_ST_TIMEOUT) || rc == hsl_status_errno(HSL_ST_UNREACHABLE),
			"a load behind one whose answer is lost ends with %s", ht_errno_name(rc));
		tags_drain(&l, &g, room);
		memcpy(g.owed, g.waits, sizeof(g.owed));
		tags_capture(&l);
		LAB_DO(&l, &l.there, HSL_CTF_CMD_WIRE, HSL_CTF_WIRE_DROP, 0, 0);
		works_again(&l);
		lost += tags_drain(&l, &g, room);
		for (unsigned int k = 0; k < 10; k++) {
			lab_work(&l, 9, "after an answer was late");
			lost += tags_drain(&l, &g, room);
		}
	}
	lab_memory(&l, "after answers were late");
	if (!timeouts || !g.late || lost)
		HT_INCONCLUSIVE_TEST(t, "%u loads ended with TIMEOUT, %u answers came afterwards, %llu records did not fit into the capture", timeouts, g.late,
				     (unsigned long long)lost);
	ht_note(t, "%u loads ended with TIMEOUT, %u answers came afterwards", timeouts, g.late);
	lab_free(&l);
}

#define STORM 64u

/* One of many commands at once, of chip k: on a word, or on as many lines as a chip asks for at a time. Half the memory is added to, the other moved. */
static struct hsl_op storm_op(struct ht *t, uint64_t ga, unsigned int i, unsigned int k)
{
	const uint64_t line = ga + 64 * ht_random_below(t, LAB_LEN / 2 / 64), move = ga + LAB_LEN / 2;

	switch (i % 4) {
	case 0: return ht_op_atomic(HSL_ATOMIC_ADD, line, 8, 1, 0);
	case 1: return hsl_op_store(line + 8 * (1 + k % 7), i, 8);
	case 2: return ht_op_copy(move, move + LAB_LEN / 4, LAB_LEN / 4);
	default: return hsl_op_load(0, line, 8);
	}
}

/* All chips at once want the same lines, more than some homes have room for: each command ends, and each RETRY has had its GRANT. */
static void storm(struct ht *t)
{
	struct hsl_segment_opts o = { .size = sizeof(o), .flags = HSL_SEGMENT_OBSERVABLE };
	struct hsl_queue *q[HT_CHIPS_MAX];
	struct hsl_completion c[STORM];
	struct hsl_op ops[STORM];
	struct hsl_segment *seg;
	const unsigned int n = t->nchips < 8 ? t->nchips : 8;
	const uint32_t home = t->chip[0].node;
	uint64_t retries, grants, v, sum = 0;

	ht_need_cap(t, HSL_CAP_MODELLED, "observable memory");
	ht_need_tool(t, HSL_CAP_COUNTERS, "counters");
	HT_OK(t, hsl_segment_alloc(t->f, home, LAB_LEN, &o, &seg));
	for (unsigned int k = 0; k < n; k++)
		q[k] = ht_queue_new(t, t->chip[k].node, STORM);
	retries = lab_counter_of(t, home, HSL_COUNTERS_CHIP, "home_retries");
	grants = lab_counter_of(t, home, HSL_COUNTERS_CHIP, "home_grants");
	for (unsigned int round = 0; round < 6; round++) {
		for (unsigned int k = 0; k < n; k++) {
			for (unsigned int i = 0; i < STORM; i++) {
				ops[i] = storm_op(t, hsl_segment_ga(seg), i, k);
				ops[i].order = HSL_ORDER_RELAXED;
				ops[i].cookie = i;
				sum += i % 4 == 0;
			}
			ht_submit_all(t, q[k], ops, STORM);
		}
		for (unsigned int k = 0; k < n; k++) {
			ht_step(t, "waiting for the commands of chip %u, round %u", t->chip[k].node, round);
			ht_wait_all(t, q[k], c, STORM);
			for (unsigned int i = 0; i < STORM; i++)
				ht_status(t, &c[i], HSL_ST_OK, "a command among many on few lines");
		}
	}
	for (unsigned int i = 0; i < LAB_LEN / 2 / 64; i++) {
		HT_OK(t, hsl_load(q[0], hsl_segment_ga(seg) + 64 * i, 8, &v));
		sum -= v;
	}
	HT_EQ(t, "ATOMIC ADDs that do not count", sum, 0);
	retries = lab_counter_of(t, home, HSL_COUNTERS_CHIP, "home_retries") - retries;
	grants = lab_counter_of(t, home, HSL_COUNTERS_CHIP, "home_grants") - grants;
	HT_EQ(t, "GRANTs for what was told RETRY", grants, retries);
	ht_note(t, "%u commands of %u chips on 64 lines, %llu told RETRY", 6 * n * STORM, n, (unsigned long long)retries);
	for (unsigned int k = 0; k < n; k++)
		ht_queue_free(t, q[k]);
	HT_OK(t, hsl_segment_free(seg));
}

const struct ht_test ht_tests_link[] = {
	{ "HEP-LNK-001", "captured_flits", "captured flits have the layout and a right CRC", captured, HT_F_TWO_CHIPS | HT_F_TRACE, 0 },
	{ "HEP-LNK-002", "captured_channels", "captured packets use the virtual channel of their opcode", captured, HT_F_TWO_CHIPS | HT_F_TRACE, 0 },
	{ "HEP-LNK-004", "captured_numbers", "captured numbers and acknowledgements follow each other, also over replays", captured, HT_F_TWO_CHIPS | HT_F_TRACE, 0 },
	{ "HEP-LNK-005", "credits_conserved", "a link at rest has the credit that it had, whatever it lost", credit_conserved, HT_F_TWO_CHIPS | HT_F_TRACE, 0 },
	{ "HEP-LNK-007", "captured_naks", "in captures a missing flit is answered by one NAK", captured, HT_F_TWO_CHIPS | HT_F_TRACE, 0 },
	{ "HEP-LNK-008", "stream_not_stopped", "streams wait for no credit", never_stopped, HT_F_TWO_CHIPS, 0 },
	{ "HEP-PHY-004", "phy_no_lane", "a link without lanes goes down and its accesses are answered; it comes back with its lanes", no_lane,
	  HT_F_TWO_CHIPS | HT_F_LINK, 0 },
	{ "HEP-NET-003", "packets_in_order", "packets of a line and channel arrive in the order in which they left, by whatever way", in_order, HT_F_TWO_CHIPS, 0 },
	{ "HEP-NET-004", "link_leaves", "a link that leaves in order, and comes back, loses nothing", leaves, HT_F_TWO_CHIPS | HT_F_LINK, 0 },
	{ "HEP-TXN-020", "captured_tags", "captured tags are unique among outstanding requests", captured, HT_F_TWO_CHIPS | HT_F_TRACE, 0 },
	{ "HEP-TXN-021", "captured_answers", "captured requests have one answer each", captured, HT_F_TWO_CHIPS | HT_F_TRACE, 0 },
	{ "HEP-TXN-027", "request_swallowed", "a command whose request is lost ends with TIMEOUT, once, done once or not", swallowed, HT_F_TWO_CHIPS, 0 },
	{ "HEP-TXN-028", "late_answers", "the tag of a request that ended with TIMEOUT is not used before its late answer", late_answers, HT_F_TWO_CHIPS, 0 },
	{ "HEP-COH-004", "coh_storm", "many commands on few lines all end, and each RETRY has its GRANT", storm, 0, 0 },
	{ 0 }
};
