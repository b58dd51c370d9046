/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Link layer: docs/hep.md section 8.3. Each end is a sender and a receiver; what one direction
 * needs from the other, acknowledgements and credits, rides on every flit that goes the other way.
 *
 * Sender. Sequence numbers are modulo 2^b. una is the oldest flit that is not acknowledged, next
 * the one that will be packed next, cursor the one that goes out next:
 *
 *      una <= cursor <= next <= una + W        in this order from una on, modulo 2^b
 *
 * The flits una ... next - 1 are in the replay buffer, slots and slot map as they were packed;
 * acknowledgement and credits are those of the moment they go out. cursor < next is a replay. Going
 * back is cursor = una: upon a NAK, when the replay time has gone by without una moving, and after
 * RECOVERY.
 *
 * Receiver. It takes flit `expected` and nothing else, so delivery in order and once is by
 * construction, if an old flit is never mistaken for the expected one, nor an old acknowledgement
 * or credit count for a new one. A flit is late by at most R places. Let it be a copy of number n;
 * when it was sent una <= n, so next <= n + W, and R flits can have been sent since: expected <=
 * n + W + R, which must be less than n + 2^b. Acknowledgements have no number of their own. From
 * one flit to the next the receiver can take W flits, so a late acknowledgement is up to R W behind
 * una. It is ignored if it lies outside una ... next, that is if (R + 1) W < 2^b; this is the
 * stronger condition. For the same reason (R + 1) units < 256 for each receive buffer.
 *
 * A NAK goes out once: nak goes NO -> DUE when something is refused or missing, DUE -> SENT with
 * the next flit, and back to NO when the expected flit is taken. The replay time makes good a NAK
 * that is lost.
 *
 * Credits. sent counts the slots packed, heard the slots the other end says it has freed: sent -
 * heard slots are, or may be, in the other end's buffer. What crosses the link is freed in whole
 * units of 2^u slots, modulo 256; so up to 2^u - 1 slots are free and not known to be. told is
 * freed as the last flit had it: much that is not told goes out at once, without data if need be.
 * A packet is begun when all of it fits; its slots are then packed one after the other, so nobody
 * else uses the credit of its channel meanwhile. The next flit makes good a count that is lost.
 * Where no next flit comes, because the sender waits for that very credit and has nothing under way
 * that could time out, it asks after the replay time: a flit of type control, which is answered at
 * once.
 *
 * Conservation, for each channel, wherever flits are (hsl_link_audit):
 *
 *      sent - freed = slots received and not freed + slots in replay buffer flits from expected on
 *      0 <= freed - heard <= sent - heard <= slots of the receive buffer
 *
 * Hostile flits. A flit is taken as a whole or not at all: its slots are written behind the valid
 * part of the receive buffers, and counted only after the last one was found possible. A flit whose
 * CRC is right and whose content is impossible is a protocol error, upon which the link asks for
 * retraining; neither its slots nor what it acknowledges count.
 */
#include <errno.h>

#include "deviate.h"
#include "link_priv.h"
#include "model.h"

#define SEQ(x)          ((x) & ((1u << HSL_FLIT_SEQ_BITS) - 1))
#define ACK_NAK         (1u << 12)
#define ACK_VALID       (1u << 13)
#define TX_SLOTS_MAX    65535u
#define RX_UNITS_MAX    127u
#define SHIFT_MAX       8u

/* ---- configuration and memory ---- */

const char *hsl_link_check(const struct hsl_link_cfg *cfg)
{
    if (cfg->seq_bits < 2 || cfg->seq_bits > HSL_FLIT_SEQ_BITS) {
        return "sequence numbers have 2 to 12 bits";
    }
    if (!cfg->replay_flits || (cfg->reorder + UINT64_C(1)) * cfg->replay_flits >> cfg->seq_bits) {
        return "the replay buffer holds W >= 1 flits, and with reordering by R places "
               "(R + 1) W is less than 2^b";
    }
    if (cfg->credit_shift > SHIFT_MAX) {
        return "a unit of credit has 1 to 256 slots, a power of two";
    }
    for (uint32_t vc = 0; vc < HSL_VC_COUNT; vc++) {
        uint32_t units = cfg->rx_slots[vc] >> cfg->credit_shift;

        if (!units || units > RX_UNITS_MAX ||
            (cfg->reorder + UINT64_C(1)) * units > UINT8_MAX) {
            return "a receive buffer has 1 to 127 units of credit, and with reordering by R places "
                   "(R + 1) units is less than 256";
        }
        if (!cfg->tx_slots[vc] || cfg->tx_slots[vc] > TX_SLOTS_MAX) {
            return "a transmit queue has 1 to 65535 slots";
        }
    }
    if (!cfg->replay_ps || !cfg->replay_rounds) {
        return "the replay time and the rounds of replay are at least 1";
    }
    return NULL;
}

