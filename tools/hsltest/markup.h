/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Text into XML and HTML (markup.c). */
#ifndef HSLTEST_MARKUP_H
#define HSLTEST_MARKUP_H

#include <stdio.h>

/* Escaped for content and for attributes in double quotes; control characters that XML forbids become '?'. */
void markup_text(FILE *out, const char *s);
/* printf whose arguments %s are escaped; no other conversion but %u and %%. */
void markup(FILE *out, const char *fmt, ...);

#endif
