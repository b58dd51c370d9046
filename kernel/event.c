// SPDX-License-Identifier: GPL-2.0-only
/*
 * Events of a fabric: the last HSL_EVENTS of them in a ring, numbered from 1 on; a cursor per file (HEP-API-012).
 *
 * Posting never waits and never fails: whoever reads too slowly loses the oldest, and is told how many by one overflow event
 * that stands for them. The end of the fabric is the last thing to be posted; after it read() gives what is left
 * and then ENODEV.
 *
 * Locking: events.lock (leaf) guards the ring, the numbers and the cursors. ctx->read_lock keeps readers of one file
 * from mixing their events; it is held over the copy to the user, so nothing nests in it but events.lock, and never
 * while waiting.
 */
#include <linux/ktime.h>
#include <linux/poll.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>

#include "hsl_priv.h"
#include "trace.h"

static_assert(sizeof(struct hsl_event_info) == 32);

void hsl_events_init(struct hsl_events *ev)
{
	spin_lock_init(&ev->lock);
	init_waitqueue_head(&ev->wq);
	ev->next = 1;
}

void hsl_event_post(struct hsl_fabric *f, u32 type, u32 node, u32 index, u32 value)
{
	struct hsl_events *ev = &f->events;
	struct hsl_event_info *e;
	u64 seq;

	spin_lock(&ev->lock);
	e = &ev->ring[ev->next % HSL_EVENTS];
	*e = (struct hsl_event_info){
		.seq = ev->next, .time_ns = ktime_get_ns(), .type = type, .node = node, .index = index, .value = value,
	};
	seq = ev->next++;
	spin_unlock(&ev->lock);
	trace_hsl_fabric_event(f->minor, seq, type, node, index, value);
	wake_up_all(&ev->wq);
}

/* The last chip has left. */
void hsl_events_end(struct hsl_fabric *f)
{
	spin_lock(&f->events.lock);
	f->events.ended = true;
	spin_unlock(&f->events.lock);
	wake_up_all(&f->events.wq);
}

/* A file sees what comes after its open. */
void hsl_events_open(struct hsl_context *ctx, struct hsl_fabric *f)
{
	spin_lock(&f->events.lock);
	ctx->next_event = f->events.next;
	spin_unlock(&f->events.lock);
}

/* 1: *e is the file's next event, and its cursor moves to *after with it; 0: none yet; -ENODEV: there will be none. */
static int hsl_event_peek(struct hsl_context *ctx, struct hsl_event_info *e, u64 *after)
{
	struct hsl_events *ev = &ctx->fabric->events;
	u64 oldest;
	int ret = 1;

	spin_lock(&ev->lock);
	oldest = ev->next > HSL_EVENTS ? ev->next - HSL_EVENTS : 1;
	if (ctx->next_event < oldest) {
		*e = (struct hsl_event_info){
			.seq = oldest - 1, .time_ns = ktime_get_ns(), .type = HSL_FABRIC_EV_OVERFLOW,
			.value = min_t(u64, oldest - ctx->next_event, U32_MAX),
		};
		*after = oldest;
	} else if (ctx->next_event < ev->next) {
		*e = ev->ring[ctx->next_event % HSL_EVENTS];
		*after = ctx->next_event + 1;
	} else {
		ret = ev->ended ? -ENODEV : 0;
	}
	spin_unlock(&ev->lock);
	return ret;
}

/* As many whole events as there are and fit: bytes, 0 if there is none, or an error if it came before the first. */
static ssize_t hsl_events_copy(struct hsl_context *ctx, char __user *buf, size_t len)
{
	struct hsl_event_info e;
	size_t done = 0;
	u64 after;
	int ret = 0;

	if (mutex_lock_interruptible(&ctx->read_lock))
		return -ERESTARTSYS;
	while (len - done >= sizeof(e)) {
		ret = hsl_event_peek(ctx, &e, &after);
		if (ret <= 0)
			break;
		if (copy_to_user(buf + done, &e, sizeof(e))) {
			ret = -EFAULT;
			break;
		}
		spin_lock(&ctx->fabric->events.lock);
		ctx->next_event = after;
		spin_unlock(&ctx->fabric->events.lock);
		done += sizeof(e);
	}
	mutex_unlock(&ctx->read_lock);
	return done ? done : min(ret, 0);
}

static bool hsl_event_ready(struct hsl_context *ctx)
{
	struct hsl_event_info e;
	u64 after;

	return hsl_event_peek(ctx, &e, &after) != 0;
}

ssize_t hsl_context_read(struct file *file, char __user *buf, size_t len, loff_t *pos)
{
	struct hsl_context *ctx = file->private_data;
	ssize_t ret;

	if (len < sizeof(struct hsl_event_info))
		return -EINVAL;
	for (;;) {
		ret = hsl_events_copy(ctx, buf, len);
		if (ret)
			return ret;
		if (file->f_flags & O_NONBLOCK)
			return -EAGAIN;
		if (wait_event_interruptible(ctx->fabric->events.wq, hsl_event_ready(ctx)))
			return -ERESTARTSYS;
	}
}

__poll_t hsl_context_poll(struct file *file, poll_table *wait)
{
	struct hsl_context *ctx = file->private_data;
	struct hsl_events *ev = &ctx->fabric->events;
	__poll_t mask = 0;

	poll_wait(file, &ev->wq, wait);
	spin_lock(&ev->lock);
	if (ctx->next_event < ev->next)
		mask |= EPOLLIN | EPOLLRDNORM;
	if (ev->ended)
		mask |= EPOLLHUP;
	spin_unlock(&ev->lock);
	return mask;
}
