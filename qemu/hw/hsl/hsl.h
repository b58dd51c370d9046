/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * QEMU side of the HSL emulation: the fabric object, the chip device, and the rule by which the engine's threads and
 * QEMU's big lock (BQL) meet. Registers, queues, tables and data movement are the engine's (qemu/engine/).
 */
#ifndef HW_HSL_H
#define HW_HSL_H

#include "hw/hsl/compat.h"
#include "qemu/uuid.h"
#include "qom/object.h"
#include "engine/engine.h"

/* ---- hsl-bql.c ---- */

typedef void HslBqlFunc(void *opaque);

/* Once per process, under the BQL, before any other function here. */
void hsl_bql_init(void);
/*
 * Run fn under the BQL and wait for it; from any thread, which must not be in an RCU read section. Directly when the
 * caller has the BQL, else in the main loop or in whoever sits in hsl_bql_lend.
 */
void hsl_bql_call(HslBqlFunc *fn, void *opaque);
/*
 * Called under the BQL: run fn, which may wait for threads that are in hsl_bql_call, in another thread without the BQL,
 * serve those calls meanwhile, return when fn has.
 */
void hsl_bql_lend(HslBqlFunc *fn, void *opaque);

/* ---- hsl-fabric.c ---- */

#define TYPE_HSL_FABRIC "hsl-fabric"
OBJECT_DECLARE_SIMPLE_TYPE(HslFabric, HSL_FABRIC)

#define TYPE_HSL_CHIP "hsl-chip"
OBJECT_DECLARE_TYPE(HslChip, HslChipClass, HSL_CHIP)

struct HslFabric {
    Object parent_obj;

    /* properties, fixed after complete */
    char *topology;
    char *profile;                      /* NULL: the topology file's, or default */
    uint32_t nodes;                     /* 0: default */
    uint32_t host_node;
    uint32_t workers;
    bool modelled;
    bool modelled_time;
    char *remote;                       /* NULL: no link leaves it */
    uint64_t open;                      /* bytes of each chip, to the other program */
    uint32_t patience;                  /* s; 0: default */
    QemuUUID uuid;
    bool uuid_set;
    char *link_down;                    /* links held down: "1-2 2-3"; may be set at run time */
    char *capture;                      /* file that takes what links carry, "": none; so may this */
    char *inject;                       /* errors that were made last; so may this */

    struct hsl_fabric_engine *engine;
    Notifier machine_done;              /* until the chips are there: meets the other program */
    QEMUTimer *timer;                   /* modelled time: runs the engine and sends interrupts */
    bool in_timer;
    uint64_t owed_ps;                   /* of accesses, less than a nanosecond: not charged yet */
    HslChip **chips;                    /* [nodes + 1], by node id; guarded by the BQL */
    unsigned int nchips;
};

/* Both under the BQL. attach: false and *errp if the node is 0, too large or in use. */
bool hsl_fabric_attach(HslFabric *f, HslChip *chip, uint32_t node, Error **errp);
void hsl_fabric_detach(HslFabric *f, uint32_t node);
/* NULL if no such chip is present. */
HslChip *hsl_fabric_chip(HslFabric *f, uint32_t node);

/*
 * Run fn, a call of the engine that may wait for its threads: by hsl_bql_lend, or as it is where the engine has none.
 */
void hsl_fabric_call(HslFabric *f, HslBqlFunc *fn, void *opaque);

/* ---- hsl-time.c: modelled time ---- */

/* Into the engine's configuration; opaque is the fabric. */
uint64_t hsl_time_now_ps(void *opaque);
void hsl_time_due(void *opaque);
void hsl_time_init(HslFabric *f);
void hsl_time_exit(HslFabric *f);
/* False and *errp: this machine cannot have modelled time. */
bool hsl_time_check(Error **errp);
/* The CPU that is in a window's access has waited for it. */
void hsl_time_charge(HslFabric *f);

/* ---- hsl-chip.c ---- */

#define HSL_VECTORS_MAX     1024        /* what fits between HSL_MSIX_TABLE and HSL_MSIX_PBA */

