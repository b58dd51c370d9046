// SPDX-License-Identifier: GPL-2.0-only
/*
 * Segments: handles of a context for chip memory and for pinned host memory.
 *
 * Birth: memory first (allocated and zeroed, or pinned; outside ctx->lock), then a handle and an epoch, then entries on all
 * attached chips, then SEG_INVALIDATE on all of them, because a chip may have cached "invalid" (HEP-MAP-010).
 * Death: entries invalid on all attached chips, SEG_INVALIDATE issued to all and waited for, mappings zapped, DMA unmapped,
 * and only then is memory released: chip memory to be zeroed if no other share of it is left, host pages unpinned.
 * A revoke does the same and leaves the handle (share.c).
 *
 * Epochs count up per context and never repeat, so a cached grant for an earlier owner of a handle is worth nothing.
 *
 * Locking: ctx->lock from handle to invalidation; tree_lock for the look-up by GA, which mmap does under mmap_lock.
 */
#include <linux/log2.h>

#include "hsl_priv.h"
#include "trace.h"

static void hsl_segment_release(struct kref *kref)
{
	struct hsl_segment *seg = container_of(kref, struct hsl_segment, kref);

	if (seg->chip)
		hsl_chip_put(seg->chip);
	kfree(seg);
}

void hsl_segment_put(struct hsl_segment *seg)
{
	kref_put(&seg->kref, hsl_segment_release);
}

struct hsl_segment *hsl_segment_new(struct hsl_context *ctx, u32 rights)
{
	struct hsl_segment *seg;
	int err;

	err = hsl_user_charge(ctx->user, HSL_LIMIT_SEGMENTS, 1);
	if (err)
		return ERR_PTR(err);
	seg = kzalloc(sizeof(*seg), GFP_KERNEL_ACCOUNT);
	if (!seg) {
		hsl_user_uncharge(ctx->user, HSL_LIMIT_SEGMENTS, 1);
		return ERR_PTR(-ENOMEM);
	}
	kref_init(&seg->kref);
	INIT_LIST_HEAD(&seg->maps);
	INIT_LIST_HEAD(&seg->import_link);
	seg->ctx = ctx;
	RB_CLEAR_NODE(&seg->node);
	seg->rights = rights;
	seg->fabric = ctx->fabric;
	return seg;
}

/* The context has no handle of it any more, or never had. */
void hsl_segment_drop(struct hsl_segment *seg)
{
	hsl_user_uncharge(seg->ctx->user, HSL_LIMIT_SEGMENTS, 1);
	hsl_segment_put(seg);
}

/* ---- look-up of chip segments by GA; they never overlap ---- */

static void hsl_tree_insert(struct hsl_context *ctx, struct hsl_segment *seg)
{
	struct rb_node **p = &ctx->tree.rb_node, *parent = NULL;

	spin_lock(&ctx->tree_lock);
	while (*p) {
		struct hsl_segment *s = rb_entry(*p, struct hsl_segment, node);

		parent = *p;
		p = seg->ga < s->ga ? &parent->rb_left : &parent->rb_right;
	}
	rb_link_node(&seg->node, parent, p);
	rb_insert_color(&seg->node, &ctx->tree);
	spin_unlock(&ctx->tree_lock);
}

static void hsl_tree_remove(struct hsl_context *ctx, struct hsl_segment *seg)
{
	spin_lock(&ctx->tree_lock);
	if (!RB_EMPTY_NODE(&seg->node))
		rb_erase(&seg->node, &ctx->tree);
	RB_CLEAR_NODE(&seg->node);
	spin_unlock(&ctx->tree_lock);
}

/* The chip segment that holds ga, with a reference, or NULL. */
struct hsl_segment *hsl_segment_find(struct hsl_context *ctx, u64 ga)
{
	struct hsl_segment *found = NULL;
	struct rb_node *n;

	spin_lock(&ctx->tree_lock);
	n = ctx->tree.rb_node;
	while (n) {
		struct hsl_segment *s = rb_entry(n, struct hsl_segment, node);

		if (ga < s->ga) {
			n = n->rb_left;
		} else if (ga - s->ga >= s->len) {
			n = n->rb_right;
		} else {
			kref_get(&s->kref);
			found = s;
			break;
		}
	}
	spin_unlock(&ctx->tree_lock);
	return found;
}

