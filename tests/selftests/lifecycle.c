// SPDX-License-Identifier: GPL-2.0
/* Again and again: mount, import, insert, and all in reverse. No leak. */
#include <sys/syscall.h>

#include "fixture.h"

#define SIZE	(6 * CHUNK)

FIXTURE(lifecycle) {};
ITME_FIXTURE(lifecycle)

/* Reads that nobody waits for are under way when the file system goes. */
TEST_F(lifecycle, umount_while_filling)
{
	int fd, i;

	for (i = 0; i < 20; i++) {
		MOUNT("dram=16M");
		fd = import_open("f", SIZE, 1, i & 1 ? 64 * KIB : 0);
		ASSERT_LE(0, fd);
		ASSERT_EQ(0, advise(fd, 0, 0, ITME_ADVICE_WILLNEED, ANY, NULL));
		if (i % 3 == 0)
			ASSERT_EQ(0, check_read(fd, i * 4001, 100, 1));
		close(fd);
		if (i % 4 == 0)
			ASSERT_EQ(0, file_unlink("f"));
		/* at once, not on the second try */
		ASSERT_EQ(0, itme_umount());
	}
}

TEST_F(lifecycle, unlink_while_filling)
{
	int fd, i;

	MOUNT("dram=16M");
	for (i = 0; i < 30; i++) {
		fd = import_open("f", SIZE, 1, i & 1 ? 64 * KIB : 0);
		ASSERT_LE(0, fd);
		ASSERT_EQ(0, advise(fd, 0, 0, ITME_ADVICE_WILLNEED, ANY, NULL));
		ASSERT_EQ(0, file_unlink("f"));
		if (i % 3 == 0)
			ASSERT_EQ(0, check_read(fd, i * 4001, 100, 1));
		close(fd);
		EXPECT_GE(16 * MIB, tier_used(DRAM));
	}
	EXPECT_TRUE(POLL(!tier_used(DRAM), 10));
}

static int64_t free_memory(void)
{
	/* what is only cached is not lost */
	write_file("/proc/sys/vm/drop_caches", "3");
	return kb_value("/proc/meminfo", "MemAvailable");
}

TEST_F(lifecycle, memory_comes_back)
{
	int64_t before = 0, after;
	int fd, i, f;
	char name[16];

	for (i = 0; i < 40; i++) {
		/* what is allocated once and kept is in the first rounds */
		if (i == 4)
			before = free_memory();
		MOUNT("dram=16M");
		fd = lower(SIZE, 1);
		ASSERT_LE(0, fd);
		for (f = 0; f < 20; f++) {
			snprintf(name, sizeof(name), "f%d", f);
			ASSERT_EQ(0, import_fd(name, fd, 64 * KIB));
		}
		close(fd);
		fd = file_open("f7", O_RDONLY);
		ASSERT_LE(0, fd);
		ASSERT_EQ(0, scan(fd, 0, SIZE, 1));
		close(fd);
		ASSERT_EQ(0, itme_umount());
	}
	after = free_memory();
	printf("# %lld KiB less than before\n",
	       (long long)(before - after) / 1024);
	/* 36 rounds of 12 MiB: a leak of every tenth page shows */
	EXPECT_LT(before - (int64_t)(40 * MIB), after);
}

static int insert(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int ret;

	if (fd < 0)
		return -errno;
	ret = syscall(SYS_finit_module, fd, "", 0) ? -errno : 0;
	close(fd);
	return ret;
}

TEST_F(lifecycle, insert_and_remove)
{
	const char *ko = getenv("ITME_KO");
	int fd, i;

	if (!ko)
		SKIP(return, "ITME_KO is not set");
	for (i = 0; i < 8; i++) {
		MOUNT("dram=16M");
		fd = import_open("f", SIZE, 1, 0);
		ASSERT_LE(0, fd);
		ASSERT_EQ(0, check_mapped(fd, 0, SIZE, 1));
		ASSERT_EQ(0, advise(fd, 0, 0, ITME_ADVICE_PAGEOUT, ANY, NULL));
		ASSERT_EQ(0, advise(fd, 0, 0, ITME_ADVICE_WILLNEED, ANY, NULL));
		close(fd);
		ASSERT_EQ(0, itme_umount());
		/* a super block goes a moment after its last user */
		ASSERT_TRUE(POLL(!syscall(SYS_delete_module, "itme",
					  O_NONBLOCK), 10));
		ASSERT_NE(0, access("/sys/module/itme", F_OK));
		ASSERT_NE(0, itme_mount_at(mnt_dir(), "dram=16M"));
		ASSERT_EQ(0, insert(ko));
	}
	ASSERT_EQ(-EEXIST, insert(ko));
}

TEST_HARNESS_MAIN
