/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The engine: register file, queues, tables, checks and data movement of emulated chips, and the fabric that
 * joins them. It hosts the protocol model. No QEMU headers: the same code runs inside QEMU, inside libhsl (sim:)
 * and in tests. Its host gives it memory and interrupts through struct hsl_chip_ops.
 *
 * Life of a command: doorbell → a worker takes the descriptor (read once) → operands are checked against the
 * queue's context in this chip's tables (requester check) → the home node of each operand is asked through the
 * model with context, key and epoch, once per entry, the answer is remembered until an invalidation (home check)
 * → the data moves in chunks of at most 64 KiB, each of which re-checks that both answers still hold → completion,
 * status last → MSI-X if armed.
 *
 * Threads. Workers are the fabric's, sized to spare cores; they poll for a while after work and then sleep. A
 * queue is run by one worker at a time. All functions below may be called from any host thread, except as
 * noted. hsl_chip_reset and hsl_chip_detach return only when no worker touches the chip's memory, rings or
 * tables, on behalf of this chip or any other. They never wait for more than one chunk per worker.
 */
#ifndef HSL_ENGINE_H
#define HSL_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hsl/proto.h"
#include "model/deviate.h"
#include "model/heat.h"
#include "model/model.h"

struct hsl_fabric_engine;
struct hsl_chip_engine;

/*
 * The link from node a to node b leaves the fabric (docs/flit-socket.md): b and what is behind it are chips of another
 * program, at a UNIX socket, and no chip may be made there. The link must be the only way to it.
 */
struct hsl_remote_config {
    uint32_t a, b;
    uint64_t open_bytes;                /* [0, open_bytes) of each chip here may be accessed from there */
    const char *path;
    bool listen;                        /* else connect */
    unsigned int patience_ms;           /* 0: 5000; how long a peer may be silent when it is waited for */
    /* optional: one line without newline when a peer has come, or is gone; any thread, with locks held */
    void (*say)(void *opaque, bool there, const char *text);
    void *opaque;
};

/* "A-B:listen:PATH" or "A-B:connect:PATH" into a, b, listen and path, which is the end of text. False: it is neither. */
bool hsl_remote_parse(struct hsl_remote_config *r, const char *text);

struct hsl_fabric_engine_config {
    struct hsl_model_config model;
    const struct hsl_remote_config *remote;     /* NULL: no link leaves it; for the call only */
    uint64_t fabric_id[2];
    unsigned int workers;               /* 0 = cores - 1, at least 1, at most 8; none in modelled time */
    unsigned int spin_iterations;       /* 0 = 20000: empty polls before a worker sleeps */
    unsigned int home_requests;         /* modelled: that a home has room for, 2 to 65536; 0 = 32 */
    /* chips have CAP.MODELLED, if the modelled fabric can be built: hsl_fab_check. If not: an error with remote or home_requests */
    bool modelled;
    /* optional: called in each thread of the engine at its start and end (QEMU: rcu_register_thread) */
    void (*thread_start)(void *opaque);
    void (*thread_end)(void *opaque);
    /*
     * Modelled time, if now_ps is not NULL: the clock of commands, WAITs and moderation. The engine has no threads then.
     * `due`, called from within any other function, asks the host for hsl_fabric_engine_run, soon and not from in there.
     */
    uint64_t (*now_ps)(void *opaque);
    void (*due)(void *opaque);
    void *opaque;
};

/* NULL: *err is one English sentence, static storage, and errno says EINVAL, ENOMEM or what the flit socket's path has met. */
struct hsl_fabric_engine *hsl_fabric_engine_new(const struct hsl_fabric_engine_config *cfg, const char **err);
/*
 * Modelled time only, as all that the next function says. Does what is due at now_ps and returns when something is again,
 * UINT64_MAX: not before `due` is called. The host calls all functions of a fabric from one thread at a time.
 */
