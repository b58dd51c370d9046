/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A home: the directory of a chip's memory and the requests for it (docs/hep.md section 12; agent.c
 * is the other side).
 *
 * Requests are in one list in order of arrival, those in WAIT in another one. A line is free for a
 * request when no older one is for it and nobody recalls it; run() goes through those in WAIT after
 * every input and begins what can begin. What a request goes through:
 *
 *     WAIT ──► RECALL ──► SNOOP ──► MEM ──► ACK        READ_S, READ_U, UPGRADE
 *                           │        ├────► DONE       READ, ATOMIC
 *                           └► GO ───┴────► DONE       WRITE;  WRITE_BACK: GO only
 *
 *   WAIT     its line, or room in the directory, is not there yet
 *   RECALL   `victim` is to leave the directory: SNP_I to who has it
 *   SNOOP    SNP_S, SNP_U, SNP_I or SNP_C to who has the line
 *   MEM      the line is read from memory
 *   GO       GO has been sent; WR_DATA or ACK is to come
 *   ACK      the requester has been served, by the home or by the owner; its ACK is to come. It may
 *            have come before the owner's answer (`acked` in SNOOP).
 *   DONE     the last answer waits to be taken; the line is free already
 *
 * Only what a request needs is passed through. The directory is changed with each answer to a snoop
 * and when the requester is served, so at any time it covers what caches have:
 *
 *   I        nobody has the line: only while a request works on it, else the entry is free
 *   S(set)   agents of the set may have it in S
 *   O(a)     a may have it in E or M
 *   P        the owner is lost: memory is to be poisoned, as soon as a request comes to it
 *
 * Room. A request is taken when an entry is free that is not promised. Else it is told RETRY, and
 * its agent is owed a GRANT; agents are served in turn, each once. A GRANT promises a free entry,
 * which only a request with GRANTED of that agent can take. RETRY is one slot: one input makes at
 * most one.
 *
 * Output is drawn from the state: packets, memory writes and reads are flags of requests until they
 * are taken, so there is no queue that could be full. Requests that have such a flag are in a list,
 * in order of arrival; some in it may have none any more. All writes come out before reads: when a
 * read of a line is due, no older request has a write of it to come.
 *
 * An owner that is lost before its answer has come may have served the requester. `forwards` says
 * so: the home answers who would get nothing else, and nobody twice.
 *
 * Dirty data that comes back (SNP_DATA) goes to memory at once, but for ATOMIC, which writes what
 * it makes of it.
 */
#include <errno.h>

#include "deviate.h"
#include "home_priv.h"

/* ---- memory ---- */

static uint64_t layout(const struct hsl_home_cfg *cfg, struct hsl_home *h)
{
    uint64_t end = sizeof(*h), links = (uint64_t)cfg->requests * sizeof(struct hsl_coh_link);

    h->words = hsl_coh_words(agents(cfg));
    h->off_entry = hsl_coh_take(&end, (uint64_t)cfg->sets * cfg->ways * entry_bytes(h->words));
    h->off_request = hsl_coh_take(&end, (uint64_t)cfg->requests * request_bytes(h->words));
    h->off_debt = hsl_coh_take(&end, (uint64_t)agents(cfg) * sizeof(struct debt));
    h->free = h->all = hsl_coh_list_at(hsl_coh_take(&end, links));
    h->waiting = hsl_coh_list_at(hsl_coh_take(&end, links));
    h->output = hsl_coh_list_at(hsl_coh_take(&end, links));
    h->by_line = hsl_coh_index_at(hsl_coh_take(&end, hsl_coh_index_size(cfg->requests)), cfg->requests);
    return end;
}

const char *hsl_home_check(const struct hsl_home_cfg *cfg)
{
    if (!cfg->nodes || cfg->nodes > HSL_CHIPS_MAX) {
        return "a home has agents of 1 to 16383 chips";
    }
    if (cfg->id < 1 || cfg->id > cfg->nodes) {
        return "a home is one of its chips";
    }
    if (!cfg->sets || cfg->sets & (cfg->sets - 1) || cfg->sets > 1u << 20) {
        return "a directory has 1 to 2^20 sets, a power of two";
    }
    if (!cfg->ways || cfg->ways > 64) {
        return "a directory has 1 to 64 ways";
    }
    if (cfg->requests < 2 || cfg->requests > 1u << 16) {
        return "a home has room for 2 to 65536 requests";
    }
    return NULL;
}

size_t hsl_home_size(const struct hsl_home_cfg *cfg)
{
    struct hsl_home head;

    return hsl_home_check(cfg) ? 0 : (size_t)layout(cfg, &head);
}

int hsl_home_init(struct hsl_home *h, const struct hsl_home_cfg *cfg)
{
    struct hsl_home_cfg copy = *cfg;

    if (hsl_home_check(cfg)) {
        return -EINVAL;
    }
    memset(h, 0, hsl_home_size(cfg));
    h->cfg = copy;
    layout(&copy, h);
    for (uint32_t i = 0; i < copy.sets * copy.ways; i++) {
        entry_at(h, i)->state = 'I';
        entry_at(h, i)->age = i % copy.ways;
    }
    h->debt_head = h->debt_tail = HSL_COH_NONE;
    h->nfree = copy.requests;
    for (uint32_t i = 0; i < copy.requests; i++) {
        hsl_coh_append(h, &h->free, i, 1);
    }
    return 0;
}

