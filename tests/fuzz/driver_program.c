// SPDX-License-Identifier: MIT OR Apache-2.0
/* See driver_program.h. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/raw.h"
#include "fuzz/driver_program.h"

#define NCTX	3
#define NQUEUE	4
#define NFILE	8	/* exports, eventfds, memfds, dups */
#define NSEG	12
#define NPLACE	16	/* of the arena, for mappings that calls ask for; the areas of queues have theirs behind */
#define PLACE	(1ull << 20)
#define PAGE	4096ull
#define NNODES	8	/* nodes are 1..n; those above are not there */

struct seg {
	uint32_t ctx, handle;
	uint64_t ga, len;
};

struct queue {
	_Atomic int fd;
	struct hsl_queue_create c;
	uint32_t tail;
};

static struct {
	_Atomic int ctx[NCTX], file[NFILE];
	struct queue queue[NQUEUE];
	struct seg seg[NSEG];
	atomic_uint next_seg, next_file, next_queue;
} st;

static uint8_t *arena;
static unsigned int first_fd;
static uint32_t nchips = 2;
static glob_t attributes;

/* ---- bytes ---- */

struct in {
	const uint8_t *p;
	size_t len;
	bool say, dry;
};

static uint8_t byte(struct in *in)
{
	if (!in->len)
		return 0;
	in->len--;
	return *in->p++;
}

static uint64_t word(struct in *in)
{
	uint64_t v = 0;

	for (unsigned int i = 0; i < 8; i++)
		v = v << 8 | byte(in);
	return v;
}

/* What breaks things: the ends of each width, powers of two and their neighbours, noise. */
static uint64_t odd(struct in *in)
{
	uint8_t b = byte(in);

	switch (b >> 6) {
	case 0: return 1ull << (b & 63);
	case 1: return (1ull << (b & 63)) - 1;
	case 2: return ~0ull << (b & 63);
	default: return word(in);
	}
}

__attribute__((format(printf, 2, 3)))
static void say(const struct in *in, const char *fmt, ...)
{
	va_list ap;

	if (!in->say)
		return;
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
}

/* ---- slots ---- */

static struct seg *a_seg(struct in *in)
{
	return &st.seg[byte(in) % NSEG];
}

static struct queue *a_queue(struct in *in)
{
	return &st.queue[byte(in) % NQUEUE];
}

static _Atomic int *a_file(struct in *in)
{
	uint8_t b = byte(in);

	switch (b >> 5) {
	case 0: return &st.ctx[b % NCTX];
	case 1: return &st.queue[b % NQUEUE].fd;
	default: return &st.file[b % NFILE];
	}
}

static void keep_file(int fd)
{
	int old;

	if (fd < 0)
		return;
	old = atomic_exchange(&st.file[atomic_fetch_add(&st.next_file, 1) % NFILE], fd);
	if (old >= 0)
		close(old);
}

static void shut(_Atomic int *slot)
{
	int fd = atomic_exchange(slot, -1);

	if (fd >= 0)
		close(fd);
}

static uint8_t *place(unsigned int i)
{
	return arena + i * PLACE;
}

static uint8_t *rings_of(const struct queue *q)
{
	return place(NPLACE + 2 * (unsigned int)(q - st.queue));
}

static volatile uint32_t *doorbell_of(const struct queue *q)
{
	return (void *)place(NPLACE + 2 * (unsigned int)(q - st.queue) + 1);
}

static void wipe(void *at, uint64_t len)
{
	if (mmap(at, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) == MAP_FAILED)
		_exit(4);
}

/* What may fault, each by itself: a fault comes back by longjmp(). */
__attribute__((noinline))
static bool put(void *to, const void *from, size_t len)
{
	return RAW_TRY(memcpy(to, from, len));
}

__attribute__((noinline))
static bool put32(volatile uint32_t *to, uint32_t v)
{
	return RAW_TRY(*to = v);
}

