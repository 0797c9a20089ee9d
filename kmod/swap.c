// SPDX-License-Identifier: GPL-2.0
/*
 * DOC: copies of written pages on swap areas: which there are, and how they come back
 *
 * The records of a file are in ino->stored, by chunk. They are changed by the owner of
 * the chunk, under fs->lock; so they may be looked at by either.
 */
#include <linux/bvec.h>
#include <linux/crc32.h>
#include <linux/highmem.h>
#include <linux/mempool.h>
#include <linux/pagemap.h>
#include <linux/slab.h>

#include "area.h"
#include "itme.h"
#include "quota.h"
#include "stored.h"
#include "swap.h"

/**
 * struct swap_in - a read of copies
 * @io: its reads of areas
 * @work: what needs process context
 * @ino: file, held by who reads
 * @read: what was asked for; its chunk is owned by who reads
 * @check: some of it has a checksum
 * @move: its copies shall not stay where they are
 */
struct swap_in {
	struct itme_area_io io;
	struct work_struct work;
	struct itme_inode *ino;
	struct itme_read *read;
	bool check;
	bool move;
};

static struct kmem_cache *in_cache;
static mempool_t *in_pool;

int itme_swap_init(void)
{
	int err;

	in_cache = KMEM_CACHE(swap_in, 0);
	if (!in_cache)
		return -ENOMEM;
	err = -ENOMEM;
	in_pool = mempool_create_slab_pool(16, in_cache);
	if (!in_pool)
		goto cache;
	err = itme_store_init();
	if (err)
		goto pool;
	err = itme_areas_init();
	if (err)
		goto store;
	return 0;
store:
	itme_store_exit();
pool:
	mempool_destroy(in_pool);
cache:
	kmem_cache_destroy(in_cache);
	return err;
}

void itme_swap_exit(void)
{
	itme_areas_exit();
	itme_store_exit();
	mempool_destroy(in_pool);
	kmem_cache_destroy(in_cache);
}

static u32 chunk_pages(const struct itme_inode *ino)
{
	return 1U << (ino->chunk_shift - PAGE_SHIFT);
}

/**
 * itme_stored_add - a further record of a chunk, in front of the others
 * @ino: native file
 * @idx: chunk, owned by the caller
 *
 * Return: the record, or NULL
 */
struct itme_stored *itme_stored_add(struct itme_inode *ino, u32 idx)
{
	u32 nr = chunk_pages(ino) / ITME_UNIT_PAGES;
	struct itme_stored *s;

	if (!itme_table_charge(ino->fs, struct_size(s, slot, nr)))
		return NULL;
	s = kzalloc(struct_size(s, slot, nr), GFP_NOIO | __GFP_NOWARN);
	if (!s)
		goto uncharge;
	s->nr = nr;
	s->older = xa_load(&ino->stored, idx);
	/* Whole already, for who looks under fs->lock. */
	if (xa_is_err(xa_store(&ino->stored, idx, s, GFP_NOIO | __GFP_NOWARN))) {
		kfree(s);
		goto uncharge;
	}
	return s;
uncharge:
	itme_table_uncharge(ino->fs, struct_size(s, slot, nr));
	return NULL;
}

static size_t crc_bytes(const struct itme_stored *s)
{
	return (size_t)s->nr * ITME_UNIT_PAGES * sizeof(*s->crc);
}

/**
 * itme_stored_add_crc - have room for the checksums of a record
 * @ino: native file
 * @s: record, its chunk owned by the caller
 *
 * Return: 0 or -ENOMEM
 */
int itme_stored_add_crc(struct itme_inode *ino, struct itme_stored *s)
{
	if (s->crc)
		return 0;
	if (!itme_table_charge(ino->fs, crc_bytes(s)))
		return -ENOMEM;
	s->crc = kmalloc(crc_bytes(s), GFP_NOIO | __GFP_NOWARN);
	if (!s->crc)
		itme_table_uncharge(ino->fs, crc_bytes(s));
	return s->crc ? 0 : -ENOMEM;
}

static void free_record(struct itme_inode *ino, struct itme_stored *s)
{
	itme_table_uncharge(ino->fs, struct_size(s, slot, s->nr) + (s->crc ? crc_bytes(s) : 0));
	kfree(s->crc);
	kfree(s);
}

/* Units of which nothing is stored are given back; then records without any. */
static void trim(struct itme_inode *ino, u32 idx, struct itme_stored *s)
{
	struct itme_stored **link;

	lockdep_assert_held(&ino->fs->lock);
	for (struct itme_stored *r = s; r; r = r->older) {
		for (u32 unit = 0; unit < r->nr; unit++) {
			struct itme_slot *slot = &r->slot[unit];

			if (!slot->place || itme_slot_used(slot))
				continue;
			itme_area_give(&ino->fs->areas, slot->place);
			slot->place = 0;
		}
	}
	for (link = &s->older; *link;) {
		struct itme_stored *r = *link;
		struct itme_stored *rest = r->older;

		/* Of this one alone. */
		r->older = NULL;
		if (itme_stored_none(r)) {
			*link = rest;
			free_record(ino, r);
		} else {
			r->older = rest;
			link = &r->older;
		}
	}
	if (itme_stored_none(s)) {
		xa_erase(&ino->stored, idx);
		free_record(ino, s);
	}
}

