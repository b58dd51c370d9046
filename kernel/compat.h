/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The one place that knows that kernels differ. HSL_HAVE_* come from looking into the headers (Kbuild), never from the
 * version. The names below are those of the newest kernel.
 */
#ifndef HSL_COMPAT_H
#define HSL_COMPAT_H

#include <linux/eventfd.h>
#include <linux/mm.h>
#include <linux/pci.h>
#include <linux/aer.h>

#ifdef HSL_HAVE_DEVNODE_CONST
#define HSL_DEVNODE_CONST const
#else
#define HSL_DEVNODE_CONST
#endif

#ifndef HSL_HAVE_VM_FLAGS_SET
static inline void vm_flags_set(struct vm_area_struct *vma, unsigned long flags)
{
	vma->vm_flags |= flags;
}

static inline void vm_flags_clear(struct vm_area_struct *vma, unsigned long flags)
{
	vma->vm_flags &= ~flags;
}
#endif

static inline void hsl_eventfd_signal(struct eventfd_ctx *ctx)
{
#ifdef HSL_HAVE_EVENTFD_SIGNAL_VOID
	eventfd_signal(ctx);
#else
	eventfd_signal(ctx, 1);
#endif
}

/* Newer kernels switch error reporting on by themselves. */
static inline void hsl_pci_enable_aer(struct pci_dev *pdev)
{
#ifdef HSL_HAVE_PCI_ENABLE_AER
	pci_enable_pcie_error_reporting(pdev);
#endif
}

static inline void hsl_pci_disable_aer(struct pci_dev *pdev)
{
#ifdef HSL_HAVE_PCI_ENABLE_AER
	pci_disable_pcie_error_reporting(pdev);
#endif
}

#ifndef HSL_HAVE_SYSTEM_PERCPU_WQ
#define system_percpu_wq	system_wq
#endif

/* The call and the member of struct dma_buf_attach_ops. */
#ifdef HSL_HAVE_DMABUF_MOVE_NOTIFY
#define dma_buf_invalidate_mappings	dma_buf_move_notify
#define invalidate_mappings		move_notify
#endif

#endif /* HSL_COMPAT_H */
