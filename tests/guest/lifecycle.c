// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Driver life under traffic: lifecycle [ROUNDS] (default 10). Needs root and the driver.
 *
 * A traffic process copies between chips, loads and stores through mappings, and opens everything again whenever
 * something ended under it. Meanwhile the parent, ROUNDS times each: function level reset of a chip, unbind and
 * bind of a chip, kill -9 of the traffic. After every step a new client must find a working, clean chip: what it
 * allocates is zero, its copies are right (HEP-RAS-001 … 003, HEP-SEC-004, HEP-SEC-006). In the end nothing may be
 * left allocated. Kernel splats are the runner's to find. Prints TAP.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "hsl/hsl.h"

#define TRAFFIC_DEPTH	64u
#define TRAFFIC_BYTES	(8ull << 20)
#define CLIENT_BYTES	(1ull << 20)

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

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void nap(unsigned int ms)
{
	nanosleep(&(struct timespec){ .tv_nsec = (long)ms * 1000000 }, NULL);
}

/* ---- traffic ---- */

static sigjmp_buf bus_error;

static void on_sigbus(int sig)
{
	(void)sig;
	siglongjmp(bus_error, 1);
}

/* One life of a client: until anything ends under it. */
static void traffic_life(void)
{
	struct hsl_queue_opts qo = { .size = sizeof(qo), .depth = TRAFFIC_DEPTH };
	struct hsl_completion c[TRAFFIC_DEPTH];
	struct hsl_chip_props chip = { .size = sizeof(chip) };
	struct hsl_segment *seg[2] = { NULL, NULL };
	struct hsl_fabric *f;
	struct hsl_queue *q = NULL;
	uint32_t node[2];
	void *mem[2];
	int r = 0;

	if (hsl_fabric_open(NULL, &f))
		return;
	for (unsigned int i = 0; i < 2; i++) {
		if (hsl_chip_by_index(f, i, &chip) && hsl_chip_by_index(f, 0, &chip))
			goto out;
		node[i] = chip.node;
		if (hsl_segment_alloc(f, node[i], TRAFFIC_BYTES, NULL, &seg[i]) || hsl_segment_map(seg[i], &mem[i]))
			goto out;
	}
	if (hsl_queue_create(f, node[0], &qo, &q))
		goto out;
	while (r >= 0) {
		struct hsl_op op = { .opcode = HSL_OP_COPY, .dst = hsl_segment_ga(seg[1]), .src = hsl_segment_ga(seg[0]),
				     .len = TRAFFIC_BYTES };

		if (!sigsetjmp(bus_error, 1)) {
			((volatile uint64_t *)mem[0])[rand() % 1000]++;
			(void)((volatile uint64_t *)mem[1])[rand() % 1000];
		} else {
			goto out;
		}
		while ((r = hsl_queue_submit(q, &op, 1)) > 0)
			;
		if (r == -EAGAIN)
			r = hsl_queue_wait(q, c, TRAFFIC_DEPTH, now_ns() + 10000000000ull);
		if (r == -ETIMEDOUT || r == -ENOENT) {
			fprintf(stderr, "traffic: %u commands, none came back in 10 s\n", hsl_queue_outstanding(q));
			_exit(3);
		}
	}
out:
	hsl_fabric_close(f);
}

static pid_t traffic_start(void)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	signal(SIGBUS, on_sigbus);
	setenv("HSL_LOG", "error", 1);
	freopen("/dev/null", "w", stdout);
	for (;;) {
		traffic_life();
		nap(1);
	}
}

