/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What main.c, run.c and report.c share; no test needs it. */
#ifndef HSLTEST_RUN_H
#define HSLTEST_RUN_H

#include <stdio.h>

#include "hsltest.h"

struct ht_result {
	const struct ht_test *test;
	enum ht_verdict verdict;
	uint64_t duration_ns;
	char reason[1600];
	char note[256];
};

/* The fabric under test, as a child process saw it. */
struct ht_probe {
	int rc; /* of hsl_fabric_open, or -EFAULT when that crashed */
	uint32_t nchips;
	uint32_t driver_abi;
	uint64_t fabric_id[2];
	char backend[16];
};

void ht_probe_fabric(const struct ht_config *config, struct ht_probe *p);
/* Runs one test in a child. stop: becomes true when the user wants to end; the test then counts as
 * not run. */
void ht_run_one(const struct ht_config *config, const struct ht_test *test, bool (*stop)(void),
		struct ht_result *r);

struct ht_summary {
	unsigned int passed, failed, skipped, not_run;
};

/* All tests in table order; returns how many. list may be NULL. */
unsigned int ht_tests_all(const struct ht_test **list, unsigned int max);
const char *ht_group(const struct ht_test *test, char *buf, size_t len); /* "TXN" */

/* report.c */
enum ht_format { HT_TABLE, HT_TAP, HT_JSON };
void ht_report_begin(enum ht_format fmt, const struct ht_config *c, const struct ht_probe *p,
		     unsigned int ntests);
void ht_report_test(enum ht_format fmt, unsigned int number, const struct ht_result *r);
int ht_report_end(enum ht_format fmt, const struct ht_config *c, const struct ht_probe *p,
		  const struct ht_result *r, unsigned int n, const struct ht_summary *s);
int ht_list_tests(bool json, char *const *globs, int nglobs);
int ht_list_requirements(bool json);
int ht_check_trace(const char *path, bool complete);
bool ht_test_matches(const struct ht_test *test, char *const *globs, int nglobs);

#endif
