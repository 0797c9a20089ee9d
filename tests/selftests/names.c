// SPDX-License-Identifier: GPL-2.0
/* Names: what is made, linked and removed, by whom, and what is told of it. */
#include <dirent.h>
#include <grp.h>
#include <linux/fs.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>

#include "names.h"

FIXTURE(names) {};
ITME_FIXTURE(names)

#define NOBODY	65534

static int import_new(const char *name, uint64_t size, uint64_t seed)
{
	int fd = import_open(name, size, seed, 0);

	if (fd < 0)
		return fd;
	return close(fd);
}

TEST_F(names, create_and_unlink)
{
	char name[NAME_MAX + 2];
	struct stat st;
	int fd;

	MOUNT("dram=16M");
	TOP(top);
	fd = openat(top, "f", O_CREAT | O_EXCL | O_RDWR, 0640);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, fstat(fd, &st));
	EXPECT_EQ(S_IFREG | 0640, st.st_mode);
	EXPECT_EQ(1, st.st_nlink);
	EXPECT_EQ(0, st.st_size);
	EXPECT_EQ(0, st.st_blocks);
	EXPECT_NE(0, st.st_ino);
	EXPECT_EQ(-EEXIST, make(top, "f"));
	FAILS(ENOTDIR, openat(top, "f/x", O_CREAT | O_RDWR, 0600));
	FAILS(ENOENT, openat(top, "no/x", O_CREAT | O_RDWR, 0600));
	FAILS(ENOENT, openat(top, "no", O_RDWR));
	FAILS(ENOENT, unlinkat(top, "no", 0));
	FAILS(ENOTDIR, unlinkat(top, "f", AT_REMOVEDIR));
	memset(name, 'n', sizeof(name));
	name[NAME_MAX + 1] = 0;
	FAILS(ENAMETOOLONG, openat(top, name, O_CREAT | O_RDWR, 0600));
	FAILS(ENAMETOOLONG, openat(top, name, O_RDONLY));
	name[NAME_MAX] = 0;
	EXPECT_EQ(0, make(top, name));
	EXPECT_EQ(0, unlinkat(top, name, 0));
	EXPECT_EQ(0, unlinkat(top, "f", 0));
	EXPECT_FALSE(THERE(top, "f"));
	/* still open, so still there */
	ASSERT_EQ(0, fstat(fd, &st));
	EXPECT_EQ(0, st.st_nlink);
	EXPECT_EQ(2, inodes_used(top));
	/* another of that name is another file */
	ASSERT_EQ(0, make(top, "f"));
	EXPECT_NE(st.st_ino, status(top, "f").st_ino);
	EXPECT_EQ(0, close(fd));
	EXPECT_EQ(2, inodes_used(top));
	EXPECT_EQ(0, unlinkat(top, "f", 0));
	EXPECT_EQ(1, inodes_used(top));
	close(top);
}

TEST_F(names, links)
{
	struct stat before, after;

	MOUNT("dram=16M");
	TOP(top);
	ASSERT_EQ(0, make(top, "f"));
	ASSERT_EQ(0, mkdirat(top, "d", 0755));
	before = status(top, "f");
	usleep(20000);
	ASSERT_EQ(0, linkat(top, "f", top, "d/g", 0));
	after = status(top, "d/g");
	EXPECT_EQ(before.st_ino, after.st_ino);
	EXPECT_EQ(2, after.st_nlink);
	EXPECT_EQ(2, NLINK(top, "f"));
	EXPECT_TRUE(after.st_ctim.tv_sec > before.st_ctim.tv_sec ||
		    after.st_ctim.tv_nsec > before.st_ctim.tv_nsec);
	FAILS(EEXIST, linkat(top, "f", top, "d/g", 0));
	FAILS(EPERM, linkat(top, "d", top, "d2", 0));
	FAILS(ENOENT, linkat(top, "no", top, "h", 0));
	/* a further name counts, too */
	EXPECT_EQ(4, inodes_used(top));
	ASSERT_EQ(0, unlinkat(top, "f", 0));
	EXPECT_EQ(1, NLINK(top, "d/g"));
	EXPECT_EQ(3, inodes_used(top));
	/* of a symbolic link itself, of a fifo */
	ASSERT_EQ(0, symlinkat("nowhere", top, "l"));
	ASSERT_EQ(0, linkat(top, "l", top, "l2", 0));
	EXPECT_EQ(2, NLINK(top, "l"));
	ASSERT_EQ(0, mkfifoat(top, "p", 0600));
	ASSERT_EQ(0, linkat(top, "p", top, "p2", 0));
	EXPECT_EQ(status(top, "p").st_ino, status(top, "p2").st_ino);
	close(top);
}

