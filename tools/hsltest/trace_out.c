/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Writes what trace_file.c reads. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "trace.h"

#define BLOCK_MAX 512u

static uint8_t *le(uint8_t *p, uint64_t v, unsigned int n)
{
	for (; n; n--, v >>= 8)
		*p++ = (uint8_t)v;
	return p;
}

static uint8_t *block(struct ht_trace_out *o, uint32_t type)
{
	if (o->room - o->len < BLOCK_MAX) {
		o->room = o->room ? 2 * o->room : 65536;
		o->p = realloc(o->p, o->room);
		if (!o->p)
			abort();
	}
	return le(le(o->p + o->len, type, 4), 0, 4);
}

/* The block that was begun last ends at `end`, padded. */
static void close_block(struct ht_trace_out *o, uint8_t *end)
{
	uint8_t *begin = o->p + o->len;

	while ((end - begin) % 4)
		*end++ = 0;
	o->len += (size_t)(end + 4 - begin);
	le(begin + 4, (uint64_t)(end + 4 - begin), 4);
	le(end, (uint64_t)(end + 4 - begin), 4);
}

static uint8_t *option(uint8_t *p, unsigned int code, const char *text)
{
	const size_t n = strlen(text), pad = -n & 3;

	p = le(le(p, code, 2), n, 2);
	memcpy(p, text, n);
	memset(p + n, 0, pad);
	return p + n + pad;
}

static void section(struct ht_trace_out *o)
{
	close_block(o, le(le(le(block(o, 0x0a0d0d0a), 0x1a2b3c4d, 4), 1, 4), UINT64_MAX, 8));
}

void ht_trace_put_end(struct ht_trace_out *o, const struct ht_trace_end *e)
{
	char text[160];
	uint8_t *p;
	int n;

	if (!o->len)
		section(o);
	p = le(le(block(o, 1), 159, 4), 0, 4);
	snprintf(text, sizeof(text), "%u-%u", e->node, e->peer);
	p = option(p, 2, text);
	n = snprintf(text, sizeof(text), "seq_bits=%u replay_flits=%u credit_shift=%u", e->seq_bits, e->replay_flits, e->credit_shift);
	if (e->rx_slots[0])
		snprintf(text + n, sizeof(text) - (size_t)n, " rx_slots=%u,%u,%u,%u,%u", e->rx_slots[0], e->rx_slots[1], e->rx_slots[2], e->rx_slots[3],
			 e->rx_slots[4]);
	close_block(o, le(option(p, 3, text), 0, 4));
}

void ht_trace_put(struct ht_trace_out *o, uint32_t interface, const struct ht_trace_raw *r)
{
	const size_t len = sizeof(*r) - sizeof(r->body) + (r->kind == HT_TRACE_FLIT ? sizeof(r->body) : 16);
	uint8_t *p = le(block(o, 6), interface, 4);

	p = le(le(le(le(p, r->time_ps >> 32, 4), r->time_ps, 4), len, 4), len, 4);
	memcpy(p, r, len);
	close_block(o, p + len);
}
