// SPDX-License-Identifier: MIT OR Apache-2.0
/* include/hsl/hsl.hpp compiled and run on sim: (or what HSL_FABRIC names): owning, moving, errors, every call. */
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <type_traits>

#include <unistd.h>

#include "hsl/hsl.hpp"
#include "hsl/hsl.hpp"

static int failures;

static void expect(bool ok, const char *what, int line)
{
	if (!ok) {
		std::printf("# line %d: failed: %s\n", line, what);
		failures++;
	}
}
#define EXPECT(cond) expect(cond, #cond, __LINE__)

/* the errno that f throws, 0 if it does not throw */
template <typename F> static int thrown(F f)
{
	try {
		f();
	} catch (const std::system_error &e) {
		return e.code().category() == std::generic_category() && *e.what() ? e.code().value() : -1;
	}
	return 0;
}

static_assert(!std::is_copy_constructible<hsl::segment>::value && !std::is_copy_constructible<hsl::queue>::value,
	      "what owns is not copied");
static_assert(std::is_nothrow_move_constructible<hsl::segment>::value && std::is_nothrow_move_assignable<hsl::queue>::value,
	      "and moves for nothing");

static void discovery(hsl::fabric &f)
{
	std::vector<hsl_chip_props> chips = f.chips();

	EXPECT(chips.size() == f.info().nchips && !chips.empty());
	for (const hsl_chip_props &c : chips) {
		EXPECT(f.chip(c.node).mem_bytes == c.mem_bytes);
		EXPECT(f.path(c.node, c.node).hops == 0);
		for (unsigned int i = 0; i < c.nlinks; i++)
			EXPECT(f.link(c.node, i).size == sizeof(hsl_link_props));
	}
	EXPECT(thrown([&] { f.chip(0); }) == ENOENT);
	EXPECT(thrown([] { hsl::fabric("sim:nonsense"); }) == EINVAL);
}

static void owning(hsl::fabric &f, std::uint32_t node)
{
	hsl::queue q;
	hsl::segment s;

	EXPECT(!q && !s);
	{
		/* outlives this copy of the fabric, by the queue that keeps it */
		hsl::fabric g = f;

		q = g.make_queue(node, 16);
		s = g.alloc(node, 4096);
	}
	EXPECT(q.depth() == 16 && q.node() == node && q.outstanding() == 0 && q.error() == HSL_ST_OK && q.fd() >= 0);
	EXPECT(s.size() == 4096 && s.handle() != 0 && s.ga(8) == s.ga() + 8);

	hsl::segment moved = std::move(s);

	EXPECT(!s && moved.map<int>()[0] == 0);
	s = std::move(moved);
	s.free();
	EXPECT(!s);
	q = f.make_queue(node);
	EXPECT(thrown([&] { f.make_queue(node, 3); }) == EINVAL);
	EXPECT(thrown([&] { f.alloc(node, 0); }) == EINVAL);
}

static void commands(hsl::fabric &f, std::uint32_t a, std::uint32_t b)
{
	std::vector<unsigned char> buf(3 * 4096, 0);
	hsl::segment host = f.register_memory(buf.data(), buf.size());
	hsl::segment m = f.alloc(a, 4096), n = f.alloc(b, 4096);
	hsl::queue q = f.make_queue(a, 4);
	hsl_completion c[4];

	for (std::size_t i = 0; i < 4096; i++)
		buf[i] = static_cast<unsigned char>(i * 3);
	q.nop();
	q.fill(m.ga(), 4096, 0x0101010101010101ull);
	EXPECT(m.map<unsigned char>()[4095] == 1);
	EXPECT(thrown([&] { q.copy(n.ga(), m.ga(), 4097); }) == ERANGE);

	/* more than the queue holds */
	hsl::batch work;

	work.copy(m.ga(), host.ga(), 4096).cookie(7);
	for (int i = 0; i < 9; i++)
		work.copy(n.ga(), m.ga(), 4096).copy(host.ga(4096), n.ga(), 4096);
	q.run(work);
	EXPECT(std::memcmp(buf.data(), buf.data() + 4096, 4096) == 0);
	EXPECT(q.outstanding() == 0);
	work.copy(0, m.ga(), 1);
	EXPECT(thrown([&] { q.run(work); }) == EFAULT);

	EXPECT(q.submit(work) == 4);
	EXPECT(!q.submit(hsl_op_copy(n.ga(), m.ga(), 1)));
	EXPECT(q.wait_for(c, 1, std::chrono::seconds(60)) == 1 && c[0].cookie == 7);

	unsigned int seen = 0;

	q.drain([&](const hsl_completion &x) { seen += x.error == 0; });
	EXPECT(seen == 3 && q.poll(c, 4) == 0 && q.wait(c, 4) == 0);
	q.arm();
	q.eventfd(-1);
}

