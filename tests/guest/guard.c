// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * What the driver guards, on the raw ABI. As root in the VM with 2 chips.
 *
 *   guard limits | creator | events | links | abort	prints TAP; exit 0, 1, 77
 *
 * limits: of a user without privileges (HEP-API-011). creator: queues are of the process that made them (HEP-SEC-009).
 * events, links: read and poll of the context file (HEP-API-012); links needs QMP=guest. abort: QUEUE_ABORT, and freeing what a WAIT looks at
 * (HEP-QUE-018, HEP-TXN-024).
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/raw.h"

#define PAGE	4096u
#define USER	1234
#define OTHER	1235

/* Runs fn in a child; what it checks is counted here, by its exit status and its lines. */
static void in_child(void (*fn)(void *arg), void *arg)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid < 0)
		raw_bail("fork");
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		raw_nfailed = 0;
		fn(arg);
		_exit(raw_nfailed != 0);
	}
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status))
		raw_nfailed++;
}

/* no numbers: children print results too */
static void expect(int got, int want, const char *what)
{
	printf("%sok - %s: %d%s", got == want ? "" : "not ", what, got, got == want ? "\n" : "");
	if (got != want)
		printf(", wanted %d\n", want);
	raw_nfailed += got != want;
}

static void become(unsigned int uid)
{
	if (setgroups(0, NULL) || setgid(uid) || setuid(uid))
		raw_bail("setuid");
}

/* ---- limits ---- */

static void set_limit(const char *name, unsigned long value)
{
	char path[96], text[32];

	snprintf(path, sizeof(path), "/sys/module/hsl/parameters/%s", name);
	snprintf(text, sizeof(text), "%lu", value);
	if (raw_write_file(path, text))
		raw_bail(path);
}

static void limited_contexts(void *arg)
{
	int fd[4];

	(void)arg;
	become(USER);
	for (int i = 0; i < 3; i++)
		fd[i] = raw_open(0);
	expect(fd[0] >= 0 && fd[1] >= 0 && fd[2] >= 0, 1, "three contexts");
	expect(raw_open(0), -EDQUOT, "the fourth");
	close(fd[1]);
	fd[1] = raw_open(0);
	expect(fd[1] >= 0, 1, "another one after a close");
}

static void limited_queues(void *arg)
{
	struct hsl_queue_create c = { .size = sizeof(c), .node = 1, .depth = 16 }, d = c, e = c;
	int ctx[2];

	(void)arg;
	become(USER);
	ctx[0] = raw_open(0);
	ctx[1] = raw_open(0);
	expect(raw_ioctl(ctx[0], HSL_IOC_QUEUE_CREATE, &c), 0, "a queue");
	expect(raw_ioctl(ctx[1], HSL_IOC_QUEUE_CREATE, &d), 0, "a queue of another context of the user");
	expect(raw_ioctl(ctx[1], HSL_IOC_QUEUE_CREATE, &e), -EDQUOT, "the third");
	e.depth = 3;
	expect(raw_ioctl(ctx[1], HSL_IOC_QUEUE_CREATE, &e), -EINVAL, "one that could not be is told so first");
	close(c.fd);
	e.depth = 16;
	for (int i = 0; i < 20; i++) {
		int r = raw_ioctl(ctx[1], HSL_IOC_QUEUE_CREATE, &e);

		if (r || i == 19)
			expect(r, 0, "20 queues one after the other");
		if (r)
			break;
		close(e.fd);
	}
	close(ctx[1]);	/* its queue's file is still open, and counts */
	expect(raw_ioctl(ctx[0], HSL_IOC_QUEUE_CREATE, &c), 0, "a queue");
	expect(raw_ioctl(ctx[0], HSL_IOC_QUEUE_CREATE, &e), -EDQUOT, "the file of a dead queue counts");
	close(d.fd);
	expect(raw_ioctl(ctx[0], HSL_IOC_QUEUE_CREATE, &e), 0, "until it is closed");
}

static int reg(int ctx, void *p, uint32_t *handle)
{
	struct hsl_segment_register r = { .size = sizeof(r), .addr = (uintptr_t)p, .len_bytes = PAGE,
					  .rights = RAW_RW };
	int err = raw_ioctl(ctx, HSL_IOC_SEGMENT_REGISTER, &r);

	*handle = r.handle;
	return err;
}

