/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* hsltest check-trace: a capture of links judged, as TAP. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exit.h"
#include "file.h"
#include "run.h"
#include "trace.h"

static void report(unsigned int number, const struct ht_trace_verdict *v)
{
	printf("%sok %u - %s ", v->violations ? "not " : "", number, v->id);
	if (!v->checked && !v->violations) {
		printf("# SKIP nothing in the capture to check\n");
		return;
	}
	printf("%" PRIu64 " checked, %" PRIu64 " violations\n", v->checked, v->violations);
	if (v->violations && v->record)
		printf("# record %" PRIu64 ": %s\n", v->record, v->text);
	else if (v->violations)
		printf("# at the end: %s\n", v->text);
}

int ht_check_trace(const char *path, bool complete)
{
	struct ht_trace_result res;
	bool failed = false, any = false;
	size_t len;
	uint8_t *file = (uint8_t *)tool_file_read(path, &len);
	int rc;

	if (!file) {
		tool_error("%s: %s", path, strerror(errno));
		return TOOL_ENV;
	}
	rc = ht_trace_check(file, len, complete, &res);
	free(file);
	printf("TAP version 13\n1..%d\n", HT_TRACE_REQS);
	printf("# %s: %" PRIu64 " records, %" PRIu64 " flits, %" PRIu64 " of another kind\n", path,
	       res.records, res.flits, res.skipped);
	for (unsigned int i = 0; i < HT_TRACE_REQS; i++) {
		report(i + 1, &res.req[i]);
		failed |= res.req[i].violations > 0;
		any |= res.req[i].checked > 0;
	}
	printf("# requests without an answer at the end: %" PRIu64 "%s\n", res.open,
	       complete ? "" : " (a violation with --complete)");
	if (rc) {
		tool_error("%s: %s", path, res.error);
		return TOOL_ENV;
	}
	if (!any)
		tool_error("%s: it has no flit of a link", path);
	return failed ? TOOL_FAIL : any ? TOOL_PASS : TOOL_SKIP;
}

static_assert(HT_TRACE_RESULTS == HT_TRACE_REQS, "results of a capture");

int ht_trace_results(const char *path, struct ht_result *r)
{
	static struct ht_test tests[HT_TRACE_REQS];
	static struct ht_trace_result res;
	static char again[512];
	size_t len;
	uint8_t *file = (uint8_t *)tool_file_read(path, &len);
	int rc;

	if (!file) {
		tool_error("%s: %s", path, strerror(errno));
		return TOOL_ENV;
	}
	rc = ht_trace_check(file, len, false, &res);
	free(file);
	if (rc) {
		tool_error("%s: %s", path, res.error);
		return TOOL_ENV;
	}
	snprintf(again, sizeof(again), "hsltest check-trace %s", path);
	for (unsigned int i = 0; i < HT_TRACE_REQS; i++) {
		const struct ht_trace_verdict *v = &res.req[i];

		tests[i] = (struct ht_test){ .requirement = v->id, .name = "trace", .flags = HT_F_TRACE, .sentence = "a capture of links is as it says" };
		r[i] = (struct ht_result){ .test = &tests[i], .again = again, .runs = 1, .failures = v->violations > 0 };
		r[i].verdict = v->violations ? HT_FAIL : v->checked ? HT_PASS : HT_SKIP;
		if (v->violations)
			snprintf(r[i].reason, sizeof(r[i].reason), "%s: %" PRIu64 " violations in %" PRIu64 " checks; first in record %" PRIu64 ": %s", path,
				 v->violations, v->checked, v->record, v->text);
		else if (!v->checked)
			snprintf(r[i].reason, sizeof(r[i].reason), "nothing in the capture to check");
		else
			snprintf(r[i].note, sizeof(r[i].note), "%" PRIu64 " checks of %" PRIu64 " flits", v->checked, res.flits);
	}
	return TOOL_PASS;
}
