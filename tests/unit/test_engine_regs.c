// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * The register file, ENABLE, reset, windows and link blocks of the engine (HEP-REG-*, HEP-MAP-014, -015).
 */
#include "fake_driver.h"

/* HEP-REG-002, -004, -012, -013: fixed registers, and that writing them changes nothing. */
static void fixed_registers(void **state)
{
	struct fab *f = fab_new(HSL_TOPO_MESH, 3, 1);
	struct fchip *c = &f->c[2];
	static const struct { uint64_t off; unsigned int size; uint64_t val; } want[] = {
		{ HSL_REG_MAGIC, 4, HSL_MAGIC }, { HSL_REG_VERSION, 4, HSL_HEP_VERSION }, { HSL_REG_NODE, 4, 2 },
		{ HSL_REG_HOST_NODE, 4, HOST }, { HSL_REG_FABRIC_LO, 8, 0x1111 }, { HSL_REG_FABRIC_HI, 8, 0x2222 },
		{ HSL_REG_MEM_SIZE, 8, FAKE_MEM }, { HSL_REG_GA_BITS, 4, 48 | 15 << 8 },
		{ HSL_REG_NQUEUES, 4, FAKE_QUEUES }, { HSL_REG_DB_OFFSET, 4, 0x10000 },
		{ HSL_REG_DB_STRIDE, 4, 0x10000 }, { HSL_REG_MAX_DEPTH, 4, 256 },
		{ HSL_REG_NCONTEXTS, 4, FAKE_CTXS }, { HSL_REG_MAX_LEN, 8, FAKE_MAX_LEN },
		{ HSL_REG_NWINDOWS, 4, 4 }, { HSL_REG_WIN_STRIDE_LOG2, 4, 20 }, { HSL_REG_NLINKS, 4, 2 },
		{ HSL_REG_NVECTORS, 4, FAKE_VECTORS }, { HSL_REG_STATUS, 4, HSL_STATUS_READY },
		{ HSL_REG_CTRL, 4, HSL_CTRL_ENABLE },
		{ HSL_REG_CAP, 8, HSL_CAP_HOST_COHERENT | HSL_CAP_HOST_ATOMIC | HSL_CAP_WINDOWS | HSL_CAP_OP_COPY |
		  HSL_CAP_OP_FILL | HSL_CAP_OP_REDUCE | HSL_CAP_OP_ATOMIC | HSL_CAP_OP_LOADSTORE | HSL_CAP_OP_FENCE |
		  HSL_CAP_OP_SIGNAL | HSL_CAP_MODERATION | HSL_CAP_SHADOW_TAIL | HSL_CAP_SENSORS |
		  HSL_CAP_OP_COPY2D | HSL_CAP_OP_COPY_LIST },
	};

	(void)state;
	for (unsigned int pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
			assert_int_equal(rd(c, want[i].off, want[i].size), want[i].val);
			for (unsigned int b = 0; b < want[i].size; b++)
				assert_int_equal(rd(c, want[i].off + b, 1), want[i].val >> 8 * b & 0xff);
			if (want[i].off == HSL_REG_CTRL)
				continue;
			wr(c, want[i].off, UINT64_MAX, want[i].size);
			wr(c, want[i].off, 0x12345678, 4);
		}
	}
	fab_free(f);
}

/* HEP-REG-003: everything else reads as zero and ignores writes. */
static void undefined_registers(void **state)
{
	struct fab *f = fab_new(HSL_TOPO_PAIR, 2, 1);
	struct fchip *c = &f->c[1];
	static const uint64_t holes[] = { 0x60, 0x78, 0x98, 0xb4, 0xc4, 0xc8, 0x114, 0xff8, 0x1080, 0x17f8, 0x1800,
		0x2800, 0x7ff8, 0x8000, 0xc000, 0xfff8 };

	(void)state;
	for (size_t i = 0; i < sizeof(holes) / sizeof(holes[0]); i++) {
		wr(c, holes[i], UINT32_MAX, 4);
		assert_int_equal(rd(c, holes[i], 4), 0);
	}
	/* doorbells are write-only, the rest of their page is nothing; so is what lies past the last page */
	for (uint64_t off = 0x20; off < 0x1000; off += 0xa8) {
		wr(c, db(1, off), UINT32_MAX, 4);
		assert_int_equal(rd(c, db(1, off), 4), 0);
	}
	assert_int_equal(rd(c, db(0, HSL_DB_SQ_TAIL), 8), 0);
	assert_int_equal(rd(c, db(FAKE_QUEUES, HSL_DB_STATE), 8), 0);
	assert_true(hsl_chip_bar0_bytes(c->e) >= db(FAKE_QUEUES, 0));
	assert_int_equal(rd(c, HSL_REG_STATUS, 4), HSL_STATUS_READY);
	fab_free(f);
}

