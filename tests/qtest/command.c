// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Commands, interrupts, windows, reset and removal of chips, seen from outside a QEMU without CPUs: rings and
 * tables are in guest RAM, completions are polled there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/qtest_chip.h"

#define MEM		"memory-backend-memfd,share=on,size=128M,id="
#define PORT(n)		"-device", "pcie-root-port,id=rp" #n ",bus=pcie.0,chassis=" #n ",port=" #n ",addr=" #n
#define CHIP(n)		"-device", "hsl-chip,id=chip" #n ",bus=rp" #n ",fabric=fab0,node=" #n ",memdev=m" #n

static struct qt qt;
static struct qc chip[3];	/* by node */
static struct qc_ring user;	/* queue 1 of chip 1 */

/* Root port n: bus n behind it, decoding of everything chip n uses. */
static void open_port(unsigned int n)
{
	unsigned int bdf = QT_BDF(0, n);
	uint64_t pref = 0x800000000ull + n * 0x40000000ull, pref_end = pref + 0x3fffffff;
	uint32_t mem = 0xc0000000u + n * 0x1000000u;

	qt_cfg_write(&qt, bdf, 0x18, 4, n << 16 | n << 8);
	qt_cfg_write(&qt, bdf, 0x20, 4, (mem >> 16) | ((mem + 0xffffff) & 0xfff00000));
	qt_cfg_write(&qt, bdf, 0x24, 4, (uint32_t)((pref >> 16) & 0xfff0) | (uint32_t)(pref_end & 0xfff00000));
	qt_cfg_write(&qt, bdf, 0x28, 4, (uint32_t)(pref >> 32));
	qt_cfg_write(&qt, bdf, 0x2c, 4, (uint32_t)(pref_end >> 32));
	qt_cfg_write(&qt, bdf, 0x04, 2, 6);
}

static int setup(void **state)
{
	static const char *const args[] = {
		/* slots that the guest's PCIe driver serves, not ACPI: the test plays that driver */
		"-global", "ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off",
		"-object", "hsl-fabric,id=fab0,topology=pair", "-object", MEM "m1", "-object", MEM "m2",
		PORT(1), PORT(2), CHIP(1), CHIP(2), NULL
	};

	(void)state;
	qt_start(&qt, args);
	qc_write_tables(&qt);
	for (uint32_t node = 1; node <= 2; node++) {
		open_port(node);
		qc_map(&chip[node], &qt, QT_BDF(node, 0), node, true);
		qc_enable(&chip[node]);
		assert_int_equal(qc_r32(&chip[node], HSL_REG_STATUS), HSL_STATUS_READY);
	}
	assert_int_equal(qc_create(&chip[1], &user, 1, 1), HSL_ST_OK);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	qt_stop(&qt);
	return 0;
}

static void pattern(uint8_t *buf, size_t len, unsigned int seed)
{
	for (size_t i = 0; i < len; i++)
		buf[i] = (uint8_t)((i * 7 + seed) ^ (i >> 8));
}

static uint64_t seg_addr(uint32_t node)	/* of segment `node` in the guest's physical space */
{
	return chip[node].bar2 + QC_SEG_OFFSET;
}

static struct hsl_desc copy(uint64_t dst, uint64_t src, uint64_t len)
{
	return (struct hsl_desc){ .opcode = HSL_OP_COPY, .dst = dst, .src = src, .len = len };
}

/* HEP-TXN-001, HEP-QUE-001, HEP-QUE-010: more NOPs than a ring holds, on both kinds of queue. */
static void nop(void **state)
{
	struct hsl_cqe cqe;

	(void)state;
	for (unsigned int i = 0; i < 3 * QC_DEPTH; i++) {
		assert_int_equal(qc_do(&chip[1], &user, (struct hsl_desc){ 0 }, &cqe), HSL_ST_OK);
		assert_int_equal(cqe.result, 0);
		assert_int_equal(qc_do(&chip[1], &chip[1].aq, (struct hsl_desc){ 0 }, &cqe), HSL_ST_OK);
	}
	assert_int_equal(qc_r32(&chip[1], qc_doorbell(1) + HSL_DB_STATE), HSL_QUEUE_READY);
}

