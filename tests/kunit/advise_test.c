// SPDX-License-Identifier: GPL-2.0
/* Hints: what is refused before anything is done, which chunks they take, how they end. */
#include <linux/cred.h>
#include <linux/delay.h>
#include <linux/fadvise.h>
#include <linux/sched/signal.h>

#include "crew.h"
#include "world.h"

#define C	BIT_ULL(CHUNK_SHIFT)
#define NR	24
#define SIZE	((NR - 1) * C + 5000)

static struct itme_inode *advised(struct kunit *test)
{
	return world_file(test->priv, SIZE);
}

static int advise(struct itme_inode *ino, u32 advice, u32 tier, u64 offset, u64 length, u64 *done)
{
	struct itme_advise arg = {
		.advice = advice, .tier = tier, .offset = offset, .length = length,
		.done = U64_MAX,
	};
	int err = itme_advise(ino, &arg, true);

	if (done)
		*done = arg.done;
	return err;
}

/* All fields of a hint that is fine, one after the other spoilt. */
static void advise_refused(struct kunit *test)
{
	static const struct itme_advise bad[] = {
		{ .advice = ITME_ADVICE_NR, .tier = ITME_TIER_ANY },
		{ .advice = U32_MAX, .tier = ITME_TIER_ANY },
		{ .advice = ITME_ADVICE_WILLNEED, .tier = NVME },
		{ .advice = ITME_ADVICE_COLD, .tier = DRAM },
		{ .advice = ITME_ADVICE_PAGEOUT, .tier = DRAM },
		{ .advice = ITME_ADVICE_HOT, .tier = NVME },
		{ .advice = ITME_ADVICE_PIN, .tier = NVME },
		{ .advice = ITME_ADVICE_UNPIN, .tier = CXL },
		{ .advice = ITME_ADVICE_HOT, .tier = 3 },
		{ .advice = ITME_ADVICE_HOT, .tier = 32 },
		{ .advice = ITME_ADVICE_HOT, .tier = 254 },
		{ .advice = ITME_ADVICE_HOT, .tier = U32_MAX },
		{ .tier = ITME_TIER_ANY, .flags = 1 },
		{ .tier = ITME_TIER_ANY, .pad = 1U << 31 },
		{ .tier = ITME_TIER_ANY, .reserved = { 1 } },
		{ .tier = ITME_TIER_ANY, .reserved = { 0, 0, 1ULL << 63 } },
		{ .tier = ITME_TIER_ANY, .offset = SIZE },
		{ .tier = ITME_TIER_ANY, .offset = SIZE, .length = 1 },
		{ .tier = ITME_TIER_ANY, .offset = U64_MAX },
		{ .tier = ITME_TIER_ANY, .offset = 1, .length = U64_MAX },
		{ .tier = ITME_TIER_ANY, .offset = SIZE - 1, .length = U64_MAX - SIZE + 2 },
	};
	struct world *w = test->priv;
	struct itme_inode *ino = advised(test);

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct itme_advise arg = bad[i];

		KUNIT_EXPECT_EQ_MSG(test, itme_advise(ino, &arg, true), -EINVAL, "hint %zu", i);
	}
	KUNIT_EXPECT_EQ(test, atomic64_read(&ino->counters.v[ITME_HINTS]), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&w->fills), 0);
	/* The longest range there is. */
	KUNIT_EXPECT_EQ(test, advise(ino, ITME_ADVICE_COLD, ITME_TIER_ANY, SIZE - 1,
				     U64_MAX - SIZE + 1, NULL), 0);
	KUNIT_EXPECT_EQ(test, atomic64_read(&ino->counters.v[ITME_HINTS]), 1);
	EXPECT_WORLD_AT_REST(w);
}

static void advise_privilege(struct kunit *test)
{
	struct itme_inode *ino = advised(test);
	struct cred *cred = prepare_creds();
	const struct cred *old;

	KUNIT_ASSERT_NOT_NULL(test, cred);
	cred->cap_effective = CAP_EMPTY_SET;
	old = override_creds(cred);
	KUNIT_EXPECT_EQ(test, advise(ino, ITME_ADVICE_PIN, ITME_TIER_ANY, 0, 0, NULL), -EPERM);
	KUNIT_EXPECT_EQ(test, advise(ino, ITME_ADVICE_UNPIN, ITME_TIER_ANY, 0, 0, NULL), -EPERM);
	KUNIT_EXPECT_EQ(test, advise(ino, ITME_ADVICE_COLD, ITME_TIER_ANY, 0, 0, NULL), 0);
	revert_creds(old);
	put_cred(cred);
	KUNIT_EXPECT_EQ(test, advise(ino, ITME_ADVICE_UNPIN, ITME_TIER_ANY, 0, 0, NULL), 0);
	EXPECT_WORLD_AT_REST((struct world *)test->priv);
}

