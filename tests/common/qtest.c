/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The qtest client, see qtest.h.
 *
 * Protocol: one line per request, one line per answer that begins with OK or FAIL; memory is hexadecimal. QEMU connects
 * to two sockets of ours (qtest and QMP), so there is no race to wait for its socket to appear.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/qtest.h"

enum { CH_QTEST, CH_QMP };

static void outl(struct qt *q, unsigned int port, uint32_t val);

#define MEM_CHUNK	4096u

const char *qt_binary(void)
{
	const char *bin = getenv("QEMU");

	return bin && *bin ? bin : NULL;
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000ll + ts.tv_nsec / 1000000;
}

/* ---- starting and ending ---- */

static int listen_at(const char *dir, const char *name, char *path, size_t size)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	snprintf(path, size, "%s/%s", dir, name);
	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/%s", dir, name);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(fd, 1), 0);
	return fd;
}

static pid_t spawn(const char *const extra[], const char *const args[], const char *log)
{
	const char *argv[128];
	size_t n = 0;
	pid_t parent = getpid(), pid;

	argv[n++] = qt_binary();
	for (; *extra; extra++)
		argv[n++] = *extra;
	for (; *args; args++) {
		assert_true(n < 127);
		argv[n++] = *args;
	}
	argv[n] = NULL;
	fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		int fd = open(log, O_WRONLY | O_CREAT | O_TRUNC, 0600), null = open("/dev/null", O_RDONLY);

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent || fd < 0 || null < 0)
			_exit(126);
		dup2(null, 0);
		dup2(fd, 1);
		dup2(fd, 2);
		execvp(argv[0], (char *const *)argv);
		_exit(127);
	}
	return pid;
}

static void remove_dir(const char *dir)
{
	static const char *const names[] = { "qtest", "qmp", "log" };
	char path[128];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		unlink(path);
	}
	rmdir(dir);
}

static void make_dir(char *dir, size_t size)
{
	snprintf(dir, size, "/tmp/hsl-qtest.XXXXXX");
	assert_non_null(mkdtemp(dir));
}

static void slurp(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, buf, size - 1);

	buf[n < 0 ? 0 : n] = '\0';
	if (fd >= 0)
		close(fd);
}

static void die(struct qt *q, const char *what)
{
	char log[128], said[2048];
	int status = 0;

	snprintf(log, sizeof(log), "%s/log", q->dir);
	slurp(log, said, sizeof(said));
	if (q->pid > 0 && waitpid(q->pid, &status, WNOHANG) == q->pid)
		q->pid = 0;
	else
		status = 0;
	qt_stop(q);	/* a failed setup has no teardown */
	fail_msg("%s; QEMU status 0x%x, said: %s", what, (unsigned int)status, said);
}

static int accept_from(struct qt *q, int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int64_t end = now_ms() + QT_TIMEOUT_S * 1000;
	int s;

	while (poll(&p, 1, 100) == 0) {
		if (waitpid(q->pid, NULL, WNOHANG) == q->pid) {
			q->pid = 0;
			die(q, "QEMU ended before it connected");
		}
		if (now_ms() > end)
			die(q, "QEMU did not connect");
	}
	s = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
	assert_true(s >= 0);
	close(fd);
	return s;
}

#define QT_MACHINE "-M", "q35", "-accel", "qtest", "-m", "256M", "-nodefaults", "-no-user-config", "-display", \
	"none", "-vga", "none", "-L", "/usr/share/seabios", "-L", "/usr/share/qemu"

void qt_start(struct qt *q, const char *const args[])
{
	char path[2][96], opt[2][128], log[128];
	int fd[2];

	memset(q, 0, sizeof(*q));
	make_dir(q->dir, sizeof(q->dir));
	fd[0] = listen_at(q->dir, "qtest", path[0], sizeof(path[0]));
	fd[1] = listen_at(q->dir, "qmp", path[1], sizeof(path[1]));
	snprintf(opt[0], sizeof(opt[0]), "unix:%s", path[0]);
	snprintf(opt[1], sizeof(opt[1]), "unix:%s", path[1]);
	snprintf(log, sizeof(log), "%s/log", q->dir);
	q->pid = spawn((const char *const[]){ QT_MACHINE, "-qtest", opt[0], "-qtest-log", "/dev/null", "-qmp", opt[1],
					      NULL }, args, log);
	q->sock = accept_from(q, fd[0]);
	q->mon = accept_from(q, fd[1]);
	assert_true(qt_qmp(q, NULL, 0, "{\"execute\":\"qmp_capabilities\"}"));

	/* PCIEXBAR of the q35 host bridge: 256 MiB, enabled */
	outl(q, 0xcf8, 0x80000064);
	outl(q, 0xcfc, QT_ECAM >> 32);
	outl(q, 0xcf8, 0x80000060);
	outl(q, 0xcfc, (uint32_t)QT_ECAM | 1);
}

