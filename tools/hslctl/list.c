// SPDX-License-Identifier: MIT OR Apache-2.0
/* hslctl list: the chips of a fabric, and with --pci the functions on the bus. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/hsl.h>

#include "exit.h"
#include "hsl/hsl.h"
#include "hslctl.h"
#include "json.h"
#include "size.h"
#include "table.h"

static unsigned int links_up(struct hsl_fabric *f, const struct hsl_chip_props *p)
{
	struct hsl_link_props l = { .size = sizeof(l) };
	unsigned int i, n = 0;

	for (i = 0; i < p->nlinks; i++)
		n += !hsl_link_query(f, p->node, i, &l) && l.peer &&
		     (l.state == HSL_LTSSM_L0 || l.state == HSL_LTSSM_L1);
	return n;
}

/* What is shown of a chip. One that sleeps is not woken for it. */
struct shown {
	struct hsl_chip_props p;
	const char *state;
	bool asleep;
	bool links;				/* they can be asked: neither asleep nor failed */
	unsigned int links_up;
	struct hsl_sensors value;
	const struct hsl_sensors *sensors;	/* NULL: none, or asleep */
};

static void look(struct hsl_fabric *f, struct shown *s)
{
	s->asleep = ctl_asleep(&s->p);
	s->state = s->asleep ? "asleep" : ctl_chip_state(s->p.state);
	s->links = !s->asleep && s->p.state != HSL_CHIP_FAILED;
	s->links_up = s->links ? links_up(f, &s->p) : 0;
	s->sensors = !s->asleep && ctl_sensors(f, s->p.node, &s->value) ? &s->value : NULL;
}

static void chip_json(struct json_object *list, const struct shown *s)
{
	const struct hsl_chip_props *p = &s->p;
	struct json_object *o = tool_json_append(list, tool_json_object());
	char hep[24];

	snprintf(hep, sizeof(hep), "%u.%u", p->hep_version >> 16, p->hep_version & 0xffff);
	tool_json_u64(o, "node", p->node);
	tool_json_str(o, "bus_addr", p->bus_addr[0] ? p->bus_addr : NULL);
	tool_json_str(o, "state", s->state);
	tool_json_u64(o, "mem_bytes", p->mem_bytes);
	tool_json_u64(o, "mem_free_bytes", p->mem_free_bytes);
	tool_json_u64(o, "queues", p->nqueues);
	tool_json_u64(o, "queues_free", p->nqueues_free);
	tool_json_u64(o, "max_depth", p->max_depth);
	tool_json_u64(o, "max_len_bytes", p->max_len_bytes);
	tool_json_u64(o, "capabilities", p->cap);
	tool_json_str(o, "hep_version", hep);
	tool_json_str(o, "driver", p->driver[0] ? p->driver : NULL);
	if (p->numa_node >= 0)
		tool_json_i64(o, "numa_node", p->numa_node);
	else
		tool_json_null(o, "numa_node");
	tool_json_u64(o, "links", p->nlinks);
	if (s->links)
		tool_json_u64(o, "links_up", s->links_up);
	else
		tool_json_null(o, "links_up");
	ctl_sensors_json(o, s->sensors);
}

static void chip_row(struct tool_table *t, const struct shown *s)
{
	const struct hsl_chip_props *p = &s->p;
	char size[TOOL_SIZE_LEN], temp[CTL_TEMP_LEN];

	tool_table_row(t);
	tool_table_cell(t, "%u", p->node);
	tool_table_cell(t, p->bus_addr[0] ? "%s" : NULL, p->bus_addr);
	tool_table_cell(t, "%s", s->state);
	tool_table_cell(t, "%s", tool_size_format(p->mem_bytes, size, sizeof(size)));
	tool_table_cell(t, "%s", tool_size_format(p->mem_free_bytes, size, sizeof(size)));
	tool_table_cell(t, "%u/%u", p->nqueues_free, p->nqueues);
	tool_table_cell(t, s->links ? "%u/%u" : NULL, s->links_up, p->nlinks);
	tool_table_cell(t, s->sensors ? "%s" : NULL, s->sensors ? ctl_temp(s->sensors, temp) : "");
	tool_table_cell(t, "%u.%u", p->hep_version >> 16, p->hep_version & 0xffff);
	tool_table_cell(t, p->driver[0] ? "%s" : NULL, p->driver);
}

static struct tool_table *chip_table(const struct ctl_args *a, const struct hsl_fabric_info *info)
{
	struct tool_table *t;
	char title[256];

	snprintf(title, sizeof(title),
		 "Fabric %016" PRIx64 "%016" PRIx64 " (%s, %s): %u chip%s, host node %u",
		 info->fabric_id[1], info->fabric_id[0], tool_fabric_name(a->url), info->backend,
		 info->nchips, info->nchips == 1 ? "" : "s", info->host_node);
	t = tool_table_new(title);
	tool_table_column(t, "node", NULL, TOOL_RIGHT);
	tool_table_column(t, "bus address", NULL, TOOL_LEFT);
	tool_table_column(t, "state", NULL, TOOL_LEFT);
	tool_table_column(t, "memory", NULL, TOOL_RIGHT);
	tool_table_column(t, "free", NULL, TOOL_RIGHT);
	tool_table_column(t, "queues free", NULL, TOOL_RIGHT);
	tool_table_column(t, "links up", NULL, TOOL_RIGHT);
	tool_table_column(t, "temp", NULL, TOOL_LEFT);
	tool_table_column(t, "HEP", NULL, TOOL_LEFT);
	tool_table_column(t, "driver", NULL, TOOL_LEFT);
	return t;
}

