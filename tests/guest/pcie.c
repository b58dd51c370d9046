// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * What PCI Express, and the power management on top of it, does to a chip whose driver has users (HEP-RAS-002, HEP-RAS-003,
 * HEP-RAS-005). Run as root in the VM.
 *
 *   pcie aer [cycles]	errors of the bus, injected by QEMU's monitor: correctable, non-fatal, fatal
 *   pcie given-up	a fatal error that the kernel does not recover from: the port of chip 2 does not tell that its link is up
 *   pcie lost		a chip that reads as all ones, in use and when its driver is bound
 *   pcie mute		a chip that takes commands and completes none
 *   pcie events		what a chip tells while it is brought up, and what it tells afterwards
 *   pcie links [cycles]	the link goes down, comes up and trains again under load, in any order and while a chip is reset
 *   pcie sleep		suspend to idle with users; sleeps that lose memory are refused
 *   pcie vectors		VECTORS=0,1,3,64: each chip with as many interrupts as it and its queues have; refused without any
 *   pcie idle		a chip that nobody needs sleeps in D3hot, and wakes for whoever needs it (HEP-RAS-013, HEP-REG-016)
 *
 * Users are processes, one that copies without end and one that is asleep in poll, on chip 2; a third copies on chip 1 and has
 * to go on through everything that happens to chip 2. The end state is always looked for: the users of chip 2 were told that
 * it is gone, its state is the one documented (docs/driver-guide.md), memory is what it was, and the next user works.
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
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

#define SEG		(1u << 20)
#define ADMIN_TIMEOUT	"/sys/module/hsl/parameters/admin_timeout_ms"
#define RESET_TIMEOUT	"/sys/module/hsl/parameters/reset_timeout_ms"

/* ---- users ---- */

enum { BUSY, ASLEEP, OTHER, USERS };	/* on chip 2, on chip 2, on chip 1 */

static pid_t pids[USERS];
static atomic_uint *rounds;		/* shared; of copies; 1: the sleeper is about to sleep */

/* 0: its queue ended, and the rings said that the chip is gone; the parent asked it to stop otherwise. */
static int use(atomic_uint *done, unsigned int node, bool busy)
{
	int ctx = raw_open(0), st = 0, end;
	struct raw_seg here, there;
	struct raw_queue q;

	if (ctx < 0 || raw_alloc(ctx, node, SEG, RAW_RW, &here) || raw_alloc(ctx, 3 - node, SEG, RAW_RW, &there) ||
	    raw_queue_open(ctx, node, &q))
		return 2;
	while (busy && st >= 0) {
		st = raw_copy(&q, there.ga, here.ga, SEG / 4);
		/* the other chip may be in reset, have left, or be out of reach */
		if (st > 0 && st != HSL_ST_UNREACHABLE && st != HSL_ST_REVOKED && st != HSL_ST_SEGMENT) {
			printf("# a copy on chip %u ended with status %d\n", node, st);
			return 3;
		}
		atomic_fetch_add(done, 1);
	}
	if (!busy) {
		atomic_store(done, 1);
		st = raw_complete(&q, 60000);
	}
	end = (int)q.ctrl->error;
	if (st != -1 || end != HSL_ST_GONE)
		printf("# on chip %u: %d, error %d in the rings\n", node, st, end);
	return st == -1 && end == HSL_ST_GONE ? 0 : 4;
}

static bool moves(unsigned int which)
{
	unsigned int before = atomic_load(&rounds[which]);

	for (int i = 0; i < 30000; i++) {
		if (atomic_load(&rounds[which]) > before + 4)
			return true;
		raw_sleep_us(1000);
	}
	return false;
}

static void user_start(unsigned int which)
{
	atomic_store(&rounds[which], 0);
	fflush(stdout);
	pids[which] = fork();
	if (!pids[which])
		_exit(use(&rounds[which], which == OTHER ? 1 : 2, which != ASLEEP));
	for (int i = 0; i < 30000 && !atomic_load(&rounds[which]); i++)
		raw_sleep_us(1000);
}

static void users_start(void)
{
	user_start(BUSY);
	user_start(ASLEEP);
	raw_check(moves(BUSY), "a user copies on chip 2, another one sleeps");
}

static void users_ended(const char *after)
{
	for (int i = BUSY; i <= ASLEEP; i++) {
		int status = -1;

		waitpid(pids[i], &status, 0);
		raw_check(status == 0, "%s: the user that %s was told that chip 2 is gone (status %#x)", after,
			  i == BUSY ? "copied" : "slept", (unsigned int)status);
	}
}

static void other_goes_on(const char *after)
{
	raw_check(moves(OTHER), "%s: chip 1 goes on", after);
}

static void other_end(void)
{
	int status = -1;

	kill(pids[OTHER], SIGKILL);
	waitpid(pids[OTHER], &status, 0);
	raw_check(WIFSIGNALED(status), "the user of chip 1 saw nothing wrong to the end (status %#x)", (unsigned int)status);
}

/* ---- what is looked at afterwards ---- */

static int ctx;				/* of the parent, with a segment on chip 2 that is to keep its bytes */
static struct raw_seg kept;
static volatile uint64_t *kept_mem;

