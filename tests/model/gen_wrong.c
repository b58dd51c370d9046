/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * gen_wrong FILE.pcapng FILE.expected SEED RECORDS: a capture of one link whose records each have
 * one thing wrong or worth a note, and after them flits with a right CRC and random contents. What
 * is to be noted: lines of the note's name and the record's number, "end" with the number of the
 * first random record.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/model.h"
#include "model/pcapng.h"

static FILE *capture, *expected;
static uint64_t rng_state, records;
static uint32_t seq;

static uint64_t rng(void)	/* splitmix64 */
{
	uint64_t z = rng_state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static void write_block(const uint8_t *block, size_t len)
{
	if (fwrite(block, 1, len, capture) != len) {
		perror("write");
		exit(1);
	}
}

static void note(const char *name)
{
	fprintf(expected, "%s %llu\n", name, (unsigned long long)records);
}

static struct hsl_pcapng_at at(bool rx)
{
	return (struct hsl_pcapng_at){ .src = 1, .dst = 2, .rx = rx, .time_ps = 1000 * ++records };
}

static void put(const struct hsl_flit *f, bool rx)
{
	struct hsl_pcapng_at a = at(rx);
	uint8_t block[HSL_PCAPNG_BLOCK_MAX];

	write_block(block, hsl_pcapng_flit(block, &a, f));
}

static void set_map(struct hsl_flit *f, uint32_t slot, uint32_t entry)
{
	uint8_t *b = &f->slot_map[slot / 2];

	*b = (uint8_t)(slot % 2 ? (*b & 0x0f) | entry << 4 : (*b & 0xf0) | entry);
}

static void seal(struct hsl_flit *f)	/* keeps what hsl_flit_seal would make right */
{
	uint64_t crc = hsl_crc64(f, offsetof(struct hsl_flit, crc));

	for (int i = 0; i < 8; i++)
		f->crc[i] = (uint8_t)(crc >> (8 * i));
}

static struct hsl_flit flit(uint32_t number)
{
	struct hsl_flit f = { .hdr = (uint16_t)(number | HSL_FLIT_DATA << HSL_FLIT_SEQ_BITS) };

	memset(f.slot_map, 0xff, sizeof(f.slot_map));
	return f;
}

/* A flit with one packet in slots 3 and on, one byte of which is given. */
static void packet(const char *name, uint8_t opcode, uint32_t vc, uint32_t slots, uint32_t where,
		   uint8_t value)
{
	struct hsl_flit f = flit(seq++);

	f.slot[3][0] = opcode;
	f.slot[3][2] = (uint8_t)seq;
	f.slot[3][4] = 1;
	f.slot[3][6] = 2;
	f.slot[3 + where / 16][where % 16] = value;
	for (uint32_t i = 0; i < slots; i++)
		set_map(&f, 3 + i, vc | (i ? 0 : 8));
	seal(&f);
	put(&f, false);
	note(name);
}

static void packets(void)
{
	packet("opcode", 0x42, HSL_VC_REQ, 1, 0, 0x42);
	packet("channel", HSL_PKT_READ, HSL_VC_SNP, 1, 0, HSL_PKT_READ);
	packet("channel", HSL_PKT_RSP_DATA, HSL_VC_RSP, 5, 0, HSL_PKT_RSP_DATA);
	packet("reserved", HSL_PKT_READ, HSL_VC_REQ, 1, 1, 0x02);
	packet("reserved", HSL_PKT_AUTH, HSL_VC_REQ, 2, 1, 0x04);
	packet("reserved", HSL_PKT_COMP, HSL_VC_RSP, 1, 1, 0x01);
	packet("reserved", HSL_PKT_READ_S, HSL_VC_REQ, 1, 15, 1);
	packet("reserved", HSL_PKT_SNP_I, HSL_VC_SNP, 2, 16, 1);
	packet("reserved", HSL_PKT_SNP_S, HSL_VC_SNP, 2, 31, 0x80);
	packet("reserved", HSL_PKT_ATOMIC, HSL_VC_REQ, 3, 18, 1);
	packet("reserved", HSL_PKT_ATOMIC, HSL_VC_REQ, 3, 47, 1);
	packet("reserved", HSL_PKT_WR_DATA, HSL_VC_DAT, 6, 31, 1);
	packet("poison", HSL_PKT_RSP_DATA, HSL_VC_DAT, 5, 1, HSL_PKT_F_POISON);
	packet("status", HSL_PKT_RSP, HSL_VC_RSP, 1, 1, HSL_ST_UNREACHABLE);
	packet("cut", HSL_PKT_AUTH, HSL_VC_REQ, 1, 0, HSL_PKT_AUTH);
	packet("cut", HSL_PKT_WR_DATA, HSL_VC_DAT, 5, 0, HSL_PKT_WR_DATA);
	packet("orphan", HSL_PKT_READ, HSL_VC_REQ, 2, 0, HSL_PKT_READ);
}

static void flits(void)
{
	struct hsl_flit f = flit(seq++);

	f.ack = 1u << 12;
	seal(&f);
	put(&f, false);
	note("nak");
	f = flit(seq - 1);
	seal(&f);
	put(&f, false);
	note("replayed");
	f = flit(seq + 2);
	seal(&f);
	put(&f, false);
	note("gap");
	seq += 3;
	f = flit(seq);
	put(&f, true);
	note("crc");
	f = flit(seq);
	f.fec[5] = 1;
	seal(&f);
	put(&f, true);
	note("format");
	f = flit(seq);
	set_map(&f, 4, HSL_VC_DAT);
	seal(&f);
	put(&f, true);
	note("format");
	f.hdr |= 3 << HSL_FLIT_SEQ_BITS;
	seal(&f);
	put(&f, true);
	note("format");
}

static void others(void)
{
	const struct hsl_ts ts = { .type = HSL_TS1, .flags = 0x20 };
	struct hsl_pcapng_at a = at(false);
	uint8_t block[HSL_PCAPNG_BLOCK_MAX];

	write_block(block, hsl_pcapng_ts(block, &a, &ts));
	note("reserved");
	a = at(false);
	write_block(block, hsl_pcapng_state(block, &a, HSL_LTSSM_DISABLED, 0, 0));
	note("fresh");
	for (int i = 0; i < 2; i++) {
		size_t len;

		a = at(false);
		len = hsl_pcapng_ts(block, &a, &ts);
		block[28 + i] = 9;	/* version, kind */
		write_block(block, len);
		note("short");
	}
}

static void garbage(uint64_t count)
{
	for (seq = 0; seq < count; seq++) {
		struct hsl_flit f = flit(seq & 0xfff);
		uint32_t before = 15;

		for (size_t i = 0; i < sizeof(f.slot); i++)
			((uint8_t *)f.slot)[i] = (uint8_t)rng();
		for (uint32_t i = 0; i < HSL_FLIT_SLOTS; i++) {
			uint32_t entry = (uint32_t)(rng() % 4);

			/* opcodes that exist, more often than chance has it */
			if (entry && rng() % 2)
				f.slot[i][0] &= 0x93;
			if (entry && before != 15)
				before &= 7;	/* goes on */
			else if (entry)
				before = 8 | (uint32_t)(rng() % HSL_VC_COUNT);
			else
				before = 15;
			set_map(&f, i, before);
		}
		seal(&f);
		put(&f, rng() % 2);
	}
}

int main(int argc, char **argv)
{
	const struct hsl_link_cfg cfg = { .seq_bits = 12 };
	const struct hsl_pcapng_end end = { .node = 1, .peer = 2, .cfg = &cfg };
	uint8_t block[HSL_PCAPNG_BLOCK_MAX];

	if (argc != 5) {
		fprintf(stderr, "usage: gen_wrong FILE.pcapng FILE.expected SEED RECORDS\n");
		return 2;
	}
	capture = fopen(argv[1], "wb");
	expected = fopen(argv[2], "w");
	if (!capture || !expected) {
		perror(argv[1]);
		return 1;
	}
	rng_state = strtoull(argv[3], NULL, 0);
	write_block(block, hsl_pcapng_section(block, "made by hand", "gen_wrong"));
	write_block(block, hsl_pcapng_end(block, &end));
	packets();
	flits();
	others();
	fprintf(expected, "end %llu\n", (unsigned long long)records + 1);
	garbage(strtoull(argv[4], NULL, 0));
	if (fclose(capture) || fclose(expected)) {
		perror("close");
		return 1;
	}
	return 0;
}
