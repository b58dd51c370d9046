// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Pictures, by gnuplot: a script on its standard input, the picture where the script says. Texts of a document are quoted, and a chip's or
 * file's name cannot become a command.
 */
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "exit.h"
#include "output.h"
#include "size.h"

#define WIDTH		880
#define HEIGHT		470
#define LABELS_MAX	10u		/* of a heat map with a number in each cell */

/* 'text' of gnuplot: a quote is two, and there are no escapes. */
static void quoted(FILE *out, const char *s)
{
	fputc('\'', out);
	for (; *s; s++) {
		if (*s == '\'')
			fputc('\'', out);
		fputc((unsigned char)*s < ' ' ? ' ' : *s, out);
	}
	fputc('\'', out);
}

static void number(FILE *out, double v)
{
	if (isfinite(v))
		fprintf(out, " %.9g", v);
	else
		fputs(" NaN", out);
}

static double value_at(const struct chart_series *s, double x)
{
	for (unsigned int i = 0; i < s->n; i++)
		if (s->x[i] == x)
			return s->y[i];
	return NAN;
}

static void tics(FILE *out, const char *axis, const struct chart *c, bool rows)
{
	unsigned int n = rows ? c->nseries : c->ncategories, step = n > 20 ? (n + 15) / 16 : 1;

	fprintf(out, "set %stics (", axis);
	for (unsigned int i = 0; i < n; i += step) {
		fputs(i ? ", " : "", out);
		quoted(out, rows ? c->series[i].name : c->category[i]);
		fprintf(out, " %u", i);
	}
	fprintf(out, ") nomirror%s\n", !rows && c->kind != CHART_HEAT && n > 7 ? " rotate by -35" : "");
}

/* Data with a line for each category and a column for each series; columns may lack a value. */
static void grid(FILE *out, const struct chart *c)
{
	fputs("$d << EOD\n", out);
	for (unsigned int k = 0; k < c->ncategories; k++) {
		fprintf(out, "%u", k);
		for (unsigned int s = 0; s < c->nseries; s++)
			number(out, value_at(&c->series[s], k));
		fputc('\n', out);
	}
	fputs("EOD\n", out);
}

static void plot_series(FILE *out, const struct chart *c, const char *data, const char *style)
{
	fputs("plot ", out);
	for (unsigned int s = 0; s < c->nseries; s++) {
		fprintf(out, "%s", s ? ", " : "");
		if (c->kind == CHART_BARS || c->ncategories)
			fprintf(out, "%s using 1:%u", data, s + 2);
		else
			fprintf(out, "$d%u using 1:2", s);
		fputs(" title ", out);
		quoted(out, c->series[s].name);
		fprintf(out, " %s", style);
	}
	fputc('\n', out);
}

static void extent(const struct chart *c, double *least, double *most)
{
	*least = INFINITY;
	*most = -INFINITY;
	for (unsigned int s = 0; s < c->nseries; s++)
		for (unsigned int i = 0; i < c->series[s].n; i++) {
			*least = fmin(*least, c->series[s].y[i]);
			*most = fmax(*most, c->series[s].y[i]);
		}
}

/* From zero; whole decades where it is logarithmic, also if all are the same. */
static void yrange(FILE *out, const struct chart *c)
{
	double least, most;

	extent(c, &least, &most);
	if (c->log_y)
		fprintf(out, "set logscale y\nset yrange [%g:%g]\n", pow(10, floor(log10(least) - 1e-9)), pow(10, ceil(log10(most) + 1e-9)));
	else if (most > 0)
		fputs("set yrange [0:*]\n", out);
	else
		fputs("set yrange [0:1]\n", out);
}

static void bars(FILE *out, const struct chart *c)
{
	double wide = 0.8 / c->nseries;

	grid(out, c);
	tics(out, "x", c, false);
	fprintf(out, "set xrange [-0.6:%g]\nset style fill solid 0.9 noborder\nset boxwidth %g\n", c->ncategories - 0.4, wide * 0.92);
	fputs("plot ", out);
	for (unsigned int s = 0; s < c->nseries; s++) {
		fprintf(out, "%s$d using ($1%+g):%u title ", s ? ", " : "", (s - (c->nseries - 1) / 2.0) * wide, s + 2);
		quoted(out, c->series[s].name);
		fprintf(out, " with boxes linestyle %u", s + 1);
	}
	fputc('\n', out);
}

