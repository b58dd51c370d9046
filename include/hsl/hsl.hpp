/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * hsl.h for C++11: header only. Objects own what they stand for and are moved, not copied. A segment or queue keeps its
 * fabric open, so the order of destruction does not matter.
 *
 * Errors are std::system_error with the errno of hsl.h in std::generic_category(). Nothing has changed then. What is no
 * error but an answer (a full queue, a timeout) is a return value. Threads: as hsl.h says.
 *
 *	hsl::fabric f("sim:mesh4");
 *	hsl::segment a = f.alloc(1, 1 << 20), b = f.alloc(2, 1 << 20);
 *	hsl::queue q = f.make_queue(1);
 *	q.copy(b.ga(), a.ga(), a.size());
 */
#ifndef HSL_HSL_HPP
#define HSL_HSL_HPP

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <system_error>
#include <utility>
#include <vector>

#include "hsl.h"

namespace hsl {

/* there is a function of the same name */
using fabric_info = struct ::hsl_fabric_info;

/* r of a call of hsl.h: r if it is not negative, else thrown. */
inline int check(int r, const char *what)
{
	if (r < 0)
		throw std::system_error(-r, std::generic_category(), what);
	return r;
}

/* Throws what a completion reports, if it is an error. */
inline void check(const hsl_completion &c)
{
	if (c.error)
		throw std::system_error(-c.error, std::generic_category(), hsl_status_name(c.status));
}

/* Memory with a range of global addresses; freed with the object. */
class segment {
public:
	segment() = default;
	segment(std::shared_ptr<hsl_fabric> f, hsl_segment *s) : fabric_(std::move(f)), s_(s) {}
	segment(segment &&o) noexcept : fabric_(std::move(o.fabric_)), s_(o.s_) { o.s_ = nullptr; }
	segment &operator=(segment &&o) noexcept
	{
		if (this != &o) {
			drop();
			fabric_ = std::move(o.fabric_);
			s_ = o.s_;
			o.s_ = nullptr;
		}
		return *this;
	}
	~segment() { drop(); }

	explicit operator bool() const noexcept { return s_ != nullptr; }
	hsl_segment *get() const noexcept { return s_; }
	std::uint64_t ga(std::uint64_t offset = 0) const noexcept { return hsl_segment_ga(s_) + offset; }
	std::uint64_t size() const noexcept { return hsl_segment_len(s_); }
	std::uint32_t handle() const noexcept { return hsl_segment_handle(s_); }
	std::uint32_t rights() const noexcept { return hsl_segment_rights(s_); }
	std::uint32_t flags() const noexcept { return hsl_segment_flags(s_); }
	/* The first byte, for loads and stores; valid as long as the object. */
	template <typename T = void> T *map() const
	{
		void *p = nullptr;

		check(hsl_segment_map(s_, &p), "hsl_segment_map");
		return static_cast<T *>(p);
	}
	/* A file descriptor, which the caller closes. */
	int export_fd(std::uint32_t rights = 0, std::uint32_t flags = 0) const
	{
		int fd = -1;

		check(hsl_segment_export(s_, rights, flags, &fd), "hsl_segment_export");
		return fd;
	}
	void revoke() { check(hsl_segment_revoke(s_), "hsl_segment_revoke"); }
	/* As the destructor, but tells what went wrong; the object is empty afterwards if nothing did. */
	void free()
	{
		check(hsl_segment_free(s_), "hsl_segment_free");
		s_ = nullptr;
		fabric_.reset();
	}

private:
	void drop() noexcept
	{
		if (s_)
			hsl_segment_free(s_);
	}
	std::shared_ptr<hsl_fabric> fabric_;
	hsl_segment *s_ = nullptr;
};

/* Operations to be submitted together. The calls after an operation change it: b.copy(…).quiet().signal(…).link(). */
class batch {
public:
	batch &add(const hsl_op &op)
	{
		ops_.push_back(op);
		return *this;
	}
	batch &copy(std::uint64_t dst, std::uint64_t src, std::uint64_t len) { return add(hsl_op_copy(dst, src, len)); }
	batch &fill(std::uint64_t dst, std::uint64_t len, std::uint64_t pattern) { return add(hsl_op_fill(dst, len, pattern)); }
	batch &fence() { return add(hsl_op_fence()); }
	batch &reduce(unsigned int op, unsigned int type, std::uint64_t dst, std::uint64_t src, std::uint64_t len)
	{
		return add(hsl_op_reduce(op, type, dst, src, len));
	}
	batch &atomic(unsigned int op, std::uint64_t ga, unsigned int len, std::uint64_t operand, std::uint64_t compare = 0)
	{
		return add(hsl_op_atomic(op, ga, len, operand, compare));
	}
	batch &load(std::uint64_t dst, std::uint64_t src, unsigned int len) { return add(hsl_op_load(dst, src, len)); }
	batch &store(std::uint64_t dst, std::uint64_t value, unsigned int len) { return add(hsl_op_store(dst, value, len)); }
	batch &signal(std::uint64_t ga, std::uint64_t value, unsigned int op = HSL_SIGNAL_ADD)
	{
		return add(hsl_op_signal(op, ga, value));
	}
	batch &wait(std::uint64_t ga, std::uint64_t value, unsigned int cond = HSL_WAIT_GE, std::uint64_t timeout_ns = 0)
	{
		return add(hsl_op_wait(cond, ga, value, timeout_ns));
	}
	batch &copy2d(std::uint64_t dst, std::uint32_t dst_pitch, std::uint64_t src, std::uint32_t src_pitch, std::uint64_t len,
		      std::uint32_t rows)
	{
		return add(hsl_op_copy2d(dst, dst_pitch, src, src_pitch, len, rows));
	}
	batch &copy_list(std::uint64_t list, unsigned int n) { return add(hsl_op_copy_list(list, n)); }

