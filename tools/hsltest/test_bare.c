/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * REG, QUE, SEC on a bare chip: what a driver would not do. The driver is unbound from the chips,
 * and the test is their driver: rings and tables are in locked pages of its own, whose addresses
 * come from /proc/self/pagemap. So it needs root, no IOMMU in front of the chips, and --disruptive.
 *
 * A chip whose DVSEC asks for its maker's driver need not answer without it: a program that the user names (--bring-up) sets
 * it up.
 *
 * A child of the test does it, so that the driver is bound again however that ends. On sim: the
 * driver is in the process itself, and the chip finds memory at its address in there.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hsl/ctf.h"
#include "hsltest.h"
#include "libhsl/raw.h"

#define PAGE	 4096u
#define DEPTH	 32u
#define CONTEXTS 64u
#define COMMAND	 0x04		/* PCI */
#define MEMORY_AND_MASTER 0x06

enum page { AQ_SQ, AQ_CQ, CTX, DIR, LEAF, SQ, CQ, SHADOW, PAGES };

struct ring {
	struct hsl_desc *sq;
	volatile struct hsl_cqe *cq;
	uint32_t qid, tail, head;
};

struct bare {
	struct ht *t;
	const struct hsl_chip_props *chip;
	struct ht_bar regs;
	uint32_t bars, regs_at;	/* as the DVSEC says */
	uint32_t ctf_at;	/* from regs on */
	uint8_t *mem;
	uint64_t bus[PAGES];	/* where the chip finds each page */
	struct ring admin, queue;
};

/* ---- the chip without a driver ---- */

static bool sysfs_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return ok;
}

static void bars_of(struct ht *t, struct bare *b)
{
	uint8_t cfg[4096];
	unsigned int n, off;

	if (t->sim) {
		b->bars = HSL_BAR_REGS | HSL_BAR_MEM << 4 | HSL_BAR_WIN << 8;
		b->ctf_at = HSL_CTF_OFFSET_DEFAULT;
		return;
	}
	n = ht_config_read(t, b->chip, cfg, sizeof(cfg));
	off = ht_dvsec_find(cfg, n);
	HT_TRUE(t, off, "the DVSEC of chip %u cannot be read", b->chip->node);
	memcpy(&b->bars, cfg + off + HSL_DVSEC_O_BARS, 4);
	memcpy(&b->regs_at, cfg + off + HSL_DVSEC_O_REGS, 4);
	memcpy(&b->ctf_at, cfg + off + HSL_DVSEC_O_CTF, 4);
	b->ctf_at -= b->regs_at;
}

/* Whose it is, hsl_pci or its maker's: the folder of its driver in sysfs, for as long as it is unbound. */
static void driver_of(struct ht *t, const struct hsl_chip_props *chip, char driver[PATH_MAX])
{
	struct bare b = { .chip = chip };
	char path[128];

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/iommu_group", chip->bus_addr);
	if (!access(path, F_OK))
		HT_SKIP_TEST(t, "chip %u is behind an IOMMU", chip->node);
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/driver", chip->bus_addr);
	if (!realpath(path, driver))
		HT_SKIP_TEST(t, "chip %u (%s) is no PCI function with a driver", chip->node, chip->bus_addr);
	bars_of(t, &b);
	if ((b.bars & HSL_DVSEC_BARS_OWN_DRIVER) && !t->config->bring_up)
		HT_SKIP_TEST(t, "chip %u does not answer without its maker's driver: --bring-up says what sets it up", chip->node);
}

/* file: "bind" or "unbind" */
static bool driver_write(const char *driver, const char *file, const struct hsl_chip_props *chip)
{
	char path[PATH_MAX + 16];

	snprintf(path, sizeof(path), "%s/%s", driver, file);
	return sysfs_write(path, chip->bus_addr);
}

static uint64_t bus_address(struct ht *t, const void *p)
{
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	uint64_t e = 0;

	HT_TRUE(t, fd >= 0, "/proc/self/pagemap: %s", strerror(errno));
	HT_TRUE(t, pread(fd, &e, 8, (off_t)((uintptr_t)p / PAGE * 8)) == 8, "pagemap: %s", strerror(errno));
	close(fd);
	e &= (1ull << 55) - 1;
	if (!e)
		HT_SKIP_TEST(t, "the kernel does not tell where memory is");
	return e * PAGE;
}

static void pci_enable(struct ht *t, const struct hsl_chip_props *chip)
{
	uint16_t cmd = MEMORY_AND_MASTER;
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/config", chip->bus_addr);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	HT_TRUE(t, fd >= 0 && pwrite(fd, &cmd, 2, COMMAND) == 2, "%s: %s", path, strerror(errno));
	close(fd);
}

