// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Misuse of every ioctl of /dev/hsl<N>, driven by one table: unknown number, wrong kind of file, bad pointer,
 * short, long with a zero tail, long with another tail, unknown flags, reserved fields that are not zero
 * (HEP-API-002 … 005; the errno contract is in include/uapi/linux/hsl.h). After each misuse the same call done
 * right must still work, so that "nothing has changed" is seen too. Prints TAP; exit 0, 1 or 77.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "linux/hsl.h"

static int ntests, nfailed;

__attribute__((format(printf, 2, 3)))
static void check(bool ok, const char *fmt, ...)
{
	va_list ap;

	printf("%sok %d - ", ok ? "" : "not ", ++ntests);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	nfailed += !ok;
}

/* ioctl that returns 0 or -errno */
static int call(int fd, unsigned long nr, void *arg)
{
	return ioctl(fd, nr, arg) < 0 ? -errno : 0;
}

static void expect(int got, int want, const char *name, const char *what)
{
	check(got == want, "%s: %s is %s%s%s", name, what, want ? strerror(-want) : "accepted",
	      got == want ? "" : ", got ", got == want ? "" : got ? strerror(-got) : "success");
}

static int ctx, queue;
static uint32_t chip_node;
static uint8_t buf[4096] __attribute__((aligned(4096)));
static uint32_t live_handle;

/* A valid argument of each ioctl; undo releases what a success created. */
static void fill_info(void *p)
{
	struct hsl_info *i = p;

	i->abi_version = HSL_ABI_VERSION;
}

static void fill_chip(void *p)
{
	struct hsl_chip_info *c = p;

	c->node = chip_node;
}

static void fill_link(void *p)
{
	struct hsl_link_info *l = p;

	l->node = chip_node;
}

static void fill_alloc(void *p)
{
	struct hsl_segment_alloc *a = p;

	a->node = chip_node;
	a->rights = HSL_SEGMENT_READ | HSL_SEGMENT_WRITE;
	a->len_bytes = 4096;
}

static void free_handle(uint32_t handle)
{
	struct hsl_segment_free f = { .size = sizeof(f), .handle = handle };

	if (ioctl(ctx, HSL_IOC_SEGMENT_FREE, &f))
		check(false, "freeing handle %u again: %s", handle, strerror(errno));
}

static void undo_alloc(void *p)
{
	free_handle(((struct hsl_segment_alloc *)p)->handle);
}

static void fill_register(void *p)
{
	struct hsl_segment_register *r = p;

	r->addr = (uintptr_t)buf;
	r->len_bytes = sizeof(buf);
	r->rights = HSL_SEGMENT_READ | HSL_SEGMENT_WRITE;
}

static void undo_register(void *p)
{
	free_handle(((struct hsl_segment_register *)p)->handle);
}

static void alloc_live(void)
{
	struct hsl_segment_alloc a = { .size = sizeof(a) };

	fill_alloc(&a);
	if (ioctl(ctx, HSL_IOC_SEGMENT_ALLOC, &a)) {
		printf("Bail out! SEGMENT_ALLOC: %s\n", strerror(errno));
		exit(1);
	}
	live_handle = a.handle;
}

static void fill_free(void *p)
{
	((struct hsl_segment_free *)p)->handle = live_handle;
}

static void undo_free(void *p)
{
	(void)p;
	alloc_live();
}

static void fill_seginfo(void *p)
{
	((struct hsl_segment_info *)p)->handle = live_handle;
}

static void fill_export(void *p)
{
	struct hsl_segment_export *e = p;

	e->handle = live_handle;
	e->rights = HSL_SEGMENT_READ;
}

static void undo_export(void *p)
{
	close(((struct hsl_segment_export *)p)->fd);
}

/* An import needs memory that is not of this context: another one exports it. */
static int export_fd = -1;

static void fill_import(void *p)
{
	((struct hsl_segment_import *)p)->fd = export_fd;
}

static void undo_import(void *p)
{
	free_handle(((struct hsl_segment_import *)p)->handle);
}

