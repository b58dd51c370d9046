// SPDX-License-Identifier: GPL-2.0-only
/*
 * vendor_chip: the driver of a maker whose chips hsl_pci cannot bring up, on the hsl bus (include/linux/hsl_bus.h). Copy it,
 * and replace what is marked "ours". The chip is emulated by qemu/hw/hsl/hsl-vendor.c: qemu/vm CHIPS=2 VENDOR=1.
 *
 * What is ours: the PCI ids, where things are in the BARs, and that the register block is dark until POWER is written, after
 * every reset again. All else is the core's: from hsl_chip_register() on users have the chip, and its segments, queues,
 * mappings and interrupts are no concern of this module.
 *
 *	probe		power on -> hsl_chip_register
 *	FLR		hsl_chip_reset_begin -> reset -> power on -> hsl_chip_reset_done
 *	sleep		hsl_chip_suspend -> D3hot -> power on -> hsl_chip_reset_done
 *	nobody needs it	hsl_chip_runtime_suspend -> D3hot -> power on -> hsl_chip_runtime_resume
 *	PCIe error	hsl_chip_reset_begin -> slot reset -> power on -> hsl_chip_reset_done; or hsl_chip_disconnect
 *	remove		hsl_chip_unregister -> power off
 *
 * No locks: the core calls nothing but stop_dma here, and the PCI core calls the rest under the device's lock. But for runtime
 * PM, which vendor_chip_hold() waits for and keeps away from resets and errors, and the cores from the rest.
 */
#include <linux/delay.h>
#include <linux/dma-map-ops.h>
#include <linux/dma-mapping.h>
#include <linux/iopoll.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/pm_runtime.h>
#include <linux/suspend.h>
#include <linux/hsl_bus.h>

/* ours: docs of the chip say so, as they would in your case */
#define VENDOR_PCI_VENDOR	0x5645
#define VENDOR_PCI_DEVICE	0x0001
#define VENDOR_BAR_MEM		0
#define VENDOR_BAR_REGS		2
#define VENDOR_REGS		0x10000		/* HEP register block in its BAR */
#define VENDOR_REGS_MIN		0x20000		/* it, and doorbells of at least the admin queue */
#define VENDOR_VECTORS		4
#define VENDOR_CTL_ID		0x0
#define VENDOR_CTL_POWER	0x4
#define VENDOR_CTL_STATE	0x8
#define VENDOR_ID_VALUE		0x31434556
#define VENDOR_POWER_US		100000
#define VENDOR_SLEEP_MS		2000		/* unused for so long, and allowed to (power/control): it sleeps */

struct vendor_chip {
	struct hsl_chip *chip;
	bool held;		/* awake, for a reset or an error */
	void __iomem *bar;	/* all of BAR2: control page and register block */
	int irqs[VENDOR_VECTORS];
};

/* ours */
static int vendor_chip_power_on(struct pci_dev *pdev, struct vendor_chip *vc)
{
	u32 id = readl(vc->bar + VENDOR_CTL_ID), state;

	if (id != VENDOR_ID_VALUE) {
		dev_err(&pdev->dev, "control page has id %#x, not %#x: another chip, or not reachable\n", id,
			VENDOR_ID_VALUE);
		return -ENODEV;
	}
	writel(1, vc->bar + VENDOR_CTL_POWER);
	if (readl_poll_timeout(vc->bar + VENDOR_CTL_STATE, state, state & 1, 100, VENDOR_POWER_US)) {
		dev_err(&pdev->dev, "does not power up: STATE %#x\n", state);
		return -EIO;
	}
	return 0;
}

/* The chip ignores CTRL.RESET: without bus mastering it sends nothing. */
static void vendor_chip_stop_dma(struct device *dev)
{
	pci_clear_master(to_pci_dev(dev));
}

static const struct hsl_chip_ops vendor_chip_ops = {
	.stop_dma = vendor_chip_stop_dma,
};

