// SPDX-License-Identifier: GPL-2.0
/*
 * DOC: what written files may take, of the machine and of a subtree
 *
 * A page is charged when it comes into existence, written or allocated, and uncharged
 * when it ceases to exist; whether it is in DRAM, CXL memory or a swap area makes no
 * difference here. The root has what all of these have room for, as they are now. A
 * directory may have a limit of its own, which counts for what is made below it from
 * then on. So a writer is told that there is no room (ENOSPC) before it has to wait
 * for room that cannot come.
 *
 * A swap area has room by units of 64 KiB, of which one page takes all. So for the root
 * the units that have a page are counted, too.
 *
 * What does not exist yet can be promised: then it counts as if it did, and cannot fail for
 * want of room when it comes. Of a file that is all up to ino->reserved, with the mount
 * option reserve the end of the file, and while fallocate(2) is under way, what that is for.
 * There, a page that comes takes what was promised for it, and one that goes leaves it.
 *
 * fs->quota_lock is taken inside of all others.
 */
#include <linux/dcache.h>
#include <linux/slab.h>
#include <linux/statfs.h>

#include "itme.h"
#include "quota.h"
#include "stored.h"
#include "swap.h"

/* An inode may have so much in attributes, symbolic link and ACLs. */
#define SMALL_INODE_MAX		SZ_128K
/* And all inodes together this much for each inode that there may be. */
#define SMALL_MEAN		512
/* Tables of written files take no more than one part in so many of all memory. */
#define TABLES_PART		4

void itme_quota_init(struct itme_fs *fs)
{
	spin_lock_init(&fs->quota_lock);
	refcount_set(&fs->quota.ref, 1);
	fs->quota.limit = LONG_MAX;
}

struct itme_quota *itme_quota_get(struct itme_quota *quota)
{
	refcount_inc(&quota->ref);
	return quota;
}

/* Of the root, the file system has one reference, so that one is never freed. */
void itme_quota_put(struct itme_quota *quota)
{
	while (quota && refcount_dec_and_test(&quota->ref)) {
		struct itme_quota *parent = quota->parent;

		kfree(quota);
		quota = parent;
	}
}

/* What there is for written data, pages: memory, and swap areas, whose room is in units. */
struct capacity {
	long memory;
	long areas;
};

/* Any context; what it looks at may change any time. */
static struct capacity capacity_of(struct itme_fs *fs)
{
	struct capacity c = { .memory = -itme_chunk_ring(fs) };

	for (int tier = 0; tier < ITME_MEM_TIERS; tier++)
		c.memory += atomic_long_read(&itme_tiers[tier].budget) -
			    READ_ONCE(fs->queues[tier].pinned);
	c.areas = max(0L, itme_swap_capacity(fs) - ITME_AREAS_SLACK);
	return c;
}

static long size_of(const struct capacity *c)
{
	return max(0L, c->memory + c->areas);
}

/**
 * itme_quota_capacity - what there is for written data, pages
 * @fs: file system
 *
 * Any context; what it looks at may change any time.
 *
 * Return: no more than that can be charged
 */
long itme_quota_capacity(struct itme_fs *fs)
{
	struct capacity c = capacity_of(fs);

	return size_of(&c);
}

/*
 * What is left beside so many pages, @tables of them tables, and the others in so many
 * units, so that the ring stays free whatever goes to the areas: all of them are in memory;
 * or the areas are full, of units with one page each, and the other units are in memory,
 * with all of their pages. Tables are in memory always.
 */
static long left_of(const struct capacity *c, long pages, long units, long tables)
{
	return max(c->memory - pages,
		   c->memory - tables + c->areas - units * (long)ITME_UNIT_PAGES);
}

/* Have @quota and those above it room for so much more? @tables are among @pages. */
static bool has_room(const struct itme_quota *quota, const struct capacity *c, long pages,
		     long units, long tables)
{
	for (; quota->parent; quota = quota->parent)
		if (pages > quota->limit - quota->used - quota->promised)
			return false;
	return left_of(c, quota->used + quota->promised + pages, quota->units + units,
		       quota->tables + tables) >= 0;
}

static void add(struct itme_quota *quota, long used, long promised)
{
	for (; quota; quota = quota->parent) {
		quota->used += used;
		quota->promised += promised;
	}
}

