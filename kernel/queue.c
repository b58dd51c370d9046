// SPDX-License-Identifier: GPL-2.0-only
/*
 * Queues: rings in host memory shared by user and chip, a doorbell page, a file to wait on.
 *
 * States: READY from QUEUE_CREATE's completion on, then ERROR for good: by close, context end, an error of the queue, reset or
 * loss of the chip. hsl_queue_end does all of them, once: the chip has stopped writing to the rings (QUEUE_DESTROY has
 * completed, or its DMA has stopped) -> no interrupt handler finds the queue -> rings are DMA-unmapped -> ctrl->error, then
 * ctrl->state (release) -> the doorbell page becomes scratch -> waiters wake. The rings' pages stay until the last
 * mapping and the file are gone, so the user reads what was completed.
 *
 * A shadow tail is in the control page: the chip reads it and writes its flag there, the driver looks at neither. The
 * page is mapped for the chip then.
 *
 * Rings are plain pages mapped for DMA, contiguous for the chip, rather than coherent allocations of the device: they
 * outlive the device. (Platforms whose DMA is not cache-coherent are refused by the driver that registers the chip.)
 *
 * Rings and doorbell are of the process that created the queue, told by its mm: who gets the file by fork, exec or
 * SCM_RIGHTS can neither map them nor ring nor abort (HEP-SEC-009), and mappings do not go to a child.
 *
 * Nothing read from the rings or the control page is trusted: indices are masked, states are the driver's own.
 *
 * Locking: queue->lock is held over start and end. It may be waited for by a reset, so under it only admin commands with
 * HSL_ADMIN_ONCE are issued. chip->queues holds no reference: an entry leaves the list before the file's reference goes.
 */
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/log2.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/sched/mm.h>

#include "hsl_priv.h"
#include "trace.h"

#define HSL_QUEUE_SHADOW_OFFSET	ALIGN(sizeof(struct hsl_queue_ctrl), HSL_QUEUE_SHADOW_ALIGN)

static atomic64_t hsl_queue_serial = ATOMIC64_INIT(0);

static struct hsl_queue_ctrl *hsl_queue_ctrl(struct hsl_queue *q)
{
	return q->ctrl.va;
}

/* ---- rings ---- */

static int hsl_ring_alloc(struct hsl_ring *r, size_t bytes)
{
	bytes = PAGE_ALIGN(bytes);
	r->va = alloc_pages_exact(bytes, GFP_KERNEL_ACCOUNT | __GFP_ZERO | __GFP_NOWARN);
	if (!r->va)
		return -ENOMEM;
	r->bytes = bytes;
	return 0;
}

static void hsl_ring_free(struct hsl_ring *r)
{
	if (r->va)
		free_pages_exact(r->va, r->bytes);
}

static int hsl_ring_map(struct hsl_chip *chip, struct hsl_ring *r)
{
	r->dma = dma_map_single(chip->parent, r->va, r->bytes, DMA_BIDIRECTIONAL);
	return dma_mapping_error(chip->parent, r->dma) ? -ENOMEM : 0;
}

static void hsl_ring_unmap(struct hsl_chip *chip, struct hsl_ring *r)
{
	dma_unmap_single(chip->parent, r->dma, r->bytes, DMA_BIDIRECTIONAL);
}

static void hsl_queue_release(struct kref *kref)
{
	struct hsl_queue *q = container_of(kref, struct hsl_queue, kref);

	if (q->eventfd)
		eventfd_ctx_put(q->eventfd);
	if (q->scratch)
		__free_page(q->scratch);
	hsl_ring_free(&q->ctrl);
	hsl_ring_free(&q->sq);
	hsl_ring_free(&q->cq);
	hsl_chip_put(q->chip);
	hsl_user_uncharge(q->ctx->user, HSL_LIMIT_QUEUES, 1);
	hsl_context_put(q->ctx);
	mmdrop(q->mm);
	kfree(q);
}

void hsl_queue_put(struct hsl_queue *q)
{
	kref_put(&q->kref, hsl_queue_release);
}

