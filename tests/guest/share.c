// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Shared chip memory between processes, on the raw ABI (HEP-MAP-016 … 018, HEP-TXN-024). As root in the VM, 2 chips.
 *
 *   share rights | order | chain | revoke [rounds] | churn [kills]	prints TAP; exit 0, 1, 77
 *
 * revoke: an owner, a process it exports to, and one that this exports to again. Both read and write through mappings, have a
 * COPY running and a WAIT parked while the owner revokes. What the owner writes after the revoke has returned must be
 * seen by nobody, and what is written by the others must not appear.
 * churn: pairs of processes that export, import, map, revoke and free as fast as they can and are killed at random points, while
 * chips are reset and unbound. Whoever reads a shared page sees the owner's mark, or SIGBUS; at the end all memory is there.
 */
#include <errno.h>
#include <fcntl.h>
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
#include <time.h>
#include <unistd.h>

#include "common/raw.h"

#define PAGE	4096u
#define WORDS	(PAGE / 8)
#define MARK	0x5aa5000000000001ull

static int ctx_open(void)
{
	int fd = raw_open(0);

	if (fd < 0) {
		errno = -fd;
		raw_bail("open " RAW_DEV);
	}
	return fd;
}

static void *shared_alloc(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		raw_bail("mmap");
	return p;
}

static pid_t start(void (*fn)(int sock, void *arg), void *arg, int *sock)
{
	int s[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, s))
		raw_bail("socketpair");
	pid = fork();
	if (pid < 0)
		raw_bail("fork");
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(s[0]);
		fn(s[1], arg);
		_exit(0);
	}
	close(s[1]);
	*sock = s[0];
	return pid;
}

static bool ended_well(pid_t pid)
{
	int status;

	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) && !WEXITSTATUS(status);
}

/* ---- rights ---- */

struct result {
	int err[16];
	struct raw_seg seg;
	uint64_t seen;
};

/* The child gets an export for reading only. */
static void rights_child(int sock, void *arg)
{
	struct result *r = arg;
	volatile uint64_t *p = NULL;
	struct raw_seg own, s, again;
	struct raw_queue q;
	int ctx = ctx_open(), third = ctx_open(), fd, fd2, n = 0;
	uint64_t word;

	if (raw_recv_fd(sock, &fd, &word) || raw_alloc(ctx, 1, PAGE, RAW_RW, &own) || raw_queue_open(ctx, 1, &q))
		_exit(1);
	r->err[n++] = raw_import(ctx, fd, RAW_RW, &s);
	r->err[n++] = raw_import(ctx, fd, HSL_SEGMENT_WRITE, &s);
	r->err[n++] = raw_import(ctx, fd, 0, &s);
	r->seg = s;
	r->err[n++] = raw_import(ctx, fd, 0, &again);
	r->err[n++] = raw_map(ctx, &s, PROT_READ | PROT_WRITE, &p);
	r->err[n++] = raw_map(ctx, &s, PROT_READ, &p);
	if (p)
		r->seen = p[7];
	r->err[n++] = raw_copy(&q, own.ga, s.ga, PAGE);
	r->err[n++] = raw_copy(&q, s.ga, own.ga, PAGE);
	r->err[n++] = raw_export(ctx, s.handle, RAW_RW);
	fd2 = raw_export(ctx, s.handle, HSL_SEGMENT_READ);
	r->err[n++] = raw_import(third, fd2, RAW_RW, &again);
	close(fd);
	r->err[n++] = raw_import(third, fd2, HSL_SEGMENT_READ, &again);
	r->err[n++] = again.ga == s.ga && again.len == s.len ? 0 : -EINVAL;
	r->err[n++] = raw_free(ctx, s.handle);
	r->err[n++] = raw_import(ctx, fd2, 0, &s);	/* after a free it is no segment of this context */
}