/* What the maker's driver does to the function before its register block answers, done by a program of the maker's. */
static void bring_up(struct ht *t, const struct hsl_chip_props *chip)
{
	const char *prog = t->config->bring_up;
	int status = 0, null;
	pid_t pid = fork();

	HT_TRUE(t, pid >= 0, "fork: %s", strerror(errno));
	if (!pid) {
		null = open("/dev/null", O_RDWR);
		if (dup2(null, 0) < 0 || dup2(null, 1) < 0) /* a test never prints */
			_exit(126);
		execl(prog, prog, chip->bus_addr, (char *)NULL);
		_exit(127);
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (status)
		HT_ERROR_TEST(t, "'%s %s' failed: %s %d", prog, chip->bus_addr, WIFEXITED(status) ? "exit status" : "signal",
			      WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
}

static void *page(struct bare *b, enum page p)
{
	return b->mem + p * PAGE;
}

static void bare_open(struct ht *t, struct bare *b, const struct hsl_chip_props *chip)
{
	memset(b, 0, sizeof(*b));
	b->t = t;
	b->chip = chip;
	if (!t->sim)
		pci_enable(t, chip);
	bars_of(t, b);
	if (b->bars & HSL_DVSEC_BARS_OWN_DRIVER)
		bring_up(t, chip);
	ht_bar_map(t, chip, HSL_DVSEC_BARS_REGS(b->bars), &b->regs);
	b->regs.p += b->regs_at;
	b->mem = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS | MAP_LOCKED | MAP_POPULATE, -1, 0);
	HT_TRUE(t, b->mem != MAP_FAILED, "no memory: %s", strerror(errno));
	if (t->sim)
		HT_OK(t, hslp_raw_unbind(t->f, chip->node, b->mem, PAGES * PAGE));
	for (unsigned int i = 0; i < PAGES; i++)
		b->bus[i] = t->sim ? (uintptr_t)page(b, i) : bus_address(t, page(b, i));
	b->admin = (struct ring){ .sq = page(b, AQ_SQ), .cq = page(b, AQ_CQ) };
	ht_write32(&b->regs, HSL_REG_CTRL, HSL_CTRL_RESET);
}

static void program(struct bare *b)
{
	ht_write64(&b->regs, HSL_REG_AQ_SQ, b->bus[AQ_SQ]);
	ht_write64(&b->regs, HSL_REG_AQ_CQ, b->bus[AQ_CQ]);
	ht_write32(&b->regs, HSL_REG_AQ_DEPTH, DEPTH);
	ht_write64(&b->regs, HSL_REG_CTX_TABLE, b->bus[CTX]);
	ht_write32(&b->regs, HSL_REG_CTX_COUNT, CONTEXTS);
}

static uint32_t enable(struct bare *b)
{
	ht_write32(&b->regs, HSL_REG_CTRL, HSL_CTRL_ENABLE);
	return ht_read32(&b->regs, HSL_REG_STATUS);
}

static void bare_start(struct bare *b)
{
	program(b);
	HT_EQ(b->t, "STATUS after ENABLE", enable(b), HSL_STATUS_READY);
}

static void bare_close(struct bare *b)
{
	ht_write32(&b->regs, HSL_REG_CTRL, HSL_CTRL_RESET);
	if (b->t->sim)
		HT_OK(b->t, hslp_raw_bind(b->t->f, b->chip->node, b->mem, PAGES * PAGE));
}

/* The status of one command. */
static uint32_t run(struct bare *b, struct ring *r, struct hsl_desc d)
{
	struct ht_limit limit = ht_limit(HT_OP_LIMIT_S);
	uint32_t phase = r->head / DEPTH & 1 ? 0 : HSL_CQE_PHASE, status;
	uint64_t db = ht_read32(&b->regs, HSL_REG_DB_OFFSET) +
		      (uint64_t)r->qid * ht_read32(&b->regs, HSL_REG_DB_STRIDE);

	ht_progress(b->t);
	d.cookie = r->tail;
	r->sq[r->tail++ % DEPTH] = d;
	__atomic_thread_fence(__ATOMIC_RELEASE);
	ht_write32(&b->regs, db + HSL_DB_SQ_TAIL, r->tail);
	do {
		HT_TRUE(b->t, !ht_limit_over(&limit), "chip %u, queue %u: opcode %#x is not completed",
			b->chip->node, r->qid, d.opcode);
		status = __atomic_load_n(&r->cq[r->head % DEPTH].status, __ATOMIC_ACQUIRE);
	} while ((status & HSL_CQE_PHASE) != phase);
	HT_EQ(b->t, "cookie", r->cq[r->head % DEPTH].cookie, d.cookie);
	r->head++;
	return HSL_CQE_CODE(status);
}

static uint32_t admin(struct bare *b, uint8_t opcode, uint64_t arg0, uint64_t arg1)
{
	return run(b, &b->admin, (struct hsl_desc){ .opcode = opcode, .arg0 = arg0, .arg1 = arg1 });
}

/* A context of the chip's table: number 1, with one segment, handle 1. */
static void table(struct bare *b, uint64_t key, struct hsl_seg_entry e)
{
	((uint64_t *)page(b, DIR))[0] = b->bus[LEAF];
	((struct hsl_seg_entry *)page(b, LEAF))[1] = e;
	((struct hsl_ctx_entry *)page(b, CTX))[1] =
		(struct hsl_ctx_entry){ .flags = HSL_CTX_VALID, .key = key, .seg_dir = b->bus[DIR] };
	__atomic_thread_fence(__ATOMIC_RELEASE);
	HT_EQ(b->t, "CTX_INVALIDATE", admin(b, HSL_OP_CTX_INVALIDATE, 1, 0), HSL_ST_OK);
	HT_EQ(b->t, "SEG_INVALIDATE", admin(b, HSL_OP_SEG_INVALIDATE, 1, 1), HSL_ST_OK);
}

static struct hsl_desc create(struct bare *b)
{
	return (struct hsl_desc){ .opcode = HSL_OP_QUEUE_CREATE, .dst = b->bus[SQ], .src = b->bus[CQ],
				  .arg0 = HSL_QC_ARG0(1, __builtin_ctz(DEPTH), 0), .arg1 = 1 };
}

static void queue_reset(struct bare *b)
{
	memset(page(b, CQ), 0, PAGE);
	memset(page(b, SHADOW), 0, PAGE);
	b->queue = (struct ring){ .sq = page(b, SQ), .cq = page(b, CQ), .qid = 1 };
}

/* ---- a test on n chips without their driver ---- */

static void bare_test(struct ht *t, unsigned int n, void (*fn)(struct ht *t, struct bare *b))
{
	struct bare b[2];
	char driver[2][PATH_MAX];
	bool unbound = true, bound = true;
	int status = 0, err = 0;
	unsigned int i;
	pid_t pid = -1;

	if (t->sim) {
		for (i = 0; i < n; i++)
			bare_open(t, &b[i], &t->chip[i]);
		fn(t, b);
		for (i = 0; i < n; i++)
			bare_close(&b[i]);
		return;
	}
	for (i = 0; i < n; i++)
		driver_of(t, &t->chip[i], driver[i]);
	for (i = 0; i < n; i++)
		unbound &= driver_write(driver[i], "unbind", &t->chip[i]);
	if (unbound)
		pid = fork();
	if (!pid) {
		for (i = 0; i < n; i++)
			bare_open(t, &b[i], &t->chip[i]);
		fn(t, b);
		for (i = 0; i < n; i++)
			bare_close(&b[i]);
		_exit(0);
	}
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	for (i = 0; i < n; i++)
		if (!driver_write(driver[i], "bind", &t->chip[i])) {
			err = errno;
			bound = false;
		}
	HT_TRUE(t, pid > 0, "the driver could not be unbound, or fork failed");
	HT_TRUE(t, bound, "a chip did not come back to its driver: %s", strerror(err));
	if (t->shared->verdict != HT_NONE)
		_exit(0);	/* the child's */
	HT_TRUE(t, WIFEXITED(status) && !WEXITSTATUS(status), "the test's child ended badly");
}

/* ---- HEP-REG-006, -007 ---- */

static void config_errors_of(struct ht *t, struct bare *b)
{
	uint32_t max_depth = ht_read32(&b->regs, HSL_REG_MAX_DEPTH);
	uint32_t max_ctx = ht_read32(&b->regs, HSL_REG_NCONTEXTS);
	const struct { uint32_t reg; uint64_t value; } bad[] = {
		{ HSL_REG_AQ_SQ, b->bus[AQ_SQ] + 64 },	  { HSL_REG_AQ_SQ, b->bus[AQ_SQ] | 1 },
		{ HSL_REG_AQ_CQ, b->bus[AQ_CQ] + 2048 },  { HSL_REG_CTX_TABLE, b->bus[CTX] + 64 },
		{ HSL_REG_AQ_DEPTH, 0 },		  { HSL_REG_AQ_DEPTH, 1 },
		{ HSL_REG_AQ_DEPTH, 3 },		  { HSL_REG_AQ_DEPTH, 2ull * max_depth },
		{ HSL_REG_AQ_DEPTH, UINT32_MAX },	  { HSL_REG_CTX_COUNT, 0 },
		{ HSL_REG_CTX_COUNT, max_ctx + 1ull },	  { HSL_REG_CTX_COUNT, UINT32_MAX },
	};

	for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		uint32_t status;

		ht_write32(&b->regs, HSL_REG_CTRL, HSL_CTRL_RESET);
		program(b);
		if (bad[i].reg == HSL_REG_AQ_DEPTH || bad[i].reg == HSL_REG_CTX_COUNT)
			ht_write32(&b->regs, bad[i].reg, (uint32_t)bad[i].value);
		else
			ht_write64(&b->regs, bad[i].reg, bad[i].value);
		status = enable(b);
		HT_TRUE(t, status & HSL_STATUS_CONFIG_ERROR && !(status & HSL_STATUS_READY),
			"register %#x set to %#" PRIx64 ": STATUS after ENABLE is %#x", bad[i].reg, bad[i].value,
			status);
	}
	ht_write32(&b->regs, HSL_REG_CTRL, HSL_CTRL_RESET);
	bare_start(b);
	HT_EQ(t, "NOP on the admin queue", admin(b, HSL_OP_NOP, 0, 0), HSL_ST_OK);
	ht_write64(&b->regs, HSL_REG_AQ_SQ, 0);
	ht_write32(&b->regs, HSL_REG_AQ_DEPTH, 2);
	HT_EQ(t, "AQ_SQ written while enabled", ht_read64(&b->regs, HSL_REG_AQ_SQ), b->bus[AQ_SQ]);
	HT_EQ(t, "AQ_DEPTH written while enabled", ht_read32(&b->regs, HSL_REG_AQ_DEPTH), DEPTH);
}

