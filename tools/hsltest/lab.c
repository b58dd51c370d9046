/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Traffic is commands of one chip on observable memory of the other that no cache keeps
 * (NONCOHERENT), so that each crosses the link; what it should leave in memory is in a shadow.
 */
#include "lab.h"

/* ---- the facility ---- */

int lab_command(struct lab_end *e, uint32_t cmd, uint64_t a0, uint64_t a1, uint64_t a2,
		   uint64_t result[2])
{
	uint64_t arg[3] = { a0, a1, a2 };

	return hsl_ctf_command(e->ctf, e->link, cmd, arg, result);
}

uint64_t lab_ask(struct lab *l, struct lab_end *e, uint32_t cmd, uint64_t a0, uint64_t *second)
{
	uint64_t r[2] = { 0, 0 };
	int rc = lab_command(e, cmd, a0, 0, 0, r);

	HT_TRUE(l->t, !rc, "chip %u link %u, command %u: expected success, got %s", e->node, e->link,
		cmd, ht_errno_name(rc));
	if (second)
		*second = r[1];
	return r[0];
}

bool lab_has(const struct lab_end *e, uint32_t cmd)
{
	return cmd < 32 && hsl_ctf_commands(e->ctf) >> cmd & 1;
}

void lab_need(struct lab *l, uint32_t cmd, const char *what)
{
	const struct lab_end *e[2] = { &l->here, &l->there };

	for (int i = 0; i < 2; i++)
		if (!lab_has(e[i], cmd))
			HT_SKIP_TEST(l->t, "the facility of chip %u has no %s", e[i]->node, what);
}

struct hsl_ctf *lab_ctf_open(struct ht *t, uint32_t node)
{
	struct hsl_ctf *c = NULL;
	int rc = hsl_ctf_open(t->f, node, &c);

	if (rc == -EOPNOTSUPP || rc == -EACCES || rc == -EPERM)
		HT_SKIP_TEST(t, "test facility of chip %u: %s", node, ht_errno_name(rc));
	HT_TRUE(t, !rc, "opening the test facility of chip %u: %s", node, ht_errno_name(rc));
	return c;
}

/* ---- a link between two chips ---- */

struct hsl_link_props lab_link(struct lab *l, const struct lab_end *e)
{
	struct hsl_link_props p = { .size = sizeof(p) };

	HT_OK(l->t, hsl_link_query(l->t->f, e->node, e->link, &p));
	return p;
}

bool lab_link_to(struct ht *t, uint32_t node, uint32_t peer, uint32_t *index)
{
	struct hsl_link_props p = { .size = sizeof(p) };

	for (*index = 0; !hsl_link_query(t->f, node, *index, &p); ++*index)
		if (p.peer == peer)
			return true;
	return false;
}

void lab_new(struct ht *t, struct lab *l)
{
	struct hsl_segment_opts o = { .size = sizeof(o),
				      .flags = HSL_SEGMENT_OBSERVABLE | HSL_SEGMENT_NONCOHERENT };

	ht_need_tool(t, HSL_CAP_MODELLED, "observable memory");
	ht_need_tool(t, HSL_CAP_CTF, "a test facility");
	memset(l, 0, sizeof(*l));
	l->t = t;
	for (unsigned int i = 1; !l->there.node && i < t->nchips; i++) {
		uint32_t a = t->chip[0].node, b = t->chip[i].node;

		if (lab_link_to(t, a, b, &l->here.link) && lab_link_to(t, b, a, &l->there.link)) {
			l->here.node = a;
			l->there.node = b;
		}
	}
	if (!l->there.node)
		HT_SKIP_TEST(t, "chip %u has no link to another chip", t->chip[0].node);
	l->here.ctf = lab_ctf_open(t, l->here.node);
	l->there.ctf = lab_ctf_open(t, l->there.node);
	l->q = ht_queue_new(t, l->here.node, 0);
	HT_OK(t, hsl_segment_alloc(t->f, l->there.node, LAB_LEN, &o, &l->seg));
	l->ga = hsl_segment_ga(l->seg);
}

