// SPDX-License-Identifier: GPL-2.0
/*
 * DOC: what makes ITME give memory back, and look at what is in use
 *
 * The shrinker asks a worker and waits a bounded time: it may be called with any
 * lock held, folio locks among them, and dropping a chunk takes folio locks.
 * The memory notifier empties a block of memory that is going offline. The
 * sampler unmaps chunks of main in turn, so that a use of them is seen.
 */
#include <linux/delay.h>
#include <linux/memory.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/shrinker.h>
#include <linux/swap.h>

#include "event.h"
#include "itme.h"

/* A part of main is looked at each time, this often. */
#define SAMPLE_PERIOD	HZ
#define SAMPLE_MIN	32
#define SAMPLE_MAX	1024
#define SAMPLE_PART	16
/* Rounds of the sampler in a row that make a chunk of CXL worth a move. */
#define PROMOTE_HEAT	2
/* Chunks a second that may be promoted, so that moves never crowd out the reader. */
#define PROMOTE_MAX	16

/* One file system a machine; set while it is mounted. */
static struct itme_fs *pressure_fs;
static struct shrinker *shrinker;

static void evict_worker(struct work_struct *work)
{
	struct itme_fs *fs = container_of(work, struct itme_fs, evict_work);
	/* A demotion allocates; reclaim would come back here and wait for us. */
	unsigned int flags = memalloc_noreclaim_save();
	long want;

	while ((want = atomic_long_read(&fs->evict_want)) > 0) {
		long pages = itme_evict(fs, ITME_TIER_DRAM, true);

		if (!pages) {
			atomic_long_set(&fs->evict_want, 0);
			break;
		}
		atomic_long_sub(pages, &fs->evict_want);
		atomic_long_add(pages, &fs->evict_done);
		wake_up_all(&fs->pages_wait);
		cond_resched();
	}
	memalloc_noreclaim_restore(flags);
	wake_up_all(&fs->pages_wait);
}

/* Ask the worker for room in DRAM. What several ask for at once is asked for once. */
static void kick(struct itme_fs *fs, long pages)
{
	if (atomic_long_read(&fs->evict_want) < pages)
		atomic_long_set(&fs->evict_want, pages);
	queue_work(fs->evict_wq, &fs->evict_work);
}

/**
 * itme_pressure_want - make room in DRAM, later
 * @fs: file system
 * @pages: how much
 */
void itme_pressure_want(struct itme_fs *fs, long pages)
{
	if (itme_fs_get(fs)) {
		kick(fs, pages);
		itme_fs_put(fs);
	}
}

static unsigned long shrink_count(struct shrinker *s, struct shrink_control *sc)
{
	struct itme_tier_mem *dram = &itme_tiers[ITME_TIER_DRAM];
	struct itme_fs *fs = s->private_data;
	u64 capacity = itme_tier_capacity(&dram->nodes) >> PAGE_SHIFT;
	long pages;

	if (!node_isset(sc->nid, dram->nodes) || !capacity)
		return 0;
	pages = atomic_long_read(&dram->used) - READ_ONCE(fs->queues[ITME_TIER_DRAM].pinned);
	if (pages <= 0)
		return SHRINK_EMPTY;
	/* Which node a chunk is on is not kept: assume that they are spread evenly. */
	return div64_u64((u64)pages * node_present_pages(sc->nid), capacity);
}

static unsigned long shrink_scan(struct shrinker *s, struct shrink_control *sc)
{
	struct itme_tier_mem *dram = &itme_tiers[ITME_TIER_DRAM];
	struct itme_fs *fs = s->private_data;
	long before = atomic_long_read(&fs->evict_done);
	long done;

	itme_event_pressure((u64)sc->nr_to_scan << PAGE_SHIFT);
	kick(fs, sc->nr_to_scan);
	wait_event_timeout(fs->pages_wait,
			   atomic_long_read(&fs->evict_done) != before ||
			   atomic_long_read(&fs->evict_want) <= 0, HZ / 20);
	done = atomic_long_read(&fs->evict_done) - before;
	if (done <= 0) {
		/* All was looked at, in vain: what is not done would be added up for the next. */
		sc->nr_scanned = max_t(unsigned long, sc->nr_to_scan,
				       2 * atomic_long_read(&dram->budget));
		return 0;
	}
	/* Without this, reclaim sees no progress, and asks for more and more. */
	mm_account_reclaimed_pages(done);
	return done;
}

