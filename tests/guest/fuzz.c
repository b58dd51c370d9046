// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * HEP-SEC-008: programs of random calls on the driver (tests/fuzz/driver_program.h): no report of the kernel, no hang, nothing kept.
 *
 *	fuzz [-s SEED] [-w WORKERS] [-c CORPUS] [-o FILE] [-t LONG] [-d] [SECONDS]	(the clock, 4, none, none, 240, 15)
 *	fuzz -r PROGRAM [PROGRAM]	runs this one, says each call and its answer; the second in another thread at the same time
 *
 * Each worker is a process, every other one without privileges, and runs program after program; two of three programs have a second
 * one beside them, in a thread on the same files and mappings. Now and then a worker is killed in the middle of it.
 * Where the kernel tells what it executed (KCOV; KERNEL=debug), a program that came where none has been is kept, and new
 * ones are made from those. CORPUS holds programs to begin with, a line each, and -o writes the fewest of this run that together
 * come as far. When the kernel reports something, a worker dies, or a program does not end in LONG seconds, the last
 * programs of all workers are printed, as calls and as bytes for -r. Afterwards the chips have to be as before, unless -d says that others disturb them.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <linux/kcov.h>
#include <time.h>
#include <unistd.h>

#include "fuzz/driver_program.c"

#define WORKERS_MAX	16u
#define CORPUS_MAX	4096u
#define MAP_BITS	(1u << 18)
#define COVER_WORDS	(64u << 10)
#define RECENT		8u	/* programs of a worker that are remembered */
#define NOBODY		65534

struct kept {
	atomic_bool ready;
	struct prog p;
};

struct worker {
	struct prog recent[RECENT][2];	/* the second one beside the first */
	atomic_uint n;			/* of its programs; the last one is recent[n % RECENT] */
	_Atomic time_t began;
	pid_t pid;
};

static struct shared {
	atomic_bool stop;
	atomic_ulong programs, calls;
	atomic_uint places, ncorpus;
	_Atomic uint64_t seen[MAP_BITS / 64];
	struct worker w[WORKERS_MAX];
	struct kept corpus[CORPUS_MAX];
} *sh;

static unsigned int nworkers = 4, stuck_s = 240;
static bool stuck, died;
static struct stat st_dev;
static volatile sig_atomic_t asked;	/* to end early */

static time_t now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec;
}

/* ---- what the kernel executed for a thread ---- */

struct cover {
	int fd;
	unsigned long *word;	/* the first one counts */
};

static bool cover_open(struct cover *c)
{
	c->fd = open("/sys/kernel/debug/kcov", O_RDWR | O_CLOEXEC);
	if (c->fd < 0)
		return false;
	if (ioctl(c->fd, KCOV_INIT_TRACE, COVER_WORDS))
		return false;
	c->word = mmap(NULL, COVER_WORDS * sizeof(long), PROT_READ | PROT_WRITE, MAP_SHARED, c->fd, 0);
	return c->word != MAP_FAILED;
}

static void cover_begin(struct cover *c)
{
	if (c->fd < 0)
		return;
	ioctl(c->fd, KCOV_ENABLE, KCOV_TRACE_PC);
	__atomic_store_n(&c->word[0], 0, __ATOMIC_RELAXED);
}

/* How many places nobody had been at. */
static unsigned int cover_end(struct cover *c, _Atomic uint64_t *seen)
{
	unsigned int fresh = 0;
	unsigned long n;

	if (c->fd < 0)
		return 0;
	ioctl(c->fd, KCOV_DISABLE, 0);
	n = __atomic_load_n(&c->word[0], __ATOMIC_RELAXED);
	for (unsigned long i = 1; i <= n && i < COVER_WORDS; i++) {
		uint64_t h = (c->word[i] * UINT64_C(0x9e3779b97f4a7c15)) >> 46, bit = 1ull << (h & 63);

		if (!(atomic_load_explicit(&seen[h / 64], memory_order_relaxed) & bit))
			fresh += !(atomic_fetch_or(&seen[h / 64], bit) & bit);
	}
	if (seen == sh->seen)
		atomic_fetch_add(&sh->places, fresh);
	return fresh;
}

