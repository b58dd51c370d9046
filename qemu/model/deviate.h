/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Deviations: ways in which an emulated chip can be told to be wrong, so that a test suite can be shown to notice
 * (tests/mutants/matrix). Each breaks one requirement of docs/hep.md as an implementer might; deviations.def lists them.
 *
 * A chip has one or none. Whoever asks pays one compare that is never equal, and asks where a path is cold if there is
 * a choice. A chip that deviates says so when it is made: hsl_deviation_tell.
 */
#ifndef HSL_MODEL_DEVIATE_H
#define HSL_MODEL_DEVIATE_H

#include <stddef.h>
#include <stdint.h>

enum hsl_deviation {
    HSL_DEV_NONE,
#define HSL_DEVIATION(id, name, requirement, what) HSL_DEV_##id,
#include "deviations.def"
#undef HSL_DEVIATION
    HSL_DEVIATIONS
};

struct hsl_deviation_info {
    const char *name, *requirement, *what;
};

/* 1 ... HSL_DEVIATIONS - 1; NULL: there is no such deviation. */
const struct hsl_deviation_info *hsl_deviation_info(uint32_t deviation);
/* HSL_DEV_NONE: no deviation has that name. */
uint32_t hsl_deviation_find(const char *name);
/* "deliberately wrong: NAME (HEP-...): WHAT"; returns buf. */
const char *hsl_deviation_tell(uint32_t deviation, char *buf, size_t len);

#endif
