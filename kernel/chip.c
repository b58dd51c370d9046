// SPDX-License-Identifier: GPL-2.0-only
/*
 * Chips: registration, bring-up, reset, removal. States and locks are in hsl_priv.h.
 *
 * Every life cycle change runs under chip->life and has the same order:
 *   state := QUIESCING, pass the access barrier	nobody touches registers any more, admin commands wait
 *   zap mappings of its memory				faults wait for the next state
 *   quiesce the hardware				DMA has stopped; or it is cut off, or unplugged
 *   fail outstanding admin commands, state := next	waiters go on: memory may be released now
 *   end the queues
 * A context's lock is only taken on the way to GONE, after that state is set, so whoever holds it and waits for this
 * chip gets ENODEV and lets go.
 *
 * Tables live in host memory and survive a reset: reset_done announces them again.
 */
#include <linux/delay.h>
#include <linux/dma-mapping.h>
#include <linux/iopoll.h>
#include <linux/log2.h>
#include <linux/module.h>

#include <hsl/ctf.h>

#include "hsl_priv.h"
#include "trace.h"

#define HSL_READY_TIMEOUT_US	5000000
#define HSL_SETTLE_TIMEOUT	(120 * HZ)

static unsigned int reset_timeout_ms = 90000;
module_param(reset_timeout_ms, uint, 0644);
MODULE_PARM_DESC(reset_timeout_ms, "time after which a chip that does not come back from a reset has failed; at least 1000");

enum hsl_chip_state hsl_chip_state_get(struct hsl_chip *chip)
{
	/* pairs with the release in hsl_chip_state_set */
	return smp_load_acquire(&chip->state);
}

void hsl_chip_state_set(struct hsl_chip *chip, enum hsl_chip_state state)
{
	enum hsl_chip_state old;

	spin_lock(&chip->lock);
	old = chip->state;
	/* what was done before the change is visible to who sees it; pairs with hsl_chip_state_get */
	smp_store_release(&chip->state, state);
	spin_unlock(&chip->lock);
	trace_hsl_chip_state(chip->node, old, state);
	wake_up_all(&chip->state_wq);
	wake_up_all(&chip->admin.slot_wq);
}

/* After a change of state: who looked at the old one and touches registers or PTEs has finished. */
void hsl_chip_barrier(struct hsl_chip *chip)
{
	down_write(&chip->access);
	up_write(&chip->access);
}

static bool hsl_chip_moving(struct hsl_chip *chip)
{
	enum hsl_chip_state s = hsl_chip_state_get(chip);

	return s == HSL_STATE_QUIESCING || s == HSL_STATE_STOPPED;
}

/* Wait until a reset is over: 0 when READY, -ENODEV when there will be no READY. Bounded. */
int hsl_chip_settled(struct hsl_chip *chip)
{
	wait_event_timeout(chip->state_wq, !hsl_chip_moving(chip), HSL_SETTLE_TIMEOUT);
	return hsl_chip_state_get(chip) == HSL_STATE_READY ? 0 : -ENODEV;
}

/* A device that was pulled out reads as all ones. */
bool hsl_chip_present(struct hsl_chip *chip)
{
	return readl(chip->p.regs + HSL_REG_MAGIC) == HSL_MAGIC;
}

/* CTRL.RESET; false: it goes on. */
static bool hsl_chip_obeys_reset(struct hsl_chip *chip)
{
	void __iomem *r = chip->p.regs;
	u32 status;

	writel(HSL_CTRL_RESET, r + HSL_REG_CTRL);
	if (!readl_poll_timeout(r + HSL_REG_STATUS, status, !(status & HSL_STATUS_READY), 100, HSL_READY_TIMEOUT_US))
		return true;
	dev_err(chip->parent, "does not obey CTRL.RESET (STATUS %#x): switching its DMA off\n", status);
	return false;
}

/* Stop all DMA of the chip, by its own reset or by cutting it off. */
void hsl_chip_quiesce(struct hsl_chip *chip)
{
	bool quiet = false;

	if (hsl_chip_present(chip)) {	/* else gone, or only its registers are: then it may go on writing */
		writel(0, chip->p.regs + HSL_REG_EVENT_MASK);
		quiet = hsl_chip_obeys_reset(chip);
	}
	if (!quiet)
		chip->p.ops->stop_dma(chip->parent);
}

