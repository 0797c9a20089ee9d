/* SPDX-License-Identifier: GPL-2.0 */
/*
 * DOC: what written files may take
 */
#ifndef ITME_QUOTA_H
#define ITME_QUOTA_H

#include <linux/refcount.h>
#include <linux/types.h>

struct itme_fs;
struct itme_inode;
struct kstatfs;

/**
 * struct itme_quota - what the files of a subtree may take
 * @ref: inodes and quotas below that name it; the one of the root is part of struct
 *	itme_fs and stays as long
 * @parent: that of the directory above, NULL for the root
 * @limit: pages, under fs->quota_lock; LONG_MAX: only what those above have
 * @used: pages that exist, in memory or in a swap area, under fs->quota_lock
 * @promised: pages that do not exist yet, but must not fail for want of room when they
 *	come, under fs->quota_lock
 * @units: of the root alone, units of swap areas that both of them can take, under
 *	fs->quota_lock
 * @tables: of the root alone, those of both that never go to one, under fs->quota_lock
 */
struct itme_quota {
	refcount_t ref;
	struct itme_quota *parent;
	long limit;
	long used;
	long promised;
	long units;
	long tables;
};

/**
 * struct itme_share - a part of what a file takes, or may
 * @pages: of data
 * @units: of swap areas that these can take
 * @tables: pages that tell where they are, see table.c
 */
struct itme_share {
	long pages;
	long units;
	long tables;
};

void itme_quota_init(struct itme_fs *fs);
struct itme_quota *itme_quota_get(struct itme_quota *quota);
void itme_quota_put(struct itme_quota *quota);
long itme_quota_capacity(struct itme_fs *fs);
bool itme_quota_spares(struct itme_fs *fs, long pages);
int itme_quota_charge(struct itme_inode *ino, pgoff_t first, long pages, long units);
void itme_quota_uncharge(struct itme_inode *ino, pgoff_t first, long pages, long units);
void itme_quota_gone(struct itme_inode *ino, const struct itme_share *inside,
		     const struct itme_share *beyond);
int itme_quota_promise(struct itme_inode *ino, pgoff_t first, pgoff_t end,
		       const struct itme_share *holes);
void itme_quota_unpromise(struct itme_inode *ino);
int itme_quota_reserve(struct itme_inode *ino, pgoff_t end, const struct itme_share *holes);
void itme_quota_forget(struct itme_inode *ino);
bool itme_quota_fits(struct inode *dir, struct inode *inode);
int itme_quota_limit(struct itme_inode *dir, u64 bytes);
void itme_quota_info(struct itme_inode *dir, u64 *limit, u64 *used);
void itme_quota_statfs(struct itme_inode *ino, struct kstatfs *buf);

/* What names, links, attributes and the like take of kernel memory. */
int itme_inode_charge(struct itme_fs *fs);
void itme_inode_uncharge(struct itme_fs *fs);
int itme_small_charge(struct itme_inode *ino, long bytes);
void itme_small_uncharge(struct itme_inode *ino, long bytes);

/* What the pages of written files take of it: where they are. */
bool itme_table_charge(struct itme_fs *fs, long bytes);
void itme_table_uncharge(struct itme_fs *fs, long bytes);
int itme_table_charge_page(struct itme_inode *ino, u32 nr);
void itme_table_uncharge_page(struct itme_inode *ino, u32 nr);

#endif /* ITME_QUOTA_H */
