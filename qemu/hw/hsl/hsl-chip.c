/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hsl-chip: one emulated HSL chip, a PCI Express endpoint (docs/hep.md sections 3, 4 and 10).
 *
 *   -device hsl-chip,bus=rp1,fabric=fab0,node=1,memdev=mem1
 *
 * BAR0 registers, MSI-X structures and doorbells; BAR2 all of the memory backend, at offset 0 of the next power of
 * two (MEM_SIZE tells the size); BAR4 windows into other chips' memory: that is the layout of this class, a subclass may
 * have another (hsl-vendor.c). AER, FLR, DVSEC. What registers and commands do is the engine's; this file is the PCI
 * function around it. hsl-host.c is what the engine asks back.
 *
 * States. realize: the chip takes its node in the fabric and its memory backend, the engine chip exists -> present.
 * Reset and FLR: the engine chip is reset and DMA is off until the guest sets bus mastering again; memory is kept.
 * Unplug (exit): the engine lets go of the chip first, then windows, vectors and the backend are given back; MMIO that
 * is still on its way reads as ones.
 * Absent (qom-set property=absent value=true): the function is where it was and answers nothing, as with its power or its
 * link lost: configuration space and BARs read as ones, writes are lost, no DMA. Set to false it is as it was left.
 * D3hot (PMCSR): BARs as when absent, no DMA, no interrupts; configuration space, memory and links are there as in D0. Back in
 * D0 it is as it was left (No_Soft_Reset). A reset leads to D0, too.
 *
 * Locking: everything here runs under the BQL. Engine functions that wait for workers are called through
 * hsl_fabric_call (see hsl-bql.c).
 */
#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/error-report.h"
#include "qemu/units.h"
#include "hw/pci/pcie_aer.h"
#include "migration/vmstate.h"
#include "qapi/visitor.h"
#include "hw/hsl/hsl.h"
#include "hsl/ctf.h"
#include "trace.h"

#define HSL_MEM_MIN         (128 * MiB)
#define HSL_MEM_MAX         (64 * GiB)
#define HSL_APERTURE_MAX    (64 * GiB)
#define HSL_CAP_PM          0x40
#define HSL_PM_D3HOT        3           /* of PCI_PM_CTRL_STATE_MASK */
#define HSL_CAP_EXP         0x80
#define HSL_CAP_AER         0x100
#define HSL_CAP_DVSEC       0x160       /* the AER capability ends at 0x148 */

MemoryRegion *hsl_chip_memory(HslChip *c)
{
    return host_memory_backend_get_memory(c->memdev);
}

/* ---- engine calls that wait for workers ---- */

static void hsl_chip_job_reset(void *opaque)
{
    HslChip *c = opaque;

    hsl_chip_set_dma(c->engine, false);
    hsl_chip_reset(c->engine);
}

static void hsl_chip_job_stop(void *opaque)
{
    HslChip *c = opaque;

    hsl_chip_reset(c->engine);
}

static void hsl_chip_job_dma(void *opaque)
{
    HslChip *c = opaque;

    hsl_chip_set_dma(c->engine, c->dma);
}

/* HSL_DEV_D3HOT_LINKS */
static void hsl_chip_job_links(void *opaque)
{
    HslChip *c = opaque;
    struct hsl_fabric_engine *engine = c->fabric->engine;
    struct hsl_model_link link;

    for (uint32_t i = 0; !hsl_fabric_engine_link(engine, c->node, i, &link); i++) {
        hsl_fabric_engine_set_link(engine, c->node, link.peer, !c->asleep);
    }
}

static void hsl_chip_job_detach(void *opaque)
{
    HslChip *c = opaque;

    hsl_chip_detach(c->engine);
}

static void hsl_chip_job_free(void *opaque)
{
    HslChip *c = opaque;

    hsl_chip_engine_free(c->engine);
}

typedef struct HslNewJob {
    HslChip *c;
    const struct hsl_chip_engine_config *cfg;
    const char *why;
} HslNewJob;

static void hsl_chip_job_new(void *opaque)
{
    HslNewJob *job = opaque;

    job->c->engine = hsl_chip_engine_new(job->c->fabric->engine, job->cfg, &job->why);
}

