/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * MAP and SEC: memory that several contexts hold. The contexts are open fabrics of this process, so that the same cases run on
 * sim:; on the driver the file crosses a process boundary too.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/hsl.h>
#include <linux/udmabuf.h>

#include "hsltest.h"

#define KIB ((uint64_t)1024)
#define MIB (1024 * KIB)

/* Another context, for ht's helpers. */
static struct ht context_new(struct ht *t)
{
	struct ht a = *t;

	a.f = ht_open_again(t);
	return a;
}

/* A byte through a mapping: its value, or -EFAULT if it cannot be touched. */
static sigjmp_buf touch_env;
static volatile sig_atomic_t touch_signal;

static void touched(int sig)
{
	touch_signal = sig;
	siglongjmp(touch_env, 1);
}

static int touch(const volatile uint8_t *p)
{
	struct sigaction sa = { .sa_handler = touched, .sa_flags = SA_NODEFER }, bus, segv;
	volatile int v = -EFAULT;

	sigaction(SIGBUS, &sa, &bus);
	sigaction(SIGSEGV, &sa, &segv);
	touch_signal = 0;
	if (!sigsetjmp(touch_env, 1))
		v = *p;
	sigaction(SIGBUS, &bus, NULL);
	sigaction(SIGSEGV, &segv, NULL);
	return v;
}

static void expect_gone(struct ht *t, const volatile uint8_t *p, const char *what)
{
	int v = touch(p);

	HT_TRUE(t, v == -EFAULT, "%s: reads 0x%02x, expected a signal", what, v);
	if (t->kernel)
		HT_EQ(t, "signal of a mapping that is gone", touch_signal, SIGBUS);
}

static void exported(struct ht *t, struct hsl_segment *s, uint32_t rights, int *fd)
{
	int rc;

	*fd = -1;
	rc = hsl_segment_export(s, rights, 0, fd);
	if (rc == -EOPNOTSUPP && !strcmp(t->info.backend, "plugin"))
		HT_SKIP_TEST(t, "the interface of plugins has no exports");
	HT_TRUE(t, !rc, "hsl_segment_export: expected success, got %s", ht_errno_name(rc));
	HT_TRUE(t, *fd >= 0, "hsl_segment_export gave no file");
}

