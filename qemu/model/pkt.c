/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Packets: what section 8 of docs/hep.md says about each opcode, as one table, and checks made from
 * it. Links and homes rely on hsl_pkt_check for everything that does not depend on the fabric:
 * which nodes exist and how far a packet has come is not known here.
 */
#include <stdio.h>
#include <string.h>

#include "pkt.h"

#define ADDR_RSVD       (UINT64_C(0xff) << 56)

#define F_REQ   HSL_PKT_F_GRANTED
#define F_KEEP  (HSL_PKT_F_FWD | HSL_PKT_F_KEEPS)
#define F_LINE  (HSL_PKT_F_OWN | HSL_PKT_F_DIRTY | HSL_PKT_F_POISON)

const struct hsl_pkt_kind hsl_pkt_kinds[256] = {
    [HSL_PKT_AUTH]       = { "AUTH",       HSL_VC_REQ, 2, HSL_PKT_F_READ | HSL_PKT_F_WRITE },
    [HSL_PKT_READ]       = { "READ",       HSL_VC_REQ, 1, F_REQ },
    [HSL_PKT_WRITE]      = { "WRITE",      HSL_VC_REQ, 1, F_REQ },
    [HSL_PKT_ATOMIC]     = { "ATOMIC",     HSL_VC_REQ, 3, F_REQ },
    [HSL_PKT_READ_S]     = { "READ_S",     HSL_VC_REQ, 1, F_REQ },
    [HSL_PKT_READ_U]     = { "READ_U",     HSL_VC_REQ, 1, F_REQ },
    [HSL_PKT_UPGRADE]    = { "UPGRADE",    HSL_VC_REQ, 1, F_REQ },
    [HSL_PKT_WRITE_BACK] = { "WRITE_BACK", HSL_VC_REQ, 1, F_REQ },
    [HSL_PKT_SNP_S]      = { "SNP_S",      HSL_VC_SNP, 2, 0 },
    [HSL_PKT_SNP_U]      = { "SNP_U",      HSL_VC_SNP, 2, 0 },
    [HSL_PKT_SNP_I]      = { "SNP_I",      HSL_VC_SNP, 2, 0 },
    [HSL_PKT_SNP_C]      = { "SNP_C",      HSL_VC_SNP, 2, 0 },
    [HSL_PKT_RSP]        = { "RSP",        HSL_VC_RSP, 1, 0xff },      /* a status */
    [HSL_PKT_RSP_DATA]   = { "RSP_DATA",   HSL_VC_DAT, 5, F_LINE },
    [HSL_PKT_COMP]       = { "COMP",       HSL_VC_RSP, 1, 0 },
    [HSL_PKT_GO]         = { "GO",         HSL_VC_RSP, 1, 0 },
    [HSL_PKT_RETRY]      = { "RETRY",      HSL_VC_RSP, 1, 0 },
    [HSL_PKT_GRANT]      = { "GRANT",      HSL_VC_RSP, 1, 0 },
    [HSL_PKT_ACK]        = { "ACK",        HSL_VC_RSP, 1, 0 },
    [HSL_PKT_SNP_RSP]    = { "SNP_RSP",    HSL_VC_RSP, 1, F_KEEP | HSL_PKT_F_DIRTY },
    [HSL_PKT_SNP_DATA]   = { "SNP_DATA",   HSL_VC_DAT, 5, F_KEEP | HSL_PKT_F_POISON },
    [HSL_PKT_WR_DATA]    = { "WR_DATA",    HSL_VC_DAT, 6, HSL_PKT_F_POISON },
};

static const char *check_snoop(const struct hsl_pkt_snp *s)
{
    if (s->rsvd0 || s->rsvd1) {
        return "a reserved field of a snoop is not zero";
    }
    if (s->h.opcode != HSL_PKT_SNP_S && s->h.opcode != HSL_PKT_SNP_U && (s->fwd || s->fwd_tag)) {
        return "a snoop that forwards nothing names an agent to serve";
    }
    return NULL;
}

static const char *check_atomic(const struct hsl_pkt_atomic *a)
{
    if (a->rsvd0 || a->rsvd1 || a->rsvd2) {
        return "a reserved field of ATOMIC is not zero";
    }
    if (a->subop >= HSL_ATOMICS) {
        return "the subop of ATOMIC is reserved";
    }
    if (a->len != 4 && a->len != 8) {
        return "the length of ATOMIC is not 4 or 8";
    }
    return a->h.addr % a->len ? "the operand of ATOMIC is not aligned" : NULL;
}

const char *hsl_pkt_check(const struct hsl_pkt *p)
{
    const struct hsl_pkt_kind *op = &hsl_pkt_kinds[p->u.h.opcode];

    if (!op->slots) {
        return "the opcode is reserved";
    }
    if (p->u.h.flags & ~op->flags) {
        return "a reserved flag is set";
    }
    if (p->u.h.opcode == HSL_PKT_RSP && p->u.rsp.status >= HSL_ST_COUNT) {
        return "the status is reserved";
    }
    if (op->vc != HSL_VC_RSP && (p->u.h.addr & ADDR_RSVD)) {
        return "bits 63:56 of the address are not zero";
    }
    if (op->vc == HSL_VC_SNP) {
        return check_snoop(&p->u.snp);
    }
    if (p->u.h.opcode == HSL_PKT_ATOMIC) {
        return check_atomic(&p->u.atomic);
    }
    if (p->u.h.opcode == HSL_PKT_WR_DATA && p->u.wr.rsvd) {
        return "a reserved field of WR_DATA is not zero";
    }
    return NULL;
}

const char *hsl_pkt_text(const struct hsl_pkt *p, char *buf, size_t len)
{
    const struct hsl_pkt_hdr *h = &p->u.h;
    const char *name = hsl_pkt_kinds[h->opcode].name;

    if (name) {
        snprintf(buf, len, "%s %04x->%04x tag %04x flags %02x addr 0x%llx", name, h->src, h->dst,
                 h->tag, h->flags, (unsigned long long)h->addr);
    } else {
        snprintf(buf, len, "opcode 0x%02x, which is reserved", h->opcode);
    }
    return buf;
}
