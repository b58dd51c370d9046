// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Coherence, one side at a time (docs/hep.md section 12): a home whose agents are packets made
 * here, row by row of the requests table; an agent whose home is packets made here, every snoop in
 * every state. Then RETRY and GRANT, recall and eviction, poison, lost agents and homes, packets
 * that make no sense, and both sides together at random.
 */
#include "model_test.h"
#include "model/coh_priv.h"

#define HOME	2
#define NODES	40		/* two words of agents */
#define A	1
#define B	40
#define C	(HSL_AGENT_HOST_PORT | 40)
#define X	0x1000u		/* lines of one set */
#define Y	0x2000u
#define Z	0x3000u

static struct hsl_home *home_new(uint32_t ways, uint32_t requests)
{
	struct hsl_home_cfg cfg = { .id = HOME, .nodes = NODES, .sets = 4, .ways = ways,
				    .requests = requests };
	struct hsl_home *h = test_malloc(hsl_home_size(&cfg));

	memset(h, 0xa5, hsl_home_size(&cfg));
	assert_null(hsl_home_check(&cfg));
	assert_int_equal(hsl_home_init(h, &cfg), 0);
	return h;
}

static struct hsl_agent *agent_new(uint32_t ways, uint32_t requests)
{
	struct hsl_agent_cfg cfg = { .id = A, .tag_first = 0x100, .sets = 2, .ways = ways,
				     .requests = requests, .accesses = 8 };
	struct hsl_agent *a = test_malloc(hsl_agent_size(&cfg));

	memset(a, 0xa5, hsl_agent_size(&cfg));
	assert_null(hsl_agent_check(&cfg));
	assert_int_equal(hsl_agent_init(a, &cfg), 0);
	return a;
}

static void fill_line(uint8_t *data, uint8_t first)
{
	for (uint32_t i = 0; i < HSL_LINE_BYTES; i++)
		data[i] = (uint8_t)(first + i);
}

static void assert_line(const uint8_t *data, uint8_t first)
{
	uint8_t want[HSL_LINE_BYTES];

	fill_line(want, first);
	assert_memory_equal(data, want, sizeof(want));
}

/* ---- the home ---- */

static struct hsl_pkt packet(uint32_t opcode, uint32_t flags, uint32_t tag, uint32_t src,
			     uint64_t line)
{
	return hsl_coh_pkt(opcode, flags, tag, src, HOME, line);
}

/* By convention of these tests the tag of an agent's request is its id and 0x40. */
static uint32_t tag(uint32_t agent)
{
	return (agent & 0xff) | 0x40;
}

static void ask(struct hsl_home *h, uint32_t opcode, uint32_t agent, uint64_t line)
{
	struct hsl_pkt p = packet(opcode, 0, tag(agent), agent, line);

	assert_true(hsl_home_rx(h, &p));
}

static void ack(struct hsl_home *h, uint32_t agent, uint64_t line)
{
	ask(h, HSL_PKT_ACK, agent, line);
}

static struct hsl_pkt out(struct hsl_home *h, uint32_t opcode, uint32_t flags, uint32_t dst,
			  uint64_t line)
{
	struct hsl_pkt p;

	assert_int_equal(hsl_home_tx(h, &p), 1);
	assert_null(hsl_pkt_check(&p));
	assert_int_equal(p.u.h.opcode, opcode);
	assert_int_equal(p.u.h.flags, flags);
	assert_int_equal(p.u.h.src, HOME);
	assert_int_equal(p.u.h.dst, dst);
	if (opcode != HSL_PKT_RSP && opcode != HSL_PKT_GRANT)
		assert_int_equal(p.u.h.addr, line);
	if (hsl_pkt_vc(opcode) != HSL_VC_SNP && opcode != HSL_PKT_GRANT)
		assert_int_equal(p.u.h.tag, tag(dst));
	return p;
}

static void nothing(struct hsl_home *h)
{
	struct hsl_mem_op op;
	struct hsl_pkt p;

	assert_int_equal(hsl_home_tx(h, &p), 0);
	assert_int_equal(hsl_home_mem(h, &op), 0);
}

static uint32_t read_begins(struct hsl_home *h, uint64_t line)
{
	struct hsl_mem_op op;

	assert_int_equal(hsl_home_mem(h, &op), 1);
	assert_false(op.write);
	assert_int_equal(op.offset, line);
	return op.id;
}

static void read_ends(struct hsl_home *h, uint32_t id, uint8_t first, bool poison)
{
	uint8_t data[HSL_LINE_BYTES];

	fill_line(data, first);
	hsl_home_mem_data(h, id, poison, data);
}

/* The home reads the line, which begins with `first`. */
static void memory_read(struct hsl_home *h, uint64_t line, uint8_t first, bool poison)
{
	read_ends(h, read_begins(h, line), first, poison);
}

static struct hsl_mem_op memory_write(struct hsl_home *h, uint64_t line, bool poison)
{
	struct hsl_mem_op op;

	assert_int_equal(hsl_home_mem(h, &op), 1);
	assert_true(op.write);
	assert_int_equal(op.offset, line);
	assert_int_equal(op.poison, poison);
	return op;
}

/* The agent that was snooped answers, with or without dirty data. */
static void snooped(struct hsl_home *h, const struct hsl_pkt *snoop, uint32_t opcode,
		    uint32_t flags,
		   uint8_t first)
{
	struct hsl_pkt p = packet(opcode, flags, snoop->u.h.tag, snoop->u.h.dst, snoop->u.h.addr);

	if (opcode == HSL_PKT_SNP_DATA)
		fill_line(p.u.data.data, first);
	assert_true(hsl_home_rx(h, &p));
}

static bool wr_data(struct hsl_home *h, uint32_t agent, uint64_t line, uint64_t mask,
		    uint32_t flags,
		    uint8_t first)
{
	struct hsl_pkt p = packet(HSL_PKT_WR_DATA, flags, tag(agent), agent, line);

	p.u.wr.mask = mask;
	fill_line(p.u.wr.data, first);
	return hsl_home_rx(h, &p);
}

static uint32_t number(uint32_t agent)
{
	return (agent & HSL_AGENT_HOST_PORT ? NODES : 0) + (agent & 0x7fff) - 1;
}

static void assert_dir(struct hsl_home *h, uint64_t line, char state, bool want_busy, uint32_t a,
		       uint32_t b)
{
	uint64_t set[2], want[2] = { 0, 0 };
	bool busy;

	assert_int_equal(hsl_home_line(h, line, &busy, set, 2), state);
	assert_int_equal(busy, want_busy);
	if (a)
		want[number(a) / 64] |= UINT64_C(1) << number(a) % 64;
	if (b)
		want[number(b) / 64] |= UINT64_C(1) << number(b) % 64;
	assert_memory_equal(set, want, sizeof(set));
}

/* Get the directory to O(agent), or with two to S(agent, other). */
static void own(struct hsl_home *h, uint32_t agent, uint64_t line)
{
	ask(h, HSL_PKT_READ_S, agent, line);
	memory_read(h, line, 1, false);
	out(h, HSL_PKT_RSP_DATA, HSL_PKT_F_OWN, agent, line);
	ack(h, agent, line);
	assert_dir(h, line, 'O', false, agent, 0);
	nothing(h);
}

static void share(struct hsl_home *h, uint32_t agent, uint32_t other, uint64_t line)
{
	struct hsl_pkt s;

	own(h, agent, line);
	ask(h, HSL_PKT_READ_S, other, line);
	s = out(h, HSL_PKT_SNP_S, 0, agent, line);
	snooped(h, &s, HSL_PKT_SNP_RSP, HSL_PKT_F_FWD | HSL_PKT_F_KEEPS, 0);
	ack(h, other, line);
	assert_dir(h, line, 'S', false, agent, other);
	nothing(h);
}

static void done(struct hsl_home *h)
{
	nothing(h);
	assert_true(hsl_home_quiet(h));
	test_free(h);
}

static void test_read_s(void **state)
{
	struct hsl_home *h = home_new(2, 4);
	struct hsl_pkt s;

	(void)state;
	own(h, A, X);
	own(h, A, X);				/* O(requester): it dropped E */
	share(h, A, B, Y);
	ask(h, HSL_PKT_READ_S, C, Y);		/* S(set) */
	memory_read(h, Y, 7, false);
	s = out(h, HSL_PKT_RSP_DATA, 0, C, Y);
	assert_line(s.u.data.data, 7);
	ack(h, C, Y);
	hsl_home_lose(h, B);
	assert_dir(h, Y, 'S', false, A, C);
	done(h);

	h = home_new(2, 4);
	own(h, A, X);				/* O(a): dirty, acknowledged first */
	ask(h, HSL_PKT_READ_S, B, X);
	s = out(h, HSL_PKT_SNP_S, 0, A, X);
	assert_int_equal(s.u.snp.fwd, B);
	assert_int_equal(s.u.snp.fwd_tag, tag(B));
	ack(h, B, X);
	assert_dir(h, X, 'O', true, A, 0);
	snooped(h, &s, HSL_PKT_SNP_DATA, HSL_PKT_F_FWD | HSL_PKT_F_KEEPS, 9);
	assert_line(memory_write(h, X, false).data, 9);
	assert_dir(h, X, 'S', false, A, B);

	own(h, A, Y);				/* a writes it back: S(requester) */
	ask(h, HSL_PKT_READ_S, B, Y);
	s = out(h, HSL_PKT_SNP_S, 0, A, Y);
	snooped(h, &s, HSL_PKT_SNP_DATA, HSL_PKT_F_FWD, 9);
	memory_write(h, Y, false);
	assert_dir(h, Y, 'S', true, B, 0);
	ack(h, B, Y);
	done(h);

	h = home_new(2, 4);
	own(h, A, Z);				/* a has dropped it: O(requester) */
	ask(h, HSL_PKT_READ_S, B, Z);
	s = out(h, HSL_PKT_SNP_S, 0, A, Z);
	snooped(h, &s, HSL_PKT_SNP_RSP, 0, 0);
	memory_read(h, Z, 3, false);
	out(h, HSL_PKT_RSP_DATA, HSL_PKT_F_OWN, B, Z);
	assert_dir(h, Z, 'O', true, B, 0);
	ack(h, B, Z);
	done(h);
}