static struct hsl_queue *hsl_queue_new(struct hsl_context *ctx, struct hsl_chip *chip, u32 depth)
{
	struct hsl_queue *q;
	u64 serial;
	int err;

	err = hsl_user_charge(ctx->user, HSL_LIMIT_QUEUES, 1);
	if (err)
		return ERR_PTR(err);
	q = kzalloc(sizeof(*q), GFP_KERNEL_ACCOUNT);
	if (!q) {
		hsl_user_uncharge(ctx->user, HSL_LIMIT_QUEUES, 1);
		return ERR_PTR(-ENOMEM);
	}
	kref_init(&q->kref);
	kref_get(&ctx->kref);
	q->ctx = ctx;
	q->chip = hsl_chip_get(chip);
	q->depth = depth;
	q->mm = current->mm;
	mmgrab(q->mm);
	q->state = HSL_QUEUE_RESET;
	mutex_init(&q->lock);
	init_waitqueue_head(&q->wq);
	INIT_LIST_HEAD(&q->ctx_link);
	INIT_LIST_HEAD(&q->chip_link);
	INIT_LIST_HEAD(&q->vec_link);
	/* a page of the fabric's address_space in node 0, where no memory is; without it QUEUE_KICK is the way */
	serial = atomic64_inc_return(&hsl_queue_serial) % (HSL_GA_OFFSET_MASK >> PAGE_SHIFT);
	if (PAGE_ALIGNED(chip->p.regs_phys + chip->db_offset))
		q->db_off = (serial + 1) << PAGE_SHIFT;
	q->scratch = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	if (!q->scratch ||
	    hsl_ring_alloc(&q->ctrl, HSL_QUEUE_SHADOW_OFFSET + sizeof(struct hsl_queue_shadow)) ||
	    hsl_ring_alloc(&q->sq, (size_t)depth * sizeof(struct hsl_desc)) ||
	    hsl_ring_alloc(&q->cq, (size_t)depth * sizeof(struct hsl_cqe))) {
		hsl_queue_put(q);
		return ERR_PTR(-ENOMEM);
	}
	return q;
}

/* ---- start and end, under queue->lock ---- */

static int hsl_queue_map(struct hsl_queue *q)
{
	struct hsl_chip *chip = q->chip;
	int err;

	err = hsl_ring_map(chip, &q->sq);
	if (err)
		return err;
	err = hsl_ring_map(chip, &q->cq);
	if (err)
		goto unmap_sq;
	if (q->shadow)
		err = hsl_ring_map(chip, &q->ctrl);
	if (err)
		goto unmap_cq;
	return 0;

unmap_cq:
	hsl_ring_unmap(chip, &q->cq);
unmap_sq:
	hsl_ring_unmap(chip, &q->sq);
	return err;
}

static void hsl_queue_unmap(struct hsl_queue *q)
{
	hsl_ring_unmap(q->chip, &q->sq);
	hsl_ring_unmap(q->chip, &q->cq);
	if (q->shadow)
		hsl_ring_unmap(q->chip, &q->ctrl);
}

static int hsl_queue_list(struct hsl_queue *q)
{
	struct hsl_chip *chip = q->chip;
	bool gone;

	spin_lock(&chip->lock);
	gone = chip->state == HSL_STATE_GONE;
	if (!gone)
		list_add_tail(&q->chip_link, &chip->queues);
	spin_unlock(&chip->lock);
	return gone ? -ENODEV : 0;
}

static void hsl_queue_unlist(struct hsl_queue *q)
{
	spin_lock(&q->chip->lock);
	list_del_init(&q->chip_link);
	spin_unlock(&q->chip->lock);
}

static void hsl_queue_set_vector(struct hsl_queue *q, bool on)
{
	spin_lock_irq(&q->vec->lock);
	if (on)
		list_add_tail(&q->vec_link, &q->vec->queues);
	else
		list_del_init(&q->vec_link);
	spin_unlock_irq(&q->vec->lock);
}

