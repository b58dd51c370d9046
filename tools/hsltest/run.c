/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * One test, one child process. The child opens the fabric, runs the test, closes the fabric and
 * exits 0; the verdict is in a shared page. Whatever else happens to the child is a failure with a
 * reason: a signal by name, an exit without a verdict, a sanitizer's exit status, a time-out. A test
 * times out when it makes no progress for as long as its limit says; how long all of it takes is no
 * concern of a verdict. The child is first asked (SIGUSR2) to write down the state of its queues,
 * then its whole process group is killed.
 *
 * The runner itself never opens a fabric: a sim: fabric has threads, which do not survive a fork.
 */
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dut.h"
#include "libhsl/raw.h"

#define QUEUES_WATCHED 8
#define ASK_S 5 /* for a child to write down what it sees, on a busy machine */
#define KILL_S 10
#define PROBE_S 20
#define MARGIN_S 5 /* beyond a patience that is over, for who was patient to say so */
#define LOOK_MS 200ull
extern struct hsl_queue *volatile ht_watched_queues[QUEUES_WATCHED];

static struct ht *current; /* in the child, for the SIGUSR2 handler and for who waits */

const char *ht_errno_name(int rc)
{
	static __thread char buf[2][24];
	static __thread unsigned int turn;
	const char *name;
	char *b = buf[turn++ & 1];

	name = rc < 0 ? strerrorname_np(-rc) : NULL;
	if (name)
		snprintf(b, sizeof(buf[0]), "-%s", name);
	else
		snprintf(b, sizeof(buf[0]), "%d", rc);
	return b;
}

/* A test's files are named without their folder. */
static const char *file_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

void ht_finish(struct ht *t, enum ht_verdict v, const char *file, int line, const char *fmt, ...)
{
	struct ht_shared *s = t->shared;
	uint32_t none = HT_NONE;
	va_list ap;
	int n = 0;

	/* the first verdict counts, whichever thread or child of the test comes to it */
	if (!__atomic_compare_exchange_n(&s->verdict, &none, v, false, __ATOMIC_ACQ_REL,
					 __ATOMIC_ACQUIRE))
		_exit(0);
	if (v == HT_FAIL)
		n = snprintf(s->reason, sizeof(s->reason), "%s:%d: ", file_name(file), line);
	va_start(ap, fmt);
	vsnprintf(s->reason + n, sizeof(s->reason) - (size_t)n, fmt, ap);
	va_end(ap);
	_exit(0);
}

void ht_step(struct ht *t, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(t->shared->step, sizeof(t->shared->step), fmt, ap);
	va_end(ap);
	ht_progress(t);
}

void ht_note(struct ht *t, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(t->shared->note, sizeof(t->shared->note), fmt, ap);
	va_end(ap);
}

/*
 * Waits for the child until stop() says so, or *progress has not changed for limit_s, or HT_LIMIT_FACTOR times that is over
 * and *progress still changes. Time in which this process did not run, on a machine that is busy or stood still, does not
 * count. *status is valid when the child has ended.
 */
enum waited { ENDED, STOPPED, STALLED, ENDLESS };

static enum waited child_wait(pid_t pid, int pidfd, unsigned int limit_s, const uint32_t *progress, bool (*stop)(void), int *status)
{
	struct pollfd pfd = { .fd = pidfd, .events = POLLIN };
	uint64_t limit_ns = limit_s * HT_NS_PER_S, all_ns = 0, idle_ns = 0, looked_ns = ht_now_ns(), now, spent;
	uint32_t before = 0, is;

