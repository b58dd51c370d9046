// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * An end of a flit socket against a peer that this test plays by hand: versions and parameters that do not fit, messages
 * that are none, random bytes, a peer that goes at any byte, the socket file. The end is served in between; where it has to wait, the peer is a second thread.
 */
#include "model_test.h"
#include "fab_rig.h"

#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "engine/flit_socket.h"
#include "model/flit_msg.h"

struct end {
	struct rig *r;
	struct hsl_flit_socket *s;
	struct hsl_fab_cfg cfg;
	unsigned int came, went;
	char last[160];
};

static char dir[] = "/tmp/hsl-flit.XXXXXX", path[160];

/*
 * The socket of the end as this test wants it. A flood: so many reads bring as much as there is room for, of TIME messages, which ask.
 * A trickle: a byte goes out at a time. Full: nothing goes out; half full: every other time.
 */
static unsigned int flood;
static bool trickle;
static enum { ROOM, HALF_FULL, FULL } full;
static bool flood_asks;
static size_t flood_at;

/*
 * Patience is longer than any machine stalls. Where it is to come to an end, the clock is put forward, a part of it at a time, so
 * that nobody waits.
 */
#define PATIENCE_MS	3600000
#define PART_MS		(PATIENCE_MS / 20)

static _Atomic uint64_t forward_ms;

int clock_gettime(clockid_t clock, struct timespec *ts)
{
	int rc = (int)syscall(SYS_clock_gettime, clock, ts);

	ts->tv_sec += (time_t)(forward_ms / 1000);
	return rc;
}

ssize_t recv(int fd, void *buf, size_t len, int flags)
{
	static uint8_t one[24] = { HSL_FS_TIME, 0, 24 };

	if (!flood)
		return recvfrom(fd, buf, len, flags, NULL, NULL);
	flood--;
	one[1] = flood_asks ? HSL_FS_F_WANT : 0;
	for (size_t i = 0; i < len; i++)
		((uint8_t *)buf)[i] = one[flood_at++ % sizeof(one)];
	return (ssize_t)len;
}

ssize_t send(int fd, const void *buf, size_t len, int flags)
{
	static unsigned int calls;

	if (trickle || full == FULL)
		forward_ms += PART_MS;
	if (full == FULL || (full == HALF_FULL && ++calls % 2)) {
		errno = EAGAIN;
		return -1;
	}
	return sendto(fd, buf, trickle && len ? 1 : len, flags, NULL, 0);
}

/* The first try of the end to lock its directory: sem_tried tells that it was made, and who made it learns how it went at sem_go. */
static bool hold_lock;
static sem_t sem_tried, sem_go;

int flock(int fd, int op)
{
	int rc = (int)syscall(SYS_flock, fd, op), err = errno;

	if (hold_lock) {
		hold_lock = false;
		sem_post(&sem_tried);
		sem_wait(&sem_go);
	}
	errno = err;
	return rc;
}

static void take(void *opaque)
{
	rig_drain(((struct end *)opaque)->r);
}

static void say(void *opaque, bool there, const char *text)
{
	struct end *e = opaque;

	e->came += there;
	e->went += !there;
	snprintf(e->last, sizeof(e->last), "%s", text);
}

static bool (*stop)(void *opaque);

static int open_end(struct end *e, bool listen)
{
	struct hsl_flit_socket_cfg sc = { .cfg = &e->cfg, .path = path, .listen = listen, .patience_ms = PATIENCE_MS, .take = take,
					  .say = say, .stopped = stop, .opaque = e };

	memset(e, 0, sizeof(*e));
	e->cfg = rig_cfg(2, HSL_TOPO_PAIR, "default");
	e->cfg.cut_a = 1;
	e->cfg.cut_b = 2;
	e->cfg.open_bytes = 65536;
	e->r = rig_new(&e->cfg);
	rig_run_to(e->r, 1000000);
	sc.fab = e->r->fab;
	return hsl_flit_socket_new(&sc, &e->s);
}