static void import_one(struct ht *t, struct ht *a, struct ht_buf *b, struct hsl_queue *q, struct hsl_queue *aq,
		       uint32_t out, uint32_t want)
{
	uint32_t have = want ? want : out;
	struct hsl_segment *s, *twice;
	struct hsl_completion c;
	struct ht_buf mine;
	struct hsl_op op;
	void *p;
	int fd, rc;

	exported(t, b->seg, out, &fd);
	if (out != HSL_RIGHT_RW)
		HT_RC(t, hsl_segment_import(a->f, fd, HSL_RIGHT_RW, &s), -EACCES);
	HT_OK(t, hsl_segment_import(a->f, fd, want, &s));
	HT_RC(t, hsl_segment_import(a->f, fd, want, &twice), -EEXIST);
	HT_RC(t, hsl_segment_import(t->f, fd, want, &twice), -EEXIST);
	close(fd);
	HT_EQ(t, "GA of the import", hsl_segment_ga(s), b->ga);
	HT_EQ(t, "length of the import", hsl_segment_len(s), hsl_segment_len(b->seg));
	HT_EQ(t, "rights of the import", hsl_segment_rights(s), have);
	ht_buf_new(a, &mine, 0, b->len);
	op = ht_op_copy(mine.ga, b->ga + 3, b->len - 3);
	ht_op_run(t, aq, &op, &c);
	ht_status(t, &c, have & HSL_RIGHT_READ ? HSL_ST_OK : HSL_ST_RIGHTS, "importer's read");
	if (have & HSL_RIGHT_READ)
		ht_oracle_move(mine.shadow, b->shadow + 3, b->len - 3);
	ht_buf_check(a, &mine, "what the importer read");
	op = ht_op_fill(b->ga + 5, 1000, 0x1122334455667788ull);
	ht_op_run(t, aq, &op, &c);
	ht_status(t, &c, have & HSL_RIGHT_WRITE ? HSL_ST_OK : HSL_ST_RIGHTS, "importer's write");
	if (have & HSL_RIGHT_WRITE)
		ht_oracle_fill(b->shadow + 5, 1000, 0x1122334455667788ull);
	ht_buf_check(t, b, "the exporter's view");
	rc = hsl_segment_map(s, &p);
	if (!(have & HSL_RIGHT_READ)) {
		HT_EQ(t, "hsl_segment_map without READ", rc, -EACCES);
	} else {
		struct ht_diff d;

		HT_TRUE(t, !rc, "hsl_segment_map of an import: %s", ht_errno_name(rc));
		HT_TRUE(t, ht_equal(p, b->shadow, b->len, &d),
			"importer's mapping, byte %" PRIu64 ": expected 0x%02x, got 0x%02x", d.first, d.expected,
			d.got);
		if (have & HSL_RIGHT_WRITE) {
			((uint8_t *)p)[77] = 0xa7;
			b->shadow[77] = 0xa7;
			ht_buf_check(t, b, "CPU store of the importer");
		}
	}
	ht_buf_free(a, &mine);
	HT_OK(t, hsl_segment_free(s));
	op = ht_op_fill(b->ga, 8, 0);
	ht_expect(t, aq, &op, HSL_ST_SEGMENT, "importer's write after its free");
	/* the owner is not disturbed */
	HT_OK(t, hsl_fill(q, b->ga, 64, 0x77));
	ht_oracle_fill(b->shadow, 64, 0x77);
	ht_buf_check(t, b, "after the importer's free");
}

static void imports(struct ht *t)
{
	static const uint32_t rights[] = { HSL_RIGHT_READ, HSL_RIGHT_WRITE, HSL_RIGHT_RW };
	struct hsl_queue *q, *aq;
	struct hsl_segment *s;
	struct ht_buf b, ro;
	struct ht a;
	unsigned int i;
	int fd, pipes[2];

	a = context_new(t);
	ht_buf_new(t, &b, t->chip[t->nchips - 1].node, 64 * KIB);
	q = ht_queue_new(t, t->chip[0].node, 0);
	aq = ht_queue_new(&a, t->chip[0].node, 0);
	for (i = 0; i < 3; i++) {
		ht_step(t, "exported with rights %u", rights[i]);
		import_one(t, &a, &b, q, aq, rights[i], 0);
		import_one(t, &a, &b, q, aq, HSL_RIGHT_RW, rights[i]);
	}
	/* never more than the segment has, and host memory not at all */
	ht_buf_new_rights(t, &ro, t->chip[0].node, 4096, HSL_RIGHT_READ);
	HT_RC(t, hsl_segment_export(ro.seg, HSL_RIGHT_RW, 0, &fd), -EACCES);
	exported(t, ro.seg, 0, &fd);
	HT_RC(t, hsl_segment_import(a.f, fd, HSL_RIGHT_WRITE, &s), -EACCES);
	close(fd);
	ht_buf_free(t, &ro);
	ht_buf_new(t, &ro, 0, 4096);
	HT_RC(t, hsl_segment_export(ro.seg, 0, 0, &fd), -EOPNOTSUPP);
	ht_buf_free(t, &ro);
	/* files of other kinds */
	HT_TRUE(t, !pipe(pipes), "pipe: %s", strerror(errno));
	HT_RC(t, hsl_segment_import(a.f, pipes[0], 0, &s), -EINVAL);
	close(pipes[0]);
	close(pipes[1]);
	ht_queue_free(t, q);
	ht_queue_free(&a, aq);
	ht_buf_free(t, &b);
	hsl_fabric_close(a.f);
}

