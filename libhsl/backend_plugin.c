// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * The plugin backend (hsl/plugin.h): a shared object says what a fabric is and executes commands; what the driver and the chip do for
 * a queue's owner beside that is done here.
 *
 * A queue: rings in process memory. The doorbell hands the plugin the descriptors between what it has had and the tail; complete(), from any
 * thread, writes the next entry of the completion ring. The eventfd is raised by every completion; rearm reads it empty and raises
 * it again if something is left, so that it is readable when completions are there and becomes so when one comes. An eventfd of
 * the user is raised once for each arming.
 *
 * An object stays loaded: its threads may outlive a fabric.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "hsl/plugin.h"
#include "priv.h"

struct hslp_plugin {
	const struct hsl_plugin_ops *ops;
	void *ctx;
	int event_fd;			/* never readable: a plugin has no events */
};

struct hsl_plugin_queue {
	const struct hsl_plugin_ops *ops;
	void *queue;			/* the plugin's */
	pthread_mutex_t lock;		/* guards what follows */
	struct hsl_queue_ctrl *ctrl;
	struct hsl_desc *sq;
	struct hsl_cqe *cq;
	void *ring;
	size_t ring_bytes;
	uint32_t depth;
	uint32_t taken;			/* descriptors handed over */
	uint32_t written;		/* completions written */
	int fd, user_fd;
	bool armed;
};

/* ---- completions ---- */

static void raise_fd(int fd)
{
	uint64_t one = 1;

	if (fd >= 0 && write(fd, &one, sizeof(one)) < 0 && errno != EAGAIN)
		hslp_warn("plugin: eventfd: write failed with %d", errno);
}

/* Under lock. */
static void wake(struct hsl_plugin_queue *q)
{
	raise_fd(q->fd);
	if (q->armed)
		raise_fd(q->user_fd);
	q->armed = false;
}

static void complete(struct hsl_plugin_queue *q, const struct hsl_cqe *c)
{
	struct hsl_cqe *e, last = { .status = HSL_CQE_CODE(c->status) };
	uint64_t tail;

	pthread_mutex_lock(&q->lock);
	if (q->written - q->ctrl->cq_head >= q->depth) {
		hslp_err("plugin: a queue of depth %u has more completions than commands: one is dropped", q->depth);
		pthread_mutex_unlock(&q->lock);
		return;
	}
	e = &q->cq[q->written & (q->depth - 1)];
	e->cookie = c->cookie;
	e->result = c->result;
	e->fault_ga = c->fault_ga;
	last.sq_head = (uint16_t)q->taken;
	if (!(q->written / q->depth & 1))
		last.status |= HSL_CQE_PHASE;
	memcpy(&tail, &last.sq_head, sizeof(tail));
	/* release: after the rest of the completion. Partner: take_ring in queue.c */
	__atomic_store_n((uint64_t *)(void *)&e->sq_head, tail, __ATOMIC_RELEASE);
	q->written++;
	wake(q);
	pthread_mutex_unlock(&q->lock);
}

static void ended(struct hsl_plugin_queue *q, uint32_t status)
{
	pthread_mutex_lock(&q->lock);
	if (q->ctrl->state == HSL_QUEUE_READY) {
		q->ctrl->error = status;
		__atomic_store_n(&q->ctrl->state, HSL_QUEUE_ERROR, __ATOMIC_RELEASE);
		wake(q);
	}
	pthread_mutex_unlock(&q->lock);
}

static const struct hsl_plugin_host host = {
	.version = HSL_PLUGIN_VERSION, .size = sizeof(host), .complete = complete, .ended = ended,
};

/* ---- queues ---- */

static int queue_doorbell(struct hsl_queue *q, uint32_t sq_tail)
{
	struct hsl_plugin_queue *p = q->plugin;
	uint32_t n, at, first;

	pthread_mutex_lock(&p->lock);
	n = sq_tail - p->taken;
	at = p->taken & (p->depth - 1);
	p->taken = sq_tail;
	pthread_mutex_unlock(&p->lock);
	/* not under lock: complete() may be called from inside. The ring wraps: two pieces */
	first = n < p->depth - at ? n : p->depth - at;
	if (first)
		p->ops->queue_submit(p->queue, &p->sq[at], first);
	if (n > first)
		p->ops->queue_submit(p->queue, p->sq, n - first);
	return 0;
}

