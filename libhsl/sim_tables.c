// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * CONTEXT, SEGMENT and PAGE tables of the sim backend, and the segments they describe (docs/hep.md section 7).
 *
 * A chip may read any entry at any time. So an entry is built with its flags zero, VALID is stored last, and it is
 * taken away by storing zero flags first. After either change SEG_INVALIDATE goes to every chip; when all have
 * answered after a removal, no command uses the segment, and its memory may be zeroed or unpinned.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

#include "sim.h"

#ifndef MADV_POPULATE_READ	/* Linux 5.14 */
#define MADV_POPULATE_READ	22
#define MADV_POPULATE_WRITE	23
#endif

#define ALIGN_MAX		(1ull << 30)

void *sim_dma_alloc(struct sim_fabric *f, size_t bytes)
{
	void *mem = aligned_alloc(HSL_TABLE_PAGE, bytes);

	if (!mem)
		return NULL;
	memset(mem, 0, bytes);
	if (sim_iova_add(&f->iova, mem, bytes, true)) {
		free(mem);
		return NULL;
	}
	return mem;
}

void sim_dma_free(struct sim_fabric *f, void *mem, size_t bytes)
{
	if (!mem)
		return;
	sim_iova_remove(&f->iova, mem, bytes, true);
	free(mem);
}

/*
 * Store a 64-byte table entry whose first word holds the flags. Word by word, as a chip may be reading: an entry
 * that is half new has flags 0. Partner: the engine's loads of table entries.
 */
static void store_entry(void *entry, const void *value)
{
	uint64_t *dst = entry, src[8];

	memcpy(src, value, sizeof(src));
	__atomic_store_n(&dst[0], 0, __ATOMIC_RELAXED);
	atomic_thread_fence(memory_order_release);
	for (unsigned int i = 1; i < 8; i++)
		__atomic_store_n(&dst[i], src[i], __ATOMIC_RELAXED);
	__atomic_store_n(&dst[0], src[0], __ATOMIC_RELEASE);
}

static void clear_entry(void *entry)
{
	static const uint64_t zero[8];

	store_entry(entry, zero);
}

static int invalidate_context(struct hslp_sim_context *x)
{
	return sim_admin_all(x->fabric, &(struct hsl_desc){ .opcode = HSL_OP_CTX_INVALIDATE, .arg0 = x->index });
}

static int invalidate_segment(struct hslp_sim_context *x, uint32_t handle)
{
	return sim_admin_all(x->fabric, &(struct hsl_desc){ .opcode = HSL_OP_SEG_INVALIDATE, .arg0 = x->index,
							    .arg1 = handle });
}

/* ---- contexts ---- */

static uint64_t random_key(void)
{
	uint64_t key = 0;

	while (!key)
		if (getrandom(&key, sizeof(key), 0) != sizeof(key))
			key = 0;
	return key;
}

int sim_context_new(struct sim_fabric *f, struct hslp_sim_context **out)
{
	struct hsl_ctx_entry e = { .flags = HSL_CTX_VALID };
	struct hslp_sim_context *x;
	uint32_t i = 1;
	int err;

	while (i < SIM_CONTEXTS && f->contexts[i])
		i++;
	if (i == SIM_CONTEXTS)
		return -ENOSPC;
	x = calloc(1, sizeof(*x));
	if (!x)
		return -ENOMEM;
	x->fabric = f;
	x->index = i;
	x->next_handle = 1;
	err = -ENOMEM;
	x->dir = sim_dma_alloc(f, HSL_TABLE_PAGE);
	if (!x->dir)
		goto free_context;
	e.key = random_key();
	e.seg_dir = (uintptr_t)x->dir;
	store_entry(&f->ctx_table[i], &e);
	err = invalidate_context(x);
	if (err)
		goto clear_table;
	err = sim_event_open(x);
	if (err)
		goto clear_table;
	f->contexts[i] = x;
	*out = x;
	return 0;

clear_table:
	clear_entry(&f->ctx_table[i]);
	invalidate_context(x);
	sim_dma_free(f, x->dir, HSL_TABLE_PAGE);
free_context:
	free(x);
	return err;
}

void sim_context_free(struct hslp_sim_context *x)
{
	struct sim_fabric *f = x->fabric;

	sim_event_close(x);
	for (uint32_t h = 1; h < HSL_SEGS_MAX; h++)
		if (x->segs[h])
			sim_segment_free(x, h);
	clear_entry(&f->ctx_table[x->index]);
	invalidate_context(x);
	f->contexts[x->index] = NULL;
	for (uint32_t i = 0; i < HSL_SEG_DIR_LEAVES; i++)
		sim_dma_free(f, x->leaf[i], HSL_TABLE_PAGE);
	sim_dma_free(f, x->dir, HSL_TABLE_PAGE);
	free(x);
}