static void test_read_u(void **state)
{
	struct hsl_home *h = home_new(2, 4);
	struct hsl_pkt s;

	(void)state;
	ask(h, HSL_PKT_READ_U, A, X);		/* I, then O(requester) */
	memory_read(h, X, 1, false);
	out(h, HSL_PKT_RSP_DATA, HSL_PKT_F_OWN, A, X);
	ack(h, A, X);
	ask(h, HSL_PKT_READ_U, A, X);
	memory_read(h, X, 1, false);
	out(h, HSL_PKT_RSP_DATA, HSL_PKT_F_OWN, A, X);
	ack(h, A, X);
	ask(h, HSL_PKT_READ_U, B, X);		/* O(a), which serves */
	s = out(h, HSL_PKT_SNP_U, 0, A, X);
	assert_int_equal(s.u.snp.fwd, B);
	snooped(h, &s, HSL_PKT_SNP_RSP, HSL_PKT_F_FWD | HSL_PKT_F_DIRTY, 0);
	assert_dir(h, X, 'O', true, B, 0);
	ack(h, B, X);
	ask(h, HSL_PKT_READ_U, C, X);		/* O(a), which has dropped it */
	s = out(h, HSL_PKT_SNP_U, 0, B, X);
	snooped(h, &s, HSL_PKT_SNP_RSP, 0, 0);
	memory_read(h, X, 5, false);
	out(h, HSL_PKT_RSP_DATA, HSL_PKT_F_OWN, C, X);
	ack(h, C, X);
	assert_dir(h, X, 'O', false, C, 0);

	share(h, A, B, Y);			/* S(set): the others give up */
	ask(h, HSL_PKT_READ_U, B, Y);
	s = out(h, HSL_PKT_SNP_I, 0, A, Y);
	assert_int_equal(s.u.snp.fwd, 0);
	nothing(h);
	snooped(h, &s, HSL_PKT_SNP_RSP, 0, 0);
	memory_read(h, Y, 1, false);
	out(h, HSL_PKT_RSP_DATA, HSL_PKT_F_OWN, B, Y);
	ack(h, B, Y);
	assert_dir(h, Y, 'O', false, B, 0);
	done(h);
}

static void test_upgrade(void **state)
{
	struct hsl_home *h = home_new(2, 4);
	struct hsl_pkt s;

	(void)state;
	share(h, A, C, X);
	ask(h, HSL_PKT_UPGRADE, C, X);
	s = out(h, HSL_PKT_SNP_I, 0, A, X);
	ask(h, HSL_PKT_UPGRADE, A, X);		/* too late: as READ_U, after the first */
	nothing(h);
	snooped(h, &s, HSL_PKT_SNP_RSP, 0, 0);
	out(h, HSL_PKT_COMP, 0, C, X);
	assert_dir(h, X, 'O', true, C, 0);
	ack(h, C, X);
	s = out(h, HSL_PKT_SNP_U, 0, C, X);
	snooped(h, &s, HSL_PKT_SNP_RSP, HSL_PKT_F_FWD | HSL_PKT_F_DIRTY, 0);
	ack(h, A, X);
	assert_dir(h, X, 'O', false, A, 0);

	share(h, A, B, Y);			/* S without requester: as READ_U */
	ask(h, HSL_PKT_UPGRADE, C, Y);
	s = out(h, HSL_PKT_SNP_I, 0, A, Y);
	snooped(h, &s, HSL_PKT_SNP_RSP, 0, 0);
	s = out(h, HSL_PKT_SNP_I, 0, B, Y);
	snooped(h, &s, HSL_PKT_SNP_RSP, 0, 0);
	memory_read(h, Y, 1, false);
	out(h, HSL_PKT_RSP_DATA, HSL_PKT_F_OWN, C, Y);
	ack(h, C, Y);
	done(h);
}

static void test_write_back(void **state)
{
	struct hsl_home *h = home_new(2, 4);

	(void)state;
	own(h, A, X);
	ask(h, HSL_PKT_WRITE_BACK, A, X);
	out(h, HSL_PKT_GO, 0, A, X);
	assert_false(wr_data(h, A, X, 1, 0, 6));		/* a line, whole */
	assert_true(wr_data(h, A, X, UINT64_MAX, 0, 6));
	assert_line(memory_write(h, X, false).data, 6);
	assert_dir(h, X, 'I', false, 0, 0);

	own(h, A, X);				/* nothing dirty any more */
	ask(h, HSL_PKT_WRITE_BACK, A, X);
	out(h, HSL_PKT_GO, 0, A, X);
	ack(h, A, X);
	assert_dir(h, X, 'I', false, 0, 0);

	share(h, A, B, X);			/* not the owner any more: no data is taken */
	ask(h, HSL_PKT_WRITE_BACK, A, X);
	out(h, HSL_PKT_GO, 0, A, X);
	assert_false(wr_data(h, A, X, UINT64_MAX, 0, 6));
	ack(h, A, X);
	assert_dir(h, X, 'S', false, B, 0);
	own(h, B, Y);
	ask(h, HSL_PKT_WRITE_BACK, A, Y);
	out(h, HSL_PKT_GO, 0, A, Y);
	ack(h, A, Y);
	assert_dir(h, Y, 'O', false, B, 0);
	ask(h, HSL_PKT_WRITE_BACK, A, Z);
	out(h, HSL_PKT_GO, 0, A, Z);
	ack(h, A, Z);
	done(h);
}

static void test_read(void **state)
{
	struct hsl_home *h = home_new(2, 4);
	struct hsl_pkt s;

	(void)state;
	ask(h, HSL_PKT_READ, A, X);		/* I */
	memory_read(h, X, 4, false);
	assert_line(out(h, HSL_PKT_RSP_DATA, 0, A, X).u.data.data, 4);
	assert_dir(h, X, 'I', false, 0, 0);
	own(h, A, X);
	ask(h, HSL_PKT_READ, A, X);		/* O(requester) */
	memory_read(h, X, 4, false);
	out(h, HSL_PKT_RSP_DATA, 0, A, X);
	ask(h, HSL_PKT_READ, B, X);		/* O(a), clean */
	s = out(h, HSL_PKT_SNP_C, 0, A, X);
	snooped(h, &s, HSL_PKT_SNP_RSP, HSL_PKT_F_KEEPS, 0);
	memory_read(h, X, 4, false);
	out(h, HSL_PKT_RSP_DATA, 0, B, X);
	assert_dir(h, X, 'S', false, A, 0);
	ask(h, HSL_PKT_READ, B, X);		/* S */
	memory_read(h, X, 4, false);
	out(h, HSL_PKT_RSP_DATA, 0, B, X);
	own(h, A, Y);				/* O(a), dirty: no memory read */
	ask(h, HSL_PKT_READ, B, Y);
	s = out(h, HSL_PKT_SNP_C, 0, A, Y);
	snooped(h, &s, HSL_PKT_SNP_DATA, HSL_PKT_F_KEEPS, 8);
	assert_line(memory_write(h, Y, false).data, 8);
	assert_line(out(h, HSL_PKT_RSP_DATA, 0, B, Y).u.data.data, 8);
	assert_dir(h, Y, 'S', false, A, 0);
	test_free(h);
	h = home_new(2, 4);
	own(h, A, Y);				/* O(a), dropped */
	ask(h, HSL_PKT_READ, B, Y);
	s = out(h, HSL_PKT_SNP_C, 0, A, Y);
	snooped(h, &s, HSL_PKT_SNP_RSP, 0, 0);
	memory_read(h, Y, 4, false);
	out(h, HSL_PKT_RSP_DATA, 0, B, Y);
	assert_dir(h, Y, 'I', false, 0, 0);
	done(h);
}

static void test_write(void **state)
{
	struct hsl_home *h = home_new(2, 4);
	struct hsl_mem_op op;
	struct hsl_pkt s;

	(void)state;
	ask(h, HSL_PKT_WRITE, A, X);		/* I, two bytes: merged with memory */
	out(h, HSL_PKT_GO, 0, A, X);
	assert_true(wr_data(h, A, X, 3 << 8, 0, 0x80));
	memory_read(h, X, 0, false);
	op = memory_write(h, X, false);
	assert_int_equal(op.data[7], 7);
	assert_int_equal(op.data[8], 0x88);
	assert_int_equal(op.data[9], 0x89);
	assert_int_equal(op.data[10], 10);
	assert_int_equal(out(h, HSL_PKT_RSP, HSL_ST_OK, A, X).u.rsp.value, 0);

	share(h, A, B, X);			/* S: everybody gives up, the requester too */
	ask(h, HSL_PKT_WRITE, A, X);
	s = out(h, HSL_PKT_SNP_I, 0, A, X);
	snooped(h, &s, HSL_PKT_SNP_RSP, 0, 0);
	s = out(h, HSL_PKT_SNP_I, 0, B, X);
	nothing(h);
	snooped(h, &s, HSL_PKT_SNP_RSP, 0, 0);
	out(h, HSL_PKT_GO, 0, A, X);
	assert_true(wr_data(h, A, X, UINT64_MAX, 0, 0x10));	/* whole: memory is not read */
	assert_line(memory_write(h, X, false).data, 0x10);
	out(h, HSL_PKT_RSP, HSL_ST_OK, A, X);
	assert_dir(h, X, 'I', false, 0, 0);

	own(h, B, Y);				/* O, dirty: merged with what comes back */
	ask(h, HSL_PKT_WRITE, A, Y);
	s = out(h, HSL_PKT_SNP_I, 0, B, Y);
	snooped(h, &s, HSL_PKT_SNP_DATA, 0, 0x20);
	assert_line(memory_write(h, Y, false).data, 0x20);
	out(h, HSL_PKT_GO, 0, A, Y);
	assert_true(wr_data(h, A, Y, 1, 0, 0xff));
	op = memory_write(h, Y, false);
	assert_int_equal(op.data[0], 0xff);
	assert_int_equal(op.data[1], 0x21);
	out(h, HSL_PKT_RSP, HSL_ST_OK, A, Y);
	done(h);
}

