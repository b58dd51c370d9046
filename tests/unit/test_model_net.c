// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Topologies, links, routes and their latency. Expected values come from the definitions in
 * docs/hep.md, and under random changes from an all-pairs search (Floyd-Warshall) over a link list
 * the test keeps itself.
 */
#include "model_test.h"

#include "model/model_priv.h"

static const enum hsl_topology all_topologies[] = {
	HSL_TOPO_PAIR, HSL_TOPO_RING, HSL_TOPO_MESH, HSL_TOPO_SWITCH,
};

static uint32_t expected_hops(enum hsl_topology topology, uint32_t n, uint32_t a, uint32_t b)
{
	uint32_t d = a > b ? a - b : b - a;

	if (!d)
		return 0;
	switch (topology) {
	case HSL_TOPO_RING:
		return d < n - d ? d : n - d;
	case HSL_TOPO_SWITCH:
		return 2;
	default:
		return 1;
	}
}

/* The formula of docs/hep.md section 9 with the numbers of the default profile written out. */
static uint64_t expected_way_ps(uint32_t hops)
{
	return hops ? hops * (2 * 40000u + 10000u + 1143u) + (hops - 1) * UINT64_C(150000) : 0;
}

static void test_names(void **state)
{
	enum hsl_topology t;

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(hsl_topology_parse(hsl_topology_name(all_topologies[i]), &t), 0);
		assert_int_equal(t, all_topologies[i]);
	}
	assert_string_equal(hsl_topology_name(HSL_TOPO_RING), "ring");
	assert_int_equal(hsl_topology_parse("torus", &t), -EINVAL);
	assert_int_equal(hsl_topology_parse("", &t), -EINVAL);
	assert_int_equal(hsl_topology_parse(NULL, &t), -EINVAL);
	assert_non_null(hsl_profile_find("default"));
	assert_non_null(hsl_profile_find("gen2"));
	assert_non_null(hsl_profile_find("pcie5"));
	assert_null(hsl_profile_find("gen3"));
	assert_null(hsl_profile_find(NULL));
	assert_true(hsl_profile_find("gen2")->rate_mtps > hsl_profile_find("default")->rate_mtps);
}

static void refused(struct hsl_model_config cfg, const char *word)
{
	uint64_t arena[8];
	const char *why = hsl_model_check(&cfg);

	assert_non_null(why);
	if (!strstr(why, word))
		fail_msg("\"%s\" does not mention \"%s\"", why, word);
	assert_int_equal(hsl_model_size(&cfg), 0);
	assert_int_equal(hsl_model_init((void *)arena, sizeof(arena), &cfg), -EINVAL);
}

static void test_bad_configurations(void **state)
{
	struct hsl_model_config ok = config(HSL_TOPO_MESH, 4), c;

	(void)state;
	assert_null(hsl_model_check(&ok));
	assert_non_null(hsl_model_check(NULL));
	assert_int_equal(hsl_model_size(NULL), 0);
	refused((c = ok, c.nodes = 0, c), "chips");
	refused((c = ok, c.topology = HSL_TOPO_SWITCH, c.nodes = HSL_MODEL_NODES_MAX + 1, c), "4096");
	refused((c = ok, c.topology = (enum hsl_topology)5, c), "topology");
	refused((c = ok, c.topology = HSL_TOPO_PAIR, c.nodes = 3, c), "pair");
	refused((c = ok, c.nodes = HSL_MODEL_LINKS_PER_NODE_MAX + 2, c), "use ring or switch");
	refused((c = ok, c.topology = HSL_TOPO_RING, c.nodes = 257, c), "ring");
	refused((c = ok, c.host_node = 0, c), "host");
	refused((c = ok, c.host_node = 4, c), "host");
	refused((c = ok, c.host_node = SWITCH, c), "host");
	refused((c = ok, c.hop_limit = 256, c), "hop limit");
	refused((c = ok, c.max_inflight = UINT32_MAX, c), "in flight");
	refused((c = ok, c.profile.lanes = 0, c), "lanes");
	refused((c = ok, c.profile.lanes = 65, c), "lanes");
	refused((c = ok, c.profile.rate_mtps = 0, c), "rate");
	refused((c = ok, c.profile.port_ps = UINT32_MAX, c), "latency");
	refused((c = ok, memset(c.profile.name, 'x', sizeof(c.profile.name)), c), "name");
}

