// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Modelled memory gives what direct memory gives (HEP-MAP-025): the same commands, with the same random operands, run in
 * two fabrics that differ in the flags of their segments. Then windows, WAITs, FLUSH, chips that go, and who must not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "engine_rig.c"
#include "engine/engine_priv.h"
#include "model/capture.h"

#define MEM		(1ull << 20)
#define RW		(HSL_SEG_READ | HSL_SEG_WRITE)
#define LEN		4096ull
#define A(off)		HSL_GA(1, 65536 + (off))
#define B(off)		HSL_GA(2, 131072 + (off))
#define H(off)		HSL_GA(FAKE_HOST, 0x10000 + (off))
#define OK(e)		assert_int_equal(HSL_CQE_CODE((e).status), HSL_ST_OK)
#define IS(e, s)	assert_int_equal(HSL_CQE_CODE((e).status), (s))

struct world {
	struct fake_fabric *f;
	struct fake_queue q[2];
	struct fake_mem *host;
};

static struct world *world_new(uint32_t flags)
{
	struct world *w = calloc(1, sizeof(*w));

	w->f = fake_new(2, HSL_TOPO_PAIR, 2, MEM);
	fake_ctx_all(w->f, 1);
	fake_seg_chip(w->f, 1, 1, 1, 65536, LEN, RW | flags);
	fake_seg_chip(w->f, 1, 2, 2, 131072, LEN, RW | flags);
	w->host = fake_seg_host(w->f, 1, 3, 0x10000, 0, LEN, RW);
	for (unsigned int i = 0; i < 2; i++)
		assert_int_equal(fake_queue_new(&w->q[i], &w->f->chip[1 + i], 1, 1, 64, 1), HSL_ST_OK);
	return w;
}

static void world_free(struct world *w)
{
	fake_free(w->f);
	free(w);
}

static uint8_t *mem(struct world *w, unsigned int node)
{
	return w->f->chip[node].mem + 65536 * node;
}

static void flush(struct world *w)
{
	for (uint32_t n = 1; n <= 2; n++)
		assert_int_equal(fake_admin(&w->f->chip[n], (struct hsl_desc){ .opcode = HSL_OP_FLUSH,
				 .dst = HSL_GA(n, 65536 * n), .len = LEN }), HSL_ST_OK);
}

/* ---- the same as direct ---- */

static uint64_t operand(uint32_t *seed, uint64_t off)
{
	switch (fake_random(seed) % 3) {
	case 0:
		return A(off);
	case 1:
		return B(off);
	default:
		return H(off);
	}
}

/* A list in the host's memory, at its end: the same in both worlds. */
static struct hsl_desc copy_list(uint32_t *seed, struct hsl_copy_entry *list)
{
	for (unsigned int i = 0; i < 4; i++) {
		list[i] = (struct hsl_copy_entry){ .len = fake_random(seed) % 200 };
		list[i].dst = operand(seed, fake_random(seed) % 1500);
		list[i].src = operand(seed, fake_random(seed) % 1500);
	}
	return (struct hsl_desc){ .opcode = HSL_OP_COPY_LIST, .src = H(3072), .len = 4 * sizeof(*list) };
}

static struct hsl_desc random_command(uint32_t *seed)
{
	uint64_t off = fake_random(seed) % 2000, from = fake_random(seed) % 2000, len = fake_random(seed) % 1000;
	struct hsl_desc d = { .opcode = HSL_OP_COPY };
	static const uint8_t ops[] = { HSL_OP_COPY, HSL_OP_FILL, HSL_OP_REDUCE, HSL_OP_ATOMIC, HSL_OP_LOAD, HSL_OP_STORE,
				       HSL_OP_SIGNAL, HSL_OP_COPY2D };

