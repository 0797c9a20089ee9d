// SPDX-License-Identifier: GPL-2.0
/* Budgets are hard: watched from another thread all the while. */
#include <pthread.h>

#include "fixture.h"

#define BIG	(32 * CHUNK)

FIXTURE(budget) {};
ITME_FIXTURE(budget)

/*
 * Asks for both tiers again and again. While a test changes a budget, @seq is
 * odd; a sample counts only when @seq was even and the same on both sides.
 */
static struct watch {
	pthread_t thread;
	unsigned int seq, stop;
	unsigned long samples;
	unsigned long over[2];		/* samples above the budget */
	uint64_t most[2];
} w;

static void *watch_main(void *arg)
{
	struct itme_tier_info ti;
	unsigned int seq, tier;

	(void)arg;
	while (!__atomic_load_n(&w.stop, __ATOMIC_ACQUIRE)) {
		for (tier = DRAM; tier <= CXL; tier++) {
			seq = __atomic_load_n(&w.seq, __ATOMIC_SEQ_CST);
			if (seq & 1 || tier_get(tier, &ti) ||
			    seq != __atomic_load_n(&w.seq, __ATOMIC_SEQ_CST))
				continue;
			w.samples++;
			w.over[tier] += ti.used > ti.budget;
			if (ti.used > w.most[tier])
				w.most[tier] = ti.used;
		}
		usleep(200);
	}
	return NULL;
}

static int watch_start(void)
{
	memset(&w, 0, sizeof(w));
	return pthread_create(&w.thread, NULL, watch_main, NULL);
}

static void watch_stop(void)
{
	__atomic_store_n(&w.stop, 1, __ATOMIC_RELEASE);
	pthread_join(w.thread, NULL);
}

static int set_watched(uint32_t tier, uint64_t budget)
{
	int ret;

	__atomic_fetch_add(&w.seq, 1, __ATOMIC_SEQ_CST);
	ret = tier_set(tier, budget);
	__atomic_fetch_add(&w.seq, 1, __ATOMIC_SEQ_CST);
	return ret;
}

#define WATCHED_WELL()							\
do {									\
	watch_stop();							\
	EXPECT_LT(20, w.samples);					\
	EXPECT_EQ(0, w.over[DRAM]) TH_LOG("DRAM at most %llu",		\
		(unsigned long long)w.most[DRAM]);			\
	EXPECT_EQ(0, w.over[CXL]) TH_LOG("CXL at most %llu",		\
		(unsigned long long)w.most[CXL]);			\
} while (0)

TEST_F(budget, scan_by_read)
{
	int fd, i;

	MOUNT("dram=16M");
	fd = import_open("f", BIG, 1, 0);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, watch_start());
	for (i = 0; i < 2; i++)
		EXPECT_EQ(0, check_read(fd, 0, BIG, 1));
	WATCHED_WELL();
	EXPECT_LE(12 * MIB, w.most[DRAM]);
	EXPECT_EQ(0, w.most[CXL]);
}

TEST_F(budget, scan_by_mapping)
{
	char *p;
	int fd;

	MOUNT("dram=16M");
	fd = import_open("f", BIG, 1, 0);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, watch_start());
	p = mmap(NULL, BIG, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0);
	ASSERT_NE(MAP_FAILED, p);
	EXPECT_EQ(0, madvise(p, BIG, MADV_WILLNEED));
	EXPECT_EQ(0, pattern_check(p, BIG, 0, 1));
	EXPECT_EQ(0, pattern_check(p, BIG, 0, 1));
	WATCHED_WELL();
	EXPECT_LE(12 * MIB, w.most[DRAM]);
}

TEST_F(budget, scan_of_small_chunks)
{
	int a, b;

	MOUNT("dram=8M");
	a = import_open("a", BIG, 1, 64 * KIB);
	ASSERT_LE(0, a);
	b = import_open("b", BIG, 1, 512 * KIB);
	ASSERT_LE(0, b);
	ASSERT_EQ(0, watch_start());
	EXPECT_EQ(0, check_read(a, 0, BIG, 1));
	EXPECT_EQ(0, check_mapped(b, 0, BIG, 1));
	WATCHED_WELL();
}

TEST_F(budget, two_tiers)
{
	int fd, i;

	MOUNT_CXL("dram=16M,cxl=8M");
	fd = import_open("f", BIG, 1, 0);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, watch_start());
	for (i = 0; i < 2; i++)
		EXPECT_EQ(0, scan(fd, 0, BIG, 1));
	WATCHED_WELL();
	EXPECT_LT(0, w.most[CXL]);
}

static void *scan_main(void *arg)
{
	int ret = 0;

	while (!ret && !__atomic_load_n(&w.stop, __ATOMIC_ACQUIRE))
		ret = scan(*(int *)arg, 0, BIG, 1);
	return (void *)(long)ret;
}

TEST_F(budget, changed_under_load)
{
	static const unsigned int mib[] = { 64, 8, 32, 10, 48, 8, 64, 16 };
	struct itme_tier_info ti;
	pthread_t t[2];
	void *ret;
	int fd, i;

	MOUNT_CXL("dram=64M,cxl=16M");
	fd = import_open("f", BIG, 1, 0);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, watch_start());
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, pthread_create(&t[i], NULL, scan_main, &fd));
	for (i = 0; i < (int)ARRAY_LEN(mib) * 2; i++) {
		unsigned long seen = w.samples;

		EXPECT_EQ(0, set_watched(DRAM, mib[i % ARRAY_LEN(mib)] * MIB));
		EXPECT_EQ(0, set_watched(CXL, i % 3 * 8 * MIB));
		EXPECT_TRUE(POLL(*(volatile unsigned long *)&w.samples >
				 seen + 100, 10));
	}
	WATCHED_WELL();
	for (i = 0; i < 2; i++) {
		pthread_join(t[i], &ret);
		EXPECT_EQ(NULL, ret);
	}
	ASSERT_EQ(0, tier_get(DRAM, &ti));
	EXPECT_EQ(16 * MIB, ti.budget);
	EXPECT_EQ(0, check_read(fd, 0, BIG, 1));
}

