/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Aligned plain-text tables: ASCII, the same in a terminal and in a pipe, no colour. Columns carry their unit in a
 * second header line; numbers are right-aligned. Empty cells print as "-".
 *
 *	struct tool_table *t = tool_table_new("title");
 *	tool_table_column(t, "size", NULL, TOOL_RIGHT);
 *	tool_table_column(t, "bandwidth", "GB/s", TOOL_RIGHT);
 *	tool_table_row(t);
 *	tool_table_cell(t, "%s", "64 KiB");
 *	tool_table_cell(t, "%.2f", 12.5);
 *	tool_table_print(t, stdout);
 *	tool_table_free(t);
 */
#ifndef TOOL_TABLE_H
#define TOOL_TABLE_H

#include <stdio.h>

enum tool_align { TOOL_LEFT, TOOL_RIGHT };

struct tool_table;

struct tool_table *tool_table_new(const char *title);	/* title NULL: none. It may be a whole line. */
/* All columns come before the first row. unit NULL: none. */
void tool_table_column(struct tool_table *t, const char *name, const char *unit,
		       enum tool_align align);
void tool_table_row(struct tool_table *t);
/* An empty line between groups of rows. */
void tool_table_blank(struct tool_table *t);
/* The next cell of the row. fmt NULL: empty. A cell past the last column is a bug of the caller: abort(). */
void tool_table_cell(struct tool_table *t, const char *fmt, ...) __attribute__((format(printf, 2,
										       3)));
/* The rest of the row as running text, not aligned: why there is no number. */
void tool_table_text(struct tool_table *t, const char *fmt, ...) __attribute__((format(printf, 2,
										       3)));
/* A line under the table. */
void tool_table_note(struct tool_table *t, const char *fmt, ...) __attribute__((format(printf, 2,
										       3)));
unsigned int tool_table_rows(const struct tool_table *t);	/* blank ones too */
void tool_table_print(const struct tool_table *t, FILE *out);
void tool_table_free(struct tool_table *t);		/* NULL is fine */

#endif