static void test_arena(void **state)
{
	struct hsl_model_config cfg = config(HSL_TOPO_RING, 5);
	size_t bytes = hsl_model_size(&cfg);
	unsigned char *arena = malloc(bytes + 8);

	(void)state;
	assert_non_null(arena);
	assert_int_equal(hsl_model_init((void *)arena, bytes - 1, &cfg), -ENOSPC);
	assert_int_equal(hsl_model_init((void *)(arena + 4), bytes, &cfg), -EINVAL);
	assert_int_equal(hsl_model_init(NULL, bytes, &cfg), -EINVAL);
	assert_int_equal(hsl_model_init((void *)arena, bytes, &cfg), 0);
	free(arena);

	/* the largest fabrics stay small */
	cfg = config(HSL_TOPO_SWITCH, HSL_MODEL_NODES_MAX);
	assert_in_range(hsl_model_size(&cfg), 1, 4u << 20);
	cfg = config(HSL_TOPO_MESH, HSL_MODEL_LINKS_PER_NODE_MAX + 1);
	assert_in_range(hsl_model_size(&cfg), 1, 64u << 10);
}

/* One round trip from a to b: deliveries, hops and times. */
static void round_trip(struct hsl_model *m, uint32_t a, uint32_t b, uint32_t hops)
{
	uint64_t start = hsl_model_now_ps(m), way = expected_way_ps(hops);
	struct hsl_event ev = request(a, b, a ^ b);
	struct hsl_output out;

	assert_int_equal(hsl_model_hops(m, a, b), hops);
	assert_int_equal(hsl_model_post(m, &ev), 0);
	out = next_output(m);
	assert_int_equal(out.type, HSL_OUT_DELIVER_REQ);
	assert_int_equal(out.node, b);
	assert_int_equal(out.hops, hops);
	assert_int_equal(out.time_ps - start, way);
	assert_int_equal(hsl_model_now_ps(m), out.time_ps);
	ev.u.req.addr |= (uint64_t)hops << 48;
	assert_memory_equal(&out.u.req, &ev.u.req, sizeof(ev.u.req));

	assert_int_equal(post_rsp(m, b, a, a ^ b, HSL_ST_OK, 4096 + a), 0);
	out = next_output(m);
	assert_int_equal(out.type, HSL_OUT_DELIVER_RSP);
	assert_int_equal(out.node, a);
	assert_int_equal(out.hops, hops);
	assert_int_equal(out.time_ps - start, 2 * way + 20000);
	assert_int_equal(out.u.rsp.opcode, HSL_PKT_RSP);
	assert_int_equal(out.u.rsp.status, HSL_ST_OK);
	assert_int_equal(out.u.rsp.src, b);
	assert_int_equal(out.u.rsp.dst, a);
	assert_int_equal(out.u.rsp.tag, a ^ b);
	assert_int_equal(out.u.rsp.value, 4096 + a);
}

static void every_pair(enum hsl_topology topology, uint32_t n)
{
	struct hsl_model *m = model_new(topology, n);

	for (uint32_t a = 1; a <= n; a++)
		for (uint32_t b = 1; b <= n; b++)
			round_trip(m, a, b, expected_hops(topology, n, a, b));
	assert_quiet(m);
	free(m);
}

static void test_every_pair(void **state)	/* HEP-NET-002 */
{
	(void)state;
	for (size_t i = 0; i < 4; i++)
		every_pair(all_topologies[i], 1);
	every_pair(HSL_TOPO_PAIR, 2);
	every_pair(HSL_TOPO_RING, 2);
	every_pair(HSL_TOPO_RING, 3);
	every_pair(HSL_TOPO_RING, 4);
	every_pair(HSL_TOPO_RING, 17);
	every_pair(HSL_TOPO_RING, 64);
	every_pair(HSL_TOPO_MESH, 2);
	every_pair(HSL_TOPO_MESH, 4);
	every_pair(HSL_TOPO_MESH, 17);
	every_pair(HSL_TOPO_SWITCH, 2);
	every_pair(HSL_TOPO_SWITCH, 3);
	every_pair(HSL_TOPO_SWITCH, 64);
}

static void test_largest(void **state)
{
	struct hsl_model *m = model_new(HSL_TOPO_RING, 256);

	(void)state;
	round_trip(m, 1, 129, 128);
	assert_int_equal(post_link(m, 256, 1, false), 0);
	round_trip(m, 1, 256, 255);
	round_trip(m, 256, 1, 255);
	free(m);
	m = model_new(HSL_TOPO_SWITCH, HSL_MODEL_NODES_MAX);
	round_trip(m, 1, HSL_MODEL_NODES_MAX, 2);
	round_trip(m, HSL_MODEL_NODES_MAX, 77, 2);
	free(m);
}

