// SPDX-License-Identifier: MIT OR Apache-2.0
/* Address ranges of the sim backend: the allocator, and the set of what chips may reach in the process. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>

#include "sim.h"

/* ---- allocator ---- */

int sim_ranges_init(struct sim_ranges *a, uint64_t start, uint64_t len)
{
	*a = (struct sim_ranges){ .n = 1, .room = 16, .free_bytes = len };
	a->r = calloc(a->room, sizeof(*a->r));
	if (!a->r)
		return -ENOMEM;
	a->r[0] = (struct sim_free_range){ start, len };
	return 0;
}

void sim_ranges_fini(struct sim_ranges *a)
{
	free(a->r);
	a->r = NULL;
}

static void insert_at(struct sim_ranges *a, size_t i, uint64_t start, uint64_t len)
{
	memmove(&a->r[i + 1], &a->r[i], (a->n - i) * sizeof(*a->r));
	a->r[i] = (struct sim_free_range){ start, len };
	a->n++;
}

static void remove_at(struct sim_ranges *a, size_t i)
{
	a->n--;
	memmove(&a->r[i], &a->r[i + 1], (a->n - i) * sizeof(*a->r));
}

int sim_ranges_take(struct sim_ranges *a, uint64_t len, uint64_t align, uint64_t *start)
{
	/* with taken + 1 ranges given out there are at most taken + 2 free ones between and around them */
	if (a->taken + 2 > a->room) {
		size_t room = a->room * 2;
		struct sim_free_range *r = realloc(a->r, room * sizeof(*r));

		if (!r)
			return -ENOMEM;
		a->r = r;
		a->room = room;
	}
	for (size_t i = 0; i < a->n; i++) {
		struct sim_free_range f = a->r[i];
		uint64_t skip = -f.start & (align - 1);

		if (skip > f.len || len > f.len - skip)
			continue;
		*start = f.start + skip;
		remove_at(a, i);
		if (f.len - skip > len)
			insert_at(a, i, *start + len, f.len - skip - len);
		if (skip)
			insert_at(a, i, f.start, skip);
		a->taken++;
		a->free_bytes -= len;
		return 0;
	}
	return -ENOSPC;
}

void sim_ranges_give(struct sim_ranges *a, uint64_t start, uint64_t len)
{
	size_t i = 0;

	a->taken--;
	a->free_bytes += len;
	while (i < a->n && a->r[i].start < start)
		i++;
	/* join with the one after, then with the one before */
	if (i < a->n && start + len == a->r[i].start) {
		len += a->r[i].len;
		remove_at(a, i);
	}
	if (i > 0 && a->r[i - 1].start + a->r[i - 1].len == start)
		a->r[i - 1].len += len;
	else
		insert_at(a, i, start, len);
}

/* ---- iova set ---- */

int sim_iova_init(struct sim_iova_set *s)
{
	pthread_rwlockattr_t attr;
	int err;

	*s = (struct sim_iova_set){ 0 };
	err = pthread_rwlockattr_init(&attr);
	if (err)
		return -err;
	/* workers look things up all the time: a registration must get its turn */
	pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	err = pthread_rwlock_init(&s->lock, &attr);
	pthread_rwlockattr_destroy(&attr);
	return -err;
}

void sim_iova_fini(struct sim_iova_set *s)
{
	pthread_rwlock_destroy(&s->lock);
	free(s->r);
}

/* Number of ranges that start at or before iova. */
static size_t upper_bound(const struct sim_iova_set *s, uint64_t iova)
{
	size_t lo = 0, hi = s->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (s->r[mid].start <= iova)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static void renew_max_end(struct sim_iova_set *s, size_t from)
{
	for (size_t i = from; i < s->n; i++) {
		uint64_t before = i ? s->r[i - 1].max_end : 0;

		s->r[i].max_end = s->r[i].end > before ? s->r[i].end : before;
	}
}

int sim_iova_add(struct sim_iova_set *s, const void *mem, uint64_t len, bool write)
{
	struct sim_iova e = { .start = (uintptr_t)mem, .end = (uintptr_t)mem + len, .write = write };
	int err = 0;
	size_t i;

	pthread_rwlock_wrlock(&s->lock);
	if (s->n == s->room) {
		size_t room = s->room ? s->room * 2 : 64;
		struct sim_iova *r = realloc(s->r, room * sizeof(*r));

		if (!r) {
			err = -ENOMEM;
			goto unlock;
		}
		s->r = r;
		s->room = room;
	}
	i = upper_bound(s, e.start);
	memmove(&s->r[i + 1], &s->r[i], (s->n - i) * sizeof(*s->r));
	s->r[i] = e;
	s->n++;
	renew_max_end(s, i);
unlock:
	pthread_rwlock_unlock(&s->lock);
	return err;
}

void sim_iova_remove(struct sim_iova_set *s, const void *mem, uint64_t len, bool write)
{
	uint64_t start = (uintptr_t)mem;

	pthread_rwlock_wrlock(&s->lock);
	for (size_t i = upper_bound(s, start); i-- > 0 && s->r[i].start == start;) {
		if (s->r[i].end != start + len || s->r[i].write != write)
			continue;
		s->n--;
		memmove(&s->r[i], &s->r[i + 1], (s->n - i) * sizeof(*s->r));
		renew_max_end(s, i);
		break;
	}
	pthread_rwlock_unlock(&s->lock);
}

uint64_t sim_iova_check(struct sim_iova_set *s, uint64_t iova, uint64_t len, bool write)
{
	uint64_t found = 0;

	pthread_rwlock_rdlock(&s->lock);
	for (size_t i = upper_bound(s, iova); i-- > 0 && s->r[i].max_end > iova;) {
		if (s->r[i].end > iova && (s->r[i].write || !write)) {
			found = s->r[i].end - iova;
			break;
		}
	}
	pthread_rwlock_unlock(&s->lock);
	return found < len ? found : len;
}
