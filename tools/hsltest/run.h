/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the files of the runner and of the reports share; no test needs it. */
#ifndef HSLTEST_RUN_H
#define HSLTEST_RUN_H

#include <stdio.h>
#include <time.h>

#include "hsl/flit_socket.h"
#include "hsltest.h"

struct json_object;
struct ht_report;
struct ht_waivers;

/* ---- running (run.c, suite.c) ---- */

struct ht_result {
	const struct ht_test *test;
	enum ht_verdict verdict; /* the gravest of all rounds; what follows is of that round */
	uint64_t seed;
	char reason[1600];
	char note[256];
	char dump[2048]; /* lines: chips and links after a time-out, or what the test shows */
	const struct ht_waiver *waiver; /* that made it WAIVED */
	const char *again;		/* how to repeat it; NULL: hsltest run */
	uint64_t duration_ns;		/* of all rounds */
	unsigned int runs, failures;
};

/* Runs one test in a child. stop: becomes true when the user wants to end; the test then counts as
 * not run. */
void ht_run_one(const struct ht_config *config, const struct ht_test *test, bool (*stop)(void),
		struct ht_result *r);

/* All chosen tests, rep->rounds times, each round with the next seed; prints as it goes. */
void ht_suite_run(struct ht_report *rep, const struct ht_test *const *list, bool stop_on_fail, struct ht_waivers *waivers);

/* ---- the device under test (dut.c) ---- */

#define HT_LINKS_MAX 16

struct ht_chip_probe {
	struct hsl_chip_props props;
	unsigned int nlinks; /* of props.nlinks, at most HT_LINKS_MAX */
	struct hsl_link_props link[HT_LINKS_MAX];
};

/* The fabric under test, as a child process saw it. */
struct ht_probe {
	int rc; /* of hsl_fabric_open, or -EFAULT when that crashed */
	uint32_t nchips; /* that are tested: the first HT_CHIPS_MAX */
	uint32_t chips_present;
	uint32_t driver_abi;
	uint32_t host_node;
	uint64_t fabric_id[2];
	char backend[16];
	bool has_hello; /* at a flit socket: what it said of its end of the link, zeros if that was wrong */
	char hello_wrong[120];
	struct hsl_fs_hello hello;
	struct ht_chip_probe chip[HT_CHIPS_MAX];
};

void ht_probe_fabric(const struct ht_config *config, struct ht_probe *p);
/* Checks that the URL is of a kind that hsltest can test, before it is opened; TOOL_PASS, or what to exit with. */
int ht_dut_check(const char *url);
int ht_dut_check_whole(const char *url); /* also that it says which device */
/* The tests for this kind of device; url NULL: for a fabric. As ht_tests_all. */
unsigned int ht_dut_tests(const char *url, const struct ht_test **list, unsigned int max);
const char *ht_link_state_name(unsigned int state); /* HSL_LTSSM_* */
/* What software can know of the chips; "dut" of the document. */
struct json_object *ht_dut_json(const struct ht_config *config, const struct ht_probe *p);

/* ---- requirements (requirement.c) ---- */

/*
 * Who claims what. BASE, LINK and COHERENT are the profile's classes of chips and fabrics; what is asked of the software
 * that drives them is judged apart.
 */
enum ht_class { HT_BASE, HT_LINK, HT_COHERENT, HT_DRIVER, HT_LIBRARY, HT_CLASSES };

enum ht_class ht_requirement_class(const struct ht_requirement *r);
const char *ht_class_name(enum ht_class c);
const char *ht_verdict_name(enum ht_verdict v); /* "pass", "not-applicable" */
void ht_layer(const char *requirement, char *buf, size_t len); /* "TXN" */
/* All tests in table order; returns how many. list may be NULL. */
#define HT_TESTS_MAX 512
unsigned int ht_tests_all(const struct ht_test **list, unsigned int max);
bool ht_test_matches(const struct ht_test *test, char *const *globs, int nglobs);

/* ---- waivers (waiver.c) ---- */

struct ht_waiver {
	char name[64]; /* a requirement or a test */
	char owner[80];
	char until[16]; /* YYYY-MM-DD, or "-" */
	char reason[256];
	unsigned int line;
	bool used;
};

struct ht_waivers {
	struct ht_waiver *list;
	unsigned int n;
};

/* TOOL_PASS, or TOOL_USAGE with every bad entry named on stderr. today: YYYY-MM-DD. */
int ht_waivers_read(const char *path, const char *today, struct ht_waivers *w);
/* Makes a failure WAIVED where an entry says so. */
void ht_waivers_apply(struct ht_waivers *w, struct ht_result *r);

