// SPDX-License-Identifier: MIT OR Apache-2.0
/* A text made of a document is made in memory first: only all of it becomes a file. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "exit.h"
#include "file.h"
#include "output.h"

int bench_write(struct json_object *doc, const char *path, bool (*make)(FILE *out, struct json_object *doc))
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	bool made = out && make(out, doc);
	int rc = 0;

	if (!out || ferror(out))
		rc = -ENOMEM;
	if (out && fclose(out))
		rc = -errno;
	if (!rc && made)
		rc = tool_file_write(path, text);
	free(text);
	if (rc)
		return tool_not_written(path, rc);
	return !made ? TOOL_ENV : TOOL_PASS;
}
