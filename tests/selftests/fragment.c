// SPDX-License-Identifier: GPL-2.0
/* No 2 MiB in one piece anywhere: smaller folios, the same bytes. */
#include "fixture.h"
#include "hog.h"

#define COMPACT		"/proc/sys/vm/compact_unevictable_allowed"
#define SIZE		(48 * CHUNK)
#define LEFT		(96 * MIB)
#define FILES		4
/* A call a page that it gives back: minutes, in a debug kernel on a busy host. */
#define HOG_SECS	600

FIXTURE(fragment) {};

FIXTURE_SETUP(fragment)
{
	if (missing())
		SKIP(return, "%s", missing());
	cleanup_before();
	/* the locked pages of the hog must stay where they are */
	ASSERT_EQ(0, write_file(COMPACT, "0"));
}

FIXTURE_TEARDOWN_PARENT(fragment)
{
	const char *wrong;

	write_file(COMPACT, "1");
	wrong = cleanup_after();
	if (wrong)
		EXPECT_NULL(wrong) TH_LOG("after the test: %s", wrong);
}

/* the same lower file under several names: more than compaction can make room for */
static int open_nth(int n)
{
	char name[16];

	snprintf(name, sizeof(name), "f%d", n);
	return import_open(name, SIZE, 1, 0);
}

TEST_F_TIMEOUT(fragment, small_folios, 2 * HOG_SECS)
{
	uint64_t in_memory = 0, large = 0;
	struct itme_residency r;
	struct itme_stats s;
	struct hog hog;
	int fd[FILES], i;

	MOUNT("dram=512M");
	for (i = 0; i < FILES; i++) {
		fd[i] = open_nth(i);
		ASSERT_LE(0, fd[i]);
	}
	ASSERT_EQ(0, write_file("/proc/sys/vm/drop_caches", "3"));
	ASSERT_EQ(0, hog_start(&hog, node0_free() - LEFT, true, 800 * MIB, HOG_SECS))
		TH_LOG("the hog got %llu MiB",
		       (unsigned long long)hog_taken(&hog) / MIB);
	printf("# free now: %lld MiB\n", (long long)node0_free() / (long)MIB);

	for (i = 0; i < FILES; i++) {
		EXPECT_EQ(0, i & 1 ? check_read(fd[i], 0, SIZE, 1) :
				     check_mapped(fd[i], 0, SIZE, 1));
		ASSERT_EQ(0, residency(fd[i], 0, 0, &r, NULL, 0));
		in_memory += r.bytes[DRAM];
		large += r.large;
	}
	EXPECT_EQ(0, check_mapped(fd[0], 0, SIZE, 1));
	ASSERT_EQ(0, stats_all(&s));
	printf("# %llu chunks of small folios, %llu MiB resident, %llu large\n",
	       (unsigned long long)s.small_folio_chunks,
	       (unsigned long long)in_memory / MIB,
	       (unsigned long long)large / MIB);
	EXPECT_LT(0, s.small_folio_chunks);
	EXPECT_EQ(0, s.io_errors);
	EXPECT_GT(in_memory, large);
	EXPECT_GE(512 * MIB, tier_used(DRAM));
	EXPECT_TRUE(hog_alive(&hog));

	/* such chunks are sent away and brought back as any other */
	for (i = 0; i < FILES; i++) {
		EXPECT_EQ(0, advise(fd[i], 0, 0, ITME_ADVICE_PAGEOUT, ANY,
				    NULL));
		EXPECT_TRUE(POLL(!resident(fd[i], 0, 0), 10));
	}
	EXPECT_EQ(0, tier_used(DRAM));
	EXPECT_EQ(0, check_mapped(fd[1], 0, 8 * CHUNK, 1));
	hog_stop(&hog);
	EXPECT_EQ(0, advise(fd[1], 0, 0, ITME_ADVICE_PAGEOUT, ANY, NULL));
	EXPECT_EQ(0, check_read(fd[1], 0, SIZE, 1));
}

TEST_F_TIMEOUT(fragment, moved_between_tiers, 2 * HOG_SECS)
{
	struct hog hog;
	int fd;

	MOUNT_CXL("dram=128M,cxl=8M");
	fd = import_open("f", SIZE, 1, 0);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, write_file("/proc/sys/vm/drop_caches", "3"));
	ASSERT_EQ(0, hog_start(&hog, node0_free() - LEFT, true, 400 * MIB, HOG_SECS));
	/* in large folios as long as there are some, then in small ones */
	EXPECT_EQ(0, scan(fd, 0, SIZE, 1));
	EXPECT_EQ(0, advise(fd, SIZE - 2 * CHUNK, 0, ITME_ADVICE_HOT, CXL,
			    NULL));
	EXPECT_EQ(2 * CHUNK, resident_on(fd, CXL, SIZE - 2 * CHUNK, 0));
	EXPECT_EQ(0, check_mapped(fd, SIZE - 3 * CHUNK, 3 * CHUNK, 1));
	EXPECT_EQ(0, advise(fd, SIZE - 2 * CHUNK, 0, ITME_ADVICE_HOT, DRAM,
			    NULL));
	EXPECT_EQ(0, check_mapped(fd, SIZE - 3 * CHUNK, 3 * CHUNK, 1));
	EXPECT_TRUE(hog_alive(&hog));
	hog_stop(&hog);
}

TEST_HARNESS_MAIN
