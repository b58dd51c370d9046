/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* hsltest: arguments, and what each verb does with them. */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <json-c/json.h>

#include "dut.h"
#include "exit.h"
#include "file.h"
#include "json.h"
#include "pics.h"
#include "size.h"
#include "stop.h"

static const char help[] =
	"usage: hsltest run  [options] [GLOB...]\n"
	"       hsltest list [--requirements] [--json] [GLOB...]\n"
	"       hsltest report A.json [B.json] [--html FILE] [--junit FILE]\n"
	"       hsltest check-trace [--complete] FILE.pcapng\n"
	"\n"
	"Tests a fabric against the HSL Emulated Profile (HEP) 1.0, requirement by requirement.\n"
	"GLOB selects tests by requirement, group or name: 'HEP-TXN-*', SEC, 'copy_*'.\n"
	"\n"
	"run\n"
	"  -f, --dut URL         what to test: /dev/hsl0, sim:mesh4, ... (also --fabric;\n"
	"                        default: $HSL_FABRIC, first device)\n"
	"      --quick, --full   shorter, longer than usual\n"
	"      --seed N          of data and choices  (default: 1)\n"
	"      --repeat N        N rounds, each with the next seed\n"
	"      --timeout S       seconds without progress that end a test, instead of its own (60 for most)\n"
	"      --stop-on-fail    end at the first failure\n"
	"      --disruptive      also the tests that reset chips under everybody (root)\n"
	"      --bring-up PROG   'PROG BUS-ADDRESS' sets up a chip that was taken from its maker's driver\n"
	"      --waivers FILE    failures that are known: name | owner | until | reason\n"
	"      --trace FILE      also judge a capture of links made before, as check-trace does\n"
	"      --pics FILE       answers of the maker to the PICS form: {\"C4\": true, \"X1\": \"10 ms\"}\n"
	"      --set KEY=VALUE   for the report: vendor, device, serial, firmware, peer, tester, note\n"
	"  shown:    --table (on a terminal), --tap (in a pipe), --json\n"
	"  written:  --json FILE.json   --junit FILE   --html FILE [--lang en|zh_CN]\n"
	"list\n"
	"  -f, --dut URL         the tests for this kind of device\n"
	"      --requirements    every requirement with its class and tests; UNTESTED where there is none\n"
	"      --json\n"
	"report: of one run again as --html or --junit, or how B differs from A\n"
	"check-trace: a capture of links (docs/capture.md), by the requirements that show in it; TAP\n"
	"      --complete        nothing is under way at its end: what is not answered never was\n"
	"  -h, --help   -V, --version\n"
	"\n"
	"Tests of registers need root and the kernel option iomem=relaxed; without, they are skipped\n"
	"and say so. Ctrl-C ends early and reports what was tested, in every format.\n"
	"Exit status: 0 all that ran passed, 1 a test failed or interrupted, 2 usage, 3 no usable\n"
	"fabric, 77 every test was skipped.\n";

enum { OPT_SEED = 256, OPT_DISRUPTIVE, OPT_LIMIT, OPT_TAP, OPT_TABLE, OPT_JSON, OPT_REQUIREMENTS, OPT_COMPLETE, OPT_REPEAT,
       OPT_STOP, OPT_JUNIT, OPT_HTML, OPT_LANG, OPT_QUICK, OPT_FULL, OPT_WAIVERS, OPT_SET,
       OPT_TRACE, OPT_BRING_UP, OPT_PICS };

