// SPDX-License-Identifier: GPL-2.0
/*
 * DOC: memory for a fill: room in its tier, and folios that are not uptodate yet
 */
#include <linux/pagemap.h>

#include "fill.h"
#include "itme.h"
#include "swap.h"
#include "trigger.h"

/* A fill that somebody waits for gives up when there is no room for so long. */
#define DEMAND_PATIENCE	(30 * HZ)

/*
 * The tier cannot give it: CXL, as its budget was lowered or its node went away;
 * DRAM, as somebody holds all of it. The other one is asked, once.
 */
static bool fall_back(struct fill *fill)
{
	int other = fill->tier == ITME_TIER_DRAM ? ITME_TIER_CXL : ITME_TIER_DRAM;

	if (fill->fell_back || !atomic_long_read(&itme_tiers[other].budget))
		return false;
	itme_tier_uncharge(fill->tier, fill->charged);
	itme_spare_free(&fill->spare);
	fill->charged = 0;
	fill->tier = other;
	fill->fell_back = true;
	itme_chunk_replace(fill->ino, fill->idx, other);
	return true;
}

/* Of a native file, what is stored and not in memory. */
static long count_stored(struct itme_inode *ino, pgoff_t index, pgoff_t end)
{
	long pages = 0;

	while ((index = itme_stored_next(ino, index, end, true)) < end) {
		pgoff_t stop = itme_stored_next(ino, index, end, false);

		while (index < stop) {
			struct folio *folio = filemap_get_folio(ino->vfs.i_mapping, index);

			if (IS_ERR(folio)) {
				pages++;
				index++;
				continue;
			}
			index = folio_next_index(folio);
			folio_put(folio);
		}
	}
	return pages;
}

static long count_missing(const struct fill *fill)
{
	if (fill->ino->native)
		return count_stored(fill->ino, itme_chunk_start(fill->ino, fill->idx),
				    itme_fill_stop(fill));
	return (long)itme_chunk_pages(fill->ino, fill->idx) - itme_present(fill->ino, fill->idx);
}

/*
 * Room for all that is missing, at once and with no folio locked: of fills that
 * wait for each other's room, each with a part of what it needs, none would end.
 * With @whole, instead of room the memory itself may be had, if it is in one piece.
 */
int itme_fill_charge(struct fill *fill, bool whole)
{
	struct itme_fs *fs = fill->ino->fs;
	long pages = count_missing(fill) - fill->charged;
	struct itme_spare *spare = NULL;
	unsigned long since = jiffies;
	bool starving = false;
	int err = 0;

	/* What has come to rest may leave. */
	itme_fills_done(fs);
	/* Who waits goes first. */
	if (!fill->demand && atomic_read(&fs->starving))
		return -EAGAIN;
	if (whole && pages == itme_chunk_pages(fill->ino, fill->idx) &&
	    pages <= 1L << itme_max_order(fill->ino)) {
		spare = &fill->spare;
		spare->pages = pages;
	}
	while (pages > 0 && !itme_tier_charge(fill->tier, pages)) {
		/* What is above a budget that has been lowered leaves for good. */
		bool above = itme_tier_room(fill->tier) < 0;

		fill->spare.tier = fill->tier;
		if (itme_evict_to(fs, fill->tier, fill->demand, above ? NULL : spare)) {
			/* It is charged, and all that was wanted. */
			if (fill->spare.folio)
				pages = 0;
			since = jiffies;
			continue;
		}
		if ((fill->tier == ITME_TIER_CXL ||
		     (fill->demand && time_after(jiffies, since + HZ))) && fall_back(fill)) {
			pages = count_missing(fill);
			continue;
		}
		err = -EAGAIN;
		if (!fill->demand || READ_ONCE(fs->stopping))
			break;
		err = -ENOMEM;
		if (time_after(jiffies, since + DEMAND_PATIENCE))
			break;
		err = 0;
		/* All of it in transit or held: something will come to rest. */
		if (!starving)
			atomic_inc(&fs->starving);
		starving = true;
		wait_event_idle_timeout(fs->pages_wait, itme_tier_room(fill->tier) >= pages,
					HZ / 50);
	}
	if (starving)
		atomic_dec(&fs->starving);
	if (!err && pages > 0)
		fill->charged += pages;
	return err;
}

static struct folio *try_orders(struct fill *fill, unsigned int max)
{
	for (int order = max; order >= 0; order--) {
		struct folio *folio = itme_tier_alloc(fill->tier, order, false);

		if (!folio && fill->demand && (order == max || !order))
			folio = itme_tier_alloc(fill->tier, order, true);
		if (folio) {
			fill->small |= order < max;
			return folio;
		}
	}
	return NULL;
}

