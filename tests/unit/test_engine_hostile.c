// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * What software must not be able to break, and what it must not lose: wrong doorbells, DMA switched off, entries
 * that change while they are read, many segments, random registers, descriptors and tables (HEP-SEC-008). The
 * sanitizers see every access outside of chip memory, rings and tables.
 */
#include <dirent.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine_rig.c"

#define MEM	(1ull << 20)
#define RW	(HSL_SEG_READ | HSL_SEG_WRITE)
#define DB(q)	(HSL_DB_OFFSET_DEFAULT + (q) * HSL_DB_STRIDE_DEFAULT)
#define OK(e)	assert_int_equal(HSL_CQE_CODE((e).status), HSL_ST_OK)

/* HEP-QUE-005, section 5: what was submitted before the wrong doorbell completes with ABORTED, once. */
static void overflow_aborts(void **state)
{
	struct fake_fabric *f = fake_new(1, HSL_TOPO_PAIR, 2, MEM);
	struct fake_chip *c = &f->chip[1];
	struct fake_queue q;
	struct hsl_cqe e;

	(void)state;
	fake_ctx_all(f, 1);
	assert_int_equal(fake_queue_new(&q, c, 1, 1, 8, 1), HSL_ST_OK);
	/* DMA off: nothing is taken until both doorbells have been rung */
	hsl_chip_set_dma(c->e, false);
	for (unsigned int i = 0; i < 5; i++)
		fake_submit(&q, &(struct hsl_desc){ .opcode = HSL_OP_NOP, .cookie = 100 + i });
	fake_doorbell(&q);
	fake_write32(c, DB(1), 5 + 9);
	hsl_chip_set_dma(c->e, true);
	for (unsigned int i = 0; i < 5; i++) {
		e = fake_wait(&q);
		assert_int_equal(HSL_CQE_CODE(e.status), HSL_ST_ABORTED);
		assert_int_equal(e.cookie, 100 + i);
	}
	while (fake_read32(c, DB(1) + HSL_DB_STATE) == HSL_QUEUE_READY)
		sched_yield();
	assert_int_equal(fake_read32(c, DB(1) + HSL_DB_STATE), HSL_QUEUE_ERROR);
	assert_int_equal(fake_read32(c, DB(1) + HSL_DB_ERROR), HSL_ST_OVERFLOW);
	assert_int_equal(fake_admin(c, (struct hsl_desc){ .opcode = HSL_OP_QUEUE_DESTROY, .arg0 = 1 }), HSL_ST_OK);
	assert_false(fake_poll(&q, &e));
	assert_int_equal(fake_queue_new(&q, c, 1, 1, 8, 1), HSL_ST_OK);
	OK(fake_run(&q, &(struct hsl_desc){ .opcode = HSL_OP_NOP }));
	fake_free(f);
}

/* HEP-QUE-007: an interrupt due while DMA is off comes when it is on again, once; a reset forgets it. */
static void interrupts_wait(void **state)
{
	struct fake_fabric *f = fake_new(2, HSL_TOPO_PAIR, 2, MEM);
	struct fake_chip *c = &f->chip[1];
	struct fake_queue q;

	(void)state;
	fake_ctx_all(f, 1);
	assert_int_equal(fake_queue_new(&q, c, 1, 1, 8, 3), HSL_ST_OK);
	OK(fake_run(&q, &(struct hsl_desc){ .opcode = HSL_OP_NOP }));
	hsl_chip_set_dma(c->e, false);
	fake_write32(c, DB(1) + HSL_DB_CQ_ARM, 0);		/* one more exists: due at once */
	fake_write32(c, HSL_REG_EVENT_MASK, HSL_EVENT_LINK);
	assert_int_equal(hsl_fabric_engine_set_link(f->e, 1, 2, false), 0);
	assert_int_equal(atomic_load(&c->irq[3]), 0);
	assert_int_equal(atomic_load(&c->irq[0]), 0);
	hsl_chip_set_dma(c->e, true);
	assert_int_equal(atomic_load(&c->irq[3]), 1);
	assert_int_equal(atomic_load(&c->irq[0]), 1);
	hsl_chip_set_dma(c->e, false);
	hsl_chip_set_dma(c->e, true);
	assert_int_equal(atomic_load(&c->irq[3]), 1);

	hsl_chip_set_dma(c->e, false);
	fake_write32(c, DB(1) + HSL_DB_CQ_ARM, 0);
	hsl_chip_reset(c->e);
	hsl_chip_set_dma(c->e, true);
	assert_int_equal(atomic_load(&c->irq[3]), 1);
	fake_free(f);
}

