// SPDX-License-Identifier: GPL-2.0
/*
 * DOC: the state of each chunk
 *
 *            begin_fill            end_fill
 *   ABSENT ------------> FILLING ------------> RESIDENT
 *      ^                    |                   |    ^
 *      |  end_fill (error)  |                   |    | end_leave (moved, or held)
 *      +--------------------+     begin_leave   v    |
 *      +-------------------------------------- BUSY -+
 *                    end_leave (gone)
 *
 * This file is the only writer of struct itme_chunk, but for @young and @stamp,
 * and of the queues, but for the order that policy.c gives them. All of it under
 * fs->lock. RESIDENT says that a fill has been done, not that every folio is
 * still there: the kernel may take some (drop_caches, memory failure). Whoever
 * misses one calls begin_fill again, and the fill adds only what is missing.
 */
#include <linux/ktime.h>
#include <linux/sched/signal.h>
#include <linux/wait_bit.h>

#include "itme.h"

/* Read-ahead beyond this gains nothing: 16 reads of 2 MiB fill a drive's queue. */
#define WINDOW_BYTES	(32UL << 20)

static u32 itme_now(void)
{
	u32 now = div_u64(ktime_get_ns(), NSEC_PER_SEC / ITME_HZ);

	return now ?: 1;
}

static struct itme_queue *queue_of(struct itme_fs *fs, const struct itme_chunk *c)
{
	struct itme_queues *q = &fs->queues[c->tier];

	if (c->flags & ITME_C_HELD)
		return &q->held;
	if (!(c->flags & ITME_C_RING))
		return &q->main;
	return c->flags & ITME_C_UNTOUCHED ? &q->ring : &q->used;
}

static void enqueue(struct itme_inode *ino, struct itme_chunk *c)
{
	struct itme_fs *fs = ino->fs;
	long pages = itme_chunk_pages(ino, c - ino->chunks);

	lockdep_assert_held(&fs->lock);
	if (c->flags & ITME_C_PINNED) {
		fs->queues[c->tier].pinned += pages;
		return;
	}
	list_add(&c->node, &queue_of(fs, c)->list);
	queue_of(fs, c)->pages += pages;
}

static void dequeue(struct itme_inode *ino, struct itme_chunk *c)
{
	struct itme_fs *fs = ino->fs;
	long pages = itme_chunk_pages(ino, c - ino->chunks);

	lockdep_assert_held(&fs->lock);
	if (c->flags & ITME_C_PINNED) {
		fs->queues[c->tier].pinned -= pages;
	} else if (!list_empty(&c->node)) {
		list_del_init(&c->node);
		queue_of(fs, c)->pages -= pages;
	}
	c->flags &= ~ITME_C_HELD;
}

/* Filled, and to be used: another queue than when it has been used. */
static void set_untouched(struct itme_inode *ino, struct itme_chunk *c, bool untouched)
{
	bool queued = !list_empty(&c->node) && !(c->flags & ITME_C_HELD);

	if (queued)
		dequeue(ino, c);
	c->flags &= ~ITME_C_UNTOUCHED;
	if (untouched)
		c->flags |= ITME_C_UNTOUCHED;
	if (queued)
		enqueue(ino, c);
}

static bool in_transit(u8 state)
{
	return state == ITME_FILLING || state == ITME_BUSY;
}

static void set_state(struct itme_inode *ino, struct itme_chunk *c, enum itme_state state)
{
	lockdep_assert_held(&ino->fs->lock);
	WRITE_ONCE(c->state, state);
}

/* Call after fs->lock is released and the chunk has come to rest. */
static void wake_waiters(struct itme_inode *ino, struct itme_chunk *c)
{
	/*
	 * The new state must be seen before the queue of waiters is looked at;
	 * pairs with the barrier in prepare_to_wait_event() of the waiter, who
	 * queues first and looks at the state then.
	 */
	smp_mb();
	wake_up_var(&c->state);
	wake_up_all(&ino->fs->pages_wait);
}

/**
 * itme_chunk_begin_fill - become the one who fills a chunk
 * @ino: file
 * @idx: chunk
 * @demand: somebody waits for it
 * @hole: the caller has found a page missing, so do it also when RESIDENT
 *
 * Return: true when the caller now has to fill it and call itme_chunk_end_fill()
 */
