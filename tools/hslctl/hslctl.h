/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * hslctl: what is there, how it is connected, what is wrong. Every verb reads; only mem changes
 * anything that lasts, inject what lasts as long as it runs. JSON documents have schema hslctl/1
 * and name their verb.
 */
#ifndef HSLCTL_H
#define HSLCTL_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct hsl_fabric;
struct hsl_chip_props;
struct hsl_link_props;
struct json_object;
struct tool_table;

#define CTL_LINK_ALL UINT32_MAX

struct ctl_args {
	const char *url; /* NULL = libhsl's default */
	bool json;
	bool pci; /* list --pci */
	const char *action, *size; /* mem: online, offline or NULL; SIZE or NULL */
	uint32_t chip;		   /* mem: node id, 0 = the only one */
	bool force;		   /* mem offline: move what is in use */
	uint32_t node;		   /* 0: every chip */
	uint32_t link;		   /* CTL_LINK_ALL: every link */
	uint64_t interval_ns, for_ns; /* 0: not given */
	bool nonzero, watch;
	bool chinese;		   /* doctor */
	const char *file;	   /* capture -w, dump -o */
	char **word;		   /* what follows the verb */
	int nwords;
	char **command;		   /* what follows "--", NULL: nothing */
};

int ctl_list(const struct ctl_args *a);
int ctl_topo(const struct ctl_args *a);
int ctl_doctor(const struct ctl_args *a);
int ctl_mem(const struct ctl_args *a);
int ctl_stat(const struct ctl_args *a);
int ctl_link(const struct ctl_args *a);
int ctl_inject(const struct ctl_args *a);
int ctl_capture(const struct ctl_args *a);
int ctl_monitor(const struct ctl_args *a);
int ctl_dump(const struct ctl_args *a);

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
	bool own_driver; /* so is this: it needs its maker's */
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
const char *ctl_node_type(uint32_t type);

/* ---- util.c ---- */

/* Chips that --node names, in order of node ids; an exit code. free(*list). */
int ctl_chips(const struct ctl_args *a, struct hsl_fabric *f, struct hsl_chip_props **list,
	      unsigned int *n);
/* The same, 0 or -errno without a word; there may be none. */
int ctl_chips_now(const struct ctl_args *a, struct hsl_fabric *f, struct hsl_chip_props **list,
		  unsigned int *n);
/* The links of p that --link names: from *first to before *end; an exit code. */
int ctl_links(const struct ctl_args *a, const struct hsl_chip_props *p, uint32_t *first,
	      uint32_t *end);
/* "chip 2", or "not connected". */
#define CTL_PEER_LEN 24
const char *ctl_peer(const struct hsl_link_props *l, char buf[CTL_PEER_LEN]);
void ctl_peer_json(struct json_object *o, const struct hsl_link_props *l);
/* Lanes and rate in use, and what this end has where that is more: "8 of 16", "56.0 of 112.0". */
void ctl_cell_lanes(struct tool_table *t, const struct hsl_link_props *l);
void ctl_cell_gts(struct tool_table *t, const struct hsl_link_props *l);
/* null: not told */
void ctl_max_json(struct json_object *o, const char *key, uint32_t max);
/* A connected link of a chip: an exit code. */
int ctl_link_query(struct hsl_fabric *f, uint32_t node, uint32_t link, struct hsl_link_props *l);
/* Says why something of a chip cannot be had, which is mostly that it has failed; TOOL_ENV. */
int ctl_chip_error(struct hsl_fabric *f, uint32_t node, const char *what, int rc);
/* A chip whose driver answers nothing, as it has failed or is in reset, and that was not asked for: that it is left out is said. */
bool ctl_left_out(const struct ctl_args *a, struct hsl_fabric *f, const struct hsl_chip_props *p);
/* A chip that nobody needs, in D3hot: the driver says ready, as it is when it is used. Its registers and sensors wake it. */
bool ctl_asleep(const struct hsl_chip_props *p);
/* A counter by its name; false: the chip has none. */
bool ctl_counter(struct hsl_fabric *f, uint32_t node, uint32_t link, const char *name, uint64_t *v);

/*
 * What the sensors of a chip say; false: it has none, or does not answer. With s into o, with NULL that there are none.
 * "45 C", "97 C, throttled", "107 C, critical".
 */
struct hsl_sensors;
#define CTL_TEMP_LEN 32
bool ctl_sensors(struct hsl_fabric *f, uint32_t node, struct hsl_sensors *s);
void ctl_sensors_json(struct json_object *o, const struct hsl_sensors *s);
const char *ctl_temp(const struct hsl_sensors *s, char buf[CTL_TEMP_LEN]);

struct hsl_ctf;
/* hsl_ctf_open, and on failure why and what to do: an exit code. */
int ctl_ctf_open(struct hsl_fabric *f, uint32_t node, struct hsl_ctf **out);
/* What an error of hsl_ctf_command means. */
const char *ctl_ctf_error(int rc);

/*
 * Until ctrl-C, the end of --for or of the command after "--", whatever comes first. Where standard output is the product of the
 * verb, also until it cannot be written and, with neither of both, until nobody reads it any more. ctl_run_begin starts the
 * command; an exit code. ctl_run_wait is false when it is over; it returns after at most ms, and earlier when fd (or -1) is
 * readable. ctl_run_end: the exit status, which is the command's.
 */
struct ctl_run {
	int pid;	      /* 0: no command, or it has ended */
	int status;	      /* of the command, as an exit status */
	uint64_t deadline_ns; /* UINT64_MAX: none */
	bool product;	      /* standard output is it */
	bool reader;	      /* its end is the end */
};
int ctl_run_begin(struct ctl_run *r, const struct ctl_args *a, bool product);
bool ctl_run_wait(struct ctl_run *r, int fd, unsigned int ms);
int ctl_run_end(struct ctl_run *r);
uint64_t ctl_now_ns(void);

/* ---- event.c ---- */

#define CTL_EVENT_LEN 160
struct hsl_fabric_event;
/* What an event says, and its fields into o (NULL: none); false: it is not about what was asked for. */
bool ctl_event(const struct ctl_args *a, const struct hsl_fabric_event *e, char text[CTL_EVENT_LEN],
	       struct json_object *o);
void ctl_event_head(FILE *out);
void ctl_event_line(FILE *out, uint64_t seq, uint64_t time_ns, const char *text); /* seq 0: not the fabric's */

/* ---- screen.c ---- */

struct ctl_screen {
	bool live; /* on a terminal */
	FILE *frame;
	char *text; /* the last frame */
	size_t len;
};
void ctl_screen_begin(struct ctl_screen *s);
/* Where to write the next picture; it is shown by ctl_screen_show. */
FILE *ctl_screen_frame(struct ctl_screen *s);
void ctl_screen_show(struct ctl_screen *s);
void ctl_screen_end(struct ctl_screen *s); /* also of one that has not begun */

#endif
