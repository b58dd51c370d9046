// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Life of the driver, on its raw ABI: function level reset, unbind and bind, removal and rescan, kill -9, each with open
 * files, mappings, blocked waiters and traffic (HEP-RAS-001 … 005, HEP-SEC-006). Run as root in the VM with 2 chips.
 *
 *   life flr|bind|remove|surprise|unplug|kill|files|stale [cycles]	prints TAP; exit 0, 1, 77
 *
 * Traffic is a process per chip that copies between the chips and checks what it can: after a reset its segments hold
 * what they held; when its chips are gone it closes everything and opens again. It counts what it did in shared memory, so
 * that a cycle without traffic fails.
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "hsl/proto.h"
#include "linux/hsl.h"

#define DEV	"/dev/hsl0"
#define NCHIPS	2
#define SEG	(1u << 20)
#define DEPTH	64

static int ntests, nfailed;
static char bdf[NCHIPS][32];

/* per worker, and of the reader of sensors; shared with the parent */
static struct shared {
	atomic_uint rounds, lost_queues, reopened, wrong, sensors;
	atomic_bool stop;
} *shared;

__attribute__((format(printf, 2, 3)))
static void check(bool ok, const char *fmt, ...)
{
	va_list ap;

	printf("%sok %d - ", ok ? "" : "not ", ++ntests);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	nfailed += !ok;
}

static void bail(const char *what)
{
	printf("Bail out! %s: %s\n", what, strerror(errno));
	exit(1);
}

static int call(int fd, unsigned long nr, void *arg)
{
	return ioctl(fd, nr, arg) < 0 ? -errno : 0;
}

static void sleep_ms(long ms)
{
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&ts, NULL);
}

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY), r = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		r = -errno;
	close(fd);
	return r;
}

static int pci_write(unsigned int chip, const char *file, const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/%s", bdf[chip], file);
	return write_file(path, text);
}

static int driver_write(const char *file, unsigned int chip)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/bus/pci/drivers/hsl_pci/%s", file);
	return write_file(path, bdf[chip]);
}

/* ---- a client: a context, a segment on each chip, a queue ---- */

struct client {
	int ctx, qfd;
	uint32_t node[NCHIPS];
	uint64_t ga[NCHIPS];
	uint8_t *mem[NCHIPS];
	struct hsl_queue_create q;
	void *rings;
	volatile uint32_t *db;
	struct hsl_queue_ctrl *ctrl;
	struct hsl_desc *sq;
	volatile struct hsl_cqe *cq;
	uint32_t tail, head;
};

static void queue_close(struct client *c)
{
	if (c->qfd < 0)
		return;
	munmap(c->rings, c->q.ring_bytes);
	munmap((void *)(uintptr_t)c->db, c->q.doorbell_bytes);
	close(c->qfd);
	c->qfd = -1;
}

static int queue_open(struct client *c, unsigned int on)
{
	int err;

	c->q = (struct hsl_queue_create){ .size = sizeof(c->q), .node = c->node[on], .depth = DEPTH };
	err = call(c->ctx, HSL_IOC_QUEUE_CREATE, &c->q);
	if (err)
		return err;
	c->qfd = c->q.fd;
	c->rings = mmap(NULL, c->q.ring_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, c->qfd, HSL_QUEUE_MMAP_RINGS);
	c->db = mmap(NULL, c->q.doorbell_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, c->qfd, HSL_QUEUE_MMAP_DOORBELL);
	if (c->rings == MAP_FAILED || c->db == MAP_FAILED)
		bail("mmap of a queue");
	c->ctrl = (void *)((char *)c->rings + c->q.ctrl_offset);
	c->sq = (void *)((char *)c->rings + c->q.sq_offset);
	c->cq = (void *)((char *)c->rings + c->q.cq_offset);
	c->tail = c->head = 0;
	return 0;
}

static void client_close(struct client *c)
{
	queue_close(c);
	for (int i = 0; i < NCHIPS; i++)
		if (c->mem[i])
			munmap(c->mem[i], SEG);
	close(c->ctx);
}