/* Fills the offsets if l is not NULL; returns the size. */
static size_t lay_out(const struct hsl_link_cfg *cfg, struct hsl_link *l)
{
    size_t off = (sizeof(struct hsl_link) + 7) & ~(size_t)7;

    if (l) {
        l->off_replay = (uint32_t)off;
    }
    off += (size_t)cfg->replay_flits * sizeof(struct hsl_flit);
    for (uint32_t vc = 0; vc < HSL_VC_COUNT; vc++) {
        if (l) {
            l->off_tx[vc] = (uint32_t)off;
            l->off_rx[vc] = (uint32_t)(off + (size_t)cfg->tx_slots[vc] * HSL_SLOT_BYTES);
        }
        off += ((size_t)cfg->tx_slots[vc] + cfg->rx_slots[vc]) * HSL_SLOT_BYTES;
    }
    return off;
}

size_t hsl_link_size(const struct hsl_link_cfg *cfg)
{
    return hsl_link_check(cfg) ? 0 : lay_out(cfg, NULL);
}

static bool fit(const struct hsl_link_cfg *cfg, const struct hsl_link_cfg *peer)
{
    return !hsl_link_check(cfg) && !hsl_link_check(peer) && cfg->seq_bits == peer->seq_bits &&
           cfg->reorder == peer->reorder && cfg->credit_shift == peer->credit_shift;
}

int hsl_link_init(struct hsl_link *l, const struct hsl_link_cfg *cfg,
                  const struct hsl_link_cfg *peer)
{
    if (!fit(cfg, peer)) {
        return -EINVAL;
    }
    memset(l, 0, sizeof(*l));
    l->cfg = *cfg;
    l->mask = (1u << cfg->seq_bits) - 1;
    l->slots_mask = (256u << cfg->credit_shift) - 1;
    lay_out(cfg, l);
    return hsl_link_peer(l, peer);
}

int hsl_link_peer(struct hsl_link *l, const struct hsl_link_cfg *peer)
{
    if (!fit(&l->cfg, peer)) {
        return -EINVAL;
    }
    l->peer_window = peer->replay_flits;
    memcpy(l->credit_max, peer->rx_slots, sizeof(l->credit_max));
    hsl_link_reset(l);
    return 0;
}

void hsl_link_reset(struct hsl_link *l)
{
    l->due = NEVER;
    l->say_ps = 0;
    l->una_at = l->rounds = 0;
    l->una = l->cursor = l->next = l->expected = l->first_seq;
    memset(l->tx_head, 0, sizeof(l->tx_head));
    memset(l->tx_used, 0, sizeof(l->tx_used));
    memset(l->first, 0, sizeof(l->first));
    memset(l->rx_head, 0, sizeof(l->rx_head));
    memset(&l->rx, 0, sizeof(l->rx));
    memset(l->sent, 0, sizeof(l->sent));
    memset(l->heard, 0, sizeof(l->heard));
    memset(l->freed, 0, sizeof(l->freed));
    memset(l->told, 0, sizeof(l->told));
    l->vc = HSL_VC_COUNT - 1;
    l->left = 0;
    l->nak = NAK_NO;
    l->say = SAY_NO;
    l->retrain = RETRAIN_NO;
    l->ask = false;
}

static uint64_t later(uint64_t now_ps, uint64_t ps)
{
    return now_ps < NEVER - ps ? now_ps + ps : NEVER - 1;
}

void hsl_link_deviate(struct hsl_link *l, uint32_t deviation)
{
    l->deviation = (uint16_t)deviation;
}

static bool deviates(const struct hsl_link *l, enum hsl_deviation d)
{
    return __builtin_expect(l->deviation == d, 0);
}

/* ---- packets ---- */

static uint32_t vc_of(const struct hsl_link *l, uint32_t opcode)
{
    return deviates(l, HSL_DEV_VC_WRONG) && opcode == HSL_PKT_ACK ? HSL_VC_MGMT : hsl_pkt_vc(opcode);
}

