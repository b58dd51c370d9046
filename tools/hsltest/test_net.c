/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* LNK and NET: what software sees of links and routes. */
#include <inttypes.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hsltest.h"

static struct hsl_link_props link_get(struct ht *t, uint32_t node, unsigned int i)
{
	struct hsl_link_props l = { .size = sizeof(l) };

	HT_OK(t, hsl_link_query(t->f, node, i, &l));
	return l;
}

static bool link_up(const struct hsl_link_props *l)
{
	return l->peer && (l->state == HSL_LTSSM_L0 || l->state == HSL_LTSSM_L1);
}

/* For each link of a chip to a chip there is one at the other end that says the same. */
static void symmetric(struct ht *t)
{
	unsigned int a, b, i, k, here, there, links = 0, up = 0;
	struct hsl_link_props l, m;

	for (a = 0; a < t->nchips; a++) {
		for (i = 0; i < t->chip[a].nlinks; i++) {
			l = link_get(t, t->chip[a].node, i);
			HT_TRUE(t, l.state <= HSL_LTSSM_HOT_RESET, "chip %u link %u: state %u",
				t->chip[a].node, i, l.state);
			if (!l.peer)
				continue;
			links++;
			HT_TRUE(t, l.peer != t->chip[a].node, "chip %u link %u leads to itself",
				t->chip[a].node, i);
			HT_TRUE(t,
				l.peer_type ==
					(l.peer >= HSL_NODE_SWITCH_FIRST   ? HSL_NODE_TYPE_SWITCH
					 : l.peer >= HSL_NODE_HOST_DEFAULT ? HSL_NODE_TYPE_HOST
									   : HSL_NODE_TYPE_CHIP),
				"chip %u link %u: node %u with type %u", t->chip[a].node, i, l.peer,
				l.peer_type);
			if (link_up(&l)) {
				up++;
				HT_TRUE(t, l.width && l.width <= 64 && l.rate_mtps,
					"chip %u link %u is up with width %u, rate %u MT/s",
					t->chip[a].node, i, l.width, l.rate_mtps);
			}
			if (l.peer_type != HSL_NODE_TYPE_CHIP)
				continue;
			for (b = 0; b < t->nchips && t->chip[b].node != l.peer; b++)
				;
			HT_TRUE(t, b < t->nchips || !link_up(&l),
				"chip %u link %u is up and leads to chip %u, which is not there",
				t->chip[a].node, i, l.peer);
			if (b == t->nchips)
				continue;
			/* parallel links: count those that look alike in each direction */
			here = there = 0;
			for (k = 0; k < t->chip[a].nlinks; k++) {
				m = link_get(t, t->chip[a].node, k);
				here += m.peer == l.peer && m.state == l.state &&
					m.width == l.width && m.rate_mtps == l.rate_mtps &&
					m.latency_ps == l.latency_ps;
			}
			for (k = 0; k < t->chip[b].nlinks; k++) {
				m = link_get(t, t->chip[b].node, k);
				there += m.peer == t->chip[a].node && m.state == l.state &&
					 m.width == l.width && m.rate_mtps == l.rate_mtps &&
					 m.latency_ps == l.latency_ps;
			}
			HT_TRUE(t, here == there,
				"chip %u has %u links to chip %u with state %u, width %u, %u MT/s, %u ps; chip %u has %u",
				t->chip[a].node, here, l.peer, l.state, l.width, l.rate_mtps,
				l.latency_ps, l.peer, there);
		}
	}
	HT_TRUE(t, links || t->nchips == 1, "%u chips and no link", t->nchips);
	HT_RC(t, hsl_link_query(t->f, t->chip[0].node, t->chip[0].nlinks, &l), -ENOENT);
	ht_note(t, "%u link ends, %u up", links, up);
}

