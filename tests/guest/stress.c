// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Random verbs of the whole API by several contexts at once, with a model of memory that says what every byte has to be.
 *
 *	stress [WORKERS [SECONDS [SEED]]]	(8, 20, from the clock)
 *
 * On the driver each worker is a process, on sim: (HSL_FABRIC) a thread; each has a context of its own. What a worker does follows from
 * its seed alone, but for what others send it. A worker keeps a private copy of every segment it holds and compares after
 * each command; a difference is printed with address, offset, expected, got and seed, the copy is corrected, and the run goes on
 * and fails. Between workers: exports sent over sockets, imported, read, written in their upper half, revoked and freed at any
 * time, under running commands too; what the exporter keeps in the lower half stays, and after a revoke so does all. Processes are killed
 * and started anew; at the end the chips have all their memory and queues back.
 *
 * Prints TAP; exit 0, 1 or 77.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* the oracles of hsltest, which unit tests hold against hand-made values */
#include "tools/hsltest/compare.c"
#include "tools/hsltest/oracle.c"


#define NWORKERS_MAX	32
#define NSEGS		10
#define NQUEUES		3
#define NCHIPS		8
#define BATCH		12
#define LEN_MAX		(96u << 10)
#define HANG_NS		(60 * HT_NS_PER_S)

struct shared {
	atomic_uint failures;
	atomic_ulong verbs, commands, imports, revokes, kills;
	atomic_bool stop;
};

struct seg {
	struct hsl_segment *s;
	uint64_t ga, len;
	uint8_t *p;		/* the CPU's view */
	uint8_t *want;		/* the model */
	void *host;		/* registered memory */
	uint64_t host_len;
	bool shared;		/* an import of somebody else may write the upper half */
};

struct worker {
	unsigned int number;
	uint64_t seed, rng, mail_rng, verb;
	const char *what;
	struct hsl_fabric *f;
	unsigned int nchips;
	uint32_t node[NCHIPS];
	uint64_t cap;		/* what all chips claim */
	struct seg seg[NSEGS];
	struct hsl_queue *q[NQUEUES];
	int efd;
};

/* A command and what it has to give. */
struct job {
	struct hsl_op op;
	uint32_t status;
	uint64_t result;
	bool any;		/* whatever it gives */
};

struct mail {
	uint64_t pattern, len;
};

static struct shared *sh;
static int box[NWORKERS_MAX][2];
static unsigned int nworkers = 8;
static bool threads;
static const char *url;

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * HT_NS_PER_S + (uint64_t)ts.tv_nsec;
}