void lab_free(struct lab *l)
{
	hsl_ctf_close(l->here.ctf);
	hsl_ctf_close(l->there.ctf);
	ht_queue_free(l->t, l->q);
	HT_OK(l->t, hsl_segment_free(l->seg));
}

/* n accesses, each of which crosses the link; loads are compared as they come. */
void lab_work(struct lab *l, unsigned int n, const char *when)
{
	for (unsigned int i = 0; i < n; i++) {
		uint64_t word = ht_random_below(l->t, LAB_WORDS), v = ht_random(l->t), old = 0;
		uint64_t ga = l->ga + word * 8;
		int rc;

		ht_step(l->t, "access %u %s", i, when);
		switch (i % 3) {
		case 0:
			rc = hsl_store(l->q, ga, &v, 8);
			l->shadow[word] = v;
			break;
		case 1:
			rc = hsl_load(l->q, ga, 8, &v);
			HT_TRUE(l->t, rc || v == l->shadow[word],
				"load %s: expected %#llx, got %#llx", when,
				(unsigned long long)l->shadow[word], (unsigned long long)v);
			break;
		default:
			rc = hsl_atomic(l->q, HSL_ATOMIC_ADD, l->ga + LAB_COUNT_AT, 8, 1, 0, &old);
			HT_TRUE(l->t, rc || old == l->shadow[LAB_WORDS],
				"atomic add %s: expected %llu before it, got %llu", when,
				(unsigned long long)l->shadow[LAB_WORDS], (unsigned long long)old);
			l->shadow[LAB_WORDS]++;
			break;
		}
		HT_TRUE(l->t, !rc, "access %s: expected success, got %s", when, ht_errno_name(rc));
	}
}

void lab_memory(struct lab *l, const char *when)
{
	for (uint64_t i = 0; i <= LAB_WORDS; i++) {
		uint64_t v = 0;

		HT_OK(l->t, hsl_load(l->q, l->ga + i * 8, 8, &v));
		HT_TRUE(l->t, v == l->shadow[i], "word %llu %s: expected %#llx, got %#llx",
			(unsigned long long)i, when, (unsigned long long)l->shadow[i],
			(unsigned long long)v);
	}
}

bool lab_carries(const struct hsl_link_props *p)
{
	return p->state == HSL_LTSSM_L0 || p->state == HSL_LTSSM_L1;
}

/* Both ends carry packets at this width; 0: any. */
void lab_wait_up(struct lab *l, uint32_t width, const char *when)
{
	struct ht_limit limit = ht_limit(HT_OP_LIMIT_S);
	struct hsl_link_props a, b;

	do {
		a = lab_link(l, &l->here);
		b = lab_link(l, &l->there);
		if (lab_carries(&a) && lab_carries(&b) && a.width == b.width &&
		    (!width || a.width == width))
			return;
	} while (!ht_limit_over(&limit));
	HT_FAIL_TEST(l->t, "%s: the ends are in states %u and %u with %u and %u lanes, expected L0 with %u",
		     when, a.state, b.state, a.width, b.width, width);
}

/* ---- counters ---- */

/* Of a link, or with HSL_COUNTERS_CHIP of the chip. */
uint64_t lab_counter_of(struct ht *t, uint32_t node, uint32_t link, const char *name)
{
	uint64_t v[LAB_COUNTERS_MAX];
	int n = hsl_counters(t->f, node, link, v, LAB_COUNTERS_MAX);

	HT_TRUE(t, n > 0 && n <= LAB_COUNTERS_MAX, "counters of chip %u: %s", node, ht_errno_name(n));
	for (int i = 0; i < n; i++)
		if (!strcmp(hsl_counter_name(link, (unsigned int)i), name))
			return v[i];
	HT_FAIL_TEST(t, "chip %u has no counter %s", node, name);
}

uint64_t lab_counter(struct lab *l, const struct lab_end *e, const char *name)
{
	return lab_counter_of(l->t, e->node, e->link, name);
}
