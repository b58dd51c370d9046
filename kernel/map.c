// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mappings: chip memory by GA on the context file, rings and the doorbell page on a queue file.
 *
 * All mappings of chip memory and doorbells are in the fabric's one address_space, so that unmap_mapping_range finds them:
 * segments at their GA, doorbell pages at a place of their own below node 1 (queue->db_off).
 *
 * Fault against zap: a fault looks at seg->dead (or queue->state) and the chip's state and inserts PTEs under
 * chip->access (read). Whoever ends something marks it, passes the access barrier, and then zaps: an insertion that
 * looked before the mark has finished by then and is zapped, a later one sees the mark. During a reset a fault waits for
 * the end of the reset.
 *
 * A fault fills up to 2 MiB, not one page: chips have gigabytes. The memory type is the one hsl_mem_init asked for.
 * Observable memory is mapped uncached through the windows of its chip (window.c) instead of its memory BAR; all else is the same.
 */
#include <linux/sched/signal.h>

#include "hsl_priv.h"

#define HSL_FAULT_AROUND	(2ul << 20)

/* Both kinds of file: shared only, never executable. */
static int hsl_mmap_check(struct vm_area_struct *vma)
{
	if (!(vma->vm_flags & VM_MAYSHARE))	/* VM_SHARED is off where the file is not open for writing */
		return -EINVAL;
	if (vma->vm_flags & VM_EXEC)
		return -EACCES;
	vm_flags_clear(vma, VM_MAYEXEC);
	return 0;
}

/* ---- chip memory ---- */

/* base: where the chip's memory begins. */
static unsigned long hsl_segment_pfn(struct vm_area_struct *vma, phys_addr_t base, unsigned long addr)
{
	u64 ga = ((u64)vma->vm_pgoff << PAGE_SHIFT) + (addr - vma->vm_start);

	return (base + HSL_GA_OFFSET(ga)) >> PAGE_SHIFT;
}

/* The page at fault, then its neighbours as far as the mapping goes; those are only a favour. */
static vm_fault_t hsl_segment_insert(struct vm_fault *vmf, phys_addr_t base)
{
	struct vm_area_struct *vma = vmf->vma;
	unsigned long addr = vmf->address & PAGE_MASK;
	unsigned long from = max(ALIGN_DOWN(addr, HSL_FAULT_AROUND), vma->vm_start);
	unsigned long n = min(HSL_FAULT_AROUND - (from & (HSL_FAULT_AROUND - 1)), vma->vm_end - from);
	vm_fault_t ret;
	unsigned long a;

	ret = vmf_insert_pfn(vma, addr, hsl_segment_pfn(vma, base, addr));
	if (ret != VM_FAULT_NOPAGE)
		return ret;
	for (a = from; a < from + n; a += PAGE_SIZE)
		if (a != addr && vmf_insert_pfn(vma, a, hsl_segment_pfn(vma, base, a)) != VM_FAULT_NOPAGE)
			break;
	return VM_FAULT_NOPAGE;
}

static bool hsl_chip_in_reset(struct hsl_chip *chip)
{
	enum hsl_chip_state s = hsl_chip_state_get(chip);

	return s == HSL_STATE_QUIESCING || s == HSL_STATE_STOPPED;
}

/* Under access (read), state READY. */
static vm_fault_t hsl_chip_insert(struct vm_fault *vmf, struct hsl_chip *chip, u32 flags)
{
	if (!(flags & HSL_ALLOC_OBSERVABLE))
		return hsl_segment_insert(vmf, chip->p.mem_phys);
	return chip->windows_on ? hsl_segment_insert(vmf, chip->p.win_phys) : VM_FAULT_SIGBUS;
}

/*
 * A fault in a mapping of chip memory with these HSL_ALLOC_*, whose page offset is its GA; dead: set before the zap that
 * ends it.
 */
vm_fault_t hsl_chip_fault(struct vm_fault *vmf, struct hsl_chip *chip, u32 flags, const bool *dead)
{
	vm_fault_t ret = VM_FAULT_SIGBUS;

	if (wait_event_killable(chip->state_wq, !hsl_chip_in_reset(chip) || READ_ONCE(*dead)))
		return VM_FAULT_NOPAGE;	/* being killed */
	down_read(&chip->access);
	if (!READ_ONCE(*dead)) {
		if (hsl_chip_state_get(chip) == HSL_STATE_READY)
			ret = hsl_chip_insert(vmf, chip, flags);
		else if (hsl_chip_in_reset(chip))
			ret = VM_FAULT_NOPAGE;	/* a reset began just now: fault again and wait */
	}
	up_read(&chip->access);
	return ret;
}

