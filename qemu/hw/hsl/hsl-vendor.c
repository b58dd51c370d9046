/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hsl-vendor-chip: an HSL chip of another maker, to develop against one that is not like hsl-chip. Its driver is the
 * example in kernel/examples/vendor-chip/.
 *
 *   -device hsl-vendor-chip,bus=rp2,fabric=fab0,node=2,memdev=mem2
 *
 * What it does differently, all of it allowed by docs/hep.md:
 *   ids         0x5645:0x0001 of nobody, revision 3
 *   BAR0        all of the memory, 64-bit prefetchable
 *   BAR2        0x00000 its own control page, 0x1000 MSI-X table, 0x2000 pending bits, 0x10000 the HEP register block
 *   BAR4        none: no windows
 *   features    7 queues of up to 256 entries, 4 vectors, commands up to 64 MiB; no REDUCE, COPY2D, COPY_LIST, moderation,
 *               shadow tails, modelled memory, counters, test facility
 *   power       the register block answers only while the control page says so: it is dark after power-on and after
 *               each reset, FLR too, until its driver writes POWER. Hence the DVSEC asks for its maker's driver.
 *
 * Control page, 32-bit registers, little-endian:
 *   0x0 ID      RO 0x31434556 ("VEC1")
 *   0x4 POWER   RW bit 0; 1 -> 0 resets the chip first
 *   0x8 STATE   RO bit 0: the register block answers
 *
 * Locking: the BQL, as hsl-chip.c.
 */
#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/units.h"
#include "hw/hsl/hsl.h"

#define TYPE_HSL_VENDOR_CHIP "hsl-vendor-chip"
OBJECT_DECLARE_TYPE(HslVendorChip, HslVendorChipClass, HSL_VENDOR_CHIP)

#define VENDOR_PCI_VENDOR   0x5645
#define VENDOR_PCI_DEVICE   0x0001
#define VENDOR_REVISION     3
#define VENDOR_REGS         0x10000
#define VENDOR_MSIX_TABLE   0x1000
#define VENDOR_MSIX_PBA     0x2000

#define VENDOR_CTL_BYTES    0x1000
#define VENDOR_CTL_ID       0x0
#define VENDOR_CTL_POWER    0x4
#define VENDOR_CTL_STATE    0x8
#define VENDOR_ID_VALUE     0x31434556u

#define VENDOR_CAP_CLEAR    (HSL_CAP_WINDOWS | HSL_CAP_MODELLED | HSL_CAP_CTF | HSL_CAP_COUNTERS | HSL_CAP_OP_REDUCE | \
                             HSL_CAP_OP_COPY2D | HSL_CAP_OP_COPY_LIST | HSL_CAP_MODERATION | HSL_CAP_SHADOW_TAIL | \
                             HSL_CAP_SENSORS)

struct HslVendorChip {
    HslChip parent_obj;

    MemoryRegion ctl;
    bool powered;
};

struct HslVendorChipClass {
    HslChipClass parent_class;

    DeviceRealize parent_realize;
    DeviceUnrealize parent_unrealize;
};

static void hsl_vendor_power(HslVendorChip *v, bool on)
{
    v->powered = on;
    memory_region_set_enabled(&HSL_CHIP(v)->regs, on);
}

static uint64_t hsl_vendor_ctl_read(void *opaque, hwaddr off, unsigned int size)
{
    HslVendorChip *v = opaque;

    switch (off) {
    case VENDOR_CTL_ID:
        return VENDOR_ID_VALUE;
    case VENDOR_CTL_POWER:
    case VENDOR_CTL_STATE:
        return v->powered;
    default:
        return 0;
    }
}

static void hsl_vendor_ctl_write(void *opaque, hwaddr off, uint64_t val, unsigned int size)
{
    HslVendorChip *v = opaque;

    if (off != VENDOR_CTL_POWER || v->powered == (val & 1)) {
        return;
    }
    if (v->powered) {
        hsl_chip_stop(HSL_CHIP(v));
    }
    hsl_vendor_power(v, val & 1);
}

static const MemoryRegionOps hsl_vendor_ctl_ops = {
    .read = hsl_vendor_ctl_read,
    .write = hsl_vendor_ctl_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { .min_access_size = 4, .max_access_size = 4 },
    .impl = { .min_access_size = 4, .max_access_size = 4 },
};

static void hsl_vendor_reset(HslChip *c)
{
    hsl_vendor_power(HSL_VENDOR_CHIP(c), false);
}

static void hsl_vendor_realize(DeviceState *dev, Error **errp)
{
    HslVendorChip *v = HSL_VENDOR_CHIP(dev);
    ERRP_GUARD();

    HSL_VENDOR_CHIP_GET_CLASS(v)->parent_realize(dev, errp);
    if (*errp) {
        return;
    }
    memory_region_init_io(&v->ctl, OBJECT(v), &hsl_vendor_ctl_ops, v, "hsl-vendor-ctl", VENDOR_CTL_BYTES);
    memory_region_add_subregion(&HSL_CHIP(v)->bar_regs, 0, &v->ctl);
    hsl_vendor_power(v, false);
}

static void hsl_vendor_unrealize(DeviceState *dev)
{
    HslVendorChip *v = HSL_VENDOR_CHIP(dev);

    memory_region_del_subregion(&HSL_CHIP(v)->bar_regs, &v->ctl);
    HSL_VENDOR_CHIP_GET_CLASS(v)->parent_unrealize(dev);
}

/* After the defaults of properties, before what the user says. */
static void hsl_vendor_init(Object *obj)
{
    HslChip *c = HSL_CHIP(obj);

    c->queues = 8;
    c->vectors = 4;
    c->windows = 0;
    c->max_depth = 256;
    c->max_len = 64 * MiB;
    c->ctf = false;
    c->cap_clear = VENDOR_CAP_CLEAR;
    c->vendor_id = VENDOR_PCI_VENDOR;
    c->device_id = VENDOR_PCI_DEVICE;
}

static void hsl_vendor_class_init(ObjectClass *oc, void *data)
{
    HslVendorChipClass *vc = HSL_VENDOR_CHIP_CLASS(oc);
    DeviceClass *dc = DEVICE_CLASS(oc);
    HslChipClass *cc = HSL_CHIP_CLASS(oc);

    cc->layout = (HslChipLayout) {
        .bar_regs = 2, .bar_mem = 0, .bar_win = HSL_DVSEC_BAR_NONE,
        .regs_off = VENDOR_REGS, .msix_table = VENDOR_MSIX_TABLE, .msix_pba = VENDOR_MSIX_PBA,
        .own_driver = true,
    };
    cc->reset = hsl_vendor_reset;
    PCI_DEVICE_CLASS(oc)->revision = VENDOR_REVISION;
    device_class_set_parent_realize(dc, hsl_vendor_realize, &vc->parent_realize);
    device_class_set_parent_unrealize(dc, hsl_vendor_unrealize, &vc->parent_unrealize);
    dc->desc = "HSL chip of another maker, emulated (HEP 1.0)";
}

static const TypeInfo hsl_vendor_info = {
    .name = TYPE_HSL_VENDOR_CHIP,
    .parent = TYPE_HSL_CHIP,
    .instance_size = sizeof(HslVendorChip),
    .instance_init = hsl_vendor_init,
    .class_size = sizeof(HslVendorChipClass),
    .class_init = hsl_vendor_class_init,
};

static void hsl_vendor_register(void)
{
    type_register_static(&hsl_vendor_info);
}
type_init(hsl_vendor_register)