/*
 * There is no memory: let a chunk of our own leave for it, or wait a little. False
 * when it has been long enough, or nobody waits for the fill.
 */
static bool wait_memory(struct fill *fill, unsigned long giveup)
{
	struct itme_fs *fs = fill->ino->fs;

	itme_count(fill->ino, ITME_ALLOC_FAILS, 1);
	if (!fill->demand || READ_ONCE(fs->stopping) || time_after(jiffies, giveup))
		return false;
	if (!itme_evict(fs, fill->tier, true))
		wait_event_idle_timeout(fs->pages_wait, READ_ONCE(fs->stopping), HZ / 50);
	return true;
}

/*
 * The largest folio that may be had at @index. Smaller ones when memory is
 * fragmented; when there is none at all, chunks of our own leave for it, and a
 * fill that nobody waits for is given up. Without @may_wait, -EAGAIN instead.
 */
static struct folio *alloc_folio(struct fill *fill, pgoff_t index, pgoff_t end, bool may_wait)
{
	unsigned long giveup = jiffies + DEMAND_PATIENCE;
	unsigned int max = min_t(unsigned int, ilog2(end - index), itme_max_order(fill->ino));

	if (index)
		max = min_t(unsigned int, max, __ffs(index));
	for (;;) {
		struct folio *folio;
		int err;

		/* The kernel may have taken pages since they were counted. */
		if (fill->charged < 1L << max) {
			err = may_wait ? itme_fill_charge(fill, false) : -EAGAIN;
			if (err)
				return ERR_PTR(err);
			while (max && fill->charged < 1L << max)
				max--;
		}
		folio = try_orders(fill, max);
		if (folio) {
			fill->charged -= folio_nr_pages(folio);
			return folio;
		}
		if (!may_wait)
			return ERR_PTR(-EAGAIN);
		if (!fall_back(fill) && !wait_memory(fill, giveup))
			return ERR_PTR(fill->demand ? -ENOMEM : -EAGAIN);
	}
}

/* Memory that was handed over, if it fits what is missing still; else it is of no use. */
static struct folio *use_spare(struct fill *fill, pgoff_t index, pgoff_t end)
{
	struct folio *folio = NULL;

	if (fill->spare.folio && end - index == fill->spare.pages)
		folio = itme_spare_add(&fill->spare, fill->ino, index);
	itme_spare_free(&fill->spare);
	return IS_ERR(folio) ? NULL : folio;
}

/*
 * One that fills a page table is mapped as a whole, and the use of a part of it not seen.
 * Smaller ones are mapped as far as file.c says.
 */
static bool hides_source(struct itme_inode *ino, pgoff_t index, pgoff_t end)
{
	u64 first = index, next = end;

	if (end - index < PTRS_PER_PTE)
		return false;
	itme_triggers_clip(ino, index, &first, &next);
	return next < end;
}

/* A locked folio at @index that is not uptodate; NULL when the page is there. */
struct folio *itme_fill_folio(struct fill *fill, pgoff_t index, pgoff_t end, bool may_wait,
			      pgoff_t *next)
{
	struct address_space *mapping = fill->ino->vfs.i_mapping;
	unsigned long giveup = jiffies + DEMAND_PATIENCE;
	unsigned long next_there;
	struct folio *folio;
	int err;

	if (hides_source(fill->ino, index, end))
		end = index + PTRS_PER_PTE / 2;
	for (;;) {
		folio = filemap_lock_folio(mapping, index);
		if (!IS_ERR(folio)) {
			*next = folio_next_index(folio);
			if (!folio_test_uptodate(folio))
				return folio;
			folio_unlock(folio);
			folio_put(folio);
			return NULL;
		}
		/* Up to the next page that is there. */
		next_there = index;
		if (xa_find(&mapping->i_pages, &next_there, end - 1, XA_PRESENT))
			end = next_there;
		if (end == index)
			continue;
		folio = use_spare(fill, index, end);
		if (folio) {
			*next = end;
			return folio;
		}
		folio = alloc_folio(fill, index, end, may_wait);
		if (IS_ERR(folio))
			return folio;
		err = filemap_add_folio(mapping, folio, index,
					GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN);
		if (!err) {
			*next = folio_next_index(folio);
			return folio;
		}
		fill->charged += folio_nr_pages(folio);
		folio_put(folio);
		if (err == -EEXIST)
			continue;
		/* No memory for the index of the page cache. */
		if (!may_wait || !wait_memory(fill, giveup))
			return ERR_PTR(fill->demand && may_wait ? err : -EAGAIN);
	}
}
