// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Two documents of hslbench, the earlier one and the later one: what became better, what worse, and the verdict for a CI. Results are
 * the same measurement when everything that was asked for is the same, and each result is compared once: of equal ones the first with the
 * first. What has no partner of its basis takes one of another basis, which is a verdict of its own: such numbers are never compared.
 *
 * What is compared is bandwidth where there was one, else the median latency, else the rate; of lat, and of commands due at a rate, the
 * latency, and of rate the rate. A difference beyond the tolerance counts, unless
 * the confidence intervals of both say that it may be chance: then it is unclear. They are of the mean of the rounds, which
 * bandwidth and rate are; a median has none. A number that is not there any more is missing, and none on both sides is no comparison.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "bench.h"
#include "json.h"
#include "output.h"
#include "table.h"

enum verdict { SAME, BETTER, WORSE, UNCLEAR, FAILED, OTHER_BASIS, MISSING, ADDED, NO_NUMBER, VERDICTS };
static const char *const verdict_name[VERDICTS] = {
	"same", "better", "worse", "unclear", "failed", "other basis", "missing", "new", "no number",
};

struct row {
	struct json_object *was, *is;
	const struct bench_figure *of;	/* NULL: there are no numbers */
	double a, b, change;		/* change: of 1; more is better */
	enum verdict verdict;
};

struct json_object *bench_get(struct json_object *o, const char *key)
{
	struct json_object *v = NULL;

	json_object_object_get_ex(o, key, &v);
	return v;
}

double bench_num(struct json_object *o, const char *key)
{
	struct json_object *v = bench_get(o, key);

	return v ? json_object_get_double(v) : NAN;
}

uint64_t bench_size(double v)
{
	return (uint64_t)fmin(fmax(v, 0), 0x1p63);
}

const char *bench_str(struct json_object *o, const char *key)
{
	struct json_object *v = bench_get(o, key);

	return v ? json_object_get_string(v) : "";
}

/* Null or not. */
static bool has(struct json_object *o, const char *key)
{
	return json_object_object_get_ex(o, key, NULL);
}

static bool same_measurement(struct json_object *a, struct json_object *b, bool any_basis)
{
	static const char *const keys[] = {
		"verb", "op", "variant", "src", "dst", "home", "size_bytes", "depth", "batch", "wait", "participants",
	};

	static const char *const later[] = {
		"observable", "queues", "threads", "procs", "pattern", "bidirectional", "offset_bytes", "stride_bytes", "page_bytes", "numa_node",
		"rate_per_s",
	};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (strcmp(bench_str(a, keys[i]), bench_str(b, keys[i])))
			return false;
	/* an earlier document does not say which memory it was, or how many queues */
	for (size_t i = 0; i < sizeof(later) / sizeof(later[0]); i++)
		if (has(a, later[i]) && has(b, later[i]) && strcmp(bench_str(a, later[i]), bench_str(b, later[i])))
			return false;
	return any_basis || !strcmp(bench_str(a, "basis"), bench_str(b, "basis"));
}

/* Every result of before that has none yet gets its partner among those that are not taken. */
static void pair(struct row *row, size_t n, struct json_object *list, bool *taken, bool any_basis)
{
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; !row[i].is && k < json_object_array_length(list); k++) {
			struct json_object *r = json_object_array_get_idx(list, k);

			if (taken[k] || !same_measurement(row[i].was, r, any_basis))
				continue;
			row[i].is = r;
			taken[k] = true;
		}
}

static double gbytes_per_s(struct json_object *r)
{
	return bench_num(r, "bytes_per_s") / 1e9;
}

static double p50_us(struct json_object *r)
{
	return bench_num(bench_get(r, "latency_ns"), "p50") / 1e3;
}

static double mops_per_s(struct json_object *r)
{
	return bench_num(r, "ops_per_s") / 1e6;
}

const struct bench_figure *bench_figure(struct json_object *r)
{
	static const struct bench_figure speed = { "speed", "GB/s", false, gbytes_per_s }, p50 = { "p50", "us", true, p50_us },
		rate = { "rate", "Mop/s", false, mops_per_s };

	if (isfinite(p50.of(r)) && (bench_num(r, "rate_per_s") > 0 || !strcmp(bench_str(r, "verb"), "lat")))
		return &p50;
	if (!strcmp(bench_str(r, "verb"), "rate"))
		return &rate;
	return isfinite(speed.of(r)) ? &speed : isfinite(p50.of(r)) ? &p50 : &rate;
}