/* HEP-QUE-007: who has seen a completion before the chip has counted it arms ahead; only one beyond that count is due. */
static void armed_ahead(void **state)
{
	static const struct hsl_desc nop = { .opcode = HSL_OP_NOP };
	struct fake_fabric *f = fake_new(1, HSL_TOPO_PAIR, 1, MEM);
	struct fake_chip *c = &f->chip[1];
	struct fake_queue q;

	(void)state;
	fake_ctx_all(f, 1);
	assert_int_equal(fake_queue_new(&q, c, 1, 1, 8, 3), HSL_ST_OK);
	fake_write32(c, DB(1) + HSL_DB_CQ_ARM, 1);
	OK(fake_run(&q, &nop));
	assert_int_equal(atomic_load(&c->irq[3]), 0);
	OK(fake_run(&q, &nop));
	for (unsigned int i = 0; i < 10000 && !atomic_load(&c->irq[3]); i++)
		usleep(1000);
	assert_int_equal(atomic_load(&c->irq[3]), 1);
	fake_free(f);
}

/* A lone high half goes with the low half last written, by whatever width; a reset forgets halves (HEP-REG-008, -011). */
static void halves(void **state)
{
	static const uint64_t regs[] = { HSL_REG_SCRATCH, HSL_REG_WIN(2) + HSL_WIN_O_GA, HSL_REG_WIN(3) + HSL_WIN_O_SIZE };
	struct fake_fabric *f = fake_new(1, HSL_TOPO_PAIR, 1, MEM);
	struct fake_chip *c = &f->chip[1];

	(void)state;
	for (unsigned int i = 0; i < 3; i++) {
		fake_write32(c, regs[i], 0x11111111);
		assert_int_equal(fake_read64(c, regs[i]), 0);
		fake_write64(c, regs[i], 0x2222222233333333ull);
		fake_write32(c, regs[i] + 4, 0x44444444);
		assert_int_equal(fake_read64(c, regs[i]), 0x4444444433333333ull);
	}
	hsl_chip_reset(c->e);
	for (unsigned int i = 0; i < 3; i++) {
		fake_write32(c, regs[i] + 4, 5);
		assert_int_equal(fake_read64(c, regs[i]), 5ull << 32);
	}
	fake_free(f);
}

/* Workers leave signals to the process's own threads: every thread but this one blocks them. */
static void signals(void **state)
{
	struct fake_fabric *f = fake_new(1, HSL_TOPO_PAIR, 4, MEM);
	struct dirent *d;
	unsigned int others = 0;
	DIR *dir = opendir("/proc/self/task");

	(void)state;
	assert_non_null(dir);
	while ((d = readdir(dir))) {
		char path[300], line[256];
		unsigned long long blocked = 0;
		FILE *status;

		if (d->d_name[0] == '.' || atoi(d->d_name) == getpid())
			continue;
		snprintf(path, sizeof(path), "/proc/self/task/%s/status", d->d_name);
		status = fopen(path, "r");
		assert_non_null(status);
		while (fgets(line, sizeof(line), status))
			sscanf(line, "SigBlk: %llx", &blocked);
		fclose(status);
		assert_true(blocked >> (SIGUSR1 - 1) & 1);
		assert_true(blocked >> (SIGTERM - 1) & 1);
		others++;
	}
	closedir(dir);
	assert_true(others >= 4);
	fake_free(f);
}