static void keep(void)
{
	if (kept_mem)
		munmap((void *)(uintptr_t)kept_mem, SEG);
	if (raw_alloc(ctx, 2, SEG, RAW_RW, &kept) || raw_map(ctx, &kept, PROT_READ | PROT_WRITE, &kept_mem))
		raw_bail("a segment on chip 2");
	for (unsigned int i = 0; i < SEG / 8; i += 512)
		kept_mem[i] = i + 1;
}

static bool is_kept(void)
{
	for (unsigned int i = 0; i < SEG / 8; i += 512)
		if (kept_mem[i] != i + 1)
			return false;
	return true;
}

static bool comes_to(unsigned int node, uint32_t state)
{
	struct hsl_chip_info ci = { 0 };

	for (int i = 0; i < 60000; i++) {
		if (!raw_chip(ctx, node, &ci) && ci.state == state)
			return true;
		raw_sleep_us(1000);
	}
	printf("# chip %u is in state %u\n", node, ci.state);
	return false;
}

/* A new queue on chip 2, and a copy of the kept segment to a new one. */
static bool works(void)
{
	volatile uint64_t *m;
	struct raw_queue q;
	struct raw_seg to;
	bool ok;

	if (raw_queue_open(ctx, 2, &q) || raw_alloc(ctx, 2, SEG, RAW_RW, &to) || raw_map(ctx, &to, PROT_READ, &m))
		return false;
	ok = raw_copy(&q, to.ga, kept.ga, SEG) == HSL_ST_OK && m[0] == kept_mem[0] && m[512] == kept_mem[512];
	munmap((void *)(uintptr_t)m, SEG);
	raw_free(ctx, to.handle);
	raw_queue_close(&q);
	return ok;
}

static void comes_back(const char *after)
{
	raw_check(comes_to(2, HSL_CHIP_READY), "%s: chip 2 is ready", after);
	raw_check(is_kept(), "%s: its memory is what it was", after);
	raw_check(works(), "%s: the next user works", after);
}

static void failed(const char *after)
{
	struct raw_queue q;

	raw_check(comes_to(2, HSL_CHIP_FAILED), "%s: chip 2 has failed", after);
	raw_check(raw_queue_open(ctx, 2, &q) == -ENODEV, "%s: a new queue on it is ENODEV", after);
}

/* ---- errors of the bus ---- */

/* How many of them the kernel has counted on chip 2. */
static unsigned long correctable(void)
{
	FILE *f = fopen(pcie_file(2, "aer_dev_correctable"), "r");
	unsigned long n = 0;
	char line[64];

	while (f && fgets(line, sizeof(line), f))
		sscanf(line, "TOTAL_ERR_COR %lu", &n);
	if (f)
		fclose(f);
	return n;
}

/* QEMU notes it in the chip; 7.2 sends no message of it up, so that the kernel hears of nothing. */
static void correctable_error(void)
{
	unsigned long before = correctable();

	pcie_error(2, "RCVR");
	for (int i = 0; i < 100 && correctable() == before; i++)
		raw_sleep_us(10000);
	if (correctable() == before)
		raw_check(true, "a correctable error changes nothing # SKIP this QEMU sends no message of one");
	else
		raw_check(moves(BUSY) && comes_to(2, HSL_CHIP_READY), "a correctable error changes nothing: its queues go on");
}

static void fatal_error(const char *which)
{
	users_start();
	pcie_error(2, "MALF_TLP");
	users_ended(which);
	comes_back(which);
}

static void test_aer(int cycles)
{
	if (access(pcie_file(2, "aer_dev_fatal"), F_OK))
		raw_skip_all("this kernel has no AER");
	pcie_errors_pass(2);
	keep();
	user_start(OTHER);
	raw_check(!raw_write_file(pcie_file(2, "reset"), "1"), "it is reset, which uses up the state that was saved for errors");
	fatal_error("fatal error after a reset");
	for (int i = 0; i < cycles; i++) {
		users_start();
		correctable_error();
		pcie_error(2, "COMP_TIME");
		users_ended("non-fatal error");
		comes_back("non-fatal error");
		fatal_error("fatal error");
	}
	raw_check(pcie_said("severity=Uncorrect[a-z]* (Non-Fatal)") && pcie_said("severity=Uncorrect[a-z]* (Fatal)"), "the log tells the errors");
	other_goes_on("after all of these");
	other_end();
}

static void test_given_up(void)
{
	if (raw_write_file(RESET_TIMEOUT, "3000"))
		raw_bail(RESET_TIMEOUT);
	pcie_errors_pass(2);
	user_start(OTHER);
	users_start();
	pcie_error(2, "MALF_TLP");
	users_ended("fatal error");
	failed("no recovery");
	raw_check(pcie_said("failed: its reset does not end"), "the log says why");
	other_goes_on("no recovery");
	other_end();
	raw_check(!raw_write_file(pcie_file(2, "remove"), "1") && !raw_write_file("/sys/bus/pci/rescan", "1") &&
		  comes_to(2, HSL_CHIP_READY), "it is removed, and found again");
	keep();
	raw_check(works(), "and the next user works");
}

/* ---- chips that do not answer ---- */

