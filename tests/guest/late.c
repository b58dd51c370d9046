// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * late NODE: a chip that refuses to destroy a queue completes what was submitted while the queue is closed. Its rings are given to
 * somebody else, here to a pipe, only when it is cut off from memory. Run as root in the VM; the chip has failed afterwards.
 *
 * Who cuts it off is a worker of this CPU, which does not come as long as a thread of real time runs and does not sleep.
 */
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/common/raw.h"

#define WAIT_MS		5	/* a completion comes in so many */
#define PIPE_BYTES	(1 << 20)

static void alone_on_this_cpu(void)
{
	struct sched_param p = { .sched_priority = 1 };
	cpu_set_t here;

	CPU_ZERO(&here);
	CPU_SET(sched_getcpu(), &here);
	if (sched_setaffinity(0, sizeof(here), &here) || sched_setscheduler(0, SCHED_FIFO, &p))
		raw_bail("real time");
}

static void spin_ms(unsigned int ms)
{
	struct timespec from, now;

	clock_gettime(CLOCK_MONOTONIC, &from);
	do
		clock_gettime(CLOCK_MONOTONIC, &now);
	while ((now.tv_sec - from.tv_sec) * 1000 + (now.tv_nsec - from.tv_nsec) / 1000000 < ms);
}

/* How many bytes are not what was written. */
static unsigned int changed(const char *p, size_t n, char was)
{
	unsigned int k = 0;

	for (size_t i = 0; i < n; i++)
		k += p[i] != was;
	return k;
}

int main(int argc, char **argv)
{
	uint32_t node = argc > 1 ? (uint32_t)atoi(argv[1]) : 1;
	static char bytes[PIPE_BYTES];
	int fd = raw_open(0), somebody[2];
	struct raw_queue q;
	struct raw_seg s;
	unsigned int n;

	if (fd < 0 || raw_alloc(fd, node, 65536, RAW_RW, &s) || raw_queue_open(fd, node, &q) || pipe(somebody) ||
	    fcntl(somebody[1], F_SETPIPE_SZ, PIPE_BYTES) < PIPE_BYTES)
		raw_bail("a queue, a segment or a pipe");
	memset(bytes, 0xa5, sizeof(bytes));
	alone_on_this_cpu();
	for (int i = 0; i < RAW_DEPTH - 1; i++)
		raw_submit(&q, &(struct hsl_desc){ .opcode = HSL_OP_WAIT, .subop = HSL_WAIT_EQ, .src = s.ga, .len = 8, .arg0 = 1,
						   .arg1 = WAIT_MS * 1000000 });
	raw_queue_close(&q);
	if (write(somebody[1], bytes, sizeof(bytes)) != sizeof(bytes))
		raw_bail("write");
	spin_ms(RAW_DEPTH * WAIT_MS);
	memset(bytes, 0, sizeof(bytes));
	if (read(somebody[0], bytes, sizeof(bytes)) != sizeof(bytes))
		raw_bail("read");
	n = changed(bytes, sizeof(bytes), (char)0xa5);
	raw_check(!n, "a queue that is not given up writes to nobody else's memory: %u bytes", n);
	return raw_done();
}
