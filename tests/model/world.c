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
	bool memory, poison;
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
	bool *poison, poisoned;	  /* by line; there has been any */
	struct hsl_fab *fab;	  /* NULL: a bag */
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

void world_fabric(struct world_cfg *cfg, enum hsl_topology topology)
{
	struct hsl_agent_cfg agent = cfg->fab.agent;
	struct hsl_home_cfg home = cfg->fab.home;

	cfg->fabric = true;
	cfg->fab.topology = topology;
	cfg->fab.profile = *hsl_profile_find("default");
	hsl_fab_defaults(&cfg->fab);
	cfg->fab.seed = cfg->seed;
	cfg->fab.agent = agent;
	cfg->fab.home = home;
	cfg->fab.link.replay_flits = 24;
	cfg->fab.link.credit_shift = cfg->fab.link.tell_units = 0;
	for (uint32_t vc = 0; vc < HSL_VC_COUNT; vc++)
		cfg->fab.link.rx_slots[vc] = cfg->fab.link.tx_slots[vc] = 12;
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

/* ---- a fabric ---- */

static void memory_op(struct world *w, uint32_t node, const struct hsl_mem_op *op);
static void add_done(struct world *w, uint16_t agent, const struct hsl_access *x);

static void empty_fabric(struct world *w)
{
	struct hsl_fab_out out;

	while (hsl_fab_drain(w->fab, &out)) {
		if (out.type == HSL_FAB_OUT_ACCESS)
			add_done(w, out.u.access.agent, &out.u.access.x);
		else if (out.type == HSL_FAB_OUT_MEM)
			memory_op(w, out.u.mem.node, &out.u.mem.op);
	}
	w->now_ps = hsl_fab_now_ps(w->fab);
}

bool world_end(const struct world *w, uint32_t i, uint32_t *a, uint32_t *b)
{
	uint32_t nodes = w->cfg.fab.nodes + 1, n = 0;

	if (!w->fab)
		return false;
	for (uint32_t k = 0; k < nodes * nodes; k++) {
		*a = k / nodes ? k / nodes : HSL_NODE_SWITCH_FIRST;
		*b = k % nodes ? k % nodes : HSL_NODE_SWITCH_FIRST;
		if (hsl_fab_link(w->fab, *a, *b) && n++ == i)
			return true;
	}
	return false;
}

static bool all_up(const struct world *w)
{
	uint32_t a, b;

	for (uint32_t i = 0; world_end(w, i, &a, &b); i++) {
		if (hsl_fab_phy(w->fab, a, b)->state != HSL_LTSSM_L0)
			return false;
	}
	return true;
}

static void make_fabric(struct world *w)
{
	size_t size = aligned(hsl_fab_size(&w->cfg.fab));

	w->fab = size ? aligned_alloc(64, size) : NULL;
	if (!w->fab || hsl_fab_init(w->fab, size, &w->cfg.fab)) {
		fprintf(stderr, "world: %s\n", hsl_fab_check(&w->cfg.fab));
		abort();
	}
	while (!all_up(w)) {
		empty_fabric(w);
		if (hsl_fab_step(w->fab) != 1)
			abort();
	}
	empty_fabric(w);
}

static int post_fabric(struct world *w, const struct hsl_fab_in *in)
{
	int ret = hsl_fab_post(w->fab, in);

	empty_fabric(w);
	return ret;
}

void world_link(struct world *w, const struct hsl_fab_in *in)
{
	int err = post_fabric(w, in);

	if (err && !(in->type == HSL_FAB_LEAVE && (err == -EBUSY || err == -EHOSTUNREACH)))
		set_wrong(w, "the fabric refused what happens to link %u - %u", in->u.link.a,
			  in->u.link.b);
}

/* ---- both ---- */

struct world *world_new(const struct world_cfg *cfg)
{
	struct world *w = room(1, sizeof(*w));

	w->cfg = *cfg;
	w->rng = cfg->seed;
	w->memory = room((size_t)cfg->fab.nodes * WORLD_NODE_LINES, HSL_LINE_BYTES);
	w->poison = room((size_t)cfg->fab.nodes * WORLD_NODE_LINES, sizeof(*w->poison));
	w->done_room = 2 * cfg->fab.nodes * cfg->fab.agent.accesses;
	w->done = room(w->done_room, sizeof(*w->done));
	if (cfg->fabric)
		make_fabric(w);
	else
		make_bag(w);
	return w;
}

void world_free(struct world *w)
{
	free(w->fab);
	free(w->memory);
	free(w->poison);
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

static bool *poison_of(struct world *w, const uint8_t *at)
{
	static bool nowhere;
	size_t line = (size_t)(at - w->memory) / HSL_LINE_BYTES;

	return line < (size_t)w->cfg.fab.nodes * WORLD_NODE_LINES ? &w->poison[line] : &nowhere;
}

void world_poison(struct world *w, uint64_t ga)
{
	*poison_of(w, world_memory(w, ga)) = true;
	w->poisoned = true;
}

static void memory_op(struct world *w, uint32_t node, const struct hsl_mem_op *op)
{
	uint8_t *at = world_memory(w, HSL_GA(node, op->offset));
	struct hsl_fab_in in = { .type = HSL_FAB_MEM, .u.mem = { .node = node, .id = op->id } };
	struct parcel *p;

	if (op->write) {
		if (op->poison && !w->poisoned)
			set_wrong(w, "memory becomes poison, and nobody is lost");
		*poison_of(w, at) = op->poison;
		memcpy(at, op->data, HSL_LINE_BYTES);
		return;
	}
	if (w->fab) {
		memcpy(in.u.mem.data, at, HSL_LINE_BYTES);
		in.u.mem.poison = *poison_of(w, at);
		if (hsl_fab_post(w->fab, &in))
			set_wrong(w, "the fabric refused an answer of memory");
		return;
	}
	p = add_parcel(w);
	p->memory = true;
	p->node = node;
	p->id = op->id;
	p->poison = *poison_of(w, at);
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
		hsl_home_mem_data(w->home[p->node - 1], p->id, p->poison, p->pkt.u.data.data);
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
	struct hsl_fab_in in = { .type = HSL_FAB_ACCESS, .u.access = { agent, *x } };
	int ret = w->fab ? post_fabric(w, &in) : hsl_agent_access(agent_of(w, agent), x);

	if (ret && ret != -EAGAIN) {
		fprintf(stderr, "world: an access was refused with %d\n", ret);
		abort();
	}
	if (!w->fab)
		empty_agent(w, agent);
	return ret;
}

static bool step_bag(struct world *w)
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

bool world_step(struct world *w)
{
	int ret;

	if (!w->fab)
		return step_bag(w);
	ret = hsl_fab_step(w->fab);
	if (ret < 0)
		set_wrong(w, "the fabric does not step: %d", ret);
	empty_fabric(w);
	return ret == 1;
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

static void add_counters(void *sums, const void *more, size_t bytes)
{
	for (size_t i = 0; i < bytes / sizeof(uint64_t); i++)
		((uint64_t *)sums)[i] += ((const uint64_t *)more)[i];
}

static void add_agent(const struct world *w, uint32_t i, struct world_sums *out)
{
	struct hsl_agent_stats s;

	hsl_agent_stats(w->fab ? hsl_fab_agent(w->fab, agent_cfg(w, i).id) : w->agent[i], &s);
	add_counters(&out->agents, &s, sizeof(s));
}

void world_sums(const struct world *w, struct world_sums *out)
{
	struct hsl_link_stats l;
	struct hsl_home_stats h;
	uint32_t a, b;

	memset(out, 0, sizeof(*out));
	for (uint32_t i = 0; i < w->cfg.fab.nodes; i++) {
		add_agent(w, i, out);
		add_agent(w, w->cfg.fab.nodes + i, out);
		hsl_home_stats(w->fab ? hsl_fab_home(w->fab, i + 1) : w->home[i], &h);
		add_counters(&out->homes, &h, sizeof(h));
	}
	for (uint32_t i = 0; world_end(w, i, &a, &b); i++) {
		hsl_link_stats(hsl_fab_link(w->fab, a, b), &l);
		add_counters(&out->links, &l, sizeof(l));
		out->trained += hsl_fab_phy(w->fab, a, b)->entries[HSL_LTSSM_L0];
	}
}

uint64_t world_number(const char *option, const char *text, uint64_t min)
{
	char *end;
	uint64_t n;

	errno = 0;
	n = strtoull(text, &end, 0);
	if (end == text || *end || errno || text[0] == '-' || n < min) {
		fprintf(stderr, "%s %s: not a number of at least %llu\n", option, text, (unsigned long long)min);
		exit(2);
	}
	return n;
}
