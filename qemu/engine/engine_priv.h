/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Inside the engine: objects, owners, locks.
 *
 * Sections. A worker touches chips, rings, tables and memory only inside a section (its counter is odd). A section
 * lasts one turn: a few descriptors or one chunk of 64 KiB. Whoever takes something away first makes it
 * unreachable, then waits with hsl_synchronize() until every section that was open has closed, then frees.
 * An admin command that must wait itself leaves its section first and marks the chip busy (hsl_admin_pause).
 *
 * Locks, outermost first; none is held while waiting for a section except ctl_lock:
 *   ctl_lock     control paths of the fabric: CTRL, windows, reset, detach, new, free, set_dma, set_link
 *   tables_lock  of a chip: building and changing its context cache (table reads, dma_map, happen under it)
 *   model_lock   the model and the workers' pending answers; never held across a callback
 *   modelled     the modelled fabric (modelled.c); mem_written is called with it held
 *   run_lock     the list of ready queues; a leaf
 *   heat_lock    of a chip: heat and what is in it; a leaf
 * Doorbells and register reads take run_lock, model_lock or heat_lock at most.
 */
#ifndef HSL_ENGINE_PRIV_H
#define HSL_ENGINE_PRIV_H

#include <pthread.h>
#include <stdatomic.h>

#include "engine/engine.h"
#include "model/coh.h"

#define HSL_WORKERS_MAX     8u
#define HSL_CHUNK_BYTES     65536u
#define HSL_TURN_COMMANDS   64u
#define HSL_GUEST_ERRORS    100u
#define HSL_VECTORS_MAX     2048u
/* of one chip: what tables can make it remember is bounded, whatever they say (about 200 MB) */
#define HSL_CACHED_SEGS_MAX (1u << 20)

/* A cached valid segment entry. Immutable but for the grants. */
struct hsl_seg {
    struct hsl_seg_entry e;
    uint32_t handle;
    uint64_t uid;                       /* never used twice; kept when an invalidation finds the same entry */
    /* home's answer for [0] reading, [1] writing: the home's generation then, and bytes from e.ga on */
    _Atomic uint64_t grant_gen[2];
    _Atomic uint64_t grant_len[2];
};

/* A cached context entry, valid or not. segs is replaced as a whole. */
struct hsl_seg_array {
    uint32_t count;
    struct hsl_seg *seg[];              /* sorted by e.ga, not overlapping */
};
struct hsl_ctx {
    bool valid;
    uint64_t key;
    uint64_t seg_dir;
    struct hsl_seg_array *_Atomic segs;
    struct hsl_seg **by_handle[HSL_SEG_DIR_LEAVES]; /* under tables_lock: leaf, slot; what is in segs */
};

struct hsl_ring {
    uint32_t npages;
    uint32_t bytes;                     /* of each page that is used */
    bool write;
    void **page;
};

/* An entry of COPY_LIST, and the segments its operands were found in. */
struct hsl_list_entry {
    uint64_t dst, src, len, uid[2];
};

/* The command a queue is working on. */
struct hsl_cmd {
    bool active;                        /* more to do in another turn */
    bool has_value;                     /* the result is value, not done */
    bool backward;                      /* the current run goes from its end */
    struct hsl_desc d;
    uint64_t done;                      /* bytes written */
    uint64_t value;
    uint32_t run, runs;                 /* see move.c */
    uint64_t moved;                     /* of the current run */
    uint64_t uid[2];                    /* of the segments of dst and src */
    struct hsl_list_entry *list;        /* COPY_LIST: runs entries, freed with the command */
    bool waits;                         /* a WAIT whose condition did not hold yet */
    bool late;                          /* modelled time: ended with this, and its completion is due at the queue's due_ps */
    uint32_t late_status;
    uint64_t late_fault_ga;
    uint64_t wake_seq;                  /* of the fabric, before the last look at the value */
    uint64_t deadline_ns, look_ns;      /* 0: no timeout; until the next look */
};

static inline void hsl_cmd_value(struct hsl_cmd *cmd, uint64_t value)
{
    cmd->has_value = true;
    cmd->value = value;
}

