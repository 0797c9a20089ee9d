/* SPDX-License-Identifier: GPL-2.0 */
/*
 * DOC: copies of written pages on swap areas
 *
 * The page cache of a native file is the newest there is of it. A page that is dirty has
 * no copy here, or one that is older. A page that is clean has one here, so it may be
 * dropped. A page that is in neither of the two does not exist: it is a hole.
 *
 * PG_dirty of native folios is in no statistics of the kernel, see host.c. A page table
 * that says dirty tells the folio when the page is unmapped, so who wants to know, or
 * clears it, has the folio locked and unmapped.
 */
#ifndef ITME_SWAP_H
#define ITME_SWAP_H

#include <linux/types.h>

struct itme_area;
struct itme_fs;
struct itme_inode;
struct itme_read;
struct itme_stored;

/* swap.c */
int itme_swap_init(void);
void itme_swap_exit(void);
bool itme_stored(struct itme_inode *ino, pgoff_t index);
pgoff_t itme_stored_next(struct itme_inode *ino, pgoff_t index, pgoff_t end, bool stored);
void itme_stored_read(struct itme_inode *ino, struct itme_read *read);
void itme_stored_forget(struct itme_inode *ino, pgoff_t first, pgoff_t end);
void itme_stored_zero(struct itme_inode *ino, pgoff_t first, pgoff_t end);
struct itme_stored *itme_stored_add(struct itme_inode *ino, u32 idx);
int itme_stored_add_crc(struct itme_inode *ino, struct itme_stored *s);
void itme_stored_trim(struct itme_inode *ino, u32 idx);
long itme_swap_room(struct itme_fs *fs);
long itme_swap_capacity(struct itme_fs *fs);
bool itme_can_store(struct itme_fs *fs);

/* store.c */
int itme_store_init(void);
void itme_store_exit(void);
int itme_store(struct itme_inode *ino, u32 idx);

/* drain.c */
int itme_swap_remove(struct itme_fs *fs, u32 id);

#endif /* ITME_SWAP_H */
