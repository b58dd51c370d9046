// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * The sim backend where it is more than the API: range allocator, iova set, sharing of fabrics, what happens to
 * users when a chip resets or a link goes down. Sanitizers watch for leaks.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "hsl/ctf.h"
#include "libhsl/sim.h"

static uint64_t in_seconds(unsigned int s)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ((uint64_t)ts.tv_sec + s) * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* ---- ranges ---- */

static void ranges_random(void **state)
{
	enum { N = 200, SIZE = 4096 };
	static uint8_t used[SIZE];
	struct { uint64_t start, len; } r[N];
	unsigned int n = 0, full = 0;
	struct sim_ranges a;
	uint32_t rng = 5;

	(void)state;
	memset(used, 0, sizeof(used));
	assert_int_equal(sim_ranges_init(&a, 1000, SIZE), 0);
	for (int i = 0; i < 20000; i++) {
		rng = rng * 1103515245 + 12345;
		if (n < N && rng >> 16 & 1) {
			uint64_t len = 1 + (rng >> 20) % 60, align = 1ull << (rng >> 8) % 6, start;
			int err = sim_ranges_take(&a, len, align, &start);

			if (err) {
				assert_int_equal(err, -ENOSPC);
				full++;
				continue;
			}
			assert_int_equal(start % align, 0);
			assert_true(start >= 1000 && start + len <= 1000 + SIZE);
			for (uint64_t k = 0; k < len; k++)
				assert_int_equal(used[start - 1000 + k]++, 0);
			r[n].start = start;
			r[n++].len = len;
		} else if (n) {
			unsigned int k = (rng >> 16) % n;

			memset(&used[r[k].start - 1000], 0, r[k].len);
			sim_ranges_give(&a, r[k].start, r[k].len);
			r[k] = r[--n];
		}
	}
	assert_true(full > 0);
	while (n--)
		sim_ranges_give(&a, r[n].start, r[n].len);
	/* one piece again */
	assert_int_equal(a.n, 1);
	assert_int_equal(a.free_bytes, SIZE);
	assert_int_equal(a.r[0].start, 1000);
	assert_int_equal(a.r[0].len, SIZE);
	sim_ranges_fini(&a);
}

static void iova_overlaps(void **state)
{
	struct sim_iova_set s;

	(void)state;
	assert_int_equal(sim_iova_init(&s), 0);
	assert_int_equal(sim_iova_check(&s, 0, 1, false), 0);
	assert_int_equal(sim_iova_add(&s, (void *)0x1000, 0x9000, false), 0);
	assert_int_equal(sim_iova_add(&s, (void *)0x2000, 0x1000, true), 0);
	assert_int_equal(sim_iova_add(&s, (void *)0x2000, 0x1000, true), 0);
	assert_int_equal(sim_iova_add(&s, (void *)0x20000, 0x1000, true), 0);
	assert_int_equal(sim_iova_check(&s, 0xfff, 1, false), 0);
	assert_int_equal(sim_iova_check(&s, 0x1000, ~0ull, false), 0x9000);
	assert_int_equal(sim_iova_check(&s, 0x5000, 16, false), 16);
	assert_int_equal(sim_iova_check(&s, 0x5000, 16, true), 0);
	assert_int_equal(sim_iova_check(&s, 0x2800, 0x10000, true), 0x800);
	assert_int_equal(sim_iova_check(&s, 0x9fff, 16, false), 1);
	assert_int_equal(sim_iova_check(&s, 0xa000, 16, false), 0);
	assert_int_equal(sim_iova_check(&s, ~0ull, ~0ull, false), 0);
	/* the same range twice is there until it is removed twice */
	sim_iova_remove(&s, (void *)0x2000, 0x1000, true);
	assert_int_equal(sim_iova_check(&s, 0x2000, 1, true), 1);
	sim_iova_remove(&s, (void *)0x2000, 0x1000, true);
	assert_int_equal(sim_iova_check(&s, 0x2000, 1, true), 0);
	assert_true(sim_iova_check(&s, 0x2000, 1, false) == 1);
	sim_iova_remove(&s, (void *)0x1000, 0x9000, false);
	assert_int_equal(sim_iova_check(&s, 0x2000, 1, false), 0);
	assert_int_equal(sim_iova_check(&s, 0x20000, 1, true), 1);
	sim_iova_fini(&s);
}

/* ---- fabrics ---- */