TEST_F(names, directories)
{
	int gone;

	MOUNT("dram=16M");
	TOP(top);
	EXPECT_EQ(2, NLINK(top, "."));
	ASSERT_EQ(0, mkdirat(top, "d", 0751));
	EXPECT_EQ(S_IFDIR | 0751, status(top, "d").st_mode);
	EXPECT_EQ(2, NLINK(top, "d"));
	EXPECT_EQ(3, NLINK(top, "."));
	ASSERT_EQ(0, mkdirat(top, "d/e", 0755));
	EXPECT_EQ(3, NLINK(top, "d"));
	FAILS(EEXIST, mkdirat(top, "d", 0755));
	FAILS(ENOTEMPTY, unlinkat(top, "d", AT_REMOVEDIR));
	FAILS(EISDIR, unlinkat(top, "d", 0));
	FAILS(EINVAL, unlinkat(top, "d/.", AT_REMOVEDIR));
	FAILS(ENOTEMPTY, unlinkat(top, "d/e/..", AT_REMOVEDIR));
	FAILS(EISDIR, openat(top, "d", O_RDWR));
	FAILS(EISDIR, openat(top, "d", O_CREAT | O_RDONLY, 0600));
	gone = openat(top, "d/e", O_RDONLY | O_DIRECTORY);
	ASSERT_LE(0, gone);
	ASSERT_EQ(0, unlinkat(top, "d/e", AT_REMOVEDIR));
	EXPECT_EQ(2, NLINK(top, "d"));
	/* nothing comes into a directory that is removed */
	EXPECT_EQ(-ENOENT, make(gone, "x"));
	FAILS(ENOENT, mkdirat(gone, "x", 0755));
	FAILS(ENOENT, symlinkat("x", gone, "x"));
	FAILS(ENOENT, renameat(top, "d", gone, "x"));
	close(gone);
	ASSERT_EQ(0, unlinkat(top, "d", AT_REMOVEDIR));
	EXPECT_EQ(2, NLINK(top, "."));
	EXPECT_EQ(1, inodes_used(top));
	close(top);
}

TEST_F(names, symlinks)
{
	char to[PATH_MAX], got[PATH_MAX];
	struct stat st;
	int len;

	MOUNT("dram=16M");
	TOP(top);
	ASSERT_EQ(0, make(top, "f"));
	ASSERT_EQ(0, symlinkat("f", top, "l"));
	EXPECT_EQ(1, readlinkat(top, "l", got, sizeof(got)));
	EXPECT_EQ('f', got[0]);
	st = status(top, "l");
	EXPECT_EQ(S_IFLNK | 0777, st.st_mode);
	EXPECT_EQ(1, st.st_size);
	ASSERT_EQ(0, fstatat(top, "l", &st, 0));
	EXPECT_EQ(status(top, "f").st_ino, st.st_ino);
	FAILS(EEXIST, symlinkat("f", top, "l"));
	ASSERT_EQ(0, symlinkat("l2", top, "l1"));
	ASSERT_EQ(0, symlinkat("l1", top, "l2"));
	FAILS(ELOOP, openat(top, "l1", O_RDONLY));
	FAILS(ELOOP, openat(top, "l", O_RDONLY | O_NOFOLLOW));
	EXPECT_EQ(0, fchownat(top, "l", NOBODY, NOBODY, AT_SYMLINK_NOFOLLOW));
	EXPECT_EQ(NOBODY, status(top, "l").st_uid);
	EXPECT_EQ(0, status(top, "f").st_uid);
	for (len = 1; len < PATH_MAX; len = len < 2048 ? len * 2 : len + 1023) {
		memset(to, 'x', len);
		to[len] = 0;
		ASSERT_EQ(0, symlinkat(to, top, "x")) TH_LOG("%d", len);
		EXPECT_EQ(len, readlinkat(top, "x", got, sizeof(got)));
		EXPECT_EQ(0, memcmp(to, got, len));
		EXPECT_EQ(len, status(top, "x").st_size);
		ASSERT_EQ(0, unlinkat(top, "x", 0));
	}
	close(top);
}

