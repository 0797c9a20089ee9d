// SPDX-License-Identifier: GPL-2.0
/* Who leaves: a search that is bounded, and holds what it finds, also against eviction. */
#include "crew.h"
#include "world.h"

#define NR	1000

/* As in policy.c and residency.c: how far a search goes, and how often it is repeated. */
#define SCAN_MAX	64
#define TRIES		64

static struct itme_inode *many(struct kunit *test, u32 nr)
{
	struct world *w = test->priv;
	struct itme_inode *ino = world_file(w, (u64)nr << CHUNK_SHIFT);

	world_budget(DRAM, 2 * nr);
	world_budget(CXL, 2 * nr);
	return ino;
}

static struct itme_inode *victim(struct world *w, int tier, u32 *idx)
{
	return itme_chunk_begin_victim(&w->fs, tier, true, idx);
}

static void give_back(struct itme_inode *ino, u32 idx)
{
	itme_chunk_end_leave(ino, idx, world_tier(ino, idx), false);
	itme_inode_put(ino);
}

static void victim_is_held(struct kunit *test)
{
	struct world *w = test->priv;
	struct itme_inode *ino = many(test, NR), *got;
	u32 idx = 0;

	KUNIT_EXPECT_NULL(test, victim(w, DRAM, &idx));
	world_used(ino, 7, DRAM);
	got = victim(w, DRAM, &idx);
	KUNIT_ASSERT_PTR_EQ(test, got, ino);
	KUNIT_EXPECT_EQ(test, idx, 7);
	KUNIT_EXPECT_EQ(test, world_refs(ino), 1);
	KUNIT_EXPECT_EQ(test, itme_chunk_peek(ino, 7).state, ITME_BUSY);
	/* In transit, it is nobody else's. */
	KUNIT_EXPECT_NULL(test, victim(w, DRAM, &idx));
	KUNIT_EXPECT_NULL(test, victim(w, CXL, &idx));
	give_back(ino, 7);
	EXPECT_WORLD_AT_REST(w);
}

/* The lock is held for a bounded time, however many there are that cannot leave. */
static void victim_search_ends(struct kunit *test)
{
	struct world *w = test->priv;
	struct itme_inode *ino = many(test, NR);
	u32 idx;

	for (idx = 0; idx < NR; idx++)
		world_used(ino, idx, CXL);
	/* The tail of the queue is what was filled first. */
	for (idx = 0; idx < SCAN_MAX; idx++)
		KUNIT_ASSERT_TRUE(test, itme_chunk_begin_leave(ino, idx));
	KUNIT_EXPECT_NULL(test, victim(w, CXL, &idx));
	itme_chunk_end_leave(ino, SCAN_MAX - 1, CXL, false);
	KUNIT_ASSERT_PTR_EQ(test, victim(w, CXL, &idx), ino);
	KUNIT_EXPECT_EQ(test, idx, SCAN_MAX - 1);
	give_back(ino, idx);
	EXPECT_WORLD_RIGHT(w);
}

/* Chunks of inodes that are being evicted: not taken, and not in the way for ever. */
static void victim_of_the_dying(struct kunit *test)
{
	struct world *w = test->priv;
	struct itme_inode *dying = many(test, NR);
	struct itme_inode *ino = world_file(w, 4ULL << CHUNK_SHIFT), *got = NULL;
	int calls = 0;
	u32 idx;

	for (idx = 0; idx < 500; idx++)
		world_used(dying, idx, CXL);
	world_used(ino, 2, CXL);
	spin_lock(&dying->vfs.i_lock);
	dying->vfs.i_state |= I_FREEING;
	spin_unlock(&dying->vfs.i_lock);
	while (!got && calls++ < 500 / TRIES + 2) {
		got = victim(w, CXL, &idx);
		EXPECT_WORLD_RIGHT(w);
	}
	KUNIT_EXPECT_GT(test, calls, 1);
	KUNIT_ASSERT_PTR_EQ(test, got, ino);
	KUNIT_EXPECT_EQ(test, idx, 2);
	give_back(ino, 2);
	KUNIT_EXPECT_EQ(test, world_refs(dying), 0);
	for (u32 i = 0; i < 500; i++)
		KUNIT_ASSERT_EQ(test, dying->chunks[i].state, ITME_RESIDENT);
	/* The same when its number is gone from the table already. */
	xa_erase(&w->fs.objects, dying->id);
	dying->vfs.i_state = 0;
	KUNIT_ASSERT_TRUE(test, itme_chunk_begin_leave(ino, 2));
	KUNIT_EXPECT_NULL(test, victim(w, CXL, &idx));
	itme_chunk_end_leave(ino, 2, CXL, false);
	xa_store(&w->fs.objects, dying->id, dying, GFP_KERNEL);
	EXPECT_WORLD_AT_REST(w);
}

