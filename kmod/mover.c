// SPDX-License-Identifier: GPL-2.0
/*
 * DOC: all byte moves: leave, demotion, promotion
 *
 * The caller of itme_drop() and itme_move() owns the chunk (ITME_BUSY) and gives
 * it back through these. The content of imported files never changes, so a copy
 * may be made while others read the folio; what must not happen is that a folio
 * somebody holds leaves the page cache, as it would be memory that no budget
 * counts. itme_release_folio() in file.c refuses that, under the folio lock and
 * after the folio has been unmapped. A native folio may be written, so it is copied
 * only then, and what is dirty is stored before it is dropped.
 */
#include <linux/delay.h>
#include <linux/highmem.h>
#include <linux/migrate.h>
#include <linux/pagevec.h>
#include <linux/sched/signal.h>

#include "itme.h"
#include "native.h"
#include "swap.h"
#include "trace.h"

/* Page cache of a chunk, unmapped and gone; -EBUSY when some is held. */
static int invalidate(struct itme_inode *ino, u32 idx)
{
	if (ino->native)
		return itme_pages_drop(ino, itme_chunk_start(ino, idx),
				       itme_chunk_start(ino, idx + 1)) ? 0 : -EBUSY;
	return invalidate_inode_pages2_range(ino->vfs.i_mapping, itme_chunk_start(ino, idx),
					     itme_chunk_start(ino, idx + 1) - 1);
}

/**
 * itme_whole - is every page of a chunk in the page cache?
 * @ino: file
 * @idx: chunk
 *
 * The kernel may have taken some of a resident one. A snapshot.
 *
 * Return: true if so
 */
bool itme_whole(struct itme_inode *ino, u32 idx)
{
	pgoff_t index = itme_chunk_start(ino, idx);
	pgoff_t end = index + itme_chunk_pages(ino, idx);

	while (index < end) {
		struct folio *folio = filemap_get_folio(ino->vfs.i_mapping, index);

		if (IS_ERR(folio) && ino->native) {
			pgoff_t next;

			/* Holes are none of it. */
			if (itme_page_look(ino, index, &next) != ITME_PAGE_HOLE)
				return false;
			index = next;
			continue;
		}
		if (IS_ERR(folio))
			return false;
		index = folio_next_index(folio);
		folio_put(folio);
	}
	return true;
}

/**
 * itme_present - how much of a chunk is in the page cache?
 * @ino: file
 * @idx: chunk
 *
 * Return: pages
 */
long itme_present(struct itme_inode *ino, u32 idx)
{
	pgoff_t index = itme_chunk_start(ino, idx);
	pgoff_t end = index + itme_chunk_pages(ino, idx) - 1;
	struct folio_batch batch;
	long pages = 0;

	folio_batch_init(&batch);
	while (filemap_get_folios(ino->vfs.i_mapping, &index, end, &batch)) {
		for (unsigned int i = 0; i < folio_batch_count(&batch); i++)
			pages += folio_nr_pages(batch.folios[i]);
		folio_batch_release(&batch);
	}
	return pages;
}

static bool is_bad(struct folio *folio)
{
	return folio_test_dirty(folio) && itme_folio_poisoned(folio);
}

/**
 * itme_held - would unmapping a chunk be wrong, or for nothing?
 * @ino: file
 * @idx: chunk
 *
 * Wrong where mlock(2) has promised that it stays, as long as what stays leaves
 * room for the rest; for nothing where somebody has a reference on it, or it is dirty
 * and its memory has gone bad.
 *
 * Return: true if so
 */
bool itme_held(struct itme_inode *ino, u32 idx)
{
	pgoff_t index = itme_chunk_start(ino, idx);
	pgoff_t end = index + itme_chunk_pages(ino, idx) - 1;
	struct folio_batch batch;
	bool mlocked = false;
	bool used = false;

	folio_batch_init(&batch);
	while (!used && filemap_get_folios(ino->vfs.i_mapping, &index, end, &batch)) {
		for (unsigned int i = 0; i < folio_batch_count(&batch); i++) {
			struct folio *folio = batch.folios[i];

			mlocked |= folio_test_mlocked(folio);
			used |= !itme_folio_unused(folio) || is_bad(folio);
		}
		folio_batch_release(&batch);
	}
	return used || (mlocked && itme_chunk_may_hold(ino, idx));
}

