// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * bench_json: runs `hslbench all --quick --json` on the fabric of this machine and holds the document to schema hslbench/1:
 * every field of every result is there with its type, null only where nothing applies, numbers agree with each other,
 * every operation of the issue is among them and verified. Then many queues, of several processes and threads, and told to stop all at once. No speed is judged.
 */
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <json-c/json.h>

static unsigned int tests, failures;

static void check(bool good, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void check(bool good, const char *fmt, ...)
{
	va_list ap;

	failures += !good;
	printf("%s %u - ", good ? "ok" : "not ok", ++tests);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

static char *output_of(const char *command, int *status)
{
	FILE *in = popen(command, "r");
	char *text = NULL;
	size_t len = 0, n;
	FILE *out = open_memstream(&text, &len);
	char buf[4096];

	if (!in || !out) {
		perror(command);
		exit(3);
	}
	while ((n = fread(buf, 1, sizeof(buf), in)) > 0)
		fwrite(buf, 1, n, out);
	fclose(out);
	*status = pclose(in);
	return text;
}

static struct json_object *get(struct json_object *o, const char *key)
{
	struct json_object *v = NULL;

	json_object_object_get_ex(o, key, &v);
	return v;
}

/* Present, and of one of the types: s string, n number, i integer, b boolean, o object, a array, 0 null. */
static bool has(struct json_object *o, const char *key, const char *types)
{
	struct json_object *v = NULL;

	if (!json_object_object_get_ex(o, key, &v))
		return false;
	switch (json_object_get_type(v)) {
	case json_type_null:
		return strchr(types, '0');
	case json_type_string:
		return strchr(types, 's');
	case json_type_double:
		return strchr(types, 'n');
	case json_type_int:
		return strchr(types, 'n') || strchr(types, 'i');
	case json_type_boolean:
		return strchr(types, 'b');
	case json_type_object:
		return strchr(types, 'o');
	case json_type_array:
		return strchr(types, 'a');
	}
	return false;
}

static bool is(struct json_object *o, const char *key, const char *text)
{
	const char *s = json_object_get_string(get(o, key));

	return s && !strcmp(s, text);
}

static double num(struct json_object *o, const char *key)
{
	struct json_object *v = get(o, key);

	return v ? json_object_get_double(v) : NAN;
}

static const struct { const char *key, *types; } fields[] = {
	{ "verb", "s" }, { "op", "s" }, { "src", "s" }, { "dst", "s" }, { "size_bytes", "i" }, { "depth", "i0" }, { "batch", "i0" },
	{ "bytes_per_s", "n0" }, { "ops_per_s", "n0" }, { "latency_ns", "o" }, { "clock", "s" }, { "basis", "s" }, { "errors", "i" },
	{ "verified", "b0" }, { "ratio_to", "s0" }, { "ratio", "n0" }, { "skipped", "s0" },
};
static const char *const latency[] = { "min", "p50", "p90", "p95", "p99", "p99_9", "max", "mean", "stdev" };

/* NULL, or what is wrong with it */
static const char *wrong_with(struct json_object *r)
{
	struct json_object *l = get(r, "latency_ns");
	bool lat = has(l, "p50", "n");
	double rate, bytes, size;

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (!has(r, fields[i].key, fields[i].types))
			return fields[i].key;
	for (size_t i = 0; i < sizeof(latency) / sizeof(latency[0]); i++)
		if (!has(l, latency[i], lat ? "n" : "0"))
			return latency[i];
	for (size_t i = 1; lat && i < 7; i++)
		if (num(l, latency[i]) < num(l, latency[i - 1]))
			return "percentiles that fall";
	if (lat && (num(l, "mean") < num(l, "min") || num(l, "mean") > num(l, "max") || num(l, "stdev") < 0))
		return "mean";
	if (!is(r, "clock", "wall") || !is(r, "basis", "emulator-wall"))
		return "clock, basis";
	if (has(r, "skipped", "s"))
		return NULL;
	if (is(r, "verb", "lat") && !lat)
		return "latency_ns";
	rate = num(r, "ops_per_s");
	bytes = num(r, "bytes_per_s");
	size = num(r, "size_bytes");
	if (has(r, "bytes_per_s", "n") && fabs(bytes - rate * size) > 1e-3 * bytes + size)
		return "bytes_per_s that is not ops_per_s times size_bytes";
	if (is(r, "verb", "bw") && !has(r, "bytes_per_s", "n"))
		return "bytes_per_s";
	if (num(r, "errors") != 0 || !json_object_get_boolean(get(r, "verified")))
		return "errors, verified";
	return NULL;
}

static void check_results(struct json_object *list)
{
	static const struct { const char *verb, *op; } wanted[] = {
		{ "bw", "memcpy" }, { "bw", "h2c" }, { "bw", "c2h" }, { "bw", "c2c" }, { "bw", "same" }, { "bw", "fill" },
		{ "bw", "load" }, { "bw", "store" }, { "lat", "nop" }, { "lat", "copy" }, { "lat", "ping-pong" },
		{ "lat", "eventfd" },
		{ "rate", "nop" }, { "rate", "copy" }, { "matrix", "copy" }, { "matrix", "load" }, { "load", "chase" }, { "load", "mix" },
		{ "atomic", "add" }, { "atomic", "signal" }, { "mem", "alloc" }, { "mem", "map" }, { "mem", "register" },
		{ "mem", "revoke" }, { "wake", "nop" }, { "wake", "eventfd" }, { "collective", "all-reduce" },
		{ "collective", "all-to-all" }, { "coherence", "load" }, { "coherence", "ping-pong" },
	};
	size_t n = json_object_array_length(list), good = 0;

	for (size_t i = 0; i < n; i++) {
		struct json_object *r = json_object_array_get_idx(list, i);
		const char *wrong = wrong_with(r);

		good += !wrong;
		if (wrong)
			printf("# %s in %s\n", wrong, json_object_to_json_string(r));
	}
	check(n && good == n, "%zu of %zu results are complete, consistent and verified", good, n);
	for (size_t w = 0; w < sizeof(wanted) / sizeof(wanted[0]); w++) {
		bool found = false;

		for (size_t i = 0; i < n; i++) {
			struct json_object *r = json_object_array_get_idx(list, i);

			found |= is(r, "verb", wanted[w].verb) && is(r, "op", wanted[w].op) && has(r, "skipped", "0");
		}
		check(found, "%s %s is measured", wanted[w].verb, wanted[w].op);
	}
}

static struct json_object *document_of(const char *command)
{
	enum json_tokener_error error;
	struct json_tokener *tok = json_tokener_new();
	struct json_object *doc;
	int status;
	char *text = output_of(command, &status);
	size_t len = strlen(text);

	check(WIFEXITED(status) && !WEXITSTATUS(status), "%s ends with 0", command);
	json_tokener_set_flags(tok, JSON_TOKENER_STRICT);
	doc = json_tokener_parse_ex(tok, text, (int)len);
	error = json_tokener_get_error(tok);
	check(error == json_tokener_success, "the output is JSON: %s", json_tokener_error_desc(error));
	check(doc && strspn(text + json_tokener_get_parse_end(tok), "\n") == len - json_tokener_get_parse_end(tok),
	      "one document and nothing else");
	check(doc && is(doc, "schema", "hslbench/1"), "schema hslbench/1");
	json_tokener_free(tok);
	free(text);
	return doc;
}

/* One result that is no baseline is of so many queues, each did something, and they are its sum. */
static void check_flows(const char *command, unsigned int flows, bool paced)
{
	struct json_object *doc = document_of(command), *list = doc ? get(doc, "results") : NULL;
	unsigned int n = 0;

	for (size_t i = 0; list && i < json_object_array_length(list); i++) {
		struct json_object *r = json_object_array_get_idx(list, i);
		const char *wrong = wrong_with(r);
		double least = num(r, "flow_ops_per_s_min"), fair = num(r, "fairness");

		if (json_object_get_boolean(get(r, "baseline")))
			continue;
		if (!wrong && (has(r, "skipped", "s") || num(r, "flows") != flows || !(least > 0) || !(fair > 1.0 / flows && fair <= 1.0001) ||
			       has(get(r, "latency_ns"), "p50", "n") != paced))
			wrong = "flows";
		if (wrong)
			printf("# %s in %s\n", wrong, json_object_to_json_string(r));
		n += !wrong;
	}
	check(n == 1, "%u queues at work, all of them", flows);
	json_object_put(doc);
}

/* Has it a process of its own? Within a minute. */
static bool has_child(pid_t pid)
{
	char path[64], text[32] = "";

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid, (int)pid);
	for (int i = 0; i < 6000; i++) {
		FILE *f = fopen(path, "r");
		bool any = f && fgets(text, sizeof(text), f);

		if (f)
			fclose(f);
		if (any)
			return true;
		usleep(10000);
	}
	return false;
}

/* A signal for the whole group, as a service manager sends it: all processes end by themselves. */
static void check_stop(void)
{
	struct json_object *doc, *list;
	int status = 0;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		setpgid(0, 0);
		if (!freopen("/dev/null", "w", stdout))
			_exit(3);
		execlp("hslbench", "hslbench", "bw", "--op", "c2c", "--size", "4K", "--queues", "2", "--procs", "2", "--duration", "4s",
		       "--json=/tmp/stopped.json", (char *)NULL);
		_exit(3);
	}
	check(has_child(pid), "another process is at work");
	kill(-pid, SIGTERM);
	waitpid(pid, &status, 0);
	doc = json_object_from_file("/tmp/stopped.json");
	list = doc ? get(doc, "results") : NULL;
	check(WIFEXITED(status) && WEXITSTATUS(status) == 1 && list && json_object_array_length(list) > 0, "told to stop: status 1 and a document (status %#x)",
	      (unsigned int)status);
	for (size_t i = 0; list && i < json_object_array_length(list); i++) {
		struct json_object *r = json_object_array_get_idx(list, i), *why = get(r, "skipped");

		check(!num(r, "errors") && (!why || !strcmp(json_object_get_string(why), "interrupted")), "told to stop: nothing is wrong with %s%s%s",
		      json_object_get_string(get(r, "op")), why ? ", " : "", why ? json_object_get_string(why) : "");
	}
	json_object_put(doc);
}

int main(void)
{
	struct json_object *doc = document_of("hslbench all --quick --json"), *env;

	env = get(doc, "environment");
	check(env && has(env, "fabric", "s") && has(env, "backend", "s") && has(env, "chips", "a") && has(env, "cpu_model", "s") &&
	      has(env, "cpus", "i") && has(env, "kernel", "s") && has(env, "clock", "s") && has(env, "libhsl", "s"),
	      "environment says where");
	if (doc && has(doc, "results", "a"))
		check_results(get(doc, "results"));
	else
		check(false, "results");
	json_object_put(doc);
	check_flows("hslbench bw --quick --op c2c --size 4K --queues 4 --procs 2 --threads 2 --bidir --json", 8, false);
	check_flows("hslbench rate --quick --op copy --batch 1 --procs 2 --threads 2 --rate 100 --wait event --json", 4, true);
	check_stop();
	printf("1..%u\n", tests);
	return failures ? 1 : 0;
}