typedef struct HslWriteJob {
    HslChip *c;
    uint64_t off, val;
    unsigned int size;
} HslWriteJob;

static void hsl_chip_job_write(void *opaque)
{
    HslWriteJob *job = opaque;

    hsl_chip_mmio_write(job->c->engine, job->off, job->val, job->size);
}

/* ---- registers ---- */

/* CTRL, window CTRL and the test facility: the engine may wait for workers. Accesses are aligned, at most 8 bytes. */
static bool hsl_chip_write_waits(uint64_t off)
{
    return (off & ~7ull) == HSL_REG_CTRL ||
           (off >= HSL_CTF_OFFSET_DEFAULT && off < HSL_CTF_OFFSET_DEFAULT + HSL_CTF_BYTES) ||
           (off >= HSL_REG_WIN(0) && off < HSL_REG_WIN(HSL_WIN_MAX) && (off & 0x18) == HSL_WIN_O_CTRL);
}

static uint64_t hsl_chip_read(void *opaque, hwaddr off, unsigned int size)
{
    HslChip *c = opaque;
    uint64_t val = c->engine ? hsl_chip_mmio_read(c->engine, off, size) : UINT64_MAX;

    trace_hsl_chip_read(c->node, off, size, val);
    return val;
}

static void hsl_chip_write(void *opaque, hwaddr off, uint64_t val, unsigned int size)
{
    HslChip *c = opaque;

    if (!c->engine) {
        return;
    }
    if (off >= HSL_DB_OFFSET_DEFAULT) {
        trace_hsl_chip_doorbell(c->node, off - HSL_DB_OFFSET_DEFAULT, val);
    } else {
        trace_hsl_chip_write(c->node, off, size, val);
    }
    if (hsl_chip_write_waits(off)) {
        HslWriteJob job = { c, off, val, size };

        hsl_fabric_call(c->fabric, hsl_chip_job_write, &job);
    } else {
        hsl_chip_mmio_write(c->engine, off, val, size);
    }
}

static const MemoryRegionOps hsl_chip_regs_ops = {
    .read = hsl_chip_read,
    .write = hsl_chip_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { .min_access_size = 1, .max_access_size = 8 },
    .impl = { .min_access_size = 1, .max_access_size = 8 },
};

static uint64_t hsl_chip_absent_read(void *opaque, hwaddr off, unsigned int size)
{
    return UINT64_MAX;
}

static void hsl_chip_absent_write(void *opaque, hwaddr off, uint64_t val, unsigned int size)
{
}

static const MemoryRegionOps hsl_chip_absent_ops = {
    .read = hsl_chip_absent_read,
    .write = hsl_chip_absent_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { .min_access_size = 1, .max_access_size = 8 },
    .impl = { .min_access_size = 1, .max_access_size = 8 },
};

/* ---- bus mastering, power state, reset ---- */

static uint32_t hsl_chip_deviation(HslChip *c)
{
    return c->deviate ? hsl_deviation_find(c->deviate) : HSL_DEV_NONE;
}

static bool hsl_chip_deviates(HslChip *c, uint32_t deviation)
{
    return hsl_chip_deviation(c) == deviation;
}

static void hsl_chip_update_hide(HslChip *c)
{
    bool hidden = c->absent || (c->asleep && !hsl_chip_deviates(c, HSL_DEV_D3HOT_ANSWERS));

    memory_region_transaction_begin();
    for (unsigned int i = 0; i < ARRAY_SIZE(c->hide); i++) {
        memory_region_set_enabled(&c->hide[i], hidden);
    }
    memory_region_transaction_commit();
}

/* DMA and interrupts are on while the guest has set bus mastering, in D0, and the VM runs. */
static void hsl_chip_update_dma(HslChip *c)
{
    PCIDevice *pdev = PCI_DEVICE(c);
    bool on = c->running && !c->absent && !c->asleep &&
              (pci_get_word(pdev->config + PCI_COMMAND) & PCI_COMMAND_MASTER);

    if (on != c->dma && c->engine) {
        c->dma = on;
        trace_hsl_chip_dma(c->node, on);
        hsl_fabric_call(c->fabric, hsl_chip_job_dma, c);
        if (on) {
            hsl_host_interrupts_due(c);
        }
    }
}