/* Bodies of links are kernel memory; the mount bounds what all have together. */
TEST_F(names, symlinks_are_bounded)
{
	char to[PATH_MAX], name[32];
	int i, err = 0;

	MOUNT("dram=16M,nr_inodes=400");
	TOP(top);
	memset(to, 'x', PATH_MAX - 1);
	to[PATH_MAX - 1] = 0;
	for (i = 0; i < 400 && !err; i++) {
		snprintf(name, sizeof(name), "l%d", i);
		err = symlinkat(to, top, name) ? errno : 0;
	}
	EXPECT_EQ(ENOSPC, err);
	EXPECT_LT(20, i);
	EXPECT_GT(100, i);
	/* a short one has its room still, and what is removed gives it back */
	EXPECT_EQ(0, symlinkat("short", top, "s"));
	EXPECT_EQ(0, unlinkat(top, "l0", 0));
	EXPECT_EQ(0, symlinkat(to, top, "l0"));
	FAILS(ENOSPC, symlinkat(to, top, "more"));
	close(top);
}

#define MANY	1000

static int list(int top, const char *name, char *seen, bool remove)
{
	int fd = openat(top, name, O_RDONLY | O_DIRECTORY);
	DIR *d = fdopendir(fd);
	struct dirent *e;
	int n = 0, i;

	while (d && (e = readdir(d))) {
		if (e->d_name[0] == '.')
			continue;
		i = atoi(e->d_name + 1);
		if (e->d_name[0] != 'f' || i < 0 || i >= MANY || seen[i]++ ||
		    e->d_type != DT_REG)
			n = -1000000;
		n++;
		if (remove && unlinkat(fd, e->d_name, 0))
			n = -1000000;
	}
	if (d)
		closedir(d);
	return n;
}

TEST_F(names, readdir_while_it_is_emptied)
{
	char seen[MANY], name[32];
	struct dirent *e;
	long at;
	DIR *d;
	int i;

	MOUNT("dram=16M");
	TOP(top);
	ASSERT_EQ(0, mkdirat(top, "d", 0755));
	for (i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "d/f%d", i);
		ASSERT_EQ(0, make(top, name));
	}
	memset(seen, 0, sizeof(seen));
	EXPECT_EQ(MANY, list(top, "d", seen, false));
	/* from a place in the middle */
	d = fdopendir(openat(top, "d", O_RDONLY | O_DIRECTORY));
	ASSERT_NE(NULL, d);
	for (i = 0; i < MANY / 2; i++)
		ASSERT_NE(NULL, readdir(d));
	at = telldir(d);
	e = readdir(d);
	ASSERT_NE(NULL, e);
	strcpy(name, e->d_name);
	while (readdir(d))
		;
	seekdir(d, at);
	e = readdir(d);
	ASSERT_NE(NULL, e);
	EXPECT_STREQ(name, e->d_name);
	rewinddir(d);
	for (i = 0; readdir(d); i++)
		;
	EXPECT_EQ(MANY + 2, i);
	closedir(d);
	/* one pass removes all, each is seen once */
	memset(seen, 0, sizeof(seen));
	EXPECT_EQ(MANY, list(top, "d", seen, true));
	EXPECT_EQ(0, unlinkat(top, "d", AT_REMOVEDIR));
	EXPECT_EQ(1, inodes_used(top));
	close(top);
}

static int become(uid_t uid, gid_t gid)
{
	return setgroups(0, NULL) || setresgid(gid, gid, gid) || setresuid(uid, uid, uid);
}