static void close_end(struct end *e)
{
	hsl_flit_socket_free(e->s);
	rig_free(e->r);
}

static int dial(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(a.sun_path, path);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	return fd;
}

static void serve(struct end *e)
{
	hsl_flit_socket_accept(e->s);
	hsl_flit_socket_serve(e->s);
	hsl_flit_socket_serve(e->s);
}

static union hsl_flit_msg hello(const struct end *e)
{
	union hsl_flit_msg m;

	hsl_flit_msg_hello(&m, &e->cfg.link);
	m.hello.node = 2;
	m.hello.peer = 1;
	m.hello.lanes = 16;
	m.hello.rate_mtps = 112000;
	m.hello.latency_ps = 90000;
	return m;
}

static void put(int fd, const void *m, size_t len)
{
	/* it may have hung up already */
	(void)!send(fd, m, len, MSG_NOSIGNAL);
}

static void send_msg(int fd, const union hsl_flit_msg *m)
{
	put(fd, m, m->hdr.len);
}

/* The reason of the BYE that comes after whatever else, -1: none. */
static int bye_of(int fd, char *text)
{
	static uint8_t buf[1 << 20];
	size_t len = 0, at = 0;
	ssize_t n;

	while (len < sizeof(buf) && (n = recv(fd, buf + len, sizeof(buf) - len, 0)) > 0)
		len += (size_t)n;
	while (at < len) {
		union hsl_flit_msg m;
		const char *why = "";

		n = hsl_flit_msg_take(buf + at, len - at, &m, &why);
		assert_true(n > 0);
		if (m.hdr.type == HSL_FS_BYE) {
			snprintf(text, HSL_FS_TEXT + 1, "%.*s", (int)HSL_FS_TEXT, m.bye.text);
			return (int)m.bye.reason;
		}
		at += (size_t)n;
	}
	return -1;
}

static void refused(void (*spoil)(union hsl_flit_msg *m), int reason, const char *words)
{
	char text[HSL_FS_TEXT + 1] = "";
	union hsl_flit_msg m;
	struct end e;
	int fd;

	assert_int_equal(open_end(&e, true), 0);
	m = hello(&e);
	spoil(&m);
	fd = dial();
	send_msg(fd, &m);
	serve(&e);
	assert_int_equal(bye_of(fd, text), reason);
	if (!strstr(text, words))
		fail_msg("'%s' does not say '%s'", text, words);
	assert_false(hsl_flit_socket_connected(e.s));
	assert_int_equal(e.came, 0);
	close(fd);
	/* the next one is welcome */
	fd = dial();
	m = hello(&e);
	send_msg(fd, &m);
	serve(&e);
	assert_true(hsl_flit_socket_connected(e.s));
	close(fd);
	close_end(&e);
}

static void other_major(union hsl_flit_msg *m) { m->hello.major = 2; }
static void other_minor(union hsl_flit_msg *m) { m->hello.minor = 9; }
static void other_magic(union hsl_flit_msg *m) { m->hello.magic ^= 1; }
static void other_hep(union hsl_flit_msg *m) { m->hello.hep_version = 0x20000; }
static void other_node(union hsl_flit_msg *m) { m->hello.node = 3; }
static void other_bits(union hsl_flit_msg *m) { m->hello.seq_bits = 11; }
static void no_latency(union hsl_flit_msg *m) { m->hello.latency_ps = 0; }
static void no_lanes(union hsl_flit_msg *m) { m->hello.lanes = 17; }
static void no_room(union hsl_flit_msg *m) { m->hello.rx_slots[2] = 1; }
static void much_room(union hsl_flit_msg *m) { m->hello.rx_slots[2] = 0xffff; }
static void not_first(union hsl_flit_msg *m) { hsl_flit_msg_begin(m, HSL_FS_TIME, 0); }
static void bad_type(union hsl_flit_msg *m) { m->hdr.type = 99; }
static void bad_len(union hsl_flit_msg *m) { m->hello.hdr.len--; }
static void bad_rsvd(union hsl_flit_msg *m) { m->hdr.rsvd = 1; }
static void bad_flag(union hsl_flit_msg *m) { m->hdr.flags = 1; }

