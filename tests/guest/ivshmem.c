// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * ivshmem: what QEMU's ivshmem-doorbell takes from ringing until the one who waits runs, as a peer of hslbench wake. The device rings
 * itself: a store into BAR0, the server's eventfd, QEMU's main loop, an MSI-X vector, vfio-pci, an eventfd here, asleep in poll(2).
 *
 *	ivshmem 0000:00:05.0 [SECONDS]		prints the median in ns; the device has been given to vfio-pci
 *
 * BAR0 is smaller than a page and VFIO maps no such thing: it is mapped by sysfs, so that ringing is one store, as a doorbell of HSL is.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "stats.h"

#define IVPOSITION	8		/* of BAR0: who we are */
#define DOORBELL	12		/* whom to ring, and by which vector */
#define HANG_MS		10000
#define WARM_UP		100u

static void die(const char *what)
{
	fprintf(stderr, "ivshmem: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static volatile uint32_t *bar0_map(const char *bdf)
{
	long page = sysconf(_SC_PAGESIZE);
	unsigned long long start = 0;
	char path[128];
	FILE *f;
	void *p;
	int fd;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/resource", bdf);
	f = fopen(path, "re");
	if (!f || fscanf(f, "%llx", &start) != 1 || !start)
		die(path);
	fclose(f);
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/resource0", bdf);
	fd = open(path, O_RDWR | O_CLOEXEC);
	p = fd < 0 ? MAP_FAILED : mmap(NULL, (size_t)page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		die(path);
	close(fd);
	return (volatile uint32_t *)(void *)((char *)p + start % (unsigned long long)page);
}

static int device_open(const char *bdf)
{
	char path[128], link[256], *group;
	int container, fd, device;
	ssize_t n;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/iommu_group", bdf);
	n = readlink(path, link, sizeof(link) - 1);
	if (n < 0)
		die(path);
	link[n] = '\0';
	group = strrchr(link, '/');
	snprintf(path, sizeof(path), "/dev/vfio/%s", group ? group + 1 : link);
	container = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (container < 0 || fd < 0)
		die(path);
	if (ioctl(fd, VFIO_GROUP_SET_CONTAINER, &container) || ioctl(container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU))
		die("giving the group to a container");
	device = ioctl(fd, VFIO_GROUP_GET_DEVICE_FD, bdf);
	if (device < 0)
		die(bdf);
	return device;
}

/* MSI-X is a write by the device: it must be a bus master. */
static void bus_master(int device)
{
	struct vfio_region_info config = { .argsz = sizeof(config), .index = VFIO_PCI_CONFIG_REGION_INDEX };
	uint16_t command;
	off_t at;

	if (ioctl(device, VFIO_DEVICE_GET_REGION_INFO, &config))
		die("configuration space");
	at = (off_t)config.offset + PCI_COMMAND;
	if (pread(device, &command, sizeof(command), at) != sizeof(command))
		die("reading the command register");
	command |= PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
	if (pwrite(device, &command, sizeof(command), at) != sizeof(command))
		die("writing the command register");
}

static int vector0_eventfd(int device)
{
	union {
		struct vfio_irq_set set;
		char room[sizeof(struct vfio_irq_set) + sizeof(int)];
	} u = { .set = { .argsz = sizeof(u), .flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER,
			 .index = VFIO_PCI_MSIX_IRQ_INDEX, .count = 1 } };
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	memcpy(u.set.data, &fd, sizeof(fd));
	if (fd < 0 || ioctl(device, VFIO_DEVICE_SET_IRQS, &u.set))
		die("MSI-X vector 0");
	return fd;
}

static uint64_t ring(volatile uint32_t *bar0, uint32_t id, int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	uint64_t start = now_ns(), end, count;
	int rc;

	bar0[DOORBELL / 4] = id << 16;
	do
		rc = poll(&p, 1, HANG_MS);
	while (rc < 0 && errno == EINTR);
	end = now_ns();
	if (!rc)
		errno = ETIMEDOUT;
	if (rc != 1 || read(fd, &count, sizeof(count)) != sizeof(count))
		die("waiting for the vector");
	return end - start;
}

int main(int argc, char **argv)
{
	double seconds = argc > 2 ? atof(argv[2]) : 1;
	struct tool_stats *stats = tool_stats_new();
	volatile uint32_t *bar0;
	struct tool_summary sum;
	uint64_t start;
	uint32_t id;
	int device, fd;

	if (argc < 2) {
		fprintf(stderr, "usage: ivshmem BUS-ADDRESS [SECONDS]\n");
		return 2;
	}
	device = device_open(argv[1]);
	bus_master(device);
	fd = vector0_eventfd(device);
	bar0 = bar0_map(argv[1]);
	id = bar0[IVPOSITION / 4];
	if (id > 0xffff) {
		fprintf(stderr, "ivshmem: the server has given no id\n");
		return 1;
	}
	for (unsigned int i = 0; i < WARM_UP; i++)
		ring(bar0, id, fd);
	start = now_ns();
	do
		tool_stats_add(stats, ring(bar0, id, fd));
	while ((double)(now_ns() - start) < seconds * 1e9);
	tool_stats_summary(stats, &sum);
	printf("%llu\n", (unsigned long long)sum.p50);
	tool_stats_free(stats);
	return 0;
}
