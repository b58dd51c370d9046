/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * pcapng blocks (docs/capture.md; the format is the IETF's draft-ietf-opsawg-pcapng).
 *
 * A block is its type, its length, a body, options, and its length again. Everything is padded to
 * four bytes; an option is its code, its length without padding, and its value, and code 0 ends the
 * list. The section is little-endian, as the profile is.
 */
#include <stdio.h>
#include <string.h>

#include "pcapng.h"

enum { BLOCK_SECTION = 0x0a0d0d0a, BLOCK_INTERFACE = 1, BLOCK_PACKET = 6 };
enum {
    OPT_COMMENT = 1,
    SECTION_HARDWARE = 2, SECTION_APPLICATION = 4,
    INTERFACE_NAME = 2, INTERFACE_DESCRIPTION = 3, INTERFACE_SPEED = 8, INTERFACE_TSRESOL = 9,
    PACKET_FLAGS = 2,
};
enum { TSRESOL_PS = 12 };               /* 10^-12 s: 64 bits last for 213 days */
enum { FLAG_INBOUND = 1, FLAG_OUTBOUND = 2 };
#define STRING_MAX      255u

struct out {
    uint8_t *buf;
    size_t n;
};

static void put(struct out *o, uint64_t v, unsigned int bytes)
{
    for (unsigned int i = 0; i < bytes; i++) {
        o->buf[o->n++] = (uint8_t)(v >> (8 * i));
    }
}

static void put_padded(struct out *o, const void *p, size_t len)
{
    memcpy(o->buf + o->n, p, len);
    o->n += len;
    while (o->n % 4) {
        o->buf[o->n++] = 0;
    }
}

static void option(struct out *o, unsigned int code, const void *p, size_t len)
{
    put(o, code, 2);
    put(o, len, 2);
    put_padded(o, p, len);
}

static void option_string(struct out *o, unsigned int code, const char *s)
{
    size_t len = s ? strlen(s) : 0;

    if (len) {
        option(o, code, s, len < STRING_MAX ? len : STRING_MAX);
    }
}

static struct out block_begin(uint8_t *buf, uint32_t type)
{
    struct out o = { buf, 0 };

    put(&o, type, 4);
    put(&o, 0, 4);
    return o;
}

static size_t block_end(struct out *o)
{
    struct out length = { o->buf, 4 };

    put(o, 0, 4);               /* end of options */
    put(o, o->n + 4, 4);
    put(&length, o->n, 4);
    return o->n;
}

size_t hsl_pcapng_section(uint8_t buf[HSL_PCAPNG_BLOCK_MAX], const char *hardware,
                          const char *application)
{
    struct out o = block_begin(buf, BLOCK_SECTION);

    put(&o, 0x1a2b3c4d, 4);     /* tells the byte order */
    put(&o, 1, 2);
    put(&o, 0, 2);
    put(&o, UINT64_MAX, 8);     /* length of the section: not known */
    option_string(&o, SECTION_HARDWARE, hardware);
    option_string(&o, SECTION_APPLICATION, application);
    return block_end(&o);
}

/* What is 0 is not known to who captures. */
static void describe(char text[STRING_MAX + 1], const struct hsl_link_cfg *cfg)
{
    const uint32_t *slots = cfg->rx_slots;
    int n = snprintf(text, STRING_MAX + 1, "seq_bits=%u", cfg->seq_bits);

    if (cfg->replay_flits) {
        n += snprintf(text + n, STRING_MAX + 1 - n, " replay_flits=%u", cfg->replay_flits);
    }
    if (slots[0]) {
        n += snprintf(text + n, STRING_MAX + 1 - n, " rx_slots=%u,%u,%u,%u,%u", slots[0], slots[1],
                      slots[2], slots[3], slots[4]);
    }
    if (cfg->credit_shift) {
        snprintf(text + n, STRING_MAX + 1 - n, " credit_shift=%u", cfg->credit_shift);
    }
}

size_t hsl_pcapng_end(uint8_t buf[HSL_PCAPNG_BLOCK_MAX], const struct hsl_pcapng_end *e)
{
    struct out o = block_begin(buf, BLOCK_INTERFACE);
    const uint8_t tsresol = TSRESOL_PS;
    char text[STRING_MAX + 1];

    put(&o, HSL_PCAPNG_LINKTYPE, 2);
    put(&o, 0, 2);
    put(&o, 0, 4);              /* records are never cut */
    snprintf(text, sizeof(text), "%u-%u", e->node, e->peer);
    option_string(&o, INTERFACE_NAME, text);
    describe(text, e->cfg);
    option_string(&o, INTERFACE_DESCRIPTION, text);
    if (e->bits_per_s) {
        put(&o, INTERFACE_SPEED, 2);
        put(&o, 8, 2);
        put(&o, e->bits_per_s, 8);
    }
    option(&o, INTERFACE_TSRESOL, &tsresol, 1);
    return block_end(&o);
}

static size_t record(uint8_t *buf, const struct hsl_pcapng_at *at, uint8_t kind, const void *body,
                     size_t len)
{
    struct out o = block_begin(buf, BLOCK_PACKET);
    size_t bytes = sizeof(struct hsl_pcapng_hdr) + len;

    put(&o, at->end, 4);
    put(&o, at->time_ps >> 32, 4);
    put(&o, at->time_ps, 4);
    put(&o, bytes, 4);
    put(&o, bytes, 4);
    put(&o, HSL_PCAPNG_VERSION, 1);
    put(&o, kind, 1);
    put(&o, (at->rx ? HSL_PCAPNG_F_RX : 0) | at->seq_bits << 4, 1);
    put(&o, at->link, 1);
    put(&o, at->src, 2);
    put(&o, at->dst, 2);
    put(&o, at->time_ps, 8);
    put_padded(&o, body, len);
    option_string(&o, OPT_COMMENT, at->comment);
    if (kind != HSL_PCAPNG_STATE) {
        put(&o, PACKET_FLAGS, 2);
        put(&o, 4, 2);
        put(&o, at->rx ? FLAG_INBOUND : FLAG_OUTBOUND, 4);
    }
    return block_end(&o);
}

size_t hsl_pcapng_flit(uint8_t buf[HSL_PCAPNG_BLOCK_MAX], const struct hsl_pcapng_at *at,
                       const struct hsl_flit *f)
{
    return record(buf, at, HSL_PCAPNG_FLIT, f, sizeof(*f));
}

size_t hsl_pcapng_ts(uint8_t buf[HSL_PCAPNG_BLOCK_MAX], const struct hsl_pcapng_at *at,
                     const struct hsl_ts *ts)
{
    return record(buf, at, HSL_PCAPNG_TS, ts, sizeof(*ts));
}

size_t hsl_pcapng_state(uint8_t buf[HSL_PCAPNG_BLOCK_MAX], const struct hsl_pcapng_at *at,
                        uint32_t state, uint32_t width, uint32_t rate_mtps)
{
    struct hsl_pcapng_state s = { .state = state, .width = width, .rate_mtps = rate_mtps };

    return record(buf, at, HSL_PCAPNG_STATE, &s, sizeof(s));
}
