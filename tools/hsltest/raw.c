/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The driver's interface as include/uapi/linux/hsl.h declares it, used without libhsl: for the
 * rules that libhsl keeps a program from breaking (reserved fields of a descriptor, doorbell
 * widths, counters that run ahead).
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/hsl.h>

#include "hsltest.h"
#include "libhsl/raw.h"

int ht_ioctl(int fd, unsigned long cmd, void *arg)
{
	return ioctl(fd, cmd, arg) < 0 ? -errno : 0;
}

int ht_raw_open(struct ht *t)
{
	struct hsl_info info = { .size = sizeof(info), .abi_version = HSL_ABI_VERSION };
	const char *path = t->config->url;
	int fd;

	if (t->sim) /* the context is the test's own; there is a file to close */
		return open("/dev/null", O_RDWR | O_CLOEXEC);
	if (!path)
		path = getenv("HSL_FABRIC");
	if (!path || !*path)
		path = "/dev/hsl0";
	fd = open(path, O_RDWR | O_CLOEXEC);
	HT_TRUE(t, fd >= 0, "open %s: %s", path, strerror(errno));
	HT_OK(t, ht_ioctl(fd, HSL_IOC_INFO, &info));
	HT_TRUE(t,
		info.fabric_id[0] == t->info.fabric_id[0] &&
			info.fabric_id[1] == t->info.fabric_id[1],
		"%s is not the fabric that libhsl opened", path);
	return fd;
}

static void rawq_new_sim(struct ht *t, struct ht_rawq *q, uint32_t node, uint32_t depth, bool shadow)
{
	struct hsl_queue_opts o = { .size = sizeof(o), .depth = depth, .flags = shadow ? 0 : HSL_QUEUE_F_SYSCALL };
	struct hslp_raw_rings r;

	memset(q, 0, sizeof(*q));
	HT_OK(t, hsl_queue_create(t->f, node, &o, &q->sim));
	HT_OK(t, hslp_raw_rings(q->sim, &r));
	q->fd = hsl_queue_fd(q->sim);
	q->node = node;
	q->depth = r.depth;
	q->qid = r.qid;
	q->ctrl = r.ctrl;
	q->sq = r.sq;
	q->cq = (volatile struct hsl_cqe *)r.cq;
	q->shadow = r.shadow;
	q->sim_doorbell = r.doorbell;
}

static void rawq_new(struct ht *t, struct ht_rawq *q, int fd, uint32_t node, uint32_t depth,
		     uint32_t flags)
{
	struct hsl_queue_create c = {
		.size = sizeof(c), .flags = flags, .node = node, .depth = depth
	};
	void *p;
	int rc;

	if (t->sim) {
		rawq_new_sim(t, q, node, depth, flags & HSL_QUEUE_SHADOW);
		return;
	}
	memset(q, 0, sizeof(*q));
	rc = ht_ioctl(fd, HSL_IOC_QUEUE_CREATE, &c);
	if (rc == -EBUSY)
		HT_SKIP_TEST(t, "every queue of chip %u is in use", node);
	HT_TRUE(t, !rc, "HSL_IOC_QUEUE_CREATE: %s", ht_errno_name(rc));
	q->fd = c.fd;
	q->node = node;
	q->depth = depth;
	q->qid = c.qid;
	q->ring_bytes = c.ring_bytes;
	HT_TRUE(t,
		c.ctrl_offset <= c.ring_bytes && c.ring_bytes - c.ctrl_offset >= sizeof(*q->ctrl) &&
			c.sq_offset <= c.ring_bytes &&
			c.ring_bytes - c.sq_offset >= depth * sizeof(struct hsl_desc) &&
			c.cq_offset <= c.ring_bytes &&
			c.ring_bytes - c.cq_offset >= depth * sizeof(struct hsl_cqe),
		"the ring area of %" PRIu64 " bytes does not hold what the driver says is in it",
		(uint64_t)c.ring_bytes);
	p = mmap(NULL, c.ring_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, c.fd,
		 HSL_QUEUE_MMAP_RINGS);
	HT_TRUE(t, p != MAP_FAILED, "mmap of the rings: %s", strerror(errno));
	q->rings = p;
	q->ctrl = (void *)(q->rings + c.ctrl_offset);
	q->sq = (void *)(q->rings + c.sq_offset);
	q->cq = (void *)(q->rings + c.cq_offset);
	if (c.shadow_offset) {
		HT_TRUE(t,
			c.shadow_offset % HSL_QUEUE_SHADOW_ALIGN == 0 &&
				c.ring_bytes - c.shadow_offset >= sizeof(*q->shadow),
			"the control block at %u is not in the ring area", c.shadow_offset);
		q->shadow = (void *)(q->rings + c.shadow_offset);
	}
	if (!c.doorbell_bytes)
		return;
	p = mmap(NULL, c.doorbell_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, c.fd,
		 HSL_QUEUE_MMAP_DOORBELL);
	HT_TRUE(t, p != MAP_FAILED, "mmap of the doorbell: %s", strerror(errno));
	q->doorbell = p;
	q->doorbell_bytes = c.doorbell_bytes;
}

