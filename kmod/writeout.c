// SPDX-License-Identifier: GPL-2.0
/*
 * DOC: room is made before it is needed, and reads go before writes
 *
 * A fault that finds no room must wait for what leaves; if that has been written, it
 * must wait for the write, which a worker does. So as soon as somebody writes and there is
 * little room in the last tier of memory, writers let the policy's victims leave, a few at
 * a time.
 *
 * Somebody waits for most reads, for few writes: while there are reads under way, writes
 * go one small part at a time, unless a read waits for the room that they make.
 */
#include <linux/math64.h>
#include <linux/sizes.h>

#include "itme.h"
#include "swap.h"
#include "writeout.h"

/* A part beside reads: not much longer on the drive than what it delays. */
#define PART_PAGES	(SZ_256K >> PAGE_SHIFT)
/* Part of the budget that is kept free, and no more than that. */
#define FREE_PART	32
#define FREE_MAX	(SZ_64M >> PAGE_SHIFT)

/* The tier that nothing is demoted from. */
static int last_tier(void)
{
	return atomic_long_read(&itme_tiers[ITME_TIER_CXL].budget) ? ITME_TIER_CXL :
								     ITME_TIER_DRAM;
}

/* Below this much room in a tier writers begin; they end at twice as much. */
static long low_room(int tier)
{
	long part = atomic_long_read(&itme_tiers[tier].budget) / FREE_PART;

	return clamp(part, (long)ITME_CHUNK_MAX_PAGES / 2, (long)FREE_MAX);
}

/* Keeps to the rate: waits for as long as so many bytes may take. */
static void pace(struct itme_fs *fs, u64 bytes)
{
	u64 rate = READ_ONCE(fs->writeout.rate);

	if (!rate || !bytes)
		return;
	wait_event_idle_timeout(fs->inflight_wait, READ_ONCE(fs->stopping),
				1 + mul_u64_u64_div_u64(bytes, HZ, rate));
}

static void write_out(struct work_struct *work)
{
	struct itme_writer *writer = container_of(work, struct itme_writer, work);
	struct itme_fs *fs = writer->fs;
	atomic64_t *written = &fs->counters.v[ITME_SWAP_OUT];
	int tier = last_tier();

	while (!READ_ONCE(fs->stopping) && itme_tier_room(tier) < 2 * low_room(tier) &&
	       itme_can_store(fs)) {
		u64 before = atomic64_read(written);

		if (!itme_evict(fs, tier, false))
			return;
		/* Of all writers: with a rate there is only one. */
		pace(fs, atomic64_read(written) - before);
		cond_resched();
	}
}

/**
 * itme_writeout_kick - somebody writes, and has just taken room
 * @fs: file system
 */
void itme_writeout_kick(struct itme_fs *fs)
{
	u32 writers = READ_ONCE(fs->writeout.rate) ? 1 : ITME_WRITERS;
	int tier = last_tier();

	if (itme_tier_room(tier) >= low_room(tier))
		return;
	for (u32 i = 0; i < writers; i++)
		queue_work(fs->writeout.wq, &fs->writeout.writer[i].work);
}

static void make_room(struct work_struct *work)
{
	struct itme_roomer *r = container_of(work, struct itme_roomer, work);

	WRITE_ONCE(r->gone, itme_evict(r->fs, r->tier, true));
	/* Who sees the round sees what came of it; pairs with round_over(). */
	smp_store_release(&r->rounds, r->rounds + 1);
	wake_up_all(&r->fs->pages_wait);
}

static bool round_over(const struct itme_roomer *r, u32 round)
{
	/* Pairs with make_room(). */
	return smp_load_acquire(&r->rounds) != round;
}

/**
 * itme_writeout_room - have the policy's victim leave a tier, and wait for it
 * @fs: file system
 * @tier: memory tier
 * @pages: how many are needed
 *
 * A worker does it, as the victim may have to be written to a drive that does not answer:
 * the task can be killed meanwhile, or goes on when there is room otherwise.
 *
 * Return: 1: something has left; 0: nothing may; -EINTR when the task is being killed
 */
int itme_writeout_room(struct itme_fs *fs, int tier, long pages)
{
	struct itme_roomer *r = &fs->writeout.roomer[tier];
	u32 round = READ_ONCE(r->rounds);

	queue_work(fs->writeout.wq, &r->work);
	if (wait_event_killable(fs->pages_wait,
				round_over(r, round) || itme_tier_room(tier) >= pages))
		return -EINTR;
	return READ_ONCE(r->gone) > 0 || itme_tier_room(tier) >= pages;
}

/**
 * itme_writeout_begin - before a part of a chunk is written
 * @fs: file system
 * @pages: set to how much that part may be; 0 all of the chunk
 *
 * Return: for itme_writeout_end()
 */
bool itme_writeout_begin(struct itme_fs *fs, u32 *pages)
{
	*pages = 0;
	if (!atomic_read(&fs->reads) || atomic_read(&fs->starving))
		return false;
	*pages = PART_PAGES;
	mutex_lock(&fs->writeout.one);
	return true;
}

void itme_writeout_end(struct itme_fs *fs, bool alone)
{
	if (alone)
		mutex_unlock(&fs->writeout.one);
}

int itme_writeout_start(struct itme_fs *fs)
{
	struct itme_writeout *w = &fs->writeout;

	mutex_init(&w->one);
	for (u32 i = 0; i < ITME_WRITERS; i++) {
		w->writer[i].fs = fs;
		INIT_WORK(&w->writer[i].work, write_out);
	}
	for (int tier = 0; tier < ITME_MEM_TIERS; tier++) {
		w->roomer[tier].fs = fs;
		w->roomer[tier].tier = tier;
		INIT_WORK(&w->roomer[tier].work, make_room);
	}
	w->wq = alloc_workqueue("itme_writeout", WQ_UNBOUND | WQ_MEM_RECLAIM,
				ITME_WRITERS + ITME_MEM_TIERS);
	return w->wq ? 0 : -ENOMEM;
}

/* None holds an inode after this. Nobody kicks any more. */
void itme_writeout_stop(struct itme_fs *fs)
{
	if (fs->writeout.wq)
		destroy_workqueue(fs->writeout.wq);
	fs->writeout.wq = NULL;
}
