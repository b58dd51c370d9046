/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * ORD, memory model: the litmus tests of docs/hep.md section 6.3 on observable memory. An agent of a
 * program is a thread with a queue on some chip, or a CPU with a mapping; x, y and z are anywhere.
 * What is seen has to be among what the axioms allow (tests/oracle/litmus.c works that out).
 *
 * Commands are submitted in one batch, so that their order is the chip's to keep. How many
 * outcomes were seen is told in the note: a chip that is never asked in an unlucky moment proves little.
 */
#include <pthread.h>
#include <stdlib.h>

#include "hsltest.h"
#include "tests/oracle/litmus.h"

#define ROUNDS	 60
#define OUTCOMES 64
#define LINE	 64
#define SEG_LEN	 4096

enum mix { STRONG_ONLY, ACQ_REL_ONLY, WITH_CPUS };

struct lit {
	struct ht *t;
	struct litmus prog;
	enum mix mix;
	pthread_barrier_t begin, end;
	bool stop;
	uint32_t nseg;
	struct hsl_segment *seg[4];
	uint64_t ga[4];
	uint8_t *cpu[4];		/* mappings; NULL: cannot be mapped here */
	struct { uint32_t seg, off; } place[LITMUS_PLACES];
	uint8_t regs[LITMUS_REGS];
	struct agent {
		struct lit *l;
		uint32_t index;
		bool by_cpu;
		struct hsl_queue *q[2]; /* of two chips: the round tells which */
		unsigned int use;
		pthread_t thread;
	} agent[LITMUS_AGENTS];
	litmus_outcome seen[OUTCOMES];
	unsigned int nseen;
};

static uint64_t ga_of(const struct lit *l, uint32_t place)
{
	return l->ga[l->place[place].seg] + l->place[place].off;
}

static uint8_t small(struct lit *l, uint64_t v)
{
	HT_TRUE(l->t, v < 8, "%s: read %#llx, which nobody wrote", l->prog.name, (unsigned long long)v);
	return (uint8_t)v;
}

static void run_commands(struct agent *a)
{
	struct hsl_completion c[LITMUS_STEPS];
	struct hsl_op ops[LITMUS_STEPS];
	struct lit *l = a->l;
	unsigned int n = 0;

	for (uint32_t i = 0; i < l->prog.steps; i++) {
		const struct litmus_step *s = &l->prog.step[i];
		uint64_t ga = ga_of(l, s->place);

		if (s->agent != a->index)
			continue;
		ops[n] = s->op == 'W'	? hsl_op_store(ga, s->value, 8)
			 : s->op == 'R' ? hsl_op_load(0, ga, 8)
			 : s->op == 'A' ? hsl_op_atomic(HSL_ATOMIC_ADD, ga, 8, s->value, 0)
					: hsl_op_atomic(HSL_ATOMIC_SWAP, ga, 8, s->value, 0);
		ops[n].order = l->mix == ACQ_REL_ONLY ? HSL_ORDER_ACQ_REL : HSL_ORDER_STRONG;
		ops[n++].cookie = i;
	}
	if (!n)
		return;
	ht_submit_all(l->t, a->q[a->use], ops, n);
	ht_wait_all(l->t, a->q[a->use], c, n);
	for (unsigned int i = 0; i < n; i++) {
		const struct litmus_step *s = &l->prog.step[c[i].cookie];

		ht_status(l->t, &c[i], HSL_ST_OK, "access of a litmus test");
		if (s->op != 'W')
			l->regs[s->reg] = small(l, c[i].result);
	}
}

