// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * The PCI view, by libpci. libpci ends the program when it finds no way to the bus; its error
 * callback jumps out of it here instead, so that a machine without PCI (a container, an unusual
 * board) is a result like any other.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <pci/pci.h>

#include "exit.h"
#include "hsl/regs.h"
#include "hslctl.h"
#include "json.h"

#define EXT_CAP_DVSEC 0x23
#define MSIX_FLAGS 2
#define MSIX_ENABLE 0x8000
#define MSIX_TABSIZE 0x07ff
#define EXT_CAP_START 0x100

static jmp_buf failed;

static void __attribute__((noreturn)) on_error(char *msg, ...)
{
	(void)msg;
	longjmp(failed, 1);
}

static void on_message(char *msg, ...)
{
	(void)msg;
}

static void read_dvsec(struct pci_dev *d, struct ctl_pci *p)
{
	unsigned int off = EXT_CAP_START, hops;
	uint8_t probe[4];
	uint32_t head, bars;

	p->dvsec = CTL_DVSEC_UNREADABLE;
	if (!pci_read_block(d, EXT_CAP_START, probe, 4))
		return;
	p->dvsec = CTL_DVSEC_NONE;
	/* at most as many capabilities as fit */
	for (hops = 0; off >= EXT_CAP_START && off <= 4096 - HSL_DVSEC_LEN && hops < 480; hops++) {
		head = pci_read_long(d, (int)off);
		if (!head || head == ~0u)
			return;
		if ((head & 0xffff) == EXT_CAP_DVSEC &&
		    (pci_read_long(d, (int)off + 4) & 0xffff) == HSL_DVSEC_VENDOR &&
		    pci_read_word(d, (int)off + 8) == HSL_DVSEC_ID) {
			p->dvsec = CTL_DVSEC_FOUND;
			p->hep_minor = pci_read_byte(d, (int)off + HSL_DVSEC_O_HEP);
			p->hep_major = pci_read_byte(d, (int)off + HSL_DVSEC_O_HEP + 1);
			p->node = pci_read_long(d, (int)off + HSL_DVSEC_O_NODE);
			bars = pci_read_long(d, (int)off + HSL_DVSEC_O_BARS);
			p->bir[0] = HSL_DVSEC_BARS_REGS(bars);
			p->bir[1] = HSL_DVSEC_BARS_MEM(bars);
			p->bir[2] = HSL_DVSEC_BARS_WIN(bars);
			p->own_driver = bars & HSL_DVSEC_BARS_OWN_DRIVER;
			return;
		}
		off = head >> 20;
	}
}

static void read_caps(struct pci_dev *d, struct ctl_pci *p)
{
	struct pci_cap *cap;
	uint8_t probe[4];
	uint16_t v;

	/* to others than root the kernel shows the first 64 bytes only */
	p->caps_readable = pci_read_block(d, 0x40, probe, 4);
	if (!p->caps_readable)
		return;
	cap = pci_find_cap(d, PCI_CAP_ID_MSIX, PCI_CAP_NORMAL);
	if (cap) {
		v = pci_read_word(d, (int)cap->addr + MSIX_FLAGS);
		p->msix = true;
		p->msix_on = v & MSIX_ENABLE;
		p->msix_vectors = (v & MSIX_TABSIZE) + 1u;
	}
	p->aer = pci_find_cap(d, PCI_EXT_CAP_ID_AER, PCI_CAP_EXTENDED) != NULL;
}

static void read_function(struct pci_dev *d, struct ctl_pci *p)
{
	const char *s;
	uint16_t cmd;
	int i;

	memset(p, 0, sizeof(*p));
	snprintf(p->addr, sizeof(p->addr), "%04x:%02x:%02x.%x", (unsigned int)d->domain & 0xffff,
		 d->bus, d->dev, d->func);
	p->vendor = d->vendor_id;
	p->device = d->device_id;
	p->class_id = d->device_class;
	for (i = 0; i < CTL_BARS; i++) {
		p->bar_base[i] = d->base_addr[i] & ~(pciaddr_t)0xf;
		p->bar_bytes[i] = d->size[i];
	}
	s = pci_get_string_property(d, PCI_FILL_DRIVER);
	snprintf(p->driver, sizeof(p->driver), "%s", s ? s : "");
	s = pci_get_string_property(d, PCI_FILL_IOMMU_GROUP);
	p->iommu_group = s ? atoi(s) : -1;
	cmd = pci_read_word(d, PCI_COMMAND);
	p->memory_on = cmd & PCI_COMMAND_MEMORY;
	p->master_on = cmd & PCI_COMMAND_MASTER;
	read_dvsec(d, p);
	read_caps(d, p);
}

