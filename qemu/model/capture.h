/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A capture of a whole fabric (docs/capture.md), block by block: the beginning of the file, blocks 0
 * and so on until there is none, then one for each record of a tap. It may begin at any time.
 */
#ifndef HSL_MODEL_CAPTURE_H
#define HSL_MODEL_CAPTURE_H

#include "fab.h"
#include "pcapng.h"

/* Block i of the beginning: section, ends of links, the states they are in. Its length; 0: no more. */
size_t hsl_capture_head(const struct hsl_fab *f, uint32_t i, const char *application,
                        uint8_t buf[HSL_PCAPNG_BLOCK_MAX]);
size_t hsl_capture_record(const struct hsl_fab *f, const struct hsl_fab_record *r,
                          uint8_t buf[HSL_PCAPNG_BLOCK_MAX]);

#endif