static void bye_rsvd(union hsl_flit_msg *m)
{
	hsl_flit_msg_begin(m, HSL_FS_BYE, 0);
	m->bye.rsvd = 1;
}

static void hellos(void **s)
{
	union hsl_flit_msg m;
	struct end e;
	int fd;

	(void)s;
	refused(other_major, HSL_FS_VERSION, "here 1.0 node 1, there 2.0");
	refused(other_magic, HSL_FS_VERSION, "not a flit socket");
	refused(other_hep, HSL_FS_PARAMETERS, "HEP");
	refused(other_node, HSL_FS_PARAMETERS, "node ids");
	refused(other_bits, HSL_FS_PARAMETERS, "seq_bits");
	refused(no_latency, HSL_FS_PARAMETERS, "latency");
	refused(no_lanes, HSL_FS_PARAMETERS, "lanes");
	refused(no_room, HSL_FS_PARAMETERS, "largest packet");
	refused(much_room, HSL_FS_PARAMETERS, "127 units");
	refused(not_first, HSL_FS_VERSION, "HELLO");
	refused(bad_type, HSL_FS_MALFORMED, "type");
	refused(bad_len, HSL_FS_MALFORMED, "length");
	refused(bad_rsvd, HSL_FS_MALFORMED, "reserved");
	refused(bad_flag, HSL_FS_MALFORMED, "reserved");
	refused(bye_rsvd, HSL_FS_MALFORMED, "reserved");
	/* a later minor version is fine */
	assert_int_equal(open_end(&e, true), 0);
	m = hello(&e);
	other_minor(&m);
	fd = dial();
	send_msg(fd, &m);
	serve(&e);
	assert_true(hsl_flit_socket_connected(e.s));
	close(fd);
	serve(&e);
	assert_false(hsl_flit_socket_connected(e.s));
	assert_int_equal(e.went, 1);
	close_end(&e);
}

/* A good conversation: HELLO, a training set, and asking for time. */
static size_t conversation(const struct end *e, uint8_t *buf)
{
	union hsl_flit_msg m = hello(e);
	size_t n = 0;

	memcpy(buf + n, &m, m.hdr.len);
	n += m.hdr.len;
	hsl_flit_msg_begin(&m, HSL_FS_LINE, 1000);
	m.line.ts = (struct hsl_ts){ .type = HSL_TS1, .flags = HSL_TS_F_NEW, .lanes = 0xffff, .rate_mtps = 112000, .round = 1 };
	memcpy(buf + n, &m, m.hdr.len);
	n += m.hdr.len;
	hsl_flit_msg_begin(&m, HSL_FS_FLIT, 2000);
	memcpy(buf + n, &m, m.hdr.len);
	n += m.hdr.len;
	hsl_flit_msg_begin(&m, HSL_FS_TIME, 400000);
	m.hdr.flags = HSL_FS_F_WANT;
	memcpy(buf + n, &m, m.hdr.len);
	return n + m.hdr.len;
}

/* The peer goes after any number of bytes: the end is ready for the next one. */
static void goes_at_any_byte(void **s)
{
	uint8_t buf[1024];
	struct end e;
	size_t len;

	(void)s;
	assert_int_equal(open_end(&e, true), 0);
	len = conversation(&e, buf);
	for (size_t n = 0; n <= len; n += n < 100 ? 1 : 7) {
		unsigned int came = e.came, went = e.went;
		int fd = dial();

		put(fd, buf, n);
		serve(&e);
		assert_int_equal(e.came - came, n >= sizeof(struct hsl_fs_hello));
		close(fd);
		serve(&e);
		assert_false(hsl_flit_socket_connected(e.s));
		assert_int_equal(e.went, went + 1);
		assert_int_equal(hsl_fab_phy(e.r->fab, 1, 2)->state, HSL_LTSSM_DETECT);
	}
	close_end(&e);
}

