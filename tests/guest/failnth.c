// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Each allocation and each copy of each call fails once, in turn: /proc/thread-self/fail-nth of a kernel with fault injection
 * (KERNEL=debug), elsewhere skipped. As root in the VM with 2 chips (HEP-API-004, and what
 * include/uapi/linux/hsl.h says of errors).
 *
 *   failnth calls | close | probe | unbind	prints TAP; exit 0, 1, 77
 *
 * The n-th fault of a call is armed, the call made; if it was not reached, n was more than the call has, and the sweep is over.
 * A call that failed must say ENOMEM or EFAULT, and have changed nothing: what the driver shows of the context (segments,
 * exports, queues, what its user is charged with), the free queues of the chips and the open files here are as before. The same
 * call without a fault then works. What leaks without being shown is kmemleak's to find, at the end of the VM.
 *
 * close, unbind: may not fail at all. probe: any error, and the chip is not bound; without a fault it is.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/raw.h"

#define PAGE	4096u
#define LEN	(16u * PAGE)
#define NODE	1
#define FAULTS_MAX	4000
#define STATE	"/sys/kernel/debug/hsl/hsl0/state"

static int nth_fd = -1;

/* ---- faults ---- */

static void faults_init(void)
{
	static const char *const settings[][2] = {
		{ "failslab/ignore-gfp-wait", "N" }, { "failslab/verbose", "0" },
		{ "fail_page_alloc/ignore-gfp-wait", "N" }, { "fail_page_alloc/ignore-gfp-highmem", "N" },
		{ "fail_page_alloc/min-order", "0" }, { "fail_page_alloc/verbose", "0" }, { "fail_usercopy/verbose", "0" },
	};
	char path[128];

	nth_fd = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	if (nth_fd < 0)
		raw_skip_all("this kernel has no fault injection (KERNEL=debug has)");
	for (unsigned int i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		snprintf(path, sizeof(path), "/sys/kernel/debug/%s", settings[i][0]);
		if (raw_write_file(path, settings[i][1]))
			raw_bail(path);
	}
	/* qemu/vm accepts one warning of the kernel's own from here on */
	if (raw_write_file("/dev/kmsg", "<4>failnth: allocations fail on purpose"))
		raw_bail("/dev/kmsg");
}

static void arm(unsigned int n)
{
	char s[16];
	int len = snprintf(s, sizeof(s), "%u", n);

	/* what is still armed may strike this write's copy: once */
	if (pwrite(nth_fd, s, (size_t)len, 0) != len && pwrite(nth_fd, s, (size_t)len, 0) != len)
		raw_bail("fail-nth");
}

/* True if the fault struck the call. Nothing is armed afterwards. */
static bool disarm(void)
{
	char s[16] = "";
	/* if the read fails, it was the read that the fault struck */
	bool read_it = pread(nth_fd, s, sizeof(s) - 1, 0) > 0;

	arm(0);
	return read_it && atoi(s) == 0;
}

/* ---- what must not change ---- */

struct snapshot {
	char text[8192];
};

