// SPDX-License-Identifier: GPL-2.0-only
/*
 * hsl_pci: any PCI function of class 0x1200 that carries the HSL DVSEC (docs/hep.md section 3).
 *
 * The class is shared with foreign accelerators: without the DVSEC probe answers -ENODEV and says nothing. With it, whatever
 * keeps the chip from working is reported with its remedy, because somebody is waiting for this chip. A chip whose DVSEC asks
 * for its maker's driver is left to that one (HEP-REG-014).
 *
 * Everything here is called under the device's lock, but for runtime PM. That does not run beside the rest: hsl_pci_hold()
 * waits for it and keeps it away from resets and errors, the PCI and PM cores do so from probe, remove and system sleep.
 * Reset and error handlers only bracket what the PCI core does; the core of hsl (hsl_bus.h) stops and starts the chip. Managed
 * (devm_) resources go after remove has returned; what the PCI core manages differs from kernel to kernel, so that the device
 * itself is not (no pcim_).
 */
#include <linux/delay.h>
#include <linux/dma-map-ops.h>
#include <linux/dma-mapping.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/pm_runtime.h>
#include <linux/suspend.h>
#include <linux/hsl_bus.h>
#include <hsl/ctf.h>
#include <hsl/regs.h>

#include "compat.h"

#define HSL_PCI_VECTORS_MAX	64
#define HSL_PCI_SLEEP_MS	2000	/* until an idle chip sleeps, if it may: power/autosuspend_delay_ms */

struct hsl_pci {
	struct hsl_chip *chip;
	bool held;		/* awake from reset_prepare or error_detected on */
	int irqs[HSL_PCI_VECTORS_MAX];
};

static void hsl_pci_stop_dma(struct device *dev)
{
	pci_clear_master(to_pci_dev(dev));
}

static const struct hsl_chip_ops hsl_pci_chip_ops = {
	.stop_dma = hsl_pci_stop_dma,
};

/* A memory BAR that exists and holds at least min bytes. */
static int hsl_pci_check_bar(struct pci_dev *pdev, unsigned int bar, u64 min, const char *what)
{
	u64 len;

	if (bar > 5 || !(pci_resource_flags(pdev, bar) & IORESOURCE_MEM)) {
		dev_err(&pdev->dev, "BAR %u for %s is no memory BAR: the chip's DVSEC is wrong\n", bar, what);
		return -ENODEV;
	}
	len = pci_resource_start(pdev, bar) ? pci_resource_len(pdev, bar) : 0;
	if (len < min) {
		dev_err(&pdev->dev, "BAR %u for %s has %#llx bytes, %#llx are needed: %s\n", bar, what, len, min,
			len ? "the chip's DVSEC and BAR disagree" :
			"the platform gave it no address (firmware: above-4G decoding; hot-plug: larger bridge windows, pci=realloc)");
		return -ENOSPC;
	}
	return 0;
}

/* The window BAR is a chip's choice, and one without an address costs observable mappings only. */
static void hsl_pci_find_windows(struct pci_dev *pdev, unsigned int bar, struct hsl_chip_params *p)
{
	if (bar > 5 || !(pci_resource_flags(pdev, bar) & IORESOURCE_MEM) || !pci_resource_start(pdev, bar))
		return;
	p->win_phys = pci_resource_start(pdev, bar);
	p->win_bytes = pci_resource_len(pdev, bar);
}

/* Without it only testing is worse off. Its offset is in the BAR, which the register block may begin later in. */
static void hsl_pci_find_ctf(struct pci_dev *pdev, u32 ctf, u32 regs, struct hsl_chip_params *p)
{
	if (ctf > regs && IS_ALIGNED(ctf - regs, HSL_CTF_BYTES) && (u64)ctf - regs + HSL_CTF_BYTES <= p->regs_bytes)
		p->ctf_off = ctf - regs;
	else
		dev_warn(&pdev->dev, "test facility at %#x of the register BAR cannot be there: not offered\n", ctf);
}

