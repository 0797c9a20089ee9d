// SPDX-License-Identifier: GPL-2.0
/*
 * Memory that others want: what the shrinker left undone was added up by the
 * kernel to twice of all there was, and freed pages were not told to reclaim, so
 * that where half was needed all was given.
 */
#include "fixture.h"
#include "hog.h"

#define LOWER	(32 * MIB)
#define FILES	12

FIXTURE(pressure_part) {};
ITME_FIXTURE(pressure_part)

static int load(void)
{
	char name[16];
	int i, fd, ret = 0;

	for (i = 0; i < FILES && !ret; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		fd = import_open(name, LOWER, 1, 0);
		if (fd < 0)
			return fd;
		ret = scan(fd, 0, LOWER, 1);
		close(fd);
	}
	return ret;
}

TEST_F(pressure_part, keeps_the_rest)
{
	uint64_t before;
	struct hog hog;

	MOUNT("dram=512M");
	if (profile_is("cxl"))
		SKIP(return, "the test itself would run from slow CXL memory");
	if (node0_available() < (int64_t)(1024 * MIB))
		SKIP(return, "too little memory");
	ASSERT_EQ(0, load());
	before = tier_used(DRAM);
	ASSERT_EQ(FILES * LOWER, before);
	ASSERT_EQ(0, hog_start(&hog, node0_available() + before / 2, false, 0, 90))
		TH_LOG("the hog got %llu MiB", (unsigned long long)hog_taken(&hog) / MIB);
	TH_LOG("%llu MiB of %llu kept, %lld free", (unsigned long long)tier_used(DRAM) / MIB,
	       (unsigned long long)before / MIB, (long long)node0_free() / (long)MIB);
	/* it was nothing at all, each time; a debug kernel needs much for itself */
	EXPECT_LE(before / 32, tier_used(DRAM));
	EXPECT_TRUE(hog_alive(&hog));
	hog_stop(&hog);
}

TEST_HARNESS_MAIN
