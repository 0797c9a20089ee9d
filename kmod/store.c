// SPDX-License-Identifier: GPL-2.0
/*
 * DOC: written chunks go to swap areas
 *
 * What is dirty of a chunk is unmapped, marked clean and written from where it is, with
 * its folios neither locked nor mapped. Who writes to one meanwhile does not wait: he
 * makes it dirty again, which is seen in the end; its copy does not count then.
 *
 * From when a folio is marked clean until its copy counts, it must not leave memory:
 * our reference sees to that, and that the chunk is ours (ITME_BUSY).
 *
 * A write that fails loses nothing, either: the folios are dirty again, the area is bad,
 * and the next one is tried.
 */
#include <linux/completion.h>
#include <linux/crc32.h>
#include <linux/highmem.h>
#include <linux/mempool.h>
#include <linux/pagemap.h>
#include <linux/slab.h>

#include "area.h"
#include "itme.h"
#include "native.h"
#include "stored.h"
#include "swap.h"
#include "writeout.h"

#define UNITS	(1U << (ITME_CHUNK_MAX_SHIFT - ITME_UNIT_SHIFT))

/**
 * struct store - a chunk on its way to a swap area
 * @io: the part of it under way
 * @ended: that part has
 * @ino: file
 * @idx: chunk, ITME_BUSY by the caller
 * @start: its first page
 * @s: what is stored of it
 * @stable: its folios stay locked, as the device wants
 * @nr: of @folio
 * @pages: by unit, what is to be stored
 * @zero: that part of @pages
 * @in: record of each unit in which it is stored
 * @folio: dirty when we came, held
 */
struct store {
	struct itme_area_io io;
	struct completion ended;
	struct itme_inode *ino;
	u32 idx;
	pgoff_t start;
	struct itme_stored *s;
	bool stable;
	u32 nr;
	u16 pages[UNITS];
	u16 zero[UNITS];
	struct itme_stored *in[UNITS];
	struct folio *folio[ITME_CHUNK_MAX_PAGES];
};

static struct kmem_cache *store_cache;
/* So that room can be made however short memory is. */
static mempool_t *store_pool;

int itme_store_init(void)
{
	store_cache = KMEM_CACHE(store, 0);
	if (!store_cache)
		return -ENOMEM;
	store_pool = mempool_create_slab_pool(2, store_cache);
	if (!store_pool) {
		kmem_cache_destroy(store_cache);
		return -ENOMEM;
	}
	return 0;
}

void itme_store_exit(void)
{
	mempool_destroy(store_pool);
	kmem_cache_destroy(store_cache);
}

/* What mappings have written shows as dirty once they are gone. Folio locked. */
static void unmap(struct folio *folio)
{
	if (folio_mapped(folio))
		unmap_mapping_pages(folio->mapping, folio->index, folio_nr_pages(folio), false);
}

/*
 * Takes a folio if it is dirty. One that somebody holds for I/O may be written without
 * being mapped, one with a bad page cannot be read: neither can leave.
 */
static int take(struct store *st, struct folio *folio)
{
	if (!folio_test_uptodate(folio))
		return 0;
	unmap(folio);
	if (!folio_test_dirty(folio))
		return 0;
	if (!itme_folio_unused(folio) || itme_folio_poisoned(folio))
		return -EBUSY;
	folio_test_clear_dirty(folio);
	folio_get(folio);
	st->folio[st->nr++] = folio;
	return 0;
}