/* ---- a worker ---- */

struct helper {
	pthread_barrier_t turn;
	struct cover cover;
	const struct prog *p;
	unsigned int calls, fresh;
};

static void *helper_run(void *arg)
{
	struct helper *h = arg;

	for (;;) {
		pthread_barrier_wait(&h->turn);
		cover_begin(&h->cover);
		h->calls = prog_run(h->p, false, false);
		h->fresh = cover_end(&h->cover, sh->seen);
		pthread_barrier_wait(&h->turn);
	}
	return NULL;
}

static void keep_program(const struct prog *p)
{
	unsigned int i = atomic_fetch_add(&sh->ncorpus, 1);

	if (i >= CORPUS_MAX) {
		atomic_store(&sh->ncorpus, CORPUS_MAX);
		return;
	}
	sh->corpus[i].p = *p;
	atomic_store(&sh->corpus[i].ready, true);
}

static const struct prog *kept_program(struct prog_rng *r)
{
	unsigned int n = atomic_load(&sh->ncorpus), i;

	if (!n)
		return NULL;
	i = (unsigned int)prog_rnd(r, n < CORPUS_MAX ? n : CORPUS_MAX);
	return atomic_load(&sh->corpus[i].ready) ? &sh->corpus[i].p : NULL;
}

static void make_program(struct prog *p, struct prog_rng *r)
{
	const struct prog *a = prog_rnd(r, 8) ? kept_program(r) : NULL, *b = kept_program(r);

	if (!a) {
		prog_fresh(p, r);
		return;
	}
	*p = *a;
	prog_mutate(p, b ? b : a, r);
}

static void helper_start(struct helper *h)
{
	pthread_t th;

	*h = (struct helper){ .cover.fd = -1 };
	pthread_barrier_init(&h->turn, NULL, 2);
	cover_open(&h->cover);
	if (pthread_create(&th, NULL, helper_run, h))
		raw_bail("a thread");
}

static unsigned int run_pair(struct helper *h, struct cover *c, const struct prog *p, const struct prog *beside, bool say,
			     _Atomic uint64_t *seen, unsigned int *calls)
{
	unsigned int fresh;

	prog_begin();
	if (beside) {
		h->p = beside;
		pthread_barrier_wait(&h->turn);
	}
	cover_begin(c);
	*calls = prog_run(p, say, false);
	fresh = cover_end(c, seen);
	if (beside) {
		pthread_barrier_wait(&h->turn);
		*calls += h->calls;
	}
	prog_end();
	return fresh;
}

static int worker(unsigned int number, uint64_t seed, pid_t parent)
{
	struct worker *w = &sh->w[number];
	struct prog_rng r = { seed };
	struct cover c = { .fd = -1 };
	struct helper h;
	unsigned int calls;

	cover_open(&c);
	helper_start(&h);
	if (number % 2 && (setgid(NOBODY) || setuid(NOBODY)))
		return 1;
	raw_die_with(parent);
	prog_init();
	while (!atomic_load(&sh->stop)) {
		struct prog *now = w->recent[(atomic_fetch_add(&w->n, 1) + 1) % RECENT];
		bool beside = prog_rnd(&r, 3);

		make_program(&now[0], &r);
		now[1].len = 0;
		if (beside)
			make_program(&now[1], &r);
		atomic_store(&w->began, now_s());
		h.fresh = 0;
		if (run_pair(&h, &c, &now[0], beside ? &now[1] : NULL, false, sh->seen, &calls))
			keep_program(&now[0]);
		if (h.fresh)
			keep_program(&now[1]);
		atomic_fetch_add(&sh->programs, 1 + beside);
		atomic_fetch_add(&sh->calls, calls);
	}
	return 0;
}