static int hsl_queue_create_on_chip(struct hsl_queue *q)
{
	struct hsl_admin_req req = {
		.desc = {
			.opcode = HSL_OP_QUEUE_CREATE,
			.dst = cpu_to_le64(q->sq.dma),
			.src = cpu_to_le64(q->cq.dma),
			.len = cpu_to_le64(q->shadow ? q->ctrl.dma + HSL_QUEUE_SHADOW_OFFSET : 0),
			.arg0 = cpu_to_le64(HSL_QC_ARG0(q->qid, ilog2(q->depth), q->vec->index)),
			.arg1 = cpu_to_le64(q->ctx->index),
		},
	};

	return hsl_admin_exec(q->chip, &req, HSL_ADMIN_ONCE);
}

/* After it the chip does not touch the rings: destroyed, or all its DMA has stopped. */
static void hsl_queue_destroy_on_chip(struct hsl_queue *q)
{
	struct hsl_chip *chip = q->chip;
	struct hsl_admin_req req = {
		.desc = { .opcode = HSL_OP_QUEUE_DESTROY, .arg0 = cpu_to_le64(q->qid) },
	};

	if (hsl_admin_exec(chip, &req, HSL_ADMIN_ONCE) != -EIO || req.status == HSL_ST_QUEUE)
		return;
	hsl_chip_fail(chip, "it refuses to destroy a queue");
	/* until it is cut off; who does that goes on to end all queues, and waits for the lock of this one */
	wait_event(chip->state_wq, hsl_chip_state_get(chip) != HSL_STATE_READY && hsl_chip_state_get(chip) != HSL_STATE_QUIESCING);
}

/*
 * -EAGAIN: the chip was reset in between. The queue is listed first: removal of the chip waits for what is listed, and a reset for
 * the lock of it. So what is READY after that is not reset before this has ended, and its vectors can be requested, which writes to
 * its MSI-X table.
 */
static int hsl_queue_start(struct hsl_queue *q)
{
	struct hsl_chip *chip = q->chip;
	int err, qid;

	lockdep_assert_held(&q->lock);
	err = hsl_queue_list(q);
	if (err)
		return err;
	err = hsl_admin_ready(chip, HSL_ADMIN_ONCE);
	if (!err)
		err = hsl_queue_map(q);
	if (err)
		goto unlist;
	qid = ida_alloc_range(&chip->qids, 1, chip->nqueues - 1, GFP_KERNEL);
	if (qid < 0) {
		err = qid == -ENOSPC ? -EBUSY : qid;
		goto unmap;
	}
	q->qid = qid;
	q->vec = hsl_vector_get(chip, qid);
	hsl_queue_set_vector(q, true);
	memset(q->cq.va, 0, q->cq.bytes);
	err = hsl_queue_create_on_chip(q);
	if (err)
		goto free_qid;
	atomic_inc(&chip->nqueues_used);
	hsl_queue_ctrl(q)->state = HSL_QUEUE_READY;
	WRITE_ONCE(q->state, HSL_QUEUE_READY);
	trace_hsl_queue(chip->node, q->qid, q->ctx->index, q->depth, HSL_QUEUE_READY, 0);
	return 0;

free_qid:
	hsl_queue_set_vector(q, false);
	hsl_vector_put(q->vec);
	ida_free(&chip->qids, qid);
unmap:
	hsl_queue_unmap(q);
unlist:
	hsl_queue_unlist(q);
	return err;
}

static void hsl_queue_publish_end(struct hsl_queue *q, u32 error)
{
	struct hsl_queue_ctrl *ctrl = hsl_queue_ctrl(q);

	q->error = error;
	WRITE_ONCE(ctrl->error, error);
	/* completions and error before the state; pairs with the user's load-acquire of ctrl->state */
	smp_store_release(&ctrl->state, HSL_QUEUE_ERROR);
	/* the published state before the driver's own, on which poll answers; pairs with hsl_queue_dead */
	smp_store_release(&q->state, HSL_QUEUE_ERROR);
	hsl_queue_zap_doorbell(q);
	wake_up_all(&q->wq);
	spin_lock_irq(&q->vec->lock);
	if (q->eventfd)
		hsl_eventfd_signal(q->eventfd);
	spin_unlock_irq(&q->vec->lock);
}