__attribute__((format(printf, 2, 3)))
static void fail(struct worker *w, const char *fmt, ...)
{
	char text[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	/* enough to see what is wrong, not a flood */
	if (atomic_fetch_add(&sh->failures, 1) < 40)
		printf("# worker %u, verb %" PRIu64 " (%s), seed %#" PRIx64 ": %s\n", w->number, w->verb, w->what, w->seed, text);
}

static uint64_t rnd(struct worker *w, uint64_t below)
{
	return ht_mix(w->rng++) % below;
}

static uint64_t value(struct worker *w)
{
	return ht_mix(w->rng++);
}

/* ---- the model ---- */

static void check(struct worker *w, struct seg *s, uint64_t off, uint64_t len)
{
	struct ht_diff d;

	if (s->shared)
		len = off < s->len / 2 ? (len < s->len / 2 - off ? len : s->len / 2 - off) : 0;
	if (!len || ht_equal(s->p + off, s->want + off, len, &d))
		return;
	fail(w, "at %p, GA %#" PRIx64 ", offset %" PRIu64 " of %" PRIu64 ": expected 0x%02x, got 0x%02x; %" PRIu64 " bytes differ, to offset %" PRIu64,
	     (void *)(s->p + off + d.first), s->ga + off + d.first, off + d.first, s->len, d.expected, d.got, d.count, off + d.last);
	memcpy(s->want + off, s->p + off, len);
}

static uint8_t *model(struct worker *w, uint64_t ga)
{
	for (unsigned int i = 0; i < NSEGS; i++)
		if (w->seg[i].s && ga - w->seg[i].ga < w->seg[i].len)
			return w->seg[i].want + (ga - w->seg[i].ga);
	return NULL;
}

static struct seg *pick(struct worker *w)
{
	unsigned int i = (unsigned int)rnd(w, NSEGS), n;

	for (n = 0; n < NSEGS; n++, i = (i + 1) % NSEGS)
		if (w->seg[i].s && !w->seg[i].shared)
			return &w->seg[i];
	return NULL;
}

static struct seg *vacant(struct worker *w)
{
	for (unsigned int i = 0; i < NSEGS; i++)
		if (!w->seg[i].s)
			return &w->seg[i];
	return NULL;
}

/* What the operation does to the model; its result. */
static uint64_t apply(struct worker *w, const struct hsl_op *op)
{
	uint8_t *d = op->dst ? model(w, op->dst) : NULL, *s = op->src ? model(w, op->src) : NULL;
	uint64_t old = 0, v, i, n;

	switch (op->opcode) {
	case HSL_OP_COPY:
		ht_oracle_move(d, s, op->len);
		return op->len;
	case HSL_OP_FILL:
		ht_oracle_fill(d, op->len, op->arg0);
		return op->len;
	case HSL_OP_REDUCE: {
		unsigned int type = HSL_SUBOP_TYPE(op->subop), width = ht_type_bytes(type);
		uint8_t *src = malloc(op->len);

		memcpy(src, s, op->len);	/* as if it were read first */
		for (i = 0; i < op->len; i += width) {
			uint64_t a = 0, b = 0;

			memcpy(&a, d + i, width);
			memcpy(&b, src + i, width);
			v = ht_oracle_reduce(HSL_SUBOP_OP(op->subop), type, a, b);
			memcpy(d + i, &v, width);
		}
		free(src);
		return op->len;
	}
	case HSL_OP_ATOMIC:
		memcpy(&old, d, op->len);
		v = ht_oracle_atomic(op->subop, (unsigned int)op->len, old, op->arg0, op->arg1);
		memcpy(d, &v, op->len);
		return old;
	case HSL_OP_SIGNAL:
		memcpy(&old, d, 8);
		v = op->subop == HSL_SIGNAL_ADD ? old + op->arg0 : op->arg0;
		memcpy(d, &v, 8);
		return old;
	case HSL_OP_LOAD:
		if (!d) {
			memcpy(&old, s, op->len);
			return old;
		}
		ht_oracle_move(d, s, op->len);
		return op->len;
	case HSL_OP_STORE:
		if (s) {
			ht_oracle_move(d, s, op->len);
		} else {
			uint64_t args[2] = { op->arg0, op->arg1 };

			memcpy(d, args, op->len);
		}
		return op->len;
	case HSL_OP_COPY2D:
		for (i = 0; i < op->arg0; i++)
			ht_oracle_move(d + i * HSL_PITCH_DST(op->arg1), s + i * HSL_PITCH_SRC(op->arg1), op->len);
		return op->arg0 * op->len;
	case HSL_OP_COPY_LIST:
		for (i = n = 0; i < op->len / 32; i++) {
			struct hsl_copy_entry e;

			memcpy(&e, s + 32 * i, 32);
			ht_oracle_move(model(w, e.dst), model(w, e.src), e.len);
			n += e.len;
		}
		return n;
	default: return 0;
	}
}

/* ---- commands ---- */

static void random_op(struct worker *w, struct job *j)
{
	static const uint64_t caps[] = { [HSL_OP_REDUCE] = HSL_CAP_OP_REDUCE, [HSL_OP_ATOMIC] = HSL_CAP_OP_ATOMIC,
					 [HSL_OP_LOAD] = HSL_CAP_OP_LOADSTORE, [HSL_OP_STORE] = HSL_CAP_OP_LOADSTORE,
					 [HSL_OP_SIGNAL] = HSL_CAP_OP_SIGNAL, [HSL_OP_WAIT] = HSL_CAP_OP_SIGNAL,
					 [HSL_OP_FENCE] = HSL_CAP_OP_FENCE, [HSL_OP_COPY2D] = HSL_CAP_OP_COPY2D,
					 [HSL_OP_COPY_LIST] = HSL_CAP_OP_COPY_LIST };
	uint8_t code = (uint8_t)rnd(w, HSL_OP_COPY_LIST);	/* a list needs memory of its own: made below */
	struct seg *d = pick(w), *s = pick(w);
	uint64_t len, width, v;
	struct hsl_op *op = &j->op;

	memset(j, 0, sizeof(*j));
	if (!d || !s || (caps[code] && !(w->cap & caps[code])))
		code = HSL_OP_NOP;
	*op = (struct hsl_op){ .opcode = code, .cookie = value(w) };
	len = code ? 1 + rnd(w, rnd(w, 4) ? 300 : (d->len < s->len ? d->len : s->len)) : 0;
	switch (code) {
	case HSL_OP_REDUCE:
		op->subop = HSL_REDUCE_SUBOP(rnd(w, HSL_REDUCE_OPS), rnd(w, HSL_TYPES));
		width = ht_type_bytes(HSL_SUBOP_TYPE(op->subop));
		len = (len + width - 1) & ~(width - 1);
		if (len > d->len || len > s->len)
			len = width;
		op->dst = ((d->ga + rnd(w, d->len - len + 1) + width - 1) & ~(width - 1));
		op->src = ((s->ga + rnd(w, s->len - len + 1) + width - 1) & ~(width - 1));
		if (op->dst + len > d->ga + d->len)
			op->dst -= width;
		if (op->src + len > s->ga + s->len)
			op->src -= width;
		op->len = len;
		/* after the shift down it may begin before an unaligned segment */
		if (op->dst < d->ga || op->src < s->ga)
			*op = (struct hsl_op){ .opcode = HSL_OP_NOP, .cookie = op->cookie };
		break;
	case HSL_OP_ATOMIC:
	case HSL_OP_SIGNAL:
	case HSL_OP_WAIT:
		op->len = code == HSL_OP_ATOMIC && rnd(w, 2) ? 4 : 8;
		v = (d->ga + rnd(w, d->len - 16) + 7) & ~7ull;
		op->arg0 = value(w);
		if (code == HSL_OP_WAIT) {	/* one that holds */
			op->src = v;
			memcpy(&op->arg0, model(w, v), 8);
			op->subop = HSL_WAIT_GE;
			j->result = op->arg0;
			return;
		}
		op->dst = v;
		op->subop = (uint8_t)rnd(w, code == HSL_OP_ATOMIC ? HSL_ATOMICS : HSL_SIGNALS);
		if (code == HSL_OP_ATOMIC && op->subop == HSL_ATOMIC_CAS) {
			op->arg1 = value(w);
			if (rnd(w, 2))
				memcpy(&op->arg1, model(w, v), op->len);
		}
		break;
	case HSL_OP_LOAD:
	case HSL_OP_STORE:
		op->len = 1 + rnd(w, rnd(w, 2) ? 8 : 64);
		op->dst = d->ga + rnd(w, d->len - op->len + 1);
		op->src = s->ga + rnd(w, s->len - op->len + 1);
		if (code == HSL_OP_LOAD && op->len <= 8 && rnd(w, 2))
			op->dst = 0;
		if (code == HSL_OP_STORE && op->len <= 8 && rnd(w, 2)) {
			op->src = 0;
			op->arg0 = value(w);
		}
		break;
	case HSL_OP_COPY2D:
		op->len = 1 + rnd(w, 100);
		op->arg0 = 1 + rnd(w, 8);
		op->arg1 = HSL_PITCH(op->len + rnd(w, 50), rnd(w, 150));
		if (d == s) {	/* overlapping rows are undefined */
			*op = (struct hsl_op){ .opcode = HSL_OP_NOP, .cookie = op->cookie };
			break;
		}
		op->dst = d->ga + rnd(w, d->len - 2000);
		op->src = s->ga + rnd(w, s->len - 2000);
		break;
	case HSL_OP_NOP:
	case HSL_OP_FENCE: break;
	default:
		op->opcode = code == HSL_OP_FILL ? HSL_OP_FILL : HSL_OP_COPY;
		op->len = len;
		op->dst = d->ga + rnd(w, d->len - len + 1);
		if (op->opcode == HSL_OP_COPY)
			op->src = s->ga + rnd(w, s->len - len + 1);
		else
			op->arg0 = value(w);
		break;
	}
	if (rnd(w, 25) == 0 && op->len) {	/* a mistake: refused, and nothing changes */
		if (rnd(w, 2)) {
			j->status = HSL_ST_FIELD;
			op->order = 7;
		} else if (op->opcode != HSL_OP_LOAD && op->opcode != HSL_OP_WAIT) {
			j->status = HSL_ST_SEGMENT;
			op->dst = HSL_GA(16383, op->dst & ~4095ull);
		}
		if (j->status)
			return;
	}
	j->result = apply(w, op);
}

/* Takes n completions, by whatever way of waiting. */
static bool collect(struct worker *w, struct hsl_queue *q, struct hsl_completion *c, unsigned int n)
{
	uint64_t until_ns = now_ns() + HANG_NS, x;
	unsigned int have = 0, how = (unsigned int)rnd(w, 4);
	int rc;

	while (have < n) {
		struct pollfd p = { .events = POLLIN };

		switch (how) {
		case 0: rc = hsl_queue_poll(q, c + have, n - have); break;
		case 1:
			rc = hsl_queue_wait(q, c + have, n - have, now_ns() + 1000000);
			break;
		case 2:
			p.fd = hsl_queue_fd(q);
			poll(&p, 1, 1000);
			rc = hsl_queue_poll(q, c + have, n - have);
			break;
		default:
			rc = hsl_queue_eventfd(q, w->efd);
			if (!rc)
				rc = hsl_queue_arm(q);
			p.fd = w->efd;
			if (!rc && poll(&p, 1, 10000) != 1)
				fail(w, "no event within 10 s with %u of %u completions taken", have, n);
			if (p.revents && read(w->efd, &x, 8) != 8)
				fail(w, "read of the eventfd: %s", strerror(errno));
			if (!rc)
				rc = hsl_queue_poll(q, c + have, n - have);
			hsl_queue_eventfd(q, -1);
			break;
		}
		if (rc == -ETIMEDOUT || rc == -EINTR)
			rc = 0;
		if (rc < 0) {
			fail(w, "waiting, way %u: %s", how, strerror(-rc));
			return false;
		}
		have += (unsigned int)rc;
		if (now_ns() > until_ns) {
			fail(w, "hang: %u of %u completions after a minute, way of waiting %u", have, n, how);
			atomic_store(&sh->stop, true);
			return false;
		}
	}
	return true;
}

static struct hsl_queue *a_queue(struct worker *w)
{
	unsigned int i = (unsigned int)rnd(w, NQUEUES), n;

	for (n = 0; n < NQUEUES; n++, i = (i + 1) % NQUEUES)
		if (w->q[i])
			return w->q[i];
	return NULL;
}

static void run_jobs(struct worker *w, struct hsl_queue *q, struct job *j, unsigned int n)
{
	struct hsl_completion c[BATCH];
	struct hsl_op ops[BATCH];
	unsigned int i, want = 0;
	int rc;

	for (i = 0; i < n; i++) {
		ops[i] = j[i].op;
		want += !(ops[i].flags & HSL_DF_NO_CQE) || j[i].status;
	}
	rc = hsl_queue_submit(q, ops, n);
	if (rc != (int)n) {
		fail(w, "submit of %u: %d", n, rc);
		exit(1);
	}
	atomic_fetch_add(&sh->commands, n);
	if (!collect(w, q, c, want))
		return;
	for (i = 0, want = 0; i < n; i++) {
		struct hsl_completion *k = &c[want];

		if ((j[i].op.flags & HSL_DF_NO_CQE) && !j[i].status)
			continue;
		want++;
		if (k->cookie != j[i].op.cookie)
			fail(w, "completion %u: expected cookie %#" PRIx64 ", got %#" PRIx64, i, j[i].op.cookie, k->cookie);
		else if (!j[i].any && k->status != j[i].status)
			fail(w, "command %u of %u, opcode %#x, dst %#" PRIx64 ", src %#" PRIx64 ", len %" PRIu64 ": expected %s, got %s",
			     i, n, j[i].op.opcode, j[i].op.dst, j[i].op.src, j[i].op.len, hsl_status_name(j[i].status),
			     hsl_status_name(k->status));
		else if (!j[i].any && !j[i].status && k->result != j[i].result)
			fail(w, "opcode %#x subop %#x: expected result %#" PRIx64 ", got %#" PRIx64, j[i].op.opcode, j[i].op.subop,
			     j[i].result, k->result);
	}
	for (i = 0; i < NSEGS; i++)
		if (w->seg[i].s)
			check(w, &w->seg[i], 0, w->seg[i].len);
}

/* It ran, it had not begun, or it began while the entry went on one of the two chips that have to agree. */
static bool gone(uint32_t status)
{
	return status == HSL_ST_SEGMENT || status == HSL_ST_REVOKED || status == HSL_ST_DENIED;
}

/* ---- verbs ---- */

static void verb_batch(struct worker *w)
{
	unsigned int n = 1 + (unsigned int)rnd(w, BATCH), i;
	struct hsl_queue *q = a_queue(w);
	struct job j[BATCH];

	for (i = 0; q && i < n; i++)
		random_op(w, &j[i]);
	/* silent ones, but not the last: its completion tells of all of them */
	for (i = 0; q && i + 1 < n && n < BATCH; i++)
		if (rnd(w, 4) == 0)
			j[i].op.flags |= HSL_DF_NO_CQE;
	if (q)
		run_jobs(w, q, j, n);
}

/* A chain whose head fails: the rest of it does nothing. */
static void verb_chain(struct worker *w)
{
	unsigned int n = 2 + (unsigned int)rnd(w, BATCH - 3), i;
	struct hsl_queue *q = a_queue(w);
	struct seg *s = pick(w);
	struct job j[BATCH];

	if (!q || !s)
		return;
	memset(j, 0, sizeof(j));
	for (i = 0; i < n; i++) {
		j[i].op = (struct hsl_op){ .opcode = HSL_OP_FILL, .dst = i ? s->ga : 0x99, .len = s->len, .arg0 = value(w),
					   .flags = i + 1 < n ? HSL_DF_LINK : 0, .cookie = value(w) };
		j[i].status = i ? HSL_ST_ABORTED : HSL_ST_SEGMENT;
	}
	random_op(w, &j[n]);
	run_jobs(w, q, j, n + 1);
}

static void verb_list(struct worker *w)
{
	struct seg *l = pick(w), *d = pick(w), *s = pick(w);
	struct hsl_queue *q = a_queue(w);
	struct hsl_copy_entry e[16];
	struct job j = { 0 };
	unsigned int i, n = 1 + (unsigned int)rnd(w, 16);
	uint64_t off;

	if (!l || !q || d == l || !(w->cap & HSL_CAP_OP_COPY_LIST))
		return;
	off = ((l->ga + 7) & ~7ull) - l->ga;
	for (i = 0; i < n; i++) {
		e[i].len = rnd(w, 200);
		e[i].dst = d->ga + rnd(w, d->len - e[i].len);
		e[i].src = s->ga + rnd(w, s->len - e[i].len);
		e[i].rsvd = 0;
	}
	memcpy(l->p + off, e, n * sizeof(e[0]));
	memcpy(l->want + off, e, n * sizeof(e[0]));
	j.op = (struct hsl_op){ .opcode = HSL_OP_COPY_LIST, .src = l->ga + off, .len = n * sizeof(e[0]), .cookie = value(w) };
	j.result = apply(w, &j.op);
	run_jobs(w, q, &j, 1);
}

static void seg_done(struct worker *w, struct seg *s, bool compare)
{
	int rc;

	if (compare)
		check(w, s, 0, s->len);
	rc = hsl_segment_free(s->s);
	if (rc)
		fail(w, "hsl_segment_free: %s", strerror(-rc));
	if (s->host)
		munmap(s->host, s->host_len);
	free(s->want);
	memset(s, 0, sizeof(*s));
}

static void seg_fresh(struct worker *w, struct seg *s)
{
	s->ga = hsl_segment_ga(s->s);
	s->want = malloc(s->len);
	ht_pattern(s->want, s->len, value(w));
	memcpy(s->p, s->want, s->len);
}

static void verb_alloc(struct worker *w)
{
	struct seg *s = vacant(w);
	uint64_t i;
	void *p;
	int rc;

	if (!s)
		return;
	s->len = 4096 * (1 + rnd(w, LEN_MAX / 4096));
	rc = hsl_segment_alloc(w->f, w->node[rnd(w, w->nchips)], s->len, NULL, &s->s);
	if (rc) {
		s->s = NULL;
		if (rc != -ENOSPC)
			fail(w, "hsl_segment_alloc: %s", strerror(-rc));
		return;
	}
	rc = hsl_segment_map(s->s, &p);
	if (rc) {
		fail(w, "hsl_segment_map: %s", strerror(-rc));
		hsl_segment_free(s->s);
		s->s = NULL;
		return;
	}
	s->p = p;
	for (i = 0; i < s->len; i++)
		if (s->p[i]) {
			fail(w, "at %p, GA %#" PRIx64 ", offset %" PRIu64 " of new memory: expected 0x00, got 0x%02x", p,
			     hsl_segment_ga(s->s) + i, i, s->p[i]);
			break;
		}
	seg_fresh(w, s);
}

static void verb_register(struct worker *w)
{
	struct seg *s = vacant(w);
	uint64_t skew = rnd(w, 4096);
	int rc;

	if (!s)
		return;
	s->len = 4096 + rnd(w, LEN_MAX - 4096);
	s->host_len = s->len + skew;
	s->host = mmap(NULL, s->host_len, PROT_READ | PROT_WRITE, (rnd(w, 2) ? MAP_SHARED : MAP_PRIVATE) | MAP_ANONYMOUS, -1, 0);
	rc = s->host == MAP_FAILED ? -ENOMEM : hsl_segment_register(w->f, (uint8_t *)s->host + skew, s->len, NULL, &s->s);
	if (rc) {
		fail(w, "registering: %s", strerror(-rc));
		memset(s, 0, sizeof(*s));
		return;
	}
	s->p = (uint8_t *)s->host + skew;
	if (hsl_segment_map(s->s, &(void *){ NULL }))
		fail(w, "hsl_segment_map of registered memory");
	seg_fresh(w, s);
}

static void verb_free(struct worker *w)
{
	struct seg *s = pick(w);

	if (s)
		seg_done(w, s, true);
}

static void verb_queue(struct worker *w)
{
	struct hsl_queue_opts o = { .size = sizeof(o), .depth = 16u << rnd(w, 4) };
	unsigned int i = (unsigned int)rnd(w, NQUEUES);
	int rc;

	if (w->q[i]) {
		hsl_queue_destroy(w->q[i]);
		w->q[i] = NULL;
	}
	o.flags = rnd(w, 5) ? 0 : HSL_QUEUE_F_SYSCALL;
	rc = hsl_queue_create(w->f, w->node[rnd(w, w->nchips)], &o, &w->q[i]);
	if (rc) {
		w->q[i] = NULL;
		if (rc != -EBUSY)
			fail(w, "hsl_queue_create: %s", strerror(-rc));
	} else if (rnd(w, 4) == 0) {
		rc = hsl_queue_moderate(w->q[i], (uint32_t)rnd(w, 6), (uint32_t)rnd(w, 300));
		if (rc && rc != -EOPNOTSUPP)
			fail(w, "hsl_queue_moderate: %s", strerror(-rc));
	}
}

/* Work in flight ends by abort, by destroying its queue, or by freeing its segment; afterwards nobody writes. */
static void verb_end(struct worker *w)
{
	unsigned int i, n = 1 + (unsigned int)rnd(w, BATCH), k = (unsigned int)rnd(w, NQUEUES), how = (unsigned int)rnd(w, 3);
	struct hsl_completion c[BATCH];
	struct hsl_op ops[BATCH];
	struct seg *s = pick(w);
	int rc;

	if (!s || !w->q[k])
		return;
	for (i = 0; i < n; i++)
		ops[i] = (struct hsl_op){ .opcode = HSL_OP_FILL, .dst = s->ga, .len = s->len, .arg0 = value(w), .cookie = i };
	if (rnd(w, 2) && (w->cap & HSL_CAP_OP_SIGNAL)) {	/* parked: the first 8 bytes are not that */
		uint64_t at = (s->ga + 7) & ~7ull, v;

		memcpy(&v, model(w, at), 8);
		ops[0] = (struct hsl_op){ .opcode = HSL_OP_WAIT, .src = at, .len = 8, .arg0 = v, .subop = HSL_WAIT_NE, .cookie = 0 };
	}
	if (hsl_queue_submit(w->q[k], ops, n) != (int)n) {
		fail(w, "submit");
		return;
	}
	switch (how) {
	case 0:
		rc = hsl_queue_abort(w->q[k]);
		if (rc)
			fail(w, "hsl_queue_abort: %s", strerror(-rc));
		rc = hsl_queue_poll(w->q[k], c, BATCH);
		if (rc != (int)n)
			fail(w, "%d completions after the abort of %u commands", rc, n);
		for (i = 0; rc == (int)n && i < n; i++)
			if (c[i].cookie != i || (c[i].status != HSL_ST_OK && c[i].status != HSL_ST_ABORTED))
				fail(w, "aborted command %u: cookie %" PRIu64 ", %s", i, c[i].cookie, hsl_status_name(c[i].status));
		break;
	case 1:
		hsl_queue_destroy(w->q[k]);
		w->q[k] = NULL;
		break;
	default:
		seg_done(w, s, false);
		if (collect(w, w->q[k], c, n))
			for (i = 0; i < n; i++)
				if (c[i].status != HSL_ST_OK && !gone(c[i].status))
					fail(w, "command of a freed segment: %s", hsl_status_name(c[i].status));
		return;
	}
	ht_pattern(s->want, s->len, value(w));
	memcpy(s->p, s->want, s->len);
}

/* One queue waits, the other signals; or nobody does. */
static void verb_wait(struct worker *w)
{
	struct seg *s = pick(w);
	uint64_t at, v, x = value(w);
	struct hsl_completion c;
	struct hsl_op op;
	struct job j = { 0 };
	bool comes = rnd(w, 4);

	if (!s || !w->q[0] || !w->q[1] || !(w->cap & HSL_CAP_OP_SIGNAL))
		return;
	at = (s->ga + rnd(w, s->len - 16) + 7) & ~7ull;
	memcpy(&v, model(w, at), 8);
	if (v == x)
		return;
	op = (struct hsl_op){ .opcode = HSL_OP_WAIT, .subop = HSL_WAIT_EQ, .src = at, .len = 8, .arg0 = x,
			      .arg1 = comes ? 0 : 1 + rnd(w, 2000000) };
	if (hsl_queue_submit(w->q[0], &op, 1) != 1) {
		fail(w, "submit");
		return;
	}
	if (comes && rnd(w, 2)) {
		__atomic_store_n((uint64_t *)(s->p + (at - s->ga)), x, __ATOMIC_RELEASE);
		memcpy(model(w, at), &x, 8);
	} else if (comes) {
		j.op = (struct hsl_op){ .opcode = HSL_OP_SIGNAL, .dst = at, .len = 8, .arg0 = x, .cookie = 1 };
		j.result = apply(w, &j.op);
		run_jobs(w, w->q[1], &j, 1);
	}
	if (!collect(w, w->q[0], &c, 1))
		return;
	if (c.status != (comes ? HSL_ST_OK : HSL_ST_TIMEOUT) || c.result != (comes ? x : v))
		fail(w, "WAIT: expected %s and %#" PRIx64 ", got %s and %#" PRIx64, comes ? "ok" : "timeout", comes ? x : v,
		     hsl_status_name(c.status), c.result);
}

static void verb_look(struct worker *w)
{
	struct hsl_chip_props p = { .size = sizeof(p) };
	struct hsl_path_props path = { .size = sizeof(path) };
	struct hsl_fabric_event ev[8];
	int rc = hsl_chip_by_node(w->f, w->node[rnd(w, w->nchips)], &p);

	if (rc || p.state || p.mem_free_bytes > p.mem_bytes || p.nqueues_free > p.nqueues)
		fail(w, "chip %u: %d, state %u, %" PRIu64 " of %" PRIu64 " bytes free", p.node, rc, p.state, p.mem_free_bytes, p.mem_bytes);
	rc = hsl_topology_path(w->f, w->node[rnd(w, w->nchips)], w->node[rnd(w, w->nchips)], &path);
	if (rc)
		fail(w, "hsl_topology_path: %s", strerror(-rc));
	rc = hsl_event_read(w->f, ev, 8);
	if (rc < 0)
		fail(w, "hsl_event_read: %s", strerror(-rc));
}

/* A child has the mappings and sees the same bytes. */
static void verb_fork(struct worker *w)
{
	int status;
	pid_t pid;

	if (threads)
		return;
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (unsigned int i = 0; i < NSEGS; i++)
			if (w->seg[i].s && !w->seg[i].host && !w->seg[i].shared &&
			    memcmp(w->seg[i].p, w->seg[i].want, w->seg[i].len))
				_exit(1);
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
		fail(w, "a child sees other bytes, or died: %#x", pid < 0 ? -1 : status);
}

/* ---- between workers ---- */

static void verb_export(struct worker *w)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct mail m = { .pattern = value(w) };
	struct iovec iov = { &m, sizeof(m) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };
	struct cmsghdr *h = CMSG_FIRSTHDR(&msg);
	unsigned int to = (unsigned int)rnd(w, nworkers);
	struct seg *s = pick(w);
	int fd, rc;

	if (!s || s->host || to == w->number)
		return;
	ht_pattern(s->want, s->len, m.pattern);
	memcpy(s->p, s->want, s->len);
	m.len = s->len;
	rc = hsl_segment_export(s->s, rnd(w, 3) ? 0 : HSL_RIGHT_READ, 0, &fd);
	if (rc) {
		fail(w, "hsl_segment_export: %s", strerror(-rc));
		return;
	}
	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(h), &fd, sizeof(fd));
	s->shared = true;
	sendmsg(box[to][1], &msg, MSG_DONTWAIT);	/* a full mailbox: nobody gets it */
	close(fd);
}

