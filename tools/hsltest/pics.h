/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The form of docs/hep.md section 14.2, filled in (pics.c). */
#ifndef HSLTEST_PICS_H
#define HSLTEST_PICS_H

#include "run.h"

/* A maker's answers, JSON: {"P3": ["Base", "Link"], "C2": true, "X1": "10 ms"}. TOOL_PASS, or said on stderr why not. */
int ht_pics_read(const char *path, struct json_object **answers);
/* "pics" of the document. answers, results: may be NULL, as ht_report has them. */
struct json_object *ht_pics_json(const struct ht_report *rep);
/* Items of which two say different things. */
unsigned int ht_pics_contradictions(struct json_object *pics);

#endif