/* End a queue, once. on_chip: the chip may be alive, destroy it there; else its DMA has stopped already. */
void hsl_queue_end(struct hsl_queue *q, u32 error, bool on_chip)
{
	struct hsl_chip *chip = q->chip;

	mutex_lock(&q->lock);
	if (q->state != HSL_QUEUE_READY) {
		mutex_unlock(&q->lock);
		return;
	}
	if (on_chip)
		hsl_queue_destroy_on_chip(q);
	hsl_queue_set_vector(q, false);
	hsl_queue_unmap(q);
	hsl_queue_publish_end(q, error);
	hsl_vector_put(q->vec);
	ida_free(&chip->qids, q->qid);
	atomic_dec(&chip->nqueues_used);
	trace_hsl_queue(chip->node, q->qid, q->ctx->index, q->depth, HSL_QUEUE_ERROR, error);
	hsl_queue_unlist(q);	/* last: removal of the chip waits for an empty list */
	mutex_unlock(&q->lock);
}

/* DMA of the chip has stopped. New queues start only after the reset, or never. */
void hsl_queue_end_all(struct hsl_chip *chip, u32 error)
{
	struct hsl_queue *q;

	for (;;) {
		spin_lock(&chip->lock);
		q = list_first_entry_or_null(&chip->queues, struct hsl_queue, chip_link);
		if (q)
			kref_get(&q->kref);
		spin_unlock(&chip->lock);
		if (!q)
			return;
		hsl_queue_end(q, error, false);
		hsl_queue_put(q);
	}
}

/* The first queue that the chip has put into ERROR, with a reference. */
static struct hsl_queue *hsl_queue_find_error(struct hsl_chip *chip, u32 *error)
{
	struct hsl_queue *q, *found = NULL;

	down_read(&chip->access);
	if (hsl_chip_state_get(chip) == HSL_STATE_READY) {
		spin_lock(&chip->lock);
		list_for_each_entry(q, &chip->queues, chip_link) {
			if (READ_ONCE(q->state) != HSL_QUEUE_READY ||
			    readl(hsl_chip_doorbell(chip, q->qid) + HSL_DB_STATE) != HSL_QUEUE_ERROR)
				continue;
			*error = readl(hsl_chip_doorbell(chip, q->qid) + HSL_DB_ERROR);
			kref_get(&q->kref);
			found = q;
			break;
		}
		spin_unlock(&chip->lock);
	}
	up_read(&chip->access);
	return found;
}

void hsl_queue_check_all(struct hsl_chip *chip)
{
	struct hsl_queue *q;
	u32 error;

	while ((q = hsl_queue_find_error(chip, &error))) {
		dev_dbg(&chip->dev, "queue %u is in error, status %u\n", q->qid, error);
		hsl_queue_end(q, error, true);
		hsl_queue_put(q);
	}
}

/* ---- the file ---- */

static bool hsl_queue_has_cqe(struct hsl_queue *q)
{
	u32 head = READ_ONCE(hsl_queue_ctrl(q)->cq_head);
	struct hsl_cqe *cqe = (struct hsl_cqe *)q->cq.va + (head & (q->depth - 1));
	u32 phase = ((head / q->depth) & 1) ^ 1;

	return le32_to_cpu(READ_ONCE(cqe->status)) >> 31 == phase;
}

/* -ESHUTDOWN for a queue that has ended, -ENODEV if its chip has left too. */
static int hsl_queue_dead(struct hsl_queue *q)
{
	if (smp_load_acquire(&q->state) == HSL_QUEUE_READY)	/* pairs with hsl_queue_publish_end */
		return 0;
	return hsl_chip_state_get(q->chip) == HSL_STATE_GONE ? -ENODEV : -ESHUTDOWN;
}