__attribute__((noinline))
static bool get64(const volatile uint64_t *from)
{
	return RAW_TRY((void)*from);
}

static uint64_t a_len(struct in *in)
{
	uint8_t b = byte(in);

	if (b < 0xc0)
		return (1 + b % 16) * PAGE;
	return b < 0xf0 ? 1 + b * 64ull : odd(in);
}

/* Somewhere in the arena: a page of a place, at times a byte in it. */
static void *an_address(struct in *in)
{
	uint8_t b = byte(in), at = byte(in);

	return place(b % NPLACE) + (at & 15) * PAGE + (at & 0x80 ? byte(in) : 0);
}

static uint64_t a_ga(struct in *in)
{
	const struct seg *s = a_seg(in);
	uint8_t b = byte(in);

	switch (b >> 5) {
	case 0: return odd(in);
	case 1: return s->ga + s->len - (b & 31);
	case 2: return s->ga + (uint64_t)b * PAGE;
	default: return s->ga + (b & 31) * 8;
	}
}

/* ---- ioctls ---- */

enum kind { END, SIZE, FLAGS, NODE, INDEX, RIGHTS, LEN, ALIGN, HANDLE, FD, ADDRESS, DEPTH, ZERO, ANY, VERSION };
enum keep { NOTHING, SEGMENT, FREED, FILE_OF, QUEUE };

#define F(s, member, kind)	{ #member, offsetof(struct s, member), sizeof(((struct s *)0)->member), kind }

