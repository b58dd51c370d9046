// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * A link that leaves the fabric of a QEMU (hsl-fabric's remote, docs/flit-socket.md): to chip 2 of a process with sim:, and to
 * that of another QEMU. Loads and stores through a window and commands cross it, both ways; a peer that is killed is a link in
 * DETECT, an event and UNREACHABLE.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/qtest_chip.h"
#include "hsl/hsl.h"

#define OPEN		0x100000ull	/* and segment 2 of the tables begins there: commands use it from the other end */
#define AT(node, off)	(((uint64_t)(node) << 48) | (off))

static char dir[] = "/tmp/hsl-remote-XXXXXX", sock[64], said[2048];

/* QEMU with chip `node` of a pair; the test plays its driver. */
struct end {
	struct qt qt;
	struct qc chip;
	struct qc_ring user;
};

/* STATUS of a window onto the other chip's memory. */
static uint32_t window(struct end *e, unsigned int i, uint64_t off, uint64_t size, uint32_t ctrl)
{
	qc_w64(&e->chip, HSL_REG_WIN(i) + HSL_WIN_O_GA, HSL_GA(3 - e->chip.node, off));
	qc_w64(&e->chip, HSL_REG_WIN(i) + HSL_WIN_O_SIZE, size);
	qc_w32(&e->chip, HSL_REG_WIN(i) + HSL_WIN_O_CTRL, ctrl);
	return qc_r32(&e->chip, HSL_REG_WIN(i) + HSL_WIN_O_STATUS);
}

static void start(struct end *e, uint32_t node, const char *verb)
{
	const uint32_t on = HSL_WIN_CTRL_ENABLE | HSL_WIN_CTRL_MODELLED;
	const uint64_t end = 1ull << HSL_GA_OFFSET_BITS;
	char fabric[192], chip[96];
	const char *args[] = { "-object", fabric, "-object", "memory-backend-memfd,id=m,share=on,size=128M",
			       "-device", chip, NULL };

	snprintf(fabric, sizeof(fabric), "hsl-fabric,id=fab0,topology=pair,open=3M,patience=20,remote=%u-%u:%s:%s", node,
		 3 - node, verb, sock);
	snprintf(chip, sizeof(chip), "hsl-chip,bus=pcie.0,addr=4,fabric=fab0,memdev=m,node=%u", node);
	qt_start(&e->qt, args);
	qc_write_tables(&e->qt);
	/* segments of both nodes are modelled */
	for (uint64_t i = 1; i <= 2; i++)
		qt_write(&e->qt, QC_SEG_LEAF + i * sizeof(struct hsl_seg_entry), 4,
			 HSL_SEG_VALID | HSL_SEG_READ | HSL_SEG_WRITE | HSL_SEG_MODELLED);
	qc_map(&e->chip, &e->qt, QT_BDF(0, 4), node, true);
	qc_enable(&e->chip);
	assert_int_equal(qc_create(&e->chip, &e->user, 1, 1), HSL_ST_OK);
	/* windows onto the other chip's memory: what is open, and what is not; a direct one there cannot be, nor one beyond its node */
	assert_int_equal(window(e, 0, OPEN, 0x10000, on), HSL_WIN_ACTIVE);
	assert_int_equal(window(e, 1, 0x400000, 0x10000, on), HSL_WIN_ACTIVE);
	assert_int_not_equal(window(e, 2, OPEN, 0x10000, HSL_WIN_CTRL_ENABLE), HSL_WIN_ACTIVE);
	assert_int_equal(window(e, 2, end - 0x10000, 0x10000, on), HSL_WIN_ACTIVE);
	assert_int_equal(window(e, 3, end - 0x10000, 0x20000, on), HSL_ST_RANGE << 8);
}

static uint32_t state(struct end *e)
{
	return qc_r32(&e->chip, HSL_REG_LINK(0) + HSL_LINK_O_STATE);
}

static bool comes_to(struct end *e, uint32_t want)
{
	for (int i = 0; i < 20000 && state(e) != want; i++)
		usleep(1000);
	return state(e) == want;
}

static struct hsl_desc copy(uint64_t dst, uint64_t src, uint64_t len)
{
	return (struct hsl_desc){ .opcode = HSL_OP_COPY, .dst = dst, .src = src, .len = len };
}

