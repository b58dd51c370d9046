// SPDX-License-Identifier: GPL-2.0-only
/*
 * Chip memory as a NUMA node without CPUs (HEP-MAP-022): the upper end of the chip, in whole memory blocks of the kernel.
 *
 * The range is taken out of the chip's pool like a segment's and so is never part of one. Coming back it is zeroed like any
 * other before it is handed out. It is added to the kernel; when its blocks go online is user space's choice
 * (/sys/devices/system/memory, hslctl mem), as for every other hot-plugged memory. To the movable zone only: a chip can leave
 * at any time, and what the kernel puts elsewhere (slab, page tables) never moves again. Many kernels put new memory online
 * by themselves, in a zone of their choice and before whoever added it could say a word: a notifier refuses all but that one.
 *
 * Offline: the kernel offlines a block by moving its pages, and tries for ever while one does not move. So each block is first
 * claimed by alloc_contig_range, which gives up on its own: -EBUSY, and nothing has changed. What comes in between claim and
 * offline is moved then; a signal ends that.
 *
 * While memory is online the modules stay, and the BAR's resource is not marked busy, so that "System RAM (hsl)" can be its
 * child (as dax/kmem does).
 *
 * Removal and reset of the chip take its memory away whether or not it is in use, and neither can be refused. They try
 * to offline first (hsl_numa_stop), in a work item and for a limited time: ACPI calls remove with the lock held that
 * offlining needs. If that fails, what used the memory is lost; the mapping, the resource and the modules stay.
 * After a removal (hsl_numa_leave) the chip's driver has left its claim on the BAR to us, and the device, with what is above
 * it, is kept awake. If the work item succeeds later after all, claim_work ends both, and then puts the modules: the claim's
 * name is in one of them.
 *
 * Locking: numa.lock is outside of every other lock of ours, and is held while the kernel's hotplug lock is waited for.
 */
#include <linux/ioport.h>
#include <linux/memory.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/nodemask.h>
#include <linux/pm_runtime.h>

#include "hsl_priv.h"

#if defined(CONFIG_MEMORY_HOTREMOVE) && defined(CONFIG_NUMA) && defined(CONFIG_CONTIG_ALLOC)

#define HSL_NUMA_CHIP_MIN	(512ull << 20)
#define HSL_NUMA_STOP_TIMEOUT	(30 * HZ)

static int mem_node = NUMA_NO_NODE;
module_param(mem_node, int, 0644);
MODULE_PARM_DESC(mem_node, "NUMA node for chip memory that goes online; -1: one without CPUs and other memory");

static struct workqueue_struct *hsl_numa_wq;	/* our own: the end of the module waits for what puts the module */
static DEFINE_MUTEX(hsl_node_lock);
static unsigned short hsl_node_users[MAX_NUMNODES];	/* chips whose memory is on a node; hsl_node_lock */

static bool hsl_node_fits(int n, bool shared)
{
	if (node_state(n, N_CPU))
		return false;
	return shared ? hsl_node_users[n] : !hsl_node_users[n] && !node_state(n, N_MEMORY);
}

static int hsl_node_find(struct hsl_chip *chip)
{
	int n = READ_ONCE(mem_node);

	if (n != NUMA_NO_NODE)
		return n >= 0 && n < MAX_NUMNODES && node_possible(n) ? n : -EINVAL;
	if (chip->numa_node != NUMA_NO_NODE && !node_state(chip->numa_node, N_CPU))
		return chip->numa_node;
	for_each_node(n)
		if (hsl_node_fits(n, false))
			return n;
	for_each_node(n)
		if (hsl_node_fits(n, true))
			return n;
	return -EOPNOTSUPP;
}

static int hsl_node_get(struct hsl_chip *chip)
{
	int n;

	mutex_lock(&hsl_node_lock);
	n = hsl_node_find(chip);
	if (n >= 0)
		hsl_node_users[n]++;
	mutex_unlock(&hsl_node_lock);
	if (n == -EINVAL)
		dev_err(&chip->dev, "mem_node=%d of module hsl is no possible node\n", READ_ONCE(mem_node));
	if (n == -EOPNOTSUPP)
		dev_err(&chip->dev, "the platform describes no NUMA node without CPUs for its memory; mem_node= of module hsl names another\n");
	return n;
}

