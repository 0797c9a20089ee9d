// SPDX-License-Identifier: GPL-2.0
/* What each state of a chunk allows, what is told of a fill, and who owns a transit. */
#include <linux/delay.h>

#include "crew.h"
#include "world.h"

#define BYTES	((3ULL << CHUNK_SHIFT) + 5000)
#define SHORT	3	/* the last chunk: two pages, 5000 bytes */

struct verdict {
	bool fill, fill_hole, leave, cold, hot;
	int pin;
};

static const struct verdict verdicts[] = {
	[ITME_ABSENT]	= { .fill = true, .fill_hole = true },
	[ITME_FILLING]	= { .pin = -EAGAIN },
	[ITME_RESIDENT]	= { .fill_hole = true, .leave = true, .cold = true, .hot = true },
	[ITME_BUSY]	= { .pin = -EAGAIN },
};

/* One call on a chunk in a state: does it what it may, and does it leave alone what it may not? */
static void state_allows(struct kunit *test)
{
	struct world *w = test->priv;
	struct itme_inode *ino = world_file(w, 32ULL << CHUNK_SHIFT);
	u32 idx = 0;

	for (int state = ITME_ABSENT; state <= ITME_BUSY; state++) {
		const struct verdict *may = &verdicts[state];
		enum itme_state after;
		bool fresh;

		world_state(ino, idx, state);
		KUNIT_EXPECT_EQ(test, itme_chunk_begin_fill(ino, idx, true, false), may->fill);
		after = may->fill ? ITME_FILLING : state;
		KUNIT_EXPECT_EQ(test, itme_chunk_peek(ino, idx++).state, after);

		world_state(ino, idx, state);
		KUNIT_EXPECT_EQ(test, itme_chunk_begin_fill(ino, idx, true, true), may->fill_hole);
		after = may->fill_hole ? ITME_FILLING : state;
		KUNIT_EXPECT_EQ(test, itme_chunk_peek(ino, idx++).state, after);

		world_state(ino, idx, state);
		KUNIT_EXPECT_EQ(test, itme_chunk_begin_leave(ino, idx), may->leave);
		after = may->leave ? ITME_BUSY : state;
		KUNIT_EXPECT_EQ(test, itme_chunk_peek(ino, idx++).state, after);

		world_state(ino, idx, state);
		KUNIT_EXPECT_EQ(test, itme_chunk_set_cold(ino, idx), may->cold);
		KUNIT_EXPECT_EQ(test, !!(itme_chunk_peek(ino, idx).flags & ITME_C_COLD), may->cold);
		KUNIT_EXPECT_EQ(test, itme_chunk_peek(ino, idx++).state, state);

		world_state(ino, idx, state);
		KUNIT_EXPECT_EQ(test, itme_chunk_set_hot(ino, idx, DRAM), may->hot);
		KUNIT_EXPECT_FALSE(test, itme_chunk_set_hot(ino, idx, CXL));
		KUNIT_EXPECT_EQ(test, itme_chunk_peek(ino, idx++).state, state);

		world_state(ino, idx, state);
		KUNIT_EXPECT_EQ(test, itme_chunk_pin(ino, idx, DRAM, &fresh), may->pin);
		KUNIT_EXPECT_EQ(test, fresh, !may->pin);
		KUNIT_EXPECT_EQ(test, itme_chunk_unpin(ino, idx), fresh);
		KUNIT_EXPECT_FALSE(test, itme_chunk_unpin(ino, idx));
		KUNIT_EXPECT_EQ(test, itme_chunk_peek(ino, idx++).state, state);

		/* The kernel has moved it: the owner of a transit will say where it is. */
		world_state(ino, idx, state);
		itme_chunk_follow(ino, idx, CXL);
		KUNIT_EXPECT_EQ(test, world_tier(ino, idx++),
				state == ITME_RESIDENT ? CXL : DRAM);
		EXPECT_WORLD_RIGHT(w);
	}
}

