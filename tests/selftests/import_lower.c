// SPDX-License-Identifier: GPL-2.0
/* The lower file: who may write it, and what becomes of it afterwards. */
#include <dirent.h>

#include "fixture.h"

#define SIZE	(2 * CHUNK + 4321)

FIXTURE(import_lower) {};
ITME_FIXTURE(import_lower)

/* import a lower file of its own, which the test may change */
static int import_new(const char *name, uint64_t seed)
{
	int fd = lower_new(name, SIZE, seed);
	int ret;

	if (fd < 0)
		return fd;
	ret = import_fd(name, fd, 0);
	close(fd);
	return ret ?: file_open(name, O_RDONLY);
}

static int writer(int flags)
{
	int fd = open(lower_path("f"), flags);

	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

TEST_F(import_lower, written_while_importing)
{
	int w, fd;
	char *p;

	MOUNT("dram=16M");
	fd = lower_new("f", SIZE, 1);
	ASSERT_LE(0, fd);
	w = open(lower_path("f"), O_WRONLY | O_APPEND);
	ASSERT_LE(0, w);
	EXPECT_EQ(-ETXTBSY, import_fd("f", fd, 0));
	close(w);

	/* a writable mapping is a writer too */
	w = open(lower_path("f"), O_RDWR);
	ASSERT_LE(0, w);
	p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, w, 0);
	ASSERT_NE(MAP_FAILED, p);
	close(w);
	EXPECT_EQ(-ETXTBSY, import_fd("f", fd, 0));
	munmap(p, PAGE);
	EXPECT_EQ(0, import_fd("f", fd, 0));
}

TEST_F(import_lower, deny_write)
{
	int fd;

	MOUNT("dram=16M");
	fd = import_new("f", 1);
	ASSERT_LE(0, fd);
	EXPECT_EQ(-ETXTBSY, writer(O_WRONLY));
	EXPECT_EQ(-ETXTBSY, writer(O_RDWR));
	EXPECT_EQ(-ETXTBSY, writer(O_RDWR | O_TRUNC));
	EXPECT_EQ(-1, truncate(lower_path("f"), 10));
	EXPECT_EQ(ETXTBSY, errno);
	EXPECT_EQ(0, writer(O_RDONLY));
	EXPECT_EQ(0, check_read(fd, 0, SIZE, 1));

	/* as long as somebody has the file open, its name gone or not */
	ASSERT_EQ(0, file_unlink("f"));
	EXPECT_EQ(-ETXTBSY, writer(O_RDWR));
	EXPECT_EQ(0, check_read(fd, 0, SIZE, 1));
	close(fd);
	EXPECT_TRUE(POLL(writer(O_RDWR) == 0, 10));
}

TEST_F(import_lower, write_after_umount)
{
	int fd;

	MOUNT("dram=16M");
	fd = import_new("f", 1);
	ASSERT_LE(0, fd);
	close(fd);
	ASSERT_EQ(0, itme_umount());
	EXPECT_TRUE(POLL(writer(O_RDWR | O_TRUNC) == 0, 10));
}

TEST_F(import_lower, two_imports_of_one)
{
	int a, b;

	MOUNT("dram=16M");
	a = import_open("a", SIZE, 1, 0);
	ASSERT_LE(0, a);
	b = import_open("b", SIZE, 1, 64 * KIB);
	ASSERT_LE(0, b);
	EXPECT_EQ(0, check_read(a, 0, SIZE, 1));
	EXPECT_EQ(0, check_read(b, 0, SIZE, 1));
	close(a);
	ASSERT_EQ(0, file_unlink("a"));
	EXPECT_EQ(0, check_read(b, 0, SIZE, 1));
}

TEST_F(import_lower, not_on_itself)
{
	int fd;

	MOUNT("dram=16M");
	fd = import_open("f", SIZE, 1, 0);
	ASSERT_LE(0, fd);
	EXPECT_EQ(-ELOOP, import_fd("g", fd, 0));
	EXPECT_EQ(-ELOOP, import_fd("f", fd, 0));
	EXPECT_EQ(0, check_read(fd, 0, SIZE, 1));
}

TEST_F(import_lower, same_name_again)
{
	struct itme_object o1 = {}, o2 = {};
	int old, new;
	char *p;

	MOUNT("dram=16M");
	old = import_open("f", SIZE, 1, 0);
	ASSERT_LE(0, old);
	p = map_ro(old, 0, SIZE);
	ASSERT_NE(NULL, p);
	ASSERT_EQ(0, touch(p));
	ASSERT_EQ(0, file_unlink("f"));
	EXPECT_EQ(-ENOENT, file_open("f", O_RDONLY));
	EXPECT_EQ(-ENOENT, file_unlink("f"));
	new = import_open("f", SIZE, 2, 0);
	ASSERT_LE(0, new);

	EXPECT_EQ(0, check_read(new, 0, SIZE, 2));
	EXPECT_EQ(0, pattern_check(p, SIZE, 0, 1));
	EXPECT_EQ(0, check_read(old, 0, SIZE, 1));
	ASSERT_EQ(0, object(old, &o1));
	ASSERT_EQ(0, object(new, &o2));
	EXPECT_NE(o1.id, o2.id);
	munmap(p, SIZE);
}