/* Return: 0 when what is dirty of it has been stored, see itme_store() */
static int store(struct itme_inode *ino, u32 idx)
{
	return ino->native ? itme_store(ino, idx) : 0;
}

/* How much of a native chunk has stayed. */
static void count_left(struct itme_inode *ino, u32 idx)
{
	if (ino->native)
		itme_chunk_set_pages(ino, idx, itme_present(ino, idx));
}

/* With @spare, its folio may stay in there. */
static bool drop(struct itme_inode *ino, u32 idx, bool force, struct itme_spare *spare)
{
	struct itme_chunk c = itme_chunk_peek(ino, idx);
	bool gone = false;
	int err = 0;

	/* Who reads it, or just looks where it is, holds it for a moment. */
	for (int tries = 0; !gone && (!err || err == -EBUSY) && tries < 3; tries++) {
		if (tries)
			usleep_range(50, 100);
		if (!force && itme_held(ino, idx))
			continue;
		err = store(ino, idx);
		gone = !err &&
		       ((spare && itme_spare_take(spare, ino, idx)) || !invalidate(ino, idx));
		/* No room for all of it: what has been stored leaves. */
		if (err == -ENOSPC && xa_load(&ino->stored, idx))
			invalidate(ino, idx);
	}
	trace_itme_drop(ino, idx, c.tier, c.flags & ITME_C_UNTOUCHED, gone);
	if (gone)
		itme_count(ino, ITME_DROPPED, itme_chunk_bytes(ino, idx));
	else
		itme_count(ino, ITME_BUSY_FAILS, 1);
	count_left(ino, idx);
	itme_chunk_end_leave(ino, idx, gone ? ITME_TIER_NVME : c.tier, !gone);
	return gone;
}

/**
 * itme_drop - take a chunk out of memory
 * @ino: file
 * @idx: chunk, ITME_BUSY by the caller
 * @force: even if it is mlocked
 *
 * Return: true when it is gone
 */
bool itme_drop(struct itme_inode *ino, u32 idx, bool force)
{
	return drop(ino, idx, force, NULL);
}

/* Charged. */
static struct folio *alloc_in(int tier, unsigned int order)
{
	struct folio *folio;

	if (!itme_tier_charge(tier, 1L << order))
		return NULL;
	folio = itme_tier_alloc(tier, order, false);
	if (!folio)
		folio = itme_tier_alloc(tier, order, true);
	if (!folio)
		itme_tier_uncharge(tier, 1L << order);
	return folio;
}

static void free_in(int tier, struct folio *folio)
{
	itme_tier_uncharge(tier, folio_nr_pages(folio));
	folio_put(folio);
}

static struct folio *copy_to(struct folio *src, int tier)
{
	struct folio *dst = alloc_in(tier, folio_order(src));

	if (!dst)
		return NULL;
	/* A memory error in the source: leave it to whoever reads it. */
	if (folio_mc_copy(dst, src)) {
		free_in(tier, dst);
		return NULL;
	}
	__folio_mark_uptodate(dst);
	return dst;
}

/*
 * Between the removal of the old folio and the adding of the new one the page is
 * missing; whoever wants it finds the chunk ITME_BUSY and waits for the mover. If
 * the adding fails, it stays missing, and is read again when it is wanted.
 */
static int move_folio(struct itme_inode *ino, struct folio *src, int tier)
{
	struct address_space *mapping = ino->vfs.i_mapping;
	long nr = folio_nr_pages(src);
	pgoff_t index = src->index;
	struct folio *dst;
	int err;

	dst = copy_to(src, tier);
	/* Our reference is one more than itme_release_folio() allows. */
	folio_put(src);
	if (!dst)
		return -ENOMEM;
	err = invalidate_inode_pages2_range(mapping, index, index + nr - 1);
	if (!err)
		err = filemap_add_folio(mapping, dst, index,
					GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN);
	if (err)
		itme_tier_uncharge(tier, nr);
	else
		folio_unlock(dst);
	folio_put(dst);
	return err;
}

