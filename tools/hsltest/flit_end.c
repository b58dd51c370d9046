/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The tester's end of a flit socket: messages, virtual time, training. flit_link.c has the link layer.
 *
 * Time. Nothing arrives before bound(), and everything of our own before it may happen; who cannot go on says when its next event is,
 * asks, and waits. The end of a step counts as an event of ours: a test acts then.
 *
 * The test gets on (ht_progress) with a packet that is whole, an acknowledgement of something new, a link that comes to L0. TIME, idle
 * flits and training sets go on for ever at a device that hangs.
 */
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "exit.h"
#include "flit_end.h"
#include "flit_priv.h"

#define TS_PS (200 * FE_US / 1000)
#define LATE_PS (2 * FE_MS)	   /* a wire may be so late */
#define WAITING_MAX (4 * FE_NUMBERS) /* what may be on the way to us: far more than a line and a window hold */

struct fe_arrival {
	uint64_t at_ps;
	bool is_ts;
	union {
		struct hsl_ts ts;
		struct hsl_flit flit;
	} u;
};

union message {
	struct hsl_fs_hdr hdr;
	struct hsl_fs_hello hello;
	struct hsl_fs_line line;
	struct hsl_fs_flit flit;
	struct hsl_fs_time time;
	struct hsl_fs_bye bye;
};

bool fe_url_parse(const char *url, struct fe_url *u)
{
	const char *path, *comma;
	char *end;
	unsigned long s = 5;

	url = tool_fabric_name(url);
	if (strncmp(url, "flit:unix:", 10))
		return false;
	path = url + 10;
	comma = strchr(path, ',');
	if (comma) {
		if (strncmp(comma, ",patience=", 10))
			return false;
		s = strtoul(comma + 10, &end, 10);
		if (end == comma + 10 || *end || !s || s > 3600)
			return false;
	}
	u->patience_s = (unsigned int)s;
	return snprintf(u->path, sizeof(u->path), "%.*s", (int)(comma ? comma - path : (int)strlen(path)), path) <
		       (int)sizeof(u->path) && u->path[0];
}

void *fe_grow(void *list, size_t n, size_t *room, size_t size)
{
	if (n < *room)
		return list;
	*room = *room ? 2 * *room : 1024;
	list = realloc(list, *room * size);
	if (!list)
		abort();
	return list;
}

void fe_record(struct fe *e, uint64_t time_ps, bool from_dut, uint8_t kind, const void *body, size_t len)
{
	struct fe_record *r;

	e->records = fe_grow(e->records, e->nrecords, &e->records_room, sizeof(*e->records));
	r = &e->records[e->nrecords];
	*r = (struct fe_record){ .time_ps = time_ps, .order = e->nrecords++, .kind = kind, .from_dut = from_dut };
	memcpy(r->body, body, len);
}

/* ---- messages ---- */

static const uint16_t lengths[] = { 0, sizeof(struct hsl_fs_hello), sizeof(struct hsl_fs_line), sizeof(struct hsl_fs_flit),
				    sizeof(struct hsl_fs_time), sizeof(struct hsl_fs_bye) };

static const char *wrong_header(const struct hsl_fs_hdr *h, char *buf, size_t len)
{
	if (h->type < HSL_FS_HELLO || h->type > HSL_FS_BYE)
		snprintf(buf, len, "a message of type %u", h->type);
	else if (h->len != lengths[h->type])
		snprintf(buf, len, "a message of type %u with %u bytes, not %u", h->type, h->len, lengths[h->type]);
	else if (h->rsvd || (h->flags & ~HSL_FS_F_WANT) || (h->flags && h->type != HSL_FS_TIME))
		snprintf(buf, len, "a message of type %u with a reserved field that is not zero", h->type);
	else if (h->time_ps >= HSL_FS_TIME_MAX)
		snprintf(buf, len, "a message of type %u with a time of 2^62 or more", h->type);
	else
		return NULL;
	return buf;
}

static void begin(union message *m, enum hsl_fs_type type, uint64_t time_ps)
{
	memset(m, 0, sizeof(*m));
	m->hdr.type = (uint8_t)type;
	m->hdr.len = lengths[type];
	m->hdr.time_ps = time_ps;
}

