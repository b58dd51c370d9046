// SPDX-License-Identifier: GPL-2.0-only
/*
 * Test module, built by qemu/modules only: the other driver of tests/guest/dmabuf. /dev/hsl_test_dmabuf exports dma-bufs of
 * ordinary pages and imports those of others as a peer-to-peer device does. Addresses for DMA are taken for physical
 * ones, so without an IOMMU only. Root only; one thread.
 */
#include <linux/dma-buf.h>
#include <linux/dma-mapping.h>
#include <linux/dma-resv.h>
#include <linux/io.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/platform_device.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "compat.h"

#ifdef HSL_HAVE_IMPORT_NS_IDENT
MODULE_IMPORT_NS(DMA_BUF);
#else
MODULE_IMPORT_NS("DMA_BUF");
#endif

#define TEST_MAKE	0x7401	/* arg: pages; gives a descriptor */
#define TEST_STATIC	0x7402	/* arg: descriptor; attach as a device without peer-to-peer */
#define TEST_ATTACH	0x7403	/* arg: descriptor; attach and map, until TEST_DETACH or close */
#define TEST_DETACH	0x7404
#define TEST_READ	0x7405	/* arg: struct test_access */
#define TEST_WRITE	0x7406
#define TEST_NOTIFIED	0x7407	/* how often the exporter said to let go */

struct test_access {
	u64 off, buf;
	u32 len, rsvd;
};

static struct platform_device *test_pdev;
static struct dma_buf *test_buf;	/* of the attachment */
static struct dma_buf_attachment *test_att;
static struct sg_table *test_sgt;
static unsigned int test_notified;

/* ---- exporter ---- */

struct test_pages {
	unsigned long n;
	struct page *page[];
};

static struct sg_table *test_map(struct dma_buf_attachment *att, enum dma_data_direction dir)
{
	struct test_pages *p = att->dmabuf->priv;
	struct sg_table *sgt = kzalloc(sizeof(*sgt), GFP_KERNEL);
	int err;

	if (!sgt)
		return ERR_PTR(-ENOMEM);
	err = sg_alloc_table_from_pages(sgt, p->page, p->n, 0, p->n << PAGE_SHIFT, GFP_KERNEL);
	if (err)
		goto free_sgt;
	err = dma_map_sgtable(att->dev, sgt, dir, 0);
	if (!err)
		return sgt;
	sg_free_table(sgt);
free_sgt:
	kfree(sgt);
	return ERR_PTR(err);
}

static void test_unmap(struct dma_buf_attachment *att, struct sg_table *sgt, enum dma_data_direction dir)
{
	dma_unmap_sgtable(att->dev, sgt, dir, 0);
	sg_free_table(sgt);
	kfree(sgt);
}

static int test_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma)
{
	struct test_pages *p = dmabuf->priv;

	return vm_map_pages(vma, p->page, p->n);
}

static void test_pages_free(struct test_pages *p)
{
	unsigned long i;

	for (i = 0; i < p->n && p->page[i]; i++)
		__free_page(p->page[i]);
	kfree(p);
}

static void test_release(struct dma_buf *dmabuf)
{
	test_pages_free(dmabuf->priv);
}

static const struct dma_buf_ops test_ops = {
	.map_dma_buf = test_map,
	.unmap_dma_buf = test_unmap,
	.mmap = test_mmap,
	.release = test_release,
};

static long test_make(unsigned long n)
{
	DEFINE_DMA_BUF_EXPORT_INFO(info);
	struct dma_buf *dmabuf;
	struct test_pages *p;
	unsigned long i;
	int fd;

	if (!n || n > 1024)
		return -EINVAL;
	p = kzalloc(struct_size(p, page, n), GFP_KERNEL);
	if (!p)
		return -ENOMEM;
	p->n = n;
	for (i = 0; i < n; i++) {
		p->page[i] = alloc_page(GFP_KERNEL | __GFP_ZERO);
		if (!p->page[i]) {
			test_pages_free(p);
			return -ENOMEM;
		}
	}
	info.ops = &test_ops;
	info.size = n << PAGE_SHIFT;
	info.flags = O_RDWR;
	info.priv = p;
	dmabuf = dma_buf_export(&info);
	if (IS_ERR(dmabuf)) {
		test_pages_free(p);
		return PTR_ERR(dmabuf);
	}
	fd = dma_buf_fd(dmabuf, O_CLOEXEC);
	if (fd < 0)
		dma_buf_put(dmabuf);
	return fd;
}

/* ---- importer ---- */

static void test_unmap_now(void)
{
	if (test_sgt)
		dma_buf_unmap_attachment(test_att, test_sgt, DMA_BIDIRECTIONAL);
	test_sgt = NULL;
}

