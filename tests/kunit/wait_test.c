// SPDX-License-Identifier: GPL-2.0
/* Who waits for a chunk: always woken, ended by SIGKILL and by nothing less. */
#include <linux/delay.h>
#include <linux/sched/signal.h>

#include "crew.h"
#include "world.h"

#define WAITERS	8

struct wait {
	struct itme_inode *ino;
	u32 idx;
};

static int wait_once(struct hand *hand)
{
	struct wait *wait = hand->crew->arg;

	WRITE_ONCE(hand->at, 1);
	return itme_chunk_wait(wait->ino, wait->idx);
}

static struct crew *waiters(struct kunit *test, struct wait *wait, int nr)
{
	struct crew *crew = kunit_kzalloc(test, sizeof(*crew), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, crew);
	crew->arg = wait;
	crew_add(test, crew, nr, wait_once);
	for (int i = 0; i < nr; i++)
		crew_reached(&crew->hand[i], 1);
	/* They are now on their way to sleep. */
	msleep(50);
	return crew;
}

static void expect_ended(struct kunit *test, struct crew *crew, int nr, int result)
{
	crew_join(test, crew, 5);
	for (int i = 0; i < nr; i++)
		KUNIT_EXPECT_EQ(test, crew->hand[i].result, result);
}

/* Each way out of a transit ends the wait of all, and of those only who wait for this chunk. */
static void wait_each_way_out(struct kunit *test)
{
	struct world *w = test->priv;
	struct itme_inode *ino = world_file(w, 8ULL << CHUNK_SHIFT);
	struct wait other = { .ino = ino, .idx = 7 };
	struct wait wait = { .ino = ino };
	struct crew *others, *crew;

	world_state(ino, other.idx, ITME_FILLING);
	others = waiters(test, &other, 1);
	for (; wait.idx < 5; wait.idx++) {
		u32 idx = wait.idx;

		world_state(ino, idx, idx < 2 ? ITME_FILLING : ITME_BUSY);
		crew = waiters(test, &wait, WAITERS);
		KUNIT_EXPECT_FALSE(test, crew_ended(&crew->hand[0], 1));
		switch (idx) {
		case 0:
			itme_chunk_place(ino, idx, DRAM, ITME_CLASS_NONE, false);
			itme_chunk_end_fill(ino, idx, true, 0);
			break;
		case 1:
			itme_chunk_end_fill(ino, idx, false, -EIO);
			break;
		case 2:
			itme_chunk_end_leave(ino, idx, NVME, false);
			break;
		case 3:
			itme_chunk_end_leave(ino, idx, CXL, false);
			break;
		case 4:
			itme_chunk_end_leave(ino, idx, DRAM, true);
			break;
		}
		expect_ended(test, crew, WAITERS, 0);
		/* At rest, there is nothing to wait for. */
		KUNIT_EXPECT_EQ(test, itme_chunk_wait(ino, idx), 0);
	}
	KUNIT_EXPECT_FALSE(test, crew_ended(&others->hand[0], 1));
	itme_chunk_end_fill(ino, other.idx, false, 0);
	expect_ended(test, others, 1, 0);
}

static void wait_is_killable(struct kunit *test)
{
	struct world *w = test->priv;
	struct itme_inode *ino = world_file(w, 8ULL << CHUNK_SHIFT);
	struct wait wait = { ino, 0 };
	struct crew *crew;

	world_state(ino, 0, ITME_FILLING);
	crew = waiters(test, &wait, 2);
	send_sig(SIGUSR1, crew->hand[0].task, 1);
	KUNIT_EXPECT_FALSE(test, crew_ended(&crew->hand[0], 200));
	send_sig(SIGKILL, crew->hand[0].task, 1);
	KUNIT_EXPECT_TRUE(test, crew_ended(&crew->hand[0], 5000));
	KUNIT_EXPECT_EQ(test, crew->hand[0].result, -EINTR);
	/* It took nothing with it. */
	KUNIT_EXPECT_FALSE(test, crew_ended(&crew->hand[1], 50));
	KUNIT_EXPECT_EQ(test, itme_chunk_peek(ino, 0).state, ITME_FILLING);
	itme_chunk_end_fill(ino, 0, false, 0);
	KUNIT_EXPECT_TRUE(test, crew_ended(&crew->hand[1], 5000));
	KUNIT_EXPECT_EQ(test, crew->hand[1].result, 0);
	crew_join(test, crew, 5);
}

