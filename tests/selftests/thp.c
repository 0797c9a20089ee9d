// SPDX-License-Identifier: GPL-2.0
/* Large folios: mapped by PMD where a mapping allows it, right where not. */
#include "fixture.h"

#define SIZE	(6 * CHUNK)

FIXTURE(thp) {};
ITME_FIXTURE(thp)

/* at an address that a PMD can begin at, plus @shift */
static char *map_at(int fd, uint64_t off, uint64_t len, uint64_t shift)
{
	char *room = mmap(NULL, len + 2 * CHUNK, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uintptr_t at = ((uintptr_t)room + CHUNK - 1) & ~(CHUNK - 1);

	if (room == MAP_FAILED)
		return NULL;
	room = mmap((void *)(at + shift), len, PROT_READ,
		    MAP_SHARED | MAP_FIXED, fd, off);
	return room == MAP_FAILED ? NULL : room;
}

static int touch_all(const char *p, uint64_t len)
{
	uint64_t i;

	for (i = 0; i < len; i += PAGE)
		if (touch(p + i))
			return 1;
	return 0;
}

/*
 * All of it mapped, and so much of it by PMD? ITME unmaps what it has now and
 * then, to see whether it is used, hence the second try.
 */
static bool mapped(const char *p, uint64_t len, uint64_t pmd)
{
	return POLL(!touch_all(p, len) &&
		    smaps_value(p, "Rss") == (int64_t)len &&
		    smaps_value(p, "FilePmdMapped") == (int64_t)pmd, 5);
}

TEST_F(thp, aligned_mapping)
{
	struct itme_residency r;
	char *p;
	int fd;

	MOUNT("dram=24M");
	fd = import_open("f", SIZE, 1, 0);
	ASSERT_LE(0, fd);
	p = map_at(fd, 0, SIZE, 0);
	ASSERT_NE(NULL, p);
	EXPECT_TRUE(mapped(p, SIZE, SIZE));
	EXPECT_EQ(0, pattern_check(p, SIZE, 0, 1));
	ASSERT_EQ(0, residency(fd, 0, 0, &r, NULL, 0));
	EXPECT_EQ(SIZE, r.large);

	/* gone and back: large again */
	ASSERT_EQ(0, advise(fd, 0, 0, ITME_ADVICE_PAGEOUT, ANY, NULL));
	EXPECT_EQ(0, smaps_value(p, "Rss"));
	ASSERT_EQ(0, pattern_check(p, SIZE, 0, 1));
	EXPECT_TRUE(mapped(p, SIZE, SIZE));
}

/* mmap(2) itself finds a fitting address */
TEST_F(thp, plain_mmap)
{
	char *p;
	int fd;

	MOUNT("dram=24M");
	fd = import_open("f", SIZE, 1, 0);
	ASSERT_LE(0, fd);
	p = map_ro(fd, 0, SIZE);
	ASSERT_NE(NULL, p);
	EXPECT_TRUE(mapped(p, SIZE, SIZE));
}

/* resident already, so that map_pages is what maps it */
TEST_F(thp, warm_mapping)
{
	char *p;
	int fd;

	MOUNT("dram=24M");
	fd = import_open("f", SIZE, 1, 0);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, check_read(fd, 0, SIZE, 1));
	p = map_at(fd, 2 * CHUNK, 3 * CHUNK, 0);
	ASSERT_NE(NULL, p);
	EXPECT_TRUE(mapped(p, 3 * CHUNK, 3 * CHUNK));
	EXPECT_EQ(0, pattern_check(p, 3 * CHUNK, 2 * CHUNK, 1));
}

TEST_F(thp, odd_address)
{
	char *p;
	int fd;

	MOUNT("dram=24M");
	fd = import_open("f", SIZE, 1, 0);
	ASSERT_LE(0, fd);
	p = map_at(fd, 0, SIZE, 3 * PAGE);
	ASSERT_NE(NULL, p);
	EXPECT_EQ(0, pattern_check(p, SIZE, 0, 1));
	EXPECT_TRUE(mapped(p, SIZE, 0));
}

TEST_F(thp, split_by_munmap)
{
	char *p;
	int fd;

	MOUNT("dram=24M");
	fd = import_open("f", SIZE, 1, 0);
	ASSERT_LE(0, fd);
	p = map_at(fd, 0, SIZE, 0);
	ASSERT_NE(NULL, p);
	ASSERT_EQ(0, touch_all(p, SIZE));
	ASSERT_EQ(0, munmap(p + CHUNK + 5 * PAGE, PAGE));
	ASSERT_EQ(0, mprotect(p + 3 * CHUNK + PAGE, PAGE, PROT_NONE));
	EXPECT_EQ(0, pattern_check(p, CHUNK + 5 * PAGE, 0, 1));
	EXPECT_EQ(0, pattern_check(p + CHUNK + 6 * PAGE, CHUNK,
				   CHUNK + 6 * PAGE, 1));
	EXPECT_EQ(0, pattern_check(p + 4 * CHUNK, 2 * CHUNK, 4 * CHUNK, 1));
	ASSERT_EQ(0, advise(fd, 0, 0, ITME_ADVICE_PAGEOUT, ANY, NULL));
	EXPECT_EQ(0, resident(fd, 0, 0));
	EXPECT_EQ(0, pattern_check(p, CHUNK + 5 * PAGE, 0, 1));
}

TEST_F(thp, on_the_cxl_node)
{
	struct itme_residency r;
	char *p;
	int fd;

	MOUNT_CXL("dram=16M,cxl=8M");
	fd = import_open("f", SIZE, 1, 0);
	ASSERT_LE(0, fd);
	p = map_at(fd, 0, 2 * CHUNK, 0);
	ASSERT_NE(NULL, p);
	ASSERT_EQ(0, touch_all(p, 2 * CHUNK));
	ASSERT_EQ(0, advise(fd, 0, 2 * CHUNK, ITME_ADVICE_HOT, CXL, NULL));
	ASSERT_EQ(2 * CHUNK, resident_on(fd, CXL, 0, 0));
	EXPECT_TRUE(mapped(p, 2 * CHUNK, 2 * CHUNK));
	ASSERT_EQ(0, residency(fd, 0, 2 * CHUNK, &r, NULL, 0));
	EXPECT_EQ(2 * CHUNK, r.large);
	EXPECT_EQ(0, pattern_check(p, 2 * CHUNK, 0, 1));
}

/* a file of small chunks has nothing that large */
TEST_F(thp, small_chunks)
{
	struct itme_residency r;
	char *p;
	int fd;

	MOUNT("dram=24M");
	fd = import_open("f", SIZE, 1, 64 * KIB);
	ASSERT_LE(0, fd);
	p = map_at(fd, 0, SIZE, 0);
	ASSERT_NE(NULL, p);
	EXPECT_EQ(0, pattern_check(p, SIZE, 0, 1));
	EXPECT_TRUE(mapped(p, SIZE, 0));
	ASSERT_EQ(0, residency(fd, 0, 0, &r, NULL, 0));
	EXPECT_EQ(0, r.large);
	EXPECT_EQ(SIZE, r.bytes[DRAM]);
}

TEST_HARNESS_MAIN
