// SPDX-License-Identifier: GPL-2.0
/*
 * DOC: pages of a range come into being, as for fallocate(2), or are to read as zeroes
 *
 * A range may be of petabytes, with hardly a page in it, and most of its chunks not even
 * in the table. So holes are counted by chunk or more, and no further than all that there
 * may be.
 */
#include <linux/highmem.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>

#include "itme.h"
#include "native.h"
#include "quota.h"
#include "stored.h"
#include "swap.h"

/* A hole begins at @index, and goes on up to @next; or further, as the table tells. */
static pgoff_t hole_end(struct itme_inode *ino, pgoff_t index, pgoff_t next, pgoff_t end)
{
	u32 idx = itme_chunk_of(ino, index);

	if (itme_chunk_at(ino, idx) == &itme_no_chunk)
		next = itme_chunk_next(ino, &idx) ? itme_chunk_start(ino, idx) : end;
	return min(next, end);
}

/* Units of swap areas in [first, end); at its ends, those that are in it for a part, or not. */
static long units_in(pgoff_t first, pgoff_t end, bool first_too, bool last_too)
{
	pgoff_t from = first_too ? first / ITME_UNIT_PAGES : DIV_ROUND_UP(first, ITME_UNIT_PAGES);
	pgoff_t to = last_too ? DIV_ROUND_UP(end, ITME_UNIT_PAGES) : end / ITME_UNIT_PAGES;

	return to > from ? to - from : 0;
}

/*
 * Holes of [first, end); -ENOSPC: more than there may be, -EINTR. @units is set to those of
 * swap areas that have nothing else, or may have nothing else beyond the range.
 */
static long count_holes(struct itme_inode *ino, pgoff_t first, pgoff_t end, long *units)
{
	long most = itme_quota_capacity(ino->fs);
	pgoff_t start = first;
	long pages = 0;

	*units = 0;
	while (first < end) {
		pgoff_t next;
		int what = itme_page_wait(ino, first, &next);

		if (what < 0 || fatal_signal_pending(current))
			return -EINTR;
		if (what == ITME_PAGE_HOLE) {
			next = hole_end(ino, first, next, end);
			pages += next - first;
			*units += units_in(first, next, first == start, next == end);
			first = next;
		} else {
			first++;
		}
		if (pages > most)
			return -ENOSPC;
		cond_resched();
	}
	return pages;
}

/**
 * itme_pages_reserve - have all pages of a file promised that do not exist yet
 * @ino: native file, inode lock held
 * @end: page after the last: of the end of the file that it has, or is about to get
 *
 * Nothing without the mount option reserve.
 *
 * Return: 0; -ENOSPC: it is more than before, and there is no room
 */
int itme_pages_reserve(struct itme_inode *ino, pgoff_t end)
{
	pgoff_t first = min(end, ino->reserved), last = max(end, ino->reserved);
	struct itme_share holes;
	int err;

	if (!ino->fs->reserve || first == last)
		return 0;
	/* fallocate(2) may have made some, and what somebody has pinned stays. */
	holes = itme_pages_count(ino, first, last);
	holes.pages = last - first - holes.pages;
	holes.units = units_in(first, last, false, true) - holes.units;
	mutex_lock(&itme_table_mutex);
	holes.tables = itme_tables_missing(ino, first, last);
	err = itme_quota_reserve(ino, end, &holes);
	mutex_unlock(&itme_table_mutex);
	return err;
}

/* @holes is set to what was promised; that may be nothing. */
static int promise(struct itme_inode *ino, pgoff_t first, pgoff_t end, struct itme_share *holes)
{
	pgoff_t table = rounddown(first, ITME_SEG_PAGES);
	int err;

	holes->pages = count_holes(ino, first, end, &holes->units);
	if (holes->pages <= 0)
		return holes->pages;
	mutex_lock(&itme_table_mutex);
	holes->tables = itme_tables_missing(ino, max(table, ino->reserved), end);
	err = itme_quota_promise(ino, first, end, holes);
	mutex_unlock(&itme_table_mutex);
	return err;
}

/**
 * itme_pages_make - all pages of a range come into being, as zeroes
 * @ino: native file, inode lock held
 * @first: page
 * @end: page after the last
 *
 * What is missing, and not reserved, is promised first, so that this fails at once or, but
 * for signals and failing memory, not at all. If it fails in the middle, what it has made
 * stays.
 *
 * Return: 0, -ENOSPC, -ENOMEM, -EINTR
 */
int itme_pages_make(struct itme_inode *ino, pgoff_t first, pgoff_t end)
{
	struct itme_want want = {
		.start = first,
		.limit = end,
		.order = itme_max_order(ino),
	};
	pgoff_t reserved = max(first, ino->reserved);
	struct itme_share holes = {};
	pgoff_t index = first;
	int err = 0;

	if (reserved < end)
		err = promise(ino, reserved, end, &holes);
	if (err || (!holes.pages && reserved == first))
		return err;
	while (!err && index < end) {
		struct folio *folio;
		pgoff_t next;
		int what = itme_page_wait(ino, index, &next);

		if (what != ITME_PAGE_HOLE) {
			err = what < 0 ? what : 0;
			index++;
			continue;
		}
		err = itme_page_lock(ino, index, &want, &folio);
		if (!err) {
			index = folio_next_index(folio);
			folio_unlock(folio);
			folio_put(folio);
		} else if (err == -EAGAIN) {
			err = itme_chunk_wait(ino, itme_chunk_of(ino, index));
		}
		if (fatal_signal_pending(current))
			err = -EINTR;
		cond_resched();
	}
	if (want.made)
		itme_lru_drain();
	itme_quota_unpromise(ino);
	return err;
}

/* Locked. Only what is not zero is written to: its copy may be good still. */
static void blank(struct folio *folio, pgoff_t first, pgoff_t end)
{
	for (pgoff_t index = first; index < end; index++) {
		struct page *page = folio_file_page(folio, index);

		if (itme_page_poisoned(folio, index) || itme_page_is_zero(page))
			continue;
		clear_highpage(page);
		folio_mark_dirty(folio);
	}
}

static void blank_all(struct itme_inode *ino, pgoff_t first, pgoff_t end)
{
	struct address_space *mapping = ino->vfs.i_mapping;
	unsigned long index = first;

	while (index < end && xa_find(&mapping->i_pages, &index, end - 1, XA_PRESENT)) {
		struct folio *folio = filemap_lock_folio(mapping, index);
		pgoff_t next;

		if (IS_ERR(folio)) {
			index++;
			continue;
		}
		next = folio_next_index(folio);
		blank(folio, index, min(next, end));
		folio_unlock(folio);
		folio_put(folio);
		index = next;
		cond_resched();
	}
}

static void zero_some(struct itme_inode *ino, pgoff_t from, pgoff_t to, void *unused)
{
	blank_all(ino, from, to);
	itme_stored_zero(ino, from, to);
}

/**
 * itme_pages_zero - pages beyond the end of the file are to be those of a hole
 * @ino: native file, inode lock held, about to grow
 * @first: page
 * @end: page after the last
 *
 * They may have been allocated, or could not cease, as somebody had pinned them; and who
 * has pinned one, or has mapped a folio that goes beyond the end, may have written there.
 */
void itme_pages_zero(struct itme_inode *ino, pgoff_t first, pgoff_t end)
{
	itme_pages_each(ino, first, end, zero_some, NULL);
}
