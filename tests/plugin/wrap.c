// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * wrap.so: an example of a plugin of libhsl (hsl/plugin.h), and its test. It serves what another fabric of libhsl is,
 * "plugin:wrap.so,sim:mesh4" by default sim:pair2, through the public interface only; a plugin for hardware has its own way to the chip
 * in place of each hsl_ call.
 *
 * A queue has a thread that hands completions on. With ",lose=N" in the arguments every Nth completion is kept back, with ",without=BITS"
 * its chips do not claim these capabilities: for tests of what notices.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/hsl.h>

#include "hsl/plugin.h"

struct segment {
	struct segment *next;
	struct hsl_segment *inner;
	uint32_t handle;
};

struct context {
	struct hsl_fabric *f;
	const struct hsl_plugin_host *host;
	pthread_mutex_t lock;		/* guards the lists; before a queue's */
	struct segment *segments;
	struct queue *queues;
	unsigned int lose;
	uint64_t without;		/* HSL_CAP_* */
};

struct queue {
	struct queue *next;
	struct context *ctx;
	struct hsl_plugin_queue *outer;
	struct hsl_queue *inner;
	pthread_mutex_t lock;		/* of the inner queue, which is for one thread at a time */
	pthread_t pump;
	int stop_fd;
	unsigned int ncompletions;
};

/* ---- fabric ---- */

static int wrap_open(const char *args, const struct hsl_plugin_host *host, void **out)
{
	struct context *c = calloc(1, sizeof(*c));
	const char *lose = strstr(args, "lose="), *without = strstr(args, "without=");
	char url[128];
	int err;

	if (!c)
		return -ENOMEM;
	snprintf(url, sizeof(url), "%.*s", (int)strcspn(args, ","), args);
	if (!*args || lose == args || without == args)
		snprintf(url, sizeof(url), "sim:pair2");
	if (lose)
		c->lose = (unsigned int)strtoul(lose + 5, NULL, 10);
	if (without)
		c->without = strtoull(without + 8, NULL, 0);
	c->host = host;
	pthread_mutex_init(&c->lock, NULL);
	err = hsl_fabric_open(url, &c->f);
	if (err) {
		free(c);
		return err;
	}
	*out = c;
	return 0;
}

