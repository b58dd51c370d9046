// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Two programs, each with a chip on sim:, joined by a flit socket. The other program is a child made by fork before
 * anything is opened, so it shares nothing with this one. It listens and does as it is told, a byte on a pipe each.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <signal.h>
#include <poll.h>
#include <unistd.h>

#include <cmocka.h>

#include "hsl/regs.h"
#include "hsl/flit_socket.h"
#include "hsl/hsl.h"

#define OPEN		(64u << 10)
#define AT(node, off)	(((uint64_t)(node) << 48) | (off))
#define ROUNDS		50u

struct world {
	char dir[64], path[96];
	int to[2], from[2];
	pid_t child;
	unsigned int patience_s;
	struct hsl_fabric *f;
	struct hsl_queue *q;
};

/* ---- either program ---- */

static struct hsl_fabric *open_end(const char *path, unsigned int a, unsigned int b, const char *verb, unsigned int s)
{
	struct hsl_fabric *f = NULL;
	char url[256];
	int err;

	snprintf(url, sizeof(url), "sim:pair2,mem=128M,queues=4,remote=%u-%u:%s:%s,open=64K,patience=%u", a, b, verb, path, s);
	err = hsl_fabric_open(url, &f);
	if (err)
		fprintf(stderr, "%s: %s\n", url, strerror(-err));
	return err ? NULL : f;
}

static struct hsl_queue *queue_at(struct hsl_fabric *f, uint32_t node)
{
	struct hsl_queue *q = NULL;

	return hsl_queue_create(f, node, NULL, &q) ? NULL : q;
}

static struct hsl_segment *shared(struct hsl_fabric *f, uint32_t node, uint64_t off, uint64_t len)
{
	struct hsl_segment_opts o = { .size = sizeof(o), .flags = HSL_SEGMENT_OBSERVABLE, .ga = AT(node, off) };
	struct hsl_segment *s = NULL;

	return hsl_segment_alloc(f, node, len, &o, &s) ? NULL : s;
}

/* ---- the other program: it has chip 2 ---- */

static int act(struct hsl_queue *q, char what)
{
	uint64_t v = 0;

	switch (what) {
	case 'a':			/* counts on its own memory, and on the first program's */
		for (unsigned int i = 0; i < ROUNDS; i++) {
			if (hsl_atomic(q, HSL_ATOMIC_ADD, AT(2, 0), 8, 1, 0, &v) ||
			    hsl_atomic(q, HSL_ATOMIC_ADD, AT(1, 0), 8, 1, 0, &v))
				return 1;
		}
		return 0;
	case 'l':			/* what the first one has stored, perhaps in its cache */
		return hsl_load(q, AT(2, 4096), 8, &v) || v != 0x1122334455667788;
	case 's':
		v = 0x99;
		return hsl_store(q, AT(2, 4096), &v, 8);
	default:
		return 1;
	}
}

static void other_program(struct world *w)
{
	struct hsl_fabric *f = open_end(w->path, 2, 1, "listen", 60);
	struct hsl_queue *q = f ? queue_at(f, 2) : NULL;
	char c;

	if (!q || !shared(f, 2, 0, OPEN) || !shared(f, 1, 0, OPEN))
		_exit(3);
	while (read(w->to[0], &c, 1) == 1 && c != 'q') {
		char r = (char)('0' + act(q, c));

		if (write(w->from[1], &r, 1) != 1)
			_exit(4);
	}
	hsl_queue_destroy(q);
	hsl_fabric_close(f);
	_exit(0);
}

/* ---- this one: it has chip 1 ---- */

static void tell(struct world *w, char c)
{
	assert_int_equal(write(w->to[1], &c, 1), 1);
}

static void answered(struct world *w)
{
	char c = 0;

	assert_int_equal(read(w->from[0], &c, 1), 1);
	assert_int_equal(c, '0');
}