/* Each check of a child has a number, so that its exit status says which failed. */
#define CHECK(nr, want, call)						\
do {									\
	int got_ = (call) ? errno : 0;					\
									\
	if (got_ != (want)) {						\
		fprintf(stderr, "# %s: errno %d\n", #call, got_);	\
		return nr;						\
	}								\
} while (0)

static int as_other(void *arg)
{
	int top = *(int *)arg;

	if (become(1234, 1234))
		return 200;
	CHECK(1, EACCES, make(top, "x") ? (errno = EACCES) : 0);
	CHECK(2, EACCES, mkdirat(top, "x", 0755));
	CHECK(3, EACCES, unlinkat(top, "mine", 0));
	CHECK(4, EACCES, renameat(top, "mine", top, "x"));
	CHECK(5, EACCES, openat(top, "secret", O_RDONLY) < 0);
	CHECK(6, EPERM, fchmodat(top, "mine", 0777, 0));
	CHECK(7, EPERM, fchownat(top, "mine", 1234, 1234, 0));
	CHECK(8, EACCES, openat(top, "closed/f", O_RDONLY) < 0);
	/* a directory with the sticky bit: all may make, each removes his own */
	CHECK(9, 0, make(top, "tmp/own"));
	CHECK(10, EPERM, unlinkat(top, "tmp/root", 0));
	CHECK(11, EPERM, renameat(top, "tmp/root", top, "tmp/x"));
	CHECK(12, EPERM, renameat(top, "tmp/own", top, "tmp/root"));
	CHECK(13, EPERM, unlinkat(top, "tmp/rootdir", AT_REMOVEDIR));
	CHECK(14, 0, renameat(top, "tmp/own", top, "tmp/own2"));
	CHECK(15, 0, unlinkat(top, "tmp/own2", 0));
	CHECK(16, EPERM, mknodat(top, "tmp/dev", S_IFCHR | 0600, makedev(1, 3)));
	CHECK(17, 0, mkfifoat(top, "tmp/fifo", 0600));
	return 0;
}

TEST_F(names, permissions)
{
	MOUNT("dram=16M");
	TOP(top);
	ASSERT_EQ(0, make(top, "mine"));
	ASSERT_EQ(0, make(top, "secret"));
	ASSERT_EQ(0, fchmodat(top, "secret", 0600, 0));
	ASSERT_EQ(0, mkdirat(top, "closed", 0700));
	ASSERT_EQ(0, make(top, "closed/f"));
	ASSERT_EQ(0, mkdirat(top, "tmp", 0755));
	ASSERT_EQ(0, fchmodat(top, "tmp", 01777, 0));
	ASSERT_EQ(0, make(top, "tmp/root"));
	ASSERT_EQ(0, mkdirat(top, "tmp/rootdir", 0755));
	EXPECT_EQ(0, in_child(as_other, &top, 20));
	EXPECT_EQ(1234, status(top, "tmp/fifo").st_uid);
	close(top);
}

static int in_group_dir(void *arg)
{
	int top = *(int *)arg;
	struct stat st;

	umask(0);
	if (become(1234, 1234))
		return 200;
	CHECK(1, 0, make(top, "d/f"));
	CHECK(2, 0, mkdirat(top, "d/sub", 0755));
	CHECK(3, 0, mknodat(top, "d/x", S_IFREG | 02777, 0));
	st = status(top, "d/f");
	CHECK(4, 0, st.st_gid != 77);
	st = status(top, "d/sub");
	CHECK(5, 0, st.st_gid != 77 || !(st.st_mode & S_ISGID));
	/* who is not of the group makes no program that runs as it */
	st = status(top, "d/x");
	CHECK(6, 0, st.st_gid != 77 || st.st_mode & S_ISGID);
	return 0;
}

TEST_F(names, group_of_the_directory)
{
	struct stat st;

	MOUNT("dram=16M");
	TOP(top);
	ASSERT_EQ(0, mkdirat(top, "d", 0755));
	ASSERT_EQ(0, fchownat(top, "d", 0, 77, 0));
	ASSERT_EQ(0, fchmodat(top, "d", 02777, 0));
	EXPECT_EQ(0, in_child(in_group_dir, &top, 20));
	/* a change of owner takes the bits away */
	ASSERT_EQ(0, make(top, "s"));
	ASSERT_EQ(0, fchmodat(top, "s", 06755, 0));
	st = status(top, "s");
	EXPECT_EQ(S_IFREG | 06755, st.st_mode);
	ASSERT_EQ(0, fchownat(top, "s", 5, 5, 0));
	EXPECT_EQ(S_IFREG | 0755, status(top, "s").st_mode);
	close(top);
}

static bool newer(struct timespec a, struct timespec b)
{
	return a.tv_sec > b.tv_sec || (a.tv_sec == b.tv_sec && a.tv_nsec > b.tv_nsec);
}

/* Does @call change mtime and ctime of directory @name? */
#define CHANGES(top, name, call)					\
do {									\
	struct stat before_ = status(top, name), after_;		\
									\
	usleep(20000);							\
	ASSERT_EQ(0, call);						\
	after_ = status(top, name);					\
	EXPECT_TRUE(newer(after_.st_mtim, before_.st_mtim) &&		\
		    newer(after_.st_ctim, before_.st_ctim))		\
		TH_LOG("%s: %s", name, #call);				\
} while (0)

TEST_F(names, times)
{
	struct timespec ts[2] = { { 1, 2 }, { 3, 4 } };
	struct stat st, was;

	MOUNT("dram=16M");
	TOP(top);
	ASSERT_EQ(0, mkdirat(top, "d", 0755));
	ASSERT_EQ(0, mkdirat(top, "e", 0755));
	CHANGES(top, "d", make(top, "d/f"));
	CHANGES(top, "d", linkat(top, "d/f", top, "d/g", 0));
	CHANGES(top, "d", unlinkat(top, "d/g", 0));
	CHANGES(top, "d", symlinkat("x", top, "d/l"));
	CHANGES(top, "d", mkfifoat(top, "d/p", 0600));
	CHANGES(top, "d", mkdirat(top, "d/s", 0755));
	CHANGES(top, "d", unlinkat(top, "d/s", AT_REMOVEDIR));
	CHANGES(top, "d", renameat(top, "d/f", top, "d/h"));
	CHANGES(top, "d", renameat(top, "d/h", top, "e/h"));
	CHANGES(top, "e", renameat(top, "e/h", top, "d/h"));
	was = status(top, "d/h");
	usleep(20000);
	ASSERT_EQ(0, fchmodat(top, "d/h", 0600, 0));
	st = status(top, "d/h");
	EXPECT_TRUE(newer(st.st_ctim, was.st_ctim));
	EXPECT_FALSE(newer(st.st_mtim, was.st_mtim));
	ASSERT_EQ(0, utimensat(top, "d/h", ts, 0));
	st = status(top, "d/h");
	EXPECT_EQ(1, st.st_atim.tv_sec);
	EXPECT_EQ(2, st.st_atim.tv_nsec);
	EXPECT_EQ(3, st.st_mtim.tv_sec);
	EXPECT_EQ(4, st.st_mtim.tv_nsec);
	was = st;
	usleep(20000);
	ASSERT_EQ(0, renameat(top, "d/h", top, "d/i"));
	EXPECT_TRUE(newer(status(top, "d/i").st_ctim, was.st_ctim));
	close(top);
}

TEST_F(names, tmpfile)
{
	char path[64], seen[MANY] = {};
	struct stat st;
	int fd, excl;

	MOUNT("dram=16M");
	TOP(top);
	ASSERT_EQ(0, mkdirat(top, "d", 0755));
	fd = openat(top, "d", O_TMPFILE | O_RDWR, 0640);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, fstat(fd, &st));
	EXPECT_EQ(0, st.st_nlink);
	EXPECT_EQ(S_IFREG | 0640, st.st_mode);
	EXPECT_EQ(0, list(top, "d", seen, false));
	EXPECT_EQ(3, inodes_used(top));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	ASSERT_EQ(0, linkat(AT_FDCWD, path, top, "d/f", AT_SYMLINK_FOLLOW));
	EXPECT_EQ(st.st_ino, status(top, "d/f").st_ino);
	EXPECT_EQ(1, NLINK(top, "d/f"));
	EXPECT_EQ(3, inodes_used(top));
	ASSERT_EQ(0, linkat(AT_FDCWD, path, top, "d/g", AT_SYMLINK_FOLLOW));
	EXPECT_EQ(4, inodes_used(top));
	close(fd);
	excl = openat(top, "d", O_TMPFILE | O_RDWR | O_EXCL, 0600);
	ASSERT_LE(0, excl);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", excl);
	FAILS(ENOENT, linkat(AT_FDCWD, path, top, "d/h", AT_SYMLINK_FOLLOW));
	close(excl);
	ASSERT_EQ(0, unlinkat(top, "d/f", 0));
	ASSERT_EQ(0, unlinkat(top, "d/g", 0));
	EXPECT_EQ(0, unlinkat(top, "d", AT_REMOVEDIR));
	EXPECT_EQ(1, inodes_used(top));
	close(top);
}

TEST_F(names, special_files)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	char buf[8] = {};
	struct stat st;
	int fd, s, c;

	MOUNT("dram=16M");
	TOP(top);
	ASSERT_EQ(0, mkfifoat(top, "p", 0600));
	fd = openat(top, "p", O_RDWR);
	ASSERT_LE(0, fd);
	EXPECT_EQ(3, write(fd, "abc", 3));
	EXPECT_EQ(3, read(fd, buf, sizeof(buf)));
	EXPECT_STREQ("abc", buf);
	close(fd);
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/s", mnt_dir());
	s = socket(AF_UNIX, SOCK_STREAM, 0);
	c = socket(AF_UNIX, SOCK_STREAM, 0);
	ASSERT_EQ(0, bind(s, (struct sockaddr *)&addr, sizeof(addr)));
	ASSERT_EQ(0, listen(s, 1));
	EXPECT_EQ(0, connect(c, (struct sockaddr *)&addr, sizeof(addr)));
	EXPECT_TRUE(S_ISSOCK(status(top, "s").st_mode));
	close(c);
	close(s);
	/* a device can be made, as in a backup, but not used from here */
	ASSERT_EQ(0, mknodat(top, "null", S_IFCHR | 0666, makedev(1, 3)));
	st = status(top, "null");
	EXPECT_EQ(makedev(1, 3), st.st_rdev);
	FAILS(EACCES, openat(top, "null", O_RDONLY));
	ASSERT_EQ(0, mknodat(top, "reg", S_IFREG | 0600, 0));
	EXPECT_TRUE(S_ISREG(status(top, "reg").st_mode));
	close(top);
}