/* Of bandwidth and of the rate. */
static double interval(struct json_object *r)
{
	double ci = bench_num(r, "ci95");

	return isfinite(ci) ? ci : 0;
}

static void judge(struct row *r, double tolerance)
{
	if (bench_num(r->is, "errors") > 0) {
		r->verdict = FAILED;
	} else if (strcmp(bench_str(r->was, "basis"), bench_str(r->is, "basis"))) {
		r->verdict = OTHER_BASIS;
	} else if (bench_get(r->was, "skipped")) {
		r->verdict = bench_get(r->is, "skipped") ? NO_NUMBER : ADDED;
	} else if (bench_get(r->is, "skipped")) {
		r->verdict = MISSING;
	} else {
		bool by_time;

		r->of = bench_figure(r->was);
		r->a = r->of->of(r->was);
		r->b = r->of->of(r->is);
		by_time = r->of->by_time;
		if (!isfinite(r->a) || !isfinite(r->b)) {
			r->verdict = isfinite(r->a) ? MISSING : isfinite(r->b) ? ADDED : NO_NUMBER;
			return;
		}
		r->change = by_time ? (r->b > 0 ? r->a / r->b - 1 : r->a > 0) : (r->a > 0 ? r->b / r->a - 1 : r->b > 0);
		if (!(fabs(r->change) > tolerance))
			r->verdict = SAME;
		else if (!by_time && fabs(r->change) <= interval(r->was) + interval(r->is))
			r->verdict = UNCLEAR;
		else
			r->verdict = r->change > 0 ? BETTER : WORSE;
	}
}

static void value_print(struct tool_table *t, double v, const char *unit)
{
	tool_table_cell(t, isfinite(v) ? "%.3f %s" : NULL, v, unit);
}

static void row_print(struct tool_table *t, const struct row *r)
{
	struct json_object *o = r->is ? r->is : r->was;
	char buf[TOOL_SIZE_LEN];
	uint64_t size = bench_size(bench_num(o, "size_bytes"));

	tool_table_row(t);
	tool_table_cell(t, "%s %s%s%s%s", bench_str(o, "verb"), bench_str(o, "op"), *bench_str(o, "variant") ? " " : "",
			bench_str(o, "variant"), json_object_get_boolean(bench_get(o, "observable")) ? ", observable" : "");
	tool_table_cell(t, "%s -> %s", bench_str(o, "src"), bench_str(o, "dst"));
	tool_table_cell(t, size ? "%s" : NULL, tool_size_format(size, buf, sizeof(buf)));
	if (r->of) {
		tool_table_cell(t, "%s", r->of->name);
		value_print(t, r->a, r->of->unit);
		value_print(t, r->b, r->of->unit);
		tool_table_cell(t, isfinite(r->a) && isfinite(r->b) ? "%+.1f %%" : NULL, r->change * 100);
	} else {
		for (unsigned int i = 0; i < 4; i++)
			tool_table_cell(t, NULL);
	}
	tool_table_cell(t, "%s", verdict_name[r->verdict]);
}

static void rows_print(const struct row *row, size_t n, const unsigned int *count, double tolerance, bool good)
{
	char *title = tool_printf("\nCompared with a tolerance of %.1f %%: %s", tolerance * 100, good ? "PASS" : "REGRESSION");
	struct tool_table *t = tool_table_new(title);

	tool_table_column(t, "measurement", NULL, TOOL_LEFT);
	tool_table_column(t, "path", NULL, TOOL_LEFT);
	tool_table_column(t, "size", NULL, TOOL_RIGHT);
	tool_table_column(t, "of", NULL, TOOL_LEFT);
	tool_table_column(t, "before", NULL, TOOL_RIGHT);
	tool_table_column(t, "now", NULL, TOOL_RIGHT);
	tool_table_column(t, "change", "+ better", TOOL_RIGHT);
	tool_table_column(t, "verdict", NULL, TOOL_LEFT);
	for (size_t i = 0; i < n; i++)
		if (row[i].verdict != SAME && row[i].verdict != NO_NUMBER)
			row_print(t, &row[i]);
	tool_table_note(t, "%u same, %u better, %u worse, %u unclear (within both confidence intervals), %u failed, %u of another basis, %u missing, %u new, %u without a number.",
			count[SAME], count[BETTER], count[WORSE], count[UNCLEAR], count[FAILED], count[OTHER_BASIS], count[MISSING],
			count[ADDED], count[NO_NUMBER]);
	tool_table_print(t, stdout);
	tool_table_free(t);
	free(title);
}

