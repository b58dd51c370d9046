/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The home of a device at a flit socket, as two agents behind its link see it (test_flit.c): answers, order, owners, dirty data, ATOMICs,
 * POISON, recalls. What memory has to hold the tests know; what caches hold is in flit_agent.c.
 */
#include "flit_agent.h"
#include "flit_test.h"

static void test_answers(struct ht *t)
{
	ht_flit_once = true;
	ht_flit_need_memory(t, 4096);
	for (unsigned int i = 0; i < 300; i++)
		fa_ask_atomic(ht_flit_agents, 0, (uint16_t)i, 8 * (i % 64), HSL_ATOMIC_ADD, 1);
	ht_flit_answered(t, 0, 0, 300);
}

static void write_line(uint16_t tag, uint64_t line, uint64_t mask, uint64_t seed)
{
	ht_flit_agents->mask[0][tag] = mask;
	ht_pattern(ht_flit_agents->written[0][tag], HSL_LINE_BYTES, seed);
	fa_ask(ht_flit_agents, 0, HSL_PKT_WRITE, tag, line);
	fa_wait(ht_flit_agents, 0, tag);
}

static const uint8_t *read_line_by(unsigned int agent, uint16_t tag, uint64_t line)
{
	fa_ask(ht_flit_agents, agent, HSL_PKT_READ, tag, line);
	fa_wait(ht_flit_agents, agent, tag);
	return ht_flit_agents->read[agent][tag];
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

	ht_flit_need_memory(t, 4096);
	for (unsigned int line = 0; line < 2; line++) {
		write_line(tag, line, UINT64_MAX, ht_random(t));
		memcpy(want[line], ht_flit_agents->written[0][tag++], HSL_LINE_BYTES);
	}
	for (unsigned int i = 0; i < 100; i++) {
		const unsigned int line = i % 2;
		const uint64_t mask = i ? ht_random(t) : 1;

		write_line(tag, line, mask, ht_random(t));
		for (unsigned int b = 0; b < HSL_LINE_BYTES; b++)
			want[line][b] = mask >> b & 1 ? ht_flit_agents->written[0][tag][b] : want[line][b];
		tag++;
		same(t, read_line(tag++, line), want[line], "a line after WRITE of some bytes");
		same(t, read_line(tag++, !line), want[!line], "another line");
	}
}

/* One agent owns what the other one shared, which has to be told. */
static void test_one_owner(struct ht *t)
{
	uint16_t tag = 0;

	ht_flit_need_memory(t, 16 * HSL_LINE_BYTES);
	for (unsigned int line = 0; line < 16; line++) {
		const uint8_t op = line % 2 ? HSL_PKT_READ_U : HSL_PKT_UPGRADE;
		const unsigned int b = line / 2 % 2, a = !b;

		for (unsigned int i = 0; i < 3; i++) { /* a has it alone, both share it, b owns it */
			const unsigned int who = i == 0 ? a : b;

			if (i == 2 && op == HSL_PKT_READ_U)
				ht_flit_agents->state[b][line] = 'I'; /* dropped silently */
			fa_ask(ht_flit_agents, who, i < 2 ? HSL_PKT_READ_S : op, tag, line);
			fa_wait(ht_flit_agents, who, tag++);
		}
		HT_TRUE(t, ht_flit_agents->state[a][line] == 'I' && ht_flit_agents->invalidated[a][line],
			"line %u: agent %u has it to own, agent %u has it in %c and was not snooped", line, b, a, ht_flit_agents->state[a][line]);
	}
}