/* What a fill failed with is told until the next one begins, and no longer. */
static void state_errors(struct kunit *test)
{
	static const struct {
		int err, told;
	} fills[] = {
		{ 0, 0 }, { -EIO, -EIO }, { -ENOMEM, -ENOMEM }, { -EAGAIN, 0 }, { -ENODATA, -EIO },
	};
	struct world *w = test->priv;
	struct itme_inode *ino = world_file(w, BYTES);

	for (u32 i = 0; i < ARRAY_SIZE(fills); i++) {
		/* A fill of which nothing came, and one of a hole in what is resident. */
		for (int there = 0; there <= 1; there++) {
			u32 idx = there;

			if (there && itme_chunk_peek(ino, idx).state == ITME_ABSENT)
				world_resident(ino, idx, DRAM);
			KUNIT_ASSERT_TRUE(test, itme_chunk_begin_fill(ino, idx, true, true));
			KUNIT_EXPECT_EQ(test, itme_chunk_error(ino, idx), 0);
			itme_chunk_end_fill(ino, idx, there, fills[i].err);
			KUNIT_EXPECT_EQ(test, itme_chunk_error(ino, idx), fills[i].told);
			KUNIT_EXPECT_EQ(test, itme_chunk_peek(ino, idx).state,
					there ? ITME_RESIDENT : ITME_ABSENT);
			EXPECT_WORLD_RIGHT(w);
			if (!there)
				continue;
			KUNIT_ASSERT_TRUE(test, itme_chunk_begin_fill(ino, idx, true, true));
			KUNIT_EXPECT_EQ(test, itme_chunk_error(ino, idx), 0);
			itme_chunk_end_fill(ino, idx, true, fills[i].err);
			/* One that waits for it to leave did not wait for that fill. */
			KUNIT_ASSERT_TRUE(test, itme_chunk_begin_leave(ino, idx));
			KUNIT_EXPECT_EQ(test, itme_chunk_error(ino, idx), 0);
			itme_chunk_end_leave(ino, idx, DRAM, false);
		}
	}
}

/* A fill that failed was no use of the chunk; a drop of what was used is remembered. */
static void state_interval(struct kunit *test)
{
	struct world *w = test->priv;
	struct itme_inode *ino = world_file(w, BYTES);
	u32 used, interval;

	world_used(ino, 0, DRAM);
	KUNIT_EXPECT_EQ(test, itme_chunk_interval(ino, 0), 0);
	KUNIT_ASSERT_TRUE(test, itme_chunk_begin_leave(ino, 0));
	itme_drop(ino, 0, false);
	used = itme_chunk_peek(ino, 0).stamp;
	KUNIT_EXPECT_NE(test, used, 0);
	msleep(30);
	for (int i = 0; i < 3; i++) {
		KUNIT_ASSERT_TRUE(test, itme_chunk_begin_fill(ino, 0, true, false));
		itme_chunk_end_fill(ino, 0, false, i ? -EIO : -EAGAIN);
		KUNIT_EXPECT_EQ(test, itme_chunk_peek(ino, 0).stamp, used);
	}
	world_used(ino, 0, DRAM);
	interval = itme_chunk_interval(ino, 0);
	KUNIT_EXPECT_GE(test, interval, 25);
	KUNIT_EXPECT_LT(test, interval, 20 * ITME_HZ);
	KUNIT_EXPECT_TRUE(test, itme_chunk_set_cold(ino, 0));
	KUNIT_EXPECT_EQ(test, itme_chunk_interval(ino, 0), 0);

	/* Dropped without a use, it has none. */
	world_resident(ino, 1, DRAM);
	KUNIT_ASSERT_TRUE(test, itme_chunk_begin_leave(ino, 1));
	itme_drop(ino, 1, false);
	KUNIT_EXPECT_EQ(test, itme_chunk_peek(ino, 1).stamp, 0);
}

