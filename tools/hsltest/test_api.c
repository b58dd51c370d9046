/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* API: libhsl's and the driver's manners. */
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/hsl.h>

#include "hsltest.h"

#define KIB    ((uint64_t)1024)
#define MIB    (1024 * KIB)
#define NOBODY 65534

/* ------------------------------------------------------------------ same results on every backend
 */

#define SCRIPT_OPS 1500
#define SCRIPT_LEN (96 * KIB)

struct outcome {
	uint64_t result;
	uint64_t fault; /* node-relative to the buffer, so that different addresses compare */
	uint32_t status;
};

struct script_result {
	struct outcome op[SCRIPT_OPS];
	uint8_t mem[3][SCRIPT_LEN];
};

static uint64_t fault_name(const struct ht_buf *b, uint64_t ga)
{
	unsigned int i;

	for (i = 0; i < 3; i++) {
		if (ga - b[i].ga <= b[i].len)
			return 1ull << 32 | (uint64_t)i << 24 | (ga - b[i].ga);
	}
	return ga;
}

/* A reproducible program with all kinds of mistakes in it. Its memory: two chip segments and a host
 * one. */
static void script_run(struct ht *t, struct ht *on, struct script_result *r)
{
	struct hsl_completion c;
	struct hsl_queue *q;
	uint64_t rng = t->config->seed ^ 0x5c819;
	struct ht_buf b[3];
	struct hsl_op op;
	unsigned int i;

	on->rng = rng; /* the buffers' contents too */
	ht_buf_new(on, &b[0], on->chip[0].node, SCRIPT_LEN);
	ht_buf_new(on, &b[1], on->chip[1].node, SCRIPT_LEN);
	ht_buf_new(on, &b[2], 0, SCRIPT_LEN);
	q = ht_queue_new(on, on->chip[0].node, 0);
	for (i = 0; i < SCRIPT_OPS; i++) {
		uint64_t r0 = ht_mix(rng++), r1 = ht_mix(rng++);
		struct ht_buf *d = &b[r0 % 3], *s = &b[r1 % 3];

		op = r0 >> 8 & 1 ? ht_op_copy(d->ga + (r0 >> 16 & 0xffff),
					      s->ga + (r1 >> 16 & 0xffff), r1 >> 32 & 0xffff)
				 : ht_op_fill(d->ga + (r0 >> 16 & 0xffff), r1 >> 32 & 0xffff, r1);
		switch (r0 >> 58) {
		case 0: op.opcode = (uint8_t)r1; break;
		case 1: op.order = (uint8_t)(r1 & 7); break;
		case 2: op.arg1 = r1 & 1; break;
		case 3: op.dst = HSL_GA(16383, r1); break;
		case 4: op.src = 0; break;
		case 5: op.len = r1; break;
		case 6: op.len = 0; break;
		default: break;
		}
		ht_op_run(on, q, &op, &c);
		r->op[i].status = c.status;
		r->op[i].result = c.result;
		r->op[i].fault = fault_name(b, c.fault_ga);
	}
	for (i = 0; i < 3; i++)
		memcpy(r->mem[i], b[i].p, SCRIPT_LEN);
	ht_queue_free(on, q);
	for (i = 0; i < 3; i++)
		ht_buf_free(on, &b[i]);
}

static void same_results(struct ht *t)
{
	struct script_result *r = calloc(2, sizeof(*r));
	struct hsl_fabric_info info = { .size = sizeof(info) };
	unsigned int i, k, ok = 0;
	struct ht_diff d;
	struct ht sim = *t;

	if (t->nchips < 2)
		HT_SKIP_TEST(t, "needs two chips");
	ht_step(t, "on the fabric under test");
	script_run(t, t, &r[0]);
	ht_step(t, "on sim:pair2");
	/* on sim: itself this is another fabric in the same process: the comparison is for
	 * reproducibility then */
	HT_OK(t, hsl_fabric_open("sim:pair2", &sim.f));
	HT_OK(t, hsl_fabric_info(sim.f, &info));
	sim.nchips = 2;
	for (i = 0; i < 2; i++)
		HT_OK(t, hsl_chip_by_index(sim.f, i, &sim.chip[i]));
	script_run(t, &sim, &r[1]);
	hsl_fabric_close(sim.f);
	for (i = 0; i < SCRIPT_OPS; i++) {
		struct outcome *a = &r[0].op[i], *z = &r[1].op[i];

		ok += a->status == HSL_ST_OK;
		if (a->status == HSL_ST_LENGTH || z->status == HSL_ST_LENGTH)
			continue; /* MAX_LEN is the chip's own */
		if (a->status != z->status || a->result != z->result || a->fault != z->fault)
			HT_FAIL_TEST(t,
				     "operation %u: status %s, result %" PRIu64 ", fault %#" PRIx64
				     " here; %s, %" PRIu64 ", %#" PRIx64 " on sim:pair2",
				     i, hsl_status_name(a->status), a->result, a->fault,
				     hsl_status_name(z->status), z->result, z->fault);
	}
	for (k = 0; k < 3; k++)
		HT_TRUE(t, ht_equal(r[0].mem[k], r[1].mem[k], SCRIPT_LEN, &d),
			"buffer %u, byte %" PRIu64 ": 0x%02x here, 0x%02x on sim:pair2", k, d.first,
			d.got, d.expected);
	ht_note(t, "%d operations, %u of them ok", SCRIPT_OPS, ok);
	free(r);
}