/* on return from SET the tier is down already */
TEST_F(budget, shrink_is_done_on_return)
{
	char *p;
	int fd;

	MOUNT("dram=64M");
	fd = import_open("f", 24 * CHUNK, 1, 0);
	ASSERT_LE(0, fd);
	p = map_ro(fd, 0, 24 * CHUNK);
	ASSERT_NE(NULL, p);
	EXPECT_EQ(0, pattern_check(p, 24 * CHUNK, 0, 1));
	EXPECT_EQ(24 * CHUNK, tier_used(DRAM));
	ASSERT_EQ(0, tier_set(DRAM, 16 * MIB));
	EXPECT_GE(16 * MIB, tier_used(DRAM));
	ASSERT_EQ(0, itme_remount("dram=8M"));
	EXPECT_GE(8 * MIB, tier_used(DRAM));
	EXPECT_EQ(0, pattern_check(p, 24 * CHUNK, 0, 1));
}

/* a smaller DRAM demotes what CXL has room for */
TEST_F(budget, shrink_demotes)
{
	struct itme_stats s;
	int fd;

	MOUNT_CXL("dram=16M,cxl=8M");
	fd = import_open("f", 6 * CHUNK, 1, 0);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, check_read(fd, 0, 6 * CHUNK, 1));
	ASSERT_EQ(6 * CHUNK, resident_on(fd, DRAM, 0, 0));
	ASSERT_EQ(0, tier_set(DRAM, 8 * MIB));
	EXPECT_GE(8 * MIB, tier_used(DRAM));
	EXPECT_LE(2 * CHUNK, tier_used(CXL));
	EXPECT_EQ(6 * CHUNK, resident(fd, 0, 0));
	EXPECT_EQ(0, check_read(fd, 0, 6 * CHUNK, 1));
	ASSERT_EQ(0, stats_file(fd, &s));
	EXPECT_EQ(6 * CHUNK, s.read_bytes);

	ASSERT_EQ(0, tier_set(CXL, 0));
	EXPECT_EQ(0, tier_used(CXL));
	EXPECT_EQ(0, check_read(fd, 0, 6 * CHUNK, 1));
}

TEST_F(budget, bad_values)
{
	static const uint64_t bad[] = {
		0, 1, 4096, CHUNK, 3 * CHUNK, 4 * CHUNK - 1, 1ULL << 45,
		1ULL << 63, UINT64_MAX,
	};
	struct itme_tier_info ti;
	size_t i;

	MOUNT_CXL("dram=16M,cxl=8M");
	for (i = 0; i < ARRAY_LEN(bad); i++) {
		EXPECT_EQ(-EINVAL, tier_set(DRAM, bad[i]))
			TH_LOG("%#llx", (unsigned long long)bad[i]);
		if (bad[i])
			EXPECT_EQ(-EINVAL, tier_set(CXL, bad[i]))
				TH_LOG("%#llx", (unsigned long long)bad[i]);
	}
	ASSERT_EQ(0, tier_get(DRAM, &ti));
	EXPECT_EQ(16 * MIB, ti.budget);
	EXPECT_EQ(-EINVAL, tier_set(DRAM, ti.capacity + CHUNK));
	ASSERT_EQ(0, tier_get(CXL, &ti));
	EXPECT_EQ(8 * MIB, ti.budget);
	EXPECT_EQ(-EINVAL, tier_set(CXL, ti.capacity + CHUNK));
	EXPECT_EQ(0, tier_set(CXL, 0));
	EXPECT_EQ(0, tier_set(DRAM, 4 * CHUNK));
}

TEST_F(budget, below_the_pinned)
{
	struct itme_tier_info ti;
	int fd;

	MOUNT("dram=32M");
	fd = import_open("f", 12 * CHUNK, 1, 0);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, advise(fd, 0, 8 * CHUNK, ITME_ADVICE_PIN, ANY, NULL));
	ASSERT_EQ(0, check_read(fd, 0, 12 * CHUNK, 1));
	EXPECT_EQ(-EBUSY, tier_set(DRAM, 8 * MIB));
	EXPECT_EQ(-EBUSY, itme_remount("dram=8M"));
	ASSERT_EQ(0, tier_get(DRAM, &ti));
	EXPECT_EQ(32 * MIB, ti.budget);
	EXPECT_EQ(16 * MIB, ti.pinned);
	/* nothing was thrown out for a change that did not come */
	EXPECT_EQ(12 * CHUNK, resident(fd, 0, 0));
	ASSERT_EQ(0, advise(fd, 0, 0, ITME_ADVICE_UNPIN, ANY, NULL));
	EXPECT_EQ(0, tier_set(DRAM, 8 * MIB));
	EXPECT_GE(8 * MIB, tier_used(DRAM));
	EXPECT_EQ(0, check_read(fd, 0, 12 * CHUNK, 1));
}

TEST_HARNESS_MAIN
