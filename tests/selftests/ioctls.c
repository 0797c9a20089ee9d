// SPDX-License-Identifier: GPL-2.0
/* What the querying ioctls tell: INFO, TIER_GET, OBJECT, RESIDENCY, STATS. */
#include "fixture.h"

#define SIZE	(5 * CHUNK + 12345)
#define CHUNKS	6

FIXTURE(ioctls) {};
ITME_FIXTURE(ioctls)

#define OPEN(fd)							\
do {									\
	MOUNT("dram=16M");						\
	fd = import_open("f", SIZE, 1, 0);				\
	ASSERT_LE(0, fd);						\
} while (0)

/* the whole argument may lie in unmapped or read-only memory */
TEST_F(ioctls, bad_pointers)
{
	static const unsigned long cmds[] = {
		ITME_IOC_INFO, ITME_IOC_TIER_GET, ITME_IOC_TIER_SET,
		ITME_IOC_OBJECT, ITME_IOC_ADVISE, ITME_IOC_RESIDENCY,
		ITME_IOC_STATS, ITME_IOC_IMPORT,
	};
	char *page;
	size_t i;
	int fd;

	OPEN(fd);
	page = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, page);
	munmap(page + PAGE, PAGE);
	for (i = 0; i < ARRAY_LEN(cmds); i++) {
		int on = cmds[i] == ITME_IOC_IMPORT ? root_fd() : fd;

		EXPECT_EQ(-1, ioctl(on, cmds[i], NULL));
		EXPECT_EQ(EFAULT, errno) TH_LOG("request %zu, NULL", i);
		EXPECT_EQ(-1, ioctl(on, cmds[i], page + PAGE - 8));
		EXPECT_EQ(EFAULT, errno) TH_LOG("request %zu, half", i);
		EXPECT_EQ(-1, ioctl(on, cmds[i], -4096L));
		EXPECT_EQ(EFAULT, errno) TH_LOG("request %zu, kernel", i);
	}
}

TEST_F(ioctls, info)
{
	struct itme_info info = {};
	uint32_t i;
	int fd;

	OPEN(fd);
	ASSERT_EQ(0, ioctl(fd, ITME_IOC_INFO, &info));
	EXPECT_EQ(ITME_FEATURE_IMPORT | ITME_FEATURE_ADVISE | ITME_FEATURE_CXL |
		  ITME_FEATURE_PREFETCH | ITME_FEATURE_TRIGGER,
		  info.features & 31);
	EXPECT_EQ((1ULL << ITME_ADVICE_NR) - 1, info.advices);
	EXPECT_EQ(64 * KIB, info.chunk_min);
	EXPECT_EQ(2 * MIB, info.chunk_max);
	for (i = 0; i < 5; i++)
		EXPECT_EQ(0, info.reserved[i]);
	for (i = 0; i < 5; i++) {
		memset(&info, 0, sizeof(info));
		info.reserved[i] = 1;
		EXPECT_EQ(-1, ioctl(root_fd(), ITME_IOC_INFO, &info));
		EXPECT_EQ(EINVAL, errno);
	}
}

TEST_F(ioctls, tier_arguments)
{
	struct itme_tier_info ti;
	int fd, i;

	OPEN(fd);
	for (i = 2; i < 300; i++)
		EXPECT_EQ(-EINVAL, tier_get(i, &ti)) TH_LOG("tier %d", i);
	EXPECT_EQ(-EINVAL, tier_get(UINT32_MAX, &ti));
	EXPECT_EQ(-EINVAL, tier_set(NVME, 16 * MIB));
	EXPECT_EQ(-EINVAL, tier_set(ANY, 16 * MIB));

	memset(&ti, 0, sizeof(ti));
	ti.flags = 1;
	EXPECT_EQ(-1, ioctl(fd, ITME_IOC_TIER_GET, &ti));
	EXPECT_EQ(EINVAL, errno);
	for (i = 0; i < 3; i++) {
		memset(&ti, 0, sizeof(ti));
		ti.budget = 16 * MIB;
		ti.reserved[i] = 1ULL << 40;
		EXPECT_EQ(-1, ioctl(fd, ITME_IOC_TIER_GET, &ti));
		EXPECT_EQ(EINVAL, errno);
		EXPECT_EQ(-1, ioctl(fd, ITME_IOC_TIER_SET, &ti));
		EXPECT_EQ(EINVAL, errno);
	}
	ASSERT_EQ(0, tier_get(DRAM, &ti));
	EXPECT_EQ(DRAM, ti.tier);
	EXPECT_EQ(16 * MIB, ti.budget);
}