static pgoff_t units_to(pgoff_t end)
{
	return DIV_ROUND_UP(end, ITME_UNIT_PAGES);
}

static pgoff_t tables_to(pgoff_t end)
{
	return DIV_ROUND_UP(end, ITME_SEG_PAGES);
}

/* How many of @n from @first on are in [from, to)? */
static long overlap(pgoff_t first, long n, pgoff_t from, pgoff_t to)
{
	pgoff_t end = min(first + n, to);

	first = max(first, from);
	return end > first ? end - first : 0;
}

/* What is promised of pages from @first on when they do not exist, as the file is reserved. */
static struct itme_share reserved_of(const struct itme_inode *ino, pgoff_t first, long pages,
				     long units)
{
	return (struct itme_share) {
		.pages = overlap(first, pages, 0, ino->reserved),
		.units = overlap(first / ITME_UNIT_PAGES, units, 0, units_to(ino->reserved)),
	};
}

/* The same beyond that, for fallocate(2). */
static struct itme_share allotted_of(const struct itme_inode *ino, pgoff_t first, long pages,
				     long units)
{
	return (struct itme_share) {
		.pages = overlap(first, pages, max(ino->reserved, ino->allot_first),
				 ino->allot_end),
		.units = overlap(first / ITME_UNIT_PAGES, units,
				 max(units_to(ino->reserved),
				     ino->allot_first / ITME_UNIT_PAGES),
				 units_to(ino->allot_end)),
	};
}

/* @share of the promises of @ino becomes so much more, or less: @sign is 1 or -1. */
static void change(struct itme_inode *ino, struct itme_share *share, struct itme_share by,
		   int sign)
{
	share->pages += sign * by.pages;
	share->units += sign * by.units;
	share->tables += sign * by.tables;
	add(ino->quota, 0, sign * (by.pages + by.tables));
	ino->fs->quota.units += sign * by.units;
	ino->fs->quota.tables += sign * by.tables;
}

/* No more than there is of it: the kernel may have taken bad memory away. */
static struct itme_share least(struct itme_share a, const struct itme_share *b)
{
	a.pages = min(a.pages, b->pages);
	a.units = min(a.units, b->units);
	return a;
}

static void add_blocks(struct itme_inode *ino, long pages)
{
	ino->charged += pages;
	/* Of 512 bytes, whatever the file system is. */
	WRITE_ONCE(ino->vfs.i_blocks, (blkcnt_t)ino->charged << (PAGE_SHIFT - 9));
}

/* Or give back, where negative. */
static void take(struct itme_inode *ino, long pages, long units)
{
	ino->units += units;
	ino->fs->quota.units += units;
	add(ino->quota, pages, 0);
	add_blocks(ino, pages);
}

/**
 * itme_quota_charge - pages come into existence
 * @ino: their file; what it was promised for them is used
 * @first: the first
 * @pages: how many, side by side
 * @units: of swap areas that had none of the file before; if more than one, all
 *
 * Any context that may take fs->quota_lock, also under fs->lock.
 *
 * Return: 0; -ENOSPC: there is no room, and nothing was charged
 */
int itme_quota_charge(struct itme_inode *ino, pgoff_t first, long pages, long units)
{
	struct itme_fs *fs = ino->fs;
	struct capacity c = capacity_of(fs);
	struct itme_share reserved, allotted;
	long new, new_units;
	int err = 0;

	spin_lock(&fs->quota_lock);
	reserved = least(reserved_of(ino, first, pages, units), &ino->promised);
	allotted = least(allotted_of(ino, first, pages, units), &ino->allotted);
	new = pages - reserved.pages - allotted.pages;
	new_units = units - reserved.units - allotted.units;
	if ((new || new_units) && !has_room(ino->quota, &c, new, new_units, 0)) {
		err = -ENOSPC;
	} else {
		change(ino, &ino->promised, reserved, -1);
		change(ino, &ino->allotted, allotted, -1);
		take(ino, pages, units);
	}
	spin_unlock(&fs->quota_lock);
	return err;
}

/* Promised again, at once, or somebody else would have the room. */
static void give_back(struct itme_inode *ino, long pages, long units, struct itme_share reserved,
		      struct itme_share allotted)
{
	if (WARN_ON_ONCE(pages > ino->charged || units > ino->units))
		return;
	take(ino, -pages, -units);
	change(ino, &ino->promised, reserved, 1);
	change(ino, &ino->allotted, allotted, 1);
}