static void send_fd(int sock, int fd)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 }, byte = 0;
	struct iovec iov = { &byte, 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);

	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(h), &fd, sizeof(fd));
	if (sendmsg(sock, &m, 0) != 1)
		_exit(3);
}

static int receive_fd(int sock)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 }, byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };
	struct cmsghdr *h;
	int fd;

	if (recvmsg(sock, &m, MSG_CMSG_CLOEXEC) != 1)
		return -1;
	h = CMSG_FIRSTHDR(&m);
	if (!h || h->cmsg_type != SCM_RIGHTS)
		return -1;
	memcpy(&fd, CMSG_DATA(h), sizeof(fd));
	return fd;
}

/* The file goes over a socket; the other process sees the bytes and changes them, also after the exporter let go. */
static void import_process(struct ht *t)
{
	struct hsl_segment *s;
	int sock[2], fd, pid;
	struct ht_buf b;
	uint8_t *p;
	void *v;

	HT_TRUE(t, !socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sock), "socketpair: %s", strerror(errno));
	ht_buf_new(t, &b, t->chip[0].node, 64 * KIB);
	pid = fork();
	HT_TRUE(t, pid >= 0, "fork: %s", strerror(errno));
	if (!pid) {
		struct hsl_queue *q;
		struct ht a;
		char go;

		close(sock[0]);
		a = context_new(t);
		fd = receive_fd(sock[1]);
		HT_TRUE(t, fd >= 0, "no file came over the socket");
		HT_OK(t, hsl_segment_import(a.f, fd, 0, &s));
		close(fd);
		HT_OK(t, hsl_segment_map(s, &v));
		p = v;
		HT_TRUE(t, !memcmp(p, b.shadow, b.len), "the other process sees other bytes");
		p[100] = 0x5a;
		q = ht_queue_new(&a, t->chip[t->nchips - 1].node, 0);
		HT_OK(t, hsl_fill(q, hsl_segment_ga(s) + 200, 100, 0xc3c3c3c3c3c3c3c3ull));
		if (write(sock[1], "w", 1) != 1 || read(sock[1], &go, 1) != 1)
			_exit(4);
		/* the exporter has freed its own by now */
		HT_EQ(t, "memory after the exporter's free", p[100], 0x5a);
		HT_OK(t, hsl_fill(q, hsl_segment_ga(s), 8, 0));
		_exit(0);
	}
	close(sock[1]);
	exported(t, b.seg, 0, &fd);
	send_fd(sock[0], fd);
	close(fd);
	{
		char c;

		if (read(sock[0], &c, 1) != 1)
			ht_child_join(t, pid);
	}
	b.shadow[100] = 0x5a;
	memset(b.shadow + 200, 0xc3, 100);
	ht_buf_check(t, &b, "what the other process wrote");
	ht_buf_free(t, &b);
	if (write(sock[0], "f", 1) != 1)
		HT_FAIL_TEST(t, "write: %s", strerror(errno));
	ht_child_join(t, pid);
	close(sock[0]);
}