/* ------------------------------------------------------------------ the driver's ioctls */

/* Each ioctl of a context file with a struct that works; 96 bytes hold the largest. */
struct call {
	const char *name;
	unsigned long cmd;
	uint32_t size;
	uint32_t reserved; /* offset of a reserved field, 0 = none */
	bool flags_in;	   /* flags is input only */
	bool queue;	   /* on a queue file */
};

static const struct call calls[] = {
	{ "INFO", HSL_IOC_INFO, sizeof(struct hsl_info), 0, true, false },
	{ "CHIP_INFO", HSL_IOC_CHIP_INFO, sizeof(struct hsl_chip_info), 0, true, false },
	{ "LINK_INFO", HSL_IOC_LINK_INFO, sizeof(struct hsl_link_info), 0, true, false },
	{ "SEGMENT_ALLOC", HSL_IOC_SEGMENT_ALLOC, sizeof(struct hsl_segment_alloc),
	  offsetof(struct hsl_segment_alloc, rsvd), true, false },
	{ "SEGMENT_REGISTER", HSL_IOC_SEGMENT_REGISTER, sizeof(struct hsl_segment_register), 0,
	  true, false },
	{ "SEGMENT_INFO", HSL_IOC_SEGMENT_INFO, sizeof(struct hsl_segment_info), 0, true, false },
	{ "QUEUE_CREATE", HSL_IOC_QUEUE_CREATE, sizeof(struct hsl_queue_create),
	  offsetof(struct hsl_queue_create, rsvd), true, false },
	{ "QUEUE_KICK", HSL_IOC_QUEUE_KICK, sizeof(struct hsl_queue_kick), 0, true, true },
	{ "QUEUE_EVENTFD", HSL_IOC_QUEUE_EVENTFD, sizeof(struct hsl_queue_eventfd),
	  offsetof(struct hsl_queue_eventfd, rsvd), true, true },
	{ "QUEUE_INFO", HSL_IOC_QUEUE_INFO, sizeof(struct hsl_queue_info),
	  offsetof(struct hsl_queue_info, rsvd), true, true },
	{ "QUEUE_ABORT", HSL_IOC_QUEUE_ABORT, sizeof(struct hsl_queue_abort), 0, true, true },
	{ "SEGMENT_EXPORT", HSL_IOC_SEGMENT_EXPORT, sizeof(struct hsl_segment_export),
	  offsetof(struct hsl_segment_export, rsvd), true, false },
	{ "SEGMENT_IMPORT", HSL_IOC_SEGMENT_IMPORT, sizeof(struct hsl_segment_import),
	  offsetof(struct hsl_segment_import, rsvd), true, false },
	{ "SEGMENT_REVOKE", HSL_IOC_SEGMENT_REVOKE, sizeof(struct hsl_segment_revoke),
	  offsetof(struct hsl_segment_revoke, rsvd), true, false },
	{ "SEGMENT_FREE", HSL_IOC_SEGMENT_FREE, sizeof(struct hsl_segment_free),
	  offsetof(struct hsl_segment_free, rsvd), true, false },
};
#define NCALLS (sizeof(calls) / sizeof(calls[0]))

union arg {
	uint8_t bytes[8192];
	uint32_t u32[2048];
	struct hsl_info info;
	struct hsl_chip_info chip;
	struct hsl_link_info link;
	struct hsl_segment_alloc alloc;
	struct hsl_segment_register reg;
	struct hsl_segment_free free;
	struct hsl_segment_info sinfo;
	struct hsl_queue_create queue;
	struct hsl_queue_kick kick;
	struct hsl_queue_eventfd event;
	struct hsl_queue_info qinfo;
	struct hsl_segment_export export;
	struct hsl_segment_import import;
};

struct abi {
	int fd, qfd;
	int other_fd, export_fd; /* another context, and a segment that it has exported */
	uint32_t node, handle;
	void *page;
};

static void abi_open(struct ht *t, struct abi *a)
{
	struct hsl_queue_create q = { .size = sizeof(q), .node = t->chip[0].node, .depth = 4 };
	struct hsl_segment_export x = { .size = sizeof(x), .rights = HSL_SEGMENT_READ };

	a->fd = ht_raw_open(t);
	a->node = t->chip[0].node;
	ht_raw_alloc(t, a->fd, a->node, 4096, &a->handle);
	HT_OK(t, ht_ioctl(a->fd, HSL_IOC_QUEUE_CREATE, &q));
	a->qfd = q.fd;
	a->other_fd = ht_raw_open(t);
	x.handle = 0;
	ht_raw_alloc(t, a->other_fd, a->node, 4096, &x.handle);
	HT_OK(t, ht_ioctl(a->other_fd, HSL_IOC_SEGMENT_EXPORT, &x));
	a->export_fd = x.fd;
	a->page = aligned_alloc(4096, 4096);
	HT_TRUE(t, a->page != NULL, "no memory");
	memset(a->page, 0, 4096);
}