	d.opcode = ops[fake_random(seed) % sizeof(ops)];
	d.dst = operand(seed, off);
	switch (d.opcode) {
	case HSL_OP_COPY:
		/* sometimes overlapping */
		d.src = fake_random(seed) % 3 ? operand(seed, from) : d.dst + fake_random(seed) % 64 - 32;
		d.len = len;
		break;
	case HSL_OP_FILL:
		d.len = len;
		d.arg0 = (uint64_t)fake_random(seed) << 32 | fake_random(seed);
		break;
	case HSL_OP_REDUCE:
		d.subop = HSL_REDUCE_SUBOP(fake_random(seed) % 3, fake_random(seed) % 2);
		d.dst &= ~7ull;
		d.src = operand(seed, from & ~7ull);
		d.len = len & ~7ull;
		break;
	case HSL_OP_ATOMIC:
		d.subop = (uint8_t)(fake_random(seed) % HSL_ATOMICS);
		d.len = fake_random(seed) & 1 ? 8 : 4;
		d.dst &= ~7ull;
		d.arg0 = fake_random(seed);
		d.arg1 = d.subop == HSL_ATOMIC_CAS ? fake_random(seed) & 1 : 0;
		break;
	case HSL_OP_LOAD:
		d.src = operand(seed, from);
		d.len = 1 + fake_random(seed) % 64;
		if (d.len <= 8 && fake_random(seed) & 1)
			d.dst = 0;
		break;
	case HSL_OP_STORE:
		d.len = 1 + fake_random(seed) % 64;
		if (d.len > 16 || fake_random(seed) & 1) {
			d.src = operand(seed, from);
		} else {
			d.arg0 = fake_random(seed);
			d.arg1 = fake_random(seed);
		}
		break;
	case HSL_OP_SIGNAL:
		d.subop = fake_random(seed) & 1 ? HSL_SIGNAL_ADD : HSL_SIGNAL_SET;
		d.dst &= ~7ull;
		d.len = 8;
		d.arg0 = fake_random(seed);
		break;
	default:
		d.src = (d.dst & HSL_GA_OFFSET_MASK) < 0x11000 && HSL_GA_NODE(d.dst) == 1 ? B(from / 2) : A(from / 2);
		d.len = 1 + fake_random(seed) % 30;
		d.arg0 = 1 + fake_random(seed) % 20;
		d.arg1 = HSL_PITCH(30 + fake_random(seed) % 30, fake_random(seed) % 60);
		break;
	}
	return d;
}

static void same_results(uint32_t flags)
{
	struct world *m = world_new(HSL_SEG_MODELLED | flags), *p = world_new(0);
	uint32_t seed = 4711 + flags;

	for (unsigned int i = 0; i < 3000; i++) {
		struct hsl_copy_entry list[4];
		bool lists = fake_random(&seed) % 10 == 0;
		struct hsl_desc d = lists ? copy_list(&seed, list) : random_command(&seed);
		unsigned int k = fake_random(&seed) & 1;
		struct hsl_cqe a, b;

		if (lists) {
			memcpy(m->host->host + 3072, list, sizeof(list));
			memcpy(p->host->host + 3072, list, sizeof(list));
		}
		a = fake_run(&m->q[k], &d);
		b = fake_run(&p->q[k], &d);
		if (HSL_CQE_CODE(a.status) != HSL_CQE_CODE(b.status) || a.result != b.result || a.fault_ga != b.fault_ga)
			fail_msg("command %u, opcode %u: status %u and %u, result %llx and %llx", i, d.opcode, HSL_CQE_CODE(a.status),
				 HSL_CQE_CODE(b.status), (unsigned long long)a.result, (unsigned long long)b.result);
		if (i % 100 == 99) {
			flush(m);
			assert_memory_equal(mem(m, 1), mem(p, 1), LEN);
			assert_memory_equal(mem(m, 2), mem(p, 2), LEN);
			assert_memory_equal(m->host->host, p->host->host, LEN);
		}
	}
	world_free(m);
	world_free(p);
}

static void coherent(void **state)
{
	(void)state;
	same_results(0);
}

static void noncoherent(void **state)
{
	(void)state;
	same_results(HSL_SEG_NONCOHERENT);
}

/* ---- windows ---- */

static void window_on(struct fake_chip *c, unsigned int i, uint64_t ga, uint32_t ctrl, uint32_t status)
{
	fake_write64(c, HSL_REG_WIN(i) + HSL_WIN_O_GA, ga);
	fake_write64(c, HSL_REG_WIN(i) + HSL_WIN_O_SIZE, 65536);
	fake_write32(c, HSL_REG_WIN(i) + HSL_WIN_O_CTRL, ctrl);
	assert_int_equal(fake_read32(c, HSL_REG_WIN(i) + HSL_WIN_O_STATUS), status);
}

