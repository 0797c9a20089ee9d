// SPDX-License-Identifier: GPL-2.0
/*
 * What is kept and what is fetched ahead, without any hint, seen by the bytes
 * that come from the drive. The limits leave room beside the optimum, but not
 * for LRU, which reads all of a cyclic scan each time.
 */
#include "fixture.h"

FIXTURE(policy) {};
ITME_FIXTURE(policy)

static uint64_t bytes_read(int fd)
{
	struct itme_stats s;

	return stats_file(fd, &s) ? 0 : s.read_bytes;
}

static int pass(int fd, uint64_t size, bool mapped)
{
	return mapped ? check_mapped(fd, 0, size, 1) : scan(fd, 0, size, 1);
}

FIXTURE(cyclic) {};
ITME_FIXTURE(cyclic)

FIXTURE_VARIANT(cyclic)
{
	bool mapped;
	uint32_t chunk;
};

FIXTURE_VARIANT_ADD(cyclic, mapped) { .mapped = true };
FIXTURE_VARIANT_ADD(cyclic, read) { .mapped = false };
FIXTURE_VARIANT_ADD(cyclic, mapped_small) { .mapped = true, .chunk = 256 * KIB };

/* 1.5 times the memory: the optimum reads a third of it, LRU all */
TEST_F(cyclic, half_again_the_memory)
{
	const uint64_t size = 24 * CHUNK;
	uint64_t before, last = 0;
	int fd, i;

	MOUNT("dram=32M");
	fd = import_open("f", size, 1, variant->chunk);
	ASSERT_LE(0, fd);
	for (i = 0; i < 5; i++) {
		before = bytes_read(fd);
		ASSERT_EQ(0, pass(fd, size, variant->mapped));
		last = bytes_read(fd) - before;
		printf("# pass %d: %llu of %llu KiB read\n", i,
		       (unsigned long long)last / 1024,
		       (unsigned long long)size / 1024);
	}
	EXPECT_GE(size * 60 / 100, last);
	EXPECT_LE(size - 32 * MIB, last);
}

TEST_F(policy, all_fits)
{
	const uint64_t size = 12 * CHUNK;
	uint64_t first;
	int fd, i;

	MOUNT("dram=32M");
	fd = import_open("f", size, 1, 0);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, pass(fd, size, true));
	first = bytes_read(fd);
	EXPECT_EQ(size, first);
	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, pass(fd, size, i & 1));
	EXPECT_EQ(first, bytes_read(fd));
}

/* read ahead: hardly anything is waited for that was not on its way */
TEST_F(policy, sequential_prefetch)
{
	const uint64_t size = 24 * CHUNK;
	struct itme_stats s;
	int fd, mapped;

	MOUNT("dram=16M");
	for (mapped = 0; mapped < 2; mapped++) {
		fd = import_open("f", size, 1, 0);
		ASSERT_LE(0, fd);
		ASSERT_EQ(0, pass(fd, size, mapped));
		ASSERT_EQ(0, stats_file(fd, &s));
		EXPECT_EQ(size, s.read_bytes);
		EXPECT_GE(size / 4, s.demand_bytes)
			TH_LOG("mapped %d: %llu KiB on demand", mapped,
			       (unsigned long long)s.demand_bytes / 1024);
		EXPECT_LE(size * 7 / 10, s.prefetch_bytes);
		/* touched, be it before it was quite there */
		EXPECT_LE(s.prefetch_bytes * 9 / 10,
			  s.prefetch_used_bytes + s.prefetch_late_bytes);
		EXPECT_GE(CHUNK, s.prefetch_wasted_bytes);
		close(fd);
		ASSERT_EQ(0, file_unlink("f"));
	}
}

/* a permutation of chunks without two neighbours in order */
static unsigned int hop(unsigned int i, unsigned int n)
{
	return i * 7 % n;
}

