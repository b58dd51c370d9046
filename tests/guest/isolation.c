// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * HEP-SEC-001, -002: a second, unprivileged process cannot read, write, map, command, query or free one byte of the
 * first one's segments, though it knows their GAs and handles.
 *
 * The owner fills a chip segment on each of two chips and a registered buffer with a pattern and tells the
 * stranger, a child with open files of its own and (when started as root) another uid, what they are. The
 * stranger tries everything, also with handles of its own of the same number; then the owner looks at every byte
 * and uses its segments.
 *
 * Runs on the driver only, as it is about processes. Prints TAP; exit 0, 1 or 77.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hsl/hsl.h"
#include "linux/hsl.h"

#define LEN	(64u << 10)
#define NSEGS	3

struct target {
	uint64_t ga;
	uint64_t len;
	uint32_t handle;
	uint32_t node;		/* 0 = host memory */
};

static int nfailed;

__attribute__((format(printf, 2, 3)))
static void check(bool ok, const char *fmt, ...)
{
	va_list ap;

	printf("%sok - ", ok ? "" : "not ");
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	nfailed += !ok;
}

static uint8_t pattern(unsigned int seg, size_t i)
{
	return (uint8_t)(0x40 + seg * 31 + i * 7 + (i >> 8));
}

static int call(int fd, unsigned long nr, void *arg)
{
	return ioctl(fd, nr, arg) < 0 ? -errno : 0;
}

/* ---- the stranger ---- */

static void try_mappings(int fd, const struct target *v, uint64_t page)
{
	static const int prots[] = { PROT_READ, PROT_WRITE, PROT_READ | PROT_WRITE };
	unsigned int opened = 0;

	for (size_t p = 0; p < 3; p++)
		for (uint64_t off = 0; off < v->len; off += page) {
			uint64_t ga = (v->ga & ~(page - 1)) + off;
			void *m = mmap(NULL, page, prots[p], MAP_SHARED, fd, (off_t)ga);

			if (m != MAP_FAILED) {
				opened++;
				munmap(m, page);
			}
		}
	check(!opened, "node %u: no page can be mapped, for reading or writing (%u could)", v->node, opened);
}

static void try_handle(int fd, const struct target *v, bool own_handle_too)
{
	struct hsl_segment_info i = { .size = sizeof(i), .handle = v->handle };
	struct hsl_segment_free f = { .size = sizeof(f), .handle = v->handle };
	int err = call(fd, HSL_IOC_SEGMENT_INFO, &i);

	/* handles are per context: this number may be one of ours, but then it names our segment */
	check(err == -ENOENT || (own_handle_too && !err && i.ga != v->ga), "node %u: handle %u tells nothing", v->node,
	      v->handle);
	if (!own_handle_too)
		check(call(fd, HSL_IOC_SEGMENT_FREE, &f) == -ENOENT, "node %u: handle %u cannot be freed", v->node,
		      v->handle);
}

static int status_of(struct hsl_queue *q, const struct hsl_op *op)
{
	struct hsl_completion c = { 0 };
	int n = hsl_queue_submit(q, op, 1);

	if (n == 1)
		n = hsl_queue_wait(q, &c, 1, UINT64_MAX);
	return n == 1 ? (int)c.status : n;
}

static void try_commands(struct hsl_queue *q, uint64_t own_ga, uint8_t *own, const struct target *v)
{
	static const uint64_t lens[] = { 1, 8, 4096, LEN };
	unsigned int went = 0, leaked = 0;

	for (size_t l = 0; l < sizeof(lens) / sizeof(lens[0]); l++)
		for (uint64_t off = 0; off + lens[l] <= v->len; off += 4096 - 1) {
			const struct hsl_op ops[] = {
				{ .opcode = HSL_OP_COPY, .dst = own_ga, .src = v->ga + off, .len = lens[l] },
				{ .opcode = HSL_OP_COPY, .dst = v->ga + off, .src = own_ga, .len = lens[l] },
				{ .opcode = HSL_OP_FILL, .dst = v->ga + off, .len = lens[l], .arg0 = ~0ull },
			};

			for (size_t i = 0; i < 3; i++)
				went += status_of(q, &ops[i]) != HSL_ST_SEGMENT;
			for (uint64_t b = 0; b < lens[l]; b++)
				leaked += own[b] != 0;
		}
	check(!went, "node %u, by chip %u: COPY from, COPY to and FILL are refused (%u were not)", v->node,
	      hsl_queue_node(q), went);
	check(!leaked, "node %u, by chip %u: not a byte came over (%u did)", v->node, hsl_queue_node(q), leaked);
}