/* Loads, stores and commands of e, on memory of the other end. */
static void uses_other(struct end *e)
{
	uint64_t there = HSL_GA(3 - e->chip.node, OPEN), here = HSL_GA(e->chip.node, OPEN), w = e->chip.bar4;

	for (uint64_t i = 0; i < 50; i++) {
		qt_write(&e->qt, w + 64 * i, 8, 1000 + i);
		assert_int_equal(qt_read(&e->qt, w + 64 * i, 8), 1000 + i);
	}
	assert_int_equal(qc_do(&e->chip, &e->user, copy(here + 4096, there, 4096), NULL), HSL_ST_OK);
	assert_int_equal(qc_do(&e->chip, &e->user, copy(there + 8192, here + 4096, 64), NULL), HSL_ST_OK);
	assert_int_equal(qt_read(&e->qt, w + 8192, 8), 1000);
	/* what is not open is its home's to refuse */
	assert_int_equal(qt_read(&e->qt, w + (1ull << qc_r32(&e->chip, HSL_REG_WIN_STRIDE_LOG2)), 8), UINT64_MAX);
}

static void is_gone(struct end *e)
{
	assert_true(comes_to(e, HSL_LTSSM_DETECT));
	for (int i = 0; i < 2000 && !(qc_r32(&e->chip, HSL_REG_EVENT) & HSL_EVENT_LINK); i++)
		usleep(1000);
	assert_true(qc_r32(&e->chip, HSL_REG_EVENT) & HSL_EVENT_LINK);
	assert_int_equal(qc_do(&e->chip, &e->user, copy(HSL_GA(e->chip.node, OPEN), HSL_GA(3 - e->chip.node, OPEN), 64), NULL),
			 HSL_ST_UNREACHABLE);
	assert_int_equal(qt_read(&e->qt, e->chip.bar4 + 0x4000, 8), UINT64_MAX);
	assert_int_equal(qc_do(&e->chip, &e->user, (struct hsl_desc){ 0 }, NULL), HSL_ST_OK);
}

/* ---- the other end is a process with sim: ---- */

static void must_at(int line, int err)
{
	if (!err)
		return;
	fprintf(stderr, "the process at the other end, line %d: %s\n", line, err < 0 ? strerror(-err) : "another value");
	_exit(1);
}
#define must(err) must_at(__LINE__, err)

/* Uses memory of chip 1, in QEMU, and then waits to be killed. */
static void sim_peer(int ready)
{
	struct hsl_segment_opts o = { .size = sizeof(o), .flags = HSL_SEGMENT_OBSERVABLE };
	struct hsl_segment *s;
	struct hsl_fabric *f;
	struct hsl_queue *q;
	char url[128];
	uint64_t v;

	snprintf(url, sizeof(url), "sim:pair2,mem=128M,queues=4,remote=2-1:connect:%s,open=3M,patience=20", sock);
	must(hsl_fabric_open(url, &f));
	must(hsl_queue_create(f, 2, NULL, &q));
	for (uint32_t node = 1; node <= 2; node++) {
		o.ga = AT(node, OPEN);
		must(hsl_segment_alloc(f, node, 0x10000, &o, &s));
	}
	for (uint64_t i = 0; i < 50; i++) {
		/* whole lines: a peer that was killed may have left poison */
		must(hsl_fill(q, AT(1, OPEN + 64 * i), 256, ~i));
		must(hsl_store(q, AT(1, OPEN + 64 * i), &i, 8));
		must(hsl_load(q, AT(1, OPEN + 64 * i), 8, &v));
		must(v != i);
		must(hsl_copy(q, AT(2, OPEN + 4096), AT(1, OPEN), 256));
		must(hsl_atomic(q, HSL_ATOMIC_ADD, AT(1, OPEN + 8192), 8, 1, 0, &v));
		must(v != i);
	}
	if (write(ready, "", 1) == 1)
		pause();
	_exit(1);
}

static void with_sim(void **unused)
{
	int fds[2], status = 0;
	struct end e;
	pid_t pid;
	char c;

	(void)unused;
	start(&e, 1, "listen");
	assert_int_equal(state(&e), HSL_LTSSM_DETECT);
	for (unsigned int round = 0; round < 2; round++) {	/* the next peer is as good as the first */
		qt_write(&e.qt, e.chip.bar2 + OPEN + 8192, 8, 0);
		assert_int_equal(qc_do(&e.chip, &e.chip.aq, (struct hsl_desc){ .opcode = HSL_OP_FLUSH,
				       .dst = HSL_GA(1, OPEN), .len = 0x10000 }, NULL), HSL_ST_OK);
		assert_int_equal(pipe(fds), 0);
		pid = fork();
		if (!pid) {
			close(fds[0]);
			sim_peer(fds[1]);
		}
		close(fds[1]);
		if (read(fds[0], &c, 1) != 1)
			fail_msg("the process at the other end: status %d", waitpid(pid, &status, 0) == pid ? status : -1);
		close(fds[0]);
		assert_true(comes_to(&e, HSL_LTSSM_L0));
		uses_other(&e);
		qc_w32(&e.chip, HSL_REG_EVENT, HSL_EVENT_ALL);
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		is_gone(&e);
		qc_w32(&e.chip, HSL_REG_EVENT, HSL_EVENT_ALL);
	}
	qt_stop(&e.qt);
}

