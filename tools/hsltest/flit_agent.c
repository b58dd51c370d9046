/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include <stdlib.h>

#include "flit_agent.h"

struct fa *fa_new(struct fe *e)
{
	struct fa *a = calloc(1, sizeof(*a));

	if (!a)
		abort();
	a->e = e;
	memset(a->state, 'I', sizeof(a->state));
	return a;
}

static uint16_t id_of(const struct fa *a, unsigned int agent)
{
	return (uint16_t)(a->e->own.node | (agent ? HSL_AGENT_HOST_PORT : 0));
}

static union fe_pkt packet(const struct fa *a, uint8_t opcode, uint8_t flags, uint16_t tag, unsigned int agent, uint64_t addr)
{
	union fe_pkt p = { 0 };

	p.h.opcode = opcode;
	p.h.flags = flags;
	p.h.tag = tag;
	p.h.src = id_of(a, agent);
	p.h.dst = a->e->dut.node;
	p.h.addr = addr;
	return p;
}

static void ask(struct fa *a, unsigned int agent, const union fe_pkt *p)
{
	a->request[agent][p->h.tag] = (struct fa_request){ .opcode = p->h.opcode, .line = p->h.addr / HSL_LINE_BYTES };
	a->asked[agent][p->h.tag] = *p;
	fe_send(a->e, p, 1);
}

void fa_ask(struct fa *a, unsigned int agent, uint8_t opcode, uint16_t tag, uint64_t line)
{
	const union fe_pkt p = packet(a, opcode, 0, tag, agent, line * HSL_LINE_BYTES);

	ask(a, agent, &p);
}

void fa_ask_atomic(struct fa *a, unsigned int agent, uint16_t tag, uint64_t ga, uint8_t subop, uint64_t arg0)
{
	union fe_pkt p = packet(a, HSL_PKT_ATOMIC, 0, tag, agent, ga);

	p.atomic.subop = subop;
	p.atomic.len = 8;
	p.atomic.arg0 = arg0;
	ask(a, agent, &p);
}

/* ---- answers ---- */

static void say(struct fa *a, uint8_t opcode, uint8_t flags, uint16_t tag, unsigned int agent, uint64_t line)
{
	const union fe_pkt p = packet(a, opcode, flags, tag, agent, line * HSL_LINE_BYTES);

	fe_send(a->e, &p, 1);
}

static void write_data(struct fa *a, unsigned int agent, uint16_t tag, uint64_t line, uint64_t mask, const uint8_t *data)
{
	union fe_pkt p = packet(a, HSL_PKT_WR_DATA, a->poison ? HSL_PKT_F_POISON : 0, tag, agent, line * HSL_LINE_BYTES);

	a->poison = false;
	p.wr.mask = mask;
	memcpy(p.wr.data, data, HSL_LINE_BYTES);
	fe_send(a->e, &p, 1);
}

static void go(struct fa *a, unsigned int agent, uint16_t tag, struct fa_request *r)
{
	char *state = &a->state[agent][r->line % FA_LINES];

	if (r->opcode == HSL_PKT_WRITE) {
		write_data(a, agent, tag, r->line, a->mask[agent][tag], a->written[agent][tag]);
		return;
	}
	r->answers++;
	if (*state == 'M')
		write_data(a, agent, tag, r->line, UINT64_MAX, a->data[agent][r->line % FA_LINES]);
	else
		say(a, HSL_PKT_ACK, 0, tag, agent, r->line);
	*state = 'I';
}

static void have_line(struct fa *a, unsigned int agent, uint16_t tag, struct fa_request *r, char state, const uint8_t *data)
{
	r->answers++;
	a->state[agent][r->line % FA_LINES] = state;
	if (data)
		memcpy(a->data[agent][r->line % FA_LINES], data, HSL_LINE_BYTES);
	say(a, HSL_PKT_ACK, 0, tag, agent, r->line);
}

static void granted(struct fa *a, unsigned int agent)
{
	for (unsigned int tag = 0; tag < FA_TAGS; tag++) {
		if (!a->request[agent][tag].retried)
			continue;
		a->request[agent][tag].retried = false;
		a->asked[agent][tag].h.flags |= HSL_PKT_F_GRANTED;
		fe_send(a->e, &a->asked[agent][tag], 1);
		return;
	}
}

static void answer(struct fa *a, const union fe_pkt *p)
{
	const unsigned int agent = !!(p->h.dst & HSL_AGENT_HOST_PORT);
	struct fa_request *r = &a->request[agent][p->h.tag % FA_TAGS];

	if (p->h.opcode == HSL_PKT_GRANT) {
		granted(a, agent);
		return;
	}
	if (p->h.tag >= FA_TAGS || !r->opcode) {
		a->strangers++;
		return;
	}
	switch (p->h.opcode) {
	case HSL_PKT_RETRY: r->retried = true; break;
	case HSL_PKT_GO: go(a, agent, p->h.tag, r); break;
	case HSL_PKT_COMP: have_line(a, agent, p->h.tag, r, 'E', NULL); break;
	case HSL_PKT_RSP:
		r->answers++;
		r->status = p->h.flags;
		r->value = p->h.addr;
		break;
	case HSL_PKT_RSP_DATA:
		r->flags = p->h.flags;
		if (r->opcode != HSL_PKT_READ) {
			have_line(a, agent, p->h.tag, r, !(p->h.flags & HSL_PKT_F_OWN) ? 'S' : p->h.flags & HSL_PKT_F_DIRTY ? 'M' : 'E', p->data.data);
			break;
		}
		r->answers++;
		memcpy(a->read[agent][p->h.tag], p->data.data, HSL_LINE_BYTES);
		break;
	}
}