/* One byte of a good conversation is another one, or all are: refused or taken, never hurt. */
static void random_bytes(void **s)
{
	uint8_t buf[1024], sent[1024];
	struct end e;
	size_t len;

	(void)s;
	rng_seed();
	assert_int_equal(open_end(&e, true), 0);
	len = conversation(&e, buf);
	for (unsigned int i = 0; i < 3000; i++) {
		int fd = dial();
		size_t from = i % 3 ? 0 : sizeof(struct hsl_fs_hello);

		memcpy(sent, buf, len);
		for (size_t k = from; k < len; k++) {
			if (i % 2 ? k == from + rng() % (len - from) : i % 4 == 0)
				sent[k] = (uint8_t)rng();
		}
		if (i % 2)
			sent[rng() % len] ^= (uint8_t)(1u << rng() % 8);
		put(fd, sent, len);
		serve(&e);
		close(fd);
		serve(&e);
		assert_false(hsl_flit_socket_connected(e.s));
	}
	close_end(&e);
}

static void past_and_time(void **s)
{
	char text[HSL_FS_TEXT + 1];
	uint8_t buf[1024];
	union hsl_flit_msg m;
	struct end e;
	size_t len;
	int fd;

	(void)s;
	assert_int_equal(open_end(&e, true), 0);
	len = conversation(&e, buf);
	fd = dial();
	put(fd, buf, len);
	serve(&e);
	assert_true(hsl_fab_now_ps(e.r->fab) > 90001);	/* it went on for the peer, a latency beyond its own TS1 */
	hsl_flit_msg_begin(&m, HSL_FS_LINE, 1);		/* against the promise */
	send_msg(fd, &m);
	serve(&e);
	assert_int_equal(bye_of(fd, text), HSL_FS_TIME_ERROR);
	close(fd);
	/* it has seen more than was sent */
	fd = dial();
	put(fd, buf, len);
	hsl_flit_msg_begin(&m, HSL_FS_TIME, 500000);
	m.time.seen = 1u << 30;
	send_msg(fd, &m);
	serve(&e);
	assert_int_equal(bye_of(fd, text), HSL_FS_MALFORMED);
	close(fd);
	close_end(&e);
}

/* A promise binds also while our clock is not there yet, but for what answers us; no time is far from what we promised. */
static void promises(void **s)
{
	static const struct { uint64_t promise, sent; int reason; } t[] = {
		{ 400000, 399999, HSL_FS_TIME_ERROR }, { 400000, 400000, -1 }, { 0, 90000, -1 },
		{ 0, UINT64_C(1) << 61, HSL_FS_TIME_ERROR }, { 0, UINT64_C(200000000000), HSL_FS_TIME_ERROR },
	};
	char text[HSL_FS_TEXT + 1];
	union hsl_flit_msg m;
	struct end e;

	(void)s;
	assert_int_equal(open_end(&e, true), 0);
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		int fd = dial();

		m = hello(&e);
		send_msg(fd, &m);
		hsl_flit_msg_begin(&m, HSL_FS_TIME, t[i].promise);
		send_msg(fd, &m);
		hsl_flit_msg_begin(&m, HSL_FS_FLIT, t[i].sent);
		send_msg(fd, &m);
		serve(&e);
		assert_int_equal(bye_of(fd, text), t[i].reason);
		assert_int_equal(hsl_flit_socket_connected(e.s), t[i].reason < 0);
		close(fd);
		serve(&e);
	}
	close_end(&e);
}

/* How many LINE and FLIT messages have come. */
static uint64_t flits_of(int fd)
{
	static uint8_t buf[1 << 20];
	ssize_t n = recv(fd, buf, sizeof(buf), 0);
	uint64_t flits = 0;
	union hsl_flit_msg m;
	const char *why;

	for (ssize_t at = 0; at < n; at += m.hdr.len) {
		assert_true(hsl_flit_msg_take(buf + at, (size_t)(n - at), &m, &why) > 0);
		flits += m.hdr.type == HSL_FS_LINE || m.hdr.type == HSL_FS_FLIT;
	}
	return flits;
}

