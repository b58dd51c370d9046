/* SPDX-License-Identifier: GPL-2.0-only */
/* Of gcov.c: what gcc wants of its run time, and where its list of counters ends (gcov_end.c). */
#ifndef HSL_GCOV_H
#define HSL_GCOV_H

#include <linux/types.h>

struct gcov_info;
extern const struct gcov_info *const hsl_gcov_end[1];
void __gcov_merge_add(s64 *counters, unsigned int n);

#endif /* HSL_GCOV_H */