/**
 * itme_quota_uncharge - pages cease to exist, or have not come into existence
 * @ino: their file
 * @first: the first
 * @pages: how many, side by side
 * @units: of swap areas that have none of the file any more; if more than one, all
 *
 * It undoes itme_quota_charge(): what was promised is promised again.
 */
void itme_quota_uncharge(struct itme_inode *ino, pgoff_t first, long pages, long units)
{
	spin_lock(&ino->fs->quota_lock);
	give_back(ino, pages, units, reserved_of(ino, first, pages, units),
		  allotted_of(ino, first, pages, units));
	spin_unlock(&ino->fs->quota_lock);
}

/**
 * itme_quota_gone - pages here and there have ceased to exist
 * @ino: their file, inode lock held; nothing is being allocated
 * @inside: those up to ino->reserved, and units of swap areas likewise
 * @beyond: those beyond it
 */
void itme_quota_gone(struct itme_inode *ino, const struct itme_share *inside,
		     const struct itme_share *beyond)
{
	spin_lock(&ino->fs->quota_lock);
	give_back(ino, inside->pages + beyond->pages, inside->units + beyond->units, *inside,
		  (struct itme_share){});
	spin_unlock(&ino->fs->quota_lock);
}

/* More is promised, if there is room. */
static int promise(struct itme_inode *ino, struct itme_share *share, struct itme_share more)
{
	struct capacity c = capacity_of(ino->fs);

	if ((more.pages || more.units || more.tables) &&
	    !has_room(ino->quota, &c, more.pages + more.tables, more.units, more.tables))
		return -ENOSPC;
	change(ino, share, more, 1);
	return 0;
}

/**
 * itme_quota_promise - pages shall find room when they are allocated
 * @ino: their file, inode lock held
 * @first: page
 * @end: page after the last
 * @holes: what is missing there, but for what is promised as the file is reserved;
 *	itme_table_mutex is held
 *
 * Return: 0, then call itme_quota_unpromise(); -ENOSPC: there is no room, and nothing was
 * promised
 */
int itme_quota_promise(struct itme_inode *ino, pgoff_t first, pgoff_t end,
		       const struct itme_share *holes)
{
	int err;

	spin_lock(&ino->fs->quota_lock);
	err = promise(ino, &ino->allotted, *holes);
	if (!err) {
		ino->allot_first = first;
		ino->allot_end = end;
	}
	spin_unlock(&ino->fs->quota_lock);
	return err;
}

static void take_back(struct itme_inode *ino)
{
	change(ino, &ino->allotted, ino->allotted, -1);
	ino->allot_first = 0;
	ino->allot_end = 0;
}

/**
 * itme_quota_unpromise - what is left of what was promised will not come
 * @ino: file, inode lock held; as far as it is reserved, that stays
 */
void itme_quota_unpromise(struct itme_inode *ino)
{
	spin_lock(&ino->fs->quota_lock);
	take_back(ino);
	spin_unlock(&ino->fs->quota_lock);
}

/**
 * itme_quota_reserve - pages of a file shall find room whenever they come into existence
 * @ino: file, inode lock held
 * @end: page after the last
 * @holes: what is missing between that and ino->reserved; NULL: nothing. With it,
 *	itme_table_mutex is held
 *
 * Return: 0; -ENOSPC: there is no room for more, and nothing has changed
 */
int itme_quota_reserve(struct itme_inode *ino, pgoff_t end, const struct itme_share *holes)
{
	struct itme_share by = holes ? *holes : (struct itme_share){};
	int err = 0;

	spin_lock(&ino->fs->quota_lock);
	if (end > ino->reserved)
		err = promise(ino, &ino->promised, by);
	else
		change(ino, &ino->promised, by, -1);
	if (!err)
		ino->reserved = end;
	spin_unlock(&ino->fs->quota_lock);
	return err;
}

/**
 * itme_quota_spares - would all that is written or promised have room with less in swap areas?
 * @fs: file system
 * @pages: how much less
 *
 * Return: true if so
 */
bool itme_quota_spares(struct itme_fs *fs, long pages)
{
	struct capacity c = capacity_of(fs);
	bool spares;

	c.areas = max(0L, c.areas - pages);
	spin_lock(&fs->quota_lock);
	spares = left_of(&c, fs->quota.used + fs->quota.promised, fs->quota.units,
			 fs->quota.tables) >= 0;
	spin_unlock(&fs->quota_lock);
	return spares;
}

