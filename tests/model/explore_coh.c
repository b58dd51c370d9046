// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Coherence explored: agents and one home as they are (qemu/model/agent.c, home.c), a network that
 * delivers packets in any order, a memory that answers in any order, accesses at any time.
 *
 * A line's value is one byte; the others stay zero. The ghost of a line is the value that the next
 * one in its order has to see. It changes when a store is carried out in a cache and when the home
 * answers WRITE or ATOMIC. In every state:
 *
 *   HEP-COH-001  E or M in one agent, and nothing in any other
 *   HEP-COH-002  every copy, and every packet that carries the line, has the ghost; loads and
 *                atomics return it, READ one that was the ghost while it ran
 *   HEP-COH-003  an access ends once, with OK; no packet is refused by who it is for
 *   HEP-COH-004  the explorer's deadlock and livelock
 *   HEP-COH-005  memory has the ghost unless somebody, or a packet, has it dirty
 *   HEP-COH-006  an ATOMIC changes the ghost once, by what it was given
 *   HEP-COH-007  what is poisoned stays so wherever it goes, loads and atomics say so; nothing else
 *   HEP-COH-008  what a cache has is in the directory
 *
 * Lines are alike, so values are followed on line 0 only; the other is in its way and stays zero.
 * Agents are alike: states that differ in their numbers only are one (the least hash of all
 * permutations).
 *
 *   explore_coh [--table] [--rows docs/hep.md] [--states N] [NAME…]    NAME: of configs[], or
 *   check, deep: those of that tier
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hsl/regs.h"
#include "model/coh_priv.h"
#include "tests/model/explore.h"

#define AGENTS_MAX	3
#define LINES_MAX	2
#define OUTSTANDING_MAX	2
#define PACKETS_MAX	20
#define READS_MAX	8
#define OPS		6

struct config {
	const char *name, *tier;
	uint32_t agents, lines;
	uint32_t ways;			/* of the caches' only set */
	uint32_t dir_ways;		/* of the directory's only set */
	uint32_t home_requests;
	uint32_t outstanding;		/* accesses of an agent */
	uint32_t values;		/* that a line can have */
	const char *ops;		/* accesses made: L S R W A F */
	bool slow_memory;		/* reads are answered later, in any order */
	bool by_line;			/* hash requests by their line: see coh_priv.h */
	bool poison;			/* line 0 is poisoned */
	uint64_t states_max;		/* 0: all */
};

static const struct config configs[] = {
	/* name, tier, agents, lines, ways, dir, home, out, values, ops, slow, by line, poison, N */
	{ "pair",       "check", 2, 1, 1, 1, 4, 1, 3, "LSRWAF", true, false, false, 0 },
	{ "recall",     "check", 2, 2, 2, 1, 4, 1, 2, "LSA", true, false, false, 0 },
	{ "poison",     "check", 2, 2, 2, 1, 4, 1, 2, "LSA", true, false, true, 0 },
	{ "evict-poison", "check", 2, 2, 1, 2, 4, 1, 2, "LSF", false, true, true, 50000 },
	{ "evict-near", "check", 2, 2, 1, 2, 4, 1, 2, "LSWAF", false, true, false, 200000 },
	{ "retry",      "check", 3, 1, 1, 1, 2, 1, 2, "SF", false, false, false, 0 },
	{ "pipeline",   "check", 2, 1, 1, 1, 2, 2, 2, "SW", false, false, false, 0 },
	{ "three",      "check", 3, 1, 1, 1, 4, 1, 2, "LS", true, false, false, 0 },
	{ "three-all",  "deep",  3, 1, 1, 1, 4, 1, 2, "LSRWAF", true, false, false, 0 },
	{ "retry-all",  "deep",  3, 1, 1, 1, 2, 1, 2, "LSWAF", false, false, false, 8000000 },
	{ "pipeline-all", "deep", 2, 1, 1, 1, 2, 2, 2, "LSWAF", false, false, false, 8000000 },
	{ "recall-all", "deep",  2, 2, 2, 1, 4, 1, 2, "LSRWAF", true, false, false, 0 },
	{ "recall-3",   "deep",  3, 2, 2, 1, 6, 1, 2, "LS", false, false, false, 8000000 },
	{ "evict",      "deep",  2, 2, 1, 2, 4, 1, 2, "S", false, true, false, 0 },
	{ "three-two",  "deep",  3, 2, 1, 2, 6, 1, 2, "LSWAF", false, true, false, 8000000 },
};