static int queue_arm(struct hsl_queue *q, uint32_t cq_head)
{
	struct hsl_plugin_queue *p = q->plugin;

	pthread_mutex_lock(&p->lock);
	p->armed = true;
	if (p->written != cq_head || p->ctrl->state != HSL_QUEUE_READY) {
		raise_fd(p->user_fd);
		p->armed = false;
	}
	pthread_mutex_unlock(&p->lock);
	return 0;
}

static void queue_fd_rearm(struct hsl_queue *q, bool settled)
{
	struct hsl_plugin_queue *p = q->plugin;
	uint64_t count;

	(void)settled;
	pthread_mutex_lock(&p->lock);
	if (read(p->fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
		hslp_warn("plugin: eventfd: read failed with %d", errno);
	if (p->written != __atomic_load_n(&p->ctrl->cq_head, __ATOMIC_ACQUIRE) || p->ctrl->state != HSL_QUEUE_READY)
		raise_fd(p->fd);
	pthread_mutex_unlock(&p->lock);
}

static int queue_eventfd(struct hsl_queue *q, int fd)
{
	struct hsl_plugin_queue *p = q->plugin;
	int copy = -1, old;

	if (fd >= 0) {
		copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
		if (copy < 0)
			return -errno;
	}
	pthread_mutex_lock(&p->lock);
	old = p->user_fd;
	p->user_fd = copy;
	pthread_mutex_unlock(&p->lock);
	if (old >= 0)
		close(old);
	return 0;
}

static int queue_abort(struct hsl_queue *q)
{
	struct hsl_plugin_queue *p = q->plugin;

	return p->ctrl->state == HSL_QUEUE_READY ? p->ops->queue_abort(p->queue) : -ESHUTDOWN;
}

static void queue_refresh(struct hsl_queue *q)
{
	(void)q;
}

static int map_rings(struct hsl_queue *q, struct hsl_plugin_queue *p, size_t page)
{
	size_t sq = hslp_round_up(q->depth * sizeof(struct hsl_desc), page);
	size_t cq = hslp_round_up(q->depth * sizeof(struct hsl_cqe), page);
	char *ring;

	p->ring_bytes = page + sq + cq;
	ring = mmap(NULL, p->ring_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (ring == MAP_FAILED)
		return -ENOMEM;
	p->ring = ring;
	p->ctrl = (struct hsl_queue_ctrl *)(void *)ring;
	p->ctrl->state = HSL_QUEUE_READY;
	p->sq = (struct hsl_desc *)(void *)(ring + page);
	p->cq = (struct hsl_cqe *)(void *)(ring + page + sq);
	q->ctrl = p->ctrl;
	q->sq = p->sq;
	q->cq = p->cq;
	return 0;
}

static int queue_create(struct hsl_fabric *f, struct hsl_queue *q)
{
	struct hsl_chip_info chip = { .size = sizeof(chip), .node = q->node };
	struct hslp_plugin *pl = f->plugin;
	struct hsl_plugin_queue *p;
	int err;

	err = pl->ops->chip_info(pl->ctx, &chip);
	if (err)
		return err;
	if (q->depth > chip.max_depth)
		return -EINVAL;
	p = calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	p->ops = pl->ops;
	p->depth = q->depth;
	p->user_fd = -1;
	err = -pthread_mutex_init(&p->lock, NULL);
	if (err)
		goto free_queue;
	p->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (p->fd < 0) {
		err = -errno;
		goto destroy_lock;
	}
	err = map_rings(q, p, f->info.page_size);
	if (err)
		goto close_fd;
	err = pl->ops->queue_create(pl->ctx, q->node, q->depth, p, &p->queue);
	if (err)
		goto unmap;
	q->plugin = p;
	q->fd = p->fd;
	return 0;

unmap:
	munmap(p->ring, p->ring_bytes);
close_fd:
	close(p->fd);
destroy_lock:
	pthread_mutex_destroy(&p->lock);
free_queue:
	free(p);
	return err;
}

static void queue_destroy(struct hsl_queue *q)
{
	struct hsl_plugin_queue *p = q->plugin;

	p->ops->queue_destroy(p->queue);
	munmap(p->ring, p->ring_bytes);
	close(p->fd);
	if (p->user_fd >= 0)
		close(p->user_fd);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

/* ---- fabric and segments ---- */

static void plugin_close(struct hsl_fabric *f)
{
	struct hslp_plugin *p = f->plugin;

	p->ops->close(p->ctx);
	close(p->event_fd);
	free(p);
}

static int plugin_info(struct hsl_fabric *f, struct hsl_info *i)
{
	return f->plugin->ops->info(f->plugin->ctx, i);
}

static int chip_info(struct hsl_fabric *f, struct hsl_chip_info *c)
{
	int err = f->plugin->ops->chip_info(f->plugin->ctx, c);

	/* what this interface has no way for */
	c->cap &= ~(HSL_CAP_COUNTERS | HSL_CAP_CTF | HSL_CAP_MODELLED | HSL_CAP_MODERATION | HSL_CAP_SHADOW_TAIL | HSL_CAP_WINDOWS |
		    HSL_CAP_SENSORS);
	return err;
}

static int link_info(struct hsl_fabric *f, struct hsl_link_info *l)
{
	return f->plugin->ops->link_info(f->plugin->ctx, l);
}

static int segment_alloc(struct hsl_fabric *f, struct hsl_segment_alloc *a)
{
	if (a->flags)
		return a->flags & HSL_ALLOC_OBSERVABLE ? -EOPNOTSUPP : -EINVAL;
	/* no memory at a place of the caller's choice */
	if (a->ga)
		return -ENOENT;
	return f->plugin->ops->segment_alloc(f->plugin->ctx, a);
}

static int segment_register(struct hsl_fabric *f, struct hsl_segment_register *r)
{
	return f->plugin->ops->segment_register ? f->plugin->ops->segment_register(f->plugin->ctx, r) : -EOPNOTSUPP;
}

static int segment_free(struct hsl_fabric *f, uint32_t handle)
{
	return f->plugin->ops->segment_free(f->plugin->ctx, handle);
}

static int segment_info(struct hsl_fabric *f, struct hsl_segment_info *i)
{
	return f->plugin->ops->segment_info(f->plugin->ctx, i);
}

static int segment_map(struct hsl_fabric *f, const struct hsl_segment *s, int prot, void *at, void **ptr)
{
	return f->plugin->ops->segment_map(f->plugin->ctx, s->handle, hslp_round_up(s->len_bytes, f->info.page_size), prot, at, ptr);
}

static int no_export(struct hsl_fabric *f, struct hsl_segment_export *e)
{
	(void)f;
	(void)e;
	return -EOPNOTSUPP;
}

static int no_import(struct hsl_fabric *f, struct hsl_segment_import *i)
{
	(void)f;
	(void)i;
	return -EOPNOTSUPP;
}

static int no_revoke(struct hsl_fabric *f, uint32_t handle)
{
	(void)f;
	(void)handle;
	return -EOPNOTSUPP;
}

static int no_counter(struct hsl_fabric *f, const struct hslp_counter *at, uint64_t *value)
{
	(void)f;
	(void)at;
	(void)value;
	return -EOPNOTSUPP;
}

static int no_sensors(struct hsl_fabric *f, uint32_t node, struct hsl_sensors *s)
{
	(void)f;
	(void)node;
	(void)s;
	return -EOPNOTSUPP;
}

static int no_ctf(struct hsl_fabric *f, struct hsl_ctf *c)
{
	(void)f;
	(void)c;
	return -EOPNOTSUPP;
}

static int event_fd(struct hsl_fabric *f)
{
	return f->plugin->event_fd;
}

static int event_read(struct hsl_fabric *f, struct hsl_fabric_event *ev, unsigned int n)
{
	(void)f;
	(void)ev;
	(void)n;
	return 0;
}

static const struct hsl_backend_ops ops = {
	.name = "plugin",
	.close = plugin_close,
	.info = plugin_info,
	.chip_info = chip_info,
	.link_info = link_info,
	.counter = no_counter,
	.sensors = no_sensors,
	.ctf_open = no_ctf,
	.segment_alloc = segment_alloc,
	.segment_register = segment_register,
	.segment_free = segment_free,
	.segment_info = segment_info,
	.segment_map = segment_map,
	.segment_export = no_export,
	.segment_import = no_import,
	.segment_revoke = no_revoke,
	.event_fd = event_fd,
	.event_read = event_read,
	.queue_create = queue_create,
	.queue_destroy = queue_destroy,
	.queue_doorbell = queue_doorbell,
	.queue_arm = queue_arm,
	.queue_eventfd = queue_eventfd,
	.queue_abort = queue_abort,
	.queue_refresh = queue_refresh,
	.queue_fd_rearm = queue_fd_rearm,
};

static int check(const char *file, const struct hsl_plugin_ops *o)
{
	if (!o) {
		hslp_err("plugin:%s: it exports no %s", file, HSL_PLUGIN_SYMBOL);
		return -EINVAL;
	}
	if (o->version != HSL_PLUGIN_VERSION || o->size < sizeof(*o)) {
		hslp_err("plugin:%s: made for version %u of the plugin interface, libhsl %s has %u", file, o->version, hsl_version(),
			 HSL_PLUGIN_VERSION);
		return -EPROTO;
	}
	if (!o->open || !o->close || !o->info || !o->chip_info || !o->link_info || !o->segment_alloc || !o->segment_free || !o->segment_info ||
	    !o->segment_map || !o->queue_create || !o->queue_destroy || !o->queue_submit || !o->queue_abort) {
		hslp_err("plugin:%s: an operation that is not optional is missing", file);
		return -EINVAL;
	}
	return 0;
}

int hslp_plugin_open(struct hsl_fabric *f, const char *spec)
{
	size_t len = strcspn(spec, ",");
	struct hslp_plugin *p;
	char *file;
	void *so;
	int err;

	/* code of the user's choice: not with rights that are not his */
	if (getauxval(AT_SECURE))
		return -EPERM;
	file = strndup(spec, len);
	p = calloc(1, sizeof(*p));
	err = -ENOMEM;
	if (!file || !p)
		goto free_plugin;
	so = dlopen(file, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
	if (!so) {
		hslp_err("plugin: %s", dlerror());
		err = access(file, F_OK) ? -ENOENT : -EINVAL;
		goto free_plugin;
	}
	p->ops = dlsym(so, HSL_PLUGIN_SYMBOL);
	err = check(file, p->ops);
	if (err)
		goto close_so;
	p->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (p->event_fd < 0) {
		err = -errno;
		goto close_so;
	}
	err = p->ops->open(spec[len] ? spec + len + 1 : "", &host, &p->ctx);
	if (err)
		goto close_event_fd;
	f->plugin = p;
	f->ops = &ops;
	f->info = (struct hsl_info){ .size = sizeof(f->info), .abi_version = HSL_ABI_VERSION };
	err = p->ops->info(p->ctx, &f->info);
	if (err)
		goto close_plugin;
	if (f->info.page_size < 4096 || f->info.page_size & (f->info.page_size - 1)) {
		hslp_err("plugin:%s: page size %u", file, f->info.page_size);
		err = -EINVAL;
		goto close_plugin;
	}
	free(file);
	return 0;

close_plugin:
	p->ops->close(p->ctx);
close_event_fd:
	close(p->event_fd);
close_so:
	dlclose(so);
free_plugin:
	free(file);
	free(p);
	return err;
}