/* HEP-QUE-009 */
static void queue_create_refused(void **state)
{
	static const struct {
		uint64_t arg0, arg1;
		unsigned int status;
	} bad[] = {
		{ HSL_QC_ARG0(0, 4, 0), QC_CTX, HSL_ST_QUEUE }, { HSL_QC_ARG0(1, 4, 0), QC_CTX, HSL_ST_QUEUE },
		{ HSL_QC_ARG0(64, 4, 0), QC_CTX, HSL_ST_QUEUE }, { HSL_QC_ARG0(65535, 4, 0), QC_CTX, HSL_ST_QUEUE },
		{ HSL_QC_ARG0(2, 0, 0), QC_CTX, HSL_ST_QUEUE }, { HSL_QC_ARG0(2, 63, 0), QC_CTX, HSL_ST_QUEUE },
		{ HSL_QC_ARG0(2, 4, 32), QC_CTX, HSL_ST_QUEUE }, { HSL_QC_ARG0(2, 4, 0), 2, HSL_ST_CONTEXT },
		{ HSL_QC_ARG0(2, 4, 0), 0xffffffff, HSL_ST_CONTEXT },
	};
	struct qc_ring q;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct hsl_desc d = { .opcode = HSL_OP_QUEUE_CREATE, .dst = QC_RAM(1) + 0x8000,
				      .src = QC_RAM(1) + 0x9000, .arg0 = bad[i].arg0, .arg1 = bad[i].arg1 };

		assert_int_equal(qc_do(&chip[1], &chip[1].aq, d, NULL), bad[i].status);
	}
	assert_int_equal(qc_r32(&chip[1], qc_doorbell(2) + HSL_DB_STATE), HSL_QUEUE_RESET);
	assert_int_equal(qc_create(&chip[1], &q, 2, 31), HSL_ST_OK);
	assert_int_equal(qc_do(&chip[1], &q, (struct hsl_desc){ 0 }, NULL), HSL_ST_OK);
	/* HEP-QUE-008 */
	assert_int_equal(qc_do(&chip[1], &chip[1].aq, (struct hsl_desc){ .opcode = HSL_OP_QUEUE_DESTROY, .arg0 = 2 },
			       NULL), HSL_ST_OK);
	assert_int_equal(qc_r32(&chip[1], qc_doorbell(2) + HSL_DB_STATE), HSL_QUEUE_RESET);
}

/* HEP-TXN-004, -006, -009, HEP-MAP-006: FILL and COPY between chips and host memory, nothing outside is touched. */
static void move(void **state)
{
	static const struct {
		uint64_t dst, src;	/* offsets in the segments */
		size_t len;
	} shape[] = { { 0, 0, 1 }, { 3, 4093, 5000 }, { 4096, 1, 4096 }, { 17, 31, 12289 }, { 1, 2, 7 } };
	const uint64_t ga1 = HSL_GA(1, QC_SEG_OFFSET), ga2 = HSL_GA(2, QC_SEG_OFFSET);
	const uint64_t gah = HSL_GA(HSL_NODE_HOST_DEFAULT, QC_HOST_OFFSET);
	static uint8_t in[16384], out[16384 + 32];
	struct hsl_cqe cqe;

	(void)state;
	assert_int_equal(qc_do(&chip[1], &user, (struct hsl_desc){ .opcode = HSL_OP_FILL, .dst = ga1 + 5, .len = 19,
							    .arg0 = 0x0807060504030201ull }, &cqe), HSL_ST_OK);
	assert_int_equal(cqe.result, 19);
	qt_memread(&qt, seg_addr(1) + 4, out, 21);
	for (unsigned int i = 0; i < 19; i++)
		assert_int_equal(out[1 + i], i % 8 + 1);
	assert_int_equal(out[0], 0);
	assert_int_equal(out[20], 0);

	for (size_t i = 0; i < sizeof(shape) / sizeof(shape[0]); i++) {
		uint64_t dst = shape[i].dst, src = shape[i].src;
		size_t len = shape[i].len;

		/* chip 1 -> chip 2 */
		pattern(in, len, (unsigned int)i);
		qt_memwrite(&qt, seg_addr(1) + src, in, len);
		qt_memset(&qt, seg_addr(2), 0xee, 0x8000);
		assert_int_equal(qc_do(&chip[1], &user, copy(ga2 + 16 + dst, ga1 + src, len), &cqe), HSL_ST_OK);
		assert_int_equal(cqe.result, len);
		qt_memread(&qt, seg_addr(2) + dst, out, len + 32);
		assert_memory_equal(out + 16, in, len);
		for (unsigned int k = 0; k < 16; k++) {
			assert_int_equal(out[k], 0xee);
			assert_int_equal(out[16 + len + k], 0xee);
		}
		/* chip 2 -> host, host -> chip 1: pages lie backwards in guest RAM */
		assert_int_equal(qc_do(&chip[1], &user, copy(gah + dst, ga2 + 16 + dst, len), NULL), HSL_ST_OK);
		for (size_t k = 0; k < len; k += 61)
			assert_int_equal(qt_read(&qt, qc_host_ram(dst + k), 1), in[k]);
		assert_int_equal(qc_do(&chip[1], &user, copy(ga1 + 0x10000, gah + dst, len), NULL), HSL_ST_OK);
		qt_memread(&qt, seg_addr(1) + 0x10000, out, len);
		assert_memory_equal(out, in, len);
	}
}