	/* of the operation added last */
	batch &cookie(std::uint64_t cookie)
	{
		ops_.back().cookie = cookie;
		return *this;
	}
	batch &relaxed()
	{
		ops_.back().order = HSL_ORDER_RELAXED;
		return *this;
	}
	/* no completion unless it fails */
	batch &quiet() { return flag(HSL_DF_NO_CQE); }
	/* the next one is not started if this one fails */
	batch &link() { return flag(HSL_DF_LINK); }

	const hsl_op *data() const noexcept { return ops_.data(); }
	std::size_t size() const noexcept { return ops_.size(); }
	void clear() noexcept { ops_.clear(); }

private:
	batch &flag(unsigned int f)
	{
		ops_.back().flags = static_cast<std::uint8_t>(ops_.back().flags | f);
		return *this;
	}
	std::vector<hsl_op> ops_;
};

/* A queue of a chip, destroyed with the object: what is outstanding then is aborted. One thread at a time. */
class queue {
public:
	queue() = default;
	queue(std::shared_ptr<hsl_fabric> f, hsl_queue *q) : fabric_(std::move(f)), q_(q) {}
	queue(queue &&o) noexcept : fabric_(std::move(o.fabric_)), q_(o.q_) { o.q_ = nullptr; }
	queue &operator=(queue &&o) noexcept
	{
		if (this != &o) {
			hsl_queue_destroy(q_);
			fabric_ = std::move(o.fabric_);
			q_ = o.q_;
			o.q_ = nullptr;
		}
		return *this;
	}
	~queue() { hsl_queue_destroy(q_); }

	explicit operator bool() const noexcept { return q_ != nullptr; }
	hsl_queue *get() const noexcept { return q_; }
	std::uint32_t depth() const noexcept { return hsl_queue_depth(q_); }
	std::uint32_t node() const noexcept { return hsl_queue_node(q_); }
	unsigned int outstanding() const noexcept { return hsl_queue_outstanding(q_); }
	int fd() const noexcept { return hsl_queue_fd(q_); }

	/* How many were taken; 0 if the queue is full. */
	std::size_t submit(const hsl_op *ops, std::size_t n)
	{
		/* more than fit into an int fit into no queue */
		int r = hsl_queue_submit(q_, ops, n < 0x7fffffff ? static_cast<unsigned int>(n) : 0x7fffffff);

		return r == -EAGAIN ? 0 : static_cast<std::size_t>(check(r, "hsl_queue_submit"));
	}
	std::size_t submit(const batch &b) { return submit(b.data(), b.size()); }
	bool submit(const hsl_op &op) { return submit(&op, 1) == 1; }

