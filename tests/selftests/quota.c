// SPDX-License-Identifier: GPL-2.0
/* What written files may take: of the machine, and below a directory. */
#include <linux/falloc.h>
#include <linux/fs.h>
#include <signal.h>
#include <sys/wait.h>

#include "area.h"
#include "names.h"
#include "written.h"

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

/* An open file of a size, made for it, or -errno */
static int sized(const char *name, uint64_t size)
{
	int fd = open(at(name), O_CREAT | O_RDWR, 0644);

	if (fd >= 0 && ftruncate(fd, size)) {
		close(fd);
		return -errno;
	}
	return fd;
}

static uint64_t left(void)
{
	return room(".").f_bfree * PAGE;
}

/* In a child, as what has no room is SIGBUS: write to each page of a mapping. */
struct span {
	int fd;
	uint64_t from, to;
};

static int write_mapped(void *arg)
{
	struct span *s = arg;
	char *p = mmap(NULL, s->to, PROT_READ | PROT_WRITE, MAP_SHARED, s->fd, 0);

	if (p == MAP_FAILED)
		return 1;
	for (uint64_t off = s->from; off < s->to; off += PAGE)
		*(volatile uint64_t *)(p + off) = off + 1;
	for (uint64_t off = s->from; off < s->to; off += PAGE)
		if (*(volatile uint64_t *)(p + off) != off + 1)
			return 2;
	return 0;
}

static int maps(int fd, uint64_t from, uint64_t to)
{
	struct span s = { fd, from, to };

	return in_child(write_mapped, &s, 60);
}

TEST_F(quota, reserve_all)
{
	uint64_t size;
	int fd, other, err;

	MOUNT("dram=32M,reserve");
	size = left();
	ASSERT_LE(0, fd = open(at("f"), O_CREAT | O_RDWR, 0644));
	FAILS(ENOSPC, ftruncate(fd, size + 1));
	FAILS(ENOSPC, ftruncate(fd, 1LL << 50));
	FAILS(ENOSPC, truncate(at("f"), size + PAGE));
	EXPECT_EQ(0, size_of(fd));
	EXPECT_EQ(size, left());
	ASSERT_EQ(0, ftruncate(fd, size));
	EXPECT_EQ(0, blocks("f"));
	EXPECT_EQ(0, left());
	FAILS(ENOSPC, ftruncate(fd, size + 1));
	EXPECT_EQ(size, size_of(fd));
	/* nobody else has it */
	EXPECT_EQ(-ENOSPC, sized("g", 1));
	EXPECT_EQ(0, fill("g", 0, PAGE, &err));
	EXPECT_EQ(ENOSPC, err);
	ASSERT_LE(0, other = open(at("g"), O_RDWR));
	FAILS(ENOSPC, fallocate(other, 0, 0, PAGE));
	close(other);
	EXPECT_EQ(0, maps(fd, 0, size));
	EXPECT_EQ(size, blocks("f"));
	EXPECT_EQ(0, left());
	close(fd);
	ASSERT_EQ(0, unlink(at("f")));
	EXPECT_EQ(size, left());
}

