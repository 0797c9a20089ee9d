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
 * This file is the only writer of the state, under fs->lock; queue.c of the place
 * in the queues; @young and @stamp are written by whoever touches. RESIDENT says
 * that a fill has been done, not that every folio is still there: the kernel may
 * take some (drop_caches, memory failure). Whoever misses one calls begin_fill
 * again, and the fill adds only what is missing.
 */
#include <linux/sched/signal.h>
#include <linux/wait_bit.h>

#include "itme.h"
#include "swap.h"
#include "trigger.h"

static bool stays(enum itme_class class, int tier)
{
	return class == (tier == ITME_TIER_DRAM ? ITME_CLASS_DRAM : ITME_CLASS_CXL);
}

/* Is it being filled, and has no place in a queue yet? See itme_fs.asked. */
static bool is_asked(const struct itme_chunk *c)
{
	return c->state == ITME_FILLING && list_empty(&c->node) && !(c->flags & ITME_C_PINNED);
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

/* Nothing of it is stored, so there is nothing to read ahead of its use. */
static bool is_hole(struct itme_inode *ino, u32 idx)
{
	pgoff_t first = itme_chunk_start(ino, idx);
	pgoff_t end = first + itme_chunk_pages(ino, idx);

	return ino->native && itme_stored_next(ino, first, end, true) >= end;
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
	struct itme_chunk *c = itme_chunk_at(ino, idx);
	struct itme_fs *fs = ino->fs;
	u32 now = itme_now();
	bool begun = false;
	bool late = false;

	/* A hole: there is nothing to read. */
	if (c == &itme_no_chunk)
		return false;
	spin_lock(&fs->lock);
	switch (c->state) {
	case ITME_ABSENT:
		if (!demand && is_hole(ino, idx))
			break;
		c->interval = c->stamp ? itme_age(c->stamp, now) : 0;
		c->flags &= ITME_C_PINNED;
		c->heat = 0;
		c->stay = 0;
		begun = true;
		break;
	case ITME_RESIDENT:
		/* Its place in the queue stays. */
		begun = hole;
		break;
	case ITME_FILLING:
		late = demand && (c->flags & ITME_C_PREFETCH);
		if (late) {
			c->flags &= ~ITME_C_PREFETCH;
			itme_plan_late(ino, c);
		}
		break;
	}
	if (begun) {
		c->flags &= ~(ITME_C_EIO | ITME_C_ENOMEM);
		itme_queue_set_untouched(ino, c, true);
		if (!demand)
			c->flags |= ITME_C_PREFETCH;
		WRITE_ONCE(c->stamp, now);
		set_state(ino, c, ITME_FILLING);
		if (is_asked(c))
			fs->asked += itme_chunk_pages(ino, idx);
	}
	spin_unlock(&fs->lock);

	if (late)
		itme_count(ino, ITME_PREFETCH_LATE, itme_chunk_bytes(ino, idx));
	return begun;
}

/**
 * itme_chunk_place - choose where the chunk that is being filled goes
 * @ino: file
 * @idx: chunk, ITME_FILLING by the caller
 * @tier: wanted memory tier
 * @class: what a plan says of it
 * @force_main: do not ask whether there is room beside the ring
 *
 * A chunk that fills a hole stays where it is, a pinned one goes where it was
 * pinned to.
 *
 * Return: tier to take the memory from
 */
int itme_chunk_place(struct itme_inode *ino, u32 idx, int tier, enum itme_class class,
		     bool force_main)
{
	struct itme_chunk *c = itme_chunk_at(ino, idx);
	struct itme_fs *fs = ino->fs;

	spin_lock(&fs->lock);
	if (c->flags & ITME_C_PINNED || !list_empty(&c->node)) {
		tier = c->tier;
	} else {
		fs->asked -= itme_chunk_pages(ino, idx);
		c->tier = tier;
		c->flags &= ~ITME_C_RING;
		if (tier == ITME_TIER_DRAM && class == ITME_CLASS_STREAM)
			c->flags |= ITME_C_RING | ITME_C_COLD;
		else if (tier == ITME_TIER_DRAM && !force_main &&
			 (!itme_queue_fits_main(ino, idx) ||
			  (class == ITME_CLASS_NONE && !c->interval &&
			   !itme_queue_spread_main(ino, idx))))
			c->flags |= ITME_C_RING;
		c->stay = !(c->flags & ITME_C_RING) && stays(class, tier);
		itme_queue_add(ino, c);
	}
	spin_unlock(&fs->lock);
	return tier;
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
	itme_queue_change_tier(ino, itme_chunk_at(ino, idx), tier);
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
	struct itme_chunk *c = itme_chunk_at(ino, idx);

	spin_lock(&ino->fs->lock);
	if (c->state == ITME_RESIDENT && c->tier != tier)
		itme_queue_change_tier(ino, c, tier);
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
	struct itme_chunk *c = itme_chunk_at(ino, idx);
	struct itme_fs *fs = ino->fs;

	spin_lock(&fs->lock);
	WARN_ON_ONCE(c->state != ITME_FILLING);
	if (is_asked(c))
		fs->asked -= itme_chunk_pages(ino, idx);
	if (err == -ENOMEM)
		c->flags |= ITME_C_ENOMEM;
	else if (err && err != -EAGAIN)
		c->flags |= ITME_C_EIO;
	if (!resident && !(c->flags & ITME_C_PINNED))
		itme_queue_del(ino, c);
	/* It has been found to be there, and no place was sought: it could never leave. */
	if (resident && !(c->flags & ITME_C_PINNED) && list_empty(&c->node))
		itme_queue_add(ino, c);
	/* Who has found no room for a further page waits, and what is there may leave. */
	if (resident && err == -EAGAIN && ino->native)
		itme_queue_set_untouched(ino, c, false);
	/* Nobody has used it: what the next fill has to see is the use before. */
	if (!resident) {
		WRITE_ONCE(c->stamp, c->interval ? c->stamp - c->interval : 0);
		itme_stream_missed(&ino->streams, idx);
		itme_plan_missed(ino, idx);
	}
	set_state(ino, c, resident ? ITME_RESIDENT : ITME_ABSENT);
	itme_prefetch_filled(ino, idx);
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
	ok = begin_leave(ino, itme_chunk_at(ino, idx));
	spin_unlock(&ino->fs->lock);
	return ok;
}

static bool take(struct itme_inode *ino, struct itme_chunk *c)
{
	bool ok;

	spin_lock(&ino->fs->lock);
	ok = !itme_in_transit(c->state);
	if (ok) {
		/* As above: what could not be read may be what ceases now. */
		c->flags &= ~(ITME_C_EIO | ITME_C_ENOMEM);
		set_state(ino, c, ITME_BUSY);
	}
	spin_unlock(&ino->fs->lock);
	return ok;
}

/**
 * itme_chunk_take - become the owner of a chunk, whether it is in memory or not
 * @ino: native file
 * @idx: chunk that is in the table
 *
 * Waits for who owns it now, also when the task is being killed: what is to cease has
 * to cease. The caller then has to call itme_chunk_end_leave().
 */
void itme_chunk_take(struct itme_inode *ino, u32 idx)
{
	struct itme_chunk *c = itme_chunk_at(ino, idx);

	while (!take(ino, c)) {
		atomic_inc(&ino->fs->waiters);
		/* As in itme_chunk_wait(). */
		smp_mb__after_atomic();
		itme_fills_hasten(ino->fs);
		wait_var_event(&c->state, !itme_in_transit(READ_ONCE(c->state)));
		atomic_dec(&ino->fs->waiters);
	}
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
	struct itme_chunk *c = itme_chunk_at(ino, idx);
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
			itme_queue_del(ino, c);
		c->flags &= ITME_C_PINNED;
		WRITE_ONCE(c->young, 0);
		set_state(ino, c, ITME_ABSENT);
		itme_triggers_left(ino, idx);
	} else {
		if (tier != c->tier) {
			itme_queue_change_tier(ino, c, tier);
			WRITE_ONCE(c->young, 0);
		}
		if (held && !(c->flags & (ITME_C_HELD | ITME_C_PINNED))) {
			itme_queue_del(ino, c);
			c->flags |= ITME_C_HELD;
			itme_queue_add(ino, c);
		}
		set_state(ino, c, ITME_RESIDENT);
	}
	spin_unlock(&fs->lock);

	if (wasted)
		itme_count(ino, ITME_PREFETCH_WASTED, wasted);
	wake_waiters(ino, c);
}