static bool receive(struct fe *e, bool wait);

/* With e what comes is read while we wait for room: the device may be waiting for room, too. */
static bool write_all(struct fe *e, int fd, const void *p, size_t len, unsigned int patience_s)
{
	struct pollfd pfd = { .fd = fd, .events = e ? POLLIN | POLLOUT : POLLOUT };

	while (len) {
		ssize_t n = send(fd, p, len, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n > 0) {
			p = (const uint8_t *)p + n;
			len -= (size_t)n;
		} else if (errno != EAGAIN || poll(&pfd, 1, (int)patience_s * 1000) <= 0) {
			return false;
		} else if (e && pfd.revents & POLLIN) {
			receive(e, false);
		}
	}
	return true;
}

static void put(struct fe *e, const union message *m)
{
	HT_TRUE(e->t, write_all(e, e->fd, m, m->hdr.len, e->url.patience_s), "the device takes no message: %s", strerror(errno));
}

static int dial(const struct fe_url *u)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	memcpy(sa.sun_path, u->path, sizeof(sa.sun_path));
	if (fd >= 0 && connect(fd, (struct sockaddr *)&sa, sizeof(sa))) {
		int err = errno;

		close(fd);
		return -err;
	}
	return fd < 0 ? -errno : fd;
}

static const char has_peer[] = "the device says that it has a peer already";

/* The first message, which is of known length. NULL, or why it is none. */
static const char *read_hello(int fd, unsigned int patience_s, struct hsl_fs_hello *h, char *buf, size_t len)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	hsl_le32 reason;
	size_t got = 0;
	ssize_t n;

	while (got < sizeof(*h)) {
		if (poll(&pfd, 1, (int)patience_s * 1000) <= 0) {
			snprintf(buf, len, "no HELLO within %u s", patience_s);
			return buf;
		}
		n = read(fd, (uint8_t *)h + got, sizeof(*h) - got);
		if (n <= 0)
			return "the connection was closed before HELLO";
		got += (size_t)n;
		if (got >= sizeof(h->hdr) && wrong_header(&h->hdr, buf, len))
			return buf;
		if (got >= sizeof(h->hdr) + sizeof(reason) && h->hdr.type == HSL_FS_BYE) {
			memcpy(&reason, (uint8_t *)h + sizeof(h->hdr), sizeof(reason));
			if (reason == HSL_FS_BUSY)
				return has_peer;
		}
		if (got >= sizeof(h->hdr) && h->hdr.type != HSL_FS_HELLO && h->hdr.type != HSL_FS_BYE)
			return "the first message is not HELLO";
	}
	if (h->hdr.type == HSL_FS_BYE)
		return "the first message is BYE";
	if (h->magic != HSL_FS_MAGIC)
		return "HELLO without the bytes that it begins with";
	if (h->major != HSL_FS_MAJOR || h->hep_version >> 16 != HSL_HEP_MAJOR)
		return "HELLO of another major version";
	if (!h->lanes || h->lanes > 16 || !h->rate_mtps || !h->latency_ps || h->latency_ps >= HSL_FS_TIME_MAX || h->rsvd0 || h->rsvd1)
		return "HELLO with lanes, rate, latency or a reserved field out of bounds";
	if (h->seq_bits < 2 || h->seq_bits > HSL_FLIT_SEQ_BITS || h->credit_shift > 8 || !h->replay_flits ||
	    (h->reorder + UINT64_C(1)) * h->replay_flits >= UINT64_C(1) << h->seq_bits)
		return "HELLO with parameters of the link layer that section 8.3 does not allow";
	for (unsigned int vc = 0; vc < HSL_VC_COUNT; vc++) {
		if (h->rx_slots[vc] < HSL_PKT_SLOTS_MAX + (1u << h->credit_shift) - 1 || h->rx_slots[vc] >> h->credit_shift > 127)
			return "HELLO with receive slots that section 8.3 does not allow";
	}
	return NULL;
}