/* HEP-REG-011, and sizes that are not taken. */
static void halves(void **state)
{
	struct fab *f = fab_new(HSL_TOPO_PAIR, 2, 1);
	struct fchip *c = &f->c[1];

	(void)state;
	wr(c, HSL_REG_SCRATCH, 0x1122334455667788, 8);
	assert_int_equal(rd(c, HSL_REG_SCRATCH, 8), 0x1122334455667788);
	assert_int_equal(rd(c, HSL_REG_SCRATCH + 4, 4), 0x11223344);
	assert_int_equal(rd(c, HSL_REG_SCRATCH + 3, 2), 0x4455);
	wr(c, HSL_REG_SCRATCH, 0xaaaaaaaa, 4);
	assert_int_equal(rd(c, HSL_REG_SCRATCH, 8), 0x1122334455667788);	/* not committed */
	wr(c, HSL_REG_CAP, 0x5555, 4);			/* another register's half, read-only */
	wr(c, HSL_REG_SCRATCH + 4, 0xbbbbbbbb, 4);
	assert_int_equal(rd(c, HSL_REG_SCRATCH, 8), 0xbbbbbbbbaaaaaaaa);
	wr(c, HSL_REG_SCRATCH, 7, 1);
	wr(c, HSL_REG_SCRATCH, 7, 2);
	wr(c, HSL_REG_SCRATCH + 2, 7, 4);
	wr(c, HSL_REG_SCRATCH + 4, 7, 8);
	assert_int_equal(rd(c, HSL_REG_SCRATCH, 8), 0xbbbbbbbbaaaaaaaa);

	/* each 64-bit register keeps its own low half, and a reset forgets it */
	hsl_chip_reset(c->e);
	wr(c, HSL_REG_AQ_SQ, 0x1000, 4);
	wr(c, HSL_REG_AQ_CQ, 0x2000, 4);
	wr(c, HSL_REG_CTX_TABLE, 0x3000, 4);
	wr(c, HSL_REG_CAP, 0x9999, 4);
	wr(c, HSL_REG_AQ_SQ + 4, 1, 4);
	wr(c, HSL_REG_AQ_CQ + 4, 2, 4);
	wr(c, HSL_REG_CTX_TABLE + 4, 3, 4);
	assert_int_equal(rd(c, HSL_REG_AQ_SQ, 8), 0x100001000);
	assert_int_equal(rd(c, HSL_REG_AQ_CQ, 8), 0x200002000);
	assert_int_equal(rd(c, HSL_REG_CTX_TABLE, 8), 0x300003000);
	hsl_chip_reset(c->e);
	wr(c, HSL_REG_AQ_SQ + 4, 1, 4);
	assert_int_equal(rd(c, HSL_REG_AQ_SQ, 8), 0x100000000);
	/* two 32-bit registers in one write */
	wr(c, HSL_REG_EVENT, (uint64_t)HSL_EVENT_FATAL << 32, 8);
	assert_int_equal(rd(c, HSL_REG_EVENT_MASK, 4), HSL_EVENT_FATAL);
	fab_free(f);
}

