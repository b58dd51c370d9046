// SPDX-License-Identifier: GPL-2.0-only
/*
 * Interrupts: vector 0 tells events, the others wake queues.
 *
 * Queues are spread over the vectors from 1 on (over vector 0 if it is the only one). A handler walks its vector's queues
 * under vector->lock; a queue leaves the list under that lock before its end is published, so that no handler touches
 * it later. With more queues than vectors a queue may be woken for a neighbour: poll looks at its own completion ring.
 *
 * CPUs have some 200 vectors each, for all devices: many chips would use them up and leave none for the next one. So only
 * vector 0 is requested for as long as the chip is there, the others while queues use them; a queue for which there is none
 * shares vector 0.
 *
 * An event is acknowledged exactly as read (EVENT is write-one-to-clear) and worked on in event_work, which may sleep.
 */
#include <linux/interrupt.h>

#include "hsl_priv.h"
#include "trace.h"

/* Have event_work see to these. */
void hsl_events_look(struct hsl_chip *chip, u32 events)
{
	atomic_or(events, &chip->events);
	schedule_work(&chip->event_work);
}

static void hsl_irq_events(struct hsl_chip *chip)
{
	u32 events;

	if (hsl_chip_state_get(chip) != HSL_STATE_READY)
		return;
	events = readl(chip->p.regs + HSL_REG_EVENT);
	if (!events || events == ~0u)
		return;
	writel(events, chip->p.regs + HSL_REG_EVENT);
	hsl_events_look(chip, events & HSL_EVENT_ALL);
}

static irqreturn_t hsl_irq(int irq, void *arg)
{
	struct hsl_vector *v = arg;
	struct hsl_queue *q;

	if (!v->index)
		hsl_irq_events(v->chip);
	spin_lock(&v->lock);
	list_for_each_entry(q, &v->queues, vec_link) {
		wake_up(&q->wq);
		if (q->eventfd)
			hsl_eventfd_signal(q->eventfd);
	}
	spin_unlock(&v->lock);
	return IRQ_HANDLED;
}

void hsl_event_work(struct work_struct *work)
{
	struct hsl_chip *chip = container_of(work, struct hsl_chip, event_work);
	u32 events = atomic_xchg(&chip->events, 0);

	if (events & HSL_EVENT_ALL)
		trace_hsl_chip_event(chip->node, events & HSL_EVENT_ALL);
	if (events & HSL_EVENT_FATAL)
		hsl_chip_fail(chip, "it reports a fatal error");
	if (events & HSL_EVENT_QUEUE_ERROR)
		hsl_queue_check_all(chip);
	if (events & (HSL_EVENT_LINK | HSL_EVENT_AWAKE) &&
	    (hsl_chip_links_check(chip) || events & HSL_EVENT_LINK))
		kobject_uevent(&chip->dev.kobj, KOBJ_CHANGE);
}

static int hsl_vector_request(struct hsl_vector *v)
{
	return request_irq(v->irq, hsl_irq, 0, v->name, v);
}

struct hsl_vector *hsl_vector_get(struct hsl_chip *chip, unsigned int qid)
{
	unsigned int n = chip->nvectors;
	struct hsl_vector *v = &chip->vectors[n > 1 ? 1 + qid % (n - 1) : 0];

	mutex_lock(&chip->vectors_lock);
	if (!v->users && hsl_vector_request(v))
		v = chip->vectors;
	v->users++;
	mutex_unlock(&chip->vectors_lock);
	return v;
}

void hsl_vector_put(struct hsl_vector *v)
{
	mutex_lock(&v->chip->vectors_lock);
	if (!--v->users)
		free_irq(v->irq, v);
	mutex_unlock(&v->chip->vectors_lock);
}

int hsl_irq_init(struct hsl_chip *chip)
{
	unsigned int i, n = min_t(unsigned int, chip->p.nirqs, HSL_VECTORS_MAX);
	int err;

	chip->vectors = kcalloc(n, sizeof(*chip->vectors), GFP_KERNEL);
	if (!chip->vectors)
		return -ENOMEM;
	for (i = 0; i < n; i++) {
		struct hsl_vector *v = &chip->vectors[i];

		v->chip = chip;
		v->index = i;
		v->irq = chip->p.irqs[i];
		spin_lock_init(&v->lock);
		INIT_LIST_HEAD(&v->queues);
		snprintf(v->name, sizeof(v->name), "hsl-%s-%u", chip->bus_addr, i);
	}
	err = hsl_vector_request(chip->vectors);
	if (err) {
		dev_err(chip->parent, "vector 0 (irq %d) cannot be requested: %d\n", chip->vectors->irq, err);
		return err;
	}
	chip->vectors->users = 1;
	chip->nvectors = n;
	return 0;
}

/* All queues have ended. The array itself stays until the chip is released: late queue files look into it. */
void hsl_irq_exit(struct hsl_chip *chip)
{
	hsl_vector_put(chip->vectors);
}