bool itme_chunk_begin_fill(struct itme_inode *ino, u32 idx, bool demand, bool hole)
{
	struct itme_chunk *c = &ino->chunks[idx];
	struct itme_fs *fs = ino->fs;
	u32 now = itme_now();
	bool begun = false;
	bool late = false;

	spin_lock(&fs->lock);
	switch (c->state) {
	case ITME_ABSENT:
		c->interval = c->stamp ? itme_age(c->stamp, now) : 0;
		c->flags &= ITME_C_PINNED;
		c->heat = 0;
		begun = true;
		break;
	case ITME_RESIDENT:
		/* Its place in the queue stays. */
		begun = hole;
		break;
	case ITME_FILLING:
		late = demand && (c->flags & ITME_C_PREFETCH);
		if (late)
			c->flags &= ~ITME_C_PREFETCH;
		break;
	}
	if (begun) {
		c->flags &= ~(ITME_C_EIO | ITME_C_ENOMEM);
		set_untouched(ino, c, true);
		if (!demand)
			c->flags |= ITME_C_PREFETCH;
		WRITE_ONCE(c->stamp, now);
		set_state(ino, c, ITME_FILLING);
	}
	spin_unlock(&fs->lock);

	if (late)
		itme_count(ino, ITME_PREFETCH_LATE, itme_chunk_bytes(ino, idx));
	return begun;
}

static bool fits_main(struct itme_inode *ino, u32 idx)
{
	long budget = atomic_long_read(&itme_tiers[ITME_TIER_DRAM].budget);

	return itme_policy_fits_main(&ino->fs->queues[ITME_TIER_DRAM], budget,
				     itme_chunk_pages(ino, idx));
}

static bool spread_main(struct itme_inode *ino, u32 idx)
{
	long budget = atomic_long_read(&itme_tiers[ITME_TIER_DRAM].budget);
	u64 file = DIV_ROUND_UP(i_size_read(&ino->vfs), PAGE_SIZE);

	return itme_policy_spread(&ino->fs->queues[ITME_TIER_DRAM], budget, file, idx);
}

/* Is there room in main of DRAM, beside the ring? */
bool itme_chunk_fits_main(struct itme_inode *ino, u32 idx)
{
	bool fits;

	spin_lock(&ino->fs->lock);
	fits = fits_main(ino, idx);
	spin_unlock(&ino->fs->lock);
	return fits;
}

/**
 * itme_chunk_place - choose where the chunk that is being filled goes
 * @ino: file
 * @idx: chunk, ITME_FILLING by the caller
 * @tier: wanted memory tier
 * @force_main: do not ask whether there is room beside the ring
 *
 * A chunk that fills a hole stays where it is, a pinned one goes where it was
 * pinned to.
 *
 * Return: tier to take the memory from
 */
int itme_chunk_place(struct itme_inode *ino, u32 idx, int tier, bool force_main)
{
	struct itme_chunk *c = &ino->chunks[idx];
	struct itme_fs *fs = ino->fs;

	spin_lock(&fs->lock);
	if (c->flags & ITME_C_PINNED || !list_empty(&c->node)) {
		tier = c->tier;
	} else {
		c->tier = tier;
		c->flags &= ~ITME_C_RING;
		if (tier == ITME_TIER_DRAM && !force_main &&
		    (!fits_main(ino, idx) || (!c->interval && !spread_main(ino, idx))))
			c->flags |= ITME_C_RING;
		enqueue(ino, c);
	}
	spin_unlock(&fs->lock);
	return tier;
}

/* A pinned chunk stays pinned where it comes to, as far as that may be pinned. */
static void change_tier(struct itme_inode *ino, struct itme_chunk *c, int tier)
{
	long max = itme_policy_stay_max(tier, atomic_long_read(&itme_tiers[tier].budget));
	long pages = itme_chunk_pages(ino, c - ino->chunks);

	dequeue(ino, c);
	c->tier = tier;
	if (ino->fs->queues[tier].pinned + pages > max)
		c->flags &= ~ITME_C_PINNED;
	c->heat = 0;
	c->flags &= ~ITME_C_RING;
	if (tier == ITME_TIER_DRAM && !fits_main(ino, c - ino->chunks))
		c->flags |= ITME_C_RING;
	enqueue(ino, c);
}

