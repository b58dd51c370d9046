// SPDX-License-Identifier: GPL-2.0-only
/*
 * The registers of a chip as text: for debugfs, and as a device coredump (/sys/class/devcoredump) when the driver gives a chip up,
 * taken before the chip is stopped. The coredump belongs to the chip's parent: it may outlive the chip and these modules.
 */
#include <linux/devcoredump.h>
#include <linux/seq_buf.h>
#include <linux/vmalloc.h>

#include "hsl_priv.h"

struct hsl_dump_reg {
	const char *name;
	u32 off;
	bool wide;	/* u64 */
};

#define HSL_DUMP32(name)	{ #name, HSL_REG_##name, false }
#define HSL_DUMP64(name)	{ #name, HSL_REG_##name, true }
static const struct hsl_dump_reg hsl_dump_regs[] = {
	HSL_DUMP32(MAGIC), HSL_DUMP32(VERSION), HSL_DUMP64(CAP), HSL_DUMP32(NODE), HSL_DUMP32(HOST_NODE),
	HSL_DUMP64(FABRIC_LO), HSL_DUMP64(FABRIC_HI), HSL_DUMP64(MEM_SIZE), HSL_DUMP32(GA_BITS),
	HSL_DUMP32(NQUEUES), HSL_DUMP32(DB_OFFSET), HSL_DUMP32(DB_STRIDE), HSL_DUMP32(MAX_DEPTH),
	HSL_DUMP32(NCONTEXTS), HSL_DUMP64(MAX_LEN), HSL_DUMP32(NWINDOWS), HSL_DUMP32(WIN_STRIDE_LOG2),
	HSL_DUMP32(NLINKS), HSL_DUMP32(NVECTORS), HSL_DUMP32(CTRL), HSL_DUMP32(STATUS), HSL_DUMP32(EVENT),
	HSL_DUMP32(EVENT_MASK), HSL_DUMP64(SCRATCH), HSL_DUMP64(AQ_SQ), HSL_DUMP64(AQ_CQ), HSL_DUMP32(AQ_DEPTH),
	HSL_DUMP64(CTX_TABLE), HSL_DUMP32(CTX_COUNT), HSL_DUMP32(TEMP), HSL_DUMP32(TEMP_MAX), HSL_DUMP32(TEMP_CRIT),
	HSL_DUMP32(POWER), HSL_DUMP32(THERMAL),
};

#define HSL_DUMP_LINK(name)	{ #name, HSL_LINK_O_##name, false }
static const struct hsl_dump_reg hsl_dump_link_regs[] = {
	HSL_DUMP_LINK(PEER), HSL_DUMP_LINK(STATE), HSL_DUMP_LINK(WIDTH), HSL_DUMP_LINK(RATE),
	HSL_DUMP_LINK(LATENCY), HSL_DUMP_LINK(MAX_WIDTH), HSL_DUMP_LINK(MAX_RATE),
};

#define HSL_DUMP_WIN(name, wide)	{ #name, HSL_WIN_O_##name, wide }
static const struct hsl_dump_reg hsl_dump_win_regs[] = {
	HSL_DUMP_WIN(GA, true), HSL_DUMP_WIN(SIZE, true), HSL_DUMP_WIN(CTRL, false), HSL_DUMP_WIN(CTX, false),
	HSL_DUMP_WIN(STATUS, false),
};

static void hsl_dump_block(struct seq_buf *text, void __iomem *regs, u32 base, const char *block,
			   const struct hsl_dump_reg *r, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		void __iomem *at = regs + base + r[i].off;

		if (r[i].wide)
			seq_buf_printf(text, "0x%04x %s%-15s 0x%016llx\n", base + r[i].off, block, r[i].name,
				       (unsigned long long)readq(at));
		else
			seq_buf_printf(text, "0x%04x %s%-15s 0x%08x\n", base + r[i].off, block, r[i].name,
				       readl(at));
	}
}

/*
 * The length of the text, or -ENODEV. A failed chip is read as well: why it failed is what a report is about. One in
 * reset, or gone, is not. From one that does not answer hundreds of reads would only take time.
 */
int hsl_dump_registers(struct hsl_chip *chip, char *buf, size_t len)
{
	enum hsl_chip_state state;
	struct seq_buf text;
	char block[16];
	u32 i;

	seq_buf_init(&text, buf, len);
	down_read(&chip->access);
	state = hsl_chip_state_get(chip);
	if (state != HSL_STATE_READY && state != HSL_STATE_FAILED) {
		up_read(&chip->access);
		return -ENODEV;
	}
	if (!hsl_chip_present(chip)) {
		seq_buf_printf(&text, "MAGIC reads wrong: it does not answer\n");
		goto unlock;
	}
	hsl_dump_block(&text, chip->p.regs, 0, "", hsl_dump_regs, ARRAY_SIZE(hsl_dump_regs));
	for (i = 0; i < chip->nlinks; i++) {
		snprintf(block, sizeof(block), "LINK%u_", i);
		hsl_dump_block(&text, chip->p.regs, HSL_REG_LINK(i), block, hsl_dump_link_regs,
			       ARRAY_SIZE(hsl_dump_link_regs));
	}
	for (i = 0; i < chip->nwindows; i++) {
		snprintf(block, sizeof(block), "WIN%u_", i);
		hsl_dump_block(&text, chip->p.regs, HSL_REG_WIN(i), block, hsl_dump_win_regs,
			       ARRAY_SIZE(hsl_dump_win_regs));
	}
unlock:
	up_read(&chip->access);
	return seq_buf_used(&text);
}

/* chip->life is held, so the state does not move. */
void hsl_dump_failed(struct hsl_chip *chip, const char *why)
{
	char *text = vmalloc(HSL_DUMP_BYTES);
	int head, n;

	if (!text)
		return;
	head = scnprintf(text, HSL_DUMP_BYTES, "%s: failed: %s\n", dev_name(&chip->dev), why);
	n = hsl_dump_registers(chip, text + head, HSL_DUMP_BYTES - head);
	dev_coredumpv(chip->parent, text, head + max(n, 0), GFP_KERNEL);	/* frees it */
}