static int vendor_chip_vectors(struct pci_dev *pdev, struct vendor_chip *vc)
{
	int i, n = pci_alloc_irq_vectors(pdev, 1, VENDOR_VECTORS, PCI_IRQ_MSIX);

	if (n < 0)
		dev_err(&pdev->dev, "no MSI-X vector: %d\n", n);
	for (i = 0; i < n; i++)
		vc->irqs[i] = pci_irq_vector(pdev, i);
	return n;
}

/* What is managed goes with the device; what is not, vendor_chip_disable undoes. */
static int vendor_chip_enable(struct pci_dev *pdev, struct vendor_chip *vc)
{
	int err = pcim_enable_device(pdev);

	if (!err)
		err = dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(64));
	/* rings and registered memory are shared with the CPU without syncs */
	if (!err && !dev_is_dma_coherent(&pdev->dev))
		err = -EOPNOTSUPP;
	if (!err)
		err = pci_request_regions(pdev, KBUILD_MODNAME);
	if (err)
		return err;
	if (pci_resource_len(pdev, VENDOR_BAR_REGS) < VENDOR_REGS_MIN || !pci_resource_len(pdev, VENDOR_BAR_MEM)) {
		dev_err(&pdev->dev, "BAR %d or %d is too small or has no address\n", VENDOR_BAR_REGS,
			VENDOR_BAR_MEM);
		err = -ENOSPC;
		goto release_regions;
	}
	vc->bar = pcim_iomap(pdev, VENDOR_BAR_REGS, 0);
	if (!vc->bar) {
		err = -ENOMEM;
		goto release_regions;
	}
	err = vendor_chip_power_on(pdev, vc);
	if (err)
		goto power_off;
	return 0;

power_off:
	writel(0, vc->bar + VENDOR_CTL_POWER);
release_regions:
	pci_release_regions(pdev);
	return err;
}

/* Newer kernels do not release the regions by themselves; older ones notice when it is done here. */
static void vendor_chip_disable(struct pci_dev *pdev, struct vendor_chip *vc)
{
	writel(0, vc->bar + VENDOR_CTL_POWER);
	pci_release_regions(pdev);
}

/* The PCI core has held the function for probe. Suspend to RAM loses memory that D3hot keeps: chips are woken before it. */
static void vendor_chip_allow_sleep(struct pci_dev *pdev)
{
	dev_pm_set_driver_flags(&pdev->dev, DPM_FLAG_NO_DIRECT_COMPLETE);
	pm_runtime_set_autosuspend_delay(&pdev->dev, VENDOR_SLEEP_MS);
	pm_runtime_use_autosuspend(&pdev->dev);
	pm_runtime_put(&pdev->dev);
}

static void vendor_chip_forbid_sleep(struct pci_dev *pdev, struct vendor_chip *vc)
{
	pm_runtime_get_noresume(&pdev->dev);
	pm_runtime_dont_use_autosuspend(&pdev->dev);
	if (vc->held)
		pm_runtime_put_noidle(&pdev->dev);
}

static void vendor_chip_hold(struct pci_dev *pdev, struct vendor_chip *vc)
{
	if (!vc->held)
		pm_runtime_get_sync(&pdev->dev);
	vc->held = true;
}

static void vendor_chip_let_go(struct pci_dev *pdev, struct vendor_chip *vc)
{
	if (vc->held)
		pm_runtime_put(&pdev->dev);
	vc->held = false;
}

