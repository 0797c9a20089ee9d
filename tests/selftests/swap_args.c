// SPDX-License-Identifier: GPL-2.0
/*
 * What may be a swap area, what may not, and that it is nobody else's as long
 * as it is one.
 */
#include <linux/fs.h>
#include <sys/mount.h>
#include <sys/swap.h>

#include "area.h"
#include "dm.h"
#include "fixture.h"

#define MAP_UNIT	(64 * KIB)

FIXTURE(swap_args)
{
	int fd;
};

FIXTURE_SETUP(swap_args)
{
	if (missing())
		SKIP(return, "%s", missing());
	cleanup_before();
	dm_teardown();
	ASSERT_EQ(0, itme_mount("dram=16M"));
	self->fd = area_ready("area", 4);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN_PARENT(swap_args)
{
	const char *wrong = cleanup_after();

	if (wrong)
		EXPECT_NULL(wrong) TH_LOG("after the test: %s", wrong);
	dm_teardown();
}

TEST_F(swap_args, file)
{
	struct itme_swap s = {};
	char path[PATH_MAX];
	uint32_t id;
	char c = 1;

	ASSERT_EQ(0, area_header(self->fd, &(struct header){
		.version = 1, .last_page = 1023, .label = "sixteen letters!" }));
	ASSERT_EQ(0, swap_add(self->fd, 7, ITME_SWAP_CHECK, &id));
	s.path = (uintptr_t)path;
	s.path_len = sizeof(path);
	ASSERT_EQ(0, ioctl(root_fd(), ITME_IOC_SWAP_GET, &s));
	EXPECT_EQ(id, s.id);
	EXPECT_EQ(7, s.prio);
	EXPECT_EQ(ITME_SWAP_CHECK, s.flags);
	/* all but the unit with the header */
	EXPECT_EQ(4 * MIB - MAP_UNIT, s.bytes);
	EXPECT_EQ(0, s.used);
	EXPECT_EQ(0, memcmp(s.label, "sixteen letters!", 16));
	EXPECT_EQ(0, memcmp(s.uuid, "0123456789abcdef", 16));
	EXPECT_STREQ(lower_path("area"), path);
	EXPECT_EQ(strlen(path) + 1, s.path_len);
	EXPECT_EQ(-ENOENT, swap_get(id + 1, &s));

	/* nobody may change it, by a descriptor that was there or a new one */
	EXPECT_EQ(-1, pwrite(self->fd, &c, 1, PAGE));
	EXPECT_EQ(ETXTBSY, errno);
	EXPECT_EQ(-1, ftruncate(self->fd, 0));
	EXPECT_EQ(ETXTBSY, errno);
	EXPECT_EQ(-1, swapon(lower_path("area"), 0));
	EXPECT_EQ(EBUSY, errno);
	EXPECT_EQ(-EBUSY, swap_add(self->fd, -1, 0, NULL));

	ASSERT_EQ(0, swap_remove(id));
	EXPECT_EQ(-ENOENT, swap_get(0, &s));
	EXPECT_EQ(1, pwrite(self->fd, &c, 1, PAGE));
	EXPECT_EQ(-ENOENT, swap_remove(id));
}

TEST_F(swap_args, device)
{
	struct itme_swap s;
	const char *dev;
	uint32_t id;
	int fd, excl;

	ASSERT_NULL(dm_device(8));
	dev = dm_path();
	/* the header of the tool itself */
	ASSERT_EQ(0, run_cmd("mkswap -L tea %s", dev));
	fd = open(dev, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, swap_add(fd, -1, 0, &id));
	ASSERT_EQ(0, swap_get(id, &s));
	EXPECT_EQ(8 * MIB - MAP_UNIT, s.bytes);
	EXPECT_EQ(-1, s.prio);
	EXPECT_STREQ("tea", (char *)s.label);
	close(fd);

	EXPECT_EQ(-1, open(dev, O_RDWR | O_EXCL | O_CLOEXEC));
	EXPECT_EQ(EBUSY, errno);
	EXPECT_EQ(-1, swapon(dev, 0));
	EXPECT_EQ(EBUSY, errno);
	fd = open(dev, O_RDWR | O_CLOEXEC);
	EXPECT_EQ(-EBUSY, swap_add(fd, -1, 0, NULL));

	ASSERT_EQ(0, swap_remove(id));
	excl = open(dev, O_RDWR | O_EXCL | O_CLOEXEC);
	ASSERT_LE(0, excl);
	/* somebody else's */
	EXPECT_EQ(-EBUSY, swap_add(fd, -1, 0, NULL));
	close(excl);
	/* unmounting lets go of it as well */
	ASSERT_EQ(0, swap_add(fd, -1, 0, &id));
	ASSERT_EQ(0, itme_umount());
	excl = open(dev, O_RDWR | O_EXCL | O_CLOEXEC);
	EXPECT_LE(0, excl);
	close(excl);
	close(fd);
}

TEST_F(swap_args, in_use)
{
	const char *dev;
	int fd;

	ASSERT_EQ(0, swapon(lower_path("area"), 0));
	EXPECT_EQ(-EBUSY, swap_add(self->fd, -1, 0, NULL));
	ASSERT_EQ(0, swapoff(lower_path("area")));
	EXPECT_EQ(0, swap_add(self->fd, -1, 0, NULL));

	ASSERT_NULL(dm_device(8));
	dev = dm_path();
	ASSERT_EQ(0, run_cmd("mkswap %s", dev));
	fd = open(dev, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, swapon(dev, 0));
	EXPECT_EQ(-EBUSY, swap_add(fd, -1, 0, NULL));
	ASSERT_EQ(0, swapoff(dev));
	ASSERT_EQ(0, run_cmd("mkfs.ext4 -q -F %s", dev));
	ASSERT_EQ(0, mkdir("/tmp/itme-swap-args", 0700) && errno != EEXIST);
	ASSERT_EQ(0, mount(dev, "/tmp/itme-swap-args", "ext4", 0, NULL));
	EXPECT_EQ(-EBUSY, swap_add(fd, -1, 0, NULL));
	ASSERT_EQ(0, umount("/tmp/itme-swap-args"));
	/* not mounted, but no swap area either */
	EXPECT_EQ(-EINVAL, swap_add(fd, -1, 0, NULL));
	close(fd);
}

TEST_F(swap_args, read_only_device)
{
	int fd, on = 1, off = 0;

	ASSERT_NULL(dm_device(8));
	ASSERT_EQ(0, run_cmd("mkswap %s", dm_path()));
	fd = open(dm_path(), O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, ioctl(fd, BLKROSET, &on));
	EXPECT_EQ(-EROFS, swap_add(fd, -1, 0, NULL));
	ASSERT_EQ(0, ioctl(fd, BLKROSET, &off));
	EXPECT_EQ(0, swap_add(fd, -1, 0, NULL));
	close(fd);
}

TEST_F(swap_args, headers)
{
	static const struct {
		const char *what;
		struct header h;
		int err;
		uint64_t bytes;
	} tests[] = {
		{ "none", { .magic = "NOTSWAPAT!" }, -EINVAL, 0 },
		{ "old", { .magic = "SWAP-SPACE", .version = 1, .last_page = 1023 }, -EINVAL, 0 },
		{ "version 2", { .version = 2, .last_page = 1023 }, -EINVAL, 0 },
		{ "empty", { .version = 1 }, -ENOSPC, 0 },
		{ "one unit", { .version = 1, .last_page = 30 }, -ENOSPC, 0 },
		{ "two units", { .version = 1, .last_page = 31 }, 0, MAP_UNIT },
		{ "longer than the file", { .version = 1, .last_page = 1024 }, -EINVAL, 0 },
		{ "endless", { .version = 1, .last_page = UINT32_MAX }, -EINVAL, 0 },
		{ "larger pages", { .version = 1, .last_page = 63, .page_size = 65536 },
		  -EINVAL, 0 },
		{ "other byte order", { .version = 1, .last_page = 1023, .foreign = true },
		  0, 4 * MIB - MAP_UNIT },
		/* of a file, as swapon(2) has it */
		{ "bad pages", { .version = 1, .last_page = 1023, .nr_bad = 1, .bad = { 99 } },
		  -EINVAL, 0 },
		{ "all bad", { .version = 1, .last_page = 1023, .nr_bad = UINT32_MAX },
		  -EINVAL, 0 },
		{ "part of it", { .version = 1, .last_page = 511 }, 0, 2 * MIB - MAP_UNIT },
	};
	struct itme_swap s;
	uint32_t id;
	size_t i;

	for (i = 0; i < ARRAY_LEN(tests); i++) {
		close(self->fd);
		self->fd = area_file("area", 4);
		ASSERT_EQ(0, area_header(self->fd, &tests[i].h));
		EXPECT_EQ(tests[i].err, swap_add(self->fd, -1, 0, &id))
			TH_LOG("header: %s", tests[i].what);
		if (swap_get(0, &s))
			continue;
		EXPECT_EQ(tests[i].bytes, s.bytes) TH_LOG("header: %s", tests[i].what);
		EXPECT_EQ(0, swap_remove(s.id));
	}
}

TEST_F(swap_args, bad_pages)
{
	struct header h = { .version = 1, .last_page = 2047, .nr_bad = 3,
			    .bad = { 100, 101, 2047 } };
	struct itme_swap s;
	uint32_t id;
	int fd;

	ASSERT_NULL(dm_device(8));
	fd = open(dm_path(), O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, area_header(fd, &h));
	ASSERT_EQ(0, swap_add(fd, -1, 0, &id));
	ASSERT_EQ(0, swap_get(id, &s));
	/* two units of them, and that of the header */
	EXPECT_EQ(8 * MIB - 3 * MAP_UNIT, s.bytes);
	ASSERT_EQ(0, swap_remove(id));
	h.bad[1] = 2048;
	ASSERT_EQ(0, area_header(fd, &h));
	EXPECT_EQ(-EINVAL, swap_add(fd, -1, 0, &id));
	h.bad[1] = 0;
	ASSERT_EQ(0, area_header(fd, &h));
	EXPECT_EQ(-EINVAL, swap_add(fd, -1, 0, &id));
	h.nr_bad = 638;
	ASSERT_EQ(0, area_header(fd, &h));
	EXPECT_EQ(-EINVAL, swap_add(fd, -1, 0, &id));
	close(fd);
}

TEST_F(swap_args, what_is_none)
{
	int fd;

	EXPECT_EQ(-EBADF, swap_add(-1, -1, 0, NULL));
	EXPECT_EQ(-EBADF, swap_add(9999, -1, 0, NULL));
	fd = open(lower_path("area"), O_RDONLY | O_CLOEXEC);
	EXPECT_EQ(-EBADF, swap_add(fd, -1, 0, NULL));
	close(fd);
	fd = open(lower_path("area"), O_WRONLY | O_CLOEXEC);
	EXPECT_EQ(-EBADF, swap_add(fd, -1, 0, NULL));
	close(fd);
	fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	EXPECT_EQ(-EINVAL, swap_add(fd, -1, 0, NULL));
	close(fd);
	/* no device below it */
	fd = open("/dev/shm/itme-swap-args", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ASSERT_LE(0, fd);
	unlink("/dev/shm/itme-swap-args");
	ASSERT_EQ(0, ftruncate(fd, 4 * MIB));
	EXPECT_EQ(-EOPNOTSUPP, swap_add(fd, -1, 0, NULL));
	close(fd);
	/* empty, and one with a hole */
	fd = open(lower_path("hole"), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	ASSERT_LE(0, fd);
	EXPECT_EQ(-EINVAL, swap_add(fd, -1, 0, NULL));
	ASSERT_EQ(0, area_header(fd, &(struct header){ .version = 1, .last_page = 1023 }));
	ASSERT_EQ(0, ftruncate(fd, 4 * MIB));
	EXPECT_EQ(-EINVAL, swap_add(fd, -1, 0, NULL));
	/* it is not kept */
	EXPECT_EQ(0, ftruncate(fd, 0));
	close(fd);
}

TEST_F(swap_args, arguments)
{
	struct itme_swap_remove remove = {};
	struct itme_swap_add add = { .fd = self->fd, .prio = -1 };
	struct itme_swap s = {};
	unsigned int i;
	int f;

	EXPECT_EQ(-EINVAL, swap_add(self->fd, -2, 0, NULL));
	EXPECT_EQ(-EINVAL, swap_add(self->fd, ITME_SWAP_PRIO_MAX + 1, 0, NULL));
	EXPECT_EQ(-EINVAL, swap_add(self->fd, -1, ITME_SWAP_BAD, NULL));
	EXPECT_EQ(-EINVAL, swap_add(self->fd, -1, 1U << 31, NULL));
	for (i = 0; i < ARRAY_LEN(add.reserved); i++) {
		add.reserved[i] = 1;
		EXPECT_EQ(-1, ioctl(root_fd(), ITME_IOC_SWAP_ADD, &add));
		EXPECT_EQ(EINVAL, errno);
		add.reserved[i] = 0;
	}
	ASSERT_EQ(0, ioctl(root_fd(), ITME_IOC_SWAP_ADD, &add));
	EXPECT_EQ(-1, add.prio);
	s.flags = 1;
	EXPECT_EQ(-1, ioctl(root_fd(), ITME_IOC_SWAP_GET, &s));
	EXPECT_EQ(EINVAL, errno);
	s.flags = 0;
	s.reserved[3] = 1;
	EXPECT_EQ(-1, ioctl(root_fd(), ITME_IOC_SWAP_GET, &s));
	EXPECT_EQ(EINVAL, errno);
	s.reserved[3] = 0;
	s.path = 1;
	s.path_len = 10;
	EXPECT_EQ(-1, ioctl(root_fd(), ITME_IOC_SWAP_GET, &s));
	EXPECT_EQ(EFAULT, errno);
	remove.id = add.id;
	remove.flags = 1;
	EXPECT_EQ(-1, ioctl(root_fd(), ITME_IOC_SWAP_REMOVE, &remove));
	EXPECT_EQ(EINVAL, errno);
	remove.flags = 0;
	remove.reserved[0] = 1;
	EXPECT_EQ(-1, ioctl(root_fd(), ITME_IOC_SWAP_REMOVE, &remove));
	EXPECT_EQ(EINVAL, errno);

	f = import_open("f", CHUNK, 1, 0);
	ASSERT_LE(0, f);
	EXPECT_EQ(-1, ioctl(f, ITME_IOC_SWAP_ADD, &add));
	EXPECT_EQ(ENOTTY, errno);
	EXPECT_EQ(-1, ioctl(f, ITME_IOC_SWAP_GET, &s));
	EXPECT_EQ(ENOTTY, errno);
	EXPECT_EQ(-1, ioctl(f, ITME_IOC_SWAP_REMOVE, &remove));
	EXPECT_EQ(ENOTTY, errno);
	close(f);
}

TEST_F(swap_args, without_privilege)
{
	struct itme_swap s;
	uint32_t id;
	int fd = area_ready("other", 1);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, swap_add(self->fd, -1, 0, &id));
	ASSERT_EQ(0, drop_sys_admin());
	EXPECT_EQ(-EPERM, swap_add(fd, -1, 0, NULL));
	EXPECT_EQ(-EPERM, swap_remove(id));
	EXPECT_EQ(0, swap_get(id, &s));
}

TEST_F(swap_args, many)
{
	struct itme_swap s;
	uint32_t id[16], last = 0;
	char name[16];
	int fd, i;

	for (i = 0; i < 16; i++) {
		snprintf(name, sizeof(name), "many%d", i);
		fd = area_ready(name, 1);
		ASSERT_LE(0, fd);
		ASSERT_EQ(0, swap_add(fd, i % 2 ? -1 : i, 0, &id[i]));
		EXPECT_LT(last, id[i]);
		last = id[i];
		close(fd);
	}
	EXPECT_EQ(-E2BIG, swap_add(self->fd, -1, 0, NULL));
	/* which does not keep it */
	EXPECT_EQ(0, ftruncate(self->fd, 4 * MIB));
	/* each one lower than all before, as for swapon */
	for (i = 0; i < 16; i++) {
		ASSERT_EQ(0, swap_get(i ? id[i - 1] + 1 : 0, &s));
		EXPECT_EQ(id[i], s.id);
		EXPECT_EQ(i % 2 ? -1 - i / 2 : i, s.prio);
	}
	ASSERT_EQ(0, swap_remove(id[5]));
	EXPECT_EQ(0, swap_add(self->fd, -1, 0, &id[5]));
	EXPECT_LT(last, id[5]);
}

TEST_HARNESS_MAIN