/* ---- entries ---- */

/* SEG_INVALIDATE on all attached chips at once. A chip that is gone or failed has stopped, which is as good. */
static void hsl_segment_invalidate(struct hsl_context *ctx, u32 handle)
{
	struct hsl_attach *at;

	list_for_each_entry(at, &ctx->attachments, ctx_link) {
		memset(&at->inv.desc, 0, sizeof(at->inv.desc));
		at->inv.desc.opcode = HSL_OP_SEG_INVALIDATE;
		at->inv.desc.arg0 = cpu_to_le64(ctx->index);
		at->inv.desc.arg1 = cpu_to_le64(handle);
		at->inv_err = hsl_admin_submit(at->chip, &at->inv, 0);
	}
	list_for_each_entry(at, &ctx->attachments, ctx_link) {
		if (!at->inv_err)
			at->inv_err = hsl_admin_wait(at->chip, &at->inv);
		if (at->inv_err == -EAGAIN)
			at->inv_err = hsl_admin_exec(at->chip, &at->inv, 0);
		if (at->inv_err == -EIO)
			hsl_admin_distrust(at->chip);
	}
}

/* Take the segment out of all tables; afterwards no chip uses it. */
static void hsl_segment_retire(struct hsl_context *ctx, struct hsl_segment *seg)
{
	struct hsl_hostmap *map, *tmp;
	struct hsl_attach *at;

	list_for_each_entry(at, &ctx->attachments, ctx_link)
		hsl_attach_clear(at, seg->handle);
	hsl_segment_invalidate(ctx, seg->handle);
	list_for_each_entry_safe(map, tmp, &seg->maps, link)
		hsl_hostmap_destroy(seg, map);
	xa_erase(&ctx->segments, seg->handle);
}

/* Under ctx->lock, attached to the chip that has the memory. */
int hsl_segment_install(struct hsl_context *ctx, struct hsl_segment *seg)
{
	struct hsl_attach *at;
	int err;

	if (ctx->next_epoch == U32_MAX)
		return -ENOSPC;
	err = xa_alloc(&ctx->segments, &seg->handle, seg, XA_LIMIT(1, HSL_SEGS_MAX - 1), GFP_KERNEL_ACCOUNT);
	if (err)
		return err == -EBUSY ? -ENOSPC : err;
	seg->epoch = ++ctx->next_epoch;
	list_for_each_entry(at, &ctx->attachments, ctx_link) {
		err = hsl_attach_write(at, seg);
		if (err)
			goto retire;
	}
	hsl_segment_invalidate(ctx, seg->handle);
	list_for_each_entry(at, &ctx->attachments, ctx_link) {
		if (at->chip == seg->chip && at->inv_err) {
			err = -ENODEV;
			goto retire;
		}
	}
	if (seg->chip)
		hsl_tree_insert(ctx, seg);
	return 0;

retire:
	hsl_segment_retire(ctx, seg);
	return err;
}

/* Release what a retired segment holds. Takes mmap_lock (accounting): no ctx->lock. */
void hsl_segment_destroy(struct hsl_context *ctx, struct hsl_segment *seg)
{
	trace_hsl_segment(ctx->index, seg->handle, seg->ga, seg->len, "free");
	if (seg->chip) {
		hsl_tree_remove(ctx, seg);
		hsl_segment_zap(seg);
	}
	hsl_export_leave(seg);	/* after the zap: a revoke need not know a segment that gives no access */
	hsl_share_drop(seg);
	if (seg->host)
		hsl_host_unpin(ctx->fabric, seg->host);
	seg->host = NULL;
	hsl_segment_drop(seg);
}

/*
 * A revoke reaches this segment: as if freed, but for its handle. The caller has references on it and its context. If its
 * holder frees it at the same time, entries are invalid when ctx->lock is free, and the rest may be done twice.
 */
