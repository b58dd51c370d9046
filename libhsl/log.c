// SPDX-License-Identifier: MIT OR Apache-2.0
/* Messages to stderr, chosen by HSL_LOG=error|warn|info|debug (default error), read once. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "priv.h"

static const char *const level_names[] = { "error", "warn", "info", "debug" };
static enum hslp_level threshold = HSLP_ERROR;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void read_environment(void)
{
	const char *want = getenv("HSL_LOG");

	for (unsigned int i = 0; want && i < sizeof(level_names) / sizeof(level_names[0]); i++)
		if (!strcmp(want, level_names[i]))
			threshold = (enum hslp_level)i;
}

void hslp_log(enum hslp_level level, const char *fmt, ...)
{
	int saved = errno;
	char line[512];
	va_list ap;
	int n;

	pthread_once(&once, read_environment);
	if (level <= threshold) {
		/* one write per line, so that lines of threads do not mix */
		n = snprintf(line, sizeof(line), "libhsl: %s: ", level_names[level]);
		va_start(ap, fmt);
		vsnprintf(line + n, sizeof(line) - (size_t)n, fmt, ap);
		va_end(ap);
		fprintf(stderr, "%s\n", line);
	}
	errno = saved;
}
