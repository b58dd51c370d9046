// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * HEP-SEC-008: chip 1 is given garbage in registers, doorbells, descriptors, rings and tables, 10^5 times. Chip 2 is
 * honest and grants context 1 the bytes [1 MiB, 1.5 MiB) of its memory. Nothing else of it may change, it keeps
 * answering, and chip 1 works again after a reset. AddressSanitizer and the guards of the fake driver watch the rest:
 * every DMA block of chip 1 is an allocation of its own, every map has to be undone.
 *
 * HSL_TEST_SEED repeats the garbage, not the timing. HSL_TEST_ROUNDS sets its amount.
 */
#include "fake_driver.h"

#define GRANT_OFF	0x100000u
#define GRANT_LEN	0x80000u
#define USERS		4u

struct fuzz {
	struct fab *f;
	struct fchip *c, *v;
	struct fq user[USERS];		/* rings of queues 1..4 of chip 1 */
	struct block *table[FAKE_CTXS * 2 + 8];
	unsigned int ntables;
	uint32_t tail[FAKE_QUEUES];
	struct fq honest;
};

static uint64_t any_iova(struct fchip *c)
{
	struct block *b = &c->block[rng_below(atomic_load(&c->nblocks))];

	return b->iova + (rng_below(2) ? 0 : rng_below(2) ? rng_below((uint32_t)b->bytes) & ~7u : b->bytes - 8);
}

static uint64_t word(struct fuzz *z)
{
	switch (rng_below(16)) {
	case 0: return 0;
	case 1: return UINT64_MAX;
	case 2: return 1ull << rng_below(64);
	case 3: return (1ull << rng_below(64)) - 1;
	case 4: return rng();
	case 5: return (uint32_t)rng();
	case 6: case 7: case 8: return any_iova(z->c) | (rng() & 1);
	case 9: return any_iova(z->v) | 1;
	case 10: return (uintptr_t)z->v->mem + rng_below(FAKE_MEM);
	case 11: return HSL_GA(1, rng_below(2 * FAKE_MEM));
	case 12: return HSL_GA(2, rng_below(2 * FAKE_MEM));
	case 13: return HSL_GA(2, GRANT_OFF + rng_below(GRANT_LEN));
	case 14: return HSL_GA(HOST, rng());
	default: return rng_below(256);
	}
}

static void start(struct fuzz *z)
{
	struct fchip *c = z->c;

	wr(c, HSL_REG_CTRL, HSL_CTRL_RESET, 4);
	for (uint32_t i = 1; i < FAKE_CTXS; i++) {
		memset(c->leaf[i], 0, 4096);
		memset(c->dir[i], 0, 4096);
		c->dir[i][0] = c->leaf_block[i]->iova;
		ctx_write(c, i, ctx_key(i));
		c->leaf[i][1] = seg_of(1, 0, FAKE_MEM, RW);
		c->leaf[i][2] = seg_of(2, GRANT_OFF, GRANT_LEN, RW);
	}
	chip_up(c);
	memset(z->tail, 0, sizeof(z->tail));
	for (uint32_t i = 0; i < USERS; i++)
		must(code(fq_do(&c->admin, create_of(&z->user[i], i, 1 + i % 2))) == HSL_ST_OK);
	z->tail[0] = c->admin.tail;
}

static struct hsl_desc descriptor(struct fuzz *z, bool to_admin)
{
	struct hsl_desc d = { .cookie = rng() };
	uint8_t *raw = (uint8_t *)&d;