static int hsl_pci_read_dvsec(struct pci_dev *pdev, int pos, struct hsl_chip_params *p)
{
	u32 bars, off, ctf;
	u16 hep;
	int err;

	pci_read_config_word(pdev, pos + HSL_DVSEC_O_HEP, &hep);
	pci_read_config_dword(pdev, pos + HSL_DVSEC_O_BARS, &bars);
	pci_read_config_dword(pdev, pos + HSL_DVSEC_O_REGS, &off);
	pci_read_config_dword(pdev, pos + HSL_DVSEC_O_CTF, &ctf);
	if (hep >> 8 != HSL_HEP_MAJOR) {
		dev_err(&pdev->dev, "chip has HEP %u.%u, this driver needs %u.x: update the driver or the chip's firmware\n",
			hep >> 8, hep & 0xff, HSL_HEP_MAJOR);
		return -EPROTO;
	}
	err = hsl_pci_check_bar(pdev, HSL_DVSEC_BARS_REGS(bars), (u64)off + HSL_DB_OFFSET_DEFAULT, "registers");
	if (!err)
		err = hsl_pci_check_bar(pdev, HSL_DVSEC_BARS_MEM(bars), PAGE_SIZE, "chip memory");
	if (err)
		return err;
	p->regs_phys = pci_resource_start(pdev, HSL_DVSEC_BARS_REGS(bars)) + off;
	p->regs_bytes = pci_resource_len(pdev, HSL_DVSEC_BARS_REGS(bars)) - off;
	if (bars & HSL_DVSEC_BARS_CTF)
		hsl_pci_find_ctf(pdev, ctf, off, p);
	p->mem_phys = pci_resource_start(pdev, HSL_DVSEC_BARS_MEM(bars));
	p->mem_bytes = pci_resource_len(pdev, HSL_DVSEC_BARS_MEM(bars));
	hsl_pci_find_windows(pdev, HSL_DVSEC_BARS_WIN(bars), p);
	return 0;
}

/* What pci_request_regions made of the memory BAR: it is the only child of the BAR's own resource. */
static struct resource *hsl_pci_mem_claim(struct pci_dev *pdev, u64 mem_phys)
{
	int bar;

	for (bar = 0; bar < PCI_STD_NUM_BARS; bar++)
		if (pci_resource_len(pdev, bar) && pci_resource_start(pdev, bar) == mem_phys)
			return pdev->resource[bar].child;
	return NULL;
}

/* A claim that is not busy has chip memory in it that stays online as a NUMA node: it stays too, and keeps others away. */
static void hsl_pci_release_regions(struct pci_dev *pdev)
{
	int bar;

	for (bar = 0; bar < PCI_STD_NUM_BARS; bar++) {
		struct resource *claim = pdev->resource[bar].child;

		if (claim && (claim->flags & IORESOURCE_BUSY))
			pci_release_region(pdev, bar);
	}
}

static int hsl_pci_setup_dma(struct pci_dev *pdev)
{
	int err = dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(64));

	if (err) {
		dev_err(&pdev->dev, "the platform offers no 64-bit DMA\n");
		return err;
	}
	/* rings and registered memory are shared with the CPU without syncs */
	if (!dev_is_dma_coherent(&pdev->dev)) {
		dev_err(&pdev->dev, "DMA is not cache-coherent on this platform: not supported\n");
		return -EOPNOTSUPP;
	}
	return 0;
}

static int hsl_pci_setup_vectors(struct pci_dev *pdev, struct hsl_pci *hp, struct hsl_chip_params *p)
{
	int i, n, want = pci_msix_vec_count(pdev);

	if (want <= 0) {
		dev_err(&pdev->dev, "no MSI-X capability: HEP 1.0 chips need it\n");
		return -ENODEV;
	}
	n = pci_alloc_irq_vectors(pdev, 1, min(want, HSL_PCI_VECTORS_MAX), PCI_IRQ_MSIX);
	if (n < 0) {
		dev_err(&pdev->dev, "no MSI-X vector to be had (error %d): is the kernel booted with pci=nomsi?\n", n);
		return n;
	}
	for (i = 0; i < n; i++)
		hp->irqs[i] = pci_irq_vector(pdev, i);
	p->irqs = hp->irqs;
	p->nirqs = n;
	return 0;
}