#define HSL_ARMED           (1ull << 32)

/* DUE: modelled time only, see driven.c */
enum { HSL_SCHED_IDLE, HSL_SCHED_LISTED, HSL_SCHED_RUNNING, HSL_SCHED_PARKED, HSL_SCHED_DUE };
#define HSL_PARK_BUCKETS    256u

struct hsl_queue_engine {
    struct hsl_chip_engine *chip;
    uint32_t qid;
    _Atomic uint32_t state;             /* HSL_QUEUE_* */
    _Atomic uint32_t error;
    _Atomic uint32_t tail;              /* last doorbell that was at most depth ahead of taken */
    _Atomic bool overflow;              /* one was not */
    _Atomic uint32_t completed;         /* completions written */
    _Atomic uint64_t armed;             /* 0, or HSL_ARMED | completions consumed: raise when more exist */
    _Atomic uint32_t taken;
    _Atomic uint32_t moderation;        /* HSL_DB_MODERATION */
    _Atomic bool paused;                /* an abort is under way: no turn begins */
    _Atomic uint32_t depth, vector;     /* doorbells read them while a queue is made again */
    struct hsl_queue_shadow *_Atomic shadow; /* control block, in block; NULL: tails come by doorbell */
    _Atomic uint64_t n_commands, n_errors, n_bytes;     /* kept over destroy; counted by who has the queue */
    uint32_t ctx;                       /* the rest changes only while no worker can run the queue */
    struct hsl_ring sq, cq, block;
    bool asleep;                        /* need_doorbell as we wrote it last; what is there now is software's */
    struct hsl_cmd cmd;
    /* of a chip that deviates: deviate.c */
    bool outlives;                      /* it was READY when the chip was reset */
    bool spread;
    bool filled, stale;                 /* the command before was a FILL; an ATOMIC right behind one */
    uint64_t pattern;                   /* of that FILL */
    uint64_t claimed;                   /* what the result of the command is said to be, 0: what it is */
    uint8_t before_len, before[8];
    struct { const struct hsl_chip_engine *home; uint16_t node; uint8_t *host, len, bytes[8]; } late;
    struct { bool used; uint32_t status; uint64_t cookie, result, fault_ga; } stash;
    uint64_t cached_ga;
    uint8_t cached_len, cached[64];
    bool chain_failed;                  /* a command with LINK has failed: so does the rest of its chain */
    struct hsl_found {                  /* by an operand of this turn that is read, that is written */
        struct hsl_seg *seg;            /* NULL: by none */
        struct hsl_chip_engine *home;
        uint32_t rights;
    } found[2];
    struct hsl_leaf {                   /* last PAGE table leaf read for dst and src */
        uint64_t uid;
        uint64_t index;
        uint64_t pte[HSL_PTES_PER_TABLE];
    } leaf[2];
    _Atomic int sched;                  /* written under run_lock */
    _Atomic bool again;                 /* something came since it was popped; see hsl_queue_ready */
    struct hsl_queue_engine *next;      /* under run_lock, as all that follows; see wait.c */
    struct hsl_queue_engine *bucket_next, *park_prev, *park_next;
    uint64_t look_at_ns;
    struct hsl_queue_engine *held_next;
    uint64_t held_until_ns;             /* 0: no interrupt is held back */
    uint64_t held_armed;                /* the arming that it is for */
    uint64_t due_ps;                    /* modelled time: end of its turn; the rest belongs to who has it in hand */
    struct hsl_queue_engine *due_next;
    bool was_idle;                      /* its next command has to be fetched first */
    uint64_t paid_bytes;                /* of the command, that have had their time */
    uint64_t stream_ps;                 /* its stream has taken its way up to then; see share.c */
};

struct hsl_facility;
struct hsl_window { _Atomic uint64_t ga, size; _Atomic uint32_t ctrl, ctx, status; };