static void limited_segments(void *arg)
{
	static char buf[PAGE] __attribute__((aligned(PAGE)));
	struct raw_seg s, t, u;
	uint32_t handle;
	int ctx, ctx2, fd;

	(void)arg;
	become(USER);
	ctx = raw_open(0);
	ctx2 = raw_open(0);
	expect(raw_alloc(ctx, 1, PAGE, RAW_RW, &s), 0, "a segment");
	expect(reg(ctx, buf, &handle), 0, "registered memory");
	fd = raw_export(ctx, s.handle, RAW_RW);
	expect(raw_import(ctx2, fd, 0, &t), 0, "an import");
	expect(raw_alloc(ctx2, 1, PAGE, RAW_RW, &u), -EDQUOT, "the fourth, by SEGMENT_ALLOC");
	expect(raw_import(ctx2, fd, 0, &u), -EDQUOT, "by SEGMENT_IMPORT");
	expect(reg(ctx2, buf, &u.handle), -EDQUOT, "by SEGMENT_REGISTER");
	expect(raw_revoke(ctx, s.handle), 0, "a revoke");
	expect(raw_alloc(ctx2, 1, PAGE, RAW_RW, &u), -EDQUOT, "a revoked handle counts");
	expect(raw_free(ctx2, t.handle), 0, "until it is freed");
	for (int i = 0; i < 20; i++) {
		int r = raw_alloc(ctx2, 1, PAGE, RAW_RW, &u);

		if (!r)
			r = raw_import(ctx2, fd, 0, &t) == -EDQUOT ? raw_free(ctx2, u.handle) : -EIO;
		if (r || i == 19)
			expect(r, 0, "20 segments one after the other");
	}
	close(ctx);
	expect(raw_alloc(ctx2, 1, PAGE, RAW_RW, &u), 0, "what a context had");
	expect(raw_alloc(ctx2, 1, PAGE, RAW_RW, &u), 0, "is given back");
	expect(raw_alloc(ctx2, 1, PAGE, RAW_RW, &u), 0, "when it is closed");
	expect(raw_alloc(ctx2, 1, PAGE, RAW_RW, &u), -EDQUOT, "and no more");
}

/* Memory is charged to who allocated it, also while only another user has it. */
struct mem_case {
	int sock[2];
};

static void mem_importer(void *arg)
{
	struct mem_case *m = arg;
	struct raw_seg s;
	uint64_t word;
	int ctx, fd;

	become(OTHER);
	ctx = raw_open(0);
	if (raw_recv_fd(m->sock[1], &fd, &word)) {
		expect(0, 1, "an export to import");
		return;
	}
	expect(raw_import(ctx, fd, 0, &s), 0, "import by another user");
	close(fd);
	if (write(m->sock[1], "i", 1) != 1 || read(m->sock[1], &word, sizeof(word)) <= 0)
		expect(0, 1, "talk");
	expect(raw_free(ctx, s.handle), 0, "free by the other user");
	if (write(m->sock[1], "f", 1) != 1)
		expect(0, 1, "talk");
}

static void limited_mem(void *arg)
{
	struct mem_case *m = arg;
	struct raw_seg s, t;
	char c = 0;
	int ctx, fd;

	become(USER);
	ctx = raw_open(0);
	expect(raw_alloc(ctx, 1, 5 * PAGE, RAW_RW, &s), -EDQUOT, "more than may be had");
	expect(raw_alloc(ctx, 1, 3 * PAGE, RAW_RW, &s), 0, "three pages");
	expect(raw_alloc(ctx, 2, 2 * PAGE, RAW_RW, &t), -EDQUOT, "two more, on another chip");
	expect(raw_alloc(ctx, 2, 1, RAW_RW, &t), 0, "one more");
	expect(raw_alloc(ctx, 1, 1ull << 50, RAW_RW, &t), -ENOSPC, "what no chip has is told so first");
	fd = raw_export(ctx, s.handle, RAW_RW);
	raw_send_fd(m->sock[0], fd, 0);
	close(fd);
	if (read(m->sock[0], &c, 1) != 1 || c != 'i')
		expect(0, 1, "talk");
	expect(raw_free(ctx, s.handle), 0, "free while another user has it");
	expect(raw_alloc(ctx, 1, PAGE, RAW_RW, &t), -EDQUOT, "memory that somebody still holds counts");
	if (write(m->sock[0], "g", 1) != 1 || read(m->sock[0], &c, 1) != 1)
		expect(0, 1, "talk");
	expect(raw_alloc(ctx, 1, 3 * PAGE, RAW_RW, &t), 0, "until it is freed");
	expect(raw_alloc(ctx, 1, PAGE, RAW_RW, &t), -EDQUOT, "and no more");
}