static const struct call {
	const char *name;
	unsigned int nr;
	uint16_t size;
	bool queue;
	uint8_t keep;
	uint32_t flags;		/* all that are known */
	struct {
		const char *name;
		uint16_t at;
		uint8_t size, kind;
	} field[9];
} calls[] = {
	{ "INFO", HSL_IOC_INFO, sizeof(struct hsl_info), .field = {
		F(hsl_info, size, SIZE), F(hsl_info, flags, FLAGS), F(hsl_info, abi_version, VERSION) } },
	{ "CHIP_INFO", HSL_IOC_CHIP_INFO, sizeof(struct hsl_chip_info), .flags = HSL_CHIP_BY_INDEX, .field = {
		F(hsl_chip_info, size, SIZE), F(hsl_chip_info, flags, FLAGS), F(hsl_chip_info, node, NODE) } },
	{ "LINK_INFO", HSL_IOC_LINK_INFO, sizeof(struct hsl_link_info), .field = {
		F(hsl_link_info, size, SIZE), F(hsl_link_info, flags, FLAGS), F(hsl_link_info, node, NODE),
		F(hsl_link_info, index, INDEX) } },
	{ "SEGMENT_ALLOC", HSL_IOC_SEGMENT_ALLOC, sizeof(struct hsl_segment_alloc), .keep = SEGMENT,
	  .flags = HSL_ALLOC_OBSERVABLE | HSL_ALLOC_NONCOHERENT, .field = {
		F(hsl_segment_alloc, size, SIZE), F(hsl_segment_alloc, flags, FLAGS), F(hsl_segment_alloc, node, NODE),
		F(hsl_segment_alloc, rights, RIGHTS), F(hsl_segment_alloc, len_bytes, LEN),
		F(hsl_segment_alloc, align_bytes, ALIGN), F(hsl_segment_alloc, rsvd, ZERO) } },
	{ "SEGMENT_REGISTER", HSL_IOC_SEGMENT_REGISTER, sizeof(struct hsl_segment_register), .keep = SEGMENT, .field = {
		F(hsl_segment_register, size, SIZE), F(hsl_segment_register, flags, FLAGS),
		F(hsl_segment_register, rights, RIGHTS), F(hsl_segment_register, addr, ADDRESS),
		F(hsl_segment_register, len_bytes, LEN) } },
	{ "SEGMENT_FREE", HSL_IOC_SEGMENT_FREE, sizeof(struct hsl_segment_free), .keep = FREED, .field = {
		F(hsl_segment_free, size, SIZE), F(hsl_segment_free, flags, FLAGS), F(hsl_segment_free, handle, HANDLE),
		F(hsl_segment_free, rsvd, ZERO) } },
	{ "SEGMENT_INFO", HSL_IOC_SEGMENT_INFO, sizeof(struct hsl_segment_info), .field = {
		F(hsl_segment_info, size, SIZE), F(hsl_segment_info, flags, FLAGS), F(hsl_segment_info, handle, HANDLE) } },
	{ "SEGMENT_EXPORT", HSL_IOC_SEGMENT_EXPORT, sizeof(struct hsl_segment_export), .keep = FILE_OF,
	  .flags = HSL_EXPORT_DMABUF, .field = {
		F(hsl_segment_export, size, SIZE), F(hsl_segment_export, flags, FLAGS),
		F(hsl_segment_export, handle, HANDLE), F(hsl_segment_export, rights, RIGHTS),
		F(hsl_segment_export, rsvd, ZERO) } },
	{ "SEGMENT_IMPORT", HSL_IOC_SEGMENT_IMPORT, sizeof(struct hsl_segment_import), .keep = SEGMENT, .field = {
		F(hsl_segment_import, size, SIZE), F(hsl_segment_import, flags, FLAGS), F(hsl_segment_import, fd, FD),
		F(hsl_segment_import, rights, RIGHTS), F(hsl_segment_import, rsvd, ZERO) } },
	{ "SEGMENT_REVOKE", HSL_IOC_SEGMENT_REVOKE, sizeof(struct hsl_segment_revoke), .field = {
		F(hsl_segment_revoke, size, SIZE), F(hsl_segment_revoke, flags, FLAGS),
		F(hsl_segment_revoke, handle, HANDLE), F(hsl_segment_revoke, rsvd, ZERO) } },
	{ "QUEUE_CREATE", HSL_IOC_QUEUE_CREATE, sizeof(struct hsl_queue_create), .keep = QUEUE, .flags = HSL_QUEUE_SHADOW,
	  .field = {
		F(hsl_queue_create, size, SIZE), F(hsl_queue_create, flags, FLAGS), F(hsl_queue_create, node, NODE),
		F(hsl_queue_create, depth, DEPTH), F(hsl_queue_create, rsvd, ZERO), F(hsl_queue_create, rsvd1, ZERO) } },
	{ "QUEUE_KICK", HSL_IOC_QUEUE_KICK, sizeof(struct hsl_queue_kick), true, .flags = HSL_KICK_ARM, .field = {
		F(hsl_queue_kick, size, SIZE), F(hsl_queue_kick, flags, FLAGS), F(hsl_queue_kick, sq_tail, ANY),
		F(hsl_queue_kick, cq_head, ANY) } },
	{ "QUEUE_EVENTFD", HSL_IOC_QUEUE_EVENTFD, sizeof(struct hsl_queue_eventfd), true, .field = {
		F(hsl_queue_eventfd, size, SIZE), F(hsl_queue_eventfd, flags, FLAGS), F(hsl_queue_eventfd, fd, FD),
		F(hsl_queue_eventfd, rsvd, ZERO) } },
	{ "QUEUE_INFO", HSL_IOC_QUEUE_INFO, sizeof(struct hsl_queue_info), true, .field = {
		F(hsl_queue_info, size, SIZE), F(hsl_queue_info, flags, FLAGS), F(hsl_queue_info, rsvd, ZERO) } },
	{ "QUEUE_ABORT", HSL_IOC_QUEUE_ABORT, sizeof(struct hsl_queue_abort), true, .field = {
		F(hsl_queue_abort, size, SIZE), F(hsl_queue_abort, flags, FLAGS) } },
	{ "none", HSL_IO(0x7f), 8, .field = { { "size", 0, 4, SIZE } } },
};
#define NCALLS	(sizeof(calls) / sizeof(calls[0]))