static void shared_by_url(void **state)
{
	struct hsl_fabric_info a = { .size = sizeof(a) }, b = { .size = sizeof(b) }, c = { .size = sizeof(c) };
	struct hsl_fabric *f[3];

	(void)state;
	assert_int_equal(hsl_fabric_open("sim:pair2", &f[0]), 0);
	assert_int_equal(hsl_fabric_open("sim:pair2", &f[1]), 0);
	assert_int_equal(hsl_fabric_open("sim:pair2,mem=128M,queues=2", &f[2]), 0);
	assert_int_equal(hsl_fabric_info(f[0], &a), 0);
	assert_int_equal(hsl_fabric_info(f[1], &b), 0);
	assert_int_equal(hsl_fabric_info(f[2], &c), 0);
	assert_memory_equal(a.fabric_id, b.fabric_id, sizeof(a.fabric_id));
	assert_memory_not_equal(a.fabric_id, c.fabric_id, sizeof(a.fabric_id));
	assert_int_not_equal(a.ctx_index, b.ctx_index);
	assert_int_equal(a.driver_abi, 0);
	assert_string_equal(a.backend, "sim");
	for (int i = 0; i < 3; i++)
		hsl_fabric_close(f[i]);
}

static void url_options(void **state)
{
	struct hsl_chip_props p = { .size = sizeof(p) };
	struct hsl_fabric_info i = { .size = sizeof(i) };
	struct hsl_fabric *f;

	(void)state;
	assert_int_equal(hsl_fabric_open("sim:ring8,mem=192m,queues=5", &f), 0);
	assert_int_equal(hsl_fabric_info(f, &i), 0);
	assert_int_equal(i.nchips, 8);
	assert_int_equal(hsl_chip_by_node(f, 8, &p), 0);
	assert_int_equal(p.mem_bytes, 192u << 20);
	assert_int_equal(p.nqueues, 5);
	assert_int_equal(p.nlinks, 2);
	hsl_fabric_close(f);
	setenv("HSL_FABRIC", "sim:switch3", 1);
	assert_int_equal(hsl_fabric_open(NULL, &f), 0);
	assert_int_equal(hsl_fabric_info(f, &i), 0);
	assert_int_equal(i.nchips, 3);
	hsl_fabric_close(f);
	unsetenv("HSL_FABRIC");
}

/* HSL_TEST_ROUNDS: how often; every round starts and stops the chips' threads, which takes its time on a busy machine */
static void open_close(void **state)
{
	const char *rounds = getenv("HSL_TEST_ROUNDS");

	(void)state;
	for (int i = rounds ? atoi(rounds) : 200; i > 0; i--) {
		struct hsl_fabric *f;

		assert_int_equal(hsl_fabric_open("sim:pair2,mem=128M,queues=1", &f), 0);
		hsl_fabric_close(f);
	}
}

/* The table of contexts is finite. */
static void too_many_contexts(void **state)
{
	static struct hsl_fabric *f[SIM_CONTEXTS];
	unsigned int n = 0;
	int err;

	(void)state;
	while (n < SIM_CONTEXTS && !(err = hsl_fabric_open("sim:pair1", &f[n])))
		n++;
	assert_int_equal(err, -ENOSPC);
	assert_int_equal(n, SIM_CONTEXTS - 1);
	while (n)
		hsl_fabric_close(f[--n]);
}

/* HEP-MAP-008: more handles than one leaf of the table holds, freed in another order */
static void many_segments(void **state)
{
	enum { N = 300 };
	static struct hsl_segment *s[N];
	struct hsl_fabric *f;
	struct hsl_queue *q;

	(void)state;
	assert_int_equal(hsl_fabric_open("sim:pair2", &f), 0);
	assert_int_equal(hsl_queue_create(f, 1, NULL, &q), 0);
	for (int i = 0; i < N; i++)
		assert_int_equal(hsl_segment_alloc(f, 1 + (uint32_t)i % 2, 4096, NULL, &s[i]), 0);
	for (int i = 0; i < N; i++)
		assert_int_equal(hsl_fill(q, hsl_segment_ga(s[i]), 4096, (uint64_t)i), 0);
	for (int i = 0; i < N; i += 2)
		assert_int_equal(hsl_segment_free(s[i]), 0);
	for (int i = 1; i < N; i += 2) {
		void *p;

		assert_int_equal(hsl_segment_map(s[i], &p), 0);
		assert_int_equal(*(uint64_t *)p, i);
		assert_int_equal(hsl_segment_free(s[i]), 0);
	}
	hsl_fabric_close(f);
}

static void path_of(struct hsl_fabric *f, uint32_t a, uint32_t b, int want_err, uint32_t want_hops)
{
	struct hsl_path_props p = { .size = sizeof(p) };

	assert_int_equal(hsl_topology_path(f, a, b, &p), want_err);
	if (!want_err)
		assert_int_equal(p.hops, want_hops);
}

#define TWO_SWITCHES "sim:docs/fabrics/two-switches.conf"
#define CHORD "docs/fabrics/chord.conf"

static struct hsl_link_props link_of(struct hsl_fabric *f, uint32_t node, uint32_t index)
{
	struct hsl_link_props l = { .size = sizeof(l) };

	assert_int_equal(hsl_link_query(f, node, index, &l), 0);
	return l;
}