/* What only reads it notices, too: all ones are no temperature. pattern: of one of its files. */
static void lost_to_a_reader(const char *pattern)
{
	char buf[128];
	glob_t g = { 0 };
	int fd;

	if (glob(pattern, 0, NULL, &g) && !strstr(pattern, "hwmon"))
		raw_bail(pattern);
	if (!g.gl_pathc) {
		raw_check(true, "its sensors # SKIP this kernel has no hwmon");
		return;
	}
	fd = open(g.gl_pathv[0], O_RDONLY | O_CLOEXEC);
	raw_check(fd >= 0 && read(fd, buf, sizeof(buf)) > 0, "%s is read", g.gl_pathv[0]);
	pcie_absent(2, true);
	raw_check(fd >= 0 && pread(fd, buf, sizeof(buf), 0) < 0 && errno == ENODEV, "all ones: then it is ENODEV");
	failed("all ones");
	pcie_absent(2, false);
	close(fd);
	globfree(&g);
	raw_check(!raw_write_file(pcie_file(2, "reset"), "1") && comes_to(2, HSL_CHIP_READY), "it answers again, and is reset");
}

static void test_lost(void)
{
	struct raw_queue q;

	keep();
	user_start(OTHER);
	users_start();
	pcie_absent(2, true);
	raw_check(raw_queue_open(ctx, 2, &q) == -ENODEV, "all ones: who asks for a queue gets ENODEV");
	users_ended("all ones");
	failed("all ones");
	raw_check(pcie_said("failed: it does not answer"), "the log says why");
	if (access("/sys/class/devcoredump", F_OK))
		raw_check(true, "and so does the dump # SKIP this kernel has no device coredumps");
	else
		raw_check(system("grep -q '^MAGIC reads wrong' /sys/class/devcoredump/devcd*/data") == 0, "and so does the dump");
	raw_check(!RAW_TRY((void)kept_mem[0]), "a load from its memory is SIGBUS");
	other_goes_on("all ones");
	pcie_absent(2, false);
	raw_check(!raw_write_file(pcie_file(2, "reset"), "1"), "it answers again, and is reset");
	comes_back("reset");
	lost_to_a_reader(pcie_file(2, "hwmon/hwmon*/temp1_input"));
	lost_to_a_reader(pcie_file(2, "hwmon/hwmon*/temp1_crit_alarm"));
	lost_to_a_reader("/sys/bus/hsl/devices/hsl0-2/counters/net_lost");
	lost_to_a_reader("/sys/bus/hsl/devices/hsl0-2/links/link0");

	raw_check(!pcie_driver("unbind", 2), "its driver is unbound");
	pcie_absent(2, true);
	raw_check(pcie_driver("bind", 2) == -ENODEV, "all ones: bind is ENODEV");
	raw_check(pcie_said("does not answer, its configuration space reads as all ones"), "the log says why");
	other_goes_on("bind");
	pcie_absent(2, false);
	raw_check(!pcie_driver("bind", 2), "it answers again, and is bound");
	raw_check(comes_to(2, HSL_CHIP_READY), "bind: chip 2 is ready");
	keep();
	raw_check(works(), "bind: the next user works");

	users_start();
	pcie_absent(2, true);
	raw_check(!pcie_driver("unbind", 2), "all ones: it is unbound, with users");
	users_ended("unbind");
	pcie_absent(2, false);
	raw_check(!pcie_driver("bind", 2) && comes_to(2, HSL_CHIP_READY), "and bound again");
	other_goes_on("unbind");
	other_end();
}

static void test_mute(void)
{
	struct raw_queue q;

	keep();
	user_start(OTHER);
	users_start();
	if (raw_write_file(ADMIN_TIMEOUT, "300"))
		raw_bail(ADMIN_TIMEOUT);
	pcie_config16(pcie_file(2, "config"), 4, 0, 4);	/* no bus mastering: it sees no command and writes no completion */
	raw_check(raw_queue_open(ctx, 2, &q) == -ENODEV, "no completion: who asks for a queue gets ENODEV");
	users_ended("no completion");
	failed("no completion");
	raw_check(pcie_said("an admin command did not complete"), "the log says why");
	other_goes_on("no completion");
	raw_check(!raw_write_file(ADMIN_TIMEOUT, "30000"), "the time limit is what it was");
	raw_check(!raw_write_file(pcie_file(2, "reset"), "1"), "it is reset");
	comes_back("reset");
	other_end();
}

/* ---- events ---- */

/* Its link comes and goes while it is brought up. */
static void test_events(void)
{
	pid_t pid;

	pcie_fabric("1-2 link up");
	for (int i = 0; i < 3; i++) {
		fflush(stdout);
		pid = fork();
		while (!pid) {
			pcie_fabric("1-2 link down");
			raw_sleep_us(500);
			pcie_fabric("1-2 link up");
			raw_sleep_us(500);
		}
		raw_check(!raw_write_file(pcie_file(2, "reset"), "1"), "chip 2 is reset, its link comes and goes");
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		pcie_fabric("1-2 link up");
		raw_check(comes_to(2, HSL_CHIP_READY), "it is ready");
		pcie_fabric("2 fatal");
		failed("a fatal error of its own");
	}
	raw_check(!raw_write_file(pcie_file(2, "reset"), "1"), "it is reset");
	keep();
	comes_back("reset");
}