static int client_open(struct client *c, unsigned int on)
{
	memset(c, 0, sizeof(*c));
	c->qfd = -1;
	c->ctx = open(DEV, O_RDWR | O_CLOEXEC);
	if (c->ctx < 0)
		return -errno;
	for (uint32_t i = 0; i < NCHIPS; i++) {
		struct hsl_segment_alloc a = { .size = sizeof(a), .node = i + 1, .len_bytes = SEG,
					       .rights = HSL_SEGMENT_READ | HSL_SEGMENT_WRITE };
		int err = call(c->ctx, HSL_IOC_SEGMENT_ALLOC, &a);
		void *p;

		if (err) {
			client_close(c);
			return err;
		}
		c->node[i] = i + 1;
		c->ga[i] = a.ga;
		p = mmap(NULL, SEG, PROT_READ | PROT_WRITE, MAP_SHARED, c->ctx, (off_t)a.ga);
		if (p == MAP_FAILED) {
			err = -errno;
			client_close(c);
			return err;
		}
		c->mem[i] = p;
	}
	int err = queue_open(c, on);

	if (err)
		client_close(c);
	return err;
}

static bool chips_leave;	/* the case takes chips away: segments may die */

static bool has_cqe(struct client *c)
{
	uint32_t phase = ((c->head / DEPTH) & 1) ^ 1;

	return c->cq[c->head % DEPTH].status >> 31 == phase;
}

static void submit(struct client *c, uint64_t dst, uint64_t src, uint64_t len)
{
	c->sq[c->tail % DEPTH] = (struct hsl_desc){ .opcode = len ? HSL_OP_COPY : HSL_OP_NOP, .cookie = c->tail,
						    .dst = dst, .src = src, .len = len };
	atomic_thread_fence(memory_order_seq_cst);
	*(volatile uint32_t *)((volatile char *)c->db + HSL_DB_SQ_TAIL) = ++c->tail;
}

/* Status of the next completion, or -1: the queue has ended, -2: nothing for ten seconds. */
static int complete(struct client *c)
{
	struct pollfd p = { .fd = c->qfd, .events = POLLIN };
	int status;

	if (!has_cqe(c)) {
		if (poll(&p, 1, 10000) <= 0)
			return -2;
		if (!(p.revents & POLLIN))
			return -1;
	}
	atomic_thread_fence(memory_order_acquire);
	status = (int)HSL_CQE_CODE(c->cq[c->head % DEPTH].status);
	c->ctrl->cq_head = ++c->head;
	return status;
}

/* ---- traffic ---- */

static sigjmp_buf on_sigbus;
static volatile sig_atomic_t expect_sigbus;

static void sigbus(int sig)
{
	(void)sig;
	if (!expect_sigbus) {
		static const char msg[] = "unexpected SIGBUS\n";

		if (write(1, msg, sizeof(msg) - 1)) {}
		_exit(3);
	}
	siglongjmp(on_sigbus, 1);
}

static void wrong(struct shared *s, const char *what, long value)
{
	printf("# worker: %s: %ld\n", what, value);
	atomic_fetch_add(&s->wrong, 1);
}

/* Copies of one queue until it ends. True: the other chip has left and its segment is dead, open everything again. */
static bool traffic_queue(struct client *c, struct shared *s, unsigned int on)
{
	unsigned int n = 0;

	while (!atomic_load(&s->stop)) {
		uint64_t src = c->ga[on], dst = c->ga[!on];
		int st;

		for (int i = 0; i < 4; i++)
			submit(c, dst + i * 65536u, src + i * 65536u, 65536);
		for (int i = 0; i < 4; i++) {
			st = complete(c);
			if (st == -1) {
				if (c->ctrl->error != HSL_ST_GONE)
					wrong(s, "the queue ended with", c->ctrl->error);
				atomic_fetch_add(&s->lost_queues, 1);
				return false;
			}
			if (st == -2) {
				wrong(s, "nothing completed in 10 s, queue state", c->ctrl->state);
				printf("# chip %u submitted %u completed %u, completion %sthere, doorbell state %u\n",
				       on + 1, c->tail, c->head, has_cqe(c) ? "" : "not ", c->db[HSL_DB_STATE / 4]);
				return false;
			}
			if (st == HSL_ST_SEGMENT && chips_leave)
				return true;
			/* the other chip may be in reset */
			if (st != HSL_ST_OK && st != HSL_ST_UNREACHABLE && st != HSL_ST_REVOKED)
				wrong(s, "status", st);
		}
		if (++n % 8 == 0)
			atomic_fetch_add(&s->rounds, 1);
	}
	return false;
}

