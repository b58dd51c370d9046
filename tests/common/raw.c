// SPDX-License-Identifier: MIT OR Apache-2.0
/* See raw.h. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <regex.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "raw.h"

int raw_ntests, raw_nfailed;

void raw_check(bool ok, const char *fmt, ...)
{
	va_list ap;

	printf("%sok %d - ", ok ? "" : "not ", ++raw_ntests);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	raw_nfailed += !ok;
}

void raw_bail(const char *what)
{
	printf("Bail out! %s: %s\n", what, strerror(errno));
	exit(1);
}

void raw_skip_all(const char *why)
{
	printf("1..0 # SKIP %s\n", why);
	exit(77);
}

int raw_done(void)
{
	printf("1..%d\n", raw_ntests);
	return raw_nfailed != 0;
}

int raw_ioctl(int fd, unsigned long nr, void *arg)
{
	return ioctl(fd, nr, arg) < 0 ? -errno : 0;
}

int raw_open(int flags)
{
	int fd = open(RAW_DEV, O_RDWR | O_CLOEXEC | flags);

	return fd < 0 ? -errno : fd;
}

void raw_sleep_us(unsigned int us)
{
	struct timespec ts = { us / 1000000, us % 1000000 * 1000L };

	nanosleep(&ts, NULL);
}

void raw_die_with(pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
}

int raw_write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), r = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		r = -errno;
	close(fd);
	return r;
}

uint64_t raw_mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

int raw_kmsg_open(void)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	lseek(fd, 0, SEEK_END);
	return fd;
}

unsigned int raw_kmsg_reports(int kmsg)
{
	static regex_t re;
	static bool compiled;
	unsigned int n = 0;
	char line[8192];
	ssize_t len;

	if (!compiled && regcomp(&re, "WARNING: |BUG: |Oops|KASAN: |UBSAN: |INFO: task|INFO: rcu|possible (circular|recursive) locking|"
				 "suspicious RCU|inconsistent lock|refcount_t: |general protection|ODEBUG: |list_(add|del) corruption|"
				 "DMA-API: [^ ]+ [^ ]+: |DMAR: .*fault|Call Trace:", REG_EXTENDED | REG_NOSUB))
		raw_bail("regcomp");
	compiled = true;
	/* EPIPE: lines were overwritten before they were read */
	while ((len = read(kmsg, line, sizeof(line) - 1)) > 0 || (len < 0 && errno == EPIPE)) {
		if (len < 0)
			continue;
		line[len] = 0;
		if (!regexec(&re, line, 0, NULL, 0)) {
			printf("# kernel: %s", line);
			n++;
		}
	}
	return n;
}

void raw_print_stacks(const char *pids)
{
	char cmd[400];

	fflush(stdout);
	snprintf(cmd, sizeof(cmd), "for t in /proc/%s/task/[0-9]*; do [ -e $t/exe ] || grep -q '^State:.*D' $t/status || continue; "
		 "echo \"# $t $(cat $t/comm): $(sed -n 's/^State:[[:space:]]*//p' $t/status)\"; sed 's/^/#   /' $t/stack; done 2>/dev/null", pids);
	(void)!system(cmd);
}

/* ---- segments ---- */

int raw_alloc(int ctx, uint32_t node, uint64_t len, uint32_t rights, struct raw_seg *s)
{
	struct hsl_segment_alloc a = { .size = sizeof(a), .node = node, .len_bytes = len, .rights = rights };
	int r = raw_ioctl(ctx, HSL_IOC_SEGMENT_ALLOC, &a);

	if (!r)
		*s = (struct raw_seg){ a.handle, rights, a.ga, a.len_bytes };
	return r;
}

int raw_export(int ctx, uint32_t handle, uint32_t rights)
{
	struct hsl_segment_export e = { .size = sizeof(e), .handle = handle, .rights = rights };
	int r = raw_ioctl(ctx, HSL_IOC_SEGMENT_EXPORT, &e);

	return r ? r : e.fd;
}

