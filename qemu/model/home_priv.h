/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Inside of a home: what home.c, which tells the course of a request, and home_look.c share.
 */
#ifndef HSL_MODEL_HOME_PRIV_H
#define HSL_MODEL_HOME_PRIV_H

#include "coh_list.h"

enum stage { FREE, WAIT, RECALL, SNOOP, MEM, GO, ACK, DONE };

struct entry {
    uint64_t line;              /* offset */
    char state;                 /* 'I' 'S' 'O' 'P' */
    uint8_t used;
    uint16_t owner;             /* agent number; O and P */
    uint32_t busy;              /* request + 1 that works on it or recalls it */
    uint32_t age;               /* rank in its set, 0: used last */
    uint32_t rsvd;
    uint64_t set[];             /* S */
};

struct request {
    uint64_t line, addr;
    uint64_t order;             /* of arrival */
    uint32_t dir, victim;       /* entries, HSL_COH_NONE */
    uint16_t tag, agent;
    uint8_t stage;              /* enum stage */
    uint8_t opcode;             /* UPGRADE that is to get data is READ_U from then on */
    uint8_t snoop;              /* opcode of the snoops under way */
    uint8_t own, acked, orphan; /* orphan: the requester is lost */
    uint8_t owner_write;        /* WRITE_BACK of the owner: data may come */
    uint8_t out, out_flags;     /* packet for the requester, 0: none */
    uint8_t out_status;
    uint8_t mem_read;           /* to be taken */
    uint8_t mem_write;          /* to be taken: data to write_line, the line's or the victim's */
    uint8_t poison, have_data;  /* of data */
    uint8_t subop, len;         /* ATOMIC */
    uint8_t write_poison;       /* of mem_write */
    uint8_t forwards;           /* SNOOP: the owner has sent the requester the line */
    uint8_t rsvd[2];
    uint64_t write_line;
    uint64_t arg0, arg1, value;
    uint64_t mask;              /* WRITE: of written */
    uint8_t data[HSL_LINE_BYTES];       /* of memory or the owner; what is written */
    uint8_t written[HSL_LINE_BYTES];    /* WRITE: what came with WR_DATA */
    uint64_t sets[];            /* words each: snoops to be sent, answers to come */
};

/* Of an agent. */
struct debt {
    uint32_t owed, promised;
    uint32_t next;              /* who is owed a GRANT, in turn */
    uint32_t rsvd;
};

struct hsl_home {
    struct hsl_home_cfg cfg;
    struct hsl_home_stats stats;
    uint32_t words;             /* of a set of agents */
    uint32_t rsvd;
    struct hsl_coh_list free, all;      /* each request is in one */
    struct hsl_coh_list waiting;        /* in WAIT */
    struct hsl_coh_list output;         /* may have something to be taken */
    struct hsl_coh_index by_line;       /* all */
    uint64_t arrived;
    uint32_t nfree, promised;
    uint32_t debt_head, debt_tail;
    uint16_t retry_agent, retry_tag;
    uint32_t retry;             /* 1: a RETRY is to be taken */
    uint64_t retry_offset;
    uint32_t deviation;         /* enum hsl_deviation */
    uint32_t deviated;
    uint64_t off_entry, off_request, off_debt;
};

/* ---- memory ---- */

static inline uint32_t agents(const struct hsl_home_cfg *cfg)
{
    return 2 * cfg->nodes;
}

static inline uint64_t entry_bytes(uint32_t words)
{
    return sizeof(struct entry) + (uint64_t)words * 8;
}

static inline uint64_t request_bytes(uint32_t words)
{
    return sizeof(struct request) + (uint64_t)words * 16;
}

static inline struct entry *entry_at(const struct hsl_home *h, uint32_t i)
{
    return hsl_coh_at((void *)(uintptr_t)h, h->off_entry + i * entry_bytes(h->words));
}

static inline struct request *request_at(const struct hsl_home *h, uint32_t i)
{
    return hsl_coh_at((void *)(uintptr_t)h, h->off_request + i * request_bytes(h->words));
}

static inline struct debt *debt_at(const struct hsl_home *h, uint32_t agent)
{
    return (struct debt *)hsl_coh_at((void *)(uintptr_t)h, h->off_debt) + agent;
}

static inline uint32_t number_of(const struct hsl_home *h, const struct request *r)
{
    return (uint32_t)(((uint64_t)(uintptr_t)r - (uint64_t)(uintptr_t)h - h->off_request) /
                      request_bytes(h->words));
}

/* ---- agents and sets of them ---- */

static inline uint32_t agent_number(const struct hsl_home *h, uint32_t id)
{
    uint32_t chip = id & ~(uint32_t)HSL_AGENT_HOST_PORT;

    if (chip < 1 || chip > h->cfg.nodes) {
        return HSL_COH_NONE;
    }
    return chip - 1 + (id & HSL_AGENT_HOST_PORT ? h->cfg.nodes : 0);
}

static inline bool set_empty(const struct hsl_home *h, const uint64_t *set)
{
    uint64_t any = 0;

    for (uint32_t i = 0; i < h->words; i++) {
        any |= set[i];
    }
    return !any;
}

/* ---- the directory ---- */

static inline uint32_t way_of(const struct hsl_home *h, uint64_t line, uint32_t way)
{
    return ((uint32_t)(line / HSL_LINE_BYTES) & (h->cfg.sets - 1)) * h->cfg.ways + way;
}

static inline uint32_t lookup(const struct hsl_home *h, uint64_t line)
{
    for (uint32_t i = 0; i < h->cfg.ways; i++) {
        uint32_t d = way_of(h, line, i);

        if (entry_at(h, d)->used && entry_at(h, d)->line == line) {
            return d;
        }
    }
    return HSL_COH_NONE;
}

static inline bool has(const struct entry *e, uint32_t agent)
{
    return e->state == 'S' ? hsl_coh_set_has(e->set, agent) : e->state == 'O' && e->owner == agent;
}

/* ---- the list of requests ---- */

/* The requests for a line, the youngest first, or those older than r: HSL_COH_NONE ends them. */
static inline uint32_t same_line(const struct hsl_home *h, uint32_t i, uint64_t line)
{
    while (i != HSL_COH_NONE && request_at(h, i)->line != line) {
        i = hsl_coh_index_next(h, &h->by_line, i);
    }
    return i;
}

static inline uint32_t youngest(const struct hsl_home *h, uint64_t line)
{
    return same_line(h, hsl_coh_index_first(h, &h->by_line, line), line);
}

static inline uint32_t older(const struct hsl_home *h, uint32_t i)
{
    return same_line(h, hsl_coh_index_next(h, &h->by_line, i), request_at(h, i)->line);
}

#endif