TEST_F(ioctls, object)
{
	struct itme_object o = {}, again = {};
	char path[512], want[512];
	struct stat st;
	int fd, fd2;
	char *p;

	OPEN(fd);
	snprintf(want, sizeof(want), "%s/p.%llu.1", lower_dir(),
		 (unsigned long long)SIZE);
	ASSERT_EQ(0, stat(want, &st));
	memset(path, '#', sizeof(path));
	o.path = (uintptr_t)path;
	o.path_len = sizeof(path);
	ASSERT_EQ(0, object(fd, &o));
	EXPECT_EQ(SIZE, o.size);
	EXPECT_EQ(CHUNK, o.chunk_size);
	EXPECT_EQ(0, o.flags);
	EXPECT_EQ(1, o.opens);
	EXPECT_EQ(st.st_ino, o.lower_ino);
	EXPECT_EQ(st.st_dev, o.lower_dev);
	EXPECT_STREQ(want, path);
	EXPECT_EQ(strlen(want) + 1, o.path_len);

	/* too short: cut, the full length told, nothing behind it touched */
	memset(path, '#', sizeof(path));
	again.path = (uintptr_t)path;
	again.path_len = 5;
	ASSERT_EQ(0, object(fd, &again));
	EXPECT_EQ(strlen(want) + 1, again.path_len);
	EXPECT_EQ('#', path[5]);
	memset(&again, 0, sizeof(again));
	again.path = (uintptr_t)path;
	ASSERT_EQ(0, object(fd, &again));
	EXPECT_EQ(strlen(want) + 1, again.path_len);
	memset(&again, 0, sizeof(again));
	again.path = 0x1000;
	again.path_len = sizeof(path);
	EXPECT_EQ(-EFAULT, object(fd, &again));
	memset(&again, 0, sizeof(again));
	again.reserved[1] = 7;
	EXPECT_EQ(-EINVAL, object(fd, &again));

	fd2 = file_open("f", O_RDONLY);
	p = map_ro(fd2, 0, SIZE);
	ASSERT_NE(NULL, p);
	memset(&again, 0, sizeof(again));
	ASSERT_EQ(0, object(fd, &again));
	EXPECT_EQ(o.id, again.id);
	EXPECT_EQ(2, again.opens);
	EXPECT_EQ(ITME_OBJECT_MAPPED, again.flags);
	close(fd2);
	ASSERT_EQ(0, munmap(p, SIZE));
	memset(&again, 0, sizeof(again));
	ASSERT_EQ(0, object(fd, &again));
	EXPECT_EQ(1, again.opens);
	EXPECT_EQ(0, again.flags);
}

static uint64_t sum(const struct itme_residency *r)
{
	return r->bytes[DRAM] + r->bytes[CXL] + r->bytes[NVME];
}