void hsl_home_deviate(struct hsl_home *h, uint32_t deviation)
{
    h->deviation = deviation;
}

static bool deviates(const struct hsl_home *h, enum hsl_deviation d)
{
    return __builtin_expect(h->deviation == (uint32_t)d, 0);
}

/* One in n. */
static bool deviates_now(struct hsl_home *h, enum hsl_deviation d, uint32_t n)
{
    return deviates(h, d) && !(++h->deviated % n);
}

/* ---- agents and sets of them ---- */

static uint32_t agent_id(const struct hsl_home *h, uint32_t number)
{
    return number < h->cfg.nodes ? number + 1
                                 : (number - h->cfg.nodes + 1) | HSL_AGENT_HOST_PORT;
}

static uint64_t *to_snoop(struct request *r)
{
    return r->sets;
}

static uint64_t *to_come(const struct hsl_home *h, struct request *r)
{
    return r->sets + h->words;
}

/* ---- the directory ---- */

static void touch(struct hsl_home *h, struct entry *e)
{
    for (uint32_t i = 0; i < h->cfg.ways; i++) {
        struct entry *other = entry_at(h, way_of(h, e->line, i));

        if (other->age < e->age) {
            other->age++;
        }
    }
    e->age = 0;
}

static void make_invalid(const struct hsl_home *h, struct entry *e)
{
    e->state = 'I';
    e->owner = 0;
    memset(e->set, 0, h->words * sizeof(e->set[0]));
}

static void make_shared(const struct hsl_home *h, struct entry *e, uint32_t agent)
{
    if (e->state != 'S') {
        make_invalid(h, e);
        e->state = 'S';
    }
    hsl_coh_set_add(e->set, agent);
}

static void make_owned(const struct hsl_home *h, struct entry *e, uint32_t agent)
{
    make_invalid(h, e);
    e->state = 'O';
    e->owner = (uint16_t)agent;
}

static void take_out(const struct hsl_home *h, struct entry *e, uint32_t agent)
{
    if (!has(e, agent)) {
        return;
    }
    if (e->state == 'S') {
        hsl_coh_set_remove(e->set, agent);
        if (!set_empty(h, e->set)) {
            return;
        }
    }
    make_invalid(h, e);
}

/* The request does not need the entry any more; if nobody has the line, it is free. */
static void let_go(struct hsl_home *h, uint32_t d)
{
    struct entry *e;

    if (d == HSL_COH_NONE) {
        return;
    }
    e = entry_at(h, d);
    e->busy = 0;
    if (e->state == 'I') {
        e->used = 0;
        e->line = 0;
    }
}

/* ---- the list of requests ---- */

static struct request *request_new(struct hsl_home *h, uint64_t line)
{
    uint32_t i = h->free.head;
    struct request *r = request_at(h, i);

    hsl_coh_remove(h, &h->free, i);
    h->nfree--;
    memset(r, 0, request_bytes(h->words));
    r->order = ++h->arrived;
    r->line = line;
    r->stage = WAIT;
    r->dir = r->victim = HSL_COH_NONE;
    hsl_coh_append(h, &h->all, i, r->order);
    hsl_coh_append(h, &h->waiting, i, r->order);
    hsl_coh_index_add(h, &h->by_line, line, i);
    return r;
}

/* From any stage but FREE. */
static void to_stage(struct hsl_home *h, struct request *r, enum stage stage)
{
    if (r->stage == WAIT) {
        hsl_coh_remove(h, &h->waiting, number_of(h, r));
    }
    r->stage = (uint8_t)stage;
}

/* The request has something to be taken. */
static void has_output(struct hsl_home *h, const struct request *r)
{
    uint32_t i = number_of(h, r);

    if (!hsl_coh_link(h, &h->output, i)->order) {
        hsl_coh_sort_in(h, &h->output, i, r->order);
    }
}

static void no_output(struct hsl_home *h, uint32_t i)
{
    if (hsl_coh_link(h, &h->output, i)->order) {
        hsl_coh_remove(h, &h->output, i);
    }
}

static void request_free(struct hsl_home *h, struct request *r)
{
    uint32_t i = number_of(h, r);

    no_output(h, i);
    hsl_coh_index_remove(h, &h->by_line, r->line, i);
    hsl_coh_remove(h, &h->all, i);
    memset(r, 0, request_bytes(h->words));
    hsl_coh_insert(h, &h->free, i, HSL_COH_NONE, 1);
    h->nfree++;
}

/* Done with the line. What is still to be taken out keeps the request. */
static void finish(struct hsl_home *h, struct request *r)
{
    let_go(h, r->dir);
    r->dir = HSL_COH_NONE;
    to_stage(h, r, DONE);
    if (!r->out && !r->mem_write) {
        request_free(h, r);
    }
}

/* ---- the course of a request ---- */

static void reply(struct hsl_home *h, struct request *r, uint32_t opcode, uint32_t flags)
{
    has_output(h, r);
    r->out = r->orphan ? 0 : (uint8_t)opcode;
    r->out_flags = (uint8_t)flags;
}