/* Each kind of holder is the last one in turn; after it, and not before, the memory is free, and zero. */
static void lifetime(struct ht *t)
{
	enum { SEGMENT, IMPORT, FILE_ONLY, ROUNDS = 6 };
	struct hsl_chip_props before = { .size = sizeof(before) }, p = { .size = sizeof(p) };
	uint64_t len = 8 * MIB, i, ga, all;
	struct hsl_segment *imported, *s;
	struct ht_buf b;
	unsigned int round;
	void *v;
	int fd;

	ht_buf_new(t, &b, 0, 4096);
	HT_OK(t, hsl_chip_by_node(t->f, t->chip[0].node, &before));
	for (round = 0; round < ROUNDS; round++) {
		struct hsl_fabric *owner = ht_open_again(t);
		struct ht a = context_new(t);

		/* what the round before had is zeroed and free */
		ht_wait_free(t, t->chip[0].node, before.mem_free_bytes, before.nqueues_free);
		HT_OK(t, hsl_segment_alloc(owner, t->chip[0].node, len, NULL, &s));
		ga = hsl_segment_ga(s);
		HT_OK(t, hsl_segment_map(s, &v));
		memset(v, 0x6b, len);
		exported(t, s, 0, &fd);
		HT_OK(t, hsl_segment_import(a.f, fd, 0, &imported));
		/* all let go but one */
		if (round % 3 != FILE_ONLY)
			close(fd);
		if (round % 3 != IMPORT)
			HT_OK(t, hsl_segment_free(imported));
		if (round % 3 != SEGMENT) {
			if (round >= 3)
				HT_OK(t, hsl_segment_free(s));
			else
				hsl_fabric_close(owner);
		}
		/* whoever allocates now does not get it */
		HT_OK(t, hsl_chip_by_node(t->f, t->chip[0].node, &p));
		HT_TRUE(t, p.mem_free_bytes + len <= before.mem_free_bytes, "held memory counts as free");
		switch (round % 3) {
		case SEGMENT: HT_OK(t, hsl_segment_map(s, &v)); break;
		case IMPORT: HT_OK(t, hsl_segment_map(imported, &v)); break;
		default: HT_OK(t, hsl_segment_import(a.f, fd, 0, &imported)); HT_OK(t, hsl_segment_map(imported, &v));
		}
		for (i = 0; i < len; i += 4096)
			HT_TRUE(t, ((uint8_t *)v)[i] == 0x6b, "byte %" PRIu64 " of memory that is held: 0x%02x", i,
				((uint8_t *)v)[i]);
		switch (round % 3) {
		case SEGMENT: HT_OK(t, hsl_segment_free(s)); break;
		case IMPORT: hsl_fabric_close(a.f); break;
		default:
			close(fd);
			HT_OK(t, hsl_segment_free(imported));
			break;
		}
		ht_step(t, "round %u: waiting for the memory", round);
		ht_wait_free(t, t->chip[0].node, before.mem_free_bytes, before.nqueues_free);
		/* the next owner of that range, wherever it is in what can be had, sees zero */
		all = before.mem_free_bytes < 64 * MIB ? before.mem_free_bytes : 64 * MIB;
		if (!hsl_segment_alloc(t->f, t->chip[0].node, all, NULL, &imported)) {
			HT_OK(t, hsl_segment_map(imported, &v));
			for (i = 0; i < all; i++)
				HT_TRUE(t, !((uint8_t *)v)[i], "GA %#" PRIx64 " is not zero for its next owner (it was at %#" PRIx64 ")",
					hsl_segment_ga(imported) + i, ga);
			HT_OK(t, hsl_segment_free(imported));
		}
		if (round % 3 == SEGMENT || round >= 3)
			hsl_fabric_close(owner);
		if (round % 3 != IMPORT)
			hsl_fabric_close(a.f);
	}
	ht_buf_free(t, &b);
}

/* It ran, it had not begun, or it began while the entry went on one of the two chips that have to agree. */
static bool refused(uint32_t status)
{
	return status == HSL_ST_REVOKED || status == HSL_ST_SEGMENT || status == HSL_ST_DENIED;
}