static int list_fabric(const struct ctl_args *a, struct hsl_fabric *f, struct json_object *doc)
{
	struct hsl_fabric_info info = { .size = sizeof(info) };
	struct json_object *o, *chips;
	struct tool_table *t;
	char id[40];
	uint32_t i;
	int rc;

	rc = hsl_fabric_info(f, &info);
	if (rc) {
		tool_error("%s: %s", tool_fabric_name(a->url), strerror(-rc));
		return TOOL_ENV;
	}
	o = tool_json_set(doc, "fabric", tool_json_object());
	snprintf(id, sizeof(id), "%016" PRIx64 "%016" PRIx64, info.fabric_id[1], info.fabric_id[0]);
	tool_json_str(o, "url", tool_fabric_name(a->url));
	tool_json_str(o, "id", id);
	tool_json_str(o, "backend", info.backend);
	tool_json_u64(o, "host_node", info.host_node);
	if (info.driver_abi)
		tool_json_u64(o, "driver_abi", info.driver_abi);
	else
		tool_json_null(o, "driver_abi");
	chips = tool_json_set(doc, "chips", tool_json_array());
	t = chip_table(a, &info);
	for (i = 0; i < info.nchips; i++) {
		struct shown s = { .p.size = sizeof(s.p) };

		rc = hsl_chip_by_index(f, i, &s.p);
		if (rc == -ENOENT || rc == -ENODEV)
			break; /* one left while we looked */
		if (rc) {
			tool_error("chip index %u: %s", i, strerror(-rc));
			tool_table_free(t);
			return TOOL_ENV;
		}
		look(f, &s);
		chip_json(chips, &s);
		chip_row(t, &s);
	}
	if (!a->json)
		tool_table_print(t, stdout);
	tool_table_free(t);
	return TOOL_PASS;
}

static int list_pci(const struct ctl_args *a, struct json_object *doc)
{
	unsigned int foreign, unreadable = 0;
	struct ctl_pci *list;
	struct tool_table *t;
	char size[TOOL_SIZE_LEN];
	int n, i;

	n = ctl_pci_scan(&list, &foreign);
	if (n < 0) {
		tool_json_null(doc, "pci");
		if (!a->json)
			printf("\nNo PCI bus can be seen from here.\n");
		return n;
	}
	tool_json_set(doc, "pci", ctl_pci_json(list, n));
	tool_json_u64(doc, "pci_foreign", foreign);
	t = tool_table_new("PCI functions");
	tool_table_column(t, "bus address", NULL, TOOL_LEFT);
	tool_table_column(t, "id", NULL, TOOL_LEFT);
	tool_table_column(t, "DVSEC", NULL, TOOL_LEFT);
	tool_table_column(t, "node", NULL, TOOL_RIGHT);
	tool_table_column(t, "memory BAR", NULL, TOOL_RIGHT);
	tool_table_column(t, "driver", NULL, TOOL_LEFT);
	for (i = 0; i < n; i++) {
		const struct ctl_pci *p = &list[i];
		bool dvsec = p->dvsec == CTL_DVSEC_FOUND;
		uint32_t bir = dvsec && p->bir[1] < CTL_BARS ? p->bir[1] : HSL_BAR_MEM;

		unreadable += p->dvsec == CTL_DVSEC_UNREADABLE;
		tool_table_row(t);
		tool_table_cell(t, "%s", p->addr);
		tool_table_cell(t, "%04x:%04x", p->vendor, p->device);
		if (dvsec)
			tool_table_cell(t, "HEP %u.%u", p->hep_major, p->hep_minor);
		else
			tool_table_cell(t, "not readable");
		if (dvsec)
			tool_table_cell(t, "%u", p->node);
		else
			tool_table_cell(t, NULL);
		tool_table_cell(t, "%s", tool_size_format(p->bar_bytes[bir], size, sizeof(size)));
		tool_table_cell(t, "%s", p->driver[0] ? p->driver : "none");
	}
	if (unreadable)
		tool_table_note(
			t,
			"The DVSEC is in extended configuration space, which is shown to root only.");
	if (foreign)
		tool_table_note(t, "%u other function%s of class 0x1200 without an HSL DVSEC%s.",
				foreign, foreign == 1 ? "" : "s",
				geteuid() ? " that could be read" : "");
	if (!a->json) {
		putchar('\n');
		if (n || foreign)
			tool_table_print(t, stdout);
		else
			printf("No PCI function of class 0x1200.\n");
	}
	tool_table_free(t);
	free(list);
	return n;
}

int ctl_list(const struct ctl_args *a)
{
	struct json_object *doc = ctl_document("list");
	struct hsl_fabric *f;
	int code, n;

	code = tool_fabric_open(a->url, &f);
	if (code == TOOL_PASS) {
		code = list_fabric(a, f, doc);
		hsl_fabric_close(f);
	} else {
		tool_json_null(doc, "fabric");
		tool_json_set(doc, "chips", tool_json_array());
	}
	if (code != TOOL_USAGE && (a->pci || (code != TOOL_PASS && !a->json &&
					      (!a->url || strncmp(a->url, "sim:", 4))))) {
		/* without a fabric the bus may show why; asked for, it is an answer in itself */
		n = list_pci(a, doc);
		if (a->pci && n > 0)
			code = TOOL_PASS;
	}
	if (!a->json) {
		tool_json_free(doc);
		return code;
	}
	if (code != TOOL_PASS) {
		tool_json_free(doc);
		return code;
	}
	return ctl_document_end(doc, code);
}
