// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Everything at once, for a long time (HEP-RAS-001 ... 003, HEP-SEC-004): traffic that checks what it moves, programs of random calls
 * (fuzz.c), and meanwhile resets, unbind and bind, unplug and hot-add, errors of links, kill -9, and chips that sleep whenever
 * nobody needs them. Run as root in a VM with QMP=guest.
 *
 *	soak [MINUTES [SEED]]	(1, from the clock)
 *
 * After every step each chip is there again within a bound, and a new client gets a queue and zeroed memory of it, and right copies.
 * Commands may end as a chip or a link that is lost makes them end, but when they say OK the bytes are right. A line a minute says how
 * far it is; the summary at the end counts everything, and the kernel has to have reported nothing. A run in which no step was taken has
 * shown nothing, and fails. Another process than the one that
 * takes the steps watches that they end: one that does not is told with the stacks of all that runs or waits, and fails.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/raw.h"

#define NTRAFFIC	3u
#define NCHIPS		8u
#define LEN		(64u << 10)
#define LEN_OBSERVABLE	4096u
#define BOUND_S		180	/* for what has an end; the machine may be slow */
#define STUCK_S		(2 * BOUND_S)	/* nothing that is watched has no end of its own before */
#define FUZZ_OUT	"/tmp/soak.fuzz"

enum step { INJECT, RESET, REBIND, KILL, UNPLUG, POWER, STEPS };
static const char *const step_names[STEPS] = { "link errors injected", "function level resets", "unbinds and binds", "kills", "unplugs and hot-adds",
					      "changes of power management" };
static const unsigned int weight[STEPS] = { 4, 3, 2, 3, 1, 3 };

static struct shared {
	atomic_ulong commands, compared, ended, lives, wrong;
	_Atomic time_t moved[NTRAFFIC];		/* when it was last seen to get on */
	_Atomic time_t began;			/* what is done now */
	const char *_Atomic doing;
	atomic_uint node;
} *sh;

static char bdf[NCHIPS + 1][32];		/* by node, 1 and up */
static uint32_t nlinks[NCHIPS + 1];		/* by node */
static unsigned int nchips;
static int qmp = -1;
static uint64_t rng;

static time_t now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec;
}

static void doing(const char *what, unsigned int node)
{
	atomic_store(&sh->doing, what);
	atomic_store(&sh->node, node);
	atomic_store(&sh->began, now_s());
}

static unsigned int rnd(unsigned int below)
{
	return (unsigned int)(raw_mix(rng += UINT64_C(0x9e3779b97f4a7c15)) % below);
}

/* ---- traffic ---- */

/* One COPY: it is done right, or it ended as it may while chips and links come and go. */
static bool copy(struct raw_queue *q, uint64_t dst, uint64_t src, uint64_t len)
{
	int st;

	raw_submit(q, &(struct hsl_desc){ .opcode = HSL_OP_COPY, .dst = dst, .src = src, .len = len });
	st = raw_complete(q, BOUND_S * 1000);
	atomic_fetch_add(&sh->commands, 1);
	switch (st) {
	case HSL_ST_OK:
		return true;
	case -1:
	case HSL_ST_SEGMENT:
	case HSL_ST_DENIED:
	case HSL_ST_UNREACHABLE:
	case HSL_ST_ABORTED:
	case HSL_ST_REVOKED:
	case HSL_ST_TIMEOUT:
	case HSL_ST_POISON:
		break;
	default:
		atomic_fetch_add(&sh->wrong, 1);
		printf("# COPY of %" PRIu64 " bytes from %#" PRIx64 " to %#" PRIx64 ": %d\n", len, src, dst, st);
	}
	atomic_fetch_add(&sh->ended, 1);
	return false;
}

static void compare(const uint64_t *got, const uint64_t *want, uint64_t len)
{
	atomic_fetch_add(&sh->compared, len);
	for (uint64_t i = 0; i < len / 8; i++) {
		if (got[i] == want[i])
			continue;
		atomic_fetch_add(&sh->wrong, 1);
		printf("# at %" PRIu64 " of %" PRIu64 " bytes: expected %#" PRIx64 ", got %#" PRIx64 "\n", i * 8, len, want[i], got[i]);
		return;
	}
}

__attribute__((noinline))
static bool touch(volatile uint64_t *p, uint64_t v)
{
	return RAW_TRY(p[v % (LEN_OBSERVABLE / 8)] = v);
}