static void copy_slots(uint8_t *to, const uint8_t *from, uint32_t n)
{
    for (const uint8_t *end = from + n * HSL_SLOT_BYTES; from != end; from += HSL_SLOT_BYTES) {
        memcpy(to, from, HSL_SLOT_BYTES);
        to += HSL_SLOT_BYTES;
    }
}

/* Into a ring of so many slots, from slot i on, which may be its last one. */
static void into_ring(uint8_t *ring, uint32_t size, uint32_t i, const uint8_t *from, uint32_t n)
{
    uint32_t first = n <= size - i ? n : size - i;

    copy_slots(ring + i * HSL_SLOT_BYTES, from, first);
    copy_slots(ring, from + first * HSL_SLOT_BYTES, n - first);
}

static void out_of_ring(uint8_t *to, const uint8_t *ring, uint32_t size, uint32_t i, uint32_t n)
{
    uint32_t first = n <= size - i ? n : size - i;

    copy_slots(to, ring + i * HSL_SLOT_BYTES, first);
    copy_slots(to + first * HSL_SLOT_BYTES, ring, n - first);
}

int hsl_link_send(struct hsl_link *l, const struct hsl_pkt *p)
{
    uint32_t vc = vc_of(l, p->u.h.opcode), n = hsl_pkt_slots(p->u.h.opcode);

    if (vc >= HSL_VC_COUNT || hsl_pkt_check(p) || n > l->cfg.tx_slots[vc] ||
        n + (1u << l->cfg.credit_shift) - 1 > l->credit_max[vc]) {
        return -EINVAL;
    }
    if (n > l->cfg.tx_slots[vc] - l->tx_used[vc]) {
        return -EAGAIN;
    }
    if (!l->tx_used[vc]) {
        l->first[vc] = (uint8_t)n;
    }
    into_ring(at(l, l->off_tx[vc]), l->cfg.tx_slots[vc], tx_index(l, vc, l->tx_used[vc]),
              p->u.slot[0], n);
    l->tx_used[vc] += n;
    return 0;
}

/* n slots of a packet, of which the first is slot i of a receive buffer; the rest of p stays. */
static void rx_packet(const struct hsl_link *l, uint32_t vc, uint32_t i, uint32_t n,
                      struct hsl_pkt *p)
{
    out_of_ring(p->u.slot[0], at(l, l->off_rx[vc]), l->cfg.rx_slots[vc], rx_index(l, vc, i), n);
}

static bool is_there(const struct hsl_link *l, uint32_t vc)
{
    uint32_t part = l->rx.need && l->rx.vc == vc ? l->rx.have : 0;

    return vc < HSL_VC_COUNT && l->rx.used[vc] != part;
}

int hsl_link_peek(const struct hsl_link *l, uint32_t vc, struct hsl_pkt *p)
{
    if (!is_there(l, vc)) {
        return 0;
    }
    memset(p, 0, sizeof(*p));
    rx_packet(l, vc, 0, hsl_pkt_slots(*rx_slot(l, vc, 0)), p);
    return 1;
}

int hsl_link_recv(struct hsl_link *l, uint32_t vc, struct hsl_pkt *p)
{
    uint32_t n;

    if (!is_there(l, vc)) {
        return 0;
    }
    n = hsl_pkt_slots(*rx_slot(l, vc, 0));
    memset(p, 0, sizeof(*p));
    rx_packet(l, vc, 0, n, p);
    l->rx_head[vc] = advance(l->rx_head[vc], n, l->cfg.rx_slots[vc]);
    l->rx.used[vc] = (uint16_t)(l->rx.used[vc] - n);
    if (deviates(l, HSL_DEV_CREDIT_EXCESS)) {
        n += !(++l->deviated % 16);
    }
    l->freed[vc] = (l->freed[vc] + n) & l->slots_mask;
    l->stats.rx_packets[vc]++;
    if (deviates(l, HSL_DEV_COUNTER_OFF)) {
        l->stats.rx_packets[vc] += !(++l->deviated % 16);
    }
    if (l->cfg.tell_units &&
        slots_between(l, l->told[vc], l->freed[vc]) >> l->cfg.credit_shift >= l->cfg.tell_units) {
        l->say = SAY_BY;
        l->say_ps = 0;
    } else if (l->say == SAY_NO) {
        l->say = SAY_NEW;
    }
    return 1;
}

/* ---- sending ---- */

