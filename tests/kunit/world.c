// SPDX-License-Identifier: GPL-2.0
#include <linux/bitmap.h>
#include <linux/module.h>
#include <linux/vmalloc.h>

#include "world.h"

static bool soak;
module_param(soak, bool, 0444);
MODULE_PARM_DESC(soak, "take minutes for the races, not seconds");
static ulong seed = 1;
module_param(seed, ulong, 0444);
MODULE_PARM_DESC(seed, "of the random numbers");

bool world_soak(void)
{
	return soak;
}

u64 world_seed(void)
{
	return seed;
}

struct world_chunk *world_chunk(struct itme_inode *ino, u32 idx)
{
	return &container_of(ino, struct world_file, ino)->chunk[idx];
}

void world_own(struct itme_inode *ino, u32 idx)
{
	struct world *w = container_of(ino->fs, struct world, fs);

	if (atomic_xchg(&world_chunk(ino, idx)->owner, 1))
		atomic_inc(&w->double_owner);
}

void world_disown(struct itme_inode *ino, u32 idx)
{
	struct world *w = container_of(ino->fs, struct world, fs);

	if (!atomic_xchg(&world_chunk(ino, idx)->owner, 0))
		atomic_inc(&w->double_owner);
}

static void free_files(struct world *w)
{
	for (int i = 0; i < w->nr_files; i++) {
		kvfree(w->file[i].ino.chunks);
		kvfree(w->file[i].chunk);
	}
	xa_destroy(&w->fs.objects);
}

void world_exit(struct kunit *test)
{
	struct world *w = test->priv;

	if (!w)
		return;
	if (w->fs.hint_wq)
		destroy_workqueue(w->fs.hint_wq);
	if (w->fs.heat_wq)
		destroy_workqueue(w->fs.heat_wq);
	free_files(w);
	memset(itme_tiers, 0, sizeof(itme_tiers));
}

int world_init(struct kunit *test)
{
	struct world *w = kunit_kzalloc(test, sizeof(*w), GFP_KERNEL);
	struct itme_fs *fs;

	if (!w)
		return -ENOMEM;
	test->priv = w;
	w->test = test;
	fs = &w->fs;
	spin_lock_init(&fs->lock);
	mutex_init(&fs->budget_lock);
	xa_init(&fs->objects);
	init_waitqueue_head(&fs->pages_wait);
	init_waitqueue_head(&fs->inflight_wait);
	for (int tier = 0; tier < ITME_MEM_TIERS; tier++) {
		struct itme_queues *q = &fs->queues[tier];

		INIT_LIST_HEAD(&q->main.list);
		INIT_LIST_HEAD(&q->ring.list);
		INIT_LIST_HEAD(&q->used.list);
		INIT_LIST_HEAD(&q->held.list);
		atomic_long_set(&itme_tiers[tier].used, 0);
		nodes_clear(itme_tiers[tier].nodes);
	}
	node_set(0, itme_tiers[DRAM].nodes);
	node_set(1, itme_tiers[CXL].nodes);
	world_budget(DRAM, 64);
	world_budget(CXL, 64);
	fs->hint_wq = alloc_workqueue("itme_kunit_hint", WQ_UNBOUND, 8);
	fs->heat_wq = alloc_workqueue("itme_kunit_heat", WQ_UNBOUND, 0);
	return fs->hint_wq && fs->heat_wq ? 0 : -ENOMEM;
}

void world_budget(int tier, long chunks)
{
	atomic_long_set(&itme_tiers[tier].budget, chunks * CHUNK_PAGES);
}

struct itme_inode *world_file(struct world *w, u64 bytes)
{
	struct world_file *file = &w->file[w->nr_files];
	struct itme_inode *ino = &file->ino;
	u64 nr = DIV_ROUND_UP_ULL(bytes, 1ULL << CHUNK_SHIFT);

