// SPDX-License-Identifier: GPL-2.0-only
/*
 * /sys/kernel/debug/hsl/hsl<N>/state: chips, contexts, segments and queues of a fabric, for people. Not an ABI.
 * /sys/kernel/debug/hsl/hsl<N>/chip<node>/registers: those of BAR0 by name, for reports of bugs. Not an ABI.
 *
 * A context that is busy with a device is not waited for: it is shown as busy. fabric->lock is held over the dump, so
 * contexts neither come nor go.
 */
#include <linux/debugfs.h>
#include <linux/mm.h>
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

static int hsl_registers_show(struct seq_file *m, void *unused)
{
	struct hsl_chip *chip = m->private;
	char *text = kvmalloc(HSL_DUMP_BYTES, GFP_KERNEL);
	int n;

	if (!text)
		return -ENOMEM;
	hsl_chip_wake(chip);
	hsl_chip_settled(chip);
	n = hsl_dump_registers(chip, text, HSL_DUMP_BYTES);
	hsl_chip_let_sleep(chip);
	if (n > 0)
		seq_write(m, text, n);
	kvfree(text);
	return n < 0 ? n : 0;
}

/* With room for all: seq_file would show them again, read from the chip again, into each larger buffer. */
static int hsl_registers_open(struct inode *inode, struct file *file)
{
	return single_open_size(file, hsl_registers_show, inode->i_private, HSL_DUMP_BYTES);
}

static const struct file_operations hsl_registers_fops = {
	.owner = THIS_MODULE,
	.open = hsl_registers_open,
	.read = seq_read,
	.llseek = seq_lseek,
	.release = single_release,
};

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
