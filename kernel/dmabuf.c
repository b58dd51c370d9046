// SPDX-License-Identifier: GPL-2.0-only
/*
 * dma-bufs: a chip segment for other drivers, and memory of other drivers as a segment (HEP-MAP-020).
 *
 * Export. A dma-buf is another kind of file of a struct hsl_export (share.c). Chip memory has no struct page: an importer must
 * be able to do without (allow_peer2peer, which only dynamic ones have), and gets bus addresses. The CPU reaches the bytes by mmap
 * of the dma-buf; its mappings lie at their GA in the fabric's address_space, so that all that zaps chip memory finds them. A
 * revoke marks the dma-buf dead, zaps and tells importers to let go (invalidate_mappings); they get no new mapping. Each DMA
 * mapping holds the memory, so what does not let go reads old bytes and never the next owner's. Importers are told, too, when the
 * chip leaves.
 *
 * Import. A foreign dma-buf is host memory that somebody else keeps: struct hsl_host without pages, attached and mapped for each
 * chip that the context uses. Static attachments: the exporter keeps the memory in place.
 */
#include "hsl_priv.h"
#include "trace.h"

#if IS_ENABLED(CONFIG_DMA_SHARED_BUFFER)

#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/module.h>
#include <linux/scatterlist.h>

#ifdef HSL_HAVE_IMPORT_NS_IDENT
MODULE_IMPORT_NS(DMA_BUF);
#else
MODULE_IMPORT_NS("DMA_BUF");
#endif

#define HSL_SG_MAX	(1ul << 30)	/* bytes of one entry: sg lengths have 32 bits */

struct hsl_dmabuf {
	struct hsl_export *exp;		/* reference of dmabuf; frees this struct with itself */
	struct hsl_chip *chip;		/* reference of dmabuf */
	struct mutex lock;		/* a revoke against the end of dmabuf; outside of its resv */
	struct dma_buf *dmabuf;		/* lock; NULL: released */
	struct list_head link;		/* chip->dmabufs: until it is released */
	u64 ga, len;
	bool dead;			/* revoked */
};

/* ---- export: DMA ---- */

static int hsl_dmabuf_attach(struct dma_buf *dmabuf, struct dma_buf_attachment *att)
{
	struct hsl_dmabuf *d = dmabuf->priv;

	if (!att->peer2peer)
		return -EOPNOTSUPP;
	return READ_ONCE(d->dead) || hsl_chip_state_get(d->chip) == HSL_STATE_GONE ? -ENODEV : 0;
}

/* Nothing to do: the memory never moves, it only ends. That both exist makes the exporter dynamic. */
static int hsl_dmabuf_pin(struct dma_buf_attachment *att)
{
	return 0;
}

static void hsl_dmabuf_unpin(struct dma_buf_attachment *att)
{
}

struct hsl_dmabuf_map {
	struct sg_table sgt;
	struct hsl_mem *mem;		/* reference */
	dma_addr_t dma;
};

static int hsl_dmabuf_fill(struct hsl_dmabuf_map *m, u64 len)
{
	struct scatterlist *sg;
	dma_addr_t dma = m->dma;
	unsigned int i;
	int err;

	err = sg_alloc_table(&m->sgt, DIV_ROUND_UP_ULL(len, HSL_SG_MAX), GFP_KERNEL);
	if (err)
		return err;
	for_each_sgtable_dma_sg(&m->sgt, sg, i) {
		u64 n = min_t(u64, len, HSL_SG_MAX);

		sg_set_page(sg, NULL, n, 0);
		sg_dma_address(sg) = dma;
		sg_dma_len(sg) = n;
		dma += n;
		len -= n;
	}
	return 0;
}

static struct sg_table *hsl_dmabuf_map(struct dma_buf_attachment *att, enum dma_data_direction dir)
{
	struct hsl_dmabuf *d = att->dmabuf->priv;
	struct hsl_dmabuf_map *m;
	int err = -ENODEV;

