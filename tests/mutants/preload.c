/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A libhsl with one mistake in it, chosen by HSL_MUTANT: preloaded before hsltest, so that its
 * tests can be shown to fail (tests/mutants/run.sh). Each mistake is one that a chip, driver or
 * library could make.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fenv.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hsl/hsl.h"

static int is(const char *mutant)
{
	const char *m = getenv("HSL_MUTANT");

	return m && !strcmp(m, mutant);
}

#define REAL(name)                     \
	static __typeof__(&name) real; \
	if (!real)                     \
	*(void **)&real = dlsym(RTLD_NEXT, #name)

/* ---- what a mistake has to know: memory by GA, commands by cookie ---- */

#define NKNOWN 256
static struct {
	struct hsl_segment *s;
	uint64_t ga, len;
	unsigned char *p;
} known[NKNOWN];

static void know(struct hsl_segment *s)
{
	unsigned int i;
	void *p;

	if (is("window-off")) /* what is mapped keeps a window from opening */
		return;
	for (i = 0; i < NKNOWN; i++) {
		if (known[i].s || hsl_segment_map(s, &p))
			continue;
		known[i].s = s;
		known[i].ga = hsl_segment_ga(s);
		known[i].len = hsl_segment_len(s);
		known[i].p = p;
		return;
	}
}

static void forget(const struct hsl_segment *s)
{
	unsigned int i;

	for (i = 0; s && i < NKNOWN; i++) {
		if (known[i].s == s)
			known[i].s = NULL;
	}
}

static unsigned char *at(uint64_t ga)
{
	unsigned int i;

	for (i = 0; i < NKNOWN; i++) {
		if (known[i].s && ga - known[i].ga < known[i].len)
			return known[i].p + (ga - known[i].ga);
	}
	return NULL;
}

#define NSENT 4096
static struct hsl_op sent[NSENT]; /* by cookie */
static unsigned char *before;	  /* dst of the last REDUCE, as it was */
static unsigned char *instead;	  /* and what it has to become */

static struct hsl_op *sent_op(uint64_t cookie)
{
	struct hsl_op *op = &sent[cookie % NSENT];

	return op->cookie == cookie ? op : NULL;
}

/* Binary32 and binary64 sums rounded towards zero. */
static void truncate_sums(const struct hsl_op *op)
{
	const unsigned char *a = at(op->dst), *b = at(op->src);
	uint64_t i;

	free(before);
	free(instead);
	before = malloc(op->len + 8);
	instead = malloc(op->len + 8);
	if (!a || !b || !before || !instead)
		abort();
	memcpy(before, a, op->len);
	memcpy(instead, a, op->len);
	fesetround(FE_TOWARDZERO);
	for (i = 0; HSL_SUBOP_TYPE(op->subop) == HSL_TYPE_F32 && i + 4 <= op->len; i += 4) {
		volatile float x, y;
		float z;

		memcpy((void *)&x, a + i, 4);
		memcpy((void *)&y, b + i, 4);
		z = x + y;
		memcpy(instead + i, &z, 4);
	}
	fesetround(FE_TONEAREST);
}

/* A REDUCE of binary32 has completed: the mistake goes into memory. */
static void spoil_reduce(const struct hsl_op *op)
{
	unsigned char *p = at(op->dst);
	uint64_t i;
	uint32_t v, old;

	if (!p || !before || HSL_SUBOP_TYPE(op->subop) != HSL_TYPE_F32)
		return;
	for (i = 0; i + 4 <= op->len; i += 4) {
		memcpy(&v, p + i, 4);
		memcpy(&old, before + i, 4);
		if (is("reduce-nan-payload") && v == 0x7fc00000 && (old & 0x7fffffff) > 0x7f800000)
			v = old | 0x400000;
		if (is("reduce-zero-sign") && v == 0x80000000 && HSL_SUBOP_OP(op->subop) != HSL_REDUCE_ADD)
			v = 0;
		if (is("reduce-truncates") && HSL_SUBOP_OP(op->subop) == HSL_REDUCE_ADD && v != 0x7fc00000)
			memcpy(&v, instead + i, 4);
		memcpy(p + i, &v, 4);
	}
}

static void change_op(struct hsl_op *op)
{
	switch (op->opcode) {
	case HSL_OP_ATOMIC:
		if (is("cas-always") && op->subop == HSL_ATOMIC_CAS) {
			op->subop = HSL_ATOMIC_SWAP;
			op->arg1 = 0;
		}
		if (is("umin-signed") && op->subop == HSL_ATOMIC_UMIN)
			op->subop = HSL_ATOMIC_MIN;
		if (is("atomic-8") && op->len == 4 && !(op->dst & 7))
			op->len = 8;
		if (is("atomic-rights") && at(op->dst))
			*op = (struct hsl_op){ .opcode = HSL_OP_NOP, .cookie = op->cookie };
		break;
	case HSL_OP_LOAD:
		if (is("load-9") && !op->dst && op->len > 8)
			op->len = 8;
		break;
	case HSL_OP_STORE:
		if (is("store-half") && !op->src && op->len > 8)
			op->arg1 = op->arg0;
		break;
	case HSL_OP_WAIT:
		if (is("wait-ge") && op->subop == HSL_WAIT_GT)
			op->subop = HSL_WAIT_GE;
		if (is("timeout-lost"))
			op->arg1 = 0;
		break;
	case HSL_OP_REDUCE:
		if (is("reduce-truncates") || is("reduce-nan-payload") || is("reduce-zero-sign"))
			truncate_sums(op);
		break;
	default: break;
	}
	if (is("no-cqe"))
		op->flags &= (uint8_t)~HSL_DF_NO_CQE;
	if (is("link"))
		op->flags &= (uint8_t)~HSL_DF_LINK;
}

int hsl_queue_submit(struct hsl_queue *q, const struct hsl_op *ops, unsigned int n)
{
	static unsigned int calls;
	struct hsl_op mine[n ? n : 1];
	unsigned int i, signalled = 0;
	REAL(hsl_queue_submit);

	if (n)
		memcpy(mine, ops, n * sizeof(*ops));
	if (is("slow"))
		usleep(20000);
	if (is("crash") && ++calls == 100)
		raise(SIGSEGV);
	if (is("batch-swapped") && n > 1) {
		struct hsl_op first = mine[0];

		mine[0] = mine[1];
		mine[1] = first;
	}
	/* the flag before the data */
	if (is("signal-early") && n > 1 && mine[n - 1].opcode == HSL_OP_SIGNAL) {
		struct hsl_op signal = mine[n - 1];

		sent[signal.cookie % NSENT] = signal;
		if (real(q, &signal, 1) == 1) {
			usleep(2000);
			n--;
			signalled = 1;
		}
	}
	for (i = 0; i < n; i++) {
		struct hsl_op *op = &mine[i];

		sent[op->cookie % NSENT] = *op;
		change_op(op);
		if (op->opcode == HSL_OP_COPY && op->len) {
			if (is("copy-short"))
				op->len--;
			else if (is("copy-long"))
				op->len++;
			else if (is("copy-nothing"))
				*op = (struct hsl_op){ .opcode = HSL_OP_NOP, .cookie = op->cookie };
			else if (is("copy-aligned") &&
				 op->len >= 8) /* an engine that rounds addresses to words */
				op->src &= ~7ull;
		}
		if (op->opcode == HSL_OP_FILL && is("fill-phase"))
			op->arg0 = op->arg0 << 8 | op->arg0 >> 56;
		if (is("order-taken"))
			op->order = 0;
	}
	return real(q, mine, n) + (int)signalled;
}

static void change_done(struct hsl_completion *c)
{
	struct hsl_op *op = sent_op(c->cookie);
	struct hsl_copy_entry e;
	unsigned char *p;

	if (!op)
		return;
	switch (op->opcode) {
	case HSL_OP_ATOMIC:
		if (is("atomic-new") && !c->status && op->subop == HSL_ATOMIC_ADD)
			c->result += op->arg0;
		break;
	case HSL_OP_SIGNAL:
		if (is("signal-new") && !c->status && op->subop == HSL_SIGNAL_ADD)
			c->result += op->arg0;
		break;
	case HSL_OP_REDUCE:
		if (!c->status)
			spoil_reduce(op);
		break;
	case HSL_OP_COPY2D:
		p = at(op->dst + op->len);
		if (is("copy2d-gap") && !c->status && op->arg0 > 1 && HSL_PITCH_DST(op->arg1) > op->len && p)
			*p ^= 0xff;
		break;
	case HSL_OP_COPY_LIST:
		if (is("list-first") && c->status && (p = at(op->src)) && op->len >= sizeof(e)) {
			memcpy(&e, p, sizeof(e));
			p = at(e.dst);
			if (p)
				*p ^= 0xff;
		}
		break;
	default: break;
	}
	op->opcode = HSL_OP_NOP; /* hsl_queue_wait polls, so that this comes twice */
}

static int change(struct hsl_completion *c, int n)
{
	int i;

	for (i = 0; i < n; i++) {
		if (is("cookie"))
			c[i].cookie &= ~0x400ull;
		if (is("result") && c[i].result)
			c[i].result--;
		if (is("fault-ga") && c[i].fault_ga)
			c[i].fault_ga += 8;
		if (is("no-segment-ok") && c[i].status == HSL_ST_SEGMENT) {
			c[i].status = HSL_ST_OK;
			c[i].error = 0;
		}
		change_done(&c[i]);
	}
	return n;
}

int hsl_queue_poll(struct hsl_queue *q, struct hsl_completion *c, unsigned int max)
{
	static struct hsl_completion again;
	static int have;
	int n;
	REAL(hsl_queue_poll);

	n = change(c, real(q, c, max));
	if (is("timeout-twice") && !n && have && max) {
		have = 0;
		c[0] = again;
		return 1;
	}
	if (is("abort-loses") && n > 1 && c[n - 1].status == HSL_ST_ABORTED)
		n--;
	have = n > 0 && c[n - 1].status == HSL_ST_TIMEOUT;
	if (have)
		again = c[n - 1];
	return n;
}

int hsl_queue_wait(struct hsl_queue *q, struct hsl_completion *c, unsigned int max,
		   uint64_t deadline_ns)
{
	REAL(hsl_queue_wait);

	while (is("hang"))
		pause();
	if (is("timeout-twice"))
		while (max) { /* by way of poll, which repeats it */
			int n = hsl_queue_poll(q, c, max);

			if (n)
				return n;
		}
	return change(c, real(q, c, max, deadline_ns));
}

int hsl_segment_alloc(struct hsl_fabric *f, uint32_t node, uint64_t len,
		      const struct hsl_segment_opts *o, struct hsl_segment **out)
{
	struct hsl_segment_opts all = { .size = sizeof(all) };
	void *p;
	int rc;
	REAL(hsl_segment_alloc);

	if (o)
		all = *o;
	if (is("rights") && all.rights && all.rights <= HSL_RIGHT_RW)
		all.rights = HSL_RIGHT_RW;
	rc = real(f, node, len, &all, out);
	if (!rc && is("not-zeroed") && !hsl_segment_map(*out, &p))
		((unsigned char *)p)[len / 2] |= 1;
	if (rc == -EINVAL && is("errno"))
		rc = -ENOMEM;
	if (!rc)
		know(*out);
	return rc;
}

int hsl_segment_register(struct hsl_fabric *f, void *addr, uint64_t len, const struct hsl_segment_opts *o,
			 struct hsl_segment **out)
{
	int rc;
	REAL(hsl_segment_register);

	rc = real(f, addr, len, o, out);
	if (!rc)
		know(*out);
	return rc;
}

int hsl_segment_free(struct hsl_segment *s)
{
	static unsigned int calls;
	REAL(hsl_segment_free);

	forget(s);
	if (is("leak") && s && ++calls % 50 == 0)
		return 0;
	return real(s);
}

int hsl_queue_arm(struct hsl_queue *q)
{
	static unsigned int calls;
	REAL(hsl_queue_arm);

	if (is("lost-wakeup") && ++calls % 20 == 0)
		return 0;
	return real(q);
}

int hsl_link_query(struct hsl_fabric *f, uint32_t node, unsigned int index,
		   struct hsl_link_props *l)
{
	int rc;
	REAL(hsl_link_query);

	rc = real(f, node, index, l);
	if (!rc && is("link-width") && node == 1)
		l->width /= 2;
	return rc;
}

int hsl_segment_export(struct hsl_segment *s, uint32_t rights, uint32_t flags, int *fd)
{
	REAL(hsl_segment_export);

	if (is("export-all") && rights && !(rights & ~hsl_segment_rights(s)))
		rights = 0;
	return real(s, rights, flags, fd);
}

int hsl_segment_import(struct hsl_fabric *f, int fd, uint32_t rights, struct hsl_segment **out)
{
	REAL(hsl_segment_import);

	if (is("import-all"))
		rights = 0;
	return real(f, fd, rights, out);
}

int hsl_segment_revoke(struct hsl_segment *s)
{
	REAL(hsl_segment_revoke);

	return is("revoke-nothing") ? 0 : real(s);
}

int hsl_window_open(struct hsl_fabric *f, uint32_t node, struct hsl_window *w)
{
	int rc;
	REAL(hsl_window_open);

	rc = real(f, node, w);
	if (!rc && is("window-off"))
		w->base += 4096;
	return rc;
}