static void test_rights(void)
{
	static const struct {
		int want;
		const char *what;
	} t[] = {
		{ -EACCES, "import for more than was exported" },
		{ -EACCES, "import for something else than was exported" },
		{ 0, "import of what was exported" },
		{ -EEXIST, "a second import in the same context" },
		{ -EACCES, "mmap for writing" },
		{ 0, "mmap for reading" },
		{ HSL_ST_OK, "COPY from it" },
		{ HSL_ST_RIGHTS, "COPY to it" },
		{ -EACCES, "export of more rights than were imported" },
		{ -EACCES, "import of more from the second export" },
		{ 0, "import from the second export" },
		{ 0, "same address and length there" },
		{ 0, "free of the import" },
		{ 0, "import after a free" },
	};
	struct result *r = shared_alloc(sizeof(*r));
	volatile uint64_t *p;
	struct raw_seg s;
	int ctx = ctx_open(), sock, fd;
	pid_t pid = start(rights_child, r, &sock);

	if (raw_alloc(ctx, 1, 3 * PAGE, RAW_RW, &s) || raw_map(ctx, &s, PROT_READ | PROT_WRITE, &p))
		raw_bail("a segment");
	p[7] = MARK;
	fd = raw_export(ctx, s.handle, HSL_SEGMENT_READ);
	raw_check(fd >= 0, "export for reading");
	raw_check(fcntl(fd, F_GETFD) == FD_CLOEXEC, "the export is close-on-exec");
	raw_send_fd(sock, fd, 0);
	close(fd);
	raw_check(ended_well(pid), "the importer ran through");
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		raw_check(r->err[i] == t[i].want, "%s: %d, wanted %d", t[i].what, r->err[i], t[i].want);
	raw_check(r->seg.ga == s.ga && r->seg.len == s.len && r->seg.rights == HSL_SEGMENT_READ,
		  "the import has the exporter's address and length");
	raw_check(r->seen == MARK, "and its bytes");
	raw_check(p[7] == MARK, "the exporter's bytes are as before");
	raw_free(ctx, s.handle);
	close(sock);
	close(ctx);
}

static void test_mapping(void);

/* ---- order of frees ---- */

#define HOLDERS	5	/* owner, import, import of the import, and the two export files */
struct trio {
	int ctx[3], fd[2];
	struct raw_seg s[3];
	volatile uint64_t *p[3];
};

static void trio_open(struct trio *t)
{
	if (raw_alloc(t->ctx[0], 1, 2 * PAGE, RAW_RW, &t->s[0]) ||
	    raw_map(t->ctx[0], &t->s[0], PROT_READ | PROT_WRITE, &t->p[0]))
		raw_bail("a segment");
	for (unsigned int i = 0; i < 2 * WORDS; i++)
		if (t->p[0][i]) {
			raw_check(false, "fresh memory is zero: word %u is %#llx", i, (unsigned long long)t->p[0][i]);
			break;
		}
	for (unsigned int i = 0; i < 2 * WORDS; i++)
		t->p[0][i] = MARK + i;
	for (int k = 0; k < 2; k++) {
		t->fd[k] = raw_export(t->ctx[k], t->s[k].handle, RAW_RW);
		if (t->fd[k] < 0 || raw_import(t->ctx[k + 1], t->fd[k], 0, &t->s[k + 1]) ||
		    raw_map(t->ctx[k + 1], &t->s[k + 1], PROT_READ | PROT_WRITE, &t->p[k + 1]))
			raw_bail("export, import, mmap");
	}
}

static bool reads(volatile uint64_t *p)
{
	volatile uint64_t v = 0;

	return RAW_TRY(v = p[WORDS + 3]) && v == MARK + WORDS + 3;
}

static bool faults(volatile uint64_t *p)
{
	return !RAW_TRY((void)p[WORDS + 3]);
}

static void order_one(struct trio *t, const int *perm, uint64_t total)
{
	bool held[HOLDERS] = { true, true, true, true, true }, ok = true, early = false;

	trio_open(t);
	for (int n = 0; n < HOLDERS; n++) {
		int what = perm[n];

		held[what] = false;
		if (what < 3)
			ok = ok && !raw_free(t->ctx[what], t->s[what].handle) && faults(t->p[what]);
		else
			close(t->fd[what - 3]);
		for (int k = 0; k < 3; k++)
			ok = ok && (!held[k] || reads(t->p[k]));
		if (n < HOLDERS - 1)
			early = early || raw_free_bytes(t->ctx[0], 1) != total - 2 * PAGE;
	}
	for (int k = 0; k < 3; k++)
		munmap((void *)(uintptr_t)t->p[k], 2 * PAGE);
	ok = ok && !early && raw_mem_comes_to(t->ctx[0], 1, total);
	if (!ok)
		raw_check(false, "order %d%d%d%d%d%s", perm[0], perm[1], perm[2], perm[3], perm[4],
			  early ? ": memory was free while held" : "");
}

