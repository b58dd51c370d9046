// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * hslbench load: loads and stores by the CPU itself, on RAM, on its first chip and on another one, and on what --map names.
 *
 *   seq, random	loads of PIECE bytes, one after the other or all over the place, that do not wait for each other
 *   chase		each load's address is what the one before has found: a round trip each. All lines of the footprint in one cycle
 *   mix		loads of one buffer and stores into another, R:W pieces in turn
 *   loaded		the chase while the chip copies within the same memory, at stepped shares of what it can
 *   link	the same of links, modelled: link.c
 *
 * Loaded values are summed and compared, stored ones read back; the chase must be where so many steps lead.
 */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <linux/fs.h>

#include "bench.h"
#include "progress.h"

#define PIECE		256u
#define LINE		64u
#define HOPS		256u		/* between two looks at the clock */
#define INJECT_BYTES	4096u
#define INJECT_DEPTH	8u
#define CALIBRATIONS	4u
#define CALIBRATION_NS	5000000u
#define INJECT_MIN	32u		/* copies that a chase must have had beside it */
#define MAP_ALIGN	(2ull << 20)	/* device DAX is mapped in pieces of its pages, at most that large */

enum place { RAM, CHIP_A, CHIP_B, MAPPED, PLACES };
enum { KEY_PLACE, KEY_READS, KEY_WRITES, KEY_PERCENT };

struct memory {
	uint64_t size;
	struct bench_set host;
	struct bench_area src[PLACES], dst[PLACES];	/* of RAM: those of host, not freed here */
	uint64_t sum_pieces;		/* of all words of a pattern area */
	double most;			/* bytes/s that injection can do */
	bool calibrated;
};

static uint64_t piece_sum(const struct bench *b, uint64_t off)
{
	struct tool_pattern pt = { .seed = b->config->seed };
	uint64_t sum = 0;

	for (uint64_t i = 0; i < PIECE; i += 8)
		sum += tool_pattern_word(&pt, off + i);
	return sum;
}

static void complain(struct bench *b, const struct bench_point *p, const struct bench_area *a, uint64_t off, uint64_t want,
		     uint64_t got)
{
	bench_complain(b, "load %s %s in %s: address 0x%llx (GA 0x%llx) offset 0x%llx expected 0x%llx got 0x%llx", p->r.op, p->r.variant,
		       a->name, (unsigned long long)(uintptr_t)(a->p + off), (unsigned long long)(a->ga ? a->ga + off : 0),
		       (unsigned long long)off, (unsigned long long)want, (unsigned long long)got);
}

static void fill(struct bench *b, const struct bench_area *a)
{
	struct tool_pattern pt = { .seed = b->config->seed };

	tool_pattern_fill(&pt, a->p, a->len, 0);
}

/* ---- pieces: seq, random, mix ---- */

/* All pieces once, at strides that visit each (step is odd, pieces a power of two). */
static uint64_t pass(const uint8_t *src, uint8_t *dst, uint64_t pieces, uint64_t step, unsigned int reads, unsigned int writes)
{
	uint64_t sum = 0, at = 0;
	unsigned int turn = 0;

	for (uint64_t i = 0; i < pieces; i++, at = (at + step) & (pieces - 1)) {
		if (turn < reads)
			sum += bench_cpu_load(src + at * PIECE, PIECE);
		else
			bench_cpu_store(dst + at * PIECE, PIECE, at);
		turn = turn + 1 == reads + writes ? 0 : turn + 1;
	}
	return sum;
}

