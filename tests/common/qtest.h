/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A small client of QEMU's qtest protocol: starts a QEMU without CPUs, then reads and writes its memory, its PCI
 * configuration space (ECAM) and the monitor from here.
 *
 * One struct qt is one QEMU. All of it ends with qt_stop, or with the test (PR_SET_PDEATHSIG); its files are in a
 * private directory. A call that fails because QEMU died or does not answer within QT_TIMEOUT_S ends the test
 * through fail_msg. Not for several threads.
 */
#ifndef HSL_TESTS_QTEST_H
#define HSL_TESTS_QTEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define QT_TIMEOUT_S	30
#define QT_ECAM		0xb0000000ull

struct qt {
	pid_t pid;
	int sock;		/* qtest */
	int mon;		/* QMP */
	char dir[64];
	char buf[2][16384];	/* what was received of sock and mon and not yet used */
	size_t have[2];
	char events[1024];	/* names of events that came while waiting for something else, each with a newline */
};

/* The QEMU to test, NULL when the environment names none: skip. */
const char *qt_binary(void);

/* args: NULL-terminated, after "-M q35 …". Waits until it answers and maps ECAM at QT_ECAM. */
void qt_start(struct qt *q, const char *const args[]);
void qt_stop(struct qt *q);
/* Start one that must refuse args: its exit status, and what it said (NUL-terminated). */
int qt_refuses(const char *const args[], char *said, size_t said_size);
bool qt_alive(struct qt *q);

uint64_t qt_read(struct qt *q, uint64_t addr, unsigned int size);	/* 1, 2, 4, 8 bytes */
void qt_write(struct qt *q, uint64_t addr, unsigned int size, uint64_t val);
/* Two 32-bit writes, between which QEMU's main loop does nothing else: bottom halves of the first one run after the second. */
void qt_write_two(struct qt *q, uint64_t addr, uint32_t val, uint64_t addr2, uint32_t val2);
void qt_memread(struct qt *q, uint64_t addr, void *buf, size_t len);
void qt_memwrite(struct qt *q, uint64_t addr, const void *buf, size_t len);
void qt_memset(struct qt *q, uint64_t addr, uint8_t val, size_t len);

/* bdf: bus << 8 | device << 3 | function */
#define QT_BDF(bus, dev)	((unsigned int)(bus) << 8 | (unsigned int)(dev) << 3)
uint32_t qt_cfg_read(struct qt *q, unsigned int bdf, unsigned int reg, unsigned int size);
uint64_t qt_ecam(unsigned int bdf, unsigned int reg);	/* where that register is in memory */
void qt_cfg_write(struct qt *q, unsigned int bdf, unsigned int reg, unsigned int size, uint32_t val);
/* Offset of a capability or extended capability, 0 if there is none. */
unsigned int qt_find_cap(struct qt *q, unsigned int bdf, unsigned int id);
unsigned int qt_find_ext_cap(struct qt *q, unsigned int bdf, unsigned int id);

/*
 * One monitor command, a JSON object in one line. True for a "return" answer; the answer (cut to size) is in said
 * if that is not NULL. Events that come first are kept for qt_qmp_event.
 */
bool qt_qmp(struct qt *q, char *said, size_t said_size, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* Wait for a monitor event by name, one kept included; false after the timeout. */
bool qt_qmp_event(struct qt *q, const char *name);

#endif
