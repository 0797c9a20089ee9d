// SPDX-License-Identifier: GPL-2.0
/* Importing: every argument that can be wrong, and who may. */
#include <sys/socket.h>

#include "fixture.h"

FIXTURE(import_args) {};
ITME_FIXTURE(import_args)

static struct itme_import good(const char *name, int fd)
{
	return (struct itme_import){
		.lower_fd = fd,
		.name_len = strlen(name),
		.name = (uintptr_t)name,
	};
}

static int import(struct itme_import *im)
{
	return ioctl(root_fd(), ITME_IOC_IMPORT, im) ? -errno : 0;
}

/* nothing may have been made by what failed */
static int files(void)
{
	return run_cmd("test -z \"$(ls -A %s)\"", mnt_dir());
}

TEST_F(import_args, fields)
{
	struct itme_import im;
	int fd, i;

	MOUNT("dram=16M");
	fd = lower(CHUNK, 1);
	ASSERT_LE(0, fd);

	for (i = 0; i < 32; i++) {
		im = good("f", fd);
		im.flags = 1U << i;
		EXPECT_EQ(-EINVAL, import(&im)) TH_LOG("flag %d", i);
	}
	for (i = 0; i < 3; i++) {
		im = good("f", fd);
		im.reserved[i] = 1ULL << (i * 31);
		EXPECT_EQ(-EINVAL, import(&im)) TH_LOG("reserved %d", i);
	}
	EXPECT_EQ(-EFAULT, import(NULL));
	EXPECT_EQ(-EFAULT, import((void *)0x1000));
	EXPECT_EQ(0, files());
}

TEST_F(import_args, chunk_size)
{
	static const uint32_t bad[] = {
		1, 512, 4096, 32 * KIB, 65537, 96 * KIB, 3 * MIB / 2,
		4 * MIB, 1U << 31, UINT32_MAX,
	};
	struct itme_info info = {};
	struct itme_import im;
	struct itme_object o;
	uint32_t c;
	size_t i;
	int fd;

	MOUNT("dram=16M");
	fd = lower(CHUNK, 1);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, ioctl(root_fd(), ITME_IOC_INFO, &info));
	EXPECT_EQ(64 * KIB, info.chunk_min);
	EXPECT_EQ(CHUNK, info.chunk_max);

	for (i = 0; i < ARRAY_LEN(bad); i++)
		EXPECT_EQ(-EINVAL, import_fd("f", fd, bad[i]))
			TH_LOG("chunk size %u", bad[i]);
	EXPECT_EQ(0, files());

	for (c = info.chunk_min; c <= info.chunk_max; c *= 2) {
		int f;

		im = good("f", fd);
		im.chunk_size = c;
		ASSERT_EQ(0, import(&im)) TH_LOG("chunk size %u", c);
		EXPECT_EQ(c, im.chunk_size);
		f = file_open("f", O_RDONLY);
		ASSERT_LE(0, f);
		memset(&o, 0, sizeof(o));
		EXPECT_EQ(0, object(f, &o));
		EXPECT_EQ(c, o.chunk_size);
		EXPECT_EQ(0, check_read(f, 0, CHUNK, 1));
		close(f);
		ASSERT_EQ(0, file_unlink("f"));
	}
	im = good("f", fd);
	ASSERT_EQ(0, import(&im));
	EXPECT_EQ(info.chunk_max, im.chunk_size);
}

TEST_F(import_args, names)
{
	char longest[257];
	char *page;
	int fd;

	MOUNT("dram=16M");
	fd = lower(CHUNK, 1);
	ASSERT_LE(0, fd);
	memset(longest, 'n', sizeof(longest));

	EXPECT_EQ(-EINVAL, import_len("f", 0, fd, 0));
	EXPECT_EQ(-EINVAL, import_len(".", 1, fd, 0));
	EXPECT_EQ(-EINVAL, import_len("..", 2, fd, 0));
	EXPECT_EQ(-EINVAL, import_len("/", 1, fd, 0));
	EXPECT_EQ(-EINVAL, import_len("a/b", 3, fd, 0));
	EXPECT_EQ(-EINVAL, import_len("/a", 2, fd, 0));
	EXPECT_EQ(-EINVAL, import_len("a/", 2, fd, 0));
	EXPECT_EQ(-EINVAL, import_len("a\0b", 3, fd, 0));
	EXPECT_EQ(-EINVAL, import_len("a\0", 2, fd, 0));
	EXPECT_EQ(-EINVAL, import_len("\0", 1, fd, 0));
	EXPECT_EQ(-EINVAL, import_len(longest, 256, fd, 0));
	EXPECT_EQ(-EINVAL, import_len(longest, UINT32_MAX, fd, 0));
	EXPECT_EQ(-EINVAL, import_len(longest, 1U << 31, fd, 0));
	EXPECT_EQ(-EFAULT, import_len(NULL, 1, fd, 0));
	EXPECT_EQ(-EFAULT, import_len((void *)-1L, 1, fd, 0));
	EXPECT_EQ(-EFAULT, import_len((void *)0xffff800000000000UL, 4, fd, 0));

	/* a name that begins in memory and runs out of it */
	page = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, page);
	munmap(page + PAGE, PAGE);
	memset(page, 'n', PAGE);
	EXPECT_EQ(-EFAULT, import_len(page + PAGE - 4, 8, fd, 0));
	EXPECT_EQ(0, files());

	EXPECT_EQ(0, import_len(page + PAGE - 4, 4, fd, 0));
	EXPECT_EQ(0, import_len(longest, 255, fd, 0));
	EXPECT_EQ(0, import_fd("...", fd, 0));
	EXPECT_EQ(0, import_fd("a b\n\xff", fd, 0));
	EXPECT_EQ(-EEXIST, import_fd("...", fd, 0));
	longest[255] = 0;
	EXPECT_EQ(0, access(file_path(longest), R_OK));
	EXPECT_EQ(0, access(file_path("nnnn"), R_OK));
	EXPECT_EQ(0, file_unlink("..."));
	EXPECT_EQ(0, import_fd("...", fd, 0));
	EXPECT_EQ(0, file_unlink("..."));
	EXPECT_EQ(0, file_unlink(longest));
}

