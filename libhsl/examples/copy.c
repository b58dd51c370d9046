// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * copy: from this program's memory to one chip, on to another, and back.
 *
 * usage: copy [URL]     /dev/hsl0 is the driver's first fabric; sim:mesh4 needs no driver and no hardware
 *
 * Everything in the fabric has a global address (GA): chip memory, and memory of this program once it is registered. A
 * command is submitted to a queue of some chip, which executes it; its operands are GAs.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hsl/hsl.h>

#define BYTES (1u << 20)

/* Every call returns 0 (or a count) or a negative errno. */
static void check(int err, const char *what)
{
	if (err < 0) {
		fprintf(stderr, "copy: %s: %s\n", what, strerror(-err));
		exit(1);
	}
}

int main(int argc, char **argv)
{
	struct hsl_chip_props first = { .size = sizeof(first) }, last = { .size = sizeof(last) };
	struct hsl_fabric_info info = { .size = sizeof(info) };
	struct hsl_segment *host, *a, *b;
	struct hsl_fabric *fabric;
	struct hsl_queue *queue;
	uint64_t host_ga, a_ga, b_ga;
	unsigned char *buf;

	/* A context of the fabric. NULL would be $HSL_FABRIC, or the first device. */
	check(hsl_fabric_open(argc > 1 ? argv[1] : NULL, &fabric), "open the fabric");
	check(hsl_fabric_info(fabric, &info), "ask for its size");

	/* Chips are named by node ids. With one chip, it is both. */
	check(hsl_chip_by_index(fabric, 0, &first), "find the first chip");
	check(hsl_chip_by_index(fabric, info.nchips - 1, &last), "find the last chip");

	/* Memory on both chips, and memory of ours: what we send, and room for what comes back. */
	buf = malloc(2 * BYTES);
	if (!buf)
		return 1;
	for (size_t i = 0; i < BYTES; i++)
		buf[i] = (unsigned char)(i * 7 + (i >> 8));
	memset(buf + BYTES, 0, BYTES);
	check(hsl_segment_register(fabric, buf, 2 * BYTES, NULL, &host), "register memory");
	check(hsl_segment_alloc(fabric, first.node, BYTES, NULL, &a), "allocate memory of the first chip");
	check(hsl_segment_alloc(fabric, last.node, BYTES, NULL, &b), "allocate memory of the last chip");
	host_ga = hsl_segment_ga(host);
	a_ga = hsl_segment_ga(a);
	b_ga = hsl_segment_ga(b);

	/* The first chip does the work. */
	check(hsl_queue_create(fabric, first.node, NULL, &queue), "create a queue");

	/* One command at a time … */
	check(hsl_copy(queue, a_ga, host_ga, BYTES), "copy to the first chip");

	/* … or several with one doorbell. Commands are executed in order unless they are marked otherwise. */
	struct hsl_op ops[2] = {
		hsl_op_copy(b_ga, a_ga, BYTES),
		hsl_op_copy(host_ga + BYTES, b_ga, BYTES),
	};
	struct hsl_completion done[2];

	check(hsl_queue_submit(queue, ops, 2), "submit");
	for (int n = 0; n < 2;) {
		int got = hsl_queue_wait(queue, done, 2, UINT64_MAX);

		check(got, "wait");
		/* a command that failed says so in its completion */
		for (int i = 0; i < got; i++)
			check(done[i].error, hsl_status_name(done[i].status));
		n += got;
	}

	if (memcmp(buf, buf + BYTES, BYTES)) {
		fprintf(stderr, "copy: what came back differs from what was sent\n");
		return 1;
	}
	printf("copy: %u bytes went host -> chip %u -> chip %u -> host\n", BYTES, first.node, last.node);

	/* This also frees queues and segments. */
	hsl_fabric_close(fabric);
	free(buf);
	return 0;
}
