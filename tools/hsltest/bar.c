/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A chip's registers and configuration space through sysfs, as root, while its driver runs. Tests
 * that use this never change what a driver in operation depends on, except the ones that need
 * --disruptive.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hsltest.h"
#include "libhsl/raw.h"

#define CFG_BYTES 4096

static void sysfs_path(const struct hsl_chip_props *chip, const char *file, char *path, size_t len)
{
	snprintf(path, len, "/sys/bus/pci/devices/%s/%s", chip->bus_addr, file);
}

static int file_write(const char *path, const char *text)
{
	FILE *f = fopen(path, "we");

	if (!f)
		return -errno;
	fputs(text, f);
	fclose(f);	/* EIO: the driver has no delay */
	return 0;
}

uint64_t ht_bar_bytes(struct ht *t, const struct hsl_chip_props *chip, unsigned int bar)
{
	char file[32], path[128];
	uint64_t bytes;
	struct stat st;

	if (t->sim && bar == HSL_BAR_REGS)
		return hslp_raw_bar0_bytes(t->f, chip->node);
	if (t->sim && bar == HSL_BAR_MEM) {
		hslp_raw_memory(t->f, chip->node, &bytes);
		return bytes;
	}
	snprintf(file, sizeof(file), "resource%u", bar);
	sysfs_path(chip, file, path, sizeof(path));
	if (stat(path, &st))
		HT_SKIP_TEST(t, "chip %u (%s) has no %s: not a PCI function here", chip->node,
			     chip->bus_addr, path);
	return (uint64_t)st.st_size;
}

void ht_bar_map(struct ht *t, const struct hsl_chip_props *chip, unsigned int bar, struct ht_bar *b)
{
	char file[32], path[128];
	void *p;
	int fd;

	memset(b, 0, sizeof(*b));
	b->len = ht_bar_bytes(t, chip, bar);
	if (t->sim) {
		b->f = t->f;
		b->node = chip->node;
		b->p = bar == HSL_BAR_MEM ? hslp_raw_memory(t->f, chip->node, &b->len) : NULL;
		return;
	}
	snprintf(file, sizeof(file), "resource%u", bar);
	sysfs_path(chip, file, path, sizeof(path));
	fd = open(path, O_RDWR | O_SYNC | O_CLOEXEC);
	if (fd < 0)
		HT_SKIP_TEST(t, "%s: %s", path, strerror(errno));
	p = mmap(NULL, b->len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (p == MAP_FAILED && errno == EINVAL)
		HT_SKIP_TEST(
			t,
			"the kernel protects BARs that a driver uses (CONFIG_IO_STRICT_DEVMEM): boot with iomem=relaxed");
	if (p == MAP_FAILED)
		HT_SKIP_TEST(t, "mmap %s: %s", path, strerror(errno));
	b->p = p;
}

uint64_t ht_bar_address(struct ht *t, const struct hsl_chip_props *chip, unsigned int bar)
{
	unsigned long long start = 0, end;
	char path[128];
	uint64_t bytes;
	unsigned int i;
	FILE *f;

	if (t->sim && bar == HSL_BAR_MEM)
		return (uintptr_t)hslp_raw_memory(t->f, chip->node, &bytes);
	sysfs_path(chip, "resource", path, sizeof(path));
	f = fopen(path, "re");
	if (!f)
		HT_SKIP_TEST(t, "%s: %s", path, strerror(errno));
	for (i = 0; i <= bar; i++) {
		if (fscanf(f, "%llx %llx %*x", &start, &end) != 2)
			start = 0;
	}
	fclose(f);
	HT_TRUE(t, start, "%s shows no address for BAR %u", path, bar);
	return start;
}

void ht_bus_map(struct ht *t, uint64_t address, uint64_t len, struct ht_bar *b)
{
	void *p;
	int fd;

	if (t->sim) {
		*b = (struct ht_bar){ .p = (void *)(uintptr_t)address, .len = len, .f = t->f };
		return;
	}
	fd = open("/dev/mem", O_RDWR | O_CLOEXEC); /* O_SYNC would ask for uncached */
	if (fd < 0)
		HT_SKIP_TEST(t, "/dev/mem: %s", strerror(errno));
	p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)address);
	close(fd);
	if (p == MAP_FAILED)
		HT_SKIP_TEST(t, "mmap of /dev/mem at %#" PRIx64 ": %s (boot with iomem=relaxed)",
			     address, strerror(errno));
	*b = (struct ht_bar){ .p = p, .len = len };
}