/* In one line it is the order of posts that counts: a CPU posts in program order but for a store and a load behind it. */
static void run_cpu(struct agent *a)
{
	bool posts = a->l->prog.form == LITMUS_ONE_LINE, stored = false;
	struct lit *l = a->l;

	for (uint32_t i = 0; i < l->prog.steps; i++) {
		const struct litmus_step *s = &l->prog.step[i];
		uint64_t *p;

		if (s->agent != a->index)
			continue;
		p = (uint64_t *)(void *)(l->cpu[l->place[s->place].seg] + l->place[s->place].off);
		if (!posts || (stored && s->op == 'R'))
			__atomic_thread_fence(__ATOMIC_SEQ_CST);
		stored = s->op == 'W';
		if (stored)
			__atomic_store_n(p, s->value, __ATOMIC_RELEASE);
		else
			l->regs[s->reg] = small(l, __atomic_load_n(p, __ATOMIC_ACQUIRE));
	}
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static void *agent_thread(void *arg)
{
	struct agent *a = arg;
	struct lit *l = a->l;

	for (;;) {
		pthread_barrier_wait(&l->begin);
		if (l->stop)
			return NULL;
		if (a->by_cpu)
			run_cpu(a);
		else
			run_commands(a);
		pthread_barrier_wait(&l->end);
	}
}

/* A store followed by a load of the same agent: the one pair that ACQ_REL does not order. */
static bool store_then_load(const struct litmus *p)
{
	for (uint32_t i = 1; i < p->steps; i++)
		if (p->step[i].agent == p->step[i - 1].agent && p->step[i - 1].op == 'W' &&
		    p->step[i].op == 'R')
			return true;
	return false;
}

static bool has_atomic(const struct litmus *p, uint32_t agent)
{
	for (uint32_t i = 0; i < p->steps; i++)
		if (p->step[i].agent == agent && (p->step[i].op == 'A' || p->step[i].op == 'S'))
			return true;
	return false;
}

static void remember(struct lit *l, litmus_outcome out)
{
	for (unsigned int i = 0; i < l->nseen; i++)
		if (l->seen[i] == out)
			return;
	if (l->nseen < OUTCOMES)
		l->seen[l->nseen++] = out;
}

static void one_round(struct lit *l, const struct litmus_set *allowed)
{
	uint8_t end[LITMUS_PLACES] = { 0 };
	uint32_t line = (uint32_t)ht_random_below(l->t, SEG_LEN / LINE);
	struct ht *t = l->t;
	litmus_outcome out;
	uint64_t v = 0;
	char text[80];

	for (uint32_t p = 0; p < l->prog.places; p++) {
		l->place[p].seg = (uint32_t)ht_random_below(t, l->nseg);
		l->place[p].off = (line + p) % (SEG_LEN / LINE) * LINE;
		if (l->prog.form == LITMUS_ONE_LINE) {
			l->place[p].seg = l->place[0].seg;
			l->place[p].off = line * LINE + p * 8;
		}
		HT_OK(t, hsl_store(l->agent[0].q[p % 2], ga_of(l, p), &v, 8));
	}
	for (uint32_t a = 0; a < l->prog.agents; a++) {
		l->agent[a].use = (unsigned int)ht_random_below(t, 2);
		l->agent[a].by_cpu = l->mix == WITH_CPUS && !has_atomic(&l->prog, a) &&
				     l->cpu[0] && (a == 0 || ht_random(t) & 1);
	}
	pthread_barrier_wait(&l->begin);
	pthread_barrier_wait(&l->end);
	for (uint32_t p = 0; p < l->prog.places; p++) {
		HT_OK(t, hsl_load(l->agent[0].q[0], ga_of(l, p), 8, &v));
		end[p] = small(l, v);
	}
	out = litmus_outcome_of(&l->prog, l->regs, end);
	HT_TRUE(t, litmus_has(allowed, out), "%s (%s): %s is not allowed", l->prog.name, l->prog.text,
		litmus_text(&l->prog, out, text, sizeof(text)));
	remember(l, out);
}

static unsigned int one_test(struct lit *l)
{
	struct litmus_set allowed = { 0 };
	struct ht *t = l->t;

	litmus_allowed(&l->prog, &allowed);
	l->stop = false;
	l->nseen = 0;
	HT_TRUE(t, !pthread_barrier_init(&l->begin, NULL, l->prog.agents + 1) &&
			   !pthread_barrier_init(&l->end, NULL, l->prog.agents + 1),
		"no barrier");
	for (uint32_t a = 0; a < l->prog.agents; a++)
		HT_TRUE(t, !pthread_create(&l->agent[a].thread, NULL, agent_thread, &l->agent[a]),
			"no thread");
	for (unsigned int i = 0; i < ROUNDS; i++) {
		ht_step(t, "%s, round %u", l->prog.name, i);
		one_round(l, &allowed);
	}
	l->stop = true;
	pthread_barrier_wait(&l->begin);
	for (uint32_t a = 0; a < l->prog.agents; a++)
		pthread_join(l->agent[a].thread, NULL);
	pthread_barrier_destroy(&l->begin);
	pthread_barrier_destroy(&l->end);
	litmus_free(&allowed);
	return l->nseen;
}

static void litmus(struct ht *t, enum litmus_form form, enum mix mix)
{
	struct hsl_segment_opts o = { .size = sizeof(o), .flags = HSL_SEGMENT_OBSERVABLE };
	unsigned int tests = 0, outcomes = 0;
	struct lit *l = calloc(1, sizeof(*l));

	ht_need_cap(t, HSL_CAP_MODELLED, "observable memory");
	HT_TRUE(t, l, "no memory");
	l->t = t;
	l->mix = mix;
	l->nseg = t->nchips < 4 ? t->nchips : 4;
	for (uint32_t i = 0; i < l->nseg; i++) {
		void *p = NULL;
		int rc;

		HT_OK(t, hsl_segment_alloc(t->f, t->chip[i].node, SEG_LEN, &o, &l->seg[i]));
		l->ga[i] = hsl_segment_ga(l->seg[i]);
		rc = hsl_segment_map(l->seg[i], &p);
		if (rc == -EOPNOTSUPP && mix == WITH_CPUS)
			HT_SKIP_TEST(t, "observable memory cannot be mapped here");
		HT_TRUE(t, !rc || rc == -EOPNOTSUPP, "mapping: %s", ht_errno_name(rc));
		l->cpu[i] = p;
		/* half of them past the caches */
		o.flags ^= HSL_SEGMENT_NONCOHERENT;
	}
	for (uint32_t a = 0; a < LITMUS_AGENTS; a++) {
		l->agent[a].l = l;
		l->agent[a].index = a;
		for (uint32_t k = 0; k < 2; k++)
			l->agent[a].q[k] = ht_queue_new(t, t->chip[(a + k) % t->nchips].node, 0);
	}
	for (uint32_t i = 0; litmus_get(i, form, &l->prog); i++) {
		if (mix == ACQ_REL_ONLY && store_then_load(&l->prog))
			continue;
		outcomes += one_test(l);
		tests++;
	}
	ht_note(t, "%u programs, %u rounds each, %u outcomes seen", tests, ROUNDS, outcomes);
	for (uint32_t a = 0; a < LITMUS_AGENTS; a++)
		for (uint32_t k = 0; k < 2; k++)
			ht_queue_free(t, l->agent[a].q[k]);
	for (uint32_t i = 0; i < l->nseg; i++)
		HT_OK(t, hsl_segment_free(l->seg[i]));
	free(l);
}

static void strong(struct ht *t)
{
	litmus(t, LITMUS_WAITS, STRONG_ONLY);
}

static void acq_rel(struct ht *t)
{
	litmus(t, LITMUS_WAITS, ACQ_REL_ONLY);
}

static void with_cpus(struct ht *t)
{
	litmus(t, LITMUS_WAITS, WITH_CPUS);
}

static void cpus_in_line(struct ht *t)
{
	litmus(t, LITMUS_ONE_LINE, WITH_CPUS);
}

static void one_line(struct ht *t)
{
	litmus(t, LITMUS_ONE_LINE, STRONG_ONLY);
}

const struct ht_test ht_tests_litmus[] = {
	{ "HEP-ORD-006", "litmus_one_line", "litmus tests in one line: one order for all agents", one_line, 0, 0 },
	{ "HEP-ORD-007", "litmus_cpus_in_line", "litmus tests of CPUs and chips in one line, CPUs wait for no access", cpus_in_line, 0, 0 },
	{ "HEP-ORD-008", "litmus_cpus", "litmus tests of CPUs and chips, each access waited for", with_cpus, 0, 0 },
	{ "HEP-ORD-009", "litmus_strong", "litmus tests of STRONG commands, submitted at once", strong, 0, 0 },
	{ "HEP-ORD-010", "litmus_acq_rel",
	  "litmus tests of ACQ_REL commands, but for a store and a load behind it", acq_rel, 0, 0 },
	{ 0 }
};
