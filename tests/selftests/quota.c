// SPDX-License-Identifier: GPL-2.0
/* What written files may take: of the machine, and below a directory. */
#include <linux/fs.h>

#include "names.h"

FIXTURE(quota) {};
ITME_FIXTURE(quota)

/* file_path() of two names at once */
static const char *at(const char *name)
{
	static char path[4][512];
	static int i;

	i = (i + 1) % 4;
	return strcpy(path[i], file_path(name));
}

static int limit(const char *name, uint32_t flags, uint64_t *bytes, uint64_t *used)
{
	struct itme_limit arg = { .bytes = *bytes, .flags = flags };
	int fd = open(at(name), O_RDONLY), err;

	if (fd < 0)
		return -errno;
	err = ioctl(fd, ITME_IOC_LIMIT, &arg) ? -errno : 0;
	close(fd);
	*bytes = arg.bytes;
	if (used)
		*used = arg.used;
	return err;
}

static int set_limit(const char *name, uint64_t bytes)
{
	return limit(name, ITME_LIMIT_SET, &bytes, NULL);
}

static struct statfs room(const char *name)
{
	struct statfs sf = {};

	if (statfs(at(name), &sf))
		sf.f_blocks = -1;
	return sf;
}

/* Write from @off on until @len or an error: what was written, and the error. */
static uint64_t fill(const char *name, uint64_t off, uint64_t len, int *err)
{
	static char buf[64 * 1024];
	int fd = open(at(name), O_CREAT | O_WRONLY, 0644);
	uint64_t done = 0;

	memset(buf, 0x5a, sizeof(buf));
	*err = fd < 0 ? errno : 0;
	while (fd >= 0 && done < len) {
		uint64_t n = len - done < sizeof(buf) ? len - done : sizeof(buf);
		ssize_t ret = pwrite(fd, buf, n, off + done);

		if (ret <= 0) {
			*err = ret ? errno : EIO;
			break;
		}
		done += ret;
	}
	close(fd);
	return done;
}

static uint64_t blocks(const char *name)
{
	struct stat st = {};

	stat(at(name), &st);
	return st.st_blocks * 512;
}

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

TEST_HARNESS_MAIN
