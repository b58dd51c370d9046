/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* HSL chips through qtest, see qtest_chip.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/qtest_chip.h"

#define PCI_COMMAND		0x04
#define PCI_COMMAND_MEMORY	2u
#define PCI_COMMAND_MASTER	4u

void qc_map(struct qc *c, struct qt *q, unsigned int bdf, uint32_t node, bool master)
{
	*c = (struct qc){ .q = q, .bdf = bdf, .node = node };
	c->bar0 = 0xc0000000ull + node * 0x1000000ull;
	c->bar2 = 0x800000000ull + node * 0x40000000ull;
	c->bar4 = c->bar2 + 0x20000000ull;
	qt_cfg_write(q, bdf, 0x10, 4, (uint32_t)c->bar0);
	qt_cfg_write(q, bdf, 0x14, 4, (uint32_t)(c->bar0 >> 32));
	qt_cfg_write(q, bdf, 0x18, 4, (uint32_t)c->bar2);
	qt_cfg_write(q, bdf, 0x1c, 4, (uint32_t)(c->bar2 >> 32));
	qt_cfg_write(q, bdf, 0x20, 4, (uint32_t)c->bar4);
	qt_cfg_write(q, bdf, 0x24, 4, (uint32_t)(c->bar4 >> 32));
	qt_cfg_write(q, bdf, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | (master ? PCI_COMMAND_MASTER : 0));
}

uint32_t qc_r32(struct qc *c, uint64_t reg)
{
	return (uint32_t)qt_read(c->q, c->bar0 + reg, 4);
}

uint64_t qc_r64(struct qc *c, uint64_t reg)
{
	return qt_read(c->q, c->bar0 + reg, 8);
}

void qc_w32(struct qc *c, uint64_t reg, uint32_t val)
{
	qt_write(c->q, c->bar0 + reg, 4, val);
}

void qc_w64(struct qc *c, uint64_t reg, uint64_t val)
{
	qt_write(c->q, c->bar0 + reg, 8, val);
}

uint64_t qc_doorbell(uint32_t qid)
{
	return HSL_DB_OFFSET_DEFAULT + (uint64_t)qid * HSL_DB_STRIDE_DEFAULT;
}

uint64_t qc_host_ram(uint64_t at)
{
	return QC_HOST + (QC_HOST_PAGES - 1 - at / 4096) * 4096 + at % 4096;
}

static void write_segment(struct qt *q, uint32_t handle, struct hsl_seg_entry e)
{
	e.flags |= HSL_SEG_VALID | HSL_SEG_READ;
	e.epoch = 1;
	qt_memwrite(q, QC_SEG_LEAF + handle * sizeof(e), &e, sizeof(e));
}

void qc_write_tables(struct qt *q)
{
	struct hsl_ctx_entry ctx = { .flags = HSL_CTX_VALID, .key = QC_KEY, .seg_dir = QC_SEG_DIR };

	qt_memset(q, QC_TABLES, 0, 0x4000);
	qt_memwrite(q, QC_CTX_TABLE + QC_CTX * sizeof(ctx), &ctx, sizeof(ctx));
	qt_write(q, QC_SEG_DIR, 8, QC_SEG_LEAF);
	for (uint32_t node = 1; node <= 2; node++)
		write_segment(q, node, (struct hsl_seg_entry){
			.flags = HSL_SEG_WRITE, .ga = HSL_GA(node, QC_SEG_OFFSET), .len = QC_SEG_BYTES });
	write_segment(q, QC_SEG_HOST, (struct hsl_seg_entry){
		.flags = HSL_SEG_WRITE | HSL_SEG_PAGED, .ga = HSL_GA(HSL_NODE_HOST_DEFAULT, QC_HOST_OFFSET),
		.len = QC_HOST_BYTES, .pages = QC_PAGES, .page_shift = 12, .page_levels = 1 });
	write_segment(q, QC_SEG_RO, (struct hsl_seg_entry){
		.ga = HSL_GA(1, QC_SEG_OFFSET + QC_SEG_BYTES), .len = 4096 });
	for (uint64_t i = 0; i < QC_HOST_PAGES; i++)
		qt_write(q, QC_PAGES + 8 * i, 8, qc_host_ram(i * 4096) | HSL_PTE_VALID);
}

