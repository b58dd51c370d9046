// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fabrics: the bus, the class, /dev/hsl<N>, chips that join and leave.
 *
 * A fabric begins with its first chip and has a device node while it has chips. When the last chip leaves the node goes at
 * once and its number is free; open files keep the struct until they close, and answer ENODEV. A chip that comes later
 * starts a new fabric then.
 *
 * While files are open, each chip holds a reference on its driver's module (open_count goes 0 -> 1 -> 0), so that rmmod is
 * refused; unbinding through sysfs is not, and ends cleanly.
 *
 * Locking: see hsl_priv.h. hsl_fabrics_lock is held over join and leave; fabric->lock nests in it.
 */
#include <linux/anon_inodes.h>
#include <linux/module.h>
#include <linux/mount.h>
#include <linux/pseudo_fs.h>

#include "hsl_priv.h"

#define HSL_MINORS	256
#define HSL_FS_MAGIC	0x48534c31

static DEFINE_MUTEX(hsl_fabrics_lock);
static LIST_HEAD(hsl_fabrics);
static DEFINE_IDA(hsl_minors);
static dev_t hsl_devt;

/* ---- one inode per fabric, whose address_space all mappings share ---- */

static int hsl_fs_init_context(struct fs_context *fc)
{
	return init_pseudo(fc, HSL_FS_MAGIC) ? 0 : -ENOMEM;
}

static struct file_system_type hsl_fs_type = {
	.name = "hsl",
	.owner = THIS_MODULE,
	.init_fs_context = hsl_fs_init_context,
	.kill_sb = kill_anon_super,
};

static struct vfsmount *hsl_fs_mount;
static int hsl_fs_count;

static struct inode *hsl_inode_new(void)
{
	struct inode *inode;
	int err;

	err = simple_pin_fs(&hsl_fs_type, &hsl_fs_mount, &hsl_fs_count);
	if (err)
		return ERR_PTR(err);
	inode = alloc_anon_inode(hsl_fs_mount->mnt_sb);
	if (IS_ERR(inode))
		simple_release_fs(&hsl_fs_mount, &hsl_fs_count);
	return inode;
}

static void hsl_inode_free(struct inode *inode)
{
	iput(inode);
	simple_release_fs(&hsl_fs_mount, &hsl_fs_count);
}

/* ---- bus and class ---- */

static int hsl_bus_uevent(struct hsl_chip *chip, struct kobj_uevent_env *env)
{
	int err = add_uevent_var(env, "HSL_NODE=%u", chip->node);

	if (!err)
		err = add_uevent_var(env, "HSL_FABRIC=%016llx%016llx", chip->fabric_id[1], chip->fabric_id[0]);
	if (!err)
		err = add_uevent_var(env, "HSL_STATE=%s", hsl_chip_state_name(hsl_chip_state_get(chip)));
	return err;
}

#ifdef HSL_HAVE_BUS_UEVENT_CONST
static int hsl_uevent(const struct device *dev, struct kobj_uevent_env *env)
#else
static int hsl_uevent(struct device *dev, struct kobj_uevent_env *env)
#endif
{
	return hsl_bus_uevent(container_of((struct device *)dev, struct hsl_chip, dev), env);
}

struct bus_type hsl_bus_type = {
	.name = "hsl",
	.uevent = hsl_uevent,
};

/* Contexts are isolated from each other, so everybody may open a fabric; udev rules may say otherwise. */
static char *hsl_devnode(HSL_DEVNODE_CONST struct device *dev, umode_t *mode)
{
	if (mode)
		*mode = 0666;
	return NULL;
}

static struct class hsl_class = {
	.name = "hsl",
	.devnode = hsl_devnode,
};

/* ---- fabrics ---- */

static void hsl_fabric_release(struct device *dev)
{
	struct hsl_fabric *f = container_of(dev, struct hsl_fabric, dev);
	int i;

	hsl_inode_free(f->inode);
	for (i = 0; i < HSL_HOST_GA_CLASSES; i++)
		ida_destroy(&f->host_ga[i]);
	ida_destroy(&f->ctx_ida);
	xa_destroy(&f->chips);
	xa_destroy(&f->left);
	kfree(f);
}

static struct hsl_fabric *hsl_fabric_new(const u64 id[2], u32 host_node)
{
	struct hsl_fabric *f;
	int i, err;

	f = kzalloc(sizeof(*f), GFP_KERNEL);
	if (!f)
		return ERR_PTR(-ENOMEM);
	f->minor = ida_alloc_max(&hsl_minors, HSL_MINORS - 1, GFP_KERNEL);
	if (f->minor < 0) {
		err = f->minor;
		goto free_fabric;
	}
	f->inode = hsl_inode_new();
	if (IS_ERR(f->inode)) {
		err = PTR_ERR(f->inode);
		goto free_minor;
	}
	f->id[0] = id[0];
	f->id[1] = id[1];
	f->host_node = host_node;
	xa_init(&f->chips);
	xa_init(&f->left);
	mutex_init(&f->lock);
	mutex_init(&f->share_lock);
	hsl_events_init(&f->events);
	INIT_LIST_HEAD(&f->contexts);
	ida_init(&f->ctx_ida);
	for (i = 0; i < HSL_HOST_GA_CLASSES; i++)
		ida_init(&f->host_ga[i]);