static void worker_start(unsigned int number, uint64_t seed)
{
	pid_t pid, parent = getpid();

	fflush(stdout);
	atomic_store(&sh->w[number].began, now_s());
	pid = fork();
	if (!pid)
		_exit(worker(number, seed, parent));
	if (pid < 0)
		raw_bail("fork");
	sh->w[number].pid = pid;
}

/* ---- what went wrong ---- */

static void print_program(const char *what, const struct prog *p)
{
	if (!p->len)
		return;
	printf("# %s: ", what);
	prog_print(p);
	prog_run(p, true, true);
}

static void print_worker(unsigned int i)
{
	struct worker *w = &sh->w[i];
	unsigned int n = atomic_load(&w->n);

	printf("# worker %u, program %u and those before it:\n", i, n);
	for (unsigned int k = n < RECENT ? n : RECENT; k; k--) {
		const struct prog *p = w->recent[(n - k + 1) % RECENT];

		print_program(k > 1 ? "before" : "now", &p[0]);
		print_program(k > 1 ? "before, beside it" : "now, beside it", &p[1]);
	}
}

static void signal_workers(int sig)
{
	for (unsigned int i = 0; i < nworkers; i++)
		if (sh->w[i].pid)
			kill(sh->w[i].pid, sig);
}

/* They run no others meanwhile. */
static void print_workers(void)
{
	signal_workers(SIGSTOP);
	for (unsigned int i = 0; i < nworkers; i++)
		print_worker(i);
}

/* True: it is gone, and not a worker any more. Only a kill is no death by itself. */
static bool reaped(struct worker *w)
{
	int status;

	if (w->pid && waitpid(w->pid, &status, WNOHANG) != w->pid)
		return false;
	if (w->pid && status && !(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)) {
		printf("# worker %u died by itself: status %#x\n", (unsigned int)(w - sh->w), (unsigned int)status);
		died = true;
	}
	w->pid = 0;
	return true;
}

static bool all_reaped(void)
{
	bool all = true;

	for (unsigned int i = 0; i < nworkers; i++)
		all &= reaped(&sh->w[i]);
	return all;
}

static void print_stuck(unsigned int i)
{
	char pid[16];

	printf("# worker %u does not come to an end:\n", i);
	snprintf(pid, sizeof(pid), "%d", (int)sh->w[i].pid);
	raw_print_stacks(pid);
	stuck = true;
}

static void kill_worker(unsigned int i)
{
	time_t end = now_s() + stuck_s;

	kill(sh->w[i].pid, SIGKILL);
	while (!reaped(&sh->w[i])) {
		if (now_s() >= end)
			return print_stuck(i);
		raw_sleep_us(1000);
	}
}

/*
 * For us microseconds, or to the first report of the kernel. When it says anything at all the workers stop before that is looked at:
 * what made it say so is then still among their programs.
 */
static bool kernel_reports(int kmsg, unsigned int us)
{
	struct pollfd p = { .fd = kmsg, .events = POLLIN };
	struct timespec ts;
	int64_t end, now;

	for (end = 0;; ) {
		clock_gettime(CLOCK_MONOTONIC, &ts);
		now = ts.tv_sec * INT64_C(1000) + ts.tv_nsec / 1000000;
		end = end ? end : now + us / 1000;
		if (now >= end || poll(&p, 1, (int)(end - now)) <= 0)
			return false;
		signal_workers(SIGSTOP);
		if (raw_kmsg_reports(kmsg))
			return true;
		signal_workers(SIGCONT);
	}
}

/* They end by themselves, each with the program that it is in; who does not is stuck. */
static void end_workers(void)
{
	time_t end = now_s() + stuck_s;

	atomic_store(&sh->stop, true);
	while (!all_reaped() && now_s() < end)
		raw_sleep_us(1000);
	for (unsigned int i = 0; i < nworkers; i++)
		if (sh->w[i].pid)
			print_stuck(i);
}