static void config_errors(struct ht *t)
{
	bare_test(t, 1, config_errors_of);
}

/* ---- HEP-REG-008 ---- */

/* CTRL.RESET; what an FLR does, and what the driver makes of it: test_reg.c. */
static void ctrl_reset_of(struct ht *t, struct bare *b)
{
	static const struct { uint32_t reg; const char *name; bool wide; } rw[] = {
		{ HSL_REG_CTRL, "CTRL", false }, { HSL_REG_STATUS, "STATUS", false }, { HSL_REG_EVENT_MASK, "EVENT_MASK", false },
		{ HSL_REG_SCRATCH, "SCRATCH", true }, { HSL_REG_AQ_SQ, "AQ_SQ", true }, { HSL_REG_AQ_CQ, "AQ_CQ", true },
		{ HSL_REG_AQ_DEPTH, "AQ_DEPTH", false }, { HSL_REG_CTX_TABLE, "CTX_TABLE", true },
		{ HSL_REG_CTX_COUNT, "CTX_COUNT", false },
	};
	const uint64_t at = 1u << 20, ga = HSL_GA(b->chip->node, at);
	const struct hsl_seg_entry e = { .flags = HSL_SEG_VALID | HSL_SEG_READ | HSL_SEG_WRITE, .ga = ga, .len = PAGE };
	uint64_t db = ht_read32(&b->regs, HSL_REG_DB_OFFSET) + ht_read32(&b->regs, HSL_REG_DB_STRIDE);
	struct ht_bar mem;

	ht_bar_map(t, b->chip, HSL_DVSEC_BARS_MEM(b->bars), &mem);
	bare_start(b);
	table(b, 0x1234, e);
	queue_reset(b);
	HT_EQ(t, "QUEUE_CREATE", run(b, &b->admin, create(b)), HSL_ST_OK);
	HT_EQ(t, "FILL", run(b, &b->queue, (struct hsl_desc){ .opcode = HSL_OP_FILL, .dst = ga, .len = PAGE, .arg0 = 0x5eed }), HSL_ST_OK);
	ht_write64(&b->regs, HSL_REG_SCRATCH, 0x5eed);
	ht_write32(&b->regs, HSL_REG_EVENT_MASK, HSL_EVENT_LINK);
	ht_write32(&b->regs, HSL_REG_CTRL, HSL_CTRL_RESET);
	for (unsigned int i = 0; i < sizeof(rw) / sizeof(rw[0]); i++) {
		uint64_t v = rw[i].wide ? ht_read64(&b->regs, rw[i].reg) : ht_read32(&b->regs, rw[i].reg);

		HT_TRUE(t, !v, "%s after CTRL.RESET: expected 0, got %#" PRIx64, rw[i].name, v);
	}
	HT_EQ(t, "STATE of a queue after CTRL.RESET", ht_read32(&b->regs, db + HSL_DB_STATE), HSL_QUEUE_RESET);
	HT_EQ(t, "the first word of what was in memory", ht_read64(&mem, at), 0x5eed);
	HT_EQ(t, "the last one", ht_read64(&mem, at + PAGE - 8), 0x5eed);
	memset(page(b, AQ_CQ), 0, PAGE);
	b->admin = (struct ring){ .sq = page(b, AQ_SQ), .cq = page(b, AQ_CQ) };
	bare_start(b);
	HT_EQ(t, "NOP after it", admin(b, HSL_OP_NOP, 0, 0), HSL_ST_OK);
}