static void revokes(struct ht *t)
{
	enum { ROUNDS = 12, OPS = 32 };
	struct hsl_completion c[OPS];
	struct hsl_queue *q, *aq, *quick;
	struct hsl_segment *sa, *sb, *s;
	struct hsl_op ops[OPS], op;
	unsigned int round, i;
	int fd, fd2, rc, busy;
	struct ht a, third;
	void *pa, *pb;
	struct ht_buf b;

	a = context_new(t);
	third = context_new(t);
	ht_buf_new(t, &b, t->chip[t->nchips - 1].node, 16 * MIB);
	q = ht_queue_new(t, t->chip[0].node, 0);
	aq = ht_queue_new(&a, t->chip[0].node, OPS);
	quick = ht_queue_new(&third, t->chip[t->nchips - 1].node, 0);
	for (round = 0; round < ROUNDS; round++) {
		exported(t, b.seg, 0, &fd);
		HT_OK(t, hsl_segment_import(a.f, fd, 0, &sa));
		exported(t, sa, 0, &fd2);
		HT_OK(t, hsl_segment_import(third.f, fd2, HSL_RIGHT_READ, &sb));
		HT_OK(t, hsl_segment_map(sa, &pa));
		HT_OK(t, hsl_segment_map(sb, &pb));
		HT_TRUE(t, touch(pa) == b.shadow[0] && touch(pb) == b.shadow[0], "importers see other bytes");
		/* long writes of the importer are running, and a WAIT is parked behind them in some rounds */
		busy = round & 1 ? OPS : 0;
		for (i = 0; i < (unsigned int)busy; i++)
			ops[i] = ht_op_fill(b.ga, b.len, ht_random(t));
		if (round == 4 && (t->chip[0].cap & HSL_CAP_OP_SIGNAL)) {
			ops[0] = ht_op_wait(HSL_WAIT_EQ, b.ga, ~*(uint64_t *)b.shadow, 0);
			busy = 1;
		}
		if (busy)
			ht_submit_all(t, aq, ops, (unsigned int)busy);
		if (round % 3 == 1)
			usleep(700);
		ht_step(t, "round %u: revoke", round);
		HT_OK(t, hsl_segment_revoke(b.seg));
		ht_buf_pattern(t, &b); /* from here on nobody else writes */
		expect_gone(t, pa, "importer's mapping after a revoke");
		expect_gone(t, (uint8_t *)pb + b.len - 1, "mapping of an import of an import");
		if (busy) {
			rc = hsl_queue_poll(aq, c, 1);
			if (round == 4)
				HT_TRUE(t, rc != 1 || refused(c[0].status),
					"WAIT of an importer after a revoke: expected revoked, got %s",
					hsl_status_name(c[0].status));
			ht_wait_all(t, aq, c + (rc > 0), (unsigned int)(busy - (rc > 0)));
			for (i = 0; i < (unsigned int)busy; i++)
				HT_TRUE(t, (c[i].status == HSL_ST_OK && round != 4) || refused(c[i].status),
					"command of an importer: expected ok, revoked or no segment, got %s",
					hsl_status_name(c[i].status));
		}
		op = ht_op_fill(b.ga, 64, 0);
		ht_expect(t, aq, &op, HSL_ST_SEGMENT, "importer's write after a revoke");
		op = (struct hsl_op){ .opcode = HSL_OP_COPY, .dst = b.ga, .src = b.ga + 4096, .len = 8 };
		ht_expect(t, quick, &op, HSL_ST_SEGMENT, "read of an import of an import after a revoke");
		ht_buf_check(t, &b, "exporter's memory after a revoke");
		HT_RC(t, hsl_segment_import(a.f, fd, 0, &s), -ESTALE);
		HT_RC(t, hsl_segment_import(third.f, fd2, 0, &s), -ESTALE);
		HT_OK(t, hsl_segment_free(sa));
		HT_OK(t, hsl_segment_free(sb));
		close(fd);
		close(fd2);
		/* the owner goes on, and may export anew */
		HT_OK(t, hsl_fill(q, b.ga, 64, round));
		ht_oracle_fill(b.shadow, 64, round);
		ht_buf_check(t, &b, "owner after a revoke");
	}
	ht_queue_free(t, q);
	ht_queue_free(&a, aq);
	ht_queue_free(&third, quick);
	ht_buf_free(t, &b);
	hsl_fabric_close(a.f);
	hsl_fabric_close(third.f);
}

