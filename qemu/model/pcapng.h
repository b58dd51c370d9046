/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Captures of links (docs/capture.md): what crosses links, as blocks of a pcapng file. Pure
 * formatting into the caller's buffer; the caller writes it where it wants to.
 *
 * A file is one section, then one end for every link end that is captured, numbered from 0 in the
 * order of the calls, then records. Ends and records may be mixed as long as an end comes before
 * its first record.
 */
#ifndef HSL_MODEL_PCAPNG_H
#define HSL_MODEL_PCAPNG_H

#include <stddef.h>

#include "link.h"

#define HSL_PCAPNG_LINKTYPE     159u    /* LINKTYPE_USER12 */

/* In front of the flit, the training set or the state. */
struct hsl_pcapng_hdr {
    uint8_t version;            /* HSL_PCAPNG_VERSION */
    uint8_t kind;               /* HSL_PCAPNG_FLIT, _TS, _STATE */
    uint8_t flags;              /* HSL_PCAPNG_F_*, bits of sequence numbers [7:4] */
    uint8_t link;               /* link block of the end that captured; 0xff: not known */
    hsl_le16 src, dst;          /* nodes; of a state: the end and its peer */
    hsl_le64 time_ps;
};
#define HSL_PCAPNG_VERSION      1
#define HSL_PCAPNG_FLIT         1
#define HSL_PCAPNG_TS           2
#define HSL_PCAPNG_STATE        3
#define HSL_PCAPNG_F_RX         0x01    /* as received, else as sent */
HSL_ASSERT_SIZE(hsl_pcapng_hdr, 16);

struct hsl_pcapng_state {
    hsl_le32 state;             /* HSL_LTSSM_* that the end has entered */
    hsl_le32 width, rate_mtps;
    hsl_le32 rsvd;
};
HSL_ASSERT_SIZE(hsl_pcapng_state, 16);

/* One end of a link: the node it is at, the node at the other end. */
struct hsl_pcapng_end {
    uint16_t node, peer;
    uint64_t bits_per_s;        /* raw, of each direction; 0: not said */
    const struct hsl_link_cfg *cfg;
};

/* Where and when a record was taken. */
struct hsl_pcapng_at {
    uint32_t end;               /* number of the end in this file */
    uint16_t src, dst;
    uint8_t link, seq_bits;
    bool rx;
    uint64_t time_ps;
    const char *comment;        /* or NULL */
};

/* No block is longer: strings are cut to 255 bytes. Each function returns the block's length. */
#define HSL_PCAPNG_BLOCK_MAX    1024u

size_t hsl_pcapng_section(uint8_t buf[HSL_PCAPNG_BLOCK_MAX], const char *hardware,
                          const char *application);
size_t hsl_pcapng_end(uint8_t buf[HSL_PCAPNG_BLOCK_MAX], const struct hsl_pcapng_end *e);
size_t hsl_pcapng_flit(uint8_t buf[HSL_PCAPNG_BLOCK_MAX], const struct hsl_pcapng_at *at,
                       const struct hsl_flit *f);
size_t hsl_pcapng_ts(uint8_t buf[HSL_PCAPNG_BLOCK_MAX], const struct hsl_pcapng_at *at,
                     const struct hsl_ts *ts);
size_t hsl_pcapng_state(uint8_t buf[HSL_PCAPNG_BLOCK_MAX], const struct hsl_pcapng_at *at,
                        uint32_t state, uint32_t width, uint32_t rate_mtps);

#endif
