/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The table of deviations.def, to look names up. */
#include <stdio.h>
#include <string.h>

#include "deviate.h"

static const struct hsl_deviation_info table[HSL_DEVIATIONS] = {
#define HSL_DEVIATION(id, name, requirement, what) [HSL_DEV_##id] = { name, requirement, what },
#include "deviations.def"
#undef HSL_DEVIATION
};

const struct hsl_deviation_info *hsl_deviation_info(uint32_t deviation)
{
    return deviation > HSL_DEV_NONE && deviation < HSL_DEVIATIONS ? &table[deviation] : NULL;
}

uint32_t hsl_deviation_find(const char *name)
{
    for (uint32_t i = HSL_DEV_NONE + 1; i < HSL_DEVIATIONS; i++) {
        if (!strcmp(table[i].name, name)) {
            return i;
        }
    }
    return HSL_DEV_NONE;
}

const char *hsl_deviation_tell(uint32_t deviation, char *buf, size_t len)
{
    const struct hsl_deviation_info *d = hsl_deviation_info(deviation);

    snprintf(buf, len, "deliberately wrong: %s (%s): %s", d ? d->name : "?", d ? d->requirement : "?",
             d ? d->what : "?");
    return buf;
}
