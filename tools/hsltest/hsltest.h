/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * hsltest: conformance tests for HEP 1.0, one function per test, each named by the requirement it
 * judges.
 *
 * A test is a black box user of a fabric: it sees what libhsl shows, and where the requirement
 * speaks of them, a chip's registers through the PCI function's BARs and the driver's ioctls. What
 * it expects it computes itself, on shadow copies that no part of the stack touches, and it looks
 * at the bytes around what should have changed too.
 *
 * Each test runs in a forked child (run.c) with its own open fabric. It ends by returning (pass),
 * or by one of the macros below, which do not return: the verdict goes through a page shared with
 * the runner, so that a crash or a hang of the child is a failed test and not the end of the suite.
 * A test never prints.
 */
#ifndef HSLTEST_H
#define HSLTEST_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "hsl/hsl.h"
#include "hsl/regs.h"

#define HT_NS_PER_S 1000000000ull
#define HT_CHIPS_MAX 64
#define HT_LIMIT_S 60	 /* for a test without progress, unless it says otherwise: it hangs */
#define HT_LIMIT_FACTOR 20 /* as many limits is the end of a test that makes progress for ever */
#define HT_OP_LIMIT_S 10 /* for one operation (wait.c) */

/*
 * SKIP: could not be tested here, and why. NA: does not apply to this chip, which does not claim what it is about.
 * INCONCLUSIVE: ran, and what it saw decides nothing. ERROR: the suite failed, not what it tests. WAIVED: failed, and a
 * waiver says that this is known (waiver.c). A test itself comes to PASS, FAIL, SKIP, NA, INCONCLUSIVE or ERROR.
 */
enum ht_verdict { HT_NONE, HT_PASS, HT_FAIL, HT_SKIP, HT_NOT_RUN, HT_NA, HT_INCONCLUSIVE, HT_ERROR, HT_WAIVED, HT_VERDICTS };

/* What a test needs besides a fabric. Without it the runner skips the test and says why. */
#define HT_F_KERNEL (1u << 0) /* the driver's ioctl interface */
#define HT_F_BAR (1u << 1)    /* registers through the PCI function's BARs: driver and root, or sim: */
#define HT_F_ROOT (1u << 2)
#define HT_F_RESET (1u << 3) /* resets chips under everybody: with the driver only with --disruptive */
#define HT_F_RAW (1u << 9)   /* rings of its own (raw.c): the driver's ioctl interface, or sim: */
#define HT_F_TWO_CHIPS (1u << 4)
#define HT_F_LONG (1u << 6) /* not with --quick */
#define HT_F_TRACE (1u << 11) /* a capture from elsewhere (--trace) tells as much: then it need not run */
#define HT_F_SLEEP (1u << 12) /* lets chips sleep: it begins without a hold on any */
#define HT_F_LINK (1u << 5) /* takes links down under everybody: on the driver only with --disruptive */

struct ht;

struct ht_test {
	const char *requirement; /* the one it judges */
	const char *name;
	const char *sentence;
	void (*run)(struct ht *t);
	uint32_t flags;	  /* HT_F_* */
	uint32_t limit_s; /* without progress; 0 = HT_LIMIT_S */
};

/* One table per group, ended by a zeroed entry. */
extern const struct ht_test ht_tests_reg[], ht_tests_map[], ht_tests_txn[], ht_tests_ord[],
	ht_tests_que[], ht_tests_sec[], ht_tests_net[], ht_tests_ras[], ht_tests_sensor[], ht_tests_api[],
	ht_tests_reduce[], ht_tests_move[], ht_tests_sig[], ht_tests_atm[], ht_tests_chain[], ht_tests_shadow[],
	ht_tests_share[], ht_tests_host[], ht_tests_limit[], ht_tests_lib[], ht_tests_obs[], ht_tests_litmus[], ht_tests_bare[], ht_tests_ctf[],
	ht_tests_coh[], ht_tests_link[], ht_tests_walk[];

struct ht_requirement {
	const char *id;
	const char *level;
	const char *subject;
	const char *observability;
	const char *sentence;
};
extern const struct ht_requirement ht_requirements[];
extern const size_t ht_requirement_count;
const struct ht_requirement *ht_requirement_find(const char *id);

enum ht_effort { HT_NORMAL, HT_QUICK, HT_FULL };