/* Fabrics from files: paths over links that no chip tells of, and data moves over them. */
static void fabric_files(void **state)
{
	struct hsl_link_props p = { .size = sizeof(p) };
	struct hsl_segment *s;
	struct hsl_fabric *f;
	struct hsl_queue *q;

	(void)state;
	assert_int_equal(hsl_fabric_open(TWO_SWITCHES, &f), 0);
	path_of(f, 1, 2, 0, 2);
	path_of(f, 4, 5, 0, 1);
	path_of(f, 1, 6, 0, 3);
	assert_int_equal(link_of(f, 4, 1).peer, 5);
	assert_int_equal(link_of(f, HSL_NODE_SWITCH_FIRST + 1, 4).peer, HSL_NODE_SWITCH_FIRST);
	assert_int_equal(hsl_link_query(f, HSL_NODE_SWITCH_FIRST + 1, 5, &p), -ENOENT);
	assert_int_equal(hsl_link_query(f, HSL_NODE_SWITCH_FIRST + 2, 0, &p), -ENOENT);
	assert_int_equal(hsl_queue_create(f, 1, NULL, &q), 0);
	assert_int_equal(hsl_segment_alloc(f, 6, 4096, NULL, &s), 0);
	assert_int_equal(hsl_fill(q, hsl_segment_ga(s), 4096, 1), 0);
	assert_int_equal(hslp_sim_set_link(f, HSL_NODE_SWITCH_FIRST, HSL_NODE_SWITCH_FIRST + 1, false), 0);
	path_of(f, 1, 6, 0, 5);
	assert_int_equal(hsl_fill(q, hsl_segment_ga(s), 4096, 2), 0);
	assert_int_equal(hslp_sim_set_link(f, 4, 5, false), 0);
	path_of(f, 1, 6, -EHOSTUNREACH, 0);
	assert_int_equal(hsl_fill(q, hsl_segment_ga(s), 4096, 3), -EHOSTUNREACH);
	hsl_fabric_close(f);
}

/* Whose profile it is: the one asked for, else the file's, else default. */
static void fabric_profiles(void **state)
{
	static const struct { const char *url; uint32_t width, rate_mtps; } t[] = {
		{ TWO_SWITCHES, 16, 112000 },
		{ "sim:mesh2", 16, 112000 },
		{ "sim:mesh2,profile=pcie5", 16, 32000 },
		{ "sim:" CHORD, 4, 32000 },
		{ "sim:" CHORD ",mem=128M,profile=gen2", 16, 240000 },
		{ TWO_SWITCHES ",profile=" CHORD ",queues=2", 4, 32000 },
	};
	static const char *const bad[] = {
		"sim:mesh2,profile=", "sim:mesh2,profile=fast", "sim:mesh2,profile=averyveryverylongname",
		"sim:mesh2,profile=docs/fabrics/two-switches.conf", "sim:mesh2,profile=/", "sim:/",
		"sim:docs/fabrics/none.conf", "sim:README.md/", "sim:./README.md", "sim:file", "sim:file4",
		"sim:" CHORD ",chips=3", "sim:" CHORD "4", "sim:/dev/zero",
	};
	struct hsl_fabric *f;

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		assert_int_equal(hsl_fabric_open(t[i].url, &f), 0);
		assert_int_equal(link_of(f, 1, 0).width, t[i].width);
		assert_int_equal(link_of(f, 1, 0).rate_mtps, t[i].rate_mtps);
		assert_int_equal(link_of(f, 1, 0).max_width, t[i].width);
		assert_int_equal(link_of(f, 1, 0).max_rate_mtps, t[i].rate_mtps);
		hsl_fabric_close(f);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(hsl_fabric_open(bad[i], &f), -EINVAL);
}

/* Idle chips are warmer in a hot room, by as much as it is hotter. */
static void ambient_of_all(void **state)
{
	struct hsl_sensors cool = { .size = sizeof(cool) }, hot = { .size = sizeof(hot) };
	struct hsl_fabric *f;

	(void)state;
	assert_int_equal(hsl_fabric_open("sim:pair2,time=modelled", &f), 0);
	assert_int_equal(hsl_chip_sensors(f, 2, &cool), 0);
	hsl_fabric_close(f);
	assert_int_equal(hsl_fabric_open("sim:pair2,time=modelled,ambient=60", &f), 0);
	assert_int_equal(hsl_chip_sensors(f, 2, &hot), 0);
	hsl_fabric_close(f);
	assert_int_equal(hot.temp_mc - cool.temp_mc, (60 - HSL_HEAT_AMBIENT) * 1000);
	assert_int_equal(hsl_fabric_open("sim:pair2,ambient=126", &f), -EINVAL);
}

/*
 * The times of docs/hep.md section 9, which wall time has no part in; two queues at once are no slower than one; a wait in vain ends; another
 * thread's waiting moves the one clock there is.
 */
static void *nops(void *arg)
{
	for (int i = 0; i < 1000; i++)
		assert_int_equal(hsl_nop(arg), 0);
	return NULL;
}

