// SPDX-License-Identifier: MIT OR Apache-2.0
/* Segments shared between contexts, node windows, events: the same on every backend. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/lib_cases.h"

#define LEN	(256u << 10)

/* ---- access that may fault ---- */

static sigjmp_buf on_bus;

static void bus(int sig)
{
	(void)sig;
	siglongjmp(on_bus, 1);
}

/* Does reading (or writing) the byte end in SIGBUS? */
static bool faults(volatile uint8_t *p, bool write)
{
	struct sigaction sa = { .sa_handler = bus }, old;
	volatile bool faulted = false;

	sigaction(SIGBUS, &sa, &old);
	if (sigsetjmp(on_bus, 1))
		faulted = true;
	else if (write)
		*p = 1;
	else
		(void)*p;
	sigaction(SIGBUS, &old, NULL);
	return faulted;
}

/* Another context with a queue. */
struct other {
	struct hsl_fabric *f;
	struct hsl_queue *q;
};

static bool other_open(struct lib_test *t, struct other *o)
{
	*o = (struct other){ 0 };
	return CHECK_EQ(t, hsl_fabric_open(t->url, &o->f), 0) &&
	       CHECK_EQ(t, hsl_queue_create(o->f, t->node[0], NULL, &o->q), 0);
}

static void other_close(struct other *o)
{
	hsl_queue_destroy(o->q);
	hsl_fabric_close(o->f);
}

/* ---- export and import ---- */

/* HEP-MAP-016 */
static void share(struct lib_test *t)
{
	struct hsl_segment *s = NULL, *ro = NULL;
	struct lib_mem m;
	struct other o;
	uint8_t *p;
	int fd = -1, fd_ro = -1;

	REQUIRE(t, lib_mem_get(t, &m, t->node[0], LEN) && other_open(t, &o));
	lib_pattern(m.p, LEN, 7);
	REQUIRE_EQ(t, hsl_segment_export(m.s, 0, 0, &fd), 0);
	CHECK(t, fcntl(fd, F_GETFD) & FD_CLOEXEC);
	REQUIRE_EQ(t, hsl_segment_export(m.s, HSL_RIGHT_READ, 0, &fd_ro), 0);
	/* more than was exported; then all there is; twice */
	CHECK_EQ(t, hsl_segment_import(o.f, fd_ro, HSL_RIGHT_RW, &ro), -EACCES);
	REQUIRE_EQ(t, hsl_segment_import(o.f, fd_ro, 0, &ro), 0);
	CHECK_EQ(t, hsl_segment_rights(ro), HSL_RIGHT_READ);
	CHECK(t, hsl_segment_ga(ro) == m.ga && hsl_segment_len(ro) == m.len);
	CHECK_EQ(t, hsl_segment_import(o.f, fd, 0, &s), -EEXIST);
	CHECK_EQ(t, hsl_fill(o.q, m.ga, 8, 0), -EACCES);
	REQUIRE_EQ(t, hsl_segment_map(ro, (void **)&p), 0);
	CHECK(t, !memcmp(p, m.p, LEN));
	/* no more rights by exporting again */
	CHECK_EQ(t, hsl_segment_export(ro, HSL_RIGHT_RW, 0, &fd), -EACCES);
	CHECK_EQ(t, hsl_segment_free(ro), 0);
	CHECK_EQ(t, hsl_fill(o.q, m.ga, 8, 0), -EFAULT);
	close(fd_ro);

	REQUIRE_EQ(t, hsl_segment_import(o.f, fd, 0, &s), 0);
	close(fd);
	CHECK_EQ(t, hsl_segment_rights(s), HSL_RIGHT_RW);
	REQUIRE_EQ(t, hsl_segment_map(s, (void **)&p), 0);
	p[5] = 0x99;
	CHECK_EQ(t, m.p[5], 0x99);
	CHECK_EQ(t, hsl_fill(o.q, m.ga + 4096, 4096, 0x1111111111111111), 0);
	CHECK(t, lib_all(m.p + 4096, 4096, 0x11));
	other_close(&o);
	CHECK(t, lib_all(m.p + 4096, 4096, 0x11));
	lib_mem_put(t, &m);
}

