/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Packets as they cross links: 1 to 6 slots whose first has the shape of struct hsl_pkt_hdr
 * (include/hsl/proto.h, docs/hep.md section 8). Link, network and coherence hand them to each other
 * in this form, by value.
 */
#ifndef HSL_MODEL_PKT_H
#define HSL_MODEL_PKT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hsl/proto.h"

struct hsl_pkt {
    union {
        struct hsl_pkt_hdr h;
        struct hsl_pkt_req req;
        struct hsl_pkt_rsp rsp;
        struct hsl_pkt_snp snp;
        struct hsl_pkt_atomic atomic;
        struct hsl_pkt_data data;
        struct hsl_pkt_wr_data wr;
        uint8_t slot[HSL_PKT_SLOTS_MAX][HSL_SLOT_BYTES];
    } u;
};

struct hsl_pkt_kind {
    const char *name;           /* NULL: the opcode is reserved */
    uint8_t vc, slots, flags;
};
extern const struct hsl_pkt_kind hsl_pkt_kinds[256];

/* Virtual channel and slots of an opcode; HSL_VC_COUNT and 0 for a reserved one. */
static inline uint32_t hsl_pkt_slots(uint32_t opcode)
{
    return opcode < 256 ? hsl_pkt_kinds[opcode].slots : 0;
}

static inline uint32_t hsl_pkt_vc(uint32_t opcode)
{
    return hsl_pkt_slots(opcode) ? hsl_pkt_kinds[opcode].vc : HSL_VC_COUNT;
}

/* NULL, or what is wrong with it in one English sentence: opcode, flags, reserved fields, lengths. */
const char *hsl_pkt_check(const struct hsl_pkt *p);
/* One line of text for traces and failing tests; returns buf. */
const char *hsl_pkt_text(const struct hsl_pkt *p, char *buf, size_t len);

#endif