/* HEP-TXN-005: overlap as memmove. */
static void overlap(void **state)
{
	const uint64_t ga = HSL_GA(1, QC_SEG_OFFSET);
	static uint8_t want[8192], out[8192];

	(void)state;
	for (int up = 0; up < 2; up++) {
		pattern(want, sizeof(want), 9);
		qt_memwrite(&qt, seg_addr(1), want, sizeof(want));
		memmove(want + (up ? 100 : 0), want + (up ? 0 : 100), 8000);
		assert_int_equal(qc_do(&chip[1], &user, copy(ga + (up ? 100 : 0), ga + (up ? 0 : 100), 8000), NULL),
				 HSL_ST_OK);
		qt_memread(&qt, seg_addr(1), out, sizeof(out));
		assert_memory_equal(out, want, sizeof(want));
	}
}

/* HEP-TXN-002, -003, -008, -010, HEP-MAP-001, -003, -012, HEP-SEC-001: each refusal, its status and address. */
static void refused(void **state)
{
	const uint64_t ga1 = HSL_GA(1, QC_SEG_OFFSET), ga2 = HSL_GA(2, QC_SEG_OFFSET);
	const uint64_t ro = HSL_GA(1, QC_SEG_OFFSET + QC_SEG_BYTES);
	const struct {
		struct hsl_desc d;
		unsigned int status;
		uint64_t fault;
	} bad[] = {
		{ { .opcode = HSL_OP_COPY_LIST + 1 }, HSL_ST_OPCODE, 0 },
		{ { .opcode = HSL_OP_CTX_INVALIDATE - 1 }, HSL_ST_OPCODE, 0 },
		{ { .opcode = 0xff }, HSL_ST_OPCODE, 0 },
		{ { .opcode = HSL_OP_SEG_INVALIDATE, .arg0 = QC_CTX, .arg1 = 1 }, HSL_ST_OPCODE, 0 },
		{ { .flags = HSL_DF_ALL + 1 }, HSL_ST_FIELD, 0 },
		{ { .order = 3 }, HSL_ST_FIELD, 0 },
		{ { .subop = 1 }, HSL_ST_FIELD, 0 },
		{ { .rsvd0 = 1 }, HSL_ST_FIELD, 0 },
		{ { .rsvd1 = 1 }, HSL_ST_FIELD, 0 },
		{ { .len = 1 }, HSL_ST_FIELD, 0 },
		{ { .opcode = HSL_OP_COPY, .dst = ga1, .src = ga2, .len = 8, .arg0 = 1 }, HSL_ST_FIELD, 0 },
		{ copy(ga1, ga2, (1ull << 30) + 1), HSL_ST_LENGTH, 0 },
		{ copy(ga1, ga2, ~0ull), HSL_ST_LENGTH, 0 },
		{ copy(0, ga2, 8), HSL_ST_SEGMENT, 0 },
		{ copy(ga1, HSL_GA(3, 0), 8), HSL_ST_SEGMENT, HSL_GA(3, 0) },
		{ copy(ga1 - 1, ga2, 8), HSL_ST_SEGMENT, ga1 - 1 },
		{ copy(ga1, ga2 + QC_SEG_BYTES, 8), HSL_ST_SEGMENT, ga2 + QC_SEG_BYTES },
		{ copy(ga1 | 1ull << 63, ga2, 8), HSL_ST_SEGMENT, ga1 | 1ull << 63 },
		{ copy(ga2 + QC_SEG_BYTES - 4, ga1, 8), HSL_ST_RANGE, ga2 + QC_SEG_BYTES },
		{ copy(ro, ga1, 8), HSL_ST_RIGHTS, ro },
	};
	uint8_t before[64], after[64];

	(void)state;
	pattern(before, sizeof(before), 1);
	qt_memwrite(&qt, seg_addr(1), before, sizeof(before));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct hsl_cqe cqe;
		unsigned int st = qc_do(&chip[1], &user, bad[i].d, &cqe);

		if (st != bad[i].status || cqe.fault_ga != bad[i].fault)
			fail_msg("case %zu: status %u at 0x%llx, wanted %u at 0x%llx", i, st,
				 (unsigned long long)cqe.fault_ga, bad[i].status, (unsigned long long)bad[i].fault);
	}
	qt_memread(&qt, seg_addr(1), after, sizeof(after));
	assert_memory_equal(before, after, sizeof(before));
	/* reading the read-only piece is fine; length 0 looks at nothing (HEP-TXN-007) */
	assert_int_equal(qc_do(&chip[1], &user, copy(ga1, ro, 8), NULL), HSL_ST_OK);
	assert_int_equal(qc_do(&chip[1], &user, copy(0, ~0ull, 0), NULL), HSL_ST_OK);
}

