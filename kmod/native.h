/* SPDX-License-Identifier: GPL-2.0 */
/*
 * DOC: pages of native files that come into being and cease
 */
#ifndef ITME_NATIVE_H
#define ITME_NATIVE_H

#include <linux/highmem.h>
#include <linux/pagemap.h>

#include "itme.h"

/**
 * enum itme_page - what a page of a native file is
 * @ITME_PAGE_HOLE: it does not exist, and reads as zeroes
 * @ITME_PAGE_THERE: in the page cache
 * @ITME_PAGE_STORED: only in a swap area
 * @ITME_PAGE_TRANSIT: somebody owns its chunk, look again when that is over
 */
enum itme_page {
	ITME_PAGE_HOLE,
	ITME_PAGE_THERE,
	ITME_PAGE_STORED,
	ITME_PAGE_TRANSIT,
};

/**
 * struct itme_want - a page that may have to be made
 * @start: page from which there may be new ones
 * @limit: page up to which there may be new ones; 0: the end of the file, as it is then
 * @order: how large a new folio may be
 * @made: pages that were made, added up
 */
struct itme_want {
	pgoff_t start;
	pgoff_t limit;
	unsigned int order;
	long made;
};

/* host.c */
int itme_host_init(void);
void itme_host_exit(void);
int itme_host_make(struct itme_inode *ino);
void itme_host_free(struct itme_inode *ino);

/* make.c */
int itme_page_lock(struct itme_inode *ino, pgoff_t index, struct itme_want *want,
		   struct folio **folio);
void itme_page_put_back(struct itme_inode *ino, struct folio *folio, pgoff_t index, bool dirty);

/* page.c */
pgoff_t itme_page_next(struct itme_inode *ino, pgoff_t index, pgoff_t end);
enum itme_page itme_page_look(struct itme_inode *ino, pgoff_t index, pgoff_t *end);
int itme_page_wait(struct itme_inode *ino, pgoff_t index, pgoff_t *end);
bool itme_page_remove(struct itme_inode *ino, struct folio *folio);
long itme_pages_stored(struct itme_inode *ino, pgoff_t first, pgoff_t end);
bool itme_pages_drop(struct itme_inode *ino, pgoff_t first, pgoff_t end);
long itme_pages_units(struct itme_inode *ino, pgoff_t first, pgoff_t end);
void itme_pages_each(struct itme_inode *ino, pgoff_t first, pgoff_t end,
		     void (*fn)(struct itme_inode *ino, pgoff_t from, pgoff_t to, void *arg),
		     void *arg);
struct itme_share itme_pages_count(struct itme_inode *ino, pgoff_t first, pgoff_t end);
void itme_pages_remove(struct itme_inode *ino, pgoff_t first, pgoff_t end);
int itme_page_zero(struct itme_inode *ino, loff_t from, loff_t to);

/* cut.c */
void itme_page_cut(struct itme_inode *ino, struct folio *src, pgoff_t first, pgoff_t end);

/* range.c */
int itme_pages_reserve(struct itme_inode *ino, pgoff_t end);
int itme_pages_make(struct itme_inode *ino, pgoff_t first, pgoff_t end);
void itme_pages_zero(struct itme_inode *ino, pgoff_t first, pgoff_t end);

/* native.c */
int itme_write_begin(struct file *file, struct address_space *mapping, loff_t pos, unsigned int len,
		     struct folio **folio, void **fsdata);
int itme_write_end(struct file *file, struct address_space *mapping, loff_t pos, unsigned int len,
		   unsigned int copied, struct folio *folio, void *fsdata);

/*
 * When the kernel splits a folio, it drops what is beyond the end of the file, and does not
 * tell whose it was. So it may not split one that goes beyond it: beyond what the kernel
 * sees, which is the size of the host. If it has begun before the file has shrunk, it has
 * the folio locked; truncate locks all of them before it lets the kernel see the new end.
 */
static inline bool itme_beyond_end(struct itme_inode *ino, struct folio *folio)
{
	return ino->native && folio_test_large(folio) &&
	       folio_next_index(folio) >
	       DIV_ROUND_UP(i_size_read(ino->vfs.i_mapping->host), PAGE_SIZE);
}

static inline bool itme_page_is_zero(struct page *page)
{
	void *at = kmap_local_page(page);
	bool zero = !memchr_inv(at, 0, PAGE_SIZE);

	kunmap_local(at);
	return zero;
}

/* Has some of its memory gone bad? */
static inline bool itme_folio_poisoned(struct folio *folio)
{
	return folio_test_hwpoison(folio) ||
	       (folio_test_large(folio) && folio_test_has_hwpoisoned(folio));
}

/* Has the memory of a page gone bad? What was written to it is lost. */
static inline bool itme_page_poisoned(struct folio *folio, pgoff_t index)
{
	return folio_test_hwpoison(folio) ||
	       (folio_test_large(folio) && folio_test_has_hwpoisoned(folio) &&
		PageHWPoison(folio_file_page(folio, index)));
}

#endif /* ITME_NATIVE_H */