/* Copies across it fail or wait, those that use it go on afterwards: no queue ends by a link. */
static void test_links(int cycles)
{
	static const char *const what[] = { "down", "up", "retrain", "down", "hot-reset", "up", "retrain" };
	char cmd[32];
	int good = 0;

	keep();
	user_start(OTHER);
	user_start(BUSY);
	raw_check(moves(BUSY) && moves(OTHER), "users copy between the chips, in both directions");
	for (int i = 0; i < cycles; i++) {
		for (unsigned int n = 0; n < sizeof(what) / sizeof(what[0]); n++) {
			snprintf(cmd, sizeof(cmd), "1-2 link %s", what[n]);
			pcie_fabric(cmd);
			raw_sleep_us((unsigned int)rand() % 20000);
		}
		good += moves(BUSY) && moves(OTHER);
	}
	raw_check(good == cycles, "%d times of %d both go on after the link was down, up, trained and reset", good, cycles);
	raw_check(comes_to(1, HSL_CHIP_READY) && comes_to(2, HSL_CHIP_READY), "both chips are ready");
	pcie_fabric("1-2 link down");
	raw_check(!raw_write_file(pcie_file(2, "reset"), "1"), "chip 2 is reset while its link is down");
	pcie_fabric("1-2 link up");
	waitpid(pids[BUSY], &good, 0);
	raw_check(good == 0, "its user was told (status %#x)", (unsigned int)good);
	comes_back("reset");
	other_goes_on("all of it");
	other_end();
}

/* ---- sleep ---- */

static void refuses(const char *state, const char *what)
{
	if (!pcie_system_can_sleep(state))
		return;
	raw_check(raw_write_file("/sys/power/state", state) == -EBUSY, "%s is refused", what);
	other_goes_on(what);
}

/*
 * pm_test=platform: devices and platform go all the way, and wake at once, as nothing wakes this machine. 9p does not live
 * through any sleep, so that the host's tree goes first.
 */
static void test_sleep(void)
{
	if (!pcie_system_can_sleep("freeze") || access("/sys/power/pm_test", F_OK))
		raw_skip_all("this kernel has no pm_test");
	pcie_console_away();
	atexit(pcie_console_back);	/* of raw_bail() too */
	umount2("/host", MNT_DETACH);
	raw_write_file("/sys/module/suspend/parameters/pm_test_delay", "0");
	raw_write_file("/sys/power/mem_sleep", "deep");
	keep();
	for (int i = 0; i < 2; i++) {
		users_start();
		raw_check(!raw_write_file("/sys/power/pm_test", "platform") && !raw_write_file("/sys/power/state", "freeze") &&
			  !raw_write_file("/sys/power/pm_test", "none"), "the system slept and woke");
		users_ended("sleep");
		comes_back("sleep");
	}
	user_start(OTHER);
	refuses("mem", "suspend to RAM");
	refuses("disk", "hibernation");
	other_end();
	comes_back("the refused ones");
	raw_check(pcie_said("its memory would be lost in this sleep"), "the log says why");
	pcie_console_back();
	if (!access(pcie_file(2, "aer_dev_fatal"), F_OK)) {
		pcie_errors_pass(2);
		fatal_error("fatal error after sleep");
	}
}

/* ---- sleep of a chip (runtime PM); ctx is attached to none ---- */

enum { WORKERS = 4 };		/* processes that use it at once */

/* Somebody counts on it, whatever the delay is. */
static bool is_held(unsigned int node)
{
	return !strcmp(pcie_state(node), "ready") && strcmp(pcie_line(pcie_file(node, "power/runtime_active_kids")), "0");
}

static void nothing(int sig)
{
	(void)sig;
}

/* A context of its own: new memory is zero, a queue copies, and its interrupt wakes a sleeper. NULL or what went wrong. */
static const char *work_once(unsigned int node)
{
	const char *wrong = NULL;
	int fd = raw_open(0);
	volatile uint64_t *m;
	struct raw_seg a, b;
	struct raw_queue q;

	if (fd < 0)
		return "open";
	if (raw_alloc(fd, node, 65536, RAW_RW, &a) || raw_alloc(fd, node, 65536, RAW_RW, &b))
		wrong = "a segment";
	else if (raw_map(fd, &a, PROT_READ | PROT_WRITE, &m))
		wrong = "mmap";
	else if (m[0] || m[65536 / 8 - 1])
		wrong = "memory that is not zero";
	else if (raw_queue_open(fd, node, &q))
		wrong = "a queue";
	if (!wrong) {
		m[0] = m[65536 / 8 - 1] = 0x5a5a5a5a5a5a5a5a;
		if (raw_copy(&q, b.ga, a.ga, 65536) != HSL_ST_OK)
			wrong = "a copy";
		raw_submit(&q, &(struct hsl_desc){ .opcode = HSL_OP_WAIT, .subop = HSL_WAIT_EQ, .src = a.ga, .len = 8, .arg0 = 1, .arg1 = 20000000 });
		/* not by a timeout of poll(), which looks once more */
		signal(SIGALRM, nothing);
		alarm(20);
		if (!wrong && raw_complete(&q, -1) != HSL_ST_TIMEOUT)
			wrong = "an interrupt";
		alarm(0);
		raw_queue_close(&q);
		munmap((void *)(uintptr_t)m, 65536);
	}
	close(fd);
	return wrong;
}

static void sleeps_and_works(unsigned int node, const char *after)
{
	const char *wrong;

	raw_check(pcie_falls_asleep(node), "%s: chip %u falls asleep", after, node);
	wrong = work_once(node);
	raw_check(!wrong, "%s: and works for the next user%s%s", after, wrong ? ": " : "", wrong ? wrong : "");
}

