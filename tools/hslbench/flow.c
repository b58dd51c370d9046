// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Many queues at once: which chips talk to which (a pattern), how many queues each of these pairs has, and who works on them.
 *
 *	edge	one chip's memory to another's (or the host's to a chip's), by the chip of the source
 *	flow	one queue of an edge, with buffers of its own
 *	worker	a thread; flows are dealt out to all workers of all processes in turn
 *	party	a process and its share of the flows; a process other than the first opens the fabric for itself
 *
 * A round: all workers prepare their flows, then wait for one signal, and time begins when it is given. It ends with the last completion
 * of the last flow: what all did is divided by that, so that flows that were not at work together never add up to more than there
 * was. What a flow did by itself is over its own time, until its own last completion. Buffers are compared afterwards.
 *
 * What parties tell each other is in memory that they share; the first one waits for the others, notices when one dies, and tells them
 * when it has been told to stop: a signal may be for it alone, or for all of them.
 */
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

#define LOOK_US		50u

struct told {				/* of a flow: to the first party */
	uint64_t ops, ns, errors;
};
struct shared {
	_Atomic unsigned int ready;	/* workers that have prepared, or failed to */
	_Atomic bool failed, go, stop;
	uint64_t start_ns;		/* written before go */
	char reason[160];		/* of the first who failed */
	struct told told[];		/* of each flow */
};

struct worker {
	struct bench b;			/* of its own: complaints are counted */
	const struct bench_flows *x;
	const struct bench_limit *limit;
	struct shared *s;
	unsigned int first, step;	/* its flows: first, first + step, ... */
	unsigned int n;
	struct bench_lane *lane;
	struct bench_move *move;
	struct bench_area *area;	/* two of each flow */
	struct bench_set shape;
	struct bench_set *host;		/* of each flow, where an end is in host memory */
	struct hsl_op **op;
	struct tool_stats *stats;	/* NULL: nothing is due at a time */
	struct tool_windows windows;
	pthread_t thread;
};

/* ---- patterns ---- */

static const char *const pattern_names[] = { "pair", "one-to-all", "all-to-one", "bisection", "neighbours", "all-pairs" };

int bench_pattern_parse(const char *text)
{
	for (size_t i = 0; i < sizeof(pattern_names) / sizeof(pattern_names[0]); i++)
		if (!strcmp(text, pattern_names[i]))
			return (int)i;
	return -1;
}

const char *bench_pattern_name(enum bench_pattern p)
{
	return pattern_names[p];
}

void bench_edges_add(const struct bench *b, struct bench_flows *x, uint32_t src, uint32_t dst)
{
	x->edge = reallocarray(x->edge, x->nedges + 2, sizeof(*x->edge));
	if (!x->edge) {
		tool_error("out of memory");
		exit(TOOL_ENV);
	}
	x->edge[x->nedges++] = (struct bench_edge){ src, dst };
	if (b->config->bidir)
		x->edge[x->nedges++] = (struct bench_edge){ dst, src };
}

void bench_edges_of(const struct bench *b, struct bench_flows *x)
{
	unsigned int n = b->info.nchips, half = n / 2;

	switch (b->config->pattern) {
	case BENCH_PAIR:
		if (b->have_b)
			bench_edges_add(b, x, b->a.node, b->b.node);
		break;
	case BENCH_ONE_TO_ALL:
	case BENCH_ALL_TO_ONE:
		for (unsigned int i = 0; i < n; i++)
			if (b->chip[i].node == b->a.node)
				continue;
			else if (b->config->pattern == BENCH_ONE_TO_ALL)
				bench_edges_add(b, x, b->a.node, b->chip[i].node);
			else
				bench_edges_add(b, x, b->chip[i].node, b->a.node);
		break;
	case BENCH_BISECTION:
		for (unsigned int i = 0; i < half; i++)
			bench_edges_add(b, x, b->chip[i].node, b->chip[i + half].node);
		break;
	case BENCH_NEIGHBOURS:
		for (unsigned int i = 0; n > 1 && i < n; i++)
			bench_edges_add(b, x, b->chip[i].node, b->chip[(i + 1) % n].node);
		break;
	case BENCH_ALL_PAIRS:
		for (unsigned int i = 0; i < n; i++)
			for (unsigned int k = 0; k < n; k++)
				if (i != k)
					bench_edges_add(b, x, b->chip[i].node, b->chip[k].node);
	}
}