static int setup_with(void **state, unsigned int patience_s)
{
	struct world *w = calloc(1, sizeof(*w));

	*state = w;
	w->patience_s = patience_s;
	strcpy(w->dir, "/tmp/hsl-flit.XXXXXX");
	if (!mkdtemp(w->dir) || pipe(w->to) || pipe(w->from))
		return -1;
	snprintf(w->path, sizeof(w->path), "%s/link", w->dir);
	w->child = fork();
	if (!w->child) {
		close(w->to[1]);
		close(w->from[0]);
		other_program(w);
	}
	close(w->to[0]);
	close(w->from[1]);
	w->f = open_end(w->path, 1, 2, "connect", w->patience_s);
	w->q = w->f ? queue_at(w->f, 1) : NULL;
	return w->q && shared(w->f, 2, 0, OPEN) && shared(w->f, 1, 0, OPEN) ? 0 : -1;
}

static int setup(void **state)
{
	return setup_with(state, 60);
}

static int setup_impatient(void **state)
{
	return setup_with(state, 1);
}

static int teardown(void **state)
{
	struct world *w = *state;
	int status = 0;

	hsl_queue_destroy(w->q);
	hsl_fabric_close(w->f);
	close(w->to[1]);
	close(w->from[0]);
	kill(w->child, SIGCONT);
	waitpid(w->child, &status, 0);
	unlink(w->path);
	rmdir(w->dir);
	free(w);
	return 0;
}

static struct hsl_link_props link_of(struct world *w)
{
	struct hsl_link_props l = { .size = sizeof(l) };

	assert_int_equal(hsl_link_query(w->f, 1, 0, &l), 0);
	return l;
}

static void in_l0(void **state)
{
	struct hsl_link_props l = link_of(*state);

	assert_int_equal(l.state, HSL_LTSSM_L0);
	assert_int_equal(l.width, 16);
	assert_int_equal(l.peer, 2);
}

static void moves(void **state)
{
	struct world *w = *state;
	uint64_t v = 0x1122334455667788, r = 0;
	uint8_t buf[4096], back[4096];
	uint64_t word;

	assert_int_equal(hsl_store(w->q, AT(2, 4096), &v, 8), 0);
	tell(w, 'l');
	answered(w);
	tell(w, 's');
	answered(w);
	assert_int_equal(hsl_load(w->q, AT(2, 4096), 8, &r), 0);
	assert_int_equal(r, 0x99);
	for (size_t i = 0; i < sizeof(buf); i++)
		buf[i] = (uint8_t)(i * 7 + i / 256);
	/* commands: from own open memory to the other chip's and back */
	for (size_t i = 0; i < sizeof(buf); i += 16)
		assert_int_equal(hsl_store(w->q, AT(1, 8192 + i), buf + i, 16), 0);
	assert_int_equal(hsl_copy(w->q, AT(2, 12288), AT(1, 8192), sizeof(buf)), 0);
	assert_int_equal(hsl_fill(w->q, AT(1, 8192), sizeof(buf), 0), 0);
	assert_int_equal(hsl_copy(w->q, AT(1, 8192), AT(2, 12288), sizeof(buf)), 0);
	for (size_t i = 0; i < sizeof(buf); i += 8) {
		assert_int_equal(hsl_load(w->q, AT(1, 8192 + i), 8, &word), 0);
		memcpy(back + i, &word, 8);
	}
	assert_memory_equal(buf, back, sizeof(buf));
}

/* Both programs count in the same two words at once. */
static void counts(void **state)
{
	struct world *w = *state;
	uint64_t v;

	tell(w, 'a');
	for (unsigned int i = 0; i < ROUNDS; i++) {
		assert_int_equal(hsl_atomic(w->q, HSL_ATOMIC_ADD, AT(2, 0), 8, 1, 0, &v), 0);
		assert_int_equal(hsl_atomic(w->q, HSL_ATOMIC_ADD, AT(1, 0), 8, 1, 0, &v), 0);
	}
	answered(w);
	assert_int_equal(hsl_load(w->q, AT(2, 0), 8, &v), 0);
	assert_int_equal(v, 2 * ROUNDS);
	assert_int_equal(hsl_load(w->q, AT(1, 0), 8, &v), 0);
	assert_int_equal(v, 2 * ROUNDS);
}