static int vendor_chip_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct hsl_chip_params p = { .owner = THIS_MODULE, .driver = KBUILD_MODNAME, .ops = &vendor_chip_ops };
	struct vendor_chip *vc = devm_kzalloc(&pdev->dev, sizeof(*vc), GFP_KERNEL);
	int err, nirqs;

	if (!vc)
		return -ENOMEM;
	err = vendor_chip_enable(pdev, vc);
	if (err)
		return err;
	nirqs = vendor_chip_vectors(pdev, vc);
	if (nirqs < 0) {
		err = nirqs;
		goto disable;
	}
	p.regs = vc->bar + VENDOR_REGS;
	p.regs_phys = pci_resource_start(pdev, VENDOR_BAR_REGS) + VENDOR_REGS;
	p.regs_bytes = pci_resource_len(pdev, VENDOR_BAR_REGS) - VENDOR_REGS;
	p.mem_phys = pci_resource_start(pdev, VENDOR_BAR_MEM);
	p.mem_bytes = pci_resource_len(pdev, VENDOR_BAR_MEM);
	p.irqs = vc->irqs;
	p.nirqs = nirqs;
	pci_set_master(pdev);
	vc->chip = hsl_chip_register(&pdev->dev, &p);
	if (IS_ERR(vc->chip)) {
		err = PTR_ERR(vc->chip);
		goto free_vectors;
	}
	pci_set_drvdata(pdev, vc);
	pci_d3cold_disable(pdev);	/* chip memory sleeps in D3hot */
	pci_save_state(pdev);	/* for slot_reset */
	vendor_chip_allow_sleep(pdev);
	return 0;

free_vectors:
	pci_clear_master(pdev);
	pci_free_irq_vectors(pdev);
disable:
	vendor_chip_disable(pdev, vc);
	return err;
}

static void vendor_chip_remove(struct pci_dev *pdev)
{
	struct vendor_chip *vc = pci_get_drvdata(pdev);

	vendor_chip_forbid_sleep(pdev, vc);
	hsl_chip_unregister(vc->chip);
	pci_d3cold_enable(pdev);
	pci_clear_master(pdev);
	pci_free_irq_vectors(pdev);
	vendor_chip_disable(pdev, vc);
}

static void vendor_chip_reset_prepare(struct pci_dev *pdev)
{
	struct vendor_chip *vc = pci_get_drvdata(pdev);

	vendor_chip_hold(pdev, vc);
	hsl_chip_reset_begin(vc->chip);
}

/* What was saved for slot_reset is good, though the core takes it for used up. Unless it has saved a chip that did not answer. */
static void vendor_chip_still_saved(struct pci_dev *pdev)
{
	pdev->state_saved = !PCI_POSSIBLE_ERROR(pdev->saved_config_space[0]);
}

/* For slot_reset: the core's restore used up what was saved, which is better than all ones of a chip that does not answer. */
static void vendor_chip_save(struct pci_dev *pdev)
{
	if (pci_device_is_present(pdev))
		pci_save_state(pdev);
	else
		vendor_chip_still_saved(pdev);
}

static int vendor_chip_restart(struct pci_dev *pdev)
{
	struct vendor_chip *vc = pci_get_drvdata(pdev);
	int err;

	pci_set_master(pdev);	/* stop_dma may have cleared it before the state was saved */
	/* dark registers read as no chip, so that reset_done fails it and its users are told */
	vendor_chip_power_on(pdev, vc);
	err = hsl_chip_reset_done(vc->chip);
	vendor_chip_save(pdev);
	return err;
}

static void vendor_chip_reset_done(struct pci_dev *pdev)
{
	struct vendor_chip *vc = pci_get_drvdata(pdev);

	vendor_chip_restart(pdev);
	vendor_chip_let_go(pdev, vc);
}

static pci_ers_result_t vendor_chip_error_detected(struct pci_dev *pdev, pci_channel_state_t state)
{
	struct vendor_chip *vc = pci_get_drvdata(pdev);

	vendor_chip_hold(pdev, vc);
	if (state == pci_channel_io_perm_failure) {
		hsl_chip_disconnect(vc->chip);
		return PCI_ERS_RESULT_DISCONNECT;
	}
	hsl_chip_reset_begin(vc->chip);
	return PCI_ERS_RESULT_NEED_RESET;
}

