// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Node windows: where segments are mapped.
 *
 * A window reserves addresses, without access, for all memory of a chip. A segment mapped while it is open lies at base +
 * offset, and what is unmapped becomes reservation again: the range never has a hole that another mmap could take. What
 * lives where is changed under fabric->lock only.
 */
#include <stdlib.h>
#include <sys/mman.h>

#include "priv.h"

/* so that large pages fit wherever they fit in the chip */
#define WINDOW_ALIGN	(1ull << 30)

static struct hslp_window *find(struct hsl_fabric *f, uint32_t node)
{
	struct hslp_window *w = f->windows;

	while (w && w->node != node)
		w = w->next;
	return w;
}

/*
 * A segment that was revoked keeps its place until it is freed, though its memory may belong to another one by now, at the
 * same GA. Who is mapped there takes the place from it.
 */
static void evict(struct hsl_fabric *f, const char *at, uint64_t len)
{
	for (struct hsl_segment *s = f->segments; s; s = s->next) {
		const char *map = s->map;

		if (!s->window || !map || map >= at + len || at >= map + s->len_bytes)
			continue;
		s->window->mapped--;
		s->map = NULL;
		/* release: who frees it and sees no window sees no mapping either */
		__atomic_store_n(&s->window, NULL, __ATOMIC_RELEASE);
	}
}

/* Addresses only: nothing is committed. */
static void *reserve(void *at, size_t len)
{
	return mmap(at, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | (at ? MAP_FIXED : 0), -1, 0);
}

int hslp_window_map(struct hsl_segment *s, int prot)
{
	struct hsl_fabric *f = s->fabric;
	struct hslp_window *w = find(f, HSL_GA_NODE(s->ga));
	char *at = w ? w->base + HSL_GA_OFFSET(s->ga) : NULL;
	int err = f->ops->segment_map(f, s, prot, at, &s->map);

	if (!err && w) {
		void *map = s->map;

		s->map = NULL;
		evict(f, map, s->len_bytes);
		s->map = map;
		s->window = w;
		w->mapped++;
	}
	return err;
}

void hslp_window_unmap(struct hsl_segment *s, size_t len)
{
	if (!s->window) {
		munmap(s->map, len);
		return;
	}
	/* if even that fails the pages stay where they are, dead: nobody else can be mapped there */
	if (reserve(s->map, len) == MAP_FAILED)
		hslp_warn("window of node %u: reservation failed with %d", s->window->node, errno);
	s->window->mapped--;
}

static int window_new(struct hsl_fabric *f, uint32_t node, uint64_t len, struct hslp_window **out)
{
	struct hslp_window *w = calloc(1, sizeof(*w));
	uintptr_t start, base;

	if (!w)
		return -ENOMEM;
	if (len > SIZE_MAX - WINDOW_ALIGN)
		goto no_memory;
	w->base = reserve(NULL, len + WINDOW_ALIGN);
	if (w->base == MAP_FAILED)
		goto no_memory;
	/* cut what is before and behind the aligned range */
	start = (uintptr_t)w->base;
	base = (start + WINDOW_ALIGN - 1) & ~(uintptr_t)(WINDOW_ALIGN - 1);
	if (base != start)
		munmap((void *)start, base - start);
	munmap((void *)(base + len), start + WINDOW_ALIGN - base);
	w->base = (char *)base;
	w->node = node;
	w->len_bytes = len;
	w->next = f->windows;
	f->windows = w;
	*out = w;
	return 0;

no_memory:
	free(w);
	return -ENOMEM;
}

int hsl_window_open(struct hsl_fabric *f, uint32_t node, struct hsl_window *out)
{
	struct hsl_chip_info c = { .size = sizeof(c), .node = node };
	struct hsl_window p = { 0 };
	struct hslp_window *w = NULL;
	int err;

	if (!f || !out || out->size < sizeof(out->size))
		return -EINVAL;
	err = f->ops->chip_info(f, &c);
	if (err)
		return err;
	pthread_mutex_lock(&f->lock);
	if (find(f, node))
		err = -EBUSY;
	for (struct hsl_segment *s = f->segments; s && !err; s = s->next)
		if (s->map && HSL_GA_NODE(s->ga) == node)
			err = -EBUSY;
	if (!err)
		err = window_new(f, node, c.mem_bytes, &w);
	if (!err) {
		p.node = node;
		p.ga = HSL_GA(node, 0);
		p.len_bytes = w->len_bytes;
		p.base = w->base;
	}
	pthread_mutex_unlock(&f->lock);
	if (err)
		return err;
	err = hslp_props_out(out, &p, sizeof(p));
	if (err)
		hsl_window_close(f, node);
	return err;
}

int hsl_window_close(struct hsl_fabric *f, uint32_t node)
{
	struct hslp_window **p, *w;
	int err = -ENOENT;

	if (!f)
		return -EINVAL;
	pthread_mutex_lock(&f->lock);
	for (p = &f->windows; (w = *p) && w->node != node; p = &w->next)
		;
	if (w && w->mapped) {
		err = -EBUSY;
	} else if (w) {
		*p = w->next;
		munmap(w->base, w->len_bytes);
		free(w);
		err = 0;
	}
	pthread_mutex_unlock(&f->lock);
	return err;
}

void hslp_window_free_all(struct hsl_fabric *f)
{
	while (f->windows)
		hsl_window_close(f, f->windows->node);
}