/*
 * Of a native file: locked and unmapped, with no other user, nobody can write to it while
 * it is copied. Once the old one is out, the new one comes in for sure, as it may be all
 * there is of the data; who wants the page in between finds the chunk ITME_BUSY.
 */
static int move_native(struct itme_inode *ino, struct folio *src, int tier)
{
	struct address_space *mapping = ino->vfs.i_mapping;
	struct folio *dst = alloc_in(tier, folio_order(src));
	pgoff_t index;
	int err = -ENOMEM;
	bool dirty;

	if (!dst)
		goto put;
	folio_lock(src);
	index = src->index;
	/* The kernel may have taken it: that is done then. Or split it. */
	err = 0;
	if (src->mapping != mapping)
		goto unlock;
	err = -EBUSY;
	if (folio_order(src) != folio_order(dst))
		goto unlock;
	if (folio_mapped(src))
		unmap_mapping_pages(mapping, index, folio_nr_pages(src), false);
	if (!itme_folio_unused(src) || folio_mc_copy(dst, src))
		goto unlock;
	err = 0;
	dirty = itme_page_remove(ino, src);
	itme_page_put_back(ino, dst, index, dirty);
	dst = NULL;
unlock:
	folio_unlock(src);
	if (dst)
		free_in(tier, dst);
put:
	folio_put(src);
	return err;
}

/**
 * struct move - a chunk being moved
 * @work: where the caller has a memory cgroup
 * @ino: file
 * @idx: chunk, ITME_BUSY by the caller
 * @tier: where to
 * @moved: out, bytes
 * @err: out, 0, -EBUSY held by somebody, -ENOMEM no room or memory there
 */
struct move {
	struct work_struct work;
	struct itme_inode *ino;
	u32 idx;
	int tier;
	u64 moved;
	int err;
};

static void move_folios(struct move *m)
{
	struct itme_inode *ino = m->ino;
	pgoff_t index = itme_chunk_start(ino, m->idx);
	pgoff_t end = index + itme_chunk_pages(ino, m->idx);

	while (!m->err && index < end) {
		struct folio *folio = filemap_get_folio(ino->vfs.i_mapping, index);
		size_t size;

		if (IS_ERR(folio)) {
			index++;
			continue;
		}
		index = folio_next_index(folio);
		if (!folio_test_uptodate(folio) || itme_tier_of(folio_nid(folio)) == m->tier) {
			folio_put(folio);
			continue;
		}
		size = folio_size(folio);
		m->err = ino->native ? move_native(ino, folio, m->tier) :
				       move_folio(ino, folio, m->tier);
		if (!m->err)
			m->moved += size;
		cond_resched();
	}
}

static void move_work(struct work_struct *work)
{
	move_folios(container_of(work, struct move, work));
}

/* The chunk stays ITME_BUSY. New folios are charged to the root cgroup, as in a fill. */
static int move_chunk(struct itme_inode *ino, u32 idx, int tier)
{
	struct itme_chunk c = itme_chunk_peek(ino, idx);
	struct move m = { .ino = ino, .idx = idx, .tier = tier };

	if (itme_held(ino, idx)) {
		m.err = -EBUSY;
	} else if (current->mm) {
		INIT_WORK_ONSTACK(&m.work, move_work);
		queue_work(system_unbound_wq, &m.work);
		flush_work(&m.work);
		destroy_work_on_stack(&m.work);
	} else {
		move_folios(&m);
	}
	trace_itme_move(ino, idx, c.tier, tier, !m.err);
	if (m.moved)
		itme_count(ino, tier == ITME_TIER_DRAM ? ITME_PROMOTED : ITME_DEMOTED, m.moved);
	return m.err;
}

/**
 * itme_move - take a chunk to another memory tier
 * @ino: file
 * @idx: chunk, ITME_BUSY by the caller
 * @tier: where to
 *
 * Return: true when all of it is there
 */
bool itme_move(struct itme_inode *ino, u32 idx, int tier)
{
	int from = itme_chunk_peek(ino, idx).tier;
	int err = move_chunk(ino, idx, tier);

	/* A chunk that is read all the time is the one to be moved: wait for a gap. */
	for (int tries = 0; err == -EBUSY && tries < 20; tries++) {
		usleep_range(500, 1000);
		err = move_chunk(ino, idx, tier);
	}
	if (err == -EBUSY)
		itme_count(ino, ITME_BUSY_FAILS, 1);
	count_left(ino, idx);
	itme_chunk_end_leave(ino, idx, err ? from : tier, err == -EBUSY);
	return !err;
}

