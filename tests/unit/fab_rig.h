/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A modelled fabric with memory behind it: posts accesses, answers memory reads, keeps what came
 * out. Memory is one array of lines per chip.
 */
#ifndef FAB_RIG_H
#define FAB_RIG_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/fab.h"

#define RIG_LINES	4096u

struct rig {
	struct hsl_fab_cfg cfg;
	struct hsl_fab *fab;
	uint8_t (*mem)[RIG_LINES][HSL_LINE_BYTES];	/* [chip - 1] */
	bool (*poison)[RIG_LINES];
	bool deaf;			/* memory reads are not answered: the last one waits here */
	uint32_t deaf_node, deaf_id;
	void (*read)(struct rig *r, uint32_t node, uint64_t line);	/* memory was read */
	void (*done)(struct rig *r, uint16_t agent, const struct hsl_access *x, uint64_t time_ps);
	struct hsl_access last;		/* what was done last */
	uint16_t last_agent;
	uint64_t last_ps, nposted, ndone, nlink;
};

static inline struct rig *rig_new(const struct hsl_fab_cfg *cfg)
{
	struct rig *r = calloc(1, sizeof(*r));
	size_t bytes = hsl_fab_size(cfg);

	r->cfg = *cfg;
	r->fab = aligned_alloc(64, (bytes + 63) & ~(size_t)63);
	r->mem = calloc(cfg->nodes, sizeof(*r->mem));
	r->poison = calloc(cfg->nodes, sizeof(*r->poison));
	if (!bytes || hsl_fab_init(r->fab, bytes, cfg)) {
		fprintf(stderr, "fabric: %s\n", hsl_fab_check(cfg));
		abort();
	}
	return r;
}

static inline void rig_free(struct rig *r)
{
	free(r->fab);
	free(r->mem);
	free(r->poison);
	free(r);
}

static inline void rig_memory(struct rig *r, uint32_t node, const struct hsl_mem_op *op)
{
	uint64_t line = op->offset / HSL_LINE_BYTES;
	struct hsl_fab_in in = { .type = HSL_FAB_MEM };

	if (op->write) {
		memcpy(r->mem[node - 1][line], op->data, HSL_LINE_BYTES);
		r->poison[node - 1][line] = op->poison;
		return;
	}
	if (r->read)
		r->read(r, node, line);
	if (r->deaf) {
		r->deaf_node = node;
		r->deaf_id = op->id;
		return;
	}
	in.u.mem.node = node;
	in.u.mem.id = op->id;
	in.u.mem.poison = r->poison[node - 1][line];
	memcpy(in.u.mem.data, r->mem[node - 1][line], HSL_LINE_BYTES);
	if (hsl_fab_post(r->fab, &in))
		abort();
}

static inline void rig_drain(struct rig *r)
{
	struct hsl_fab_out o;

	while (hsl_fab_drain(r->fab, &o)) {
		switch (o.type) {
		case HSL_FAB_OUT_ACCESS:
			r->last = o.u.access.x;
			r->last_agent = o.u.access.agent;
			r->last_ps = o.time_ps;
			r->ndone++;
			if (r->done)
				r->done(r, o.u.access.agent, &o.u.access.x, o.time_ps);
			break;
		case HSL_FAB_OUT_MEM:
			rig_memory(r, o.u.mem.node, &o.u.mem.op);
			break;
		case HSL_FAB_OUT_LINK:
			r->nlink++;
			break;
		}
	}
}

static inline int rig_post(struct rig *r, const struct hsl_fab_in *in)
{
	int err;

	rig_drain(r);
	err = hsl_fab_post(r->fab, in);
	r->nposted += in->type == HSL_FAB_ACCESS && !err;
	rig_drain(r);
	return err;
}

/* Until the time has come, or nothing is pending. */
static inline void rig_run_to(struct rig *r, uint64_t time_ps)
{
	rig_drain(r);
	while (hsl_fab_next_ps(r->fab) <= time_ps && hsl_fab_step(r->fab) == 1)
		rig_drain(r);
}

/* Until all accesses are done and nothing is under way, at most so long. */
static inline bool rig_settle(struct rig *r, uint64_t limit_ps)
{
	uint64_t end = hsl_fab_now_ps(r->fab) + limit_ps;

	rig_drain(r);
	while (!hsl_fab_quiet(r->fab) && hsl_fab_next_ps(r->fab) <= end && hsl_fab_step(r->fab) == 1)
		rig_drain(r);
	return hsl_fab_quiet(r->fab);
}

static inline int rig_access(struct rig *r, uint16_t agent, uint8_t op, uint64_t ga, uint8_t len, const void *data)
{
	struct hsl_fab_in in = { .type = HSL_FAB_ACCESS };

	in.u.access.agent = agent;
	in.u.access.x.ga = ga;
	in.u.access.x.op = op;
	in.u.access.x.len = len;
	if (data)
		memcpy(in.u.access.x.data, data, len);
	return rig_post(r, &in);
}

/* One access to its end; the time it took, UINT64_MAX if it was refused or never ended. */
static inline uint64_t rig_one(struct rig *r, uint16_t agent, uint8_t op, uint64_t ga, uint8_t len, const void *data)
{
	uint64_t from = hsl_fab_now_ps(r->fab), n = r->ndone;

	if (rig_access(r, agent, op, ga, len, data))
		return UINT64_MAX;
	while (r->ndone == n && hsl_fab_step(r->fab) == 1)
		rig_drain(r);
	return r->ndone == n ? UINT64_MAX : r->last_ps - from;
}

static inline struct hsl_fab_cfg rig_cfg(uint32_t nodes, enum hsl_topology topology, const char *profile)
{
	struct hsl_fab_cfg cfg = { .nodes = nodes, .topology = topology };

	cfg.profile = *hsl_profile_find(profile);
	hsl_fab_defaults(&cfg);
	return cfg;
}

/* All links trained. */
static inline struct rig *rig_up(const struct hsl_fab_cfg *cfg)
{
	struct rig *r = rig_new(cfg);

	rig_run_to(r, 10000000);
	return r;
}

#endif