static void privileged(void *arg)
{
	struct raw_seg s;
	int ctx = raw_open(0);

	(void)arg;
	expect(raw_open(0) >= 0, 1, "CAP_SYS_RESOURCE is not refused a second context");
	expect(raw_alloc(ctx, 1, 8 * PAGE, RAW_RW, &s), 0, "nor chip memory");
}

static void test_limits(void)
{
	struct mem_case m;
	pid_t pid;
	int status;

	set_limit("max_contexts", 3);
	in_child(limited_contexts, NULL);
	set_limit("max_queues", 2);
	in_child(limited_queues, NULL);
	set_limit("max_segments", 3);
	in_child(limited_segments, NULL);
	set_limit("max_chip_mem_bytes", 4 * PAGE);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, m.sock))
		raw_bail("socketpair");
	fflush(stdout);
	pid = fork();
	if (!pid) {
		close(m.sock[0]);
		raw_nfailed = 0;
		mem_importer(&m);
		_exit(raw_nfailed != 0);
	}
	close(m.sock[1]);
	in_child(limited_mem, &m);
	close(m.sock[0]);
	raw_nfailed += waitpid(pid, &status, 0) != pid || status;
	set_limit("max_contexts", 1);
	in_child(privileged, NULL);
	/* all is given back: the same again */
	set_limit("max_contexts", 3);
	in_child(limited_contexts, NULL);
	in_child(limited_queues, NULL);
	in_child(limited_segments, NULL);
	set_limit("max_contexts", 256);
	set_limit("max_queues", 1024);
	set_limit("max_segments", 131072);
	set_limit("max_chip_mem_bytes", 0);
}

/* ---- queues of their creator ---- */

static struct raw_queue queue;

static int try_map(int fd, uint64_t off)
{
	void *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)off);

	if (p == MAP_FAILED)
		return -errno;
	munmap(p, PAGE);
	return 0;
}

static void stranger(int fd)
{
	struct hsl_queue_kick k = { .size = sizeof(k), .sq_tail = 1 };
	struct hsl_queue_abort a = { .size = sizeof(a) };
	struct hsl_queue_info i = { .size = sizeof(i) };

	expect(try_map(fd, HSL_QUEUE_MMAP_RINGS), -EACCES, "mmap of the rings");
	expect(try_map(fd, HSL_QUEUE_MMAP_DOORBELL), -EACCES, "mmap of the doorbell");
	expect(raw_ioctl(fd, HSL_IOC_QUEUE_KICK, &k), -EACCES, "QUEUE_KICK");
	expect(raw_ioctl(fd, HSL_IOC_QUEUE_ABORT, &a), -EACCES, "QUEUE_ABORT");
	expect(raw_ioctl(fd, HSL_IOC_QUEUE_INFO, &i), 0, "QUEUE_INFO");
	expect((int)i.state, HSL_QUEUE_READY, "its state");
}

static void forked(void *arg)
{
	(void)arg;
	raw_catch_faults();
	printf("# a child\n");
	stranger(queue.fd);
	expect(RAW_TRY((void)*(volatile uint32_t *)queue.rings), 0, "the rings' mapping is not there");
	expect(RAW_TRY((void)queue.db[HSL_DB_STATE / 4]), 0, "nor the doorbell's");
}

static void forked_after_dofork(void *arg)
{
	(void)arg;
	raw_catch_faults();
	printf("# a child after MADV_DOFORK\n");
	expect(RAW_TRY((void)*(volatile uint32_t *)queue.rings), 0, "reading the rings");
	expect(RAW_TRY(*(volatile uint32_t *)queue.rings = 1), 0, "writing them");
}

