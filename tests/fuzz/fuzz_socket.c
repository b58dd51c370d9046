// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * libFuzzer: a hostile peer at a flit socket (docs/flit-socket.md). Input, again and again: a byte that says what to do,
 * and what that takes: a message of some type (HELLO, TIME and BYE are right but for some bytes, the CRC of a flit and of
 * a packet's place in it is made right unless the byte says otherwise), raw bytes, time, an access of our own through the
 * link, an answer to the training sets that have come (no fuzzer guesses those), a new connection.
 *
 * The peer reaches its opened bytes only, each access of ours ends exactly once when the peer is gone, and the next peer
 * is welcome. The peer is gone when it is waited for, as nobody else runs: an input does the same each time.
 *
 * tests/fuzz/run.sh builds and runs it.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "unit/fab_rig.h"
#include "engine/flit_socket.h"
#include "model/flit_msg.h"
#include "model/model.h"

#define OPEN		4096ull

enum { HELLO, LINE, FLIT, TIME, BYE, BYTES, ACCESS, TRAIN, AGAIN, KINDS };

struct input {
	const uint8_t *p;
	size_t len;
};

struct peer {
	int fd;
	uint64_t now;
	uint32_t seen;
	uint8_t buf[1 << 16];
	size_t len;
};

static struct rig *rig;
static struct hsl_flit_socket *sock;
static char path[64];

static void require(bool ok)
{
	if (!ok)
		abort();
}

static uint64_t number(struct input *in, size_t bytes)
{
	uint64_t v = 0;

	for (; bytes && in->len; bytes--, in->len--)
		v = v << 8 | *in->p++;
	return v;
}

static void fill(struct input *in, void *to, size_t bytes)
{
	size_t n = in->len < bytes ? in->len : bytes;

	memcpy(to, in->p, n);
	in->p += n;
	in->len -= n;
}

static void take(void *opaque)
{
	(void)opaque;
	rig_drain(rig);
}

static void say(void *opaque, bool there, const char *text)
{
	(void)opaque;
	(void)there;
	for (; *text; text++)
		require(*text >= ' ' && *text <= '~');
}

/* Nobody answers while the end waits: it hangs up at once, as for one that is silent. */
static bool silent(void *opaque)
{
	(void)opaque;
	return true;
}

/* Who reads here is the peer: our own accesses go through the link. */
static void read_inside(struct rig *r, uint32_t node, uint64_t line)
{
	(void)r;
	require(node == 1 && line * HSL_LINE_BYTES < OPEN);
}

static void dial(struct peer *p)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	if (p->fd >= 0)
		close(p->fd);
	hsl_flit_socket_serve(sock);
	p->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	strcpy(a.sun_path, path);
	require(p->fd >= 0 && !connect(p->fd, (struct sockaddr *)&a, sizeof(a)));
	fcntl(p->fd, F_SETFL, O_NONBLOCK);
	p->now = p->seen = 0;
	p->len = 0;
	hsl_flit_socket_accept(sock);
}

/* Some bytes of a good message are others. */
static void spoil(struct input *in, union hsl_flit_msg *m)
{
	for (uint64_t n = number(in, 1) & 3; n; n--)
		((uint8_t *)m)[number(in, 1) % m->hdr.len] ^= (uint8_t)number(in, 1);
}

