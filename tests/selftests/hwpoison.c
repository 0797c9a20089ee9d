// SPDX-License-Identifier: GPL-2.0
/*
 * A memory error in a page that ITME holds: the page is lost, the data is not,
 * as the drive has it. The pages are truly taken from the machine until reboot.
 */
#include <signal.h>

#include "fixture.h"

#define SIZE	(4 * CHUNK)
#define AT	(CHUNK + 5 * PAGE)

#ifndef MADV_SOFT_OFFLINE
#define MADV_SOFT_OFFLINE	101
#endif

FIXTURE(hwpoison) {};
ITME_FIXTURE(hwpoison)

FIXTURE_VARIANT(hwpoison)
{
	int advice;
	uint32_t chunk;
};

FIXTURE_VARIANT_ADD(hwpoison, hard) { .advice = MADV_HWPOISON };
FIXTURE_VARIANT_ADD(hwpoison, hard_small) {
	.advice = MADV_HWPOISON, .chunk = 64 * KIB,
};

FIXTURE_VARIANT_ADD(hwpoison, soft) { .advice = MADV_SOFT_OFFLINE };
FIXTURE_VARIANT_ADD(hwpoison, soft_small) {
	.advice = MADV_SOFT_OFFLINE, .chunk = 64 * KIB,
};

struct poison {
	int fd, advice;
};

/* who has it mapped may be killed for it */
static int inject(void *arg)
{
	struct poison *x = arg;
	char *p = map_ro(x->fd, 0, SIZE);

	if (!p || touch(p + AT))
		return 100;
	return madvise(p + AT, PAGE, x->advice) ? errno : 0;
}

TEST_F(hwpoison, one_page)
{
	struct poison x = { .advice = variant->advice };
	char buf[PAGE];
	ssize_t n;
	int ret;

	MOUNT("dram=16M");
	x.fd = import_open("f", SIZE, 1, variant->chunk);
	ASSERT_LE(0, x.fd);
	ASSERT_EQ(0, check_read(x.fd, 0, SIZE, 1));
	ret = in_child(inject, &x, 30);
	if (ret == EINVAL || ret == EPERM || ret == EOPNOTSUPP)
		SKIP(return, "no memory error can be injected");

	/* the page: its data or an error, never other data */
	n = pread(x.fd, buf, PAGE, AT);
	if (n > 0) {
		EXPECT_EQ(0, pattern_check(buf, n, AT, 1));
	} else {
		EXPECT_EQ(-1, n);
	}
	EXPECT_EQ(0, check_read(x.fd, 0, CHUNK, 1));
	EXPECT_EQ(0, check_mapped(x.fd, 2 * CHUNK, 2 * CHUNK, 1));
	/* sent away and read again, all is there */
	ASSERT_EQ(0, advise(x.fd, 0, 0, ITME_ADVICE_PAGEOUT, ANY, NULL));
	EXPECT_EQ(0, check_read(x.fd, 0, SIZE, 1));
	EXPECT_EQ(0, check_mapped(x.fd, 0, SIZE, 1));
}

TEST_HARNESS_MAIN