static void verb_revoke(struct worker *w)
{
	int rc;

	for (unsigned int i = 0; i < NSEGS; i++) {
		struct seg *s = &w->seg[i];

		if (!s->s || !s->shared)
			continue;
		check(w, s, 0, s->len);
		if (rnd(w, 4) == 0) {	/* importers keep it */
			seg_done(w, s, true);
			return;
		}
		rc = hsl_segment_revoke(s->s);
		if (rc)
			fail(w, "hsl_segment_revoke: %s", strerror(-rc));
		atomic_fetch_add(&sh->revokes, 1);
		s->shared = false;
		ht_pattern(s->want, s->len, value(w));
		memcpy(s->p, s->want, s->len);
		return;
	}
}

static __thread sigjmp_buf touch_env;

static void touched(int sig)
{
	(void)sig;
	siglongjmp(touch_env, 1);
}

/* Something another worker exported: it has its pattern in the lower half, until it is revoked. */
static void mail_use(struct worker *w, int fd, const struct mail *m)
{
	uint8_t *want = malloc(m->len / 2), *got = mmap(NULL, m->len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct hsl_segment *s, *mine = NULL;
	struct hsl_queue *q = NULL;
	struct hsl_completion c;
	struct ht_diff d;
	unsigned int i;
	void *p;
	int rc;

	rc = hsl_segment_import(w->f, fd, 0, &s);
	close(fd);
	if (rc) {
		if (rc != -ESTALE)
			fail(w, "hsl_segment_import: %s", strerror(-rc));
		goto out;
	}
	atomic_fetch_add(&sh->imports, 1);
	ht_pattern(want, m->len / 2, m->pattern);
	for (i = 0; i < NQUEUES && !q; i++)
		q = w->q[i];
	rc = hsl_segment_register(w->f, got, m->len, NULL, &mine);
	if (rc)
		fail(w, "registering: %s", strerror(-rc));
	for (i = 0; q && mine && i < 1 + ht_mix(w->mail_rng++) % 6; i++) {
		struct hsl_op op = { .opcode = HSL_OP_COPY, .dst = hsl_segment_ga(mine), .src = hsl_segment_ga(s), .len = m->len / 2 };

		if (i & 1)
			op = (struct hsl_op){ .opcode = HSL_OP_FILL, .dst = hsl_segment_ga(s) + m->len / 2, .len = m->len / 2,
					      .arg0 = ht_mix(w->mail_rng++) };
		if (hsl_queue_submit(q, &op, 1) != 1 || !collect(w, q, &c, 1)) {
			fail(w, "submit");
			break;
		}
		if (gone(c.status))
			break;
		if (c.status != HSL_ST_OK && !(c.status == HSL_ST_RIGHTS && (i & 1)))
			fail(w, "command on an import: %s", hsl_status_name(c.status));
		/*
		 * OK means that it was read before a revoke returned, so before the exporter wrote anything new
		 */
		if (!(i & 1) && c.status == HSL_ST_OK && !ht_equal(got, want, m->len / 2, &d))
			fail(w, "import at GA %#" PRIx64 ", offset %" PRIu64 ": expected 0x%02x, got 0x%02x; %" PRIu64 " bytes differ",
			     hsl_segment_ga(s), d.first, d.expected, d.got, d.count);
	}
	/* by the CPU: the exporter's bytes or a signal */
	if (!hsl_segment_map(s, &p)) {
		volatile unsigned int n = 0, at = 0;

		if (!sigsetjmp(touch_env, 1))
			for (; at < m->len / 2; at += 64)
				n += ((volatile uint8_t *)p)[at] != want[at];
		/* a revoke in between leaves no way to tell */
		if (n && !threads) {
			struct hsl_op op = { .opcode = HSL_OP_COPY, .dst = hsl_segment_ga(mine), .src = hsl_segment_ga(s), .len = 8 };

			if (q && hsl_queue_submit(q, &op, 1) == 1 && collect(w, q, &c, 1) && c.status == HSL_ST_OK)
				fail(w, "import mapped at %p: %u bytes differ", p, n);
		}
	}
	rc = hsl_segment_free(s);
	if (rc)
		fail(w, "freeing an import: %s", strerror(-rc));
out:
	if (mine)
		hsl_segment_free(mine);
	munmap(got, m->len);
	free(want);
}

static void read_mail(struct worker *w)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct mail m;
	struct iovec iov = { &m, sizeof(m) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };
	struct cmsghdr *h;
	uint64_t rng = w->rng;	/* what comes in the mail does not change what comes after it */
	int fd;

	if (recvmsg(box[w->number][0], &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) != sizeof(m))
		return;
	h = CMSG_FIRSTHDR(&msg);
	if (!h || h->cmsg_type != SCM_RIGHTS)
		return;
	memcpy(&fd, CMSG_DATA(h), sizeof(fd));
	w->what = "import";
	mail_use(w, fd, &m);
	w->rng = rng;
}