/* To be kept: each chunk a byte of which is meant. To leave: those all of which is meant. */
static void advise_whole_chunks(struct kunit *test)
{
	static const struct {
		u64 offset, length;
		u32 touched, nr_touched, inside, nr_inside;
	} ranges[] = {
		{ 0, C, 0, 1, 0, 1 },
		{ 0, 1, 0, 1, 0, 0 },
		{ C - 1, 2, 0, 2, 0, 0 },
		{ 1, 3 * C, 0, 4, 1, 2 },
		{ C, 2 * C, 1, 2, 1, 2 },
		{ (NR - 1) * C, 5000, NR - 1, 1, NR - 1, 1 },
		{ (NR - 1) * C, 4999, NR - 1, 1, 0, 0 },
		{ (NR - 1) * C + 1, 0, NR - 1, 1, 0, 0 },
		{ (NR - 2) * C, 0, NR - 2, 2, NR - 2, 2 },
		{ (NR - 2) * C, 1ULL << 60, NR - 2, 2, NR - 2, 2 },
	};
	struct world *w = test->priv;
	struct itme_inode *ino = advised(test);

	for (size_t i = 0; i < ARRAY_SIZE(ranges); i++) {
		u32 cold = 0, pinned = 0;
		u64 bytes = 0, done;

		for (u32 idx = 0; idx < NR; idx++) {
			KUNIT_ASSERT_EQ(test, itme_bring_in(ino, idx, CXL), 0);
			itme_chunk_set_hot(ino, idx, CXL);
		}
		KUNIT_EXPECT_EQ(test, advise(ino, ITME_ADVICE_COLD, ITME_TIER_ANY,
					     ranges[i].offset, ranges[i].length, &done), 0);
		for (u32 idx = 0; idx < NR; idx++) {
			u32 at = idx - ranges[i].inside;
			bool is = itme_chunk_peek(ino, idx).flags & ITME_C_COLD;

			KUNIT_EXPECT_EQ_MSG(test, is, at < ranges[i].nr_inside,
					    "range %zu, chunk %u", i, idx);
			cold += is;
			bytes += is ? itme_chunk_bytes(ino, idx) : 0;
		}
		KUNIT_EXPECT_EQ(test, cold, ranges[i].nr_inside);
		KUNIT_EXPECT_EQ(test, done, bytes);

		KUNIT_EXPECT_EQ(test, advise(ino, ITME_ADVICE_PIN, CXL, ranges[i].offset,
					     ranges[i].length, &done), 0);
		for (u32 idx = 0; idx < NR; idx++) {
			u32 at = idx - ranges[i].touched;
			bool is = itme_chunk_peek(ino, idx).flags & ITME_C_PINNED;

			KUNIT_EXPECT_EQ_MSG(test, is, at < ranges[i].nr_touched,
					    "range %zu, chunk %u", i, idx);
			pinned += is;
		}
		KUNIT_EXPECT_EQ(test, pinned, ranges[i].nr_touched);
		KUNIT_EXPECT_LE(test, done, ranges[i].length ?: SIZE - ranges[i].offset);
		KUNIT_EXPECT_EQ(test, advise(ino, ITME_ADVICE_UNPIN, ITME_TIER_ANY, 0, 0, NULL), 0);
		EXPECT_WORLD_AT_REST(w);
	}
}