static void share_errors(struct lib_test *t)
{
	struct hsl_segment *s;
	struct lib_mem m, h;
	struct other o;
	int fd = -1;

	REQUIRE(t, lib_mem_get(t, &m, t->node[0], LEN) && lib_mem_get(t, &h, 0, LEN) && other_open(t, &o));
	CHECK_EQ(t, hsl_segment_export(NULL, 0, 0, &fd), -EINVAL);
	CHECK_EQ(t, hsl_segment_export(m.s, 0, 0, NULL), -EINVAL);
	CHECK_EQ(t, hsl_segment_export(m.s, 0, 2, &fd), -EINVAL);
	CHECK_EQ(t, hsl_segment_export(m.s, 4, 0, &fd), -EINVAL);
	CHECK_EQ(t, hsl_segment_export(h.s, 0, 0, &fd), -EOPNOTSUPP);
	CHECK_EQ(t, fd, -1);
	CHECK_EQ(t, hsl_segment_import(NULL, 0, 0, &s), -EINVAL);
	CHECK_EQ(t, hsl_segment_import(o.f, 0, 0, NULL), -EINVAL);
	CHECK_EQ(t, hsl_segment_import(o.f, -1, 0, &s), -EBADF);
	fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	CHECK_EQ(t, hsl_segment_import(o.f, fd, 0, &s), -EINVAL);
	close(fd);
	CHECK_EQ(t, hsl_segment_revoke(NULL), -EINVAL);
	/* nothing to revoke */
	CHECK_EQ(t, hsl_segment_revoke(m.s), 0);
	REQUIRE_EQ(t, hsl_segment_export(m.s, 0, 0, &fd), 0);
	CHECK_EQ(t, hsl_segment_import(o.f, fd, 8, &s), -EINVAL);
	/* the exporter has it already */
	CHECK_EQ(t, hsl_segment_import(t->f, fd, 0, &s), -EEXIST);
	close(fd);
	other_close(&o);
	lib_mem_put(t, &h);
	lib_mem_put(t, &m);
}

/* HEP-MAP-017: segment, export file and importer in every order of release; zero for who comes next. */
static void last_holder(struct lib_test *t)
{
	uint64_t before = lib_free_bytes(t);

	for (unsigned int order = 0; order < 6; order++) {
		static const uint8_t orders[6][3] = { { 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 }, { 1, 2, 0 }, { 2, 0, 1 },
						      { 2, 1, 0 } };
		struct hsl_segment *s = NULL;
		struct lib_mem m;
		struct other o;
		int fd;

		REQUIRE(t, lib_mem_get(t, &m, t->node[0], LEN) && other_open(t, &o));
		memset(m.p, 0xee, LEN);
		REQUIRE_EQ(t, hsl_segment_export(m.s, 0, 0, &fd), 0);
		REQUIRE_EQ(t, hsl_segment_import(o.f, fd, 0, &s), 0);
		for (unsigned int i = 0; i < 3; i++) {
			CHECK_EQ(t, lib_free_bytes(t), before - LEN);
			if (orders[order][i] == 0)
				lib_mem_put(t, &m);
			else if (orders[order][i] == 1)
				close(fd);
			else
				other_close(&o);
		}
		CHECK_EQ(t, lib_free_bytes(t), before);
		REQUIRE(t, lib_mem_get(t, &m, t->node[0], LEN));
		CHECK(t, lib_all(m.p, LEN, 0));
		lib_mem_put(t, &m);
	}
	CHECK_EQ(t, lib_free_bytes(t), before);
}