/* HEP-MAP-026: every width at every alignment, also across lines, against a plain array; commands see it and are seen */
static void window(void **state)
{
	struct world *w = world_new(HSL_SEG_MODELLED);
	struct hsl_chip_engine *e = w->f->chip[1].e;
	uint8_t ref[256] = { 0 };
	uint32_t seed = 5;

	(void)state;
	window_on(&w->f->chip[1], 0, HSL_GA(2, 131072), HSL_WIN_CTRL_ENABLE | HSL_WIN_CTRL_MODELLED, HSL_WIN_ACTIVE);
	for (unsigned int i = 0; i < 2000; i++) {
		unsigned int size = 1u << fake_random(&seed) % 4, off = fake_random(&seed) % (sizeof(ref) - 8);
		uint64_t v = (uint64_t)fake_random(&seed) << 32 | fake_random(&seed), got = 0;

		if (fake_random(&seed) & 1) {
			hsl_chip_window_write(e, 0, off, v, size);
			memcpy(ref + off, &v, size);
		} else if (fake_random(&seed) % 8 == 0) {
			OK(fake_fill(&w->q[fake_random(&seed) & 1], B(off), size, v));
			memcpy(ref + off, &v, size);
		} else {
			memcpy(&got, ref + off, size);
			assert_int_equal(hsl_chip_window_read(e, 0, off, size), got);
		}
	}
	OK(fake_copy(&w->q[1], H(0), B(0), sizeof(ref)));
	assert_memory_equal(w->host->host, ref, sizeof(ref));
	/* off: all ones, and nothing is written */
	fake_write32(&w->f->chip[1], HSL_REG_WIN(0) + HSL_WIN_O_CTRL, 0);
	assert_int_equal(hsl_chip_window_read(e, 0, 0, 4), 0xffffffff);
	hsl_chip_window_write(e, 0, 0, 0, 8);
	OK(fake_copy(&w->q[1], H(0), B(0), sizeof(ref)));
	assert_memory_equal(w->host->host, ref, sizeof(ref));
	world_free(w);
}

/* ---- WAIT, FLUSH, chips that go ---- */

static void signal_and_wait(void **state)
{
	struct world *w = world_new(HSL_SEG_MODELLED);
	struct hsl_desc wait = { .opcode = HSL_OP_WAIT, .subop = HSL_WAIT_GE, .src = A(64), .len = 8, .arg0 = 3,
				 .arg1 = 60000000000ull };
	struct hsl_desc add = { .opcode = HSL_OP_SIGNAL, .subop = HSL_SIGNAL_ADD, .dst = A(64), .len = 8, .arg0 = 1 };
	struct hsl_cqe e;

	(void)state;
	fake_submit(&w->q[0], &wait);
	fake_doorbell(&w->q[0]);
	for (unsigned int i = 0; i < 3; i++) {
		e = fake_run(&w->q[1], &add);
		OK(e);
		assert_int_equal(e.result, i);
	}
	e = fake_wait(&w->q[0]);
	OK(e);
	assert_int_equal(e.result, 3);
	world_free(w);
}

/* HEP-MAP-027 */
static void flushed(void **state)
{
	struct world *w = world_new(HSL_SEG_MODELLED);
	struct fake_chip *c = &w->f->chip[1];
	struct hsl_desc d = { .opcode = HSL_OP_FLUSH, .dst = A(0), .len = LEN };
	uint8_t want[LEN];

	(void)state;
	memset(want, 0x5a, LEN);
	OK(fake_fill(&w->q[1], A(0), LEN, 0x5a5a5a5a5a5a5a5a));
	assert_memory_not_equal(mem(w, 1), want, LEN);		/* it is in chip 2's cache */
	assert_int_equal(fake_admin(c, d), HSL_ST_OK);
	assert_memory_equal(mem(w, 1), want, LEN);
	/* nobody has an old copy of what is written past the caches now */
	memset(mem(w, 1), 0x11, LEN);
	OK(fake_copy(&w->q[1], H(0), A(0), LEN));
	assert_memory_equal(w->host->host, mem(w, 1), LEN);

	d.dst = HSL_GA(2, 0);
	assert_int_equal(fake_admin(c, d), HSL_ST_SEGMENT);
	d.dst = HSL_GA(1, MEM);
	assert_int_equal(fake_admin(c, d), HSL_ST_SEGMENT);
	d.dst = HSL_GA(1, MEM - LEN + 64);
	assert_int_equal(fake_admin(c, d), HSL_ST_RANGE);
	d.dst = A(0);
	d.src = 1;
	assert_int_equal(fake_admin(c, d), HSL_ST_FIELD);
	d.src = 0;
	IS(fake_run(&w->q[0], &d), HSL_ST_OPCODE);		/* the admin queue's only */
	world_free(w);
}

