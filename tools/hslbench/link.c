// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * hslbench load, op link: what a read of another chip's memory takes while other reads cross the same links, at stepped shares of what the
 * links carry, in modelled time.
 *
 * Commands cannot show that: the accesses of one are in the modelled fabric alone (qemu/engine/modelled.c). So this is the modelled fabric by
 * itself (qemu/model/fab.h), of the topology and profile of the fabric that is measured: two agents of one chip read lines of the other one.
 *
 *	injector	the chip: bursts of 4 KiB at random moments, whatever became of those before; 100 %: as fast as it goes, with
 *			twice as many lines outstanding as fill an idle way
 *	probe		the host's port: one line, due every PROBE_GAP_PS; latency is from then until its data has come
 *
 * The share is of what the injector alone brings as fast as it goes. Lines hold their own address, which each read must find.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "model/fab.h"
#include "libhsl/raw.h"

#define DEPTH_MAX	4096u		/* of the injector: a way that needs more carries less than it could */
#define BURST		64u		/* lines */
#define BLOCK		32u		/* bursts */
#define LINES		4096u		/* of each side */
#define PROBES		200u
#define PROBES_QUICK	50u
#define PROBE_GAP_PS	50000u
#define TRAINING_PS	10000000u	/* links have trained by then */
#define AS_FAST		100u		/* percent */

struct links {
	struct hsl_fab_cfg cfg;
	uint32_t reader, home, depth;
	uint64_t trip_ps;		/* of a read on idle links */
	double most;			/* bytes/s; 0: not known yet */
};

struct side {				/* injector or probe */
	uint64_t posted, done;
};

struct run {
	struct bench *b;
	struct hsl_fab *fab;
	const struct links *l;
	uint64_t random;
	double gap_ps;			/* between bursts, on average; 0: none; infinite: as fast as it goes */
	double burst_ps;		/* the next one is due */
	double block[BLOCK], block_ps;	/* when this block's are; end of it */
	uint64_t bursts, probe_ps, backlog, probes;
	struct side injector, probe;
	uint64_t from_ps, to_ps, before;	/* measured: from the first probe to the end of the last; injected before */
	uint64_t sum_ns, wrong;
	struct tool_stats *stats;	/* NULL: not kept */
};

/* Reads of one line wait for each other at its home: each side has lines of its own, and takes them in turn. */
static uint64_t next_line(const struct run *r, const struct side *s)
{
	return HSL_GA(r->l->home, (s->posted % LINES + (s == &r->probe ? LINES : 0)) * HSL_LINE_BYTES);
}

