/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A home to look at: its lines and requests, statistics, and hashes of its state for those who
 * explore or compare runs. Nothing here changes it.
 */
#include "home_priv.h"

const char *hsl_home_row_name(uint32_t row)
{
    static const char *const names[HSL_HOME_ROWS] = {
        [HSL_ROW_READ_S_I] = "READ_S I", [HSL_ROW_READ_S_S] = "READ_S S(set)",
        [HSL_ROW_READ_S_O] = "READ_S O(a)", [HSL_ROW_READ_S_OWN] = "READ_S O(requester)",
        [HSL_ROW_READ_U_I] = "READ_U I", [HSL_ROW_READ_U_S] = "READ_U S(set)",
        [HSL_ROW_READ_U_O] = "READ_U O(a)", [HSL_ROW_READ_U_OWN] = "READ_U O(requester)",
        [HSL_ROW_UPGRADE_S] = "UPGRADE S with requester", [HSL_ROW_UPGRADE_ELSE] = "UPGRADE else",
        [HSL_ROW_WRITE_BACK_O] = "WRITE_BACK O(requester)",
        [HSL_ROW_WRITE_BACK_ELSE] = "WRITE_BACK else",
        [HSL_ROW_READ_O] = "READ O(a)", [HSL_ROW_READ_ELSE] = "READ else",
        [HSL_ROW_WRITE] = "WRITE any", [HSL_ROW_ATOMIC] = "ATOMIC any",
    };

    return row < HSL_HOME_ROWS ? names[row] : NULL;
}

bool hsl_home_next_line(const struct hsl_home *h, uint32_t *cursor, uint64_t *offset)
{
    while (*cursor < h->cfg.sets * h->cfg.ways) {
        const struct entry *e = entry_at(h, (*cursor)++);

        if (e->used) {
            *offset = e->line;
            return true;
        }
    }
    return false;
}

bool hsl_home_serves(const struct hsl_home *h, uint16_t agent)
{
    uint32_t n = agent_number(h, agent);

    for (uint32_t i = h->all.head; i != HSL_COH_NONE; i = hsl_coh_next(h, &h->all, i)) {
        if (request_at(h, i)->agent == n) {
            return true;
        }
    }
    return false;
}

bool hsl_home_knows(const struct hsl_home *h, uint16_t agent, uint32_t tag)
{
    uint32_t n = agent_number(h, agent);

    for (uint32_t i = h->all.head; i != HSL_COH_NONE; i = hsl_coh_next(h, &h->all, i)) {
        if (request_at(h, i)->agent == n && request_at(h, i)->tag == tag) {
            return true;
        }
    }
    return debt_at(h, n)->owed || debt_at(h, n)->promised;
}

char hsl_home_line(const struct hsl_home *h, uint64_t offset, bool *busy, uint64_t *agents_out,
                   uint32_t words)
{
    uint64_t line = offset & HSL_LINE_MASK;
    uint32_t d = lookup(h, line);
    const struct entry *e = d == HSL_COH_NONE ? NULL : entry_at(h, d);

    if (busy) {
        *busy = e && e->busy;
        for (uint32_t i = youngest(h, line); i != HSL_COH_NONE; i = older(h, i)) {
            *busy |= request_at(h, i)->stage != DONE;
        }
    }
    if (agents_out) {
        memset(agents_out, 0, words * sizeof(*agents_out));
        for (uint32_t i = 0; e && i < agents(&h->cfg) && i < words * 64; i++) {
            if (has(e, i)) {
                hsl_coh_set_add(agents_out, i);
            }
        }
    }
    return e ? e->state : 'I';
}

bool hsl_home_quiet(const struct hsl_home *h)
{
    return h->all.head == HSL_COH_NONE && h->debt_head == HSL_COH_NONE && !h->promised && !h->retry;
}

void hsl_home_stats(const struct hsl_home *h, struct hsl_home_stats *out)
{
    *out = h->stats;
}

static uint64_t hash_set(const struct hsl_home *h, const uint64_t *set, const uint32_t *map)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < agents(&h->cfg); i++) {
        sum += hsl_coh_set_has(set, i) ? hsl_coh_mix(1, map ? map[i] : i) : 0;
    }
    return sum;
}

static uint64_t hash_entry(const struct hsl_home *h, const struct entry *e, const uint32_t *map)
{
    uint64_t v = hsl_coh_mix(e->line, (uint64_t)(uint8_t)e->state | (uint64_t)e->used << 8);

    if (!e->used) {
        return 0;
    }
    if (e->state == 'O') {
        v = hsl_coh_mix(v, map ? map[e->owner] : e->owner);
    }
    return hsl_coh_mix(v, hash_set(h, e->set, map));
}

