// SPDX-License-Identifier: GPL-2.0
/*
 * A memory error in a folio of one page, mapped: itmefs had no backing device of
 * its own, so memory failure took its clean pages for ones that cannot be read
 * again, and whoever had the page mapped got SIGBUS.
 */
#include "fixture.h"

#define SIZE	(CHUNK + PAGE)	/* the last page is a folio of its own */

FIXTURE(hwpoison_page) {};
ITME_FIXTURE(hwpoison_page)

TEST_F(hwpoison_page, goes_on)
{
	char *p;
	int fd;

	MOUNT("dram=16M");
	fd = import_open("f", SIZE, 1, 0);
	ASSERT_LE(0, fd);
	p = map_ro(fd, 0, SIZE);
	ASSERT_NE(NULL, p);
	ASSERT_EQ(0, pattern_check(p, SIZE, 0, 1));
	ASSERT_EQ(0, touch(p + CHUNK));
	if (madvise(p + CHUNK, PAGE, MADV_HWPOISON))
		SKIP(return, "no memory error can be injected");
	ASSERT_EQ(0, touch(p + CHUNK));
	EXPECT_EQ(0, pattern_check(p, SIZE, 0, 1));
}

TEST_HARNESS_MAIN