static void run_pieces(struct bench *b, struct bench_point *p, const struct bench_limit *limit, struct bench_share *share)
{
	struct memory *m = p->arg;
	const struct bench_area *src = &m->src[p->key[KEY_PLACE]], *dst = &m->dst[p->key[KEY_PLACE]];
	unsigned int reads = p->key[KEY_READS], writes = p->key[KEY_WRITES], turn = 0;
	uint64_t pieces = m->size / PIECE, want = 0, got, start, now, n = 0, at = 0;
	uint64_t step = strcmp(p->r.op, "random") ? 1 : (pieces * 5 / 8) | 1;

	fill(b, src);
	memset(dst->p, 0xa5, dst->len);
	for (uint64_t i = 0; i < pieces; i++, at = (at + step) & (pieces - 1)) {
		want += turn < reads ? piece_sum(b, at * PIECE) : 0;
		turn = turn + 1 == reads + writes ? 0 : turn + 1;
	}
	start = now = bench_now_ns();
	tool_windows_begin(&share->windows, start, 0);
	while (!tool_stopped() && (limit->iters ? n < limit->iters : now - start < limit->ns)) {
		got = pass(src->p, dst->p, pieces, step, reads, writes);
		n++;
		now = bench_now_ns();
		tool_windows_tick(&share->windows, now, n);
		if (got != want) {
			complain(b, p, src, 0, want, got);
			share->errors++;
			break;
		}
	}
	tool_windows_end(&share->windows, now, n);
	share->ops += n;
	share->ns += now - start;
	for (uint64_t i = turn = 0, off = 0; n && i < pieces; i++, off = (off + step) & (pieces - 1)) {
		bool stored = turn >= reads;
		uint64_t word;

		turn = turn + 1 == reads + writes ? 0 : turn + 1;
		for (uint64_t k = 0; k < PIECE / 8; k++) {
			memcpy(&word, dst->p + off * PIECE + 8 * k, 8);
			if (word == (stored ? off + k : 0xa5a5a5a5a5a5a5a5ull))
				continue;
			complain(b, p, dst, off * PIECE + 8 * k, stored ? off + k : 0xa5a5a5a5a5a5a5a5ull, word);
			share->errors++;
			return;
		}
	}
}

/* ---- chase ---- */

/* One cycle through all lines (Sattolo): each holds the offset of the next and its own place in the cycle. */
static void chain_make(struct bench *b, uint8_t *p, uint64_t size)
{
	unsigned int n = (unsigned int)(size / LINE), *order = tool_calloc(n, sizeof(*order));
	uint64_t state = b->config->seed, *line;

	for (unsigned int i = 0; i < n; i++)
		order[i] = i;
	for (unsigned int i = n - 1; i > 0; i--) {
		unsigned int k = 1 + bench_random(&state, i), t = order[k];	/* line 0 stays the first */

		order[k] = order[i];
		order[i] = t;
	}
	for (unsigned int i = 0; i < n; i++) {
		line = (uint64_t *)(void *)(p + (uint64_t)order[i] * LINE);
		line[0] = (uint64_t)order[i + 1 < n ? i + 1 : 0] * LINE;
		line[1] = i;
	}
	free(order);
}

static __attribute__((noinline)) uint64_t hop(const uint8_t *p, uint64_t at, unsigned int n)
{
	while (n--)
		at = *(const volatile uint64_t *)(const volatile void *)(p + at);
	return at;
}

/* meanwhile: goes on until that is so many, too; NULL: nothing else happens */
/* Copies that the chip makes meanwhile, submitted between batches of hops: the time of hops alone counts. */
struct injector {
	struct hsl_queue *q;
	struct hsl_op op[INJECT_DEPTH];
	uint64_t gap_ns;		/* from one command to the next, 0 = as fast as it goes */
	uint64_t next_ns, sent, done, errors;
};

static void inject(struct injector *x, uint64_t now)
{
	struct hsl_completion c[INJECT_DEPTH];
	int rc;

	for (; x->sent - x->done < INJECT_DEPTH && now >= x->next_ns; x->sent++) {
		if (hsl_queue_submit(x->q, &x->op[x->sent % INJECT_DEPTH], 1) != 1) {
			x->errors++;
			return;
		}
		/* what could not be sent in time is not made up for: a rate, not a debt */
		x->next_ns = x->next_ns + x->gap_ns > now ? x->next_ns + x->gap_ns : now + x->gap_ns;
	}
	rc = hsl_queue_poll(x->q, c, INJECT_DEPTH);
	for (int i = 0; i < rc; i++)
		x->errors += c[i].status != HSL_ST_OK;
	x->done += rc > 0 ? (uint64_t)rc : 0;
	x->errors += rc < 0;
}

static void chase(struct bench *b, struct bench_point *p, const struct bench_area *a, uint64_t size, const struct bench_limit *limit,
		  struct injector *x, struct bench_share *share)
{
	uint64_t start = bench_now_ns(), now = start, then, at = 0, n = 0, ns = 0, place;
	/* --iters counts loads as each other operation: not fewer than one batch */
	uint64_t iters = limit->iters ? (limit->iters + HOPS - 1) / HOPS * HOPS : 0;

