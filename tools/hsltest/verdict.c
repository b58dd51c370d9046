/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * From tests to requirements, from requirements to classes. Nothing is rounded up: a requirement of which one test passed
 * and another one could not run, or was not chosen, is not passed, and a class with an untested MUST is incomplete.
 */
#include <stdio.h>

#include "run.h"

/* What a requirement's verdict is when its tests disagree: the gravest. A test that does not apply never decides. */
unsigned int ht_gravity(enum ht_verdict v)
{
	static const unsigned int gravity[HT_VERDICTS] = {
		[HT_NONE] = 0,	  [HT_NA] = 1,	 [HT_PASS] = 2, [HT_SKIP] = 3, [HT_NOT_RUN] = 4,
		[HT_INCONCLUSIVE] = 5, [HT_WAIVED] = 6, [HT_ERROR] = 7, [HT_FAIL] = 8,
	};

	return gravity[v];
}

static const char *how_seen(const struct ht_requirement *q)
{
	if (strchr(q->observability, 'T'))
		return "seen in a trace of the links: hsltest check-trace";
	if (strchr(q->observability, 'D'))
		return "declared by the vendor";
	return "no test of this run judges it";
}

/* A capture from elsewhere shows that it holds. */
static bool traced(const struct ht_requirement *q, const struct ht_result *r, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		if (r[i].test->flags & HT_F_TRACE && r[i].again && r[i].verdict == HT_PASS && !strcmp(r[i].test->requirement, q->id))
			return true;
	}
	return false;
}

/* Tests of the requirement that have no result. */
static unsigned int not_chosen(const struct ht_requirement *q, const struct ht_result *r, unsigned int n,
			       const struct ht_test *const *all, unsigned int nall)
{
	unsigned int i, k, count = 0;

	for (i = 0; i < nall; i++) {
		if (strcmp(all[i]->requirement, q->id) || (all[i]->flags & HT_F_TRACE && traced(q, r, n)))
			continue;
		for (k = 0; k < n && r[k].test != all[i]; k++)
			;
		count += k == n;
	}
	return count;
}

void ht_outcome_of(const struct ht_requirement *q, const struct ht_result *r, unsigned int n, const struct ht_test *const *all,
		   unsigned int nall, struct ht_outcome *o)
{
	unsigned int i, tests = 0, passed = 0, left;
	const char *text;

	memset(o, 0, sizeof(*o));
	o->requirement = q;
	for (i = 0; i < n; i++) {
		if (strcmp(r[i].test->requirement, q->id) ||
		    (r[i].verdict == HT_SKIP && r[i].test->flags & HT_F_TRACE && traced(q, r, n)))
			continue;
		tests++;
		passed += r[i].verdict == HT_PASS;
		o->duration_ns += r[i].duration_ns;
		if (!o->decider || ht_gravity(r[i].verdict) > ht_gravity(o->decider->verdict))
			o->decider = &r[i];
	}
	if (!o->decider) {
		o->verdict = HT_NOT_RUN;
		snprintf(o->evidence, sizeof(o->evidence), "%s", how_seen(q));
		return;
	}
	left = not_chosen(q, r, n, all, nall);
	if (left && ht_gravity(o->decider->verdict) < ht_gravity(HT_NOT_RUN)) {
		o->verdict = HT_NOT_RUN;
		snprintf(o->evidence, sizeof(o->evidence), "%u of %u tests not chosen", left, tests + left);
		return;
	}
	o->verdict = o->decider->verdict;
	text = o->decider->verdict == HT_PASS ? o->decider->test->sentence : o->decider->reason;
	if (tests > 1 && o->verdict == HT_PASS)
		snprintf(o->evidence, sizeof(o->evidence), "%u tests: %s, …", passed, text);
	else if (tests > 1)
		snprintf(o->evidence, sizeof(o->evidence), "%s: %s (%u of %u tests passed)", o->decider->test->name, text, passed,
			 tests);
	else
		snprintf(o->evidence, sizeof(o->evidence), "%s", text);
}

void ht_class_outcome_of(enum ht_class c, bool claimed, const struct ht_outcome *o, struct ht_class_outcome *out)
{
	unsigned int tested;
	size_t i;

	memset(out, 0, sizeof(*out));
	for (i = 0; i < ht_requirement_count; i++) {
		if (ht_requirement_class(o[i].requirement) != c || strcmp(o[i].requirement->level, "MUST"))
			continue;
		out->must++;
		out->count[o[i].verdict]++;
	}
	tested = out->count[HT_PASS] + out->count[HT_WAIVED] + out->count[HT_NA];
	if (out->count[HT_FAIL])
		out->verdict = HT_CLASS_FAILED;
	else if (!claimed || out->count[HT_NA] == out->must)
		out->verdict = HT_CLASS_NA;
	else if (tested < out->must)
		out->verdict = HT_CLASS_INCOMPLETE;
	else
		out->verdict = out->count[HT_WAIVED] ? HT_CLASS_WAIVED : HT_CLASS_PASSED;
}

void ht_classes_include(struct ht_class_outcome *c, const struct ht_class_outcome *base)
{
	/* the graver of the two */
	static const unsigned int gravity[HT_CLASS_VERDICTS] = {
		[HT_CLASS_NA] = 0, [HT_CLASS_PASSED] = 1, [HT_CLASS_WAIVED] = 2, [HT_CLASS_INCOMPLETE] = 3, [HT_CLASS_FAILED] = 4,
	};

	if (c->verdict != HT_CLASS_NA && gravity[base->verdict] > gravity[c->verdict])
		c->verdict = base->verdict;
}

const char *ht_class_verdict_name(enum ht_class_verdict v)
{
	static const char *const names[] = { "passed", "passed-with-waivers", "failed", "incomplete", "not-applicable" };

	return names[v];
}
