/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Taps: what ends of links send, receive and become, as records for captures.
 *
 * Each end knows which taps want what it sends and what it receives, a bit each. Records wait in a
 * ring that has room for what one post or step can cause: of each end a change of state or two, and
 * of the one end that a step is about a flit and two training sets; more when testers ask for it.
 */
#include <errno.h>
#include <string.h>

#include "fab_priv.h"

uint32_t fab_tap_records(const struct hsl_fab *f)
{
    return 2 * f->nports + 4 + FAB_TEST_OUT;
}

int fab_tap(struct hsl_fab *f, uint32_t p, uint8_t tap, uint8_t what)
{
    struct fab_port *port = fab_port(f, p);
    uint8_t bit = (uint8_t)(1u << tap % 8);

    if (tap >= HSL_FAB_TAPS || what & ~(HSL_FAB_TAP_TX | HSL_FAB_TAP_RX)) {
        return -EINVAL;
    }
    port->tap_tx = (uint8_t)((port->tap_tx & ~bit) | (what & HSL_FAB_TAP_TX ? bit : 0));
    port->tap_rx = (uint8_t)((port->tap_rx & ~bit) | (what & HSL_FAB_TAP_RX ? bit : 0));
    return 0;
}

static struct hsl_fab_record *record_at(struct hsl_fab *f, uint32_t i)
{
    return (struct hsl_fab_record *)fab_at(f, f->off_record) + i % f->nrecords;
}

static struct hsl_fab_record *record(struct hsl_fab *f, uint32_t p, uint8_t taps,
                                     enum hsl_fab_record_kind kind)
{
    const struct fab_port *port = fab_port(f, p);
    struct hsl_fab_record *r;

    if (!taps) {
        return NULL;
    }
    r = record_at(f, f->record_first + f->record_len++);
    r->time_ps = f->now_ps;
    r->end = p;
    r->a = hsl_net_id(fab_net(f), port->node);
    r->b = hsl_net_id(fab_net(f), fab_port(f, port->peer)->node);
    r->link = p - fab_first_port(f, port->node);
    r->taps = taps;
    r->kind = kind;
    r->rx = false;
    return r;
}

void fab_record_flit(struct hsl_fab *f, uint32_t p, bool rx, const struct hsl_flit *flit)
{
    const struct fab_port *port = fab_port(f, p);
    struct hsl_fab_record *r = record(f, p, rx ? port->tap_rx : port->tap_tx, HSL_FAB_FLIT);

    if (r) {
        r->rx = rx;
        r->u.flit = *flit;
    }
}

void fab_record_ts(struct hsl_fab *f, uint32_t p, bool rx, const struct hsl_ts *ts)
{
    const struct fab_port *port = fab_port(f, p);
    struct hsl_fab_record *r = record(f, p, rx ? port->tap_rx : port->tap_tx, HSL_FAB_TS);

    if (r) {
        r->rx = rx;
        r->u.ts = *ts;
    }
}

void fab_record_state(struct hsl_fab *f, uint32_t p)
{
    const struct fab_port *port = fab_port(f, p);
    struct hsl_fab_record *r = record(f, p, port->tap_rx | port->tap_tx, HSL_FAB_STATE);

    if (r) {
        r->u.state.state = port->phy.state;
        r->u.state.width = port->phy.width;
        r->u.state.rate_mtps = port->phy.rate_mtps;
    }
}

int hsl_fab_record(struct hsl_fab *f, struct hsl_fab_record *out)
{
    if (!f->record_len) {
        return 0;
    }
    *out = *record_at(f, f->record_first);
    f->record_first = (f->record_first + 1) % f->nrecords;
    f->record_len--;
    return 1;
}

bool hsl_fab_end(const struct hsl_fab *f, uint32_t end, uint32_t *a, uint32_t *b)
{
    const struct hsl_model *net = fab_net((struct hsl_fab *)(uintptr_t)f);

    if (end >= f->nports) {
        return false;
    }
    *a = hsl_net_id(net, fab_port_const(f, end)->node);
    *b = hsl_net_id(net, fab_port_const(f, fab_port_const(f, end)->peer)->node);
    return true;
}
