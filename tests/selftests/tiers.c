// SPDX-License-Identifier: GPL-2.0
/* DRAM and CXL together: demoted and not dropped, read in place, promoted. */
#include "fixture.h"

#define FILE_SIZE	(12 * CHUNK)	/* of 8 chunks DRAM and 8 chunks CXL */

FIXTURE(tiers) {};
ITME_FIXTURE(tiers)

TEST_F(tiers, demoted_not_dropped)
{
	struct itme_stats s, t;
	int fd;

	MOUNT_CXL("dram=16M,cxl=16M");
	fd = import_open("f", FILE_SIZE, 1, 0);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, check_mapped(fd, 0, FILE_SIZE, 1));
	ASSERT_EQ(0, stats_file(fd, &s));
	EXPECT_EQ(FILE_SIZE, s.read_bytes);
	EXPECT_LT(0, resident_on(fd, CXL, 0, 0));
	EXPECT_EQ(resident_on(fd, CXL, 0, 0), tier_used(CXL));
	EXPECT_LE(FILE_SIZE * 3 / 4, resident(fd, 0, 0));

	/* there is room for all: hardly anything is read again */
	ASSERT_EQ(0, check_mapped(fd, 0, FILE_SIZE, 1));
	ASSERT_EQ(0, scan(fd, 0, FILE_SIZE, 1));
	ASSERT_EQ(0, stats_file(fd, &t));
	EXPECT_GE(FILE_SIZE / 4, t.read_bytes - s.read_bytes);
	EXPECT_LT(0, t.demoted_bytes);
}

/* what is told is where the kernel has the pages */
TEST_F(tiers, told_is_true)
{
	struct itme_residency r;
	uint8_t map[12];
	char *p;
	int fd, i, seen[2] = {};

	MOUNT_CXL("dram=16M,cxl=16M");
	fd = import_open("f", FILE_SIZE, 1, 0);
	ASSERT_LE(0, fd);
	p = map_ro(fd, 0, FILE_SIZE);
	ASSERT_NE(NULL, p);
	ASSERT_EQ(0, pattern_check(p, FILE_SIZE, 0, 1));
	for (i = 0; i < 12; i++) {
		uint32_t tier;
		int node;

		/* only what stays where it was meanwhile */
		ASSERT_EQ(0, residency(fd, 0, 0, &r, map, sizeof(map)));
		tier = map[i] & ITME_MAP_TIER_MASK;
		if (tier == NVME || map[i] & ITME_MAP_FILLING)
			continue;
		ASSERT_EQ(0, touch(p + i * CHUNK));
		node = page_node(p + i * CHUNK);
		ASSERT_EQ(0, residency(fd, i * CHUNK, 1, &r, map, 1));
		if (tier != (map[0] & ITME_MAP_TIER_MASK) || node < 0)
			continue;
		EXPECT_EQ(tier == CXL ? cxl_node() : 0, node)
			TH_LOG("chunk %d", i);
		seen[tier]++;
	}
	EXPECT_LT(0, seen[DRAM]);
	EXPECT_LT(0, seen[CXL]);
}

TEST_F(tiers, promoted_when_used)
{
	double end = now() + 30;
	struct itme_stats s = {};
	char *p;
	int fd;

	if (!profile_is("numa"))
		SKIP(return, "CXL memory is too slow here");
	MOUNT_CXL("dram=16M,cxl=16M");
	fd = import_open("f", FILE_SIZE, 1, 0);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, check_read(fd, 0, 2 * CHUNK, 1));
	ASSERT_EQ(0, advise(fd, 0, 2 * CHUNK, ITME_ADVICE_PAGEOUT, CXL, NULL));
	ASSERT_EQ(2 * CHUNK, resident_on(fd, CXL, 0, 0));
	p = map_ro(fd, 0, FILE_SIZE);
	ASSERT_NE(NULL, p);
	/* the first by mapping and read, the second not at all */
	while (now() < end && !s.promoted_bytes) {
		ASSERT_EQ(0, pattern_check(p, CHUNK, 0, 1));
		ASSERT_EQ(0, scan(fd, 0, CHUNK, 1));
		ASSERT_EQ(0, stats_file(fd, &s));
	}
	EXPECT_EQ(CHUNK, s.promoted_bytes);
	EXPECT_EQ(CHUNK, resident_on(fd, DRAM, 0, CHUNK));
	EXPECT_EQ(CHUNK, resident_on(fd, CXL, CHUNK, CHUNK));
	EXPECT_EQ(0, pattern_check(p, 2 * CHUNK, 0, 1));
}

/* read in place: one look at a chunk in CXL does not move it */
TEST_F(tiers, read_in_place)
{
	struct itme_stats s;
	int fd, i;

	MOUNT_CXL("dram=16M,cxl=16M");
	fd = import_open("f", FILE_SIZE, 1, 0);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, check_read(fd, 0, 3 * CHUNK, 1));
	ASSERT_EQ(0, advise(fd, 0, 3 * CHUNK, ITME_ADVICE_PAGEOUT, CXL, NULL));
	ASSERT_EQ(3 * CHUNK, resident_on(fd, CXL, 0, 0));
	/* a part of each: all of it takes seconds where CXL is emulated, and is then no one look */
	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, check_mapped(fd, i * CHUNK, 64 * KIB, 1));
	ASSERT_EQ(0, stats_file(fd, &s));
	EXPECT_EQ(0, s.promoted_bytes);
	EXPECT_EQ(3 * CHUNK, resident_on(fd, CXL, 0, 3 * CHUNK));
}

/* more than both tiers hold: what both hold still counts */
TEST_F(tiers, cyclic_scan_of_more_than_both)
{
	const uint64_t size = 24 * CHUNK;	/* of 16 */
	struct itme_stats s = {};
	uint64_t before = 0, last = 0;
	int fd, i, n = profile_is("numa") ? 5 : 3;

	MOUNT_CXL("dram=16M,cxl=16M");
	fd = import_open("f", size, 1, 0);
	ASSERT_LE(0, fd);
	for (i = 0; i < n; i++) {
		ASSERT_EQ(0, scan(fd, 0, size, 1));
		ASSERT_EQ(0, stats_file(fd, &s));
		last = s.read_bytes - before;
		before = s.read_bytes;
		printf("# pass %d: %llu of %llu KiB read\n", i,
		       (unsigned long long)last / 1024,
		       (unsigned long long)size / 1024);
	}
	EXPECT_GE(size * 70 / 100, last);
	/* and the tiers do not just swap chunks all the time */
	EXPECT_GE(2 * size * n, s.demoted_bytes + s.promoted_bytes);
}

TEST_F(tiers, cxl_taken_away)
{
	char *p;
	int fd;

	MOUNT_CXL("dram=16M,cxl=16M");
	fd = import_open("f", FILE_SIZE, 1, 0);
	ASSERT_LE(0, fd);
	p = map_ro(fd, 0, FILE_SIZE);
	ASSERT_NE(NULL, p);
	ASSERT_EQ(0, pattern_check(p, FILE_SIZE, 0, 1));
	ASSERT_EQ(0, tier_set(CXL, 0));
	EXPECT_EQ(0, tier_used(CXL));
	EXPECT_EQ(0, pattern_check(p, FILE_SIZE, 0, 1));
	EXPECT_EQ(0, tier_used(CXL));
	ASSERT_EQ(0, tier_set(CXL, 8 * MIB));
	EXPECT_EQ(0, scan(fd, 0, FILE_SIZE, 1));
	EXPECT_LT(0, tier_used(CXL));
	EXPECT_GE(8 * MIB, tier_used(CXL));
}

TEST_HARNESS_MAIN
