// SPDX-License-Identifier: GPL-2.0
/*
 * A request whose result cannot be written was done, and EFAULT returned: the file
 * was imported, the budget changed, the range pinned. It changes nothing now.
 */
#include "fixture.h"

FIXTURE(result_unwritable)
{
	void *page;
};

FIXTURE_SETUP(result_unwritable)
{
	if (missing())
		SKIP(return, "%s", missing());
	cleanup_before();
	self->page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->page);
}

FIXTURE_TEARDOWN_PARENT(result_unwritable)
{
	const char *wrong = cleanup_after();

	if (wrong)
		EXPECT_NULL(wrong) TH_LOG("after the test: %s", wrong);
}

/* -errno of a request whose argument can only be read */
static int request(void *page, int fd, unsigned long cmd, const void *arg, size_t size)
{
	int ret;

	mprotect(page, PAGE, PROT_READ | PROT_WRITE);
	memcpy(page, arg, size);
	mprotect(page, PAGE, PROT_READ);
	ret = ioctl(fd, cmd, page) ? -errno : 0;
	return ret;
}

TEST_F(result_unwritable, changes_nothing)
{
	struct itme_import im = { .name_len = 1, .name = (uintptr_t)"g" };
	struct itme_tier_info set = { .tier = DRAM, .budget = 32 * MIB }, ti;
	struct itme_advise pin = { .advice = ITME_ADVICE_PIN, .tier = ANY };
	int fd;

	MOUNT("dram=16M");
	fd = import_open("f", 2 * CHUNK, 1, 0);
	ASSERT_LE(0, fd);
	im.lower_fd = lower(2 * CHUNK, 1);
	ASSERT_LE(0, im.lower_fd);
	EXPECT_EQ(-EFAULT, request(self->page, root_fd(), ITME_IOC_IMPORT, &im, sizeof(im)));
	EXPECT_EQ(-ENOENT, file_open("g", O_RDONLY));
	EXPECT_EQ(-EFAULT, request(self->page, root_fd(), ITME_IOC_TIER_SET, &set, sizeof(set)));
	ASSERT_EQ(0, tier_get(DRAM, &ti));
	EXPECT_EQ(16 * MIB, ti.budget);
	EXPECT_EQ(-EFAULT, request(self->page, fd, ITME_IOC_ADVISE, &pin, sizeof(pin)));
	EXPECT_EQ(0, tier_pinned(DRAM));
}

TEST_HARNESS_MAIN