/* HEP-SEC-003: the home has revoked the segment, the requester has not. */
static void home_refuses(void **state)
{
	const uint64_t ga1 = HSL_GA(1, QC_SEG_OFFSET), ga2 = HSL_GA(2, QC_SEG_OFFSET);

	(void)state;
	assert_int_equal(qc_do(&chip[1], &user, copy(ga2, ga1, 64), NULL), HSL_ST_OK);
	qt_write(&qt, QC_SEG_LEAF + 2 * 64, 4, 0);
	assert_int_equal(qc_do(&chip[2], &chip[2].aq, (struct hsl_desc){ .opcode = HSL_OP_SEG_INVALIDATE,
							     .arg0 = QC_CTX, .arg1 = 2 }, NULL), HSL_ST_OK);
	assert_int_equal(qc_do(&chip[1], &user, copy(ga2, ga1, 64), NULL), HSL_ST_DENIED);
	assert_int_equal(qc_do(&chip[1], &chip[1].aq, (struct hsl_desc){ .opcode = HSL_OP_SEG_INVALIDATE,
							     .arg0 = QC_CTX, .arg1 = 2 }, NULL), HSL_ST_OK);
	assert_int_equal(qc_do(&chip[1], &user, copy(ga2, ga1, 64), NULL), HSL_ST_SEGMENT);
}

static bool message(unsigned int vector)	/* has it come, within a while? */
{
	for (int i = 0; i < 2000; i++) {
		if (qt_read(&qt, QC_MSI_ADDR + 4 * vector, 4) == QC_MSI_DATA(vector)) {
			qt_write(&qt, QC_MSI_ADDR + 4 * vector, 4, 0);
			return true;
		}
		usleep(1000);
	}
	return false;
}

/* HEP-QUE-007: armed before and after the completion, not armed, and masked: then it is pending. */
static void interrupt(void **state)
{
	struct qc *c = &chip[1];

	(void)state;
	qc_msix(c, false);
	qc_w32(c, qc_doorbell(1) + HSL_DB_CQ_ARM, user.head);
	assert_int_equal(qc_do(c, &user, (struct hsl_desc){ 0 }, NULL), HSL_ST_OK);
	assert_true(message(1));
	/* disarmed now: nothing for the next one, until armed with the count from before it */
	assert_int_equal(qc_do(c, &user, (struct hsl_desc){ 0 }, NULL), HSL_ST_OK);
	usleep(20000);
	assert_int_equal(qt_read(&qt, QC_MSI_ADDR + 4, 4), 0);
	qc_w32(c, qc_doorbell(1) + HSL_DB_CQ_ARM, user.head - 1);
	assert_true(message(1));

	qc_w32(c, HSL_MSIX_TABLE + 16 + 12, 1);
	qc_w32(c, qc_doorbell(1) + HSL_DB_CQ_ARM, user.head);
	assert_int_equal(qc_do(c, &user, (struct hsl_desc){ 0 }, NULL), HSL_ST_OK);
	for (int i = 0; i < 2000 && !(qc_r64(c, HSL_MSIX_PBA) & 2); i++)
		usleep(1000);
	assert_int_equal(qc_r64(c, HSL_MSIX_PBA), 2);
	assert_int_equal(qt_read(&qt, QC_MSI_ADDR + 4, 4), 0);
	qc_w32(c, HSL_MSIX_TABLE + 16 + 12, 0);
	assert_true(message(1));
	assert_int_equal(qc_r64(c, HSL_MSIX_PBA), 0);

	/* an event raises vector 0 */
	qc_w32(c, HSL_REG_EVENT, HSL_EVENT_ALL);
	qc_w32(c, HSL_REG_EVENT_MASK, HSL_EVENT_LINK);
	assert_true(qt_qmp(&qt, NULL, 0, "{\"execute\":\"qom-set\",\"arguments\":{\"path\":\"/objects/fab0\","
			   "\"property\":\"link-down\",\"value\":\"1-2\"}}"));
	assert_true(message(0));
	/* HEP-NET-001 */
	assert_int_equal(qc_do(c, &user, copy(HSL_GA(2, QC_SEG_OFFSET), HSL_GA(1, QC_SEG_OFFSET), 8), NULL),
			 HSL_ST_UNREACHABLE);
}

