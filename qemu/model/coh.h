/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Coherence (docs/hep.md section 12): an agent with its cache (agent.c) and a home with its
 * directory (home.c). Each is a value in a block of memory of its owner, X_size() bytes, 8-byte
 * aligned, that takes packets and gives packets: no pointers, no time, no allocation, no calls out.
 * What carries the packets may reorder them in any way and must not lose or double any.
 *
 * After every call that puts something in, the owner takes everything out: hsl_agent_tx and
 * hsl_agent_done, or hsl_home_tx and hsl_home_mem, until they return 0. Output has room for what
 * one input can cause, so an agent and a home take every packet at any time: no back-pressure
 * between virtual channels, no deadlock by it.
 *
 * Not thread-safe: one caller at a time per instance.
 */
#ifndef HSL_MODEL_COH_H
#define HSL_MODEL_COH_H

#include "pkt.h"

/* ---- agent ---- */

struct hsl_agent_cfg {
    uint16_t id;                /* HSL_AGENT_HOST_PORT: of the host port of that chip */
    uint16_t tag_first;         /* of the agent's own tags, as many as it has requests */
    uint32_t sets, ways;        /* sets: a power of two */
    uint32_t requests;          /* outstanding at once, write-backs included; at least 2 */
    uint32_t accesses;          /* accepted and not done, at once */
};

enum hsl_access_op {
    HSL_ACCESS_LOAD,            /* through the cache */
    HSL_ACCESS_STORE,
    HSL_ACCESS_READ,            /* past the cache, which is asked first: NONCOHERENT segments */
    HSL_ACCESS_WRITE,
    HSL_ACCESS_ATOMIC,          /* at the home */
    HSL_ACCESS_FLUSH,           /* the line leaves this cache, dirty data to memory */
};
struct hsl_access {
    uint64_t cookie;            /* the owner's */
    uint64_t ga;                /* within one line */
    uint8_t op;                 /* enum hsl_access_op */
    uint8_t len;                /* 1 to 64 bytes within the line; ATOMIC: 4 or 8, aligned */
    uint8_t subop;              /* ATOMIC: HSL_ATOMIC_* */
    uint8_t status;             /* out: HSL_ST_OK, _POISON, _UNREACHABLE, _TIMEOUT */
    uint64_t arg0, arg1;        /* ATOMIC */
    uint64_t value;             /* out: ATOMIC: the old value */
    uint8_t data[HSL_LINE_BYTES];       /* STORE, WRITE: in; LOAD, READ: out */
};

struct hsl_agent_stats {
    uint64_t hits, misses, upgrades, write_backs, evictions, snoops, snoop_hits, forwards, retries;
};

struct hsl_agent;
const char *hsl_agent_check(const struct hsl_agent_cfg *cfg);
size_t hsl_agent_size(const struct hsl_agent_cfg *cfg);
int hsl_agent_init(struct hsl_agent *a, const struct hsl_agent_cfg *cfg);
/*
 * 0, -EAGAIN: as many accesses as there is room for, -EINVAL: crosses a line, bad length or op, not
 * a chip's address. Accesses of one agent to one line take effect in the order of these calls; to
 * different lines in any. FLUSH is done when the data has left: the home's next request for the
 * line sees it.
 */
int hsl_agent_access(struct hsl_agent *a, const struct hsl_access *x);
/*
 * A packet for this agent: SNP_*, RSP_DATA, RSP, COMP, GO, RETRY, GRANT. Nobody waits for it, it
 * makes no sense, or output of the packet before has not been taken: false, dropped. RSP with
 * UNREACHABLE ends any request, whoever it comes from.
 */
bool hsl_agent_rx(struct hsl_agent *a, const struct hsl_pkt *p);
int hsl_agent_tx(struct hsl_agent *a, struct hsl_pkt *p);
int hsl_agent_done(struct hsl_agent *a, struct hsl_access *x);
/* The home of these lines is lost: lines are dropped, accesses that wait end with the status. */
void hsl_agent_lose(struct hsl_agent *a, uint16_t home, uint8_t status);
bool hsl_agent_waits(const struct hsl_agent *a, uint32_t tag);  /* a request with it is outstanding */
/*
 * The request with this tag has not come to its home and never will: it ends with the status. False,
 * and nothing happens, if more than it is lost with it: a dirty line, or room that the home keeps.
 */
bool hsl_agent_give_up(struct hsl_agent *a, uint32_t tag, uint8_t status);
/* State of a line, 'I' 'S' 'E' 'M'; whether a request for it is outstanding. NULLs are fine. */
char hsl_agent_line(const struct hsl_agent *a, uint64_t ga, bool *busy, uint8_t *data);
/* The next line in the cache from *cursor on, which begins at 0; false: no more. */
bool hsl_agent_next_line(const struct hsl_agent *a, uint32_t *cursor, uint64_t *ga);
/* Be wrong: enum hsl_deviation. */
void hsl_agent_deviate(struct hsl_agent *a, uint32_t deviation);
bool hsl_agent_quiet(const struct hsl_agent *a);        /* no access and no request is waiting */
void hsl_agent_stats(const struct hsl_agent *a, struct hsl_agent_stats *out);
/* Equal for states that cannot be told apart. */
uint64_t hsl_agent_hash(const struct hsl_agent *a);