	/* How many completions were taken. */
	std::size_t poll(hsl_completion *c, std::size_t max)
	{
		return static_cast<std::size_t>(check(hsl_queue_poll(q_, c, clip(max)), "hsl_queue_poll"));
	}
	/* The same, but waits for one; 0 if the time is up or (then nothing is outstanding) none is to come. */
	std::size_t wait(hsl_completion *c, std::size_t max, std::uint64_t deadline_ns = UINT64_MAX)
	{
		int r;

		do
			r = hsl_queue_wait(q_, c, clip(max), deadline_ns);
		while (r == -EINTR);
		if (r == -ETIMEDOUT || r == -ENOENT)
			return 0;
		return static_cast<std::size_t>(check(r, "hsl_queue_wait"));
	}
	template <typename Rep, typename Period>
	std::size_t wait_for(hsl_completion *c, std::size_t max, std::chrono::duration<Rep, Period> d)
	{
		/* steady_clock is CLOCK_MONOTONIC */
		auto t = std::chrono::steady_clock::now().time_since_epoch() + d;

		return wait(c, max, static_cast<std::uint64_t>(
					    std::chrono::duration_cast<std::chrono::nanoseconds>(t).count()));
	}
	/* Take every completion until nothing is outstanding, handing each to f; throws after that if one is an error. */
	template <typename F> void drain(F f)
	{
		hsl_completion c[16], bad = hsl_completion();
		std::size_t n;

		while ((n = wait(c, 16)) != 0)
			for (std::size_t i = 0; i < n; i++) {
				if (c[i].error && !bad.error)
					bad = c[i];
				f(c[i]);
			}
		check(bad);
	}
	void drain()
	{
		drain([](const hsl_completion &) {});
	}
	/* Submit all of b, however deep the queue is, and wait until all has ended. */
	void run(const batch &b)
	{
		hsl_completion c[16], bad = hsl_completion();
		std::size_t done = 0;

		while (done < b.size() && !bad.error) {
			std::size_t n = submit(b.data() + done, b.size() - done);

			done += n;
			if (n)
				continue;
			n = wait(c, 16);
			for (std::size_t i = 0; i < n; i++)
				if (c[i].error && !bad.error)
					bad = c[i];
		}
		drain([&bad](const hsl_completion &x) {
			if (x.error && !bad.error)
				bad = x;
		});
		check(bad);
	}
	void eventfd(int fd) { check(hsl_queue_eventfd(q_, fd), "hsl_queue_eventfd"); }
	void arm() { check(hsl_queue_arm(q_), "hsl_queue_arm"); }
	void abort() { check(hsl_queue_abort(q_), "hsl_queue_abort"); }
	void moderate(std::uint32_t count, std::uint32_t us) { check(hsl_queue_moderate(q_, count, us), "hsl_queue_moderate"); }
	/* HSL_ST_OK while the queue is ready, else what ended it. */
	std::uint32_t error()
	{
		std::uint32_t e = HSL_ST_OK;

		check(hsl_queue_state(q_, &e), "hsl_queue_state");
		return e;
	}