/* A chip takes its memory, and the only copies in its cache, with it. */
static void chip_goes(void **state)
{
	struct world *w = world_new(HSL_SEG_MODELLED);

	(void)state;
	OK(fake_fill(&w->q[0], B(0), LEN, 1));
	OK(fake_fill(&w->q[1], A(0), 64, 2));			/* dirty, in chip 2's cache only */
	hsl_chip_detach(w->f->chip[2].e);
	IS(fake_copy(&w->q[0], H(0), B(0), 64), HSL_ST_UNREACHABLE);
	IS(fake_copy(&w->q[0], H(0), A(0), 64), HSL_ST_POISON);
	OK(fake_copy(&w->q[0], H(0), A(64), 64));
	OK(fake_fill(&w->q[0], A(0), 64, 3));			/* a whole line heals it */
	OK(fake_copy(&w->q[0], H(0), A(0), 64));
	world_free(w);
}

static void flush_all(struct fake_chip *c)
{
	assert_int_equal(fake_admin(c, (struct hsl_desc){ .opcode = HSL_OP_FLUSH, .dst = HSL_GA(c->node, 0), .len = MEM }),
			 HSL_ST_OK);
}

/*
 * What the home remembers of lines must not outlive FLUSH: a chip drops a clean line silently, is then lost, and the home
 * takes the line for lost with it. If it still thought so, it would write poison over what uses the memory directly by then.
 */
static void nothing_after_flush(void **state)
{
	struct world *w = world_new(HSL_SEG_MODELLED);
	uint8_t want[LEN];

	(void)state;
	memset(want, 0x77, LEN);
	fake_seg_chip(w->f, 1, 4, 1, 262144, 524288, RW | HSL_SEG_MODELLED);
	OK(fake_copy(&w->q[1], H(0), A(0), LEN));		/* owned by chip 2, clean */
	OK(fake_fill(&w->q[1], A(0), 64, 5));			/* one line dirty */
	flush_all(&w->f->chip[1]);
	memcpy(mem(w, 1), want, LEN);				/* the memory's next owner */
	hsl_chip_detach(w->f->chip[2].e);
	for (uint64_t off = 0; off < 524288; off += LEN)	/* more lines than the directory holds */
		OK(fake_copy(&w->q[0], H(0), HSL_GA(1, 262144 + off), LEN));
	flush_all(&w->f->chip[1]);
	assert_memory_equal(mem(w, 1), want, LEN);
	world_free(w);
}

/* Poison goes with FLUSH, as what is written next it does not see. */
static void poison_goes(void **state)
{
	struct world *w = world_new(HSL_SEG_MODELLED);

	(void)state;
	OK(fake_fill(&w->q[1], A(0), 64, 2));
	hsl_chip_detach(w->f->chip[2].e);
	IS(fake_copy(&w->q[0], H(0), A(0), 64), HSL_ST_POISON);
	flush_all(&w->f->chip[1]);
	memset(mem(w, 1), 0, LEN);
	OK(fake_copy(&w->q[0], H(0), A(0), LEN));
	assert_memory_equal(w->host->host, mem(w, 1), LEN);
	world_free(w);
}

/* ---- counters ---- */

#define COUNTERS	((HSL_MSIX_TABLE - HSL_REG_LINK_STAT(0)) / 8)

/* All of a chip; HEP-RAS-006 */
static void look(struct fake_chip *c, uint64_t v[COUNTERS], bool growing)
{
	for (uint64_t i = 0; i < COUNTERS; i++) {
		uint64_t off = HSL_REG_LINK_STAT(0) + 8 * i, now = fake_read64(c, off);

		if (growing)
			assert_true(now >= v[i]);
		v[i] = now;
		assert_int_equal(fake_read32(c, off), (uint32_t)now);
		assert_int_equal(fake_read32(c, off + 4), now >> 32);
		fake_write64(c, off, ~now);
		assert_int_equal(fake_read64(c, off), now);
	}
}