static void ctrl_reset(struct ht *t)
{
	bare_test(t, 1, ctrl_reset_of);
}

/* ---- HEP-QUE-009, -022 ---- */

/* Of parameters, or of control blocks. */
static void refused_queues_in(struct ht *t, struct bare *b, bool shadows)
{
	const uint64_t far = UINT64_MAX & ~(uint64_t)(PAGE - 1);
	uint64_t cap = ht_read64(&b->regs, HSL_REG_CAP);
	bool shadow = cap & HSL_CAP_SHADOW_TAIL;
	uint32_t nqueues = ht_read32(&b->regs, HSL_REG_NQUEUES);
	struct hsl_seg_entry none = { 0 };
	const struct { const char *what; struct hsl_desc d; } bad[] = {
		{ "queue 0", { .arg0 = HSL_QC_ARG0(0, 5, 0), .arg1 = 1 } },
		{ "a queue beyond NQUEUES", { .arg0 = HSL_QC_ARG0(nqueues, 5, 0), .arg1 = 1 } },
		{ "a depth of one", { .arg0 = HSL_QC_ARG0(1, 0, 0), .arg1 = 1 } },
		{ "a depth of 2^31", { .arg0 = HSL_QC_ARG0(1, 31, 0), .arg1 = 1 } },
		{ "vector 65535", { .arg0 = HSL_QC_ARG0(1, 5, 65535), .arg1 = 1 } },
		{ "context 0", { .arg0 = HSL_QC_ARG0(1, 5, 0), .arg1 = 0 } },
		{ "an unknown context", { .arg0 = HSL_QC_ARG0(1, 5, 0), .arg1 = CONTEXTS } },
		{ "a control block at 64", { .len = b->bus[SHADOW] + 64, .arg0 = HSL_QC_ARG0(1, 5, 0), .arg1 = 1 } },
		{ "a control block at 1", { .len = b->bus[SHADOW] + 1, .arg0 = HSL_QC_ARG0(1, 5, 0), .arg1 = 1 } },
		{ "a control block nowhere", { .len = far, .arg0 = HSL_QC_ARG0(1, 5, 0), .arg1 = 1 } },
	};
	struct hsl_desc d;

	bare_start(b);
	table(b, 0x1234, none);
	queue_reset(b);
	for (unsigned int i = shadows ? 7 : 0; i < (shadows ? sizeof(bad) / sizeof(bad[0]) : 7); i++) {
		d = bad[i].d;
		d.opcode = HSL_OP_QUEUE_CREATE;
		d.dst = b->bus[SQ];
		d.src = b->bus[CQ];
		HT_TRUE(t, run(b, &b->admin, d) != HSL_ST_OK, "QUEUE_CREATE with %s: expected an error, got OK",
			bad[i].what);
		HT_TRUE(t, admin(b, HSL_OP_QUEUE_DESTROY, 1, 0) != HSL_ST_OK,
			"QUEUE_CREATE with %s failed, and there is a queue to destroy", bad[i].what);
	}
	if (!shadows) {
		queue_reset(b);
		HT_EQ(t, "QUEUE_CREATE", run(b, &b->admin, create(b)), HSL_ST_OK);
		HT_TRUE(t, run(b, &b->admin, create(b)) != HSL_ST_OK, "the same queue could be created twice");
		HT_EQ(t, "NOP", run(b, &b->queue, (struct hsl_desc){ .opcode = HSL_OP_NOP }), HSL_ST_OK);
		return;
	}
	d = create(b);
	d.len = b->bus[SHADOW];
	HT_TRUE(t, (run(b, &b->admin, d) == HSL_ST_OK) == shadow,
		"QUEUE_CREATE with a control block, CAP.SHADOW_TAIL %u", shadow);
	if (shadow) {
		const struct hsl_queue_shadow *s = page(b, SHADOW);

		HT_EQ(t, "need_doorbell of a new queue", s->need_doorbell, 1);
		HT_EQ(t, "QUEUE_DESTROY", admin(b, HSL_OP_QUEUE_DESTROY, 1, 0), HSL_ST_OK);
	}
}

