/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Looking at links, for their owners and for tests: is anything left to do, do two ends agree, are
 * two states the same. Nothing here changes a link.
 */
#include "link_priv.h"

bool hsl_link_quiet(const struct hsl_link *l)
{
    uint32_t slots = 0;

    for (uint32_t vc = 0; vc < HSL_VC_COUNT; vc++) {
        slots += l->tx_used[vc] + l->rx.used[vc];
    }
    return !slots && l->una == l->next && l->say == SAY_NO && l->nak != NAK_DUE && !l->ask;
}

void hsl_link_stats(const struct hsl_link *l, struct hsl_link_stats *out)
{
    *out = l->stats;
}

uint32_t hsl_link_held(const struct hsl_link *l, uint32_t vc)
{
    return vc < HSL_VC_COUNT ? l->rx.used[vc] : 0;
}

uint32_t hsl_link_expected(const struct hsl_link *l)
{
    return l->expected;
}

/* Slots of a channel in flits that the other end, which expects number `from`, has not taken. */
static uint32_t slots_under_way(const struct hsl_link *l, uint32_t from, uint32_t vc)
{
    uint32_t n = 0;

    for (uint32_t seq = from; seq != l->next; seq = (seq + 1) & l->mask) {
        uint64_t map = map_get(replay_flit(l, seq));

        for (uint32_t i = 0; i < HSL_FLIT_SLOTS; i++, map >>= 4) {
            n += (map & 0xf) != MAP_EMPTY && (map & MAP_VC) == vc;
        }
    }
    return n;
}

static const char *audit(const struct hsl_link *tx, const struct hsl_link *rx)
{
    uint32_t under_way = distance(tx, tx->una, tx->next);

    if (under_way > tx->cfg.replay_flits || distance(tx, tx->una, tx->cursor) > under_way) {
        return "more flits are under way than the replay buffer holds";
    }
    if (distance(tx, tx->una, rx->expected) > under_way) {
        return "the receiver expects a flit that is not under way";
    }
    for (uint32_t vc = 0; vc < HSL_VC_COUNT; vc++) {
        uint32_t owed = slots_between(tx, tx->heard[vc], tx->sent[vc]);
        uint32_t held = rx->rx.used[vc] + slots_under_way(tx, rx->expected, vc);

        if (owed > rx->cfg.rx_slots[vc]) {
            return "more slots are under way than the receiver has room for";
        }
        if (slots_between(tx, tx->heard[vc], rx->freed[vc]) > owed) {
            return "the sender has heard of more slots than were freed";
        }
        if (slots_between(tx, rx->freed[vc], tx->sent[vc]) != held) {
            return "slots sent less slots freed are not those received or under way";
        }
    }
    return NULL;
}

const char *hsl_link_audit(const struct hsl_link *a, const struct hsl_link *b)
{
    const char *what = audit(a, b);

    return what ? what : audit(b, a);
}

static void mix(uint64_t *h, uint64_t v)
{
    *h = (*h ^ v) * UINT64_C(0x9fb21c651e98df25);
    *h ^= *h >> 35;
}

static void mix_bytes(uint64_t *h, const void *p, size_t len)
{
    for (size_t i = 0; i < len; i += 8) {
        uint64_t v = 0;

        memcpy(&v, (const uint8_t *)p + i, len - i < 8 ? len - i : 8);
        mix(h, v);
    }
}

static uint64_t from_now(uint64_t ps, uint64_t now_ps)
{
    return ps == NEVER ? NEVER : ps > now_ps ? ps - now_ps : 0;
}

static void mix_channel(uint64_t *h, const struct hsl_link *l, uint32_t vc)
{
    mix(h, l->tx_used[vc]);
    for (uint32_t i = 0; i < l->tx_used[vc]; i++) {
        mix_bytes(h, tx_slot(l, vc, i), HSL_SLOT_BYTES);
    }
    for (uint32_t i = 0; i < l->rx.used[vc]; i++) {
        mix_bytes(h, rx_slot(l, vc, i), HSL_SLOT_BYTES);
    }
}

uint64_t hsl_link_hash(const struct hsl_link *l, uint64_t now_ps)
{
    uint64_t h = 0;

    mix(&h, (uint64_t)l->una << 48 | (uint64_t)l->cursor << 32 | l->next << 16 | l->expected);
    mix(&h, (uint64_t)l->rounds << 32 | l->vc << 24 | l->left << 16 |
            l->nak << 8 | l->say << 4 | l->retrain << 1 | l->ask);
    mix(&h, from_now(l->due, now_ps));
    mix(&h, l->say == SAY_BY ? from_now(l->say_ps, now_ps) : 0);
    mix_bytes(&h, &l->rx, sizeof(l->rx));
    mix_bytes(&h, l->sent, sizeof(l->sent));
    mix_bytes(&h, l->heard, sizeof(l->heard));
    mix_bytes(&h, l->freed, sizeof(l->freed));
    mix(&h, (uint64_t)l->frozen << 32 | l->first_seq);
    if (l->cfg.tell_units || l->frozen) {
        mix_bytes(&h, l->told, sizeof(l->told));
    }
    for (uint32_t vc = 0; vc < HSL_VC_COUNT; vc++) {
        mix_channel(&h, l, vc);
    }
    for (uint32_t seq = l->una; seq != l->next; seq = (seq + 1) & l->mask) {
        const struct hsl_flit *f = replay_flit(l, seq);

        mix(&h, map_get(f));
        mix_bytes(&h, f->slot, sizeof(f->slot));
    }
    return h;
}
