/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Reading a document (document.c), which may come from a file: what is missing or of another type is empty. */
#ifndef HSLTEST_DOC_H
#define HSLTEST_DOC_H

#include <stdint.h>

#include <json-c/json.h>

static inline struct json_object *doc_get(struct json_object *o, const char *key)
{
	struct json_object *v = NULL;

	if (!json_object_is_type(o, json_type_object))
		return NULL;
	json_object_object_get_ex(o, key, &v);
	return v;
}

static inline const char *doc_str(struct json_object *o, const char *key)
{
	struct json_object *v = doc_get(o, key);

	return json_object_is_type(v, json_type_string) ? json_object_get_string(v) : "";
}

static inline uint64_t doc_u64(struct json_object *o, const char *key)
{
	struct json_object *v = doc_get(o, key);

	return json_object_is_type(v, json_type_int) ? json_object_get_uint64(v) : 0;
}

static inline int doc_bool(struct json_object *o, const char *key)
{
	struct json_object *v = doc_get(o, key);

	return json_object_is_type(v, json_type_boolean) && json_object_get_boolean(v);
}

static inline size_t doc_len(struct json_object *a)
{
	return json_object_is_type(a, json_type_array) ? json_object_array_length(a) : 0;
}

static inline struct json_object *doc_at(struct json_object *a, size_t i)
{
	return json_object_array_get_idx(a, i);
}

/* The entry of a list whose key has this value. */
static inline struct json_object *doc_find(struct json_object *a, const char *key, const char *value)
{
	for (size_t i = 0; i < doc_len(a); i++) {
		const char *s = doc_str(doc_at(a, i), key), *w = value;

		while (*s && *s == *w) {
			s++;
			w++;
		}
		if (*s == *w)
			return doc_at(a, i);
	}
	return NULL;
}

#endif