	for (;;) {
		if (waitpid(pid, status, WNOHANG) == pid)
			return ENDED;
		now = ht_now_ns();
		spent = now - looked_ns < 2 * LOOK_MS * 1000000 ? now - looked_ns : 2 * LOOK_MS * 1000000;
		looked_ns = now;
		is = progress ? __atomic_load_n(progress, __ATOMIC_RELAXED) : 0;
		idle_ns = is == before ? idle_ns + spent : 0;
		before = is;
		all_ns += spent;
		if (stop && stop())
			return STOPPED;
		if (idle_ns >= limit_ns)
			return STALLED;
		if (all_ns >= HT_LIMIT_FACTOR * limit_ns)
			return ENDLESS;
		/* a pidfd wakes at once; without one look every few milliseconds */
		poll(&pfd, 1, pidfd >= 0 ? LOOK_MS : 2);
	}
}

static void child_kill(pid_t pid, int pidfd, int *status, bool *gone)
{
	kill(-pid, SIGKILL);
	kill(pid, SIGKILL);
	*gone = child_wait(pid, pidfd, KILL_S, NULL, NULL, status) == ENDED;
}

/* A line for each chip, with its links. */
static void dump_links(struct hsl_fabric *f, struct ht_shared *s)
{
	struct hsl_chip_props chip = { .size = sizeof(chip) };
	struct hsl_link_props l = { .size = sizeof(l) };
	size_t used = 0;
	unsigned int i, k;

	for (i = 0; used < sizeof(s->detail) && !hsl_chip_by_index(f, i, &chip); i++) {
		used += (size_t)snprintf(s->detail + used, sizeof(s->detail) - used,
					 "chip %u: state %u, %" PRIu64 " of %" PRIu64 " MiB free, %u of %u queues free;",
					 chip.node, chip.state, chip.mem_free_bytes >> 20, chip.mem_bytes >> 20,
					 chip.nqueues_free, chip.nqueues);
		for (k = 0; k < chip.nlinks && used < sizeof(s->detail); k++) {
			if (hsl_link_query(f, chip.node, k, &l))
				continue;
			used += (size_t)snprintf(s->detail + used, sizeof(s->detail) - used, " link %u to %u: %s x%u", k, l.peer,
						 ht_link_state_name(l.state), l.width);
		}
		if (used < sizeof(s->detail))
			used += (size_t)snprintf(s->detail + used, sizeof(s->detail) - used, "\n");
	}
}

/* In a process that the runner does not depend on: what the driver is asked for may never end. */
static void ask_outside(void (*ask)(const struct ht_config *config, struct ht_shared *s), const struct ht_config *config,
			struct ht_shared *s)
{
	int status = 0;
	bool gone;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		ask(config, s);
		_exit(0);
	}
	if (pid > 0 && child_wait(pid, -1, ASK_S, NULL, NULL, &status) != ENDED)
		child_kill(pid, -1, &status, &gone);
}

/* Where the child that hangs could not say it. Only the driver's fabric is one that another process can see. */
static void dump_from_outside(const struct ht_config *config, struct ht_shared *s)
{
	struct hsl_fabric *f;

	if (!hsl_fabric_open(config->url, &f))
		dump_links(f, s);
}

static void power_back(const struct ht_config *config, struct ht_shared *s)
{
	(void)config;
	ht_power_restore(s);
}

/*
 * The child hangs and is about to be killed: a handler that does more than is allowed is better
 * than no dump. The runner waits a while for it and does not depend on it.
 */
static void dump_queues(int sig)
{
	struct ht_shared *s = current->shared;
	size_t used = 0;
	unsigned int i;

	(void)sig;
	for (i = 0; i < QUEUES_WATCHED; i++) {
		struct hsl_queue *q = ht_watched_queues[i];
		uint32_t error = 0;
		int state;

		if (!q || used >= sizeof(s->dump))
			continue;
		state = hsl_queue_state(q, &error);
		used += (size_t)snprintf(
			s->dump + used, sizeof(s->dump) - used,
			"%squeue of chip %u: state %s, error %s, depth %u, outstanding %u",
			used ? "; " : "", hsl_queue_node(q),
			state == HSL_QUEUE_READY   ? "READY"
			: state == HSL_QUEUE_ERROR ? "ERROR"
						   : "?",
			hsl_status_name(error), hsl_queue_depth(q), hsl_queue_outstanding(q));
	}
	if (current->f)
		dump_links(current->f, s);
	_exit(0);
}