/* What PMCSR says. D1 and D2 are none of its states: a write of them changes nothing. */
static void hsl_chip_update_power(HslChip *c)
{
    uint8_t *pmcsr = PCI_DEVICE(c)->config + HSL_CAP_PM + PCI_PM_CTRL;
    unsigned int state = pci_get_word(pmcsr) & PCI_PM_CTRL_STATE_MASK;
    bool asleep = state == HSL_PM_D3HOT;

    if (state && !asleep) {
        pci_word_test_and_clear_mask(pmcsr, PCI_PM_CTRL_STATE_MASK);
        pci_word_test_and_set_mask(pmcsr, c->asleep ? HSL_PM_D3HOT : 0);
        return;
    }
    if (asleep == c->asleep) {
        return;
    }
    trace_hsl_chip_power(c->node, state);
    c->asleep = asleep;
    if (!asleep && hsl_chip_deviates(c, HSL_DEV_D3HOT_FORGETS)) {
        memset(memory_region_get_ram_ptr(hsl_chip_memory(c)), 0, memory_region_size(hsl_chip_memory(c)));
    }
    if (hsl_chip_deviates(c, HSL_DEV_D3HOT_LINKS)) {
        hsl_fabric_call(c->fabric, hsl_chip_job_links, c);
    }
    hsl_chip_update_hide(c);
}

static void hsl_chip_vm_state(void *opaque, bool running, RunState state)
{
    HslChip *c = opaque;

    c->running = running;
    hsl_chip_update_dma(c);
}

static uint32_t hsl_chip_read_config(PCIDevice *pdev, uint32_t addr, int len)
{
    return HSL_CHIP(pdev)->absent ? UINT32_MAX : pci_default_read_config(pdev, addr, len);
}

static void hsl_chip_write_config(PCIDevice *pdev, uint32_t addr, uint32_t val, int len)
{
    if (HSL_CHIP(pdev)->absent) {
        return;
    }
    pci_default_write_config(pdev, addr, val, len);
    pcie_cap_flr_write_config(pdev, addr, val, len);
    hsl_chip_update_power(HSL_CHIP(pdev));
    hsl_chip_update_dma(HSL_CHIP(pdev));
}

/*
 * Reset of the device, of its bus and FLR. PCI clears the command register and MSI-X itself afterwards, without
 * write_config: DMA is turned off here.
 */
static void hsl_chip_device_reset(DeviceState *dev)
{
    HslChip *c = HSL_CHIP(dev);

    if (!c->engine) {
        return;
    }
    trace_hsl_chip_reset(c->node);
    pci_word_test_and_clear_mask(PCI_DEVICE(c)->config + HSL_CAP_PM + PCI_PM_CTRL, PCI_PM_CTRL_STATE_MASK);
    hsl_chip_update_power(c);
    c->dma = false;
    hsl_fabric_call(c->fabric, hsl_chip_job_reset, c);
    for (unsigned int i = 0; i < BITS_TO_LONGS(HSL_VECTORS_MAX); i++) {
        qatomic_xchg(&c->irq_pending[i], 0);
    }
    pcie_cap_deverr_reset(PCI_DEVICE(c));
    if (HSL_CHIP_GET_CLASS(c)->reset) {
        HSL_CHIP_GET_CLASS(c)->reset(c);
    }
}

void hsl_chip_stop(HslChip *c)
{
    hsl_fabric_call(c->fabric, hsl_chip_job_stop, c);
}

/* ---- life ---- */