/* Takes all dirty folios of the chunk, or, with an error, some. */
static int gather(struct store *st)
{
	struct address_space *mapping = st->ino->vfs.i_mapping;
	pgoff_t index = st->start;
	pgoff_t end = itme_chunk_start(st->ino, st->idx + 1);
	int err = 0;

	while (!err && index < end) {
		struct folio *folio = NULL;
		unsigned long at = index;
		bool kept;

		if (!xa_find(&mapping->i_pages, &at, end - 1, XA_PRESENT))
			break;
		index = at;
		folio = filemap_lock_folio(mapping, index);
		if (IS_ERR(folio)) {
			index++;
			continue;
		}
		index = folio_next_index(folio);
		err = take(st, folio);
		kept = st->nr && st->folio[st->nr - 1] == folio;
		if (!kept || !st->stable)
			folio_unlock(folio);
		folio_put(folio);
		cond_resched();
	}
	return err;
}

/* What there is to store, by unit. */
static void look(struct store *st)
{
	memset(st->pages, 0, sizeof(st->pages));
	memset(st->zero, 0, sizeof(st->zero));
	for (u32 i = 0; i < st->nr; i++) {
		struct folio *folio = st->folio[i];
		u32 first = folio->index - st->start;

		for (long n = 0; n < folio_nr_pages(folio); n++) {
			u32 unit = (first + n) / ITME_UNIT_PAGES;
			u16 bit = 1U << (first + n) % ITME_UNIT_PAGES;

			st->pages[unit] |= bit;
			if (itme_page_is_zero(folio_page(folio, n)))
				st->zero[unit] |= bit;
		}
		cond_resched();
	}
}

/* The record in which a unit can be written; there is a new one if need be. */
static struct itme_stored *find_record(struct store *st, u32 unit)
{
	struct itme_areas *areas = &st->ino->fs->areas;
	struct itme_stored *s;

	for (s = st->s; s; s = s->older) {
		u32 place = s->slot[unit].place;

		if (!place || itme_area_writable(areas->area[itme_place_area(place)]))
			return s;
	}
	s = itme_stored_add(st->ino, st->idx);
	if (s)
		st->s = s;
	return s;
}

static bool needs_place(const struct store *st, u32 unit)
{
	return st->pages[unit] & ~st->zero[unit] && !st->in[unit]->slot[unit].place;
}

static int check_record(struct store *st, struct itme_stored *s, u32 place)
{
	const struct itme_area *area = st->ino->fs->areas.area[itme_place_area(place)];

	/* It has been added since we began, and the folios are not locked. */
	if (area->stable && !st->stable)
		return -EAGAIN;
	return area->check ? itme_stored_add_crc(st->ino, s) : 0;
}

/*
 * Each unit has a place then, as many as can be had side by side; with -ENOSPC, some have
 * none.
 */
static int find_places(struct store *st)
{
	struct itme_fs *fs = st->ino->fs;
	u32 nr = 1U << (st->ino->chunk_shift - ITME_UNIT_SHIFT);

	for (u32 unit = 0; unit < nr; unit++) {
		st->in[unit] = NULL;
		if (!st->pages[unit])
			continue;
		st->in[unit] = find_record(st, unit);
		if (!st->in[unit])
			return -ENOMEM;
	}
	for (u32 unit = 0; unit < nr; unit++) {
		u32 want = 0, got, place;
		int err = 0;

		while (unit + want < nr && needs_place(st, unit + want))
			want++;
		if (!want)
			continue;
		got = itme_area_take(&fs->areas, want, &place);
		if (!got)
			return -ENOSPC;
		spin_lock(&fs->lock);
		for (u32 i = 0; i < got; i++)
			st->in[unit + i]->slot[unit + i].place = place + i;
		spin_unlock(&fs->lock);
		for (u32 i = 0; !err && i < got; i++)
			err = check_record(st, st->in[unit + i], place);
		if (err)
			return err;
		unit += got - 1;
	}
	return 0;
}

static void part_done(struct itme_area_io *io)
{
	complete(&container_of(io, struct store, io)->ended);
}

static u32 checksum(struct page *page)
{
	void *at = kmap_local_page(page);
	u32 crc = __crc32c_le(~0, at, PAGE_SIZE);

	kunmap_local(at);
	return crc;
}