static void restore_mode(void)
{
	chmod(RAW_DEV, st_dev.st_mode & 07777);
}

static void on_term(int sig)
{
	asked = sig;
}

/* ---- corpus ---- */

static void corpus_read(const char *file)
{
	FILE *f = fopen(file, "r");
	char line[2 * PROG_MAX + 2];
	struct prog p;

	if (!f)
		raw_bail(file);
	while (fgets(line, sizeof(line), f))
		if (line[0] != '#' && prog_parse(&p, line))
			keep_program(&p);
	fclose(f);
}

static int by_length(const void *a, const void *b)
{
	return (int)(*(struct prog *const *)a)->len - (int)(*(struct prog *const *)b)->len;
}

/* Short ones first, each that comes where none before it has been. */
static void corpus_write(const char *file)
{
	static _Atomic uint64_t seen[MAP_BITS / 64];
	unsigned int n = atomic_load(&sh->ncorpus), calls, kept = 0;
	struct prog *by_len[CORPUS_MAX];
	struct cover c = { .fd = -1 };
	FILE *f = fopen(file, "w");

	if (!f || !cover_open(&c)) {
		printf("# %s is not written: %s\n", file, f ? "no KCOV" : strerror(errno));
		return;
	}
	n = n < CORPUS_MAX ? n : CORPUS_MAX;
	for (unsigned int i = 0; i < n; i++)
		by_len[i] = &sh->corpus[i].p;
	qsort(by_len, n, sizeof(*by_len), by_length);
	prog_init();
	for (unsigned int i = 0; i < n; i++) {
		if (!run_pair(NULL, &c, by_len[i], NULL, false, seen, &calls))
			continue;
		for (uint32_t k = 0; k < by_len[i]->len; k++)
			fprintf(f, "%02x", by_len[i]->byte[k]);
		fputc('\n', f);
		kept++;
	}
	fclose(f);
	printf("# %s: %u of %u programs\n", file, kept, n);
}

/* ---- */

static int replay(char **hex, int n)
{
	struct cover c = { .fd = -1 };
	struct prog p[2] = { 0 };
	struct helper h;
	unsigned int calls;

	if (n < 1 || n > 2 || !prog_parse(&p[0], hex[0]) || (n == 2 && !prog_parse(&p[1], hex[1]))) {
		fprintf(stderr, "fuzz: -r takes one or two programs, as printed\n");
		return 2;
	}
	helper_start(&h);
	prog_init();
	run_pair(&h, &c, &p[0], n == 2 ? &p[1] : NULL, true, sh->seen, &calls);
	printf("# %u calls\n", calls);
	return 0;
}

static bool chips_are_clean(int ctx, const struct hsl_chip_info *before, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		uint32_t node = before[i].node;
		struct raw_queue q;
		struct raw_seg s;

		if (!raw_chip_comes_to(ctx, node, before[i].mem_free_bytes, before[i].nqueues_free))
			return false;
		if (raw_alloc(ctx, node, 1 << 20, RAW_RW, &s) || raw_queue_open(ctx, node, &q))
			return false;
		if (raw_copy(&q, s.ga, s.ga + (1 << 19), 1 << 19))
			return false;
		raw_queue_close(&q);
		raw_free(ctx, s.handle);
	}
	return true;
}

