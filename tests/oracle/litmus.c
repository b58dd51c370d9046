// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Two independent answers to "what may this program do".
 *
 * The axioms (docs/hep.md section 6.3) as relations over the accesses of the program:
 *   ord   of one agent: to the same line, or with a wait between them
 *   rf    from a write to who reads it;  co  a total order of the writes of each place
 *   fr    from a read to the writes that come in co after the one it read
 * An outcome is allowed if for some rf and co, ord + rf + co + fr has no cycle and nothing comes in
 * co between what an ATOMIC reads and what it writes. A line is no more than its places here:
 * the union having no cycle is the one order of all accesses.
 *
 * The machine: one memory; at each step some agent performs one of its accesses, any whose
 * predecessors by ord are performed. Every path is walked.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "litmus.h"

#define NODES (LITMUS_STEPS + LITMUS_PLACES)

static const struct {
	const char *name, *text, *asked;
} tests[] = {
	{ "MP", "Wx1 Wy1 | Ry Rx", "r0=1 r1=0" },
	{ "MP, writer waits", "Wx1 F Wy1 | Ry Rx", "r0=1 r1=0" },
	{ "MP, reader waits", "Wx1 Wy1 | Ry F Rx", "r0=1 r1=0" },
	{ "MP, atomics", "Wx1 Sy1 | Ay0 Rx", "r1=1 r2=0" },
	{ "SB", "Wx1 Ry | Wy1 Rx", "r0=0 r1=0" },
	{ "SB, atomics", "Ax1 Ry | Ay1 Rx", "r1=0 r3=0" },
	{ "LB", "Rx Wy1 | Ry Wx1", "r0=1 r1=1" },
	{ "S", "Wx2 Wy1 | Ry Wx1", "r0=1 x=2" },
	{ "R", "Wx1 Wy1 | Wy2 Rx", "r0=0 y=2" },
	{ "2+2W", "Wx1 Wy2 | Wy1 Wx2", "x=1 y=1" },
	{ "WRC", "Wx1 | Rx Wy1 | Ry Rx", "r0=1 r1=1 r2=0" },
	{ "RWC", "Wx1 | Rx Ry | Wy1 Rx", "r0=1 r1=0 r2=0" },
	{ "IRIW", "Wx1 | Wy1 | Rx Ry | Ry Rx", "r0=1 r1=0 r2=1 r3=0" },
	{ "ISA2", "Wx1 Wy1 | Ry Wz1 | Rz Rx", "r0=1 r1=1 r2=0" },
	{ "CoRR", "Wx1 | Rx Rx", "r0=1 r1=0" },
	{ "CoRR2", "Wx1 | Wx2 | Rx Rx | Rx Rx", "r0=1 r1=2 r2=2 r3=1" },
	{ "CoWW", "Wx1 Wx2 | Rx", "x=1" },
	{ "CoWR", "Wx1 Rx | Wx2", "r0=2 x=1" },
	{ "CoRW", "Rx Wx1 | Wx2", "r0=2 x=2" },
	{ "CoRW1", "Rx Wx1", "r0=1" },
	{ "ADD, ADD", "Ax1 | Ax1 | Ax1", "x=2" },
	{ "SWAP, W", "Sx1 | Wx2 | Rx Rx", "r0=0 r1=2 r2=1" },
};

bool litmus_get(uint32_t i, enum litmus_form form, struct litmus *t)
{
	uint8_t agent = 0, waits = 0;

	if (i >= sizeof(tests) / sizeof(tests[0]))
		return false;
	*t = (struct litmus){
		.name = tests[i].name, .text = tests[i].text, .asked = tests[i].asked, .form = form
	};
	for (const char *p = t->text; *p; p++) {
		struct litmus_step *s = &t->step[t->steps];

		if (*p == '|') {
			agent++;
			waits = 0;
		} else if (*p == 'F') {
			waits = (uint8_t)t->steps;
		} else if (*p != ' ') {
			*s = (struct litmus_step){ .op = *p, .agent = agent, .waits = waits };
			s->place = (uint8_t)(*++p - 'x');
			if (s->op != 'R')
				s->value = (uint8_t)(*++p - '0');
			if (s->op != 'W')
				s->reg = (uint8_t)t->regs++;
			if (s->place >= t->places)
				t->places = s->place + 1u;
			t->steps++;
			if (form == LITMUS_WAITS)
				waits = (uint8_t)t->steps;
		}
	}
	t->agents = agent + 1u;
	return true;
}

bool litmus_ordered(const struct litmus *t, uint32_t earlier, uint32_t later)
{
	const struct litmus_step *a = &t->step[earlier], *b = &t->step[later];

	return a->agent == b->agent && earlier < later &&
	       (a->place == b->place || t->form == LITMUS_ONE_LINE || b->waits > earlier);
}