static int open_files(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	if (!d)
		raw_bail("/proc/self/fd");
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

/* Context lines and what is below them, without what a failed call may change: the next epoch, who is attached. */
static void take(struct snapshot *s, int ctx)
{
	FILE *f = fopen(STATE, "re");
	struct hsl_chip_info ci;
	char line[512];
	size_t used = 0;

	if (!f)
		raw_bail(STATE);
	while (fgets(line, sizeof(line), f)) {
		char *cut = strstr(line, " next epoch "), *on = strstr(line, " charged to ");

		if (strncmp(line, "context", 7) && line[0] != ' ')
			continue;
		if (cut && on)
			memmove(cut, on, strlen(on) + 1);
		used += (size_t)snprintf(s->text + used, sizeof(s->text) - used, "%s", line);
		if (used >= sizeof(s->text))
			raw_bail("the state is too long");
	}
	fclose(f);
	for (uint32_t node = 1; node <= 2; node++) {
		if (raw_chip(ctx, node, &ci))
			raw_bail("CHIP_INFO");
		used += (size_t)snprintf(s->text + used, sizeof(s->text) - used, "chip %u free queues %u\n", node,
					 ci.nqueues_free);
	}
	snprintf(s->text + used, sizeof(s->text) - used, "files %d\n", open_files());
}

static bool same(const struct snapshot *a, const struct snapshot *b, const char *what)
{
	if (!strcmp(a->text, b->text))
		return true;
	printf("# %s: before\n", what);
	for (const char *p = a->text, *e; (e = strchr(p, '\n')); p = e + 1)
		printf("#   %.*s\n", (int)(e - p), p);
	printf("# after\n");
	for (const char *p = b->text, *e; (e = strchr(p, '\n')); p = e + 1)
		printf("#   %.*s\n", (int)(e - p), p);
	return false;
}

/* ---- the calls ---- */

static int ctx;			/* the context of most calls */
static struct raw_seg seg;	/* a segment of it */
static int import_ctx = -1, export_fd = -1, dmabuf_fd = -1;
static struct raw_queue queue;
static char *buffer;

/* what the last success made */
static struct {
	int fd;
	uint32_t handle;
	void *map;
	size_t map_len;
} made = { .fd = -1 };

struct op {
	const char *name;
	int (*call)(void);	/* 0 or -errno */
	void (*undo)(void);	/* of a success */
	void (*before)(void);	/* each call, without a fault */
};

static void undo_fd(void)
{
	close(made.fd);
	made.fd = -1;
}

static void undo_handle(void)
{
	if (raw_free(ctx, made.handle))
		raw_bail("SEGMENT_FREE");
}

static void undo_import(void)
{
	if (raw_free(import_ctx, made.handle))
		raw_bail("SEGMENT_FREE of an import");
}

static void undo_map(void)
{
	munmap(made.map, made.map_len);
}

static int call_open(void)
{
	made.fd = raw_open(0);
	return made.fd < 0 ? made.fd : 0;
}

static int call_info(void)
{
	struct hsl_info i = { .size = sizeof(i), .abi_version = HSL_ABI_VERSION };

	return raw_ioctl(ctx, HSL_IOC_INFO, &i);
}

static int call_chip_info(void)
{
	struct hsl_chip_info ci;

	return raw_chip(ctx, NODE, &ci);
}

static int call_link_info(void)
{
	struct hsl_link_info li = { .size = sizeof(li), .node = NODE };

	return raw_ioctl(ctx, HSL_IOC_LINK_INFO, &li);
}

static int alloc_on(uint32_t flags)
{
	struct hsl_segment_alloc a = { .size = sizeof(a), .flags = flags, .node = NODE, .len_bytes = LEN, .rights = RAW_RW };
	int r = raw_ioctl(ctx, HSL_IOC_SEGMENT_ALLOC, &a);

	made.handle = a.handle;
	return r;
}

static int call_alloc(void)
{
	return alloc_on(0);
}

static int call_alloc_observable(void)
{
	return alloc_on(HSL_ALLOC_OBSERVABLE);
}

static int call_register(void)
{
	struct hsl_segment_register r = { .size = sizeof(r), .rights = RAW_RW, .addr = (uintptr_t)buffer, .len_bytes = LEN };
	int err = raw_ioctl(ctx, HSL_IOC_SEGMENT_REGISTER, &r);

	made.handle = r.handle;
	return err;
}

static int call_segment_info(void)
{
	struct hsl_segment_info i = { .size = sizeof(i), .handle = seg.handle };

	return raw_ioctl(ctx, HSL_IOC_SEGMENT_INFO, &i);
}

static int export_as(uint32_t flags)
{
	struct hsl_segment_export e = { .size = sizeof(e), .flags = flags, .handle = seg.handle, .rights = RAW_RW };
	int r = raw_ioctl(ctx, HSL_IOC_SEGMENT_EXPORT, &e);

	made.fd = e.fd;
	return r;
}

static int call_export(void)
{
	return export_as(0);
}

static int call_export_dmabuf(void)
{
	return export_as(HSL_EXPORT_DMABUF);
}

static int call_import(void)
{
	struct raw_seg s = { 0 };
	int r = raw_import(import_ctx, export_fd, 0, &s);

	made.handle = s.handle;
	return r;
}

static int call_import_dmabuf(void)
{
	struct raw_seg s = { 0 };
	int r = raw_import(import_ctx, dmabuf_fd, 0, &s);

	made.handle = s.handle;
	return r;
}

/* what free and revoke take, without copies of the caller's in between */
static struct hsl_segment_free freed;
static struct hsl_segment_revoke revoked;

static void before_free(void)
{
	struct raw_seg s;

	if (raw_alloc(ctx, NODE, PAGE, RAW_RW, &s))
		raw_bail("SEGMENT_ALLOC");
	freed = (struct hsl_segment_free){ .size = sizeof(freed), .handle = s.handle };
}

static int call_free(void)
{
	return raw_ioctl(ctx, HSL_IOC_SEGMENT_FREE, &freed);
}

static void before_free_import(void)
{
	if (call_import())
		raw_bail("SEGMENT_IMPORT");
	freed = (struct hsl_segment_free){ .size = sizeof(freed), .handle = made.handle };
}

static int call_free_import(void)
{
	return raw_ioctl(import_ctx, HSL_IOC_SEGMENT_FREE, &freed);
}

static void before_revoke(void)
{
	struct raw_seg s;

	before_free();
	made.fd = raw_export(ctx, freed.handle, RAW_RW);
	if (made.fd < 0 || raw_import(import_ctx, made.fd, 0, &s))
		raw_bail("an import to revoke");
	made.handle = s.handle;
	revoked = (struct hsl_segment_revoke){ .size = sizeof(revoked), .handle = freed.handle };
}

static int call_revoke(void)
{
	return raw_ioctl(ctx, HSL_IOC_SEGMENT_REVOKE, &revoked);
}

static void undo_revoke(void)
{
	undo_fd();
	if (raw_free(import_ctx, made.handle) || raw_free(ctx, freed.handle))
		raw_bail("freeing what was revoked");
}

static int queue_create(uint32_t flags)
{
	struct hsl_queue_create c = { .size = sizeof(c), .flags = flags, .node = 2, .depth = 64 };
	int r = raw_ioctl(ctx, HSL_IOC_QUEUE_CREATE, &c);

	made.fd = c.fd;
	return r;
}

static int call_queue(void)
{
	return queue_create(0);
}

static int call_queue_shadow(void)
{
	return queue_create(HSL_QUEUE_SHADOW);
}

static int call_kick(void)
{
	struct hsl_queue_kick k = { .size = sizeof(k), .sq_tail = queue.tail };

	return raw_ioctl(queue.fd, HSL_IOC_QUEUE_KICK, &k);
}

static int call_queue_info(void)
{
	struct hsl_queue_info i = { .size = sizeof(i) };

	return raw_ioctl(queue.fd, HSL_IOC_QUEUE_INFO, &i);
}

static int call_abort(void)
{
	struct hsl_queue_abort a = { .size = sizeof(a) };

	return raw_ioctl(queue.fd, HSL_IOC_QUEUE_ABORT, &a);
}

static int event_fd = -1;

static int call_eventfd(void)
{
	struct hsl_queue_eventfd e = { .size = sizeof(e), .fd = event_fd };

	return raw_ioctl(queue.fd, HSL_IOC_QUEUE_EVENTFD, &e);
}

static void undo_eventfd(void)
{
	struct hsl_queue_eventfd e = { .size = sizeof(e), .fd = -1 };

	if (raw_ioctl(queue.fd, HSL_IOC_QUEUE_EVENTFD, &e))
		raw_bail("QUEUE_EVENTFD");
}

static int map(int fd, size_t len, uint64_t offset)
{
	made.map = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)offset);
	made.map_len = len;
	return made.map == MAP_FAILED ? -errno : 0;
}