/* Pointer and GA differ by one number in a window, for what was made before it and after it. */
static void node_window(struct ht *t)
{
	enum { N = 24 };
	struct hsl_window w = { .size = sizeof(w) }, again = { .size = sizeof(again) };
	struct hsl_segment *s[N];
	uint32_t node = t->chip[t->nchips - 1].node;
	struct hsl_queue *q;
	unsigned int i, round;
	void *p;

	q = ht_queue_new(t, t->chip[0].node, 0);
	HT_RC(t, hsl_window_open(t->f, 16383, &w), -ENOENT);
	HT_OK(t, hsl_segment_alloc(t->f, node, 4096, NULL, &s[0]));
	HT_OK(t, hsl_segment_map(s[0], &p));
	w.size = sizeof(w);
	HT_RC(t, hsl_window_open(t->f, node, &w), -EBUSY); /* mapped elsewhere already */
	HT_OK(t, hsl_segment_free(s[0]));
	for (i = 0; i < N / 2; i++) /* made before, not mapped */
		HT_OK(t, hsl_segment_alloc(t->f, node, (1 + i % 5) * 4096, NULL, &s[i]));
	w.size = sizeof(w);
	HT_OK(t, hsl_window_open(t->f, node, &w));
	HT_EQ(t, "node of the window", w.node, node);
	HT_TRUE(t, w.len_bytes >= t->chip[t->nchips - 1].mem_bytes && HSL_GA_NODE(w.ga) == node,
		"window of %" PRIu64 " bytes at GA %#" PRIx64, w.len_bytes, w.ga);
	HT_RC(t, hsl_window_open(t->f, node, &again), -EBUSY);
	for (; i < N; i++)
		HT_OK(t, hsl_segment_alloc(t->f, node, (1 + i % 5) * 4096, NULL, &s[i]));
	for (round = 0; round < 2; round++) {
		for (i = 0; i < N; i++) {
			uint64_t ga = hsl_segment_ga(s[i]), off = hsl_segment_len(s[i]) - 8, v = 0;

			HT_OK(t, hsl_segment_map(s[i], &p));
			HT_TRUE(t, p == hsl_window_ptr(&w, ga), "segment at GA %#" PRIx64 " is mapped at %p, the window says %p",
				ga, p, hsl_window_ptr(&w, ga));
			HT_EQ(t, "GA of a pointer", hsl_window_ga(&w, (char *)p + off), ga + off);
			HT_OK(t, hsl_fill(q, ga + off, 8, 0x1000 + i + round));
			memcpy(&v, hsl_window_ptr(&w, ga + off), 8);
			HT_EQ(t, "bytes through the window", v, 0x1000 + i + round);
		}
		HT_RC(t, hsl_window_close(t->f, node), -EBUSY);
		/* others take their places */
		for (i = 0; i < N; i += 2) {
			HT_OK(t, hsl_segment_free(s[i]));
			HT_OK(t, hsl_segment_alloc(t->f, node, (1 + (i + round) % 3) * 4096, NULL, &s[i]));
		}
	}
	/* no access where there is no segment, nor after a free */
	HT_OK(t, hsl_segment_map(s[1], &p));
	HT_OK(t, hsl_segment_free(s[1]));
	HT_TRUE(t, touch(p) == -EFAULT, "memory of a freed segment is still there in the window");
	HT_OK(t, hsl_segment_alloc(t->f, node, 4096, NULL, &s[1]));
	for (i = 0; i < N; i++)
		HT_OK(t, hsl_segment_free(s[i]));
	HT_OK(t, hsl_window_close(t->f, node));
	ht_queue_free(t, q);
}

