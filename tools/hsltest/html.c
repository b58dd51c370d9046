/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The report as a page: one file that needs no other, readable on a screen and on paper, in colour and without. It says nothing
 * that the document does not hold, and it never says more: what was not tested stands where what passed stands.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "doc.h"
#include "dut.h"
#include "html.h"
#include "markup.h"
#include "size.h"

static const char style[] =
	":root{--ink:#1c2430;--soft:#5b6675;--line:#d6dbe2;--wash:#f5f7f9;--pass:#176b3a;--fail:#b3151b;--warn:#8a5a00;--none:#4c5665}\n"
	"*{box-sizing:border-box}\n"
	"body{margin:0 auto;padding:28px 32px 48px;max-width:1120px;color:var(--ink);background:#fff;font:14px/1.5 \"Noto Sans\","
	"\"Segoe UI\",\"Helvetica Neue\",Arial,\"Noto Sans CJK SC\",\"Source Han Sans SC\",\"PingFang SC\",\"Microsoft YaHei\",sans-serif}\n"
	"header{border-bottom:3px solid var(--ink);padding-bottom:14px;margin-bottom:18px}\n"
	"h1{font-size:25px;line-height:1.25;margin:0 0 4px}\n"
	"h2{font-size:17px;margin:34px 0 8px;padding-bottom:3px;border-bottom:1px solid var(--line)}\n"
	"h3{font-size:14px;margin:22px 0 6px}\n"
	"p{margin:6px 0}.soft{color:var(--soft)}.whole{white-space:nowrap;font-size:12px}.sub{font-size:15px;color:var(--soft);margin:0}\n"
	"code,pre,.id{font-family:\"Noto Sans Mono\",\"DejaVu Sans Mono\",Consolas,Menlo,monospace;font-size:12px}\n"
	"code{overflow-wrap:anywhere}pre{background:var(--wash);border:1px solid var(--line);padding:8px 10px;white-space:pre-wrap;margin:6px 0}\n"
	".id{white-space:nowrap}a{color:inherit}\n"
	"table{border-collapse:collapse;width:100%;margin:6px 0 10px}\n"
	"th,td{text-align:left;vertical-align:top;padding:4px 10px 4px 0;border-bottom:1px solid var(--line)}\n"
	"thead th{color:var(--soft);font-weight:600;font-size:12px;border-bottom:1.5px solid var(--ink)}\n"
	"td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}\n"
	"table.kv th{font-weight:400;color:var(--soft);width:21%;white-space:nowrap}\n"
	"table.req td:nth-child(1){width:124px}table.req td:nth-child(3){width:104px}table.req td:nth-child(4){width:68px}\n"
	"table.req td{font-size:13px}.how{margin-top:3px;font-size:12px;color:var(--soft);overflow-wrap:anywhere}\n"
	".v{display:inline-block;border:1px solid;border-radius:3px;padding:0 6px;font-size:12px;font-weight:600;white-space:nowrap;line-height:1.55}\n"
	".v.pass,.v.passed{color:var(--pass);background:#eaf5ee}\n"
	".v.fail,.v.failed,.v.error{color:#fff;background:var(--fail);border-color:var(--fail)}\n"
	".v.inconclusive,.v.waived,.v.passed-with-waivers,.v.incomplete,.v.worse,.v.contradiction{color:var(--warn);background:#fdf4e0}\n"
	".v.better{color:var(--pass)}.v.skip,.v.not-run,.v.not-applicable,.v.changed{color:var(--none);background:#fff;border-style:dashed}\n"
	".cards{display:flex;gap:12px;margin:0 0 6px;flex-wrap:wrap}\n"
	".card{flex:1 1 190px;border:1px solid var(--line);border-left:6px solid var(--none);padding:10px 14px;break-inside:avoid}\n"
	".card.passed{border-left-color:var(--pass)}.card.failed{border-left-color:var(--fail)}\n"
	".card.incomplete,.card.passed-with-waivers{border-left-color:#c98a12}\n"
	".card b{display:block;font-size:15px}.card .big{font-size:19px;font-weight:700;margin:1px 0}\n"
	".card.passed .big{color:var(--pass)}.card.failed .big{color:var(--fail)}.card.incomplete .big,.card.passed-with-waivers .big{color:var(--warn)}\n"
	".bar{display:flex;height:9px;margin-top:5px;min-width:120px;border:1px solid var(--line);background:#fff}\n"
	".bar i{display:block}.bar .pass{background:#3c9a63}.bar .fail,.bar .error{background:var(--fail)}.bar .waived,.bar .inconclusive{background:#d9a441}\n"
	".bar .not-applicable{background:#c3cad3}\n"
	".notice{background:var(--wash);border:1px solid var(--line);border-left:6px solid #c98a12;padding:8px 14px;margin:10px 0}\n"
	"footer{margin-top:36px;padding-top:8px;border-top:1px solid var(--line);color:var(--soft);font-size:12px}\n"
	".grid{display:grid;grid-template-columns:repeat(auto-fill,minmax(300px,1fr));gap:0 28px}\n"
	"@page{size:A4;margin:15mm 13mm 16mm;@bottom-right{content:counter(page) \" / \" counter(pages);font:9pt sans-serif;color:#5b6675}}\n"
	"@media print{body{padding:0;max-width:none;font-size:10pt;print-color-adjust:exact;-webkit-print-color-adjust:exact}"
	"h2,h3{break-after:avoid}h2.page{break-before:page}tr,.card,.notice{break-inside:avoid}thead{display:table-header-group}"
	"table.req td{font-size:8.6pt}code,pre,.id{font-size:7.8pt}.how{font-size:7.8pt}}\n";