static void modelled_time(void **state)
{
	struct hsl_completion c[2];
	struct hsl_segment *src, *dst;
	struct hsl_queue *q, *r;
	uint64_t t0, t1, seen;
	struct hsl_fabric *f;
	pthread_t thread;
	struct hsl_op op;

	(void)state;
	assert_int_equal(hsl_fabric_open("sim:mesh2,time=modelled", &f), 0);
	assert_int_equal(hsl_queue_create(f, 1, NULL, &q), 0);
	assert_int_equal(hsl_queue_create(f, 2, NULL, &r), 0);
	assert_int_equal(hsl_segment_alloc(f, 1, 4096, NULL, &src), 0);
	assert_int_equal(hsl_segment_alloc(f, 2, 4096, NULL, &dst), 0);
	assert_int_equal(hsl_clock_ns(f, &t0), 0);
	usleep(1000);
	assert_int_equal(hsl_clock_ns(f, &t1), 0);
	assert_int_equal(t1, t0);
	assert_int_equal(hsl_nop(q), 0);
	assert_int_equal(hsl_clock_ns(f, &t1), 0);
	assert_int_equal(t1 - t0, 270);
	assert_int_equal(hsl_copy(q, hsl_segment_ga(dst), hsl_segment_ga(src), 64), 0);
	assert_int_equal(hsl_clock_ns(f, &t0), 0);
	assert_in_range(t0 - t1, 582, 583);

	op = hsl_op_copy(hsl_segment_ga(dst), hsl_segment_ga(src), 64);
	assert_int_equal(hsl_queue_submit(q, &op, 1), 1);
	op = hsl_op_copy(hsl_segment_ga(src), hsl_segment_ga(dst), 64);
	assert_int_equal(hsl_queue_submit(r, &op, 1), 1);
	assert_int_equal(hsl_queue_wait(q, c, 1, UINT64_MAX), 1);
	assert_int_equal(hsl_queue_wait(r, c, 1, UINT64_MAX), 1);
	assert_int_equal(hsl_clock_ns(f, &t1), 0);
	assert_in_range(t1 - t0, 562, 583);
	/* nothing outstanding: time goes by all the same */
	assert_int_equal(hsl_queue_poll(q, c, 1), 0);
	assert_int_equal(hsl_clock_ns(f, &t0), 0);
	assert_true(t0 > t1);
	/* a WAIT that never holds ends by its own time, of which the program waits none */
	assert_int_equal(hsl_wait_value(q, HSL_WAIT_EQ, hsl_segment_ga(src), 1, 1000000000, &seen), -ETIMEDOUT);
	assert_int_equal(hsl_clock_ns(f, &t1), 0);
	assert_in_range(t1 - t0, 1000000000, 1010000000);

	assert_int_equal(pthread_create(&thread, NULL, nops, r), 0);
	nops(q);
	pthread_join(thread, NULL);
	assert_int_equal(hsl_clock_ns(f, &t0), 0);
	/* no upper bound: who looks while the other one has nothing submitted makes time go by */
	assert_true(t0 - t1 >= 270 * 1000);
	hsl_fabric_close(f);
	assert_int_equal(hsl_fabric_open("sim:mesh2,time=wall", &f), -EINVAL);
	assert_int_equal(hsl_fabric_open("sim:mesh2,time=modelledx", &f), -EINVAL);
	/* no such link; nobody's socket */
	assert_int_equal(hsl_fabric_open("sim:pair2,remote=9-1:listen:/", &f), -EINVAL);
	assert_int_equal(hsl_fabric_open("sim:mesh4,mem=128M,home=65536", &f), -ERANGE);
	assert_int_equal(hsl_fabric_open("sim:pair2,remote=2-1:listen:/", &f), -EEXIST);
	assert_int_equal(hsl_fabric_open("sim:mesh2", &f), 0);
	assert_int_equal(hsl_clock_ns(f, &t0), 0);
	usleep(1000);
	assert_int_equal(hsl_clock_ns(f, &t1), 0);
	assert_true(t1 - t0 >= 1000000);
	hsl_fabric_close(f);
}

static void paths_and_links(void **state)
{
	struct hsl_segment *s;
	struct hsl_fabric *f;
	struct hsl_queue *q;

	(void)state;
	assert_int_equal(hsl_fabric_open("sim:ring6", &f), 0);
	path_of(f, 1, 2, 0, 1);
	path_of(f, 1, 4, 0, 3);
	path_of(f, 2, 6, 0, 2);
	assert_int_equal(hsl_queue_create(f, 1, NULL, &q), 0);
	assert_int_equal(hsl_segment_alloc(f, 2, 4096, NULL, &s), 0);
	assert_int_equal(hsl_fill(q, hsl_segment_ga(s), 4096, 1), 0);
	/* the long way round, then none */
	assert_int_equal(hslp_sim_set_link(f, 1, 2, false), 0);
	path_of(f, 1, 2, 0, 5);
	assert_int_equal(hsl_fill(q, hsl_segment_ga(s), 4096, 2), 0);
	assert_int_equal(hslp_sim_set_link(f, 4, 5, false), 0);
	path_of(f, 1, 2, -EHOSTUNREACH, 0);
	path_of(f, 1, 5, 0, 2);
	assert_int_equal(hsl_fill(q, hsl_segment_ga(s), 4096, 3), -EHOSTUNREACH);
	assert_int_equal(hslp_sim_set_link(f, 1, 2, true), 0);
	path_of(f, 1, 2, 0, 1);
	assert_int_equal(hsl_fill(q, hsl_segment_ga(s), 4096, 4), 0);
	hsl_fabric_close(f);

	/* through a switch: two links, all alike */
	assert_int_equal(hsl_fabric_open("sim:switch5", &f), 0);
	for (uint32_t a = 1; a <= 5; a++)
		for (uint32_t b = 1; b <= 5; b++)
			path_of(f, a, b, 0, a == b ? 0 : 2);
	path_of(f, 1, HSL_NODE_SWITCH_FIRST, -ENOENT, 0);
	hsl_fabric_close(f);
}