/* The owner serves who asks: an agent of the device, or the other one of ours, which no link sees. */
static void serve(struct fa *a, const union fe_pkt *p, unsigned int owner, uint64_t line, bool shared)
{
	const unsigned int other = !!(p->snp.fwd & HSL_AGENT_HOST_PORT);
	struct fa_request *r = &a->request[other][p->snp.fwd_tag % FA_TAGS];

	if (p->snp.fwd != id_of(a, other)) {
		union fe_pkt data = packet(a, HSL_PKT_RSP_DATA, 0, p->snp.fwd_tag, owner, p->h.addr);

		data.h.dst = p->snp.fwd;
		data.h.flags = shared ? 0 : a->state[owner][line] == 'M' ? HSL_PKT_F_OWN | HSL_PKT_F_DIRTY : HSL_PKT_F_OWN;
		memcpy(data.data.data, a->data[owner][line], HSL_LINE_BYTES);
		fe_send(a->e, &data, 1);
		return;
	}
	HT_TRUE(a->e->t, other != owner && p->snp.fwd_tag < FA_TAGS && r->opcode && r->line % FA_LINES == line,
		"a snoop of agent 0x%04x has it serve agent 0x%04x, tag %u, which does not ask for line %llu", id_of(a, owner), p->snp.fwd,
		p->snp.fwd_tag, (unsigned long long)line);
	r->flags = shared ? 0 : HSL_PKT_F_OWN;
	have_line(a, other, p->snp.fwd_tag, r, shared ? 'S' : a->state[owner][line] == 'M' ? 'M' : 'E', a->data[owner][line]);
}

static void snoop(struct fa *a, const union fe_pkt *p)
{
	const unsigned int agent = !!(p->h.dst & HSL_AGENT_HOST_PORT);
	const uint64_t line = p->h.addr / HSL_LINE_BYTES % FA_LINES;
	const bool shares = p->h.opcode == HSL_PKT_SNP_S || p->h.opcode == HSL_PKT_SNP_C, dirty = a->state[agent][line] == 'M',
		   serves = p->h.opcode == HSL_PKT_SNP_S || p->h.opcode == HSL_PKT_SNP_U, had = a->state[agent][line] != 'I';
	union fe_pkt out = packet(a, HSL_PKT_SNP_RSP, 0, p->h.tag, agent, p->h.addr);

	a->snoops[agent][line]++;
	a->invalidated[agent][line] += !shares;
	if (had && serves) {
		serve(a, p, agent, line, shares);
		out.h.flags |= HSL_PKT_F_FWD;
	}
	if (had && shares)
		out.h.flags |= HSL_PKT_F_KEEPS;
	if (dirty && p->h.opcode == HSL_PKT_SNP_U) {
		out.h.flags |= HSL_PKT_F_DIRTY;
	} else if (dirty) {
		out.h.opcode = HSL_PKT_SNP_DATA;
		memcpy(out.data.data, a->data[agent][line], HSL_LINE_BYTES);
	}
	a->state[agent][line] = had && shares ? 'S' : 'I';
	fe_send(a->e, &out, 1);
}

/* No memory of ours is open. */
static void refuse(struct fa *a, const union fe_pkt *p)
{
	union fe_pkt out = { 0 };

	out.h = (struct hsl_pkt_hdr){ .opcode = HSL_PKT_RSP, .flags = HSL_ST_UNREACHABLE, .tag = p->h.tag, .src = p->h.dst, .dst = p->h.src };
	fe_send(a->e, &out, 1);
}

bool fa_step(struct fa *a, uint64_t end_ps)
{
	while (a->handled < a->e->npackets) {
		const union fe_pkt p = a->e->packets[a->handled++].p;

		if (fe_pkt_vc(p.h.opcode) == HSL_VC_SNP)
			snoop(a, &p);
		else if (p.h.opcode < HSL_PKT_SNP_S)
			refuse(a, &p);
		else
			answer(a, &p);
	}
	return fe_step(a->e, end_ps);
}

void fa_run(struct fa *a, uint64_t ps)
{
	const uint64_t end_ps = a->e->now_ps + ps;

	while (fa_step(a, end_ps)) {
	}
}

void fa_wait(struct fa *a, unsigned int agent, uint16_t tag)
{
	const struct fa_request *r = &a->request[agent][tag];

	HT_TRUE(a->e->t, FA_WAIT(a, 20 * FE_MS, r->answers), "no answer to opcode 0x%02x of agent 0x%04x, tag %u, line %llu, within 20 ms", r->opcode,
		id_of(a, agent), tag, (unsigned long long)r->line);
}