static bool hsl_chip_check(HslChip *c, Error **errp)
{
    uint64_t mem_bytes;

    if (!c->fabric) {
        error_setg(errp, "hsl-chip needs fabric=ID of an hsl-fabric object");
        return false;
    }
    if (!c->memdev) {
        error_setg(errp, "hsl-chip needs memdev=ID of a memory backend");
        return false;
    }
    if (host_memory_backend_is_mapped(c->memdev)) {
        error_setg(errp, "memdev=%s is in use already",
                   object_get_canonical_path_component(OBJECT(c->memdev)));
        return false;
    }
    if (c->deviate && !hsl_chip_deviation(c)) {
        error_setg(errp, "deviate=%s: none of the names in qemu/model/deviations.def", c->deviate);
        return false;
    }
    mem_bytes = memory_region_size(hsl_chip_memory(c));
    if (mem_bytes < HSL_MEM_MIN || mem_bytes > HSL_MEM_MAX || mem_bytes % HSL_WIN_ALIGN) {
        error_setg(errp, "memory of a chip is 128 MiB to 64 GiB in multiples of 64 KiB, memdev=%s has %" PRIu64
                   " bytes", object_get_canonical_path_component(OBJECT(c->memdev)), mem_bytes);
        return false;
    }
    if (c->fabric->open >= mem_bytes) {
        error_setg(errp, "open=%" PRIu64 " of the fabric: less than the memory of each chip, memdev=%s has %" PRIu64,
                   c->fabric->open, object_get_canonical_path_component(OBJECT(c->memdev)), mem_bytes);
        return false;
    }
    if (c->queues < 2 || c->queues > 256) {
        error_setg(errp, "queues=%u: 2 to 256, the admin queue included", c->queues);
        return false;
    }
    if (c->vectors > HSL_VECTORS_MAX) {
        error_setg(errp, "vectors=%u: at most %u, 0 for no MSI-X capability", c->vectors, HSL_VECTORS_MAX);
        return false;
    }
    if (c->windows > HSL_WIN_MAX) {
        error_setg(errp, "windows=%u: at most %u", c->windows, HSL_WIN_MAX);
        return false;
    }
    if (c->windows && HSL_CHIP_GET_CLASS(c)->layout.bar_win == HSL_DVSEC_BAR_NONE) {
        error_setg(errp, "windows=%u: this chip has no BAR for them", c->windows);
        return false;
    }
    if (c->hep_version >> 16 < 1 || c->hep_version >> 16 > 255 || (c->hep_version & 0xffff) > 255) {
        error_setg(errp, "hep=0x%x: major << 16 | minor, major 1 to 255 and minor 0 to 255", c->hep_version);
        return false;
    }
    if (!c->aperture) {
        c->aperture = MIN(2 * pow2ceil(mem_bytes), HSL_APERTURE_MAX);
    }
    if (!is_power_of_2(c->aperture) || c->aperture > HSL_APERTURE_MAX ||
        c->aperture / MAX(c->windows, 1) < HSL_WIN_ALIGN) {
        error_setg(errp, "aperture=%" PRIu64 ": a power of two with at least 64 KiB for each of %u windows, at most "
                   "64 GiB", c->aperture, c->windows);
        return false;
    }
    if (!pci_bus_is_express(pci_get_bus(PCI_DEVICE(c)))) {
        error_setg(errp, "hsl-chip needs a PCI Express bus");
        return false;
    }
    return true;
}

static void hsl_chip_add_dvsec(HslChip *c)
{
    const HslChipLayout *l = &HSL_CHIP_GET_CLASS(c)->layout;
    PCIDevice *pdev = PCI_DEVICE(c);
    uint8_t *dvsec = pdev->config + HSL_CAP_DVSEC;

    pcie_add_capability(pdev, PCI_EXT_CAP_ID_DVSEC, 1, HSL_CAP_DVSEC, HSL_DVSEC_LEN);
    pci_set_long(dvsec + 4, HSL_DVSEC_VENDOR | HSL_DVSEC_REV << 16 | HSL_DVSEC_LEN << 20);
    pci_set_word(dvsec + 8, HSL_DVSEC_ID);
    pci_set_word(dvsec + HSL_DVSEC_O_HEP, c->hep_version >> 16 << 8 | (c->hep_version & 0xff));
    pci_set_long(dvsec + HSL_DVSEC_O_BARS, l->bar_regs | l->bar_mem << 4 | l->bar_win << 8 |
                 (l->own_driver ? HSL_DVSEC_BARS_OWN_DRIVER : 0));
    pci_set_long(dvsec + HSL_DVSEC_O_REGS, l->regs_off);
    pci_set_long(dvsec + HSL_DVSEC_O_NODE, c->node);
    pci_set_long(dvsec + HSL_DVSEC_O_CTF, 0);
    if (hsl_chip_deviates(c, HSL_DEV_DVSEC_BAR)) {
        pci_set_long(dvsec + HSL_DVSEC_O_BARS, HSL_BAR_REGS | HSL_BAR_MEM << 4 | 5 << 8);
    }
    if (hsl_chip_deviates(c, HSL_DEV_DVSEC_LENGTH)) {
        pci_set_long(dvsec + 4, HSL_DVSEC_VENDOR | HSL_DVSEC_REV << 16 | (HSL_DVSEC_LEN - 4) << 20);
    }
    if (hsl_chip_deviates(c, HSL_DEV_CLASS_CODE)) {
        pci_config_set_class(pdev->config, PCI_CLASS_OTHERS);
    }
}