static uint64_t hash_request(const struct hsl_home *h, const struct request *r, const uint32_t *map)
{
    uint64_t v = hsl_coh_mix(r->line, r->addr);

    v = hsl_coh_mix(v, (uint64_t)(map ? map[r->agent] : r->agent) << 16 |
                       (uint64_t)r->stage << 32 | (uint64_t)r->opcode << 40 |
                       (uint64_t)r->snoop << 48 | (uint64_t)r->own << 56 |
                       (uint64_t)r->acked << 57 | (uint64_t)r->orphan << 58 |
                       (uint64_t)r->owner_write << 59 | (uint64_t)r->poison << 60 |
                       (uint64_t)r->have_data << 61 | (uint64_t)r->mem_read << 62 |
                       (uint64_t)r->mem_write << 63);
    v = hsl_coh_mix(v, r->out | (uint64_t)r->out_flags << 8 | (uint64_t)r->out_status << 16 |
                       (uint64_t)r->subop << 24 | (uint64_t)r->len << 32 |
                       (uint64_t)r->write_poison << 40 | (uint64_t)r->forwards << 48);
    v = hsl_coh_mix(v, r->arg0);
    v = hsl_coh_mix(v, r->arg1);
    v = hsl_coh_mix(v, r->value);
    v = hsl_coh_mix(v, r->mask);
    v = hsl_coh_mix(v, r->victim == HSL_COH_NONE ? 0 : 1 + entry_at(h, r->victim)->line);
    v = hsl_coh_mix(v, r->write_line);
    if (r->stage > WAIT) {
        v = hsl_coh_mix(v, hash_set(h, r->sets, map));
        v = hsl_coh_mix(v, hash_set(h, r->sets + h->words, map));
    }
    if (r->mem_write || r->out == HSL_PKT_RSP_DATA || (r->have_data && r->stage <= GO)) {
        v = hsl_coh_mix_line(v, r->data);
    }
    if (r->stage == MEM && r->opcode == HSL_PKT_WRITE) {
        v = hsl_coh_mix_line(v, r->written);
    }
    return v;
}

/* Its number is seen outside while snoops or a memory read are under way. */
static uint64_t number_seen(const struct hsl_home *h, const struct request *r)
{
    return r->stage == MEM || !set_empty(h, r->sets + h->words) ? number_of(h, r) + 1u : 0;
}

static uint32_t older_on_line(const struct hsl_home *h, const struct request *r)
{
    uint32_t n = 0;

    for (uint32_t i = older(h, number_of(h, r)); i != HSL_COH_NONE; i = older(h, i)) {
        n++;
    }
    return n;
}

/* In order of arrival, and of use. */
static uint64_t hash_in_order(const struct hsl_home *h, const uint32_t *map)
{
    uint64_t v = 0;

    for (uint32_t i = h->all.head; i != HSL_COH_NONE; i = hsl_coh_next(h, &h->all, i)) {
        const struct request *r = request_at(h, i);

        v = hsl_coh_mix(v, hash_request(h, r, map));
        v = hsl_coh_mix(v, r->tag | number_seen(h, r) << 16);
    }
    for (uint32_t i = 0; i < h->cfg.sets * h->cfg.ways; i++) {
        uint32_t set = i / h->cfg.ways * h->cfg.ways, k = set;

        while (entry_at(h, k)->age != i - set) {
            k++;
        }
        v = hsl_coh_mix(v, hash_entry(h, entry_at(h, k), map));
    }
    return v;
}

static uint64_t hash_by_line(const struct hsl_home *h, const uint32_t *map)
{
    uint64_t v = 0;

    for (uint32_t i = h->all.head; i != HSL_COH_NONE; i = hsl_coh_next(h, &h->all, i)) {
        const struct request *r = request_at(h, i);

        v += hsl_coh_mix(hash_request(h, r, map), older_on_line(h, r));
    }
    for (uint32_t i = 0; i < h->cfg.sets * h->cfg.ways; i++) {
        v += hash_entry(h, entry_at(h, i), map);
    }
    return v;
}

uint64_t hsl_home_hash_as(const struct hsl_home *h, bool by_line, const uint32_t *map)
{
    uint64_t v = by_line ? hash_by_line(h, map) : hash_in_order(h, map), sum = 0;

    for (uint32_t i = h->debt_head; i != HSL_COH_NONE; i = debt_at(h, i)->next) {
        v = hsl_coh_mix(v, map ? map[i] : i);
    }
    for (uint32_t i = 0; i < agents(&h->cfg); i++) {
        const struct debt *d = debt_at(h, i);

        if (d->owed || d->promised) {
            sum += hsl_coh_mix(map ? map[i] : i, d->owed | (uint64_t)d->promised << 32);
        }
    }
    v = hsl_coh_mix(v, sum);
    v = hsl_coh_mix(v, h->retry_offset);
    return hsl_coh_mix(v, h->retry | (uint64_t)h->retry_agent << 16 | (uint64_t)h->retry_tag << 32);
}

uint64_t hsl_home_hash(const struct hsl_home *h)
{
    return hsl_home_hash_as(h, false, NULL);
}