int main(int argc, char **argv)
{
	uint64_t seed = (uint64_t)time(NULL) ^ (uint64_t)getpid() << 32;
	unsigned int seconds = 15, lives = 0, kills = 0, n = 0;
	const char *corpus = NULL, *out = NULL;
	bool report = false, disturbed = false;
	struct hsl_chip_info before[8];
	struct prog_rng r;
	time_t end;
	int opt, kmsg, ctx;

	setvbuf(stdout, NULL, _IOLBF, 0);
	sh = mmap(NULL, sizeof(*sh), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (sh == MAP_FAILED)
		raw_bail("mmap");
	while ((opt = getopt(argc, argv, "s:w:c:o:t:dr")) > 0) {
		switch (opt) {
		case 's': seed = strtoull(optarg, NULL, 0); break;
		case 'w': nworkers = (unsigned int)strtoul(optarg, NULL, 0); break;
		case 'c': corpus = optarg; break;
		case 'o': out = optarg; break;
		case 't': stuck_s = (unsigned int)strtoul(optarg, NULL, 0); break;
		case 'd': disturbed = true; break;
		case 'r': return replay(argv + optind, argc - optind);
		default: return 2;
		}
	}
	if (optind < argc)
		seconds = (unsigned int)strtoul(argv[optind], NULL, 0);
	if (!nworkers || nworkers > WORKERS_MAX)
		nworkers = WORKERS_MAX;
	kmsg = raw_kmsg_open();
	ctx = raw_open(0);
	if (getuid() || kmsg < 0 || ctx < 0 || stat(RAW_DEV, &st_dev))
		raw_skip_all("needs root and " RAW_DEV);
	for (uint32_t node = 1; !disturbed && n < 8 && !raw_chip(ctx, node, &before[n]); node++)
		before[n++].mem_free_bytes = raw_free_bytes(ctx, node);
	signal(SIGTERM, on_term);
	signal(SIGINT, on_term);
	atexit(restore_mode);
	chmod(RAW_DEV, 0666);
	if (corpus)
		corpus_read(corpus);
	printf("# seed %#" PRIx64 ", %u workers, %u s, %u programs to begin with%s\n", seed, nworkers, seconds, atomic_load(&sh->ncorpus),
	       access("/sys/kernel/debug/kcov", F_OK) ? "; no KCOV here: programs are made blindly" : "");
	r.state = seed;
	for (unsigned int i = 0; i < nworkers; i++)
		worker_start(i, seed + ++lives * 1000003);
	end = now_s() + seconds;
	while (now_s() < end && !report && !stuck && !died && !asked) {
		unsigned int v = (unsigned int)prog_rnd(&r, nworkers);

		report = kernel_reports(kmsg, 100000 + (unsigned int)prog_rnd(&r, 800000));
		for (unsigned int i = 0; i < nworkers && !report; i++) {
			if (reaped(&sh->w[i])) {
				printf("# worker %u is gone\n", i);
				died = true;
			} else if (now_s() - atomic_load(&sh->w[i].began) >= stuck_s) {
				print_stuck(i);
			}
		}
		if (!died && !report && !stuck && !prog_rnd(&r, 16)) {
			kill_worker(v);
			if (stuck)
				break;
			kills++;
			worker_start(v, seed + ++lives * 1000003);
		}
	}
	if (!report && !stuck && !died) {
		end_workers();
		report = raw_kmsg_reports(kmsg);
	}
	if (report || stuck || died)
		print_workers();
	signal_workers(SIGKILL);
	while (!stuck && !all_reaped())
		raw_sleep_us(1000);
	printf("# %lu programs, %lu calls, %u kills; %u places of the driver seen, %u programs came somewhere new\n",
	       atomic_load(&sh->programs), atomic_load(&sh->calls), kills, atomic_load(&sh->places), atomic_load(&sh->ncorpus));
	if (out && !report && !stuck)
		corpus_write(out);
	raw_check(atomic_load(&sh->programs) > 0 && !died, "programs ran, and no worker died by itself");
	raw_check(!stuck, "each program came to an end");
	if (!disturbed)
		raw_check(!stuck && chips_are_clean(ctx, before, n), "the chips have their memory and queues back, and work");
	report |= raw_kmsg_reports(kmsg) != 0;
	raw_check(!report, "the kernel reported nothing");
	return raw_done();
}
