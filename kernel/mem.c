// SPDX-License-Identifier: GPL-2.0-only
/*
 * Chip memory: allocation in pages (pool.c), and the promise that what is handed out is zero (HEP-MAP-004, HEP-SEC-004).
 *
 * A bitmap tells which pages are known to be zero. At registration none is: memory is zeroed when it is first
 * allocated, not at probe. Freed memory is zeroed by zero_work and only then returns to the pool; an allocation that
 * finds no room waits for that work and tries again. If zeroing fails (chip FAILED) the pages return as not clean.
 *
 * Zeroing is the chip's own FILL; a chip without it, or that refuses, is zeroed by the CPU. Both go past the caches, so memory
 * that was observable is flushed first (HEP-MAP-027): a dirty line would be written over the zeroes later. What is not known
 * to be zero may have been observable, and its flush have failed, or that of another driver: it is flushed in any case.
 *
 * A chip is awake while any of its memory is not free: commands zero it, before and after.
 *
 * Locking: the pool locks itself; chip->dirty under chip->lock; the bitmap under clean_lock. A range belongs to its
 * struct hsl_mem alone from allocation to the return to the pool.
 */
#include <linux/bitmap.h>
#include <linux/io.h>
#include <linux/sched/signal.h>

#include "hsl_priv.h"

#define HSL_CPU_PIECE	(256u << 10)

static void hsl_mem_mark_clean(struct hsl_chip *chip, u64 off, u64 len, bool clean)
{
	spin_lock(&chip->clean_lock);
	if (clean)
		bitmap_set(chip->clean, off >> PAGE_SHIFT, len >> PAGE_SHIFT);
	else
		bitmap_clear(chip->clean, off >> PAGE_SHIFT, len >> PAGE_SHIFT);
	spin_unlock(&chip->clean_lock);
}

static int hsl_mem_zero_cpu(struct hsl_chip *chip, u64 off, u64 len)
{
	while (len) {
		u64 n = min_t(u64, len, HSL_CPU_PIECE);
		int err = hsl_chip_settled(chip);

		if (err)
			return err;
		down_read(&chip->access);
		err = hsl_chip_state_get(chip) == HSL_STATE_READY ? 0 : -EAGAIN;
		if (!err)
			memset((u8 *)chip->mem_va + off, 0, n);
		up_read(&chip->access);
		cond_resched();
		if (err)
			continue;
		if (fatal_signal_pending(current))
			return -EINTR;
		off += n;
		len -= n;
	}
	return 0;
}

/* Nobody uses the range; from now on it may be used directly. */
static int hsl_mem_flush(struct hsl_chip *chip, u64 off, u64 len)
{
	int err = chip->cap & HSL_CAP_MODELLED ? hsl_admin_flush(chip, off, len) : 0;

	return err == -EIO ? -ENODEV : err;
}

static int hsl_mem_zero(struct hsl_chip *chip, u64 off, u64 len)
{
	int err = -EIO;

	if (chip->cap & HSL_CAP_OP_FILL)
		err = hsl_admin_fill(chip, off, len);
	if (err == -EIO)
		err = hsl_mem_zero_cpu(chip, off, len);
	if (!err)
		hsl_mem_mark_clean(chip, off, len, true);
	return err;
}

/* Zero what is not known to be zero. */
static int hsl_mem_clean(struct hsl_chip *chip, u64 off, u64 len)
{
	unsigned long from = off >> PAGE_SHIFT, end = (off + len) >> PAGE_SHIFT, to;
	int err = 0;

	while (!err) {
		spin_lock(&chip->clean_lock);
		from = find_next_zero_bit(chip->clean, end, from);
		to = from < end ? find_next_bit(chip->clean, end, from) : end;
		spin_unlock(&chip->clean_lock);
		if (from >= end)
			break;
		err = hsl_mem_flush(chip, (u64)from << PAGE_SHIFT, (u64)(to - from) << PAGE_SHIFT);
		if (!err)
			err = hsl_mem_zero(chip, (u64)from << PAGE_SHIFT, (u64)(to - from) << PAGE_SHIFT);
		from = to;
	}
	return err;
}

static void hsl_mem_release(struct hsl_mem *mem)
{
	struct hsl_chip *chip = mem->chip;

	hsl_pool_give(&chip->pool, mem->extent);
	kfree(mem);
	hsl_chip_let_sleep(chip);
	hsl_chip_put(chip);
}

static void hsl_zero_work(struct work_struct *work)
{
	struct hsl_chip *chip = container_of(work, struct hsl_chip, zero_work);
	struct hsl_mem *mem;

	for (;;) {
		spin_lock(&chip->lock);
		mem = list_first_entry_or_null(&chip->dirty, struct hsl_mem, link);
		if (mem)
			list_del(&mem->link);
		spin_unlock(&chip->lock);
		if (!mem)
			return;
		if (!(mem->flags & HSL_ALLOC_OBSERVABLE) || !hsl_mem_flush(chip, mem->off, mem->len))
			hsl_mem_zero(chip, mem->off, mem->len);
		hsl_mem_release(mem);
		cond_resched();
	}
}