static int by_time(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* BLOCK bursts at random moments of as many intervals: the rate is what was said, and yet some come together. */
static void burst_next(struct run *r)
{
	unsigned int i = r->bursts++ % BLOCK;

	if (!i) {
		for (unsigned int k = 0; k < BLOCK; k++)
			r->block[k] = r->block_ps + r->gap_ps * BLOCK * bench_random(&r->random, 1u << 30) / (double)(1u << 30);
		qsort(r->block, BLOCK, sizeof(*r->block), by_time);
		r->block_ps += r->gap_ps * BLOCK;
	}
	r->burst_ps = r->block[i];
}

static void memory(struct run *r, const struct hsl_fab_out *o)
{
	struct hsl_fab_in in = { .type = HSL_FAB_MEM, .u.mem = { .node = o->u.mem.node, .id = o->u.mem.op.id } };
	uint64_t ga = HSL_GA(o->u.mem.node, o->u.mem.op.offset);

	if (o->u.mem.op.write)
		return;
	memcpy(in.u.mem.data, &ga, sizeof(ga));
	hsl_fab_post(r->fab, &in);
}

static void done(struct run *r, const struct hsl_fab_out *o)
{
	const struct hsl_access *x = &o->u.access.x;
	uint64_t ns;

	if (x->status || memcmp(x->data, &x->ga, sizeof(x->ga))) {
		if (!r->wrong++)
			bench_complain(r->b, "load link: GA 0x%llx: %s", (unsigned long long)x->ga,
				       x->status ? hsl_status_name(x->status) : "wrong data");
	}
	if (o->u.access.agent == r->l->reader) {
		r->injector.done++;
		return;
	}
	ns = (o->time_ps - x->cookie + 500) / 1000;	/* the cookie is when it was due */
	r->sum_ns += ns;
	if (r->stats)
		tool_stats_add(r->stats, ns);
	r->probe.done++;
	r->to_ps = o->time_ps;
}

static void drain(struct run *r)
{
	struct hsl_fab_out o;

	while (hsl_fab_drain(r->fab, &o)) {
		if (o.type == HSL_FAB_OUT_MEM)
			memory(r, &o);
		else if (o.type == HSL_FAB_OUT_ACCESS)
			done(r, &o);
	}
}

static bool post(struct run *r, uint16_t agent, uint64_t ga, uint64_t cookie)
{
	struct hsl_fab_in in = { .type = HSL_FAB_ACCESS };

	in.u.access.agent = agent;
	in.u.access.x = (struct hsl_access){ .cookie = cookie, .ga = ga, .op = HSL_ACCESS_READ, .len = HSL_LINE_BYTES };
	if (hsl_fab_post(r->fab, &in))
		return false;
	drain(r);
	return true;
}

static void inject(struct run *r, uint64_t now)
{
	for (; r->gap_ps > 0 && isfinite(r->gap_ps) && (double)now >= r->burst_ps; burst_next(r))
		r->backlog += BURST;
	if (isinf(r->gap_ps))
		r->backlog = r->l->depth;
	for (; r->backlog && r->injector.posted - r->injector.done < r->l->depth; r->backlog--) {
		if (!post(r, (uint16_t)r->l->reader, next_line(r, &r->injector), 0))
			break;
		r->injector.posted++;
	}
}

static void probe(struct run *r, uint64_t now)
{
	while (r->probe.posted < r->probes && now >= r->probe_ps) {
		if (!r->probe.posted) {
			r->from_ps = now;
			r->before = r->injector.done;
		}
		if (!post(r, (uint16_t)(r->l->reader + HSL_AGENT_HOST_PORT), next_line(r, &r->probe), r->probe_ps))
			return;
		r->probe.posted++;
		r->probe_ps += PROBE_GAP_PS;
	}
}

/* What is due next and not posted yet; UINT64_MAX: nothing. */
static uint64_t due_ps(const struct run *r, uint64_t now)
{
	uint64_t due = r->probe.posted < r->probes && r->probe_ps > now ? r->probe_ps : UINT64_MAX;

	if (r->gap_ps > 0 && isfinite(r->gap_ps) && r->burst_ps < (double)due)
		due = (uint64_t)ceil(r->burst_ps);
	return due;
}

/* Bytes/s that the injector moved; NaN: there is no such fabric. */
static double run_fabric(struct run *r)
{
	size_t bytes = hsl_fab_size(&r->l->cfg);
	struct hsl_fab *fab = bytes ? aligned_alloc(64, (bytes + 63) / 64 * 64) : NULL;
	double moved = NAN;

	r->fab = fab;
	if (!fab || hsl_fab_init(fab, bytes, &r->l->cfg)) {
		free(fab);
		return NAN;
	}
	drain(r);
	while (hsl_fab_next_ps(fab) <= TRAINING_PS && hsl_fab_step(fab) == 1)
		drain(r);
	r->block_ps = TRAINING_PS;
	burst_next(r);
	r->probe_ps = TRAINING_PS + 3 * r->l->trip_ps;
	while (r->probe.done < r->probes && !r->wrong && !tool_stopped()) {
		uint64_t now = hsl_fab_now_ps(fab), due;

		inject(r, now);
		probe(r, now);
		due = due_ps(r, now);
		if (due < hsl_fab_next_ps(fab))
			hsl_fab_advance(fab, due);
		else if (hsl_fab_step(fab) != 1)
			break;
		drain(r);
	}
	if (r->to_ps > r->from_ps)
		moved = (double)(r->injector.done - r->before) * HSL_LINE_BYTES * 1e12 / (double)(r->to_ps - r->from_ps);
	free(fab);
	return moved;
}

static struct run run_of(struct bench *b, const struct links *l, unsigned int percent)
{
	struct run r = { .b = b, .l = l, .random = b->config->seed, .probes = b->config->quick ? PROBES_QUICK : PROBES };

	if (percent == AS_FAST)
		r.gap_ps = INFINITY;
	else if (percent)
		r.gap_ps = BURST * HSL_LINE_BYTES * 1e12 / (l->most * percent / 100);
	return r;
}

static void run(struct bench *b, struct bench_point *p, const struct bench_limit *limit, struct bench_share *share)
{
	struct links *l = p->arg;
	struct run r;

	if (!(l->most > 0)) {
		r = run_of(b, l, AS_FAST);
		l->most = run_fabric(&r);
	}
	r = run_of(b, l, p->key[0]);
	r.stats = p->stats;
	if (limit->iters)
		r.probes = limit->iters;
	p->r.offered_per_s = l->most * p->key[0] / 100;
	p->r.injected_per_s = run_fabric(&r);
	share->ops = r.probe.done;
	share->ns = r.sum_ns;		/* a read's, not the run's: as of a chase */
	share->errors = r.wrong;
	if (!r.probe.done && !r.wrong)
		snprintf(p->r.reason, sizeof(p->r.reason), "the modelled fabric has no way from chip %u to chip %u", l->reader, l->home);
}

static int links_of(struct bench *b, struct links *l)
{
	struct hsl_path_props path = { .size = sizeof(path) };
	struct hsl_model_config m;
	uint64_t fill;
	int rc = hslp_raw_model(b->f, &m);

	if (rc)
		return rc;
	l->cfg = (struct hsl_fab_cfg){
		.nodes = m.nodes, .topology = m.topology, .profile = m.profile, .switches = m.switches, .nlinks = m.nlinks, .links = m.links,
	};
	hsl_fab_defaults(&l->cfg);
	l->cfg.hop_limit = m.hop_limit;
	l->reader = b->a.node;
	l->home = b->b.node;
	if (hsl_topology_path(b->f, l->reader, l->home, &path) || !path.hops)
		return -EHOSTUNREACH;
	l->trip_ps = hsl_time_read_ps(&m.profile, path.hops);
	/* the data of a line is 5 slots (HEP section 9) */
	fill = l->trip_ps / hsl_time_flit_ps(&m.profile) * HSL_FLIT_SLOTS / 5 * 2;
	l->depth = fill < DEPTH_MAX ? (uint32_t)fill + BURST : DEPTH_MAX;
	l->cfg.agent.requests = l->cfg.agent.accesses = l->depth;
	l->cfg.home.requests = 2 * l->depth;
	l->cfg.home.sets = 4 * LINES / l->cfg.home.ways;
	return 0;
}

void bench_load_link(struct bench *b)
{
	static const unsigned int normal[] = { 0, 10, 25, 50, 75, 90, 95, 99, AS_FAST }, quick[] = { 0, 50, 90, 99, AS_FAST };
	const unsigned int *percent = b->config->quick ? quick : normal;
	struct bench_point *list = NULL;
	struct links l = { 0 };
	unsigned int n = 0;
	const char *reason = !bench_stands_still(b) ? "modelled time of sim: alone" : !b->have_b ? "needs two chips, the fabric has one" : "";

	if (!*reason && links_of(b, &l))
		reason = "the fabric's model is not known";
	for (size_t i = 0; i < (b->config->quick ? sizeof(quick) : sizeof(normal)) / sizeof(*percent); i++) {
		struct bench_point *p = bench_point_add(&list, &n, "load", "link");

		snprintf(p->r.src, sizeof(p->r.src), b->have_b ? "chip %u" : "-", b->b.node);
		snprintf(p->r.dst, sizeof(p->r.dst), "chip %u", b->a.node);
		snprintf(p->r.variant, sizeof(p->r.variant), "%u %%", percent[i]);
		p->r.size_bytes = HSL_LINE_BYTES;
		p->r.observable = true;
		p->key[0] = percent[i];
		p->arg = &l;
		p->run = run;
		p->stats = tool_stats_new_small();
	}
	bench_points_skip(list, n, reason);
	bench_points_run(b, list, n);
}
