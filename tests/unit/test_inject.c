// SPDX-License-Identifier: MIT OR Apache-2.0
/* Words of injected errors: what they become, in which order, and what is refused with its reason. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hsl/ctf.h"
#include "model/inject.h"

static char why[160];

static int parse(const char *text, struct hsl_inject_plan *p)
{
	char *copy = strdup(text), *words[128], *save = NULL;
	unsigned int n = 0;
	int rc;

	for (char *w = strtok_r(copy, " ", &save); w; w = strtok_r(NULL, " ", &save))
		words[n++] = w;
	why[0] = 0;
	rc = hsl_inject_parse(p, words, n, why, sizeof(why));
	free(copy);
	return rc;
}

static void becomes(const char *text, uint32_t cmd, uint64_t a0, uint64_t a1, uint64_t a2)
{
	struct hsl_inject_plan p;

	if (parse(text, &p) || p.n != 1)
		fail_msg("%s: %u commands, %s", text, p.n, why);
	if (p.step[0].cmd != cmd || p.step[0].arg[0] != a0 || p.step[0].arg[1] != a1 || p.step[0].arg[2] != a2)
		fail_msg("%s: command %u, %#llx, %#llx, %#llx", text, p.step[0].cmd, (unsigned long long)p.step[0].arg[0],
			 (unsigned long long)p.step[0].arg[1], (unsigned long long)p.step[0].arg[2]);
}

static void words(void **state)
{
	(void)state;
	becomes("ber 0", HSL_CTF_CMD_WIRE, HSL_CTF_WIRE_BIT, 0, 0);
	becomes("ber 1", HSL_CTF_CMD_WIRE, HSL_CTF_WIRE_BIT, UINT64_MAX, 0);
	becomes("drop 0.5", HSL_CTF_CMD_WIRE, HSL_CTF_WIRE_DROP, 1ull << 63, 0);
	becomes("duplicate 0.25", HSL_CTF_CMD_WIRE, HSL_CTF_WIRE_DUPLICATE, 1ull << 62, 0);
	becomes("burst 0.5 2048", HSL_CTF_CMD_WIRE, HSL_CTF_WIRE_BURST, 1ull << 63, 2048);
	becomes("reorder 0.5 3", HSL_CTF_CMD_WIRE, HSL_CTF_WIRE_REORDER, 1ull << 63, 3);
	becomes("seed 18446744073709551615", HSL_CTF_CMD_WIRE, HSL_CTF_WIRE_SEED, UINT64_MAX, 0);
	becomes("crc 3@2 77", HSL_CTF_CMD_ARM, HSL_CTF_ARM_CRC, 3ull << 32 | 2, 77);
	becomes("crc 1", HSL_CTF_CMD_ARM, HSL_CTF_ARM_CRC, 1ull << 32, 0);
	becomes("lose 1", HSL_CTF_CMD_ARM, HSL_CTF_ARM_DROP, 1ull << 32, 0);
	becomes("double 4294967295", HSL_CTF_CMD_ARM, HSL_CTF_ARM_DUPLICATE, 0xffffffffull << 32, 0);
	becomes("late 1 2", HSL_CTF_CMD_ARM, HSL_CTF_ARM_REORDER, 1ull << 32, 2);
	becomes("delay 1 500ps", HSL_CTF_CMD_ARM, HSL_CTF_ARM_DELAY, 1ull << 32, 500);
	becomes("delay 1 1.5us", HSL_CTF_CMD_ARM, HSL_CTF_ARM_DELAY, 1ull << 32, 1500000);
	becomes("poison-data 2", HSL_CTF_CMD_ARM, HSL_CTF_ARM_POISON, 2ull << 32, 0);
	becomes("timeout 2", HSL_CTF_CMD_ARM, HSL_CTF_ARM_SWALLOW, 2ull << 32, 0);
	becomes("link down", HSL_CTF_CMD_STATE, HSL_CTF_STATE_DISABLE, 0, 0);
	becomes("link leave", HSL_CTF_CMD_STATE, HSL_CTF_STATE_LEAVE, 0, 0);
	becomes("link retrain", HSL_CTF_CMD_STATE, HSL_CTF_STATE_RETRAIN, 0, 0);
	becomes("lane 15 fail", HSL_CTF_CMD_LANE, 15, 0, 0);
	becomes("lane 0x3 ok", HSL_CTF_CMD_LANE, 3, 1, 0);
	becomes("poison 0x1000000001000", HSL_CTF_CMD_POISON, 0x1000000001000, 1, 0);
	becomes("unpoison 0x1000000001000", HSL_CTF_CMD_POISON, 0x1000000001000, 0, 0);
	becomes("fatal", HSL_CTF_CMD_FATAL, 0, 0, 0);
}

/* Seeds before what they are for, a link that is to leave before what would remain if it does not. */
static void order(void **state)
{
	static const char *const want[] = { "seed", "link", "lane", "ber", "crc" };
	struct hsl_inject_plan p;

	(void)state;
	assert_int_equal(parse("lane 3 fail ber 1e-6 link leave crc 1 5 seed 7", &p), 0);
	assert_int_equal(p.n, 5);
	for (unsigned int i = 0; i < 5; i++)
		assert_string_equal(p.step[i].what, want[i]);
	assert_true(hsl_inject_needs_link(&p));
	assert_int_equal(parse("poison 0x1000000001000", &p), 0);
	assert_int_equal(p.step[0].home, 1);
	assert_false(hsl_inject_needs_link(&p));
	assert_int_equal(parse("clear", &p), 0);
	assert_true(p.clear);
	assert_int_equal(p.n, 0);
}

