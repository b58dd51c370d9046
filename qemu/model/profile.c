/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Link profiles: named inputs of the latency formula (time.c).
 *
 * All numbers are assumptions of this project, chosen near what is public about links of the class;
 * none was measured on a product. What they mean together is what the formula says.
 *
 *   default  x16 at 112 GT/s: 224 GB/s raw per direction. 40 ns for each crossing of a port, 2 m of
 *            cable at 5 ns/m, a switch in the middle of the 100 to 260 ns that switches of the
 *            class claim.
 *   gen2     the announced next step of the lane rate, everything else equal: what a faster lane
 *            alone buys.
 *   pcie5    x16 at 32 GT/s, for comparison. A link of the class is said to have about half the
 *            latency of PCIe; the port is set so that a 64-byte read over one link takes twice as
 *            long as with "default".
 */
#include <string.h>

#include "model_priv.h"

static const struct hsl_profile profiles[] = {
    { .name = "default", .lanes = 16, .rate_mtps = 112000, .port_ps = 40000, .cable_ps = 10000,
      .switch_ps = 150000, .home_ps = 20000, .dram_ps = 90000 },
    { .name = "gen2", .lanes = 16, .rate_mtps = 240000, .port_ps = 40000, .cable_ps = 10000,
      .switch_ps = 150000, .home_ps = 20000, .dram_ps = 90000 },
    { .name = "pcie5", .lanes = 16, .rate_mtps = 32000, .port_ps = 112000, .cable_ps = 10000,
      .switch_ps = 150000, .home_ps = 20000, .dram_ps = 90000 },
};

const struct hsl_profile *hsl_profile_find(const char *name)
{
    if (!name) {
        return NULL;
    }
    for (size_t i = 0; i < sizeof(profiles) / sizeof(profiles[0]); i++) {
        if (!strcmp(profiles[i].name, name)) {
            return &profiles[i];
        }
    }
    return NULL;
}

const char *hsl_profile_check(const struct hsl_profile *p)
{
    if (!memchr(p->name, 0, sizeof(p->name))) {
        return "the name of a link profile has at most 15 characters";
    }
    if (p->lanes < 1 || p->lanes > 64) {
        return "a link has 1 to 64 lanes";
    }
    if (!p->rate_mtps) {
        return "the lane rate of a link is not zero";
    }
    if (hsl_time_link_ps(p) > UINT32_MAX) {
        return "a link has a latency of at most 4.29 milliseconds";
    }
    return NULL;
}