/**
 * itme_quota_forget - the inode goes, and all that it has
 * @ino: inode, being evicted
 */
void itme_quota_forget(struct itme_inode *ino)
{
	if (!ino->quota)
		return;
	spin_lock(&ino->fs->quota_lock);
	take_back(ino);
	change(ino, &ino->promised, ino->promised, -1);
	ino->reserved = 0;
	add(ino->quota, -ino->charged - ino->tables, 0);
	ino->fs->quota.units -= ino->units;
	ino->fs->quota.tables -= ino->tables;
	ino->charged = 0;
	ino->units = 0;
	ino->tables = 0;
	spin_unlock(&ino->fs->quota_lock);
	itme_quota_put(ino->quota);
	ino->quota = NULL;
}

/* Would @inode count as it does now if it had a name in @dir? Their locks are held. */
bool itme_quota_fits(struct inode *dir, struct inode *inode)
{
	struct itme_inode *ino = itme_i(inode);

	return itme_i(dir)->quota == (ino->own_quota ? ino->quota->parent : ino->quota);
}

/**
 * itme_quota_limit - set what files below a directory may take
 * @dir: directory; its inode lock is held. Empty, or with a limit set before, as what
 *	is there counts for the directories above only
 * @bytes: the limit; 0: none but those of the directories above
 *
 * Return: 0; -ENOTEMPTY; -ENOMEM; -EINVAL: not a page, and not nothing
 */
int itme_quota_limit(struct itme_inode *dir, u64 bytes)
{
	long limit = bytes ? min_t(u64, bytes >> PAGE_SHIFT, LONG_MAX) : LONG_MAX;
	struct itme_quota *quota;
	struct dentry *alias;
	bool empty;

	/* A limit of 0 is none, for who asks. */
	if (bytes && bytes < PAGE_SIZE)
		return -EINVAL;
	if (!bytes && !dir->own_quota)
		return 0;
	if (!dir->own_quota) {
		alias = d_find_any_alias(&dir->vfs);
		empty = alias && simple_empty(alias);
		dput(alias);
		if (!empty)
			return -ENOTEMPTY;
		quota = kzalloc(sizeof(*quota), GFP_KERNEL_ACCOUNT);
		if (!quota)
			return -ENOMEM;
		refcount_set(&quota->ref, 1);
		/* The directory's reference to it becomes that of the new one. */
		quota->parent = dir->quota;
		dir->own_quota = true;
		/* For who reads it without the lock: statfs(2), O_TMPFILE. */
		smp_store_release(&dir->quota, quota);
	}
	spin_lock(&dir->fs->quota_lock);
	dir->quota->limit = limit;
	spin_unlock(&dir->fs->quota_lock);
	return 0;
}

/* What counts below a directory, bytes; @limit 0: none of its own and none above. */
void itme_quota_info(struct itme_inode *dir, u64 *limit, u64 *used)
{
	const struct itme_quota *q;
	long least = LONG_MAX;

	spin_lock(&dir->fs->quota_lock);
	for (q = dir->quota; q->parent; q = q->parent)
		least = min(least, q->limit);
	*used = (u64)(dir->quota->used + dir->quota->promised) << PAGE_SHIFT;
	spin_unlock(&dir->fs->quota_lock);
	*limit = least == LONG_MAX ? 0 : (u64)least << PAGE_SHIFT;
}

/* Blocks as a writer below @ino sees them, so that df(1) shows the limit. */
void itme_quota_statfs(struct itme_inode *ino, struct kstatfs *buf)
{
	struct itme_fs *fs = ino->fs;
	struct capacity c = capacity_of(fs);
	long size = size_of(&c), left;
	const struct itme_quota *q;

	spin_lock(&fs->quota_lock);
	left = left_of(&c, fs->quota.used + fs->quota.promised, fs->quota.units,
		       fs->quota.tables);
	for (q = READ_ONCE(ino->quota); q->parent; q = q->parent) {
		size = min(size, q->limit);
		left = min(left, q->limit - q->used - q->promised);
	}
	spin_unlock(&fs->quota_lock);
	buf->f_blocks = size;
	buf->f_bfree = clamp(left, 0L, size);
	buf->f_bavail = buf->f_bfree;
}