	tool_windows_begin(&share->windows, 0, 0);
	while (!tool_stopped() && ((iters ? n < iters : now - start < limit->ns) ||
				   (x && x->done < INJECT_MIN && !x->errors && now - start < BENCH_HANG_NS))) {
		if (x)
			inject(x, now);
		then = bench_now_ns();
		at = hop(a->p, at, HOPS);
		now = bench_now_ns();
		n += HOPS;
		ns += now - then;
		if (p->stats)
			tool_stats_add(p->stats, (now - then + HOPS / 2) / HOPS);
		tool_windows_tick(&share->windows, ns, n);
	}
	tool_windows_end(&share->windows, ns, n);
	memcpy(&place, a->p + at + 8, 8);
	if (place != n % (size / LINE)) {
		complain(b, p, a, at, n % (size / LINE), place);
		share->errors++;
	}
	share->ops += n;
	share->ns += ns;
}

static void run_chase(struct bench *b, struct bench_point *p, const struct bench_limit *limit, struct bench_share *share)
{
	struct memory *m = p->arg;
	const struct bench_area *a = &m->src[p->key[KEY_PLACE]];

	chain_make(b, a->p, m->size);
	chase(b, p, a, m->size, limit, NULL, share);
}

/* ---- loaded ---- */

/* The chase of p while copying at that share of the most; share NULL: nothing is chased, to find the most. Bytes/s moved. */
static double injected(struct bench *b, struct bench_point *p, struct memory *m, unsigned int percent, const struct bench_limit *limit,
		       struct bench_share *share)
{
	const struct bench_area *chased = &m->src[CHIP_A], *copied = &m->dst[CHIP_A];
	struct injector x = { 0 };
	uint64_t start, now;
	int rc = hsl_queue_create(b->f, b->a.node, NULL, &x.q);

	if (rc) {
		snprintf(p->r.reason, sizeof(p->r.reason), "queue for injection: %s", strerror(-rc));
		return 0;
	}
	for (unsigned int i = 0; i < INJECT_DEPTH; i++)
		x.op[i] = hsl_op_copy(copied->ga + (2 * i + 1) * INJECT_BYTES, copied->ga + 2 * i * INJECT_BYTES, INJECT_BYTES);
	if (percent && percent < 100 && m->most > 0)
		x.gap_ns = (uint64_t)(INJECT_BYTES * 1e9 / (m->most * percent / 100));
	start = now = bench_now_ns();
	if (share)
		chase(b, p, chased, m->size, limit, percent ? &x : NULL, share);
	else
		while (!tool_stopped() && !x.errors && now - start < CALIBRATION_NS)
			inject(&x, now = bench_now_ns());
	now = bench_now_ns();
	hsl_queue_destroy(x.q);
	if (x.errors) {
		bench_complain(b, "load loaded: %llu injected copies failed", (unsigned long long)x.errors);
		if (share)
			share->errors++;
	}
	return percent ? tool_rate(x.done * INJECT_BYTES, now - start) : 0;
}

static void run_loaded(struct bench *b, struct bench_point *p, const struct bench_limit *limit, struct bench_share *share)
{
	struct memory *m = p->arg;
	double rate;

	/* on a busy machine one look may be far off */
	for (unsigned int i = 0; !m->calibrated && i < CALIBRATIONS && !p->r.reason[0]; i++)
		m->most = fmax(m->most, injected(b, p, m, 100, limit, NULL));
	m->calibrated = true;
	if (p->r.reason[0])
		return;
	chain_make(b, m->src[CHIP_A].p, m->size);
	p->r.offered_per_s = m->most * p->key[KEY_PERCENT] / 100;
	rate = injected(b, p, m, p->key[KEY_PERCENT], limit, share);
	/* of all rounds: each counts alike */
	p->r.injected_per_s = isnan(p->r.injected_per_s) ? rate :
		(p->r.injected_per_s * (double)p->rounds.n + rate) / (double)(p->rounds.n + 1);
}

/* ---- the verb ---- */

static const char *const place_op[] = { "seq", "random", "chase", "mix" };

