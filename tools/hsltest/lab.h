/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * One link between two neighbouring chips as a tester sees it, from both ends, and traffic over it (lab.c).
 */
#ifndef HSLTEST_LAB_H
#define HSLTEST_LAB_H

#include "hsl/ctf.h"
#include "hsltest.h"

#define LAB_LEN ((uint64_t)4096)
#define LAB_WORDS (LAB_LEN / 8 - 1)
#define LAB_COUNT_AT (LAB_LEN - 8) /* the last word counts the atomics */
#define LAB_COUNTERS_MAX 64

struct lab_end {
	uint32_t node, link;	/* link block that leads to the other end */
	struct hsl_ctf *ctf;
};

struct lab {
	struct ht *t;
	struct lab_end here, there;
	struct hsl_queue *q;	/* of here */
	struct hsl_segment *seg; /* of there */
	uint64_t ga;
	uint64_t shadow[LAB_LEN / 8];
};

int lab_command(struct lab_end *e, uint32_t cmd, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t result[2]);
/* The first answer; *second gets the other one, NULL: nobody wants it. */
uint64_t lab_ask(struct lab *l, struct lab_end *e, uint32_t cmd, uint64_t a0, uint64_t *second);
bool lab_has(const struct lab_end *e, uint32_t cmd);
/* Skips the test unless both ends have the command. */
void lab_need(struct lab *l, uint32_t cmd, const char *what);
/* Skips the test where it may not or cannot. */
struct hsl_ctf *lab_ctf_open(struct ht *t, uint32_t node);
/* The link block of a chip that leads to another one. */
bool lab_link_to(struct ht *t, uint32_t node, uint32_t peer, uint32_t *index);
struct hsl_link_props lab_link(struct lab *l, const struct lab_end *e);
void lab_new(struct ht *t, struct lab *l);
void lab_free(struct lab *l);
/* n accesses, each of which crosses the link; loads are compared as they come. */
void lab_work(struct lab *l, unsigned int n, const char *when);
void lab_memory(struct lab *l, const char *when);
bool lab_carries(const struct hsl_link_props *p);
/* Both ends carry packets at this width; 0: any. */
void lab_wait_up(struct lab *l, uint32_t width, const char *when);
/* Of a link, or with HSL_COUNTERS_CHIP of the chip. */
uint64_t lab_counter_of(struct ht *t, uint32_t node, uint32_t link, const char *name);
uint64_t lab_counter(struct lab *l, const struct lab_end *e, const char *name);

/* Credit of so many that may be free and not told: part of a unit (section 8.3), and a quarter of the buffer may wait (section 9). */
static inline uint64_t lab_untold(uint64_t full)
{
	return full / 4 + full / 32 + 7;
}

#define LAB_DO(lab, e, cmd, a0, a1, a2)                                                  \
	do {                                                                             \
		int rc_ = lab_command(e, cmd, a0, a1, a2, NULL);                         \
		HT_TRUE((lab)->t, !rc_, "chip %u link %u, %s: expected success, got %s", \
			(e)->node, (e)->link, #cmd, ht_errno_name(rc_));                 \
	} while (0)

#endif
