// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * The compliance test facility of emulated chips (HEP-CTF-001 to 013): each command by what is seen of it, at the other
 * end where there is one; that accesses give right results in every armed state; that a hostile guest finds nothing.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine_rig.c"
#include "hsl/ctf.h"
#include "engine/modelled_priv.h"
#include "model/model.h"
#include "model/pcapng.h"
#include "model/phy.h"

#define MEM		(1ull << 20)
#define BIG		262144ull	/* more than there is credit for */
#define FAR(off)	HSL_GA(2, BIG + (off))
#define NEAR(off)	HSL_GA(1, BIG + (off))
#define RW		(HSL_SEG_READ | HSL_SEG_WRITE)
#define LEN		4096ull
#define A(off)		HSL_GA(1, 65536 + (off))
#define B(off)		HSL_GA(2, 131072 + (off))
#define H(off)		HSL_GA(FAKE_HOST, 0x10000 + (off))
#define OK(e)		assert_int_equal(HSL_CQE_CODE((e).status), HSL_ST_OK)
#define IS(e, s)	assert_int_equal(HSL_CQE_CODE((e).status), (s))
#define CTF(r)		(HSL_CTF_OFFSET_DEFAULT + (r))
#define ALWAYS		UINT64_MAX
#define HITS(pass, hit)	((uint64_t)(hit) << 32 | (pass))

/* Two chips, a link; a modelled segment on each, of which window 0 of the other chip shows the beginning. */
struct world {
	struct fake_fabric *f;
	struct fake_queue q[2];
	struct fake_mem *host;
	uint8_t ref[2][LEN];	/* what the segments hold */
};

static struct fake_chip *chip(struct world *w, uint32_t node)
{
	return &w->f->chip[node];
}

/* ---- the mailbox ---- */

static void key(struct world *w, uint32_t node, bool open)
{
	fake_write32(chip(w, node), CTF(HSL_CTF_KEY), open ? HSL_CTF_UNLOCK : 0);
	assert_int_equal(fake_read32(chip(w, node), CTF(HSL_CTF_KEY)), open);
}

static uint32_t run(struct world *w, uint32_t node, uint32_t cmd, uint64_t a0, uint64_t a1, uint64_t a2)
{
	struct fake_chip *c = chip(w, node);

	fake_write64(c, CTF(HSL_CTF_ARG0), a0);
	fake_write64(c, CTF(HSL_CTF_ARG1), a1);
	fake_write64(c, CTF(HSL_CTF_ARG2), a2);
	fake_write32(c, CTF(HSL_CTF_CMD), cmd);
	return fake_read32(c, CTF(HSL_CTF_STATUS));
}

static uint64_t result(struct world *w, uint32_t node, unsigned int i)
{
	return fake_read64(chip(w, node), CTF(i ? HSL_CTF_RESULT1 : HSL_CTF_RESULT0));
}

static void cmd(struct world *w, uint32_t node, uint32_t cmd, uint64_t a0, uint64_t a1, uint64_t a2)
{
	assert_int_equal(run(w, node, cmd, a0, a1, a2), HSL_ST_OK);
}

static uint64_t injected(struct world *w, uint32_t node)
{
	cmd(w, node, HSL_CTF_CMD_COUNT, 0, 0, 0);
	return result(w, node, 0);
}

static uint32_t link_reg(struct world *w, uint32_t node, uint32_t o)
{
	return fake_read32(chip(w, node), HSL_REG_LINK(0) + o);
}

static uint32_t link_state(struct world *w, uint32_t node)
{
	return link_reg(w, node, HSL_LINK_O_STATE);
}

static uint64_t stat(struct world *w, uint32_t node, uint32_t o)
{
	return fake_read64(chip(w, node), HSL_REG_LINK_STAT(0) + o);
}

/* ---- worlds ---- */

static void window_on(struct fake_chip *c, uint64_t ga)
{
	fake_write64(c, HSL_REG_WIN(0) + HSL_WIN_O_GA, ga);
	fake_write64(c, HSL_REG_WIN(0) + HSL_WIN_O_SIZE, 65536);
	fake_write32(c, HSL_REG_WIN(0) + HSL_WIN_O_CTRL, HSL_WIN_CTRL_ENABLE | HSL_WIN_CTRL_MODELLED);
	assert_int_equal(fake_read32(c, HSL_REG_WIN(0) + HSL_WIN_O_STATUS), HSL_WIN_ACTIVE);
}

static void windows_on(struct world *w)
{
	window_on(chip(w, 1), HSL_GA(2, 131072));
	window_on(chip(w, 2), HSL_GA(1, 65536));
}

static struct world *world_of(unsigned int chips, enum hsl_topology topology)
{
	struct world *w = calloc(1, sizeof(*w));

	w->f = fake_new(chips, topology, 2, MEM);
	fake_ctx_all(w->f, 1);
	fake_seg_chip(w->f, 1, 1, 1, 65536, LEN, RW | HSL_SEG_MODELLED);
	fake_seg_chip(w->f, 1, 2, 2, 131072, LEN, RW | HSL_SEG_MODELLED);
	fake_seg_chip(w->f, 1, 4, 2, BIG, BIG, RW | HSL_SEG_MODELLED);
	fake_seg_chip(w->f, 1, 5, 1, BIG, BIG, RW);
	w->host = fake_seg_host(w->f, 1, 3, 0x10000, 0, LEN, RW);
	for (unsigned int i = 0; i < 2; i++)
		assert_int_equal(fake_queue_new(&w->q[i], chip(w, 1 + i), 1, 1, 64, 1), HSL_ST_OK);
	windows_on(w);
	return w;
}

static struct world *world_new(void)
{
	return world_of(2, HSL_TOPO_PAIR);
}

static void world_free(struct world *w)
{
	fake_free(w->f);
	free(w);
}

/* Random accesses by both chips and their host ports to both segments, against plain arrays. */
static void traffic(struct world *w, unsigned int n, uint32_t *seed)
{
	for (unsigned int i = 0; i < n; i++) {
		uint32_t node = 1 + fake_random(seed) % 2, home = 3 - node, off = fake_random(seed) % (LEN - 8);
		uint8_t *ref = &w->ref[home - 1][off];
		unsigned int size = 1u << fake_random(seed) % 4;
		struct hsl_chip_engine *e = chip(w, node)->e;
		uint64_t v = (uint64_t)fake_random(seed) << 32 | fake_random(seed), want = 0;

		switch (fake_random(seed) % 8) {
		case 0:
			OK(fake_fill(&w->q[node - 1], home == 1 ? A(off) : B(off), size, v));
			memcpy(ref, &v, size);
			break;
		case 1:
			OK(fake_copy(&w->q[node - 1], H(off), home == 1 ? A(off) : B(off), size));
			assert_memory_equal(w->host->host + off, ref, size);
			break;
		case 2:
		case 3:
		case 4:
			hsl_chip_window_write(e, 0, off, v, size);
			memcpy(ref, &v, size);
			break;
		default:
			memcpy(&want, ref, size);
			assert_int_equal(hsl_chip_window_read(e, 0, off, size), want);
			break;
		}
	}
}

/* What only the other chip had of a home, or was lost on its way, is poison: whole lines heal it. */
static void heal(struct world *w)
{
	for (unsigned int k = 0; k < 2; k++) {
		OK(fake_fill(&w->q[k], k ? B(0) : A(0), LEN, 0));
		memset(w->ref[k], 0, LEN);
	}
}

/* All of both segments, by a queue that may not have their lines. */
static void compare(struct world *w)
{
	OK(fake_copy(&w->q[1], H(0), A(0), LEN));
	assert_memory_equal(w->host->host, w->ref[0], LEN);
	OK(fake_copy(&w->q[0], H(0), B(0), LEN));
	assert_memory_equal(w->host->host, w->ref[1], LEN);
}

/* ---- HEP-CTF-001 to 003 ---- */

static void page(struct world *w, uint8_t out[HSL_CTF_BYTES])
{
	for (unsigned int i = 0; i < HSL_CTF_BYTES; i += 8) {
		uint64_t v = fake_read64(chip(w, 1), CTF(i));

		memcpy(out + i, &v, 8);
	}
}

