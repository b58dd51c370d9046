/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Files that describe a fabric: a link profile, a topology or both (docs/fabric-files.md). Takes
 * text, opens nothing.
 */
#ifndef HSL_MODEL_CONF_H
#define HSL_MODEL_CONF_H

#include "model.h"

#define HSL_CONF_BYTES_MAX (256u << 10)

struct hsl_conf {
    bool has_profile, has_topology;
    struct hsl_profile profile;
    char topology[16];          /* its name */
    uint32_t chips, switches, nlinks;
    struct hsl_topo_link links[HSL_MODEL_FILE_LINKS_MAX];
};

/* 0, or -EINVAL and one English sentence with the number of the line in why. */
int hsl_conf_parse(struct hsl_conf *c, const char *text, size_t len, char *why, size_t why_len);
/*
 * The topology of c in a configuration of the model, which refers to c until hsl_model_init, or an
 * engine's start, is over.
 */
void hsl_conf_topology(const struct hsl_conf *c, struct hsl_model_config *cfg);

#endif
