// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * libFuzzer: anything into a link. Input, again and again: a byte that says what to do, and what
 * that takes, a flit or a packet. The CRC of a flit is made right unless the byte says otherwise,
 * as no fuzzer guesses one. What comes out are packets that hsl_pkt_check takes and flits that
 * hsl_flit_check takes, and credits stay within the buffers.
 *
 * tests/fuzz/run.sh builds and runs it.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "model/link.h"
#include "model/model.h"

static const struct hsl_link_cfg cfg = {
	.seq_bits = 3, .replay_flits = 3, .reorder = 1, .ack_ps = 1, .replay_ps = 8,
	.replay_rounds = 2,
	.rx_slots = { 6, 6, 7, 13, 6 }, .tx_slots = { 6, 6, 7, 13, 6 },
};

enum { RAW_FLIT = 0x80, FLIT = 0x40, SEND = 0x20, RECV = 0x10, TIMER = 0x08, RESET = 0x04 };

static void require(bool ok)
{
	if (!ok)
		abort();
}

static size_t flit(struct hsl_link *l, uint64_t now, const uint8_t *in, size_t len, bool raw)
{
	struct hsl_flit f = { 0 };
	size_t n = len < sizeof(f) ? len : sizeof(f);

	memcpy(&f, in, n);
	if (!raw)
		hsl_flit_seal(&f, f.hdr & 7u, f.hdr >> 12);
	hsl_link_rx(l, now, &f);
	return n;
}

static void packets_out(struct hsl_link *l)
{
	struct hsl_pkt p;

	for (uint32_t vc = 0; vc < HSL_VC_COUNT; vc++) {
		while (hsl_link_recv(l, vc, &p)) {
			require(!hsl_pkt_check(&p));
			require(hsl_pkt_vc(p.u.h.opcode) == vc);
		}
	}
}

static size_t packet_in(struct hsl_link *l, const uint8_t *in, size_t len)
{
	struct hsl_pkt p = { 0 };
	size_t n = len < sizeof(p) ? len : sizeof(p);
	char text[40];

	memcpy(&p, in, n);
	hsl_pkt_text(&p, text, sizeof(text));
	require(hsl_link_send(l, &p) != 0 || !hsl_pkt_check(&p));
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *in, size_t len)
{
	size_t size = hsl_link_size(&cfg);
	struct hsl_link *l = malloc(size);
	struct hsl_flit out;
	uint64_t now = 0;

	require(l && !hsl_link_init(l, &cfg, &cfg));
	while (len) {
		uint8_t what = *in++;
		size_t n = 0;

		len--;
		now += what & 3;
		if (what & (FLIT | RAW_FLIT))
			n = flit(l, now, in, len, what & RAW_FLIT);
		else if (what & SEND)
			n = packet_in(l, in, len);
		in += n;
		len -= n;
		if (what & RECV)
			packets_out(l);
		if ((what & TIMER) && hsl_link_timer(l, now))
			hsl_link_retrained(l, now);
		if (what & RESET)
			hsl_link_reset(l);
		for (int i = 0; i < 8 && hsl_link_tx(l, now, &out); i++)
			require(hsl_flit_check(&out));
		for (uint32_t vc = 0; vc < HSL_VC_COUNT; vc++)
			require(hsl_link_credits(l, vc) <= cfg.rx_slots[vc]);
		hsl_link_hash(l, now);
	}
	packets_out(l);
	free(l);
	return 0;
}
