// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * gen_flit_peer URL: one of two processes at a flit socket (tests/flit.sh), chip 1 of sim:pair2 with chip 2 in the other.
 * All kinds of accesses to open memory of both chips; every third round the test facility of chip 1 puts errors on its wire.
 * Prints what it has counted, fails if a value is wrong.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hsl/ctf.h"
#include "hsl/hsl.h"

#define AT(node, off)	(((uint64_t)(node) << 48) | (off))
#define ROUNDS		30u

static void must(int err, const char *what)
{
	if (err) {
		fprintf(stderr, "%s: %s\n", what, strerror(err < 0 ? -err : err));
		exit(1);
	}
}

static void shared(struct hsl_fabric *f, uint32_t node)
{
	struct hsl_segment_opts o = { .size = sizeof(o), .flags = HSL_SEGMENT_OBSERVABLE, .ga = AT(node, 4096) };
	struct hsl_segment *s;

	must(hsl_segment_alloc(f, node, 8192, &o, &s), "segment at a fixed address");
}

static uint64_t counter(struct hsl_fabric *f, const char *name)
{
	uint64_t v[64] = { 0 };
	int n = hsl_counters(f, 1, 0, v, 64);

	for (unsigned int i = 0; n > 0 && i < (unsigned int)n; i++)
		if (!strcmp(hsl_counter_name(0, i), name))
			return v[i];
	return 0;
}

int main(int argc, char **argv)
{
	struct hsl_fabric *f;
	struct hsl_queue *q;
	struct hsl_ctf *c;
	uint64_t v, sum = 0;

	if (argc != 2)
		return 2;
	must(hsl_fabric_open(argv[1], &f), argv[1]);
	must(hsl_queue_create(f, 1, NULL, &q), "queue");
	must(hsl_ctf_open(f, 1, &c), "test facility");
	shared(f, 1);
	shared(f, 2);
	for (uint64_t i = 0; i < ROUNDS; i++) {
		uint64_t arm[3] = { i % 2 ? HSL_CTF_ARM_CRC : HSL_CTF_ARM_DROP, (uint64_t)1 << 32 | 1, 77 };
		uint64_t at = 4096 + i % 16 * 64;

		if (i % 3 == 0)
			must(hsl_ctf_command(c, 0, HSL_CTF_CMD_ARM, arm, NULL), "arm");
		must(hsl_store(q, AT(2, at), &i, 8), "store");
		must(hsl_load(q, AT(2, at), 8, &v), "load");
		must(v != i, "load: another value");
		must(hsl_copy(q, AT(1, 8192), AT(2, at), 64), "copy from there");
		must(hsl_load(q, AT(1, 8192), 8, &v), "load");
		must(v != i, "copy: another value");
		must(hsl_fill(q, AT(2, 8192), 256, i), "fill");
		must(hsl_atomic(q, HSL_ATOMIC_ADD, AT(2, 12000), 8, i, 0, &v), "atomic");
		must(v != sum, "atomic: done twice, or not");
		sum += i;
	}
	printf("replayed %" PRIu64 "\n", counter(f, "tx_replayed"));
	hsl_ctf_close(c);
	hsl_queue_destroy(q);
	hsl_fabric_close(f);
	return 0;
}
