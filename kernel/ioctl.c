// SPDX-License-Identifier: GPL-2.0-only
/*
 * ioctls: one table per kind of file, one way in and out.
 *
 * Order of checks: number (ENOTTY), size and copy (EFAULT, E2BIG, EINVAL), flags, fabric gone (ENODEV), then the
 * handler. A result that cannot be copied out is undone, so that a failure has changed nothing; that is why a new queue's
 * descriptor is installed only after the copy.
 */
#include <linux/file.h>
#include <linux/fcntl.h>
#include <linux/uaccess.h>

#include "hsl_priv.h"

/* The ABI's layout: a change here breaks users. */
static_assert(sizeof(struct hsl_info) == 48);
static_assert(sizeof(struct hsl_chip_info) == 136);
static_assert(sizeof(struct hsl_link_info) == 48);
static_assert(sizeof(struct hsl_segment_alloc) == 48);
static_assert(sizeof(struct hsl_segment_register) == 40);
static_assert(sizeof(struct hsl_segment_free) == 16);
static_assert(sizeof(struct hsl_segment_info) == 32);
static_assert(sizeof(struct hsl_segment_export) == 24);
static_assert(sizeof(struct hsl_segment_import) == 40);
static_assert(sizeof(struct hsl_segment_revoke) == 16);
static_assert(sizeof(struct hsl_queue_create) == 64);
static_assert(sizeof(struct hsl_queue_ctrl) == 128);
static_assert(sizeof(struct hsl_queue_kick) == 16);
static_assert(sizeof(struct hsl_queue_eventfd) == 16);
static_assert(sizeof(struct hsl_queue_info) == 32);
static_assert(sizeof(struct hsl_queue_abort) == 8);
static_assert(HSL_SEGMENT_READ == 1 && HSL_SEGMENT_WRITE == 2);

union hsl_arg {
	struct {
		u32 size;
		u32 flags;
	};
	struct hsl_info info;
	struct hsl_chip_info chip_info;
	struct hsl_link_info link_info;
	struct hsl_segment_alloc segment_alloc;
	struct hsl_segment_register segment_register;
	struct hsl_segment_free segment_free;
	struct hsl_segment_info segment_info;
	struct hsl_segment_export segment_export;
	struct hsl_segment_import segment_import;
	struct hsl_segment_revoke segment_revoke;
	struct hsl_queue_create queue_create;
	struct hsl_queue_kick queue_kick;
	struct hsl_queue_eventfd queue_eventfd;
	struct hsl_queue_info queue_info;
	struct hsl_queue_abort queue_abort;
};

struct hsl_call {
	void *obj;		/* context or queue */
	union hsl_arg arg;
	struct file *new_file;	/* to be installed as new_fd when the result is out */
	int new_fd;
};

struct hsl_ioctl {
	unsigned int cmd;
	u32 size, min_size;
	u32 flags;		/* allowed ones */
	int (*run)(struct hsl_call *c);
	void (*undo)(struct hsl_call *c);
	bool out_on_error;	/* the struct is written back even then */
	bool in_only;		/* never: no field is Out, and what was done cannot be undone for a copy that fails */
};

/* A new file for the caller, whose descriptor goes to *fd; or an ERR_PTR. */
static int hsl_call_add_file(struct hsl_call *c, struct file *file, s32 *fd)
{
	int new_fd;

	if (IS_ERR(file))
		return PTR_ERR(file);
	new_fd = get_unused_fd_flags(O_CLOEXEC);
	if (new_fd < 0) {
		fput(file);
		return new_fd;
	}
	*fd = new_fd;
	c->new_fd = new_fd;
	c->new_file = file;
	return 0;
}

static void hsl_call_undo_file(struct hsl_call *c)
{
	put_unused_fd(c->new_fd);
	fput(c->new_file);
	c->new_file = NULL;
}