static void check_needs(struct ht *t)
{
	uint32_t need = t->test->flags;

	if ((need & HT_F_BAR) && !t->kernel && !t->sim)
		HT_SKIP_TEST(t, "no registers to see on this backend");
	if ((need & HT_F_KERNEL) && !t->kernel)
		HT_SKIP_TEST(t, "no kernel ABI on this backend");
	if ((need & (HT_F_RAW | HT_F_RESET)) && !t->kernel && !t->sim)
		HT_SKIP_TEST(t, "neither rings nor resets of its own on this backend");
	if ((need & (HT_F_BAR | HT_F_ROOT | HT_F_RESET)) && t->kernel && geteuid())
		HT_SKIP_TEST(t, "needs root");
	if ((need & HT_F_LONG) && t->config->effort == HT_QUICK)
		HT_SKIP_TEST(t, "not with --quick");
	if ((need & HT_F_RESET) && t->kernel && !t->config->disruptive)
		HT_SKIP_TEST(t, "resets chips under everybody: only with --disruptive");
	if ((need & HT_F_LINK) && t->kernel && !t->config->disruptive)
		HT_SKIP_TEST(t, "takes links down under everybody: only with --disruptive");
	if ((need & HT_F_TWO_CHIPS) && t->nchips < 2)
		HT_SKIP_TEST(t, "needs two chips");
}

/*
 * What the test before freed may still be waiting to be zeroed. The whole chip is not to be had
 * beside a page of it, and that is said when nothing is left to be zeroed. Then only the page is
 * missing, until it is zeroed or somebody else changes the number.
 */
static void settle(struct ht *t, struct hsl_chip_props *p)
{
	struct hsl_segment *page, *whole;
	struct ht_limit limit;
	uint64_t without;

	if (p->mem_free_bytes == p->mem_bytes || hsl_segment_alloc(t->f, p->node, 1, NULL, &page))
		return;
	if (!hsl_segment_alloc(t->f, p->node, p->mem_bytes, NULL, &whole))
		HT_FAIL_TEST(t, "chip %u: allocated %" PRIu64 " bytes beside a segment, which are all it has",
			     p->node, p->mem_bytes);
	HT_OK(t, hsl_chip_by_node(t->f, p->node, p));
	without = p->mem_free_bytes;
	HT_OK(t, hsl_segment_free(page));
	limit = ht_limit(HT_OP_LIMIT_S);
	do {
		HT_OK(t, hsl_chip_by_node(t->f, p->node, p));
		if (p->mem_free_bytes != without)
			return;
		usleep(1000);
	} while (!ht_limit_over(&limit));
}

/* BARs of a chip that sleeps are dark, and what looks at them holds no chip: this does, until the fabric is closed. */
static void keep_awake(struct ht *t, struct hsl_chip_props *p)
{
	struct hsl_segment *page;

	if (!(t->test->flags & HT_F_BAR) || !ht_may_sleep(t, p) || hsl_segment_alloc(t->f, p->node, 1, NULL, &page))
		return;
	HT_OK(t, hsl_segment_free(page));
	HT_OK(t, hsl_chip_by_node(t->f, p->node, p));
}

static void open_fabric(struct ht *t)
{
	unsigned int i;
	int rc;

	rc = hsl_fabric_open(t->config->url, &t->f);
	HT_TRUE(t, !rc, "hsl_fabric_open: %s", ht_errno_name(rc));
	t->info.size = sizeof(t->info);
	HT_OK(t, hsl_fabric_info(t->f, &t->info));
	t->kernel = !strcmp(t->info.backend, "kernel");
	t->sim = !strcmp(t->info.backend, "sim");
	t->nchips = t->info.nchips < HT_CHIPS_MAX ? t->info.nchips : HT_CHIPS_MAX;
	HT_TRUE(t, t->nchips, "the fabric has no chip");
	for (i = 0; i < t->nchips; i++) {
		t->chip[i].size = sizeof(t->chip[i]);
		HT_OK(t, hsl_chip_by_index(t->f, i, &t->chip[i]));
		if (t->test->flags & HT_F_SLEEP)
			continue;	/* either would hold it */
		keep_awake(t, &t->chip[i]);
		settle(t, &t->chip[i]);
	}
}