/* HEP-REG-015: in D3hot neither completion nor interrupt, not even one that was on its way; in D0 both. */
static void asleep(void **state)
{
	const unsigned int pm = qt_find_cap(&qt, chip[1].bdf, 0x01) + 4;
	const struct hsl_desc wait = { .opcode = HSL_OP_WAIT, .subop = HSL_WAIT_EQ, .len = 8, .arg0 = 1,
				       .src = HSL_GA(HSL_NODE_HOST_DEFAULT, QC_HOST_OFFSET) };
	struct qc_ring other;
	struct hsl_cqe cqe;

	(void)state;
	qt_write(&qt, qc_host_ram(0), 8, 0);
	assert_int_equal(qc_create(&chip[2], &other, 1, 1), HSL_ST_OK);
	qc_msix(&chip[1], false);
	qc_w32(&chip[1], qc_doorbell(1) + HSL_DB_CQ_ARM, user.head);
	qc_submit(&chip[1], &user, &wait);
	qt_cfg_write(&qt, chip[1].bdf, pm, 2, 3);
	qc_submit(&chip[2], &other, &wait);
	qt_write(&qt, qc_host_ram(0), 8, 1);
	assert_int_equal(HSL_CQE_CODE(qc_wait(&chip[2], &other).status), HSL_ST_OK);	/* the same word, later */
	assert_false(qc_poll(&chip[1], &user, &cqe));
	assert_int_equal(qt_read(&qt, QC_MSI_ADDR + 4, 4), 0);
	qt_cfg_write(&qt, chip[1].bdf, pm, 2, 0);
	assert_int_equal(HSL_CQE_CODE(qc_wait(&chip[1], &user).status), HSL_ST_OK);
	assert_true(message(1));

	assert_true(qt_qmp(&qt, NULL, 0, "{\"execute\":\"qom-set\",\"arguments\":{\"path\":\"/objects/fab0\","
			   "\"property\":\"link-down\",\"value\":\"1-2\"}}"));
	assert_true(qc_r32(&chip[1], HSL_REG_EVENT) & HSL_EVENT_LINK);
	qt_write_two(&qt, chip[1].bar0 + HSL_REG_EVENT_MASK, HSL_EVENT_LINK, qt_ecam(chip[1].bdf, pm), 3);
	assert_true(qt_qmp(&qt, NULL, 0, "{\"execute\":\"query-status\"}"));	/* bottom halves have run */
	assert_int_equal(qt_read(&qt, QC_MSI_ADDR, 4), 0);
	qt_cfg_write(&qt, chip[1].bdf, pm, 2, 0);
	assert_true(message(0));
}

/* HEP-QUE-005, HEP-RAS-004: an overflow stops its queue, and only that. */
static void overflow(void **state)
{
	struct qc *c = &chip[1];
	struct qc_ring other;

	(void)state;
	assert_int_equal(qc_create(c, &other, 2, 2), HSL_ST_OK);
	qc_w32(c, qc_doorbell(1) + HSL_DB_SQ_TAIL, user.tail + QC_DEPTH + 1);
	for (int i = 0; i < 2000 && qc_r32(c, qc_doorbell(1) + HSL_DB_STATE) != HSL_QUEUE_ERROR; i++)
		usleep(1000);
	assert_int_equal(qc_r32(c, qc_doorbell(1) + HSL_DB_STATE), HSL_QUEUE_ERROR);
	assert_int_equal(qc_r32(c, qc_doorbell(1) + HSL_DB_ERROR), HSL_ST_OVERFLOW);
	assert_true(qc_r32(c, HSL_REG_EVENT) & HSL_EVENT_QUEUE_ERROR);
	assert_int_equal(qc_do(c, &other, (struct hsl_desc){ 0 }, NULL), HSL_ST_OK);
	/* HEP-QUE-006 */
	qc_w32(c, qc_doorbell(9) + HSL_DB_SQ_TAIL, 1);
	assert_int_equal(qc_r32(c, qc_doorbell(9) + HSL_DB_STATE), HSL_QUEUE_RESET);
}

/* Bus mastering off: no DMA, commands wait; on again: they run. */
static void bus_master(void **state)
{
	struct qc *c = &chip[1];
	struct hsl_desc d = { .cookie = 77 };
	struct hsl_cqe cqe;

	(void)state;
	qt_cfg_write(&qt, c->bdf, 4, 2, 2);
	qc_submit(c, &user, &d);
	usleep(50000);
	assert_false(qc_poll(c, &user, &cqe));
	qt_cfg_write(&qt, c->bdf, 4, 2, 6);
	assert_int_equal(qc_wait(c, &user).cookie, 77);
}

/* Program window i of chip 1; the status register. */
static uint32_t window(unsigned int i, uint64_t ga, uint64_t size, uint32_t ctx, uint32_t ctrl)
{
	uint64_t w = HSL_REG_WIN(i);

	qc_w32(&chip[1], w + HSL_WIN_O_CTRL, 0);
	qc_w64(&chip[1], w + HSL_WIN_O_GA, ga);
	qc_w64(&chip[1], w + HSL_WIN_O_SIZE, size);
	qc_w32(&chip[1], w + HSL_WIN_O_CTX, ctx);
	qc_w32(&chip[1], w + HSL_WIN_O_CTRL, ctrl);
	return qc_r32(&chip[1], w + HSL_WIN_O_STATUS);
}

