// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * HEP-SEC-001, -002, -005, -008, -009: processes without privileges that do everything a process can do to another one, and get
 * nothing.
 *
 *	hostile [SECONDS [SEED]]	(15, from the clock)	on the driver; prints TAP; exit 0, 1 or 77
 *
 * The victim holds chip and host memory full of a pattern, works on it, and compares every byte again and again. Attackers know
 * all about it: GAs, handles, and even its queue's file, which they inherited. They
 *   - command at the victim's GAs, with every opcode, from queues of their own;
 *   - write noise and half-good descriptors into rings, completions, control and doorbell page while the chip reads them;
 *   - let a thread flip descriptors and lists between memory of their own and the victim's, between check and use;
 *   - guess handles; import files of every wrong kind; call the ioctls of the other kind of file; map everything there is;
 *   - use the victim's queue file; look for registers in sysfs; and are killed in the middle of it.
 * Where a step has an answer that would mean harm it is a failure by itself; what harm cannot be seen there the victim sees.
 * isolation.c tries the plain ways one by one; this is for what happens at once. Afterwards a fresh client finds a clean chip.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/raw.h"
#include "hsl/hsl.h"

#define NATTACKERS	3
#define NSEGS		4
#define LEN		(64u << 10)
#define PAGE		4096u
#define NOBODY		65534
#define STUCK_S		40	/* the victim's commands make no progress for so long: harm */

struct target {
	uint64_t ga, len;
	uint32_t handle, node;
};

static struct shared {
	atomic_bool stop;
	atomic_ulong rounds;		/* of the victim, each with commands and a look at every byte */
	atomic_ulong steps[NATTACKERS];
	atomic_uint harm, damage;	/* seen by attackers, by the victim */
	struct target seg[NSEGS];
	atomic_bool ready;
} *sh;

static uint64_t mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15ull;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
	return x ^ (x >> 31);
}

static uint64_t now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec;
}

static uint8_t pattern(unsigned int seg, uint64_t i)
{
	return (uint8_t)(mix(seg * 1000003ull + i / 8) >> (i % 8 * 8));
}

/* ---- the victim ---- */

