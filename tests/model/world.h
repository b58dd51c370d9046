/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Agents, homes and their memory for randomised tests, joined by either of two networks: a bag of
 * packets that are delivered in any order, which finds races faster than any real network; or the
 * modelled fabric with its links and their errors (qemu/model/fab.h).
 *
 * The same configuration and the same calls give the same run.
 */
#ifndef WORLD_H
#define WORLD_H

#include "model/fab.h"

#define WORLD_NODE_LINES 1024u /* of memory, each node */

struct world_cfg {
	bool fabric; /* else a bag of packets */
	uint64_t seed;
	struct hsl_fab_cfg fab; /* of the bag: nodes, agent and home only */
};

struct world;
/* A bag. Caches and directories are small, so that evictions and recalls are common. */
void world_defaults(struct world_cfg *cfg, uint32_t nodes, uint64_t seed);
/* A plain fabric instead, with links of few buffers. */
void world_fabric(struct world_cfg *cfg, enum hsl_topology topology);
/* Its links are up. Aborts without memory or with a bad configuration. */
struct world *world_new(
	const struct world_cfg *cfg); /* aborts without memory or with a bad configuration */
void world_free(struct world *w);

/* 0; -EAGAIN: the agent has no room. Any other refusal aborts. */
int world_post(struct world *w, uint16_t agent, const struct hsl_access *x);
/* The next thing happens; false: nothing is under way, or will be. */
bool world_step(struct world *w);
/* An access that is done, or false. */
bool world_done(struct world *w, uint16_t *agent, struct hsl_access *x);
/* Behind the homes' back, while nothing is under way. */
uint8_t *world_memory(struct world *w, uint64_t ga);
/* Memory of this line is poison from now on: nothing is under way, and no cache has the line. */
void world_poison(struct world *w, uint64_t ga);
uint64_t world_now_ps(const struct world *w);
/* "" or the first thing that may not happen: a packet that was refused, memory that is not there.
 */
const char *world_wrong(const struct world *w);

/* A link end of a fabric: number i, 0 …; false: there are fewer. */
bool world_end(const struct world *w, uint32_t i, uint32_t *a, uint32_t *b);
/* Something happens to a link: HSL_FAB_RETRAIN, HSL_FAB_LANE or HSL_FAB_ERRORS. */
void world_link(struct world *w, const struct hsl_fab_in *in);

struct world_sums {
	struct hsl_agent_stats agents;
	struct hsl_home_stats homes;
	struct hsl_link_stats links; /* of all ends */
	uint64_t trained;	     /* times an end came into L0 */
};
void world_sums(const struct world *w, struct world_sums *out);

/* The number of an option; exits with 2 if it is none, or less than min: no run of nothing that passes. */
uint64_t world_number(const char *option, const char *text, uint64_t min);

#endif