/* What the user asked for; the same for every test. */
struct ht_config {
	const char *url; /* NULL = libhsl's default */
	uint64_t seed;
	bool disruptive;
	const char *bring_up; /* program that sets up a chip which is without its maker's driver; NULL: none */
	enum ht_effort effort;
	uint32_t limit_s; /* 0 = each test's own */
};

/* Shared between runner and child: written by the child, read by the runner after the child's end.
 */
struct ht_shared {
	uint32_t verdict;
	uint32_t progress; /* changes while the test gets on */
	char reason[1024];
	char step[160]; /* what the child was doing last */
	char note[256];
	char dump[1024]; /* queue states after a time-out */
	char detail[2048]; /* lines for the report: chips and links after a time-out, or what a test has to show */
	struct {
		char bus_addr[32], control[8], delay[16];
	} power; /* how a chip's power was managed before; bus_addr empty: as it is now */
};

struct ht {
	const struct ht_config *config;
	const struct ht_test *test;
	struct ht_shared *shared;
	struct hsl_fabric *f;
	struct hsl_fabric_info info;
	bool kernel; /* the driver, not sim: */
	bool sim;
	unsigned int nchips;
	struct hsl_chip_props chip[HT_CHIPS_MAX];
	uint64_t rng;
};

/* ---- verdicts ---- */
void ht_finish(struct ht *t, enum ht_verdict v, const char *file, int line, const char *fmt, ...)
	__attribute__((noreturn, format(printf, 5, 6)));
