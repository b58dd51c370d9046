/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Messages of the flit socket. Layouts are used in place, as everywhere on little-endian hosts; what comes in is copied
 * first, so it may lie at any address.
 */
#include <errno.h>
#include <string.h>

#include "flit_msg.h"
#include "hsl/regs.h"

static const uint16_t lengths[] = {
    [HSL_FS_HELLO] = sizeof(struct hsl_fs_hello),
    [HSL_FS_LINE] = sizeof(struct hsl_fs_line),
    [HSL_FS_FLIT] = sizeof(struct hsl_fs_flit),
    [HSL_FS_TIME] = sizeof(struct hsl_fs_time),
    [HSL_FS_BYE] = sizeof(struct hsl_fs_bye),
};
#define TYPES   (sizeof(lengths) / sizeof(lengths[0]))

static const char *check_hdr(const struct hsl_fs_hdr *h)
{
    if (h->type >= TYPES || !lengths[h->type]) {
        return "there is no message of this type";
    }
    if (h->len != lengths[h->type]) {
        return "the length is not that of its type";
    }
    if (h->rsvd || h->flags & ~(h->type == HSL_FS_TIME ? HSL_FS_F_WANT : 0)) {
        return "a reserved field is not zero";
    }
    if (h->time_ps >= HSL_FS_TIME_MAX) {
        return "the time is out of bounds";
    }
    if ((h->type == HSL_FS_HELLO || h->type == HSL_FS_BYE) && h->time_ps) {
        return "HELLO and BYE have no time";
    }
    return NULL;
}

static const char *check_bye(const struct hsl_fs_bye *b)
{
    size_t i = 0;

    while (i < HSL_FS_TEXT && b->text[i] >= ' ' && b->text[i] <= '~') {
        i++;
    }
    while (i < HSL_FS_TEXT && !b->text[i]) {
        i++;
    }
    if (b->rsvd) {
        return "a reserved field is not zero";
    }
    return i < HSL_FS_TEXT ? "the text of BYE is printable ASCII and zeros" : NULL;
}

int hsl_flit_msg_take(const uint8_t *bytes, size_t len, union hsl_flit_msg *out, const char **why)
{
    struct hsl_fs_hdr h;

    if (len < sizeof(h)) {
        return 0;
    }
    memcpy(&h, bytes, sizeof(h));
    *why = check_hdr(&h);
    if (*why) {
        return -EPROTO;
    }
    if (len < h.len) {
        return 0;
    }
    memcpy(out, bytes, h.len);
    if (h.type == HSL_FS_BYE) {
        *why = check_bye(&out->bye);
    }
    return *why ? -EPROTO : (int)h.len;
}

void hsl_flit_msg_begin(union hsl_flit_msg *m, enum hsl_fs_type type, uint64_t time_ps)
{
    memset(m, 0, sizeof(*m));
    m->hdr.type = (uint8_t)type;
    m->hdr.len = lengths[type];
    m->hdr.time_ps = time_ps;
}

void hsl_flit_msg_hello(union hsl_flit_msg *m, const struct hsl_link_cfg *link)
{
    struct hsl_fs_hello *h = &m->hello;

    hsl_flit_msg_begin(m, HSL_FS_HELLO, 0);
    h->magic = HSL_FS_MAGIC;
    h->major = HSL_FS_MAJOR;
    h->minor = HSL_FS_MINOR;
    h->hep_version = HSL_HEP_VERSION;
    h->replay_flits = link->replay_flits;
    h->reorder = (uint8_t)link->reorder;
    h->seq_bits = (uint8_t)link->seq_bits;
    h->credit_shift = (uint8_t)link->credit_shift;
    for (uint32_t vc = 0; vc < HSL_VC_COUNT; vc++) {
        h->rx_slots[vc] = (uint16_t)link->rx_slots[vc];
    }
}

void hsl_flit_msg_link(const struct hsl_fs_hello *h, struct hsl_link_cfg *link)
{
    link->replay_flits = h->replay_flits;
    link->reorder = h->reorder;
    link->seq_bits = h->seq_bits;
    link->credit_shift = h->credit_shift;
    for (uint32_t vc = 0; vc < HSL_VC_COUNT; vc++) {
        link->rx_slots[vc] = h->rx_slots[vc];
    }
}

const char *hsl_flit_msg_fits(const struct hsl_fs_hello *own, const struct hsl_fs_hello *other)
{
    /* what the other end does not say is as good as anything */
    struct hsl_link_cfg link = { .ack_ps = 1, .replay_ps = 1, .replay_rounds = 1,
                                 .tx_slots = { 6, 6, 6, 6, 6 } };

    if (other->magic != HSL_FS_MAGIC) {
        return "it is not a flit socket";
    }
    if (other->major != own->major) {
        return "the versions of the protocol differ";
    }
    if (other->hep_version >> 16 != own->hep_version >> 16) {
        return "the versions of the HEP differ";
    }
    if (other->node != own->peer || other->peer != own->node) {
        return "the node ids of the two ends do not fit";
    }
    if (other->seq_bits != own->seq_bits || other->reorder != own->reorder ||
        other->credit_shift != own->credit_shift) {
        return "seq_bits, reorder or credit_shift of the two ends differ";
    }
    if (!other->latency_ps || other->latency_ps >= HSL_FS_TIME_MAX) {
        return "the latency is at least 1 ps";
    }
    if (!other->lanes || other->lanes > 16 || !other->rate_mtps) {
        return "a link has 1 to 16 lanes and a rate";
    }
    if (other->rsvd0 || other->rsvd1) {
        return "a reserved field is not zero";
    }
    hsl_flit_msg_link(other, &link);
    for (uint32_t vc = 0; vc < HSL_VC_COUNT; vc++) {
        if (link.rx_slots[vc] < HSL_PKT_SLOTS_MAX + (1u << (link.credit_shift & 31)) - 1) {
            return "a receive buffer has room for the largest packet";
        }
    }
    return hsl_link_check(&link);
}

const char *hsl_flit_msg_reason(uint32_t reason)
{
    static const char *const names[] = {
        [HSL_FS_DONE] = "done",
        [HSL_FS_VERSION] = "version",
        [HSL_FS_PARAMETERS] = "parameters",
        [HSL_FS_MALFORMED] = "malformed",
        [HSL_FS_TIME_ERROR] = "time",
        [HSL_FS_BUSY] = "busy",
    };

    return reason < sizeof(names) / sizeof(names[0]) ? names[reason] : "unknown reason";
}