static void locked(void **state)
{
	struct world *w = world_new();
	struct fake_chip *c = chip(w, 1);
	uint8_t zero[HSL_CTF_BYTES] = { 0 }, got[HSL_CTF_BYTES];
	uint32_t cap;

	(void)state;
	assert_true(fake_read64(c, HSL_REG_CAP) & HSL_CAP_CTF);
	assert_int_equal(fake_read32(c, CTF(HSL_CTF_ID)), HSL_CTF_ID_VALUE);
	cap = fake_read32(c, CTF(HSL_CTF_CAP));
	assert_int_equal(cap & 1, 0);
	assert_int_equal(run(w, 1, HSL_CTF_CMD_STATE, HSL_CTF_STATE_DISABLE, 0, 0), 0);
	assert_int_equal(link_state(w, 1), HSL_LTSSM_L0);
	for (unsigned int i = 0xc; i < 0x400; i += 4)
		fake_write32(c, CTF(i), 0xffffffff);
	fake_write32(c, CTF(HSL_CTF_KEY), 0);
	page(w, got);
	memset(got, 0, 8);
	assert_memory_equal(got, zero, sizeof(zero));

	key(w, 1, true);
	for (uint32_t i = 0; i < 40; i++) {
		if (i >= 32 || !(cap >> i & 1))
			assert_int_equal(run(w, 1, i, 0, 0, 0), HSL_ST_OPCODE);
	}
	for (unsigned int i = 0; i < HSL_FLIT_BYTES; i += 4)
		fake_write32(c, CTF(HSL_CTF_FLIT + i), i * 0x01010101);
	for (unsigned int i = 0; i < HSL_FLIT_BYTES; i += 4)
		assert_int_equal(fake_read32(c, CTF(HSL_CTF_FLIT + i)), (uint32_t)(i * 0x01010101));
	/* the high half commits */
	fake_write64(c, CTF(HSL_CTF_ARG1), 5);
	fake_write32(c, CTF(HSL_CTF_ARG1), 7);
	assert_int_equal(fake_read64(c, CTF(HSL_CTF_ARG1)), 5);
	fake_write32(c, CTF(HSL_CTF_ARG1 + 4), 9);
	assert_int_equal(fake_read64(c, CTF(HSL_CTF_ARG1)), 0x900000007);
	fake_write32(c, CTF(HSL_CTF_LINK), 1);
	assert_int_equal(run(w, 1, HSL_CTF_CMD_COUNT, 0, 0, 0), HSL_ST_UNREACHABLE);
	fake_write32(c, CTF(HSL_CTF_LINK), UINT32_MAX);
	assert_int_equal(run(w, 1, HSL_CTF_CMD_COUNT, 0, 0, 0), HSL_ST_UNREACHABLE);
	key(w, 1, false);
	page(w, got);
	memset(got, 0, 8);
	assert_memory_equal(got, zero, sizeof(zero));
	world_free(w);
}

/* HEP-CTF-003: by what it says, and by a page that shows no errors and a link that stays as it was */
static void refused(void **state)
{
	static const struct {
		uint32_t cmd;
		uint64_t a0, a1, a2;
	} bad[] = {
		{ HSL_CTF_CMD_WIRE, 6, 0, 0 },
		{ HSL_CTF_CMD_WIRE, 1ull << 32, 0, 0 },
		{ HSL_CTF_CMD_WIRE, HSL_CTF_WIRE_BURST, 1, 1 },
		{ HSL_CTF_CMD_WIRE, HSL_CTF_WIRE_BURST, 1, 2049 },
		{ HSL_CTF_CMD_WIRE, HSL_CTF_WIRE_BURST, 1, 1ull << 32 | 2 },
		{ HSL_CTF_CMD_WIRE, HSL_CTF_WIRE_REORDER, 1, 0 },
		{ HSL_CTF_CMD_WIRE, HSL_CTF_WIRE_REORDER, 1, 1000 },
		{ HSL_CTF_CMD_ARM, 0, HITS(0, 1), 0 },
		{ HSL_CTF_CMD_ARM, 8, HITS(0, 1), 0 },
		{ HSL_CTF_CMD_ARM, 1ull << 32 | 1, HITS(0, 1), 0 },
		{ HSL_CTF_CMD_ARM, HSL_CTF_ARM_CRC, HITS(0, 1), 2048 },
		{ HSL_CTF_CMD_ARM, HSL_CTF_ARM_REORDER, HITS(0, 1), 0 },
		{ HSL_CTF_CMD_ARM, HSL_CTF_ARM_REORDER, HITS(0, 1), 1000 },
		{ HSL_CTF_CMD_ARM, HSL_CTF_ARM_DELAY, HITS(0, 1), 1000000000 },
		{ HSL_CTF_CMD_ARM, HSL_CTF_ARM_DELAY, HITS(0, 1), UINT64_MAX },
		{ HSL_CTF_CMD_STATE, 5, 0, 0 },
		{ HSL_CTF_CMD_STATE, UINT64_MAX, 0, 0 },
		{ HSL_CTF_CMD_LANE, 16, 0, 0 },
		{ HSL_CTF_CMD_LANE, 0, 2, 0 },
		{ HSL_CTF_CMD_LANE, 1ull << 32, 0, 0 },
		{ HSL_CTF_CMD_FREEZE, 32, 0, 0 },
		{ HSL_CTF_CMD_FREEZE, 1ull << 32, 0, 0 },
		{ HSL_CTF_CMD_CREDITS, HSL_VC_COUNT, 0, 0 },
		{ HSL_CTF_CMD_PRESET, 3, 0, 0 },
		{ HSL_CTF_CMD_PRESET, HSL_CTF_PRESET_SEQ, 4096, 0 },
		{ HSL_CTF_CMD_PRESET, HSL_CTF_PRESET_ACK_PS, 1ull << 40, 0 },
		{ HSL_CTF_CMD_PRESET, HSL_CTF_PRESET_REPLAY_PS, UINT64_MAX, 0 },
		{ HSL_CTF_CMD_LINE, HSL_GA(0, 0), 0, 0 },
		{ HSL_CTF_CMD_LINE, HSL_GA(3, 0), 0, 0 },
		{ HSL_CTF_CMD_LINE, HSL_GA(1, MEM), 0, 0 },
		{ HSL_CTF_CMD_LINE, 1ull << 63 | HSL_GA(1, 0), 0, 0 },
		{ HSL_CTF_CMD_POISON, HSL_GA(2, 0), 1, 0 },
		{ HSL_CTF_CMD_POISON, HSL_GA(1, MEM), 1, 0 },
		{ HSL_CTF_CMD_POISON, 1ull << 63 | HSL_GA(1, 0), 1, 0 },
		{ HSL_CTF_CMD_POISON, HSL_GA(1, 0), 2, 0 },
		{ HSL_CTF_CMD_LOOPBACK, 3, 0, 0 },
		{ HSL_CTF_CMD_CAPTURE, 8, 0, 0 },
	};
	struct world *w = world_new();
	uint32_t seed = 3, cap = fake_read32(chip(w, 1), CTF(HSL_CTF_CAP));

	(void)state;
	key(w, 1, true);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (!(cap >> bad[i].cmd & 1))
			continue;
		if (run(w, 1, bad[i].cmd, bad[i].a0, bad[i].a1, bad[i].a2) != HSL_ST_FIELD)
			fail_msg("argument %zu was not refused", i);
	}
	traffic(w, 200, &seed);
	compare(w);
	assert_int_equal(injected(w, 1), 0);
	assert_int_equal(link_state(w, 1), HSL_LTSSM_L0);
	assert_int_equal(stat(w, 2, HSL_LINK_STAT_RX_BAD), 0);
	assert_int_equal(run(w, 1, HSL_CTF_CMD_LOG, 0, 0, 0), HSL_ST_RANGE);
	world_free(w);
}

/* ---- HEP-CTF-004, 005: armed errors ---- */

static void armed_crc(void **state)
{
	struct world *w = world_new();
	uint32_t seed = 11;

	(void)state;
	key(w, 1, true);
	for (unsigned int i = 0; i < 32; i++) {
		uint64_t before = injected(w, 1), bad = stat(w, 2, HSL_LINK_STAT_RX_BAD),
			 again = stat(w, 1, HSL_LINK_STAT_TX_REPLAYED);

		cmd(w, 1, HSL_CTF_CMD_ARM, HSL_CTF_ARM_CRC, HITS(i, 1), fake_random(&seed) % 2048);
		traffic(w, 100, &seed);
		compare(w);
		assert_int_equal(injected(w, 1), before + 1);
		assert_int_equal(result(w, 1, 1), 0);
		assert_int_equal(stat(w, 2, HSL_LINK_STAT_RX_BAD), bad + 1);
		assert_true(stat(w, 1, HSL_LINK_STAT_TX_REPLAYED) > again);
	}
	/* one that is left is told, and taken away */
	cmd(w, 1, HSL_CTF_CMD_ARM, HSL_CTF_ARM_DROP, HITS(1000000, 3), 0);
	assert_int_equal(result(w, 1, 0), 0);
	cmd(w, 1, HSL_CTF_CMD_COUNT, 0, 0, 0);
	assert_int_equal(result(w, 1, 1), 1000003);
	cmd(w, 1, HSL_CTF_CMD_ARM, HSL_CTF_ARM_DROP, 0, 0);
	assert_int_equal(result(w, 1, 0), 1000003);
	cmd(w, 1, HSL_CTF_CMD_COUNT, 0, 0, 0);
	assert_int_equal(result(w, 1, 1), 0);
	world_free(w);
}

