/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Test cases of libhsl that hold on every backend (HEP-API-001). Run by tests/unit/test_lib_cases.c on sim: and by
 * tests/guest/lib_cases.c on /dev/hsl0, or on what HSL_FABRIC names.
 *
 * A case opens what it needs and closes it; failures are counted and reported as TAP diagnostics, and a case goes on
 * after one where it can.
 */
#ifndef LIB_CASES_H
#define LIB_CASES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hsl/hsl.h"

struct lib_test {
	const char *url;
	struct hsl_fabric *f;		/* open when a case begins, closed after it */
	uint32_t node[2];		/* the first two chips; the same one twice if there is only one */
	uint64_t chip_mem_bytes;
	unsigned int failures;
	const char *skipped;		/* why, if so */
	uint64_t rng;
};

struct lib_case {
	const char *name;
	void (*run)(struct lib_test *t);
};

/* each ends with name NULL */
extern const struct lib_case lib_cases_objects[], lib_cases_data[], lib_cases_queues[], lib_cases_ops[], lib_cases_sync[],
	lib_cases_share[], lib_cases_observable[], lib_cases_ctf[];
#define LIB_CASES_ALL	{ lib_cases_objects, lib_cases_data, lib_cases_queues, lib_cases_ops, lib_cases_sync, \
			  lib_cases_share, lib_cases_observable, lib_cases_ctf }

/* One case on a fabric of its own. True if it passed or was skipped. */
bool lib_case_run(const struct lib_case *c, const char *url, const char **skipped);

bool lib_check(struct lib_test *t, bool ok, const char *file, int line, const char *what);
bool lib_check_eq(struct lib_test *t, long long got, long long want, const char *file, int line, const char *what);
#define CHECK(t, cond)		lib_check(t, cond, __FILE__, __LINE__, #cond)
#define CHECK_EQ(t, got, want)	lib_check_eq(t, (long long)(got), (long long)(want), __FILE__, __LINE__, #got)
/* leaves the function */
#define REQUIRE(t, cond)	do { if (!CHECK(t, cond)) return; } while (0)
#define REQUIRE_EQ(t, g, w)	do { if (!CHECK_EQ(t, g, w)) return; } while (0)

uint64_t lib_now_ns(void);
uint64_t lib_random(struct lib_test *t);
/* byte i of pattern number seed */
uint8_t lib_byte(uint64_t seed, size_t i);
void lib_pattern(uint8_t *p, size_t n, uint64_t seed);
bool lib_all(const uint8_t *p, size_t n, uint8_t value);
/* Submit one operation and wait for its completion; false and a failure if that does not work. */
bool lib_op(struct lib_test *t, struct hsl_queue *q, const struct hsl_op *op, struct hsl_completion *c);
/* A mapped segment of a chip, or a registered buffer for node 0. NULL and a failure. */
struct lib_mem {
	struct hsl_segment *s;
	uint8_t *p;
	uint64_t ga;
	size_t len;
	bool host;
};
bool lib_mem_get(struct lib_test *t, struct lib_mem *m, uint32_t node, size_t len);
void lib_mem_put(struct lib_test *t, struct lib_mem *m);
/* Of the first chip, when all that has been freed is zeroed and counts. */
uint64_t lib_free_bytes(struct lib_test *t);
/* Same while the caller holds some of that chip: nothing is being zeroed when it returns, so the next allocation is the best fit. */
uint64_t lib_free_beside(struct lib_test *t);

#endif /* LIB_CASES_H */
