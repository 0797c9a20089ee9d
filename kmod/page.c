// SPDX-License-Identifier: GPL-2.0
/*
 * DOC: pages of native files: what they are, and that they cease
 *
 * A page of a native file exists when it is in the page cache or has a copy in a swap
 * area (swap.h); else it is a hole. Only the owner of its chunk makes one or has one
 * cease. A new page is dirty from the moment it can be found, so a folio that is clean
 * has copies of all its pages, and whoever finds one clean, locked and unmapped, may
 * drop it.
 */
#include <linux/pagevec.h>

#include "itme.h"
#include "native.h"
#include "quota.h"
#include "stored.h"
#include "swap.h"
#include "trigger.h"

static bool is_there(struct itme_inode *ino, pgoff_t index)
{
	void *entry = xa_load(&ino->vfs.i_mapping->i_pages, index);

	return entry && !xa_is_value(entry);
}

/* The first page of [index, end) that is in the page cache, or @end. */
static pgoff_t next_there(struct itme_inode *ino, pgoff_t index, pgoff_t end)
{
	unsigned long at = index;

	return xa_find(&ino->vfs.i_mapping->i_pages, &at, end - 1, XA_PRESENT) ? at : end;
}

/* The same, or it has a copy. The chunk is owned, or fs->lock held. */
pgoff_t itme_page_next(struct itme_inode *ino, pgoff_t index, pgoff_t end)
{
	return itme_stored_next(ino, index, next_there(ino, index, end), true);
}

/* Units of swap areas around [first, end) that have a page. The chunk is owned. */
long itme_pages_units(struct itme_inode *ino, pgoff_t first, pgoff_t end)
{
	long units = 0;

	for (pgoff_t at = round_down(first, ITME_UNIT_PAGES); at < end; at += ITME_UNIT_PAGES)
		units += itme_page_next(ino, at, at + ITME_UNIT_PAGES) < at + ITME_UNIT_PAGES;
	return units;
}

/**
 * itme_page_look - what is a page of a native file now?
 * @ino: file
 * @index: page
 * @end: set to the page up to which, in the same chunk, all are holes, if this one is
 *
 * Return: a snapshot. Pages of a chunk at rest do not come and go while fs->lock is
 * held, but for clean ones that the kernel takes, which have a copy.
 */
enum itme_page itme_page_look(struct itme_inode *ino, pgoff_t index, pgoff_t *end)
{
	u32 idx = itme_chunk_of(ino, index);
	enum itme_page what = ITME_PAGE_HOLE;
	struct itme_chunk *c;

	*end = itme_chunk_start(ino, idx + 1);
	spin_lock(&ino->fs->lock);
	c = itme_chunk_at(ino, idx);
	if (c == &itme_no_chunk)
		;
	else if (itme_in_transit(c->state))
		what = ITME_PAGE_TRANSIT;
	else if (is_there(ino, index))
		what = ITME_PAGE_THERE;
	else if (itme_stored(ino, index))
		what = ITME_PAGE_STORED;
	else
		*end = itme_page_next(ino, index, *end);
	spin_unlock(&ino->fs->lock);
	return what;
}

/* How many pages of [first, end) have a copy. The chunk is owned, or fs->lock held. */
static long count_stored(struct itme_inode *ino, pgoff_t first, pgoff_t end)
{
	long pages = 0;

	while (first < end) {
		pgoff_t stored = itme_stored_next(ino, first, end, true);

		first = itme_stored_next(ino, stored, end, false);
		pages += first - stored;
	}
	return pages;
}

/* Of a native file; for others, all have one. */
long itme_pages_stored(struct itme_inode *ino, pgoff_t first, pgoff_t end)
{
	long pages = end - first;

	if (ino->native) {
		spin_lock(&ino->fs->lock);
		pages = count_stored(ino, first, end);
		spin_unlock(&ino->fs->lock);
	}
	return pages;
}

/* How many pages of [first, end) there are. The chunk is owned. */
static long count_pages(struct itme_inode *ino, pgoff_t first, pgoff_t end)
{
	long pages = 0;

	while (first < end) {
		pgoff_t there = next_there(ino, first, end);
		struct folio *folio;

		pages += count_stored(ino, first, there);
		if (there >= end)
			break;
		folio = filemap_get_folio(ino->vfs.i_mapping, there);
		/* The kernel has just taken it, so it is stored. */
		first = IS_ERR(folio) ? there + 1 : min(folio_next_index(folio), end);
		pages += first - there;
		if (!IS_ERR(folio))
			folio_put(folio);
	}
	return pages;
}

