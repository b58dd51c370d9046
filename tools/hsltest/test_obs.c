/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* MAP, observable memory: through links and caches, with the results of ordinary memory. */
#include <stdlib.h>

#include "hsltest.h"

#define LEN  ((uint64_t)8192)
#define LINE ((uint64_t)64)

static const uint32_t kinds[] = { HSL_SEGMENT_OBSERVABLE,
				  HSL_SEGMENT_OBSERVABLE | HSL_SEGMENT_NONCOHERENT };

static int obs_alloc(struct ht *t, uint32_t node, uint64_t len, uint32_t flags,
		     struct hsl_segment **s)
{
	struct hsl_segment_opts o = { .size = sizeof(o), .flags = flags };

	return hsl_segment_alloc(t->f, node, len, &o, s);
}

/* An observable segment; its bytes are looked at by COPY to host memory, and by loads if it can be
 * mapped. */
struct obs {
	struct hsl_segment *seg;
	uint64_t ga;
	uint8_t *p; /* NULL: it cannot be mapped here */
	uint8_t shadow[LEN];
};

static void obs_new(struct ht *t, struct obs *o, uint32_t node, uint32_t flags)
{
	void *p = NULL;
	int rc;

	HT_OK(t, obs_alloc(t, node, LEN, flags, &o->seg));
	HT_EQ(t, "flags of the segment", hsl_segment_flags(o->seg), flags);
	o->ga = hsl_segment_ga(o->seg);
	rc = hsl_segment_map(o->seg, &p);
	HT_TRUE(t, !rc || rc == -EOPNOTSUPP, "mapping observable memory: expected 0 or -EOPNOTSUPP, got %s",
		ht_errno_name(rc));
	o->p = p;
	memset(o->shadow, 0, LEN);
}

static void obs_free(struct ht *t, struct obs *o)
{
	HT_OK(t, hsl_segment_free(o->seg));
}

static void obs_check(struct ht *t, struct hsl_queue *q, struct obs *o, struct ht_buf *host,
		      const char *what)
{
	struct hsl_op op = ht_op_copy(host->ga, o->ga, LEN);
	struct ht_diff d;

	ht_expect(t, q, &op, HSL_ST_OK, what);
	HT_TRUE(t, ht_equal(host->p, o->shadow, LEN, &d), "%s: COPY of it has 0x%02x at byte %llu, expected 0x%02x",
		what, d.got, (unsigned long long)d.first, d.expected);
	if (o->p)
		HT_TRUE(t, ht_equal(o->p, o->shadow, LEN, &d),
			"%s: its mapping has 0x%02x at byte %llu, expected 0x%02x", what, d.got,
			(unsigned long long)d.first, d.expected);
}

/* ---- HEP-MAP-025 ---- */

static void not_supported(struct ht *t)
{
	struct hsl_segment *s;
	unsigned int i, k;

	for (i = 0; i < t->nchips; i++) {
		HT_RC(t, obs_alloc(t, t->chip[i].node, LEN, HSL_SEGMENT_NONCOHERENT, &s), -EINVAL);
		for (k = 0; k < 2; k++) {
			int rc = obs_alloc(t, t->chip[i].node, LEN, kinds[k], &s);

			if (t->chip[i].cap & HSL_CAP_MODELLED)
				HT_OK(t, rc);
			else
				HT_RC(t, rc, -EOPNOTSUPP);
			if (!rc)
				HT_OK(t, hsl_segment_free(s));
		}
	}
}

/* One random command on the observable segment, and on its shadow by the oracles. */
static void random_command(struct ht *t, struct hsl_queue *q, struct obs *o, struct obs *from)
{
	uint64_t off = ht_random_below(t, LEN / 2), src = ht_random_below(t, LEN / 2),
		 len = 1 + ht_random_below(t, 300), pattern = ht_random(t), old, now;
	unsigned int sub, width = ht_random(t) & 1 ? 8 : 4;
	struct hsl_completion c;
	struct hsl_op op;

	switch (ht_random_below(t, 5)) {
	case 0:
		op = ht_op_copy(o->ga + off, from->ga + src, len);
		ht_oracle_move(o->shadow + off, from->shadow + src, len);
		break;
	case 1:
		op = ht_op_fill(o->ga + off, len, pattern);
		ht_oracle_fill(o->shadow + off, len, pattern);
		break;
	case 2:
		off &= ~7ull;
		sub = (unsigned int)ht_random_below(t, HSL_ATOMICS);
		op = ht_op_atomic(sub, o->ga + off, width, pattern, 0);
		old = 0;
		memcpy(&old, o->shadow + off, width);
		now = ht_oracle_atomic(sub, width, old, pattern, 0);
		memcpy(o->shadow + off, &now, width);
		ht_op_run(t, q, &op, &c);
		ht_status(t, &c, HSL_ST_OK, "ATOMIC on observable memory");
		HT_EQ(t, "old value of ATOMIC on observable memory", c.result, old);
		return;
	case 3:
		len = 1 + len % 8;
		op = hsl_op_store(o->ga + off, pattern, (unsigned int)len);
		memcpy(o->shadow + off, &pattern, len);
		break;
	default:
		len = 1 + len % 64;
		op = hsl_op_load(o->ga + off, from->ga + src, (unsigned int)len);
		ht_oracle_move(o->shadow + off, from->shadow + src, len);
		break;
	}
	ht_expect(t, q, &op, HSL_ST_OK, "command on observable memory");
}