/**
 * itme_chunk_replace - the tier cannot give the memory, take the other
 * @ino: file
 * @idx: chunk, ITME_FILLING by the caller
 * @tier: the other
 */
void itme_chunk_replace(struct itme_inode *ino, u32 idx, int tier)
{
	spin_lock(&ino->fs->lock);
	change_tier(ino, &ino->chunks[idx], tier);
	spin_unlock(&ino->fs->lock);
}

/**
 * itme_chunk_follow - the kernel has moved a folio of it to another tier
 * @ino: file
 * @idx: chunk
 * @tier: where to
 *
 * The chunk goes to the queues of that tier, so that who needs room there finds
 * it. One in transit is placed by the one who owns it.
 */
void itme_chunk_follow(struct itme_inode *ino, u32 idx, int tier)
{
	struct itme_chunk *c = &ino->chunks[idx];

	spin_lock(&ino->fs->lock);
	if (c->state == ITME_RESIDENT && c->tier != tier)
		change_tier(ino, c, tier);
	spin_unlock(&ino->fs->lock);
}

/**
 * itme_chunk_end_fill - the fill is done
 * @ino: file
 * @idx: chunk, ITME_FILLING by the caller
 * @resident: folios of it are in the page cache
 * @err: 0, or -errno for those who wait; -EAGAIN is told to nobody
 */
void itme_chunk_end_fill(struct itme_inode *ino, u32 idx, bool resident, int err)
{
	struct itme_chunk *c = &ino->chunks[idx];
	struct itme_fs *fs = ino->fs;

	spin_lock(&fs->lock);
	WARN_ON_ONCE(c->state != ITME_FILLING);
	if (err == -ENOMEM)
		c->flags |= ITME_C_ENOMEM;
	else if (err && err != -EAGAIN)
		c->flags |= ITME_C_EIO;
	if (!resident && !(c->flags & ITME_C_PINNED))
		dequeue(ino, c);
	/* Nobody has used it: what the next fill has to see is the use before. */
	if (!resident)
		WRITE_ONCE(c->stamp, c->interval ? c->stamp - c->interval : 0);
	set_state(ino, c, resident ? ITME_RESIDENT : ITME_ABSENT);
	spin_unlock(&fs->lock);
	wake_waiters(ino, c);
}

static bool begin_leave(struct itme_inode *ino, struct itme_chunk *c)
{
	if (c->state != ITME_RESIDENT)
		return false;
	/* Who waits for it from now on did not wait for the fill that failed. */
	c->flags &= ~(ITME_C_EIO | ITME_C_ENOMEM);
	set_state(ino, c, ITME_BUSY);
	return true;
}

/**
 * itme_chunk_begin_leave - become the one who drops or moves a chunk
 * @ino: file
 * @idx: chunk
 *
 * Return: true when the caller now has to call itme_chunk_end_leave()
 */
bool itme_chunk_begin_leave(struct itme_inode *ino, u32 idx)
{
	bool ok;

	spin_lock(&ino->fs->lock);
	ok = begin_leave(ino, &ino->chunks[idx]);
	spin_unlock(&ino->fs->lock);
	return ok;
}

/**
 * itme_chunk_end_leave - the drop or move is done, or could not be
 * @ino: file
 * @idx: chunk, ITME_BUSY by the caller
 * @tier: where it is now
 * @held: something else held it, so that it could not leave
 */
