/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The requirements of docs/hep.md, the tests that judge them, and the classes they count in. */
#include <fnmatch.h>
#include <stdio.h>

#include "run.h"

static const struct ht_test *const groups[] = {
	/* a group may have several tables */
	ht_tests_reg, ht_tests_map, ht_tests_obs, ht_tests_share, ht_tests_host, ht_tests_txn, ht_tests_walk, ht_tests_move,
	ht_tests_reduce, ht_tests_sig, ht_tests_atm, ht_tests_ord, ht_tests_litmus, ht_tests_que, ht_tests_chain, ht_tests_shadow,
	ht_tests_sec, ht_tests_net, ht_tests_ras, ht_tests_sensor, ht_tests_ctf, ht_tests_link, ht_tests_coh, ht_tests_api, ht_tests_lib, ht_tests_limit, ht_tests_bare,
};
#define NGROUPS (sizeof(groups) / sizeof(groups[0]))

const struct ht_requirement ht_requirements[] = {
#include "requirements.h"
};
const size_t ht_requirement_count = sizeof(ht_requirements) / sizeof(ht_requirements[0]);

const struct ht_requirement *ht_requirement_find(const char *id)
{
	size_t i;

	for (i = 0; i < ht_requirement_count; i++) {
		if (!strcmp(ht_requirements[i].id, id))
			return &ht_requirements[i];
	}
	return NULL;
}

/*
 * A plain chip, which offers software its registers, queues and memory and no tester anything, can be judged by what
 * software sees: BASE. What takes the test facility or a trace is LINK; of that, what is about caches and the memory model
 * is COHERENT, and so is what speaks of observable memory only.
 */
enum ht_class ht_requirement_class(const struct ht_requirement *r)
{
	static const char *const observable[] = { "HEP-MAP-026", "HEP-MAP-027", "HEP-RAS-008" };
	char layer[16];
	size_t i;

	if (!strcmp(r->subject, "DRIVER"))
		return HT_DRIVER;
	if (!strcmp(r->subject, "LIB"))
		return HT_LIBRARY;
	ht_layer(r->id, layer, sizeof(layer));
	if (!strcmp(layer, "COH"))
		return HT_COHERENT;
	if (!strcmp(layer, "CTF"))
		return HT_LINK;
	for (i = 0; i < sizeof(observable) / sizeof(observable[0]); i++) {
		if (!strcmp(r->id, observable[i]))
			return HT_COHERENT;
	}
	if (strchr(r->observability, 'S') || strchr(r->observability, 'D'))
		return HT_BASE;
	return !strcmp(layer, "ORD") || !strcmp(layer, "ATM") || !strcmp(layer, "MAP") ? HT_COHERENT : HT_LINK;
}

const char *ht_class_name(enum ht_class c)
{
	static const char *const names[] = { "HEP-Base", "HEP-Link", "HEP-Coherent", "driver", "library" };

	return names[c];
}

const char *ht_verdict_name(enum ht_verdict v)
{
	static const char *const names[HT_VERDICTS] = { "none", "pass",		 "fail",	 "skip",  "not-run",
							"not-applicable", "inconclusive", "error", "waived" };

	return names[v];
}

unsigned int ht_tests_all(const struct ht_test **list, unsigned int max)
{
	const struct ht_test *t;
	unsigned int n = 0;
	size_t g;

	for (g = 0; g < NGROUPS; g++) {
		for (t = groups[g]; t->requirement; t++, n++) {
			if (list && n < max)
				list[n] = t;
		}
	}
	return n < max || !list ? n : max;
}

void ht_layer(const char *requirement, char *buf, size_t len)
{
	snprintf(buf, len, "%.*s", (int)strcspn(requirement + 4, "-"), requirement + 4);
}

/* By id, name, group, or id without "HEP-", shell patterns, without regard to case: HEP-TXN-*, TXN*, copy_*. */
bool ht_test_matches(const struct ht_test *test, char *const *globs, int nglobs)
{
	char layer[16];
	int i;

	ht_layer(test->requirement, layer, sizeof(layer));
	for (i = 0; i < nglobs; i++) {
		if (!fnmatch(globs[i], test->requirement, FNM_CASEFOLD) ||
		    !fnmatch(globs[i], test->name, FNM_CASEFOLD) ||
		    !fnmatch(globs[i], test->requirement + 4, FNM_CASEFOLD) ||
		    !fnmatch(globs[i], layer, FNM_CASEFOLD))
			return true;
	}
	return !nglobs;
}