	if (dir != DMA_TO_DEVICE && !(d->exp->rights & HSL_SEGMENT_WRITE))
		return ERR_PTR(-EACCES);
	if (dir != DMA_FROM_DEVICE && !(d->exp->rights & HSL_SEGMENT_READ))
		return ERR_PTR(-EACCES);
	m = kzalloc(sizeof(*m), GFP_KERNEL);
	if (!m)
		return ERR_PTR(-ENOMEM);
	m->mem = hsl_export_mem(d->exp);
	if (!m->mem || hsl_chip_state_get(d->chip) == HSL_STATE_GONE)
		goto put_mem;
	m->dma = dma_map_resource(att->dev, d->chip->p.mem_phys + HSL_GA_OFFSET(d->ga), d->len, dir, 0);
	err = dma_mapping_error(att->dev, m->dma) ? -EIO : hsl_dmabuf_fill(m, d->len);
	if (!err)
		return &m->sgt;
	if (!dma_mapping_error(att->dev, m->dma))
		dma_unmap_resource(att->dev, m->dma, d->len, dir, 0);
put_mem:
	if (m->mem)
		hsl_share_put(m->mem);
	kfree(m);
	return ERR_PTR(err);
}

static void hsl_dmabuf_unmap(struct dma_buf_attachment *att, struct sg_table *sgt, enum dma_data_direction dir)
{
	struct hsl_dmabuf_map *m = container_of(sgt, struct hsl_dmabuf_map, sgt);
	struct hsl_dmabuf *d = att->dmabuf->priv;

	dma_unmap_resource(att->dev, m->dma, d->len, dir, 0);
	sg_free_table(sgt);
	hsl_share_put(m->mem);
	kfree(m);
}

/* ---- export: CPU ---- */

static vm_fault_t hsl_dmabuf_fault(struct vm_fault *vmf)
{
	struct hsl_dmabuf *d = vmf->vma->vm_private_data;

	return hsl_chip_fault(vmf, d->chip, 0, &d->dead);
}

static int hsl_dmabuf_access(struct vm_area_struct *vma, unsigned long addr, void *buf, int len, int write)
{
	struct hsl_dmabuf *d = vma->vm_private_data;

	return hsl_chip_access(vma, addr, buf, len, write, d->chip, 0, &d->dead);
}

static const struct vm_operations_struct hsl_dmabuf_vm_ops = {
	.fault = hsl_dmabuf_fault,
	.access = hsl_dmabuf_access,
};

/* The core has checked the range, and that the file is open for writing if need be. The file keeps d. */
static int hsl_dmabuf_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma)
{
	struct hsl_dmabuf *d = dmabuf->priv;

	int err = READ_ONCE(d->dead) ? -ENODEV : hsl_chip_vma_init(vma, d->chip, d->exp->rights, 0);

	if (err)
		return err;
	vma->vm_pgoff += d->ga >> PAGE_SHIFT;
	vma->vm_private_data = d;
	vma->vm_ops = &hsl_dmabuf_vm_ops;
	return 0;
}

static void hsl_dmabuf_revoked(struct hsl_export *exp)
{
	struct hsl_dmabuf *d = exp->priv;

	mutex_lock(&d->lock);
	if (d->dmabuf) {
		hsl_chip_zap_dead(d->chip, exp->fabric, d->ga, d->len, &d->dead);
		dma_resv_lock(d->dmabuf->resv, NULL);
		dma_buf_invalidate_mappings(d->dmabuf);
		dma_resv_unlock(d->dmabuf->resv);
	}
	mutex_unlock(&d->lock);
}

/* The chip is GONE: no new mapping; the old ones have to go. */
void hsl_dmabuf_chip_gone(struct hsl_chip *chip)
{
	struct hsl_dmabuf *d;

	mutex_lock(&chip->dmabufs_lock);
	list_for_each_entry(d, &chip->dmabufs, link) {
		dma_resv_lock(d->dmabuf->resv, NULL);	/* listed: not released */
		dma_buf_invalidate_mappings(d->dmabuf);
		dma_resv_unlock(d->dmabuf->resv);
	}
	mutex_unlock(&chip->dmabufs_lock);
}