void ht_rawq_new(struct ht *t, struct ht_rawq *q, int fd, uint32_t node, uint32_t depth)
{
	rawq_new(t, q, fd, node, depth, 0);
	HT_TRUE(t, !q->shadow, "a control block that was not asked for");
}

void ht_rawq_new_shadow(struct ht *t, struct ht_rawq *q, int fd, const struct hsl_chip_props *chip,
			uint32_t depth)
{
	bool claimed = chip->cap & HSL_CAP_SHADOW_TAIL;

	rawq_new(t, q, fd, chip->node, depth, HSL_QUEUE_SHADOW);
	HT_TRUE(t, claimed == !!q->shadow, "SHADOW_TAIL is %s, a control block %s",
		claimed ? "claimed" : "not claimed", q->shadow ? "given" : "not given");
	if (!claimed)
		HT_NA_TEST(t, "chip %u does not claim SHADOW_TAIL", chip->node);
}

void ht_rawq_free(struct ht_rawq *q)
{
	if (q->doorbell)
		munmap((void *)q->doorbell, q->doorbell_bytes);
	if (q->sim) {
		hsl_queue_destroy(q->sim);
	} else {
		munmap(q->rings, q->ring_bytes);
		close(q->fd);
	}
	memset(q, 0, sizeof(*q));
}

struct hsl_desc *ht_rawq_slot(struct ht_rawq *q)
{
	struct hsl_desc *d = &q->sq[q->tail++ & (q->depth - 1)];

	memset(d, 0, sizeof(*d));
	return d;
}

bool ht_rawq_has_doorbell(const struct ht_rawq *q)
{
	return q->doorbell || q->sim;
}

void ht_rawq_doorbell(struct ht *t, struct ht_rawq *q, uint32_t reg, uint64_t val, unsigned int bytes)
{
	struct hsl_queue_kick k = { .size = sizeof(k), .sq_tail = (uint32_t)val };

	if (q->sim)
		hslp_raw_write(t->f, q->node, q->sim_doorbell + reg, val, bytes);
	else if (!q->doorbell)
		HT_OK(t, ht_ioctl(q->fd, HSL_IOC_QUEUE_KICK, &k));
	else if (bytes == 1)
		*(volatile uint8_t *)(q->doorbell + reg) = (uint8_t)val;
	else if (bytes == 2)
		*(volatile uint16_t *)(q->doorbell + reg) = (uint16_t)val;
	else if (bytes == 4)
		*(volatile uint32_t *)(q->doorbell + reg) = (uint32_t)val;
	else
		*(volatile uint64_t *)(q->doorbell + reg) = val;
}

uint32_t ht_rawq_state(struct ht *t, struct ht_rawq *q, uint32_t *error)
{
	struct hsl_queue_info i = { .size = sizeof(i) };

	if (q->sim)
		return (uint32_t)hsl_queue_state(q->sim, error);
	HT_OK(t, ht_ioctl(q->fd, HSL_IOC_QUEUE_INFO, &i));
	*error = i.error;
	return i.state;
}

