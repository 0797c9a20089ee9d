// SPDX-License-Identifier: GPL-2.0
/* An inode goes, with its chunks: none stays on a queue, and others have the lock meanwhile. */
#include <linux/delay.h>
#include <linux/ktime.h>

#include "crew.h"
#include "world.h"

#define MILLION		(1024U * 1024)

static void forget_all_of_one(struct kunit *test)
{
	struct world *w = test->priv;
	struct itme_inode *ino = world_file(w, (8ULL << CHUNK_SHIFT) - 5000);
	struct itme_inode *other = world_file(w, 8ULL << CHUNK_SHIFT);
	bool fresh;

	for (u32 idx = 0; idx < 8; idx++) {
		world_used(ino, idx, idx < 4 ? DRAM : CXL);
		world_used(other, idx, idx < 4 ? CXL : DRAM);
	}
	KUNIT_ASSERT_EQ(test, itme_chunk_pin(ino, 0, DRAM, &fresh), 0);
	KUNIT_ASSERT_EQ(test, itme_chunk_pin(ino, 7, CXL, &fresh), 0);
	KUNIT_ASSERT_EQ(test, itme_chunk_pin(other, 0, CXL, &fresh), 0);
	world_chunk(ino, 1)->held = true;
	KUNIT_ASSERT_TRUE(test, itme_chunk_begin_leave(ino, 1));
	itme_drop(ino, 1, false);
	EXPECT_WORLD_RIGHT(w);

	itme_chunks_forget(ino);
	KUNIT_EXPECT_NULL(test, xa_load(&w->fs.objects, ino->id));
	for (u32 idx = 0; idx < 8; idx++)
		KUNIT_EXPECT_TRUE(test, list_empty(&ino->chunks[idx].node));
	KUNIT_EXPECT_EQ(test, w->fs.queues[DRAM].main.pages, 4 * CHUNK_PAGES);
	KUNIT_EXPECT_EQ(test, w->fs.queues[DRAM].held.pages, 0);
	KUNIT_EXPECT_EQ(test, w->fs.queues[DRAM].pinned, 0);
	KUNIT_EXPECT_EQ(test, w->fs.queues[CXL].main.pages, 3 * CHUNK_PAGES);
	KUNIT_EXPECT_EQ(test, w->fs.queues[CXL].pinned, CHUNK_PAGES);
	for (u32 idx = 0; idx < 8; idx++)
		KUNIT_EXPECT_EQ(test, list_empty(&other->chunks[idx].node), idx == 0);
}

struct forget {
	struct itme_inode *ino;
	bool done;
	u64 took;
};

static int forget(struct hand *hand)
{
	struct forget *f = hand->crew->arg;
	u64 start = ktime_get_ns();

	itme_chunks_forget(f->ino);
	f->took = ktime_get_ns() - start;
	WRITE_ONCE(f->done, true);
	return 0;
}

static int want_lock(struct hand *hand)
{
	struct forget *f = hand->crew->arg;
	struct itme_fs *fs = f->ino->fs;

	while (!READ_ONCE(f->done)) {
		spin_lock(&fs->lock);
		if (!READ_ONCE(f->done))
			hand->result++;
		spin_unlock(&fs->lock);
		cond_resched();
	}
	return hand->result;
}

/* A million chunks takes its time; who wants the lock meanwhile gets it, again and again. */
static void forget_lets_others(struct kunit *test)
{
	struct world *w = test->priv;
	struct crew *crew = kunit_kzalloc(test, sizeof(*crew), GFP_KERNEL);
	struct forget f = {};

	if (num_online_cpus() < 2)
		kunit_skip(test, "one CPU: nobody can want the lock meanwhile");
	KUNIT_ASSERT_NOT_NULL(test, crew);
	f.ino = world_file(w, (u64)MILLION << CHUNK_SHIFT);
	crew->arg = &f;
	crew_add(test, crew, 1, want_lock);
	crew_add(test, crew, 1, forget);
	crew_join(test, crew, 120);
	kunit_info(test, "%llu us in all, the lock was had %d times", f.took / 1000,
		   crew->hand[0].result);
	KUNIT_EXPECT_GT(test, crew->hand[0].result, 20);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(forget_all_of_one),
	KUNIT_CASE_SLOW(forget_lets_others),
	{}
};

static struct kunit_suite suite = {
	.name = "itme_forget",
	.init = world_init,
	.exit = world_exit,
	.test_cases = cases,
};

kunit_test_suite(suite);
