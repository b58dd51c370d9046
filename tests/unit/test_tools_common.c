// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * tools/common: sizes, durations, tables, JSON: known answers, and what has to be refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <glob.h>
#include <math.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <json-c/json.h>

#include "exit.h"
#include "json.h"
#include "size.h"
#include "table.h"

static void test_size_good(void **state)
{
	static const struct { const char *s; uint64_t v; } good[] = {
		{ "0", 0 }, { "1", 1 }, { "8B", 8 }, { "8b", 8 }, { "4096", 4096 }, { "0x1000", 4096 }, { "4K", 4096 }, { "4k", 4096 },
		{ "4KiB", 4096 }, { "64MiB", 64ull << 20 }, { "64mib", 64ull << 20 }, { "3G", 3ull << 30 }, { "1T", 1ull << 40 },
		{ "1P", 1ull << 50 }, { "15E", 15ull << 60 }, { "18446744073709551615", UINT64_MAX }, { "0xffffffffffffffff", UINT64_MAX },
		{ "16383P", 16383ull << 50 },
	};
	uint64_t v;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		v = 1;
		assert_int_equal(tool_size_parse(good[i].s, &v), 0);
		assert_true(v == good[i].v);
	}
}

static void test_size_bad(void **state)
{
	static const struct { const char *s; int rc; } bad[] = {
		{ "", -EINVAL }, { "K", -EINVAL }, { "-1", -EINVAL }, { "+1", -EINVAL }, { " 1", -EINVAL }, { "1 ", -EINVAL },
		{ "1 K", -EINVAL }, { "4KB", -EINVAL }, { "4MB", -EINVAL }, { "4Ki", -EINVAL }, { "4KiBx", -EINVAL }, { "4KK", -EINVAL },
		{ "1.5K", -EINVAL }, { "0x", -EINVAL }, { "0xg", -EINVAL }, { "0x 1", -EINVAL }, { "4X", -EINVAL },
		{ "18446744073709551616", -ERANGE }, { "16E", -ERANGE }, { "16384P", -ERANGE }, { "18014398509481984K", -ERANGE },
	};
	uint64_t v = 77;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(tool_size_parse(bad[i].s, &v), bad[i].rc);
		assert_int_equal(v, 77);
	}
}

static void test_numbers(void **state)
{
	uint64_t v = 77;

	(void)state;
	assert_int_equal(tool_u64_parse("10", 1, 10, &v), 0);
	assert_int_equal(v, 10);
	assert_int_equal(tool_u64_parse("0x10", 0, UINT64_MAX, &v), 0);
	assert_int_equal(v, 16);
	assert_int_equal(tool_u64_parse("11", 1, 10, &v), -ERANGE);
	assert_int_equal(tool_u64_parse("0", 1, 10, &v), -ERANGE);
	assert_int_equal(tool_u64_parse("5K", 1, 10, &v), -EINVAL);
	assert_int_equal(tool_u64_parse("", 0, 10, &v), -EINVAL);
	assert_int_equal(v, 16);
}

static void test_duration(void **state)
{
	uint64_t ns = 77;

	(void)state;
	assert_int_equal(tool_duration_parse("2", &ns), 0);
	assert_true(ns == 2000000000ull);
	assert_int_equal(tool_duration_parse("1.5s", &ns), 0);
	assert_true(ns == 1500000000ull);
	assert_int_equal(tool_duration_parse("100ms", &ns), 0);
	assert_true(ns == 100000000ull);
	assert_int_equal(tool_duration_parse("250us", &ns), 0);
	assert_true(ns == 250000ull);
	assert_int_equal(tool_duration_parse("60h", &ns), 0);
	assert_true(ns == 60ull * 3600 * 1000000000);
	assert_int_equal(tool_duration_parse("1e300s", &ns), -ERANGE);
	assert_int_equal(tool_duration_parse("3000000h", &ns), -ERANGE);
	assert_int_equal(tool_duration_parse("", &ns), -EINVAL);
	assert_int_equal(tool_duration_parse("-1s", &ns), -EINVAL);
	assert_int_equal(tool_duration_parse("nan", &ns), -EINVAL);
	assert_int_equal(tool_duration_parse("0x10", &ns), -EINVAL);
	assert_int_equal(tool_duration_parse("5 s", &ns), -EINVAL);
	assert_int_equal(tool_duration_parse("5days", &ns), -EINVAL);
	assert_true(ns == 60ull * 3600 * 1000000000);
}

