// SPDX-License-Identifier: GPL-2.0
/* Budgets: never exceeded, whoever charges and whoever changes them meanwhile. */
#include <linux/delay.h>
#include <linux/sched/signal.h>

#include "crew.h"
#include "world.h"

/* What itme_tier_set() rounds to, in pages and in bytes. */
#define STEP		((long)ITME_CHUNK_MAX_PAGES)
#define STEP_BYTES	((u64)STEP << PAGE_SHIFT)

static long used(int tier)
{
	return atomic_long_read(&itme_tiers[tier].used);
}

static long budget(int tier)
{
	return atomic_long_read(&itme_tiers[tier].budget);
}

static void tier_charge_to_the_page(struct kunit *test)
{
	world_budget(DRAM, 2);
	world_budget(CXL, 0);
	KUNIT_EXPECT_TRUE(test, itme_tier_charge(DRAM, CHUNK_PAGES));
	KUNIT_EXPECT_FALSE(test, itme_tier_charge(DRAM, CHUNK_PAGES + 1));
	KUNIT_EXPECT_EQ(test, used(DRAM), CHUNK_PAGES);
	KUNIT_EXPECT_TRUE(test, itme_tier_charge(DRAM, CHUNK_PAGES));
	KUNIT_EXPECT_EQ(test, itme_tier_room(DRAM), 0);
	KUNIT_EXPECT_FALSE(test, itme_tier_charge(DRAM, 1));
	KUNIT_EXPECT_FALSE(test, itme_tier_charge(CXL, 1));
	itme_tier_uncharge(DRAM, 1);
	KUNIT_EXPECT_TRUE(test, itme_tier_charge(DRAM, 1));
	/* Above a budget that was lowered nothing is given, and nothing is lost. */
	world_budget(DRAM, 1);
	KUNIT_EXPECT_EQ(test, itme_tier_room(DRAM), -CHUNK_PAGES);
	KUNIT_EXPECT_FALSE(test, itme_tier_charge(DRAM, 1));
	itme_tier_uncharge(DRAM, 2 * CHUNK_PAGES);
	KUNIT_EXPECT_EQ(test, used(DRAM), 0);
	KUNIT_EXPECT_EQ(test, used(CXL), 0);
}

struct charge {
	struct world *w;
	atomic_t over;
	atomic_t refused;
	long limit;	/* no budget is above it, at any time */
};

/* At the edge of the budget, where a check and a charge that are two steps go wrong. */
static int charge_at_the_edge(struct hand *hand)
{
	struct charge *charge = hand->crew->arg;

	while (!crew_stop(hand)) {
		for (int i = 0; i < 1000; i++) {
			long pages = 1 + crew_random(hand, 3);

			if (!itme_tier_charge(DRAM, pages)) {
				atomic_inc(&charge->refused);
				continue;
			}
			if (used(DRAM) > READ_ONCE(charge->limit))
				atomic_inc(&charge->over);
			hand->result++;
			itme_tier_uncharge(DRAM, pages);
		}
		cond_resched();
	}
	return hand->result;
}

static struct charge *chargers(struct kunit *test, struct crew **crew, int nr)
{
	struct charge *charge = kunit_kzalloc(test, sizeof(*charge), GFP_KERNEL);

	*crew = kunit_kzalloc(test, sizeof(**crew), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, charge);
	KUNIT_ASSERT_NOT_NULL(test, *crew);
	charge->w = test->priv;
	charge->limit = budget(DRAM);
	(*crew)->arg = charge;
	crew_add(test, *crew, nr, charge_at_the_edge);
	return charge;
}

