// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Segments: chip memory and registered host memory, as handles of the context.
 *
 * A segment object lives from alloc or register to free, or to the close of its fabric. Its fields never change but
 * the mapping, which the first hsl_segment_map makes and free removes.
 */
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "priv.h"

/* Under fabric->lock. */
static void unmap(struct hsl_segment *s)
{
	if (s->map)
		hslp_window_unmap(s, hslp_round_up(s->len_bytes, s->fabric->info.page_size));
	s->map = NULL;
}

static int read_opts(const struct hsl_segment_opts *opts, struct hsl_segment_opts *o)
{
	int err;

	*o = (struct hsl_segment_opts){ 0 };
	if (opts) {
		err = hslp_opts_in(o, sizeof(*o), offsetof(struct hsl_segment_opts, ga), opts);
		if (err)
			return err;
	}
	if ((o->flags & ~(HSL_SEGMENT_OBSERVABLE | HSL_SEGMENT_NONCOHERENT)) || (o->rights & ~HSL_RIGHT_RW))
		return -EINVAL;
	if (!o->rights)
		o->rights = HSL_RIGHT_RW;
	return 0;
}

static void link_segment(struct hsl_segment *s)
{
	struct hsl_fabric *f = s->fabric;

	pthread_mutex_lock(&f->lock);
	s->next = f->segments;
	if (s->next)
		s->next->prev = s;
	f->segments = s;
	pthread_mutex_unlock(&f->lock);
}

static void unlink_segment(struct hsl_segment *s)
{
	struct hsl_fabric *f = s->fabric;

	pthread_mutex_lock(&f->lock);
	if (s->prev)
		s->prev->next = s->next;
	else
		f->segments = s->next;
	if (s->next)
		s->next->prev = s->prev;
	pthread_mutex_unlock(&f->lock);
}

int hsl_segment_alloc(struct hsl_fabric *f, uint32_t node, uint64_t len_bytes,
		      const struct hsl_segment_opts *opts, struct hsl_segment **out)
{
	struct hsl_segment_alloc a = { .size = sizeof(a), .node = node, .len_bytes = len_bytes };
	struct hsl_segment_opts o;
	struct hsl_segment *s;
	int err;

	if (!f || !out)
		return -EINVAL;
	err = read_opts(opts, &o);
	if (err)
		return err;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	a.flags = o.flags;
	a.rights = o.rights;
	a.align_bytes = o.align_bytes;
	a.ga = o.ga;
	err = f->ops->segment_alloc(f, &a);
	if (err) {
		free(s);
		return err;
	}
	s->fabric = f;
	s->ga = a.ga;
	s->len_bytes = a.len_bytes;
	s->handle = a.handle;
	s->rights = o.rights;
	s->flags = o.flags;
	link_segment(s);
	*out = s;
	return 0;
}

int hsl_segment_register(struct hsl_fabric *f, void *addr, uint64_t len_bytes,
			 const struct hsl_segment_opts *opts, struct hsl_segment **out)
{
	struct hsl_segment_register r = { .size = sizeof(r), .addr = (uintptr_t)addr, .len_bytes = len_bytes };
	struct hsl_segment_opts o;
	struct hsl_segment *s;
	int err;

	if (!f || !out)
		return -EINVAL;
	err = read_opts(opts, &o);
	if (err)
		return err;
	/* the memory is where it is, and what it is */
	if (o.align_bytes || o.flags || o.ga)
		return -EINVAL;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	r.rights = o.rights;
	err = f->ops->segment_register(f, &r);
	if (err) {
		free(s);
		return err;
	}
	s->fabric = f;
	s->ga = r.ga;
	s->len_bytes = len_bytes;
	s->handle = r.handle;
	s->rights = o.rights;
	s->host = addr;
	link_segment(s);
	*out = s;
	return 0;
}

