/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the pages of html.c and html_diff.c share. */
#ifndef HSLTEST_HTML_H
#define HSLTEST_HTML_H

#include <stdio.h>

#include "run.h"

/* html_text.c: the text in another language; the text itself where there is none. */
const char *ht_tr(enum ht_lang lang, const char *english);

/* html.c */
void ht_html_head(FILE *f, enum ht_lang lang, const char *title);
void ht_html_foot(FILE *f, enum ht_lang lang, struct json_object *doc);
/* A verdict of a test, requirement or class as a coloured word. */
void ht_html_verdict(FILE *f, enum ht_lang lang, const char *verdict);

#endif