static struct bench_point *point(struct bench *b, struct memory *m, struct bench_point **list, unsigned int *n, const char *op,
				 enum place place)
{
	struct bench_point *p = bench_point_add(list, n, "load", op);

	if (place == RAM) {
		strcpy(p->r.src, "host");
		p->r.baseline = true;
	} else if (place == MAPPED) {
		snprintf(p->r.src, sizeof(p->r.src), "%s", m->src[MAPPED].name);
	} else {
		snprintf(p->r.src, sizeof(p->r.src), "chip %u", place == CHIP_A ? b->a.node : b->b.node);
	}
	strcpy(p->r.dst, "cpu");
	p->r.size_bytes = m->size;
	p->arg = m;
	p->key[KEY_PLACE] = place;
	if (bench_stands_still(b))
		strcpy(p->r.reason, BENCH_NO_CPU);
	else if (place != RAM && m->src[place].copy)
		strcpy(p->r.reason, "observable memory of sim: cannot be mapped");
	return p;
}

static void points_of(struct bench *b, struct memory *m, struct bench_point **list, unsigned int *n, enum place place)
{
	static const struct { unsigned int r, w; } mix[] = { { 3, 1 }, { 2, 1 }, { 1, 1 }, { 0, 1 } };
	struct bench_point *p;

	for (unsigned int i = 0; i < 2; i++) {
		if (!bench_wants(b, place_op[i]))
			continue;
		p = point(b, m, list, n, place_op[i], place);
		strcpy(p->r.variant, "1:0");
		p->run = run_pieces;
		p->key[KEY_READS] = 1;
		p->bytes_per_op = (double)m->size;
	}
	if (bench_wants(b, "chase")) {
		p = point(b, m, list, n, "chase", place);
		p->run = run_chase;
		p->stats = tool_stats_new();
	}
	for (unsigned int i = 0; bench_wants(b, "mix") && i < 4; i++) {
		p = point(b, m, list, n, "mix", place);
		snprintf(p->r.variant, sizeof(p->r.variant), "%u:%u", mix[i].r, mix[i].w);
		p->run = run_pieces;
		p->key[KEY_READS] = mix[i].r;
		p->key[KEY_WRITES] = mix[i].w;
		p->bytes_per_op = (double)m->size;
	}
}

static void points_loaded(struct bench *b, struct memory *m, struct bench_point **list, unsigned int *n)
{
	static const unsigned int percent[] = { 0, 10, 25, 50, 75, 100 };

	for (unsigned int i = 0; bench_wants(b, "loaded") && i < 6; i++) {
		struct bench_point *p = point(b, m, list, n, "loaded", CHIP_A);

		snprintf(p->r.variant, sizeof(p->r.variant), "%u %%", percent[i]);
		p->run = run_loaded;
		p->key[KEY_PERCENT] = percent[i];
		p->stats = tool_stats_new();
		if (m->size < 2 * INJECT_DEPTH * INJECT_BYTES)
			strcpy(p->r.reason, "needs a size of 64 KiB");
		else if (!bench_modelled(b) && sysconf(_SC_NPROCESSORS_ONLN) < 2)
			strcpy(p->r.reason, "needs a CPU for the emulator beside that of the program");
		else if (!(b->a.cap & HSL_CAP_OP_COPY))
			snprintf(p->r.reason, sizeof(p->r.reason), "chip %u has no COPY", b->a.node);
	}
}

/* Which of them there are. */
static bool have(const struct bench *b, enum place place)
{
	return place == MAPPED ? b->config->map_path != NULL : place != CHIP_B || b->have_b;
}

/* How much can be mapped: of a file, a block device, device DAX. UINT64_MAX: what this is does not say. */
static uint64_t mappable(int fd, const struct stat *st)
{
	unsigned long long bytes;
	char path[64];
	FILE *f;

	if (S_ISREG(st->st_mode))
		return (uint64_t)st->st_size;
	if (S_ISBLK(st->st_mode))
		return ioctl(fd, BLKGETSIZE64, &bytes) ? 0 : bytes;
	snprintf(path, sizeof(path), "/sys/dev/char/%u:%u/size", major(st->st_rdev), minor(st->st_rdev));
	f = S_ISCHR(st->st_mode) ? fopen(path, "re") : NULL;
	if (!f)
		return UINT64_MAX;
	if (fscanf(f, "%llu", &bytes) != 1)
		bytes = UINT64_MAX;
	fclose(f);
	return bytes;
}