static void write_memory(struct hsl_home *h, struct request *r, uint64_t line, bool poison)
{
    has_output(h, r);
    r->mem_write = 1;
    r->write_line = line;
    r->write_poison = poison;
}

static struct entry *dir_of(const struct hsl_home *h, const struct request *r)
{
    return r->dir == HSL_COH_NONE ? NULL : entry_at(h, r->dir);
}

/* What only a lost agent had: the bytes are zero and poisoned. */
static void write_lost(struct hsl_home *h, struct request *r, uint64_t line)
{
    memset(r->data, 0, sizeof(r->data));
    r->have_data = 0;
    write_memory(h, r, line, true);
}

/* The requester has been served. */
static void served(struct hsl_home *h, struct request *r)
{
    struct entry *e = dir_of(h, r);

    if (r->orphan) {
        finish(h, r);
        return;
    }
    if (r->own) {
        make_owned(h, e, r->agent);
    } else {
        make_shared(h, e, r->agent);
    }
    if (r->acked) {
        finish(h, r);
    } else {
        r->stage = ACK;
    }
}

static void read_memory(struct hsl_home *h, struct request *r)
{
    has_output(h, r);
    r->stage = MEM;
    r->mem_read = 1;
}

static uint64_t atomic_result(uint32_t op, uint32_t len, uint64_t old, uint64_t a, uint64_t b)
{
    uint32_t shift = 64 - 8 * len;
    int64_t so = (int64_t)(old << shift), sa = (int64_t)(a << shift);

    a = a << shift >> shift;
    b = b << shift >> shift;
    switch (op) {
    case HSL_ATOMIC_ADD:
        return old + a;
    case HSL_ATOMIC_SWAP:
        return a;
    case HSL_ATOMIC_CAS:
        return old == b ? a : old;
    case HSL_ATOMIC_AND:
        return old & a;
    case HSL_ATOMIC_OR:
        return old | a;
    case HSL_ATOMIC_XOR:
        return old ^ a;
    case HSL_ATOMIC_MIN:
        return so < sa ? old : a;
    case HSL_ATOMIC_MAX:
        return so > sa ? old : a;
    case HSL_ATOMIC_UMIN:
        return old < a ? old : a;
    default:
        return old > a ? old : a;
    }
}

static void do_atomic(struct hsl_home *h, struct request *r)
{
    uint8_t *at = r->data + r->addr % HSL_LINE_BYTES;
    uint64_t now;

    reply(h, r, HSL_PKT_RSP, 0);
    r->out_status = r->poison ? HSL_ST_POISON : HSL_ST_OK;
    if (r->poison) {
        if (r->have_data) {
            write_memory(h, r, r->line, true);
        }
    } else {
        memcpy(&r->value, at, r->len);
        now = atomic_result(r->subop, r->len, r->value, r->arg0, r->arg1);
        if (deviates_now(h, HSL_DEV_HOME_ATOMIC_TWICE, 20)) {
            now = atomic_result(r->subop, r->len, now, r->arg0, r->arg1);
        }
        memcpy(at, &now, r->len);
        write_memory(h, r, r->line, false);
    }
    finish(h, r);
}

/* `data` is the line, `written` what is to be merged into it. */
static void do_write(struct hsl_home *h, struct request *r)
{
    for (uint32_t i = 0; i < HSL_LINE_BYTES; i++) {
        if (r->mask >> i & 1) {
            r->data[i] = r->written[i];
        }
    }
    write_memory(h, r, r->line, r->poison);
    reply(h, r, HSL_PKT_RSP, 0);
    finish(h, r);
}

/* The line is in `data`. */
static void with_data(struct hsl_home *h, struct request *r)
{
    uint32_t flags = r->poison ? HSL_PKT_F_POISON : 0;

    switch (r->opcode) {
    case HSL_PKT_ATOMIC:
        do_atomic(h, r);
        break;
    case HSL_PKT_WRITE:
        do_write(h, r);
        break;
    case HSL_PKT_READ:
        reply(h, r, HSL_PKT_RSP_DATA, flags);
        finish(h, r);
        break;
    default:
        reply(h, r, HSL_PKT_RSP_DATA, flags | (r->own ? HSL_PKT_F_OWN : 0));
        served(h, r);
    }
}

/* Every snoop of the line has been answered, or none was needed; nobody serves the requester. */
static void snooped(struct hsl_home *h, struct request *r)
{
    r->acked = 0;
    switch (r->opcode) {
    case HSL_PKT_UPGRADE:
        r->own = 1;
        reply(h, r, HSL_PKT_COMP, 0);
        served(h, r);
        break;
    case HSL_PKT_WRITE:
        if (r->orphan) {
            finish(h, r);
            break;
        }
        reply(h, r, HSL_PKT_GO, 0);
        r->stage = GO;
        break;
    case HSL_PKT_ATOMIC:
    case HSL_PKT_READ:
        if (r->have_data) {
            with_data(h, r);
        } else {
            read_memory(h, r);
        }
        break;
    default:
        read_memory(h, r);
    }
}