static int export_of(int fd, uint32_t handle, uint32_t rights, int *out)
{
	struct hsl_segment_export e = { .size = sizeof(e), .handle = handle, .rights = rights };
	int r = call(fd, HSL_IOC_SEGMENT_EXPORT, &e);

	if (!r)
		*out = e.fd;
	return r;
}

static void fill_queue(void *p)
{
	struct hsl_queue_create *q = p;

	q->node = chip_node;
	q->depth = 16;
}

static void undo_queue(void *p)
{
	close(((struct hsl_queue_create *)p)->fd);
}

static void fill_eventfd(void *p)
{
	((struct hsl_queue_eventfd *)p)->fd = -1;
}

static void fill_nothing(void *p)
{
	(void)p;
}

#define RSVD_NONE ((size_t)-1)
static const struct ioc {
	const char *name;
	unsigned long nr;
	size_t size;
	bool on_queue;
	bool in_only;		/* no field is Out */
	size_t rsvd;		/* offset of a reserved u32/u64 that must be zero */
	void (*fill)(void *arg);
	void (*undo)(void *arg);
} iocs[] = {
	{ "INFO", HSL_IOC_INFO, sizeof(struct hsl_info), false, false, RSVD_NONE, fill_info, NULL },
	{ "CHIP_INFO", HSL_IOC_CHIP_INFO, sizeof(struct hsl_chip_info), false, false, RSVD_NONE, fill_chip, NULL },
	{ "LINK_INFO", HSL_IOC_LINK_INFO, sizeof(struct hsl_link_info), false, false, RSVD_NONE, fill_link, NULL },
	{ "SEGMENT_ALLOC", HSL_IOC_SEGMENT_ALLOC, sizeof(struct hsl_segment_alloc), false, false,
	  offsetof(struct hsl_segment_alloc, rsvd), fill_alloc, undo_alloc },
	{ "SEGMENT_REGISTER", HSL_IOC_SEGMENT_REGISTER, sizeof(struct hsl_segment_register), false, false,
	  RSVD_NONE, fill_register, undo_register },
	{ "SEGMENT_FREE", HSL_IOC_SEGMENT_FREE, sizeof(struct hsl_segment_free), false, true,
	  offsetof(struct hsl_segment_free, rsvd), fill_free, undo_free },
	{ "SEGMENT_INFO", HSL_IOC_SEGMENT_INFO, sizeof(struct hsl_segment_info), false, false,
	  RSVD_NONE, fill_seginfo, NULL },
	{ "SEGMENT_EXPORT", HSL_IOC_SEGMENT_EXPORT, sizeof(struct hsl_segment_export), false, false,
	  offsetof(struct hsl_segment_export, rsvd), fill_export, undo_export },
	{ "SEGMENT_IMPORT", HSL_IOC_SEGMENT_IMPORT, sizeof(struct hsl_segment_import), false, false,
	  offsetof(struct hsl_segment_import, rsvd), fill_import, undo_import },
	{ "SEGMENT_REVOKE", HSL_IOC_SEGMENT_REVOKE, sizeof(struct hsl_segment_revoke), false, true,
	  offsetof(struct hsl_segment_revoke, rsvd), fill_free, NULL },
	{ "QUEUE_CREATE", HSL_IOC_QUEUE_CREATE, sizeof(struct hsl_queue_create), false, false,
	  offsetof(struct hsl_queue_create, rsvd), fill_queue, undo_queue },
	{ "QUEUE_KICK", HSL_IOC_QUEUE_KICK, sizeof(struct hsl_queue_kick), true, true,
	  offsetof(struct hsl_queue_kick, cq_head), fill_nothing, NULL },
	{ "QUEUE_EVENTFD", HSL_IOC_QUEUE_EVENTFD, sizeof(struct hsl_queue_eventfd), true, true,
	  offsetof(struct hsl_queue_eventfd, rsvd), fill_eventfd, NULL },
	{ "QUEUE_INFO", HSL_IOC_QUEUE_INFO, sizeof(struct hsl_queue_info), true, false,
	  offsetof(struct hsl_queue_info, rsvd), fill_nothing, NULL },
	{ "QUEUE_ABORT", HSL_IOC_QUEUE_ABORT, sizeof(struct hsl_queue_abort), true, true, RSVD_NONE, fill_nothing, NULL },
};

