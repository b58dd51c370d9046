/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * HSL chips through qtest: BARs, registers, rings and tables, as a driver would set them up, in guest RAM.
 *
 * Guest RAM. Each chip has 1 MiB at QC_RAM(node) for its rings. The tables at QC_TABLES are shared by all chips: the
 * same context and segment entries, as the driver would write them for every chip. Context 1 has the segments
 * 1 and 2, QC_SEG_BYTES of memory at QC_SEG_OFFSET of nodes 1 and 2, and QC_SEG_HOST, QC_HOST_BYTES of guest RAM at
 * QC_HOST in pages of 4 KiB that are mapped backwards. QC_SEG_RO is node 1's read-only piece behind segment 1.
 */
#ifndef HSL_TESTS_QTEST_CHIP_H
#define HSL_TESTS_QTEST_CHIP_H

#include "common/qtest.h"
#include "hsl/proto.h"

#define QC_RAM(node)	(0x1000000ull + (node) * 0x100000ull)
#define QC_TABLES	0x2000000ull
#define QC_CTX_TABLE	QC_TABLES
#define QC_SEG_DIR	(QC_TABLES + 0x1000)
#define QC_SEG_LEAF	(QC_TABLES + 0x2000)
#define QC_PAGES	(QC_TABLES + 0x3000)
#define QC_CTX_COUNT	64u
#define QC_KEY		0x6b65792d6b65792dull
#define QC_CTX		1u
#define QC_SEG_HOST	3u
#define QC_SEG_RO	4u
#define QC_SEG_OFFSET	0x100000ull
#define QC_SEG_BYTES	0x100000ull
#define QC_HOST		0x3000000ull
#define QC_HOST_PAGES	16u
#define QC_HOST_BYTES	(QC_HOST_PAGES * 4096ull)
#define QC_HOST_OFFSET	0x10000ull	/* in the host's node */
#define QC_DEPTH	16u
#define QC_MSI_ADDR	0x4000000ull	/* MSI-X messages land in RAM: vector v writes QC_MSI_DATA(v) at + 4 v */
#define QC_MSI_DATA(v)	(0x51515100u + (v))

struct qc_ring {
	uint32_t qid, depth;
	uint64_t sq, cq;	/* guest RAM */
	uint32_t tail, head;	/* submitted, consumed */
};

struct qc {
	struct qt *q;
	unsigned int bdf;
	uint32_t node;
	uint64_t bar0, bar2, bar4;
	struct qc_ring aq;
};

/* BARs at addresses of their own for this node, memory decoding on; bus mastering as told. */
void qc_map(struct qc *c, struct qt *q, unsigned int bdf, uint32_t node, bool master);
uint32_t qc_r32(struct qc *c, uint64_t reg);
uint64_t qc_r64(struct qc *c, uint64_t reg);
void qc_w32(struct qc *c, uint64_t reg, uint32_t val);
void qc_w64(struct qc *c, uint64_t reg, uint64_t val);
uint64_t qc_doorbell(uint32_t qid);

/* Where byte `at` of the host segment is in guest RAM. */
uint64_t qc_host_ram(uint64_t at);
void qc_write_tables(struct qt *q);
/* Admin queue and context table into the registers and ENABLE; READY is the caller's to look at. */
void qc_enable(struct qc *c);
/* MSI-X on, every vector to QC_MSI_ADDR; masked or not. */
void qc_msix(struct qc *c, bool masked);

void qc_submit(struct qc *c, struct qc_ring *r, const struct hsl_desc *d);
/* The next completion of the ring, which has to come within QT_TIMEOUT_S. */
struct hsl_cqe qc_wait(struct qc *c, struct qc_ring *r);
/* True if there is one already. */
bool qc_poll(struct qc *c, struct qc_ring *r, struct hsl_cqe *out);
/* Submit and wait: the status code; the completion in *out unless NULL. Checks cookie and qid. */
unsigned int qc_do(struct qc *c, struct qc_ring *r, struct hsl_desc d, struct hsl_cqe *out);
/* QUEUE_CREATE through the admin queue in context QC_CTX; rings in the chip's RAM. The status. */
unsigned int qc_create(struct qc *c, struct qc_ring *r, uint32_t qid, uint32_t vector);

#endif