/* Does a chunk have a folio in the block that goes? */
static bool chunk_in(struct itme_inode *ino, u32 idx, unsigned long pfn, unsigned long nr)
{
	pgoff_t index = itme_chunk_start(ino, idx);
	pgoff_t end = index + itme_chunk_pages(ino, idx);

	while (index < end) {
		struct folio *folio = filemap_get_folio(ino->vfs.i_mapping, index);
		unsigned long at, pages;

		if (IS_ERR(folio)) {
			index++;
			continue;
		}
		at = folio_pfn(folio);
		pages = folio_nr_pages(folio);
		index = folio_next_index(folio);
		folio_put(folio);
		if (at < pfn + nr && at + pages > pfn)
			return true;
	}
	return false;
}

/* Return: chunks that could not leave */
static unsigned long evacuate_inode(struct itme_inode *ino, unsigned long pfn, unsigned long nr,
				    bool force)
{
	unsigned long left = 0;

	for (u32 idx = 0; itme_chunk_next(ino, &idx); idx++) {
		if (READ_ONCE(itme_chunk_at(ino, idx)->state) == ITME_ABSENT)
			continue;
		/* One being filled: its folios may be in the block as well. */
		if (itme_chunk_wait(ino, idx))
			return 0;
		if (chunk_in(ino, idx, pfn, nr) &&
		    (!itme_chunk_begin_leave(ino, idx) || !itme_drop(ino, idx, force)))
			left++;
		cond_resched();
	}
	return left;
}

static unsigned long evacuate(struct itme_fs *fs, unsigned long pfn, unsigned long nr, bool force)
{
	unsigned long left = 0;
	unsigned long id = 0;

	for (;;) {
		struct itme_inode *ino;

		id++;
		spin_lock(&fs->lock);
		ino = xa_find(&fs->objects, &id, U32_MAX, XA_PRESENT);
		if (ino && !igrab(&ino->vfs)) {
			spin_unlock(&fs->lock);
			continue;
		}
		spin_unlock(&fs->lock);
		if (!ino)
			return left;
		left += evacuate_inode(ino, pfn, nr, force);
		itme_inode_put(ino);
	}
}

/*
 * The block is isolated already, so nothing new comes to it. A chunk may be held
 * for a moment by a reader, so there are a few tries. What could not be dropped
 * then, the kernel moves by itself, see itme_migrate_folio().
 */
static int memory_event(struct notifier_block *nb, unsigned long action, void *arg)
{
	struct memory_notify *mem = arg;

	if (action == MEM_OFFLINE || action == MEM_CANCEL_OFFLINE)
		WRITE_ONCE(pressure_fs->offlining, false);
	if (action != MEM_GOING_OFFLINE)
		return NOTIFY_OK;
	WRITE_ONCE(pressure_fs->offlining, true);
	for (int tries = 0; tries < 10; tries++) {
		/* In the end mlocked ones, too: they are read again elsewhere. */
		if (!evacuate(pressure_fs, mem->start_pfn, mem->nr_pages, tries > 4) ||
		    fatal_signal_pending(current))
			break;
		msleep(20);
	}
	return NOTIFY_OK;
}

static struct notifier_block memory_nb = {
	.notifier_call = memory_event,
};

/* Worth moving up: used in every round, where DRAM has room or something idle. */
static bool promote(struct itme_fs *fs, struct itme_inode *ino, u32 idx)
{
	u32 period = max(fs->rotation[ITME_TIER_CXL], fs->rotation[ITME_TIER_DRAM]);

	if (!itme_chunk_fits_main(ino, idx) &&
	    !itme_evict_colder(fs, ITME_TIER_DRAM, PROMOTE_HEAT * max(period, ITME_HZ)))
		return false;
	return itme_chunk_begin_leave(ino, idx) && itme_move(ino, idx, ITME_TIER_DRAM);
}