/* The resv lock is held. */
static void test_invalidate_mappings(struct dma_buf_attachment *att)
{
	test_notified++;
	if (att == test_att)
		test_unmap_now();
}

static const struct dma_buf_attach_ops test_attach_ops = {
	.allow_peer2peer = true,
	.invalidate_mappings = test_invalidate_mappings,
};

static long test_static(int fd)
{
	struct dma_buf *dmabuf = dma_buf_get(fd);
	struct dma_buf_attachment *att;
	long err = 0;

	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);
	att = dma_buf_attach(dmabuf, &test_pdev->dev);
	if (IS_ERR(att))
		err = PTR_ERR(att);
	else
		dma_buf_detach(dmabuf, att);
	dma_buf_put(dmabuf);
	return err;
}

static void test_detach(void)
{
	if (!test_att)
		return;
	dma_resv_lock(test_buf->resv, NULL);
	test_unmap_now();
	dma_resv_unlock(test_buf->resv);
	dma_buf_detach(test_buf, test_att);
	dma_buf_put(test_buf);
	test_att = NULL;
	test_buf = NULL;
}

static long test_attach(int fd)
{
	struct sg_table *sgt;

	test_detach();
	test_notified = 0;
	test_buf = dma_buf_get(fd);
	if (IS_ERR(test_buf))
		return PTR_ERR(test_buf);
	test_att = dma_buf_dynamic_attach(test_buf, &test_pdev->dev, &test_attach_ops, NULL);
	if (IS_ERR(test_att)) {
		long err = PTR_ERR(test_att);

		test_att = NULL;
		dma_buf_put(test_buf);
		return err;
	}
	dma_resv_lock(test_buf->resv, NULL);
	sgt = dma_buf_map_attachment(test_att, DMA_BIDIRECTIONAL);
	if (!IS_ERR(sgt))
		test_sgt = sgt;
	dma_resv_unlock(test_buf->resv);
	if (IS_ERR(sgt)) {
		test_detach();
		return PTR_ERR(sgt);
	}
	return 0;
}

/* Inside one entry of the table. */
static phys_addr_t test_address(u64 off, u32 len)
{
	struct scatterlist *sg;
	unsigned int i;

	for_each_sgtable_dma_sg(test_sgt, sg, i) {
		if (off < sg_dma_len(sg))
			return len <= sg_dma_len(sg) - off ? sg_dma_address(sg) + off : 0;
		off -= sg_dma_len(sg);
	}
	return 0;
}

static long test_access(struct test_access __user *ua, bool write)
{
	struct test_access a;
	phys_addr_t at;
	void *va;
	long err;

	if (copy_from_user(&a, ua, sizeof(a)))
		return -EFAULT;
	if (!test_sgt || !a.len || a.len > PAGE_SIZE)
		return -EINVAL;
	at = test_address(a.off, a.len);
	va = at ? memremap(at, a.len, MEMREMAP_WB) : NULL;
	if (!va)
		return -ERANGE;
	if (write)
		err = copy_from_user(va, u64_to_user_ptr(a.buf), a.len) ? -EFAULT : 0;
	else
		err = copy_to_user(u64_to_user_ptr(a.buf), va, a.len) ? -EFAULT : 0;
	memunmap(va);
	return err;
}

static long test_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	switch (cmd) {
	case TEST_MAKE:
		return test_make(arg);
	case TEST_STATIC:
		return test_static(arg);
	case TEST_ATTACH:
		return test_attach(arg);
	case TEST_DETACH:
		test_detach();
		return 0;
	case TEST_READ:
	case TEST_WRITE:
		return test_access((void __user *)arg, cmd == TEST_WRITE);
	case TEST_NOTIFIED:
		return test_notified;
	}
	return -ENOTTY;
}

static int test_close(struct inode *inode, struct file *file)
{
	test_detach();
	return 0;
}

static const struct file_operations test_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = test_ioctl,
	.release = test_close,
};

static struct miscdevice test_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "hsl_test_dmabuf",
	.fops = &test_fops,
	.mode = 0600,
};

static int __init test_init(void)
{
	int err;

	test_pdev = platform_device_register_simple("hsl_test_dmabuf", PLATFORM_DEVID_NONE, NULL, 0);
	if (IS_ERR(test_pdev))
		return PTR_ERR(test_pdev);
	err = dma_coerce_mask_and_coherent(&test_pdev->dev, DMA_BIT_MASK(64));
	if (!err)
		err = misc_register(&test_misc);
	if (err)
		platform_device_unregister(test_pdev);
	return err;
}
module_init(test_init);

static void __exit test_exit(void)
{
	misc_deregister(&test_misc);
	platform_device_unregister(test_pdev);
}
module_exit(test_exit);

MODULE_DESCRIPTION("HSL tests: a driver that exports and imports dma-bufs");
MODULE_LICENSE("GPL");