static void same_results(struct ht *t)
{
	unsigned int k, i, n = t->nchips < 4 ? t->nchips : 4;
	struct hsl_queue *q[4];
	struct ht_buf host;
	struct obs *o;

	ht_need_cap(t, HSL_CAP_MODELLED, "observable memory");
	o = calloc(n, sizeof(*o));
	HT_TRUE(t, o, "no memory");
	ht_buf_new(t, &host, 0, LEN);
	for (i = 0; i < n; i++)
		q[i] = ht_queue_new(t, t->chip[i].node, 0);
	for (k = 0; k < 2; k++) {
		for (i = 0; i < n; i++)
			obs_new(t, &o[i], t->chip[i].node, kinds[k]);
		for (i = 0; i < 500; i++)
			random_command(t, q[ht_random_below(t, n)], &o[ht_random_below(t, n)],
				       &o[ht_random_below(t, n)]);
		for (i = 0; i < n; i++) {
			obs_check(t, q[n - 1 - i], &o[i], &host, "after random commands");
			obs_free(t, &o[i]);
		}
	}
	for (i = 0; i < n; i++)
		ht_queue_free(t, q[i]);
	ht_buf_free(t, &host);
	free(o);
}

/* ---- HEP-MAP-026 ---- */

/* In pieces of the width, as the compiler may not join or split volatile accesses. */
static void cpu_store(uint8_t *p, uint64_t v, unsigned int width)
{
	struct odd2 { uint16_t v; } __attribute__((packed, may_alias));
	struct odd4 { uint32_t v; } __attribute__((packed, may_alias));
	struct odd8 { uint64_t v; } __attribute__((packed, may_alias));

	if (width == 1)
		*(volatile uint8_t *)p = (uint8_t)v;
	else if (width == 2)
		((volatile struct odd2 *)(void *)p)->v = (uint16_t)v;
	else if (width == 4)
		((volatile struct odd4 *)(void *)p)->v = (uint32_t)v;
	else
		((volatile struct odd8 *)(void *)p)->v = v;
}

static void window_coherent(struct ht *t)
{
	unsigned int i, k, width, n = 0;
	struct hsl_queue *q[2];
	struct obs o;
	uint64_t v, off, got;

	ht_need_cap(t, HSL_CAP_MODELLED, "observable memory");
	for (i = 0; i < 2; i++)
		q[i] = ht_queue_new(t, t->chip[i % t->nchips].node, 0);
	for (k = 0; k < 2; k++) {
		obs_new(t, &o, t->chip[0].node, kinds[k]);
		if (!o.p)
			HT_SKIP_TEST(t, "observable memory cannot be mapped here");
		for (width = 1; width <= 8; width *= 2)
			for (off = LINE; off < 2 * LINE + 8; off++, n++) {
				v = ht_random(t);
				cpu_store(o.p + off, v, width);
				memcpy(o.shadow + off, &v, width);
				HT_OK(t, hsl_load(q[n % 2], o.ga + off, width, &got));
				v = 0;
				memcpy(&v, o.shadow + off, width);
				HT_EQ(t, "LOAD after a store of a CPU", got, v);
				v = ht_random(t);
				HT_OK(t, hsl_store(q[n / 2 % 2], o.ga + off, &v, width));
				memcpy(o.shadow + off, &v, width);
				HT_TRUE(t, !memcmp(o.p + off, o.shadow + off, width),
					"loads of a CPU after STORE of %u bytes at byte %llu differ", width,
					(unsigned long long)off);
			}
		obs_free(t, &o);
	}
	ht_queue_free(t, q[0]);
	ht_queue_free(t, q[1]);
}

/* ---- HEP-MAP-027 ---- */

/* Dirty lines in every cache there is, then a free: the driver flushes and zeroes, and whoever comes next finds zeroes. */
static void flushed(struct ht *t)
{
	struct hsl_queue *q[2];
	struct hsl_op op;
	struct ht_buf host;
	struct obs o;
	struct hsl_chip_props before = { .size = sizeof(before) };
	unsigned int round, i;

	ht_need_cap(t, HSL_CAP_MODELLED, "observable memory");
	for (i = 0; i < 2; i++)
		q[i] = ht_queue_new(t, t->chip[i % t->nchips].node, 0);
	ht_buf_new(t, &host, 0, LEN);
	HT_OK(t, hsl_chip_by_node(t->f, t->chip[0].node, &before));
	for (round = 0; round < 12; round++) {
		obs_new(t, &o, t->chip[0].node, HSL_SEGMENT_OBSERVABLE);
		obs_check(t, q[round % 2], &o, &host, "new observable memory");
		for (i = 0; i < 3; i++) {
			if (i == 2 && o.p) {
				memset(o.p + 2 * LEN / 4, 0xee, LEN / 4);
				continue;
			}
			op = ht_op_fill(o.ga + i * LEN / 4, LEN / 4, UINT64_MAX);
			ht_expect(t, q[i % 2], &op, HSL_ST_OK, "FILL of observable memory");
		}
		obs_free(t, &o);
		ht_wait_free(t, before.node, before.mem_free_bytes, before.nqueues_free);
	}
	ht_buf_free(t, &host);
	ht_queue_free(t, q[0]);
	ht_queue_free(t, q[1]);
}

const struct ht_test ht_tests_obs[] = {
	{ "HEP-MAP-025", "obs_flags", "observable memory where a chip has it, EOPNOTSUPP where not",
	  not_supported, 0, 0 },
	{ "HEP-MAP-025", "obs_commands",
	  "commands on observable memory, by every chip, give the bytes of ordinary memory",
	  same_results, 0, 0 },
	{ "HEP-MAP-026", "obs_window",
	  "loads and stores of CPUs at every alignment are coherent with commands",
	  window_coherent, 0, 0 },
	{ "HEP-MAP-027", "obs_flushed", "freed observable memory is zero, whichever cache had it",
	  flushed, 0, 0 },
	{ 0 }
};