/* Only the engine knows whether there is one. */
static void hsl_chip_tell_ctf(HslChip *c)
{
    uint8_t *dvsec = PCI_DEVICE(c)->config + HSL_CAP_DVSEC;

    if (hsl_chip_mmio_read(c->engine, HSL_REG_CAP, 8) & HSL_CAP_CTF) {
        pci_set_long(dvsec + HSL_DVSEC_O_BARS, pci_get_long(dvsec + HSL_DVSEC_O_BARS) | HSL_DVSEC_BARS_CTF);
        pci_set_long(dvsec + HSL_DVSEC_O_CTF, hsl_chip_deviates(c, HSL_DEV_DVSEC_CTF) ? 0 :
                     HSL_CHIP_GET_CLASS(c)->layout.regs_off + HSL_CTF_OFFSET_DEFAULT);
    }
}

/* Capabilities; on success pcie_aer_exit and pcie_cap_exit undo it. */
static bool hsl_chip_add_capabilities(HslChip *c, Error **errp)
{
    PCIDevice *pdev = PCI_DEVICE(c);

    /* not pci_pm_init of 10.0: the core would unmap the BARs in D3hot, and they read as all ones */
    if (pci_add_capability(pdev, PCI_CAP_ID_PM, HSL_CAP_PM, PCI_PM_SIZEOF, errp) < 0) {
        return false;
    }
    pci_set_word(pdev->config + HSL_CAP_PM + PCI_PM_PMC, 3);
    pci_set_word(pdev->config + HSL_CAP_PM + PCI_PM_CTRL, PCI_PM_CTRL_NO_SOFT_RESET);
    pci_set_word(pdev->wmask + HSL_CAP_PM + PCI_PM_CTRL, PCI_PM_CTRL_STATE_MASK);

    if (pcie_endpoint_cap_init(pdev, HSL_CAP_EXP) < 0) {
        error_setg(errp, "hsl-chip: no room for the PCI Express capability");
        return false;
    }
    pcie_cap_deverr_init(pdev);
    pcie_cap_flr_init(pdev);
    if (pcie_aer_init(pdev, PCI_ERR_VER, HSL_CAP_AER, PCI_ERR_SIZEOF, errp) < 0) {
        pcie_cap_exit(pdev);
        return false;
    }
    hsl_chip_add_dvsec(c);
    return true;
}

/*
 * Capabilities that this machine does not let us have. TCG leaves the lock out of locked instructions when only one thread
 * can run guest code; then the engine's atomics do not see them as one step. In modelled time the engine is that thread.
 */
static uint64_t hsl_chip_cap_missing(HslChip *c)
{
    bool parallel = !tcg_enabled() || (qemu_tcg_mttcg_enabled() && current_machine->smp.max_cpus > 1);

    return parallel || c->fabric->modelled_time ? 0 : HSL_CAP_HOST_ATOMIC;
}

static bool hsl_chip_add_engine(HslChip *c, Error **errp)
{
    struct hsl_chip_engine_config cfg = {
        .node = c->node,
        .mem = memory_region_get_ram_ptr(hsl_chip_memory(c)),
        .mem_bytes = memory_region_size(hsl_chip_memory(c)),
        .nqueues = c->queues,
        .nvectors = MAX(c->vectors, 1),
        .nwindows = c->windows,
        .win_stride_log2 = c->window_shift,
        .max_len = c->max_len,
        .max_depth = c->max_depth,
        .hep_version = c->hep_version,
        .ambient_off = c->ambient - HSL_HEAT_AMBIENT,
        .cap_clear = c->cap_clear | hsl_chip_cap_missing(c) | (c->ctf ? 0 : HSL_CAP_CTF),
        .deviation = hsl_chip_deviation(c),
        .ops = &hsl_host_ops,
        .opaque = c,
    };
    HslNewJob job = { c, &cfg, NULL };

    hsl_fabric_call(c->fabric, hsl_chip_job_new, &job);
    if (!c->engine) {
        error_setg(errp, "hsl-chip: %s", job.why);
        return false;
    }
    return true;
}

