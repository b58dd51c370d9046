// SPDX-License-Identifier: MIT OR Apache-2.0
/* The driver's side of chips of the sim backend, for hsltest: see raw.h. */
#include <string.h>

#include "raw.h"
#include "sim.h"


static struct sim_chip *chip_of(struct hsl_fabric *f, uint32_t node)
{
	return f->sim ? sim_chip_find(f->sim->fabric, node) : NULL;
}

uint64_t hslp_raw_read(struct hsl_fabric *f, uint32_t node, uint64_t off, unsigned int size)
{
	struct sim_chip *c = chip_of(f, node);

	return c ? sim_read(c, off, size) : 0;
}

void hslp_raw_write(struct hsl_fabric *f, uint32_t node, uint64_t off, uint64_t val, unsigned int size)
{
	struct sim_chip *c = chip_of(f, node);

	if (c)
		sim_write(c, off, val, size);
}

uint64_t hslp_raw_bar0_bytes(struct hsl_fabric *f, uint32_t node)
{
	struct sim_chip *c = chip_of(f, node);

	return c ? hsl_chip_bar0_bytes(c->engine) : 0;
}

void *hslp_raw_memory(struct hsl_fabric *f, uint32_t node, uint64_t *bytes)
{
	struct sim_chip *c = chip_of(f, node);

	*bytes = c ? c->mem_bytes : 0;
	return c ? c->mem : NULL;
}

int hslp_raw_reset(struct hsl_fabric *f, uint32_t node)
{
	return f->sim ? hslp_sim_reset_chip(f, node) : -EOPNOTSUPP;
}

int hslp_raw_unbind(struct hsl_fabric *f, uint32_t node, void *mem, size_t len)
{
	struct sim_chip *c = chip_of(f, node);
	int err;

	if (!c)
		return -EOPNOTSUPP;
	pthread_mutex_lock(&c->fabric->lock);
	err = sim_iova_add(&c->fabric->iova, mem, len, true);
	if (!err)
		sim_chip_unbind(c);
	pthread_mutex_unlock(&c->fabric->lock);
	return err;
}

int hslp_raw_bind(struct hsl_fabric *f, uint32_t node, void *mem, size_t len)
{
	struct sim_chip *c = chip_of(f, node);
	int err;

	if (!c)
		return -EOPNOTSUPP;
	pthread_mutex_lock(&c->fabric->lock);
	err = sim_chip_bind(c);
	sim_iova_remove(&c->fabric->iova, mem, len, true);
	pthread_mutex_unlock(&c->fabric->lock);
	return err;
}

bool hslp_raw_time_passes(struct hsl_fabric *f)
{
	if (!f->sim || !f->sim->fabric->modelled_time)
		return false;
	sim_time_step(f->sim->fabric);
	return true;
}

int hslp_raw_model(struct hsl_fabric *f, struct hsl_model_config *out)
{
	if (!f->sim)
		return -EOPNOTSUPP;
	*out = f->sim->fabric->model;
	return 0;
}

int hslp_raw_rings(struct hsl_queue *q, struct hslp_raw_rings *r)
{
	if (!q->sim)
		return -EOPNOTSUPP;
	*r = (struct hslp_raw_rings){
		.sq = q->sq,
		.cq = q->cq,
		.ctrl = q->ctrl,
		.shadow = q->shadow,
		.qid = q->sim->qid,
		.depth = q->depth,
		.doorbell = q->sim->db,
	};
	return 0;
}

