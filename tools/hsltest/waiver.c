/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A waiver says that a failure is known, who answers for it and until when. One a line, four fields:
 *
 *	# name | owner | until (YYYY-MM-DD, or -) | reason
 *	copy_overlap | Li Wei, Example Inc. | 2027-03-31 | erratum 12: overlapping COPY of more than 1 MiB
 *
 * The name is a test or a requirement. It excuses a failure and nothing else: what was not tested stays untested. An entry
 * that is malformed, names nothing, comes twice or is over is an error, so that a list cannot rot.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exit.h"
#include "file.h"
#include "flit_test.h"
#include "run.h"

static bool known(const char *name)
{
	const struct ht_test *list[HT_TESTS_MAX];
	unsigned int n = ht_tests_all(list, HT_TESTS_MAX), i;

	if (ht_requirement_find(name))
		return true;
	n += ht_flit_tests(list + n, HT_TESTS_MAX - n);
	for (i = 0; i < n; i++) {
		if (!strcmp(list[i]->name, name))
			return true;
	}
	return false;
}

static bool is_date(const char *s)
{
	unsigned int y, m, d;
	int end = 0;

	return sscanf(s, "%4u-%2u-%2u%n", &y, &m, &d, &end) == 3 && end == 10 && !s[10] && m >= 1 && m <= 12 && d >= 1 && d <= 31;
}

/* The text before the next '|' of *line, without blanks around it; "" at the end. */
static const char *field(char **line)
{
	char *s = *line ? *line : "", *end, *bar = *line ? strchr(*line, '|') : NULL;

	*line = bar ? bar + 1 : NULL;
	if (bar)
		*bar = 0;
	s += strspn(s, " \t");
	end = s + strlen(s);
	while (end > s && strchr(" \t\r", end[-1]))
		*--end = 0;
	return s;
}

static const char *fill(char *buf, size_t len, const char *s, const char *what)
{
	if (!*s || strlen(s) >= len)
		return what;
	memcpy(buf, s, strlen(s) + 1);
	return NULL;
}

static const char *parse(char *line, const char *today, struct ht_waiver *w)
{
	const char *bad;

	bad = fill(w->name, sizeof(w->name), field(&line), "a name is missing or too long");
	if (!bad)
		bad = fill(w->owner, sizeof(w->owner), field(&line), "an owner is missing or too long");
	if (!bad)
		bad = fill(w->until, sizeof(w->until), field(&line), "a date is missing");
	/* the reason is the rest, bars too */
	if (!bad && line)
		line += strspn(line, " \t");
	if (!bad)
		bad = fill(w->reason, sizeof(w->reason), line ? line : "", "a reason is missing or too long");
	if (!bad && strcmp(w->until, "-") && !is_date(w->until))
		bad = "the date is neither YYYY-MM-DD nor -";
	if (!bad && strcmp(w->until, "-") && strcmp(w->until, today) < 0)
		bad = "it is over";
	if (!bad && !known(w->name))
		bad = "no test or requirement has this name";
	return bad;
}

int ht_waivers_read(const char *path, const char *today, struct ht_waivers *w)
{
	unsigned int number = 0, i;
	char *text, *line, *next;
	const char *bad;
	bool ok = true;
	size_t len;

	memset(w, 0, sizeof(*w));
	text = tool_file_read(path, &len);
	if (!text) {
		tool_error("%s: %s", path, strerror(errno));
		return TOOL_ENV;
	}
	w->list = tool_calloc(len / 2 + 1, sizeof(*w->list));
	for (line = text; line; line = next) {
		struct ht_waiver *e = &w->list[w->n];

		number++;
		next = strchr(line, '\n');
		if (next)
			*next++ = 0;
		line += strspn(line, " \t\r");
		if (!*line || *line == '#')
			continue;
		e->line = number;
		bad = parse(line, today, e);
		for (i = 0; i < w->n && !bad; i++) {
			if (!strcmp(w->list[i].name, e->name))
				bad = "this name comes twice";
		}
		if (bad) {
			tool_error("%s, line %u: %s%s%s%s", path, number, bad, e->name[0] ? " (" : "", e->name,
				   e->name[0] ? ")" : "");
			ok = false;
		}
		w->n++;
	}
	free(text);
	return ok ? TOOL_PASS : TOOL_USAGE;
}

void ht_waivers_apply(struct ht_waivers *w, struct ht_result *r)
{
	unsigned int i;

	if (r->verdict != HT_FAIL)
		return;
	for (i = 0; i < w->n; i++) {
		if (strcmp(w->list[i].name, r->test->name) && strcmp(w->list[i].name, r->test->requirement))
			continue;
		r->verdict = HT_WAIVED;
		r->waiver = &w->list[i];
		w->list[i].used = true;
		return;
	}
}
