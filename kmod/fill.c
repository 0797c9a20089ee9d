// SPDX-License-Identifier: GPL-2.0
/*
 * DOC: bytes into memory: from the lower file into new folios
 *
 * Step by step: find a run of missing pages, add folios for them to the page cache
 * (locked, so that nobody sees them early), read them with one request. Its
 * completion is the end, if nothing is missing then, else the next step follows.
 * With 2 MiB folios that is one run, with fragmented memory a few.
 *
 * From the completion on, which may be an interrupt, the folios can be used. That the
 * chunk comes to rest needs a worker. For a plan, whose reads end one by one all the
 * time, that is who reads ahead for it next, unless somebody waits.
 *
 * Fills run on workers, also when a task waits: the memory is charged to the
 * root cgroup, not to a container that could not reclaim it, and a task that is
 * killed leaves nothing behind.
 */
#include <linux/bvec.h>
#include <linux/ktime.h>
#include <linux/mempool.h>
#include <linux/pagevec.h>

#include "event.h"
#include "fill.h"
#include "itme.h"
#include "swap.h"
#include "trace.h"
#include "trigger.h"

static struct kmem_cache *fill_cache;
/* So that a fill somebody waits for can always begin. */
static mempool_t *fill_pool;

int itme_fill_init(void)
{
	fill_cache = KMEM_CACHE(fill, 0);
	if (!fill_cache)
		return -ENOMEM;
	fill_pool = mempool_create_slab_pool(16, fill_cache);
	if (!fill_pool) {
		kmem_cache_destroy(fill_cache);
		return -ENOMEM;
	}
	return 0;
}

void itme_fill_exit(void)
{
	mempool_destroy(fill_pool);
	kmem_cache_destroy(fill_cache);
}

/* It comes to rest as what it is now: also a fill that fails leaves what was there. */
static void end_chunk(struct itme_inode *ino, u32 idx, int err)
{
	long pages = ino->native || err ? itme_present(ino, idx) : 1;

	/* Of a native file there may have been nothing to read. */
	if (ino->native)
		itme_chunk_set_pages(ino, idx, pages);
	itme_chunk_end_fill(ino, idx, pages, err);
}

/* The last reference on the inode may be ours, then it is evicted here. */
static void fill_end(struct fill *fill, int err)
{
	struct itme_inode *ino = fill->ino;
	struct itme_fs *fs = ino->fs;
	u32 idx = fill->idx;

	trace_itme_fill(ino, idx, fill->tier, fill->demand, err ?: (long)fill->bytes,
			ktime_get_ns() - fill->started);
	if (fill->small)
		itme_count(ino, ITME_SMALL_FOLIOS, 1);
	itme_tier_uncharge(fill->tier, fill->charged);
	itme_spare_free(&fill->spare);
	if (!fill->demand)
		atomic_dec(&fs->prefetches);
	else if (!fill->bytes)
		itme_triggers_read(fs);
	end_chunk(ino, idx, err);
	mempool_free(fill, fill_pool);
	iput(&ino->vfs);
	itme_fs_put(fs);
}

/*
 * Single pages wait on a CPU's queue for the LRU, and look held by somebody
 * meanwhile. Releasing a batch, whatever is in it, drains the queue of this CPU, on
 * which they most likely have been added just now.
 */
void itme_lru_drain(void)
{
	struct folio *folio = page_folio(ZERO_PAGE(0));
	struct folio_batch batch;

	folio_batch_init(&batch);
	folio_get(folio);
	folio_batch_add(&batch, folio);
	folio_batch_release(&batch);
}

/* Folios that could not be read leave again; others of the chunk stay. */
static void end_run(struct fill *fill, bool ok)
{
	struct address_space *mapping = fill->ino->vfs.i_mapping;

	for (unsigned int i = 0; i < fill->read.nr; i++) {
		struct folio *folio = page_folio(fill->bvec[i].bv_page);

		if (ok) {
			folio_end_read(folio, true);
		} else {
			generic_error_remove_folio(mapping, folio);
			folio_unlock(folio);
		}
		folio_put(folio);
	}
}

/*
 * A read is done. If something is missing still, the next step is not taken here, as
 * it may wait for room, which completions make.
 */
static void go_on(struct fill *fill)
{
	if (fill->err || fill->index >= itme_fill_stop(fill))
		fill_end(fill, fill->err);
	else
		itme_fill_queue(fill);
}

/* 0, or -errno; short of what the file had at import is as bad as an error. */
static int read_error(const struct itme_read *read)
{
	if (read->result < 0)
		return read->result;
	return read->result < (long)read->len ? -EIO : 0;
}

/* A read is done: what needs process context. */
static void note_read(struct fill *fill)
{
	struct itme_inode *ino = fill->ino;

	fill->err = read_error(&fill->read);
	if (fill->err) {
		itme_count(ino, ITME_IO_ERRORS, 1);
		itme_event_io_error(ino, fill->idx, fill->err);
		end_run(fill, false);
	}
	if (atomic_dec_and_test(&fill->parties))
		go_on(fill);
}