static int by_addr(const void *a, const void *b)
{
	return strcmp(((const struct ctl_pci *)a)->addr, ((const struct ctl_pci *)b)->addr);
}

int ctl_pci_scan(struct ctl_pci **out, unsigned int *foreign)
{
	/* changed between setjmp and longjmp: volatile */
	struct ctl_pci *volatile list = NULL;
	volatile int n = 0, room = 0;
	struct pci_access *volatile acc;
	struct pci_dev *d;

	*out = NULL;
	*foreign = 0;
	acc = pci_alloc();
	acc->error = on_error;
	acc->warning = on_message;
	acc->debug = on_message;
	if (setjmp(failed)) {
		free(list);
		return -ENODEV; /* acc is in an unknown state: left alone, the program ends soon */
	}
	pci_init(acc);
	pci_scan_bus(acc);
	for (d = acc->devices; d; d = d->next) {
		struct ctl_pci p;

		pci_fill_info(d, PCI_FILL_IDENT | PCI_FILL_CLASS | PCI_FILL_BASES | PCI_FILL_SIZES |
					 PCI_FILL_CAPS | PCI_FILL_EXT_CAPS | PCI_FILL_DRIVER |
					 PCI_FILL_IOMMU_GROUP);
		if (d->device_class != HSL_PCI_CLASS)
			continue;
		read_function(d, &p);
		if (p.dvsec == CTL_DVSEC_NONE ||
		    (p.dvsec == CTL_DVSEC_UNREADABLE && strcmp(p.driver, "hsl_pci") &&
		     (p.vendor != HSL_PCI_VENDOR_ID || p.device != HSL_PCI_DEVICE_ID))) {
			++*foreign;
			continue;
		}
		if (n == room) {
			struct ctl_pci *more;

			room = room ? 2 * room : 8;
			more = tool_calloc((unsigned long)room, sizeof(*more));
			if (n)
				memcpy(more, list, (size_t)n * sizeof(*more));
			free(list);
			list = more;
		}
		list[n++] = p;
	}
	pci_cleanup(acc);
	if (n)
		qsort(list, (size_t)n, sizeof(*list), by_addr);
	*out = list;
	return n;
}

struct json_object *ctl_pci_json(const struct ctl_pci *list, int n)
{
	struct json_object *a = tool_json_array(), *o, *bars, *b;
	char id[16];
	int i, k;

	for (i = 0; i < n; i++) {
		const struct ctl_pci *p = &list[i];
		bool dvsec = p->dvsec == CTL_DVSEC_FOUND;

		o = tool_json_append(a, tool_json_object());
		tool_json_str(o, "bus_addr", p->addr);
		snprintf(id, sizeof(id), "%04x:%04x", p->vendor, p->device);
		tool_json_str(o, "pci_id", id);
		tool_json_str(o, "driver", p->driver[0] ? p->driver : NULL);
		if (p->dvsec == CTL_DVSEC_UNREADABLE)
			tool_json_null(o, "dvsec");
		else
			tool_json_bool(o, "dvsec", dvsec);
		if (dvsec) {
			char hep[24];

			snprintf(hep, sizeof(hep), "%u.%u", p->hep_major, p->hep_minor);
			tool_json_str(o, "hep_version", hep);
			tool_json_u64(o, "node", p->node);
		} else {
			tool_json_null(o, "hep_version");
			tool_json_null(o, "node");
		}
		bars = tool_json_set(o, "bars", tool_json_array());
		for (k = 0; k < CTL_BARS; k++) {
			if (!p->bar_bytes[k])
				continue;
			b = tool_json_append(bars, tool_json_object());
			tool_json_u64(b, "bar", (uint64_t)k);
			tool_json_u64(b, "address", p->bar_base[k]);
			tool_json_u64(b, "size_bytes", p->bar_bytes[k]);
		}
		tool_json_bool(o, "memory_decode", p->memory_on);
		tool_json_bool(o, "bus_master", p->master_on);
		if (p->caps_readable) {
			tool_json_bool(o, "msix", p->msix);
			tool_json_bool(o, "msix_enabled", p->msix_on);
			tool_json_bool(o, "aer", p->aer);
		} else {
			tool_json_null(o, "msix");
			tool_json_null(o, "msix_enabled");
			tool_json_null(o, "aer");
		}
		if (p->iommu_group >= 0)
			tool_json_i64(o, "iommu_group", p->iommu_group);
		else
			tool_json_null(o, "iommu_group");
	}
	return a;
}
