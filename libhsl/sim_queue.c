// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Queues of the sim backend: rings in process memory, the doorbell a call into the engine, the file an eventfd.
 *
 * The eventfd has to be level-triggered like the driver's file: readable while completions are there to take, and
 * not else. The interrupt makes it readable; queue_fd_rearm, called after completions were taken and before
 * sleeping, reads it empty and arms the chip with the count taken, which raises the interrupt at once if there are
 * more. An interrupt may come late, for a completion that was taken meanwhile, so it looks at the ring first, as a driver
 * does in poll. It does not when the owner of the queue may not know yet that somebody watches the fd (not settled):
 * an arming with a count that is old would be used up without a wake-up. After the queue's end it stays readable.
 *
 * A poll that finds nothing, or leaves something, need not arm: an arming with the same count is still good until its
 * interrupt comes, and an fd that is readable while there is more to take is right as it is.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "sim.h"

/* of the shadow tail in the page of struct hsl_queue_ctrl */
#define SHADOW_OFFSET	HSL_QUEUE_SHADOW_ALIGN
static_assert(sizeof(struct hsl_queue_ctrl) <= SHADOW_OFFSET, "they share a page");

static void raise_fd(int fd)
{
	uint64_t one = 1;

	/* a counter at its maximum is readable already */
	if (write(fd, &one, sizeof(one)) < 0 && errno != EAGAIN)
		hslp_warn("sim: eventfd: write failed with %d", errno);
}

/* Is there a completion beyond those the user says he has taken? */
static bool something_to_take(const struct hslp_sim_queue *q)
{
	/* acquire: what was taken was taken before. Partner: take_ring in queue.c */
	uint32_t head = __atomic_load_n(&q->ctrl->cq_head, __ATOMIC_ACQUIRE);
	const struct hsl_cqe *e = &q->cq[head & ((1u << q->depth_log2) - 1)];
	uint64_t tail = __atomic_load_n((const uint64_t *)(const void *)&e->sq_head, __ATOMIC_ACQUIRE);

	return tail >> 63 == ((head >> q->depth_log2 & 1) ^ 1);
}

void sim_queue_signal(struct hslp_sim_queue *q)
{
	q->armed = false;
	if (!q->settled || q->ctrl->state != HSL_QUEUE_READY || something_to_take(q)) {
		raise_fd(q->fd);
		q->signalled = true;
	}
	if (q->user_fd >= 0)
		raise_fd(q->user_fd);
}

void sim_queue_end(struct hslp_sim_queue *q, uint32_t error)
{
	/* irq_lock: so that nobody reads the fd empty after it was made readable for good */
	pthread_mutex_lock(&q->chip->irq_lock);
	if (q->ctrl->state == HSL_QUEUE_READY) {
		if (!q->ctrl->error)
			q->ctrl->error = error;
		/* release: with error, and with every completion there is. Partner: has_ended in queue.c */
		__atomic_store_n(&q->ctrl->state, HSL_QUEUE_ERROR, __ATOMIC_RELEASE);
		sim_queue_signal(q);
	}
	pthread_mutex_unlock(&q->chip->irq_lock);
}

/* Under irq_lock: the fd says what is true, and will when that changes, if it is left alone. */
static bool is_right(const struct hslp_sim_queue *s, uint32_t head)
{
	return s->settled && (s->signalled ? something_to_take(s) : s->armed && s->armed_at == head);
}

void sim_queue_fd_rearm(struct hsl_queue *q, bool settled)
{
	struct hslp_sim_queue *s = q->sim;
	uint64_t count;
	uint32_t head;
	bool right;

	pthread_mutex_lock(&s->arm_lock);
	head = __atomic_load_n(&s->ctrl->cq_head, __ATOMIC_RELAXED);
	pthread_mutex_lock(&s->chip->irq_lock);
	right = is_right(s, head);
	if (!right) {
		if (s->signalled && s->ctrl->state == HSL_QUEUE_READY) {
			if (read(s->fd, &count, sizeof(count)) < 0)
				hslp_warn("sim: eventfd: read failed with %d", errno);
			s->signalled = false;
		}
		s->settled |= settled;
		/* before it is done: its interrupt may come at once */
		s->armed = true;
		s->armed_at = head;
	}
	pthread_mutex_unlock(&s->chip->irq_lock);
	if (!right)
		sim_queue_arm(q, head);
	pthread_mutex_unlock(&s->arm_lock);
}