#define T(s) ht_tr(lang, s)

void ht_html_head(FILE *f, enum ht_lang lang, const char *title)
{
	fputs("<!DOCTYPE html>\n", f);
	markup(f, "<html lang=\"%s\">\n<head>\n<meta charset=\"utf-8\">\n", lang == HT_ZH_CN ? "zh-CN" : "en");
	fputs("<meta name=\"viewport\" content=\"width=device-width\">\n", f);
	markup(f, "<title>%s</title>\n<style>\n", title);
	fputs(style, f);
	fputs("</style>\n</head>\n<body>\n", f);
}

void ht_html_foot(FILE *f, enum ht_lang lang, struct json_object *doc)
{
	struct json_object *suite = doc_get(doc, "suite");

	markup(f, "<footer>%s %s · %s · %s</footer>\n</body>\n</html>\n", doc_str(suite, "name"), doc_str(suite, "version"),
	       doc_str(suite, "profile"),
	       T("HEP is a profile of its project. This report claims HEP and nothing else; it makes no claim about HSL 1.0."));
}

void ht_html_verdict(FILE *f, enum ht_lang lang, const char *verdict)
{
	markup(f, "<span class=\"v %s\">%s</span>", verdict, T(verdict));
}

/* A row "name: value"; no row without a value. */
static void row(FILE *f, const char *name, const char *value)
{
	if (*value)
		markup(f, "<tr><th>%s</th><td>%s</td></tr>\n", name, value);
}

static void row_code(FILE *f, const char *name, const char *value)
{
	if (*value)
		markup(f, "<tr><th>%s</th><td><code>%s</code></td></tr>\n", name, value);
}

static void duration(FILE *f, uint64_t ns)
{
	if (ns >= 1000000000u)
		fprintf(f, "%.1f s", (double)ns / 1e9);
	else
		fprintf(f, "%.1f ms", (double)ns / 1e6);
}

/* "64", or "64 / 100" of so many; a document of before has no whole. */
static void row_count(FILE *f, const char *name, uint64_t n, uint64_t whole)
{
	char text[64];

	if (n < whole)
		snprintf(text, sizeof(text), "%" PRIu64 " / %" PRIu64, n, whole);
	else
		snprintf(text, sizeof(text), "%" PRIu64, n);
	row(f, name, text);
}

/* ------------------------------------------------------------------ sections */

