// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * A storm of eventfds, and interrupts for queues that are being destroyed (HEP-QUE-007). In the VM.
 *
 *	storm [SECONDS]		(5)
 *
 * Threads make queues, arm them with commands in flight and: wait for an eventfd of their own; use one that all share and that is
 * full, so that it can count no further; close the eventfd that is attached; exchange it; or destroy the queue at once. Whoever waits
 * is woken, and at the end all queues of the chips are free.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "common/raw.h"
#include "hsl/hsl.h"

#define THREADS	4u
#define NOPS	16u
#define FULL	0xfffffffffffffffeull

enum { OWN, SHARED, CLOSED, EXCHANGED, DESTROYED, KINDS };
static const char *const names[KINDS] = { "eventfd of its own", "a full one", "closed", "exchanged", "queue destroyed" };
static atomic_uint rounds[KINDS], lost, failed;
static struct hsl_fabric *f;
static unsigned int nchips;
static int full = -1;
static time_t end;

static time_t now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec;
}

static bool readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 30000) == 1 && p.revents & POLLIN;
}

static bool all_complete(struct hsl_queue *q)
{
	struct hsl_completion c[NOPS];
	int n, done = 0;

	while (done < (int)NOPS) {
		n = hsl_queue_wait(q, c, NOPS, UINT64_MAX);
		if (n < 0)
			return false;
		done += n;
	}
	return true;
}

static bool use(struct hsl_queue *q, unsigned int kind, int efd, int other)
{
	struct hsl_op ops[NOPS] = { { .opcode = HSL_OP_NOP } };

	if (hsl_queue_eventfd(q, kind == SHARED ? full : efd) || hsl_queue_submit(q, ops, NOPS) != (int)NOPS || hsl_queue_arm(q))
		return false;
	switch (kind) {
	case OWN:
		if (!readable(efd))
			atomic_fetch_add(&lost, 1);
		break;
	case CLOSED:
		close(efd);
		break;
	case EXCHANGED:
		if (hsl_queue_eventfd(q, other) || hsl_queue_arm(q) || hsl_queue_eventfd(q, -1))
			return false;
		break;
	case DESTROYED:
		return true;
	}
	return all_complete(q);
}

static void *worker(void *arg)
{
	uint64_t rng = (uintptr_t)arg;

	while (now_s() < end) {
		unsigned int kind = (unsigned int)(raw_mix(++rng) % KINDS);
		int efd = eventfd(0, EFD_CLOEXEC), other = eventfd(0, EFD_CLOEXEC);
		struct hsl_queue *q;

		if (hsl_queue_create(f, 1 + (uint32_t)(raw_mix(rng + 1000) % nchips), NULL, &q)) {
			atomic_fetch_add(&failed, 1);
			break;
		}
		if (use(q, kind, efd, other))
			atomic_fetch_add(&rounds[kind], 1);
		else
			atomic_fetch_add(&failed, 1);
		hsl_queue_destroy(q);
		if (kind != CLOSED)
			close(efd);
		close(other);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	struct hsl_fabric_info info = { .size = sizeof(info) };
	struct hsl_chip_props p = { .size = sizeof(p) };
	pthread_t t[THREADS];

	if (hsl_fabric_open(NULL, &f) || hsl_fabric_info(f, &info))
		raw_skip_all(RAW_DEV);
	nchips = info.nchips;
	full = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (full < 0 || eventfd_write(full, FULL))
		raw_bail("eventfd");
	end = now_s() + (argc > 1 ? atoi(argv[1]) : 5);
	for (uintptr_t i = 0; i < THREADS; i++)
		if (pthread_create(&t[i], NULL, worker, (void *)(i << 32)))
			raw_bail("pthread_create");
	for (unsigned int i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	for (unsigned int k = 0; k < KINDS; k++)
		raw_check(atomic_load(&rounds[k]) > 0, "%s: %u rounds", names[k], atomic_load(&rounds[k]));
	raw_check(!atomic_load(&failed), "calls and commands that failed: %u", atomic_load(&failed));
	raw_check(!atomic_load(&lost), "wake-ups that got lost: %u", atomic_load(&lost));
	for (unsigned int i = 0; i < nchips; i++) {
		if (hsl_chip_by_index(f, i, &p))
			raw_bail("hsl_chip_by_index");
		raw_check(p.nqueues_free == p.nqueues, "chip %u has all its queues back", p.node);
	}
	hsl_fabric_close(f);
	return raw_done();
}