/* What the end of a connected link can is not less than what is in use. */
static void can_more(struct ht *t)
{
	unsigned int told = 0;

	for (unsigned int a = 0; a < t->nchips; a++) {
		for (unsigned int i = 0; i < t->chip[a].nlinks; i++) {
			struct hsl_link_props l = link_get(t, t->chip[a].node, i);

			if (!l.peer || (!l.max_width && !l.max_rate_mtps))
				continue;
			told++;
			HT_TRUE(t, l.max_width && l.max_rate_mtps, "chip %u link %u: at most %u lanes at %u MT/s",
				t->chip[a].node, i, l.max_width, l.max_rate_mtps);
			HT_TRUE(t, l.width <= l.max_width && l.rate_mtps <= l.max_rate_mtps,
				"chip %u link %u uses %u lanes at %u MT/s, more than the %u at %u that it has", t->chip[a].node, i, l.width,
				l.rate_mtps, l.max_width, l.max_rate_mtps);
		}
	}
	if (!told)
		HT_NA_TEST(t, "no link block tells MAX_WIDTH and MAX_RATE");
	ht_note(t, "%u link ends", told);
}

/* A path's properties are those of its links, computed here from the links alone (chips only: Floyd
 * and Warshall). */
static void paths(struct ht *t)
{
	enum { FAR = 1000 };
	static unsigned int hops[HT_CHIPS_MAX][HT_CHIPS_MAX];
	struct hsl_path_props p = { .size = sizeof(p) }, r = { .size = sizeof(r) };
	unsigned int a, b, i, k, n = t->nchips;
	bool switches = false;
	struct hsl_link_props l;

	for (a = 0; a < n; a++) {
		for (b = 0; b < n; b++)
			hops[a][b] = a == b ? 0 : FAR;
		for (i = 0; i < t->chip[a].nlinks; i++) {
			l = link_get(t, t->chip[a].node, i);
			if (!link_up(&l))
				continue;
			switches |= l.peer_type == HSL_NODE_TYPE_SWITCH;
			for (b = 0; b < n; b++) {
				if (t->chip[b].node == l.peer)
					hops[a][b] = 1;
			}
		}
	}
	for (k = 0; k < n; k++) {
		for (a = 0; a < n; a++) {
			for (b = 0; b < n; b++) {
				if (hops[a][k] + hops[k][b] < hops[a][b])
					hops[a][b] = hops[a][k] + hops[k][b];
			}
		}
	}
	for (a = 0; a < n; a++) {
		for (b = 0; b < n; b++) {
			ht_step(t, "path from chip %u to chip %u", t->chip[a].node,
				t->chip[b].node);
			HT_OK(t, hsl_topology_path(t->f, t->chip[a].node, t->chip[b].node, &p));
			HT_OK(t, hsl_topology_path(t->f, t->chip[b].node, t->chip[a].node, &r));
			HT_EQ(t, "hops of the way back", r.hops, p.hops);
			if (a == b) {
				HT_EQ(t, "hops to itself", p.hops, 0);
				continue;
			}
			/* through a switch the links of chips alone do not show the whole way */
			if (switches)
				HT_TRUE(t, p.hops >= 2, "chip %u to %u through a switch: %u hops",
					t->chip[a].node, t->chip[b].node, p.hops);
			else
				HT_EQ(t, "hops", p.hops, hops[a][b]);
			HT_TRUE(t, p.latency_ps && p.raw_bytes_per_s,
				"path with latency %u ps and %" PRIu64 " bytes/s", p.latency_ps,
				p.raw_bytes_per_s);
		}
	}
	HT_RC(t, hsl_topology_path(t->f, t->chip[0].node, 16383, &p), -ENOENT);
}

