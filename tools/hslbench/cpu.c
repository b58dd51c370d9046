// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * What the CPU does by itself: the baselines, and loads and stores on mapped memory.
 */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "bench.h"

#define CLOCK_EVERY_BYTES	(64u << 10)	/* of work between two looks at the clock */
#define TURNS_MAX		256u

__attribute__((noinline)) uint64_t bench_cpu_load(const void *p, uint64_t len)
{
	const volatile uint64_t *w = p;
	const volatile uint8_t *tail = (const volatile uint8_t *)p + (len & ~7ull);
	uint64_t a = 0, b = 0, c = 0, d = 0, i = 0, n = len / 8;

	for (; n - i >= 8; i += 8) {
		a += w[i];
		b += w[i + 1];
		c += w[i + 2];
		d += w[i + 3];
		a += w[i + 4];
		b += w[i + 5];
		c += w[i + 6];
		d += w[i + 7];
	}
	for (; i < n; i++)
		a += w[i];
	for (i = 0; i < (len & 7); i++)
		b += tail[i];
	return a + b + c + d;
}

__attribute__((noinline)) void bench_cpu_store(void *p, uint64_t len, uint64_t seed)
{
	volatile uint64_t *w = p;
	volatile uint8_t *tail = (volatile uint8_t *)p + (len & ~7ull);
	uint64_t v = seed, i = 0, n = len / 8;

	for (; n - i >= 8; i += 8, v += 8) {
		w[i] = v;
		w[i + 1] = v + 1;
		w[i + 2] = v + 2;
		w[i + 3] = v + 3;
		w[i + 4] = v + 4;
		w[i + 5] = v + 5;
		w[i + 6] = v + 6;
		w[i + 7] = v + 7;
	}
	for (; i < n; i++)
		w[i] = v++;
	for (i = 0; i < (len & 7); i++)
		tail[i] = (uint8_t)(v >> 8 * i);
}

uint64_t bench_pattern_sum(const struct bench_set *s, const struct tool_pattern *pt, uint32_t slot)
{
	uint64_t sum = 0, off = slot * s->stride, i;

	for (i = 0; s->size - i >= 8; i += 8)
		sum += tool_pattern_word(pt, off + i);
	for (uint64_t k = 0; k < s->size - i; k++)
		sum += (uint8_t)(tool_pattern_word(pt, off + i) >> 8 * k);
	return sum;
}

static bool touch(const struct bench_set *s, enum bench_cpu_op op, const struct bench_area *dst,
		  const struct bench_area *src,
		  uint64_t seed, uint32_t slot, uint64_t sum)
{
	uint64_t off = slot * s->stride;

	switch (op) {
	case BENCH_MEMCPY:
		memcpy(dst->p + off, src->p + off, s->size);
		break;
	case BENCH_MEMSET:
		memset(dst->p + off, (int)(seed & 0xff), s->size);
		break;
	case BENCH_LOAD:
		return bench_cpu_load(src->p + off, s->size) == sum;
	case BENCH_STORE:
		bench_cpu_store(dst->p + off, s->size, seed + off / 8);
		break;
	}
	__asm__ volatile("" : : "r"(dst) : "memory");	/* each one is done, not only the last */
	return true;
}

void bench_cpu_run(const struct bench_set *s, enum bench_cpu_op op, const struct bench_area *dst,
		   const struct bench_area *src,
		   uint64_t seed, const struct bench_limit *limit, struct bench_share *out)
{
	struct tool_pattern pt = { .seed = seed };
	uint64_t *sum = tool_calloc(s->slots, sizeof(*sum));
	uint64_t every = CLOCK_EVERY_BYTES / (s->size ? s->size : 1), n = 0, start, now;
	uint32_t slot = 0;

	for (uint32_t i = 0; op == BENCH_LOAD && i < s->slots; i++)
		sum[i] = bench_pattern_sum(s, &pt, i);
	every = every > TURNS_MAX ? TURNS_MAX : every ? every : 1;
	start = now = bench_now_ns();
	while (!tool_stopped() && (limit->iters ? n < limit->iters : now - start < limit->ns)) {
		uint64_t turns = every;

		if (limit->iters && limit->iters - n < turns)
			turns = limit->iters - n;
		for (uint64_t i = 0; i < turns; i++) {
			out->errors += !touch(s, op, dst, src, seed, slot, sum[slot]);
			slot = slot + 1 == s->slots ? 0 : slot + 1;
		}
		n += turns;
		now = bench_now_ns();
	}
	out->ops += n;
	out->ns += now - start;
	free(sum);
}

