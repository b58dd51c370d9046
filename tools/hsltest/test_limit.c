/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* API: limits of one user, events of the fabric. */
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/hsl.h>

#include "hsltest.h"

#define MIB (1024 * 1024ull)
#define SOMEBODY 12345 /* a uid that nobody else uses */

/* ------------------------------------------------------------------ limits */

static const char *const parameters[] = { "max_contexts", "max_queues", "max_segments", "max_chip_mem_bytes" };
enum { CONTEXTS, QUEUES, SEGMENTS, CHIP_MEM, NPARAMETERS };

/* The old value, or UINT64_MAX. */
static uint64_t parameter_set(unsigned int i, uint64_t value)
{
	char path[96], old[32] = "", text[32];
	int fd, n;

	snprintf(path, sizeof(path), "/sys/module/hsl/parameters/%s", parameters[i]);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return UINT64_MAX;
	n = snprintf(text, sizeof(text), "%" PRIu64, value);
	if (read(fd, old, sizeof(old) - 1) <= 0 || pwrite(fd, text, (size_t)n, 0) != n)
		old[0] = 0;
	close(fd);
	return old[0] ? strtoull(old, NULL, 10) : UINT64_MAX;
}

/* As a user of its own: up to each limit, not beyond it, and again after giving back. */
static void limited(struct ht *t)
{
	struct hsl_queue_opts qo = { .size = sizeof(qo), .depth = 2 };
	uint32_t node = t->chip[0].node;
	struct hsl_queue *q[4];
	struct hsl_segment *s[9], *one;
	struct hsl_fabric *f[4];
	unsigned int round, i;
	int fds[4];

	for (i = 0; i < 4; i++) /* opened by root: the limit is of who opens, so they do not count */
		f[i] = NULL;
	if (setgid(SOMEBODY) || setuid(SOMEBODY))
		HT_FAIL_TEST(t, "setuid: %s", strerror(errno));
	for (round = 0; round < 3; round++) {
		for (i = 0; i < 3; i++)
			HT_OK(t, hsl_fabric_open(t->config->url, &f[i]));
		HT_RC(t, hsl_fabric_open(t->config->url, &f[3]), -EDQUOT);
		hsl_fabric_close(f[2]);
		HT_OK(t, hsl_fabric_open(t->config->url, &f[2]));
		/* all contexts of the user together */
		for (i = 0; i < 3; i++)
			HT_OK(t, hsl_queue_create(f[i], node, &qo, &q[i]));
		HT_RC(t, hsl_queue_create(f[1], node, &qo, &q[3]), -EDQUOT);
		hsl_queue_destroy(q[0]);
		HT_OK(t, hsl_queue_create(f[2], node, &qo, &q[0]));
		for (i = 0; i < 8; i++)
			HT_OK(t, hsl_segment_alloc(f[i % 3], node, 4096, NULL, &s[i]));
		HT_RC(t, hsl_segment_alloc(f[0], node, 4096, NULL, &s[8]), -EDQUOT);
		HT_RC(t, hsl_segment_register(f[0], f, 16, NULL, &s[8]), -EDQUOT);
		for (i = 0; i < 7; i++)
			HT_OK(t, hsl_segment_free(s[i]));
		/* memory: 4 MiB, less one page that s[7] has; charged until the last holder is gone */
		HT_RC(t, hsl_segment_alloc(f[0], node, 4 * MIB, NULL, &s[0]), -EDQUOT);
		HT_OK(t, hsl_segment_alloc(f[0], node, 4 * MIB - 4096, NULL, &s[0]));
		HT_RC(t, hsl_segment_alloc(f[1], node, 4096, NULL, &s[1]), -EDQUOT);
		HT_OK(t, hsl_segment_export(s[0], 0, 0, &fds[0]));
		HT_OK(t, hsl_segment_import(f[1], fds[0], 0, &one));
		close(fds[0]);
		HT_OK(t, hsl_segment_free(s[0]));
		HT_RC(t, hsl_segment_alloc(f[1], node, 4096, NULL, &s[1]), -EDQUOT);
		HT_OK(t, hsl_segment_free(one));
		for (i = 0; i < 3; i++) /* with what is open in them */
			hsl_fabric_close(f[i]);
		usleep(20000);
	}
	_exit(0);
}