static uint64_t node_stat(struct world *w, uint32_t node, uint64_t o)
{
	return fake_read64(&w->f->chip[node], HSL_REG_NODE_STAT + o);
}

static uint64_t link_stat(struct world *w, uint32_t node, uint64_t o)
{
	return fake_read64(&w->f->chip[node], HSL_REG_LINK_STAT(0) + o);
}

/* HEP-RAS-008, and which block counts what */
static void counted(void **state)
{
	static const uint64_t port = HSL_NODE_STAT_HOST_PORT;
	struct world *w = world_new(HSL_SEG_MODELLED);
	struct hsl_chip_engine *e = w->f->chip[1].e;

	(void)state;
	window_on(&w->f->chip[1], 0, HSL_GA(2, 131072), HSL_WIN_CTRL_ENABLE | HSL_WIN_CTRL_MODELLED, HSL_WIN_ACTIVE);
	assert_true(fake_read64(&w->f->chip[1], HSL_REG_CAP) & HSL_CAP_COUNTERS);
	hsl_chip_window_read(e, 0, 0, 8);
	assert_int_equal(node_stat(w, 1, port + HSL_CACHE_STAT_MISSES), 1);
	assert_int_equal(node_stat(w, 1, port + HSL_CACHE_STAT_HITS), 0);
	assert_int_equal(node_stat(w, 2, HSL_NODE_STAT_HOME + HSL_HOME_STAT_REQUESTS), 1);
	assert_int_equal(node_stat(w, 2, HSL_NODE_STAT_HOME + HSL_HOME_STAT_MEM_READS), 1);
	assert_int_equal(node_stat(w, 1, HSL_NODE_STAT_NET + HSL_NET_STAT_HOPS), 1);
	assert_int_equal(link_stat(w, 1, HSL_LINK_STAT_TX_PACKETS(HSL_VC_REQ)), 1);
	assert_int_equal(link_stat(w, 2, HSL_LINK_STAT_RX_PACKETS(HSL_VC_REQ)), 1);
	assert_int_equal(link_stat(w, 2, HSL_LINK_STAT_RX_FLITS), 1);
	hsl_chip_window_read(e, 0, 8, 8);
	assert_int_equal(node_stat(w, 1, port + HSL_CACHE_STAT_MISSES), 1);
	assert_int_equal(node_stat(w, 1, port + HSL_CACHE_STAT_HITS), 1);
	assert_int_equal(node_stat(w, 2, HSL_NODE_STAT_HOME + HSL_HOME_STAT_REQUESTS), 1);
	assert_int_equal(node_stat(w, 1, HSL_NODE_STAT_CHIP + HSL_CACHE_STAT_MISSES), 0);
	/* the chip's own cache, which takes the line from the host port */
	hsl_chip_window_write(e, 0, 0, 1, 8);
	OK(fake_copy(&w->q[0], H(0), B(0), 8));
	assert_int_equal(node_stat(w, 1, HSL_NODE_STAT_CHIP + HSL_CACHE_STAT_MISSES), 1);
	assert_int_equal(node_stat(w, 1, port + HSL_CACHE_STAT_SNOOP_HITS), 1);
	assert_int_equal(node_stat(w, 1, port + HSL_CACHE_STAT_FORWARDS), 1);
	/* there is one link, and nothing behind it */
	for (uint64_t off = HSL_REG_LINK_STAT(1); off < HSL_REG_NODE_STAT; off += 8)
		assert_int_equal(fake_read64(&w->f->chip[1], off), 0);
	world_free(w);
}

/* A fabric whose chips have come, one after the other, has lost no link and trained none anew. */
static void counters_fresh(void **state)
{
	struct fake_fabric *f = fake_new(4, HSL_TOPO_MESH, 0, MEM);

	(void)state;
	for (uint32_t n = 1; n <= 4; n++)
		for (uint32_t i = 0; i < 3; i++) {
			assert_int_equal(fake_read64(&f->chip[n], HSL_REG_LINK_STAT(i) + HSL_LINK_STAT_DOWNS), 0);
			assert_int_equal(fake_read64(&f->chip[n], HSL_REG_LINK_STAT(i) + HSL_LINK_STAT_RETRAINS), 0);
			assert_int_equal(fake_read32(&f->chip[n], HSL_REG_LINK(i) + HSL_LINK_O_STATE), HSL_LTSSM_L0);
		}
	fake_free(f);
}

