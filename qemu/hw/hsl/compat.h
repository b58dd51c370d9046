/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The one place that knows how QEMU's internal interfaces differ between 7.2 and 10.0. Headers are probed where that
 * is possible, version numbers are never compared.
 */
#ifndef HW_HSL_COMPAT_H
#define HW_HSL_COMPAT_H

#include "qemu/main-loop.h"
#include "qemu/seqlock.h"
#include "exec/memory.h"
#include "hw/boards.h"
#include "hw/core/cpu.h"
#include "hw/pci/msix.h"
#include "hw/pci/pci.h"
#include "hw/pci/pcie.h"
#include "hw/qdev-properties.h"

#if __has_include("system/hostmem.h")       /* sysemu/ became system/ in 10.0 */

#include "hw/pci/pci_device.h"
#include "system/hostmem.h"
#include "system/runstate.h"
#include "system/system.h"
#include "system/tcg.h"
#include "exec/icount.h"
#include "system/cpu-timers-internal.h"

#define hsl_bql_locked()                    bql_locked()
#define HSL_PROP_CONST                      const
#define HSL_PROP_END
#define hsl_class_set_reset(dc, fn)         device_class_set_legacy_reset(dc, fn)
#define hsl_access_is_direct(mr, write)     memory_access_is_direct(mr, write, MEMTXATTRS_UNSPECIFIED)

#else

#include "sysemu/hostmem.h"
#include "sysemu/runstate.h"
#include "sysemu/sysemu.h"
#include "sysemu/tcg.h"
#include "sysemu/cpu-timers.h"
#include "softmmu/timers-state.h"

#define hsl_bql_locked()                    qemu_mutex_iothread_locked()
#define HSL_PROP_CONST
#define HSL_PROP_END                        DEFINE_PROP_END_OF_LIST(),
#define hsl_class_set_reset(dc, fn)         ((dc)->reset = (fn))
#define hsl_access_is_direct(mr, write)     memory_access_is_direct(mr, write)

#endif

#endif
