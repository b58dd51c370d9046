// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * The PCI function, its registers and its properties, seen from outside a QEMU without CPUs.
 *
 * Every test has its own QEMU with chips 1 and 2 of a pair on the root complex, unless it says otherwise.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/qtest_chip.h"
#include "hsl/ctf.h"

#define ROOT(dev)	QT_BDF(0, dev)
#define MEM		"memory-backend-memfd,share=on,size=128M,id="

static const char *const two_chips[] = {
	"-object", "hsl-fabric,id=fab0,topology=pair", "-object", MEM "m1", "-object", MEM "m2",
	"-device", "hsl-chip,id=chip1,bus=pcie.0,addr=4,fabric=fab0,node=1,memdev=m1",
	"-device", "hsl-chip,id=chip2,bus=pcie.0,addr=5,fabric=fab0,node=2,memdev=m2,vendor-id=0xabcd,device-id=0x12,ctf=off",
	NULL,
};

static struct qt qt;
static struct qc chip[3];	/* by node */

static int setup(void **state)
{
	(void)state;
	qt_start(&qt, two_chips);
	qc_map(&chip[1], &qt, ROOT(4), 1, true);
	qc_map(&chip[2], &qt, ROOT(5), 2, true);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	qt_stop(&qt);
	return 0;
}

/* HEP-CTF-001, 002: the test facility, up to the function's own reset */
static void test_facility(void **state)
{
	const uint64_t at = HSL_CTF_OFFSET_DEFAULT;

	(void)state;
	assert_int_equal(qc_r32(&chip[1], at + HSL_CTF_ID), HSL_CTF_ID_VALUE);
	assert_int_equal(qc_r32(&chip[2], at + HSL_CTF_ID), 0);
	qc_w32(&chip[1], at + HSL_CTF_KEY, HSL_CTF_UNLOCK);
	assert_int_equal(qc_r32(&chip[1], at + HSL_CTF_KEY), 1);
	qc_w64(&chip[1], at + HSL_CTF_ARG0, HSL_CTF_STATE_DISABLE);
	qc_w32(&chip[1], at + HSL_CTF_CMD, HSL_CTF_CMD_STATE);
	assert_int_equal(qc_r32(&chip[1], at + HSL_CTF_STATUS), HSL_ST_OK);
	for (unsigned int node = 1; node <= 2; node++)
		assert_int_equal(qc_r32(&chip[node], HSL_REG_LINK(0) + HSL_LINK_O_STATE), HSL_LTSSM_DISABLED);
	qt_cfg_write(&qt, ROOT(4), qt_find_cap(&qt, ROOT(4), 0x10) + 8, 2, 0x8000);	/* FLR */
	qc_map(&chip[1], &qt, ROOT(4), 1, true);
	assert_int_equal(qc_r32(&chip[1], at + HSL_CTF_KEY), 0);
	for (unsigned int node = 1; node <= 2; node++)
		assert_int_equal(qc_r32(&chip[node], HSL_REG_LINK(0) + HSL_LINK_O_STATE), HSL_LTSSM_L0);
}