static void test_atomic(void **state)
{
	static const struct {
		uint8_t subop, len;
		uint64_t old, arg0, arg1, now;
	} t[] = {
		{ HSL_ATOMIC_ADD, 8, 5, UINT64_MAX, 0, 4 },
		{ HSL_ATOMIC_ADD, 4, 0xffffffff, 1, 0, 0 },
		{ HSL_ATOMIC_SWAP, 8, 5, 6, 0, 6 },
		{ HSL_ATOMIC_CAS, 8, 5, 6, 5, 6 },
		{ HSL_ATOMIC_CAS, 8, 5, 6, 4, 5 },
		{ HSL_ATOMIC_CAS, 4, 5, 6, 0x100000005, 6 },
		{ HSL_ATOMIC_AND, 8, 6, 3, 0, 2 },
		{ HSL_ATOMIC_OR, 8, 6, 3, 0, 7 },
		{ HSL_ATOMIC_XOR, 8, 6, 3, 0, 5 },
		{ HSL_ATOMIC_MIN, 4, 0xffffffff, 1, 0, 0xffffffff },
		{ HSL_ATOMIC_MIN, 8, 0xffffffff, 1, 0, 1 },
		{ HSL_ATOMIC_MAX, 4, 0xffffffff, 1, 0, 1 },
		{ HSL_ATOMIC_MAX, 8, UINT64_MAX, 1, 0, 1 },
		{ HSL_ATOMIC_UMIN, 4, 0xffffffff, 1, 0, 1 },
		{ HSL_ATOMIC_UMAX, 8, UINT64_MAX, 1, 0, UINT64_MAX },
	};
	struct hsl_home *h = home_new(2, 4);
	uint8_t data[HSL_LINE_BYTES];
	struct hsl_mem_op op;
	struct hsl_pkt p;

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		uint64_t now = 0, rest;

		p = packet(HSL_PKT_ATOMIC, 0, tag(A), A, X + 16);
		p.u.atomic.subop = t[i].subop;
		p.u.atomic.len = t[i].len;
		p.u.atomic.arg0 = t[i].arg0;
		p.u.atomic.arg1 = t[i].arg1;
		assert_true(hsl_home_rx(h, &p));
		assert_int_equal(hsl_home_mem(h, &op), 1);
		memset(data, 0xee, sizeof(data));
		memcpy(data + 16, &t[i].old, t[i].len);
		hsl_home_mem_data(h, op.id, false, data);
		op = memory_write(h, X, false);
		memcpy(&now, op.data + 16, t[i].len);
		assert_int_equal(now, t[i].now);
		memcpy(&rest, op.data + 24, 8);
		assert_int_equal(rest, UINT64_C(0xeeeeeeeeeeeeeeee));
		assert_int_equal(op.data[16 + t[i].len], 0xee);
		assert_int_equal(out(h, HSL_PKT_RSP, HSL_ST_OK, A, X).u.rsp.value, t[i].old);
	}
	own(h, B, X);				/* O, dirty: written once, with the result */
	p = packet(HSL_PKT_ATOMIC, 0, tag(A), A, X + 8);
	p.u.atomic.subop = HSL_ATOMIC_ADD;
	p.u.atomic.len = 4;
	p.u.atomic.arg0 = 1;
	assert_true(hsl_home_rx(h, &p));
	p = out(h, HSL_PKT_SNP_I, 0, B, X);
	snooped(h, &p, HSL_PKT_SNP_DATA, 0, 0);
	op = memory_write(h, X, false);
	assert_int_equal(op.data[8], 9);
	out(h, HSL_PKT_RSP, HSL_ST_OK, A, X);
	assert_dir(h, X, 'I', false, 0, 0);
	done(h);
}

/* One line after the other, others meanwhile; in order of arrival. */
static void test_one_at_a_time(void **state)
{
	struct hsl_home *h = home_new(4, 8);
	struct hsl_pkt s;
	uint32_t read;

	(void)state;
	ask(h, HSL_PKT_READ_S, A, X);
	ask(h, HSL_PKT_READ, B, X);
	ask(h, HSL_PKT_READ_U, C, X);
	read = read_begins(h, X);
	own(h, A, Y);				/* another line does not wait */
	nothing(h);
	read_ends(h, read, 1, false);
	out(h, HSL_PKT_RSP_DATA, HSL_PKT_F_OWN, A, X);
	nothing(h);
	ack(h, A, X);
	s = out(h, HSL_PKT_SNP_C, 0, A, X);
	nothing(h);
	snooped(h, &s, HSL_PKT_SNP_RSP, HSL_PKT_F_KEEPS, 0);
	memory_read(h, X, 1, false);
	out(h, HSL_PKT_RSP_DATA, 0, B, X);
	s = out(h, HSL_PKT_SNP_I, 0, A, X);
	snooped(h, &s, HSL_PKT_SNP_RSP, 0, 0);
	memory_read(h, X, 1, false);
	out(h, HSL_PKT_RSP_DATA, HSL_PKT_F_OWN, C, X);
	ack(h, C, X);
	done(h);
}

static void test_retry(void **state)
{
	struct hsl_home *h = home_new(4, 2);
	struct hsl_pkt p = packet(HSL_PKT_READ, HSL_PKT_F_GRANTED, tag(C), C, X);
	uint32_t x, y;

	(void)state;
	ask(h, HSL_PKT_READ, A, X);
	x = read_begins(h, X);
	ask(h, HSL_PKT_READ, A, Y);
	y = read_begins(h, Y);
	ask(h, HSL_PKT_READ, B, X);
	out(h, HSL_PKT_RETRY, 0, B, X);
	ask(h, HSL_PKT_READ, B, Y);
	out(h, HSL_PKT_RETRY, 0, B, Y);
	ask(h, HSL_PKT_READ, C, X);
	out(h, HSL_PKT_RETRY, 0, C, X);
	assert_false(hsl_home_rx(h, &p));	/* C has no GRANT yet */
	read_ends(h, x, 1, false);
	out(h, HSL_PKT_RSP_DATA, 0, A, X);
	out(h, HSL_PKT_GRANT, 0, B, 0);
	nothing(h);
	ask(h, HSL_PKT_READ, A, Z);		/* the free entry is promised */
	out(h, HSL_PKT_RETRY, 0, A, Z);
	assert_false(hsl_home_rx(h, &p));
	p = packet(HSL_PKT_READ, HSL_PKT_F_GRANTED, tag(B), B, Y);
	assert_true(hsl_home_rx(h, &p));
	assert_false(hsl_home_rx(h, &p));
	read_ends(h, y, 1, false);
	out(h, HSL_PKT_RSP_DATA, 0, A, Y);
	out(h, HSL_PKT_GRANT, 0, C, 0);		/* B's second one waits for its turn */
	memory_read(h, Y, 1, false);
	out(h, HSL_PKT_RSP_DATA, 0, B, Y);
	out(h, HSL_PKT_GRANT, 0, B, 0);
	nothing(h);
	assert_false(hsl_home_quiet(h));
	test_free(h);
}

static void test_recall(void **state)
{
	struct hsl_home *h = home_new(2, 4);
	struct hsl_pkt s, r;

	(void)state;
	own(h, A, X);
	share(h, A, B, Y);
	ask(h, HSL_PKT_READ, C, X);		/* uses X: Y is older */
	s = out(h, HSL_PKT_SNP_C, 0, A, X);
	snooped(h, &s, HSL_PKT_SNP_RSP, HSL_PKT_F_KEEPS, 0);
	memory_read(h, X, 1, false);
	out(h, HSL_PKT_RSP_DATA, 0, C, X);
	ask(h, HSL_PKT_READ_S, C, Z);
	s = out(h, HSL_PKT_SNP_I, 0, A, Y);
	r = out(h, HSL_PKT_SNP_I, 0, B, Y);
	ask(h, HSL_PKT_READ, C, Y);		/* a line that is being recalled waits */
	nothing(h);
	snooped(h, &s, HSL_PKT_SNP_RSP, 0, 0);
	nothing(h);
	snooped(h, &r, HSL_PKT_SNP_RSP, 0, 0);
	assert_dir(h, Y, 'I', true, 0, 0);
	memory_read(h, Z, 1, false);
	out(h, HSL_PKT_RSP_DATA, HSL_PKT_F_OWN, C, Z);
	memory_read(h, Y, 1, false);
	out(h, HSL_PKT_RSP_DATA, 0, C, Y);
	ack(h, C, Z);
	assert_dir(h, Y, 'I', false, 0, 0);

	ask(h, HSL_PKT_READ_S, A,
	    Y);		/* the victim is X in S; then Z, dirty, with poison */
	s = out(h, HSL_PKT_SNP_I, 0, A, X);
	snooped(h, &s, HSL_PKT_SNP_RSP, 0, 0);
	memory_read(h, Y, 1, false);
	out(h, HSL_PKT_RSP_DATA, HSL_PKT_F_OWN, A, Y);
	ack(h, A, Y);
	ask(h, HSL_PKT_READ_S, A, X);
	s = out(h, HSL_PKT_SNP_I, 0, C, Z);
	snooped(h, &s, HSL_PKT_SNP_DATA, HSL_PKT_F_POISON, 0x33);
	assert_line(memory_write(h, Z, true).data, 0x33);
	memory_read(h, X, 0x44, false);
	s = out(h, HSL_PKT_RSP_DATA, HSL_PKT_F_OWN, A, X);	/* of Z's poison nothing is here */
	assert_line(s.u.data.data, 0x44);
	ack(h, A, X);
	done(h);
}