static int call_mmap(void)
{
	return map(ctx, LEN, seg.ga);
}

static int call_mmap_rings(void)
{
	return map(queue.fd, queue.c.ring_bytes, HSL_QUEUE_MMAP_RINGS);
}

static int call_mmap_doorbell(void)
{
	return map(queue.fd, queue.c.doorbell_bytes, HSL_QUEUE_MMAP_DOORBELL);
}

static void before_touch(void)
{
	if (call_mmap())
		raw_bail("mmap of a segment");
}

/* out of memory in a page fault is tried again, never a SIGBUS */
static int call_touch(void)
{
	volatile char *p = made.map;

	return RAW_TRY(p[PAGE] = 1) ? 0 : -EIO;
}

static int call_poll(void)
{
	struct pollfd p = { .fd = queue.fd, .events = POLLIN };

	return poll(&p, 1, 0) < 0 ? -errno : 0;
}

static int epoll_fd = -1;

static int call_epoll(void)
{
	struct epoll_event e = { .events = EPOLLIN };

	return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, queue.fd, &e) < 0 ? -errno : 0;
}

static void undo_epoll(void)
{
	epoll_ctl(epoll_fd, EPOLL_CTL_DEL, queue.fd, NULL);
}

static void nothing(void)
{
}

static const struct op ops[] = {
	{ "open", call_open, undo_fd, nothing },
	{ "INFO", call_info, nothing, nothing },
	{ "CHIP_INFO", call_chip_info, nothing, nothing },
	{ "LINK_INFO", call_link_info, nothing, nothing },
	{ "SEGMENT_ALLOC", call_alloc, undo_handle, nothing },
	{ "SEGMENT_ALLOC, observable", call_alloc_observable, undo_handle, nothing },
	{ "SEGMENT_REGISTER", call_register, undo_handle, nothing },
	{ "SEGMENT_INFO", call_segment_info, nothing, nothing },
	{ "SEGMENT_EXPORT", call_export, undo_fd, nothing },
	{ "SEGMENT_EXPORT, dma-buf", call_export_dmabuf, undo_fd, nothing },
	{ "SEGMENT_IMPORT", call_import, undo_import, nothing },
	{ "SEGMENT_IMPORT, dma-buf", call_import_dmabuf, undo_import, nothing },
	{ "SEGMENT_FREE", call_free, nothing, before_free },
	{ "SEGMENT_FREE, an import", call_free_import, nothing, before_free_import },
	{ "SEGMENT_REVOKE", call_revoke, undo_revoke, before_revoke },
	{ "QUEUE_CREATE", call_queue, undo_fd, nothing },
	{ "QUEUE_CREATE, shadow tail", call_queue_shadow, undo_fd, nothing },
	{ "QUEUE_KICK", call_kick, nothing, nothing },
	{ "QUEUE_INFO", call_queue_info, nothing, nothing },
	{ "QUEUE_EVENTFD", call_eventfd, undo_eventfd, nothing },
	{ "QUEUE_ABORT", call_abort, nothing, nothing },
	{ "mmap of a segment", call_mmap, undo_map, nothing },
	{ "mmap of rings", call_mmap_rings, undo_map, nothing },
	{ "mmap of a doorbell", call_mmap_doorbell, undo_map, nothing },
	{ "a load of a segment", call_touch, undo_map, before_touch },
	{ "poll", call_poll, nothing, nothing },
	{ "epoll_ctl", call_epoll, undo_epoll, nothing },
};