/* From the host to chip a, to chip b, and back, until one of them is gone. */
static void traffic_rounds(unsigned int me, int ctx, uint32_t a, uint32_t b, uint64_t *buf)
{
	bool observable = rnd(2);
	uint64_t len = observable ? LEN_OBSERVABLE : LEN, *back = buf + LEN / 8;
	struct hsl_segment_register host = { .size = sizeof(host), .rights = RAW_RW, .addr = (uintptr_t)buf, .len_bytes = 2 * LEN };
	struct hsl_segment_alloc seg[2];
	volatile uint64_t *p = NULL;
	struct raw_queue q;

	if (raw_ioctl(ctx, HSL_IOC_SEGMENT_REGISTER, &host))
		return;
	for (unsigned int i = 0; i < 2; i++) {
		seg[i] = (struct hsl_segment_alloc){ .size = sizeof(seg[i]), .flags = observable ? HSL_ALLOC_OBSERVABLE : 0,
						     .node = i ? b : a, .rights = RAW_RW, .len_bytes = len };
		if (raw_ioctl(ctx, HSL_IOC_SEGMENT_ALLOC, &seg[i]))
			return;
	}
	if (raw_map(ctx, &(struct raw_seg){ .ga = seg[0].ga, .len = len }, PROT_READ | PROT_WRITE, &p) || raw_queue_open(ctx, a, &q)) {
		if (p)
			munmap((void *)(uintptr_t)p, len);
		return;
	}
	for (;;) {
		for (uint64_t i = 0; i < len / 8; i++)
			buf[i] = raw_mix(rng + i);
		rng += len;
		if (!touch(p, rng) || !copy(&q, seg[0].ga, host.ga, len) || !copy(&q, seg[1].ga, seg[0].ga, len) ||
		    !copy(&q, host.ga + LEN, seg[1].ga, len))
			break;
		compare(back, buf, len);
		atomic_store(&sh->moved[me], now_s());
	}
	raw_queue_close(&q);
	munmap((void *)(uintptr_t)p, len);
}