/* What makers do differently, and the DVSEC and the MSI-X capability tell. */
typedef struct HslChipLayout {
    uint8_t bar_regs;                   /* 64-bit BARs: 0, 2 or 4 */
    uint8_t bar_mem;
    uint8_t bar_win;                    /* HSL_DVSEC_BAR_NONE: no window BAR; windows=0 then */
    uint32_t regs_off;                  /* register block in its BAR, a multiple of 64 KiB */
    uint32_t msix_table;                /* in the same BAR */
    uint32_t msix_pba;
    bool own_driver;                    /* generic drivers are told to leave it alone */
} HslChipLayout;

struct HslChipClass {
    PCIDeviceClass parent_class;

    HslChipLayout layout;
    void (*reset)(HslChip *c);          /* NULL, or called after each reset of the device */
};

typedef struct HslWindow {
    MemoryRegion io;                    /* what a modelled window shows a part of; lives as long as the chip */
    MemoryRegion mr;                    /* alias of a peer's memory, or of io */
    HslChip *c;
    unsigned int index;
    bool on;                            /* BQL */
} HslWindow;

struct HslChip {
    PCIDevice parent_obj;

    /* properties, fixed after realize */
    HslFabric *fabric;
    HostMemoryBackend *memdev;
    uint32_t node;
    uint32_t queues;
    uint32_t vectors;
    uint32_t windows;
    uint64_t aperture;                  /* bytes of BAR4; 0 until realize: twice the memory's */
    uint64_t max_len;                   /* 0: the engine's default */
    uint32_t hep_version;
    uint32_t max_depth;                 /* 0: the engine's default */
    uint64_t cap_clear;                 /* capabilities not to have */
    char *deviate;                      /* NULL, or how it is deliberately wrong: qemu/model/deviations.def */
    int32_t ambient;                    /* degrees Celsius around it; may be set at run time too */
    bool ctf;                           /* compliance test facility, where there is a modelled fabric */
    uint16_t vendor_id;
    uint16_t device_id;

    struct hsl_chip_engine *engine;     /* NULL before realize and after unplug */
    bool running;                       /* VM runs; BQL */
    bool dma;                           /* what the engine was told last; BQL */
    bool absent;                        /* does not answer on its bus; BQL */
    bool asleep;                        /* in D3hot; BQL */

    MemoryRegion bar_regs;              /* container: regs, MSI-X structures above or beside them */
    MemoryRegion regs;
    MemoryRegion bar_mem;               /* container of a power of two: mem */
    MemoryRegion mem;                   /* alias of the backend's memory */
    MemoryRegion bar_win;               /* container: windows in use */
    MemoryRegion hide[3];               /* over each of the three: enabled while absent or asleep */
    HslWindow window[HSL_WIN_MAX];
    unsigned int window_shift;

    QEMUBH *irq_bh;                     /* sends what is in irq_pending */
    DECLARE_BITMAP(irq_pending, HSL_VECTORS_MAX);   /* atomic: set by any thread, taken by irq_bh */
    VMChangeStateEntry *vm_state;
};

/* The memory of a chip, for aliases in windows of others. */
MemoryRegion *hsl_chip_memory(HslChip *chip);
/* Without the BQL. */
bool hsl_memory_has_clean(MemoryRegion *mr, uint64_t off, uint64_t len);
/* Under the BQL: registers at their defaults, queues gone, memory kept; as CTRL.RESET. */
void hsl_chip_stop(HslChip *chip);

/* ---- hsl-host.c: what the engine asks of the host of a chip ---- */

extern const struct hsl_chip_ops hsl_host_ops;

/* What is in irq_pending will be sent: soon, or when DMA is on. */
void hsl_host_interrupts_due(HslChip *c);
/* Bottom half of irq_bh. */
void hsl_host_send_interrupts(void *opaque);
/* Once, before the chip can be seen. */
void hsl_host_windows_init(HslChip *c);
/* Under the BQL. */
void hsl_host_window_off(HslChip *c, unsigned int index);
/* DMA of this chip goes through an IOMMU. */
bool hsl_host_has_iommu(HslChip *c);

#endif