/* Ours: as the device's, seen from the other side. */
static void answer_hello(const struct hsl_fs_hello *dut, struct hsl_fs_hello *own)
{
	*own = *dut;
	own->minor = HSL_FS_MINOR;
	own->hep_version = HSL_HEP_VERSION;
	own->node = dut->peer;
	own->peer = dut->node;
	own->open_bytes = 0;
}

static void say_bye(int fd, uint32_t reason, const char *text)
{
	union message m;

	begin(&m, HSL_FS_BYE, 0);
	m.bye.reason = reason;
	memcpy(m.bye.text, text, strnlen(text, sizeof(m.bye.text)));
	write_all(NULL, fd, &m, m.hdr.len, 1);
	close(fd);
}

/*
 * Connected, and *wrong says what is wrong with its HELLO; -errno. Who is asked right after the last connection has ended may not have
 * seen its end yet: a while later it has.
 */
static int meet(const struct fe_url *u, struct hsl_fs_hello *h, const char **wrong, char *buf, size_t len)
{
	struct ht_limit limit = ht_limit(u->patience_s);
	int fd;

	for (;;) {
		fd = dial(u);
		if (fd < 0)
			return fd;
		*wrong = read_hello(fd, u->patience_s, h, buf, len);
		if (*wrong != has_peer || ht_limit_over(&limit))
			return fd;
		close(fd);
		usleep(2000);
	}
}

int fe_hello(const struct fe_url *u, struct hsl_fs_hello *hello, char *why, size_t len)
{
	const char *wrong;
	char buf[120];
	int fd = meet(u, hello, &wrong, buf, sizeof(buf));

	if (fd < 0)
		return fd;
	if (wrong)
		snprintf(why, len, "%s", wrong);
	say_bye(fd, HSL_FS_DONE, "a look");
	return wrong ? -EPROTO : 0;
}

struct fe *fe_open(struct ht *t)
{
	struct fe *e = calloc(1, sizeof(*e));
	const char *wrong;
	char buf[120];

	if (!e)
		abort();
	e->t = t;
	if (!fe_url_parse(t->config->url, &e->url))
		HT_ERROR_TEST(t, "%s: not flit:unix:PATH[,patience=SECONDS]", t->config->url);
	ht_step(t, "waiting for HELLO");
	e->fd = meet(&e->url, &e->dut, &wrong, buf, sizeof(buf));
	if (e->fd < 0)
		HT_ERROR_TEST(t, "%s: %s", e->url.path, strerror(-e->fd));
	HT_TRUE(t, !wrong, "%s", wrong);
	answer_hello(&e->dut, &e->own);
	put(e, (const union message *)&e->own);
	e->lanes = (uint16_t)((1u << e->own.lanes) - 1);
	e->rate = e->own.rate_mtps;
	e->state = HSL_LTSSM_DETECT;
	fe_go(e, HSL_LTSSM_POLLING);
	return e;
}

void fe_close(struct fe *e)
{
	say_bye(e->fd, HSL_FS_DONE, "done");
	free(e->queue);
	free(e->seen);
	free(e->packets);
	free(e->records);
	free(e);
}

/* ---- time ---- */

static uint64_t bound(const struct fe *e)
{
	uint64_t from = e->promise_ps, there;

	if (e->sent > e->dut_seen) {
		there = e->sent_at[e->dut_seen % (FE_NUMBERS * 4)] + e->own.latency_ps;
		from = there < from ? there : from;
	}
	return from + e->dut.latency_ps;
}

static void leave(struct fe *e, union message *m)
{
	HT_TRUE(e->t, e->sent - e->dut_seen < FE_NUMBERS * 4, "the device takes no message any more: %llu are on the way",
		(unsigned long long)(e->sent - e->dut_seen));
	e->sent_at[e->sent++ % (FE_NUMBERS * 4)] = e->now_ps;
	put(e, m);
}

void fe_line(struct fe *e, const struct hsl_ts *ts)
{
	union message m;

	begin(&m, HSL_FS_LINE, e->now_ps);
	m.line.ts = *ts;
	leave(e, &m);
}

