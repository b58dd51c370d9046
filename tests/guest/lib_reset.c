// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * A chip is reset (FLR) and unbound under a program that uses it through libhsl: every outstanding operation is
 * reported once, no wait hangs, everyone who watches is told, segments and their content survive a reset, and
 * everything can be closed (HEP-QUE-014, HEP-RAS-002, -003, HEP-API-006). As root, on the driver only. Prints TAP;
 * exit 0, 1 or 77.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "hsl/hsl.h"

#define NOPS	64u
#define LEN	(24u << 20)

static int ntests, nfailed;

__attribute__((format(printf, 2, 3)))
static bool check(bool ok, const char *fmt, ...)
{
	va_list ap;

	printf("%sok %d - ", ok ? "" : "not ", ++ntests);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	nfailed += !ok;
	return ok;
}

static uint64_t in_seconds(unsigned int s)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ((uint64_t)ts.tv_sec + s) * 1000000000u + (uint64_t)ts.tv_nsec;
}

static int write_file(const char *text, const char *fmt, ...)
{
	char path[256];
	va_list ap;
	ssize_t n;
	int fd;

	va_start(ap, fmt);
	vsnprintf(path, sizeof(path), fmt, ap);
	va_end(ap);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = write(fd, text, strlen(text));
	n = n < 0 ? -errno : 0;
	close(fd);
	return (int)n;
}

struct user {
	struct hsl_fabric *f;
	struct hsl_queue *q;
	struct hsl_segment *a, *b;
	uint8_t *mem;			/* of a */
	int efd;
	/* of the thread that waits */
	unsigned int got, ok, gone, other, twice;
	int last;
};

static bool set_up(struct user *u, const char *url, uint32_t node)
{
	struct hsl_queue_opts o = { .size = sizeof(o), .depth = NOPS };

	memset(u, 0, sizeof(*u));
	u->efd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (hsl_fabric_open(url, &u->f) || hsl_queue_create(u->f, node, &o, &u->q) ||
	    hsl_segment_alloc(u->f, node, LEN, NULL, &u->a) || hsl_segment_alloc(u->f, node, LEN, NULL, &u->b) ||
	    hsl_segment_map(u->a, (void **)&u->mem) || hsl_queue_eventfd(u->q, u->efd))
		return check(false, "set-up on node %u", node);
	memset(u->mem, 0x42, LEN);
	return true;
}

static bool submit_all(struct user *u)
{
	struct hsl_op ops[NOPS];

	for (unsigned int i = 0; i < NOPS; i++)
		ops[i] = (struct hsl_op){ .opcode = HSL_OP_COPY, .dst = hsl_segment_ga(u->b),
					  .src = hsl_segment_ga(u->a), .len = LEN, .cookie = i };
	return check(hsl_queue_submit(u->q, ops, NOPS) == (int)NOPS, "%u commands submitted", NOPS);
}

/* Take everything there is, until nothing is outstanding. */
static void *wait_for_all(void *arg)
{
	struct hsl_completion c[8];
	bool seen[NOPS] = { false };
	struct user *u = arg;

	while ((u->last = hsl_queue_wait(u->q, c, 8, in_seconds(60))) > 0)
		for (int i = 0; i < u->last; i++, u->got++) {
			u->twice += c[i].cookie >= NOPS || seen[c[i].cookie];
			if (c[i].cookie < NOPS)
				seen[c[i].cookie] = true;
			u->ok += c[i].status == HSL_ST_OK;
			u->gone += c[i].status == HSL_ST_GONE;
			u->other += c[i].status != HSL_ST_OK && c[i].status != HSL_ST_GONE &&
				    c[i].status != HSL_ST_ABORTED && c[i].status != HSL_ST_REVOKED;
		}
	return NULL;
}

static bool readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 10000) == 1;
}

static void check_end(struct user *u, const char *what)
{
	struct hsl_op op = { 0 };
	uint32_t error = 0;

	printf("# %s: %u ok, %u gone of %u\n", what, u->ok, u->gone, u->got);
	check(u->got == NOPS && !u->twice && !u->other, "%s: each of %u commands is reported once", what, NOPS);
	check(u->last == -ENOENT && !hsl_queue_outstanding(u->q), "%s: then nothing is outstanding", what);
	check(hsl_queue_state(u->q, &error) == HSL_QUEUE_ERROR && error, "%s: the queue has ended, %s", what,
	      hsl_status_name(error));
	check(hsl_queue_submit(u->q, &op, 1) == -ESHUTDOWN && hsl_queue_arm(u->q) == -ESHUTDOWN,
	      "%s: it takes no more", what);
	check(readable(hsl_queue_fd(u->q)) && readable(u->efd), "%s: fd and eventfd are readable", what);
}

