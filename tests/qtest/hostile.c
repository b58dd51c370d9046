// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * HEP-SEC-008: a hostile guest. Random registers, doorbells, windows, MSI-X tables, descriptors and tables, configuration space,
 * BARs that are sized and moved while commands run, rings and tables outside of RAM and in the chips' own BARs, resets in
 * between; afterwards QEMU is alive, says nothing, and both chips work as if new. The manifest runs it on a QEMU with sanitizers
 * too, where there is one: that tells of each access outside of what is QEMU's.
 *
 * HSL_TEST_SEED=N repeats a run; the seed is printed. HSL_TEST_STEPS=N makes it longer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "common/qtest_chip.h"

#define MEM	"memory-backend-memfd,share=on,size=128M,id="
#define STEPS	6000u

static struct qt qt;
static struct qc chip[3];
static uint64_t rng_state;

static uint64_t rng(void)	/* splitmix64 */
{
	uint64_t z = rng_state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static uint32_t below(uint32_t n)
{
	return (uint32_t)(rng() % n);
}

/* An address for DMA where a guest should have none: chips, interrupt controllers, beyond RAM, the very end. */
static uint64_t nowhere(void)
{
	const struct qc *c = &chip[1 + below(2)];

	switch (below(7)) {
	case 0: return c->bar0 + below(0x200) * 0x1000ull;
	case 1: return c->bar2 + below(64) * 0x1000ull;
	case 2: return c->bar4 + below(64) * 0x1000ull;
	case 3: return 0xfec00000 + below(0x200) * 0x1000ull;
	case 4: return QC_RAM(0) + (1ull << (33 + below(30)));
	case 5: return 0xa0000 + below(0x60) * 0x1000ull;
	default: return -(uint64_t)below(4) * 0x1000;
	}
}

/* A value that is likely to matter: zero, ones, an address of ours or of nobody, a GA, a small number, noise. */
static uint64_t value(void)
{
	switch (below(9)) {
	case 8: return nowhere();
	case 0: return 0;
	case 1: return ~0ull;
	case 2: return QC_RAM(1 + below(2)) + below(64) * 0x1000ull;
	case 3: return QC_TABLES + below(4) * 0x1000ull;
	case 4: return HSL_GA(below(4), (uint64_t)below(0x900) * 0x10000);
	case 5: return HSL_GA(HSL_NODE_HOST_DEFAULT, QC_HOST_OFFSET + below(0x11000));
	case 6: return below(70000);
	default: return rng();
	}
}

static void write_register(struct qc *c)
{
	static const uint16_t fixed[] = { 0x80, 0x80, 0x84, 0x88, 0x8c, 0x90, 0xa0, 0xa4, 0xa8, 0xb0, 0xb8, 0xc0 };
	unsigned int size = 1u << below(4);
	uint64_t reg;

	switch (below(4)) {
	case 0: reg = fixed[below(sizeof(fixed) / sizeof(fixed[0]))]; break;
	case 1: reg = HSL_REG_WIN(below(10)) + below(8) * 4; break;
	case 2: reg = HSL_MSIX_TABLE + below(0x240); break;
	default: reg = below(0x10000); break;
	}
	qt_write(c->q, c->bar0 + (reg & ~(size - 1ull)), size, value());
	(void)qt_read(c->q, c->bar0 + (below(0x10000) & ~7u), 8);
}

static void write_doorbell(struct qc *c)
{
	qt_write(c->q, c->bar0 + qc_doorbell(below(66)) + below(4) * 8, 1u << below(4), below(2) ? below(40) : rng());
}

static struct hsl_desc descriptor(void)
{
	static const uint8_t op[] = { 0, 1, 1, 1, 2, 2, 0x80, 0x81, 0x82, 0x82, 0x83, 3, 9, 0xff };

	return (struct hsl_desc){
		.opcode = op[below(sizeof(op))], .flags = below(16) ? 0 : (uint8_t)rng(),
		.order = below(8) ? 0 : (uint8_t)below(5), .cookie = rng(), .dst = value(), .src = value(),
		.len = below(3) ? below(100000) : value(), .arg0 = below(2) ? HSL_QC_ARG0(below(66), below(17), below(33)) : value(),
		.arg1 = below(2) ? below(4) : value(),
	};
}

/* Descriptors into the ring of the admin queue or of queue 1, and its doorbell a little or far ahead. */
static void write_ring(struct qc *c)
{
	uint32_t qid = below(2);
	uint64_t sq = QC_RAM(c->node) + qid * 0x2000ull;

	for (unsigned int i = 0; i < 4; i++) {
		struct hsl_desc d = descriptor();

		qt_memwrite(c->q, sq + below(QC_DEPTH) * sizeof(d), &d, sizeof(d));
	}
	qt_write(c->q, c->bar0 + qc_doorbell(qid), 4, qt_read(c->q, sq + 0x1018, 2) + below(QC_DEPTH + 2));
}

static void write_table(struct qc *c)
{
	qt_write(c->q, QC_TABLES + (below(0x4000) & ~7u), 8, value());
}

/* Anywhere in configuration space; the capabilities are the more interesting part. */
static void write_config(struct qc *c)
{
	unsigned int size = 1u << below(3), at = below(4) ? below(0x100) : below(0x1000);

	at &= ~(size - 1);
	(void)qt_cfg_read(&qt, c->bdf, at, size);
	qt_cfg_write(&qt, c->bdf, at, size, (uint32_t)value());
}

/* As firmware sizes them, with memory decoding on; then they are where they were, somewhere else, or on top of each other. */
static void move_bars(struct qc *c)
{
	unsigned int bar = 0x10 + 8 * below(3);
	uint64_t was = qt_cfg_read(&qt, c->bdf, bar, 4) | (uint64_t)qt_cfg_read(&qt, c->bdf, bar + 4, 4) << 32, to = was;

	qt_cfg_write(&qt, c->bdf, bar, 4, ~0u);
	qt_cfg_write(&qt, c->bdf, bar + 4, 4, ~0u);
	(void)qt_cfg_read(&qt, c->bdf, bar, 4);
	switch (below(6)) {
	case 0: to = value(); break;
	case 1: to = chip[1 + below(2)].bar2; break;
	case 2: to = QC_RAM(c->node); break;
	}
	qt_cfg_write(&qt, c->bdf, bar, 4, (uint32_t)to);
	qt_cfg_write(&qt, c->bdf, bar + 4, 4, (uint32_t)(to >> 32));
	if (to == was)
		return;
	write_register(c);
	qt_cfg_write(&qt, c->bdf, bar, 4, (uint32_t)was);
	qt_cfg_write(&qt, c->bdf, bar + 4, 4, (uint32_t)(was >> 32));
}

static void write_memory(struct qc *c)
{
	unsigned int size = 1u << below(4);
	uint64_t at = (below(2) ? c->bar2 : c->bar4) + (below(16) ? below(0x900) * 0x10000ull : rng() % (1ull << 29));

	qt_write(&qt, (at + below(64)) & ~(size - 1ull), size, value());
	(void)qt_read(&qt, at, 8);
}

/* The admin queue or the tables where there is no memory, or no memory of the guest's. */
static void bring_up_nowhere(struct qc *c)
{
	qc_w32(c, HSL_REG_CTRL, HSL_CTRL_RESET);
	qc_w64(c, HSL_REG_AQ_SQ, below(2) ? nowhere() : c->aq.sq);
	qc_w64(c, HSL_REG_AQ_CQ, below(2) ? nowhere() : c->aq.cq);
	qc_w32(c, HSL_REG_AQ_DEPTH, 2u << below(12));
	qc_w64(c, HSL_REG_CTX_TABLE, below(2) ? nowhere() : QC_CTX_TABLE);
	qc_w32(c, HSL_REG_CTX_COUNT, 1 + below(QC_CTX_COUNT));
	qc_w32(c, HSL_REG_CTRL, HSL_CTRL_ENABLE);
	qc_w32(c, qc_doorbell(0), below(32));
}

static void bring_up(struct qc *c, unsigned int dev, uint32_t node)
{
	qc_map(c, &qt, QT_BDF(0, dev), node, true);
	qc_enable(c);
}

static void flr(struct qc *c)
{
	unsigned int at = qt_find_cap(&qt, c->bdf, 0x10);

	qt_cfg_write(&qt, c->bdf, at + 8, 2, 1u << 15);
}

static void garbage(void **state)
{
	static const char *const args[] = {
		"-object", "hsl-fabric,id=fab0,topology=pair", "-object", MEM "m1", "-object", MEM "m2",
		"-device", "hsl-chip,bus=pcie.0,addr=4,fabric=fab0,node=1,memdev=m1,max-len=1M",
		"-device", "hsl-chip,bus=pcie.0,addr=5,fabric=fab0,node=2,memdev=m2,max-len=1M", NULL
	};
	const char *seed = getenv("HSL_TEST_SEED"), *steps = getenv("HSL_TEST_STEPS");
	unsigned long n = steps ? strtoul(steps, NULL, 0) : STEPS;
	struct qc_ring q;

	(void)state;
	rng_state = seed ? strtoull(seed, NULL, 0) : (uint64_t)time(NULL);
	print_message("# HSL_TEST_SEED=%llu\n", (unsigned long long)rng_state);
	qt_start(&qt, args);
	qc_write_tables(&qt);
	for (uint32_t node = 1; node <= 2; node++)
		bring_up(&chip[node], 3 + node, node);
	for (unsigned long i = 0; i < n; i++) {
		struct qc *c = &chip[1 + below(2)];

		switch (below(64)) {
		case 0:
			flr(c);		/* also what configuration space had become */
			qc_write_tables(&qt);
			bring_up(c, 3 + c->node, c->node);
			qt_memset(&qt, QC_RAM(c->node) + 0x2000, 0, 0x2000);
			break;
		case 1:
			flr(c);
			bring_up(c, 3 + c->node, c->node);
			break;
		case 2:
			qt_cfg_write(&qt, c->bdf, 4, 2, 2 + 4 * below(2));
			break;
		case 3:
			qt_cfg_write(&qt, c->bdf, qt_find_cap(&qt, c->bdf, 0x11) + 2, 2, below(4) << 14);
			break;
		case 4: bring_up_nowhere(c); break;
		case 5: move_bars(c); break;
		case 6 ... 7: write_config(c); break;
		case 8 ... 9: write_memory(c); break;
		case 10 ... 20: write_register(c); break;
		case 21 ... 31: write_doorbell(c); break;
		case 32 ... 40: write_table(c); break;
		default: write_ring(c); break;
		}
	}
	assert_true(qt_alive(&qt));
	assert_true(qt_qmp(&qt, NULL, 0, "{\"execute\":\"query-status\"}"));

	/* as if new */
	flr(&chip[1]);
	flr(&chip[2]);
	qc_write_tables(&qt);
	for (uint32_t node = 1; node <= 2; node++) {
		bring_up(&chip[node], 3 + node, node);
		assert_int_equal(qc_r32(&chip[node], HSL_REG_STATUS), HSL_STATUS_READY);
	}
	assert_int_equal(qc_create(&chip[1], &q, 1, 1), HSL_ST_OK);
	for (unsigned int i = 0; i < 2 * QC_DEPTH; i++) {
		uint64_t want = rng();

		qt_write(&qt, chip[1].bar2 + QC_SEG_OFFSET, 8, want);
		assert_int_equal(qc_do(&chip[1], &q, (struct hsl_desc){
			.opcode = HSL_OP_COPY, .dst = HSL_GA(2, QC_SEG_OFFSET + 8 * i), .src = HSL_GA(1, QC_SEG_OFFSET),
			.len = 8 }, NULL), HSL_ST_OK);
		assert_int_equal(qt_read(&qt, chip[2].bar2 + QC_SEG_OFFSET + 8 * i, 8), want);
	}
}

static int teardown(void **state)
{
	(void)state;
	qt_stop(&qt);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test_teardown(garbage, teardown) };

	if (!qt_binary()) {
		fprintf(stderr, "QEMU= names no binary\n");
		return 77;
	}
	return cmocka_run_group_tests_name("qtest-hostile", tests, NULL, NULL);
}