enum wrong {
	RIGHT, AGENT_REFUSED, HOME_REFUSED, TOO_MANY_PACKETS, TOO_MANY_READS, ENDED_TWICE,
	WRONG_STATUS, WRONG_LOAD, WRONG_READ, WRONG_ATOMIC, FLUSHED_STILL_THERE, NOT_APPLIED,
	ANSWERED_TWICE, NO_SUCH_REQUEST, ACCESS_REFUSED,
};
static const char *const wrong_text[] = {
	[AGENT_REFUSED] = "HEP-COH-003: an agent refused a packet",
	[HOME_REFUSED] = "HEP-COH-003: the home refused a packet",
	[TOO_MANY_PACKETS] = "more packets under way than the test has room for",
	[TOO_MANY_READS] = "more memory reads under way than the test has room for",
	[ENDED_TWICE] = "HEP-COH-003: an access ended that is not outstanding",
	[WRONG_STATUS] = "HEP-COH-007: an access ended with OK or POISON and should not have",
	[WRONG_LOAD] = "HEP-COH-002: a load returned an old value",
	[WRONG_READ] = "HEP-COH-002: READ returned a value that was not current while it ran",
	[WRONG_ATOMIC] = "HEP-COH-006: ATOMIC returned a value that was not current",
	[FLUSHED_STILL_THERE] = "HEP-COH-005: a flushed line is still in the cache",
	[NOT_APPLIED] = "HEP-COH-006: ATOMIC ended and the home has not applied it",
	[ANSWERED_TWICE] = "HEP-COH-006: the home answered a WRITE or ATOMIC twice",
	[NO_SUCH_REQUEST] = "HEP-COH-003: the home answered a request that does not exist",
	[ACCESS_REFUSED] = "an agent refused an access",
};

struct op {			/* an outstanding access */
	uint8_t used;
	uint8_t op;		/* enum hsl_access_op */
	uint8_t line;
	uint8_t value;		/* STORE, WRITE: the new one; ATOMIC: the old one */
	uint8_t seen;		/* READ: a bit for each value that was current */
	uint8_t applied;	/* WRITE, ATOMIC: by the home */
	uint8_t rsvd[2];
};

struct world {
	uint32_t wrong;		/* enum wrong */
	uint32_t packets, reads;
	uint8_t memory_poison[4];
	uint8_t ghost[4], memory[4];
	struct op ops[AGENTS_MAX][OUTSTANDING_MAX];
	struct {
		uint32_t id;
		uint8_t line, data, poison, rsvd;
	} read[READS_MAX];
	struct hsl_pkt packet[PACKETS_MAX];
	/* then the agents, then the home */
};

struct test {
	const struct config *c;
	struct hsl_agent_cfg agent;
	struct hsl_home_cfg home;
	size_t agent_bytes, state_bytes;
	uint32_t moves;		/* accesses that can be made: agent x line x op */
	uint8_t op[OPS];
	uint32_t nops;
	uint32_t perm[6][AGENTS_MAX], nperms;
	bool table;
};

static uint64_t rows_seen;

static struct hsl_agent *agent_of(const struct test *t, const void *w, uint32_t i)
{
	return (struct hsl_agent *)((uintptr_t)w + sizeof(struct world) + i * t->agent_bytes);
}

static struct hsl_home *home_of(const struct test *t, const void *w)
{
	return (struct hsl_home *)agent_of(t, w, t->c->agents);
}

static uint64_t ga_of(const struct test *t, uint32_t line)
{
	return HSL_GA(t->home.id, (uint64_t)line * HSL_LINE_BYTES);
}

/* What it is by its stores, which are of one byte: for ever. */
static bool poisoned(const struct test *t, uint32_t line)
{
	return t->c->poison && !line;
}

static void init(void *ctx, void *state)
{
	struct test *t = ctx;
	struct world *w = state;
	struct hsl_agent_cfg cfg = t->agent;

	memset(state, 0, t->state_bytes);
	w->memory_poison[0] = poisoned(t, 0);
	for (uint32_t i = 0; i < t->c->agents; i++) {
		cfg.id = (uint16_t)(i + 1);
		hsl_agent_init(agent_of(t, state, i), &cfg);
	}
	hsl_home_init(home_of(t, state), &t->home);
}

/* ---- the transitions seen, as text ---- */

#define TABLE_MAX 4096
static char *table_rows[TABLE_MAX];
static uint32_t table_n;