void fe_flit_leaves(struct fe *e, const struct hsl_flit *f)
{
	const uint64_t flit_ps = UINT64_C(2048) * 1000000 / ((uint64_t)(e->width ? e->width : 1) * e->rate) + 1;
	union message m;

	if (e->line_free_ps < e->now_ps)
		e->line_free_ps = e->now_ps;
	e->line_free_ps += flit_ps;
	begin(&m, HSL_FS_FLIT, e->line_free_ps);
	m.flit.flit = *f;
	leave(e, &m);
	fe_record(e, e->line_free_ps + e->own.latency_ps, false, HT_TRACE_FLIT, f, sizeof(*f));
}

static void arrival(struct fe *e, const union message *m)
{
	struct fe_arrival *a;
	uint64_t at = m->hdr.time_ps + e->dut.latency_ps;

	HT_TRUE(e->t, at >= bound(e) && at >= e->now_ps, "a message of time %llu ps, against the promise of %llu ps",
		(unsigned long long)m->hdr.time_ps, (unsigned long long)e->promise_ps);
	HT_TRUE(e->t, m->hdr.time_ps <= e->told_max_ps + e->own.latency_ps + LATE_PS,
		"a message of time %llu ps, and it was promised %llu ps: it cannot have come there", (unsigned long long)m->hdr.time_ps,
		(unsigned long long)e->told_max_ps);
	HT_TRUE(e->t, e->queued - e->head < WAITING_MAX, "more than %u messages are on the way to here", WAITING_MAX);
	if (e->head > e->queued / 2) {
		memmove(e->queue, e->queue + e->head, (e->queued - e->head) * sizeof(*e->queue));
		e->queued -= e->head;
		e->head = 0;
	}
	e->queue = fe_grow(e->queue, e->queued, &e->room, sizeof(*e->queue));
	a = &e->queue[e->queued];
	*a = (struct fe_arrival){ .at_ps = at, .is_ts = m->hdr.type == HSL_FS_LINE };
	if (a->is_ts)
		a->u.ts = m->line.ts;
	else
		a->u.flit = m->flit.flit;
	/* by time: a late one is sent before others that arrive earlier */
	for (size_t i = e->queued++; i > e->head && e->queue[i - 1].at_ps > at; i--) {
		struct fe_arrival swap = e->queue[i];

		e->queue[i] = e->queue[i - 1];
		e->queue[i - 1] = swap;
	}
	e->taken++;
}

static void got(struct fe *e, const union message *m)
{
	switch (m->hdr.type) {
	case HSL_FS_HELLO: HT_FAIL_TEST(e->t, "a second HELLO");
	case HSL_FS_BYE:
		HT_FAIL_TEST(e->t, "the device ended the connection: BYE, reason %u, %.*s", m->bye.reason, (int)sizeof(m->bye.text),
			     m->bye.text);
	case HSL_FS_TIME:
		HT_TRUE(e->t, m->time.seen <= e->sent && m->time.seen >= e->dut_seen, "TIME: %llu messages seen of %llu, %llu before",
			(unsigned long long)m->time.seen, (unsigned long long)e->sent, (unsigned long long)e->dut_seen);
		e->promise_ps = m->hdr.time_ps;
		e->dut_seen = m->time.seen;
		e->wanted |= m->hdr.flags & HSL_FS_F_WANT;
		e->asked = false;
		break;
	default: arrival(e, m);
	}
}

/* All whole messages; true when there was one. With wait, one is waited for. */
static bool receive(struct fe *e, bool wait)
{
	struct pollfd pfd = { .fd = e->fd, .events = POLLIN };
	union message m;
	char buf[120];
	size_t at = 0;
	ssize_t n;

	HT_TRUE(e->t, poll(&pfd, 1, wait ? (int)e->url.patience_s * 1000 : 0) > 0 || !wait, "no message for %u s, at %llu ps of virtual time",
		e->url.patience_s, (unsigned long long)e->now_ps);
	n = recv(e->fd, e->rx + e->rx_used, sizeof(e->rx) - e->rx_used, MSG_DONTWAIT);
	HT_TRUE(e->t, n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)), "the device closed the connection%s%s", n ? ": " : "",
		n ? strerror(errno) : "");
	if (n > 0)
		e->rx_used += (size_t)n;
	while (e->rx_used - at >= sizeof(m.hdr)) {
		memcpy(&m.hdr, e->rx + at, sizeof(m.hdr));
		HT_TRUE(e->t, !wrong_header(&m.hdr, buf, sizeof(buf)), "%s", buf);
		if (e->rx_used - at < m.hdr.len)
			break;
		memcpy(&m, e->rx + at, m.hdr.len);
		at += m.hdr.len;
		got(e, &m);
	}
	e->rx_used -= at;
	memmove(e->rx, e->rx + at, e->rx_used);
	return at;
}