TEST_F(quota, reserve_beside)
{
	uint64_t size, done;
	int fd, err;

	MOUNT("dram=32M,reserve");
	size = left();
	ASSERT_LE(0, fd = sized("f", 8 * MIB));
	EXPECT_EQ(size - 8 * MIB, left());
	EXPECT_EQ(-ENOSPC, sized("h", size - 8 * MIB + 1));
	done = fill("g", 0, size, &err);
	EXPECT_EQ(ENOSPC, err);
	EXPECT_EQ(size - 8 * MIB, done);
	EXPECT_EQ(0, left());
	/* of two chunks; a mapping gets all of them at once */
	EXPECT_EQ(0, maps(fd, MIB, 3 * MIB));
	EXPECT_EQ(MIB, fill("f", 2 * MIB, MIB, &err));
	EXPECT_EQ(0, fallocate(fd, 0, 3 * MIB + 5, MIB));
	EXPECT_EQ(0, fallocate(fd, FALLOC_FL_KEEP_SIZE, 7 * MIB, MIB));
	FAILS(ENOSPC, fallocate(fd, FALLOC_FL_KEEP_SIZE, 7 * MIB, MIB + 1));
	EXPECT_EQ(0, left());
	/* a hole in it is promised again, whole pages and others */
	ASSERT_EQ(0, fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, MIB + 100, MIB));
	EXPECT_EQ(4 * MIB + 2 * PAGE, blocks("f"));
	EXPECT_EQ(0, left());
	ASSERT_EQ(0, fallocate(fd, FALLOC_FL_ZERO_RANGE, 0, 4 * MIB));
	EXPECT_EQ(0, maps(fd, 0, 8 * MIB));
	EXPECT_EQ(0, left());
	/* smaller, that is given back; what it has and what it has not */
	ASSERT_EQ(0, fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 5 * MIB, MIB));
	ASSERT_EQ(0, ftruncate(fd, 4 * MIB + 1));
	EXPECT_EQ(4 * MIB - PAGE, left());
	ASSERT_EQ(0, ftruncate(fd, 0));
	EXPECT_EQ(8 * MIB, left());
	ASSERT_EQ(0, ftruncate(fd, 8 * MIB));
	EXPECT_EQ(0, left());
	close(fd);
	ASSERT_EQ(0, unlink(at("f")));
	EXPECT_EQ(8 * MIB, left());
}

TEST_F(quota, reserve_sparse_write)
{
	const void *volatile nowhere = NULL;
	uint64_t size;
	int fd;

	MOUNT("dram=32M,reserve");
	size = left();
	ASSERT_LE(0, fd = sized("f", 0));
	ASSERT_EQ(1, pwrite(fd, "x", 1, MIB + 10));
	EXPECT_EQ(PAGE, blocks("f"));
	EXPECT_EQ(size - MIB - PAGE, left());
	/* no room for the hole, or for what is after it */
	FAILS(ENOSPC, pwrite(fd, "x", 1, size + PAGE));
	FAILS(ENOSPC, pwrite(fd, "x", 1, size));
	FAILS(EFAULT, pwrite(fd, nowhere, 1, 4 * MIB));
	EXPECT_EQ(MIB + 11, size_of(fd));
	EXPECT_EQ(size - MIB - PAGE, left());
	/* in the page after the end, or the same */
	ASSERT_EQ(1, pwrite(fd, "x", 1, MIB + 100));
	ASSERT_EQ(1, pwrite(fd, "x", 1, MIB + PAGE + 100));
	EXPECT_EQ(size - MIB - 2 * PAGE, left());
	ASSERT_EQ(1, pwrite(fd, "x", 1, size - 1));
	EXPECT_EQ(0, left());
	EXPECT_EQ(0, maps(fd, 0, size));
	close(fd);
	ASSERT_EQ(0, unlink(at("f")));
	EXPECT_EQ(size, left());
}

/* What fallocate(2) makes beyond the end is counted once when the file grows over it. */
TEST_F(quota, reserve_beyond)
{
	uint64_t size;
	int fd, err;

	MOUNT("dram=32M,reserve");
	size = left();
	ASSERT_LE(0, fd = sized("f", 100));
	ASSERT_EQ(0, fallocate(fd, FALLOC_FL_KEEP_SIZE, 2 * MIB, 2 * MIB + 5));
	EXPECT_EQ(size - 2 * MIB - 2 * PAGE, left());
	EXPECT_EQ(3 * MIB, fill("f", 0, 3 * MIB, &err));
	EXPECT_EQ(size - 4 * MIB - PAGE, left());
	ASSERT_EQ(0, ftruncate(fd, 8 * MIB));
	EXPECT_EQ(size - 8 * MIB, left());
	ASSERT_EQ(0, fallocate(fd, FALLOC_FL_KEEP_SIZE, 7 * MIB, 2 * MIB));
	EXPECT_EQ(size - 9 * MIB, left());
	/* a hole over the end is promised up to it */
	ASSERT_EQ(0, fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 7 * MIB + MIB / 2,
			       MIB));
	EXPECT_EQ(size - 8 * MIB - MIB / 2, left());
	ASSERT_EQ(0, ftruncate(fd, 8 * MIB));
	EXPECT_EQ(size - 8 * MIB, left());
	/* one that cannot be had changes nothing, and one that grows takes holes, too */
	FAILS(ENOSPC, fallocate(fd, 0, 9 * MIB, size));
	FAILS(ENOSPC, fallocate(fd, FALLOC_FL_KEEP_SIZE, 7 * MIB, size - 7 * MIB + PAGE));
	EXPECT_EQ(8 * MIB, size_of(fd));
	EXPECT_EQ(size - 8 * MIB, left());
	ASSERT_EQ(0, fallocate(fd, 0, 10 * MIB, MIB));
	EXPECT_EQ(size - 11 * MIB, left());
	ASSERT_EQ(0, ftruncate(fd, 1));
	EXPECT_EQ(size - PAGE, left());
	close(fd);
	ASSERT_EQ(0, unlink(at("f")));
	EXPECT_EQ(size, left());
}

