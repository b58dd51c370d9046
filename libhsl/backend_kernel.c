// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * The kernel backend: /dev/hsl<N>. This file is the only one that calls ioctl, in one function, and the only one that
 * maps the device.
 *
 * fork: rings and doorbell pages are MADV_DONTFORK, so that a child which forgets that the context is its parent's
 * gets SIGSEGV instead of writing into the parent's rings. Mapped segments are inherited, as the uAPI says.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <glob.h>
#include <grp.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "priv.h"

/* the first driver that knows HSL_QUEUE_SHADOW */
#define HSL_ABI_SHADOW	(HSL_ABI_MAJOR << 16 | 2)

/* The one system call of the driver's ABI: 0 or -errno. */
static int call(int fd, unsigned long nr, void *arg)
{
	return ioctl(fd, nr, arg) < 0 ? -errno : 0;
}

static void kernel_close(struct hsl_fabric *f)
{
	close(f->fd);
}

static int kernel_info(struct hsl_fabric *f, struct hsl_info *i)
{
	return call(f->fd, HSL_IOC_INFO, i);
}

static int kernel_chip_info(struct hsl_fabric *f, struct hsl_chip_info *c)
{
	return call(f->fd, HSL_IOC_CHIP_INFO, c);
}

static int kernel_link_info(struct hsl_fabric *f, struct hsl_link_info *l)
{
	return call(f->fd, HSL_IOC_LINK_INFO, l);
}

static int kernel_segment_alloc(struct hsl_fabric *f, struct hsl_segment_alloc *a)
{
	if (a->ga)
		return -ENOENT;		/* no chip of a driver shares memory with another program's */
	return call(f->fd, HSL_IOC_SEGMENT_ALLOC, a);
}

static int kernel_segment_register(struct hsl_fabric *f, struct hsl_segment_register *r)
{
	return call(f->fd, HSL_IOC_SEGMENT_REGISTER, r);
}

static int kernel_segment_free(struct hsl_fabric *f, uint32_t handle)
{
	struct hsl_segment_free a = { .size = sizeof(a), .handle = handle };

	return call(f->fd, HSL_IOC_SEGMENT_FREE, &a);
}

static int kernel_segment_info(struct hsl_fabric *f, struct hsl_segment_info *i)
{
	return call(f->fd, HSL_IOC_SEGMENT_INFO, i);
}

static int kernel_segment_export(struct hsl_fabric *f, struct hsl_segment_export *e)
{
	return call(f->fd, HSL_IOC_SEGMENT_EXPORT, e);
}

static int kernel_segment_import(struct hsl_fabric *f, struct hsl_segment_import *i)
{
	return call(f->fd, HSL_IOC_SEGMENT_IMPORT, i);
}

static int kernel_segment_revoke(struct hsl_fabric *f, uint32_t handle)
{
	struct hsl_segment_revoke r = { .size = sizeof(r), .handle = handle };

	return call(f->fd, HSL_IOC_SEGMENT_REVOKE, &r);
}

static int kernel_event_fd(struct hsl_fabric *f)
{
	return f->fd;
}

static int kernel_event_read(struct hsl_fabric *f, struct hsl_fabric_event *ev, unsigned int n)
{
	ssize_t got;

	do
		got = read(f->fd, ev, (size_t)n * sizeof(*ev));
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return errno == EAGAIN ? 0 : -errno;
	return (int)((size_t)got / sizeof(*ev));
}

/* ---- files beside the device: counters in sysfs, the door to the test facility in debugfs ---- */

/* "hsl0", as sysfs and debugfs call the open device. */
static int device_name(struct hsl_fabric *f, char *name, size_t size)
{
	char link[64], target[256];
	const char *base;
	struct stat st;
	ssize_t n;

	if (fstat(f->fd, &st))
		return -errno;
	snprintf(link, sizeof(link), "/sys/dev/char/%u:%u", major(st.st_rdev), minor(st.st_rdev));
	n = readlink(link, target, sizeof(target) - 1);
	if (n < 0)
		return errno == ENOENT ? -ENODEV : -errno;
	target[n] = '\0';
	base = strrchr(target, '/');
	snprintf(name, size, "%s", base ? base + 1 : target);
	return 0;
}

static int read_u64(const char *path, uint64_t *value)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), err = 0;
	char text[32];
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, text, sizeof(text) - 1);
	if (n < 0)
		err = -errno;
	close(fd);
	if (err)
		return err;
	text[n] = '\0';
	return sscanf(text, "%" SCNu64, value) == 1 ? 0 : -EPROTO;
}

