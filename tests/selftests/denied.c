// SPDX-License-Identifier: GPL-2.0
/* What itmefs does not do, it refuses clearly, and nothing is changed. */
#include <linux/fs.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#include "fixture.h"

#define SIZE	(2 * CHUNK + 99)

FIXTURE(denied) {};
ITME_FIXTURE(denied)

#define REFUSED(want, call)						\
do {									\
	errno = 0;							\
	EXPECT_EQ(-1, (long)(call));					\
	EXPECT_EQ(want, errno) TH_LOG("%s", #call);			\
} while (0)

TEST_F(denied, writing)
{
	int fd;

	MOUNT("dram=16M");
	fd = import_open("f", SIZE, 1, 0);
	ASSERT_LE(0, fd);
	EXPECT_EQ(-EROFS, file_open("f", O_WRONLY));
	EXPECT_EQ(-EROFS, file_open("f", O_RDWR));
	EXPECT_EQ(-EROFS, file_open("f", O_WRONLY | O_TRUNC));
	EXPECT_EQ(-EROFS, file_open("f", O_WRONLY | O_APPEND));
	EXPECT_EQ(-EROFS, file_open("f", O_RDWR | O_CREAT));
	REFUSED(EROFS, truncate(file_path("f"), 0));
	REFUSED(EROFS, truncate(file_path("f"), SIZE * 2));
	EXPECT_EQ(-1, ftruncate(fd, 0));
	REFUSED(EBADF, write(fd, "x", 1));
	REFUSED(EBADF, fallocate(fd, 0, 0, SIZE));
	EXPECT_EQ(0, fsync(fd));
	EXPECT_EQ(0, check_read(fd, 0, SIZE, 1));
}

TEST_F(denied, making_over_it)
{
	char other[512];
	int fd;

	MOUNT("dram=16M");
	fd = import_open("f", SIZE, 1, 0);
	ASSERT_LE(0, fd);
	strcpy(other, file_path("f"));
	REFUSED(EEXIST, open(other, O_RDONLY | O_CREAT | O_EXCL, 0644));
	REFUSED(EEXIST, mkdir(other, 0755));
	REFUSED(EEXIST, symlink("x", other));
	REFUSED(ENOTDIR, rmdir(other));
	REFUSED(ENOENT, unlink(file_path("new")));
	EXPECT_EQ(0, run_cmd("test \"$(ls -A %s)\" = f", mnt_dir()));
	EXPECT_EQ(0, check_read(fd, 0, SIZE, 1));
}

TEST_F(denied, other_requests)
{
	struct itme_info info = {};
	uint64_t v = 0;
	int fd, i;

	MOUNT("dram=16M");
	fd = import_open("f", SIZE, 1, 0);
	ASSERT_LE(0, fd);
	for (i = 0; i < 256; i++) {
		if (i >= 0x40 && i <= 0x47)
			continue;
		EXPECT_EQ(-1, ioctl(fd, _IOWR(ITME_IOC_MAGIC, i, uint64_t),
				    &v));
		EXPECT_EQ(ENOTTY, errno) TH_LOG("ioctl %#x", i);
	}
	/* the right number with another size is another request */
	REFUSED(ENOTTY, ioctl(fd, _IOWR(ITME_IOC_MAGIC, 0x40, uint64_t),
			      &info));
	REFUSED(ENOTTY, ioctl(fd, _IOR(ITME_IOC_MAGIC, 0x40,
				       struct itme_info), &info));
	EXPECT_NE(0, ioctl(fd, FIBMAP, &v));
	EXPECT_EQ(-1, fsetxattr(fd, "user.x", "y", 1, 0));
	EXPECT_EQ(0, check_read(fd, 0, SIZE, 1));
}

static int unlink_as_nobody(void *arg)
{
	(void)arg;
	if (setresuid(65534, 65534, 65534))
		return 255;
	return unlink(file_path("f")) ? errno : 0;
}

TEST_F(denied, unlink_of_others)
{
	int fd;

	MOUNT("dram=16M,mode=0755");
	fd = import_open("f", SIZE, 1, 0);
	ASSERT_LE(0, fd);
	EXPECT_EQ(EACCES, in_child(unlink_as_nobody, NULL, 20));
	EXPECT_EQ(0, access(file_path("f"), R_OK));
}

TEST_F(denied, unlinked_in_use)
{
	struct stat st;
	char *p;
	int fd;

	MOUNT("dram=16M");
	fd = import_open("f", SIZE, 1, 0);
	ASSERT_LE(0, fd);
	p = map_ro(fd, 0, SIZE);
	ASSERT_NE(NULL, p);
	ASSERT_EQ(0, touch(p + CHUNK));
	ASSERT_EQ(0, file_unlink("f"));
	ASSERT_EQ(0, fstat(fd, &st));
	EXPECT_EQ(0, st.st_nlink);
	close(fd);
	/* all of it stays, what was read and what was not */
	EXPECT_EQ(0, pattern_check(p, SIZE, 0, 1));
	EXPECT_LT(0, tier_used(DRAM));
	munmap(p, SIZE);
	EXPECT_TRUE(POLL(!tier_used(DRAM), 10));
}

TEST_HARNESS_MAIN