static void lines(FILE *out, const struct chart *c)
{
	const char *style = "with linespoints pointtype 7 pointsize 0.6 linewidth 2";
	double least = INFINITY, most = 0;

	if (c->ncategories) {
		grid(out, c);
		tics(out, "x", c, false);
		fprintf(out, "set xrange [-0.2:%g]\n", c->ncategories - 0.8);
		plot_series(out, c, "$d", style);
		return;
	}
	for (unsigned int s = 0; s < c->nseries; s++) {
		fprintf(out, "$d%u << EOD\n", s);
		for (unsigned int i = 0; i < c->series[s].n; i++) {
			least = fmin(least, c->series[s].x[i]);
			most = fmax(most, c->series[s].x[i]);
			number(out, c->series[s].x[i]);
			number(out, c->series[s].y[i]);
			fputc('\n', out);
		}
		fputs("EOD\n", out);
	}
	if (!c->log_x)
		fprintf(out, "set xrange [0:%s]\n", most > 0 ? "*" : "1");
	if (c->log_x) {
		unsigned int steps = 0;
		char buf[TOOL_SIZE_LEN];

		for (double x = least; x < most; x *= 2)
			steps++;
		/* a tic at the very end of the range may be left out */
		fprintf(out, "set logscale x 2\nset xrange [%.9g:%.9g]\nset xtics nomirror (", least / 1.04, most * 1.04);
		for (double x = least; x <= most; x *= steps > 8 ? 4 : 2) {
			fputs(x > least ? ", " : "", out);
			if (c->sizes)
				quoted(out, tool_size_format(bench_size(x), buf, sizeof(buf)));
			else
				fprintf(out, "'%.0f'", x);
			fprintf(out, " %.0f", x);
		}
		fputs(")\n", out);
	}
	plot_series(out, c, "$d", style);
}

static void heat(FILE *out, const struct chart *c)
{
	double least, most;

	extent(c, &least, &most);
	fputs("$d << EOD\n", out);
	for (unsigned int s = 0; s < c->nseries; s++) {
		for (unsigned int k = 0; k < c->ncategories; k++)
			number(out, value_at(&c->series[s], k));
		fputc('\n', out);
	}
	fputs("EOD\n", out);
	tics(out, "x", c, false);
	tics(out, "y", c, true);
	fprintf(out, "set xrange [-0.5:%g]\nset yrange [%g:-0.5]\nset size ratio -1\nunset grid\nunset key\n"
		"set palette defined (0 '#f7fbff', 1 '#9ecae1', 2 '#3182bd', 3 '#08306b')\nset colorbox\n",
		c->ncategories - 0.5, c->nseries - 0.5);
	/* as an image a browser would smooth it */
	fputs("plot $d matrix with image pixels", out);
	if (c->ncategories <= LABELS_MAX)
		/* light on dark, dark on light */
		for (unsigned int dark = 0; dark < 2; dark++)
			fprintf(out, ", $d matrix using ($3 %s %.9g ? $1 : NaN):2:(sprintf('%%.3g', $3)) with labels textcolor rgb '%s' font ',11'",
				dark ? ">" : "<=", (least + most) / 2, dark ? "#ffffff" : "#1a1a1a");
	fputs("\nunset colorbox\nset size noratio\n", out);
}

static void chart_write(FILE *out, const struct chart *c)
{
	char *title = tool_printf("%s\n%s", c->title, c->basis), *at = strchr(title, '\n');

	*at = '\0';
	fputs("reset\nset encoding utf8\nset grid linecolor rgb '#d8d8d8'\nset border 3 linecolor rgb '#606060'\nset tics nomirror\n"
	      "set key outside right top Left reverse noenhanced samplen 1.5\nset datafile missing 'NaN'\n"
	      "set linetype 1 lc rgb '#1f77b4'\nset linetype 2 lc rgb '#d95f02'\nset linetype 3 lc rgb '#2ca02c'\n"
	      "set linetype 4 lc rgb '#9467bd'\nset linetype 5 lc rgb '#8c564b'\nset linetype 6 lc rgb '#e7298a'\n"
	      "set linetype 7 lc rgb '#7f7f7f'\nset linetype 8 lc rgb '#bcbd22'\nset linetype 9 lc rgb '#17becf'\n"
	      "set linetype 10 lc rgb '#000000'\nset linetype 11 lc rgb '#aec7e8'\nset linetype 12 lc rgb '#ffbb78'\n", out);
	for (unsigned int s = 1; c->kind == CHART_BARS && s <= c->nseries; s++)
		fprintf(out, "set style line %u linetype %u\n", s, s);
	fputs("set label 1 ", out);
	quoted(out, title);
	fputs(" at graph 0,1.12 font ',15' noenhanced\nset label 2 ", out);
	quoted(out, at + 1);
	fputs(" at graph 0,1.05 font ',11' textcolor rgb '#606060' noenhanced\nset tmargin 5\nset xlabel ", out);
	quoted(out, c->xlabel);
	fputs(" noenhanced\nset ylabel ", out);
	quoted(out, c->ylabel);
	fputs(" noenhanced\n", out);
	if (c->kind != CHART_HEAT)
		yrange(out, c);
	if (c->kind == CHART_BARS)
		bars(out, c);
	else if (c->kind == CHART_HEAT)
		heat(out, c);
	else
		lines(out, c);
	free(title);
}

