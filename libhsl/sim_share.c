// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Shared chip memory of the sim backend: export, import, revoke; the rules are those of include/uapi/linux/hsl.h.
 *
 *   sim_mem       chip memory, counted: by segments that give access to it and by exports that do; zeroed with the last
 *   sim_export    what an export file stands for. Its parent is the export its segment was imported from. It exists while
 *                 its file is open, a segment imported from it exists, or an export below it does.
 *
 * The file is one end of a socket pair and the other end is kept here: when the last copy of the file is closed, the kept
 * end hangs up. That is looked at where it matters: before memory is allocated and when somebody asks how much there is.
 *
 * Revoke marks every export made from the segment and every export below those, then ends what was imported from them: the
 * entry goes, with SEG_INVALIDATE, and where the segment was mapped there is a file with no bytes, so that access is
 * SIGBUS as with the driver. The handle stays until it is freed.
 *
 * Everything is under sim_fabric.lock. The list of exports is of the process, as a file may be another fabric's: under
 * exports_lock, a leaf.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sim.h"

struct sim_export {
	struct sim_export *next;	/* all of the process, youngest first; exports_lock */
	struct sim_fabric *fabric;
	struct sim_export *parent;	/* counted */
	struct sim_segment *from;	/* NULL when that was freed */
	struct sim_mem *mem;		/* counted while the file is open and nothing was revoked, else NULL */
	unsigned int refs;		/* file, imported segments, children */
	uint32_t rights;
	bool revoked;
	int peer;			/* kept end, -1 when the file is closed */
	dev_t dev;			/* of the file */
	ino_t ino;
};

static struct sim_export *exports;
static pthread_mutex_t exports_lock = PTHREAD_MUTEX_INITIALIZER;

void sim_share_before_fork(void)
{
	pthread_mutex_lock(&exports_lock);
}

void sim_share_after_fork(bool child)
{
	if (child)
		exports = NULL;
	pthread_mutex_unlock(&exports_lock);
}

/* ---- memory ---- */

struct sim_mem *sim_mem_new(struct sim_chip *c, uint64_t len, uint64_t align, uint32_t flags, int *err)
{
	struct sim_mem *m = calloc(1, sizeof(*m));

	*err = m ? sim_ranges_take(&c->free, len, align, &m->offset) : -ENOMEM;
	if (*err) {
		free(m);
		return NULL;
	}
	m->chip = c;
	m->len = len;
	m->flags = flags;
	m->refs = 1;
	return m;
}

void sim_mem_put(struct sim_mem *m)
{
	if (!m || --m->refs)
		return;
	/* lines that caches hold must not be written over the zeroes; a chip that does not answer has been detached */
	if (m->flags & HSL_ALLOC_OBSERVABLE)
		sim_admin(m->chip, &(struct hsl_desc){ .opcode = HSL_OP_FLUSH, .dst = HSL_GA(m->chip->node, m->offset),
						       .len = m->len });
	sim_chip_zero(m->chip, m->offset, m->len);
	sim_ranges_give(&m->chip->free, m->offset, m->len);
	free(m);
}

static struct sim_mem *mem_get(struct sim_mem *m)
{
	m->refs++;
	return m;
}

/* ---- exports ---- */

static void export_put(struct sim_export *e)
{
	while (e && !--e->refs) {
		struct sim_export *parent = e->parent, **p = &exports;

		pthread_mutex_lock(&exports_lock);
		while (*p != e)
			p = &(*p)->next;
		*p = e->next;
		pthread_mutex_unlock(&exports_lock);
		free(e);
		e = parent;
	}
}

static void export_close(struct sim_export *e)
{
	close(e->peer);
	e->peer = -1;
	sim_mem_put(e->mem);
	e->mem = NULL;
	export_put(e);
}

/* The youngest export of the fabric that is older than e; NULL: the youngest of all. */
static struct sim_export *next_of(struct sim_fabric *f, struct sim_export *e)
{
	pthread_mutex_lock(&exports_lock);
	e = e ? e->next : exports;
	while (e && e->fabric != f)
		e = e->next;
	pthread_mutex_unlock(&exports_lock);
	return e;
}

/* Files that were closed let go of their memory. all: those that are open too, as the fabric goes. */
void sim_exports_reap(struct sim_fabric *f, bool all)
{
	struct sim_export *e;

again:
	for (e = next_of(f, NULL); e; e = next_of(f, e)) {
		struct pollfd p = { .fd = e->peer };

		if (e->peer < 0 || (!all && (poll(&p, 1, 0) != 1 || !(p.revents & POLLHUP))))
			continue;
		/* takes e off the list, and its parents */
		export_close(e);
		goto again;
	}
}