/* HEP-RAS-002, -003, HEP-QUE-014: a chip resets under its users */
static void reset_under_traffic(void **state)
{
	(void)state;
	for (int round = 0; round < 8; round++) {
		struct hsl_op ops[64];
		struct hsl_completion c[64];
		struct hsl_segment *a, *b;
		struct hsl_fabric *f;
		struct hsl_queue *q, *other;
		unsigned int got = 0, gone = 0;
		uint8_t seen[64] = { 0 };
		uint32_t error = 0;
		int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), n;
		struct pollfd p[2];
		void *mem;

		assert_int_equal(hsl_fabric_open("sim:mesh3", &f), 0);
		assert_int_equal(hsl_queue_create(f, 1, &(struct hsl_queue_opts){ .size = sizeof(struct hsl_queue_opts),
							  .depth = 64 }, &q), 0);
		assert_int_equal(hsl_queue_create(f, 2, NULL, &other), 0);
		assert_int_equal(hsl_segment_alloc(f, 1, 4 << 20, NULL, &a), 0);
		assert_int_equal(hsl_segment_alloc(f, 2, 4 << 20, NULL, &b), 0);
		assert_int_equal(hsl_segment_map(a, &mem), 0);
		memset(mem, 0x42, 4 << 20);
		assert_int_equal(hsl_queue_eventfd(q, fd), 0);
		for (unsigned int i = 0; i < 64; i++)
			ops[i] = (struct hsl_op){ .opcode = HSL_OP_COPY, .dst = hsl_segment_ga(b), .src = hsl_segment_ga(a),
						  .len = 4 << 20, .cookie = i };
		assert_int_equal(hsl_queue_submit(q, ops, 64), 64);
		if (round % 2)
			usleep(3000);
		assert_int_equal(hslp_sim_reset_chip(f, 1), 0);

		/* everyone who watches is told */
		p[0] = (struct pollfd){ .fd = hsl_queue_fd(q), .events = POLLIN };
		p[1] = (struct pollfd){ .fd = fd, .events = POLLIN };
		assert_int_equal(poll(p, 2, 0), 2);
		assert_int_equal(hsl_queue_state(q, &error), HSL_QUEUE_ERROR);
		assert_int_equal(error, HSL_ST_GONE);
		assert_int_equal(hsl_queue_submit(q, ops, 1), -ESHUTDOWN);
		while ((n = hsl_queue_wait(q, c, 7, in_seconds(60))) > 0)
			for (int i = 0; i < n; i++, got++) {
				assert_true(c[i].cookie < 64);
				assert_int_equal(seen[c[i].cookie]++, 0);
				assert_true(c[i].status == HSL_ST_OK || c[i].status == HSL_ST_GONE);
				gone += c[i].status == HSL_ST_GONE;
			}
		assert_int_equal(n, -ENOENT);
		assert_int_equal(got, 64);
		assert_true(round % 2 || gone > 0);

		/* others go on; segments are there, with their content; a new queue works */
		assert_int_equal(hsl_copy(other, hsl_segment_ga(b), hsl_segment_ga(a), 4 << 20), 0);
		assert_int_equal(((uint8_t *)mem)[12345], 0x42);
		hsl_queue_destroy(q);
		assert_int_equal(hsl_queue_create(f, 1, NULL, &q), 0);
		assert_int_equal(hsl_fill(q, hsl_segment_ga(a), 4 << 20, 0), 0);
		assert_int_equal(((uint8_t *)mem)[12345], 0);
		hsl_fabric_close(f);
		close(fd);
	}
}

