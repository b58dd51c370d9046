// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Flits (HEP-LNK-001): layout by byte offset, CRC known answers, what a check refuses, every single
 * bit error, bursts, and wire bytes against the formula of docs/hep.md section 8 worked out slot by
 * slot.
 */
#include "model_test.h"

#define BITS (8 * HSL_FLIT_BYTES)

/* The definition, bit by bit, not reflected: shares nothing with the table of the model. */
static uint64_t reverse(uint64_t v, int bits)
{
	uint64_t r = 0;

	for (int i = 0; i < bits; i++)
		r |= ((v >> i) & 1) << (bits - 1 - i);
	return r;
}

static uint64_t crc_by_definition(const uint8_t *p, size_t len)
{
	uint64_t crc = UINT64_MAX;

	while (len--) {
		crc ^= reverse(*p++, 8) << 56;
		for (int i = 0; i < 8; i++)
			crc = crc >> 63 ? crc << 1 ^ UINT64_C(0x42f0e1eba9ea3693) : crc << 1;
	}
	return ~reverse(crc, 64);
}

static void test_crc(void **state)
{
	uint8_t buf[300];

	(void)state;
	assert_int_equal(hsl_crc64("123456789", 9), UINT64_C(0x995dc9bbdf1939fa));
	assert_int_equal(hsl_crc64("", 0), 0);
	rng_seed();
	for (size_t len = 0; len < sizeof(buf); len++) {
		for (size_t i = 0; i < len; i++)
			buf[i] = (uint8_t)rng();
		assert_int_equal(hsl_crc64(buf, len), crc_by_definition(buf, len));
		assert_int_equal(hsl_crc64_portable(buf, len), crc_by_definition(buf, len));
	}
}

static void set_map(struct hsl_flit *f, unsigned int slot, unsigned int e)
{
	uint8_t *b = &f->slot_map[slot / 2];

	*b = (uint8_t)(slot % 2 ? (*b & 0x0f) | e << 4 : (*b & 0xf0) | e);
}

static struct hsl_flit empty_flit(void)
{
	struct hsl_flit f;

	memset(&f, 0, sizeof(f));
	memset(f.slot_map, 0xff, sizeof(f.slot_map));
	return f;
}

/* Random packets of one to five slots on random channels, some slots empty. */
static struct hsl_flit random_flit(void)
{
	struct hsl_flit f = empty_flit();
	unsigned int slot = 0;

	while (slot < HSL_FLIT_SLOTS) {
		unsigned int vc = rng_below(HSL_VC_COUNT), len = 1 + rng_below(5);
		bool tail = !slot && rng_below(2);	/* of a packet begun in the flit before */

		if (!rng_below(4)) {
			slot++;
			continue;
		}
		for (unsigned int i = 0; i < len && slot < HSL_FLIT_SLOTS; i++, slot++) {
			set_map(&f, slot, vc | (i || tail ? 0 : 8));
			for (unsigned int b = 0; b < HSL_SLOT_BYTES; b++)
				f.slot[slot][b] = (uint8_t)rng();
		}
	}
	f.ack = (uint16_t)(rng() & 0x3fff);
	for (unsigned int vc = 0; vc < HSL_VC_COUNT; vc++)
		f.credits[vc] = (uint8_t)rng();
	hsl_flit_seal(&f, (uint32_t)rng() & 0xfff, HSL_FLIT_DATA);
	return f;
}