static void permute(struct trio *t, int *perm, int k, uint64_t total)
{
	if (k == HOLDERS)
		order_one(t, perm, total);
	for (int i = k; i < HOLDERS; i++) {
		int x = perm[k];

		perm[k] = perm[i];
		perm[i] = x;
		permute(t, perm, k + 1, total);
		perm[i] = perm[k];
		perm[k] = x;
	}
}

static void test_order(void)
{
	int perm[HOLDERS] = { 0, 1, 2, 3, 4 };
	struct hsl_chip_info ci;
	struct trio t;

	for (int i = 0; i < 3; i++)
		t.ctx[i] = ctx_open();
	raw_chip(t.ctx[0], 1, &ci);
	permute(&t, perm, 0, ci.mem_free_bytes);
	raw_check(!raw_nfailed, "three shares and two export files let go in all 120 orders");

	/* the one in the middle outlives the owner, and revokes */
	trio_open(&t);
	raw_check(!raw_free(t.ctx[0], t.s[0].handle) && reads(t.p[1]) && reads(t.p[2]), "the owner has freed");
	raw_check(!raw_revoke(t.ctx[1], t.s[1].handle) && reads(t.p[1]) && faults(t.p[2]),
		  "a revoke by the importer ends its own export only");
	raw_check(raw_import(t.ctx[0], t.fd[1], 0, &t.s[0]) == -ESTALE, "import of that one is ESTALE");
	raw_check(!raw_import(t.ctx[0], t.fd[0], 0, &t.s[0]), "import of the owner's export still works");
	close(t.ctx[1]);	/* with its segment */
	raw_check(faults(t.p[2]) && !raw_free(t.ctx[2], t.s[2].handle), "a revoked handle can be freed");
	close(t.fd[0]);
	close(t.fd[1]);
	raw_check(!raw_free(t.ctx[0], t.s[0].handle), "free of the last share");
	munmap((void *)(uintptr_t)t.p[1], 2 * PAGE);
	raw_check(raw_mem_comes_to(t.ctx[0], 1, ci.mem_free_bytes), "all memory is free again");
	close(t.ctx[0]);
	close(t.ctx[2]);
	test_mapping();
}

/* ---- a mapping is all that is left ---- */

static void test_mapping(void)
{
	int owner = ctx_open(), ctx = ctx_open(), fd, go[2], status;
	uint64_t before = raw_free_bytes(owner, 1);
	volatile uint64_t *p, *mine;
	struct raw_seg s, t;
	char c;
	pid_t pid;

	if (pipe(go) || raw_alloc(owner, 1, 2 * PAGE, RAW_RW, &s) ||
	    raw_map(owner, &s, PROT_READ | PROT_WRITE, &mine))
		raw_bail("a segment");
	for (unsigned int i = 0; i < 2 * WORDS; i++)
		mine[i] = MARK + i;
	fd = raw_export(owner, s.handle, RAW_RW);
	if (raw_import(ctx, fd, 0, &t) || raw_map(ctx, &t, PROT_READ | PROT_WRITE, &p))
		raw_bail("import, mmap");
	close(fd);
	close(ctx);
	raw_check(!raw_free(owner, s.handle) && faults(mine), "the owner frees, its mapping is SIGBUS");
	raw_check(reads(p), "a mapping whose context file is closed reads");
	pid = fork();
	if (!pid) {
		close(go[1]);
		if (read(go[0], &c, 1) < 0)	/* until the parent has let go */
			_exit(1);
		_exit(reads(p) && faults(mine) ? 0 : 1);
	}
	munmap((void *)(uintptr_t)p, 2 * PAGE);
	munmap((void *)(uintptr_t)mine, 2 * PAGE);
	raw_check(raw_free_bytes(owner, 1) == before - 2 * PAGE, "the memory is held by the mapping of a child");
	close(go[1]);
	raw_check(waitpid(pid, &status, 0) == pid && !status, "which reads");
	raw_check(raw_mem_comes_to(owner, 1, before), "and whose end frees it");
	close(go[0]);
	close(owner);
}

/* ---- a long chain of hands ---- */

