// SPDX-License-Identifier: GPL-2.0
/* ITME_IOC_ADVISE: that each advice does what it says, and no wrong data. */
#include "fixture.h"

#define BIG	(32 * CHUNK)

FIXTURE(advise) {};
ITME_FIXTURE(advise)

TEST_F(advise, willneed)
{
	struct itme_stats s;
	uint64_t done = 0;
	int fd;

	MOUNT("dram=32M");
	fd = import_open("f", 6 * CHUNK, 1, 0);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, advise(fd, 0, 0, ITME_ADVICE_WILLNEED, ANY, &done));
	EXPECT_EQ(6 * CHUNK, done);
	EXPECT_TRUE(POLL(resident(fd, 0, 0) == 6 * CHUNK, 20));
	ASSERT_EQ(0, check_mapped(fd, 0, 6 * CHUNK, 1));
	ASSERT_EQ(0, stats_file(fd, &s));
	EXPECT_EQ(6 * CHUNK, s.read_bytes);
	EXPECT_EQ(6 * CHUNK, s.prefetch_bytes);
	EXPECT_EQ(0, s.demand_bytes);
	EXPECT_EQ(0, s.stalls);
	/* again: it is all there */
	ASSERT_EQ(0, advise(fd, 0, 0, ITME_ADVICE_WILLNEED, ANY, &done));
	EXPECT_EQ(6 * CHUNK, done);
	ASSERT_EQ(0, stats_file(fd, &s));
	EXPECT_EQ(6 * CHUNK, s.read_bytes);
}

TEST_F(advise, willneed_is_bounded)
{
	struct itme_stats s;
	uint64_t done = 0;
	int fd, i;

	MOUNT("dram=16M");
	fd = import_open("f", BIG, 1, 0);
	ASSERT_LE(0, fd);
	for (i = 0; i < 5; i++) {
		ASSERT_EQ(0, advise(fd, 0, 0, ITME_ADVICE_WILLNEED, ANY,
				    &done));
		EXPECT_LT(0, done);
		EXPECT_GE(16 * MIB, done);
		EXPECT_GE(16 * MIB, tier_used(DRAM));
	}
	EXPECT_TRUE(POLL(resident(fd, 0, 0) >= 8 * MIB, 20));
	/* and that is the beginning of it, which is used first */
	EXPECT_TRUE(POLL(resident(fd, 0, 4 * MIB) == 4 * MIB, 20));
	ASSERT_EQ(0, stats_file(fd, &s));
	/* no chunk was thrown out for another one of the same wish */
	EXPECT_GE(16 * MIB, s.read_bytes);
	EXPECT_EQ(0, s.prefetch_wasted_bytes);
	EXPECT_EQ(0, scan(fd, 0, BIG, 1));
}

TEST_F(advise, pageout)
{
	uint64_t done = 0;
	char *p;
	int fd;

	MOUNT("dram=16M");
	fd = import_open("f", 6 * CHUNK, 1, 0);
	ASSERT_LE(0, fd);
	p = map_ro(fd, 0, 6 * CHUNK);
	ASSERT_NE(NULL, p);
	ASSERT_EQ(0, pattern_check(p, 6 * CHUNK, 0, 1));
	ASSERT_EQ(6 * CHUNK, resident(fd, 0, 0));
	/* also from under a mapping */
	ASSERT_EQ(0, advise(fd, CHUNK, 3 * CHUNK, ITME_ADVICE_PAGEOUT, NVME,
			    &done));
	EXPECT_EQ(3 * CHUNK, done);
	EXPECT_EQ(0, resident(fd, CHUNK, 3 * CHUNK));
	EXPECT_EQ(3 * CHUNK, tier_used(DRAM));
	ASSERT_EQ(0, advise(fd, 0, 0, ITME_ADVICE_PAGEOUT, ANY, &done));
	EXPECT_EQ(6 * CHUNK, done);
	EXPECT_EQ(0, tier_used(DRAM));
	EXPECT_EQ(0, pattern_check(p, 6 * CHUNK, 0, 1));
}

TEST_F(advise, pageout_while_filling)
{
	int fd, i;

	MOUNT("dram=16M");
	fd = import_open("f", 6 * CHUNK, 1, 64 * KIB);
	ASSERT_LE(0, fd);
	for (i = 0; i < 20; i++) {
		ASSERT_EQ(0, advise(fd, 0, 0, ITME_ADVICE_WILLNEED, ANY, NULL));
		ASSERT_EQ(0, advise(fd, 0, 0, ITME_ADVICE_PAGEOUT, ANY, NULL));
		ASSERT_EQ(0, check_read(fd, (i % 6) * CHUNK, 100, 1));
	}
	EXPECT_EQ(0, check_read(fd, 0, 6 * CHUNK, 1));
}