static void cards(FILE *f, enum ht_lang lang, struct json_object *doc)
{
	struct json_object *classes = doc_get(doc, "classes");

	fputs("<div class=\"cards\">\n", f);
	for (size_t i = 0; i < doc_len(classes); i++) {
		struct json_object *c = doc_at(classes, i), *n = doc_get(c, "count");
		const char *verdict = doc_str(c, "verdict"), *name = doc_str(c, "class");
		uint64_t must = doc_u64(c, "must"), pass = doc_u64(n, "pass"), fail = doc_u64(n, "fail"), waived = doc_u64(n, "waived"),
			 na = doc_u64(n, "not-applicable");

		markup(f, "<div class=\"card %s\"><b>%s</b><div class=\"big\">%s</div><div class=\"soft\">", verdict, T(name), T(verdict));
		fprintf(f, T("%llu of %llu MUST passed"), (unsigned long long)pass, (unsigned long long)must);
		if (fail)
			fprintf(f, " · %llu %s", (unsigned long long)fail, T("failed"));
		if (waived)
			fprintf(f, " · %llu %s", (unsigned long long)waived, T("waived"));
		if (na)
			fprintf(f, " · %llu %s", (unsigned long long)na, T("not applicable"));
		if (pass + fail + waived + na < must)
			fprintf(f, " · %llu %s", (unsigned long long)(must - pass - fail - waived - na), T("not tested"));
		fputs("</div></div>\n", f);
	}
	fputs("</div>\n", f);
}

static void notices(FILE *f, enum ht_lang lang, struct json_object *doc)
{
	struct json_object *env = doc_get(doc, "environment");

	if (doc_bool(doc_get(doc, "summary"), "interrupted"))
		markup(f, "<div class=\"notice\">%s</div>\n", T("The run was ended early. What had been tested until then is reported; the rest counts as not tested."));
	if (!strcmp(doc_str(env, "backend"), "sim"))
		markup(f, "<div class=\"notice\">%s</div>\n",
		       T("The device under test is an emulation inside the test program, without a driver: this report is about the emulation."));
	markup(f, "<p class=\"soft\">%s</p>\n",
	       T("A class is passed when every MUST of it was tested and passed or does not apply; it is incomplete while one is untested. "
		 "HEP-Link and HEP-Coherent include HEP-Base. A requirement is passed when all its tests passed."));
}

static void run_section(FILE *f, enum ht_lang lang, struct json_object *doc)
{
	struct json_object *env = doc_get(doc, "environment"), *suite = doc_get(doc, "suite"), *stated = doc_get(env, "stated");
	char text[96];

	markup(f, "<h2>%s</h2>\n<table class=\"kv\">\n", T("Test run"));
	snprintf(text, sizeof(text), "hsltest %s", doc_str(suite, "version"));
	row(f, T("Suite"), text);
	row_code(f, T("Commit of the suite"), doc_str(suite, "commit"));
	row(f, T("Profile"), doc_str(suite, "profile"));
	row_code(f, T("SHA-256 of the profile's text"), doc_str(suite, "profile_sha256"));
	snprintf(text, sizeof(text), "%" PRIu64, doc_u64(env, "seed"));
	row(f, T("Seed"), text);
	row_count(f, T("Rounds"), doc_get(env, "rounds_done") ? doc_u64(env, "rounds_done") : doc_u64(env, "rounds"),
		  doc_u64(env, "rounds"));
	row(f, T("Extent"), T(doc_str(env, "effort")));
	/* an emulation has no other users: there they need no option */
	row(f, T("Tests that reset chips"), doc_bool(env, "disruptive") || !strcmp(doc_str(env, "backend"), "sim") ? T("included") : T("not included"));
	row(f, T("Start"), doc_str(env, "started"));
	row(f, T("End"), doc_str(env, "ended"));
	row_code(f, T("Command"), doc_str(env, "command"));
	row(f, T("Host"), doc_str(env, "host"));
	row(f, T("Tester (as stated)"), doc_str(stated, "tester"));
	row(f, T("Note (as stated)"), doc_str(stated, "note"));
	fputs("</table>\n", f);
}

static void peers(FILE *f, enum ht_lang lang, struct json_object *chip)
{
	struct json_object *links = doc_get(chip, "links");

	for (size_t i = 0; i < doc_len(links); i++) {
		struct json_object *l = doc_at(links, i);

		if (!doc_u64(l, "peer"))
			continue;
		fprintf(f, "%s%llu → ", i ? "<br>" : "", (unsigned long long)doc_u64(l, "link"));
		markup(f, "%s ", T(doc_str(l, "peer_type")));
		fprintf(f, "%llu, ", (unsigned long long)doc_u64(l, "peer"));
		markup(f, "%s", doc_str(l, "state"));
		fprintf(f, " ×%llu, %g GT/s", (unsigned long long)doc_u64(l, "width"), (double)doc_u64(l, "rate_mtps") / 1000);
	}
}

