// SPDX-License-Identifier: GPL-2.0-only
/*
 * Modelled windows: how CPUs reach observable memory (HEP-MAP-025, HEP-MAP-026).
 *
 * Window i shows the chip's own memory from i * stride on, so that byte x of the chip is byte x of BAR4 and a mapping
 * only has another base (map.c). That takes as many windows as the memory is long, the others stay free. All or none: a
 * chip whose windows do not reach over all of its memory has observable memory for commands, not for CPUs.
 *
 * A reset turns windows off; they are programmed again before the chip is READY, while faults wait for that.
 */
#include <linux/log2.h>

#include "hsl_priv.h"

static u64 hsl_window_count(struct hsl_chip *chip)
{
	return (chip->mem_bytes + (1ull << chip->win_shift) - 1) >> chip->win_shift;
}

static bool hsl_windows_fit(struct hsl_chip *chip)
{
	if (chip->win_shift < ilog2(HSL_WIN_ALIGN) || chip->win_shift >= HSL_GA_OFFSET_BITS)
		return false;
	return IS_ALIGNED(chip->mem_bytes, HSL_WIN_ALIGN) && hsl_window_count(chip) <= chip->nwindows &&
	       chip->mem_bytes <= chip->p.win_bytes;
}

/* Returns STATUS. */
static u32 hsl_window_start(struct hsl_chip *chip, u32 i)
{
	void __iomem *w = chip->p.regs + HSL_REG_WIN(i);
	u64 off = (u64)i << chip->win_shift;

	writel(0, w + HSL_WIN_O_CTRL);
	writeq(HSL_GA(chip->node, off), w + HSL_WIN_O_GA);
	writeq(min_t(u64, 1ull << chip->win_shift, chip->mem_bytes - off), w + HSL_WIN_O_SIZE);
	writel(0, w + HSL_WIN_O_CTX);
	writel(HSL_WIN_CTRL_ENABLE | HSL_WIN_CTRL_MODELLED, w + HSL_WIN_O_CTRL);
	return readl(w + HSL_WIN_O_STATUS);
}

static bool hsl_windows_program(struct hsl_chip *chip)
{
	u32 i, n, status;

	if (!(chip->cap & HSL_CAP_MODELLED))
		return false;
	if (!hsl_windows_fit(chip)) {
		dev_info(chip->parent, "its %u windows in %#llx bytes of BAR do not reach over its memory: observable memory cannot be mapped\n",
			 chip->nwindows, chip->p.win_bytes);
		return false;
	}
	n = hsl_window_count(chip);
	for (i = 0; i < n; i++) {
		status = hsl_window_start(chip, i);
		if (status != HSL_WIN_ACTIVE)
			goto off;
	}
	return true;

off:
	dev_info(chip->parent, "refuses modelled window %u (STATUS %#x): observable memory cannot be mapped\n", i, status);
	do {
		writel(0, chip->p.regs + HSL_REG_WIN(i) + HSL_WIN_O_CTRL);
	} while (i--);
	return false;
}

/* The chip is enabled, and not READY for anybody else yet. In between mmap goes by how it was before. */
void hsl_windows_start(struct hsl_chip *chip)
{
	WRITE_ONCE(chip->windows_on, hsl_windows_program(chip));
}