/* Another chip's command runs on memory of the one that resets: it completes, with one of the promised outcomes. */
static void reset_of_a_home(void **state)
{
	struct hsl_segment *a, *b;
	struct hsl_fabric *f;
	struct hsl_queue *q;

	(void)state;
	assert_int_equal(hsl_fabric_open("sim:pair2", &f), 0);
	assert_int_equal(hsl_queue_create(f, 1, NULL, &q), 0);
	assert_int_equal(hsl_segment_alloc(f, 2, 32 << 20, NULL, &a), 0);
	assert_int_equal(hsl_segment_alloc(f, 1, 32 << 20, NULL, &b), 0);
	for (int i = 0; i < 6; i++) {
		struct hsl_op op = { .opcode = HSL_OP_COPY, .dst = hsl_segment_ga(b), .src = hsl_segment_ga(a),
				     .len = 32 << 20 };
		struct hsl_completion c;

		assert_int_equal(hsl_queue_submit(q, &op, 1), 1);
		if (i % 2)
			usleep(1000);
		assert_int_equal(hslp_sim_reset_chip(f, 2), 0);
		assert_int_equal(hsl_queue_wait(q, &c, 1, in_seconds(60)), 1);
		assert_true(c.status == HSL_ST_OK || c.status == HSL_ST_REVOKED || c.status == HSL_ST_UNREACHABLE);
		assert_int_equal(hsl_copy(q, op.dst, op.src, 4096), 0);
	}
	hsl_fabric_close(f);
}

/* What no user of the API does: a tail far ahead, and a doorbell that may not be needed. */
static void overflow(struct hsl_fabric *f, struct hsl_queue *q)
{
	uint32_t error;

	__atomic_store_n(&q->shadow->tail, 100000, __ATOMIC_SEQ_CST);
	hsl_chip_mmio_write(hslp_sim_engine(f, 1), q->sim->db + HSL_DB_SQ_TAIL, 100000, 4);
	for (int i = 0; i < 1000 && hsl_queue_state(q, &error) == HSL_QUEUE_READY; i++)
		usleep(1000);
	assert_int_equal(hsl_queue_state(q, &error), HSL_QUEUE_ERROR);
	assert_int_equal(error, HSL_ST_OVERFLOW);
}

/* HEP-QUE-005 and -021 seen from above: a queue that the chip puts into ERROR ends for its user, once */
static void queue_error(void **state)
{
	struct hsl_completion c[8];
	struct hsl_op op = { 0 };
	struct hsl_fabric *f;
	struct hsl_queue *q;

	(void)state;
	assert_int_equal(hsl_fabric_open("sim:pair2", &f), 0);
	assert_int_equal(hsl_queue_create(f, 1, NULL, &q), 0);
	assert_int_equal(hsl_nop(q), 0);
	overflow(f, q);
	assert_int_equal(hsl_queue_submit(q, &op, 1), -ESHUTDOWN);
	assert_int_equal(hsl_queue_poll(q, c, 8), 0);
	hsl_queue_destroy(q);
	assert_int_equal(hsl_queue_create(f, 1, NULL, &q), 0);
	assert_int_equal(hsl_nop(q), 0);
	hsl_fabric_close(f);
}

/* HEP-API-012: in order, numbered, each context its own place; the oldest are lost, and counted. */
static void events(void **state)
{
	struct hsl_fabric_event ev[300];
	struct pollfd p = { .events = POLLIN };
	struct hsl_fabric *f, *late;
	uint64_t seq;

	(void)state;
	assert_int_equal(hsl_fabric_open("sim:mesh3", &f), 0);
	p.fd = hsl_event_fd(f);
	assert_int_equal(poll(&p, 1, 0), 0);
	assert_int_equal(hslp_sim_set_link(f, 1, 2, false), 0);
	assert_int_equal(hslp_sim_set_link(f, 1, 2, true), 0);
	assert_int_equal(hsl_fabric_open("sim:mesh3", &late), 0);
	assert_int_equal(poll(&p, 1, 0), 1);
	/* both ends, down and up */
	assert_int_equal(hsl_event_read(f, ev, 3), 3);
	assert_int_equal(poll(&p, 1, 0), 1);
	assert_int_equal(hsl_event_read(f, ev + 3, 10), 1);
	assert_int_equal(poll(&p, 1, 0), 0);
	seq = ev[0].seq;
	for (unsigned int i = 0; i < 4; i++) {
		struct hsl_link_props l = { .size = sizeof(l) };

		assert_int_equal(ev[i].type, HSL_FABRIC_EV_LINK);
		assert_int_equal(ev[i].seq, seq + i);
		assert_int_equal(ev[i].value, i < 2 ? HSL_LTSSM_DISABLED : HSL_LTSSM_L0);
		assert_true(ev[i].node == 1 || ev[i].node == 2);
		assert_int_equal(hsl_link_query(f, ev[i].node, ev[i].index, &l), 0);
		assert_int_equal(l.peer, 3 - ev[i].node);
		assert_true(ev[i].time_ns >= ev[0].time_ns);
	}
	assert_true(ev[0].node != ev[1].node && ev[2].node != ev[3].node);
	assert_int_equal(hsl_event_read(late, ev, 10), 0);

	assert_int_equal(hslp_sim_reset_chip(f, 3), 0);
	assert_true(hsl_event_read(late, ev, 10) >= 2);
	assert_int_equal(ev[0].type, HSL_FABRIC_EV_CHIP_STATE);
	assert_int_equal(ev[0].node, 3);
	assert_int_equal(ev[0].value, 1);

	while (hsl_event_read(f, ev, 300) > 0)
		;
	assert_int_equal(hsl_event_read(late, ev, 300), 0);
	for (unsigned int i = 0; i < 100; i++) {
		assert_int_equal(hslp_sim_set_link(f, 1, 2, false), 0);
		assert_int_equal(hslp_sim_set_link(f, 1, 2, true), 0);
	}
	assert_int_equal(hsl_event_read(f, ev, 300), 257);
	assert_int_equal(ev[0].type, HSL_FABRIC_EV_OVERFLOW);
	assert_int_equal(ev[0].value, 400 - 256);
	for (unsigned int i = 1; i < 257; i++) {
		assert_int_equal(ev[i].type, HSL_FABRIC_EV_LINK);
		assert_int_equal(ev[i].seq, ev[0].seq + i);
	}
	hsl_fabric_close(late);
	hsl_fabric_close(f);
}