void itme_stored_trim(struct itme_inode *ino, u32 idx)
{
	struct itme_stored *s;

	spin_lock(&ino->fs->lock);
	s = xa_load(&ino->stored, idx);
	if (s)
		trim(ino, idx, s);
	spin_unlock(&ino->fs->lock);
}

/**
 * itme_stored - does a page have a copy?
 * @ino: native file, its chunk owned by the caller, or fs->lock held
 * @index: page
 *
 * Return: true if so; a page known to be zero has one that takes no room
 */
bool itme_stored(struct itme_inode *ino, pgoff_t index)
{
	return itme_stored_at(xa_load(&ino->stored, itme_chunk_of(ino, index)),
			      index % chunk_pages(ino));
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
	while (index < end) {
		unsigned long idx = itme_chunk_of(ino, index);
		struct itme_stored *s = xa_load(&ino->stored, idx);
		pgoff_t start, found, last;

		if (!s && !stored)
			return index;
		if (!s) {
			s = xa_find(&ino->stored, &idx, itme_chunk_of(ino, end - 1), XA_PRESENT);
			if (!s)
				return end;
			index = itme_chunk_start(ino, idx);
		}
		start = itme_chunk_start(ino, idx);
		last = min(end - start, (pgoff_t)chunk_pages(ino));
		found = itme_stored_seek(s, index - start, last, stored);
		index = start + found;
		if (found < last)
			return index;
	}
	return end;
}

/* Has @fn see to the pages of each unit that lie in a range. */
static void change(struct itme_inode *ino, pgoff_t first, pgoff_t end,
		   void (*fn)(struct itme_stored *s, u32 unit, u16 pages))
{
	unsigned long idx = itme_chunk_of(ino, first);

	while (first < end) {
		struct itme_stored *s;
		pgoff_t start;

		spin_lock(&ino->fs->lock);
		s = xa_find(&ino->stored, &idx, itme_chunk_of(ino, end - 1), XA_PRESENT);
		if (s) {
			start = itme_chunk_start(ino, idx);
			for (u32 unit = 0; unit < s->nr; unit++) {
				pgoff_t at = start + unit * ITME_UNIT_PAGES;
				pgoff_t from = max(at, first);
				pgoff_t to = min(at + ITME_UNIT_PAGES, end);

				if (from < to)
					fn(s, unit, ((1U << (to - from)) - 1) << (from - at));
			}
			trim(ino, idx, s);
		}
		spin_unlock(&ino->fs->lock);
		if (!s)
			return;
		idx++;
		first = max(first, itme_chunk_start(ino, idx));
		cond_resched();
	}
}

/**
 * itme_stored_forget - pages are no more, or have been written anew
 * @ino: native file, the chunks owned by the caller, or being evicted
 * @first: page
 * @end: page after the last
 */
void itme_stored_forget(struct itme_inode *ino, pgoff_t first, pgoff_t end)
{
	change(ino, first, end, itme_stored_clear);
}

/* As itme_stored_forget(), but what has a copy has one still: of zeroes, in no place. */
void itme_stored_zero(struct itme_inode *ino, pgoff_t first, pgoff_t end)
{
	change(ino, first, end, itme_stored_blank);
}

/*
 * With little free on the areas, what comes back to memory does not keep its place there,
 * as for swap; else what both have would be missing for what has none yet.
 */
static bool scarce(struct itme_fs *fs)
{
	long memory = 0, room, total;

	for (int tier = 0; tier < ITME_MEM_TIERS; tier++)
		memory += atomic_long_read(&itme_tiers[tier].budget);
	itme_areas_room(&fs->areas, &room, &total);
	return room < min(total / 2, memory);
}

static void finish(struct swap_in *in, int err)
{
	struct itme_read *read = in->read;
	struct itme_inode *ino = in->ino;

	if (err)
		itme_count(ino, ITME_SWAP_ERRORS, 1);
	else
		itme_count(ino, ITME_SWAP_IN, read->len);
	mempool_free(in, in_pool);
	read->result = err ?: (long)read->len;
	read->done(read);
}

/**
 * struct cursor - goes over the pages of a read
 * @read: the read
 * @page: number in the chunk of the page that comes next
 * @seg: of @read->bvec
 * @at: page in there
 */
struct cursor {
	const struct itme_read *read;
	u32 page;
	unsigned int seg;
	unsigned int at;
};

static struct cursor first_page(struct itme_inode *ino, const struct itme_read *read)
{
	return (struct cursor){
		.read = read,
		.page = (read->pos >> PAGE_SHIFT) % chunk_pages(ino),
	};
}

