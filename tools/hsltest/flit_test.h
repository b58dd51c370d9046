/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The kind of device that is at a flit socket (test_flit.c), for dut.c. */
#ifndef HSLTEST_FLIT_TEST_H
#define HSLTEST_FLIT_TEST_H

#include "run.h"

unsigned int ht_flit_tests(const struct ht_test **list, unsigned int max);
void ht_flit_probe(const struct ht_config *config, struct ht_probe *p);
void ht_flit_open(struct ht *t);
void ht_flit_close(struct ht *t);

#endif