uint64_t hsl_fabric_engine_run(struct hsl_fabric_engine *f);
/* What the modelled fabric says that the last access of hsl_chip_window_read or _write took. */
uint64_t hsl_fabric_engine_took_ps(struct hsl_fabric_engine *f);
/*
 * With cfg.remote, once the chips here have been made: who connects waits for the other program for so long and returns
 * when the link has trained or will not; who listens returns at once. -errno, see hsl_flit_socket_new and _meet.
 */
int hsl_fabric_engine_meet(struct hsl_fabric_engine *f, unsigned int wait_ms);
/* The chips are detached next and the fabric is freed: its thread waits for no peer any more, as they want the locks. */
void hsl_fabric_engine_closing(struct hsl_fabric_engine *f);
/* Is the chip one of another program? */
bool hsl_fabric_engine_is_remote(struct hsl_fabric_engine *f, uint32_t node);
/* Every chip must have been freed. Joins the workers. The caller holds no lock that a callback takes. */
void hsl_fabric_engine_free(struct hsl_fabric_engine *f);

/*
 * What the host of a chip provides. Called from worker threads and from callers of mmio_write.
 * dma_map: contiguous host memory at an IOVA. *len in: wanted, out: mapped (>= 1, may be less). NULL when the IOVA
 * does not translate to RAM with that access. Every map is undone by dma_unmap with the same length; `touched` bytes
 * were written (for dirty tracking).
 */
struct hsl_chip_ops {
    void *(*dma_map)(void *opaque, uint64_t iova, uint64_t *len, bool write);
    void (*dma_unmap)(void *opaque, void *host, uint64_t len, bool write, uint64_t touched);
    /* chip memory [off, off+len) was written by the engine, perhaps on behalf of another chip (dirty tracking, translated code); may be NULL */
    void (*mem_written)(void *opaque, uint64_t off, uint64_t len);
    /* raise MSI-X vector */
    void (*interrupt)(void *opaque, unsigned int vector);
    /* BAR4 window i now maps [offset, offset+size) of node's memory, which the host finds itself, or nothing (ctrl 0). ctrl
     * with HSL_WIN_CTRL_MODELLED: loads and stores go to hsl_chip_window_read and _write. Called only from mmio_write,
     * reset and detach, in the caller's thread. May be NULL: no windows. Returns an HSL_ST_* status. */
    unsigned int (*window)(void *opaque, unsigned int i, uint32_t ctrl, uint32_t node, uint64_t offset, uint64_t size);
    /* the guest did something the profile forbids: one line without newline */
    void (*guest_error)(void *opaque, const char *msg);
    /* optional trace point: a command finished */
    void (*trace_complete)(void *opaque, unsigned int qid, unsigned int opcode, uint64_t cookie, unsigned int status);
};

struct hsl_chip_engine_config {
    uint32_t node;                      /* 1..model.nodes, not in use */
    void *mem;                          /* chip memory, owned by the host, stays valid until chip_free returns */
    uint64_t mem_bytes;                 /* multiple of 64 KiB */
    uint32_t nqueues;                   /* 2..256 with the admin queue */
    uint32_t nvectors;                  /* 1..2048 */
    uint32_t max_depth;                 /* power of two, 2..65536; 0 = 4096 */
    uint32_t ncontexts;                 /* 0 = 1024 */
    uint32_t nwindows;                  /* 0..HSL_WIN_MAX */
    uint32_t win_stride_log2;
    uint64_t max_len;                   /* 0 = 1 GiB */
    uint32_t hep_version;               /* that it says it has; 0 = HSL_HEP_VERSION */
    uint64_t cap_clear;                 /* HSL_CAP_* bits to hide */
    int ambient_off;                    /* by how many degrees it is warmer around it than HSL_HEAT_AMBIENT */
    uint32_t deviation;                 /* enum hsl_deviation: deliberately wrong, for tests of tests */
    const struct hsl_chip_ops *ops;
    void *opaque;
};

struct hsl_chip_engine *hsl_chip_engine_new(struct hsl_fabric_engine *f, const struct hsl_chip_engine_config *cfg,
                                            const char **err);