static void test_size_list(void **state)
{
	uint64_t v[8];

	(void)state;
	assert_int_equal(tool_size_list_parse("64K", v, 8), 1);
	assert_int_equal(v[0], 65536);
	/* the order given is kept */
	assert_int_equal(tool_size_list_parse("1M,64,8:32", v, 8), 5);
	assert_int_equal(v[0], 1 << 20);
	assert_int_equal(v[1], 64);
	assert_int_equal(v[2], 8);
	assert_int_equal(v[3], 16);
	assert_int_equal(v[4], 32);
	/* the end is always there */
	assert_int_equal(tool_size_list_parse("3:20", v, 8), 4);
	assert_int_equal(v[2], 12);
	assert_int_equal(v[3], 20);
	assert_int_equal(tool_size_list_parse("5:5", v, 8), 1);
	/* at the top nothing wraps */
	assert_int_equal(tool_size_list_parse("0x8000000000000000:0xffffffffffffffff", v, 8), 2);
	assert_true(v[1] == UINT64_MAX);
	assert_int_equal(tool_size_list_parse("1:256", v, 8), -E2BIG);
	assert_int_equal(tool_size_list_parse("1:128", v, 8), 8);
	assert_int_equal(tool_size_list_parse("4:2", v, 8), -ERANGE);
	assert_int_equal(tool_size_list_parse("0:2", v, 8), -ERANGE);
	assert_int_equal(tool_size_list_parse("", v, 8), -EINVAL);
	assert_int_equal(tool_size_list_parse("1,,2", v, 8), -EINVAL);
	assert_int_equal(tool_size_list_parse("1,", v, 8), -EINVAL);
	assert_int_equal(tool_size_list_parse("1:2:3", v, 8), -EINVAL);
	assert_int_equal(tool_size_list_parse(":2", v, 8), -EINVAL);
}

static void test_format(void **state)
{
	static const struct { uint64_t v; const char *s; } sizes[] = {
		{ 0, "0 B" }, { 1, "1 B" }, { 1000, "1000 B" }, { 1024, "1 KiB" }, { 65536, "64 KiB" }, { 65537, "65537 B" },
		{ 3ull << 30, "3 GiB" }, { 1ull << 63, "8 EiB" }, { UINT64_MAX, "18446744073709551615 B" },
	};
	static const struct { double v; const char *s; } counts[] = {
		{ 0, "0" }, { 1, "1" }, { 999, "999" }, { 1234567, "1.23M" }, { 12345, "12.3k" }, { 999999, "1.00M" },
		{ 999499, "999k" }, { 2.5e9, "2.50G" }, { 0.5, "0.50" }, { 9.999, "10.0" },
	};
	char buf[TOOL_SIZE_LEN];

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		assert_string_equal(tool_size_format(sizes[i].v, buf, sizeof(buf)), sizes[i].s);
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		assert_string_equal(tool_count_format(counts[i].v, buf, sizeof(buf)), counts[i].s);
	assert_string_equal(tool_count_format(NAN, buf, sizeof(buf)), "-");
	assert_string_equal(tool_count_format(INFINITY, buf, sizeof(buf)), "-");
}

/* ---- tables ---- */

static char *printed(const struct tool_table *t)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	tool_table_print(t, out);
	fclose(out);
	return text;
}

static void test_table(void **state)
{
	struct tool_table *t = tool_table_new("Title");
	char *text;

	(void)state;
	tool_table_column(t, "name", NULL, TOOL_LEFT);
	tool_table_column(t, "speed", "GB/s", TOOL_RIGHT);
	tool_table_column(t, "note", NULL, TOOL_LEFT);
	tool_table_row(t);
	tool_table_cell(t, "%s", "a long name");
	tool_table_cell(t, "%.2f", 1.5);
	tool_table_cell(t, "%s", "ok");
	tool_table_row(t);
	tool_table_cell(t, "%s", "b");
	tool_table_cell(t, "%d", 123456);
	tool_table_blank(t);
	tool_table_row(t);
	tool_table_cell(t, "%s", "tab\there, \xc3\xa9");
	tool_table_text(t, "not run: %s", "a reason longer than any column");
	tool_table_note(t, "note %d", 1);
	assert_int_equal(tool_table_rows(t), 4);
	text = printed(t);
	assert_string_equal(text,
			    "Title\n"
			    "  name           speed  note\n"
			    "                  GB/s\n"
			    "  a long name     1.50  ok\n"
			    "  b             123456  -\n"
			    "\n"
			    "  tab?here, ??  not run: a reason longer than any column\n"
			    "  note 1\n");
	free(text);
	tool_table_free(t);
	tool_table_free(NULL);
}

