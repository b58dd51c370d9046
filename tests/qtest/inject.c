// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Errors through QEMU's monitor: property inject of hsl-fabric. Each by what a chip shows of it, while the host port of chip 1
 * loads and stores memory of chip 2 through a modelled window; and that a string that is refused has done nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/qtest_chip.h"

#define MEM		"memory-backend-memfd,share=on,size=128M,id="
#define CHIP(n)		"-device", "hsl-chip,id=chip" #n ",bus=pcie.0,addr=" #n ",fabric=fab0,node=" #n ",memdev=m" #n
#define WINDOW		0x410000ull	/* in the memory of chip 2 */

static struct qt qt;
static struct qc chip[3];	/* by node */
static char said[512];
static unsigned int next;	/* line of the window that nobody has used */

static bool inject(const char *what)
{
	return qt_qmp(&qt, said, sizeof(said), "{\"execute\":\"qom-set\",\"arguments\":{\"path\":\"/objects/fab0\","
		      "\"property\":\"inject\",\"value\":\"%s\"}}", what);
}

#define INJECT(what)							\
	do {								\
		if (!inject(what))					\
			fail_msg("%s: %s", what, said);			\
	} while (0)

static int setup(void **state)
{
	static const char *const args[] = {
		"-object", "hsl-fabric,id=fab0,topology=pair,inject=1-2 crc 1",
		"-object", MEM "m1", "-object", MEM "m2", CHIP(1), CHIP(2), NULL
	};
	struct qc *c = &chip[1];

	(void)state;
	next = 100;
	qt_start(&qt, args);
	for (uint32_t node = 1; node <= 2; node++) {
		qc_map(&chip[node], &qt, QT_BDF(0, node), node, true);
		qc_enable(&chip[node]);
	}
	qc_w64(c, HSL_REG_WIN(0) + HSL_WIN_O_GA, HSL_GA(2, WINDOW));
	qc_w64(c, HSL_REG_WIN(0) + HSL_WIN_O_SIZE, 0x10000);
	qc_w32(c, HSL_REG_WIN(0) + HSL_WIN_O_CTRL, HSL_WIN_CTRL_ENABLE | HSL_WIN_CTRL_MODELLED);
	assert_int_equal(qc_r32(c, HSL_REG_WIN(0) + HSL_WIN_O_STATUS), HSL_WIN_ACTIVE);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	qt_stop(&qt);
	return 0;
}

static uint64_t counter(uint32_t node, uint32_t o)
{
	return qc_r64(&chip[node], HSL_REG_LINK_STAT(0) + o);
}

static uint32_t link_reg(uint32_t node, uint32_t o)
{
	return qc_r32(&chip[node], HSL_REG_LINK(0) + o);
}

static uint64_t load(unsigned int line)
{
	return qt_read(&qt, chip[1].bar4 + 64 * line, 8);
}

/* n lines that no cache has, stored to and read. */
static void traffic(unsigned int n)
{
	for (unsigned int i = 0; i < n; i++, next++) {
		assert_true(next < 0x10000 / 64);
		qt_write(&qt, chip[1].bar4 + 64 * next, 8, 0x1234567800000000 + i);
		assert_int_equal(load(next), 0x1234567800000000 + i);
	}
}

/* What was asked for when the fabric was made, and that it reads as it was written. */
static void at_creation(void **state)
{
	(void)state;
	traffic(10);
	assert_int_equal(counter(2, HSL_LINK_STAT_RX_BAD), 1);
	assert_true(qt_qmp(&qt, said, sizeof(said), "{\"execute\":\"qom-get\",\"arguments\":{\"path\":\"/objects/fab0\","
			   "\"property\":\"inject\"}}"));
	assert_non_null(strstr(said, "\"1-2 crc 1\""));
}

static void refused(void **state)
{
	static const struct { const char *what, *why; } bad[] = {
		{ "1-2", "what?" }, { "1-2 ber", "ber: a probability" }, { "ber 1", "which link" }, { "1 ber 1", "which link" },
		{ "1-3 ber 1", "no link 1-3" }, { "1- ber 1", "neither a link" }, { "0-1 ber 1", "neither a link" },
		{ "1-2 ber 1 lane 16 fail", "lanes 0 to 15" }, { "1-2 ber 1 link leave", "only way" },
		{ "1-2 ber 1 late 1 5000", "places at most" }, { "1-2 lane 3 fail delay 1 1s", "replay time" },
		{ "1-2 ber 1 poison 0x2000008000000", "bytes of memory" }, { "1-2 ber 1 poison 0x3000000000000", "no chip 3" },
		{ "1-2 ber 1 fatal", "goes alone" }, { "1-2 fatal", "of which chip" }, { "fatal", "of which chip" },
		{ "3 fatal", "no chip 3" }, { "1-2 ber 1 sideways", "'sideways' is not known" }, { "clear", "which link" },
		{ "1-9 poison 0x2000000001000", "no link 1-9" },
	};
	uint64_t before = counter(2, HSL_LINK_STAT_RX_BAD);

	(void)state;
	INJECT("1-2 clear");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (inject(bad[i].what) || !strstr(said, bad[i].why))
			fail_msg("%s: %s", bad[i].what, said);
	traffic(50);
	assert_int_equal(counter(2, HSL_LINK_STAT_RX_BAD), before);
	assert_int_equal(link_reg(1, HSL_LINK_O_STATE), HSL_LTSSM_L0);
	assert_int_equal(link_reg(1, HSL_LINK_O_WIDTH), 16);
	assert_int_equal(qc_r32(&chip[1], HSL_REG_STATUS) | qc_r32(&chip[2], HSL_REG_STATUS), HSL_STATUS_READY);
}

