// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sleep: of the system, and of a chip that nobody needs (HEP-RAS-013, runtime PM).
 *
 * Who needs a chip: each context that is attached to it, each piece of its memory that is not free (of a segment, an export, a
 * dma-buf, a NUMA node, or waiting to be zeroed), an open test facility, and for as long as it takes whoever reads registers.
 * All of them count on the runtime PM of chip->dev, which has no callbacks: it keeps its parent awake, and the parent is the
 * driver's. Since the count is the chip's own, what outlives the hardware may go on counting.
 *
 * ASLEEP is a state of its own, so that nobody who looks at the state touches registers in D3hot. There are no queues, no
 * attachments and no mappings then, and the chip is quiet; its links go on without it (HEP-REG-016). It is brought up as
 * after a reset, whether or not it kept its registers. For users it is READY: it is when they use it. What does not answer has
 * failed and stays awake: the bus would save a configuration of all ones.
 *
 * Locking: hsl_chip_wake() brings the chip up in the caller's thread, under chip->life. So no ctx->lock, and no lock that nests in
 * life. Falling asleep waits for event_work, which takes only such locks as nobody holds over hsl_chip_wake(), and not for life:
 * nothing is lost by that, as resets and removal keep the chip awake, so that only fail_work can have life then, and what has failed
 * does not sleep.
 */
#include <linux/interrupt.h>
#include <linux/pm_runtime.h>

#include "hsl_priv.h"

/* From now on the chip is READY, or STOPPED on the way to it, or there is none. Waits for a sleep to end. */
void hsl_chip_wake(struct hsl_chip *chip)
{
	pm_runtime_get_sync(&chip->dev);	/* if it fails, the state tells */
}

/* One more who needs a chip that somebody keeps awake. */
void hsl_chip_stay_awake(struct hsl_chip *chip)
{
	pm_runtime_get_noresume(&chip->dev);
}

/* The end of each of these two. */
void hsl_chip_let_sleep(struct hsl_chip *chip)
{
	pm_runtime_put(&chip->dev);
}

void hsl_power_init(struct hsl_chip *chip)
{
	pm_runtime_no_callbacks(&chip->dev);
	pm_runtime_enable(&chip->dev);
}

/* The parent is about to go. */
void hsl_power_exit(struct hsl_chip *chip)
{
	pm_runtime_disable(&chip->dev);
	pm_runtime_set_suspended(&chip->dev);
}

int hsl_chip_runtime_suspend(struct hsl_chip *chip)
{
	int irq = chip->vectors[0].irq, err = -EBUSY;

	/* none is acknowledged any more, and what was is told: that takes registers */
	disable_irq(irq);
	flush_work(&chip->event_work);
	if (!mutex_trylock(&chip->life))
		goto enable_irq;
	if (hsl_chip_state_get(chip) == HSL_STATE_READY && !hsl_chip_answers(chip) && !work_busy(&chip->fail_work)) {
		hsl_chip_state_set(chip, HSL_STATE_ASLEEP);
		hsl_chip_barrier(chip);
		hsl_chip_quiesce(chip);
		hsl_admin_reset(chip);
		sysfs_notify(&chip->dev.kobj, NULL, "state");
		err = 0;
	}
	mutex_unlock(&chip->life);
enable_irq:
	enable_irq(irq);
	return err;
}
EXPORT_SYMBOL_GPL(hsl_chip_runtime_suspend);

int hsl_chip_runtime_resume(struct hsl_chip *chip)
{
	int err = -ENODEV;

	mutex_lock(&chip->life);
	if (hsl_chip_state_get(chip) == HSL_STATE_ASLEEP) {
		err = hsl_chip_restart(chip, "sleep");
		if (!err)
			sysfs_notify(&chip->dev.kobj, NULL, "state");
		hsl_events_look(chip, HSL_EVENT_AWAKE);
	}
	mutex_unlock(&chip->life);
	return err;
}
EXPORT_SYMBOL_GPL(hsl_chip_runtime_resume);

/* User space is frozen: nobody can take memory offline any more, so that this refuses where a reset tries. */
int hsl_chip_suspend(struct hsl_chip *chip, bool keeps_memory)
{
	if (hsl_chip_state_get(chip) == HSL_STATE_GONE)
		return 0;
	if (!keeps_memory) {
		dev_err(&chip->dev, "its memory would be lost in this sleep: suspend to idle (echo s2idle > /sys/power/mem_sleep), or unbind its driver first\n");
		return -EBUSY;
	}
	if (READ_ONCE(chip->numa.bytes)) {
		dev_err(&chip->dev, "%llu MiB of it are in use as NUMA node %d: 'hslctl mem offline' first\n",
			READ_ONCE(chip->numa.bytes) >> 20, chip->numa.node);
		return -EBUSY;
	}
	hsl_chip_reset_begin(chip);
	cancel_delayed_work_sync(&chip->overdue_work);	/* it sleeps as long as it sleeps */
	return 0;
}
EXPORT_SYMBOL_GPL(hsl_chip_suspend);
