// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Linked into programs and libraries that count what they execute. gcov writes its counters at exit(); the tests of
 * hsltest are child processes that leave by _exit(), and would count nothing. Each program and each library has
 * counters, and a writer for them, of its own: the list of writers is shared, as the dynamic linker
 * gives all of them the program's.
 */
#include <gcov.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { MOST = 8 };
void (*coverage_writer[MOST])(void);
unsigned int coverage_writers;

static void write_own(void)
{
	__gcov_dump();
}

__attribute__((constructor)) static void announce(void)
{
	if (coverage_writers < MOST)
		coverage_writer[coverage_writers++] = write_own;
}

void _exit(int status)
{
	unsigned int i;

	for (i = 0; i < coverage_writers; i++)
		coverage_writer[i]();
	syscall(SYS_exit_group, status);
	__builtin_unreachable();
}
