/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the engine asks of the host of a chip: DMA addresses, interrupts, windows, dirty memory.
 *
 * Called from engine workers without the BQL, and from MMIO with it or from the helper thread of hsl_bql_lend.
 *
 * DMA reaches RAM and nothing else: an address that belongs to a device (this one included) or to nobody is refused,
 * so no bounce buffer, no MMIO from a worker and no recursion. Mapped RAM is referenced until it is unmapped. Without
 * an IOMMU a look-up needs no lock but RCU. With one it is made under the BQL, because a fault raises the IOMMU's
 * interrupt, which is only allowed there: a guest that points a chip at an unmapped address would end QEMU otherwise.
 * The price is a trip through the main loop for each page: DMA behind an IOMMU is slow, chip memory is not concerned.
 *
 * Interrupts are set in a bitmap and sent by a bottom half (modelled time: by the timer), so a worker never waits to raise one. They are memory
 * writes: while DMA is off (in D3hot, for one) they wait in the bitmap. Reset takes back what has not been sent.
 *
 * Direct windows are aliases of the peer's memory, which is of this program; modelled ones trap, and the CPU waits in here while packets cross the
 * model. The memory map changes under the BQL only.
 */
#include "qemu/osdep.h"
#include "qemu/bitops.h"
#include "qemu/log.h"
#include "qemu/rcu.h"
#include "exec/address-spaces.h"
#include "hw/hsl/hsl.h"
#include "trace.h"

/* ---- DMA ---- */

typedef struct HslMapJob {
    HslChip *c;
    uint64_t iova;
    uint64_t len;
    bool write;
    void *host;
} HslMapJob;

static void hsl_host_map_job(void *opaque)
{
    HslMapJob *job = opaque;
    AddressSpace *as = pci_get_address_space(PCI_DEVICE(job->c));
    hwaddr len = job->len, xlat;
    MemoryRegion *mr;

    RCU_READ_LOCK_GUARD();
    mr = address_space_translate(as, job->iova, &xlat, &len, job->write, MEMTXATTRS_UNSPECIFIED);
    if (len && hsl_access_is_direct(mr, job->write)) {
        memory_region_ref(mr);      /* undone by address_space_unmap */
        job->host = (char *)memory_region_get_ram_ptr(mr) + xlat;
        job->len = len;
    }
}

bool hsl_host_has_iommu(HslChip *c)
{
    return pci_device_iommu_address_space(PCI_DEVICE(c)) != &address_space_memory;
}

static void *hsl_host_dma_map(void *opaque, uint64_t iova, uint64_t *len, bool write)
{
    HslMapJob job = { .c = opaque, .iova = iova, .len = *len, .write = write };

    if (hsl_host_has_iommu(job.c)) {
        hsl_bql_call(hsl_host_map_job, &job);
    } else {
        hsl_host_map_job(&job);
    }
    if (!job.host) {
        trace_hsl_chip_dma_fault(job.c->node, iova, write);
        return NULL;
    }
    *len = job.len;
    return job.host;
}

static void hsl_host_dma_unmap(void *opaque, void *host, uint64_t len, bool write, uint64_t touched)
{
    address_space_unmap(pci_get_address_space(PCI_DEVICE(opaque)), host, len, write, touched);
}

/*
 * Marks memory dirty and drops code translated from it. QEMU does both for RAM that was mapped for writing when it is
 * unmapped; there is no other way in from outside.
 */
static void hsl_host_mem_written(void *opaque, uint64_t off, uint64_t len)
{
    MemoryRegion *mr = hsl_chip_memory(opaque);

    if (!hsl_memory_has_clean(mr, off, len)) {
        return;
    }
    memory_region_ref(mr);
    address_space_unmap(&address_space_memory, (char *)memory_region_get_ram_ptr(mr) + off, len, true,
                        len);
}

/* ---- interrupts ---- */

void hsl_host_interrupts_due(HslChip *c)
{
    if (c->fabric->modelled_time) {
        hsl_time_due(c->fabric);
    } else {
        qemu_bh_schedule(c->irq_bh);
    }
}

static void hsl_host_interrupt(void *opaque, unsigned int vector)
{
    HslChip *c = opaque;

    if (vector < c->vectors) {
        set_bit_atomic(vector, c->irq_pending);
        hsl_host_interrupts_due(c);
    }
}

void hsl_host_send_interrupts(void *opaque)
{
    HslChip *c = opaque;
    PCIDevice *pdev = PCI_DEVICE(c);
    bool send = msix_enabled(pdev);

    if (!c->dma) {
        return;
    }
    for (unsigned int i = 0; i < BITS_TO_LONGS(HSL_VECTORS_MAX); i++) {
        unsigned long bits = qatomic_xchg(&c->irq_pending[i], 0);

        while (bits) {
            unsigned int vector = i * BITS_PER_LONG + ctzl(bits);

            bits &= bits - 1;
            trace_hsl_chip_interrupt(c->node, vector, send);
            if (send) {
                msix_notify(pdev, vector);
            }
        }
    }
}