	KUNIT_ASSERT_LT(w->test, w->nr_files, WORLD_FILES);
	ino->fs = &w->fs;
	ino->id = ++w->nr_files;
	ino->nr_chunks = nr;
	ino->chunk_shift = CHUNK_SHIFT;
	inode_init_once(&ino->vfs);
	spin_lock_init(&ino->vfs.i_lock);
	ino->vfs.i_mapping = &ino->vfs.i_data;
	atomic_set(&ino->vfs.i_count, 1);
	i_size_write(&ino->vfs, bytes);
	ino->chunks = kvcalloc(nr, sizeof(*ino->chunks), GFP_KERNEL);
	file->chunk = kvcalloc(nr, sizeof(*file->chunk), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(w->test, ino->chunks);
	KUNIT_ASSERT_NOT_NULL(w->test, file->chunk);
	for (u32 i = 0; i < nr; i++) {
		INIT_LIST_HEAD(&ino->chunks[i].node);
		ino->chunks[i].object = ino->id;
	}
	KUNIT_ASSERT_EQ(w->test, xa_err(xa_store(&w->fs.objects, ino->id, ino, GFP_KERNEL)), 0);
	return ino;
}

static void fill(struct itme_inode *ino, u32 idx, int tier, bool demand)
{
	struct world *w = container_of(ino->fs, struct world, fs);

	KUNIT_ASSERT_TRUE(w->test, itme_chunk_begin_fill(ino, idx, demand, false));
	itme_fill(ino, idx, demand, tier);
	KUNIT_ASSERT_EQ(w->test, itme_chunk_peek(ino, idx).state, ITME_RESIDENT);
	KUNIT_ASSERT_EQ(w->test, world_tier(ino, idx), tier);
}

void world_resident(struct itme_inode *ino, u32 idx, int tier)
{
	fill(ino, idx, tier, true);
}

void world_prefetched(struct itme_inode *ino, u32 idx, int tier)
{
	fill(ino, idx, tier, false);
}

void world_used(struct itme_inode *ino, u32 idx, int tier)
{
	fill(ino, idx, tier, true);
	itme_chunk_touch(ino, idx, true);
}

void world_state(struct itme_inode *ino, u32 idx, enum itme_state state)
{
	struct world *w = container_of(ino->fs, struct world, fs);
	struct kunit *test = w->test;

	switch (state) {
	case ITME_ABSENT:
		break;
	case ITME_FILLING:
		KUNIT_ASSERT_TRUE(test, itme_chunk_begin_fill(ino, idx, true, false));
		break;
	case ITME_RESIDENT:
		world_resident(ino, idx, DRAM);
		break;
	case ITME_BUSY:
		world_resident(ino, idx, DRAM);
		KUNIT_ASSERT_TRUE(test, itme_chunk_begin_leave(ino, idx));
		break;
	}
	KUNIT_ASSERT_EQ(test, itme_chunk_peek(ino, idx).state, state);
}

int world_tier(struct itme_inode *ino, u32 idx)
{
	return itme_chunk_peek(ino, idx).tier;
}

int world_refs(struct itme_inode *ino)
{
	return atomic_read(&ino->vfs.i_count) - 1;
}

/* Chunks on one queue: of this tier and kind, counted, and each of them just once. */
static const char *wrong_queue(struct world *w, int tier, struct itme_queue *q,
			       unsigned long **seen)
{
	struct itme_chunk *c;
	long pages = 0;

	list_for_each_entry(c, &q->list, node) {
		struct itme_inode *ino;
		u32 idx;

		if (!c->object || c->object > w->nr_files)
			return "a chunk of no file is queued";
		ino = &w->file[c->object - 1].ino;
		idx = c - ino->chunks;
		if (__test_and_set_bit(idx, seen[c->object - 1]))
			return "a chunk is on two queues";
		if (c->state == ITME_ABSENT)
			return "an absent chunk is queued";
		if (c->flags & ITME_C_PINNED)
			return "a pinned chunk is queued";
		if (c->tier != tier || itme_queue_of(&w->fs, c) != q)
			return "a chunk is on a queue that is not its own";
		if (tier == CXL && c->flags & ITME_C_RING)
			return "CXL has a ring";
		pages += itme_chunk_pages(ino, idx);
	}
	return pages == q->pages ? NULL : "the pages of a queue are not those of its chunks";
}

static const char *wrong_chunks(struct world *w, unsigned long **seen, int pinning)
{
	long pinned[ITME_MEM_TIERS] = {};

	for (int f = 0; f < w->nr_files; f++) {
		struct itme_inode *ino = &w->file[f].ino;

		for (u32 i = 0; i < ino->nr_chunks; i++) {
			struct itme_chunk *c = &ino->chunks[i];
			bool rests = c->state == ITME_RESIDENT || c->state == ITME_BUSY;

			if (c->state > ITME_BUSY)
				return "a chunk has no state";
			if (list_empty(&c->node) == test_bit(i, seen[f]))
				return "a chunk is on a list that is no queue";
			if (c->flags & ITME_C_PINNED)
				pinned[c->tier] += itme_chunk_pages(ino, i);
			else if (rests && !test_bit(i, seen[f]))
				return "a resident chunk is on no queue";
		}
	}
	for (int tier = 0; tier < ITME_MEM_TIERS; tier++) {
		long budget = atomic_long_read(&itme_tiers[tier].budget);
		long max = itme_policy_stay_max(tier, budget) + pinning * CHUNK_PAGES;

		if (pinned[tier] != w->fs.queues[tier].pinned)
			return "the pages pinned are not those of the chunks pinned";
		if (pinned[tier] > max)
			return "more is pinned than may be";
	}
	return NULL;
}

const char *world_wrong(struct world *w, int pinning)
{
	unsigned long *seen[WORLD_FILES] = {};
	const char *wrong = NULL;

	for (int f = 0; f < w->nr_files; f++) {
		seen[f] = bitmap_zalloc(w->file[f].ino.nr_chunks, GFP_KERNEL);
		if (!seen[f])
			wrong = "no memory to look";
	}
	spin_lock(&w->fs.lock);
	for (int tier = 0; tier < ITME_MEM_TIERS && !wrong; tier++) {
		struct itme_queues *q = &w->fs.queues[tier];

		wrong = wrong_queue(w, tier, &q->main, seen) ?:
			wrong_queue(w, tier, &q->ring, seen) ?:
			wrong_queue(w, tier, &q->used, seen) ?:
			wrong_queue(w, tier, &q->held, seen);
	}
	if (!wrong)
		wrong = wrong_chunks(w, seen, pinning);
	spin_unlock(&w->fs.lock);
	for (int f = 0; f < w->nr_files; f++)
		bitmap_free(seen[f]);
	if (!wrong && atomic_read(&w->double_owner))
		wrong = "a chunk in transit had two owners";
	return wrong;
}

static const char *wrong_counters(struct world *w)
{
	for (int i = 0; i < ITME_NR_COUNTERS; i++) {
		s64 sum = 0;

		for (int f = 0; f < w->nr_files; f++)
			sum += atomic64_read(&w->file[f].ino.counters.v[i]);
		if (i != ITME_STALL_MAX && sum != atomic64_read(&w->fs.counters.v[i]))
			return "the counters of the files do not add up";
	}
	return NULL;
}

const char *world_wrong_at_rest(struct world *w)
{
	long pages[ITME_MEM_TIERS] = {};

	for (int f = 0; f < w->nr_files; f++) {
		struct itme_inode *ino = &w->file[f].ino;

		if (world_refs(ino))
			return "an inode is still held";
		for (u32 i = 0; i < ino->nr_chunks; i++) {
			struct itme_chunk *c = &ino->chunks[i];
			struct world_chunk *chunk = world_chunk(ino, i);

			if (itme_in_transit(c->state))
				return "a chunk has been left in transit";
			if (c->state == ITME_RESIDENT ? !chunk->pages : chunk->pages)
				return "a chunk is not where its state says";
			if (chunk->pages)
				pages[chunk->tier] += chunk->pages;
		}
	}
	for (int tier = 0; tier < ITME_MEM_TIERS; tier++)
		if (pages[tier] != atomic_long_read(&itme_tiers[tier].used))
			return "the memory charged is not that of the chunks";
	if (atomic_read(&w->fs.inflight))
		return "work is still counted in flight";
	if (atomic_read(&w->fs.prefetches))
		return "prefetches are still counted";
	return wrong_counters(w) ?: world_wrong(w, 0);
}

MODULE_DESCRIPTION("KUnit tests of itme");
MODULE_LICENSE("GPL");
