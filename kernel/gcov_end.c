// SPDX-License-Identifier: GPL-2.0-only
/* The last object of a module that counts its lines: where the list of gcov.c ends. */
#include <linux/compiler.h>

#include "gcov.h"

const struct gcov_info *const hsl_gcov_end[1] __section(".gcov_info");
