// SPDX-License-Identifier: MIT OR Apache-2.0
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "exit.h"
#include "file.h"
#include "json.h"

#define FORMAT	(JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED | JSON_C_TO_STRING_NOSLASHESCAPE)

static struct json_object *made(struct json_object *o)
{
	if (!o) {
		tool_error("out of memory");
		exit(TOOL_ENV);
	}
	return o;
}

struct json_object *tool_json_object(void)
{
	return made(json_object_new_object());
}

struct json_object *tool_json_array(void)
{
	return made(json_object_new_array());
}

struct json_object *tool_json_set(struct json_object *o, const char *key, struct json_object *value)
{
	if (!o)
		json_object_put(value);
	else if (json_object_object_add(o, key, value))
		made(NULL);
	return o ? value : NULL;
}

struct json_object *tool_json_append(struct json_object *array, struct json_object *value)
{
	if (json_object_array_add(array, value))
		made(NULL);
	return value;
}

/* Length of the well-formed UTF-8 sequence at s (RFC 3629), 0 if there is none. */
static unsigned int utf8_len(const unsigned char *s)
{
	unsigned int n, min2 = 0x80, max2 = 0xbf;

	if (s[0] < 0x80)
		return 1;
	if (s[0] < 0xc2 || s[0] > 0xf4)
		return 0;
	n = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	/* overlong forms, surrogates, beyond U+10FFFF */
	if (s[0] == 0xe0)
		min2 = 0xa0;
	else if (s[0] == 0xed)
		max2 = 0x9f;
	else if (s[0] == 0xf0)
		min2 = 0x90;
	else if (s[0] == 0xf4)
		max2 = 0x8f;
	if (s[1] < min2 || s[1] > max2)
		return 0;
	for (unsigned int i = 2; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	return n;
}

struct json_object *tool_json_string(const char *s)
{
	char *copy = tool_printf("%s", s);
	struct json_object *v;

	for (char *p = copy; *p; ) {
		unsigned int n = utf8_len((unsigned char *)p);

		if (!n)
			*p = '?';
		p += n ? n : 1;
	}
	v = made(json_object_new_string(copy));
	free(copy);
	return v;
}

void tool_json_str(struct json_object *o, const char *key, const char *s)
{
	if (s)
		tool_json_set(o, key, tool_json_string(s));
	else
		tool_json_null(o, key);
}

void tool_json_u64(struct json_object *o, const char *key, uint64_t v)
{
	tool_json_set(o, key, made(json_object_new_uint64(v)));
}

void tool_json_i64(struct json_object *o, const char *key, int64_t v)
{
	tool_json_set(o, key, made(json_object_new_int64(v)));
}

void tool_json_bool(struct json_object *o, const char *key, bool v)
{
	tool_json_set(o, key, made(json_object_new_boolean(v)));
}

void tool_json_double(struct json_object *o, const char *key, double v)
{
	char buf[40];

	if (!isfinite(v)) {
		tool_json_null(o, key);
		return;
	}
	if (v == floor(v) && fabs(v) < 9007199254740992.0) {
		tool_json_i64(o, key, (int64_t)v);
		return;
	}
	for (int digits = 1; digits <= 17; digits++) {
		snprintf(buf, sizeof(buf), "%.*g", digits, v);
		if (strtod(buf, NULL) == v)
			break;
	}
	tool_json_set(o, key, made(json_object_new_double_s(v, buf)));
}

void tool_json_null(struct json_object *o, const char *key)
{
	tool_json_set(o, key, NULL);
}

void tool_json_free(struct json_object *o)
{
	json_object_put(o);
}

int tool_json_write(struct json_object *doc, const char *path)
{
	const char *text = json_object_to_json_string_ext(doc, FORMAT);
	char *line;
	int rc;

	if (!text)
		return -ENOMEM;
	line = tool_printf("%s\n", text);
	rc = tool_file_write(path, line);
	free(line);
	return rc;
}

void tool_json_line(struct json_object *doc, FILE *out)
{
	fprintf(out, "%s\n", json_object_to_json_string_ext(doc, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	fflush(out);
}