static uint32_t credits(const struct hsl_link *l, uint32_t vc)
{
    return l->credit_max[vc] - slots_between(l, l->heard[vc], l->sent[vc]);
}

uint32_t hsl_link_credits(const struct hsl_link *l, uint32_t vc)
{
    return vc < HSL_VC_COUNT ? credits(l, vc) : 0;
}

static bool is_stalled(const struct hsl_link *l, uint32_t vc)
{
    return l->first[vc] > credits(l, vc);
}

static bool needs_credit(const struct hsl_link *l)
{
    for (uint32_t vc = 0; vc < HSL_VC_COUNT; vc++) {
        if (is_stalled(l, vc)) {
            return true;
        }
    }
    return false;
}

/* The replay timer runs while there is something to wait for. */
static void watch(struct hsl_link *l, uint64_t now_ps)
{
    if (l->retrain || (l->una == l->next && !needs_credit(l))) {
        l->due = NEVER;
    } else if (l->due == NEVER) {
        l->due = later(now_ps, l->cfg.replay_ps);
    }
}

/* Begin the packet of the next channel in turn that has one, and credit for all of it. */
static bool begin_packet(struct hsl_link *l)
{
    for (uint32_t k = 0, vc = l->vc; k < HSL_VC_COUNT; k++) {
        uint8_t n;

        vc = advance(vc, 1, HSL_VC_COUNT);
        n = l->first[vc];

        if (n && n <= credits(l, vc)) {
            l->vc = (uint8_t)vc;
            l->left = n;
            l->first[vc] = 0;
            l->stats.tx_packets[vc]++;
            return true;
        }
    }
    return false;
}

/* As many slots of the packet as there is room for. */
static uint32_t pack_slots(struct hsl_link *l, uint8_t *slot, uint32_t room)
{
    uint32_t vc = l->vc, n = l->left < room ? l->left : room;

    out_of_ring(slot, at(l, l->off_tx[vc]), l->cfg.tx_slots[vc], l->tx_head[vc], n);
    l->tx_head[vc] = advance(l->tx_head[vc], n, l->cfg.tx_slots[vc]);
    l->tx_used[vc] -= n;
    l->sent[vc] = (l->sent[vc] + n) & l->slots_mask;
    l->left = (uint8_t)(l->left - n);
    if (!l->left && l->tx_used[vc]) {
        l->first[vc] = (uint8_t)hsl_pkt_slots(*tx_slot(l, vc, 0));
    }
    return n;
}

/* Number `next`, into the replay buffer, if there is anything to send. */
static bool pack(struct hsl_link *l)
{
    struct hsl_flit *f = replay_flit(l, l->next);
    uint64_t map = ~UINT64_C(0);
    uint32_t i = 0, n;

    for (; i < HSL_FLIT_SLOTS; i += n) {
        uint64_t start = 0;

        if (!l->left) {
            if (!begin_packet(l)) {
                break;
            }
            start = MAP_START;
        }
        n = pack_slots(l, f->slot[i], HSL_FLIT_SLOTS - i);
        map ^= (MAP_RUN(MAP_EMPTY ^ l->vc, n) ^ start) << 4 * i;
    }
    memcpy(f->slot_map, &map, sizeof(f->slot_map));
    memset(f->slot[i], 0, (HSL_FLIT_SLOTS - i) * sizeof(f->slot[0]));
    return i > 0;
}

static void count_stalls(struct hsl_link *l)
{
    for (uint32_t vc = 0; vc < HSL_VC_COUNT; vc++) {
        l->stats.credit_stalls[vc] += is_stalled(l, vc);
    }
}

static void hsl_link_seal_reserved(struct hsl_flit *f)
{
    uint64_t crc;

    f->rsvd[0] = 1;
    crc = hsl_crc64(f, offsetof(struct hsl_flit, crc));
    memcpy(f->crc, &crc, sizeof(crc));
}

/* What was freed of a channel is told. */
static bool tells(const struct hsl_link *l, uint32_t vc)
{
    uint32_t nearly = l->cfg.rx_slots[vc] - (2u << l->cfg.credit_shift) - HSL_PKT_SLOTS_MAX;

    if (deviates(l, HSL_DEV_CREDIT_HOARDED)) {
        return slots_between(l, l->told[vc], l->freed[vc]) >= nearly;
    }
    return !(l->frozen >> vc & 1) || deviates(l, HSL_DEV_CREDITS_UNLIMITED);
}

