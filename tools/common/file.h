/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Whole files. */
#ifndef TOOL_FILE_H
#define TOOL_FILE_H

#include <stddef.h>

/* path NULL or "-": stdout. A file appears whole or not at all. 0 or -errno. */
int tool_file_write(const char *path, const char *text);
/* Before what takes long: says which of these n (NULL, "-": none) cannot be written; an exit code. */
int tool_files_check(const char *const *path, unsigned int n);
/* The whole file with a NUL behind it, to be freed; NULL with errno. */
char *tool_file_read(const char *path, size_t *len);

#endif