static void test_dirty(struct ht *t)
{
	uint8_t want[HSL_LINE_BYTES];
	uint16_t tag = 0;

	ht_flit_need_memory(t, 64 * HSL_LINE_BYTES);
	for (unsigned int line = 0; line < 64; line++) {
		const unsigned int how = line % 4;

		fa_ask(ht_flit_agents, 0, HSL_PKT_READ_U, tag, line);
		fa_wait(ht_flit_agents, 0, tag++);
		HT_TRUE(t, ht_flit_agents->state[0][line] != 'S', "READ_U of line %u gives it to share", line);
		ht_pattern(ht_flit_agents->data[0][line], HSL_LINE_BYTES, ht_random(t));
		memcpy(want, ht_flit_agents->data[0][line], HSL_LINE_BYTES);
		ht_flit_agents->state[0][line] = 'M';
		if (how == 0) {
			fa_ask(ht_flit_agents, 0, HSL_PKT_WRITE_BACK, tag, line);
			fa_wait(ht_flit_agents, 0, tag++);
		} else if (how == 1) { /* by way of the other cache, which is asked for it then */
			fa_ask(ht_flit_agents, 1, HSL_PKT_READ_U, tag, line);
			fa_wait(ht_flit_agents, 1, tag++);
		} else if (how == 2) {
			fa_ask(ht_flit_agents, 1, HSL_PKT_READ_S, tag, line);
			fa_wait(ht_flit_agents, 1, tag++);
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

	ht_flit_once = true;
	ht_flit_need_memory(t, LINES * HSL_LINE_BYTES);
	memset(busy, 0xff, sizeof(busy));
	for (unsigned int i = 0; i < N; i++) {
		const unsigned int who = (unsigned int)ht_random_below(t, 2), line = (unsigned int)ht_random_below(t, LINES);
		const uint16_t tag = (uint16_t)i;
		uint8_t op = kinds[ht_random_below(t, sizeof(kinds))];
		char state;

		if (busy[who][line] >= 0)
			fa_wait(ht_flit_agents, who, (uint16_t)busy[who][line]); /* an agent has one request outstanding for a line */
		while (ht_flit_agents->handled < ht_flit_wire()->npackets)
			fa_step(ht_flit_agents, ht_flit_wire()->now_ps);
		state = ht_flit_agents->state[who][line];
		if ((op == HSL_PKT_UPGRADE && state != 'S') || (op == HSL_PKT_WRITE_BACK && state != 'M'))
			op = state == 'I' ? HSL_PKT_READ_U : HSL_PKT_READ;
		if ((op == HSL_PKT_READ_S || op == HSL_PKT_READ_U) && state != 'I')
			op = HSL_PKT_READ;
		if (state == 'E' && ht_random_below(t, 2))
			ht_flit_agents->state[who][line] = 'M';
		ht_flit_agents->mask[who][tag] = 1 + ht_random_below(t, 1000);
		fa_ask(ht_flit_agents, who, op, tag, line);
		busy[who][line] = tag;
	}
	ht_flit_answered(t, 0, 0, N);
	ht_flit_answered(t, 1, 0, N);
}

static void test_atomic_once(struct ht *t)
{
	struct fe *e = ht_flit_wire();
	uint64_t before;

	ht_flit_need_memory(t, 4096);
	write_line(0, 1, UINT64_MAX, 1);
	memcpy(&before, ht_flit_agents->written[0][0], sizeof(before));
	e->twice = true;
	for (uint16_t i = 0; i < 200; i++) {
		fa_ask_atomic(ht_flit_agents, 0, (uint16_t)(1 + i), HSL_LINE_BYTES, HSL_ATOMIC_ADD, 3);
		fa_wait(ht_flit_agents, 0, (uint16_t)(1 + i));
		HT_TRUE(t, ht_flit_agents->request[0][1 + i].value == before + 3 * i, "ATOMIC ADD %u returns 0x%llx, not 0x%llx: one before it was done twice, or not",
			i, (unsigned long long)ht_flit_agents->request[0][1 + i].value, (unsigned long long)(before + 3 * i));
	}
}

static void test_poison(struct ht *t)
{
	uint8_t want[HSL_LINE_BYTES];

	ht_flit_need_memory(t, 4096);
	write_line(0, 4, UINT64_MAX, 1);
	write_line(1, 5, UINT64_MAX, 2);
	memcpy(want, ht_flit_agents->written[0][1], sizeof(want));
	ht_flit_agents->poison = true;
	write_line(2, 4, UINT64_MAX, 3);
	read_line(3, 4);
	HT_TRUE(t, ht_flit_agents->request[0][3].flags & HSL_PKT_F_POISON, "a line that was written with POISON is read without");
	same(t, read_line(4, 5), want, "the line after a poisoned one");
	HT_TRUE(t, !(ht_flit_agents->request[0][4].flags & HSL_PKT_F_POISON), "the line after a poisoned one is read with POISON");
	fa_ask_atomic(ht_flit_agents, 0, 5, 4 * HSL_LINE_BYTES, HSL_ATOMIC_ADD, 1);
	fa_wait(ht_flit_agents, 0, 5);
	HT_EQ(t, "status of ATOMIC on a poisoned line", ht_flit_agents->request[0][5].status, HSL_ST_POISON);
	write_line(6, 4, UINT64_MAX, 4);
	memcpy(want, ht_flit_agents->written[0][6], sizeof(want));
	same(t, read_line(7, 4), want, "a line that was written anew");
	HT_TRUE(t, !(ht_flit_agents->request[0][7].flags & HSL_PKT_F_POISON), "a store of the whole line does not heal it");
}

/* More lines than the directory has entries, as far as there is memory: who has one that another agent gets is asked. */
static void test_recall(struct ht *t)
{
	const uint64_t open = ht_flit_wire()->dut.open_bytes / HSL_LINE_BYTES;
	const unsigned int lines = open < 3000 ? (unsigned int)open : 3000, step = 16;
	unsigned int recalled = 0, had = 0;

	ht_flit_need_memory(t, 2 * step * HSL_LINE_BYTES);
	ht_step(t, "%u lines to own", lines);
	for (unsigned int i = 0; i < lines; i += step) {
		for (unsigned int k = i; k < i + step && k < lines; k++)
			fa_ask(ht_flit_agents, 0, HSL_PKT_READ_U, (uint16_t)k, k);
		for (unsigned int k = i; k < i + step && k < lines; k++)
			fa_wait(ht_flit_agents, 0, (uint16_t)k);
	}
	for (unsigned int i = 0; i < lines; i++)
		recalled += ht_flit_agents->state[0][i] == 'I';
	ht_step(t, "what one agent owns, for the other");
	for (unsigned int i = 0; i < lines; i += 5) {
		const unsigned int before = ht_flit_agents->snoops[0][i];

		if (ht_flit_agents->state[0][i] == 'I')
			continue;
		had++;
		fa_ask(ht_flit_agents, 1, HSL_PKT_READ_U, (uint16_t)i, i);
		fa_wait(ht_flit_agents, 1, (uint16_t)i);
		HT_TRUE(t, ht_flit_agents->snoops[0][i] > before, "line %u is given to one agent while another one owns it: it was not recalled", i);
	}
	if (!recalled)
		HT_SKIP_TEST(t, "the directory has room for all of %u lines: more open memory would show it", lines);
	ht_note(t, "%u lines owned, %u recalled, %u asked back", lines, recalled, had);
}

const struct ht_test ht_flit_tests_coh[] = {
	{ "HEP-TXN-021", "link_answers", "each request has one answer", test_answers, 0, 0 },
	{ "HEP-COH-001", "link_one_owner", "who shares a line is snooped before another one owns it", test_one_owner, 0, 0 },
	{ "HEP-COH-002", "link_last_store", "READ returns what was written last, byte by byte", test_last_store, 0, 0 },
	{ "HEP-COH-003", "link_every_request", "requests of two agents that cross are answered once each", test_every_request, 0, 0 },
	{ "HEP-COH-005", "link_dirty", "dirty data comes to who asks next, by write-back and by snoop", test_dirty, 0, 0 },
	{ "HEP-COH-006", "link_atomic_once", "an ATOMIC whose flit arrives twice is done once", test_atomic_once, 0, 0 },
	{ "HEP-COH-007", "link_poison", "POISON stays with the line it was written to, until it is written anew", test_poison, 0, 0 },
	{ "HEP-COH-008", "link_recall", "a line that the directory forgets is recalled", test_recall, 0, 0 },
	{ 0 }
};