/* Arguments that succeed. */
static void abi_fill(const struct abi *a, const struct call *c, union arg *u)
{
	memset(u, 0, sizeof(*u));
	u->u32[0] = c->size;
	switch (c->cmd) {
	case HSL_IOC_INFO: u->info.abi_version = HSL_ABI_VERSION; break;
	case HSL_IOC_CHIP_INFO: u->chip.node = a->node; break;
	case HSL_IOC_LINK_INFO: u->link.node = a->node; break;
	case HSL_IOC_SEGMENT_ALLOC:
		u->alloc.node = a->node;
		u->alloc.rights = HSL_SEGMENT_READ;
		u->alloc.len_bytes = 4096;
		break;
	case HSL_IOC_SEGMENT_REGISTER:
		u->reg.rights = HSL_SEGMENT_READ;
		u->reg.addr = (uintptr_t)a->page;
		u->reg.len_bytes = 100;
		break;
	case HSL_IOC_SEGMENT_EXPORT:
		u->export.handle = a->handle;
		u->export.rights = HSL_SEGMENT_READ;
		break;
	case HSL_IOC_SEGMENT_IMPORT: u->import.fd = a->export_fd; break;
	case HSL_IOC_SEGMENT_REVOKE:
	case HSL_IOC_SEGMENT_FREE:
	case HSL_IOC_SEGMENT_INFO: u->sinfo.handle = a->handle; break;
	case HSL_IOC_QUEUE_CREATE:
		u->queue.node = a->node;
		u->queue.depth = 4;
		break;
	case HSL_IOC_QUEUE_EVENTFD: u->event.fd = -1; break;
	default: break;
	}
}

/* What a successful call made goes away again; SEGMENT_FREE's segment is made again. */
static void abi_undo(struct ht *t, struct abi *a, const struct call *c, const union arg *u)
{
	switch (c->cmd) {
	case HSL_IOC_SEGMENT_ALLOC: ht_raw_free(t, a->fd, u->alloc.handle); break;
	case HSL_IOC_SEGMENT_REGISTER: ht_raw_free(t, a->fd, u->reg.handle); break;
	case HSL_IOC_SEGMENT_FREE: ht_raw_alloc(t, a->fd, a->node, 4096, &a->handle); break;
	case HSL_IOC_QUEUE_CREATE: close(u->queue.fd); break;
	case HSL_IOC_SEGMENT_EXPORT: close(u->export.fd); break;
	case HSL_IOC_SEGMENT_IMPORT: ht_raw_free(t, a->fd, u->import.handle); break;
	default: break;
	}
}

static void abi_close(const struct abi *a)
{
	close(a->export_fd);
	close(a->other_fd);
	close(a->qfd);
	close(a->fd);
}

static int abi_fd(const struct abi *a, const struct call *c)
{
	return c->queue ? a->qfd : a->fd;
}

static void abi_expect(struct ht *t, int fd, const struct call *c, union arg *u, int want,
		       const char *what)
{
	int rc = ht_ioctl(fd, c->cmd, u);

	if (rc != want) {
		char got[24];

		snprintf(got, sizeof(got), "%s", ht_errno_name(rc));
		HT_FAIL_TEST(t, "%s with %s: expected %s, got %s", c->name, what,
			     ht_errno_name(want), got);
	}
}

static void unknown_bits(struct ht *t)
{
	unsigned int i, bit;
	struct abi a;
	union arg u;

	abi_open(t, &a);
	for (i = 0; i < NCALLS; i++) {
		const struct call *c = &calls[i];

		if (c->cmd == HSL_IOC_LINK_INFO && !t->chip[0].nlinks)
			continue; /* a chip alone */
		abi_fill(&a, c, &u);
		abi_expect(t, abi_fd(&a, c), c, &u, 0, "good arguments");
		abi_undo(t, &a, c, &u);
		for (bit = 0; bit < 32; bit++) {
			if (bit == 0 &&
			    (c->cmd == HSL_IOC_CHIP_INFO || c->cmd == HSL_IOC_QUEUE_KICK))
				continue; /* HSL_CHIP_BY_INDEX, HSL_KICK_ARM */
			if (bit == 0 &&
			    (c->cmd == HSL_IOC_SEGMENT_EXPORT || c->cmd == HSL_IOC_QUEUE_CREATE))
				continue; /* HSL_EXPORT_DMABUF, HSL_QUEUE_SHADOW */
			if (bit < 2 && c->cmd == HSL_IOC_SEGMENT_ALLOC)
				continue; /* HSL_ALLOC_OBSERVABLE, HSL_ALLOC_NONCOHERENT */
			abi_fill(&a, c, &u);
			u.u32[1] = 1u << bit;
			abi_expect(t, abi_fd(&a, c), c, &u, -EINVAL, "an unknown flag");
		}
		if (c->reserved) {
			abi_fill(&a, c, &u);
			u.bytes[c->reserved] = 1;
			abi_expect(t, abi_fd(&a, c), c, &u, -EINVAL, "a reserved field set");
		}
		/* the other kind of file */
		abi_fill(&a, c, &u);
		abi_expect(t, c->queue ? a.fd : a.qfd, c, &u, -ENOTTY, "the other kind of file");
	}
	for (i = 0; i < 256; i++) {
		unsigned int k;

		for (k = 0; k < NCALLS && calls[k].cmd != HSL_IO(i); k++)
			;
		if (k < NCALLS)
			continue;
		memset(&u, 0, sizeof(u));
		u.u32[0] = 64;
		HT_TRUE(t, ht_ioctl(a.fd, HSL_IO(i), &u) == -ENOTTY,
			"unknown ioctl %#x of a context file is not ENOTTY", i);
		HT_TRUE(t, ht_ioctl(a.qfd, HSL_IO(i), &u) == -ENOTTY,
			"unknown ioctl %#x of a queue file is not ENOTTY", i);
	}
	abi_close(&a);
}

