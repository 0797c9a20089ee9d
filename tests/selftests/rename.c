// SPDX-License-Identifier: GPL-2.0
/* Renames of each kind over each, and many at once. */
#include <dirent.h>
#include <linux/fs.h>
#include <time.h>

#include "names.h"

FIXTURE(rename) {};
ITME_FIXTURE(rename)

enum kind { NONE, FILE_, DIR_, FULL, LINK, FIFO, KINDS };

static int make_kind(int top, enum kind kind, const char *name)
{
	char sub[64];

	switch (kind) {
	case FILE_:
		return make(top, name);
	case DIR_:
		return mkdirat(top, name, 0755);
	case FULL:
		snprintf(sub, sizeof(sub), "%s/x", name);
		return mkdirat(top, name, 0755) ?: make(top, sub);
	case LINK:
		return symlinkat("a link", top, name);
	case FIFO:
		return mkfifoat(top, name, 0600);
	default:
		return 0;
	}
}

static bool is_dir(enum kind kind)
{
	return kind == DIR_ || kind == FULL;
}

static void remove_kind(int top, const char *name)
{
	char sub[64];

	snprintf(sub, sizeof(sub), "%s/x", name);
	unlinkat(top, sub, 0);
	if (unlinkat(top, name, 0))
		unlinkat(top, name, AT_REMOVEDIR);
}

static int expected(enum kind from, enum kind to)
{
	if (from == NONE)
		return -ENOENT;
	if (is_dir(from) && to != NONE && !is_dir(to))
		return -ENOTDIR;
	if (!is_dir(from) && is_dir(to))
		return -EISDIR;
	return to == FULL ? -ENOTEMPTY : 0;
}

/* @new is in another directory, d, or not. */
static void each_over_each(struct __test_metadata *_metadata, int top, const char *new)
{
	bool across = strchr(new, '/');
	int n, got;

	for (n = 0; n < KINDS * KINDS; n++) {
		enum kind from = n / KINDS, to = n % KINDS;
		struct stat old;
		char sub[64];

		ASSERT_EQ(0, make_kind(top, from, "old"));
		ASSERT_EQ(0, make_kind(top, to, new));
		old = status(top, "old");
		got = renameat(top, "old", top, new) ? -errno : 0;
		EXPECT_EQ(expected(from, to), got) TH_LOG("%d over %d", from, to);
		if (!got) {
			snprintf(sub, sizeof(sub), "%s/x", new);
			EXPECT_FALSE(THERE(top, "old"));
			EXPECT_EQ(old.st_ino, status(top, new).st_ino);
			EXPECT_EQ(old.st_nlink, NLINK(top, new));
			EXPECT_EQ(from == FULL, THERE(top, sub));
		}
		EXPECT_EQ(2 + (across && (is_dir(to) || (!got && is_dir(from)))),
			  NLINK(top, "d"));
		remove_kind(top, "old");
		remove_kind(top, new);
		EXPECT_EQ(2, NLINK(top, "d"));
		EXPECT_EQ(3, NLINK(top, "."));
		EXPECT_EQ(2, inodes_used(top)) TH_LOG("%d over %d", from, to);
	}
}

TEST_F(rename, of_each_over_each)
{
	MOUNT("dram=16M");
	TOP(top);
	ASSERT_EQ(0, mkdirat(top, "d", 0755));
	each_over_each(_metadata, top, "new");
	each_over_each(_metadata, top, "d/new");
	close(top);
}

