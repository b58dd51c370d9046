// SPDX-License-Identifier: MIT OR Apache-2.0
/* hslctl: which chips and links a verb is about, and how long it runs. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "exit.h"
#include "file.h"
#include "hsl/hsl.h"
#include "hslctl.h"
#include "json.h"
#include "stop.h"
#include "table.h"

int ctl_chips_now(const struct ctl_args *a, struct hsl_fabric *f, struct hsl_chip_props **list,
		  unsigned int *n)
{
	struct hsl_fabric_info info = { .size = sizeof(info) };
	int rc;

	*list = NULL;
	*n = 0;
	rc = hsl_fabric_info(f, &info);
	if (rc)
		return rc;
	*list = tool_calloc(info.nchips + 1, sizeof(**list));
	for (unsigned int i = 0; i < info.nchips && !rc; i++) {
		struct hsl_chip_props *p = &(*list)[*n];

		p->size = sizeof(*p);
		rc = hsl_chip_by_index(f, i, p);
		if (!rc && (!a->node || p->node == a->node))
			++*n;
	}
	return rc == -ENOENT || rc == -ENODEV ? 0 : rc; /* those: one left while we looked */
}

int ctl_chips(const struct ctl_args *a, struct hsl_fabric *f, struct hsl_chip_props **list,
	      unsigned int *n)
{
	int rc = ctl_chips_now(a, f, list, n);

	if (rc)
		tool_error("%s: %s", tool_fabric_name(a->url), strerror(-rc));
	else if (!*n && a->node)
		tool_error("%s: there is no chip %u", tool_fabric_name(a->url), a->node);
	else if (!*n)
		tool_error("%s: no chips", tool_fabric_name(a->url));
	else
		return TOOL_PASS;
	free(*list);
	*list = NULL;
	return TOOL_ENV;
}

int ctl_links(const struct ctl_args *a, const struct hsl_chip_props *p, uint32_t *first,
	      uint32_t *end)
{
	*first = 0;
	*end = p->nlinks;
	if (a->link == CTL_LINK_ALL)
		return TOOL_PASS;
	if (a->link >= p->nlinks) {
		tool_error("chip %u has no link %u: it has %u", p->node, a->link, p->nlinks);
		return TOOL_ENV;
	}
	*first = a->link;
	*end = a->link + 1;
	return TOOL_PASS;
}

const char *ctl_peer(const struct hsl_link_props *l, char buf[CTL_PEER_LEN])
{
	if (l->peer)
		snprintf(buf, CTL_PEER_LEN, "%s %u", ctl_node_type(l->peer_type), l->peer);
	else
		snprintf(buf, CTL_PEER_LEN, "not connected");
	return buf;
}

void ctl_peer_json(struct json_object *o, const struct hsl_link_props *l)
{
	if (l->peer) {
		tool_json_u64(o, "peer", l->peer);
		tool_json_str(o, "peer_type", ctl_node_type(l->peer_type));
	} else {
		tool_json_null(o, "peer");
		tool_json_null(o, "peer_type");
	}
}

void ctl_cell_lanes(struct tool_table *t, const struct hsl_link_props *l)
{
	if (l->width && l->width < l->max_width)
		tool_table_cell(t, "%u of %u", l->width, l->max_width);
	else
		tool_table_cell(t, "%u", l->width);
}

void ctl_cell_gts(struct tool_table *t, const struct hsl_link_props *l)
{
	if (l->rate_mtps && l->rate_mtps < l->max_rate_mtps)
		tool_table_cell(t, "%.1f of %.1f", l->rate_mtps / 1000.0, l->max_rate_mtps / 1000.0);
	else
		tool_table_cell(t, "%.1f", l->rate_mtps / 1000.0);
}

void ctl_max_json(struct json_object *o, const char *key, uint32_t max)
{
	if (max)
		tool_json_u64(o, key, max);
	else
		tool_json_null(o, key);
}