	/* One operation, waited for; only with nothing outstanding. */
	void nop() { check(hsl_nop(q_), "hsl_nop"); }
	void fence() { check(hsl_fence(q_), "hsl_fence"); }
	void copy(std::uint64_t dst, std::uint64_t src, std::uint64_t len) { check(hsl_copy(q_, dst, src, len), "hsl_copy"); }
	void fill(std::uint64_t dst, std::uint64_t len, std::uint64_t pattern)
	{
		check(hsl_fill(q_, dst, len, pattern), "hsl_fill");
	}
	void reduce(unsigned int op, unsigned int type, std::uint64_t dst, std::uint64_t src, std::uint64_t count)
	{
		check(hsl_reduce(q_, op, type, dst, src, count), "hsl_reduce");
	}
	/* T: an integer of 4 or 8 bytes. The old value. */
	template <typename T> T atomic(unsigned int op, std::uint64_t ga, T operand, T compare = T())
	{
		static_assert(sizeof(T) == 4 || sizeof(T) == 8, "4 or 8 bytes");
		std::uint64_t old = 0;

		check(hsl_atomic(q_, op, ga, sizeof(T), static_cast<std::uint64_t>(operand), static_cast<std::uint64_t>(compare),
				 &old), "hsl_atomic");
		return static_cast<T>(old);
	}
	/* T: an integer. */
	template <typename T> T load(std::uint64_t ga)
	{
		static_assert(sizeof(T) <= HSL_LOAD_RESULT_MAX, "at most 8 bytes");
		std::uint64_t v = 0;

		check(hsl_load(q_, ga, sizeof(T), &v), "hsl_load");
		return static_cast<T>(v);
	}
	template <typename T> void store(std::uint64_t ga, const T &v)
	{
		static_assert(sizeof(T) <= HSL_STORE_ARGS_MAX, "at most 16 bytes");
		check(hsl_store(q_, ga, &v, sizeof(T)), "hsl_store");
	}
	std::uint64_t signal(std::uint64_t ga, std::uint64_t value, unsigned int op = HSL_SIGNAL_ADD)
	{
		std::uint64_t old = 0;

		check(hsl_signal(q_, op, ga, value, &old), "hsl_signal");
		return old;
	}
	/* False if the time was up first. */
	bool wait_value(std::uint64_t ga, std::uint64_t value, unsigned int cond = HSL_WAIT_GE, std::uint64_t timeout_ns = 0,
			std::uint64_t *seen = nullptr)
	{
		int r = hsl_wait_value(q_, cond, ga, value, timeout_ns, seen);

		return r == -ETIMEDOUT ? false : check(r, "hsl_wait_value") == 0;
	}
	void copy2d(std::uint64_t dst, std::uint32_t dst_pitch, std::uint64_t src, std::uint32_t src_pitch, std::uint64_t len,
		    std::uint32_t rows)
	{
		check(hsl_copy2d(q_, dst, dst_pitch, src, src_pitch, len, rows), "hsl_copy2d");
	}
	void copy_list(std::uint64_t list, unsigned int n) { check(hsl_copy_list(q_, list, n), "hsl_copy_list"); }

private:
	static unsigned int clip(std::size_t n) { return n < 0x7fffffff ? static_cast<unsigned int>(n) : 0x7fffffff; }
	std::shared_ptr<hsl_fabric> fabric_;
	hsl_queue *q_ = nullptr;
};

/*
 * A node window: pointer and GA differ by a constant for all segments of a chip. Closed with the object, or, while a segment
 * is mapped in it, with the fabric.
 */
class window {
public:
	window(std::shared_ptr<hsl_fabric> f, std::uint32_t node) : fabric_(std::move(f)), w_()
	{
		w_.size = sizeof(w_);
		check(hsl_window_open(fabric_.get(), node, &w_), "hsl_window_open");
	}
	window(window &&) noexcept = default;
	~window()
	{
		if (fabric_)
			hsl_window_close(fabric_.get(), w_.node);
	}
	template <typename T = void> T *ptr(std::uint64_t ga) const noexcept { return static_cast<T *>(hsl_window_ptr(&w_, ga)); }
	std::uint64_t ga(const void *p) const noexcept { return hsl_window_ga(&w_, p); }

private:
	std::shared_ptr<hsl_fabric> fabric_;
	hsl_window w_;
};

/* The compliance test facility of a chip: in test mode while the object lives. */
class test_facility {
public:
	test_facility(std::shared_ptr<hsl_fabric> f, std::uint32_t node) : fabric_(std::move(f)), c_(nullptr)
	{
		check(hsl_ctf_open(fabric_.get(), node, &c_), "hsl_ctf_open");
	}
	test_facility(test_facility &&o) noexcept : fabric_(std::move(o.fabric_)), c_(o.c_) { o.c_ = nullptr; }
	~test_facility() { hsl_ctf_close(c_); }

	hsl_ctf *get() const noexcept { return c_; }
	bool has(unsigned int cmd) const noexcept { return cmd < 32 && (hsl_ctf_commands(c_) >> cmd & 1); }
	/* The two results. */
	std::pair<std::uint64_t, std::uint64_t> command(unsigned int link, unsigned int cmd, std::uint64_t arg0 = 0,
							std::uint64_t arg1 = 0, std::uint64_t arg2 = 0)
	{
		const std::uint64_t arg[3] = { arg0, arg1, arg2 };
		std::uint64_t result[2] = { 0, 0 };

		check(hsl_ctf_command(c_, link, cmd, arg, result), "hsl_ctf_command");
		return std::pair<std::uint64_t, std::uint64_t>(result[0], result[1]);
	}
	/* 256 bytes, and 272. */
	void flit(const void *f) { check(hsl_ctf_flit(c_, f), "hsl_ctf_flit"); }
	void record(void *r) { check(hsl_ctf_record(c_, r), "hsl_ctf_record"); }

private:
	std::shared_ptr<hsl_fabric> fabric_;
	hsl_ctf *c_;
};

/* An open fabric: a context. Copies name the same one; the last of them, its segments and its queues closes it. */
class fabric {
public:
	explicit fabric(const char *url = nullptr)
	{
		hsl_fabric *f = nullptr;

		check(hsl_fabric_open(url, &f), "hsl_fabric_open");
		f_.reset(f, hsl_fabric_close);
	}
	hsl_fabric *get() const noexcept { return f_.get(); }