/* ---- export: the file ---- */

static void hsl_dmabuf_release(struct dma_buf *dmabuf)
{
	struct hsl_dmabuf *d = dmabuf->priv;

	mutex_lock(&d->chip->dmabufs_lock);
	list_del(&d->link);
	mutex_unlock(&d->chip->dmabufs_lock);
	mutex_lock(&d->lock);
	d->dmabuf = NULL;
	mutex_unlock(&d->lock);
	hsl_chip_put(d->chip);
	hsl_export_put(d->exp);		/* and d with it, if no revoke is on its way */
}

static const struct dma_buf_ops hsl_dmabuf_ops = {
	.attach = hsl_dmabuf_attach,
	.pin = hsl_dmabuf_pin,
	.unpin = hsl_dmabuf_unpin,
	.map_dma_buf = hsl_dmabuf_map,
	.unmap_dma_buf = hsl_dmabuf_unmap,
	.mmap = hsl_dmabuf_mmap,
	.release = hsl_dmabuf_release,
};

static struct dma_buf *hsl_dmabuf_new(struct hsl_export *exp, struct hsl_dmabuf *d)
{
	DEFINE_DMA_BUF_EXPORT_INFO(info);

	info.ops = &hsl_dmabuf_ops;
	info.size = d->len;
	info.flags = exp->rights & HSL_SEGMENT_WRITE ? O_RDWR : O_RDONLY;
	info.priv = d;
	return dma_buf_export(&info);
}

/* Let revokes find the dma-buf. One that came before finds it dead already. */
static void hsl_dmabuf_publish(struct hsl_export *exp, struct hsl_dmabuf *d)
{
	mutex_lock(&exp->fabric->share_lock);
	exp->priv = d;
	exp->revoked = hsl_dmabuf_revoked;
	if (!exp->mem)
		d->dead = true;
	mutex_unlock(&exp->fabric->share_lock);
}

/* Takes over the reference, also on error. */
struct file *hsl_dmabuf_file(struct hsl_export *exp)
{
	struct hsl_mem *mem = hsl_export_mem(exp);
	struct hsl_dmabuf *d = NULL;
	struct dma_buf *dmabuf;
	int err = -ESTALE;

	if (!mem)
		goto put_export;
	err = -EOPNOTSUPP;
	if (mem->flags & HSL_ALLOC_OBSERVABLE)	/* other devices reach memory past links and caches */
		goto put_mem;
	err = -ENOMEM;
	d = kzalloc(sizeof(*d), GFP_KERNEL_ACCOUNT);
	if (!d)
		goto put_mem;
	mutex_init(&d->lock);
	d->exp = exp;
	d->chip = hsl_chip_get(mem->chip);
	d->ga = HSL_GA(mem->chip->node, mem->off);
	d->len = mem->len;
	dmabuf = hsl_dmabuf_new(exp, d);
	if (IS_ERR(dmabuf)) {
		err = PTR_ERR(dmabuf);
		goto put_chip;
	}
	dmabuf->file->f_mapping = exp->fabric->inode->i_mapping;
	d->dmabuf = dmabuf;
	mutex_lock(&d->chip->dmabufs_lock);
	list_add(&d->link, &d->chip->dmabufs);
	mutex_unlock(&d->chip->dmabufs_lock);
	hsl_dmabuf_publish(exp, d);
	hsl_share_put(mem);
	return dmabuf->file;

put_chip:
	hsl_chip_put(d->chip);
	kfree(d);
put_mem:
	hsl_share_put(mem);
put_export:
	hsl_export_put(exp);
	return ERR_PTR(err);
}

/* ---- import ---- */

void hsl_dmabuf_unmap_host(struct hsl_hostmap *map)
{
	enum dma_data_direction dir = map->attach_dir;

	if (map->sgt)
		dma_buf_unmap_attachment_unlocked(map->dmabuf, map->sgt, dir);
	if (map->dmabuf)
		dma_buf_detach(map->dmabuf->dmabuf, map->dmabuf);
	map->sgt = NULL;
	map->dmabuf = NULL;
}

