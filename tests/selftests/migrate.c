// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel moves folios on its own, for a process that asks it to or when it
 * compacts memory: the accounts follow, budgets hold, no byte is wrong.
 */
#include <linux/mempolicy.h>
#include <pthread.h>
#include <sys/syscall.h>

#include "fixture.h"

#define SIZE	(4 * CHUNK)

FIXTURE(migrate) {};
ITME_FIXTURE(migrate)

/* one page of each chunk names the folio */
static long move_to_node(char *p, int node, int *status)
{
	void *pages[SIZE / CHUNK];
	int nodes[SIZE / CHUNK];
	size_t i;

	for (i = 0; i < ARRAY_LEN(pages); i++) {
		pages[i] = p + i * CHUNK;
		nodes[i] = node;
		/* what is not mapped is not moved */
		touch(pages[i]);
	}
	return syscall(SYS_move_pages, 0, ARRAY_LEN(pages), pages, nodes,
		       status, MPOL_MF_MOVE_ALL);
}

/* on @node as the page tables have it, and told so in every way */
static void check_all_on(struct __test_metadata *_metadata, int fd, char *p,
			 int node)
{
	uint32_t tier = node ? CXL : DRAM;
	struct itme_residency r;
	uint8_t map[SIZE / CHUNK];
	uint64_t there = 0;
	size_t i;

	ASSERT_EQ(0, residency(fd, 0, 0, &r, map, sizeof(map)));
	for (i = 0; i < ARRAY_LEN(map); i++) {
		ASSERT_EQ(0, touch(p + i * CHUNK));
		if (page_node(p + i * CHUNK) != node)
			continue;
		there += CHUNK;
		EXPECT_EQ(tier, map[i] & ITME_MAP_TIER_MASK);
	}
	EXPECT_EQ(there, r.bytes[tier]);
	EXPECT_EQ(there, tier_used(tier));
	EXPECT_EQ(SIZE, tier_used(DRAM) + tier_used(CXL));
	EXPECT_EQ(0, pattern_check(p, SIZE, 0, 1));
}

TEST_F(migrate, move_pages)
{
	int status[SIZE / CHUNK];
	char *p;
	int fd;

	MOUNT_CXL("dram=16M,cxl=16M");
	fd = import_open("f", SIZE, 1, 0);
	ASSERT_LE(0, fd);
	p = map_ro(fd, 0, SIZE);
	ASSERT_NE(NULL, p);
	ASSERT_EQ(0, pattern_check(p, SIZE, 0, 1));
	/* -ENOENT: unmapped in between, to see whether it is used */
	ASSERT_TRUE(POLL(move_to_node(p, cxl_node(), status) < 0 ||
			 status[1] != -ENOENT, 10));
	EXPECT_EQ(cxl_node(), status[1]);
	check_all_on(_metadata, fd, p, cxl_node());
	ASSERT_LE(0, move_to_node(p, 0, status));
	check_all_on(_metadata, fd, p, 0);

	/* what was moved so is sent away like the rest */
	ASSERT_LE(0, move_to_node(p, cxl_node(), status));
	ASSERT_EQ(0, advise(fd, 0, 0, ITME_ADVICE_PAGEOUT, NVME, NULL));
	EXPECT_EQ(0, tier_used(DRAM));
	EXPECT_EQ(0, tier_used(CXL));
	EXPECT_EQ(0, pattern_check(p, SIZE, 0, 1));
}

/* a budget is hard, whoever asks */
TEST_F(migrate, beyond_the_budget)
{
	int status[SIZE / CHUNK];
	char *p;
	int fd;

	MOUNT_CXL("dram=16M");
	fd = import_open("f", SIZE, 1, 0);
	ASSERT_LE(0, fd);
	p = map_ro(fd, 0, SIZE);
	ASSERT_NE(NULL, p);
	ASSERT_EQ(0, pattern_check(p, SIZE, 0, 1));
	move_to_node(p, cxl_node(), status);
	EXPECT_EQ(0, tier_used(CXL));
	EXPECT_EQ(SIZE, tier_used(DRAM));
	EXPECT_EQ(0, page_node(p));
	EXPECT_EQ(0, pattern_check(p, SIZE, 0, 1));
}

static bool stop;

static void *check_all_the_time(void *arg)
{
	long ret = 0;

	while (!ret && !__atomic_load_n(&stop, __ATOMIC_ACQUIRE))
		ret = pattern_check(arg, SIZE, 0, 1);
	return (void *)ret;
}

TEST_F(migrate, under_readers)
{
	int status[SIZE / CHUNK], i, fd;
	double end = now() + 5;
	pthread_t t[2];
	void *ret;
	char *p;

	MOUNT_CXL("dram=16M,cxl=16M");
	fd = import_open("f", SIZE, 1, 0);
	ASSERT_LE(0, fd);
	p = map_ro(fd, 0, SIZE);
	ASSERT_NE(NULL, p);
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, pthread_create(&t[i], NULL, check_all_the_time,
					    p));
	for (i = 0; now() < end || i < 2; i++) {
		move_to_node(p, i & 1 ? 0 : cxl_node(), status);
		advise(fd, i % 4 * CHUNK, CHUNK, i % 3 ? ITME_ADVICE_PAGEOUT :
							  ITME_ADVICE_HOT, ANY,
		       NULL);
		write_file("/proc/sys/vm/compact_memory", "1");
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELEASE);
	for (i = 0; i < 2; i++) {
		pthread_join(t[i], &ret);
		EXPECT_EQ(NULL, ret);
	}
	EXPECT_EQ(0, check_read(fd, 0, SIZE, 1));
	ASSERT_EQ(0, advise(fd, 0, 0, ITME_ADVICE_PAGEOUT, NVME, NULL));
	EXPECT_TRUE(POLL(!tier_used(DRAM) && !tier_used(CXL), 10));
}

TEST_HARNESS_MAIN