/* HEP-MAP-018: of a chain A -> B -> C, revoked at A, and at B */
static void revoked(struct lib_test *t)
{
	for (unsigned int at = 0; at < 2; at++) {
		struct hsl_segment *sb, *sc, *again;
		struct lib_mem m;
		struct other b, c;
		uint8_t *pb, *pc;
		int fd, fd2;

		REQUIRE(t, lib_mem_get(t, &m, t->node[0], LEN) && other_open(t, &b) && other_open(t, &c));
		REQUIRE_EQ(t, hsl_segment_export(m.s, 0, 0, &fd), 0);
		REQUIRE_EQ(t, hsl_segment_import(b.f, fd, 0, &sb), 0);
		REQUIRE_EQ(t, hsl_segment_export(sb, 0, 0, &fd2), 0);
		REQUIRE_EQ(t, hsl_segment_import(c.f, fd2, 0, &sc), 0);
		REQUIRE_EQ(t, hsl_segment_map(sb, (void **)&pb), 0);
		REQUIRE_EQ(t, hsl_segment_map(sc, (void **)&pc), 0);
		CHECK(t, !faults(pb, true) && !faults(pc, false));
		CHECK_EQ(t, hsl_fill(c.q, m.ga, 8, 5), 0);
		REQUIRE_EQ(t, hsl_segment_revoke(at ? sb : m.s), 0);
		/* C has lost it in any case, B if it was revoked above */
		CHECK(t, faults(pc, false) && faults(pc + LEN - 1, true));
		CHECK_EQ(t, hsl_fill(c.q, m.ga, 8, 5), -EFAULT);
		CHECK_EQ(t, hsl_segment_import(c.f, fd2, 0, &again), -ESTALE);
		CHECK_EQ(t, hsl_segment_export(sc, 0, 0, &fd2), -ESTALE);
		if (!at) {
			CHECK(t, faults(pb, false));
			CHECK_EQ(t, hsl_fill(b.q, m.ga, 8, 5), -EFAULT);
		} else {
			CHECK(t, !faults(pb, true));
			CHECK_EQ(t, hsl_fill(b.q, m.ga, 8, 5), 0);
		}
		CHECK_EQ(t, hsl_segment_free(sc), 0);
		/* the segment itself stays, and can be given out again */
		m.p[0] = 3;
		close(fd);
		REQUIRE_EQ(t, hsl_segment_export(at ? sb : m.s, 0, 0, &fd), 0);
		CHECK_EQ(t, hsl_segment_import(c.f, fd, 0, &again), 0);
		CHECK_EQ(t, hsl_fill(c.q, m.ga, 8, 6), 0);
		close(fd);
		close(fd2);
		other_close(&c);
		other_close(&b);
		lib_mem_put(t, &m);
	}
}

struct importer {
	struct lib_test *t;
	int fd;
	_Atomic bool stop;
	_Atomic unsigned int got, stale;
};

static void *import_main(void *opaque)
{
	struct importer *i = opaque;
	struct hsl_segment *s;
	struct other o;

	if (!other_open(i->t, &o))
		return NULL;
	while (!atomic_load(&i->stop)) {
		int err = hsl_segment_import(o.f, atomic_load(&i->stop) ? -1 : i->fd, 0, &s);
		void *p;

		if (err) {
			atomic_fetch_add(&i->stale, err == -ESTALE);
			continue;
		}
		atomic_fetch_add(&i->got, 1);
		hsl_segment_map(s, &p);
		hsl_fill(o.q, hsl_segment_ga(s), 64, 1);
		hsl_segment_free(s);
	}
	other_close(&o);
	return NULL;
}