static const struct option options[] = {
	{ "fabric", required_argument, NULL, 'f' },
	{ "dut", required_argument, NULL, 'f' },
	{ "seed", required_argument, NULL, OPT_SEED },
	{ "repeat", required_argument, NULL, OPT_REPEAT },
	{ "disruptive", no_argument, NULL, OPT_DISRUPTIVE },
	{ "bring-up", required_argument, NULL, OPT_BRING_UP },
	{ "timeout", required_argument, NULL, OPT_LIMIT },
	{ "time-limit", required_argument, NULL, OPT_LIMIT },
	{ "stop-on-fail", no_argument, NULL, OPT_STOP },
	{ "quick", no_argument, NULL, OPT_QUICK },
	{ "full", no_argument, NULL, OPT_FULL },
	{ "waivers", required_argument, NULL, OPT_WAIVERS },
	{ "set", required_argument, NULL, OPT_SET },
	{ "trace", required_argument, NULL, OPT_TRACE },
	{ "pics", required_argument, NULL, OPT_PICS },
	{ "tap", no_argument, NULL, OPT_TAP },
	{ "table", no_argument, NULL, OPT_TABLE },
	{ "json", optional_argument, NULL, OPT_JSON },
	{ "junit", required_argument, NULL, OPT_JUNIT },
	{ "html", required_argument, NULL, OPT_HTML },
	{ "lang", required_argument, NULL, OPT_LANG },
	{ "requirements", no_argument, NULL, OPT_REQUIREMENTS },
	{ "complete", no_argument, NULL, OPT_COMPLETE },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ 0 }
};

#define STATED_MAX 16

struct args {
	struct ht_config config;
	enum ht_format format;
	enum ht_lang lang;
	bool json, requirements, complete, stop_on_fail;
	unsigned int rounds;
	const char *json_file, *junit_file, *html_file, *waiver_file, *trace_file, *pics_file;
	char *stated[STATED_MAX];
	unsigned int nstated;
	char *command;
	/* the verb's operands */
	char **rest;
	int nrest;
};

static int no_device(const struct ht_config *c, const struct ht_probe *p)
{
	switch (p->rc) {
	case -EINVAL:
		return tool_usage("fabric %s: not a fabric that this library knows",
				  tool_fabric_name(c->url));
	case -EACCES:
		tool_error("fabric %s: no permission (the device node's group, or root)",
			   tool_fabric_name(c->url));
		break;
	case -EPROTO: tool_error_proto(tool_fabric_name(c->url)); break;
	case -EFAULT: tool_error("fabric %s: opening it crashed", tool_fabric_name(c->url)); break;
	default:
		tool_error("fabric %s: %s", tool_fabric_name(c->url),
			   p->rc ? strerror(-p->rc) : "it has no chip");
		break;
	}
	if (!strncmp(tool_fabric_name(c->url), "flit:", 5))
		fprintf(stderr, "Does the device listen there (docs/flit-socket.md)?\n");
	else
		fprintf(stderr, "'hslctl doctor' finds what is missing; -f sim:mesh4 needs no device\n");
	return TOOL_ENV;
}

static bool have_all(const struct ht_probe *p, uint64_t cap)
{
	unsigned int i;

	for (i = 0; i < p->nchips; i++) {
		if (!(p->chip[i].props.cap & cap))
			return false;
	}
	return true;
}

/* From results to outcomes of requirements and classes. */
static void judge(struct ht_report *rep, const struct ht_dut_kind *kind, const struct ht_test *const *all, unsigned int nall)
{
	unsigned int i;
	size_t k;
	int c;

	for (i = 0; i < rep->n; i++)
		rep->summary.count[rep->results[i].verdict]++;
	for (k = 0; k < ht_requirement_count; k++) {
		struct ht_outcome *o = &rep->outcomes[k];

		ht_outcome_of(&ht_requirements[k], rep->results, rep->n, all, nall, o);
		if (kind->unseen && !o->decider)
			snprintf(o->evidence, sizeof(o->evidence), "%s", kind->unseen);
	}
	for (c = 0; c < HT_CLASSES; c++) {
		bool claimed = rep->probe->has_hello ? c == HT_BASE || c == HT_LINK || (c == HT_COHERENT && rep->probe->hello.open_bytes)
			       : c == HT_COHERENT ? have_all(rep->probe, HSL_CAP_MODELLED)
			       : c == HT_DRIVER ? !strcmp(rep->probe->backend, "kernel")
						: true;

		ht_class_outcome_of((enum ht_class)c, claimed, rep->outcomes, &rep->classes[c]);
	}
	ht_classes_include(&rep->classes[HT_LINK], &rep->classes[HT_BASE]);
	ht_classes_include(&rep->classes[HT_COHERENT], &rep->classes[HT_BASE]);
}

static bool write_file(const char *path, char *text)
{
	int rc = text ? tool_file_write(path, text) : -ENOMEM;

	if (rc)
		tool_not_written(path, rc);
	free(text);
	return !rc;
}