/* Worked examples of docs/hep.md section 9, in picoseconds, and what pcie5 was chosen for. */
static void test_known_latencies(void **state)
{
	static const struct { enum hsl_topology t; uint32_t n, dst; uint64_t ps; } known[] = {
		{ HSL_TOPO_MESH, 4, 1, 20000 },
		{ HSL_TOPO_MESH, 4, HOST, 100000 },
		{ HSL_TOPO_MESH, 4, 2, 202286 },
		{ HSL_TOPO_SWITCH, 4, 2, 684572 },
		{ HSL_TOPO_RING, 4, 3, 684572 },
		{ HSL_TOPO_RING, 8, 5, 1649144 },
	};
	struct hsl_model_link link;
	struct hsl_model_config cfg;
	struct hsl_model *m;

	(void)state;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		m = model_new(known[i].t, known[i].n);
		assert_int_equal(post_req(m, 1, known[i].dst, 9), 0);
		assert_int_equal(next_output(m).node, known[i].dst);
		assert_int_equal(post_rsp(m, known[i].dst, 1, 9, HSL_ST_OK, 0), 0);
		assert_int_equal(next_output(m).time_ps, known[i].ps);
		free(m);
	}
	cfg = config(HSL_TOPO_PAIR, 2);
	cfg.profile = *hsl_profile_find("pcie5");
	m = model_of(&cfg);
	assert_int_equal(hsl_model_link(m, 1, 0, &link), 0);
	assert_int_equal(link.latency_ps, 2 * 112000 + 10000 + 4000);
	assert_int_equal(link.rate_mtps, 32000);
	assert_int_equal(link.max_rate_mtps, 32000);
	free(m);
}

/* Both ends of every link agree (HEP-LNK-003), and every chip has the peers its topology says. */
static void check_links(struct hsl_model *m, uint32_t node, uint32_t type)
{
	for (uint32_t k = 0; k < hsl_model_nlinks(m, node); k++) {
		struct hsl_model_link l, back;
		uint32_t seen = 0;

		assert_int_equal(hsl_model_link(m, node, k, &l), 0);
		assert_int_not_equal(l.peer, node);
		assert_int_equal(l.peer_type,
				 l.peer >= SWITCH ? HSL_NODE_TYPE_SWITCH : HSL_NODE_TYPE_CHIP);
		assert_int_equal(l.latency_ps, 91143);
		assert_int_equal(l.width, l.state == HSL_LTSSM_L0 ? 16 : 0);
		assert_int_equal(l.rate_mtps, l.state == HSL_LTSSM_L0 ? 112000 : 0);
		assert_int_equal(l.max_width, 16);
		assert_int_equal(l.max_rate_mtps, 112000);
		for (uint32_t j = 0; j < hsl_model_nlinks(m, l.peer); j++) {
			assert_int_equal(hsl_model_link(m, l.peer, j, &back), 0);
			if (back.peer != node)
				continue;
			seen++;
			assert_int_equal(back.peer_type, type);
			assert_int_equal(back.state, l.state);
		}
		assert_int_equal(seen, 1);
	}
}

static void test_links(void **state)
{
	static const struct { enum hsl_topology t; uint32_t n, links; } known[] = {
		{ HSL_TOPO_PAIR, 1, 0 }, { HSL_TOPO_PAIR, 2, 1 }, { HSL_TOPO_RING, 1, 0 },
		{ HSL_TOPO_RING, 2, 1 }, { HSL_TOPO_RING, 3, 2 }, { HSL_TOPO_RING, 9, 2 },
		{ HSL_TOPO_MESH, 1, 0 }, { HSL_TOPO_MESH, 5, 4 }, { HSL_TOPO_MESH, 17, 16 },
		{ HSL_TOPO_SWITCH, 1, 0 }, { HSL_TOPO_SWITCH, 2, 1 }, { HSL_TOPO_SWITCH, 40, 1 },
	};
	struct hsl_model_link l;
	struct hsl_model *m;

	(void)state;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		m = model_new(known[i].t, known[i].n);
		for (uint32_t id = 1; id <= known[i].n; id++) {
			assert_int_equal(hsl_model_nlinks(m, id), known[i].links);
			check_links(m, id, HSL_NODE_TYPE_CHIP);
			assert_int_equal(hsl_model_link(m, id, known[i].links, &l), -EINVAL);
		}
		if (known[i].t == HSL_TOPO_SWITCH && known[i].n > 1) {
			assert_int_equal(hsl_model_nlinks(m, SWITCH), known[i].n);
			check_links(m, SWITCH, HSL_NODE_TYPE_SWITCH);
		} else {
			assert_int_equal(hsl_model_nlinks(m, SWITCH), 0);
		}
		assert_int_equal(hsl_model_nlinks(m, 0), 0);
		assert_int_equal(hsl_model_link(m, known[i].n + 1, 0, &l), -EINVAL);
		assert_int_equal(hsl_model_link(m, HOST, 0, &l), -EINVAL);
		free(m);
	}
}

static uint32_t link_state(struct hsl_model *m, uint32_t node, uint32_t k)
{
	struct hsl_model_link l;

	assert_int_equal(hsl_model_link(m, node, k, &l), 0);
	return l.state;
}