/* What the segments hold survives a reset (HEP-RAS-003); once a chip is gone, SIGBUS is right too. */
static void check_memory(struct client *c, struct shared *s, unsigned int on, uint8_t pattern)
{
	expect_sigbus = 1;
	if (!sigsetjmp(on_sigbus, 1)) {
		for (unsigned int i = 0; i < SEG; i += 4099)
			if (c->mem[on][i] != pattern) {
				wrong(s, "memory changed at", i);
				break;
			}
	}
	expect_sigbus = 0;
}

static bool fill_memory(struct client *c, unsigned int on, uint8_t pattern)
{
	volatile bool filled = false;

	expect_sigbus = 1;
	if (!sigsetjmp(on_sigbus, 1)) {
		memset(c->mem[on], pattern, SEG);
		filled = true;
	}
	expect_sigbus = 0;
	return filled;
}

static int traffic(struct shared *s, unsigned int on)
{
	struct sigaction sa = { .sa_handler = sigbus };
	struct client c;
	int err;

	sigaction(SIGBUS, &sa, NULL);
	while (!atomic_load(&s->stop)) {
		uint8_t pattern = (uint8_t)(1 + rand() % 255);

		err = client_open(&c, on);
		if (err) {
			if (err != -ENODEV && err != -ENOENT && err != -ENXIO && err != -ESHUTDOWN)
				wrong(s, "opening", err);
			sleep_ms(5);
			continue;
		}
		atomic_fetch_add(&s->reopened, 1);
		while (fill_memory(&c, on, pattern)) {
			if (traffic_queue(&c, s, on))
				break;
			/* the doorbell page of a queue that has ended is scratch */
			c.db[0] = c.tail;
			queue_close(&c);
			if (atomic_load(&s->stop))
				break;
			check_memory(&c, s, on, pattern);
			err = queue_open(&c, on);
			if (err)
				break;
		}
		if (err && err != -ENODEV && err != -ENOENT && err != -ESHUTDOWN)
			wrong(s, "a new queue", err);
		client_close(&c);
	}
	return 0;
}

/* Reads the sensors of all chips, while these come and go, until it is killed: a value, or an error that says why not. */
static void read_sensors(struct shared *s)
{
	char buf[32];
	glob_t g;

	for (;;) {
		sleep_ms(2);
		if (glob("/sys/bus/pci/drivers/hsl_pci/*/hwmon/hwmon*/*_input", 0, NULL, &g))
			continue;
		for (size_t i = 0; i < g.gl_pathc; i++) {
			int fd = open(g.gl_pathv[i], O_RDONLY | O_CLOEXEC);
			ssize_t n = fd < 0 ? 0 : read(fd, buf, sizeof(buf) - 1);

			buf[n > 0 ? n : 0] = 0;
			if (n < 0 ? errno != ENODEV : n && atol(buf) <= 0)
				wrong(s, g.gl_pathv[i], n < 0 ? -errno : atol(buf));
			if (n > 0)
				atomic_fetch_add(&s->sensors, 1);
			if (fd >= 0)
				close(fd);
		}
		globfree(&g);
	}
}

static pid_t workers[NCHIPS], reader;

/* Where the kernel has no hwmon nobody reads. */
static void sensors_start(void)
{
	if (access("/sys/class/hwmon", F_OK))
		return;
	atomic_store(&shared[NCHIPS].sensors, 0);
	fflush(stdout);
	reader = fork();
	if (reader < 0)
		bail("fork");
	if (!reader) {
		setvbuf(stdout, NULL, _IOLBF, 0);
		read_sensors(&shared[NCHIPS]);
	}
}

static void sensors_stop(void)
{
	unsigned int n = atomic_load(&shared[NCHIPS].sensors);

	if (!reader) {
		check(true, "sensors are read meanwhile # SKIP this kernel has no hwmon");
		return;
	}
	kill(reader, SIGKILL);
	waitpid(reader, NULL, 0);
	check(n && !atomic_load(&shared[NCHIPS].wrong), "sensors were read meanwhile: %u values, none wrong", n);
}

