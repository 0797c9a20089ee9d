// SPDX-License-Identifier: GPL-2.0
/* Which queue a chunk is on, where in it, and what each queue counts. */
#include "world.h"

/* Of a budget of 64 chunks, 32 may stay: one file, but for 14 pages. */
#define SHORT	31	/* the last chunk: two pages */
#define NR	32
#define BYTES	(((u64)SHORT << CHUNK_SHIFT) + 5000)
#define PAGES	(SHORT * CHUNK_PAGES + 2)

static struct itme_queues *queues(struct world *w, int tier)
{
	return &w->fs.queues[tier];
}

static struct itme_queue *queue_of(struct world *w, struct itme_inode *ino, u32 idx)
{
	return itme_queue_of(&w->fs, &ino->chunks[idx]);
}

/* What comes first stays as long as it fits; what does not, passes through. */
static void queue_by_use(struct kunit *test)
{
	struct world *w = test->priv;
	struct itme_inode *ino = world_file(w, BYTES), *more = world_file(w, BYTES);
	struct itme_queues *q = queues(w, DRAM);

	for (u32 idx = 0; idx < NR; idx++) {
		world_used(ino, idx, DRAM);
		KUNIT_ASSERT_PTR_EQ(test, queue_of(w, ino, idx), &q->main);
	}
	KUNIT_EXPECT_EQ(test, q->main.pages, PAGES);
	KUNIT_EXPECT_FALSE(test, itme_chunk_fits_main(more, 0));
	KUNIT_EXPECT_TRUE(test, itme_chunk_fits_main(more, SHORT));
	world_prefetched(more, 0, DRAM);
	KUNIT_EXPECT_PTR_EQ(test, queue_of(w, more, 0), &q->ring);
	itme_chunk_touch(more, 0, true);
	KUNIT_EXPECT_PTR_EQ(test, queue_of(w, more, 0), &q->used);
	KUNIT_EXPECT_EQ(test, q->ring.pages, 0);
	KUNIT_EXPECT_EQ(test, q->used.pages, CHUNK_PAGES);
	/* CXL is read in place: nothing passes through. */
	world_prefetched(more, 1, CXL);
	KUNIT_EXPECT_PTR_EQ(test, queue_of(w, more, 1), &queues(w, CXL)->main);
	world_used(more, SHORT, CXL);
	KUNIT_EXPECT_EQ(test, queues(w, CXL)->main.pages, CHUNK_PAGES + 2);
	/* Moved up, it finds main full. */
	itme_chunk_follow(more, 1, DRAM);
	KUNIT_EXPECT_PTR_EQ(test, queue_of(w, more, 1), &q->ring);
	KUNIT_EXPECT_EQ(test, queues(w, CXL)->main.pages, 2);
	EXPECT_WORLD_RIGHT(w);
}

static void queue_cold_and_hot(struct kunit *test)
{
	struct world *w = test->priv;
	struct itme_inode *ino = world_file(w, BYTES);
	struct itme_queues *q = queues(w, DRAM);

	for (u32 idx = 0; idx < 8; idx++)
		world_used(ino, idx, idx < 4 ? DRAM : CXL);
	KUNIT_EXPECT_TRUE(test, itme_chunk_set_cold(ino, 3));
	KUNIT_EXPECT_TRUE(test, itme_chunk_set_cold(ino, 1));
	/* First to leave: behind what was said to be cold before. */
	KUNIT_EXPECT_PTR_EQ(test, queue_of(w, ino, 1), &q->used);
	KUNIT_EXPECT_PTR_EQ(test, q->used.list.prev, &ino->chunks[1].node);
	KUNIT_EXPECT_FALSE(test, itme_chunk_demotable(ino, 1));
	KUNIT_EXPECT_TRUE(test, itme_chunk_set_cold(ino, 6));
	KUNIT_EXPECT_PTR_EQ(test, queues(w, CXL)->main.list.prev, &ino->chunks[6].node);
	KUNIT_EXPECT_EQ(test, ino->chunks[6].young, 0);

	KUNIT_EXPECT_TRUE(test, itme_chunk_set_hot(ino, 1, DRAM));
	KUNIT_EXPECT_PTR_EQ(test, queue_of(w, ino, 1), &q->main);
	KUNIT_EXPECT_PTR_EQ(test, q->main.list.next, &ino->chunks[1].node);
	KUNIT_EXPECT_EQ(test, ino->chunks[1].young, 1);
	KUNIT_EXPECT_TRUE(test, itme_chunk_demotable(ino, 1));
	EXPECT_WORLD_RIGHT(w);
}