static bool write_reports(const struct args *a, const struct ht_report *rep)
{
	struct json_object *doc;
	bool ok = true;
	int rc;

	if (!a->json && !a->junit_file && !a->html_file)
		return true;
	doc = ht_document(rep);
	if (a->json) {
		rc = tool_json_write(doc, a->json_file);
		if (rc)
			tool_not_written(a->json_file, rc);
		ok = !rc;
	}
	if (a->junit_file)
		ok &= write_file(a->junit_file, ht_junit(doc));
	if (a->html_file)
		ok &= write_file(a->html_file, ht_html(doc, a->lang));
	tool_json_free(doc);
	return ok;
}

static int today_waivers(const struct args *a, struct ht_waivers *w)
{
	time_t now = time(NULL);
	struct tm tm;
	char today[16];

	memset(w, 0, sizeof(*w));
	if (!a->waiver_file)
		return TOOL_PASS;
	gmtime_r(&now, &tm);
	strftime(today, sizeof(today), "%Y-%m-%d", &tm);
	return ht_waivers_read(a->waiver_file, today, w);
}

static int run(struct args *a)
{
	static struct ht_result traced[HT_TRACE_RESULTS];
	const struct ht_dut_kind *kind;
	const struct ht_test *all[HT_TESTS_MAX], *list[HT_TESTS_MAX];
	struct json_object *answers = NULL;
	struct ht_waivers waivers;
	struct ht_probe *probe;
	const char *const written[] = { a->json_file, a->junit_file, a->html_file };
	struct ht_report rep;
	unsigned int n, i, chosen = 0;
	int rc;

	rc = tool_files_check(written, 3);
	if (rc)
		return rc;
	rc = ht_dut_check_whole(a->config.url);
	if (rc)
		return rc;
	kind = ht_dut_kind(a->config.url);
	n = ht_dut_tests(a->config.url, all, HT_TESTS_MAX);
	for (i = 0; i < n; i++) {
		if (ht_test_matches(all[i], a->rest, a->nrest))
			list[chosen++] = all[i];
	}
	if (!chosen)
		return tool_usage("no test matches '%s'", a->rest[0]);
	if (a->trace_file) {
		rc = ht_trace_results(a->trace_file, traced);
		if (rc)
			return rc;
	}
	rc = today_waivers(a, &waivers);
	if (!rc && a->pics_file)
		rc = ht_pics_read(a->pics_file, &answers);
	if (rc)
		return rc;
	tool_stop_install();
	probe = tool_calloc(1, sizeof(*probe));
	ht_probe_fabric(&a->config, probe);
	if (probe->rc || !probe->nchips) {
		rc = no_device(&a->config, probe);
		tool_json_free(answers);
		free(probe);
		return rc;
	}
	rep = (struct ht_report){ .format = a->format, .config = &a->config, .probe = probe, .waivers = &waivers,
				  .stated = a->stated, .nstated = a->nstated, .command = a->command, .rounds = a->rounds, .n = chosen };
	rep.results = tool_calloc(chosen + HT_TRACE_RESULTS, sizeof(*rep.results));
	rep.outcomes = tool_calloc(ht_requirement_count, sizeof(*rep.outcomes));
	if (a->trace_file) {
		memcpy(rep.results + chosen, traced, sizeof(traced));
		rep.ntrace = HT_TRACE_RESULTS;
	}
	for (i = 0; i < probe->nchips; i++)
		tool_chip_failed(&probe->chip[i].props);
	ht_report_begin(&rep);
	ht_suite_run(&rep, list, a->stop_on_fail, &waivers);
	for (i = 0; i < rep.ntrace; i++) {
		ht_waivers_apply(&waivers, &rep.results[chosen + i]);
		ht_report_test(&rep, chosen * rep.rounds + i + 1, 0, &rep.results[chosen + i]);
	}
	rep.n += rep.ntrace;
	judge(&rep, kind, all, n);
	rep.answers = answers;
	rep.pics = ht_pics_json(&rep);
	ht_report_end(&rep);
	rc = write_reports(a, &rep) ? TOOL_PASS : TOOL_ENV;
	if (!rc && (rep.summary.count[HT_FAIL] || rep.summary.count[HT_ERROR] || rep.interrupted ||
		    (answers && ht_pics_contradictions(rep.pics))))
		rc = TOOL_FAIL;
	else if (!rc && !rep.summary.count[HT_PASS] && !rep.summary.count[HT_WAIVED])
		rc = TOOL_SKIP;
	free(rep.results);
	free(rep.outcomes);
	tool_json_free(rep.pics);
	tool_json_free(answers);
	free(waivers.list);
	free(probe);
	return tool_finish(rc);
}

