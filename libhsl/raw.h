/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Not part of the interface: what only a driver may do with a chip, on sim:, for the tests of hsltest that come to a chip
 * as its driver or by registers; and what a model is made of, for hslbench. In a VM they go through sysfs instead. Exported as HSL_PRIVATE, for programs of the same
 * build. f is a fabric of sim:, else -EOPNOTSUPP, zero or NULL.
 */
#ifndef HSLP_RAW_H
#define HSLP_RAW_H

#include <stdbool.h>

#include "hsl/hsl.h"
#include "hsl/proto.h"
#include "linux/hsl.h"

/* BAR0. size 1, 2, 4 or 8 */
uint64_t hslp_raw_read(struct hsl_fabric *f, uint32_t node, uint64_t off, unsigned int size);
void hslp_raw_write(struct hsl_fabric *f, uint32_t node, uint64_t off, uint64_t val, unsigned int size);
uint64_t hslp_raw_bar0_bytes(struct hsl_fabric *f, uint32_t node);
/* BAR2 */
void *hslp_raw_memory(struct hsl_fabric *f, uint32_t node, uint64_t *bytes);
/* Function level reset, under the driver. */
int hslp_raw_reset(struct hsl_fabric *f, uint32_t node);
/*
 * The driver lets go of the chip, whose queues end, and comes back. Meanwhile the chip may use [mem, mem + len) by DMA,
 * at its address in the process.
 */
int hslp_raw_unbind(struct hsl_fabric *f, uint32_t node, void *mem, size_t len);
int hslp_raw_bind(struct hsl_fabric *f, uint32_t node, void *mem, size_t len);

/*
 * Who looks at memory or at a file again and again says so between two looks: in modelled time, which goes on only while somebody waits,
 * it goes on to what happens next, and true is returned.
 */
bool hslp_raw_time_passes(struct hsl_fabric *f);

struct hsl_model_config;
/* Topology and profile (qemu/model/model.h), valid until the fabric is closed. */
int hslp_raw_model(struct hsl_fabric *f, struct hsl_model_config *out);

struct hslp_raw_rings {
	struct hsl_desc *sq;
	const struct hsl_cqe *cq;
	struct hsl_queue_ctrl *ctrl;
	struct hsl_queue_shadow *shadow;	/* NULL: none */
	uint32_t qid, depth;
	uint64_t doorbell;			/* its page in BAR0 */
};
int hslp_raw_rings(struct hsl_queue *q, struct hslp_raw_rings *r);

#endif
