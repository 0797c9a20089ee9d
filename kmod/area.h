/* SPDX-License-Identifier: GPL-2.0 */
/*
 * DOC: swap areas
 *
 * A partition that is claimed, or a file whose blocks are known and that nobody else
 * may write, with the header of mkswap(8). What is in an area is known by the records
 * of the chunks (stored.h) alone; nothing is written there that could be found again.
 *
 * An area is in its place as long as any unit of it is taken, and every I/O is to
 * units that its owner has: so whoever owns a chunk needs no lock to use the areas of it.
 */
#ifndef ITME_AREA_H
#define ITME_AREA_H

#include <linux/atomic.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/types.h>

#include "space.h"

struct block_device;
struct bio;
struct file;
struct itme_fs;
struct itme_swap;
struct page;

/* As many as a place can name. */
#define ITME_AREAS_MAX		16

/*
 * A chunk that needs all of its units and finds one less stays in memory. So that much of
 * the areas, in all, may never be used. In pages.
 */
#define ITME_AREAS_SLACK	((long)(ITME_CHUNK_MAX_PAGES - ITME_UNIT_PAGES))

/**
 * struct itme_extent - pages of an area that lie side by side on its device
 * @page: the first, of the area
 * @nr: how many
 * @sector: where it lies
 */
struct itme_extent {
	u32 page;
	u32 nr;
	sector_t sector;
};

/**
 * struct itme_area - a swap area
 * @id: number
 * @prio: priority
 * @check: what comes back is compared with its CRC32C
 * @bad: a write has failed, or the device has gone: nothing more is written
 * @draining: it is being removed: nothing more is written
 * @stable: the device wants pages that do not change while they are written
 * @file: of the caller; of a file, it keeps the blocks
 * @mount: where @file was mounted, see path.c
 * @claim: the device, for ITME alone; NULL when it is a file
 * @bdev: where to write
 * @space: under areas->lock
 * @extents: in the order of the pages, constant
 * @nr_extents: of @extents
 * @read: bytes
 * @written: bytes
 * @errors: of both
 * @label: of the header
 * @uuid: of the header
 */
struct itme_area {
	u32 id;
	s32 prio;
	bool check;
	bool bad;
	bool draining;
	bool stable;
	struct file *file;
	char *mount;
	struct file *claim;
	struct block_device *bdev;
	struct itme_space space;
	struct itme_extent *extents;
	u32 nr_extents;
	atomic64_t read;
	atomic64_t written;
	atomic64_t errors;
	u8 label[16];
	u8 uuid[16];
};

/**
 * struct itme_areas - all of a file system
 * @mutex: areas are added and removed one at a time
 * @lock: what is taken of them; writing of @area; nothing is taken inside
 * @area: by place; NULL where there is none
 * @turn: where the search for one of several of the same priority begins
 * @last_id: of the newest
 * @too_little: pages that were free when a chunk did not find room, at most
 *	ITME_AREAS_SLACK, since an area was added
 */
struct itme_areas {
	struct mutex mutex;
	spinlock_t lock;
	struct itme_area *area[ITME_AREAS_MAX];
	u32 turn;
	u32 last_id;
	long too_little;
};

/* Is new data written there? Without a lock: it is asked again when the write fails. */
static inline bool itme_area_writable(const struct itme_area *area)
{
	return !READ_ONCE(area->bad) && !READ_ONCE(area->draining);
}

int itme_areas_init(void);
void itme_areas_exit(void);
void itme_areas_start(struct itme_areas *areas);
void itme_areas_stop(struct itme_areas *areas);

int itme_area_add(struct itme_fs *fs, struct file *file, s32 *prio, bool check, u32 *id);
int itme_area_get(struct itme_fs *fs, struct itme_swap *swap, struct file **file, char *mount);
struct itme_area *itme_area_drain(struct itme_fs *fs, u32 id);
int itme_area_end_drain(struct itme_fs *fs, struct itme_area *area, int err);

u32 itme_area_take(struct itme_areas *areas, u32 want, u32 *place);
void itme_area_give(struct itme_areas *areas, u32 place);
bool itme_areas_stable(struct itme_areas *areas);
void itme_areas_room(struct itme_areas *areas, long *free, long *total);
void itme_areas_short(struct itme_areas *areas);

/* area_io.c */
/**
 * struct itme_area_io - reads or writes of areas that end together
 * @done: called once, when all have ended, in any context
 * @pending: those that have not, and who adds further ones
 * @err: 0, or -errno of one that has failed
 * @write: which of the two
 * @bio: that is being put together, of @area
 * @area: of it
 * @next: sector at which it ends
 */
struct itme_area_io {
	void (*done)(struct itme_area_io *io);
	atomic_t pending;
	int err;
	bool write;
	struct bio *bio;
	struct itme_area *area;
	sector_t next;
};

void itme_area_io_begin(struct itme_area_io *io, bool write,
			void (*done)(struct itme_area_io *io));
void itme_area_io_add(struct itme_area_io *io, struct itme_area *area, u32 page,
		      struct page *mem);
void itme_area_io_flush(struct itme_area_io *io);
void itme_area_io_end(struct itme_area_io *io);
int itme_area_io_init(void);
void itme_area_io_exit(void);

#endif /* ITME_AREA_H */
