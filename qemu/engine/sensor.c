// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Sensors (docs/hep.md section 10.3): what queues have done goes into the chip's heat (model/heat.h).
 *
 * Queues count their commands and bytes anyway. What is new in these counts is added to the heat now and then: by whoever
 * runs queues, every TURNS turns and before he rests, for each chip that he has worked for since; and by whoever reads a
 * sensor. So a turn costs next to nothing more, however many chips take turns, and its energy comes at most TURNS turns late.
 */
#include <errno.h>

#include "engine_priv.h"

#define TURNS   64u

static void sample(struct hsl_chip_engine *c, struct hsl_heat_sensors *out)
{
    uint64_t commands = 0, bytes = 0, now;

    pthread_mutex_lock(&c->heat_lock);
    for (uint32_t i = 0; i < c->cfg.nqueues; i++) {
        commands += atomic_load_explicit(&c->queue[i].n_commands, memory_order_relaxed);
        bytes += atomic_load_explicit(&c->queue[i].n_bytes, memory_order_relaxed);
    }
    now = hsl_now_ns(c->f);
    if (commands != c->heat_commands || bytes != c->heat_bytes) {
        hsl_heat_add(&c->heat, now, commands - c->heat_commands, bytes - c->heat_bytes);
        c->heat_commands = commands;
        c->heat_bytes = bytes;
    }
    if (out) {
        *out = hsl_heat_read(&c->heat, now);
    }
    pthread_mutex_unlock(&c->heat_lock);
}

void hsl_sensor_init(struct hsl_chip_engine *c)
{
    hsl_heat_init(&c->heat, hsl_now_ns(c->f), HSL_HEAT_AMBIENT + c->cfg.ambient_off);
}

void hsl_sensor_turn(struct hsl_worker *w, struct hsl_chip_engine *c)
{
    w->warm |= UINT64_C(1) << (c->cfg.node - 1) % 64;
    if (!(++w->turns % TURNS)) {
        hsl_sensor_rest(w);
    }
}

void hsl_sensor_rest(struct hsl_worker *w)
{
    for (; w->warm; w->warm &= w->warm - 1) {
        uint32_t node = (uint32_t)__builtin_ctzll(w->warm) + 1;

        for (; node <= w->f->cfg.model.nodes; node += 64) {
            struct hsl_chip_engine *c = hsl_chip_at(w->f, node);

            if (c) {
                sample(c, NULL);
            }
        }
    }
}

uint32_t hsl_sensor_get(struct hsl_chip_engine *c, uint64_t off)
{
    struct hsl_heat_sensors s;

    if (!(c->cap & HSL_CAP_SENSORS) && !hsl_deviates(c, HSL_DEV_SENSORS_UNCLAIMED)) {
        return 0;
    }
    sample(c, &s);
    switch (off) {
    case HSL_REG_TEMP: return (uint32_t)s.temp_mc;
    case HSL_REG_TEMP_MAX: return HSL_HEAT_MAX_MC;
    case HSL_REG_TEMP_CRIT: return HSL_HEAT_CRIT_MC;
    case HSL_REG_POWER: return s.power_mw;
    default:
        return (s.throttled ? HSL_THERMAL_THROTTLED : 0) |
               (s.critical || hsl_deviates(c, HSL_DEV_SENSOR_CRITICAL) ? HSL_THERMAL_CRITICAL : 0);
    }
}

int hsl_chip_set_ambient(struct hsl_chip_engine *c, int celsius)
{
    if (!hsl_heat_bears(celsius)) {
        return -EINVAL;
    }
    sample(c, NULL);
    pthread_mutex_lock(&c->heat_lock);
    hsl_heat_ambient(&c->heat, hsl_now_ns(c->f), celsius);
    pthread_mutex_unlock(&c->heat_lock);
    return 0;
}