/* Somebody promises to be silent for ever: our clock does not go there at once, and the next one is welcome. */
static void silent_for_ever(void **s)
{
	union hsl_flit_msg m;
	uint64_t before, seen = 0;
	struct end e;
	int fd;

	(void)s;
	assert_int_equal(open_end(&e, true), 0);
	/* with its link disabled nothing happens here any more */
	rig_post(e.r, &(struct hsl_fab_in){ .type = HSL_FAB_LINK, .u.link = { .a = 1, .b = 2, .up = false } });
	fd = dial();
	m = hello(&e);
	send_msg(fd, &m);
	serve(&e);
	for (unsigned int i = 0; i < 8; i++) {
		before = hsl_fab_now_ps(e.r->fab);
		seen += flits_of(fd);
		hsl_flit_msg_begin(&m, HSL_FS_TIME, HSL_FS_TIME_MAX - 1);
		m.time.seen = seen;
		m.hdr.flags = HSL_FS_F_WANT;
		send_msg(fd, &m);
		serve(&e);
		assert_true(hsl_flit_socket_connected(e.s));
		assert_true(hsl_fab_now_ps(e.r->fab) <= before + UINT64_C(101000000000));
	}
	assert_true(hsl_fab_now_ps(e.r->fab) >= before + UINT64_C(100000000000));
	close(fd);
	serve(&e);
	fd = dial();
	m = hello(&e);
	send_msg(fd, &m);
	hsl_flit_msg_begin(&m, HSL_FS_LINE, 1000);
	send_msg(fd, &m);
	serve(&e);
	assert_true(hsl_flit_socket_connected(e.s));
	close(fd);
	close_end(&e);
}

/* Who sends without end gets a turn of bounded length. */
static void floods(void **s)
{
	union hsl_flit_msg m;
	struct end e;
	int fd;

	(void)s;
	assert_int_equal(open_end(&e, true), 0);
	fd = dial();
	m = hello(&e);
	send_msg(fd, &m);
	serve(&e);
	flood = 1000;
	hsl_flit_socket_serve(e.s);
	assert_true(hsl_flit_socket_connected(e.s));
	assert_true(flood > 900);
	hsl_flit_socket_catch_up(e.s);
	assert_true(flood > 900);
	flood = 0;
	close(fd);
	close_end(&e);
}

/* Who takes a byte now and then has not taken it in time. */
static void trickles(void **s)
{
	struct end e;
	int fd;

	(void)s;
	assert_int_equal(open_end(&e, true), 0);
	fd = dial();
	trickle = true;
	hsl_flit_socket_accept(e.s);
	trickle = false;
	assert_string_equal(e.last, "the connection broke");
	close(fd);
	close_end(&e);
}

/* One that is connected. */
static int connected(struct end *e)
{
	union hsl_flit_msg m;
	int fd;

	assert_int_equal(open_end(e, true), 0);
	fd = dial();
	m = hello(e);
	send_msg(fd, &m);
	serve(e);
	assert_true(hsl_flit_socket_connected(e->s));
	return fd;
}

static void ask(int fd)
{
	union hsl_flit_msg m;

	hsl_flit_msg_begin(&m, HSL_FS_TIME, 0);
	m.hdr.flags = HSL_FS_F_WANT;
	put(fd, &m, m.hdr.len);
}

/* Who asks and takes nothing is given up, though there is always more from him. */
static void takes_nothing(void **s)
{
	struct end e;
	int fd = connected(&e);

	(void)s;
	ask(fd);
	hsl_flit_socket_serve(e.s);
	ask(fd);
	full = FULL;
	flood = UINT_MAX;
	flood_at = 0;
	flood_asks = true;
	hsl_flit_socket_serve(e.s);
	full = ROOM;
	flood = 0;
	flood_asks = false;
	assert_false(hsl_flit_socket_connected(e.s));
	assert_string_equal(e.last, "it takes nothing any more");
	close(fd);
	close_end(&e);
}