static void sample_tier(struct itme_fs *fs, int tier, u32 *promoted)
{
	u32 chunks = READ_ONCE(fs->queues[tier].main.pages) / ITME_CHUNK_MAX_PAGES;
	u32 n = min(clamp(chunks / SAMPLE_PART, SAMPLE_MIN, SAMPLE_MAX), chunks + 1);

	/* So long does it take until a chunk is looked at again. */
	fs->rotation[tier] = DIV_ROUND_UP(chunks, n) * (SAMPLE_PERIOD / HZ) * ITME_HZ;
	while (n--) {
		struct itme_inode *ino;
		bool touched = false;
		u32 idx, heat = 0, cycle;
		enum itme_class class;

		ino = itme_chunk_sample(fs, tier, &idx, &touched, &heat);
		if (!ino)
			return;
		if (touched && !itme_held(ino, idx))
			unmap_mapping_pages(ino->vfs.i_mapping, itme_chunk_start(ino, idx),
					    itme_chunk_pages(ino, idx), false);
		class = itme_plan_class(ino, idx, &cycle);
		itme_chunk_classify(ino, idx, class);
		/* What a plan has stay in CXL is read in place. */
		if (tier == ITME_TIER_CXL && class != ITME_CLASS_CXL && heat >= PROMOTE_HEAT &&
		    *promoted < PROMOTE_MAX && promote(fs, ino, idx))
			(*promoted)++;
		itme_inode_put(ino);
		cond_resched();
	}
}

static void sample_worker(struct work_struct *work)
{
	struct itme_fs *fs = container_of(work, struct itme_fs, sample_work.work);
	u64 read = atomic64_read(&fs->counters.v[ITME_READ_BYTES]);
	u32 promoted = 0;

	itme_chunks_retry_held(fs);
	itme_plans_balance(fs);
	/* With nothing in CXL and nothing being read there is nothing to decide. */
	if (read != fs->sampled_read || atomic_long_read(&itme_tiers[ITME_TIER_CXL].used))
		for (int tier = 0; tier < ITME_MEM_TIERS; tier++)
			sample_tier(fs, tier, &promoted);
	fs->sampled_read = read;
	queue_delayed_work(system_unbound_wq, &fs->sample_work, SAMPLE_PERIOD);
}

/**
 * itme_pressure_start - begin to listen to the kernel
 * @fs: file system, mounted
 *
 * Return: 0 or -errno
 */
int itme_pressure_start(struct itme_fs *fs)
{
	int err = -ENOMEM;

	INIT_WORK(&fs->evict_work, evict_worker);
	INIT_DELAYED_WORK(&fs->sample_work, sample_worker);
	fs->evict_wq = alloc_workqueue("itme_evict", WQ_UNBOUND | WQ_MEM_RECLAIM, 1);
	if (!fs->evict_wq)
		return err;
	shrinker = shrinker_alloc(SHRINKER_NUMA_AWARE, "itme");
	if (!shrinker)
		goto wq;
	pressure_fs = fs;
	err = register_memory_notifier(&memory_nb);
	if (err)
		goto shrinker;
	shrinker->count_objects = shrink_count;
	shrinker->scan_objects = shrink_scan;
	shrinker->private_data = fs;
	shrinker->batch = ITME_CHUNK_MAX_PAGES;
	shrinker_register(shrinker);
	queue_delayed_work(system_unbound_wq, &fs->sample_work, SAMPLE_PERIOD);
	return 0;
shrinker:
	shrinker_free(shrinker);
wq:
	destroy_workqueue(fs->evict_wq);
	fs->evict_wq = NULL;
	return err;
}

/**
 * itme_pressure_stop - stop to listen
 * @fs: file system, being unmounted
 *
 * After this nothing here holds an inode. Each of the three waits for its own.
 */
void itme_pressure_stop(struct itme_fs *fs)
{
	if (!fs->evict_wq)
		return;
	unregister_memory_notifier(&memory_nb);
	shrinker_free(shrinker);
	cancel_delayed_work_sync(&fs->sample_work);
	destroy_workqueue(fs->evict_wq);
}