/* What every flit says. */
static void finish(struct hsl_link *l, struct hsl_flit *f, uint32_t seq, uint32_t type)
{
    f->ack = (uint16_t)(l->expected | ACK_VALID | (l->nak == NAK_DUE ? ACK_NAK : 0));
    for (uint32_t vc = 0; vc < HSL_VC_COUNT; vc++) {
        if (tells(l, vc)) {
            l->told[vc] = l->freed[vc] & ~((1u << l->cfg.credit_shift) - 1);
        }
        f->credits[vc] = (uint8_t)(l->told[vc] >> l->cfg.credit_shift);
    }
    hsl_flit_seal(f, seq, type);
    if (deviates(l, HSL_DEV_RESERVED_SENT)) {
        hsl_link_seal_reserved(f);
    }
    l->say = SAY_NO;
    if (l->nak == NAK_DUE) {
        l->nak = NAK_SENT;
        l->stats.tx_naks++;
    }
    l->stats.tx_flits++;
    count_stalls(l);
}

static void send_data(struct hsl_link *l, struct hsl_flit *f)
{
    *f = *replay_flit(l, l->cursor);
    finish(l, f, l->cursor, HSL_FLIT_DATA);
    l->cursor = (l->cursor + 1) & l->mask;
}

static void send_empty(struct hsl_link *l, struct hsl_flit *f, uint32_t type)
{
    memset(f, 0, sizeof(*f));
    memset(f->slot_map, 0xff, sizeof(f->slot_map));
    finish(l, f, l->next, type);
    l->stats.tx_idle++;
}

int hsl_link_tx(struct hsl_link *l, uint64_t now_ps, struct hsl_flit *f)
{
    bool sent = true;

    if (l->say == SAY_NEW) {
        l->say = SAY_BY;
        l->say_ps = later(now_ps, l->cfg.ack_ps);
    }
    if (l->cursor != l->next) {
        if (deviates(l, HSL_DEV_REPLAY_ALTERED) && (replay_flit(l, l->cursor)->slot_map[6] & 0xf0) == 0xf0) {
            replay_flit(l, l->cursor)->slot[HSL_FLIT_SLOTS - 1][0] ^= 0xff;
        }
        send_data(l, f);
        l->stats.tx_replayed++;
        l->due = NEVER;         /* the time runs from the last flit of a replay */
    } else if (distance(l, l->una, l->next) < l->cfg.replay_flits && pack(l)) {
        l->next = (l->next + 1) & l->mask;
        send_data(l, f);
    } else if (l->ask) {
        l->ask = false;
        send_empty(l, f, HSL_FLIT_CONTROL);
    } else if (l->nak == NAK_DUE || (l->say == SAY_BY && l->say_ps <= now_ps)) {
        send_empty(l, f, HSL_FLIT_IDLE);
    } else {
        sent = false;
    }
    watch(l, now_ps);
    return sent;
}

/* ---- receiving ---- */

/* A packet begins with this slot. */
static bool take_start(const struct hsl_link *l, struct rx *rx, uint32_t vc, uint32_t opcode)
{
    uint32_t n = hsl_pkt_slots(opcode);

    if (rx->need || !n || vc_of(l, opcode) != vc ||
        n > l->cfg.rx_slots[vc] - rx->used[vc]) {
        return false;
    }
    rx->vc = (uint8_t)vc;
    rx->have = 0;
    rx->need = (uint8_t)n;
    return true;
}

/* A packet of n slots in a receive buffer from slot i on. */
static bool is_possible(const struct hsl_link *l, uint32_t vc, uint32_t i, uint32_t n)
{
    const void *p = rx_slot(l, vc, i);
    struct hsl_pkt copy;

    if (rx_index(l, vc, i) + n > l->cfg.rx_slots[vc]) {         /* it goes on at the ring's begin */
        rx_packet(l, vc, i, n, &copy);
        p = &copy;
    }
    return !hsl_pkt_check(p);
}

/* n slots more of the packet that goes on. */
static bool take_slots(const struct hsl_link *l, struct rx *rx, const uint8_t *slot, uint32_t n)
{
    uint32_t vc = rx->vc, need = rx->need;

    into_ring(at(l, l->off_rx[vc]), l->cfg.rx_slots[vc], rx_index(l, vc, rx->used[vc]), slot, n);
    rx->used[vc] = (uint16_t)(rx->used[vc] + n);
    rx->have = (uint8_t)(rx->have + n);
    if (rx->have < need) {
        return true;
    }
    rx->need = rx->have = 0;
    return is_possible(l, vc, rx->used[vc] - need, need);
}