/* ---- windows ---- */

typedef struct HslWindowJob {
    HslChip *c;
    unsigned int index;
    uint32_t ctrl;
    uint32_t node;
    uint64_t offset;
    uint64_t size;
    unsigned int status;
} HslWindowJob;

static uint64_t hsl_window_read(void *opaque, hwaddr off, unsigned int size)
{
    HslWindow *w = opaque;
    uint64_t val;

    if (!w->c->engine) {
        return UINT64_MAX;
    }
    val = hsl_chip_window_read(w->c->engine, w->index, off, size);
    hsl_time_charge(w->c->fabric);
    return val;
}

static void hsl_window_write(void *opaque, hwaddr off, uint64_t val, unsigned int size)
{
    HslWindow *w = opaque;

    if (w->c->engine) {
        hsl_chip_window_write(w->c->engine, w->index, off, val, size);
        hsl_time_charge(w->c->fabric);
    }
}

static const MemoryRegionOps hsl_window_ops = {
    .read = hsl_window_read,
    .write = hsl_window_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { .min_access_size = 1, .max_access_size = 8, .unaligned = true },
    .impl = { .min_access_size = 1, .max_access_size = 8, .unaligned = true },
};

void hsl_host_windows_init(HslChip *c)
{
    for (unsigned int i = 0; i < c->windows; i++) {
        c->window[i].c = c;
        c->window[i].index = i;
        memory_region_init_io(&c->window[i].io, OBJECT(c), &hsl_window_ops, &c->window[i], "hsl-window-io",
                              1ull << c->window_shift);
    }
}

void hsl_host_window_off(HslChip *c, unsigned int index)
{
    HslWindow *w = &c->window[index];

    if (w->on) {
        memory_region_del_subregion(&c->bar_win, &w->mr);
        object_unparent(OBJECT(&w->mr));
        w->on = false;
    }
}

static void hsl_host_window_job(void *opaque)
{
    HslWindowJob *job = opaque;
    HslChip *c = job->c;
    HslChip *peer = hsl_fabric_chip(c->fabric, job->node);
    HslWindow *w = &c->window[job->index];
    g_autofree char *name = g_strdup_printf("hsl-window-%u", job->index);
    MemoryRegion *mem;

    trace_hsl_chip_window(c->node, job->index, job->ctrl, job->node, job->offset, job->size);
    hsl_host_window_off(c, job->index);
    if (!job->ctrl) {
        return;
    }
    if (!peer && !hsl_fabric_engine_is_remote(c->fabric->engine, job->node)) {
        job->status = HSL_ST_UNREACHABLE;
        return;
    }
    mem = peer ? hsl_chip_memory(peer) : NULL;
    if ((mem && (job->offset >= memory_region_size(mem) || job->size > memory_region_size(mem) - job->offset)) ||
        !job->size || job->size > (1ull << c->window_shift) || (!mem && !(job->ctrl & HSL_WIN_CTRL_MODELLED))) {
        job->status = HSL_ST_RANGE;
        return;
    }
    if (job->ctrl & HSL_WIN_CTRL_MODELLED) {
        memory_region_init_alias(&w->mr, OBJECT(c), name, &w->io, 0, job->size);
    } else {
        memory_region_init_alias(&w->mr, OBJECT(c), name, mem, job->offset, job->size);
    }
    memory_region_add_subregion(&c->bar_win, (hwaddr)job->index << c->window_shift, &w->mr);
    w->on = true;
}

static unsigned int hsl_host_window(void *opaque, unsigned int i, uint32_t ctrl, uint32_t node, uint64_t offset,
                                    uint64_t size)
{
    HslWindowJob job = { opaque, i, ctrl, node, offset, size, HSL_ST_OK };

    assert(i < job.c->windows);
    hsl_bql_call(hsl_host_window_job, &job);
    return job.status;
}

/* ---- the rest ---- */

static void hsl_host_guest_error(void *opaque, const char *msg)
{
    HslChip *c = opaque;

    qemu_log_mask(LOG_GUEST_ERROR, "hsl-chip node %u: %s\n", c->node, msg);
}

static void hsl_host_trace_complete(void *opaque, unsigned int qid, unsigned int opcode, uint64_t cookie,
                                    unsigned int status)
{
    HslChip *c = opaque;

    trace_hsl_chip_complete(c->node, qid, opcode, cookie, status);
}

const struct hsl_chip_ops hsl_host_ops = {
    .dma_map = hsl_host_dma_map,
    .dma_unmap = hsl_host_dma_unmap,
    .mem_written = hsl_host_mem_written,
    .interrupt = hsl_host_interrupt,
    .window = hsl_host_window,
    .guest_error = hsl_host_guest_error,
    .trace_complete = hsl_host_trace_complete,
};