static void hsl_node_put(int n)
{
	mutex_lock(&hsl_node_lock);
	hsl_node_users[n]--;
	mutex_unlock(&hsl_node_lock);
}

static int hsl_numa_modules_get(struct hsl_chip *chip)
{
	if (!try_module_get(chip->p.owner))
		return -ENODEV;
	__module_get(THIS_MODULE);
	return 0;
}

static void hsl_numa_modules_put(struct hsl_chip *chip)
{
	module_put(chip->p.owner);
	module_put(THIS_MODULE);
}

/* ---- online ---- */

/* Where bytes of this chip would be; offset in the chip. */
static int hsl_numa_place(struct hsl_chip *chip, u64 bytes, u64 *off)
{
	u64 block = memory_block_size_bytes(), end = ALIGN_DOWN(chip->p.mem_phys + chip->mem_bytes, block);

	if (!chip->p.mem_res || !(chip->cap & HSL_CAP_HOST_COHERENT) || chip->mem_bytes < HSL_NUMA_CHIP_MIN)
		return -EOPNOTSUPP;
	if (bytes & (block - 1))
		return -EINVAL;
	if (end < chip->p.mem_phys || bytes > end - chip->p.mem_phys)
		return -ENOSPC;
	*off = end - bytes - chip->p.mem_phys;
	return 0;
}

/* When a block is about to go online its pages already know their zone. numa.mem is set for as long as this is registered. */
static int hsl_numa_notify(struct notifier_block *nb, unsigned long action, void *data)
{
	struct hsl_chip *chip = container_of(nb, struct hsl_chip, numa.notifier);
	const struct memory_notify *block = data;
	u64 at = PFN_PHYS(block->start_pfn), start = chip->p.mem_phys + chip->numa.mem->off;

	if (action != MEM_GOING_ONLINE || at < start || at - start >= chip->numa.mem->len ||
	    is_zone_movable_page(pfn_to_page(block->start_pfn)))
		return NOTIFY_DONE;
	if (READ_ONCE(chip->numa.bytes))	/* else it is the kernel by itself, while the memory is added */
		dev_notice_ratelimited(&chip->dev, "its memory goes online as movable only: 'hslctl mem online', or online_movable\n");
	return notifier_from_errno(-EPERM);
}

static int hsl_numa_add(struct hsl_chip *chip, struct hsl_mem *mem)
{
	struct hsl_numa *numa = &chip->numa;
	int node, err;

	err = hsl_numa_modules_get(chip);
	if (err)
		return err;
	node = hsl_node_get(chip);
	if (node < 0) {
		err = node;
		goto put_modules;
	}
	numa->mem = mem;
	err = register_memory_notifier(&numa->notifier);
	if (err)
		goto put_node;
	chip->p.mem_res->flags &= ~IORESOURCE_BUSY;
	err = add_memory_driver_managed(node, chip->p.mem_phys + mem->off, mem->len, "System RAM (hsl)", MHP_NONE);
	if (err)
		goto unregister;
	numa->node = node;
	WRITE_ONCE(numa->bytes, mem->len);
	dev_info(&chip->dev, "%llu MiB added to NUMA node %d\n", mem->len >> 20, node);
	return 0;

unregister:
	chip->p.mem_res->flags |= IORESOURCE_BUSY;
	unregister_memory_notifier(&numa->notifier);
put_node:
	numa->mem = NULL;
	hsl_node_put(node);
	dev_err(&chip->dev, "the kernel does not take its memory: error %d\n", err);
put_modules:
	hsl_numa_modules_put(chip);
	return err;
}