	device_initialize(&f->dev);
	device_set_pm_not_required(&f->dev);	/* nothing of it sleeps; its end waits for no work of that under locks */
	f->dev.class = &hsl_class;
	f->dev.groups = hsl_fabric_groups;
	f->dev.release = hsl_fabric_release;
	f->dev.devt = MKDEV(MAJOR(hsl_devt), f->minor);
	err = dev_set_name(&f->dev, "hsl%d", f->minor);
	if (err) {
		ida_free(&hsl_minors, f->minor);
		put_device(&f->dev);
		return ERR_PTR(err);
	}
	cdev_init(&f->cdev, &hsl_context_fops);
	f->cdev.owner = THIS_MODULE;
	return f;

free_minor:
	ida_free(&hsl_minors, f->minor);
free_fabric:
	kfree(f);
	return ERR_PTR(err);
}

static struct hsl_fabric *hsl_fabric_find(const u64 id[2])
{
	struct hsl_fabric *f;

	list_for_each_entry(f, &hsl_fabrics, link)
		if (f->id[0] == id[0] && f->id[1] == id[1])
			return f;
	return NULL;
}

static int hsl_fabric_add_chip(struct hsl_fabric *f, struct hsl_chip *chip)
{
	int err = 0;

	if (f->host_node != chip->host_node) {
		dev_err(chip->parent, "host node %u, but other chips of this fabric say %u: configure one host node\n",
			chip->host_node, f->host_node);
		return -EINVAL;
	}
	mutex_lock(&f->lock);
	err = xa_insert(&f->chips, chip->node, chip, GFP_KERNEL);
	if (err == -EBUSY)
		dev_err(chip->parent, "node %u is in use on this fabric already: give each chip its own node id\n",
			chip->node);
	if (!err && f->open_count && !try_module_get(chip->p.owner)) {
		xa_erase(&f->chips, chip->node);
		err = -ENODEV;
	}
	if (!err) {
		chip->owner_held = f->open_count;
		xa_erase(&f->left, chip->node);
		chip->fabric = f;
		f->nchips++;
	}
	mutex_unlock(&f->lock);
	return err;
}

/* The chip joins the fabric it names, which is made if it is the first. */
int hsl_fabric_join(struct hsl_chip *chip)
{
	struct hsl_fabric *f;
	bool first = false;
	int err;

	mutex_lock(&hsl_fabrics_lock);
	f = hsl_fabric_find(chip->fabric_id);
	if (!f) {
		f = hsl_fabric_new(chip->fabric_id, chip->host_node);
		if (IS_ERR(f)) {
			mutex_unlock(&hsl_fabrics_lock);
			return PTR_ERR(f);
		}
		first = true;
	}
	get_device(&f->dev);	/* the chip's */
	err = hsl_fabric_add_chip(f, chip);
	if (err)
		goto put_fabric;
	if (first) {
		err = cdev_device_add(&f->cdev, &f->dev);
		if (err)
			goto remove_chip;
		list_add_tail(&f->link, &hsl_fabrics);
		hsl_debugfs_add(f);
		put_device(&f->dev);	/* of hsl_fabric_new: chips and files keep it now */
	}
	hsl_debugfs_add_chip(chip);
	mutex_unlock(&hsl_fabrics_lock);
	return 0;

remove_chip:
	xa_erase(&f->chips, chip->node);
	chip->fabric = NULL;
put_fabric:
	put_device(&f->dev);
	if (first) {
		ida_free(&hsl_minors, f->minor);
		put_device(&f->dev);
	}
	mutex_unlock(&hsl_fabrics_lock);
	return err;
}

/* From now on nobody finds the chip. The chip's reference on the fabric stays until the chip is released. */
void hsl_fabric_leave(struct hsl_chip *chip)
{
	struct hsl_fabric *f = chip->fabric;

	mutex_lock(&hsl_fabrics_lock);
	mutex_lock(&f->lock);
	xa_store(&f->left, chip->node, xa_mk_value(1), GFP_KERNEL);	/* failing costs a better errno only */
	xa_erase(&f->chips, chip->node);
	f->nchips--;
	if (chip->owner_held)
		module_put(chip->p.owner);
	chip->owner_held = false;
	mutex_unlock(&f->lock);
	hsl_debugfs_remove_chip(chip);
	hsl_event_post(f, HSL_FABRIC_EV_CHIP_REMOVE, chip->node, 0, 0);
	if (!f->nchips) {
		hsl_events_end(f);
		list_del(&f->link);
		hsl_debugfs_remove(f);
		cdev_device_del(&f->cdev, &f->dev);
		ida_free(&hsl_minors, f->minor);
	}
	mutex_unlock(&hsl_fabrics_lock);
}