static unsigned int flows_count(const struct bench_flows *x)
{
	return x->nedges * x->queues;
}

/* ---- a worker's flows ---- */

static void fail(struct shared *s, const char *reason)
{
	bool no = false;

	if (atomic_compare_exchange_strong(&s->failed, &no, true))
		snprintf(s->reason, sizeof(s->reason), "%s", reason);
}

/* One end of a flow: host memory is of both ends at once. */
static int end_new(struct worker *w, unsigned int i, uint32_t node, bool dst, char *reason)
{
	int rc = 0;

	if (node)
		return bench_area_new(&w->b, &w->area[2 * i + dst], node, w->shape.len, reason);
	if (!w->host[i].len)
		rc = bench_set_new_host(&w->b, &w->host[i], w->shape.len, reason);
	return rc;
}

static const struct bench_area *end_of(const struct worker *w, unsigned int i, uint32_t node, bool dst)
{
	return node ? &w->area[2 * i + dst] : dst ? &w->host[i].host_dst : &w->host[i].host_src;
}

static int flow_new(struct worker *w, unsigned int i, char *reason)
{
	const struct bench_flows *x = w->x;
	const struct bench_edge *e = &x->edge[(w->first + i * w->step) % x->nedges];
	struct hsl_queue_opts opts = { .size = sizeof(opts), .depth = bench_queue_depth(x->depth) };
	struct bench_lane *l = &w->lane[i];
	struct bench_move *m = &w->move[i];
	struct tool_pattern pt = { .seed = w->b.config->seed };
	int rc;

	*m = (struct bench_move){
		.name = x->name, .opcode = x->opcode, .shape = &w->shape, .pt = { .seed = pt.seed, .kind = x->kind },
		.node = e->src ? e->src : e->dst,
	};
	*l = (struct bench_lane){ .name = x->name, .nops = 1, .depth = x->depth, .batch = x->batch,
		.gap_ns = x->per_s > 0 ? 1e9 / x->per_s : 0, .stats = w->stats };
	if (x->opcode != HSL_OP_NOP) {
		rc = end_new(w, i, e->src, false, reason);
		if (!rc)
			rc = end_new(w, i, e->dst, true, reason);
		if (rc)
			return rc;
		m->src = end_of(w, i, e->src, false);
		m->dst = end_of(w, i, e->dst, true);
		bench_area_pattern(&w->b, &w->shape, m->src, &pt);
		bench_area_poison(&w->b, m->dst);
		w->op[i] = bench_move_ops(m);
		l->nops = w->shape.slots;
	} else {
		w->op[i] = tool_calloc(1, sizeof(**w->op));
	}
	l->op = w->op[i];
	rc = hsl_queue_create(w->b.f, m->node, &opts, &l->q);
	if (rc)
		snprintf(reason, 160, "queue of depth %u on chip %u: %s%s", opts.depth, m->node, strerror(-rc),
			 rc == -EBUSY ? " (it has no more)" : "");
	return rc;
}

/* What is left after all have got the same goes to flows in turn, from one round to the next. */
static uint64_t flow_iters(const struct bench_flows *x, unsigned int flow, uint64_t iters)
{
	uint64_t all = flows_count(x);

	return iters / all + ((flow + all - x->given % all) % all < iters % all);
}

static void worker_prepare(struct worker *w)
{
	char reason[160] = "";
	unsigned int all = flows_count(w->x);

	w->n = (all - w->first + w->step - 1) / w->step;
	w->lane = tool_calloc(w->n, sizeof(*w->lane));
	w->move = tool_calloc(w->n, sizeof(*w->move));
	w->area = tool_calloc(2 * w->n, sizeof(*w->area));
	w->host = tool_calloc(w->n, sizeof(*w->host));
	w->op = tool_calloc(w->n, sizeof(*w->op));
	w->shape = w->x->shape;
	for (unsigned int i = 0; i < w->n; i++) {
		const uint64_t iters = w->limit->iters;
		unsigned int flow = w->first + i * w->step;

		if (flow_new(w, i, reason)) {
			fail(w->s, reason);
			break;
		}
		w->lane[i].iters = flow_iters(w->x, flow, iters);
		/* nothing is left for it */
		w->lane[i].stop = w->lane[i].ended = iters && !w->lane[i].iters;
	}
	atomic_fetch_add(&w->s->ready, 1);
}