/* Announce queue and tables, enable, wait for READY. */
static int hsl_chip_enable(struct hsl_chip *chip)
{
	void __iomem *r = chip->p.regs;
	u32 status;

	if (!hsl_chip_present(chip))
		return -ENODEV;
	hsl_admin_reset(chip);
	if (!hsl_chip_obeys_reset(chip))
		return -EIO;
	writeq(chip->admin.sq_dma, r + HSL_REG_AQ_SQ);
	writeq(chip->admin.cq_dma, r + HSL_REG_AQ_CQ);
	writel(chip->admin.depth, r + HSL_REG_AQ_DEPTH);
	writeq(chip->ctx_table_dma, r + HSL_REG_CTX_TABLE);
	writel(chip->ctx_count, r + HSL_REG_CTX_COUNT);
	writel(HSL_EVENT_ALL, r + HSL_REG_EVENT);
	writel(HSL_CTRL_ENABLE, r + HSL_REG_CTRL);
	if (readl_poll_timeout(r + HSL_REG_STATUS, status, status & (HSL_STATUS_READY | HSL_STATUS_CONFIG_ERROR |
			       HSL_STATUS_FATAL), 100, HSL_READY_TIMEOUT_US))
		goto refuse;
	if (status == ~0u || !(status & HSL_STATUS_READY))
		goto refuse;
	hsl_windows_start(chip);
	return 0;

refuse:
	dev_err(chip->parent, "does not become ready: STATUS %#x%s\n", status,
		status != ~0u && (status & HSL_STATUS_CONFIG_ERROR) ? " (refuses its tables)" : "");
	writel(0, r + HSL_REG_CTRL);
	return -EIO;
}

/* The state is not READY yet: nobody else touches the chip. What does not start may still write to what is released next. */
static int hsl_chip_start(struct hsl_chip *chip)
{
	int err = hsl_chip_enable(chip);

	if (err)
		chip->p.ops->stop_dma(chip->parent);
	return err;
}

/*
 * Events are told from READY on only: the handler acknowledges none before, and a bit that stays set hides all that follow.
 * What has come meanwhile interrupts now. Under life.
 */
static void hsl_chip_unmask_events(struct hsl_chip *chip)
{
	if (hsl_chip_state_get(chip) == HSL_STATE_READY)
		writel(HSL_EVENT_ALL, chip->p.regs + HSL_REG_EVENT_MASK);
}

u32 hsl_chip_uapi_state(struct hsl_chip *chip)
{
	switch (hsl_chip_state_get(chip)) {
	case HSL_STATE_READY:
	case HSL_STATE_ASLEEP:
		return HSL_CHIP_READY;
	case HSL_STATE_FAILED:
		return HSL_CHIP_FAILED;
	default:
		return HSL_CHIP_RESETTING;
	}
}

/* Tell readers of events and who watches sysfs, if the state is another than they were told. Under life. */
static void hsl_chip_tell_state(struct hsl_chip *chip)
{
	u32 state = hsl_chip_uapi_state(chip);

	if (state == chip->event_state)
		return;
	chip->event_state = state;
	hsl_event_post(chip->fabric, HSL_FABRIC_EV_CHIP_STATE, chip->node, 0, state);
	kobject_uevent(&chip->dev.kobj, KOBJ_CHANGE);
	sysfs_notify(&chip->dev.kobj, NULL, "state");
}

/* READY -> STOPPED, or any -> next. Under life. */
static void hsl_chip_stop(struct hsl_chip *chip, enum hsl_chip_state next)
{
	hsl_chip_state_set(chip, HSL_STATE_QUIESCING);
	hsl_chip_zap(chip);	/* passes the access barrier first */
	hsl_chip_quiesce(chip);
	hsl_admin_reset(chip);
	hsl_chip_state_set(chip, next);
	hsl_queue_end_all(chip, HSL_ST_GONE);
	if (next != HSL_STATE_GONE)	/* that is CHIP_REMOVE */
		hsl_chip_tell_state(chip);
}