static void execed(void *arg)
{
	char text[16];

	(void)arg;
	snprintf(text, sizeof(text), "%d", queue.fd);
	fcntl(queue.fd, F_SETFD, 0);
	execl("/proc/self/exe", "guard", "stranger", text, NULL);
	_exit(1);
}

static void got_it(void *arg)
{
	int *sock = arg, fd;
	uint64_t word;

	close(queue.fd);
	printf("# who got the file\n");
	if (raw_recv_fd(sock[1], &fd, &word))
		expect(0, 1, "a descriptor");
	else
		stranger(fd);
}

static void nop(const char *what)
{
	raw_submit(&queue, &(struct hsl_desc){ .opcode = HSL_OP_NOP });
	expect(raw_complete(&queue, 30000), HSL_ST_OK, what);
}

static void *nop_thread(void *arg)
{
	nop(arg);
	return NULL;
}

static void test_creator(void)
{
	struct hsl_queue_kick k = { .size = sizeof(k) };
	int ctx = raw_open(0), sock[2];
	char how[] = "a thread uses it";
	pthread_t t;
	pid_t pid;

	if (raw_queue_open(ctx, 1, &queue) || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sock))
		raw_bail("a queue");
	nop("the creator uses its queue");
	in_child(forked, NULL);
	printf("# a program started by exec\n");
	in_child(execed, NULL);
	raw_send_fd(sock[0], queue.fd, 0);
	in_child(got_it, sock);
	expect(madvise((void *)(uintptr_t)queue.db, PAGE, MADV_DOFORK) ? -errno : 0, -EINVAL,
	       "MADV_DOFORK of the doorbell");
	/* 7.x refuses it for all special mappings; where it is allowed, it gives a child nothing */
	expect(madvise(queue.rings, queue.c.ring_bytes, MADV_DOFORK) && errno != EINVAL ? -errno : 0, 0, "MADV_DOFORK of the rings");
	in_child(forked_after_dofork, NULL);
	nop("after all that the creator uses it");
	if (!pthread_create(&t, NULL, nop_thread, how))
		pthread_join(t, NULL);
	k.sq_tail = queue.tail;
	expect(raw_ioctl(queue.fd, HSL_IOC_QUEUE_KICK, &k), 0, "QUEUE_KICK by the creator");
	pid = vfork();	/* the same memory: the same process, as far as this goes */
	if (!pid)
		_exit(raw_ioctl(queue.fd, HSL_IOC_QUEUE_KICK, &k) ? 1 : 0);
	int status = -1;

	waitpid(pid, &status, 0);
	expect(status, 0, "QUEUE_KICK by a vfork child");
	close(ctx);
	expect(raw_complete(&queue, 1000), -1, "the queue ends with its context");
}

/* ---- events ---- */

static char bdf[3][32];

static void pci(unsigned int node, const char *file)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/%s", bdf[node], file);
	if (raw_write_file(path, "1"))
		raw_bail(path);
}

static void driver(const char *file, unsigned int node)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/bus/pci/drivers/hsl_pci/%s", file);
	if (raw_write_file(path, bdf[node]))
		raw_bail(path);
}

#define EVENTS_MAX 512
static struct hsl_event_info ev[EVENTS_MAX];

/* At least so many, and what comes until nothing comes for quiet_ms; how many, -1 if too few. */
static int gather_until(int fd, int want, int quiet_ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int n = 0;

	while (n < EVENTS_MAX && poll(&p, 1, n < want ? 30000 : quiet_ms) > 0 && p.revents & POLLIN) {
		ssize_t r = read(fd, &ev[n], (EVENTS_MAX - (size_t)n) * sizeof(ev[0]));

		if (r <= 0 || r % (ssize_t)sizeof(ev[0]))
			return -1;
		n += (int)(r / (ssize_t)sizeof(ev[0]));
	}
	if (n >= want)
		return n;
	printf("# %d events, wanted %d\n", n, want);
	return -1;
}

/* For who counts: one too many is among them. */
static int gather(int fd, int want)
{
	return gather_until(fd, want, 300);
}

static bool consecutive(int n, uint64_t *last)
{
	for (int i = 0; i < n; i++) {
		uint64_t skipped = ev[i].type == HSL_FABRIC_EV_OVERFLOW ? ev[i].value : 1;

		if (ev[i].seq != *last + skipped)
			return false;
		*last = ev[i].seq;
	}
	return true;
}