/* Detaches if attached, then frees. */
void hsl_chip_engine_free(struct hsl_chip_engine *c);
/*
 * BAR0 access, size 1, 2, 4 or 8 bytes, off < bar0 size. MSI-X table space is the host's. Quick, except CTRL and
 * window writes, which may wait for one chunk per worker.
 */
uint64_t hsl_chip_mmio_read(struct hsl_chip_engine *c, uint64_t off, unsigned int size);
void hsl_chip_mmio_write(struct hsl_chip_engine *c, uint64_t off, uint64_t val, unsigned int size);
/*
 * A load or store of 1, 2, 4 or 8 bytes, at any alignment, in an active modelled window. Not while the chip is being
 * detached. Takes as long as its packets do.
 */
uint64_t hsl_chip_window_read(struct hsl_chip_engine *c, unsigned int i, uint64_t off, unsigned int size);
void hsl_chip_window_write(struct hsl_chip_engine *c, unsigned int i, uint64_t off, uint64_t val, unsigned int size);
/* Power of two that holds registers and all doorbell pages. */
uint64_t hsl_chip_bar0_bytes(const struct hsl_chip_engine *c);
/*
 * FLR and CTRL.RESET: queues are dropped without completions, tables and windows forgotten, registers at their
 * defaults, memory kept. Commands of other chips that touch this one complete with HSL_ST_UNREACHABLE meanwhile
 * or HSL_ST_REVOKED.
 */
void hsl_chip_reset(struct hsl_chip_engine *c);
/* Unplug: reset, and the node is absent for everyone from now on. Idempotent. */
void hsl_chip_detach(struct hsl_chip_engine *c);
/* Bus mastering off (PCI command register): no DMA and no interrupts until on again; commands wait. */
void hsl_chip_set_dma(struct hsl_chip_engine *c, bool enabled);
/* How warm it is around the chip, HSL_HEAT_AMBIENT_MIN to _MAX degrees Celsius. The chip follows slowly. -EINVAL outside of that. */
int hsl_chip_set_ambient(struct hsl_chip_engine *c, int celsius);
/* Link between two nodes up or down (tests, monitor). -EINVAL no such link. */
int hsl_fabric_engine_set_link(struct hsl_fabric_engine *f, uint32_t a, uint32_t b, bool up);
/*
 * Errors on purpose, in the words of hslctl inject, at one end of a link or in a chip:
 *   "1-2 ber 1e-6 seed 7"      in what node 1 sends to node 2; a node may be a switch
 *   "1-2 clear"                ends them, and lanes work again; a link that is down needs "1-2 link up"
 *   "2 fatal", "poison 0x2000000001000"
 * All of it or, with -EINVAL and one English line in why, nothing. It lasts until it is ended, or until a tester who uses the
 * facility of that chip leaves test mode. Any thread, with no lock of the engine.
 */
int hsl_fabric_engine_inject(struct hsl_fabric_engine *f, const char *text, char *why, size_t why_len);
/*
 * Everything that links carry from now on goes into a pcapng file (docs/capture.md), instead of one that was; path NULL:
 * into none. -EOPNOTSUPP: the fabric has no modelled memory; -errno of opening it. failed: called once, from any thread,
 * when the file cannot be written any more, which ends the capture.
 */
int hsl_fabric_engine_capture(struct hsl_fabric_engine *f, const char *path, void (*failed)(void *opaque, int err),
                              void *opaque);
/* Link `index` of a node, switches included, as it is; -EINVAL there is none. Any thread, with no lock of the engine. */
int hsl_fabric_engine_link(struct hsl_fabric_engine *f, uint32_t node, uint32_t index, struct hsl_model_link *out);

struct hsl_chip_stats { uint64_t commands, errors, bytes, auth_requests, interrupts; };
void hsl_chip_stats(struct hsl_chip_engine *c, struct hsl_chip_stats *out);

/* For the host's window callback and for tests: memory of a present node, NULL if absent. */
void *hsl_fabric_engine_mem(struct hsl_fabric_engine *f, uint32_t node, uint64_t *bytes);

#endif
