// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * prodcons: a producer on one chip, a consumer on another, and a ring of buffers between them. The CPU submits all the
 * work at once and does nothing until it is done: the chips wait for one another.
 *
 * usage: prodcons [URL]
 *
 * Two counters say how far each side is. The producer waits for a free buffer, fills it and counts `filled` up; the consumer
 * waits for a filled one, empties it and counts `freed` up. A WAIT holds up its own queue only, and who sees a SIGNAL
 * also sees the data written before it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hsl/hsl.h>

#define ITEMS		64u
#define ITEM_BYTES	4096u
#define BUFFERS		4u
#define TIMEOUT_NS	60000000000ull	/* a chip that never gets its signal gives up then */

static void check(int err, const char *what)
{
	if (err < 0) {
		fprintf(stderr, "prodcons: %s: %s\n", what, strerror(-err));
		exit(1);
	}
}

/* Until nothing is outstanding. Quiet commands are heard of only if they fail. */
static void finish(struct hsl_queue *q, const char *who)
{
	struct hsl_completion c;
	int n;

	while ((n = hsl_queue_wait(q, &c, 1, UINT64_MAX)) > 0)
		check(c.error, who);
	if (n != -ENOENT)
		check(n, who);
}

int main(int argc, char **argv)
{
	struct hsl_chip_props p = { .size = sizeof(p) };
	struct hsl_segment *host, *ring, *counters;
	struct hsl_op prod[3 * ITEMS], cons[3 * ITEMS];
	unsigned int np = 0, nc = 0;
	uint32_t producer_node, consumer_node;
	struct hsl_queue *producer, *consumer;
	struct hsl_fabric *fabric;
	uint64_t in, out, filled, freed;
	unsigned char *buf;

	check(hsl_fabric_open(argc > 1 ? argv[1] : NULL, &fabric), "open the fabric");
	check(hsl_chip_by_index(fabric, 0, &p), "find a chip");
	producer_node = consumer_node = p.node;
	if (!hsl_chip_by_index(fabric, 1, &p))
		consumer_node = p.node;

	/* The goods, and room for what arrives; the ring and the counters are the consumer's. New memory is zero. */
	buf = calloc(2 * ITEMS, ITEM_BYTES);
	if (!buf)
		return 1;
	for (size_t i = 0; i < ITEMS * ITEM_BYTES; i++)
		buf[i] = (unsigned char)(i / ITEM_BYTES + i * 11);
	check(hsl_segment_register(fabric, buf, 2 * ITEMS * ITEM_BYTES, NULL, &host), "register memory");
	check(hsl_segment_alloc(fabric, consumer_node, BUFFERS * ITEM_BYTES, NULL, &ring), "allocate the ring");
	check(hsl_segment_alloc(fabric, consumer_node, 4096, NULL, &counters), "allocate the counters");
	in = hsl_segment_ga(host);
	out = in + ITEMS * ITEM_BYTES;
	filled = hsl_segment_ga(counters);
	freed = filled + 64;

	for (uint64_t i = 0; i < ITEMS; i++) {
		uint64_t buffer = hsl_segment_ga(ring) + i % BUFFERS * ITEM_BYTES;

		if (i >= BUFFERS)
			prod[np++] = hsl_op_wait(HSL_WAIT_GE, freed, i - BUFFERS + 1, TIMEOUT_NS);
		prod[np++] = hsl_op_copy(buffer, in + i * ITEM_BYTES, ITEM_BYTES);
		prod[np++] = hsl_op_signal(HSL_SIGNAL_ADD, filled, 1);

		cons[nc++] = hsl_op_wait(HSL_WAIT_GE, filled, i + 1, TIMEOUT_NS);
		cons[nc++] = hsl_op_copy(out + i * ITEM_BYTES, buffer, ITEM_BYTES);
		cons[nc++] = hsl_op_signal(HSL_SIGNAL_ADD, freed, 1);
	}
	/*
	 * Quiet: no completion for a command that ends well. Linked: when one fails, those behind it are not started; so
	 * nothing goes wrong silently.
	 */
	for (unsigned int i = 0; i < np; i++)
		prod[i].flags = HSL_DF_NO_CQE | (i + 1 < np ? HSL_DF_LINK : 0);
	for (unsigned int i = 0; i < nc; i++)
		cons[i].flags = HSL_DF_NO_CQE | (i + 1 < nc ? HSL_DF_LINK : 0);

	check(hsl_queue_create(fabric, producer_node, NULL, &producer), "create the producer's queue");
	check(hsl_queue_create(fabric, consumer_node, NULL, &consumer), "create the consumer's queue");
	/* The consumer first: it waits. A queue takes 256 commands unless told otherwise, so all fit. */
	if (hsl_queue_submit(consumer, cons, nc) != (int)nc || hsl_queue_submit(producer, prod, np) != (int)np) {
		fprintf(stderr, "prodcons: the queues are too small\n");
		return 1;
	}
	finish(producer, "producer");
	finish(consumer, "consumer");

	if (memcmp(buf, buf + ITEMS * ITEM_BYTES, ITEMS * ITEM_BYTES)) {
		fprintf(stderr, "prodcons: what arrived differs from what was produced\n");
		return 1;
	}
	printf("prodcons: %u items from chip %u to chip %u through %u buffers\n", ITEMS, producer_node, consumer_node,
	       BUFFERS);
	hsl_fabric_close(fabric);
	free(buf);
	return 0;
}