TEST_F(advise, cold_leaves_first)
{
	uint64_t at;
	int a, b;

	MOUNT("dram=16M");
	a = import_open("a", 6 * CHUNK, 1, 0);
	ASSERT_LE(0, a);
	b = import_open("b", 6 * CHUNK, 2, 0);
	ASSERT_LE(0, b);
	/* used more than once, so no stream */
	ASSERT_EQ(0, check_read(a, 0, 6 * CHUNK, 1));
	ASSERT_EQ(0, check_read(a, 0, 6 * CHUNK, 1));
	ASSERT_EQ(6 * CHUNK, resident(a, 0, 0));
	ASSERT_EQ(0, advise(a, 3 * CHUNK, CHUNK, ITME_ADVICE_COLD, ANY, NULL));
	EXPECT_EQ(CHUNK, resident(a, 3 * CHUNK, CHUNK));

	/* not in file order, lest a prefetch makes many leave at once */
	for (at = 6; at-- && resident(a, 3 * CHUNK, CHUNK);)
		ASSERT_EQ(0, check_read(b, at * CHUNK, 4 * KIB, 2));
	EXPECT_EQ(0, resident(a, 3 * CHUNK, CHUNK));
	EXPECT_LE(4 * CHUNK, resident(a, 0, 0));
	EXPECT_EQ(0, check_read(a, 0, 6 * CHUNK, 1));
}

TEST_F(advise, pin_withstands_a_scan)
{
	struct itme_stats before, after;
	struct itme_residency r;
	uint64_t done = 0;
	uint8_t map[6];
	int a, b, i;

	MOUNT("dram=16M");
	a = import_open("a", 6 * CHUNK, 1, 0);
	ASSERT_LE(0, a);
	b = import_open("b", BIG, 2, 0);
	ASSERT_LE(0, b);
	ASSERT_EQ(0, advise(a, 2 * CHUNK, 2 * CHUNK, ITME_ADVICE_PIN, DRAM,
			    &done));
	EXPECT_EQ(2 * CHUNK, done);
	EXPECT_EQ(2 * CHUNK, tier_pinned(DRAM));
	/* twice is no more than once */
	ASSERT_EQ(0, advise(a, 2 * CHUNK, 2 * CHUNK, ITME_ADVICE_PIN, DRAM,
			    &done));
	EXPECT_EQ(2 * CHUNK, tier_pinned(DRAM));

	ASSERT_EQ(0, stats_file(a, &before));
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, scan(b, 0, BIG, 2));
	ASSERT_EQ(0, residency(a, 0, 0, &r, map, sizeof(map)));
	for (i = 2; i < 4; i++) {
		EXPECT_EQ(ITME_MAP_PINNED, map[i] & ITME_MAP_PINNED);
		EXPECT_EQ(DRAM, map[i] & ITME_MAP_TIER_MASK);
	}
	EXPECT_EQ(0, map[0] & ITME_MAP_PINNED);
	ASSERT_EQ(0, stats_file(a, &after));
	EXPECT_EQ(before.read_bytes, after.read_bytes);
	EXPECT_EQ(0, check_mapped(a, 2 * CHUNK, 2 * CHUNK, 1));
	ASSERT_EQ(0, stats_file(a, &after));
	EXPECT_EQ(before.stalls, after.stalls);
	/* it stays even when told to go */
	ASSERT_EQ(0, advise(a, 0, 0, ITME_ADVICE_PAGEOUT, ANY, &done));
	EXPECT_EQ(2 * CHUNK, resident(a, 2 * CHUNK, 2 * CHUNK));

	ASSERT_EQ(0, advise(a, 0, 0, ITME_ADVICE_UNPIN, ANY, NULL));
	EXPECT_EQ(0, tier_pinned(DRAM));
	ASSERT_EQ(0, advise(a, 0, 0, ITME_ADVICE_PAGEOUT, ANY, NULL));
	EXPECT_EQ(0, resident(a, 0, 0));
	EXPECT_EQ(0, check_read(a, 0, 6 * CHUNK, 1));
}

TEST_F(advise, pin_of_too_much)
{
	int a, b;

	MOUNT("dram=16M");
	a = import_open("a", 6 * CHUNK, 1, 0);
	ASSERT_LE(0, a);
	b = import_open("b", BIG, 2, 0);
	ASSERT_LE(0, b);
	EXPECT_EQ(-ENOSPC, advise(b, 0, 0, ITME_ADVICE_PIN, ANY, NULL));
	EXPECT_EQ(0, tier_pinned(DRAM));
	/* all of the budget leaves nothing for those who stream */
	EXPECT_EQ(-ENOSPC, advise(b, 0, 16 * MIB, ITME_ADVICE_PIN, ANY, NULL));
	EXPECT_EQ(0, tier_pinned(DRAM));

	ASSERT_EQ(0, advise(a, 0, 2 * CHUNK, ITME_ADVICE_PIN, DRAM, NULL));
	EXPECT_EQ(-ENOSPC, advise(b, 0, 6 * CHUNK, ITME_ADVICE_PIN, DRAM,
				  NULL));
	EXPECT_EQ(2 * CHUNK, tier_pinned(DRAM));
	EXPECT_EQ(2 * CHUNK, resident(a, 0, 2 * CHUNK));
	EXPECT_EQ(0, scan(b, 0, BIG, 2));
	EXPECT_EQ(0, check_read(a, 0, 6 * CHUNK, 1));
}