static void test_poison_at_home(void **state)
{
	struct hsl_home *h = home_new(2, 4);
	struct hsl_pkt p, s;

	(void)state;
	ask(h, HSL_PKT_READ_S, A, X);
	memory_read(h, X, 1, true);
	out(h, HSL_PKT_RSP_DATA, HSL_PKT_F_OWN | HSL_PKT_F_POISON, A, X);
	ack(h, A, X);
	ask(h, HSL_PKT_WRITE_BACK, A, X);
	out(h, HSL_PKT_GO, 0, A, X);
	assert_true(wr_data(h, A, X, UINT64_MAX, HSL_PKT_F_POISON, 1));
	memory_write(h, X, true);
	p = packet(HSL_PKT_ATOMIC, 0, tag(A), A, X);
	p.u.atomic.len = 8;
	assert_true(hsl_home_rx(h, &p));
	memory_read(h, X, 1, true);
	assert_int_equal(out(h, HSL_PKT_RSP, HSL_ST_POISON, A, X).u.rsp.value, 0);
	nothing(h);				/* and nothing is written */
	own(h, B, X);				/* poisoned and dirty in a cache: back to memory */
	assert_true(hsl_home_rx(h, &p));
	s = out(h, HSL_PKT_SNP_I, 0, B, X);
	snooped(h, &s, HSL_PKT_SNP_DATA, HSL_PKT_F_POISON, 1);
	memory_write(h, X, true);
	out(h, HSL_PKT_RSP, HSL_ST_POISON, A, X);
	ask(h, HSL_PKT_WRITE, A, X);		/* some bytes leave it poisoned, all heal it */
	out(h, HSL_PKT_GO, 0, A, X);
	assert_true(wr_data(h, A, X, 1, 0, 1));
	memory_read(h, X, 1, true);
	memory_write(h, X, true);
	out(h, HSL_PKT_RSP, HSL_ST_OK, A, X);
	ask(h, HSL_PKT_WRITE, A, X);
	out(h, HSL_PKT_GO, 0, A, X);
	assert_true(wr_data(h, A, X, UINT64_MAX, 0, 1));
	memory_write(h, X, false);
	out(h, HSL_PKT_RSP, HSL_ST_OK, A, X);
	ask(h, HSL_PKT_READ, A, X);
	memory_read(h, X, 1, true);
	out(h, HSL_PKT_RSP_DATA, HSL_PKT_F_POISON, A, X);
	done(h);
}

static void test_lost_agent(void **state)
{
	struct hsl_home *h = home_new(2, 4);
	struct hsl_pkt s;

	(void)state;
	own(h, A, X);				/* only A had it: poison, when somebody asks */
	share(h, A, B, Y);
	hsl_home_lose(h, A);
	nothing(h);
	assert_dir(h, X, 'P', false, 0, 0);
	assert_dir(h, Y, 'S', false, B, 0);
	ask(h, HSL_PKT_READ_S, C, X);
	memory_write(h, X, true);
	memory_read(h, X, 1, true);
	out(h, HSL_PKT_RSP_DATA, HSL_PKT_F_OWN | HSL_PKT_F_POISON, C, X);
	ack(h, C, X);
	done(h);

	h = home_new(1, 2);			/* snooped when it was lost */
	own(h, A, X);
	ask(h, HSL_PKT_READ_S, B, X);
	out(h, HSL_PKT_SNP_S, 0, A, X);
	hsl_home_lose(h, A);
	memory_write(h, X, true);
	memory_read(h, X, 0, true);
	out(h, HSL_PKT_RSP_DATA, HSL_PKT_F_OWN | HSL_PKT_F_POISON, B, X);
	ack(h, B, X);
	ask(h, HSL_PKT_READ_U, C, X);		/* it had served the requester */
	out(h, HSL_PKT_SNP_U, 0, B, X);
	ack(h, C, X);
	hsl_home_lose(h, B);
	assert_dir(h, X, 'O', false, C, 0);
	nothing(h);
	ask(h, HSL_PKT_READ_S, A, Y);		/* recalled from it */
	out(h, HSL_PKT_SNP_I, 0, C, X);
	hsl_home_lose(h, C);
	memory_write(h, X, true);
	memory_read(h, Y, 1, false);
	out(h, HSL_PKT_RSP_DATA, HSL_PKT_F_OWN, A, Y);
	ack(h, A, Y);
	done(h);

	for (unsigned int i = 0; i < 2; i++) {	/* it has served the requester: no second answer */
		struct hsl_pkt data;

		h = home_new(1, 2);
		own(h, A, X);
		ask(h, i ? HSL_PKT_READ_U : HSL_PKT_READ_S, B, X);
		s = out(h, i ? HSL_PKT_SNP_U : HSL_PKT_SNP_S, 0, A, X);
		data = hsl_coh_pkt(HSL_PKT_RSP_DATA, 0, s.u.snp.fwd_tag, A, s.u.snp.fwd, X);
		hsl_home_forwards(h, &data);
		hsl_home_lose(h, A);
		if (!i)
			memory_write(h, X, true);	/* what it sent to the home */
		nothing(h);
		assert_dir(h, X, i ? 'O' : 'S', true, B, 0);
		ack(h, B, X);
		assert_dir(h, X, i ? 'O' : 'S', false, B, 0);
		done(h);
	}
	for (unsigned int i = 0; i < 5; i++) {	/* it has served somebody else, or somebody else has, or not this */
		struct hsl_pkt data;

		h = home_new(2, 2);
		own(h, A, X);
		ask(h, HSL_PKT_READ_U, B, X);
		s = out(h, HSL_PKT_SNP_U, 0, A, X);
		data = hsl_coh_pkt(HSL_PKT_RSP_DATA, 0, s.u.snp.fwd_tag + (i == 0), i == 1 ? C : i == 2 ? NODES + 1 : A,
				   i == 3 ? C : s.u.snp.fwd, i == 4 ? Y : X);
		hsl_home_forwards(h, &data);
		hsl_home_lose(h, A);
		memory_write(h, X, true);
		memory_read(h, X, 0, true);
		out(h, HSL_PKT_RSP_DATA, HSL_PKT_F_OWN | HSL_PKT_F_POISON, B, X);
		ack(h, B, X);
		done(h);
	}

	h = home_new(2, 2);			/* the requester, and what it is owed */
	own(h, B, X);
	ask(h, HSL_PKT_READ_S, A, X);
	s = out(h, HSL_PKT_SNP_S, 0, B, X);
	ask(h, HSL_PKT_READ_S, A, Y);
	ask(h, HSL_PKT_READ_S, A, Z);
	out(h, HSL_PKT_RETRY, 0, A, Z);
	hsl_home_lose(h, A);
	memory_read(h, Y, 1, false);
	nothing(h);
	snooped(h, &s, HSL_PKT_SNP_RSP, HSL_PKT_F_FWD | HSL_PKT_F_KEEPS, 0);
	assert_dir(h, X, 'S', false, B, 0);
	assert_dir(h, Y, 'I', false, 0, 0);
	assert_true(hsl_home_quiet(h));
	ask(h, HSL_PKT_READ_U, C, Y);
	memory_read(h, Y, 1, false);
	out(h, HSL_PKT_RSP_DATA, HSL_PKT_F_OWN, C, Y);
	hsl_home_lose(h, C);			/* served, no ACK: it may have written */
	assert_dir(h, Y, 'P', false, 0, 0);
	ask(h, HSL_PKT_READ_U, C, X);		/* dirty data is under way to the lost one */
	s = out(h, HSL_PKT_SNP_I, 0, B, X);
	snooped(h, &s, HSL_PKT_SNP_RSP, 0, 0);
	memory_read(h, X, 1, false);
	out(h, HSL_PKT_RSP_DATA, HSL_PKT_F_OWN, C, X);
	ack(h, C, X);
	ask(h, HSL_PKT_READ_U, A, X);
	s = out(h, HSL_PKT_SNP_U, 0, C, X);
	hsl_home_lose(h, A);
	snooped(h, &s, HSL_PKT_SNP_RSP, HSL_PKT_F_FWD | HSL_PKT_F_DIRTY, 0);
	memory_write(h, X, true);
	assert_dir(h, X, 'I', false, 0, 0);
	done(h);
}

/* ---- the agent ---- */

static struct hsl_access access_of(uint32_t op, uint64_t offset, uint32_t len, uint8_t first)
{
	struct hsl_access x = { .cookie = offset, .ga = HSL_GA(HOME, offset), .op = (uint8_t)op,
				.len = (uint8_t)len };

	if (op == HSL_ACCESS_STORE || op == HSL_ACCESS_WRITE)
		fill_line(x.data, first);
	return x;
}