/* HEP-REG-001: class, DVSEC, BAR indicators; ids are properties. */
static void identity(void **state)
{
	unsigned int at;

	(void)state;
	assert_int_equal(qt_cfg_read(&qt, ROOT(4), 0, 4), HSL_PCI_VENDOR_ID | HSL_PCI_DEVICE_ID << 16);
	assert_int_equal(qt_cfg_read(&qt, ROOT(5), 0, 4), 0x0012abcd);
	assert_int_equal(qt_cfg_read(&qt, ROOT(4), 0x0a, 2), HSL_PCI_CLASS);
	for (uint32_t node = 1; node <= 2; node++) {
		at = qt_find_ext_cap(&qt, chip[node].bdf, 0x23);
		assert_int_not_equal(at, 0);
		assert_int_equal(qt_cfg_read(&qt, chip[node].bdf, at + 4, 4),
				 HSL_DVSEC_VENDOR | HSL_DVSEC_REV << 16 | HSL_DVSEC_LEN << 20);
		assert_int_equal(qt_cfg_read(&qt, chip[node].bdf, at + 8, 2), HSL_DVSEC_ID);
		assert_int_equal(qt_cfg_read(&qt, chip[node].bdf, at + HSL_DVSEC_O_HEP, 2), HSL_HEP_MAJOR << 8);
		assert_int_equal(qt_cfg_read(&qt, chip[node].bdf, at + HSL_DVSEC_O_BARS, 4),
				 node == 1 ? HSL_DVSEC_BARS_CTF | 0x420 : 0x420);
		assert_int_equal(qt_cfg_read(&qt, chip[node].bdf, at + HSL_DVSEC_O_REGS, 4), 0);
		assert_int_equal(qt_cfg_read(&qt, chip[node].bdf, at + HSL_DVSEC_O_NODE, 4), node);
		assert_int_equal(qt_cfg_read(&qt, chip[node].bdf, at + HSL_DVSEC_O_CTF, 4),
				 node == 1 ? HSL_CTF_OFFSET_DEFAULT : 0);
		assert_int_equal(!!(qc_r64(&chip[node], HSL_REG_CAP) & HSL_CAP_CTF), node == 1);
	}
	assert_int_not_equal(qt_find_ext_cap(&qt, ROOT(4), 0x01), 0);	/* AER */
	at = qt_find_cap(&qt, ROOT(4), 0x10);				/* PCI Express, with FLR */
	assert_int_not_equal(at, 0);
	assert_int_equal(qt_cfg_read(&qt, ROOT(4), at + 4, 4) >> 28 & 1, 1);
	at = qt_find_cap(&qt, ROOT(4), 0x11);				/* MSI-X: 32 vectors, in BAR0 */
	assert_int_equal(qt_cfg_read(&qt, ROOT(4), at + 2, 2) & 0x7ff, 31);
	assert_int_equal(qt_cfg_read(&qt, ROOT(4), at + 4, 4), HSL_MSIX_TABLE);
	assert_int_equal(qt_cfg_read(&qt, ROOT(4), at + 8, 4), HSL_MSIX_PBA);
}

static uint64_t bar_bytes(unsigned int bdf, unsigned int bar, unsigned int *type)
{
	unsigned int reg = 0x10 + 4 * bar;
	uint32_t lo = qt_cfg_read(&qt, bdf, reg, 4), hi = qt_cfg_read(&qt, bdf, reg + 4, 4);
	uint64_t mask;

	qt_cfg_write(&qt, bdf, reg, 4, ~0u);
	qt_cfg_write(&qt, bdf, reg + 4, 4, ~0u);
	mask = (uint64_t)qt_cfg_read(&qt, bdf, reg + 4, 4) << 32 | qt_cfg_read(&qt, bdf, reg, 4);
	qt_cfg_write(&qt, bdf, reg, 4, lo);
	qt_cfg_write(&qt, bdf, reg + 4, 4, hi);
	*type = mask & 0xf;
	return ~(mask & ~0xfull) + 1;
}

/* HEP-REG-012, HEP-REG-009: BARs as the registers say. */
static void bars(void **state)
{
	struct qc *c = &chip[1];
	unsigned int type;
	uint64_t stride, end;

	(void)state;
	stride = qc_r32(c, HSL_REG_DB_STRIDE);
	end = qc_r32(c, HSL_REG_DB_OFFSET) + qc_r32(c, HSL_REG_NQUEUES) * stride;
	assert_int_equal(stride & (stride - 1), 0);
	assert_true(stride >= 0x10000);
	assert_true(bar_bytes(c->bdf, HSL_BAR_REGS, &type) >= end);
	assert_int_equal(type, 0x4);	/* 64 bit */
	assert_int_equal(bar_bytes(c->bdf, HSL_BAR_MEM, &type), 128 << 20);
	assert_int_equal(type, 0xc);	/* and prefetchable */
	assert_int_equal(qc_r64(c, HSL_REG_MEM_SIZE), 128 << 20);
	/* twice the memory: half of the windows show all of it */
	assert_int_equal(bar_bytes(c->bdf, HSL_BAR_WIN, &type), 256 << 20);
	assert_int_equal(type, 0xc);
	assert_int_equal((uint64_t)qc_r32(c, HSL_REG_NWINDOWS) << qc_r32(c, HSL_REG_WIN_STRIDE_LOG2), 256 << 20);
}