/* Each file of a pattern wakes the chip, and is answered. */
static void wakes_readers(unsigned int node, const char *which)
{
	unsigned int good = 0;
	glob_t g = { 0 };
	char pattern[128];

	snprintf(pattern, sizeof(pattern), "%s", which);
	if (glob(pattern, 0, NULL, &g)) {
		raw_check(true, "%s # SKIP this kernel has none", pattern);
		return;
	}
	for (size_t i = 0; i < g.gl_pathc; i++) {
		bool slept = pcie_falls_asleep(node), answers = pcie_line(g.gl_pathv[i])[0];

		good += slept && answers;
		if (!slept || !answers)
			printf("# %s of a chip that %s: '%s'\n", g.gl_pathv[i], slept ? "slept" : "did not sleep", pcie_line(g.gl_pathv[i]));
	}
	raw_check(good == g.gl_pathc, "%u of %zu files wake it and are answered: %s", good, g.gl_pathc, pattern);
	globfree(&g);
}

static void readers_wake(void)
{
	wakes_readers(2, "/sys/bus/hsl/devices/hsl0-2/links/*");
	wakes_readers(2, "/sys/bus/hsl/devices/hsl0-2/counters/*");
	wakes_readers(2, "/sys/bus/hsl/devices/hsl0-2/counters_link0/[rt]*");
	wakes_readers(2, pcie_file(2, "hwmon/hwmon*/[tp]*[0-9]_*"));
	wakes_readers(2, "/sys/kernel/debug/hsl/hsl0/chip2/registers");
}

/* What needs no register lets it sleep on. */
static void others_do_not_wake(void)
{
	struct hsl_chip_info ci;
	glob_t g = { 0 };

	if (!pcie_falls_asleep(2) || glob("/sys/bus/hsl/devices/hsl0-2/[a-z]*", 0, NULL, &g))
		raw_bail("chip 2 asleep, and its files");
	for (size_t i = 0; i < g.gl_pathc; i++)
		pcie_line(g.gl_pathv[i]);
	globfree(&g);
	pcie_line("/sys/kernel/debug/hsl/hsl0/state");
	raw_check(!raw_chip(ctx, 2, &ci) && ci.state == HSL_CHIP_READY, "CHIP_INFO tells a sleeping chip as ready");
	raw_check(!strcmp(pcie_state(2), "asleep"), "neither it, nor its other files, nor an open file wake it");
	raw_check(system("hslctl list | grep -q '^ *2 .* asleep '") == 0 && !strcmp(pcie_state(2), "asleep"),
		  "hslctl list shows it asleep and leaves it so");
}

/* held by what is in fd, or in the mapping, until that is closed */
static void held_by(const char *what, int fd, volatile uint64_t *m)
{
	raw_check(is_held(2), "%s keeps it awake", what);
	if (fd >= 0)
		close(fd);
	if (m)
		munmap((void *)(uintptr_t)m, 65536);
	raw_check(pcie_falls_asleep(2), "and no longer");
}

static int dmabuf_of(int fd, uint32_t handle)
{
	struct hsl_segment_export e = { .size = sizeof(e), .handle = handle, .flags = HSL_EXPORT_DMABUF, .rights = RAW_RW };
	int r = raw_ioctl(fd, HSL_IOC_SEGMENT_EXPORT, &e);

	return r ? r : e.fd;
}

static void users_hold(void)
{
	int fd = raw_open(0), other;
	volatile uint64_t *m = NULL;
	struct raw_queue q;
	struct raw_seg s;

	if (raw_alloc(fd, 2, 65536, RAW_RW, &s))
		raw_bail("a segment");
	held_by("a segment", fd, NULL);
	fd = raw_open(0);
	if (raw_queue_open(fd, 2, &q))
		raw_bail("a queue");
	close(fd);
	raw_queue_close(&q);
	raw_check(pcie_falls_asleep(2), "a queue is closed after its context: it falls asleep");
	fd = raw_open(0);
	if (raw_alloc(fd, 2, 65536, RAW_RW, &s) || raw_map(fd, &s, PROT_READ | PROT_WRITE, &m))
		raw_bail("a mapping");
	close(fd);
	held_by("a mapping", -1, m);
	fd = raw_open(0);
	if (raw_alloc(fd, 2, 65536, RAW_RW, &s))
		raw_bail("a segment");
	other = raw_export(fd, s.handle, RAW_RW);
	close(fd);
	held_by("an exported segment", other, NULL);
	fd = raw_open(0);
	if (raw_alloc(fd, 2, 65536, RAW_RW, &s))
		raw_bail("a segment");
	other = dmabuf_of(fd, s.handle);
	close(fd);
	if (other >= 0)
		held_by("a dma-buf", other, NULL);
	other = open("/sys/kernel/debug/hsl/hsl0/chip2/ctf", O_RDWR | O_CLOEXEC);
	if (other >= 0)
		held_by("an open test facility", other, NULL);
}

static uint64_t counter(unsigned int node, const char *name)
{
	char path[96];

	snprintf(path, sizeof(path), "/sys/bus/hsl/devices/hsl0-%u/counters/%s", node, name);
	return strtoull(pcie_line(path), NULL, 10);
}