/* Of the first version of the struct: smaller where it has grown. */
static uint32_t first_size(const struct call *c)
{
	switch (c->cmd) {
	case HSL_IOC_QUEUE_CREATE: return offsetof(struct hsl_queue_create, shadow_offset);
	case HSL_IOC_LINK_INFO: return offsetof(struct hsl_link_info, max_width);
	default: return c->size;
	}
}

static void struct_sizes(struct ht *t)
{
	unsigned int i, k;
	struct abi a;
	union arg u;

	abi_open(t, &a);
	for (i = 0; i < NCALLS; i++) {
		const struct call *c = &calls[i];
		const uint32_t first = first_size(c);
		const uint32_t shorter[] = { 0, 1, 4, 8, first - 8, first - 4, first - 1 };
		const uint32_t longer[] = { c->size + 1, c->size + 8, c->size + 100, 4096 };

		if (c->cmd == HSL_IOC_LINK_INFO && !t->chip[0].nlinks)
			continue;
		for (k = 0; k < sizeof(shorter) / sizeof(shorter[0]); k++) {
			if (shorter[k] >= first)
				continue; /* QUEUE_ABORT has 8 bytes */
			abi_fill(&a, c, &u);
			u.u32[0] = shorter[k];
			abi_expect(t, abi_fd(&a, c), c, &u, -EINVAL, "a short struct");
		}
		for (k = 0; k < sizeof(longer) / sizeof(longer[0]); k++) {
			abi_fill(&a, c, &u);
			u.u32[0] = longer[k];
			abi_expect(t, abi_fd(&a, c), c, &u, 0, "a longer struct with a zero tail");
			abi_undo(t, &a, c, &u);
			abi_fill(&a, c, &u);
			u.u32[0] = longer[k];
			u.bytes[longer[k] - 1] = 1;
			abi_expect(t, abi_fd(&a, c), c, &u, -E2BIG,
				   "a longer struct with a tail that is not zero");
		}
		abi_fill(&a, c, &u);
		u.u32[0] = 4097;
		abi_expect(t, abi_fd(&a, c), c, &u, -E2BIG, "a struct longer than a page");
		u.u32[0] = UINT32_MAX;
		abi_expect(t, abi_fd(&a, c), c, &u, -E2BIG, "the largest size");
	}
	abi_close(&a);
}

static void bad_pointers(struct ht *t)
{
	struct hsl_chip_props before = { .size = sizeof(before) };
	uint8_t *area, *edge;
	unsigned int i;
	struct abi a;
	union arg u;

	abi_open(t, &a);
	area = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	HT_TRUE(t, area != MAP_FAILED && !munmap(area + 4096, 4096), "mmap");
	HT_OK(t, hsl_chip_by_node(t->f, a.node, &before));
	for (i = 0; i < NCALLS; i++) {
		const struct call *c = &calls[i];

		abi_expect(t, abi_fd(&a, c), c, NULL, -EFAULT, "a null pointer");
		abi_expect(t, abi_fd(&a, c), c, (void *)(uintptr_t)0xffff800000000000ull, -EFAULT,
			   "a kernel address");
		if (c->size <= 8)
			continue;
		/* the size can be read, the rest is not there */
		abi_fill(&a, c, &u);
		edge = area + 4096 - 8;
		memcpy(edge, &u, 8);
		abi_expect(t, abi_fd(&a, c), c, (void *)edge, -EFAULT, "half a struct");
	}
	/* memory that can be read and not written: the answer cannot be given, so nothing was made
	 */
	abi_fill(&a, &calls[3], &u);
	memcpy(area, &u, sizeof(struct hsl_segment_alloc));
	HT_TRUE(t, !mprotect(area, 4096, PROT_READ), "mprotect");
	abi_expect(t, a.fd, &calls[3], (void *)area, -EFAULT, "a read-only struct");
	abi_fill(&a, &calls[6], &u);
	HT_TRUE(t, !mprotect(area, 4096, PROT_READ | PROT_WRITE), "mprotect");
	memcpy(area, &u, sizeof(struct hsl_queue_create));
	HT_TRUE(t, !mprotect(area, 4096, PROT_READ), "mprotect");
	abi_expect(t, a.fd, &calls[6], (void *)area, -EFAULT, "a read-only struct");
	/* memory to register that is not there, or not writable */
	abi_fill(&a, &calls[4], &u);
	u.reg.addr = (uintptr_t)(area + 4096);
	abi_expect(t, a.fd, &calls[4], &u, -EFAULT, "memory that is not mapped");
	abi_fill(&a, &calls[4], &u);
	u.reg.addr = (uintptr_t)area;
	u.reg.len_bytes = 4097;
	abi_expect(t, a.fd, &calls[4], &u, -EFAULT, "memory that ends too early");
	abi_fill(&a, &calls[4], &u);
	u.reg.addr = (uintptr_t)area;
	u.reg.rights = HSL_SEGMENT_READ | HSL_SEGMENT_WRITE;
	abi_expect(t, a.fd, &calls[4], &u, -EFAULT, "read-only memory to be written");
	ht_wait_free(t, a.node, before.mem_free_bytes, before.nqueues_free);
	abi_close(&a);
}