static int stranger(const char *url, int in)
{
	struct hsl_fabric_info info = { .size = sizeof(info) };
	struct target v[NSEGS];
	struct hsl_segment *own;
	struct hsl_fabric *f;
	uint8_t *buf;
	int fd;

	if (read(in, v, sizeof(v)) != sizeof(v))
		return 1;
	check(getuid() != 0, "the stranger is uid %d", (int)getuid());
	fd = open(url, O_RDWR | O_CLOEXEC);
	check(fd >= 0 && !hsl_fabric_open(url, &f) && !hsl_fabric_info(f, &info), "it may open the device");
	if (fd < 0 || !info.page_size_bytes)
		return 1;
	buf = mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (buf == MAP_FAILED || hsl_segment_register(f, buf, LEN, NULL, &own))
		return 1;

	for (unsigned int i = 0; i < NSEGS; i++) {
		try_mappings(fd, &v[i], info.page_size_bytes);
		try_handle(fd, &v[i], false);
	}
	/* once more with handles of its own: the same numbers as the owner's */
	for (unsigned int i = 0; i < NSEGS + 2; i++) {
		struct hsl_segment_alloc a = { .size = sizeof(a), .node = v[0].node, .len_bytes = LEN,
					       .rights = HSL_SEGMENT_READ | HSL_SEGMENT_WRITE };

		if (call(fd, HSL_IOC_SEGMENT_ALLOC, &a))
			return 1;
	}
	for (unsigned int i = 0; i < NSEGS; i++) {
		try_handle(fd, &v[i], true);
		try_mappings(fd, &v[i], info.page_size_bytes);
	}
	for (unsigned int n = 0; n < info.nchips; n++) {
		struct hsl_chip_props p = { .size = sizeof(p) };
		struct hsl_queue *q;

		if (hsl_chip_by_index(f, n, &p) || hsl_queue_create(f, p.node, NULL, &q))
			return 1;
		for (unsigned int i = 0; i < NSEGS; i++)
			try_commands(q, hsl_segment_ga(own), buf, &v[i]);
		check(hsl_fill(q, hsl_segment_ga(own), LEN, 0) == 0, "chip %u still works for its own", p.node);
		hsl_queue_destroy(q);
	}
	hsl_fabric_close(f);
	close(fd);
	return nfailed != 0;
}

/* ---- the owner ---- */

static pid_t start_stranger(const char *url, int in, const struct stat *st)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* the group that may use the device, no other right */
	if (getuid() == 0 && (setgroups(0, NULL) || setgid((st->st_mode & 060) == 060 ? st->st_gid : 1) || setuid(1)))
		_exit(1);
	nfailed = 0;
	_exit(stranger(url, in));
}

static bool untouched(const uint8_t *p, unsigned int seg)
{
	for (size_t i = 0; i < LEN; i++)
		if (p[i] != pattern(seg, i))
			return false;
	return true;
}

int main(void)
{
	const char *url = getenv("HSL_FABRIC");
	struct hsl_chip_props c[2] = { { .size = sizeof(c[0]) }, { .size = sizeof(c[1]) } };
	struct hsl_segment *s[NSEGS];
	struct target v[NSEGS];
	uint8_t *p[NSEGS];
	struct hsl_fabric *f;
	int pipes[2], status, err;
	struct stat st;
	bool opened_up = false;
	pid_t pid;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!url)
		url = "/dev/hsl0";
	if (url[0] != '/' || hsl_fabric_open(url, &f) || stat(url, &st)) {
		printf("1..0 # SKIP %s is not a device that can be opened\n", url);
		return 77;
	}
	if (hsl_chip_by_index(f, 0, &c[0]))
		return 1;
	if (hsl_chip_by_index(f, 1, &c[1]))
		c[1] = c[0];
	p[2] = mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	err = hsl_segment_alloc(f, c[0].node, LEN, NULL, &s[0]);
	if (!err)
		err = hsl_segment_alloc(f, c[1].node, LEN, NULL, &s[1]);
	if (!err)
		err = hsl_segment_register(f, p[2], LEN, NULL, &s[2]);
	for (unsigned int i = 0; i < 2 && !err; i++)
		err = hsl_segment_map(s[i], (void **)&p[i]);
	if (err || pipe(pipes)) {
		printf("Bail out! set-up: %s\n", strerror(-err));
		return 1;
	}
	for (unsigned int i = 0; i < NSEGS; i++) {
		for (size_t b = 0; b < LEN; b++)
			p[i][b] = pattern(i, b);
		v[i] = (struct target){ .ga = hsl_segment_ga(s[i]), .len = LEN, .handle = hsl_segment_handle(s[i]),
					.node = i < 2 ? c[i].node : 0 };
	}
	/* The question is what the driver refuses, not the permissions of the node: let the stranger in. */
	if (getuid() == 0 && !(st.st_mode & 060) && !(st.st_mode & 06))
		opened_up = !chmod(url, 0666);
	pid = start_stranger(url, pipes[0], &st);
	if (pid < 0 || write(pipes[1], v, sizeof(v)) != sizeof(v) || waitpid(pid, &status, 0) != pid)
		return 1;
	if (opened_up)
		chmod(url, st.st_mode & 07777);

	/* no numbers and no plan: both processes print results */
	printf("%sok - the stranger failed everywhere\n", WIFEXITED(status) && !WEXITSTATUS(status) ? "" : "not ");
	nfailed += !WIFEXITED(status) || WEXITSTATUS(status);
	for (unsigned int i = 0; i < NSEGS; i++) {
		struct hsl_queue *q = NULL;
		bool ok = untouched(p[i], i);

		printf("%sok - every byte of node %u is as before\n", ok ? "" : "not ", v[i].node);
		nfailed += !ok;
		ok = !hsl_queue_create(f, c[0].node, NULL, &q) && !hsl_fill(q, v[i].ga, LEN, 0) && !p[i][LEN - 1];
		printf("%sok - its owner still commands it\n", ok ? "" : "not ");
		nfailed += !ok;
		hsl_queue_destroy(q);
		nfailed += hsl_segment_free(s[i]) != 0;
	}
	hsl_fabric_close(f);
	return nfailed != 0;
}