/*
 * The core may have found it gone when it was to wake, and restores no vectors of what is off. pci_set_power_state() would do
 * this; but the core holds the lock of the buses now, which that takes as well.
 */
static void vendor_chip_look_awake(struct pci_dev *pdev)
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

static pci_ers_result_t vendor_chip_slot_reset(struct pci_dev *pdev)
{
	vendor_chip_look_awake(pdev);
	pci_restore_state(pdev);
	vendor_chip_still_saved(pdev);
	return PCI_ERS_RESULT_RECOVERED;
}

static const struct pci_error_handlers vendor_chip_err_handlers = {
	.reset_prepare = vendor_chip_reset_prepare,
	.reset_done = vendor_chip_reset_done,
	.error_detected = vendor_chip_error_detected,
	.slot_reset = vendor_chip_slot_reset,
	.resume = vendor_chip_reset_done,
};

static int vendor_chip_sleep(struct device *dev, bool keeps_memory)
{
	struct vendor_chip *vc = dev_get_drvdata(dev);
	int err = hsl_chip_suspend(vc->chip, keeps_memory);

	if (err)
		vendor_chip_still_saved(to_pci_dev(dev));
	return err;
}

static int vendor_chip_suspend(struct device *dev)
{
	return vendor_chip_sleep(dev, !pm_suspend_via_firmware());
}

/* of hibernation */
static int vendor_chip_freeze(struct device *dev)
{
	return vendor_chip_sleep(dev, false);
}

/* It is back, also from a recovery that was given up before the system slept. */
static int vendor_chip_wake(struct device *dev)
{
	if (!vendor_chip_restart(to_pci_dev(dev)))
		vendor_chip_let_go(to_pci_dev(dev), dev_get_drvdata(dev));
	return 0;
}

static int vendor_chip_runtime_suspend(struct device *dev)
{
	struct vendor_chip *vc = dev_get_drvdata(dev);
	int err = hsl_chip_runtime_suspend(vc->chip);

	if (err)
		vendor_chip_still_saved(to_pci_dev(dev));
	return err;
}

static int vendor_chip_runtime_resume(struct device *dev)
{
	struct vendor_chip *vc = dev_get_drvdata(dev);

	pci_set_master(to_pci_dev(dev));
	vendor_chip_power_on(to_pci_dev(dev), vc);
	hsl_chip_runtime_resume(vc->chip);
	vendor_chip_save(to_pci_dev(dev));
	return 0;	/* a chip that has failed is awake, too */
}

/* Nobody needs it from now on, so that the delay begins now. */
static int vendor_chip_runtime_idle(struct device *dev)
{
	pm_runtime_mark_last_busy(dev);
	pm_request_autosuspend(dev);
	return -EBUSY;
}

static const struct dev_pm_ops vendor_chip_pm_ops = {
	.suspend = pm_sleep_ptr(vendor_chip_suspend),
	.resume = pm_sleep_ptr(vendor_chip_wake),
	.freeze = pm_sleep_ptr(vendor_chip_freeze),
	RUNTIME_PM_OPS(vendor_chip_runtime_suspend, vendor_chip_runtime_resume, vendor_chip_runtime_idle)
};

static const struct pci_device_id vendor_chip_ids[] = {
	{ PCI_DEVICE(VENDOR_PCI_VENDOR, VENDOR_PCI_DEVICE) },
	{ }
};
MODULE_DEVICE_TABLE(pci, vendor_chip_ids);

static struct pci_driver vendor_chip_driver = {
	.name = KBUILD_MODNAME,
	.id_table = vendor_chip_ids,
	.probe = vendor_chip_probe,
	.remove = vendor_chip_remove,
	.err_handler = &vendor_chip_err_handlers,
	.driver.pm = pm_ptr(&vendor_chip_pm_ops),
};
module_pci_driver(vendor_chip_driver);

MODULE_DESCRIPTION("Example of a maker's driver for its HSL chips");
MODULE_LICENSE("GPL");
