// SPDX-License-Identifier: GPL-2.0
/* Counters: nothing lost, nothing in another's field. */
#include "crew.h"
#include "world.h"

#define ROUNDS	20000

static int count(struct hand *hand)
{
	struct itme_inode *ino = hand->crew->arg;

	for (int i = 0; i < ROUNDS; i++) {
		itme_count(ino, ITME_READ_BYTES, 3);
		/* The longest of all is the last but one of the last thread. */
		itme_count_stall(ino, i == ROUNDS - 2 ? 1000000 + hand->nr : i);
		if (i % 256 == 0)
			cond_resched();
	}
	return 0;
}

static void counter_sums(struct kunit *test)
{
	struct world *w = test->priv;
	struct itme_inode *ino[] = { world_file(w, 1), world_file(w, 1) };
	struct crew *crew[2];
	u64 stall_ns = 0;

	for (int f = 0; f < 2; f++) {
		crew[f] = kunit_kzalloc(test, sizeof(*crew[f]), GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, crew[f]);
		crew[f]->arg = ino[f];
		crew_add(test, crew[f], 3 - f, count);
	}
	for (int f = 0; f < 2; f++)
		crew_join(test, crew[f], 120);
	for (u64 i = 0; i < ROUNDS; i++)
		stall_ns += i == ROUNDS - 2 ? 0 : i;
	for (int f = 0; f < 2; f++) {
		atomic64_t *v = ino[f]->counters.v;
		u64 nr = 3 - f;

		KUNIT_EXPECT_EQ(test, atomic64_read(&v[ITME_READ_BYTES]), nr * ROUNDS * 3);
		KUNIT_EXPECT_EQ(test, atomic64_read(&v[ITME_STALLS]), nr * ROUNDS);
		KUNIT_EXPECT_EQ(test, atomic64_read(&v[ITME_STALL_NS]),
				nr * (stall_ns + 1000000) + nr * (nr - 1) / 2);
		KUNIT_EXPECT_EQ(test, atomic64_read(&v[ITME_STALL_MAX]), 1000000 + nr - 1);
	}
	KUNIT_EXPECT_EQ(test, atomic64_read(&w->fs.counters.v[ITME_STALL_MAX]), 1000002);
	EXPECT_WORLD_AT_REST(w);
}

/* Each counter has a field of its own, and each field its counter. */
static void counter_fields(struct kunit *test)
{
	struct itme_counters *c = kunit_kzalloc(test, sizeof(*c), GFP_KERNEL);
	struct itme_stats stats = {};
	u64 fields = 0, *field = &stats.read_bytes;

	KUNIT_ASSERT_NOT_NULL(test, c);
	for (int i = 0; i < ITME_NR_COUNTERS; i++)
		atomic64_set(&c->v[i], BIT_ULL(i));
	itme_stats_read(c, &stats);
	KUNIT_EXPECT_PTR_EQ(test, &field[ITME_NR_COUNTERS], &stats.reserved[0]);
	for (int i = 0; i < ITME_NR_COUNTERS; i++) {
		KUNIT_EXPECT_EQ(test, fields & field[i], 0);
		fields |= field[i];
	}
	KUNIT_EXPECT_EQ(test, fields, BIT_ULL(ITME_NR_COUNTERS) - 1);
	KUNIT_EXPECT_EQ(test, stats.prefetch_wasted_bytes, BIT_ULL(ITME_PREFETCH_WASTED));
	KUNIT_EXPECT_EQ(test, stats.stall_max_ns, BIT_ULL(ITME_STALL_MAX));
	KUNIT_EXPECT_EQ(test, stats.hints, BIT_ULL(ITME_HINTS));
	KUNIT_EXPECT_EQ(test, stats.flags, 0);
	KUNIT_EXPECT_NULL(test, memchr_inv(stats.reserved, 0, sizeof(stats.reserved)));
}

static struct kunit_case cases[] = {
	KUNIT_CASE_SLOW(counter_sums),
	KUNIT_CASE(counter_fields),
	{}
};

static struct kunit_suite suite = {
	.name = "itme_counter",
	.init = world_init,
	.exit = world_exit,
	.test_cases = cases,
};

kunit_test_suite(suite);