/* The chip's directory in sysfs. */
static int chip_dir(struct hsl_fabric *f, uint32_t node, char *dir, size_t size)
{
	char device[32];
	int err = device_name(f, device, sizeof(device));

	if (!err)
		snprintf(dir, size, "/sys/bus/hsl/devices/%s-%u", device, node);
	return err;
}

/* A file there was not found: nor was the chip? */
static int no_file(const char *chip)
{
	return access(chip, F_OK) ? -ENODEV : -EOPNOTSUPP;
}

static int kernel_counter(struct hsl_fabric *f, const struct hslp_counter *at, uint64_t *value)
{
	char chip[96], dir[32] = "counters", path[192];
	int err;

	err = chip_dir(f, at->node, chip, sizeof(chip));
	if (err)
		return err;
	if (at->link != HSL_COUNTERS_CHIP)
		snprintf(dir, sizeof(dir), "counters_link%u", at->link);
	snprintf(path, sizeof(path), "%s/%s/%s", chip, dir, at->name);
	err = read_u64(path, value);
	return err == -ENOENT ? no_file(chip) : err;
}

/* The chip's parent may have other hwmon devices too; ours says so. */
static bool is_ours(const char *hwmon)
{
	char path[512], name[8] = "";
	FILE *f;

	snprintf(path, sizeof(path), "%s/name", hwmon);
	f = fopen(path, "re");
	if (!f)
		return false;
	if (!fgets(name, sizeof(name), f))
		name[0] = '\0';
	fclose(f);
	return !strcmp(name, "hsl\n");
}

/* The hwmon device is one of the chip's parent. */
static int kernel_sensors(struct hsl_fabric *f, uint32_t node, struct hsl_sensors *s)
{
	static const char *const names[] = { "temp1_input", "temp1_max", "temp1_crit", "power1_input", "temp1_max_alarm", "temp1_crit_alarm" };
	uint64_t v[sizeof(names) / sizeof(names[0])];
	char chip[96], path[512];
	size_t at = 0;
	glob_t g;
	int err;

	err = chip_dir(f, node, chip, sizeof(chip));
	if (err)
		return err;
	snprintf(path, sizeof(path), "%s/../hwmon/hwmon*", chip);
	switch (glob(path, 0, NULL, &g)) {
	case 0:
		break;
	case GLOB_NOSPACE:
		return -ENOMEM;
	case GLOB_ABORTED:
		return -EIO;
	default:
		return no_file(chip);
	}
	while (at < g.gl_pathc && !is_ours(g.gl_pathv[at]))
		at++;
	if (at == g.gl_pathc)
		err = -ENOENT;
	for (size_t i = 0; !err && i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", g.gl_pathv[at], names[i]);
		err = read_u64(path, &v[i]);
	}
	globfree(&g);
	if (err)
		return err == -ENOENT ? no_file(chip) : err;
	/* a negative one has wrapped */
	s->temp_mc = (int32_t)v[0];
	s->temp_max_mc = (int32_t)v[1];
	s->temp_crit_mc = (int32_t)v[2];
	s->power_mw = (uint32_t)(v[3] / 1000);
	s->thermal = (v[4] ? HSL_THERMAL_THROTTLED : 0) | (v[5] ? HSL_THERMAL_CRITICAL : 0);
	return 0;
}

static int kernel_ctf_open(struct hsl_fabric *f, struct hsl_ctf *c)
{
	char device[32], path[96];
	int err;

	err = device_name(f, device, sizeof(device));
	if (err)
		return err;
	snprintf(path, sizeof(path), "/sys/kernel/debug/hsl/%s/chip%u/ctf", device, c->node);
	c->fd = open(path, O_RDWR | O_CLOEXEC);
	if (c->fd >= 0)
		return 0;
	switch (errno) {
	case ENOENT:
		return -EOPNOTSUPP;
	case EPERM:
		return -EACCES;
	default:
		return -errno;
	}
}

static void kernel_ctf_close(struct hsl_ctf *c)
{
	close(c->fd);
}

/* All of it or nothing, says the driver. */
static int kernel_ctf_read(struct hsl_ctf *c, uint32_t off, void *buf, size_t len)
{
	return pread(c->fd, buf, len, off) < 0 ? -errno : 0;
}

static int kernel_ctf_write(struct hsl_ctf *c, uint32_t off, const void *buf, size_t len)
{
	return pwrite(c->fd, buf, len, off) < 0 ? -errno : 0;
}

static int map_file(int fd, uint64_t offset, size_t len, int prot, void **ptr)
{
	void *p = mmap(NULL, len, prot, MAP_SHARED, fd, (off_t)offset);

	if (p == MAP_FAILED)
		return -errno;
	*ptr = p;
	return 0;
}