static void operations(hsl::fabric &f, std::uint32_t a, std::uint32_t b)
{
	hsl::segment m = f.alloc(a, 65536), n = f.alloc(b, 65536);
	hsl::queue q = f.make_queue(a), other = f.make_queue(b);
	std::uint64_t *w = m.map<std::uint64_t>();
	std::uint64_t seen = 0;

	q.fence();
	q.store<std::uint32_t>(m.ga(), 7);
	EXPECT(q.load<std::uint32_t>(m.ga()) == 7 && w[0] == 7);
	EXPECT(q.atomic<std::uint64_t>(HSL_ATOMIC_ADD, m.ga(), 3) == 7 && w[0] == 10);
	EXPECT(q.atomic<std::int32_t>(HSL_ATOMIC_CAS, m.ga(), -1, 10) == 10 && w[0] == 0xffffffffu);
	EXPECT(q.signal(m.ga(), 1) == 0xffffffffu);
	EXPECT(q.wait_value(m.ga(), 0x100000000ull, HSL_WAIT_EQ, 0, &seen) && seen == 0x100000000ull);
	EXPECT(!q.wait_value(m.ga(), 0, HSL_WAIT_EQ, 1000000));
	EXPECT(thrown([&] { q.atomic<std::uint64_t>(HSL_ATOMIC_ADD, m.ga(4), 3); }) == EINVAL);
	q.fill(m.ga(), 64, 2);
	q.fill(n.ga(), 64, 5);
	q.reduce(HSL_REDUCE_ADD, HSL_TYPE_I64, m.ga(), n.ga(), 8);
	EXPECT(w[0] == 7 && w[7] == 7 && w[8] == 0);
	q.copy2d(n.ga(4096), 16, m.ga(), 8, 8, 4);
	EXPECT(n.map<std::uint64_t>()[512] == 7 && n.map<std::uint64_t>()[513] == 0);

	hsl_copy_entry e[2] = { { n.ga(8192), m.ga(), 8, 0 }, { n.ga(8200), m.ga(), 8, 0 } };

	std::memcpy(m.map<char>() + 32768, e, sizeof(e));
	q.copy_list(m.ga(32768), 2);
	EXPECT(n.map<std::uint64_t>()[1024] == 7 && n.map<std::uint64_t>()[1025] == 7);

	/* two queues, linked and quiet, one waiting for the other */
	hsl::batch first, second;

	w[100] = 0;
	first.wait(m.ga(800), 1).link().quiet().copy(n.ga(16384), m.ga(), 64).quiet();
	second.fill(m.ga(), 64, 9).relaxed().fence().atomic(HSL_ATOMIC_ADD, m.ga(), 8, 1).load(0, m.ga(), 8).cookie(1);
	second.store(m.ga(8), 3, 8).reduce(HSL_REDUCE_MAX, HSL_TYPE_I64, m.ga(16), m.ga(), 8).copy2d(n.ga(), 8, m.ga(), 8, 8, 1);
	second.signal(m.ga(800), 1);
	EXPECT(q.submit(first) == 2 && q.outstanding() == 2);
	other.run(second);
	q.drain();
	EXPECT(n.map<std::uint64_t>()[2048] == 10 && n.map<std::uint64_t>()[2049] == 3 && n.map<std::uint64_t>()[2050] == 10);
	second.clear();
	EXPECT(second.size() == 0);

	/* a failure stops a chain; abort ends a wait */
	first.clear();
	first.copy(0, m.ga(), 8).link().fill(m.ga(), 8, 1);
	EXPECT(thrown([&] { q.run(first); }) == EFAULT && w[0] == 10);
	EXPECT(q.submit(hsl_op_wait(HSL_WAIT_EQ, m.ga(), 0, 0)));
	q.abort();
	EXPECT(thrown([&] { q.drain(); }) == ECANCELED);
	if (f.chip(a).cap & HSL_CAP_MODERATION)
		q.moderate(8, 50);
	else
		EXPECT(thrown([&] { q.moderate(8, 50); }) == EOPNOTSUPP);
	EXPECT(thrown([&] { q.moderate(65536, 50); }) == EINVAL);
	q.nop();
}

