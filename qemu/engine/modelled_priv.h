/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Inside of modelled.c, which opens with its theory, for it, facility.c and remote.c. */
#ifndef HSL_MODELLED_PRIV_H
#define HSL_MODELLED_PRIV_H

#include "engine_priv.h"
#include "model/fab.h"

#define TAP_CAPTURE     0u      /* into a file */
#define TAP_CTF         1u      /* of testers, each of the ends of his chip */

/* What a chip knows of an end of a link. */
struct told {
    bool up;
    uint32_t width, rate_mtps;
};

struct batch;
struct hsl_remote;

struct hsl_modelled {
    pthread_mutex_t lock, turn;
    uint32_t nodes;
    struct hsl_chip_engine **chip;      /* by node, NULL: absent */
    uint8_t **poisoned;         /* by node: a bit for each line, NULL: none is */
    uint32_t batches;           /* counts them: half of a cookie */
    uint64_t took_ps;           /* of batches, until somebody asks */
    uint32_t frozen;            /* ends of links that keep credit back */
    struct hsl_fab *fab;
    struct told *told;          /* by number of the end */
    uint64_t changed;           /* chips, bit node - 1, that are to be told */
    struct hsl_capture *capture;        /* NULL: none */
    struct batch *batch;        /* under way, NULL: none */
    struct hsl_remote *remote;  /* NULL: no link leaves the fabric */
};

/* remote.c. All but new, start and free between hsl_modelled_enter and leave. */
int hsl_remote_new(struct hsl_modelled *m, const struct hsl_fab_cfg *cfg, const struct hsl_remote_config *remote);
void hsl_remote_free(struct hsl_remote *r);
int hsl_remote_start(struct hsl_fabric_engine *f, unsigned int wait_ms);
void hsl_remote_enter(struct hsl_remote *r);
void hsl_remote_leave(struct hsl_remote *r);
bool hsl_remote_step(struct hsl_remote *r, uint64_t end_ps);
bool hsl_remote_connected(const struct hsl_remote *r);
void hsl_modelled_take(struct hsl_modelled *m);

/* Between hsl_modelled_enter and leave. */
int hsl_modelled_post(struct hsl_modelled *m, const struct hsl_fab_in *in);
/* One event, if there is one up to this time. */
bool hsl_modelled_step(struct hsl_modelled *m, uint64_t end_ps);
bool hsl_modelled_poisoned(struct hsl_modelled *m, uint32_t node, uint64_t offset);
void hsl_modelled_poison(struct hsl_modelled *m, uint32_t node, uint64_t offset, bool poison);

#endif
