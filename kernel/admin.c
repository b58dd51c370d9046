// SPDX-License-Identifier: GPL-2.0-only
/*
 * The admin queue: commands of the driver to the chip.
 *
 * A request occupies the slot of its descriptor until it is reaped, so at most depth are outstanding and rings cannot
 * overflow. Whoever waits reaps completions for everybody. Waiting is polling, first in a spin, then with sleeps: admin
 * commands are short, and it works in every state of interrupts.
 *
 * A command that does not complete in time makes the chip FAILED, one whose chip reads as all ones at once; its waiter returns
 * only after DMA has been cut off, because it will release memory on return. It waits for its request to be aborted, not for
 * fail_work: that goes on to end queues, and the waiter may hold the lock of one. A reset aborts what is outstanding; since tables are read afresh after a reset,
 * invalidations are just submitted again, which also makes the caller wait for the end of the reset.
 *
 * Locking: admin.lock guards rings, counters, slots and the state of requests. chip->access is held (read) from the look
 * at the chip's state to the doorbell.
 */
#include <linux/delay.h>
#include <linux/dma-mapping.h>
#include <linux/moduleparam.h>
#include <linux/sched/signal.h>

#include "hsl_priv.h"
#include "trace.h"

#define HSL_ADMIN_SPIN_US	100
#define HSL_ADMIN_SLEEP_US	1000u	/* between two looks, at most */
#define HSL_FILL_BYTES		(32ull << 20)	/* one zeroing command: others get their turn in between */

static unsigned int admin_timeout_ms = 30000;
module_param(admin_timeout_ms, uint, 0644);
MODULE_PARM_DESC(admin_timeout_ms, "time after which a chip that does not complete an admin command has failed; at least 100");

static unsigned int hsl_admin_timeout_ms(void)
{
	return max(READ_ONCE(admin_timeout_ms), 100u);
}

static int hsl_admin_place(struct hsl_chip *chip, struct hsl_admin_req *req)
{
	struct hsl_admin *a = &chip->admin;
	u32 slot;

	spin_lock(&a->lock);
	slot = a->sq_tail & (a->depth - 1);
	if (a->slots[slot]) {
		spin_unlock(&a->lock);
		return -EBUSY;
	}
	a->slots[slot] = req;
	req->slot = slot;
	req->state = HSL_REQ_PENDING;
	req->start = ktime_get();
	req->desc.cookie = cpu_to_le64(a->sq_tail);
	a->sq[slot] = req->desc;
	a->sq_tail++;
	/* writel orders the descriptor before the doorbell; the lock orders doorbells */
	writel(a->sq_tail, hsl_chip_doorbell(chip, 0) + HSL_DB_SQ_TAIL);
	spin_unlock(&a->lock);
	return 0;
}

static void hsl_admin_reap(struct hsl_admin *a)
{
	lockdep_assert_held(&a->lock);
	while (a->cq) {
		u32 slot = a->cq_head & (a->depth - 1);
		u32 phase = ((a->cq_head / a->depth) & 1) ^ 1;
		u32 status = le32_to_cpu(READ_ONCE(a->cq[slot].status));
		struct hsl_admin_req *req;

		if ((status >> 31) != phase)
			return;
		/* status is written last by the chip: the cookie is read after it */
		dma_rmb();
		req = a->slots[le64_to_cpu(a->cq[slot].cookie) & (a->depth - 1)];
		a->cq_head++;
		if (!req || req->desc.cookie != a->cq[slot].cookie)
			continue;	/* not one of ours; nothing to complete */
		a->slots[req->slot] = NULL;
		req->status = HSL_CQE_CODE(status);
		req->state = HSL_REQ_DONE;
		wake_up_all(&a->slot_wq);
	}
}

static bool hsl_admin_slot_free(struct hsl_chip *chip)
{
	struct hsl_admin *a = &chip->admin;
	bool free;

	spin_lock(&a->lock);
	hsl_admin_reap(a);
	free = !a->slots[a->sq_tail & (a->depth - 1)];
	spin_unlock(&a->lock);
	return free || hsl_chip_state_get(chip) != HSL_STATE_READY;
}

/*
 * Wait for the end of a reset. HSL_ADMIN_ONCE waits only until DMA has stopped: its caller may hold what the reset
 * needs to go on (queue->lock).
 */
