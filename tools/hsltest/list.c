/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* hsltest list: tests, and the matrix of requirements and tests. */
#include <stdio.h>

#include <json-c/json.h>

#include "exit.h"
#include "json.h"
#include "run.h"
#include "table.h"

int ht_list_tests(const char *url, bool json, char *const *globs, int nglobs)
{
	const struct ht_test *list[HT_TESTS_MAX];
	unsigned int n = ht_dut_tests(url, list, HT_TESTS_MAX), i, shown = 0;
	struct tool_table *t = tool_table_new(NULL);
	struct json_object *doc = tool_json_object(), *a, *o;
	int rc = 0;

	tool_json_str(doc, "schema", "hsltest-list/1");
	a = tool_json_set(doc, "tests", tool_json_array());
	tool_table_column(t, "requirement", NULL, TOOL_LEFT);
	tool_table_column(t, "test", NULL, TOOL_LEFT);
	tool_table_column(t, "level", NULL, TOOL_LEFT);
	tool_table_column(t, "subject", NULL, TOOL_LEFT);
	tool_table_column(t, "needs", NULL, TOOL_LEFT);
	tool_table_column(t, "what it shows", NULL, TOOL_LEFT);
	for (i = 0; i < n; i++) {
		const struct ht_requirement *r = ht_requirement_find(list[i]->requirement);
		uint32_t f = list[i]->flags;
		const char *needs = f & (HT_F_RESET | HT_F_LINK) ? "disruptive"
				    : f & HT_F_BAR	 ? "registers"
				    : f & HT_F_KERNEL	 ? "driver"
				    : f & HT_F_TWO_CHIPS ? "two chips"
							 : "";

		if (!ht_test_matches(list[i], globs, nglobs))
			continue;
		shown++;
		tool_table_row(t);
		tool_table_cell(t, "%s", list[i]->requirement);
		tool_table_cell(t, "%s", list[i]->name);
		tool_table_cell(t, "%s", r ? r->level : "?");
		tool_table_cell(t, "%s", r ? r->subject : "?");
		tool_table_cell(t, "%s", needs);
		tool_table_cell(t, "%s", list[i]->sentence);
		o = tool_json_append(a, tool_json_object());
		tool_json_str(o, "requirement", list[i]->requirement);
		tool_json_str(o, "test", list[i]->name);
		tool_json_str(o, "level", r ? r->level : NULL);
		tool_json_str(o, "subject", r ? r->subject : NULL);
		tool_json_str(o, "needs", *needs ? needs : NULL);
		tool_json_str(o, "sentence", list[i]->sentence);
	}
	if (json)
		rc = tool_json_write(doc, NULL);
	else if (shown)
		tool_table_print(t, stdout);
	tool_table_free(t);
	tool_json_free(doc);
	if (!shown) {
		tool_error("no test matches");
		return TOOL_USAGE;
	}
	return rc ? TOOL_ENV : TOOL_PASS;
}

int ht_list_requirements(bool json)
{
	const struct ht_test *list[HT_TESTS_MAX];
	unsigned int n = ht_tests_all(list, HT_TESTS_MAX), i, must = 0, tested = 0;
	struct tool_table *t = tool_table_new(NULL);
	struct json_object *doc = tool_json_object(), *a, *o, *names;
	size_t k;
	int rc = 0;

	tool_json_str(doc, "schema", "hsltest-requirements/1");
	a = tool_json_set(doc, "requirements", tool_json_array());
	tool_table_column(t, "requirement", NULL, TOOL_LEFT);
	tool_table_column(t, "level", NULL, TOOL_LEFT);
	tool_table_column(t, "subject", NULL, TOOL_LEFT);
	tool_table_column(t, "class", NULL, TOOL_LEFT);
	tool_table_column(t, "seen by", NULL, TOOL_LEFT);
	tool_table_column(t, "tests", NULL, TOOL_LEFT);
	for (k = 0; k < ht_requirement_count; k++) {
		const struct ht_requirement *r = &ht_requirements[k];
		char tests[256] = "";
		size_t used = 0;

		o = tool_json_append(a, tool_json_object());
		tool_json_str(o, "requirement", r->id);
		tool_json_str(o, "level", r->level);
		tool_json_str(o, "subject", r->subject);
		tool_json_str(o, "observability", r->observability);
		tool_json_str(o, "class", ht_class_name(ht_requirement_class(r)));
		tool_json_str(o, "sentence", r->sentence);
		names = tool_json_set(o, "tests", tool_json_array());
		for (i = 0; i < n; i++) {
			if (strcmp(list[i]->requirement, r->id))
				continue;
			tool_json_append(names, json_object_new_string(list[i]->name));
			if (used < sizeof(tests))
				used += (size_t)snprintf(tests + used, sizeof(tests) - used, "%s%s",
							 used ? ", " : "", list[i]->name);
		}
		if (!strcmp(r->level, "MUST") && !strcmp(r->observability, "S")) {
			must++;
			tested += used > 0;
		}
		tool_table_row(t);
		tool_table_cell(t, "%s", r->id);
		tool_table_cell(t, "%s", r->level);
		tool_table_cell(t, "%s", r->subject);
		tool_table_cell(t, "%s", ht_class_name(ht_requirement_class(r)));
		tool_table_cell(t, "%s",
				!strcmp(r->observability, "S")	 ? "software"
				: !strcmp(r->observability, "T") ? "trace"
				: !strcmp(r->observability, "C") ? "test facility"
								 : "declaration");
		tool_table_cell(t, "%s", used ? tests : "UNTESTED");
	}
	o = tool_json_set(doc, "summary", tool_json_object());
	tool_json_u64(o, "must_by_software", must);
	tool_json_u64(o, "tested", tested);
	if (json) {
		rc = tool_json_write(doc, NULL);
	} else {
		tool_table_print(t, stdout);
		printf("\n%zu requirements; of %u MUST that software can observe %u have a test, %u have none\n",
		       ht_requirement_count, must, tested, must - tested);
	}
	tool_table_free(t);
	tool_json_free(doc);
	return rc ? TOOL_ENV : TOOL_PASS;
}