TEST_F(import_args, lower_fd)
{
	int p[2], s[2], fd, ret;

	MOUNT("dram=16M");
	fd = lower_new("f", CHUNK, 1);
	ASSERT_LE(0, fd);
	close(fd);

	EXPECT_EQ(-EBADF, import_fd("f", fd, 0));
	EXPECT_EQ(-EBADF, import_fd("f", -1, 0));
	EXPECT_EQ(-EBADF, import_fd("f", AT_FDCWD, 0));
	EXPECT_EQ(-EBADF, import_fd("f", INT32_MAX, 0));

	fd = open(lower_path("f"), O_PATH);
	EXPECT_EQ(-EBADF, import_fd("f", fd, 0));
	close(fd);
	fd = open(lower_path("f"), O_WRONLY);
	EXPECT_EQ(-EBADF, import_fd("f", fd, 0));
	close(fd);
	/* the one who imports must not be the one who writes */
	fd = open(lower_path("f"), O_RDWR);
	EXPECT_EQ(-ETXTBSY, import_fd("f", fd, 0));
	close(fd);

	fd = open(lower_dir(), O_RDONLY | O_DIRECTORY);
	EXPECT_EQ(-EINVAL, import_fd("f", fd, 0));
	close(fd);
	fd = open("/dev/null", O_RDONLY);
	EXPECT_EQ(-EINVAL, import_fd("f", fd, 0));
	close(fd);
	ASSERT_EQ(0, pipe(p));
	EXPECT_EQ(-EINVAL, import_fd("f", p[0], 0));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	EXPECT_EQ(-EINVAL, import_fd("f", s[0], 0));
	ret = import_fd("f", root_fd(), 0);
	EXPECT_TRUE(ret == -EINVAL || ret == -ELOOP);

	/* no size, no O_DIRECT, and proc is the top of any stack */
	fd = open("/proc/self/status", O_RDONLY);
	ret = import_fd("f", fd, 0);
	EXPECT_TRUE(ret == -EINVAL || ret == -ENODATA || ret == -ELOOP)
		TH_LOG("proc: %d", ret);
	close(fd);
	fd = open("/sys/kernel/mm/transparent_hugepage/enabled", O_RDONLY);
	EXPECT_EQ(-EINVAL, import_fd("f", fd, 0));
	close(fd);

	fd = open(lower_path("empty"), O_RDONLY | O_CREAT, 0644);
	ASSERT_LE(0, fd);
	EXPECT_EQ(-ENODATA, import_fd("f", fd, 0));
	close(fd);
	EXPECT_EQ(0, files());
}

TEST_F(import_args, on_tmpfs)
{
	int fd, ret;

	MOUNT("dram=16M");
	fd = memfd_create("lower", 0);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, write_pattern(fd, 2 * CHUNK + 77, 3));
	/* still open for writing */
	ret = import_fd("f", fd, 0);
	EXPECT_TRUE(ret == -ETXTBSY || ret == -EINVAL) TH_LOG("memfd: %d", ret);
	close(fd);
	file_unlink("f");

	fd = open("/dev/shm/itme-selftest", O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (fd < 0)
		SKIP(return, "no /dev/shm");
	ASSERT_EQ(0, write_pattern(fd, 2 * CHUNK + 77, 3));
	close(fd);
	fd = open("/dev/shm/itme-selftest", O_RDONLY);
	unlink("/dev/shm/itme-selftest");
	ASSERT_LE(0, fd);
	/* refused or right, never half */
	ret = import_fd("f", fd, 0);
	EXPECT_TRUE(!ret || ret == -EINVAL) TH_LOG("import: %d", ret);
	close(fd);
	if (!ret) {
		fd = file_open("f", O_RDONLY);
		ASSERT_LE(0, fd);
		EXPECT_EQ(0, check_read(fd, 0, 2 * CHUNK + 77, 3));
	}
}

TEST_F(import_args, not_on_the_root)
{
	struct itme_import im;
	int fd, f;

	MOUNT("dram=16M");
	fd = lower(CHUNK, 1);
	ASSERT_LE(0, fd);
	f = import_open("f", CHUNK, 1, 0);
	ASSERT_LE(0, f);
	im = good("g", fd);
	EXPECT_NE(0, ioctl(f, ITME_IOC_IMPORT, &im));
	EXPECT_EQ(-ENOENT, file_open("g", O_RDONLY));
	/* what is for files is not for the root */
	EXPECT_NE(0, advise(root_fd(), 0, 0, ITME_ADVICE_WILLNEED, ANY, NULL));
	EXPECT_NE(0, object(root_fd(), &(struct itme_object){}));
	EXPECT_NE(0, residency(root_fd(), 0, 0, &(struct itme_residency){},
			       NULL, 0));
}

TEST_F(import_args, without_privilege)
{
	int fd, f;

	MOUNT("dram=16M");
	f = import_open("f", CHUNK, 1, 0);
	ASSERT_LE(0, f);
	fd = lower(CHUNK, 1);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, drop_sys_admin());
	EXPECT_EQ(-EPERM, import_fd("g", fd, 0));
	EXPECT_EQ(-ENOENT, file_open("g", O_RDONLY));
	/* using what is there needs nothing */
	EXPECT_EQ(0, check_read(f, 0, CHUNK, 1));
}

TEST_HARNESS_MAIN