TEST_F(names, inodes_are_bounded)
{
	struct statfs sf;
	char name[32];
	int i;

	MOUNT("dram=16M,nr_inodes=20");
	TOP(top);
	ASSERT_EQ(0, fstatfs(top, &sf));
	EXPECT_EQ(20, sf.f_files);
	EXPECT_EQ(19, sf.f_ffree);
	EXPECT_EQ(NAME_MAX, sf.f_namelen);
	for (i = 0; i < 17; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		ASSERT_EQ(0, make(top, name));
	}
	ASSERT_EQ(0, mkdirat(top, "d", 0755));
	ASSERT_EQ(0, linkat(top, "f0", top, "l", 0));
	EXPECT_EQ(20, inodes_used(top));
	EXPECT_EQ(-ENOSPC, make(top, "x"));
	FAILS(ENOSPC, mkdirat(top, "x", 0755));
	FAILS(ENOSPC, symlinkat("x", top, "x"));
	FAILS(ENOSPC, mkfifoat(top, "x", 0600));
	FAILS(ENOSPC, linkat(top, "f0", top, "x", 0));
	FAILS(ENOSPC, openat(top, ".", O_TMPFILE | O_RDWR, 0600));
	EXPECT_FALSE(THERE(top, "x"));
	/* a rename takes none; what is removed is free again */
	EXPECT_EQ(0, renameat(top, "f1", top, "d/f1"));
	EXPECT_EQ(0, unlinkat(top, "l", 0));
	EXPECT_EQ(0, make(top, "x"));
	EXPECT_EQ(-ENOSPC, make(top, "y"));
	/* an import does not fail for what others have made */
	ASSERT_EQ(0, import_new("imported", CHUNK, 1));
	EXPECT_EQ(-EINVAL, itme_remount("nr_inodes=20"));
	EXPECT_EQ(0, itme_remount("nr_inodes=30"));
	EXPECT_EQ(0, make(top, "y"));
	close(top);
}