static void test_chain(void)
{
	int owner = ctx_open(), hand[2] = { ctx_open(), ctx_open() }, fd, next, other;
	volatile uint64_t *p, *mine;
	struct hsl_chip_info ci;
	struct raw_seg s, h[2];
	uint32_t i;

	raw_chip(owner, 1, &ci);
	if (raw_alloc(owner, 1, PAGE, RAW_RW, &s) || raw_map(owner, &s, PROT_READ | PROT_WRITE, &mine))
		raw_bail("a segment");
	mine[3] = MARK;
	fd = raw_export(owner, s.handle, RAW_RW);
	if (raw_import(hand[0], fd, 0, &h[0]))
		raw_bail("import");
	close(fd);
	for (i = 0; i < 2000; i++) {
		next = (i + 1) % 2;
		fd = raw_export(hand[i % 2], h[i % 2].handle, RAW_RW);
		if (fd < 0 || raw_free(hand[i % 2], h[i % 2].handle) || raw_import(hand[next], fd, 0, &h[next]))
			break;
		close(fd);
	}
	raw_check(i == 2000, "handed on 2000 times, by export, free and import");
	fd = raw_export(hand[i % 2], h[i % 2].handle, RAW_RW);
	raw_check(!raw_map(hand[i % 2], &h[i % 2], PROT_READ, &p) && p[3] == MARK, "the last hand reads");
	raw_check(!raw_revoke(owner, s.handle), "the owner revokes");
	raw_check(!RAW_TRY((void)p[3]), "the last hand has nothing");
	other = hand[(i + 1) % 2];
	raw_check(raw_import(other, fd, 0, &h[0]) == -ESTALE, "nor who gets its export");
	raw_check(raw_export(hand[i % 2], h[i % 2].handle, HSL_SEGMENT_READ) == -ESTALE, "nor can it export");
	raw_check(mine[3] == MARK, "the owner has its bytes");
	close(fd);
	fd = raw_export(owner, s.handle, RAW_RW);
	raw_check(!raw_import(other, fd, 0, &h[0]), "a new export after the revoke works");
	raw_check(!raw_import(hand[i % 2], fd, 0, &h[1]), "also where the revoked handle is still held");
	close(fd);
	for (int k = 0; k < 2; k++)
		close(hand[k]);
	munmap((void *)(uintptr_t)p, PAGE);
	munmap((void *)(uintptr_t)mine, PAGE);
	raw_free(owner, s.handle);
	raw_check(raw_mem_comes_to(owner, 1, ci.mem_free_bytes), "all memory is free again");
	close(owner);
}

/* ---- revoke under load ---- */

#define SHARED_BYTES	(4u << 20)	/* page 0 is read, page 1 written, the rest copied */
#define AFTER		2		/* what the owner writes once the revoke has returned */

struct load {
	atomic_uint reads, writes, copies, waiting, wrong, done, revoked;
	atomic_int read_end, write_end, copy_end, wait_end;
	int after[6];
};

struct party {
	struct load *load;
	int ctx;
	struct raw_seg s, own;
	volatile uint64_t *p, *copy;
};

static void *reader(void *arg)
{
	struct party *a = arg;
	volatile uint64_t v = 0;

	while (RAW_TRY(v = a->p[0])) {
		if (v == AFTER)
			atomic_fetch_add(&a->load->wrong, 1);
		atomic_fetch_add(&a->load->reads, 1);
	}
	atomic_store(&a->load->read_end, 1);
	return NULL;
}

static void *writer(void *arg)
{
	struct party *a = arg;
	while (RAW_TRY(a->p[WORDS + 5] = atomic_load(&a->load->writes) + 1))
		atomic_fetch_add(&a->load->writes, 1);
	atomic_store(&a->load->write_end, 1);
	return NULL;
}

static void *waiter(void *arg)
{
	struct party *a = arg;
	struct raw_queue q;

	if (raw_queue_open(a->ctx, 2, &q))
		_exit(2);
	raw_submit(&q, &(struct hsl_desc){ .opcode = HSL_OP_WAIT, .subop = HSL_WAIT_EQ, .src = a->s.ga, .len = 8,
					   .arg0 = ~0ull });
	atomic_store(&a->load->waiting, 1);
	atomic_store(&a->load->wait_end, raw_complete(&q, 60000));
	raw_queue_close(&q);
	return NULL;
}