/* ---- a worker ---- */

static const struct verb {
	const char *name;
	void (*run)(struct worker *w);
	unsigned int weight;
} verbs[] = {
	{ "batch", verb_batch, 30 }, { "chain", verb_chain, 3 }, { "list", verb_list, 5 }, { "alloc", verb_alloc, 8 },
	{ "register", verb_register, 5 }, { "free", verb_free, 8 }, { "queue", verb_queue, 5 }, { "end", verb_end, 6 },
	{ "wait", verb_wait, 6 }, { "look", verb_look, 3 }, { "fork", verb_fork, 1 }, { "export", verb_export, 5 },
	{ "revoke", verb_revoke, 5 },
};
#define NVERBS (sizeof(verbs) / sizeof(verbs[0]))

static bool worker_open(struct worker *w)
{
	int rc = hsl_fabric_open(url, &w->f);

	if (rc) {
		fail(w, "hsl_fabric_open: %s", strerror(-rc));
		return false;
	}
	w->cap = ~0ull;
	for (w->nchips = 0; w->nchips < NCHIPS; w->nchips++) {
		struct hsl_chip_props p = { .size = sizeof(p) };

		if (hsl_chip_by_index(w->f, w->nchips, &p))
			break;
		w->node[w->nchips] = p.node;
		w->cap &= p.cap;
	}
	w->efd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return true;
}