/* One byte says whether it is what makes sense, and picks it. */
static uint64_t value(struct in *in, const struct call *c, enum kind kind)
{
	uint8_t b = byte(in);

	if (b >= 0xf4)
		return odd(in);
	switch (kind) {
	case SIZE: return b < 0xe0 ? c->size : b < 0xe8 ? c->size - 4u : b < 0xec ? c->size + 8u : b * 17u;
	case FLAGS: return b & c->flags;
	case NODE: return b < 0xe0 ? 1 + b % nchips : b % NNODES;
	case INDEX: return b % 8;
	case RIGHTS: return b < 0xc0 ? RAW_RW : b & 3;
	case LEN: return a_len(in);
	case ALIGN: return b < 0xc0 ? 0 : PAGE << b % 20;
	case HANDLE: return st.seg[b % NSEG].handle;
	case FD: return (uint64_t)(int64_t)*a_file(in);
	case ADDRESS: return (uintptr_t)an_address(in);
	case DEPTH: return b < 0xe0 ? 2u << b % 9 : b;
	case ANY: return b;
	case VERSION: return HSL_ABI_VERSION ^ (b < 0xe0 ? 0 : b << 8);
	default: return 0;
	}
}

static void map_queue(struct queue *q)
{
	int fd = q->fd;

	if (q->c.ring_bytes <= PLACE)
		mmap(rings_of(q), q->c.ring_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, HSL_QUEUE_MMAP_RINGS);
	if (q->c.doorbell_bytes && q->c.doorbell_bytes <= PLACE)
		mmap((void *)(uintptr_t)doorbell_of(q), q->c.doorbell_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd,
		     HSL_QUEUE_MMAP_DOORBELL);
}

static void keep(const struct call *c, uint32_t ctx, const void *arg)
{
	struct seg s = { .ctx = ctx };
	struct queue *q;

	switch (c->keep) {
	case SEGMENT:
		if (c->nr == HSL_IOC_SEGMENT_ALLOC) {
			const struct hsl_segment_alloc *a = arg;

			s.handle = a->handle, s.ga = a->ga, s.len = a->len_bytes;
		} else if (c->nr == HSL_IOC_SEGMENT_REGISTER) {
			const struct hsl_segment_register *r = arg;

			s.handle = r->handle, s.ga = r->ga, s.len = r->len_bytes;
		} else {
			const struct hsl_segment_import *i = arg;

			s.handle = i->handle, s.ga = i->ga, s.len = i->len_bytes;
		}
		st.seg[atomic_fetch_add(&st.next_seg, 1) % NSEG] = s;
		break;
	case FILE_OF:
		keep_file(((const struct hsl_segment_export *)arg)->fd);
		break;
	case QUEUE:
		q = &st.queue[atomic_fetch_add(&st.next_queue, 1) % NQUEUE];
		shut(&q->fd);
		q->c = *(const struct hsl_queue_create *)arg;
		q->tail = 0;
		q->fd = q->c.fd;
		map_queue(q);
		break;
	}
}

static void an_ioctl(struct in *in)
{
	const struct call *c = &calls[byte(in) % NCALLS];
	uint8_t how = byte(in);
	uint64_t buf[PAGE / 8] = { 0 };	/* whatever size says, the driver takes no more */
	uint32_t slot = how % (c->queue ? NQUEUE : NCTX);
	int fd = how >= 0xf0 ? *a_file(in) : c->queue ? st.queue[slot].fd : st.ctx[slot], r;
	void *arg = buf;

	say(in, "ioctl %s %s%u", c->name, c->queue ? "queue " : "context ", slot);
	for (unsigned int i = 0; c->field[i].kind; i++) {
		uint64_t v = value(in, c, c->field[i].kind);

		memcpy((uint8_t *)buf + c->field[i].at, &v, c->field[i].size);
		say(in, " %s %#" PRIx64, c->field[i].name, v);
	}
	if (how >= 0xe0 && how < 0xf0) {	/* where it lies can be anything too */
		arg = an_address(in);
		say(in, " at %p", arg);
		if (!in->dry)
			put(arg, buf, c->size);
	}
	if (in->dry)
		return;
	r = raw_ioctl(fd, c->nr, arg);
	say(in, " = %d", r);
	if (!r && arg == buf)
		keep(c, slot, buf);
}