int sim_queue_doorbell(struct hsl_queue *q, uint32_t sq_tail)
{
	sim_write(q->sim->chip, q->sim->db + HSL_DB_SQ_TAIL, sq_tail, 4);
	return 0;
}

int sim_queue_arm(struct hsl_queue *q, uint32_t cq_head)
{
	sim_write(q->sim->chip, q->sim->db + HSL_DB_CQ_ARM, cq_head, 4);
	return 0;
}

int sim_queue_moderate(struct hsl_queue *q, uint32_t moderation)
{
	sim_write(q->sim->chip, q->sim->db + HSL_DB_MODERATION, moderation, 4);
	return 0;
}

void sim_queue_idle(struct hsl_queue *q)
{
	sim_time_step(q->sim->chip->fabric);
}

static bool is_eventfd(int fd)
{
	char path[32], target[32] = "";
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = readlink(path, target, sizeof(target) - 1);
	return n > 0 && !strncmp(target, "anon_inode:[eventfd]", sizeof(target));
}

int sim_queue_eventfd(struct hsl_queue *q, int fd)
{
	struct hslp_sim_queue *s = q->sim;
	int copy = -1, old;

	if (fd >= 0) {
		/* a file of our own, as the driver would hold one: the caller may close fd */
		copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
		if (copy < 0)
			return -errno;
		if (!is_eventfd(copy)) {
			close(copy);
			return -EINVAL;
		}
	}
	pthread_mutex_lock(&s->chip->irq_lock);
	old = s->user_fd;
	s->user_fd = copy;
	pthread_mutex_unlock(&s->chip->irq_lock);
	if (old >= 0)
		close(old);
	return 0;
}

/* After it the chip does not touch the rings. */
static void destroy_on_chip(struct hslp_sim_queue *s)
{
	const struct hsl_desc d = { .opcode = HSL_OP_QUEUE_DESTROY, .arg0 = s->qid };
	int status = sim_admin(s->chip, &d);	/* the running command has stopped and the others have their ABORTED */

	if (status > 0 && status != HSL_ST_QUEUE)
		sim_admin_refused(s->chip, &d, status);
}

int sim_queue_abort(struct hsl_queue *q)
{
	struct hslp_sim_queue *s = q->sim;
	struct sim_fabric *f = s->chip->fabric;
	int status, err;

	pthread_mutex_lock(&f->lock);
	if (s->ctrl->state != HSL_QUEUE_READY) {
		err = -ESHUTDOWN;
	} else {
		status = sim_admin(s->chip, &(struct hsl_desc){ .opcode = HSL_OP_QUEUE_ABORT, .arg0 = s->qid });
		/* QUEUE: the chip has stopped it, which the next refresh finds */
		err = status == HSL_ST_QUEUE ? -ESHUTDOWN : status ? -EIO : 0;
	}
	pthread_mutex_unlock(&f->lock);
	return err;
}

void sim_queue_refresh(struct hsl_queue *q)
{
	struct hslp_sim_queue *s = q->sim;
	struct sim_fabric *f = s->chip->fabric;

	if (sim_read(s->chip, s->db + HSL_DB_STATE, 4) == HSL_QUEUE_READY)
		return;
	pthread_mutex_lock(&f->lock);
	if (s->ctrl->state == HSL_QUEUE_READY &&
	    sim_read(s->chip, s->db + HSL_DB_STATE, 4) == HSL_QUEUE_ERROR) {
		/* first: a chip that fails at the next command ends all its queues, this one for its own reason */
		s->ctrl->error = (uint32_t)sim_read(s->chip, s->db + HSL_DB_ERROR, 4);
		destroy_on_chip(s);
		sim_queue_end(s, HSL_ST_GONE);
	}
	pthread_mutex_unlock(&f->lock);
}

