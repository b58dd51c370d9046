// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * A chip of the sim backend: engine chip, memory, admin queue.
 *
 * Bring-up is that of docs/hep.md section 4: rings and tables written, AQ_* and CTX_*, CTRL.ENABLE, STATUS.READY.
 * Admin commands are waited for: posted, then a short spin, then a sleep until vector 0. A chip that does not answer
 * within ADMIN_TIMEOUT_S is detached, after which it touches no memory, and counts as failed. One with a fatal error is reset, and
 * fails too; only a tester makes one, so his thread does that. A function level reset helps the second, not the first.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "hsl/ctf.h"
#include "sim.h"

#define ADMIN_TIMEOUT_S		30
#define ADMIN_SPINS		2000

/* ---- what the engine asks of us ---- */

static void *chip_dma_map(void *opaque, uint64_t iova, uint64_t *len, bool write)
{
	struct sim_chip *c = opaque;
	uint64_t n = sim_iova_check(&c->fabric->iova, iova, *len, write);

	if (!n)
		return NULL;
	*len = n;
	return (void *)(uintptr_t)iova;
}

static void chip_dma_unmap(void *opaque, void *host, uint64_t len, bool write, uint64_t touched)
{
	(void)opaque;
	(void)host;
	(void)len;
	(void)write;
	(void)touched;
}

static void chip_interrupt(void *opaque, unsigned int vector)
{
	struct sim_chip *c = opaque;

	if (vector == 0 && sim_read(c, HSL_REG_EVENT, 4) & HSL_EVENT_LINK) {
		/* first acknowledged, then looked at: what changes after the look raises again */
		sim_write(c, HSL_REG_EVENT, HSL_EVENT_LINK, 4);
		sim_event_links(c, false);
	}
	pthread_mutex_lock(&c->irq_lock);
	if (vector == 0) {
		c->admin_irq = true;
		pthread_cond_signal(&c->irq_cond);
	} else if (vector <= SIM_QUEUES_MAX && c->queues[vector]) {
		sim_queue_signal(c->queues[vector]);
	}
	pthread_mutex_unlock(&c->irq_lock);
}

static void chip_guest_error(void *opaque, const char *msg)
{
	struct sim_chip *c = opaque;

	hslp_warn("sim: node %u: %s", c->node, msg);
}

static const struct hsl_chip_ops chip_ops = {
	.dma_map = chip_dma_map,
	.dma_unmap = chip_dma_unmap,
	.interrupt = chip_interrupt,
	.guest_error = chip_guest_error,
};

/* ---- registers ---- */

static uint32_t read32(struct sim_chip *c, uint64_t reg)
{
	return (uint32_t)sim_read(c, reg, 4);
}

static void write32(struct sim_chip *c, uint64_t reg, uint32_t val)
{
	sim_write(c, reg, val, 4);
}

static void write64(struct sim_chip *c, uint64_t reg, uint64_t val)
{
	sim_write(c, reg, val, 8);
}

static int enable(struct sim_chip *c)
{
	memset(c->aq_sq, 0, SIM_ADMIN_DEPTH * sizeof(*c->aq_sq));
	memset(c->aq_cq, 0, SIM_ADMIN_DEPTH * sizeof(*c->aq_cq));
	c->aq_tail = 0;
	c->aq_head = 0;
	write64(c, HSL_REG_AQ_SQ, (uintptr_t)c->aq_sq);
	write64(c, HSL_REG_AQ_CQ, (uintptr_t)c->aq_cq);
	write32(c, HSL_REG_AQ_DEPTH, SIM_ADMIN_DEPTH);
	write64(c, HSL_REG_CTX_TABLE, (uintptr_t)c->fabric->ctx_table);
	write32(c, HSL_REG_CTX_COUNT, SIM_CONTEXTS);
	write32(c, HSL_REG_CTRL, HSL_CTRL_ENABLE);
	if (read32(c, HSL_REG_STATUS) != HSL_STATUS_READY) {
		hslp_err("sim: node %u does not become ready: status %#x", c->node, read32(c, HSL_REG_STATUS));
		return -EIO;
	}
	sim_event_links(c, true);
	write32(c, HSL_REG_EVENT_MASK, HSL_EVENT_LINK);
	return 0;
}

/* ---- admin queue ---- */

static bool admin_completed(struct sim_chip *c)
{
	const struct hsl_cqe *e = &c->aq_cq[c->aq_head % SIM_ADMIN_DEPTH];
	uint32_t phase = (c->aq_head / SIM_ADMIN_DEPTH & 1) ^ 1;
	/* acquire: the rest of the completion is read after it. Partner: the engine stores it last. */
	uint64_t tail = __atomic_load_n((const uint64_t *)(const void *)&e->sq_head, __ATOMIC_ACQUIRE);

	return tail >> 63 == phase;
}