/* HEP-REG-005, LINK events, EVENT_MASK. */
static void events(void **state)
{
	struct fab *f = fab_new(HSL_TOPO_PAIR, 2, 1);
	struct fchip *c = &f->c[1];
	uint64_t n;

	(void)state;
	wr(c, HSL_REG_EVENT, UINT32_MAX, 4);
	assert_int_equal(rd(c, HSL_REG_EVENT, 4), 0);
	n = atomic_load(&c->interrupts[0]);
	assert_int_equal(hsl_fabric_engine_set_link(f->e, 1, 2, false), 0);
	assert_int_equal(rd(c, HSL_REG_EVENT, 4), HSL_EVENT_LINK);
	assert_int_equal(rd(c, HSL_REG_LINK(0) + HSL_LINK_O_STATE, 4), HSL_LTSSM_DETECT);
	assert_int_equal(rd(c, HSL_REG_LINK(0) + HSL_LINK_O_WIDTH, 8), 0);
	assert_int_equal(rd(c, HSL_REG_LINK(0) + HSL_LINK_O_MAX_WIDTH, 4), 16);
	assert_int_equal(rd(c, HSL_REG_LINK(0) + HSL_LINK_O_MAX_RATE, 8), 112000);
	assert_int_equal(atomic_load(&c->interrupts[0]), n);	/* masked */
	wr(c, HSL_REG_EVENT_MASK, UINT32_MAX, 4);		/* unmasking raises */
	assert_int_equal(rd(c, HSL_REG_EVENT_MASK, 4), HSL_EVENT_ALL);
	assert_int_equal(atomic_load(&c->interrupts[0]), n + 1);
	wr(c, HSL_REG_EVENT, HSL_EVENT_FATAL, 4);
	assert_int_equal(rd(c, HSL_REG_EVENT, 4), HSL_EVENT_LINK);	/* others stay */
	wr(c, HSL_REG_EVENT, HSL_EVENT_LINK, 4);
	assert_int_equal(rd(c, HSL_REG_EVENT, 4), 0);
	assert_int_equal(hsl_fabric_engine_set_link(f->e, 1, 2, true), 0);
	assert_int_equal(atomic_load(&c->interrupts[0]), n + 2);
	assert_int_equal(rd(c, HSL_REG_LINK(0) + HSL_LINK_O_PEER, 4), 2 | HSL_NODE_TYPE_CHIP << 16);
	assert_int_equal(rd(c, HSL_REG_LINK(0) + HSL_LINK_O_STATE, 4), HSL_LTSSM_L0);
	assert_int_equal(rd(c, HSL_REG_LINK(1), 8), 0);
	wr(c, HSL_REG_LINK(0), UINT32_MAX, 4);
	assert_int_equal(rd(c, HSL_REG_LINK(0) + HSL_LINK_O_PEER, 4), 2 | HSL_NODE_TYPE_CHIP << 16);
	assert_int_equal(hsl_fabric_engine_set_link(f->e, 1, 3, true), -EINVAL);
	fab_free(f);
}

/* HEP-REG-006, -008: RW-while-off registers, and defaults after both resets. */
static void enable_reset(void **state)
{
	static const struct { uint64_t off; unsigned int size; } off_regs[] = {
		{ HSL_REG_AQ_SQ, 8 }, { HSL_REG_AQ_CQ, 8 }, { HSL_REG_AQ_DEPTH, 4 }, { HSL_REG_CTX_TABLE, 8 },
		{ HSL_REG_CTX_COUNT, 4 },
	};
	struct fab *f = fab_new(HSL_TOPO_PAIR, 2, 1);
	struct fchip *c = &f->c[1];

	(void)state;
	for (unsigned int way = 0; way < 3; way++) {
		for (size_t i = 0; i < 5; i++) {
			uint64_t v = rd(c, off_regs[i].off, off_regs[i].size);

			wr(c, off_regs[i].off, v ^ 0x5000, off_regs[i].size);
			assert_int_equal(rd(c, off_regs[i].off, off_regs[i].size), v);
		}
		wr(c, HSL_REG_SCRATCH, 77, 8);
		wr(c, HSL_REG_EVENT_MASK, 7, 4);
		wr(c, HSL_REG_WIN(1) + HSL_WIN_O_GA, HSL_GA(2, 0x10000), 8);
		wr(c, HSL_REG_WIN(1) + HSL_WIN_O_SIZE, 0x10000, 8);
		wr(c, HSL_REG_WIN(1) + HSL_WIN_O_CTRL, HSL_WIN_CTRL_ENABLE, 4);
		assert_int_equal(atomic_load(&c->win[1].on), 1);
		memset(c->mem, 0x5a, 4096);
		if (way == 0)
			hsl_chip_reset(c->e);
		else
			wr(c, HSL_REG_CTRL, way == 1 ? HSL_CTRL_RESET | HSL_CTRL_ENABLE : 0, 4);
		for (size_t i = 0; i < 5; i++)
			assert_int_equal(rd(c, off_regs[i].off, off_regs[i].size), 0);
		assert_int_equal(rd(c, HSL_REG_CTRL, 8), 0);		/* and STATUS */
		assert_int_equal(rd(c, HSL_REG_EVENT, 8), 0);		/* and EVENT_MASK */
		assert_int_equal(rd(c, HSL_REG_SCRATCH, 8), 0);
		assert_int_equal(atomic_load(&c->win[1].on), 0);
		for (uint64_t o = 0; o < 0x20; o += 8)
			assert_int_equal(rd(c, HSL_REG_WIN(1) + o, 8), 0);
		assert_int_equal(rd(c, db(0, HSL_DB_STATE), 8), HSL_QUEUE_RESET);
		assert_int_equal(c->mem[4095], 0x5a);
		wr(c, db(0, HSL_DB_SQ_TAIL), 1, 4);			/* HEP-QUE-006 */
		chip_up(c);
		assert_int_equal(admin(c, HSL_OP_NOP, 0, 0), HSL_ST_OK);
	}
	fab_free(f);
}

