// SPDX-License-Identifier: GPL-2.0-only
/*
 * Shared chip memory: export, import, revoke.
 *
 * A struct hsl_mem is counted. Shares of it are segments (one in a context), export files and whatever else takes a reference
 * (dma-buf attachments); the last one gone sends it to be zeroed. What belongs to one context - handle, epoch, rights,
 * entries, mappings - is in struct hsl_segment and is retired alone.
 *
 * SEGMENT_EXPORT makes a struct hsl_export, a node of a tree: its parent is the node that the exporting segment was
 * imported from. Revoking a handle ends the nodes made from that segment and everything below them. A child is
 * younger than its parent, so one pass over mem->exports, which is in order of creation, finds them all. A revoked node is
 * off the list and holds no memory (exp->mem is NULL); its file answers ESTALE.
 *
 * When a segment is freed its exports stay: they can only be revoked from further up then. A node without a segment to revoke
 * it and with children is bypassed (hsl_export_bypass), so chains do not grow beyond what files and segments hold.
 *
 * Revoke against import: both look at exp->mem under share_lock. An import enters the node's list with ctx->lock held until
 * its entries are written; a revoke that finds it waits for that lock and kills the whole of it. Revoke against export: an
 * exporting segment whose own node is revoked is refused, also before it has been killed.
 *
 * Segments die youngest first. So a handle that is dead by a revoke has no live import below it, and a revoke of that
 * handle may return at once.
 */
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/module.h>

#include "hsl_priv.h"
#include "trace.h"

/* ---- memory ---- */

struct hsl_mem *hsl_share_alloc(struct hsl_context *ctx, struct hsl_chip *chip, u64 len, u64 align, u32 flags)
{
	struct hsl_mem *mem;
	int err;

	err = hsl_user_charge(ctx->user, HSL_LIMIT_MEM, len);
	if (err)
		return ERR_PTR(err);
	mem = hsl_mem_alloc(chip, len, align);
	if (IS_ERR(mem)) {
		hsl_user_uncharge(ctx->user, HSL_LIMIT_MEM, len);
		return mem;
	}
	mem->flags = flags;
	mem->user = hsl_user_get(ctx->user);
	kref_init(&mem->kref);
	mutex_init(&mem->revoke_lock);
	INIT_LIST_HEAD(&mem->exports);
	return mem;
}

struct hsl_mem *hsl_share_get(struct hsl_mem *mem)
{
	kref_get(&mem->kref);
	return mem;
}

static void hsl_share_release(struct kref *kref)
{
	struct hsl_mem *mem = container_of(kref, struct hsl_mem, kref);

	WARN_ON(!list_empty(&mem->exports));
	hsl_user_uncharge(mem->user, HSL_LIMIT_MEM, mem->len);
	hsl_user_put(mem->user);
	hsl_mem_free(mem);
}

/* The holder's access has ended. Takes no lock but those of the chip's memory. */
void hsl_share_put(struct hsl_mem *mem)
{
	kref_put(&mem->kref, hsl_share_release);
}

/* Let go of a segment's share, once, whoever comes first. */
void hsl_share_drop(struct hsl_segment *seg)
{
	struct hsl_mem *mem = xchg(&seg->mem, NULL);

	if (mem)
		hsl_share_put(mem);
}

/* ---- nodes, under share_lock ---- */

/* How many nodes went: each had a reference on the fabric, which the caller drops without the lock. */
static unsigned int hsl_export_put_locked(struct hsl_export *exp)
{
	unsigned int n = 0;

	while (exp && refcount_dec_and_test(&exp->ref)) {
		struct hsl_export *parent = exp->parent;

		if (exp->mem) {
			list_del(&exp->link);
			hsl_share_put(exp->mem);
		}
		kfree(exp->priv);
		kfree(exp);
		exp = parent;
		n++;
	}
	return n;
}

static void hsl_fabric_put_many(struct hsl_fabric *f, unsigned int n)
{
	while (n--)
		put_device(&f->dev);
}