static int wait_for_pages(struct hand *hand)
{
	struct wait *wait = hand->crew->arg;
	struct itme_fs *fs = wait->ino->fs;

	WRITE_ONCE(hand->at, 1);
	wait_event_killable(fs->pages_wait,
			    itme_chunk_peek(wait->ino, wait->idx).state == ITME_ABSENT);
	return 0;
}

/* Who waits for room looks at each chunk that comes to rest or leaves. */
static void wait_for_room(struct kunit *test)
{
	struct world *w = test->priv;
	struct itme_inode *ino = world_file(w, 8ULL << CHUNK_SHIFT);
	struct crew *crew = kunit_kzalloc(test, sizeof(*crew), GFP_KERNEL);
	struct wait wait = { ino, 0 };

	KUNIT_ASSERT_NOT_NULL(test, crew);
	crew->arg = &wait;
	for (; wait.idx < 2; wait.idx++) {
		world_state(ino, wait.idx, wait.idx ? ITME_FILLING : ITME_BUSY);
		crew->hand[0].at = 0;
		crew_add(test, crew, 1, wait_for_pages);
		crew_reached(&crew->hand[0], 1);
		msleep(50);
		if (wait.idx)
			itme_chunk_end_fill(ino, wait.idx, false, 0);
		else
			itme_chunk_end_leave(ino, wait.idx, NVME, false);
		crew_join(test, crew, 5);
	}
}

static int wait_again_and_again(struct hand *hand)
{
	struct wait *wait = hand->crew->arg;

	while (!crew_stop(hand)) {
		if (itme_chunk_wait(wait->ino, wait->idx))
			return -EINTR;
		WRITE_ONCE(hand->at, hand->at + 1);
		cond_resched();
	}
	return 0;
}

static int fill_and_drop(struct hand *hand)
{
	struct wait *wait = hand->crew->arg;
	struct itme_inode *ino = wait->ino;

	while (!crew_stop(hand)) {
		if (itme_chunk_begin_fill(ino, wait->idx, true, false)) {
			itme_chunk_place(ino, wait->idx, DRAM, ITME_CLASS_NONE, false);
			if (crew_random(hand, 4) == 0)
				usleep_range(10, 200);
			itme_chunk_end_fill(ino, wait->idx, true, 0);
		}
		/* Others wait for the state to change, not for this thread's time to end. */
		if (crew_random(hand, 8) == 0)
			usleep_range(10, 100);
		if (itme_chunk_begin_leave(ino, wait->idx)) {
			if (crew_random(hand, 4) == 0)
				usleep_range(10, 200);
			itme_chunk_end_leave(ino, wait->idx, NVME, false);
		}
		WRITE_ONCE(hand->at, hand->at + 1);
		cond_resched();
	}
	return 0;
}

/* The chunk changes all the time, and then no more: nobody is left behind waiting. */
static void wait_none_lost(struct kunit *test)
{
	struct world *w = test->priv;
	struct itme_inode *ino = world_file(w, 8ULL << CHUNK_SHIFT);
	struct crew *crew = kunit_kzalloc(test, sizeof(*crew), GFP_KERNEL);
	struct wait wait = { ino, 3 };

	KUNIT_ASSERT_NOT_NULL(test, crew);
	crew->arg = &wait;
	for (int round = 0; round < (world_soak() ? 300 : 15); round++) {
		crew_add(test, crew, 2, fill_and_drop);
		crew_add(test, crew, WAITERS - 2, wait_again_and_again);
		msleep(100);
		crew_join(test, crew, 5);
		KUNIT_EXPECT_GT(test, crew->hand[0].at, 0);
		for (int i = 0; i < WAITERS; i++)
			KUNIT_EXPECT_EQ(test, crew->hand[i].result, 0);
		KUNIT_EXPECT_FALSE(test, itme_in_transit(itme_chunk_peek(ino, 3).state));
	}
	EXPECT_WORLD_RIGHT(w);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(wait_each_way_out),
	KUNIT_CASE(wait_is_killable),
	KUNIT_CASE(wait_for_room),
	KUNIT_CASE_SLOW(wait_none_lost),
	{}
};

static struct kunit_suite suite = {
	.name = "itme_wait",
	.init = world_init,
	.exit = world_exit,
	.test_cases = cases,
};

kunit_test_suite(suite);