static void refused_queues_of(struct ht *t, struct bare *b)
{
	refused_queues_in(t, b, false);
}

static void refused_blocks_of(struct ht *t, struct bare *b)
{
	refused_queues_in(t, b, true);
}

static void refused_queues(struct ht *t)
{
	bare_test(t, 1, refused_queues_of);
}

static void refused_blocks(struct ht *t)
{
	bare_test(t, 1, refused_blocks_of);
}

/* ---- HEP-QUE-008 ---- */

/* A WAIT that never holds, and what is behind it: all of it has its completion when the queue is gone. */
static void destroyed_of(struct ht *t, struct bare *b)
{
	const uint64_t ga = HSL_GA(b->chip->node, 1u << 20);
	const struct hsl_seg_entry e = { .flags = HSL_SEG_VALID | HSL_SEG_READ | HSL_SEG_WRITE, .ga = ga, .len = PAGE };
	uint64_t db = ht_read32(&b->regs, HSL_REG_DB_OFFSET) + ht_read32(&b->regs, HSL_REG_DB_STRIDE);

	bare_start(b);
	table(b, 0x1234, e);
	queue_reset(b);
	HT_EQ(t, "QUEUE_CREATE", run(b, &b->admin, create(b)), HSL_ST_OK);
	HT_EQ(t, "FILL", run(b, &b->queue, (struct hsl_desc){ .opcode = HSL_OP_FILL, .dst = ga, .len = 8 }), HSL_ST_OK);
	b->queue.sq[1] = (struct hsl_desc){ .opcode = HSL_OP_WAIT, .subop = HSL_WAIT_EQ, .src = ga, .len = 8, .arg0 = 1,
					    .cookie = 1 };
	for (unsigned int i = 2; i < 10; i++)
		b->queue.sq[i] = (struct hsl_desc){ .opcode = HSL_OP_FILL, .dst = ga, .len = 8, .arg0 = 1, .cookie = i };
	__atomic_thread_fence(__ATOMIC_RELEASE);
	ht_write32(&b->regs, db + HSL_DB_SQ_TAIL, 10);
	HT_EQ(t, "QUEUE_DESTROY", admin(b, HSL_OP_QUEUE_DESTROY, 1, 0), HSL_ST_OK);
	for (unsigned int i = 1; i < 10; i++) {
		uint32_t status = __atomic_load_n(&b->queue.cq[i].status, __ATOMIC_ACQUIRE);

		HT_TRUE(t, status & HSL_CQE_PHASE, "command %u of a queue that was destroyed has no completion", i);
		HT_EQ(t, "cookie", b->queue.cq[i].cookie, i);
		HT_EQ(t, "status", HSL_CQE_CODE(status), HSL_ST_ABORTED);
	}
}