void itme_chunk_end_leave(struct itme_inode *ino, u32 idx, int tier, bool held)
{
	struct itme_chunk *c = &ino->chunks[idx];
	struct itme_fs *fs = ino->fs;
	u64 wasted = 0;

	spin_lock(&fs->lock);
	WARN_ON_ONCE(c->state != ITME_BUSY);
	if (tier == ITME_TIER_NVME) {
		if (c->flags & ITME_C_UNTOUCHED) {
			if (c->flags & ITME_C_PREFETCH)
				wasted = itme_chunk_bytes(ino, idx);
			/* Never used: what the next fill sees is no reuse. */
			WRITE_ONCE(c->stamp, 0);
		}
		if (!(c->flags & ITME_C_PINNED))
			dequeue(ino, c);
		c->flags &= ITME_C_PINNED;
		WRITE_ONCE(c->young, 0);
		set_state(ino, c, ITME_ABSENT);
	} else {
		if (tier != c->tier) {
			change_tier(ino, c, tier);
			WRITE_ONCE(c->young, 0);
		}
		if (held && !(c->flags & (ITME_C_HELD | ITME_C_PINNED))) {
			dequeue(ino, c);
			c->flags |= ITME_C_HELD;
			enqueue(ino, c);
		}
		set_state(ino, c, ITME_RESIDENT);
	}
	spin_unlock(&fs->lock);

	if (wasted)
		itme_count(ino, ITME_PREFETCH_WASTED, wasted);
	wake_waiters(ino, c);
}

/* The inode is held for the caller, who lets it go with itme_inode_put(). */
static struct itme_inode *hold_inode(struct itme_fs *fs, const struct itme_chunk *c)
{
	struct itme_inode *ino = xa_load(&fs->objects, c->object);

	lockdep_assert_held(&fs->lock);
	return ino && igrab(&ino->vfs) ? ino : NULL;
}

static struct itme_inode *begin_victim(struct itme_fs *fs, struct itme_chunk *c, u32 *idx)
{
	struct itme_inode *ino = hold_inode(fs, c);

	if (!ino) {
		/* Its inode is being evicted, it leaves by that. Look elsewhere. */
		list_move(&c->node, &queue_of(fs, c)->list);
		return NULL;
	}
	*idx = c - ino->chunks;
	begin_leave(ino, c);
	return ino;
}

/**
 * itme_chunk_begin_victim - take the chunk that shall leave a tier
 * @fs: file system
 * @tier: memory tier
 * @demand: somebody waits for the room
 * @idx: set to the chunk
 *
 * Return: its file, held, chunk ITME_BUSY by the caller; NULL when none may leave
 */
struct itme_inode *itme_chunk_begin_victim(struct itme_fs *fs, int tier, bool demand, u32 *idx)
{
	long budget = atomic_long_read(&itme_tiers[tier].budget);
	struct itme_inode *ino = NULL;
	struct itme_chunk *c;
	int tries = 64;

	spin_lock(&fs->lock);
	do {
		c = itme_policy_victim(&fs->queues[tier], budget, demand, itme_now());
		if (c)
			ino = begin_victim(fs, c, idx);
	} while (c && !ino && tries--);
	spin_unlock(&fs->lock);
	return ino;
}

/**
 * itme_chunk_begin_colder - take a chunk that is worth less than another
 * @fs: file system
 * @tier: memory tier to look in
 * @interval: time between the last two uses of the other
 * @idx: set to the chunk
 *
 * Return: as itme_chunk_begin_victim()
 */
struct itme_inode *itme_chunk_begin_colder(struct itme_fs *fs, int tier, u32 interval, u32 *idx)
{
	struct itme_inode *ino = NULL;
	struct itme_chunk *c;
	int tries = 64;

	spin_lock(&fs->lock);
	do {
		c = itme_policy_colder(&fs->queues[tier].main, interval, itme_now());
		if (c)
			ino = begin_victim(fs, c, idx);
	} while (c && !ino && tries--);
	spin_unlock(&fs->lock);
	return ino;
}

/**
 * itme_chunk_wait - wait until a chunk is not in transit
 * @ino: file
 * @idx: chunk
 *
 * Return: 0, or -EINTR when the task is being killed
 */
int itme_chunk_wait(struct itme_inode *ino, u32 idx)
{
	struct itme_chunk *c = &ino->chunks[idx];

	return wait_var_event_killable(&c->state, !in_transit(READ_ONCE(c->state))) ? -EINTR : 0;
}

/**
 * itme_chunk_error - did the last fill fail?
 * @ino: file
 * @idx: chunk
 *
 * Return: 0, -EIO or -ENOMEM. The next begin_fill forgets it.
 */
int itme_chunk_error(struct itme_inode *ino, u32 idx)
{
	u8 flags = READ_ONCE(ino->chunks[idx].flags);

	if (flags & ITME_C_EIO)
		return -EIO;
	return flags & ITME_C_ENOMEM ? -ENOMEM : 0;
}

