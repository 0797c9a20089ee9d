// SPDX-License-Identifier: GPL-2.0
/*
 * DOC: netlink: hints, on files and on what a process has mapped
 */
#include <linux/mount.h>
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/proc_fs.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>

#include "netlink.h"

/* A request goes on for that long, and then does no more than one piece. */
#define TIME_MAX	(HZ / 10)
/* Chunks to a piece: of what waits for the drive, and of what does not. */
#define PIECE_SLOW	16
#define PIECE_FAST	65536
/* Mappings of a process looked at in one request. */
#define MAPPINGS_MAX	16

/*
 * ptrace_may_access() is not exported. /proc/PID/maps is opened by the same rules, which
 * are asked for here, in a mount of our own, that nobody can put something else upon.
 */
static struct vfsmount *proc_mnt;

int itme_nl_advise_init(void)
{
	struct file_system_type *proc = get_fs_type("proc");

	if (!proc)
		return -ENODEV;
	/* It is part of the kernel: there is no module to let go of. */
	proc_mnt = kern_mount(proc);
	return PTR_ERR_OR_ZERO(proc_mnt);
}

void itme_nl_advise_exit(void)
{
	kern_unmount(proc_mnt);
}

/**
 * struct hint - what is asked for
 * @fs: file system
 * @arg: the hint
 * @done: bytes it holds for
 * @giveup: jiffies when it has been long enough
 * @extack: for what is wrong
 */
struct hint {
	struct itme_fs *fs;
	struct itme_advise arg;
	u64 done;
	unsigned long giveup;
	struct netlink_ext_ack *extack;
};

/* How much of a range is done before we look at the time, in chunks. */
static u64 piece(u32 advice)
{
	switch (advice) {
	case ITME_ADVICE_PAGEOUT:
	case ITME_ADVICE_PIN:
		return PIECE_SLOW;
	case ITME_ADVICE_WILLNEED:
	case ITME_ADVICE_HOT:
		/* Others do that, later; and it is for the whole range to say what fits. */
		return U32_MAX;
	default:
		return PIECE_FAST;
	}
}

/* So that a pin fails before it has pinned a part of what cannot be pinned. */
static bool pin_fits(struct itme_inode *ino, u64 offset, u64 end, int tier)
{
	long max = itme_policy_stay_max(tier, atomic_long_read(&itme_tiers[tier].budget));
	u64 pages = READ_ONCE(ino->fs->queues[tier].pinned);

	if (max < 0)
		return false;
	for (u32 idx = offset >> ino->chunk_shift;
	     pages <= max && idx <= (end - 1) >> ino->chunk_shift; idx++) {
		struct itme_chunk c = itme_chunk_peek(ino, idx);

		if (!(c.flags & ITME_C_PINNED) || c.tier != tier)
			pages += itme_chunk_pages(ino, idx);
		if (!(idx % 65536))
			cond_resched();
	}
	return pages <= max;
}

static int explain(struct hint *hint, int err)
{
	if (err == -ENOSPC)
		NL_SET_ERR_MSG(hint->extack, "it does not fit beside what is pinned there");
	else if (err == -EPERM)
		NL_SET_ERR_MSG(hint->extack, "PIN and UNPIN need CAP_SYS_ADMIN");
	else if (err == -EINVAL)
		NL_SET_ERR_MSG(hint->extack, "that advice is not for that tier");
	return err;
}

/*
 * Up to @end, or until it has been long enough; @next is set to how far. An error is told
 * when nothing has been done before it, as by write(2).
 */
static int advise_range(struct hint *hint, struct itme_inode *ino, u64 offset, u64 end, u64 *next)
{
	u32 advice = hint->arg.advice;
	u64 step = piece(advice) << ino->chunk_shift;
	int tier = hint->arg.tier == ITME_TIER_ANY ? ITME_TIER_DRAM : hint->arg.tier;

	*next = offset;
	if (advice == ITME_ADVICE_PIN && tier < ITME_MEM_TIERS &&
	    !pin_fits(ino, offset, end, tier))
		return explain(hint, -ENOSPC);
	while (offset < end) {
		u64 stop = min(end, round_down(offset, 1ULL << ino->chunk_shift) + step);
		int err;

		hint->arg.offset = offset;
		hint->arg.length = stop - offset;
		err = itme_advise(ino, &hint->arg, false);
		if (err)
			return offset == *next ? explain(hint, err) : 0;
		hint->done += hint->arg.done;
		offset = stop;
		*next = offset;
		if (time_after(jiffies, hint->giveup))
			break;
		cond_resched();
	}
	return 0;
}