void hsl_export_put(struct hsl_export *exp)
{
	struct hsl_fabric *f = exp->fabric;
	unsigned int n;

	mutex_lock(&f->share_lock);
	n = hsl_export_put_locked(exp);
	mutex_unlock(&f->share_lock);
	hsl_fabric_put_many(f, n);
}

static struct hsl_export *hsl_export_get(struct hsl_export *exp)
{
	if (exp)
		refcount_inc(&exp->ref);
	return exp;
}

/* A reference on the memory of an export, or NULL: revoked. */
struct hsl_mem *hsl_export_mem(struct hsl_export *exp)
{
	struct hsl_mem *mem;

	mutex_lock(&exp->fabric->share_lock);
	mem = exp->mem ? hsl_share_get(exp->mem) : NULL;
	mutex_unlock(&exp->fabric->share_lock);
	return mem;
}

/* Nobody can revoke a node without a segment but its parent's end: its children may as well be the parent's. */
static unsigned int hsl_export_bypass(struct hsl_export *exp)
{
	struct hsl_export *parent = exp->parent;
	unsigned int n = 0;

	while (parent && !parent->from) {
		exp->parent = hsl_export_get(parent->parent);
		n += hsl_export_put_locked(parent);
		parent = exp->parent;
	}
	return n;
}

/* The segment is being freed and gives no access any more. */
void hsl_export_leave(struct hsl_segment *seg)
{
	struct hsl_fabric *f = seg->fabric;
	struct hsl_export *exp, *tmp;
	struct hsl_mem *mem;
	unsigned int n = 0;

	if (!seg->exported && !READ_ONCE(seg->export))
		return;
	mutex_lock(&f->share_lock);
	/* a revoke that takes the memory from the segment right now keeps it until it has had share_lock again */
	mem = READ_ONCE(seg->mem);
	if (seg->exported && mem) {
		list_for_each_entry(exp, &mem->exports, link)
			if (exp->from == seg)
				exp->from = NULL;
		/* what a bypass releases is an ancestor, so it has been passed already */
		list_for_each_entry_safe(exp, tmp, &mem->exports, link)
			n += hsl_export_bypass(exp);
	}
	list_del_init(&seg->import_link);
	if (seg->export)
		n += hsl_export_put_locked(seg->export);
	seg->export = NULL;
	mutex_unlock(&f->share_lock);
	hsl_fabric_put_many(f, n);
}

/* For dumps: exports of the segment, and segments below them. Under ctx->lock. */
void hsl_export_count(struct hsl_segment *seg, unsigned int *exports, unsigned int *imports)
{
	struct hsl_export *exp;
	struct hsl_segment *s;

	*exports = 0;
	*imports = 0;
	mutex_lock(&seg->fabric->share_lock);
	if (seg->mem) {
		list_for_each_entry(exp, &seg->mem->exports, link) {
			if (exp->from != seg)
				continue;
			(*exports)++;
			list_for_each_entry(s, &exp->imports, import_link)
				(*imports)++;
		}
	}
	mutex_unlock(&seg->fabric->share_lock);
}

/* ---- export ---- */

static int hsl_export_link(struct hsl_export *exp, struct hsl_segment *seg)
{
	int err = 0;

	mutex_lock(&exp->fabric->share_lock);
	if (!seg->mem || (seg->export && !seg->export->mem)) {
		err = -ESTALE;
		goto unlock;
	}
	exp->mem = hsl_share_get(seg->mem);
	exp->from = seg;
	exp->parent = hsl_export_get(seg->export);
	list_add_tail(&exp->link, &exp->mem->exports);
	seg->exported = true;
unlock:
	mutex_unlock(&exp->fabric->share_lock);
	return err;
}

/* Under ctx->lock. */
static int hsl_export_from(struct hsl_export *exp, struct hsl_segment *seg)
{
	if (!seg)
		return -ENOENT;
	if (!seg->chip)
		return -EOPNOTSUPP;
	if (exp->rights & ~seg->rights)
		return -EACCES;
	if (hsl_chip_state_get(seg->chip) == HSL_STATE_GONE)
		return -ENODEV;
	return hsl_export_link(exp, seg);
}

