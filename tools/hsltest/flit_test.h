/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The kind of device that is at a flit socket (test_flit.c), for dut.c. */
#ifndef HSLTEST_FLIT_TEST_H
#define HSLTEST_FLIT_TEST_H

#include "flit_agent.h"
#include "run.h"

unsigned int ht_flit_tests(const struct ht_test **list, unsigned int max);
void ht_flit_probe(const struct ht_config *config, struct ht_probe *p);
unsigned int ht_flit_patience_s(const char *url);
void ht_flit_open(struct ht *t);
void ht_flit_close(struct ht *t);

/* ---- for its tests, in the child that runs one ---- */
extern const struct ht_test ht_flit_tests_coh[]; /* ends with a zeroed one */
extern struct fa *ht_flit_agents;
extern bool ht_flit_once; /* the test is about how many answers there are */
struct fe *ht_flit_wire(void);
/* Skips the test unless so much memory of the device is open. */
void ht_flit_need_memory(struct ht *t, uint64_t bytes);
/* Waits for the answers to all requests of an agent with these tags; with ht_flit_once for one too many, too. */
void ht_flit_answered(struct ht *t, unsigned int agent, uint16_t first, unsigned int n);

#endif