bool ht_time_passes(void)
{
	return current && current->f && hslp_raw_time_passes(current->f);
}

static void child_main(const struct ht_config *config, const struct ht_test *test,
		       struct ht_shared *shared)
{
	struct sigaction sa = { .sa_handler = dump_queues };
	struct ht t = { .config = config, .test = test, .shared = shared };
	const struct ht_dut_kind *kind = ht_dut_kind(config->url);
	uint32_t none = HT_NONE;
	uint64_t h = config->seed;
	const char *c;

	for (c = test->name; *c; c++)
		h = ht_mix(h ^ (uint8_t)*c);
	t.rng = h;
	current = &t;
	sigaction(SIGUSR2, &sa, NULL);
	if (kind && kind->open) {
		kind->open(&t);
		test->run(&t);
		if (kind->close)
			kind->close(&t);
	} else {
		open_fabric(&t);
		check_needs(&t);
		test->run(&t);
		ht_step(&t, "closing the fabric");
		hsl_fabric_close(t.f);
		t.f = NULL;
	}
	/* not over a verdict that a child or thread of the test came to */
	__atomic_compare_exchange_n(&shared->verdict, &none, HT_PASS, false, __ATOMIC_ACQ_REL,
				    __ATOMIC_ACQUIRE);
	exit(0); /* not _exit: a sanitizer looks for leaks now */
}

static const char *signal_name(int sig, char *buf, size_t len)
{
	const char *name = sigabbrev_np(sig);

	if (name)
		snprintf(buf, len, "SIG%s", name);
	else
		snprintf(buf, len, "signal %d", sig);
	return buf;
}

static struct ht_shared *shared_new(void)
{
	void *p = mmap(NULL, sizeof(struct ht_shared), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

static void judge(struct ht_result *r, const struct ht_shared *s, int status)
{
	char sig[32];

	r->verdict = HT_FAIL;
	if (WIFSIGNALED(status)) {
		snprintf(r->reason, sizeof(r->reason), "ended by %s%s%s%s%s",
			 signal_name(WTERMSIG(status), sig, sizeof(sig)),
			 s->step[0] ? " while: " : "", s->step,
			 s->reason[0] ? "; before that: " : "", s->reason);
	} else if (WEXITSTATUS(status)) {
		snprintf(r->reason, sizeof(r->reason),
			 "exit status %d (a sanitizer, or a library that calls exit)%s%s",
			 WEXITSTATUS(status), s->step[0] ? " while: " : "", s->step);
	} else if (s->verdict == HT_NONE) {
		snprintf(r->reason, sizeof(r->reason), "exited without a verdict%s%s",
			 s->step[0] ? " while: " : "", s->step);
	} else {
		r->verdict = s->verdict;
		snprintf(r->reason, sizeof(r->reason), "%s", s->reason);
	}
}

void ht_child_join(struct ht *t, int pid)
{
	int status;
	char sig[32];

	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			HT_FAIL_TEST(t, "waitpid: %s", strerror(errno));
	}
	if (t->shared->verdict != HT_NONE)
		_exit(0);
	if (WIFSIGNALED(status))
		HT_FAIL_TEST(t, "the test's child was ended by %s",
			     signal_name(WTERMSIG(status), sig, sizeof(sig)));
	HT_TRUE(t, !WEXITSTATUS(status), "the test's child ended with status %d",
		WEXITSTATUS(status));
}

void ht_run_one(const struct ht_config *config, const struct ht_test *test, bool (*stop)(void),
		struct ht_result *r)
{
	uint32_t limit_s = config->limit_s ? config->limit_s
			   : test->limit_s ? test->limit_s
					   : HT_LIMIT_S;
	const uint32_t patience_s = ht_dut_patience_s(config->url);
	uint64_t start_ns = ht_now_ns();
	struct ht_shared *s = shared_new();
	bool kernel = ht_dut_kind(config->url) == ht_dut_kind("/dev/hsl0"), gone;
	enum waited waited;
	int status = 0, pidfd;
	pid_t pid;