static void traffic(unsigned int me)
{
	uint64_t *buf = mmap(NULL, 2 * LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	raw_catch_faults();
	for (;;) {
		int ctx = raw_open(0);

		if (ctx >= 0) {
			atomic_fetch_add(&sh->lives, 1);
			traffic_rounds(me, ctx, 1 + rnd(nchips), 1 + rnd(nchips), buf);
			close(ctx);
		}
		raw_sleep_us(1000);
	}
}

static pid_t traffic_start(unsigned int me)
{
	pid_t pid;

	atomic_store(&sh->moved[me], now_s());
	fflush(stdout);
	rng += 1000003;
	pid = fork();
	if (!pid)
		traffic(me);
	return pid;
}

/* ---- a new client ---- */

static const char *client_on(int ctx, uint32_t node, uint32_t peer)
{
	const char *what = NULL;
	volatile uint64_t *p;
	struct raw_seg a, b;
	struct raw_queue q;

	if (raw_queue_open(ctx, node, &q))
		return "no queue";
	if (raw_alloc(ctx, node, LEN, RAW_RW, &a) || raw_alloc(ctx, peer, LEN, RAW_RW, &b) || raw_map(ctx, &b, PROT_READ | PROT_WRITE, &p)) {
		raw_queue_close(&q);
		return "no memory";
	}
	for (unsigned int i = 0; i < LEN / 8 && !what; i++)
		if (p[i])
			what = "memory is not zero";
	memset((void *)(uintptr_t)p, 0x5a, LEN);
	if (!what && (raw_copy(&q, a.ga, b.ga, LEN) || (p[7] = 0) || raw_copy(&q, b.ga, a.ga, LEN) || p[7] != UINT64_C(0x5a5a5a5a5a5a5a5a)))
		what = "a COPY is wrong";
	munmap((void *)(uintptr_t)p, LEN);
	raw_queue_close(&q);
	return what;
}

/* Chips come back by themselves; what they are asked for while others fill them up may take a while. */
static bool all_chips_work(const char *after)
{
	time_t end = now_s() + BOUND_S;
	const char *what;
	uint32_t node;

	do {
		int ctx;

		doing("a new client of all chips", 0);
		ctx = raw_open(0);
		what = ctx < 0 ? "the fabric does not open" : NULL;
		for (node = 1; node <= nchips && !what; node++)
			what = client_on(ctx, node, 1 + node % nchips);
		if (ctx >= 0)
			close(ctx);
		if (!what)
			return true;
		raw_sleep_us(50000);
	} while (now_s() < end && strcmp(what, "memory is not zero") && strcmp(what, "a COPY is wrong"));
	printf("# after one of %s, chip %u: %s\n", after, node - 1, what);
	return false;
}

/* ---- steps ---- */

/* Lines of the monitor, until one has the word; an error is what it says instead. */
static bool monitor_says(const char *word, char *line, size_t size)
{
	time_t end = now_s() + BOUND_S;
	size_t n = 0;

	while (now_s() < end) {
		if (read(qmp, line + n, 1) != 1) {
			raw_sleep_us(1000);
			continue;
		}
		if (line[n] != '\n' && n < size - 2) {
			n++;
			continue;
		}
		line[n] = 0;
		n = 0;
		if (strstr(line, word))
			return true;
		if (strstr(line, "\"error\""))
			return false;
	}
	snprintf(line, size, "no %s", word);
	return false;
}

static bool monitor_once(const char *text, char *line, size_t size)
{
	if (write(qmp, text, strlen(text)) < 0)
		raw_bail("QMP");
	return monitor_says("\"return\"", line, size);
}

/* A slot that is still busy with what was before refuses. */
static bool monitor(const char *fmt, unsigned int node)
{
	time_t end = now_s() + BOUND_S;
	char text[500], line[1000];

	doing("ask the monitor", node);
	snprintf(text, sizeof(text), fmt, node, node, node, node);
	do {
		if (monitor_once(text, line, sizeof(line)))
			return true;
		raw_sleep_us(100000);
	} while (now_s() < end);
	printf("# the monitor answers to %s# with %s\n", text, line);
	return false;
}

/* The guest's driver leaves it first, and QEMU has it until the slot is off. */
static bool unplugged(unsigned int node)
{
	char line[1000];

	doing("wait until QEMU has no more of it", node);
	if (monitor_says("DEVICE_DELETED", line, sizeof(line)))
		return true;
	printf("# the monitor tells of no unplug of chip %u: %s\n", node, line);
	return false;
}

static bool comes_to(unsigned int node, bool there)
{
	char path[80];
	time_t end = now_s() + BOUND_S;

	doing(there ? "wait until it is there" : "wait until it is gone", node);
	snprintf(path, sizeof(path), "/sys/bus/pci/drivers/hsl_pci/%s", bdf[node]);
	do {
		if (!access(path, F_OK) == there)
			return true;
		raw_sleep_us(10000);
	} while (now_s() < end);
	printf("# chip %u is not %s\n", node, there ? "there" : "gone");
	return false;
}

static bool inject(unsigned int node)
{
	static const char *const words[] = { "ber 1e-6", "burst 1e-4 300", "drop 1e-4", "duplicate 1e-3", "reorder 1e-3 2", "crc 3@5", "lose 2", "double 2",
					     "late 1 2", "link retrain", "lane 0 fail", "poison-data 1", "timeout 1" };
	char cmd[200];

	snprintf(cmd, sizeof(cmd), "/hsl/bin/hslctl inject --node %u --link %u %s --for %ums >/dev/null 2>&1", node, rnd(nlinks[node]),
		 words[rnd(sizeof(words) / sizeof(words[0]))], 50 + rnd(400));
	return system(cmd) == 0;
}

static bool read_line(const char *path, char *line, size_t len)
{
	FILE *f = fopen(path, "re");
	bool ok = f && fgets(line, (int)len, f);

	if (f)
		fclose(f);
	return ok;
}

static bool pci_write(const char *dir, const char *file, unsigned int node, const char *text)
{
	char path[100];

	snprintf(path, sizeof(path), "%s/%s%s%s", dir, node ? bdf[node] : "", node ? "/" : "", file);
	return !raw_write_file(path, text);
}

static bool power(unsigned int node, const char *delay, const char *control)
{
	return pci_write("/sys/bus/pci/devices", "power/autosuspend_delay_ms", node, delay) &&
	       pci_write("/sys/bus/pci/devices", "power/control", node, control);
}

/* Nobody has anything of the chips any more. */
static bool all_sleep(void)
{
	time_t end = now_s() + BOUND_S;
	char path[80], state[16];

	for (unsigned int node = 1; node <= nchips; node++) {
		doing("wait until it sleeps", node);
		power(node, "0", "auto");
		snprintf(path, sizeof(path), "/sys/bus/hsl/devices/hsl0-%u/state", node);
		while (!read_line(path, state, sizeof(state)) || strcmp(state, "asleep\n")) {
			if (now_s() >= end) {
				printf("# chip %u is held\n", node);
				return false;
			}
			raw_sleep_us(10000);
		}
	}
	return true;
}

static bool take(enum step s, unsigned int node, pid_t *pid)
{
	unsigned int victim = rnd(NTRAFFIC);
	bool ok;

	doing(step_names[s], node);
	switch (s) {
	case INJECT:
		return inject(node);
	case RESET:
		return pci_write("/sys/bus/pci/devices", "reset", node, "1");
	case REBIND:
		ok = pci_write("/sys/bus/pci/drivers/hsl_pci", "unbind", 0, bdf[node]);
		raw_sleep_us(rnd(100000));
		return pci_write("/sys/bus/pci/drivers/hsl_pci", "bind", 0, bdf[node]) && ok && comes_to(node, true);
	case KILL:
		kill(pid[victim], SIGKILL);
		waitpid(pid[victim], NULL, 0);
		pid[victim] = traffic_start(victim);
		return true;
	case POWER:
		return power(node, rnd(2) ? "0" : "20", rnd(4) ? "auto" : "on");
	default:
		if (!monitor("{\"execute\":\"device_del\",\"arguments\":{\"id\":\"chip%u\"}}\n", node) || !comes_to(node, false) || !unplugged(node))
			return false;
		raw_sleep_us(1000000);		/* a slot tells no other change before */
		ok = monitor("{\"execute\":\"device_add\",\"arguments\":{\"driver\":\"hsl-chip\",\"id\":\"chip%u\",\"bus\":\"hslrp%u\",\"fabric\":\"fab0\","
			"\"node\":%u,\"memdev\":\"hslmem%u\"}}\n", node);
		return ok && comes_to(node, true);
	}
}

static enum step a_step(void)
{
	unsigned int n = 0, s, at;

	for (s = 0; s < STEPS; s++)
		n += weight[s];
	for (s = 0, at = rnd(n); at >= weight[s]; s++)
		at -= weight[s];
	return s;
}

/* ---- */

static pid_t fuzz_start(uint64_t seed, unsigned int seconds)
{
	char s[32], t[16];
	pid_t pid;

	snprintf(s, sizeof(s), "%#" PRIx64, seed);
	snprintf(t, sizeof(t), "%u", seconds);
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (freopen(FUZZ_OUT, "w", stdout))
			execl("/hsl/tests/guest/fuzz", "fuzz", "-d", "-w", "2", "-s", s, t, NULL);
		_exit(127);
	}
	return pid;
}