	d.opcode = (uint8_t)(to_admin && rng_below(3) ? HSL_OP_CTX_INVALIDATE + rng_below(4) : rng_below(3));
	switch (d.opcode) {
	case HSL_OP_COPY:
	case HSL_OP_FILL:
		d.dst = rng_below(4) ? HSL_GA(1 + rng_below(2), rng_below(FAKE_MEM)) : word(z);
		d.len = rng_below(16) ? rng_below(5000) : rng_below(8) ? word(z) : rng_below(FAKE_MAX_LEN);
		if (d.opcode == HSL_OP_COPY)
			d.src = rng_below(4) ? HSL_GA(1 + rng_below(2), rng_below(FAKE_MEM)) : word(z);
		else
			d.arg0 = rng();
		break;
	case HSL_OP_CTX_INVALIDATE:
		d.arg0 = rng_below(FAKE_CTXS + 1);
		break;
	case HSL_OP_SEG_INVALIDATE:
		d.arg0 = 1 + rng_below(2);
		d.arg1 = rng_below(70);
		break;
	case HSL_OP_QUEUE_CREATE:
		d.arg0 = HSL_QC_ARG0(rng_below(FAKE_QUEUES), 1 + rng_below(4), rng_below(FAKE_VECTORS));
		d.arg1 = rng_below(4);
		d.dst = any_iova(z->c) & ~0xfffull;
		d.src = any_iova(z->c) & ~0xfffull;
		d.len = rng_below(2) ? 0 : rng_below(8) ? any_iova(z->c) & ~127ull : any_iova(z->c);
		break;
	case HSL_OP_QUEUE_DESTROY:
		d.arg0 = rng_below(FAKE_QUEUES);
		break;
	}
	if (!rng_below(8))
		raw[rng_below(64)] ^= (uint8_t)(1u << rng_below(8));
	return d;
}

static void submit(struct fuzz *z)
{
	uint32_t qid = rng_below(USERS + 1);
	struct fq *q = qid ? &z->user[qid - 1] : &z->c->admin;

	for (unsigned int n = 1 + rng_below(4); n; n--) {
		q->sq[z->tail[qid] & (q->depth - 1)] = descriptor(z, !qid);
		z->tail[qid]++;
	}
	wr(z->c, db(qid, HSL_DB_SQ_TAIL), z->tail[qid], 4);
	if (!rng_below(4))
		wr(z->c, db(qid, HSL_DB_CQ_ARM), z->tail[qid] - rng_below(3), 4);
}

static void scribble(struct fuzz *z)
{
	struct block *b = z->table[rng_below(z->ntables)];
	uint64_t *w = b->host;

	/* mostly where entries are used: the first entries of a table */
	w[rng_below(rng_below(4) ? 40 : (uint32_t)(b->bytes / 8))] = word(z);
	if (rng_below(2))
		return;
	/* a field of a segment entry, so that the rest stays plausible; now and then a paged one */
	struct hsl_seg_entry *e = &z->c->leaf[1 + rng_below(2)][1 + rng_below(4)];

	if (rng_below(2)) {
		((uint64_t *)e)[rng_below(8)] = word(z);
	} else {
		*e = seg_of(HOST, 0x1000, 1 + rng_below(0x100000), RW | HSL_SEG_PAGED);
		e->pages = any_iova(z->c) & ~0xfffull;
		e->page_shift = (uint8_t)(12 + rng_below(19));
		e->page_levels = (uint8_t)(1 + rng_below(4));
		e->page_offset = rng_below(4096);
	}
}

static void registers(struct fuzz *z)
{
	static const unsigned int sizes[] = { 1, 2, 4, 8 };
	unsigned int size = sizes[rng_below(4)];
	uint64_t off = rng_below(3) ? rng_below(0x100) : rng_below((uint32_t)hsl_chip_bar0_bytes(z->c->e) - 8);

	if (!rng_below(4))
		off = HSL_REG_WIN(rng_below(5)) + rng_below(0x20);
	(void)rd(z->c, off, size);
	wr(z->c, rng_below(8) ? off & ~(uint64_t)(size - 1) : off, word(z), size);
}

static void honest(struct fuzz *z, const uint8_t *before, const uint8_t *tables)
{
	struct fchip *v = z->v;

	must(admin(v, HSL_OP_NOP, 0, 0) == HSL_ST_OK);
	must(code(fq_do(&z->honest, fill_of(HSL_GA(2, 0x1000), 64, 0x5555555555555555))) == HSL_ST_OK);
	assert_memory_equal(v->mem, before, GRANT_OFF);
	assert_memory_equal(v->mem + GRANT_OFF + GRANT_LEN, before + GRANT_OFF + GRANT_LEN,
			    FAKE_MEM - GRANT_OFF - GRANT_LEN);
	assert_memory_equal(v->ctx, tables, 4096);
	assert_memory_equal(v->leaf[1], tables + 4096, 4096);
	assert_memory_equal(v->dir[1], tables + 8192, 4096);
}