int ctl_link_query(struct hsl_fabric *f, uint32_t node, uint32_t link, struct hsl_link_props *l)
{
	int rc;

	*l = (struct hsl_link_props){ .size = sizeof(*l) };
	rc = hsl_link_query(f, node, link, l);
	if (!rc)
		return TOOL_PASS;
	return ctl_chip_error(f, node, "its links", rc);
}

int ctl_chip_error(struct hsl_fabric *f, uint32_t node, const char *what, int rc)
{
	struct hsl_chip_props p = { .size = sizeof(p) };

	if (rc == -ENODEV && hsl_chip_by_node(f, node, &p))
		tool_error("chip %u has left", node);
	else if (rc != -ENODEV || !tool_chip_failed(&p))
		tool_error("chip %u: %s: %s", node, what, strerror(-rc));
	return TOOL_ENV;
}

bool ctl_left_out(const struct ctl_args *a, struct hsl_fabric *f, const struct hsl_chip_props *p)
{
	struct hsl_link_props l = { .size = sizeof(l) };

	if (a->node || !p->state || !p->nlinks || hsl_link_query(f, p->node, 0, &l) != -ENODEV)
		return false;
	tool_error("chip %u is left out: %s", p->node, ctl_chip_state(p->state));
	return true;
}

bool ctl_counter(struct hsl_fabric *f, uint32_t node, uint32_t link, const char *name, uint64_t *v)
{
	uint64_t all[64];
	int n = hsl_counters(f, node, link, all, 64);

	for (unsigned int i = 0; n > 0 && i < (unsigned int)n && i < 64; i++) {
		if (strcmp(hsl_counter_name(link, i), name))
			continue;
		*v = all[i];
		return true;
	}
	return false;
}

bool ctl_asleep(const struct hsl_chip_props *p)
{
	char path[128], *text;
	bool asleep;
	size_t len;

	if (!p->bus_addr[0])
		return false;
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/power/runtime_status", p->bus_addr);
	text = tool_file_read(path, &len);
	asleep = text && !strcmp(text, "suspended\n");
	free(text);
	return asleep;
}

bool ctl_sensors(struct hsl_fabric *f, uint32_t node, struct hsl_sensors *s)
{
	*s = (struct hsl_sensors){ .size = sizeof(*s) };
	return !hsl_chip_sensors(f, node, s);
}

void ctl_sensors_json(struct json_object *o, const struct hsl_sensors *s)
{
	o = tool_json_set(o, "sensors", s ? tool_json_object() : NULL);
	if (!s)
		return;
	tool_json_i64(o, "temp_mc", s->temp_mc);
	tool_json_i64(o, "temp_max_mc", s->temp_max_mc);
	tool_json_i64(o, "temp_crit_mc", s->temp_crit_mc);
	tool_json_u64(o, "power_mw", s->power_mw);
	tool_json_bool(o, "throttled", s->thermal & HSL_THERMAL_THROTTLED);
	tool_json_bool(o, "critical", s->thermal & HSL_THERMAL_CRITICAL);
}

const char *ctl_temp(const struct hsl_sensors *s, char buf[CTL_TEMP_LEN])
{
	snprintf(buf, CTL_TEMP_LEN, "%.0f C%s", s->temp_mc / 1e3,
		 s->thermal & HSL_THERMAL_CRITICAL  ? ", critical" :
		 s->thermal & HSL_THERMAL_THROTTLED ? ", throttled" :
						      "");
	return buf;
}

/* ---- test facility ---- */

static int no_facility(struct hsl_fabric *f, uint32_t node)
{
	struct hsl_chip_props p = { .size = sizeof(p) };

	if (!hsl_chip_by_node(f, node, &p) && !(p.cap & HSL_CAP_CTF)) {
		tool_error("chip %u has no test facility", node);
		return TOOL_ENV;
	}
	tool_error("chip %u: its driver does not offer the test facility", node);
	fprintf(stderr, "Is debugfs mounted (mount -t debugfs debugfs /sys/kernel/debug), and hsl.ko built without "
			"HSL_TEST_FACILITY=n?\n");
	return TOOL_ENV;
}