static void test_link_state(void **state)
{
	struct hsl_model_config cfg = config(HSL_TOPO_PAIR, 2);
	struct hsl_model *m = model_empty(&cfg);

	(void)state;
	assert_int_equal(link_state(m, 1, 0), HSL_LTSSM_DETECT);
	assert_int_equal(hsl_model_hops(m, 1, 1), -EHOSTUNREACH);
	assert_int_equal(hsl_model_hops(m, 1, HOST), -EHOSTUNREACH);
	assert_int_equal(post_node(m, 1, true), 0);
	assert_int_equal(link_state(m, 1, 0), HSL_LTSSM_DETECT);
	assert_int_equal(hsl_model_hops(m, 1, 1), 0);
	assert_int_equal(hsl_model_hops(m, 1, 2), -EHOSTUNREACH);
	assert_int_equal(post_node(m, 2, true), 0);
	assert_int_equal(link_state(m, 1, 0), HSL_LTSSM_L0);
	assert_int_equal(link_state(m, 2, 0), HSL_LTSSM_L0);
	assert_int_equal(post_link(m, 2, 1, false), 0);
	assert_int_equal(link_state(m, 1, 0), HSL_LTSSM_DETECT);
	assert_int_equal(link_state(m, 2, 0), HSL_LTSSM_DETECT);
	assert_int_equal(hsl_model_hops(m, 1, 2), -EHOSTUNREACH);
	assert_int_equal(post_link(m, 2, 1, false), 0);
	assert_int_equal(post_link(m, 1, 2, true), 0);
	assert_int_equal(hsl_model_hops(m, 1, 2), 1);
	assert_int_equal(hsl_model_hops(m, 1, HOST), 0);
	assert_int_equal(hsl_model_hops(m, HOST, 2), 0);
	assert_int_equal(hsl_model_hops(m, HOST, HOST), 0);
	assert_int_equal(hsl_model_hops(m, 1, 3), -EINVAL);
	assert_int_equal(hsl_model_hops(m, 0, 1), -EINVAL);
	assert_int_equal(hsl_model_hops(m, HOST, 3), -EINVAL);
	assert_int_equal(hsl_model_hops(m, 1, SWITCH), -EINVAL);
	/* a link held down while its end is away stays down */
	assert_int_equal(post_link(m, 1, 2, false), 0);
	assert_int_equal(post_node(m, 2, false), 0);
	assert_int_equal(post_node(m, 2, true), 0);
	assert_int_equal(link_state(m, 1, 0), HSL_LTSSM_DETECT);
	free(m);
}

static void unreachable(struct hsl_model *m, uint32_t a, uint32_t b)	/* HEP-NET-001 */
{
	uint64_t start = hsl_model_now_ps(m);
	struct hsl_output out;

	assert_int_equal(post_req(m, a, b, 1), 0);
	out = next_output(m);
	assert_int_equal(out.type, HSL_OUT_DELIVER_RSP);
	assert_int_equal(out.node, a);
	assert_int_equal(out.hops, 0);
	assert_int_equal(out.time_ps - start, 40000);
	assert_int_equal(out.u.rsp.status, HSL_ST_UNREACHABLE);
	assert_int_equal(out.u.rsp.src, b);
	assert_int_equal(out.u.rsp.value, 0);
	assert_quiet(m);
}

static void test_reroute(void **state)
{
	struct hsl_model *m = model_new(HSL_TOPO_RING, 6);
	struct hsl_model_config cfg;
	struct hsl_output out;

	(void)state;
	assert_int_equal(post_link(m, 1, 2, false), 0);
	round_trip(m, 1, 2, 5);
	round_trip(m, 2, 1, 5);
	round_trip(m, 3, 4, 1);
	assert_int_equal(post_node(m, 4, false), 0);
	unreachable(m, 1, 2);
	unreachable(m, 1, 4);
	round_trip(m, 1, 5, 2);
	assert_int_equal(post_link(m, 2, 1, true), 0);
	round_trip(m, 3, 5, 4);
	free(m);

	m = model_new(HSL_TOPO_PAIR, 2);
	assert_int_equal(post_link(m, 1, 2, false), 0);
	unreachable(m, 1, 2);
	assert_int_equal(post_link(m, 1, 2, true), 0);
	round_trip(m, 1, 2, 1);
	free(m);

	m = model_new(HSL_TOPO_MESH, 4);
	assert_int_equal(post_link(m, 1, 4, false), 0);
	round_trip(m, 1, 4, 2);
	free(m);

	m = model_new(HSL_TOPO_SWITCH, 4);
	assert_int_equal(post_link(m, SWITCH, 2, false), 0);
	unreachable(m, 1, 2);
	unreachable(m, 2, 3);
	round_trip(m, 1, 3, 2);
	round_trip(m, 2, 2, 0);
	free(m);

	/* a packet under way finds the new route: cut behind 2, it turns back and goes around */
	m = model_new(HSL_TOPO_RING, 6);
	assert_int_equal(post_req(m, 1, 3, 1), 0);
	assert_int_equal(post_link(m, 2, 3, false), 0);
	out = next_output(m);
	assert_int_equal(out.type, HSL_OUT_DELIVER_REQ);
	assert_int_equal(out.hops, 1 + 5);
	free(m);

	/* hop limit */
	cfg = config(HSL_TOPO_RING, 8);
	cfg.hop_limit = 2;
	m = model_of(&cfg);
	round_trip(m, 1, 3, 2);
	assert_int_equal(hsl_model_hops(m, 1, 4), -EHOSTUNREACH);
	assert_int_equal(post_req(m, 1, 4, 1), 0);
	out = next_output(m);
	assert_int_equal(out.u.rsp.status, HSL_ST_UNREACHABLE);
	assert_int_equal(out.time_ps - 2 * expected_way_ps(2) - 20000, 2 * 91143 + 150000 + 40000);
	free(m);
}