int sim_segment_export(struct hslp_sim_context *x, struct hsl_segment_export *a)
{
	struct sim_segment *s = a->handle && a->handle < HSL_SEGS_MAX ? x->segs[a->handle] : NULL;
	struct sim_export *e;
	struct stat st;
	int fds[2], err;

	if (!a->rights || (a->rights & ~(HSL_SEGMENT_READ | HSL_SEGMENT_WRITE)))
		return -EINVAL;
	if (a->flags & HSL_EXPORT_DMABUF)
		return -EOPNOTSUPP;
	if (!s)
		return -ENOENT;
	if (!s->chip)
		return -EOPNOTSUPP;
	if (a->rights & ~s->rights)
		return -EACCES;
	if (!s->mem)
		return -ESTALE;
	e = calloc(1, sizeof(*e));
	if (!e)
		return -ENOMEM;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds)) {
		err = -errno;
		goto free_export;
	}
	if (fstat(fds[0], &st)) {
		err = -errno;
		goto close_pair;
	}
	e->fabric = x->fabric;
	e->from = s;
	e->rights = a->rights;
	e->mem = mem_get(s->mem);
	e->refs = 1;
	e->peer = fds[1];
	e->dev = st.st_dev;
	e->ino = st.st_ino;
	e->parent = s->via;
	if (e->parent)
		e->parent->refs++;
	pthread_mutex_lock(&exports_lock);
	e->next = exports;
	exports = e;
	pthread_mutex_unlock(&exports_lock);
	a->fd = fds[0];
	return 0;

close_pair:
	close(fds[0]);
	close(fds[1]);
free_export:
	free(e);
	return err;
}

/* NULL with -EINVAL or -EXDEV: what is another fabric's may go as soon as exports_lock is released. */
static struct sim_export *find(const struct sim_fabric *f, const struct stat *st, int *err)
{
	struct sim_export *e;

	pthread_mutex_lock(&exports_lock);
	e = exports;
	/* an inode number is used again when its file is gone; then peer has hung up, and the younger is found first */
	while (e && (e->dev != st->st_dev || e->ino != st->st_ino))
		e = e->next;
	*err = !e ? -EINVAL : e->fabric != f ? -EXDEV : 0;
	pthread_mutex_unlock(&exports_lock);
	return *err ? NULL : e;
}

static bool has_mem(const struct hslp_sim_context *x, const struct sim_mem *m)
{
	for (uint32_t h = 1; h < HSL_SEGS_MAX; h++)
		if (x->segs[h] && x->segs[h]->mem == m)
			return true;
	return false;
}

int sim_segment_import(struct hslp_sim_context *x, struct hsl_segment_import *i)
{
	struct sim_export *e;
	struct sim_segment *s;
	struct stat st;
	int err;

	if (i->rights & ~(HSL_SEGMENT_READ | HSL_SEGMENT_WRITE))
		return -EINVAL;
	if (fstat(i->fd, &st))
		return -EBADF;
	sim_exports_reap(x->fabric, false);
	e = find(x->fabric, &st, &err);
	if (!e)
		return err;
	if (i->rights & ~e->rights)
		return -EACCES;
	if (!e->mem)
		return e->revoked ? -ESTALE : -EINVAL;
	if (e->mem->chip->failed)
		return -ENODEV;
	if (has_mem(x, e->mem))
		return -EEXIST;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->node = e->mem->chip->node;
	s->chip = e->mem->chip;
	s->rights = i->rights ? i->rights : e->rights;
	s->flags = e->mem->flags;
	s->ga = HSL_GA(s->node, e->mem->offset);
	s->len_bytes = e->mem->len;
	err = sim_segment_publish(x, s, &i->handle);
	if (err) {
		free(s);
		return err;
	}
	s->mem = mem_get(e->mem);
	s->via = e;
	e->refs++;
	i->rights = s->rights;
	i->ga = s->ga;
	i->len_bytes = s->len_bytes;
	return 0;
}

/* The segment is being freed. */
void sim_share_leave(struct hslp_sim_context *x, struct sim_segment *s)
{
	for (struct sim_export *e = next_of(x->fabric, NULL); e; e = next_of(x->fabric, e))
		if (e->from == s)
			e->from = NULL;
	sim_mem_put(s->mem);
	export_put(s->via);
}

static void end_segment(struct hslp_sim_context *x, uint32_t handle)
{
	struct sim_segment *s = x->segs[handle];

	sim_segment_withdraw(x, handle);
	if (s->map) {
		int fd = memfd_create("hsl-revoked", MFD_CLOEXEC);

		/* no file to be had: SIGSEGV then, but the addresses stay the segment's until it is freed */
		if (fd < 0 || mmap(s->map, s->len_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED)
			mmap(s->map, s->len_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
		if (fd >= 0)
			close(fd);
	}
	sim_mem_put(s->mem);
	s->mem = NULL;
}

int sim_segment_revoke(struct hslp_sim_context *x, uint32_t handle)
{
	struct sim_segment *s = handle && handle < HSL_SEGS_MAX ? x->segs[handle] : NULL;
	struct sim_fabric *f = x->fabric;
	bool more = true;

	if (!s)
		return -ENOENT;
	while (more) {
		more = false;
		for (struct sim_export *e = next_of(f, NULL); e; e = next_of(f, e)) {
			if (e->revoked || (e->from != s && !(e->parent && e->parent->revoked)))
				continue;
			e->revoked = true;
			sim_mem_put(e->mem);
			e->mem = NULL;
			more = true;
		}
	}
	for (uint32_t i = 1; i < SIM_CONTEXTS; i++) {
		struct hslp_sim_context *c = f->contexts[i];

		for (uint32_t h = 1; c && h < HSL_SEGS_MAX; h++)
			if (c->segs[h] && c->segs[h]->mem && c->segs[h]->via && c->segs[h]->via->revoked)
				end_segment(c, h);
	}
	return 0;
}