TEST_F(quota, reserve_below_a_limit)
{
	uint64_t bytes = 0, used;
	int fd, err;

	MOUNT("dram=32M,reserve");
	ASSERT_EQ(0, mkdir(at("d"), 0755));
	ASSERT_EQ(0, set_limit("d", 4 * MIB));
	EXPECT_EQ(-ENOSPC, sized("d/f", 4 * MIB + 1));
	ASSERT_LE(0, fd = sized("d/f", 3 * MIB));
	ASSERT_EQ(0, limit("d", 0, &bytes, &used));
	EXPECT_EQ(3 * MIB, used);
	EXPECT_EQ(MIB, room("d").f_bfree * PAGE);
	EXPECT_EQ(MIB, fill("d/g", 0, 2 * MIB, &err));
	/* lowered, it is kept */
	ASSERT_EQ(0, set_limit("d", MIB));
	EXPECT_EQ(0, maps(fd, 0, 3 * MIB));
	close(fd);
}

/* Where its pages are is promised, too; the first 240 MiB cost nothing. */
TEST_F(quota, reserve_tables)
{
	uint64_t size, far = 250 * MIB;
	int fd, err;

	MOUNT("dram=320M,reserve");
	size = left();
	if (size < far + 2 * PAGE)
		SKIP(return, "not enough memory");
	ASSERT_LE(0, fd = sized("f", 240 * MIB));
	EXPECT_EQ(size - 240 * MIB, left());
	ASSERT_EQ(0, ftruncate(fd, far));
	EXPECT_EQ(size - far - PAGE, left());
	fill("g", 0, size, &err);
	EXPECT_EQ(ENOSPC, err);
	EXPECT_EQ(0, left());
	EXPECT_EQ(0, maps(fd, far - MIB, far));
	/* it stays as long as the file does */
	ASSERT_EQ(0, ftruncate(fd, MIB));
	EXPECT_EQ(far - MIB, left());
	ASSERT_EQ(0, ftruncate(fd, far));
	EXPECT_EQ(0, left());
	close(fd);
	ASSERT_EQ(0, unlink(at("f")));
	EXPECT_EQ(far + PAGE, left());
}

/* An area that is counted on stays, even if there is nothing on it. */
TEST_F(quota, reserve_needs_area)
{
	uint64_t size;
	int fd, area;
	uint32_t id;

	MOUNT("dram=16M,reserve");
	size = left();
	ASSERT_LE(0, area = area_ready("area", 32));
	ASSERT_EQ(0, swap_add(area, 0, 0, &id));
	close(area);
	ASSERT_LT(size + 16 * MIB, left());
	ASSERT_LE(0, fd = sized("f", size + 16 * MIB));
	EXPECT_EQ(0, swap_used(id));
	EXPECT_EQ(-ENOSPC, swap_remove(id));
	EXPECT_EQ(0, maps(fd, 0, size + 16 * MIB));
	EXPECT_EQ(-ENOSPC, swap_remove(id));
	ASSERT_EQ(0, ftruncate(fd, 0));
	ASSERT_EQ(0, ftruncate(fd, size));
	EXPECT_EQ(0, swap_remove(id));
	EXPECT_EQ(0, maps(fd, 0, size));
	close(fd);
}