/* HEP-MAP-002: BAR2 is memory, all of it. */
static void memory(void **state)
{
	(void)state;
	qt_write(&qt, chip[1].bar2, 8, 0x1122334455667788ull);
	qt_write(&qt, chip[1].bar2 + (128 << 20) - 8, 8, 0x99aabbccddeeff00ull);
	assert_int_equal(qt_read(&qt, chip[1].bar2, 8), 0x1122334455667788ull);
	assert_int_equal(qt_read(&qt, chip[1].bar2 + 3, 1), 0x55);
	assert_int_equal(qt_read(&qt, chip[1].bar2 + (128 << 20) - 8, 8), 0x99aabbccddeeff00ull);
	assert_int_equal(qt_read(&qt, chip[2].bar2, 8), 0);
}

/* HEP-REG-002, HEP-REG-010: identity registers, one fabric. */
static void registers_identity(void **state)
{
	(void)state;
	for (uint32_t node = 1; node <= 2; node++) {
		assert_int_equal(qc_r32(&chip[node], HSL_REG_MAGIC), HSL_MAGIC);
		assert_int_equal(qc_r32(&chip[node], HSL_REG_VERSION), HSL_HEP_VERSION);
		assert_int_equal(qc_r32(&chip[node], HSL_REG_NODE), node);
		assert_int_equal(qc_r32(&chip[node], HSL_REG_HOST_NODE), HSL_NODE_HOST_DEFAULT);
		assert_int_equal(qc_r32(&chip[node], HSL_REG_NQUEUES), 64);
		assert_int_equal(qc_r32(&chip[node], HSL_REG_NVECTORS), 32);
		assert_int_equal(qc_r32(&chip[node], HSL_REG_NWINDOWS), 16);
		/* HEP-LNK-003 */
		assert_int_equal(qc_r32(&chip[node], HSL_REG_NLINKS), 1);
		assert_int_equal(qc_r32(&chip[node], HSL_REG_LINK(0) + HSL_LINK_O_PEER),
				 (3 - node) | HSL_NODE_TYPE_CHIP << 16);
		assert_int_equal(qc_r32(&chip[node], HSL_REG_LINK(0) + HSL_LINK_O_STATE), HSL_LTSSM_L0);
	}
	assert_int_not_equal(qc_r64(&chip[1], HSL_REG_FABRIC_LO), 0);
	assert_int_equal(qc_r64(&chip[1], HSL_REG_FABRIC_LO), qc_r64(&chip[2], HSL_REG_FABRIC_LO));
	assert_int_equal(qc_r64(&chip[1], HSL_REG_FABRIC_HI), qc_r64(&chip[2], HSL_REG_FABRIC_HI));
}