static void test_layout(void **state)
{
	struct hsl_flit f = empty_flit();
	const uint8_t *b = (const uint8_t *)&f;
	uint64_t crc;

	(void)state;
	set_map(&f, 0, HSL_VC_RSP | 8);
	set_map(&f, 3, HSL_VC_REQ | 8);
	set_map(&f, 4, HSL_VC_REQ);
	f.ack = 0x2abc;
	f.credits[HSL_VC_REQ] = 1;
	f.credits[HSL_VC_MGMT] = 5;
	f.slot[0][0] = HSL_PKT_RSP;
	f.slot[13][15] = 0x77;
	memset(f.rsvd, 0xee, sizeof(f.rsvd));
	memset(f.fec, 0xee, sizeof(f.fec));
	hsl_flit_seal(&f, 0x6234, HSL_FLIT_DATA);	/* sequence numbers wrap at 12 bits */
	assert_true(hsl_flit_check(&f));
	assert_int_equal(b[0], 0x34);
	assert_int_equal(b[1], 0x12);			/* type 1, sequence 0x234 */
	assert_int_equal(b[2], 0xbc);
	assert_int_equal(b[3], 0x2a);
	assert_int_equal(b[4], 1);
	assert_int_equal(b[8], 5);
	assert_int_equal(b[9], 0xf9);
	assert_int_equal(b[10], 0x8f);
	assert_int_equal(b[11], 0xf0);
	assert_int_equal(b[16] | b[17], 0);
	assert_int_equal(b[18], HSL_PKT_RSP);
	assert_int_equal(b[241], 0x77);
	crc = crc_by_definition(b, 242);
	for (int i = 0; i < 8; i++)
		assert_int_equal(b[242 + i], (crc >> (8 * i)) & 0xff);
	for (int i = 250; i < 256; i++)
		assert_int_equal(b[i], 0);
	f = empty_flit();
	hsl_flit_seal(&f, 0xfff, HSL_FLIT_CONTROL);
	assert_int_equal(f.hdr, 0x2fff);
	assert_true(hsl_flit_check(&f));
}

static void test_random_flits_pass(void **state)
{
	(void)state;
	rng_seed();
	for (int i = 0; i < 2000; i++) {
		struct hsl_flit f = random_flit();

		assert_true(hsl_flit_check(&f));
	}
}

/* A right CRC does not excuse what the format forbids. */
static void reseal(struct hsl_flit *f)
{
	uint64_t crc = hsl_crc64(f, 242);

	for (int i = 0; i < 8; i++)
		f->crc[i] = (uint8_t)(crc >> (8 * i));
}

static void refused(struct hsl_flit f)
{
	reseal(&f);
	assert_false(hsl_flit_check(&f));
}

static void test_reserved(void **state)
{
	struct hsl_flit ok = empty_flit(), f;

	(void)state;
	set_map(&ok, 0, HSL_VC_REQ | 8);
	set_map(&ok, 1, HSL_VC_REQ);
	hsl_flit_seal(&ok, 1, HSL_FLIT_DATA);
	assert_true(hsl_flit_check(&ok));
	f = ok;
	reseal(&f);
	assert_true(hsl_flit_check(&f));
	refused((f = ok, f.hdr |= 0x4000, f));
	refused((f = ok, f.hdr |= 0x8000, f));
	refused((f = ok, f.hdr |= 0x3000, f));			/* type 3 */
	refused((f = ok, f.hdr &= 0x0fff, f));			/* idle with a packet */
	refused((f = ok, f.hdr ^= 0x3000, f));			/* control with a packet */
	refused((f = ok, f.ack |= 0x4000, f));
	refused((f = ok, f.ack |= 0x8000, f));
	refused((f = ok, f.rsvd[0] = 1, f));
	refused((f = ok, f.rsvd[1] = 0x80, f));
	refused((f = ok, f.fec[0] = 1, f));
	refused((f = ok, f.fec[5] = 0x80, f));
	for (unsigned int e = 0; e < 15; e++)			/* channels that do not exist */
		if ((e & 7) >= HSL_VC_COUNT)
			refused((f = ok, set_map(&f, 5, e), f));
	refused((f = ok, set_map(&f, 2, HSL_VC_RSP), f));	/* continues another channel */
	refused((f = ok, set_map(&f, 3, HSL_VC_REQ), f));	/* continues after a gap */
	f = ok;
	set_map(&f, 0, HSL_VC_DAT);				/* continues the flit before */
	reseal(&f);
	assert_false(hsl_flit_check(&f));			/* but slot 1 goes on with REQ */
	set_map(&f, 1, HSL_VC_DAT);
	reseal(&f);
	assert_true(hsl_flit_check(&f));
	f = empty_flit();
	hsl_flit_seal(&f, 0, HSL_FLIT_IDLE);
	assert_true(hsl_flit_check(&f));
}