static void damage(const char *fmt, ...)
{
	va_list ap;

	if (atomic_fetch_add(&sh->damage, 1) > 20)
		return;
	printf("# victim: ");
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

static void compare(const uint8_t *p, unsigned int seg, uint64_t ga)
{
	for (uint64_t i = 0; i < LEN; i++)
		if (((const volatile uint8_t *)p)[i] != pattern(seg, i)) {
			damage("at %p, GA %#" PRIx64 ", offset %" PRIu64 ": expected 0x%02x, got 0x%02x", (const void *)(p + i), ga + i, i,
			       pattern(seg, i), p[i]);
			return;
		}
}

/* Its queue's file is an inheritance of the attackers, so it is made before them: in the process that becomes the victim. */
static int victim(int queue_to)
{
	struct hsl_fabric_info info = { .size = sizeof(info) };
	struct hsl_segment *s[NSEGS], *sink;
	struct hsl_chip_props c = { .size = sizeof(c) };
	struct hsl_queue *q[2];
	struct raw_queue raw;
	struct hsl_fabric *f;
	uint8_t *p[NSEGS], *out;
	int ctx = raw_open(0);
	void *m;

	if (ctx < 0 || hsl_fabric_open(RAW_DEV, &f) || hsl_fabric_info(f, &info))
		return 1;
	out = mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (out == MAP_FAILED || hsl_segment_register(f, out, LEN, NULL, &sink))
		return 1;
	for (unsigned int i = 0; i < NSEGS; i++) {
		if (hsl_chip_by_index(f, i % info.nchips, &c))
			return 1;
		if (i == NSEGS - 1) {
			p[i] = mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
			if (p[i] == MAP_FAILED || hsl_segment_register(f, p[i], LEN, NULL, &s[i]))
				return 1;
		} else if (hsl_segment_alloc(f, c.node, LEN, NULL, &s[i]) || hsl_segment_map(s[i], &m)) {
			return 1;
		} else {
			p[i] = m;
		}
		for (uint64_t b = 0; b < LEN; b++)
			p[i][b] = pattern(i, b);
		sh->seg[i] = (struct target){ hsl_segment_ga(s[i]), LEN, hsl_segment_handle(s[i]), HSL_GA_NODE(hsl_segment_ga(s[i])) };
	}
	for (unsigned int i = 0; i < 2; i++)
		if (hsl_chip_by_index(f, i % info.nchips, &c) || hsl_queue_create(f, c.node, NULL, &q[i]))
			return 1;
	if (raw_queue_open(ctx, c.node, &raw))
		return 1;
	for (unsigned int i = 0; i < NATTACKERS; i++)
		if (raw_send_fd(queue_to, raw.fd, 0))
			return 1;
	atomic_store(&sh->ready, true);
	while (!atomic_load(&sh->stop)) {
		for (unsigned int i = 0; i < NSEGS; i++) {
			struct hsl_desc nop = { .opcode = HSL_OP_NOP };
			int err = hsl_copy(q[i % 2], hsl_segment_ga(sink), hsl_segment_ga(s[i]), LEN), st;

			if (err)
				damage("COPY: %s", strerror(-err));
			compare(out, i, hsl_segment_ga(sink));
			compare(p[i], i, hsl_segment_ga(s[i]));
			raw_submit(&raw, &nop);
			st = raw_complete(&raw, STUCK_S * 1000);
			if (st)
				damage("NOP on the queue whose file others have: %d", st);
		}
		atomic_fetch_add(&sh->rounds, 1);
	}
	raw_queue_close(&raw);
	hsl_fabric_close(f);
	return 0;
}

/* ---- an attacker ---- */

struct attacker {
	unsigned int number;
	uint64_t seed, rng;
	int ctx, stolen;	/* the victim's queue file */
	struct raw_seg own, list;
	volatile uint64_t *p, *plist;
	struct raw_queue q;
	bool queue;
	const char *what;
};

__attribute__((format(printf, 2, 3)))
static void harm(struct attacker *a, const char *fmt, ...)
{
	char text[300];
	va_list ap;

	if (atomic_fetch_add(&sh->harm, 1) > 20)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	printf("# attacker %u, %s, seed %#" PRIx64 ": %s\n", a->number, a->what, a->seed, text);
}

static uint64_t rnd(struct attacker *a, uint64_t below)
{
	return mix(a->rng++) % below;
}

static const struct target *a_target(struct attacker *a)
{
	return &sh->seg[rnd(a, NSEGS)];
}

static uint32_t a_node(struct attacker *a)
{
	struct hsl_chip_info ci = { .size = sizeof(ci), .flags = HSL_CHIP_BY_INDEX, .node = 0 };
	struct hsl_info i = { .size = sizeof(i), .abi_version = HSL_ABI_VERSION };

	if (raw_ioctl(a->ctx, HSL_IOC_INFO, &i))
		return 1;
	ci.node = (uint32_t)rnd(a, i.nchips);
	return raw_ioctl(a->ctx, HSL_IOC_CHIP_INFO, &ci) ? 1 : ci.node;
}

static bool need_queue(struct attacker *a)
{
	if (a->queue && a->q.ctrl->state == HSL_QUEUE_READY && rnd(a, 20))
		return true;
	if (a->queue)
		raw_queue_close(&a->q);
	a->queue = !raw_queue_open(a->ctx, a_node(a), &a->q);
	return a->queue;
}

/* A descriptor of some opcode with an operand at the victim's memory and the rest in order. */
static struct hsl_desc evil_desc(struct attacker *a)
{
	const struct target *t = a_target(a);
	uint64_t ga = t->ga + (rnd(a, t->len - 64) & ~7ull);
	struct hsl_desc d = { .opcode = (uint8_t)(1 + rnd(a, HSL_OP_COPY_LIST)), .cookie = mix(a->rng++), .len = 8 };

	d.dst = a->own.ga + 64;
	d.src = a->own.ga + 128;
	switch (d.opcode) {
	case HSL_OP_FILL: d.src = 0; d.dst = ga; d.arg0 = mix(a->rng++); break;
	case HSL_OP_ATOMIC:
	case HSL_OP_SIGNAL: d.src = 0; d.dst = ga; d.arg0 = 1; break;
	case HSL_OP_WAIT: d.dst = 0; d.src = ga; d.arg1 = 1000; break;
	case HSL_OP_FENCE: d.opcode = HSL_OP_COPY; d.dst = ga; break;
	case HSL_OP_COPY2D: d.arg0 = 2; d.arg1 = HSL_PITCH(64, 64); d.dst = rnd(a, 2) ? ga : d.dst; d.src = d.dst == ga ? d.src : ga; break;
	case HSL_OP_COPY_LIST: {
		struct hsl_copy_entry e = { .dst = ga, .src = a->own.ga, .len = 64 };

		if (rnd(a, 2))
			e = (struct hsl_copy_entry){ .dst = a->own.ga, .src = ga, .len = 64 };
		memcpy((void *)a->plist, &e, sizeof(e));
		d.dst = 0;
		d.src = a->list.ga;
		d.len = 32;
		break;
	}
	default:
		if (rnd(a, 2))
			d.dst = ga;
		else
			d.src = ga;
		break;
	}
	return d;
}

static void at_victims_memory(struct attacker *a)
{
	if (!need_queue(a))
		return;
	for (unsigned int i = 0; i < 30; i++) {
		struct hsl_desc d = evil_desc(a);
		int st;

		raw_submit(&a->q, &d);
		st = raw_complete(&a->q, 20000);
		if (st == HSL_ST_OK || st == HSL_ST_TIMEOUT)
			harm(a, "opcode %#x, dst %#" PRIx64 ", src %#" PRIx64 ": %s", d.opcode, (uint64_t)d.dst, (uint64_t)d.src,
			     hsl_status_name((unsigned int)st));
		if (st < 0) {
			raw_queue_close(&a->q);
			a->queue = false;
			return;
		}
	}
	for (unsigned int i = 0; i < LEN / 8; i++)
		if (a->p[i]) {
			harm(a, "something came over: %#" PRIx64, a->p[i]);
			a->p[i] = 0;
		}
}

/* Bytes everywhere a queue's owner can write, doorbells with any count, all the while. */
static void scribble(struct attacker *a)
{
	if (!need_queue(a))
		return;
	for (unsigned int i = 0; i < 300; i++) {
		uint64_t r = mix(a->rng++);
		uint8_t *rings = a->q.rings;
		struct hsl_desc d = evil_desc(a);

		switch (r % 7) {
		case 0: rings[(r >> 8) % a->q.c.ring_bytes] = (uint8_t)(r >> 50); break;
		case 1: *(volatile uint64_t *)(rings + ((r >> 8) % a->q.c.ring_bytes & ~7ull)) = mix(r); break;
		case 2: a->q.sq[(r >> 8) % RAW_DEPTH] = d; break;
		case 3: a->q.ctrl->cq_head = (uint32_t)(r >> 20); break;
		case 4: memset((void *)a->q.ctrl, (int)(r >> 8), sizeof(*a->q.ctrl)); break;
		case 5:
			if (a->q.db)
				a->q.db[(r >> 8) % 1024] = r >> 40 & 1 ? (uint32_t)(r >> 32) : a->q.tail + (uint32_t)(r >> 41) % 20;
			break;
		default:
			if (a->q.db)
				a->q.db[HSL_DB_SQ_TAIL / 4] = ++a->q.tail;
			break;
		}
	}
	raw_queue_close(&a->q);
	a->queue = false;
}

struct flipper {
	volatile uint64_t *at;
	uint64_t good, evil;
	atomic_bool stop;
};

static void *flip(void *arg)
{
	struct flipper *f = arg;

	while (!atomic_load_explicit(&f->stop, memory_order_relaxed)) {
		*f->at = f->evil;
		*f->at = f->good;
	}
	return NULL;
}

/* One field flips; whatever the chip sees, all it may touch is the attacker's own. */
static void flipping(struct attacker *a)
{
	const struct target *t = a_target(a);
	struct flipper f = { .good = a->own.ga + 4096, .evil = t->ga };
	unsigned int how = (unsigned int)rnd(a, 4);
	struct hsl_copy_entry *e = (void *)a->plist;
	pthread_t th;

	if (!need_queue(a))
		return;
	for (unsigned int i = 0; i < RAW_DEPTH; i++)
		a->q.sq[i] = (struct hsl_desc){ .opcode = how == 1 ? HSL_OP_COPY : how == 3 ? HSL_OP_ATOMIC : HSL_OP_FILL,
						.dst = f.good, .src = how == 1 ? f.good : 0, .len = how == 3 ? 8 : 256,
						.arg0 = how == 1 ? 0 : 0xdeadbeef };
	switch (how) {
	case 0:
	case 3: f.at = &a->q.sq[rnd(a, RAW_DEPTH)].dst; break;
	case 1: f.at = &a->q.sq[rnd(a, RAW_DEPTH)].src; break;
	default:
		for (unsigned int i = 0; i < 32; i++)
			e[i] = (struct hsl_copy_entry){ .dst = f.good, .src = a->own.ga, .len = 64 };
		for (unsigned int i = 0; i < RAW_DEPTH; i++)
			a->q.sq[i] = (struct hsl_desc){ .opcode = HSL_OP_COPY_LIST, .src = a->list.ga, .len = 32 * 32 };
		f.at = rnd(a, 2) ? &e[rnd(a, 32)].dst : &e[rnd(a, 32)].src;
		f.good = *f.at;
		break;
	}
	/* into the middle of a list, or what is read goes where it can be seen */
	if (pthread_create(&th, NULL, flip, &f))
		return;
	for (unsigned int i = 0; i < 40 && a->q.ctrl->state == HSL_QUEUE_READY; i++) {
		a->q.tail += RAW_DEPTH;
		if (a->q.db)
			a->q.db[HSL_DB_SQ_TAIL / 4] = a->q.tail;
		for (unsigned int k = 0; k < RAW_DEPTH; k++)
			if (raw_complete(&a->q, 20000) < 0)
				break;
	}
	atomic_store(&f.stop, true);
	pthread_join(th, NULL);
	/* what was written there is 0xdeadbeef, or its sum, or zero that was copied: anything else is the victim's */
	if (how == 1 || how == 2)
		for (unsigned int i = 0; i < LEN / 8; i++)
			if (a->p[i] && a->p[i] != 0xdeadbeefull) {
				harm(a, "way %u, offset %u: %#" PRIx64 " came over", how, i * 8, a->p[i]);
				break;
			}
	memset((void *)a->p, 0, LEN);
	raw_queue_close(&a->q);
	a->queue = false;
}

static void handles(struct attacker *a)
{
	for (unsigned int i = 0; i < 200; i++) {
		uint32_t h = rnd(a, 3) ? (uint32_t)rnd(a, 200) : (uint32_t)mix(a->rng++);
		struct hsl_segment_info info = { .size = sizeof(info), .handle = h };
		struct hsl_segment_export ex = { .size = sizeof(ex), .handle = h, .rights = RAW_RW };
		int err;

		if (rnd(a, 4) == 0)
			info.handle = ex.handle = h = a_target(a)->handle;
		if (h == a->own.handle || h == a->list.handle)
			continue;
		err = raw_ioctl(a->ctx, HSL_IOC_SEGMENT_INFO, &info);
		if (err != -ENOENT)
			harm(a, "SEGMENT_INFO of handle %u: %d, GA %#" PRIx64, h, err, (uint64_t)info.ga);
		err = raw_ioctl(a->ctx, HSL_IOC_SEGMENT_EXPORT, &ex);
		if (err != -ENOENT)
			harm(a, "SEGMENT_EXPORT of handle %u: %d", h, err);
		err = raw_revoke(a->ctx, h);
		if (err != -ENOENT)
			harm(a, "SEGMENT_REVOKE of handle %u: %d", h, err);
		err = raw_free(a->ctx, h);
		if (err != -ENOENT)
			harm(a, "SEGMENT_FREE of handle %u: %d", h, err);
	}
}

static void wrong_files(struct attacker *a)
{
	int fds[16], n = 0, sock[2], pipes[2];
	struct raw_seg s;

	fds[n++] = eventfd(0, 0);
	fds[n++] = memfd_create("hostile", 0);
	fds[n++] = open("/dev/null", O_RDWR);
	fds[n++] = open("/proc/self/maps", O_RDONLY);
	fds[n++] = open("/", O_RDONLY | O_DIRECTORY);
	fds[n++] = open("/", O_PATH);
	fds[n++] = epoll_create1(0);
	if (!socketpair(AF_UNIX, SOCK_STREAM, 0, sock)) {
		fds[n++] = sock[0];
		fds[n++] = sock[1];
	}
	if (!pipe(pipes)) {
		fds[n++] = pipes[0];
		fds[n++] = pipes[1];
	}
	fds[n++] = dup(a->stolen);
	fds[n++] = dup(a->ctx);
	fds[n++] = raw_open(0);
	for (int i = 0; i < n; i++) {
		int err = raw_import(a->ctx, fds[i], 0, &s);

		if (err != -EINVAL && err != -EBADF)
			harm(a, "import of a file of kind %d: %d", i, err);
		close(fds[i]);
	}
	for (int fd = -5; fd < 0; fd++)
		if (raw_import(a->ctx, fd, 0, &s) != -EBADF)
			harm(a, "import of file %d", fd);
}

/* Each ioctl number on each kind of file, with whatever in the struct. */
static void wrong_ioctls(struct attacker *a)
{
	static const unsigned long context[] = { HSL_IOC_INFO, HSL_IOC_CHIP_INFO, HSL_IOC_LINK_INFO, HSL_IOC_SEGMENT_ALLOC,
						 HSL_IOC_SEGMENT_REGISTER, HSL_IOC_SEGMENT_FREE, HSL_IOC_SEGMENT_INFO,
						 HSL_IOC_SEGMENT_EXPORT, HSL_IOC_SEGMENT_IMPORT, HSL_IOC_SEGMENT_REVOKE,
						 HSL_IOC_QUEUE_CREATE },
				   queue[] = { HSL_IOC_QUEUE_KICK, HSL_IOC_QUEUE_EVENTFD, HSL_IOC_QUEUE_INFO, HSL_IOC_QUEUE_ABORT };
	uint64_t junk[32];

	if (!need_queue(a))
		return;
	for (unsigned int i = 0; i < 100; i++) {
		unsigned long nr;
		int err;

		for (unsigned int k = 0; k < 32; k++)
			junk[k] = mix(a->rng++);
		*(uint32_t *)junk = (uint32_t)rnd(a, 160);
		nr = context[rnd(a, sizeof(context) / sizeof(context[0]))];
		err = raw_ioctl(a->q.fd, nr, junk);
		if (err != -ENOTTY)
			harm(a, "ioctl %#lx on a queue: %d", nr, err);
		nr = queue[rnd(a, sizeof(queue) / sizeof(queue[0]))];
		err = raw_ioctl(a->ctx, nr, junk);
		if (err != -ENOTTY)
			harm(a, "ioctl %#lx on a context: %d", nr, err);
		/* numbers that are none, and noise for those that are */
		nr = HSL_IO(0x44 + rnd(a, 0xb0));
		if (raw_ioctl(a->ctx, nr, junk) != -ENOTTY || raw_ioctl(a->q.fd, nr, junk) != -ENOTTY)
			harm(a, "ioctl %#lx", nr);
		raw_ioctl(a->ctx, context[rnd(a, 8)], junk);
	}
}

static void map_everything(struct attacker *a)
{
	if (!need_queue(a))
		return;
	for (unsigned int i = 0; i < 200; i++) {
		const struct target *t = a_target(a);
		uint64_t len = PAGE << rnd(a, 6), off = t->ga & ~(PAGE - 1ull);
		int fd = a->ctx, prot = 1 + (int)rnd(a, 7);
		bool own;
		void *m;

		switch (rnd(a, 5)) {
		case 0: off += rnd(a, t->len) & ~(PAGE - 1ull); break;
		case 1: off = HSL_GA(rnd(a, 6), rnd(a, 1 << 20) * PAGE); break;
		case 2: off = mix(a->rng++) & INT64_MAX & ~(PAGE - 1ull); break;
		case 3: off = a->own.ga + rnd(a, 32) * PAGE; break;
		default:
			fd = a->q.fd;
			off = (rnd(a, 2) ? HSL_QUEUE_MMAP_DOORBELL : 0) + rnd(a, 64) * PAGE;
			break;
		}
		m = mmap(NULL, len, prot, rnd(a, 4) ? MAP_SHARED : MAP_PRIVATE, fd, (off_t)off);
		if (m == MAP_FAILED)
			continue;
		own = fd == a->q.fd ? off + len <= a->q.c.ring_bytes ||
					      (off >= HSL_QUEUE_MMAP_DOORBELL && off + len <= HSL_QUEUE_MMAP_DOORBELL + a->q.c.doorbell_bytes)
				    : (off >= a->own.ga && off + len <= a->own.ga + a->own.len) ||
					      (off >= a->list.ga && off + len <= a->list.ga + a->list.len);
		if (!own || (prot & PROT_EXEC))
			harm(a, "mmap of %s at %#" PRIx64 ", %" PRIu64 " bytes, prot %d", fd == a->ctx ? "a context" : "a queue", off, len, prot);
		munmap(m, len);
	}
}

static void stolen_queue(struct attacker *a)
{
	struct hsl_queue_kick k = { .size = sizeof(k), .flags = (uint32_t)rnd(a, 2), .sq_tail = (uint32_t)mix(a->rng++) };
	struct hsl_queue_abort ab = { .size = sizeof(ab) };
	static const uint64_t at[] = { HSL_QUEUE_MMAP_RINGS, HSL_QUEUE_MMAP_DOORBELL };
	void *m;
	int err;

	for (unsigned int i = 0; i < 2; i++) {
		m = mmap(NULL, PAGE, 1 + (int)rnd(a, 3), MAP_SHARED, a->stolen, (off_t)at[i]);
		if (m != MAP_FAILED || errno != EACCES)
			harm(a, "mmap of the victim's queue at %#" PRIx64 ": %s", at[i], m == MAP_FAILED ? strerror(errno) : "a mapping");
		if (m != MAP_FAILED)
			munmap(m, PAGE);
	}
	err = raw_ioctl(a->stolen, HSL_IOC_QUEUE_KICK, &k);
	if (err != -EACCES)
		harm(a, "QUEUE_KICK of the victim's queue: %d", err);
	err = raw_ioctl(a->stolen, HSL_IOC_QUEUE_ABORT, &ab);
	if (err != -EACCES)
		harm(a, "QUEUE_ABORT of the victim's queue: %d", err);
}

static void around_the_driver(struct attacker *a)
{
	static const char *const paths[] = { "/dev/mem", "/sys/module/hsl/parameters/max_queues" };
	DIR *d = opendir("/sys/bus/pci/devices");
	struct dirent *e;
	char path[400];
	int fd;

	for (unsigned int i = 0; i < 2; i++) {
		fd = open(paths[i], O_RDWR);
		if (fd >= 0) {
			harm(a, "opened %s", paths[i]);
			close(fd);
		}
	}
	while (d && (e = readdir(d)))
		for (unsigned int i = 0; i < 6 && e->d_name[0] != '.'; i++) {
			snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/%s%u", e->d_name, i < 5 ? "resource" : "reset", i);
			if (i == 5)
				path[strlen(path) - 1] = 0;
			fd = open(path, i < 5 ? O_RDWR : O_WRONLY);
			if (fd >= 0) {
				harm(a, "opened %s", path);
				close(fd);
			}
		}
	if (d)
		closedir(d);
}

static int attacker(unsigned int number, uint64_t seed, int stolen, gid_t gid)
{
	static const struct {
		const char *name;
		void (*run)(struct attacker *a);
	} ways[] = {
		{ "commands at the victim's memory", at_victims_memory }, { "scribbling", scribble }, { "flipping", flipping },
		{ "handles", handles }, { "wrong files", wrong_files }, { "wrong ioctls", wrong_ioctls },
		{ "mmap", map_everything }, { "the victim's queue", stolen_queue }, { "around the driver", around_the_driver },
	};
	struct attacker a = { .number = number, .seed = seed, .rng = seed, .stolen = stolen, .what = "opening" };

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (setgroups(0, NULL) || setgid(gid) || setuid(NOBODY))
		return 1;
	while (!atomic_load(&sh->ready))
		usleep(1000);
	a.ctx = raw_open(0);
	if (a.ctx < 0 || raw_alloc(a.ctx, a_node(&a), LEN, RAW_RW, &a.own) || raw_map(a.ctx, &a.own, PROT_READ | PROT_WRITE, &a.p) ||
	    raw_alloc(a.ctx, a_node(&a), PAGE, RAW_RW, &a.list) || raw_map(a.ctx, &a.list, PROT_READ | PROT_WRITE, &a.plist)) {
		harm(&a, "cannot even begin");
		return 1;
	}
	for (unsigned int i = number; !atomic_load(&sh->stop); i++) {
		/* each way in turn, then by chance */
		unsigned int w = i < 9 + number ? i % 9 : (unsigned int)rnd(&a, 9);

		a.what = ways[w].name;
		ways[w].run(&a);
		atomic_fetch_add(&sh->steps[number], 1);
	}
	return 0;
}

/* ---- afterwards ---- */

static bool fresh_client(const struct hsl_chip_props *before, unsigned int n)
{
	struct hsl_fabric *f;
	bool ok = true;

	if (hsl_fabric_open(RAW_DEV, &f))
		return false;
	for (unsigned int i = 0; i < n && ok; i++) {
		struct hsl_chip_props p = { .size = sizeof(p) };
		struct hsl_segment *s = NULL;
		struct hsl_queue *q = NULL;
		void *m = NULL;

		for (unsigned int k = 0; k < 2000; k++) {	/* zeroing takes its time */
			ok = !hsl_chip_by_index(f, i, &p) && !p.state && p.mem_free_bytes == before[i].mem_free_bytes &&
			     p.nqueues_free == before[i].nqueues_free;
			if (ok)
				break;
			usleep(10000);
		}
		if (!ok)
			printf("# chip %u: state %u, %" PRIu64 " of %" PRIu64 " bytes and %u of %u queues free\n", p.node, p.state,
			       p.mem_free_bytes, before[i].mem_free_bytes, p.nqueues_free, before[i].nqueues_free);
		ok = ok && !hsl_queue_create(f, p.node, NULL, &q) && !hsl_segment_alloc(f, p.node, 16u << 20, NULL, &s) &&
		     !hsl_segment_map(s, &m);
		for (size_t b = 0; ok && b < 16u << 20; b += 8)
			if (*(uint64_t *)((char *)m + b)) {
				printf("# chip %u: new memory is not zero at %zu\n", p.node, b);
				ok = false;
			}
		ok = ok && !hsl_fill(q, hsl_segment_ga(s), 1u << 20, 0x77) && *((uint8_t *)m + 8) == 0x77;
		hsl_queue_destroy(q);
		if (s)
			hsl_segment_free(s);
	}
	hsl_fabric_close(f);
	return ok;
}

static pid_t attacker_start(unsigned int number, uint64_t seed, int stolen, gid_t gid)
{
	pid_t pid = fork();

	if (!pid) {
		int rc = attacker(number, seed, stolen, gid);

		fflush(stdout);
		_exit(rc);
	}
	return pid;
}

int main(int argc, char **argv)
{
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : mix((uint64_t)time(NULL) ^ (uint64_t)getpid() << 32);
	uint64_t seconds = argc > 1 ? strtoull(argv[1], NULL, 0) : 15, end_s, seen_s, rng = ~seed, word;
	struct hsl_chip_props before[8];
	unsigned int n, kills = 0, life = 0;
	unsigned long rounds = 0, steps = 0;
	int sock[2], stolen[NATTACKERS], status;
	pid_t pid[NATTACKERS], vpid;
	bool stuck = false, opened_up = false;
	struct hsl_fabric *f;
	struct stat st;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (getuid() || stat(RAW_DEV, &st) || hsl_fabric_open(RAW_DEV, &f))
		raw_skip_all("needs root and " RAW_DEV);
	for (n = 0; n < 8; n++) {
		before[n].size = sizeof(before[n]);
		if (hsl_chip_by_index(f, n, &before[n]))
			break;
	}
	hsl_fabric_close(f);
	sh = mmap(NULL, sizeof(*sh), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (sh == MAP_FAILED || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sock))
		raw_bail("set-up");
	/* what the driver refuses is the question, not the mode of the node */
	if ((st.st_mode & 06) != 06 && (st.st_mode & 060) != 060)
		opened_up = !chmod(RAW_DEV, 0666);
	printf("# %" PRIu64 " s: replay with: hostile %" PRIu64 " %#" PRIx64 "\n", seconds, seconds, seed);
	vpid = fork();
	if (!vpid) {
		int rc;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		rc = victim(sock[1]);
		fflush(stdout);
		_exit(rc);
	}
	for (unsigned int i = 0; i < NATTACKERS; i++) {
		struct pollfd p = { .fd = sock[0], .events = POLLIN };

		if (poll(&p, 1, 60000) != 1 || raw_recv_fd(sock[0], &stolen[i], &word))
			raw_bail("the victim did not begin");
		pid[i] = attacker_start(i, mix(seed + i), stolen[i], st.st_gid);
	}
	end_s = now_s() + seconds;
	seen_s = now_s();
	while (now_s() < end_s && !stuck) {
		unsigned int v = (unsigned int)(mix(rng++) % NATTACKERS);

		usleep(200000 + (useconds_t)(mix(rng++) % 1000000));
		if (atomic_load(&sh->rounds) != rounds) {
			rounds = atomic_load(&sh->rounds);
			seen_s = now_s();
		}
		stuck = now_s() - seen_s > STUCK_S || waitpid(vpid, &status, WNOHANG) == vpid;
		/* one is killed in the middle of it, and comes back as another */
		kill(pid[v], SIGKILL);
		waitpid(pid[v], &status, 0);
		kills++;
		pid[v] = attacker_start(v, mix(seed + 1000003ull * ++life + v), stolen[v], st.st_gid);
	}
	atomic_store(&sh->stop, true);
	for (unsigned int i = 0; i < NATTACKERS; i++) {
		steps += atomic_load(&sh->steps[i]);
		kill(pid[i], SIGKILL);
		waitpid(pid[i], &status, 0);
		close(stolen[i]);
	}
	if (!stuck)
		waitpid(vpid, &status, 0);
	else
		kill(vpid, SIGKILL);
	if (opened_up)
		chmod(RAW_DEV, st.st_mode & 07777);
	printf("# %lu attacks, %u killed attackers, %lu rounds of the victim\n", steps, kills, rounds);
	raw_check(!atomic_load(&sh->harm) && steps > 0, "nothing an attacker did gave it anything (%u did)", atomic_load(&sh->harm));
	raw_check(!atomic_load(&sh->damage), "the victim's bytes and commands were right all the time (%u were not)",
		  atomic_load(&sh->damage));
	raw_check(!stuck && rounds > 0 && WIFEXITED(status) && !WEXITSTATUS(status), "the victim made progress to the end");
	raw_check(fresh_client(before, n), "a fresh client finds clean chips");
	return raw_done();
}