/* A child with the queue's file, and one that got it by a socket, gets nothing out of it. */
static void creator_only(struct ht *t)
{
	struct hsl_queue_kick k = { .size = sizeof(k) };
	struct hsl_queue_abort ab = { .size = sizeof(ab) };
	int fd = ht_raw_open(t), pid, sock[2], how, qfd;
	struct ht_rawq q;
	struct hsl_cqe c;
	void *p;

	ht_rawq_new(t, &q, fd, t->chip[0].node, 16);
	for (how = 0; how < 2; how++) {
		HT_TRUE(t, !socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sock), "socketpair: %s", strerror(errno));
		pid = fork();
		HT_TRUE(t, pid >= 0, "fork: %s", strerror(errno));
		if (!pid) {
			qfd = how ? receive_fd(sock[1]) : q.fd;
			HT_TRUE(t, qfd >= 0, "no file came over the socket");
			p = mmap(NULL, q.ring_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, qfd, HSL_QUEUE_MMAP_RINGS);
			HT_TRUE(t, p == MAP_FAILED && errno == EACCES, "mmap of the rings by another process: expected EACCES, got %s",
				p == MAP_FAILED ? strerror(errno) : "a mapping");
			if (q.doorbell_bytes) {
				p = mmap(NULL, q.doorbell_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, qfd,
					 HSL_QUEUE_MMAP_DOORBELL);
				HT_TRUE(t, p == MAP_FAILED && errno == EACCES,
					"mmap of the doorbell by another process: expected EACCES, got %s",
					p == MAP_FAILED ? strerror(errno) : "a mapping");
			}
			k.sq_tail = q.tail + 1;
			HT_RC(t, ht_ioctl(qfd, HSL_IOC_QUEUE_KICK, &k), -EACCES);
			HT_RC(t, ht_ioctl(qfd, HSL_IOC_QUEUE_ABORT, &ab), -EACCES);
			/* the parent's mappings did not come along */
			HT_TRUE(t, touch(q.rings) == -EFAULT, "the rings are mapped in a child");
			if (q.doorbell)
				HT_TRUE(t, touch((uint8_t *)q.doorbell) == -EFAULT, "the doorbell is mapped in a child");
			_exit(0);
		}
		if (how)
			send_fd(sock[0], q.fd);
		ht_child_join(t, pid);
		close(sock[0]);
		close(sock[1]);
		ht_rawq_slot(&q); /* nothing came of it, and the creator goes on */
		ht_rawq_ring(t, &q);
		ht_rawq_wait(t, &q, &c);
		HT_EQ(t, "status", HSL_CQE_CODE(c.status), HSL_ST_OK);
		HT_EQ(t, "descriptors taken", c.sq_head, q.tail & 0xffff);
	}
	ht_rawq_free(&q);
	close(fd);
}

/* ------------------------------------------------------------------ dma-bufs */

/* A dma-buf of another driver over a memfd, or -1. */
static int foreign_dmabuf(struct ht *t, uint64_t len, uint8_t **p)
{
	struct udmabuf_create create = { .size = len };
	int dev = open("/dev/udmabuf", O_RDWR | O_CLOEXEC), mem, fd;

	if (dev < 0)
		return -1;
	mem = memfd_create("hsltest", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	HT_TRUE(t, mem >= 0 && !ftruncate(mem, (off_t)len), "memfd: %s", strerror(errno));
	*p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, mem, 0);
	HT_TRUE(t, *p != MAP_FAILED, "mmap: %s", strerror(errno));
	fcntl(mem, F_ADD_SEALS, F_SEAL_SHRINK);
	create.memfd = (uint32_t)mem;
	fd = ioctl(dev, UDMABUF_CREATE, &create);
	close(dev);
	close(mem);
	return fd;
}