/* Nor has who takes one answer at a time and asks for the next one a turn without end. */
static void asks_on(void **s)
{
	struct end e;
	int fd = connected(&e);

	(void)s;
	ask(fd);
	full = HALF_FULL;
	flood = UINT_MAX;
	flood_at = 0;
	flood_asks = true;
	hsl_flit_socket_serve(e.s);
	full = ROOM;
	flood = 0;
	flood_asks = false;
	assert_false(hsl_flit_socket_connected(e.s));
	assert_string_equal(e.last, "it asks and does not take the answers");
	close(fd);
	close_end(&e);
}

static void second_hello(void **s)
{
	char text[HSL_FS_TEXT + 1];
	union hsl_flit_msg m;
	struct end e;
	int fd = connected(&e);

	(void)s;
	m = hello(&e);
	send_msg(fd, &m);
	serve(&e);
	assert_int_equal(bye_of(fd, text), HSL_FS_MALFORMED);
	assert_string_equal(text, "a second HELLO");
	assert_int_equal(e.came, 1);
	assert_int_equal(e.went, 1);
	close(fd);
	close_end(&e);
}

/* Who connects and says nothing does not keep the place of one who would. */
static void no_hello(void **s)
{
	char text[HSL_FS_TEXT + 1];
	union hsl_flit_msg m;
	struct end e;
	int fd;

	(void)s;
	assert_int_equal(open_end(&e, true), 0);
	fd = dial();
	serve(&e);
	assert_int_equal(bye_of(fd, text), -1);
	assert_int_equal(e.went, 0);
	close(fd);
	close_end(&e);

	assert_int_equal(open_end(&e, true), 0);
	fd = dial();
	serve(&e);
	forward_ms += PATIENCE_MS + 1000;
	serve(&e);
	assert_int_equal(bye_of(fd, text), HSL_FS_VERSION);
	assert_string_equal(text, "it says no HELLO");
	close(fd);
	fd = dial();
	m = hello(&e);
	send_msg(fd, &m);
	serve(&e);
	assert_true(hsl_flit_socket_connected(e.s));
	close(fd);
	close_end(&e);
}

static unsigned int looks;

static bool stops(void *opaque)
{
	(void)opaque;
	return ++looks > 2;
}

/* Closing does not wait for a peer that is silent. */
static void closed_meanwhile(void **s)
{
	uint8_t buf[1024];
	struct end e;
	int fd;

	(void)s;
	stop = stops;
	assert_int_equal(open_end(&e, true), 0);
	stop = NULL;
	fd = dial();
	put(fd, buf, conversation(&e, buf));
	serve(&e);
	while (hsl_flit_socket_step(e.s, UINT64_C(2000000)) && hsl_flit_socket_connected(e.s))
		;
	assert_false(hsl_flit_socket_connected(e.s));
	assert_string_equal(e.last, "closed");
	close(fd);
	close_end(&e);
}

struct answerer {
	int fd;
	bool least;			/* a fortieth of a latency further with every answer, and slowly */
	unsigned int answers;
	pthread_t thread;
};

/* A peer with no events: as far as it is promised, and a latency. */
static void *answers_time(void *opaque)
{
	struct answerer *a = opaque;
	static uint8_t buf[65536];
	uint64_t flits = 0;
	size_t len = 0;
	ssize_t n;

	fcntl(a->fd, F_SETFL, 0);
	while ((n = recv(a->fd, buf + len, sizeof(buf) - len, 0)) > 0) {
		size_t at = 0;
		const char *why;
		union hsl_flit_msg m;
		int took;

		len += (size_t)n;
		while ((took = hsl_flit_msg_take(buf + at, len - at, &m, &why)) > 0) {
			at += (size_t)took;
			flits += m.hdr.type == HSL_FS_LINE || m.hdr.type == HSL_FS_FLIT;
			if (m.hdr.type == HSL_FS_TIME && m.hdr.flags & HSL_FS_F_WANT) {
				hsl_flit_msg_begin(&m, HSL_FS_TIME, a->least ? a->answers * 2250 : m.hdr.time_ps + 90000);
				forward_ms += a->least ? 8 * PART_MS : 0;
				m.time.seen = flits;
				send_msg(a->fd, &m);
				a->answers++;
			}
		}
		len -= at;
		memmove(buf, buf + at, len);
	}
	return NULL;
}