static void tier_charge_at_once(struct kunit *test)
{
	struct charge *charge;
	struct crew *crew;

	atomic_long_set(&itme_tiers[DRAM].budget, 4);
	charge = chargers(test, &crew, 4);
	msleep(world_soak() ? 30000 : 2000);
	crew_join(test, crew, 10);
	KUNIT_EXPECT_EQ(test, atomic_read(&charge->over), 0);
	KUNIT_EXPECT_EQ(test, used(DRAM), 0);
	for (int i = 0; i < 4; i++)
		KUNIT_EXPECT_GT(test, crew->hand[i].result, 0);
	/* They were in each other's way, or this has shown nothing. */
	KUNIT_EXPECT_GT(test, atomic_read(&charge->refused), 0);
}

/* What a budget is set to holds from the moment the call returns. */
static void tier_set_under_charge(struct kunit *test)
{
	struct world *w = test->priv;
	struct charge *charge;
	struct crew *crew;
	int sets = 0;

	atomic_long_set(&itme_tiers[DRAM].budget, 8 * STEP);
	/* All but the edge is taken by others who do not let go of it. */
	KUNIT_ASSERT_TRUE(test, itme_tier_charge(DRAM, 5 * STEP - 2));
	charge = chargers(test, &crew, 3);
	for (int i = 0; i < (world_soak() ? 2000 : 100); i++) {
		long steps = 5 + (i & 3);
		int err = itme_tier_set(&w->fs, DRAM, steps * STEP_BYTES);

		KUNIT_EXPECT_EQ(test, err, 0);
		sets += !err;
		/* Set by us alone, so it stands; what they held above it has gone. */
		KUNIT_EXPECT_EQ(test, budget(DRAM), steps * STEP);
		for (int look = 0; look < 200; look++)
			KUNIT_EXPECT_LE(test, used(DRAM), steps * STEP);
		usleep_range(50, 500);
	}
	crew_join(test, crew, 10);
	KUNIT_EXPECT_EQ(test, atomic_read(&charge->over), 0);
	KUNIT_EXPECT_EQ(test, used(DRAM), 5 * STEP - 2);
	KUNIT_EXPECT_GT(test, sets, 0);
	itme_tier_uncharge(DRAM, 5 * STEP - 2);
}