/* Has nobody used it since it was filled? A hint, without the lock. */
bool itme_chunk_untouched(const struct itme_inode *ino, u32 idx)
{
	return READ_ONCE(ino->chunks[idx].flags) & ITME_C_UNTOUCHED;
}

/* Is it pinned, and nobody here is taking it? A hint, without the lock. */
bool itme_chunk_kept(const struct itme_inode *ino, u32 idx)
{
	const struct itme_chunk *c = &ino->chunks[idx];

	return READ_ONCE(c->flags) & ITME_C_PINNED && READ_ONCE(c->state) == ITME_RESIDENT;
}

/* Note a use that is not the first one. From any context, without the lock. */
void itme_chunk_young(struct itme_inode *ino, u32 idx)
{
	struct itme_chunk *c = &ino->chunks[idx];

	if (READ_ONCE(c->young))
		return;
	WRITE_ONCE(c->stamp, itme_now());
	WRITE_ONCE(c->young, 1);
}

static u32 max_window(struct itme_inode *ino)
{
	long budget = atomic_long_read(&itme_tiers[ITME_TIER_DRAM].budget);
	unsigned long pages = max(itme_policy_ring(budget), itme_tier_room(ITME_TIER_DRAM)) / 2;
	unsigned long bytes = min(pages << PAGE_SHIFT, WINDOW_BYTES);

	return max(1UL, bytes >> ino->chunk_shift);
}

/* What all readers together have ahead is bounded as well: by half of the ring. */
static u32 max_issue(struct itme_inode *ino)
{
	long budget = atomic_long_read(&itme_tiers[ITME_TIER_DRAM].budget);
	long ahead = READ_ONCE(ino->fs->queues[ITME_TIER_DRAM].ring.pages);
	long pages = max(itme_policy_ring(budget) - 2 * ahead, itme_tier_room(ITME_TIER_DRAM)) / 2;

	return pages > 0 ? min_t(u64, U32_MAX, ((u64)pages << PAGE_SHIFT) >> ino->chunk_shift) : 0;
}

/**
 * itme_chunk_touch - note the first use since a fill
 * @ino: file
 * @idx: chunk
 * @random: the reader said that it reads at random
 *
 * Return: what to read ahead
 */
struct itme_range itme_chunk_touch(struct itme_inode *ino, u32 idx, bool random)
{
	struct itme_chunk *c = &ino->chunks[idx];
	struct itme_chunk *before = idx ? c - 1 : NULL;
	struct itme_fs *fs = ino->fs;
	struct itme_range range;
	bool used;

	spin_lock(&fs->lock);
	used = (c->flags & ITME_C_UNTOUCHED) && (c->flags & ITME_C_PREFETCH);
	set_untouched(ino, c, false);
	c->flags &= ~ITME_C_PREFETCH;
	WRITE_ONCE(c->young, 1);
	WRITE_ONCE(c->stamp, itme_now());
	range = itme_stream_touch(&ino->streams, &(struct itme_touch){
		.idx = idx,
		.nr_chunks = ino->nr_chunks,
		.max_window = max_window(ino),
		.max_issue = max_issue(ino),
		.after_resident = before && before->state == ITME_RESIDENT && before->young,
		.random = random,
	});
	spin_unlock(&fs->lock);

	if (used)
		itme_count(ino, ITME_PREFETCH_USED, itme_chunk_bytes(ino, idx));
	return range;
}

/**
 * itme_chunk_interval - time between the last two uses, as far as seen
 * @ino: file
 * @idx: chunk
 *
 * Return: units of 1/ITME_HZ s; 0 unknown, or said to be cold, or never used:
 * such a chunk displaces nothing
 */
u32 itme_chunk_interval(struct itme_inode *ino, u32 idx)
{
	struct itme_chunk *c = &ino->chunks[idx];
	u32 interval;

	spin_lock(&ino->fs->lock);
	interval = c->flags & ITME_C_COLD ? 0 : c->interval;
	spin_unlock(&ino->fs->lock);
	return interval;
}

/* Is it worth a place in a slower tier, rather than being dropped? */
bool itme_chunk_demotable(struct itme_inode *ino, u32 idx)
{
	return !(READ_ONCE(ino->chunks[idx].flags) & (ITME_C_COLD | ITME_C_UNTOUCHED));
}