static void hsl_fail_work(struct work_struct *work)
{
	struct hsl_chip *chip = container_of(work, struct hsl_chip, fail_work);

	/*
	 * Whoever holds it stops the chip anyway, and may be waiting for one who waits for this work. Only while it is READY
	 * he is not: he is about to stop it, or has just started it, and will let go.
	 */
	while (!mutex_trylock(&chip->life)) {
		if (hsl_chip_state_get(chip) != HSL_STATE_READY)
			return;
		usleep_range(100, 1000);
	}
	if (hsl_chip_state_get(chip) == HSL_STATE_READY) {
		hsl_dump_failed(chip, READ_ONCE(chip->fail_why));
		hsl_chip_stop(chip, HSL_STATE_FAILED);
	}
	mutex_unlock(&chip->life);
}

/* The chip misbehaves; why is a constant. Callable from any context; it is stopped soon after. */
void hsl_chip_fail(struct hsl_chip *chip, const char *why)
{
	if (hsl_chip_state_get(chip) != HSL_STATE_READY)
		return;
	WRITE_ONCE(chip->fail_why, why);
	if (schedule_work(&chip->fail_work))
		dev_err(&chip->dev, "failed: %s; a function level reset (echo 1 > reset of the PCI device) may help\n", why);
}

/* The PCI core tells nobody that it has given up to recover from an error: without an end its users would wait for ever. */
static void hsl_overdue_work(struct work_struct *work)
{
	struct hsl_chip *chip = container_of(to_delayed_work(work), struct hsl_chip, overdue_work);

	mutex_lock(&chip->life);
	/* while this waited for it, the reset may have ended and another one begun */
	if (hsl_chip_state_get(chip) == HSL_STATE_STOPPED && time_after_eq(jiffies, chip->overdue_at)) {
		dev_err(&chip->dev, "failed: its reset does not end; removing it (echo 1 > remove of the PCI device) and a rescan may help\n");
		hsl_chip_state_set(chip, HSL_STATE_FAILED);
		hsl_chip_tell_state(chip);
	}
	mutex_unlock(&chip->life);
}

void hsl_chip_reset_begin(struct hsl_chip *chip)
{
	unsigned long timeout = msecs_to_jiffies(max(READ_ONCE(reset_timeout_ms), 1000u));

	hsl_numa_stop(chip);
	mutex_lock(&chip->life);
	if (hsl_chip_state_get(chip) != HSL_STATE_GONE) {
		hsl_chip_stop(chip, HSL_STATE_STOPPED);
		chip->overdue_at = jiffies + timeout;
		mod_delayed_work(system_percpu_wq, &chip->overdue_work, timeout);
	}
	mutex_unlock(&chip->life);
}
EXPORT_SYMBOL_GPL(hsl_chip_reset_begin);

/*
 * STOPPED, FAILED or ASLEEP -> READY, or FAILED, which is reported: it has had a reset, or a sleep. Readers of events are told
 * if it is for them. Under life.
 */
int hsl_chip_restart(struct hsl_chip *chip, const char *after)
{
	int err = hsl_chip_start(chip);

	if (err)
		dev_err(chip->parent, "did not come back from its %s\n", after);
	/* what was wrong before is over with it, though nobody has got to see to it */
	atomic_and(~HSL_EVENT_FATAL, &chip->events);
	cancel_work(&chip->fail_work);
	hsl_chip_state_set(chip, err ? HSL_STATE_FAILED : HSL_STATE_READY);
	hsl_chip_unmask_events(chip);
	hsl_chip_tell_state(chip);
	return err;
}

int hsl_chip_reset_done(struct hsl_chip *chip)
{
	enum hsl_chip_state state;
	int err = -ENODEV;

	cancel_delayed_work_sync(&chip->overdue_work);
	mutex_lock(&chip->life);
	state = hsl_chip_state_get(chip);
	if (state == HSL_STATE_STOPPED || state == HSL_STATE_FAILED) {
		err = hsl_chip_restart(chip, "reset");
		/* an EVENT.LINK of before the reset was lost with it */
		hsl_events_look(chip, HSL_EVENT_LINK);
	}
	mutex_unlock(&chip->life);
	if (!err)
		hsl_numa_allow(chip);
	return err;
}
EXPORT_SYMBOL_GPL(hsl_chip_reset_done);