/*
 * Locked. What a mapping has written shows in the folio once it is unmapped; nobody maps
 * it again while it is locked. Return: was it dirty?
 */
bool itme_page_remove(struct itme_inode *ino, struct folio *folio)
{
	struct address_space *mapping = ino->vfs.i_mapping;
	bool dirty;

	if (folio_mapped(folio))
		unmap_mapping_pages(mapping, folio->index, folio_nr_pages(folio), false);
	dirty = folio_test_clear_dirty(folio);
	generic_error_remove_folio(mapping, folio);
	return dirty;
}

/**
 * itme_pages_drop - what is in memory of a range leaves, as it has copies
 * @ino: native file, its chunk owned by the caller
 * @first: page
 * @end: page after the last
 *
 * Return: false when some is dirty, or somebody holds it; that stays
 */
bool itme_pages_drop(struct itme_inode *ino, pgoff_t first, pgoff_t end)
{
	struct address_space *mapping = ino->vfs.i_mapping;
	bool gone = true;

	while ((first = next_there(ino, first, end)) < end) {
		struct folio *folio = filemap_lock_folio(mapping, first);

		if (IS_ERR(folio)) {
			first++;
			continue;
		}
		first = folio_next_index(folio);
		if (folio_mapped(folio))
			unmap_mapping_pages(mapping, folio->index, folio_nr_pages(folio), false);
		if (itme_folio_unused(folio) && !folio_test_dirty(folio))
			itme_page_remove(ino, folio);
		else
			gone = false;
		folio_unlock(folio);
		folio_put(folio);
		cond_resched();
	}
	return gone;
}

static void remove_in_cache(struct itme_inode *ino, pgoff_t first, pgoff_t end)
{
	struct address_space *mapping = ino->vfs.i_mapping;
	pgoff_t index = first;

	while (index < end) {
		struct folio *folio;

		index = next_there(ino, index, end);
		if (index >= end)
			break;
		folio = filemap_lock_folio(mapping, index);
		if (IS_ERR(folio)) {
			index++;
			continue;
		}
		index = folio_next_index(folio);
		if (folio->index >= first && index <= end)
			itme_page_remove(ino, folio);
		else
			itme_page_cut(ino, folio, max(folio->index, first), min(index, end));
		folio_unlock(folio);
		folio_put(folio);
		cond_resched();
	}
}

/* Nothing of it, and nobody about to make any: most of the chunks of a sparse file. */
static bool nothing_in(struct itme_inode *ino, u32 idx)
{
	pgoff_t first = itme_chunk_start(ino, idx);
	pgoff_t end = first + itme_chunk_pages(ino, idx);
	bool none;

	spin_lock(&ino->fs->lock);
	none = itme_chunk_at(ino, idx)->state == ITME_ABSENT &&
	       itme_page_next(ino, first, end) >= end;
	spin_unlock(&ino->fs->lock);
	return none;
}

/*
 * What there is of [first, end), up to where the file is reserved and beyond. The chunk is
 * owned, the inode lock held.
 */
static void count_parts(struct itme_inode *ino, pgoff_t first, pgoff_t end,
			struct itme_share *inside, struct itme_share *beyond)
{
	pgoff_t page = clamp(ino->reserved, first, end);
	pgoff_t unit = clamp(round_up(ino->reserved, ITME_UNIT_PAGES), first, end);

	*inside = (struct itme_share){
		.pages = count_pages(ino, first, page),
		.units = unit > first ? itme_pages_units(ino, first, unit) : 0,
	};
	*beyond = (struct itme_share){
		.pages = count_pages(ino, page, end),
		.units = unit < end ? itme_pages_units(ino, unit, end) : 0,
	};
}

/**
 * itme_pages_each - own one after the other the chunks of a range that have pages
 * @ino: native file, inode lock held
 * @first: page
 * @end: page after the last
 * @fn: called for what of the range is in the chunk, which it owns meanwhile
 * @arg: for @fn
 *
 * Whoever comes for a page from then on, and finds its chunk owned, waits.
 */
