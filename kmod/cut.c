// SPDX-License-Identifier: GPL-2.0
/*
 * DOC: pages of native files leave the page cache, or cease
 *
 * By the owner of their chunk. What has copies may leave; what ceases goes whatever it is;
 * what is moved is put back.
 */
#include <linux/highmem.h>
#include <linux/pagemap.h>

#include "itme.h"
#include "native.h"
#include "quota.h"
#include "swap.h"

/* Folios of what is left of one that was cut: two runs of pages, each size once. */
#define CUT_FOLIOS	(2 * (ITME_CHUNK_MAX_SHIFT - PAGE_SHIFT))
/* Once the old folio is gone, its copy has to come in: a few words of memory. */
#define GFP_MUST	(GFP_KERNEL | __GFP_NOFAIL)

/* How many pages of [first, end) there are. The chunk is owned. */
static long count_pages(struct itme_inode *ino, pgoff_t first, pgoff_t end)
{
	long pages = 0;

	while (first < end) {
		pgoff_t there = itme_next_there(ino, first, end);
		struct folio *folio;

		pages += itme_count_stored(ino, first, there);
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

/* A copy of what has been removed, charged to its tier. Takes over the reference. */
void itme_page_put_back(struct itme_inode *ino, struct folio *folio, pgoff_t index, bool dirty)
{
	WARN_ON_ONCE(itme_page_add(ino, folio, index, GFP_MUST));
	__folio_mark_uptodate(folio);
	if (dirty)
		folio_mark_dirty(folio);
	folio_unlock(folio);
	folio_put(folio);
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

	while ((first = itme_next_there(ino, first, end)) < end) {
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

/* Folios for pages [first, end), and their content. Return: how many, or 0 */
static int copy_pages(struct folio *src, pgoff_t first, pgoff_t end, struct folio **dst, int nr)
{
	int tier = itme_tier_of(folio_nid(src));

	while (first < end) {
		unsigned int order = min_t(unsigned int, ilog2(end - first),
					   first ? __ffs(first) : BITS_PER_LONG);
		struct folio *folio = itme_tier_alloc(tier, order, false);

		if (!folio)
			return -ENOMEM;
		/* For now; it gets it again when it is added. */
		folio->index = first;
		dst[nr++] = folio;
		for (long i = 0; i < 1L << order; i++, first++)
			if (copy_mc_highpage(folio_page(folio, i),
					     folio_page(src, first - src->index)))
				return -EHWPOISON;
	}
	return nr;
}

static void zero_pages(struct folio *folio, pgoff_t first, pgoff_t end)
{
	folio_mark_dirty(folio);
	for (; first < end; first++)
		if (!itme_page_poisoned(folio, first))
			clear_highpage(folio_file_page(folio, first));
}

/*
 * Pages [first, end) of a folio cease, others of it stay. The kernel's own way to split a
 * folio is not for modules, so what stays is copied, if that can be had at once and
 * nobody uses the folio. Else the pages stay, as zeroes.
 */
static void cut_folio(struct itme_inode *ino, struct folio *src, pgoff_t first, pgoff_t end)
{
	struct folio *dst[CUT_FOLIOS] = {};
	long keep = folio_nr_pages(src) - (end - first);
	int tier = itme_tier_of(folio_nid(src));
	int nr;

	if (folio_mapped(src))
		unmap_mapping_pages(ino->vfs.i_mapping, src->index, folio_nr_pages(src), false);
	if (!itme_folio_unused(src) || !itme_tier_charge(tier, keep)) {
		zero_pages(src, first, end);
		return;
	}
	nr = copy_pages(src, src->index, first, dst, 0);
	if (nr >= 0)
		nr = copy_pages(src, end, folio_next_index(src), dst, nr);
	if (nr > 0) {
		itme_page_remove(ino, src);
	} else {
		zero_pages(src, first, end);
		itme_tier_uncharge(tier, keep);
	}
	for (int i = 0; i < CUT_FOLIOS && dst[i]; i++) {
		if (nr > 0)
			itme_page_put_back(ino, dst[i], dst[i]->index, true);
		else
			folio_put(dst[i]);
	}
}

static void remove_in_cache(struct itme_inode *ino, pgoff_t first, pgoff_t end)
{
	struct address_space *mapping = ino->vfs.i_mapping;
	pgoff_t index = first;

	while (index < end) {
		struct folio *folio;

		index = itme_next_there(ino, index, end);
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
			cut_folio(ino, folio, max(folio->index, first), min(index, end));
		folio_unlock(folio);
		folio_put(folio);
		cond_resched();
	}
}

/**
 * itme_pages_remove - pages cease
 * @ino: native file, inode lock held
 * @first: page
 * @end: page after the last
 *
 * Whoever comes for one from now on, and finds its chunk owned, waits.
 */
void itme_pages_remove(struct itme_inode *ino, pgoff_t first, pgoff_t end)
{
	for (u32 idx = itme_chunk_of(ino, first); itme_chunk_next(ino, &idx); idx++) {
		pgoff_t from = max(first, itme_chunk_start(ino, idx));
		pgoff_t to = min(end, itme_chunk_start(ino, idx) + itme_chunk_pages(ino, idx));
		long pages;
		int tier;

		if (from >= end)
			break;
		itme_chunk_take(ino, idx);
		tier = itme_chunk_at(ino, idx)->tier;
		pages = count_pages(ino, from, to);
		if (pages) {
			remove_in_cache(ino, from, to);
			itme_stored_forget(ino, from, to);
			itme_quota_uncharge(ino, pages - count_pages(ino, from, to));
		}
		pages = itme_present(ino, idx);
		itme_chunk_set_pages(ino, idx, pages);
		itme_chunk_end_leave(ino, idx, pages ? tier : ITME_TIER_NVME, false);
		cond_resched();
	}
}