TEST_F(names, mount_options)
{
	static const char * const bad[] = {
		"nr_inodes=0", "nr_inodes=", "nr_inodes=-1", "nr_inodes=x",
		"nr_inodes=18446744073709551615", "nr_inodes=9999999G", "uid=x", "uid=-1",
		"gid=", "gid=99999999999",
	};
	char opts[96];
	struct stat st;
	size_t i;

	for (i = 0; i < ARRAY_LEN(bad); i++) {
		snprintf(opts, sizeof(opts), "dram=16M,%s", bad[i]);
		EXPECT_EQ(-EINVAL, itme_mount(opts)) TH_LOG("%s", opts);
	}
	MOUNT("dram=16M,uid=7,gid=8,mode=1777,nr_inodes=2k");
	TOP(top);
	ASSERT_EQ(0, fstat(top, &st));
	EXPECT_EQ(7, st.st_uid);
	EXPECT_EQ(8, st.st_gid);
	EXPECT_EQ(S_IFDIR | 01777, st.st_mode);
	EXPECT_EQ(0, run_cmd("grep -q 'itmefs.*,mode=1777,uid=7,gid=8,nr_inodes=2048' "
			     "/proc/mounts"));
	EXPECT_EQ(-EINVAL, itme_remount("uid=9"));
	EXPECT_EQ(0, itme_remount("uid=7"));
	close(top);
}