static void other_major(struct ht *t)
{
	static const uint32_t versions[] = { 0, 2u << 16, 0xffff0000u, 0xffffffffu };
	int fd = ht_raw_open(t);
	unsigned int i;

	for (i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
		struct hsl_info info = { .size = sizeof(info), .abi_version = versions[i] };

		HT_RC(t, ht_ioctl(fd, HSL_IOC_INFO, &info), -EPROTO);
		HT_EQ(t, "version of the driver, told with EPROTO", info.abi_version >> 16,
		      HSL_ABI_MAJOR);
	}
	{
		/* a later minor version is no reason to refuse */
		struct hsl_info info = { .size = sizeof(info), .abi_version = HSL_ABI_VERSION + 7 };

		HT_RC(t, ht_ioctl(fd, HSL_IOC_INFO, &info), 0);
		HT_EQ(t, "version of the driver", info.abi_version,
		      t->info.driver_abi ? t->info.driver_abi : HSL_ABI_VERSION);
	}
	close(fd);
}

/* ------------------------------------------------------------------ libhsl */

static unsigned int open_files(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned int n = 0;

	while (d && readdir(d))
		n++;
	if (d)
		closedir(d);
	return n;
}

static unsigned int map_count(void)
{
	FILE *f = fopen("/proc/self/maps", "r");
	unsigned int n = 0;
	int ch;

	while (f && (ch = fgetc(f)) != EOF)
		n += ch == '\n';
	if (f)
		fclose(f);
	return n;
}

/* s goes to another context, which maps it, and is taken away from there. */
static void share_and_revoke(struct ht *t, struct hsl_segment *s, struct hsl_fabric *other)
{
	struct hsl_segment *import;
	int fd, rc = hsl_segment_export(s, HSL_RIGHT_READ, 0, &fd);
	void *p;

	if (rc == -EOPNOTSUPP)
		return; /* a plugin */
	HT_TRUE(t, !rc, "hsl_segment_export: %s", ht_errno_name(rc));
	HT_OK(t, hsl_segment_import(other, fd, 0, &import));
	HT_OK(t, hsl_segment_map(import, &p));
	HT_OK(t, hsl_segment_revoke(s));
	HT_OK(t, hsl_segment_free(import));
	close(fd);
}

static void rounds(struct ht *t, unsigned int n)
{
	static uint8_t mem[3 * 4096];
	struct hsl_queue_opts qo = { .size = sizeof(qo), .depth = 4 };
	struct hsl_segment *s, *h;
	struct hsl_fabric *f2;
	struct hsl_queue *q;
	unsigned int i;
	void *p;

	for (i = 0; i < n; i++) {
		ht_progress(t);
		HT_OK(t, hsl_segment_alloc(t->f, t->chip[i % t->nchips].node, 4096 * (1 + i % 5),
					   NULL, &s));
		HT_OK(t, hsl_segment_map(s, &p));
		HT_OK(t, hsl_segment_register(t->f, mem + i % 4096, 4096 + i % 4096, NULL, &h));
		if (i % 4 == 0) {
			HT_OK(t, hsl_queue_create(t->f, t->chip[i % t->nchips].node, &qo, &q));
			HT_OK(t, hsl_copy(q, hsl_segment_ga(s), hsl_segment_ga(h), 100));
			hsl_queue_destroy(q);
		}
		if (i % 16 == 0) {
			f2 = ht_open_again(t);
			share_and_revoke(t, s, f2);
			hsl_fabric_close(f2);
		}
		HT_OK(t, hsl_segment_free(h));
		HT_OK(t, hsl_segment_free(s));
	}
}

static void no_leak(struct ht *t)
{
	enum { ROUNDS = 1500 };
	unsigned int files, maps, i;

	rounds(t, 64); /* whatever is kept from the first time is kept now */
	files = open_files();
	maps = map_count();
	rounds(t, ROUNDS);
	HT_EQ(t, "open files", open_files(), files);
	HT_TRUE(t, map_count() <= maps + 8, "mappings: %u before, %u after %d rounds", maps,
		map_count(), ROUNDS);
	for (i = 0; i < t->nchips; i++)
		ht_wait_free(t, t->chip[i].node, t->chip[i].mem_free_bytes,
			     t->chip[i].nqueues_free);
	ht_note(t, "%d rounds", ROUNDS);
}

