// SPDX-License-Identifier: GPL-2.0
/*
 * DOC: a range made hot: brought in and moved, a few chunks at a time
 *
 * A copy between tiers is bound by the processor that does it, not by the memory,
 * so several workers share the range. They may have to wait for the drive; the
 * caller does not wait for them once he has a signal.
 */
#include <linux/cpumask.h>
#include <linux/refcount.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "itme.h"

#define HEAT_WORKERS	4

/**
 * struct heat - a range that is being made hot
 * @ino: file, held
 * @tier: where to
 * @next: the next chunk nobody has taken
 * @end: the chunk after the last
 * @done: bytes that are there
 * @running: workers that have not ended
 * @stop: the caller has gone
 * @queued: nobody waits for it, and it counts among the WILLNEEDs
 * @wait: the caller
 * @ref: of the caller and of each worker; the last one frees it
 * @worker: the workers
 */
struct heat {
	struct itme_inode *ino;
	int tier;
	atomic_t next;
	u32 end;
	atomic64_t done;
	atomic_t running;
	bool stop;
	bool queued;
	wait_queue_head_t wait;
	refcount_t ref;
	struct heat_worker {
		struct work_struct work;
		struct heat *heat;
	} worker[HEAT_WORKERS];
};

static void heat_put(struct heat *heat)
{
	struct itme_fs *fs = heat->ino->fs;

	if (!refcount_dec_and_test(&heat->ref))
		return;
	if (heat->queued)
		itme_hint_end(heat->ino);
	iput(&heat->ino->vfs);
	kfree(heat);
	itme_fs_put(fs);
}

/*
 * Room is made, not reserved: another worker may take it, or choose as its victim
 * what has just come. So there are a few tries. A pin is not moved by a hint.
 */
static bool heat_chunk(struct heat *heat, u32 idx)
{
	struct itme_inode *ino = heat->ino;

	for (int tries = 0; tries < 8 && !READ_ONCE(heat->stop); tries++) {
		struct itme_chunk c = itme_chunk_peek(ino, idx);

		if (c.flags & ITME_C_PINNED && c.tier != heat->tier)
			return false;
		if (itme_bring_in(ino, idx, heat->tier))
			return false;
		if (itme_move_to(ino, idx, heat->tier) && itme_chunk_set_hot(ino, idx, heat->tier))
			return true;
	}
	return false;
}

static void heat_work(struct work_struct *work)
{
	struct heat *heat = container_of(work, struct heat_worker, work)->heat;
	struct itme_inode *ino = heat->ino;
	u32 idx;

	while (!READ_ONCE(heat->stop) && !READ_ONCE(ino->fs->stopping)) {
		idx = atomic_fetch_inc(&heat->next);
		if (idx >= heat->end)
			break;
		if (heat_chunk(heat, idx))
			atomic64_add(itme_chunk_bytes(ino, idx), &heat->done);
		cond_resched();
	}
	if (atomic_dec_and_test(&heat->running))
		wake_up(&heat->wait);
	heat_put(heat);
}

/* Chunks that can be hot in a tier; more would only push out one another. */
static u32 hot_room(struct itme_inode *ino, int tier, u32 max)
{
	long budget = atomic_long_read(&itme_tiers[tier].budget);
	long pages = itme_policy_stay_max(tier, budget) -
		     READ_ONCE(ino->fs->queues[tier].pinned);

	return clamp_t(long, pages >> (ino->chunk_shift - PAGE_SHIFT), 0, max);
}

/**
 * itme_heat - make a range hot
 * @ino: file
 * @range: chunks
 * @tier: memory tier they belong to
 * @wait: until they are there; else the workers go on by themselves
 * @done: set to the bytes that are there or, without @wait, will be
 *
 * A hint does not fail for want of memory, it comes to nothing.
 *
 * Return: 0, or -EINTR
 */
int itme_heat(struct itme_inode *ino, struct itme_range range, int tier, bool wait, u64 *done)
{
	u32 nr = hot_room(ino, tier, range.nr);
	u32 n = min3(nr, (u32)HEAT_WORKERS, num_online_cpus());
	struct heat *heat;
	int err = 0;

	*done = 0;
	if (!n)
		return 0;
	heat = kzalloc(sizeof(*heat), GFP_KERNEL);
	if (!heat)
		return 0;
	if (!itme_fs_get(ino->fs)) {
		kfree(heat);
		return 0;
	}
	heat->queued = !wait;
	if (!wait && !itme_hint_begin(ino)) {
		itme_fs_put(ino->fs);
		kfree(heat);
		return 0;
	}
	ihold(&ino->vfs);
	heat->ino = ino;
	heat->tier = tier;
	heat->end = range.start + nr;
	atomic_set(&heat->next, range.start);
	atomic_set(&heat->running, n);
	init_waitqueue_head(&heat->wait);
	refcount_set(&heat->ref, n + 1);
	for (u32 i = 0; i < n; i++) {
		heat->worker[i].heat = heat;
		INIT_WORK(&heat->worker[i].work, heat_work);
		queue_work(ino->fs->heat_wq, &heat->worker[i].work);
	}
	if (!wait) {
		*done = (u64)nr << ino->chunk_shift;
		heat_put(heat);
		return 0;
	}
	if (wait_event_interruptible(heat->wait, !atomic_read(&heat->running))) {
		WRITE_ONCE(heat->stop, true);
		err = -EINTR;
	}
	*done = atomic64_read(&heat->done);
	heat_put(heat);
	return err;
}