static void *copier(void *arg)
{
	struct party *a = arg;
	struct raw_queue q;
	int st;

	if (raw_queue_open(a->ctx, 2, &q))
		_exit(2);
	do {
		st = raw_copy(&q, a->own.ga, a->s.ga + 2 * PAGE, SHARED_BYTES - 2 * PAGE);
		for (unsigned int i = 0; i < (SHARED_BYTES - 2 * PAGE) / 8; i += WORDS - 1)
			if (a->copy[i] == AFTER)
				atomic_fetch_add(&a->load->wrong, 1);
		atomic_fetch_add(&a->load->copies, 1);
	} while (st == HSL_ST_OK);
	atomic_store(&a->load->copy_end, st);
	/* that was on the way: the two chips forget one after the other, and may disagree until the revoke returns */
	while (!atomic_load(&a->load->revoked))
		raw_sleep_us(1000);
	a->load->after[0] = raw_copy(&q, a->own.ga, a->s.ga, PAGE);
	a->load->after[1] = raw_copy(&q, a->s.ga, a->own.ga, PAGE);
	raw_queue_close(&q);
	return NULL;
}

/* sock: where the export comes from; passes one on to the next, if there is one */
static void party_run(int sock, int next, struct load *load)
{
	static void *(*const fn[])(void *) = { reader, writer, copier, waiter };
	struct party a = { .load = load, .ctx = ctx_open() };
	struct hsl_chip_info ci;
	pthread_t t[4];
	volatile uint64_t *p;
	uint64_t word;
	int fd, n;

	if (raw_recv_fd(sock, &fd, &word) || raw_import(a.ctx, fd, 0, &a.s) ||
	    raw_map(a.ctx, &a.s, PROT_READ | PROT_WRITE, &a.p) ||
	    raw_alloc(a.ctx, 2, SHARED_BYTES, RAW_RW, &a.own) || raw_map(a.ctx, &a.own, PROT_READ, &a.copy) ||
	    raw_chip(a.ctx, 2, &ci))
		_exit(2);
	n = ci.cap & HSL_CAP_OP_SIGNAL ? 4 : 3;
	if (n == 3)
		atomic_store(&load->waiting, 2);
	if (next >= 0) {
		int again = raw_export(a.ctx, a.s.handle, RAW_RW);

		if (again < 0 || raw_send_fd(next, again, 0))
			_exit(2);
		close(again);
	}
	for (int i = 0; i < n; i++)
		if (pthread_create(&t[i], NULL, fn[i], &a))
			_exit(2);
	for (int i = 0; i < n; i++)
		pthread_join(t[i], NULL);
	load->after[2] = raw_map(a.ctx, &a.s, PROT_READ, &p);
	load->after[3] = raw_import(a.ctx, fd, 0, &a.s);
	load->after[4] = raw_export(a.ctx, a.s.handle, HSL_SEGMENT_READ);
	load->after[5] = raw_free(a.ctx, a.s.handle);
	atomic_store(&load->done, 1);
}

struct parties {
	int next;
	struct load *load;
};

static void party_child(int sock, void *arg)
{
	struct parties *p = arg;

	raw_catch_faults();
	alarm(120);	/* what does not end by the revoke ends here, and fails */
	party_run(sock, p->next, p->load);
}

static bool busy(struct load *l)
{
	return atomic_load(&l->reads) > 100 && atomic_load(&l->writes) > 100 && atomic_load(&l->copies) > 2 &&
	       atomic_load(&l->waiting);
}

static bool load_ended(struct load *l, int who)
{
	int copy = atomic_load(&l->copy_end), wait = atomic_load(&l->wait_end);
	bool ok = atomic_load(&l->done) && atomic_load(&l->read_end) && atomic_load(&l->write_end) && !l->wrong &&
		  (copy == HSL_ST_REVOKED || copy == HSL_ST_SEGMENT || copy == HSL_ST_DENIED) &&
		  (atomic_load(&l->waiting) == 2 || wait == HSL_ST_REVOKED || wait == HSL_ST_SEGMENT) &&
		  l->after[0] == HSL_ST_SEGMENT && l->after[1] == HSL_ST_SEGMENT && l->after[2] == -ENXIO &&
		  l->after[3] == -ESTALE && l->after[4] == -ESTALE && !l->after[5];

	if (!ok)
		printf("# importer %d: done %u reads %u%s writes %u%s copies %u last status %d wait status %d, saw %u too late; "
		       "after: copy %d %d mmap %d import %d export %d free %d\n", who, l->done, l->reads,
		       l->read_end ? " SIGBUS" : "", l->writes, l->write_end ? " SIGBUS" : "", l->copies, copy, wait,
		       l->wrong, l->after[0], l->after[1], l->after[2], l->after[3], l->after[4], l->after[5]);
	return ok;
}