static void traffic_start(void)
{
	for (unsigned int i = 0; i < NCHIPS; i++) {
		memset(&shared[i], 0, sizeof(shared[i]));
		fflush(stdout);
		workers[i] = fork();
		if (!workers[i]) {
			setvbuf(stdout, NULL, _IOLBF, 0);
			_exit(traffic(&shared[i], i));
		}
	}
}

static bool traffic_moves(unsigned int i)
{
	unsigned int before = atomic_load(&shared[i].rounds);

	for (int n = 0; n < 1000; n++) {
		if (atomic_load(&shared[i].rounds) != before)
			return true;
		sleep_ms(10);
	}
	return false;
}

static void traffic_stop(void)
{
	for (unsigned int i = 0; i < NCHIPS; i++)
		atomic_store(&shared[i].stop, true);
	for (unsigned int i = 0; i < NCHIPS; i++) {
		int status = -1;

		waitpid(workers[i], &status, 0);
		check(status == 0, "worker %u ends by itself (status %#x)", i, (unsigned int)status);
		check(!atomic_load(&shared[i].wrong), "worker %u saw nothing wrong", i);
	}
}

/* Everything has been given back: chip memory (zeroing is asynchronous) and queues. */
static void check_no_leak(void)
{
	struct hsl_chip_info ci = { .size = sizeof(ci) };
	int ctx = open(DEV, O_RDWR | O_CLOEXEC);

	if (ctx < 0)
		bail(DEV);
	for (uint32_t node = 1; node <= NCHIPS; node++) {
		for (int n = 0; n < 500; n++) {
			ci.flags = 0;
			ci.node = node;
			if (call(ctx, HSL_IOC_CHIP_INFO, &ci))
				bail("CHIP_INFO");
			if (ci.mem_free_bytes == ci.mem_bytes && ci.nqueues_free == ci.nqueues)
				break;
			sleep_ms(10);
		}
		check(ci.mem_free_bytes == ci.mem_bytes, "chip %u: all memory is free again", node);
		check(ci.nqueues_free == ci.nqueues, "chip %u: all queues are free again", node);
	}
	close(ctx);
}

/* A fresh client works on every chip. */
static void check_works(void)
{
	for (unsigned int i = 0; i < NCHIPS; i++) {
		struct client c;
		int err = client_open(&c, i), st = HSL_ST_OK;

		if (!err) {
			memset(c.mem[i], 0x5c, SEG);
			for (uint32_t off = 0; off < SEG && st <= HSL_ST_OK; off += 65536) {
				submit(&c, c.ga[!i] + off, c.ga[i] + off, 65536);
				st = complete(&c);
			}
			check(st == HSL_ST_OK && !memcmp(c.mem[0], c.mem[1], SEG), "a new client copies on chip %u",
			      i + 1);
			client_close(&c);
		} else {
			check(false, "a new client on chip %u: %s", i + 1, strerror(-err));
		}
	}
}

/* ---- the cases ---- */

static void case_flr(int cycles)
{
	traffic_start();
	sensors_start();
	for (int n = 0; n < cycles; n++) {
		unsigned int chip = n % NCHIPS, lost = atomic_load(&shared[chip].lost_queues);
		bool moved = traffic_moves(0) && traffic_moves(1);
		int err = pci_write(chip, "reset", "1");

		check(moved && !err, "cycle %d: traffic ran, chip %u was reset (%d)", n, chip + 1, err);
		for (int t = 0; t < 1000 && atomic_load(&shared[chip].lost_queues) == lost; t++)
			sleep_ms(10);
		check(atomic_load(&shared[chip].lost_queues) > lost, "cycle %d: its queue ended", n);
	}
	check(traffic_moves(0) && traffic_moves(1), "traffic goes on");
	for (unsigned int i = 0; i < NCHIPS; i++)
		check(atomic_load(&shared[i].reopened) == 1, "chip %u: segments survived every reset", i + 1);
	sensors_stop();
	traffic_stop();
}

static void wait_node(bool there)
{
	for (int n = 0; n < 500 && (access(DEV, F_OK) == 0) != there; n++)
		sleep_ms(10);
}