int hsl_admin_ready(struct hsl_chip *chip, unsigned int flags)
{
	if (!(flags & HSL_ADMIN_ONCE))
		return hsl_chip_settled(chip);
	wait_event(chip->state_wq, hsl_chip_state_get(chip) != HSL_STATE_QUIESCING);
	switch (hsl_chip_state_get(chip)) {
	case HSL_STATE_READY:
		return 0;
	case HSL_STATE_QUIESCING:
	case HSL_STATE_STOPPED:
		return -EAGAIN;
	default:
		return -ENODEV;
	}
}

/* -ENODEV: there is no such chip any more; -EAGAIN: in reset, with HSL_ADMIN_ONCE. */
int hsl_admin_submit(struct hsl_chip *chip, struct hsl_admin_req *req, unsigned int flags)
{
	unsigned long end = jiffies + msecs_to_jiffies(hsl_admin_timeout_ms());
	int err;

	for (;;) {
		err = hsl_admin_ready(chip, flags);
		if (err)
			return err;
		down_read(&chip->access);
		err = hsl_chip_state_get(chip) == HSL_STATE_READY ? hsl_admin_place(chip, req) : -EAGAIN;
		up_read(&chip->access);
		if (!err)
			return 0;
		if (time_after(jiffies, end)) {
			hsl_chip_fail(chip, "its admin queue is stuck");
			end = jiffies + msecs_to_jiffies(hsl_admin_timeout_ms());
		}
		if (err == -EBUSY)
			wait_event_timeout(chip->admin.slot_wq, hsl_admin_slot_free(chip), HZ / 100);
	}
}

static enum hsl_admin_state hsl_admin_look(struct hsl_chip *chip, struct hsl_admin_req *req)
{
	enum hsl_admin_state state;

	spin_lock(&chip->admin.lock);
	hsl_admin_reap(&chip->admin);
	state = req->state;
	spin_unlock(&chip->admin.lock);
	return state;
}

static int hsl_admin_errno(struct hsl_chip *chip, struct hsl_admin_req *req)
{
	if (req->status == HSL_ST_OK)
		return 0;
	dev_warn_ratelimited(&chip->dev, "admin command %#x failed with status %u\n", req->desc.opcode, req->status);
	return -EIO;
}

/* READY, and its registers do not answer. */
static bool hsl_admin_lost(struct hsl_chip *chip)
{
	bool lost;

	down_read(&chip->access);
	lost = hsl_chip_state_get(chip) == HSL_STATE_READY && !hsl_chip_present(chip);
	up_read(&chip->access);
	return lost;
}

/* 0, -EIO (the chip refused; req->status), -EAGAIN (aborted by a reset), -ENODEV. Not killable, bounded. */
int hsl_admin_wait(struct hsl_chip *chip, struct hsl_admin_req *req)
{
	ktime_t spin_end = ktime_add_us(req->start, HSL_ADMIN_SPIN_US);
	ktime_t end = ktime_add_ms(req->start, hsl_admin_timeout_ms());
	enum hsl_admin_state state;
	unsigned int sleep_us = 20;

	for (;;) {
		const char *why = NULL;

		state = hsl_admin_look(chip, req);
		if (state != HSL_REQ_PENDING)
			break;
		if (ktime_before(ktime_get(), spin_end)) {
			cpu_relax();
			continue;
		}
		if (ktime_after(ktime_get(), end))
			why = "an admin command did not complete";
		else if (sleep_us == HSL_ADMIN_SLEEP_US && hsl_admin_lost(chip))
			why = "it does not answer";
		if (why) {
			hsl_chip_fail(chip, why);	/* aborts the request, as every other change of state */
			end = ktime_add_ms(ktime_get(), hsl_admin_timeout_ms());
		}
		usleep_range(sleep_us, sleep_us * 2);
		sleep_us = min(sleep_us * 2, HSL_ADMIN_SLEEP_US);
	}
	trace_hsl_admin_command(chip->node, req->desc.opcode, le64_to_cpu(req->desc.arg0), le64_to_cpu(req->desc.arg1),
				state == HSL_REQ_DONE ? req->status : HSL_ST_ABORTED,
				ktime_to_ns(ktime_sub(ktime_get(), req->start)));
	return state == HSL_REQ_DONE ? hsl_admin_errno(chip, req) : -EAGAIN;
}