/* Snoop who has the line, but for `except`; true: nobody has it. */
static bool snoop(struct hsl_home *h, struct request *r, const struct entry *e, uint32_t opcode,
                  uint32_t except)
{
    uint64_t *send = to_snoop(r);

    if (e && e->state == 'O') {
        hsl_coh_set_add(send, e->owner);
    } else if (e && e->state == 'S') {
        memcpy(send, e->set, h->words * sizeof(*send));
    }
    if (except != HSL_COH_NONE) {
        hsl_coh_set_remove(send, except);
    }
    memcpy(to_come(h, r), send, h->words * sizeof(*send));
    r->snoop = (uint8_t)opcode;
    has_output(h, r);
    return set_empty(h, send);
}

static void begin_line(struct hsl_home *h, struct request *r, uint32_t row, uint32_t opcode,
                       uint32_t except)
{
    h->stats.row[row]++;
    to_stage(h, r, SNOOP);
    if (deviates(h, HSL_DEV_SHARERS_STAY) && (row == HSL_ROW_UPGRADE_S || row == HSL_ROW_READ_U_S)) {
        opcode = 0;
    }
    if (snoop(h, r, opcode ? dir_of(h, r) : NULL, opcode, except)) {
        snooped(h, r);
    }
}

static void begin_write_back(struct hsl_home *h, struct request *r, bool owner)
{
    h->stats.row[owner ? HSL_ROW_WRITE_BACK_O : HSL_ROW_WRITE_BACK_ELSE]++;
    r->owner_write = owner;
    reply(h, r, HSL_PKT_GO, 0);
    to_stage(h, r, GO);
}

/* The line is free, and its entry is there if one is needed: the table of docs/hep.md. */
static void begin(struct hsl_home *h, struct request *r)
{
    struct entry *e = dir_of(h, r);
    char state = e ? e->state : 'I';
    bool mine = e && has(e, r->agent);

    if (e) {
        e->busy = number_of(h, r) + 1;
        touch(h, e);
    }
    if (state == 'P') {
        write_lost(h, r, r->line);
        make_invalid(h, e);
        state = 'I';
    }
    switch (r->opcode) {
    case HSL_PKT_READ_S:
        r->own = state == 'I' || mine;
        if (state == 'O' && !mine) {
            begin_line(h, r, HSL_ROW_READ_S_O, HSL_PKT_SNP_S, HSL_COH_NONE);
        } else if (state == 'S') {
            r->own = 0;
            begin_line(h, r, HSL_ROW_READ_S_S, 0, HSL_COH_NONE);
        } else {
            begin_line(h, r, mine ? HSL_ROW_READ_S_OWN : HSL_ROW_READ_S_I, 0, HSL_COH_NONE);
        }
        break;
    case HSL_PKT_UPGRADE:
        if (state == 'S' && mine) {
            begin_line(h, r, HSL_ROW_UPGRADE_S, HSL_PKT_SNP_I, r->agent);
            break;
        }
        h->stats.row[HSL_ROW_UPGRADE_ELSE]++;
        r->opcode = HSL_PKT_READ_U;
        /* fallthrough */
    case HSL_PKT_READ_U:
        r->own = 1;
        if (state == 'O' && !mine) {
            begin_line(h, r, HSL_ROW_READ_U_O, HSL_PKT_SNP_U, HSL_COH_NONE);
        } else if (state == 'S') {
            begin_line(h, r, HSL_ROW_READ_U_S, HSL_PKT_SNP_I, r->agent);
        } else {
            begin_line(h, r, mine ? HSL_ROW_READ_U_OWN : HSL_ROW_READ_U_I, 0, HSL_COH_NONE);
        }
        break;
    case HSL_PKT_WRITE_BACK:
        begin_write_back(h, r, state == 'O' && mine);
        break;
    case HSL_PKT_READ:
        if (state == 'O' && !mine) {
            begin_line(h, r, HSL_ROW_READ_O, HSL_PKT_SNP_C, HSL_COH_NONE);
        } else {
            begin_line(h, r, HSL_ROW_READ_ELSE, 0, HSL_COH_NONE);
        }
        break;
    default:
        begin_line(h, r, r->opcode == HSL_PKT_WRITE ? HSL_ROW_WRITE : HSL_ROW_ATOMIC,
                   HSL_PKT_SNP_I, HSL_COH_NONE);
    }
}

static bool needs_entry(const struct request *r)
{
    return r->opcode == HSL_PKT_READ_S || r->opcode == HSL_PKT_READ_U ||
           r->opcode == HSL_PKT_UPGRADE;
}

static void occupy(struct hsl_home *h, struct request *r, uint32_t d)
{
    struct entry *e = entry_at(h, d);

    make_invalid(h, e);
    e->used = 1;
    e->line = r->line;
    r->dir = d;
    begin(h, r);
}

/* Nobody has the victim any more. */
static void recalled(struct hsl_home *h, struct request *r)
{
    uint32_t d = r->victim;

    make_invalid(h, entry_at(h, d));
    let_go(h, d);
    r->victim = HSL_COH_NONE;
    occupy(h, r, d);
}

/* An empty way, or the one that was used longest ago and that no request needs. */
static uint32_t victim_for(const struct hsl_home *h, const struct request *r)
{
    uint32_t best = HSL_COH_NONE;

    for (uint32_t i = 0; i < h->cfg.ways; i++) {
        uint32_t d = way_of(h, r->line, i);
        const struct entry *e = entry_at(h, d);

        if (!e->used) {
            return d;
        }
        if (!e->busy && (best == HSL_COH_NONE || e->age > entry_at(h, best)->age)) {
            best = d;
        }
    }
    return best;
}

