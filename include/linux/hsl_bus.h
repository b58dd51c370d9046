/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * In-kernel interface of the hsl bus: what a driver of HSL chips needs. hsl_pci uses it for chips with the HSL DVSEC; a
 * maker's own PCI driver may use it instead and keep its private BARs and interrupts to itself.
 *
 * Life of a chip, as its driver sees it:
 *
 *   probe: enable the device, map registers, allocate vectors, switch bus mastering on
 *	hsl_chip_register()	the chip is enabled, joins its fabric, users may use it at once
 *   function level reset, slot reset:
 *	hsl_chip_reset_begin()	the chip does no DMA and raises no interrupt any more, queues have ended
 *	... the reset; restore configuration space and bus mastering ...
 *	hsl_chip_reset_done()	the chip is enabled again; segments and their contents have survived
 *	... pci_save_state if the device answers, for a later slot reset: the PCI core has used up what was saved. If a sleep is
 *	refused, and in slot_reset, what was saved is good: pdev->state_saved = true ...
 *   sleep of the system (dev_pm_ops):
 *	hsl_chip_suspend()	as hsl_chip_reset_begin(), or -EBUSY: this sleep would take something from users
 *	... D3hot and back, by the PCI core ...
 *	hsl_chip_reset_done()
 *   sleep of the chip (runtime PM; a driver without it keeps what the bus holds for probe, and its chips awake):
 *	... nobody needs the chip: the core keeps its device awake, as a child of it ...
 *	hsl_chip_runtime_suspend()	the chip does nothing any more, or -EBUSY: it is in a reset, has failed, or does not answer
 *	... D3hot and back, chip memory keeps its content and links go on ...
 *	hsl_chip_runtime_resume()	the chip is enabled again; or it has failed, which was reported, and is for a reset to mend
 *   permanent error:
 *	hsl_chip_disconnect()	as if unplugged; only hsl_chip_unregister() may follow
 *   remove:
 *	hsl_chip_unregister()	returns when nothing of the core touches the device or its registers any more
 *
 * All of these sleep and are called with the device's lock held (as probe, remove and the PCI error handlers are), but for
 * the two of runtime PM. Around a reset and an error the driver keeps the device awake; the PCI core does so around remove.
 */
#ifndef _LINUX_HSL_BUS_H
#define _LINUX_HSL_BUS_H

#include <linux/types.h>

struct device;
struct module;
struct resource;
struct hsl_chip;

/**
 * struct hsl_chip_ops - what the core asks of a chip's driver
 * @stop_dma: the chip does not obey CTRL.RESET, or does not start: cut it off from memory (for example by clearing bus
 *	mastering). Maybe more than once, and before hsl_chip_register() has returned
 */
struct hsl_chip_ops {
	void (*stop_dma)(struct device *parent);
};

/**
 * struct hsl_chip_params - a chip, described to hsl_chip_register(); copied
 * @owner: module that must stay while a file of the fabric is open
 * @driver: name shown to users
 * @ops: see struct hsl_chip_ops
 * @regs: HEP register block and doorbell pages, mapped uncached
 * @regs_phys: physical address of @regs
 * @regs_bytes: length of @regs
 * @ctf_off: of the compliance test facility's page in @regs; 0: there is none
 * @mem_phys: physical address of chip memory
 * @mem_bytes: length of the memory BAR
 * @win_phys: physical address of the window BAR (BAR4); with @win_bytes 0: there is none
 * @win_bytes: its length
 * @mem_res: the driver's claim on all of it, or NULL: none of it can go online as a NUMA node. While some is online the core
 *	takes IORESOURCE_BUSY off; a claim that is without it after hsl_chip_unregister has memory in it: remove leaves it to the
 *	core, which releases it should the memory come back
 * @irqs: Linux interrupt numbers of vectors 0..@nirqs-1; the core requests number 0, and the others while queues use them
 * @nirqs: at least 1
 */
struct hsl_chip_params {
	struct module *owner;
	const char *driver;
	const struct hsl_chip_ops *ops;
	void __iomem *regs;
	phys_addr_t regs_phys;
	u64 regs_bytes;
	u64 ctf_off;
	phys_addr_t mem_phys;
	u64 mem_bytes;
	phys_addr_t win_phys;
	u64 win_bytes;
	struct resource *mem_res;
	const int *irqs;
	unsigned int nirqs;
};

/* Returns the chip or an ERR_PTR; every failure has been reported by dev_err. The device needs a 64-bit DMA mask. */
struct hsl_chip *hsl_chip_register(struct device *parent, const struct hsl_chip_params *params);
void hsl_chip_unregister(struct hsl_chip *chip);
void hsl_chip_disconnect(struct hsl_chip *chip);
void hsl_chip_reset_begin(struct hsl_chip *chip);
/* keeps_memory: chip memory stays powered, as in suspend to idle, if the driver has forbidden D3cold (pci_d3cold_disable). */
int hsl_chip_suspend(struct hsl_chip *chip, bool keeps_memory);
int hsl_chip_runtime_suspend(struct hsl_chip *chip);
int hsl_chip_runtime_resume(struct hsl_chip *chip);
/* What fails has been reported. After hsl_chip_disconnect() there is nothing to bring back: -ENODEV, and not a word. */
int hsl_chip_reset_done(struct hsl_chip *chip);

#endif /* _LINUX_HSL_BUS_H */