static void admin_post(struct sim_chip *c, const struct hsl_desc *d)
{
	struct hsl_desc *slot = &c->aq_sq[c->aq_tail % SIM_ADMIN_DEPTH];

	*slot = *d;
	slot->cookie = c->aq_tail++;
	write32(c, c->db_offset + HSL_DB_SQ_TAIL, c->aq_tail);
}

/* Until vector 0 or the deadline. False after the deadline. */
static bool admin_sleep(struct sim_chip *c, const struct timespec *deadline)
{
	int err = 0;

	pthread_mutex_lock(&c->irq_lock);
	c->admin_irq = false;
	pthread_mutex_unlock(&c->irq_lock);
	/* raises at once if the completion has come meanwhile (HEP-QUE-007) */
	write32(c, c->db_offset + HSL_DB_CQ_ARM, c->aq_head);
	pthread_mutex_lock(&c->irq_lock);
	while (!c->admin_irq && !err)
		err = pthread_cond_timedwait(&c->irq_cond, &c->irq_lock, deadline);
	pthread_mutex_unlock(&c->irq_lock);
	return !err;
}

static void queues_end(struct sim_chip *c)
{
	for (uint32_t i = 1; i <= SIM_QUEUES_MAX; i++)
		if (c->queues[i])
			sim_queue_end(c->queues[i], HSL_ST_GONE);
}

/* It is cut off from memory, which others may have next. */
static void admin_failed(struct sim_chip *c)
{
	c->failed = true;
	sim_run_begin(c->fabric);
	hsl_chip_detach(c->engine);
	sim_run_end(c->fabric);
	queues_end(c);
	sim_event_post(c->fabric, HSL_FABRIC_EV_CHIP_STATE, c->node, 0, HSL_CHIP_FAILED);
}

static int admin_silent(struct sim_chip *c)
{
	hslp_err("sim: node %u does not answer admin commands", c->node);
	admin_failed(c);
	return -EIO;
}

/* The status of the oldest command that was not waited for, -EIO if it does not come. */
static int admin_wait(struct sim_chip *c)
{
	struct timespec deadline;
	uint32_t status;

	clock_gettime(CLOCK_MONOTONIC, &deadline);
	deadline.tv_sec += ADMIN_TIMEOUT_S;
	for (unsigned int i = 0; !admin_completed(c); i++) {
		if (c->fabric->modelled_time) {
			if (sim_time_step(c->fabric) || admin_completed(c))
				continue;
			return admin_silent(c);
		}
		if (i < ADMIN_SPINS) {
			if (i % 64 == 63)
				sched_yield();
			continue;
		}
		if (!admin_sleep(c, &deadline) && !admin_completed(c))
			return admin_silent(c);
	}
	status = c->aq_cq[c->aq_head % SIM_ADMIN_DEPTH].status;
	c->aq_head++;
	return (int)HSL_CQE_CODE(status);
}

int sim_admin(struct sim_chip *c, const struct hsl_desc *d)
{
	if (c->failed)
		return -EIO;
	admin_post(c, d);
	return admin_wait(c);
}

/* A chip that does not let go of what it is told to forget is not used any more. */
void sim_admin_refused(struct sim_chip *c, const struct hsl_desc *d, int status)
{
	hslp_err("sim: node %u refused admin command %#x: %s", c->node, d->opcode, hsl_status_name((unsigned int)status));
	admin_failed(c);
}

int sim_admin_all(struct sim_fabric *f, const struct hsl_desc *d)
{
	int err = 0;

	/* all at once, so that they work in parallel */
	for (uint32_t i = 0; i < f->nnodes; i++)
		if (f->chips[i] && !f->chips[i]->failed)
			admin_post(f->chips[i], d);
	for (uint32_t i = 0; i < f->nnodes; i++) {
		int status = !f->chips[i] || f->chips[i]->failed ? HSL_ST_OK : admin_wait(f->chips[i]);

		if (status > 0) {
			sim_admin_refused(f->chips[i], d, status);
			err = -EIO;
		}
	}
	return err;
}

/* ---- life ---- */

void sim_chip_zero(struct sim_chip *c, uint64_t offset, uint64_t len)
{
	/* gives the memory back too; where that cannot be done, zeroing it is what matters */
	if (fallocate(c->memfd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)len))
		memset((char *)c->mem + offset, 0, len);
}