int ctl_ctf_open(struct hsl_fabric *f, uint32_t node, struct hsl_ctf **out)
{
	int rc = hsl_ctf_open(f, node, out);

	switch (rc) {
	case 0: return TOOL_PASS;
	case -EOPNOTSUPP: return no_facility(f, node);
	case -EACCES: tool_error("chip %u: its test facility is for root", node); break;
	case -EBUSY: tool_error("chip %u: another program has its test facility", node); break;
	case -ENOENT: tool_error("there is no chip %u", node); break;
	default: return ctl_chip_error(f, node, "its test facility", rc);
	}
	return TOOL_ENV;
}

const char *ctl_ctf_error(int rc)
{
	switch (rc) {
	case -EOPNOTSUPP: return "the chip cannot do that";
	case -EINVAL: return "an argument is out of the chip's bounds";
	case -EHOSTUNREACH: return "there is no such link";
	case -ESHUTDOWN: return "the chip was reset, which has ended its test mode";
	case -ENODEV: return "the chip has failed or left";
	default: return strerror(-rc);
	}
}

/* ---- how long ---- */

uint64_t ctl_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

int ctl_run_begin(struct ctl_run *r, const struct ctl_args *a, bool product)
{
	*r = (struct ctl_run){
		.deadline_ns = a->for_ns ? ctl_now_ns() + a->for_ns : UINT64_MAX,
		.product = product,
		.reader = product && !a->for_ns && !a->command,
	};
	tool_stop_install();
	if (!a->command)
		return TOOL_PASS;
	if (!strncmp(tool_fabric_name(a->url), "sim:", 4) && !strstr(tool_fabric_name(a->url), "remote="))
		tool_error("the chips of %s are in this process: %s does not see them", tool_fabric_name(a->url), a->command[0]);
	fflush(NULL);
	r->pid = fork();
	if (r->pid < 0) {
		tool_error("cannot fork: %s", strerror(errno));
		r->pid = 0;
		return TOOL_ENV;
	}
	if (!r->pid) {
		execvp(a->command[0], a->command);
		tool_error("%s: %s", a->command[0], strerror(errno));
		_exit(errno == ENOENT ? 127 : 126);
	}
	return TOOL_PASS;
}

static void reap(struct ctl_run *r, int options)
{
	int status;

	if (waitpid(r->pid, &status, options) != r->pid)
		return;
	r->pid = 0;
	r->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

bool ctl_run_wait(struct ctl_run *r, int fd, unsigned int ms)
{
	/* nothing is waited for at standard output: what comes is the reader's end */
	struct pollfd p[] = { { .fd = r->reader ? STDOUT_FILENO : -1 }, { .fd = fd, .events = POLLIN } };
	uint64_t now = ctl_now_ns(), left;
	bool command = r->pid;

	if (tool_stopped() || now >= r->deadline_ns || (r->product && ferror(stdout)))
		return false;
	left = (r->deadline_ns - now + 999999) / 1000000;
	/* the end of the command is looked for often: it has no descriptor everywhere */
	if (command && ms > 10)
		ms = 10;
	poll(p, 2, (int)(left < ms ? left : ms));
	if (command)
		reap(r, WNOHANG);
	return !(command && !r->pid) && !tool_stopped() && !p[0].revents;
}

int ctl_run_end(struct ctl_run *r)
{
	if (r->pid) {
		/* ctrl-C has reached it as well, TERM and the end of --for have not */
		if (tool_stop_signal != SIGINT)
			kill(r->pid, SIGTERM);
		while (r->pid)
			reap(r, 0);
	}
	return r->status;
}