static int advise_object(struct hint *hint, struct genl_info *info, u64 *next)
{
	struct nlattr *offset = info->attrs[ITME_A_HINT_OFFSET];
	struct nlattr *length = info->attrs[ITME_A_HINT_LENGTH];
	struct itme_inode *ino;
	u64 start, end, size;
	int err;

	ino = itme_nl_object(hint->fs, info->attrs[ITME_A_HINT_OBJECT], info->extack);
	if (!ino)
		return -ENOENT;
	size = i_size_read(&ino->vfs);
	start = offset ? nla_get_uint(offset) : 0;
	end = size;
	err = -EINVAL;
	if (start >= size) {
		NL_SET_ERR_MSG_ATTR(info->extack, offset, "it begins after the end of the file");
		goto put;
	}
	if (length && check_add_overflow(start, nla_get_uint(length), &end)) {
		NL_SET_ERR_MSG_ATTR(info->extack, length, "the range overflows");
		goto put;
	}
	if (end == start) {
		NL_SET_ERR_MSG_ATTR(info->extack, length, "the range is empty");
		goto put;
	}
	end = min(end, size);
	err = advise_range(hint, ino, start, end, next);
	if (*next == end)
		*next = 0;
put:
	itme_inode_put(ino);
	return err;
}

/* Has the caller the right to read what @pid has mapped? */
static int check_ptrace(struct pid *pid)
{
	char path[32];
	struct file *file;

	snprintf(path, sizeof(path), "%d/maps", pid_nr_ns(pid, proc_pid_ns(proc_mnt->mnt_sb)));
	file = file_open_root_mnt(proc_mnt, path, O_RDONLY, 0);
	if (IS_ERR(file))
		return PTR_ERR(file) == -EACCES ? -EPERM : PTR_ERR(file);
	fput(file);
	return 0;
}

/* The memory of a process the caller may look at, for mmput(). */
static struct mm_struct *get_mm(u32 nr, struct netlink_ext_ack *extack)
{
	struct task_struct *task = NULL;
	struct mm_struct *mm = NULL, *again;
	struct pid *pid = nr <= PID_MAX_LIMIT ? find_get_pid(nr) : NULL;
	int err = -ESRCH;

	if (pid)
		task = get_pid_task(pid, PIDTYPE_PID);
	if (task)
		mm = get_task_mm(task);
	if (!mm) {
		NL_SET_ERR_MSG_FMT(extack, "there is no process %u", nr);
		goto out;
	}
	err = mm == current->mm ? 0 : check_ptrace(pid);
	if (!err && mm != current->mm) {
		/* The right is to what it is now; an exec may have made it another. */
		again = get_task_mm(task);
		if (again != mm)
			err = -ESRCH;
		if (again)
			mmput(again);
	}
	if (err) {
		mmput(mm);
		NL_SET_ERR_MSG_FMT(extack, "process %u may not be looked at (ptrace)", nr);
	}
out:
	if (task)
		put_task_struct(task);
	put_pid(pid);
	return err ? ERR_PTR(err) : mm;
}

/**
 * struct mapping - a range of a file that is mapped
 * @file: of itmefs, held
 * @address: where
 * @offset: in the file
 * @length: bytes, not beyond the end of the file
 */
struct mapping {
	struct file *file;
	u64 address;
	u64 offset;
	u64 length;
};

/*
 * Those of a range of addresses. Return: how many, -errno; @next is set to where the
 * first one is that did not fit.
 */
static int find_mappings(struct mm_struct *mm, u64 start, u64 end, struct mapping *maps, u64 *next)
{
	struct vm_area_struct *vma;
	struct vma_iterator vmi;
	int nr = 0;

	*next = 0;
	if (mmap_read_lock_killable(mm))
		return -EINTR;
	vma_iter_init(&vmi, mm, start);
	for_each_vma_range(vmi, vma, min_t(u64, end, ULONG_MAX)) {
		u64 from = max_t(u64, start, vma->vm_start);
		u64 to = min_t(u64, end, vma->vm_end);
		u64 offset, size;

		if (!vma->vm_file || vma->vm_file->f_op != &itme_file_ops)
			continue;
		offset = ((u64)vma->vm_pgoff << PAGE_SHIFT) + (from - vma->vm_start);
		size = i_size_read(file_inode(vma->vm_file));
		if (offset >= size)
			continue;
		if (nr == MAPPINGS_MAX) {
			*next = from;
			break;
		}
		maps[nr++] = (struct mapping){
			.file = get_file(vma->vm_file),
			.address = from,
			.offset = offset,
			.length = min(to - from, size - offset),
		};
	}
	mmap_read_unlock(mm);
	return nr;
}