/* Import, use and free against revoke: after each revoke the bytes are the owner's alone. */
static void revoke_races(struct lib_test *t)
{
	struct importer i = { .t = t };
	pthread_t thread;
	struct lib_mem m;

	REQUIRE(t, lib_mem_get(t, &m, t->node[0], LEN));
	/* one file for all rounds: number i.fd is made to mean each new export */
	REQUIRE_EQ(t, hsl_segment_export(m.s, 0, 0, &i.fd), 0);
	REQUIRE_EQ(t, pthread_create(&thread, NULL, import_main, &i), 0);
	for (unsigned int n = 0; n < 200; n++) {
		int fd;

		usleep(200);
		CHECK_EQ(t, hsl_segment_revoke(m.s), 0);
		__atomic_store_n((uint64_t *)(void *)m.p, 0x22, __ATOMIC_SEQ_CST);
		for (unsigned int k = 0; k < 100; k++)
			if (!CHECK_EQ(t, __atomic_load_n((uint64_t *)(void *)m.p, __ATOMIC_SEQ_CST), 0x22))
				break;
		REQUIRE_EQ(t, hsl_segment_export(m.s, 0, 0, &fd), 0);
		dup3(fd, i.fd, O_CLOEXEC);
		close(fd);
	}
	atomic_store(&i.stop, true);
	pthread_join(thread, NULL);
	close(i.fd);
	CHECK(t, atomic_load(&i.got) > 0);
	lib_mem_put(t, &m);
}

/* ---- windows ---- */

/* A map that fails leaves the reservation as it was: nobody else gets the addresses. */
static void window_refused(struct lib_test *t)
{
	struct hsl_window w = { .size = sizeof(w) };
	struct hsl_segment *s = NULL, *again;
	struct lib_mem m;
	struct other o;
	void *p, *q = NULL;
	int fd;

	REQUIRE(t, lib_mem_get(t, &m, t->node[0], LEN) && other_open(t, &o));
	w.size = 8192;
	CHECK_EQ(t, hsl_window_open(o.f, t->node[0], &w), -EINVAL);
	w.size = sizeof(w);
	REQUIRE_EQ(t, hsl_window_open(o.f, t->node[0], &w), 0);
	REQUIRE_EQ(t, hsl_segment_export(m.s, 0, 0, &fd), 0);
	REQUIRE_EQ(t, hsl_segment_import(o.f, fd, 0, &s), 0);
	CHECK_EQ(t, hsl_segment_revoke(m.s), 0);
	CHECK_EQ(t, hsl_segment_map(s, &p), -ENXIO);
	CHECK_EQ(t, msync(hsl_window_ptr(&w, m.ga), 4096, MS_ASYNC), 0);
	close(fd);
	CHECK_EQ(t, hsl_segment_free(s), 0);

	/* one that was mapped and revoked, whose memory another one gets: the free of the first leaves the second alone */
	REQUIRE_EQ(t, hsl_segment_export(m.s, 0, 0, &fd), 0);
	REQUIRE_EQ(t, hsl_segment_import(o.f, fd, 0, &s), 0);
	REQUIRE_EQ(t, hsl_segment_map(s, &p), 0);
	CHECK_EQ(t, hsl_segment_revoke(m.s), 0);
	close(fd);
	lib_mem_put(t, &m);
	for (unsigned int n = 0; n < 64; n++) {
		REQUIRE_EQ(t, hsl_segment_alloc(o.f, t->node[0], LEN, NULL, &again), 0);
		REQUIRE_EQ(t, hsl_segment_map(again, &q), 0);
		*(volatile uint8_t *)q = 1;
		if (q == p)
			break;
	}
	CHECK_EQ(t, hsl_segment_free(s), 0);
	CHECK(t, !faults(q, true));
	other_close(&o);
}