/* HEP-REG-003, HEP-REG-004 */
static void registers_read_only(void **state)
{
	static const uint16_t ro[] = { HSL_REG_MAGIC, HSL_REG_VERSION, HSL_REG_CAP, HSL_REG_NODE, HSL_REG_MEM_SIZE,
				       HSL_REG_NQUEUES, HSL_REG_MAX_LEN, HSL_REG_STATUS, HSL_REG_LINK(0) };
	static const uint16_t none[] = { 0x60, 0x7c, 0x98, 0xb4, 0xc4, 0xc8, 0x800, 0xffc, 0x1400, 0x3000, 0x7ffc };
	struct qc *c = &chip[1];

	(void)state;
	for (size_t i = 0; i < sizeof(ro) / sizeof(ro[0]); i++) {
		uint32_t was = qc_r32(c, ro[i]);

		qc_w32(c, ro[i], ~was);
		assert_int_equal(qc_r32(c, ro[i]), was);
	}
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		qc_w32(c, none[i], 0xffffffff);
		assert_int_equal(qc_r32(c, none[i]), 0);
	}
}

/* HEP-REG-011: halves of 64-bit registers; SCRATCH has no effect and is cleared by reset (HEP-REG-008). */
static void registers_halves(void **state)
{
	struct qc *c = &chip[1];

	(void)state;
	qc_w64(c, HSL_REG_SCRATCH, 0x0123456789abcdefull);
	assert_int_equal(qc_r64(c, HSL_REG_SCRATCH), 0x0123456789abcdefull);
	assert_int_equal(qc_r32(c, HSL_REG_SCRATCH), 0x89abcdef);
	assert_int_equal(qc_r32(c, HSL_REG_SCRATCH + 4), 0x01234567);
	qc_w32(c, HSL_REG_SCRATCH, 0x11111111);
	qc_w32(c, HSL_REG_SCRATCH + 4, 0x22222222);
	assert_int_equal(qc_r64(c, HSL_REG_SCRATCH), 0x2222222211111111ull);
	qc_w32(c, HSL_REG_CTRL, HSL_CTRL_RESET);
	assert_int_equal(qc_r64(c, HSL_REG_SCRATCH), 0);
	assert_int_equal(qc_r32(c, HSL_REG_CTRL), 0);
}

/* HEP-REG-006 */
static void registers_while_enabled(void **state)
{
	static const uint16_t reg[] = { HSL_REG_AQ_SQ, HSL_REG_AQ_CQ, HSL_REG_CTX_TABLE };
	struct qc *c = &chip[1];

	(void)state;
	qc_enable(c);
	assert_int_equal(qc_r32(c, HSL_REG_STATUS), HSL_STATUS_READY);
	for (size_t i = 0; i < sizeof(reg) / sizeof(reg[0]); i++) {
		uint64_t was = qc_r64(c, reg[i]);

		assert_int_not_equal(was, 0);
		qc_w64(c, reg[i], 0x5000);
		assert_int_equal(qc_r64(c, reg[i]), was);
	}
	qc_w32(c, HSL_REG_AQ_DEPTH, 2);
	assert_int_equal(qc_r32(c, HSL_REG_AQ_DEPTH), QC_DEPTH);
	qc_w32(c, HSL_REG_CTX_COUNT, 2);
	assert_int_equal(qc_r32(c, HSL_REG_CTX_COUNT), QC_CTX_COUNT);
	qc_w32(c, HSL_REG_CTRL, 0);
	assert_int_equal(qc_r32(c, HSL_REG_STATUS), 0);
	assert_int_equal(qc_r64(c, HSL_REG_AQ_SQ), 0);
}