/* A node for a file of any kind, which puts it when it is released. */
struct hsl_export *hsl_export_create(struct hsl_context *ctx, u32 handle, u32 rights)
{
	struct hsl_export *exp;
	int err = -EINTR;

	exp = kzalloc(sizeof(*exp), GFP_KERNEL_ACCOUNT);
	if (!exp)
		return ERR_PTR(-ENOMEM);
	refcount_set(&exp->ref, 1);
	INIT_LIST_HEAD(&exp->imports);
	exp->fabric = ctx->fabric;
	get_device(&ctx->fabric->dev);
	exp->rights = rights;
	if (!mutex_lock_killable(&ctx->lock)) {
		err = hsl_export_from(exp, xa_load(&ctx->segments, handle));
		mutex_unlock(&ctx->lock);
	}
	if (err) {
		hsl_export_put(exp);
		return ERR_PTR(err);
	}
	trace_hsl_share(ctx->index, handle, rights, "export");
	return exp;
}

static int hsl_export_fop_release(struct inode *inode, struct file *file)
{
	hsl_export_put(file->private_data);
	return 0;
}

static const struct file_operations hsl_export_fops = {
	.owner = THIS_MODULE,
	.release = hsl_export_fop_release,
	.llseek = noop_llseek,
};

/* Takes over the reference, also on error. */
struct file *hsl_export_file(struct hsl_export *exp)
{
	struct file *file = anon_inode_getfile("[hsl-export]", &hsl_export_fops, exp, O_RDONLY);

	if (IS_ERR(file))
		hsl_export_put(exp);
	return file;
}

/* ---- import ---- */

static int hsl_export_enter(struct hsl_export *exp, struct hsl_segment *seg)
{
	int err = 0;

	mutex_lock(&exp->fabric->share_lock);
	if (!exp->mem) {
		err = -ESTALE;
	} else if (hsl_chip_state_get(exp->mem->chip) == HSL_STATE_GONE) {
		err = -ENODEV;
	} else {
		seg->mem = hsl_share_get(exp->mem);
		seg->chip = hsl_chip_get(exp->mem->chip);
		seg->flags = exp->mem->flags;
		seg->len = exp->mem->len;
		seg->ga = HSL_GA(seg->chip->node, exp->mem->off);
		seg->export = hsl_export_get(exp);
		list_add(&seg->import_link, &exp->imports);
	}
	mutex_unlock(&exp->fabric->share_lock);
	return err;
}

/* Under ctx->lock. */
static int hsl_import_install(struct hsl_context *ctx, struct hsl_segment *seg)
{
	struct hsl_segment *old = hsl_segment_find(ctx, seg->ga);
	struct hsl_attach *at;

	if (old) {
		hsl_segment_put(old);
		return -EEXIST;
	}
	at = hsl_attach_get(ctx, seg->chip);
	return IS_ERR(at) ? PTR_ERR(at) : hsl_segment_install(ctx, seg);
}

/* A segment of this context under the node; i->rights: wanted, 0 = all. */
int hsl_export_import(struct hsl_context *ctx, struct hsl_export *exp, struct hsl_segment_import *i)
{
	struct hsl_segment *seg;
	int err = -EINTR;

	if (exp->fabric != ctx->fabric)
		return -EXDEV;
	if (i->rights & ~exp->rights)
		return -EACCES;
	seg = hsl_segment_new(ctx, i->rights ?: exp->rights);
	if (IS_ERR(seg))
		return PTR_ERR(seg);
	if (mutex_lock_killable(&ctx->lock))
		goto put_segment;
	err = hsl_export_enter(exp, seg);
	if (!err)
		err = hsl_import_install(ctx, seg);
	if (!err) {
		i->rights = seg->rights;
		i->handle = seg->handle;
		i->ga = seg->ga;
		i->len_bytes = seg->len;
		trace_hsl_segment(ctx->index, seg->handle, seg->ga, seg->len, "import");
	}
	mutex_unlock(&ctx->lock);
	if (!err)
		return 0;
	hsl_export_leave(seg);
	hsl_share_drop(seg);
put_segment:
	hsl_segment_drop(seg);
	return err;
}