/* The test gets on: a step, a command, a random number, a comparison. What only waits or looks again does not say so. */
static inline void ht_progress(struct ht *t)
{
	__atomic_fetch_add(&t->shared->progress, 1, __ATOMIC_RELAXED);
}
void ht_step(struct ht *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void ht_note(struct ht *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
const char *ht_errno_name(int rc); /* -EFAULT gives "-EFAULT"; a count gives digits; static buffers,
				      not thread-safe */

#define HT_SKIP_TEST(t, ...) ht_finish(t, HT_SKIP, __FILE__, __LINE__, __VA_ARGS__)
#define HT_NA_TEST(t, ...) ht_finish(t, HT_NA, __FILE__, __LINE__, __VA_ARGS__)
#define HT_INCONCLUSIVE_TEST(t, ...) ht_finish(t, HT_INCONCLUSIVE, __FILE__, __LINE__, __VA_ARGS__)
#define HT_ERROR_TEST(t, ...) ht_finish(t, HT_ERROR, __FILE__, __LINE__, __VA_ARGS__)
#define HT_FAIL_TEST(t, ...) ht_finish(t, HT_FAIL, __FILE__, __LINE__, __VA_ARGS__)

#define HT_TRUE(t, cond, ...)                         \
	do {                                          \
		if (!(cond))                          \
			HT_FAIL_TEST(t, __VA_ARGS__); \
	} while (0)

/* A call that has to succeed. */
#define HT_OK(t, call)                                                         \
	do {                                                                   \
		int rc_ = (call);                                              \
		if (rc_ < 0)                                                   \
			HT_FAIL_TEST(t, "%s: expected success, got %s", #call, \
				     ht_errno_name(rc_));                      \
	} while (0)

/* A call that has to return this (a negative errno, or a count). */
#define HT_RC(t, call, want)                                                                    \
	do {                                                                                    \
		int rc_ = (call), want_ = (want);                                               \
		if (rc_ != want_) {                                                             \
			char got_[24];                                                          \
			snprintf(got_, sizeof(got_), "%s", ht_errno_name(rc_));                 \
			HT_FAIL_TEST(t, "%s: expected %s, got %s", #call, ht_errno_name(want_), \
				     got_);                                                     \
		}                                                                               \
	} while (0)

#define HT_EQ(t, what, got, want)                                                          \
	do {                                                                               \
		uint64_t got_ = (uint64_t)(got), want_ = (uint64_t)(want);                 \
		if (got_ != want_)                                                         \
			HT_FAIL_TEST(t, "%s: expected %#llx, got %#llx", what,             \
				     (unsigned long long)want_, (unsigned long long)got_); \
	} while (0)

/* ---- pseudo-random data, reproducible from the seed ---- */
uint64_t ht_random(struct ht *t);
uint64_t ht_random_below(struct ht *t, uint64_t limit); /* 0..limit-1 */
uint64_t ht_mix(uint64_t x);				/* one step of splitmix64 */

/* ---- comparing (compare.c: no fabric, so that unit tests can break it) ---- */
struct ht_diff {
	uint64_t first; /* offset of the first byte that differs */
	uint64_t last;
	uint64_t count;
	uint8_t expected; /* at first */
	uint8_t got;
};
void ht_pattern(void *p, size_t len, uint64_t seed);
/* True when equal; else *d says where. */
bool ht_equal(const void *got, const void *want, size_t len, struct ht_diff *d);
/* The result of FILL (HEP-TXN-006) and of COPY (HEP-TXN-005), computed byte by byte. */
void ht_oracle_fill(uint8_t *dst, uint64_t len, uint64_t pattern);
void ht_oracle_move(uint8_t *dst, const uint8_t *src, uint64_t len);
/* Every cookie of base .. base+n-1 once and no other: 0, or -EEXIST (twice) / -ERANGE (stranger) /
 * -ENOENT (missing); *bad is which. */
int ht_cookies_check(const uint64_t *cookies, unsigned int ncookies, uint64_t base, unsigned int n,
		     uint64_t *bad);

/* ---- oracles of ATOMIC, REDUCE and WAIT (oracle.c: no fabric either). A value is in the low bytes. ---- */
unsigned int ht_type_bytes(unsigned int type); /* HSL_TYPE_* */
const char *ht_type_name(unsigned int type);
bool ht_type_is_float(unsigned int type);
bool ht_is_nan(unsigned int type, uint64_t v);
uint64_t ht_oracle_nan(unsigned int type); /* the canonical one */
uint64_t ht_oracle_reduce(unsigned int op, unsigned int type, uint64_t a, uint64_t b);
/* The new value; all but CAS ignore compare. */
uint64_t ht_oracle_atomic(unsigned int op, unsigned int len, uint64_t old, uint64_t operand,
			  uint64_t compare);
bool ht_oracle_condition(unsigned int cond, uint64_t seen, uint64_t value);

/* ---- memory: a segment, the CPU's view of it, and what it should hold ---- */
struct ht_buf {
	struct hsl_segment *seg;
	uint32_t node; /* 0 = host memory */
	uint64_t ga;
	uint64_t len;
	uint8_t *p;	 /* through libhsl's mapping */
	uint8_t *shadow; /* the oracle's copy, private memory */
	void *host;	 /* what was mmap()ed for host memory */
	uint64_t host_len;
};

/* On a chip (node) or, node 0, registered host memory that starts at byte `skew` of a page. Filled
 * with a pattern. */
void ht_buf_new(struct ht *t, struct ht_buf *b, uint32_t node, uint64_t len);
void ht_buf_new_host(struct ht *t, struct ht_buf *b, uint64_t len, unsigned int skew,
		     uint32_t rights);
void ht_buf_new_rights(struct ht *t, struct ht_buf *b, uint32_t node, uint64_t len,
		       uint32_t rights);
void ht_buf_free(struct ht *t, struct ht_buf *b);
void ht_buf_pattern(struct ht *t, struct ht_buf *b); /* memory and shadow get new data */
/* Fails the test unless all bytes are what the shadow says. */
void ht_buf_check_at(struct ht *t, struct ht_buf *b, uint64_t off, uint64_t len, const char *file,
		     int line, const char *what);
#define ht_buf_check(t, b, what) ht_buf_check_at(t, b, 0, (b)->len, __FILE__, __LINE__, what)
#define ht_buf_check_range(t, b, off, len, what) \
	ht_buf_check_at(t, b, off, len, __FILE__, __LINE__, what)

/* ---- waiting (wait.c) ---- */
uint64_t ht_now_ns(void);
/* The clock of the chips, which is another one in modelled time. */
uint64_t ht_clock_ns(struct ht *t);
/* Modelled time goes on, as whoever waits has found nothing; false: there is none. */
bool ht_time_passes(void);
/* For a loop that looks again and again, with pauses of 2 ms at most. */
struct ht_limit {
	uint64_t left_ns, looked_ns;
};
struct ht_limit ht_limit(unsigned int s);
bool ht_limit_over(struct ht_limit *l);
/* As hsl_queue_wait, with HT_OP_LIMIT_S. */
int ht_completions(struct hsl_queue *q, struct hsl_completion *c, unsigned int max);
/* What poll(2) says of the file when it is readable or broken; 0: it does not become so. */
short ht_readable(int fd);
/* Wait for exactly n completions. */
void ht_wait_all(struct ht *t, struct hsl_queue *q, struct hsl_completion *c, unsigned int n);
/*
 * Memory that was freed is zeroed before it is free, which may take a moment: waits until a chip has this much free
 * memory and this many free queues again, else fails.
 */
void ht_wait_free(struct ht *t, uint32_t node, uint64_t mem_bytes, uint32_t queues);

/* ---- operations ---- */
struct hsl_queue *ht_queue_new(struct ht *t, uint32_t node, uint32_t depth); /* depth 0 = default */
void ht_queue_free(struct ht *t, struct hsl_queue *q);
/* Submit one, wait for it, check that it is the only completion and carries the op's cookie. */
void ht_op_run(struct ht *t, struct hsl_queue *q, const struct hsl_op *op,
	       struct hsl_completion *c);
void ht_submit_all(struct ht *t, struct hsl_queue *q, const struct hsl_op *ops, unsigned int n);
struct hsl_op ht_op_copy(uint64_t dst, uint64_t src, uint64_t len);
struct hsl_op ht_op_fill(uint64_t dst, uint64_t len, uint64_t pattern);
struct hsl_op ht_op_reduce(unsigned int op, unsigned int type, uint64_t dst, uint64_t src,
			   uint64_t len);
struct hsl_op ht_op_atomic(unsigned int op, uint64_t dst, uint64_t len, uint64_t operand,
			   uint64_t compare);
struct hsl_op ht_op_signal(unsigned int op, uint64_t dst, uint64_t value);
struct hsl_op ht_op_wait(unsigned int cond, uint64_t src, uint64_t value, uint64_t timeout_ns);
/* The requirement is about this HSL_CAP_* bit: it does not apply unless all chips claim it. */
void ht_need_cap(struct ht *t, uint64_t cap, const char *what);
/* The requirement applies without the bit, and only a test of it needs the bit: it is skipped, and stays open. */
void ht_need_tool(struct ht *t, uint64_t cap, const char *what);
/*
 * Gives a command time to do what it must not do: runs NOPs on another queue of the same fabric, then expects that
 * nothing has completed on q.
 */
void ht_expect_parked(struct ht *t, struct hsl_queue *q, struct hsl_queue *other, const char *what);
/* Expect this status (and the errno that goes with it). */
void ht_status_at(struct ht *t, const struct hsl_completion *c, uint32_t want, const char *file,
		  int line, const char *what);
#define ht_status(t, c, want, what) ht_status_at(t, c, want, __FILE__, __LINE__, what)
/* Run it and expect the status: the everyday form. */
#define ht_expect(t, q, op, want, what)                               \
	do {                                                          \
		struct hsl_completion c_;                             \
		ht_op_run(t, q, op, &c_);                             \
		ht_status_at(t, &c_, want, __FILE__, __LINE__, what); \
	} while (0)
/* COPY between buffers, executed by q, expected OK; the shadow follows. Does not compare. */
void ht_copy(struct ht *t, struct hsl_queue *q, struct ht_buf *dst, uint64_t dst_off,
	     struct ht_buf *src, uint64_t src_off, uint64_t len);

/* After fork() inside a test: waits for the child, takes over its verdict if it came to one, fails
 * if it ended badly. */
void ht_child_join(struct ht *t, int pid);

/* A second context of the same fabric; closed with hsl_fabric_close. */
struct hsl_fabric *ht_open_again(struct ht *t);

/* ---- the driver's interface, without libhsl (raw.c) ---- */
struct ht_rawq {
	int fd;
	uint32_t node, depth, qid;
	uint8_t *rings;
	uint64_t ring_bytes;
	struct hsl_queue_ctrl *ctrl;
	struct hsl_desc *sq;
	volatile struct hsl_cqe *cq;
	struct hsl_queue_shadow *shadow; /* NULL: none */
	volatile uint8_t *doorbell; /* NULL where the driver has no doorbell page to give, and on sim: */
	uint64_t doorbell_bytes;
	struct hsl_queue *sim; /* on sim: the queue whose rings these are */
	uint64_t sim_doorbell;
	uint32_t tail, head;
};
int ht_raw_open(struct ht *t);			    /* a new context file */
int ht_ioctl(int fd, unsigned long cmd, void *arg); /* 0 or -errno */
void ht_rawq_new(struct ht *t, struct ht_rawq *q, int fd, uint32_t node, uint32_t depth);
/* with a shadow tail; skips the test when the chip has none */
void ht_rawq_new_shadow(struct ht *t, struct ht_rawq *q, int fd, const struct hsl_chip_props *chip,
			uint32_t depth);
void ht_rawq_free(struct ht_rawq *q);
struct hsl_desc *ht_rawq_slot(struct ht_rawq *q);   /* next descriptor, zeroed; advances tail */
void ht_rawq_ring(struct ht *t, struct ht_rawq *q); /* doorbell := tail */
bool ht_rawq_has_doorbell(const struct ht_rawq *q);
/* A write of 1, 2, 4 or 8 bytes into the doorbell page, where there is one; of SQ_TAIL by the driver else. */
void ht_rawq_doorbell(struct ht *t, struct ht_rawq *q, uint32_t reg, uint64_t val, unsigned int bytes);
uint32_t ht_rawq_state(struct ht *t, struct ht_rawq *q, uint32_t *error); /* HSL_QUEUE_* */
bool ht_rawq_poll(struct ht_rawq *q, struct hsl_cqe *c); /* take one completion if it is there */
void ht_rawq_wait(struct ht *t, struct ht_rawq *q, struct hsl_cqe *c);
uint64_t ht_raw_alloc(struct ht *t, int fd, uint32_t node, uint64_t len, uint32_t *handle); /* GA */
void *ht_raw_map(struct ht *t, int fd, uint64_t ga, uint64_t len);
void ht_raw_free(struct ht *t, int fd, uint32_t handle);

/* ---- a chip's BARs through sysfs, or those of sim: (bar.c) ---- */
struct ht_bar {
	volatile uint8_t *p;	/* NULL: registers of sim: */
	uint64_t len;
	uint64_t before; /* bytes that are mapped before p */
	struct hsl_fabric *f;	/* sim: */
	uint32_t node;
};
enum ht_bar_kind { HT_BAR_REGS, HT_BAR_MEM, HT_BAR_WIN };
/* Which BAR it is: makers differ, the DVSEC tells. Skips the test when it cannot be read. */
unsigned int ht_bar_of(struct ht *t, const struct hsl_chip_props *chip, enum ht_bar_kind kind);
/* The register block, wherever in its BAR; else as ht_bar_map. */
void ht_regs_map(struct ht *t, const struct hsl_chip_props *chip, struct ht_bar *b);
/* Skips the test when it is not allowed or the chip is not a PCI function. */
void ht_bar_map(struct ht *t, const struct hsl_chip_props *chip, unsigned int bar,
		struct ht_bar *b);
void ht_bar_unmap(struct ht_bar *b);
/* Address of a BAR on the CPU's bus. */
uint64_t ht_bar_address(struct ht *t, const struct hsl_chip_props *chip, unsigned int bar);
/* Maps bus addresses cached, as the driver maps memory; skips the test when /dev/mem does not allow it. */
void ht_bus_map(struct ht *t, uint64_t address, uint64_t len, struct ht_bar *b);
uint64_t ht_bar_bytes(struct ht *t, const struct hsl_chip_props *chip, unsigned int bar);
uint32_t ht_read32(const struct ht_bar *b, uint64_t off);
uint64_t ht_read64(const struct ht_bar *b, uint64_t off);
void ht_write32(const struct ht_bar *b, uint64_t off, uint32_t v);
void ht_write64(const struct ht_bar *b, uint64_t off, uint64_t v);
/* Configuration space of the chip's function, as far as we may read it; returns the bytes read. */
unsigned int ht_config_read(struct ht *t, const struct hsl_chip_props *chip, uint8_t *cfg,
			    unsigned int len);
/* Offset of the HSL DVSEC in cfg, 0 if there is none. */
unsigned int ht_dvsec_find(const uint8_t *cfg, unsigned int len);
/*
 * Let the driver put a chip to sleep, and wait until it is in D3hot: ht_falls_asleep says whether it is, ht_sleep skips the test
 * if it is not. ht_wake wakes it and keeps it awake. One chip in a test. However the test ends, the runner has its power managed as
 * before (ht_power_restore).
 */
bool ht_may_sleep(struct ht *t, const struct hsl_chip_props *chip);
bool ht_falls_asleep(struct ht *t, const struct hsl_chip_props *chip);
void ht_sleep(struct ht *t, const struct hsl_chip_props *chip);
void ht_wake(struct ht *t, const struct hsl_chip_props *chip);
void ht_power_restore(const struct ht_shared *s);
/* Function level reset through sysfs; 0 or -errno. */
int ht_chip_flr(struct ht *t, const struct hsl_chip_props *chip);

#endif
