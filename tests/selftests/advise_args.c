// SPDX-License-Identifier: GPL-2.0
/* ITME_IOC_ADVISE: its arguments, its ranges, and who may. */
#include "fixture.h"

#define SIZE	(5 * CHUNK + 12345)

FIXTURE(advise_args) {};
ITME_FIXTURE(advise_args)

#define OPEN(fd)							\
do {									\
	MOUNT("dram=24M");						\
	fd = import_open("f", SIZE, 1, 0);				\
	ASSERT_LE(0, fd);						\
} while (0)

/* which tiers an advice takes, as bits; ANY always */
static const unsigned int tiers_of[ITME_ADVICE_NR] = {
	[ITME_ADVICE_WILLNEED] = 1 << DRAM | 1 << CXL,
	[ITME_ADVICE_COLD] = 0,
	[ITME_ADVICE_PAGEOUT] = 1 << CXL | 1 << NVME,
	[ITME_ADVICE_HOT] = 1 << DRAM | 1 << CXL,
	[ITME_ADVICE_PIN] = 1 << DRAM | 1 << CXL,
	[ITME_ADVICE_UNPIN] = 0,
};

TEST_F(advise_args, advice_and_tier)
{
	static const uint32_t never[] = { 3, 4, 128, 254, 256, UINT32_MAX };
	uint32_t a, t;
	size_t i;
	int fd;

	OPEN(fd);
	for (a = ITME_ADVICE_NR; a < 70; a++)
		EXPECT_EQ(-EINVAL, advise(fd, 0, 0, a, ANY, NULL));
	EXPECT_EQ(-EINVAL, advise(fd, 0, 0, UINT32_MAX, ANY, NULL));
	for (a = 0; a < ITME_ADVICE_NR; a++) {
		for (i = 0; i < ARRAY_LEN(never); i++)
			EXPECT_EQ(-EINVAL, advise(fd, 0, 0, a, never[i], NULL))
				TH_LOG("advice %u, tier %u", a, never[i]);
		for (t = 0; t < ITME_TIER_NR; t++)
			if (!(tiers_of[a] & 1 << t))
				EXPECT_EQ(-EINVAL, advise(fd, 0, 0, a, t, NULL))
					TH_LOG("advice %u, tier %u", a, t);
		EXPECT_EQ(0, advise(fd, 0, CHUNK, a, ANY, NULL))
			TH_LOG("advice %u", a);
	}
	/* a tier that is there but has no budget is no error to a hint */
	EXPECT_EQ(0, advise(fd, 0, 0, ITME_ADVICE_HOT, CXL, NULL));
	EXPECT_EQ(0, advise(fd, 0, 0, ITME_ADVICE_WILLNEED, CXL, NULL));
	EXPECT_EQ(-ENOSPC, advise(fd, 0, 0, ITME_ADVICE_PIN, CXL, NULL));
	EXPECT_EQ(0, tier_used(CXL));
	EXPECT_EQ(0, check_read(fd, 0, SIZE, 1));
}

TEST_F(advise_args, fields)
{
	struct itme_advise a;
	int fd, i;

	OPEN(fd);
	for (i = 0; i < 5; i++) {
		a = (struct itme_advise){ .tier = ANY };
		if (i == 0)
			a.flags = 1;
		else if (i == 1)
			a.pad = 1;
		else
			a.reserved[i - 2] = 1ULL << 63;
		EXPECT_EQ(-1, ioctl(fd, ITME_IOC_ADVISE, &a));
		EXPECT_EQ(EINVAL, errno) TH_LOG("field %d", i);
	}
	EXPECT_EQ(0, resident(fd, 0, 0));
}

TEST_F(advise_args, ranges)
{
	uint32_t a;
	int fd;

	OPEN(fd);
	for (a = 0; a < ITME_ADVICE_NR; a++) {
		EXPECT_EQ(-EINVAL, advise(fd, SIZE + 1, 0, a, ANY, NULL));
		EXPECT_EQ(-EINVAL, advise(fd, SIZE + 1, 1, a, ANY, NULL));
		EXPECT_EQ(-EINVAL, advise(fd, SIZE + CHUNK, 1, a, ANY, NULL));
		EXPECT_EQ(-EINVAL, advise(fd, 1ULL << 63, 1, a, ANY, NULL));
		EXPECT_EQ(-EINVAL, advise(fd, -1ULL, 1, a, ANY, NULL));
		EXPECT_EQ(-EINVAL, advise(fd, -1ULL, 0, a, ANY, NULL));
		EXPECT_EQ(-EINVAL, advise(fd, 1, -1ULL, a, ANY, NULL));
		EXPECT_EQ(-EINVAL, advise(fd, CHUNK, -CHUNK, a, ANY, NULL));
		EXPECT_EQ(-EINVAL, advise(fd, CHUNK, -1ULL, a, ANY, NULL))
			TH_LOG("advice %u", a);
		/* past the end is cut */
		EXPECT_EQ(0, advise(fd, 4 * CHUNK, 1ULL << 40, a, ANY, NULL));
		EXPECT_EQ(0, advise(fd, SIZE - 1, 1, a, ANY, NULL));
	}
	EXPECT_EQ(0, check_read(fd, 0, SIZE, 1));
}

