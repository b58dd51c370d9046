// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Is this machine quiet enough to measure on? What the kernel says before and after: others that ran (load), time that the hypervisor took
 * (steal), how often this program was put aside although it wanted to go on, CPUs whose clock may change. Nothing is refused: the
 * report says it. And what links did meanwhile: replays and retrains of all chips.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "bench.h"
#include "json.h"

#define LOAD_MAX	0.5		/* of others, for each CPU, when the run begins */
#define STEAL_MAX	0.02
#define ASIDE_MAX	50.0		/* a second */

static double load_average(void)
{
	double v = 0;

	return getloadavg(&v, 1) == 1 ? v : 0;
}

/* Time of all CPUs and the stolen part of it, in ticks. */
static bool cpu_ticks(uint64_t *all, uint64_t *stolen)
{
	FILE *f = fopen("/proc/stat", "re");
	unsigned long long v[8] = { 0 };
	int n = f ? fscanf(f, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &v[0], &v[1], &v[2], &v[3], &v[4], &v[5], &v[6], &v[7]) : 0;

	if (f)
		fclose(f);
	*all = 0;
	for (unsigned int i = 0; i < 8; i++)
		*all += v[i];
	*stolen = v[7];
	return n == 8;
}

static bool clock_changes(void)
{
	FILE *f = fopen("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "re");
	char word[32] = "";

	if (!f)
		return false;
	if (fscanf(f, "%31s", word) != 1)
		word[0] = '\0';
	fclose(f);
	return word[0] && strcmp(word, "performance");
}

static void links_add(const struct bench *b, uint64_t sum[2])
{
	static const char *const names[2] = { "tx_replayed", "retrains" };
	uint64_t value[64];

	sum[0] = sum[1] = 0;
	for (unsigned int i = 0; b->f && i < b->info.nchips; i++)
		for (unsigned int l = 0; l < b->chip[i].nlinks; l++) {
			int n = hsl_counters(b->f, b->chip[i].node, l, value, 64);

			for (int k = 0; k < n && k < 64; k++)
				for (unsigned int w = 0; w < 2; w++) {
					const char *name = hsl_counter_name(l, (unsigned int)k);

					if (name && !strcmp(name, names[w]))
						sum[w] += value[k];
				}
		}
}

void bench_noise_begin(struct bench *b)
{
	struct bench_noise *n = &b->noise;
	struct rusage ru;

	links_add(b, n->links);
	/* modelled time does not know about it */
	if (b->f && bench_modelled(b))
		return;
	n->load = load_average();
	n->known = cpu_ticks(&n->all, &n->stolen);
	if (!getrusage(RUSAGE_SELF, &ru)) {
		n->aside = ru.ru_nivcsw;
		n->cpu_us = (uint64_t)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) * 1000000 +
			(uint64_t)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec);
	}
	n->begun_ns = bench_now_ns();
}

static void reason(struct bench_noise *n, const char *fmt, double a, double b)
{
	if (n->nreasons < BENCH_NOISE_MAX)
		snprintf(n->reason[n->nreasons++], sizeof(n->reason[0]), fmt, a, b);
}

void bench_noise_end(struct bench *b)
{
	struct bench_noise *n = &b->noise;
	uint64_t all, stolen, links[2];
	struct rusage ru;
	double seconds, aside;
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	links_add(b, links);
	n->links[0] = links[0] - n->links[0];
	n->links[1] = links[1] - n->links[1];
	if (!n->begun_ns)
		return;
	seconds = (double)(bench_now_ns() - n->begun_ns) / 1e9;
	if (n->load / (double)(cpus > 0 ? cpus : 1) > LOAD_MAX)
		reason(n, "other programs were running: load %.1f on %.0f CPUs", n->load, (double)cpus);
	if (n->known && cpu_ticks(&all, &stolen) && all > n->all) {
		n->steal = (double)(stolen - n->stolen) / (double)(all - n->all);
		if (n->steal > STEAL_MAX)
			reason(n, "the hypervisor took %.1f %% of the CPUs (more than %.0f %%)", n->steal * 100, STEAL_MAX * 100);
	}
	if (!getrusage(RUSAGE_SELF, &ru) && seconds > 0) {
		aside = (double)(ru.ru_nivcsw - n->aside) / seconds;
		n->cpu = ((double)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) * 1e6 + (double)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) -
			  (double)n->cpu_us) / 1e6 / seconds;
		n->aside_per_s = aside;
		if (aside > ASIDE_MAX)
			reason(n, "this program was put aside %.0f times a second (more than %.0f)", aside, ASIDE_MAX);
	}
	if (clock_changes())
		reason(n, "the CPUs' clock may change (governor)%.0s%.0s", 0, 0);
	for (unsigned int i = 0; i < n->nreasons; i++)
		tool_error("noisy machine: %s", n->reason[i]);
}

struct json_object *bench_noise_json(const struct bench *b)
{
	const struct bench_noise *n = &b->noise;
	struct json_object *o = tool_json_object(), *list;

	tool_json_bool(o, "noisy", n->nreasons);
	list = tool_json_set(o, "reasons", tool_json_array());
	for (unsigned int i = 0; i < n->nreasons; i++)
		tool_json_append(list, tool_json_string(n->reason[i]));
	if (n->begun_ns) {
		tool_json_double(o, "load_average", n->load);
		tool_json_double(o, "steal", (double)(long)(n->steal * 1e4) / 1e4);
		tool_json_double(o, "put_aside_per_s", (double)(long)n->aside_per_s);
		tool_json_double(o, "cpus_used", (double)(long)(n->cpu * 100) / 100);
	} else {
		tool_json_null(o, "load_average");
		tool_json_null(o, "steal");
		tool_json_null(o, "put_aside_per_s");
		tool_json_null(o, "cpus_used");
	}
	return o;
}