int hsl_segment_import(struct hsl_context *ctx, struct hsl_segment_import *i)
{
	struct file *file;
	int err;

	if (i->rsvd || (i->rights && !hsl_rights_valid(i->rights)))
		return -EINVAL;
	file = fget(i->fd);
	if (!file)
		return -EBADF;
	if (file->f_op == &hsl_export_fops)
		err = hsl_export_import(ctx, file->private_data, i);
	else
		err = hsl_dmabuf_import(ctx, i);
	fput(file);
	return err;
}

/* ---- revoke ---- */

/* Take all nodes below the segment off the tree; their imports to doomed, youngest first. */
static void hsl_revoke_collect(struct hsl_mem *mem, struct hsl_segment *seg, struct list_head *nodes,
			       struct list_head *doomed)
{
	struct hsl_export *exp, *tmp;

	list_for_each_entry_safe(exp, tmp, &mem->exports, link) {
		if (exp->from != seg && !(exp->parent && !exp->parent->mem))
			continue;
		list_move_tail(&exp->link, nodes);
		hsl_export_get(exp);
		hsl_share_put(exp->mem);	/* never the last: the caller has one */
		exp->mem = NULL;
		exp->from = NULL;
		list_splice_init(&exp->imports, doomed);
	}
}

/* The next one with references on it and its context; it stays on no list. */
static struct hsl_segment *hsl_revoke_next(struct hsl_fabric *f, struct list_head *doomed)
{
	struct hsl_segment *seg;

	mutex_lock(&f->share_lock);
	seg = list_first_entry_or_null(doomed, struct hsl_segment, import_link);
	if (seg) {
		list_del_init(&seg->import_link);
		kref_get(&seg->kref);
		kref_get(&seg->ctx->kref);	/* lives: it has not freed this segment yet */
	}
	mutex_unlock(&f->share_lock);
	return seg;
}

/* Under mem->revoke_lock. */
static void hsl_revoke_below(struct hsl_fabric *f, struct hsl_mem *mem, struct hsl_segment *seg)
{
	struct hsl_export *exp, *tmp;
	LIST_HEAD(nodes);
	LIST_HEAD(doomed);

	mutex_lock(&f->share_lock);
	hsl_revoke_collect(mem, seg, &nodes, &doomed);
	mutex_unlock(&f->share_lock);
	while ((seg = hsl_revoke_next(f, &doomed))) {
		struct hsl_context *ctx = seg->ctx;

		hsl_segment_kill(seg);
		hsl_segment_put(seg);
		hsl_context_put(ctx);
	}
	list_for_each_entry_safe(exp, tmp, &nodes, link) {
		if (exp->revoked)
			exp->revoked(exp);
		hsl_export_put(exp);
	}
}

int hsl_segment_revoke(struct hsl_context *ctx, u32 handle)
{
	struct hsl_mem *mem = NULL;
	struct hsl_segment *seg;

	if (mutex_lock_killable(&ctx->lock))
		return -EINTR;
	seg = xa_load(&ctx->segments, handle);
	if (seg) {
		kref_get(&seg->kref);
		if (seg->mem)	/* changed under ctx->lock while there is a handle */
			mem = hsl_share_get(seg->mem);
	}
	mutex_unlock(&ctx->lock);
	if (!seg)
		return -ENOENT;
	if (mem) {
		int err = mutex_lock_killable(&mem->revoke_lock) ? -EINTR : 0;

		if (!err) {
			hsl_revoke_below(ctx->fabric, mem, seg);
			mutex_unlock(&mem->revoke_lock);
			trace_hsl_share(ctx->index, handle, seg->rights, "revoke");
		}
		hsl_share_put(mem);
		hsl_segment_put(seg);
		return err;
	}
	hsl_segment_put(seg);
	return 0;
}