/* A region inside another holds a reference to its owner, this device: without this it would never be freed. */
static void hsl_chip_drop_regions(HslChip *c)
{
    for (unsigned int i = 0; i < ARRAY_SIZE(c->hide); i++) {
        memory_region_del_subregion(c->hide[i].container, &c->hide[i]);
    }
    memory_region_del_subregion(&c->bar_regs, &c->regs);
    memory_region_del_subregion(&c->bar_mem, &c->mem);
}

/* Lies over a whole BAR, while the chip is absent or in D3hot. */
static void hsl_chip_add_hide(HslChip *c, unsigned int i, MemoryRegion *bar)
{
    memory_region_init_io(&c->hide[i], OBJECT(c), &hsl_chip_absent_ops, c, "hsl-absent", memory_region_size(bar));
    memory_region_set_enabled(&c->hide[i], false);
    memory_region_add_subregion_overlap(bar, 0, &c->hide[i], 1);
}

static bool hsl_chip_get_absent(Object *obj, Error **errp)
{
    return HSL_CHIP(obj)->absent;
}

static void hsl_chip_set_absent(Object *obj, bool absent, Error **errp)
{
    HslChip *c = HSL_CHIP(obj);

    if (!DEVICE(c)->realized) {
        error_setg(errp, "absent: only of a chip that is there");
        return;
    }
    c->absent = absent;
    hsl_chip_update_hide(c);
    hsl_chip_update_dma(c);
}

static void hsl_chip_get_ambient(Object *obj, Visitor *v, const char *name, void *opaque, Error **errp)
{
    visit_type_int32(v, name, &HSL_CHIP(obj)->ambient, errp);
}

static void hsl_chip_set_ambient_prop(Object *obj, Visitor *v, const char *name, void *opaque, Error **errp)
{
    HslChip *c = HSL_CHIP(obj);
    int32_t celsius;

    if (!visit_type_int32(v, name, &celsius, errp)) {
        return;
    }
    if (!hsl_heat_bears(celsius)) {
        error_setg(errp, "ambient: %d to %d degrees", HSL_HEAT_AMBIENT_MIN, HSL_HEAT_AMBIENT_MAX);
        return;
    }
    c->ambient = celsius;
    if (c->engine) {
        hsl_chip_set_ambient(c->engine, celsius);
    }
}

static bool hsl_chip_add_msix(HslChip *c, Error **errp)
{
    const HslChipLayout *l = &HSL_CHIP_GET_CLASS(c)->layout;
    PCIDevice *pdev = PCI_DEVICE(c);

    if (!c->vectors) {
        return true;
    }
    if (msix_init(pdev, c->vectors, &c->bar_regs, l->bar_regs, l->msix_table, &c->bar_regs, l->bar_regs, l->msix_pba,
                  0, errp) < 0) {
        return false;
    }
    for (unsigned int i = 0; i < c->vectors; i++) {
        msix_vector_use(pdev, i);
    }
    return true;
}