static void make_room(struct hsl_home *h, struct request *r)
{
    uint32_t d = victim_for(h, r);
    struct entry *e;

    if (d == HSL_COH_NONE) {
        return;
    }
    e = entry_at(h, d);
    if (!e->used) {
        occupy(h, r, d);
        return;
    }
    h->stats.recalls++;
    e->busy = number_of(h, r) + 1;
    r->victim = d;
    to_stage(h, r, RECALL);
    if (e->state == 'P') {
        write_lost(h, r, e->line);
    }
    if (deviates(h, HSL_DEV_RECALL_IGNORED) || snoop(h, r, e, HSL_PKT_SNP_I, HSL_COH_NONE)) {
        recalled(h, r);
    }
}

/* Does an older request work on its line, or wait for it? */
static bool line_taken(const struct hsl_home *h, uint32_t i)
{
    do {
        i = older(h, i);
    } while (i != HSL_COH_NONE && request_at(h, i)->stage == DONE);
    return i != HSL_COH_NONE;
}

/* Begin what can begin, the oldest first. */
static void run(struct hsl_home *h)
{
    uint32_t next;

    for (uint32_t i = h->waiting.head; i != HSL_COH_NONE; i = next) {
        struct request *r = request_at(h, i);
        uint32_t d;

        next = hsl_coh_next(h, &h->waiting, i);
        if (line_taken(h, i)) {
            continue;
        }
        d = lookup(h, r->line);
        if (d != HSL_COH_NONE && entry_at(h, d)->busy) {
            continue;
        }
        if (d == HSL_COH_NONE && needs_entry(r)) {
            make_room(h, r);
        } else {
            r->dir = d;
            begin(h, r);
        }
    }
}

/* ---- requests in ---- */

static bool owe(struct hsl_home *h, uint32_t agent, const struct hsl_pkt *p)
{
    struct debt *d = debt_at(h, agent);

    if (h->retry || d->owed >= 1u << 16) {
        return false;
    }
    h->retry = 1;
    h->retry_agent = p->u.h.src;
    h->retry_tag = p->u.h.tag;
    h->retry_offset = hsl_pkt_offset(p) & HSL_LINE_MASK;
    if (!d->owed++) {
        d->next = HSL_COH_NONE;
        if (h->debt_head == HSL_COH_NONE) {
            h->debt_head = agent;
        } else {
            debt_at(h, h->debt_tail)->next = agent;
        }
        h->debt_tail = agent;
    }
    h->stats.retries++;
    return true;
}

/* The agent whose turn it is; it goes to the end if it is owed more. */
static uint32_t pay(struct hsl_home *h)
{
    uint32_t agent = h->debt_head;
    struct debt *d = debt_at(h, agent);

    h->debt_head = d->next;
    if (h->debt_head == HSL_COH_NONE) {
        h->debt_tail = HSL_COH_NONE;
    }
    d->next = HSL_COH_NONE;
    d->owed--;
    d->promised++;
    h->promised++;
    if (d->owed) {
        if (h->debt_head == HSL_COH_NONE) {
            h->debt_head = agent;
        } else {
            debt_at(h, h->debt_tail)->next = agent;
        }
        h->debt_tail = agent;
    }
    return agent;
}

static bool rx_request(struct hsl_home *h, const struct hsl_pkt *p)
{
    uint32_t agent = agent_number(h, p->u.h.src);
    bool granted = p->u.h.flags & HSL_PKT_F_GRANTED;
    uint64_t offset = hsl_pkt_offset(p);
    struct request *r;

    if (p->u.h.opcode != HSL_PKT_ATOMIC && offset % HSL_LINE_BYTES) {
        return false;
    }
    if (granted) {
        if (!debt_at(h, agent)->promised) {
            return false;
        }
        debt_at(h, agent)->promised--;
        h->promised--;
    } else if (h->nfree <= h->promised) {
        return owe(h, agent, p);
    }
    r = request_new(h, offset & HSL_LINE_MASK);
    r->opcode = p->u.h.opcode;
    r->tag = p->u.h.tag;
    r->agent = (uint16_t)agent;
    r->addr = offset;
    if (r->opcode == HSL_PKT_ATOMIC) {
        r->subop = p->u.atomic.subop;
        r->len = p->u.atomic.len;
        r->arg0 = p->u.atomic.arg0;
        r->arg1 = p->u.atomic.arg1;
    }
    h->stats.requests++;
    return true;
}

/* ---- answers in ---- */

/* The requester's request that works on the line of p; NULL. */
static struct request *working(const struct hsl_home *h, const struct hsl_pkt *p)
{
    uint32_t agent = agent_number(h, p->u.h.src);

    for (uint32_t i = youngest(h, hsl_pkt_offset(p)); i != HSL_COH_NONE; i = older(h, i)) {
        struct request *r = request_at(h, i);

        if (r->stage > RECALL && r->stage != DONE) {
            return r->agent == agent && r->tag == p->u.h.tag && !r->out ? r : NULL;
        }
    }
    return NULL;
}

