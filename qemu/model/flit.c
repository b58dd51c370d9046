/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Flits: the 256 bytes that cross a link (docs/hep.md section 8), their CRC and how many a transfer
 * takes.
 *
 * The CRC-64/XZ (crc64.c) covers bytes 0 to 241 and follows them, little-endian, so that a flit up
 * to byte 249 is one code word in the order of its bits on the wire: every error burst of at most
 * 64 bits is found, and every single one in what remains, the FEC bytes, because these are reserved
 * and zero.
 *
 * Slot map: a nibble per slot. 0xf is empty. Else bits 2:0 are the virtual channel and bit 3 says
 * that a packet starts here. The slots of a packet follow each other; a packet may begin in one
 * flit and go on in slot 0 of the next one, which is why slot 0 may hold a continuation of any
 * channel and no other slot may hold one unless the slot before is of the same channel. Only data
 * flits carry slots.
 */
#include <string.h>

#include "model_priv.h"

#define CRC_BYTES       offsetof(struct hsl_flit, crc)
#define SEQ_MASK        ((1u << HSL_FLIT_SEQ_BITS) - 1)
#define HDR_TYPE_SHIFT  HSL_FLIT_SEQ_BITS
#define HDR_RSVD        0xc000u
#define ACK_RSVD        0xc000u
#define MAP_EMPTY       0xfu
#define MAP_VC          0x7u

void hsl_flit_seal(struct hsl_flit *f, uint32_t seq, uint32_t type)
{
    uint64_t crc;

    f->hdr = (uint16_t)((seq & SEQ_MASK) | (type & 3) << HDR_TYPE_SHIFT);
    memset(f->rsvd, 0, sizeof(f->rsvd));
    memset(f->fec, 0, sizeof(f->fec));
    crc = hsl_crc64(f, CRC_BYTES);
    memcpy(f->crc, &crc, sizeof(f->crc));
}

/* Bit 0 of each slot's nibble. */
#define EACH    UINT64_C(0x11111111111111)

/* Of nibbles: which are not zero. */
static uint64_t not_zero(uint64_t v)
{
    v |= v >> 2 & EACH * 3;
    return (v | v >> 1) & EACH;
}

/* All slots at once. */
static bool slot_map_is_valid(const struct hsl_flit *f, bool data)
{
    uint64_t map = 0, used, goes_on, before;

    memcpy(&map, f->slot_map, sizeof(f->slot_map));
    used = not_zero(~map & EACH * MAP_EMPTY);
    if (used && !data) {
        return false;
    }
    /* channels from HSL_VC_COUNT, 5, on: bit 2, and bit 1 or 0 */
    if (used & map >> 2 & (map >> 1 | map)) {
        return false;
    }
    goes_on = used & ~(map >> 3) & ~UINT64_C(1);
    /* an empty slot before is of no channel */
    before = map << 4;
    return !(goes_on & not_zero((map ^ before) & EACH * MAP_VC));
}

bool hsl_flit_check(const struct hsl_flit *f)
{
    static const uint8_t zero[sizeof(f->fec)];
    unsigned int type = (f->hdr & ~HDR_RSVD) >> HDR_TYPE_SHIFT;
    uint64_t crc;

    memcpy(&crc, f->crc, sizeof(crc));
    if (crc != hsl_crc64(f, CRC_BYTES)) {
        return false;
    }
    if ((f->hdr & HDR_RSVD) || type > HSL_FLIT_CONTROL || (f->ack & ACK_RSVD)) {
        return false;
    }
    if (memcmp(f->rsvd, zero, sizeof(f->rsvd)) || memcmp(f->fec, zero, sizeof(f->fec))) {
        return false;
    }
    return slot_map_is_valid(f, type == HSL_FLIT_DATA);
}

/*
 * Slots: hdr_slots for each packet and the data, of which only the last packet's is rounded up, as
 * 256 bytes are 16 whole slots. Too long to count: UINT64_MAX.
 */
uint64_t hsl_wire_bytes(uint64_t len, uint32_t hdr_slots)
{
    uint64_t packets = len / 256 + (len % 256 != 0);
    uint64_t data = len / HSL_SLOT_BYTES + (len % HSL_SLOT_BYTES != 0);
    uint64_t slots, flits;

    if (hdr_slots && packets > (UINT64_MAX - data) / hdr_slots) {
        return UINT64_MAX;
    }
    slots = packets * hdr_slots + data;
    flits = slots / HSL_FLIT_SLOTS + (slots % HSL_FLIT_SLOTS != 0);
    return flits > UINT64_MAX / HSL_FLIT_BYTES ? UINT64_MAX : flits * HSL_FLIT_BYTES;
}