/*
 * ptrace and /proc/PID/mem, which take no pages of a PFN mapping otherwise. The PTE goes in as a fault puts it there, so that
 * a zap finds it; under access (read) nobody ends the memory meanwhile. It does not wait for the end of a reset. The memory of
 * a mapping is contiguous, but what follows it is somebody else's: the callers ask for more than the mapping has, and go on
 * behind what they got.
 */
int hsl_chip_access(struct vm_area_struct *vma, unsigned long addr, void *buf, int len, int write, struct hsl_chip *chip, u32 flags,
		    const bool *dead)
{
	struct vm_fault vmf = { .vma = vma, .address = addr };
	int ret = -EIO;

	len = min_t(unsigned long, len, vma->vm_end - addr);
	down_read(&chip->access);
	if (IS_ENABLED(CONFIG_HAVE_IOREMAP_PROT) && !READ_ONCE(*dead) && hsl_chip_state_get(chip) == HSL_STATE_READY &&
	    hsl_chip_insert(&vmf, chip, flags) == VM_FAULT_NOPAGE)
		ret = generic_access_phys(vma, addr, buf, len, write);
	up_read(&chip->access);
	return ret;
}

static vm_fault_t hsl_segment_fault(struct vm_fault *vmf)
{
	struct hsl_segment *seg = vmf->vma->vm_private_data;

	return hsl_chip_fault(vmf, seg->chip, seg->flags, &seg->dead);
}

static int hsl_segment_access(struct vm_area_struct *vma, unsigned long addr, void *buf, int len, int write)
{
	struct hsl_segment *seg = vma->vm_private_data;

	return hsl_chip_access(vma, addr, buf, len, write, seg->chip, seg->flags, &seg->dead);
}

static void hsl_segment_vm_open(struct vm_area_struct *vma)
{
	struct hsl_segment *seg = vma->vm_private_data;

	kref_get(&seg->kref);
}

static void hsl_segment_vm_close(struct vm_area_struct *vma)
{
	hsl_segment_put(vma->vm_private_data);
}

static const struct vm_operations_struct hsl_segment_vm_ops = {
	.open = hsl_segment_vm_open,
	.close = hsl_segment_vm_close,
	.fault = hsl_segment_fault,
	.access = hsl_segment_access,
};

/* A mapping of chip memory with these HSL_ALLOC_* begins; the range is right. */
int hsl_chip_vma_init(struct vm_area_struct *vma, struct hsl_chip *chip, u32 rights, u32 flags)
{
	int err = hsl_mmap_check(vma);

	if (err)
		return err;
	/* what may be written can be read by the CPU, so READ is needed in any case */
	if (!(rights & HSL_SEGMENT_READ))
		return -EACCES;
	if (!(rights & HSL_SEGMENT_WRITE)) {
		if (vma->vm_flags & VM_WRITE)
			return -EACCES;
		vm_flags_clear(vma, VM_MAYWRITE);
	}
	if (hsl_chip_state_get(chip) == HSL_STATE_GONE)
		return -ENODEV;
	if ((flags & HSL_ALLOC_OBSERVABLE) && !READ_ONCE(chip->windows_on))
		return -EOPNOTSUPP;
	vm_flags_set(vma, VM_IO | VM_PFNMAP | VM_DONTEXPAND | VM_DONTDUMP);
	if (flags & HSL_ALLOC_OBSERVABLE)
		vma->vm_page_prot = pgprot_noncached(vma->vm_page_prot);
	else if (!(chip->cap & HSL_CAP_HOST_COHERENT))
		vma->vm_page_prot = pgprot_writecombine(vma->vm_page_prot);
	return 0;
}

int hsl_context_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct hsl_context *ctx = file->private_data;
	u64 ga = (u64)vma->vm_pgoff << PAGE_SHIFT;
	struct hsl_segment *seg;
	int err;

	err = hsl_mmap_check(vma);
	if (err)
		return err;
	if (!READ_ONCE(ctx->fabric->nchips))
		return -ENODEV;
	seg = hsl_segment_find(ctx, ga);
	if (!seg)
		return -ENXIO;
	err = -ENXIO;
	if (vma->vm_end - vma->vm_start <= PAGE_ALIGN(seg->len) - (ga - seg->ga))
		err = hsl_chip_vma_init(vma, seg->chip, seg->rights, seg->flags);
	if (err) {
		hsl_segment_put(seg);
		return err;
	}
	vma->vm_private_data = seg;	/* takes the reference */
	vma->vm_ops = &hsl_segment_vm_ops;
	return 0;
}

