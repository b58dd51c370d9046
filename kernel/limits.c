// SPDX-License-Identifier: GPL-2.0-only
/*
 * Limits of what one user holds, over all fabrics: parameters of hsl.ko, to be changed at any time (HEP-API-011).
 *
 * The user is the effective uid that opened the file, whoever uses it later. Charged are open contexts; queue files, until
 * released; handles, until freed; chip memory to who allocated it, until the last share of it is gone. A lower limit takes
 * nothing away. A caller with CAP_SYS_RESOURCE is counted, but not refused.
 *
 * Locking: hsl_users_lock guards the list, references and counts.
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/moduleparam.h>
#include <linux/uidgid.h>

#include "hsl_priv.h"

static ulong max_contexts = 256;
module_param(max_contexts, ulong, 0644);
MODULE_PARM_DESC(max_contexts, "open files of /dev/hsl* of one user, 0 = no limit (default 256)");
static ulong max_queues = 1024;
module_param(max_queues, ulong, 0644);
MODULE_PARM_DESC(max_queues, "queues of one user, 0 = no limit (default 1024)");
static ulong max_segments = 131072;
module_param(max_segments, ulong, 0644);
MODULE_PARM_DESC(max_segments, "segments of one user, 0 = no limit (default 131072)");
static ulong max_chip_mem_bytes;
module_param(max_chip_mem_bytes, ulong, 0644);
MODULE_PARM_DESC(max_chip_mem_bytes, "chip memory allocated by one user, bytes, 0 = no limit (default 0)");

static const ulong *const hsl_limits[HSL_LIMITS] = {
	[HSL_LIMIT_CONTEXTS] = &max_contexts,
	[HSL_LIMIT_QUEUES] = &max_queues,
	[HSL_LIMIT_SEGMENTS] = &max_segments,
	[HSL_LIMIT_MEM] = &max_chip_mem_bytes,
};

struct hsl_user {
	struct list_head link;
	kuid_t uid;
	unsigned int refs;
	u64 used[HSL_LIMITS];
};

static DEFINE_SPINLOCK(hsl_users_lock);
static LIST_HEAD(hsl_users);

static struct hsl_user *hsl_user_find(kuid_t uid)
{
	struct hsl_user *u;

	list_for_each_entry(u, &hsl_users, link)
		if (uid_eq(u->uid, uid))
			return u;
	return NULL;
}

/* The caller's user, with a reference, or NULL: no memory. */
struct hsl_user *hsl_user_current(void)
{
	struct hsl_user *u, *new = kzalloc(sizeof(*new), GFP_KERNEL_ACCOUNT);

	if (!new)
		return NULL;
	new->uid = current_euid();
	spin_lock(&hsl_users_lock);
	u = hsl_user_find(new->uid);
	if (!u) {
		u = new;
		new = NULL;
		list_add(&u->link, &hsl_users);
	}
	u->refs++;
	spin_unlock(&hsl_users_lock);
	kfree(new);
	return u;
}

struct hsl_user *hsl_user_get(struct hsl_user *u)
{
	spin_lock(&hsl_users_lock);
	u->refs++;
	spin_unlock(&hsl_users_lock);
	return u;
}

void hsl_user_put(struct hsl_user *u)
{
	bool last;
	int i;

	spin_lock(&hsl_users_lock);
	last = !--u->refs;
	if (last)
		list_del(&u->link);
	spin_unlock(&hsl_users_lock);
	if (!last)
		return;
	for (i = 0; i < HSL_LIMITS; i++)
		WARN_ON(u->used[i]);
	kfree(u);
}

/* -EDQUOT if it would be over the limit. */
int hsl_user_charge(struct hsl_user *u, enum hsl_limit what, u64 n)
{
	u64 max = READ_ONCE(*hsl_limits[what]);
	bool over;

	spin_lock(&hsl_users_lock);
	over = max && (n > max || u->used[what] > max - n);
	if (!over)
		u->used[what] += n;
	spin_unlock(&hsl_users_lock);
	if (!over)
		return 0;
	if (!capable(CAP_SYS_RESOURCE))
		return -EDQUOT;
	spin_lock(&hsl_users_lock);
	u->used[what] += n;
	spin_unlock(&hsl_users_lock);
	return 0;
}

void hsl_user_uncharge(struct hsl_user *u, enum hsl_limit what, u64 n)
{
	spin_lock(&hsl_users_lock);
	u->used[what] -= n;
	spin_unlock(&hsl_users_lock);
}

void hsl_user_usage(struct hsl_user *u, struct seq_file *m)
{
	u64 used[HSL_LIMITS];

	spin_lock(&hsl_users_lock);
	memcpy(used, u->used, sizeof(used));
	spin_unlock(&hsl_users_lock);
	seq_printf(m, "user %u contexts %llu queues %llu segments %llu chip memory %llu",
		   from_kuid_munged(current_user_ns(), u->uid), used[HSL_LIMIT_CONTEXTS], used[HSL_LIMIT_QUEUES],
		   used[HSL_LIMIT_SEGMENTS], used[HSL_LIMIT_MEM]);
}