static void sharing(const char *url, hsl::fabric &f, std::uint32_t node)
{
	hsl::fabric g(url);
	hsl::segment mine = f.alloc(node, 4096), theirs;
	int fd = mine.export_fd(HSL_RIGHT_READ);

	theirs = g.import_fd(fd);
	close(fd);
	EXPECT(theirs.ga() == mine.ga() && theirs.rights() == HSL_RIGHT_READ && mine.rights() == HSL_RIGHT_RW);
	mine.map<int>()[3] = 5;
	EXPECT(theirs.map<int>()[3] == 5);
	EXPECT(thrown([&] { theirs.export_fd(HSL_RIGHT_RW); }) == EACCES);
	{
		hsl::fabric h(url);
		hsl::window w = h.open_window(node), moved = std::move(w);
		hsl::segment in = h.alloc(node, 4096);

		EXPECT(moved.ptr<char>(in.ga(8)) == in.map<char>() + 8 && moved.ga(in.map()) == in.ga());
		EXPECT(thrown([&] { h.open_window(node); }) == EBUSY);
	}
	EXPECT(g.event_fd() >= 0 && g.events().empty());
	mine.revoke();
	EXPECT(thrown([&] { g.make_queue(node).copy(theirs.ga(), theirs.ga(), 1); }) == EFAULT);
}

static void testing(hsl::fabric &f, std::uint32_t node)
{
	if (f.chip(node).cap & HSL_CAP_COUNTERS) {
		std::size_t n = f.counters(node, 0).size();

		EXPECT(hsl_counter_name(0, static_cast<unsigned int>(n - 1)) && !hsl_counter_name(0, static_cast<unsigned int>(n)));
		EXPECT(f.counters(node).size() > 1);
	} else {
		EXPECT(thrown([&] { f.counters(node); }) == EOPNOTSUPP);
	}
	EXPECT(thrown([&] { f.counters(99); }) == ENOENT);
	if (f.chip(node).cap & HSL_CAP_CTF) {
		hsl::test_facility t = f.open_test_facility(node), moved = std::move(t);

		EXPECT(thrown([&] { f.open_test_facility(node); }) == EBUSY);
		EXPECT(!moved.has(0) && !moved.has(32) && thrown([&] { moved.command(0, 0); }) == EOPNOTSUPP);
	} else {
		EXPECT(thrown([&] { f.open_test_facility(node); }) == EOPNOTSUPP);
	}
	EXPECT(thrown([&] { f.open_test_facility(99); }) == ENOENT);
}

int main()
{
	const char *url = std::getenv("HSL_FABRIC");

	try {
		if (!url)
			url = "sim:mesh4";

		hsl::fabric f(url);
		std::uint32_t a = f.chips().front().node, b = f.chips().back().node;

		discovery(f);
		owning(f, a);
		commands(f, a, b);
		operations(f, a, b);
		sharing(url, f, a);
		testing(f, a);
	} catch (const std::system_error &e) {
		std::printf("# %s\n", e.what());
		return 1;
	}
	return failures != 0;
}