/* True: it ended well. Its line of numbers, or all of it. */
static bool fuzz_end(pid_t pid, char *line, size_t len)
{
	int status = 1;
	FILE *f;

	waitpid(pid, &status, 0);
	snprintf(line, len, "none");
	f = fopen(FUZZ_OUT, "re");
	if (f) {
		char l[1024];

		while (fgets(l, sizeof(l), f)) {
			if (strstr(l, " programs, "))
				snprintf(line, len, "%.*s", (int)strcspn(l + 2, "\n"), l + 2);
			if (status)
				printf("# %s", l);
		}
		fclose(f);
	}
	return !status;
}

static int soak(unsigned int minutes, uint64_t seed, int kmsg)
{
	unsigned int done[STEPS] = { 0 }, disturbed = 0, refused = 0, reports = 0;
	time_t start = now_s(), end = start + minutes * 60, next = start + 60;
	bool good = true, fuzzed;
	pid_t pid[NTRAFFIC], fuzz;
	char line[300];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	rng = seed;
	raw_catch_faults();
	monitor_once("{\"execute\":\"qmp_capabilities\"}\n", line, sizeof(line));	/* an error: it had them before */
	printf("# soak: %u min, %u chips, seed %#" PRIx64 "\n", minutes, nchips, seed);
	for (unsigned int i = 0; i < NTRAFFIC; i++)
		pid[i] = traffic_start(i);
	fuzz = fuzz_start(seed, minutes * 60);
	while (good && now_s() < end) {
		enum step s = a_step();
		unsigned int node = 1 + rnd(nchips);

		raw_sleep_us(20000 + rnd(300000));
		if (take(s, node, pid))
			done[s]++;
		else
			refused++;
		good = all_chips_work(step_names[s]);
		reports += raw_kmsg_reports(kmsg);
		good &= !reports && !atomic_load(&sh->wrong);
		for (unsigned int i = 0; i < NTRAFFIC; i++) {
			if (now_s() - atomic_load(&sh->moved[i]) < 2 * BOUND_S)
				continue;
			printf("# traffic %u does not get on\n", i);
			good = false;
		}
		if (now_s() >= next) {
			printf("# %ld min: %lu commands\n", (long)(now_s() - start) / 60, atomic_load(&sh->commands));
			next += 60;
		}
	}
	doing("the end", 0);
	for (unsigned int i = 0; i < NTRAFFIC; i++) {
		kill(pid[i], SIGKILL);
		waitpid(pid[i], NULL, 0);
	}
	if (!good)
		kill(fuzz, SIGTERM);
	fuzzed = fuzz_end(fuzz, line, sizeof(line)) || !good;
	reports += raw_kmsg_reports(kmsg);
	printf("# soak: %ld s\n#   %-30s%lu, %lu ended by what happened, in %lu contexts; %lu MiB compared\n", (long)(now_s() - start), "commands",
	       atomic_load(&sh->commands), atomic_load(&sh->ended), atomic_load(&sh->lives), atomic_load(&sh->compared) >> 20);
	for (unsigned int s = 0; s < STEPS; s++) {
		printf("#   %-30s%u\n", step_names[s], done[s]);
		if (s != POWER)		/* which always succeeds, and which nobody who uses a chip notices */
			disturbed += done[s];
	}
	printf("#   %-30s%u\n#   %-30s%s\n#   %-30s%u\n", "steps refused", refused, "fuzz", line, "reports of the kernel", reports);
	raw_check(good && all_chips_work("all"), "after each step all chips worked");
	raw_check(!atomic_load(&sh->wrong) && atomic_load(&sh->compared), "what was moved was right");
	raw_check(disturbed, "it was disturbed: %u times", disturbed);
	raw_check(fuzzed, "programs of random calls found nothing");
	raw_check(!good || all_sleep(), "when all have left every chip sleeps");
	raw_check(!reports, "the kernel reported nothing");
	return raw_done();
}