TEST_F(policy, random_access)
{
	const unsigned int n = 24;
	unsigned int i;
	int fd;

	MOUNT("dram=16M");
	fd = import_open("f", n * CHUNK, 1, 0);
	ASSERT_LE(0, fd);
	for (i = 0; i < n; i++)
		ASSERT_EQ(0, check_read(fd, hop(i, n - 1) * CHUNK + 5 * PAGE,
					2 * PAGE, 1));
	/* each chunk but the last was wanted once */
	EXPECT_GE(n * CHUNK * 5 / 4, bytes_read(fd));
}

TEST_F(policy, random_when_told)
{
	const unsigned int n = 24;
	uint64_t before;
	unsigned int i;
	char *p;
	int fd;

	MOUNT("dram=16M");
	fd = import_open("f", n * CHUNK, 1, 64 * KIB);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM));
	p = map_ro(fd, 0, n * CHUNK);
	ASSERT_NE(NULL, p);
	ASSERT_EQ(0, madvise(p, n * CHUNK, MADV_RANDOM));
	/* also in order: who says random gets what is asked for, no more */
	before = bytes_read(fd);
	for (i = 0; i < n; i++)
		ASSERT_EQ(0, pattern_check(p + i * CHUNK, 64, i * CHUNK, 1));
	EXPECT_GE(n * 2 * 64 * KIB, bytes_read(fd) - before);
}

/* a working set that is used all the time survives one big scan */
TEST_F(policy, scan_resistance)
{
	const uint64_t hot = 8 * CHUNK, big = 24 * CHUNK;
	uint64_t before, again, at;
	int a, b, i;

	MOUNT("dram=32M");
	a = import_open("a", hot, 1, 0);
	ASSERT_LE(0, a);
	b = import_open("b", big, 2, 0);
	ASSERT_LE(0, b);
	for (i = 0; i < 4; i++)
		ASSERT_EQ(0, scan(a, 0, hot, 1));
	before = bytes_read(a);
	for (at = 0; at < big; at += 4 * CHUNK) {
		ASSERT_EQ(0, scan(b, at, 4 * CHUNK, 2));
		ASSERT_EQ(0, scan(a, 0, hot, 1));
	}
	again = bytes_read(a) - before;
	printf("# %llu KiB of the working set read again\n",
	       (unsigned long long)again / 1024);
	EXPECT_GE(hot / 2, again);
}

/* one big scan and no use meanwhile: much of what was hot is still there */
TEST_F(policy, scan_resistance_at_once)
{
	const uint64_t hot = 8 * CHUNK, big = 24 * CHUNK;
	int a, b, i;

	MOUNT("dram=32M");
	a = import_open("a", hot, 1, 0);
	ASSERT_LE(0, a);
	b = import_open("b", big, 2, 0);
	ASSERT_LE(0, b);
	for (i = 0; i < 4; i++)
		ASSERT_EQ(0, scan(a, 0, hot, 1));
	ASSERT_EQ(0, scan(b, 0, big, 2));
	EXPECT_LE(hot / 2, resident(a, 0, 0));
	EXPECT_EQ(0, check_read(a, 0, hot, 1));
}

/* two streams at once, each in order */
TEST_F(policy, two_streams)
{
	const uint64_t size = 12 * CHUNK, step = 256 * KIB;
	struct itme_stats s;
	uint64_t at;
	int a, b;

	/* The ring has room for what the two are in, and one chunk ahead of each. */
	MOUNT("dram=32M");
	a = import_open("a", size, 1, 0);
	ASSERT_LE(0, a);
	b = import_open("b", size, 2, 0);
	ASSERT_LE(0, b);
	for (at = 0; at < size; at += step) {
		ASSERT_EQ(0, scan(a, at, step, 1));
		ASSERT_EQ(0, scan(b, at, step, 2));
	}
	ASSERT_EQ(0, stats_all(&s));
	EXPECT_GE(2 * size * 11 / 10, s.read_bytes);
	EXPECT_GE(2 * size / 3, s.demand_bytes);
}

TEST_HARNESS_MAIN