/* Write doorbell registers, if the queue has not ended. */
static int hsl_queue_doorbell(struct hsl_queue *q, const u32 *sq_tail, const u32 *cq_arm)
{
	struct hsl_chip *chip = q->chip;
	void __iomem *db = hsl_chip_doorbell(chip, q->qid);
	int err;

	down_read(&chip->access);
	err = hsl_queue_dead(q);
	if (!err && hsl_chip_state_get(chip) != HSL_STATE_READY)
		err = -ESHUTDOWN;	/* a reset has begun: the queue is about to end */
	if (!err && sq_tail)
		writel(*sq_tail, db + HSL_DB_SQ_TAIL);
	if (!err && cq_arm)
		writel(*cq_arm, db + HSL_DB_CQ_ARM);
	up_read(&chip->access);
	return err;
}

static __poll_t hsl_queue_poll(struct file *file, poll_table *wait)
{
	struct hsl_queue *q = file->private_data;
	__poll_t mask = 0;

	poll_wait(file, &q->wq, wait);
	if (!hsl_queue_has_cqe(q) && !hsl_queue_dead(q)) {
		u32 head = READ_ONCE(hsl_queue_ctrl(q)->cq_head);

		/* armed first, looked at after: what completes in between is seen by one or the other (HEP-QUE-007) */
		hsl_queue_doorbell(q, NULL, &head);
	}
	if (hsl_queue_dead(q))
		mask |= EPOLLERR | EPOLLHUP;
	if (hsl_queue_has_cqe(q))
		mask |= EPOLLIN | EPOLLRDNORM;
	return mask;
}

static int hsl_queue_fop_release(struct inode *inode, struct file *file)
{
	struct hsl_queue *q = file->private_data;

	mutex_lock(&q->ctx->lock);
	list_del_init(&q->ctx_link);
	mutex_unlock(&q->ctx->lock);
	hsl_queue_end(q, HSL_ST_GONE, true);
	hsl_queue_put(q);
	return 0;
}

static const struct file_operations hsl_queue_fops = {
	.owner = THIS_MODULE,
	.release = hsl_queue_fop_release,
	.poll = hsl_queue_poll,
	.mmap = hsl_queue_mmap,
	.unlocked_ioctl = hsl_queue_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.llseek = noop_llseek,
};

/* Under ctx->lock, so that the context is attached for as long as it takes. */
static int hsl_queue_start_attached(struct hsl_context *ctx, struct hsl_queue *q)
{
	struct hsl_attach *at;
	int err;

	do {
		at = hsl_attach_get(ctx, q->chip);
		if (IS_ERR(at))
			return PTR_ERR(at);
		mutex_lock(&q->lock);
		err = hsl_queue_start(q);
		mutex_unlock(&q->lock);
		if (err == -EAGAIN && hsl_chip_settled(q->chip))
			err = -ENODEV;
	} while (err == -EAGAIN);
	if (!err)
		list_add_tail(&q->ctx_link, &ctx->queues);
	return err == -EIO ? -ENODEV : err;
}

static struct file *hsl_queue_file(struct hsl_context *ctx, struct hsl_queue *q)
{
	struct file *file;
	int err;

	file = anon_inode_getfile("[hsl-queue]", &hsl_queue_fops, q, O_RDWR);
	if (IS_ERR(file)) {
		hsl_queue_put(q);
		return file;
	}
	/* from here on the file's release cleans up */
	file->f_mapping = ctx->fabric->inode->i_mapping;
	stream_open(NULL, file);
	if (mutex_lock_killable(&ctx->lock)) {
		err = -EINTR;
		goto put_file;
	}
	err = hsl_queue_start_attached(ctx, q);
	mutex_unlock(&ctx->lock);
	if (!err)
		return file;
put_file:
	fput(file);
	return ERR_PTR(err);
}

/* The queue's file; the caller installs it, or ends the queue by fput. */
struct file *hsl_queue_create(struct hsl_context *ctx, struct hsl_queue_create *c)
{
	struct hsl_chip *chip;
	struct hsl_queue *q;
	struct file *file;

