/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Does somebody wait to hear of writes to this memory? Its own file, as pages have a size only for a target.
 *
 * Once written, memory stays dirty until a display or a migration looks at it or code is translated from it, so the answer
 * is no for nearly every command. What was written before the question is seen by whoever makes it clean after it: the
 * look-up's RCU section begins with a full barrier.
 */
#include "qemu/osdep.h"
#include "cpu.h"
#include "exec/memory.h"
#include "exec/ram_addr.h"
#include "hw/hsl/hsl.h"

bool hsl_memory_has_clean(MemoryRegion *mr, uint64_t off, uint64_t len)
{
    return cpu_physical_memory_range_includes_clean(memory_region_get_ram_addr(mr) + off, len,
                                                    memory_region_get_dirty_log_mask(mr));
}