void ht_bar_unmap(struct ht_bar *b)
{
	if (!b->f)
		munmap((void *)(b->p - b->before), b->before + b->len);
	b->p = NULL;
}

uint32_t ht_read32(const struct ht_bar *b, uint64_t off)
{
	return b->p ? *(volatile uint32_t *)(b->p + off) : (uint32_t)hslp_raw_read(b->f, b->node, off, 4);
}

uint64_t ht_read64(const struct ht_bar *b, uint64_t off)
{
	return b->p ? *(volatile uint64_t *)(b->p + off) : hslp_raw_read(b->f, b->node, off, 8);
}

void ht_write32(const struct ht_bar *b, uint64_t off, uint32_t v)
{
	if (b->p)
		*(volatile uint32_t *)(b->p + off) = v;
	else
		hslp_raw_write(b->f, b->node, off, v, 4);
}

void ht_write64(const struct ht_bar *b, uint64_t off, uint64_t v)
{
	if (b->p)
		*(volatile uint64_t *)(b->p + off) = v;
	else
		hslp_raw_write(b->f, b->node, off, v, 8);
}

unsigned int ht_config_read(struct ht *t, const struct hsl_chip_props *chip, uint8_t *cfg,
			    unsigned int len)
{
	char path[128];
	ssize_t n;
	int fd;

	if (t->sim)
		HT_SKIP_TEST(t, "no configuration space on this backend");
	sysfs_path(chip, "config", path, sizeof(path));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		HT_SKIP_TEST(t, "%s: %s", path, strerror(errno));
	n = pread(fd, cfg, len, 0);
	close(fd);
	HT_TRUE(t, n > 0, "read %s: %s", path, strerror(errno));
	return (unsigned int)n;
}

static uint32_t cfg_u32(const uint8_t *cfg, unsigned int off)
{
	return (uint32_t)cfg[off] | (uint32_t)cfg[off + 1] << 8 | (uint32_t)cfg[off + 2] << 16 |
	       (uint32_t)cfg[off + 3] << 24;
}

unsigned int ht_dvsec_find(const uint8_t *cfg, unsigned int len)
{
	unsigned int off = 0x100, hops;
	uint32_t head;

	if (len < 0x100 + HSL_DVSEC_LEN)
		return 0; /* only root may read the extended configuration space */
	for (hops = 0; hops < 64 && off >= 0x100 && off <= len - HSL_DVSEC_LEN; hops++) {
		head = cfg_u32(cfg, off);
		if (!head || head == ~0u)
			break;
		if ((head & 0xffff) == 0x23 &&
		    (cfg_u32(cfg, off + 4) & 0xffff) == HSL_DVSEC_VENDOR &&
		    (cfg_u32(cfg, off + 8) & 0xffff) == HSL_DVSEC_ID)
			return off;
		off = head >> 20;
	}
	return 0;
}

/* Into cfg all of configuration space; returns the DVSEC's offset. */
static unsigned int dvsec_read(struct ht *t, const struct hsl_chip_props *chip, uint8_t *cfg)
{
	unsigned int off = ht_dvsec_find(cfg, ht_config_read(t, chip, cfg, CFG_BYTES));

	if (!off)
		HT_SKIP_TEST(t, "the DVSEC of chip %u cannot be read", chip->node);
	return off;
}

unsigned int ht_bar_of(struct ht *t, const struct hsl_chip_props *chip, enum ht_bar_kind kind)
{
	uint32_t bars = HSL_BAR_REGS | HSL_BAR_MEM << 4 | HSL_BAR_WIN << 8;
	uint8_t cfg[CFG_BYTES];

	if (!t->sim)
		bars = cfg_u32(cfg + dvsec_read(t, chip, cfg), HSL_DVSEC_O_BARS);
	switch (kind) {
	case HT_BAR_REGS:
		return HSL_DVSEC_BARS_REGS(bars);
	case HT_BAR_MEM:
		return HSL_DVSEC_BARS_MEM(bars);
	default:
		return HSL_DVSEC_BARS_WIN(bars);
	}
}