/* ---- two threads, two cache lines ---- */

struct pingpong {
	_Alignas(128) uint64_t ping;	/* written by the caller's thread, read by the other */
	_Alignas(128) uint64_t pong;	/* the other way */
	_Alignas(128) bool shared_cpu;
	cpu_set_t cpu;
};
#define PINGPONG_END	UINT64_MAX

static inline void relax(const struct pingpong *pp)
{
	if (pp->shared_cpu)
		sched_yield();
#if defined(__x86_64__) || defined(__i386__)
	else
		__builtin_ia32_pause();
#endif
}

static void *pong_thread(void *arg)
{
	struct pingpong *pp = arg;
	uint64_t last = 0, v;

	pthread_setaffinity_np(pthread_self(), sizeof(pp->cpu), &pp->cpu);
	do {
		while ((v = __atomic_load_n(&pp->ping, __ATOMIC_ACQUIRE)) == last)
			relax(pp);
		last = v;
		__atomic_store_n(&pp->pong, v, __ATOMIC_RELEASE);
	} while (v != PINGPONG_END);
	return NULL;
}

/* The first two CPUs we may use; the same one twice if there is only one. */
static int two_cpus(const cpu_set_t *allowed, int cpu[2])
{
	int n = 0;

	for (int i = 0; i < CPU_SETSIZE && n < 2; i++)
		if (CPU_ISSET(i, allowed))
			cpu[n++] = i;
	if (n == 1)
		cpu[1] = cpu[0];
	return n;
}

