/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Captures of a fabric: its ends are numbered in the file as in the fabric. */
#include "capture.h"
#include "fab_priv.h"

static struct hsl_pcapng_at at_end(const struct hsl_fab *f, uint32_t end, uint64_t time_ps)
{
    struct hsl_pcapng_at at = { .end = end, .time_ps = time_ps };
    uint32_t a = 0, b = 0;

    hsl_fab_end(f, end, &a, &b);
    at.src = (uint16_t)a;
    at.dst = (uint16_t)b;
    at.link = (uint8_t)(end - fab_first_port(f, fab_port_const(f, end)->node));
    at.seq_bits = (uint8_t)f->cfg.link.seq_bits;
    return at;
}

static size_t end_block(const struct hsl_fab *f, uint32_t end, uint8_t *buf)
{
    const struct hsl_profile *p = &f->cfg.profile;
    struct hsl_pcapng_at at = at_end(f, end, 0);
    struct hsl_pcapng_end e = {
        .node = at.src,
        .peer = at.dst,
        .cfg = &f->cfg.link,
        .bits_per_s = UINT64_C(1000000) * p->lanes * p->rate_mtps,
    };

    return hsl_pcapng_end(buf, &e);
}

size_t hsl_capture_head(const struct hsl_fab *f, uint32_t i, const char *application,
                        uint8_t buf[HSL_PCAPNG_BLOCK_MAX])
{
    if (i == 0) {
        return hsl_pcapng_section(buf, "modelled fabric", application);
    }
    if (i <= f->nports) {
        return end_block(f, i - 1, buf);
    }
    if (i <= 2 * f->nports) {
        const struct hsl_phy *phy = &fab_port_const(f, i - f->nports - 1)->phy;
        struct hsl_pcapng_at at = at_end(f, i - f->nports - 1, f->now_ps);

        return hsl_pcapng_state(buf, &at, phy->state, phy->width, phy->rate_mtps);
    }
    return 0;
}

size_t hsl_capture_record(const struct hsl_fab *f, const struct hsl_fab_record *r,
                          uint8_t buf[HSL_PCAPNG_BLOCK_MAX])
{
    struct hsl_pcapng_at at = at_end(f, r->end, r->time_ps);

    if (r->kind == HSL_FAB_STATE) {
        return hsl_pcapng_state(buf, &at, r->u.state.state, r->u.state.width,
                                r->u.state.rate_mtps);
    }
    if (r->rx) {                /* the sender comes first */
        uint16_t node = at.src;

        at.src = at.dst;
        at.dst = node;
        at.rx = true;
    }
    return r->kind == HSL_FAB_FLIT ? hsl_pcapng_flit(buf, &at, &r->u.flit) :
                                     hsl_pcapng_ts(buf, &at, &r->u.ts);
}
