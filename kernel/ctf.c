// SPDX-License-Identifier: GPL-2.0-only
/*
 * /sys/kernel/debug/hsl/hsl<N>/chip<node>/ctf: the door to a chip's compliance test facility (include/hsl/ctf.h, docs/abi/debugfs-hsl).
 *
 * A file of the page's registers: pread and pwrite of one register at its offset, or of words within FLIT and RECORD. One
 * opener at a time. What a tester has armed must not outlive him, so closing the file leaves test mode, whoever closes it;
 * a chip that is in reset then has left it, too.
 *
 * The file keeps its chip, and every access goes through hsl_chip_regs_get(): after an unplug it is -ENODEV. So debugfs need not
 * keep the chip from leaving while the file is open, which is what debugfs_create_file_unsafe() is about: it only guards open().
 */
#include <linux/debugfs.h>
#include <linux/uaccess.h>
#include <hsl/ctf.h>

#include "hsl_priv.h"

union hsl_ctf_buf {
	__le64 words[HSL_CTF_RECORD_BYTES / 8];
	__le32 reg;
};

static bool hsl_ctf_within(loff_t pos, size_t len, u32 start, u32 bytes)
{
	return pos >= start && len <= bytes && pos - start <= bytes - len;
}

/* One register, or words of a buffer. */
static bool hsl_ctf_valid(loff_t pos, size_t len)
{
	if (len == 4)
		return IS_ALIGNED(pos, 4) && hsl_ctf_within(pos, len, 0, HSL_CTF_BYTES);
	if (!len || !IS_ALIGNED(pos, 8) || !IS_ALIGNED(len, 8))
		return false;
	if (len == 8)
		return hsl_ctf_within(pos, len, 0, HSL_CTF_BYTES);
	return hsl_ctf_within(pos, len, HSL_CTF_FLIT, HSL_FLIT_BYTES) ||
	       hsl_ctf_within(pos, len, HSL_CTF_RECORD, HSL_CTF_RECORD_BYTES);
}

static ssize_t hsl_ctf_read(struct file *file, char __user *to, size_t len, loff_t *pos)
{
	struct hsl_chip *chip = file->private_data;
	void __iomem *r = chip->p.regs + chip->p.ctf_off + *pos;
	union hsl_ctf_buf buf;
	size_t i;
	int err;

	if (!hsl_ctf_valid(*pos, len))
		return -EINVAL;
	err = hsl_chip_regs_get(chip);
	if (err)
		return err;
	if (len == 4)
		buf.reg = cpu_to_le32(readl(r));
	else
		for (i = 0; i < len / 8; i++)
			buf.words[i] = cpu_to_le64(readq(r + i * 8));
	hsl_chip_regs_put(chip);
	if (copy_to_user(to, &buf, len))
		return -EFAULT;
	*pos += len;
	return len;
}

static ssize_t hsl_ctf_write(struct file *file, const char __user *from, size_t len, loff_t *pos)
{
	struct hsl_chip *chip = file->private_data;
	void __iomem *r = chip->p.regs + chip->p.ctf_off + *pos;
	union hsl_ctf_buf buf;
	size_t i;
	int err;

	if (!hsl_ctf_valid(*pos, len))
		return -EINVAL;
	if (copy_from_user(&buf, from, len))
		return -EFAULT;
	err = hsl_chip_regs_get(chip);
	if (err)
		return err;
	if (len == 4)
		writel(le32_to_cpu(buf.reg), r);
	else
		for (i = 0; i < len / 8; i++)
			writeq(le64_to_cpu(buf.words[i]), r + i * 8);
	hsl_chip_regs_put(chip);
	*pos += len;
	return len;
}

static int hsl_ctf_open(struct inode *inode, struct file *file)
{
	struct hsl_chip *chip = inode->i_private;

	if (test_and_set_bit_lock(0, &chip->ctf_open))
		return -EBUSY;
	file->private_data = hsl_chip_get(chip);
	hsl_chip_wake(chip);	/* sleep would end test mode */
	return 0;
}

static int hsl_ctf_release(struct inode *inode, struct file *file)
{
	struct hsl_chip *chip = file->private_data;

	if (!hsl_chip_regs_get(chip)) {
		writel(0, chip->p.regs + chip->p.ctf_off + HSL_CTF_KEY);
		hsl_chip_regs_put(chip);
	}
	clear_bit_unlock(0, &chip->ctf_open);
	hsl_chip_let_sleep(chip);
	hsl_chip_put(chip);
	return 0;
}

static const struct file_operations hsl_ctf_fops = {
	.owner = THIS_MODULE,
	.open = hsl_ctf_open,
	.release = hsl_ctf_release,
	.read = hsl_ctf_read,
	.write = hsl_ctf_write,
	.llseek = noop_llseek,
};

/* Into the chip's directory, which goes with the chip. Files that are open stay, and keep the chip. */
void hsl_ctf_add(struct hsl_chip *chip)
{
	if (!(chip->cap & HSL_CAP_CTF) || !chip->p.ctf_off)
		return;
	debugfs_create_file_unsafe("ctf", 0600, chip->debugfs, chip, &hsl_ctf_fops);
}