/* A valid argument at the start of a zeroed buffer that is larger than any struct. */
static void *prepare(const struct ioc *i, uint8_t *arg, size_t argsize, uint32_t size)
{
	memset(arg, 0, argsize);
	i->fill(arg);
	memcpy(arg, &size, sizeof(size));
	return arg;
}

static void done_right(const struct ioc *i, int fd, uint8_t *arg, size_t argsize, uint32_t size, const char *what)
{
	int r = call(fd, i->nr, prepare(i, arg, argsize, size));

	expect(r, 0, i->name, what);
	if (!r && i->undo)
		i->undo(arg);
}

/* A link may be missing on a one-chip fabric; then its right answer is ENOENT. */
static bool usable(const struct ioc *i, int fd, uint8_t *arg, size_t argsize)
{
	return i->nr != HSL_IOC_LINK_INFO || call(fd, i->nr, prepare(i, arg, argsize, i->size)) != -ENOENT;
}

/* Of the first version of the struct: smaller if it has grown. */
static uint32_t first_size(const struct ioc *i)
{
	switch (i->nr) {
	case HSL_IOC_QUEUE_CREATE: return offsetof(struct hsl_queue_create, shadow_offset);
	case HSL_IOC_LINK_INFO: return offsetof(struct hsl_link_info, max_width);
	default: return (uint32_t)i->size;
	}
}

static void misuse(const struct ioc *i)
{
	static uint8_t arg[8192] __attribute__((aligned(4096)));
	int fd = i->on_queue ? queue : ctx, other = i->on_queue ? ctx : queue;
	uint8_t *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t head = i->size > 8 ? 8 : 4;
	uint32_t first = first_size(i);
	uint32_t one = 1;

	if (page == MAP_FAILED || munmap(page + 4096, 4096)) {
		check(false, "%s: no memory for the test", i->name);
		return;
	}
	if (!usable(i, fd, arg, sizeof(arg))) {
		printf("ok %d - %s # SKIP this fabric has no link\n", ++ntests, i->name);
		munmap(page, 4096);
		return;
	}
	done_right(i, fd, arg, sizeof(arg), i->size, "right call");

	expect(call(other, i->nr, prepare(i, arg, sizeof(arg), i->size)), -ENOTTY, i->name,
	       "on the other kind of file");
	expect(call(fd, i->nr, NULL), -EFAULT, i->name, "null pointer");
	expect(call(fd, i->nr, page + 4096), -EFAULT, i->name, "unmapped pointer");
	/* the struct starts on a mapped page and ends beyond it */
	memcpy(page + 4096 - head, prepare(i, arg, sizeof(arg), i->size), head);
	expect(call(fd, i->nr, page + 4096 - head), -EFAULT, i->name, "struct that ends on an unmapped page");
	/* a result that cannot be told is undone; where there is none, nothing is written */
	memcpy(page, prepare(i, arg, sizeof(arg), i->size), i->size);
	if (!mprotect(page, 4096, PROT_READ)) {
		expect(call(fd, i->nr, page), i->in_only ? 0 : -EFAULT, i->name, "struct in read-only memory");
		if (i->in_only && i->undo)
			i->undo(page);
	}

	expect(call(fd, i->nr, prepare(i, arg, sizeof(arg), 0)), -EINVAL, i->name, "size 0");
	expect(call(fd, i->nr, prepare(i, arg, sizeof(arg), first - 4)), -EINVAL, i->name, "short struct");
	if (first != i->size)
		done_right(i, fd, arg, sizeof(arg), first, "struct of the first version");
	done_right(i, fd, arg, sizeof(arg), i->size + 32, "longer struct with a zero tail");
	prepare(i, arg, sizeof(arg), i->size + 32);
	arg[i->size + 31] = 1;
	expect(call(fd, i->nr, arg), -E2BIG, i->name, "longer struct with another tail");
	expect(call(fd, i->nr, prepare(i, arg, sizeof(arg), 1u << 20)), -E2BIG, i->name, "size above a page");
	expect(call(fd, i->nr, prepare(i, arg, sizeof(arg), UINT32_MAX)), -E2BIG, i->name, "size 2^32 - 1");

	for (unsigned int bit = 8; bit < 32; bit += 23) {
		uint32_t flags = 1u << bit;

		prepare(i, arg, sizeof(arg), i->size);
		memcpy(arg + 4, &flags, sizeof(flags));
		expect(call(fd, i->nr, arg), -EINVAL, i->name, bit == 8 ? "unknown flag 8" : "unknown flag 31");
	}
	if (i->rsvd != RSVD_NONE) {
		prepare(i, arg, sizeof(arg), i->size);
		memcpy(arg + i->rsvd, &one, sizeof(one));
		expect(call(fd, i->nr, arg), -EINVAL, i->name, "reserved field");
	}
	done_right(i, fd, arg, sizeof(arg), i->size, "right call after all that");
	munmap(page, 4096);
}

