// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Packets (HEP-LNK-002): virtual channel, slots and flags of every opcode against the tables of
 * docs/hep.md section 8, copied here by hand, and every bit that is reserved.
 */
#include "model_test.h"
#include "model/pkt.h"

static const struct {
	uint8_t opcode, vc, slots, flags;
	const char *name;
} table[] = {
	{ 0x01, 0, 2, 0x03, "AUTH" },
	{ 0x02, 0, 1, 0x01, "READ" },
	{ 0x03, 0, 1, 0x01, "WRITE" },
	{ 0x04, 0, 3, 0x01, "ATOMIC" },
	{ 0x10, 0, 1, 0x01, "READ_S" },
	{ 0x11, 0, 1, 0x01, "READ_U" },
	{ 0x12, 0, 1, 0x01, "UPGRADE" },
	{ 0x13, 0, 1, 0x01, "WRITE_BACK" },
	{ 0x20, 2, 2, 0x00, "SNP_S" },
	{ 0x21, 2, 2, 0x00, "SNP_U" },
	{ 0x22, 2, 2, 0x00, "SNP_I" },
	{ 0x23, 2, 2, 0x00, "SNP_C" },
	{ 0x80, 1, 1, 0xff, "RSP" },
	{ 0x81, 3, 5, 0x86, "RSP_DATA" },
	{ 0x82, 1, 1, 0x00, "COMP" },
	{ 0x83, 1, 1, 0x00, "GO" },
	{ 0x84, 1, 1, 0x00, "RETRY" },
	{ 0x85, 1, 1, 0x00, "GRANT" },
	{ 0x86, 1, 1, 0x00, "ACK" },
	{ 0x87, 1, 1, 0x1c, "SNP_RSP" },
	{ 0x88, 3, 5, 0x98, "SNP_DATA" },
	{ 0x89, 3, 6, 0x80, "WR_DATA" },
};
#define OPCODES (sizeof(table) / sizeof(table[0]))

static struct hsl_pkt packet(unsigned int opcode)
{
	struct hsl_pkt p;

	memset(&p, 0, sizeof(p));
	p.u.h.opcode = (uint8_t)opcode;
	if (opcode == HSL_PKT_ATOMIC)
		p.u.atomic.len = 8;
	return p;
}

static int find(unsigned int opcode)
{
	for (unsigned int i = 0; i < OPCODES; i++)
		if (table[i].opcode == opcode)
			return (int)i;
	return -1;
}

static void test_opcodes(void **state)
{
	(void)state;
	for (unsigned int opcode = 0; opcode < 256; opcode++) {
		struct hsl_pkt p = packet(opcode);
		int i = find(opcode);
		char text[128];

		hsl_pkt_text(&p, text, sizeof(text));
		if (i < 0) {
			assert_int_equal(hsl_pkt_vc(opcode), HSL_VC_COUNT);
			assert_int_equal(hsl_pkt_slots(opcode), 0);
			assert_non_null(hsl_pkt_check(&p));
			assert_non_null(strstr(text, "reserved"));
			continue;
		}
		assert_int_equal(hsl_pkt_vc(opcode), table[i].vc);
		assert_int_equal(hsl_pkt_slots(opcode), table[i].slots);
		assert_null(hsl_pkt_check(&p));
		assert_int_equal(strncmp(text, table[i].name, strlen(table[i].name)), 0);
	}
	assert_int_equal(hsl_pkt_slots(256), 0);
	assert_int_equal(hsl_pkt_vc(UINT32_MAX), HSL_VC_COUNT);
}

static void test_flags(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < OPCODES; i++) {
		struct hsl_pkt p = packet(table[i].opcode);

		for (unsigned int flags = 0; flags < 256; flags++) {
			bool ok = !(flags & ~table[i].flags);

			if (p.u.h.opcode == HSL_PKT_RSP)
				ok = flags < HSL_ST_COUNT;
			p.u.h.flags = (uint8_t)flags;
			assert_int_equal(!hsl_pkt_check(&p), ok);
		}
	}
}

/*
 * Is bit `bit` of byte `byte` of a packet free to be anything? The first slot without opcode and
 * flags, then what stands behind it.
 */
static bool is_free(unsigned int opcode, unsigned int vc, unsigned int byte)
{
	if (byte < 15)
		return true;
	if (byte == 15)
		return vc == HSL_VC_RSP;
	byte -= 16;
	switch (opcode) {
	case HSL_PKT_SNP_S:
	case HSL_PKT_SNP_U:
		return byte < 4;
	case HSL_PKT_SNP_I:
	case HSL_PKT_SNP_C:
		return false;
	case HSL_PKT_ATOMIC:
		return byte >= 8 && byte < 24;
	case HSL_PKT_WR_DATA:
		return byte < 8 || byte >= 16;
	}
	return true;
}

static void test_reserved_fields(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < OPCODES; i++) {
		for (unsigned int bit = 16; bit < table[i].slots * 128u; bit++) {
			struct hsl_pkt p = packet(table[i].opcode);
			unsigned int byte = bit / 8;
			bool ok = is_free(table[i].opcode, table[i].vc, byte);

			if (table[i].opcode == HSL_PKT_ATOMIC && (byte == 16 || byte == 17 || byte == 8))
				continue;	/* subop, length, alignment: below */
			((uint8_t *)&p)[byte] ^= (uint8_t)(1u << bit % 8);
			if (!hsl_pkt_check(&p) != ok)
				fail_msg("%s, bit %u: %s", table[i].name, bit, hsl_pkt_check(&p));
		}
	}
}

static void test_atomic(void **state)
{
	struct hsl_pkt p = packet(HSL_PKT_ATOMIC);

	(void)state;
	for (unsigned int subop = 0; subop < 256; subop++) {
		p.u.atomic.subop = (uint8_t)subop;
		assert_int_equal(!hsl_pkt_check(&p), subop < 10);
	}
	p.u.atomic.subop = HSL_ATOMIC_CAS;
	for (unsigned int len = 0; len < 256; len++) {
		p.u.atomic.len = (uint8_t)len;
		for (unsigned int addr = 0; addr < 16; addr++) {
			p.u.h.addr = addr;
			assert_int_equal(!hsl_pkt_check(&p),
					 (len == 4 && addr % 4 == 0) || (len == 8 && addr % 8 == 0));
		}
	}
}

/* What is behind the last slot of a packet does not count, and text is cut to its buffer. */
static void test_ends(void **state)
{
	char text[8];

	(void)state;
	for (unsigned int i = 0; i < OPCODES; i++) {
		struct hsl_pkt p = packet(table[i].opcode);

		memset(p.u.slot[table[i].slots], 0xff, sizeof(p) - table[i].slots * 16u);
		assert_null(hsl_pkt_check(&p));
		memset(text, 'x', sizeof(text));
		assert_ptr_equal(hsl_pkt_text(&p, text, 4), text);
		assert_int_equal(text[4], 'x');
		assert_true(strlen(text) < 4);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_opcodes),
		cmocka_unit_test(test_flags),
		cmocka_unit_test(test_reserved_fields),
		cmocka_unit_test(test_atomic),
		cmocka_unit_test(test_ends),
	};

	return cmocka_run_group_tests_name("pkt", tests, NULL, NULL);
}
