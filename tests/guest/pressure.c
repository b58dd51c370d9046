// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * What the system does to a process in the middle of the driver, or of its own work (HEP-SEC-006, HEP-API-006). Run as root in
 * the VM with 2 chips.
 *
 *   pressure oom			the OOM killer of its memory cgroup takes it: in a page fault, in a registration, in a call
 *   pressure memcg			its cgroup is full and has nobody to kill: calls are ENOMEM, and work again with room
 *   pressure stop [ROUNDS]		SIGSTOP at random points, while a chip is reset or another process uses it
 *   pressure trace [ROUNDS]		ptrace at random points: stopped, led from system call to system call, killed in a stop
 *   pressure kill [ROUNDS]		kill -9 at random points
 *
 * The process makes one of each object, uses it and gives it back, without end; each result but those of a reset has to be the
 * right one, and each signal is invisible to it. Afterwards chip memory and queues have all come back, and the next user works.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/common/raw.h"

#define SEG	(256u << 10)
#define CGROUP	"/sys/fs/cgroup"
#define MINE	CGROUP "/hsl"

static int ctx;				/* of the parent */
static uint64_t mem_free[3];
static struct hsl_chip_info chip[3];	/* as they were, by node */
static struct shared {
	atomic_uint rounds;
	_Atomic uint64_t ga;		/* a mapping of chip memory, for who traces */
} *shared;

/* ---- the process ---- */

struct user {
	int ctx, other, export;
	struct raw_seg near, far, host, import;
	struct raw_queue q;
	volatile uint64_t *map;
	char *buf;
};

static int register_mem(int fd, void *p, uint64_t len, struct raw_seg *s)
{
	struct hsl_segment_register r = { .size = sizeof(r), .rights = RAW_RW, .addr = (uintptr_t)p, .len_bytes = len };
	int err = raw_ioctl(fd, HSL_IOC_SEGMENT_REGISTER, &r);

	if (!err)
		*s = (struct raw_seg){ r.handle, RAW_RW, r.ga, len };
	return err;
}

static int user_open(struct user *u)
{
	u->ctx = raw_open(0);
	u->other = raw_open(0);
	if (u->ctx < 0 || u->other < 0)
		return u->ctx < 0 ? u->ctx : u->other;
	return 0;
}

static int user_make(struct user *u)
{
	int err = raw_alloc(u->ctx, 1, SEG, RAW_RW, &u->near);

	if (!err)
		err = raw_alloc(u->ctx, 2, SEG, RAW_RW, &u->far);
	if (!err)
		err = register_mem(u->ctx, u->buf, SEG, &u->host);
	if (!err)
		err = raw_map(u->ctx, &u->far, PROT_READ | PROT_WRITE, &u->map);
	if (!err)
		err = raw_queue_open(u->ctx, 2, &u->q);
	if (!err) {
		u->export = raw_export(u->ctx, u->near.handle, HSL_SEGMENT_READ);
		err = u->export < 0 ? u->export : raw_import(u->other, u->export, 0, &u->import);
	}
	return err;
}

/* 0; 1: the queue has ended by a reset; 2: wrong */
static int user_work(struct user *u, unsigned int n)
{
	int st;

	memset(u->buf, (int)(n % 250 + 1), SEG);
	st = raw_copy(&u->q, u->near.ga, u->host.ga, SEG);
	if (st == HSL_ST_OK)
		st = raw_copy(&u->q, u->far.ga, u->near.ga, SEG);
	if (st == -1 && u->q.ctrl->error == HSL_ST_GONE)
		return 1;
	/* the other chip may be in reset */
	if (st == HSL_ST_UNREACHABLE || st == HSL_ST_REVOKED)
		return 1;
	if (st != HSL_ST_OK || memcmp((void *)(uintptr_t)u->map, u->buf, SEG)) {
		printf("# round %u: status %d, error %u, %#x in memory\n", n, st, u->q.ctrl->error, *(volatile uint8_t *)u->map);
		return 2;
	}
	return 0;
}