/* HEP-REG-007: each bad value alone refuses ENABLE, with all others good. */
static void enable_refused(void **state)
{
	static const struct {
		uint16_t reg;
		uint64_t val;
		unsigned int size;
	} bad[] = {
		{ HSL_REG_AQ_SQ, QC_RAM(1) + 8, 8 }, { HSL_REG_AQ_CQ, QC_RAM(1) + 0x800, 8 },
		{ HSL_REG_AQ_SQ, 0x7fffffffff000ull, 8 }, { HSL_REG_AQ_DEPTH, 0, 4 }, { HSL_REG_AQ_DEPTH, 1, 4 },
		{ HSL_REG_AQ_DEPTH, 24, 4 }, { HSL_REG_AQ_DEPTH, 0x80000000u, 4 }, { HSL_REG_CTX_COUNT, 0, 4 },
		{ HSL_REG_CTX_COUNT, 0xffffffffu, 4 }, { HSL_REG_CTX_TABLE, QC_CTX_TABLE + 64, 8 },
	};
	struct qc *c = &chip[1];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		qc_enable(c);
		assert_int_equal(qc_r32(c, HSL_REG_STATUS), HSL_STATUS_READY);
		qc_w32(c, HSL_REG_CTRL, HSL_CTRL_RESET);
		qc_w64(c, HSL_REG_AQ_SQ, QC_RAM(1));
		qc_w64(c, HSL_REG_AQ_CQ, QC_RAM(1) + 0x1000);
		qc_w32(c, HSL_REG_AQ_DEPTH, QC_DEPTH);
		qc_w64(c, HSL_REG_CTX_TABLE, QC_CTX_TABLE);
		qc_w32(c, HSL_REG_CTX_COUNT, QC_CTX_COUNT);
		if (bad[i].size == 8)
			qc_w64(c, bad[i].reg, bad[i].val);
		else
			qc_w32(c, bad[i].reg, (uint32_t)bad[i].val);
		qc_w32(c, HSL_REG_CTRL, HSL_CTRL_ENABLE);
		if (qc_r32(c, HSL_REG_STATUS) != HSL_STATUS_CONFIG_ERROR)
			fail_msg("register 0x%x = 0x%llx: STATUS 0x%x", bad[i].reg, (unsigned long long)bad[i].val,
				 qc_r32(c, HSL_REG_STATUS));
		qc_w32(c, HSL_REG_CTRL, HSL_CTRL_RESET);
	}
}

/* HEP-REG-005, HEP-LNK-003: a link that goes down and up is an event; only written bits are cleared. */
static void event_link(void **state)
{
	struct qc *c = &chip[1];

	(void)state;
	qc_w32(c, HSL_REG_EVENT, HSL_EVENT_ALL);
	assert_int_equal(qc_r32(c, HSL_REG_EVENT), 0);
	assert_true(qt_qmp(&qt, NULL, 0, "{\"execute\":\"qom-set\",\"arguments\":{\"path\":\"/objects/fab0\","
			   "\"property\":\"link-down\",\"value\":\"1-2\"}}"));
	assert_int_not_equal(qc_r32(c, HSL_REG_LINK(0) + HSL_LINK_O_STATE), HSL_LTSSM_L0);
	assert_int_equal(qc_r32(c, HSL_REG_LINK(0) + HSL_LINK_O_WIDTH), 0);
	assert_int_equal(qc_r32(c, HSL_REG_EVENT), HSL_EVENT_LINK);
	qc_w32(c, HSL_REG_EVENT, HSL_EVENT_QUEUE_ERROR);
	assert_int_equal(qc_r32(c, HSL_REG_EVENT), HSL_EVENT_LINK);
	qc_w32(c, HSL_REG_EVENT, HSL_EVENT_LINK);
	assert_int_equal(qc_r32(c, HSL_REG_EVENT), 0);
	assert_true(qt_qmp(&qt, NULL, 0, "{\"execute\":\"qom-set\",\"arguments\":{\"path\":\"/objects/fab0\","
			   "\"property\":\"link-down\",\"value\":\"\"}}"));
	assert_int_equal(qc_r32(c, HSL_REG_LINK(0) + HSL_LINK_O_STATE), HSL_LTSSM_L0);
	assert_int_equal(qc_r32(&chip[2], HSL_REG_LINK(0) + HSL_LINK_O_STATE), HSL_LTSSM_L0);
	assert_false(qt_qmp(&qt, NULL, 0, "{\"execute\":\"qom-set\",\"arguments\":{\"path\":\"/objects/fab0\","
			    "\"property\":\"link-down\",\"value\":\"1-7\"}}"));
}