static void done_work(struct work_struct *work)
{
	note_read(container_of(work, struct fill, done_work));
}

/**
 * itme_fills_done - see to reads of plans that are done
 * @fs: file system, held
 */
void itme_fills_done(struct itme_fs *fs)
{
	struct llist_node *list = llist_del_all(&fs->done);
	struct fill *fill, *next;

	llist_for_each_entry_safe(fill, next, llist_reverse_order(list), done)
		note_read(fill);
}

void itme_fills_done_work(struct work_struct *work)
{
	itme_fills_done(container_of(to_delayed_work(work), struct itme_fs, done_work));
}

/* Somebody waits: do not leave reads that are done to who reads ahead next. */
void itme_fills_hasten(struct itme_fs *fs)
{
	if (!llist_empty(&fs->done))
		mod_delayed_work(fs->done_wq, &fs->done_work, 0);
}

/* Beyond the end of the file a page reads as zeroes. */
static void zero_tail(struct fill *fill)
{
	size_t done = 0;

	for (unsigned int i = 0; i < fill->read.nr; i++) {
		struct bio_vec *bv = &fill->bvec[i];
		size_t len = fill->read.len;

		if (done + bv->bv_len > len)
			folio_zero_segment(page_folio(bv->bv_page), len > done ? len - done : 0,
					   bv->bv_len);
		done += bv->bv_len;
	}
}

/* In any context. */
static void read_done(struct itme_read *read)
{
	struct fill *fill = container_of(read, struct fill, read);
	struct itme_fs *fs = fill->ino->fs;

	atomic_dec(&fs->reads);
	/* Before anybody can use it, so that he finds it counted. */
	itme_count(fill->ino, ITME_READS, 1);
	if (!read_error(read)) {
		fill->bytes += read->len;
		itme_count(fill->ino, ITME_READ_BYTES, read->len);
		itme_count(fill->ino, fill->demand ? ITME_DEMAND_BYTES : ITME_PREFETCH_BYTES,
			   read->len);
		zero_tail(fill);
		end_run(fill, true);
	}
	if (!fill->lazy) {
		queue_work(fs->done_wq, &fill->done_work);
		return;
	}
	/* Once it is in the list, unmount waits for us by RCU only. */
	rcu_read_lock();
	llist_add(&fill->done, &fs->done);
	/*
	 * A full barrier is in llist_add(): who waits is seen here, or sees it; pairs with
	 * the one in itme_chunk_wait(). Who waits for room or for others to end, and is not
	 * seen, waits a jiffy longer.
	 */
	if (atomic_read(&fs->waiters) || wq_has_sleeper(&fs->inflight_wait) ||
	    wq_has_sleeper(&fs->pages_wait))
		mod_delayed_work(fs->done_wq, &fs->done_work, 0);
	else
		queue_delayed_work(fs->done_wq, &fs->done_work, 1);
	rcu_read_unlock();
}

static void start_read(struct fill *fill, pgoff_t first, pgoff_t next, unsigned int nr)
{
	struct itme_inode *ino = fill->ino;
	struct itme_read *read = &fill->read;

	read->done = read_done;
	read->bvec = fill->bvec;
	read->nr = nr;
	read->pos = (loff_t)first << PAGE_SHIFT;
	read->len = ((u64)next << PAGE_SHIFT) - read->pos;
	if (!ino->native)
		read->len = min_t(u64, read->len, i_size_read(&ino->vfs) - read->pos);
	fill->index = next;
	atomic_set(&fill->parties, 2);
	atomic_inc(&ino->fs->reads);
	if (ino->native)
		itme_stored_read(ino, read);
	else
		itme_backing_read(ino->lower, read);
	if (fill->demand)
		itme_triggers_read(ino->fs);
	if (atomic_dec_and_test(&fill->parties))
		go_on(fill);
}

/* A chunk comes back: it may stay if it has proven better than one that does. */
static bool earns_main(struct fill *fill, u32 interval)
{
	return fill->tier == ITME_TIER_DRAM && !itme_chunk_fits_main(fill->ino, fill->idx) &&
	       itme_evict_colder(fill->ino->fs, ITME_TIER_DRAM, interval);
}

/* Where a plan says or, without one, where the use so far says that it belongs. */
static void place(struct fill *fill)
{
	u32 cycle = 0;
	enum itme_class class = itme_plan_class(fill->ino, fill->idx, &cycle);
	bool earned = false;

	if (class == ITME_CLASS_CXL && atomic_long_read(&itme_tiers[ITME_TIER_CXL].budget))
		fill->tier = ITME_TIER_CXL;
	if (class == ITME_CLASS_DRAM)
		earned = earns_main(fill, max_t(u32, cycle, ITME_HZ));
	else if (class == ITME_CLASS_NONE)
		earned = earns_main(fill, itme_chunk_interval(fill->ino, fill->idx));
	fill->tier = itme_chunk_place(fill->ino, fill->idx, fill->tier, class, earned);
	fill->placed = true;
}