static bool rx_ack(struct hsl_home *h, const struct hsl_pkt *p)
{
    struct request *r = working(h, p);

    if (!r) {
        return false;
    }
    if (r->stage == ACK) {
        finish(h, r);
        return true;
    }
    if (r->stage == GO && r->opcode == HSL_PKT_WRITE_BACK) {
        if (dir_of(h, r)) {
            take_out(h, dir_of(h, r), r->agent);
        }
        finish(h, r);
        return true;
    }
    if (r->stage != SNOOP || r->acked || (r->snoop != HSL_PKT_SNP_S && r->snoop != HSL_PKT_SNP_U)) {
        return false;
    }
    r->acked = 1;
    return true;
}

static bool rx_wr_data(struct hsl_home *h, const struct hsl_pkt *p)
{
    struct request *r = working(h, p);
    bool poison = p->u.h.flags & HSL_PKT_F_POISON, whole = p->u.wr.mask == UINT64_MAX;

    if (!r || r->stage != GO) {
        return false;
    }
    if (r->opcode == HSL_PKT_WRITE_BACK) {
        if (!r->owner_write || !whole) {
            return false;
        }
        memcpy(r->data, p->u.wr.data, sizeof(r->data));
        write_memory(h, r, r->line, poison);
        make_invalid(h, dir_of(h, r));
        finish(h, r);
        return true;
    }
    r->mask = p->u.wr.mask;
    memcpy(r->written, p->u.wr.data, sizeof(r->written));
    if (whole) {
        r->poison = poison;
        do_write(h, r);
    } else if (r->have_data) {
        r->poison |= poison;
        do_write(h, r);
    } else {
        r->poison = poison;
        read_memory(h, r);
    }
    return true;
}

/* What an agent may answer to a snoop; false: it makes no sense. */
static bool answer_ok(const struct request *r, const struct entry *e, const struct hsl_pkt *p)
{
    uint32_t flags = p->u.h.flags & ~(uint32_t)HSL_PKT_F_POISON;
    bool data = p->u.h.opcode == HSL_PKT_SNP_DATA;

    if (data && e->state != 'O') {
        return false;
    }
    switch (r->snoop) {
    case HSL_PKT_SNP_S:
        return flags == (HSL_PKT_F_FWD | HSL_PKT_F_KEEPS) || flags == (data ? HSL_PKT_F_FWD : 0);
    case HSL_PKT_SNP_U:
        return !data && (!flags || flags == HSL_PKT_F_FWD ||
                         flags == (HSL_PKT_F_FWD | HSL_PKT_F_DIRTY));
    case HSL_PKT_SNP_C:
        return !flags || flags == HSL_PKT_F_KEEPS;
    default:
        return !flags;
    }
}

/* The owner has served the requester. */
static void forwarded(struct hsl_home *h, struct request *r)
{
    r->own = r->snoop == HSL_PKT_SNP_U;
    if (r->orphan && r->own) {
        write_lost(h, r, r->line);
    }
    served(h, r);
}

static void answered(struct hsl_home *h, struct request *r, uint32_t agent, uint32_t flags)
{
    struct entry *e = r->stage == RECALL ? entry_at(h, r->victim) : dir_of(h, r);

    hsl_coh_set_remove(to_come(h, r), agent);
    take_out(h, e, agent);
    if (flags & HSL_PKT_F_KEEPS) {
        make_shared(h, e, agent);
    }
    if (flags & HSL_PKT_F_FWD) {
        forwarded(h, r);
        return;
    }
    if (!set_empty(h, to_come(h, r))) {
        return;
    }
    if (r->stage == RECALL) {
        recalled(h, r);
        return;
    }
    r->own |= r->snoop == HSL_PKT_SNP_S;
    snooped(h, r);
}

/* Dirty data has come; the victim's stays apart from what the request is for. */
static void take_data(struct hsl_home *h, struct request *r, uint64_t line, const struct hsl_pkt *p)
{
    bool poison = p->u.h.flags & HSL_PKT_F_POISON;

    memcpy(r->data, p->u.data.data, sizeof(r->data));
    if (r->stage == SNOOP) {
        r->have_data = 1;
        r->poison = poison;
    }
    if (r->stage == RECALL || r->opcode != HSL_PKT_ATOMIC) {
        write_memory(h, r, line, poison);
    }
}

static bool rx_snooped(struct hsl_home *h, const struct hsl_pkt *p)
{
    uint32_t agent = agent_number(h, p->u.h.src);
    struct request *r;
    struct entry *e;

    if (p->u.h.tag >= h->cfg.requests) {
        return false;
    }
    r = request_at(h, p->u.h.tag);
    if ((r->stage != SNOOP && r->stage != RECALL) || !hsl_coh_set_has(to_come(h, r), agent) ||
        hsl_coh_set_has(to_snoop(r), agent)) {
        return false;
    }
    e = r->stage == RECALL ? entry_at(h, r->victim) : dir_of(h, r);
    if (hsl_pkt_offset(p) != e->line || !answer_ok(r, e, p)) {
        return false;
    }
    if (p->u.h.opcode == HSL_PKT_SNP_DATA) {
        take_data(h, r, e->line, p);
    }
    answered(h, r, agent, p->u.h.flags);
    return true;
}