static void case_bind(int cycles)
{
	chips_leave = true;
	traffic_start();
	sensors_start();
	for (int n = 0; n < cycles; n++) {
		bool both = n % 3 == 2;
		unsigned int chip = n % NCHIPS;
		bool moved = traffic_moves(0) && traffic_moves(1);
		int err = driver_write("unbind", chip);

		if (both) {
			err |= driver_write("unbind", !chip);
			wait_node(false);
			check(access(DEV, F_OK) != 0, "cycle %d: no chip, no device node", n);
			err |= driver_write("bind", !chip);
		}
		err |= driver_write("bind", chip);
		wait_node(true);
		check(moved && !err, "cycle %d: traffic ran, chip %u was unbound and bound (%d)", n, chip + 1, err);
	}
	check(traffic_moves(0) && traffic_moves(1), "traffic goes on");
	sensors_stop();
	traffic_stop();
}

static void case_remove(int cycles)
{
	chips_leave = true;
	traffic_start();
	for (int n = 0; n < cycles; n++) {
		unsigned int chip = n % NCHIPS;
		bool moved = traffic_moves(0) && traffic_moves(1);
		int err = pci_write(chip, "remove", "1");

		err |= write_file("/sys/bus/pci/rescan", "1");
		check(moved && !err, "cycle %d: traffic ran, chip %u was removed and found again (%d)", n, chip + 1, err);
	}
	check(traffic_moves(0) && traffic_moves(1), "traffic goes on");
	traffic_stop();
}

/* The function stops answering (memory decode and bus mastering off: reads are all ones), then its driver is told. */
static void case_surprise(int cycles)
{
	char path[128];

	chips_leave = true;
	traffic_start();
	for (int n = 0; n < cycles; n++) {
		unsigned int chip = n % NCHIPS;
		bool moved = traffic_moves(0) && traffic_moves(1);
		const uint16_t off = 0;
		int fd, err;

		snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/config", bdf[chip]);
		fd = open(path, O_WRONLY);
		err = fd < 0 || pwrite(fd, &off, 2, 4) != 2;
		close(fd);
		sleep_ms(20);
		err |= driver_write("unbind", chip);
		err |= driver_write("bind", chip);
		check(moved && !err, "cycle %d: traffic ran, chip %u vanished and came back (%d)", n, chip + 1, err);
	}
	check(traffic_moves(0) && traffic_moves(1), "traffic goes on");
	traffic_stop();
}

static void qmp(int fd, const char *cmd)
{
	if (write(fd, cmd, strlen(cmd)) < 0)
		bail("QMP");
}

/* Hot-unplug and hot-plug of chip 2, through QEMU's monitor (qemu/vm QMP=guest). */
static void case_unplug(int cycles)
{
	int fd = open("/dev/virtio-ports/org.hsl.qmp", O_RDWR | O_NONBLOCK);
	char path[128];

	if (fd < 0) {
		printf("1..0 # SKIP needs QMP=guest\n");
		exit(77);
	}
	chips_leave = true;
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s", bdf[1]);
	qmp(fd, "{\"execute\":\"qmp_capabilities\"}\n");
	traffic_start();
	sensors_start();
	for (int n = 0; n < cycles; n++) {
		bool moved = traffic_moves(0) && traffic_moves(1);

		qmp(fd, "{\"execute\":\"device_del\",\"arguments\":{\"id\":\"chip2\"}}\n");
		for (int t = 0; t < 3000 && access(path, F_OK) == 0; t++)
			sleep_ms(10);
		check(moved && access(path, F_OK) != 0, "cycle %d: traffic ran, chip 2 was unplugged", n);
		sleep_ms(1500);
		qmp(fd, "{\"execute\":\"device_add\",\"arguments\":{\"driver\":\"hsl-chip\",\"id\":\"chip2\","
			"\"bus\":\"hslrp2\",\"fabric\":\"fab0\",\"node\":2,\"memdev\":\"hslmem2\"}}\n");
		for (int t = 0; t < 3000 && access(path, F_OK) != 0; t++)
			sleep_ms(10);
		check(access(path, F_OK) == 0, "cycle %d: chip 2 was plugged in", n);
	}
	check(traffic_moves(0) && traffic_moves(1), "traffic goes on");
	sensors_stop();
	traffic_stop();
	close(fd);
}