void ht_rawq_ring(struct ht *t, struct ht_rawq *q)
{
	ht_progress(t);
	/* descriptors before the doorbell, and store tail before load flag (HEP section 5) */
	if (q->shadow)
		__atomic_store_n(&q->shadow->tail, q->tail, __ATOMIC_SEQ_CST);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (q->shadow && !__atomic_load_n(&q->shadow->need_doorbell, __ATOMIC_SEQ_CST))
		return;
	ht_rawq_doorbell(t, q, HSL_DB_SQ_TAIL, q->tail, 4);
}

bool ht_rawq_poll(struct ht_rawq *q, struct hsl_cqe *c)
{
	volatile struct hsl_cqe *e = &q->cq[q->head & (q->depth - 1)];
	uint32_t phase = (q->head / q->depth & 1) ^ 1;
	uint32_t status = __atomic_load_n(&e->status,
					  __ATOMIC_ACQUIRE); /* pairs with the chip's last store */

	if (status >> 31 != phase)
		return false;
	c->status = status;
	c->cookie = e->cookie;
	c->result = e->result;
	c->fault_ga = e->fault_ga;
	c->sq_head = e->sq_head;
	c->qid = e->qid;
	q->head++;
	__atomic_store_n(&q->ctrl->cq_head, q->head, __ATOMIC_RELEASE);
	return true;
}

void ht_rawq_wait(struct ht *t, struct ht_rawq *q, struct hsl_cqe *c)
{
	struct ht_limit limit = ht_limit(HT_OP_LIMIT_S);

	ht_progress(t);
	while (!ht_rawq_poll(q, c)) {
		if (ht_limit_over(&limit))
			HT_FAIL_TEST(
				t,
				"no completion %u of queue %u within %d s; tail %u, state %u, error %u",
				q->head, q->qid, HT_OP_LIMIT_S, q->tail, q->ctrl->state,
				q->ctrl->error);
		sched_yield();
	}
}

/* ---- segments; on sim: a handle is a place in here ---- */

#define RAW_SEGMENTS 16
static struct hsl_segment *raw_segment[RAW_SEGMENTS];

static uint64_t raw_alloc_sim(struct ht *t, uint32_t node, uint64_t len, uint32_t *handle)
{
	for (*handle = 0; *handle < RAW_SEGMENTS && raw_segment[*handle]; ++*handle)
		;
	HT_TRUE(t, *handle < RAW_SEGMENTS, "more than %d segments", RAW_SEGMENTS);
	HT_OK(t, hsl_segment_alloc(t->f, node, len, NULL, &raw_segment[*handle]));
	return hsl_segment_ga(raw_segment[*handle]);
}

void *ht_raw_map(struct ht *t, int fd, uint64_t ga, uint64_t len)
{
	void *p = MAP_FAILED;

	if (!t->sim) {
		p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)ga);
		HT_TRUE(t, p != MAP_FAILED, "mmap: %s", strerror(errno));
		return p;
	}
	for (unsigned int i = 0; i < RAW_SEGMENTS; i++)
		if (raw_segment[i] && hsl_segment_ga(raw_segment[i]) == ga)
			HT_OK(t, hsl_segment_map(raw_segment[i], &p));
	return p;
}

uint64_t ht_raw_alloc(struct ht *t, int fd, uint32_t node, uint64_t len, uint32_t *handle)
{
	struct hsl_segment_alloc a = {
		.size = sizeof(a),
		.node = node,
		.len_bytes = len,
		.rights = HSL_SEGMENT_READ | HSL_SEGMENT_WRITE,
	};

	if (t->sim)
		return raw_alloc_sim(t, node, len, handle);
	HT_OK(t, ht_ioctl(fd, HSL_IOC_SEGMENT_ALLOC, &a));
	*handle = a.handle;
	return a.ga;
}

void ht_raw_free(struct ht *t, int fd, uint32_t handle)
{
	struct hsl_segment_free a = { .size = sizeof(a), .handle = handle };

	if (t->sim) {
		HT_OK(t, hsl_segment_free(raw_segment[handle]));
		raw_segment[handle] = NULL;
		return;
	}
	HT_OK(t, ht_ioctl(fd, HSL_IOC_SEGMENT_FREE, &a));
}