static void add_page(struct store *st, u32 page, struct page *mem)
{
	u32 unit = page / ITME_UNIT_PAGES;
	struct itme_stored *s = st->in[unit];
	u32 place = s->slot[unit].place;
	struct itme_area *area = st->ino->fs->areas.area[itme_place_area(place)];

	if (area->check)
		s->crc[page] = checksum(mem);
	itme_area_io_add(&st->io, area,
			 itme_place_unit(place) * ITME_UNIT_PAGES + page % ITME_UNIT_PAGES, mem);
}

/* Waits for the part that is under way. */
static int end_part(struct store *st, u32 pages)
{
	itme_area_io_end(&st->io);
	wait_for_completion_io(&st->ended);
	if (!st->io.err)
		itme_count(st->ino, ITME_SWAP_OUT, (u64)pages << PAGE_SHIFT);
	else
		itme_count(st->ino, ITME_SWAP_ERRORS, 1);
	return st->io.err;
}

static int write_all(struct store *st)
{
	struct itme_fs *fs = st->ino->fs;
	bool alone = false;
	u32 pages = 0, limit = 0;
	int err = 0;

	for (u32 i = 0; !err && i < st->nr; i++) {
		struct folio *folio = st->folio[i];
		u32 first = folio->index - st->start;

		for (long n = 0; !err && n < folio_nr_pages(folio); n++) {
			u32 unit = (first + n) / ITME_UNIT_PAGES;

			if (st->zero[unit] & 1U << (first + n) % ITME_UNIT_PAGES)
				continue;
			if (!pages) {
				alone = itme_writeout_begin(fs, &limit);
				init_completion(&st->ended);
				itme_area_io_begin(&st->io, true, part_done);
			}
			add_page(st, first + n, folio_page(folio, n));
			if (++pages == limit) {
				err = end_part(st, pages);
				itme_writeout_end(fs, alone);
				pages = 0;
			}
		}
	}
	if (pages) {
		err = end_part(st, pages);
		itme_writeout_end(fs, alone);
	}
	return err;
}

/*
 * A copy of a folio counts if nobody has written to it, nor its memory has failed; else
 * it is newer, or as bad, and dirty. Nobody has taken it: the chunk is ours.
 */
static bool settle(struct store *st, struct folio *folio, bool written)
{
	bool same;

	if (!st->stable)
		folio_lock(folio);
	unmap(folio);
	/* Our reference is the one more that is allowed. Who lets go has told before. */
	same = written && itme_folio_unused(folio) && !folio_test_dirty(folio) &&
	       !itme_folio_poisoned(folio);
	if (!same)
		folio_mark_dirty(folio);
	if (same) {
		u32 first = folio->index - st->start;

		spin_lock(&st->ino->fs->lock);
		for (long n = 0; n < folio_nr_pages(folio); n++) {
			u32 unit = (first + n) / ITME_UNIT_PAGES;
			u16 bit = 1U << (first + n) % ITME_UNIT_PAGES;
			struct itme_slot *slot = &st->in[unit]->slot[unit];

			slot->there |= bit;
			slot->zero |= st->zero[unit] & bit;
		}
		spin_unlock(&st->ino->fs->lock);
	}
	folio_unlock(folio);
	folio_put(folio);
	return same;
}

/* Old copies of what is to be written do not count from here on. */
static void forget_old(struct store *st)
{
	spin_lock(&st->ino->fs->lock);
	for (u32 unit = 0; unit < UNITS; unit++)
		if (st->pages[unit])
			itme_stored_clear(st->s, unit, st->pages[unit]);
	spin_unlock(&st->ino->fs->lock);
}

static bool has_places(const struct store *st, const struct folio *folio)
{
	u32 first = folio->index - st->start;
	u32 last = first + folio_nr_pages(folio) - 1;

	for (u32 unit = first / ITME_UNIT_PAGES; unit <= last / ITME_UNIT_PAGES; unit++)
		if (needs_place(st, unit))
			return false;
	return true;
}