static void fault_at_random(int fd, uint64_t size)
{
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	/* beyond the end it is SIGBUS */
	for (unsigned int i = 0; i < 3000; i++) {
		if (fork() == 0) {
			for (int n = 0; n < 64; n++)
				p[(uint64_t)((i * 64 + n) * 7919 % (size / PAGE)) * PAGE] = 1;
			_exit(0);
		}
		wait(NULL);
	}
	_exit(0);
}

/* All kinds of change, while others fault: what is promised stays right. */
TEST_F(quota, reserve_races)
{
	uint64_t size, full = 12 * MIB;
	pid_t pid[2];
	int fd;

	MOUNT("dram=32M,reserve");
	size = left();
	ASSERT_LE(0, fd = sized("f", full));
	for (int i = 0; i < 2; i++) {
		ASSERT_LE(0, pid[i] = fork());
		if (!pid[i])
			fault_at_random(fd, full);
	}
	srand(1);
	for (int i = 0; i < 1500; i++) {
		uint64_t from = rand() % full, len = rand() % (2 * MIB) + 1;

		switch (rand() % 5) {
		case 0:
			ASSERT_EQ(0, ftruncate(fd, from));
			break;
		case 1:
			ASSERT_EQ(0, ftruncate(fd, full));
			break;
		case 2:
			ASSERT_EQ(0, fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
					       from, len));
			break;
		case 3:
			ASSERT_EQ(0, fallocate(fd, rand() % 2 ? FALLOC_FL_KEEP_SIZE : 0, from,
					       len));
			break;
		case 4:
			ASSERT_EQ(1, pwrite(fd, "x", 1, from));
			break;
		}
	}
	for (int i = 0; i < 2; i++) {
		kill(pid[i], SIGKILL);
		waitpid(pid[i], NULL, 0);
	}
	ASSERT_EQ(0, ftruncate(fd, full));
	/* of the same size again, so that what lies beyond goes */
	ASSERT_EQ(0, ftruncate(fd, full));
	EXPECT_EQ(size - full, left());
	EXPECT_EQ(0, maps(fd, 0, full));
	EXPECT_EQ(full, blocks("f"));
	EXPECT_EQ(size - full, left());
	ASSERT_EQ(0, ftruncate(fd, 5 * MIB));
	EXPECT_EQ(size - 5 * MIB, left());
	ASSERT_EQ(0, ftruncate(fd, 0));
	EXPECT_EQ(size, left());
	close(fd);
}

/* Nothing is promised without it, and what stands is shown. */
TEST_F(quota, reserve_is_an_option)
{
	uint64_t size;
	int fd;

	MOUNT("dram=32M,noreserve");
	EXPECT_NE(0, run_cmd("grep -q ' itmefs .*reserve' /proc/mounts"));
	size = left();
	ASSERT_LE(0, fd = sized("f", 1ULL << 50));
	EXPECT_EQ(size, left());
	ASSERT_EQ(1, pwrite(fd, "x", 1, 1ULL << 51));
	EXPECT_EQ(0, maps(fd, 0, CHUNK));
	EXPECT_EQ(size - CHUNK - 2 * PAGE, left());
	close(fd);
	EXPECT_EQ(-EINVAL, itme_remount("reserve"));
	EXPECT_EQ(0, itme_remount("noreserve"));
	ASSERT_EQ(0, itme_umount());
	MOUNT("dram=32M,reserve");
	EXPECT_EQ(0, run_cmd("grep -q ' itmefs .*,reserve ' /proc/mounts"));
	EXPECT_EQ(-EINVAL, itme_remount("noreserve"));
	EXPECT_EQ(0, itme_remount("reserve"));
	EXPECT_EQ(0, itme_remount("dram=16M"));
	EXPECT_EQ(0, run_cmd("mount -o remount,dram=32M %s", mnt_dir()));
	EXPECT_EQ(-ENOSPC, sized("f", 1ULL << 50));
}

TEST_HARNESS_MAIN