/* Pins: on no queue, counted to the page, up to what leaves the ring free. */
static void queue_pins(struct kunit *test)
{
	struct world *w = test->priv;
	struct itme_inode *ino = world_file(w, BYTES), *more = world_file(w, BYTES);
	struct itme_queues *q = queues(w, DRAM);
	bool fresh;

	world_used(ino, SHORT, DRAM);
	KUNIT_EXPECT_EQ(test, itme_chunk_pin(ino, SHORT, DRAM, &fresh), 0);
	KUNIT_EXPECT_TRUE(test, fresh);
	KUNIT_EXPECT_EQ(test, q->pinned, 2);
	KUNIT_EXPECT_EQ(test, q->main.pages, 0);
	KUNIT_EXPECT_TRUE(test, itme_chunk_kept(ino, SHORT));
	KUNIT_EXPECT_FALSE(test, itme_chunk_set_cold(ino, SHORT));
	KUNIT_EXPECT_EQ(test, itme_chunk_pin(ino, SHORT, DRAM, &fresh), 0);
	KUNIT_EXPECT_FALSE(test, fresh);
	KUNIT_EXPECT_EQ(test, q->pinned, 2);

	for (u32 idx = 0; idx < SHORT; idx++)
		KUNIT_ASSERT_EQ(test, itme_chunk_pin(ino, idx, DRAM, &fresh), 0);
	KUNIT_EXPECT_EQ(test, q->pinned, PAGES);
	KUNIT_EXPECT_EQ(test, itme_chunk_pin(more, 0, DRAM, &fresh), -ENOSPC);
	KUNIT_EXPECT_FALSE(test, fresh);
	KUNIT_EXPECT_EQ(test, itme_chunk_peek(more, 0).flags & ITME_C_PINNED, 0);
	EXPECT_WORLD_RIGHT(w);

	/* A pinned chunk comes to where it is pinned, whatever the fill would like. */
	KUNIT_ASSERT_TRUE(test, itme_chunk_begin_fill(ino, 0, true, false));
	KUNIT_EXPECT_EQ(test, itme_chunk_place(ino, 0, CXL, ITME_CLASS_NONE, false), DRAM);
	itme_chunk_end_fill(ino, 0, true, 0);
	KUNIT_EXPECT_EQ(test, q->pinned, PAGES);
	/* Pinned is pinned: asked for elsewhere, it is moved, not pinned once more. */
	KUNIT_EXPECT_EQ(test, itme_chunk_pin(ino, 0, CXL, &fresh), 0);
	KUNIT_EXPECT_FALSE(test, fresh);
	KUNIT_EXPECT_EQ(test, queues(w, CXL)->pinned, 0);
	/* It stays pinned through a loss of its memory. */
	KUNIT_ASSERT_TRUE(test, itme_chunk_begin_leave(ino, 0));
	itme_chunk_end_leave(ino, 0, NVME, false);
	KUNIT_EXPECT_TRUE(test, itme_chunk_peek(ino, 0).flags & ITME_C_PINNED);
	EXPECT_WORLD_RIGHT(w);

	for (u32 idx = 0; idx < NR; idx++)
		KUNIT_EXPECT_TRUE(test, itme_chunk_unpin(ino, idx));
	KUNIT_EXPECT_EQ(test, q->pinned, 0);
	EXPECT_WORLD_RIGHT(w);
}

/* A pin goes along to another tier, but not above what may be pinned there. */
static void queue_pin_moves(struct kunit *test)
{
	struct world *w = test->priv;
	struct itme_inode *ino = world_file(w, BYTES);
	bool fresh;

	world_budget(CXL, 1);
	for (u32 idx = 0; idx < 2; idx++) {
		world_used(ino, idx, DRAM);
		KUNIT_ASSERT_EQ(test, itme_chunk_pin(ino, idx, DRAM, &fresh), 0);
		itme_chunk_follow(ino, idx, CXL);
	}
	KUNIT_EXPECT_TRUE(test, itme_chunk_peek(ino, 0).flags & ITME_C_PINNED);
	KUNIT_EXPECT_FALSE(test, itme_chunk_peek(ino, 1).flags & ITME_C_PINNED);
	KUNIT_EXPECT_EQ(test, queues(w, DRAM)->pinned, 0);
	KUNIT_EXPECT_EQ(test, queues(w, CXL)->pinned, CHUNK_PAGES);
	KUNIT_EXPECT_EQ(test, queues(w, CXL)->main.pages, CHUNK_PAGES);
	EXPECT_WORLD_RIGHT(w);
}