static int kernel_segment_map(struct hsl_fabric *f, const struct hsl_segment *s, int prot, void *at, void **ptr)
{
	size_t len = hslp_round_up(s->len_bytes, f->info.page_size);
	void *p = NULL;
	int err;

	/* the file offset of the context file is the GA */
	err = map_file(f->fd, s->ga, len, prot, &p);
	if (err)
		return err;
	if (!at) {
		*ptr = p;
		return 0;
	}
	/* not mmap with MAP_FIXED: when the driver refuses, that has already taken away what was at the place */
	if (mremap(p, len, len, MREMAP_MAYMOVE | MREMAP_FIXED, at) == MAP_FAILED) {
		err = -errno;
		munmap(p, len);
		return err;
	}
	*ptr = at;
	return 0;
}

static bool part_fits(const struct hsl_queue_create *c, uint64_t offset, uint64_t bytes, uint32_t align)
{
	return offset % align == 0 && bytes <= c->ring_bytes && offset <= c->ring_bytes - bytes;
}

static bool rings_fit(const struct hsl_queue_create *c)
{
	return c->ring_bytes <= SIZE_MAX && part_fits(c, c->ctrl_offset, sizeof(struct hsl_queue_ctrl), 64) &&
	       part_fits(c, c->sq_offset, (uint64_t)c->depth * sizeof(struct hsl_desc), 64) &&
	       part_fits(c, c->cq_offset, (uint64_t)c->depth * sizeof(struct hsl_cqe), 32) &&
	       part_fits(c, c->shadow_offset, sizeof(struct hsl_queue_shadow), HSL_QUEUE_SHADOW_ALIGN);
}

static int kernel_queue_create(struct hsl_fabric *f, struct hsl_queue *q)
{
	struct hsl_queue_create c = { .size = sizeof(c), .node = q->node, .depth = q->depth };
	char *ring;
	int err;

	if (f->info.abi_version < HSL_ABI_SHADOW)
		c.size = offsetof(struct hsl_queue_create, shadow_offset);
	else if (!(q->flags & HSL_QUEUE_F_SYSCALL))
		c.flags = HSL_QUEUE_SHADOW;
	err = call(f->fd, HSL_IOC_QUEUE_CREATE, &c);
	if (err)
		return err;
	if (!rings_fit(&c)) {
		hslp_err("queue: the driver's ring layout does not hold %u descriptors", q->depth);
		err = -EPROTO;
		goto close_queue;
	}
	q->ring_bytes = (size_t)c.ring_bytes;
	err = map_file(c.fd, HSL_QUEUE_MMAP_RINGS, q->ring_bytes, PROT_READ | PROT_WRITE, &q->ring_map);
	if (err)
		goto close_queue;
	madvise(q->ring_map, q->ring_bytes, MADV_DONTFORK);
	if (c.doorbell_bytes && !(q->flags & HSL_QUEUE_F_SYSCALL)) {
		q->doorbell_bytes = c.doorbell_bytes;
		err = map_file(c.fd, HSL_QUEUE_MMAP_DOORBELL, q->doorbell_bytes, PROT_READ | PROT_WRITE,
			       &q->doorbell_map);
		if (err)
			goto unmap_rings;
		madvise(q->doorbell_map, q->doorbell_bytes, MADV_DONTFORK);
		q->doorbell = q->doorbell_map;
	}
	ring = q->ring_map;
	q->ctrl = (struct hsl_queue_ctrl *)(void *)(ring + c.ctrl_offset);
	q->sq = (struct hsl_desc *)(void *)(ring + c.sq_offset);
	q->cq = (const struct hsl_cqe *)(void *)(ring + c.cq_offset);
	if (c.shadow_offset)
		q->shadow = (struct hsl_queue_shadow *)(void *)(ring + c.shadow_offset);
	q->fd = c.fd;
	return 0;

unmap_rings:
	munmap(q->ring_map, q->ring_bytes);
close_queue:
	close(c.fd);
	return err;
}

static void kernel_queue_destroy(struct hsl_queue *q)
{
	if (q->doorbell_map)
		munmap(q->doorbell_map, q->doorbell_bytes);
	munmap(q->ring_map, q->ring_bytes);
	close(q->fd);
}

static int kernel_queue_doorbell(struct hsl_queue *q, uint32_t sq_tail)
{
	struct hsl_queue_kick k = { .size = sizeof(k), .sq_tail = sq_tail };

	return call(q->fd, HSL_IOC_QUEUE_KICK, &k);
}

static int kernel_queue_arm(struct hsl_queue *q, uint32_t cq_head)
{
	struct hsl_queue_kick k = { .size = sizeof(k), .flags = HSL_KICK_ARM, .sq_tail = q->sq_tail,
				    .cq_head = cq_head };
	int err = call(q->fd, HSL_IOC_QUEUE_KICK, &k);

	return err == -ENODEV ? -ESHUTDOWN : err;
}

