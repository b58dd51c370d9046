// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * 64 chips in one fabric, on two CPUs that have too few interrupt vectors for all of their queues (HEP-QUE-007, HEP-NET-002). As root in
 * a VM with CHIPS=64 MEM=128M.
 *
 * Every chip copies to the one farthest from it by number. QUEUES sleepers on each chip are woken, whether their queue has a vector of its own
 * or shares that of the chip's events; vectors come back with the queues. One chip is reset and another one unbound and bound:
 * the others notice nothing, and the next user of these two works.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "common/raw.h"

#define CHIPS	64u
#define QUEUES	8u
#define LEN	4096u
#define RESET	64u
#define REBOUND	33u

static int ctx;
static char bdf[CHIPS + 1][32];		/* by node */
static struct raw_queue queue[CHIPS + 1][QUEUES];

static unsigned int interrupts(void)
{
	unsigned int n = 0;
	char line[1024];
	FILE *f = fopen("/proc/interrupts", "re");

	if (!f)
		raw_bail("/proc/interrupts");
	while (fgets(line, sizeof(line), f))
		n += strstr(line, " hsl-0000:") != NULL;
	fclose(f);
	return n;
}

static void pci_write(const char *dir, const char *file, const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/bus/pci/%s/%s", dir, file);
	if (raw_write_file(path, text))
		raw_bail(path);
}

/* From chip a to chip b, by a queue of a. */
static bool moves(int c, struct raw_queue *q, uint32_t a, uint32_t b)
{
	struct raw_seg from, to;
	volatile uint64_t *p, *r;
	bool good;

	if (raw_alloc(c, a, LEN, RAW_RW, &from) || raw_alloc(c, b, LEN, RAW_RW, &to) || raw_map(c, &from, PROT_READ | PROT_WRITE, &p) ||
	    raw_map(c, &to, PROT_READ, &r))
		return false;
	for (unsigned int i = 0; i < LEN / 8; i++)
		p[i] = raw_mix(a * LEN + i);
	good = raw_copy(q, to.ga, from.ga, LEN) == HSL_ST_OK && !memcmp((void *)(uintptr_t)p, (void *)(uintptr_t)r, LEN);
	munmap((void *)(uintptr_t)p, LEN);
	munmap((void *)(uintptr_t)r, LEN);
	return !raw_free(c, from.handle) && !raw_free(c, to.handle) && good;
}

struct sleeper {
	pthread_t thread;
	struct raw_queue *q;
	uint64_t ga;
	bool woken;
};

/* In poll(2) until its WAIT times out, and long before that. */
static void *sleeps(void *arg)
{
	struct sleeper *s = arg;

	raw_submit(s->q, &(struct hsl_desc){ .opcode = HSL_OP_WAIT, .subop = HSL_WAIT_EQ, .src = s->ga, .len = 8, .arg0 = 1,
					     .arg1 = 100000000 });
	s->woken = raw_complete(s->q, 20000) == HSL_ST_TIMEOUT;
	return NULL;
}

/* How many queues of a chip wake who sleeps: all of them at a time, each in its own thread, as who comes late finds a completion. */
static unsigned int woken(struct raw_queue *q, const struct raw_seg *seg)
{
	struct sleeper s[QUEUES];
	unsigned int n = 0;

	for (unsigned int i = 0; i < QUEUES; i++) {
		s[i] = (struct sleeper){ .q = &q[i], .ga = seg->ga };
		if (pthread_create(&s[i].thread, NULL, sleeps, &s[i]))
			raw_bail("pthread_create");
	}
	for (unsigned int i = 0; i < QUEUES; i++) {
		pthread_join(s[i].thread, NULL);
		n += s[i].woken;
	}
	return n;
}