static bool rx(struct hsl_home *h, const struct hsl_pkt *p)
{
    switch (p->u.h.opcode) {
    case HSL_PKT_READ:
    case HSL_PKT_WRITE:
    case HSL_PKT_ATOMIC:
    case HSL_PKT_READ_S:
    case HSL_PKT_READ_U:
    case HSL_PKT_UPGRADE:
    case HSL_PKT_WRITE_BACK:
        return rx_request(h, p);
    case HSL_PKT_ACK:
        return rx_ack(h, p);
    case HSL_PKT_SNP_RSP:
    case HSL_PKT_SNP_DATA:
        return rx_snooped(h, p);
    case HSL_PKT_WR_DATA:
        return rx_wr_data(h, p);
    default:
        return false;
    }
}

bool hsl_home_rx(struct hsl_home *h, const struct hsl_pkt *p)
{
    if (hsl_pkt_check(p) || p->u.h.dst != h->cfg.id ||
        agent_number(h, p->u.h.src) == HSL_COH_NONE || !rx(h, p)) {
        return false;
    }
    run(h);
    return true;
}

void hsl_home_forwards(struct hsl_home *h, const struct hsl_pkt *p)
{
    uint32_t owner = agent_number(h, p->u.h.src), agent = agent_number(h, p->u.h.dst);

    if (owner == HSL_COH_NONE) {
        return;
    }
    for (uint32_t i = youngest(h, hsl_pkt_offset(p)); i != HSL_COH_NONE; i = older(h, i)) {
        struct request *r = request_at(h, i);

        if (r->stage == SNOOP && r->agent == agent && r->tag == p->u.h.tag &&
            hsl_coh_set_has(to_come(h, r), owner) &&
            (r->snoop == HSL_PKT_SNP_S || r->snoop == HSL_PKT_SNP_U)) {
            r->forwards = 1;
        }
    }
}

void hsl_home_mem_data(struct hsl_home *h, uint32_t id, bool poison,
                       const uint8_t data[HSL_LINE_BYTES])
{
    struct request *r;

    if (id >= h->cfg.requests) {
        return;
    }
    r = request_at(h, id);
    if (r->stage != MEM || r->mem_read || r->mem_write) {
        return;
    }
    memcpy(r->data, data, sizeof(r->data));
    r->poison |= poison;
    with_data(h, r);
    run(h);
}

/* ---- out ---- */

static void snoop_packet(struct hsl_home *h, struct request *r, uint32_t agent, struct hsl_pkt *p)
{
    uint64_t line = r->stage == RECALL ? entry_at(h, r->victim)->line : r->line;

    hsl_coh_set_remove(to_snoop(r), agent);
    *p = hsl_coh_pkt(r->snoop, 0, number_of(h, r), h->cfg.id, agent_id(h, agent), line);
    if (r->snoop == HSL_PKT_SNP_S || r->snoop == HSL_PKT_SNP_U) {
        p->u.snp.fwd = (uint16_t)agent_id(h, r->agent);
        p->u.snp.fwd_tag = r->tag;
    }
    h->stats.snoops++;
}

static void reply_packet(struct hsl_home *h, struct request *r, struct hsl_pkt *p)
{
    bool rsp = r->out == HSL_PKT_RSP;

    *p = hsl_coh_pkt(r->out, rsp ? r->out_status : r->out_flags, r->tag, h->cfg.id,
                     agent_id(h, r->agent), rsp ? r->value : r->line);
    if (r->out == HSL_PKT_RSP_DATA) {
        memcpy(p->u.data.data, r->data, sizeof(p->u.data.data));
    }
    if (rsp && deviates_now(h, HSL_DEV_ANSWER_TWICE, 20)) {
        return;
    }
    r->out = 0;
    if (r->stage == DONE && !r->mem_write) {
        request_free(h, r);
    }
}

static bool tx_request(struct hsl_home *h, struct request *r, struct hsl_pkt *p)
{
    uint32_t agent = hsl_coh_set_next(to_snoop(r), h->words, 0);

    if (agent != HSL_COH_NONE) {
        snoop_packet(h, r, agent, p);
        return true;
    }
    if (r->out) {
        reply_packet(h, r, p);
        return true;
    }
    if (!r->mem_write && !r->mem_read) {
        no_output(h, number_of(h, r));
    }
    return false;
}

/* Entries that are free, or are as soon as a memory write has been taken. */
static uint32_t room(const struct hsl_home *h)
{
    uint32_t n = h->nfree;

    for (uint32_t i = h->output.head; i != HSL_COH_NONE; i = hsl_coh_next(h, &h->output, i)) {
        n += request_at(h, i)->stage == DONE && !request_at(h, i)->out;
    }
    return n;
}