static void ring_init(struct qc *c, struct qc_ring *r, uint32_t qid)
{
	*r = (struct qc_ring){ .qid = qid, .depth = QC_DEPTH, .sq = QC_RAM(c->node) + qid * 0x2000ull };
	r->cq = r->sq + 0x1000;
	qt_memset(c->q, r->sq, 0, 0x2000);
}

void qc_enable(struct qc *c)
{
	ring_init(c, &c->aq, 0);
	qc_w64(c, HSL_REG_AQ_SQ, c->aq.sq);
	qc_w64(c, HSL_REG_AQ_CQ, c->aq.cq);
	qc_w32(c, HSL_REG_AQ_DEPTH, c->aq.depth);
	qc_w64(c, HSL_REG_CTX_TABLE, QC_CTX_TABLE);
	qc_w32(c, HSL_REG_CTX_COUNT, QC_CTX_COUNT);
	qc_w32(c, HSL_REG_CTRL, HSL_CTRL_ENABLE);
}

void qc_msix(struct qc *c, bool masked)
{
	unsigned int cap = qt_find_cap(c->q, c->bdf, 0x11);
	uint32_t n;

	assert_int_not_equal(cap, 0);
	n = (qt_cfg_read(c->q, c->bdf, cap + 2, 2) & 0x7ff) + 1;
	for (uint32_t v = 0; v < n; v++) {
		uint64_t e = HSL_MSIX_TABLE + 16ull * v;

		qt_write(c->q, QC_MSI_ADDR + 4 * v, 4, 0);
		qc_w32(c, e, (uint32_t)(QC_MSI_ADDR + 4 * v));
		qc_w32(c, e + 4, 0);
		qc_w32(c, e + 8, QC_MSI_DATA(v));
		qc_w32(c, e + 12, masked);
	}
	qt_cfg_write(c->q, c->bdf, cap + 2, 2, 0x8000);
}

void qc_submit(struct qc *c, struct qc_ring *r, const struct hsl_desc *d)
{
	qt_memwrite(c->q, r->sq + (r->tail % r->depth) * sizeof(*d), d, sizeof(*d));
	r->tail++;
	qc_w32(c, qc_doorbell(r->qid) + HSL_DB_SQ_TAIL, r->tail);
}

bool qc_poll(struct qc *c, struct qc_ring *r, struct hsl_cqe *out)
{
	uint64_t at = r->cq + (r->head % r->depth) * sizeof(*out);
	bool phase = !((r->head / r->depth) & 1);

	if (!!((uint32_t)(qt_read(c->q, at + 24, 8) >> 32) & HSL_CQE_PHASE) != phase)
		return false;
	qt_memread(c->q, at, out, sizeof(*out));
	r->head++;
	return true;
}

struct hsl_cqe qc_wait(struct qc *c, struct qc_ring *r)
{
	struct hsl_cqe cqe;
	time_t end = time(NULL) + QT_TIMEOUT_S;

	while (!qc_poll(c, r, &cqe)) {
		if (time(NULL) > end)
			fail_msg("no completion on queue %u of node %u, state %u error %u", r->qid, c->node,
				 qc_r32(c, qc_doorbell(r->qid) + HSL_DB_STATE),
				 qc_r32(c, qc_doorbell(r->qid) + HSL_DB_ERROR));
		usleep(500);
	}
	return cqe;
}

unsigned int qc_do(struct qc *c, struct qc_ring *r, struct hsl_desc d, struct hsl_cqe *out)
{
	struct hsl_cqe cqe;

	d.cookie = 0xc00c1e0000000000ull | (uint64_t)r->qid << 32 | r->tail;
	qc_submit(c, r, &d);
	cqe = qc_wait(c, r);
	assert_int_equal(cqe.cookie, d.cookie);
	assert_int_equal(cqe.qid, r->qid);
	assert_int_equal(cqe.sq_head, r->tail & 0xffff);
	if (out)
		*out = cqe;
	return HSL_CQE_CODE(cqe.status);
}

unsigned int qc_create(struct qc *c, struct qc_ring *r, uint32_t qid, uint32_t vector)
{
	ring_init(c, r, qid);
	return qc_do(c, &c->aq, (struct hsl_desc){
		.opcode = HSL_OP_QUEUE_CREATE, .dst = r->sq, .src = r->cq,
		.arg0 = HSL_QC_ARG0(qid, 4, vector), .arg1 = QC_CTX }, NULL);
}