static void make_access(struct hsl_agent *a, uint32_t op, uint64_t offset, uint32_t len,
			uint8_t first)
{
	struct hsl_access x = access_of(op, offset, len, first);

	assert_int_equal(hsl_agent_access(a, &x), 0);
}

static struct hsl_pkt sent(struct hsl_agent *a, uint32_t opcode, uint32_t flags, uint32_t dst,
			   uint64_t line)
{
	struct hsl_pkt p;

	assert_int_equal(hsl_agent_tx(a, &p), 1);
	assert_null(hsl_pkt_check(&p));
	assert_int_equal(p.u.h.opcode, opcode);
	assert_int_equal(p.u.h.flags, flags);
	assert_int_equal(p.u.h.src, A);
	assert_int_equal(p.u.h.dst, dst);
	assert_int_equal(p.u.h.addr, line);
	return p;
}

static void sends_nothing(struct hsl_agent *a)
{
	struct hsl_pkt p;

	assert_int_equal(hsl_agent_tx(a, &p), 0);
}

static struct hsl_access ended(struct hsl_agent *a, uint32_t op, uint32_t status)
{
	struct hsl_access x;

	assert_int_equal(hsl_agent_done(a, &x), 1);
	assert_int_equal(x.op, op);
	assert_int_equal(x.status, status);
	return x;
}

static void none_ended(struct hsl_agent *a)
{
	struct hsl_access x;

	assert_int_equal(hsl_agent_done(a, &x), 0);
}

static bool give(struct hsl_agent *a, uint32_t opcode, uint32_t flags,
		 const struct hsl_pkt *request,
		 uint8_t first)
{
	struct hsl_pkt p = hsl_coh_pkt(opcode, flags, request->u.h.tag, HOME, A,
				       request->u.h.addr & HSL_LINE_MASK);

	if (opcode == HSL_PKT_RSP_DATA)
		fill_line(p.u.data.data, first);
	if (opcode == HSL_PKT_RSP)
		p.u.h.addr = 0x1234;
	return hsl_agent_rx(a, &p);
}

/* Bring a line to the state, with data that begins with `first`; 'L': an M line on its way back. */
static void bring(struct hsl_agent *a, uint64_t line, char state, uint8_t first, bool poison)
{
	uint32_t flags = (state == 'S' ? 0 : HSL_PKT_F_OWN) | (poison ? HSL_PKT_F_POISON : 0);
	bool dirty = state == 'M' || state == 'L';
	struct hsl_pkt p;

	if (state == 'I')
		return;
	make_access(a, HSL_ACCESS_LOAD, line, 1, 0);
	p = sent(a, HSL_PKT_READ_S, 0, HOME, line);
	assert_true(give(a, HSL_PKT_RSP_DATA, flags | (dirty ? HSL_PKT_F_DIRTY : 0), &p, first));
	ended(a, HSL_ACCESS_LOAD, poison ? HSL_ST_POISON : HSL_ST_OK);
	sent(a, HSL_PKT_ACK, 0, HOME, line);
	if (state == 'L') {
		make_access(a, HSL_ACCESS_FLUSH, line, 1, 0);
		sent(a, HSL_PKT_WRITE_BACK, 0, HOME, line);
		none_ended(a);
	}
	sends_nothing(a);
}

static void assert_state(struct hsl_agent *a, uint64_t line, char state)
{
	assert_int_equal(hsl_agent_line(a, HSL_GA(HOME, line), NULL, NULL), state);
}

#define F	HSL_PKT_F_FWD
#define K	HSL_PKT_F_KEEPS
#define D	HSL_PKT_F_DIRTY
#define O	HSL_PKT_F_OWN
#define NO	0x100		/* no RSP_DATA */
#define DATA	0x200		/* SNP_DATA, else SNP_RSP */

static const struct {
	uint8_t opcode;
	char state, after;
	uint32_t serves, answers;
} snoops[] = {
	{ HSL_PKT_SNP_S, 'I', 'I', NO, 0 },	{ HSL_PKT_SNP_S, 'S', 'S', 0, F | K },
	{ HSL_PKT_SNP_S, 'E', 'S', 0, F | K },	{ HSL_PKT_SNP_S, 'M', 'S', 0, DATA | F | K },
	{ HSL_PKT_SNP_S, 'L', 'I', 0, DATA | F },
	{ HSL_PKT_SNP_U, 'I', 'I', NO, 0 },	{ HSL_PKT_SNP_U, 'S', 'I', NO, 0 },
	{ HSL_PKT_SNP_U, 'E', 'I', O, F },	{ HSL_PKT_SNP_U, 'M', 'I', O | D, F | D },
	{ HSL_PKT_SNP_U, 'L', 'I', O | D, F | D },
	{ HSL_PKT_SNP_I, 'I', 'I', NO, 0 },	{ HSL_PKT_SNP_I, 'S', 'I', NO, 0 },
	{ HSL_PKT_SNP_I, 'E', 'I', NO, 0 },	{ HSL_PKT_SNP_I, 'M', 'I', NO, DATA },
	{ HSL_PKT_SNP_I, 'L', 'I', NO, DATA },
	{ HSL_PKT_SNP_C, 'I', 'I', NO, 0 },	{ HSL_PKT_SNP_C, 'S', 'S', NO, K },
	{ HSL_PKT_SNP_C, 'E', 'S', NO, K },	{ HSL_PKT_SNP_C, 'M', 'S', NO, DATA | K },
	{ HSL_PKT_SNP_C, 'L', 'I', NO, DATA },
};

static void one_snoop(size_t i, bool poison)
{
	struct hsl_agent *a = agent_new(1, 2);
	bool fwd = snoops[i].opcode == HSL_PKT_SNP_S || snoops[i].opcode == HSL_PKT_SNP_U;
	struct hsl_pkt p = hsl_coh_pkt(snoops[i].opcode, 0, 77, HOME, A, X), q;
	uint32_t flag = poison ? HSL_PKT_F_POISON : 0;

	if (fwd) {
		p.u.snp.fwd = B;
		p.u.snp.fwd_tag = 88;
	}
	p.u.h.addr |= UINT64_C(3) << 48;	/* hops do not matter */
	bring(a, X, snoops[i].state, 5, poison);
	assert_true(hsl_agent_rx(a, &p));
	if (snoops[i].serves != NO) {
		q = sent(a, HSL_PKT_RSP_DATA, snoops[i].serves | flag, B, X);
		assert_int_equal(q.u.h.tag, 88);
		assert_line(q.u.data.data, 5);
	}
	if (snoops[i].answers & DATA) {
		q = sent(a, HSL_PKT_SNP_DATA, (snoops[i].answers & 0xff) | flag, HOME, X);
		assert_line(q.u.data.data, 5);
	} else {
		q = sent(a, HSL_PKT_SNP_RSP, snoops[i].answers, HOME, X);
	}
	assert_int_equal(q.u.h.tag, 77);
	sends_nothing(a);
	assert_state(a, X, snoops[i].after);
	if (snoops[i].state == 'L') {		/* its GO is answered by ACK now */
		q = hsl_coh_pkt(HSL_PKT_GO, 0, 0x100, HOME, A, X);
		assert_true(hsl_agent_rx(a, &q));
		sent(a, HSL_PKT_ACK, 0, HOME, X);
		ended(a, HSL_ACCESS_FLUSH, HSL_ST_OK);
	}
	assert_true(hsl_agent_quiet(a));
	test_free(a);
}

static void test_snoops(void **state)
{
	(void)state;
	assert_int_equal(sizeof(snoops) / sizeof(snoops[0]), 4 * 5);
	for (size_t i = 0; i < sizeof(snoops) / sizeof(snoops[0]); i++) {
		one_snoop(i, false);
		one_snoop(i, true);
	}
}

/* A snoop that hits the copy of an UPGRADE under way: the request gets data then. */
static void test_upgrade_lost(void **state)
{
	struct hsl_agent *a = agent_new(1, 2);
	struct hsl_pkt up, snp = hsl_coh_pkt(HSL_PKT_SNP_I, 0, 1, HOME, A, X), p;

	(void)state;
	bring(a, X, 'S', 5, false);
	make_access(a, HSL_ACCESS_STORE, X + 1, 1, 0xcc);
	up = sent(a, HSL_PKT_UPGRADE, 0, HOME, X);
	assert_true(hsl_agent_rx(a, &snp));
	sent(a, HSL_PKT_SNP_RSP, 0, HOME, X);
	assert_false(give(a, HSL_PKT_COMP, 0, &up, 0));
	assert_false(give(a, HSL_PKT_RSP_DATA, 0, &up, 9));	/* not owned */
	assert_true(give(a, HSL_PKT_RSP_DATA, HSL_PKT_F_OWN | HSL_PKT_F_DIRTY, &up, 9));
	sent(a, HSL_PKT_ACK, 0, HOME, X);
	ended(a, HSL_ACCESS_STORE, HSL_ST_OK);
	assert_state(a, X, 'M');
	assert_false(give(a, HSL_PKT_RSP_DATA, HSL_PKT_F_OWN, &up, 9));

	bring(a, X + 64, 'S', 5, false);			/* not lost: COMP */
	make_access(a, HSL_ACCESS_STORE, X + 64, 1, 0xcc);
	p = sent(a, HSL_PKT_UPGRADE, 0, HOME, X + 64);
	assert_true(give(a, HSL_PKT_COMP, 0, &p, 0));
	sent(a, HSL_PKT_ACK, 0, HOME, X + 64);
	ended(a, HSL_ACCESS_STORE, HSL_ST_OK);
	assert_state(a, X + 64, 'M');
	test_free(a);
}

