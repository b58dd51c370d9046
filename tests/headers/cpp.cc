// SPDX-License-Identifier: MIT OR Apache-2.0
/* include/hsl/hsl.hpp compiled and run on sim: (or what HSL_FABRIC names): owning, moving, errors, every call. */
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <type_traits>

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

int main()
{
	const char *url = std::getenv("HSL_FABRIC");

	try {
		hsl::fabric f(url ? url : "sim:mesh4");
		std::uint32_t a = f.chips().front().node, b = f.chips().back().node;

		discovery(f);
		owning(f, a);
		commands(f, a, b);
	} catch (const std::system_error &e) {
		std::printf("# %s\n", e.what());
		return 1;
	}
	return failures != 0;
}
