// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * The VM itself: Linux changes its own code while other CPUs run through it. A static key of the scheduler is switched on and
 * off while threads wake each other; a QEMU that translates code which is being patched (qemu/hw/hsl/tcg-translate.awk) lets
 * a 7.x kernel die of "Oops: int3" here within some hundred changes. As root in the VM.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/common/raw.h"

#define KEY	"/proc/sys/kernel/sched_schedstats"
#define CHANGES	1000u

struct pair {
	int to[2], back[2];
};

static void *pass_on(int from, int to)
{
	char c;

	while (read(from, &c, 1) == 1 && write(to, &c, 1) == 1)
		;
	return NULL;
}

static void *first(void *arg)
{
	struct pair *p = arg;

	if (write(p->to[1], "", 1) != 1)
		raw_bail("write");
	return pass_on(p->back[0], p->to[1]);
}

static void *second(void *arg)
{
	struct pair *p = arg;

	return pass_on(p->to[0], p->back[1]);
}

int main(void)
{
	struct pair pair;
	pthread_t thread;
	unsigned int i;
	int key = open(KEY, O_WRONLY | O_CLOEXEC);

	if (key < 0) {
		printf("1..0 # SKIP no " KEY "\n");
		return 77;
	}
	if (pipe(pair.to) || pipe(pair.back) || pthread_create(&thread, NULL, first, &pair) ||
	    pthread_create(&thread, NULL, second, &pair) || setpriority(PRIO_PROCESS, 0, -20))
		raw_bail("threads");
	for (i = 0; i < CHANGES && pwrite(key, i % 2 ? "0\n" : "1\n", 2, 0) == 2; i++)
		;
	printf("%sok 1 - %u changes of code that threads run through\n1..1\n", i == CHANGES ? "" : "not ", i);
	return i != CHANGES;
}