static void dmabuf(struct ht *t)
{
	uint64_t len = 1 * MIB;
	bool exported = false, imported = false;
	struct hsl_segment *s;
	struct ht_diff d;
	struct hsl_queue *q;
	struct ht_buf below, b;
	uint8_t *p;
	int fd, rc;

	/* what is exported does not begin where the chip's memory begins */
	ht_buf_new(t, &below, t->chip[0].node, len);
	ht_buf_new(t, &b, t->chip[0].node, len);
	q = ht_queue_new(t, t->chip[0].node, 0);
	rc = hsl_segment_export(b.seg, 0, HSL_EXPORT_F_DMABUF, &fd);
	if (rc != -EOPNOTSUPP) {
		HT_TRUE(t, !rc, "hsl_segment_export as a dma-buf: %s", ht_errno_name(rc));
		p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		if (p != MAP_FAILED) { /* as another user of the dma-buf would see it */
			HT_TRUE(t, ht_equal(p, b.shadow, len, &d), "dma-buf, byte %" PRIu64 ": expected 0x%02x, got 0x%02x",
				d.first, d.expected, d.got);
			p[123] ^= 0xff;
			b.shadow[123] ^= 0xff;
			ht_buf_check(t, &b, "store through the dma-buf");
			munmap(p, len);
			p = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 8192);
			HT_TRUE(t, p != MAP_FAILED, "mmap of the third page of a dma-buf: %s", strerror(errno));
			HT_TRUE(t, ht_equal(p, b.shadow + 8192, 4096, &d), "third page of the dma-buf, byte %" PRIu64
				": expected 0x%02x, got 0x%02x", d.first, d.expected, d.got);
			munmap(p, 4096);
			exported = true;
		}
		close(fd);
	}
	if (exported) {
		HT_OK(t, hsl_segment_export(b.seg, HSL_RIGHT_READ, HSL_EXPORT_F_DMABUF, &fd));
		HT_TRUE(t, mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED && errno == EACCES,
			"a dma-buf that may only be read is mapped for writing, or errno is %d", errno);
		close(fd);
	}
	fd = foreign_dmabuf(t, len, &p);
	if (fd >= 0) {
		rc = hsl_segment_import(t->f, fd, 0, &s);
		HT_TRUE(t, !rc, "hsl_segment_import of a foreign dma-buf: %s", ht_errno_name(rc));
		close(fd);
		HT_EQ(t, "length of the import", hsl_segment_len(s), len);
		ht_pattern(p, len, ht_random(t));
		memcpy(b.shadow, p, len);
		HT_OK(t, hsl_copy(q, b.ga, hsl_segment_ga(s), len));
		ht_buf_check(t, &b, "COPY from a foreign dma-buf");
		ht_buf_pattern(t, &b);
		HT_OK(t, hsl_copy(q, hsl_segment_ga(s) + 5, b.ga, len - 5));
		HT_TRUE(t, ht_equal(p + 5, b.shadow, len - 5, &d), "foreign dma-buf, byte %" PRIu64 ": expected 0x%02x, got 0x%02x",
			d.first + 5, d.expected, d.got);
		HT_OK(t, hsl_segment_free(s));
		munmap(p, len);
		imported = true;
	}
	ht_queue_free(t, q);
	ht_buf_check(t, &below, "memory beside that of the dma-buf");
	ht_buf_free(t, &b);
	ht_buf_free(t, &below);
	if (!exported && !imported)
		HT_SKIP_TEST(t, "no dma-bufs on this backend or kernel");
	ht_note(t, "export %s, import %s", exported ? "tested" : "not possible", imported ? "tested" : "no /dev/udmabuf");
}

const struct ht_test ht_tests_share[] = {
	{ "HEP-MAP-016", "imports", "an import has the GA, bytes and at most the rights exported", imports, 0,
	  120 },
	{ "HEP-MAP-016", "import_process", "an export crosses to another process by a socket", import_process,
	  HT_F_KERNEL, 0 },
	{ "HEP-MAP-017", "lifetime", "memory lives as long as any holder, and is zeroed after the last", lifetime,
	  0, 180 },
	{ "HEP-MAP-018", "revokes", "after a revoke no import reads or writes a byte", revokes, 0, 180 },
	{ "HEP-MAP-020", "dmabuf", "dma-bufs out and in show the same bytes", dmabuf, 0, 0 },
	{ "HEP-MAP-021", "node_window", "in a window pointer and GA differ by a constant", node_window, 0, 0 },
	{ "HEP-SEC-009", "creator_only", "a queue is of no use to a child or by a socket", creator_only,
	  HT_F_KERNEL, 0 },
	{ 0 }
};
