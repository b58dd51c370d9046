/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Two documents compared: two chips, or two runs of one. Worse is what failed in B and not in A, whatever else it was there, and
 * what passed, did not apply or was not tested in A and has an error, a waiver or nothing decided in B. Better is what passed in B
 * and had been tested without passing in A. What only one of them tested is counted, and neither.
 */
#include <stdlib.h>
#include <string.h>

#include "doc.h"
#include "exit.h"
#include "html.h"
#include "markup.h"
#include "table.h"

/* 2: good, 1: bad, 0: not known. */
static int quality(const char *verdict)
{
	static const char *const good[] = { "pass", "passed", "not-applicable" }, *const bad[] = { "fail", "failed", "error", "waived",
												  "passed-with-waivers", "inconclusive" };

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		if (!strcmp(verdict, good[i]))
			return 2;
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (!strcmp(verdict, bad[i]))
			return 1;
	}
	return 0;
}

static bool good(const char *verdict)
{
	return quality(verdict) == 2;
}

static bool tested(const char *verdict)
{
	return *verdict && strcmp(verdict, "not-run");
}

/* Of a requirement or a class; "failed" is a class's. */
static bool failed(const char *verdict)
{
	return !strcmp(verdict, "fail") || !strcmp(verdict, "failed");
}

/* "", "worse", "better" or "changed"; a side that does not have it says "". */
static const char *change(const char *a, const char *b)
{
	int qa = quality(a), qb = quality(b);

	if (!strcmp(a, b) || (!tested(a) && !tested(b)))
		return "";
	if (failed(b) || (qb == 1 && qa != 1))
		return "worse";
	if (qb == 2 && qa != 2 && tested(a) && strcmp(b, "not-applicable"))
		return "better";
	return "changed";
}

static const char *or_dash(const char *s)
{
	return *s ? s : "-";
}

struct side {
	const char *key, *name; /* "requirements", "requirement" */
};

/* Called for each entry of a list in A's order, then for those that only B has. */
static void each(struct json_object *a, struct json_object *b, const struct side *s,
		 void (*fn)(void *arg, struct json_object *a, struct json_object *b, const char *name), void *arg)
{
	struct json_object *la = doc_get(a, s->key), *lb = doc_get(b, s->key);

	for (size_t i = 0; i < doc_len(la); i++) {
		const char *name = doc_str(doc_at(la, i), s->name);

		fn(arg, doc_at(la, i), doc_find(lb, s->name, name), name);
	}
	for (size_t i = 0; i < doc_len(lb); i++) {
		const char *name = doc_str(doc_at(lb, i), s->name);

		if (!doc_find(la, s->name, name))
			fn(arg, NULL, doc_at(lb, i), name);
	}
}

static const struct side requirements = { "requirements", "requirement" }, classes = { "classes", "class" };

/* ------------------------------------------------------------------ text */

struct print {
	struct tool_table *t;
	unsigned int worse, better, changed, same, only_a, only_b;
};

static void count(struct print *p, const char *how)
{
	p->worse += !strcmp(how, "worse");
	p->better += !strcmp(how, "better");
	p->changed += !strcmp(how, "changed");
	p->same += !*how;
}

static void print_one(void *arg, struct json_object *a, struct json_object *b, const char *name)
{
	const char *how = change(doc_str(a, "verdict"), doc_str(b, "verdict"));
	struct print *p = arg;

	if (*how && !strcmp(how, "changed") && tested(doc_str(a, "verdict")) != tested(doc_str(b, "verdict"))) {
		p->only_a += tested(doc_str(a, "verdict"));
		p->only_b += tested(doc_str(b, "verdict"));
		return;
	}
	count(p, how);
	if (!*how)
		return;
	tool_table_row(p->t);
	tool_table_cell(p->t, "%s", how);
	tool_table_cell(p->t, "%s", name);
	tool_table_cell(p->t, "%s", or_dash(doc_str(a, "verdict")));
	tool_table_cell(p->t, "%s", or_dash(doc_str(b, "verdict")));
	tool_table_text(p->t, "%s", good(doc_str(b, "verdict")) ? "" : doc_str(b, "evidence"));
}

static void print_class(void *arg, struct json_object *a, struct json_object *b, const char *name)
{
	struct tool_table *t = arg;

	tool_table_row(t);
	tool_table_cell(t, "%s", name);
	tool_table_cell(t, "%s", or_dash(doc_str(a, "verdict")));
	tool_table_cell(t, "%s", or_dash(doc_str(b, "verdict")));
}

static void print_head(char side, struct json_object *doc)
{
	struct json_object *env = doc_get(doc, "environment"), *suite = doc_get(doc, "suite"), *stated = doc_get(env, "stated");

	printf("%c  %s", side, doc_str(env, "fabric"));
	if (*doc_str(stated, "device"))
		printf(" (%s%s%s)", doc_str(stated, "vendor"), *doc_str(stated, "vendor") ? " " : "", doc_str(stated, "device"));
	printf(", %s, seed %llu, suite %s %s\n", doc_str(env, "ended"), (unsigned long long)doc_u64(env, "seed"), doc_str(suite, "version"),
	       doc_str(suite, "commit"));
}

static bool other_profile(struct json_object *a, struct json_object *b)
{
	return strcmp(doc_str(doc_get(a, "suite"), "profile_sha256"), doc_str(doc_get(b, "suite"), "profile_sha256"));
}