/* HEP-REG-007 */
static void enable_refused(void **state)
{
	struct fab *f = fab_new(HSL_TOPO_PAIR, 2, 1);
	struct fchip *c = &f->c[1];
	struct block *lone = dma_alloc(c, 4096);
	const struct { uint64_t off, val; unsigned int size; } bad[] = {
		{ HSL_REG_AQ_SQ, c->admin.sqb->iova + 64, 8 }, { HSL_REG_AQ_CQ, c->admin.cqb->iova + 0x800, 8 },
		{ HSL_REG_AQ_SQ, 0, 8 }, { HSL_REG_AQ_CQ, (uintptr_t)c->admin.cqb->host, 8 },
		{ HSL_REG_AQ_SQ, f->c[2].admin.sqb->iova, 8 }, { HSL_REG_AQ_SQ, UINT64_MAX - 4095, 8 },
		{ HSL_REG_CTX_TABLE, c->ctx_block->iova + 64, 8 },
		{ HSL_REG_AQ_DEPTH, 0, 4 }, { HSL_REG_AQ_DEPTH, 1, 4 }, { HSL_REG_AQ_DEPTH, 3, 4 },
		{ HSL_REG_AQ_DEPTH, 512, 4 }, { HSL_REG_AQ_DEPTH, 0x80000000, 4 },
		{ HSL_REG_AQ_DEPTH, 128, 4 },		/* longer than what is mapped */
		{ HSL_REG_CTX_COUNT, 0, 4 }, { HSL_REG_CTX_COUNT, FAKE_CTXS + 1, 4 },
		{ HSL_REG_CTX_COUNT, UINT32_MAX, 4 },
	};

	(void)state;
	(void)lone;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		wr(c, HSL_REG_CTRL, HSL_CTRL_RESET, 4);
		assert_int_equal(atomic_load(&c->maps), 0);
		chip_program(c);
		wr(c, bad[i].off, bad[i].val, bad[i].size);
		wr(c, HSL_REG_CTRL, HSL_CTRL_ENABLE, 4);
		assert_int_equal(rd(c, HSL_REG_STATUS, 4), HSL_STATUS_CONFIG_ERROR);
		assert_int_equal(rd(c, HSL_REG_CTRL, 4), 0);
		assert_int_equal(atomic_load(&c->maps), 0);
		wr(c, db(0, HSL_DB_SQ_TAIL), 1, 4);
	}
	/* the fault mended, without a reset in between */
	chip_up(c);
	assert_int_equal(admin(c, HSL_OP_NOP, 0, 0), HSL_ST_OK);
	fab_free(f);
}