static int user_free(struct user *u)
{
	int err;

	munmap((void *)(uintptr_t)u->map, SEG);
	raw_queue_close(&u->q);
	close(u->export);
	err = raw_revoke(u->ctx, u->near.handle);
	if (!err)
		err = raw_free(u->other, u->import.handle);
	if (!err)
		err = raw_free(u->ctx, u->near.handle);
	if (!err)
		err = raw_free(u->ctx, u->far.handle);
	return err ? err : raw_free(u->ctx, u->host.handle);
}

/* Until it is killed; an exit is that something was wrong. */
static void user_live(void)
{
	struct user u = { .buf = malloc(SEG) };
	int err = u.buf ? user_open(&u) : -ENOMEM;

	for (unsigned int n = 0; !err; n++) {
		err = user_make(&u);
		if (err)
			break;
		atomic_store(&shared->ga, (uintptr_t)u.map);
		if (user_work(&u, n) == 2)
			_exit(2);
		atomic_store(&shared->ga, 0);
		err = user_free(&u);
		atomic_fetch_add(&shared->rounds, 1);
	}
	printf("# a call failed: %s\n", strerror(-err));
	_exit(1);
}

static pid_t begin(void (*fn)(void))
{
	pid_t pid, parent = getpid();

	atomic_store(&shared->ga, 0);	/* of one that was killed */
	fflush(stdout);
	pid = fork();
	if (pid < 0)
		raw_bail("fork");
	if (!pid) {
		raw_die_with(parent);
		fn();
		_exit(0);
	}
	return pid;
}

/* There, and not only to be waited for. */
static bool lives(pid_t pid)
{
	siginfo_t si = { 0 };

	return !waitid(P_PID, (id_t)pid, &si, WEXITED | WNOHANG | WNOWAIT) && !si.si_pid;
}

static bool moves(pid_t pid)
{
	unsigned int before = atomic_load(&shared->rounds);

	for (int i = 0; i < 60000 && lives(pid); i++) {
		if (atomic_load(&shared->rounds) > before + 1)
			return true;
		raw_sleep_us(1000);
	}
	return false;
}

static void pause_randomly(void)
{
	raw_sleep_us((unsigned int)rand() % 8000);
}

