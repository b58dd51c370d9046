// SPDX-License-Identifier: MIT OR Apache-2.0
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "exit.h"
#include "file.h"

static int write_stream(FILE *out, const char *text)
{
	errno = 0;
	if (fputs(text, out) < 0 || fflush(out))
		return errno ? -errno : -EIO;
	return 0;
}

static int write_plain(const char *path, const char *text)
{
	FILE *out = fopen(path, "we");
	int rc;

	if (!out)
		return -errno;
	rc = write_stream(out, text);
	if (fclose(out) && !rc)
		rc = -errno;
	return rc;
}

static int write_atomic(const char *path, const char *text)
{
	char *tmp = tool_printf("%s.XXXXXX", path);
	mode_t mask = umask(0);
	FILE *out = NULL;
	int fd, rc;

	umask(mask);
	fd = mkostemp(tmp, O_CLOEXEC);
	if (fd < 0) {
		rc = -errno;
		goto free_tmp;
	}
	out = fdopen(fd, "w");
	if (!out) {
		rc = -errno;
		close(fd);
		goto remove;
	}
	rc = write_stream(out, text);
	if (!rc && (fchmod(fd, 0666 & ~mask) || (fsync(fd) && errno != EINVAL)))
		rc = -errno;
	if (fclose(out) && !rc)
		rc = -errno;
	if (!rc && rename(tmp, path))
		rc = -errno;
remove:
	if (rc)
		unlink(tmp);
free_tmp:
	free(tmp);
	return rc;
}

int tool_file_write(const char *path, const char *text)
{
	struct stat st;
	char *real;
	int rc;

	if (!path || !strcmp(path, "-"))
		return write_stream(stdout, text);
	/* a pipe, terminal or device is written as it is; a symbolic link keeps pointing to the file */
	if (!stat(path, &st) && !S_ISREG(st.st_mode))
		return write_plain(path, text);
	real = realpath(path, NULL);
	rc = write_atomic(real ? real : path, text);
	free(real);
	return rc;
}

static int may_write(const char *path)
{
	char *dir = NULL;
	struct stat st;
	int rc;

	if (!stat(path, &st) && !S_ISREG(st.st_mode))
		return S_ISDIR(st.st_mode) ? -EISDIR : access(path, W_OK) ? -errno : 0;
	/* a file is made beside it */
	dir = realpath(path, NULL);
	dir = dir ? dir : tool_printf("%s", path);
	rc = access(dirname(dir), W_OK | X_OK) ? -errno : 0;
	free(dir);
	return rc;
}

int tool_files_check(const char *const *path, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		int rc = path[i] && strcmp(path[i], "-") ? may_write(path[i]) : 0;

		if (!rc)
			continue;
		tool_error("%s: %s", path[i], strerror(-rc));
		return TOOL_ENV;
	}
	return TOOL_PASS;
}

char *tool_file_read(const char *path, size_t *len)
{
	FILE *f = fopen(path, "rbe");
	size_t room = 1 << 16, n;
	char *p = NULL, *bigger;

	*len = 0;
	if (!f)
		return NULL;
	do {
		room *= 2;
		bigger = realloc(p, room + 1);
		if (!bigger)
			break;
		p = bigger;
		n = fread(p + *len, 1, room - *len, f);
		*len += n;
	} while (*len == room);
	if (!bigger || ferror(f)) {
		free(p);
		p = NULL;
		errno = bigger ? EIO : ENOMEM;
	} else {
		p[*len] = 0;
	}
	fclose(f);
	return p;
}