static void *worker_main(void *arg)
{
	struct sigaction sa = { .sa_handler = touched, .sa_flags = SA_NODEFER };
	struct worker *w = arg;
	unsigned int i, total = 0, x;

	sigaction(SIGBUS, &sa, NULL);
	sigaction(SIGSEGV, &sa, NULL);
	w->rng = w->seed;
	w->mail_rng = ~w->seed;
	w->what = "open";
	for (i = 0; i < NVERBS; i++)
		total += verbs[i].weight;
	if (!worker_open(w))
		return NULL;
	for (i = 0; i < NQUEUES; i++)
		verb_queue(w);
	while (!atomic_load(&sh->stop)) {
		x = (unsigned int)rnd(w, total);
		for (i = 0; x >= verbs[i].weight; i++)
			x -= verbs[i].weight;
		w->what = verbs[i].name;
		w->verb++;
		verbs[i].run(w);
		read_mail(w);
		atomic_fetch_add(&sh->verbs, 1);
	}
	w->what = "end";
	for (i = 0; i < NSEGS; i++)
		if (w->seg[i].s && (w->verb & 1))
			seg_done(w, &w->seg[i], true);
	hsl_fabric_close(w->f);		/* with what is left */
	for (i = 0; i < NSEGS; i++)
		free(w->seg[i].want);
	close(w->efd);
	return NULL;
}

