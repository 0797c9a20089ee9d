// SPDX-License-Identifier: GPL-2.0
/*
 * A container with little memory uses a file that is larger: what ITME holds is
 * ITME's, it is not charged to whoever touches it first.
 */
#include <sys/mount.h>

#include "fixture.h"

#define SIZE	(32 * CHUNK)
#define CGROUP	"/sys/fs/cgroup/itme-selftest"

FIXTURE(memcg) {};

FIXTURE_SETUP(memcg)
{
	if (missing())
		SKIP(return, "%s", missing());
	cleanup_before();
	write_file("/sys/fs/cgroup/cgroup.subtree_control", "+memory");
	if (mkdir(CGROUP, 0755) && errno != EEXIST)
		SKIP(return, "no cgroup2");
	if (write_file(CGROUP "/memory.max", "16M"))
		SKIP(return, "no memory controller");
	write_file(CGROUP "/memory.swap.max", "0");
}

FIXTURE_TEARDOWN_PARENT(memcg)
{
	const char *wrong = cleanup_after();

	if (wrong)
		EXPECT_NULL(wrong) TH_LOG("after the test: %s", wrong);
	rmdir(CGROUP);
}

static int map_in_cgroup(void *arg)
{
	if (write_file(CGROUP "/cgroup.procs", "0"))
		return 100;
	return check_mapped(*(int *)arg, 0, SIZE, 1) != 0;
}

static int read_in_cgroup(void *arg)
{
	if (write_file(CGROUP "/cgroup.procs", "0"))
		return 100;
	return check_read(*(int *)arg, 0, SIZE, 1) != 0;
}

static int64_t charged(const char *file)
{
	char path[128], buf[64];

	snprintf(path, sizeof(path), CGROUP "/%s", file);
	return read_file(path, buf, sizeof(buf)) <= 0 ? -1 : atoll(buf);
}

/* times that the limit was hit and memory of the group had to be reclaimed */
static int64_t limit_hits(void)
{
	char buf[256], *p;

	if (read_file(CGROUP "/memory.events", buf, sizeof(buf)) <= 0)
		return -1;
	p = strstr(buf, "max ");
	return p ? atoll(p + 4) : -1;
}

TEST_F(memcg, larger_than_the_limit)
{
	int fd;

	MOUNT("dram=96M");
	fd = import_open("f", SIZE, 1, 0);
	ASSERT_LE(0, fd);
	EXPECT_EQ(0, in_child(map_in_cgroup, &fd, 60));
	EXPECT_EQ(SIZE, resident(fd, 0, 0));
	EXPECT_EQ(0, limit_hits());
	EXPECT_GT(8 * MIB, charged("memory.current"));
	ASSERT_EQ(0, advise(fd, 0, 0, ITME_ADVICE_PAGEOUT, ANY, NULL));
	EXPECT_EQ(0, in_child(read_in_cgroup, &fd, 60));
	EXPECT_EQ(SIZE, resident(fd, 0, 0));
	EXPECT_EQ(0, limit_hits());
	EXPECT_GT(8 * MIB, charged("memory.current"));
}

static int move_in_cgroup(void *arg)
{
	int fd = *(int *)arg;

	if (write_file(CGROUP "/cgroup.procs", "0"))
		return 100;
	if (advise(fd, 0, 0, ITME_ADVICE_HOT, CXL, NULL))
		return 1;
	if (advise(fd, 0, 0, ITME_ADVICE_HOT, DRAM, NULL))
		return 2;
	return check_read(fd, 0, 4 * CHUNK, 1) ? 3 : 0;
}

/* what is moved by a hint of the container's is not its memory either */
TEST_F(memcg, moved_between_tiers)
{
	int fd;

	MOUNT_CXL("dram=96M,cxl=8M");
	fd = import_open("f", 4 * CHUNK, 1, 0);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, check_read(fd, 0, 4 * CHUNK, 1));
	EXPECT_EQ(0, in_child(move_in_cgroup, &fd, 60));
	EXPECT_EQ(4 * CHUNK, resident_on(fd, DRAM, 0, 0));
	EXPECT_GT(4 * MIB, charged("memory.current"))
		TH_LOG("%lld bytes charged",
		       (long long)charged("memory.current"));
}

TEST_HARNESS_MAIN