/**
 * itme_inode_charge - an inode, or one more name of one, comes
 * @fs: file system
 *
 * Return: 0; -ENOSPC: there are as many as nr_inodes= allows
 */
int itme_inode_charge(struct itme_fs *fs)
{
	if (atomic_long_inc_return(&fs->inodes) <= READ_ONCE(fs->inodes_max))
		return 0;
	atomic_long_dec(&fs->inodes);
	return -ENOSPC;
}

void itme_inode_uncharge(struct itme_fs *fs)
{
	atomic_long_dec(&fs->inodes);
}

/**
 * itme_small_charge - kernel memory for what an inode has beside its pages
 * @ino: inode, locked or new
 * @bytes: how much
 *
 * Return: 0; -ENOSPC: it has too much, or all have
 */
int itme_small_charge(struct itme_inode *ino, long bytes)
{
	struct itme_fs *fs = ino->fs;

	if (bytes > SMALL_INODE_MAX - ino->small)
		return -ENOSPC;
	if (atomic_long_add_return(bytes, &fs->small) / SMALL_MEAN > READ_ONCE(fs->inodes_max)) {
		atomic_long_sub(bytes, &fs->small);
		return -ENOSPC;
	}
	ino->small += bytes;
	return 0;
}

void itme_small_uncharge(struct itme_inode *ino, long bytes)
{
	ino->small -= bytes;
	atomic_long_sub(bytes, &ino->fs->small);
}

/**
 * itme_table_charge - kernel memory for where the pages of written files are
 * @fs: file system
 * @bytes: how much
 *
 * It cannot be reclaimed as long as the file is there. Any context.
 *
 * Return: false when all files together have too much
 */
bool itme_table_charge(struct itme_fs *fs, long bytes)
{
	if (atomic_long_add_return(bytes, &fs->tables) >> PAGE_SHIFT <=
	    totalram_pages() / TABLES_PART)
		return true;
	itme_table_uncharge(fs, bytes);
	return false;
}

void itme_table_uncharge(struct itme_fs *fs, long bytes)
{
	atomic_long_sub(bytes, &fs->tables);
}

/* Which promise of the file is for that page of its table? */
static struct itme_share *table_promise(struct itme_inode *ino, u32 nr)
{
	if (nr < tables_to(ino->reserved))
		return &ino->promised;
	if (nr >= ino->allot_first / ITME_SEG_PAGES && nr < tables_to(ino->allot_end))
		return &ino->allotted;
	return NULL;
}

/**
 * itme_table_charge_page - a page of the table of a file
 * @ino: file, itme_table_mutex held
 * @nr: which; the first one comes with the inode, and those are counted
 *
 * Whoever scatters pages over a large file pays for their places with what it may take.
 * itme_quota_forget() gives that back.
 *
 * Return: 0; -ENOSPC: there is no room, and nothing was charged
 */
int itme_table_charge_page(struct itme_inode *ino, u32 nr)
{
	static const struct itme_share one = { .tables = 1 };
	struct itme_fs *fs = ino->fs;
	struct capacity c = capacity_of(fs);
	struct itme_share *promised;
	int err = 0;

	if (!itme_table_charge(fs, PAGE_SIZE))
		return -ENOSPC;
	if (!nr)
		return 0;
	spin_lock(&fs->quota_lock);
	promised = table_promise(ino, nr);
	if (promised && promised->tables)
		change(ino, promised, one, -1);
	else if (!has_room(ino->quota, &c, 1, 0, 1))
		err = -ENOSPC;
	if (!err) {
		add(ino->quota, 1, 0);
		fs->quota.tables++;
		ino->tables++;
	}
	spin_unlock(&fs->quota_lock);
	if (err)
		itme_table_uncharge(fs, PAGE_SIZE);
	return err;
}

/* It could not be had. */
void itme_table_uncharge_page(struct itme_inode *ino, u32 nr)
{
	static const struct itme_share one = { .tables = 1 };
	struct itme_share *promised;

	itme_table_uncharge(ino->fs, PAGE_SIZE);
	if (!nr)
		return;
	spin_lock(&ino->fs->quota_lock);
	add(ino->quota, -1, 0);
	ino->fs->quota.tables--;
	ino->tables--;
	promised = table_promise(ino, nr);
	if (promised)
		change(ino, promised, one, 1);
	spin_unlock(&ino->fs->quota_lock);
}