int bench_pingpong(const struct bench_limit *limit, struct tool_stats *stats, int cpu[2])
{
	struct pingpong pp = { 0 };
	uint64_t start, t0, t1, n = 0;
	cpu_set_t before, mine;
	pthread_t thread;
	int rc;

	if (sched_getaffinity(0, sizeof(before), &before))
		return -errno;
	if (!two_cpus(&before, cpu))
		return -ENODEV;
	pp.shared_cpu = cpu[0] == cpu[1];
	CPU_ZERO(&pp.cpu);
	CPU_SET(cpu[1], &pp.cpu);
	CPU_ZERO(&mine);
	CPU_SET(cpu[0], &mine);
	rc = pthread_create(&thread, NULL, pong_thread, &pp);
	if (rc)
		return -rc;
	sched_setaffinity(0, sizeof(mine), &mine);
	start = t1 = bench_now_ns();
	/* the first round trip waits for the thread to start: not counted */
	for (uint64_t v = 1; (limit->iters ? n < limit->iters : t1 - start < limit->ns) &&
	     !tool_stopped(); v++) {
		t0 = bench_now_ns();
		__atomic_store_n(&pp.ping, v, __ATOMIC_RELEASE);
		while (__atomic_load_n(&pp.pong, __ATOMIC_ACQUIRE) != v)
			relax(&pp);
		t1 = bench_now_ns();
		if (v == 1)
			continue;
		tool_stats_add(stats, t1 - t0);
		n++;
	}
	__atomic_store_n(&pp.ping, PINGPONG_END, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	sched_setaffinity(0, sizeof(before), &before);
	return 0;
}

/* ---- two threads, two eventfds or pipes ---- */

struct wake {
	int fd[2][2];			/* read and write end; [0] wakes the other thread, [1] this one */
	int ep[2];
	_Atomic uint64_t sent_ns;	/* when the write began; 0 = end */
	struct tool_stats *stats;	/* this thread's and the other's in turn: never both */
	cpu_set_t cpu;
};

/* Sleep until side's eventfd is written; when that write began. */
static uint64_t wake_wait(struct wake *w, unsigned int side)
{
	struct epoll_event ev;
	uint64_t v;

	while (epoll_wait(w->ep[side], &ev, 1, -1) < 0 && errno == EINTR)
		;
	if (read(w->fd[side][0], &v, sizeof(v)) != sizeof(v))
		return 0;
	return atomic_load(&w->sent_ns);
}

static bool wake_send(struct wake *w, unsigned int side, bool end)
{
	const uint64_t one = 1;

	atomic_store(&w->sent_ns, end ? 0 : bench_now_ns());
	return write(w->fd[side][1], &one, sizeof(one)) == sizeof(one);
}

static void *wake_thread(void *arg)
{
	struct wake *w = arg;
	uint64_t sent;

	pthread_setaffinity_np(pthread_self(), sizeof(w->cpu), &w->cpu);
	while ((sent = wake_wait(w, 0))) {
		tool_stats_add(w->stats, bench_now_ns() - sent);
		if (!wake_send(w, 1, false))
			break;
	}
	return NULL;
}

static int wake_open(struct wake *w, bool by_pipe)
{
	for (unsigned int i = 0; i < 2; i++) {
		struct epoll_event ev = { .events = EPOLLIN };

		if (by_pipe && pipe2(w->fd[i], O_CLOEXEC))
			return -errno;
		if (!by_pipe)
			w->fd[i][0] = w->fd[i][1] = eventfd(0, EFD_CLOEXEC);
		w->ep[i] = epoll_create1(EPOLL_CLOEXEC);
		if (w->fd[i][0] < 0 || w->ep[i] < 0 || epoll_ctl(w->ep[i], EPOLL_CTL_ADD, w->fd[i][0], &ev))
			return -errno;
	}
	return 0;
}

static void wake_close(struct wake *w)
{
	for (unsigned int i = 0; i < 2; i++) {
		if (w->fd[i][0] >= 0)
			close(w->fd[i][0]);
		if (w->fd[i][1] >= 0 && w->fd[i][1] != w->fd[i][0])
			close(w->fd[i][1]);
		if (w->ep[i] >= 0)
			close(w->ep[i]);
	}
}

int bench_wake(const struct bench_limit *limit, struct tool_stats *stats, bool by_pipe, int cpu[2])
{
	struct wake w = { .fd = { { -1, -1 }, { -1, -1 } }, .ep = { -1, -1 }, .stats = stats };
	uint64_t start, sent, n = 0;
	cpu_set_t before, mine;
	pthread_t thread;
	int rc;

	if (sched_getaffinity(0, sizeof(before), &before))
		return -errno;
	if (!two_cpus(&before, cpu))
		return -ENODEV;
	CPU_ZERO(&w.cpu);
	CPU_SET(cpu[1], &w.cpu);
	CPU_ZERO(&mine);
	CPU_SET(cpu[0], &mine);
	rc = wake_open(&w, by_pipe);
	if (!rc)
		rc = -pthread_create(&thread, NULL, wake_thread, &w);
	if (rc)
		goto out;
	sched_setaffinity(0, sizeof(mine), &mine);
	start = bench_now_ns();
	while ((limit->iters ? n < limit->iters : bench_now_ns() - start < limit->ns) && !tool_stopped()) {
		if (!wake_send(&w, 0, false))
			break;
		sent = wake_wait(&w, 1);
		tool_stats_add(stats, bench_now_ns() - sent);
		n++;
	}
	wake_send(&w, 0, true);
	pthread_join(thread, NULL);
	sched_setaffinity(0, sizeof(before), &before);
out:
	wake_close(&w);
	return rc;
}

/* ---- the machine below ---- */

double bench_host_baseline(const char *text, uint64_t size)
{
	char *copy, *rest, *item;
	double found = NAN;

	if (!text)
		return NAN;
	copy = rest = tool_printf("%s", text);
	while ((item = strsep(&rest, ","))) {
		char *eq = strchr(item, '='), *end;
		uint64_t s;
		double v;

		if (!eq)
			continue;
		*eq = '\0';
		v = strtod(eq + 1, &end);
		if (!tool_size_parse(item, &s) && s == size && end != eq + 1 && !*end && v > 0 &&
		    isfinite(v))
			found = v;
	}
	free(copy);
	return found;
}