/* ---- random changes against an all-pairs search ---- */

#define REF_NODES 24
#define REF_FAR 1000u

struct ref_link { uint32_t a, b; bool up; };

static uint32_t ref_id(uint32_t v, uint32_t n)
{
	return v == n ? SWITCH : v + 1;
}

static void ref_compare(struct hsl_model *m, uint32_t n, const struct ref_link *links,
			uint32_t nlinks, const bool *present)
{
	uint32_t d[REF_NODES + 1][REF_NODES + 1];

	for (uint32_t i = 0; i <= n; i++)
		for (uint32_t j = 0; j <= n; j++)
			d[i][j] = i == j ? 0 : REF_FAR;
	for (uint32_t l = 0; l < nlinks; l++)
		if (links[l].up && present[links[l].a] && present[links[l].b])
			d[links[l].a][links[l].b] = d[links[l].b][links[l].a] = 1;
	for (uint32_t k = 0; k <= n; k++)
		for (uint32_t i = 0; i <= n; i++)
			for (uint32_t j = 0; j <= n; j++)
				if (d[i][k] + d[k][j] < d[i][j])
					d[i][j] = d[i][k] + d[k][j];
	for (uint32_t i = 0; i < n; i++)
		for (uint32_t j = 0; j < n; j++) {
			bool way = present[i] && present[j] && d[i][j] < REF_FAR;

			assert_int_equal(hsl_model_hops(m, i + 1, j + 1),
					 way ? (int)d[i][j] : -EHOSTUNREACH);
		}
}

static void flap_routes(enum hsl_topology topology, uint32_t n)
{
	struct hsl_model *m = model_new(topology, n);
	struct ref_link links[REF_NODES * REF_NODES];
	bool present[REF_NODES + 1];
	uint32_t nlinks = 0;

	for (uint32_t a = 0; a < n; a++) {
		if (topology == HSL_TOPO_SWITCH)
			links[nlinks++] = (struct ref_link){ a, n, true };
		else if (topology == HSL_TOPO_RING)
			links[nlinks++] = (struct ref_link){ a, (a + 1) % n, true };
		else
			for (uint32_t b = 0; b < a; b++)
				links[nlinks++] = (struct ref_link){ a, b, true };
	}
	for (uint32_t v = 0; v <= n; v++)
		present[v] = true;
	for (int i = 0; i < 400; i++) {
		/* phases: mostly failing, mostly healing */
		bool good = rng_below(8) < (i / 50 % 2 ? 6u : 3u);

		if (rng_below(3)) {
			struct ref_link *l = &links[rng_below(nlinks)];

			l->up = good;
			assert_int_equal(post_link(m, ref_id(l->a, n), ref_id(l->b, n), good), 0);
		} else {
			uint32_t v = rng_below(n);

			present[v] = good;
			assert_int_equal(post_node(m, v + 1, good), 0);
		}
		ref_compare(m, n, links, nlinks, present);
	}
	/* and packets do go where hops says: all up to two pairs per node */
	for (uint32_t a = 1; a <= n; a++) {
		for (int i = 0; i < 2; i++) {
			uint32_t b = 1 + rng_below(n);
			int hops = hsl_model_hops(m, a, b);

			if (hops >= 0)
				round_trip(m, a, b, (uint32_t)hops);
			else if (present[a - 1])
				unreachable(m, a, b);
		}
	}
	free(m);
}

static void test_random_changes(void **state)
{
	(void)state;
	rng_seed();
	flap_routes(HSL_TOPO_RING, 3);
	flap_routes(HSL_TOPO_RING, 8);
	flap_routes(HSL_TOPO_RING, 23);
	flap_routes(HSL_TOPO_MESH, 4);
	flap_routes(HSL_TOPO_MESH, 17);
	flap_routes(HSL_TOPO_SWITCH, 2);
	flap_routes(HSL_TOPO_SWITCH, 12);
}