static const char *or_unknown(enum ht_lang lang, const char *s)
{
	return *s ? s : T("not reported");
}

/* What a link end has said in its HELLO. */
static void link_rows(FILE *f, enum ht_lang lang, struct json_object *l)
{
	static const char *const vcs[] = { "REQ", "RSP", "SNP", "DAT", "MGMT" };
	struct json_object *slots = doc_get(l, "rx_slots");
	char size[TOOL_SIZE_LEN];

	row(f, T("Wrong in its HELLO"), doc_str(l, "wrong"));
	if (!doc_u64(l, "lanes"))
		return;
	fprintf(f, "<tr><th>%s</th><td>%llu → %llu, ×%llu, %g GT/s</td></tr>\n", T("Node, peer; widest, fastest"), (unsigned long long)doc_u64(l, "node"),
		(unsigned long long)doc_u64(l, "peer"), (unsigned long long)doc_u64(l, "lanes"), (double)doc_u64(l, "rate_mtps") / 1000);
	fprintf(f, "<tr><th>%s</th><td>b %llu, W %llu, R %llu, u %llu;", T("Link layer"), (unsigned long long)doc_u64(l, "seq_bits"),
		(unsigned long long)doc_u64(l, "replay_flits"), (unsigned long long)doc_u64(l, "reorder"), (unsigned long long)doc_u64(l, "credit_shift"));
	for (size_t i = 0; i < sizeof(vcs) / sizeof(vcs[0]); i++)
		fprintf(f, " %s %llu", vcs[i], (unsigned long long)doc_u64(slots, vcs[i]));
	fprintf(f, "</td></tr>\n<tr><th>%s</th><td>%s</td></tr>\n", T("Open memory"), tool_size_format(doc_u64(l, "open_bytes"), size, sizeof(size)));
}

static void dut_section(FILE *f, enum ht_lang lang, struct json_object *doc)
{
	struct json_object *dut = doc_get(doc, "dut"), *chips = doc_get(dut, "chips"),
			   *env = doc_get(doc, "environment"), *stated = doc_get(env, "stated");
	static const char *const keys[] = { "vendor", "device", "serial", "firmware", "peer" };
	static const char *const names[] = { "Vendor (as stated)", "Device (as stated)", "Serial number (as stated)", "Firmware (as stated)",
					     "Peer (as stated)" };
	char size[TOOL_SIZE_LEN];

	markup(f, "<h2>%s</h2>\n<table class=\"kv\">\n", T("Device under test"));
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		row(f, T(names[i]), doc_str(stated, keys[i]));
	row_code(f, T("Reached through"), doc_str(dut, "name"));
	row(f, T("Backend"), T(doc_str(dut, "backend")));
	if (doc_get(dut, "link")) {
		link_rows(f, lang, doc_get(dut, "link"));
		fputs("</table>\n", f);
		return;
	}
	row(f, T("Driver interface"), doc_str(dut, "driver_abi"));
	row_code(f, T("Fabric id"), doc_str(dut, "fabric_id"));
	row_count(f, T("Chips"), doc_len(chips), doc_u64(env, "chips_present"));
	if (doc_len(chips) < doc_u64(env, "chips_present"))
		markup(f, "<tr><th></th><td>%s</td></tr>\n", T("The fabric has more chips than a run tests: this report is about the first ones."));
	fputs("</table>\n", f);
	markup(f, "<table><thead><tr><th>%s</th><th>%s</th><th>%s</th><th>%s</th><th>%s</th><th class=\"n\">%s</th><th class=\"n\">%s</th>"
		  "<th>%s</th></tr></thead>\n<tbody>\n",
	       T("Node"), T("Bus address, driver"), T("Vendor:device, revision"), T("Serial number"), T("HEP"), T("Memory"), T("Queues"),
	       T("Links and peers"));
	for (size_t i = 0; i < doc_len(chips); i++) {
		struct json_object *c = doc_at(chips, i);
		const char *vendor = doc_str(c, "vendor");

		fprintf(f, "<tr><td>%llu</td>", (unsigned long long)doc_u64(c, "node"));
		markup(f, "<td>%s<br>%s</td>", or_unknown(lang, doc_str(c, "bus_addr")), doc_str(c, "driver"));
		if (*vendor)
			markup(f, "<td>%s:%s, %s</td>", vendor, doc_str(c, "device"), doc_str(c, "revision"));
		else
			markup(f, "<td>%s</td>", T("not reported"));
		markup(f, "<td>%s</td><td>%s</td>", or_unknown(lang, doc_str(c, "serial")), doc_str(c, "hep"));
		fprintf(f, "<td class=\"n\">%s</td><td class=\"n\">%llu × %llu</td><td>", tool_size_format(doc_u64(c, "mem_bytes"), size, sizeof(size)),
			(unsigned long long)doc_u64(c, "queues"), (unsigned long long)doc_u64(c, "max_depth"));
		peers(f, lang, c);
		fputs("</td></tr>\n", f);
	}
	fputs("</tbody></table>\n", f);
}