static void put(struct peer *p, const union hsl_flit_msg *m)
{
	(void)!send(p->fd, m, m->hdr.len < sizeof(*m) ? m->hdr.len : sizeof(*m), MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* Each training set that has come is sent back with its round heard, what else came is looked at. */
static void train(struct peer *p)
{
	union hsl_flit_msg m;
	const char *why;
	size_t at = 0;
	ssize_t n = recv(p->fd, p->buf + p->len, sizeof(p->buf) - p->len, 0);
	int took;

	if (n > 0)
		p->len += (size_t)n;
	while ((took = hsl_flit_msg_take(p->buf + at, p->len - at, &m, &why)) > 0) {
		at += (size_t)took;
		p->seen += m.hdr.type == HSL_FS_LINE || m.hdr.type == HSL_FS_FLIT;
		if (m.hdr.type == HSL_FS_LINE) {
			p->now = m.hdr.time_ps > p->now ? m.hdr.time_ps : p->now;
			m.hdr.time_ps = p->now;
			m.line.ts.echo = m.line.ts.round;
			put(p, &m);
		}
	}
	require(took == 0);	/* the end sends good messages only */
	p->len -= at;
	memmove(p->buf, p->buf + at, p->len);
}

static void message(struct peer *p, struct input *in, uint32_t kind, bool raw)
{
	union hsl_flit_msg m;

	switch (kind) {
	case HELLO:
		hsl_flit_msg_hello(&m, &rig->cfg.link);
		m.hello.node = 2;
		m.hello.peer = 1;
		m.hello.lanes = 16;
		m.hello.rate_mtps = 112000;
		m.hello.latency_ps = 90000;
		break;
	case LINE:
		hsl_flit_msg_begin(&m, HSL_FS_LINE, p->now);
		fill(in, &m.line.ts, sizeof(m.line.ts));
		break;
	case FLIT:
		hsl_flit_msg_begin(&m, HSL_FS_FLIT, p->now);
		fill(in, &m.flit.flit, number(in, 1));
		if (!raw)
			hsl_flit_seal(&m.flit.flit, m.flit.flit.hdr & 0xfffu, m.flit.flit.hdr >> 12);
		break;
	case TIME:
		p->now += number(in, 1) << (number(in, 1) % 24);
		hsl_flit_msg_begin(&m, HSL_FS_TIME, p->now);
		m.hdr.flags = HSL_FS_F_WANT;
		m.time.seen = p->seen;
		break;
	default:
		hsl_flit_msg_begin(&m, HSL_FS_BYE, 0);
		m.bye.reason = (uint32_t)number(in, 1);
		fill(in, m.bye.text, number(in, 1) % (HSL_FS_TEXT + 1));
		break;
	}
	if (raw)
		spoil(in, &m);
	put(p, &m);
}

static void access_far(struct input *in)
{
	static const uint8_t ops[] = { HSL_ACCESS_LOAD, HSL_ACCESS_STORE, HSL_ACCESS_READ, HSL_ACCESS_WRITE, HSL_ACCESS_FLUSH };
	uint64_t data = number(in, 4);

	(void)rig_access(rig, 1, ops[number(in, 1) % sizeof(ops)], HSL_GA(2, number(in, 2) & ~7ull), 8, &data);
}

static void act(struct peer *p, struct input *in)
{
	uint8_t what = (uint8_t)number(in, 1), bytes[64];
	uint32_t kind = (what & 0x7f) % KINDS;

	switch (kind) {
	case BYTES:
		memset(bytes, what, sizeof(bytes));
		fill(in, bytes, number(in, 1) % sizeof(bytes));
		(void)!send(p->fd, bytes, sizeof(bytes), MSG_NOSIGNAL | MSG_DONTWAIT);
		break;
	case ACCESS:
		hsl_flit_socket_catch_up(sock);
		access_far(in);
		break;
	case TRAIN:
		train(p);
		break;
	case AGAIN:
		dial(p);
		break;
	default:
		message(p, in, kind, what & 0x80);
		break;
	}
	hsl_flit_socket_serve(sock);
	rig_drain(rig);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct input in = { data, len };
	struct peer *p = calloc(1, sizeof(*p));
	struct hsl_fab_cfg cfg;
	struct hsl_flit_socket_cfg sc = { .cfg = &cfg, .path = path, .listen = true, .patience_ms = 1000, .take = take,
					  .say = say, .stopped = silent };

	if (!*path)
		snprintf(path, sizeof(path), "/tmp/hsl-fuzz-socket.%d", getpid());
	cfg = rig_cfg(2, HSL_TOPO_PAIR, "default");
	cfg.cut_a = 1;
	cfg.cut_b = 2;
	cfg.open_bytes = OPEN;
	rig = rig_new(&cfg);
	rig->read = read_inside;
	sc.fab = rig->fab;
	p->fd = -1;
	require(!hsl_flit_socket_new(&sc, &sock));
	dial(p);
	while (in.len)
		act(p, &in);
	dial(p);
	message(p, &in, HELLO, false);
	hsl_flit_socket_serve(sock);
	require(hsl_flit_socket_connected(sock));
	close(p->fd);
	hsl_flit_socket_serve(sock);
	while (rig->ndone < rig->nposted && hsl_flit_socket_step(sock, UINT64_MAX))
		rig_drain(rig);
	require(rig->ndone == rig->nposted);
	hsl_flit_socket_free(sock);
	rig_free(rig);
	free(p);
	return 0;
}