/* Many hits of each kind, at both ends, and every access right. */
static void armed_others(void **state)
{
	static const struct {
		uint32_t kind;
		uint64_t value;
	} arms[] = {
		{ HSL_CTF_ARM_CRC, 77 },	{ HSL_CTF_ARM_DROP, 0 },	   { HSL_CTF_ARM_DUPLICATE, 0 },
		{ HSL_CTF_ARM_REORDER, 1 },	{ HSL_CTF_ARM_DELAY, 1500000 }, { HSL_CTF_ARM_DELAY, 0 },
	};
	struct world *w = world_new();
	uint32_t seed = 12;

	(void)state;
	for (uint32_t node = 1; node <= 2; node++)
		key(w, node, true);
	for (size_t i = 0; i < sizeof(arms) / sizeof(arms[0]); i++) {
		for (unsigned int round = 0; round < 40; round++) {
			for (uint32_t node = 1; node <= 2; node++)
				cmd(w, node, HSL_CTF_CMD_ARM, arms[i].kind, HITS(fake_random(&seed) % 20, 3), arms[i].value);
			traffic(w, 50, &seed);
		}
		compare(w);
	}
	assert_true(injected(w, 1) > 300 && injected(w, 2) > 300);
	assert_int_equal(stat(w, 1, HSL_LINK_STAT_PROTOCOL_ERRORS), 0);
	assert_int_equal(stat(w, 1, HSL_LINK_STAT_DOWNS), 0);
	world_free(w);
}

static void wires(void **state)
{
	static const struct {
		uint32_t kind;
		double p;
		uint64_t n;
	} kinds[] = {
		{ HSL_CTF_WIRE_BIT, 1e-4, 0 },	     { HSL_CTF_WIRE_BURST, 0.1, 100 },  { HSL_CTF_WIRE_DROP, 0.1, 0 },
		{ HSL_CTF_WIRE_DUPLICATE, 0.2, 0 }, { HSL_CTF_WIRE_REORDER, 0.2, 1 },
	};
	struct world *w = world_new();
	uint32_t seed = 13;

	(void)state;
	for (uint32_t node = 1; node <= 2; node++) {
		key(w, node, true);
		cmd(w, node, HSL_CTF_CMD_WIRE, HSL_CTF_WIRE_SEED, 1234 + node, 0);
	}
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		uint64_t before = injected(w, 1);

		cmd(w, 1, HSL_CTF_CMD_WIRE, kinds[i].kind, (uint64_t)(kinds[i].p * 0x1p64), kinds[i].n);
		cmd(w, 2, HSL_CTF_CMD_WIRE, kinds[i].kind, (uint64_t)(kinds[i].p * 0x1p64), kinds[i].n);
		traffic(w, 1000, &seed);
		compare(w);
		assert_true(injected(w, 1) > before);
		cmd(w, 1, HSL_CTF_CMD_WIRE, kinds[i].kind, 0, 0);
		cmd(w, 2, HSL_CTF_CMD_WIRE, kinds[i].kind, 0, 0);
		before = injected(w, 1);
		traffic(w, 200, &seed);
		assert_int_equal(injected(w, 1), before);
	}
	/* nothing gets through, and then all does */
	OK(fake_fill(&w->q[1], B(0), 64, 0));	/* a line that chip 1 does not have */
	memset(w->ref[1], 0, 64);
	cmd(w, 1, HSL_CTF_CMD_WIRE, HSL_CTF_WIRE_DROP, ALWAYS, 0);
	IS(fake_copy(&w->q[0], H(0), B(0), 64), HSL_ST_TIMEOUT);
	key(w, 1, false);
	heal(w);
	traffic(w, 200, &seed);
	compare(w);
	world_free(w);
}

/* ---- HEP-CTF-012, 002: states and lanes ---- */

static void states(void **state)
{
	struct world *w = world_new();
	uint32_t seed = 14;

	(void)state;
	key(w, 1, true);
	for (unsigned int i = 0; i < 10; i++) {
		uint64_t trained = stat(w, 1, HSL_LINK_STAT_RETRAINS), downs = stat(w, 1, HSL_LINK_STAT_DOWNS);

		cmd(w, 1, HSL_CTF_CMD_STATE, HSL_CTF_STATE_RETRAIN, 0, 0);
		assert_int_equal(stat(w, 1, HSL_LINK_STAT_RETRAINS), trained + 1);
		assert_int_equal(link_state(w, 1), HSL_LTSSM_L0);
		traffic(w, 100, &seed);
		compare(w);
		OK(fake_fill(&w->q[1], B(0), 64, 0));		/* a line that chip 1 does not have */
		cmd(w, 1, HSL_CTF_CMD_STATE, HSL_CTF_STATE_DISABLE, 0, 0);
		assert_int_equal(link_state(w, 1), HSL_LTSSM_DISABLED);
		assert_int_equal(link_state(w, 2), HSL_LTSSM_DISABLED);
		assert_int_equal(stat(w, 1, HSL_LINK_STAT_DOWNS), downs + 1);
		IS(fake_copy(&w->q[0], H(0), B(0), 8), HSL_ST_UNREACHABLE);
		assert_int_equal(hsl_chip_window_read(chip(w, 1)->e, 0, 0, 4), 0xffffffff);
		cmd(w, 1, HSL_CTF_CMD_STATE, HSL_CTF_STATE_ENABLE, 0, 0);
		assert_int_equal(link_state(w, 1), HSL_LTSSM_L0);
		assert_int_equal(link_state(w, 2), HSL_LTSSM_L0);
		heal(w);
		traffic(w, 100, &seed);
		compare(w);
	}
	world_free(w);
}

/* With another way there nothing is lost; without one the link stays. */
static void leaves(void **state)
{
	struct world *w = world_of(3, HSL_TOPO_MESH);
	uint32_t seed = 17;

	(void)state;
	key(w, 1, true);
	for (unsigned int i = 0; i < 5; i++) {
		traffic(w, 100, &seed);
		cmd(w, 1, HSL_CTF_CMD_STATE, HSL_CTF_STATE_LEAVE, 0, 0);
		assert_int_equal(link_state(w, 1), HSL_LTSSM_DISABLED);
		assert_int_equal(link_state(w, 2), HSL_LTSSM_DISABLED);
		traffic(w, 100, &seed);
		compare(w);
		assert_int_equal(run(w, 1, HSL_CTF_CMD_STATE, HSL_CTF_STATE_LEAVE, 0, 0), HSL_ST_OK);
		if (i == 4)
			key(w, 1, false);		/* which ends it, too */
		else
			cmd(w, 1, HSL_CTF_CMD_STATE, HSL_CTF_STATE_ENABLE, 0, 0);
		traffic(w, 100, &seed);
		compare(w);
		assert_int_equal(link_state(w, 1), HSL_LTSSM_L0);
	}
	world_free(w);
	w = world_new();
	key(w, 1, true);
	assert_int_equal(run(w, 1, HSL_CTF_CMD_STATE, HSL_CTF_STATE_LEAVE, 0, 0), HSL_ST_UNREACHABLE);
	assert_int_equal(link_state(w, 1), HSL_LTSSM_L0);
	traffic(w, 100, &seed);
	compare(w);
	world_free(w);
}

