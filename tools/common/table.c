// SPDX-License-Identifier: MIT OR Apache-2.0
#include <ctype.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "exit.h"
#include "table.h"

#define COLUMNS_MAX	24
#define GAP		2

struct row {
	char *cell[COLUMNS_MAX];
	unsigned int ncells;
	char *text;		/* after the cells */
	bool blank;
};

struct tool_table {
	char *title;
	struct { char *name, *unit; enum tool_align align; } column[COLUMNS_MAX];
	unsigned int ncolumns;
	struct row *row;
	unsigned int nrows, rows_max;
	char **note;
	unsigned int nnotes;
};

static char *vformat(const char *fmt, va_list ap)
{
	char *s;

	if (vasprintf(&s, fmt, ap) < 0) {
		tool_error("out of memory");
		exit(TOOL_ENV);
	}
	/* one cell is one line of printable ASCII, whatever a device calls itself */
	for (char *p = s; *p; p++)
		if (!isprint((unsigned char)*p))
			*p = '?';
	return s;
}

static void *grow(void *p, unsigned int n, size_t size)
{
	p = reallocarray(p, n, size);
	if (!p) {
		tool_error("out of memory");
		exit(TOOL_ENV);
	}
	return p;
}

struct tool_table *tool_table_new(const char *title)
{
	struct tool_table *t = tool_calloc(1, sizeof(*t));

	t->title = title ? tool_printf("%s", title) : NULL;
	return t;
}

void tool_table_column(struct tool_table *t, const char *name, const char *unit,
		       enum tool_align align)
{
	if (t->ncolumns == COLUMNS_MAX || t->nrows)
		abort();
	t->column[t->ncolumns].name = tool_printf("%s", name);
	t->column[t->ncolumns].unit = unit ? tool_printf("%s", unit) : NULL;
	t->column[t->ncolumns].align = align;
	t->ncolumns++;
}

void tool_table_row(struct tool_table *t)
{
	if (t->nrows == t->rows_max) {
		t->rows_max = t->rows_max ? 2 * t->rows_max : 16;
		t->row = grow(t->row, t->rows_max, sizeof(*t->row));
	}
	memset(&t->row[t->nrows++], 0, sizeof(*t->row));
}

void tool_table_blank(struct tool_table *t)
{
	tool_table_row(t);
	t->row[t->nrows - 1].blank = true;
}

void tool_table_cell(struct tool_table *t, const char *fmt, ...)
{
	struct row *r;
	va_list ap;

	if (!t->nrows || t->row[t->nrows - 1].ncells == t->ncolumns)
		abort();
	r = &t->row[t->nrows - 1];
	if (fmt) {
		va_start(ap, fmt);
		r->cell[r->ncells] = vformat(fmt, ap);
		va_end(ap);
	}
	r->ncells++;
}

void tool_table_text(struct tool_table *t, const char *fmt, ...)
{
	va_list ap;

	if (!t->nrows || t->row[t->nrows - 1].text)
		abort();
	va_start(ap, fmt);
	t->row[t->nrows - 1].text = vformat(fmt, ap);
	va_end(ap);
}

void tool_table_note(struct tool_table *t, const char *fmt, ...)
{
	va_list ap;

	t->note = grow(t->note, t->nnotes + 1, sizeof(*t->note));
	va_start(ap, fmt);
	t->note[t->nnotes++] = vformat(fmt, ap);
	va_end(ap);
}

unsigned int tool_table_rows(const struct tool_table *t)
{
	return t->nrows;
}

static unsigned int width(const char *s)
{
	return s ? (unsigned int)strlen(s) : 0;
}

/* Blanks are only written in front of something, so that no line ends in one. */
static void put(FILE *out, unsigned int *pending, const char *s, unsigned int w,
		enum tool_align align)
{
	unsigned int n = width(s);
	unsigned int left = align == TOOL_RIGHT && w > n ? w - n : 0;

	if (n)
		fprintf(out, "%*s%s", (int)(*pending + left), "", s);
	*pending = n ? (w > n + left ? w - n - left : 0) : *pending + w;
	*pending += GAP;
}

void tool_table_print(const struct tool_table *t, FILE *out)
{
	unsigned int w[COLUMNS_MAX], pending;
	bool units = false;

	for (unsigned int c = 0; c < t->ncolumns; c++) {
		unsigned int u = width(t->column[c].unit);

		w[c] = width(t->column[c].name);
		units |= u;
		w[c] = u > w[c] ? u : w[c];
		for (unsigned int r = 0; r < t->nrows; r++) {
			unsigned int n = c < t->row[r].ncells ? width(t->row[r].cell[c]) : 0;

			w[c] = n > w[c] ? n : w[c];
		}
	}
	if (t->title)
		fprintf(out, "%s\n", t->title);
	pending = GAP;
	for (unsigned int c = 0; c < t->ncolumns; c++)
		put(out, &pending, t->column[c].name, w[c], t->column[c].align);
	fputc('\n', out);
	pending = GAP;
	for (unsigned int c = 0; units && c < t->ncolumns; c++)
		put(out, &pending, t->column[c].unit, w[c], t->column[c].align);
	if (units)
		fputc('\n', out);
	for (unsigned int r = 0; r < t->nrows; r++) {
		const struct row *row = &t->row[r];
		unsigned int cells = row->text ? row->ncells : t->ncolumns;

		if (row->blank) {
			fputc('\n', out);
			continue;
		}
		pending = GAP;
		for (unsigned int c = 0; c < cells; c++) {
			const char *s = c < row->ncells ? row->cell[c] : NULL;

			put(out, &pending, s && *s ? s : "-", w[c], t->column[c].align);
		}
		if (row->text)
			put(out, &pending, row->text, 0, TOOL_LEFT);
		fputc('\n', out);
	}
	for (unsigned int i = 0; i < t->nnotes; i++)
		fprintf(out, "  %s\n", t->note[i]);
}

void tool_table_free(struct tool_table *t)
{
	if (!t)
		return;
	for (unsigned int c = 0; c < t->ncolumns; c++) {
		free(t->column[c].name);
		free(t->column[c].unit);
	}
	for (unsigned int r = 0; r < t->nrows; r++) {
		for (unsigned int c = 0; c < t->row[r].ncells; c++)
			free(t->row[r].cell[c]);
		free(t->row[r].text);
	}
	for (unsigned int i = 0; i < t->nnotes; i++)
		free(t->note[i]);
	free(t->note);
	free(t->row);
	free(t->title);
	free(t);
}
