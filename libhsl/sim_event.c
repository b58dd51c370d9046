// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Events of a sim fabric: the last SIM_EVENTS in a ring, numbered from 1 on, a cursor and an eventfd per context. The eventfd
 * is readable while the context has not read all.
 *
 * Links: a chip says by EVENT.LINK that one has changed; which one is found by comparing its link blocks with what was seen
 * last, as a driver does. That happens in the interrupt callback, in whatever thread, with events_lock only.
 */
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "sim.h"

/* events_lock held */
static void post(struct sim_fabric *f, uint32_t type, uint32_t node, uint32_t index, uint32_t value)
{
	const uint64_t one = 1;
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	f->events[f->next_event % SIM_EVENTS] = (struct hsl_fabric_event){
		.seq = f->next_event,
		.time_ns = (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec,
		.type = type, .node = node, .index = index, .value = value,
	};
	f->next_event++;
	for (struct hslp_sim_context *x = f->readers; x; x = x->next_reader)
		if (write(x->event_fd, &one, sizeof(one)) < 0 && errno != EAGAIN)
			hslp_warn("sim: eventfd: write failed with %d", errno);
}

void sim_event_post(struct sim_fabric *f, uint32_t type, uint32_t node, uint32_t index, uint32_t value)
{
	pthread_mutex_lock(&f->events_lock);
	post(f, type, node, index, value);
	pthread_mutex_unlock(&f->events_lock);
}

static uint32_t link_state(struct sim_chip *c, uint32_t i)
{
	return (uint32_t)hsl_chip_mmio_read(c->engine, HSL_REG_LINK(i) + HSL_LINK_O_STATE, 4);
}

void sim_event_links(struct sim_chip *c, bool quiet)
{
	struct sim_fabric *f = c->fabric;
	uint32_t n = (uint32_t)hsl_chip_mmio_read(c->engine, HSL_REG_NLINKS, 4);

	pthread_mutex_lock(&f->events_lock);
	for (uint32_t i = 0; i < n && i < HSL_LINK_MAX; i++) {
		uint32_t state = link_state(c, i);

		if (state != c->link_state[i] && !quiet)
			post(f, HSL_FABRIC_EV_LINK, c->node, i, state);
		c->link_state[i] = state;
	}
	pthread_mutex_unlock(&f->events_lock);
}

int sim_event_open(struct hslp_sim_context *x)
{
	struct sim_fabric *f = x->fabric;

	x->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (x->event_fd < 0)
		return -errno;
	pthread_mutex_lock(&f->events_lock);
	x->next_event = f->next_event;
	x->next_reader = f->readers;
	f->readers = x;
	pthread_mutex_unlock(&f->events_lock);
	return 0;
}

void sim_event_close(struct hslp_sim_context *x)
{
	struct sim_fabric *f = x->fabric;
	struct hslp_sim_context **p = &f->readers;

	pthread_mutex_lock(&f->events_lock);
	while (*p != x)
		p = &(*p)->next_reader;
	*p = x->next_reader;
	pthread_mutex_unlock(&f->events_lock);
	close(x->event_fd);
}

int sim_event_fd(struct hsl_fabric *f)
{
	return f->sim->event_fd;
}

int sim_event_read(struct hsl_fabric *f, struct hsl_fabric_event *ev, unsigned int n)
{
	struct hslp_sim_context *x = f->sim;
	struct sim_fabric *sf = x->fabric;
	unsigned int got = 0;
	uint64_t count;

	pthread_mutex_lock(&sf->events_lock);
	if (sf->next_event - x->next_event > SIM_EVENTS) {
		uint64_t oldest = sf->next_event - SIM_EVENTS, lost = oldest - x->next_event;

		ev[got++] = (struct hsl_fabric_event){ .seq = oldest - 1, .time_ns = sf->events[oldest % SIM_EVENTS].time_ns,
						      .type = HSL_FABRIC_EV_OVERFLOW,
						      .value = lost > UINT32_MAX ? UINT32_MAX : (uint32_t)lost };
		x->next_event = oldest;
	}
	while (got < n && x->next_event != sf->next_event)
		ev[got++] = sf->events[x->next_event++ % SIM_EVENTS];
	if (x->next_event == sf->next_event && read(x->event_fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
		hslp_warn("sim: eventfd: read failed with %d", errno);
	pthread_mutex_unlock(&sf->events_lock);
	return (int)got;
}