/* Two that have nothing to do for longer than a promise reaches get there in steps. */
static void idle_long(void **s)
{
	struct answerer a = { 0 };
	union hsl_flit_msg m;
	struct end e;
	uint64_t end;

	(void)s;
	assert_int_equal(open_end(&e, true), 0);
	rig_post(e.r, &(struct hsl_fab_in){ .type = HSL_FAB_LINK, .u.link = { .a = 1, .b = 2, .up = false } });
	a.fd = dial();
	m = hello(&e);
	send_msg(a.fd, &m);
	serve(&e);
	assert_int_equal(pthread_create(&a.thread, NULL, answers_time, &a), 0);
	end = hsl_fab_now_ps(e.r->fab) + UINT64_C(550000000000);
	while (hsl_flit_socket_step(e.s, end))
		;
	assert_true(hsl_flit_socket_connected(e.s));
	shutdown(a.fd, SHUT_RDWR);
	pthread_join(a.thread, NULL);
	assert_true(a.answers > 5);
	assert_true(hsl_fab_now_ps(e.r->fab) > end - UINT64_C(100000000000));
	close(a.fd);
	close_end(&e);
}

/* It answers, and lets an event happen here now and then, but no more: given up. */
static void by_the_least(void **s)
{
	struct hsl_fab_in in = { .type = HSL_FAB_ACCESS };
	struct answerer a = { .least = true };
	uint64_t end;
	union hsl_flit_msg m;
	struct end e;

	(void)s;
	assert_int_equal(open_end(&e, true), 0);
	a.fd = dial();
	m = hello(&e);
	send_msg(a.fd, &m);
	serve(&e);
	assert_int_equal(pthread_create(&a.thread, NULL, answers_time, &a), 0);
	end = hsl_fab_now_ps(e.r->fab) + 200000;
	in.u.access.agent = 1;
	in.u.access.x = (struct hsl_access){ .ga = HSL_GA(1, 0), .op = HSL_ACCESS_READ, .len = 8 };
	do {
		if (e.r->ndone == e.r->nposted)		/* there is always a next event, soon */
			assert_int_equal(rig_post(e.r, &in), 0);
	} while (hsl_flit_socket_connected(e.s) && hsl_flit_socket_step(e.s, end));
	assert_false(hsl_flit_socket_connected(e.s));
	assert_string_equal(e.last, "it does not let us go on");
	shutdown(a.fd, SHUT_RDWR);
	pthread_join(a.thread, NULL);
	close(a.fd);
	close_end(&e);
}

static bool time_passes(void *opaque)
{
	(void)opaque;
	forward_ms += PATIENCE_MS;
	return false;
}

/* Silent when it is needed: given up after its patience; virtual time goes on without it. */
static void silent(void **s)
{
	uint8_t buf[1024];
	struct end e;
	int fd;

	(void)s;
	stop = time_passes;
	assert_int_equal(open_end(&e, true), 0);
	stop = NULL;
	fd = dial();
	put(fd, buf, conversation(&e, buf));
	serve(&e);
	while (hsl_flit_socket_step(e.s, UINT64_C(2000000)) && hsl_flit_socket_connected(e.s))
		;
	assert_false(hsl_flit_socket_connected(e.s));
	assert_string_equal(e.last, "it does not answer");
	close(fd);
	close_end(&e);
}