/* ---- graphs of a file ---- */

/* Two switches with four chips each; three links join the halves: one of switches, two of chips. */
static const struct hsl_topo_link two_switches[] = {
	{ 1, SWITCH }, { 2, SWITCH }, { 3, SWITCH }, { 4, SWITCH }, { 5, SWITCH + 1 },
	{ 6, SWITCH + 1 }, { 7, SWITCH + 1 }, { SWITCH + 1, 8 }, { SWITCH, SWITCH + 1 }, { 4, 5 },
	{ 8, 1 },
};

static struct hsl_model_config graph(uint32_t chips, uint32_t switches,
				     const struct hsl_topo_link *links, uint32_t nlinks)
{
	struct hsl_model_config cfg = config(HSL_TOPO_FILE, chips);

	cfg.switches = switches;
	cfg.links = links;
	cfg.nlinks = nlinks;
	return cfg;
}

static void test_graph(void **state)
{
	struct hsl_model_config cfg = graph(8, 2, two_switches, 11);
	struct hsl_model *m = model_of(&cfg);
	struct hsl_model_link l;

	(void)state;
	round_trip(m, 1, 2, 2);
	round_trip(m, 4, 5, 1);
	round_trip(m, 3, 6, 3);
	round_trip(m, 1, 8, 1);
	round_trip(m, 2, 8, 3);
	round_trip(m, 7, 7, 0);
	/* link blocks in the order of the list */
	assert_int_equal(hsl_model_nlinks(m, 1), 2);
	assert_int_equal(hsl_model_nlinks(m, 2), 1);
	assert_int_equal(hsl_model_nlinks(m, SWITCH), 5);
	assert_int_equal(hsl_model_nlinks(m, SWITCH + 2), 0);
	assert_int_equal(hsl_model_link(m, 1, 1, &l), 0);
	assert_int_equal(l.peer, 8);
	assert_int_equal(hsl_model_link(m, SWITCH + 1, 4, &l), 0);
	assert_int_equal(l.peer, SWITCH);
	assert_int_equal(l.peer_type, HSL_NODE_TYPE_SWITCH);
	for (uint32_t id = 1; id <= 8; id++)
		check_links(m, id, HSL_NODE_TYPE_CHIP);
	check_links(m, SWITCH, HSL_NODE_TYPE_SWITCH);
	check_links(m, SWITCH + 1, HSL_NODE_TYPE_SWITCH);
	/* down: the other way; no way */
	assert_int_equal(post_link(m, SWITCH + 1, SWITCH, false), 0);
	round_trip(m, 3, 6, 5);
	assert_int_equal(post_link(m, 4, 5, false), 0);
	round_trip(m, 3, 6, 5);
	assert_int_equal(post_link(m, 1, 8, false), 0);
	unreachable(m, 3, 6);
	round_trip(m, 3, 4, 2);
	assert_int_equal(post_link(m, 1, 5, true), -EINVAL);
	assert_int_equal(post_link(m, SWITCH + 2, 1, true), -EINVAL);
	free(m);

	/* a chip alone */
	cfg = graph(1, 0, NULL, 0);
	m = model_of(&cfg);
	round_trip(m, 1, 1, 0);
	assert_int_equal(hsl_model_nlinks(m, 1), 0);
	free(m);
}

/* The same chips and links: the same fabric as the built-in topology, latencies included. */
static void test_graph_is_ring(void **state)
{
	static struct hsl_topo_link links[9];
	struct hsl_model *m, *ring = model_new(HSL_TOPO_RING, 9);
	struct hsl_model_config cfg = graph(9, 0, links, 9);

	(void)state;
	for (uint16_t i = 0; i < 9; i++)
		links[i] = (struct hsl_topo_link){ (uint16_t)(i + 1), (uint16_t)((i + 1) % 9 + 1) };
	m = model_of(&cfg);
	for (uint32_t a = 1; a <= 9; a++)
		for (uint32_t b = 1; b <= 9; b++) {
			assert_int_equal(hsl_model_hops(m, a, b), hsl_model_hops(ring, a, b));
			round_trip(m, a, b, (uint32_t)hsl_model_hops(ring, a, b));
		}
	free(m);
	free(ring);
}