int hsl_home_tx(struct hsl_home *h, struct hsl_pkt *p)
{
    uint32_t next;

    for (uint32_t i = h->output.head; i != HSL_COH_NONE; i = next) {
        next = hsl_coh_next(h, &h->output, i);
        if (tx_request(h, request_at(h, i), p)) {
            return 1;
        }
    }
    if (h->retry) {
        *p = hsl_coh_pkt(HSL_PKT_RETRY, 0, h->retry_tag, h->cfg.id, h->retry_agent,
                         h->retry_offset);
        h->retry = h->retry_agent = h->retry_tag = 0;
        h->retry_offset = 0;
        return 1;
    }
    if (h->debt_head != HSL_COH_NONE && room(h) > h->promised) {
        *p = hsl_coh_pkt(HSL_PKT_GRANT, 0, 0, h->cfg.id, agent_id(h, pay(h)), 0);
        h->stats.grants++;
        return !deviates_now(h, HSL_DEV_GRANT_LOST, 8);
    }
    return 0;
}

static void mem_write_op(struct hsl_home *h, struct request *r, struct hsl_mem_op *op)
{
    *op = (struct hsl_mem_op){ .offset = r->write_line, .write = 1, .poison = r->write_poison };
    memcpy(op->data, r->data, sizeof(op->data));
    r->mem_write = r->write_poison = 0;
    r->write_line = 0;
    h->stats.mem_writes++;
    if (r->stage == DONE && !r->out) {
        request_free(h, r);
    }
}

int hsl_home_mem(struct hsl_home *h, struct hsl_mem_op *op)
{
    for (uint32_t i = h->output.head; i != HSL_COH_NONE; i = hsl_coh_next(h, &h->output, i)) {
        if (request_at(h, i)->mem_write) {
            mem_write_op(h, request_at(h, i), op);
            return 1;
        }
    }
    for (uint32_t i = h->output.head; i != HSL_COH_NONE; i = hsl_coh_next(h, &h->output, i)) {
        struct request *r = request_at(h, i);

        if (r->mem_read) {
            r->mem_read = 0;
            *op = (struct hsl_mem_op){ .offset = r->line, .id = i };
            h->stats.mem_reads++;
            return 1;
        }
    }
    return 0;
}

/* ---- a lost agent ---- */

static void forget_debt(struct hsl_home *h, uint32_t agent)
{
    struct debt *d = debt_at(h, agent);
    uint32_t prev = HSL_COH_NONE;

    h->promised -= d->promised;
    if (d->owed) {
        for (uint32_t i = h->debt_head; i != agent; i = debt_at(h, i)->next) {
            prev = i;
        }
        if (prev == HSL_COH_NONE) {
            h->debt_head = d->next;
        } else {
            debt_at(h, prev)->next = d->next;
        }
        if (h->debt_tail == agent) {
            h->debt_tail = prev;
        }
    }
    memset(d, 0, sizeof(*d));
    if (h->retry && agent_number(h, h->retry_agent) == agent) {
        h->retry = 0;
    }
}

static void owner_lost(const struct hsl_home *h, struct entry *e)
{
    make_invalid(h, e);
    e->state = 'P';
}

static void lose_requester(struct hsl_home *h, struct request *r)
{
    struct entry *e = dir_of(h, r);

    r->out = 0;
    switch (r->stage) {
    case RECALL:
    case SNOOP:
    case MEM:
        r->orphan = 1;
        return;
    case ACK:
    case GO:
        if (e && e->state == 'O' && e->owner == r->agent) {
            owner_lost(h, e);
        }
        break;
    default:
        break;
    }
    finish(h, r);
}

/*
 * Its answer will not come. If it has served the requester, only dirty data for memory may be lost;
 * else what it may have had is.
 */
static void lose_snooped(struct hsl_home *h, struct request *r, uint32_t agent)
{
    struct entry *e = r->stage == RECALL ? entry_at(h, r->victim) : dir_of(h, r);
    bool owner = e->state == 'O', shares = r->snoop == HSL_PKT_SNP_S;
    bool serves = r->acked || r->forwards;

    hsl_coh_set_remove(to_snoop(r), agent);
    if (owner && (!serves || shares)) {
        write_lost(h, r, e->line);
    }
    answered(h, r, agent, serves ? HSL_PKT_F_FWD : 0);
}

void hsl_home_lose(struct hsl_home *h, uint16_t agent)
{
    uint32_t n = agent_number(h, agent), next;

    if (n == HSL_COH_NONE) {
        return;
    }
    forget_debt(h, n);
    for (uint32_t i = h->all.head; i != HSL_COH_NONE; i = next) {
        next = hsl_coh_next(h, &h->all, i);
        if (request_at(h, i)->agent == n) {
            lose_requester(h, request_at(h, i));
        }
    }
    for (uint32_t i = h->all.head; i != HSL_COH_NONE; i = next) {
        next = hsl_coh_next(h, &h->all, i);
        if (hsl_coh_set_has(to_come(h, request_at(h, i)), n)) {
            lose_snooped(h, request_at(h, i), n);
        }
    }
    for (uint32_t d = 0; d < h->cfg.sets * h->cfg.ways; d++) {
        struct entry *e = entry_at(h, d);

        if (e->state == 'O' && e->owner == n) {
            owner_lost(h, e);
        } else {
            take_out(h, e, n);
        }
        if (e->used && !e->busy) {
            let_go(h, d);
        }
    }
    run(h);
}

void hsl_home_forget(struct hsl_home *h, uint64_t offset)
{
    uint32_t d = lookup(h, offset);

    if (d != HSL_COH_NONE && !entry_at(h, d)->busy) {
        make_invalid(h, entry_at(h, d));
        let_go(h, d);
    }
}