/* To GONE: afterwards no file of the fabric touches the hardware or its DMA mappings. */
void hsl_chip_disconnect(struct hsl_chip *chip)
{
	mutex_lock(&chip->life);
	if (hsl_chip_state_get(chip) == HSL_STATE_GONE)
		goto unlock;
	hsl_chip_stop(chip, HSL_STATE_GONE);
	sysfs_notify(&chip->dev.kobj, NULL, "state");
	hsl_fabric_leave(chip);
	hsl_attach_drop_all(chip);
	hsl_dmabuf_chip_gone(chip);
unlock:
	mutex_unlock(&chip->life);
}
EXPORT_SYMBOL_GPL(hsl_chip_disconnect);

/* What hsl_chip_setup_dma made; the chip is STOPPED or GONE. */
static void hsl_chip_free_dma(struct hsl_chip *chip)
{
	if (chip->ctx_table)
		dma_free_coherent(chip->parent, chip->ctx_count * sizeof(*chip->ctx_table), chip->ctx_table,
				  chip->ctx_table_dma);
	hsl_admin_exit(chip);
}

static int hsl_chip_setup_dma(struct hsl_chip *chip)
{
	int err = -ENOMEM;

	/* a buffer that another driver maps for the chip is seen page by page through its PAGE table, however long its pieces are */
	if (chip->parent->dma_parms) {
		dma_set_max_seg_size(chip->parent, UINT_MAX);
		dma_set_seg_boundary(chip->parent, ULONG_MAX);
	}
	chip->ctx_table = dma_alloc_coherent(chip->parent, chip->ctx_count * sizeof(*chip->ctx_table),
					     &chip->ctx_table_dma, GFP_KERNEL);
	if (chip->ctx_table)
		err = hsl_admin_init(chip);
	if (err)
		hsl_chip_free_dma(chip);
	return err;
}

void hsl_chip_unregister(struct hsl_chip *chip)
{
	hsl_numa_leave(chip);
	hsl_chip_disconnect(chip);
	hsl_hwmon_remove(chip);
	hsl_power_exit(chip);
	device_del(&chip->dev);
	hsl_irq_exit(chip);
	cancel_delayed_work_sync(&chip->overdue_work);
	cancel_work_sync(&chip->fail_work);
	cancel_work_sync(&chip->event_work);
	flush_work(&chip->zero_work);
	hsl_mem_exit(chip);
	hsl_chip_free_dma(chip);
	put_device(&chip->dev);
}
EXPORT_SYMBOL_GPL(hsl_chip_unregister);

static void hsl_chip_release(struct device *dev)
{
	struct hsl_chip *chip = container_of(dev, struct hsl_chip, dev);

	/* memory freed late, by a context that closed after the chip had left, went through zero_work: it calls us */
	hsl_pool_exit(&chip->pool);
	kvfree(chip->clean);
	ida_destroy(&chip->qids);
	hsl_sysfs_free(chip);
	kfree(chip->vectors);
	kfree(chip->links);
	if (chip->fabric)
		put_device(&chip->fabric->dev);
	kfree(chip);
}

/* What a maker's driver says of its chip: nothing outside its register block is touched, whatever it forgot. */
static int hsl_chip_check_params(struct device *dev, const struct hsl_chip_params *p)
{
	if (!p->driver || !p->ops || !p->ops->stop_dma || !p->irqs || !p->nirqs) {
		dev_err(dev, "its driver tells no name, no stop_dma or no interrupts: see hsl_bus.h\n");
		return -EINVAL;
	}
	if (!p->regs || p->regs_bytes <= HSL_DB_OFFSET_DEFAULT || !p->mem_bytes ||
	    (p->ctf_off && (p->regs_bytes < HSL_CTF_BYTES || p->ctf_off > p->regs_bytes - HSL_CTF_BYTES))) {
		dev_err(dev, "its driver maps %#llx bytes of registers (test facility at %#llx), %#llx of memory: too few\n",
			p->regs_bytes, p->ctf_off, p->mem_bytes);
		return -EINVAL;
	}
	return 0;
}

