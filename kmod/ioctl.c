// SPDX-License-Identifier: GPL-2.0
/*
 * DOC: ioctls: check, dispatch, copy
 */
#include <linux/capability.h>
#include <linux/file.h>
#include <linux/uaccess.h>

#include "itme.h"
#include "quota.h"
#include "swap.h"

static bool zero(const void *p, size_t n)
{
	return !memchr_inv(p, 0, n);
}

static bool is_dir(struct file *file)
{
	return S_ISDIR(file_inode(file)->i_mode);
}

static bool is_root(struct file *file)
{
	return file->f_path.dentry == file->f_path.dentry->d_sb->s_root;
}

static int do_info(struct file *file, void *p)
{
	struct itme_info *info = p;

	if (!zero(info->reserved, sizeof(info->reserved)))
		return -EINVAL;
	*info = (struct itme_info){
		.features = ITME_FEATURE_IMPORT | ITME_FEATURE_ADVISE | ITME_FEATURE_CXL |
			    ITME_FEATURE_PREFETCH | ITME_FEATURE_TRIGGER | ITME_FEATURE_NATIVE |
			    ITME_FEATURE_SWAP,
		.advices = BIT_ULL(ITME_ADVICE_NR) - 1,
		.chunk_min = 1U << ITME_CHUNK_MIN_SHIFT,
		.chunk_max = 1U << ITME_CHUNK_MAX_SHIFT,
	};
	return 0;
}

static int check_tier(const struct itme_tier_info *info)
{
	if (info->tier >= ITME_MEM_TIERS || info->flags ||
	    !zero(info->reserved, sizeof(info->reserved)))
		return -EINVAL;
	return 0;
}

static int do_tier_get(struct file *file, void *p)
{
	struct itme_tier_info *info = p;
	int err = check_tier(info);

	if (!err)
		itme_tier_info(itme_sb(file_inode(file)->i_sb), info->tier, info);
	return err;
}

static int do_tier_set(struct file *file, void *p)
{
	struct itme_tier_info *info = p;
	struct itme_fs *fs = itme_sb(file_inode(file)->i_sb);
	int err;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	err = check_tier(info) ?: itme_tier_set(fs, info->tier, info->budget);
	if (!err)
		itme_tier_info(fs, info->tier, info);
	return err;
}

static int get_name(const struct itme_import *arg, char **name)
{
	char *text;

	if (!arg->name_len || arg->name_len > ITME_NAME_MAX)
		return -EINVAL;
	text = memdup_user_nul(u64_to_user_ptr(arg->name), arg->name_len);
	if (IS_ERR(text))
		return PTR_ERR(text);
	if (strlen(text) != arg->name_len || strchr(text, '/') || !strcmp(text, ".") ||
	    !strcmp(text, "..")) {
		kfree(text);
		return -EINVAL;
	}
	*name = text;
	return 0;
}

static int do_import(struct file *file, void *p)
{
	struct itme_import *arg = p;
	struct fd lower;
	char *name;
	int err;

	if (!is_root(file))
		return -ENOTTY;
	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (!arg->chunk_size)
		arg->chunk_size = 1U << ITME_CHUNK_MAX_SHIFT;
	if (arg->flags || !zero(arg->reserved, sizeof(arg->reserved)) ||
	    !is_power_of_2(arg->chunk_size) ||
	    arg->chunk_size < 1U << ITME_CHUNK_MIN_SHIFT ||
	    arg->chunk_size > 1U << ITME_CHUNK_MAX_SHIFT)
		return -EINVAL;
	err = get_name(arg, &name);
	if (err)
		return err;
	lower = fdget(arg->lower_fd);
	if (fd_file(lower)) {
		err = itme_import_file(file, fd_file(lower), name, arg->chunk_size);
		fdput(lower);
	} else {
		err = -EBADF;
	}
	kfree(name);
	return err;
}

static int put_path(struct file *of, const char *mount, u64 to, u32 *len)
{
	u32 room = *len;
	char *buf, *path;
	int err = 0;

	buf = kmalloc(PATH_MAX, GFP_KERNEL);
	if (!buf)
		return -ENOMEM;
	*buf = 0;
	path = of ? itme_file_path(of, mount, buf) : buf;
	if (IS_ERR(path)) {
		err = PTR_ERR(path);
		goto out;
	}
	*len = strlen(path) + 1;
	if (copy_to_user(u64_to_user_ptr(to), path, min(room, *len)))
		err = -EFAULT;
out:
	kfree(buf);
	return err;
}