/* More than fits: nothing is pinned, and what was pinned before stays so. */
static void advise_pin_all_or_nothing(struct kunit *test)
{
	struct world *w = test->priv;
	struct itme_inode *ino = advised(test);

	/* Of 24 chunks, 12 may be pinned. */
	world_budget(DRAM, NR);
	KUNIT_EXPECT_EQ(test, advise(ino, ITME_ADVICE_PIN, DRAM, 3 * C, 2 * C, NULL), 0);
	KUNIT_EXPECT_EQ(test, advise(ino, ITME_ADVICE_PIN, DRAM, 0, 13 * C, NULL), -ENOSPC);
	for (u32 idx = 0; idx < NR; idx++)
		KUNIT_EXPECT_EQ(test, !!(itme_chunk_peek(ino, idx).flags & ITME_C_PINNED),
				idx == 3 || idx == 4);
	KUNIT_EXPECT_EQ(test, w->fs.queues[DRAM].pinned, 2 * CHUNK_PAGES);
	/* The same for a drive that fails, and for what cannot be brought in at all. */
	w->fill_error = -EIO;
	KUNIT_EXPECT_EQ(test, advise(ino, ITME_ADVICE_PIN, DRAM, 20 * C, 0, NULL), -EIO);
	KUNIT_EXPECT_EQ(test, w->fs.queues[DRAM].pinned, 2 * CHUNK_PAGES);
	w->fill_error = -ENOMEM;
	KUNIT_EXPECT_EQ(test, advise(ino, ITME_ADVICE_PIN, DRAM, 20 * C, 0, NULL), -ENOMEM);
	KUNIT_EXPECT_EQ(test, w->fs.queues[DRAM].pinned, 2 * CHUNK_PAGES);
	w->fill_error = 0;
	KUNIT_EXPECT_EQ(test, advise(ino, ITME_ADVICE_PIN, DRAM, 20 * C, 0, NULL), 0);
	EXPECT_WORLD_AT_REST(w);
}

/* Read in by a worker, as much as there is room for; the same wish twice is one. */
static void advise_willneed_bounded(struct kunit *test)
{
	struct world *w = test->priv;
	struct itme_inode *ino = advised(test);
	u64 done;

	world_budget(DRAM, 8);
	world_budget(CXL, 4);
	for (int again = 0; again < 2; again++) {
		KUNIT_EXPECT_EQ(test, advise(ino, ITME_ADVICE_WILLNEED, DRAM, 0, 0, &done), 0);
		KUNIT_EXPECT_EQ(test, done, 8 * C);
		flush_workqueue(w->fs.hint_wq);
		KUNIT_EXPECT_EQ(test, atomic_long_read(&itme_tiers[DRAM].used), 8 * CHUNK_PAGES);
		KUNIT_EXPECT_EQ(test, atomic_read(&w->fills), 8);
		EXPECT_WORLD_AT_REST(w);
	}
	KUNIT_EXPECT_EQ(test, advise(ino, ITME_ADVICE_WILLNEED, ITME_TIER_ANY, 8 * C, 0, &done), 0);
	flush_workqueue(w->fs.hint_wq);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&itme_tiers[CXL].used), 4 * CHUNK_PAGES);
	KUNIT_EXPECT_LE(test, done, 12 * C);
	EXPECT_WORLD_AT_REST(w);
	/* During an unmount nothing is begun. */
	w->fs.stopping = true;
	KUNIT_EXPECT_EQ(test, advise(ino, ITME_ADVICE_WILLNEED, DRAM, 0, 0, &done), 0);
	KUNIT_EXPECT_EQ(test, done, 0);
	EXPECT_WORLD_AT_REST(w);
}

static void advise_pageout(struct kunit *test)
{
	struct world *w = test->priv;
	struct itme_inode *ino = advised(test);
	u64 done;

	for (u32 idx = 0; idx < 8; idx++)
		world_used(ino, idx, DRAM);
	KUNIT_EXPECT_EQ(test, advise(ino, ITME_ADVICE_PIN, DRAM, C, C, NULL), 0);
	world_chunk(ino, 2)->held = true;
	/* Absent ones have left; the pinned one and the one held have not. */
	KUNIT_EXPECT_EQ(test, advise(ino, ITME_ADVICE_PAGEOUT, NVME, 0, 0, &done), 0);
	KUNIT_EXPECT_EQ(test, done, SIZE - 2 * C);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&itme_tiers[DRAM].used), 2 * CHUNK_PAGES);
	world_chunk(ino, 2)->held = false;
	KUNIT_EXPECT_EQ(test, advise(ino, ITME_ADVICE_PAGEOUT, CXL, 0, 4 * C, &done), 0);
	KUNIT_EXPECT_EQ(test, done, C);
	KUNIT_EXPECT_EQ(test, world_tier(ino, 2), CXL);
	EXPECT_WORLD_AT_REST(w);
}