/* All slots of a flit, or none. */
static bool take(struct hsl_link *l, const struct hsl_flit *f)
{
    uint64_t map = map_get(f);
    struct rx rx = l->rx;

    for (uint32_t i = 0, n; i < HSL_FLIT_SLOTS; i += n, map >>= 4 * n) {
        uint32_t entry = map & 0xf, vc = entry & MAP_VC;

        n = 1;
        if (entry == MAP_EMPTY) {
            if (rx.need) {
                return false;
            }
            continue;
        }
        if (entry & MAP_START ? !take_start(l, &rx, vc, f->slot[i][0]) : !rx.need || rx.vc != vc) {
            return false;
        }
        n = rx.need - rx.have;
        n = n < HSL_FLIT_SLOTS - i ? n : HSL_FLIT_SLOTS - i;
        if ((map ^ (entry & MAP_START) ^ MAP_RUN(vc, n)) & MAP_RUN(0xf, n) ||
            !take_slots(l, &rx, f->slot[i], n)) {
            return false;
        }
    }
    l->rx = rx;
    return true;
}

static void say_by(struct hsl_link *l, uint64_t ps)
{
    if (l->say != SAY_BY || ps < l->say_ps) {
        l->say = SAY_BY;
        l->say_ps = ps;
    }
}

static void missing(struct hsl_link *l)
{
    if (l->nak == NAK_NO || deviates(l, HSL_DEV_NAK_AGAIN)) {
        l->nak = NAK_DUE;
    }
}

static void ask_for_retraining(struct hsl_link *l)
{
    if (!l->retrain) {
        l->retrain = RETRAIN_ASKED;
        l->stats.retrains++;
    }
    l->due = NEVER;
}

/* A data flit; false: it is impossible. */
static bool rx_data(struct hsl_link *l, uint64_t now_ps, const struct hsl_flit *f)
{
    uint32_t ahead = distance(l, l->expected, SEQ(f->hdr));

    if (ahead == 0) {
        if (!take(l, f)) {
            return false;
        }
        l->expected = (l->expected + 1 + (deviates(l, HSL_DEV_WRAP_SKIPS) && l->expected + 1 == l->mask)) & l->mask;
        l->stats.rx_taken++;
        l->nak = NAK_NO;
        say_by(l, later(now_ps, l->cfg.ack_ps));
    } else if (ahead < l->peer_window) {
        l->stats.rx_gap++;
        missing(l);
    } else {
        l->stats.rx_duplicate++;
        if (deviates(l, HSL_DEV_REPLAY_TWICE)) {
            take(l, f);
        }
        say_by(l, later(now_ps, l->cfg.ack_ps));
    }
    return true;
}

/* A flit without number, which names the next one that will be packed. */
static void rx_empty(struct hsl_link *l, uint64_t now_ps, const struct hsl_flit *f, bool answer)
{
    uint32_t ahead = distance(l, l->expected, SEQ(f->hdr));

    l->stats.rx_idle++;
    if (ahead && ahead <= l->peer_window) {
        l->stats.rx_gap++;
        missing(l);
    }
    if (answer) {
        say_by(l, now_ps);
    }
}

static void go_back(struct hsl_link *l)
{
    if (l->una != l->next) {
        l->cursor = l->una;
        l->stats.replays++;
    }
}

static void rx_ack(struct hsl_link *l, uint32_t number, bool nak)
{
    uint32_t n = distance(l, l->una, number);

    if (n > distance(l, l->una, l->next)) {
        return;
    }
    if (n) {
        if (distance(l, l->una, l->cursor) < n) {
            l->cursor = number;
        }
        l->una_at = advance(l->una_at, n, l->cfg.replay_flits);
        l->una = number;
        l->rounds = 0;
        l->due = NEVER;
    }
    if (nak) {
        l->stats.rx_naks++;
        go_back(l);
    }
}

static void rx_credits(struct hsl_link *l, const uint8_t credits[HSL_VC_COUNT])
{
    for (uint32_t vc = 0; vc < HSL_VC_COUNT; vc++) {
        uint32_t freed = (uint32_t)credits[vc] << l->cfg.credit_shift;

        if (slots_between(l, l->heard[vc], freed) <= slots_between(l, l->heard[vc], l->sent[vc])) {
            l->heard[vc] = freed;
        }
    }
}