/* False when the n-th fault was not reached. */
static bool sweep_one(const struct op *op, unsigned int n, unsigned int *failed, bool *good)
{
	struct snapshot before, after;
	char what[96];
	bool struck;
	int r;

	op->before();
	take(&before, ctx);
	arm(n);
	r = op->call();
	struck = disarm();
	if (!r) {
		op->undo();
		return struck;
	}
	(*failed)++;
	snprintf(what, sizeof(what), "%s, fault %u: %s", op->name, n, strerror(-r));
	take(&after, ctx);
	if (!struck || (r != -ENOMEM && r != -EFAULT)) {
		printf("# %s%s\n", what, struck ? "" : ", without a fault");
		*good = false;
	}
	*good &= same(&before, &after, what);
	r = op->call();
	if (r) {
		printf("# %s, and without a fault: %s\n", what, strerror(-r));
		*good = false;
		return struck;
	}
	op->undo();
	return struck;
}

static void sweep(const struct op *op)
{
	unsigned int n, failed = 0;
	bool good = true;

	if (op->call == call_import_dmabuf && dmabuf_fd < 0) {
		printf("ok %d - %s # SKIP no hsl_test_dmabuf.ko\n", ++raw_ntests, op->name);
		return;
	}
	for (n = 1; n < FAULTS_MAX && sweep_one(op, n, &failed, &good); n++)
		;
	if (n == FAULTS_MAX) {
		printf("# there is no end of faults\n");
		good = false;
	}
	raw_check(good, "%s: %u faults, %u of them errors", op->name, n - 1, failed);
}