/* Registers that software must be able to rely on, checked where trust begins. */
static int hsl_chip_check(struct hsl_chip *chip)
{
	struct device *dev = chip->parent;
	void __iomem *r = chip->p.regs;
	u32 bits = readl(r + HSL_REG_GA_BITS), magic = readl(r + HSL_REG_MAGIC);

	chip->hep_version = readl(r + HSL_REG_VERSION);
	if (magic != HSL_MAGIC) {
		dev_err(dev, "MAGIC reads %#x, not %#x: not an HSL register block, or the BAR is not reachable\n",
			magic, HSL_MAGIC);
		return -ENODEV;
	}
	if (chip->hep_version >> 16 != HSL_HEP_MAJOR) {
		dev_err(dev, "chip has HEP %u.%u, this driver needs %u.x: update the driver or the chip's firmware\n",
			chip->hep_version >> 16, chip->hep_version & 0xffff, HSL_HEP_MAJOR);
		return -EPROTO;
	}
	if (chip->nqueues < 2 || chip->nqueues > 65536 || chip->db_stride < PAGE_SIZE ||
	    !is_power_of_2(chip->db_stride) || chip->db_offset > chip->p.regs_bytes ||
	    (chip->p.regs_bytes - chip->db_offset) / chip->db_stride < chip->nqueues) {
		dev_err(dev, "doorbells of %u queues (offset %#x, stride %#x) do not fit its register BAR of %#llx bytes\n",
			chip->nqueues, chip->db_offset, chip->db_stride, chip->p.regs_bytes);
		return -EINVAL;
	}
	if ((bits & 0xff) != HSL_GA_OFFSET_BITS || !chip->node || chip->node >= HSL_NODE_HOST_DEFAULT ||
	    chip->host_node < HSL_NODE_HOST_DEFAULT || chip->host_node >= HSL_NODE_SWITCH_FIRST) {
		dev_err(dev, "GA_BITS %#x, node %u or host node %u is not as HEP 1.0 says\n", bits, chip->node,
			chip->host_node);
		return -EINVAL;
	}
	if (chip->max_depth < 2 || !is_power_of_2(chip->max_depth) || chip->ctx_count < 2 ||
	    chip->max_len < PAGE_SIZE) {
		dev_err(dev, "MAX_DEPTH %u, NCONTEXTS %u or MAX_LEN %llu is too small\n", chip->max_depth,
			chip->ctx_count, chip->max_len);
		return -EINVAL;
	}
	if (!chip->mem_bytes || chip->mem_bytes > chip->p.mem_bytes) {
		dev_err(dev, "MEM_SIZE %#llx, but its memory BAR has %#llx bytes\n", chip->mem_bytes,
			chip->p.mem_bytes);
		return -EINVAL;
	}
	return 0;
}

static void hsl_chip_read_regs(struct hsl_chip *chip)
{
	void __iomem *r = chip->p.regs;

	chip->node = readl(r + HSL_REG_NODE);
	chip->host_node = readl(r + HSL_REG_HOST_NODE);
	chip->fabric_id[0] = readq(r + HSL_REG_FABRIC_LO);
	chip->fabric_id[1] = readq(r + HSL_REG_FABRIC_HI);
	chip->cap = readq(r + HSL_REG_CAP);
	chip->mem_bytes = readq(r + HSL_REG_MEM_SIZE) & PAGE_MASK;
	chip->max_len = readq(r + HSL_REG_MAX_LEN);
	chip->nqueues = readl(r + HSL_REG_NQUEUES);
	chip->db_offset = readl(r + HSL_REG_DB_OFFSET);
	chip->db_stride = readl(r + HSL_REG_DB_STRIDE);
	chip->max_depth = min_t(u32, readl(r + HSL_REG_MAX_DEPTH), 65536);
	chip->nlinks = min_t(u32, readl(r + HSL_REG_NLINKS), HSL_LINK_MAX);
	chip->ctx_count = min_t(u32, readl(r + HSL_REG_NCONTEXTS), HSL_CTX_COUNT_MAX);
	chip->nwindows = min_t(u32, readl(r + HSL_REG_NWINDOWS), HSL_WIN_MAX);
	chip->win_shift = readl(r + HSL_REG_WIN_STRIDE_LOG2);
}