static void advise_hot_moves(struct kunit *test)
{
	struct world *w = test->priv;
	struct itme_inode *ino = advised(test);
	u64 done;

	world_budget(DRAM, 16);
	for (u32 idx = 0; idx < 4; idx++)
		world_used(ino, idx, CXL);
	KUNIT_EXPECT_EQ(test, advise(ino, ITME_ADVICE_PIN, CXL, 0, C, NULL), 0);
	/* As many as stay beside the ring; the pinned one is not moved. */
	KUNIT_EXPECT_EQ(test, advise(ino, ITME_ADVICE_HOT, DRAM, 0, 0, &done), 0);
	KUNIT_EXPECT_EQ(test, done, 7 * C);
	KUNIT_EXPECT_EQ(test, world_tier(ino, 0), CXL);
	for (u32 idx = 1; idx < 8; idx++) {
		KUNIT_EXPECT_EQ(test, world_tier(ino, idx), DRAM);
		KUNIT_EXPECT_EQ(test, itme_chunk_peek(ino, idx).flags & ITME_C_RING, 0);
	}
	flush_workqueue(w->fs.heat_wq);
	EXPECT_WORLD_AT_REST(w);
}

static int make_hot(struct hand *hand)
{
	return advise(hand->crew->arg, ITME_ADVICE_HOT, DRAM, 0, 4 * C, NULL);
}

/* The caller goes when he has a signal; the workers end by themselves, and free what they had. */
static void advise_hot_interrupted(struct kunit *test)
{
	struct world *w = test->priv;
	struct itme_inode *ino = advised(test);
	struct crew *crew = kunit_kzalloc(test, sizeof(*crew), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, crew);
	crew->arg = ino;
	w->fill_later = true;
	crew_add(test, crew, 1, make_hot);
	KUNIT_EXPECT_FALSE(test, crew_ended(&crew->hand[0], 200));
	KUNIT_EXPECT_GT(test, atomic_read(&w->fills), 0);
	send_sig(SIGUSR1, crew->hand[0].task, 1);
	KUNIT_EXPECT_TRUE(test, crew_ended(&crew->hand[0], 5000));
	KUNIT_EXPECT_EQ(test, crew->hand[0].result, -EINTR);
	crew_join(test, crew, 5);
	KUNIT_EXPECT_GT(test, world_refs(ino), 0);
	WRITE_ONCE(w->fill_later, false);
	for (u32 idx = 0; idx < NR; idx++)
		if (itme_chunk_peek(ino, idx).state == ITME_FILLING)
			world_end_fill(ino, idx, true, DRAM);
	flush_workqueue(w->fs.heat_wq);
	EXPECT_WORLD_AT_REST(w);
}

static void advise_by_fadvise(struct kunit *test)
{
	struct world *w = test->priv;
	struct itme_inode *ino = advised(test);
	struct file *file = kunit_kzalloc(test, sizeof(*file), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, file);
	file->f_inode = &ino->vfs;
	KUNIT_EXPECT_EQ(test, itme_fadvise(file, -1, 0, POSIX_FADV_WILLNEED), -EINVAL);
	KUNIT_EXPECT_EQ(test, itme_fadvise(file, 0, -1, POSIX_FADV_DONTNEED), -EINVAL);
	KUNIT_EXPECT_EQ(test, itme_fadvise(file, SIZE, 0, POSIX_FADV_WILLNEED), 0);
	KUNIT_EXPECT_EQ(test, itme_fadvise(file, LLONG_MAX, 1, POSIX_FADV_WILLNEED), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&w->fills), 0);
	/* A range that overflows goes to the end of the file. */
	KUNIT_EXPECT_EQ(test, itme_fadvise(file, 20 * C, LLONG_MAX, POSIX_FADV_WILLNEED), 0);
	flush_workqueue(w->fs.hint_wq);
	KUNIT_EXPECT_EQ(test, atomic_read(&w->fills), 4);
	KUNIT_EXPECT_EQ(test, itme_fadvise(file, 21 * C, LLONG_MAX, POSIX_FADV_DONTNEED), 0);
	KUNIT_EXPECT_EQ(test, itme_chunk_peek(ino, 20).state, ITME_RESIDENT);
	for (u32 idx = 21; idx < NR; idx++)
		KUNIT_EXPECT_EQ(test, itme_chunk_peek(ino, idx).state, ITME_ABSENT);
	EXPECT_WORLD_AT_REST(w);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(advise_refused),
	KUNIT_CASE(advise_privilege),
	KUNIT_CASE(advise_whole_chunks),
	KUNIT_CASE(advise_pin_all_or_nothing),
	KUNIT_CASE(advise_willneed_bounded),
	KUNIT_CASE(advise_pageout),
	KUNIT_CASE(advise_hot_moves),
	KUNIT_CASE(advise_hot_interrupted),
	KUNIT_CASE(advise_by_fadvise),
	{}
};

static struct kunit_suite suite = {
	.name = "itme_advise",
	.init = world_init,
	.exit = world_exit,
	.test_cases = cases,
};

kunit_test_suite(suite);
