// SPDX-License-Identifier: MIT OR Apache-2.0
/* Fabric, chips, topology, segments: what they do and every error they promise. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/lib_cases.h"

static void open_errors(struct lib_test *t)
{
	static const char *const bad[] = {
		"nonsense", "sim", "sim:", "sim:mesh", "sim:mesh0", "sim:4", "sim:star4", "sim:mesh18", "sim:pair3",
		"sim:ring257", "sim:mesh4,", "sim:mesh4,mem", "sim:mesh4,mem=", "sim:mesh4,mem=1", "sim:mesh4,mem=128T",
		"sim:mesh4,mem=99999999999999999999", "sim:mesh4,mem=134217729", "sim:mesh4,queues=0",
		"sim:mesh4,queues=256", "sim:mesh4,colour=red", "sim:mesh4x", "sim:mesh-1", "sim:mesh4,mem=128M,",
	};
	struct hsl_fabric *f = (void *)0x1234;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (!CHECK_EQ(t, hsl_fabric_open(bad[i], &f), -EINVAL))
			printf("# url %s\n", bad[i]);
	CHECK_EQ(t, hsl_fabric_open("/dev/hsl-is-not-here", &f), -ENODEV);
	CHECK_EQ(t, hsl_fabric_open("/dev/null", &f), -ENODEV);
	CHECK_EQ(t, hsl_fabric_open(t->url, NULL), -EINVAL);
	CHECK(t, f == (void *)0x1234);
	hsl_fabric_close(NULL);
}

static void sized_structs(struct lib_test *t)
{
	struct {
		struct hsl_fabric_info i;
		uint8_t tail[64];
	} big;
	struct hsl_fabric_info ref = { .size = sizeof(ref) };
	struct hsl_chip_props chip = { .size = sizeof(size_t) + sizeof(uint32_t) };
	struct {
		struct hsl_segment_opts o;
		uint64_t tail[2];
	} opts = { .o.size = sizeof(opts) };
	struct {
		struct hsl_queue_opts o;
		uint64_t tail[2];
	} qopts = { .o.size = sizeof(qopts) };
	struct hsl_segment *s;
	struct hsl_queue *q;

	/* results: what fits is written, nothing beyond size, and what the library does not know is zero */
	REQUIRE_EQ(t, hsl_fabric_info(t->f, &ref), 0);
	memset(&big, 0xff, sizeof(big));
	big.i.size = sizeof(big) - 8;
	CHECK_EQ(t, hsl_fabric_info(t->f, &big.i), 0);
	CHECK_EQ(t, big.i.size, sizeof(big) - 8);
	CHECK(t, big.i.nchips == ref.nchips && !strcmp(big.i.backend, ref.backend));
	CHECK(t, lib_all(big.tail, sizeof(big.tail) - 8, 0) && lib_all(big.tail + 56, 8, 0xff));
	chip.state = 0x5555;
	CHECK_EQ(t, hsl_chip_by_index(t->f, 0, &chip), 0);
	CHECK_EQ(t, chip.node, t->node[0]);
	CHECK_EQ(t, chip.state, 0x5555);
	chip.size = sizeof(size_t) - 1;
	CHECK_EQ(t, hsl_chip_by_index(t->f, 0, &chip), -EINVAL);
	ref.size = 0;
	CHECK_EQ(t, hsl_fabric_info(t->f, &ref), -EINVAL);

	/* options: longer with a zero tail works, with another tail is E2BIG, shorter than the first is EINVAL */
	if (CHECK_EQ(t, hsl_segment_alloc(t->f, t->node[0], 1, &opts.o, &s), 0))
		CHECK_EQ(t, hsl_segment_free(s), 0);
	opts.tail[1] = 1;
	CHECK_EQ(t, hsl_segment_alloc(t->f, t->node[0], 1, &opts.o, &s), -E2BIG);
	opts.o.size = offsetof(struct hsl_segment_opts, ga);	/* the first version */
	if (CHECK_EQ(t, hsl_segment_alloc(t->f, t->node[0], 1, &opts.o, &s), 0))
		CHECK_EQ(t, hsl_segment_free(s), 0);
	opts.o.size--;
	CHECK_EQ(t, hsl_segment_alloc(t->f, t->node[0], 1, &opts.o, &s), -EINVAL);
	opts.o.size = 1 << 20;
	CHECK_EQ(t, hsl_segment_alloc(t->f, t->node[0], 1, &opts.o, &s), -E2BIG);
	if (CHECK_EQ(t, hsl_queue_create(t->f, t->node[0], &qopts.o, &q), 0))
		hsl_queue_destroy(q);
	qopts.tail[0] = 1;
	CHECK_EQ(t, hsl_queue_create(t->f, t->node[0], &qopts.o, &q), -E2BIG);
	qopts.o.size = sizeof(qopts.o) - 1;
	CHECK_EQ(t, hsl_queue_create(t->f, t->node[0], &qopts.o, &q), -EINVAL);
}