static int kernel_queue_eventfd(struct hsl_queue *q, int fd)
{
	struct hsl_queue_eventfd e = { .size = sizeof(e), .fd = fd };

	return call(q->fd, HSL_IOC_QUEUE_EVENTFD, &e);
}

static int kernel_queue_abort(struct hsl_queue *q)
{
	struct hsl_queue_abort a = { .size = sizeof(a) };

	return call(q->fd, HSL_IOC_QUEUE_ABORT, &a);
}

static void kernel_queue_refresh(struct hsl_queue *q)
{
	/* the driver keeps ctrl true by itself */
	(void)q;
}

static const struct hsl_backend_ops kernel_ops = {
	.name = "kernel",
	.close = kernel_close,
	.info = kernel_info,
	.chip_info = kernel_chip_info,
	.link_info = kernel_link_info,
	.counter = kernel_counter,
	.sensors = kernel_sensors,
	.ctf_open = kernel_ctf_open,
	.ctf_close = kernel_ctf_close,
	.ctf_read = kernel_ctf_read,
	.ctf_write = kernel_ctf_write,
	.segment_alloc = kernel_segment_alloc,
	.segment_register = kernel_segment_register,
	.segment_free = kernel_segment_free,
	.segment_info = kernel_segment_info,
	.segment_map = kernel_segment_map,
	.segment_export = kernel_segment_export,
	.segment_import = kernel_segment_import,
	.segment_revoke = kernel_segment_revoke,
	.event_fd = kernel_event_fd,
	.event_read = kernel_event_read,
	.queue_create = kernel_queue_create,
	.queue_destroy = kernel_queue_destroy,
	.queue_doorbell = kernel_queue_doorbell,
	.queue_arm = kernel_queue_arm,
	.queue_eventfd = kernel_queue_eventfd,
	.queue_abort = kernel_queue_abort,
	.queue_refresh = kernel_queue_refresh,
};

/* Who may open it, in words, for the message about EACCES. */
static void explain_permission(const char *path)
{
	struct group g, *found = NULL;
	char buf[1024], gid[32];
	struct stat st;

	if (stat(path, &st)) {
		hslp_err("%s: no permission", path);
		return;
	}
	getgrgid_r(st.st_gid, &g, buf, sizeof(buf), &found);
	snprintf(gid, sizeof(gid), "%u", (unsigned int)st.st_gid);
	if ((st.st_mode & 060) == 060)
		hslp_err("%s: no permission: its mode is %04o and you are not in group %s (usermod -aG %s USER)", path,
			 (unsigned int)(st.st_mode & 07777), found ? g.gr_name : gid, found ? g.gr_name : gid);
	else
		hslp_err("%s: no permission: its mode is %04o, which lets only its owner (uid %u) in", path,
			 (unsigned int)(st.st_mode & 07777), (unsigned int)st.st_uid);
}

static int explain_open(const char *path, int err)
{
	switch (err) {
	case EACCES:
	case EPERM:
		explain_permission(path);
		return -EACCES;
	case ENOENT:
	case ENXIO:
	case ENODEV:
		hslp_err("%s: no such device: is the module loaded (modprobe hsl_pci), and are there chips (hslctl "
			 "doctor)?", path);
		return -ENODEV;
	default:
		hslp_err("%s: %s", path, strerror(err));
		return -err;
	}
}

static int handshake(const char *path, int fd, struct hsl_info *i)
{
	int err;

	*i = (struct hsl_info){ .size = sizeof(*i), .abi_version = HSL_ABI_VERSION };
	err = call(fd, HSL_IOC_INFO, i);
	if (err == -EPROTO) {
		hslp_err("%s: the driver has ABI %u.%u, this library (%s) needs %u.x: install the two of one release",
			 path, i->abi_version >> 16, i->abi_version & 0xffff, hsl_version(), HSL_ABI_MAJOR);
		return -EPROTO;
	}
	if (err == -ENOTTY) {
		hslp_err("%s: not an HSL device", path);
		return -ENODEV;
	}
	if (err)
		hslp_err("%s: version query failed: %s", path, strerror(-err));
	else if (!i->page_size || (i->page_size & (i->page_size - 1)))
		err = -EPROTO;
	return err;
}

int hslp_kernel_open(struct hsl_fabric *f, const char *path)
{
	int err;

	/* O_NONBLOCK concerns the reading of events only */
	f->fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (f->fd < 0)
		return explain_open(path, errno);
	err = handshake(path, f->fd, &f->info);
	if (err) {
		close(f->fd);
		f->fd = -1;
		return err;
	}
	f->ops = &kernel_ops;
	return 0;
}
