// SPDX-License-Identifier: GPL-2.0
/* What written files may take: of the machine, and below a directory. */
#include <linux/falloc.h>
#include <linux/fs.h>

#include "names.h"
#include "room.h"
#include "written.h"

FIXTURE(quota) {};
ITME_FIXTURE(quota)

TEST_F(quota, of_the_machine)
{
	struct statfs sf;
	uint64_t size, done;
	int err;

	MOUNT("dram=32M");
	sf = room(".");
	size = sf.f_blocks * PAGE;
	/* all but what streams need */
	EXPECT_LT(16 * MIB, size);
	EXPECT_GT(32 * MIB, size);
	EXPECT_EQ(sf.f_blocks, sf.f_bfree);
	EXPECT_EQ(sf.f_bfree, sf.f_bavail);
	done = fill("f", 0, 64 * MIB, &err);
	EXPECT_EQ(ENOSPC, err);
	EXPECT_LE(done, size);
	EXPECT_LT(size - 2 * CHUNK, done);
	EXPECT_EQ(blocks("f"), size - room(".").f_bfree * PAGE);
	ASSERT_EQ(0, truncate(at("f"), MIB));
	EXPECT_EQ(MIB, blocks("f"));
	EXPECT_EQ(size - MIB, room(".").f_bfree * PAGE);
	/* a smaller budget is less for all; what is there stays */
	ASSERT_EQ(0, tier_set(DRAM, 16 * MIB));
	EXPECT_GT(size, room(".").f_blocks * PAGE);
	ASSERT_EQ(0, unlink(at("f")));
	sf = room(".");
	EXPECT_EQ(sf.f_blocks, sf.f_bfree);
}

TEST_F(quota, pins_count)
{
	uint64_t size, done;
	int fd, err;

	MOUNT("dram=32M");
	size = room(".").f_blocks * PAGE;
	fd = import_open("f", 4 * CHUNK, 1, 0);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, advise(fd, 0, 0, ITME_ADVICE_PIN, DRAM, NULL));
	EXPECT_EQ(size - 4 * CHUNK, room(".").f_blocks * PAGE);
	/* what is not pinned gives way */
	ASSERT_EQ(0, advise(fd, 0, 0, ITME_ADVICE_UNPIN, ANY, NULL));
	EXPECT_EQ(size, room(".").f_blocks * PAGE);
	done = fill("g", 0, size, &err);
	EXPECT_EQ(0, err);
	EXPECT_EQ(size, done);
	EXPECT_EQ(0, check_read(fd, 0, 4 * CHUNK, 1));
	close(fd);
}

TEST_F(quota, of_a_directory)
{
	uint64_t bytes = 0, used = 1;
	struct statfs sf;
	int err, fd;

	MOUNT("dram=32M");
	ASSERT_EQ(0, mkdir(at("d"), 0755));
	ASSERT_EQ(0, mkdir(at("d/e"), 0755));
	EXPECT_EQ(-ENOTEMPTY, set_limit("d", MIB));
	ASSERT_EQ(0, rmdir(at("d/e")));
	ASSERT_EQ(0, set_limit("d", MIB + 5));
	ASSERT_EQ(0, limit("d", 0, &bytes, &used));
	EXPECT_EQ(MIB, bytes);
	EXPECT_EQ(0, used);
	sf = room("d");
	EXPECT_EQ(MIB, sf.f_blocks * PAGE);
	EXPECT_EQ(MIB, sf.f_bfree * PAGE);
	EXPECT_LT(MIB, room(".").f_blocks * PAGE);
	/* all below share it */
	ASSERT_EQ(0, mkdir(at("d/e"), 0755));
	EXPECT_EQ(MIB / 2, fill("d/f", 0, MIB / 2, &err));
	EXPECT_EQ(MIB / 2, fill("d/e/g", 0, MIB, &err));
	EXPECT_EQ(ENOSPC, err);
	EXPECT_EQ(0, room("d/e/g").f_bfree);
	ASSERT_EQ(0, limit("d/e", 0, &bytes, &used));
	EXPECT_EQ(MIB, bytes);
	EXPECT_EQ(MIB, used);
	/* what is there can be written again, and removed */
	EXPECT_EQ(MIB / 2, fill("d/f", 0, MIB / 2, &err));
	ASSERT_EQ(0, truncate(at("d/f"), 0));
	EXPECT_EQ(MIB / 2, room("d").f_bfree * PAGE);
	EXPECT_EQ(MIB / 4, fill("d/f", 0, MIB / 4, &err));
	/* one that is open takes its room until it is closed */
	fd = open(at("d/e/g"), O_RDONLY);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, unlink(at("d/e/g")));
	EXPECT_EQ(MIB / 4, room("d").f_bfree * PAGE);
	close(fd);
	EXPECT_EQ(3 * MIB / 4, room("d").f_bfree * PAGE);
	/* lowered below what is used, nothing more comes */
	ASSERT_EQ(0, set_limit("d", 8 * PAGE));
	EXPECT_EQ(0, fill("d/h", 0, PAGE, &err));
	EXPECT_EQ(ENOSPC, err);
	EXPECT_EQ(0, room("d").f_bfree);
	ASSERT_EQ(0, set_limit("d", 0));
	ASSERT_EQ(0, limit("d", 0, &bytes, &used));
	EXPECT_EQ(0, bytes);
	EXPECT_EQ(2 * MIB, fill("d/h", 0, 2 * MIB, &err));
}

