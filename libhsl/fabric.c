// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Fabric: opening by URL, closing, and what all sized structs of the API share.
 *
 * A fabric object is one context. It owns its segments and queues through two lists; closing frees what is
 * still on them, queues first, so that no command runs when segments go.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "priv.h"

#define STR_(x)	#x
#define STR(x)	STR_(x)

const char *hsl_version(void)
{
	return STR(HSL_VERSION_MAJOR) "." STR(HSL_VERSION_MINOR) "." STR(HSL_VERSION_PATCH);
}

int hslp_opts_in(void *dst, size_t dst_size, size_t min, const void *src)
{
	size_t size;

	memcpy(&size, src, sizeof(size));
	if (size < min)
		return -EINVAL;
	if (size > 4096)
		return -E2BIG;
	for (size_t i = dst_size; i < size; i++)
		if (((const unsigned char *)src)[i])
			return -E2BIG;
	memset(dst, 0, dst_size);
	memcpy(dst, src, size < dst_size ? size : dst_size);
	return 0;
}

int hslp_props_out(void *dst, const void *src, size_t src_size)
{
	const size_t head = sizeof(size_t);
	size_t size, known;

	if (!dst)
		return -EINVAL;
	memcpy(&size, dst, sizeof(size));
	if (size < head || size > 4096)
		return -EINVAL;
	known = size < src_size ? size : src_size;
	memcpy((char *)dst + head, (const char *)src + head, known - head);
	memset((char *)dst + known, 0, size - known);
	return 0;
}

/* Path of the /dev/hsl<N> with the lowest N. */
static int first_device(char *path, size_t path_size)
{
	struct dirent *e;
	long best = -1;
	DIR *d = opendir("/dev");

	while (d && (e = readdir(d))) {
		char *end;
		long n;

		if (strncmp(e->d_name, "hsl", 3) || e->d_name[3] < '0' || e->d_name[3] > '9')
			continue;
		n = strtol(e->d_name + 3, &end, 10);
		if (!*end && (best < 0 || n < best))
			best = n;
	}
	if (d)
		closedir(d);
	if (best < 0) {
		hslp_err("there is no /dev/hsl<N>: is the module loaded (modprobe hsl_pci)? Without hardware: "
			 "HSL_FABRIC=sim:mesh4");
		return -ENODEV;
	}
	snprintf(path, path_size, "/dev/hsl%ld", best);
	return 0;
}

int hsl_fabric_open(const char *url, struct hsl_fabric **out)
{
	struct hsl_fabric *f;
	char path[32];
	int err;

	if (!out)
		return -EINVAL;
	if (!url)
		url = getenv("HSL_FABRIC");
	if (!url || !*url) {
		err = first_device(path, sizeof(path));
		if (err)
			return err;
		url = path;
	}

	f = calloc(1, sizeof(*f));
	if (!f)
		return -ENOMEM;
	f->fd = -1;
	if (!strncmp(url, "sim:", 4)) {
		err = hslp_sim_open(f, url + 4);
	} else if (!strncmp(url, "plugin:", 7)) {
		err = hslp_plugin_open(f, url + 7);
	} else if (url[0] == '/') {
		err = hslp_kernel_open(f, url);
	} else {
		hslp_err("%s: a fabric is /dev/hsl<N>, sim:TOPO<N>, sim:FILE or plugin:FILE.so", url);
		err = -EINVAL;
	}
	if (err)
		goto free_fabric;
	err = -pthread_mutex_init(&f->lock, NULL);
	if (err)
		goto close_backend;
	hslp_debug("%s: open, backend %s, context %u", url, f->ops->name, f->info.ctx_index);
	*out = f;
	return 0;

close_backend:
	f->ops->close(f);
free_fabric:
	free(f);
	return err;
}

void hsl_fabric_close(struct hsl_fabric *f)
{
	if (!f)
		return;
	hslp_ctf_free_all(f);
	hslp_queue_free_all(f);
	hslp_segment_free_all(f);
	hslp_window_free_all(f);
	f->ops->close(f);
	pthread_mutex_destroy(&f->lock);
	free(f);
}

int hsl_clock_ns(struct hsl_fabric *f, uint64_t *ns)
{
	struct timespec ts;

	if (!f || !ns)
		return -EINVAL;
	if (f->ops->clock)
		return f->ops->clock(f, ns);
	if (clock_gettime(CLOCK_MONOTONIC, &ts))
		return -errno;
	*ns = (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
	return 0;
}

int hsl_fabric_info(struct hsl_fabric *f, struct hsl_fabric_info *info)
{
	struct hsl_info i = { .size = sizeof(i), .abi_version = HSL_ABI_VERSION };
	struct hsl_fabric_info p = { 0 };
	int err;

	if (!f || !info)
		return -EINVAL;
	err = f->ops->info(f, &i);
	if (err)
		return err;
	p.fabric_id[0] = i.fabric_id[0];
	p.fabric_id[1] = i.fabric_id[1];
	p.nchips = i.nchips;
	p.host_node = i.host_node;
	p.ga_offset_bits = i.ga_offset_bits;
	p.page_size_bytes = i.page_size;
	p.ctx_index = i.ctx_index;
	p.driver_abi = i.abi_version;
	snprintf(p.backend, sizeof(p.backend), "%s", f->ops->name);
	return hslp_props_out(info, &p, sizeof(p));
}