static void tier_check_says_why(struct kunit *test)
{
	const char *const none = "the tier has no memory node";
	const char *const small = "the budget is below the minimum of 8M";
	const char *const large = "the budget is larger than the memory of the nodes";
	const u64 min = ITME_MIN_BUDGET << PAGE_SHIFT;
	nodemask_t dram = NODE_MASK_NONE, ghost = NODE_MASK_NONE, empty = NODE_MASK_NONE;
	u64 capacity;
	const char *why;

	node_set(0, dram);
	/* A node that is not there has no memory. */
	node_set(MAX_NUMNODES - 1, ghost);
	capacity = itme_tier_capacity(&dram);
	KUNIT_EXPECT_GT(test, capacity, min);
	KUNIT_EXPECT_EQ(test, itme_tier_capacity(&ghost), 0);
	KUNIT_EXPECT_EQ(test, itme_tier_free(&ghost), 0);
	KUNIT_EXPECT_LE(test, itme_tier_free(&dram), capacity);

	const struct {
		int tier;
		u64 bytes;
		const nodemask_t *nodes;
		const char *why;
	} checks[] = {
		{ DRAM, min, &dram, NULL },
		{ DRAM, capacity, &dram, NULL },
		{ DRAM, capacity + 1, &dram, large },
		{ DRAM, U64_MAX, &dram, large },
		{ DRAM, min - 1, &dram, small },
		{ DRAM, 0, &dram, small },
		{ DRAM, min, &empty, none },
		{ DRAM, min, &ghost, large },
		{ CXL, 0, &empty, NULL },
		{ CXL, 0, &dram, NULL },
		{ CXL, 1, &dram, small },
		{ CXL, min, &empty, none },
		{ CXL, min, &dram, NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(checks); i++) {
		why = NULL;
		KUNIT_EXPECT_EQ_MSG(test, itme_tier_check(checks[i].tier, checks[i].bytes,
							  checks[i].nodes, &why),
				    checks[i].why ? -EINVAL : 0, "check %zu", i);
		KUNIT_EXPECT_STREQ(test, why ?: "", checks[i].why ?: "");
	}
}

/* A budget that is refused leaves all as it was. */
static void tier_set_refuses(struct kunit *test)
{
	struct world *w = test->priv;
	struct itme_inode *ino = world_file(w, 64ULL << CHUNK_SHIFT);
	long before = 64 * STEP;
	bool fresh;

	atomic_long_set(&itme_tiers[DRAM].budget, before);
	KUNIT_EXPECT_EQ(test, itme_tier_set(&w->fs, DRAM, 0), -EINVAL);
	KUNIT_EXPECT_EQ(test, itme_tier_set(&w->fs, DRAM, U64_MAX), -EINVAL);
	KUNIT_EXPECT_EQ(test, budget(DRAM), before);
	/* Whole steps; the rest is not used. */
	KUNIT_EXPECT_EQ(test, itme_tier_set(&w->fs, DRAM, 6 * STEP_BYTES - 1), 0);
	KUNIT_EXPECT_EQ(test, budget(DRAM), 5 * STEP);

	/* Pins that would not leave the ring its room. */
	atomic_long_set(&itme_tiers[DRAM].budget, before);
	for (u32 idx = 0; idx < 64; idx++)
		KUNIT_ASSERT_EQ(test, itme_chunk_pin(ino, idx, DRAM, &fresh), 0);
	for (u32 idx = 0; idx < 64; idx++)
		KUNIT_EXPECT_EQ(test, itme_bring_in(ino, idx, DRAM), 0);
	KUNIT_EXPECT_EQ(test, w->fs.queues[DRAM].pinned, 2 * STEP);
	/* 4 steps leave 2 for pins, which is enough. */
	KUNIT_EXPECT_EQ(test, itme_tier_set(&w->fs, DRAM, 4 * STEP_BYTES), 0);
	atomic_long_set(&itme_tiers[DRAM].budget, before);
	w->fs.queues[DRAM].pinned++;
	KUNIT_EXPECT_EQ(test, itme_tier_set(&w->fs, DRAM, 4 * STEP_BYTES), -EBUSY);
	KUNIT_EXPECT_EQ(test, budget(DRAM), before);
	w->fs.queues[DRAM].pinned--;
	/* A larger one is never refused for pins. */
	KUNIT_EXPECT_EQ(test, itme_tier_set(&w->fs, DRAM, 65 * STEP_BYTES), 0);
	EXPECT_WORLD_AT_REST(w);
}

/* What is above a smaller budget leaves before the call returns. */
static void tier_set_evicts(struct kunit *test)
{
	struct world *w = test->priv;
	struct itme_inode *ino = world_file(w, 1024ULL << CHUNK_SHIFT);
	long pages = 0;

	atomic_long_set(&itme_tiers[CXL].budget, 64 * STEP);
	itme_tiers[CXL].nodes = itme_tiers[DRAM].nodes;
	for (u32 idx = 0; idx < 1024; idx++)
		world_used(ino, idx, CXL);
	KUNIT_EXPECT_EQ(test, used(CXL), 32 * STEP);
	KUNIT_EXPECT_EQ(test, itme_tier_set(&w->fs, CXL, 16 * STEP_BYTES), 0);
	KUNIT_EXPECT_EQ(test, used(CXL), 16 * STEP);
	for (u32 idx = 0; idx < 1024; idx++)
		pages += world_chunk(ino, idx)->pages;
	KUNIT_EXPECT_EQ(test, pages, 16 * STEP);
	KUNIT_EXPECT_EQ(test, itme_tier_set(&w->fs, CXL, 0), 0);
	KUNIT_EXPECT_EQ(test, used(CXL), 0);
	EXPECT_WORLD_AT_REST(w);
}

static int set_smaller(struct hand *hand)
{
	struct world *w = hand->crew->arg;

	return itme_tier_set(&w->fs, DRAM, 4 * STEP_BYTES);
}

/* Nobody may leave: it gives up after a while, and at once on a signal; the old budget stands. */
static void tier_set_gives_up(struct kunit *test)
{
	struct world *w = test->priv;
	struct crew *crew = kunit_kzalloc(test, sizeof(*crew), GFP_KERNEL);
	unsigned long start = jiffies;

	KUNIT_ASSERT_NOT_NULL(test, crew);
	crew->arg = w;
	w->evict_nothing = true;
	atomic_long_set(&itme_tiers[DRAM].budget, 8 * STEP);
	KUNIT_ASSERT_TRUE(test, itme_tier_charge(DRAM, 5 * STEP));
	KUNIT_EXPECT_EQ(test, itme_tier_set(&w->fs, DRAM, 4 * STEP_BYTES), -EBUSY);
	KUNIT_EXPECT_EQ(test, budget(DRAM), 8 * STEP);
	KUNIT_EXPECT_GE(test, jiffies - start, 4 * HZ);
	KUNIT_EXPECT_LT(test, jiffies - start, 20 * HZ);

	crew_add(test, crew, 1, set_smaller);
	KUNIT_EXPECT_FALSE(test, crew_ended(&crew->hand[0], 200));
	/* Meanwhile nothing is given above the smaller one. */
	KUNIT_EXPECT_EQ(test, budget(DRAM), 4 * STEP);
	KUNIT_EXPECT_FALSE(test, itme_tier_charge(DRAM, 1));
	start = jiffies;
	send_sig(SIGUSR1, crew->hand[0].task, 1);
	KUNIT_EXPECT_TRUE(test, crew_ended(&crew->hand[0], 4000));
	KUNIT_EXPECT_LT(test, jiffies - start, 2 * HZ);
	KUNIT_EXPECT_EQ(test, crew->hand[0].result, -EINTR);
	KUNIT_EXPECT_EQ(test, budget(DRAM), 8 * STEP);
	crew_join(test, crew, 5);

	/* Memory that comes free by itself is noticed. */
	crew_add(test, crew, 1, set_smaller);
	KUNIT_EXPECT_FALSE(test, crew_ended(&crew->hand[0], 200));
	itme_tier_uncharge(DRAM, STEP);
	KUNIT_EXPECT_TRUE(test, crew_ended(&crew->hand[0], 4000));
	KUNIT_EXPECT_EQ(test, crew->hand[0].result, 0);
	KUNIT_EXPECT_EQ(test, budget(DRAM), 4 * STEP);
	crew_join(test, crew, 5);
	itme_tier_uncharge(DRAM, 4 * STEP);
}

static int wait_for_room(struct hand *hand)
{
	struct world *w = hand->crew->arg;

	WRITE_ONCE(hand->at, 1);
	wait_event_killable(w->fs.pages_wait, itme_tier_room(DRAM) >= 5 * STEP);
	return 0;
}

/* Who waits for room is told of a larger budget. */
static void tier_set_wakes(struct kunit *test)
{
	struct world *w = test->priv;
	struct crew *crew = kunit_kzalloc(test, sizeof(*crew), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, crew);
	crew->arg = w;
	atomic_long_set(&itme_tiers[DRAM].budget, 4 * STEP);
	crew_add(test, crew, 2, wait_for_room);
	KUNIT_EXPECT_FALSE(test, crew_ended(&crew->hand[1], 100));
	KUNIT_EXPECT_EQ(test, itme_tier_set(&w->fs, DRAM, 5 * STEP_BYTES), 0);
	crew_join(test, crew, 5);
}

/* Memory of a tier is on its nodes, and what is told of a tier is what it has. */
static void tier_alloc_and_info(struct kunit *test)
{
	struct world *w = test->priv;
	struct itme_inode *ino = world_file(w, 8ULL << CHUNK_SHIFT);
	struct itme_tier_info info;
	struct folio *folio;
	bool fresh;

	itme_tiers[CXL].nodes = NODE_MASK_NONE;
	node_set(MAX_NUMNODES - 1, itme_tiers[CXL].nodes);
	for (unsigned int order = 0; order <= 4; order += 4) {
		folio = itme_tier_alloc(DRAM, order, true);
		KUNIT_ASSERT_NOT_NULL(test, folio);
		KUNIT_EXPECT_EQ(test, folio_order(folio), order);
		KUNIT_EXPECT_EQ(test, folio_nid(folio), 0);
		folio_put(folio);
		/* Rather none than one of another node. */
		KUNIT_EXPECT_NULL(test, itme_tier_alloc(CXL, order, true));
	}
	KUNIT_EXPECT_EQ(test, itme_tier_of(0), DRAM);
	KUNIT_EXPECT_EQ(test, itme_tier_of(MAX_NUMNODES - 1), CXL);
	KUNIT_EXPECT_EQ(test, itme_tier_of(MAX_NUMNODES - 2), DRAM);

	world_used(ino, 0, DRAM);
	world_used(ino, 1, DRAM);
	world_used(ino, 2, DRAM);
	KUNIT_ASSERT_EQ(test, itme_chunk_pin(ino, 1, DRAM, &fresh), 0);
	world_chunk(ino, 2)->held = true;
	KUNIT_ASSERT_TRUE(test, itme_chunk_begin_leave(ino, 2));
	itme_drop(ino, 2, false);
	memset(&info, 0xff, sizeof(info));
	itme_tier_info(&w->fs, DRAM, &info);
	KUNIT_EXPECT_EQ(test, info.tier, DRAM);
	KUNIT_EXPECT_EQ(test, info.flags, 0);
	KUNIT_EXPECT_EQ(test, info.budget, 64ULL << CHUNK_SHIFT);
	KUNIT_EXPECT_EQ(test, info.used, 3ULL << CHUNK_SHIFT);
	KUNIT_EXPECT_EQ(test, info.pinned, 1ULL << CHUNK_SHIFT);
	KUNIT_EXPECT_EQ(test, info.busy, 1ULL << CHUNK_SHIFT);
	KUNIT_EXPECT_EQ(test, info.capacity, itme_tier_capacity(&itme_tiers[DRAM].nodes));
	KUNIT_EXPECT_EQ(test, info.nodes[0], 1);
	KUNIT_EXPECT_NULL(test, memchr_inv(info.reserved, 0, sizeof(info.reserved)));
	KUNIT_EXPECT_NULL(test, memchr_inv(&info.nodes[1], 0, sizeof(info.nodes) - 8));
	itme_tier_info(&w->fs, CXL, &info);
	KUNIT_EXPECT_EQ(test, info.tier, CXL);
	KUNIT_EXPECT_EQ(test, info.used, 0);
	KUNIT_EXPECT_EQ(test, info.nodes[(MAX_NUMNODES - 1) / 64],
			1ULL << (MAX_NUMNODES - 1) % 64);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(tier_charge_to_the_page),
	KUNIT_CASE_SLOW(tier_charge_at_once),
	KUNIT_CASE_SLOW(tier_set_under_charge),
	KUNIT_CASE(tier_check_says_why),
	KUNIT_CASE(tier_set_refuses),
	KUNIT_CASE(tier_set_evicts),
	KUNIT_CASE_SLOW(tier_set_gives_up),
	KUNIT_CASE(tier_set_wakes),
	KUNIT_CASE(tier_alloc_and_info),
	{}
};

static struct kunit_suite suite = {
	.name = "itme_tier",
	.init = world_init,
	.exit = world_exit,
	.test_cases = cases,
};

kunit_test_suite(suite);