/* ---- outcomes ---- */

litmus_outcome litmus_outcome_of(const struct litmus *t, const uint8_t *regs, const uint8_t *places)
{
	litmus_outcome out = 0;

	for (uint32_t i = 0; i < t->regs; i++)
		out |= (litmus_outcome)regs[i] << 3 * i;
	for (uint32_t i = 0; i < t->places; i++)
		out |= (litmus_outcome)places[i] << 3 * (t->regs + i);
	return out;
}

static unsigned int value_of(const struct litmus *t, litmus_outcome out, const char *name)
{
	uint32_t i =
		name[0] == 'r' ? (uint32_t)(name[1] - '0') : t->regs + (uint32_t)(name[0] - 'x');

	return out >> 3 * i & 7;
}

const char *litmus_text(const struct litmus *t, litmus_outcome out, char *buf, size_t len)
{
	size_t used = 0;

	for (uint32_t i = 0; i < t->regs + t->places && used < len; i++) {
		char name[3] = { 'r', (char)('0' + i) };

		if (i >= t->regs)
			memcpy(name, (char[3]){ (char)('x' + i - t->regs) }, 3);
		used += (size_t)snprintf(buf + used, len - used, "%s%s=%u", i ? " " : "", name,
					 value_of(t, out, name));
	}
	return buf;
}

bool litmus_is_asked(const struct litmus *t, litmus_outcome out)
{
	for (const char *p = t->asked; p; p = strchr(p, ' ')) {
		p += *p == ' ';
		if (value_of(t, out, p) != (unsigned int)(strchr(p, '=')[1] - '0'))
			return false;
	}
	return true;
}

static void add(struct litmus_set *set, litmus_outcome out)
{
	size_t at = 0;

	while (at < set->n && set->of[at] < out)
		at++;
	if (at < set->n && set->of[at] == out)
		return;
	if (set->n == set->room) {
		set->room = 2 * set->room + 16;
		set->of = realloc(set->of, set->room * sizeof(*set->of));
		if (!set->of)
			abort();
	}
	memmove(set->of + at + 1, set->of + at, (set->n - at) * sizeof(*set->of));
	set->of[at] = out;
	set->n++;
}

bool litmus_has(const struct litmus_set *set, litmus_outcome out)
{
	for (size_t i = 0; i < set->n; i++) {
		if (set->of[i] == out)
			return true;
	}
	return false;
}

void litmus_free(struct litmus_set *set)
{
	free(set->of);
	*set = (struct litmus_set){ 0 };
}

const char *litmus_verdict(const struct litmus *t)
{
	struct litmus_set set = { 0 };
	bool allowed = false;

	litmus_allowed(t, &set);
	for (size_t i = 0; i < set.n; i++)
		allowed |= litmus_is_asked(t, set.of[i]);
	litmus_free(&set);
	return allowed ? "allowed" : "forbidden";
}

/* ---- the axioms ---- */

/* Nodes: the steps, then what each place held before. */
struct execution {
	const struct litmus *t;
	struct litmus_set *set;
	uint32_t n;
	uint8_t rf[LITMUS_STEPS];	  /* of steps that read: a node */
	uint8_t co[LITMUS_PLACES][NODES]; /* nodes, in order */
	uint8_t writes[LITMUS_PLACES];	  /* nodes in co */
};

static bool reads(const struct litmus_step *s)
{
	return s->op != 'W';
}

static bool writes(const struct litmus_step *s)
{
	return s->op != 'R';
}

static uint32_t position(const struct execution *x, uint32_t place, uint32_t node)
{
	uint32_t i = 0;

	while (x->co[place][i] != node)
		i++;
	return i;
}

static void relate(const struct execution *x, bool edge[NODES][NODES])
{
	const struct litmus *t = x->t;

	for (uint32_t a = 0; a < t->steps; a++) {
		for (uint32_t b = 0; b < t->steps; b++)
			edge[a][b] |= litmus_ordered(t, a, b);
	}
	for (uint32_t p = 0; p < t->places; p++) {
		for (uint32_t i = 1; i < x->writes[p]; i++)
			edge[x->co[p][i - 1]][x->co[p][i]] = true;
	}
	for (uint32_t a = 0; a < t->steps; a++) {
		uint32_t p = t->step[a].place, next;

		if (!reads(&t->step[a]))
			continue;
		edge[x->rf[a]][a] = true;
		next = position(x, p, x->rf[a]) + 1;
		if (next < x->writes[p] && x->co[p][next] != a)
			edge[a][x->co[p][next]] = true;
	}
}