static bool revoke_round(int ctx, struct raw_seg *s, volatile uint64_t *p, struct load *load)
{
	int sock[2], fd;
	struct parties a[2] = { { -1, &load[0] }, { -1, &load[1] } };
	bool ok = true;
	pid_t pid[2];

	memset(load, 0, 2 * sizeof(*load));
	for (unsigned int i = 0; i < SHARED_BYTES / 8; i++)
		p[i] = 1;
	pid[1] = start(party_child, &a[1], &sock[1]);
	a[0].next = sock[1];
	pid[0] = start(party_child, &a[0], &sock[0]);
	fd = raw_export(ctx, s->handle, RAW_RW);
	raw_send_fd(sock[0], fd, 0);
	close(fd);
	for (int i = 0; i < 30000 && !(busy(&load[0]) && busy(&load[1])); i++)
		raw_sleep_us(1000);
	ok = busy(&load[0]) && busy(&load[1]);
	if (!ok)
		printf("# not all of it came going: %u %u %u %u and %u %u %u %u\n", load[0].reads, load[0].writes,
		       load[0].copies, load[0].waiting, load[1].reads, load[1].writes, load[1].copies, load[1].waiting);
	raw_sleep_us((unsigned int)rand() % 3000);
	ok = !raw_revoke(ctx, s->handle) && ok;
	for (int i = 0; i < 2; i++)
		atomic_store(&load[i].revoked, 1);

	/* from here on it is the owner's alone */
	p[0] = AFTER;
	for (unsigned int i = WORDS; i < 2 * WORDS; i++)
		p[i] = 0;
	for (unsigned int i = 2 * WORDS; i < SHARED_BYTES / 8; i++)
		p[i] = AFTER;
	raw_sleep_us(20000);
	for (unsigned int i = WORDS; i < 2 * WORDS; i++)
		if (p[i]) {
			printf("# word %u was written after the revoke: %#llx\n", i, (unsigned long long)p[i]);
			ok = false;
			break;
		}
	for (int i = 0; i < 2; i++) {
		close(sock[i]);
		ok = ended_well(pid[i]) && ok;
		ok = load_ended(&load[i], i) && ok;
	}
	return ok;
}

static void test_revoke(unsigned int rounds)
{
	struct load *load = shared_alloc(2 * sizeof(*load));
	volatile uint64_t *p;
	struct raw_seg s;
	unsigned int good = 0;
	int ctx = ctx_open();

	if (raw_alloc(ctx, 1, SHARED_BYTES, RAW_RW, &s) || raw_map(ctx, &s, PROT_READ | PROT_WRITE, &p))
		raw_bail("a segment");
	for (unsigned int i = 0; i < rounds; i++)
		good += revoke_round(ctx, &s, p, load);
	raw_check(good == rounds, "%u of %u revokes under mapping, COPY%s of two generations", good, rounds,
		  load->waiting == 2 ? "" : " and WAIT");
	close(ctx);
}

/* ---- churn ---- */

static atomic_uint *marks;	/* shared: marks given out, pages read, wrong ones */
enum { GIVEN, SEEN, WRONG, BUS };

/* Errors that killing and resetting others may cause here. */
static void tolerate(int err, const char *what)
{
	if (!err || err == -ESTALE || err == -ENODEV || err == -EPIPE || err == -ECONNRESET)
		return;
	printf("# churn: %s: %s\n", what, strerror(-err));
	atomic_fetch_add(&marks[WRONG], 1);
}

