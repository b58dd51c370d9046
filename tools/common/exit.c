// SPDX-License-Identifier: MIT OR Apache-2.0
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/hsl.h>

#include "exit.h"
#include "hsl/hsl.h"
#include "progress.h"

const char *tool_name = "hsl";
static bool by_the_way;

void tool_begin(const char *name)
{
	tool_name = name;
	/* the lowest free one is what open gives; the wrong way round, so that using it fails as before */
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) < 0) {
			tool_error("/dev/null, instead of a closed descriptor %d: %s", fd, strerror(errno));
			_exit(TOOL_ENV);
		}
}

static void nothing(int sig)
{
	(void)sig;
}

void tool_output_by_the_way(void)
{
	by_the_way = true;
	/* SIG_IGN would be a command's as well */
	signal(SIGPIPE, nothing);
}

static void tool_verror(const char *fmt, va_list ap)
{
	fflush(stdout);
	tool_progress_clear();
	fprintf(stderr, "%s: ", tool_name);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
}

void tool_error(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	tool_verror(fmt, ap);
	va_end(ap);
}

int tool_usage(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	tool_verror(fmt, ap);
	va_end(ap);
	fprintf(stderr, "Try '%s --help'.\n", tool_name);
	return TOOL_USAGE;
}

int tool_finish(int code)
{
	int reason = 0;

	if (fflush(stdout)) {
		reason = errno;
	} else if (!ferror(stdout)) {
		return code;
	} else {
		/* it failed long ago, and why is lost: what is written now fails for that reason */
		clearerr(stdout);
		putchar('\n');
		if (fflush(stdout))
			reason = errno;
	}
	if (reason == EPIPE && by_the_way)
		return code;
	/* a reader that had enough (head) is not an error worth a message */
	if (reason != EPIPE)
		tool_error("cannot write to standard output%s%s", reason ? ": " : "", reason ? strerror(reason) : "");
	return code == TOOL_PASS ? TOOL_ENV : code;
}

int tool_not_written(const char *path, int rc)
{
	if (path && strcmp(path, "-"))
		tool_error("%s: %s", path, strerror(-rc));
	else if (!ferror(stdout))
		tool_error("standard output: %s", strerror(-rc));
	return TOOL_ENV;
}

void tool_version(void)
{
	printf("%s %s (HEP %d.%d)\n", tool_name, hsl_version(), HSL_HEP_MAJOR, HSL_HEP_MINOR);
}

static void out_of_memory(void)
{
	tool_error("out of memory");
	exit(TOOL_ENV);
}

void *tool_calloc(unsigned long n, unsigned long size)
{
	void *p = calloc(n ? n : 1, size ? size : 1);

	if (!p)
		out_of_memory();
	return p;
}

char *tool_printf(const char *fmt, ...)
{
	va_list ap;
	char *s;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&s, fmt, ap);
	va_end(ap);
	if (n < 0)
		out_of_memory();
	return s;
}

const char *tool_fabric_name(const char *url)
{
	static char first[32];

	/* as libhsl chooses */
	if (!url)
		url = getenv("HSL_FABRIC");
	if (url && *url)
		return url;
	for (unsigned int i = 0; i < 256; i++) {
		snprintf(first, sizeof(first), "/dev/hsl%u", i);
		if (!access(first, F_OK))
			return first;
	}
	return "/dev/hsl0";
}

bool tool_chip_failed(const struct hsl_chip_props *p)
{
	if (p->state != HSL_CHIP_FAILED)
		return false;
	tool_error("chip %u has failed, and what needs it fails: 'hslctl doctor' says what to do", p->node);
	return true;
}

void tool_error_proto(const char *name)
{
	if (name[0] == '/')
		tool_error("%s: the driver speaks another major version of the ABI than libhsl %s", name, hsl_version());
	else
		tool_error("%s: cannot be opened: %s", name, strerror(EPROTO));
}

int tool_fabric_open(const char *url, struct hsl_fabric **f)
{
	const char *name = tool_fabric_name(url);
	int rc = hsl_fabric_open(url, f);

	if (!rc)
		return TOOL_PASS;
	switch (rc) {
	case -ENODEV:
	case -ENOENT:
		tool_error("%s: no such fabric", name);
		fprintf(stderr, "'hslctl doctor' finds out why; '-f sim:mesh4' needs no device.\n");
		break;
	case -EACCES:
	case -EPERM:
		tool_error("%s: permission denied", name);
		fprintf(stderr, "'hslctl doctor' tells which permission is missing.\n");
		break;
	case -EPROTO:
		tool_error_proto(name);
		fprintf(stderr, "'hslctl doctor' may know more.\n");
		break;
	case -EINVAL:
		if (!strncmp(name, "sim:", 4))
			return tool_usage("%s: not a fabric (sim:TOPO<N>|FILE[,mem=SIZE][,queues=N][,profile=NAME], TOPO pair ring mesh switch)",
					  name);
		if (name[0] != '/' && strncmp(name, "plugin:", 7))
			return tool_usage("%s: not a fabric (/dev/hsl<N>, sim:TOPO<N>, sim:FILE or plugin:FILE.so)", name);
		/* fall through */
	default:
		tool_error("%s: cannot be opened: %s", name, strerror(-rc));
		fprintf(stderr, "'hslctl doctor' may know more.\n");
	}
	return TOOL_ENV;
}