/* HEP-MAP-010 with many segments: each update is seen, neighbours stay. */
static void many_segments(void **state)
{
	enum { N = 10000 };
	struct fake_fabric *f = fake_new(1, HSL_TOPO_PAIR, 1, MEM);
	struct fake_chip *c = &f->chip[1];
	struct hsl_seg_entry e = { .flags = HSL_SEG_VALID | RW, .epoch = 1, .len = 64 };
	struct fake_queue q;
	uint32_t rng = 77;

	(void)state;
	fake_ctx_all(f, 1);
	assert_int_equal(fake_queue_new(&q, c, 1, 1, 64, 1), HSL_ST_OK);
	/* handle h lies at (h * 7919 mod N) * 64: handles and addresses are in different order */
	for (uint32_t h = 1; h < N; h++) {
		e.ga = HSL_GA(1, h * 7919ull % N * 64);
		fake_seg(c, 1, h, &e, true);
	}
	assert_int_equal(fake_admin(c, (struct hsl_desc){ .opcode = HSL_OP_CTX_INVALIDATE, .arg0 = 1 }), HSL_ST_OK);
	for (unsigned int i = 0; i < 1000; i++) {
		uint32_t h = 1 + fake_random(&rng) % (N - 1), other = h % (N - 1) + 1;
		uint64_t ga = HSL_GA(1, h * 7919ull % N * 64);

		OK(fake_fill(&q, ga, 64, i));
		fake_seg(c, 1, h, &(struct hsl_seg_entry){ 0 }, false);
		assert_int_equal(HSL_CQE_CODE(fake_fill(&q, ga, 64, i).status), HSL_ST_SEGMENT);
		OK(fake_fill(&q, HSL_GA(1, other * 7919ull % N * 64), 64, i));
		e.ga = ga;
		e.epoch++;
		fake_seg(c, 1, h, &e, false);
		OK(fake_fill(&q, ga + 32, 32, i));
		assert_int_equal(HSL_CQE_CODE(fake_fill(&q, ga, 65, i).status), HSL_ST_RANGE);
	}
	fake_free(f);
}

/* ---- entries that change while they are read ---- */

struct flip {
	struct fake_chip *c;
	_Atomic bool stop;
};

/* Entry 1 is A (4096 bytes at 0) or B (64 bytes at 65536). */
static void *flipper(void *opaque)
{
	struct flip *x = opaque;
	struct hsl_seg_entry e = { .flags = HSL_SEG_VALID | RW };

	for (uint32_t i = 1; !atomic_load(&x->stop); i++) {
		e.epoch = i;
		e.ga = HSL_GA(1, i & 1 ? 0 : 65536);
		e.len = i & 1 ? 4096 : 64;
		fake_seg(x->c, 1, 1, &e, true);
	}
	return NULL;
}

/*
 * No read may see the address of one with the length of the other: 65 bytes at 65536 are in no entry. A tear is rare
 * on most machines; under ThreadSanitizer (tests/tsan.sh) a read that could tear is reported.
 */
static void torn_entries(void **state)
{
	struct fake_fabric *f = fake_new(1, HSL_TOPO_PAIR, 2, MEM);
	struct flip x = { .c = &f->chip[1] };
	struct fake_queue q;
	unsigned int ok = 0;
	pthread_t t;

	(void)state;
	fake_ctx_all(f, 1);
	assert_int_equal(fake_queue_new(&q, x.c, 1, 1, 64, 1), HSL_ST_OK);
	fake_seg(x.c, 1, 1, &(struct hsl_seg_entry){ 0 }, false);
	assert_int_equal(pthread_create(&t, NULL, flipper, &x), 0);
	for (unsigned int i = 0; i < 3000; i++) {
		uint32_t st;

		fake_admin(x.c, (struct hsl_desc){ .opcode = i & 1 ? HSL_OP_SEG_INVALIDATE : HSL_OP_CTX_INVALIDATE,
						   .arg0 = 1, .arg1 = i & 1 });
		st = HSL_CQE_CODE(fake_fill(&q, HSL_GA(1, 65536), 65, 1).status);
		assert_int_not_equal(st, HSL_ST_OK);
		ok += HSL_CQE_CODE(fake_fill(&q, HSL_GA(1, 0), 4096, 1).status) == HSL_ST_OK;
	}
	atomic_store(&x.stop, true);
	pthread_join(t, NULL);
	assert_int_not_equal(ok, 0);
	fake_free(f);
}

/* ---- random everything ---- */

static uint64_t random64(uint32_t *rng)
{
	return (uint64_t)fake_random(rng) << 32 | fake_random(rng);
}