static void look(volatile uint64_t *p, uint64_t mark)
{
	volatile uint64_t v = 0;

	for (unsigned int i = 0; i < 4; i++) {
		unsigned int at = (unsigned int)rand() % (4 * WORDS);

		if (!RAW_TRY(v = p[at])) {
			atomic_fetch_add(&marks[BUS], 1);
			return;
		}
		if (v != mark) {
			printf("# churn: read %#llx where %#llx belongs\n", (unsigned long long)v,
			       (unsigned long long)mark);
			atomic_fetch_add(&marks[WRONG], 1);
		}
		atomic_fetch_add(&marks[SEEN], 1);
	}
}

static void churn_export_one(int ctx, int sock)
{
	uint64_t mark = MARK + atomic_fetch_add(&marks[GIVEN], 1);
	uint32_t node = 1 + (uint32_t)rand() % 2;
	volatile uint64_t *p = NULL;
	struct raw_seg s;
	int fd, err = raw_alloc(ctx, node, 4 * PAGE, RAW_RW, &s);

	tolerate(err, "alloc");
	if (err)
		return;
	err = raw_map(ctx, &s, PROT_READ | PROT_WRITE, &p);
	if (err != -ENXIO)	/* the chip has left meanwhile */
		tolerate(err, "mmap");
	if (!err && RAW_TRY(for (unsigned int i = 0; i < 4 * WORDS; i++) p[i] = mark;)) {
		fd = raw_export(ctx, s.handle, RAW_RW);
		tolerate(fd < 0 ? fd : 0, "export");
		if (fd >= 0) {
			tolerate(raw_send_fd(sock, fd, mark), "sendmsg");
			close(fd);
		}
		raw_sleep_us((unsigned int)rand() % 2000);
		look(p, mark);
		if (rand() % 2)
			tolerate(raw_revoke(ctx, s.handle), "revoke");
		look(p, mark);
	}
	if (p)
		munmap((void *)(uintptr_t)p, 4 * PAGE);
	tolerate(raw_free(ctx, s.handle), "free");
}

static void churn_exporter(int sock, void *arg)
{
	(void)arg;
	raw_catch_faults();
	srand((unsigned int)getpid());
	for (;;) {
		int ctx = raw_open(0);

		if (ctx < 0) {
			raw_sleep_us(1000);
			continue;
		}
		for (int i = 0; i < 10; i++)
			churn_export_one(ctx, sock);
		close(ctx);
	}
}

/* Two contexts: the second imports what the first exports again. */
static void churn_import_one(int *ctx, int fd, uint64_t mark)
{
	volatile uint64_t *p[2] = { NULL, NULL };
	struct raw_seg s[2];
	int err, again = -1;

	for (int k = 0; k < 2 && ctx[k] >= 0; k++) {
		err = raw_import(ctx[k], k ? again : fd, 0, &s[k]);
		if (err == -EXDEV)	/* the fabric has been made anew */
			break;
		tolerate(err, "import");
		if (err)
			break;
		if (!raw_map(ctx[k], &s[k], PROT_READ | PROT_WRITE, &p[k]))
			look(p[k], mark);
		again = raw_export(ctx[k], s[k].handle, RAW_RW);
		tolerate(again < 0 ? again : 0, "second export");
		if (again < 0)
			break;
		if (k)
			close(again);
	}
	if (again >= 0 && !p[1])
		close(again);
	raw_sleep_us((unsigned int)rand() % 3000);
	for (int k = 0; k < 2; k++)
		if (p[k]) {
			look(p[k], mark);
			if (rand() % 2)
				tolerate(raw_revoke(ctx[k], s[k].handle), "revoke of an import");
			munmap((void *)(uintptr_t)p[k], 4 * PAGE);
			if (rand() % 4)
				tolerate(raw_free(ctx[k], s[k].handle), "free of an import");
		}
}

static void churn_importer(int sock, void *arg)
{
	(void)arg;
	raw_catch_faults();
	srand((unsigned int)getpid());
	for (;;) {
		int ctx[2] = { raw_open(0), raw_open(0) }, fd, err = 0;
		uint64_t mark;

		for (int i = 0; i < 20 && !err; i++) {
			err = raw_recv_fd(sock, &fd, &mark);
			if (!err) {
				churn_import_one(ctx, fd, mark);
				close(fd);
			}
		}
		for (int k = 0; k < 2; k++)
			if (ctx[k] >= 0)
				close(ctx[k]);
		if (err)
			return;
	}
}