/* ---- home ---- */

struct hsl_home_cfg {
    uint16_t id;                /* the chip's node id */
    uint32_t nodes;             /* chips 1 ... nodes, two agents each */
    uint32_t sets, ways;        /* of the directory; sets: a power of two */
    uint32_t requests;          /* worked on or waiting for their line, at once; at least 2 */
};

/* Rows of that table: request and state of the directory when the home began to work on it. */
enum hsl_home_row {
    HSL_ROW_READ_S_I, HSL_ROW_READ_S_S, HSL_ROW_READ_S_O, HSL_ROW_READ_S_OWN,
    HSL_ROW_READ_U_I, HSL_ROW_READ_U_S, HSL_ROW_READ_U_O, HSL_ROW_READ_U_OWN,
    HSL_ROW_UPGRADE_S, HSL_ROW_UPGRADE_ELSE,
    HSL_ROW_WRITE_BACK_O, HSL_ROW_WRITE_BACK_ELSE,
    HSL_ROW_READ_O, HSL_ROW_READ_ELSE,
    HSL_ROW_WRITE, HSL_ROW_ATOMIC,
    HSL_HOME_ROWS
};
/* "READ_S O(a)": the first two columns. */
const char *hsl_home_row_name(uint32_t row);

/*
 * The home's memory is its owner's: reads are answered by hsl_home_mem_data, in any order. The
 * offset is what a packet said: whether memory is there is the owner's to check.
 */
struct hsl_mem_op {
    uint64_t offset;            /* of the line in the node */
    uint32_t id;                /* for hsl_home_mem_data */
    uint8_t write;              /* else read */
    uint8_t poison;             /* write: the line is poisoned now; else not any more */
    uint8_t data[HSL_LINE_BYTES];
};

struct hsl_home_stats {
    uint64_t requests, snoops, recalls, retries, grants, mem_reads, mem_writes;
    /* By row of the table in docs/hep.md section 12; UPGRADE "else" in one of READ_U too. */
    uint64_t row[HSL_HOME_ROWS];
};

struct hsl_home;
const char *hsl_home_check(const struct hsl_home_cfg *cfg);
size_t hsl_home_size(const struct hsl_home_cfg *cfg);
int hsl_home_init(struct hsl_home *h, const struct hsl_home_cfg *cfg);
/*
 * A packet for this home: READ_S and the other requests but AUTH, ACK, SNP_RSP, SNP_DATA, WR_DATA.
 * False: dropped.
 */
bool hsl_home_rx(struct hsl_home *h, const struct hsl_pkt *p);
int hsl_home_tx(struct hsl_home *h, struct hsl_pkt *p);
/* 1 = *op filled. Operations on one line must take effect in the order in which they came out. */
int hsl_home_mem(struct hsl_home *h, struct hsl_mem_op *op);
void hsl_home_mem_data(struct hsl_home *h, uint32_t id, bool poison,
                       const uint8_t data[HSL_LINE_BYTES]);
/*
 * An owner that the home has snooped sends the requester the line: this packet, RSP_DATA. It comes
 * to the requester, or that is lost too; so if the owner is lost, the home does not answer itself.
 */
void hsl_home_forwards(struct hsl_home *h, const struct hsl_pkt *p);
/*
 * An agent is lost: requests of it end, snoops to it are taken as answered, what only it had is
 * poison: written to memory when a request comes to the line. No packet from or to the agent that
 * was under way may be delivered afterwards.
 */
void hsl_home_lose(struct hsl_home *h, uint16_t agent);
/*
 * Directory of a line: 'I', 'S', 'O', or 'P': its owner was lost. agents: a bit each, chips first,
 * then host ports (index id - 1, nodes + id - 1); busy and agents may be NULL.
 */
char hsl_home_line(const struct hsl_home *h, uint64_t offset, bool *busy, uint64_t *agents,
                   uint32_t words);
/* The next line in the directory from *cursor on, which begins at 0; false: no more. */
bool hsl_home_next_line(const struct hsl_home *h, uint32_t *cursor, uint64_t *offset);
/*
 * No agent has the line, whatever the directory says: who dropped it silently, or was lost, did not
 * tell. Nothing happens while a request for the line is worked on.
 */
void hsl_home_forget(struct hsl_home *h, uint64_t offset);
/* Is a request of the agent worked on, or waiting? Also one that was lost. */
bool hsl_home_serves(const struct hsl_home *h, uint16_t agent);
/* Is the one with this tag, or does the home owe the agent a GRANT, or a place for one it gave? */
bool hsl_home_knows(const struct hsl_home *h, uint16_t agent, uint32_t tag);
void hsl_home_deviate(struct hsl_home *h, uint32_t deviation);
bool hsl_home_quiet(const struct hsl_home *h);
void hsl_home_stats(const struct hsl_home *h, struct hsl_home_stats *out);
uint64_t hsl_home_hash(const struct hsl_home *h);

#endif