/* An imported file has a name like others, and stays what it is. */
TEST_F(names, of_imported_files)
{
	int fd;

	MOUNT("dram=16M");
	TOP(top);
	ASSERT_EQ(0, make(top, "taken"));
	EXPECT_EQ(-EEXIST, import_new("taken", CHUNK, 1));
	/* asked for before it is there */
	EXPECT_FALSE(THERE(top, "a"));
	ASSERT_EQ(0, import_new("a", 2 * CHUNK + 5, 3));
	EXPECT_EQ(-EEXIST, make(top, "a"));
	ASSERT_EQ(0, mkdirat(top, "d", 0755));
	ASSERT_EQ(0, renameat(top, "a", top, "d/b"));
	EXPECT_FALSE(THERE(top, "a"));
	ASSERT_EQ(0, linkat(top, "d/b", top, "c", 0));
	ASSERT_EQ(0, unlinkat(top, "d/b", 0));
	FAILS(EROFS, openat(top, "c", O_RDWR));
	fd = openat(top, "c", O_RDONLY);
	ASSERT_LE(0, fd);
	EXPECT_EQ(0, check_read(fd, 0, 2 * CHUNK + 5, 3));
	/* replaced by a written one, it lives on for who has it open */
	ASSERT_EQ(0, renameat(top, "taken", top, "c"));
	EXPECT_EQ(0, check_read(fd, 0, 2 * CHUNK + 5, 3));
	EXPECT_EQ(0, check_mapped(fd, 0, 2 * CHUNK + 5, 3));
	close(fd);
	EXPECT_TRUE(POLL(!tier_used(DRAM), 10));
	/* not below the root */
	fd = openat(top, "d", O_RDONLY | O_DIRECTORY);
	FAILS(ENOTTY, ioctl(fd, ITME_IOC_IMPORT, &(struct itme_import){ .lower_fd = -1 }));
	close(fd);
	close(top);
}

/* All of a tree goes at the unmount; the module can be removed after it (cleanup). */
TEST_F(names, unmount_of_a_tree)
{
	char path[64] = "d";
	int i;

	MOUNT("dram=16M");
	TOP(top);
	for (i = 0; i < 20; i++) {
		ASSERT_EQ(0, mkdirat(top, path, 0755));
		strcat(path, "/f");
		ASSERT_EQ(0, make(top, path));
		path[strlen(path) - 1] = 'l';
		ASSERT_EQ(0, symlinkat("f", top, path));
		path[strlen(path) - 1] = 'd';
	}
	ASSERT_EQ(0, linkat(top, "d/f", top, "second", 0));
	close(top);
	ASSERT_EQ(0, itme_umount());
}

TEST_HARNESS_MAIN