static int hsl_ioc_info(struct hsl_call *c)
{
	struct hsl_context *ctx = c->obj;
	struct hsl_info *i = &c->arg.info;
	u32 caller = i->abi_version;

	i->abi_version = HSL_ABI_VERSION;
	if (caller >> 16 != HSL_ABI_MAJOR)
		return -EPROTO;
	i->nchips = READ_ONCE(ctx->fabric->nchips);
	i->fabric_id[0] = ctx->fabric->id[0];
	i->fabric_id[1] = ctx->fabric->id[1];
	i->host_node = ctx->fabric->host_node;
	i->ga_offset_bits = HSL_GA_OFFSET_BITS;
	i->page_size = PAGE_SIZE;
	i->ctx_index = ctx->index;
	return 0;
}

static int hsl_ioc_chip_info(struct hsl_call *c)
{
	struct hsl_context *ctx = c->obj;
	struct hsl_chip_info *i = &c->arg.chip_info;
	struct hsl_chip *chip;

	if (i->flags & HSL_CHIP_BY_INDEX)
		chip = hsl_fabric_chip_index(ctx->fabric, i->node);
	else
		chip = hsl_fabric_chip(ctx->fabric, i->node);
	if (IS_ERR(chip))
		return PTR_ERR(chip);
	i->node = chip->node;
	i->state = hsl_chip_uapi_state(chip);
	i->mem_bytes = chip->mem_bytes;
	i->mem_free_bytes = hsl_mem_avail(chip);
	i->cap = chip->cap;
	i->max_len_bytes = chip->max_len;
	i->hep_version = chip->hep_version;
	i->max_depth = chip->max_depth;
	i->nqueues = chip->nqueues - 1;
	i->nqueues_free = i->nqueues - atomic_read(&chip->nqueues_used);
	i->nlinks = chip->nlinks;
	i->numa_node = chip->numa_node;
	strscpy_pad(i->bus_addr, chip->bus_addr, sizeof(i->bus_addr));
	strscpy_pad(i->driver, chip->driver, sizeof(i->driver));
	hsl_chip_put(chip);
	return 0;
}

static int hsl_ioc_link_info(struct hsl_call *c)
{
	struct hsl_context *ctx = c->obj;
	struct hsl_link_info *i = &c->arg.link_info;
	struct hsl_chip *chip = hsl_fabric_chip(ctx->fabric, i->node);
	int err;

	if (IS_ERR(chip))
		return PTR_ERR(chip);
	err = hsl_chip_link(chip, i->index, i);
	hsl_chip_put(chip);
	return err;
}

static int hsl_ioc_segment_alloc(struct hsl_call *c)
{
	return hsl_segment_alloc(c->obj, &c->arg.segment_alloc);
}

static void hsl_ioc_segment_alloc_undo(struct hsl_call *c)
{
	hsl_segment_free(c->obj, c->arg.segment_alloc.handle);
}

static int hsl_ioc_segment_register(struct hsl_call *c)
{
	return hsl_segment_register(c->obj, &c->arg.segment_register);
}

static void hsl_ioc_segment_register_undo(struct hsl_call *c)
{
	hsl_segment_free(c->obj, c->arg.segment_register.handle);
}

static int hsl_ioc_segment_free(struct hsl_call *c)
{
	if (c->arg.segment_free.rsvd)
		return -EINVAL;
	return hsl_segment_free(c->obj, c->arg.segment_free.handle);
}

static int hsl_ioc_segment_info(struct hsl_call *c)
{
	return hsl_segment_info(c->obj, &c->arg.segment_info);
}

static int hsl_ioc_segment_export(struct hsl_call *c)
{
	struct hsl_segment_export *e = &c->arg.segment_export;
	struct hsl_export *exp;

	if (e->rsvd || !hsl_rights_valid(e->rights))
		return -EINVAL;
	exp = hsl_export_create(c->obj, e->handle, e->rights);
	if (IS_ERR(exp))
		return PTR_ERR(exp);
	return hsl_call_add_file(c, e->flags & HSL_EXPORT_DMABUF ? hsl_dmabuf_file(exp) : hsl_export_file(exp), &e->fd);
}

