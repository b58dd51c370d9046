// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * HEP-ORD-003 for instructions: when the completion of a COPY is visible, the CPU executes what was copied. An emulator
 * keeps translations of code it has executed; the engine's writes have to drop them. Code in registered host memory,
 * and, where BAR2 can be mapped through /dev/mem (root, iomem=relaxed), in chip memory.
 *
 * The machine code is x86-64's. Prints TAP; exit 0, 1 or 77.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "hsl/hsl.h"

#define LEN	4096u
#define ROUNDS	2000u

static int nfailed;

#define CHECK(cond, what) do { \
	int ok_ = (cond); \
	printf("%sok - %s\n", ok_ ? "" : "not ", what); \
	nfailed += !ok_; \
} while (0)

#define MUST(call) do { \
	int r_ = (call); \
	if (r_) { \
		printf("not ok - %s: %s\n", #call, strerror(-r_)); \
		exit(1); \
	} \
} while (0)

/* mov eax, value; ret */
static void function(uint8_t *code, uint32_t value)
{
	code[0] = 0xb8;
	memcpy(code + 1, &value, 4);
	code[5] = 0xc3;
}

static uint32_t call(const void *code)
{
	uint32_t (*f)(void);

	memcpy(&f, &code, sizeof(f));
	return f();
}

/* Copy functions from `from` over the one at `to`, executed through `code`; how many returned the wrong value. */
static unsigned int rounds(struct hsl_queue *q, struct hsl_segment *to, const void *code, struct hsl_segment *from)
{
	unsigned int wrong = 0;
	void *src;

	MUST(hsl_segment_map(from, &src));
	for (uint32_t i = 1; i <= ROUNDS; i++) {
		/* somewhere else in the page each time, so that small copies and large ones are tried */
		uint32_t at = i % 64 * 64;

		function((uint8_t *)src + at, i);
		MUST(hsl_copy(q, hsl_segment_ga(to) + at, hsl_segment_ga(from) + at, i % 3 ? 6 : 64));
		wrong += call((const uint8_t *)code + at) != i;
		wrong += call((const uint8_t *)code + at) != i;
	}
	return wrong;
}

/* Executable: not through sysfs, which forbids that, but through /dev/mem. */
static void *map_bar2(const char *bus_addr, uint64_t offset)
{
	unsigned long long base = 0;
	char path[128];
	FILE *resource;
	void *p;
	int fd;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/resource", bus_addr);
	resource = fopen(path, "re");
	if (!resource)
		return MAP_FAILED;
	if (fscanf(resource, "%*[^\n]\n%*[^\n]\n%llx", &base) != 1)
		base = 0;
	fclose(resource);
	fd = base ? open("/dev/mem", O_RDWR | O_CLOEXEC) : -1;
	if (fd < 0)
		return MAP_FAILED;
	p = mmap(NULL, LEN, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_SHARED, fd, (off_t)(base + offset));
	close(fd);
	return p;
}

int main(void)
{
	struct hsl_chip_props chip = { .size = sizeof(chip) };
	struct hsl_segment *host, *mem, *source;
	struct hsl_fabric *f;
	struct hsl_queue *q;
	void *code, *bar;

#ifndef __x86_64__
	printf("# x86-64 only\n");
	return 77;
#endif
	MUST(hsl_fabric_open(NULL, &f));
	MUST(hsl_chip_by_index(f, 0, &chip));
	MUST(hsl_queue_create(f, chip.node, NULL, &q));
	code = mmap(NULL, LEN, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (code == MAP_FAILED) {
		perror("mmap");
		return 1;
	}
	MUST(hsl_segment_register(f, code, LEN, NULL, &host));
	MUST(hsl_segment_alloc(f, chip.node, LEN, NULL, &source));
	CHECK(rounds(q, host, code, source) == 0, "code copied into host memory is what runs");

	MUST(hsl_segment_alloc(f, chip.node, LEN, NULL, &mem));
	bar = map_bar2(chip.bus_addr, HSL_GA_OFFSET(hsl_segment_ga(mem)));
	if (bar == MAP_FAILED) {
		printf("ok - code copied into chip memory is what runs # SKIP BAR2 cannot be mapped here\n");
	} else {
		CHECK(rounds(q, mem, bar, source) == 0, "code copied into chip memory is what runs");
		munmap(bar, LEN);
	}
	MUST(hsl_segment_free(mem));
	MUST(hsl_segment_free(source));
	MUST(hsl_segment_free(host));
	hsl_queue_destroy(q);
	hsl_fabric_close(f);
	return nfailed ? 1 : 0;
}