int ht_diff_print(struct json_object *a, struct json_object *b)
{
	struct tool_table *t = tool_table_new(NULL);
	struct print p = { .t = tool_table_new(NULL) };

	print_head('A', a);
	print_head('B', b);
	if (other_profile(a, b))
		printf("The two runs are of different texts of the profile.\n");
	putchar('\n');
	tool_table_column(t, "class", NULL, TOOL_LEFT);
	tool_table_column(t, "A", NULL, TOOL_LEFT);
	tool_table_column(t, "B", NULL, TOOL_LEFT);
	each(a, b, &classes, print_class, t);
	tool_table_print(t, stdout);
	putchar('\n');
	tool_table_column(p.t, "", NULL, TOOL_LEFT);
	tool_table_column(p.t, "requirement", NULL, TOOL_LEFT);
	tool_table_column(p.t, "A", NULL, TOOL_LEFT);
	tool_table_column(p.t, "B", NULL, TOOL_LEFT);
	each(a, b, &requirements, print_one, &p);
	if (tool_table_rows(p.t)) {
		tool_table_print(p.t, stdout);
		putchar('\n');
	}
	printf("%u requirements worse, %u better, %u otherwise different, %u the same", p.worse, p.better, p.changed, p.same);
	if (p.only_a || p.only_b)
		printf("; %u tested in A only, %u in B only", p.only_a, p.only_b);
	putchar('\n');
	tool_table_free(t);
	tool_table_free(p.t);
	return p.worse ? TOOL_FAIL : TOOL_PASS;
}

/* ------------------------------------------------------------------ a page */

struct page {
	FILE *f;
	enum ht_lang lang;
	bool only_changes;
};

static void page_side(struct page *p, struct json_object *o)
{
	if (*doc_str(o, "verdict"))
		ht_html_verdict(p->f, p->lang, doc_str(o, "verdict"));
	else
		fputs("–", p->f);
	if (!good(doc_str(o, "verdict")) && *doc_str(o, "evidence"))
		markup(p->f, "<div class=\"how\">%s</div>", ht_tr(p->lang, doc_str(o, "evidence")));
}

static void page_row(void *arg, struct json_object *a, struct json_object *b, const char *name)
{
	const char *how = change(doc_str(a, "verdict"), doc_str(b, "verdict"));
	struct page *p = arg;

	if (p->only_changes && (!*how || (!strcmp(how, "changed") && tested(doc_str(a, "verdict")) != tested(doc_str(b, "verdict")))))
		return;
	markup(p->f, "<tr><td class=\"id\">%s</td><td>%s</td><td>", ht_tr(p->lang, name), doc_str(b ? b : a, "sentence"));
	page_side(p, a);
	fputs("</td><td>", p->f);
	page_side(p, b);
	fputs("</td><td>", p->f);
	if (*how)
		ht_html_verdict(p->f, p->lang, how);
	fputs("</td></tr>\n", p->f);
}

static void page_table(struct page *p, struct json_object *a, struct json_object *b, const struct side *s, const char *title,
		       const char *first)
{
	const enum ht_lang lang = p->lang;

	markup(p->f, "<h2>%s</h2>\n<table><thead><tr><th>%s</th><th></th><th>A</th><th>B</th><th></th></tr></thead>\n<tbody>\n",
	       ht_tr(lang, title), ht_tr(lang, first));
	each(a, b, s, page_row, p);
	fputs("</tbody></table>\n", p->f);
}

static void page_run(FILE *f, enum ht_lang lang, const char *side, struct json_object *doc)
{
	struct json_object *env = doc_get(doc, "environment"), *suite = doc_get(doc, "suite"), *stated = doc_get(env, "stated");

	markup(f, "<tr><td>%s</td><td>%s %s %s</td><td>%s</td><td>%s</td><td class=\"n\">%u</td><td>%s <span class=\"id\">%s</span></td></tr>\n",
	       side, doc_str(stated, "vendor"), doc_str(stated, "device"), doc_str(env, "fabric"), ht_tr(lang, doc_str(env, "backend")),
	       doc_str(env, "ended"), (unsigned int)doc_u64(env, "seed"), doc_str(suite, "version"), doc_str(suite, "commit"));
}

char *ht_html_diff(struct json_object *a, struct json_object *b, enum ht_lang lang)
{
	const char *title = ht_tr(lang, "HSL Emulated Profile: two reports compared");
	struct page p = { .lang = lang };
	char *text = NULL;
	size_t len;

	p.f = open_memstream(&text, &len);
	if (!p.f)
		return NULL;
	ht_html_head(p.f, lang, title);
	markup(p.f, "<header><h1>%s</h1></header>\n<table><thead><tr><th></th><th>%s</th><th>%s</th><th>%s</th><th class=\"n\">%s</th><th>%s</th></tr></thead>\n<tbody>\n",
	       title, ht_tr(lang, "Device under test"), ht_tr(lang, "Backend"), ht_tr(lang, "End"), ht_tr(lang, "Seed"), ht_tr(lang, "Suite"));
	page_run(p.f, lang, "A", a);
	page_run(p.f, lang, "B", b);
	fputs("</tbody></table>\n", p.f);
	if (other_profile(a, b))
		markup(p.f, "<div class=\"notice\">%s</div>\n", ht_tr(lang, "The two runs are of different texts of the profile."));
	page_table(&p, a, b, &classes, "Classes", "Class");
	p.only_changes = true;
	page_table(&p, a, b, &requirements, "Requirements whose verdict differs", "Requirement");
	ht_html_foot(p.f, lang, b);
	if (fclose(p.f)) {
		free(text);
		return NULL;
	}
	return text;
}