static void counters_grow(void **state)
{
	struct world *w = world_new(HSL_SEG_MODELLED);
	static uint64_t v[3][COUNTERS];

	(void)state;
	OK(fake_fill(&w->q[0], B(0), LEN, 1));
	OK(fake_fill(&w->q[1], A(0), LEN, 2));
	flush(w);
	for (uint32_t n = 1; n <= 2; n++)
		look(&w->f->chip[n], v[n], false);
	for (uint32_t vc = 0; vc < HSL_VC_COUNT; vc++) {	/* HEP-RAS-007 */
		assert_int_equal(link_stat(w, 1, HSL_LINK_STAT_TX_PACKETS(vc)), link_stat(w, 2, HSL_LINK_STAT_RX_PACKETS(vc)));
		assert_int_equal(link_stat(w, 2, HSL_LINK_STAT_TX_PACKETS(vc)), link_stat(w, 1, HSL_LINK_STAT_RX_PACKETS(vc)));
	}
	assert_int_not_equal(link_stat(w, 1, HSL_LINK_STAT_TX_PACKETS(HSL_VC_DAT)), 0);
	assert_int_not_equal(node_stat(w, 1, HSL_NODE_STAT_CHIP + HSL_CACHE_STAT_WRITE_BACKS), 0);

	fake_write32(&w->f->chip[1], HSL_REG_CTRL, HSL_CTRL_RESET);
	hsl_chip_reset(w->f->chip[2].e);
	hsl_fabric_engine_set_link(w->f->e, 1, 2, false);
	hsl_fabric_engine_set_link(w->f->e, 1, 2, true);
	for (uint32_t n = 1; n <= 2; n++)
		look(&w->f->chip[n], v[n], true);
	assert_int_equal(link_stat(w, 1, HSL_LINK_STAT_DOWNS), 1);
	hsl_chip_engine_free(w->f->chip[2].e);
	fake_chip_attach(w->f, 2);
	for (uint32_t n = 1; n <= 2; n++)
		look(&w->f->chip[n], v[n], true);
	assert_int_equal(link_stat(w, 1, HSL_LINK_STAT_DOWNS), 2);
	assert_int_equal(link_stat(w, 2, HSL_LINK_STAT_DOWNS), 2);
	world_free(w);
}

/* ---- links ---- */

static void link_is(struct world *w, uint32_t node, uint32_t state, uint32_t width)
{
	uint64_t block = HSL_REG_LINK(0);

	assert_int_equal(fake_read32(&w->f->chip[node], block + HSL_LINK_O_STATE), state);
	assert_int_equal(fake_read32(&w->f->chip[node], block + HSL_LINK_O_WIDTH), width);
	assert_int_equal(fake_read32(&w->f->chip[node], block + HSL_LINK_O_RATE), width ? 112000 : 0);
}

/* Which of the chips have been told; forgets it. */
static unsigned int told(struct world *w)
{
	unsigned int chips = 0;

	hsl_synchronize(w->f->e);
	for (uint32_t n = 1; n <= 2; n++) {
		if (fake_read32(&w->f->chip[n], HSL_REG_EVENT) & HSL_EVENT_LINK)
			chips |= n;
		fake_write32(&w->f->chip[n], HSL_REG_EVENT, HSL_EVENT_LINK);
	}
	return chips;
}

static void post(struct world *w, const struct hsl_fab_in *in)
{
	assert_int_equal(hsl_fab_post(hsl_modelled_enter(w->f->e), in), 0);
	hsl_modelled_leave(w->f->e);
}

