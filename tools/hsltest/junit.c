/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * JUnit XML, as CI servers read it: a suite for each layer, a case for each test. It knows passed, failed, error and skipped; what
 * does not apply, decided nothing, is waived or was not run is skipped there, with the word first. A run that ended early is an
 * error of its own, since a server takes skipped cases for green.
 */
#include <stdlib.h>
#include <string.h>

#include "doc.h"
#include "markup.h"
#include "run.h"

static const char *layer_of(struct json_object *result, char *buf, size_t len)
{
	const char *id = doc_str(result, "requirement");

	buf[0] = 0;
	if (!strncmp(id, "HEP-", 4))
		ht_layer(id, buf, len);
	return buf;
}

static void seconds(FILE *f, uint64_t ns)
{
	fprintf(f, "%llu.%03llu", (unsigned long long)(ns / 1000000000u), (unsigned long long)(ns / 1000000u % 1000u));
}

static void test_case(FILE *f, struct json_object *r)
{
	const char *verdict = doc_str(r, "verdict"), *tag = NULL;

	markup(f, "    <testcase classname=\"%s\" name=\"%s\" time=\"", doc_str(r, "requirement"), doc_str(r, "test"));
	seconds(f, doc_u64(r, "duration_ns"));
	fputs("\">\n", f);
	if (!strcmp(verdict, "fail"))
		tag = "failure";
	else if (!strcmp(verdict, "error"))
		tag = "error";
	if (tag)
		markup(f, "      <%s message=\"%s\">again: %s\n%s</%s>\n", tag, doc_str(r, "reason"), doc_str(r, "reproduce"),
		       doc_str(r, "dump"), tag);
	else if (strcmp(verdict, "pass"))
		markup(f, "      <skipped message=\"%s: %s\"/>\n", verdict, doc_str(r, "reason"));
	if (*doc_str(r, "note"))
		markup(f, "      <system-out>%s</system-out>\n", doc_str(r, "note"));
	fputs("    </testcase>\n", f);
}

static void suite(FILE *f, struct json_object *results, const char *layer, const char *started)
{
	unsigned int tests = 0, failures = 0, errors = 0, skipped = 0;
	uint64_t ns = 0;
	char name[16];
	size_t i;

	for (i = 0; i < doc_len(results); i++) {
		struct json_object *r = doc_at(results, i);
		const char *verdict = doc_str(r, "verdict");

		if (strcmp(layer_of(r, name, sizeof(name)), layer))
			continue;
		tests++;
		failures += !strcmp(verdict, "fail");
		errors += !strcmp(verdict, "error");
		skipped += strcmp(verdict, "fail") && strcmp(verdict, "error") && strcmp(verdict, "pass");
		ns += doc_u64(r, "duration_ns");
	}
	markup(f, "  <testsuite name=\"%s\" tests=\"%u\" failures=\"%u\" errors=\"%u\" skipped=\"%u\" timestamp=\"%s\" time=\"", layer,
	       tests, failures, errors, skipped, started);
	seconds(f, ns);
	fputs("\">\n", f);
	for (i = 0; i < doc_len(results); i++) {
		if (!strcmp(layer_of(doc_at(results, i), name, sizeof(name)), layer))
			test_case(f, doc_at(results, i));
	}
	fputs("  </testsuite>\n", f);
}

static void interrupted_suite(FILE *f, struct json_object *doc)
{
	struct json_object *env = doc_get(doc, "environment");

	markup(f, "  <testsuite name=\"run\" tests=\"1\" failures=\"0\" errors=\"1\" skipped=\"0\" timestamp=\"%s\" time=\"0.000\">\n",
	       doc_str(env, "started"));
	fputs("    <testcase classname=\"hsltest\" name=\"interrupted\" time=\"0.000\">\n", f);
	markup(f, "      <error message=\"the run ended early: %u tests not run",
	       (unsigned int)doc_u64(doc_get(doc, "summary"), "not_run"));
	if (doc_u64(env, "rounds") > 1 && doc_get(env, "rounds_done"))
		markup(f, ", %u of %u rounds", (unsigned int)doc_u64(env, "rounds_done"), (unsigned int)doc_u64(env, "rounds"));
	fputs("\"/>\n    </testcase>\n  </testsuite>\n", f);
}

char *ht_junit(struct json_object *doc)
{
	struct json_object *results = doc_get(doc, "results"), *sum = doc_get(doc, "summary");
	unsigned int failed = (unsigned int)doc_u64(sum, "failed"), errors = (unsigned int)doc_u64(sum, "errors");
	unsigned int interrupted = doc_bool(sum, "interrupted");
	char layer[16], other[16], *text = NULL;
	size_t len, i, k;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return NULL;
	fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n", f);
	markup(f, "<testsuites name=\"hsltest %s\" tests=\"%u\" failures=\"%u\" errors=\"%u\">\n",
	       doc_str(doc_get(doc, "environment"), "fabric"), (unsigned int)doc_len(results) + interrupted, failed,
	       errors + interrupted);
	for (i = 0; i < doc_len(results); i++) {
		layer_of(doc_at(results, i), layer, sizeof(layer));
		for (k = 0; k < i && strcmp(layer_of(doc_at(results, k), other, sizeof(other)), layer); k++)
			;
		if (k == i)
			suite(f, results, layer, doc_str(doc_get(doc, "environment"), "started"));
	}
	if (interrupted)
		interrupted_suite(f, doc);
	fputs("</testsuites>\n", f);
	if (fclose(f)) {
		free(text);
		return NULL;
	}
	return text;
}