static bool killed(pid_t pid)
{
	int status = -1;

	kill(pid, SIGKILL);
	return waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

/* ---- what is looked at afterwards ---- */

static bool works(void)
{
	struct user u = { .buf = malloc(SEG) };
	bool ok = u.buf && !user_open(&u) && !user_make(&u) && !user_work(&u, 7) && !user_free(&u);

	close(u.ctx);
	close(u.other);
	free(u.buf);
	return ok;
}

static void nothing_left(const char *after)
{
	for (uint32_t node = 1; node <= 2; node++)
		raw_check(raw_chip_comes_to(ctx, node, mem_free[node], chip[node].nqueues_free),
			  "%s: chip %u has all of its queues and memory again", after, node);
	raw_check(works(), "%s: the next user works", after);
}

/* ---- memory ---- */

static void limit(const char *bytes)
{
	if (raw_write_file(MINE "/memory.max", bytes))
		raw_bail(MINE "/memory.max");
}

static void cgroup_make(void)
{
	mount("none", CGROUP, "cgroup2", 0, NULL);
	if (raw_write_file(CGROUP "/cgroup.subtree_control", "+memory"))
		raw_skip_all("this kernel has no memory cgroups");
	if (mkdir(MINE, 0755) && errno != EEXIST)
		raw_bail(MINE);
}

/* What it uses now and this much more. */
static void limit_to_now_and(unsigned long more)
{
	unsigned long now = 0;
	FILE *f = fopen(MINE "/memory.current", "re");
	char text[32];

	if (!f || fscanf(f, "%lu", &now) != 1)
		raw_bail(MINE "/memory.current");
	fclose(f);
	snprintf(text, sizeof(text), "%lu", now + more);
	limit(text);
}

static void join_cgroup(struct user *u)
{
	limit("max");
	if (raw_write_file(MINE "/cgroup.procs", "0"))
		_exit(3);
	u->buf = malloc(SEG);
	if (!u->buf || user_open(u) || user_make(u) || user_work(u, 1))
		_exit(4);
}

#define BIG	(64ul << 20)
static char *big(void)
{
	char *p = mmap(NULL, BIG, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		_exit(5);
	return p;
}

static void oom_in_fault(void)
{
	struct user u;

	join_cgroup(&u);
	limit_to_now_and(4 << 20);
	memset(big(), 1, BIG);
}

static void oom_in_registration(void)
{
	struct raw_seg s;
	struct user u;

	join_cgroup(&u);
	limit_to_now_and(4 << 20);
	register_mem(u.ctx, big(), BIG, &s);
}

/*
 * Registrations of pages that are there, what they take is the driver's: one SEG of the area after the other, as DMA-API debugging
 * counts seven mappings of a page at most.
 */
static int fill(struct user *u, char *area, uint32_t *handles, unsigned int max, unsigned int *n)
{
	struct raw_seg s;
	int err = 0;

	for (*n = 0; *n < max; (*n)++) {
		err = register_mem(u->ctx, area + (uint64_t)*n * SEG % BIG, SEG, &s);
		if (err)
			return err;
		handles[*n] = s.handle;
	}
	return 0;
}

#define MANY	20000u
static uint32_t handles[MANY];

static void oom_in_call(void)
{
	struct user u;
	unsigned int n;
	char *area;

	join_cgroup(&u);
	area = memset(big(), 1, BIG);
	limit_to_now_and(1 << 20);
	printf("# %d after", fill(&u, area, handles, MANY, &n));
	printf(" %u registrations\n", n);
}

static void test_oom(void)
{
	static const struct {
		void (*fn)(void);
		const char *what;
	} cases[] = {
		{ oom_in_fault, "in a page fault" },
		{ oom_in_registration, "in a registration of what is not there yet" },
		{ oom_in_call, "in a call that takes kernel memory" },
	};

	cgroup_make();
	for (unsigned int i = 0; i < 3; i++) {
		int status = -1;
		pid_t pid = begin(cases[i].fn);

		waitpid(pid, &status, 0);
		raw_check(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "the OOM killer takes it %s (status %#x)",
			  cases[i].what, (unsigned int)status);
		nothing_left(cases[i].what);
	}
}

/* Full, each of them refuses, and what was there before is there and works. */
static void full(void)
{
	struct raw_seg s = { 0 };
	struct user u;
	unsigned int n, again;
	char *area;
	int err;

	join_cgroup(&u);
	area = memset(big(), 1, BIG);
	memset(handles, 1, sizeof(handles));
	printf("# ");		/* stdout's buffer is there */
	if (raw_write_file("/proc/self/oom_score_adj", "-1000") || mlockall(MCL_CURRENT))
		_exit(3);
	limit_to_now_and(1 << 20);
	err = fill(&u, area, handles, MANY, &n);
	if (err == -ENOMEM) {	/* the next one may fit, on a CPU that has charged some pages ahead */
		err = register_mem(u.ctx, u.buf, SEG, &s);
		err = err == -ENOMEM ? 0 : err ? err : raw_free(u.ctx, s.handle);
	}
	if (!err)
		err = user_work(&u, 2) ? -EIO : 0;
	for (unsigned int i = 0; i < n && !err; i++)
		err = raw_free(u.ctx, handles[i]);
	if (!err)
		err = fill(&u, area, handles, n / 2, &again);
	limit("max");
	printf("%u registrations fit into 1 MiB, then %d\n", n, err);
	_exit(err || !n || n == MANY || user_work(&u, 3) || user_free(&u) ? 1 : 0);
}

static void test_memcg(void)
{
	int status = -1;
	pid_t pid;

	cgroup_make();
	pid = begin(full);
	waitpid(pid, &status, 0);
	raw_check(status == 0, "full: ENOMEM; its queue works; what it frees it can take again (status %#x)", (unsigned int)status);
	nothing_left("a full cgroup");
}

/* ---- signals and tracers ---- */

static char reset_file[96];

static void test_stop(unsigned int rounds)
{
	unsigned int stopped = 0, others = 0, resets = 0, went_on = 0;
	pid_t pid = begin(user_live);
	int status;

	for (unsigned int i = 0; i < rounds; i++) {
		pause_randomly();
		kill(pid, SIGSTOP);
		if (waitpid(pid, &status, WUNTRACED) != pid || !WIFSTOPPED(status))
			break;
		stopped++;
		others += works();
		if (i % 4 == 0)
			resets += !raw_write_file(reset_file, "1");
		kill(pid, SIGCONT);
		went_on += moves(pid);
	}
	raw_check(stopped == rounds, "%u times of %u it is stopped", stopped, rounds);
	raw_check(others == rounds, "%u times another user works meanwhile", others);
	raw_check(resets == (rounds + 3) / 4, "%u times a chip is reset meanwhile", resets);
	raw_check(went_on == rounds, "%u times it goes on", went_on);
	raw_check(killed(pid), "nothing was wrong to it");
	nothing_left("stopped");
}

/* From stop to stop of its next 16 system calls; where it maps chip memory that is looked at, as a debugger would. */
static bool lead(pid_t pid)
{
	int status;

	for (int i = 0; i < 32; i++) {
		uintptr_t at = atomic_load(&shared->ga);

		errno = 0;
		if (at && (ptrace(PTRACE_PEEKDATA, pid, (void *)at, NULL), errno))
			return false;
		if (ptrace(PTRACE_SYSCALL, pid, NULL, NULL) || waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
			return false;
	}
	return true;
}

static void test_trace(unsigned int rounds)
{
	unsigned int stops = 0, led = 0, went_on = 0, deaths = 0;
	int status;

	for (unsigned int i = 0; i < rounds; i++) {
		pid_t pid = begin(user_live);

		pause_randomly();
		if (ptrace(PTRACE_SEIZE, pid, NULL, PTRACE_O_TRACESYSGOOD))
			raw_bail("PTRACE_SEIZE");
		for (int n = 0; n < 4; n++) {
			pause_randomly();
			ptrace(PTRACE_INTERRUPT, pid, NULL, NULL);
			stops += waitpid(pid, &status, 0) == pid && WIFSTOPPED(status);
			led += lead(pid);
			ptrace(PTRACE_CONT, pid, NULL, NULL);
			went_on += moves(pid);
		}
		pause_randomly();
		ptrace(PTRACE_INTERRUPT, pid, NULL, NULL);
		stops += waitpid(pid, &status, 0) == pid && WIFSTOPPED(status);
		deaths += killed(pid);
	}
	raw_check(stops == 5 * rounds, "%u times of %u it is stopped", stops, 5 * rounds);
	raw_check(led == 4 * rounds && went_on == 4 * rounds, "%u times led through its calls, %u times it goes on", led, went_on);
	raw_check(deaths == rounds, "%u times it is killed in a stop, and saw nothing wrong before", deaths);
	nothing_left("traced");
}

static void test_kill(unsigned int rounds)
{
	unsigned int deaths = 0;

	for (unsigned int i = 0; i < rounds; i++) {
		pid_t pid = begin(user_live);

		if (i % 2)
			moves(pid);	/* from the middle of a round, not only from the beginning */
		pause_randomly();
		deaths += killed(pid);
	}
	raw_check(deaths == rounds, "%u times of %u it is killed, and saw nothing wrong before", deaths, rounds);
	nothing_left("killed");
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";
	unsigned int rounds = argc > 2 ? (unsigned int)atoi(argv[2]) : 20;

	setvbuf(stdout, NULL, _IOLBF, 0);
	ctx = raw_open(0);
	if (ctx < 0)
		raw_skip_all(RAW_DEV);
	if (raw_chip(ctx, 1, &chip[1]) || raw_chip(ctx, 2, &chip[2]))
		raw_skip_all("needs chips 1 and 2");
	snprintf(reset_file, sizeof(reset_file), "/sys/bus/pci/devices/%s/reset", chip[2].bus_addr);
	for (uint32_t node = 1; node <= 2; node++)
		mem_free[node] = raw_free_bytes(ctx, node);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		raw_bail("mmap");
	srand(1);
	if (!strcmp(name, "oom"))
		test_oom();
	else if (!strcmp(name, "memcg"))
		test_memcg();
	else if (!strcmp(name, "stop"))
		test_stop(rounds);
	else if (!strcmp(name, "trace"))
		test_trace(rounds);
	else if (!strcmp(name, "kill"))
		test_kill(rounds);
	else
		return fprintf(stderr, "usage: pressure oom|memcg|stop|trace|kill [ROUNDS]\n"), 2;
	return raw_done();
}