static void pics_row(FILE *f, enum ht_lang lang, struct json_object *o)
{
	const char *wrong = doc_str(o, "contradiction"), *verdict = doc_str(o, "verdict");

	markup(f, "<tr><td class=\"id\">%s</td><td>%s<div class=\"how\">%s</div></td><td class=\"id\">%s</td>", doc_str(o, "item"), T(doc_str(o, "feature")),
	       T(doc_str(o, "status")), doc_str(o, "found_in"));
	markup(f, "<td>%s</td><td>%s</td><td>", T(doc_str(o, "claim")), T(doc_str(o, "answer")));
	if (*verdict) {
		ht_html_verdict(f, lang, verdict);
		markup(f, "<div class=\"how\">%s</div>", doc_str(o, "decided_by"));
	}
	if (*wrong) {
		fputs("<div>", f);
		ht_html_verdict(f, lang, "contradiction");
		markup(f, " %s</div>", wrong);
	}
	fputs("</td></tr>\n", f);
}

/* The form of what is implemented, as the device, its maker and the tests fill it in. */
static void pics_section(FILE *f, enum ht_lang lang, struct json_object *doc)
{
	struct json_object *pics = doc_get(doc, "pics"), *list = doc_get(pics, "items");

	if (!pics) /* a document of before */
		return;
	markup(f, "<h2>%s</h2>\n<p class=\"soft\">%s</p>\n", T("Implementation statement (PICS)"),
	       T("The form of section 14.2 of the profile: what the device claims where software reads it, what its maker answers, and the gravest verdict "
		 "of the requirements that are about it. What is not claimed is not tested and does not count against it."));
	if (!doc_bool(pics, "answered"))
		markup(f, "<p class=\"soft\">%s</p>\n", T("No answers of the maker were given (--pics)."));
	if (doc_u64(pics, "contradictions")) {
		markup(f, "<div class=\"notice\">%s ", T("Statements that contradict each other or the tests:"));
		fprintf(f, "%llu</div>\n", (unsigned long long)doc_u64(pics, "contradictions"));
	}
	markup(f, "<table class=\"pics\"><thead><tr><th>%s</th><th>%s</th><th>%s</th><th>%s</th><th>%s</th><th>%s</th></tr></thead>\n<tbody>\n", T("Item"),
	       T("Feature"), T("Found in"), T("The device says"), T("Its maker says"), T("Tests"));
	for (size_t i = 0; i < doc_len(list); i++)
		pics_row(f, lang, doc_at(list, i));
	fputs("</tbody></table>\n", f);
}

static const char *const shown[] = { "pass", "fail", "error", "waived", "inconclusive", "skip", "not-run", "not-applicable" };
#define NSHOWN (sizeof(shown) / sizeof(shown[0]))

/* True for the first requirement of its layer. */
static bool first_of_layer(struct json_object *reqs, size_t i)
{
	const char *layer = doc_str(doc_at(reqs, i), "layer");

	for (size_t k = 0; k < i; k++) {
		if (!strcmp(doc_str(doc_at(reqs, k), "layer"), layer))
			return false;
	}
	return true;
}

