// SPDX-License-Identifier: GPL-2.0
/*
 * DOC: the use of chunks, and how much may be ahead of it
 */
#include "itme.h"
#include "trigger.h"

/* Read-ahead beyond this gains nothing: 16 reads of 2 MiB fill a drive's queue. */
#define WINDOW_BYTES	(32UL << 20)

/* Has nobody used it since it was filled? A hint, without the lock. */
bool itme_chunk_untouched(const struct itme_inode *ino, u32 idx)
{
	return READ_ONCE(itme_chunk_at(ino, idx)->flags) & ITME_C_UNTOUCHED;
}

/* Note a use that is not the first one. From any context, without the lock. */
void itme_chunk_young(struct itme_inode *ino, u32 idx)
{
	struct itme_chunk *c = itme_chunk_at(ino, idx);

	if (READ_ONCE(c->young))
		return;
	WRITE_ONCE(c->stamp, itme_now());
	WRITE_ONCE(c->young, 1);
}

/* Room for what passes through DRAM, pages, but for what is wide. */
long itme_chunk_ring(struct itme_fs *fs)
{
	return itme_policy_ring(atomic_long_read(&itme_tiers[ITME_TIER_DRAM].budget),
				READ_ONCE(fs->queues[ITME_TIER_DRAM].planned));
}

static u32 max_window(struct itme_inode *ino)
{
	unsigned long pages = max(itme_chunk_ring(ino->fs), itme_tier_room(ITME_TIER_DRAM)) / 2;
	unsigned long bytes = min(pages << PAGE_SHIFT, WINDOW_BYTES);

	return max(1UL, bytes >> ino->chunk_shift);
}

/**
 * itme_chunk_issue_room - what may be read ahead now
 * @fs: file system
 *
 * See itme_policy_ahead(). What has been asked for counts before it is charged: a
 * reader that is ahead of the workers must not ask for the same room twice. Under
 * fs->lock.
 *
 * Return: pages, may be negative
 */
long itme_chunk_issue_room(struct itme_fs *fs)
{
	const struct itme_queues *q = &fs->queues[ITME_TIER_DRAM];
	long budget = atomic_long_read(&itme_tiers[ITME_TIER_DRAM].budget);
	long ahead = itme_policy_ahead(q, budget) - q->ring.pages - fs->asked;
	long room = itme_tier_room(ITME_TIER_DRAM) - fs->asked;

	lockdep_assert_held(&fs->lock);
	return max(ahead, room / 2);
}

/**
 * itme_chunk_give_up - a chunk was read ahead, but he who it was for has gone
 * @ino: file
 * @idx: chunk
 *
 * It leaves as what has passed through does. Under fs->lock.
 */
void itme_chunk_give_up(struct itme_inode *ino, u32 idx)
{
	struct itme_chunk *c = itme_chunk_at(ino, idx);
	u8 kept = ITME_C_HELD | ITME_C_PINNED;

	lockdep_assert_held(&ino->fs->lock);
	if (c->state != ITME_RESIDENT || c->flags & kept || !(c->flags & ITME_C_RING) ||
	    !(c->flags & ITME_C_UNTOUCHED) || !(c->flags & ITME_C_PREFETCH))
		return;
	itme_queue_set_untouched(ino, c, false);
	c->flags &= ~ITME_C_PREFETCH;
	itme_count(ino, ITME_PREFETCH_WASTED, itme_chunk_bytes(ino, idx));
}

/**
 * itme_chunk_touch - note the first use since a fill
 * @ino: file
 * @idx: chunk
 * @random: the reader said that it reads at random
 *
 * Return: what to read ahead
 */
struct itme_range itme_chunk_touch(struct itme_inode *ino, u32 idx, bool random)
{
	struct itme_chunk *c = itme_chunk_at(ino, idx);
	struct itme_chunk *before = idx ? itme_chunk_at(ino, idx - 1) : NULL;
	struct itme_fs *fs = ino->fs;
	struct itme_range range, said;
	bool used, planned;
	long room;

	spin_lock(&fs->lock);
	used = (c->flags & ITME_C_UNTOUCHED) && (c->flags & ITME_C_PREFETCH);
	itme_queue_set_untouched(ino, c, false);
	c->flags &= ~ITME_C_PREFETCH;
	WRITE_ONCE(c->young, 1);
	WRITE_ONCE(c->stamp, itme_now());
	/* What triggers name is used by itself, not with what is beside it in the file. */
	said = itme_triggers_range(ino, idx);
	planned = itme_plan_touch(ino, idx, said.start <= idx);
	room = planned ? 0 : max(0L, itme_chunk_issue_room(fs));
	range = itme_stream_touch(&ino->streams, &(struct itme_touch){
		.idx = idx,
		.nr_chunks = said.start > idx ? min(said.start, ino->nr_chunks) : ino->nr_chunks,
		.max_window = max_window(ino),
		.max_issue = min_t(u64, U32_MAX, ((u64)room << PAGE_SHIFT) >> ino->chunk_shift),
		.after_resident = before && before->state == ITME_RESIDENT && before->young,
		.believe = (said.start > idx ? 0 : said.nr + ITME_RUN_RANDOM) +
			   (random ? ITME_RUN_RANDOM : 0),
	});
	spin_unlock(&fs->lock);

	if (used)
		itme_count(ino, ITME_PREFETCH_USED, itme_chunk_bytes(ino, idx));
	return range;
}

/**
 * itme_chunk_interval - time between the last two uses, as far as seen
 * @ino: file
 * @idx: chunk
 *
 * Return: units of 1/ITME_HZ s; 0 unknown, or said to be cold, or never used:
 * such a chunk displaces nothing
 */
u32 itme_chunk_interval(struct itme_inode *ino, u32 idx)
{
	struct itme_chunk *c = itme_chunk_at(ino, idx);
	u32 interval;

	spin_lock(&ino->fs->lock);
	interval = c->flags & ITME_C_COLD ? 0 : c->interval;
	spin_unlock(&ino->fs->lock);
	return interval;
}

/* Is it worth a place in a slower tier, rather than being dropped? */
bool itme_chunk_demotable(struct itme_inode *ino, u32 idx)
{
	return !(READ_ONCE(itme_chunk_at(ino, idx)->flags) & (ITME_C_COLD | ITME_C_UNTOUCHED));
}
