/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The raw ABI of /dev/hsl0 for guest tests: segments, a queue, descriptors over sockets, TAP lines. Calls give 0 or -errno. */
#ifndef HSL_TESTS_RAW_H
#define HSL_TESTS_RAW_H

#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stddef.h>
#include <sys/types.h>

#include "hsl/proto.h"
#include "linux/hsl.h"

#define RAW_DEV		"/dev/hsl0"
#define RAW_RW		(HSL_SEGMENT_READ | HSL_SEGMENT_WRITE)
#define RAW_DEPTH	16

extern int raw_ntests, raw_nfailed;
void raw_check(bool ok, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void raw_bail(const char *what) __attribute__((noreturn));
void raw_skip_all(const char *why) __attribute__((noreturn));
int raw_done(void);		/* prints the plan; exit status */

int raw_ioctl(int fd, unsigned long nr, void *arg);
int raw_open(int flags);
void raw_sleep_us(unsigned int us);
/* In a new child, after it changed its user (that clears it): killed when the thread that forked it ends. */
void raw_die_with(pid_t parent);
int raw_write_file(const char *path, const char *text);

uint64_t raw_mix(uint64_t x);	/* splitmix64's output function */

/* The kernel's log, from now on; -errno. */
int raw_kmsg_open(void);
/* How many of its new lines are reports of a bug, as qemu/vm sees them; they are printed. */
unsigned int raw_kmsg_reports(int kmsg);

/* Where the threads of these processes stand, a pattern of names in /proc; threads of the kernel only if they wait for something. */
void raw_print_stacks(const char *pids);

struct raw_seg {
	uint32_t handle, rights;
	uint64_t ga, len;
};
int raw_alloc(int ctx, uint32_t node, uint64_t len, uint32_t rights, struct raw_seg *s);
int raw_export(int ctx, uint32_t handle, uint32_t rights);	/* descriptor or -errno */
int raw_import(int ctx, int fd, uint32_t rights, struct raw_seg *s);
int raw_revoke(int ctx, uint32_t handle);
int raw_free(int ctx, uint32_t handle);
int raw_map(int ctx, const struct raw_seg *s, int prot, volatile uint64_t **p);
int raw_chip(int ctx, uint32_t node, struct hsl_chip_info *ci);
/* free memory of the chip when all that has been freed is zeroed and counts */
uint64_t raw_free_bytes(int ctx, uint32_t node);
/* it becomes this much by itself; and so do free queues: what it is instead is printed */
bool raw_mem_comes_to(int ctx, uint32_t node, uint64_t bytes);
bool raw_chip_comes_to(int ctx, uint32_t node, uint64_t bytes, uint32_t nqueues);

struct raw_queue {
	int fd;
	struct hsl_queue_create c;
	void *rings;
	volatile uint32_t *db;
	struct hsl_queue_ctrl *ctrl;
	struct hsl_desc *sq;
	volatile struct hsl_cqe *cq;
	uint32_t tail, head;
};
int raw_queue_open(int ctx, uint32_t node, struct raw_queue *q);
void raw_queue_close(struct raw_queue *q);
void raw_submit(struct raw_queue *q, const struct hsl_desc *d);
int raw_complete(struct raw_queue *q, int timeout_ms);	/* HSL_ST_*; -1: the queue has ended; -2: nothing */
int raw_copy(struct raw_queue *q, uint64_t dst, uint64_t src, uint64_t len);	/* one, and its status */

int raw_send_fd(int sock, int fd, uint64_t word);
int raw_recv_fd(int sock, int *fd, uint64_t *word);	/* -EPIPE: the other end is closed */

/* SIGBUS and SIGSEGV of this thread, inside RAW_TRY: false */
extern __thread sigjmp_buf raw_on_fault;
extern __thread volatile int raw_expect_fault;
void raw_catch_faults(void);
#define RAW_TRY(statement) ({						\
	volatile bool ok_ = false;					\
	raw_expect_fault = 1;						\
	if (!sigsetjmp(raw_on_fault, 1)) {				\
		statement;						\
		ok_ = true;						\
	}								\
	raw_expect_fault = 0;						\
	ok_; })

#endif