TEST_F(quota, nested)
{
	int err;

	MOUNT("dram=32M");
	ASSERT_EQ(0, mkdir(at("d"), 0755));
	ASSERT_EQ(0, set_limit("d", MIB));
	ASSERT_EQ(0, mkdir(at("d/e"), 0755));
	ASSERT_EQ(0, set_limit("d/e", 4 * MIB));
	/* the least of them counts */
	EXPECT_EQ(MIB, room("d/e").f_blocks * PAGE);
	ASSERT_EQ(0, set_limit("d/e", MIB / 4));
	EXPECT_EQ(MIB / 4, fill("d/e/f", 0, MIB, &err));
	EXPECT_EQ(ENOSPC, err);
	EXPECT_EQ(3 * MIB / 4, room("d").f_bfree * PAGE);
	EXPECT_EQ(3 * MIB / 4, fill("d/f", 0, MIB, &err));
	ASSERT_EQ(0, unlink(at("d/e/f")));
	ASSERT_EQ(0, rmdir(at("d/e")));
	EXPECT_EQ(MIB / 4, room("d").f_bfree * PAGE);
}

TEST_F(quota, is_a_border)
{
	int fd;

	MOUNT("dram=32M");
	ASSERT_EQ(0, mkdir(at("d"), 0755));
	ASSERT_EQ(0, mkdir(at("other"), 0755));
	ASSERT_EQ(0, set_limit("d", MIB));
	ASSERT_LE(0, fd = open(at("f"), O_CREAT | O_RDWR, 0644));
	close(fd);
	ASSERT_LE(0, fd = open(at("d/g"), O_CREAT | O_RDWR, 0644));
	close(fd);
	ASSERT_EQ(0, mkdir(at("d/sub"), 0755));
	FAILS(EXDEV, rename(at("f"), at("d/f")));
	FAILS(EXDEV, rename(at("d/g"), at("g")));
	FAILS(EXDEV, rename(at("d/sub"), at("sub")));
	FAILS(EXDEV, renameat2(AT_FDCWD, at("f"), AT_FDCWD, at("d/g"), RENAME_EXCHANGE));
	FAILS(EXDEV, link(at("f"), at("d/f")));
	FAILS(EXDEV, link(at("d/g"), at("g")));
	/* within it, and of it as a whole, all is as usual */
	EXPECT_EQ(0, rename(at("d/g"), at("d/sub/g")));
	EXPECT_EQ(0, link(at("d/sub/g"), at("d/h")));
	EXPECT_EQ(0, rename(at("d"), at("other/d2")));
	EXPECT_EQ(MIB, room("other/d2/sub").f_blocks * PAGE);
	EXPECT_EQ(0, rename(at("other/d2"), at("d")));
	/* mv(1) copies then */
	EXPECT_EQ(0, run_cmd("mv %s %s", at("f"), at("d/f")));
}

static int as_user(void *arg)
{
	uint64_t bytes = 0;

	(void)arg;
	if (drop_sys_admin())
		return 200;
	if (set_limit("d", 2 * MIB) != -EPERM)
		return 1;
	return limit("d", 0, &bytes, NULL) || bytes != MIB ? 2 : 0;
}

TEST_F(quota, arguments)
{
	struct itme_limit arg = { .bytes = MIB, .flags = ITME_LIMIT_SET };
	uint64_t bytes = 0;
	int fd;

	MOUNT("dram=32M");
	EXPECT_EQ(-ENOTTY, set_limit(".", MIB));
	ASSERT_LE(0, fd = open(at("f"), O_CREAT | O_RDWR, 0644));
	close(fd);
	EXPECT_EQ(-ENOTTY, limit("f", 0, &bytes, NULL));
	ASSERT_EQ(0, mkdir(at("d"), 0755));
	ASSERT_EQ(0, set_limit("d", MIB));
	EXPECT_EQ(0, in_child(as_user, NULL, 20));
	ASSERT_LE(0, fd = open(at("d"), O_RDONLY));
	arg.flags = 2;
	FAILS(EINVAL, ioctl(fd, ITME_IOC_LIMIT, &arg));
	arg.flags = ITME_LIMIT_SET;
	arg.pad = 1;
	FAILS(EINVAL, ioctl(fd, ITME_IOC_LIMIT, &arg));
	arg.pad = 0;
	arg.reserved[2] = 1;
	FAILS(EINVAL, ioctl(fd, ITME_IOC_LIMIT, &arg));
	arg.reserved[2] = 0;
	arg.bytes = UINT64_MAX;
	EXPECT_EQ(0, ioctl(fd, ITME_IOC_LIMIT, &arg));
	EXPECT_LT(32 * MIB, arg.bytes);
	arg.bytes = PAGE - 1;
	FAILS(EINVAL, ioctl(fd, ITME_IOC_LIMIT, &arg));
	/* removed, it takes none any more */
	ASSERT_EQ(0, rmdir(at("d")));
	arg.bytes = MIB;
	FAILS(ENOENT, ioctl(fd, ITME_IOC_LIMIT, &arg));
	close(fd);
}