static void refused(void **state)
{
	static const struct { const char *text, *why; } bad[] = {
		{ "nonsense", "^'nonsense'" }, { "ber 1e-6 clear", "'clear'" }, { "ber", "ber: a probability" },
		{ "ber 1.5", "ber: " }, { "ber -1", "ber: " }, { "ber nan", "ber: " }, { "ber 1e-6x", "ber: " },
		{ "burst 0.1 1", "burst: 1: a number from 2 to 2048" }, { "burst 0.1", "burst: a number" },
		{ "reorder 0.1 0", "reorder: 0: " }, { "seed", "seed: " }, { "seed -1", "seed: -1" },
		{ "seed 18446744073709551616", "seed: " }, { "crc 0", "crc: a count" }, { "crc 1@", "crc: a count" },
		{ "crc 4294967296", "crc: a count" }, { "crc +1", "crc: a count" }, { "crc 1 2048", "crc: 2048: " },
		{ "late 1", "late: a number" }, { "delay 1", "delay: a time" }, { "delay 1 5x", "delay: a time" },
		{ "delay 1 -5ns", "delay: a time" }, { "delay 1 9e99s", "delay: a time" }, { "lane 64 ok", "lane: 64: " },
		{ "lane 3", "lane: after the lane" }, { "link", "link: down" }, { "link sideways", "link: down" },
		{ "poison 64", "poison: this is no" }, { "poison 0x8001000000000000", "poison: this is no" },
		{ "fatal ber 1e-6", "fatal: goes alone" }, { "crc 1 lose 1", "one of crc" },
		{ "link leave link up", "link: leave" },
	};
	struct hsl_inject_plan p;
	char many[40 * 8] = "";

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		const char *want = bad[i].why;

		if (!parse(bad[i].text, &p))
			fail_msg("%s was taken", bad[i].text);
		if (want[0] == '^' ? strncmp(why, want + 1, strlen(want + 1)) : !strstr(why, want))
			fail_msg("%s: %s", bad[i].text, why);
	}
	for (unsigned int i = 0; i <= HSL_INJECT_MAX; i++)
		strcat(many, "seed 1 ");
	assert_int_not_equal(parse(many, &p), 0);
	assert_non_null(strstr(why, "too much"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words), cmocka_unit_test(order), cmocka_unit_test(refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