static void destroyed_completes(struct ht *t)
{
	ht_need_cap(t, HSL_CAP_OP_SIGNAL, "WAIT");
	bare_test(t, 1, destroyed_of);
}

/* ---- HEP-MAP-027 ---- */

static void flush_writes_of(struct ht *t, struct bare *b)
{
	const uint64_t at = 1u << 20, ga = HSL_GA(b->chip->node, at), len = 8 * PAGE;
	const struct hsl_seg_entry e = { .flags = HSL_SEG_VALID | HSL_SEG_READ | HSL_SEG_WRITE | HSL_SEG_MODELLED,
					 .ga = ga, .len = len };
	struct ht_bar mem;

	bare_start(b);
	table(b, 0x1234, e);
	queue_reset(b);
	ht_bar_map(t, b->chip, HSL_DVSEC_BARS_MEM(b->bars), &mem);
	HT_EQ(t, "QUEUE_CREATE", run(b, &b->admin, create(b)), HSL_ST_OK);
	for (uint64_t round = 1; round <= 2; round++) {
		HT_EQ(t, "FILL", run(b, &b->queue, (struct hsl_desc){ .opcode = HSL_OP_FILL, .dst = ga, .len = len,
								       .arg0 = round }), HSL_ST_OK);
		HT_EQ(t, "FLUSH", run(b, &b->admin, (struct hsl_desc){ .opcode = HSL_OP_FLUSH, .dst = ga,
									.len = len }), HSL_ST_OK);
		for (uint64_t off = 0; off < len; off += 8)
			HT_TRUE(t, ht_read64(&mem, at + off) == round,
				"byte %#" PRIx64 " of memory that was flushed: expected %" PRIu64 ", got %#" PRIx64, off,
				round, ht_read64(&mem, at + off));
	}
}

static void flush_writes(struct ht *t)
{
	ht_need_cap(t, HSL_CAP_MODELLED, "modelled memory");
	bare_test(t, 1, flush_writes_of);
}

/* ---- HEP-SEC-003 ---- */