static void test_bad_graphs(void **state)
{
	static struct hsl_topo_link star[17], many[HSL_MODEL_FILE_LINKS_MAX + 1];
	static const struct hsl_topo_link twice[] = { { 1, 2 }, { 2, 1 } }, self[] = { { 1, 1 } },
		unknown[] = { { 1, 3 } }, zero[] = { { 0, 1 } }, host[] = { { 1, HOST } },
		apart[] = { { 1, 2 }, { 3, 4 } }, idle_switch[] = { { 1, 2 } };

	(void)state;
	for (uint16_t i = 0; i < 17; i++)
		star[i] = (struct hsl_topo_link){ 1, (uint16_t)(i + 2) };
	refused(graph(2, 0, twice, 2), "no other link");
	refused(graph(2, 0, self, 1), "no other link");
	refused(graph(2, 0, unknown, 1), "nodes of its fabric");
	refused(graph(2, 0, zero, 1), "nodes of its fabric");
	refused(graph(2, 0, host, 1), "nodes of its fabric");
	refused(graph(4, 0, apart, 2), "has a way");
	refused(graph(2, 1, idle_switch, 1), "has a way");
	refused(graph(2, 0, NULL, 0), "has a way");
	refused(graph(2, 0, NULL, 1), "links");
	refused(graph(18, 0, star, 17), "at most 16 links");
	refused(graph(2, 0, many, HSL_MODEL_FILE_LINKS_MAX + 1), "4096 links");
	refused(graph(257, 0, star, 1), "256 chips and switches");
	refused(graph(200, 57, star, 1), "256 chips and switches");
	refused(graph(1, UINT32_MAX, star, 1), "256 chips and switches");
}

/* A chain as long as can be: 255 links, and the hop limit allows them. */
static void test_longest_way(void **state)
{
	static struct hsl_topo_link links[255];
	struct hsl_model_config cfg = graph(2, 254, links, 255);
	struct hsl_model *m;

	(void)state;
	links[0] = (struct hsl_topo_link){ 1, SWITCH };
	for (uint16_t i = 1; i < 254; i++)
		links[i] = (struct hsl_topo_link){ (uint16_t)(SWITCH + i - 1), (uint16_t)(SWITCH + i) };
	links[254] = (struct hsl_topo_link){ SWITCH + 253, 2 };
	m = model_of(&cfg);
	round_trip(m, 1, 2, 255);
	free(m);
	cfg.hop_limit = 254;
	m = model_of(&cfg);
	assert_int_equal(hsl_model_hops(m, 1, 2), -EHOSTUNREACH);
	free(m);
}

/* Random graphs that change, against the all-pairs search. */
static void test_random_graphs(void **state)
{
	(void)state;
	rng_seed();
	for (int round = 0; round < 12; round++) {
		uint32_t n = 2 + rng_below(14), v, nlinks = 0;
		static struct hsl_topo_link links[64];
		struct ref_link ref[64];
		bool present[REF_NODES + 1], have[REF_NODES][REF_NODES] = { { false } };
		struct hsl_model_config cfg;
		struct hsl_model *m;

		/* a tree, and some more; one switch, which is the last vertex of the reference */
		for (v = 1; v <= n; v++) {
			uint32_t w = rng_below(v);

			have[v][w] = have[w][v] = true;
			ref[nlinks++] = (struct ref_link){ v, w, true };
		}
		for (int i = 0; i < 20; i++) {
			uint32_t a = rng_below(n + 1), b = rng_below(n + 1);

			if (a == b || have[a][b])
				continue;
			have[a][b] = have[b][a] = true;
			ref[nlinks++] = (struct ref_link){ a, b, true };
		}
		for (uint32_t i = 0; i < nlinks; i++)
			links[i] = (struct hsl_topo_link){ (uint16_t)ref_id(ref[i].a, n),
							   (uint16_t)ref_id(ref[i].b, n) };
		for (v = 0; v <= n; v++)
			present[v] = true;
		cfg = graph(n, 1, links, nlinks);
		if (hsl_model_check(&cfg))	/* a chip with 17 links */
			continue;
		m = model_of(&cfg);
		ref_compare(m, n, ref, nlinks, present);
		for (int i = 0; i < 60; i++) {
			struct ref_link *l = &ref[rng_below(nlinks)];

			l->up = rng_below(2);
			post_link(m, ref_id(l->a, n), ref_id(l->b, n), l->up);
			v = rng_below(n);
			present[v] = rng_below(4) != 0;
			post_node(m, v + 1, present[v]);
			ref_compare(m, n, ref, nlinks, present);
		}
		for (uint32_t a = 1; a <= n; a++)
			for (uint32_t b = 1; b <= n; b++)
				if (hsl_model_hops(m, a, b) >= 0)
					round_trip(m, a, b, (uint32_t)hsl_model_hops(m, a, b));
		free(m);
	}
}