static void test_accesses(void **state)
{
	struct hsl_agent *a = agent_new(1, 4);
	struct hsl_access x;
	struct hsl_pkt p;

	(void)state;
	make_access(a, HSL_ACCESS_STORE, X + 3, 2, 0x50);	/* one after the other on a line */
	make_access(a, HSL_ACCESS_LOAD, X, 8, 0);
	make_access(a, HSL_ACCESS_READ, X + 4, 4, 0);
	make_access(a, HSL_ACCESS_WRITE, X, 1, 0x60);
	p = sent(a, HSL_PKT_READ_U, 0, HOME, X);
	sends_nothing(a);
	assert_true(give(a, HSL_PKT_RSP_DATA, HSL_PKT_F_OWN, &p, 0));
	ended(a, HSL_ACCESS_STORE, HSL_ST_OK);
	x = ended(a, HSL_ACCESS_LOAD, HSL_ST_OK);
	assert_memory_equal(x.data, "\0\1\2\x50\x51\5\6\7", 8);
	x = ended(a, HSL_ACCESS_READ, HSL_ST_OK);		/* from the cache */
	assert_memory_equal(x.data, "\x51\5\6\7", 4);
	ended(a, HSL_ACCESS_WRITE, HSL_ST_OK);
	sent(a, HSL_PKT_ACK, 0, HOME, X);
	assert_state(a, X, 'M');

	x = access_of(HSL_ACCESS_ATOMIC, X + 8, 8, 0);		/* at the home, whatever is here */
	x.subop = HSL_ATOMIC_ADD;
	x.arg0 = 2;
	assert_int_equal(hsl_agent_access(a, &x), 0);
	p = sent(a, HSL_PKT_ATOMIC, 0, HOME, X + 8);
	assert_int_equal(p.u.atomic.subop, HSL_ATOMIC_ADD);
	assert_int_equal(p.u.atomic.len, 8);
	assert_int_equal(p.u.atomic.arg0, 2);
	assert_true(give(a, HSL_PKT_RSP, HSL_ST_OK, &p, 0));
	assert_int_equal(ended(a, HSL_ACCESS_ATOMIC, HSL_ST_OK).value, 0x1234);

	make_access(a, HSL_ACCESS_WRITE, Y + 2, 2, 0x70);	/* past the cache */
	p = sent(a, HSL_PKT_WRITE, 0, HOME, Y);
	assert_false(give(a, HSL_PKT_RSP, HSL_ST_OK, &p, 0));	/* before its data was taken */
	assert_true(give(a, HSL_PKT_GO, 0, &p, 0));
	p = sent(a, HSL_PKT_WR_DATA, 0, HOME, Y);
	assert_int_equal(p.u.wr.mask, 0xc);
	assert_int_equal(p.u.wr.data[3], 0x71);
	assert_false(give(a, HSL_PKT_GO, 0, &p, 0));
	assert_true(give(a, HSL_PKT_RSP, HSL_ST_OK, &p, 0));
	ended(a, HSL_ACCESS_WRITE, HSL_ST_OK);
	make_access(a, HSL_ACCESS_READ, Y + 60, 4, 0);
	p = sent(a, HSL_PKT_READ, 0, HOME, Y);
	assert_false(give(a, HSL_PKT_RSP_DATA, HSL_PKT_F_OWN, &p, 0));
	assert_true(give(a, HSL_PKT_RSP_DATA, 0, &p, 0));
	assert_memory_equal(ended(a, HSL_ACCESS_READ, HSL_ST_OK).data, "\x3c\x3d\x3e\x3f", 4);
	sends_nothing(a);

	make_access(a, HSL_ACCESS_FLUSH, X, 1, 0);
	p = sent(a, HSL_PKT_WRITE_BACK, 0, HOME, X);
	make_access(a, HSL_ACCESS_LOAD, X, 1, 0);		/* after it is gone */
	sends_nothing(a);
	assert_true(give(a, HSL_PKT_GO, 0, &p, 0));
	p = sent(a, HSL_PKT_WR_DATA, 0, HOME, X);
	assert_int_equal(p.u.wr.mask, UINT64_MAX);
	assert_int_equal(p.u.wr.data[0], 0x60);
	ended(a, HSL_ACCESS_FLUSH, HSL_ST_OK);
	sent(a, HSL_PKT_READ_S, 0, HOME, X);
	test_free(a);
}

static void test_refused_accesses(void **state)
{
	struct hsl_agent *a = agent_new(1, 2);
	struct hsl_access x = access_of(HSL_ACCESS_LOAD, X + 60, 5, 0);

	(void)state;
	assert_int_equal(hsl_agent_access(a, &x), -EINVAL);	/* crosses the line */
	x.len = 0;
	assert_int_equal(hsl_agent_access(a, &x), -EINVAL);
	x.len = 4;
	x.op = HSL_ACCESS_FLUSH + 1;
	assert_int_equal(hsl_agent_access(a, &x), -EINVAL);
	x.op = HSL_ACCESS_ATOMIC;
	x.len = 8;
	assert_int_equal(hsl_agent_access(a, &x), -EINVAL);	/* not aligned */
	x.len = 4;
	x.subop = HSL_ATOMICS;
	assert_int_equal(hsl_agent_access(a, &x), -EINVAL);
	x.op = HSL_ACCESS_LOAD;
	x.ga = X;						/* node 0 */
	assert_int_equal(hsl_agent_access(a, &x), -EINVAL);
	x.ga = HSL_GA(16384, X);				/* a host */
	assert_int_equal(hsl_agent_access(a, &x), -EINVAL);
	for (uint32_t i = 0; i < 8; i++)
		make_access(a, HSL_ACCESS_LOAD, X + 128 * i, 1, 0);
	x.ga = HSL_GA(HOME, X);
	assert_int_equal(hsl_agent_access(a, &x), -EAGAIN);
	test_free(a);
}

static void test_eviction(void **state)
{
	struct hsl_agent *a = agent_new(2, 3);
	struct hsl_pkt p, q;

	(void)state;
	bring(a, X, 'M', 5, false);
	bring(a, Y, 'E', 6, false);
	make_access(a, HSL_ACCESS_LOAD, X, 1, 0);		/* a hit: Y is older now */
	ended(a, HSL_ACCESS_LOAD, HSL_ST_OK);
	make_access(a, HSL_ACCESS_LOAD, Z, 1, 0);
	p = sent(a, HSL_PKT_READ_S, 0, HOME, Z);
	sends_nothing(a);					/* E goes silently */
	assert_state(a, Y, 'I');
	assert_true(give(a, HSL_PKT_RSP_DATA, 0, &p, 1));
	ended(a, HSL_ACCESS_LOAD, HSL_ST_OK);
	sent(a, HSL_PKT_ACK, 0, HOME, Z);
	make_access(a, HSL_ACCESS_STORE, Y, 1, 0);		/* M goes by WRITE_BACK */
	p = sent(a, HSL_PKT_WRITE_BACK, 0, HOME, X);
	q = sent(a, HSL_PKT_READ_U, 0, HOME, Y);
	make_access(a, HSL_ACCESS_STORE, Z, 1, 0);		/* no way is kept twice */
	sent(a, HSL_PKT_UPGRADE, 0, HOME, Z);
	make_access(a, HSL_ACCESS_LOAD, X + 0x4000, 1, 0);
	sends_nothing(a);
	assert_true(give(a, HSL_PKT_GO, 0, &p, 0));
	p = sent(a, HSL_PKT_WR_DATA, 0, HOME, X);
	assert_line(p.u.wr.data, 5);
	sends_nothing(a);
	assert_true(give(a, HSL_PKT_RSP_DATA, HSL_PKT_F_OWN, &q, 1));
	ended(a, HSL_ACCESS_STORE, HSL_ST_OK);
	sent(a, HSL_PKT_ACK, 0, HOME, Y);
	sent(a, HSL_PKT_WRITE_BACK, 0, HOME, Y);		/* the store had its turn */
	sent(a, HSL_PKT_READ_S, 0, HOME, X + 0x4000);
	test_free(a);
}

static void test_grant_orders(void **state)
{
	struct hsl_agent *a = agent_new(2, 4);
	struct hsl_pkt p, q, grant = hsl_coh_pkt(HSL_PKT_GRANT, 0, 0, HOME, A, 0);

	(void)state;
	assert_false(hsl_agent_rx(a, &grant));			/* nobody waits for one */
	make_access(a, HSL_ACCESS_READ, X, 1, 0);
	p = sent(a, HSL_PKT_READ, 0, HOME, X);
	assert_true(give(a, HSL_PKT_RETRY, 0, &p, 0));		/* RETRY first */
	assert_false(give(a, HSL_PKT_RSP_DATA, 0, &p, 0));
	sends_nothing(a);
	assert_true(hsl_agent_rx(a, &grant));
	p = sent(a, HSL_PKT_READ, HSL_PKT_F_GRANTED, HOME, X);
	assert_false(hsl_agent_rx(a, &grant));
	assert_false(give(a, HSL_PKT_RETRY, 0, &p, 0));		/* GRANTED is taken */
	assert_true(give(a, HSL_PKT_RSP_DATA, 0, &p, 0));
	ended(a, HSL_ACCESS_READ, HSL_ST_OK);

	make_access(a, HSL_ACCESS_READ, X, 1, 0);		/* GRANT first */
	make_access(a, HSL_ACCESS_READ, Y, 1, 0);
	p = sent(a, HSL_PKT_READ, 0, HOME, X);
	q = sent(a, HSL_PKT_READ, 0, HOME, Y);
	assert_true(hsl_agent_rx(a, &grant));
	assert_true(hsl_agent_rx(a, &grant));
	assert_false(hsl_agent_rx(a, &grant));			/* one for each */
	grant.u.h.src = HOME + 1;				/* of a home that owes nothing */
	assert_false(hsl_agent_rx(a, &grant));
	sends_nothing(a);
	assert_true(give(a, HSL_PKT_RETRY, 0, &q, 0));
	q = sent(a, HSL_PKT_READ, HSL_PKT_F_GRANTED, HOME, Y);
	assert_true(give(a, HSL_PKT_RSP_DATA, 0, &p, 0));	/* that GRANT was one too many */
	ended(a, HSL_ACCESS_READ, HSL_ST_OK);
	assert_true(give(a, HSL_PKT_RSP_DATA, 0, &q, 0));
	ended(a, HSL_ACCESS_READ, HSL_ST_OK);
	make_access(a, HSL_ACCESS_READ, X, 1, 0);
	p = sent(a, HSL_PKT_READ, 0, HOME, X);
	assert_true(give(a, HSL_PKT_RETRY, 0, &p, 0));
	sends_nothing(a);					/* and is forgotten */
	test_free(a);
}