/* Room in CXL for a chunk that leaves DRAM, at most at the cost of a colder one. */
static bool room_below(struct itme_fs *fs, long pages, u32 interval)
{
	struct itme_inode *ino;
	u32 idx;

	if (!atomic_long_read(&itme_tiers[ITME_TIER_CXL].budget))
		return false;
	if (itme_tier_room(ITME_TIER_CXL) >= pages)
		return true;
	ino = itme_chunk_begin_colder(fs, ITME_TIER_CXL, interval, &idx);
	if (!ino)
		return false;
	itme_drop(ino, idx, false);
	itme_inode_put(ino);
	return itme_tier_room(ITME_TIER_CXL) >= pages;
}

/* A chunk leaves its tier: down to CXL if it is worth that, else out. */
static long leave(struct itme_fs *fs, struct itme_inode *ino, u32 idx, int tier,
		  struct itme_spare *spare)
{
	long pages = itme_present(ino, idx);
	int err = -ENOMEM;
	bool gone;

	/* What was written is worth a place below rather than a write to the drive. */
	if (tier == ITME_TIER_DRAM && pages && (ino->native || itme_chunk_demotable(ino, idx)) &&
	    room_below(fs, pages, itme_chunk_interval(ino, idx)))
		err = move_chunk(ino, idx, ITME_TIER_CXL);
	if (err == -ENOMEM) {
		/* No place below, or not after all: its nodes may be full or gone. */
		gone = drop(ino, idx, false, spare);
	} else {
		gone = !err;
		if (!gone)
			itme_count(ino, ITME_BUSY_FAILS, 1);
		count_left(ino, idx);
		itme_chunk_end_leave(ino, idx, gone ? ITME_TIER_CXL : tier, !gone);
	}
	itme_inode_put(ino);
	return gone ? pages : -EBUSY;
}

/**
 * itme_evict_to - let the policy make room
 * @fs: file system
 * @tier: memory tier
 * @demand: somebody waits for the room
 * @spare: where a folio that fits may go to, empty; NULL if it is not wanted
 *
 * Return: pages that came free or are in @spare; 0 when none may leave
 */
long itme_evict_to(struct itme_fs *fs, int tier, bool demand, struct itme_spare *spare)
{
	/*
	 * A victim that turns out to be held is set aside, and one that the kernel
	 * has emptied is gone then, so this ends.
	 */
	for (int tries = 0; tries < 64; tries++) {
		struct itme_inode *ino;
		long pages;
		u32 idx;

		ino = itme_chunk_begin_victim(fs, tier, demand, &idx);
		if (!ino)
			return 0;
		pages = leave(fs, ino, idx, tier, spare);
		if (pages > 0)
			return pages;
	}
	return 0;
}

long itme_evict(struct itme_fs *fs, int tier, bool demand)
{
	return itme_evict_to(fs, tier, demand, NULL);
}

/**
 * itme_evict_colder - take the place of a chunk that is worth less
 * @fs: file system
 * @tier: memory tier
 * @interval: of the newcomer, see itme_chunk_interval()
 *
 * Return: true when a chunk has left
 */
bool itme_evict_colder(struct itme_fs *fs, int tier, u32 interval)
{
	struct itme_inode *ino;
	u32 idx;

	ino = itme_chunk_begin_colder(fs, tier, interval, &idx);
	return ino && leave(fs, ino, idx, tier, NULL) >= 0;
}

/**
 * itme_make_room - have room in a tier, by what policy can spare
 * @fs: file system
 * @tier: memory tier
 * @pages: how much
 *
 * Room is not reserved: who charges next has it.
 *
 * Return: 0, -EINTR, or -ENOSPC when nothing more may leave
 */
int itme_make_room(struct itme_fs *fs, int tier, long pages)
{
	while (itme_tier_room(tier) < pages) {
		if (signal_pending(current))
			return -EINTR;
		if (!itme_evict(fs, tier, true))
			return -ENOSPC;
		cond_resched();
	}
	return 0;
}