static int report(const struct args *a)
{
	struct json_object *doc, *other = NULL;
	int rc = TOOL_PASS;

	if (a->nrest < 1 || a->nrest > 2)
		return tool_usage("report takes one document or two, as 'hsltest run --json' writes them");
	if (a->nrest == 1 && !a->html_file && !a->junit_file)
		return tool_usage("report of one document takes --html or --junit");
	if (a->nrest == 2 && a->junit_file)
		return tool_usage("--junit goes with one document");
	doc = ht_document_read(a->rest[0]);
	if (doc && a->nrest == 2)
		other = ht_document_read(a->rest[1]);
	if (!doc || (a->nrest == 2 && !other)) {
		tool_json_free(doc);
		return TOOL_ENV;
	}
	/* files first: whoever reads what is printed may have had enough */
	if (a->junit_file && !write_file(a->junit_file, ht_junit(doc)))
		rc = TOOL_ENV;
	if (a->html_file &&
	    !write_file(a->html_file, other ? ht_html_diff(doc, other, a->lang) : ht_html(doc, a->lang)))
		rc = TOOL_ENV;
	if (other && ht_diff_print(doc, other) == TOOL_FAIL && !rc)
		rc = TOOL_FAIL;
	tool_json_free(doc);
	tool_json_free(other);
	return tool_finish(rc);
}

/* What was typed, so that a shell takes it again. */
static char *quote(int argc, char **argv)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-./:=,+@%";
	size_t len = 1;
	char *s, *at;
	int i;

	for (i = 0; i < argc; i++)
		len += 4 * strlen(argv[i]) + 3;
	s = at = tool_calloc(len, 1);
	for (i = 0; i < argc; i++) {
		const char *c = i ? argv[i] : "hsltest";

		if (i)
			*at++ = ' ';
		if (*c && strspn(c, plain) == strlen(c)) {
			at = stpcpy(at, c);
			continue;
		}
		*at++ = '\'';
		for (; *c; c++) {
			if (*c == '\'')
				at = stpcpy(at, "'\\''");
			else
				*at++ = *c;
		}
		*at++ = '\'';
	}
	*at = 0;
	return s;
}

static bool ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), k = strlen(end);

	return n >= k && !strcmp(s + n - k, end);
}

/* Only these, so that a typing error is not a statement. */
static bool stated_known(const char *s)
{
	static const char *const keys[] = { "vendor=", "device=", "serial=", "firmware=", "peer=", "tester=", "note=" };
	size_t i;

	for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		if (!strncmp(s, keys[i], strlen(keys[i])))
			return true;
	}
	return false;
}

static int number_option(const char *name, const char *s, uint64_t min, uint64_t max, const char *unit, uint64_t *v)
{
	if (tool_u64_parse(s, min, max, v))
		return tool_usage("--%s %s: not %" PRIu64 " to %" PRIu64 "%s", name, s, min, max, unit);
	return TOOL_PASS;
}