/* HEP-MAP-021 */
static void window(struct lib_test *t)
{
	struct hsl_window w = { .size = sizeof(w) }, again = { .size = sizeof(again) };
	struct hsl_chip_props c = { .size = sizeof(c) };
	struct hsl_segment *s[8];
	struct lib_mem m;
	uint8_t *p;

	REQUIRE_EQ(t, hsl_chip_by_node(t->f, t->node[0], &c), 0);
	CHECK_EQ(t, hsl_window_open(NULL, t->node[0], &w), -EINVAL);
	CHECK_EQ(t, hsl_window_open(t->f, t->node[0], NULL), -EINVAL);
	CHECK_EQ(t, hsl_window_open(t->f, 16000, &w), -ENOENT);
	CHECK_EQ(t, hsl_window_close(t->f, t->node[0]), -ENOENT);
	REQUIRE(t, lib_mem_get(t, &m, t->node[0], LEN));
	CHECK_EQ(t, hsl_window_open(t->f, t->node[0], &w), -EBUSY);
	lib_mem_put(t, &m);

	REQUIRE_EQ(t, hsl_window_open(t->f, t->node[0], &w), 0);
	CHECK(t, w.node == t->node[0] && w.ga == HSL_GA(t->node[0], 0) && w.len_bytes == c.mem_bytes && w.base);
	CHECK_EQ(t, hsl_window_open(t->f, t->node[0], &again), -EBUSY);
	for (unsigned int round = 0; round < 3; round++) {
		for (unsigned int i = 0; i < 8; i++) {
			REQUIRE_EQ(t, hsl_segment_alloc(t->f, t->node[0], (i + 1) * 8192, NULL, &s[i]), 0);
			REQUIRE_EQ(t, hsl_segment_map(s[i], (void **)&p), 0);
			CHECK(t, p == hsl_window_ptr(&w, hsl_segment_ga(s[i])));
			CHECK_EQ(t, hsl_window_ga(&w, p + 100), hsl_segment_ga(s[i]) + 100);
			CHECK(t, lib_all(p, (i + 1) * 8192, 0));
			memset(p, (int)i + 1, (i + 1) * 8192);
		}
		CHECK_EQ(t, hsl_window_close(t->f, t->node[0]), -EBUSY);
		for (unsigned int i = 0; i < 8; i++) {
			unsigned int k = (i * 3 + round) % 8;

			p = hsl_window_ptr(&w, hsl_segment_ga(s[k]));
			CHECK(t, lib_all(p, (k + 1) * 8192, (uint8_t)(k + 1)));
			CHECK_EQ(t, hsl_segment_free(s[k]), 0);
			/* still reserved: nobody else gets the addresses */
			CHECK_EQ(t, msync(p, 4096, MS_ASYNC), 0);
		}
	}
	CHECK_EQ(t, hsl_window_close(t->f, t->node[0]), 0);
	window_refused(t);
	/* closed by the fabric when it is open, with segments in it: the next case opens anew */
	REQUIRE_EQ(t, hsl_window_open(t->f, t->node[0], &w), 0);
	REQUIRE_EQ(t, hsl_segment_alloc(t->f, t->node[0], 4096, NULL, &s[0]), 0);
	REQUIRE_EQ(t, hsl_segment_map(s[0], (void **)&p), 0);
}

/* ---- events ---- */

/* HEP-API-012; that links and chips make events is for the tests that can take them down. */
static void no_events(struct lib_test *t)
{
	struct hsl_fabric_event ev[4];
	struct pollfd p = { .events = POLLIN };

	CHECK_EQ(t, hsl_event_fd(NULL), -EINVAL);
	CHECK_EQ(t, hsl_event_read(NULL, ev, 4), -EINVAL);
	CHECK_EQ(t, hsl_event_read(t->f, NULL, 4), -EINVAL);
	CHECK_EQ(t, hsl_event_read(t->f, NULL, 0), 0);
	p.fd = hsl_event_fd(t->f);
	REQUIRE(t, p.fd >= 0);
	CHECK_EQ(t, hsl_event_read(t->f, ev, 4), 0);
	CHECK_EQ(t, poll(&p, 1, 0), 0);
}

const struct lib_case lib_cases_share[] = {
	{ "segments: shared between contexts", share },
	{ "segments: export and import refuse", share_errors },
	{ "segments: the last holder frees, and it is zero", last_holder },
	{ "segments: revoke", revoked },
	{ "segments: revoke against import", revoke_races },
	{ "window", window },
	{ "events: none when nothing happens", no_events },
	{ 0 },
};