static void case_kill(int cycles)
{
	for (int n = 0; n < cycles; n++) {
		traffic_start();
		bool moved = traffic_moves(0) && traffic_moves(1);

		sleep_ms(rand() % 20);
		for (unsigned int i = 0; i < NCHIPS; i++) {
			kill(workers[i], SIGKILL);
			waitpid(workers[i], NULL, 0);
		}
		check(moved, "cycle %d: killed in the middle of traffic", n);
	}
}

/* One of each kind of open thing, and a blocked waiter, when the chips are unbound. */
static void case_files(void)
{
	struct hsl_info info = { .size = sizeof(info), .abi_version = HSL_ABI_VERSION };
	struct hsl_queue_eventfd ev = { .size = sizeof(ev), .fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) };
	struct hsl_queue_kick kick = { .size = sizeof(kick) };
	struct hsl_queue_info qi = { .size = sizeof(qi) };
	struct hsl_segment_register reg = { .size = sizeof(reg), .rights = HSL_SEGMENT_READ, .len_bytes = 8192 };
	struct sigaction sa = { .sa_handler = sigbus };
	struct client c;
	uint64_t events = 0;
	int status = -1;
	pid_t waiter;

	sigaction(SIGBUS, &sa, NULL);
	if (client_open(&c, 0))
		bail("client");
	reg.addr = (uintptr_t)mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	check(call(c.ctx, HSL_IOC_SEGMENT_REGISTER, &reg) == 0, "host memory registered");
	check(call(c.qfd, HSL_IOC_QUEUE_EVENTFD, &ev) == 0, "eventfd attached");
	check(syscall(SYS_delete_module, "hsl_pci", O_NONBLOCK) && (errno == EAGAIN || errno == EBUSY),
	      "rmmod hsl_pci is refused while a file is open");
	memset(c.mem[0], 1, SEG);
	fflush(stdout);
	waiter = fork();
	if (!waiter) {
		struct pollfd p = { .fd = c.qfd, .events = POLLIN };
		int r = poll(&p, 1, 20000);

		_exit(r == 1 && p.revents == (POLLERR | POLLHUP) ? 0 : 1);
	}
	sleep_ms(300);
	check(!driver_write("unbind", 0) && !driver_write("unbind", 1), "both chips unbound with everything open");
	waitpid(waiter, &status, 0);
	check(status == 0, "the blocked waiter got POLLERR | POLLHUP");
	check(read(ev.fd, &events, 8) == 8 && events, "the eventfd was signalled");
	check(c.ctrl->state == HSL_QUEUE_ERROR && c.ctrl->error == HSL_ST_GONE, "the rings tell ERROR, GONE");
	check(call(c.qfd, HSL_IOC_QUEUE_INFO, &qi) == 0 && qi.state == HSL_QUEUE_ERROR && qi.error == HSL_ST_GONE,
	      "QUEUE_INFO works on the dead queue");
	check(call(c.qfd, HSL_IOC_QUEUE_KICK, &kick) == -ENODEV, "QUEUE_KICK is ENODEV");
	check(call(c.ctx, HSL_IOC_INFO, &info) == -ENODEV, "INFO is ENODEV");
	check(mmap(NULL, 4096, PROT_READ, MAP_SHARED, c.ctx, (off_t)c.ga[0]) == MAP_FAILED && errno == ENODEV,
	      "mmap is ENODEV");
	c.db[0] = 77;
	check(c.db[0] == 77, "the doorbell page is scratch memory");
	expect_sigbus = 1;
	if (!sigsetjmp(on_sigbus, 1)) {
		c.mem[0][0] = 2;
		check(false, "chip memory can still be touched");
	} else {
		check(true, "chip memory is SIGBUS");
	}
	expect_sigbus = 0;
	check(access(DEV, F_OK) != 0, "the device node is gone");
	check(!driver_write("bind", 0) && !driver_write("bind", 1), "both chips bound again");
	wait_node(true);
	check(access(DEV, F_OK) == 0, "the device node is back while the old file is open");
	check(call(c.ctx, HSL_IOC_INFO, &info) == -ENODEV, "the old file stays ENODEV");
	check_works();
	client_close(&c);
}