struct hsl_chip_engine {
    struct hsl_fabric_engine *f;
    struct hsl_chip_engine_config cfg;
    uint64_t cap;
    uint64_t bar0_bytes;
    bool attached;                      /* under ctl_lock */
    _Atomic bool enabled;               /* workers may run its queues and use its memory */
    _Atomic bool dma_on;
    _Atomic uint32_t busy;              /* admin commands between sections */
    _Atomic uint32_t nwaits;            /* commands with waits set */
    _Atomic uint64_t home_gen;          /* grants given by this chip as a home are good while this stays */
    _Atomic uint32_t status, event, event_mask, guest_errors;
    _Atomic uint64_t scratch, aq_sq, aq_cq, ctx_table;
    _Atomic uint32_t aq_depth, ctx_count;
    _Atomic uint32_t low_half[HSL_WIN_MAX * 2 + 8]; /* first half of a 64-bit register written by halves */
    _Atomic uint64_t held[HSL_VECTORS_MAX / 64];    /* interrupts that wait for DMA to be on */
    struct hsl_window win[HSL_WIN_MAX];
    pthread_mutex_t tables_lock;
    uint32_t cached_segs;               /* segments of all contexts in ctx; tables_lock */
    struct hsl_ctx *_Atomic *ctx;       /* ncontexts pointers, NULL = not cached */
    struct hsl_queue_engine *queue;     /* nqueues */
    struct hsl_facility *ctf;                /* NULL: no CAP.CTF */
    uint32_t db_stride;                 /* bytes, a power of two */
    _Atomic bool wedged;                /* a chip that deviates: it has stopped */
    _Atomic uint32_t moving;            /* and: the queue that holds it, or 0 */
    _Atomic uint64_t cleared;           /* a counter, when it was last read */
    _Atomic uint32_t deviated;          /* times that hsl_deviates_one_in was asked */
    _Atomic uint64_t n_auth, n_interrupts;
    pthread_mutex_t heat_lock;
    struct hsl_heat heat;
    uint64_t heat_commands, heat_bytes; /* of all queues, that are in heat */
};

/* Is it right? Else one of what follows. */
static inline bool hsl_conforms(const struct hsl_chip_engine *c)
{
    return __builtin_expect(c->cfg.deviation == HSL_DEV_NONE, 1);
}
static inline bool hsl_deviates(const struct hsl_chip_engine *c, enum hsl_deviation d)
{
    return __builtin_expect(c->cfg.deviation == d, 0);
}
/* One in n times that it is asked. */
bool hsl_deviates_one_in(struct hsl_chip_engine *c, enum hsl_deviation d, uint32_t n);

struct hsl_worker {
    struct hsl_fabric_engine *f;
    unsigned int index;
    pthread_t thread;
    unsigned int spun;                  /* its own: empty polls since it did something */
    unsigned int turns;                 /* its own, as the next: see sensor.c */
    uint64_t warm;                      /* bit (node - 1) % 64: it has worked for such a chip, and its sensors do not know */
    _Alignas(64) _Atomic uint64_t section;
    /* the answer this worker waits for; under model_lock */
    bool answered;
    struct hsl_pkt_rsp answer;
};

struct hsl_fabric_engine {
    struct hsl_fabric_engine_config cfg;
    pthread_mutex_t ctl_lock;
    pthread_mutex_t model_lock;
    struct hsl_model *model;
    struct hsl_modelled *modelled;              /* NULL: chips have no CAP.MODELLED */
    struct hsl_chip_engine *_Atomic *chips;     /* by node id, 0..nodes */
    _Atomic uint64_t next_uid;
    pthread_mutex_t run_lock;
    pthread_cond_t run_cond;
    struct hsl_queue_engine *run_head, *run_tail;
    _Atomic uint32_t nready;
    _Atomic uint64_t wake_seq;                  /* counts writes that WAITs must see */
    _Atomic uint64_t tick_next;                 /* ns; see wait.c */
    _Atomic uint32_t nparked, nheld;
    struct hsl_queue_engine *parked, *held, *parked_at[HSL_PARK_BUCKETS];
    _Atomic uint64_t changed;                   /* chips, bit node - 1, that are to be told about their links */
    struct hsl_queue_engine *due_head;          /* by time, then by who came first; see driven.c */
    bool running;                               /* in hsl_fabric_engine_run */
    uint64_t event_ps;                          /* the time in there */
    struct hsl_calendar *calendar;              /* share.c */
    uint32_t sleepers;                          /* under run_lock */
    _Atomic bool stop;
    unsigned int nworkers;
    struct hsl_worker worker[HSL_WORKERS_MAX];
};