int raw_import(int ctx, int fd, uint32_t rights, struct raw_seg *s)
{
	struct hsl_segment_import i = { .size = sizeof(i), .fd = fd, .rights = rights };
	int r = raw_ioctl(ctx, HSL_IOC_SEGMENT_IMPORT, &i);

	if (!r)
		*s = (struct raw_seg){ i.handle, i.rights, i.ga, i.len_bytes };
	return r;
}

int raw_revoke(int ctx, uint32_t handle)
{
	struct hsl_segment_revoke r = { .size = sizeof(r), .handle = handle };

	return raw_ioctl(ctx, HSL_IOC_SEGMENT_REVOKE, &r);
}

int raw_free(int ctx, uint32_t handle)
{
	struct hsl_segment_free f = { .size = sizeof(f), .handle = handle };

	return raw_ioctl(ctx, HSL_IOC_SEGMENT_FREE, &f);
}

int raw_map(int ctx, const struct raw_seg *s, int prot, volatile uint64_t **p)
{
	void *m = mmap(NULL, s->len, prot, MAP_SHARED, ctx, (off_t)s->ga);

	if (m == MAP_FAILED)
		return -errno;
	*p = m;
	return 0;
}

int raw_chip(int ctx, uint32_t node, struct hsl_chip_info *ci)
{
	*ci = (struct hsl_chip_info){ .size = sizeof(*ci), .node = node };
	return raw_ioctl(ctx, HSL_IOC_CHIP_INFO, ci);
}

uint64_t raw_free_bytes(int ctx, uint32_t node)
{
	struct hsl_chip_info ci;
	struct raw_seg page, all;

	if (raw_chip(ctx, node, &ci) || raw_alloc(ctx, node, 1, RAW_RW, &page))
		raw_bail("a page of the chip");
	/* not to be had while the page is; that is said when nothing is left to be zeroed */
	if (raw_alloc(ctx, node, ci.mem_bytes, RAW_RW, &all) != -ENOSPC || raw_chip(ctx, node, &ci) ||
	    raw_free(ctx, page.handle))
		raw_bail("the whole chip beside a page");
	return ci.mem_free_bytes + page.len;
}

static bool comes_to(int ctx, uint32_t node, uint64_t bytes, const uint32_t *nqueues, struct hsl_chip_info *ci)
{
	for (int i = 0; i < 30000; i++) {
		if (!raw_chip(ctx, node, ci) && ci->mem_free_bytes == bytes && (!nqueues || ci->nqueues_free == *nqueues))
			return true;
		raw_sleep_us(1000);
	}
	return false;
}

bool raw_mem_comes_to(int ctx, uint32_t node, uint64_t bytes)
{
	struct hsl_chip_info ci;

	return comes_to(ctx, node, bytes, NULL, &ci);
}

bool raw_chip_comes_to(int ctx, uint32_t node, uint64_t bytes, uint32_t nqueues)
{
	struct hsl_chip_info ci;

	if (comes_to(ctx, node, bytes, &nqueues, &ci))
		return true;
	printf("# chip %u: %" PRIu64 " of %" PRIu64 " bytes free, %u of %u queues\n", node, (uint64_t)ci.mem_free_bytes, bytes,
	       ci.nqueues_free, nqueues);
	return false;
}

/* ---- a queue ---- */

int raw_queue_open(int ctx, uint32_t node, struct raw_queue *q)
{
	int r;

	memset(q, 0, sizeof(*q));
	q->c = (struct hsl_queue_create){ .size = sizeof(q->c), .node = node, .depth = RAW_DEPTH };
	r = raw_ioctl(ctx, HSL_IOC_QUEUE_CREATE, &q->c);
	if (r)
		return r;
	q->fd = q->c.fd;
	q->rings = mmap(NULL, q->c.ring_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, q->fd, HSL_QUEUE_MMAP_RINGS);
	q->db = mmap(NULL, q->c.doorbell_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, q->fd, HSL_QUEUE_MMAP_DOORBELL);
	if (q->rings == MAP_FAILED || q->db == MAP_FAILED)
		raw_bail("mmap of a queue");
	q->ctrl = (void *)((char *)q->rings + q->c.ctrl_offset);
	q->sq = (void *)((char *)q->rings + q->c.sq_offset);
	q->cq = (void *)((char *)q->rings + q->c.cq_offset);
	return 0;
}