static int map_memory(struct sim_chip *c)
{
	char path[32];

	c->memfd = memfd_create("hsl-sim", MFD_CLOEXEC);
	if (c->memfd < 0)
		return -errno;
	if (ftruncate(c->memfd, (off_t)c->mem_bytes))
		return -errno;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", c->memfd);
	c->memfd_ro = open(path, O_RDONLY | O_CLOEXEC);
	if (c->memfd_ro < 0)
		return -errno;
	c->mem = mmap(NULL, c->mem_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, c->memfd, 0);
	if (c->mem == MAP_FAILED) {
		c->mem = NULL;
		return -errno;
	}
	return 0;
}

static int init_irq(struct sim_chip *c)
{
	pthread_condattr_t attr;
	int err;

	err = pthread_condattr_init(&attr);
	if (err)
		return -err;
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	err = pthread_cond_init(&c->irq_cond, &attr);
	pthread_condattr_destroy(&attr);
	if (err)
		return -err;
	err = pthread_mutex_init(&c->irq_lock, NULL);
	if (err)
		pthread_cond_destroy(&c->irq_cond);
	return -err;
}

int sim_chip_new(struct sim_fabric *f, uint32_t node, uint64_t mem_bytes, uint32_t nqueues, int ambient, uint32_t deviation,
		 struct sim_chip **out)
{
	struct hsl_chip_engine_config cfg = {
		.node = node,
		.mem_bytes = mem_bytes,
		.nqueues = nqueues + 1,
		.nvectors = nqueues + 1,
		.ncontexts = SIM_CONTEXTS,
		.cap_clear = HSL_CAP_WINDOWS,
		.ambient_off = ambient - HSL_HEAT_AMBIENT,
		.deviation = deviation,
		.ops = &chip_ops,
	};
	const char *why = "";
	struct sim_chip *c;
	int err;

	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->fabric = f;
	c->node = node;
	c->mem_bytes = mem_bytes;
	c->nqueues = nqueues + 1;
	c->memfd = -1;
	c->memfd_ro = -1;
	err = init_irq(c);
	if (err) {
		free(c);
		return err;
	}
	err = map_memory(c);
	if (err)
		goto free_chip;
	c->open_bytes = f->open_bytes;
	err = sim_ranges_init(&c->free, c->open_bytes, mem_bytes - c->open_bytes);
	if (err)
		goto free_chip;
	err = -ENOMEM;
	c->aq_sq = sim_dma_alloc(f, SIM_ADMIN_DEPTH * sizeof(*c->aq_sq));
	c->aq_cq = sim_dma_alloc(f, hslp_round_up(SIM_ADMIN_DEPTH * sizeof(*c->aq_cq), HSL_TABLE_PAGE));
	if (!c->aq_sq || !c->aq_cq)
		goto free_chip;
	cfg.mem = c->mem;
	cfg.opaque = c;
	sim_run_begin(f);
	c->engine = hsl_chip_engine_new(f->engine, &cfg, &why);
	sim_run_end(f);
	if (!c->engine) {
		hslp_err("sim: node %u: %s", node, why);
		goto free_chip;
	}
	c->db_offset = read32(c, HSL_REG_DB_OFFSET);
	c->db_stride = read32(c, HSL_REG_DB_STRIDE);
	err = enable(c);
	if (err)
		goto free_chip;
	*out = c;
	return 0;

free_chip:
	sim_chip_free(c);
	return err;
}

void sim_chip_free(struct sim_chip *c)
{
	struct sim_fabric *f = c->fabric;

	sim_run_begin(f);
	if (c->engine)
		hsl_chip_engine_free(c->engine);
	sim_run_end(f);
	sim_dma_free(f, c->aq_sq, SIM_ADMIN_DEPTH * sizeof(*c->aq_sq));
	sim_dma_free(f, c->aq_cq, hslp_round_up(SIM_ADMIN_DEPTH * sizeof(*c->aq_cq), HSL_TABLE_PAGE));
	sim_ranges_fini(&c->free);
	if (c->mem)
		munmap(c->mem, c->mem_bytes);
	if (c->memfd_ro >= 0)
		close(c->memfd_ro);
	if (c->memfd >= 0)
		close(c->memfd);
	pthread_cond_destroy(&c->irq_cond);
	pthread_mutex_destroy(&c->irq_lock);
	free(c);
}

int sim_chip_reset(struct sim_chip *c)
{
	int err;

	if (c->failed && !(read32(c, HSL_REG_STATUS) & HSL_STATUS_FATAL))
		return -ENODEV;
	sim_event_post(c->fabric, HSL_FABRIC_EV_CHIP_STATE, c->node, 0, HSL_CHIP_RESETTING);
	/* after this no worker touches the rings */
	sim_chip_unbind(c);
	err = sim_chip_bind(c);
	sim_event_post(c->fabric, HSL_FABRIC_EV_CHIP_STATE, c->node, 0, err ? HSL_CHIP_FAILED : HSL_CHIP_READY);
	return err;
}

