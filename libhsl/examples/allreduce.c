// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * allreduce: every chip of the fabric has a vector; in the end every chip has the sum of all. A ring, as collective libraries
 * use it, with no CPU in the loop: all commands of all chips are submitted before the first one may run.
 *
 * usage: allreduce [URL]
 *
 * With N chips a vector has N chunks. First N - 1 steps of reduce-scatter: in step s, chip r adds its chunk r - s to that of chip
 * r + 1, so that after them chip r has the whole sum of chunk r + 1. Then N - 1 steps of all-gather: chip r copies chunk
 * r + 1 - s to chip r + 1. A chip may take a step when its left neighbour has taken the step before: each counts the arrivals
 * of its right neighbour up with a SIGNAL, and waits for its own count with a WAIT.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hsl/hsl.h>

#define CHIPS_MAX	32u
#define CHUNK		4096u		/* elements */
#define TIMEOUT_NS	60000000000ull

static struct chip {
	struct hsl_queue *queue;
	uint64_t vector, arrived;	/* GAs */
	float *v;			/* the vector, mapped */
} chip[CHIPS_MAX];

static void check(int err, const char *what)
{
	if (err < 0) {
		fprintf(stderr, "allreduce: %s: %s\n", what, strerror(-err));
		exit(1);
	}
}

/* Small integers: a float holds their sum exactly, in any order of addition. */
static float input(unsigned int r, unsigned int i)
{
	return (float)((r + 1) * (i % 1000));
}

/* All that chip r does, in its queue. */
static void submit(unsigned int r, unsigned int n, uint64_t start)
{
	struct chip *me = &chip[r], *right = &chip[(r + 1) % n];
	struct hsl_op ops[1 + 6 * CHIPS_MAX];
	unsigned int k = 0;

	/* nobody begins before all have been given their work; this is for the show, not needed */
	ops[k++] = hsl_op_wait(HSL_WAIT_NE, start, 0, TIMEOUT_NS);
	for (unsigned int s = 0; s < 2 * (n - 1); s++) {
		int gather = s >= n - 1;
		/* r - s; and in step s' = s - (n - 1) of the second part r + 1 - s', which is the same modulo n */
		unsigned int chunk = (r + 2 * n - s) % n;
		uint64_t offset = (uint64_t)chunk * CHUNK * sizeof(float);

		if (s)
			ops[k++] = hsl_op_wait(HSL_WAIT_GE, me->arrived, s, TIMEOUT_NS);
		ops[k++] = gather ? hsl_op_copy(right->vector + offset, me->vector + offset, CHUNK * sizeof(float)) :
				    hsl_op_reduce(HSL_REDUCE_ADD, HSL_TYPE_F32, right->vector + offset,
						  me->vector + offset, CHUNK * sizeof(float));
		ops[k++] = hsl_op_signal(HSL_SIGNAL_ADD, right->arrived, 1);
	}
	/* no completions, and nothing goes on after a failure */
	for (unsigned int i = 0; i < k; i++)
		ops[i].flags = HSL_DF_NO_CQE | (i + 1 < k ? HSL_DF_LINK : 0);
	if (hsl_queue_submit(me->queue, ops, k) != (int)k) {
		fprintf(stderr, "allreduce: a queue is too small\n");
		exit(1);
	}
}

int main(int argc, char **argv)
{
	struct hsl_fabric_info info = { .size = sizeof(info) };
	struct hsl_queue *starter = NULL;
	struct hsl_fabric *fabric;
	struct hsl_segment *s;
	unsigned int n, wrong = 0;
	uint64_t start;

	check(hsl_fabric_open(argc > 1 ? argv[1] : NULL, &fabric), "open the fabric");
	check(hsl_fabric_info(fabric, &info), "ask for its size");
	n = info.nchips < CHIPS_MAX ? info.nchips : CHIPS_MAX;
	for (unsigned int r = 0; r < n; r++) {
		struct hsl_chip_props p = { .size = sizeof(p) };
		uint64_t bytes = (uint64_t)n * CHUNK * sizeof(float);
		void *v;

		check(hsl_chip_by_index(fabric, r, &p), "find a chip");
		/* the vector, and behind it the count of arrivals, zero as new memory is */
		check(hsl_segment_alloc(fabric, p.node, bytes + 64, NULL, &s), "allocate memory");
		check(hsl_segment_map(s, &v), "map it");
		chip[r].vector = hsl_segment_ga(s);
		chip[r].arrived = chip[r].vector + bytes;
		chip[r].v = v;
		for (unsigned int i = 0; i < n * CHUNK; i++)
			chip[r].v[i] = input(r, i);
		check(hsl_queue_create(fabric, p.node, NULL, &chip[r].queue), "create a queue");
		if (!r)
			check(hsl_queue_create(fabric, p.node, NULL, &starter), "create a queue");
	}
	start = chip[0].arrived + 8;
	for (unsigned int r = 0; r < n; r++)
		submit(r, n, start);

	check(hsl_signal(starter, HSL_SIGNAL_SET, start, 1, NULL), "start");
	for (unsigned int r = 0; r < n; r++) {
		struct hsl_completion c;
		int got;

		/* a completion is a failure here; -ENOENT is when all have ended */
		while ((got = hsl_queue_wait(chip[r].queue, &c, 1, UINT64_MAX)) > 0)
			check(c.error, hsl_status_name(c.status));
		if (got != -ENOENT)
			check(got, "wait");
	}

	for (unsigned int r = 0; r < n; r++)
		for (unsigned int i = 0; i < n * CHUNK; i++)
			wrong += chip[r].v[i] != (float)(n * (n + 1) / 2 * (i % 1000));
	if (wrong) {
		fprintf(stderr, "allreduce: %u of %u elements are wrong\n", wrong, n * n * CHUNK);
		return 1;
	}
	printf("allreduce: %u chips, %u elements, sums agree\n", n, n * CHUNK);
	hsl_fabric_close(fabric);
	return 0;
}