	if (c->rsvd || c->rsvd1 || c->depth < 2 || !is_power_of_2(c->depth))
		return ERR_PTR(-EINVAL);
	chip = hsl_fabric_chip(ctx->fabric, c->node);
	if (IS_ERR(chip))
		return ERR_CAST(chip);
	if (c->depth > chip->max_depth) {
		file = ERR_PTR(-EINVAL);
		goto put_chip;
	}
	q = hsl_queue_new(ctx, chip, c->depth);
	if (IS_ERR(q)) {
		file = ERR_CAST(q);
		goto put_chip;
	}
	q->shadow = c->flags & HSL_QUEUE_SHADOW && chip->cap & HSL_CAP_SHADOW_TAIL;
	hsl_chip_wake(chip);	/* until the context is attached */
	file = hsl_queue_file(ctx, q);
	hsl_chip_let_sleep(chip);
	if (!IS_ERR(file)) {
		c->qid = q->qid;
		c->ring_bytes = q->ctrl.bytes + q->sq.bytes + q->cq.bytes;
		c->ctrl_offset = 0;
		c->sq_offset = q->ctrl.bytes;
		c->cq_offset = q->ctrl.bytes + q->sq.bytes;
		c->doorbell_bytes = q->db_off ? PAGE_SIZE : 0;
		c->shadow_offset = q->shadow ? HSL_QUEUE_SHADOW_OFFSET : 0;
	}
put_chip:
	hsl_chip_put(chip);
	return file;
}

/* ---- ioctls of the queue file ---- */

int hsl_queue_kick(struct hsl_queue *q, const struct hsl_queue_kick *k)
{
	bool arm = k->flags & HSL_KICK_ARM;

	if (!arm && k->cq_head)
		return -EINVAL;
	if (current->mm != q->mm)
		return -EACCES;
	return hsl_queue_doorbell(q, &k->sq_tail, arm ? &k->cq_head : NULL);
}

/* The chip completes what is submitted; when this returns it has. */
int hsl_queue_abort(struct hsl_queue *q)
{
	struct hsl_admin_req req = {
		.desc = { .opcode = HSL_OP_QUEUE_ABORT, .arg0 = cpu_to_le64(q->qid) },
	};
	int err;

	if (current->mm != q->mm)
		return -EACCES;
	if (mutex_lock_killable(&q->lock))
		return -EINTR;
	err = hsl_queue_dead(q);
	if (err)
		goto unlock;
	err = hsl_admin_exec(q->chip, &req, HSL_ADMIN_ONCE);
	if (err == -EAGAIN)
		err = -ESHUTDOWN;	/* reset in between: the queue is about to end */
	else if (err == -EIO)
		err = req.status == HSL_ST_OPCODE ? -EOPNOTSUPP : -ESHUTDOWN;
unlock:
	mutex_unlock(&q->lock);
	return err;
}

int hsl_queue_eventfd(struct hsl_queue *q, const struct hsl_queue_eventfd *e)
{
	struct eventfd_ctx *new = NULL, *old;
	int err = 0;

	if (e->rsvd)
		return -EINVAL;
	if (e->fd != -1) {
		new = eventfd_ctx_fdget(e->fd);
		if (IS_ERR(new))
			return PTR_ERR(new);
	}
	mutex_lock(&q->lock);
	if (new)
		err = hsl_queue_dead(q);
	if (!err) {
		spin_lock_irq(&q->vec->lock);
		old = q->eventfd;
		q->eventfd = new;
		spin_unlock_irq(&q->vec->lock);
		new = old;
	}
	mutex_unlock(&q->lock);
	if (new)
		eventfd_ctx_put(new);
	return err;
}

void hsl_queue_info(struct hsl_queue *q, struct hsl_queue_info *i)
{
	mutex_lock(&q->lock);
	i->node = q->chip->node;
	i->depth = q->depth;
	i->state = q->state;
	i->error = q->error;
	i->qid = q->qid;
	mutex_unlock(&q->lock);
}