static void lanes(void **state)
{
	static const uint32_t widths[] = { 8, 4, 1 }, failing[] = { 9, 5, 3 };
	struct world *w = world_new();
	uint32_t seed = 15;

	(void)state;
	key(w, 2, true);
	for (unsigned int i = 0; i < 3; i++) {
		traffic(w, 100, &seed);
		cmd(w, 2, HSL_CTF_CMD_LANE, failing[i], 0, 0);
		assert_int_equal(link_state(w, 1), HSL_LTSSM_L0);
		assert_int_equal(link_reg(w, 1, HSL_LINK_O_WIDTH), widths[i]);
		assert_int_equal(link_reg(w, 2, HSL_LINK_O_WIDTH), widths[i]);
		traffic(w, 100, &seed);
		compare(w);
	}
	assert_int_equal(stat(w, 1, HSL_LINK_STAT_DOWNS), 0);
	key(w, 2, false);
	assert_int_equal(link_reg(w, 1, HSL_LINK_O_WIDTH), 16);
	assert_int_equal(stat(w, 1, HSL_LINK_STAT_DOWNS), 0);
	key(w, 2, true);
	/* no lane, no link; and all of them when test mode ends */
	for (uint64_t lane = 0; lane < 16; lane++)
		cmd(w, 2, HSL_CTF_CMD_LANE, lane, 0, 0);
	assert_int_not_equal(link_state(w, 1), HSL_LTSSM_L0);
	assert_int_equal(link_reg(w, 1, HSL_LINK_O_WIDTH), 0);
	assert_int_equal(link_reg(w, 1, HSL_LINK_O_MAX_WIDTH), 16);
	assert_int_equal(link_reg(w, 1, HSL_LINK_O_MAX_RATE), 112000);
	key(w, 2, false);
	assert_int_equal(link_state(w, 1), HSL_LTSSM_L0);
	assert_int_equal(link_reg(w, 1, HSL_LINK_O_WIDTH), 16);
	world_free(w);
}

static void all_lanes(struct world *w, bool up)
{
	struct hsl_fab_in in = { .type = HSL_FAB_LANE, .u.link = { .a = 2, .b = 1, .up = up } };

	hsl_modelled_enter(w->f->e);
	for (in.u.link.lane = 0; in.u.link.lane < 16; in.u.link.lane++)
		assert_int_equal(hsl_modelled_post(w->f->e->modelled, &in), 0);
	hsl_modelled_leave(w->f->e);
}

/* A link trains for who asks again and again for what is behind it: time does not stand still when accesses are refused. */
static void asks_again(void **state)
{
	struct world *w = world_new();
	struct hsl_chip_engine *e = chip(w, 1)->e;
	uint32_t seed = 23;
	uint64_t v = 0;

	(void)state;
	traffic(w, 100, &seed);
	all_lanes(w, false);
	for (unsigned int i = 0; i < 1000 && v != UINT64_MAX; i++)
		v = hsl_chip_window_read(e, 0, 64, 8);
	assert_int_equal(v, UINT64_MAX);
	all_lanes(w, true);
	for (unsigned int i = 0; i < 1000 && v == UINT64_MAX; i++)
		v = hsl_chip_window_read(e, 0, 64, 8);
	assert_int_not_equal(v, UINT64_MAX);
	assert_int_equal(link_state(w, 1), HSL_LTSSM_L0);
	world_free(w);
}

/* ---- HEP-CTF-006: credit ---- */

static uint64_t credit(struct world *w, uint32_t node, uint32_t vc)
{
	cmd(w, node, HSL_CTF_CMD_CREDITS, vc, 0, 0);
	return result(w, node, 0);
}

static struct hsl_desc copy_of(uint64_t dst, uint64_t src, uint64_t len)
{
	return (struct hsl_desc){ .opcode = HSL_OP_COPY, .dst = dst, .src = src, .len = len };
}

/* All of it: what is left of a unit is known when the unit is free, and a unit is less than an eighth. */
static bool has_all(struct world *w, uint32_t node, uint64_t all)
{
	uint64_t n = credit(w, node, HSL_VC_DAT);

	return n <= all && n > all - all / 8;
}

/*
 * Chip 1 keeps the slots of data back in which lines from chip 2 come. Its command fails in the middle, nothing else
 * does: chip 2 writes lines of chip 1, whose data goes the other way.
 */
static void frozen(void **state)
{
	struct world *w = world_new();
	struct hsl_desc d = copy_of(NEAR(0), FAR(0), BIG);
	uint64_t before, after;
	uint32_t seed = 16;

	(void)state;
	for (uint32_t node = 1; node <= 2; node++)
		key(w, node, true);
	before = credit(w, 2, HSL_VC_DAT);
	assert_true(before < BIG / 64 * 5);
	for (unsigned int round = 1; round <= 2; round++) {
		traffic(w, 300, &seed);
		fake_bytes(chip(w, 2)->mem + BIG, BIG, round);
		assert_int_equal(fake_admin(chip(w, 2), (struct hsl_desc){ .opcode = HSL_OP_FLUSH, .dst = FAR(0), .len = BIG }), 0);
		assert_true(has_all(w, 2, before));
		cmd(w, 1, HSL_CTF_CMD_FREEZE, 1u << HSL_VC_DAT, 0, 0);
		IS(fake_run(&w->q[0], &d), HSL_ST_INTERNAL);
		after = credit(w, 2, HSL_VC_DAT);
		assert_true(after < 5);				/* a line */
		OK(fake_fill(&w->q[1], A(64 * round), 64, 0));
		memset(w->ref[0] + 64 * round, 0, 64);
		assert_int_equal(credit(w, 2, HSL_VC_DAT), after);
		/* its line was in no cache */
		assert_int_equal(hsl_chip_window_read(chip(w, 1)->e, 0, LEN + 64 * round, 4), 0xffffffff);
		cmd(w, 1, HSL_CTF_CMD_FREEZE, 0, 0, 0);
		OK(fake_run(&w->q[0], &d));
		assert_memory_equal(chip(w, 1)->mem + BIG, chip(w, 2)->mem + BIG, BIG);
		traffic(w, 100, &seed);
		compare(w);
		assert_true(has_all(w, 2, before));
	}
	world_free(w);
}

/* Who resets another chip does not wait for the tester; who resets the tester's ends it (HEP-CTF-002). */
static void frozen_and_reset(void **state)
{
	struct world *w = world_new();
	struct hsl_desc d = copy_of(NEAR(0), FAR(0), BIG);
	struct hsl_cqe e;
	uint64_t before;

	(void)state;
	key(w, 1, true);
	key(w, 2, true);
	before = credit(w, 2, HSL_VC_DAT);
	assert_true(before < BIG / 64 * 5);
	cmd(w, 1, HSL_CTF_CMD_FREEZE, 31, 0, 0);
	fake_submit(&w->q[0], &d);
	fake_doorbell(&w->q[0]);
	while (credit(w, 2, HSL_VC_DAT) >= 5 && !fake_poll(&w->q[0], &e)) {
	}
	assert_true(credit(w, 2, HSL_VC_DAT) < 5);
	hsl_chip_reset(chip(w, 2)->e);
	assert_int_equal(fake_read32(chip(w, 2), CTF(HSL_CTF_KEY)), 0);
	assert_int_equal(fake_read32(chip(w, 1), CTF(HSL_CTF_KEY)), 1);
	fake_write32(chip(w, 1), HSL_REG_CTRL, HSL_CTRL_RESET);
	assert_int_equal(fake_read32(chip(w, 1), CTF(HSL_CTF_KEY)), 0);
	key(w, 2, true);
	while (!has_all(w, 2, before)) {		/* what was given up goes on */
	}
	world_free(w);
}

/* ---- HEP-CTF-011: presets ---- */

struct record {
	struct hsl_pcapng_hdr hdr;
	union {
		struct hsl_flit flit;
		struct hsl_ts ts;
		struct hsl_pcapng_state state;
	} u;
};

static bool next(struct world *w, uint32_t node, struct record *r, uint64_t *lost)
{
	cmd(w, node, HSL_CTF_CMD_NEXT, 0, 0, 0);
	*lost = result(w, node, 1);
	for (unsigned int i = 0; i < sizeof(*r); i += 8) {
		uint64_t v = fake_read64(chip(w, node), CTF(HSL_CTF_RECORD + i));

		memcpy((uint8_t *)r + i, &v, 8);
	}
	return result(w, node, 0);
}

/* Number of the next data flit that a chip sends: an atomic of it is done at the home. */
static uint32_t next_number(struct world *w, uint32_t node)
{
	struct hsl_desc d = { .opcode = HSL_OP_ATOMIC, .subop = HSL_ATOMIC_ADD, .dst = node == 1 ? B(0) : A(0), .len = 8 };
	struct record r;
	uint64_t lost;

	cmd(w, node, HSL_CTF_CMD_CAPTURE, HSL_CTF_CAPTURE_TX, 0, 0);
	OK(fake_run(&w->q[node - 1], &d));
	do {
		assert_true(next(w, node, &r, &lost));
	} while (r.hdr.kind != HSL_PCAPNG_FLIT || r.u.flit.hdr >> HSL_FLIT_SEQ_BITS != HSL_FLIT_DATA);
	cmd(w, node, HSL_CTF_CMD_CAPTURE, 0, 0, 0);
	return r.u.flit.hdr & 0xfff;
}


