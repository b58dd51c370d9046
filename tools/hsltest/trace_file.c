/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A reader of pcapng files, as far as captures of links need one: sections, interfaces, enhanced
 * packets; other blocks are stepped over. Every length is checked against what is there before it
 * is used: a capture comes from anywhere.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "trace.h"

#define BLOCK_SECTION	0x0a0d0d0au
#define BLOCK_INTERFACE	1u
#define BLOCK_PACKET	6u
#define SECTION_ORDER	0x1a2b3c4du
#define LINKTYPE	159u
#define IF_NAME		2u
#define IF_DESCRIPTION	3u
#define RECORD_HEADER	16u
#define RECORD_VERSION	1u
#define ENDS_MAX	65536u

static uint32_t le16(const uint8_t *p)
{
	return (uint32_t)(p[0] | p[1] << 8);
}

static uint32_t le32(const uint8_t *p)
{
	return le16(p) | le16(p + 2) << 16;
}

void ht_trace_open(struct ht_trace_file *f, const uint8_t *p, size_t len)
{
	*f = (struct ht_trace_file){ .p = p, .len = len };
}

void ht_trace_close(struct ht_trace_file *f)
{
	free(f->ends);
	f->ends = NULL;
}

static enum ht_trace_what error(struct ht_trace_file *f, const char *why)
{
	f->error = why;
	return HT_TRACE_ERROR;
}

static void describe(struct ht_trace_end *e, const char *text)
{
	unsigned int a[HSL_VC_COUNT];
	const char *s;

	s = strstr(text, "seq_bits=");
	if (s && sscanf(s, "seq_bits=%2u", a) == 1 && a[0] >= 2 && a[0] <= HSL_FLIT_SEQ_BITS)
		e->seq_bits = a[0];
	s = strstr(text, "replay_flits=");
	if (s && sscanf(s, "replay_flits=%4u", a) == 1 && a[0] < 1u << HSL_FLIT_SEQ_BITS)
		e->replay_flits = a[0];
	s = strstr(text, "credit_shift=");
	if (s && sscanf(s, "credit_shift=%1u", a) == 1 && a[0] <= 8)
		e->credit_shift = a[0];
	s = strstr(text, "rx_slots=");
	if (s && sscanf(s, "rx_slots=%5u,%5u,%5u,%5u,%5u", a, a + 1, a + 2, a + 3, a + 4) == 5)
		for (int vc = 0; vc < HSL_VC_COUNT; vc++)
			e->rx_slots[vc] = a[vc] >> e->credit_shift <= 127 ? a[vc] : 0;
}

static void option(struct ht_trace_end *e, uint32_t code, const uint8_t *p, size_t len)
{
	char text[256];
	unsigned int node, peer;

	if (len >= sizeof(text))
		len = sizeof(text) - 1;
	memcpy(text, p, len);
	text[len] = '\0';
	if (code == IF_NAME && sscanf(text, "%5u-%5u", &node, &peer) == 2 && node < 65536 &&
	    peer < 65536) {
		e->node = (uint16_t)node;
		e->peer = (uint16_t)peer;
		e->usable = true;
	} else if (code == IF_DESCRIPTION) {
		describe(e, text);
	}
}

static enum ht_trace_what interface(struct ht_trace_file *f, const uint8_t *p, size_t len)
{
	struct ht_trace_end *e;
	size_t at = 8;

	if (len < 8)
		return error(f, "an interface description is too short");
	if (f->nends == ENDS_MAX)
		return error(f, "too many interfaces");
	if (!(f->nends & (f->nends - 1))) {
		e = realloc(f->ends, (f->nends ? 2 * f->nends : 1) * sizeof(*e));
		if (!e)
			return error(f, "no memory");
		f->ends = e;
	}
	e = &f->ends[f->nends++];
	*e = (struct ht_trace_end){ .usable = false };
	while (at + 4 <= len && le16(p + at)) {
		uint32_t n = le16(p + at + 2);

		if (n > len - at - 4)
			return error(f, "an option is longer than its block");
		option(e, le16(p + at), p + at + 4, n);
		at += 4 + ((n + 3) & ~3u);
	}
	e->usable = e->usable && le16(p) == LINKTYPE;
	return HT_TRACE_END;
}

/* True: *r is a record of ours. */
static bool packet(struct ht_trace_file *f, const uint8_t *p, size_t len, struct ht_trace_record *r)
{
	uint32_t end, captured;

	f->number++;
	if (len < 20)
		return false;
	end = le32(p);
	captured = le32(p + 12);
	if (captured > len - 20 || captured < RECORD_HEADER || end >= f->nends ||
	    !f->ends[end].usable)
		return false;
	p += 20;
	if (p[0] != RECORD_VERSION)
		return false;
	*r = (struct ht_trace_record){
		.number = f->number, .kind = p[1], .flags = p[2],
		.src = (uint16_t)le16(p + 4), .dst = (uint16_t)le16(p + 6),
		.body = p + RECORD_HEADER, .len = captured - RECORD_HEADER,
	};
	return true;
}

enum ht_trace_what ht_trace_next(struct ht_trace_file *f, struct ht_trace_record *r)
{
	while (f->at < f->len) {
		const uint8_t *p = f->p + f->at;
		size_t left = f->len - f->at, body;
		uint32_t len;

		if (left < 12)
			return error(f, "the file ends within a block");
		if (!f->at && le32(p) != BLOCK_SECTION)
			return error(f, "not a pcapng file");
		if (le32(p) == BLOCK_SECTION && le32(p + 8) != SECTION_ORDER)
			return error(f, "a section that is not little-endian");
		len = le32(p + 4);
		if (len < 12 || len % 4)
			return error(f, "a block of impossible length");
		if (len > left)
			return error(f, "the file ends within a block");
		if (le32(p + len - 4) != len)
			return error(f, "a block has two lengths");
		f->at += len;
		body = len - 12;
		switch (le32(p)) {
		case BLOCK_SECTION:
			f->nends = 0;
			free(f->ends);
			f->ends = NULL;
			break;
		case BLOCK_INTERFACE:
			return interface(f, p + 8, body);
		case BLOCK_PACKET:
			if (packet(f, p + 8, body, r))
				return HT_TRACE_RECORD;
			f->skipped++;
			break;
		}
	}
	return HT_TRACE_EOF;
}