/* It may not even be possible to kill it. */
static int watch(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, WNOHANG) != pid) {
		if (now_s() - atomic_load(&sh->began) >= STUCK_S) {
			printf("# stuck for %d s in: %s (chip %u); commands: %lu\n", STUCK_S, atomic_load(&sh->doing),
			       atomic_load(&sh->node), atomic_load(&sh->commands));
			raw_print_stacks("[0-9]*");
			kill(pid, SIGKILL);
			raw_check(false, "each step had an end");
			return raw_done();
		}
		raw_sleep_us(500000);
	}
	if (WIFSIGNALED(status))
		printf("# killed by signal %d in: %s\n", WTERMSIG(status), atomic_load(&sh->doing));
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

int main(int argc, char **argv)
{
	unsigned int minutes = argc > 1 ? (unsigned int)strtoul(argv[1], NULL, 0) : 1;
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : (uint64_t)time(NULL);
	struct hsl_info info = { .size = sizeof(info), .abi_version = HSL_ABI_VERSION };
	int kmsg = raw_kmsg_open(), ctx = raw_open(0);
	struct hsl_chip_info ci;
	pid_t pid;

	setvbuf(stdout, NULL, _IOLBF, 0);
	qmp = open("/dev/virtio-ports/org.hsl.qmp", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (getuid() || kmsg < 0 || ctx < 0 || qmp < 0 || raw_ioctl(ctx, HSL_IOC_INFO, &info) || info.nchips < 2 || info.nchips > NCHIPS)
		raw_skip_all("needs root, two chips or more, and QMP=guest");
	for (nchips = 0; nchips < info.nchips && !raw_chip(ctx, nchips + 1, &ci); nchips++) {
		strcpy(bdf[nchips + 1], (char *)ci.bus_addr);
		nlinks[nchips + 1] = ci.nlinks;
	}
	close(ctx);
	sh = mmap(NULL, sizeof(*sh), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (sh == MAP_FAILED || nchips != info.nchips)
		raw_bail("set-up");
	doing("the beginning", 0);
	pid = fork();
	if (pid < 0)
		raw_bail("fork");
	if (!pid)
		exit(soak(minutes, seed, kmsg));
	return watch(pid);
}