void raw_queue_close(struct raw_queue *q)
{
	munmap(q->rings, q->c.ring_bytes);
	munmap((void *)(uintptr_t)q->db, q->c.doorbell_bytes);
	close(q->fd);
}

/* The caller keeps submitted - completed <= RAW_DEPTH. */
void raw_submit(struct raw_queue *q, const struct hsl_desc *d)
{
	q->sq[q->tail % RAW_DEPTH] = *d;
	q->sq[q->tail % RAW_DEPTH].cookie = q->tail;
	atomic_thread_fence(memory_order_seq_cst);
	q->db[HSL_DB_SQ_TAIL / 4] = ++q->tail;
}

static bool has_cqe(struct raw_queue *q)
{
	return q->cq[q->head % RAW_DEPTH].status >> 31 == (((q->head / RAW_DEPTH) & 1) ^ 1);
}

int raw_complete(struct raw_queue *q, int timeout_ms)
{
	struct pollfd p = { .fd = q->fd, .events = POLLIN };
	int status;

	if (!has_cqe(q)) {
		if (poll(&p, 1, timeout_ms) <= 0)
			return -2;
		if (!(p.revents & POLLIN))
			return -1;
	}
	atomic_thread_fence(memory_order_acquire);
	status = (int)HSL_CQE_CODE(q->cq[q->head % RAW_DEPTH].status);
	q->ctrl->cq_head = ++q->head;
	return status;
}

int raw_copy(struct raw_queue *q, uint64_t dst, uint64_t src, uint64_t len)
{
	raw_submit(q, &(struct hsl_desc){ .opcode = HSL_OP_COPY, .dst = dst, .src = src, .len = len });
	return raw_complete(q, 30000);
}

/* ---- descriptors over a socket ---- */

union fd_msg {
	char buf[CMSG_SPACE(sizeof(int))];
	struct cmsghdr align;
};

int raw_send_fd(int sock, int fd, uint64_t word)
{
	struct iovec iov = { &word, sizeof(word) };
	union fd_msg c = { .buf = { 0 } };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = c.buf, .msg_controllen = sizeof(c.buf) };
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);

	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(h), &fd, sizeof(int));
	return sendmsg(sock, &m, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int raw_recv_fd(int sock, int *fd, uint64_t *word)
{
	struct iovec iov = { word, sizeof(*word) };
	union fd_msg c;
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = c.buf, .msg_controllen = sizeof(c.buf) };
	struct cmsghdr *h;
	ssize_t n = recvmsg(sock, &m, MSG_CMSG_CLOEXEC);

	if (n <= 0)
		return n ? -errno : -EPIPE;
	h = CMSG_FIRSTHDR(&m);
	if (!h || h->cmsg_type != SCM_RIGHTS)
		return -EPROTO;
	memcpy(fd, CMSG_DATA(h), sizeof(int));
	return 0;
}

/* ---- faults ---- */

__thread sigjmp_buf raw_on_fault;
__thread volatile int raw_expect_fault;

static void on_fault(int sig, siginfo_t *info, void *context)
{
	const ucontext_t *u = context;

	if (raw_expect_fault)
		siglongjmp(raw_on_fault, sig);
	/* nothing is left to be careful with */
	printf("# unexpected signal %d at %p by %#llx\n", sig, info->si_addr, (unsigned long long)u->uc_mcontext.gregs[REG_RIP]);
	fflush(stdout);
	_exit(3);
}

void raw_catch_faults(void)
{
	struct sigaction sa = { .sa_sigaction = on_fault, .sa_flags = SA_NODEFER | SA_SIGINFO };

	sigaction(SIGBUS, &sa, NULL);
	sigaction(SIGSEGV, &sa, NULL);
}