/* ---- segment entries ---- */

/* A free handle with its leaf present. */
static int take_handle(struct hslp_sim_context *x, uint32_t *handle)
{
	uint32_t h = x->next_handle, leaf;

	while (h < HSL_SEGS_MAX && x->segs[h])
		h++;
	x->next_handle = h;
	if (h == HSL_SEGS_MAX)
		return -ENOSPC;
	leaf = h / HSL_SEGS_PER_LEAF;
	if (!x->leaf[leaf]) {
		x->leaf[leaf] = sim_dma_alloc(x->fabric, HSL_TABLE_PAGE);
		if (!x->leaf[leaf])
			return -ENOMEM;
		/* the SEG_INVALIDATE of the entry about to be made tells the chips; release: an empty leaf */
		__atomic_store_n(&x->dir[leaf], (uintptr_t)x->leaf[leaf], __ATOMIC_RELEASE);
	}
	*handle = h;
	return 0;
}

static struct hsl_seg_entry *entry_of(struct hslp_sim_context *x, uint32_t handle)
{
	return &x->leaf[handle / HSL_SEGS_PER_LEAF][handle % HSL_SEGS_PER_LEAF];
}

int sim_segment_withdraw(struct hslp_sim_context *x, uint32_t handle)
{
	clear_entry(entry_of(x, handle));
	return invalidate_segment(x, handle);
}

static int publish(struct hslp_sim_context *x, uint32_t handle, struct sim_segment *s, struct hsl_seg_entry *e)
{
	int err;

	if (x->epoch == UINT32_MAX)
		return -ENOSPC;
	e->flags |= HSL_SEG_VALID | (s->rights & HSL_SEGMENT_READ ? HSL_SEG_READ : 0) |
		    (s->rights & HSL_SEGMENT_WRITE ? HSL_SEG_WRITE : 0) |
		    (s->flags & HSL_ALLOC_OBSERVABLE ? HSL_SEG_MODELLED : 0) |
		    (s->flags & HSL_ALLOC_NONCOHERENT ? HSL_SEG_NONCOHERENT : 0);
	e->epoch = ++x->epoch;
	e->ga = s->ga;
	e->len = s->len_bytes;
	store_entry(entry_of(x, handle), e);
	err = invalidate_segment(x, handle);
	if (err) {
		sim_segment_withdraw(x, handle);
		return err;
	}
	x->segs[handle] = s;
	x->next_handle = handle + 1;
	return 0;
}

int sim_segment_publish(struct hslp_sim_context *x, struct sim_segment *s, uint32_t *handle)
{
	struct hsl_seg_entry e = { 0 };
	uint32_t h;
	int err;

	err = take_handle(x, &h);
	if (!err)
		err = publish(x, h, s, &e);
	if (!err)
		*handle = h;
	return err;
}

static int check_rights(uint32_t rights)
{
	return rights && !(rights & ~(HSL_SEGMENT_READ | HSL_SEGMENT_WRITE)) ? 0 : -EINVAL;
}

/* ---- chip memory ---- */

/*
 * Memory that two programs share, as another one's chip has it, or as one here has opened it (docs/flit-socket.md). It is
 * nobody's: not allocated, not zeroed. What is not open is found out by its home.
 */
static int segment_fixed(struct hslp_sim_context *x, struct hsl_segment_alloc *a)
{
	struct sim_fabric *f = x->fabric;
	struct sim_chip *c = sim_chip_find(f, HSL_GA_NODE(a->ga));
	uint64_t len = hslp_round_up(a->len_bytes, f->page_size);
	struct sim_segment *s;
	int err;

	if (HSL_GA_NODE(a->ga) != a->node || a->ga % f->page_size || len < a->len_bytes || len > HSL_GA_OFFSET_MASK - HSL_GA_OFFSET(a->ga))
		return -EINVAL;
	if (c ? HSL_GA_OFFSET(a->ga) + len > c->open_bytes : !hsl_fabric_engine_is_remote(f->engine, a->node))
		return -ENOENT;
	if (!(a->flags & HSL_ALLOC_OBSERVABLE))
		return -EOPNOTSUPP;
	for (uint32_t h = 1; h < HSL_SEGS_MAX; h++)
		if (x->segs[h] && a->ga < x->segs[h]->ga + x->segs[h]->len_bytes && x->segs[h]->ga < a->ga + len)
			return -EEXIST;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->fixed = true;
	s->node = a->node;
	s->rights = a->rights;
	s->flags = a->flags;
	s->ga = a->ga;
	s->len_bytes = len;
	err = sim_segment_publish(x, s, &a->handle);
	if (err)
		free(s);
	else
		a->len_bytes = len;
	return err;
}

