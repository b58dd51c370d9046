/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The stress program of the VM with threads for processes, sanitized: HSL_FABRIC=sim:mesh4 test_stress [WORKERS [SECONDS [SEED]]]. */
#include "tests/guest/stress.c"
