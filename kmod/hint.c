// SPDX-License-Identifier: GPL-2.0
/*
 * DOC: hints on ranges: by ioctl, fadvise(2) and madvise(2) of unmodified programs
 *
 * A hint never fails because it cannot be followed, PIN excepted.
 */
#include <linux/fadvise.h>
#include <linux/sched/signal.h>

#include "itme.h"

/**
 * struct willneed - a range that is being read in
 * @work: the worker
 * @ino: file, held
 * @next: chunk to go on with
 * @end: chunk to end before
 * @left: chunks still allowed, by tier
 */
struct willneed {
	struct work_struct work;
	struct itme_inode *ino;
	u32 next;
	u32 end;
	u32 left[ITME_MEM_TIERS];
};

/* Chunks of a range: those it touches, or those that lie wholly inside. */
static struct itme_range chunks_of(struct itme_inode *ino, u64 offset, u64 length, bool inside)
{
	u64 size = i_size_read(&ino->vfs);
	u64 end = min(offset + length, size);
	u64 first = offset >> ino->chunk_shift;
	u64 last = DIV_ROUND_UP_ULL(end, 1ULL << ino->chunk_shift);

	if (inside) {
		first = DIV_ROUND_UP_ULL(offset, 1ULL << ino->chunk_shift);
		if (end < size)
			last = end >> ino->chunk_shift;
	}
	return (struct itme_range){ first, last > first ? last - first : 0 };
}

static void willneed_work(struct work_struct *work)
{
	struct willneed *will = container_of(work, struct willneed, work);
	struct itme_inode *ino = will->ino;
	struct itme_fs *fs = ino->fs;

	for (; itme_chunk_next(ino, &will->next) && will->next < will->end; will->next++) {
		int tier = will->left[ITME_TIER_DRAM] ? ITME_TIER_DRAM : ITME_TIER_CXL;

		wait_event_idle(fs->inflight_wait, atomic_read(&fs->prefetches) < ITME_HINT_DEPTH ||
				READ_ONCE(fs->stopping));
		if (!will->left[tier] || READ_ONCE(fs->stopping))
			break;
		if (itme_chunk_begin_fill(ino, will->next, false, !itme_whole(ino, will->next))) {
			will->left[tier]--;
			itme_fill(ino, will->next, false, tier);
		}
		cond_resched();
	}
	kfree(will);
	itme_hint_end(ino);
	iput(&ino->vfs);
	itme_fs_put(fs);
}

/**
 * itme_hint_begin - a hint is to be worked on
 * @ino: file
 *
 * Return: false when too many are
 */
bool itme_hint_begin(struct itme_inode *ino)
{
	if (atomic_inc_return(&ino->fs->willneeds) > ITME_HINT_QUEUE) {
		atomic_dec(&ino->fs->willneeds);
		itme_count(ino, ITME_HINTS_DROPPED, 1);
		return false;
	}
	atomic_inc(&ino->hints);
	return true;
}

/* It has been. The caller holds the file. */
void itme_hint_end(struct itme_inode *ino)
{
	atomic_dec(&ino->fs->willneeds);
	/* Who waits for a chunk that is absent waits no longer, see itme_wait(). */
	if (atomic_dec_and_test(&ino->hints))
		wake_up_all(&ino->fs->pages_wait);
}

/**
 * itme_hint_bound - how much more can a hint bring in?
 * @ino: file
 * @tier: memory tier
 *
 * As many chunks as there is room for now, or what readers may have ahead in the
 * ring, less what is there and waits for its use: the same wish twice is one wish.
 *
 * Return: chunks
 */
u32 itme_hint_bound(struct itme_inode *ino, int tier)
{
	const struct itme_queues *q = &ino->fs->queues[tier];
	long budget = atomic_long_read(&itme_tiers[tier].budget);
	long pages = max(0L, itme_tier_room(tier));

	if (tier == ITME_TIER_DRAM)
		pages = max(pages, itme_policy_ahead(q, budget) - READ_ONCE(q->ring.pages));
	return min_t(u64, U32_MAX, ((u64)pages << PAGE_SHIFT) >> ino->chunk_shift);
}