TEST_F(ioctls, residency)
{
	struct itme_residency r;
	uint8_t map[CHUNKS + 2];
	int fd, i;

	OPEN(fd);
	ASSERT_EQ(0, residency(fd, 0, 0, &r, map, sizeof(map)));
	EXPECT_EQ(SIZE, sum(&r));
	EXPECT_EQ(SIZE, r.bytes[NVME]);
	EXPECT_EQ(CHUNKS, r.map_len);
	EXPECT_EQ(CHUNK, r.chunk_size);
	for (i = 0; i < CHUNKS; i++)
		EXPECT_EQ(ITME_TIER_NVME, map[i]);

	ASSERT_EQ(0, advise(fd, 0, 0, ITME_ADVICE_WILLNEED, ANY, NULL));
	ASSERT_TRUE(POLL(resident(fd, 0, 0) == SIZE, 20));
	ASSERT_EQ(0, check_read(fd, 0, SIZE, 1));
	ASSERT_EQ(0, residency(fd, 0, 0, &r, map, sizeof(map)));
	EXPECT_EQ(SIZE, sum(&r));
	EXPECT_EQ(SIZE, r.bytes[DRAM]);
	for (i = 0; i < CHUNKS; i++)
		EXPECT_EQ(ITME_TIER_DRAM, map[i] & (ITME_MAP_TIER_MASK |
			  ITME_MAP_PARTIAL | ITME_MAP_ERROR | ITME_MAP_PINNED))
			TH_LOG("chunk %d: %#x", i, map[i]);

	/* rounding: down to a chunk, up to a chunk, cut at the end */
	ASSERT_EQ(0, residency(fd, CHUNK + 5, 1, &r, map, sizeof(map)));
	EXPECT_EQ(1, r.map_len);
	EXPECT_EQ(CHUNK, sum(&r));
	ASSERT_EQ(0, residency(fd, 2 * CHUNK - 1, 2, &r, map, sizeof(map)));
	EXPECT_EQ(2, r.map_len);
	EXPECT_EQ(2 * CHUNK, sum(&r));
	ASSERT_EQ(0, residency(fd, 4 * CHUNK, 1ULL << 40, &r, NULL, 0));
	EXPECT_EQ(2, r.map_len);
	EXPECT_EQ(SIZE - 4 * CHUNK, sum(&r));
}

TEST_F(ioctls, residency_arguments)
{
	struct itme_residency r;
	uint8_t map[CHUNKS + 2];
	int fd, i;

	OPEN(fd);
	memset(map, '#', sizeof(map));
	ASSERT_EQ(0, residency(fd, 0, 0, &r, map, 2));
	EXPECT_EQ(CHUNKS, r.map_len);
	EXPECT_EQ(ITME_TIER_NVME, map[1]);
	EXPECT_EQ('#', map[2]);
	ASSERT_EQ(0, residency(fd, 0, 0, &r, map, 0));
	EXPECT_EQ(CHUNKS, r.map_len);
	EXPECT_EQ('#', map[2]);
	ASSERT_EQ(0, residency(fd, 0, 0, &r, NULL, 100));
	EXPECT_EQ(CHUNKS, r.map_len);
	EXPECT_EQ(-EFAULT, residency(fd, 0, 0, &r, (void *)0x1000, 100));
	EXPECT_EQ(-EFAULT, residency(fd, 0, 0, &r, (void *)-4096L, UINT64_MAX));

	EXPECT_EQ(-EINVAL, residency(fd, SIZE + CHUNK, 1, &r, NULL, 0));
	EXPECT_EQ(-EINVAL, residency(fd, -1ULL, 1, &r, NULL, 0));
	EXPECT_EQ(-EINVAL, residency(fd, CHUNK, UINT64_MAX, &r, NULL, 0));
	memset(&r, 0, sizeof(r));
	r.flags = 1;
	EXPECT_EQ(-1, ioctl(fd, ITME_IOC_RESIDENCY, &r));
	EXPECT_EQ(EINVAL, errno);
	for (i = 0; i < 3; i++) {
		memset(&r, 0, sizeof(r));
		r.reserved[i] = 1;
		EXPECT_EQ(-1, ioctl(fd, ITME_IOC_RESIDENCY, &r));
		EXPECT_EQ(EINVAL, errno);
	}
}