static bool hsl_chip_add_bars(HslChip *c, Error **errp)
{
    const HslChipLayout *l = &HSL_CHIP_GET_CLASS(c)->layout;
    PCIDevice *pdev = PCI_DEVICE(c);
    uint64_t regs_bytes = hsl_chip_bar0_bytes(c->engine);
    uint64_t mem_bytes = memory_region_size(hsl_chip_memory(c));
    const uint8_t pref = PCI_BASE_ADDRESS_MEM_PREFETCH | PCI_BASE_ADDRESS_MEM_TYPE_64;

    memory_region_init(&c->bar_regs, OBJECT(c), "hsl-bar-regs", pow2ceil(l->regs_off + regs_bytes));
    memory_region_init_io(&c->regs, OBJECT(c), &hsl_chip_regs_ops, c, "hsl-regs", regs_bytes);
    memory_region_add_subregion(&c->bar_regs, l->regs_off, &c->regs);
    memory_region_init(&c->bar_mem, OBJECT(c), "hsl-bar-mem", pow2ceil(mem_bytes));
    memory_region_init_alias(&c->mem, OBJECT(c), "hsl-memory", hsl_chip_memory(c), 0, mem_bytes);
    memory_region_add_subregion(&c->bar_mem, 0, &c->mem);
    memory_region_init(&c->bar_win, OBJECT(c), "hsl-bar-win", c->aperture);
    hsl_host_windows_init(c);
    hsl_chip_add_hide(c, 0, &c->bar_regs);
    hsl_chip_add_hide(c, 1, &c->bar_mem);
    hsl_chip_add_hide(c, 2, &c->bar_win);

    if (!hsl_chip_add_msix(c, errp)) {
        hsl_chip_drop_regions(c);
        return false;
    }
    pci_register_bar(pdev, l->bar_regs, PCI_BASE_ADDRESS_MEM_TYPE_64, &c->bar_regs);
    pci_register_bar(pdev, l->bar_mem, pref, &c->bar_mem);
    if (l->bar_win != HSL_DVSEC_BAR_NONE) {
        pci_register_bar(pdev, l->bar_win, pref, &c->bar_win);
    }
    return true;
}

static void hsl_chip_drop_engine(HslChip *c)
{
    hsl_fabric_call(c->fabric, hsl_chip_job_free, c);
    c->engine = NULL;
}

static void hsl_chip_realize(PCIDevice *pdev, Error **errp)
{
    HslChip *c = HSL_CHIP(pdev);
    char tell[256];

    if (!hsl_chip_check(c, errp) || !hsl_fabric_attach(c->fabric, c, c->node, errp)) {
        return;
    }
    pci_config_set_vendor_id(pdev->config, c->vendor_id);
    pci_config_set_device_id(pdev->config, c->device_id);
    c->window_shift = 63 - clz64(c->aperture / MAX(c->windows, 1));
    c->running = runstate_is_running();
    c->irq_bh = qemu_bh_new(hsl_host_send_interrupts, c);

    if (!hsl_chip_add_capabilities(c, errp)) {
        goto undo_attach;
    }
    if (!hsl_chip_add_engine(c, errp)) {
        goto undo_capabilities;
    }
    hsl_chip_tell_ctf(c);
    if (c->deviate) {
        warn_report("hsl-chip node %u: %s", c->node, hsl_deviation_tell(hsl_chip_deviation(c), tell, sizeof(tell)));
    }
    if (!hsl_chip_add_bars(c, errp)) {
        goto undo_engine;
    }
    host_memory_backend_set_mapped(c->memdev, true);
    c->vm_state = qemu_add_vm_change_state_handler(hsl_chip_vm_state, c);
    trace_hsl_chip_attach(c->node, memory_region_size(hsl_chip_memory(c)));
    return;

undo_engine:
    hsl_chip_drop_engine(c);
undo_capabilities:
    pcie_aer_exit(pdev);
    pcie_cap_exit(pdev);
undo_attach:
    qemu_bh_delete(c->irq_bh);
    hsl_fabric_detach(c->fabric, c->node);
}

static void hsl_chip_exit(PCIDevice *pdev)
{
    HslChip *c = HSL_CHIP(pdev);

    trace_hsl_chip_detach(c->node);
    qemu_del_vm_change_state_handler(c->vm_state);
    /* from here on no worker touches this chip, and no window of another chip shows its memory */
    hsl_fabric_call(c->fabric, hsl_chip_job_detach, c);
    hsl_chip_drop_engine(c);
    for (unsigned int i = 0; i < c->windows; i++) {
        hsl_host_window_off(c, i);
    }
    hsl_fabric_detach(c->fabric, c->node);
    qemu_bh_delete(c->irq_bh);
    msix_unuse_all_vectors(pdev);
    msix_uninit(pdev, &c->bar_regs, &c->bar_regs);
    hsl_chip_drop_regions(c);
    pcie_aer_exit(pdev);
    pcie_cap_exit(pdev);
    host_memory_backend_set_mapped(c->memdev, false);
}