static void queries(struct ht *t)
{
	struct hsl_chip_props p = { .size = sizeof(p) };
	struct hsl_segment *s;
	struct hsl_queue *q;
	unsigned int i;

	HT_RC(t, hsl_chip_by_index(t->f, t->nchips, &p), -ENOENT);
	HT_RC(t, hsl_chip_by_node(t->f, 16383, &p), -ENOENT);
	HT_EQ(t, "bits of a GA below the node", t->info.ga_offset_bits, HSL_GA_OFFSET_BITS);
	HT_TRUE(t,
		t->info.host_node >= HSL_NODE_HOST_DEFAULT &&
			t->info.host_node < HSL_NODE_SWITCH_FIRST,
		"host node %u", t->info.host_node);
	for (i = 0; i < t->nchips; i++) {
		HT_OK(t, hsl_chip_by_node(t->f, t->chip[i].node, &p));
		HT_EQ(t, "node", p.node, t->chip[i].node);
		HT_EQ(t, "state", p.state, 0);
		HT_EQ(t, "HEP major", p.hep_version >> 16, HSL_HEP_MAJOR);
		HT_TRUE(t, p.cap & HSL_CAP_OP_COPY && p.cap & HSL_CAP_OP_FILL,
			"chip %u: capabilities %#" PRIx64 " without COPY, FILL", p.node, p.cap);
		HT_OK(t, hsl_segment_alloc(t->f, p.node, 1 * MIB, NULL, &s));
		q = ht_queue_new(t, p.node, 0);
		HT_OK(t, hsl_chip_by_node(t->f, p.node, &p));
		HT_EQ(t, "free memory with 1 MiB allocated", p.mem_free_bytes,
		      t->chip[i].mem_free_bytes - 1 * MIB);
		HT_EQ(t, "free queues with one in use", p.nqueues_free,
		      t->chip[i].nqueues_free - 1);
		HT_EQ(t, "node of the GA", HSL_GA_NODE(hsl_segment_ga(s)), p.node);
		HT_EQ(t, "node of the queue", hsl_queue_node(q), p.node);
		ht_queue_free(t, q);
		HT_OK(t, hsl_segment_free(s));
		HT_OK(t, hsl_chip_by_node(t->f, p.node, &p));
		ht_wait_free(t, p.node, t->chip[i].mem_free_bytes, t->chip[i].nqueues_free);
	}
}

static void queries_registers(struct ht *t)
{
	struct hsl_link_props l = { .size = sizeof(l) };
	unsigned int i, k;
	struct ht_bar b;

	for (i = 0; i < t->nchips; i++) {
		const struct hsl_chip_props *p = &t->chip[i];

		ht_regs_map(t, p, &b);
		HT_EQ(t, "node", p->node, ht_read32(&b, HSL_REG_NODE));
		HT_EQ(t, "capabilities", p->cap, ht_read64(&b, HSL_REG_CAP));
		HT_EQ(t, "MAX_LEN", p->max_len_bytes, ht_read64(&b, HSL_REG_MAX_LEN));
		HT_TRUE(t, p->max_depth && p->max_depth <= ht_read32(&b, HSL_REG_MAX_DEPTH),
			"depth %u, MAX_DEPTH %u", p->max_depth, ht_read32(&b, HSL_REG_MAX_DEPTH));
		HT_TRUE(t, p->nqueues && p->nqueues < ht_read32(&b, HSL_REG_NQUEUES),
			"user queues %u, NQUEUES %u", p->nqueues, ht_read32(&b, HSL_REG_NQUEUES));
		HT_EQ(t, "links", p->nlinks, ht_read32(&b, HSL_REG_NLINKS));
		HT_EQ(t, "host node", t->info.host_node, ht_read32(&b, HSL_REG_HOST_NODE));
		HT_EQ(t, "offset bits", t->info.ga_offset_bits,
		      ht_read32(&b, HSL_REG_GA_BITS) & 0xff);
		for (k = 0; k < p->nlinks; k++) {
			uint32_t peer = ht_read32(&b, HSL_REG_LINK(k) + HSL_LINK_O_PEER);

			HT_OK(t, hsl_link_query(t->f, p->node, k, &l));
			HT_EQ(t, "peer of a link", l.peer, peer & 0xffff);
			HT_EQ(t, "type of a link's peer", l.peer_type, peer >> 16 & 0xff);
			HT_EQ(t, "state of a link", l.state,
			      ht_read32(&b, HSL_REG_LINK(k) + HSL_LINK_O_STATE));
			HT_EQ(t, "width of a link", l.width,
			      ht_read32(&b, HSL_REG_LINK(k) + HSL_LINK_O_WIDTH));
			HT_EQ(t, "rate of a link", l.rate_mtps,
			      ht_read32(&b, HSL_REG_LINK(k) + HSL_LINK_O_RATE));
			HT_EQ(t, "latency of a link", l.latency_ps,
			      ht_read32(&b, HSL_REG_LINK(k) + HSL_LINK_O_LATENCY));
			/* a driver before 1.3 leaves them 0 */
			if (t->info.driver_abi && t->info.driver_abi < (1 << 16 | 3))
				continue;
			HT_EQ(t, "lanes of a link's end", l.max_width,
			      ht_read32(&b, HSL_REG_LINK(k) + HSL_LINK_O_MAX_WIDTH));
			HT_EQ(t, "highest rate of a link's end", l.max_rate_mtps,
			      ht_read32(&b, HSL_REG_LINK(k) + HSL_LINK_O_MAX_RATE));
		}
		ht_bar_unmap(&b);
	}
}