void qt_stop(struct qt *q)
{
	if (q->pid > 0) {
		kill(q->pid, SIGTERM);
		for (int i = 0; i < 100 && waitpid(q->pid, NULL, WNOHANG) == 0; i++)
			usleep(20000);
		if (kill(q->pid, 0) == 0) {
			kill(q->pid, SIGKILL);
			waitpid(q->pid, NULL, 0);
		}
	}
	if (q->sock)
		close(q->sock);
	if (q->mon)
		close(q->mon);
	if (q->dir[0])
		remove_dir(q->dir);
	memset(q, 0, sizeof(*q));
}

int qt_refuses(const char *const args[], char *said, size_t said_size)
{
	char dir[64], log[128];
	int64_t end = now_ms() + QT_TIMEOUT_S * 1000;
	int status = 0;
	pid_t pid;

	make_dir(dir, sizeof(dir));
	snprintf(log, sizeof(log), "%s/log", dir);
	pid = spawn((const char *const[]){ QT_MACHINE, "-monitor", "none", NULL }, args, log);
	while (waitpid(pid, &status, WNOHANG) == 0) {
		if (now_ms() > end) {
			kill(pid, SIGKILL);
			waitpid(pid, &status, 0);
			break;
		}
		usleep(10000);
	}
	slurp(log, said, said_size);
	remove_dir(dir);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

bool qt_alive(struct qt *q)
{
	if (q->pid > 0 && waitpid(q->pid, NULL, WNOHANG) == q->pid)
		q->pid = 0;
	return q->pid > 0;
}

/* ---- lines ---- */

static void send_all(struct qt *q, int fd, const char *data, size_t len)
{
	while (len) {
		ssize_t n = send(fd, data, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			die(q, "QEMU went away");
		data += n;
		len -= (size_t)n;
	}
}

/* The next line without its end; false when none came in time. */
static bool get_line(struct qt *q, int ch, char *line, size_t size)
{
	int fd = ch == CH_QTEST ? q->sock : q->mon;
	int64_t end = now_ms() + QT_TIMEOUT_S * 1000;
	char *buf = q->buf[ch], *nl;

	while (!(nl = memchr(buf, '\n', q->have[ch]))) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		ssize_t n;

		assert_true(q->have[ch] < sizeof(q->buf[ch]));
		if (poll(&p, 1, 200) <= 0) {
			if (now_ms() > end)
				return false;
			continue;
		}
		n = recv(fd, buf + q->have[ch], sizeof(q->buf[ch]) - q->have[ch], 0);
		if (n <= 0)
			die(q, "QEMU went away");
		q->have[ch] += (size_t)n;
	}
	assert_true((size_t)(nl - buf) < size);
	memcpy(line, buf, (size_t)(nl - buf));
	line[nl - buf] = '\0';
	q->have[ch] -= (size_t)(nl - buf) + 1;
	memmove(buf, nl + 1, q->have[ch]);
	return true;
}

/* To one qtest request; what follows OK is left in line. */
static char *answer(struct qt *q, char *line, size_t size, const char *req)
{
	do {
		if (!get_line(q, CH_QTEST, line, size))
			die(q, "QEMU does not answer");
	} while (!strncmp(line, "IRQ", 3));
	if (strncmp(line, "OK", 2))
		fail_msg("qtest: %.60s: %.200s", req, line);
	return line + 2;
}

static char *request(struct qt *q, char *line, size_t size, const char *req)
{
	send_all(q, q->sock, req, strlen(req));
	return answer(q, line, size, req);
}

/* ---- memory and ports ---- */

static const char size_letter[] = { [1] = 'b', [2] = 'w', [4] = 'l', [8] = 'q' };

uint64_t qt_read(struct qt *q, uint64_t addr, unsigned int size)
{
	char req[64], line[128];

	snprintf(req, sizeof(req), "read%c 0x%llx\n", size_letter[size], (unsigned long long)addr);
	return strtoull(request(q, line, sizeof(line), req), NULL, 0);
}

void qt_write(struct qt *q, uint64_t addr, unsigned int size, uint64_t val)
{
	char req[96], line[128];

	snprintf(req, sizeof(req), "write%c 0x%llx 0x%llx\n", size_letter[size], (unsigned long long)addr,
		 (unsigned long long)val);
	request(q, line, sizeof(line), req);
}

void qt_write_two(struct qt *q, uint64_t addr, uint32_t val, uint64_t addr2, uint32_t val2)
{
	char req[192], line[128];
	int n = snprintf(req, sizeof(req), "writel 0x%llx 0x%x\nwritel 0x%llx 0x%x\n", (unsigned long long)addr, val,
			 (unsigned long long)addr2, val2);

	send_all(q, q->sock, req, (size_t)n);
	for (int i = 0; i < 2; i++)
		answer(q, line, sizeof(line), req);
}

static void outl(struct qt *q, unsigned int port, uint32_t val)
{
	char req[64], line[128];

	snprintf(req, sizeof(req), "outl 0x%x 0x%x\n", port, val);
	request(q, line, sizeof(line), req);
}

void qt_memread(struct qt *q, uint64_t addr, void *buf, size_t len)
{
	uint8_t *out = buf;

	while (len) {
		size_t n = len < MEM_CHUNK ? len : MEM_CHUNK;
		char req[64], line[2 * MEM_CHUNK + 64];
		const char *hex;

		snprintf(req, sizeof(req), "read 0x%llx 0x%zx\n", (unsigned long long)addr, n);
		hex = request(q, line, sizeof(line), req);
		assert_memory_equal(hex, " 0x", 3);
		for (size_t i = 0; i < n; i++) {
			unsigned int byte;

			assert_int_equal(sscanf(hex + 3 + 2 * i, "%2x", &byte), 1);
			*out++ = (uint8_t)byte;
		}
		addr += n;
		len -= n;
	}
}

void qt_memwrite(struct qt *q, uint64_t addr, const void *buf, size_t len)
{
	const uint8_t *in = buf;

	while (len) {
		size_t n = len < MEM_CHUNK ? len : MEM_CHUNK, at;
		char req[2 * MEM_CHUNK + 64], line[128];

		at = (size_t)snprintf(req, sizeof(req), "write 0x%llx 0x%zx 0x", (unsigned long long)addr, n);
		for (size_t i = 0; i < n; i++)
			at += (size_t)snprintf(req + at, sizeof(req) - at, "%02x", *in++);
		snprintf(req + at, sizeof(req) - at, "\n");
		request(q, line, sizeof(line), req);
		addr += n;
		len -= n;
	}
}

void qt_memset(struct qt *q, uint64_t addr, uint8_t val, size_t len)
{
	char req[96], line[128];

	snprintf(req, sizeof(req), "memset 0x%llx 0x%zx 0x%x\n", (unsigned long long)addr, len, val);
	request(q, line, sizeof(line), req);
}

/* ---- PCI ---- */

uint64_t qt_ecam(unsigned int bdf, unsigned int reg)
{
	return QT_ECAM + ((uint64_t)bdf << 12) + reg;
}

uint32_t qt_cfg_read(struct qt *q, unsigned int bdf, unsigned int reg, unsigned int size)
{
	return (uint32_t)qt_read(q, qt_ecam(bdf, reg), size);
}

void qt_cfg_write(struct qt *q, unsigned int bdf, unsigned int reg, unsigned int size, uint32_t val)
{
	qt_write(q, qt_ecam(bdf, reg), size, val);
}

unsigned int qt_find_cap(struct qt *q, unsigned int bdf, unsigned int id)
{
	unsigned int at = qt_cfg_read(q, bdf, 0x34, 1) & ~3u;

	for (int i = 0; at && i < 48; i++) {
		if (qt_cfg_read(q, bdf, at, 1) == id)
			return at;
		at = qt_cfg_read(q, bdf, at + 1, 1) & ~3u;
	}
	return 0;
}

unsigned int qt_find_ext_cap(struct qt *q, unsigned int bdf, unsigned int id)
{
	unsigned int at = 0x100;

	for (int i = 0; at && i < 960; i++) {
		uint32_t head = qt_cfg_read(q, bdf, at, 4);

		if (head && (head & 0xffff) == id)
			return at;
		at = head >> 20;
	}
	return 0;
}

/* ---- monitor ---- */

static const char event_key[] = "\"event\": \"";

static void keep_event(struct qt *q, const char *line)
{
	const char *name = strstr(line, event_key);
	size_t at = strlen(q->events), len;

	if (!name)
		return;
	name += strlen(event_key);
	len = strcspn(name, "\"");
	assert_true(at + len + 2 <= sizeof(q->events));
	memcpy(q->events + at, name, len);
	memcpy(q->events + at + len, "\n", 2);
}

static bool take_event(struct qt *q, const char *name)
{
	size_t len = strlen(name);

	for (char *e = q->events; *e; e = strchr(e, '\n') + 1) {
		if (!strncmp(e, name, len) && e[len] == '\n') {
			memmove(e, e + len + 1, strlen(e + len + 1) + 1);
			return true;
		}
	}
	return false;
}

bool qt_qmp(struct qt *q, char *said, size_t said_size, const char *fmt, ...)
{
	char cmd[1024], line[16384];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(cmd, sizeof(cmd) - 1, fmt, ap);
	va_end(ap);
	assert_true(n > 0 && (size_t)n < sizeof(cmd) - 1);
	cmd[n++] = '\n';
	send_all(q, q->mon, cmd, (size_t)n);
	for (;;) {
		bool ok, bad;

		if (!get_line(q, CH_QMP, line, sizeof(line)))
			die(q, "the monitor does not answer");
		ok = !strncmp(line, "{\"return\"", 9);
		bad = !strncmp(line, "{\"error\"", 8);
		if (!ok && !bad) {
			keep_event(q, line);
			continue;
		}
		if (said)
			snprintf(said, said_size, "%s", line);
		return ok;
	}
}

bool qt_qmp_event(struct qt *q, const char *name)
{
	char line[16384];

	while (!take_event(q, name)) {
		if (!get_line(q, CH_QMP, line, sizeof(line)))
			return false;
		keep_event(q, line);
	}
	return true;
}