static void garbage(void **state)
{
	const char *env = getenv("HSL_TEST_ROUNDS");
	unsigned long rounds = env ? strtoul(env, NULL, 0) : 100000;
	struct fuzz z = { .f = fab_new(HSL_TOPO_PAIR, 2, 2) };
	uint8_t *before = malloc(FAKE_MEM), *tables = malloc(3 * 4096);
	struct hsl_chip_stats st;
	uint8_t *page[512];

	(void)state;
	z.c = &z.f->c[1];
	z.v = &z.f->c[2];
	for (uint32_t i = 0; i < USERS; i++)
		fq_rings(z.c, &z.user[i], 1 + i, 16);
	(void)paged_new(z.c, 0, 64 * 4096, 0, 12, 3, 2, page);
	z.table[z.ntables++] = z.c->ctx_block;
	for (uint32_t i = 1; i < 4; i++) {
		z.table[z.ntables++] = z.c->leaf_block[i];
		z.table[z.ntables++] = z.c->dir_block[i];
	}
	/* chip 2: context 1 with the one grant, context 2 of its own */
	ctx_write(z.v, 1, ctx_key(1));
	ctx_write(z.v, 2, 0x123456789);
	z.v->leaf[1][2] = seg_of(2, GRANT_OFF, GRANT_LEN, RW);
	z.v->leaf[2][1] = seg_of(2, 0, 0x10000, RW);
	must(ctx_invalidate(z.v, 1) == HSL_ST_OK && ctx_invalidate(z.v, 2) == HSL_ST_OK);
	must(fq_create(z.v, &z.honest, 1, 16, 2) == HSL_ST_OK);
	for (uint64_t i = 0; i < FAKE_MEM; i++)
		z.v->mem[i] = (uint8_t)rng();
	memset(z.v->mem + 0x1000, 0x55, 64);
	memcpy(before, z.v->mem, FAKE_MEM);
	memcpy(tables, z.v->ctx, 4096);
	memcpy(tables + 4096, z.v->leaf[1], 4096);
	memcpy(tables + 8192, z.v->dir[1], 4096);

	start(&z);
	for (unsigned long i = 0; i < rounds; i++) {
		uint32_t what = rng_below(100);

		if (what < 55)
			submit(&z);
		else if (what < 80)
			scribble(&z);
		else if (what < 94)
			registers(&z);
		else if (what < 98)
			wr(z.c, db(rng_below(FAKE_QUEUES + 1), rng_below(4) * 8), rng_below(2) ? rng_below(20) : rng(), 4);
		else if (what < 99)
			hsl_chip_set_dma(z.c->e, rng_below(3));
		if (i % 250 == 249) {
			hsl_chip_set_dma(z.c->e, true);
			start(&z);
		}
		if (i % 1000 == 999)
			honest(&z, before, tables);
	}
	hsl_chip_set_dma(z.c->e, true);
	start(&z);
	honest(&z, before, tables);
	z.user[0].head = z.user[0].tail = 0;
	memset(z.user[0].cq, 0, 16 * sizeof(struct hsl_cqe));
	assert_int_equal(code(fq_do(&z.user[0], fill_of(HSL_GA(2, GRANT_OFF), GRANT_LEN, 1))), HSL_ST_OK);
	hsl_chip_stats(z.c->e, &st);
	print_message("# %lu rounds: %" PRIu64 " commands, %" PRIu64 " errors, %" PRIu64 " bytes, %" PRIu64 " requests\n",
		      rounds, st.commands, st.errors, st.bytes, st.auth_requests);
	/* the garbage reached what it was meant for */
	assert_true(st.commands - st.errors > rounds / 100 && st.errors > rounds / 100);
	free(before);
	free(tables);
	fab_free(z.f);
}

static int seed(void **state)
{
	(void)state;
	rng_seed();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(garbage) };

	return cmocka_run_group_tests_name("engine-fuzz", tests, seed, NULL);
}