int hsl_admin_exec(struct hsl_chip *chip, struct hsl_admin_req *req, unsigned int flags)
{
	int err;

	do {
		err = hsl_admin_submit(chip, req, flags);
		if (!err)
			err = hsl_admin_wait(chip, req);
	} while (err == -EAGAIN && !(flags & HSL_ADMIN_ONCE));
	return err;
}

/* A chip that refuses an invalidation may go on using what it was told to forget: cut it off before memory is released. */
void hsl_admin_distrust(struct hsl_chip *chip)
{
	hsl_chip_fail(chip, "it refuses an invalidation");
	flush_work(&chip->fail_work);
	hsl_chip_settled(chip);
}

int hsl_admin_ctx_invalidate(struct hsl_chip *chip, u32 index)
{
	struct hsl_admin_req req = {
		.desc = { .opcode = HSL_OP_CTX_INVALIDATE, .arg0 = cpu_to_le64(index) },
	};
	int err = hsl_admin_exec(chip, &req, 0);

	if (err == -EIO)
		hsl_admin_distrust(chip);
	return err == -EIO ? -ENODEV : err;
}

/* A command on a range of the chip's memory, in pieces. -EINTR if the caller is being killed: what was done is done. */
static int hsl_admin_range(struct hsl_chip *chip, u8 opcode, u64 off, u64 len)
{
	u64 piece = min_t(u64, chip->max_len & PAGE_MASK, HSL_FILL_BYTES);

	while (len) {
		u64 n = min(len, piece);
		struct hsl_admin_req req = {
			.desc = {
				.opcode = opcode,
				.dst = cpu_to_le64(HSL_GA(chip->node, off)),
				.len = cpu_to_le64(n),
			},
		};
		int err = hsl_admin_exec(chip, &req, 0);

		if (!err && fatal_signal_pending(current))
			err = -EINTR;
		if (err)
			return err;
		off += n;
		len -= n;
	}
	return 0;
}

/* Zero chip memory. */
int hsl_admin_fill(struct hsl_chip *chip, u64 off, u64 len)
{
	return hsl_admin_range(chip, HSL_OP_FILL, off, len);
}

/* No cache of the fabric has a line of the range afterwards, if nobody uses it meanwhile (HEP-MAP-027). */
int hsl_admin_flush(struct hsl_chip *chip, u64 off, u64 len)
{
	return hsl_admin_range(chip, HSL_OP_FLUSH, off, len);
}

/* Empty rings for a chip that has forgotten its own; everything outstanding is aborted. No DMA may be running. */
void hsl_admin_reset(struct hsl_chip *chip)
{
	struct hsl_admin *a = &chip->admin;
	u32 i;

	spin_lock(&a->lock);
	for (i = 0; i < a->depth; i++) {
		if (a->slots[i])
			a->slots[i]->state = HSL_REQ_ABORTED;
		a->slots[i] = NULL;
	}
	memset(a->sq, 0, a->depth * sizeof(*a->sq));
	memset(a->cq, 0, a->depth * sizeof(*a->cq));
	a->sq_tail = 0;
	a->cq_head = 0;
	spin_unlock(&a->lock);
	wake_up_all(&a->slot_wq);
}

int hsl_admin_init(struct hsl_chip *chip)
{
	struct hsl_admin *a = &chip->admin;

	a->depth = min_t(u32, HSL_ADMIN_DEPTH, chip->max_depth);
	a->sq = dma_alloc_coherent(chip->parent, a->depth * sizeof(*a->sq), &a->sq_dma, GFP_KERNEL);
	a->cq = dma_alloc_coherent(chip->parent, a->depth * sizeof(*a->cq), &a->cq_dma, GFP_KERNEL);
	return a->sq && a->cq ? 0 : -ENOMEM;
}

void hsl_admin_exit(struct hsl_chip *chip)
{
	struct hsl_admin *a = &chip->admin;
	struct hsl_desc *sq = a->sq;
	struct hsl_cqe *cq = a->cq;

	/* a late waiter may still look at its aborted request */
	spin_lock(&a->lock);
	a->sq = NULL;
	a->cq = NULL;
	spin_unlock(&a->lock);
	if (sq)
		dma_free_coherent(chip->parent, a->depth * sizeof(*sq), sq, a->sq_dma);
	if (cq)
		dma_free_coherent(chip->parent, a->depth * sizeof(*cq), cq, a->cq_dma);
}
