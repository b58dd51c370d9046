/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Waiting for what has to happen. That it does not happen is a failure; that it takes long, on a machine that is busy or
 * under a chip that is emulated, is none. So a limit is not a time by the clock: it counts only while whoever waits gets to
 * look, at most LOOK_NS from one look to the next. Starved of a CPU, a waiter looks rarely, and its limit lasts longer by as
 * much; what it waits for is starved alike. On a machine that is not busy a limit is as long as it says.
 *
 * Each look that found nothing lets modelled time go on, which stands still unless somebody waits.
 *
 * Who sleeps in hsl_queue_wait or poll(2) does not see how busy the machine is. When the time is over and nothing came, it
 * goes on with looks, for as long again.
 */
#include <poll.h>
#include <sched.h>
#include <time.h>
#include <unistd.h>

#include "hsltest.h"

#define LOOK_NS 5000000ull

uint64_t ht_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * HT_NS_PER_S + (uint64_t)ts.tv_nsec;
}

uint64_t ht_clock_ns(struct ht *t)
{
	uint64_t ns;

	HT_OK(t, hsl_clock_ns(t->f, &ns));
	return ns;
}

struct ht_limit ht_limit(unsigned int s)
{
	return (struct ht_limit){ .left_ns = s * HT_NS_PER_S, .looked_ns = ht_now_ns() };
}

bool ht_limit_over(struct ht_limit *l)
{
	uint64_t now = ht_now_ns(), spent = now - l->looked_ns;

	ht_time_passes();
	l->looked_ns = now;
	if (spent > LOOK_NS)
		spent = LOOK_NS;
	l->left_ns -= spent < l->left_ns ? spent : l->left_ns;
	return !l->left_ns;
}

int ht_completions(struct hsl_queue *q, struct hsl_completion *c, unsigned int max)
{
	struct ht_limit limit;
	int rc;

	do {
		rc = hsl_queue_wait(q, c, max, ht_now_ns() + HT_OP_LIMIT_S * HT_NS_PER_S);
	} while (rc == -EINTR);
	if (rc != -ETIMEDOUT)
		return rc;
	limit = ht_limit(HT_OP_LIMIT_S);
	do {
		sched_yield();
		rc = hsl_queue_poll(q, c, max);
	} while (!rc && !ht_limit_over(&limit));
	return rc ? rc : -ETIMEDOUT;
}

short ht_readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	const bool stands = ht_time_passes(); /* while poll(2) sleeps */
	struct ht_limit limit;

	if (!stands && poll(&p, 1, HT_OP_LIMIT_S * 1000) == 1)
		return p.revents;
	limit = ht_limit(HT_OP_LIMIT_S);
	while (poll(&p, 1, !stands) != 1) {
		if (ht_limit_over(&limit))
			return 0;
	}
	return p.revents;
}

void ht_wait_all(struct ht *t, struct hsl_queue *q, struct hsl_completion *c, unsigned int n)
{
	unsigned int have = 0;
	uint32_t error = 0;
	int rc, state;

	while (have < n) {
		rc = ht_completions(q, c + have, n - have);
		if (rc <= 0) {
			state = hsl_queue_state(q, &error);
			HT_FAIL_TEST(
				t,
				"hsl_queue_wait: %s after %u of %u completions; outstanding %u, queue state %d, error %s",
				ht_errno_name(rc), have, n, hsl_queue_outstanding(q), state,
				hsl_status_name(error));
		}
		have += (unsigned int)rc;
	}
}

void ht_wait_free(struct ht *t, uint32_t node, uint64_t mem_bytes, uint32_t queues)
{
	struct hsl_chip_props p = { .size = sizeof(p) };
	struct ht_limit limit = ht_limit(HT_OP_LIMIT_S);
	uint64_t before = 0;

	do {
		HT_OK(t, hsl_chip_by_node(t->f, node, &p));
		if (p.mem_free_bytes == mem_bytes && p.nqueues_free == queues)
			return;
		if (p.mem_free_bytes != before) /* it is being zeroed */
			limit = ht_limit(HT_OP_LIMIT_S);
		before = p.mem_free_bytes;
		usleep(2000);
	} while (!ht_limit_over(&limit));
	HT_EQ(t, "free memory of the chip, which does not change any more", p.mem_free_bytes, mem_bytes);
	HT_EQ(t, "free queues of the chip, which do not change any more", p.nqueues_free, queues);
}