/* A chip with a fatal error is taken away as a driver does it, and a reset of its function brings it back. */
static void fatal_error(void **state)
{
	struct hsl_chip_props p = { .size = sizeof(p) };
	struct hsl_sensors sensors = { .size = sizeof(sensors) };
	struct hsl_fabric_event ev[4];
	struct hsl_fabric *f;
	struct hsl_queue *q, *other;
	struct hsl_ctf *c, *again;
	uint32_t error = 0;
	uint64_t value;

	(void)state;
	assert_int_equal(hsl_fabric_open("sim:pair2", &f), 0);
	assert_int_equal(hsl_queue_create(f, 2, NULL, &q), 0);
	assert_int_equal(hsl_queue_create(f, 1, NULL, &other), 0);
	assert_int_equal(hsl_ctf_open(f, 2, &c), 0);
	assert_int_equal(hsl_ctf_command(c, 0, HSL_CTF_CMD_FATAL, NULL, NULL), 0);
	assert_int_equal(hsl_ctf_command(c, 0, HSL_CTF_CMD_COUNT, NULL, NULL), -ESHUTDOWN);
	hsl_ctf_close(c);
	assert_int_equal(hsl_ctf_open(f, 2, &again), -ENODEV);
	assert_int_equal(hsl_chip_by_node(f, 2, &p), 0);
	assert_int_equal(p.state, HSL_CHIP_FAILED);
	assert_int_equal(hsl_event_read(f, ev, 4), 1);
	assert_int_equal(ev[0].type, HSL_FABRIC_EV_CHIP_STATE);
	assert_int_equal(ev[0].node, 2);
	assert_int_equal(ev[0].value, HSL_CHIP_FAILED);
	assert_int_equal(hsl_queue_state(q, &error), HSL_QUEUE_ERROR);
	assert_int_equal(error, HSL_ST_GONE);
	hsl_queue_destroy(q);
	assert_int_equal(hsl_queue_create(f, 2, NULL, &q), -ENODEV);
	assert_int_equal(hsl_chip_sensors(f, 2, &sensors), -ENODEV);
	assert_int_equal(hsl_counters(f, 2, HSL_COUNTERS_CHIP, &value, 1), -ENODEV);
	assert_int_equal(hsl_nop(other), 0);

	assert_int_equal(hslp_sim_reset_chip(f, 2), 0);
	assert_int_equal(hsl_chip_sensors(f, 2, &sensors), 0);
	assert_int_equal(hsl_counters(f, 2, HSL_COUNTERS_CHIP, &value, 1) > 0, 1);
	assert_int_equal(hsl_chip_by_node(f, 2, &p), 0);
	assert_int_equal(p.state, HSL_CHIP_READY);
	assert_int_equal(hsl_queue_create(f, 2, NULL, &q), 0);
	assert_int_equal(hsl_nop(q), 0);
	hsl_fabric_close(f);
}

/* A chip that does not let go of rings or memory fails before they are unmapped; it would write to them. */
static void refuses_to_forget(void **state)
{
	static const char *const url[] = { "sim:pair2,deviate=destroy-refused", "sim:pair2,deviate=invalidate-refused" };

	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		struct hsl_chip_props p = { .size = sizeof(p) };
		struct hsl_fabric_event ev[8];
		unsigned int told = 0;
		struct hsl_segment *s;
		struct hsl_fabric *f;
		struct hsl_queue *q;
		int n;

		assert_int_equal(hsl_fabric_open(url[i], &f), 0);
		assert_int_equal(hsl_queue_create(f, 1, NULL, &q), 0);
		assert_int_equal(hsl_nop(q), 0);
		if (i)
			assert_int_equal(hsl_segment_alloc(f, 1, 4096, NULL, &s), -EIO);
		hsl_queue_destroy(q);
		assert_int_equal(hsl_chip_by_node(f, 1, &p), 0);
		assert_int_equal(p.state, HSL_CHIP_FAILED);
		/* once; its link goes down too */
		n = hsl_event_read(f, ev, 8);
		for (int k = 0; k < n; k++)
			told += ev[k].type == HSL_FABRIC_EV_CHIP_STATE && ev[k].node == 1 && ev[k].value == HSL_CHIP_FAILED;
		assert_int_equal(told, 1);
		assert_int_equal(hsl_queue_create(f, 1, NULL, &q), -ENODEV);
		hsl_fabric_close(f);
	}
}