int bench_compare(struct json_object *was, struct json_object *is, double tolerance, bool print)
{
	struct json_object *a = bench_get(was, "results"), *b = bench_get(is, "results");
	size_t na = json_object_array_length(a), nb = json_object_array_length(b), n = 0;
	struct row *row = tool_calloc(na + nb + 1, sizeof(*row));
	bool *taken = tool_calloc(nb + 1, sizeof(*taken));
	unsigned int count[VERDICTS] = { 0 };
	bool good;

	for (; n < na; n++)
		row[n].was = json_object_array_get_idx(a, n);
	pair(row, na, b, taken, false);
	pair(row, na, b, taken, true);
	for (size_t i = 0; i < na; i++) {
		if (row[i].is)
			judge(&row[i], tolerance);
		else
			row[i].verdict = bench_get(row[i].was, "skipped") ? NO_NUMBER : MISSING;
	}
	for (size_t i = 0; i < nb; i++) {
		struct json_object *r = json_object_array_get_idx(b, i);

		if (taken[i])
			continue;
		row[n].is = r;
		row[n++].verdict = bench_num(r, "errors") > 0 ? FAILED : ADDED;
	}
	for (size_t i = 0; i < n; i++)
		count[row[i].verdict]++;
	/* two documents that have nothing in common say nothing */
	good = !count[WORSE] && !count[FAILED] && !count[OTHER_BASIS] && !count[MISSING] &&
	       count[SAME] + count[BETTER] + count[UNCLEAR] > 0;
	if (print)
		rows_print(row, n, count, tolerance, good);
	free(taken);
	free(row);
	return good ? TOOL_PASS : TOOL_FAIL;
}

/* A list of objects. */
static bool results_are(struct json_object *list)
{
	if (!json_object_is_type(list, json_type_array))
		return false;
	for (size_t i = 0; i < json_object_array_length(list); i++)
		if (!json_object_is_type(json_object_array_get_idx(list, i), json_type_object))
			return false;
	return true;
}

int bench_doc_read(const char *path, struct json_object **doc)
{
	struct json_object *o = json_object_from_file(path);

	if (!o) {
		tool_error("%s: %s", path, errno == ENOENT || errno == EACCES || errno == EISDIR ? strerror(errno) :
			   "not a JSON document");
		return TOOL_ENV;
	}
	if (strcmp(bench_str(o, "schema"), "hslbench/1") || !results_are(bench_get(o, "results"))) {
		tool_error("%s: not a document of hslbench (schema hslbench/1)", path);
		json_object_put(o);
		return TOOL_ENV;
	}
	*doc = o;
	return TOOL_PASS;
}

static void chips_mark(struct json_object *doc)
{
	struct json_object *list = bench_get(doc, "results"), *chips = bench_get(bench_get(doc, "environment"), "chips");

	for (size_t i = 0; json_object_is_type(chips, json_type_array) && i < json_object_array_length(list); i++)
		if (!has(json_object_array_get_idx(list, i), "chips"))
			tool_json_u64(json_object_array_get_idx(list, i), "chips", json_object_array_length(chips));
}

void bench_doc_join(struct json_object *doc, struct json_object *other)
{
	struct json_object *list = bench_get(doc, "results"), *more = bench_get(other, "results");

	chips_mark(doc);
	chips_mark(other);
	for (size_t i = 0; i < json_object_array_length(more); i++)
		json_object_array_add(list, json_object_get(json_object_array_get_idx(more, i)));
	json_object_put(other);
}