static int do_object(struct file *file, void *p)
{
	struct itme_inode *ino = itme_i(file_inode(file));
	struct itme_object *obj = p;
	u64 path = obj->path;
	u32 len = obj->path_len;
	int err = 0;

	if (is_dir(file))
		return -ENOTTY;
	if (!zero(obj->reserved, sizeof(obj->reserved)))
		return -EINVAL;
	itme_query_object(ino, obj);
	if (path)
		err = put_path(ino->lower, ino->lower_mount, path, &len);
	obj->path = path;
	obj->path_len = path ? len : 0;
	return err;
}

static int do_advise(struct file *file, void *p)
{
	if (is_dir(file))
		return -ENOTTY;
	return itme_advise(itme_i(file_inode(file)), p, true);
}

static int do_residency(struct file *file, void *p)
{
	struct itme_inode *ino = itme_i(file_inode(file));
	struct itme_residency *res = p;
	u8 __user *map = u64_to_user_ptr(res->map);
	u64 room = res->map ? res->map_len : 0;
	u64 size, end;
	u32 first, last;

	if (is_dir(file))
		return -ENOTTY;
	if (res->flags || !zero(res->reserved, sizeof(res->reserved)))
		return -EINVAL;
	size = i_size_read(&ino->vfs);
	if (res->offset >= size ||
	    check_add_overflow(res->offset, res->length ?: size - res->offset, &end))
		return -EINVAL;
	first = res->offset >> ino->chunk_shift;
	last = DIV_ROUND_UP_ULL(min(end, size), 1ULL << ino->chunk_shift);

	memset(res->bytes, 0, sizeof(res->bytes));
	res->large = 0;
	for (u32 idx = first; idx < last; idx++) {
		u8 byte;

		/* Nobody wants to know of each hole: to where there may be something. */
		if (idx - first >= room && (!itme_chunk_next(ino, &idx) || idx >= last))
			break;
		byte = itme_query_chunk(ino, idx, res);
		if (idx - first < room && put_user(byte, map + (idx - first)))
			return -EFAULT;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	res->map_len = last - first;
	res->chunk_size = 1U << ino->chunk_shift;
	return 0;
}

static int do_stats(struct file *file, void *p)
{
	struct itme_stats *stats = p;
	u32 flags = stats->flags;

	if (flags & ~ITME_STATS_FILE || stats->pad ||
	    !zero(stats->reserved, sizeof(stats->reserved)))
		return -EINVAL;
	if (flags & ITME_STATS_FILE && is_dir(file))
		return -ENOTTY;
	memset(stats, 0, sizeof(*stats));
	stats->flags = flags;
	itme_stats_read(flags & ITME_STATS_FILE ? &itme_i(file_inode(file))->counters :
						  &itme_sb(file_inode(file)->i_sb)->counters,
			stats);
	return 0;
}

static int do_prefetch(struct file *file, void *p)
{
	struct itme_prefetch *arg = p;

	if (is_dir(file))
		return -ENOTTY;
	if (arg->flags || !zero(arg->reserved, sizeof(arg->reserved)) ||
	    !arg->count || arg->count > ITME_SPANS_MAX ||
	    (arg->tier >= ITME_MEM_TIERS && arg->tier != ITME_TIER_ANY))
		return -EINVAL;
	return itme_prefetch_open(file, arg);
}

static int do_wait(struct file *file, void *p)
{
	struct itme_wait *arg = p;

	if (is_dir(file))
		return -ENOTTY;
	if (arg->flags || arg->pad || !zero(arg->reserved, sizeof(arg->reserved)))
		return -EINVAL;
	return itme_wait(itme_i(file_inode(file)), arg);
}

static int do_limit(struct file *file, void *p)
{
	struct itme_limit *arg = p;
	struct inode *dir = file_inode(file);
	int err = 0;

	if (!is_dir(file) || is_root(file))
		return -ENOTTY;
	if (arg->flags & ~ITME_LIMIT_SET || !zero(arg->reserved, sizeof(arg->reserved)) ||
	    arg->pad)
		return -EINVAL;
	if (arg->flags & ITME_LIMIT_SET && !capable(CAP_SYS_ADMIN))
		return -EPERM;
	inode_lock(dir);
	if (arg->flags & ITME_LIMIT_SET)
		err = IS_DEADDIR(dir) ? -ENOENT : itme_quota_limit(itme_i(dir), arg->bytes);
	if (!err)
		itme_quota_info(itme_i(dir), &arg->bytes, &arg->used);
	inode_unlock(dir);
	return err;
}

static int do_swap_add(struct file *file, void *p)
{
	struct itme_swap_add *arg = p;
	struct fd area;
	int err;

	if (!is_root(file))
		return -ENOTTY;
	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (arg->flags & ~ITME_SWAP_CHECK || !zero(arg->reserved, sizeof(arg->reserved)) ||
	    arg->prio < -1 || arg->prio > ITME_SWAP_PRIO_MAX)
		return -EINVAL;
	area = fdget(arg->fd);
	if (!fd_file(area))
		return -EBADF;
	err = itme_area_add(itme_sb(file_inode(file)->i_sb), fd_file(area), &arg->prio,
			    arg->flags & ITME_SWAP_CHECK, &arg->id);
	fdput(area);
	return err;
}

static int do_swap_remove(struct file *file, void *p)
{
	struct itme_swap_remove *arg = p;

	if (!is_root(file))
		return -ENOTTY;
	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (arg->flags || !zero(arg->reserved, sizeof(arg->reserved)))
		return -EINVAL;
	return itme_swap_remove(itme_sb(file_inode(file)->i_sb), arg->id);
}

static int do_swap_get(struct file *file, void *p)
{
	struct itme_swap *swap = p;
	u32 len = swap->path_len;
	struct file *area;
	char *mount;
	int err;

	if (!is_root(file))
		return -ENOTTY;
	if (swap->flags || !zero(swap->reserved, sizeof(swap->reserved)))
		return -EINVAL;
	mount = kmalloc(PATH_MAX, GFP_KERNEL);
	if (!mount)
		return -ENOMEM;
	err = itme_area_get(itme_sb(file_inode(file)->i_sb), swap, &area, mount);
	if (err)
		goto out;
	if (swap->path)
		err = put_path(area, mount, swap->path, &len);
	swap->path_len = swap->path ? len : 0;
	fput(area);
out:
	kfree(mount);
	return err;
}

static const struct {
	unsigned int cmd;
	int (*fn)(struct file *file, void *arg);
} handlers[] = {
	{ ITME_IOC_INFO, do_info },
	{ ITME_IOC_TIER_GET, do_tier_get },
	{ ITME_IOC_TIER_SET, do_tier_set },
	{ ITME_IOC_IMPORT, do_import },
	{ ITME_IOC_OBJECT, do_object },
	{ ITME_IOC_ADVISE, do_advise },
	{ ITME_IOC_RESIDENCY, do_residency },
	{ ITME_IOC_STATS, do_stats },
	{ ITME_IOC_PREFETCH, do_prefetch },
	{ ITME_IOC_WAIT, do_wait },
	{ ITME_IOC_LIMIT, do_limit },
	{ ITME_IOC_SWAP_ADD, do_swap_add },
	{ ITME_IOC_SWAP_REMOVE, do_swap_remove },
	{ ITME_IOC_SWAP_GET, do_swap_get },
};

static_assert(sizeof(struct itme_tier_info) <= 256 && sizeof(struct itme_stats) <= 256);

long itme_ioctl(struct file *file, unsigned int cmd, unsigned long uarg)
{
	void __user *user = (void __user *)uarg;
	u64 arg[256 / sizeof(u64)];
	int err;

	for (size_t i = 0; i < ARRAY_SIZE(handlers); i++) {
		if (handlers[i].cmd != cmd)
			continue;
		/* What cannot be told in the end shall not be done: so it is tried first. */
		if (copy_from_user(arg, user, _IOC_SIZE(cmd)) ||
		    copy_to_user(user, arg, _IOC_SIZE(cmd)))
			return -EFAULT;
		err = handlers[i].fn(file, arg);
		if (!err && copy_to_user(user, arg, _IOC_SIZE(cmd)))
			err = -EFAULT;
		return err;
	}
	return -ENOTTY;
}