/* early: the waiter sleeps when it happens; else it comes afterwards */
static void reset(const char *url, const struct hsl_chip_props *p, const struct hsl_chip_props *peer, bool early)
{
	const char *what = early ? "reset, waited for" : "reset, looked at later";
	struct hsl_queue *other = NULL;
	pthread_t thread;
	struct user u;
	int err;

	if (!set_up(&u, url, p->node) || !submit_all(&u))
		return;
	check(!hsl_queue_create(u.f, peer->node, NULL, &other), "a queue of node %u beside it", peer->node);
	if (early)
		pthread_create(&thread, NULL, wait_for_all, &u);
	usleep(early ? 5000 : 0);
	err = write_file("1", "/sys/bus/pci/devices/%s/reset", p->bus_addr);
	check(!err, "%s: FLR of %s: %d", what, p->bus_addr, err);
	if (early)
		pthread_join(thread, NULL);
	else
		wait_for_all(&u);
	check_end(&u, what);
	check(u.mem[0] == 0x42 && u.mem[LEN - 1] == 0x42, "%s: memory kept its content", what);
	if (p->node != peer->node)
		check(hsl_queue_state(other, NULL) == HSL_QUEUE_READY &&
		      !hsl_copy(other, hsl_segment_ga(u.b), hsl_segment_ga(u.a), LEN),
		      "%s: the other chip's queue works, on this chip's memory", what);
	hsl_queue_destroy(u.q);
	err = hsl_queue_create(u.f, p->node, NULL, &u.q);
	check(!err && !hsl_fill(u.q, hsl_segment_ga(u.a), LEN, 0) && !u.mem[LEN - 1],
	      "%s: a new queue works with the old segments", what);
	hsl_fabric_close(u.f);
	close(u.efd);
}

static void unbind(const char *url, const struct hsl_chip_props *p, const struct hsl_chip_props *peer)
{
	struct hsl_chip_props now = { .size = sizeof(now) };
	struct hsl_queue *q = NULL;
	pthread_t thread;
	struct user u;
	int err;

	if (!set_up(&u, url, p->node) || !submit_all(&u))
		return;
	pthread_create(&thread, NULL, wait_for_all, &u);
	usleep(5000);
	err = write_file(p->bus_addr, "/sys/bus/pci/drivers/hsl_pci/unbind");
	check(!err, "unbind %s with open files: %d", p->bus_addr, err);
	pthread_join(thread, NULL);
	check_end(&u, "unbind");
	err = hsl_queue_create(u.f, p->node, NULL, &q);
	check(err == -ENOENT || err == -ENODEV, "its chip is not there any more: %d", err);
	if (p->node != peer->node)
		check(!hsl_queue_create(u.f, peer->node, NULL, &q) && !hsl_nop(q), "the other chip works");
	err = hsl_segment_free(u.a);
	check(!err, "a segment of it can be freed: %d", err);
	hsl_fabric_close(u.f);
	close(u.efd);

	err = write_file(p->bus_addr, "/sys/bus/pci/drivers/hsl_pci/bind");
	check(!err, "bind it again: %d", err);
	if (check(!hsl_fabric_open(url, &u.f), "the fabric opens")) {
		check(!hsl_chip_by_node(u.f, p->node, &now) && now.mem_free_bytes == now.mem_bytes &&
		      now.nqueues_free == now.nqueues, "the chip is there, all of it free");
		check(!hsl_queue_create(u.f, p->node, NULL, &q) && !hsl_nop(q), "and works");
		hsl_fabric_close(u.f);
	}
}

int main(void)
{
	const char *url = getenv("HSL_FABRIC");
	struct hsl_chip_props p = { .size = sizeof(p) }, peer = { .size = sizeof(peer) };
	struct hsl_fabric *f;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!url)
		url = "/dev/hsl0";
	if (url[0] != '/' || getuid() || hsl_fabric_open(url, &f)) {
		printf("1..0 # SKIP needs root and a fabric of the driver\n");
		return 77;
	}
	if (hsl_chip_by_index(f, 0, &p))
		return 1;
	if (hsl_chip_by_index(f, 1, &peer))
		peer = p;
	hsl_fabric_close(f);
	for (int i = 0; i < 6; i++)
		reset(url, i % 2 ? &peer : &p, i % 2 ? &p : &peer, i % 3);
	/* with a second chip the fabric stays while one of its chips goes */
	if (p.node != peer.node)
		unbind(url, &peer, &p);
	printf("1..%d\n", ntests);
	return nfailed != 0;
}
