// SPDX-License-Identifier: GPL-2.0-only
/*
 * Host memory of segments: pinned, charged, given global addresses, and mapped for DMA of each attached chip.
 *
 * Pages are pinned for long (FOLL_LONGTERM) and charged to RLIMIT_MEMLOCK of the process that registers, whoever frees them.
 * Pinning goes in pieces so that a kill is noticed, and holds no lock.
 *
 * Each attached chip may sit behind its own IOMMU domain, so each gets its own DMA mapping and PAGE radix table of 4 KiB
 * tables. Nothing here needs contiguous memory.
 *
 * Global addresses are slots of 2^k bytes out of one region of 2^41 bytes per k: they never fragment and never run out by
 * being used often, and two registrations cannot overlap.
 */
#include <linux/log2.h>
#include <linux/pagemap.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

#include "hsl_priv.h"

#define HSL_PIN_CHUNK	512ul
#define HSL_LEVELS_MAX	4

static void *hsl_array_alloc(size_t n, size_t size)
{
	size_t bytes = array_size(n, size);

	if (bytes == SIZE_MAX)
		return NULL;
	if (bytes <= PAGE_SIZE)
		return kzalloc(bytes, GFP_KERNEL_ACCOUNT);
	return __vmalloc(bytes, GFP_KERNEL_ACCOUNT | __GFP_ZERO | __GFP_NOWARN);
}

/* ---- pinning ---- */

/*
 * For reading, too, the pages must be the ones that the program writes later, not the zero page or a page of a privately
 * mapped file that its first write replaces. Before 6.2 FOLL_LONGTERM alone does not see to that; a forced write fault
 * does, where the mapping is private. Where it is shared there is nothing to replace, and force is refused. Force would
 * also open PROT_NONE: so read it as the program first.
 */
static int hsl_host_pin_some(struct hsl_host *h, unsigned long addr, int n, struct page **pages)
{
	int r;

	if (h->writable)
		return pin_user_pages_fast(addr, n, FOLL_LONGTERM | FOLL_WRITE, pages);
	if (fault_in_readable((const char __user *)addr, (size_t)n << PAGE_SHIFT))
		return -EFAULT;
	r = pin_user_pages_fast(addr, n, FOLL_LONGTERM | FOLL_WRITE | FOLL_FORCE, pages);
	if (r > 0 || r == -ENOMEM || r == -EINTR)
		return r;
	return pin_user_pages_fast(addr, n, FOLL_LONGTERM, pages);
}

static int hsl_host_pin_pages(struct hsl_host *h, unsigned long start)
{
	while (h->pinned < h->npages) {
		int n = min(h->npages - h->pinned, HSL_PIN_CHUNK);

		if (fatal_signal_pending(current))
			return -EINTR;
		n = hsl_host_pin_some(h, start + (h->pinned << PAGE_SHIFT), n, h->pages + h->pinned);
		if (n == -ENOMEM || n == -EINTR)
			return n;
		if (n <= 0)
			return fatal_signal_pending(current) ? -EINTR : -EFAULT;
		h->pinned += n;
		cond_resched();
	}
	return 0;
}

static void hsl_host_unpin_pages(struct hsl_host *h)
{
	unsigned long done, n;

	for (done = 0; done < h->pinned; done += n) {
		n = min(h->pinned - done, HSL_PIN_CHUNK);
		unpin_user_pages_dirty_lock(h->pages + done, n, h->writable);
		cond_resched();
	}
	h->pinned = 0;
}

static int hsl_host_ga_alloc(struct hsl_fabric *f, struct hsl_host *h)
{
	unsigned int class = order_base_2(h->npages);	/* pages of a slot, log2 */
	int slot;

	if (class >= HSL_HOST_GA_CLASSES)
		return -ENOSPC;
	slot = ida_alloc_max(&f->host_ga[class], min_t(u64, INT_MAX, (1ull << (HSL_HOST_GA_CLASSES - 1 - class)) - 1),
			     GFP_KERNEL);
	if (slot < 0)
		return slot;
	h->ga_class = class;
	h->ga_slot = slot;
	h->ga_valid = true;
	return 0;
}