/* When our next event is, and that we wait. */
static void tell(struct fe *e, uint64_t next_ps)
{
	union message m;

	if (e->told && e->asked && !e->wanted && e->told_ps == next_ps && e->told_taken == e->taken)
		return;
	begin(&m, HSL_FS_TIME, next_ps);
	m.hdr.flags = HSL_FS_F_WANT;
	m.time.seen = e->taken;
	put(e, &m);
	e->told = e->asked = true;
	e->wanted = false;
	e->told_ps = next_ps;
	e->told_max_ps = next_ps > e->told_max_ps ? next_ps : e->told_max_ps;
	e->told_taken = e->taken;
}

static uint64_t own_next(const struct fe *e)
{
	uint64_t next = UINT64_MAX;

	if (e->next_ts_ps && !e->mute)
		next = e->next_ts_ps;
	if (e->replay_ps && e->replay_ps < next)
		next = e->replay_ps;
	return next < e->now_ps ? e->now_ps : next;
}

static void training_set(struct fe *e);
static void rx_line(struct fe *e, const struct hsl_ts *ts);

bool fe_step(struct fe *e, uint64_t end_ps)
{
	uint64_t next;

	if (end_ps < e->now_ps) /* what was done meanwhile took longer */
		end_ps = e->now_ps;
	fe_speak(e);
	for (;;) {
		while (receive(e, false)) {
		}
		next = own_next(e) < end_ps ? own_next(e) : end_ps;
		if (e->head < e->queued && e->queue[e->head].at_ps < next)
			next = e->queue[e->head].at_ps;
		if (next < bound(e))
			break;
		tell(e, next);
		receive(e, true);
	}
	e->now_ps = next;
	if (e->head < e->queued && e->queue[e->head].at_ps <= next) {
		const struct fe_arrival a = e->queue[e->head++];

		a.is_ts ? rx_line(e, &a.u.ts) : fe_rx(e, &a.u.flit);
	} else if (e->next_ts_ps && e->next_ts_ps <= next && !e->mute) {
		training_set(e);
	} else if (e->replay_ps && e->replay_ps <= next) {
		fe_replay(e);
	} else {
		return false;
	}
	fe_speak(e);
	return true;
}

void fe_run(struct fe *e, uint64_t ps)
{
	const uint64_t end_ps = e->now_ps + ps;

	while (fe_step(e, end_ps)) {
	}
}

/* ---- training (docs/hep.md section 8.4) ---- */

static uint32_t common_width(const struct fe *e)
{
	return fe_width(e->lanes & e->dut_lanes);
}

uint32_t fe_width(uint32_t lanes)
{
	for (uint32_t w = 16; w > 1; w = w == 16 ? 8 : w == 8 ? 4 : 1) {
		if ((lanes & ((1u << w) - 1)) == (1u << w) - 1)
			return w;
	}
	return lanes & 1;
}

static void both_enter(struct fe *e, uint32_t state)
{
	const uint32_t body[3] = { state };

	for (int dut = 0; dut < 2; dut++)
		fe_record(e, e->now_ps > e->dut.latency_ps ? e->now_ps - e->dut.latency_ps : 0, dut, HT_TRACE_STATE, body, sizeof(body));
}