/**
 * itme_chunk_set_cold - first to leave from now on
 * @ino: file
 * @idx: chunk
 *
 * Return: false when it is not resident, or pinned
 */
bool itme_chunk_set_cold(struct itme_inode *ino, u32 idx)
{
	struct itme_chunk *c = &ino->chunks[idx];
	struct itme_fs *fs = ino->fs;
	bool ok;

	spin_lock(&fs->lock);
	ok = c->state == ITME_RESIDENT && !(c->flags & ITME_C_PINNED);
	if (ok) {
		dequeue(ino, c);
		c->flags &= ~ITME_C_UNTOUCHED;
		c->flags |= ITME_C_COLD;
		if (c->tier == ITME_TIER_DRAM)
			c->flags |= ITME_C_RING;
		c->heat = 0;
		WRITE_ONCE(c->young, 0);
		enqueue(ino, c);
		list_move_tail(&c->node, &queue_of(fs, c)->list);
	}
	spin_unlock(&fs->lock);
	return ok;
}

/**
 * itme_chunk_set_hot - belongs into main, whatever the ring needs
 * @ino: file
 * @idx: chunk
 */
void itme_chunk_set_hot(struct itme_inode *ino, u32 idx)
{
	struct itme_chunk *c = &ino->chunks[idx];
	struct itme_fs *fs = ino->fs;

	spin_lock(&fs->lock);
	if (c->state == ITME_RESIDENT && !(c->flags & ITME_C_PINNED)) {
		dequeue(ino, c);
		c->flags &= ~(ITME_C_RING | ITME_C_COLD);
		WRITE_ONCE(c->stamp, itme_now());
		WRITE_ONCE(c->young, 1);
		enqueue(ino, c);
	}
	spin_unlock(&fs->lock);
}

/**
 * itme_chunk_pin - keep a chunk, resident or not yet
 * @ino: file
 * @idx: chunk
 * @tier: where
 * @fresh: set when it was not pinned before
 *
 * Pinned memory leaves room for the ring.
 *
 * Return: 0, -ENOSPC, or -EAGAIN when the chunk is in transit
 */
int itme_chunk_pin(struct itme_inode *ino, u32 idx, int tier, bool *fresh)
{
	struct itme_chunk *c = &ino->chunks[idx];
	struct itme_fs *fs = ino->fs;
	long budget;
	int err = 0;

	*fresh = false;
	spin_lock(&fs->lock);
	budget = atomic_long_read(&itme_tiers[tier].budget);
	if (c->flags & ITME_C_PINNED && c->tier == tier)
		goto out;
	if (in_transit(c->state)) {
		err = -EAGAIN;
		goto out;
	}
	if (fs->queues[tier].pinned + (long)itme_chunk_pages(ino, idx) >
	    itme_policy_stay_max(tier, budget)) {
		err = -ENOSPC;
		goto out;
	}
	/* Pinned in another tier: it has room here, and is moved. */
	if (c->flags & ITME_C_PINNED)
		goto out;
	dequeue(ino, c);
	if (c->state == ITME_ABSENT)
		c->tier = tier;
	c->flags &= ~(ITME_C_RING | ITME_C_COLD);
	c->flags |= ITME_C_PINNED;
	enqueue(ino, c);
	*fresh = true;
out:
	spin_unlock(&fs->lock);
	return err;
}

/**
 * itme_chunk_unpin - undo itme_chunk_pin()
 * @ino: file
 * @idx: chunk
 *
 * Return: true when it was pinned
 */
bool itme_chunk_unpin(struct itme_inode *ino, u32 idx)
{
	struct itme_chunk *c = &ino->chunks[idx];
	struct itme_fs *fs = ino->fs;
	bool was;

	spin_lock(&fs->lock);
	was = c->flags & ITME_C_PINNED;
	if (was) {
		dequeue(ino, c);
		c->flags &= ~ITME_C_PINNED;
		if (c->state != ITME_ABSENT)
			enqueue(ino, c);
	}
	spin_unlock(&fs->lock);
	return was;
}