/* Both areas are in the mapping of the first. */
static int map_file(const struct bench *b, struct bench_area *src, struct bench_area *dst, uint64_t size, char *reason)
{
	const char *path = b->config->map_path, *name = strrchr(path, '/');
	uint64_t half = (size + MAP_ALIGN - 1) / MAP_ALIGN * MAP_ALIGN;
	int fd = open(path, O_RDWR | O_CLOEXEC), rc = 0;
	struct stat st;
	void *p;

	snprintf(src->name, sizeof(src->name), "%s", name ? name + 1 : path);
	if (fd < 0 || fstat(fd, &st)) {
		rc = -errno;
		snprintf(reason, 160, "%s: %s", path, strerror(errno));
	} else if (mappable(fd, &st) < 2 * half) {
		rc = -EINVAL;
		snprintf(reason, 160, "%s: %llu MiB are needed", path, (unsigned long long)(2 * half >> 20));
	} else {
		p = mmap(NULL, 2 * half, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		if (p == MAP_FAILED) {
			rc = -errno;
			snprintf(reason, 160, "mapping %s: %s", path, strerror(errno));
		} else {
			src->mapping = p;
			src->mapping_len = 2 * half;
			src->p = p;
			dst->p = src->p + half;
			src->len = dst->len = size;
			strcpy(dst->name, src->name);
		}
	}
	if (fd >= 0)
		close(fd);
	return rc;
}

static void measure(struct bench *b, uint64_t size)
{
	struct memory m = { .size = size };
	struct bench_point *list = NULL;
	char reason[160] = "";
	unsigned int n = 0, first = b->nresults;
	int rc = bench_set_new_host(b, &m.host, size, reason);

	m.src[RAM] = m.host.host_src;
	m.dst[RAM] = m.host.host_dst;
	for (unsigned int i = CHIP_A; !rc && i < MAPPED && have(b, i); i++) {
		rc = bench_area_new(b, &m.src[i], i == CHIP_A ? b->a.node : b->b.node, size, reason);
		if (!rc)
			rc = bench_area_new(b, &m.dst[i], i == CHIP_A ? b->a.node : b->b.node, size, reason);
	}
	if (!rc && have(b, MAPPED))
		rc = map_file(b, &m.src[MAPPED], &m.dst[MAPPED], size, reason);
	if (size < 2 * PIECE || size & (size - 1)) {
		strcpy(reason, "sizes of load are powers of two from 512");
		rc = -EINVAL;
	}
	for (unsigned int i = RAM; i < PLACES; i++)
		if (have(b, i))
			points_of(b, &m, &list, &n, i);
	points_loaded(b, &m, &list, &n);
	bench_points_skip(list, n, rc ? reason : "");
	bench_points_run(b, list, n);
	/* against the same on RAM */
	for (unsigned int i = first; i < b->nresults; i++) {
		struct bench_result *r = &b->result[i], *o = &b->result[first];

		for (unsigned int k = first; k < i && !r->baseline; k++, o++)
			if (o->baseline && !strcmp(o->op, r->op) && !strcmp(o->variant, r->variant) && !o->reason[0]) {
				r->ratio_to = "ram";
				r->ratio = r->ops_per_s / o->ops_per_s;
			}
	}
	for (unsigned int i = CHIP_A; i < PLACES; i++) {
		bench_area_free(&m.src[i]);
		bench_area_free(&m.dst[i]);
	}
	bench_set_free(&m.host);
}

void bench_load(struct bench *b)
{
	static const uint64_t normal[] = { 64 << 10, 8 << 20 }, quick[] = { 64 << 10 }, observable[] = { 4096 };
	const struct bench_config *c = b->config;
	const uint64_t *size = c->nsizes ? c->size : c->observable ? observable : c->quick ? quick : normal;
	unsigned int n = c->nsizes ? c->nsizes : c->observable || c->quick ? 1 : 2;

	for (unsigned int i = 0; i < n && !tool_stopped(); i++)
		measure(b, size[i]);
	/* it takes seconds */
	if (bench_wants(b, "link") && (!c->quick || c->ops))
		bench_load_link(b);
}