u64 hsl_host_ga(struct hsl_fabric *f, struct hsl_host *h)
{
	u64 off = ((u64)h->ga_class << HSL_HOST_GA_CLASS_SHIFT) + ((u64)h->ga_slot << (h->ga_class + PAGE_SHIFT));

	return HSL_GA(f->host_node, off + h->offset);
}

void hsl_host_unpin(struct hsl_fabric *f, struct hsl_host *h)
{
	if (h->dmabuf) {
		hsl_dmabuf_put(h);
	} else {
		hsl_host_unpin_pages(h);
		account_locked_vm(h->mm, h->npages, false);
		mmdrop(h->mm);
	}
	if (h->ga_valid)
		ida_free(&f->host_ga[h->ga_class], h->ga_slot);
	kvfree(h->pages);
	kfree(h);
}

/* Pin [addr, addr + len) of the caller; the range does not wrap. */
struct hsl_host *hsl_host_pin(struct hsl_fabric *f, u64 addr, u64 len, bool writable)
{
	unsigned long start = addr & PAGE_MASK;
	struct hsl_host *h;
	int err;

	if (!access_ok(u64_to_user_ptr(addr), len))
		return ERR_PTR(-EFAULT);
	h = kzalloc(sizeof(*h), GFP_KERNEL_ACCOUNT);
	if (!h)
		return ERR_PTR(-ENOMEM);
	h->writable = writable;
	h->offset = offset_in_page(addr);
	h->npages = ((addr + len - 1) >> PAGE_SHIFT) - (addr >> PAGE_SHIFT) + 1;
	err = -ENOMEM;
	if (h->npages > totalram_pages())
		goto free_host;
	h->pages = hsl_array_alloc(h->npages, sizeof(*h->pages));
	if (!h->pages)
		goto free_host;
	err = account_locked_vm(current->mm, h->npages, true);
	if (err)
		goto free_pages;
	h->mm = current->mm;
	mmgrab(h->mm);
	err = hsl_host_pin_pages(h, start);
	if (!err)
		err = hsl_host_ga_alloc(f, h);
	if (!err)
		return h;
	hsl_host_unpin(f, h);
	return ERR_PTR(err);

free_pages:
	kvfree(h->pages);
free_host:
	kfree(h);
	return ERR_PTR(err);
}

/* An imported dma-buf, which somebody else keeps: global addresses only. Takes over the reference on it, not on error. */
struct hsl_host *hsl_host_dmabuf(struct hsl_fabric *f, struct dma_buf *dmabuf, unsigned long npages, bool writable)
{
	struct hsl_host *h = kzalloc(sizeof(*h), GFP_KERNEL_ACCOUNT);
	int err;

	if (!h)
		return ERR_PTR(-ENOMEM);
	h->dmabuf = dmabuf;
	h->npages = npages;
	h->writable = writable;
	err = hsl_host_ga_alloc(f, h);
	if (!err)
		return h;
	kfree(h);
	return ERR_PTR(err);
}

/* ---- one chip's view ---- */

struct hsl_hostmap *hsl_hostmap_find(struct hsl_segment *seg, struct hsl_attach *at)
{
	struct hsl_hostmap *map;

	list_for_each_entry(map, &seg->maps, link)
		if (map->attach == at)
			return map;
	return NULL;
}

static enum dma_data_direction hsl_host_dir(struct hsl_host *h)
{
	return h->writable ? DMA_BIDIRECTIONAL : DMA_TO_DEVICE;
}

static int hsl_hostmap_map_pages(struct hsl_hostmap *map, struct hsl_host *h)
{
	struct device *dev = map->attach->chip->parent;
	dma_addr_t dma;

	if (h->dmabuf)
		return hsl_dmabuf_map_host(map, h, hsl_host_dir(h));
	for (; map->mapped < h->npages; map->mapped++) {
		/* chip and CPU share the page without syncs; it may be mapped for other chips and segments as well */
		dma = dma_map_page_attrs(dev, h->pages[map->mapped], 0, PAGE_SIZE, hsl_host_dir(h), DMA_ATTR_SKIP_CPU_SYNC);
		if (dma_mapping_error(dev, dma))
			return -ENOMEM;
		map->dma[map->mapped] = dma;
		if (!(map->mapped & 1023))
			cond_resched();
	}
	return 0;
}