static void chips_and_links(struct lib_test *t)
{
	struct hsl_fabric_info info = { .size = sizeof(info) };
	struct hsl_chip_props a = { .size = sizeof(a) }, b = { .size = sizeof(b) };
	struct hsl_link_props l = { .size = sizeof(l) };
	uint32_t last = 0;

	REQUIRE_EQ(t, hsl_fabric_info(t->f, &info), 0);
	CHECK(t, info.nchips >= 1 && info.host_node >= 16384 && info.host_node <= 28671);
	CHECK(t, info.page_size_bytes >= 4096 && !(info.page_size_bytes & (info.page_size_bytes - 1)));
	CHECK(t, info.fabric_id[0] | info.fabric_id[1]);
	CHECK_EQ(t, info.ga_offset_bits, HSL_GA_OFFSET_BITS);
	for (uint32_t i = 0; i < info.nchips; i++) {
		REQUIRE_EQ(t, hsl_chip_by_index(t->f, i, &a), 0);
		CHECK(t, a.node > last && a.node <= 16383);
		last = a.node;
		CHECK_EQ(t, a.state, 0);
		CHECK_EQ(t, a.hep_version >> 16, HSL_HEP_MAJOR);
		CHECK(t, a.mem_bytes >= 128u << 20 && a.mem_free_bytes <= a.mem_bytes);
		CHECK(t, (a.cap & HSL_CAP_OP_COPY) && (a.cap & HSL_CAP_OP_FILL));
		CHECK(t, a.max_depth >= 64 && a.max_len_bytes >= 64u << 20);
		CHECK(t, a.nqueues >= 1 && a.nqueues_free <= a.nqueues);
		CHECK(t, a.bus_addr[0] && a.driver[0]);
		REQUIRE_EQ(t, hsl_chip_by_node(t->f, a.node, &b), 0);
		CHECK(t, b.node == a.node && b.mem_bytes == a.mem_bytes && !strcmp(a.bus_addr, b.bus_addr));
		for (uint32_t k = 0; k < a.nlinks; k++) {
			CHECK_EQ(t, hsl_link_query(t->f, a.node, k, &l), 0);
			CHECK(t, !l.peer || (l.width && l.rate_mtps && l.latency_ps) || l.state != HSL_LTSSM_L0);
		}
		CHECK_EQ(t, hsl_link_query(t->f, a.node, a.nlinks, &l), -ENOENT);
	}
	CHECK_EQ(t, hsl_chip_by_index(t->f, info.nchips, &a), -ENOENT);
	CHECK_EQ(t, hsl_chip_by_index(t->f, UINT32_MAX, &a), -ENOENT);
	CHECK_EQ(t, hsl_chip_by_node(t->f, 0, &a), -ENOENT);
	CHECK_EQ(t, hsl_chip_by_node(t->f, 16000, &a), -ENOENT);
	CHECK_EQ(t, hsl_chip_by_node(t->f, info.host_node, &a), -ENOENT);
	CHECK_EQ(t, hsl_link_query(t->f, 16000, 0, &l), -ENOENT);
	CHECK_EQ(t, hsl_chip_by_index(t->f, 0, NULL), -EINVAL);
}