void hsl_segment_kill(struct hsl_segment *seg)
{
	struct hsl_context *ctx = seg->ctx;
	struct hsl_attach *at;

	mutex_lock(&ctx->lock);
	if (xa_load(&ctx->segments, seg->handle) == seg) {
		hsl_tree_remove(ctx, seg);
		WRITE_ONCE(seg->dead, true);
		list_for_each_entry(at, &ctx->attachments, ctx_link)
			hsl_attach_clear(at, seg->handle);
		hsl_segment_invalidate(ctx, seg->handle);
		trace_hsl_segment(ctx->index, seg->handle, seg->ga, seg->len, "revoked");
	}
	mutex_unlock(&ctx->lock);
	hsl_segment_zap(seg);
	hsl_share_drop(seg);
}

/*
 * A chip has left: its segments are dead. Their entries go from the other chips' tables too, and they are never written
 * again, because a chip that comes back with the same node id has the same addresses and other owners. Handles stay
 * until the user frees them. Under ctx->lock.
 */
void hsl_segment_orphan(struct hsl_context *ctx, struct hsl_chip *chip)
{
	struct hsl_segment *seg;
	struct hsl_attach *at;
	unsigned long handle;
	bool any = false;

	xa_for_each(&ctx->segments, handle, seg) {
		if (seg->chip != chip || seg->dead)
			continue;
		any = true;
		hsl_tree_remove(ctx, seg);
		WRITE_ONCE(seg->dead, true);
		list_for_each_entry(at, &ctx->attachments, ctx_link)
			hsl_attach_clear(at, handle);
	}
	if (!any)
		return;
	list_for_each_entry(at, &ctx->attachments, ctx_link)
		hsl_admin_ctx_invalidate(at->chip, ctx->index);
}

/* ---- ioctls ---- */

bool hsl_rights_valid(u32 rights)
{
	return rights && !(rights & ~(HSL_SEGMENT_READ | HSL_SEGMENT_WRITE));
}

static int hsl_segment_alloc_on(struct hsl_context *ctx, struct hsl_chip *chip, struct hsl_segment_alloc *a)
{
	struct hsl_segment *seg;
	struct hsl_attach *at;
	int err;

	if (a->flags && !(chip->cap & HSL_CAP_MODELLED))
		return -EOPNOTSUPP;
	if (a->len_bytes > chip->mem_bytes)
		return -ENOSPC;
	a->len_bytes = PAGE_ALIGN(a->len_bytes);
	seg = hsl_segment_new(ctx, a->rights);
	if (IS_ERR(seg))
		return PTR_ERR(seg);
	seg->chip = hsl_chip_get(chip);
	seg->mem = hsl_share_alloc(ctx, chip, a->len_bytes, a->align_bytes, a->flags);
	if (IS_ERR(seg->mem)) {
		err = PTR_ERR(seg->mem);
		goto put_segment;
	}
	seg->flags = a->flags;
	seg->len = a->len_bytes;
	seg->ga = HSL_GA(chip->node, seg->mem->off);

	err = -EINTR;
	if (mutex_lock_killable(&ctx->lock))
		goto free_mem;
	at = hsl_attach_get(ctx, chip);
	err = IS_ERR(at) ? PTR_ERR(at) : hsl_segment_install(ctx, seg);
	if (!err) {
		a->handle = seg->handle;
		a->ga = seg->ga;
		trace_hsl_segment(ctx->index, seg->handle, seg->ga, seg->len, "alloc");
	}
	mutex_unlock(&ctx->lock);
	if (!err)
		return 0;
free_mem:
	hsl_share_put(seg->mem);
put_segment:
	hsl_segment_drop(seg);
	return err;
}

int hsl_segment_alloc(struct hsl_context *ctx, struct hsl_segment_alloc *a)
{
	struct hsl_chip *chip;
	int err;

	if (a->rsvd || !hsl_rights_valid(a->rights) || !a->len_bytes || a->flags == HSL_ALLOC_NONCOHERENT)
		return -EINVAL;
	if (a->align_bytes && (!is_power_of_2(a->align_bytes) || a->align_bytes < PAGE_SIZE ||
			       a->align_bytes > (1ull << 30)))
		return -EINVAL;
	chip = hsl_fabric_chip(ctx->fabric, a->node);
	if (IS_ERR(chip))
		return PTR_ERR(chip);
	err = hsl_segment_alloc_on(ctx, chip, a);
	hsl_chip_put(chip);
	return err;
}