/*
 * Folios without a place for all of their units stay in memory, dirty. Their old copies
 * are forgotten, so they give back what they had: what is in memory and cannot leave has
 * no places then, as the quota counts on.
 */
static void leave_out(struct store *st)
{
	u32 kept = 0;

	for (u32 i = 0; i < st->nr; i++) {
		struct folio *folio = st->folio[i];
		u32 first = folio->index - st->start;

		if (has_places(st, folio)) {
			st->folio[kept++] = folio;
			continue;
		}
		/* Others in these units have no place either, so for them this changes nothing. */
		for (long n = 0; n < folio_nr_pages(folio); n++)
			st->zero[(first + n) / ITME_UNIT_PAGES] &=
				~(1U << (first + n) % ITME_UNIT_PAGES);
		settle(st, folio, false);
	}
	st->nr = kept;
}

static void count_zero(struct store *st)
{
	u64 pages = 0;

	for (u32 unit = 0; unit < UNITS; unit++)
		pages += hweight16(st->zero[unit]);
	if (pages)
		itme_count(st->ino, ITME_SWAP_ZERO, pages << PAGE_SHIFT);
}

/* -EAGAIN: an area has failed, so another one may do; or see check_record(). */
static int store(struct store *st)
{
	bool written = false;
	bool all = true;
	int err;

	st->nr = 0;
	st->s = xa_load(&st->ino->stored, st->idx);
	err = gather(st);
	if (!err && !st->nr)
		return 0;
	if (!err) {
		look(st);
		err = find_places(st);
	}
	if (!err || err == -ENOSPC)
		forget_old(st);
	if (err == -ENOSPC) {
		/* What has one is stored all the same. */
		leave_out(st);
		all = false;
		err = 0;
	}
	if (!err) {
		err = write_all(st);
		written = !err;
		if (err)
			err = -EAGAIN;
	}
	for (u32 i = 0; i < st->nr; i++)
		if (!settle(st, st->folio[i], written) && !err)
			err = -EBUSY;
	if (!err)
		count_zero(st);
	itme_stored_trim(st->ino, st->idx);
	return err ?: all ? 0 : -ENOSPC;
}

/**
 * itme_store - have a copy of all that is in memory of a chunk
 * @ino: native file
 * @idx: chunk, ITME_BUSY by the caller
 *
 * Return: 0: what is in memory is clean now; -ENOSPC: no area has room for all of it, what
 * there is room for is clean; -EBUSY: somebody holds a page, or has written it meanwhile;
 * -EIO: no area is left that can be written; -ENOMEM
 */
int itme_store(struct itme_inode *ino, u32 idx)
{
	struct itme_areas *areas = &ino->fs->areas;
	struct store *st;
	u64 clean;
	int err;

	/*
	 * Before all of it is unmapped and looked at: with no record all is dirty, and has
	 * no place. With one it may be written where it was, however full the areas are.
	 */
	if (!xa_load(&ino->stored, idx) && !itme_can_store(ino->fs))
		return itme_present(ino, idx) ? -ENOSPC : 0;
	st = mempool_alloc(store_pool, GFP_NOIO);
	st->ino = ino;
	st->idx = idx;
	st->start = itme_chunk_start(ino, idx);
	/* Each time one area fewer is written, or one more wants its pages locked. */
	do {
		st->stable = itme_areas_stable(areas);
		err = store(st);
	} while (err == -EAGAIN && itme_can_store(ino->fs));
	if (err == -ENOSPC)
		itme_areas_short(areas);
	if (!err && !st->nr) {
		clean = (u64)itme_present(ino, idx) << PAGE_SHIFT;
		if (xa_load(&ino->stored, idx))
			itme_count(ino, ITME_SWAP_CLEAN, clean);
	}
	mempool_free(st, store_pool);
	return err == -EAGAIN ? -EIO : err;
}