/*
 * What the PCI core held for probe is let go, and held again for remove. A chip that sleeps is woken before the system does:
 * what memory keeps in one sleep it may lose in the other.
 */
static void hsl_pci_allow_sleep(struct pci_dev *pdev)
{
	dev_pm_set_driver_flags(&pdev->dev, DPM_FLAG_NO_DIRECT_COMPLETE);
	pm_runtime_set_autosuspend_delay(&pdev->dev, HSL_PCI_SLEEP_MS);
	pm_runtime_use_autosuspend(&pdev->dev);
	pm_runtime_put(&pdev->dev);
}

static void hsl_pci_forbid_sleep(struct pci_dev *pdev, struct hsl_pci *hp)
{
	pm_runtime_get_noresume(&pdev->dev);
	pm_runtime_dont_use_autosuspend(&pdev->dev);
	if (hp->held)		/* a reset that nobody has ended */
		pm_runtime_put_noidle(&pdev->dev);
}

static int hsl_pci_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct hsl_chip_params p = { .owner = THIS_MODULE, .driver = KBUILD_MODNAME, .ops = &hsl_pci_chip_ops };
	struct hsl_pci *hp;
	int pos, err;
	u32 bars;

	pos = pci_find_dvsec_capability(pdev, HSL_DVSEC_VENDOR, HSL_DVSEC_ID);
	if (!pos) {
		if (!pci_device_is_present(pdev))
			dev_err(&pdev->dev, "does not answer, its configuration space reads as all ones: power, link? Once it does: remove it (echo 1 > remove) and rescan the bus\n");
		return -ENODEV;
	}
	pci_read_config_dword(pdev, pos + HSL_DVSEC_O_BARS, &bars);
	if (bars & HSL_DVSEC_BARS_OWN_DRIVER) {
		dev_info(&pdev->dev, "asks for its maker's driver: left alone\n");
		return -ENODEV;
	}
	hp = devm_kzalloc(&pdev->dev, sizeof(*hp), GFP_KERNEL);
	if (!hp)
		return -ENOMEM;
	err = pci_enable_device(pdev);
	if (err) {
		dev_err(&pdev->dev, "cannot be enabled: %d\n", err);
		return err;
	}
	err = hsl_pci_read_dvsec(pdev, pos, &p);
	if (!err)
		err = hsl_pci_setup_dma(pdev);
	if (err)
		goto disable;
	err = pci_request_regions(pdev, KBUILD_MODNAME);
	if (err) {
		dev_err(&pdev->dev, "its BARs cannot be claimed (error %d): /proc/iomem shows by whom they are; 'System RAM (hsl)' was left there by an unbind, until a reboot\n",
			err);
		goto disable;
	}
	p.mem_res = hsl_pci_mem_claim(pdev, p.mem_phys);
	p.regs = devm_ioremap(&pdev->dev, p.regs_phys, p.regs_bytes);
	err = p.regs ? hsl_pci_setup_vectors(pdev, hp, &p) : -ENOMEM;
	if (err)
		goto release_regions;
	pci_set_master(pdev);
	hp->chip = hsl_chip_register(&pdev->dev, &p);
	if (IS_ERR(hp->chip)) {
		err = PTR_ERR(hp->chip);
		goto clear_master;
	}
	pci_set_drvdata(pdev, hp);
	hsl_pci_enable_aer(pdev);
	pci_d3cold_disable(pdev);	/* chip memory sleeps in D3hot */
	pci_save_state(pdev);	/* for slot_reset */
	hsl_pci_allow_sleep(pdev);
	return 0;

clear_master:
	pci_clear_master(pdev);
	pci_free_irq_vectors(pdev);