/* A segment of host memory; the caller keeps host on error. i->rights and i->len_bytes are right. */
int hsl_segment_import_host(struct hsl_context *ctx, struct hsl_host *host, struct hsl_segment_import *i)
{
	struct hsl_segment *seg = hsl_segment_new(ctx, i->rights);
	int err = -EINTR;

	if (IS_ERR(seg))
		return PTR_ERR(seg);
	seg->host = host;
	seg->len = i->len_bytes;
	seg->ga = hsl_host_ga(ctx->fabric, host);
	if (!mutex_lock_killable(&ctx->lock)) {
		err = hsl_segment_install(ctx, seg);
		if (!err) {
			i->handle = seg->handle;
			i->ga = seg->ga;
			trace_hsl_segment(ctx->index, seg->handle, seg->ga, seg->len, "import");
		}
		mutex_unlock(&ctx->lock);
	}
	if (err)
		hsl_segment_drop(seg);
	return err;
}

int hsl_segment_register(struct hsl_context *ctx, struct hsl_segment_register *r)
{
	struct hsl_segment *seg;
	struct hsl_host *host;
	int err;

	if (!hsl_rights_valid(r->rights) || !r->len_bytes || r->len_bytes - 1 > U64_MAX - r->addr)
		return -EINVAL;
	seg = hsl_segment_new(ctx, r->rights);
	if (IS_ERR(seg))
		return PTR_ERR(seg);
	host = hsl_host_pin(ctx->fabric, r->addr, r->len_bytes, r->rights & HSL_SEGMENT_WRITE);
	if (IS_ERR(host)) {
		err = PTR_ERR(host);
		goto put_segment;
	}
	seg->host = host;
	seg->len = r->len_bytes;
	seg->ga = hsl_host_ga(ctx->fabric, host);

	err = -EINTR;
	if (mutex_lock_killable(&ctx->lock))
		goto unpin;
	err = hsl_segment_install(ctx, seg);
	if (!err) {
		r->handle = seg->handle;
		r->ga = seg->ga;
		trace_hsl_segment(ctx->index, seg->handle, seg->ga, seg->len, "register");
	}
	mutex_unlock(&ctx->lock);
	if (!err)
		return 0;
unpin:
	hsl_host_unpin(ctx->fabric, host);
put_segment:
	hsl_segment_drop(seg);
	return err;
}

int hsl_segment_free(struct hsl_context *ctx, u32 handle)
{
	struct hsl_segment *seg;

	if (mutex_lock_killable(&ctx->lock))
		return -EINTR;
	seg = xa_load(&ctx->segments, handle);
	if (seg) {
		hsl_tree_remove(ctx, seg);
		hsl_segment_retire(ctx, seg);
	}
	mutex_unlock(&ctx->lock);
	if (!seg)
		return -ENOENT;
	hsl_segment_destroy(ctx, seg);
	return 0;
}

int hsl_segment_info(struct hsl_context *ctx, struct hsl_segment_info *i)
{
	struct hsl_segment *seg;

	if (mutex_lock_killable(&ctx->lock))
		return -EINTR;
	seg = xa_load(&ctx->segments, i->handle);
	if (seg) {
		i->flags = seg->host ? HSL_SEGMENT_F_HOST : 0;
		if (seg->flags & HSL_ALLOC_OBSERVABLE)
			i->flags |= HSL_SEGMENT_F_OBSERVABLE;
		if (seg->flags & HSL_ALLOC_NONCOHERENT)
			i->flags |= HSL_SEGMENT_F_NONCOHERENT;
		i->rights = seg->rights;
		i->ga = seg->ga;
		i->len_bytes = seg->len;
	}
	mutex_unlock(&ctx->lock);
	return seg ? 0 : -ENOENT;
}
