// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * libFuzzer: what users and other programs hand to the tools. The first byte of an input says what the rest is:
 *
 *	c	a fabric file				u	what follows sim: in a fabric's name
 *	i	words of inject, between blanks		t	a capture, for check-trace
 *	w	waivers					p	answers to the PICS form
 *	d	a document of hsltest run, or two with a NUL between, for report
 *	b	the same of hslbench, for compare and report
 *	s	a suite of hslbench
 *
 * Whatever it is, it is taken or refused with a reason: text, on one line. tests/fuzz/run.sh builds and runs it.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <json-c/json.h>

#include "libhsl/backend_sim.c"

#include "model/conf.h"
#include "model/inject.h"
#include "tools/common/exit.h"
#include "tools/common/json.h"
#include "tools/hsltest/html.h"
#include "tools/hsltest/pics.h"
#include "tools/hsltest/run.h"
#include "tools/hsltest/trace.h"
#include "tools/hslbench/bench.h"
#include "tools/hslbench/output.h"

#define WORDS	128

static void require(bool ok)
{
	if (!ok)
		abort();
}

static void has_reason(const char *why)
{
	require(*why && !strchr(why, '\n'));
}

/* A file of these bytes: always the same two, as all of them are read whole. */
static const char *file(unsigned int which, const void *data, size_t len)
{
	static int fd[2] = { -1, -1 };
	static char path[2][32];

	if (fd[which] < 0) {
		fd[which] = memfd_create("input", MFD_CLOEXEC);
		require(fd[which] >= 0);
		snprintf(path[which], sizeof(path[which]), "/proc/self/fd/%d", fd[which]);
	}
	require(!ftruncate(fd[which], 0) && pwrite(fd[which], data, len, 0) == (ssize_t)len);
	return path[which];
}

static void conf(const char *text, size_t len)
{
	struct hsl_conf *c = malloc(sizeof(*c));
	struct hsl_model_config m;
	char why[160] = "";

	require(c);
	if (hsl_conf_parse(c, text, len, why, sizeof(why))) {
		has_reason(why);
	} else if (c->has_topology) {
		hsl_conf_topology(c, &m);
		m.host_node = HSL_NODE_HOST_DEFAULT;
		m.profile = c->has_profile ? c->profile : *hsl_profile_find("default");
		require(!hsl_model_check(&m));
	}
	free(c);
}

static void inject(char *text)
{
	struct hsl_inject_plan p;
	char *words[WORDS], *save = NULL, why[160] = "";
	unsigned int n = 0;

	for (char *w = strtok_r(text, " ", &save); w && n < WORDS; w = strtok_r(NULL, " ", &save))
		words[n++] = w;
	if (hsl_inject_parse(&p, words, n, why, sizeof(why)))
		require(*why);	/* it may quote a word with a line's end in it */
}

static void url(const char *text)
{
	struct sim_config c = { .mem_bytes = MEM_DEFAULT_BYTES, .nqueues = QUEUES_DEFAULT };

	int err = parse(text, &c);

	c.model.host_node = HSL_NODE_HOST_DEFAULT;
	if (err == -EINVAL)
		require(*c.why);
	else if (!err)
		hsl_model_check(&c.model);
	free(c.remote_text);
	free(c.capture);
	free(c.conf);
}

static void trace(const char *bytes, size_t len)
{
	struct ht_trace_result r;

	if (ht_trace_check((const uint8_t *)bytes, len, len & 1, &r))
		has_reason(r.error);
}

static void waivers(const char *text, size_t len)
{
	struct ht_waivers w;

	ht_waivers_read(file(0, text, len), "2026-06-01", &w);
	free(w.list);
}

static void pics(const char *text, size_t len)
{
	struct json_object *answers = NULL;

	if (ht_pics_read(file(0, text, len), &answers) == TOOL_PASS)
		json_object_put(answers);
}

/* Two files, or one twice. */
static void split(const char *text, size_t len, const char *path[2])
{
	const char *nul = memchr(text, 0, len);

	path[0] = path[1] = file(0, text, nul ? (size_t)(nul - text) : len);
	if (nul)
		path[1] = file(1, nul + 1, (size_t)(text + len - nul - 1));
}

static void documents(const char *text, size_t len)
{
	struct json_object *a, *b;
	const char *path[2];

	split(text, len, path);
	a = ht_document_read(path[0]);
	b = a ? ht_document_read(path[1]) : NULL;
	if (b) {
		free(ht_junit(a));
		free(ht_html(a, HT_EN));
		free(ht_html_diff(a, b, HT_ZH_CN));
		ht_diff_print(a, b);
	}
	json_object_put(a);
	json_object_put(b);
}

static void benchmarks(const char *text, size_t len)
{
	struct json_object *a = NULL, *b = NULL;
	const char *path[2];

	split(text, len, path);
	if (!bench_doc_read(path[0], &a) && !bench_doc_read(path[1], &b)) {
		bench_compare(a, b, 0.1, true);
		bench_csv(a, NULL);
		bench_expect(a, "default", 0.01, true);
		bench_doc_join(a, b);
		b = NULL;
		bench_csv(a, NULL);
	}
	json_object_put(a);
	json_object_put(b);
}

static void suite(const char *text, size_t len)
{
	char *argv[] = { NULL, (char *)"suite", NULL, NULL };
	struct bench_args args;

	argv[2] = (char *)(uintptr_t)file(0, text, len);
	optind = 0;
	bench_args(3, argv, &args);
	free(args.run);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *text;

	if (len < 2)
		return -1;
	tool_name = "fuzz";
	/* a copy that ends where the input ends, with the NUL that those have who take a string */
	text = malloc(len);
	require(text);
	memcpy(text, data + 1, --len);
	text[len] = 0;
	switch (data[0]) {
	case 'c': conf(text, len); break;
	case 'i': inject(text); break;
	case 'u': url(text); break;
	case 't': trace(text, len); break;
	case 'w': waivers(text, len); break;
	case 'p': pics(text, len); break;
	case 'd': documents(text, len); break;
	case 'b': benchmarks(text, len); break;
	case 's': suite(text, len); break;
	default: free(text); return -1;
	}
	free(text);
	return 0;
}
