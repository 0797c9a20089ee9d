// SPDX-License-Identifier: GPL-2.0
/*
 * DOC: the queues of chunks: who stays, who passes through, who is held
 *
 * The only writer of the queues and of what says where in them a chunk is (@node,
 * @tier, ITME_C_RING, ITME_C_HELD, ITME_C_PINNED, ITME_C_COLD), under fs->lock.
 * policy.c may change their order. residency.c moves a chunk between them with its
 * state; hints, the sampler and who cannot let go of one do it here.
 */
#include <linux/ktime.h>

#include "itme.h"

/* Held chunks that are tried again at once: a small part of a second's searching. */
#define RETRY_MAX	256

u32 itme_now(void)
{
	u32 now = div_u64(ktime_get_ns(), NSEC_PER_SEC / ITME_HZ);

	return now ?: 1;
}

struct itme_queue *itme_queue_of(struct itme_fs *fs, const struct itme_chunk *c)
{
	struct itme_queues *q = &fs->queues[c->tier];

	if (c->flags & ITME_C_HELD)
		return &q->held;
	if (!(c->flags & ITME_C_RING))
		return &q->main;
	return c->flags & ITME_C_UNTOUCHED ? &q->ring : &q->used;
}

/*
 * What a chunk counts for. That of a native file has what is in memory of it; if it is
 * pinned, all that may come to it, which will be pinned, too.
 */
static long queue_pages(struct itme_inode *ino, struct itme_chunk *c)
{
	if (ino->native && !(c->flags & ITME_C_PINNED))
		return *itme_chunk_count(c);
	return itme_chunk_pages(ino, itme_chunk_idx(ino, c));
}

void itme_queue_add(struct itme_inode *ino, struct itme_chunk *c)
{
	struct itme_fs *fs = ino->fs;
	long pages = queue_pages(ino, c);

	lockdep_assert_held(&fs->lock);
	if (c->flags & ITME_C_PINNED) {
		fs->queues[c->tier].pinned += pages;
		return;
	}
	list_add(&c->node, &itme_queue_of(fs, c)->list);
	itme_queue_of(fs, c)->pages += pages;
}

void itme_queue_del(struct itme_inode *ino, struct itme_chunk *c)
{
	struct itme_fs *fs = ino->fs;
	long pages = queue_pages(ino, c);

	lockdep_assert_held(&fs->lock);
	if (c->flags & ITME_C_PINNED) {
		fs->queues[c->tier].pinned -= pages;
	} else if (!list_empty(&c->node)) {
		list_del_init(&c->node);
		itme_queue_of(fs, c)->pages -= pages;
	}
	c->flags &= ~ITME_C_HELD;
}

/* Filled, and to be used: another queue than when it has been used. Under fs->lock. */
void itme_queue_set_untouched(struct itme_inode *ino, struct itme_chunk *c, bool untouched)
{
	bool queued = !list_empty(&c->node) && !(c->flags & ITME_C_HELD);

	if (queued)
		itme_queue_del(ino, c);
	c->flags &= ~ITME_C_UNTOUCHED;
	if (untouched)
		c->flags |= ITME_C_UNTOUCHED;
	if (queued)
		itme_queue_add(ino, c);
}

bool itme_queue_fits_main(struct itme_inode *ino, u32 idx)
{
	long budget = atomic_long_read(&itme_tiers[ITME_TIER_DRAM].budget);

	return itme_policy_fits_main(&ino->fs->queues[ITME_TIER_DRAM], budget,
				     itme_chunk_pages(ino, idx));
}

bool itme_queue_spread_main(struct itme_inode *ino, u32 idx)
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
	fits = itme_queue_fits_main(ino, idx);
	spin_unlock(&ino->fs->lock);
	return fits;
}

