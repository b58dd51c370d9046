/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* hsltest: arguments and the loop over the tests. */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "exit.h"
#include "progress.h"
#include "run.h"
#include "size.h"
#include "stop.h"

static const char help[] =
	"usage: hsltest run  [options] [GLOB...]\n"
	"       hsltest list [--requirements] [--json] [GLOB...]\n"
	"       hsltest check-trace [--complete] FILE.pcapng\n"
	"\n"
	"Tests a fabric against the HSL Emulated Profile (HEP) 1.0, requirement by requirement.\n"
	"GLOB selects tests by requirement, group or name: 'HEP-TXN-*', SEC, 'copy_*'.\n"
	"\n"
	"run\n"
	"  -f, --fabric URL      /dev/hsl0, sim:mesh4, ...  (default: $HSL_FABRIC, first device)\n"
	"      --seed N          of data and choices  (default: 1)\n"
	"      --disruptive      also the tests that reset chips under everybody (root)\n"
	"      --time-limit S    seconds for each test, instead of its own limit (60 for most)\n"
	"      --tap             TAP, also on a terminal\n"
	"      --table           the table, also in a pipe\n"
	"      --json            one document (schema hsltest/1)\n"
	"list\n"
	"      --requirements    every requirement with its tests; UNTESTED where there is none\n"
	"      --json\n"
	"check-trace: a capture of links (docs/capture.md), by the requirements that show in it; TAP\n"
	"      --complete        nothing is under way at its end: what is not answered never was\n"
	"  -h, --help   -V, --version\n"
	"\n"
	"Tests of registers need root and the kernel option iomem=relaxed; without, they are skipped\n"
	"and say so. Ctrl-C ends early and reports what was tested.\n"
	"Exit status: 0 all that ran passed, 1 a test failed or interrupted, 2 usage, 3 no usable\n"
	"fabric, 77 every test was skipped.\n";

enum { OPT_SEED = 256, OPT_DISRUPTIVE, OPT_LIMIT, OPT_TAP, OPT_TABLE, OPT_JSON, OPT_REQUIREMENTS, OPT_COMPLETE };

struct args {
	struct ht_config config;
	enum ht_format format;
	bool requirements;
	char **globs;
	int nglobs;
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
	case -EPROTO:
		tool_error("fabric %s: the driver has another ABI major version than this library",
			   tool_fabric_name(c->url));
		break;
	case -EFAULT: tool_error("fabric %s: opening it crashed", tool_fabric_name(c->url)); break;
	default:
		tool_error("fabric %s: %s", tool_fabric_name(c->url),
			   p->rc ? strerror(-p->rc) : "it has no chip");
		break;
	}
	fprintf(stderr, "'hslctl doctor' finds what is missing; -f sim:mesh4 needs no device\n");
	return TOOL_ENV;
}

