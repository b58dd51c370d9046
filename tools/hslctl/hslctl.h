/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * hslctl: what is there, how it is connected, what is wrong. Every verb reads, and only mem
 * changes anything. JSON documents have schema hslctl/1 and name their verb.
 */
#ifndef HSLCTL_H
#define HSLCTL_H

#include <stdbool.h>
#include <stdint.h>

struct json_object;

struct ctl_args {
	const char *url; /* NULL = libhsl's default */
	bool json;
	bool pci; /* list --pci */
	const char *action, *size; /* mem: online, offline or NULL; SIZE or NULL */
	uint32_t chip;		   /* mem: node id, 0 = the only one */
	bool force;		   /* mem offline: move what is in use */
};

int ctl_list(const struct ctl_args *a);
int ctl_topo(const struct ctl_args *a);
int ctl_doctor(const struct ctl_args *a);
int ctl_mem(const struct ctl_args *a);

/* An object with schema and verb. */
struct json_object *ctl_document(const char *verb);
/* Writes and frees the document; the exit code to return is code, or TOOL_ENV when writing fails.
 */
int ctl_document_end(struct json_object *doc, int code);

/* ---- pci.c: functions that are or may be HSL chips, by libpci; needs no driver ---- */

#define CTL_BARS 6

enum ctl_dvsec {
	CTL_DVSEC_FOUND,
	CTL_DVSEC_NONE,
	CTL_DVSEC_UNREADABLE, /* not root: extended configuration space is not shown */
};

struct ctl_pci {
	char addr[16]; /* 0000:01:00.0 */
	uint16_t vendor, device, class_id;
	enum ctl_dvsec dvsec;
	uint32_t hep_major, hep_minor, node; /* of the DVSEC */
	uint32_t bir[3];		     /* registers, memory, windows */
	uint64_t bar_base[CTL_BARS], bar_bytes[CTL_BARS];
	char driver[32]; /* empty: none bound */
	bool memory_on, master_on;
	bool caps_readable;
	bool msix, msix_on;
	uint32_t msix_vectors;
	bool aer;
	int iommu_group; /* -1: no IOMMU in use */
};

/*
 * Chips into list: functions with the HSL DVSEC, and where that cannot be read those of class
 * 0x1200 that have the provisional ids or hsl_pci bound. Others of class 0x1200 are counted in
 * *foreign. The number found (free(*list)), or -ENODEV where there is no PCI to look at.
 */
int ctl_pci_scan(struct ctl_pci **list, unsigned int *foreign);
struct json_object *ctl_pci_json(const struct ctl_pci *list, int n);

const char *ctl_chip_state(uint32_t state);
const char *ctl_link_state(uint32_t state);

#endif
