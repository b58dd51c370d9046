// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * What comes at a bad moment: while a chip is being reset, after its recovery was given up, just before it falls asleep (HEP-RAS-003,
 * HEP-RAS-005, HEP-RAS-013). Run as root in the VM.
 *
 *   races reset [rounds]	a queue is asked for in the middle of a reset: nothing is written to the chip's MSI-X table before the
 *				reset is over, and then its interrupts come
 *   races held			a recovery that is given up, which the driver is not told, while all of the chip is in use: every call
 *				ends as the ABI says, and each way back leads to a chip that works and sleeps. Needs a function beside
 *				chip 2 whose driver knows nothing of errors (tests/manifest)
 *   races sleep [rounds]	events and sleepers around the moment in which an idle chip goes to D3hot
 *
 * What the driver does in which order is seen in the kernel's trace, whose clock here is a counter. Where a moment lasts for
 * microseconds only, a thread of higher priority makes it as long as it takes.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/common/pcie.h"
#include "tests/common/raw.h"

#define TRACING		"/sys/kernel/tracing/"
#define RESET_TIMEOUT	"/sys/module/hsl/parameters/reset_timeout_ms"
#define RT_RUNTIME	"/proc/sys/kernel/sched_rt_runtime_us"
#define FAIR_SERVER	"/sys/kernel/debug/sched/fair_server/cpu1/runtime"
#define SEG		65536u
#define WORKERS		4u

static int ctx;			/* attached to no chip, unless a test says so */

static bool comes_to(uint32_t state)
{
	struct hsl_chip_info ci = { 0 };

	for (int i = 0; i < 60000; i++) {
		if (!raw_chip(ctx, 2, &ci) && ci.state == state)
			return true;
		raw_sleep_us(1000);
	}
	printf("# chip 2 is in state %u\n", ci.state);
	return false;
}

static bool sysfs_comes_to(const char *state, int timeout_ms)
{
	for (int i = 0; i < timeout_ms * 4; i++) {
		if (!strcmp(pcie_state(2), state))
			return true;
		raw_sleep_us(250);
	}
	return false;
}

/* What a user of chip 2 has. */
struct user {
	int ctx;
	struct raw_seg from, to;
	volatile uint64_t *m;	/* of to */
};

static bool user_open(struct user *u)
{
	u->ctx = raw_open(0);
	return u->ctx >= 0 && !raw_alloc(u->ctx, 2, SEG, RAW_RW, &u->from) && !raw_alloc(u->ctx, 2, SEG, RAW_RW, &u->to) &&
	       !raw_map(u->ctx, &u->to, PROT_READ | PROT_WRITE, &u->m);
}


/* A new queue, and a copy whose end an interrupt tells: WELL, or what else. */
enum { WELL, ENDED, REFUSED, WRONG };
static int user_copies(struct user *u)
{
	struct raw_queue q;
	int st = raw_queue_open(u->ctx, 2, &q);

	if (st) {
		printf("# a queue: %s\n", strerror(-st));
		return REFUSED;
	}
	u->m[0] = u->m[SEG / 8 - 1] = 1;
	st = raw_copy(&q, u->to.ga, u->from.ga, SEG);
	raw_queue_close(&q);
	if (st == -1)
		return ENDED;
	if (!st && !u->m[0] && !u->m[SEG / 8 - 1])
		return WELL;
	printf("# a copy ended with status %d (-2: nobody has woken us), bytes %d %d\n", st, (int)u->m[0], (int)u->m[SEG / 8 - 1]);
	return WRONG;
}

/* A child, which says by a byte into *there that it is ready; if it ends before that, so does the test. */
static pid_t child(int *there)
{
	int end[2];
	pid_t pid;
	char c;

	fflush(stdout);
	if (pipe2(end, O_CLOEXEC))
		raw_bail("a pipe");
	pid = fork();
	if (!pid) {
		close(end[0]);
		*there = end[1];
		return 0;
	}
	close(end[1]);
	if (pid < 0 || read(end[0], &c, 1) != 1)
		raw_bail("a child that gets ready");
	close(end[0]);
	return pid;
}