static void files(void **s)
{
	char text[HSL_FS_TEXT + 1];
	struct end e, other;
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	struct stat st;
	union hsl_flit_msg m;
	int fd, busy;

	(void)s;
	/* left by one that was killed */
	strcpy(a.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	close(fd);
	assert_int_equal(open_end(&e, true), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	/* in use */
	assert_int_equal(open_end(&other, true), -EADDRINUSE);
	rig_free(other.r);
	serve(&e);
	/* has a peer */
	fd = dial();
	m = hello(&e);
	send_msg(fd, &m);
	serve(&e);
	busy = dial();
	serve(&e);
	assert_int_equal(bye_of(busy, text), HSL_FS_BUSY);
	assert_true(hsl_flit_socket_connected(e.s));
	close(busy);
	close(fd);
	close_end(&e);
	assert_int_equal(stat(path, &st), -1);
	/* no socket */
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	close(fd);
	assert_int_equal(open_end(&e, true), -EEXIST);
	rig_free(e.r);
	unlink(path);
	/* nobody there */
	assert_int_equal(open_end(&e, false), 0);
	assert_int_equal(hsl_flit_socket_meet(e.s, 50), -ENOENT);
	close_end(&e);
}

/* Places where no socket can be. */
static void bad_paths(void **s)
{
	struct { char path[160]; int err; } t[] = { { "", -ENAMETOOLONG }, { "", -ENAMETOOLONG }, { "", -ENOENT }, { "", -ENOTDIR } };
	char right[sizeof(path)];
	struct end e;

	(void)s;
	strcpy(right, path);
	memset(t[1].path, 'x', 120);
	snprintf(t[2].path, sizeof(t[2].path), "%s/none/link", dir);
	strcpy(t[3].path, "/dev/null/link");
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		strcpy(path, t[i].path);
		assert_int_equal(open_end(&e, true), t[i].err);
		rig_free(e.r);
		assert_int_equal(open_end(&e, false), 0);
		assert_int_equal(hsl_flit_socket_meet(e.s, 1), t[i].err);
		close_end(&e);
	}
	strcpy(path, right);
}

static void *starts(void *rc)
{
	struct end e;

	*(int *)rc = open_end(&e, true);
	close_end(&e);
	sem_post(&sem_tried);	/* an end without the lock comes here first */
	return NULL;
}

/* One that has bound its socket and does not listen yet is no leftover. */
static void two_start(void **s)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), lock = open(dir, O_RDONLY | O_DIRECTORY), rc = 0;
	pthread_t other;

	(void)s;
	strcpy(a.sun_path, path);
	assert_int_equal(flock(lock, LOCK_EX), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	sem_init(&sem_tried, 0, 0);
	sem_init(&sem_go, 0, 0);
	hold_lock = true;
	assert_int_equal(pthread_create(&other, NULL, starts, &rc), 0);
	sem_wait(&sem_tried);
	assert_int_equal(listen(fd, 4), 0);
	close(lock);
	sem_post(&sem_go);
	pthread_join(other, NULL);
	assert_int_equal(rc, -EADDRINUSE);
	close(fd);
	unlink(path);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hellos), cmocka_unit_test(goes_at_any_byte), cmocka_unit_test(random_bytes),
		cmocka_unit_test(past_and_time), cmocka_unit_test(promises), cmocka_unit_test(silent_for_ever), cmocka_unit_test(idle_long),
		cmocka_unit_test(floods), cmocka_unit_test(takes_nothing), cmocka_unit_test(asks_on), cmocka_unit_test(second_hello),
		cmocka_unit_test(no_hello), cmocka_unit_test(trickles), cmocka_unit_test(closed_meanwhile), cmocka_unit_test(by_the_least),
		cmocka_unit_test(silent), cmocka_unit_test(files), cmocka_unit_test(bad_paths), cmocka_unit_test(two_start),
	};
	int failed;

	if (!mkdtemp(dir))
		return 3;
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	alarm(120);
	snprintf(path, sizeof(path), "%s/link", dir);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	rmdir(dir);
	return failed;
}