TEST_F(import_lower, lower_removed)
{
	struct itme_object o = {};
	char path[512], want[600];
	int fd;

	MOUNT("dram=16M");
	fd = import_new("f", 1);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, object(fd, &o));
	EXPECT_EQ(0, o.flags & ITME_OBJECT_UNLINKED);
	snprintf(want, sizeof(want), "%s (deleted)", lower_path("f"));
	ASSERT_EQ(0, unlink(lower_path("f")));

	EXPECT_EQ(0, check_read(fd, 0, SIZE, 1));
	memset(&o, 0, sizeof(o));
	o.path = (uintptr_t)path;
	o.path_len = sizeof(path);
	ASSERT_EQ(0, object(fd, &o));
	EXPECT_EQ(ITME_OBJECT_UNLINKED, o.flags & ITME_OBJECT_UNLINKED);
	EXPECT_STREQ(want, path);
	EXPECT_EQ(strlen(want) + 1, o.path_len);
}

TEST_F(import_lower, lower_replaced)
{
	struct itme_object o = {};
	char from[512];
	int fd, new;

	MOUNT("dram=16M");
	fd = import_new("f", 1);
	ASSERT_LE(0, fd);
	new = lower_new("download", SIZE, 2);
	ASSERT_LE(0, new);
	close(new);
	strcpy(from, lower_path("download"));
	ASSERT_EQ(0, rename(from, lower_path("f")));

	EXPECT_EQ(0, check_read(fd, 0, SIZE, 1));
	EXPECT_EQ(0, advise(fd, 0, 0, ITME_ADVICE_PAGEOUT, ANY, NULL));
	EXPECT_EQ(0, check_read(fd, 0, SIZE, 1));
	ASSERT_EQ(0, object(fd, &o));
	EXPECT_EQ(ITME_OBJECT_UNLINKED, o.flags & ITME_OBJECT_UNLINKED);
	/* the new one is free, and can be imported beside the old */
	new = open(lower_path("f"), O_RDONLY);
	ASSERT_EQ(0, import_fd("g", new, 0));
	close(new);
	new = file_open("g", O_RDONLY);
	EXPECT_EQ(0, check_read(new, 0, SIZE, 2));
}

TEST_F(import_lower, lower_changed)
{
	struct timespec t[2] = { { .tv_sec = 1000 }, { .tv_sec = 1000 } };
	struct itme_object o = {};
	int fd;

	MOUNT("dram=16M");
	fd = import_new("f", 1);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, object(fd, &o));
	EXPECT_EQ(0, o.flags & ITME_OBJECT_CHANGED);
	ASSERT_EQ(0, utimensat(AT_FDCWD, lower_path("f"), t, 0));
	ASSERT_EQ(0, object(fd, &o));
	EXPECT_EQ(ITME_OBJECT_CHANGED, o.flags & ITME_OBJECT_CHANGED);
	EXPECT_EQ(0, check_read(fd, 0, SIZE, 1));
}

TEST_F(import_lower, many_files)
{
	enum { N = 100 };
	bool seen[N] = {};
	char name[32];
	int fd, i, n = 0, other = 0;
	struct dirent *e;
	DIR *d;

	MOUNT("dram=16M");
	fd = lower(SIZE, 1);
	ASSERT_LE(0, fd);
	for (i = 0; i < N; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		ASSERT_EQ(0, import_fd(name, fd, 0));
	}
	d = opendir(mnt_dir());
	ASSERT_NE(NULL, d);
	while ((e = readdir(d))) {
		if (e->d_name[0] == '.')
			continue;
		if (sscanf(e->d_name, "f%d", &i) == 1 && i < N && !seen[i]) {
			seen[i] = true;
			n++;
			EXPECT_EQ(DT_REG, e->d_type);
		} else {
			other++;
		}
	}
	closedir(d);
	EXPECT_EQ(N, n);
	EXPECT_EQ(0, other);

	/* each is a file of its own; the budget holds over all of them */
	for (i = 0; i < N; i += 7) {
		int f;

		snprintf(name, sizeof(name), "f%d", i);
		f = file_open(name, O_RDONLY);
		ASSERT_LE(0, f);
		EXPECT_EQ(0, scan(f, 0, SIZE, 1));
		close(f);
		EXPECT_GE(16 * MIB, tier_used(DRAM));
	}
}

TEST_HARNESS_MAIN