/* The next page in memory, and its number in the chunk; NULL when there is none. */
static struct page *next_page(struct cursor *c, u32 *page)
{
	const struct bio_vec *bv = &c->read->bvec[c->seg];

	if (c->seg < c->read->nr && c->at == bv->bv_len >> PAGE_SHIFT) {
		c->seg++;
		c->at = 0;
		bv++;
	}
	if (c->seg == c->read->nr)
		return NULL;
	*page = c->page++;
	return nth_page(bv->bv_page, c->at++);
}

static struct itme_area *area_of(struct itme_inode *ino, const struct itme_stored *s, u32 page)
{
	const struct itme_slot *slot = s ? &s->slot[page / ITME_UNIT_PAGES] : NULL;

	if (!slot || slot->zero & 1U << page % ITME_UNIT_PAGES)
		return NULL;
	return ino->fs->areas.area[itme_place_area(slot->place)];
}

/* Is what came back what was written? */
static int check(struct swap_in *in)
{
	struct itme_inode *ino = in->ino;
	u32 idx = itme_chunk_of(ino, in->read->pos >> PAGE_SHIFT);
	struct itme_stored *all = xa_load(&ino->stored, idx);
	struct cursor c = first_page(ino, in->read);
	struct page *mem;
	u32 page;

	while ((mem = next_page(&c, &page))) {
		const struct itme_stored *s = itme_stored_at(all, page);
		struct itme_area *area = area_of(ino, s, page);
		void *at;
		u32 crc;

		if (!area || !area->check)
			continue;
		at = kmap_local_page(mem);
		crc = __crc32c_le(~0, at, PAGE_SIZE);
		kunmap_local(at);
		if (crc == s->crc[page])
			continue;
		atomic64_inc(&area->errors);
		pr_err_ratelimited("itme: swap area %u: a page came back wrong\n", area->id);
		return -EIO;
	}
	return 0;
}

/* The copies are given up: what is in memory is all that there is, so it is dirty. */
static void give_up(struct swap_in *in)
{
	struct itme_read *read = in->read;
	pgoff_t first = read->pos >> PAGE_SHIFT;
	pgoff_t pages = 0;

	for (unsigned int i = 0; i < read->nr; i++) {
		folio_mark_dirty(page_folio(read->bvec[i].bv_page));
		pages += read->bvec[i].bv_len >> PAGE_SHIFT;
	}
	itme_stored_forget(in->ino, first, first + pages);
}

static void in_work(struct work_struct *work)
{
	struct swap_in *in = container_of(work, struct swap_in, work);
	int err = in->check ? check(in) : 0;

	if (!err && in->move)
		give_up(in);
	finish(in, err);
}

/* In any context. */
static void in_done(struct itme_area_io *io)
{
	struct swap_in *in = container_of(io, struct swap_in, io);

	if (!io->err && (in->check || in->move))
		queue_work(in->ino->fs->done_wq, &in->work);
	else
		finish(in, io->err);
}

/**
 * itme_stored_read - start to read copies
 * @ino: native file
 * @read: as for itme_backing_read(), within a chunk; @pos is in the file. A page without
 *	a copy reads as zeroes.
 */
void itme_stored_read(struct itme_inode *ino, struct itme_read *read)
{
	struct itme_stored *all = xa_load(&ino->stored,
					  itme_chunk_of(ino, read->pos >> PAGE_SHIFT));
	struct swap_in *in = mempool_alloc(in_pool, GFP_NOIO);
	struct cursor c = first_page(ino, read);
	struct page *mem;
	u32 page;

	in->ino = ino;
	in->read = read;
	in->check = false;
	in->move = scarce(ino->fs);
	INIT_WORK(&in->work, in_work);
	itme_area_io_begin(&in->io, false, in_done);
	while ((mem = next_page(&c, &page))) {
		const struct itme_stored *s = itme_stored_at(all, page);
		struct itme_area *area = area_of(ino, s, page);

		if (!area) {
			clear_highpage(mem);
			continue;
		}
		in->check |= area->check;
		/* As above where it is being removed, and where it is better not left. */
		in->move |= !itme_area_writable(area);
		itme_area_io_add(&in->io, area,
				 itme_place_unit(s->slot[page / ITME_UNIT_PAGES].place) *
				 ITME_UNIT_PAGES + page % ITME_UNIT_PAGES, mem);
	}
	itme_area_io_end(&in->io);
}

/* Pages that fit on the areas that take any. */
long itme_swap_room(struct itme_fs *fs)
{
	long room, total;

	itme_areas_room(&fs->areas, &room, &total);
	return room;
}

/* Pages that all areas can hold, those that they have included. */
long itme_swap_capacity(struct itme_fs *fs)
{
	long room, total;

	itme_areas_room(&fs->areas, &room, &total);
	return total;
}

/* Is there room to write to, more than what has proven too little? */
bool itme_can_store(struct itme_fs *fs)
{
	return itme_swap_room(fs) > READ_ONCE(fs->areas.too_little);
}
