// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * libFuzzer: anything into the command path of a chip. Input, again and again: a byte that says what to do, and what
 * that takes: a descriptor for a queue or the admin queue, a word of the tables, a register or doorbell, some time. So
 * that descriptors get past the first check, operands may stand for places in segments of each kind.
 *
 * Chip 1 is the input's, chip 2 is honest: only what its tables grant changes in its memory (HEP-SEC-008), it answers,
 * and chip 1 does again after a reset. Every DMA mapping is undone (fake_free). In modelled time, so without threads:
 * an input does the same each time.
 *
 * tests/fuzz/run.sh builds and runs it; tests/unit/test_fuzz_command.c runs the inputs of corpus_command.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "unit/engine_rig.c"

#define MEM	(4ull << 16)
#define GRANT	65536ull
#define OBS	(3ull * 65536)		/* observable */
#define OBS_LEN	4096ull
#define RW	(HSL_SEG_READ | HSL_SEG_WRITE)
#define STEPS	4096u

enum { DESC, WORD, REG, TIME, KINDS };

struct input {
	const uint8_t *p;
	size_t len;
};

static uint64_t number(struct input *in, size_t bytes)
{
	uint64_t v = 0;
	size_t n = bytes < in->len ? bytes : in->len;

	memcpy(&v, in->p, n);
	in->p += n;
	in->len -= n;
	return v;
}

/* The operand itself, or so far into a segment. */
static uint64_t operand(uint32_t kind, uint64_t v)
{
	switch (kind) {
	case 1: return HSL_GA(1, GRANT + v % 65536);
	case 2: return HSL_GA(2, GRANT + v % 65536);
	case 3: return HSL_GA(1, OBS + v % OBS_LEN);
	case 4: return HSL_GA(2, OBS + v % OBS_LEN);
	case 5: return HSL_GA(FAKE_HOST, 0x10000 + v % 65536);
	case 6: return HSL_GA(2, v % MEM);
	}
	return v;
}

static void descriptor(struct fake_queue *q, struct input *in, uint8_t how)
{
	struct hsl_desc d = { 0 };
	size_t n = in->len < sizeof(d) ? in->len : sizeof(d);

	memcpy(&d, in->p, n);
	in->p += n;
	in->len -= n;
	d.dst = operand(how & 7, d.dst);
	d.src = operand(how >> 3 & 7, d.src);
	if (how & 0x40)
		d.len &= 0x1fff;
	fake_submit(q, &d);
	fake_doorbell(q);
}

/*
 * Of a segment or the context at chip 1. Not where pages and tables are: both chips see the same memory of the host, so
 * that would be chip 1's driver reaching for chip 2's.
 */
static void word(struct fake_chip *c, struct input *in)
{
	uint32_t at = (uint32_t)number(in, 1), i = at & 7;
	uint64_t v = number(in, 8);

	if (at & 0x80) {
		if (i != offsetof(struct hsl_ctx_entry, seg_dir) / 8)
			((uint64_t *)(void *)c->ctx_table->host)[8 + i] = v;
	} else if (i != offsetof(struct hsl_seg_entry, pages) / 8) {
		((uint64_t *)(void *)c->leaf[1][0]->host)[(at >> 3 & 7) * 8 + i] = v;
	}
}

static void reg(struct fake_chip *c, struct input *in)
{
	static const uint8_t sizes[] = { 1, 2, 4, 8 };
	uint32_t how = (uint32_t)number(in, 3), size = sizes[how >> 16 & 3];
	uint64_t off = (how & 0xffff) % (hsl_chip_bar0_bytes(c->e) - 8);

	hsl_chip_mmio_read(c->e, off, size);
	hsl_chip_mmio_write(c->e, off, number(in, size), size);
}

static void pass(struct fake_fabric *f, uint32_t steps)
{
	while (steps--) {
		uint64_t next = hsl_fabric_engine_run(f->e);

		if (next == UINT64_MAX)
			break;
		rig_time.now_ps = next;
	}
}

static void honest(const struct fake_chip *c)
{
	for (uint64_t i = 0; i < c->mem_bytes; i++) {
		if (c->mem[i] != 0x5a && !(i >= GRANT && i < GRANT + 65536) && !(i >= OBS && i < OBS + OBS_LEN))
			fake_die("memory of another chip has changed that nobody granted");
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct input in = { data, len };
	struct fake_fabric *f;
	struct fake_queue q[2];
	struct hsl_desc nop = { .opcode = HSL_OP_NOP };

	rig_time.on = true;
	rig_time.now_ps = 1000000;
	f = fake_new(2, HSL_TOPO_PAIR, 0, MEM);
	fake_ctx_all(f, 1);
	for (uint32_t node = 1; node <= 2; node++) {
		memset(f->chip[node].mem, 0x5a, MEM);
		fake_seg_chip(f, 1, node, node, GRANT, 65536, RW);
		fake_seg_chip(f, 1, 2 + node, node, OBS, OBS_LEN, RW | HSL_SEG_MODELLED);
		if (fake_queue_new(&q[node - 1], &f->chip[node], 1, 1, 64, 1))
			fake_die("no queue");
	}
	fake_seg_host(f, 1, 5, 0x10000, 0, 65536, RW);

	while (in.len) {
		uint32_t what = (uint32_t)number(&in, 1);

		switch (what % KINDS) {
		case DESC:
			descriptor(what & 0x80 ? &f->chip[1].admin : &q[0], &in, (uint8_t)number(&in, 1));
			break;
		case WORD:
			word(&f->chip[1], &in);
			break;
		case REG:
			reg(&f->chip[1], &in);
			break;
		case TIME:
			pass(f, what >> 2);
			break;
		}
	}
	pass(f, STEPS);

	honest(&f->chip[2]);
	if (HSL_CQE_CODE(fake_run(&q[1], &nop).status) != HSL_ST_OK)
		fake_die("another chip does not answer");
	hsl_chip_reset(f->chip[1].e);
	fake_chip_enable(&f->chip[1]);
	fake_free(f);
	return 0;
}