static int parse(int argc, char **argv, struct args *a)
{
	uint64_t v;
	int c, rc;

	opterr = 0;
	while ((c = getopt_long(argc, argv, "f:hV", options, NULL)) != -1) {
		rc = TOOL_PASS;
		switch (c) {
		case 'f': a->config.url = optarg; break;
		case OPT_SEED:
			if (tool_u64_parse(optarg, 0, UINT64_MAX, &a->config.seed))
				return tool_usage("--seed %s: not a number", optarg);
			break;
		case OPT_REPEAT:
			rc = number_option("repeat", optarg, 1, 1000000, "", &v);
			a->rounds = (unsigned int)v;
			break;
		case OPT_LIMIT:
			rc = number_option("timeout", optarg, 1, 86400, " seconds", &v);
			a->config.limit_s = (uint32_t)v;
			break;
		case OPT_DISRUPTIVE: a->config.disruptive = true; break;
		case OPT_BRING_UP:
			if (access(optarg, X_OK))
				return tool_usage("--bring-up %s: %s", optarg, strerror(errno));
			a->config.bring_up = optarg;
			break;
		case OPT_STOP: a->stop_on_fail = true; break;
		case OPT_QUICK: a->config.effort = HT_QUICK; break;
		case OPT_FULL: a->config.effort = HT_FULL; break;
		case OPT_WAIVERS: a->waiver_file = optarg; break;
		case OPT_TRACE: a->trace_file = optarg; break;
		case OPT_PICS: a->pics_file = optarg; break;
		case OPT_SET:
			if (!stated_known(optarg))
				return tool_usage("--set %s: KEY=VALUE with vendor, device, serial, firmware, peer, tester or note", optarg);
			if (a->nstated == STATED_MAX)
				return tool_usage("--set is given more than %d times", STATED_MAX);
			a->stated[a->nstated++] = optarg;
			break;
		case OPT_TAP: a->format = HT_TAP; break;
		case OPT_TABLE: a->format = HT_TABLE; break;
		case OPT_JSON:
			a->json = true;
			if (!optarg && optind < argc && ends_with(argv[optind], ".json"))
				optarg = argv[optind++];
			a->json_file = optarg;
			if (!optarg)
				a->format = HT_JSON;
			break;
		case OPT_JUNIT: a->junit_file = optarg; break;
		case OPT_HTML: a->html_file = optarg; break;
		case OPT_LANG:
			if (ht_lang_parse(optarg, &a->lang))
				return tool_usage("--lang %s: en or zh_CN", optarg);
			break;
		case OPT_REQUIREMENTS: a->requirements = true; break;
		case OPT_COMPLETE: a->complete = true; break;
		default: return c == 'h' || c == 'V' ? -c : tool_usage("unknown option or missing value: %s", argv[optind - 1]);
		}
		if (rc)
			return rc;
	}
	return TOOL_PASS;
}

int main(int argc, char **argv)
{
	struct args a = { .config.seed = 1, .rounds = 1 };
	const char *verb;
	int rc;

	tool_begin("hsltest");
	a.format = isatty(STDOUT_FILENO) ? HT_TABLE : HT_TAP;
	a.command = quote(argc, argv);
	rc = parse(argc, argv, &a);
	if (rc == -'h') {
		fputs(help, stdout);
		return tool_finish(TOOL_PASS);
	}
	if (rc == -'V') {
		tool_version();
		return tool_finish(TOOL_PASS);
	}
	if (rc)
		return rc;
	if (optind >= argc)
		return tool_usage("a verb is missing: run, list, report or check-trace");
	verb = argv[optind++];
	if (a.complete && strcmp(verb, "check-trace"))
		return tool_usage("--complete goes with check-trace");
	if (a.requirements && strcmp(verb, "list"))
		return tool_usage("--requirements goes with list");
	a.rest = argv + optind;
	a.nrest = argc - optind;
	if (!strcmp(verb, "run")) {
		rc = run(&a);
	} else if (!strcmp(verb, "list") && a.config.url && (rc = ht_dut_check(a.config.url))) {
		/* said why */
	} else if (!strcmp(verb, "list")) {
		if (a.requirements && a.nrest)
			return tool_usage("--requirements takes no pattern");
		rc = tool_finish(a.requirements ? ht_list_requirements(a.json) : ht_list_tests(a.config.url, a.json, a.rest, a.nrest));
	} else if (!strcmp(verb, "report")) {
		rc = report(&a);
	} else if (!strcmp(verb, "check-trace")) {
		if (a.nrest != 1)
			return tool_usage("check-trace takes one capture");
		rc = tool_finish(ht_check_trace(a.rest[0], a.complete));
	} else {
		rc = tool_usage("unknown verb '%s': run, list, report or check-trace", verb);
	}
	free(a.command);
	return rc;
}