static void layers_section(FILE *f, enum ht_lang lang, struct json_object *doc)
{
	struct json_object *reqs = doc_get(doc, "requirements");

	markup(f, "<h2>%s</h2>\n<table><thead><tr><th>%s</th><th>%s</th>", T("Requirements by layer"), T("Layer"), "");
	for (size_t v = 0; v < NSHOWN; v++)
		markup(f, "<th class=\"n\">%s</th>", T(shown[v]));
	markup(f, "<th class=\"n\">%s</th></tr></thead>\n<tbody>\n", T("all"));
	for (size_t i = 0; i < doc_len(reqs); i++) {
		const char *layer = doc_str(doc_at(reqs, i), "layer");
		unsigned int n[NSHOWN] = { 0 }, all = 0;

		if (!first_of_layer(reqs, i))
			continue;
		for (size_t k = i; k < doc_len(reqs); k++) {
			if (strcmp(doc_str(doc_at(reqs, k), "layer"), layer))
				continue;
			all++;
			for (size_t v = 0; v < NSHOWN; v++)
				n[v] += !strcmp(doc_str(doc_at(reqs, k), "verdict"), shown[v]);
		}
		markup(f, "<tr><td><a href=\"#%s\"><span class=\"id\">%s</span> %s</a></td><td><div class=\"bar\">", layer, layer, T(layer));
		for (size_t v = 0; v < NSHOWN; v++) {
			if (n[v])
				fprintf(f, "<i class=\"%s\" style=\"width:%.1f%%\"></i>", shown[v], 100.0 * n[v] / all);
		}
		fputs("</div></td>", f);
		for (size_t v = 0; v < NSHOWN; v++) {
			if (n[v])
				fprintf(f, "<td class=\"n\">%u</td>", n[v]);
			else
				fputs("<td class=\"n soft\">·</td>", f);
		}
		fprintf(f, "<td class=\"n\">%u</td></tr>\n", all);
	}
	fputs("</tbody></table>\n", f);
}

static void failures_section(FILE *f, enum ht_lang lang, struct json_object *doc)
{
	struct json_object *results = doc_get(doc, "results");
	bool any = false;

	for (size_t i = 0; i < doc_len(results); i++) {
		struct json_object *r = doc_at(results, i);
		const char *verdict = doc_str(r, "verdict");

		if (strcmp(verdict, "fail") && strcmp(verdict, "error") && strcmp(verdict, "waived"))
			continue;
		if (!any)
			markup(f, "<h2>%s</h2>\n", T("Failures"));
		any = true;
		markup(f, "<h3><span class=\"id\">%s</span> %s ", doc_str(r, "requirement"), doc_str(r, "test"));
		ht_html_verdict(f, lang, verdict);
		markup(f, "</h3>\n<p>%s</p>\n<pre>%s</pre>\n", doc_str(r, "sentence"), doc_str(r, "reason"));
		if (*doc_str(r, "dump"))
			markup(f, "<p class=\"soft\">%s</p>\n<pre>%s</pre>\n", T("What the test shows, or chips and links at that time"), doc_str(r, "dump"));
		if (doc_u64(r, "runs") > 1)
			markup(f, "<p>%s: %u / %u</p>\n", T("Rounds that failed"), (unsigned int)doc_u64(r, "failures"),
			       (unsigned int)doc_u64(r, "runs"));
		markup(f, "<p class=\"how\">%s: <code>%s</code></p>\n", T("To see it again"), doc_str(r, "reproduce"));
	}
}

static void requirement_row(FILE *f, enum ht_lang lang, struct json_object *q)
{
	struct json_object *tests = doc_get(q, "tests");

	markup(f, "<tr id=\"%s\"><td><span class=\"id\">%s</span><br><span class=\"soft whole\">%s · %s</span></td><td>%s<div class=\"how\">",
	       doc_str(q, "requirement"), doc_str(q, "requirement"), doc_str(q, "level"), T(doc_str(q, "class")), doc_str(q, "sentence"));
	markup(f, "%s: %s", T("Evidence"), T(doc_str(q, "evidence")));
	if (doc_len(tests)) {
		markup(f, "<br>%s: ", T("Tests"));
		for (size_t i = 0; i < doc_len(tests); i++)
			markup(f, "%s%s", i ? ", " : "", json_object_get_string(doc_at(tests, i)));
	}
	if (*doc_str(q, "reproduce"))
		markup(f, "<br><code>%s</code>", doc_str(q, "reproduce"));
	fputs("</div></td><td>", f);
	ht_html_verdict(f, lang, doc_str(q, "verdict"));
	fputs("</td><td class=\"n\">", f);
	if (doc_u64(q, "duration_ns"))
		duration(f, doc_u64(q, "duration_ns"));
	fputs("</td></tr>\n", f);
}

