// SPDX-License-Identifier: GPL-2.0-only
/*
 * Contexts and their attachment to chips.
 *
 * A context has one index and one random key on all chips of the fabric. It is attached to a chip when it first creates a
 * queue or allocates memory there: all its segments get entries in that chip's tables, then its context entry becomes
 * valid. From then on a new segment gets an entry on every attached chip, because the requester looks operands up in its own
 * tables and the home chip in its own (HEP-SEC-003).
 *
 * Closing the file ends everything at once: queues, then the context entry on every chip with one CTX_INVALIDATE each, which
 * retires the use of all segments; then memory is released. The struct stays while queue files name it.
 *
 * Locking: ctx->lock for all of it. A chip on its way to GONE takes the locks of the contexts on its list; an attachment is
 * listed before it owns anything that the chip's removal must wait for.
 */
#include <linux/random.h>
#include <linux/sched.h>

#include "hsl_priv.h"
#include "trace.h"

struct hsl_context *hsl_context_open(struct hsl_fabric *f)
{
	struct hsl_context *ctx;
	int index, err;

	ctx = kzalloc(sizeof(*ctx), GFP_KERNEL_ACCOUNT);
	if (!ctx)
		return ERR_PTR(-ENOMEM);
	kref_init(&ctx->kref);
	mutex_init(&ctx->lock);
	mutex_init(&ctx->read_lock);
	spin_lock_init(&ctx->tree_lock);
	INIT_LIST_HEAD(&ctx->attachments);
	INIT_LIST_HEAD(&ctx->queues);
	xa_init_flags(&ctx->segments, XA_FLAGS_ALLOC1);
	ctx->tree = RB_ROOT;
	ctx->pid = task_tgid_nr(current);
	do {
		ctx->key = get_random_u64();
	} while (!ctx->key);
	err = -ENOMEM;
	ctx->user = hsl_user_current();
	if (!ctx->user)
		goto free_ctx;
	err = hsl_user_charge(ctx->user, HSL_LIMIT_CONTEXTS, 1);
	if (err)
		goto put_user;
	index = ida_alloc_range(&f->ctx_ida, 1, HSL_CTX_COUNT_MAX - 1, GFP_KERNEL);
	if (index < 0) {
		err = index == -ENOSPC ? -EBUSY : index;
		goto uncharge;
	}
	ctx->index = index;
	err = hsl_fabric_open_begin(f, ctx);
	if (err)
		goto free_index;
	ctx->fabric = f;
	get_device(&f->dev);
	hsl_events_open(ctx, f);
	trace_hsl_context(f->minor, ctx->index, true);
	return ctx;

free_index:
	ida_free(&f->ctx_ida, index);
uncharge:
	hsl_user_uncharge(ctx->user, HSL_LIMIT_CONTEXTS, 1);
put_user:
	hsl_user_put(ctx->user);
free_ctx:
	kfree(ctx);
	return ERR_PTR(err);
}

static void hsl_context_release(struct kref *kref)
{
	struct hsl_context *ctx = container_of(kref, struct hsl_context, kref);

	xa_destroy(&ctx->segments);
	hsl_user_put(ctx->user);
	put_device(&ctx->fabric->dev);
	kfree(ctx);
}

void hsl_context_put(struct hsl_context *ctx)
{
	kref_put(&ctx->kref, hsl_context_release);
}

/* The file is closed: no ioctl, mmap or mapping of it is left. */
void hsl_context_shutdown(struct hsl_context *ctx)
{
	struct hsl_fabric *f = ctx->fabric;
	struct hsl_attach *at, *tmp_at;
	struct hsl_queue *q, *tmp_q;
	struct hsl_segment *seg;
	unsigned long handle;

	mutex_lock(&ctx->lock);
	ctx->closed = true;
	list_for_each_entry_safe(q, tmp_q, &ctx->queues, ctx_link) {
		list_del_init(&q->ctx_link);
		hsl_queue_end(q, HSL_ST_GONE, true);
	}
	/* after this no chip uses a segment of the context */
	list_for_each_entry_safe(at, tmp_at, &ctx->attachments, ctx_link)
		hsl_attach_drop(at);
	mutex_unlock(&ctx->lock);

	xa_for_each(&ctx->segments, handle, seg) {
		xa_erase(&ctx->segments, handle);
		hsl_segment_destroy(ctx, seg);
	}
	trace_hsl_context(f->minor, ctx->index, false);
	hsl_fabric_open_end(f, ctx);
	ida_free(&f->ctx_ida, ctx->index);
	hsl_user_uncharge(ctx->user, HSL_LIMIT_CONTEXTS, 1);
	hsl_context_put(ctx);
}

