// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * How fast is the link layer? Two ends, both directions busy with cache lines and requests, no
 * errors, no wire: flits per second on one core through packing, CRC, checking and delivery.
 * Beside it memcpy of as many 256-byte blocks and the CRC alone, as ratios hold on any machine.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "model/link.h"
#include "model/model.h"

static uint32_t flits_wanted = 4000000;

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static struct hsl_link *link_new(const struct hsl_link_cfg *cfg)
{
	struct hsl_link *l = malloc(hsl_link_size(cfg));

	if (!l || hsl_link_init(l, cfg, cfg)) {
		fprintf(stderr, "bench_link: no link: %s\n", hsl_link_check(cfg));
		exit(1);
	}
	return l;
}

static void fill(struct hsl_link *l, uint32_t *tag)
{
	struct hsl_pkt p = { 0 };

	for (;;) {
		static const uint8_t opcodes[] = { HSL_PKT_READ_S, HSL_PKT_RSP_DATA, HSL_PKT_ACK };

		p.u.h.opcode = opcodes[*tag % sizeof(opcodes)];
		p.u.h.tag = (uint16_t)*tag;
		if (hsl_link_send(l, &p))
			return;
		++*tag;
	}
}

/* Packets that came, 0 if the ends are stuck. */
static uint32_t move(struct hsl_link *from, struct hsl_link *to, uint64_t now, uint64_t *flits)
{
	struct hsl_flit f;
	struct hsl_pkt p;
	uint32_t n = 0;

	for (int i = 0; i < 4 && hsl_link_tx(from, now, &f); i++) {
		hsl_link_rx(to, now, &f);
		++*flits;
	}
	for (uint32_t vc = 0; vc < HSL_VC_COUNT; vc++)
		while (hsl_link_recv(to, vc, &p))
			n++;
	return n;
}

static double bench_link(uint64_t *packets)
{
	struct hsl_link_cfg cfg = {
		.seq_bits = 12, .replay_flits = 256, .ack_ps = 1000, .replay_ps = 1000000,
		.replay_rounds = 4,
		.rx_slots = { 64, 64, 64, 127, 8 }, .tx_slots = { 64, 64, 64, 128, 8 },
	};
	struct hsl_link *l[2] = { link_new(&cfg), link_new(&cfg) };
	struct hsl_link_stats s;
	uint64_t flits = 0, now = 0;
	uint32_t tag[2] = { 0 };
	double t = seconds();

	*packets = 0;
	while (flits < flits_wanted) {
		for (int i = 0; i < 2; i++) {
			fill(l[i], &tag[i]);
			*packets += move(l[i], l[!i], now, &flits);
		}
		now += 100;
	}
	t = seconds() - t;
	hsl_link_stats(l[0], &s);
	if (s.tx_replayed || s.rx_bad || hsl_link_audit(l[0], l[1]))
		exit(1);
	free(l[0]);
	free(l[1]);
	return (double)flits / t;
}

static double bench_memcpy(void)
{
	static uint8_t buf[64][2][HSL_FLIT_BYTES];
	double t = seconds();

	for (uint32_t i = 0; i < flits_wanted; i++) {
		memcpy(buf[i % 64][0], buf[i % 64][1], HSL_FLIT_BYTES);
		__asm__ volatile("" ::: "memory");
	}
	return flits_wanted / (seconds() - t);
}

static double bench_crc(uint64_t (*crc)(const void *, size_t))
{
	uint8_t buf[HSL_FLIT_BYTES] = { 1 };
	double t = seconds();

	for (uint32_t i = 0; i < flits_wanted; i++) {
		uint64_t v = crc(buf, offsetof(struct hsl_flit, crc));

		memcpy(buf, &v, sizeof(v));
	}
	return flits_wanted / (seconds() - t);
}

int main(int argc, char **argv)
{
	uint64_t packets;
	double copies, flits;

	if (argc > 1)
		flits_wanted = (uint32_t)strtoul(argv[1], NULL, 0);
	copies = bench_memcpy();
	flits = bench_link(&packets);

	printf("link      %8.2f M flits/s, %.1f packets a flit, %.1f times as long as memcpy\n",
	       flits * 1e-6, (double)packets / flits_wanted, copies / flits);
	printf("memcpy    %8.2f M blocks of 256 B/s\n", copies * 1e-6);
	printf("CRC       %8.2f M flits/s\n", bench_crc(hsl_crc64) * 1e-6);
	printf("by tables %8.2f M flits/s\n", bench_crc(hsl_crc64_portable) * 1e-6);
	return 0;
}