/* A pinned chunk stays pinned where it comes to, as far as that may be pinned. */
void itme_queue_change_tier(struct itme_inode *ino, struct itme_chunk *c, int tier)
{
	long max = itme_policy_stay_max(tier, atomic_long_read(&itme_tiers[tier].budget));
	long pages = itme_chunk_pages(ino, itme_chunk_idx(ino, c));

	itme_queue_del(ino, c);
	c->tier = tier;
	if (ino->fs->queues[tier].pinned + pages > max)
		c->flags &= ~ITME_C_PINNED;
	c->heat = 0;
	c->stay = 0;
	c->flags &= ~ITME_C_RING;
	if (tier == ITME_TIER_DRAM && !itme_queue_fits_main(ino, itme_chunk_idx(ino, c)))
		c->flags |= ITME_C_RING;
	itme_queue_add(ino, c);
}

/**
 * itme_chunk_set_pages - so much of a chunk is in memory now
 * @ino: native file
 * @idx: chunk, in transit, owned by the caller
 * @pages: how much
 */
void itme_chunk_set_pages(struct itme_inode *ino, u32 idx, long pages)
{
	struct itme_chunk *c = itme_chunk_at(ino, idx);
	struct itme_fs *fs = ino->fs;
	u16 *count = itme_chunk_count(c);

	spin_lock(&fs->lock);
	if (!list_empty(&c->node))
		itme_queue_of(fs, c)->pages += pages - *count;
	*count = pages;
	spin_unlock(&fs->lock);
}

/* The inode is held for the caller, who lets it go with itme_inode_put(). */
struct itme_inode *itme_queue_hold_inode(struct itme_fs *fs, const struct itme_chunk *c)
{
	struct itme_inode *ino = xa_load(&fs->objects, c->object);

	lockdep_assert_held(&fs->lock);
	return ino && igrab(&ino->vfs) ? ino : NULL;
}

static void make_cold(struct itme_inode *ino, struct itme_chunk *c)
{
	itme_queue_del(ino, c);
	c->flags &= ~ITME_C_UNTOUCHED;
	c->flags |= ITME_C_COLD;
	if (c->tier == ITME_TIER_DRAM)
		c->flags |= ITME_C_RING;
	c->heat = 0;
	WRITE_ONCE(c->young, 0);
	itme_queue_add(ino, c);
	list_move_tail(&c->node, &itme_queue_of(ino->fs, c)->list);
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
	struct itme_chunk *c = itme_chunk_at(ino, idx);
	struct itme_fs *fs = ino->fs;
	bool ok;

	spin_lock(&fs->lock);
	ok = c->state == ITME_RESIDENT && !(c->flags & ITME_C_PINNED);
	if (ok)
		make_cold(ino, c);
	spin_unlock(&fs->lock);
	return ok;
}

/**
 * itme_chunk_release - a chunk was read in for somebody who has let go of it
 * @ino: file
 * @idx: chunk
 *
 * First to leave from now on, unless somebody has used it, or a plan has it stay.
 */
void itme_chunk_release(struct itme_inode *ino, u32 idx)
{
	u8 unused = ITME_C_UNTOUCHED | ITME_C_PREFETCH;
	u8 kept = ITME_C_HELD | ITME_C_PINNED;
	struct itme_chunk *c = itme_chunk_at(ino, idx);
	bool released;

	spin_lock(&ino->fs->lock);
	released = c->state == ITME_RESIDENT && (c->flags & (unused | kept)) == unused && !c->stay;
	if (released) {
		c->flags &= ~ITME_C_PREFETCH;
		make_cold(ino, c);
	}
	spin_unlock(&ino->fs->lock);
	if (released)
		itme_count(ino, ITME_PREFETCH_WASTED, itme_chunk_bytes(ino, idx));
}

/**
 * itme_chunk_set_hot - belongs into main, whatever the ring needs
 * @ino: file
 * @idx: chunk
 * @tier: where it has been brought
 *
 * Return: false when it is not there any more
 */
