// SPDX-License-Identifier: GPL-2.0
/*
 * DOC: swap areas come and go, and what of them is taken
 */
#include <linux/bitmap.h>
#include <linux/blkdev.h>
#include <linux/file.h>
#include <linux/highmem.h>
#include <linux/magic.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>

#include "area.h"
#include "header.h"
#include "itme.h"
#include "stored.h"

#define XFS_SUPER_MAGIC	0x58465342

int itme_areas_init(void)
{
	return itme_area_io_init();
}

void itme_areas_exit(void)
{
	itme_area_io_exit();
}

void itme_areas_start(struct itme_areas *areas)
{
	mutex_init(&areas->mutex);
	spin_lock_init(&areas->lock);
}

/* The device goes, on somebody's order or by itself. Called with the lock of the holder. */
static void mark_dead(struct block_device *bdev, bool surprise)
{
	struct itme_area *area = bdev->bd_holder;

	if (!READ_ONCE(area->bad))
		pr_err("itme: the device of swap area %u has gone\n", area->id);
	WRITE_ONCE(area->bad, true);
	mutex_unlock(&bdev->bd_holder_lock);
}

static const struct blk_holder_ops holder_ops = {
	.mark_dead = mark_dead,
};

static void close_area(struct itme_area *area)
{
	if (area->claim) {
		bdev_fput(area->claim);
	} else if (area->bdev) {
		struct inode *inode = file_inode(area->file);

		inode_lock(inode);
		inode->i_flags &= ~S_SWAPFILE;
		inode_unlock(inode);
	}
	kvfree(area->space.map[0]);
	kvfree(area->extents);
	if (area->file)
		fput(area->file);
	kfree(area->mount);
	kfree(area);
}

/**
 * itme_areas_stop - let go of all areas
 * @areas: nothing is stored there any more, or it never comes back
 */
void itme_areas_stop(struct itme_areas *areas)
{
	for (u32 i = 0; i < ITME_AREAS_MAX; i++) {
		if (areas->area[i])
			close_area(areas->area[i]);
		areas->area[i] = NULL;
	}
}

static int add_extent(struct itme_area *area, u32 page, u32 nr, sector_t sector)
{
	struct itme_extent *last = area->nr_extents ? &area->extents[area->nr_extents - 1] : NULL;
	u32 n = area->nr_extents;

	if (last && last->sector + (sector_t)last->nr * PAGE_SECTORS == sector) {
		last->nr += nr;
		return 0;
	}
	if (is_power_of_2(n) || !n) {
		struct itme_extent *more = kvmalloc_array(n ? 2 * n : 1, sizeof(*more), GFP_KERNEL);

		if (!more)
			return -ENOMEM;
		if (n)
			memcpy(more, area->extents, n * sizeof(*more));
		kvfree(area->extents);
		area->extents = more;
	}
	area->extents[n] = (struct itme_extent){ .page = page, .nr = nr, .sector = sector };
	area->nr_extents++;
	return 0;
}

/* Of a page of the file that lies in one piece, and as pages do; 0 when it does not. */
static int map_page(struct inode *inode, sector_t block, sector_t *at)
{
	unsigned int blocks = PAGE_SIZE >> inode->i_blkbits;

	for (unsigned int i = 0; i < blocks; i++) {
		sector_t on_disk = block + i;
		int err = bmap(inode, &on_disk);

		if (err)
			return -EOPNOTSUPP;
		/* A hole, or not on this device. */
		if (!on_disk)
			return -EINVAL;
		if (!i)
			*at = on_disk;
		if (on_disk != *at + i || (!i && on_disk % blocks)) {
			*at = 0;
			return 0;
		}
	}
	return 0;
}