static void test_table_large(void **state)
{
	struct tool_table *t = tool_table_new(NULL);
	char *text, *line;
	int n = 0;

	(void)state;
	tool_table_column(t, "n", NULL, TOOL_RIGHT);
	for (int i = 0; i < 1000; i++) {
		tool_table_row(t);
		tool_table_cell(t, "%d", i);
	}
	text = printed(t);
	/* right-aligned: all lines are equally long */
	for (line = strtok(text, "\n"); line; line = strtok(NULL, "\n"), n++)
		assert_int_equal(strlen(line), 5);
	assert_int_equal(n, 1001);
	free(text);
	tool_table_free(t);
}

/* ---- JSON ---- */

static char *plain(struct json_object *o)
{
	return strdup(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN));
}

static void test_json_values(void **state)
{
	struct json_object *o = tool_json_object(), *list;
	char *text;

	(void)state;
	tool_json_u64(o, "u", UINT64_MAX);
	tool_json_i64(o, "i", INT64_MIN);
	tool_json_double(o, "half", 0.5);
	tool_json_double(o, "third", 1.0 / 3);
	tool_json_double(o, "whole", 12345678901.0);
	tool_json_double(o, "tiny", 1e-300);
	tool_json_double(o, "tenth", 0.1);
	tool_json_double(o, "huge", 1e300);
	tool_json_double(o, "nan", NAN);
	tool_json_double(o, "inf", -INFINITY);
	tool_json_str(o, "none", NULL);
	tool_json_str(o, "s", "a\"b\\\n\x01");
	tool_json_bool(o, "yes", true);
	list = tool_json_set(o, "list", tool_json_array());
	tool_json_u64(tool_json_append(list, tool_json_object()), "x", 1);
	text = plain(o);
	assert_string_equal(text,
			    "{\"u\":18446744073709551615,\"i\":-9223372036854775808,\"half\":0.5,\"third\":0.3333333333333333,"
			    "\"whole\":12345678901,\"tiny\":1e-300,\"tenth\":0.1,\"huge\":1e+300,\"nan\":null,\"inf\":null,"
			    "\"none\":null,\"s\":\"a\\\"b\\\\\\n\\u0001\",\"yes\":true,\"list\":[{\"x\":1}]}");
	free(text);
	tool_json_free(o);
}