static u32 willneed(struct itme_inode *ino, struct itme_range range, u32 tier)
{
	struct itme_fs *fs = ino->fs;
	struct willneed *will;
	u64 most = 0;
	u64 n = 0;

	if (!range.nr || !itme_fs_get(fs))
		return 0;
	will = kzalloc(sizeof(*will), GFP_KERNEL);
	if (!will)
		goto put;
	if (!itme_hint_begin(ino))
		goto free;
	will->next = range.start;
	will->end = range.start + range.nr;
	for (u32 t = 0; t < ITME_MEM_TIERS; t++) {
		if (tier == t || tier == ITME_TIER_ANY)
			will->left[t] = itme_hint_bound(ino, t);
		n += will->left[t];
		most += atomic_long_read(&itme_tiers[t].budget) >> (ino->chunk_shift - PAGE_SHIFT);
	}
	/* What is there or under way counts as well, as far as all of it can stay. */
	for (u32 i = range.start; itme_chunk_next(ino, &i) && i < range.start + range.nr; i++) {
		n += READ_ONCE(itme_chunk_at(ino, i)->state) != ITME_ABSENT;
		if (!(i % 65536))
			cond_resched();
	}
	ihold(&ino->vfs);
	will->ino = ino;
	INIT_WORK(&will->work, willneed_work);
	queue_work(fs->hint_wq, &will->work);
	return min3(n, most, (u64)range.nr);
free:
	kfree(will);
put:
	itme_fs_put(fs);
	return 0;
}

/**
 * itme_bring_in - have a chunk in memory, and wait for it
 * @ino: file
 * @idx: chunk
 * @tier: where to, if it is not there
 *
 * Return: 0, -EINTR when killed, -EIO, -ENOMEM
 */
int itme_bring_in(struct itme_inode *ino, u32 idx, int tier)
{
	bool whole = itme_whole(ino, idx);
	int err;

	/* It is not asked why the last fill failed, when there is nothing to read. */
	if (whole)
		return itme_chunk_wait(ino, idx);
	if (itme_chunk_begin_fill(ino, idx, true, true) &&
	    !itme_fill(ino, idx, true, tier))
		return -ENOMEM;
	err = itme_chunk_wait(ino, idx);
	return err ?: itme_chunk_error(ino, idx);
}

/**
 * itme_move_to - have a resident chunk in a tier
 * @ino: file
 * @idx: chunk
 * @tier: where to; room is made
 *
 * Return: true when it is there
 */
bool itme_move_to(struct itme_inode *ino, u32 idx, int tier)
{
	struct itme_chunk c = itme_chunk_peek(ino, idx);

	if (c.state != ITME_RESIDENT)
		return false;
	if (c.tier == tier)
		return true;
	if (itme_make_room(ino->fs, tier, itme_chunk_pages(ino, idx)))
		return false;
	return itme_chunk_begin_leave(ino, idx) && itme_move(ino, idx, tier);
}

static bool page_out(struct itme_inode *ino, u32 idx, u32 tier)
{
	struct itme_chunk c = itme_chunk_peek(ino, idx);

	if (c.flags & ITME_C_PINNED)
		return false;
	if (tier == ITME_TIER_CXL)
		return itme_move_to(ino, idx, tier);
	if (c.state == ITME_ABSENT)
		return true;
	if (itme_chunk_wait(ino, idx) || !itme_chunk_begin_leave(ino, idx))
		return itme_chunk_peek(ino, idx).state == ITME_ABSENT;
	return itme_drop(ino, idx, false);
}