static int hsl_ioc_segment_import(struct hsl_call *c)
{
	return hsl_segment_import(c->obj, &c->arg.segment_import);
}

static void hsl_ioc_segment_import_undo(struct hsl_call *c)
{
	hsl_segment_free(c->obj, c->arg.segment_import.handle);
}

static int hsl_ioc_segment_revoke(struct hsl_call *c)
{
	if (c->arg.segment_revoke.rsvd)
		return -EINVAL;
	return hsl_segment_revoke(c->obj, c->arg.segment_revoke.handle);
}

static int hsl_ioc_queue_create(struct hsl_call *c)
{
	const struct hsl_queue_create *q = &c->arg.queue_create;

	/* who asks must be able to learn where it is */
	if (q->flags & HSL_QUEUE_SHADOW && q->size < offsetofend(struct hsl_queue_create, shadow_offset))
		return -EINVAL;
	return hsl_call_add_file(c, hsl_queue_create(c->obj, &c->arg.queue_create), &c->arg.queue_create.fd);
}

static int hsl_ioc_queue_kick(struct hsl_call *c)
{
	return hsl_queue_kick(c->obj, &c->arg.queue_kick);
}

static int hsl_ioc_queue_eventfd(struct hsl_call *c)
{
	return hsl_queue_eventfd(c->obj, &c->arg.queue_eventfd);
}

static int hsl_ioc_queue_info(struct hsl_call *c)
{
	if (c->arg.queue_info.rsvd)
		return -EINVAL;
	hsl_queue_info(c->obj, &c->arg.queue_info);
	return 0;
}

static int hsl_ioc_queue_abort(struct hsl_call *c)
{
	return hsl_queue_abort(c->obj);
}

/* The smallest size of a struct is that of its first version: today's, or what was before the first member added. */
#define HSL_IOCTL_MIN(nr, type, min, ...) { .cmd = (nr), .size = sizeof(struct type), .min_size = (min), __VA_ARGS__ }
#define HSL_IOCTL(nr, type, ...) HSL_IOCTL_MIN(nr, type, sizeof(struct type), __VA_ARGS__)
#define HSL_IOCTL_GREW(nr, type, added, ...) HSL_IOCTL_MIN(nr, type, offsetof(struct type, added), __VA_ARGS__)

static const struct hsl_ioctl hsl_context_ioctls[] = {
	HSL_IOCTL(HSL_IOC_INFO, hsl_info, .run = hsl_ioc_info, .out_on_error = true),
	HSL_IOCTL(HSL_IOC_CHIP_INFO, hsl_chip_info, .run = hsl_ioc_chip_info, .flags = HSL_CHIP_BY_INDEX),
	HSL_IOCTL_GREW(HSL_IOC_LINK_INFO, hsl_link_info, max_width, .run = hsl_ioc_link_info),
	HSL_IOCTL(HSL_IOC_SEGMENT_ALLOC, hsl_segment_alloc, .run = hsl_ioc_segment_alloc,
		  .undo = hsl_ioc_segment_alloc_undo, .flags = HSL_ALLOC_OBSERVABLE | HSL_ALLOC_NONCOHERENT),
	HSL_IOCTL(HSL_IOC_SEGMENT_REGISTER, hsl_segment_register, .run = hsl_ioc_segment_register,
		  .undo = hsl_ioc_segment_register_undo),
	HSL_IOCTL(HSL_IOC_SEGMENT_FREE, hsl_segment_free, .run = hsl_ioc_segment_free, .in_only = true),
	HSL_IOCTL(HSL_IOC_SEGMENT_INFO, hsl_segment_info, .run = hsl_ioc_segment_info),
	HSL_IOCTL(HSL_IOC_SEGMENT_EXPORT, hsl_segment_export, .run = hsl_ioc_segment_export,
		  .undo = hsl_call_undo_file, .flags = HSL_EXPORT_DMABUF),
	HSL_IOCTL(HSL_IOC_SEGMENT_IMPORT, hsl_segment_import, .run = hsl_ioc_segment_import,
		  .undo = hsl_ioc_segment_import_undo),
	HSL_IOCTL(HSL_IOC_SEGMENT_REVOKE, hsl_segment_revoke, .run = hsl_ioc_segment_revoke, .in_only = true),
	HSL_IOCTL_GREW(HSL_IOC_QUEUE_CREATE, hsl_queue_create, shadow_offset, .run = hsl_ioc_queue_create,
		       .undo = hsl_call_undo_file, .flags = HSL_QUEUE_SHADOW),
};

