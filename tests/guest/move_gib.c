// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Move SIZE bytes (default 1 GiB; suffixes K M G) host → chip 1 → chip 2 → host in pieces of 1 B to 64 MiB and
 * compare every byte that comes back. Every piece carries a pattern of its own, at offsets and alignments that
 * change, so that a byte that is stale, shifted, or of another piece differs. HSL_FABRIC names the fabric.
 * Prints TAP; exit 0, 1, 2 usage, or 77 without a fabric.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "hsl/hsl.h"

#define PIECE_MAX	(64ull << 20)
#define SLACK		4096u		/* room for odd offsets and for guard bytes */
#define GUARD		0xc3

static uint64_t state = 0x243f6a8885a308d3ull;

static uint64_t next_random(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

/* Word k of the pattern of a piece; cheap, as it is made and compared for every byte that moves. */
static inline uint64_t word(uint64_t seed, uint64_t k)
{
	return (seed + k) * 0x9e3779b97f4a7c15ull;
}

static void make(uint8_t *p, uint64_t len, uint64_t seed)
{
	uint64_t k = 0, w;

	for (; len >= 8; len -= 8, p += 8) {
		w = word(seed, k++);
		memcpy(p, &w, 8);
	}
	w = word(seed, k);
	memcpy(p, &w, len);
}

/* Offset of the first byte that differs, len if none. */
static uint64_t compare(const uint8_t *p, uint64_t len, uint64_t seed)
{
	uint64_t off = 0, w, got;

	for (; len - off >= 8; off += 8) {
		w = word(seed, off / 8);
		memcpy(&got, p + off, 8);
		if (got != w)
			break;
	}
	w = word(seed, off / 8);
	for (uint64_t i = 0; off < len && i < 8; i++, off++)
		if (p[off] != (uint8_t)(w >> 8 * i))
			return off;
	return len;
}

/* Mixed: each power of two from 1 B to 64 MiB is as likely as any other, and one piece in two is odd. */
static uint64_t piece_len(uint64_t left)
{
	uint64_t r = next_random(), len = 1ull << (r % 27);

	if (r & (1u << 16))
		len = len / 2 + next_random() % (len / 2 + 1) + !(len / 2);
	if (len > PIECE_MAX)
		len = PIECE_MAX;
	return len < left ? len : left;
}

static int parse_size(const char *s, uint64_t *out)
{
	char *end;
	unsigned long long v = strtoull(s, &end, 0);
	unsigned int shift = *end == 'K' ? 10 : *end == 'M' ? 20 : *end == 'G' ? 30 : 0;

	if (end == s || !v || end[shift ? 1 : 0] || v > UINT64_MAX >> shift)
		return -1;
	*out = v << shift;
	return 0;
}

struct machine {
	struct hsl_fabric *f;
	uint32_t node[2];
	struct hsl_queue *q[2];
	struct hsl_segment *host, *chip[2];
	uint8_t *src, *dst;		/* host memory, one registered range */
	uint64_t host_ga, chip_ga[2];
};

static int set_up(struct machine *m)
{
	struct hsl_chip_props p = { .size = sizeof(p) };
	const uint64_t area = PIECE_MAX + 2 * SLACK;
	int err;

	for (unsigned int i = 0; i < 2; i++) {
		err = hsl_chip_by_index(m->f, i, &p);
		/* with one chip, both ends are different memory of it */
		if (err && !i)
			return err;
		m->node[i] = p.node;
		err = hsl_queue_create(m->f, p.node, NULL, &m->q[i]);
		if (!err)
			err = hsl_segment_alloc(m->f, p.node, area, NULL, &m->chip[i]);
		if (err)
			return err;
		m->chip_ga[i] = hsl_segment_ga(m->chip[i]);
	}
	m->src = mmap(NULL, 2 * area, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (m->src == MAP_FAILED)
		return -12;
	m->dst = m->src + area;
	err = hsl_segment_register(m->f, m->src, 2 * area, NULL, &m->host);
	if (!err)
		m->host_ga = hsl_segment_ga(m->host);
	return err;
}

/* Return false and say why if one byte of the piece, or of the guards around it, is not what it must be. */
static int move_piece(struct machine *m, uint64_t number, uint64_t len)
{
	uint64_t off[4], seed = next_random(), bad, dst_ga = m->host_ga + PIECE_MAX + 2 * SLACK;
	uint8_t *back;
	int err;

	for (int i = 0; i < 4; i++)
		off[i] = 64 + next_random() % (SLACK - 128);
	back = m->dst + off[3];
	make(m->src + off[0], len, seed);
	memset(back - 64, GUARD, 64);
	memset(back + len, GUARD, 64);

	/* executed by the first chip, by the one that gives, by the one that takes */
	err = hsl_copy(m->q[0], m->chip_ga[0] + off[1], m->host_ga + off[0], len);
	if (!err)
		err = hsl_copy(m->q[number % 2], m->chip_ga[1] + off[2], m->chip_ga[0] + off[1], len);
	if (!err)
		err = hsl_copy(m->q[1], dst_ga + off[3], m->chip_ga[1] + off[2], len);
	if (err) {
		printf("# piece %" PRIu64 " of %" PRIu64 " bytes: %s\n", number, len, strerror(-err));
		return -1;
	}
	bad = compare(back, len, seed);
	if (bad < len) {
		printf("# piece %" PRIu64 " of %" PRIu64 " bytes: byte %" PRIu64 " is %#x\n", number, len, bad,
		       back[bad]);
		return -1;
	}
	for (uint64_t i = 0; i < 64; i++)
		if (back[-1 - (int64_t)i] != GUARD || back[len + i] != GUARD) {
			printf("# piece %" PRIu64 " of %" PRIu64 " bytes: a byte beside it was written\n", number, len);
			return -1;
		}
	/* what has been compared must not pass for the next piece */
	memset(back, 0, len);
	return 0;
}

int main(int argc, char **argv)
{
	uint64_t total = 1ull << 30, done = 0, pieces = 0;
	struct machine m = { 0 };
	int err, bad = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc > 2 || (argc == 2 && parse_size(argv[1], &total))) {
		fprintf(stderr, "usage: move_gib [SIZE]\n");
		return 2;
	}
	err = hsl_fabric_open(NULL, &m.f);
	if (err) {
		printf("1..0 # SKIP no fabric: %s\n", strerror(-err));
		return 77;
	}
	err = set_up(&m);
	if (err) {
		printf("not ok 1 - set-up: %s\n1..1\n", strerror(-err));
		return 1;
	}
	while (done < total && !bad) {
		/* the ends of the range of sizes always come */
		uint64_t len = pieces == 0 ? 1 : pieces == 1 ? PIECE_MAX : piece_len(total - done);

		if (len > total - done)
			len = total - done;
		bad = move_piece(&m, pieces++, len);
		if (!bad)
			done += len;
	}
	printf("%s 1 - %" PRIu64 " bytes host > node %u > node %u > host in %" PRIu64 " pieces, every byte compared\n",
	       bad ? "not ok" : "ok", done, m.node[0], m.node[1], pieces);
	printf("1..1\n");
	hsl_fabric_close(m.f);
	return bad != 0;
}