static int alloc_with(uint32_t node, uint32_t rights, uint64_t len, uint64_t align)
{
	struct hsl_segment_alloc a = { .size = sizeof(a), .node = node, .rights = rights, .len_bytes = len,
				       .align_bytes = align };
	int r = call(ctx, HSL_IOC_SEGMENT_ALLOC, &a);

	if (!r)
		free_handle(a.handle);
	return r;
}

static int register_with(uint64_t addr, uint64_t len, uint32_t rights)
{
	struct hsl_segment_register r = { .size = sizeof(r), .addr = addr, .len_bytes = len, .rights = rights };
	int ret = call(ctx, HSL_IOC_SEGMENT_REGISTER, &r);

	if (!ret)
		free_handle(r.handle);
	return ret;
}

static int export_with(uint32_t handle, uint32_t rights, uint32_t flags)
{
	struct hsl_segment_export e = { .size = sizeof(e), .handle = handle, .rights = rights, .flags = flags };
	int r = call(ctx, HSL_IOC_SEGMENT_EXPORT, &e);

	if (!r)
		close(e.fd);
	return r;
}

static int import_with(int fd, uint32_t rights)
{
	struct hsl_segment_import i = { .size = sizeof(i), .fd = fd, .rights = rights };
	int r = call(ctx, HSL_IOC_SEGMENT_IMPORT, &i);

	if (!r)
		free_handle(i.handle);
	return r;
}

