// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * The door to the test facility (docs/abi/debugfs-hsl), on the raw file: who gets in, what may be accessed, and what a reset,
 * a kill and the chip's leaving do to who has it open. As root in the VM.
 *
 *   ctf		prints TAP; exit 0, 1, 77
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/raw.h"
#include "hsl/ctf.h"

#define DOOR	"/sys/kernel/debug/hsl/hsl0/chip1/ctf"
#define DRIVER	"/sys/bus/pci/drivers/hsl_pci/"

static char bdf[32];		/* of chip 1 */

static int door(void)
{
	int fd = open(DOOR, O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static int get(int fd, long off, void *buf, size_t len)
{
	ssize_t n = pread(fd, buf, len, off);

	return n < 0 ? -errno : (int)n;
}

static int put(int fd, long off, const void *buf, size_t len)
{
	ssize_t n = pwrite(fd, buf, len, off);

	return n < 0 ? -errno : (int)n;
}

static uint32_t reg(int fd, long off)
{
	uint32_t v = 0xdeadbeef;

	return get(fd, off, &v, sizeof(v)) == sizeof(v) ? v : 0xdeadbeef;
}

static bool set(int fd, long off, uint32_t v)
{
	return put(fd, off, &v, sizeof(v)) == sizeof(v);
}

static bool unlock(int fd)
{
	return set(fd, HSL_CTF_KEY, HSL_CTF_UNLOCK) && reg(fd, HSL_CTF_KEY) == 1;
}

static void pci(const char *what)
{
	char path[96];

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/%s", bdf, what);
	if (raw_write_file(path, "1"))
		raw_bail(path);
}

static void driver(const char *what)
{
	char path[96];

	snprintf(path, sizeof(path), DRIVER "%s", what);
	if (raw_write_file(path, bdf))
		raw_bail(path);
}

static void test_bounds(int fd)
{
	static const struct { long off; size_t len; int want; } cases[] = {
		{ HSL_CTF_ID, 4, 4 }, { HSL_CTF_ARG0, 8, 8 }, { HSL_CTF_BYTES - 4, 4, 4 }, { HSL_CTF_BYTES - 8, 8, 8 },
		{ HSL_CTF_FLIT, HSL_FLIT_BYTES, HSL_FLIT_BYTES }, { HSL_CTF_FLIT + 240, 16, 16 },
		{ HSL_CTF_RECORD, HSL_CTF_RECORD_BYTES, HSL_CTF_RECORD_BYTES },
		{ HSL_CTF_ID, 0, -EINVAL }, { HSL_CTF_ID, 1, -EINVAL }, { HSL_CTF_ID, 2, -EINVAL }, { HSL_CTF_ID, 3, -EINVAL },
		{ HSL_CTF_ID + 1, 4, -EINVAL }, { HSL_CTF_ID + 2, 4, -EINVAL }, { HSL_CTF_CAP, 8, -EINVAL },
		{ HSL_CTF_ARG0, 12, -EINVAL }, { HSL_CTF_ARG0, 16, -EINVAL }, { HSL_CTF_FLIT, 257, -EINVAL },
		{ HSL_CTF_FLIT, 264, -EINVAL }, { HSL_CTF_FLIT + 8, HSL_FLIT_BYTES, -EINVAL }, { HSL_CTF_FLIT - 8, 16, -EINVAL },
		{ HSL_CTF_FLIT, 12, -EINVAL }, { HSL_CTF_FLIT + 4, 16, -EINVAL },
		{ HSL_CTF_RECORD, HSL_CTF_RECORD_BYTES + 8, -EINVAL }, { HSL_CTF_RECORD + 8, HSL_CTF_RECORD_BYTES, -EINVAL },
		{ HSL_CTF_BYTES, 4, -EINVAL }, { HSL_CTF_BYTES, 8, -EINVAL }, { HSL_CTF_BYTES - 4, 8, -EINVAL },
		{ HSL_CTF_BYTES * 4096l, 4, -EINVAL }, { 0x7ffffffffffffffcl, 4, -EINVAL }, { -4, 4, -EINVAL },
	};
	static char buf[HSL_CTF_BYTES];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int r = get(fd, cases[i].off, buf, cases[i].len), w = put(fd, cases[i].off, buf, cases[i].len);

		raw_check(r == cases[i].want && w == cases[i].want, "%zu bytes at %#lx: %d, written %d", cases[i].len,
			  cases[i].off, r, w);
	}
	raw_check(get(fd, HSL_CTF_ID, (void *)8, 4) == -EFAULT && put(fd, HSL_CTF_ARG0, (void *)8, 8) == -EFAULT,
		  "memory that is none: EFAULT");
}

static void test_test_mode(int fd)
{
	uint64_t v = 0x1122334455667788, back = 0;
	uint8_t flit[HSL_FLIT_BYTES], again[HSL_FLIT_BYTES];

	for (size_t i = 0; i < sizeof(flit); i++)
		flit[i] = (uint8_t)(i * 7 + 1);
	raw_check(reg(fd, HSL_CTF_ID) == HSL_CTF_ID_VALUE && reg(fd, HSL_CTF_CAP) > 1, "ID and CAP");
	raw_check(reg(fd, HSL_CTF_KEY) == 0, "not in test mode");
	raw_check(put(fd, HSL_CTF_ARG0, &v, 8) == 8 && get(fd, HSL_CTF_ARG0, &back, 8) == 8 && !back,
		  "outside of it registers are zero");
	raw_check(unlock(fd), "KEY enters test mode");
	raw_check(put(fd, HSL_CTF_ARG0, &v, 8) == 8 && get(fd, HSL_CTF_ARG0, &back, 8) == 8 && back == v, "ARG0 holds 64 bits");
	raw_check(reg(fd, HSL_CTF_ARG0) == (uint32_t)v, "its low half is first");
	raw_check(put(fd, HSL_CTF_FLIT, flit, sizeof(flit)) == sizeof(flit) &&
		  get(fd, HSL_CTF_FLIT, again, sizeof(again)) == sizeof(again) && !memcmp(flit, again, sizeof(flit)),
		  "FLIT holds a flit");
	raw_check(get(fd, HSL_CTF_FLIT + 16, again, 8) == 8 && !memcmp(again, flit + 16, 8), "and a word of it is at its place");
}

static void test_exclusive(int fd)
{
	int other = door();
	pid_t pid;
	int status;

	raw_check(other == -EBUSY, "open a second time: %d", other);
	fflush(stdout);
	pid = fork();
	if (!pid)
		_exit(door() == -EBUSY ? 0 : 1);
	raw_check(waitpid(pid, &status, 0) == pid && !status, "nor by another process");
	raw_check(unlock(fd), "who has it still has it");
	close(fd);
	other = door();
	raw_check(other >= 0 && reg(other, HSL_CTF_KEY) == 0, "the close has left test mode");
	fd = dup(other);
	unlock(other);
	close(other);
	raw_check(door() == -EBUSY && reg(fd, HSL_CTF_KEY) == 1, "the last close, that is");
	close(fd);
}

/* A tester dies in test mode. */
static void test_kill(void)
{
	int pipefd[2], fd, status;
	char byte;
	pid_t pid;

	if (pipe(pipefd))
		raw_bail("pipe");
	fflush(stdout);
	pid = fork();
	if (!pid) {
		fd = door();
		if (fd < 0 || !unlock(fd) || write(pipefd[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(pipefd[1]);
	raw_check(read(pipefd[0], &byte, 1) == 1, "a child is in test mode");
	close(pipefd[0]);
	fd = door();
	raw_check(fd == -EBUSY, "it has the door: %d", fd);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	fd = door();
	raw_check(fd >= 0 && reg(fd, HSL_CTF_KEY) == 0, "kill -9: the door is free, test mode is left");
	close(fd);
}

static void test_reset(void)
{
	int fd = door();

	raw_check(fd >= 0 && unlock(fd), "in test mode");
	pci("reset");
	raw_check(reg(fd, HSL_CTF_ID) == HSL_CTF_ID_VALUE && reg(fd, HSL_CTF_KEY) == 0, "a reset has ended it");
	raw_check(unlock(fd), "it can be entered again by the same file");
	close(fd);
}

/* The chip leaves and comes back, by unbind and bind or by removal and rescan. */
static void test_leave(bool remove)
{
	const char *how = remove ? "removed" : "unbound";
	int fd = door(), fresh;
	uint32_t v;

	raw_check(fd >= 0 && unlock(fd), "in test mode");
	if (remove)
		pci("remove");
	else
		driver("unbind");
	raw_check(get(fd, HSL_CTF_ID, &v, 4) == -ENODEV && put(fd, HSL_CTF_KEY, &v, 4) == -ENODEV, "%s: ENODEV", how);
	raw_check(get(fd, HSL_CTF_ID, &v, 3) == -EINVAL, "%s: EINVAL is EINVAL", how);
	raw_check(door() == -ENOENT, "%s: the door is gone", how);
	if (remove)
		raw_write_file("/sys/bus/pci/rescan", "1");
	else
		driver("bind");
	raw_check(get(fd, HSL_CTF_ID, &v, 4) == -ENODEV, "%s and back: the old file stays dead", how);
	fresh = door();
	raw_check(fresh >= 0 && reg(fresh, HSL_CTF_KEY) == 0 && unlock(fresh), "%s and back: a new one works", how);
	close(fd);
	raw_check(reg(fresh, HSL_CTF_KEY) == 1 && door() == -EBUSY, "%s and back: closing the old one is nothing to the new", how);
	close(fresh);
}

/* ---- while others are at it ---- */

static atomic_bool stop;
static atomic_uint opened, wrong;

/* What a file that is open may say meanwhile: the ID, or that the chip has left. */
static void *knock(void *arg)
{
	(void)arg;
	while (!stop) {
		int fd = door(), n = 0;
		uint32_t v = 0;

		if (fd < 0) {
			wrong += fd != -ENOENT && fd != -EBUSY;
			continue;
		}
		opened++;
		for (int i = 0; i < 50 && n >= 0; i++) {
			n = get(fd, HSL_CTF_ID, &v, 4);
			wrong += n >= 0 ? v != HSL_CTF_ID_VALUE : n != -ENODEV;
		}
		close(fd);
	}
	return NULL;
}

static void test_race(void)
{
	pthread_t th[2];
	unsigned int seen;

	for (int i = 0; i < 2; i++)
		pthread_create(&th[i], NULL, knock, NULL);
	for (int i = 0; i < 10; i++) {
		seen = opened;
		while (opened == seen)
			raw_sleep_us(100);
		if (i % 2)
			pci("reset");
		else
			driver("unbind");
		if (i % 2 == 0)
			driver("bind");
	}
	stop = true;
	for (int i = 0; i < 2; i++)
		pthread_join(th[i], NULL);
	raw_check(!wrong, "opened %u times while the chip came and went: %u wrong answers", opened, wrong);
}

static void find_chip(void)
{
	struct hsl_chip_info ci;
	int fd = raw_open(0);

	if (raw_chip(fd, 1, &ci))
		raw_bail("CHIP_INFO");
	if (!(ci.cap & HSL_CAP_CTF))
		raw_skip_all("the chip has no test facility");
	snprintf(bdf, sizeof(bdf), "%s", (const char *)ci.bus_addr);
	close(fd);
}

int main(void)
{
	struct stat st;
	int fd;

	find_chip();
	raw_check(!stat(DOOR, &st) && (st.st_mode & 07777) == 0600 && !st.st_uid, "mode 0600, of root");
	fd = door();
	if (fd < 0)
		raw_bail(DOOR);
	test_test_mode(fd);
	test_bounds(fd);
	test_exclusive(fd);
	test_kill();
	test_reset();
	test_leave(false);
	test_leave(true);
	test_race();
	return raw_done();
}