static int pin_one(struct itme_inode *ino, u32 idx, int tier, bool *fresh)
{
	int err;

	for (;;) {
		err = itme_chunk_pin(ino, idx, tier, fresh);
		if (err != -EAGAIN)
			break;
		err = itme_chunk_wait(ino, idx);
		if (err)
			return err;
	}
	if (err)
		return err;
	for (;;) {
		struct itme_chunk c;

		err = itme_bring_in(ino, idx, tier);
		if (err)
			return err;
		c = itme_chunk_peek(ino, idx);
		/* Another pin may have taken the last of the tier meanwhile. */
		if (!(c.flags & ITME_C_PINNED))
			return -ENOSPC;
		if (c.state == ITME_RESIDENT && c.tier == tier)
			return 0;
		/* A hole: what is made in it will be pinned. */
		if (ino->native && c.state == ITME_ABSENT && itme_whole(ino, idx))
			return 0;
		if (c.state == ITME_RESIDENT && itme_move_to(ino, idx, tier))
			continue;
		if (c.state == ITME_RESIDENT && c.tier != tier)
			return -ENOSPC;
		if (signal_pending(current))
			return -EINTR;
		cond_resched();
	}
}

static int pin(struct itme_inode *ino, struct itme_range range, int tier)
{
	unsigned long *fresh;
	int err = 0;
	u32 i;

	/* So that a failure unpins just what this call has pinned. */
	fresh = kvcalloc(BITS_TO_LONGS(range.nr), sizeof(long), GFP_KERNEL | __GFP_NOWARN);
	if (!fresh)
		return -ENOMEM;
	for (i = 0; i < range.nr && !err; i++) {
		bool new = false;

		err = signal_pending(current) ? -EINTR :
						pin_one(ino, range.start + i, tier, &new);
		if (new)
			__set_bit(i, fresh);
	}
	if (err)
		for (i = 0; i < range.nr; i++)
			if (test_bit(i, fresh))
				itme_chunk_unpin(ino, range.start + i);
	kvfree(fresh);
	return err;
}

static int check(struct itme_inode *ino, const struct itme_advise *arg, u64 *length)
{
	static const u32 tiers[] = {
		[ITME_ADVICE_WILLNEED]	= BIT(ITME_TIER_DRAM) | BIT(ITME_TIER_CXL),
		[ITME_ADVICE_COLD]	= 0,
		[ITME_ADVICE_PAGEOUT]	= BIT(ITME_TIER_CXL) | BIT(ITME_TIER_NVME),
		[ITME_ADVICE_HOT]	= BIT(ITME_TIER_DRAM) | BIT(ITME_TIER_CXL),
		[ITME_ADVICE_PIN]	= BIT(ITME_TIER_DRAM) | BIT(ITME_TIER_CXL),
		[ITME_ADVICE_UNPIN]	= 0,
	};
	u64 size = i_size_read(&ino->vfs);
	u64 end;

	if (arg->flags || arg->pad || memchr_inv(arg->reserved, 0, sizeof(arg->reserved)))
		return -EINVAL;
	if (arg->advice >= ITME_ADVICE_NR)
		return -EINVAL;
	if (arg->tier != ITME_TIER_ANY &&
	    (arg->tier >= ITME_TIER_NR || !(tiers[arg->advice] & BIT(arg->tier))))
		return -EINVAL;
	*length = arg->length ?: size - min(size, arg->offset);
	if (check_add_overflow(arg->offset, *length, &end) || arg->offset >= size)
		return -EINVAL;
	return 0;
}

/**
 * itme_advise - follow a hint as far as it goes
 * @ino: file
 * @arg: hint, checked here; @done is set
 * @wait: for HOT, until it has been done; else it is under way on return
 *
 * Return: 0 or -errno, see struct itme_advise
 */