static void limits(struct ht *t)
{
	static const uint64_t values[NPARAMETERS] = { 3, 3, 8, 4 * MIB };
	uint64_t old[NPARAMETERS];
	unsigned int i;
	int pid, status;

	for (i = 0; i < NPARAMETERS; i++) {
		old[i] = parameter_set(i, values[i]);
		if (old[i] == UINT64_MAX) {
			while (i--)
				parameter_set(i, old[i]);
			HT_SKIP_TEST(t, "parameters of the module hsl cannot be written");
		}
	}
	pid = fork();
	if (!pid) {
		/* the node may be closed to him, which is not the point */
		if (access(t->config->url ? t->config->url : "/dev/hsl0", R_OK | W_OK))
			_exit(0);
		limited(t);
	}
	waitpid(pid, &status, 0);
	for (i = 0; i < NPARAMETERS; i++)
		parameter_set(i, old[i]);
	if (t->shared->verdict != HT_NONE)
		_exit(0);
	HT_TRUE(t, WIFEXITED(status) && !WEXITSTATUS(status), "the test's child ended badly: %#x", status);
	ht_wait_free(t, t->chip[0].node, t->chip[0].mem_free_bytes, t->chip[0].nqueues_free);
}

/* ------------------------------------------------------------------ events */

static unsigned int events_take(struct ht *t, struct hsl_fabric *f, struct hsl_fabric_event *ev, unsigned int max,
				unsigned int want)
{
	int fd = hsl_event_fd(f), rc;
	unsigned int n = 0;

	HT_TRUE(t, fd >= 0, "hsl_event_fd: %s", ht_errno_name(fd));
	ht_progress(t);
	while (n < want && ht_readable(fd)) {
		rc = hsl_event_read(f, ev + n, max - n);
		HT_TRUE(t, rc >= 0, "hsl_event_read: %s", ht_errno_name(rc));
		n += (unsigned int)rc;
	}
	return n;
}

/* A reset is two events at least. Two readers see the same; one that comes later sees nothing of it. */
static void events(struct ht *t)
{
	enum { MAX = 512 };
	struct hsl_fabric_event *ev = calloc(2 * MAX, sizeof(*ev));
	struct hsl_fabric *f[2], *late;
	unsigned int n[2], i, k, lost = 0, resets;
	uint64_t first;
	int rc;

	HT_TRUE(t, ev, "no memory");
	for (k = 0; k < 2; k++) {
		f[k] = ht_open_again(t);
		HT_RC(t, hsl_event_read(f[k], ev, 1), 0);
	}
	for (i = 0; i < 3; i++)
		HT_OK(t, ht_chip_flr(t, &t->chip[0]));
	late = ht_open_again(t);
	HT_RC(t, hsl_event_read(late, ev, 1), 0);
	hsl_fabric_close(late);
	for (k = 0; k < 2; k++) {
		n[k] = events_take(t, f[k], ev + k * MAX, MAX, 6);
		HT_TRUE(t, n[k] >= 6, "%u events of 3 resets, expected 6 at least", n[k]);
		for (i = 0; i < n[k]; i++) {
			struct hsl_fabric_event *e = &ev[k * MAX + i];

			HT_EQ(t, "sequence number", e->seq, ev[k * MAX].seq + i);
			HT_TRUE(t, !i || e->time_ns >= e[-1].time_ns, "time of an event goes back");
			HT_TRUE(t, e->time_ns <= ht_now_ns(), "time of an event is in the future");
			if (e->type == HSL_FABRIC_EV_CHIP_STATE)
				HT_EQ(t, "node of the event", e->node, t->chip[0].node);
			else
				HT_EQ(t, "type of the event", e->type, HSL_FABRIC_EV_LINK);
		}
	}
	for (i = 0; i < 6; i++)
		HT_TRUE(t, !memcmp(&ev[i], &ev[MAX + i], sizeof(*ev)), "two readers see different events");
	/* f[0] sleeps through more than is kept, f[1] reads along */
	first = ev[n[0] - 1].seq + 1;
	for (resets = 0, n[1] = 0; resets < 400 && n[1] < 300; resets++) {
		HT_OK(t, ht_chip_flr(t, &t->chip[0]));
		n[1] += events_take(t, f[1], ev, MAX, 2);
	}
	for (n[0] = 0; n[0] < MAX; n[0] += (unsigned int)rc) {
		rc = hsl_event_read(f[0], ev + n[0], MAX - n[0]);
		HT_TRUE(t, rc >= 0, "hsl_event_read: %s", ht_errno_name(rc));
		if (!rc)
			break;
	}
	HT_TRUE(t, n[0] > 1, "%u events after %u resets", n[0], resets);
	HT_EQ(t, "type of the first event after more than are kept", ev[0].type, HSL_FABRIC_EV_OVERFLOW);
	lost = ev[0].value;
	HT_TRUE(t, lost > 0, "an overflow of 0 events");
	HT_EQ(t, "sequence number of the overflow: the last that was lost", ev[0].seq, first + lost - 1);
	for (i = 1; i < n[0]; i++) {
		HT_EQ(t, "sequence number", ev[i].seq, ev[0].seq + i);
		HT_TRUE(t, ev[i].type != HSL_FABRIC_EV_OVERFLOW, "a second overflow");
	}
	ht_note(t, "%u resets: %u events lost, %u kept", resets, lost, n[0] - 1);
	for (k = 0; k < 2; k++)
		hsl_fabric_close(f[k]);
	free(ev);
}