static void worker_run(struct worker *w)
{
	const struct timespec look = { .tv_nsec = 1000 * LOOK_US };

	while (!atomic_load(&w->s->go))
		nanosleep(&look, NULL);
	if (!atomic_load(&w->s->failed) && !atomic_load(&w->s->stop))
		bench_lanes_drive(&w->b, w->lane, w->n, w->b.config->wait == BENCH_EVENT, w->s->start_ns, w->limit->ns, &w->windows);
}

static void worker_end(struct worker *w)
{
	for (unsigned int i = 0; i < w->n; i++) {
		const struct bench_lane *l = &w->lane[i];
		struct told *t = &w->s->told[w->first + i * w->step];

		t->ops = l->done;
		t->errors = l->errors;
		t->ns = l->done ? l->end_ns - w->s->start_ns : 0;
		if (w->move[i].dst && !l->errors)
			t->errors += !bench_move_check(&w->b, &w->move[i], l->done);
		hsl_queue_destroy(l->q);
		bench_area_free(&w->area[2 * i]);
		bench_area_free(&w->area[2 * i + 1]);
		bench_set_free(&w->host[i]);
		free(w->op[i]);
	}
	free(w->lane);
	free(w->move);
	free(w->area);
	free(w->host);
	free(w->op);
}

static void *worker_thread(void *arg)
{
	worker_run(arg);
	return NULL;
}

/* ---- a party ---- */

static struct worker *workers_new(const struct bench *b, const struct bench_flows *x, const struct bench_limit *limit, struct shared *s,
				  unsigned int party)
{
	struct worker *w = tool_calloc(x->threads, sizeof(*w));

	for (unsigned int i = 0; i < x->threads; i++) {
		w[i].b = *b;
		w[i].b.carrier = NULL;
		w[i].b.stop = &s->stop;
		w[i].x = x;
		w[i].limit = limit;
		w[i].s = s;
		w[i].first = party * x->threads + i;
		w[i].step = x->procs * x->threads;
		w[i].stats = x->stats ? x->stats[w[i].first] : NULL;
		w[i].windows.width_ns = b->config->window_ns;
		worker_prepare(&w[i]);
	}
	return w;
}

static void workers_run(struct worker *w, unsigned int n)
{
	unsigned int made = 1;

	for (; made < n; made++)
		if (pthread_create(&w[made].thread, NULL, worker_thread, &w[made])) {
			fail(w->s, "no thread can be made");
			break;
		}
	worker_run(&w[0]);
	for (unsigned int i = 1; i < made; i++)
		pthread_join(w[i].thread, NULL);
}

static void workers_free(struct worker *w, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		worker_end(&w[i]);
		hsl_queue_destroy(w[i].b.carrier);
	}
	free(w);
}

/* Another process: it knows the fabric by its name only. */
static void party_child(const struct bench *b, const struct bench_flows *x, const struct bench_limit *limit, struct shared *s, unsigned int party,
			pid_t parent)
{
	struct bench own = *b;
	struct worker *w;
	int rc;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(TOOL_ENV);
	rc = hsl_fabric_open(b->config->url, &own.f);
	if (rc) {
		fail(s, strerror(-rc));
		atomic_fetch_add(&s->ready, x->threads);
		_exit(TOOL_ENV);
	}
	w = workers_new(&own, x, limit, s, party);
	workers_run(w, x->threads);
	workers_free(w, x->threads);
	hsl_fabric_close(own.f);
	_exit(TOOL_PASS);
}

/* The others get to know what this process has been told. */
static bool stop_tell(struct shared *s)
{
	if (tool_stopped())
		atomic_store(&s->stop, true);
	return tool_stopped();
}