static const struct hsl_ioctl hsl_queue_ioctls[] = {
	HSL_IOCTL(HSL_IOC_QUEUE_KICK, hsl_queue_kick, .run = hsl_ioc_queue_kick, .flags = HSL_KICK_ARM, .in_only = true),
	HSL_IOCTL(HSL_IOC_QUEUE_EVENTFD, hsl_queue_eventfd, .run = hsl_ioc_queue_eventfd, .in_only = true),
	HSL_IOCTL(HSL_IOC_QUEUE_INFO, hsl_queue_info, .run = hsl_ioc_queue_info),
	HSL_IOCTL(HSL_IOC_QUEUE_ABORT, hsl_queue_abort, .run = hsl_ioc_queue_abort, .in_only = true),
};

static const struct hsl_ioctl *hsl_ioctl_find(const struct hsl_ioctl *table, unsigned int n, unsigned int cmd)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		if (table[i].cmd == cmd)
			return &table[i];
	return NULL;
}

static int hsl_ioctl_copy_in(const struct hsl_ioctl *op, union hsl_arg *arg, void __user *uarg, u32 *usize)
{
	int err;

	if (get_user(*usize, (u32 __user *)uarg))
		return -EFAULT;
	if (*usize > PAGE_SIZE)
		return -E2BIG;
	if (*usize < op->min_size)
		return -EINVAL;
	err = copy_struct_from_user(arg, op->size, uarg, *usize);
	if (err)
		return err;
	arg->size = *usize;	/* it may have changed in between; the first reading counts */
	return 0;
}

/* fabric: that must not be gone, or NULL. */
static long hsl_ioctl(const struct hsl_ioctl *op, void *obj, struct hsl_fabric *fabric, void __user *uarg)
{
	struct hsl_call c = { .obj = obj };
	u32 usize;
	int err;

	err = hsl_ioctl_copy_in(op, &c.arg, uarg, &usize);
	if (err)
		return err;
	if (c.arg.flags & ~op->flags)
		return -EINVAL;
	if (fabric && !READ_ONCE(fabric->nchips))
		return -ENODEV;
	err = op->run(&c);
	if (op->in_only || (err && !op->out_on_error))
		return err;
	if (copy_to_user(uarg, &c.arg, min(usize, op->size))) {
		if (!err && op->undo)
			op->undo(&c);
		return -EFAULT;
	}
	if (c.new_file)
		fd_install(c.new_fd, c.new_file);
	return err;
}

long hsl_context_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct hsl_context *ctx = file->private_data;
	const struct hsl_ioctl *op = hsl_ioctl_find(hsl_context_ioctls, ARRAY_SIZE(hsl_context_ioctls), cmd);

	return op ? hsl_ioctl(op, ctx, ctx->fabric, (void __user *)arg) : -ENOTTY;
}

long hsl_queue_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	const struct hsl_ioctl *op = hsl_ioctl_find(hsl_queue_ioctls, ARRAY_SIZE(hsl_queue_ioctls), cmd);

	return op ? hsl_ioctl(op, file->private_data, NULL, (void __user *)arg) : -ENOTTY;
}