TEST_F(rename, otherwise)
{
	struct stat a, b;

	MOUNT("dram=16M");
	TOP(top);
	ASSERT_EQ(0, make(top, "a"));
	ASSERT_EQ(0, make(top, "b"));
	ASSERT_EQ(0, mkdirat(top, "d", 0755));
	ASSERT_EQ(0, mkdirat(top, "d/e", 0755));
	a = status(top, "a");
	b = status(top, "d/e");
	FAILS(EEXIST, renameat2(top, "a", top, "b", RENAME_NOREPLACE));
	FAILS(EINVAL, renameat2(top, "a", top, "b", RENAME_WHITEOUT));
	FAILS(EINVAL, renameat2(top, "a", top, "b", RENAME_NOREPLACE | RENAME_EXCHANGE));
	FAILS(ENOENT, renameat2(top, "a", top, "no", RENAME_EXCHANGE));
	EXPECT_EQ(0, renameat2(top, "a", top, "c", RENAME_NOREPLACE));
	/* a file and a directory change places */
	ASSERT_EQ(0, renameat2(top, "c", top, "d/e", RENAME_EXCHANGE));
	EXPECT_EQ(a.st_ino, status(top, "d/e").st_ino);
	EXPECT_EQ(b.st_ino, status(top, "c").st_ino);
	EXPECT_EQ(2, NLINK(top, "d"));
	EXPECT_EQ(4, NLINK(top, "."));
	FAILS(EINVAL, renameat(top, "d", top, "d/x"));
	FAILS(EBUSY, renameat(top, ".", top, "x"));
	FAILS(ENOTEMPTY, renameat(top, "c", top, "d"));
	/* two names of a file: nothing happens, both stay */
	ASSERT_EQ(0, linkat(top, "b", top, "b2", 0));
	EXPECT_EQ(0, renameat(top, "b", top, "b2"));
	EXPECT_EQ(2, NLINK(top, "b"));
	EXPECT_EQ(2, NLINK(top, "b2"));
	/* one of two names is replaced */
	EXPECT_EQ(6, inodes_used(top));
	EXPECT_EQ(0, renameat(top, "d/e", top, "b"));
	EXPECT_EQ(1, NLINK(top, "b2"));
	EXPECT_EQ(5, inodes_used(top));
	/* and the last one */
	EXPECT_EQ(0, renameat(top, "b", top, "b2"));
	EXPECT_EQ(4, inodes_used(top));
	close(top);
}

/* Many at once in a few directories; what they leave is whole. */
static int stir(void *arg)
{
	unsigned int seed = getpid();
	int top = *(int *)arg;
	struct timespec now;
	time_t end;

	clock_gettime(CLOCK_MONOTONIC, &now);
	end = now.tv_sec + 6;
	while (now.tv_sec < end) {
		struct dirent *e;
		char a[32], b[32];
		DIR *d;
		int fd;

		snprintf(a, sizeof(a), "d%d/f%d", rand_r(&seed) % 3, rand_r(&seed) % 6);
		snprintf(b, sizeof(b), "d%d/f%d", rand_r(&seed) % 3, rand_r(&seed) % 6);
		switch (rand_r(&seed) % 9) {
		case 0:
			make(top, a);
			break;
		case 1:
			mkdirat(top, a, 0755);
			break;
		case 2:
			unlinkat(top, a, 0);
			break;
		case 3:
			unlinkat(top, a, AT_REMOVEDIR);
			break;
		case 4:
			renameat2(top, a, top, b, rand_r(&seed) % 2 ? RENAME_EXCHANGE : 0);
			break;
		case 5:
			linkat(top, a, top, b, 0);
			break;
		case 6:
			symlinkat(a, top, b);
			break;
		case 7:
			d = fdopendir(openat(top, "d0", O_RDONLY | O_DIRECTORY));
			while (d && (e = readdir(d)))
				if (e->d_name[0] != '.' && e->d_name[0] != 'f')
					return 1;
			if (d)
				closedir(d);
			break;
		default:
			fd = openat(top, "d1", O_TMPFILE | O_RDWR, 0600);
			snprintf(a, sizeof(a), "/proc/self/fd/%d", fd);
			linkat(AT_FDCWD, a, top, b, AT_SYMLINK_FOLLOW);
			close(fd);
		}
		clock_gettime(CLOCK_MONOTONIC, &now);
	}
	return 0;
}

TEST_F(rename, many_at_once)
{
	pid_t pids[4];
	size_t i;

	MOUNT("dram=16M");
	TOP(top);
	ASSERT_EQ(0, mkdirat(top, "d0", 0755));
	ASSERT_EQ(0, mkdirat(top, "d1", 0755));
	ASSERT_EQ(0, mkdirat(top, "d2", 0755));
	for (i = 0; i < ARRAY_LEN(pids); i++)
		pids[i] = spawn(stir, &top);
	for (i = 0; i < ARRAY_LEN(pids); i++)
		EXPECT_EQ(0, reap(pids[i], 60));
	EXPECT_EQ(0, run_cmd("rm -rf %s/d0 %s/d1 %s/d2", mnt_dir(), mnt_dir(), mnt_dir()));
	EXPECT_EQ(2, NLINK(top, "."));
	EXPECT_TRUE(POLL(inodes_used(top) == 1, 5)) TH_LOG("%ld left", inodes_used(top));
	close(top);
}

TEST_HARNESS_MAIN