/* In both directions, at random and chosen; until they are ended. */
static void flits(void **state)
{
	uint64_t bad;

	(void)state;
	traffic(10);
	bad = counter(2, HSL_LINK_STAT_RX_BAD);
	INJECT("1-2 crc 3@2 77");
	traffic(20);
	assert_int_equal(counter(2, HSL_LINK_STAT_RX_BAD), bad + 3);
	bad = counter(1, HSL_LINK_STAT_RX_BAD);
	INJECT("2-1 seed 7 ber 1e-4 drop 0.01");
	traffic(200);
	assert_true(counter(1, HSL_LINK_STAT_RX_BAD) > bad);
	INJECT("2-1 clear");
	bad = counter(1, HSL_LINK_STAT_RX_BAD);
	traffic(100);
	assert_int_equal(counter(1, HSL_LINK_STAT_RX_BAD), bad);
}

static bool link_event(uint32_t node)	/* a worker raises it */
{
	for (int i = 0; i < 2000 && !(qc_r32(&chip[node], HSL_REG_EVENT) & HSL_EVENT_LINK); i++)
		usleep(1000);
	return qc_r32(&chip[node], HSL_REG_EVENT) & HSL_EVENT_LINK;
}

static void links(void **state)
{
	uint64_t retrains;

	(void)state;
	traffic(1);
	for (uint32_t node = 1; node <= 2; node++)
		qc_w32(&chip[node], HSL_REG_EVENT, HSL_EVENT_ALL);
	INJECT("1-2 lane 15 fail");
	for (uint32_t node = 1; node <= 2; node++) {
		assert_int_equal(link_reg(node, HSL_LINK_O_WIDTH), 8);
		assert_true(link_event(node));
	}
	traffic(10);
	INJECT("1-2 clear");
	assert_int_equal(link_reg(2, HSL_LINK_O_WIDTH), 16);
	retrains = counter(1, HSL_LINK_STAT_RETRAINS);
	INJECT("1-2 link retrain");
	assert_int_equal(counter(1, HSL_LINK_STAT_RETRAINS), retrains + 1);
	INJECT("2-1 link down");
	assert_int_equal(link_reg(1, HSL_LINK_O_STATE), HSL_LTSSM_DISABLED);
	assert_int_equal(load(5000 / 64), UINT64_MAX);
	INJECT("2-1 link up");
	assert_int_equal(link_reg(1, HSL_LINK_O_STATE), HSL_LTSSM_L0);
	traffic(10);
}

static void memory(void **state)
{
	(void)state;
	qt_write(&qt, chip[2].bar2 + WINDOW + 64 * 3, 8, 5);
	INJECT("1-2 timeout 1");
	assert_int_equal(load(3), UINT64_MAX);
	assert_int_equal(load(3), 5);
	qt_write(&qt, chip[2].bar2 + WINDOW + 64 * 4, 8, 6);
	INJECT("poison 0x2000000410100");
	assert_int_equal(load(4), UINT64_MAX);
	qt_write(&qt, chip[2].bar2 + WINDOW + 64 * 5, 8, 7);
	INJECT("2 poison 0x2000000410140");
	INJECT("unpoison 0x2000000410140");
	assert_int_equal(load(5), 7);
}

static void fatal(void **state)
{
	unsigned int at = qt_find_cap(&qt, chip[2].bdf, 0x10);

	(void)state;
	traffic(1);
	INJECT("2 fatal");
	assert_int_equal(qc_r32(&chip[2], HSL_REG_STATUS), HSL_STATUS_READY | HSL_STATUS_FATAL);
	assert_true(qc_r32(&chip[2], HSL_REG_EVENT) & HSL_EVENT_FATAL);
	assert_int_equal(load(3), UINT64_MAX);
	assert_int_equal(qc_r32(&chip[1], HSL_REG_STATUS), HSL_STATUS_READY);
	qc_w32(&chip[2], HSL_REG_CTRL, HSL_CTRL_RESET);
	assert_int_equal(qc_r32(&chip[2], HSL_REG_STATUS), HSL_STATUS_FATAL);
	qt_cfg_write(&qt, chip[2].bdf, at + 8, 2, qt_cfg_read(&qt, chip[2].bdf, at + 8, 2) | 1u << 15);
	qc_map(&chip[2], &qt, QT_BDF(0, 2), 2, true);
	assert_int_equal(qc_r32(&chip[2], HSL_REG_STATUS), 0);
	/* the window onto it went with the reset */
	qc_w32(&chip[1], HSL_REG_WIN(0) + HSL_WIN_O_CTRL, 0);
	qc_w32(&chip[1], HSL_REG_WIN(0) + HSL_WIN_O_CTRL, HSL_WIN_CTRL_ENABLE | HSL_WIN_CTRL_MODELLED);
	traffic(10);
}

int main(void)
{
#define T(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = { T(at_creation), T(refused), T(flits), T(links), T(memory), T(fatal) };

	if (!qt_binary()) {
		fprintf(stderr, "QEMU= names no binary\n");
		return 77;
	}
	return cmocka_run_group_tests_name("qtest-inject", tests, NULL, NULL);
}