/* ---- and another QEMU ---- */

static void with_qemu(void **unused)
{
	struct end a, b;

	(void)unused;
	start(&a, 1, "listen");
	start(&b, 2, "connect");
	assert_true(comes_to(&a, HSL_LTSSM_L0));
	assert_int_equal(state(&b), HSL_LTSSM_L0);
	uses_other(&a);
	uses_other(&b);
	qc_w32(&a.chip, HSL_REG_EVENT, HSL_EVENT_ALL);
	qt_stop(&b.qt);
	is_gone(&a);
	qt_stop(&a.qt);
}

static void refused(void **unused)
{
	static const struct { const char *fabric, *why; } bad[] = {
		{ "remote=1-2", "this end's node first" }, { "remote=1-2:call:/x", "this end's node first" },
		{ "remote=1-3:listen:/tmp/x", "none of the fabric's" }, { "open=64K", "go with remote" },
		{ "remote=1-2:listen:/no/such/directory/x", "No such file" },
		{ "remote=1-2:listen:/etc/passwd", "no socket" }, { "remote=1-2:listen:/tmp/x,open=5", "64 KiB" },
		{ "remote=1-2:listen:/tmp/x,patience=4000", "3600 seconds" },
		{ "remote=1-2:listen:/tmp/x,time=modelled", "no modelled time" },
		{ "remote=1-2:listen:/tmp/x,modelled=off", "needs modelled memory" },
	};
	char fabric[192], path[96];

	(void)unused;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		const char *args[] = { "-object", fabric, NULL };

		snprintf(fabric, sizeof(fabric), "hsl-fabric,id=fab0,topology=pair,%s", bad[i].fabric);
		if (!qt_refuses(args, said, sizeof(said)) || !strstr(said, bad[i].why))
			fail_msg("%s: %s", bad[i].fabric, said);
	}
	snprintf(path, sizeof(path), "hsl-fabric,id=fab0,topology=pair,remote=1-2:listen:%s/other", dir);
	{
		const char *args[] = { "-object", path, "-object", "memory-backend-memfd,id=m,share=on,size=128M", "-device",
				       "hsl-chip,bus=pcie.0,fabric=fab0,memdev=m,node=2", NULL };

		assert_true(qt_refuses(args, said, sizeof(said)));
		assert_non_null(strstr(said, "a chip of the other program"));
	}
}

/* A fabric that comes and goes while the VM runs. */
static void late(void **unused)
{
	static const char *const none[] = { NULL };
	struct qt qt;

	(void)unused;
	qt_start(&qt, none);
	assert_true(qt_qmp(&qt, said, sizeof(said), "{\"execute\":\"object-add\",\"arguments\":{\"qom-type\":\"hsl-fabric\","
			   "\"id\":\"f\",\"topology\":\"pair\",\"open\":65536,\"patience\":1,\"remote\":\"1-2:listen:%s\"}}", sock));
	assert_int_equal(access(sock, F_OK), 0);
	assert_true(qt_qmp(&qt, NULL, 0, "{\"execute\":\"object-del\",\"arguments\":{\"id\":\"f\"}}"));
	assert_int_not_equal(access(sock, F_OK), 0);
	assert_false(qt_qmp(&qt, said, sizeof(said), "{\"execute\":\"object-add\",\"arguments\":{\"qom-type\":\"hsl-fabric\","
			    "\"id\":\"f\",\"topology\":\"pair\",\"remote\":\"1-2:connect:%s\"}}", sock));
	assert_non_null(strstr(said, "nobody to talk to"));
	assert_true(qt_qmp(&qt, said, sizeof(said), "{\"execute\":\"object-add\",\"arguments\":{\"qom-type\":\"hsl-fabric\","
			   "\"id\":\"f\",\"topology\":\"pair\"}}"));
	qt_stop(&qt);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(with_sim), cmocka_unit_test(with_qemu), cmocka_unit_test(refused),
		cmocka_unit_test(late),
	};
	char path[96];
	int rc;

	if (!qt_binary()) {
		fprintf(stderr, "QEMU= names no binary\n");
		return 77;
	}
	if (!mkdtemp(dir))
		return 1;
	snprintf(sock, sizeof(sock), "%s/link", dir);
	rc = cmocka_run_group_tests_name("qtest-remote", tests, NULL, NULL);
	unlink(sock);
	snprintf(path, sizeof(path), "%s/other", dir);
	unlink(path);
	rmdir(dir);
	return rc;
}