static void requirements_section(FILE *f, enum ht_lang lang, struct json_object *doc)
{
	struct json_object *reqs = doc_get(doc, "requirements");

	markup(f, "<h2 class=\"page\">%s</h2>\n", T("Requirements"));
	if (lang != HT_EN)
		markup(f, "<p class=\"soft\">%s</p>\n", T("The text of the requirements is normative in English."));
	for (size_t i = 0; i < doc_len(reqs); i++) {
		const char *layer = doc_str(doc_at(reqs, i), "layer");

		if (!first_of_layer(reqs, i))
			continue;
		markup(f, "<h3 id=\"%s\">%s · %s</h3>\n", layer, layer, T(layer));
		markup(f, "<table class=\"req\"><thead><tr><th>%s</th><th>%s</th><th>%s</th><th class=\"n\">%s</th></tr></thead>\n<tbody>\n",
		       T("Requirement"), T("Text, evidence, how to repeat"), T("Verdict"), T("Time"));
		for (size_t k = i; k < doc_len(reqs); k++) {
			if (!strcmp(doc_str(doc_at(reqs, k), "layer"), layer))
				requirement_row(f, lang, doc_at(reqs, k));
		}
		fputs("</tbody></table>\n", f);
	}
}

static void waivers_section(FILE *f, enum ht_lang lang, struct json_object *doc)
{
	struct json_object *list = doc_get(doc, "waivers");

	if (!doc_len(list))
		return;
	markup(f, "<h2>%s</h2>\n<table><thead><tr><th>%s</th><th>%s</th><th>%s</th><th>%s</th><th>%s</th></tr></thead>\n<tbody>\n",
	       T("Waivers"), T("Test or requirement"), T("Owner"), T("Until"), T("Reason"), T("Used"));
	for (size_t i = 0; i < doc_len(list); i++) {
		struct json_object *w = doc_at(list, i);

		markup(f, "<tr><td class=\"id\">%s</td><td>%s</td><td>%s</td><td>%s</td><td>%s</td></tr>\n", doc_str(w, "name"),
		       doc_str(w, "owner"), *doc_str(w, "until") ? doc_str(w, "until") : T("no end"), doc_str(w, "reason"),
		       doc_bool(w, "used") ? T("yes") : T("no"));
	}
	fputs("</tbody></table>\n", f);
}

static void verdicts_section(FILE *f, enum ht_lang lang)
{
	static const char *const what[NSHOWN] = {
		"every test of it ran and passed",
		"a test saw it violated",
		"the suite itself failed; nothing is known",
		"it failed, and a waiver with reason and owner says that this is known",
		"a test ran, and what it saw decides nothing",
		"a test of it could not run here, the evidence says why",
		"no test of this run judges it, or not every test of it was run",
		"it is about a feature that the chip does not claim",
	};

	markup(f, "<h2>%s</h2>\n<table>\n", T("What the verdicts mean"));
	for (size_t v = 0; v < NSHOWN; v++) {
		fputs("<tr><td>", f);
		ht_html_verdict(f, lang, shown[v]);
		markup(f, "</td><td>%s</td></tr>\n", T(what[v]));
	}
	fputs("</table>\n", f);
}

char *ht_html(struct json_object *doc, enum ht_lang lang)
{
	struct json_object *stated = doc_get(doc_get(doc, "environment"), "stated");
	const char *title = T("HSL Emulated Profile: conformance report");
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return NULL;
	ht_html_head(f, lang, title);
	markup(f, "<header><h1>%s</h1>\n<p class=\"sub\">", title);
	if (*doc_str(stated, "vendor") || *doc_str(stated, "device"))
		markup(f, "%s %s · ", doc_str(stated, "vendor"), doc_str(stated, "device"));
	markup(f, "%s · %s</p></header>\n", doc_str(doc_get(doc, "dut"), "name"), doc_str(doc_get(doc, "environment"), "ended"));
	cards(f, lang, doc);
	notices(f, lang, doc);
	dut_section(f, lang, doc);
	run_section(f, lang, doc);
	layers_section(f, lang, doc);
	failures_section(f, lang, doc);
	waivers_section(f, lang, doc);
	pics_section(f, lang, doc);
	verdicts_section(f, lang);
	requirements_section(f, lang, doc);
	ht_html_foot(f, lang, doc);
	if (fclose(f)) {
		free(text);
		return NULL;
	}
	return text;
}