static uint64_t random_ga(uint32_t *rng)
{
	switch (fake_random(rng) % 4) {
	case 0: return random64(rng);
	case 1: return HSL_GA(FAKE_HOST, fake_random(rng) % 0x3000);
	default: return HSL_GA(fake_random(rng) % 4, fake_random(rng) % (2 * MEM));
	}
}

static void random_desc(uint32_t *rng, struct hsl_desc *d)
{
	for (unsigned int i = 0; i < 8; i++)
		((uint64_t *)(void *)d)[i] = fake_random(rng) % 8 ? 0 : random64(rng);
	if (fake_random(rng) % 8) {
		memset(d, 0, 16);
		d->opcode = fake_random(rng) % 5;
		d->dst = random_ga(rng);
		d->src = d->opcode == HSL_OP_COPY ? random_ga(rng) : 0;
		d->len = fake_random(rng) % 16 ? fake_random(rng) % 70000 : random64(rng);
		d->arg0 = d->arg1 = d->rsvd1 = 0;
	}
}

/*
 * 10^5 actions on two chips, by one thread, with commands running meanwhile: descriptors, doorbells, table bytes,
 * registers. Context 2 is never touched by them and must keep working between resets.
 */
static void garbage(void **state)
{
	struct fake_fabric *f = fake_new(2, HSL_TOPO_PAIR, 2, MEM);
	uint32_t rng = getenv("HSL_TEST_SEED") ? (uint32_t)strtoul(getenv("HSL_TEST_SEED"), NULL, 0) | 1 : 20261125;
	struct fake_queue q[3], good;
	unsigned int worked = 0;

	(void)state;
	print_message("# HSL_TEST_SEED=%u\n", rng);
	for (uint32_t ctx = 1; ctx <= 2; ctx++)
		fake_ctx_all(f, ctx);
	for (uint32_t h = 1; h < 60; h++)
		fake_seg_chip(f, 1, h, 1 + h % 2, h * 8192, 8192, RW);
	fake_seg_host(f, 1, 60, 0x1000, 17, 0x1800, RW);
	fake_seg_chip(f, 2, 1, 2, 1040384, 8192, RW);
	for (uint32_t i = 1; i <= 2; i++)
		assert_int_equal(fake_queue_new(&q[i], &f->chip[i], 1, 1, 32, 1), HSL_ST_OK);
	assert_int_equal(fake_queue_new(&good, &f->chip[1], 2, 2, 32, 2), HSL_ST_OK);

	for (unsigned int i = 0; i < 100000; i++) {
		uint32_t n = 1 + fake_random(&rng) % 2, what = fake_random(&rng) % 64;
		struct fake_chip *c = &f->chip[n];
		struct hsl_seg_entry e;
		struct hsl_desc d;
		struct hsl_cqe done;

		if (what < 40) {
			random_desc(&rng, &d);
			fake_submit(&q[n], &d);
			fake_doorbell(&q[n]);
		} else if (what < 46) {
			uint64_t off = fake_random(&rng) % 4 ? fake_random(&rng) % 0x4000 :
				       DB(3 + fake_random(&rng) % 20) + fake_random(&rng) % 64;

			/* not CTRL and not the table's address: the good queue must live */
			if ((off & ~7ull) != HSL_REG_CTRL)
				hsl_chip_mmio_write(c->e, off, random64(&rng), 1u << fake_random(&rng) % 4);
			(void)hsl_chip_mmio_read(c->e, fake_random(&rng) % hsl_chip_bar0_bytes(c->e),
						 1u << fake_random(&rng) % 4);
		} else if (what < 56) {
			for (unsigned int k = 0; k < 8; k++)
				((uint64_t *)(void *)&e)[k] = fake_random(&rng) % 3 ? 0 : random64(&rng);
			if (fake_random(&rng) % 4)
				e = (struct hsl_seg_entry){ .flags = HSL_SEG_VALID | (fake_random(&rng) & 15),
					.epoch = i, .ga = random_ga(&rng), .len = fake_random(&rng) % 100000,
					.pages = c->leaf[1][0]->iova, .page_shift = fake_random(&rng) % 40,
					.page_levels = fake_random(&rng) % 6 };
			fake_seg(c, 1, 1 + fake_random(&rng) % 63, &e, fake_random(&rng) % 2);
		} else if (what < 58) {
			fake_ctx(c, 1, fake_random(&rng) % 4 ? 1001 : random64(&rng));
		} else if (what < 60) {
			/* a stray doorbell breaks the queue: make a new one */
			if (fake_read32(c, DB(1) + HSL_DB_STATE) == HSL_QUEUE_ERROR || fake_random(&rng) % 8 == 0) {
				fake_write32(c, DB(1) + (what & 1) * 8, fake_random(&rng));
				fake_admin(c, (struct hsl_desc){ .opcode = HSL_OP_QUEUE_DESTROY, .arg0 = 1 });
				fake_ctx(c, 1, 1001);
				assert_int_equal(fake_queue_new(&q[n], c, 1, 1, 32, 1), HSL_ST_OK);
			}
		} else {
			uint64_t v = random64(&rng);

			done = fake_fill(&good, HSL_GA(2, 1040384 + i % 4096), 4000, v);
			OK(done);
			assert_int_equal(done.result, 4000);
			worked++;
		}
		if (fake_read32(c, DB(1) + HSL_DB_STATE) == HSL_QUEUE_READY)
			while (q[n].tail - q[n].head > 24)
				fake_wait(&q[n]);
		while (fake_poll(&q[n], &done))
			assert_true(HSL_CQE_CODE(done.status) < HSL_ST_COUNT);
	}
	assert_true(worked > 1000);
	/* at most 100 lines since the reset at the start, however bad the guest is */
	assert_true(atomic_load(&f->chip[1].errors) > 10);
	assert_true(atomic_load(&f->chip[1].errors) <= 100);
	assert_true(atomic_load(&f->chip[2].errors) <= 100);
	fake_free(f);
}