/* HEP-MAP-014, HEP-MAP-015 */
static void windows(void **state)
{
	static const struct {
		uint64_t ga, size;
	} bad[] = {
		{ HSL_GA(2, 0x8000), 0x10000 }, { HSL_GA(2, 0), 0x8000 }, { HSL_GA(2, 0), 0 }, { HSL_GA(0, 0), 0x10000 },
		{ HSL_GA(3, 0), 0x10000 }, { HSL_GA(2, 128 << 20), 0x10000 }, { HSL_GA(2, (128 << 20) - 0x10000), 0x20000 },
		{ HSL_GA(2, 0), 32 << 20 }, { HSL_GA(HSL_NODE_HOST_DEFAULT, 0), 0x10000 },
		{ HSL_GA(2, HSL_GA_OFFSET_MASK & ~0xffffull), 0x10000 }, { HSL_GA(2, 0), ~0xffffull },
	};
	struct qc *c = &chip[1];
	uint64_t stride = 1ull << qc_r32(c, HSL_REG_WIN_STRIDE_LOG2), at = c->bar4 + 3 * stride;

	(void)state;
	assert_int_equal(window(3, HSL_GA(2, 0x200000), 0x20000, 0, HSL_WIN_CTRL_ENABLE), HSL_WIN_ACTIVE);
	qt_write(&qt, chip[2].bar2 + 0x200000, 8, 0x1234567812345678ull);
	assert_int_equal(qt_read(&qt, at, 8), 0x1234567812345678ull);
	qt_write(&qt, at + 0x1fff8, 8, 0x8765432187654321ull);
	assert_int_equal(qt_read(&qt, chip[2].bar2 + 0x21fff8, 8), 0x8765432187654321ull);
	qt_write(&qt, at + 0x20000, 4, 0x55);
	assert_int_equal(qt_read(&qt, chip[2].bar2 + 0x220000, 4), 0);
	qc_w32(c, HSL_REG_WIN(3) + HSL_WIN_O_CTRL, 0);
	assert_int_equal(qc_r32(c, HSL_REG_WIN(3) + HSL_WIN_O_STATUS), 0);
	assert_int_not_equal(qt_read(&qt, at, 8), 0x1234567812345678ull);

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		uint32_t st = window(0, bad[i].ga, bad[i].size, 0, HSL_WIN_CTRL_ENABLE);

		if (st == 0 || (st & 0xff))
			fail_msg("window case %zu: status 0x%x", i, st);
	}
	assert_int_not_equal(window(0, HSL_GA(2, 0), 0x10000, 0, 7), HSL_WIN_ACTIVE);	/* a reserved bit */
	/* a window with a context never shows what is in none of its segments */
	assert_int_equal(window(1, HSL_GA(2, 0), 0x10000, QC_CTX, HSL_WIN_CTRL_ENABLE) & 0xff, 0);
	assert_int_equal(qc_r32(c, HSL_REG_WIN(1) + HSL_WIN_O_CTX), QC_CTX);
}

/* HEP-MAP-026: every width at any alignment, what is written is read by another chip's window, and in memory after FLUSH */
static void modelled_windows(void **state)
{
	const uint32_t on = HSL_WIN_CTRL_ENABLE | HSL_WIN_CTRL_MODELLED;
	struct qc *c = &chip[1];
	uint64_t stride = 1ull << qc_r32(c, HSL_REG_WIN_STRIDE_LOG2), at = c->bar4 + 4 * stride, other = c->bar4 + 5 * stride;
	uint8_t want[128] = { 0 };

	(void)state;
	assert_int_equal(window(4, HSL_GA(2, 0x400000), 0x20000, 0, on), HSL_WIN_ACTIVE);
	assert_int_equal(window(5, HSL_GA(2, 0x410000), 0x10000, 0, on), HSL_WIN_ACTIVE);
	for (unsigned int i = 0; i < 400; i++) {
		unsigned int bytes = 1u << (i & 3), off = i * 7 % 120;
		uint64_t v = 0x0101010101010101ull * (i & 0xff) ^ 0x8040201008040201ull;

		qt_write(&qt, at + 0x10000 + off, bytes, v);
		memcpy(want + off, &v, bytes);
		assert_int_equal(qt_read(&qt, other + off, bytes), bytes == 8 ? v : v & ((1ull << 8 * bytes) - 1));
	}
	assert_int_equal(qc_do(&chip[2], &chip[2].aq, (struct hsl_desc){ .opcode = HSL_OP_FLUSH,
			 .dst = HSL_GA(2, 0x410000), .len = 4096 }, NULL),
			 HSL_ST_OK);
	for (unsigned int i = 0; i < sizeof(want); i++)
		assert_int_equal(qt_read(&qt, chip[2].bar2 + 0x410000 + i, 1), want[i]);
	/* off, and of another size on again: what is beyond reads as ones */
	assert_int_equal(window(4, HSL_GA(2, 0x400000), 0x10000, 0, on), HSL_WIN_ACTIVE);
	qt_write(&qt, at + 0x10000, 8, 5);
	assert_int_not_equal(qt_read(&qt, at + 0x10000, 8), 5);
	assert_int_equal(qt_read(&qt, other, 1), want[0]);
	qc_w32(c, HSL_REG_WIN(4) + HSL_WIN_O_CTRL, 0);
	qc_w32(c, HSL_REG_WIN(5) + HSL_WIN_O_CTRL, 0);
}