/* To have no limit is none: it need not be empty, and is no border. */
TEST_F(quota, none)
{
	int fd;

	MOUNT("dram=32M");
	ASSERT_EQ(0, mkdir(at("d"), 0755));
	ASSERT_LE(0, fd = open(at("d/f"), O_CREAT | O_RDWR, 0644));
	close(fd);
	EXPECT_EQ(0, set_limit("d", 0));
	EXPECT_EQ(0, rename(at("d/f"), at("f")));
	EXPECT_EQ(0, set_limit("d", 0));
	EXPECT_EQ(0, rename(at("f"), at("d/f")));
	EXPECT_EQ(-ENOTEMPTY, set_limit("d", MIB));
}

/* statfs(2) tells this file system from others. */
TEST_F(quota, has_an_id)
{
	struct statfs sf;

	MOUNT("dram=32M");
	sf = room(".");
	EXPECT_TRUE(sf.f_fsid.__val[0] || sf.f_fsid.__val[1]);
}

/* What fallocate(2) has promised is there, whatever others write. */
TEST_F(quota, promises)
{
	uint64_t size, used, bytes = 0;
	int fd, err;

	MOUNT("dram=32M");
	ASSERT_EQ(0, mkdir(at("d"), 0755));
	ASSERT_EQ(0, set_limit("d", 4 * MIB));
	ASSERT_LE(0, fd = open(at("d/f"), O_CREAT | O_RDWR, 0644));
	ASSERT_EQ(0, fallocate(fd, 0, 0, 3 * MIB));
	ASSERT_EQ(0, limit("d", 0, &bytes, &used));
	EXPECT_EQ(3 * MIB, used);
	EXPECT_EQ(MIB, room("d").f_bfree * PAGE);
	FAILS(ENOSPC, fallocate(fd, 0, 3 * MIB, 2 * MIB));
	EXPECT_EQ(MIB, fill("d/g", 0, 2 * MIB, &err));
	EXPECT_EQ(ENOSPC, err);
	EXPECT_EQ(3 * MIB, fill("d/f", 0, 3 * MIB, &err));
	EXPECT_EQ(0, err);
	EXPECT_EQ(0, room("d").f_bfree);
	close(fd);
	size = room(".").f_bfree * PAGE;
	ASSERT_EQ(0, unlink(at("d/f")));
	EXPECT_EQ(size + 3 * MIB, room(".").f_bfree * PAGE);
}

/* What a promise of fallocate(2) has not used is no longer promised when it is over. */
TEST_F(quota, promises_end)
{
	uint64_t size;
	int fd;

	MOUNT("dram=32M");
	size = room(".").f_bfree * PAGE;
	ASSERT_LE(0, fd = open(at("f"), O_CREAT | O_RDWR, 0644));
	FAILS(ENOSPC, fallocate(fd, 0, 0, size + PAGE));
	FAILS(ENOSPC, fallocate(fd, FALLOC_FL_KEEP_SIZE, 1ULL << 40, size));
	EXPECT_EQ(size, room(".").f_bfree * PAGE);
	ASSERT_EQ(0, fallocate(fd, FALLOC_FL_KEEP_SIZE, PAGE, MIB));
	ASSERT_EQ(0, fallocate(fd, 0, 0, 2 * MIB));
	EXPECT_EQ(size - 2 * MIB, room(".").f_bfree * PAGE);
	/* far off, the page that tells where it is counts, too */
	ASSERT_EQ(0, fallocate(fd, FALLOC_FL_KEEP_SIZE, 1ULL << 40, PAGE));
	EXPECT_EQ(size - 2 * MIB - 2 * PAGE, room(".").f_bfree * PAGE);
	ASSERT_EQ(0, ftruncate(fd, 0));
	EXPECT_EQ(size - PAGE, room(".").f_bfree * PAGE);
	close(fd);
	ASSERT_EQ(0, unlink(at("f")));
	EXPECT_EQ(size, room(".").f_bfree * PAGE);
}

TEST_HARNESS_MAIN
