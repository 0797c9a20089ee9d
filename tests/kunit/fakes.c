// SPDX-License-Identifier: GPL-2.0
/*
 * DOC: what the code under test calls of fill.c, mover.c and super.c
 *
 * They keep to what the real ones promise, and to the states: who begins a transit
 * ends it, and memory is charged before it is had.
 */
#include <linux/delay.h>
#include <linux/random.h>

#include "swap.h"
#include "trigger.h"
#include "world.h"

static struct world *world_of(struct itme_fs *fs)
{
	return container_of(fs, struct world, fs);
}

/* A transit takes some time now and then, so that others meet it. */
static void dwell(struct itme_inode *ino)
{
	if (READ_ONCE(world_of(ino->fs)->dwell) && get_random_u32_below(4) == 0)
		usleep_range(1, 100);
}

/* super.c */

void itme_fs_put(struct itme_fs *fs)
{
	atomic_dec(&fs->inflight);
	wake_up_all(&fs->inflight_wait);
}

bool itme_fs_get(struct itme_fs *fs)
{
	atomic_inc(&fs->inflight);
	/* As in super.c: a test may set it meanwhile. */
	smp_mb__after_atomic();
	if (!READ_ONCE(fs->stopping))
		return true;
	itme_fs_put(fs);
	return false;
}

/* inode.c */

void itme_inode_put(struct itme_inode *ino)
{
	iput(&ino->vfs);
}

/* follow.c, trigger.c: nobody has a plan here. */

bool itme_plan_touch(struct itme_inode *ino, u32 idx, bool named)
{
	lockdep_assert_held(&ino->fs->lock);
	return false;
}

void itme_plan_missed(struct itme_inode *ino, u32 idx)
{
	lockdep_assert_held(&ino->fs->lock);
}

void itme_plan_late(struct itme_inode *ino, const struct itme_chunk *c)
{
}

void itme_triggers_left(struct itme_inode *ino, u32 idx)
{
	lockdep_assert_held(&ino->fs->lock);
}

struct itme_range itme_triggers_range(struct itme_inode *ino, u32 idx)
{
	lockdep_assert_held(&ino->fs->lock);
	return (struct itme_range){ .start = U32_MAX };
}

/* prefetch.c: nobody has asked for any. */

void itme_prefetch_filled(struct itme_inode *ino, u32 idx)
{
	lockdep_assert_held(&ino->fs->lock);
}

/* fill.c */

void world_end_fill(struct itme_inode *ino, u32 idx, bool demand, int tier)
{
	struct world *w = world_of(ino->fs);
	struct world_chunk *chunk = world_chunk(ino, idx);
	long pages = itme_chunk_pages(ino, idx);
	int err = READ_ONCE(w->fill_error);

	dwell(ino);
	if (!err && !chunk->pages) {
		tier = itme_chunk_place(ino, idx, tier, ITME_CLASS_NONE, false);
		while (!itme_tier_charge(tier, pages))
			if (!itme_evict(ino->fs, tier, demand)) {
				err = -EAGAIN;
				break;
			}
		if (!err) {
			chunk->tier = tier;
			WRITE_ONCE(chunk->pages, pages);
		}
	}
	if (!demand)
		atomic_dec(&ino->fs->prefetches);
	world_disown(ino, idx);
	itme_chunk_end_fill(ino, idx, chunk->pages, err);
	wake_up_all(&ino->fs->inflight_wait);
}

bool itme_fill(struct itme_inode *ino, u32 idx, bool demand, int tier)
{
	struct world *w = world_of(ino->fs);

	world_own(ino, idx);
	atomic_inc(&w->fills);
	if (!demand)
		atomic_inc(&ino->fs->prefetches);
	if (!READ_ONCE(w->fill_later))
		world_end_fill(ino, idx, demand, tier);
	return true;
}

/* mover.c */

bool itme_whole(struct itme_inode *ino, u32 idx)
{
	return READ_ONCE(world_chunk(ino, idx)->pages);
}

bool itme_drop(struct itme_inode *ino, u32 idx, bool force)
{
	struct world_chunk *chunk = world_chunk(ino, idx);
	bool gone;
	int tier;

	world_own(ino, idx);
	dwell(ino);
	tier = itme_chunk_peek(ino, idx).tier;
	gone = !READ_ONCE(chunk->held);
	if (gone && chunk->pages) {
		itme_tier_uncharge(chunk->tier, chunk->pages);
		WRITE_ONCE(chunk->pages, 0);
	}
	world_disown(ino, idx);
	itme_chunk_end_leave(ino, idx, gone ? NVME : tier, !gone);
	return gone;
}

bool itme_move(struct itme_inode *ino, u32 idx, int tier)
{
	struct world_chunk *chunk = world_chunk(ino, idx);
	bool held, ok;
	int from;

	world_own(ino, idx);
	dwell(ino);
	from = itme_chunk_peek(ino, idx).tier;
	held = READ_ONCE(chunk->held);
	ok = !held && (chunk->tier == tier || itme_tier_charge(tier, chunk->pages));
	if (ok && chunk->tier != tier) {
		itme_tier_uncharge(chunk->tier, chunk->pages);
		chunk->tier = tier;
	}
	world_disown(ino, idx);
	itme_chunk_end_leave(ino, idx, ok ? tier : from, held);
	return ok;
}

long itme_evict(struct itme_fs *fs, int tier, bool demand)
{
	struct world *w = world_of(fs);

	atomic_inc(&w->evicts);
	if (READ_ONCE(w->evict_nothing))
		return 0;
	for (int tries = 0; tries < 64; tries++) {
		struct itme_inode *ino;
		long pages;
		bool gone;
		u32 idx;

		ino = itme_chunk_begin_victim(fs, tier, demand, &idx);
		if (!ino)
			return 0;
		pages = itme_chunk_pages(ino, idx);
		gone = itme_drop(ino, idx, false);
		itme_inode_put(ino);
		if (gone)
			return pages;
	}
	return 0;
}

/* Fills end at once here: none is put off. */
void itme_fills_hasten(struct itme_fs *fs)
{
}

int itme_make_room(struct itme_fs *fs, int tier, long pages)
{
	while (itme_tier_room(tier) < pages)
		if (!itme_evict(fs, tier, true))
			return -ENOSPC;
	return 0;
}

/* swap.c and quota.c: of written files, and here are none. */

pgoff_t itme_stored_next(struct itme_inode *ino, pgoff_t index, pgoff_t end, bool stored)
{
	return stored ? end : index;
}

int itme_table_charge_page(struct itme_inode *ino, u32 nr)
{
	return -ENOSPC;
}

void itme_table_uncharge_page(struct itme_inode *ino, u32 nr)
{
}

void itme_table_uncharge(struct itme_fs *fs, long bytes)
{
}