static void flr(struct qc *c)
{
	unsigned int at = qt_find_cap(&qt, c->bdf, 0x10);

	qt_cfg_write(&qt, c->bdf, at + 8, 2, qt_cfg_read(&qt, c->bdf, at + 8, 2) | 1u << 15);
}

/* HEP-REG-008, HEP-RAS-001: FLR of a chip with a window onto it and commands running; memory stays. */
static void function_level_reset(void **state)
{
	const uint64_t ga1 = HSL_GA(1, QC_SEG_OFFSET), ga2 = HSL_GA(2, QC_SEG_OFFSET);
	struct qc *c = &chip[2];
	struct hsl_desc d = copy(ga2, ga1, QC_SEG_BYTES);
	unsigned int ok = 0;

	(void)state;
	assert_int_equal(window(0, HSL_GA(2, 0), 0x10000, 0, HSL_WIN_CTRL_ENABLE), HSL_WIN_ACTIVE);
	qt_write(&qt, c->bar2 + 0x500000, 8, 0xfeedfacefeedfaceull);
	for (unsigned int i = 0; i < QC_DEPTH; i++)
		qc_submit(&chip[1], &user, &d);
	flr(c);
	for (unsigned int i = 0; i < QC_DEPTH; i++) {
		struct hsl_cqe cqe = qc_wait(&chip[1], &user);
		unsigned int st = HSL_CQE_CODE(cqe.status);

		ok += st == HSL_ST_OK;
		if (st != HSL_ST_OK && st != HSL_ST_REVOKED && st != HSL_ST_UNREACHABLE)
			fail_msg("command across FLR ended with %u", st);
	}
	print_message("# %u of %u commands were done before the FLR\n", ok, QC_DEPTH);
	assert_int_equal(qc_r32(&chip[1], HSL_REG_WIN(0) + HSL_WIN_O_STATUS), 0);
	assert_int_equal(qt_cfg_read(&qt, c->bdf, 4, 2) & 6, 0);

	qc_map(c, &qt, c->bdf, 2, true);
	assert_int_equal(qc_r32(c, HSL_REG_STATUS), 0);
	assert_int_equal(qc_r64(c, HSL_REG_AQ_SQ), 0);
	assert_int_equal(qt_read(&qt, c->bar2 + 0x500000, 8), 0xfeedfacefeedfaceull);
	assert_int_equal(qc_do(&chip[1], &user, copy(ga2, ga1, 64), NULL), HSL_ST_UNREACHABLE);
	qc_enable(c);
	assert_int_equal(qc_r32(c, HSL_REG_STATUS), HSL_STATUS_READY);
	assert_int_equal(qc_do(&chip[1], &user, copy(ga2, ga1, 64), NULL), HSL_ST_OK);

	/* its own queues are gone after its own FLR; the other side goes on */
	flr(&chip[1]);
	qc_map(&chip[1], &qt, chip[1].bdf, 1, true);
	assert_int_equal(qc_r32(&chip[1], qc_doorbell(1) + HSL_DB_STATE), HSL_QUEUE_RESET);
	assert_int_equal(qc_do(c, &c->aq, (struct hsl_desc){ 0 }, NULL), HSL_ST_OK);
	qc_enable(&chip[1]);
	assert_int_equal(qc_create(&chip[1], &user, 1, 1), HSL_ST_OK);
	assert_int_equal(qc_do(&chip[1], &user, copy(ga2, ga1, QC_SEG_BYTES), NULL), HSL_ST_OK);
}

/* Power the slot of root port n off, as the guest does when asked to: the device goes. */
static void slot_power(unsigned int n, bool on)
{
	unsigned int at = qt_find_cap(&qt, QT_BDF(0, n), 0x10);
	uint32_t ctl = qt_cfg_read(&qt, QT_BDF(0, n), at + 0x18, 2) & ~(1u << 10 | 3u << 8);

	qt_cfg_write(&qt, QT_BDF(0, n), at + 0x18, 2, ctl | (on ? 1u << 8 : 1u << 10 | 3u << 8));
}