/* ---- attachments ---- */

static struct hsl_attach *hsl_attach_find(struct hsl_context *ctx, struct hsl_chip *chip)
{
	struct hsl_attach *at;

	list_for_each_entry(at, &ctx->attachments, ctx_link)
		if (at->chip == chip)
			return at;
	return NULL;
}

static struct hsl_seg_entry *hsl_attach_entry(struct hsl_attach *at, u32 handle)
{
	struct hsl_leaf *leaf = &at->leaf[handle / HSL_SEGS_PER_LEAF];

	return leaf->va ? &leaf->va[handle % HSL_SEGS_PER_LEAF] : NULL;
}

static int hsl_attach_add_leaf(struct hsl_attach *at, u32 handle)
{
	struct hsl_leaf *leaf = &at->leaf[handle / HSL_SEGS_PER_LEAF];

	if (leaf->va)
		return 0;
	leaf->va = hsl_table_alloc(at->chip, &leaf->dma);
	if (!leaf->va)
		return -ENOMEM;
	dma_wmb();	/* the leaf is empty before it can be found */
	WRITE_ONCE(at->dir[handle / HSL_SEGS_PER_LEAF], cpu_to_le64(leaf->dma));
	return 0;
}

/* Write a segment's entry. The caller invalidates it. */
int hsl_attach_write(struct hsl_attach *at, struct hsl_segment *seg)
{
	struct hsl_seg_entry *e;
	struct hsl_hostmap *map;
	u32 flags = HSL_SEG_VALID;
	int err;

	err = hsl_attach_add_leaf(at, seg->handle);
	if (err)
		return err;
	e = hsl_attach_entry(at, seg->handle);
	if (seg->rights & HSL_SEGMENT_READ)
		flags |= HSL_SEG_READ;
	if (seg->rights & HSL_SEGMENT_WRITE)
		flags |= HSL_SEG_WRITE;
	if (seg->flags & HSL_ALLOC_OBSERVABLE)
		flags |= HSL_SEG_MODELLED;
	if (seg->flags & HSL_ALLOC_NONCOHERENT)
		flags |= HSL_SEG_NONCOHERENT;
	memset(e, 0, sizeof(*e));
	e->epoch = cpu_to_le32(seg->epoch);
	e->ga = cpu_to_le64(seg->ga);
	e->len = cpu_to_le64(seg->len);
	if (seg->host) {
		map = hsl_hostmap_create(at, seg);
		if (IS_ERR(map))
			return PTR_ERR(map);
		flags |= HSL_SEG_PAGED;
		e->pages = cpu_to_le64(map->root);
		e->page_shift = PAGE_SHIFT;
		e->page_levels = map->levels;
		e->page_offset = cpu_to_le32(seg->host->offset);
	}
	dma_wmb();	/* the entry is whole before it is valid */
	WRITE_ONCE(e->flags, cpu_to_le32(flags));
	return 0;
}

/* Make a segment's entry invalid. The caller issues SEG_INVALIDATE and waits before anything is released. */
void hsl_attach_clear(struct hsl_attach *at, u32 handle)
{
	struct hsl_seg_entry *e = hsl_attach_entry(at, handle);

	if (e)
		WRITE_ONCE(e->flags, 0);
	dma_wmb();
}

static void hsl_attach_publish(struct hsl_attach *at)
{
	struct hsl_ctx_entry *e = &at->chip->ctx_table[at->ctx->index];

	e->key = cpu_to_le64(at->ctx->key);
	e->seg_dir = cpu_to_le64(at->dir_dma);
	dma_wmb();	/* whole before valid */
	WRITE_ONCE(e->flags, cpu_to_le32(HSL_CTX_VALID));
	dma_wmb();
}