/* ---- the program ---- */

static bool gnuplot_is_there(void)
{
	const char *path = getenv("PATH");
	char *copy = tool_printf("%s", path ? path : "/usr/bin:/bin"), *rest = copy, *dir;
	bool found = false;

	while (!found && (dir = strsep(&rest, ":"))) {
		char *file = tool_printf("%s/gnuplot", *dir ? dir : ".");

		found = !access(file, X_OK);
		free(file);
	}
	free(copy);
	return found;
}

/* False after a message. */
static bool gnuplot_run(const char *script)
{
	void (*pipe_was)(int) = signal(SIGPIPE, SIG_IGN);
	FILE *in = popen("exec gnuplot -", "we");
	int status = -1;

	if (in) {
		fputs(script, in);
		status = pclose(in);
	}
	signal(SIGPIPE, pipe_was);
	if (!status)
		return true;
	tool_error("gnuplot failed");
	return false;
}

static const char *terminal(const char *path)
{
	const char *dot = strrchr(path, '.');

	if (dot && !strcmp(dot, ".svg"))
		return "svg background rgb 'white' font 'sans-serif,12'";
	if (dot && !strcmp(dot, ".png"))
		return "pngcairo background rgb 'white' font 'sans,11'";
	return NULL;
}

int bench_plot_check(const char *path)
{
	if (!terminal(path))
		return tool_usage("%s: the name of a picture ends in .svg or .png", path);
	if (gnuplot_is_there())
		return TOOL_PASS;
	tool_error("pictures are made by gnuplot, which is not here");
	fprintf(stderr, "On Debian: apt-get install gnuplot-nox\n");
	return TOOL_ENV;
}

static char *script_of(const struct chart *c, unsigned int n, const char *term, const char *path)
{
	unsigned int columns = n > 1 ? 2 : 1, rows = (n + columns - 1) / columns;
	char *script = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&script, &len);

	if (!out) {
		tool_error("out of memory");
		exit(TOOL_ENV);
	}
	fprintf(out, "set terminal %s size %u,%u\nset output ", term, WIDTH * columns, HEIGHT * rows);
	quoted(out, path);
	fputc('\n', out);
	if (n > 1)
		fprintf(out, "set multiplot layout %u,%u\n", rows, columns);
	for (unsigned int i = 0; i < n; i++)
		chart_write(out, &c[i]);
	fputs(n > 1 ? "unset multiplot\nset output\n" : "set output\n", out);
	fclose(out);
	return script;
}

int bench_plot(struct json_object *doc, const char *path)
{
	unsigned int n;
	struct chart *c = bench_charts(doc, &n);
	char *tmp = tool_printf("%s.%d", path, (int)getpid()), *script;
	int rc = TOOL_ENV;

	if (!n) {
		tool_error("%s: not made: nothing was measured that could be drawn", path);
		goto out;
	}
	/* a picture appears whole or not at all */
	script = script_of(c, n, terminal(path), tmp);
	if (gnuplot_run(script) && !rename(tmp, path)) {
		rc = TOOL_PASS;
	} else {
		tool_error("%s: %s", path, errno ? strerror(errno) : "not written");
		unlink(tmp);
	}
	free(script);
out:
	free(tmp);
	bench_charts_free(c, n);
	return rc;
}

char *bench_chart_svg(const struct chart *c)
{
	char tmp[] = "/tmp/hslbench-XXXXXX", *script, *svg = NULL;
	int fd = mkstemp(tmp);
	FILE *in;
	long len;

	if (fd < 0) {
		tool_error("%s: %s", tmp, strerror(errno));
		return NULL;
	}
	close(fd);
	script = script_of(c, 1, "svg dynamic font 'sans-serif,12'", tmp);
	in = gnuplot_run(script) ? fopen(tmp, "re") : NULL;
	if (in && !fseek(in, 0, SEEK_END) && (len = ftell(in)) > 0) {
		rewind(in);
		svg = tool_calloc((unsigned long)len + 1, 1);
		if (fread(svg, 1, (size_t)len, in) != (size_t)len) {
			free(svg);
			svg = NULL;
		}
	}
	if (in)
		fclose(in);
	unlink(tmp);
	free(script);
	return svg;
}
