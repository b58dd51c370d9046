/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Ctrl-C as a flag: loops end early and what was measured so far is still printed. The second one kills, in
 * case a loop does not look. SIGTERM and SIGHUP are taken alike; system calls are interrupted (no SA_RESTART).
 */
#ifndef TOOL_STOP_H
#define TOOL_STOP_H

#include <signal.h>
#include <stdbool.h>

extern volatile sig_atomic_t tool_stop_signal;	/* 0, or the signal that came */

void tool_stop_install(void);
static inline bool tool_stopped(void)
{
	return tool_stop_signal != 0;
}

#endif