/* Release an attachment that no chip uses any more. */
static void hsl_attach_free(struct hsl_attach *at)
{
	struct hsl_chip *chip = at->chip;
	struct hsl_segment *seg;
	unsigned long handle;
	int i;

	xa_for_each(&at->ctx->segments, handle, seg) {
		struct hsl_hostmap *map = hsl_hostmap_find(seg, at);

		if (map)
			hsl_hostmap_destroy(seg, map);
	}
	for (i = 0; i < HSL_SEG_DIR_LEAVES; i++)
		if (at->leaf[i].va)
			hsl_table_free(chip, at->leaf[i].va, at->leaf[i].dma);
	if (at->dir)
		hsl_table_free(chip, at->dir, at->dir_dma);
	list_del(&at->ctx_link);
	/* last: the chip's removal waits for the list to be empty */
	spin_lock(&chip->lock);
	list_del(&at->chip_link);
	spin_unlock(&chip->lock);
	wake_up_all(&chip->state_wq);
	kvfree(at);
	hsl_chip_let_sleep(chip);
	hsl_chip_put(chip);
}

/* Under ctx->lock. */
void hsl_attach_drop(struct hsl_attach *at)
{
	struct hsl_chip *chip = at->chip;

	WRITE_ONCE(chip->ctx_table[at->ctx->index].flags, 0);
	dma_wmb();
	/* an error means that the chip has stopped for good: then nothing runs either */
	hsl_admin_ctx_invalidate(chip, at->ctx->index);
	hsl_attach_free(at);
}

static struct hsl_attach *hsl_attach_new(struct hsl_context *ctx, struct hsl_chip *chip)
{
	struct hsl_attach *at;
	bool gone;

	at = kvzalloc(sizeof(*at), GFP_KERNEL_ACCOUNT);
	if (!at)
		return NULL;
	at->ctx = ctx;
	at->chip = hsl_chip_get(chip);
	spin_lock(&chip->lock);
	gone = chip->state == HSL_STATE_GONE;
	if (!gone)
		list_add_tail(&at->chip_link, &chip->attachments);
	spin_unlock(&chip->lock);
	if (gone) {
		hsl_chip_put(chip);
		kvfree(at);
		return ERR_PTR(-ENODEV);
	}
	hsl_chip_stay_awake(chip);
	list_add_tail(&at->ctx_link, &ctx->attachments);
	return at;
}

/* The attachment of a context to a chip, made if needed. Under ctx->lock; the caller keeps the chip awake. */
struct hsl_attach *hsl_attach_get(struct hsl_context *ctx, struct hsl_chip *chip)
{
	struct hsl_attach *at = hsl_attach_find(ctx, chip);
	struct hsl_segment *seg;
	unsigned long handle;
	int err = 0;

	if (at)
		return at;
	if (ctx->index >= chip->ctx_count)
		return ERR_PTR(-EBUSY);
	at = hsl_attach_new(ctx, chip);
	if (IS_ERR_OR_NULL(at))
		return at ?: ERR_PTR(-ENOMEM);
	at->dir = hsl_table_alloc(chip, &at->dir_dma);
	if (!at->dir) {
		err = -ENOMEM;
		goto free_at;
	}
	xa_for_each(&ctx->segments, handle, seg) {
		err = seg->dead ? 0 : hsl_attach_write(at, seg);
		if (err)
			goto free_at;
	}
	hsl_attach_publish(at);
	err = hsl_admin_ctx_invalidate(chip, ctx->index);
	if (!err)
		return at;
	hsl_attach_drop(at);
	return ERR_PTR(err);

free_at:
	hsl_attach_free(at);
	return ERR_PTR(err);
}

/* The chip is GONE: take it away from all contexts. No new attachment is listed any more. */
void hsl_attach_drop_all(struct hsl_chip *chip)
{
	struct hsl_context *ctx;
	struct hsl_attach *at;

	for (;;) {
		spin_lock(&chip->lock);
		at = list_first_entry_or_null(&chip->attachments, struct hsl_attach, chip_link);
		ctx = at ? at->ctx : NULL;
		if (ctx)
			kref_get(&ctx->kref);	/* lives: it drops its attachments before its own reference */
		spin_unlock(&chip->lock);
		if (!ctx)
			return;
		mutex_lock(&ctx->lock);
		at = hsl_attach_find(ctx, chip);
		if (at) {
			hsl_attach_free(at);
			hsl_segment_orphan(ctx, chip);
		}
		mutex_unlock(&ctx->lock);
		hsl_context_put(ctx);
	}
}