/* Until all workers are ready, or one cannot be, or nobody wants it any more. */
static void parties_wait(struct shared *s, const pid_t *pid, const struct bench_flows *x)
{
	const struct timespec look = { .tv_nsec = 1000 * LOOK_US };
	siginfo_t info;

	while (atomic_load(&s->ready) < x->procs * x->threads && !stop_tell(s)) {
		for (unsigned int i = 1; i < x->procs; i++) {
			info.si_pid = 0;
			if (!waitid(P_PID, (id_t)pid[i], &info, WEXITED | WNOHANG | WNOWAIT) && info.si_pid) {
				fail(s, "a process has died");
				return;
			}
		}
		nanosleep(&look, NULL);
	}
}

/* Has it ended as it should? */
static bool party_end(struct shared *s, pid_t pid)
{
	int status = 0;
	pid_t got;

	do {
		stop_tell(s);
		got = waitpid(pid, &status, 0);
	} while (got < 0 && errno == EINTR);
	return got == pid && WIFEXITED(status) && !WEXITSTATUS(status);
}

/* What the flows of a round came to. */
static void round_take(struct bench_flows *x, const struct shared *s, struct bench_share *share)
{
	uint64_t longest = 0;

	for (unsigned int i = 0; i < flows_count(x); i++) {
		const struct told *t = &s->told[i];

		share->ops += t->ops;
		share->errors += t->errors;
		longest = t->ns > longest ? t->ns : longest;
		x->ops[i] += t->ops;
		x->ns[i] += t->ns;
	}
	share->ns += longest;
}

/* Of each worker, whichever process it will be in. */
static bool flows_stats_new(struct bench_flows *x)
{
	unsigned int n = x->procs * x->threads;

	x->stats = tool_calloc(n, sizeof(*x->stats));
	for (unsigned int i = 0; i < n; i++) {
		x->stats[i] = tool_stats_new_shared();
		if (!x->stats[i])
			return false;
	}
	return true;
}

/* What they have goes to all, if somebody wants it. */
static void flows_stats_take(struct bench_flows *x, struct tool_stats *all)
{
	for (unsigned int i = 0; x->stats && i < x->procs * x->threads; i++) {
		if (all)
			tool_stats_merge(all, x->stats[i]);
		tool_stats_free(x->stats[i]);
	}
	free(x->stats);
	x->stats = NULL;
}

static void flows_run(struct bench *b, struct bench_flows *x, const struct bench_limit *limit, struct tool_stats *stats,
		     struct bench_share *share, char *reason)
{
	unsigned int flows = flows_count(x), made = 1;
	size_t bytes = sizeof(struct shared) + flows * sizeof(struct told);
	struct shared *s = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t *pid = tool_calloc(x->procs, sizeof(*pid));
	pid_t parent = getpid();
	struct worker *w;

	if (s == MAP_FAILED || (stats && !flows_stats_new(x))) {
		snprintf(reason, 160, "memory of all processes: %s", strerror(errno));
		goto out;
	}
	fflush(NULL);
	for (; made < x->procs; made++) {
		pid[made] = fork();
		if (!pid[made])
			party_child(b, x, limit, s, made, parent);
		if (pid[made] < 0) {
			fail(s, "no process can be made");
			break;
		}
	}
	if (!x->ops) {
		x->ops = tool_calloc(flows, sizeof(*x->ops));
		x->ns = tool_calloc(flows, sizeof(*x->ns));
	}
	w = workers_new(b, x, limit, s, 0);
	if (made == x->procs)
		parties_wait(s, pid, x);
	s->start_ns = bench_now_ns();
	atomic_store(&s->go, true);
	workers_run(w, x->threads);
	for (unsigned int i = 0; i < x->threads; i++)
		b->complaints += w[i].b.complaints;
	/* windows are of one clock that one thread looks at */
	if (x->procs * x->threads == 1)
		share->windows = w->windows;
	workers_free(w, x->threads);
	for (unsigned int i = 1; i < made; i++)
		if (!party_end(s, pid[i]))
			fail(s, "a process has died");
	x->given += limit->iters ? limit->iters : flows;
	if (atomic_load(&s->failed))
		snprintf(reason, 160, "%s", s->reason);
	else
		round_take(x, s, share);
out:
	/* a round that failed counts for nothing */
	flows_stats_take(x, reason[0] ? NULL : stats);
	if (s != MAP_FAILED)
		munmap(s, bytes);
	free(pid);
}