/* ---- the other calls ---- */

static void open_context(struct in *in)
{
	uint8_t b = byte(in);
	int fd;

	say(in, "open context %u", b % NCTX);
	if (in->dry)
		return;
	fd = raw_open(O_NONBLOCK);
	if (fd < 0)
		return;
	fd = atomic_exchange(&st.ctx[b % NCTX], fd);
	if (fd >= 0)
		close(fd);
}

static void close_file(struct in *in)
{
	_Atomic int *slot = a_file(in);

	say(in, "close %d", *slot);
	if (!in->dry)
		shut(slot);
}

static void duplicate(struct in *in)
{
	_Atomic int *slot = a_file(in);

	say(in, "dup %d", *slot);
	if (!in->dry)
		keep_file(dup(*slot));
}

static void new_file(struct in *in)
{
	uint8_t b = byte(in);

	say(in, b & 1 ? "eventfd" : "memfd");
	if (in->dry)
		return;
	if (b & 1) {
		keep_file(eventfd(b >> 1, EFD_NONBLOCK | EFD_CLOEXEC));
	} else {
		int fd = memfd_create("fuzz", MFD_CLOEXEC);

		(void)!ftruncate(fd, (b >> 1) * (off_t)PAGE);
		keep_file(fd);
	}
}

static void map(struct in *in)
{
	static const int prots[] = { PROT_READ | PROT_WRITE, PROT_READ | PROT_WRITE, PROT_READ, PROT_WRITE, PROT_NONE, PROT_EXEC | PROT_READ };
	uint8_t how = byte(in), b = byte(in);
	int flags = b >= 0xf0 ? MAP_PRIVATE : MAP_SHARED, fd, prot = prots[b % 6];
	uint64_t off, len;
	const struct seg *s;
	void *p;

	switch (how >> 6) {
	case 0:	/* a segment, whole or from some page on */
		s = a_seg(in);
		fd = st.ctx[s->ctx % NCTX];
		off = (how & 1 ? s->ga + (how & 30) * PAGE / 2 : s->ga) & ~(PAGE - 1);
		len = how & 32 ? a_len(in) : s->len ? s->len : PAGE;
		break;
	case 1:	/* memory of our own, to be registered */
		fd = -1;
		off = 0;
		flags |= MAP_ANONYMOUS;
		len = a_len(in);
		break;
	case 2:	/* areas of a queue, or what they are not */
		fd = a_queue(in)->fd;
		off = (how & 1 ? HSL_QUEUE_MMAP_DOORBELL : HSL_QUEUE_MMAP_RINGS) + (how & 2 ? byte(in) * PAGE : 0);
		len = a_len(in);
		break;
	default:
		fd = *a_file(in);
		off = (how & 1 ? a_ga(in) : 0) & ~(PAGE - 1);
		len = a_len(in);
		break;
	}
	len = len % PLACE ? len % PLACE : PLACE;
	p = place(byte(in) % NPLACE);
	say(in, "mmap place %u of %d at %#" PRIx64 ", %" PRIu64 " bytes, prot %d%s", (unsigned int)((uint8_t *)p - arena) / (unsigned int)PLACE,
	    fd, off, len, prot, flags & MAP_PRIVATE ? ", private" : "");
	if (in->dry)
		return;
	p = mmap(p, len, prot, flags | MAP_FIXED, fd, (off_t)off);
	say(in, " = %d", p == MAP_FAILED ? -errno : 0);
}