int sim_segment_alloc(struct hslp_sim_context *x, struct hsl_segment_alloc *a)
{
	struct sim_fabric *f = x->fabric;
	struct sim_segment *s;
	struct sim_chip *c;
	uint64_t len, align;
	int err;

	align = a->align_bytes ? a->align_bytes : f->page_size;
	if (check_rights(a->rights) || !a->len_bytes || (align & (align - 1)) || align < f->page_size ||
	    align > ALIGN_MAX || a->flags == HSL_ALLOC_NONCOHERENT)
		return -EINVAL;
	if (a->ga)
		return segment_fixed(x, a);
	c = sim_chip_find(f, a->node);
	if (!c)
		return -ENOENT;
	if (c->failed)
		return -ENODEV;
	if (a->flags && !(sim_read(c, HSL_REG_CAP, 8) & HSL_CAP_MODELLED))
		return -EOPNOTSUPP;
	if (a->len_bytes > c->mem_bytes)
		return -ENOSPC;
	len = hslp_round_up(a->len_bytes, f->page_size);

	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	sim_exports_reap(f, false);
	s->mem = sim_mem_new(c, len, align, a->flags, &err);
	if (!s->mem)
		goto free_segment;
	s->node = a->node;
	s->chip = c;
	s->rights = a->rights;
	s->flags = a->flags;
	s->ga = HSL_GA(a->node, s->mem->offset);
	s->len_bytes = len;
	err = sim_segment_publish(x, s, &a->handle);
	if (err)
		goto put_memory;
	a->len_bytes = len;
	a->ga = s->ga;
	return 0;

put_memory:
	sim_mem_put(s->mem);
free_segment:
	free(s);
	return err;
}

/* ---- host memory ---- */

/* Is all of it mapped with this access? Read from the list of mappings, for kernels without MADV_POPULATE_*. */
static bool listed_as_mapped(uint64_t start, uint64_t end, bool write)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	unsigned long long lo, hi;
	char line[512], perms[5];

	if (!maps)
		return false;
	while (start < end && fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%llx-%llx %4s", &lo, &hi, perms) != 3 || hi <= start)
			continue;
		if (lo > start || perms[0] != 'r' || (write && perms[1] != 'w'))
			break;
		start = hi;
	}
	fclose(maps);
	return start >= end;
}

/* What pinning would find out: 0, or -EFAULT when the memory is not mapped or not writable. Faults it in. */
static int populate(uint64_t start, uint64_t bytes, bool write)
{
	int n;

	do
		n = madvise((void *)(uintptr_t)start, bytes, write ? MADV_POPULATE_WRITE : MADV_POPULATE_READ);
	while (n && (errno == EINTR || errno == EAGAIN));
	if (!n)
		return 0;
	if (errno == EINVAL && start + bytes > start && listed_as_mapped(start, start + bytes, write))
		return 0;
	return -EFAULT;
}

static void free_page_tables(struct sim_fabric *f, struct sim_segment *s)
{
	for (size_t i = 0; i < s->ntables; i++)
		sim_dma_free(f, s->tables[i], HSL_TABLE_PAGE);
	free(s->tables);
	s->tables = NULL;
	s->ntables = 0;
}

/*
 * PAGE table of the segment's memory. A page is as small as one table page with 512 entries allows, as IOVAs are
 * process addresses and contiguous: 4 KiB, 2 MiB or 1 GiB; more than 512 GiB take a second level.
 */
static int build_page_tables(struct sim_fabric *f, struct sim_segment *s, struct hsl_seg_entry *e)
{
	uint64_t first = (uintptr_t)s->host, last = first + s->len_bytes - 1, npages, ntables;
	unsigned int shift = 12;
	uint64_t *root;

	while (shift < 30 && (last >> shift) - (first >> shift) >= HSL_PTES_PER_TABLE)
		shift += 9;
	npages = (last >> shift) - (first >> shift) + 1;
	ntables = (npages + HSL_PTES_PER_TABLE - 1) / HSL_PTES_PER_TABLE;
	if (ntables > HSL_PTES_PER_TABLE)
		return -ENOMEM;
	s->tables = calloc(ntables + 1, sizeof(*s->tables));
	if (!s->tables)
		return -ENOMEM;
	for (uint64_t i = 0; i < npages; i++) {
		if (i % HSL_PTES_PER_TABLE == 0) {
			s->tables[s->ntables] = sim_dma_alloc(f, HSL_TABLE_PAGE);
			if (!s->tables[s->ntables])
				goto no_memory;
			s->ntables++;
		}
		s->tables[s->ntables - 1][i % HSL_PTES_PER_TABLE] = (((first >> shift) + i) << shift) |
								     HSL_PTE_VALID;
	}
	root = s->tables[0];
	e->page_levels = 1;
	if (ntables > 1) {
		root = sim_dma_alloc(f, HSL_TABLE_PAGE);
		if (!root)
			goto no_memory;
		for (uint64_t i = 0; i < ntables; i++)
			root[i] = (uintptr_t)s->tables[i] | HSL_PTE_VALID;
		s->tables[s->ntables++] = root;
		e->page_levels = 2;
	}
	e->pages = (uintptr_t)root;
	e->page_shift = (uint8_t)shift;
	e->page_offset = (uint32_t)(first & ((1ull << shift) - 1));
	return 0;

no_memory:
	free_page_tables(f, s);
	return -ENOMEM;
}