static void paths(struct lib_test *t)
{
	struct hsl_path_props p = { .size = sizeof(p) }, back = { .size = sizeof(back) };
	struct hsl_link_props l = { .size = sizeof(l) };

	CHECK_EQ(t, hsl_topology_path(t->f, t->node[0], t->node[0], &p), 0);
	CHECK(t, p.hops == 0 && p.latency_ps == 0);
	CHECK_EQ(t, hsl_topology_path(t->f, t->node[0], 16000, &p), -ENOENT);
	CHECK_EQ(t, hsl_topology_path(t->f, 0, t->node[0], &p), -ENOENT);
	if (t->node[0] == t->node[1])
		return;
	REQUIRE_EQ(t, hsl_topology_path(t->f, t->node[0], t->node[1], &p), 0);
	REQUIRE_EQ(t, hsl_topology_path(t->f, t->node[1], t->node[0], &back), 0);
	CHECK(t, p.hops >= 1 && p.hops == back.hops && p.latency_ps == back.latency_ps);
	CHECK(t, p.latency_ps > 0 && p.raw_bytes_per_s > 0);
	if (p.hops == 1 && !hsl_link_query(t->f, t->node[0], 0, &l) && l.peer == t->node[1]) {
		CHECK_EQ(t, p.latency_ps, l.latency_ps);
		CHECK_EQ(t, p.raw_bytes_per_s, (uint64_t)l.width * l.rate_mtps * 125000u);
	}
}

static int alloc_free(struct lib_test *t, uint32_t node, uint64_t len, uint64_t align, uint32_t rights)
{
	struct hsl_segment_opts o = { .size = sizeof(o), .align_bytes = align, .rights = rights };
	struct hsl_segment *s;
	int err = hsl_segment_alloc(t->f, node, len, &o, &s);

	if (!err)
		CHECK_EQ(t, hsl_segment_free(s), 0);
	return err;
}

static int register_free(struct lib_test *t, void *p, uint64_t len, uint32_t rights)
{
	struct hsl_segment_opts o = { .size = sizeof(o), .rights = rights };
	struct hsl_segment *s;
	int err = hsl_segment_register(t->f, p, len, &o, &s);

	if (!err)
		CHECK_EQ(t, hsl_segment_free(s), 0);
	return err;
}