/* In a ring of four, between 1 and 3 are 2 and 4. What crosses them is observable. */
static void forwards_asleep(void)
{
	struct hsl_segment_alloc a = { .size = sizeof(a), .node = 3, .len_bytes = 65536, .rights = RAW_RW,
				       .flags = HSL_ALLOC_OBSERVABLE };
	uint64_t before = counter(2, "net_forwarded") + counter(4, "net_forwarded");
	int fd = raw_open(0), st;
	struct raw_queue q;
	struct raw_seg s;

	if (raw_alloc(fd, 1, 65536, RAW_RW, &s) || raw_ioctl(fd, HSL_IOC_SEGMENT_ALLOC, &a) || raw_queue_open(fd, 1, &q))
		raw_bail("observable memory of chip 3");
	raw_check(pcie_falls_asleep(2) && pcie_falls_asleep(4), "chips 2 and 4 sleep while 1 and 3 are in use");
	st = raw_copy(&q, a.ga, s.ga, 65536);
	raw_check(st == HSL_ST_OK, "chip 1 copies to chip 3 across them (status %d)", st);
	raw_check(!strcmp(pcie_state(2), "asleep") && !strcmp(pcie_state(4), "asleep"), "they slept on");
	raw_check(counter(2, "net_forwarded") + counter(4, "net_forwarded") > before, "and forwarded");
	raw_queue_close(&q);
	close(fd);
}

/* A line of chip 3's memory that chip 2 wrote is in its cache, and nowhere else, when it falls asleep. */
static void gives_lines_asleep(void)
{
	struct hsl_segment_alloc a = { .size = sizeof(a), .node = 3, .len_bytes = 65536, .rights = RAW_RW,
				       .flags = HSL_ALLOC_OBSERVABLE };
	int writer = raw_open(0), reader = raw_open(0), exported, st;
	struct raw_seg from, to, shared;
	volatile uint64_t *m;
	struct raw_queue q;
	uint64_t before;

	if (raw_alloc(writer, 2, 65536, RAW_RW, &from) || raw_map(writer, &from, PROT_READ | PROT_WRITE, &m) ||
	    raw_ioctl(writer, HSL_IOC_SEGMENT_ALLOC, &a) || raw_queue_open(writer, 2, &q))
		raw_bail("a writer on chip 2");
	m[0] = 0x0123456789abcdef;
	st = raw_copy(&q, a.ga, from.ga, 64);
	exported = raw_export(writer, a.handle, RAW_RW);
	munmap((void *)(uintptr_t)m, 65536);
	raw_queue_close(&q);
	close(writer);
	before = counter(2, "cache_snoop_hits");
	if (st || raw_import(reader, exported, RAW_RW, &shared) || raw_alloc(reader, 3, 65536, RAW_RW, &to) ||
	    raw_map(reader, &to, PROT_READ | PROT_WRITE, &m) || raw_queue_open(reader, 3, &q))
		raw_bail("a reader on chip 3");
	raw_check(pcie_falls_asleep(2), "chip 2 falls asleep with a line of chip 3 that it wrote");
	st = raw_copy(&q, to.ga, shared.ga, 64);
	raw_check(st == HSL_ST_OK && m[0] == 0x0123456789abcdef, "chip 3 gets it (status %d, %#llx)", st, (unsigned long long)m[0]);
	raw_check(!strcmp(pcie_state(2), "asleep") && counter(2, "cache_snoop_hits") > before, "from chip 2, which sleeps on");
	munmap((void *)(uintptr_t)m, 65536);
	raw_queue_close(&q);
	close(exported);
	close(reader);
}

/* That a link of it is not up any more. */
static bool tells_of_link(int fd, unsigned int node)
{
	struct hsl_event_info e;

	for (int i = 0; i < 10000; i++) {
		if (read(fd, &e, sizeof(e)) != sizeof(e))
			raw_sleep_us(1000);
		else if (e.type == HSL_FABRIC_EV_LINK && e.node == node && e.value != HSL_LTSSM_L0)
			return true;
	}
	return false;
}

/* What happened to a link meanwhile is told when the chip wakes. */
static void links_are_told(void)
{
	int fd = raw_open(O_NONBLOCK);

	raw_check(pcie_falls_asleep(2), "it falls asleep");
	pcie_fabric("2-3 link down");
	counter(2, "net_lost");
	raw_check(tells_of_link(fd, 2), "its link went down while it slept: an event tells it");
	pcie_fabric("2-3 link up");
	close(fd);
}

/* A delay of 0: it sleeps whenever nobody is there. */
static unsigned int work_for(unsigned int seed, unsigned int rounds)
{
	unsigned int bad = 0;

	for (unsigned int i = 0; i < rounds; i++) {
		const char *wrong = work_once(2);

		if (wrong)
			printf("# process %u, round %u: %s\n", seed, i, wrong);
		bad += wrong != NULL;
		raw_sleep_us((unsigned int)(raw_mix(seed * 1000 + i) % 3000));
	}
	return bad;
}

static void sleeps_under_load(unsigned int rounds)
{
	pid_t pid[WORKERS], toggler;
	unsigned int bad = 0;
	int status;

	fflush(stdout);
	for (unsigned int i = 0; i < WORKERS; i++) {
		pid[i] = fork();
		if (!pid[i])
			_exit(work_for(i, rounds) != 0);
	}
	toggler = fork();
	for (unsigned int i = 0; !toggler; i++) {
		pcie_power(2, "control", i & 1 ? "auto" : "on");
		counter(2, "net_lost");
		raw_sleep_us(2000);
	}
	for (unsigned int i = 0; i < WORKERS; i++) {
		waitpid(pid[i], &status, 0);
		bad += status != 0;
	}
	kill(toggler, SIGKILL);
	waitpid(toggler, NULL, 0);
	pcie_power(2, "control", "auto");
	raw_check(!bad, "%d processes use it %u times each while it falls asleep at once: nothing fails", WORKERS, rounds);
	sleeps_and_works(2, "load");
}