int sim_segment_register(struct hslp_sim_context *x, struct hsl_segment_register *r)
{
	struct hsl_seg_entry e = { .flags = HSL_SEG_PAGED };
	struct sim_fabric *f = x->fabric;
	uint64_t mask = f->page_size - 1;
	bool write = r->rights & HSL_SEGMENT_WRITE;
	struct sim_segment *s;
	uint64_t start, bytes, offset;
	uint32_t handle;
	int err;

	if (check_rights(r->rights) || !r->len_bytes || r->len_bytes > UINT64_MAX - r->addr)
		return -EINVAL;
	start = r->addr & ~mask;
	bytes = ((r->addr + (r->len_bytes - 1)) & ~mask) - start + f->page_size;
	err = populate(start, bytes, write);
	if (err)
		return err;

	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->rights = r->rights;
	s->host = (void *)(uintptr_t)r->addr;
	s->len_bytes = r->len_bytes;
	s->ga_bytes = bytes;
	err = take_handle(x, &handle);
	if (err)
		goto free_segment;
	err = sim_ranges_take(&f->host_ga, bytes, f->page_size, &offset);
	if (err)
		goto free_segment;
	s->ga_start = offset;
	s->ga = HSL_GA(HSL_NODE_HOST_DEFAULT, offset + (r->addr & mask));
	err = build_page_tables(f, s, &e);
	if (err)
		goto give_range;
	/* whole pages, as a driver maps whole pages; the entry's length is what limits commands */
	err = sim_iova_add(&f->iova, (void *)(uintptr_t)start, bytes, write);
	if (err)
		goto free_tables;
	s->host_bytes = bytes;
	err = publish(x, handle, s, &e);
	if (err)
		goto remove_iova;
	r->ga = s->ga;
	r->handle = handle;
	return 0;

remove_iova:
	sim_iova_remove(&f->iova, (void *)(uintptr_t)start, bytes, write);
free_tables:
	free_page_tables(f, s);
give_range:
	sim_ranges_give(&f->host_ga, offset, bytes);
free_segment:
	free(s);
	return err;
}

int sim_segment_info(struct hslp_sim_context *x, struct hsl_segment_info *i)
{
	struct sim_segment *s = i->handle && i->handle < HSL_SEGS_MAX ? x->segs[i->handle] : NULL;

	if (!s)
		return -ENOENT;
	i->flags = (s->chip || s->fixed ? 0 : HSL_SEGMENT_F_HOST) |
		   (s->flags & HSL_ALLOC_OBSERVABLE ? HSL_SEGMENT_F_OBSERVABLE : 0) |
		   (s->flags & HSL_ALLOC_NONCOHERENT ? HSL_SEGMENT_F_NONCOHERENT : 0);
	i->rights = s->rights;
	i->ga = s->ga;
	i->len_bytes = s->len_bytes;
	return 0;
}

int sim_segment_free(struct hslp_sim_context *x, uint32_t handle)
{
	struct sim_fabric *f = x->fabric;
	struct sim_segment *s;

	if (handle == 0 || handle >= HSL_SEGS_MAX || !x->segs[handle])
		return -ENOENT;
	s = x->segs[handle];
	/* a chip that does not answer has been detached: it uses nothing any more either */
	sim_segment_withdraw(x, handle);
	x->segs[handle] = NULL;
	if (handle < x->next_handle)
		x->next_handle = handle;
	if (s->chip) {
		sim_share_leave(x, s);
	} else if (!s->fixed) {
		uint64_t start = (uintptr_t)s->host & ~(uint64_t)(f->page_size - 1);

		sim_iova_remove(&f->iova, (void *)(uintptr_t)start, s->host_bytes,
				s->rights & HSL_SEGMENT_WRITE);
		free_page_tables(f, s);
		sim_ranges_give(&f->host_ga, s->ga_start, s->ga_bytes);
	}
	free(s);
	return 0;
}