static uint32_t window(struct fchip *c, unsigned int i, uint64_t ga, uint64_t size, uint32_t ctrl)
{
	uint32_t status;

	wr(c, HSL_REG_WIN(i) + HSL_WIN_O_CTRL, 0, 4);
	wr(c, HSL_REG_WIN(i) + HSL_WIN_O_GA, ga, 8);
	wr(c, HSL_REG_WIN(i) + HSL_WIN_O_SIZE, (uint32_t)size, 4);
	wr(c, HSL_REG_WIN(i) + HSL_WIN_O_SIZE + 4, size >> 32, 4);
	wr(c, HSL_REG_WIN(i) + HSL_WIN_O_CTRL, ctrl, 4);
	status = (uint32_t)rd(c, HSL_REG_WIN(i) + HSL_WIN_O_STATUS, 4);
	must((status == HSL_WIN_ACTIVE) == (atomic_load(&c->win[i].on) == 1));
	return status;
}

/* HEP-MAP-014, -015 */
static void windows(void **state)
{
	struct fab *f = fab_new(HSL_TOPO_RING, 4, 1);
	struct fchip *c = &f->c[1];

	(void)state;
	assert_int_equal(window(c, 0, HSL_GA(2, 0x20000), 0x30000, 1), HSL_WIN_ACTIVE);
	assert_int_equal(atomic_load(&c->win[0].node), 2);
	assert_int_equal(atomic_load(&c->win[0].offset), 0x20000);
	assert_int_equal(atomic_load(&c->win[0].size), 0x30000);
	/* fixed while it is on */
	wr(c, HSL_REG_WIN(0) + HSL_WIN_O_GA, HSL_GA(3, 0), 8);
	wr(c, HSL_REG_WIN(0) + HSL_WIN_O_SIZE, 0x10000, 8);
	wr(c, HSL_REG_WIN(0) + HSL_WIN_O_STATUS, 0, 4);
	assert_int_equal(rd(c, HSL_REG_WIN(0) + HSL_WIN_O_GA, 8), HSL_GA(2, 0x20000));
	assert_int_equal(rd(c, HSL_REG_WIN(0) + HSL_WIN_O_SIZE, 8), 0x30000);
	assert_int_equal(rd(c, HSL_REG_WIN(0) + HSL_WIN_O_STATUS, 4), HSL_WIN_ACTIVE);

	assert_int_equal(window(c, 1, HSL_GA(3, 0x1000), 0x10000, 1), HSL_ST_ALIGN << 8);
	assert_int_equal(window(c, 1, HSL_GA(3, 0), 0x11000, 1), HSL_ST_ALIGN << 8);
	assert_int_equal(window(c, 1, HSL_GA(3, 0), 0, 1), HSL_ST_LENGTH << 8);
	assert_int_equal(window(c, 1, HSL_GA(3, 0), 0x110000, 1), HSL_ST_LENGTH << 8);
	assert_int_equal(window(c, 1, HSL_GA(3, 0), UINT64_MAX - 0xffff, 1), HSL_ST_LENGTH << 8);
	assert_int_equal(window(c, 1, HSL_GA(3, FAKE_MEM), 0x10000, 1), HSL_ST_RANGE << 8);
	assert_int_equal(window(c, 1, HSL_GA(3, FAKE_MEM - 0x10000), 0x20000, 1), HSL_ST_RANGE << 8);
	assert_int_equal(window(c, 1, HSL_GA(3, HSL_GA_OFFSET_MASK & ~0xffffull), 0x100000, 1), HSL_ST_RANGE << 8);
	assert_int_equal(window(c, 1, HSL_GA(0, 0), 0x10000, 1), HSL_ST_SEGMENT << 8);
	assert_int_equal(window(c, 1, HSL_GA(5, 0), 0x10000, 1), HSL_ST_SEGMENT << 8);
	assert_int_equal(window(c, 1, HSL_GA(HOST, 0), 0x10000, 1), HSL_ST_SEGMENT << 8);
	assert_int_equal(window(c, 1, 1ull << 63 | HSL_GA(3, 0), 0x10000, 1), HSL_ST_SEGMENT << 8);
	assert_int_equal(window(c, 1, HSL_GA(3, 0), 0x10000, 3), HSL_ST_FIELD << 8);	/* modelled */
	assert_int_equal(window(c, 1, HSL_GA(3, 0), 0x10000, 2), 0);
	atomic_store(&c->refuse_window, HSL_ST_INTERNAL);
	assert_int_equal(window(c, 1, HSL_GA(3, 0), 0x10000, 1), HSL_ST_INTERNAL << 8);
	atomic_store(&c->refuse_window, 0);

	/* windows onto a peer, its own too, go with its reset and with its departure; others stay */
	assert_int_equal(window(c, 1, HSL_GA(3, FAKE_MEM - 0x10000), 0x10000, 1), HSL_WIN_ACTIVE);
	assert_int_equal(window(c, 2, HSL_GA(1, 0), 0x100000, 1), HSL_WIN_ACTIVE);
	assert_int_equal(window(&f->c[3], 3, HSL_GA(3, 0), 0x10000, 1), HSL_WIN_ACTIVE);
	hsl_chip_reset(f->c[3].e);
	assert_int_equal(rd(c, HSL_REG_WIN(1) + HSL_WIN_O_STATUS, 4), 0);
	assert_int_equal(rd(c, HSL_REG_WIN(1) + HSL_WIN_O_CTRL, 4), 0);
	assert_int_equal(atomic_load(&c->win[1].on), 0);
	assert_int_equal(atomic_load(&f->c[3].win[3].on), 0);
	assert_int_equal(atomic_load(&c->win[0].on), 1);
	hsl_chip_detach(f->c[2].e);
	assert_int_equal(atomic_load(&c->win[0].on), 0);
	assert_int_equal(window(c, 0, HSL_GA(2, 0), 0x10000, 1), HSL_ST_SEGMENT << 8);
	assert_int_equal(atomic_load(&c->win[2].on), 1);

	/* no way to it */
	hsl_fabric_engine_set_link(f->e, 1, 4, false);
	assert_int_equal(window(c, 0, HSL_GA(4, 0), 0x10000, 1), HSL_ST_UNREACHABLE << 8);
	fab_free(f);
}

