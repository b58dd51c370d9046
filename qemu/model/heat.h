/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Power and temperature of an emulated chip (docs/hep.md section 10.3). Inputs of the model, no measurements:
 *
 *   energy        20 nJ a command and 100 pJ a byte that it moved, when it completes
 *   power         25 W, and the energy of late: each share of it weighs exp(-age / 0.1 s) / 0.1 s
 *   temperature   goes to ambient + 0.8 K/W * power as a body does whose time constant is 2 s
 *   throttled     from 95 degrees on, until it is below 90; critical from 105 on
 *
 * Both are first-order, so a share of energy is a step that decays, and what is between two shares has a closed form: the
 * state is that of the last share, and reading it at a later time changes nothing. A chip that is made has been idle for long.
 */
#ifndef HSL_MODEL_HEAT_H
#define HSL_MODEL_HEAT_H

#include <stdbool.h>
#include <stdint.h>

#define HSL_HEAT_AMBIENT    25              /* degrees Celsius, unless configured */
#define HSL_HEAT_AMBIENT_MIN (-40)
#define HSL_HEAT_AMBIENT_MAX 125
#define HSL_HEAT_MAX_MC     95000
#define HSL_HEAT_CRIT_MC    105000

struct hsl_heat {
    uint64_t at_ns;
    int ambient;                            /* degrees Celsius */
    double watts;                           /* above idle */
    double celsius;
    bool throttled;
};

struct hsl_heat_sensors {
    int32_t temp_mc;                        /* 1/1000 degree Celsius */
    uint32_t power_mw;
    bool throttled, critical;
};

static inline bool hsl_heat_bears(int ambient)
{
    return ambient >= HSL_HEAT_AMBIENT_MIN && ambient <= HSL_HEAT_AMBIENT_MAX;
}

void hsl_heat_init(struct hsl_heat *h, uint64_t now_ns, int ambient);
/* Time does not go back; if it does, it stands still. */
void hsl_heat_add(struct hsl_heat *h, uint64_t now_ns, uint64_t commands, uint64_t bytes);
void hsl_heat_ambient(struct hsl_heat *h, uint64_t now_ns, int ambient);
struct hsl_heat_sensors hsl_heat_read(const struct hsl_heat *h, uint64_t now_ns);

#endif