/* ---- the kernel's trace ---- */

static void trace_write(const char *file, const char *text)
{
	char path[64];

	snprintf(path, sizeof(path), TRACING "%s", file);
	if (raw_write_file(path, text))
		raw_bail(path);
}

/* From now on, beside marks: this one, and the chips' states. */
static void trace_start(const char *event)
{
	char file[64];

	if (access(TRACING "trace", F_OK) && mount("tracefs", TRACING, "tracefs", 0, NULL))
		raw_skip_all("this kernel has no tracefs");
	trace_write("tracing_on", "0");
	trace_write("trace_clock", "counter");
	trace_write("buffer_size_kb", "4096");
	trace_write("trace", "\n");
	snprintf(file, sizeof(file), "events/%s/enable", event);
	trace_write(file, "1");
	trace_write("events/hsl/hsl_chip_state/enable", "1");
	trace_write("tracing_on", "1");
}

static void trace_mark(const char *text)
{
	trace_write("trace_marker", text);
}

/* The trace up to now, to be read line by line. */
static FILE *trace_stop(void)
{
	FILE *f;

	trace_write("tracing_on", "0");
	trace_write("events/enable", "0");
	f = fopen(TRACING "trace", "re");
	if (!f)
		raw_bail(TRACING "trace");
	return f;
}

/* The chip's new state in this line, or -1. */
static int state_in(const char *line, unsigned int node)
{
	const char *event = strstr(line, "hsl_chip_state: ");
	unsigned int n, from, to;

	if (!event || sscanf(event, "hsl_chip_state: node=%u from=%u to=%u", &n, &from, &to) != 3 || n != node)
		return -1;
	return (int)to;
}

/* An event that was worked on: acknowledged before. */
static bool event_in(const char *line, unsigned int node)
{
	const char *event = strstr(line, "hsl_chip_event: node=");
	unsigned int n;

	return event && sscanf(event, "hsl_chip_event: node=%u", &n) == 1 && n == node;
}

enum { T_READY, T_QUIESCING, T_STOPPED, T_FAILED, T_GONE, T_ASLEEP };	/* as trace.h has them */

/* ---- a CPU that only interrupts get ---- */

/* How often vector 0 of a chip, which tells events, has interrupted; *irq: its number. */
static unsigned long events_of(unsigned int node, unsigned int *irq)
{
	FILE *f = fopen("/proc/interrupts", "re");
	char line[1024], name[48], *word;
	unsigned long count = 0;

	snprintf(name, sizeof(name), "hsl-%s-0\n", pcie_bdf[node]);
	*irq = 0;
	while (f && fgets(line, sizeof(line), f)) {
		if (!strstr(line, name))
			continue;
		/* "IRQ: N N type name" */
		*irq = (unsigned int)atoi(strtok(line, " "));
		while ((word = strtok(NULL, " ")) && *word >= '0' && *word <= '9')
			count += strtoul(word, NULL, 10);
	}
	if (f)
		fclose(f);
	if (!*irq)
		raw_bail("vector 0 of a chip");
	return count;
}

static void run_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		raw_bail("sched_setaffinity");
}

/*
 * What leaves some of a CPU to others than the hog: throttling of real-time threads and, from 6.12 on, the server of fair ones, which
 * lets a thread run that has waited for a second.
 */
static struct share {
	const char *path, *none;
	char before[32];
} shares[] = { { .path = RT_RUNTIME, .none = "-1" }, { .path = FAIR_SERVER, .none = "0" } };
#define NSHARES (sizeof(shares) / sizeof(shares[0]))

/* It takes CPU 1 from all that is no interrupt, until it is killed. */
static pid_t hog(void)
{
	struct sched_param prio = { .sched_priority = 50 };
	pid_t pid, parent = getpid();
	int there;

	for (struct share *s = shares; s < shares + NSHARES; s++) {
		if (access(s->path, F_OK))
			continue;
		snprintf(s->before, sizeof(s->before), "%s", pcie_line(s->path));
		if (raw_write_file(s->path, s->none))
			raw_bail(s->path);
	}
	pid = child(&there);
	if (pid)
		return pid;
	raw_die_with(parent);
	run_on(1);
	if (sched_setscheduler(0, SCHED_FIFO, &prio) || write(there, "", 1) != 1)
		raw_bail("SCHED_FIFO");
	for (;;)
		;
}