static void table_add(const char *row)
{
	for (uint32_t i = 0; i < table_n; i++) {
		if (!strcmp(table_rows[i], row))
			return;
	}
	if (table_n < TABLE_MAX)
		table_rows[table_n++] = strdup(row);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void table_print(void)
{
	qsort(table_rows, table_n, sizeof(table_rows[0]), by_text);
	printf("| who | state | event | state | sends |\n|---|---|---|---|---|\n");
	for (uint32_t i = 0; i < table_n; i++)
		printf("%s\n", table_rows[i]);
}

/* Name and flags of a packet, from its text: "READ_S 0001->0004 tag …". */
static void event_text(const struct hsl_pkt *p, char *buf, size_t len)
{
	char text[160];

	hsl_pkt_text(p, text, sizeof(text));
	text[strcspn(text, " ")] = 0;
	snprintf(buf, len, "%s", text);
	if (p->u.h.opcode == HSL_PKT_RSP || !p->u.h.flags)
		return;
	if (hsl_pkt_vc(p->u.h.opcode) == HSL_VC_REQ) {
		strncat(buf, " GRANTED", len - strlen(buf) - 1);
		return;
	}
	for (uint32_t bit = 0; bit < 8; bit++) {
		static const char *const names[8] = { "", " OWN", " DIRTY", " FWD", " KEEPS", "",
						      "", " POISON" };

		if (p->u.h.flags >> bit & 1)
			strncat(buf, names[bit], len - strlen(buf) - 1);
	}
}

static void agent_text(const struct test *t, const void *w, uint32_t i, uint64_t ga, char *buf,
		       size_t len)
{
	bool busy;
	char state = hsl_agent_line(agent_of(t, w, i), ga, &busy, NULL);

	if (hsl_agent_writing_back(agent_of(t, w, i), ga, NULL))
		snprintf(buf, len, "leaving");
	else
		snprintf(buf, len, "%c%s", state, busy ? " busy" : "");
}

static void home_text(const struct test *t, const void *w, uint64_t offset, char *buf, size_t len)
{
	uint64_t set;
	bool busy;
	char state = hsl_home_line(home_of(t, w), offset, &busy, &set, 1);

	snprintf(buf, len, "%c%d%s", state, __builtin_popcountll(set), busy ? " busy" : "");
}

/* ---- what follows from an input ---- */

static void put_packet(struct world *w, const struct hsl_pkt *p)
{
	if (w->packets == PACKETS_MAX) {
		w->wrong = TOO_MANY_PACKETS;
		return;
	}
	w->packet[w->packets++] = *p;
}

static void set_ghost(struct world *w, uint32_t line, uint32_t value)
{
	w->ghost[line] = (uint8_t)value;
	for (uint32_t a = 0; a < AGENTS_MAX; a++) {
		for (uint32_t i = 0; i < OUTSTANDING_MAX; i++) {
			struct op *o = &w->ops[a][i];

			if (o->used && o->op == HSL_ACCESS_READ && o->line == line)
				o->seen |= (uint8_t)(1 << value);
		}
	}
}

static void ended(struct test *t, struct world *w, uint32_t agent, const struct hsl_access *x)
{
	struct op *o = &w->ops[agent][(x->cookie - 1) % OUTSTANDING_MAX], copy = *o;
	bool reads = x->op == HSL_ACCESS_LOAD || x->op == HSL_ACCESS_READ ||
		     x->op == HSL_ACCESS_ATOMIC;

	if (!copy.used || copy.op != x->op || ga_of(t, copy.line) != x->ga) {
		w->wrong = ENDED_TWICE;
		return;
	}
	memset(o, 0, sizeof(*o));
	if (x->status != (reads && poisoned(t, copy.line) ? HSL_ST_POISON : HSL_ST_OK))
		w->wrong = WRONG_STATUS;
	switch (x->op) {
	case HSL_ACCESS_LOAD:
		if (x->data[0] != w->ghost[copy.line])
			w->wrong = WRONG_LOAD;
		break;
	case HSL_ACCESS_STORE:
		set_ghost(w, copy.line, copy.value);
		break;
	case HSL_ACCESS_READ:
		if (x->data[0] > 7 || !(copy.seen >> x->data[0] & 1))
			w->wrong = WRONG_READ;
		break;
	case HSL_ACCESS_WRITE:	/* by the home before its answer, or now, in the cache */
		if (!copy.applied)
			set_ghost(w, copy.line, copy.value);
		break;
	case HSL_ACCESS_ATOMIC:
		if (!copy.applied)
			w->wrong = NOT_APPLIED;
		else if (x->status == HSL_ST_OK && x->value != copy.value)
			w->wrong = WRONG_ATOMIC;
		break;
	default:
		if (hsl_agent_line(agent_of(t, w, agent), x->ga, NULL, NULL) != 'I')
			w->wrong = FLUSHED_STILL_THERE;
	}
}

static void add_text(const struct hsl_pkt *p, char *text, size_t len)
{
	char ev[64];

	if (!text)
		return;
	event_text(p, ev, sizeof(ev));
	snprintf(text + strlen(text), len - strlen(text), "%s%s", *text ? ", " : "", ev);
}

/* Output of an agent; what it sends is added to text. */
static void drain_agent(struct test *t, struct world *w, uint32_t i, char *text, size_t len)
{
	struct hsl_agent *a = agent_of(t, w, i);
	struct hsl_access x;
	struct hsl_pkt p;

	while (hsl_agent_done(a, &x))
		ended(t, w, i, &x);
	while (hsl_agent_tx(a, &p)) {
		put_packet(w, &p);
		add_text(&p, text, len);
	}
}

/* The home's RSP: here WRITE and ATOMIC take their place in the order of the line. */
static void applied(struct test *t, struct world *w, const struct hsl_pkt *p)
{
	uint32_t agent = p->u.h.dst - 1u;
	uint64_t cookie;
	struct op *o;

	if (agent >= t->c->agents ||
	    !hsl_agent_tag_cookie(agent_of(t, w, agent), p->u.h.tag, &cookie)) {
		w->wrong = NO_SUCH_REQUEST;
		return;
	}
	o = &w->ops[agent][(cookie - 1) % OUTSTANDING_MAX];
	if (o->applied++)
		w->wrong = ANSWERED_TWICE;
	if (p->u.rsp.status == HSL_ST_POISON)
		return;
	if (o->op == HSL_ACCESS_ATOMIC) {
		if (p->u.rsp.value != w->ghost[o->line])
			w->wrong = WRONG_ATOMIC;
		o->value = w->ghost[o->line];
		set_ghost(w, o->line, w->ghost[o->line] ^ !o->line);
	} else {
		set_ghost(w, o->line, o->value);
	}
}

static void memory_op(struct world *w, const struct hsl_mem_op *op)
{
	uint32_t line = (uint32_t)(op->offset / HSL_LINE_BYTES);

	if (op->write) {
		w->memory[line] = op->data[0];
		w->memory_poison[line] = op->poison;
	} else if (w->reads == READS_MAX) {
		w->wrong = TOO_MANY_READS;
	} else {
		w->read[w->reads].id = op->id;
		w->read[w->reads].line = (uint8_t)line;
		w->read[w->reads].poison = w->memory_poison[line];
		w->read[w->reads++].data = w->memory[line];
	}
}

static void answer_read(struct test *t, struct world *w, uint32_t i)
{
	uint8_t data[HSL_LINE_BYTES] = { w->read[i].data };
	bool poison = w->read[i].poison;
	uint32_t id = w->read[i].id;

	w->read[i] = w->read[--w->reads];
	memset(&w->read[w->reads], 0, sizeof(w->read[0]));
	hsl_home_mem_data(home_of(t, w), id, poison, data);
}

static void drain_home(struct test *t, struct world *w, char *text, size_t len)
{
	struct hsl_home *h = home_of(t, w);
	struct hsl_home_stats stats;
	struct hsl_mem_op op;
	struct hsl_pkt p;

	for (;;) {
		while (hsl_home_tx(h, &p)) {
			put_packet(w, &p);
			if (p.u.h.opcode == HSL_PKT_RSP)
				applied(t, w, &p);
			add_text(&p, text, len);
		}
		while (hsl_home_mem(h, &op))
			memory_op(w, &op);
		if (t->c->slow_memory || !w->reads)
			break;
		answer_read(t, w, 0);
	}
	hsl_home_stats(h, &stats);
	for (uint32_t i = 0; i < HSL_HOME_ROWS; i++)
		rows_seen |= (uint64_t)!!stats.row[i] << i;
}

/* ---- moves ---- */

static bool for_agent(uint32_t opcode)
{
	return (opcode >= HSL_PKT_SNP_S && opcode <= HSL_PKT_SNP_C) ||
	       (opcode >= HSL_PKT_RSP && opcode <= HSL_PKT_GRANT);
}

static void deliver(struct test *t, struct world *w, uint32_t i, char *text, size_t len)
{
	struct hsl_pkt p = w->packet[i];
	char before[32] = "", after[32] = "", ev[64], sends[256] = "", row[512];
	uint64_t offset = p.u.h.addr & HSL_GA_OFFSET_MASK & HSL_LINE_MASK;
	bool agent = for_agent(p.u.h.opcode), traced = t->table || text;
	uint32_t to = p.u.h.dst - 1u;
	bool has_line = p.u.h.opcode != HSL_PKT_RSP && p.u.h.opcode != HSL_PKT_GRANT;

	if (text) {
		hsl_pkt_text(&p, text, len);
		strncat(text, agent ? " to agent" : " to home", len - strlen(text) - 1);
	}
	w->packet[i] = w->packet[--w->packets];
	memset(&w->packet[w->packets], 0, sizeof(w->packet[0]));
	if (traced && has_line) {
		if (agent)
			agent_text(t, w, to, HSL_GA(t->home.id, offset), before, sizeof(before));
		else
			home_text(t, w, offset, before, sizeof(before));
	}
	if (agent) {
		if (!hsl_agent_rx(agent_of(t, w, to), &p))
			w->wrong = AGENT_REFUSED;
		drain_agent(t, w, to, traced ? sends : NULL, sizeof(sends));
	} else {
		if (!hsl_home_rx(home_of(t, w), &p))
			w->wrong = HOME_REFUSED;
		drain_home(t, w, traced ? sends : NULL, sizeof(sends));
	}
	if (!traced)
		return;
	if (has_line) {
		if (agent)
			agent_text(t, w, to, HSL_GA(t->home.id, offset), after, sizeof(after));
		else
			home_text(t, w, offset, after, sizeof(after));
	}
	event_text(&p, ev, sizeof(ev));
	snprintf(row, sizeof(row), "| %s | %s | %s | %s | %s |", agent ? "agent" : "home", before,
		 ev, after, sends);
	if (t->table)
		table_add(row);
	if (text)
		snprintf(text + strlen(text), len - strlen(text), ": %s -> %s; %s", before, after,
			 sends);
}

static const char *const op_names[OPS] = { "LOAD", "STORE", "READ", "WRITE", "ATOMIC", "FLUSH" };

/* Access number i is made, if its agent has room for it. */
static bool access_made(struct test *t, struct world *w, uint32_t i, char *text, size_t len)
{
	uint32_t agent = i / (t->c->lines * t->nops), line = i / t->nops % t->c->lines, slot = 0;
	uint8_t kind = t->op[i % t->nops];
	struct hsl_access x = { .ga = ga_of(t, line), .op = kind, .len = 1 };
	struct op *o;
	char sends[256] = "";

	while (slot < t->c->outstanding && w->ops[agent][slot].used)
		slot++;
	if (slot == t->c->outstanding)
		return false;
	o = &w->ops[agent][slot];
	*o = (struct op){ .used = 1, .op = kind, .line = (uint8_t)line };
	x.cookie = slot + 1;
	if (kind == HSL_ACCESS_ATOMIC) {
		x.subop = HSL_ATOMIC_XOR;
		x.len = 4;
		x.arg0 = !line;
	} else if (kind == HSL_ACCESS_STORE || kind == HSL_ACCESS_WRITE) {
		o->value = (uint8_t)(line ? 0 : (w->ghost[line] + 1u) % t->c->values);
		x.data[0] = o->value;
	} else if (kind == HSL_ACCESS_READ) {
		o->seen = (uint8_t)(1 << w->ghost[line]);
	}
	if (hsl_agent_access(agent_of(t, w, agent), &x))
		w->wrong = ACCESS_REFUSED;
	drain_agent(t, w, agent, text ? sends : NULL, sizeof(sends));
	if (text)
		snprintf(text, len, "agent %u: %s line %u value %u; %s", agent + 1, op_names[kind],
			 line, x.data[0], sends);
	return true;
}

static enum explore_move move(void *ctx, void *state, uint32_t i, char *text, size_t len)
{
	struct test *t = ctx;
	struct world *w = state;
	char sends[256] = "";

	if (i < w->packets) {
		deliver(t, w, i, text, len);
		return EXPLORE_STEP;
	}
	i -= w->packets;
	if (i < w->reads) {
		if (text)
			snprintf(text, len, "memory answers read %u with %u", w->read[i].id,
				 w->read[i].data);
		answer_read(t, w, i);
		drain_home(t, w, text ? sends : NULL, sizeof(sends));
		if (text)
			snprintf(text + strlen(text), len - strlen(text), "; %s", sends);
		return EXPLORE_STEP;
	}
	i -= w->reads;
	if (i >= t->moves)
		return EXPLORE_END;
	return access_made(t, w, i, text, len) ? EXPLORE_WORK : EXPLORE_NONE;
}

/* ---- properties ---- */

static bool is_line(const uint8_t *data, uint32_t value)
{
	uint8_t rest = 0;

	for (uint32_t i = 1; i < HSL_LINE_BYTES; i++)
		rest |= data[i];
	return data[0] == value && !rest;
}

/* The packet carries the line as it is: not part of one, nor what READ may find old. */
static bool carries_line(const struct test *t, const struct world *w, const struct hsl_pkt *p)
{
	uint64_t cookie;
	uint32_t agent = p->u.h.dst - 1u;

	if (p->u.h.opcode == HSL_PKT_SNP_DATA)
		return true;
	if (p->u.h.opcode == HSL_PKT_WR_DATA)
		return p->u.wr.mask == UINT64_MAX;
	return p->u.h.opcode == HSL_PKT_RSP_DATA && agent < t->c->agents &&
	       hsl_agent_tag_cookie(agent_of(t, w, agent), p->u.h.tag, &cookie) &&
	       w->ops[agent][(cookie - 1) % OUTSTANDING_MAX].op != HSL_ACCESS_READ;
}

static const uint8_t *line_in(const struct hsl_pkt *p)
{
	return p->u.h.opcode == HSL_PKT_WR_DATA ? p->u.wr.data : p->u.data.data;
}

static bool is_dirty(const struct hsl_pkt *p)
{
	return p->u.h.opcode != HSL_PKT_RSP_DATA || p->u.h.flags & HSL_PKT_F_DIRTY;
}

static const char *check_copies(const struct test *t, const struct world *w, uint32_t line,
				bool *dirty)
{
	uint32_t owners = 0, copies = 0;
	uint64_t ga = ga_of(t, line), set;
	uint8_t data[HSL_LINE_BYTES];
	bool busy, leaving;
	char dir = hsl_home_line(home_of(t, w), line * HSL_LINE_BYTES, &busy, &set, 1);

	for (uint32_t i = 0; i < t->c->agents; i++) {
		const struct hsl_agent *a = agent_of(t, w, i);
		char state = hsl_agent_line(a, ga, NULL, data);

		leaving = hsl_agent_writing_back(a, ga, data);
		if (state == 'I' && !leaving)
			continue;
		owners += state == 'E' || state == 'M' || leaving;
		copies++;
		*dirty |= state == 'M' || leaving;
		if (!is_line(data, w->ghost[line]))
			return "HEP-COH-002: a cache has an old value";
		if (state == 'E' && w->memory[line] != w->ghost[line])
			return "HEP-COH-005: a line in E is not as in memory";
		if (!busy && (!(set >> i & 1) || dir != (state == 'S' ? 'S' : 'O')))
			return "HEP-COH-008: a cache has a line that the directory does not know";
	}
	return owners && copies > 1 ? "HEP-COH-001: an owner and another copy" : NULL;
}

static const char *check(void *ctx, const void *state)
{
	const struct test *t = ctx;
	const struct world *w = state;

	if (w->wrong)
		return wrong_text[w->wrong];
	for (uint32_t line = 0; line < t->c->lines; line++) {
		bool dirty = false;
		const char *bad = check_copies(t, w, line, &dirty);

		if (bad)
			return bad;
		for (uint32_t i = 0; i < w->packets; i++) {
			const struct hsl_pkt *p = &w->packet[i];

			if (!carries_line(t, w, p) || p->u.h.addr != line * HSL_LINE_BYTES)
				continue;
			dirty |= is_dirty(p);
			if (!is_line(line_in(p), w->ghost[line]))
				return "HEP-COH-002: a packet carries an old value";
			if (!!(p->u.h.flags & HSL_PKT_F_POISON) != poisoned(t, line))
				return "HEP-COH-007: a packet has poison that is not its line's";
		}
		if (w->memory_poison[line] != poisoned(t, line))
			return "HEP-COH-007: memory has poison that is not its line's";
		if (!dirty && w->memory[line] != w->ghost[line])
			return "HEP-COH-005: nobody has the line as it was stored last";
	}
	return NULL;
}

static bool quiet(void *ctx, const void *state)
{
	const struct test *t = ctx;
	const struct world *w = state;

	for (uint32_t i = 0; i < t->c->agents; i++) {
		for (uint32_t k = 0; k < OUTSTANDING_MAX; k++) {
			if (w->ops[i][k].used)
				return false;
		}
		if (!hsl_agent_quiet(agent_of(t, state, i)))
			return false;
	}
	return !w->packets && !w->reads && hsl_home_quiet(home_of(t, state));
}

/* ---- the hash ---- */

static uint32_t mapped(const struct test *t, const uint32_t *perm, uint32_t id)
{
	return id >= 1 && id <= t->c->agents ? perm[id - 1] + 1 : id;
}

/* The line of a request instead of its tag. */
static uint16_t line_for_tag(const struct test *t, const struct world *w, const struct hsl_pkt *p)
{
	uint32_t agent = p->u.h.dst - 1u;
	uint64_t cookie;

	if (p->u.h.opcode != HSL_PKT_RSP)
		return 0;	/* it names the line */
	if (!hsl_agent_tag_cookie(agent_of(t, w, agent), p->u.h.tag, &cookie))
		return UINT16_MAX;
	return w->ops[agent][(cookie - 1) % OUTSTANDING_MAX].line;
}

/* All but who it is from and for, which the permutations change. */
static uint64_t hash_content(const struct test *t, const struct world *w,
			     const struct hsl_pkt *packet)
{
	struct hsl_pkt p = *packet;
	uint64_t h[2];

	if (t->c->by_line)
		p.u.h.tag = line_for_tag(t, w, packet);
	p.u.h.src = p.u.h.dst = 0;
	if (hsl_pkt_vc(p.u.h.opcode) == HSL_VC_SNP) {
		p.u.snp.fwd = 0;
		p.u.snp.fwd_tag = t->c->by_line ? 0 : p.u.snp.fwd_tag;
	}
	explore_hash(&p, hsl_pkt_slots(p.u.h.opcode) * HSL_SLOT_BYTES, h);
	return h[0];
}

static uint64_t hash_packet(const struct test *t, const struct hsl_pkt *p, uint64_t content,
			    const uint32_t *perm)
{
	uint64_t fwd = hsl_pkt_vc(p->u.h.opcode) == HSL_VC_SNP ? mapped(t, perm, p->u.snp.fwd) : 0;

	return hsl_coh_mix(content, mapped(t, perm, p->u.h.src) |
			   (uint64_t)mapped(t, perm, p->u.h.dst) << 16 | fwd << 32);
}

static void hash_as(const struct test *t, const struct world *w, const uint32_t *perm,
		    const uint64_t *agents, const uint64_t *contents, uint64_t h[2])
{
	uint64_t words[AGENTS_MAX + 5] = { 0 };
	uint32_t map[2 * (AGENTS_MAX + 1)];

	for (uint32_t i = 0; i < 2 * t->home.nodes; i++)
		map[i] = i < t->c->agents ? perm[i] : i;
	for (uint32_t i = 0; i < t->c->agents; i++)
		words[perm[i]] = agents[i];
	words[AGENTS_MAX] = hsl_home_hash_as(home_of(t, w), t->c->by_line, map);
	for (uint32_t i = 0; i < w->packets; i++)
		words[AGENTS_MAX + 1] += hash_packet(t, &w->packet[i], contents[i], perm);
	for (uint32_t i = 0; i < w->reads; i++) {
		uint64_t id = t->c->by_line ? 0 : w->read[i].id;

		words[AGENTS_MAX + 2] += hsl_coh_mix(id, w->read[i].line | w->read[i].data << 8 |
						     w->read[i].poison << 16);
	}
	memcpy(&words[AGENTS_MAX + 3], w->ghost, 8);
	memcpy(&words[AGENTS_MAX + 4], w->memory_poison, 4);
	words[AGENTS_MAX + 4] |= (uint64_t)w->wrong << 32;
	explore_hash(words, sizeof(words), h);
}

static void hash(void *ctx, const void *state, uint64_t h[2])
{
	const struct test *t = ctx;
	const struct world *w = state;
	uint64_t agents[AGENTS_MAX], contents[PACKETS_MAX], g[2];

	for (uint32_t i = 0; i < w->packets; i++)
		contents[i] = hash_content(t, w, &w->packet[i]);
	for (uint32_t i = 0; i < t->c->agents; i++) {
		explore_hash(w->ops[i], sizeof(w->ops[i]), g);
		agents[i] = hsl_agent_hash_as(agent_of(t, w, i), t->c->by_line);
		agents[i] = hsl_coh_mix(agents[i], g[0]);
	}
	h[0] = h[1] = UINT64_MAX;
	for (uint32_t k = 0; k < t->nperms; k++) {
		hash_as(t, w, t->perm[k], agents, contents, g);
		if (g[0] < h[0] || (g[0] == h[0] && g[1] < h[1])) {
			h[0] = g[0];
			h[1] = g[1];
		}
	}
}

static void show(void *ctx, const void *state)
{
	const struct test *t = ctx;
	const struct world *w = state;
	char text[160];

	for (uint32_t line = 0; line < t->c->lines; line++) {
		home_text(t, w, line * HSL_LINE_BYTES, text, sizeof(text));
		fprintf(stderr, "  line %u: last stored %u, memory %u, directory %s, agents", line,
			w->ghost[line], w->memory[line], text);
		for (uint32_t i = 0; i < t->c->agents; i++) {
			agent_text(t, w, i, ga_of(t, line), text, sizeof(text));
			fprintf(stderr, " %s%s", text, i + 1 < t->c->agents ? "," : "\n");
		}
	}
	for (uint32_t i = 0; i < w->packets; i++)
		fprintf(stderr, "  under way: %s\n",
			hsl_pkt_text(&w->packet[i], text, sizeof(text)));
}

/* ---- running ---- */

static void permutations(struct test *t)
{
	static const uint8_t all[6][3] = { { 0, 1, 2 }, { 1, 0, 2 }, { 2, 1, 0 },
					   { 0, 2, 1 }, { 1, 2, 0 }, { 2, 0, 1 } };

	t->nperms = t->c->agents == 3 ? 6 : t->c->agents;
	for (uint32_t i = 0; i < t->nperms; i++) {
		for (uint32_t k = 0; k < AGENTS_MAX; k++)
			t->perm[i][k] = all[i][k];
	}
}

static bool run(const struct config *c, uint64_t states_max, bool table)
{
	struct test t = {
		.c = c,
		.agent = { .id = 1, .sets = 1, .ways = c->ways, .requests = c->outstanding + 1,
			   .accesses = c->outstanding },
		.home = { .id = (uint16_t)(c->agents + 1), .nodes = c->agents + 1, .sets = 1,
			  .ways = c->dir_ways, .requests = c->home_requests },
		.table = table,
	};
	struct explore e = { .name = c->name, .ctx = &t, .init = init, .move = move, .check = check,
			     .hash = hash, .quiet = quiet, .show = show,
			     .states_max = states_max ? states_max : c->states_max };
	struct explore_result r;
	bool ok;

	t.agent_bytes = hsl_agent_size(&t.agent);
	t.state_bytes = sizeof(struct world) + c->agents * t.agent_bytes + hsl_home_size(&t.home);
	e.state_bytes = t.state_bytes;
	for (uint32_t i = 0; i < OPS; i++) {
		if (strchr(c->ops, "LSRWAF"[i]))
			t.op[t.nops++] = (uint8_t)i;
	}
	t.moves = c->agents * c->lines * t.nops;
	permutations(&t);
	explore_run(&e, &r);
	ok = explore_report(&e, &r);
	explore_free(&r);
	return ok;
}

/* ---- the table of docs/hep.md ---- */

static char *cell(char **at)
{
	char *begin = *at, *end = strchr(begin, '|');

	if (!end)
		return NULL;
	*at = end + 1;
	while (*begin == ' ')
		begin++;
	while (end > begin && end[-1] == ' ')
		end--;
	*end = 0;
	return begin;
}

static uint64_t row_of(const char *request, const char *directory)
{
	char name[128];

	snprintf(name, sizeof(name), "%s %s", request, directory);
	for (uint32_t i = 0; i < HSL_HOME_ROWS; i++) {
		if (!strcmp(hsl_home_row_name(i), name))
			return UINT64_C(1) << i;
	}
	printf("# docs/hep.md has the row \"%s\", the home does not\n", name);
	return 0;
}

/* One row of the document, which may name two requests. */
static bool rows_of(const char *requests, const char *directory, uint64_t *documented)
{
	char first[64], *comma;
	uint64_t bit;

	snprintf(first, sizeof(first), "%s", requests);
	comma = strstr(first, ", ");
	if (comma)
		*comma = 0;
	bit = row_of(first, directory);
	*documented |= bit;
	return bit && (!comma || rows_of(comma + 2, directory, documented));
}

/* The rows of the requests table: what the document has, the home has, and was gone through. */
static bool check_rows(const char *path)
{
	FILE *f = fopen(path, "r");
	char line[1024], request[64] = "", *at, *first, *second;
	uint64_t documented = 0;
	bool in = false, ok = true;

	if (!f) {
		perror(path);
		return false;
	}
	while (fgets(line, sizeof(line), f)) {
		if (!strncmp(line, "| request | directory |", 23)) {
			in = true;
			continue;
		}
		if (!in || !strncmp(line, "|---", 4))
			continue;
		if (line[0] != '|')
			break;
		at = line + 1;
		first = cell(&at);
		second = first ? cell(&at) : NULL;
		if (!second)
			continue;
		if (*first)
			snprintf(request, sizeof(request), "%s", first);
		ok &= rows_of(request, second, &documented);
	}
	fclose(f);
	for (uint32_t i = 0; i < HSL_HOME_ROWS; i++) {
		if (!(documented >> i & 1)) {
			printf("# row \"%s\" is not in %s\n", hsl_home_row_name(i), path);
			ok = false;
		}
		if (!(rows_seen >> i & 1)) {
			printf("# row \"%s\" was never gone through\n", hsl_home_row_name(i));
			ok = false;
		}
	}
	return ok;
}

static bool chosen(const struct config *c, int argc, char **argv)
{
	for (int i = 0; i < argc; i++) {
		if (!strcmp(argv[i], c->name) || !strcmp(argv[i], c->tier))
			return true;
	}
	return !argc && !strcmp(c->tier, "check");
}

int main(int argc, char **argv)
{
	const char *rows = NULL;
	uint64_t states_max = 0;
	bool table = false, ok, all = true;
	uint32_t n = 0;
	int i = 1;

	for (; i < argc && argv[i][0] == '-'; i++) {
		if (!strcmp(argv[i], "--table")) {
			table = true;
		} else if (!strcmp(argv[i], "--rows") && i + 1 < argc) {
			rows = argv[++i];
		} else if (!strcmp(argv[i], "--states") && i + 1 < argc) {
			states_max = strtoull(argv[++i], NULL, 0);
		} else {
			fprintf(stderr,
				"explore_coh [--table] [--rows FILE] [--states N] [NAME...]\n");
			return 2;
		}
	}
	for (size_t k = 0; k < sizeof(configs) / sizeof(configs[0]); k++) {
		if (!chosen(&configs[k], argc - i, argv + i))
			continue;
		ok = run(&configs[k], states_max, table);
		printf("%s %u - coherence, %s\n", ok ? "ok" : "not ok", ++n, configs[k].name);
		fflush(stdout);
		all &= ok;
	}
	if (rows && n) {
		ok = check_rows(rows);
		printf("%s %u - the rows of %s and of the home\n", ok ? "ok" : "not ok", ++n, rows);
		all &= ok;
	}
	if (table)
		table_print();
	printf("1..%u\n", n);
	return n && all ? 0 : 1;
}