/* Configurations that make no chip or no fabric. */
static void refused_configs(void **state)
{
	struct fab *f = fab_new(HSL_TOPO_PAIR, 2, 1);
	struct hsl_chip_engine_config ok = {
		.node = 1, .mem = f->c[1].mem, .mem_bytes = FAKE_MEM, .nqueues = 2, .nvectors = 1, .ops = &fake_ops,
		.opaque = &f->c[1],
	}, cfg;
	struct hsl_fabric_engine_config fc = { .model = config(HSL_TOPO_PAIR, 2), .workers = 9 };
	const char *err = NULL;

	(void)state;
#define REFUSED(...) do { \
		cfg = ok; __VA_ARGS__; err = NULL; \
		assert_null(hsl_chip_engine_new(f->e, &cfg, &err)); \
		assert_non_null(err); } while (0)
	REFUSED((void)0);			/* the node id is taken */
	hsl_chip_detach(f->c[1].e);
	hsl_chip_detach(f->c[1].e);
	REFUSED(cfg.node = 0);
	REFUSED(cfg.node = 3);
	REFUSED(cfg.mem = NULL);
	REFUSED(cfg.mem_bytes = 0);
	REFUSED(cfg.mem_bytes = 4096);
	REFUSED(cfg.mem_bytes = 1ull << 60);
	REFUSED(cfg.nqueues = 1);
	REFUSED(cfg.nqueues = 257);
	REFUSED(cfg.nvectors = 0);
	REFUSED(cfg.nvectors = 2049);
	REFUSED(cfg.max_depth = 3);
	REFUSED(cfg.max_depth = 1u << 17);
	REFUSED(cfg.ncontexts = 1);
	REFUSED(cfg.nwindows = 65; cfg.win_stride_log2 = 20);
	REFUSED(cfg.nwindows = 1; cfg.win_stride_log2 = 12);
	assert_null(hsl_fabric_engine_new(&fc, &err));
	fc.workers = 1;
	fc.model.nodes = 3;			/* a pair of three */
	assert_null(hsl_fabric_engine_new(&fc, &err));
	fab_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fixed_registers),
		cmocka_unit_test(undefined_registers),
		cmocka_unit_test(halves),
		cmocka_unit_test(events),
		cmocka_unit_test(enable_reset),
		cmocka_unit_test(enable_refused),
		cmocka_unit_test(windows),
		cmocka_unit_test(refused_configs),
	};

	return cmocka_run_group_tests_name("engine-regs", tests, NULL, NULL);
}
