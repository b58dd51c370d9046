/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The report as one JSON document, schema hsltest/1 (hsltest(1)). It holds all that a report says, the requirements' sentences
 * and how to repeat each test included, so that a page can be made of it years later on another machine: HTML, JUnit and
 * comparisons are written from the document and from nothing else.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <json-c/json.h>

#include "dut.h"
#include "exit.h"
#include "file.h"
#include "json.h"

#if __has_include("suite_build.h") /* written by the Makefile */
#include "suite_build.h"
#else
#define SUITE_COMMIT NULL
#define SUITE_PROFILE_SHA256 NULL
#endif

static void time_str(struct json_object *o, const char *key, const struct timespec *ts)
{
	char text[32];
	struct tm tm;

	gmtime_r(&ts->tv_sec, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	tool_json_str(o, key, text);
}

static void suite_json(struct json_object *doc)
{
	struct json_object *o = tool_json_set(doc, "suite", tool_json_object());
	char text[32];

	tool_json_str(o, "name", "hsltest");
	tool_json_str(o, "version", hsl_version());
	tool_json_str(o, "commit", SUITE_COMMIT);
	snprintf(text, sizeof(text), "HEP %d.%d", HSL_HEP_MAJOR, HSL_HEP_MINOR);
	tool_json_str(o, "profile", text);
	tool_json_str(o, "profile_sha256", SUITE_PROFILE_SHA256);
	tool_json_u64(o, "requirements", ht_requirement_count);
}

static void environment_json(struct json_object *doc, const struct ht_report *rep)
{
	struct json_object *o = tool_json_set(doc, "environment", tool_json_object()), *stated;
	static const char *const efforts[] = { "normal", "quick", "full" };
	const struct ht_config *c = rep->config;
	struct utsname u;
	char *text;
	unsigned int i;

	tool_json_str(o, "tool_version", hsl_version());
	tool_json_str(o, "profile", "HEP 1.0");
	tool_json_str(o, "fabric", tool_fabric_name(c->url));
	tool_json_str(o, "backend", rep->probe->backend);
	tool_json_u64(o, "chips", rep->probe->nchips);
	tool_json_u64(o, "chips_present", rep->probe->chips_present);
	tool_json_u64(o, "seed", c->seed);
	tool_json_u64(o, "rounds", rep->rounds);
	tool_json_u64(o, "rounds_done", rep->rounds_done);
	tool_json_str(o, "effort", efforts[c->effort]);
	tool_json_bool(o, "disruptive", c->disruptive);
	tool_json_bool(o, "root", !geteuid());
	tool_json_str(o, "command", rep->command);
	time_str(o, "started", &rep->started);
	time_str(o, "ended", &rep->ended);
	if (uname(&u)) {
		tool_json_null(o, "host");
	} else {
		text = tool_printf("%s %s %s", u.sysname, u.release, u.machine);
		tool_json_str(o, "host", text);
		free(text);
	}
	/* what the tester says, not what software saw */
	stated = tool_json_set(o, "stated", tool_json_object());
	for (i = 0; i < rep->nstated; i++) {
		const char *eq = strchr(rep->stated[i], '=');

		text = tool_printf("%.*s", (int)(eq - rep->stated[i]), rep->stated[i]);
		tool_json_str(stated, text, eq + 1);
		free(text);
	}
}

static void results_json(struct json_object *doc, const struct ht_report *rep)
{
	struct json_object *list = tool_json_set(doc, "results", tool_json_array()), *o;
	unsigned int i;
	char *again;

	for (i = 0; i < rep->n; i++) {
		const struct ht_result *r = &rep->results[i];

		o = tool_json_append(list, tool_json_object());
		tool_json_str(o, "requirement", r->test->requirement);
		tool_json_str(o, "test", r->test->name);
		tool_json_str(o, "verdict", ht_verdict_name(r->verdict));
		tool_json_str(o, "reason", r->reason[0] ? r->reason : NULL);
		tool_json_u64(o, "duration_ns", r->duration_ns);
		tool_json_str(o, "note", r->note[0] ? r->note : NULL);
		tool_json_str(o, "sentence", r->test->sentence);
		tool_json_u64(o, "seed", r->seed);
		tool_json_u64(o, "runs", r->runs);
		tool_json_u64(o, "failures", r->failures);
		tool_json_str(o, "dump", r->dump[0] ? r->dump : NULL);
		again = ht_again(rep->config, r);
		tool_json_str(o, "reproduce", again);
		free(again);
	}
}

static void requirements_json(struct json_object *doc, const struct ht_report *rep)
{
	struct json_object *list = tool_json_set(doc, "requirements", tool_json_array()), *o, *tests;
	char layer[16], *again;
	unsigned int i;
	size_t k;

	for (k = 0; k < ht_requirement_count; k++) {
		const struct ht_outcome *q = &rep->outcomes[k];

		o = tool_json_append(list, tool_json_object());
		ht_layer(q->requirement->id, layer, sizeof(layer));
		tool_json_str(o, "requirement", q->requirement->id);
		tool_json_str(o, "layer", layer);
		tool_json_str(o, "class", ht_class_name(ht_requirement_class(q->requirement)));
		tool_json_str(o, "level", q->requirement->level);
		tool_json_str(o, "subject", q->requirement->subject);
		tool_json_str(o, "observability", q->requirement->observability);
		tool_json_str(o, "sentence", q->requirement->sentence);
		tool_json_str(o, "verdict", ht_verdict_name(q->verdict));
		tool_json_str(o, "evidence", q->evidence);
		tool_json_u64(o, "duration_ns", q->duration_ns);
		tests = tool_json_set(o, "tests", tool_json_array());
		for (i = 0; i < rep->n; i++) {
			if (!strcmp(rep->results[i].test->requirement, q->requirement->id))
				tool_json_append(tests, json_object_new_string(rep->results[i].test->name));
		}
		again = !q->decider ? NULL
			: q->decider->again ? tool_printf("%s", q->decider->again)
					    : ht_reproduce(rep->config, q->decider->seed, q->requirement->id);
		tool_json_str(o, "reproduce", again);
		free(again);
	}
}

static void classes_json(struct json_object *doc, const struct ht_report *rep)
{
	struct json_object *list = tool_json_set(doc, "classes", tool_json_array()), *o, *count;
	int c, v;

	for (c = 0; c < HT_CLASSES; c++) {
		const struct ht_class_outcome *k = &rep->classes[c];

		o = tool_json_append(list, tool_json_object());
		tool_json_str(o, "class", ht_class_name((enum ht_class)c));
		tool_json_str(o, "verdict", ht_class_verdict_name(k->verdict));
		tool_json_u64(o, "must", k->must);
		count = tool_json_set(o, "count", tool_json_object());
		for (v = HT_PASS; v < HT_VERDICTS; v++)
			tool_json_u64(count, ht_verdict_name((enum ht_verdict)v), k->count[v]);
	}
}

static void waivers_json(struct json_object *doc, const struct ht_report *rep)
{
	struct json_object *list = tool_json_set(doc, "waivers", tool_json_array()), *o;
	unsigned int i;

	for (i = 0; i < rep->waivers->n; i++) {
		const struct ht_waiver *w = &rep->waivers->list[i];

		o = tool_json_append(list, tool_json_object());
		tool_json_str(o, "name", w->name);
		tool_json_str(o, "owner", w->owner);
		tool_json_str(o, "until", strcmp(w->until, "-") ? w->until : NULL);
		tool_json_str(o, "reason", w->reason);
		tool_json_bool(o, "used", w->used);
	}
}

struct json_object *ht_document(const struct ht_report *rep)
{
	struct json_object *doc = tool_json_object(), *o;
	const unsigned int *n = rep->summary.count;

	tool_json_str(doc, "schema", "hsltest/1");
	suite_json(doc);
	environment_json(doc, rep);
	tool_json_set(doc, "dut", ht_dut_json(rep->config, rep->probe));
	classes_json(doc, rep);
	results_json(doc, rep);
	requirements_json(doc, rep);
	waivers_json(doc, rep);
	tool_json_set(doc, "pics", json_object_get(rep->pics));
	o = tool_json_set(doc, "summary", tool_json_object());
	tool_json_u64(o, "passed", n[HT_PASS]);
	tool_json_u64(o, "failed", n[HT_FAIL]);
	tool_json_u64(o, "skipped", n[HT_SKIP]);
	tool_json_u64(o, "not_applicable", n[HT_NA]);
	tool_json_u64(o, "inconclusive", n[HT_INCONCLUSIVE]);
	tool_json_u64(o, "errors", n[HT_ERROR]);
	tool_json_u64(o, "waived", n[HT_WAIVED]);
	tool_json_u64(o, "not_run", n[HT_NOT_RUN]);
	tool_json_bool(o, "interrupted", rep->interrupted);
	return doc;
}

struct json_object *ht_document_read(const char *path)
{
	struct json_object *doc, *schema;
	enum json_tokener_error err;
	size_t len;
	char *text = tool_file_read(path, &len);

	if (!text) {
		tool_error("%s: %s", path, strerror(errno));
		return NULL;
	}
	doc = json_tokener_parse_verbose(text, &err);
	free(text);
	if (!doc) {
		tool_error("%s: not JSON: %s", path, json_tokener_error_desc(err));
		return NULL;
	}
	if (!json_object_object_get_ex(doc, "schema", &schema) || strcmp(json_object_get_string(schema) ?: "", "hsltest/1") ||
	    !json_object_object_get_ex(doc, "requirements", NULL)) {
		tool_error("%s: not a document of 'hsltest run --json' (schema hsltest/1 with requirements)", path);
		json_object_put(doc);
		return NULL;
	}
	return doc;
}
