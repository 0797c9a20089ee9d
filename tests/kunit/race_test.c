// SPDX-License-Identifier: GPL-2.0
/*
 * All that can happen to chunks, from several threads at once, on few chunks and with
 * less memory than they need. Meanwhile and after, the queues and the accounting have
 * to be right; in the end all of it has to be able to leave.
 */
#include <linux/delay.h>

#include "crew.h"
#include "world.h"

#define NR		24
#define DRAM_CHUNKS	16
#define CXL_CHUNKS	8
#define THREADS		6

struct race {
	struct world *w;
	struct itme_inode *ino[WORLD_FILES];
	const char *wrong;
	atomic_t over_budget;
};

static void note(struct race *race, const char *wrong)
{
	if (wrong)
		cmpxchg(&race->wrong, NULL, wrong);
}

static void check_budgets(struct race *race)
{
	for (int tier = 0; tier < ITME_MEM_TIERS; tier++)
		if (itme_tier_room(tier) < 0)
			atomic_inc(&race->over_budget);
}

static void one_thing(struct hand *hand, struct race *race)
{
	struct itme_inode *ino = race->ino[crew_random(hand, WORLD_FILES)];
	u32 idx = crew_random(hand, ino->nr_chunks), other, heat;
	int tier = crew_random(hand, ITME_MEM_TIERS);
	struct itme_fs *fs = &race->w->fs;
	bool demand = crew_random(hand, 2);
	struct itme_inode *victim;
	bool fresh, touched;

	hand->at = crew_random(hand, 16);
	switch (hand->at) {
	case 0 ... 2:
		if (itme_chunk_begin_fill(ino, idx, demand, !itme_whole(ino, idx)))
			itme_fill(ino, idx, demand, tier);
		break;
	case 3:
		itme_bring_in(ino, idx, tier);
		break;
	case 4:
		if (itme_chunk_begin_leave(ino, idx))
			itme_drop(ino, idx, false);
		break;
	case 5:
		if (itme_chunk_begin_leave(ino, idx))
			itme_move(ino, idx, tier);
		break;
	case 6:
		victim = itme_chunk_begin_victim(fs, tier, demand, &other);
		if (victim) {
			itme_drop(victim, other, false);
			itme_inode_put(victim);
		}
		break;
	case 7:
		victim = itme_chunk_begin_colder(fs, tier, 1 + crew_random(hand, 50), &other);
		if (victim) {
			itme_move(victim, other, !tier);
			itme_inode_put(victim);
		}
		break;
	case 8:
		itme_chunk_touch(ino, idx, demand);
		break;
	case 9:
		itme_chunk_young(ino, idx);
		victim = itme_chunk_sample(fs, tier, &other, &touched, &heat);
		if (victim)
			itme_inode_put(victim);
		break;
	case 10:
		itme_chunk_set_cold(ino, idx);
		break;
	case 11:
		itme_chunk_set_hot(ino, idx, tier);
		break;
	case 12:
		/* As a pin does: one that cannot come to its tier is undone. */
		if (!itme_chunk_pin(ino, idx, tier, &fresh) && fresh &&
		    itme_chunk_peek(ino, idx).state != ITME_ABSENT &&
		    !itme_move_to(ino, idx, tier))
			itme_chunk_unpin(ino, idx);
		break;
	case 13:
		itme_chunk_unpin(ino, idx);
		itme_chunk_unpin(ino, crew_random(hand, ino->nr_chunks));
		break;
	case 14:
		/* Something takes hold of it, or lets it go; now and then all are tried again. */
		WRITE_ONCE(world_chunk(ino, idx)->held, crew_random(hand, 4) == 0);
		if (crew_random(hand, 16) == 0)
			itme_chunks_retry_held(fs);
		break;
	case 15:
		itme_chunk_follow(ino, idx, tier);
		itme_chunk_may_hold(ino, idx);
		break;
	}
}

static int do_things(struct hand *hand)
{
	struct race *race = hand->crew->arg;

	while (!crew_stop(hand)) {
		one_thing(hand, race);
		check_budgets(race);
		hand->result++;
		/* Threads shall meet in the midst of things, also on few CPUs. */
		if (crew_random(hand, 64) == 0)
			usleep_range(1, 50);
		else
			cond_resched();
	}
	return hand->result;
}

static int wait_for_any(struct hand *hand)
{
	struct race *race = hand->crew->arg;

	while (!crew_stop(hand)) {
		struct itme_inode *ino = race->ino[crew_random(hand, WORLD_FILES)];

		if (itme_chunk_wait(ino, crew_random(hand, ino->nr_chunks)))
			return -EINTR;
		cond_resched();
	}
	return 0;
}