static void presets(void **state)
{
	struct world *w = world_new();
	uint32_t seed = 17;

	(void)state;
	for (uint32_t node = 1; node <= 2; node++) {
		key(w, node, true);
		cmd(w, node, HSL_CTF_CMD_WIRE, HSL_CTF_WIRE_DROP, ALWAYS / 50, 0);
	}
	for (uint64_t first = 4090; first < 4096; first++) {
		for (uint32_t node = 1; node <= 2; node++)
			cmd(w, node, HSL_CTF_CMD_PRESET, HSL_CTF_PRESET_SEQ, first, 0);
		cmd(w, 1, HSL_CTF_CMD_STATE, HSL_CTF_STATE_DISABLE, 0, 0);
		cmd(w, 2, HSL_CTF_CMD_STATE, HSL_CTF_STATE_ENABLE, 0, 0);
		cmd(w, 1, HSL_CTF_CMD_STATE, HSL_CTF_STATE_ENABLE, 0, 0);
		assert_int_equal(link_state(w, 1), HSL_LTSSM_L0);
		assert_int_equal(next_number(w, 1), first);
		heal(w);
		traffic(w, 300, &seed);
		compare(w);
	}
	/* short times cost flits and nothing else; 0 is the default again */
	for (uint64_t ps = 0; ps < 400000; ps += 50000) {
		cmd(w, 1, HSL_CTF_CMD_PRESET, HSL_CTF_PRESET_ACK_PS, ps, 0);
		cmd(w, 2, HSL_CTF_CMD_PRESET, HSL_CTF_PRESET_REPLAY_PS, 4 * ps, 0);
		traffic(w, 100, &seed);
		compare(w);
	}
	/* ends that disagree: the link is good again when test mode of one of them ends */
	cmd(w, 1, HSL_CTF_CMD_PRESET, HSL_CTF_PRESET_SEQ, 77, 0);
	cmd(w, 1, HSL_CTF_CMD_STATE, HSL_CTF_STATE_HOT_RESET, 0, 0);
	key(w, 1, false);
	heal(w);
	traffic(w, 300, &seed);
	compare(w);
	world_free(w);
}

/* ---- HEP-CTF-009: raw flits; loopback ---- */

static void put_flit(struct world *w, uint32_t node, const struct hsl_flit *f)
{
	for (unsigned int i = 0; i < sizeof(*f); i += 8) {
		uint64_t v;

		memcpy(&v, (const uint8_t *)f + i, 8);
		fake_write64(chip(w, node), CTF(HSL_CTF_FLIT + i), v);
	}
	cmd(w, node, HSL_CTF_CMD_SEND, 0, 0, 0);
}

static struct hsl_flit empty_flit(uint32_t type)
{
	struct hsl_flit f = { 0 };

	memset(f.slot_map, 0xff, sizeof(f.slot_map));
	hsl_flit_seal(&f, 0, type);
	return f;
}

static void raw_refused(void **state)
{
	struct world *w = world_new();
	uint64_t bad, taken;
	struct hsl_flit f;
	uint32_t seed = 18;

	(void)state;
	key(w, 1, true);
	for (unsigned int i = 0; i < 60; i++) {
		traffic(w, 20, &seed);
		f = empty_flit(HSL_FLIT_DATA);
		switch (i % 4) {
		case 0:
			((uint8_t *)&f)[fake_random(&seed) % 250] ^= (uint8_t)(1u << fake_random(&seed) % 8);
			break;
		case 1:
			f.slot_map[0] = 0x70;			/* VC 7, and a middle without its begin */
			hsl_flit_seal(&f, 0, HSL_FLIT_DATA);
			break;
		case 2:
			hsl_flit_seal(&f, 0, 3);		/* a reserved type */
			break;
		default:
			fake_bytes(&f, sizeof(f), i);
			break;
		}
		injected(w, 1);					/* what is under way arrives */
		bad = stat(w, 2, HSL_LINK_STAT_RX_BAD);
		taken = stat(w, 2, HSL_LINK_STAT_RX_FLITS);
		put_flit(w, 1, &f);
		assert_int_equal(stat(w, 2, HSL_LINK_STAT_RX_BAD), bad + 1);
		assert_int_equal(stat(w, 2, HSL_LINK_STAT_RX_FLITS), taken);
		assert_int_equal(stat(w, 1, HSL_LINK_STAT_DOWNS), 0);
	}
	traffic(w, 100, &seed);
	compare(w);
	world_free(w);
}

/* Flits that are good and not the sender's: with forged packets, acknowledgements, credit. The chips stay whole. */
static void raw_forged(void **state)
{
	struct world *w = world_new();
	uint32_t seed = 19;

	(void)state;
	key(w, 1, true);
	for (unsigned int i = 0; i < 3000; i++) {
		uint32_t type = fake_random(&seed) % 3, vc = fake_random(&seed) % HSL_VC_COUNT;
		struct hsl_flit f;

		if (i % 8 == 0) {	/* number 0 is the next */
			cmd(w, 1, HSL_CTF_CMD_STATE, HSL_CTF_STATE_DISABLE, 0, 0);
			cmd(w, 1, HSL_CTF_CMD_STATE, HSL_CTF_STATE_ENABLE, 0, 0);
		}
		fake_bytes(&f, sizeof(f), i);
		f.ack &= 0x3fff;
		memset(f.slot_map, 0xff, sizeof(f.slot_map));
		if (type == HSL_FLIT_DATA) {
			static const uint8_t opcodes[HSL_VC_COUNT] = { HSL_PKT_READ_S, HSL_PKT_ACK, HSL_PKT_SNP_I, HSL_PKT_RSP_DATA, 0 };

			memset(f.slot_map, (int)(0x11 * vc), sizeof(f.slot_map));
			f.slot_map[0] |= 8;
			f.slot[0][0] = opcodes[vc];
			f.slot[0][1] = f.slot[0][15] = 0;
			if (vc == HSL_VC_REQ || vc == HSL_VC_RSP)
				memset(f.slot_map, 0x88 + (int)(0x11 * vc), sizeof(f.slot_map));
			for (unsigned int k = 1; k < HSL_FLIT_SLOTS; k++)
				memcpy(f.slot[k], f.slot[0], HSL_SLOT_BYTES);
		}
		/* mostly the one that is expected next */
		hsl_flit_seal(&f, i % 2 ? 0 : fake_random(&seed), type);
		if (link_state(w, 1) == HSL_LTSSM_L0)
			put_flit(w, 1, &f);
		else
			cmd(w, 1, HSL_CTF_CMD_STATE, HSL_CTF_STATE_RETRAIN, 0, 0);
		if (i % 50 == 0)	/* goes or fails, and ends */
			fake_copy(&w->q[i & 1], H(0), i & 2 ? A(0) : B(0), 64);
	}
	assert_true(stat(w, 1, HSL_LINK_STAT_DOWNS) > 3000 / 8 + 150);
	key(w, 1, false);
	heal(w);
	traffic(w, 300, &seed);
	compare(w);
	world_free(w);
}

static void loopback(void **state)
{
	struct world *w = world_new();
	struct hsl_flit f = empty_flit(HSL_FLIT_DATA);
	uint32_t seed = 20;

	(void)state;
	f.crc[0] ^= 1;
	key(w, 1, true);
	key(w, 2, true);
	for (uint64_t mode = 1; mode <= 2; mode++) {
		/* near: it comes back to who sends it; far: to its peer, as this end sends what it receives */
		uint32_t sender = mode == 1 ? 1 : 2;
		uint64_t bad = stat(w, sender, HSL_LINK_STAT_RX_BAD), other = stat(w, 3 - sender, HSL_LINK_STAT_RX_BAD);

		traffic(w, 100, &seed);
		OK(fake_fill(&w->q[1], B(0), 64, 0));
		memset(w->ref[1], 0, 64);
		cmd(w, 1, HSL_CTF_CMD_LOOPBACK, mode, 0, 0);
		IS(fake_copy(&w->q[0], H(0), B(0), 64), HSL_ST_UNREACHABLE);
		for (unsigned int i = 0; i < 5; i++)
			put_flit(w, sender, &f);
		assert_int_equal(stat(w, sender, HSL_LINK_STAT_RX_BAD), bad + 5);
		assert_int_equal(stat(w, 3 - sender, HSL_LINK_STAT_RX_BAD), other);
		cmd(w, 1, HSL_CTF_CMD_STATE, HSL_CTF_STATE_RETRAIN, 0, 0);
		if (mode == 1)
			cmd(w, 1, HSL_CTF_CMD_LOOPBACK, 0, 0, 0);
		else
			key(w, 1, false);
		assert_int_equal(link_state(w, 1), HSL_LTSSM_L0);
		assert_int_equal(link_state(w, 2), HSL_LTSSM_L0);
		heal(w);
		traffic(w, 200, &seed);
		compare(w);
	}
	world_free(w);
}

