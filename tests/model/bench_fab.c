// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * How fast is the modelled fabric? Two chips and a link; one agent reads lines of the other chip, as
 * many at once as fill the way there and back: flits per second on one core through agent, link,
 * home and event queue. bench_link is the link layer by itself. Time and hash say what happened, the
 * same in each run. What a flit takes: the difference of two runs of different length, counted by
 * valgrind --tool=callgrind.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "model/fab.h"

#define LINES	4096u
#define DEPTH	896u

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Answers memory; reads that have ended. */
static uint32_t drain(struct hsl_fab *f)
{
	struct hsl_fab_out o;
	uint32_t done = 0;

	while (hsl_fab_drain(f, &o)) {
		struct hsl_fab_in in = { .type = HSL_FAB_MEM };

		if (o.type == HSL_FAB_OUT_ACCESS) {
			if (o.u.access.x.status)
				exit(1);
			done++;
		} else if (o.type == HSL_FAB_OUT_MEM && !o.u.mem.op.write) {
			in.u.mem.node = o.u.mem.node;
			in.u.mem.id = o.u.mem.op.id;
			hsl_fab_post(f, &in);
		}
	}
	return done;
}

static void run(struct hsl_fab *f, uint32_t reads)
{
	uint32_t posted = 0, done = drain(f);

	while (done < reads) {
		while (posted < reads && posted - done < DEPTH) {
			struct hsl_fab_in in = { .type = HSL_FAB_ACCESS };

			in.u.access.agent = 1;
			in.u.access.x = (struct hsl_access){ .op = HSL_ACCESS_READ, .len = HSL_LINE_BYTES,
				.ga = HSL_GA(2, posted % LINES * HSL_LINE_BYTES) };
			if (hsl_fab_post(f, &in))
				exit(1);
			done += drain(f);
			posted++;
		}
		if (hsl_fab_step(f) != 1)
			exit(1);
		done += drain(f);
	}
}

static uint64_t flits(const struct hsl_fab *f)
{
	struct hsl_link_stats s[2];

	hsl_link_stats(hsl_fab_link(f, 1, 2), &s[0]);
	hsl_link_stats(hsl_fab_link(f, 2, 1), &s[1]);
	return s[0].tx_flits + s[1].tx_flits;
}

int main(int argc, char **argv)
{
	uint32_t reads = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 0) : 500000;
	struct hsl_fab_cfg cfg = { .nodes = 2, .topology = HSL_TOPO_PAIR };
	struct hsl_fab *f;
	double t;

	cfg.profile = *hsl_profile_find("default");
	hsl_fab_defaults(&cfg);
	cfg.agent.requests = cfg.agent.accesses = DEPTH;
	cfg.home.requests = 2 * DEPTH;
	f = aligned_alloc(64, (hsl_fab_size(&cfg) + 63) / 64 * 64);
	if (!f || hsl_fab_init(f, hsl_fab_size(&cfg), &cfg)) {
		fprintf(stderr, "bench_fab: no fabric: %s\n", hsl_fab_check(&cfg));
		return 1;
	}
	t = seconds();
	run(f, reads);
	t = seconds() - t;
	printf("fabric    %8.2f M flits/s, %.2f M reads/s, %llu flits, %llu ps, hash %016llx\n", (double)flits(f) / t * 1e-6,
	       reads / t * 1e-6, (unsigned long long)flits(f), (unsigned long long)hsl_fab_now_ps(f), (unsigned long long)hsl_fab_hash(f));
	free(f);
	return 0;
}