/* Pages of 4 KiB in the order of the buffer. What another exporter cuts differently cannot be in a PAGE table. */
static int hsl_dmabuf_pages(struct hsl_hostmap *map, unsigned long npages)
{
	struct scatterlist *sg;
	unsigned int i;

	for_each_sgtable_dma_sg(map->sgt, sg, i) {
		dma_addr_t dma = sg_dma_address(sg);
		u64 len = sg_dma_len(sg);

		if ((dma | len) & ~PAGE_MASK)
			return -EINVAL;
		for (; len && map->mapped < npages; len -= PAGE_SIZE, dma += PAGE_SIZE)
			map->dma[map->mapped++] = dma;
		cond_resched();
	}
	return map->mapped == npages ? 0 : -EINVAL;
}

/* Under ctx->lock. What was done on error is for hsl_dmabuf_unmap_host. */
int hsl_dmabuf_map_host(struct hsl_hostmap *map, struct hsl_host *h, enum dma_data_direction dir)
{
	struct dma_buf_attachment *att = dma_buf_attach(h->dmabuf, map->attach->chip->parent);
	struct sg_table *sgt;

	if (IS_ERR(att))
		return PTR_ERR(att);
	map->dmabuf = att;
	map->attach_dir = dir;
	sgt = dma_buf_map_attachment_unlocked(att, dir);
	if (IS_ERR(sgt))
		return PTR_ERR(sgt);
	map->sgt = sgt;
	return hsl_dmabuf_pages(map, h->npages);
}

void hsl_dmabuf_put(struct hsl_host *h)
{
	dma_buf_put(h->dmabuf);
}

static int hsl_dmabuf_import_foreign(struct hsl_context *ctx, struct dma_buf *dmabuf, struct hsl_segment_import *i)
{
	u32 granted = HSL_SEGMENT_READ | (dmabuf->file->f_mode & FMODE_WRITE ? HSL_SEGMENT_WRITE : 0);
	struct hsl_host *host;
	int err;

	if (i->rights & ~granted)
		return -EACCES;
	if (!i->rights)
		i->rights = granted;
	if (!dmabuf->size || dmabuf->size & ~PAGE_MASK)
		return -EINVAL;
	host = hsl_host_dmabuf(ctx->fabric, dmabuf, dmabuf->size >> PAGE_SHIFT, i->rights & HSL_SEGMENT_WRITE);
	if (IS_ERR(host))
		return PTR_ERR(host);
	get_dma_buf(dmabuf);
	i->len_bytes = dmabuf->size;
	err = hsl_segment_import_host(ctx, host, i);
	if (err)
		hsl_host_unpin(ctx->fabric, host);
	return err;
}

/* SEGMENT_IMPORT of a file that is not one of ours. */
int hsl_dmabuf_import(struct hsl_context *ctx, struct hsl_segment_import *i)
{
	struct dma_buf *dmabuf = dma_buf_get(i->fd);
	int err;

	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);
	if (dmabuf->ops == &hsl_dmabuf_ops)
		err = hsl_export_import(ctx, ((struct hsl_dmabuf *)dmabuf->priv)->exp, i);
	else
		err = hsl_dmabuf_import_foreign(ctx, dmabuf, i);
	dma_buf_put(dmabuf);
	return err;
}

#else /* a kernel without dma-bufs; a host segment never has one */

struct file *hsl_dmabuf_file(struct hsl_export *exp)
{
	hsl_export_put(exp);
	return ERR_PTR(-EOPNOTSUPP);
}

int hsl_dmabuf_import(struct hsl_context *ctx, struct hsl_segment_import *i)
{
	return -EINVAL;
}

int hsl_dmabuf_map_host(struct hsl_hostmap *map, struct hsl_host *h, enum dma_data_direction dir)
{
	return -EOPNOTSUPP;
}

void hsl_dmabuf_chip_gone(struct hsl_chip *chip) { }
void hsl_dmabuf_unmap_host(struct hsl_hostmap *map) { }
void hsl_dmabuf_put(struct hsl_host *h) { }

#endif