static int look_at_all(struct hand *hand)
{
	struct race *race = hand->crew->arg;

	while (!crew_stop(hand)) {
		note(race, world_wrong(race->w, THREADS));
		hand->result++;
		usleep_range(500, 2000);
	}
	return hand->result;
}

/* When nothing holds them any more, all chunks can leave. */
static void all_leave(struct kunit *test, struct race *race)
{
	for (int f = 0; f < WORLD_FILES; f++) {
		struct itme_inode *ino = race->ino[f];

		for (u32 idx = 0; idx < ino->nr_chunks; idx++) {
			itme_chunk_unpin(ino, idx);
			world_chunk(ino, idx)->held = false;
		}
	}
	itme_chunks_retry_held(&race->w->fs);
	for (int f = 0; f < WORLD_FILES; f++) {
		struct itme_inode *ino = race->ino[f];

		for (u32 idx = 0; idx < ino->nr_chunks; idx++)
			if (itme_chunk_begin_leave(ino, idx))
				KUNIT_EXPECT_TRUE(test, itme_drop(ino, idx, false));
	}
	for (int tier = 0; tier < ITME_MEM_TIERS; tier++) {
		struct itme_queues *q = &race->w->fs.queues[tier];

		KUNIT_EXPECT_EQ(test, atomic_long_read(&itme_tiers[tier].used), 0);
		KUNIT_EXPECT_EQ(test, q->main.pages + q->ring.pages + q->used.pages +
				q->held.pages + q->pinned, 0);
		KUNIT_EXPECT_TRUE(test, list_empty(&q->main.list) && list_empty(&q->ring.list) &&
				  list_empty(&q->used.list) && list_empty(&q->held.list));
	}
	EXPECT_WORLD_AT_REST(race->w);
}

static void race_everything(struct kunit *test)
{
	struct world *w = test->priv;
	struct crew *crew = kunit_kzalloc(test, sizeof(*crew), GFP_KERNEL);
	struct race *race = kunit_kzalloc(test, sizeof(*race), GFP_KERNEL);
	long things = 0;

	KUNIT_ASSERT_NOT_NULL(test, crew);
	KUNIT_ASSERT_NOT_NULL(test, race);
	kunit_info(test, "seed %llu", world_seed());
	world_budget(DRAM, DRAM_CHUNKS);
	world_budget(CXL, CXL_CHUNKS);
	race->w = w;
	w->dwell = true;
	for (int f = 0; f < WORLD_FILES; f++)
		race->ino[f] = world_file(w, (((u64)NR >> f) << CHUNK_SHIFT) - 5000);
	crew->arg = race;
	for (int round = 0; round < (world_soak() ? 60 : 4); round++) {
		w->fill_error = 0;
		crew_add(test, crew, THREADS, do_things);
		crew_add(test, crew, 2, wait_for_any);
		crew_add(test, crew, 1, look_at_all);
		msleep(1000);
		/* Then the drive fails for a while. */
		WRITE_ONCE(w->fill_error, -EIO);
		msleep(200);
		WRITE_ONCE(w->fill_error, 0);
		msleep(300);
		crew_join(test, crew, 20);
		for (int i = 0; i < THREADS; i++)
			things += crew->hand[i].result;
		KUNIT_EXPECT_STREQ(test, race->wrong ?: "", "");
		KUNIT_EXPECT_GT(test, crew->hand[THREADS + 2].result, 0);
		KUNIT_EXPECT_EQ(test, atomic_read(&race->over_budget), 0);
		EXPECT_WORLD_AT_REST(w);
		all_leave(test, race);
	}
	/* It has to have been a race. */
	KUNIT_EXPECT_GT(test, things, 1000);
	for (int i = ITME_PREFETCH_USED; i <= ITME_PREFETCH_WASTED; i++)
		KUNIT_EXPECT_GT(test, atomic64_read(&w->fs.counters.v[i]), 0);
	kunit_info(test, "%ld operations, %d fills, %d victims asked for", things,
		   atomic_read(&w->fills), atomic_read(&w->evicts));
}

static struct kunit_case cases[] = {
	KUNIT_CASE_SLOW(race_everything),
	{}
};

static struct kunit_suite suite = {
	.name = "itme_race",
	.init = world_init,
	.exit = world_exit,
	.test_cases = cases,
};

kunit_test_suite(suite);