static bool is_sound(const struct hsl_link *l, const struct hsl_flit *f)
{
    struct hsl_flit mended;
    uint64_t crc;

    if (__builtin_expect(l->deviation, 0)) {
        mended = *f;
        if (deviates(l, HSL_DEV_RESERVED_TAKEN) || deviates(l, HSL_DEV_RESERVED_SENT)) {
            crc = hsl_crc64(f, offsetof(struct hsl_flit, crc));
            if (!memcmp(&crc, f->crc, sizeof(crc))) {
                mended.rsvd[0] = 0;
                crc = hsl_crc64(&mended, offsetof(struct hsl_flit, crc));
                memcpy(mended.crc, &crc, sizeof(crc));
            }
        }
        if (deviates(l, HSL_DEV_CRC_BYTE)) {
            crc = hsl_crc64(f, offsetof(struct hsl_flit, crc));
            mended.crc[7] = (uint8_t)(crc >> 56);
        }
        f = &mended;
    }
    return hsl_flit_check(f) && SEQ(f->hdr) <= l->mask && SEQ(f->ack) <= l->mask;
}

void hsl_link_rx(struct hsl_link *l, uint64_t now_ps, const struct hsl_flit *f)
{
    uint32_t type = f->hdr >> HSL_FLIT_SEQ_BITS;

    l->stats.rx_flits++;
    if (!is_sound(l, f)) {
        l->stats.rx_bad += 1 + deviates(l, HSL_DEV_REFUSED_TWICE);
        missing(l);
        return;
    }
    if (type != HSL_FLIT_DATA) {
        rx_empty(l, now_ps, f, type == HSL_FLIT_CONTROL);
    } else if (!rx_data(l, now_ps, f)) {
        l->stats.rx_impossible++;
        ask_for_retraining(l);
        return;
    }
    if (f->ack & ACK_VALID) {
        rx_ack(l, SEQ(f->ack), f->ack & ACK_NAK);
    }
    rx_credits(l, f->credits);
    watch(l, now_ps);
}

/* ---- time ---- */

uint64_t hsl_link_deadline(const struct hsl_link *l)
{
    if (l->retrain == RETRAIN_ASKED || l->say == SAY_NEW) {
        return 0;
    }
    return l->say == SAY_BY && l->say_ps < l->due ? l->say_ps : l->due;
}

bool hsl_link_timer(struct hsl_link *l, uint64_t now_ps)
{
    if (deviates(l, HSL_DEV_NO_REPLAY)) {
        l->due = l->due <= now_ps ? NEVER - 1 : l->due;
        return l->retrain;
    }
    if (!l->retrain && l->due <= now_ps) {
        l->due = later(now_ps, l->cfg.replay_ps);
        if (l->una == l->next) {
            l->ask = true;
        } else if (l->rounds < l->cfg.replay_rounds) {
            l->rounds++;
            go_back(l);
        } else {
            ask_for_retraining(l);
        }
    }
    if (l->retrain) {
        l->retrain = RETRAIN_TOLD;
    }
    return l->retrain;
}

void hsl_link_retrained(struct hsl_link *l, uint64_t now_ps)
{
    l->retrain = RETRAIN_NO;
    l->rounds = 0;
    l->nak = NAK_NO;
    l->due = NEVER;
    if (deviates(l, HSL_DEV_RECOVERY_LOSES)) {
        l->una_at = advance(l->una_at, distance(l, l->una, l->next), l->cfg.replay_flits);
        l->una = l->cursor = l->next;
    }
    go_back(l);
    say_by(l, now_ps);
    watch(l, now_ps);
}

/* ---- for testers ---- */

void hsl_link_freeze(struct hsl_link *l, uint32_t vcs)
{
    if (l->frozen & ~vcs && l->say == SAY_NO) {
        l->say = SAY_NEW;
    }
    l->frozen = (uint8_t)(vcs & ((1u << HSL_VC_COUNT) - 1));
}

void hsl_link_first(struct hsl_link *l, uint32_t seq)
{
    l->first_seq = (uint16_t)(seq & l->mask);
}

void hsl_link_times(struct hsl_link *l, uint64_t ack_ps, uint64_t replay_ps)
{
    l->cfg.ack_ps = ack_ps;
    l->cfg.replay_ps = replay_ps;
}
