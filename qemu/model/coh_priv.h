/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What agent.c and home.c share, and what only tests may look at. Nobody else includes this.
 */
#ifndef HSL_MODEL_COH_PRIV_H
#define HSL_MODEL_COH_PRIV_H

#include <string.h>

#include "coh.h"

#define HSL_COH_NONE UINT32_MAX
#define HSL_LINE_MASK (~(uint64_t)(HSL_LINE_BYTES - 1))
#define HSL_CHIPS_MAX 16383u

static inline void *hsl_coh_at(void *base, uint64_t off)
{
    return (unsigned char *)base + off;
}

/* What a packet names: the hops that it has crossed do not matter here. */
static inline uint64_t hsl_pkt_offset(const struct hsl_pkt *p)
{
    return p->u.h.addr & HSL_GA_OFFSET_MASK;
}

static inline struct hsl_pkt hsl_coh_pkt(uint32_t opcode, uint32_t flags, uint32_t tag,
                                         uint32_t src, uint32_t dst, uint64_t offset)
{
    struct hsl_pkt p;

    memset(&p, 0, sizeof(p));
    p.u.h = (struct hsl_pkt_hdr){
        .opcode = (uint8_t)opcode, .flags = (uint8_t)flags, .tag = (uint16_t)tag,
        .src = (uint16_t)src, .dst = (uint16_t)dst, .addr = offset,
    };
    return p;
}

/* Not symmetric: what is mixed into what makes a difference. */
static inline uint64_t hsl_coh_mix(uint64_t h, uint64_t v)
{
    h = (h + UINT64_C(0x9e3779b97f4a7c15)) * UINT64_C(0xbf58476d1ce4e5b9);
    h = ((h ^ (h >> 29)) + v) * UINT64_C(0x94d049bb133111eb);
    return h ^ (h >> 32);
}

static inline uint64_t hsl_coh_mix_line(uint64_t h, const uint8_t data[HSL_LINE_BYTES])
{
    uint64_t w;

    for (uint32_t i = 0; i < HSL_LINE_BYTES; i += 8) {
        memcpy(&w, data + i, 8);
        h = hsl_coh_mix(h, w);
    }
    return h;
}

/* For tests: a dirty line that a WRITE_BACK is about to take to its home. */
bool hsl_agent_writing_back(const struct hsl_agent *a, uint64_t ga, uint8_t *data);
/* For tests: the access whose cookie the request with this tag serves; false: none. */
bool hsl_agent_tag_cookie(const struct hsl_agent *a, uint32_t tag, uint64_t *cookie);
/*
 * Hashes that know of less, for tests that know why. by_line: a request is known by its line, not
 * by its tag or number, and the order of requests for different lines and of lines in the directory
 * does not count: right while the directory has room for all lines. map: agent number i of the home
 * is map[i]; NULL.
 */
uint64_t hsl_agent_hash_as(const struct hsl_agent *a, bool by_line);
uint64_t hsl_home_hash_as(const struct hsl_home *h, bool by_line, const uint32_t *map);

#endif
