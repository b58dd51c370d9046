/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * How every hsl tool speaks to its caller: exit codes, one-line errors on stderr, arguments.
 *
 * Conventions: getopt_long; `tool VERB [options]`, `-f URL`/`--fabric URL`, `--json [=]FILE` where FILE is optional,
 * `--help` and `--version` on stdout with exit 0. An error is one line "tool: what: why", a hint is a second one.
 */
#ifndef TOOL_EXIT_H
#define TOOL_EXIT_H

#include <stdbool.h>

enum tool_exit {
	TOOL_PASS = 0,
	TOOL_FAIL = 1,		/* something measured, compared or tested is wrong */
	TOOL_USAGE = 2,
	TOOL_ENV = 3,		/* no device, no permission, out of memory, output cannot be written */
	TOOL_SKIP = 77,		/* nothing could be run, with the reason on stderr */
};

extern const char *tool_name;
/*
 * First thing in main(): "hslbench". A standard stream that the caller has closed is kept from becoming a device or a file that is
 * opened later, which would take what is printed; to print there still fails.
 */
void tool_begin(const char *name);

/* "hslbench: ..." on stderr. */
void tool_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* The same, and where to read on; returns TOOL_USAGE. */
int tool_usage(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* What the program is for is not on stdout: a reader of it that leaves neither ends the program nor makes it fail. */
void tool_output_by_the_way(void);
/* Flushes stdout. A pass that could not be written (disk full) becomes TOOL_ENV with a message; return this from main(). */
int tool_finish(int code);
/* Says that path (NULL, "-": stdout) was not written and why (-errno), unless tool_finish will; returns TOOL_ENV. */
int tool_not_written(const char *path, int rc);
/* "hslbench 1.1.0 (HEP 1.0)" on stdout. */
void tool_version(void);

/* Never return NULL: out of memory ends the program with TOOL_ENV. */
void *tool_calloc(unsigned long n, unsigned long size);
char *tool_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));	/* free() it */

struct hsl_fabric;
/*
 * hsl_fabric_open, and on failure one clear line and a hint on stderr. url NULL: $HSL_FABRIC or the first device.
 * Returns TOOL_PASS or TOOL_ENV (TOOL_USAGE for a malformed URL).
 */
/* What EPROTO of opening it means: a driver's ABI; else an end of a link or a plugin that does not fit, of which libhsl has said why. */
void tool_error_proto(const char *name);
int tool_fabric_open(const char *url, struct hsl_fabric **f);
/* The name that fabric is known by: url, $HSL_FABRIC, or the first device, which libhsl takes then. */
const char *tool_fabric_name(const char *url);
struct hsl_chip_props;
/* Has it? Then that is said on stderr. */
bool tool_chip_failed(const struct hsl_chip_props *p);

#endif