/* Chip 0 is told more than chip 1, the home of the memory, has in its own table. */
static void home_decides_of(struct ht *t, struct bare *b)
{
	const uint32_t rw = HSL_SEG_VALID | HSL_SEG_READ | HSL_SEG_WRITE;
	const uint64_t at = 1u << 20, len = 1u << 16, key = 0xfeed;
	const struct hsl_seg_entry full = { .flags = rw, .epoch = 7, .ga = HSL_GA(b[1].chip->node, at), .len = len };
	struct hsl_desc fill = { .opcode = HSL_OP_FILL, .dst = full.ga, .len = len, .arg0 = 0x5a5a };
	struct {
		const char *what;
		uint64_t key;
		struct hsl_seg_entry e;
	} home[] = {
		{ "another key", key + 1, full }, { "another epoch", key, full }, { "a shorter range", key, full },
		{ "another range", key, full },	  { "no right to write", key, full }, { "no segment", key, full },
	};
	struct ht_bar mem;

	home[1].e.epoch++;
	home[2].e.len -= PAGE;
	home[3].e.ga += len;
	home[4].e.flags = HSL_SEG_VALID | HSL_SEG_READ;
	home[5].e.flags = 0;
	bare_start(&b[0]);
	bare_start(&b[1]);
	ht_bar_map(t, b[1].chip, HSL_DVSEC_BARS_MEM(b[1].bars), &mem);
	table(&b[0], key, full);
	queue_reset(&b[0]);
	HT_EQ(t, "QUEUE_CREATE", run(&b[0], &b[0].admin, create(&b[0])), HSL_ST_OK);
	for (unsigned int k = 0; k <= 2 * sizeof(home) / sizeof(home[0]); k++) {
		/* the second time round what it had granted is invalidated */
		unsigned int i = k % (sizeof(home) / sizeof(home[0]) + 1);
		bool granted = i == sizeof(home) / sizeof(home[0]);
		const char *what = granted ? "the same" : home[i].what;
		uint32_t want = granted ? HSL_ST_OK : HSL_ST_DENIED;

		for (uint64_t off = 0; off < len; off += 8)
			ht_write64(&mem, at + off, 0x1111);
		table(&b[1], granted ? key : home[i].key, granted ? full : home[i].e);
		HT_TRUE(t, run(&b[0], &b[0].queue, fill) == want, "home with %s: expected status %u", what, want);
		for (uint64_t off = 0; off < len; off += 8)
			HT_TRUE(t, ht_read64(&mem, at + off) == (granted ? 0x5a5a : 0x1111),
				"home with %s: byte %#" PRIx64 " is wrong afterwards", what, off);
	}
}

static void home_decides(struct ht *t)
{
	bare_test(t, 2, home_decides_of);
}

/* ---- HEP-CTF-013, HEP-RAS-009 ---- */

static void fatal_error(struct bare *b)
{
	ht_write32(&b->regs, b->ctf_at + HSL_CTF_KEY, HSL_CTF_UNLOCK);
	ht_write32(&b->regs, b->ctf_at + HSL_CTF_CMD, HSL_CTF_CMD_FATAL);
	HT_EQ(b->t, "status of FATAL", ht_read32(&b->regs, b->ctf_at + HSL_CTF_STATUS), HSL_ST_OK);
	ht_write32(&b->regs, b->ctf_at + HSL_CTF_KEY, 0);
}