static void test_poison_in_cache(void **state)
{
	struct hsl_agent *a = agent_new(1, 2);
	struct hsl_pkt p;

	(void)state;
	bring(a, X, 'E', 5, true);
	make_access(a, HSL_ACCESS_STORE, X, 8, 0);		/* some bytes: still poisoned */
	ended(a, HSL_ACCESS_STORE, HSL_ST_OK);
	make_access(a, HSL_ACCESS_LOAD, X, 1, 0);
	ended(a, HSL_ACCESS_LOAD, HSL_ST_POISON);
	make_access(a, HSL_ACCESS_FLUSH, X, 1, 0);
	p = sent(a, HSL_PKT_WRITE_BACK, 0, HOME, X);
	assert_true(give(a, HSL_PKT_GO, 0, &p, 0));
	sent(a, HSL_PKT_WR_DATA, HSL_PKT_F_POISON, HOME, X);
	ended(a, HSL_ACCESS_FLUSH, HSL_ST_OK);
	bring(a, X, 'E', 5, true);
	make_access(a, HSL_ACCESS_STORE, X, 64, 0);		/* all: healed */
	ended(a, HSL_ACCESS_STORE, HSL_ST_OK);
	make_access(a, HSL_ACCESS_LOAD, X, 1, 0);
	ended(a, HSL_ACCESS_LOAD, HSL_ST_OK);
	bring(a, Y, 'I', 0, false);
	make_access(a, HSL_ACCESS_READ, Y, 1, 0);
	p = sent(a, HSL_PKT_READ, 0, HOME, Y);
	assert_true(give(a, HSL_PKT_RSP_DATA, HSL_PKT_F_POISON, &p, 0));
	ended(a, HSL_ACCESS_READ, HSL_ST_POISON);
	make_access(a, HSL_ACCESS_READ, Y, 1, 0);
	p = sent(a, HSL_PKT_READ, 0, HOME, Y);
	assert_true(give(a, HSL_PKT_RSP_DATA, 0, &p, 0));
	ended(a, HSL_ACCESS_READ, HSL_ST_OK);
	test_free(a);
}

static void test_lost_home(void **state)
{
	struct hsl_agent *a = agent_new(2, 2);
	struct hsl_access x = access_of(HSL_ACCESS_LOAD, X, 1, 0);
	struct hsl_pkt p;

	(void)state;
	bring(a, X, 'M', 5, false);
	make_access(a, HSL_ACCESS_LOAD, Y, 1, 0);
	sent(a, HSL_PKT_READ_S, 0, HOME, Y);
	make_access(a, HSL_ACCESS_STORE, Y, 1, 0);
	x.ga = HSL_GA(3, X);
	assert_int_equal(hsl_agent_access(a, &x), 0);
	hsl_agent_lose(a, HOME, HSL_ST_UNREACHABLE);
	ended(a, HSL_ACCESS_LOAD, HSL_ST_UNREACHABLE);
	ended(a, HSL_ACCESS_STORE, HSL_ST_UNREACHABLE);
	none_ended(a);
	assert_state(a, X, 'I');
	assert_int_equal(hsl_agent_tx(a, &p), 1);		/* another home's go on */
	assert_int_equal(p.u.h.opcode, HSL_PKT_READ_S);
	assert_int_equal(p.u.h.dst, 3);
	p = hsl_coh_pkt(HSL_PKT_RSP, HSL_ST_UNREACHABLE, p.u.h.tag, A, A, 0);
	assert_true(hsl_agent_rx(a, &p));			/* from its own port */
	ended(a, HSL_ACCESS_LOAD, HSL_ST_UNREACHABLE);
	assert_false(hsl_agent_rx(a, &p));
	assert_true(hsl_agent_quiet(a));
	test_free(a);
}

/* ---- packets that make no sense ---- */

static struct hsl_pkt random_packet(uint32_t dst, bool sane)
{
	static const uint8_t opcodes[] = {
		HSL_PKT_READ, HSL_PKT_WRITE, HSL_PKT_ATOMIC, HSL_PKT_READ_S, HSL_PKT_READ_U,
		HSL_PKT_UPGRADE, HSL_PKT_WRITE_BACK, HSL_PKT_SNP_S, HSL_PKT_SNP_U, HSL_PKT_SNP_I,
		HSL_PKT_SNP_C, HSL_PKT_RSP, HSL_PKT_RSP_DATA, HSL_PKT_COMP, HSL_PKT_GO,
		HSL_PKT_RETRY, HSL_PKT_GRANT, HSL_PKT_ACK, HSL_PKT_SNP_RSP, HSL_PKT_SNP_DATA,
		HSL_PKT_WR_DATA,
	};
	static const uint16_t ids[] = { A, HOME, B, C, 0, NODES + 1, 0xffff, 3 };
	struct hsl_pkt p;

	for (size_t i = 0; i < sizeof(p); i++)
		((uint8_t *)&p)[i] = sane ? 0 : (uint8_t)rng();
	p.u.h.opcode = opcodes[rng_below(sizeof(opcodes))];
	p.u.h.flags = rng_below(3) ? 0 : (uint8_t)(rng_below(64) << rng_below(3));
	p.u.h.tag = (uint16_t)(rng_below(4) + (rng_below(2) ? 0 : rng_below(2) ? 0x100 : 0x40));
	p.u.h.src = ids[rng_below(sane ? 4 : 8)];
	p.u.h.dst = (uint16_t)dst;
	p.u.h.addr = rng_below(4) * 0x1000 + (rng_below(8) ? 0 : rng_below(64));
	if (hsl_pkt_vc(p.u.h.opcode) == HSL_VC_SNP && p.u.h.opcode <= HSL_PKT_SNP_U)
		p.u.snp.fwd = ids[rng_below(sane ? 4 : 8)];
	if (p.u.h.opcode == HSL_PKT_ATOMIC)
		p.u.atomic.len = rng_below(2) ? 4 : 8;
	if (p.u.h.opcode == HSL_PKT_WR_DATA)
		p.u.wr.mask = rng_below(2) ? UINT64_MAX : rng();
	return p;
}

/* What is refused changes nothing, what is taken breaks nothing: sanitizers watch the bounds. */
static void test_hostile_home(void **state)
{
	struct hsl_home_cfg cfg = { .id = HOME, .nodes = NODES, .sets = 4, .ways = 2,
				   .requests = 5 };
	size_t bytes = hsl_home_size(&cfg);
	struct hsl_home *h = home_new(2, 5);
	void *before = test_malloc(bytes);
	uint8_t data[HSL_LINE_BYTES] = { 0 };
	struct hsl_mem_op op;
	uint32_t taken = 0;
	struct hsl_pkt p;

	(void)state;
	rng_seed();
	for (uint32_t i = 0; i < 200000; i++) {
		p = random_packet(rng_below(50) ? HOME : A, rng_below(4));
		memcpy(before, h, bytes);
		if (hsl_home_rx(h, &p))
			taken++;
		else
			assert_memory_equal(before, h, bytes);
		while (hsl_home_tx(h, &p))
			assert_null(hsl_pkt_check(&p));
		while (hsl_home_mem(h, &op)) {
			if (!op.write)
				hsl_home_mem_data(h, op.id, !rng_below(9), data);
		}
		while (hsl_home_tx(h, &p))
			;
		while (hsl_home_mem(h, &op))
			;
		hsl_home_mem_data(h, rng_below(7), false, data);
		if (!rng_below(100)) {
			hsl_home_lose(h, rng_below(2) ? A : rng_below(2) ? B : C);
			while (hsl_home_tx(h, &p) || hsl_home_mem(h, &op))
				;
		}
	}
	print_message("# %u of 200000 packets taken\n", taken);
	assert_in_range(taken, 1000, 199000);
	test_free(before);
	test_free(h);
}

static void test_hostile_agent(void **state)
{
	struct hsl_agent_cfg cfg = { .id = A, .tag_first = 0x100, .sets = 2, .ways = 2,
				    .requests = 4,
				     .accesses = 8 };
	size_t bytes = hsl_agent_size(&cfg);
	struct hsl_agent *a = agent_new(2, 4);
	void *before = test_malloc(bytes);
	uint32_t taken = 0, ends = 0;
	struct hsl_access x;
	struct hsl_pkt p;

	(void)state;
	rng_seed();
	for (uint32_t i = 0; i < 200000; i++) {
		x = access_of(rng_below(6), rng_below(4) * 0x1000, 4, 1);
		hsl_agent_access(a, &x);
		p = random_packet(rng_below(50) ? A : B, rng_below(4));
		memcpy(before, a, bytes);
		if (hsl_agent_rx(a, &p))
			taken++;
		else
			assert_memory_equal(before, a, bytes);
		while (hsl_agent_tx(a, &p))
			assert_null(hsl_pkt_check(&p));
		while (hsl_agent_done(a, &x))
			ends++;
		if (!rng_below(1000))
			hsl_agent_lose(a, HOME, HSL_ST_UNREACHABLE);
	}
	print_message("# %u of 200000 packets taken, %u accesses ended\n", taken, ends);
	assert_in_range(taken, 1000, 199000);
	assert_in_range(ends, 1000, 200000);
	test_free(before);
	test_free(a);
}

