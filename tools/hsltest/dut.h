/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Kinds of devices under test (dut.c). */
#ifndef HSLTEST_DUT_H
#define HSLTEST_DUT_H

#include "run.h"

/*
 * Each hook may be NULL, for a device that libhsl opens as a fabric. tests: those for this kind, instead of
 * ht_tests_all. open, close: in the child that runs a test, before and after it; t->f stays NULL then. probe: in a child of
 * its own.
 * patience_s: how long the URL has us wait for a device that says nothing; 0: it is not of the form that `what` says.
 */
struct ht_dut_kind {
	const char *prefix; /* of the URL */
	const char *what;
	const char *unseen; /* of a requirement that no test of this kind judges; NULL: as the requirement says */
	unsigned int (*tests)(const struct ht_test **list, unsigned int max);
	void (*probe)(const struct ht_config *config, struct ht_probe *p);
	void (*open)(struct ht *t);
	void (*close)(struct ht *t);
	unsigned int (*patience_s)(const char *url);
};

const struct ht_dut_kind *ht_dut_kind(const char *url); /* NULL: none */
unsigned int ht_dut_patience_s(const char *url); /* 0: the kind has none */
/* The probe of a fabric. */
void ht_dut_probe(const struct ht_config *config, struct ht_probe *p);

struct ht_capability {
	uint64_t bit;
	const char *name;
};
extern const struct ht_capability ht_capabilities[]; /* ends with a zeroed one */

#endif