/* An event of chip 2 interrupts CPU 1, and nobody works on it before the hog is killed. This process is on CPU 0 from now on. */
static pid_t event_is_stuck(const char *what)
{
	unsigned long before;
	unsigned int irq;
	char path[64];
	pid_t pid;

	before = events_of(2, &irq);
	snprintf(path, sizeof(path), "/proc/irq/%u/smp_affinity_list", irq);
	if (raw_write_file(path, "1"))
		raw_bail("an interrupt for CPU 1");
	trace_start("hsl/hsl_chip_event");
	run_on(0);
	pid = hog();
	pcie_fabric(what);
	for (int i = 0; i < 5000 && events_of(2, &irq) == before; i++)
		raw_sleep_us(1000);
	raw_check(events_of(2, &irq) > before, "%s: an event interrupts", what);
	return pid;
}

static void hog_end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	/* backwards: 6.12 refuses a share of real-time threads (EBUSY) before it has its server of fair ones again */
	for (struct share *s = shares + NSHARES; s-- > shares;)
		if (s->before[0] && raw_write_file(s->path, s->before))
			raw_bail(s->path);
}

/* Nobody has worked on an event of chip 2 since event_is_stuck(). */
static bool still_stuck(void)
{
	FILE *f = trace_stop();
	bool stuck = true;
	char line[512];

	while (fgets(line, sizeof(line), f))
		stuck &= !event_in(line, 2);
	fclose(f);
	return stuck;
}

/* ---- an interrupt is asked for while the chip is being reset ---- */

/* It waits for the event that chip 2 is being reset, which is not missed however late it gets to read it. */
static bool is_told_of_reset(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	struct hsl_event_info e;

	while (poll(&p, 1, 60000) == 1 && read(fd, &e, sizeof(e)) == sizeof(e))
		if (e.type == HSL_FABRIC_EV_CHIP_STATE && e.node == 2 && e.value == HSL_CHIP_RESETTING)
			return true;
	return false;
}

/* A queue by somebody who has used the chip before, in the next reset: his exit status tells how it went. */
static pid_t asker(void)
{
	struct user u;
	int there, result;
	pid_t pid;

	pid = child(&there);
	if (pid)
		return pid;
	if (!user_open(&u) || write(there, "", 1) != 1 || !is_told_of_reset(u.ctx))
		_exit(WRONG);
	trace_mark("asks");
	result = user_copies(&u);
	fflush(stdout);
	_exit(result);
}

struct reset_trace {
	unsigned int asked;	/* resets in which somebody asked for a queue */
	unsigned int early;	/* vectors that were requested before the chip was READY again */
	unsigned int later;	/* and after */
};

static bool irq_of(const char *line, unsigned int node)
{
	const char *irq = strstr(line, "vector_activate: irq=");
	char file[32];

	if (!irq)
		return false;
	snprintf(file, sizeof(file), "msi_irqs/%u", (unsigned int)atoi(irq + strlen("vector_activate: irq=")));
	return access(pcie_file(node, file), F_OK) == 0;
}

static struct reset_trace reset_trace(void)
{
	struct reset_trace t = { 0 };
	bool resetting = false;
	FILE *f = trace_stop();
	char line[512];
	int state;

	while (fgets(line, sizeof(line), f)) {
		state = state_in(line, 2);
		if (state >= 0)
			resetting = state == T_QUIESCING || state == T_STOPPED;
		t.asked += resetting && strstr(line, "asks");
		t.early += resetting && irq_of(line, 2);
		t.later += !resetting && irq_of(line, 2);
	}
	fclose(f);
	return t;
}

static void reset_by(const char *how)
{
	if (!strcmp(how, "error")) {
		pcie_error(2, "MALF_TLP");
		return;
	}
	if (raw_write_file(pcie_file(2, "reset_method"), how) || raw_write_file(pcie_file(2, "reset"), "1"))
		raw_bail("a reset");
}