/* A chip with a reference, or ERR_PTR: ENODEV if it has left, ENOENT if it was never there. */
struct hsl_chip *hsl_fabric_chip(struct hsl_fabric *f, u32 node)
{
	struct hsl_chip *chip;

	xa_lock(&f->chips);
	chip = xa_load(&f->chips, node);
	if (chip)
		hsl_chip_get(chip);
	xa_unlock(&f->chips);
	if (chip)
		return chip;
	return ERR_PTR(xa_load(&f->left, node) ? -ENODEV : -ENOENT);
}

struct hsl_chip *hsl_fabric_chip_index(struct hsl_fabric *f, u32 index)
{
	struct hsl_chip *chip, *found = NULL;
	unsigned long node;

	xa_lock(&f->chips);
	xa_for_each(&f->chips, node, chip) {
		if (!index--) {
			found = hsl_chip_get(chip);
			break;
		}
	}
	xa_unlock(&f->chips);
	return found ?: ERR_PTR(-ENOENT);
}

static void hsl_fabric_put_owners(struct hsl_fabric *f)
{
	struct hsl_chip *chip;
	unsigned long node;

	xa_for_each(&f->chips, node, chip) {
		if (chip->owner_held)
			module_put(chip->p.owner);
		chip->owner_held = false;
	}
}

int hsl_fabric_open_begin(struct hsl_fabric *f, struct hsl_context *ctx)
{
	struct hsl_chip *chip;
	unsigned long node;
	int err = 0;

	if (mutex_lock_killable(&f->lock))
		return -EINTR;
	if (!f->nchips)
		err = -ENODEV;
	if (!err && !f->open_count) {
		xa_for_each(&f->chips, node, chip) {
			chip->owner_held = try_module_get(chip->p.owner);
			if (!chip->owner_held)
				err = -ENODEV;
		}
		if (err)
			hsl_fabric_put_owners(f);
	}
	if (!err) {
		f->open_count++;
		list_add_tail(&ctx->link, &f->contexts);
	}
	mutex_unlock(&f->lock);
	return err;
}

void hsl_fabric_open_end(struct hsl_fabric *f, struct hsl_context *ctx)
{
	mutex_lock(&f->lock);
	list_del(&ctx->link);
	if (!--f->open_count)
		hsl_fabric_put_owners(f);
	mutex_unlock(&f->lock);
}

/* ---- the file ---- */

static int hsl_context_fop_open(struct inode *inode, struct file *file)
{
	struct hsl_fabric *f = container_of(inode->i_cdev, struct hsl_fabric, cdev);
	struct hsl_context *ctx;

	ctx = hsl_context_open(f);
	if (IS_ERR(ctx))
		return PTR_ERR(ctx);
	file->private_data = ctx;
	file->f_mapping = f->inode->i_mapping;
	return nonseekable_open(inode, file);
}

static int hsl_context_fop_release(struct inode *inode, struct file *file)
{
	hsl_context_shutdown(file->private_data);
	return 0;
}

const struct file_operations hsl_context_fops = {
	.owner = THIS_MODULE,
	.open = hsl_context_fop_open,
	.release = hsl_context_fop_release,
	.read = hsl_context_read,
	.poll = hsl_context_poll,
	.unlocked_ioctl = hsl_context_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.mmap = hsl_context_mmap,
	.llseek = noop_llseek,
};

static int __init hsl_init(void)
{
	int err;

	err = hsl_numa_begin();
	if (err)
		return err;
	err = bus_register(&hsl_bus_type);
	if (err)
		goto end_numa;
	err = class_register(&hsl_class);
	if (err)
		goto unregister_bus;
	err = alloc_chrdev_region(&hsl_devt, 0, HSL_MINORS, "hsl");
	if (err)
		goto unregister_class;
	hsl_debugfs_init();
	return 0;

unregister_class:
	class_unregister(&hsl_class);
unregister_bus:
	bus_unregister(&hsl_bus_type);
end_numa:
	hsl_numa_end();
	return err;
}

static void __exit hsl_exit(void)
{
	hsl_debugfs_exit();
	unregister_chrdev_region(hsl_devt, HSL_MINORS);
	class_unregister(&hsl_class);
	bus_unregister(&hsl_bus_type);
	hsl_numa_end();
	ida_destroy(&hsl_minors);
	rcu_barrier();
}

module_init(hsl_init);
module_exit(hsl_exit);
MODULE_DESCRIPTION("HSL chip-to-chip fabric: bus and core");
MODULE_LICENSE("GPL");
MODULE_VERSION(__stringify(HSL_VERSION));
