// SPDX-License-Identifier: MIT OR Apache-2.0
/* Results as CSV (RFC 4180): a line of names, a line for each result, absent values empty, objects' members as NAME.MEMBER. */
#include <stdio.h>
#include <string.h>

#include <json-c/json.h>

#include "output.h"

static void field(FILE *out, const char *s, bool first)
{
	if (!first)
		fputc(',', out);
	if (!strpbrk(s, ",\"\n\r")) {
		fputs(s, out);
		return;
	}
	fputc('"', out);
	for (; *s; s++) {
		if (*s == '"')
			fputc('"', out);
		fputc(*s, out);
	}
	fputc('"', out);
}

/* Names or values of one result. */
static void line(FILE *out, struct json_object *r, bool names)
{
	bool first = true;
	char name[128];

	json_object_object_foreach(r, key, v) {
		if (!json_object_is_type(v, json_type_object)) {
			field(out, names ? key : v ? json_object_get_string(v) : "", first);
			first = false;
			continue;
		}
		json_object_object_foreach(v, member, value) {
			snprintf(name, sizeof(name), "%s.%s", key, member);
			field(out, names ? name : value ? json_object_get_string(value) : "", first);
			first = false;
		}
	}
	fputs("\r\n", out);
}

static bool rows(FILE *out, struct json_object *doc)
{
	struct json_object *list = bench_get(doc, "results");

	for (size_t i = 0; i < json_object_array_length(list); i++) {
		if (!i)
			line(out, json_object_array_get_idx(list, i), true);
		line(out, json_object_array_get_idx(list, i), false);
	}
	return true;
}

int bench_csv(struct json_object *doc, const char *path)
{
	return bench_write(doc, path, rows);
}
