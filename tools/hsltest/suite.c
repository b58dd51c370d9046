/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The loop over rounds and tests. A test that failed once in many rounds has failed: what is kept of it is the gravest round,
 * with the seed that it had. After every test what is known is a whole report, so that an end by ctrl-C is no special case.
 */
#include <stdio.h>

#include "progress.h"
#include "run.h"
#include "stop.h"

/* Adds a round to what is known of a test. */
static void merge(struct ht_result *all, const struct ht_result *one)
{
	uint64_t duration_ns = all->duration_ns + one->duration_ns;
	unsigned int runs = all->runs + one->runs, failures = all->failures;

	failures += one->verdict == HT_FAIL || one->verdict == HT_WAIVED;
	if (!all->runs || ht_gravity(one->verdict) > ht_gravity(all->verdict))
		*all = *one;
	all->duration_ns = duration_ns;
	all->runs = runs;
	all->failures = failures;
}

void ht_suite_run(struct ht_report *rep, const struct ht_test *const *list, bool stop_on_fail, struct ht_waivers *waivers)
{
	struct ht_config config = *rep->config;
	unsigned int round, i, bad = 0;
	struct ht_result one;

	for (i = 0; i < rep->n; i++) {
		rep->results[i].test = list[i];
		rep->results[i].verdict = HT_NOT_RUN;
		rep->results[i].seed = config.seed;
		snprintf(rep->results[i].reason, sizeof(one.reason), "the run ended before it");
	}
	clock_gettime(CLOCK_REALTIME, &rep->started);
	for (round = 0; round < rep->rounds && !tool_stopped() && !(bad && stop_on_fail); round++) {
		config.seed = rep->config->seed + round;
		for (i = 0; i < rep->n && !tool_stopped() && !(bad && stop_on_fail); i++) {
			if (rep->rounds > 1)
				tool_progress("round %u of %u, %u of %u, %u failed: %s %s", round + 1, rep->rounds, i + 1, rep->n, bad,
					      list[i]->requirement, list[i]->name);
			else
				tool_progress("%u of %u, %u failed: %s %s", i + 1, rep->n, bad, list[i]->requirement, list[i]->name);
			ht_run_one(&config, list[i], tool_stopped, &one);
			if (one.verdict == HT_NOT_RUN) /* interrupted */
				break;
			ht_waivers_apply(waivers, &one);
			bad += one.verdict == HT_FAIL || one.verdict == HT_ERROR;
			merge(&rep->results[i], &one);
			ht_report_test(rep, round * rep->n + i + 1, round, &one);
		}
		rep->rounds_done += i == rep->n;
	}
	rep->interrupted = rep->rounds_done < rep->rounds;
	tool_progress_clear();
	clock_gettime(CLOCK_REALTIME, &rep->ended);
}