/* Random values in CTRL, AQ_*, CTX_*: ENABLE is refused or works, and a reset makes a clean chip of it. */
static void garbage_control(void **state)
{
	static const uint64_t regs[] = { HSL_REG_AQ_SQ, HSL_REG_AQ_CQ, HSL_REG_CTX_TABLE };
	struct fake_fabric *f = fake_new(2, HSL_TOPO_PAIR, 2, MEM);
	struct fake_chip *c = &f->chip[1];
	struct fake_mem *m = fake_mem(f, 65536);
	unsigned int ready = 0;
	uint32_t rng = 99;

	(void)state;
	fake_bytes(m->host, m->bytes, 4);
	for (unsigned int i = 0; i < 2000; i++) {
		fake_write32(c, HSL_REG_CTRL, HSL_CTRL_RESET);
		for (unsigned int k = 0; k < 3; k++)
			fake_write64(c, regs[k], fake_random(&rng) % 4 ? m->iova + fake_random(&rng) % 16 * 4096 :
				     random64(&rng));
		fake_write32(c, HSL_REG_AQ_DEPTH, fake_random(&rng) % 4 ? 1u << fake_random(&rng) % 14 : fake_random(&rng));
		fake_write32(c, HSL_REG_CTX_COUNT, fake_random(&rng) % 12);
		fake_write32(c, HSL_REG_CTRL, fake_random(&rng) % 8 ? HSL_CTRL_ENABLE : fake_random(&rng));
		if (fake_read32(c, HSL_REG_STATUS) == HSL_STATUS_READY) {
			ready++;
			fake_write32(c, DB(0), fake_random(&rng) % 8);
			fake_write32(c, DB(0) + 8, fake_random(&rng));
		}
	}
	assert_true(ready > 100);
	fake_write32(c, HSL_REG_CTRL, HSL_CTRL_RESET);
	assert_int_equal(fake_read32(c, HSL_REG_STATUS), 0);
	fake_chip_enable(c);
	assert_int_equal(fake_admin(c, (struct hsl_desc){ .opcode = HSL_OP_NOP }), HSL_ST_OK);
	fake_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(overflow_aborts), cmocka_unit_test(interrupts_wait),
		cmocka_unit_test(armed_ahead),
		cmocka_unit_test(halves),
		cmocka_unit_test(signals), cmocka_unit_test(many_segments), cmocka_unit_test(torn_entries),
		cmocka_unit_test(garbage), cmocka_unit_test(garbage_control),
	};

	return cmocka_run_group_tests_name("engine hostile", tests, NULL, NULL);
}