	fabric_info info() const
	{
		fabric_info i = fabric_info();

		i.size = sizeof(i);
		check(::hsl_fabric_info(f_.get(), &i), "hsl_fabric_info");
		return i;
	}
	hsl_chip_props chip(std::uint32_t node) const
	{
		hsl_chip_props p = hsl_chip_props();

		p.size = sizeof(p);
		check(hsl_chip_by_node(f_.get(), node, &p), "hsl_chip_by_node");
		return p;
	}
	/* All chips, in order of node ids. */
	std::vector<hsl_chip_props> chips() const
	{
		std::vector<hsl_chip_props> all;

		for (unsigned int i = 0;; i++) {
			hsl_chip_props p = hsl_chip_props();
			int r;

			p.size = sizeof(p);
			r = hsl_chip_by_index(f_.get(), i, &p);
			if (r == -ENOENT)
				return all;
			check(r, "hsl_chip_by_index");
			all.push_back(p);
		}
	}
	hsl_link_props link(std::uint32_t node, unsigned int index) const
	{
		hsl_link_props p = hsl_link_props();

		p.size = sizeof(p);
		check(hsl_link_query(f_.get(), node, index, &p), "hsl_link_query");
		return p;
	}
	/* In the order of hsl_counter_name. */
	std::vector<std::uint64_t> counters(std::uint32_t node, unsigned int link = HSL_COUNTERS_CHIP) const
	{
		std::vector<std::uint64_t> v(static_cast<std::size_t>(
			check(hsl_counters(f_.get(), node, link, nullptr, 0), "hsl_counters")));

		check(hsl_counters(f_.get(), node, link, v.data(), static_cast<unsigned int>(v.size())), "hsl_counters");
		return v;
	}
	hsl_sensors sensors(std::uint32_t node) const
	{
		hsl_sensors s = hsl_sensors();

		s.size = sizeof(s);
		check(hsl_chip_sensors(f_.get(), node, &s), "hsl_chip_sensors");
		return s;
	}
	test_facility open_test_facility(std::uint32_t node) { return test_facility(f_, node); }
	hsl_path_props path(std::uint32_t src_node, std::uint32_t dst_node) const
	{
		hsl_path_props p = hsl_path_props();

		p.size = sizeof(p);
		check(hsl_topology_path(f_.get(), src_node, dst_node, &p), "hsl_topology_path");
		return p;
	}

	/* Zeroed memory of a chip. */
	segment alloc(std::uint32_t node, std::uint64_t len, std::uint64_t align = 0, std::uint32_t rights = HSL_RIGHT_RW,
		      std::uint32_t flags = 0)
	{
		hsl_segment_opts o = opts(align, rights, flags);
		hsl_segment *s = nullptr;

		check(hsl_segment_alloc(f_.get(), node, len, &o, &s), "hsl_segment_alloc");
		return segment(f_, s);
	}
	/* The caller's memory, which has to outlive the segment. */
	segment register_memory(void *p, std::uint64_t len, std::uint32_t rights = HSL_RIGHT_RW)
	{
		hsl_segment_opts o = opts(0, rights, 0);
		hsl_segment *s = nullptr;

		check(hsl_segment_register(f_.get(), p, len, &o, &s), "hsl_segment_register");
		return segment(f_, s);
	}
	segment import_fd(int fd, std::uint32_t rights = 0)
	{
		hsl_segment *s = nullptr;

		check(hsl_segment_import(f_.get(), fd, rights, &s), "hsl_segment_import");
		return segment(f_, s);
	}
	window open_window(std::uint32_t node) { return window(f_, node); }
	/* For poll(2): readable while events() has something. */
	int event_fd() const { return check(hsl_event_fd(f_.get()), "hsl_event_fd"); }
	/* Events that have come, oldest first; at most max. */
	std::vector<hsl_fabric_event> events(unsigned int max = 64)
	{
		std::vector<hsl_fabric_event> ev(max);

		ev.resize(static_cast<std::size_t>(check(hsl_event_read(f_.get(), ev.data(), max), "hsl_event_read")));
		return ev;
	}
	queue make_queue(std::uint32_t node, std::uint32_t depth = 0, std::uint32_t flags = 0)
	{
		hsl_queue_opts o = hsl_queue_opts();
		hsl_queue *q = nullptr;

		o.size = sizeof(o);
		o.depth = depth;
		o.flags = flags;
		check(hsl_queue_create(f_.get(), node, &o, &q), "hsl_queue_create");
		return queue(f_, q);
	}

private:
	static hsl_segment_opts opts(std::uint64_t align, std::uint32_t rights, std::uint32_t flags)
	{
		hsl_segment_opts o = hsl_segment_opts();

		o.size = sizeof(o);
		o.align_bytes = align;
		o.rights = rights;
		o.flags = flags;
		return o;
	}
	std::shared_ptr<hsl_fabric> f_;
};

} /* namespace hsl */

#endif /* HSL_HSL_HPP */