bool itme_chunk_set_hot(struct itme_inode *ino, u32 idx, int tier)
{
	struct itme_chunk *c = itme_chunk_at(ino, idx);
	struct itme_fs *fs = ino->fs;
	bool there;

	spin_lock(&fs->lock);
	there = c->state == ITME_RESIDENT && c->tier == tier;
	if (there && !(c->flags & ITME_C_PINNED)) {
		itme_queue_del(ino, c);
		c->flags &= ~(ITME_C_RING | ITME_C_COLD);
		WRITE_ONCE(c->stamp, itme_now());
		WRITE_ONCE(c->young, 1);
		itme_queue_add(ino, c);
	}
	spin_unlock(&fs->lock);
	return there;
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
 * Return: 0, -ENOSPC, -ENOMEM, or -EAGAIN when the chunk is in transit
 */
int itme_chunk_pin(struct itme_inode *ino, u32 idx, int tier, bool *fresh)
{
	struct itme_fs *fs = ino->fs;
	struct itme_chunk *c;
	long budget;
	int err;

	*fresh = false;
	err = itme_chunk_make(ino, idx);
	if (err)
		return err;
	c = itme_chunk_at(ino, idx);
	spin_lock(&fs->lock);
	budget = atomic_long_read(&itme_tiers[tier].budget);
	if (c->flags & ITME_C_PINNED && c->tier == tier)
		goto out;
	if (itme_in_transit(c->state)) {
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
	itme_queue_del(ino, c);
	if (c->state == ITME_ABSENT)
		c->tier = tier;
	c->flags &= ~(ITME_C_RING | ITME_C_COLD);
	c->flags |= ITME_C_PINNED;
	itme_queue_add(ino, c);
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
	struct itme_chunk *c = itme_chunk_at(ino, idx);
	struct itme_fs *fs = ino->fs;
	bool was;

	spin_lock(&fs->lock);
	was = c->flags & ITME_C_PINNED;
	if (was) {
		itme_queue_del(ino, c);
		c->flags &= ~ITME_C_PINNED;
		if (c->state != ITME_ABSENT)
			itme_queue_add(ino, c);
	}
	spin_unlock(&fs->lock);
	return was;
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
	ino = itme_queue_hold_inode(fs, c);
	if (!ino)
		goto out;
	*idx = itme_chunk_idx(ino, c);
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
 * itme_chunk_classify - a plan has come, gone or changed since the chunk was placed
 * @ino: file
 * @idx: chunk
 * @class: what the plans say of it now
 *
 * What is to pass through and is in main leaves it, so that what stays has room.
 */
void itme_chunk_classify(struct itme_inode *ino, u32 idx, enum itme_class class)
{
	struct itme_chunk *c = itme_chunk_at(ino, idx);
	u8 kept = ITME_C_RING | ITME_C_HELD | ITME_C_PINNED;

	spin_lock(&ino->fs->lock);
	if (c->state == ITME_RESIDENT && !(c->flags & kept)) {
		c->stay = class == (c->tier == ITME_TIER_DRAM ? ITME_CLASS_DRAM : ITME_CLASS_CXL);
		if (class == ITME_CLASS_STREAM && c->tier == ITME_TIER_DRAM) {
			itme_queue_del(ino, c);
			c->flags |= ITME_C_RING | ITME_C_COLD;
			itme_queue_add(ino, c);
		}
	}
	spin_unlock(&ino->fs->lock);
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
	struct itme_chunk *c = itme_chunk_at(ino, idx);
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
 * They go back behind the others, so that those are tried first; a bounded number
 * at each call, those set aside longest ago. Were it all of thousands, a search
 * would be at them again before it has come to one that may leave.
 */
void itme_chunks_retry_held(struct itme_fs *fs)
{
	spin_lock(&fs->lock);
	for (int tier = 0; tier < ITME_MEM_TIERS; tier++) {
		struct itme_queues *q = &fs->queues[tier];
		struct itme_chunk *c, *next;
		int left = RETRY_MAX;

		list_for_each_entry_safe_reverse(c, next, &q->held.list, node) {
			struct itme_inode *ino = xa_load(&fs->objects, c->object);

			if (!left--)
				break;

			/* Without one, the inode is being evicted. */
			if (!ino || c->state != ITME_RESIDENT)
				continue;
			itme_queue_del(ino, c);
			itme_queue_add(ino, c);
		}
	}
	spin_unlock(&fs->lock);
}
