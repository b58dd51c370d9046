// SPDX-License-Identifier: GPL-2.0-only
/*
 * /sys/kernel/debug/hsl/hsl<N>/state: chips, contexts, segments and queues of a fabric, for people. Not an ABI.
 * /sys/kernel/debug/hsl/hsl<N>/chip<node>/registers: those of BAR0 by name, for reports of bugs. Not an ABI.
 *
 * A context that is busy with a device is not waited for: it is shown as busy. fabric->lock is held over the dump, so
 * contexts neither come nor go.
 */
#include <linux/debugfs.h>
#include <linux/seq_file.h>

#include "hsl_priv.h"

static struct dentry *hsl_debugfs_root;

static void hsl_dump_chip(struct seq_file *m, struct hsl_chip *chip)
{
	struct hsl_admin *a = &chip->admin;

	seq_printf(m, "chip %u %s %s state %s mem %llu free %llu queues %d admin tail %u head %u\n", chip->node,
		   chip->bus_addr, chip->driver, hsl_chip_state_name(hsl_chip_state_get(chip)), chip->mem_bytes,
		   hsl_mem_avail(chip), atomic_read(&chip->nqueues_used), READ_ONCE(a->sq_tail),
		   READ_ONCE(a->cq_head));
}

static void hsl_dump_segment(struct seq_file *m, struct hsl_segment *seg)
{
	unsigned int exports, imports;

	hsl_export_count(seg, &exports, &imports);
	seq_printf(m, "  segment %u ga 0x%llx len %llu rights %s%s epoch %u %s%s%s%s", seg->handle, seg->ga, seg->len,
		   seg->rights & HSL_SEGMENT_READ ? "r" : "-", seg->rights & HSL_SEGMENT_WRITE ? "w" : "-", seg->epoch,
		   seg->host ? "host" : "chip", READ_ONCE(seg->export) ? " imported" : "",
		   seg->flags & HSL_ALLOC_OBSERVABLE ? " observable" : "", READ_ONCE(seg->dead) ? " dead" : "");
	if (exports)
		seq_printf(m, " exports %u imported by %u", exports, imports);
	seq_putc(m, '\n');
}

static void hsl_dump_context(struct seq_file *m, struct hsl_context *ctx)
{
	struct hsl_segment *seg;
	struct hsl_attach *at;
	struct hsl_queue *q;
	unsigned long handle;

	lockdep_assert_held(&ctx->lock);
	seq_printf(m, "context %u pid %d next epoch %u attached:", ctx->index, ctx->pid, ctx->next_epoch);
	list_for_each_entry(at, &ctx->attachments, ctx_link)
		seq_printf(m, " %u", at->chip->node);
	seq_puts(m, " charged to ");
	hsl_user_usage(ctx->user, m);
	seq_putc(m, '\n');
	xa_for_each(&ctx->segments, handle, seg)
		hsl_dump_segment(m, seg);
	list_for_each_entry(q, &ctx->queues, ctx_link) {
		struct hsl_queue_ctrl *ctrl = q->ctrl.va;

		seq_printf(m, "  queue %u chip %u depth %u state %u error %u vector %u cq_head %u\n", q->qid,
			   q->chip->node, q->depth, READ_ONCE(q->state), q->error, q->vec->index,
			   READ_ONCE(ctrl->cq_head));
	}
}