/* Set dead, and remove the mappings of a range that look at it, for good. Others of the range come back by faults. */
void hsl_chip_zap_dead(struct hsl_chip *chip, struct hsl_fabric *f, u64 ga, u64 len, bool *dead)
{
	WRITE_ONCE(*dead, true);
	hsl_chip_barrier(chip);
	wake_up_all(&chip->state_wq);
	unmap_mapping_range(f->inode->i_mapping, ga, len, 1);
}

/* Remove all mappings of a segment, for good. */
void hsl_segment_zap(struct hsl_segment *seg)
{
	hsl_chip_zap_dead(seg->chip, seg->fabric, seg->ga, seg->len, &seg->dead);
}

/* Remove all mappings of a chip's memory; they come back by faults if its state allows. */
void hsl_chip_zap(struct hsl_chip *chip)
{
	hsl_chip_barrier(chip);
	unmap_mapping_range(chip->fabric->inode->i_mapping, HSL_GA(chip->node, 0), HSL_GA_OFFSET_MASK + 1, 1);
}

/* ---- queues ---- */

/* The ring area: control page, submission ring, completion ring, each in whole pages. */
static struct page *hsl_queue_page(struct hsl_queue *q, u64 off)
{
	struct hsl_ring *ring[] = { &q->ctrl, &q->sq, &q->cq };
	int i;

	for (i = 0; i < ARRAY_SIZE(ring); i++) {
		if (off < ring[i]->bytes)
			return virt_to_page((u8 *)ring[i]->va + off);
		off -= ring[i]->bytes;
	}
	return NULL;
}

/* The queue lives as long as its file, which the mapping holds. */
static vm_fault_t hsl_ring_fault(struct vm_fault *vmf)
{
	struct hsl_queue *q = vmf->vma->vm_private_data;
	struct page *page = hsl_queue_page(q, (u64)vmf->pgoff << PAGE_SHIFT);

	/* a child, after MADV_DOFORK; for the doorbell VM_IO forbids that */
	if (!page || vmf->vma->vm_mm != q->mm)
		return VM_FAULT_SIGBUS;
	get_page(page);
	vmf->page = page;
	return 0;
}

static const struct vm_operations_struct hsl_ring_vm_ops = {
	.fault = hsl_ring_fault,
};

static vm_fault_t hsl_doorbell_fault(struct vm_fault *vmf)
{
	struct hsl_queue *q = vmf->vma->vm_private_data;
	struct hsl_chip *chip = q->chip;
	unsigned long pfn = page_to_pfn(q->scratch);
	vm_fault_t ret;

	down_read(&chip->access);
	if (READ_ONCE(q->state) == HSL_QUEUE_READY)
		pfn = (chip->p.regs_phys + chip->db_offset + (u64)q->qid * chip->db_stride) >> PAGE_SHIFT;
	ret = vmf_insert_pfn(vmf->vma, vmf->address & PAGE_MASK, pfn);
	up_read(&chip->access);
	return ret;
}

static const struct vm_operations_struct hsl_doorbell_vm_ops = {
	.fault = hsl_doorbell_fault,
};

void hsl_queue_zap_doorbell(struct hsl_queue *q)
{
	hsl_chip_barrier(q->chip);
	unmap_mapping_range(q->ctx->fabric->inode->i_mapping, q->db_off, PAGE_SIZE, 1);
}

int hsl_queue_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct hsl_queue *q = file->private_data;
	u64 off = (u64)vma->vm_pgoff << PAGE_SHIFT, len = vma->vm_end - vma->vm_start;
	u64 ring_bytes = q->ctrl.bytes + q->sq.bytes + q->cq.bytes;
	int err;

	err = hsl_mmap_check(vma);
	if (err)
		return err;
	if (current->mm != q->mm)
		return -EACCES;
	if (off < ring_bytes && len <= ring_bytes - off) {
		vm_flags_set(vma, VM_DONTEXPAND | VM_DONTDUMP | VM_DONTCOPY);
		vma->vm_private_data = q;
		vma->vm_ops = &hsl_ring_vm_ops;
		return 0;
	}
	if (off != HSL_QUEUE_MMAP_DOORBELL || len != PAGE_SIZE || !q->db_off)
		return -ENXIO;
	vm_flags_set(vma, VM_IO | VM_PFNMAP | VM_DONTEXPAND | VM_DONTDUMP | VM_DONTCOPY);
	vma->vm_page_prot = pgprot_noncached(vma->vm_page_prot);
	vma->vm_pgoff = q->db_off >> PAGE_SHIFT;
	vma->vm_private_data = q;
	vma->vm_ops = &hsl_doorbell_vm_ops;
	return 0;
}