/* Chip 1, whose memory chip 0 uses, has a fatal error. */
static void fatal_of(struct ht *t, struct bare *b)
{
	const uint64_t ga = HSL_GA(b[1].chip->node, 1u << 20), key = 0xfeed;
	const struct hsl_seg_entry e = { .flags = HSL_SEG_VALID | HSL_SEG_READ | HSL_SEG_WRITE | HSL_SEG_MODELLED,
					 .ga = ga, .len = PAGE };
	struct hsl_desc fill = { .opcode = HSL_OP_FILL, .dst = ga, .len = 256, .arg0 = 1 };
	struct hsl_desc own = { .opcode = HSL_OP_NOP };
	uint32_t status;

	bare_start(&b[0]);
	bare_start(&b[1]);
	for (unsigned int i = 0; i < 2; i++)
		table(&b[i], key, e);
	queue_reset(&b[0]);
	HT_EQ(t, "QUEUE_CREATE", run(&b[0], &b[0].admin, create(&b[0])), HSL_ST_OK);
	HT_EQ(t, "FILL", run(&b[0], &b[0].queue, fill), HSL_ST_OK);
	fatal_error(&b[1]);
	status = ht_read32(&b[1].regs, HSL_REG_STATUS);
	HT_TRUE(t, status & HSL_STATUS_FATAL, "STATUS after FATAL is %#x", status);
	status = ht_read32(&b[1].regs, HSL_REG_EVENT);
	HT_TRUE(t, status & HSL_EVENT_FATAL, "EVENT after FATAL is %#x", status);
	HT_EQ(t, "FILL of memory of a chip with a fatal error", run(&b[0], &b[0].queue, fill), HSL_ST_UNREACHABLE);
	HT_EQ(t, "NOP of another chip", run(&b[0], &b[0].queue, own), HSL_ST_OK);

	ht_write32(&b[1].regs, HSL_REG_CTRL, HSL_CTRL_RESET);
	status = ht_read32(&b[1].regs, HSL_REG_STATUS);
	HT_TRUE(t, status & HSL_STATUS_FATAL, "STATUS after CTRL.RESET is %#x", status);
	program(&b[1]);
	status = enable(&b[1]);
	HT_TRUE(t, !(status & HSL_STATUS_READY), "STATUS after ENABLE with a fatal error is %#x", status);

	HT_OK(t, ht_chip_flr(t, b[1].chip));
	if (b[1].bars & HSL_DVSEC_BARS_OWN_DRIVER)
		bring_up(t, b[1].chip);
	ht_write32(&b[1].regs, HSL_REG_CTRL, HSL_CTRL_RESET);
	HT_EQ(t, "STATUS after FLR", ht_read32(&b[1].regs, HSL_REG_STATUS), 0);
	b[1].admin.tail = b[1].admin.head = 0;
	memset(page(&b[1], AQ_CQ), 0, PAGE);
	bare_start(&b[1]);
	table(&b[1], key, e);
	HT_EQ(t, "FILL after FLR", run(&b[0], &b[0].queue, fill), HSL_ST_OK);
}

static bool has_fatal(struct ht *t)
{
	struct hsl_ctf *c;
	bool has;
	int rc;

	ht_need_tool(t, HSL_CAP_MODELLED, "modelled memory");
	ht_need_tool(t, HSL_CAP_CTF, "a test facility");
	rc = hsl_ctf_open(t->f, t->chip[1].node, &c);
	if (rc)
		HT_SKIP_TEST(t, "test facility of chip %u: %s", t->chip[1].node, ht_errno_name(rc));
	has = hsl_ctf_commands(c) >> HSL_CTF_CMD_FATAL & 1;
	hsl_ctf_close(c);
	return has;
}

static void fatal_contained(struct ht *t)
{
	if (!has_fatal(t))
		HT_NA_TEST(t, "the facility of chip %u has no FATAL", t->chip[1].node);
	bare_test(t, 2, fatal_of);
}

/* Who has no FATAL may have fatal errors all the same. */
static void fatal_spares_others(struct ht *t)
{
	if (!has_fatal(t))
		HT_SKIP_TEST(t, "the facility of chip %u has no FATAL", t->chip[1].node);
	bare_test(t, 2, fatal_of);
}

const struct ht_test ht_tests_bare[] = {
	{ "HEP-CTF-013", "fatal_contained", "a chip with a fatal error says so and is out until FLR", fatal_contained,
	  HT_F_BAR | HT_F_RESET | HT_F_TWO_CHIPS, 0 },
	{ "HEP-RAS-009", "fatal_spares_others", "nobody gets its memory, and others go on", fatal_spares_others,
	  HT_F_BAR | HT_F_RESET | HT_F_TWO_CHIPS, 0 },
	{ "HEP-REG-007", "config_errors", "queues and tables out of bounds are CONFIG_ERROR, by a driverless chip",
	  config_errors, HT_F_BAR | HT_F_RESET, 0 },
	{ "HEP-REG-008", "ctrl_reset", "CTRL.RESET clears registers and queues and keeps memory", ctrl_reset,
	  HT_F_BAR | HT_F_RESET, 0 },
	{ "HEP-QUE-009", "refused_queues", "QUEUE_CREATE out of bounds creates nothing", refused_queues,
	  HT_F_BAR | HT_F_RESET, 0 },
	{ "HEP-QUE-022", "refused_blocks", "QUEUE_CREATE with a bad control block creates nothing", refused_blocks,
	  HT_F_BAR | HT_F_RESET, 0 },
	{ "HEP-QUE-008", "destroyed_completes", "what a destroyed queue had not started is ABORTED",
	  destroyed_completes, HT_F_BAR | HT_F_RESET, 0 },
	{ "HEP-MAP-027", "flush_writes", "memory has what was written when FLUSH completes", flush_writes,
	  HT_F_BAR | HT_F_RESET, 0 },
	{ "HEP-SEC-003", "home_decides", "what the home's own table does not grant is DENIED", home_decides,
	  HT_F_BAR | HT_F_RESET | HT_F_TWO_CHIPS, 0 },
	{ 0 }
};