static int run(struct args *a)
{
	struct ht_summary s = { 0 };
	const struct ht_test *list[512];
	struct ht_result *results;
	unsigned int n = ht_tests_all(list, 512), i, chosen = 0;
	struct ht_probe probe;
	int rc;

	for (i = 0; i < n; i++) {
		if (ht_test_matches(list[i], a->globs, a->nglobs))
			list[chosen++] = list[i];
	}
	if (!chosen)
		return tool_usage("no test matches '%s'", a->globs[0]);
	tool_stop_install();
	ht_probe_fabric(&a->config, &probe);
	if (probe.rc || !probe.nchips)
		return no_device(&a->config, &probe);
	results = tool_calloc(chosen, sizeof(*results));
	ht_report_begin(a->format, &a->config, &probe, chosen);
	for (i = 0; i < chosen; i++) {
		results[i].test = list[i];
		results[i].verdict = HT_NOT_RUN;
		if (!tool_stopped()) {
			tool_progress("%u of %u: %s %s", i + 1, chosen, list[i]->requirement,
				      list[i]->name);
			ht_run_one(&a->config, list[i], tool_stopped, &results[i]);
		}
		s.passed += results[i].verdict == HT_PASS;
		s.failed += results[i].verdict == HT_FAIL;
		s.skipped += results[i].verdict == HT_SKIP;
		s.not_run += results[i].verdict == HT_NOT_RUN;
		if (results[i].verdict != HT_NOT_RUN)
			ht_report_test(a->format, i + 1, &results[i]);
	}
	tool_progress_clear();
	rc = ht_report_end(a->format, &a->config, &probe, results, chosen, &s);
	free(results);
	if (rc) {
		tool_error("cannot write the report: %s", strerror(-rc));
		return TOOL_ENV;
	}
	if (s.failed || s.not_run)
		return tool_finish(TOOL_FAIL);
	return tool_finish(s.passed ? TOOL_PASS : TOOL_SKIP);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "fabric", required_argument, NULL, 'f' },
		{ "seed", required_argument, NULL, OPT_SEED },
		{ "disruptive", no_argument, NULL, OPT_DISRUPTIVE },
		{ "time-limit", required_argument, NULL, OPT_LIMIT },
		{ "tap", no_argument, NULL, OPT_TAP },
		{ "table", no_argument, NULL, OPT_TABLE },
		{ "json", no_argument, NULL, OPT_JSON },
		{ "requirements", no_argument, NULL, OPT_REQUIREMENTS },
		{ "complete", no_argument, NULL, OPT_COMPLETE },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ 0 }
	};
	struct args a = { .config.seed = 1 };
	const char *verb;
	bool json = false, complete = false;
	uint64_t v;
	int c, rc;

	tool_name = "hsltest";
	a.format = isatty(STDOUT_FILENO) ? HT_TABLE : HT_TAP;
	opterr = 0;
	while ((c = getopt_long(argc, argv, "f:hV", options, NULL)) != -1) {
		switch (c) {
		case 'f': a.config.url = optarg; break;
		case OPT_SEED:
			if (tool_u64_parse(optarg, 0, UINT64_MAX, &a.config.seed))
				return tool_usage("--seed %s: not a number", optarg);
			break;
		case OPT_DISRUPTIVE: a.config.disruptive = true; break;
		case OPT_LIMIT:
			if (tool_u64_parse(optarg, 1, 86400, &v))
				return tool_usage("--time-limit %s: not 1 to 86400 seconds",
						  optarg);
			a.config.limit_s = (uint32_t)v;
			break;
		case OPT_TAP: a.format = HT_TAP; break;
		case OPT_TABLE: a.format = HT_TABLE; break;
		case OPT_JSON:
			a.format = HT_JSON;
			json = true;
			break;
		case OPT_REQUIREMENTS: a.requirements = true; break;
		case OPT_COMPLETE: complete = true; break;
		case 'h': fputs(help, stdout); return tool_finish(TOOL_PASS);
		case 'V': return tool_version();
		default: return tool_usage("unknown option or missing value: %s", argv[optind - 1]);
		}
	}
	if (optind >= argc)
		return tool_usage("a verb is missing: run, list or check-trace");
	verb = argv[optind++];
	if (complete && strcmp(verb, "check-trace"))
		return tool_usage("--complete goes with check-trace");
	a.globs = argv + optind;
	a.nglobs = argc - optind;
	if (!strcmp(verb, "run")) {
		if (a.requirements)
			return tool_usage("--requirements goes with list");
		return run(&a);
	}
	if (!strcmp(verb, "list")) {
		if (a.requirements && a.nglobs)
			return tool_usage("--requirements takes no pattern");
		rc = a.requirements ? ht_list_requirements(json)
				    : ht_list_tests(json, a.globs, a.nglobs);
		return tool_finish(rc);
	}
	if (!strcmp(verb, "check-trace")) {
		if (a.nglobs != 1)
			return tool_usage("check-trace takes one capture");
		return tool_finish(ht_check_trace(a.globs[0], complete));
	}
	return tool_usage("unknown verb '%s': run, list or check-trace", verb);
}