/* Link blocks tell the state there is. EVENT.LINK: packets or none, another width; not each training */
static void links(void **state)
{
	struct hsl_fab_in lane = { .type = HSL_FAB_LANE, .u.link = { .a = 1, .b = 2, .lane = 9 } };
	struct hsl_fab_in retrain = { .type = HSL_FAB_RETRAIN, .u.link = { .a = 2, .b = 1 } };
	struct world *w = world_new(HSL_SEG_MODELLED);
	struct hsl_chip_engine *e = w->f->chip[1].e;
	time_t end = time(NULL) + FAKE_WAIT_S;

	(void)state;
	window_on(&w->f->chip[1], 0, HSL_GA(2, 131072), HSL_WIN_CTRL_ENABLE | HSL_WIN_CTRL_MODELLED, HSL_WIN_ACTIVE);
	link_is(w, 1, HSL_LTSSM_L0, 16);
	link_is(w, 2, HSL_LTSSM_L0, 16);
	told(w);
	hsl_fabric_engine_set_link(w->f->e, 1, 2, false);
	link_is(w, 1, HSL_LTSSM_DISABLED, 0);
	link_is(w, 2, HSL_LTSSM_DISABLED, 0);
	assert_int_equal(told(w), 3);
	hsl_fabric_engine_set_link(w->f->e, 1, 2, false);
	assert_int_equal(told(w), 0);
	hsl_fabric_engine_set_link(w->f->e, 1, 2, true);
	link_is(w, 2, HSL_LTSSM_L0, 16);
	assert_int_equal(told(w), 3);

	post(w, &retrain);
	link_is(w, 2, HSL_LTSSM_RECOVERY, 0);
	hsl_chip_window_read(e, 0, 0, 8);
	link_is(w, 1, HSL_LTSSM_L0, 16);
	assert_int_equal(link_stat(w, 2, HSL_LINK_STAT_RETRAINS), 1);
	assert_int_equal(atomic_load(&w->f->e->changed), 0);
	assert_int_equal(told(w), 0);

	post(w, &lane);
	hsl_chip_window_read(e, 0, 64, 8);
	link_is(w, 1, HSL_LTSSM_L0, 8);
	link_is(w, 2, HSL_LTSSM_L0, 8);
	/* nobody holds ctl_lock for a load: a worker tells */
	for (unsigned int chips = 0; chips != 3; sched_yield()) {
		chips |= told(w);
		assert_true(time(NULL) < end);
	}

	hsl_chip_detach(w->f->chip[2].e);
	link_is(w, 1, HSL_LTSSM_DETECT, 0);
	hsl_synchronize(w->f->e);
	assert_int_equal(fake_read32(&w->f->chip[1], HSL_REG_EVENT), HSL_EVENT_LINK);
	world_free(w);
}

/* ---- captures ---- */

struct blocks {
	uint64_t flits[2][2], states, ends;	/* flits: by node - 1, and received */
};

/* The file is whole blocks; what is in it. */
static void blocks_of(const char *path, struct blocks *b)
{
	uint32_t head[2], tail, body[256];
	FILE *file = fopen(path, "rb");

	assert_non_null(file);
	memset(b, 0, sizeof(*b));
	while (fread(head, 1, 8, file) == 8) {
		struct hsl_pcapng_hdr h;

		assert_true(head[1] % 4 == 0 && head[1] >= 12 && head[1] <= HSL_PCAPNG_BLOCK_MAX);
		assert_int_equal(fread(body, 1, head[1] - 12, file), head[1] - 12);
		assert_int_equal(fread(&tail, 1, 4, file), 4);
		assert_int_equal(tail, head[1]);
		b->ends += head[0] == 1;
		if (head[0] != 6)
			continue;
		memcpy(&h, &body[5], sizeof(h));
		b->states += h.kind == HSL_PCAPNG_STATE;
		if (h.kind == HSL_PCAPNG_FLIT) {
			bool rx = h.flags & HSL_PCAPNG_F_RX;

			b->flits[(rx ? h.dst : h.src) - 1][rx]++;
		}
	}
	assert_int_equal(ftell(file) % 4, 0);
	assert_true(feof(file) && !ferror(file));
	fclose(file);
}

static _Atomic int failures, failed_with;

static void failed(void *opaque, int err)
{
	(void)opaque;
	atomic_fetch_add(&failures, 1);
	atomic_store(&failed_with, err);
}

