// SPDX-License-Identifier: GPL-2.0
/*
 * Memory that others want: ITME gives back what it only caches, gets along
 * with what is left, and is never the reason that the OOM killer comes.
 */
#include "fixture.h"
#include "hog.h"

#define LOWER		(32 * MIB)	/* imported under several names */

FIXTURE(pressure) {};
ITME_FIXTURE(pressure)

static int open_nth(int n)
{
	char name[16];
	int fd, ret;

	snprintf(name, sizeof(name), "f%d", n);
	fd = lower(LOWER, 1);
	if (fd < 0)
		return fd;
	ret = import_fd(name, fd, 0);
	close(fd);
	return ret && ret != -EEXIST ? ret : file_open(name, O_RDONLY);
}

/* so many files of LOWER bytes, all read once; 0 when all was right */
static int load(int files)
{
	int i, fd, ret = 0;

	for (i = 0; i < files && !ret; i++) {
		fd = open_nth(i);
		if (fd < 0)
			return fd;
		ret = scan(fd, 0, LOWER, 1);
		close(fd);
	}
	return ret;
}

TEST_F(pressure, drop_caches)
{
	char *p;
	int fd;

	MOUNT("dram=128M");
	ASSERT_EQ(0, load(3));
	ASSERT_EQ(3 * LOWER, tier_used(DRAM));
	/* the reclaim of slabs asks the shrinkers, and ITME has one */
	ASSERT_EQ(0, write_file("/proc/sys/vm/drop_caches", "2"));
	EXPECT_GT(3 * LOWER, tier_used(DRAM));
	ASSERT_EQ(0, load(3));
	/* the page cache of files, by the kernel alone */
	ASSERT_EQ(0, write_file("/proc/sys/vm/drop_caches", "1"));
	EXPECT_TRUE(POLL(tier_used(DRAM) == 0, 5))
		TH_LOG("used %llu", (unsigned long long)tier_used(DRAM));
	ASSERT_EQ(0, load(3));
	EXPECT_EQ(3 * LOWER, tier_used(DRAM));
	ASSERT_EQ(0, write_file("/proc/sys/vm/drop_caches", "3"));
	EXPECT_TRUE(POLL(tier_used(DRAM) == 0, 5));

	/* from under a mapping, and then again */
	fd = open_nth(0);
	ASSERT_LE(0, fd);
	p = map_ro(fd, 0, LOWER);
	ASSERT_NE(NULL, p);
	EXPECT_EQ(0, pattern_check(p, LOWER, 0, 1));
	ASSERT_EQ(0, write_file("/proc/sys/vm/drop_caches", "3"));
	EXPECT_EQ(0, pattern_check(p, LOWER, 0, 1));
	EXPECT_EQ(LOWER, resident(fd, 0, 0));
	EXPECT_EQ(LOWER, tier_used(DRAM));
}

/* nothing of the kernel's own takes what is pinned */
TEST_F(pressure, drop_caches_of_pinned)
{
	int fd;

	MOUNT("dram=64M");
	fd = open_nth(0);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, advise(fd, 0, 8 * CHUNK, ITME_ADVICE_PIN, ANY, NULL));
	ASSERT_EQ(0, write_file("/proc/sys/vm/drop_caches", "3"));
	EXPECT_EQ(8 * CHUNK, resident(fd, 0, 8 * CHUNK));
	EXPECT_EQ(8 * CHUNK, tier_pinned(DRAM));
	EXPECT_EQ(0, check_read(fd, 0, LOWER, 1));
}

TEST_F(pressure, gives_back)
{
	uint64_t before, held;
	struct hog hog;
	int i, fd;

	MOUNT("dram=512M");
	if (profile_is("cxl"))
		SKIP(return, "the test itself would run from slow CXL memory");
	if (node0_available() < (int64_t)(1024 * MIB))
		SKIP(return, "too little memory");
	ASSERT_EQ(0, load(12));
	before = tier_used(DRAM);
	ASSERT_EQ(12 * LOWER, before);
	/* more than there is without a good part of that */
	ASSERT_EQ(0, hog_start(&hog, node0_available() + before / 2, false, 0,
			       90))
		TH_LOG("the hog got %llu MiB",
		       (unsigned long long)hog_taken(&hog) / MIB);
	held = tier_used(DRAM);
	EXPECT_TRUE(hog_alive(&hog));
	EXPECT_GE(before * 3 / 4, held);
	printf("# used before %llu MiB, after %llu MiB, free %lld MiB\n",
	       (unsigned long long)before / MIB,
	       (unsigned long long)held / MIB,
	       (long long)node0_free() / (long)MIB);
	/* all is served while memory is short */
	for (i = 0; i < 12; i += 3) {
		fd = open_nth(i);
		ASSERT_LE(0, fd);
		EXPECT_EQ(0, check_mapped(fd, 0, LOWER, 1));
		close(fd);
	}
	EXPECT_TRUE(hog_alive(&hog));
	hog_stop(&hog);
	EXPECT_EQ(0, load(12));
}

/* a budget that the machine cannot pay any more */
TEST_F(pressure, budget_beyond_the_free)
{
	struct itme_stats s;
	struct hog hog;
	int i;

	MOUNT("dram=512M");
	if (profile_is("cxl"))
		SKIP(return, "the test itself would run from slow CXL memory");
	if (node0_available() < (int64_t)(1024 * MIB))
		SKIP(return, "too little memory");
	ASSERT_EQ(0, load(1));
	ASSERT_EQ(0, hog_start(&hog, node0_available() - 128 * MIB, false, 0,
			       90));
	for (i = 0; i < 2; i++)
		EXPECT_EQ(0, load(8));
	EXPECT_TRUE(hog_alive(&hog));
	ASSERT_EQ(0, stats_all(&s));
	EXPECT_EQ(0, s.io_errors);
	printf("# used %llu MiB, %llu times no memory at first\n",
	       (unsigned long long)tier_used(DRAM) / MIB,
	       (unsigned long long)s.alloc_fails);
	hog_stop(&hog);
	EXPECT_EQ(0, load(8));
}

TEST_HARNESS_MAIN
