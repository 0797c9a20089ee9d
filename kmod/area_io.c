// SPDX-License-Identifier: GPL-2.0
/*
 * DOC: reads and writes of swap areas
 *
 * Page by page is said what goes where; what lies side by side, in memory and in the
 * area, becomes one bio. They are submitted as they are put together, many at a time.
 */
#include <linux/bio.h>
#include <linux/blkdev.h>

#include "area.h"

/* Of one's own, so that there are some however short memory is: a write makes room. */
static struct bio_set bios;

/**
 * struct area_bio - a bio of an area
 * @io: it belongs to
 * @area: where it goes
 * @bytes: of it
 * @bio: itself; the last, as the bio_set wants it
 */
struct area_bio {
	struct itme_area_io *io;
	struct itme_area *area;
	u32 bytes;
	struct bio bio;
};

int itme_area_io_init(void)
{
	return bioset_init(&bios, 64, offsetof(struct area_bio, bio), BIOSET_NEED_BVECS);
}

void itme_area_io_exit(void)
{
	bioset_exit(&bios);
}

static void put(struct itme_area_io *io)
{
	if (atomic_dec_and_test(&io->pending))
		io->done(io);
}

/* In any context. */
static void end_io(struct bio *bio)
{
	struct area_bio *ab = container_of(bio, struct area_bio, bio);
	struct itme_area *area = ab->area;
	struct itme_area_io *io = ab->io;
	int err = blk_status_to_errno(bio->bi_status);

	if (err) {
		atomic64_inc(&area->errors);
		WRITE_ONCE(io->err, err);
		if (io->write && !READ_ONCE(area->bad)) {
			WRITE_ONCE(area->bad, true);
			pr_err("itme: swap area %u: write error %d, nothing more is written there\n",
			       area->id, err);
		}
	} else {
		atomic64_add(ab->bytes, io->write ? &area->written : &area->read);
	}
	bio_put(bio);
	put(io);
}

/**
 * itme_area_io_begin - begin to put reads or writes together
 * @io: for them
 * @write: which of the two
 * @done: called when all have ended, not before itme_area_io_end()
 */
void itme_area_io_begin(struct itme_area_io *io, bool write,
			void (*done)(struct itme_area_io *io))
{
	*io = (struct itme_area_io){
		.done = done,
		.pending = ATOMIC_INIT(1),
		.write = write,
	};
}

/* What has been put together so far is on its way. */
void itme_area_io_flush(struct itme_area_io *io)
{
	struct bio *bio = io->bio;

	if (!bio)
		return;
	io->bio = NULL;
	container_of(bio, struct area_bio, bio)->bytes = bio->bi_iter.bi_size;
	atomic_inc(&io->pending);
	submit_bio(bio);
}

/* Where a page of an area lies on its device. */
static sector_t find(const struct itme_area *area, u32 page)
{
	u32 low = 0, high = area->nr_extents;

	while (high - low > 1) {
		u32 mid = low + (high - low) / 2;

		if (area->extents[mid].page <= page)
			low = mid;
		else
			high = mid;
	}
	return area->extents[low].sector +
	       ((sector_t)(page - area->extents[low].page) << (PAGE_SHIFT - SECTOR_SHIFT));
}

/**
 * itme_area_io_add - one more page
 * @io: of itme_area_io_begin()
 * @area: where it goes to or comes from; nobody else has that part of it
 * @page: of the area
 * @mem: in memory; held until the end
 */
void itme_area_io_add(struct itme_area_io *io, struct itme_area *area, u32 page,
		      struct page *mem)
{
	sector_t sector = find(area, page);
	struct area_bio *ab;

	if (io->bio && io->area == area && io->next == sector &&
	    bio_add_page(io->bio, mem, PAGE_SIZE, 0)) {
		io->next += PAGE_SECTORS;
		return;
	}
	itme_area_io_flush(io);
	/* Waits for one of ours, of which none waits for memory; so it is always had. */
	io->bio = bio_alloc_bioset(area->bdev, BIO_MAX_VECS,
				   io->write ? REQ_OP_WRITE | REQ_SYNC | REQ_IDLE : REQ_OP_READ,
				   GFP_NOIO, &bios);
	io->bio->bi_iter.bi_sector = sector;
	io->bio->bi_end_io = end_io;
	__bio_add_page(io->bio, mem, PAGE_SIZE, 0);
	ab = container_of(io->bio, struct area_bio, bio);
	ab->io = io;
	ab->area = area;
	io->area = area;
	io->next = sector + PAGE_SECTORS;
}

/**
 * itme_area_io_end - nothing more comes
 * @io: of itme_area_io_begin(); may be gone when this returns
 */
void itme_area_io_end(struct itme_area_io *io)
{
	itme_area_io_flush(io);
	put(io);
}