/* Under numa.lock. */
static int hsl_numa_online(struct hsl_chip *chip, u64 bytes)
{
	struct hsl_mem *mem;
	u64 off;
	int err;

	if (chip->numa.mem)
		return chip->numa.mem->len == bytes ? 0 : -EBUSY;
	if (READ_ONCE(chip->numa.hold) || hsl_chip_state_get(chip) != HSL_STATE_READY)
		return -ENODEV;
	err = hsl_numa_place(chip, bytes, &off);
	if (err)
		return err;
	mem = hsl_mem_alloc_at(chip, off, bytes);
	if (IS_ERR(mem))
		return PTR_ERR(mem);
	err = hsl_numa_add(chip, mem);
	if (err)
		hsl_mem_free(mem);
	return err;
}

/* ---- offline ---- */

static int hsl_numa_claim(unsigned long pfn, unsigned long npages)
{
#ifdef HSL_HAVE_ACR_FLAGS
	return alloc_contig_range(pfn, pfn + npages, ACR_FLAGS_NONE, GFP_KERNEL);
#else
	return alloc_contig_range(pfn, pfn + npages, MIGRATE_MOVABLE, GFP_KERNEL);
#endif
}

/* Move everything out of the range. Blocks that are not online have nothing in them. */
static int hsl_numa_evacuate(unsigned long pfn, unsigned long npages)
{
	unsigned long block = PHYS_PFN(memory_block_size_bytes()), n = npages / block, i;
	unsigned long *claimed = bitmap_zalloc(n, GFP_KERNEL);
	int err = 0;

	if (!claimed)
		return -ENOMEM;
	for (i = 0; i < n && !err; i++) {
		if (!pfn_to_online_page(pfn + i * block))
			continue;
		err = hsl_numa_claim(pfn + i * block, block);
		if (!err)
			set_bit(i, claimed);
		cond_resched();
	}
	for_each_set_bit(i, claimed, n)
		free_contig_range(pfn + i * block, block);
	bitmap_free(claimed);
	return err;
}

/* The memory is back. Who has the claim: the chip's driver, or nobody any more. */
static void hsl_numa_claim_back(struct hsl_chip *chip)
{
	bool left;

	spin_lock(&chip->lock);
	left = chip->numa.left;
	if (!left)
		chip->p.mem_res->flags |= IORESOURCE_BUSY;
	WRITE_ONCE(chip->numa.bytes, 0);
	spin_unlock(&chip->lock);
	if (left)
		queue_work(hsl_numa_wq, &chip->numa.claim_work);	/* with the modules and hsl_numa_leave's reference */
	else
		hsl_numa_modules_put(chip);
}

static void hsl_numa_claim_work(struct work_struct *work)
{
	struct hsl_chip *chip = container_of(work, struct hsl_chip, numa.claim_work);
	struct device *parent = chip->parent;

	device_lock(parent);	/* its driver's remove has gone past the claim */
	remove_resource(chip->p.mem_res);
	kfree(chip->p.mem_res);
	device_unlock(parent);
	pm_runtime_put(parent);
	put_device(parent);
	hsl_numa_modules_put(chip);
	hsl_chip_put(chip);
}

/* Under numa.lock. */
static int hsl_numa_offline(struct hsl_chip *chip)
{
	struct hsl_numa *numa = &chip->numa;
	struct hsl_mem *mem = numa->mem;
	u64 start;
	int err;

	if (!mem)
		return 0;
	start = chip->p.mem_phys + mem->off;
	err = hsl_numa_evacuate(PHYS_PFN(start), PHYS_PFN(mem->len));
	if (!err)
		err = offline_and_remove_memory(start, mem->len);
	if (err) {
		dev_notice(&chip->dev, "memory of NUMA node %d is in use by pages that do not move: error %d\n", numa->node,
			   err);
		return err == -EINTR || err == -ENOMEM ? err : -EBUSY;
	}
	unregister_memory_notifier(&numa->notifier);
	hsl_node_put(numa->node);
	numa->mem = NULL;
	numa->node = NUMA_NO_NODE;
	dev_info(&chip->dev, "%llu MiB are back from the kernel\n", mem->len >> 20);
	hsl_mem_free(mem);
	hsl_numa_claim_back(chip);
	return 0;
}