/* ---- HEP-CTF-008: the log ---- */

static bool log_entry(struct world *w, uint32_t node, uint32_t i, uint64_t *ps, uint32_t *from, uint32_t *to)
{
	uint32_t status = run(w, node, HSL_CTF_CMD_LOG, i, 0, 0);

	if (status == HSL_ST_RANGE)
		return false;
	assert_int_equal(status, HSL_ST_OK);
	*ps = result(w, node, 0);
	*from = result(w, node, 1) & 0xff;
	*to = result(w, node, 1) >> 8 & 0xff;
	return true;
}

static unsigned int check_log(struct world *w, uint32_t node, uint32_t first)
{
	uint64_t ps, last_ps = 0;
	uint32_t from, to, at = first;
	unsigned int n = 0;

	for (; log_entry(w, node, n, &ps, &from, &to); n++) {
		assert_true(ps >= last_ps);
		assert_true(n == 0 || from == at);
		assert_true(hsl_phy_edge(from, to));
		last_ps = ps;
		at = to;
	}
	assert_int_equal(at, link_state(w, node));
	return n;
}

static void state_log(void **state)
{
	static const uint32_t retrain[] = { HSL_LTSSM_L0, HSL_LTSSM_RECOVERY, HSL_LTSSM_CONFIG, HSL_LTSSM_L0 };
	struct world *w = world_new();
	uint64_t ps;
	uint32_t from, to;

	(void)state;
	key(w, 1, true);
	key(w, 2, true);
	assert_false(log_entry(w, 1, 0, &ps, &from, &to));
	cmd(w, 1, HSL_CTF_CMD_STATE, HSL_CTF_STATE_RETRAIN, 0, 0);
	for (uint32_t node = 1; node <= 2; node++) {
		for (unsigned int i = 0; i < 3; i++) {
			assert_true(log_entry(w, node, i, &ps, &from, &to));
			assert_int_equal(from, retrain[i]);
			assert_int_equal(to, retrain[i + 1]);
		}
		assert_false(log_entry(w, node, 3, &ps, &from, &to));
	}
	cmd(w, 1, HSL_CTF_CMD_STATE, HSL_CTF_STATE_HOT_RESET, 0, 0);
	assert_int_equal(link_state(w, 1), HSL_LTSSM_L0);
	for (unsigned int i = 0; i < 10; i++) {
		cmd(w, 2, HSL_CTF_CMD_STATE, HSL_CTF_STATE_DISABLE, 0, 0);
		check_log(w, 1, HSL_LTSSM_L0);
		check_log(w, 2, HSL_LTSSM_L0);
		cmd(w, 2, HSL_CTF_CMD_STATE, HSL_CTF_STATE_ENABLE, 0, 0);
	}
	assert_true(check_log(w, 1, 0) >= 32);
	assert_true(check_log(w, 2, 0) >= 32);
	world_free(w);
}

/* ---- HEP-CTF-010: lines and poison ---- */

static uint64_t line(struct world *w, uint32_t node, uint64_t ga, uint64_t *agents)
{
	cmd(w, node, HSL_CTF_CMD_LINE, ga, 0, 0);
	if (agents)
		*agents = result(w, node, 1);
	return result(w, node, 0);
}

static void flush_line(struct world *w, uint32_t node, uint64_t ga)
{
	assert_int_equal(fake_admin(chip(w, node), (struct hsl_desc){ .opcode = HSL_OP_FLUSH, .dst = ga, .len = 64 }),
			 HSL_ST_OK);
}

static void lines(void **state)
{
	struct world *w = world_new();
	uint64_t agents;

	(void)state;
	key(w, 1, true);
	key(w, 2, true);
	flush_line(w, 1, A(0));
	assert_int_equal(line(w, 1, A(0), &agents), 'I' | 'I' << 8 | 'I' << 16);
	assert_int_equal(agents, 0);
	OK(fake_fill(&w->q[1], A(0), 64, 1));
	assert_int_equal(line(w, 1, A(63), &agents), 'I' | 'I' << 8 | 'O' << 16);
	assert_int_equal(agents, 1u << 1);
	assert_int_equal(line(w, 2, A(0), &agents), 'M' | 'I' << 8);
	assert_int_equal(agents, 0);
	hsl_chip_window_read(chip(w, 2)->e, 0, 0, 4);		/* its host port */
	assert_int_equal(line(w, 2, A(0), NULL), 'S' | 'S' << 8);
	assert_int_equal(line(w, 1, A(0), NULL) >> 16 & 0xff, 'S');
	world_free(w);
}

static void poison(void **state)
{
	struct world *w = world_new();

	(void)state;
	key(w, 1, true);
	assert_int_equal(fake_admin(chip(w, 1), (struct hsl_desc){ .opcode = HSL_OP_FLUSH, .dst = A(0), .len = LEN }), 0);
	cmd(w, 1, HSL_CTF_CMD_POISON, A(70), 1, 0);
	assert_int_equal(line(w, 1, A(64), NULL) >> 24, 1);
	assert_int_equal(line(w, 1, A(0), NULL) >> 24, 0);
	OK(fake_copy(&w->q[1], H(0), A(0), 64));
	OK(fake_copy(&w->q[1], H(0), A(128), 64));
	IS(fake_copy(&w->q[1], H(0), A(64), 64), HSL_ST_POISON);
	IS(fake_copy(&w->q[0], H(0), A(127), 1), HSL_ST_POISON);
	flush_line(w, 1, A(64));			/* clears it in memory, too */
	OK(fake_copy(&w->q[1], H(0), A(64), 64));
	flush_line(w, 1, A(64));
	cmd(w, 1, HSL_CTF_CMD_POISON, A(64), 1, 0);
	cmd(w, 1, HSL_CTF_CMD_POISON, A(64), 0, 0);
	OK(fake_copy(&w->q[1], H(0), A(64), 64));
	world_free(w);
}

/* Packets: one answer is poisoned on its way, one request lost. */
static void packets(void **state)
{
	struct world *w = world_new();

	(void)state;
	key(w, 1, true);
	key(w, 2, true);
	OK(fake_fill(&w->q[1], B(0), LEN, 3));
	cmd(w, 2, HSL_CTF_CMD_ARM, HSL_CTF_ARM_POISON, HITS(2, 1), 0);
	OK(fake_copy(&w->q[0], H(0), B(0), 64));
	OK(fake_copy(&w->q[0], H(0), B(64), 64));
	IS(fake_copy(&w->q[0], H(0), B(128), 64), HSL_ST_POISON);
	OK(fake_copy(&w->q[0], H(0), B(192), 64));
	assert_int_equal(injected(w, 2), 1);

	cmd(w, 1, HSL_CTF_CMD_ARM, HSL_CTF_ARM_SWALLOW, HITS(1, 1), 0);
	OK(fake_copy(&w->q[0], H(0), B(256), 64));
	IS(fake_copy(&w->q[0], H(0), B(320), 64), HSL_ST_TIMEOUT);
	assert_int_equal(injected(w, 1), 1);
	OK(fake_copy(&w->q[0], H(0), B(384), 64));
	world_free(w);
}

/* ---- HEP-CTF-007: captures ---- */

