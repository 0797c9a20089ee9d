// SPDX-License-Identifier: GPL-2.0
/* The hints that every process knows: fadvise(2), madvise(2), readahead(2). */
#include "fixture.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25
#endif

#define SIZE	(6 * CHUNK)

FIXTURE(fadvise) {};
ITME_FIXTURE(fadvise)

#define OPEN(fd)							\
do {									\
	MOUNT("dram=24M");						\
	fd = import_open("f", SIZE, 1, 0);				\
	ASSERT_LE(0, fd);						\
} while (0)

static uint64_t hints(int fd)
{
	struct itme_stats s;

	return stats_file(fd, &s) ? 0 : s.hints;
}

TEST_F(fadvise, willneed_and_dontneed)
{
	uint64_t n;
	int fd;

	OPEN(fd);
	n = hints(fd);
	ASSERT_EQ(0, posix_fadvise(fd, CHUNK, 2 * CHUNK, POSIX_FADV_WILLNEED));
	EXPECT_TRUE(POLL(resident(fd, CHUNK, 2 * CHUNK) == 2 * CHUNK, 20));
	EXPECT_EQ(2 * CHUNK, resident(fd, 0, 0));
	ASSERT_EQ(0, check_read(fd, CHUNK, 2 * CHUNK, 1));
	ASSERT_EQ(0, posix_fadvise(fd, CHUNK, CHUNK, POSIX_FADV_DONTNEED));
	EXPECT_TRUE(POLL(!resident(fd, CHUNK, CHUNK), 20));
	EXPECT_EQ(CHUNK, resident(fd, 2 * CHUNK, CHUNK));
	EXPECT_LE(n + 2, hints(fd));
	/* length 0: to the end */
	ASSERT_EQ(0, posix_fadvise(fd, 0, 0, POSIX_FADV_WILLNEED));
	EXPECT_TRUE(POLL(resident(fd, 0, 0) == SIZE, 20));
	ASSERT_EQ(0, posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
	EXPECT_TRUE(POLL(!resident(fd, 0, 0), 20));
	EXPECT_EQ(0, check_read(fd, 0, SIZE, 1));
}

/* a backup that cleans up behind itself takes nothing from who has it mapped */
TEST_F(fadvise, dontneed_leaves_what_is_mapped)
{
	char *p;
	int fd;

	OPEN(fd);
	p = map_ro(fd, CHUNK, CHUNK);
	ASSERT_NE(NULL, p);
	ASSERT_EQ(0, pattern_check(p, CHUNK, CHUNK, 1));
	/* also when the sampler, once a second, has unmapped it to see it used */
	sleep(2);
	ASSERT_EQ(0, posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
	EXPECT_EQ(CHUNK, resident(fd, CHUNK, CHUNK));
	ASSERT_EQ(0, munmap(p, CHUNK));
	ASSERT_EQ(0, posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
	EXPECT_TRUE(POLL(!resident(fd, 0, 0), 20));
}

TEST_F(fadvise, every_advice)
{
	static const int advices[] = {
		POSIX_FADV_NORMAL, POSIX_FADV_RANDOM, POSIX_FADV_SEQUENTIAL,
		POSIX_FADV_WILLNEED, POSIX_FADV_DONTNEED, POSIX_FADV_NOREUSE,
	};
	size_t i;
	int fd;

	OPEN(fd);
	for (i = 0; i < ARRAY_LEN(advices); i++) {
		int a = advices[i];

		EXPECT_EQ(0, posix_fadvise(fd, 0, 0, a)) TH_LOG("advice %d", a);
		EXPECT_EQ(0, posix_fadvise(fd, 77, 5 * CHUNK, a));
		EXPECT_EQ(0, posix_fadvise(fd, SIZE, CHUNK, a));
		EXPECT_EQ(0, posix_fadvise(fd, SIZE * 9, 0, a));
		EXPECT_EQ(0, posix_fadvise(fd, INT64_MAX - 5, 5, a));
		EXPECT_EQ(EINVAL, posix_fadvise(fd, 0, -1, a));
		EXPECT_EQ(0, check_read(fd, 0, SIZE, 1));
		EXPECT_EQ(0, check_mapped(fd, 0, SIZE, 1));
	}
	EXPECT_EQ(EINVAL, posix_fadvise(fd, 0, 0, 99));
}

TEST_F(fadvise, readahead)
{
	int fd;

	OPEN(fd);
	EXPECT_EQ(0, readahead(fd, 0, 2 * CHUNK));
	EXPECT_TRUE(POLL(resident(fd, 0, 2 * CHUNK) == 2 * CHUNK, 20));
	EXPECT_EQ(0, readahead(fd, 5 * CHUNK, 100 * CHUNK));
	EXPECT_TRUE(POLL(resident(fd, 5 * CHUNK, 0) == CHUNK, 20));
	EXPECT_EQ(0, check_read(fd, 0, SIZE, 1));
}

TEST_F(fadvise, madvise_willneed)
{
	uint64_t n;
	char *p;
	int fd;

	OPEN(fd);
	p = map_ro(fd, CHUNK, 4 * CHUNK);
	ASSERT_NE(NULL, p);
	n = hints(fd);
	/* of the mapping's second chunk, the file's third */
	ASSERT_EQ(0, madvise(p + CHUNK, CHUNK, MADV_WILLNEED));
	EXPECT_TRUE(POLL(resident(fd, 2 * CHUNK, CHUNK) == CHUNK, 20));
	EXPECT_EQ(CHUNK, resident(fd, 0, 0));
	EXPECT_LT(n, hints(fd));
	EXPECT_EQ(0, pattern_check(p, 4 * CHUNK, CHUNK, 1));
}

TEST_F(fadvise, madvise_every_advice)
{
	static const int advices[] = {
		MADV_NORMAL, MADV_RANDOM, MADV_SEQUENTIAL, MADV_WILLNEED,
		MADV_DONTNEED, MADV_COLD, MADV_PAGEOUT, MADV_HUGEPAGE,
		MADV_NOHUGEPAGE, MADV_DONTDUMP, MADV_POPULATE_READ,
		MADV_DONTFORK, MADV_COLLAPSE, MADV_MERGEABLE,
	};
	size_t i;
	int fd;

	OPEN(fd);
	for (i = 0; i < ARRAY_LEN(advices); i++) {
		char *p = map_ro(fd, 0, SIZE);

		ASSERT_NE(NULL, p);
		/* cold, half warm, warm: allowed to fail, not to do harm */
		madvise(p, SIZE, advices[i]);
		ASSERT_EQ(0, pattern_check(p, 2 * CHUNK, 0, 1))
			TH_LOG("advice %d", advices[i]);
		madvise(p + PAGE, 4 * CHUNK, advices[i]);
		ASSERT_EQ(0, pattern_check(p, SIZE, 0, 1))
			TH_LOG("advice %d", advices[i]);
		munmap(p, SIZE);
	}
}

TEST_F(fadvise, madvise_returns)
{
	char *p;
	int fd;

	OPEN(fd);
	p = map_ro(fd, 0, SIZE);
	ASSERT_NE(NULL, p);
	EXPECT_EQ(0, madvise(p, SIZE, MADV_RANDOM));
	EXPECT_EQ(0, madvise(p, SIZE, MADV_SEQUENTIAL));
	EXPECT_EQ(0, madvise(p, SIZE, MADV_NORMAL));
	EXPECT_EQ(0, madvise(p, SIZE, MADV_COLD));
	EXPECT_EQ(0, madvise(p, SIZE, MADV_PAGEOUT));
	EXPECT_EQ(0, madvise(p, 3 * CHUNK, MADV_POPULATE_READ));
	EXPECT_EQ(3 * CHUNK, resident(fd, 0, 3 * CHUNK));
	EXPECT_EQ(0, madvise(p, SIZE, MADV_DONTNEED));
	EXPECT_EQ(3 * CHUNK, resident(fd, 0, 3 * CHUNK));
	EXPECT_EQ(0, pattern_check(p, SIZE, 0, 1));
}

TEST_HARNESS_MAIN