static void flip(struct hsl_flit *f, unsigned int bit)
{
	((uint8_t *)f)[bit / 8] ^= (uint8_t)(1u << bit % 8);
}

static void test_every_bit(void **state)
{
	(void)state;
	rng_seed();
	for (int round = 0; round < 20; round++) {
		struct hsl_flit f = random_flit();

		for (unsigned int bit = 0; bit < BITS; bit++) {
			flip(&f, bit);
			if (hsl_flit_check(&f))
				fail_msg("bit %u flipped and not noticed", bit);
			flip(&f, bit);
		}
		assert_true(hsl_flit_check(&f));
	}
}

/* Bursts: first and last bit wrong, anything between, at most 64 bits from end to end. */
static void test_bursts(void **state)
{
	(void)state;
	rng_seed();
	for (int round = 0; round < 100000; round++) {
		struct hsl_flit f = random_flit(), bad = f;
		unsigned int len = 2 + rng_below(63), at = rng_below(BITS - len + 1);

		flip(&bad, at);
		flip(&bad, at + len - 1);
		for (unsigned int i = 1; i + 1 < len; i++)
			if (rng() & 1)
				flip(&bad, at + i);
		if (hsl_flit_check(&bad))
			fail_msg("burst of %u bits at %u not noticed", len, at);
	}
}

static uint64_t wire_by_counting(uint64_t len, uint32_t hdr_slots)
{
	uint64_t slots = 0, flits = 0;

	while (len) {
		uint64_t n = len < 256 ? len : 256;

		slots += hdr_slots;
		for (uint64_t b = 0; b < n; b += 16)
			slots++;
		len -= n;
	}
	while (slots) {
		flits++;
		slots = slots > 14 ? slots - 14 : 0;
	}
	return flits * 256;
}

static void test_wire_bytes(void **state)
{
	(void)state;
	assert_int_equal(hsl_wire_bytes(0, 2), 0);
	assert_int_equal(hsl_wire_bytes(1, 2), 256);
	assert_int_equal(hsl_wire_bytes(64, 1), 256);
	assert_int_equal(hsl_wire_bytes(192, 2), 256);
	assert_int_equal(hsl_wire_bytes(193, 2), 512);
	assert_int_equal(hsl_wire_bytes(256, 2), 512);
	assert_int_equal(hsl_wire_bytes(4096, 2), 21 * 256);	/* 288 slots */
	assert_int_equal(hsl_wire_bytes(4096, 0), 19 * 256);
	assert_int_equal(hsl_wire_bytes(UINT64_C(1) << 40, 2),
			 ((UINT64_C(1) << 32) * 18 + 13) / 14 * 256);
	for (uint64_t len = 0; len < 3000; len++)
		for (uint32_t h = 0; h < 4; h++)
			assert_int_equal(hsl_wire_bytes(len, h), wire_by_counting(len, h));
	/* too long to count */
	assert_int_equal(hsl_wire_bytes(UINT64_MAX, 1), UINT64_MAX);
	assert_int_equal(hsl_wire_bytes(UINT64_MAX, UINT32_MAX), UINT64_MAX);
	/* never better than 14 slots of 16 bytes in 256 */
	for (int shift = 4; shift < 50; shift++)
		assert_true((UINT64_C(1) << shift) * 8 <= hsl_wire_bytes(UINT64_C(1) << shift, 0) * 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_crc),
		cmocka_unit_test(test_layout),
		cmocka_unit_test(test_random_flits_pass),
		cmocka_unit_test(test_reserved),
		cmocka_unit_test(test_every_bit),
		cmocka_unit_test(test_bursts),
		cmocka_unit_test(test_wire_bytes),
	};

	return cmocka_run_group_tests_name("flit", tests, NULL, NULL);
}
