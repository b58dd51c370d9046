// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which ranges of a chip's memory are free: extents in two trees, by offset and by length.
 *
 * Best fit: the shortest free extent that holds the request, and among equals the lowest. Small requests so fill the holes
 * that small frees leave, and the large extents stay whole. Giving back joins neighbours at once, so what is free is always
 * in as few extents as possible, and an empty chip is one extent (HEP-MAP-009, HEP-MAP-023). Taking and giving are O(log n)
 * in the number of free extents, however many ranges are taken; a request with an alignment also passes over extents that
 * are long enough but lie wrong, which are shorter than length plus alignment.
 *
 * A bitmap (genalloc) costs a walk over all that is taken for each request: first fit on 10^4 live segments, or on 64 GiB of
 * small ones.
 *
 * An extent that is taken belongs to the caller, who gives the same one back: giving needs no memory and cannot fail.
 *
 * Locking: pool->lock, a leaf. Readers of pool->avail do without: it changes once per take and give, by what was asked for.
 */
#include "hsl_priv.h"

static void hsl_pool_insert(struct hsl_pool *pool, struct hsl_extent *e)
{
	struct rb_node **p = &pool->by_off.rb_node, *parent = NULL;

	while (*p) {
		parent = *p;
		p = e->off < rb_entry(parent, struct hsl_extent, by_off)->off ? &parent->rb_left : &parent->rb_right;
	}
	rb_link_node(&e->by_off, parent, p);
	rb_insert_color(&e->by_off, &pool->by_off);

	p = &pool->by_len.rb_node;
	parent = NULL;
	while (*p) {
		struct hsl_extent *o = rb_entry(*p, struct hsl_extent, by_len);

		parent = *p;
		p = e->len < o->len || (e->len == o->len && e->off < o->off) ? &parent->rb_left : &parent->rb_right;
	}
	rb_link_node(&e->by_len, parent, p);
	rb_insert_color(&e->by_len, &pool->by_len);
}

static void hsl_pool_remove(struct hsl_pool *pool, struct hsl_extent *e)
{
	rb_erase(&e->by_off, &pool->by_off);
	rb_erase(&e->by_len, &pool->by_len);
}

/* Is there room for [off, off + len) in e? */
static bool hsl_extent_holds(const struct hsl_extent *e, u64 off, u64 len)
{
	return off >= e->off && off - e->off <= e->len && len <= e->len - (off - e->off);
}

static struct hsl_extent *hsl_pool_find(struct hsl_pool *pool, u64 len, u64 align, u64 *off)
{
	struct rb_node *n = pool->by_len.rb_node, *first = NULL;

	while (n) {
		if (rb_entry(n, struct hsl_extent, by_len)->len >= len) {
			first = n;
			n = n->rb_left;
		} else {
			n = n->rb_right;
		}
	}
	for (n = first; n; n = rb_next(n)) {
		struct hsl_extent *e = rb_entry(n, struct hsl_extent, by_len);

		*off = ALIGN(e->off, align);
		if (hsl_extent_holds(e, *off, len))
			return e;
	}
	return NULL;
}

static struct hsl_extent *hsl_pool_find_at(struct hsl_pool *pool, u64 off, u64 len)
{
	struct rb_node *n = pool->by_off.rb_node;

	while (n) {
		struct hsl_extent *e = rb_entry(n, struct hsl_extent, by_off);

		if (off < e->off)
			n = n->rb_left;
		else if (off - e->off >= e->len)
			n = n->rb_right;
		else
			return hsl_extent_holds(e, off, len) ? e : NULL;
	}
	return NULL;
}

/*
 * len and align are multiples of the page size, align a power of two; with align 0 the range is the one at off.
 * ERR_PTR(-ENOSPC): there is no such room now.
 */
static struct hsl_extent *hsl_pool_take_range(struct hsl_pool *pool, u64 off, u64 len, u64 align)
{
	struct hsl_extent *e, *spare, *taken, *rest = NULL;

	taken = kzalloc(sizeof(*taken), GFP_KERNEL);
	spare = kzalloc(sizeof(*spare), GFP_KERNEL);
	if (!taken || !spare) {
		kfree(taken);
		kfree(spare);
		return ERR_PTR(-ENOMEM);
	}
	mutex_lock(&pool->lock);
	e = align ? hsl_pool_find(pool, len, align, &off) : hsl_pool_find_at(pool, off, len);
	if (!e) {
		mutex_unlock(&pool->lock);
		kfree(taken);
		kfree(spare);
		return ERR_PTR(-ENOSPC);
	}
	hsl_pool_remove(pool, e);
	taken->off = off;
	taken->len = len;
	if (off + len < e->off + e->len) {	/* what remains above; e is what remains below */
		rest = spare;
		spare = NULL;
		rest->off = off + len;
		rest->len = e->off + e->len - rest->off;
		hsl_pool_insert(pool, rest);
	}
	e->len = off - e->off;
	if (e->len) {
		hsl_pool_insert(pool, e);
		e = NULL;
	}
	WRITE_ONCE(pool->avail, pool->avail - len);
	mutex_unlock(&pool->lock);
	kfree(e);
	kfree(spare);
	return taken;
}

struct hsl_extent *hsl_pool_take(struct hsl_pool *pool, u64 len, u64 align)
{
	return hsl_pool_take_range(pool, 0, len, max_t(u64, align, PAGE_SIZE));
}

struct hsl_extent *hsl_pool_take_at(struct hsl_pool *pool, u64 off, u64 len)
{
	return hsl_pool_take_range(pool, off, len, 0);
}

/* Make e one with the free neighbour of node n, if they touch. */
static void hsl_pool_join(struct hsl_pool *pool, struct hsl_extent *e, struct rb_node *n)
{
	struct hsl_extent *o = n ? rb_entry(n, struct hsl_extent, by_off) : NULL;

	if (!o || (o->off + o->len != e->off && e->off + e->len != o->off))
		return;
	hsl_pool_remove(pool, o);
	hsl_pool_remove(pool, e);
	e->off = min(e->off, o->off);
	e->len += o->len;
	hsl_pool_insert(pool, e);
	kfree(o);
}

void hsl_pool_give(struct hsl_pool *pool, struct hsl_extent *e)
{
	mutex_lock(&pool->lock);
	WRITE_ONCE(pool->avail, pool->avail + e->len);
	hsl_pool_insert(pool, e);
	hsl_pool_join(pool, e, rb_prev(&e->by_off));
	hsl_pool_join(pool, e, rb_next(&e->by_off));
	mutex_unlock(&pool->lock);
}

u64 hsl_pool_avail(struct hsl_pool *pool)
{
	return READ_ONCE(pool->avail);
}

int hsl_pool_init(struct hsl_pool *pool, u64 len)
{
	struct hsl_extent *all = kzalloc(sizeof(*all), GFP_KERNEL);

	if (!all)
		return -ENOMEM;
	all->len = len;
	hsl_pool_give(pool, all);
	return 0;
}

/* Everything that was taken has been given back, or the pool was never filled. */
void hsl_pool_exit(struct hsl_pool *pool)
{
	struct hsl_extent *e, *tmp;

	rbtree_postorder_for_each_entry_safe(e, tmp, &pool->by_off, by_off)
		kfree(e);
}