/*
 * A segment of a chip that left is dead for good: when the chip is back, with the same addresses and other owners, the
 * old owner reaches nothing, even after it has attached to the chip again (HEP-SEC-002).
 */
static void case_stale(void)
{
	struct client a, b;
	bool same;

	if (client_open(&a, 0))
		bail("first client");
	memset(a.mem[1], 0x11, SEG);
	check(!driver_write("unbind", 1) && !driver_write("bind", 1), "chip 2 unbound and bound again");
	if (client_open(&b, 0))
		bail("second client");
	same = b.ga[1] == a.ga[1];
	check(same, "the second client got the address that was the first one's");
	check(b.mem[1][0] == 0 && !memcmp(b.mem[1], b.mem[1] + 1, SEG - 1), "and it reads as zero");
	memset(b.mem[1], 0x22, SEG);

	struct hsl_segment_alloc own = { .size = sizeof(own), .node = 2, .len_bytes = SEG,
					 .rights = HSL_SEGMENT_READ | HSL_SEGMENT_WRITE };

	check(call(a.ctx, HSL_IOC_SEGMENT_ALLOC, &own) == 0 && own.ga != a.ga[1], "the first client attaches again");
	submit(&a, a.ga[1], a.ga[0], SEG);
	check(complete(&a) == HSL_ST_SEGMENT, "its write to the old address from chip 1 is SEGMENT");
	queue_close(&a);
	check(queue_open(&a, 1) == 0, "a queue on chip 2");
	submit(&a, a.ga[1], a.ga[0], SEG);
	check(complete(&a) == HSL_ST_SEGMENT, "its write to the old address from chip 2 is SEGMENT");
	submit(&a, a.ga[0], a.ga[1], SEG);
	check(complete(&a) == HSL_ST_SEGMENT, "so is its read");
	submit(&a, own.ga, a.ga[0], SEG);
	check(complete(&a) == HSL_ST_OK, "its new segment works");
	check(mmap(NULL, SEG, PROT_READ, MAP_SHARED, a.ctx, (off_t)a.ga[1]) == MAP_FAILED && errno == ENXIO,
	      "mmap of the old address is ENXIO");
	check(b.mem[1][0] == 0x22 && !memcmp(b.mem[1], b.mem[1] + 1, SEG - 1), "the second client's bytes are its own");
	client_close(&a);
	client_close(&b);
}

static void find_chips(void)
{
	struct hsl_chip_info ci = { .size = sizeof(ci) };
	int ctx = open(DEV, O_RDWR | O_CLOEXEC);

	if (ctx < 0) {
		printf("1..0 # SKIP %s: %s\n", DEV, strerror(errno));
		exit(77);
	}
	for (uint32_t i = 0; i < NCHIPS; i++) {
		ci.node = i + 1;
		ci.flags = 0;
		if (call(ctx, HSL_IOC_CHIP_INFO, &ci)) {
			printf("1..0 # SKIP needs chips 1 and 2\n");
			exit(77);
		}
		memcpy(bdf[i], ci.bus_addr, sizeof(bdf[i]));
	}
	close(ctx);
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";
	int cycles = argc > 2 ? atoi(argv[2]) : 10;

	setvbuf(stdout, NULL, _IOLBF, 0);
	find_chips();
	shared = mmap(NULL, (NCHIPS + 1) * sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		bail("mmap");
	if (!strcmp(name, "flr"))
		case_flr(cycles);
	else if (!strcmp(name, "bind"))
		case_bind(cycles);
	else if (!strcmp(name, "remove"))
		case_remove(cycles);
	else if (!strcmp(name, "kill"))
		case_kill(cycles);
	else if (!strcmp(name, "files"))
		case_files();
	else if (!strcmp(name, "surprise"))
		case_surprise(cycles);
	else if (!strcmp(name, "unplug"))
		case_unplug(cycles);
	else if (!strcmp(name, "stale"))
		case_stale();
	else
		return fprintf(stderr, "usage: life flr|bind|remove|surprise|unplug|kill|files|stale [cycles]\n"), 2;
	check_works();
	check_no_leak();
	printf("1..%d\n", ntests);
	return nfailed != 0;
}