static void all_reach_all(struct ht *t)
{
	struct hsl_path_props p = { .size = sizeof(p) };
	struct ht_buf b[HT_CHIPS_MAX];
	unsigned int a, z;
	struct hsl_queue *q;

	for (a = 0; a < t->nchips; a++)
		ht_buf_new(t, &b[a], t->chip[a].node, 4096);
	for (a = 0; a < t->nchips; a++) {
		q = ht_queue_new(t, t->chip[a].node, 0);
		for (z = 0; z < t->nchips; z++) {
			ht_step(t, "chip %u reaches chip %u", t->chip[a].node, t->chip[z].node);
			HT_OK(t, hsl_topology_path(t->f, t->chip[a].node, t->chip[z].node, &p));
			if (a == z)
				continue;
			ht_copy(t, q, &b[z], a * 60, &b[a], z * 50, 60); /* write there */
			ht_copy(t, q, &b[a], z * 60, &b[z], a * 50, 60); /* and read */
		}
		ht_queue_free(t, q);
	}
	for (a = 0; a < t->nchips; a++) {
		ht_buf_check(t, &b[a], "after everybody's commands");
		ht_buf_free(t, &b[a]);
	}
}

/*
 * A chip in reset is not reachable: commands of another chip on its memory complete, with OK before
 * and after, with UNREACHABLE (or REVOKED, for one that was running) meanwhile, and never with
 * anything else.
 */
/* Of the last chip: by another process, but on sim:, where there is none. */
static void *resets(void *arg)
{
	struct ht *t = arg;

	for (unsigned int round = 0; round < (t->sim ? 200 : 5); round++) {
		HT_OK(t, ht_chip_flr(t, &t->chip[t->nchips - 1]));
		usleep(t->sim ? 500 : 100000);
	}
	return NULL;
}

static void unreachable_in_reset(struct ht *t)
{
	const struct hsl_chip_props *victim = &t->chip[t->nchips - 1];
	unsigned int round, n = 0, refused = 0;
	struct hsl_completion c;
	struct hsl_queue *q;
	struct ht_buf a, z;
	struct hsl_op op;
	pthread_t th;
	int pid = -1;

	ht_buf_new(t, &a, t->chip[0].node, 1 << 20);
	ht_buf_new(t, &z, victim->node, 1 << 20);
	q = ht_queue_new(t, t->chip[0].node, 0);
	if (t->sim)
		HT_TRUE(t, !pthread_create(&th, NULL, resets, t), "pthread_create");
	else
		pid = fork();
	HT_TRUE(t, t->sim || pid >= 0, "fork: %s", strerror(errno));
	if (!pid) {
		resets(t);
		_exit(0);
	}
	op = ht_op_copy(z.ga, a.ga, a.len);
	for (round = 0; round < 3000; round++) {
		ht_op_run(t, q, &op, &c);
		HT_TRUE(t,
			c.status == HSL_ST_OK || c.status == HSL_ST_UNREACHABLE ||
				c.status == HSL_ST_REVOKED,
			"COPY to a chip in reset: status %s", hsl_status_name(c.status));
		n++;
		refused += c.status != HSL_ST_OK;
		if (pid > 0 && waitpid(pid, NULL, WNOHANG) == pid) {
			pid = 0;
			break;
		}
	}
	if (t->sim)
		pthread_join(th, NULL);
	else if (pid)
		ht_child_join(t, pid);
	ht_expect(t, q, &op, HSL_ST_OK, "COPY after the reset");
	ht_oracle_move(z.shadow, a.shadow, a.len);
	ht_buf_check(t, &z, "after the last COPY");
	ht_note(t, "%u commands, %u of them refused", n, refused);
	ht_queue_free(t, q);
	ht_buf_free(t, &a);
	ht_buf_free(t, &z);
}

const struct ht_test ht_tests_net[] = {
	{ "HEP-LNK-003", "symmetric", "link blocks are alike at both ends", symmetric, 0, 0 },
	{ "HEP-LNK-009", "can_more", "no link has more lanes, or is faster, than its end can", can_more, 0, 0 },
	{ "HEP-NET-001", "unreachable_in_reset",
	  "commands on a chip in reset complete with UNREACHABLE", unreachable_in_reset,
	  HT_F_RESET | HT_F_TWO_CHIPS, 120 },
	{ "HEP-NET-002", "all_reach_all", "every chip reads and writes every other one",
	  all_reach_all, 0, 0 },
	{ "HEP-NET-002", "paths", "shortest paths agree with the links", paths, 0, 0 },
	{ 0 }
};