release_regions:
	hsl_pci_release_regions(pdev);
disable:
	pci_disable_device(pdev);
	return err;
}

static void hsl_pci_remove(struct pci_dev *pdev)
{
	struct hsl_pci *hp = pci_get_drvdata(pdev);

	hsl_pci_forbid_sleep(pdev, hp);
	hsl_chip_unregister(hp->chip);
	pci_d3cold_enable(pdev);
	hsl_pci_disable_aer(pdev);
	pci_clear_master(pdev);
	pci_free_irq_vectors(pdev);
	hsl_pci_release_regions(pdev);
	pci_disable_device(pdev);
}

/*
 * What was saved is good, though the core takes it for used up: it was only restored, or a sleep has come to nothing. Unless the
 * core has saved a chip that did not answer.
 */
static void hsl_pci_still_saved(struct pci_dev *pdev)
{
	pdev->state_saved = !PCI_POSSIBLE_ERROR(pdev->saved_config_space[0]);
}

/*
 * For slot_reset, after the core's restore, which used up what was saved. Not of a chip that does not answer: what was saved
 * of it is better than all ones. One that has only failed will be reset.
 */
static void hsl_pci_save(struct pci_dev *pdev)
{
	if (pci_device_is_present(pdev))
		pci_save_state(pdev);
	else
		hsl_pci_still_saved(pdev);
}

/* Neither resets nor errors care whether a chip sleeps. */
static void hsl_pci_hold(struct pci_dev *pdev, struct hsl_pci *hp)
{
	if (!hp->held)
		pm_runtime_get_sync(&pdev->dev);
	hp->held = true;
}

static void hsl_pci_let_go(struct pci_dev *pdev, struct hsl_pci *hp)
{
	if (hp->held)
		pm_runtime_put(&pdev->dev);
	hp->held = false;
}

static void hsl_pci_reset_prepare(struct pci_dev *pdev)
{
	struct hsl_pci *hp = pci_get_drvdata(pdev);

	hsl_pci_hold(pdev, hp);
	hsl_chip_reset_begin(hp->chip);
}

static int hsl_pci_restart(struct pci_dev *pdev)
{
	struct hsl_pci *hp = pci_get_drvdata(pdev);
	int err;

	pci_set_master(pdev);	/* stop_dma may have cleared it before the state was saved */
	err = hsl_chip_reset_done(hp->chip);
	hsl_pci_save(pdev);
	return err;
}

static void hsl_pci_reset_done(struct pci_dev *pdev)
{
	struct hsl_pci *hp = pci_get_drvdata(pdev);

	hsl_pci_restart(pdev);
	hsl_pci_let_go(pdev, hp);
}

static pci_ers_result_t hsl_pci_error_detected(struct pci_dev *pdev, pci_channel_state_t state)
{
	struct hsl_pci *hp = pci_get_drvdata(pdev);

	hsl_pci_hold(pdev, hp);
	if (state == pci_channel_io_perm_failure) {
		hsl_chip_disconnect(hp->chip);
		return PCI_ERS_RESULT_DISCONNECT;
	}
	dev_warn(&pdev->dev, "PCIe error: resetting the chip\n");
	hsl_chip_reset_begin(hp->chip);
	return PCI_ERS_RESULT_NEED_RESET;
}

/*
 * The core may have found it gone when it was to wake, and restores no vectors of what is off. pci_set_power_state() would do
 * this; but the core holds the lock of the buses now, which that takes as well.
 */
static void hsl_pci_look_awake(struct pci_dev *pdev)
{
	u16 ctrl;

	if (pdev->current_state == PCI_D0 || !pdev->pm_cap ||
	    pci_read_config_word(pdev, pdev->pm_cap + PCI_PM_CTRL, &ctrl) || PCI_POSSIBLE_ERROR(ctrl))
		return;
	if (ctrl & PCI_PM_CTRL_STATE_MASK) {
		pci_write_config_word(pdev, pdev->pm_cap + PCI_PM_CTRL, ctrl & ~PCI_PM_CTRL_STATE_MASK);
		msleep(20);	/* it needs 10 */
	}
	pdev->current_state = PCI_D0;
}

