// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * A driver that says what no driver here would say, for doctor.sh: preloaded, it answers the ioctls that hslctl doctor asks, on
 * any character device, about three chips in a ring, in one way that HSL_FAKE names. It makes no queues. Where chip 2 does not
 * answer the link of the two others is down, so that their way goes over it.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <hsl/regs.h>
#include <linux/hsl.h>

#define CHIPS	3u

static int is(const char *what)
{
	const char *fake = getenv("HSL_FAKE");

	return fake && !strcmp(fake, what);
}

static int info(struct hsl_info *i)
{
	static int asked;

	i->abi_version = HSL_ABI_VERSION;
	i->nchips = is("no-chips") ? 0 : is("unbound") ? CHIPS - 1 : CHIPS;
	i->host_node = HSL_NODE_HOST_DEFAULT;
	i->ga_offset_bits = HSL_GA_OFFSET_BITS;
	i->page_size = 4096;
	if (is("abi")) {
		i->abi_version = (HSL_ABI_MAJOR + 1) << 16 | 7;
		return EPROTO;
	}
	return is("gone") && asked++ > 1 ? ENODEV : 0;	/* doctor's own question, the open, then this */
}

static int chip_info(struct hsl_chip_info *c)
{
	uint32_t node = c->flags & HSL_CHIP_BY_INDEX ? c->node + 1 : c->node;

	if (is("unbound") && c->flags & HSL_CHIP_BY_INDEX && node > 1)
		node++;
	if (node < 1 || node > CHIPS || (node == 2 && (is("left") || is("unbound"))))
		return ENOENT;
	*c = (struct hsl_chip_info){
		.size = c->size, .node = node, .mem_bytes = 1 << 28, .mem_free_bytes = is("memory") ? 0 : 1 << 28,
		.hep_version = is("hep") ? (HSL_HEP_MAJOR + 1) << 16 | 3 : HSL_HEP_VERSION,
		.state = is("resetting") ? HSL_CHIP_RESETTING : is("failed") && node == 2 ? HSL_CHIP_FAILED : HSL_CHIP_READY,
		.cap = is("sensors") ? HSL_CAP_SENSORS : 0,
		.nqueues = 63, .nqueues_free = is("queues") ? 0 : 63, .nlinks = 2, .numa_node = -1,
		.bus_addr = "0000:0a:00.0", .driver = "fake",
	};
	return 0;
}

/* Link 0 goes up, link 1 down; what is wrong is wrong at both ends of 1-2. */
static int link_info(struct hsl_link_info *l)
{
	uint32_t n = l->node, up = n % CHIPS + 1, down = (n + CHIPS - 2) % CHIPS + 1, peer = l->index ? down : up;
	int here = n + peer == 3, of2 = n == 2 || peer == 2;
	uint32_t max = is("lane") || (is("one-tells") && n == 1) ? 16 : is("half") || (is("mixed") && n != 1) ? n == 2 ? 8 : 16 : 0;

	if (n == 2 && (is("failed") || is("unbound")))
		return ENODEV;
	if (l->index > 1)
		return ENOENT;
	*l = (struct hsl_link_info){
		.size = l->size, .node = n, .index = l->index, .peer = peer, .peer_type = HSL_NODE_TYPE_CHIP,
		.state = n + peer == 4 && (is("failed") || is("unbound")) ? HSL_LTSSM_DISABLED : HSL_LTSSM_L0,
		.width = is("lane") || ((is("half") || is("mixed")) && of2) || (here && (is("narrow") || is("one-tells"))) ? 8 : 16,
		.rate_mtps = is("rate") || (here && is("slow")) ? 56000 : 112000, .latency_ps = 91143,
		.max_width = is("rate") ? 16 : max, .max_rate_mtps = is("rate") || max ? 112000 : 0,
	};
	return 0;
}

int ioctl(int fd, unsigned long req, ...)
{
	void *arg;
	va_list ap;
	int err;

	va_start(ap, req);
	arg = va_arg(ap, void *);
	va_end(ap);
	switch (req) {
	case HSL_IOC_INFO:
		err = info(arg);
		break;
	case HSL_IOC_CHIP_INFO:
		err = chip_info(arg);
		break;
	case HSL_IOC_LINK_INFO:
		err = link_info(arg);
		break;
	case HSL_IOC_QUEUE_CREATE:
		err = EDQUOT;
		break;
	default:
		return (int)syscall(SYS_ioctl, fd, req, arg);
	}
	errno = err;
	return err ? -1 : 0;
}