static uint64_t worker_seed(uint64_t seed, unsigned int number, unsigned int life)
{
	return ht_mix(seed + 1000003ull * number + life);
}

static pid_t worker_start(uint64_t seed, unsigned int number, unsigned int life)
{
	struct worker w = { .number = number, .seed = worker_seed(seed, number, life) };
	pid_t pid = fork();

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	worker_main(&w);
	fflush(stdout);
	_exit(0);
}

static void run_processes(uint64_t seed, uint64_t until_ns)
{
	unsigned int life[NWORKERS_MAX] = { 0 }, i, victim;
	pid_t pid[NWORKERS_MAX];
	uint64_t rng = ~seed;
	int status;

	for (i = 0; i < nworkers; i++)
		pid[i] = worker_start(seed, i, 0);
	while (now_ns() < until_ns && !atomic_load(&sh->stop)) {
		usleep(300000 + (useconds_t)(ht_mix(rng++) % 900000));
		victim = (unsigned int)(ht_mix(rng++) % nworkers);
		for (i = 0; i < nworkers; i++)
			if (waitpid(pid[i], &status, WNOHANG) == pid[i]) {
				printf("# worker %u, seed %#" PRIx64 " ended by itself: %#x\n", i, worker_seed(seed, i, life[i]), status);
				atomic_fetch_add(&sh->failures, 1);
				pid[i] = worker_start(seed, i, ++life[i]);
			}
		kill(pid[victim], SIGKILL);
		waitpid(pid[victim], &status, 0);
		atomic_fetch_add(&sh->kills, 1);
		pid[victim] = worker_start(seed, victim, ++life[victim]);
	}
	atomic_store(&sh->stop, true);
	for (i = 0; i < nworkers; i++) {
		waitpid(pid[i], &status, 0);
		if (status) {
			printf("# worker %u, seed %#" PRIx64 " ended with %#x\n", i, worker_seed(seed, i, life[i]), status);
			atomic_fetch_add(&sh->failures, 1);
		}
	}
}