	if (patience_s && limit_s < patience_s + MARGIN_S)
		limit_s = patience_s + MARGIN_S;
	memset(r, 0, sizeof(*r));
	r->test = test;
	r->seed = config->seed;
	r->runs = 1;
	r->verdict = HT_ERROR;
	if (!s) {
		snprintf(r->reason, sizeof(r->reason), "no shared page: %s", strerror(errno));
		return;
	}
	fflush(NULL);
	pid = fork();
	if (pid < 0) {
		snprintf(r->reason, sizeof(r->reason), "fork: %s", strerror(errno));
		goto out;
	}
	if (!pid) {
		setpgid(0, 0);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		signal(SIGINT, SIG_DFL);
		signal(SIGTERM, SIG_DFL);
		child_main(config, test, s);
	}
	setpgid(pid, pid); /* both do it: whoever comes first */
	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);

	waited = child_wait(pid, pidfd, limit_s, &s->progress, stop, &status);
	if (waited == ENDED) {
		judge(r, s, status);
	} else if (waited == STOPPED) {
		child_kill(pid, pidfd, &status, &gone);
		r->verdict = HT_NOT_RUN;
		snprintf(r->reason, sizeof(r->reason), "interrupted");
	} else {
		kill(pid, SIGUSR2);
		gone = child_wait(pid, pidfd, ASK_S, NULL, NULL, &status) == ENDED;
		if (!gone)
			child_kill(pid, pidfd, &status, &gone);
		if (!s->detail[0] && kernel)
			ask_outside(dump_from_outside, config, s);
		r->verdict = HT_FAIL;
		snprintf(r->reason, sizeof(r->reason), "timed out after %u s%s%s%s%s%s%s%s",
			 waited == STALLED ? limit_s : HT_LIMIT_FACTOR * limit_s,
			 waited == STALLED ? " without progress" : "",
			 s->step[0] ? " while: " : "", s->step, s->dump[0] ? "; " : "", s->dump,
			 gone ? "" : "; the process cannot be killed", s->reason);
	}
	kill(-pid, SIGKILL); /* what the test may have left behind */
	if (s->power.bus_addr[0])
		ask_outside(power_back, config, s);
	if (pidfd >= 0)
		close(pidfd);
	snprintf(r->note, sizeof(r->note), "%s", s->note);
	snprintf(r->dump, sizeof(r->dump), "%s", s->detail);
out:
	r->duration_ns = ht_now_ns() - start_ns;
	munmap(s, sizeof(*s));
}

void ht_probe_fabric(const struct ht_config *config, struct ht_probe *p)
{
	const struct ht_dut_kind *kind = ht_dut_kind(config->url);
	struct ht_probe *shared;
	int status = 0, pidfd;
	bool gone;
	pid_t pid;

	memset(p, 0, sizeof(*p));
	p->rc = -ENOMEM;
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (shared == MAP_FAILED)
		return;
	shared->rc = -EFAULT;
	fflush(NULL);
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		(kind && kind->probe ? kind->probe : ht_dut_probe)(config, shared);
		_exit(0);
	}
	if (pid > 0) {
		pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
		if (child_wait(pid, pidfd, PROBE_S + ht_dut_patience_s(config->url), NULL, NULL, &status) == ENDED) {
			*p = *shared;
		} else {
			child_kill(pid, pidfd, &status, &gone);
			p->rc = -ETIMEDOUT;
		}
		if (pidfd >= 0)
			close(pidfd);
	}
	munmap(shared, sizeof(*shared));
}