static void captured(void **state)
{
	struct world *w = world_new();
	uint64_t tx, rx, lost, last_ps = 0, ntx = 0, nrx = 0, room, n = 0;
	uint32_t seed = 23, seq = 0;
	struct record r;

	(void)state;
	key(w, 1, true);
	assert_false(next(w, 1, &r, &lost));
	/* as the link begins anew, so do the numbers */
	cmd(w, 1, HSL_CTF_CMD_STATE, HSL_CTF_STATE_HOT_RESET, 0, 0);
	cmd(w, 1, HSL_CTF_CMD_CAPTURE, HSL_CTF_CAPTURE_TX | HSL_CTF_CAPTURE_RX, 0, 0);
	tx = stat(w, 1, HSL_LINK_STAT_TX_FLITS);
	rx = stat(w, 1, HSL_LINK_STAT_RX_FLITS);
	for (unsigned int i = 0; i < 8; i++) {
		cmd(w, 1, HSL_CTF_CMD_ARM, HSL_CTF_ARM_DUPLICATE, HITS(0, 1), 0);	/* sent once */
		OK(fake_fill(&w->q[0], B(64 * i), 64, i));
	}
	cmd(w, 1, HSL_CTF_CMD_STATE, HSL_CTF_STATE_RETRAIN, 0, 0);
	while (next(w, 1, &r, &lost)) {
		bool out = !(r.hdr.flags & HSL_PCAPNG_F_RX);

		assert_int_equal(r.hdr.version, HSL_PCAPNG_VERSION);
		assert_int_equal(r.hdr.link, 0);
		assert_int_equal(r.hdr.src, out ? 1 : 2);
		assert_int_equal(r.hdr.dst, out ? 2 : 1);
		assert_true(r.hdr.time_ps >= last_ps);
		last_ps = r.hdr.time_ps;
		switch (r.hdr.kind) {
		case HSL_PCAPNG_FLIT:
			assert_true(hsl_flit_check(&r.u.flit));
			if (r.u.flit.hdr >> HSL_FLIT_SEQ_BITS != HSL_FLIT_DATA)
				break;
			if (out)
				assert_int_equal(r.u.flit.hdr & 0xfff, seq++);
			out ? ntx++ : nrx++;
			break;
		case HSL_PCAPNG_TS:
			assert_true(r.u.ts.type == HSL_TS1 || r.u.ts.type == HSL_TS2);
			n |= 1;
			break;
		default:
			assert_int_equal(r.hdr.kind, HSL_PCAPNG_STATE);
			n |= r.u.state.state == HSL_LTSSM_RECOVERY ? 2 : 4;
			break;
		}
	}
	assert_int_equal(n, 7);
	assert_int_equal(lost, 0);
	assert_true(ntx > 8 && nrx > 0);
	assert_int_equal(ntx, stat(w, 1, HSL_LINK_STAT_TX_FLITS) - tx);
	assert_int_equal(nrx, stat(w, 1, HSL_LINK_STAT_RX_FLITS) - rx);

	/* more than there is room for, what is left is counted; a new one begins anew */
	heal(w);
	cmd(w, 1, HSL_CTF_CMD_CAPTURE, HSL_CTF_CAPTURE_TX | HSL_CTF_CAPTURE_ALL_LINKS, 0, 0);
	room = result(w, 1, 0);
	tx = stat(w, 1, HSL_LINK_STAT_TX_FLITS);
	while (stat(w, 1, HSL_LINK_STAT_TX_FLITS) < tx + room + 100)
		traffic(w, 1000, &seed);
	for (n = 0; next(w, 1, &r, &lost); n++)
		assert_false(r.hdr.flags & HSL_PCAPNG_F_RX);
	assert_true(n >= room && lost > 0);
	cmd(w, 1, HSL_CTF_CMD_CAPTURE, HSL_CTF_CAPTURE_RX, 0, 0);
	assert_false(next(w, 1, &r, &lost));
	assert_int_equal(lost, 0);
	/* what waits when it stops can still be taken, and nothing comes behind it */
	traffic(w, 10, &seed);
	cmd(w, 1, HSL_CTF_CMD_CAPTURE, 0, 0, 0);
	for (n = 0; next(w, 1, &r, &lost); n++)
		assert_true(r.hdr.flags & HSL_PCAPNG_F_RX);
	assert_true(n > 0);
	assert_int_equal(lost, 0);
	traffic(w, 10, &seed);
	assert_false(next(w, 1, &r, &lost));
	fake_write32(chip(w, 1), CTF(HSL_CTF_LINK), 7);
	assert_int_equal(run(w, 1, HSL_CTF_CMD_CAPTURE, HSL_CTF_CAPTURE_RX, 0, 0), HSL_ST_UNREACHABLE);
	cmd(w, 1, HSL_CTF_CMD_CAPTURE, HSL_CTF_CAPTURE_RX | HSL_CTF_CAPTURE_ALL_LINKS, 0, 0);
	traffic(w, 100, &seed);
	world_free(w);
}

/* ---- HEP-CTF-002 ---- */

/* All at once, at both ends; then test mode ends in each of the ways, and nothing is left. */
static void undone(void **state)
{
	struct world *w = world_new();
	uint32_t seed = 21;

	(void)state;
	for (unsigned int way = 0; way < 4; way++) {
		uint64_t bad[2];

		key(w, 1, true);
		cmd(w, 1, HSL_CTF_CMD_WIRE, HSL_CTF_WIRE_DROP, ALWAYS / 4, 0);
		cmd(w, 1, HSL_CTF_CMD_ARM, HSL_CTF_ARM_CRC, HITS(3, 1000000), 5);
		cmd(w, 1, HSL_CTF_CMD_FREEZE, 31, 0, 0);
		cmd(w, 1, HSL_CTF_CMD_PRESET, HSL_CTF_PRESET_SEQ, 4000, 0);
		cmd(w, 1, HSL_CTF_CMD_PRESET, HSL_CTF_PRESET_ACK_PS, 1000000, 0);
		cmd(w, 1, HSL_CTF_CMD_LANE, 0, 0, 0);
		cmd(w, 1, HSL_CTF_CMD_LOOPBACK, 1 + way % 2, 0, 0);
		cmd(w, 1, HSL_CTF_CMD_STATE, HSL_CTF_STATE_DISABLE, 0, 0);
		switch (way) {
		case 0:
			key(w, 1, false);
			break;
		case 1:
			fake_write32(chip(w, 1), HSL_REG_CTRL, HSL_CTRL_RESET);
			break;
		case 2:
			hsl_chip_reset(chip(w, 1)->e);
			break;
		default:
			hsl_chip_engine_free(chip(w, 1)->e);
			fake_chip_attach(w->f, 1);
			assert_int_equal(injected(w, 2), 0);
			break;
		}
		assert_int_equal(fake_read32(chip(w, 1), CTF(HSL_CTF_KEY)), 0);
		assert_int_equal(link_state(w, 1), HSL_LTSSM_L0);
		assert_int_equal(link_state(w, 2), HSL_LTSSM_L0);
		assert_int_equal(link_reg(w, 1, HSL_LINK_O_WIDTH), 16);
		key(w, 2, true);
		bad[0] = stat(w, 2, HSL_LINK_STAT_RX_BAD);
		bad[1] = stat(w, 1, HSL_LINK_STAT_TX_REPLAYED);
		assert_int_equal(credit(w, 2, HSL_VC_DAT), credit(w, 2, HSL_VC_REQ));	/* both all there is */
		for (unsigned int i = 0; i < 500; i++) {
			hsl_chip_window_write(chip(w, 2)->e, 0, fake_random(&seed) % LEN, i, 4);
			OK(fake_fill(&w->q[1], B(0), 64, i));
		}
		assert_int_equal(stat(w, 2, HSL_LINK_STAT_RX_BAD), bad[0]);
		assert_int_equal(stat(w, 1, HSL_LINK_STAT_TX_REPLAYED), bad[1]);
	}
	world_free(w);
}

/* ---- HEP-CTF-013, HEP-RAS-009 ---- */

/* Chip 2 of three: what goes between it and the others ends, what goes past it does not, until FLR. */
static void fatal(void **state)
{
	struct world *w = world_of(3, HSL_TOPO_RING);
	struct fake_chip *c = chip(w, 2);
	struct fake_queue q3;
	unsigned int irqs;

	(void)state;
	fake_seg_chip(w->f, 1, 6, 3, BIG, LEN, RW | HSL_SEG_MODELLED);
	assert_int_equal(fake_queue_new(&q3, chip(w, 3), 1, 1, 64, 1), HSL_ST_OK);
	for (unsigned int round = 0; round < 3; round++) {
		OK(fake_fill(&w->q[0], B(0), 64, 1));
		OK(fake_fill(&w->q[1], HSL_GA(3, BIG), 64, 7));	/* only chip 2 has it */
		fake_write32(c, HSL_REG_EVENT_MASK, HSL_EVENT_FATAL);
		irqs = c->irq[0];
		key(w, 2, true);
		cmd(w, 2, HSL_CTF_CMD_FATAL, 0, 0, 0);
		key(w, 2, false);
		assert_int_equal(c->irq[0], irqs + 1);
		assert_int_equal(fake_read32(c, HSL_REG_STATUS), HSL_STATUS_READY | HSL_STATUS_FATAL);
		assert_true(fake_read32(c, HSL_REG_EVENT) & HSL_EVENT_FATAL);

		IS(fake_fill(&w->q[0], B(0), 64, 2), HSL_ST_UNREACHABLE);
		IS(fake_copy(&w->q[0], H(0), B(0), 64), HSL_ST_UNREACHABLE);
		IS(fake_fill(&w->q[1], HSL_GA(3, BIG), 64, 2), HSL_ST_UNREACHABLE);
		IS(fake_copy(&q3, H(0), HSL_GA(3, BIG), 64), HSL_ST_POISON);
		IS(fake_copy(&w->q[1], H(0), B(0), 64), HSL_ST_POISON);	/* only chip 1 had it */
		OK(fake_fill(&w->q[1], B(0), 64, 3));
		OK(fake_fill(&q3, HSL_GA(3, BIG), 64, 2));		/* heals it */
		OK(fake_fill(&w->q[0], HSL_GA(3, BIG + 64), 64, 3));

		fake_write32(c, HSL_REG_CTRL, HSL_CTRL_RESET);
		assert_int_equal(fake_read32(c, HSL_REG_STATUS), HSL_STATUS_FATAL);
		fake_write32(c, HSL_REG_CTRL, HSL_CTRL_ENABLE);
		assert_int_equal(fake_read32(c, HSL_REG_STATUS), HSL_STATUS_FATAL);
		assert_false(fake_read32(c, HSL_REG_CTRL) & HSL_CTRL_ENABLE);
		hsl_chip_reset(c->e);
		assert_int_equal(fake_read32(c, HSL_REG_STATUS), 0);
		fake_chip_enable(c);
		assert_int_equal(fake_queue_new(&w->q[1], c, 1, 1, 64, 1), HSL_ST_OK);
		OK(fake_fill(&w->q[0], B(0), 64, 4));
		OK(fake_copy(&w->q[1], H(0), HSL_GA(3, BIG), 64));
	}
	world_free(w);
}