static pci_ers_result_t hsl_pci_slot_reset(struct pci_dev *pdev)
{
	hsl_pci_look_awake(pdev);
	pci_restore_state(pdev);
	hsl_pci_still_saved(pdev);
	pci_set_master(pdev);
	return PCI_ERS_RESULT_RECOVERED;
}

static void hsl_pci_resume(struct pci_dev *pdev)
{
	hsl_pci_reset_done(pdev);
}

static const struct pci_error_handlers hsl_pci_err_handlers = {
	.reset_prepare = hsl_pci_reset_prepare,
	.reset_done = hsl_pci_reset_done,
	.error_detected = hsl_pci_error_detected,
	.slot_reset = hsl_pci_slot_reset,
	.resume = hsl_pci_resume,
};

static int hsl_pci_sleep(struct device *dev, bool keeps_memory)
{
	struct hsl_pci *hp = dev_get_drvdata(dev);
	int err = hsl_chip_suspend(hp->chip, keeps_memory);

	if (err)
		hsl_pci_still_saved(to_pci_dev(dev));
	return err;
}

static int hsl_pci_suspend(struct device *dev)
{
	return hsl_pci_sleep(dev, !pm_suspend_via_firmware());
}

/* of hibernation */
static int hsl_pci_freeze(struct device *dev)
{
	return hsl_pci_sleep(dev, false);
}

/* It is back, also from a recovery that was given up before the system slept. */
static int hsl_pci_wake(struct device *dev)
{
	if (!hsl_pci_restart(to_pci_dev(dev)))
		hsl_pci_let_go(to_pci_dev(dev), dev_get_drvdata(dev));
	return 0;
}

static int hsl_pci_runtime_suspend(struct device *dev)
{
	struct hsl_pci *hp = dev_get_drvdata(dev);
	int err = hsl_chip_runtime_suspend(hp->chip);

	if (err)
		hsl_pci_still_saved(to_pci_dev(dev));
	return err;
}

static int hsl_pci_runtime_resume(struct device *dev)
{
	struct hsl_pci *hp = dev_get_drvdata(dev);

	pci_set_master(to_pci_dev(dev));
	hsl_chip_runtime_resume(hp->chip);
	hsl_pci_save(to_pci_dev(dev));
	return 0;	/* a chip that has failed is awake, too */
}

/* Nobody needs it from now on, so that the delay begins now. */
static int hsl_pci_runtime_idle(struct device *dev)
{
	pm_runtime_mark_last_busy(dev);
	pm_request_autosuspend(dev);
	return -EBUSY;
}

static const struct dev_pm_ops hsl_pci_pm_ops = {
	.suspend = pm_sleep_ptr(hsl_pci_suspend),
	.resume = pm_sleep_ptr(hsl_pci_wake),
	.freeze = pm_sleep_ptr(hsl_pci_freeze),
	RUNTIME_PM_OPS(hsl_pci_runtime_suspend, hsl_pci_runtime_resume, hsl_pci_runtime_idle)
};

static const struct pci_device_id hsl_pci_ids[] = {
	{ PCI_DEVICE_CLASS(HSL_PCI_CLASS << 8, 0xffff00) },
	{ }
};
MODULE_DEVICE_TABLE(pci, hsl_pci_ids);

static struct pci_driver hsl_pci_driver = {
	.name = "hsl_pci",
	.id_table = hsl_pci_ids,
	.probe = hsl_pci_probe,
	.remove = hsl_pci_remove,
	.err_handler = &hsl_pci_err_handlers,
	.driver.pm = pm_ptr(&hsl_pci_pm_ops),
};
module_pci_driver(hsl_pci_driver);

MODULE_DESCRIPTION("HSL chips on PCI Express");
MODULE_LICENSE("GPL");
MODULE_VERSION(__stringify(HSL_VERSION));