/* Of a part of a mapping, or more than it. */
static void remap(struct in *in)
{
	uint8_t how = byte(in);
	uint8_t *p = an_address(in);
	uint64_t len = (1 + byte(in) % 8) * PAGE;
	int r = 0;

	p = (uint8_t *)((uintptr_t)p & ~(PAGE - 1));
	say(in, "%s %p, %" PRIu64 " bytes", how % 8 == 0 ? "munmap" : how % 8 == 1 ? "mprotect" : how % 8 == 2 ? "mremap" : "madvise", p, len);
	if (in->dry)
		return;
	switch (how % 8) {
	case 0: wipe(p, len); break;
	case 1: r = mprotect(p, len, how >> 3 & 7); break;
	case 2:
		r = mremap(p, len, (1 + (how >> 3) % 8) * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, place(byte(in) % NPLACE)) == MAP_FAILED;
		if (!r)		/* nobody else may move in there */
			wipe(p, len);
		break;
	case 3: r = madvise(p, len, MADV_DONTFORK); break;
	case 4: r = madvise(p, len, MADV_DONTNEED); break;
	case 5: r = madvise(p, len, MADV_POPULATE_WRITE); break;
	case 6: r = mlock(p, len); break;
	default: r = madvise(p, len, MADV_REMOVE); break;
	}
	say(in, " = %d", r ? -errno : 0);
}

static void touch(struct in *in)
{
	uint8_t how = byte(in);
	uint64_t *p = an_address(in), v = how;
	bool ok;

	say(in, "%s %p", how & 1 ? "write" : "read", (void *)p);
	if (in->dry)
		return;
	ok = how & 1 ? put(p, &v, sizeof(v)) : get64(p);
	say(in, " %s", ok ? "" : "faults");
}

static void submit(struct in *in)
{
	struct queue *q = a_queue(in);
	uint8_t how = byte(in);
	struct hsl_desc d = {
		.opcode = how & 0x80 ? byte(in) : (how & 31) % (HSL_OP_COPY_LIST + 2), .subop = byte(in) & 0x1f,
		.flags = how & 0x40 ? byte(in) & HSL_DF_ALL : 0,
	};
	uint32_t depth = q->c.depth ? q->c.depth : 1;
	uint8_t *at = rings_of(q) + (q->c.sq_offset + (q->tail % depth) * sizeof(d)) % (PLACE - sizeof(d));

	d.dst = a_ga(in);
	d.src = a_ga(in);
	d.len = how & 0x20 ? a_len(in) : 8;
	d.arg0 = byte(in);
	/* a WAIT without an end holds what comes behind it: that is for revoke, free, abort and close to solve */
	d.arg1 = d.opcode == HSL_OP_WAIT ? byte(in) * 10000ull : d.opcode == HSL_OP_COPY2D ? HSL_PITCH(byte(in), byte(in)) : 0;
	say(in, "submit queue %u opcode %#x dst %#" PRIx64 " src %#" PRIx64 " len %" PRIu64, (unsigned int)(q - st.queue), d.opcode,
	    (uint64_t)d.dst, (uint64_t)d.src, (uint64_t)d.len);
	if (in->dry)
		return;
	put(at, &d, sizeof(d));
	put32(&doorbell_of(q)[HSL_DB_SQ_TAIL / 4], ++q->tail);
}

/* Anything at any place that a queue's owner can write. */
static void scribble(struct in *in)
{
	struct queue *q = a_queue(in);
	uint8_t how = byte(in);
	uint64_t at = byte(in) * 64 + (byte(in) & 63), v = odd(in);

	say(in, "scribble %s of queue %u, %#" PRIx64 " at %#" PRIx64, how & 1 ? "doorbell" : "rings", (unsigned int)(q - st.queue), v, at);
	if (in->dry)
		return;
	if (how & 1)
		put32(&doorbell_of(q)[(how & 2 ? at & 31 : at) / 4], (uint32_t)(how & 4 ? q->tail + v % 32 : v));
	else
		put32((void *)(rings_of(q) + (at & ~3ull)), (uint32_t)v);
}

