/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What the tests of the model share: building a fabric, posting, and seeded randomness.
 *
 * HSL_TEST_SEED=N repeats a run; the seed of every run is printed.
 */
#ifndef MODEL_TEST_H
#define MODEL_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <errno.h>

#include <cmocka.h>

#include "model/model.h"

#define HOST HSL_NODE_HOST_DEFAULT
#define SWITCH HSL_NODE_SWITCH_FIRST

static uint64_t rng_state;

static inline void rng_seed(void)
{
	const char *s = getenv("HSL_TEST_SEED");

	rng_state = s ? strtoull(s, NULL, 0) : (uint64_t)time(NULL);
	print_message("# HSL_TEST_SEED=%llu\n", (unsigned long long)rng_state);
}

static inline uint64_t rng(void)	/* splitmix64 */
{
	uint64_t z = rng_state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static inline uint32_t rng_below(uint32_t n)
{
	return (uint32_t)(rng() % n);
}

static inline struct hsl_model_config config(enum hsl_topology topology, uint32_t nodes)
{
	return (struct hsl_model_config){
		.nodes = nodes,
		.topology = topology,
		.host_node = HOST,
		.profile = *hsl_profile_find("default"),
	};
}

static inline int post_node(struct hsl_model *m, uint32_t id, bool present)
{
	struct hsl_event ev = { .type = HSL_EV_NODE };

	ev.u.node.id = id;
	ev.u.node.present = present;
	return hsl_model_post(m, &ev);
}

static inline int post_link(struct hsl_model *m, uint32_t a, uint32_t b, bool up)
{
	struct hsl_event ev = { .type = HSL_EV_LINK };

	ev.u.link.a = a;
	ev.u.link.b = b;
	ev.u.link.up = up;
	return hsl_model_post(m, &ev);
}

static inline struct hsl_event request(uint32_t src, uint32_t dst, uint32_t tag)
{
	return (struct hsl_event){
		.type = HSL_EV_REQ,
		.u.req = {
			.opcode = HSL_PKT_AUTH,
			.flags = HSL_PKT_F_READ,
			.tag = (uint16_t)tag,
			.src = (uint16_t)src,
			.dst = (uint16_t)dst,
			.addr = 0x1000,
			.key = UINT64_C(0x1122334455667788),
			.ctx_seg = HSL_PKT_CTX(3, 5),
			.epoch = 7,
		},
	};
}

static inline struct hsl_event answer(uint32_t home, uint32_t requester, uint32_t tag,
				      uint32_t status, uint64_t value)
{
	return (struct hsl_event){
		.type = HSL_EV_RSP,
		.u.rsp = {
			.opcode = HSL_PKT_RSP,
			.status = (uint8_t)status,
			.tag = (uint16_t)tag,
			.src = (uint16_t)home,
			.dst = (uint16_t)requester,
			.value = value,
		},
	};
}

static inline int post_req(struct hsl_model *m, uint32_t src, uint32_t dst, uint32_t tag)
{
	struct hsl_event ev = request(src, dst, tag);

	return hsl_model_post(m, &ev);
}

static inline int post_rsp(struct hsl_model *m, uint32_t home, uint32_t requester, uint32_t tag,
			   uint32_t status, uint64_t value)
{
	struct hsl_event ev = answer(home, requester, tag, status, value);

	return hsl_model_post(m, &ev);
}

/* A model with all its chips absent; free() it. */
static inline struct hsl_model *model_empty(const struct hsl_model_config *cfg)
{
	size_t bytes = hsl_model_size(cfg);
	struct hsl_model *m = malloc(bytes ? bytes : 1);

	assert_non_null(m);
	assert_null(hsl_model_check(cfg));
	assert_int_equal(bytes % 8, 0);
	memset(m, 0xa5, bytes);		/* init must not rely on a clean arena */
	assert_int_equal(hsl_model_init(m, bytes, cfg), 0);
	return m;
}

static inline struct hsl_model *model_of(const struct hsl_model_config *cfg)
{
	struct hsl_model *m = model_empty(cfg);

	for (uint32_t id = 1; id <= cfg->nodes; id++)
		assert_int_equal(post_node(m, id, true), 0);
	return m;
}

static inline struct hsl_model *model_new(enum hsl_topology topology, uint32_t nodes)
{
	struct hsl_model_config cfg = config(topology, nodes);

	return model_of(&cfg);
}

/* Next output, stepping as far as it takes; fails the test if there is none. */
static inline struct hsl_output next_output(struct hsl_model *m)
{
	struct hsl_output out;

	while (!hsl_model_drain(m, &out))
		assert_int_equal(hsl_model_step(m), 1);
	return out;
}

static inline void assert_quiet(struct hsl_model *m)
{
	struct hsl_output out;

	while (hsl_model_step(m))
		;
	assert_int_equal(hsl_model_drain(m, &out), 0);
}

#endif
