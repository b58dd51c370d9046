/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include <stdarg.h>
#include <stdlib.h>

#include "markup.h"

void markup_text(FILE *out, const char *s)
{
	for (; *s; s++) {
		switch (*s) {
		case '<': fputs("&lt;", out); break;
		case '>': fputs("&gt;", out); break;
		case '&': fputs("&amp;", out); break;
		case '"': fputs("&quot;", out); break;
		default: fputc((unsigned char)*s < 0x20 && *s != '\n' && *s != '\t' ? '?' : *s, out); break;
		}
	}
}

void markup(FILE *out, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	for (; *fmt; fmt++) {
		if (*fmt != '%') {
			fputc(*fmt, out);
			continue;
		}
		switch (*++fmt) {
		case 's': markup_text(out, va_arg(ap, const char *)); break;
		case 'u': fprintf(out, "%u", va_arg(ap, unsigned int)); break;
		case '%': fputc('%', out); break;
		default: abort(); /* a bug of the caller */
		}
	}
	va_end(ap);
}