#define PAIRS	2
static void pair_start(pid_t *pid)
{
	int s[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, s))
		raw_bail("socketpair");
	for (int k = 0; k < 2; k++) {
		pid[k] = fork();
		if (pid[k] < 0)
			raw_bail("fork");
		if (!pid[k]) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			close(s[!k]);
			if (k)
				churn_importer(s[1], NULL);
			else
				churn_exporter(s[0], NULL);
			_exit(0);
		}
	}
	close(s[0]);
	close(s[1]);
}

static void pair_kill(pid_t *pid)
{
	int first = rand() % 2;

	kill(pid[first], SIGKILL);
	raw_sleep_us((unsigned int)rand() % 3000);
	kill(pid[!first], SIGKILL);
	for (int k = 0; k < 2; k++)
		waitpid(pid[k], NULL, 0);
}

static char bdf[32];

static void disturb(unsigned int n)
{
	char path[128];

	if (n % 2) {
		snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/reset", bdf);
		if (raw_write_file(path, "1"))
			atomic_fetch_add(&marks[WRONG], 1);
		return;
	}
	if (raw_write_file("/sys/bus/pci/drivers/hsl_pci/unbind", bdf))
		atomic_fetch_add(&marks[WRONG], 1);
	raw_sleep_us(5000);
	if (raw_write_file("/sys/bus/pci/drivers/hsl_pci/bind", bdf))
		atomic_fetch_add(&marks[WRONG], 1);
}

static bool all_zero(int ctx, uint32_t node)
{
	struct hsl_chip_info ci;
	volatile uint64_t *p;
	struct raw_seg s;
	bool zero = true;

	if (raw_chip(ctx, node, &ci) || raw_alloc(ctx, node, ci.mem_bytes, HSL_SEGMENT_READ, &s) ||
	    raw_map(ctx, &s, PROT_READ, &p))
		return false;
	for (uint64_t i = 0; zero && i < s.len / 8; i++)
		zero = !p[i];
	munmap((void *)(uintptr_t)p, s.len);
	return !raw_free(ctx, s.handle) && zero;
}

static void test_churn(unsigned int kills)
{
	struct hsl_chip_info ci;
	pid_t pid[PAIRS][2];
	int ctx = ctx_open();

	if (raw_chip(ctx, 2, &ci))
		raw_skip_all("two chips are needed");
	snprintf(bdf, sizeof(bdf), "%s", ci.bus_addr);
	close(ctx);
	marks = shared_alloc(PAGE);
	for (int i = 0; i < PAIRS; i++)
		pair_start(pid[i]);
	for (unsigned int n = 0; n < kills; n++) {
		raw_sleep_us(1000 + (unsigned int)rand() % 60000);
		if (n % 4 == 3)
			disturb(n / 4);
		pair_kill(pid[n % PAIRS]);
		pair_start(pid[n % PAIRS]);
	}
	for (int i = 0; i < PAIRS; i++)
		pair_kill(pid[i]);
	printf("# %u segments shared, %u reads, %u SIGBUS\n", marks[GIVEN], marks[SEEN], marks[BUS]);
	raw_check(marks[GIVEN] > kills && marks[SEEN] > kills, "there was something to kill");
	raw_check(!marks[WRONG], "nobody read another's memory, no call failed for another reason: %u", marks[WRONG]);
	ctx = ctx_open();
	for (uint32_t node = 1; node <= 2; node++) {
		raw_check(!raw_chip(ctx, node, &ci) && raw_mem_comes_to(ctx, node, ci.mem_bytes),
			  "all memory of chip %u is free again", node);
		raw_check(all_zero(ctx, node), "and zero, in one piece");
	}
	close(ctx);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "rights";
	unsigned int n = argc > 2 ? (unsigned int)atoi(argv[2]) : 20;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (access(RAW_DEV, F_OK))
		raw_skip_all("no " RAW_DEV);
	raw_catch_faults();
	srand((unsigned int)time(NULL));
	if (!strcmp(what, "rights"))
		test_rights();
	else if (!strcmp(what, "order"))
		test_order();
	else if (!strcmp(what, "chain"))
		test_chain();
	else if (!strcmp(what, "revoke"))
		test_revoke(n);
	else if (!strcmp(what, "churn"))
		test_churn(n);
	else
		raw_skip_all("usage: share rights|order|chain|revoke [rounds]|churn [kills]");
	return raw_done();
}
