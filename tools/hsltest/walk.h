/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The random walk: a sequence of legal operations made from a seed, a golden model that says what each one has to do, and a
 * shrinker that finds a short sequence with the same failure. Nothing here knows a fabric; test_walk.c runs it on one.
 *
 * An operation is legal whatever came before it, so that any subsequence of a walk is a walk. The model is bytes in private
 * memory and the oracles of compare.c and oracle.c.
 */
#ifndef HSLTEST_WALK_H
#define HSLTEST_WALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WALK_BUFS 6
#define WALK_LEN 16384u /* bytes of a buffer */
#define WALK_ENTRIES 4	/* of a COPY_LIST */
#define WALK_BATCH 8	/* operations submitted together */

/* Where it can go: buffers, queues, and which commands all chips claim. */
struct walk_world {
	unsigned int nbufs, nqueues;
	uint64_t cap;
};

enum walk_kind { WALK_COMMAND, WALK_CPU_STORE, WALK_RENEW };

struct walk_place {
	uint8_t buf;
	uint32_t off;
};

struct walk_op {
	uint8_t kind;
	uint8_t opcode, subop, order;
	uint8_t queue;
	bool more;   /* submitted together with the next one, if that is a command of the same queue */
	bool imm;    /* LOAD: to the result. STORE: from the descriptor */
	uint8_t n;   /* COPY_LIST: entries */
	struct walk_place dst, src;
	uint32_t len;
	uint32_t rows, dpitch, spitch;
	uint64_t arg0, arg1;
	struct {
		struct walk_place dst, src;
		uint32_t len;
	} e[WALK_ENTRIES];
};

struct walk_expect {
	uint32_t status; /* HSL_ST_* */
	uint64_t result;
};

/* walk.c */
void walk_generate(const struct walk_world *w, uint64_t seed, struct walk_op *ops, unsigned int n);
void walk_model_reset(const struct walk_world *w, uint64_t seed, uint8_t (*mem)[WALK_LEN]);
/* What it does to memory, and the completion of a command. */
void walk_model_apply(const struct walk_op *op, uint8_t (*mem)[WALK_LEN], struct walk_expect *e);
/* "q0 COPY b1+0x10 <- b2+0x40, 33 bytes"; returns buf */
const char *walk_describe(const struct walk_op *op, char *buf, size_t len);

/*
 * walk_shrink.c: reduces ops[0, n) in place while fails() stays true, first by leaving operations out (delta debugging), then by
 * making single ones simpler; returns how many are left. fails() is called at most `tries` times. ops has failed.
 */
unsigned int walk_shrink(struct walk_op *ops, unsigned int n, bool (*fails)(void *arg, const struct walk_op *ops, unsigned int n),
			 void *arg, unsigned int tries);

#endif