static void test_traffic(void)
{
	unsigned int moved = 0, awake = 0, vectors;
	struct raw_seg s;

	for (uint32_t n = 1; n <= CHIPS; n++)
		for (unsigned int i = 0; i < QUEUES; i++)
			if (raw_queue_open(ctx, n, &queue[n][i]))
				raw_bail("a queue");
	vectors = interrupts();
	raw_check(vectors >= CHIPS && vectors < CHIPS * (1 + QUEUES), "%u queues have %u vectors", CHIPS * QUEUES, vectors);
	for (uint32_t n = 1; n <= CHIPS; n++) {
		if (raw_alloc(ctx, n, LEN, RAW_RW, &s))
			raw_bail("a segment");
		awake += woken(queue[n], &s);
		moved += moves(ctx, &queue[n][0], n, n <= CHIPS / 2 ? n + CHIPS / 2 : n - CHIPS / 2);
	}
	raw_check(awake == CHIPS * QUEUES, "%u of %u sleepers were woken", awake, CHIPS * QUEUES);
	raw_check(moved == CHIPS, "%u of %u chips moved bytes to the far one", moved, CHIPS);
}

static bool next_user(uint32_t node, uint32_t peer)
{
	int c = raw_open(0);
	struct raw_queue q;
	bool good;

	if (c < 0 || raw_queue_open(c, node, &q))
		return false;
	good = moves(c, &q, node, peer) && moves(c, &q, peer, node);
	raw_queue_close(&q);
	return good;
}

static void test_life(void)
{
	struct hsl_chip_info ci;
	unsigned int ended = 0, alive = 0;
	char dir[64];

	snprintf(dir, sizeof(dir), "devices/%s", bdf[RESET]);
	pci_write(dir, "reset", "1");
	pci_write("drivers/hsl_pci", "unbind", bdf[REBOUND]);
	raw_check(raw_chip(ctx, REBOUND, &ci) == -ENODEV, "chip %u is unbound", REBOUND);
	for (uint32_t n = 1; n <= CHIPS; n++) {
		bool gone = n == RESET || n == REBOUND;

		for (unsigned int i = 0; i < QUEUES; i++) {
			raw_submit(&queue[n][i], &(struct hsl_desc){ .opcode = HSL_OP_NOP });
			alive += !gone && raw_complete(&queue[n][i], 20000) == HSL_ST_OK;
			ended += gone && raw_complete(&queue[n][i], 20000) == -1;
		}
	}
	raw_check(ended == 2 * QUEUES, "their %u queues have ended: %u", 2 * QUEUES, ended);
	raw_check(alive == (CHIPS - 2) * QUEUES, "all others work: %u", alive);
	pci_write("drivers/hsl_pci", "bind", bdf[REBOUND]);
	raw_check(next_user(RESET, 1) && next_user(REBOUND, RESET), "the next user of them works");
}

int main(void)
{
	struct hsl_chip_info ci;

	ctx = raw_open(0);
	if (ctx < 0)
		raw_skip_all(RAW_DEV);
	for (uint32_t n = 1; n <= CHIPS; n++) {
		if (raw_chip(ctx, n, &ci))
			raw_bail("64 chips");
		memcpy(bdf[n], ci.bus_addr, sizeof(bdf[n]));
	}
	raw_check(interrupts() == CHIPS, "idle chips have one vector each: %u", interrupts());
	test_traffic();
	test_life();
	for (uint32_t n = 1; n <= CHIPS; n++)
		for (unsigned int i = 0; i < QUEUES; i++)
			raw_queue_close(&queue[n][i]);
	raw_check(interrupts() == CHIPS, "and have again: %u", interrupts());
	raw_check(!system("[ $(hslctl list | grep -c ' ready ') = 64 ]"), "hslctl list");
	raw_check(!system("[ $(hslctl topo | grep -c 'from . to') = 4 ]"), "hslctl topo");
	raw_check(!system("hslctl doctor >/tmp/doctor || { cat /tmp/doctor; false; }"), "hslctl doctor");
	return raw_done();
}