static struct itme_inode *begin_victim(struct itme_fs *fs, struct itme_chunk *c, u32 *idx)
{
	struct itme_inode *ino = itme_queue_hold_inode(fs, c);

	if (!ino) {
		/* Its inode is being evicted, it leaves by that. Look elsewhere. */
		list_move(&c->node, &itme_queue_of(fs, c)->list);
		return NULL;
	}
	*idx = itme_chunk_idx(ino, c);
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
	struct itme_chunk *c = itme_chunk_at(ino, idx);
	int err;

	atomic_inc(&ino->fs->waiters);
	/* Either a read that is done sees us, or we it; pairs with llist_add() in fill.c. */
	smp_mb__after_atomic();
	itme_fills_hasten(ino->fs);
	err = wait_var_event_killable(&c->state, !itme_in_transit(READ_ONCE(c->state)));
	atomic_dec(&ino->fs->waiters);
	return err ? -EINTR : 0;
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
	u8 flags = READ_ONCE(itme_chunk_at(ino, idx)->flags);

	if (flags & ITME_C_EIO)
		return -EIO;
	return flags & ITME_C_ENOMEM ? -ENOMEM : 0;
}

/* Is it pinned, and nobody here is taking it? A hint, without the lock. */
bool itme_chunk_kept(const struct itme_inode *ino, u32 idx)
{
	const struct itme_chunk *c = itme_chunk_at(ino, idx);

	return READ_ONCE(c->flags) & ITME_C_PINNED && READ_ONCE(c->state) == ITME_RESIDENT;
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
	copy = *itme_chunk_at(ino, idx);
	spin_unlock(&ino->fs->lock);
	return copy;
}

/**
 * itme_chunks_forget - the inode goes; nobody else can reach its chunks
 * @ino: file, its folios gone, no work in flight (it would hold the inode)
 */
void itme_chunks_forget(struct itme_inode *ino)
{
	struct itme_fs *fs = ino->fs;
	u32 n = 0;

	spin_lock(&fs->lock);
	xa_erase(&fs->objects, ino->id);
	for (u32 i = 0; itme_chunk_next(ino, &i); i++) {
		itme_queue_del(ino, itme_chunk_at(ino, i));
		/* Millions of chunks: let others have the lock, and the CPU. */
		if (!(++n % 1024)) {
			spin_unlock(&fs->lock);
			cond_resched();
			spin_lock(&fs->lock);
		}
	}
	spin_unlock(&fs->lock);
}
