// SPDX-License-Identifier: MIT OR Apache-2.0
/* Where it was measured: a number without this is worth little. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"
#include "json.h"

/* First line of a file, without its end; "" if there is none. */
static void first_line(const char *path, char *buf, size_t len)
{
	FILE *f = fopen(path, "re");

	buf[0] = '\0';
	if (!f)
		return;
	if (!fgets(buf, (int)len, f))
		buf[0] = '\0';
	buf[strcspn(buf, "\n")] = '\0';
	fclose(f);
}

void bench_cpu_model(char *buf, unsigned long len)
{
	FILE *f = fopen("/proc/cpuinfo", "re");
	char line[512];

	snprintf(buf, len, "unknown");
	while (f && fgets(line, sizeof(line), f)) {
		char *colon = strchr(line, ':');

		if (strncmp(line, "model name", 10) || !colon)
			continue;
		line[strcspn(line, "\n")] = '\0';
		snprintf(buf, len, "%s", colon + 1 + strspn(colon + 1, " "));
		break;
	}
	if (f)
		fclose(f);
}

bool bench_observable(const struct bench *b, const struct bench_result *r)
{
	return r ? r->observable && !r->baseline : b->config->observable;
}

const char *bench_basis(const struct bench *b, const struct bench_result *r)
{
	char model[128];

	if (b->config->hardware)
		return "hardware";
	/* the CPU's own work is instructions, a nanosecond each; a command on ordinary memory repeats the formula */
	if (bench_modelled(b))
		return bench_observable(b, r) ? "model-emergent" : "model-input";
	/* the baseline of a machine without a fabric is what that machine does; an emulated one says that it is */
	bench_cpu_model(model, sizeof(model));
	return b->f || strstr(model, "QEMU") ? "emulator-wall" : "hardware";
}

static void add_chip(struct json_object *list, const struct hsl_chip_props *p)
{
	struct json_object *o = tool_json_append(list, tool_json_object());
	char version[16];

	snprintf(version, sizeof(version), "%u.%u", p->hep_version >> 16, p->hep_version & 0xffff);
	tool_json_u64(o, "node", p->node);
	tool_json_str(o, "bus_address", p->bus_addr[0] ? p->bus_addr : NULL);
	tool_json_str(o, "driver", p->driver[0] ? p->driver : NULL);
	tool_json_str(o, "hep_version", version);
	tool_json_u64(o, "memory_bytes", p->mem_bytes);
	tool_json_u64(o, "max_depth", p->max_depth);
	tool_json_u64(o, "max_len_bytes", p->max_len_bytes);
}

static void add_fabric(struct json_object *o, const struct bench *b)
{
	struct hsl_chip_props p = { .size = sizeof(p) };
	struct json_object *chips;
	char id[40];

	if (!b->f) {
		tool_json_null(o, "fabric");
		tool_json_null(o, "backend");
		return;
	}
	snprintf(id, sizeof(id), "%016llx%016llx", (unsigned long long)b->info.fabric_id[1],
		 (unsigned long long)b->info.fabric_id[0]);
	tool_json_str(o, "fabric", tool_fabric_name(b->config->url));
	tool_json_str(o, "backend", b->info.backend);
	tool_json_str(o, "fabric_id", id);
	if (b->info.driver_abi) {
		char abi[16];

		snprintf(abi, sizeof(abi), "%u.%u", b->info.driver_abi >> 16,
			 b->info.driver_abi & 0xffff);
		tool_json_str(o, "driver_abi", abi);
	} else {
		tool_json_null(o, "driver_abi");
	}
	chips = tool_json_set(o, "chips", tool_json_array());
	for (unsigned int i = 0; i < b->info.nchips && !hsl_chip_by_index(b->f, i, &p); i++)
		add_chip(chips, &p);
}

struct json_object *bench_environment_json(const struct bench *b)
{
	struct json_object *o = tool_json_object();
	char text[256];
	struct utsname u;
	struct timespec res;
	time_t now = time(NULL);
	struct tm tm;

	add_fabric(o, b);
	snprintf(text, sizeof(text), "%d.%d.%d", HSL_VERSION_MAJOR, HSL_VERSION_MINOR,
		 HSL_VERSION_PATCH);
	tool_json_str(o, "hslbench", text);
	tool_json_str(o, "libhsl", hsl_version());
	snprintf(text, sizeof(text), "%d.%d", HSL_HEP_MAJOR, HSL_HEP_MINOR);
	tool_json_str(o, "hep", text);
	bench_cpu_model(text, sizeof(text));
	tool_json_str(o, "cpu_model", text);
	tool_json_i64(o, "cpus", sysconf(_SC_NPROCESSORS_ONLN));
	if (!uname(&u)) {
		snprintf(text, sizeof(text), "%s %s", u.sysname, u.release);
		tool_json_str(o, "kernel", text);
		tool_json_str(o, "machine", u.machine);
	}
	tool_json_str(o, "clock", "CLOCK_MONOTONIC");
	first_line("/sys/devices/system/clocksource/clocksource0/current_clocksource", text,
		   sizeof(text));
	tool_json_str(o, "clocksource", text[0] ? text : NULL);
	tool_json_u64(o, "clock_resolution_ns", clock_getres(CLOCK_MONOTONIC,
							     &res) ? 0 : (uint64_t)res.tv_nsec);
	tool_json_str(o, "time", gmtime_r(&now, &tm) && strftime(text, sizeof(text),
								 "%Y-%m-%dT%H:%M:%SZ", &tm) ? text : NULL);
	tool_json_u64(o, "seed", b->config->seed);
	tool_json_str(o, "command", b->config->command);
	tool_json_set(o, "noise", bench_noise_json(b));
	tool_json_u64(o, "link_replayed_flits", b->noise.links[0]);
	tool_json_u64(o, "link_retrains", b->noise.links[1]);
	tool_json_str(o, "host_memcpy_baseline", getenv("HSL_HOST_MEMCPY_BASELINE"));
	tool_json_bool(o, "interrupted", b->interrupted);
	return o;
}