/* Under access (read), state READY; or nobody else has the chip yet. */
static void hsl_chip_read_link(struct hsl_chip *chip, u32 index, struct hsl_link_info *li)
{
	void __iomem *l = chip->p.regs + HSL_REG_LINK(index);
	u32 peer = readl(l + HSL_LINK_O_PEER);

	li->peer = peer & 0xffff;
	li->peer_type = (peer >> 16) & 0xff;
	li->state = readl(l + HSL_LINK_O_STATE);
	li->width = readl(l + HSL_LINK_O_WIDTH);
	li->rate_mtps = readl(l + HSL_LINK_O_RATE);
	li->latency_ps = readl(l + HSL_LINK_O_LATENCY);
	li->max_width = readl(l + HSL_LINK_O_MAX_WIDTH);
	li->max_rate_mtps = readl(l + HSL_LINK_O_MAX_RATE);
}

/* Links as they are when the chip joins: what events are told against. */
int hsl_chip_links_init(struct hsl_chip *chip)
{
	u32 i;

	chip->links = kcalloc(chip->nlinks, sizeof(*chip->links), GFP_KERNEL);
	if (!chip->links)
		return -ENOMEM;
	for (i = 0; i < chip->nlinks; i++)
		hsl_chip_read_link(chip, i, &chip->links[i]);
	return 0;
}

/*
 * One event per link that is another than last seen; true: there was one. From event_work only. A reset in between, or the end
 * of a sleep, has it run again.
 */
bool hsl_chip_links_check(struct hsl_chip *chip)
{
	struct hsl_link_info li = { 0 };
	bool changed = false;
	u32 i;

	if (hsl_chip_settled(chip))
		return false;
	down_read(&chip->access);	/* over the posting too: it is before CHIP_REMOVE */
	for (i = 0; i < chip->nlinks && hsl_chip_state_get(chip) == HSL_STATE_READY; i++) {
		hsl_chip_read_link(chip, i, &li);
		if (!memcmp(&li, &chip->links[i], sizeof(li)))
			continue;
		chip->links[i] = li;
		changed = true;
		hsl_event_post(chip->fabric, HSL_FABRIC_EV_LINK, chip->node, i, li.state);
	}
	up_read(&chip->access);
	return changed;
}

/*
 * For who reads registers on behalf of a user: wakes the chip, waits for a reset to end, then keeps it READY until _put.
 * -ENODEV if it will not be. Nothing that takes mmap_lock in between.
 */
int hsl_chip_regs_get(struct hsl_chip *chip)
{
	int err;

	hsl_chip_wake(chip);
	err = hsl_chip_settled(chip);
	if (err)
		goto let_sleep;
	down_read(&chip->access);
	if (hsl_chip_state_get(chip) == HSL_STATE_READY)
		return 0;
	up_read(&chip->access);
	err = -ENODEV;
let_sleep:
	hsl_chip_let_sleep(chip);
	return err;
}

void hsl_chip_regs_put(struct hsl_chip *chip)
{
	up_read(&chip->access);
	hsl_chip_let_sleep(chip);
}

/* For who has read all ones, before _put: if there is no chip any more, that is no value, and the chip has failed. */
int hsl_chip_answers(struct hsl_chip *chip)
{
	if (hsl_chip_present(chip))
		return 0;
	hsl_chip_fail(chip, "it does not answer");
	return -ENODEV;
}

/* HSL_IOC_LINK_INFO and sysfs: -ENOENT if there is no such link. */
int hsl_chip_link(struct hsl_chip *chip, u32 index, struct hsl_link_info *li)
{
	int err;

	if (index >= chip->nlinks)
		return -ENOENT;
	err = hsl_chip_regs_get(chip);
	if (err)
		return err;
	hsl_chip_read_link(chip, index, li);
	if (li->state == ~0u)
		err = hsl_chip_answers(chip);
	hsl_chip_regs_put(chip);
	return err;
}

/* reg: of the blocks that HSL_CAP_COUNTERS stands for. */
int hsl_chip_counter(struct hsl_chip *chip, u32 reg, u64 *value)
{
	int err = hsl_chip_regs_get(chip);

	if (err)
		return err;
	*value = readq(chip->p.regs + reg);
	if (*value == ~0ull)
		err = hsl_chip_answers(chip);
	hsl_chip_regs_put(chip);
	return err;
}

static struct hsl_chip *hsl_chip_new(struct device *parent, const struct hsl_chip_params *params)
{
	struct hsl_chip *chip;