static void sharing(void)
{
	const uint32_t rw = HSL_SEGMENT_READ | HSL_SEGMENT_WRITE;
	struct hsl_segment_revoke v = { .size = sizeof(v), .handle = 32767 };
	struct hsl_segment_register h = { .size = sizeof(h) };
	struct hsl_segment_alloc a = { .size = sizeof(a) };
	int fd = -1, pipes[2];

	fill_alloc(&a);
	a.rights = HSL_SEGMENT_READ;
	fill_register(&h);
	if (call(ctx, HSL_IOC_SEGMENT_ALLOC, &a) || call(ctx, HSL_IOC_SEGMENT_REGISTER, &h) || pipe(pipes)) {
		check(false, "segments to share: %s", strerror(errno));
		return;
	}
	expect(export_with(live_handle, 0, 0), -EINVAL, "SEGMENT_EXPORT", "no rights");
	expect(export_with(live_handle, 4, 0), -EINVAL, "SEGMENT_EXPORT", "unknown right");
	expect(export_with(live_handle, rw, 2), -EINVAL, "SEGMENT_EXPORT", "unknown flag 1");
	expect(export_with(0, rw, 0), -ENOENT, "SEGMENT_EXPORT", "handle 0");
	expect(export_with(UINT32_MAX, rw, 0), -ENOENT, "SEGMENT_EXPORT", "handle 2^32 - 1");
	expect(export_with(h.handle, rw, 0), -EOPNOTSUPP, "SEGMENT_EXPORT", "host memory");
	expect(export_with(a.handle, rw, 0), -EACCES, "SEGMENT_EXPORT", "more rights than the segment has");
	expect(export_with(a.handle, HSL_SEGMENT_READ, 0), 0, "SEGMENT_EXPORT", "as many");

	expect(import_with(-1, 0), -EBADF, "SEGMENT_IMPORT", "descriptor -1");
	expect(import_with(9999, 0), -EBADF, "SEGMENT_IMPORT", "a closed descriptor");
	expect(import_with(pipes[0], 0), -EINVAL, "SEGMENT_IMPORT", "a pipe");
	expect(import_with(ctx, 0), -EINVAL, "SEGMENT_IMPORT", "a context file");
	expect(import_with(queue, 0), -EINVAL, "SEGMENT_IMPORT", "a queue file");
	expect(import_with(export_fd, 4), -EINVAL, "SEGMENT_IMPORT", "unknown right");
	expect(import_with(export_fd, rw), -EACCES, "SEGMENT_IMPORT", "more rights than exported");
	expect(import_with(export_fd, HSL_SEGMENT_READ), 0, "SEGMENT_IMPORT", "as many");
	if (!export_of(ctx, live_handle, HSL_SEGMENT_READ, &fd)) {
		expect(import_with(fd, 0), -EEXIST, "SEGMENT_IMPORT", "memory that this context has");
		expect(call(fd, HSL_IO(0), buf), -ENOTTY, "INFO", "on an export file");
		check(mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED && errno == ENODEV,
		      "mmap of an export file is ENODEV");
		v.handle = live_handle;
		expect(call(ctx, HSL_IOC_SEGMENT_REVOKE, &v), 0, "SEGMENT_REVOKE", "an exported segment");
		expect(import_with(fd, 0), -ESTALE, "SEGMENT_IMPORT", "a revoked export");
		close(fd);
	}
	v.handle = 32767;
	expect(call(ctx, HSL_IOC_SEGMENT_REVOKE, &v), -ENOENT, "SEGMENT_REVOKE", "handle not in use");
	v.handle = h.handle;
	expect(call(ctx, HSL_IOC_SEGMENT_REVOKE, &v), 0, "SEGMENT_REVOKE", "host memory, never exported");
	free_handle(a.handle);
	free_handle(h.handle);
	close(pipes[0]);
	close(pipes[1]);
}