static inline void hsl_cpu_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
}

/* fabric.c */
/* run_lock held: there is something for a worker, or for hsl_fabric_engine_run. */
void hsl_run_notify(struct hsl_fabric_engine *f);
/* Head of the run list, in the caller's hands; NULL. */
struct hsl_queue_engine *hsl_run_pop(struct hsl_fabric_engine *f);
void hsl_section_enter(struct hsl_worker *w);
void hsl_section_leave(struct hsl_worker *w);
/* Returns when every section open at the call has closed. self: a worker outside its section, or NULL. */
void hsl_synchronize(struct hsl_fabric_engine *f);
void hsl_queue_ready(struct hsl_queue_engine *q);
void hsl_run_forget(struct hsl_chip_engine *c);
/* run_lock held */
void hsl_run_push(struct hsl_fabric_engine *f, struct hsl_queue_engine *q, bool front);
/* After a turn: put it back if there is more to do. */
void hsl_run_done(struct hsl_fabric_engine *f, struct hsl_queue_engine *q);
/* Take a queue of this context over, whose WAIT nobody looks at just now, as if it had been popped. */
bool hsl_run_claim(struct hsl_queue_engine *q, uint32_t ctx);
struct hsl_chip_engine *hsl_chip_at(struct hsl_fabric_engine *f, uint32_t node);
void hsl_model_node(struct hsl_fabric_engine *f, uint32_t node, bool present);
/* Chips, bit node - 1, whose links have changed: in a section, or with ctl_lock held; or soon, by a worker. */
void hsl_links_changed(struct hsl_fabric_engine *f, uint64_t nodes);
void hsl_links_changed_soon(struct hsl_fabric_engine *f, uint64_t nodes);