static int count(int n, uint32_t type, uint32_t node, int64_t value)
{
	int c = 0;

	for (int i = 0; i < n; i++)
		c += ev[i].type == type && ev[i].node == node && (value < 0 || ev[i].value == value);
	return c;
}

static int position(int n, uint32_t type, uint32_t node, int64_t value)
{
	for (int i = 0; i < n; i++)
		if (ev[i].type == type && ev[i].node == node && (value < 0 || ev[i].value == value))
			return i;
	return -1;
}

static void print_events(int n)
{
	for (int i = 0; i < n; i++)
		printf("#   %llu at %llu type %u node %u index %u value %u\n", (unsigned long long)ev[i].seq,
		       (unsigned long long)ev[i].time_ns, ev[i].type, ev[i].node, ev[i].index, ev[i].value);
}

struct blocked {
	int fd;
	atomic_int in, out;
	ssize_t ret;
	int err;
	struct hsl_event_info e;
};

static void *block(void *arg)
{
	struct blocked *b = arg;

	atomic_store(&b->in, 1);
	b->ret = read(b->fd, &b->e, sizeof(b->e));
	b->err = errno;
	atomic_store(&b->out, 1);
	return NULL;
}

static void nothing(int sig)
{
	(void)sig;
}

static void start_blocked(struct blocked *b, int fd, pthread_t *t)
{
	memset(b, 0, sizeof(*b));
	b->fd = fd;
	if (pthread_create(t, NULL, block, b))
		raw_bail("pthread_create");
	while (!atomic_load(&b->in))
		raw_sleep_us(1000);
	raw_sleep_us(100000);
}

static void events_of_reset(int fd, uint64_t *last)
{
	int n, down, up;

	pci(2, "reset");
	n = gather(fd, 2);
	down = position(n, HSL_FABRIC_EV_CHIP_STATE, 2, HSL_CHIP_RESETTING);
	up = position(n, HSL_FABRIC_EV_CHIP_STATE, 2, HSL_CHIP_READY);
	expect(n > 0 && down >= 0 && up > down, 1, "a reset is told by resetting, then ready");
	expect(count(n, HSL_FABRIC_EV_CHIP_STATE, 2, -1), 2, "states told");
	expect(count(n, HSL_FABRIC_EV_CHIP_STATE, 1, -1), 0, "states of the other chip told");
	expect(n > 0 && consecutive(n, last), 1, "sequence numbers are consecutive");
	print_events(n);
}

static void events_of_unbind(int fd, uint64_t *last)
{
	int n, i;

	driver("unbind", 2);
	n = gather(fd, 1);
	expect(count(n, HSL_FABRIC_EV_CHIP_REMOVE, 2, -1), 1, "unbind tells that the chip left");
	expect(count(n, HSL_FABRIC_EV_CHIP_STATE, 2, -1), 0, "and no state");
	expect(n > 0 && consecutive(n, last), 1, "sequence numbers are consecutive");
	print_events(n);
	driver("bind", 2);
	n = gather(fd, 1);
	i = position(n, HSL_FABRIC_EV_CHIP_ADD, 2, -1);
	expect(i >= 0 && count(n, HSL_FABRIC_EV_CHIP_ADD, 2, -1) == 1, 1, "bind tells that it is back");
	expect(n > 0 && consecutive(n, last), 1, "sequence numbers are consecutive");
	print_events(n);
}

static void events_of_blocked(int fd, uint64_t *last)
{
	struct sigaction sa = { .sa_handler = nothing };
	struct blocked b;
	pthread_t t;
	int n;

	sigaction(SIGUSR1, &sa, NULL);
	start_blocked(&b, fd, &t);
	expect(atomic_load(&b.out), 0, "a reader waits");
	pthread_kill(t, SIGUSR1);
	pthread_join(t, NULL);
	expect(b.ret < 0 ? b.err : 0, EINTR, "a signal ends the wait");
	start_blocked(&b, fd, &t);
	pci(1, "reset");
	pthread_join(t, NULL);
	expect((int)b.ret, (int)sizeof(b.e), "an event wakes the reader");
	ev[0] = b.e;
	expect(consecutive(1, last), 1, "with the next number");
	n = gather(fd, 1);
	expect(n > 0 && consecutive(n, last), 1, "and the rest follows");
}

