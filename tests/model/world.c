// SPDX-License-Identifier: MIT OR Apache-2.0
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "world.h"

/* What is under way in a bag, and what memory has read and not answered yet. */
struct parcel {
	uint64_t due_ps;
	bool memory;
	uint32_t node, id;  /* memory */
	struct hsl_pkt pkt; /* else; memory: its data in pkt.u.data.data */
};

struct completion {
	uint16_t agent;
	struct hsl_access x;
};

struct world {
	struct world_cfg cfg;
	uint64_t rng, now_ps;
	uint8_t *memory;
	uint8_t *block;		  /* of agents and homes */
	struct hsl_agent **agent; /* chips, then host ports */
	struct hsl_home **home;
	struct parcel *bag;
	uint32_t parcels, parcel_room;
	struct completion *done; /* a ring */
	uint32_t first_done, dones, done_room;
	char wrong[300];
};

static uint64_t next_random(struct world *w) /* splitmix64 */
{
	uint64_t z = w->rng += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static void *room(size_t n, size_t size)
{
	void *p = calloc(n, size);

	if (!p)
		abort();
	return p;
}

__attribute__((format(printf, 2, 3))) static void set_wrong(struct world *w, const char *fmt, ...)
{
	va_list ap;

	if (w->wrong[0])
		return;
	va_start(ap, fmt);
	vsnprintf(w->wrong, sizeof(w->wrong), fmt, ap);
	va_end(ap);
}

void world_defaults(struct world_cfg *cfg, uint32_t nodes, uint64_t seed)
{
	memset(cfg, 0, sizeof(*cfg));
	cfg->seed = seed;
	cfg->fab.nodes = nodes;
	cfg->fab.agent =
		(struct hsl_agent_cfg){ .sets = 2, .ways = 2, .requests = 4, .accesses = 8 };
	cfg->fab.home = (struct hsl_home_cfg){ .sets = 2, .ways = 2, .requests = 4 };
}

static size_t aligned(size_t n)
{
	return (n + 63) & ~(size_t)63;
}

/* The configuration of agent i: chips first, then host ports. */
static struct hsl_agent_cfg agent_cfg(const struct world *w, uint32_t i)
{
	struct hsl_agent_cfg cfg = w->cfg.fab.agent;
	uint32_t nodes = w->cfg.fab.nodes;

	cfg.id = (uint16_t)(i < nodes ? i + 1 : (i - nodes + 1) | HSL_AGENT_HOST_PORT);
	cfg.tag_first = (uint16_t)(i < nodes ? 0 : cfg.requests);
	return cfg;
}

static struct hsl_home_cfg home_cfg(const struct world *w, uint32_t i)
{
	struct hsl_home_cfg cfg = w->cfg.fab.home;

	cfg.id = (uint16_t)(i + 1);
	cfg.nodes = w->cfg.fab.nodes;
	return cfg;
}

static void make_bag(struct world *w)
{
	uint32_t nodes = w->cfg.fab.nodes;
	struct hsl_agent_cfg a = agent_cfg(w, 0);
	struct hsl_home_cfg h = home_cfg(w, 0);
	size_t agent_size = aligned(hsl_agent_size(&a)), home_size = aligned(hsl_home_size(&h));

	if (hsl_agent_check(&a) || hsl_home_check(&h)) {
		fprintf(stderr, "world: %s\n",
			hsl_agent_check(&a) ? hsl_agent_check(&a) : hsl_home_check(&h));
		abort();
	}
	w->block = room(nodes, 2 * agent_size + home_size);
	w->agent = room(2 * nodes, sizeof(*w->agent));
	w->home = room(nodes, sizeof(*w->home));
	for (uint32_t i = 0; i < 2 * nodes; i++) {
		a = agent_cfg(w, i);
		w->agent[i] = (struct hsl_agent *)(w->block + i * agent_size);
		hsl_agent_init(w->agent[i], &a);
	}
	for (uint32_t i = 0; i < nodes; i++) {
		h = home_cfg(w, i);
		w->home[i] = (struct hsl_home *)(w->block + 2 * nodes * agent_size + i * home_size);
		hsl_home_init(w->home[i], &h);
	}
}

struct world *world_new(const struct world_cfg *cfg)
{
	struct world *w = room(1, sizeof(*w));

	w->cfg = *cfg;
	w->rng = cfg->seed;
	w->memory = room((size_t)cfg->fab.nodes * WORLD_NODE_LINES, HSL_LINE_BYTES);
	w->done_room = 2 * cfg->fab.nodes * cfg->fab.agent.accesses;
	w->done = room(w->done_room, sizeof(*w->done));
	make_bag(w);
	return w;
}

void world_free(struct world *w)
{
	free(w->memory);
	free(w->block);
	free(w->agent);
	free(w->home);
	free(w->bag);
	free(w->done);
	free(w);
}

uint8_t *world_memory(struct world *w, uint64_t ga)
{
	static uint8_t nowhere[HSL_LINE_BYTES];
	uint32_t node = HSL_GA_NODE(ga);
	uint64_t offset = HSL_GA_OFFSET(ga);

	if (node < 1 || node > w->cfg.fab.nodes || offset >= WORLD_NODE_LINES * HSL_LINE_BYTES) {
		set_wrong(w, "memory 0x%llx of node %u was asked for", (unsigned long long)offset,
			  node);
		return nowhere;
	}
	return w->memory + (node - 1) * WORLD_NODE_LINES * HSL_LINE_BYTES + offset;
}

/* Mostly soon, at times very late. */
static uint64_t delay(struct world *w)
{
	uint64_t r = next_random(w);

	return (r >> 32) % (1000u << r % 8);
}

static struct parcel *add_parcel(struct world *w)
{
	struct parcel *p;

	if (w->parcels == w->parcel_room) {
		w->parcel_room = 2 * w->parcel_room + 64;
		w->bag = realloc(w->bag, w->parcel_room * sizeof(*w->bag));
		if (!w->bag)
			abort();
	}
	p = &w->bag[w->parcels++];
	memset(p, 0, sizeof(*p));
	p->due_ps = w->now_ps + delay(w);
	return p;
}

static void add_done(struct world *w, uint16_t agent, const struct hsl_access *x)
{
	if (w->dones == w->done_room) {
		set_wrong(w, "more accesses are done than were accepted");
		return;
	}
	w->done[(w->first_done + w->dones++) % w->done_room] = (struct completion){ agent, *x };
}

static struct hsl_agent *agent_of(struct world *w, uint16_t id)
{
	uint32_t chip = id & (HSL_AGENT_HOST_PORT - 1u), nodes = w->cfg.fab.nodes;

	if (chip < 1 || chip > nodes)
		return NULL;
	return w->agent[chip - 1 + (id & HSL_AGENT_HOST_PORT ? nodes : 0)];
}

static void empty_agent(struct world *w, uint16_t id)
{
	struct hsl_agent *a = agent_of(w, id);
	struct hsl_access x;
	struct hsl_pkt p;

	while (hsl_agent_tx(a, &p))
		add_parcel(w)->pkt = p;
	while (hsl_agent_done(a, &x))
		add_done(w, id, &x);
}

static void memory_op(struct world *w, uint32_t node, const struct hsl_mem_op *op)
{
	uint8_t *at = world_memory(w, HSL_GA(node, op->offset));
	struct parcel *p;

	if (op->write) {
		memcpy(at, op->data, HSL_LINE_BYTES);
		return;
	}
	p = add_parcel(w);
	p->memory = true;
	p->node = node;
	p->id = op->id;
	memcpy(p->pkt.u.data.data, at, HSL_LINE_BYTES);
}

static void empty_home(struct world *w, uint32_t node)
{
	struct hsl_home *h = w->home[node - 1];
	struct hsl_mem_op op;
	struct hsl_pkt p;

	while (hsl_home_tx(h, &p))
		add_parcel(w)->pkt = p;
	while (hsl_home_mem(h, &op))
		memory_op(w, node, &op);
}

static bool for_agent(uint32_t opcode)
{
	return (opcode >= HSL_PKT_SNP_S && opcode <= HSL_PKT_SNP_C) ||
	       (opcode >= HSL_PKT_RSP && opcode <= HSL_PKT_GRANT);
}

static void deliver(struct world *w, const struct parcel *p)
{
	uint16_t dst = p->pkt.u.h.dst;
	char text[200];

	if (p->memory) {
		hsl_home_mem_data(w->home[p->node - 1], p->id, false, p->pkt.u.data.data);
		empty_home(w, p->node);
		return;
	}
	if (hsl_pkt_check(&p->pkt) || !agent_of(w, dst)) {
		set_wrong(w, "impossible packet: %s", hsl_pkt_text(&p->pkt, text, sizeof(text)));
	} else if (for_agent(p->pkt.u.h.opcode)) {
		if (!hsl_agent_rx(agent_of(w, dst), &p->pkt))
			set_wrong(w, "agent refused %s", hsl_pkt_text(&p->pkt, text, sizeof(text)));
		empty_agent(w, dst);
	} else {
		if (dst > w->cfg.fab.nodes || !hsl_home_rx(w->home[dst - 1], &p->pkt))
			set_wrong(w, "home refused %s", hsl_pkt_text(&p->pkt, text, sizeof(text)));
		empty_home(w, dst & (HSL_AGENT_HOST_PORT - 1u));
	}
}

int world_post(struct world *w, uint16_t agent, const struct hsl_access *x)
{
	int ret = hsl_agent_access(agent_of(w, agent), x);

	if (ret && ret != -EAGAIN) {
		fprintf(stderr, "world: an access was refused with %d\n", ret);
		abort();
	}
	empty_agent(w, agent);
	return ret;
}

bool world_step(struct world *w)
{
	uint32_t first = 0;
	struct parcel p;

	if (!w->parcels)
		return false;
	for (uint32_t i = 1; i < w->parcels; i++) {
		if (w->bag[i].due_ps < w->bag[first].due_ps)
			first = i;
	}
	p = w->bag[first];
	w->bag[first] = w->bag[--w->parcels];
	if (p.due_ps > w->now_ps)
		w->now_ps = p.due_ps;
	deliver(w, &p);
	return true;
}

bool world_done(struct world *w, uint16_t *agent, struct hsl_access *x)
{
	const struct completion *c = &w->done[w->first_done];

	if (!w->dones)
		return false;
	*agent = c->agent;
	*x = c->x;
	w->first_done = (w->first_done + 1) % w->done_room;
	w->dones--;
	return true;
}

uint64_t world_now_ps(const struct world *w)
{
	return w->now_ps;
}

const char *world_wrong(const struct world *w)
{
	return w->wrong;
}

void world_sums(const struct world *w, struct hsl_agent_stats *agents, struct hsl_home_stats *homes)
{
	memset(agents, 0, sizeof(*agents));
	memset(homes, 0, sizeof(*homes));
	for (uint32_t i = 0; i < 2 * w->cfg.fab.nodes; i++) {
		struct hsl_agent_stats a;

		hsl_agent_stats(w->agent[i], &a);
		for (size_t k = 0; k < sizeof(a) / sizeof(uint64_t); k++)
			((uint64_t *)agents)[k] += ((uint64_t *)&a)[k];
	}
	for (uint32_t i = 0; i < w->cfg.fab.nodes; i++) {
		struct hsl_home_stats h;

		hsl_home_stats(w->home[i], &h);
		for (size_t k = 0; k < sizeof(h) / sizeof(uint64_t); k++)
			((uint64_t *)homes)[k] += ((uint64_t *)&h)[k];
	}
}