/* chip.c */
void hsl_guest_error(struct hsl_chip_engine *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void hsl_chip_event(struct hsl_chip_engine *c, uint32_t bits);
void hsl_chip_interrupt(struct hsl_chip_engine *c, uint32_t vector);
/* ctl_lock held: take everything away from the workers and forget it. */
void hsl_chip_forget(struct hsl_chip_engine *c);
void hsl_chip_enable(struct hsl_chip_engine *c);
void hsl_window_off(struct hsl_chip_engine *c, unsigned int i);
void hsl_window_write(struct hsl_chip_engine *c, unsigned int i, uint32_t val);

/* queue.c */
struct hsl_queue_rings { uint64_t sq, cq, shadow; };    /* IOVAs; shadow 0: none */
uint32_t hsl_queue_open(struct hsl_queue_engine *q, const struct hsl_queue_rings *iova, uint32_t depth,
                        uint32_t vector, uint32_t ctx);
/* No worker runs it. complete: write ABORTED for what was not finished. */
void hsl_queue_close(struct hsl_queue_engine *q, bool complete);
/* One turn, at most so many commands. False: nothing was done but to look at a WAIT. */
bool hsl_queue_run(struct hsl_queue_engine *q, struct hsl_worker *w, unsigned int commands);
void hsl_queue_complete(struct hsl_queue_engine *q, uint32_t status, uint64_t fault_ga);
void hsl_queue_doorbell(struct hsl_queue_engine *q, uint32_t tail);
void hsl_queue_arm_at(struct hsl_queue_engine *q, uint32_t consumed);
/* The time of an interrupt held back is over. */
void hsl_queue_moderated(struct hsl_queue_engine *q, uint64_t armed);
/* No worker runs it: end what is submitted, keep the queue. */
void hsl_queue_abort_all(struct hsl_queue_engine *q);
/* What is the next descriptor now: it has not been taken yet and may change. False: there is none. */
bool hsl_queue_next(struct hsl_queue_engine *q, struct hsl_desc *d);
/* A chip that deviates looks at the descriptor of its command again. */
void hsl_queue_reread(struct hsl_queue_engine *q);
/* May its rings be touched? To the end of the section, if so. */
bool hsl_queue_live(struct hsl_queue_engine *q);
/* Has the queue something to do? Of who has it in hand. */
bool hsl_queue_pending(struct hsl_queue_engine *q);
/* Look at a live queue's shadow tail until it moves, so many times at most. */
bool hsl_queue_watch(struct hsl_queue_engine *q, unsigned int looks);
/* Nobody will look at its shadow tail: ask for doorbells. False: something came meanwhile. */
bool hsl_queue_sleep(struct hsl_queue_engine *q);

/* tables.c; inside a section or with ctl_lock held */
bool hsl_dma_read(struct hsl_chip_engine *c, uint64_t iova, void *buf, uint64_t len);
/* OK, CONTEXT, or SEGMENT when its directory cannot be read; *out is good with OK only. */
uint32_t hsl_ctx_get(struct hsl_chip_engine *c, uint32_t index, struct hsl_ctx **out);
struct hsl_seg *hsl_seg_find(struct hsl_ctx *ctx, uint64_t ga);
/* What was cached, for freeing after a synchronize; NULL if nothing was. */
struct hsl_ctx *hsl_ctx_drop(struct hsl_chip_engine *c, uint32_t index);
void hsl_ctx_free(struct hsl_ctx *ctx);
struct hsl_stale { struct hsl_seg_array *array; struct hsl_seg *seg; };
struct hsl_stale hsl_seg_reload(struct hsl_chip_engine *c, uint32_t index, uint32_t handle);
void hsl_stale_free(struct hsl_stale s);
/* Ask a segment's home about reading (write=false) or writing; HSL_ST_OK when bytes [0, end) of it are granted. */
uint32_t hsl_seg_authorise(struct hsl_chip_engine *c, struct hsl_worker *w, uint32_t ctx_index,
                           struct hsl_ctx *ctx, struct hsl_seg *s, bool write, uint64_t end);

/* deviate.c: what a chip that deviates does instead, or beside; user queues only */
struct hsl_operand;
/* A fresh descriptor. True: it ends with *status. */
bool hsl_deviant_descriptor(struct hsl_queue_engine *q, uint32_t *status) __attribute__((cold));
/* Its checks are over; now is what the ring says by now. */
void hsl_deviant_reread(struct hsl_queue_engine *q, const struct hsl_desc *now);
/* A piece of a command that moves bytes writes [host, host + len), off bytes into dst. */
void hsl_deviant_before_move(struct hsl_queue_engine *q, const struct hsl_operand *dst, const uint8_t *host, uint64_t len);
void hsl_deviant_after_move(struct hsl_queue_engine *q, const struct hsl_operand *dst, uint64_t off, uint8_t *host,
                            uint64_t len);
void hsl_deviant_reduce(struct hsl_queue_engine *q, unsigned int op, unsigned int type, void *dst, const void *src,
                        uint64_t n, bool backward);
/* The result of an ATOMIC or SIGNAL that has been done. */
uint64_t hsl_deviant_atomic(struct hsl_queue_engine *q, void *host, uint64_t old);
void hsl_deviant_pause(void);
/* Another command of the chip keeps the queue from its own. */
bool hsl_deviant_holds(struct hsl_queue_engine *q);
/* The command of q ends; writes: it has a completion. Has it? */
bool hsl_deviant_complete(struct hsl_queue_engine *q, uint32_t status, uint64_t fault_ga, bool writes)
    __attribute__((cold));
/* All of e but its last 8 bytes has been written. */
void hsl_deviant_cqe(struct hsl_queue_engine *q, struct hsl_cqe *e, uint64_t *last) __attribute__((cold));
/* A completion beside that of the command. */
void hsl_cqe_write(struct hsl_queue_engine *q, uint64_t cookie, uint64_t result, uint64_t fault_ga, uint32_t status);

/* exec.c */
/* Check a fresh descriptor in q->cmd.d and begin it. OK and q->cmd.active: it goes on in another turn. */
uint32_t hsl_exec_start(struct hsl_queue_engine *q, struct hsl_worker *w, uint64_t *fault_ga);
/* Go on. OK and cmd.active false: finished. */
uint32_t hsl_exec_chunk(struct hsl_queue_engine *q, struct hsl_worker *w, uint64_t *fault_ga);

/* operand.c; inside a section, and good to its end */
struct hsl_operand {
    uint64_t ga;
    struct hsl_seg *seg;                /* NULL: the admin queue's own memory */
    struct hsl_chip_engine *home;       /* NULL: host memory */
};
struct hsl_span {
    void *host;
    uint64_t len;
    bool mapped;
};
/* Find [ga, ga + len) with rights HSL_SEG_READ | HSL_SEG_WRITE. A status other than OK sets *fault_ga. */
uint32_t hsl_operand_get(struct hsl_queue_engine *q, struct hsl_worker *w, uint64_t ga, uint64_t len, uint32_t rights,
                         struct hsl_operand *o, uint64_t *fault_ga);
/* A turn begins: what was found in the last one counts no more. */
static inline void hsl_operand_forget(struct hsl_queue_engine *q)
{
    q->found[0].seg = q->found[1].seg = NULL;
}
/*
 * Is the memory itself aligned to bytes, a power of two up to 4096? A GA of host memory that is may lie on memory that is not:
 * the page offset of its segment is the driver's. An aligned word is in one page.
 */
bool hsl_operand_aligned(const struct hsl_operand *o, uint64_t bytes);
/* Host memory from byte off of the operand on, at most want bytes. which: 0 dst, 1 src. False: no translation. */
bool hsl_span_get(struct hsl_queue_engine *q, unsigned int which, const struct hsl_operand *o, uint64_t off,
                  uint64_t want, bool write, struct hsl_span *s);
void hsl_span_put(struct hsl_queue_engine *q, struct hsl_span *s, bool write, uint64_t touched);
/* The whole operand, a word of len bytes, which is in one page if it is aligned. ALIGN or DMA, with the fault. */
uint32_t hsl_word_get(struct hsl_queue_engine *q, const struct hsl_operand *o, uint64_t len, bool write,
                      struct hsl_span *s, uint64_t *fault_ga);
/* To be told after each write to an operand: chip memory may hold code that the host has translated. */
void hsl_operand_written(const struct hsl_operand *o, uint64_t off, uint64_t len);

/*
 * len bytes from byte off of the operand on, to or from buf, wherever the memory is. One access if that is possible: len
 * 1, 2, 4 or 8, aligned. OK, DMA, POISON or UNREACHABLE, with the fault.
 */
uint32_t hsl_operand_bytes(struct hsl_queue_engine *q, unsigned int which, const struct hsl_operand *o, uint64_t off,
                           void *buf, uint64_t len, bool write, uint64_t *fault_ga);
static inline bool hsl_operand_modelled(const struct hsl_operand *o)
{
    return o->seg && o->seg->e.flags & HSL_SEG_MODELLED;
}

/* counters.c; where the chip has CAP.COUNTERS. o: byte offset in the block, a multiple of 8 */
uint64_t hsl_link_stat_word(struct hsl_chip_engine *c, uint32_t index, uint64_t o);
uint64_t hsl_node_stat_word(struct hsl_chip_engine *c, uint64_t o);

/* modelled.c; none but node and link may be called where the fabric has no modelled memory */
struct hsl_fab;
/* The model, to look at and to post to until leave, which takes what comes out. Waits for a turn. */
struct hsl_fab *hsl_modelled_enter(struct hsl_fabric_engine *f);
void hsl_modelled_leave(struct hsl_fabric_engine *f);
struct hsl_modelled;
/* -EINVAL: no such link leaves such a fabric. */
int hsl_modelled_init(struct hsl_fabric_engine *f, const struct hsl_remote_config *remote);
void hsl_modelled_free(struct hsl_fabric_engine *f);
/* Accesses of an agent, in any order, to their end; what status each has. */
void hsl_modelled_run(struct hsl_fabric_engine *f, uint16_t agent, struct hsl_access *x, uint32_t n);
#define HSL_MODELLED_WRITE          1u
#define HSL_MODELLED_NONCOHERENT    2u
#define HSL_MODELLED_HASTY          4u          /* a chip that deviates: it does not wait for the last one */
uint32_t hsl_modelled_bytes(struct hsl_fabric_engine *f, uint16_t agent, uint64_t ga, void *buf, uint64_t len,
                            unsigned int flags, uint64_t *fault_ga);
/* A chip has been attached; NULL: it is gone. */
void hsl_modelled_node(struct hsl_fabric_engine *f, uint32_t node, struct hsl_chip_engine *c);
/* Of a chip that was attached, for what the modelled fabric does on its behalf. */
void hsl_modelled_deviate(struct hsl_fabric_engine *f, uint32_t node, uint32_t deviation);
/* The time that accesses took since the last call, ps. */
uint64_t hsl_modelled_took(struct hsl_fabric_engine *f);
void hsl_modelled_link(struct hsl_fabric_engine *f, uint32_t a, uint32_t b, bool up);
/* FLR: it has no fatal error any more. */
void hsl_modelled_heal(struct hsl_chip_engine *c);
/* The capture from now on, NULL: none; it is this file's to end. */
struct hsl_capture;
void hsl_modelled_capture(struct hsl_fabric_engine *f, struct hsl_capture *c);
/*
 * No cache has a line of [ga, ga + len) any more, if nobody uses them meanwhile. Not OK: what a cache had did not reach
 * memory. Outside of sections: it takes long.
 */
uint32_t hsl_modelled_flush(struct hsl_fabric_engine *f, uint64_t ga, uint64_t len);

/* capture.c; under the lock of the modelled fabric, but for end */
struct hsl_fab_record;
void hsl_capture_begin(struct hsl_capture *c, const struct hsl_fab *fab);
void hsl_capture_add(struct hsl_capture *c, const struct hsl_fab *fab, const struct hsl_fab_record *r);
/* Not 0: it is of no use any more. */
int hsl_capture_flush(struct hsl_capture *c);
/* Closes and frees it; tells of an error. */
void hsl_capture_end(struct hsl_capture *c);

/* facility.c: the compliance test facility; where the chip has no CAP.CTF it is not there. Any thread. */
struct hsl_facility *hsl_facility_new(void);
void hsl_facility_free(struct hsl_facility *t);
bool hsl_facility_at(const struct hsl_chip_engine *c, uint64_t off);
/* The 64-bit word at an 8-byte aligned offset of BAR0. */
uint64_t hsl_facility_word(struct hsl_chip_engine *c, uint64_t off);
void hsl_facility_write(struct hsl_chip_engine *c, uint64_t off, uint64_t val, unsigned int size);
/* Leave test mode. ctl_lock held. */
void hsl_facility_end(struct hsl_chip_engine *c);
/* An end of the chip has sent, received or become something. Under the lock of the modelled fabric. */
void hsl_facility_record(struct hsl_chip_engine *c, const struct hsl_fab_record *r);
/*
 * From outside of the chip, whatever mode it is in, one of WIRE, ARM, STATE, LANE, POISON, FATAL: at node a's end of its link to
 * b, with chip c at a, NULL if that is a switch. Between hsl_modelled_enter and leave. Fatal: hsl_chip_event is due
 * afterwards. After a change of state: hsl_facility_sync, with ctl_lock.
 */
uint32_t hsl_facility_give(struct hsl_fabric_engine *f, struct hsl_chip_engine *c, uint32_t a, uint32_t b, uint32_t cmd,
                           const uint64_t arg[3], bool *fatal);
void hsl_facility_sync(struct hsl_fabric_engine *f, uint32_t a, uint32_t b);

/* move.c */
uint32_t hsl_move_start(struct hsl_queue_engine *q, struct hsl_worker *w, uint64_t *fault_ga);
uint32_t hsl_move_chunk(struct hsl_queue_engine *q, struct hsl_worker *w, uint64_t *fault_ga);

/* reduce.c */
unsigned int hsl_reduce_bytes(unsigned int type);
/* dst[i] = dst[i] op src[i], aligned to the element; backward: from the last one. */
void hsl_reduce_run(unsigned int op, unsigned int type, void *dst, const void *src, uint64_t n, bool backward);

/* ops.c: done at once */
uint32_t hsl_ops_atomic(struct hsl_queue_engine *q, struct hsl_worker *w, uint64_t *fault_ga);
uint32_t hsl_ops_load_store(struct hsl_queue_engine *q, struct hsl_worker *w, uint64_t *fault_ga);

/* driven.c: modelled time */
static inline bool hsl_driven(const struct hsl_fabric_engine *f)
{
    return f->cfg.now_ps;
}
/* The command has ended; it takes longer than it has had. */
bool hsl_driven_late(struct hsl_queue_engine *q, uint32_t status, uint64_t fault_ga);
/* run_lock held: out of the list of what is due. */
void hsl_driven_forget(struct hsl_queue_engine *q);

/* share.c: what streams share, in modelled time */
struct hsl_share_way {
    uint32_t n, part[3 * (HSL_WAY_MAX + 1)];
};
bool hsl_share_init(struct hsl_fabric_engine *f);
void hsl_share_free(struct hsl_fabric_engine *f);
/* The way of bytes from, or to, memory of a home by a command of chip node, behind what *w has. Home 0: the chip's host. */
void hsl_share_read(struct hsl_fabric_engine *f, uint32_t node, uint32_t home, struct hsl_share_way *w);
void hsl_share_write(struct hsl_fabric_engine *f, uint32_t node, uint32_t home, struct hsl_share_way *w);
/* ps of all of the way, from from_ps on or later. When that ends. */
uint64_t hsl_share_take(struct hsl_fabric_engine *f, const struct hsl_share_way *w, uint64_t from_ps, uint64_t ps);

/* wait.c */
uint64_t hsl_now_ns(struct hsl_fabric_engine *f);
bool hsl_tick_due(struct hsl_fabric_engine *f);
void hsl_tick(struct hsl_fabric_engine *f);
/* run_lock held. False: somebody has written since the look, look again. */
bool hsl_wait_park(struct hsl_queue_engine *q);
void hsl_wait_unpark(struct hsl_queue_engine *q);
/* Raise the interrupt of an armed queue at until_ns if it was not due before. */
void hsl_moderate_hold(struct hsl_queue_engine *q, uint64_t armed, uint64_t until_ns);
/* Forget that time. */
void hsl_moderate_release(struct hsl_queue_engine *q);
/* Out of all lists of this file. */
void hsl_timed_forget(struct hsl_queue_engine *q);
/* Look again at the WAITs of a context whose tables have changed; the caller synchronizes after. */
void hsl_wait_flush(struct hsl_chip_engine *c, struct hsl_worker *w, uint32_t ctx);
uint32_t hsl_exec_wait(struct hsl_queue_engine *q, struct hsl_worker *w, uint64_t *fault_ga);
/* Somebody has written the bytes at ga. */
void hsl_wait_wake(struct hsl_fabric_engine *f, uint64_t ga);

/* sensor.c */
void hsl_sensor_init(struct hsl_chip_engine *c);
uint32_t hsl_sensor_get(struct hsl_chip_engine *c, uint64_t off);
/* In a section: a turn of a chip's queue was made. */
void hsl_sensor_turn(struct hsl_worker *w, struct hsl_chip_engine *c);
/* In a section: no turn follows for now. */
void hsl_sensor_rest(struct hsl_worker *w);

/* admin.c: opcodes of the admin queue but NOP, COPY and FILL */
uint32_t hsl_admin_exec(struct hsl_queue_engine *q, struct hsl_worker *w, uint64_t *fault_ga);

#endif