void fe_go(struct fe *e, uint32_t state)
{
	const bool fresh = e->fresh;

	e->state = state;
	e->next_ts_ps = e->now_ps + 1;
	switch (state) {
	case HSL_LTSSM_POLLING:
		e->fresh = true;
		fe_link_reset(e);
		both_enter(e, state);
		e->round++;
		break;
	case HSL_LTSSM_RECOVERY:
		both_enter(e, state);
		e->round++;
		break;
	case HSL_LTSSM_L0:
		e->next_ts_ps = 0;
		e->width = common_width(e);
		e->rate = e->dut_rate < e->own.rate_mtps ? e->dut_rate : e->own.rate_mtps;
		e->fresh = false;
		e->trainings++;
		ht_progress(e->t);
		both_enter(e, state);
		if (!fresh)
			fe_link_retrained(e);
		break;
	}
}

struct hsl_ts fe_ts(const struct fe *e, uint8_t type, uint8_t flags)
{
	struct hsl_ts ts = {
		.type = type, .flags = (uint8_t)(flags | (e->fresh ? HSL_TS_F_NEW : 0)), .lanes = e->lanes,
		.rate_mtps = e->own.rate_mtps, .round = e->round, .echo = e->dut_round,
	};

	if (type == HSL_TS2) {
		ts.rate_mtps = e->dut_rate < e->own.rate_mtps ? e->dut_rate : e->own.rate_mtps;
		ts.width = (uint8_t)common_width(e);
	}
	return ts;
}

static void training_set(struct fe *e)
{
	const struct hsl_ts ts = fe_ts(e, e->state == HSL_LTSSM_CONFIG ? HSL_TS2 : HSL_TS1, 0);

	fe_line(e, &ts);
	e->next_ts_ps = e->now_ps + TS_PS;
}

static void rx_line(struct fe *e, const struct hsl_ts *ts)
{
	struct hsl_ts answer;

	HT_TRUE(e->t, ts->rate_mtps, "a training set with rate 0");
	e->seen = fe_grow(e->seen, e->nseen, &e->seen_room, sizeof(*e->seen));
	e->seen[e->nseen++] = (struct fe_seen){ .at_ps = e->now_ps, .is_ts = true, .ts = *ts };
	if (e->mute || e->deaf || (ts->flags & (HSL_TS_F_DISABLE | HSL_TS_F_HOT_RESET | HSL_TS_F_L1)))
		return;
	if ((ts->flags & HSL_TS_F_L0) && (e->state != HSL_LTSSM_CONFIG || ts->echo != e->round))
		return;
	if (e->state == HSL_LTSSM_L0 && ts->type == HSL_TS2 && ts->round == e->dut_round) {
		answer = fe_ts(e, HSL_TS2, HSL_TS_F_L0);
		fe_line(e, &answer);
		return;
	}
	if (!e->fresh && (ts->flags & HSL_TS_F_NEW) && ts->round != e->dut_round) {
		fe_go(e, HSL_LTSSM_POLLING); /* through DETECT: it has forgotten */
		return;
	}
	if (e->fresh && !(ts->flags & HSL_TS_F_NEW) && ts->echo != e->round)
		return;
	if (e->state == HSL_LTSSM_L0) {
		fe_go(e, HSL_LTSSM_RECOVERY);
		return;
	}
	e->dut_lanes = ts->lanes;
	e->dut_rate = ts->rate_mtps;
	e->dut_round = ts->round;
	if (e->state != HSL_LTSSM_CONFIG)
		fe_go(e, HSL_LTSSM_CONFIG);
	if (ts->type == HSL_TS2 && ts->echo == e->round && ts->width == common_width(e) && ts->width) {
		fe_go(e, HSL_LTSSM_L0);
		answer = fe_ts(e, HSL_TS2, HSL_TS_F_L0);
		fe_line(e, &answer);
	}
}

void fe_train(struct fe *e)
{
	ht_step(e->t, "training the link");
	HT_TRUE(e->t, FE_WAIT(e, 10 * FE_MS, e->state == HSL_LTSSM_L0), "the link does not train within 10 ms: %zu training sets heard", e->nseen);
	fe_run(e, FE_US); /* its answer to our last TS2 */
	ht_step(e->t, "the link is in L0");
}

void fe_retrain(struct fe *e)
{
	fe_go(e, HSL_LTSSM_RECOVERY);
}