static void wait_file(struct in *in)
{
	struct pollfd p = { .fd = *a_file(in), .events = POLLIN };
	uint8_t how = byte(in);
	char buf[256];
	ssize_t n = 0;
	int r;

	say(in, "poll %d", p.fd);
	if (in->dry)
		return;
	r = poll(&p, 1, how & 3);
	if (how & 4)	/* a context is O_NONBLOCK, a memfd and an eventfd do not wait either */
		n = read(p.fd, how & 8 ? an_address(in) : buf, how & 16 ? sizeof(buf) : how);
	say(in, " = %d, %#x; read %zd", r, (unsigned int)p.revents, n);
}

static void attribute(struct in *in)
{
	uint16_t b = (uint16_t)(byte(in) << 8 | byte(in));
	char buf[4096];
	int fd;

	if (!attributes.gl_pathc)
		return;
	say(in, "read %s", attributes.gl_pathv[b % attributes.gl_pathc]);
	if (in->dry)
		return;
	fd = open(attributes.gl_pathv[b % attributes.gl_pathc], O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return;
	(void)!read(fd, buf, sizeof(buf));
	close(fd);
}

static void one(struct in *in);

/* A child does some of the calls, and is killed in the middle of it, or ends by itself. */
static void fork_child(struct in *in)
{
	uint8_t how = byte(in), n = byte(in) % 24;
	struct in its = *in;
	pid_t pid, parent = getpid();

	if (n > in->len)
		n = (uint8_t)in->len;
	its.len = n;
	its.say = false;
	in->p += n;
	in->len -= n;
	say(in, "fork for %u bytes%s", n, how & 1 ? ", killed" : "");
	if (in->dry)
		return;
	pid = fork();
	if (!pid) {
		raw_die_with(parent);	/* it has all our files */
		while (its.len)
			one(&its);
		_exit(0);
	}
	if (pid < 0)
		return;
	if (how & 1) {
		raw_sleep_us(how * 8u);
		kill(pid, SIGKILL);
	}
	waitpid(pid, NULL, 0);
}

static void one(struct in *in)
{
	uint8_t b = byte(in);

	if (b < 112)
		an_ioctl(in);
	else if (b < 140)
		submit(in);
	else if (b < 160)
		scribble(in);
	else if (b < 184)
		map(in);
	else if (b < 200)
		touch(in);
	else if (b < 212)
		remap(in);
	else if (b < 224)
		wait_file(in);
	else if (b < 232)
		close_file(in);
	else if (b < 238)
		open_context(in);
	else if (b < 242)
		duplicate(in);
	else if (b < 247)
		new_file(in);
	else if (b < 252)
		attribute(in);
	else
		fork_child(in);
	say(in, "\n");
}

/* ---- programs ---- */

void prog_init(void)
{
	struct hsl_info info = { .size = sizeof(info), .abi_version = HSL_ABI_VERSION };
	int ctx = raw_open(0);

	if (ctx >= 0) {
		if (!raw_ioctl(ctx, HSL_IOC_INFO, &info) && info.nchips)
			nchips = info.nchips;
		close(ctx);
	}
	first_fd = (unsigned int)dup(0);
	close((int)first_fd);
	raw_catch_faults();
	/* all that driver and chips show; not the test facility, whose file holds chips */
	glob("/sys/kernel/debug/hsl/hsl*/state", 0, NULL, &attributes);
	glob("/sys/kernel/debug/hsl/hsl*/*/registers", GLOB_APPEND, NULL, &attributes);
	glob("/sys/class/hsl/hsl*/*", GLOB_APPEND, NULL, &attributes);
	glob("/sys/class/hwmon/hwmon*/*", GLOB_APPEND, NULL, &attributes);
	glob("/sys/bus/hsl/devices/*/*", GLOB_APPEND, NULL, &attributes);
	glob("/sys/bus/hsl/devices/*/*/*", GLOB_APPEND, NULL, &attributes);
	arena = mmap(NULL, (NPLACE + 2 * NQUEUE) * PLACE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (arena == MAP_FAILED)
		raw_bail("arena");
}

void prog_begin(void)
{
	memset(&st, 0, sizeof(st));
	for (unsigned int i = 0; i < NCTX; i++)
		st.ctx[i] = -1;
	for (unsigned int i = 0; i < NQUEUE; i++)
		st.queue[i].fd = -1;
	for (unsigned int i = 0; i < NFILE; i++)
		st.file[i] = -1;
	st.ctx[0] = raw_open(O_NONBLOCK);
}

unsigned int prog_run(const struct prog *p, bool say, bool dry)
{
	struct in in = { p->byte, p->len, say, dry };
	unsigned int n = 0;

	for (; in.len; n++)
		one(&in);
	return n;
}

void prog_end(void)
{
	/* also files that no slot has: of a call whose answer went into the arena */
	close_range(first_fd, ~0u, 0);
	wipe(arena, (NPLACE + 2 * NQUEUE) * PLACE);
}

uint64_t prog_rnd(struct prog_rng *r, uint64_t below)
{
	uint64_t z = raw_mix(r->state += UINT64_C(0x9e3779b97f4a7c15));

	return below ? z % below : z;
}

void prog_fresh(struct prog *p, struct prog_rng *r)
{
	p->len = 32 + (uint32_t)prog_rnd(r, PROG_MAX - 32);
	for (uint32_t i = 0; i < p->len; i++)
		p->byte[i] = (uint8_t)prog_rnd(r, 256);
}

/* Bytes [from, from + n) of q come to at, what stood there moves up. */
static void insert(struct prog *p, uint32_t at, const struct prog *q, uint32_t from, uint32_t n)
{
	struct prog old = *p;

	if (n > PROG_MAX - at)
		n = PROG_MAX - at;
	memcpy(p->byte + at, q->byte + from, n);
	p->len = old.len + n < PROG_MAX ? old.len + n : PROG_MAX;
	memcpy(p->byte + at + n, old.byte + at, p->len - at - n);
}

void prog_mutate(struct prog *p, const struct prog *q, struct prog_rng *r)
{
	for (unsigned int n = 1 + (unsigned int)prog_rnd(r, 4); n; n--) {
		uint32_t at = p->len ? (uint32_t)prog_rnd(r, p->len) : 0, len = (uint32_t)prog_rnd(r, 24), from;
		struct prog piece = { .len = len };

		switch (prog_rnd(r, 7)) {
		case 0:
		case 1:
			p->byte[at] = (uint8_t)prog_rnd(r, 256);
			break;
		case 2:
			p->byte[at] = (uint8_t)(p->byte[at] + prog_rnd(r, 7) - 3);
			break;
		case 3:	/* new calls */
			for (uint32_t i = 0; i < len; i++)
				piece.byte[i] = (uint8_t)prog_rnd(r, 256);
			insert(p, at, &piece, 0, len);
			break;
		case 4:	/* without some */
			len = len < p->len - at ? len : p->len - at;
			memmove(p->byte + at, p->byte + at + len, p->len - at - len);
			p->len -= len;
			break;
		default: /* a piece of another one */
			from = q->len ? (uint32_t)prog_rnd(r, q->len) : 0;
			len = (uint32_t)prog_rnd(r, q->len - from + 1);
			piece = *q;
			insert(p, at, &piece, from, len);
			break;
		}
	}
}

void prog_print(const struct prog *p)
{
	for (uint32_t i = 0; i < p->len; i++)
		printf("%02x", p->byte[i]);
	putchar('\n');
}

bool prog_parse(struct prog *p, const char *hex)
{
	unsigned int b;

	for (p->len = 0; isxdigit((unsigned char)hex[0]) && isxdigit((unsigned char)hex[1]) && p->len < PROG_MAX; hex += 2) {
		sscanf(hex, "%2x", &b);
		p->byte[p->len++] = (uint8_t)b;
	}
	return p->len && (!*hex || *hex == '\n');
}