static void segment_errors(struct lib_test *t)
{
	struct hsl_segment_opts o = { .size = sizeof(o), .flags = 1u << 31 };
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct hsl_segment *s;
	uint8_t *p;

	CHECK_EQ(t, alloc_free(t, 0, 4096, 0, 0), -ENOENT);
	CHECK_EQ(t, alloc_free(t, 16000, 4096, 0, 0), -ENOENT);
	CHECK_EQ(t, alloc_free(t, UINT32_MAX, 4096, 0, 0), -ENOENT);
	CHECK_EQ(t, alloc_free(t, t->node[0], 0, 0, 0), -EINVAL);
	CHECK_EQ(t, alloc_free(t, t->node[0], t->chip_mem_bytes + 1, 0, 0), -ENOSPC);
	CHECK_EQ(t, alloc_free(t, t->node[0], 1ull << 46, 0, 0), -ENOSPC);
	CHECK_EQ(t, alloc_free(t, t->node[0], UINT64_MAX, 0, 0), -ENOSPC);
	CHECK_EQ(t, alloc_free(t, t->node[0], 4096, 3, 0), -EINVAL);
	CHECK_EQ(t, alloc_free(t, t->node[0], 4096, 64, 0), -EINVAL);
	CHECK_EQ(t, alloc_free(t, t->node[0], 4096, 2ull << 30, 0), -EINVAL);
	CHECK_EQ(t, alloc_free(t, t->node[0], 4096, 1ull << 63, 0), -EINVAL);
	CHECK_EQ(t, alloc_free(t, t->node[0], 4096, 0, 4), -EINVAL);
	CHECK_EQ(t, hsl_segment_alloc(t->f, t->node[0], 4096, &o, &s), -EINVAL);
	CHECK_EQ(t, hsl_segment_alloc(t->f, t->node[0], 4096, NULL, NULL), -EINVAL);
	CHECK_EQ(t, hsl_segment_free(NULL), 0);

	p = mmap(NULL, 3 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	REQUIRE(t, p != MAP_FAILED);
	mprotect(p + page, page, PROT_READ);
	munmap(p + 2 * page, page);
	CHECK_EQ(t, register_free(t, p, page, 0), 0);
	CHECK_EQ(t, register_free(t, p + 1, 1, 0), 0);
	CHECK_EQ(t, register_free(t, p + page, page, HSL_RIGHT_READ), 0);
	CHECK_EQ(t, register_free(t, p + page, page, HSL_RIGHT_RW), -EFAULT);
	CHECK_EQ(t, register_free(t, p, 2 * page, HSL_RIGHT_WRITE), -EFAULT);
	CHECK_EQ(t, register_free(t, p + page, page + 1, HSL_RIGHT_READ), -EFAULT);
	CHECK_EQ(t, register_free(t, NULL, page, 0), -EFAULT);
	CHECK_EQ(t, register_free(t, p, 0, 0), -EINVAL);
	CHECK_EQ(t, register_free(t, p, page, 8), -EINVAL);
	CHECK_EQ(t, register_free(t, (void *)(UINTPTR_MAX - 100), 4096, 0), -EINVAL);
	CHECK_EQ(t, register_free(t, (void *)(UINTPTR_MAX - 4095), 4000, 0), -EFAULT);
	o.flags = 0;
	o.align_bytes = 4096;
	CHECK_EQ(t, hsl_segment_register(t->f, p, page, &o, &s), -EINVAL);
	munmap(p, 2 * page);
}

/* HEP-MAP-007, -008, -009 */
static void segment_places(struct lib_test *t)
{
	enum { N = 24 };
	struct hsl_segment *s[N];
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), before = lib_free_bytes(t);
	unsigned int n;

	for (n = 0; n < N; n++) {
		struct hsl_segment_opts o = { .size = sizeof(o), .align_bytes = page << (n % 10) };
		uint64_t len = 1 + lib_random(t) % (64 * page);

		if (!CHECK_EQ(t, hsl_segment_alloc(t->f, t->node[0], len, &o, &s[n]), 0))
			break;
		CHECK_EQ(t, HSL_GA_NODE(hsl_segment_ga(s[n])), t->node[0]);
		CHECK(t, hsl_segment_ga(s[n]) % o.align_bytes == 0);
		CHECK_EQ(t, hsl_segment_len(s[n]), (len + page - 1) / page * page);
		CHECK(t, HSL_GA_OFFSET(hsl_segment_ga(s[n])) + hsl_segment_len(s[n]) <= t->chip_mem_bytes);
		for (unsigned int i = 0; i < n; i++) {
			CHECK(t, hsl_segment_ga(s[i]) + hsl_segment_len(s[i]) <= hsl_segment_ga(s[n]) ||
				 hsl_segment_ga(s[n]) + hsl_segment_len(s[n]) <= hsl_segment_ga(s[i]));
			CHECK(t, hsl_segment_handle(s[i]) != hsl_segment_handle(s[n]));
		}
	}
	/* odd ones first, so that ranges are joined on both sides */
	for (unsigned int odd = 2; odd-- > 0;)
		for (unsigned int i = odd; i < n; i += 2)
			CHECK_EQ(t, hsl_segment_free(s[i]), 0);
	CHECK_EQ(t, lib_free_bytes(t), before);
	if (before == t->chip_mem_bytes) {
		CHECK_EQ(t, alloc_free(t, t->node[0], before, 0, 0), 0);
		CHECK_EQ(t, alloc_free(t, t->node[0], before, 0, 0), 0);
		CHECK_EQ(t, lib_free_bytes(t), before);
	}
}

/* HEP-MAP-004, HEP-SEC-004: the memory of one owner is zero for the next, another context included. */
static void segment_zeroed(struct lib_test *t)
{
	struct lib_mem m;
	const size_t len = 3 << 20;

	for (int i = 0; i < 4; i++) {
		struct hsl_fabric *first = t->f, *second;

		REQUIRE(t, lib_mem_get(t, &m, t->node[0], len));
		CHECK(t, lib_all(m.p, len, 0));
		memset(m.p, 0xa5, len);
		if (i % 2) {
			/* as a process that ends without freeing: the context goes with its segments */
			REQUIRE_EQ(t, hsl_fabric_open(t->url, &second), 0);
			t->f = second;
			hsl_fabric_close(first);
		} else {
			lib_mem_put(t, &m);
		}
	}
}

static bool writable(uint8_t *p)
{
	int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	bool ok = read(fd, p, 1) == 1;

	close(fd);
	return ok;
}