/* What does not answer is not put to sleep: its configuration would be saved as all ones. */
static void vanishes_awake(void)
{
	pcie_falls_asleep(2);
	pcie_power(2, "control", "on");
	raw_check(!strcmp(pcie_state(2), "ready"), "it is awake, and idle");
	pcie_absent(2, true);
	pcie_power(2, "control", "auto");
	failed("idle, and all ones");
	/* it tries, whenever somebody has looked at it */
	for (int i = 0; i < 10000 && strcmp(pcie_line(pcie_file(2, "power/runtime_status")), "active"); i++)
		raw_sleep_us(1000);
	raw_check(!strcmp(pcie_line(pcie_file(2, "power_state")), "D0") && !strcmp(pcie_state(2), "failed"), "and does not sleep");
	pcie_absent(2, false);
	raw_check(!raw_write_file(pcie_file(2, "reset"), "1"), "it answers again, and is reset");
	sleeps_and_works(2, "reset");
}

static void life_wakes(void)
{
	char sensor[] = "/sys/bus/hsl/devices/hsl0-2/counters/net_lost";
	int fd;

	raw_check(pcie_falls_asleep(2) && !raw_write_file(pcie_file(2, "reset"), "1"), "asleep: it is reset");
	sleeps_and_works(2, "reset");
	raw_check(pcie_falls_asleep(2) && !pcie_driver("unbind", 2) && !pcie_driver("bind", 2), "asleep: it is unbound and bound");
	pcie_allow_sleep(2);		/* the delay is a driver's */
	sleeps_and_works(2, "bind");
	if (!access(pcie_file(2, "aer_dev_fatal"), F_OK)) {
		pcie_errors_pass(2);
		pcie_falls_asleep(2);
		pcie_error(2, "MALF_TLP");
		for (int i = 0; i < 10000 && !pcie_said("PCIe error: resetting the chip"); i++)
			raw_sleep_us(1000);
		sleeps_and_works(2, "fatal error");
		pcie_falls_asleep(2);
		pcie_fabric("2 fatal");
		pcie_power(2, "control", "on");
		failed("fatal error of its own, asleep");
		pcie_error(2, "MALF_TLP");
		raw_check(comes_to(2, HSL_CHIP_READY), "a slot reset of what did not come up finds a configuration to restore");
		pcie_power(2, "control", "auto");
		sleeps_and_works(2, "slot reset");
		pcie_falls_asleep(2);
		pcie_absent(2, true);
		pcie_power(2, "control", "on");
		failed("all ones, asleep");
		pcie_absent(2, false);
		pcie_error(2, "MALF_TLP");
		raw_check(comes_to(2, HSL_CHIP_READY), "and so does one of what did not answer when it was woken");
		/* by vector 0: those of queues are requested, and so written, when there are queues */
		fd = raw_open(O_NONBLOCK);
		pcie_fabric("2-3 link down");
		raw_check(tells_of_link(fd, 2), "whose interrupt tells of a link that went down");
		pcie_fabric("2-3 link up");
		close(fd);
		pcie_power(2, "control", "auto");
		sleeps_and_works(2, "slot reset");
	}
	pcie_falls_asleep(2);
	pcie_fabric("2 fatal");
	raw_check(!pcie_line(sensor)[0], "a fatal error of its own while it sleeps: who reads a counter gets none");
	failed("fatal error");
	raw_check(!raw_write_file(pcie_file(2, "reset"), "1"), "it is reset");
	sleeps_and_works(2, "reset");
	raw_check(pcie_falls_asleep(2), "it falls asleep");
	pcie_absent(2, true);
	raw_check(!pcie_line(sensor)[0] && !strcmp(pcie_state(2), "failed"), "asleep, and all ones: who reads a counter gets none");
	failed("all ones");
	pcie_absent(2, false);
	raw_check(!raw_write_file(pcie_file(2, "reset"), "1"), "it answers again, and is reset");
	sleeps_and_works(2, "reset");
	vanishes_awake();
	pcie_falls_asleep(2);
	pcie_absent(2, true);
	raw_check(!pcie_driver("unbind", 2), "asleep, and all ones: it is unbound");
	pcie_absent(2, false);
	/* without a driver the PCI core has saved all ones of it, which a bind would restore */
	raw_check(!raw_write_file(pcie_file(2, "remove"), "1") && !raw_write_file("/sys/bus/pci/rescan", "1") &&
		  comes_to(2, HSL_CHIP_READY), "it answers again, is removed and found again");
	pcie_allow_sleep(2);
	sleeps_and_works(2, "rescan");
}