static int map_rings(struct hsl_queue *q, struct hslp_sim_queue *s, size_t page)
{
	size_t sq = hslp_round_up(q->depth * sizeof(struct hsl_desc), page);
	size_t cq = hslp_round_up(q->depth * sizeof(struct hsl_cqe), page);
	char *ring;

	s->ring_bytes = page + sq + cq;
	ring = mmap(NULL, s->ring_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (ring == MAP_FAILED)
		return -ENOMEM;
	/* as the kernel backend: a child has no business in them */
	madvise(ring, s->ring_bytes, MADV_DONTFORK);
	s->ring = ring;
	s->ctrl = (struct hsl_queue_ctrl *)(void *)ring;
	s->ctrl->state = HSL_QUEUE_READY;
	q->ctrl = s->ctrl;
	if (!(q->flags & HSL_QUEUE_F_SYSCALL) &&
	    sim_read(s->chip, HSL_REG_CAP, 8) & HSL_CAP_SHADOW_TAIL)
		q->shadow = (struct hsl_queue_shadow *)(void *)(ring + SHADOW_OFFSET);
	q->sq = (struct hsl_desc *)(void *)(ring + page);
	q->cq = (const struct hsl_cqe *)(void *)(ring + page + sq);
	s->cq = q->cq;
	s->depth_log2 = q->depth_log2;
	return 0;
}

/* Under sim_fabric.lock. */
static int create_on_chip(struct hsl_queue *q, struct hslp_sim_queue *s)
{
	struct sim_chip *c = s->chip;
	struct hsl_desc d = { .opcode = HSL_OP_QUEUE_CREATE };
	uint32_t qid = 1;
	int status;

	while (qid < c->nqueues && c->queues[qid])
		qid++;
	if (qid == c->nqueues)
		return -EBUSY;
	s->qid = qid;
	s->db = c->db_offset + qid * c->db_stride;
	d.arg0 = HSL_QC_ARG0(qid, q->depth_log2, qid);
	d.arg1 = s->ctx->index;
	d.dst = (uintptr_t)q->sq;
	d.src = (uintptr_t)q->cq;
	d.len = (uintptr_t)q->shadow;
	status = sim_admin(c, &d);
	if (status) {
		hslp_err("sim: node %u refused a queue: %d", c->node, status);
		return -EIO;
	}
	pthread_mutex_lock(&c->irq_lock);
	c->queues[qid] = s;
	pthread_mutex_unlock(&c->irq_lock);
	return 0;
}

int sim_queue_create(struct hsl_fabric *f, struct hsl_queue *q)
{
	struct sim_fabric *sf = f->sim->fabric;
	struct sim_chip *c = sim_chip_find(sf, q->node);
	struct hslp_sim_queue *s;
	int err;

	if (!c)
		return -ENOENT;
	if (q->depth > sim_read(c, HSL_REG_MAX_DEPTH, 4))
		return -EINVAL;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->chip = c;
	s->ctx = f->sim;
	s->user_fd = -1;
	err = -pthread_mutex_init(&s->arm_lock, NULL);
	if (err)
		goto free_sim;
	s->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (s->fd < 0) {
		err = -errno;
		goto destroy_lock;
	}
	err = map_rings(q, s, sf->page_size);
	if (err)
		goto close_fd;
	err = sim_iova_add(&sf->iova, s->ring, s->ring_bytes, true);
	if (err)
		goto unmap_rings;
	pthread_mutex_lock(&sf->lock);
	err = c->failed ? -ENODEV : create_on_chip(q, s);
	pthread_mutex_unlock(&sf->lock);
	if (err)
		goto remove_iova;
	q->sim = s;
	q->fd = s->fd;
	return 0;

remove_iova:
	sim_iova_remove(&sf->iova, s->ring, s->ring_bytes, true);
unmap_rings:
	munmap(s->ring, s->ring_bytes);
close_fd:
	close(s->fd);
destroy_lock:
	pthread_mutex_destroy(&s->arm_lock);
free_sim:
	free(s);
	return err;
}

void sim_queue_destroy(struct hsl_queue *q)
{
	struct hslp_sim_queue *s = q->sim;
	struct sim_chip *c = s->chip;
	struct sim_fabric *f = c->fabric;

	pthread_mutex_lock(&f->lock);
	/* one that has ended is not on the chip any more */
	if (s->ctrl->state == HSL_QUEUE_READY)
		destroy_on_chip(s);
	pthread_mutex_lock(&c->irq_lock);
	c->queues[s->qid] = NULL;
	pthread_mutex_unlock(&c->irq_lock);
	pthread_mutex_unlock(&f->lock);
	sim_iova_remove(&f->iova, s->ring, s->ring_bytes, true);
	munmap(s->ring, s->ring_bytes);
	close(s->fd);
	if (s->user_fd >= 0)
		close(s->user_fd);
	pthread_mutex_destroy(&s->arm_lock);
	free(s);
}