int itme_advise(struct itme_inode *ino, struct itme_advise *arg, bool wait)
{
	int tier = arg->tier == ITME_TIER_ANY ? ITME_TIER_DRAM : arg->tier;
	bool inside = arg->advice == ITME_ADVICE_COLD || arg->advice == ITME_ADVICE_PAGEOUT ||
		      arg->advice == ITME_ADVICE_UNPIN;
	struct itme_range range;
	u64 length, done = 0;
	int err;

	err = check(ino, arg, &length);
	if (err)
		return err;
	if ((arg->advice == ITME_ADVICE_PIN || arg->advice == ITME_ADVICE_UNPIN) &&
	    !capable(CAP_SYS_ADMIN))
		return -EPERM;
	itme_count(ino, ITME_HINTS, 1);
	range = chunks_of(ino, arg->offset, length, inside);

	if (arg->advice == ITME_ADVICE_PIN) {
		err = pin(ino, range, tier);
		if (err)
			return err;
	}
	if (arg->advice == ITME_ADVICE_WILLNEED) {
		range.nr = willneed(ino, range, arg->tier);
		arg->done = min_t(u64, length, (u64)range.nr << ino->chunk_shift);
		return 0;
	}

	if (arg->advice == ITME_ADVICE_HOT) {
		err = itme_heat(ino, range, tier, wait, &done);
		arg->done = min(done, length);
		return err;
	}

	for (u32 idx = range.start; itme_chunk_next(ino, &idx) && idx < range.start + range.nr;
	     idx++) {
		bool ok = true;

		if (signal_pending(current))
			return -EINTR;
		switch (arg->advice) {
		case ITME_ADVICE_COLD:
			ok = itme_chunk_set_cold(ino, idx);
			break;
		case ITME_ADVICE_PAGEOUT:
			ok = page_out(ino, idx, arg->tier);
			break;
		case ITME_ADVICE_UNPIN:
			itme_chunk_unpin(ino, idx);
			break;
		}
		if (ok)
			done += itme_chunk_bytes(ino, idx);
		cond_resched();
	}
	arg->done = min(done, length);
	return 0;
}

/*
 * The page cache keeps what is mapped, so that a backup that cleans up behind itself
 * does not take a model from those who use it. Here the sampler unmaps folios that
 * are in use, so all of a file that is mapped is kept.
 */
static int dontneed(struct itme_inode *ino, u64 offset, u64 length)
{
	struct itme_range range = chunks_of(ino, offset, length, true);

	itme_count(ino, ITME_HINTS, 1);
	if (mapping_mapped(ino->vfs.i_mapping))
		return 0;
	for (u32 idx = range.start; itme_chunk_next(ino, &idx) && idx < range.start + range.nr;
	     idx++) {
		if (signal_pending(current))
			break;
		page_out(ino, idx, ITME_TIER_ANY);
		cond_resched();
	}
	return 0;
}

/**
 * itme_fadvise - posix_fadvise(2), and madvise(MADV_WILLNEED) through it
 * @file: of itmefs
 * @offset: bytes
 * @len: bytes; 0 to the end
 * @advice: POSIX_FADV_*
 *
 * Return: 0, or -EINVAL for an advice that is none
 */
int itme_fadvise(struct file *file, loff_t offset, loff_t len, int advice)
{
	struct itme_inode *ino = itme_i(file_inode(file));
	struct itme_advise arg = {
		.offset = offset,
		.length = len,
		.advice = ITME_ADVICE_WILLNEED,
		.tier = ITME_TIER_ANY,
	};

	if (offset < 0 || len < 0)
		return -EINVAL;
	/* How a file is read is kept where the VFS keeps it. */
	if (advice != POSIX_FADV_WILLNEED && advice != POSIX_FADV_DONTNEED)
		return generic_fadvise(file, offset, len, advice);
	/* Past the end is no error here, and neither is a range that overflows. */
	if (offset >= i_size_read(&ino->vfs))
		return 0;
	if (!arg.length || arg.length > LLONG_MAX - arg.offset)
		arg.length = i_size_read(&ino->vfs) - arg.offset;
	if (advice == POSIX_FADV_DONTNEED)
		return dontneed(ino, arg.offset, arg.length);
	return itme_advise(ino, &arg, true);
}