/* HEP-REG-015: in D3hot the BARs are dark and a command waits; D1 and D2 are no states; a reset leads to D0. */
static void power_states(void **state)
{
	unsigned int pm = qt_find_cap(&qt, ROOT(4), 0x01) + 4, flr = qt_find_cap(&qt, ROOT(4), 0x10) + 8;
	const struct hsl_desc nop = { .opcode = HSL_OP_NOP };
	struct qc *c = &chip[1];
	struct hsl_cqe cqe;

	(void)state;
	qc_enable(c);
	qc_w64(c, HSL_REG_SCRATCH, 0x5eed);
	qt_write(&qt, c->bar2 + 4096, 8, 0x1122334455667788ull);
	for (unsigned int d = 1; d <= 2; d++) {
		qt_cfg_write(&qt, ROOT(4), pm, 2, d);
		assert_int_equal(qt_cfg_read(&qt, ROOT(4), pm, 2) & 3, 0);
	}
	qt_cfg_write(&qt, ROOT(4), pm, 2, 3);
	assert_int_equal(qt_cfg_read(&qt, ROOT(4), pm, 2) & 3, 3);
	assert_int_equal(qc_r32(c, HSL_REG_MAGIC), 0xffffffff);
	assert_int_equal(qt_read(&qt, c->bar2 + 4096, 8), UINT64_MAX);
	assert_int_equal(qt_read(&qt, c->bar4, 4), 0xffffffff);
	qc_w64(c, HSL_REG_SCRATCH, 0);
	qt_write(&qt, c->bar2 + 4096, 8, 0);
	qc_submit(c, &c->aq, &nop);
	assert_false(qc_poll(c, &c->aq, &cqe));
	/* the other chip sees no difference */
	assert_int_equal(qc_r32(&chip[2], HSL_REG_LINK(0) + HSL_LINK_O_STATE), HSL_LTSSM_L0);
	qt_cfg_write(&qt, ROOT(4), pm, 2, 0);
	assert_int_equal(qc_r64(c, HSL_REG_SCRATCH), 0x5eed);	/* No_Soft_Reset */
	assert_int_equal(qt_read(&qt, c->bar2 + 4096, 8), 0x1122334455667788ull);
	qc_w32(c, qc_doorbell(0) + HSL_DB_SQ_TAIL, c->aq.tail);	/* that one was lost */
	assert_int_equal(HSL_CQE_CODE(qc_wait(c, &c->aq).status), HSL_ST_OK);

	qt_cfg_write(&qt, ROOT(4), pm, 2, 3);
	qt_cfg_write(&qt, ROOT(4), flr, 2, 0x8000);
	assert_int_equal(qt_cfg_read(&qt, ROOT(4), pm, 2) & 3, 0);
	qc_map(c, &qt, ROOT(4), 1, true);
	assert_int_equal(qc_r32(c, HSL_REG_MAGIC), HSL_MAGIC);
	assert_int_equal(qt_read(&qt, c->bar2 + 4096, 8), 0x1122334455667788ull);
}

/* Migration is refused, with a reason. */
static void no_migration(void **state)
{
	char said[512];

	(void)state;
	assert_false(qt_qmp(&qt, said, sizeof(said), "{\"execute\":\"migrate\",\"arguments\":"
			    "{\"uri\":\"exec:cat >/dev/null\"}}"));
	assert_non_null(strstr(said, "hsl-chip"));
}

