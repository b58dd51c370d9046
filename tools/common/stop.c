// SPDX-License-Identifier: MIT OR Apache-2.0
#include <stddef.h>

#include "stop.h"

volatile sig_atomic_t tool_stop_signal;

static void on_signal(int sig)
{
	tool_stop_signal = sig;
}

void tool_stop_install(void)
{
	static const int sigs[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction sa = { .sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND }, old;

	sigemptyset(&sa.sa_mask);
	for (size_t i = 0; i < sizeof(sigs) / sizeof(sigs[0]); i++) {
		/* what the caller ignores stays ignored (nohup, a shell's background job) */
		if (!sigaction(sigs[i], NULL, &old) && old.sa_handler == SIG_IGN)
			continue;
		sigaction(sigs[i], &sa, NULL);
	}
}
