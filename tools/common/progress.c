// SPDX-License-Identifier: MIT OR Apache-2.0
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#include "progress.h"

static bool shown;

void tool_progress(const char *fmt, ...)
{
	char line[80];
	va_list ap;

	if (!isatty(STDERR_FILENO))
		return;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);		/* cut: a wrapped line could not be cleared */
	va_end(ap);
	fflush(stdout);
	fprintf(stderr, "\r\033[K%s", line);
	fflush(stderr);
	shown = true;
}

void tool_progress_clear(void)
{
	if (!shown)
		return;
	fputs("\r\033[K", stderr);
	fflush(stderr);
	shown = false;
}
