// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * The capture writer against files written by hand, byte by byte, and against the rules of pcapng
 * for strings of any length. tests/capture.sh shows the same blocks to Wireshark's own reader.
 */
#include "model_test.h"

#include "model/model.h"
#include "model/pcapng.h"

static const struct hsl_link_cfg cfg = {
	.seq_bits = 12, .replay_flits = 1023, .rx_slots = { 6, 16, 32, 64, 127 },
};

static void check(const uint8_t *got, size_t len, const void *want, size_t want_len)
{
	assert_int_equal(len, want_len);
	assert_memory_equal(got, want, want_len);
}

static void test_section(void **state)
{
	static const char want[] =
		"\x0a\x0d\x0d\x0a" "\x30\0\0\0" "\x4d\x3c\x2b\x1a" "\1\0\0\0"
		"\xff\xff\xff\xff\xff\xff\xff\xff"
		"\2\0\3\0" "hsl\0" "\4\0\4\0" "test" "\0\0\0\0" "\x30\0\0\0";
	static const char bare[] =
		"\x0a\x0d\x0d\x0a" "\x20\0\0\0" "\x4d\x3c\x2b\x1a" "\1\0\0\0"
		"\xff\xff\xff\xff\xff\xff\xff\xff"
		"\0\0\0\0" "\x20\0\0\0";
	uint8_t buf[HSL_PCAPNG_BLOCK_MAX];

	(void)state;
	check(buf, hsl_pcapng_section(buf, "hsl", "test"), want, sizeof(want) - 1);
	check(buf, hsl_pcapng_section(buf, NULL, ""), bare, sizeof(bare) - 1);
}

static void test_end(void **state)
{
	static const char want[] =
		"\1\0\0\0" "\x74\0\0\0" "\x9f\0\0\0" "\0\0\0\0"
		"\2\0\7\0" "1-28672\0"
		"\3\0\x35\0" "seq_bits=12 replay_flits=1023 rx_slots=6,16,32,64,127\0\0\0"
		"\x08\0\x08\0" "\x88\x77\x66\x55\x44\x33\x22\x11"
		"\x09\0\1\0" "\x0c\0\0\0" "\0\0\0\0" "\x74\0\0\0";
	struct hsl_pcapng_end e = {
		.node = 1, .peer = SWITCH, .bits_per_s = UINT64_C(0x1122334455667788), .cfg = &cfg,
	};
	uint8_t buf[HSL_PCAPNG_BLOCK_MAX];

	(void)state;
	check(buf, hsl_pcapng_end(buf, &e), want, sizeof(want) - 1);
	e.bits_per_s = 0;
	assert_int_equal(hsl_pcapng_end(buf, &e), sizeof(want) - 1 - 12);
}

static void test_ts(void **state)
{
	static const char want[] =
		"\6\0\0\0" "\x54\0\0\0" "\3\0\0\0" "\4\3\2\1" "\x08\7\6\5" "\x20\0\0\0" "\x20\0\0\0"
		"\1\2\xc1\5" "\x02\x80\1\0" "\x08\7\6\5\4\3\2\1"
		"\1\4\xff\x0f\x80\xb5\1\0" "\0\0\0\0\0\0\0\0"
		"\1\0\2\0" "hi\0\0" "\2\0\4\0" "\1\0\0\0" "\0\0\0\0" "\x54\0\0\0";
	const struct hsl_ts ts = {
		.type = HSL_TS1, .flags = HSL_TS_F_L1, .lanes = 0x0fff, .rate_mtps = 112000,
	};
	struct hsl_pcapng_at at = {
		.end = 3, .src = 0x8002, .dst = 1, .link = 5, .seq_bits = 12, .rx = true,
		.time_ps = UINT64_C(0x0102030405060708), .comment = "hi",
	};
	uint8_t buf[HSL_PCAPNG_BLOCK_MAX];

	(void)state;
	check(buf, hsl_pcapng_ts(buf, &at, &ts), want, sizeof(want) - 1);
}

static void test_state(void **state)
{
	static const char want[] =
		"\6\0\0\0" "\x44\0\0\0" "\0\0\0\0" "\0\0\0\0" "\1\0\0\0" "\x20\0\0\0" "\x20\0\0\0"
		"\1\3\0\xff" "\1\0\2\0" "\1\0\0\0\0\0\0\0"
		"\3\0\0\0" "\x10\0\0\0" "\x80\xb5\1\0" "\0\0\0\0" "\0\0\0\0" "\x44\0\0\0";
	struct hsl_pcapng_at at = { .src = 1, .dst = 2, .link = 0xff, .time_ps = 1 };
	uint8_t buf[HSL_PCAPNG_BLOCK_MAX];

	(void)state;
	check(buf, hsl_pcapng_state(buf, &at, HSL_LTSSM_L0, 16, 112000), want, sizeof(want) - 1);
}

static void test_flit(void **state)
{
	struct hsl_pcapng_at at = { .src = 1, .dst = 2 };
	uint8_t buf[HSL_PCAPNG_BLOCK_MAX];
	struct hsl_flit f;

	(void)state;
	for (size_t i = 0; i < sizeof(f); i++)
		((uint8_t *)&f)[i] = (uint8_t)i;
	assert_int_equal(hsl_pcapng_flit(buf, &at, &f), 28 + 16 + 256 + 8 + 4 + 4);
	assert_memory_equal(buf + 20, "\x10\1\0\0\x10\1\0\0" "\1\1\0\0", 12);
	assert_memory_equal(buf + 28 + 16, &f, sizeof(f));
	assert_memory_equal(buf + 28 + 16 + 256, "\2\0\4\0" "\2\0\0\0" "\0\0\0\0" "\x3c\1\0\0", 16);
}

/* Strings of every length: padded, cut at 255, the block's two lengths alike. */
static void test_strings(void **state)
{
	struct hsl_pcapng_at at = { .comment = NULL };
	uint8_t buf[HSL_PCAPNG_BLOCK_MAX + 1];
	const struct hsl_flit f = { 0 };
	char s[1001] = "";

	(void)state;
	buf[HSL_PCAPNG_BLOCK_MAX] = 0x5a;
	for (size_t len = 1; len < sizeof(s); len++) {
		size_t kept = len < 255 ? len : 255, padded = (kept + 3) & ~(size_t)3;
		uint32_t first, last;

		s[len - 1] = 'x';
		at.comment = s;
		assert_int_equal(hsl_pcapng_flit(buf, &at, &f), 316 + 4 + padded);
		memcpy(&first, buf + 4, 4);
		memcpy(&last, buf + first - 4, 4);
		assert_int_equal(first, 316 + 4 + padded);
		assert_int_equal(last, first);
		assert_int_equal(buf[302], kept);
		assert_int_equal(buf[303], 0);
		assert_int_equal(hsl_pcapng_section(buf, s, s), 32 + 2 * (4 + padded));
	}
	assert_int_equal(buf[HSL_PCAPNG_BLOCK_MAX], 0x5a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_section),
		cmocka_unit_test(test_end),
		cmocka_unit_test(test_ts),
		cmocka_unit_test(test_state),
		cmocka_unit_test(test_flit),
		cmocka_unit_test(test_strings),
	};

	return cmocka_run_group_tests_name("pcapng", tests, NULL, NULL);
}