static void wrap_close(void *ctx)
{
	struct context *c = ctx;

	hsl_fabric_close(c->f);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

static int wrap_info(void *ctx, struct hsl_info *i)
{
	struct context *c = ctx;
	struct hsl_fabric_info in = { .size = sizeof(in) };
	int err = hsl_fabric_info(c->f, &in);

	i->abi_version = HSL_ABI_VERSION;
	i->nchips = in.nchips;
	i->fabric_id[0] = in.fabric_id[0];
	i->fabric_id[1] = in.fabric_id[1];
	i->host_node = in.host_node;
	i->ga_offset_bits = in.ga_offset_bits;
	i->page_size = in.page_size_bytes;
	i->ctx_index = in.ctx_index;
	return err;
}

static int wrap_chip_info(void *ctx, struct hsl_chip_info *o)
{
	struct context *c = ctx;
	struct hsl_chip_props p = { .size = sizeof(p) };
	int err = o->flags & HSL_CHIP_BY_INDEX ? hsl_chip_by_index(c->f, o->node, &p) : hsl_chip_by_node(c->f, o->node, &p);

	if (err)
		return err;
	o->node = p.node;
	o->state = p.state;
	o->mem_bytes = p.mem_bytes;
	o->mem_free_bytes = p.mem_free_bytes;
	o->cap = p.cap & ~c->without;
	o->max_len_bytes = p.max_len_bytes;
	o->hep_version = p.hep_version;
	o->max_depth = p.max_depth;
	o->nqueues = p.nqueues;
	o->nqueues_free = p.nqueues_free;
	o->nlinks = p.nlinks;
	o->numa_node = p.numa_node;
	snprintf((char *)o->bus_addr, sizeof(o->bus_addr), "wrap:%u", p.node);
	snprintf((char *)o->driver, sizeof(o->driver), "wrap");
	return 0;
}

static int wrap_link_info(void *ctx, struct hsl_link_info *o)
{
	struct context *c = ctx;
	struct hsl_link_props p = { .size = sizeof(p) };
	int err = hsl_link_query(c->f, o->node, o->index, &p);

	if (err)
		return err;
	o->peer = p.peer;
	o->peer_type = p.peer_type;
	o->state = p.state;
	o->width = p.width;
	o->rate_mtps = p.rate_mtps;
	o->latency_ps = p.latency_ps;
	if (o->size < sizeof(*o)) /* of an older libhsl */
		return 0;
	o->max_width = p.max_width;
	o->max_rate_mtps = p.max_rate_mtps;
	return 0;
}

/* ---- completions ---- */

/* Under the queue's lock. */
static void hand_on(struct queue *q)
{
	struct hsl_completion c[32];
	int n, i;

	while ((n = hsl_queue_poll(q->inner, c, 32)) > 0) {
		for (i = 0; i < n; i++) {
			struct hsl_cqe e = {
				.cookie = c[i].cookie, .result = c[i].result, .fault_ga = c[i].fault_ga, .status = c[i].status
			};

			if (!q->ctx->lose || ++q->ncompletions % q->ctx->lose)
				q->ctx->host->complete(q->outer, &e);
		}
	}
}

/* What had ended when an op of the fabric returned is told before it returns here. */
static void hand_on_all(struct context *c)
{
	struct queue *q;

	pthread_mutex_lock(&c->lock);
	for (q = c->queues; q; q = q->next) {
		pthread_mutex_lock(&q->lock);
		hand_on(q);
		pthread_mutex_unlock(&q->lock);
	}
	pthread_mutex_unlock(&c->lock);
}

/* ---- segments ---- */

static int segment_keep(struct context *c, struct hsl_segment *inner)
{
	struct segment *s = calloc(1, sizeof(*s));

	if (!s) {
		hsl_segment_free(inner);
		return -ENOMEM;
	}
	s->inner = inner;
	s->handle = hsl_segment_handle(inner);
	pthread_mutex_lock(&c->lock);
	s->next = c->segments;
	c->segments = s;
	pthread_mutex_unlock(&c->lock);
	return 0;
}

/* NULL: no such handle. take: off the list, to be freed by the caller. */
static struct segment *segment_find(struct context *c, uint32_t handle, int take)
{
	struct segment **at, *s;

	pthread_mutex_lock(&c->lock);
	for (at = &c->segments; *at && (*at)->handle != handle; at = &(*at)->next)
		;
	s = *at;
	if (s && take)
		*at = s->next;
	pthread_mutex_unlock(&c->lock);
	return s;
}

static int wrap_segment_alloc(void *ctx, struct hsl_segment_alloc *a)
{
	struct hsl_segment_opts o = { .size = sizeof(o), .align_bytes = a->align_bytes, .rights = a->rights };
	struct context *c = ctx;
	struct hsl_segment *s;
	int err = hsl_segment_alloc(c->f, a->node, a->len_bytes, &o, &s);

	if (err)
		return err;
	a->len_bytes = hsl_segment_len(s);
	a->ga = hsl_segment_ga(s);
	a->handle = hsl_segment_handle(s);
	return segment_keep(c, s);
}

static int wrap_segment_register(void *ctx, struct hsl_segment_register *r)
{
	struct hsl_segment_opts o = { .size = sizeof(o), .rights = r->rights };
	struct context *c = ctx;
	struct hsl_segment *s;
	int err = hsl_segment_register(c->f, (void *)(uintptr_t)r->addr, r->len_bytes, &o, &s);

	if (err)
		return err;
	r->ga = hsl_segment_ga(s);
	r->handle = hsl_segment_handle(s);
	return segment_keep(c, s);
}

static int wrap_segment_free(void *ctx, uint32_t handle)
{
	struct segment *s = segment_find(ctx, handle, 1);
	int err;

	if (!s)
		return -ENOENT;
	err = hsl_segment_free(s->inner);
	free(s);
	hand_on_all(ctx);
	return err;
}

static int wrap_segment_info(void *ctx, struct hsl_segment_info *i)
{
	struct segment *s = segment_find(ctx, i->handle, 0);

	if (!s)
		return -ENOENT;
	i->flags = 0;
	i->rights = hsl_segment_rights(s->inner);
	i->ga = hsl_segment_ga(s->inner);
	i->len_bytes = hsl_segment_len(s->inner);
	return 0;
}

/* A mapping of its own beside libhsl's: mremap of length 0 doubles a shared one. */
static int wrap_segment_map(void *ctx, uint32_t handle, size_t len, int prot, void *at, void **ptr)
{
	struct segment *s = segment_find(ctx, handle, 0);
	void *p, *mine;
	int err;

	if (!s)
		return -ENOENT;
	err = hsl_segment_map(s->inner, &p);
	if (err)
		return err;
	mine = at ? mremap(p, 0, len, MREMAP_MAYMOVE | MREMAP_FIXED, at) : mremap(p, 0, len, MREMAP_MAYMOVE);
	if (mine == MAP_FAILED)
		return -errno;
	if (mprotect(mine, len, prot)) {
		err = -errno;
		munmap(mine, len);
		return err;
	}
	*ptr = mine;
	return 0;
}

/* ---- queues ---- */

static void *pump(void *arg)
{
	struct queue *q = arg;
	struct pollfd fd[2] = { { .fd = hsl_queue_fd(q->inner), .events = POLLIN }, { .fd = q->stop_fd, .events = POLLIN } };
	uint32_t error;
	int over = 0;

	while (!over && (poll(fd, 2, -1) >= 0 || errno == EINTR)) {
		if (fd[1].revents)
			break;
		pthread_mutex_lock(&q->lock);
		hand_on(q);
		over = hsl_queue_state(q->inner, &error) != HSL_QUEUE_READY;
		pthread_mutex_unlock(&q->lock);
		if (over)
			q->ctx->host->ended(q->outer, error);
	}
	return NULL;
}

static int wrap_queue_create(void *ctx, uint32_t node, uint32_t depth, struct hsl_plugin_queue *outer, void **out)
{
	struct hsl_queue_opts o = { .size = sizeof(o), .depth = depth };
	struct context *c = ctx;
	struct queue *q = calloc(1, sizeof(*q));
	int err;

	if (!q)
		return -ENOMEM;
	q->ctx = c;
	q->outer = outer;
	err = hsl_queue_create(c->f, node, &o, &q->inner);
	if (err)
		goto free_queue;
	q->stop_fd = eventfd(0, EFD_CLOEXEC);
	if (q->stop_fd < 0) {
		err = -errno;
		goto destroy_inner;
	}
	pthread_mutex_init(&q->lock, NULL);
	err = -pthread_create(&q->pump, NULL, pump, q);
	if (err)
		goto close_fd;
	pthread_mutex_lock(&c->lock);
	q->next = c->queues;
	c->queues = q;
	pthread_mutex_unlock(&c->lock);
	*out = q;
	return 0;

close_fd:
	close(q->stop_fd);
destroy_inner:
	hsl_queue_destroy(q->inner);
free_queue:
	free(q);
	return err;
}

static void wrap_queue_destroy(void *queue)
{
	struct queue *q = queue, **at;
	uint64_t one = 1;

	pthread_mutex_lock(&q->ctx->lock);
	for (at = &q->ctx->queues; *at != q; at = &(*at)->next)
		;
	*at = q->next;
	pthread_mutex_unlock(&q->ctx->lock);
	if (write(q->stop_fd, &one, sizeof(one)) != sizeof(one))
		abort();
	pthread_join(q->pump, NULL);
	hsl_queue_destroy(q->inner);
	close(q->stop_fd);
	pthread_mutex_destroy(&q->lock);
	free(q);
}

static void wrap_queue_submit(void *queue, const struct hsl_desc *d, uint32_t n)
{
	struct queue *q = queue;
	uint32_t i;
	int rc;

	for (i = 0; i < n; i++) {
		struct hsl_op op = { .opcode = d[i].opcode, .order = d[i].order, .flags = d[i].flags, .subop = d[i].subop, .rsvd1 = d[i].rsvd0,
				     .cookie = d[i].cookie, .dst = d[i].dst, .src = d[i].src, .len = d[i].len, .arg0 = d[i].arg0,
				     .arg1 = d[i].arg1 };

		do {
			pthread_mutex_lock(&q->lock);
			rc = hsl_queue_submit(q->inner, &op, 1);
			if (rc == -EAGAIN)
				hand_on(q);
			pthread_mutex_unlock(&q->lock);
			if (rc == -EAGAIN)
				sched_yield();
		} while (rc == -EAGAIN);
	}
}

static int wrap_queue_abort(void *queue)
{
	struct queue *q = queue;
	int err;

	pthread_mutex_lock(&q->lock);
	err = hsl_queue_abort(q->inner);
	hand_on(q);
	pthread_mutex_unlock(&q->lock);
	return err;
}

const struct hsl_plugin_ops hsl_plugin = {
	.version = HSL_PLUGIN_VERSION,
	.size = sizeof(struct hsl_plugin_ops),
	.name = "wrap",
	.open = wrap_open,
	.close = wrap_close,
	.info = wrap_info,
	.chip_info = wrap_chip_info,
	.link_info = wrap_link_info,
	.segment_alloc = wrap_segment_alloc,
	.segment_free = wrap_segment_free,
	.segment_info = wrap_segment_info,
	.segment_map = wrap_segment_map,
	.segment_register = wrap_segment_register,
	.queue_create = wrap_queue_create,
	.queue_destroy = wrap_queue_destroy,
	.queue_submit = wrap_queue_submit,
	.queue_abort = wrap_queue_abort,
};