static void refused_arguments(struct ht *t)
{
	struct hsl_segment_opts o = { .size = sizeof(o) };
	uint32_t node = t->chip[0].node;
	struct hsl_segment *s = (void *)1;
	struct hsl_op op = { .opcode = HSL_OP_NOP };
	struct hsl_fabric *f = NULL;
	struct hsl_queue *q;
	uint8_t byte;
	void *gap;

	HT_RC(t, hsl_segment_alloc(t->f, node, 0, NULL, &s), -EINVAL);
	HT_RC(t, hsl_segment_alloc(t->f, 16383, 4096, NULL, &s), -ENOENT);
	HT_RC(t, hsl_segment_alloc(t->f, 0, 4096, NULL, &s), -ENOENT);
	HT_RC(t, hsl_segment_alloc(t->f, t->info.host_node, 4096, NULL, &s), -ENOENT);
	HT_RC(t, hsl_segment_alloc(t->f, node, t->chip[0].mem_bytes + 4096, NULL, &s), -ENOSPC);
	HT_TRUE(t, hsl_segment_alloc(t->f, node, UINT64_MAX, NULL, &s) < 0,
		"allocated 2^64 - 1 bytes");
	HT_TRUE(t, hsl_segment_alloc(t->f, node, UINT64_MAX - 4095, NULL, &s) < 0,
		"allocated 2^64 - 4096 bytes");
	o.align_bytes = 3;
	HT_RC(t, hsl_segment_alloc(t->f, node, 4096, &o, &s), -EINVAL);
	o.align_bytes = 1024;
	HT_RC(t, hsl_segment_alloc(t->f, node, 4096, &o, &s), -EINVAL);
	o.align_bytes = 2ull << 30;
	HT_RC(t, hsl_segment_alloc(t->f, node, 4096, &o, &s), -EINVAL);
	o.align_bytes = 0;
	o.rights = 4;
	HT_RC(t, hsl_segment_alloc(t->f, node, 4096, &o, &s), -EINVAL);
	HT_RC(t, hsl_segment_register(t->f, &byte, 1, &o, &s), -EINVAL);
	o.rights = 0;
	o.flags = 1u << 31;
	HT_RC(t, hsl_segment_alloc(t->f, node, 4096, &o, &s), -EINVAL);
	HT_RC(t, hsl_segment_register(t->f, &byte, 1, &o, &s), -EINVAL);
	o.flags = 0;
	o.align_bytes = 4096;
	HT_RC(t, hsl_segment_register(t->f, &byte, 1, &o, &s), -EINVAL);
	o.align_bytes = 0;
	HT_RC(t, hsl_segment_register(t->f, &byte, 0, NULL, &s), -EINVAL);
	HT_TRUE(t, hsl_segment_register(t->f, &byte, UINT64_MAX, NULL, &s) < 0,
		"registered 2^64 - 1 bytes");
	gap = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	HT_TRUE(t, gap != MAP_FAILED && !munmap((uint8_t *)gap + 4096, 4096), "mmap: %s",
		strerror(errno));
	HT_RC(t, hsl_segment_register(t->f, gap, 8192, NULL, &s), -EFAULT);
	HT_TRUE(t, !mprotect(gap, 4096, PROT_READ), "mprotect");
	HT_RC(t, hsl_segment_register(t->f, gap, 4096, NULL, &s), -EFAULT);
	o.rights = HSL_RIGHT_READ;
	HT_RC(t, hsl_segment_register(t->f, gap, 4096, &o, &s), 0);
	HT_OK(t, hsl_segment_free(s));
	HT_RC(t, hsl_segment_free(NULL), 0);

	q = ht_queue_new(t, node, 4);
	op.rsvd1 = 1;
	HT_RC(t, hsl_queue_submit(q, &op, 1), -EINVAL);
	HT_EQ(t, "outstanding after refused operations", hsl_queue_outstanding(q), 0);
	HT_OK(t, hsl_nop(q));
	ht_queue_free(t, q);

	/* libhsl says on stderr what is wrong with these, which is right, and noise here */
	HT_TRUE(t, freopen("/dev/null", "w", stderr) != NULL, "freopen: %s", strerror(errno));
	HT_RC(t, hsl_fabric_open("sim:nonsense4", &f), -EINVAL);
	HT_RC(t, hsl_fabric_open("sim:", &f), -EINVAL);
	HT_RC(t, hsl_fabric_open("sim:mesh", &f), -EINVAL);
	HT_RC(t, hsl_fabric_open("sim:mesh4,mem=", &f), -EINVAL);
	HT_RC(t, hsl_fabric_open("/dev/no-such-hsl", &f), -ENODEV);
}

struct worker {
	pthread_t thread;
	struct ht *t;
	unsigned int index;
	char failure[256]; /* told by the main thread: one verdict */
};

/* Own queue and buffers, shared fabric; allocates, maps, copies and frees like everybody else at
 * the same time. */