/* Nobody reads or writes the range any more: mappings are zapped, entries are invalidated. */
void hsl_mem_free(struct hsl_mem *mem)
{
	struct hsl_chip *chip = mem->chip;
	bool gone;

	hsl_mem_mark_clean(chip, mem->off, mem->len, false);
	spin_lock(&chip->lock);
	gone = chip->state == HSL_STATE_GONE;
	if (!gone) {
		list_add_tail(&mem->link, &chip->dirty);
		schedule_work(&chip->zero_work);	/* under the lock: unregister flushes after GONE */
	}
	spin_unlock(&chip->lock);
	if (gone)
		hsl_mem_release(mem);
}

/* at: not anywhere but at off. */
static struct hsl_extent *hsl_mem_take(struct hsl_chip *chip, u64 off, u64 len, u64 align, bool at)
{
	struct hsl_extent *e = ERR_PTR(-ENOSPC);
	int tries;

	/* twice: somebody may take what the first flush gave back, while more is being freed */
	for (tries = 0; tries < 3; tries++) {
		if (tries)
			flush_work(&chip->zero_work);
		e = at ? hsl_pool_take_at(&chip->pool, off, len) : hsl_pool_take(&chip->pool, len, align);
		if (!IS_ERR(e) || PTR_ERR(e) != -ENOSPC)
			return e;
		if (fatal_signal_pending(current))
			return ERR_PTR(-EINTR);
	}
	return e;
}

static struct hsl_mem *hsl_mem_new(struct hsl_chip *chip, u64 off, u64 len, u64 align, bool at)
{
	struct hsl_extent *e;
	struct hsl_mem *mem;

	mem = kzalloc(sizeof(*mem), GFP_KERNEL);
	if (!mem)
		return ERR_PTR(-ENOMEM);
	hsl_chip_wake(chip);
	e = hsl_mem_take(chip, off, len, align, at);
	if (IS_ERR(e)) {
		hsl_chip_let_sleep(chip);
		kfree(mem);
		return ERR_CAST(e);
	}
	mem->chip = hsl_chip_get(chip);
	mem->extent = e;
	mem->off = e->off;
	mem->len = e->len;
	return mem;
}

/* For the kernel, which clears what it hands out by itself. */
struct hsl_mem *hsl_mem_alloc_at(struct hsl_chip *chip, u64 off, u64 len)
{
	struct hsl_mem *mem = hsl_mem_new(chip, off, len, 0, true);
	int err;

	if (IS_ERR(mem))
		return mem;
	err = hsl_mem_flush(chip, mem->off, mem->len);
	if (err) {
		hsl_mem_release(mem);
		return ERR_PTR(err);
	}
	return mem;
}

/* len is a multiple of the page size; align is 0 or a power of two <= 1 GiB. */
struct hsl_mem *hsl_mem_alloc(struct hsl_chip *chip, u64 len, u64 align)
{
	struct hsl_mem *mem = hsl_mem_new(chip, 0, len, align, false);
	int err;

	if (IS_ERR(mem))
		return mem;
	err = hsl_mem_clean(chip, mem->off, mem->len);
	if (err) {
		hsl_mem_release(mem);	/* clean or not is in the bitmap, page by page */
		return ERR_PTR(err);
	}
	return mem;
}

u64 hsl_mem_avail(struct hsl_chip *chip)
{
	return hsl_pool_avail(&chip->pool);
}

int hsl_mem_init(struct hsl_chip *chip)
{
	bool wb = chip->cap & HSL_CAP_HOST_COHERENT;
	int err;

	INIT_WORK(&chip->zero_work, hsl_zero_work);
	chip->mem_va = memremap(chip->p.mem_phys, chip->mem_bytes, wb ? MEMREMAP_WB : MEMREMAP_WC);
	if (!chip->mem_va)
		return -ENOMEM;
	chip->clean = kvcalloc(BITS_TO_LONGS(chip->mem_bytes >> PAGE_SHIFT), sizeof(long), GFP_KERNEL);
	err = chip->clean ? hsl_pool_init(&chip->pool, chip->mem_bytes) : -ENOMEM;
	if (err)
		goto unmap;
	return 0;

unmap:	/* pool and bitmap go with the chip */
	hsl_mem_exit(chip);
	return err;
}

/* GONE, and zero_work has been flushed. The pool stays until the last segment is freed. */
void hsl_mem_exit(struct hsl_chip *chip)
{
	if (chip->mem_va)
		memunmap(chip->mem_va);
	chip->mem_va = NULL;
}