/* The home says no to what it has not opened. */
static void closed_memory(void **state)
{
	struct world *w = *state;
	struct hsl_segment *s = shared(w->f, 2, OPEN, 4096);
	uint64_t v = 1;

	assert_non_null(s);
	assert_int_equal(hsl_store(w->q, AT(2, OPEN), &v, 8), -EHOSTUNREACH);
	assert_int_equal(link_of(w).state, HSL_LTSSM_L0);
	assert_int_equal(hsl_segment_free(s), 0);
	/* and here: own memory that is not open is not shared; the other program's is observable only */
	assert_null(shared(w->f, 1, OPEN, 4096));
	assert_null(shared(w->f, 3, 0, 4096));
	s = NULL;
	assert_int_equal(hsl_segment_alloc(w->f, 2, 4096, NULL, &s), -ENOENT);
}

static void peer_killed(void **state)
{
	struct world *w = *state;
	struct hsl_fabric_event ev = { 0 };
	struct pollfd p = { .fd = hsl_event_fd(w->f), .events = POLLIN };
	uint64_t v = 1;

	assert_int_equal(hsl_store(w->q, AT(2, 128), &v, 8), 0);
	kill(w->child, SIGKILL);
	waitpid(w->child, NULL, 0);
	do {
		assert_int_equal(poll(&p, 1, 20000), 1);
		assert_true(hsl_event_read(w->f, &ev, 1) > 0);
	} while (ev.type != HSL_FABRIC_EV_LINK || ev.value == HSL_LTSSM_L0);
	assert_int_equal(ev.node, 1);
	assert_int_equal(link_of(w).state, HSL_LTSSM_DETECT);
	assert_int_equal(hsl_store(w->q, AT(2, 128), &v, 8), -EHOSTUNREACH);
	assert_int_equal(hsl_load(w->q, AT(2, 4096), 8, &v), -EHOSTUNREACH);
	assert_int_equal(hsl_store(w->q, AT(1, 4096), &v, 8), 0);
}

/* It is stopped, not dead, when a command needs it: the command ends. */
static void peer_stopped(void **state)
{
	struct world *w = *state;
	uint64_t v = 1;

	kill(w->child, SIGSTOP);
	waitpid(w->child, NULL, WUNTRACED);
	assert_int_equal(hsl_store(w->q, AT(2, 256), &v, 8), -EHOSTUNREACH);
	assert_int_equal(link_of(w).state, HSL_LTSSM_DETECT);
	kill(w->child, SIGKILL);
	kill(w->child, SIGCONT);
}

static void read_all(int fd, void *buf, size_t len)
{
	assert_int_equal(recv(fd, buf, len, MSG_WAITALL), (ssize_t)len);
}

/* Closing does not wait for a peer that says HELLO and nothing else, while the link is trained with it. */
static void closes_meanwhile(void **state)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	char dir[] = "/tmp/hsl-flit.XXXXXX";
	struct hsl_fs_hdr hdr = { 0 };
	struct hsl_fs_hello h;
	struct hsl_fabric *f;
	uint8_t body[512];
	uint16_t node;
	int fd;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(a.sun_path, sizeof(a.sun_path), "%s/link", dir);
	f = open_end(a.sun_path, 1, 2, "listen", 600);
	assert_non_null(f);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	read_all(fd, &h, sizeof(h));
	node = h.node;
	h.node = h.peer;
	h.peer = node;
	assert_int_equal(send(fd, &h, sizeof(h), 0), (ssize_t)sizeof(h));
	do {
		read_all(fd, &hdr, sizeof(hdr));
		read_all(fd, body, hdr.len - sizeof(hdr));
	} while (hdr.type != HSL_FS_TIME);
	assert_true(hdr.flags & HSL_FS_F_WANT);
	hsl_fabric_close(f);
	close(fd);
	rmdir(dir);
}

int main(int argc, char **argv)
{
#define WITH_BOTH(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
	const struct CMUnitTest tests[] = {
		WITH_BOTH(in_l0),	   WITH_BOTH(moves),	   WITH_BOTH(counts),
		WITH_BOTH(closed_memory), WITH_BOTH(peer_killed),
		cmocka_unit_test(closes_meanwhile),
		cmocka_unit_test_setup_teardown(peer_stopped, setup_impatient, teardown),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	alarm(240);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