/* All next nodes: exactly the neighbours that are one link closer, the one that is used first. */
static void check_next_k(struct hsl_model *m, uint32_t n, uint32_t all)
{
	for (uint32_t dst = 0; dst < n; dst++) {
		for (uint32_t from = 0; from < n; from++) {
			uint32_t want = 0, got = 0, v, k;

			if (from == dst)
				continue;
			for (v = 0; v < all; v++) {
				uint32_t d = 1;

				/* by walking: hsl_net_distance knows no switches */
				for (uint32_t w = v; w != dst && w != HSL_NONE; d++)
					w = hsl_net_next(m, w, dst);
				want += hsl_net_link_is_up(m, from, v) &&
					d == hsl_net_distance(m, from, dst);
			}
			for (k = 0; (v = hsl_net_next_k(m, from, dst, k)) != HSL_NONE; k++) {
				assert_true(hsl_net_link_is_up(m, from, v));
				if (!k)
					assert_int_equal(v, hsl_net_next(m, from, dst));
				got++;
			}
			assert_int_equal(hsl_net_next_k(m, from, dst, k + 1), HSL_NONE);
			assert_int_equal(got, want);
		}
	}
}

static void test_next_k(void **state)
{
	static const struct hsl_topo_link diamond[] = {
		{ 1, 2 }, { 1, 3 }, { 1, SWITCH }, { 2, 4 }, { 3, 4 }, { SWITCH, 4 }, { 4, 5 },
	};
	struct hsl_model_config cfg = graph(5, 1, diamond, 7);
	struct hsl_model *m = model_of(&cfg);

	(void)state;
	assert_int_equal(hsl_net_next_k(m, 0, 4, 0), 1);
	assert_int_equal(hsl_net_next_k(m, 0, 4, 1), 2);
	assert_int_equal(hsl_net_next_k(m, 0, 4, 2), 5);
	assert_int_equal(hsl_net_next_k(m, 0, 4, 3), HSL_NONE);
	assert_int_equal(hsl_net_next_k(m, 3, 4, 1), HSL_NONE);
	assert_int_equal(post_link(m, 1, 3, false), 0);
	assert_int_equal(hsl_net_next_k(m, 0, 4, 1), 5);
	check_next_k(m, 5, 6);
	free(m);
	for (uint32_t n = 3; n < 10; n++) {
		m = model_new(HSL_TOPO_RING, n);
		check_next_k(m, n, n);
		assert_int_equal(post_link(m, 1, 2, false), 0);
		check_next_k(m, n, n);
		free(m);
		m = model_new(HSL_TOPO_MESH, n);
		assert_int_equal(post_link(m, 1, 2, false), 0);
		check_next_k(m, n, n);
		assert_int_equal(hsl_net_next_k(m, 0, 1, n - 3) == HSL_NONE, false);
		free(m);
	}
	m = model_new(HSL_TOPO_SWITCH, 4);
	assert_int_equal(hsl_net_next_k(m, 0, 1, 0), 4);
	assert_int_equal(hsl_net_next_k(m, 0, 1, 1), HSL_NONE);
	free(m);
}

static void test_bad_events(void **state)
{
	struct hsl_model *m = model_new(HSL_TOPO_RING, 5), *s = model_new(HSL_TOPO_SWITCH, 3);
	uint64_t before = hsl_model_hash(m);
	struct hsl_event ev = { .type = (enum hsl_event_type)17 };

	(void)state;
	assert_int_equal(hsl_model_post(m, &ev), -EINVAL);
	assert_int_equal(post_node(m, 0, true), -EINVAL);
	assert_int_equal(post_node(m, 6, true), -EINVAL);
	assert_int_equal(post_node(m, HOST, false), -EINVAL);
	assert_int_equal(post_node(m, SWITCH, false), -EINVAL);
	assert_int_equal(post_link(m, 1, 3, false), -EINVAL);
	assert_int_equal(post_link(m, 1, 1, false), -EINVAL);
	assert_int_equal(post_link(m, 0, 1, false), -EINVAL);
	assert_int_equal(post_link(m, 5, 6, false), -EINVAL);
	assert_int_equal(post_link(m, 1, HOST, false), -EINVAL);
	assert_int_equal(post_link(m, 1, SWITCH, false), -EINVAL);
	assert_int_equal(hsl_model_hash(m), before);
	assert_int_equal(post_link(s, 1, 2, false), -EINVAL);
	assert_int_equal(post_link(s, SWITCH, SWITCH, false), -EINVAL);
	assert_int_equal(post_node(s, SWITCH, false), -EINVAL);
	free(m);
	free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_bad_configurations),
		cmocka_unit_test(test_arena),
		cmocka_unit_test(test_every_pair),
		cmocka_unit_test(test_largest),
		cmocka_unit_test(test_known_latencies),
		cmocka_unit_test(test_links),
		cmocka_unit_test(test_link_state),
		cmocka_unit_test(test_reroute),
		cmocka_unit_test(test_random_changes),
		cmocka_unit_test(test_graph),
		cmocka_unit_test(test_graph_is_ring),
		cmocka_unit_test(test_bad_graphs),
		cmocka_unit_test(test_longest_way),
		cmocka_unit_test(test_random_graphs),
		cmocka_unit_test(test_next_k),
		cmocka_unit_test(test_bad_events),
	};

	return cmocka_run_group_tests_name("model_net", tests, NULL, NULL);
}
