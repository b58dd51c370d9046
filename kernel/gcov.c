// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which lines of a module were executed: kbuild's HSL_GCOV=1, for tests/coverage/kernel only. Distribution kernels have no
 * CONFIG_GCOV_KERNEL, so this is the little of its run time that a module needs: gcc leaves a pointer to the counters of each
 * source file in .gcov_info, between the markers of the first and the last object; writing a directory to the parameter gcov of the
 * module has them written there, as gcov wants them (gcc's gcov-io.h), and again when the module is taken out.
 */
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "gcov.h"

#define GCOV_MAGIC		0x67636461u	/* "gcda" */
#define GCOV_TAG_FUNCTION	0x01000000u
#define GCOV_TAG_COUNTER(n)	(0x01a10000u + ((u32)(n) << 17))
#if __GNUC__ == 15
#define GCOV_COUNTERS	10
#elif __GNUC__ == 14
#define GCOV_COUNTERS	9
#elif __GNUC__ >= 10 && __GNUC__ < 14
#define GCOV_COUNTERS	8
#else
#error "how many kinds of counters this gcc has: GCOV_COUNTERS of its gcov-counter.def"
#endif
#define GCOV_UNIT	(__GNUC__ >= 12 ? 4 : 1)	/* lengths are bytes, or words */

struct gcov_ctr_info {
	unsigned int num;
	s64 *values;
};

struct gcov_fn_info {
	const struct gcov_info *key;
	unsigned int ident, lineno_checksum, cfg_checksum;
	struct gcov_ctr_info ctrs[];	/* one for each kind that has a merge function */
};

struct gcov_info {
	unsigned int version;
	struct gcov_info *next;
	unsigned int stamp[__GNUC__ >= 12 ? 2 : 1];	/* and a checksum */
	const char *filename;
	void *merge[GCOV_COUNTERS];	/* functions, NULL: no such counters */
	unsigned int n_functions;
	const struct gcov_fn_info *const *functions;
};

/* gcc wants its address: it tells which kinds of counters there are. */
void __gcov_merge_add(s64 *counters, unsigned int n)
{
}

static const struct gcov_info *const hsl_gcov_begin[1] __section(".gcov_info") __used;

struct hsl_gcov_out {
	struct file *file;
	loff_t pos;
	ssize_t err;
};

static void put32(struct hsl_gcov_out *out, u32 v)
{
	ssize_t n = out->err ? 0 : kernel_write(out->file, &v, sizeof(v), &out->pos);

	if (n < 0)
		out->err = n;
}

static void put_function(struct hsl_gcov_out *out, const struct gcov_info *info, const struct gcov_fn_info *fn)
{
	const struct gcov_ctr_info *ctr = fn->ctrs;
	unsigned int i, k;

	put32(out, GCOV_TAG_FUNCTION);
	put32(out, 3 * GCOV_UNIT);
	put32(out, fn->ident);
	put32(out, fn->lineno_checksum);
	put32(out, fn->cfg_checksum);
	for (i = 0; i < GCOV_COUNTERS; i++) {
		if (!info->merge[i])
			continue;
		put32(out, GCOV_TAG_COUNTER(i));
		put32(out, ctr->num * 2 * GCOV_UNIT);
		for (k = 0; k < ctr->num; k++) {
			u64 v = READ_ONCE(ctr->values[k]);

			put32(out, lower_32_bits(v));
			put32(out, upper_32_bits(v));
		}
		ctr++;
	}
}

static int put_file(const char *dir, const struct gcov_info *info)
{
	char *path = kasprintf(GFP_KERNEL, "%s/%s", dir, kbasename(info->filename));
	struct hsl_gcov_out out = { 0 };
	unsigned int i;

	if (!path)
		return -ENOMEM;
	out.file = filp_open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	kfree(path);
	if (IS_ERR(out.file))
		return PTR_ERR(out.file);
	put32(&out, GCOV_MAGIC);
	put32(&out, info->version);
	for (i = 0; i < ARRAY_SIZE(info->stamp); i++)
		put32(&out, info->stamp[i]);
	for (i = 0; i < info->n_functions; i++)
		if (info->functions[i] && info->functions[i]->key == info)
			put_function(&out, info, info->functions[i]);
	filp_close(out.file, NULL);
	return out.err;
}

static char *hsl_gcov_dir;	/* the last one; param lock, or the module is on its way out */

static int hsl_gcov_write(void)
{
	const struct gcov_info *const *info = hsl_gcov_begin + 1;
	int err = 0;

	/* not an array that the compiler knows */
	OPTIMIZER_HIDE_VAR(info);
	for (; !err && info < hsl_gcov_end; info++)
		err = put_file(hsl_gcov_dir, *info);
	return err;
}

static int hsl_gcov_set(const char *dir, const struct kernel_param *kp)
{
	char *copy = kstrdup(dir, GFP_KERNEL);

	if (!copy)
		return -ENOMEM;
	kfree(hsl_gcov_dir);
	hsl_gcov_dir = strim(copy);	/* it begins with a / */
	return hsl_gcov_write();
}

/* The module has been taken out, all but its memory. */
static void hsl_gcov_free(void *arg)
{
	if (hsl_gcov_dir)
		hsl_gcov_write();
	kfree(hsl_gcov_dir);
}

static const struct kernel_param_ops hsl_gcov_ops = { .set = hsl_gcov_set, .free = hsl_gcov_free };
module_param_cb(gcov, &hsl_gcov_ops, NULL, 0200);
MODULE_PARM_DESC(gcov, "absolute name of a directory to write counters of executed lines to: now, and when the module is taken out");