/* Each bad property ends QEMU with one line that names what is wrong. */
static void bad_properties(void **state)
{
#define FABRIC	"-object", "hsl-fabric,id=fab0,topology=pair"
#define ONE	"-object", MEM "m1"
#define CHIP(p)	"-device", "hsl-chip,bus=pcie.0," p
	static const struct {
		const char *want;
		const char *args[12];
	} bad[] = {
		{ "fabric=ID", { ONE, CHIP("node=1,memdev=m1") } },
		{ "memdev=ID", { FABRIC, CHIP("node=1,fabric=fab0") } },
		{ "needs node=N", { FABRIC, ONE, CHIP("fabric=fab0,memdev=m1") } },
		{ "needs node=N", { FABRIC, ONE, CHIP("fabric=fab0,memdev=m1,node=0") } },
		{ "nodes 1 to 2", { FABRIC, ONE, CHIP("fabric=fab0,memdev=m1,node=3") } },
		{ "another chip", { FABRIC, ONE, "-object", MEM "m2", CHIP("fabric=fab0,memdev=m1,node=1"),
				    CHIP("fabric=fab0,memdev=m2,node=1") } },
		{ "memdev=m1 is in use", { FABRIC, ONE, CHIP("fabric=fab0,memdev=m1,node=1"),
					   CHIP("fabric=fab0,memdev=m1,node=2") } },
		{ "128 MiB to 64 GiB", { FABRIC, "-object", "memory-backend-ram,id=m1,size=64M",
					 CHIP("fabric=fab0,memdev=m1,node=1") } },
		{ "128 MiB to 64 GiB", { FABRIC, "-object", "memory-backend-memfd,id=m1,size=65G,reserve=off",
					 CHIP("fabric=fab0,memdev=m1,node=1") } },
		{ "multiples of 64 KiB", { FABRIC, "-object", "memory-backend-ram,id=m1,size=134221824",
					   CHIP("fabric=fab0,memdev=m1,node=1") } },
		{ "queues=1", { FABRIC, ONE, CHIP("fabric=fab0,memdev=m1,node=1,queues=1") } },
		{ "queues=257", { FABRIC, ONE, CHIP("fabric=fab0,memdev=m1,node=1,queues=257") } },
		{ "vectors=1025", { FABRIC, ONE, CHIP("fabric=fab0,memdev=m1,node=1,vectors=1025") } },
		{ "windows=65", { FABRIC, ONE, CHIP("fabric=fab0,memdev=m1,node=1,windows=65") } },
		{ "power of two", { FABRIC, ONE, CHIP("fabric=fab0,memdev=m1,node=1,aperture=100M") } },
		{ "64 KiB for each", { FABRIC, ONE, CHIP("fabric=fab0,memdev=m1,node=1,aperture=64K") } },
		{ "unknown topology 'star'", { "-object", "hsl-fabric,id=f,topology=star" } },
		{ "unknown link profile 'warp'", { "-object", "hsl-fabric,id=f,profile=warp" } },
		{ "nodes=3", { "-object", "hsl-fabric,id=f,topology=pair,nodes=3" } },
		{ "nodes=18", { "-object", "hsl-fabric,id=f,topology=mesh,nodes=18" } },
		{ "host-node=1", { "-object", "hsl-fabric,id=f,host-node=1" } },
		{ "workers=65", { "-object", "hsl-fabric,id=f,workers=65" } },
		{ "not a UUID", { "-object", "hsl-fabric,id=f,uuid=1234" } },
		{ "no link 1-3", { "-object", "hsl-fabric,id=f,topology=ring,nodes=4,link-down=1-3" } },
		{ "not a link", { "-object", "hsl-fabric,id=f,link-down=1+2" } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char said[1024], *end;
		int status = qt_refuses(bad[i].args, said, sizeof(said));

		end = strchr(said, '\n');
		if (status != 1 || !strstr(said, bad[i].want) || !end || end[1])
			fail_msg("wanted exit 1 and one line with \"%s\", got %d and: %s", bad[i].want, status, said);
	}
}

/* A second fabric has another id; a given uuid is kept; memory that is not a power of two; several properties. */
static void other_properties(void **state)
{
	static const char *const args[] = {
		"-object", "hsl-fabric,id=fab0,topology=ring,nodes=3,host-node=16390",
		"-object", "hsl-fabric,id=fab1,topology=switch,nodes=2,uuid=00112233-4455-6677-8899-aabbccddeeff,workers=1",
		"-object", "memory-backend-memfd,share=on,size=192M,id=m1", "-object", MEM "m2",
		"-device", "hsl-chip,bus=pcie.0,addr=4,fabric=fab0,node=3,memdev=m1,queues=2,vectors=1,windows=0",
		"-device", "hsl-chip,bus=pcie.0,addr=5,fabric=fab1,node=1,memdev=m2,queues=256,vectors=1024,windows=64,"
			   "aperture=4M,max-len=64M,cap-clear=0x40002", NULL
	};
	unsigned int type;
	struct qc a, b;

	(void)state;
	qt_start(&qt, args);
	qc_map(&a, &qt, ROOT(4), 1, true);
	qc_map(&b, &qt, ROOT(5), 4, true);
	assert_int_equal(qc_r32(&a, HSL_REG_NODE), 3);
	assert_int_equal(qc_r32(&a, HSL_REG_HOST_NODE), 16390);
	assert_int_equal(qc_r32(&a, HSL_REG_NQUEUES), 2);
	assert_int_equal(qc_r32(&a, HSL_REG_NVECTORS), 1);
	assert_int_equal(qc_r32(&a, HSL_REG_NWINDOWS), 0);
	assert_int_equal(qc_r64(&a, HSL_REG_CAP) & HSL_CAP_WINDOWS, 0);
	assert_int_equal(qc_r64(&a, HSL_REG_MEM_SIZE), 192 << 20);
	assert_int_equal(bar_bytes(a.bdf, HSL_BAR_MEM, &type), 256 << 20);
	qt_write(&qt, a.bar2 + (192 << 20) - 8, 8, 0x77);
	assert_int_equal(qt_read(&qt, a.bar2 + (192 << 20) - 8, 8), 0x77);
	qt_write(&qt, a.bar2 + (192 << 20), 8, 0x77);
	assert_int_not_equal(qt_read(&qt, a.bar2 + (192 << 20), 8), 0x77);

	assert_int_equal(qc_r64(&b, HSL_REG_FABRIC_LO), 0x7766554433221100ull);
	assert_int_equal(qc_r64(&b, HSL_REG_FABRIC_HI), 0xffeeddccbbaa9988ull);
	assert_int_not_equal(qc_r64(&a, HSL_REG_FABRIC_LO), qc_r64(&b, HSL_REG_FABRIC_LO));
	assert_int_equal(qc_r32(&b, HSL_REG_NQUEUES), 256);
	assert_int_equal(qc_r32(&b, HSL_REG_NVECTORS), 1024);
	assert_int_equal(qc_r32(&b, HSL_REG_NWINDOWS), 64);
	assert_int_equal(qc_r32(&b, HSL_REG_WIN_STRIDE_LOG2), 16);
	assert_int_equal(qc_r64(&b, HSL_REG_MAX_LEN), 64 << 20);
	assert_int_equal(qc_r64(&a, HSL_REG_CAP) & ~qc_r64(&b, HSL_REG_CAP), HSL_CAP_HOST_ATOMIC | HSL_CAP_OP_REDUCE);
	qc_enable(&b);
	assert_int_equal(qc_r32(&b, HSL_REG_STATUS), HSL_STATUS_READY);
	qt_stop(&qt);
}

int main(void)
{
#define T(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(identity), T(test_facility), T(bars), T(memory), T(registers_identity), T(registers_read_only), T(registers_halves),
		T(registers_while_enabled), T(enable_refused), T(event_link), T(power_states), T(no_migration),
		cmocka_unit_test_teardown(bad_properties, teardown),
		cmocka_unit_test_teardown(other_properties, teardown),
	};

	if (!qt_binary()) {
		fprintf(stderr, "QEMU= names no binary\n");
		return 77;
	}
	return cmocka_run_group_tests_name("qtest-pci", tests, NULL, NULL);
}