/* What cannot leave is set aside, as far as may be, and tried again later. */
static void queue_held(struct kunit *test)
{
	struct world *w = test->priv;
	struct itme_inode *ino = world_file(w, BYTES), *more = world_file(w, BYTES);
	struct itme_queues *q = queues(w, DRAM);
	u32 victim;

	world_used(more, 0, DRAM);
	for (u32 idx = 0; idx < NR; idx++) {
		world_used(ino, idx, DRAM);
		KUNIT_EXPECT_TRUE(test, itme_chunk_may_hold(ino, idx));
		world_chunk(ino, idx)->held = true;
		KUNIT_ASSERT_TRUE(test, itme_chunk_begin_leave(ino, idx));
		KUNIT_EXPECT_FALSE(test, itme_drop(ino, idx, false));
		KUNIT_EXPECT_PTR_EQ(test, queue_of(w, ino, idx), &q->held);
	}
	KUNIT_EXPECT_EQ(test, q->held.pages, PAGES);
	/* One that is held already takes no more room than it does. */
	KUNIT_EXPECT_FALSE(test, itme_chunk_may_hold(more, 0));
	KUNIT_EXPECT_TRUE(test, itme_chunk_may_hold(ino, 0));
	/* No search meets them again. */
	KUNIT_ASSERT_PTR_EQ(test, itme_chunk_begin_victim(&w->fs, DRAM, true, &victim), more);
	KUNIT_EXPECT_NULL(test, itme_chunk_begin_victim(&w->fs, DRAM, true, &victim));
	itme_drop(more, 0, false);
	itme_inode_put(more);
	EXPECT_WORLD_AT_REST(w);

	/* Busy, or of an inode that is being evicted: not touched. */
	KUNIT_ASSERT_TRUE(test, itme_chunk_begin_leave(ino, 5));
	itme_chunks_retry_held(&w->fs);
	KUNIT_EXPECT_EQ(test, q->held.pages, CHUNK_PAGES);
	KUNIT_EXPECT_EQ(test, q->main.pages + q->used.pages, PAGES - CHUNK_PAGES);
	itme_chunk_end_leave(ino, 5, DRAM, true);
	KUNIT_EXPECT_EQ(test, q->held.pages, CHUNK_PAGES);
	xa_erase(&w->fs.objects, ino->id);
	itme_chunks_retry_held(&w->fs);
	KUNIT_EXPECT_EQ(test, q->held.pages, CHUNK_PAGES);
	xa_store(&w->fs.objects, ino->id, ino, GFP_KERNEL);
	itme_chunks_retry_held(&w->fs);
	KUNIT_EXPECT_EQ(test, q->held.pages, 0);
	EXPECT_WORLD_AT_REST(w);
}

/* The sampler sees each chunk of main once a round, and counts the rounds it was used in. */
static void queue_sample(struct kunit *test)
{
	struct world *w = test->priv;
	struct itme_inode *ino = world_file(w, BYTES);
	unsigned long seen = 0;
	bool touched;
	u32 idx, heat;

	KUNIT_EXPECT_NULL(test, itme_chunk_sample(&w->fs, DRAM, &idx, &touched, &heat));
	for (idx = 0; idx < 16; idx++)
		world_used(ino, idx, CXL);
	for (int round = 1; round < 20; round++) {
		for (int i = 0; i < 16; i++) {
			struct itme_inode *got;

			got = itme_chunk_sample(&w->fs, CXL, &idx, &touched, &heat);
			KUNIT_ASSERT_PTR_EQ(test, got, ino);
			KUNIT_EXPECT_EQ(test, world_refs(ino), 1);
			itme_inode_put(got);
			KUNIT_EXPECT_FALSE(test, test_and_set_bit(idx, &seen));
			/* Used every time since; those above 7 were in the first round only. */
			KUNIT_EXPECT_EQ(test, touched, idx < 8 || round == 1);
			KUNIT_EXPECT_EQ(test, heat, touched ? min(round, 15) : 0);
			KUNIT_EXPECT_EQ(test, ino->chunks[idx].young, 0);
			if (idx < 8)
				itme_chunk_young(ino, idx);
		}
		KUNIT_EXPECT_EQ(test, seen, 0xffff);
		seen = 0;
	}
	EXPECT_WORLD_AT_REST(w);
}

/* A fill that finds no room in its tier takes the other, and is counted there. */
static void queue_replace(struct kunit *test)
{
	struct world *w = test->priv;
	struct itme_inode *ino = world_file(w, BYTES);

	KUNIT_ASSERT_TRUE(test, itme_chunk_begin_fill(ino, 0, true, false));
	KUNIT_EXPECT_EQ(test, itme_chunk_place(ino, 0, DRAM, ITME_CLASS_NONE, false), DRAM);
	KUNIT_EXPECT_EQ(test, queues(w, DRAM)->main.pages, CHUNK_PAGES);
	itme_chunk_replace(ino, 0, CXL);
	KUNIT_EXPECT_EQ(test, queues(w, DRAM)->main.pages, 0);
	KUNIT_EXPECT_EQ(test, queues(w, CXL)->main.pages, CHUNK_PAGES);
	itme_chunk_end_fill(ino, 0, true, 0);
	/* A hole in it is filled where it is. */
	KUNIT_ASSERT_TRUE(test, itme_chunk_begin_fill(ino, 0, true, true));
	KUNIT_EXPECT_EQ(test, itme_chunk_place(ino, 0, DRAM, ITME_CLASS_NONE, true), CXL);
	itme_chunk_end_fill(ino, 0, true, 0);
	EXPECT_WORLD_RIGHT(w);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(queue_by_use),
	KUNIT_CASE(queue_cold_and_hot),
	KUNIT_CASE(queue_pins),
	KUNIT_CASE(queue_pin_moves),
	KUNIT_CASE(queue_held),
	KUNIT_CASE(queue_sample),
	KUNIT_CASE(queue_replace),
	{}
};

static struct kunit_suite suite = {
	.name = "itme_queue",
	.init = world_init,
	.exit = world_exit,
	.test_cases = cases,
};

kunit_test_suite(suite);