static HSL_PROP_CONST Property hsl_chip_properties[] = {
    DEFINE_PROP_LINK("fabric", HslChip, fabric, TYPE_HSL_FABRIC, HslFabric *),
    DEFINE_PROP_LINK("memdev", HslChip, memdev, TYPE_MEMORY_BACKEND, HostMemoryBackend *),
    DEFINE_PROP_UINT32("node", HslChip, node, 0),
    DEFINE_PROP_UINT32("queues", HslChip, queues, 64),
    DEFINE_PROP_UINT32("vectors", HslChip, vectors, 32),
    DEFINE_PROP_UINT32("windows", HslChip, windows, 16),
    DEFINE_PROP_SIZE("aperture", HslChip, aperture, 0),
    DEFINE_PROP_SIZE("max-len", HslChip, max_len, 0),
    DEFINE_PROP_UINT32("max-depth", HslChip, max_depth, 0),
    DEFINE_PROP_UINT32("hep", HslChip, hep_version, HSL_HEP_VERSION), /* of another version, for tests of who uses it */
    DEFINE_PROP_BOOL("ctf", HslChip, ctf, true),
    DEFINE_PROP_UINT64("cap-clear", HslChip, cap_clear, 0),
    DEFINE_PROP_STRING("deviate", HslChip, deviate),
    DEFINE_PROP_UINT16("vendor-id", HslChip, vendor_id, HSL_PCI_VENDOR_ID),
    DEFINE_PROP_UINT16("device-id", HslChip, device_id, HSL_PCI_DEVICE_ID),
    HSL_PROP_END
};

/* The state of an engine with commands in flight is not in a stream yet: say so instead of losing it. */
static const VMStateDescription hsl_chip_vmstate = {
    .name = TYPE_HSL_CHIP,
    .unmigratable = 1,
};

static void hsl_chip_class_init(ObjectClass *oc, void *data)
{
    DeviceClass *dc = DEVICE_CLASS(oc);
    PCIDeviceClass *pc = PCI_DEVICE_CLASS(oc);

    pc->realize = hsl_chip_realize;
    pc->exit = hsl_chip_exit;
    pc->config_read = hsl_chip_read_config;
    pc->config_write = hsl_chip_write_config;
    pc->vendor_id = HSL_PCI_VENDOR_ID;
    pc->device_id = HSL_PCI_DEVICE_ID;
    pc->class_id = HSL_PCI_CLASS;
    HSL_CHIP_CLASS(oc)->layout = (HslChipLayout) {
        .bar_regs = HSL_BAR_REGS, .bar_mem = HSL_BAR_MEM, .bar_win = HSL_BAR_WIN,
        .msix_table = HSL_MSIX_TABLE, .msix_pba = HSL_MSIX_PBA,
    };
    dc->desc = "HSL chip, emulated (HEP 1.0)";
    dc->vmsd = &hsl_chip_vmstate;
    hsl_class_set_reset(dc, hsl_chip_device_reset);
    device_class_set_props(dc, hsl_chip_properties);
    object_class_property_add_bool(oc, "absent", hsl_chip_get_absent, hsl_chip_set_absent);
    object_class_property_add(oc, "ambient", "int32", hsl_chip_get_ambient, hsl_chip_set_ambient_prop, NULL, NULL);
    object_class_property_set_description(oc, "ambient", "degrees Celsius around it (default: 25); at run time too");
    object_class_property_set_description(oc, "absent", "it answers nothing, as with its power lost; at run time only");
    set_bit(DEVICE_CATEGORY_MISC, dc->categories);
}

static void hsl_chip_init(Object *obj)
{
    HSL_CHIP(obj)->ambient = HSL_HEAT_AMBIENT;
}

static const TypeInfo hsl_chip_info = {
    .name = TYPE_HSL_CHIP,
    .parent = TYPE_PCI_DEVICE,
    .instance_size = sizeof(HslChip),
    .instance_init = hsl_chip_init,
    .class_size = sizeof(HslChipClass),
    .class_init = hsl_chip_class_init,
    .interfaces = (InterfaceInfo[]) {
        { INTERFACE_PCIE_DEVICE },
        { }
    }
};

static void hsl_chip_register(void)
{
    type_register_static(&hsl_chip_info);
}
type_init(hsl_chip_register)