static void events_quiet(struct ht *t)
{
	struct hsl_fabric_event ev[4];
	struct pollfd p;

	HT_RC(t, hsl_event_read(t->f, ev, 4), 0);
	p = (struct pollfd){ .fd = hsl_event_fd(t->f), .events = POLLIN };
	HT_TRUE(t, p.fd >= 0, "hsl_event_fd: %s", ht_errno_name(p.fd));
	HT_EQ(t, "poll(2) without events", poll(&p, 1, 0), 0);
	HT_RC(t, hsl_event_read(t->f, ev, 0), 0);
}

/* ------------------------------------------------------------------ chip memory as a NUMA node */

/* What is online, by hslctl or whoever, is the upper end of the chip. All that is left can be allocated, and is below it. */
static void online_apart(struct ht *t)
{
	struct hsl_chip_props p = { .size = sizeof(p) };
	unsigned long long online, found = 0;
	struct hsl_segment *s;
	struct dirent *e;
	char path[400];
	unsigned int i;
	FILE *f;
	DIR *d;

	for (i = 0; i < t->nchips; i++) {
		HT_OK(t, hsl_chip_by_node(t->f, t->chip[i].node, &p));
		/* hsl<N>-<node> */
		d = opendir("/sys/bus/hsl/devices");
		online = 0;
		while (d && (e = readdir(d))) {
			const char *dash = strrchr(e->d_name, '-');

			if (!dash || strtoul(dash + 1, NULL, 10) != p.node)
				continue;
			snprintf(path, sizeof(path), "/sys/bus/hsl/devices/%s/mem_online_bytes", e->d_name);
			f = fopen(path, "r");
			if (!f || fscanf(f, "%llu", &online) != 1)
				online = 0;
			if (f)
				fclose(f);
		}
		if (d)
			closedir(d);
		if (!online)
			continue;
		found++;
		HT_TRUE(t, online <= p.mem_bytes && p.mem_free_bytes <= p.mem_bytes - online,
			"chip %u: %llu bytes online and %" PRIu64 " free of %" PRIu64, p.node, online, p.mem_free_bytes, p.mem_bytes);
		HT_OK(t, hsl_segment_alloc(t->f, p.node, p.mem_free_bytes, NULL, &s));
		HT_TRUE(t, HSL_GA_OFFSET(hsl_segment_ga(s)) + hsl_segment_len(s) <= p.mem_bytes - online,
			"chip %u: a segment at GA %#" PRIx64 " in memory that is online", p.node, hsl_segment_ga(s));
		HT_OK(t, hsl_segment_free(s));
		HT_RC(t, hsl_segment_alloc(t->f, p.node, p.mem_bytes - online + 4096, NULL, &s), -ENOSPC);
	}
	if (!found)
		HT_SKIP_TEST(t, "no chip memory is online (hslctl mem online)");
}

const struct ht_test ht_tests_limit[] = {
	{ "HEP-MAP-022", "online_apart", "memory that is online is in no segment", online_apart, HT_F_KERNEL, 120 },
	{ "HEP-API-011", "limits", "limits of a user are EDQUOT and give back", limits, HT_F_KERNEL | HT_F_ROOT, 0 },
	{ "HEP-API-012", "events_quiet", "without events there are none, and nothing waits", events_quiet, 0, 0 },
	{ "HEP-API-012", "events", "in order, consecutive, one overflow with the count", events, HT_F_RESET, 300 },
	{ 0 }
};