/* What somebody is about to use leaves only when there is nothing else. */
static void victim_wanted_last(struct kunit *test)
{
	struct world *w = test->priv;
	struct itme_inode *ino = many(test, NR);
	u32 idx;

	world_prefetched(ino, 0, CXL);
	world_prefetched(ino, 1, CXL);
	KUNIT_EXPECT_NULL(test, itme_chunk_begin_victim(&w->fs, CXL, false, &idx));
	/* Of what was read ahead, the farthest. */
	KUNIT_ASSERT_PTR_EQ(test, victim(w, CXL, &idx), ino);
	KUNIT_EXPECT_EQ(test, idx, 1);
	give_back(ino, 1);
	world_used(ino, 2, CXL);
	KUNIT_ASSERT_PTR_EQ(test, victim(w, CXL, &idx), ino);
	KUNIT_EXPECT_EQ(test, idx, 2);
	give_back(ino, 2);
	/* What somebody waited for is his, for a moment. */
	world_resident(ino, 3, DRAM);
	KUNIT_EXPECT_NULL(test, victim(w, DRAM, &idx));
	EXPECT_WORLD_AT_REST(w);
}

static void victim_colder(struct kunit *test)
{
	struct world *w = test->priv;
	struct itme_inode *ino = many(test, NR);
	u32 now = itme_now(), idx;

	for (u32 i = 0; i < 200; i++) {
		world_used(ino, i, DRAM);
		KUNIT_EXPECT_PTR_EQ(test, itme_queue_of(&w->fs, &ino->chunks[i]),
				    &w->fs.queues[DRAM].main);
	}
	KUNIT_EXPECT_NULL(test, itme_chunk_begin_colder(&w->fs, DRAM, 0, &idx));
	KUNIT_EXPECT_NULL(test, itme_chunk_begin_colder(&w->fs, DRAM, 1, &idx));
	/* Idle for 100 s; the search looks at both ends, not at what is between them. */
	ino->chunks[100].young = 0;
	WRITE_ONCE(ino->chunks[100].stamp, now - 100 * ITME_HZ);
	KUNIT_EXPECT_NULL(test, itme_chunk_begin_colder(&w->fs, DRAM, 10 * ITME_HZ, &idx));
	ino->chunks[3].young = 0;
	WRITE_ONCE(ino->chunks[3].stamp, now - 100 * ITME_HZ);
	KUNIT_EXPECT_NULL(test, itme_chunk_begin_colder(&w->fs, DRAM, 100 * ITME_HZ, &idx));
	KUNIT_ASSERT_PTR_EQ(test, itme_chunk_begin_colder(&w->fs, DRAM, 10 * ITME_HZ, &idx), ino);
	KUNIT_EXPECT_EQ(test, idx, 3);
	give_back(ino, 3);
	EXPECT_WORLD_AT_REST(w);
}

static int take_all(struct hand *hand)
{
	struct world *w = hand->crew->arg;
	int taken = 0;
	u32 idx;

	for (;;) {
		struct itme_inode *ino = victim(w, CXL, &idx);

		if (!ino)
			return taken;
		taken += itme_drop(ino, idx, false);
		itme_inode_put(ino);
		hand->at = taken;
		cond_resched();
	}
}

/* Several that make room at once: each chunk goes to one of them. */
static void victim_once_each(struct kunit *test)
{
	struct world *w = test->priv;
	struct itme_inode *ino = many(test, NR);
	struct crew *crew = kunit_kzalloc(test, sizeof(*crew), GFP_KERNEL);
	int taken = 0;

	KUNIT_ASSERT_NOT_NULL(test, crew);
	for (int round = 0; round < 5; round++) {
		for (u32 idx = 0; idx < NR; idx++)
			world_used(ino, idx, CXL);
		crew->arg = w;
		crew_add(test, crew, 4, take_all);
		crew_join(test, crew, 60);
		taken = 0;
		for (int i = 0; i < 4; i++)
			taken += crew->hand[i].result;
		/* Who finds none goes, also when the last ones are in transit. */
		KUNIT_EXPECT_EQ(test, taken, NR);
		EXPECT_WORLD_AT_REST(w);
		KUNIT_EXPECT_EQ(test, atomic_long_read(&itme_tiers[CXL].used), 0);
	}
}

static struct kunit_case cases[] = {
	KUNIT_CASE(victim_is_held),
	KUNIT_CASE(victim_search_ends),
	KUNIT_CASE(victim_of_the_dying),
	KUNIT_CASE(victim_wanted_last),
	KUNIT_CASE(victim_colder),
	KUNIT_CASE_SLOW(victim_once_each),
	{}
};

static struct kunit_suite suite = {
	.name = "itme_victim",
	.init = world_init,
	.exit = world_exit,
	.test_cases = cases,
};

kunit_test_suite(suite);