/* Return: 0, or -errno when nothing has been done; @next is set to where to go on. */
static int advise_mappings(struct hint *hint, const struct mapping *maps, int nr, u64 *next)
{
	for (int i = 0; i < nr; i++) {
		const struct mapping *m = &maps[i];
		struct itme_inode *ino = itme_i(file_inode(m->file));
		u64 reached;
		int err;

		/* Of the file system that is mounted now; one that is going has no requests. */
		if (ino->fs != hint->fs)
			continue;
		err = advise_range(hint, ino, m->offset, m->offset + m->length, &reached);
		if (err && !i)
			return err;
		if (err || reached < m->offset + m->length) {
			*next = m->address + (reached - m->offset);
			return 0;
		}
		if (time_after(jiffies, hint->giveup) && i + 1 < nr) {
			*next = maps[i + 1].address;
			return 0;
		}
	}
	return 0;
}

static int advise_process(struct hint *hint, struct genl_info *info, u64 *next)
{
	struct nlattr **attrs = info->attrs;
	struct mapping maps[MAPPINGS_MAX];
	struct mm_struct *mm;
	u64 start, end;
	int nr, err;

	if (!attrs[ITME_A_HINT_ADDRESS] || !attrs[ITME_A_HINT_LENGTH]) {
		GENL_SET_ERR_MSG(info, "with a pid, give an address and a length");
		return -EINVAL;
	}
	start = nla_get_uint(attrs[ITME_A_HINT_ADDRESS]);
	if (check_add_overflow(start, nla_get_uint(attrs[ITME_A_HINT_LENGTH]), &end) ||
	    start >= end) {
		NL_SET_ERR_MSG_ATTR(info->extack, attrs[ITME_A_HINT_LENGTH],
				    "the range is empty or overflows");
		return -EINVAL;
	}
	mm = get_mm(nla_get_u32(attrs[ITME_A_HINT_PID]), info->extack);
	if (IS_ERR(mm))
		return PTR_ERR(mm);
	nr = find_mappings(mm, start, end, maps, next);
	mmput(mm);
	if (!nr) {
		NL_SET_ERR_MSG_ATTR(info->extack, attrs[ITME_A_HINT_ADDRESS],
				    "no file of itmefs is mapped there");
		return -ENOENT;
	}
	if (nr < 0)
		return nr;
	err = advise_mappings(hint, maps, nr, next);
	while (nr--)
		fput(maps[nr].file);
	return err;
}

int itme_nl_advise_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr **attrs = info->attrs;
	struct hint hint = {
		.fs = itme_nl_fs(info),
		.giveup = jiffies + TIME_MAX,
		.extack = info->extack,
	};
	struct itme_nl_reply reply;
	u64 next = 0;
	int err;

	if (GENL_REQ_ATTR_CHECK(info, ITME_A_HINT_ADVICE)) {
		GENL_SET_ERR_MSG(info, "no advice given");
		return -EINVAL;
	}
	hint.arg.advice = nla_get_u32(attrs[ITME_A_HINT_ADVICE]);
	hint.arg.tier = attrs[ITME_A_HINT_TIER] ? nla_get_u32(attrs[ITME_A_HINT_TIER]) :
						  ITME_TIER_ANY;
	if (!attrs[ITME_A_HINT_OBJECT] == !attrs[ITME_A_HINT_PID] ||
	    (attrs[ITME_A_HINT_OBJECT] && attrs[ITME_A_HINT_ADDRESS]) ||
	    (attrs[ITME_A_HINT_PID] && attrs[ITME_A_HINT_OFFSET])) {
		GENL_SET_ERR_MSG(info, "give either an object or a pid and an address");
		return -EINVAL;
	}
	/* As in itme_advise(), but for who has opened the socket. */
	if ((hint.arg.advice == ITME_ADVICE_PIN || hint.arg.advice == ITME_ADVICE_UNPIN) &&
	    !netlink_capable(skb, CAP_SYS_ADMIN))
		return explain(&hint, -EPERM);
	err = itme_nl_reply_begin(&reply, info);
	if (err)
		return err;
	err = attrs[ITME_A_HINT_OBJECT] ? advise_object(&hint, info, &next) :
					  advise_process(&hint, info, &next);
	if (err) {
		nlmsg_free(reply.skb);
		return err;
	}
	return itme_nl_reply_end(&reply, info,
				 !nla_put_uint(reply.skb, ITME_A_HINT_DONE, hint.done) &&
				 (!next || !nla_put_uint(reply.skb, ITME_A_HINT_NEXT, next)));
}