/* Tables of all levels, the last level first: how many, and how many levels. */
static unsigned long hsl_table_count(unsigned long npages, unsigned int *levels)
{
	unsigned long n = npages, total = 0;

	*levels = 0;
	do {
		n = DIV_ROUND_UP(n, HSL_PTES_PER_TABLE);
		total += n;
		(*levels)++;
	} while (n > 1);
	return total;
}

static int hsl_hostmap_alloc_tables(struct hsl_hostmap *map)
{
	struct hsl_table *t;
	unsigned long i;

	for (i = 0; i < map->ntables; i++) {
		t = &map->tables[i];
		t->va = hsl_table_alloc(map->attach->chip, &t->dma);
		if (!t->va)
			return -ENOMEM;
		if (!(i & 255))
			cond_resched();
	}
	return 0;
}

static void hsl_table_set(struct hsl_table *tables, unsigned long i, dma_addr_t dma)
{
	tables[i / HSL_PTES_PER_TABLE].va[i % HSL_PTES_PER_TABLE] = cpu_to_le64(dma | HSL_PTE_VALID);
}

/* The tables of one level follow those of the level below; the root is the last. */
static void hsl_hostmap_fill_tables(struct hsl_hostmap *map, unsigned long npages)
{
	unsigned long i, n = npages, base = 0, below;

	for (i = 0; i < npages; i++)
		hsl_table_set(map->tables, i, map->dma[i]);
	for (n = DIV_ROUND_UP(npages, HSL_PTES_PER_TABLE); n > 1; n = DIV_ROUND_UP(n, HSL_PTES_PER_TABLE)) {
		below = base;
		base += n;
		for (i = 0; i < n; i++)
			hsl_table_set(map->tables + base, i, map->tables[below + i].dma);
	}
	map->root = map->tables[map->ntables - 1].dma;
}

/* The chip does not use the mapping any more, and is not GONE unless its removal waits for us. Under ctx->lock. */
void hsl_hostmap_destroy(struct hsl_segment *seg, struct hsl_hostmap *map)
{
	struct hsl_chip *chip = map->attach->chip;
	unsigned long i;

	list_del(&map->link);
	hsl_dmabuf_unmap_host(map);
	for (i = 0; !seg->host->dmabuf && i < map->mapped; i++) {
		dma_unmap_page_attrs(chip->parent, map->dma[i], PAGE_SIZE, hsl_host_dir(seg->host),
				     DMA_ATTR_SKIP_CPU_SYNC);
		if (!(i & 1023))
			cond_resched();
	}
	for (i = 0; map->tables && i < map->ntables; i++)
		if (map->tables[i].va)
			hsl_table_free(chip, map->tables[i].va, map->tables[i].dma);
	kvfree(map->tables);
	kvfree(map->dma);
	kfree(map);
}

/* DMA mappings and PAGE table of a segment on one chip. Under ctx->lock. */
struct hsl_hostmap *hsl_hostmap_create(struct hsl_attach *at, struct hsl_segment *seg)
{
	struct hsl_host *h = seg->host;
	struct hsl_hostmap *map;
	int err = -ENOMEM;

	map = kzalloc(sizeof(*map), GFP_KERNEL_ACCOUNT);
	if (!map)
		return ERR_PTR(-ENOMEM);
	map->attach = at;
	list_add(&map->link, &seg->maps);
	map->ntables = hsl_table_count(h->npages, &map->levels);
	map->tables = hsl_array_alloc(map->ntables, sizeof(*map->tables));
	map->dma = hsl_array_alloc(h->npages, sizeof(*map->dma));
	if (map->tables && map->dma && map->levels <= HSL_LEVELS_MAX)
		err = hsl_hostmap_alloc_tables(map);
	if (!err)
		err = hsl_hostmap_map_pages(map, h);
	if (err) {
		hsl_hostmap_destroy(seg, map);
		return ERR_PTR(err);
	}
	hsl_hostmap_fill_tables(map, h->npages);
	return map;
}
