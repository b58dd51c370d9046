/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A libhsl with one mistake in it, chosen by HSL_MUTANT: preloaded before hsltest, so that its
 * tests can be shown to fail (tests/mutants/run.sh). Each mistake is one that a chip, driver or
 * library could make.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
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

int hsl_queue_submit(struct hsl_queue *q, const struct hsl_op *ops, unsigned int n)
{
	static unsigned int calls;
	struct hsl_op mine[n ? n : 1];
	unsigned int i;
	REAL(hsl_queue_submit);

	if (n)
		memcpy(mine, ops, n * sizeof(*ops));
	if (is("crash") && ++calls == 100)
		raise(SIGSEGV);
	for (i = 0; i < n; i++) {
		struct hsl_op *op = &mine[i];

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
	return real(q, mine, n);
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
	}
	return n;
}

int hsl_queue_poll(struct hsl_queue *q, struct hsl_completion *c, unsigned int max)
{
	REAL(hsl_queue_poll);

	return change(c, real(q, c, max));
}

int hsl_queue_wait(struct hsl_queue *q, struct hsl_completion *c, unsigned int max,
		   uint64_t deadline_ns)
{
	REAL(hsl_queue_wait);

	while (is("hang"))
		pause();
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
	return rc;
}

int hsl_segment_free(struct hsl_segment *s)
{
	static unsigned int calls;
	REAL(hsl_segment_free);

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