/* Of what is read ahead: used, late, or wasted, once each, in bytes of the file. */
static void state_prefetch_counts(struct kunit *test)
{
	struct world *w = test->priv;
	struct itme_inode *ino = world_file(w, BYTES);
	atomic64_t *used = &ino->counters.v[ITME_PREFETCH_USED];
	atomic64_t *late = &ino->counters.v[ITME_PREFETCH_LATE];
	atomic64_t *wasted = &ino->counters.v[ITME_PREFETCH_WASTED];

	world_prefetched(ino, 0, DRAM);
	KUNIT_EXPECT_TRUE(test, itme_chunk_untouched(ino, 0));
	for (int i = 0; i < 3; i++)
		itme_chunk_touch(ino, 0, true);
	KUNIT_EXPECT_FALSE(test, itme_chunk_untouched(ino, 0));
	KUNIT_EXPECT_EQ(test, atomic64_read(used), 1 << CHUNK_SHIFT);

	w->fill_later = true;
	KUNIT_ASSERT_TRUE(test, itme_chunk_begin_fill(ino, SHORT, false, false));
	itme_fill(ino, SHORT, false, DRAM);
	for (int i = 0; i < 3; i++)
		KUNIT_EXPECT_FALSE(test, itme_chunk_begin_fill(ino, SHORT, true, false));
	KUNIT_EXPECT_EQ(test, atomic64_read(late), 5000);
	world_end_fill(ino, SHORT, false, DRAM);
	w->fill_later = false;
	itme_chunk_touch(ino, SHORT, true);
	KUNIT_EXPECT_EQ(test, atomic64_read(used), 1 << CHUNK_SHIFT);

	world_prefetched(ino, 1, DRAM);
	world_resident(ino, 2, DRAM);
	for (u32 idx = 0; idx <= SHORT; idx++) {
		KUNIT_ASSERT_TRUE(test, itme_chunk_begin_leave(ino, idx));
		itme_drop(ino, idx, false);
	}
	KUNIT_EXPECT_EQ(test, atomic64_read(wasted), 1 << CHUNK_SHIFT);
	EXPECT_WORLD_AT_REST(w);
}

struct rounds {
	struct itme_inode *ino;
	int nr;
	atomic_t round;
	atomic_t arrived;
	atomic_t winners[2];
	bool leave;
};

#define ROUNDS	2000

/* All begin the same at the same time; the hand that is last to arrive opens the next round. */
static int race_to_begin(struct hand *hand)
{
	struct rounds *r = hand->crew->arg;

	for (int round = 0; round < ROUNDS; round++) {
		bool won;

		hand->at = round;
		while (atomic_read(&r->round) < round) {
			if (crew_stop(hand))
				return -1;
			cond_resched();
		}
		won = r->leave ? itme_chunk_begin_leave(r->ino, 0) :
				 itme_chunk_begin_fill(r->ino, 0, hand->nr & 1, false);
		if (won)
			atomic_inc(&r->winners[round & 1]);
		if (atomic_inc_return(&r->arrived) < r->nr)
			continue;
		if (atomic_xchg(&r->winners[round & 1], 0) != 1)
			return -1;
		if (r->leave)
			itme_chunk_end_leave(r->ino, 0, DRAM, false);
		else
			itme_chunk_end_fill(r->ino, 0, false, 0);
		atomic_set(&r->arrived, 0);
		atomic_inc(&r->round);
	}
	return 0;
}

static void one_owner(struct kunit *test, bool leave)
{
	struct world *w = test->priv;
	struct crew *crew = kunit_kzalloc(test, sizeof(*crew), GFP_KERNEL);
	struct rounds *r = kunit_kzalloc(test, sizeof(*r), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, crew);
	KUNIT_ASSERT_NOT_NULL(test, r);
	r->ino = world_file(w, BYTES);
	r->leave = leave;
	r->nr = 3;
	if (leave)
		world_resident(r->ino, 0, DRAM);
	crew->arg = r;
	/* Nobody begins before all are there. */
	atomic_set(&r->round, -1);
	crew_add(test, crew, r->nr, race_to_begin);
	atomic_set(&r->round, 0);
	for (int i = 0; i < r->nr; i++) {
		KUNIT_EXPECT_TRUE(test, crew_ended(&crew->hand[i], 60000));
		KUNIT_EXPECT_EQ(test, crew->hand[i].result, 0);
	}
	crew_join(test, crew, 10);
	EXPECT_WORLD_RIGHT(w);
}

static void state_one_filler(struct kunit *test)
{
	one_owner(test, false);
}

static void state_one_leaver(struct kunit *test)
{
	one_owner(test, true);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(state_allows),
	KUNIT_CASE(state_errors),
	KUNIT_CASE(state_interval),
	KUNIT_CASE(state_prefetch_counts),
	KUNIT_CASE_SLOW(state_one_filler),
	KUNIT_CASE_SLOW(state_one_leaver),
	{}
};

static struct kunit_suite suite = {
	.name = "itme_state",
	.init = world_init,
	.exit = world_exit,
	.test_cases = cases,
};

kunit_test_suite(suite);