/**
 * itme_chunk_peek - state of a chunk for who asks
 * @ino: file
 * @idx: chunk
 *
 * Return: a copy; its @node is of no use
 */
struct itme_chunk itme_chunk_peek(struct itme_inode *ino, u32 idx)
{
	struct itme_chunk copy;

	spin_lock(&ino->fs->lock);
	copy = ino->chunks[idx];
	spin_unlock(&ino->fs->lock);
	return copy;
}

/**
 * itme_chunk_sample - look at the next chunk of main
 * @fs: file system
 * @tier: memory tier
 * @idx: set to the chunk
 * @touched: set when it was used since the last look; the caller then unmaps it
 * @heat: set to the number of looks in a row that found it used
 *
 * Return: its file, held, or NULL
 */
struct itme_inode *itme_chunk_sample(struct itme_fs *fs, int tier, u32 *idx, bool *touched,
				     u32 *heat)
{
	struct itme_queue *q = &fs->queues[tier].main;
	struct itme_inode *ino = NULL;
	struct itme_chunk *c;

	spin_lock(&fs->lock);
	if (list_empty(&q->list))
		goto out;
	c = list_last_entry(&q->list, struct itme_chunk, node);
	list_move(&c->node, &q->list);
	ino = hold_inode(fs, c);
	if (!ino)
		goto out;
	*idx = c - ino->chunks;
	*touched = c->young && c->state == ITME_RESIDENT;
	if (*touched) {
		if (c->heat < 15)
			c->heat++;
		/* It may have been used until now. */
		WRITE_ONCE(c->stamp, itme_now());
		WRITE_ONCE(c->young, 0);
	} else {
		c->heat = 0;
	}
	*heat = c->heat;
out:
	spin_unlock(&fs->lock);
	return ino;
}

/**
 * itme_chunk_may_hold - may one more chunk be kept from leaving?
 * @ino: file
 * @idx: chunk, which somebody has locked in memory
 *
 * mlock(2) is honoured as long as it leaves room for others to read.
 *
 * Return: false when the chunk has to leave all the same
 */
bool itme_chunk_may_hold(struct itme_inode *ino, u32 idx)
{
	struct itme_chunk *c = &ino->chunks[idx];
	struct itme_queues *q = &ino->fs->queues[c->tier];
	long pages = itme_chunk_pages(ino, idx);
	long max;
	bool ok;

	spin_lock(&ino->fs->lock);
	max = itme_policy_stay_max(c->tier, atomic_long_read(&itme_tiers[c->tier].budget));
	ok = c->flags & ITME_C_HELD || q->held.pages + q->pinned + pages <= max;
	spin_unlock(&ino->fs->lock);
	return ok;
}

/**
 * itme_chunks_retry_held - let what could not leave be tried again
 * @fs: file system
 *
 * They go back behind the others, so that those are tried first.
 */
void itme_chunks_retry_held(struct itme_fs *fs)
{
	spin_lock(&fs->lock);
	for (int tier = 0; tier < ITME_MEM_TIERS; tier++) {
		struct itme_queues *q = &fs->queues[tier];
		struct itme_chunk *c, *next;

		list_for_each_entry_safe(c, next, &q->held.list, node) {
			struct itme_inode *ino = xa_load(&fs->objects, c->object);

			/* Without one, the inode is being evicted. */
			if (!ino || c->state != ITME_RESIDENT)
				continue;
			dequeue(ino, c);
			enqueue(ino, c);
		}
	}
	spin_unlock(&fs->lock);
}

/**
 * itme_chunks_forget - the inode goes; nobody else can reach its chunks
 * @ino: file, its folios gone, no work in flight (it would hold the inode)
 */
void itme_chunks_forget(struct itme_inode *ino)
{
	struct itme_fs *fs = ino->fs;

	spin_lock(&fs->lock);
	xa_erase(&fs->objects, ino->id);
	for (u32 i = 0; i < ino->nr_chunks; i++) {
		dequeue(ino, &ino->chunks[i]);
		/* Millions of chunks: let others have the lock now and then. */
		if (!(i % 1024) && spin_is_contended(&fs->lock)) {
			spin_unlock(&fs->lock);
			cond_resched();
			spin_lock(&fs->lock);
		}
	}
	spin_unlock(&fs->lock);
}