static void reading(void)
{
	struct hsl_event_info e[2];
	int fd = open(getenv("HSL_FABRIC") ? : "/dev/hsl0", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	struct pollfd p = { .fd = fd, .events = POLLIN };

	check(read(fd, e, sizeof(e[0]) - 1) < 0 && errno == EINVAL, "read: less than one event is EINVAL");
	check(read(fd, e, sizeof(e)) < 0 && errno == EAGAIN, "read: nothing, O_NONBLOCK is EAGAIN");
	check(poll(&p, 1, 0) == 0, "poll: nothing to read");
	check(write(fd, e, sizeof(e)) < 0 && errno == EINVAL, "write is EINVAL");
	check(lseek(fd, 0, SEEK_SET) < 0 || !lseek(fd, 0, SEEK_CUR), "there is nothing to seek");
	close(fd);
}

static int create_with(uint32_t node, uint32_t depth)
{
	struct hsl_queue_create q = { .size = sizeof(q), .node = node, .depth = depth };
	int r = call(ctx, HSL_IOC_QUEUE_CREATE, &q);

	if (!r)
		close(q.fd);
	return r;
}

static void values(void)
{
	const uint32_t rw = HSL_SEGMENT_READ | HSL_SEGMENT_WRITE;
	struct hsl_info info = { .size = sizeof(info), .abi_version = (HSL_ABI_MAJOR + 1) << 16 };
	struct hsl_queue_eventfd ev = { .size = sizeof(ev), .fd = ctx };
	struct hsl_segment_free f = { .size = sizeof(f), .handle = 32767 };
	void *ro = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	expect(call(ctx, HSL_IOC_INFO, &info), -EPROTO, "INFO", "another ABI major");
	check(info.abi_version == HSL_ABI_VERSION, "INFO: EPROTO tells the driver's version");

	expect(alloc_with(0, rw, 4096, 0), -ENOENT, "SEGMENT_ALLOC", "node 0");
	expect(alloc_with(16000, rw, 4096, 0), -ENOENT, "SEGMENT_ALLOC", "unknown node");
	expect(alloc_with(UINT32_MAX, rw, 4096, 0), -ENOENT, "SEGMENT_ALLOC", "node 2^32 - 1");
	expect(alloc_with(chip_node, 0, 4096, 0), -EINVAL, "SEGMENT_ALLOC", "no rights");
	expect(alloc_with(chip_node, 4, 4096, 0), -EINVAL, "SEGMENT_ALLOC", "unknown right");
	expect(alloc_with(chip_node, rw, 0, 0), -EINVAL, "SEGMENT_ALLOC", "length 0");
	expect(alloc_with(chip_node, rw, UINT64_MAX, 0), -ENOSPC, "SEGMENT_ALLOC", "length 2^64 - 1");
	expect(alloc_with(chip_node, rw, 1ull << 46, 0), -ENOSPC, "SEGMENT_ALLOC", "length 2^46");
	expect(alloc_with(chip_node, rw, 4096, 3), -EINVAL, "SEGMENT_ALLOC", "alignment 3");
	expect(alloc_with(chip_node, rw, 4096, 1u << 31), -EINVAL, "SEGMENT_ALLOC", "alignment 2 GiB");
	expect(alloc_with(chip_node, rw, 1, 0), 0, "SEGMENT_ALLOC", "length 1");

	expect(register_with(0, 4096, rw), -EFAULT, "SEGMENT_REGISTER", "unmapped memory");
	expect(register_with((uintptr_t)buf, 0, rw), -EINVAL, "SEGMENT_REGISTER", "length 0");
	expect(register_with((uintptr_t)buf, 4096, 0), -EINVAL, "SEGMENT_REGISTER", "no rights");
	expect(register_with(UINT64_MAX - 100, 4096, rw), -EINVAL, "SEGMENT_REGISTER", "range that wraps");
	expect(register_with(UINT64_MAX - 4095, 4000, rw), -EFAULT, "SEGMENT_REGISTER", "kernel memory");
	expect(register_with((uintptr_t)ro, 4096, rw), -EFAULT, "SEGMENT_REGISTER", "read-only memory for writing");
	expect(register_with((uintptr_t)ro, 4096, HSL_SEGMENT_READ), 0, "SEGMENT_REGISTER", "read-only memory");
	expect(register_with((uintptr_t)buf + 1, 1, rw), 0, "SEGMENT_REGISTER", "one odd byte");

	expect(call(ctx, HSL_IOC_SEGMENT_FREE, &f), -ENOENT, "SEGMENT_FREE", "handle not in use");
	f.handle = 0;
	expect(call(ctx, HSL_IOC_SEGMENT_FREE, &f), -ENOENT, "SEGMENT_FREE", "handle 0");
	f.handle = UINT32_MAX;
	expect(call(ctx, HSL_IOC_SEGMENT_FREE, &f), -ENOENT, "SEGMENT_FREE", "handle 2^32 - 1");

	expect(create_with(0, 16), -ENOENT, "QUEUE_CREATE", "node 0");
	expect(create_with(chip_node, 0), -EINVAL, "QUEUE_CREATE", "depth 0");
	expect(create_with(chip_node, 1), -EINVAL, "QUEUE_CREATE", "depth 1");
	expect(create_with(chip_node, 24), -EINVAL, "QUEUE_CREATE", "depth 24");
	expect(create_with(chip_node, 1u << 31), -EINVAL, "QUEUE_CREATE", "depth 2^31");

	expect(call(queue, HSL_IOC_QUEUE_EVENTFD, &ev), -EINVAL, "QUEUE_EVENTFD", "a file that is no eventfd");
	ev.fd = 9999;
	expect(call(queue, HSL_IOC_QUEUE_EVENTFD, &ev), -EBADF, "QUEUE_EVENTFD", "a closed descriptor");
	ev.fd = eventfd(0, EFD_CLOEXEC);
	expect(call(queue, HSL_IOC_QUEUE_EVENTFD, &ev), 0, "QUEUE_EVENTFD", "an eventfd");
	close(ev.fd);

	expect(call(ctx, HSL_IO(0x7f), buf), -ENOTTY, "unknown number", "on a context");
	expect(call(queue, HSL_IO(0x7f), buf), -ENOTTY, "unknown number", "on a queue");
	expect(call(ctx, _IO('!', 0), buf), -ENOTTY, "unknown type", "on a context");
	munmap(ro, 4096);
}

static int try_mmap(int fd, uint64_t off, size_t len, int prot, int flags)
{
	void *p = mmap(NULL, len, prot, flags, fd, (off_t)off);

	if (p == MAP_FAILED)
		return -errno;
	munmap(p, len);
	return 0;
}

static void mappings(void)
{
	struct hsl_segment_alloc a = { .size = sizeof(a) }, r = { .size = sizeof(r) };
	struct hsl_segment_register h = { .size = sizeof(h) };
	const int rw = PROT_READ | PROT_WRITE;
	uint8_t *p, *moved;

	fill_alloc(&a);
	a.len_bytes = 4 * 4096;
	fill_alloc(&r);
	r.rights = HSL_SEGMENT_READ;
	fill_register(&h);
	if (ioctl(ctx, HSL_IOC_SEGMENT_ALLOC, &a) || ioctl(ctx, HSL_IOC_SEGMENT_ALLOC, &r) ||
	    ioctl(ctx, HSL_IOC_SEGMENT_REGISTER, &h)) {
		check(false, "mmap: segments: %s", strerror(errno));
		return;
	}
	expect(try_mmap(ctx, a.ga, 4 * 4096, rw, MAP_SHARED), 0, "mmap", "whole segment");
	expect(try_mmap(ctx, a.ga + 4096, 4096, rw, MAP_SHARED), 0, "mmap", "part of a segment");
	expect(try_mmap(ctx, a.ga, 5 * 4096, rw, MAP_SHARED), -ENXIO, "mmap", "range past the segment");
	expect(try_mmap(ctx, a.ga + 4 * 4096, 1ul << 40, rw, MAP_SHARED), -ENXIO, "mmap", "terabyte past it");
	expect(try_mmap(ctx, 0, 4096, rw, MAP_SHARED), -ENXIO, "mmap", "GA 0");
	expect(try_mmap(ctx, 0x7fffffffffff0000ull, 4096, rw, MAP_SHARED), -ENXIO, "mmap", "last GA");
	expect(try_mmap(ctx, a.ga, 4096, rw, MAP_PRIVATE), -EINVAL, "mmap", "MAP_PRIVATE");
	expect(try_mmap(ctx, a.ga, 4096, PROT_READ | PROT_EXEC, MAP_SHARED), -EACCES, "mmap", "PROT_EXEC");
	expect(try_mmap(ctx, r.ga, 4096, rw, MAP_SHARED), -EACCES, "mmap", "writing a read-only segment");
	expect(try_mmap(ctx, r.ga, 4096, PROT_READ, MAP_SHARED), 0, "mmap", "reading it");
	expect(try_mmap(ctx, h.ga & ~4095ull, 4096, rw, MAP_SHARED), -ENXIO, "mmap", "host memory by GA");
	expect(try_mmap(queue, HSL_QUEUE_MMAP_RINGS, 1u << 30, rw, MAP_SHARED), -ENXIO, "queue mmap", "past the rings");
	expect(try_mmap(queue, HSL_QUEUE_MMAP_DOORBELL, 8192, rw, MAP_SHARED), -ENXIO, "queue mmap",
	       "more than one doorbell page");
	expect(try_mmap(queue, HSL_QUEUE_MMAP_DOORBELL + 0x10000, 4096, rw, MAP_SHARED), -ENXIO, "queue mmap",
	       "another queue's doorbell");
	expect(try_mmap(queue, HSL_QUEUE_MMAP_DOORBELL, 4096, rw, MAP_PRIVATE), -EINVAL, "queue mmap", "MAP_PRIVATE");

	p = mmap(NULL, 4096, PROT_READ, MAP_SHARED, ctx, (off_t)r.ga);
	check(p != MAP_FAILED && mprotect(p, 4096, rw) && errno == EACCES, "mprotect to more rights is EACCES");
	check(p != MAP_FAILED && mprotect(p, 4096, PROT_READ | PROT_EXEC) && errno == EACCES,
	      "mprotect to executable is EACCES");
	moved = p != MAP_FAILED ? mremap(p, 4096, 8192, MREMAP_MAYMOVE) : MAP_FAILED;
	check(moved == MAP_FAILED && errno == EFAULT, "mremap growth is EFAULT");
	munmap(p, 4096);

	/* a mapping taken apart from the middle keeps both ends */
	p = mmap(NULL, 4 * 4096, rw, MAP_SHARED, ctx, (off_t)a.ga);
	if (p != MAP_FAILED) {
		memset(p, 0x5a, 4 * 4096);
		munmap(p + 4096, 2 * 4096);
		check(p[0] == 0x5a && p[4 * 4096 - 1] == 0x5a, "partial munmap keeps the rest");
		munmap(p, 4096);
		munmap(p + 3 * 4096, 4096);
	}
	free_handle(a.handle);
	free_handle(r.handle);
	free_handle(h.handle);
}

int main(void)
{
	const char *path = getenv("HSL_FABRIC");
	struct hsl_chip_info chip = { .size = sizeof(chip), .flags = HSL_CHIP_BY_INDEX };
	struct hsl_queue_create q = { .size = sizeof(q), .depth = 16 };
	struct hsl_segment_alloc a = { .size = sizeof(a) };
	int other;

	setvbuf(stdout, NULL, _IOLBF, 0);
	ctx = open(path ? path : "/dev/hsl0", O_RDWR | O_CLOEXEC);
	if (ctx < 0) {
		printf("1..0 # SKIP %s: %s\n", path ? path : "/dev/hsl0", strerror(errno));
		return 77;
	}
	if (ioctl(ctx, HSL_IOC_CHIP_INFO, &chip)) {
		printf("Bail out! CHIP_INFO: %s\n", strerror(errno));
		return 1;
	}
	chip_node = chip.node;
	q.node = chip_node;
	if (ioctl(ctx, HSL_IOC_QUEUE_CREATE, &q)) {
		printf("Bail out! QUEUE_CREATE: %s\n", strerror(errno));
		return 1;
	}
	queue = q.fd;
	alloc_live();
	other = open(path ? path : "/dev/hsl0", O_RDWR | O_CLOEXEC);
	fill_alloc(&a);
	if (other < 0 || ioctl(other, HSL_IOC_SEGMENT_ALLOC, &a) ||
	    export_of(other, a.handle, HSL_SEGMENT_READ, &export_fd)) {
		printf("Bail out! SEGMENT_EXPORT: %s\n", strerror(errno));
		return 1;
	}
	for (size_t i = 0; i < sizeof(iocs) / sizeof(iocs[0]); i++)
		misuse(&iocs[i]);
	values();
	mappings();
	sharing();
	reading();
	printf("1..%d\n", ntests);
	return nfailed != 0;
}
