// SPDX-License-Identifier: MIT OR Apache-2.0
/* Power and temperature of a chip: heat.h has the theory. */
#include <math.h>

#include "model/heat.h"

#define IDLE_W          25.0
#define COMMAND_J       20e-9
#define BYTE_J          100e-12
#define POWER_S         0.1
#define BODY_S          2.0
#define KELVIN_PER_W    0.8
#define RELEASE_MC      90000

static int32_t temp_mc(const struct hsl_heat *h)
{
    return (int32_t)lround(fmin(h->celsius * 1000, INT32_MAX));
}

static void move_to(struct hsl_heat *h, uint64_t now_ns)
{
    double s = now_ns > h->at_ns ? (double)(now_ns - h->at_ns) / 1e9 : 0;
    double idle = h->ambient + KELVIN_PER_W * IDLE_W;

    h->watts *= exp(-s / POWER_S);
    h->celsius = idle + (h->celsius - idle) * exp(-s / BODY_S);
    h->at_ns = now_ns > h->at_ns ? now_ns : h->at_ns;
    h->throttled = temp_mc(h) >= (h->throttled ? RELEASE_MC : HSL_HEAT_MAX_MC);
}

void hsl_heat_init(struct hsl_heat *h, uint64_t now_ns, int ambient)
{
    *h = (struct hsl_heat){ .at_ns = now_ns, .ambient = ambient, .celsius = ambient + KELVIN_PER_W * IDLE_W };
    move_to(h, now_ns);
}

void hsl_heat_add(struct hsl_heat *h, uint64_t now_ns, uint64_t commands, uint64_t bytes)
{
    double joule = (double)commands * COMMAND_J + (double)bytes * BYTE_J;

    move_to(h, now_ns);
    h->watts += joule / POWER_S;
    h->celsius += KELVIN_PER_W * joule / BODY_S;
    move_to(h, now_ns);
}

void hsl_heat_ambient(struct hsl_heat *h, uint64_t now_ns, int ambient)
{
    move_to(h, now_ns);
    h->ambient = ambient;
}

struct hsl_heat_sensors hsl_heat_read(const struct hsl_heat *h, uint64_t now_ns)
{
    struct hsl_heat now = *h;

    move_to(&now, now_ns);
    return (struct hsl_heat_sensors){
        .temp_mc = temp_mc(&now),
        .power_mw = (uint32_t)llround(fmin((IDLE_W + now.watts) * 1000, UINT32_MAX)),
        .throttled = now.throttled,
        .critical = temp_mc(&now) >= HSL_HEAT_CRIT_MC,
    };
}