TEST_F(ioctls, stats)
{
	struct itme_stats a, b, f, g;
	int fd, fd2, i;

	OPEN(fd);
	fd2 = import_open("g", SIZE, 2, 0);
	ASSERT_LE(0, fd2);
	ASSERT_EQ(0, stats_all(&a));
	ASSERT_EQ(0, check_read(fd, 0, SIZE, 1));
	ASSERT_EQ(0, stats_file(fd, &f));
	ASSERT_EQ(0, stats_file(fd2, &g));
	ASSERT_EQ(0, stats_all(&b));

	/* O_DIRECT reads whole blocks, so a little more than the size */
	EXPECT_LE(SIZE, f.read_bytes);
	EXPECT_GE(SIZE + 64 * KIB, f.read_bytes);
	EXPECT_EQ(f.read_bytes, f.demand_bytes + f.prefetch_bytes);
	EXPECT_LT(0, f.reads);
	EXPECT_LT(0, f.stalls);
	EXPECT_LT(0, f.stall_ns);
	EXPECT_LT(0, f.stall_max_ns);
	EXPECT_GE(f.stall_ns, f.stall_max_ns);
	EXPECT_EQ(0, f.io_errors);
	EXPECT_EQ(0, f.dropped_bytes);
	EXPECT_EQ(0, g.read_bytes);
	EXPECT_EQ(0, g.stalls);
	EXPECT_EQ(f.read_bytes, b.read_bytes - a.read_bytes);

	ASSERT_EQ(0, advise(fd, 0, 0, ITME_ADVICE_PAGEOUT, ANY, NULL));
	ASSERT_TRUE(POLL(!resident(fd, 0, 0), 10));
	ASSERT_EQ(0, stats_file(fd, &g));
	EXPECT_LT(f.hints, g.hints);
	EXPECT_LE(SIZE, g.dropped_bytes);
	ASSERT_EQ(0, check_read(fd, 0, SIZE, 1));
	ASSERT_EQ(0, stats_file(fd, &f));
	EXPECT_EQ(2 * g.read_bytes, f.read_bytes);

	memset(&a, 0, sizeof(a));
	a.flags = 2;
	EXPECT_EQ(-1, ioctl(fd, ITME_IOC_STATS, &a));
	EXPECT_EQ(EINVAL, errno);
	memset(&a, 0, sizeof(a));
	a.pad = 1;
	EXPECT_EQ(-1, ioctl(fd, ITME_IOC_STATS, &a));
	EXPECT_EQ(EINVAL, errno);
	for (i = 0; i < (int)ARRAY_LEN(a.reserved); i++) {
		memset(&a, 0, sizeof(a));
		a.reserved[i] = 1;
		EXPECT_EQ(-1, ioctl(fd, ITME_IOC_STATS, &a));
		EXPECT_EQ(EINVAL, errno);
	}
	/* of a file, asked of the root */
	EXPECT_NE(0, stats_file(root_fd(), &a));
}

/* at rest, what a tier holds is what the files have in it */
TEST_F(ioctls, used_is_the_sum)
{
	int fd, fd2, i;

	OPEN(fd);
	fd2 = import_open("g", SIZE, 2, 64 * KIB);
	ASSERT_LE(0, fd2);
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, check_read(fd, i * CHUNK, 2 * CHUNK, 1));
		ASSERT_EQ(0, check_read(fd2, 0, 3 * CHUNK, 2));
	}
	/* the last pages of the two files count whole */
	EXPECT_TRUE(POLL(tier_used(DRAM) - resident(fd, 0, 0) -
			 resident(fd2, 0, 0) <= 2 * CHUNK, 10))
		TH_LOG("used %llu, resident %llu and %llu",
		       (unsigned long long)tier_used(DRAM),
		       (unsigned long long)resident(fd, 0, 0),
		       (unsigned long long)resident(fd2, 0, 0));
	ASSERT_EQ(0, advise(fd, 0, 0, ITME_ADVICE_PAGEOUT, ANY, NULL));
	ASSERT_EQ(0, advise(fd2, 0, 0, ITME_ADVICE_PAGEOUT, ANY, NULL));
	EXPECT_TRUE(POLL(!tier_used(DRAM), 10));
}

TEST_HARNESS_MAIN