/* brought in on a byte: the chunk of the byte */
TEST_F(advise_args, widened)
{
	uint64_t done = 0;
	int fd;

	OPEN(fd);
	ASSERT_EQ(0, advise(fd, CHUNK + 77, 1, ITME_ADVICE_WILLNEED, ANY,
			    &done));
	EXPECT_TRUE(POLL(resident(fd, CHUNK, CHUNK) == CHUNK, 20));
	EXPECT_EQ(CHUNK, resident(fd, 0, 0));
	EXPECT_LE(1, done);
	EXPECT_GE(CHUNK, done);

	ASSERT_EQ(0, advise(fd, 3 * CHUNK - 1, 2, ITME_ADVICE_PIN, ANY, &done));
	EXPECT_EQ(2 * CHUNK, resident(fd, 2 * CHUNK, 2 * CHUNK));
	EXPECT_EQ(2 * CHUNK, tier_pinned(DRAM));
	ASSERT_EQ(0, advise(fd, SIZE - 1, 0, ITME_ADVICE_PIN, ANY, &done));
	EXPECT_EQ(12345, resident(fd, 5 * CHUNK, 0));
	EXPECT_EQ(0, check_read(fd, 0, SIZE, 1));
	ASSERT_EQ(0, advise(fd, 0, 0, ITME_ADVICE_UNPIN, ANY, NULL));
	EXPECT_EQ(0, tier_pinned(DRAM));
}

/* sent away on a range: only the chunks wholly inside */
TEST_F(advise_args, narrowed)
{
	uint64_t done = 77;
	int fd;

	OPEN(fd);
	ASSERT_EQ(0, check_read(fd, 0, SIZE, 1));
	ASSERT_EQ(SIZE, resident(fd, 0, 0));
	ASSERT_EQ(0, advise(fd, 1, CHUNK - 1, ITME_ADVICE_PAGEOUT, ANY, &done));
	EXPECT_EQ(SIZE, resident(fd, 0, 0));
	EXPECT_EQ(0, done);
	ASSERT_EQ(0, advise(fd, 5 * CHUNK, 12344, ITME_ADVICE_PAGEOUT, ANY,
			    &done));
	EXPECT_EQ(SIZE, resident(fd, 0, 0));

	ASSERT_EQ(0, advise(fd, CHUNK - 1, 2 * CHUNK, ITME_ADVICE_PAGEOUT, ANY,
			    &done));
	EXPECT_EQ(CHUNK, done);
	EXPECT_EQ(0, resident(fd, CHUNK, CHUNK));
	EXPECT_EQ(SIZE - CHUNK, resident(fd, 0, 0));
	/* the last chunk is whole when the range reaches the end */
	ASSERT_EQ(0, advise(fd, 4 * CHUNK + 1, 0, ITME_ADVICE_PAGEOUT, ANY,
			    &done));
	EXPECT_EQ(12345, done);
	EXPECT_EQ(0, resident(fd, 5 * CHUNK, 0));
	EXPECT_EQ(CHUNK, resident(fd, 4 * CHUNK, CHUNK));

	ASSERT_EQ(0, advise(fd, 0, CHUNK, ITME_ADVICE_PIN, ANY, NULL));
	ASSERT_EQ(0, advise(fd, 1, 0, ITME_ADVICE_UNPIN, ANY, NULL));
	EXPECT_EQ(CHUNK, tier_pinned(DRAM));
	ASSERT_EQ(0, advise(fd, 0, CHUNK, ITME_ADVICE_UNPIN, ANY, NULL));
	EXPECT_EQ(0, tier_pinned(DRAM));
	EXPECT_EQ(0, check_read(fd, 0, SIZE, 1));
}

TEST_F(advise_args, without_privilege)
{
	int fd;

	OPEN(fd);
	ASSERT_EQ(0, advise(fd, 0, CHUNK, ITME_ADVICE_PIN, ANY, NULL));
	ASSERT_EQ(0, drop_sys_admin());
	EXPECT_EQ(-EPERM, advise(fd, CHUNK, CHUNK, ITME_ADVICE_PIN, ANY, NULL));
	EXPECT_EQ(-EPERM, advise(fd, 0, 0, ITME_ADVICE_UNPIN, ANY, NULL));
	EXPECT_EQ(CHUNK, tier_pinned(DRAM));
	EXPECT_EQ(-EPERM, tier_set(DRAM, 32 * MIB));

	EXPECT_EQ(0, advise(fd, 0, 0, ITME_ADVICE_WILLNEED, ANY, NULL));
	EXPECT_EQ(0, advise(fd, 0, 0, ITME_ADVICE_HOT, ANY, NULL));
	EXPECT_EQ(0, advise(fd, 0, 0, ITME_ADVICE_COLD, ANY, NULL));
	EXPECT_EQ(0, advise(fd, 0, 0, ITME_ADVICE_PAGEOUT, ANY, NULL));
	EXPECT_EQ(0, check_read(fd, 0, SIZE, 1));
}

TEST_HARNESS_MAIN