static void captured(void **state)
{
	char path[] = "/tmp/hsl-capture-XXXXXX";
	struct world *w = world_new(HSL_SEG_MODELLED);
	struct hsl_fabric_engine *e = w->f->e;
	struct blocks b, later;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(hsl_fabric_engine_capture(e, "/nowhere/at/all", failed, NULL), -ENOENT);
	assert_int_equal(hsl_fabric_engine_capture(e, path, failed, NULL), 0);
	blocks_of(path, &b);
	assert_int_equal(b.ends, 2);
	assert_int_equal(b.states, 2);
	assert_int_equal(b.flits[0][0] + b.flits[0][1] + b.flits[1][0] + b.flits[1][1], 0);
	OK(fake_fill(&w->q[0], B(0), LEN, 1));
	OK(fake_copy(&w->q[1], A(0), B(0), LEN));
	flush(w);
	/* all of it is there without an end of the capture, as if the process had been killed */
	blocks_of(path, &b);
	for (uint32_t n = 1; n <= 2; n++) {
		assert_int_equal(b.flits[n - 1][0], link_stat(w, n, HSL_LINK_STAT_TX_FLITS) + link_stat(w, n, HSL_LINK_STAT_IDLE_FLITS));
		assert_true(b.flits[n - 1][1] >= link_stat(w, n, HSL_LINK_STAT_RX_FLITS));
	}
	assert_true(b.flits[0][0] >= LEN / 64);
	hsl_fabric_engine_set_link(e, 1, 2, false);
	hsl_fabric_engine_set_link(e, 1, 2, true);
	assert_int_equal(hsl_fabric_engine_capture(e, NULL, NULL, NULL), 0);
	blocks_of(path, &b);
	assert_true(b.states >= 2 + 2 * 5);
	OK(fake_fill(&w->q[0], B(0), LEN, 2));
	blocks_of(path, &later);
	assert_memory_equal(&b, &later, sizeof(b));

	/* a disk that is full: told once, and the fabric goes on */
	assert_int_equal(hsl_fabric_engine_capture(e, "/dev/full", failed, NULL), 0);
	OK(fake_fill(&w->q[1], A(0), LEN, 3));
	assert_int_equal(atomic_load(&failures), 1);
	assert_int_equal(atomic_load(&failed_with), -ENOSPC);
	assert_int_equal(hsl_fabric_engine_capture(e, path, failed, NULL), 0);
	world_free(w);			/* ends it */
	unlink(path);
}

/* ---- without the capability ---- */

static void no_capability(void **state)
{
	struct hsl_seg_entry e = { .flags = HSL_SEG_VALID | RW | HSL_SEG_MODELLED, .epoch = 1, .ga = A(0), .len = LEN };
	struct fake_fabric *f;
	struct fake_queue q;

	(void)state;
	rig_direct = true;
	f = fake_new(2, HSL_TOPO_PAIR, 2, MEM);
	rig_direct = false;
	fake_ctx_all(f, 1);
	assert_int_equal(fake_queue_new(&q, &f->chip[1], 1, 1, 64, 1), HSL_ST_OK);
	assert_false(fake_read64(&f->chip[1], HSL_REG_CAP) & (HSL_CAP_MODELLED | HSL_CAP_COUNTERS));
	assert_int_equal(hsl_fabric_engine_capture(f->e, "/dev/null", NULL, NULL), -EOPNOTSUPP);
	for (uint64_t off = HSL_REG_LINK_STAT(0); off < HSL_MSIX_TABLE; off += 8)
		assert_int_equal(fake_read64(&f->chip[1], off), 0);
	fake_seg(&f->chip[1], 1, 1, &e, false);
	IS(fake_fill(&q, A(0), 8, 1), HSL_ST_SEGMENT);
	window_on(&f->chip[1], 0, HSL_GA(2, 131072), HSL_WIN_CTRL_ENABLE | HSL_WIN_CTRL_MODELLED, HSL_ST_FIELD << 8);
	assert_int_equal(fake_admin(&f->chip[1], (struct hsl_desc){ .opcode = HSL_OP_FLUSH, .dst = A(0), .len = 8 }),
			 HSL_ST_OPCODE);
	fake_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(coherent),  cmocka_unit_test(noncoherent),	cmocka_unit_test(window),
		cmocka_unit_test(flushed),   cmocka_unit_test(signal_and_wait), cmocka_unit_test(chip_goes),
		cmocka_unit_test(no_capability),
		cmocka_unit_test(nothing_after_flush), cmocka_unit_test(poison_goes),
		cmocka_unit_test(counted), cmocka_unit_test(counters_fresh), cmocka_unit_test(counters_grow),
		cmocka_unit_test(links), cmocka_unit_test(captured),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