/* As swapon(8) does it: blocks that do not make up a whole page are left out. */
static int map_file(struct itme_area *area, u32 pages)
{
	struct inode *inode = file_inode(area->file);
	unsigned int shift = inode->i_blkbits - SECTOR_SHIFT;
	unsigned int blocks = PAGE_SIZE >> inode->i_blkbits;
	sector_t end = i_size_read(inode) >> inode->i_blkbits;
	sector_t block = 0;
	u32 page = 0;

	while (page < pages && block + blocks <= end) {
		sector_t at;
		int err = map_page(inode, block, &at);

		if (!err && at)
			err = add_extent(area, page, 1, at << shift);
		if (err)
			return err;
		block += at ? blocks : 1;
		page += !!at;
		if (signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return page < pages ? -EINVAL : 0;
}

static int claim_device(struct itme_area *area, struct inode *inode)
{
	struct file *claim = bdev_file_open_by_dev(inode->i_rdev, BLK_OPEN_READ | BLK_OPEN_WRITE,
						   area, &holder_ops);
	struct block_device *bdev;

	if (IS_ERR(claim))
		return PTR_ERR(claim);
	area->claim = claim;
	bdev = file_bdev(claim);
	area->bdev = bdev;
	if (bdev_read_only(bdev))
		return -EROFS;
	if (bdev_is_zoned(bdev) || bdev_logical_block_size(bdev) > PAGE_SIZE)
		return -EOPNOTSUPP;
	return 0;
}

/*
 * Where it lies must not change: of the file systems with an idea of their own about
 * swap files, these two leave the blocks of one where they are by the flag alone.
 */
static bool stays(struct inode *inode)
{
	return !inode->i_mapping->a_ops->swap_activate ||
	       inode->i_sb->s_magic == EXT4_SUPER_MAGIC ||
	       inode->i_sb->s_magic == XFS_SUPER_MAGIC;
}

static int claim_file(struct itme_fs *fs, struct itme_area *area, struct inode *inode)
{
	struct block_device *bdev = inode->i_sb->s_bdev;
	int err = 0;

	if (!S_ISREG(inode->i_mode) || inode->i_sb == fs->sb)
		return -EINVAL;
	if (!bdev || !inode->i_mapping->a_ops->read_folio || !stays(inode) || IS_ENCRYPTED(inode) ||
	    inode->i_blkbits > PAGE_SHIFT || bdev_is_zoned(bdev))
		return -EOPNOTSUPP;
	if (bdev_read_only(bdev))
		return -EROFS;
	inode_lock(inode);
	if (IS_SWAPFILE(inode) || mapping_writably_mapped(inode->i_mapping))
		err = -EBUSY;
	else
		inode->i_flags |= S_SWAPFILE;
	inode_unlock(inode);
	if (err)
		return err;
	area->bdev = bdev;
	/* Nobody writes any more; who has begun before shall have ended. */
	inode_dio_wait(inode);
	return 0;
}

static int use_header(struct itme_area *area, const void *page, u64 pages)
{
	struct itme_header header;
	int err = itme_header_parse(page, pages, &header);
	u32 units;
	u32 *map;

	if (err)
		return err;
	if (header.nr_bad && !area->claim)
		return -EINVAL;
	memcpy(area->label, header.label, sizeof(area->label));
	memcpy(area->uuid, header.uuid, sizeof(area->uuid));
	units = header.pages / ITME_UNIT_PAGES;
	if (units < 2)
		return -ENOSPC;
	map = kvmalloc_array(itme_space_size(units), sizeof(*map), GFP_KERNEL);
	if (!map)
		return -ENOMEM;
	itme_space_init(&area->space, map, units);
	/* The header itself. So no unit that is taken is number 0. */
	itme_space_bar(&area->space, 0);
	for (u32 i = 0; i < header.nr_bad; i++) {
		u32 unit = itme_header_bad(&header, i) / ITME_UNIT_PAGES;

		if (unit < units)
			itme_space_bar(&area->space, unit);
	}
	if (!area->space.units)
		return -ENOSPC;
	return area->claim ? add_extent(area, 0, header.pages, 0) : map_file(area, header.pages);
}

static int open_area(struct itme_fs *fs, struct itme_area *area)
{
	struct inode *inode = file_inode(area->file);
	struct address_space *mapping;
	struct folio *folio;
	void *page;
	u64 pages;
	int err;

	if (S_ISBLK(inode->i_mode))
		err = claim_device(area, inode);
	else
		err = claim_file(fs, area, inode);
	if (err)
		return err;
	area->stable = bdev_stable_writes(area->bdev);
	mapping = area->claim ? area->claim->f_mapping : inode->i_mapping;
	pages = i_size_read(mapping->host) >> PAGE_SHIFT;
	if (!pages)
		return -EINVAL;
	/* What is written back later would end up in the midst of what is stored. */
	err = filemap_write_and_wait(mapping);
	if (err)
		return err;
	folio = read_mapping_folio(mapping, 0, area->claim ?: area->file);
	if (IS_ERR(folio))
		return PTR_ERR(folio);
	page = kmap_local_folio(folio, 0);
	page = kmemdup(page, PAGE_SIZE, GFP_KERNEL);
	kunmap_local(page);
	folio_put(folio);
	if (!page)
		return -ENOMEM;
	err = use_header(area, page, pages);
	kfree(page);
	/* And what is read from there later is stale. */
	invalidate_mapping_pages(mapping, 0, -1);
	return err;
}

/* Enters it; under areas->mutex. */
static int enter(struct itme_areas *areas, struct itme_area *area, s32 prio)
{
	int place = -1;
	s32 lowest = 0;

	for (int i = ITME_AREAS_MAX - 1; i >= 0; i--) {
		if (!areas->area[i])
			place = i;
		else
			lowest = min(lowest, areas->area[i]->prio);
	}
	if (place < 0)
		return -E2BIG;
	area->prio = prio < 0 ? lowest - 1 : prio;
	area->id = areas->last_id + 1;
	spin_lock(&areas->lock);
	areas->last_id = area->id;
	areas->area[place] = area;
	WRITE_ONCE(areas->too_little, 0);
	spin_unlock(&areas->lock);
	return 0;
}

/**
 * itme_area_add - put a swap area to use
 * @fs: file system
 * @file: of the caller, a device or a regular file
 * @prio: priority, or -1; set to what was taken
 * @check: compare what comes back
 * @id: set to its number
 *
 * Return: 0 or -errno, see struct itme_swap_add
 */
int itme_area_add(struct itme_fs *fs, struct file *file, s32 *prio, bool check, u32 *id)
{
	struct itme_areas *areas = &fs->areas;
	struct itme_area *area;
	int err;

	if ((file->f_mode & (FMODE_READ | FMODE_WRITE)) != (FMODE_READ | FMODE_WRITE))
		return -EBADF;
	area = kzalloc(sizeof(*area), GFP_KERNEL);
	if (!area)
		return -ENOMEM;
	area->file = get_file(file);
	area->check = check;
	area->mount = itme_mount_path(file);
	if (!area->mount) {
		close_area(area);
		return -ENOMEM;
	}
	err = mutex_lock_interruptible(&areas->mutex);
	if (err) {
		close_area(area);
		return -EINTR;
	}
	err = open_area(fs, area) ?: enter(areas, area, *prio);
	if (err) {
		close_area(area);
	} else {
		*prio = area->prio;
		*id = area->id;
	}
	mutex_unlock(&areas->mutex);
	return err;
}

static struct itme_area *from(struct itme_areas *areas, u32 id)
{
	struct itme_area *best = NULL;

	lockdep_assert_held(&areas->lock);
	for (u32 i = 0; i < ITME_AREAS_MAX; i++) {
		struct itme_area *area = areas->area[i];

		if (area && area->id >= id && (!best || area->id < best->id))
			best = area;
	}
	return best;
}

/**
 * itme_area_get - look at a swap area
 * @fs: file system
 * @swap: @id in; filled, but for the path
 * @file: set to the file that was given, held
 * @mount: set to where that was mounted, PATH_MAX bytes
 *
 * Return: 0, or -ENOENT: there is none of that number or a higher one
 */
int itme_area_get(struct itme_fs *fs, struct itme_swap *swap, struct file **file, char *mount)
{
	struct itme_areas *areas = &fs->areas;
	struct itme_area *area;

	spin_lock(&areas->lock);
	area = from(areas, swap->id);
	if (area) {
		swap->id = area->id;
		swap->prio = area->prio;
		swap->flags = (area->check ? ITME_SWAP_CHECK : 0) |
			      (READ_ONCE(area->bad) ? ITME_SWAP_BAD : 0) |
			      (area->draining ? ITME_SWAP_DRAINING : 0);
		swap->bytes = (u64)area->space.units << ITME_UNIT_SHIFT;
		swap->used = (u64)area->space.used << ITME_UNIT_SHIFT;
		swap->read_bytes = atomic64_read(&area->read);
		swap->write_bytes = atomic64_read(&area->written);
		swap->errors = atomic64_read(&area->errors);
		memcpy(swap->label, area->label, sizeof(swap->label));
		memcpy(swap->uuid, area->uuid, sizeof(swap->uuid));
		*file = get_file(area->file);
		strscpy(mount, area->mount, PATH_MAX);
	}
	spin_unlock(&areas->lock);
	return area ? 0 : -ENOENT;
}

/**
 * itme_area_drain - nothing more is written to an area, as it shall be removed
 * @fs: file system
 * @id: its number
 *
 * Return: the area, for itme_area_end_drain(); -ENOENT, or -EBUSY somebody does so already
 */
struct itme_area *itme_area_drain(struct itme_fs *fs, u32 id)
{
	struct itme_areas *areas = &fs->areas;
	struct itme_area *area;

	spin_lock(&areas->lock);
	area = from(areas, id);
	if (!area || area->id != id)
		area = ERR_PTR(-ENOENT);
	else if (area->draining)
		area = ERR_PTR(-EBUSY);
	else
		WRITE_ONCE(area->draining, true);
	spin_unlock(&areas->lock);
	return area;
}

/**
 * itme_area_end_drain - it is empty, or could not be emptied
 * @fs: file system
 * @area: of itme_area_drain(); gone when this returns 0
 * @err: why it could not be emptied, or 0
 *
 * Return: @err
 */
int itme_area_end_drain(struct itme_fs *fs, struct itme_area *area, int err)
{
	struct itme_areas *areas = &fs->areas;

	mutex_lock(&areas->mutex);
	spin_lock(&areas->lock);
	if (WARN_ON_ONCE(!err && area->space.used))
		err = -EBUSY;
	if (err)
		WRITE_ONCE(area->draining, false);
	for (u32 i = 0; !err && i < ITME_AREAS_MAX; i++)
		if (areas->area[i] == area)
			areas->area[i] = NULL;
	spin_unlock(&areas->lock);
	if (!err)
		close_area(area);
	mutex_unlock(&areas->mutex);
	return err;
}

/**
 * itme_area_take - take units of an area
 * @areas: all
 * @want: how many, 1 to ITME_WORD_UNITS
 * @place: set to the first
 *
 * Of the highest priority that has any; of several of it, each in turn.
 *
 * Return: how many were had, side by side; 0 when all that may be written are full
 */
u32 itme_area_take(struct itme_areas *areas, u32 want, u32 *place)
{
	struct itme_area *best = NULL;
	u32 at = 0, unit = 0, got = 0;

	spin_lock(&areas->lock);
	for (u32 i = 0; i < ITME_AREAS_MAX; i++) {
		u32 where = (areas->turn + i) % ITME_AREAS_MAX;
		struct itme_area *area = areas->area[where];

		if (!area || !itme_area_writable(area) || !itme_space_free(&area->space) ||
		    (best && best->prio >= area->prio))
			continue;
		best = area;
		at = where;
	}
	if (best) {
		got = itme_space_take(&best->space, want, &unit);
		areas->turn = at + 1;
		*place = itme_place(at, unit);
	}
	spin_unlock(&areas->lock);
	return got;
}

/* A unit is given back. */
void itme_area_give(struct itme_areas *areas, u32 place)
{
	struct itme_area *area = areas->area[itme_place_area(place)];

	spin_lock(&areas->lock);
	itme_space_give(&area->space, itme_place_unit(place), 1);
	spin_unlock(&areas->lock);
}

/**
 * itme_areas_room - what the areas can hold
 * @areas: all
 * @free: set to what more, pages
 * @total: set to all, pages; of an area that is not written any more, what it holds
 */
void itme_areas_room(struct itme_areas *areas, long *free, long *total)
{
	*free = 0;
	*total = 0;
	spin_lock(&areas->lock);
	for (u32 i = 0; i < ITME_AREAS_MAX; i++) {
		struct itme_area *area = areas->area[i];

		if (!area)
			continue;
		if (itme_area_writable(area))
			*free += (long)itme_space_free(&area->space) * ITME_UNIT_PAGES;
		*total += (long)(itme_area_writable(area) ? area->space.units : area->space.used) *
			  ITME_UNIT_PAGES;
	}
	spin_unlock(&areas->lock);
}

/* A chunk has not found room: no other one shall try before there is more. */
void itme_areas_short(struct itme_areas *areas)
{
	long free, total;

	itme_areas_room(areas, &free, &total);
	WRITE_ONCE(areas->too_little, min_t(long, free, ITME_AREAS_SLACK));
}

/* Does any of them want pages that do not change while they are written? */
bool itme_areas_stable(struct itme_areas *areas)
{
	bool stable = false;

	spin_lock(&areas->lock);
	for (u32 i = 0; i < ITME_AREAS_MAX; i++)
		stable |= areas->area[i] && areas->area[i]->stable;
	spin_unlock(&areas->lock);
	return stable;
}