static int hsl_state_show(struct seq_file *m, void *unused)
{
	struct hsl_fabric *f = m->private;
	struct hsl_context *ctx;
	struct hsl_chip *chip;
	unsigned long node;

	if (mutex_lock_killable(&f->lock))
		return -EINTR;
	seq_printf(m, "fabric hsl%d id %016llx%016llx host node %u open files %u events %llu\n", f->minor, f->id[1],
		   f->id[0], f->host_node, f->open_count, READ_ONCE(f->events.next) - 1);
	xa_for_each(&f->chips, node, chip)	/* chips leave under f->lock */
		hsl_dump_chip(m, chip);
	list_for_each_entry(ctx, &f->contexts, link) {
		if (!mutex_trylock(&ctx->lock)) {
			seq_printf(m, "context %u pid %d busy\n", ctx->index, ctx->pid);
			continue;
		}
		if (ctx->closed)
			seq_printf(m, "context %u pid %d closing\n", ctx->index, ctx->pid);
		else
			hsl_dump_context(m, ctx);
		mutex_unlock(&ctx->lock);
	}
	mutex_unlock(&f->lock);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(hsl_state);

/* ---- registers ---- */

struct hsl_debug_reg {
	const char *name;
	u32 off;
	bool wide;	/* u64 */
};

#define HSL_DEBUG32(name)	{ #name, HSL_REG_##name, false }
#define HSL_DEBUG64(name)	{ #name, HSL_REG_##name, true }
static const struct hsl_debug_reg hsl_debug_regs[] = {
	HSL_DEBUG32(MAGIC), HSL_DEBUG32(VERSION), HSL_DEBUG64(CAP), HSL_DEBUG32(NODE), HSL_DEBUG32(HOST_NODE),
	HSL_DEBUG64(FABRIC_LO), HSL_DEBUG64(FABRIC_HI), HSL_DEBUG64(MEM_SIZE), HSL_DEBUG32(GA_BITS),
	HSL_DEBUG32(NQUEUES), HSL_DEBUG32(DB_OFFSET), HSL_DEBUG32(DB_STRIDE), HSL_DEBUG32(MAX_DEPTH),
	HSL_DEBUG32(NCONTEXTS), HSL_DEBUG64(MAX_LEN), HSL_DEBUG32(NWINDOWS), HSL_DEBUG32(WIN_STRIDE_LOG2),
	HSL_DEBUG32(NLINKS), HSL_DEBUG32(NVECTORS), HSL_DEBUG32(CTRL), HSL_DEBUG32(STATUS), HSL_DEBUG32(EVENT),
	HSL_DEBUG32(EVENT_MASK), HSL_DEBUG64(SCRATCH), HSL_DEBUG64(AQ_SQ), HSL_DEBUG64(AQ_CQ), HSL_DEBUG32(AQ_DEPTH),
	HSL_DEBUG64(CTX_TABLE), HSL_DEBUG32(CTX_COUNT),
};

#define HSL_DEBUG_LINK(name)	{ #name, HSL_LINK_O_##name, false }
static const struct hsl_debug_reg hsl_debug_link_regs[] = {
	HSL_DEBUG_LINK(PEER), HSL_DEBUG_LINK(STATE), HSL_DEBUG_LINK(WIDTH), HSL_DEBUG_LINK(RATE),
	HSL_DEBUG_LINK(LATENCY),
};

#define HSL_DEBUG_WIN(name, wide)	{ #name, HSL_WIN_O_##name, wide }
static const struct hsl_debug_reg hsl_debug_win_regs[] = {
	HSL_DEBUG_WIN(GA, true), HSL_DEBUG_WIN(SIZE, true), HSL_DEBUG_WIN(CTRL, false), HSL_DEBUG_WIN(CTX, false),
	HSL_DEBUG_WIN(STATUS, false),
};

static void hsl_dump_regs(struct seq_file *m, void __iomem *regs, u32 base, const char *block,
			  const struct hsl_debug_reg *r, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		void __iomem *at = regs + base + r[i].off;

		if (r[i].wide)
			seq_printf(m, "0x%04x %s%-15s 0x%016llx\n", base + r[i].off, block, r[i].name,
				   (unsigned long long)readq(at));
		else
			seq_printf(m, "0x%04x %s%-15s 0x%08x\n", base + r[i].off, block, r[i].name, readl(at));
	}
}

/* A failed chip is read as well: why it failed is what a report is about. One in reset, or gone, is not. */
static int hsl_registers_show(struct seq_file *m, void *unused)
{
	struct hsl_chip *chip = m->private;
	enum hsl_chip_state state;
	char block[16];
	u32 i;

	hsl_chip_settled(chip);
	down_read(&chip->access);
	state = hsl_chip_state_get(chip);
	if (state != HSL_STATE_READY && state != HSL_STATE_FAILED) {
		up_read(&chip->access);
		return -ENODEV;
	}
	hsl_dump_regs(m, chip->p.regs, 0, "", hsl_debug_regs, ARRAY_SIZE(hsl_debug_regs));
	for (i = 0; i < chip->nlinks; i++) {
		snprintf(block, sizeof(block), "LINK%u_", i);
		hsl_dump_regs(m, chip->p.regs, HSL_REG_LINK(i), block, hsl_debug_link_regs,
			      ARRAY_SIZE(hsl_debug_link_regs));
	}
	for (i = 0; i < chip->nwindows; i++) {
		snprintf(block, sizeof(block), "WIN%u_", i);
		hsl_dump_regs(m, chip->p.regs, HSL_REG_WIN(i), block, hsl_debug_win_regs,
			      ARRAY_SIZE(hsl_debug_win_regs));
	}
	up_read(&chip->access);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(hsl_registers);

/* ---- directories ---- */

void hsl_debugfs_add(struct hsl_fabric *f)
{
	f->debugfs = debugfs_create_dir(dev_name(&f->dev), hsl_debugfs_root);
	debugfs_create_file("state", 0400, f->debugfs, f, &hsl_state_fops);
}

/* Waits for readers. */
void hsl_debugfs_remove(struct hsl_fabric *f)
{
	debugfs_remove_recursive(f->debugfs);
	f->debugfs = NULL;
}

/* Under hsl_fabrics_lock, as the next. */
void hsl_debugfs_add_chip(struct hsl_chip *chip)
{
	char name[16];

	snprintf(name, sizeof(name), "chip%u", chip->node);
	chip->debugfs = debugfs_create_dir(name, chip->fabric->debugfs);
	debugfs_create_file("registers", 0400, chip->debugfs, chip, &hsl_registers_fops);
	hsl_ctf_add(chip);
}

/* Afterwards nobody opens its files, and readers of registers are gone. Who has the test facility open keeps it, and the chip. */
void hsl_debugfs_remove_chip(struct hsl_chip *chip)
{
	debugfs_remove_recursive(chip->debugfs);
	chip->debugfs = NULL;
}

void hsl_debugfs_init(void)
{
	hsl_debugfs_root = debugfs_create_dir("hsl", NULL);
}

void hsl_debugfs_exit(void)
{
	debugfs_remove_recursive(hsl_debugfs_root);
}