/* HEP-SEC-007 and the promises of hsl_segment_map */
static void segment_map(struct lib_test *t)
{
	struct hsl_segment_opts o = { .size = sizeof(o), .rights = HSL_RIGHT_READ };
	uint8_t buf[100];
	struct hsl_segment *s;
	void *p, *again;

	REQUIRE_EQ(t, hsl_segment_alloc(t->f, t->node[0], 10000, NULL, &s), 0);
	CHECK_EQ(t, hsl_segment_map(s, &p), 0);
	CHECK_EQ(t, hsl_segment_map(s, &again), 0);
	CHECK(t, p == again && writable(p));
	memset(p, 1, hsl_segment_len(s));
	CHECK_EQ(t, hsl_segment_free(s), 0);
	/* not mapped any more: mincore knows */
	CHECK(t, mincore(p, 4096, buf) == -1 && errno == ENOMEM);

	REQUIRE_EQ(t, hsl_segment_alloc(t->f, t->node[0], 4096, &o, &s), 0);
	CHECK_EQ(t, hsl_segment_map(s, &p), 0);
	CHECK(t, !writable(p) && *(volatile uint8_t *)p == 0);
	CHECK(t, mprotect(p, 4096, PROT_READ | PROT_WRITE) == -1 && errno == EACCES);
	CHECK_EQ(t, hsl_segment_free(s), 0);

	REQUIRE_EQ(t, hsl_segment_register(t->f, buf + 3, 50, NULL, &s), 0);
	CHECK_EQ(t, hsl_segment_map(s, &p), 0);
	CHECK(t, p == buf + 3);
	CHECK_EQ(t, hsl_segment_len(s), 50);
	CHECK_EQ(t, hsl_segment_ga(s) & 0xfff, (uintptr_t)(buf + 3) & 0xfff);
	CHECK_EQ(t, hsl_segment_free(s), 0);
	CHECK_EQ(t, hsl_segment_map(NULL, &p), -EINVAL);
}

static unsigned int open_files(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned int n = 0;

	while (d && readdir(d))
		n++;
	if (d)
		closedir(d);
	return n;
}

/* HEP-API-006 */
static void nothing_leaks(struct lib_test *t)
{
	struct hsl_chip_props before = { .size = sizeof(before) }, after = { .size = sizeof(after) };
	uint64_t free_bytes = lib_free_bytes(t);
	unsigned int files = open_files();
	struct hsl_segment *s, *r;
	struct hsl_fabric *f;
	static uint8_t buf[8192];
	struct hsl_queue *q;

	REQUIRE_EQ(t, hsl_chip_by_node(t->f, t->node[0], &before), 0);
	for (int i = 0; i < 200; i++) {
		REQUIRE_EQ(t, hsl_fabric_open(t->url, &f), 0);
		REQUIRE_EQ(t, hsl_segment_alloc(f, t->node[0], 1 << 16, NULL, &s), 0);
		REQUIRE_EQ(t, hsl_segment_register(f, buf, sizeof(buf), NULL, &r), 0);
		REQUIRE_EQ(t, hsl_queue_create(f, t->node[0], NULL, &q), 0);
		CHECK_EQ(t, hsl_copy(q, hsl_segment_ga(s), hsl_segment_ga(r), sizeof(buf)), 0);
		/* every other time closing has to do it all */
		if (i % 2) {
			hsl_queue_destroy(q);
			CHECK_EQ(t, hsl_segment_free(r), 0);
			CHECK_EQ(t, hsl_segment_free(s), 0);
		}
		hsl_fabric_close(f);
	}
	CHECK_EQ(t, lib_free_bytes(t), free_bytes);
	CHECK_EQ(t, hsl_chip_by_node(t->f, t->node[0], &after), 0);
	CHECK_EQ(t, after.nqueues_free, before.nqueues_free);
	CHECK_EQ(t, open_files(), files);
}

const struct lib_case lib_cases_objects[] = {
	{ "open: errors", open_errors },
	{ "sized structs: short, long, unknown tail", sized_structs },
	{ "chips and links: queries agree", chips_and_links },
	{ "topology: paths", paths },
	{ "segments: every error", segment_errors },
	{ "segments: rounded, aligned, disjoint, all freed", segment_places },
	{ "segments: zero for the next owner", segment_zeroed },
	{ "segments: mapping", segment_map },
	{ "create and destroy 200 times leaks nothing", nothing_leaks },
	{ NULL, NULL },
};