/* ---- both sides ---- */

#define AGENTS	4
#define LINES	12
#define WIRE	512

struct system {
	struct hsl_agent *agent[AGENTS];
	struct hsl_home *home;
	uint8_t memory[LINES][HSL_LINE_BYTES];
	struct hsl_pkt wire[WIRE];
	uint32_t wires;
	struct { uint32_t id; uint8_t data[HSL_LINE_BYTES]; } read[64];
	uint32_t reads;
	uint64_t atomics[LINES];
	uint8_t stored[AGENTS][LINES];
	uint64_t ends;
};

static const uint16_t ids[AGENTS] = { A, B, HSL_AGENT_HOST_PORT | A, C };

static void system_drain(struct system *s)
{
	struct hsl_mem_op op;
	struct hsl_access x;

	for (uint32_t i = 0; i < AGENTS; i++) {
		while (hsl_agent_tx(s->agent[i], &s->wire[s->wires]))
			s->wires++;
		while (hsl_agent_done(s->agent[i], &x)) {
			uint64_t line = HSL_GA_OFFSET(x.ga) / HSL_LINE_BYTES;

			s->ends++;
			assert_int_equal(x.status, HSL_ST_OK);
			if (x.op == HSL_ACCESS_LOAD && x.ga % HSL_LINE_BYTES == 8 + i)
				assert_int_equal(x.data[0], x.cookie);
			if (x.op == HSL_ACCESS_ATOMIC)
				assert_true(x.value < s->atomics[line]);
		}
	}
	while (hsl_home_mem(s->home, &op)) {
		uint8_t *line = s->memory[op.offset / HSL_LINE_BYTES];

		if (op.write) {
			memcpy(line, op.data, HSL_LINE_BYTES);
		} else {
			s->read[s->reads].id = op.id;
			memcpy(s->read[s->reads++].data, line, HSL_LINE_BYTES);
		}
	}
	while (hsl_home_tx(s->home, &s->wire[s->wires]))
		s->wires++;
	assert_in_range(s->wires, 0, WIRE - 100);
}

/*
 * One byte of each line is stored to by each agent alone, which loads what it stored last; a
 * counter is added to by all.
 */
static void system_access(struct system *s, uint32_t i)
{
	uint32_t line = rng_below(LINES), what = rng_below(6);
	struct hsl_access x = { .ga = HSL_GA(HOME, line * HSL_LINE_BYTES), .op = (uint8_t)what,
			       .len = 1 };
	uint8_t value = (uint8_t)rng();

	if (what == HSL_ACCESS_ATOMIC) {
		x.subop = HSL_ATOMIC_ADD;
		x.len = 8;
		x.arg0 = 1;
	} else if (what != HSL_ACCESS_FLUSH) {
		x.ga += 8 + i;
		x.data[0] = value;
		x.cookie = s->stored[i][line];
	}
	if (hsl_agent_access(s->agent[i], &x))
		return;
	s->atomics[line] += what == HSL_ACCESS_ATOMIC;
	if (what == HSL_ACCESS_STORE || what == HSL_ACCESS_WRITE)
		s->stored[i][line] = value;
}

static void system_move(struct system *s)
{
	uint32_t i = rng_below(s->wires + s->reads);
	struct hsl_pkt p;

	if (i >= s->wires) {
		i -= s->wires;
		hsl_home_mem_data(s->home, s->read[i].id, false, s->read[i].data);
		s->read[i] = s->read[--s->reads];
		return;
	}
	p = s->wire[i];
	s->wire[i] = s->wire[--s->wires];
	for (i = 0; i < AGENTS; i++) {
		uint32_t op = p.u.h.opcode;

		if (p.u.h.dst == ids[i] && ((op >= HSL_PKT_SNP_S && op <= HSL_PKT_SNP_C) ||
					    (op >= HSL_PKT_RSP && op <= HSL_PKT_GRANT))) {
			assert_true(hsl_agent_rx(s->agent[i], &p));
			return;
		}
	}
	assert_true(hsl_home_rx(s->home, &p));
}

static void test_together(void **state)
{
	static struct system s;
	struct hsl_home_cfg home = { .id = HOME, .nodes = NODES, .sets = 2, .ways = 2,
				    .requests = 3 };
	struct hsl_agent_cfg agent = { .tag_first = 5, .sets = 2, .ways = 2, .requests = 3,
				       .accesses = 6 };
	uint64_t count;

	(void)state;
	rng_seed();
	memset(&s, 0, sizeof(s));
	s.home = test_malloc(hsl_home_size(&home));
	hsl_home_init(s.home, &home);
	for (uint32_t i = 0; i < AGENTS; i++) {
		agent.id = ids[i];
		s.agent[i] = test_malloc(hsl_agent_size(&agent));
		hsl_agent_init(s.agent[i], &agent);
	}
	for (uint32_t round = 0; round < 300000; round++) {
		if (round < 250000 && !rng_below(4))
			system_access(&s, rng_below(AGENTS));
		else if (s.wires + s.reads)
			system_move(&s);
		system_drain(&s);
	}
	while (s.wires + s.reads) {
		system_move(&s);
		system_drain(&s);
	}
	for (uint32_t i = 0; i < AGENTS; i++) {
		assert_true(hsl_agent_quiet(s.agent[i]));
		for (uint32_t line = 0; line < LINES; line++) {
			struct hsl_access x = { .ga = HSL_GA(HOME, line * HSL_LINE_BYTES),
						.op = HSL_ACCESS_FLUSH, .len = 1 };

			assert_int_equal(hsl_agent_access(s.agent[i], &x), 0);
			system_drain(&s);
			while (s.wires + s.reads) {
				system_move(&s);
				system_drain(&s);
			}
		}
	}
	assert_true(hsl_home_quiet(s.home));
	for (uint32_t line = 0; line < LINES; line++) {
		memcpy(&count, s.memory[line], sizeof(count));
		assert_int_equal(count, s.atomics[line]);
		for (uint32_t i = 0; i < AGENTS; i++)
			assert_int_equal(s.memory[line][8 + i], s.stored[i][line]);
	}
	print_message("# %llu accesses\n", (unsigned long long)s.ends);
	for (uint32_t i = 0; i < AGENTS; i++)
		test_free(s.agent[i]);
	test_free(s.home);
}

static void test_configurations(void **state)
{
	struct hsl_agent_cfg a = { .id = 1, .sets = 1, .ways = 1, .requests = 2, .accesses = 1 }, b;
	struct hsl_home_cfg h = { .id = 1, .nodes = 1, .sets = 1, .ways = 1, .requests = 2 }, g;

	(void)state;
	assert_null(hsl_agent_check(&a));
	assert_int_equal(hsl_agent_size(&a) % 8, 0);
	b = a, b.id = 0, assert_non_null(hsl_agent_check(&b));
	b = a, b.id = HSL_AGENT_HOST_PORT, assert_non_null(hsl_agent_check(&b));
	b = a, b.sets = 3, assert_non_null(hsl_agent_check(&b));
	b = a, b.ways = 0, assert_non_null(hsl_agent_check(&b));
	b = a, b.requests = 1, assert_non_null(hsl_agent_check(&b));
	b = a, b.tag_first = 0xffff, assert_non_null(hsl_agent_check(&b));
	b = a, b.accesses = 0, assert_non_null(hsl_agent_check(&b));
	assert_int_equal(hsl_agent_size(&b), 0);
	assert_null(hsl_home_check(&h));
	assert_int_equal(hsl_home_size(&h) % 8, 0);
	g = h, g.id = 2, assert_non_null(hsl_home_check(&g));
	g = h, g.nodes = 0, assert_non_null(hsl_home_check(&g));
	g = h, g.sets = 0, assert_non_null(hsl_home_check(&g));
	g = h, g.ways = 65, assert_non_null(hsl_home_check(&g));
	g = h, g.requests = 1, assert_non_null(hsl_home_check(&g));
	assert_int_equal(hsl_home_size(&g), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_configurations),
		cmocka_unit_test(test_read_s),
		cmocka_unit_test(test_read_u),
		cmocka_unit_test(test_upgrade),
		cmocka_unit_test(test_write_back),
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_write),
		cmocka_unit_test(test_atomic),
		cmocka_unit_test(test_one_at_a_time),
		cmocka_unit_test(test_retry),
		cmocka_unit_test(test_recall),
		cmocka_unit_test(test_poison_at_home),
		cmocka_unit_test(test_lost_agent),
		cmocka_unit_test(test_snoops),
		cmocka_unit_test(test_upgrade_lost),
		cmocka_unit_test(test_accesses),
		cmocka_unit_test(test_refused_accesses),
		cmocka_unit_test(test_eviction),
		cmocka_unit_test(test_grant_orders),
		cmocka_unit_test(test_poison_in_cache),
		cmocka_unit_test(test_lost_home),
		cmocka_unit_test(test_hostile_home),
		cmocka_unit_test(test_hostile_agent),
		cmocka_unit_test(test_together),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