/* bytes: how much is to be online from now on, 0 = nothing. */
int hsl_numa_set(struct hsl_chip *chip, u64 bytes)
{
	int err;

	if (mutex_lock_killable(&chip->numa.lock))
		return -EINTR;
	hsl_chip_wake(chip);
	err = bytes ? hsl_numa_online(chip, bytes) : hsl_numa_offline(chip);
	hsl_chip_let_sleep(chip);
	mutex_unlock(&chip->numa.lock);
	return err;
}

/* ---- removal and reset ---- */

static void hsl_numa_work(struct work_struct *work)
{
	struct hsl_chip *chip = container_of(work, struct hsl_chip, numa.work);

	mutex_lock(&chip->numa.lock);
	hsl_numa_offline(chip);
	WRITE_ONCE(chip->numa.stopping, false);
	mutex_unlock(&chip->numa.lock);
	wake_up_all(&chip->state_wq);
	hsl_chip_put(chip);
}

/* Memory of the chip is about to be unreachable: take it from the kernel, and give it no more. */
void hsl_numa_stop(struct hsl_chip *chip)
{
	struct hsl_numa *numa = &chip->numa;

	WRITE_ONCE(numa->hold, true);
	if (!xchg(&numa->stopping, true)) {
		hsl_chip_get(chip);
		queue_work(hsl_numa_wq, &numa->work);
	}
	wait_event_timeout(chip->state_wq, !READ_ONCE(numa->stopping), HSL_NUMA_STOP_TIMEOUT);
	if (READ_ONCE(numa->bytes))
		dev_crit(&chip->dev, "%llu MiB of it are in use as NUMA node %d and become unreachable NOW: what is there is lost, and accesses may stop the machine. Use 'hslctl mem offline' before a removal or reset.\n",
			 READ_ONCE(numa->bytes) >> 20, numa->node);
}

/* Removal: from here on the claim belongs to its driver if it is busy, and else to the memory that is still online. */
void hsl_numa_leave(struct hsl_chip *chip)
{
	hsl_numa_stop(chip);
	spin_lock(&chip->lock);
	chip->numa.left = chip->numa.bytes;
	if (chip->numa.left) {
		get_device(chip->parent);
		pm_runtime_get_noresume(chip->parent);	/* awake for remove, and the child that kept it so leaves */
		hsl_chip_get(chip);
	}
	spin_unlock(&chip->lock);
}

/* The reset is over. */
void hsl_numa_allow(struct hsl_chip *chip)
{
	WRITE_ONCE(chip->numa.hold, false);
}

void hsl_numa_init(struct hsl_chip *chip)
{
	mutex_init(&chip->numa.lock);
	INIT_WORK(&chip->numa.work, hsl_numa_work);
	INIT_WORK(&chip->numa.claim_work, hsl_numa_claim_work);
	chip->numa.notifier.notifier_call = hsl_numa_notify;
	chip->numa.node = NUMA_NO_NODE;
}

int hsl_numa_begin(void)
{
	hsl_numa_wq = alloc_workqueue("hsl_numa", WQ_UNBOUND, 0);
	return hsl_numa_wq ? 0 : -ENOMEM;
}

void hsl_numa_end(void)
{
	destroy_workqueue(hsl_numa_wq);
}

#else /* a kernel without memory hot-remove */

int hsl_numa_set(struct hsl_chip *chip, u64 bytes)
{
	return bytes ? -EOPNOTSUPP : 0;
}

int hsl_numa_begin(void)
{
	return 0;
}

void hsl_numa_end(void) { }
void hsl_numa_stop(struct hsl_chip *chip) { }
void hsl_numa_leave(struct hsl_chip *chip) { }
void hsl_numa_allow(struct hsl_chip *chip) { }

void hsl_numa_init(struct hsl_chip *chip)
{
	chip->numa.node = NUMA_NO_NODE;
}
#endif