static void run_threads(uint64_t seed, uint64_t until_ns)
{
	static struct worker w[NWORKERS_MAX];
	pthread_t th[NWORKERS_MAX];

	for (unsigned int i = 0; i < nworkers; i++) {
		w[i] = (struct worker){ .number = i, .seed = worker_seed(seed, i, 0) };
		if (pthread_create(&th[i], NULL, worker_main, &w[i]))
			abort();
	}
	while (now_ns() < until_ns && !atomic_load(&sh->stop))
		usleep(20000);
	atomic_store(&sh->stop, true);
	for (unsigned int i = 0; i < nworkers; i++)
		pthread_join(th[i], NULL);
}

/* All memory and queues of all chips, again and again for a while: freed memory is zeroed first. */
static bool all_back(struct hsl_fabric *f, const struct hsl_chip_props *before, unsigned int n)
{
	uint64_t until_ns = now_ns() + 20 * HT_NS_PER_S;
	unsigned int i;

	do {
		for (i = 0; i < n; i++) {
			struct hsl_chip_props p = { .size = sizeof(p) };

			if (hsl_chip_by_index(f, i, &p) || p.state || p.mem_free_bytes != before[i].mem_free_bytes ||
			    p.nqueues_free != before[i].nqueues_free)
				break;
		}
		if (i == n)
			return true;
		usleep(10000);
	} while (now_ns() < until_ns);
	return false;
}