/* Nodes in an order that extends the edges; false: they have a cycle. */
static bool sort_nodes(const struct execution *x, bool edge[NODES][NODES], uint8_t *order)
{
	bool placed[NODES] = { false };

	for (uint32_t k = 0; k < x->n; k++) {
		uint32_t i, b = 0;

		for (i = 0; i < x->n; i++) {
			for (b = 0; b < x->n && (placed[b] || !edge[b][i]); b++)
				;
			if (!placed[i] && b == x->n)
				break;
		}
		if (i == x->n)
			return false;
		placed[i] = true;
		order[k] = (uint8_t)i;
	}
	return true;
}

static void judge_execution(struct execution *x)
{
	const struct litmus *t = x->t;
	bool edge[NODES][NODES] = { { false } };
	uint8_t order[NODES], written[NODES] = { 0 }, regs[LITMUS_REGS] = { 0 };
	uint8_t places[LITMUS_PLACES] = { 0 };

	for (uint32_t a = 0; a < t->steps; a++) {
		const struct litmus_step *s = &t->step[a];

		if (reads(s) && writes(s) &&
		    position(x, s->place, x->rf[a]) + 1 != position(x, s->place, a))
			return;
	}
	relate(x, edge);
	if (!sort_nodes(x, edge, order))
		return;
	for (uint32_t k = 0; k < x->n; k++) {
		const struct litmus_step *s = &t->step[order[k]];

		if (order[k] >= t->steps)
			continue;
		if (reads(s))
			regs[s->reg] = written[x->rf[order[k]]];
		written[order[k]] = (uint8_t)(s->value + (s->op == 'A' ? regs[s->reg] : 0));
	}
	for (uint32_t p = 0; p < t->places; p++)
		places[p] = written[x->co[p][x->writes[p] - 1]];
	add(x->set, litmus_outcome_of(t, regs, places));
}

/* Every rf of steps from a on. */
static void choose_rf(struct execution *x, uint32_t a)
{
	uint32_t p;

	while (a < x->t->steps && !reads(&x->t->step[a]))
		a++;
	if (a == x->t->steps) {
		judge_execution(x);
		return;
	}
	p = x->t->step[a].place;
	for (uint32_t i = 0; i < x->writes[p]; i++) {
		x->rf[a] = x->co[p][i];
		if (x->rf[a] != a)
			choose_rf(x, a + 1);
	}
}

/* Every co: the writes of place p from number i on in every order. */
static void choose_co(struct execution *x, uint32_t p, uint32_t i)
{
	if (p == x->t->places) {
		choose_rf(x, 0);
		return;
	}
	if (i >= x->writes[p]) {
		choose_co(x, p + 1, 1);
		return;
	}
	for (uint32_t k = i; k < x->writes[p]; k++) {
		uint8_t first = x->co[p][i];

		x->co[p][i] = x->co[p][k];
		x->co[p][k] = first;
		choose_co(x, p, i + 1);
		x->co[p][k] = x->co[p][i];
		x->co[p][i] = first;
	}
}

void litmus_allowed(const struct litmus *t, struct litmus_set *set)
{
	struct execution x = { .t = t, .set = set, .n = t->steps + t->places };

	for (uint32_t p = 0; p < t->places; p++)
		x.co[p][x.writes[p]++] = (uint8_t)(t->steps + p);
	for (uint32_t a = 0; a < t->steps; a++) {
		uint32_t p = t->step[a].place;

		if (writes(&t->step[a]))
			x.co[p][x.writes[p]++] = (uint8_t)a;
	}
	choose_co(&x, 0, 1);
}

/* ---- the machine ---- */

struct machine {
	uint32_t performed; /* steps, bit by bit */
	uint8_t memory[LITMUS_PLACES], regs[LITMUS_REGS];
};

static bool may_perform(const struct litmus *t, const struct machine *m, uint32_t i)
{
	for (uint32_t k = 0; k < i; k++) {
		if (!(m->performed >> k & 1) && litmus_ordered(t, k, i))
			return false;
	}
	return !(m->performed >> i & 1);
}

static void walk(const struct litmus *t, struct litmus_set *set, const struct machine *m)
{
	if (m->performed == (1u << t->steps) - 1)
		add(set, litmus_outcome_of(t, m->regs, m->memory));
	for (uint32_t i = 0; i < t->steps; i++) {
		const struct litmus_step *s = &t->step[i];
		struct machine next = *m;
		uint8_t *place = &next.memory[s->place];

		if (!may_perform(t, m, i))
			continue;
		next.performed |= 1u << i;
		if (s->op != 'W')
			next.regs[s->reg] = *place;
		if (s->op == 'A')
			*place = (uint8_t)(*place + s->value);
		else if (s->op != 'R')
			*place = s->value;
		walk(t, set, &next);
	}
}

void litmus_reachable(const struct litmus *t, struct litmus_set *set)
{
	const struct machine start = { 0 };

	walk(t, set, &start);
}