void itme_pages_each(struct itme_inode *ino, pgoff_t first, pgoff_t end,
		     void (*fn)(struct itme_inode *ino, pgoff_t from, pgoff_t to, void *arg),
		     void *arg)
{
	for (u32 idx = itme_chunk_of(ino, first); itme_chunk_next(ino, &idx); idx++) {
		pgoff_t start = itme_chunk_start(ino, idx);
		pgoff_t from = max(first, start);
		pgoff_t to = min(end, start + itme_chunk_pages(ino, idx));
		long pages;
		int tier;

		if (from >= end)
			break;
		cond_resched();
		if (nothing_in(ino, idx))
			continue;
		itme_chunk_take(ino, idx);
		tier = itme_chunk_at(ino, idx)->tier;
		fn(ino, from, to, arg);
		pages = itme_present(ino, idx);
		itme_chunk_set_pages(ino, idx, pages);
		itme_chunk_end_leave(ino, idx, pages ? tier : ITME_TIER_NVME, false);
	}
}

static void count_some(struct itme_inode *ino, pgoff_t from, pgoff_t to, void *arg)
{
	struct itme_share *n = arg;

	n->pages += count_pages(ino, from, to);
	from = round_up(from, ITME_UNIT_PAGES);
	if (from < to)
		n->units += itme_pages_units(ino, from, to);
}

/**
 * itme_pages_count - what there is of a range
 * @ino: native file, inode lock held
 * @first: page
 * @end: page after the last; all beyond the end of the file, so none comes
 *
 * Return: pages, and units of swap areas with a page that do not begin before @first
 */
struct itme_share itme_pages_count(struct itme_inode *ino, pgoff_t first, pgoff_t end)
{
	struct itme_share n = {};

	itme_pages_each(ino, first, end, count_some, &n);
	return n;
}

/* What it has become less by. */
static void subtract(struct itme_share *from, const struct itme_share *what)
{
	from->pages -= what->pages;
	from->units -= what->units;
}

static void remove_some(struct itme_inode *ino, pgoff_t from, pgoff_t to, void *unused)
{
	struct itme_share inside, beyond, in_left, left;

	count_parts(ino, from, to, &inside, &beyond);
	if (!inside.pages && !beyond.pages)
		return;
	remove_in_cache(ino, from, to);
	itme_stored_forget(ino, from, to);
	count_parts(ino, from, to, &in_left, &left);
	subtract(&inside, &in_left);
	subtract(&beyond, &left);
	itme_quota_gone(ino, &inside, &beyond);
}

/**
 * itme_pages_remove - pages cease
 * @ino: native file, inode lock held
 * @first: page
 * @end: page after the last
 */
void itme_pages_remove(struct itme_inode *ino, pgoff_t first, pgoff_t end)
{
	itme_pages_each(ino, first, end, remove_some, NULL);
}

/**
 * itme_page_wait - look at a page when its chunk is at rest
 * @ino: native file
 * @index: page
 * @end: as for itme_page_look()
 *
 * Return: enum itme_page, but for ITME_PAGE_TRANSIT; -EINTR when the task is being killed
 */
int itme_page_wait(struct itme_inode *ino, pgoff_t index, pgoff_t *end)
{
	for (;;) {
		enum itme_page what = itme_page_look(ino, index, end);
		int err;

		if (what != ITME_PAGE_TRANSIT)
			return what;
		err = itme_chunk_wait(ino, itme_chunk_of(ino, index));
		if (err)
			return err;
	}
}

/**
 * itme_page_zero - a part of a page is to read as zeroes
 * @ino: native file, inode lock held
 * @from: byte
 * @to: byte after the last, in the same page
 *
 * Return: 0, -EINTR, -EIO: it is stored and could not be read
 */
int itme_page_zero(struct itme_inode *ino, loff_t from, loff_t to)
{
	pgoff_t index = from >> PAGE_SHIFT;

	while (from < to) {
		struct folio *folio;
		size_t offset;
		pgoff_t end;
		int what;

		what = itme_page_wait(ino, index, &end);
		if (what < 0 || what == ITME_PAGE_HOLE)
			return what < 0 ? what : 0;
		folio = itme_folio_lock(ino, index);
		if (!folio) {
			what = itme_bring_in(ino, itme_chunk_of(ino, index), ITME_TIER_DRAM);
			if (what)
				return what;
			continue;
		}
		if (itme_page_poisoned(folio, index)) {
			what = -EIO;
		} else {
			offset = offset_in_folio(folio, from);
			folio_zero_segment(folio, offset, offset + (to - from));
			folio_mark_dirty(folio);
			what = 0;
		}
		folio_unlock(folio);
		folio_put(folio);
		return what;
	}
	return 0;
}
