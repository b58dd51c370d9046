// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Lists, sets and the index of agents and homes (qemu/model/coh_list.h) against an array that is
 * searched: members come and go at random, on few lines, so that all of them collide.
 */
#include "model_test.h"
#include "model/coh_list.h"

#define N	100u
#define LINES	7u
#define STEPS	20000u

struct block {
	struct hsl_coh_list list;
	struct hsl_coh_index index;
	uint64_t order[N], line[N];	/* of a member; order 0: it is none */
	uint64_t set[(N + 63) / 64];
};

static struct block *block_new(void)
{
	uint64_t end = sizeof(struct block), list, index;
	struct block *b;

	list = hsl_coh_take(&end, N * sizeof(struct hsl_coh_link));
	index = hsl_coh_take(&end, hsl_coh_index_size(N));
	assert_int_equal(end % 8, 0);
	b = test_calloc(1, end);
	b->list = hsl_coh_list_at(list);
	b->index = hsl_coh_index_at(index, N);
	return b;
}

/* The member that comes next in order after `order`; N. */
static uint32_t next_of(const struct block *b, uint64_t order)
{
	uint32_t best = N;

	for (uint32_t i = 0; i < N; i++)
		if (b->order[i] > order && (best == N || b->order[i] < b->order[best]))
			best = i;
	return best;
}

static void same_list(const struct block *b)
{
	uint32_t want = next_of(b, 0), last = HSL_COH_NONE;

	for (uint32_t i = b->list.head; i != HSL_COH_NONE; i = hsl_coh_next(b, &b->list, i)) {
		assert_int_equal(i, want);
		assert_int_equal(hsl_coh_link(b, &b->list, i)->prev, last);
		want = next_of(b, b->order[i]);
		last = i;
	}
	assert_int_equal(want, N);
	assert_int_equal(b->list.tail, last);
}

static void same_set(const struct block *b)
{
	uint32_t i = hsl_coh_set_next(b->set, hsl_coh_words(N), 0);

	for (uint32_t want = 0; want < N; want++) {
		assert_int_equal(hsl_coh_set_has(b->set, want), b->order[want] != 0);
		if (b->order[want]) {
			assert_int_equal(i, want);
			i = hsl_coh_set_next(b->set, hsl_coh_words(N), i + 1);
		}
	}
	assert_int_equal(i, HSL_COH_NONE);
}

/* Every member is found by its line, once, and nobody who is none. */
static void same_index(const struct block *b)
{
	bool found[N] = { false };

	for (uint64_t line = 0; line < LINES; line++) {
		uint32_t i = hsl_coh_index_first(b, &b->index, line * HSL_LINE_BYTES);

		for (; i != HSL_COH_NONE; i = hsl_coh_index_next(b, &b->index, i)) {
			assert_true(i < N && b->order[i]);
			if (b->line[i] == line * HSL_LINE_BYTES) {
				assert_false(found[i]);
				found[i] = true;
			}
		}
	}
	for (uint32_t i = 0; i < N; i++)
		assert_int_equal(found[i], b->order[i] != 0);
}

static void come_and_go(void **state)
{
	struct block *b = block_new();
	uint64_t random = 1, order = 0;

	(void)state;
	for (uint32_t step = 0; step < STEPS; step++) {
		uint32_t i = (uint32_t)(random >> 33) % N;

		random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
		if (b->order[i]) {
			assert_int_equal(hsl_coh_link(b, &b->list, i)->order, b->order[i]);
			hsl_coh_remove(b, &b->list, i);
			assert_int_equal(hsl_coh_link(b, &b->list, i)->order, 0);
			hsl_coh_index_remove(b, &b->index, b->line[i], i);
			hsl_coh_set_remove(b->set, i);
			b->order[i] = 0;
		} else {
			order += 2;
			b->line[i] = (random >> 40) % LINES * HSL_LINE_BYTES;
			b->order[i] = random >> 63 ? order : order - 101 * (order > 101);
			if (b->order[i] == order)
				hsl_coh_append(b, &b->list, i, order);
			else
				hsl_coh_sort_in(b, &b->list, i, b->order[i]);
			hsl_coh_index_add(b, &b->index, b->line[i], i);
			hsl_coh_set_add(b->set, i);
		}
		if (step % 16 == 0) {
			same_list(b);
			same_set(b);
			same_index(b);
		}
	}
	test_free(b);
}

/* The last that was added comes first, of one line too. */
static void youngest_first(void **state)
{
	struct block *b = block_new();
	uint32_t want = N;

	(void)state;
	for (uint32_t i = 0; i < N; i++)
		hsl_coh_index_add(b, &b->index, 0, i);
	for (uint32_t i = hsl_coh_index_first(b, &b->index, 0); i != HSL_COH_NONE;
	     i = hsl_coh_index_next(b, &b->index, i))
		assert_int_equal(i, --want);
	assert_int_equal(want, 0);
	test_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(come_and_go),
		cmocka_unit_test(youngest_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