static void fill_step(struct fill *fill)
{
	pgoff_t end = itme_fill_stop(fill);
	pgoff_t index = fill->index;
	pgoff_t first = index;
	unsigned int nr = 0;
	bool single = false;
	int err = 0;

	if (!fill->placed) {
		place(fill);
		err = itme_fill_charge(fill, true);
	}
	if (err) {
		fill_end(fill, err);
		return;
	}
	while (index < end && nr < RUN_FOLIOS) {
		pgoff_t next = index, stop = end;
		struct folio *folio;

		/* Holes of native files are not read: who uses one makes it. */
		if (fill->ino->native) {
			next = itme_stored_next(fill->ino, index, end, true);
			if (next >= end || (nr && next > index))
				break;
			index = next;
			stop = itme_stored_next(fill->ino, index, end, false);
		}
		folio = itme_fill_folio(fill, index, stop, !nr, &next);

		if (IS_ERR(folio)) {
			err = PTR_ERR(folio);
			break;
		}
		if (folio) {
			if (!nr)
				first = folio->index;
			single |= !folio_test_large(folio);
			bvec_set_folio(&fill->bvec[nr++], folio, folio_size(folio), 0);
		} else if (nr) {
			break;
		}
		index = next;
	}
	/* What has been gathered is read first; an error comes again after it. */
	if (single)
		itme_lru_drain();
	if (nr)
		start_read(fill, first, index, nr);
	else
		fill_end(fill, err);
}

static void fill_work(struct work_struct *work)
{
	fill_step(container_of(work, struct fill, work));
}

/**
 * itme_fill_begin - prepare to fill a chunk
 * @ino: file
 * @idx: chunk, ITME_FILLING by the caller
 * @demand: somebody waits
 * @tier: wanted memory tier
 *
 * Return: for itme_fill_queue() or itme_fill_run(); NULL when it could not begin, the
 * chunk is then given back
 */
struct fill *itme_fill_begin(struct itme_inode *ino, u32 idx, bool demand, int tier)
{
	struct itme_fs *fs = ino->fs;
	struct fill *fill = NULL;

	if (itme_fs_get(fs)) {
		fill = mempool_alloc(fill_pool, demand ? GFP_KERNEL : GFP_NOWAIT | __GFP_NOWARN);
		if (!fill)
			itme_fs_put(fs);
	}
	if (!fill) {
		end_chunk(ino, idx, -EAGAIN);
		return NULL;
	}
	if (!demand)
		atomic_inc(&fs->prefetches);
	ihold(&ino->vfs);
	fill->ino = ino;
	fill->idx = idx;
	fill->tier = tier;
	fill->demand = demand;
	fill->lazy = false;
	fill->placed = false;
	fill->small = false;
	fill->fell_back = false;
	fill->charged = 0;
	fill->spare = (struct itme_spare){};
	fill->err = 0;
	fill->index = itme_chunk_start(ino, idx);
	fill->started = ktime_get_ns();
	fill->bytes = 0;
	INIT_WORK(&fill->work, fill_work);
	INIT_WORK(&fill->done_work, done_work);
	return fill;
}

/* For a plan, see itme_fills_done(). */
struct fill *itme_fill_plan(struct itme_inode *ino, u32 idx)
{
	struct fill *fill = itme_fill_begin(ino, idx, false, ITME_TIER_DRAM);

	if (fill)
		fill->lazy = true;
	return fill;
}

/* By a worker. */
void itme_fill_queue(struct fill *fill)
{
	queue_work(fill->demand ? fill->ino->fs->demand_wq : fill->ino->fs->prefetch_wq,
		   &fill->work);
}

/* By the caller, who is a worker of one's own. */
void itme_fill_run(struct fill *fill)
{
	fill_step(fill);
}

/**
 * itme_fill - fill a chunk
 * @ino: file
 * @idx: chunk, ITME_FILLING by the caller
 * @demand: somebody waits
 * @tier: wanted memory tier
 *
 * Return: false when it could not begin, the chunk is then given back
 */
bool itme_fill(struct itme_inode *ino, u32 idx, bool demand, int tier)
{
	struct fill *fill = itme_fill_begin(ino, idx, demand, tier);

	if (fill)
		itme_fill_queue(fill);
	return fill;
}

/**
 * itme_prefetch - begin to fill chunks that will be used soon
 * @ino: file
 * @range: chunks; those in memory or in transit are left alone
 */
void itme_prefetch(struct itme_inode *ino, struct itme_range range)
{
	for (u32 i = range.start; i < range.start + range.nr; i++)
		if (itme_chunk_begin_fill(ino, i, false, !itme_whole(ino, i)) &&
		    !itme_fill(ino, i, false, ITME_TIER_DRAM))
			break;
}
