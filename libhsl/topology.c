// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Topology: the path between two chips, computed from what the chips' link blocks say.
 *
 * Vertices are the chips and every node that a chip, or a switch, names as its peer. All are asked for their links. Who
 * does not answer forwards all the same: a switch, of which no register tells the driver; a chip that has failed, or has
 * no driver. What the other end says of a link goes for both directions then, and a link between two of them is not
 * known. Shortest means: least latency, then fewest links, then the widest bottleneck. Dijkstra without a heap: fabrics
 * have tens of vertices, and asking for the links costs more than the search.
 */
#include <stdlib.h>
#include <string.h>

#include "priv.h"

struct edge {
	uint32_t from, to;		/* indices of vertices */
	uint64_t latency_ps;
	uint64_t raw_bytes_per_s;
};

struct vertex {
	uint32_t node;
	bool chip;
	bool answers;			/* was asked for its links, and told them */
	bool known, done;		/* of the search: has a path; its path is final */
	uint64_t latency_ps;
	uint32_t hops;
	uint64_t raw_bytes_per_s;
};

struct graph {
	struct vertex *v;
	struct edge *e;
	size_t nv, ne, v_room, e_room;
};

/* *array with room for one more element */
static int reserve(void *array, size_t n, size_t *room, size_t elem)
{
	size_t want = *room ? *room * 2 : 32;
	void **a = array, *p;

	if (n < *room)
		return 0;
	p = realloc(*a, want * elem);
	if (!p)
		return -ENOMEM;
	*a = p;
	*room = want;
	return 0;
}

/* Index of a node's vertex, made if there is none; -ENOMEM */
static long vertex_of(struct graph *g, uint32_t node, bool chip)
{
	for (size_t i = 0; i < g->nv; i++)
		if (g->v[i].node == node) {
			g->v[i].chip |= chip;
			return (long)i;
		}
	if (reserve(&g->v, g->nv, &g->v_room, sizeof(*g->v)))
		return -ENOMEM;
	g->v[g->nv] = (struct vertex){ .node = node, .chip = chip };
	return (long)g->nv++;
}

static int add_edge(struct graph *g, struct edge e)
{
	if (reserve(&g->e, g->ne, &g->e_room, sizeof(*g->e)))
		return -ENOMEM;
	g->e[g->ne++] = e;
	return 0;
}

/* One link of vertex self; 1: there is none with this index, or nobody answers. */
static int add_link(struct hsl_fabric *f, struct graph *g, uint32_t self, uint32_t index)
{
	struct hsl_link_info l = { .size = sizeof(l), .node = g->v[self].node, .index = index };
	int err = f->ops->link_info(f, &l);
	long peer;

	if (err)
		return err == -ENOENT || err == -ENODEV ? 1 : err;
	g->v[self].answers = true;
	if (!l.peer || (l.state != HSL_LTSSM_L0 && l.state != HSL_LTSSM_L1))
		return 0;
	peer = vertex_of(g, l.peer, false);
	if (peer < 0)
		return -ENOMEM;
	return add_edge(g, (struct edge){
		.from = self, .to = (uint32_t)peer, .latency_ps = l.latency_ps,
		/* MT/s * lanes / 8 bits, in bytes per second */
		.raw_bytes_per_s = (uint64_t)l.width * l.rate_mtps * (1000000 / 8),
	});
}

static int add_links(struct hsl_fabric *f, struct graph *g, uint32_t self)
{
	int err = 0;

	for (uint32_t i = 0; !err; i++)
		err = add_link(f, g, self, i);
	return err < 0 ? err : 0;
}

/* From those who do not answer. */
static int add_ways_back(struct graph *g)
{
	size_t told = g->ne;
	int err = 0;

	for (size_t i = 0; i < told && !err; i++) {
		struct edge e = g->e[i];

		if (g->v[e.to].answers)
			continue;
		e.from = g->e[i].to;
		e.to = g->e[i].from;
		err = add_edge(g, e);
	}
	return err;
}

static int read_graph(struct hsl_fabric *f, struct graph *g)
{
	int err = 0;

	for (uint32_t i = 0; !err; i++) {
		struct hsl_chip_info c = { .size = sizeof(c), .flags = HSL_CHIP_BY_INDEX, .node = i };
		long self;

		err = f->ops->chip_info(f, &c);
		if (err)
			break;
		self = vertex_of(g, c.node, true);
		err = self < 0 ? -ENOMEM : add_links(f, g, (uint32_t)self);
	}
	if (err != -ENOENT)
		return err;
	/* who was named and is no chip of the fabric, and whom they name */
	err = 0;
	for (size_t i = 0; i < g->nv && !err; i++)
		if (!g->v[i].chip)
			err = add_links(f, g, (uint32_t)i);
	return err ? err : add_ways_back(g);
}

static bool better(uint64_t latency_ps, uint32_t hops, uint64_t raw, const struct vertex *than)
{
	if (!than->known || latency_ps != than->latency_ps)
		return !than->known || latency_ps < than->latency_ps;
	if (hops != than->hops)
		return hops < than->hops;
	return raw > than->raw_bytes_per_s;
}

static void search(struct graph *g, size_t src)
{
	g->v[src].known = true;
	g->v[src].raw_bytes_per_s = UINT64_MAX;
	for (;;) {
		struct vertex *u = NULL;

		for (size_t i = 0; i < g->nv; i++) {
			struct vertex *v = &g->v[i];

			if (v->known && !v->done &&
			    (!u || better(v->latency_ps, v->hops, v->raw_bytes_per_s, u)))
				u = v;
		}
		if (!u)
			return;
		u->done = true;
		for (size_t i = 0; i < g->ne; i++) {
			const struct edge *e = &g->e[i];
			struct vertex *v = &g->v[e->to];
			uint64_t latency_ps = u->latency_ps + e->latency_ps;
			uint64_t raw = e->raw_bytes_per_s < u->raw_bytes_per_s ? e->raw_bytes_per_s
									      : u->raw_bytes_per_s;

			if (&g->v[e->from] != u || v->done || !better(latency_ps, u->hops + 1, raw, v))
				continue;
			v->known = true;
			v->latency_ps = latency_ps;
			v->hops = u->hops + 1;
			v->raw_bytes_per_s = raw;
		}
	}
}

static struct vertex *find_chip(struct graph *g, uint32_t node)
{
	for (size_t i = 0; i < g->nv; i++)
		if (g->v[i].node == node && g->v[i].chip)
			return &g->v[i];
	return NULL;
}

int hsl_topology_path(struct hsl_fabric *f, uint32_t src_node, uint32_t dst_node, struct hsl_path_props *p)
{
	struct hsl_path_props r = { 0 };
	struct vertex *src, *dst;
	struct graph g = { 0 };
	int err;

	if (!f || !p)
		return -EINVAL;
	err = read_graph(f, &g);
	if (err)
		goto free_graph;
	src = find_chip(&g, src_node);
	dst = find_chip(&g, dst_node);
	err = -ENOENT;
	if (!src || !dst)
		goto free_graph;
	search(&g, (size_t)(src - g.v));
	err = -EHOSTUNREACH;
	if (!dst->known)
		goto free_graph;
	r.hops = dst->hops;
	r.latency_ps = dst->latency_ps > UINT32_MAX ? UINT32_MAX : (uint32_t)dst->latency_ps;
	/* no link is crossed to reach oneself: there is no narrowest one */
	r.raw_bytes_per_s = dst->hops ? dst->raw_bytes_per_s : 0;
	err = hslp_props_out(p, &r, sizeof(r));

free_graph:
	free(g.v);
	free(g.e);
	return err;
}