/* ---- from tests to requirements and classes (verdict.c) ---- */

struct ht_outcome { /* of a requirement */
	const struct ht_requirement *requirement;
	enum ht_verdict verdict; /* NOT_RUN: nothing of this run judges it */
	const struct ht_result *decider; /* the test it comes from, NULL: none */
	uint64_t duration_ns;
	char evidence[512];
};

enum ht_class_verdict { HT_CLASS_PASSED, HT_CLASS_WAIVED, HT_CLASS_FAILED, HT_CLASS_INCOMPLETE, HT_CLASS_NA, HT_CLASS_VERDICTS };

struct ht_class_outcome {
	enum ht_class_verdict verdict;
	unsigned int must;
	unsigned int count[HT_VERDICTS]; /* of its MUST requirements */
};

/* Graver verdicts win over others. */
unsigned int ht_gravity(enum ht_verdict v);
/* all: the tests that there are; one that has no result was not chosen */
void ht_outcome_of(const struct ht_requirement *q, const struct ht_result *r, unsigned int n, const struct ht_test *const *all,
		   unsigned int nall, struct ht_outcome *o);
/* of ht_requirement_count outcomes; claimed: the chips have what the class is about */
void ht_class_outcome_of(enum ht_class c, bool claimed, const struct ht_outcome *o, struct ht_class_outcome *out);
/* c is not better than base, which it includes. */
void ht_classes_include(struct ht_class_outcome *c, const struct ht_class_outcome *base);
const char *ht_class_verdict_name(enum ht_class_verdict v); /* "passed", "incomplete" */

/* ---- reports ---- */

struct ht_summary {
	unsigned int count[HT_VERDICTS];
};

enum ht_format { HT_TABLE, HT_TAP, HT_JSON };

struct ht_report {
	enum ht_format format;
	const struct ht_config *config;
	const struct ht_probe *probe;
	const struct ht_waivers *waivers;
	struct json_object *answers; /* of --pics; NULL: none */
	struct json_object *pics;    /* the form, filled in; NULL until the end */
	char *const *stated; /* KEY=VALUE of --set */
	unsigned int nstated;
	const char *command; /* what the user typed, for a shell */
	unsigned int rounds, rounds_done; /* wanted; of which all tests ran */
	bool interrupted; /* it ended before its last test: by a signal, or --stop-on-fail */
	struct ht_result *results;
	unsigned int n;
	unsigned int ntrace; /* results that come from a capture, behind those of tests */
	struct ht_summary summary;
	struct ht_outcome *outcomes; /* [ht_requirement_count] */
	struct ht_class_outcome classes[HT_CLASSES];
	struct timespec started, ended;
};

/* report.c: what is printed while it runs, and at its end */
void ht_report_begin(const struct ht_report *rep);
void ht_report_test(const struct ht_report *rep, unsigned int number, unsigned int round, const struct ht_result *r);
void ht_report_end(const struct ht_report *rep);
/* "hsltest run -f … --seed … NAME" for one test; free() it */
char *ht_again(const struct ht_config *c, const struct ht_result *r); /* the same, or what the result says */
char *ht_reproduce(const struct ht_config *c, uint64_t seed, const char *test);

/* document.c: the report as one JSON document; every file format but TAP is written from it */
struct json_object *ht_document(const struct ht_report *rep);
struct json_object *ht_document_read(const char *path); /* NULL: said on stderr why */

/* Into memory, to be written at once; free() it. */
char *ht_junit(struct json_object *doc);
enum ht_lang { HT_EN, HT_ZH_CN };
int ht_lang_parse(const char *s, enum ht_lang *lang);
char *ht_html(struct json_object *doc, enum ht_lang lang);
char *ht_html_diff(struct json_object *a, struct json_object *b, enum ht_lang lang);
/* Prints how b differs from a. TOOL_PASS: nothing got worse, TOOL_FAIL: something did. */
int ht_diff_print(struct json_object *a, struct json_object *b);

/* list.c, check_trace.c */
int ht_list_tests(const char *url, bool json, char *const *globs, int nglobs);
int ht_list_requirements(bool json);
int ht_check_trace(const char *path, bool complete);
/* What a capture tells, as results of tests: HT_TRACE_RESULTS of them. TOOL_PASS, or said on stderr why not. */
#define HT_TRACE_RESULTS 7
int ht_trace_results(const char *path, struct ht_result *r);

#endif
