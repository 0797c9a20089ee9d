// SPDX-License-Identifier: GPL-2.0
/*
 * DOC: memory that goes from the chunk that leaves to the one that comes
 *
 * In steady use each chunk that is read takes the place of one that has been used.
 * Its folio could be freed and another one allocated, but that one would be zeroed
 * first where init_on_alloc is on, as distributions have it, which costs as much as
 * the drive takes; and in memory that others fragment, it might not be had. So it is
 * handed over: unmapped and taken out of the page cache, and put in at another place.
 *
 * It leaves as for reclaim, in __remove_mapping(): locked, unmapped, and with its
 * references frozen, which succeeds only if nobody else has one. Who looks it up
 * meanwhile without a lock gets no reference, and looks again. It is not uptodate from
 * then on until it has been read in full, so nobody sees what it had before. It stays
 * on the (unevictable) LRU, charged to its memory cgroup, the root, and to the budget,
 * and counted as a page of a file, none of which differ between the two chunks.
 */
#include <linux/pagemap.h>
#include <linux/vmstat.h>
#include <linux/xarray.h>

#include "itme.h"

/* Of a chunk in transit the kernel may have moved a folio to the other tier. */
static bool may_take(struct folio *folio, const struct itme_spare *spare)
{
	return folio_nr_pages(folio) == spare->pages && folio_test_large(folio) &&
	       itme_tier_of(folio_nid(folio)) == spare->tier &&
	       folio_test_uptodate(folio) && !folio_test_dirty(folio) &&
	       !folio_test_writeback(folio) && !folio_test_private(folio) &&
	       !folio_test_mlocked(folio) && !folio_test_has_hwpoisoned(folio);
}

/*
 * Out of the page cache; false when somebody has a reference, or has just let go of one
 * and told before that he has written.
 */
static bool detach(struct address_space *mapping, struct folio *folio)
{
	long nr = folio_nr_pages(folio);
	XA_STATE_ORDER(xas, &mapping->i_pages, folio->index, folio_order(folio));

	xas_lock_irq(&xas);
	if (!folio_ref_freeze(folio, nr + 1)) {
		xas_unlock_irq(&xas);
		return false;
	}
	if (folio_test_dirty(folio)) {
		folio_ref_unfreeze(folio, nr + 1);
		xas_unlock_irq(&xas);
		return false;
	}
	xas_store(&xas, NULL);
	folio->mapping = NULL;
	mapping->nrpages -= nr;
	folio_clear_uptodate(folio);
	folio_clear_referenced(folio);
	folio_ref_unfreeze(folio, 1);
	xas_unlock_irq(&xas);
	return true;
}

/**
 * itme_spare_take - a chunk leaves memory, its folio stays
 * @spare: whose @pages and @tier say how large it has to be, and where; empty
 * @ino: file
 * @idx: chunk, ITME_BUSY by the caller, who has looked that nobody has it locked in
 *	memory
 *
 * Return: true when the chunk is gone, its folio in @spare, locked; false when it is
 * not of one such folio, or somebody has a reference on it
 */
bool itme_spare_take(struct itme_spare *spare, struct itme_inode *ino, u32 idx)
{
	struct address_space *mapping = ino->vfs.i_mapping;
	pgoff_t index = itme_chunk_start(ino, idx);
	struct folio *folio;

	/* What leaves a block that goes offline must not come back to it. */
	if (itme_chunk_pages(ino, idx) != spare->pages || READ_ONCE(ino->fs->offlining))
		return false;
	folio = filemap_lock_folio(mapping, index);
	if (IS_ERR(folio))
		return false;
	if (may_take(folio, spare)) {
		/* Nobody maps it again while it is locked. */
		if (folio_mapped(folio))
			unmap_mapping_pages(mapping, index, spare->pages, false);
		if (detach(mapping, folio)) {
			spare->folio = folio;
			return true;
		}
	}
	folio_unlock(folio);
	folio_put(folio);
	return false;
}

/**
 * itme_spare_add - the folio becomes that of a chunk that comes
 * @spare: has a folio; it is given back when there is an error
 * @ino: file
 * @index: first page of it that is missing, aligned to the folio
 *
 * As filemap_add_folio() does for a new one.
 *
 * Return: the folio, locked, held, and not uptodate; or -EEXIST, -ENOMEM
 */
struct folio *itme_spare_add(struct itme_spare *spare, struct itme_inode *ino, pgoff_t index)
{
	struct address_space *mapping = ino->vfs.i_mapping;
	struct folio *folio = spare->folio;
	long nr = folio_nr_pages(folio);
	XA_STATE_ORDER(xas, &mapping->i_pages, index, folio_order(folio));
	int err;

	folio_ref_add(folio, nr);
	folio->mapping = mapping;
	folio->index = index;
	do {
		xas_lock_irq(&xas);
		if (xas_find_conflict(&xas))
			xas_set_err(&xas, -EEXIST);
		else
			xas_store(&xas, folio);
		if (!xas_error(&xas))
			mapping->nrpages += nr;
		xas_unlock_irq(&xas);
	} while (xas_nomem(&xas, GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN));
	err = xas_error(&xas);
	if (err) {
		folio->mapping = NULL;
		folio_ref_sub(folio, nr);
		itme_spare_free(spare);
		return ERR_PTR(err);
	}
	spare->folio = NULL;
	return folio;
}

/**
 * itme_spare_free - the folio, if there is one, is not needed after all
 * @spare: empty then
 */
void itme_spare_free(struct itme_spare *spare)
{
	struct folio *folio = spare->folio;
	long nr;

	if (!folio)
		return;
	spare->folio = NULL;
	nr = folio_nr_pages(folio);
	/* As when it leaves the page cache, which frees it only after that. */
	lruvec_stat_mod_folio(folio, NR_FILE_PAGES, -nr);
	if (folio_test_pmd_mappable(folio))
		lruvec_stat_mod_folio(folio, NR_FILE_THPS, -nr);
	itme_tier_uncharge(itme_tier_of(folio_nid(folio)), nr);
	folio_unlock(folio);
	folio_put(folio);
}
