// SPDX-License-Identifier: GPL-2.0
/*
 * DOC: pages of native files come into being
 *
 * New pages are made by the task that needs them, not by a worker: there is nothing to
 * read. They are charged to the root memory cgroup all the same, as in fill.c.
 */
#include <linux/init_task.h>
#include <linux/memcontrol.h>
#include <linux/pagemap.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>

#include "itme.h"
#include "native.h"
#include "quota.h"
#include "stored.h"
#include "swap.h"
#include "trigger.h"

/* A new page gives up when nothing could leave for it for so long. */
#define MAKE_PATIENCE	(5 * HZ)
/* Once the old folio is gone, its copy has to come in: a few words of memory. */
#define GFP_MUST	(GFP_KERNEL | __GFP_NOFAIL)

/**
 * struct make - a page being made
 * @ino: file
 * @idx: chunk, ITME_FILLING by the caller
 * @tier: where its memory comes from
 * @since: jiffies, when something has last left for it
 * @room: pages that were not to be had there; LONG_MAX: more than the budget's
 */
struct make {
	struct itme_inode *ino;
	u32 idx;
	int tier;
	unsigned long since;
	long room;
};

static int other_tier(const struct make *m)
{
	return m->tier == ITME_TIER_DRAM ? ITME_TIER_CXL : ITME_TIER_DRAM;
}

static void use_tier(struct make *m, int tier)
{
	if (!atomic_long_read(&itme_tiers[tier].budget))
		return;
	m->tier = tier;
	itme_chunk_replace(m->ino, m->idx, tier);
}

/* The policy's victim leaves a tier: 1; 0: none can, -EINTR. */
static int have_leave(struct make *m, int tier, long pages)
{
	int gone = itme_writeout_room(m->ino->fs, tier, pages);

	if (gone > 0)
		m->since = jiffies;
	return gone;
}

/* Room for new pages, in DRAM if anything can leave it, else in CXL; else -EAGAIN. */
static int charge(struct make *m, long pages)
{
	while (!itme_tier_charge(m->tier, pages)) {
		int gone = have_leave(m, m->tier, pages);

		m->room = pages;
		if (!gone && itme_tier_charge(other_tier(m), pages)) {
			use_tier(m, other_tier(m));
			break;
		}
		if (!gone)
			gone = have_leave(m, other_tier(m), pages);
		if (gone <= 0)
			return gone ?: -EAGAIN;
	}
	return 0;
}

/* With @must it is to be had, whatever it takes. */
static struct folio *get_memory(struct make *m, unsigned int order, bool must)
{
	long pages = 1L << order;
	bool moved = false;

	for (;;) {
		int err = charge(m, pages);
		struct folio *folio;

		if (err)
			return ERR_PTR(err);
		folio = itme_tier_alloc_zeroed(m->tier, order, false);
		if (!folio && (must || order == itme_max_order(m->ino)))
			folio = itme_tier_alloc_zeroed(m->tier, order, true);
		if (folio)
			return folio;
		itme_count(m->ino, ITME_ALLOC_FAILS, 1);
		itme_tier_uncharge(m->tier, pages);
		if (!must)
			return ERR_PTR(-EAGAIN);
		/* The nodes have less than the budget says: what is ours leaves for it. */
		m->room = LONG_MAX;
		err = itme_writeout_room(m->ino->fs, m->tier, LONG_MAX);
		if (err > 0)
			continue;
		if (err || moved || !atomic_long_read(&itme_tiers[other_tier(m)].budget))
			return ERR_PTR(err ?: -EAGAIN);
		use_tier(m, other_tier(m));
		moved = true;
	}
}

/* Locked. Charged to the root cgroup: that of the task could not reclaim it. */
static int add_folio(struct itme_inode *ino, struct folio *folio, pgoff_t index, gfp_t gfp)
{
	struct mem_cgroup *root, *old;
	int err;

	rcu_read_lock();
	root = mem_cgroup_from_task(&init_task);
	rcu_read_unlock();
	old = set_active_memcg(root);
	err = filemap_add_folio(ino->vfs.i_mapping, folio, index, gfp);
	set_active_memcg(old);
	return err;
}

static struct folio *make_folio(struct make *m, pgoff_t index, unsigned int order, bool must)
{
	struct itme_inode *ino = m->ino;
	long pages = 1L << order;
	long units = DIV_ROUND_UP(pages, ITME_UNIT_PAGES) -
		     itme_pages_units(ino, index, index + pages);
	struct folio *folio;
	int err;

	/* At once, before anything has to leave for it. */
	err = itme_quota_charge(ino, index, pages, units);
	if (err)
		return ERR_PTR(err);
	folio = get_memory(m, order, must);
	err = PTR_ERR_OR_ZERO(folio);
	if (err)
		goto quota;
	err = add_folio(ino, folio, index, GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN);
	if (err)
		goto folio;
	__folio_mark_uptodate(folio);
	folio_mark_dirty(folio);
	return folio;
folio:
	itme_tier_uncharge(itme_tier_of(folio_nid(folio)), pages);
	folio_put(folio);
quota:
	itme_quota_uncharge(ino, index, pages, units);
	return ERR_PTR(err);
}