int hsl_segment_free(struct hsl_segment *s)
{
	struct hsl_fabric *f;
	bool windowed;
	int err;

	if (!s)
		return 0;
	f = s->fabric;
	/*
	 * The lock: who allocates the memory next must not map it into the window before this mapping is out of it.
	 * acquire: partner of evict in window.c
	 */
	windowed = __atomic_load_n(&s->window, __ATOMIC_ACQUIRE);
	if (windowed)
		pthread_mutex_lock(&f->lock);
	err = f->ops->segment_free(f, s->handle);
	/* a fabric that is gone has taken its segments with it; only the object is left to free */
	if (!err || err == -ENODEV)
		unmap(s);
	if (windowed)
		pthread_mutex_unlock(&f->lock);
	if (err && err != -ENODEV) {
		hslp_warn("segment %u stays: free failed with %d", s->handle, err);
		return err;
	}
	unlink_segment(s);
	free(s);
	return 0;
}

int hsl_segment_export(struct hsl_segment *s, uint32_t rights, uint32_t flags, int *fd)
{
	struct hsl_segment_export e = { .size = sizeof(e), .flags = flags };
	int err;

	if (!s || !fd || (flags & ~HSL_EXPORT_F_DMABUF))
		return -EINVAL;
	e.handle = s->handle;
	e.rights = rights ? rights : s->rights;
	err = s->fabric->ops->segment_export(s->fabric, &e);
	if (!err)
		*fd = e.fd;
	return err;
}

/* What the memory of an imported segment was allocated with. */
static int read_flags(struct hsl_segment *s)
{
	struct hsl_segment_info i = { .size = sizeof(i), .handle = s->handle };
	int err = s->fabric->ops->segment_info(s->fabric, &i);

	if (!err && (i.flags & HSL_SEGMENT_F_OBSERVABLE))
		s->flags |= HSL_SEGMENT_OBSERVABLE;
	if (!err && (i.flags & HSL_SEGMENT_F_NONCOHERENT))
		s->flags |= HSL_SEGMENT_NONCOHERENT;
	return err;
}

int hsl_segment_import(struct hsl_fabric *f, int fd, uint32_t rights, struct hsl_segment **out)
{
	struct hsl_segment_import i = { .size = sizeof(i), .fd = fd, .rights = rights };
	struct hsl_segment *s;
	int err;

	if (!f || !out)
		return -EINVAL;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	err = f->ops->segment_import(f, &i);
	if (err) {
		free(s);
		return err;
	}
	s->fabric = f;
	s->ga = i.ga;
	s->len_bytes = i.len_bytes;
	s->handle = i.handle;
	s->rights = i.rights;
	err = read_flags(s);
	if (err) {
		f->ops->segment_free(f, s->handle);
		free(s);
		return err;
	}
	link_segment(s);
	*out = s;
	return 0;
}

int hsl_segment_revoke(struct hsl_segment *s)
{
	return s ? s->fabric->ops->segment_revoke(s->fabric, s->handle) : -EINVAL;
}

uint32_t hsl_segment_rights(const struct hsl_segment *s)
{
	return s->rights;
}

uint32_t hsl_segment_flags(const struct hsl_segment *s)
{
	return s->flags;
}

uint64_t hsl_segment_ga(const struct hsl_segment *s)
{
	return s->ga;
}

uint64_t hsl_segment_len(const struct hsl_segment *s)
{
	return s->len_bytes;
}

uint32_t hsl_segment_handle(const struct hsl_segment *s)
{
	return s->handle;
}

int hsl_segment_map(struct hsl_segment *s, void **ptr)
{
	struct hsl_fabric *f;
	int err = 0;

	if (!s || !ptr)
		return -EINVAL;
	if (s->host) {
		*ptr = s->host;
		return 0;
	}
	/* CPUs cannot map memory for writing only (HEP-API-001: the same on both backends) */
	if (!(s->rights & HSL_RIGHT_READ))
		return -EACCES;
	f = s->fabric;
	/* held over the mmap: two callers must get one mapping */
	pthread_mutex_lock(&f->lock);
	if (!s->map) {
		int prot = PROT_READ | (s->rights & HSL_RIGHT_WRITE ? PROT_WRITE : 0);

		err = hslp_window_map(s, prot);
	}
	if (!err)
		*ptr = s->map;
	pthread_mutex_unlock(&f->lock);
	return err;
}

void hslp_segment_free_all(struct hsl_fabric *f)
{
	/* nobody else uses the fabric now: no lock */
	while (f->segments) {
		struct hsl_segment *s = f->segments;

		if (!hsl_segment_free(s))
			continue;
		/* closing the context frees what could not be freed one by one */
		unlink_segment(s);
		unmap(s);
		free(s);
	}
}
