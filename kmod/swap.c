// SPDX-License-Identifier: GPL-2.0
/*
 * DOC: copies of written pages on swap areas: there is no area yet
 *
 * So nothing has a copy, and what is dirty stays in memory.
 */
#include <linux/pagevec.h>

#include "itme.h"
#include "swap.h"

/**
 * itme_stored - does a page have a copy?
 * @ino: native file, its chunk owned by the caller, or fs->lock held
 * @index: page
 *
 * Return: true if so; a page known to be zero has one that takes no room
 */
bool itme_stored(struct itme_inode *ino, pgoff_t index)
{
	return false;
}

/**
 * itme_stored_next - the next page that has a copy, or has none
 * @ino: as for itme_stored()
 * @index: page to begin with
 * @end: page to end before
 * @stored: which of the two
 *
 * Return: the page, or @end
 */
pgoff_t itme_stored_next(struct itme_inode *ino, pgoff_t index, pgoff_t end, bool stored)
{
	return stored ? end : index;
}

/**
 * itme_store - have a copy of all that is in memory of a chunk
 * @ino: native file
 * @idx: chunk, ITME_BUSY by the caller
 *
 * Return: 0: what is in memory is clean now; -ENOSPC: no area has room; -EBUSY: somebody
 * holds a page, or has written it meanwhile; -EIO
 */
int itme_store(struct itme_inode *ino, u32 idx)
{
	struct address_space *mapping = ino->vfs.i_mapping;
	pgoff_t index = itme_chunk_start(ino, idx);
	pgoff_t end = itme_chunk_start(ino, idx + 1) - 1;
	struct folio_batch batch;
	bool dirty = false;

	folio_batch_init(&batch);
	while (!dirty && filemap_get_folios(mapping, &index, end, &batch)) {
		for (unsigned int i = 0; i < folio_batch_count(&batch); i++) {
			struct folio *folio = batch.folios[i];

			/* What a mapping has written shows once it is unmapped. */
			folio_lock(folio);
			if (!folio_test_dirty(folio) && folio_mapped(folio))
				unmap_mapping_pages(mapping, folio->index,
						    folio_nr_pages(folio), false);
			dirty |= folio_test_dirty(folio);
			folio_unlock(folio);
		}
		folio_batch_release(&batch);
	}
	return dirty ? -ENOSPC : 0;
}

/**
 * itme_stored_read - start to read copies
 * @ino: native file
 * @read: as for itme_backing_read(), of pages that all have one; @pos is in the file
 */
void itme_stored_read(struct itme_inode *ino, struct itme_read *read)
{
	read->result = -EIO;
	read->done(read);
}

/**
 * itme_stored_forget - pages are no more, or have been written anew
 * @ino: native file, the chunks owned by the caller, or being evicted
 * @first: page
 * @end: page after the last
 */
void itme_stored_forget(struct itme_inode *ino, pgoff_t first, pgoff_t end)
{
}

/* Pages that fit on the areas that take any. */
long itme_swap_room(struct itme_fs *fs)
{
	return 0;
}

/* Is there an area to write to? */
bool itme_can_store(struct itme_fs *fs)
{
	return false;
}
