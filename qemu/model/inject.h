/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Errors on purpose, in words: what 'hslctl inject' and property inject of QEMU's hsl-fabric take. Words become
 * commands of the compliance test facility (hsl/ctf.h), who gives them is another matter.
 */
#ifndef HSL_MODEL_INJECT_H
#define HSL_MODEL_INJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One command. */
struct hsl_inject {
    const char *what;           /* its word */
    char text[96];              /* for people, behind the word */
    uint32_t cmd;               /* HSL_CTF_CMD_* */
    uint64_t arg[3];
    uint32_t home;              /* node of the memory that it is about, or 0 */
    bool no_link;               /* it is about memory, or the chip as a whole */
    bool lasts;                 /* until it is ended */
    uint8_t turn;               /* they are given by this, then as the words were */
};

#define HSL_INJECT_MAX 32u
struct hsl_inject_plan {
    struct hsl_inject step[HSL_INJECT_MAX];     /* in the order in which they are to be given */
    unsigned int n;
    bool clear;                 /* the word was clear; n is 0 */
};

/* 0, or -EINVAL and what is wrong in why, for people: "ber: a probability …". */
int hsl_inject_parse(struct hsl_inject_plan *p, char *const *words, unsigned int n, char *why, size_t why_len);
/* Does the plan have something about a link? */
bool hsl_inject_needs_link(const struct hsl_inject_plan *p);

#endif