/* As test_sleep(). */
static void system_sleeps(void)
{
	if (!pcie_system_can_sleep("freeze") || access("/sys/power/pm_test", F_OK)) {
		raw_check(true, "sleep of the system # SKIP this kernel has no pm_test");
		return;
	}
	pcie_console_away();
	atexit(pcie_console_back);
	umount2("/host", MNT_DETACH);
	raw_write_file("/sys/module/suspend/parameters/pm_test_delay", "0");
	raw_write_file("/sys/power/mem_sleep", "deep");
	raw_check(pcie_falls_asleep(2) && !raw_write_file("/sys/power/pm_test", "platform") &&
		  !raw_write_file("/sys/power/state", "freeze"), "asleep: the system sleeps and wakes");
	sleeps_and_works(2, "sleep of the system");
	if (pcie_system_can_sleep("mem")) {
		raw_check(pcie_falls_asleep(2) && raw_write_file("/sys/power/state", "mem") == -EBUSY,
			  "asleep: suspend to RAM, which loses what it knows of its memory, is refused");
		sleeps_and_works(2, "refused sleep");
	} else {
		raw_check(true, "asleep: suspend to RAM is refused # SKIP this kernel has none");
	}
	raw_write_file("/sys/power/pm_test", "none");
	pcie_console_back();
}

static void test_idle(unsigned int rounds)
{
	if (!pcie_bdf[4][0])
		raw_skip_all("needs CHIPS=4 TOPO=ring");
	raw_check(!strcmp(pcie_line(pcie_file(2, "power/control")), "on") && !strcmp(pcie_state(2), "ready"),
		  "nothing sleeps unless somebody allows it");
	for (unsigned int node = 1; node <= PCIE_CHIPS; node++)
		pcie_allow_sleep(node);
	sleeps_and_works(2, "control auto");
	readers_wake();
	others_do_not_wake();
	users_hold();
	forwards_asleep();
	gives_lines_asleep();
	links_are_told();
	sleeps_under_load(rounds);
	life_wakes();
	pcie_power(2, "control", "on");
	raw_check(!strcmp(pcie_state(2), "ready"), "control on wakes it");
	pcie_power(2, "control", "auto");
	system_sleeps();
}

/* ---- interrupts ---- */

static unsigned int interrupts(unsigned int node)
{
	char line[1024], name[48];
	unsigned int n = 0;
	FILE *f = fopen("/proc/interrupts", "re");

	snprintf(name, sizeof(name), "hsl-%s-", pcie_bdf[node]);
	while (f && fgets(line, sizeof(line), f))
		n += strstr(line, name) != NULL;
	if (f)
		fclose(f);
	return n;
}

/* Each queue sleeps until its own WAIT times out: whatever vector it shares has to wake it. */
static void vectors_of(unsigned int node, unsigned int want)
{
	struct raw_queue q[8];
	struct raw_seg s;
	unsigned int woken = 0;

	raw_check(interrupts(node) == 1, "chip %u has one interrupt without queues: %u", node, interrupts(node));
	if (raw_alloc(ctx, node, 4096, RAW_RW, &s))
		raw_bail("a segment");
	for (unsigned int i = 0; i < 8; i++) {
		if (raw_queue_open(ctx, node, &q[i]))
			raw_bail("a queue");
		raw_submit(&q[i], &(struct hsl_desc){ .opcode = HSL_OP_WAIT, .subop = HSL_WAIT_EQ, .src = s.ga, .len = 8,
						      .arg0 = 1, .arg1 = 100000000ull });
	}
	raw_check(interrupts(node) == want, "chip %u has %u interrupts of %u", node, interrupts(node), want);
	for (unsigned int i = 0; i < 8; i++) {
		woken += raw_complete(&q[i], 20000) == HSL_ST_TIMEOUT;
		raw_queue_close(&q[i]);
	}
	raw_check(woken == 8, "chip %u: %u of 8 sleepers were woken", node, woken);
}

static void test_vectors(void)
{
	struct hsl_chip_info ci;

	if (raw_chip(ctx, 4, &ci))
		raw_skip_all("needs CHIPS=4 VECTORS=0,1,3,64");
	raw_check(raw_chip(ctx, 1, &ci) == -ENOENT, "no MSI-X: the chip is not there");
	raw_check(pcie_said("no MSI-X capability: HEP 1.0 chips need it"), "the log says why");
	raw_check(system("hslctl doctor | grep -q 'no MSI-X capability'") == 0, "and doctor too");
	vectors_of(2, 1);
	vectors_of(3, 3);
	vectors_of(4, 1 + 8);
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
	rounds = mmap(NULL, USERS * sizeof(*rounds), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (rounds == MAP_FAILED)
		raw_bail("mmap");
	if (!strcmp(name, "aer"))
		test_aer(argc > 2 ? atoi(argv[2]) : 1);
	else if (!strcmp(name, "given-up"))
		test_given_up();
	else if (!strcmp(name, "lost"))
		test_lost();
	else if (!strcmp(name, "mute"))
		test_mute();
	else if (!strcmp(name, "events"))
		test_events();
	else if (!strcmp(name, "links"))
		test_links(argc > 2 ? atoi(argv[2]) : 10);
	else if (!strcmp(name, "sleep"))
		test_sleep();
	else if (!strcmp(name, "idle"))
		test_idle(argc > 2 ? (unsigned int)atoi(argv[2]) : 25);
	else if (!strcmp(name, "vectors"))
		test_vectors();
	else
		return fprintf(stderr, "usage: pcie aer [CYCLES]|given-up|lost|mute|events|links [CYCLES]|sleep|idle [ROUNDS]|vectors\n"), 2;
	return raw_done();
}