/* ---- from outside of the chips ---- */

static void inject(struct world *w, const char *text)
{
	char why[160] = "";

	if (hsl_fabric_engine_inject(w->f->e, text, why, sizeof(why)))
		fail_msg("%s: %s", text, why);
}

/* In words, without test mode: at a link, which serves again at once when it is up, at a switch, and of one that leaves. */
static void from_outside(void **state)
{
	struct world *w = world_new();
	struct hsl_chip_engine *e = chip(w, 1)->e;
	uint32_t seed = 31;
	char why[160];
	uint64_t bad;

	(void)state;
	for (unsigned int i = 0; i < 5; i++) {
		inject(w, i % 2 ? "2-1 link down" : "1-2 link down");
		assert_int_equal(link_state(w, 1), HSL_LTSSM_DISABLED);
		assert_int_equal(hsl_chip_window_read(e, 0, 64 * (10 + i), 8), UINT64_MAX);
		IS(fake_copy(&w->q[0], H(0), B(0), 8), HSL_ST_UNREACHABLE);
		inject(w, i % 2 ? "2-1 link up" : "1-2 link up");
		assert_int_equal(link_state(w, 2), HSL_LTSSM_L0);
		assert_int_equal(hsl_chip_window_read(e, 0, 64 * (20 + i), 8), 0);
		OK(fake_fill(&w->q[0], B(0), 64, i));
	}
	heal(w);
	inject(w, "1-2 ber 1e-4 seed 7 drop 0.01");
	traffic(w, 300, &seed);
	compare(w);
	assert_true(stat(w, 2, HSL_LINK_STAT_RX_BAD) > 0);
	inject(w, "1-2 clear");
	bad = stat(w, 2, HSL_LINK_STAT_RX_BAD);
	traffic(w, 300, &seed);
	compare(w);
	assert_int_equal(stat(w, 2, HSL_LINK_STAT_RX_BAD), bad);
	world_free(w);

	w = world_of(2, HSL_TOPO_SWITCH);
	inject(w, "28672-1 crc 2");
	assert_int_equal(hsl_fabric_engine_inject(w->f->e, "28672 fatal", why, sizeof(why)), -EINVAL);
	traffic(w, 100, &seed);
	compare(w);
	assert_int_equal(stat(w, 1, HSL_LINK_STAT_RX_BAD), 2);
	world_free(w);

	w = world_of(3, HSL_TOPO_MESH);
	inject(w, "1-2 link leave");
	assert_int_equal(link_state(w, 1), HSL_LTSSM_DISABLED);
	traffic(w, 100, &seed);
	compare(w);
	assert_int_equal(hsl_fabric_engine_inject(w->f->e, "ber 1 1-3 link leave", why, sizeof(why)), -EINVAL);
	assert_int_equal(hsl_fabric_engine_inject(w->f->e, "1-3 ber 1 link leave", why, sizeof(why)), -EINVAL);
	traffic(w, 100, &seed);
	compare(w);
	world_free(w);
}

/* ---- a hostile guest ---- */

static void storm(struct world *w, uint32_t node, uint32_t *seed)
{
	struct fake_chip *c = chip(w, node);
	uint32_t o = fake_random(seed) % (HSL_CTF_BYTES / 4) * 4;
	uint64_t v = (uint64_t)fake_random(seed) << 32 | fake_random(seed);

	switch (fake_random(seed) % 8) {
	case 0:
		hsl_chip_mmio_write(c->e, CTF(o & ~7u), v, 8);
		break;
	case 1:
		hsl_chip_mmio_write(c->e, CTF(o), v, 4);
		break;
	case 2:
		hsl_chip_mmio_read(c->e, CTF(fake_random(seed) % (HSL_CTF_BYTES - 8)), 1u << fake_random(seed) % 4);
		break;
	case 3:
		fake_write32(c, CTF(HSL_CTF_KEY), fake_random(seed) % 8 ? HSL_CTF_UNLOCK : 0);
		break;
	case 4:
		fake_write32(c, CTF(HSL_CTF_LINK), fake_random(seed) % 4 ? 0 : (uint32_t)v);
		break;
	default:
		run(w, node, fake_random(seed) % HSL_CTF_CMD_FATAL, fake_random(seed) % 4 ? fake_random(seed) % 6 : v,
		    fake_random(seed) % 2 ? fake_random(seed) % 3 : v, fake_random(seed) % 3 ? fake_random(seed) % 64 : v);
		break;
	}
}

/* Both chips at random, with accesses that end in whatever way; then the fabric is as good as new. */
static void hostile(void **state)
{
	struct world *w = world_new();
	uint32_t seed = 22;

	(void)state;
	for (unsigned int round = 0; round < 40; round++) {
		for (unsigned int i = 0; i < 100; i++)
			storm(w, 1 + fake_random(&seed) % 2, &seed);
		for (uint32_t node = 1; node <= 2; node++) {	/* nobody lets go of credit here */
			for (uint32_t i = 0; fake_read32(chip(w, node), CTF(HSL_CTF_KEY)) && i < 1; i++) {
				fake_write32(chip(w, node), CTF(HSL_CTF_LINK), 0);
				cmd(w, node, HSL_CTF_CMD_FREEZE, 0, 0, 0);
			}
		}
		hsl_chip_window_write(chip(w, 1)->e, 0, 64 * (round % 60), round, 8);
		hsl_chip_window_read(chip(w, 2)->e, 0, 64 * (round % 60), 8);
		if (round % 10 == 9) {
			for (uint32_t node = 1; node <= 2; node++)
				key(w, node, false);
			heal(w);
			traffic(w, 200, &seed);
			compare(w);
		}
	}
	world_free(w);
}

/* ---- without it ---- */

static void not_there(void **state)
{
	struct fake_fabric *f;

	(void)state;
	rig_direct = true;
	f = fake_new(2, HSL_TOPO_PAIR, 2, MEM);
	rig_direct = false;
	assert_false(fake_read64(&f->chip[1], HSL_REG_CAP) & HSL_CAP_CTF);
	fake_write32(&f->chip[1], CTF(HSL_CTF_KEY), HSL_CTF_UNLOCK);
	for (unsigned int i = 0; i < HSL_CTF_BYTES; i += 8)
		assert_int_equal(fake_read64(&f->chip[1], CTF(i)), 0);
	fake_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(locked), cmocka_unit_test(refused), cmocka_unit_test(armed_crc), cmocka_unit_test(armed_others),
		cmocka_unit_test(wires),  cmocka_unit_test(states),  cmocka_unit_test(lanes),
		cmocka_unit_test(asks_again), cmocka_unit_test(leaves),
		cmocka_unit_test(frozen), cmocka_unit_test(frozen_and_reset), cmocka_unit_test(presets),
		cmocka_unit_test(raw_refused), cmocka_unit_test(raw_forged), cmocka_unit_test(loopback),
		cmocka_unit_test(state_log), cmocka_unit_test(lines), cmocka_unit_test(poison), cmocka_unit_test(packets),
		cmocka_unit_test(captured), cmocka_unit_test(fatal),
		cmocka_unit_test(from_outside),
		cmocka_unit_test(undone), cmocka_unit_test(hostile), cmocka_unit_test(not_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