/* Unplug a chip with commands and a window onto it, plug another with the same memory: it works and has the content. */
static void unplug(void **state)
{
	const uint64_t ga1 = HSL_GA(1, QC_SEG_OFFSET), ga2 = HSL_GA(2, QC_SEG_OFFSET);
	/* versions of the profile that the DVSEC cannot say, or that are none */
	const unsigned int no_hep[] = { 0, 0x00ff, 0x01000000, 0x00010100 };
	struct hsl_desc d = copy(ga2, ga1, QC_SEG_BYTES);
	char said[512];

	(void)state;
	assert_int_equal(window(0, HSL_GA(2, 0), 0x10000, 0, HSL_WIN_CTRL_ENABLE), HSL_WIN_ACTIVE);
	qt_write(&qt, chip[2].bar2 + 0x500000, 8, 0xfeedfacefeedfaceull);
	slot_power(1, true);
	slot_power(2, true);
	for (unsigned int i = 0; i < QC_DEPTH; i++)
		qc_submit(&chip[1], &user, &d);
	assert_true(qt_qmp(&qt, NULL, 0, "{\"execute\":\"device_del\",\"arguments\":{\"id\":\"chip2\"}}"));
	slot_power(2, false);
	assert_true(qt_qmp_event(&qt, "DEVICE_DELETED"));
	for (unsigned int i = 0; i < QC_DEPTH; i++)
		qc_wait(&chip[1], &user);
	assert_int_equal(qt_cfg_read(&qt, QT_BDF(2, 0), 0, 4), 0xffffffff);
	assert_int_equal(qc_r32(&chip[1], HSL_REG_WIN(0) + HSL_WIN_O_STATUS), 0);
	assert_int_not_equal(qc_r32(&chip[1], HSL_REG_LINK(0) + HSL_LINK_O_STATE), HSL_LTSSM_L0);
	assert_int_equal(qc_do(&chip[1], &user, copy(ga2, ga1, 64), NULL), HSL_ST_UNREACHABLE);

	/* refused plugs leave nothing behind */
	assert_false(qt_qmp(&qt, said, sizeof(said), "{\"execute\":\"device_add\",\"arguments\":{\"driver\":\"hsl-chip\","
			    "\"id\":\"x\",\"bus\":\"rp2\",\"fabric\":\"fab0\",\"node\":1,\"memdev\":\"m2\"}}"));
	assert_non_null(strstr(said, "another chip"));
	assert_false(qt_qmp(&qt, NULL, 0, "{\"execute\":\"device_add\",\"arguments\":{\"driver\":\"hsl-chip\","
			    "\"id\":\"x\",\"bus\":\"rp2\",\"fabric\":\"fab0\",\"node\":2,\"memdev\":\"m1\"}}"));
	for (unsigned int i = 0; i < sizeof(no_hep) / sizeof(no_hep[0]); i++) {
		assert_false(qt_qmp(&qt, said, sizeof(said), "{\"execute\":\"device_add\",\"arguments\":{\"driver\":\"hsl-chip\","
				    "\"id\":\"x\",\"bus\":\"rp2\",\"fabric\":\"fab0\",\"node\":2,\"memdev\":\"m2\",\"hep\":%u}}", no_hep[i]));
		assert_non_null(strstr(said, "major 1 to 255"));
	}
	assert_false(qt_qmp(&qt, NULL, 0, "{\"execute\":\"object-del\",\"arguments\":{\"id\":\"fab0\"}}"));
	assert_true(qt_qmp(&qt, said, sizeof(said), "{\"execute\":\"device_add\",\"arguments\":{\"driver\":\"hsl-chip\","
			   "\"id\":\"chip2\",\"bus\":\"rp2\",\"fabric\":\"fab0\",\"node\":2,\"memdev\":\"m2\"}}"));
	slot_power(2, true);
	qc_map(&chip[2], &qt, QT_BDF(2, 0), 2, true);
	qc_enable(&chip[2]);
	assert_int_equal(qc_r32(&chip[2], HSL_REG_STATUS), HSL_STATUS_READY);
	assert_int_equal(qt_read(&qt, chip[2].bar2 + 0x500000, 8), 0xfeedfacefeedfaceull);
	assert_int_equal(qc_do(&chip[1], &user, copy(ga2, ga1, 64), NULL), HSL_ST_OK);
}

/* A reset of the machine with commands running. */
static void system_reset(void **state)
{
	struct hsl_desc d = copy(HSL_GA(2, QC_SEG_OFFSET), HSL_GA(1, QC_SEG_OFFSET), QC_SEG_BYTES);

	(void)state;
	for (unsigned int i = 0; i < QC_DEPTH; i++)
		qc_submit(&chip[1], &user, &d);
	assert_true(qt_qmp(&qt, NULL, 0, "{\"execute\":\"system_reset\"}"));
	assert_true(qt_qmp_event(&qt, "RESET"));
	assert_true(qt_alive(&qt));
	assert_true(qt_qmp(&qt, NULL, 0, "{\"execute\":\"query-status\"}"));
}

int main(void)
{
#define T(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(nop), T(queue_create_refused), T(move), T(overlap), T(refused), T(home_refuses), T(interrupt), T(asleep),
		T(overflow), T(bus_master), T(windows), T(modelled_windows), T(function_level_reset), T(unplug), T(system_reset),
	};

	if (!qt_binary()) {
		fprintf(stderr, "QEMU= names no binary\n");
		return 77;
	}
	return cmocka_run_group_tests_name("qtest-command", tests, NULL, NULL);
}