/* A queue that has stopped ends with its own error, though the chip fails when it is to be destroyed; another ends with the chip. */
static void refuses_in_error(void **state)
{
	struct hsl_chip_props p = { .size = sizeof(p) };
	struct hsl_queue *q, *other;
	struct hsl_fabric *f;
	uint32_t error;

	(void)state;
	assert_int_equal(hsl_fabric_open("sim:pair2,deviate=destroy-refused", &f), 0);
	assert_int_equal(hsl_queue_create(f, 1, NULL, &q), 0);
	assert_int_equal(hsl_queue_create(f, 1, NULL, &other), 0);
	overflow(f, q);
	assert_int_equal(hsl_queue_state(other, &error), HSL_QUEUE_ERROR);
	assert_int_equal(error, HSL_ST_GONE);
	assert_int_equal(hsl_chip_by_node(f, 1, &p), 0);
	assert_int_equal(p.state, HSL_CHIP_FAILED);
	hsl_fabric_close(f);
}

/* A reset ends test mode, and registers that read as zero then are not taken for success. */
static void test_mode_and_reset(void **state)
{
	struct hsl_chip_props p = { .size = sizeof(p) };
	uint64_t result[2] = { 5, 6 };
	uint8_t flit[HSL_FLIT_BYTES] = { 0 };
	struct hsl_fabric *f;
	struct hsl_ctf *c;

	(void)state;
	assert_int_equal(hsl_fabric_open("sim:pair2", &f), 0);
	assert_int_equal(hsl_chip_by_node(f, 1, &p), 0);
	if (!(p.cap & HSL_CAP_CTF)) {
		hsl_fabric_close(f);
		skip();
	}
	assert_int_equal(hsl_ctf_open(f, 1, &c), 0);
	assert_int_equal(hsl_ctf_command(c, 0, HSL_CTF_CMD_COUNT, NULL, NULL), 0);
	assert_int_equal(hslp_sim_reset_chip(f, 1), 0);
	assert_int_equal(hsl_ctf_command(c, 0, HSL_CTF_CMD_COUNT, NULL, result), -ESHUTDOWN);
	assert_int_equal(hsl_ctf_flit(c, flit), -ESHUTDOWN);
	assert_int_equal(hsl_ctf_command(c, 0, HSL_CTF_CMD_FATAL, NULL, NULL), -ESHUTDOWN);
	assert_true(result[0] == 5 && result[1] == 6);
	hsl_ctf_close(c);
	assert_int_equal(hsl_ctf_open(f, 1, &c), 0);
	assert_int_equal(hsl_ctf_command(c, 0, HSL_CTF_CMD_COUNT, NULL, result), 0);
	hsl_fabric_close(f);
}

/* A child opens a fabric of its own, also under its parent's URL. */
static void forked(void **state)
{
	struct hsl_fabric *f, *own;
	struct hsl_queue *q;
	int status;
	pid_t pid;

	(void)state;
#ifdef __SANITIZE_THREAD__
	skip();		/* it does not let a child of threads have threads */
#endif
	assert_int_equal(hsl_fabric_open("sim:pair2", &f), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		alarm(60);
		status = hsl_fabric_open("sim:pair2", &own) || hsl_queue_create(own, 1, NULL, &q) || hsl_nop(q);
		if (!status)
			hsl_fabric_close(own);
		_exit(status);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(hsl_queue_create(f, 1, NULL, &q), 0);
	assert_int_equal(hsl_nop(q), 0);
	hsl_fabric_close(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ranges_random),
		cmocka_unit_test(iova_overlaps),
		cmocka_unit_test(shared_by_url),
		cmocka_unit_test(url_options),
		cmocka_unit_test(open_close),
		cmocka_unit_test(too_many_contexts),
		cmocka_unit_test(many_segments),
		cmocka_unit_test(paths_and_links),
		cmocka_unit_test(fabric_files),
		cmocka_unit_test(fabric_profiles), cmocka_unit_test(ambient_of_all),
		cmocka_unit_test(modelled_time),
		cmocka_unit_test(reset_under_traffic),
		cmocka_unit_test(reset_of_a_home),
		cmocka_unit_test(queue_error),
		cmocka_unit_test(events),
		cmocka_unit_test(test_mode_and_reset), cmocka_unit_test(fatal_error), cmocka_unit_test(refuses_to_forget), cmocka_unit_test(refuses_in_error),
		cmocka_unit_test(forked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