/* Kill it at an arbitrary point. False if it had found something wrong by itself. */
static bool traffic_kill(pid_t pid)
{
	int status;

	kill(pid, SIGKILL);
	return waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

/* ---- a new client ---- */

static const char *client_on(struct hsl_fabric *f, uint32_t node, uint32_t peer)
{
	struct hsl_segment *a = NULL, *b = NULL;
	struct hsl_queue *q = NULL;
	const char *wrong = NULL;
	uint64_t *m, *n;

	if (hsl_queue_create(f, node, NULL, &q))
		return "no queue";
	if (hsl_segment_alloc(f, node, CLIENT_BYTES, NULL, &a) || hsl_segment_alloc(f, peer, CLIENT_BYTES, NULL, &b) ||
	    hsl_segment_map(a, (void **)&m) || hsl_segment_map(b, (void **)&n))
		wrong = "no memory";
	for (size_t i = 0; !wrong && i < CLIENT_BYTES / 8; i++) {
		if (m[i] || n[i])
			wrong = "memory is not zero";
		m[i] = i * 0x9e3779b97f4a7c15ull;
	}
	if (!wrong && hsl_copy(q, hsl_segment_ga(b), hsl_segment_ga(a), CLIENT_BYTES))
		wrong = "COPY fails";
	if (!wrong && memcmp(m, n, CLIENT_BYTES))
		wrong = "COPY is wrong";
	hsl_segment_free(a);
	hsl_segment_free(b);
	hsl_queue_destroy(q);
	return wrong;
}

/* NULL, or what a new client found wrong with any chip. nchips: how many must be there. */
static const char *new_client(unsigned int nchips)
{
	struct hsl_chip_props p = { .size = sizeof(p) }, first = { .size = sizeof(first) };
	const char *wrong = NULL;
	struct hsl_fabric *f;
	unsigned int n;

	if (hsl_fabric_open(NULL, &f))
		return "the fabric does not open";
	for (n = 0; !wrong && !hsl_chip_by_index(f, n, &p); n++) {
		if (!n)
			first = p;
		wrong = client_on(f, p.node, first.node);
	}
	if (!wrong && n != nchips)
		wrong = "a chip is missing";
	hsl_fabric_close(f);
	return wrong;
}

static void check_client(unsigned int nchips, const char *after, unsigned int round)
{
	const char *wrong = new_client(nchips);

	check(!wrong, "round %u: a new client after %s%s%s", round, after, wrong ? ": " : "", wrong ? wrong : "");
}

/* ---- what the parent does ---- */

static bool put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (!ok)
		printf("# %s: %s\n", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return ok;
}

static bool flr(const char *bdf)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/reset", bdf);
	return put(path, "1");
}

static bool rebind(const char *bdf)
{
	bool ok = put("/sys/bus/pci/drivers/hsl_pci/unbind", bdf);

	nap(20);
	return put("/sys/bus/pci/drivers/hsl_pci/bind", bdf) && ok;
}

/* Wait for zeroing and late closes: everything must come back. */
static void nothing_left(unsigned int nchips)
{
	struct hsl_chip_props p = { .size = sizeof(p) };
	struct hsl_fabric *f;

	if (!check(!hsl_fabric_open(NULL, &f), "the fabric opens in the end"))
		return;
	for (unsigned int i = 0; i < nchips; i++) {
		for (int tries = 0; tries < 100; tries++) {
			if (!hsl_chip_by_index(f, i, &p) && p.mem_free_bytes == p.mem_bytes &&
			    p.nqueues_free == p.nqueues)
				break;
			nap(100);
		}
		check(p.mem_free_bytes == p.mem_bytes, "chip %u: all memory is free", p.node);
		check(p.nqueues_free == p.nqueues, "chip %u: all queues are free", p.node);
	}
	hsl_fabric_close(f);
}

int main(int argc, char **argv)
{
	unsigned int rounds = argc > 1 ? (unsigned int)strtoul(argv[1], NULL, 0) : 10, nchips = 0;
	struct hsl_chip_props p = { .size = sizeof(p) };
	char bdf[8][32];
	struct hsl_fabric *f;
	pid_t pid;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (geteuid() || hsl_fabric_open(NULL, &f)) {
		printf("1..0 # SKIP needs root and /dev/hsl0\n");
		return 77;
	}
	for (; nchips < 8 && !hsl_chip_by_index(f, nchips, &p); nchips++)
		strcpy(bdf[nchips], p.bus_addr);
	hsl_fabric_close(f);

	pid = traffic_start();
	for (unsigned int i = 0; i < rounds; i++) {
		const char *chip = bdf[i % nchips];

		nap(30);
		check(flr(chip), "round %u: FLR of %s under traffic", i, chip);
		check_client(nchips, "FLR", i);
		nap(30);
		check(rebind(chip), "round %u: unbind and bind of %s under traffic", i, chip);
		check_client(nchips, "bind", i);
		nap(30);
		check(traffic_kill(pid), "round %u: the traffic runs until it is killed", i);
		check_client(nchips, "kill -9", i);
		pid = traffic_start();
	}
	nap(30);
	check(traffic_kill(pid), "the traffic runs until the end");
	nothing_left(nchips);
	printf("1..%d\n", ntests);
	return nfailed != 0;
}