int main(int argc, char **argv)
{
	uint64_t seed = argc > 3 ? strtoull(argv[3], NULL, 0) : ht_mix((uint64_t)time(NULL) ^ (uint64_t)getpid() << 32);
	uint64_t seconds = argc > 2 ? strtoull(argv[2], NULL, 0) : 20;
	struct hsl_chip_props before[NCHIPS];
	struct hsl_fabric *f;
	unsigned int i, n;
	bool back;

	if (argc > 1)
		nworkers = (unsigned int)strtoul(argv[1], NULL, 0);
	if (nworkers < 1 || nworkers > NWORKERS_MAX)
		return 2;
	setvbuf(stdout, NULL, _IOLBF, 0);
	url = getenv("HSL_FABRIC");
	if (!url || !*url)
		url = "/dev/hsl0";
	threads = !strncmp(url, "sim:", 4);
	sh = mmap(NULL, sizeof(*sh), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	for (i = 0; i < nworkers; i++)
		if (sh == MAP_FAILED || socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, box[i]))
			return 1;
	/* in processes: no fabric is open here while they are forked */
	if (hsl_fabric_open(url, &f)) {
		printf("1..0 # SKIP %s cannot be opened\n", url);
		return 77;
	}
	for (n = 0; n < NCHIPS; n++) {
		before[n].size = sizeof(before[n]);
		if (hsl_chip_by_index(f, n, &before[n]))
			break;
	}
	printf("1..2\n# %u workers, %" PRIu64 " s: replay with: stress %u %" PRIu64 " %#" PRIx64 "\n", nworkers, seconds, nworkers, seconds, seed);
	if (threads) {
		run_threads(seed, now_ns() + seconds * HT_NS_PER_S);
	} else {
		hsl_fabric_close(f);
		run_processes(seed, now_ns() + seconds * HT_NS_PER_S);
		if (hsl_fabric_open(url, &f))
			return 1;
	}
	printf("# %lu verbs, %lu commands, %lu imports, %lu revokes, %lu kills\n", atomic_load(&sh->verbs), atomic_load(&sh->commands),
	       atomic_load(&sh->imports), atomic_load(&sh->revokes), atomic_load(&sh->kills));
	printf("%sok 1 - every byte and completion was as it has to be (%u were not)\n", atomic_load(&sh->failures) ? "not " : "",
	       atomic_load(&sh->failures));
	/* mail that nobody has read holds memory */
	for (i = 0; i < nworkers; i++) {
		close(box[i][0]);
		close(box[i][1]);
	}
	back = all_back(f, before, n);
	printf("%sok 2 - the chips have all memory and queues back\n", back ? "" : "not ");
	hsl_fabric_close(f);
	return atomic_load(&sh->failures) || !back;
}