void sim_chip_unbind(struct sim_chip *c)
{
	c->failed = true;
	sim_run_begin(c->fabric);
	hsl_chip_reset(c->engine);
	sim_run_end(c->fabric);
	queues_end(c);
}

int sim_chip_bind(struct sim_chip *c)
{
	int err;

	sim_run_begin(c->fabric);
	hsl_chip_reset(c->engine);
	sim_run_end(c->fabric);
	err = enable(c);
	c->failed = err;
	return err;
}

/* ---- what the API reads and writes of registers as they are ---- */

int sim_counter(struct hsl_fabric *f, const struct hslp_counter *at, uint64_t *value)
{
	struct sim_chip *c = sim_chip_find(f->sim->fabric, at->node);
	int err = 0;

	pthread_mutex_lock(&c->fabric->lock);
	if (c->failed)
		err = -ENODEV;
	else
		*value = sim_read(c, at->reg, 8);
	pthread_mutex_unlock(&c->fabric->lock);
	return err;
}

int sim_sensors(struct hsl_fabric *f, uint32_t node, struct hsl_sensors *s)
{
	struct sim_chip *c = sim_chip_find(f->sim->fabric, node);
	int err = 0;

	pthread_mutex_lock(&c->fabric->lock);
	if (c->failed) {
		err = -ENODEV;
	} else {
		s->temp_mc = (int32_t)read32(c, HSL_REG_TEMP);
		s->temp_max_mc = (int32_t)read32(c, HSL_REG_TEMP_MAX);
		s->temp_crit_mc = (int32_t)read32(c, HSL_REG_TEMP_CRIT);
		s->power_mw = read32(c, HSL_REG_POWER);
		s->thermal = read32(c, HSL_REG_THERMAL);
	}
	pthread_mutex_unlock(&c->fabric->lock);
	return err;
}

int sim_ctf_open(struct hsl_fabric *f, struct hsl_ctf *c)
{
	struct sim_chip *chip = sim_chip_find(f->sim->fabric, c->node);
	int err = 0;

	pthread_mutex_lock(&chip->fabric->lock);
	if (chip->failed)
		err = -ENODEV;
	else if (chip->ctf_open)
		err = -EBUSY;
	else
		chip->ctf_open = true;
	pthread_mutex_unlock(&chip->fabric->lock);
	return err;
}

static struct sim_chip *ctf_chip(struct hsl_ctf *c)
{
	return sim_chip_find(c->fabric->sim->fabric, c->node);
}

void sim_ctf_close(struct hsl_ctf *c)
{
	struct sim_chip *chip = ctf_chip(c);

	write32(chip, HSL_CTF_OFFSET_DEFAULT + HSL_CTF_KEY, 0);
	pthread_mutex_lock(&chip->fabric->lock);
	chip->ctf_open = false;
	pthread_mutex_unlock(&chip->fabric->lock);
}

int sim_ctf_read(struct hsl_ctf *c, uint32_t off, void *buf, size_t len)
{
	unsigned int word = len < 8 ? 4 : 8;

	for (size_t i = 0; i < len; i += word) {
		uint64_t v = sim_read(ctf_chip(c), HSL_CTF_OFFSET_DEFAULT + off + i, word);

		memcpy((char *)buf + i, &v, word);
	}
	return 0;
}

/* After EVENT.FATAL, as a driver does it: all DMA ends with CTRL.RESET. */
static void fatal_failed(struct sim_chip *c)
{
	pthread_mutex_lock(&c->fabric->lock);
	if (!c->failed) {
		c->failed = true;
		write32(c, HSL_REG_CTRL, HSL_CTRL_RESET);
		queues_end(c);
		sim_event_post(c->fabric, HSL_FABRIC_EV_CHIP_STATE, c->node, 0, HSL_CHIP_FAILED);
	}
	pthread_mutex_unlock(&c->fabric->lock);
}

int sim_ctf_write(struct hsl_ctf *c, uint32_t off, const void *buf, size_t len)
{
	unsigned int word = len < 8 ? 4 : 8;

	for (size_t i = 0; i < len; i += word) {
		uint64_t v = 0;

		memcpy(&v, (const char *)buf + i, word);
		sim_write(ctf_chip(c), HSL_CTF_OFFSET_DEFAULT + off + i, v, word);
	}
	if (off == HSL_CTF_CMD && read32(ctf_chip(c), HSL_REG_STATUS) & HSL_STATUS_FATAL)
		fatal_failed(ctf_chip(c));
	return 0;
}