void ht_regs_map(struct ht *t, const struct hsl_chip_props *chip, struct ht_bar *b)
{
	uint8_t cfg[CFG_BYTES];
	unsigned int off;
	uint32_t at;

	if (t->sim) {
		ht_bar_map(t, chip, HSL_BAR_REGS, b);
		return;
	}
	off = dvsec_read(t, chip, cfg);
	at = cfg_u32(cfg, off + HSL_DVSEC_O_REGS);
	ht_bar_map(t, chip, HSL_DVSEC_BARS_REGS(cfg_u32(cfg, off + HSL_DVSEC_O_BARS)), b);
	HT_TRUE(t, at < b->len, "chip %u: its register block at %#x lies outside its BAR", chip->node, at);
	b->p += at;
	b->len -= at;
	b->before = at;
}

static const char *power_read(struct ht *t, const struct hsl_chip_props *chip, const char *file, char *buf, size_t len)
{
	char path[128];
	FILE *f;

	sysfs_path(chip, file, path, sizeof(path));
	f = t->sim ? NULL : fopen(path, "re");
	if (!f)
		HT_SKIP_TEST(t, "chip %u has no %s: not a PCI function here, or a kernel without runtime power management", chip->node, file);
	if (!fgets(buf, (int)len, f))
		buf[0] = '\0';	/* EIO: the driver has no delay */
	buf[strcspn(buf, "\n")] = '\0';
	fclose(f);
	return buf;
}

static void power_write(struct ht *t, const struct hsl_chip_props *chip, const char *file, const char *text)
{
	char path[128];
	int rc;

	sysfs_path(chip, file, path, sizeof(path));
	rc = file_write(path, text);
	if (rc)
		HT_SKIP_TEST(t, "%s: %s", path, strerror(-rc));
}

bool ht_may_sleep(struct ht *t, const struct hsl_chip_props *chip)
{
	char path[128], control[8] = "";
	FILE *f;

	sysfs_path(chip, "power/control", path, sizeof(path));
	f = t->kernel ? fopen(path, "re") : NULL;
	if (f) {
		if (!fgets(control, sizeof(control), f))
			control[0] = '\0';
		fclose(f);
	}
	return !strcmp(control, "auto\n");
}

static void power_save(struct ht *t, const struct hsl_chip_props *chip)
{
	struct ht_shared *s = t->shared;

	if (s->power.bus_addr[0])
		return;
	power_read(t, chip, "power/control", s->power.control, sizeof(s->power.control));
	power_read(t, chip, "power/autosuspend_delay_ms", s->power.delay, sizeof(s->power.delay));
	snprintf(s->power.bus_addr, sizeof(s->power.bus_addr), "%s", chip->bus_addr);
}

void ht_power_restore(const struct ht_shared *s)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/power/autosuspend_delay_ms", s->power.bus_addr);
	file_write(path, s->power.delay);
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/power/control", s->power.bus_addr);
	file_write(path, s->power.control);
}

bool ht_falls_asleep(struct ht *t, const struct hsl_chip_props *chip)
{
	struct ht_limit limit = ht_limit(HT_OP_LIMIT_S);
	char status[16];

	power_save(t, chip);
	power_write(t, chip, "power/autosuspend_delay_ms", "0");
	power_write(t, chip, "power/control", "auto");
	do {
		if (!strcmp(power_read(t, chip, "power/runtime_status", status, sizeof(status)), "suspended"))
			return true;
		usleep(1000);
	} while (!ht_limit_over(&limit));
	return false;
}

void ht_sleep(struct ht *t, const struct hsl_chip_props *chip)
{
	if (!ht_falls_asleep(t, chip))
		HT_SKIP_TEST(t, "chip %u does not sleep: somebody uses it, or its driver does not let it", chip->node);
}

void ht_wake(struct ht *t, const struct hsl_chip_props *chip)
{
	power_write(t, chip, "power/control", "on");
}

int ht_chip_flr(struct ht *t, const struct hsl_chip_props *chip)
{
	char path[128];
	int fd, rc;

	if (t->sim)
		return hslp_raw_reset(t->f, chip->node);
	sysfs_path(chip, "reset", path, sizeof(path));
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		HT_SKIP_TEST(t, "%s: %s", path, strerror(errno));
	rc = write(fd, "1", 1) == 1 ? 0 : -errno;
	close(fd);
	return rc;
}