/* how: flr, bus (a hot reset), or error (a fatal one, after which the slot is reset) */
static void asked_in(const char *how)
{
	struct reset_trace t = { 0 };
	int status = -1;
	pid_t pid;

	/* on a busy machine the reset may be over before he asks */
	for (int i = 0; i < 10 && !t.asked; i++) {
		trace_start("irq_vectors/vector_activate");
		pid = asker();
		reset_by(how);
		waitpid(pid, &status, 0);
		t = reset_trace();
		if (status)
			break;
	}
	raw_check(!status && t.asked, "%s: who asks for a queue in the middle of it has one afterwards (status %#x)", how, (unsigned int)status);
	raw_check(!t.early && t.later, "%s: a vector is requested when it is over (%u before, %u after)", how, t.early, t.later);
	raw_check(comes_to(HSL_CHIP_READY), "%s: chip 2 is ready", how);
}

/* Until it is told to end: whatever a reset does to a queue, the next one works and nobody sleeps for ever. */
static void worker(const atomic_bool *end)
{
	unsigned int good = 0, ended = 0;
	int result = WELL;
	struct user u;

	if (!user_open(&u))
		_exit(WRONG);
	while ((!atomic_load(end) || !good) && (result == WELL || result == ENDED)) {
		result = user_copies(&u);
		good += result == WELL;
		ended += result == ENDED;
	}
	printf("# %u copies, %u queues ended by resets\n", good, ended);
	fflush(stdout);
	_exit(result == WELL || result == ENDED ? 0 : result);
}

static void asked_always(unsigned int rounds)
{
	atomic_bool *end = mmap(NULL, sizeof(*end), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	unsigned int bad = 0;
	pid_t pid[WORKERS];
	int status;

	if (end == MAP_FAILED)
		raw_bail("mmap");
	fflush(stdout);
	for (unsigned int i = 0; i < WORKERS; i++) {
		pid[i] = fork();
		if (!pid[i])
			worker(end);
	}
	for (unsigned int i = 0; i < rounds; i++) {
		raw_sleep_us((unsigned int)(raw_mix(i) % 50000));
		reset_by("flr");
	}
	atomic_store(end, true);
	for (unsigned int i = 0; i < WORKERS; i++) {
		waitpid(pid[i], &status, 0);
		bad += status != 0;
	}
	raw_check(!bad, "%u processes make queues while it is reset %u times: all are made, and all sleepers are woken", WORKERS, rounds);
	raw_check(comes_to(HSL_CHIP_READY), "then chip 2 is ready");
}

/* What was wrong before a reset is over with it, whenever the driver gets to see to it. */
static void told_after(void)
{
	pid_t pid = event_is_stuck("2 fatal");

	reset_by("flr");
	raw_check(comes_to(HSL_CHIP_READY) && still_stuck(), "it is reset before the driver sees to it");
	hog_end(pid);
	raw_check(!sysfs_comes_to("failed", 500), "the chip has not failed: that was before the reset");
}

static void test_reset(unsigned int rounds)
{
	asked_in("flr");
	asked_in("bus");
	if (access(pcie_file(2, "aer_dev_fatal"), F_OK)) {
		raw_check(true, "a fatal error # SKIP this kernel has no AER");
	} else {
		pcie_errors_pass(2);
		asked_in("error");
	}
	asked_always(rounds);
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		raw_check(true, "an event of before a reset # SKIP needs two CPUs");
	else
		told_after();
}

/* ---- just before the chip falls asleep ---- */

/* Events that are there to be read, of links of chip 2; waits for the first. */
static unsigned int link_events(int fd, int timeout_ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	struct hsl_event_info e;
	unsigned int n = 0;

	while (poll(&p, 1, n ? 0 : timeout_ms) == 1 && read(fd, &e, sizeof(e)) == sizeof(e))
		n += e.type == HSL_FABRIC_EV_LINK && e.node == 2;
	return n;
}

/*
 * The handler acknowledges an event on CPU 1, where the work that tells it does not get its turn; meanwhile the chip, which nobody
 * needs, is allowed to sleep on CPU 0.
 */
static void event_before_sleep(void)
{
	int fd = raw_open(0);
	bool early;
	pid_t pid;

	if (fd < 0)
		raw_bail(RAW_DEV);
	pcie_power(2, "control", "on");
	pcie_fabric("1-2 link up");
	raw_sleep_us(20000);
	link_events(fd, 0);
	pid = event_is_stuck("1-2 link down");
	pcie_power(2, "control", "auto");
	early = sysfs_comes_to("asleep", 100);
	raw_check(!early, "chip 2 does not sleep before that is told");
	raw_check(!link_events(fd, 0), "and it has not been told meanwhile");
	hog_end(pid);
	raw_check(link_events(fd, 5000), "it is told, and nobody has woken the chip");
	raw_check(pcie_falls_asleep(2), "then it sleeps");
	pcie_fabric("1-2 link up");
	close(fd);
}

/* Its link comes and goes all the time. */
static pid_t flipper(void)
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid)
		return pid;
	for (unsigned int i = 0;; i++) {
		pcie_fabric(i & 1 ? "1-2 link up" : "1-2 link down");
		raw_sleep_us((unsigned int)(raw_mix(i) % 500));
	}
}