/* Threads that read the same file share its events: each is read once, by one. */
static void events_of_two(int fd, uint64_t *last)
{
	struct blocked b[2];
	pthread_t t[2];
	int n;

	for (int i = 0; i < 2; i++)
		start_blocked(&b[i], fd, &t[i]);
	pci(2, "reset");
	for (int i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
	n = b[0].e.seq < b[1].e.seq ? 0 : 1;
	ev[0] = b[n].e;
	ev[1] = b[!n].e;
	expect(b[0].ret == sizeof(ev[0]) && b[1].ret == sizeof(ev[0]) && consecutive(2, last), 1,
	       "two readers of a file get an event each");
	n = gather(fd, 0);
	expect(consecutive(n, last), 1, "and the rest follows");
}

static void events_overflow(int fd, int slow, uint64_t last, uint64_t slow_last)
{
	int n;

	while (last - slow_last < 300) {
		driver("unbind", 2);	/* two events for a fifth of a reset's time */
		driver("bind", 2);
		n = gather_until(fd, 2, 0);
		if (n < 0 || !consecutive(n, &last)) {
			expect(n, 2, "events of a chip that left and is back, for who reads in time");
			return;
		}
	}
	expect(gather(fd, 0), 0, "more events than those");
	n = gather(slow, 257);
	expect(n, 257, "a slow reader gets the last 256 and a word about the rest");
	expect(n > 0 && ev[0].type == HSL_FABRIC_EV_OVERFLOW, 1, "that comes first");
	expect((int)ev[0].value, (int)(last - slow_last - 256), "how many were lost");
	expect(n > 0 && consecutive(n, &slow_last), 1, "sequence numbers are consecutive over it");
	expect(slow_last == last, 1, "both have read all");
}

static void events_end(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	struct blocked b;
	pthread_t t;
	int other = raw_open(0), n;

	start_blocked(&b, other, &t);
	driver("unbind", 1);
	pthread_join(t, NULL);
	expect((int)b.ret, (int)sizeof(b.e), "the first chip leaves");
	gather(fd, 1);
	fcntl(other, F_SETFL, O_NONBLOCK);
	while (read(other, ev, sizeof(ev)) > 0)
		;
	fcntl(other, F_SETFL, 0);
	start_blocked(&b, other, &t);
	driver("unbind", 2);
	pthread_join(t, NULL);
	expect(b.ret == sizeof(b.e) && b.e.type == HSL_FABRIC_EV_CHIP_REMOVE && b.e.node == 2, 1,
	       "the last chip leaves");
	expect(read(other, &b.e, sizeof(b.e)) < 0 ? errno : 0, ENODEV, "and then there is nothing more to read");
	expect(poll(&p, 1, 0) == 1 && p.revents & POLLHUP && p.revents & POLLIN, 1, "poll: POLLHUP, and what is left");
	n = gather(fd, 1);
	expect(n > 0 && ev[n - 1].type == HSL_FABRIC_EV_CHIP_REMOVE && ev[n - 1].node == 2, 1, "it can be read");
	expect(read(fd, ev, sizeof(ev)) < 0 ? errno : 0, ENODEV, "then ENODEV");
	expect(poll(&p, 1, 0) == 1 && p.revents == POLLHUP, 1, "and POLLHUP alone");
	close(other);
	driver("bind", 1);
	driver("bind", 2);
}

static void test_events(void)
{
	int fd = raw_open(0), slow = raw_open(0);
	struct pollfd p = { .fd = fd, .events = POLLIN };
	uint64_t last = 0, slow_last;

	for (uint32_t node = 1; node <= 2; node++) {
		struct hsl_chip_info ci;

		if (raw_chip(fd, node, &ci))
			raw_skip_all("two chips are needed");
		snprintf(bdf[node], sizeof(bdf[node]), "%s", ci.bus_addr);
	}
	/* a file sees what comes after its open: the first number is only known with the first event */
	expect(poll(&p, 1, 200), 0, "a new file has nothing to read");
	pci(1, "reset");
	if (gather(fd, 2) <= 0)
		raw_bail("no events");
	last = ev[0].seq - 1;
	gather(slow, 2);
	slow_last = last = ev[0].seq - 1;
	for (int i = 0; i < EVENTS_MAX && ev[i].seq == last + 1; i++)
		last = ev[i].seq;
	slow_last = last;
	events_of_reset(fd, &last);
	events_of_unbind(fd, &last);
	events_of_blocked(fd, &last);
	events_of_two(fd, &last);
	events_overflow(fd, slow, last, slow_last);
	events_end(fd);
	close(slow);
	close(fd);
}

/* ---- links ---- */

static void link_down(int qmp, const char *value)
{
	char cmd[160];

	snprintf(cmd, sizeof(cmd), "{\"execute\":\"qom-set\",\"arguments\":{\"path\":\"/objects/fab0\","
		 "\"property\":\"link-down\",\"value\":\"%s\"}}\n", value);
	if (write(qmp, cmd, strlen(cmd)) < 0)
		raw_bail("QMP");
}

/* Both ends tell of their link, once each. */
static void links_told(int fd, uint64_t *last, const char *what)
{
	struct hsl_link_info l;
	int n = gather(fd, 2);

	print_events(n);
	expect(count(n, HSL_FABRIC_EV_LINK, 1, -1), 1, what);
	expect(count(n, HSL_FABRIC_EV_LINK, 2, -1), 1, "also at the other end");
	expect(n, 2, "events");
	expect(*last ? consecutive(n, last) : 1, 1, "sequence numbers are consecutive");
	if (n > 0)
		*last = ev[n - 1].seq;
	for (int i = 0; i < n; i++) {
		l = (struct hsl_link_info){ .size = sizeof(l), .node = ev[i].node, .index = ev[i].index };
		expect(raw_ioctl(fd, HSL_IOC_LINK_INFO, &l), 0, "LINK_INFO");
		expect((int)ev[i].value, (int)l.state, "the state told is that of LINK_INFO");
	}
}

static void test_links(void)
{
	static const char hello[] = "{\"execute\":\"qmp_capabilities\"}\n";
	int qmp = open("/dev/virtio-ports/org.hsl.qmp", O_RDWR | O_NONBLOCK), fd = raw_open(0);
	uint64_t last = 0;

	if (qmp < 0)
		raw_skip_all("needs QMP=guest");
	if (write(qmp, hello, strlen(hello)) < 0)
		raw_bail("QMP");
	for (int i = 0; i < 3; i++) {
		link_down(qmp, "1-2");
		links_told(fd, &last, "a link goes down");
		link_down(qmp, "");
		links_told(fd, &last, "and up");
	}
	close(qmp);
	close(fd);
}

/* ---- abort ---- */

static void wait_op(struct raw_queue *q, uint64_t ga)
{
	raw_submit(q, &(struct hsl_desc){ .opcode = HSL_OP_WAIT, .subop = HSL_WAIT_EQ, .src = ga, .len = 8,
					  .arg0 = ~0ull });
}

static void *aborter(void *arg)
{
	struct hsl_queue_abort a = { .size = sizeof(a) };
	int *ret = arg;

	do {
		*ret = raw_ioctl(queue.fd, HSL_IOC_QUEUE_ABORT, &a);
	} while (!*ret);
	return NULL;
}

/* Aborts against commands, then against a reset of the chip. */
static void abort_race(int ctx, uint64_t dst, uint64_t src)
{
	unsigned int ok = 0, aborted = 0, other = 0;
	struct hsl_chip_info ci;
	pthread_t t;
	int ret = 0;

	if (raw_queue_open(ctx, 1, &queue) || raw_chip(ctx, 1, &ci) || pthread_create(&t, NULL, aborter, &ret))
		raw_bail("a queue and a thread");
	snprintf(bdf[1], sizeof(bdf[1]), "%s", ci.bus_addr);
	for (int round = 0; round < 300; round++) {
		for (int i = 0; i < 8; i++)
			raw_submit(&queue, &(struct hsl_desc){ .opcode = HSL_OP_COPY, .dst = dst, .src = src,
							       .len = i * 65536u });
		for (int i = 0; i < 8; i++) {
			int st = raw_complete(&queue, 30000);

			ok += st == HSL_ST_OK;
			aborted += st == HSL_ST_ABORTED;
			other += st != HSL_ST_OK && st != HSL_ST_ABORTED;
		}
	}
	printf("# %u ok, %u aborted\n", ok, aborted);
	expect((int)other, 0, "commands under aborts complete as OK or ABORTED, once each; others");
	expect(aborted > 0, 1, "some are aborted");
	wait_op(&queue, dst);
	pci(1, "reset");
	pthread_join(t, NULL);
	expect(ret, -ESHUTDOWN, "an abort in a reset");
	raw_queue_close(&queue);
}

static void test_abort(void)
{
	struct hsl_queue_abort a = { .size = sizeof(a) };
	struct hsl_chip_info ci;
	struct raw_queue q;
	struct raw_seg s, big, big2;
	int ctx = raw_open(0), n;

	if (raw_chip(ctx, 1, &ci) || raw_queue_open(ctx, 1, &q) || raw_alloc(ctx, 2, PAGE, RAW_RW, &s) ||
	    raw_alloc(ctx, 1, 64u << 20, RAW_RW, &big) || raw_alloc(ctx, 2, 64u << 20, RAW_RW, &big2))
		raw_bail("a queue and segments");
	n = raw_ioctl(q.fd, HSL_IOC_QUEUE_ABORT, &a);
	if (!(ci.cap & HSL_CAP_OP_SIGNAL))
		raw_skip_all("the chip has no WAIT");
	expect(n, 0, "abort of an idle queue");
	for (int i = 0; i < 10; i++)
		raw_submit(&q, &(struct hsl_desc){ .opcode = HSL_OP_COPY, .dst = big2.ga, .src = big.ga,
						   .len = 64u << 20 });
	expect(raw_ioctl(q.fd, HSL_IOC_QUEUE_ABORT, &a), 0, "abort of copies");
	n = 0;
	for (int i = 0; i < 10; i++) {
		int st = raw_complete(&q, 0);	/* they are there when it returns */

		n += st == HSL_ST_ABORTED || st == HSL_ST_OK;
	}
	expect(n, 10, "each has completed when it returns");
	expect(raw_complete(&q, 100), -2, "once");
	wait_op(&q, s.ga);
	raw_submit(&q, &(struct hsl_desc){ .opcode = HSL_OP_NOP });
	expect(raw_complete(&q, 200), -2, "a WAIT is parked");
	expect(raw_ioctl(q.fd, HSL_IOC_QUEUE_ABORT, &a), 0, "abort of a WAIT");
	expect(raw_complete(&q, 0), HSL_ST_ABORTED, "the WAIT");
	expect(raw_complete(&q, 0), HSL_ST_ABORTED, "what was behind it");
	expect(raw_copy(&q, big2.ga, big.ga, PAGE), HSL_ST_OK, "the queue takes commands");
	wait_op(&q, s.ga);
	raw_sleep_us(50000);
	expect(raw_free(ctx, s.handle), 0, "free of what a WAIT looks at");
	expect(raw_complete(&q, 0), HSL_ST_REVOKED, "the WAIT has ended before");
	expect(raw_copy(&q, big2.ga, big.ga, PAGE), HSL_ST_OK, "the queue takes commands");
	abort_race(ctx, big2.ga, big.ga);
	close(ctx);
	expect(raw_ioctl(q.fd, HSL_IOC_QUEUE_ABORT, &a), -ESHUTDOWN, "abort of a queue that has ended");
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "creator";

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (access(RAW_DEV, F_OK))
		raw_skip_all("no " RAW_DEV);
	if (!strcmp(what, "stranger") && argc > 2) {
		stranger(atoi(argv[2]));
		return raw_nfailed != 0;
	}
	if (getuid())
		raw_skip_all("needs root");
	if (!strcmp(what, "limits"))
		test_limits();
	else if (!strcmp(what, "creator"))
		test_creator();
	else if (!strcmp(what, "events"))
		test_events();
	else if (!strcmp(what, "links"))
		test_links();
	else if (!strcmp(what, "abort"))
		test_abort();
	else
		raw_skip_all("usage: guard limits|creator|events|links|abort");
	return raw_nfailed != 0;
}