void bench_flows_run(struct bench *b, struct bench_point *p, const struct bench_limit *limit, struct bench_share *share)
{
	char reason[160] = "";

	flows_run(b, p->flows, limit, p->stats, share, reason);
	if (!reason[0])
		return;
	if (p->all.ops) {
		bench_complain(b, "%s %s: %s", p->r.verb, p->r.op, reason);
		share->errors++;
	} else {
		snprintf(p->r.reason, sizeof(p->r.reason), "%s", reason);
	}
}

/* ---- points and results ---- */

bool bench_parallel(const struct bench_config *c)
{
	return c->nqueues || c->threads || c->procs || c->bidir || c->pattern || c->per_s > 0 || c->wait;
}

struct bench_flows *bench_flows_new(const struct bench *b, struct bench_point *p, uint64_t queues)
{
	static const char *const waits[] = { NULL, "poll", "event" };
	const struct bench_config *c = b->config;
	struct bench_flows *x = tool_calloc(1, sizeof(*x));

	x->name = p->r.op;
	x->queues = (unsigned int)queues;
	x->threads = c->threads ? c->threads : 1;
	x->procs = c->procs ? c->procs : 1;
	x->per_s = c->per_s;
	x->depth = p->r.depth;
	x->batch = p->r.batch;
	p->flows = x;
	p->run = bench_flows_run;
	p->r.threads = c->threads;
	p->r.procs = c->procs;
	p->r.bidir = c->bidir;
	p->r.pattern = c->pattern ? bench_pattern_name(c->pattern) : NULL;
	p->r.per_s = c->per_s > 0 ? c->per_s : NAN;
	p->r.wake = waits[c->wait];
	if (c->per_s > 0)
		p->stats = tool_stats_new_small();
	return x;
}

void bench_flows_ready(const struct bench *b, struct bench_point *p, const struct bench_set *shape)
{
	struct bench_flows *x = p->flows;
	unsigned int workers = x->threads * x->procs, flows;

	/* as many as there are hands, if nobody said how many */
	if (!x->queues)
		x->queues = x->nedges ? (workers + x->nedges - 1) / x->nedges : 1;
	flows = flows_count(x);
	p->r.queues = x->queues;
	p->r.flows = flows;
	if (shape) {
		x->shape = *shape;
		/* all of them together are in flight */
		x->shape.slots = flows && shape->slots > flows ? shape->slots / flows : 1;
		x->shape.len = x->shape.stride * x->shape.slots + shape->stride;
	}
	if (!flows)
		snprintf(p->r.reason, sizeof(p->r.reason), "needs two chips, the fabric has %u", b->info.nchips);
	else if (flows < workers)
		snprintf(p->r.reason, sizeof(p->r.reason), "%u queues are too few for %u threads", flows, workers);
	if (b->config->pattern == BENCH_PAIR)
		return;
	snprintf(p->r.src, sizeof(p->r.src), b->config->pattern == BENCH_ONE_TO_ALL ? "chip %u" : "all", b->a.node);
	snprintf(p->r.dst, sizeof(p->r.dst), b->config->pattern == BENCH_ALL_TO_ONE ? "chip %u" : "all", b->a.node);
	if (b->config->pattern == BENCH_BISECTION) {
		strcpy(p->r.src, "one half");
		strcpy(p->r.dst, "other half");
	}
}

void bench_flows_result(const struct bench_flows *x, double bytes_per_op, struct bench_result *r)
{
	unsigned int flows = flows_count(x);
	double sum = 0, squares = 0, least = INFINITY, v;

	/* with few --iters not all had a turn: nothing is known of those */
	for (unsigned int i = 0; x->ops && x->given >= flows && i < flows; i++) {
		v = x->ns[i] ? tool_rate(x->ops[i], x->ns[i]) : 0;
		sum += v;
		squares += v * v;
		least = fmin(least, v);
	}
	r->flow_ops_per_s_min = isfinite(least) ? least : NAN;
	r->flow_bytes_per_s_min = bytes_per_op > 0 && isfinite(least) ? least * bytes_per_op : NAN;
	/* Jain's index: 1, all got the same; 1 / n, one got it all */
	r->fairness = squares > 0 ? sum * sum / (flows * squares) : NAN;
}

void bench_flows_free(struct bench_flows *x)
{
	if (!x)
		return;
	free(x->edge);
	free(x->ops);
	free(x->ns);
	free(x);
}