/* Events of chip 2 that were worked on while it slept: acknowledged before, and told to nobody until somebody wakes it. */
static unsigned int late_events(unsigned int *events)
{
	unsigned int late = 0;
	bool asleep = false;
	FILE *f = trace_stop();
	char line[512];
	int state;

	while (fgets(line, sizeof(line), f)) {
		state = state_in(line, 2);
		if (state >= 0)
			asleep = state == T_ASLEEP;
		if (!event_in(line, 2))
			continue;
		++*events;
		late += asleep;
	}
	fclose(f);
	return late;
}

static void events_while_it_falls_asleep(unsigned int rounds)
{
	unsigned int late, events = 0, good = 0, waits = 0, sleeps = 0;
	const char *sensor = "/sys/bus/hsl/devices/hsl0-2/links/link0";
	pid_t pid;

	trace_start("hsl/hsl_chip_event");
	pid = flipper();
	for (unsigned int i = 0; i < rounds; i++) {
		good += pcie_line(sensor)[0] != '\0';
		if (i % 4) {
			raw_sleep_us((unsigned int)(raw_mix(i) % 3000));
			continue;
		}
		waits++;
		sleeps += sysfs_comes_to("asleep", 5000);
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	late = late_events(&events);
	pcie_fabric("1-2 link up");
	raw_check(good == rounds && sleeps == waits, "its link comes and goes: %u of %u uses are good, in %u of %u waits it fell asleep", good,
		  rounds, sleeps, waits);
	raw_check(events && !late, "%u of %u events were acknowledged, and not told before it slept", late, events);
	raw_check(pcie_falls_asleep(2), "then it sleeps");
}

static void test_sleep(unsigned int rounds)
{
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		raw_skip_all("needs two CPUs");
	pcie_allow_sleep(2);
	raw_check(pcie_falls_asleep(2), "chip 2 sleeps");
	event_before_sleep();
	events_while_it_falls_asleep(rounds);
}

/* ---- held, and given up ---- */

static struct user holder;
static struct raw_queue held;

/* A non-fatal error: nothing is reset, as another function on the bus cannot be asked. */
static void give_up(void)
{
	if (!user_open(&holder) || raw_queue_open(holder.ctx, 2, &held))
		raw_bail("a user of chip 2");
	pcie_error(2, "COMP_TIME");
	raw_check(comes_to(HSL_CHIP_FAILED), "given up: chip 2 has failed");
}

/* with: of what needs the chip; of its queue */
static void calls_end(const char *when, int with, int of_queue)
{
	struct hsl_link_info li = { .size = sizeof(li), .node = 2 };
	struct hsl_queue_kick k = { .size = sizeof(k) };
	struct hsl_queue_abort a = { .size = sizeof(a) };
	struct hsl_queue_info i = { .size = sizeof(i) };
	struct pollfd p = { .fd = held.fd, .events = POLLIN };
	struct raw_queue q;
	struct raw_seg s;

	raw_check(raw_alloc(holder.ctx, 2, SEG, RAW_RW, &s) == with && raw_queue_open(holder.ctx, 2, &q) == with &&
		  raw_ioctl(holder.ctx, HSL_IOC_LINK_INFO, &li) == with, "%s: new segments, queues, looks at links are %s", when, strerror(-with));
	raw_check(raw_ioctl(held.fd, HSL_IOC_QUEUE_KICK, &k) == of_queue && raw_ioctl(held.fd, HSL_IOC_QUEUE_ABORT, &a) == of_queue,
		  "%s: its queue is %s", when, strerror(-of_queue));
	raw_check(!raw_ioctl(held.fd, HSL_IOC_QUEUE_INFO, &i) && i.state == HSL_QUEUE_ERROR && i.error == HSL_ST_GONE &&
		  poll(&p, 1, 0) == 1 && p.revents & POLLHUP && RAW_TRY(held.db[0] = 1), "%s: and says why, its doorbell is harmless", when);
	raw_check(!RAW_TRY((void)holder.m[0]), "%s: a load is SIGBUS", when);
	raw_check(!raw_alloc(holder.ctx, 1, SEG, RAW_RW, &s) && !raw_free(holder.ctx, s.handle) && !raw_free(holder.ctx, holder.from.handle),
		  "%s: chip 1 can be used, a segment be freed", when);
}

static void let_go(const char *after)
{
	struct user next;

	raw_queue_close(&held);
	munmap((void *)(uintptr_t)holder.m, SEG);
	close(holder.ctx);
	raw_check(comes_to(HSL_CHIP_READY), "%s: chip 2 is ready", after);
	pcie_allow_sleep(2);
	raw_check(pcie_falls_asleep(2), "%s: and sleeps, as nobody holds it", after);
	raw_check(user_open(&next) && user_copies(&next) == WELL, "%s: the next user works", after);
	munmap((void *)(uintptr_t)next.m, SEG);
	close(next.ctx);
}

static void test_held(void)
{
	if (access(pcie_file(2, "aer_dev_fatal"), F_OK) || raw_write_file(RESET_TIMEOUT, "1000"))
		raw_skip_all("this kernel has no AER");
	pcie_errors_pass(2);
	give_up();
	calls_end("given up", -ENODEV, -ESHUTDOWN);
	reset_by("flr");
	let_go("reset");
	give_up();
	raw_check(!pcie_driver("unbind", 2), "it is unbound, with users");
	calls_end("unbound", -ENODEV, -ENODEV);
	raw_check(!pcie_driver("bind", 2), "and bound");
	let_go("bind");
	if (!pcie_system_can_sleep("freeze") || access("/sys/power/pm_test", F_OK)) {
		raw_check(true, "sleep of the system # SKIP this kernel has no pm_test");
		return;
	}
	give_up();
	pcie_console_away();
	atexit(pcie_console_back);
	umount2("/host", MNT_DETACH);
	raw_write_file("/sys/module/suspend/parameters/pm_test_delay", "0");
	raw_check(!raw_write_file("/sys/power/pm_test", "platform") && !raw_write_file("/sys/power/state", "freeze"), "the system sleeps and wakes");
	let_go("sleep of the system");
	pcie_console_back();
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";

	setvbuf(stdout, NULL, _IOLBF, 0);
	raw_catch_faults();
	ctx = raw_open(0);
	if (ctx < 0)
		raw_skip_all(RAW_DEV);
	pcie_find(ctx);
	if (!pcie_bdf[2][0])
		raw_skip_all("needs chip 2");
	if (!strcmp(name, "reset"))
		test_reset(argc > 2 ? (unsigned int)atoi(argv[2]) : 20);
	else if (!strcmp(name, "held"))
		test_held();
	else if (!strcmp(name, "sleep"))
		test_sleep(argc > 2 ? (unsigned int)atoi(argv[2]) : 200);
	else
		return fprintf(stderr, "usage: races reset [ROUNDS]|held|sleep [ROUNDS]\n"), 2;
	return raw_done();
}