static void *work(void *arg)
{
	struct worker *w = arg;
	struct ht *t = w->t;
	uint32_t node = t->chip[w->index % t->nchips].node;
	uint64_t len = 64 * KIB, rng = t->config->seed + w->index * 1000003;
	struct hsl_queue_opts qo = { .size = sizeof(qo), .depth = 16 };
	uint8_t *mem = malloc(len), *want = malloc(len);
	struct hsl_segment *s, *h;
	struct hsl_queue *q;
	struct ht_diff d;
	unsigned int i;
	void *p;
	int rc;

#define TRY(call)                                                                              \
	do {                                                                                   \
		rc = (call);                                                                   \
		if (rc) {                                                                      \
			snprintf(w->failure, sizeof(w->failure), "thread %u round %u: %s: %s", \
				 w->index, i, #call, ht_errno_name(rc));                       \
			return NULL;                                                           \
		}                                                                              \
	} while (0)
	for (i = 0; i < 60; i++) {
		ht_progress(t);
		uint64_t n = 1 + ht_mix(rng++) % (len - 16), at = ht_mix(rng++) % (len - n);

		TRY(hsl_queue_create(t->f, node, &qo, &q));
		TRY(hsl_segment_alloc(t->f, t->chip[(w->index + i) % t->nchips].node, len, NULL,
				      &s));
		TRY(hsl_segment_map(s, &p));
		ht_pattern(mem, len, rng);
		TRY(hsl_segment_register(t->f, mem, len, NULL, &h));
		memset(want, 0, len);
		ht_oracle_move(want + at, mem, n);
		TRY(hsl_copy(q, hsl_segment_ga(s) + at, hsl_segment_ga(h), n));
		if (!ht_equal(p, want, len, &d)) {
			snprintf(w->failure, sizeof(w->failure),
				 "thread %u round %u: byte %" PRIu64
				 ": expected 0x%02x, got 0x%02x",
				 w->index, i, d.first, d.expected, d.got);
			return NULL;
		}
		TRY(hsl_segment_free(h));
		TRY(hsl_segment_free(s));
		hsl_queue_destroy(q);
	}
#undef TRY
	free(mem);
	free(want);
	return NULL;
}

static void threads(struct ht *t)
{
	enum { N = 4 };
	struct worker w[N] = { 0 };
	unsigned int i;

	for (i = 0; i < N; i++) {
		w[i].t = t;
		w[i].index = i;
		HT_TRUE(t, !pthread_create(&w[i].thread, NULL, work, &w[i]), "pthread_create");
	}
	for (i = 0; i < N; i++)
		pthread_join(w[i].thread, NULL);
	for (i = 0; i < N; i++)
		HT_TRUE(t, !w[i].failure[0], "%s", w[i].failure);
}

static void memlock(struct ht *t)
{
	struct rlimit lim = { 1 * MIB, 1 * MIB };
	uint8_t *mem;
	int pid;

	mem = mmap(NULL, 4 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	HT_TRUE(t, mem != MAP_FAILED, "mmap: %s", strerror(errno));
	/* root may pin what it likes: a child without that right */
	pid = fork();
	HT_TRUE(t, pid >= 0, "fork: %s", strerror(errno));
	if (!pid) {
		struct hsl_segment *s, *z;
		unsigned int i;
		struct ht a = *t;

		a.f = ht_open_again(t);
		HT_TRUE(t, !setrlimit(RLIMIT_MEMLOCK, &lim), "setrlimit: %s", strerror(errno));
		if (!geteuid() && (setgid(NOBODY) || setuid(NOBODY)))
			HT_FAIL_TEST(t, "setuid: %s", strerror(errno));
		HT_RC(t, hsl_segment_register(a.f, mem, 2 * MIB, NULL, &s), -ENOMEM);
		/* what failed was not charged, what was freed is given back */
		for (i = 0; i < 8; i++) {
			HT_RC(t, hsl_segment_register(a.f, mem, 768 * KIB, NULL, &s), 0);
			HT_RC(t, hsl_segment_register(a.f, mem + 2 * MIB, 768 * KIB, NULL, &z),
			      -ENOMEM);
			HT_OK(t, hsl_segment_free(s));
		}
		hsl_fabric_close(a.f);
		_exit(0);
	}
	ht_child_join(t, pid);
	munmap(mem, 4 * MIB);
}

const struct ht_test ht_tests_api[] = {
	{ "HEP-API-001", "same_results",
	  "a program with mistakes ends alike here and on sim:", same_results, HT_F_TWO_CHIPS, 0 },
	{ "HEP-API-002", "unknown_bits",
	  "unknown flags and reserved fields EINVAL, unknown ioctls ENOTTY", unknown_bits,
	  HT_F_KERNEL, 0 },
	{ "HEP-API-003", "struct_sizes", "short structs EINVAL, long ones by their tail",
	  struct_sizes, HT_F_KERNEL, 0 },
	{ "HEP-API-004", "bad_pointers", "pointers that do not work are EFAULT and change nothing",
	  bad_pointers, HT_F_KERNEL, 0 },
	{ "HEP-API-005", "other_major", "another ABI major is EPROTO with the driver's version",
	  other_major, HT_F_KERNEL, 0 },
	{ "HEP-API-006", "no_leak", "1500 rounds of creating and destroying leave nothing", no_leak,
	  0, 180 },
	{ "HEP-API-007", "queries", "chip queries follow what is allocated", queries, 0, 0 },
	{ "HEP-API-007", "queries_registers", "queries agree with the registers", queries_registers,
	  HT_F_BAR, 0 },
	{ "HEP-API-008", "refused_arguments", "bad arguments are refused with the errno documented",
	  refused_arguments, 0, 0 },
	{ "HEP-API-009", "threads", "four threads share a fabric", threads, 0, 0 },
	{ "HEP-API-010", "memlock", "pinned memory counts to RLIMIT_MEMLOCK", memlock, HT_F_KERNEL,
	  0 },
	{ 0 }
};
