/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A thin layer on json-c for the tools' --json: one document, null where absent, 64-bit integers exact, doubles as the
 * shortest digits that read back the same, NaN and infinity null, strings always valid UTF-8 (bytes that are not
 * become '?').
 */
#ifndef TOOL_JSON_H
#define TOOL_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct json_object;		/* <json-c/json.h> has more; mixing is fine */

struct json_object *tool_json_object(void);
struct json_object *tool_json_array(void);
/* Sets o[key]; o NULL adds nothing and frees the value. Returns value, so that children can be filled after. */
struct json_object *tool_json_set(struct json_object *o, const char *key,
				  struct json_object *value);
struct json_object *tool_json_append(struct json_object *array, struct json_object *value);
struct json_object *tool_json_string(const char *s);	/* a value of its own */
void tool_json_str(struct json_object *o, const char *key, const char *s);	/* NULL: null */
void tool_json_u64(struct json_object *o, const char *key, uint64_t v);
void tool_json_i64(struct json_object *o, const char *key, int64_t v);
void tool_json_bool(struct json_object *o, const char *key, bool v);
void tool_json_double(struct json_object *o, const char *key, double v);
void tool_json_null(struct json_object *o, const char *key);
/* Writes the document and a newline. path NULL or "-": stdout. A file appears whole or not at all. 0 or -errno. */
int tool_json_write(struct json_object *doc, const char *path);
/* Writes the document on one line, and flushes: for streams of documents. */
void tool_json_line(struct json_object *doc, FILE *out);
void tool_json_free(struct json_object *o);

#endif