/* a dma-buf of another driver */
static int foreign_dmabuf(void)
{
	int dev, fd;

	if (system("insmod /lib/hsl/hsl_test_dmabuf.ko 2>/dev/null"))
		return -1;
	dev = open("/dev/hsl_test_dmabuf", O_RDWR | O_CLOEXEC);
	if (dev < 0)
		raw_bail("/dev/hsl_test_dmabuf");
	fd = ioctl(dev, 0x7401 /* TEST_MAKE, pages */, 4);
	close(dev);
	return fd;
}

static void calls(void)
{
	ctx = raw_open(0);
	import_ctx = raw_open(0);
	if (ctx < 0 || import_ctx < 0)
		raw_bail(RAW_DEV);
	if (raw_alloc(ctx, NODE, LEN, RAW_RW, &seg) || raw_queue_open(ctx, NODE, &queue))
		raw_bail("a segment and a queue");
	export_fd = raw_export(ctx, seg.handle, RAW_RW);
	event_fd = eventfd(0, EFD_CLOEXEC);
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	dmabuf_fd = foreign_dmabuf();
	buffer = mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (export_fd < 0 || event_fd < 0 || epoll_fd < 0 || buffer == MAP_FAILED)
		raw_bail("what the calls need");
	for (unsigned int i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
		sweep(&ops[i]);
	raw_check(raw_copy(&queue, seg.ga, seg.ga + PAGE, PAGE) == HSL_ST_OK, "the queue still copies");
}

/* ---- what may not fail ---- */

/* A context with one of everything, closed with the n-th fault armed. */
static bool close_one(unsigned int n, bool *good)
{
	struct snapshot before, after;
	struct hsl_queue_create c = { .size = sizeof(c), .node = 2, .depth = 16 };
	struct raw_seg s, imported;
	int fd, exported;
	bool struck;
	char what[32];

	take(&before, ctx);
	fd = raw_open(0);
	if (fd < 0 || raw_alloc(fd, NODE, LEN, RAW_RW, &s) || raw_ioctl(fd, HSL_IOC_QUEUE_CREATE, &c))
		raw_bail("a context to close");
	exported = raw_export(fd, s.handle, RAW_RW);
	if (exported < 0 || raw_import(import_ctx, exported, 0, &imported))
		raw_bail("an export");
	struct hsl_segment_register r = { .size = sizeof(r), .rights = RAW_RW, .addr = (uintptr_t)buffer, .len_bytes = LEN };

	if (raw_ioctl(fd, HSL_IOC_SEGMENT_REGISTER, &r))
		raw_bail("SEGMENT_REGISTER");
	arm(n);
	close(fd);
	close(c.fd);
	close(exported);
	struck = disarm();
	if (raw_free(import_ctx, imported.handle))
		raw_bail("SEGMENT_FREE of an import");
	snprintf(what, sizeof(what), "fault %u", n);
	take(&after, ctx);
	*good &= same(&before, &after, what);
	return struck;
}

static void closes(void)
{
	bool good = true;
	unsigned int n;

	ctx = raw_open(0);
	import_ctx = raw_open(0);
	buffer = mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (ctx < 0 || import_ctx < 0 || buffer == MAP_FAILED)
		raw_bail(RAW_DEV);
	for (n = 1; n < FAULTS_MAX && close_one(n, &good); n++)
		;
	raw_check(good && n < FAULTS_MAX, "close gives everything back, whichever of %u allocations fails", n - 1);
}

/* ---- probe and unbind ---- */

#define BDF	"0000:01:00.0"
#define DRIVER	"/sys/bus/pci/drivers/hsl_pci/"

static bool bound(void)
{
	return !access("/sys/bus/pci/devices/" BDF "/driver", F_OK);
}

static int driver_write(const char *path)
{
	/* the file is open before anything is armed */
	return raw_write_file(path, BDF);
}

/* The chip works: memory, a queue, a copy. */
static bool works(void)
{
	struct raw_queue q;
	struct raw_seg s;
	int fd = raw_open(0);
	bool good;

	if (fd < 0)
		return false;
	good = !raw_alloc(fd, NODE, LEN, RAW_RW, &s) && !raw_queue_open(fd, NODE, &q);
	if (good) {
		good = raw_copy(&q, s.ga, s.ga + PAGE, PAGE) == HSL_ST_OK;
		raw_queue_close(&q);
	}
	close(fd);
	return good;
}

static int armed_write(int fd, unsigned int n, bool *struck)
{
	int r;

	arm(n);
	r = write(fd, BDF, strlen(BDF)) < 0 ? -errno : 0;
	*struck = disarm();
	return r;
}

static void probes(void)
{
	int fd = open(DRIVER "bind", O_WRONLY | O_CLOEXEC);
	unsigned int n, errors = 0;
	bool good = true, struck = true;

	if (fd < 0 || !bound() || driver_write(DRIVER "unbind"))
		raw_bail("unbinding the chip");
	for (n = 1; n < FAULTS_MAX && struck; n++) {
		int r = armed_write(fd, n, &struck);

		errors += r < 0;
		if (r < 0 ? bound() || !struck : !bound() || !works()) {
			printf("# fault %u%s: %s, the chip is %s\n", n, struck ? "" : " (none)", r ? strerror(-r) : "bound",
			       bound() ? "bound" : "not bound");
			good = false;
		}
		if (bound() && driver_write(DRIVER "unbind"))
			raw_bail("unbinding the chip again");
		if (n % 100 == 0 || !good) {
			if (driver_write(DRIVER "bind") || !works() || driver_write(DRIVER "unbind")) {
				printf("# after fault %u the chip does not work\n", n);
				good = false;
			}
		}
		if (!good)
			break;
	}
	raw_check(good && !struck, "probe: %u faults, %u of them errors", n - 1, errors);
	raw_check(!driver_write(DRIVER "bind") && works(), "and without a fault the chip works");
	close(fd);
}

static void unbinds(void)
{
	int fd = open(DRIVER "unbind", O_WRONLY | O_CLOEXEC);
	bool good = true, struck = true;
	unsigned int n;

	if (fd < 0)
		raw_bail(DRIVER "unbind");
	for (n = 1; n < FAULTS_MAX && struck && good; n++) {
		int r = armed_write(fd, n, &struck);

		/* the write's own buffer may be what fails */
		if (r == -ENOMEM || r == -EFAULT) {
			good = bound();
			continue;
		}
		good = !r && !bound() && !driver_write(DRIVER "bind") && works();
		if (!good)
			printf("# fault %u: %s\n", n, strerror(-r));
	}
	raw_check(good && !struck, "unbind does its work, whichever of %u allocations fails", n - 1);
	close(fd);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} cases[] = { { "calls", calls }, { "close", closes }, { "probe", probes }, { "unbind", unbinds } };

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (geteuid() || access(RAW_DEV, R_OK | W_OK))
		raw_skip_all("needs root and " RAW_DEV);
	raw_catch_faults();
	faults_init();
	for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (argc == 2 && !strcmp(argv[1], cases[i].name)) {
			cases[i].run();
			return raw_done();
		}
	}
	fprintf(stderr, "usage: failnth calls|close|probe|unbind\n");
	return 2;
}
