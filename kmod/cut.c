// SPDX-License-Identifier: GPL-2.0
/*
 * DOC: a part of a folio of a native file ceases
 *
 * The kernel's own way to split a folio is not for modules, so what stays is copied into
 * folios of its own.
 */
#include <linux/highmem.h>
#include <linux/pagemap.h>

#include "itme.h"
#include "native.h"

/* Folios of what is left of one that was cut: two runs of pages, each size once. */
#define CUT_FOLIOS	(2 * (ITME_CHUNK_MAX_SHIFT - PAGE_SHIFT))

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

/**
 * itme_page_cut - some pages of a folio cease, others of it stay
 * @ino: native file, the chunk owned by the caller
 * @src: folio, locked
 * @first: first page that ceases
 * @end: page after the last
 *
 * If what stays cannot be copied at once, or somebody uses the folio, these pages stay, too,
 * as zeroes.
 */
void itme_page_cut(struct itme_inode *ino, struct folio *src, pgoff_t first, pgoff_t end)
{
	struct folio *dst[CUT_FOLIOS] = {};
	long keep = folio_nr_pages(src) - (end - first);
	int tier = itme_tier_of(folio_nid(src));
	int nr;

	if (folio_mapped(src))
		unmap_mapping_pages(ino->vfs.i_mapping, src->index, folio_nr_pages(src), false);
	folio_mark_dirty(src);
	for (pgoff_t index = first; index < end; index++)
		if (!itme_page_poisoned(src, index))
			clear_highpage(folio_file_page(src, index));
	if (!itme_folio_unused(src) || !itme_tier_charge(tier, keep))
		return;
	nr = copy_pages(src, src->index, first, dst, 0);
	if (nr >= 0)
		nr = copy_pages(src, end, folio_next_index(src), dst, nr);
	if (nr > 0)
		itme_page_remove(ino, src);
	else
		itme_tier_uncharge(tier, keep);
	for (int i = 0; i < CUT_FOLIOS && dst[i]; i++) {
		if (nr > 0)
			itme_page_put_back(ino, dst[i], dst[i]->index, true);
		else
			folio_put(dst[i]);
	}
}
