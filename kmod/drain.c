// SPDX-License-Identifier: GPL-2.0
/*
 * DOC: a swap area is emptied, to be removed
 *
 * Nothing more is written there. Chunk by chunk, what it has comes back to memory, where
 * it counts as written; from there it goes to other areas, as anything that is written.
 */
#include <linux/pagemap.h>
#include <linux/sched/signal.h>

#include "area.h"
#include "itme.h"
#include "quota.h"
#include "stored.h"
#include "swap.h"

/* Which pages of a unit does an area have? */
static u16 pages_in(struct itme_fs *fs, const struct itme_stored *s, u32 unit,
		    const struct itme_area *area)
{
	u16 pages = 0;

	for (; s; s = s->older) {
		const struct itme_slot *slot = &s->slot[unit];

		if (slot->place && fs->areas.area[itme_place_area(slot->place)] == area)
			pages |= slot->there & ~slot->zero;
	}
	return pages;
}

/* Does it have any of a chunk? Not one that has just been taken and not written yet. */
static bool has(struct itme_inode *ino, u32 idx, const struct itme_area *area)
{
	const struct itme_stored *s;
	bool found = false;

	spin_lock(&ino->fs->lock);
	s = xa_load(&ino->stored, idx);
	for (u32 unit = 0; s && !found && unit < s->nr; unit++)
		found = pages_in(ino->fs, s, unit, area);
	spin_unlock(&ino->fs->lock);
	return found;
}

/* What is in memory has no need of its copy, if it counts as written. */
static void give_up(struct itme_inode *ino, u32 idx)
{
	struct address_space *mapping = ino->vfs.i_mapping;
	pgoff_t index = itme_chunk_start(ino, idx);
	pgoff_t end = itme_chunk_start(ino, idx + 1);

	while (index < end) {
		struct folio *folio = filemap_lock_folio(mapping, index);

		if (IS_ERR(folio)) {
			index++;
			continue;
		}
		index = folio_next_index(folio);
		if (folio_test_uptodate(folio)) {
			folio_mark_dirty(folio);
			itme_stored_forget(ino, folio->index, index);
		}
		folio_unlock(folio);
		folio_put(folio);
	}
}

static bool at_rest(struct itme_inode *ino, u32 idx)
{
	return !itme_in_transit(itme_chunk_peek(ino, idx).state);
}

static int wait_rest(struct itme_inode *ino, u32 idx)
{
	struct itme_fs *fs = ino->fs;
	long left;

	itme_fills_hasten(fs);
	left = wait_event_interruptible_timeout(fs->pages_wait, at_rest(ino, idx), HZ / 10);
	return left < 0 ? -EINTR : 0;
}

static int drain_chunk(struct itme_inode *ino, u32 idx, const struct itme_area *area)
{
	bool filled = false;
	int err = 0;

	while (!err && has(ino, idx, area)) {
		if (signal_pending(current))
			return -EINTR;
		if (!at_rest(ino, idx)) {
			err = wait_rest(ino, idx);
			continue;
		}
		/* Before it is forgotten by who owns the chunk next. */
		if (filled)
			err = itme_chunk_error(ino, idx);
		if (err)
			break;
		if (itme_chunk_begin_leave(ino, idx)) {
			give_up(ino, idx);
			itme_chunk_end_leave(ino, idx, itme_chunk_peek(ino, idx).tier, false);
			if (!has(ino, idx, area))
				break;
		}
		/* The copies of what it reads are given up, see itme_stored_read(). */
		filled = itme_chunk_begin_fill(ino, idx, true, true) &&
			 itme_fill(ino, idx, true, ITME_TIER_DRAM);
	}
	return err == -ENOMEM ? -ENOSPC : err;
}

static int drain_file(struct itme_inode *ino, const struct itme_area *area)
{
	unsigned long idx = 0;
	int err = 0;

	while (!err && xa_find(&ino->stored, &idx, U32_MAX, XA_PRESENT)) {
		err = drain_chunk(ino, idx, area);
		idx++;
		cond_resched();
	}
	return err;
}

static u32 used(struct itme_fs *fs, struct itme_area *area)
{
	u32 units;

	spin_lock(&fs->areas.lock);
	units = area->space.used;
	spin_unlock(&fs->areas.lock);
	return units;
}

/* Is there room for what it has? What is only in memory counts, too, or only promised. */
static bool fits(struct itme_fs *fs, struct itme_area *area)
{
	return itme_quota_spares(fs, (long)used(fs, area) * ITME_UNIT_PAGES);
}

static int drain(struct itme_fs *fs, struct itme_area *area)
{
	unsigned long id = 0;
	int err = 0;

	while (!err) {
		struct itme_inode *ino;
		bool alive;

		id++;
		spin_lock(&fs->lock);
		ino = xa_find(&fs->objects, &id, U32_MAX, XA_PRESENT);
		alive = ino && igrab(&ino->vfs);
		spin_unlock(&fs->lock);
		if (!ino)
			break;
		if (!alive)
			continue;
		err = drain_file(ino, area);
		itme_inode_put(ino);
	}
	return err;
}

/**
 * itme_swap_remove - empty a swap area and let go of it
 * @fs: file system
 * @id: its number
 *
 * Return: 0, or -errno, see struct itme_swap_remove; then it is used as before
 */
int itme_swap_remove(struct itme_fs *fs, u32 id)
{
	struct itme_area *area = itme_area_drain(fs, id);
	int err = 0;

	if (IS_ERR(area))
		return PTR_ERR(area);
	/* What has nothing may be counted on all the same; but not what is bad. */
	if (!READ_ONCE(area->bad) && !fits(fs, area))
		err = -ENOSPC;
	/* A chunk that is being written there, or a file that is going away, takes a moment. */
	while (!err && used(fs, area)) {
		err = fits(fs, area) ? drain(fs, area) : -ENOSPC;
		if (!err && used(fs, area) &&
		    schedule_timeout_interruptible(HZ / 50) && signal_pending(current))
			err = -EINTR;
	}
	return itme_area_end_drain(fs, area, err);
}