	chip = kzalloc(sizeof(*chip), GFP_KERNEL);
	if (!chip)
		return NULL;
	chip->parent = parent;
	chip->p = *params;
	chip->numa_node = dev_to_node(parent);
	strscpy(chip->driver, params->driver, sizeof(chip->driver));
	strscpy(chip->bus_addr, dev_name(parent), sizeof(chip->bus_addr));
	chip->state = HSL_STATE_STOPPED;
	spin_lock_init(&chip->lock);
	spin_lock_init(&chip->clean_lock);
	mutex_init(&chip->life);
	mutex_init(&chip->pool.lock);
	mutex_init(&chip->dmabufs_lock);
	mutex_init(&chip->vectors_lock);
	INIT_LIST_HEAD(&chip->dmabufs);
	hsl_numa_init(chip);
	init_rwsem(&chip->access);
	init_waitqueue_head(&chip->state_wq);
	spin_lock_init(&chip->admin.lock);
	init_waitqueue_head(&chip->admin.slot_wq);
	INIT_LIST_HEAD(&chip->attachments);
	INIT_LIST_HEAD(&chip->queues);
	INIT_LIST_HEAD(&chip->dirty);
	INIT_WORK(&chip->fail_work, hsl_fail_work);
	INIT_DELAYED_WORK(&chip->overdue_work, hsl_overdue_work);
	INIT_WORK(&chip->event_work, hsl_event_work);
	ida_init(&chip->qids);
	device_initialize(&chip->dev);
	chip->dev.parent = parent;
	chip->dev.bus = &hsl_bus_type;
	chip->dev.release = hsl_chip_release;
	set_dev_node(&chip->dev, chip->numa_node);
	hsl_power_init(chip);
	return chip;
}

struct hsl_chip *hsl_chip_register(struct device *parent, const struct hsl_chip_params *params)
{
	struct hsl_chip *chip;
	int err;

	err = hsl_chip_check_params(parent, params);
	if (err)
		return ERR_PTR(err);
	chip = hsl_chip_new(parent, params);
	if (!chip)
		return ERR_PTR(-ENOMEM);
	hsl_chip_read_regs(chip);
	err = hsl_chip_check(chip);
	if (err)
		goto put_chip;
	err = hsl_sysfs_init(chip);
	if (!err)
		err = hsl_chip_setup_dma(chip);
	if (err)
		goto report;
	err = hsl_mem_init(chip);
	if (err)
		goto free_dma;
	err = hsl_irq_init(chip);
	if (err)
		goto exit_mem;
	err = hsl_chip_start(chip);
	if (err)
		goto exit_irq;
	err = hsl_chip_links_init(chip);
	if (!err)
		err = hsl_fabric_join(chip);
	if (err)
		goto stop;
	err = dev_set_name(&chip->dev, "hsl%d-%u", chip->fabric->minor, chip->node);
	hsl_chip_state_set(chip, HSL_STATE_READY);
	hsl_hwmon_add(chip);	/* before anybody hears of the chip */
	hsl_event_post(chip->fabric, HSL_FABRIC_EV_CHIP_ADD, chip->node, 0, 0);
	if (!err)
		err = device_add(&chip->dev);
	if (err) {
		hsl_chip_disconnect(chip);
		hsl_hwmon_remove(chip);
		goto exit_irq;
	}
	mutex_lock(&chip->life);
	hsl_chip_unmask_events(chip);
	mutex_unlock(&chip->life);
	dev_info(&chip->dev, "HEP %u.%u chip, node %u, %llu MiB, %u queues, %u links\n", chip->hep_version >> 16,
		 chip->hep_version & 0xffff, chip->node, chip->mem_bytes >> 20, chip->nqueues - 1, chip->nlinks);
	return chip;

stop:
	hsl_chip_quiesce(chip);
	hsl_chip_state_set(chip, HSL_STATE_GONE);
exit_irq:
	hsl_irq_exit(chip);
	cancel_work_sync(&chip->event_work);
	cancel_work_sync(&chip->fail_work);
exit_mem:
	flush_work(&chip->zero_work);
	hsl_mem_exit(chip);
free_dma:
	hsl_chip_free_dma(chip);
report:
	dev_err(parent, "not usable as an HSL chip: error %d\n", err);
put_chip:
	hsl_power_exit(chip);
	put_device(&chip->dev);
	return ERR_PTR(err);
}
EXPORT_SYMBOL_GPL(hsl_chip_register);
