/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What is made of a document of hslbench (schema hslbench/1), whether this run's or a file's.
 *
 *	compare.c	another document: verdict
 *	csv.c		rows for a spreadsheet
 *	chart.c		which pictures there are of it
 *	plot.c		gnuplot makes them
 *	html.c		one page with all
 *	write.c		CSV and page become files
 *	expect.c	the formulas of docs/hep.md section 9 next to modelled results
 */
#ifndef OUTPUT_H
#define OUTPUT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct json_object;

/* A member; NULL if there is none or it is null. */
struct json_object *bench_get(struct json_object *o, const char *key);
double bench_num(struct json_object *o, const char *key);		/* NaN if not there */
uint64_t bench_size(double v);						/* whatever a file says: 0 if it is none */
const char *bench_str(struct json_object *o, const char *key);		/* "" if not there */

/* What a result is judged by, and shown by next to others. */
struct bench_figure {
	const char *name, *unit;
	bool by_time;			/* less is better */
	double (*of)(struct json_object *result);	/* in that unit; NaN: it has none */
};
/* What it was measured for, else bandwidth, median latency, rate. Of commands due at a rate bandwidth is what was asked for. */
const struct bench_figure *bench_figure(struct json_object *result);

/* A document of ours, json_object_put() it; TOOL_PASS or TOOL_ENV after a message. */
int bench_doc_read(const char *path, struct json_object **doc);
/* The other's results follow those of doc, each with the number of chips of its fabric; other is used up. */
void bench_doc_join(struct json_object *doc, struct json_object *other);
/* TOOL_PASS, or TOOL_FAIL: something is worse, wrong or missing. print: the table. */
int bench_compare(struct json_object *was, struct json_object *is, double tolerance, bool print);
/* Into a file, NULL: standard output. TOOL_PASS or TOOL_ENV after a message. */
int bench_csv(struct json_object *doc, const char *path);
int bench_plot(struct json_object *doc, const char *path);		/* by its end: .svg or .png */
int bench_html(struct json_object *doc, const char *path);
/* What make writes, once it is whole; make returns false after a message, and nothing is written. */
int bench_write(struct json_object *doc, const char *path, bool (*make)(FILE *out, struct json_object *doc));
/* Can it be plotted? TOOL_PASS, TOOL_USAGE (the end of its name) or TOOL_ENV (no gnuplot), after a message. */
int bench_plot_check(const char *path);
/* Is that a profile? 0 or an exit code after a message. */
int bench_expect_check(const char *profile);
/* Every modelled result that has a formula, next to it. TOOL_PASS, TOOL_FAIL: one differs or there is none. */
int bench_expect(struct json_object *doc, const char *profile, double tolerance, bool print);
/* "emulator-wall" -> "emulator speed, not link speed" */
const char *bench_basis_text(const char *basis);

/* ---- chart.c, plot.c ---- */

enum chart_kind { CHART_LINES, CHART_BARS, CHART_HEAT };
struct chart_series {
	char name[128];
	unsigned int n;
	double *x, *y;			/* bars: x is the category; heat: row x, y is a value of each column */
};
struct chart {
	enum chart_kind kind;
	char title[96], basis[96], xlabel[48], ylabel[48];
	const char *verb;
	bool log_x, log_y, sizes;	/* sizes: x in bytes */
	unsigned int nseries, ncategories;
	struct chart_series *series;
	char (*category)[64];
};
/* Of a document: charts_free() them. */
struct chart *bench_charts(struct json_object *doc, unsigned int *n);
void bench_charts_free(struct chart *c, unsigned int n);
/* One picture as SVG, inline in a page; free() it. NULL: gnuplot failed, after a message. */
char *bench_chart_svg(const struct chart *c);

#endif