/* The largest that has no page yet, around @index, and that there is room for. */
static struct folio *make_around(struct make *m, pgoff_t index, pgoff_t limit,
				 const struct itme_want *want)
{
	struct itme_inode *ino = m->ino;
	struct folio *folio;

	/* Once there was no room at all, a page will do. */
	for (unsigned int order = m->room ? 0 : min(want->order, itme_max_order(ino));
	     order; order--) {
		pgoff_t first = round_down(index, 1UL << order);
		pgoff_t end = first + (1UL << order);

		if (first < want->start || end > limit || itme_page_next(ino, first, end) < end)
			continue;
		folio = make_folio(m, first, order, false);
		if (!IS_ERR(folio) || PTR_ERR(folio) == -EINTR)
			return folio;
	}
	return make_folio(m, index, 0, true);
}

/* Chunk ITME_FILLING by the caller, who has found that the page is a hole. */
static int make_page(struct make *m, pgoff_t index, const struct itme_want *want,
		     struct folio **folio)
{
	struct itme_inode *ino = m->ino;
	pgoff_t limit = want->limit;
	enum itme_class class;
	u32 cycle = 0;

	/* A mapping may use what is within the file now: it shrinks before we may own this. */
	if (!limit)
		limit = DIV_ROUND_UP(i_size_read(&ino->vfs), PAGE_SIZE);
	if (index >= limit)
		return -EFAULT;
	class = itme_plan_class(ino, m->idx, &cycle);
	m->tier = class == ITME_CLASS_CXL && atomic_long_read(&itme_tiers[ITME_TIER_CXL].budget) ?
		  ITME_TIER_CXL : ITME_TIER_DRAM;
	m->tier = itme_chunk_place(ino, m->idx, m->tier, class, false);
	*folio = make_around(m, index, limit, want);
	return PTR_ERR_OR_ZERO(*folio);
}

/* Chunk ITME_FILLING by the caller, who gives it back. */
static int make_missing(struct make *m, pgoff_t index, struct itme_want *want,
			struct folio **folio)
{
	struct itme_inode *ino = m->ino;
	u32 idx = m->idx;
	long pages = 0;
	int err = 0;

	/* It has no copy. */
	if (itme_page_next(ino, index, index + 1) > index) {
		err = make_page(m, index, want, folio);
		if (!err) {
			pages = folio_nr_pages(*folio);
			itme_writeout_kick(ino->fs);
		}
		want->made += pages;
	}
	if (pages)
		pages = min_t(long, itme_chunk_pages(ino, idx),
			      pages + (itme_chunk_bytes(ino, idx) >> PAGE_SHIFT));
	else
		pages = itme_present(ino, idx);
	itme_chunk_set_pages(ino, idx, pages);
	itme_chunk_end_fill(ino, idx, pages, err ? -EAGAIN : 0);
	return err;
}

/**
 * itme_page_lock - have a page of a native file in the page cache, made if it is a hole
 * @ino: file
 * @index: page
 * @want: how large a new folio may be
 * @folio: set to the folio, locked, uptodate and held
 *
 * Return: 0; -EAGAIN: wait for the chunk and its error, then try again; -EFAULT: beyond the
 * end; -ENOSPC; -ENOMEM; -EINTR when the task is being killed
 */
int itme_page_lock(struct itme_inode *ino, pgoff_t index, struct itme_want *want,
		   struct folio **folio)
{
	struct make m = { .ino = ino, .idx = itme_chunk_of(ino, index), .since = jiffies };
	struct itme_fs *fs = ino->fs;
	bool starving = false;
	int err;

	for (;;) {
		*folio = itme_folio_lock(ino, index);
		err = *folio ? 0 : itme_chunk_make(ino, m.idx);
		if (*folio || err)
			break;
		if (!itme_chunk_begin_fill(ino, m.idx, true, true)) {
			err = -EAGAIN;
			break;
		}
		if (itme_stored(ino, index)) {
			itme_triggers_touch(ino, index, index + 1, true);
			err = itme_fill(ino, m.idx, true, ITME_TIER_DRAM) ? -EAGAIN : -ENOMEM;
			break;
		}
		err = make_missing(&m, index, want, folio);
		if (!err && *folio)
			break;
		if (!err)
			continue;
		*folio = NULL;
		if (err != -EAGAIN)
			break;
		/*
		 * The quota has allowed it, so there is room, unless it is in transit or held;
		 * that is waited for as long as anything moves. Not with the chunk owned: what
		 * could leave may be in those of others who wait here.
		 */
		err = -ENOSPC;
		if (time_after(jiffies, m.since + MAKE_PATIENCE))
			break;
		if (!starving)
			atomic_inc(&fs->starving);
		starving = true;
		err = wait_event_killable_timeout(fs->pages_wait,
						  itme_tier_room(m.tier) >= m.room, HZ / 50);
		if (err < 0) {
			err = -EINTR;
			break;
		}
	}
	if (starving)
		atomic_dec(&fs->starving);
	return err;
}

/* A copy of what has been removed, charged to its tier. Takes over the reference. */
void itme_page_put_back(struct itme_inode *ino, struct folio *folio, pgoff_t index, bool dirty)
{
	WARN_ON_ONCE(add_folio(ino, folio, index, GFP_MUST));
	__folio_mark_uptodate(folio);
	if (dirty)
		folio_mark_dirty(folio);
	folio_unlock(folio);
	folio_put(folio);
}