static void test_json_utf8(void **state)
{
	static const struct { const char *in, *out; } cases[] = {
		{ "gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f" }, { "\xe6\xb5\xb7\xe5\x85\x89", "\xe6\xb5\xb7\xe5\x85\x89" },
		{ "\xf0\x9f\x99\x82", "\xf0\x9f\x99\x82" }, { "a\xff" "b", "a?b" }, { "\xc3", "?" }, { "\xe6\xb5", "??" },
		{ "\xc0\xaf", "??" }, { "\xed\xa0\x80", "???" }, { "\xf4\x90\x80\x80", "????" }, { "\x80", "?" },
		{ "\xf0\x9f\x99", "???" }, { "\xe0\x80\x80", "???" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct json_object *o = tool_json_object(), *v;

		tool_json_str(o, "s", cases[i].in);
		assert_true(json_object_object_get_ex(o, "s", &v));
		assert_string_equal(json_object_get_string(v), cases[i].out);
		tool_json_free(o);
	}
}

static void test_json_write(void **state)
{
	char dir[] = "/tmp/hsl-test-XXXXXX", *path, *link, *missing;
	struct json_object *o = tool_json_object(), *back;
	struct stat st;
	mode_t mask = umask(022);

	(void)state;
	assert_non_null(mkdtemp(dir));
	assert_true(asprintf(&path, "%s/out.json", dir) > 0);
	assert_true(asprintf(&link, "%s/link", dir) > 0);
	assert_true(asprintf(&missing, "%s/no/out.json", dir) > 0);
	tool_json_str(o, "schema", "x/1");
	assert_int_equal(tool_json_write(o, path), 0);
	/* again, over what is there, through a link that stays one */
	assert_int_equal(symlink("out.json", link), 0);
	tool_json_u64(o, "n", 2);
	assert_int_equal(tool_json_write(o, link), 0);
	assert_int_equal(lstat(link, &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0644);
	back = json_object_from_file(path);
	assert_true(json_object_equal(o, back));
	tool_json_free(back);
	/* nothing is left where it could not be written */
	assert_int_equal(tool_json_write(o, missing), -ENOENT);
	assert_int_equal(tool_json_write(o, dir), -EISDIR);
	assert_int_equal(tool_json_write(o, "/dev/full"), -ENOSPC);
	assert_int_equal(tool_json_write(o, "/dev/null"), 0);
	assert_int_equal(stat("/dev/null", &st), 0);
	assert_true(S_ISCHR(st.st_mode));
	assert_int_equal(unlink(link), 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(dir), 0);	/* so there was no temporary file either */
	umask(mask);
	free(path);
	free(link);
	free(missing);
	tool_json_free(o);
}

/* Killed in the middle of the file, by its size limit. */
static void writer_dies(struct json_object *doc, const char *path)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid) {
		setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
		signal(SIGXFSZ, SIG_DFL);
		setrlimit(RLIMIT_FSIZE, &(struct rlimit){ 1000, 1000 });
		_exit(tool_json_write(doc, path) != 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGXFSZ);
}

/* A document is the old one, or none, until all of the new one is there. */
static void test_json_killed(void **state)
{
	char dir[] = "/tmp/hsl-test-XXXXXX", *path, *left;
	struct json_object *small = tool_json_object(), *large = tool_json_object(), *list, *back;
	struct stat st;
	glob_t g;

	(void)state;
	assert_non_null(mkdtemp(dir));
	assert_true(asprintf(&path, "%s/out.json", dir) > 0);
	assert_true(asprintf(&left, "%s/out.json.*", dir) > 0);
	list = tool_json_set(large, "numbers", tool_json_array());
	for (int i = 0; i < 10000; i++)
		json_object_array_add(list, json_object_new_int(i));
	writer_dies(large, path);
	assert_int_equal(stat(path, &st), -1);
	tool_json_str(small, "schema", "x/1");
	assert_int_equal(tool_json_write(small, path), 0);
	writer_dies(large, path);
	back = json_object_from_file(path);
	assert_true(json_object_equal(small, back));
	tool_json_free(back);
	/* what it had written is elsewhere */
	assert_int_equal(glob(left, 0, NULL, &g), 0);
	assert_int_equal(g.gl_pathc, 2);
	for (size_t i = 0; i < g.gl_pathc; i++)
		unlink(g.gl_pathv[i]);
	globfree(&g);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(dir), 0);
	free(path);
	free(left);
	tool_json_free(small);
	tool_json_free(large);
}

/* A closed descriptor has to become /dev/null: where that cannot be opened, it is said. */
static void test_begin(void **state)
{
	char text[256] = "";
	int status, err[2];
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(err), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		dup2(err[1], STDERR_FILENO);
		close(STDIN_FILENO);
		setrlimit(RLIMIT_NOFILE, &(struct rlimit){ 0, 0 });
		tool_begin("hsltool");
		_exit(TOOL_PASS);
	}
	close(err[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == TOOL_ENV);
	assert_true(read(err[0], text, sizeof(text) - 1) > 0);
	text[strcspn(text, "\n")] = '\0'; /* the compiler's counters have no descriptor either, and say so */
	assert_string_equal(text, "hsltool: /dev/null, instead of a closed descriptor 0: Too many open files");
	close(err[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_size_good),
		cmocka_unit_test(test_size_bad),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_duration),
		cmocka_unit_test(test_size_list),
		cmocka_unit_test(test_format),
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_table_large),
		cmocka_unit_test(test_json_values),
		cmocka_unit_test(test_json_utf8),
		cmocka_unit_test(test_json_write),
		cmocka_unit_test(test_json_killed),
		cmocka_unit_test(test_begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