TEST_F(advise, pin_ends_with_the_file)
{
	int fd;

	MOUNT("dram=16M");
	fd = import_open("f", 6 * CHUNK, 1, 0);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, advise(fd, 0, 2 * CHUNK, ITME_ADVICE_PIN, ANY, NULL));
	ASSERT_EQ(0, file_unlink("f"));
	EXPECT_EQ(2 * CHUNK, tier_pinned(DRAM));
	EXPECT_EQ(0, check_read(fd, 0, 6 * CHUNK, 1));
	close(fd);
	EXPECT_TRUE(POLL(!tier_pinned(DRAM) && !tier_used(DRAM), 10));
}

TEST_F(advise, hot_to_cxl_and_back)
{
	struct itme_stats s;
	uint64_t done = 0;
	char *p;
	int fd;

	MOUNT_CXL("dram=16M,cxl=8M");
	fd = import_open("f", 4 * CHUNK, 1, 0);
	ASSERT_LE(0, fd);
	p = map_ro(fd, 0, 4 * CHUNK);
	ASSERT_NE(NULL, p);
	ASSERT_EQ(0, pattern_check(p, 4 * CHUNK, 0, 1));
	ASSERT_EQ(4 * CHUNK, resident_on(fd, DRAM, 0, 0));

	ASSERT_EQ(0, advise(fd, CHUNK, 2 * CHUNK, ITME_ADVICE_HOT, CXL, &done));
	EXPECT_EQ(2 * CHUNK, done);
	EXPECT_TRUE(POLL(resident_on(fd, CXL, CHUNK, 2 * CHUNK) == 2 * CHUNK,
			 20));
	EXPECT_EQ(2 * CHUNK, tier_used(CXL));
	EXPECT_EQ(2 * CHUNK, tier_used(DRAM));
	EXPECT_EQ(0, pattern_check(p, 4 * CHUNK, 0, 1));
	EXPECT_EQ(0, check_read(fd, CHUNK, CHUNK, 1));
	EXPECT_EQ(cxl_node(), page_node(p + CHUNK));
	EXPECT_EQ(0, page_node(p));

	ASSERT_EQ(0, advise(fd, CHUNK, CHUNK, ITME_ADVICE_HOT, DRAM, &done));
	EXPECT_TRUE(POLL(resident_on(fd, DRAM, CHUNK, CHUNK) == CHUNK, 20));
	EXPECT_EQ(0, pattern_check(p, 4 * CHUNK, 0, 1));
	EXPECT_EQ(0, page_node(p + CHUNK));
	ASSERT_EQ(0, stats_file(fd, &s));
	EXPECT_LE(2 * CHUNK, s.demoted_bytes);
	EXPECT_LE(CHUNK, s.promoted_bytes);
	/* moved, not read again */
	EXPECT_EQ(4 * CHUNK, s.read_bytes);
}

TEST_F(advise, pageout_to_cxl)
{
	uint64_t done = 0;
	int fd;

	MOUNT_CXL("dram=16M,cxl=8M");
	fd = import_open("f", 4 * CHUNK, 1, 0);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, check_read(fd, 0, 2 * CHUNK, 1));
	ASSERT_EQ(0, advise(fd, 0, CHUNK, ITME_ADVICE_PAGEOUT, CXL, &done));
	EXPECT_EQ(CHUNK, done);
	EXPECT_EQ(CHUNK, resident_on(fd, CXL, 0, CHUNK));
	EXPECT_EQ(0, check_read(fd, 0, 2 * CHUNK, 1));
	ASSERT_EQ(0, advise(fd, 0, CHUNK, ITME_ADVICE_PAGEOUT, NVME, &done));
	EXPECT_EQ(0, resident(fd, 0, CHUNK));
	EXPECT_EQ(0, tier_used(CXL));
	EXPECT_EQ(0, check_read(fd, 0, 4 * CHUNK, 1));
}

TEST_F(advise, into_cxl)
{
	int fd;

	MOUNT_CXL("dram=16M,cxl=16M");
	fd = import_open("f", 4 * CHUNK, 1, 0);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, advise(fd, 0, 2 * CHUNK, ITME_ADVICE_WILLNEED, CXL, NULL));
	EXPECT_TRUE(POLL(resident_on(fd, CXL, 0, 0) == 2 * CHUNK, 20));
	EXPECT_EQ(0, resident_on(fd, DRAM, 0, 0));
	EXPECT_EQ(0, check_read(fd, 0, 2 * CHUNK, 1));
	ASSERT_EQ(0, advise(fd, 3 * CHUNK, CHUNK, ITME_ADVICE_PIN, CXL, NULL));
	EXPECT_EQ(CHUNK, resident_on(fd, CXL, 3 * CHUNK, CHUNK));
	EXPECT_EQ(CHUNK, tier_pinned(CXL));
	EXPECT_EQ(0, tier_pinned(DRAM));
	EXPECT_EQ(0, check_mapped(fd, 3 * CHUNK, CHUNK, 1));
	/* pinned there: reading it does not take it away */
	EXPECT_EQ(CHUNK, resident_on(fd, CXL, 3 * CHUNK, CHUNK));
}

TEST_HARNESS_MAIN
