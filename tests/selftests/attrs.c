// SPDX-License-Identifier: GPL-2.0
/* Extended attributes and access control lists of what is made on itmefs. */
#include <grp.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <linux/limits.h>
#include <sys/xattr.h>

#include "names.h"

FIXTURE(attrs) {};
ITME_FIXTURE(attrs)

#define ACCESS	"system.posix_acl_access"
#define DEFAULT	"system.posix_acl_default"

static char path_a[512], path_d[512], path_l[512];

/* a: a file, d: a directory, l: a link to a */
static int make_all(void)
{
	int fd;

	strcpy(path_a, file_path("a"));
	strcpy(path_d, file_path("d"));
	strcpy(path_l, file_path("l"));
	fd = open(path_a, O_CREAT | O_EXCL | O_RDWR, 0644);
	if (fd < 0)
		return -errno;
	close(fd);
	return mkdir(path_d, 0755) || symlink("a", path_l) ? -errno : 0;
}

/* The names in a list, each followed by a blank. */
static void names_of(const char *path, char *out)
{
	char buf[1024];
	ssize_t n = listxattr(path, buf, sizeof(buf)), i;

	for (i = 0; i < n; i += strlen(buf + i) + 1)
		out += sprintf(out, "%s ", buf + i);
	*out = 0;
	if (n < 0)
		sprintf(out, "errno %d", errno);
}

TEST_F(attrs, set_get_list_remove)
{
	char buf[256], names[1024];
	struct stat before, after;

	MOUNT("dram=16M");
	ASSERT_EQ(0, make_all());
	FAILS(ENODATA, getxattr(path_a, "user.x", buf, sizeof(buf)));
	EXPECT_EQ(0, listxattr(path_a, NULL, 0));
	ASSERT_EQ(0, stat(path_a, &before));
	usleep(20000);
	ASSERT_EQ(0, setxattr(path_a, "user.x", "hello", 5, 0));
	ASSERT_EQ(0, stat(path_a, &after));
	EXPECT_TRUE(before.st_ctim.tv_sec != after.st_ctim.tv_sec ||
		    before.st_ctim.tv_nsec != after.st_ctim.tv_nsec);
	EXPECT_EQ(5, getxattr(path_a, "user.x", NULL, 0));
	EXPECT_EQ(5, getxattr(path_a, "user.x", buf, sizeof(buf)));
	EXPECT_EQ(0, memcmp(buf, "hello", 5));
	FAILS(ERANGE, getxattr(path_a, "user.x", buf, 4));
	FAILS(EEXIST, setxattr(path_a, "user.x", "y", 1, XATTR_CREATE));
	FAILS(ENODATA, setxattr(path_a, "user.y", "y", 1, XATTR_REPLACE));
	ASSERT_EQ(0, setxattr(path_a, "user.x", "longer than it was", 18, XATTR_REPLACE));
	EXPECT_EQ(18, getxattr(path_a, "user.x", buf, sizeof(buf)));
	ASSERT_EQ(0, setxattr(path_a, "user.empty", "", 0, XATTR_CREATE));
	EXPECT_EQ(0, getxattr(path_a, "user.empty", buf, sizeof(buf)));
	ASSERT_EQ(0, setxattr(path_a, "trusted.t", "t", 1, 0));
	ASSERT_EQ(0, setxattr(path_a, "security.s", "s", 1, 0));
	names_of(path_a, names);
	EXPECT_TRUE(strstr(names, "user.x ") && strstr(names, "user.empty ") &&
		    strstr(names, "trusted.t ") && strstr(names, "security.s "))
		TH_LOG("%s", names);
	FAILS(ERANGE, listxattr(path_a, buf, 10));
	ASSERT_EQ(0, removexattr(path_a, "user.x"));
	FAILS(ENODATA, removexattr(path_a, "user.x"));
	FAILS(ENODATA, getxattr(path_a, "user.x", buf, sizeof(buf)));
	FAILS(EOPNOTSUPP, setxattr(path_a, "other.x", "x", 1, 0));
	/* of a directory; of a link only what is not the user's */
	EXPECT_EQ(0, setxattr(path_d, "user.x", "x", 1, 0));
	FAILS(EPERM, lsetxattr(path_l, "user.x", "x", 1, 0));
	EXPECT_EQ(0, lsetxattr(path_l, "trusted.x", "x", 1, 0));
	EXPECT_EQ(1, lgetxattr(path_l, "trusted.x", buf, sizeof(buf)));
	/* they are the inode's: they go where it goes */
	ASSERT_EQ(0, rename(path_a, file_path("b")));
	EXPECT_EQ(1, getxattr(file_path("b"), "trusted.t", buf, sizeof(buf)));
}

static int as_user(void *arg)
{
	char names[1024];

	(void)arg;
	if (setgroups(0, NULL) || setresgid(1234, 1234, 1234) || setresuid(1234, 1234, 1234))
		return 200;
	if (!setxattr(path_a, "user.x", "x", 1, 0) || errno != EACCES)
		return 1;
	if (!setxattr(path_a, "trusted.x", "x", 1, 0) || errno != EPERM)
		return 2;
	if (!getxattr(path_a, "trusted.t", names, 8) || errno != ENODATA)
		return 3;
	names_of(path_a, names);
	if (strcmp(names, "user.u "))
		return 4;
	if (!setxattr(path_a, ACCESS, "x", 1, 0) || (errno != EPERM && errno != EINVAL))
		return 5;
	return 0;
}

TEST_F(attrs, of_others)
{
	MOUNT("dram=16M");
	ASSERT_EQ(0, make_all());
	ASSERT_EQ(0, setxattr(path_a, "trusted.t", "t", 1, 0));
	ASSERT_EQ(0, setxattr(path_a, "user.u", "u", 1, 0));
	EXPECT_EQ(0, in_child(as_user, NULL, 20));
}

/* An inode has 128 KiB at most, all together 512 bytes for each that there may be. */
TEST_F(attrs, bounded)
{
	char name[32], *big = calloc(1, XATTR_SIZE_MAX + 1);
	int i, err = 0;

	MOUNT("dram=16M,nr_inodes=1000");
	ASSERT_EQ(0, make_all());
	FAILS(E2BIG, setxattr(path_a, "user.x", big, XATTR_SIZE_MAX + 1, 0));
	ASSERT_EQ(0, setxattr(path_a, "user.x", big, XATTR_SIZE_MAX, 0));
	FAILS(ENOSPC, setxattr(path_a, "user.y", big, XATTR_SIZE_MAX, 0));
	/* in place of another one it fits */
	ASSERT_EQ(0, setxattr(path_a, "user.x", big, XATTR_SIZE_MAX, XATTR_REPLACE));
	for (i = 0; i < 20 && !err; i++) {
		int fd;

		snprintf(name, sizeof(name), "f%d", i);
		fd = open(file_path(name), O_CREAT | O_RDWR, 0600);
		ASSERT_LE(0, fd);
		close(fd);
		err = setxattr(file_path(name), "user.x", big, XATTR_SIZE_MAX, 0) ? errno : 0;
	}
	EXPECT_EQ(ENOSPC, err);
	EXPECT_EQ(7, i);
	ASSERT_EQ(0, unlink(file_path("f0")));
	EXPECT_EQ(0, setxattr(file_path(name), "user.x", big, XATTR_SIZE_MAX, 0));
	free(big);
}

struct acl {
	struct posix_acl_xattr_header h;
	struct posix_acl_xattr_entry e[5];
};

/* rw-r-----, and user 1234 as @perm says */
static struct acl acl_for(int perm)
{
	return (struct acl){ { POSIX_ACL_XATTR_VERSION }, {
		{ ACL_USER_OBJ, 6, ACL_UNDEFINED_ID },
		{ ACL_USER, perm, 1234 },
		{ ACL_GROUP_OBJ, 4, ACL_UNDEFINED_ID },
		{ ACL_MASK, perm | 4, ACL_UNDEFINED_ID },
		{ ACL_OTHER, 0, ACL_UNDEFINED_ID },
	} };
}

static int read_as(void *arg)
{
	int uid = *(int *)arg;

	if (setgroups(0, NULL) || setresgid(uid, uid, uid) || setresuid(uid, uid, uid))
		return 200;
	return open(path_a, O_RDONLY) < 0 ? errno : 0;
}

TEST_F(attrs, access_list)
{
	struct acl acl = acl_for(4), got;
	int other = 1235, named = 1234;
	char names[1024];
	struct stat st;

	MOUNT("dram=16M");
	ASSERT_EQ(0, make_all());
	ASSERT_EQ(0, setxattr(path_a, ACCESS, &acl, sizeof(acl), 0));
	ASSERT_EQ(0, stat(path_a, &st));
	EXPECT_EQ(0640, st.st_mode & 07777);
	EXPECT_EQ(sizeof(got), getxattr(path_a, ACCESS, &got, sizeof(got)));
	EXPECT_EQ(0, memcmp(&acl, &got, sizeof(got)));
	names_of(path_a, names);
	EXPECT_STREQ(ACCESS " ", names);
	EXPECT_EQ(0, in_child(read_as, &named, 20));
	EXPECT_EQ(EACCES, in_child(read_as, &other, 20));
	/* chmod changes the mask, so the named user, too */
	ASSERT_EQ(0, chmod(path_a, 0600));
	EXPECT_EQ(EACCES, in_child(read_as, &named, 20));
	ASSERT_EQ(0, chmod(path_a, 0640));
	EXPECT_EQ(0, in_child(read_as, &named, 20));
	ASSERT_EQ(0, removexattr(path_a, ACCESS));
	EXPECT_EQ(EACCES, in_child(read_as, &named, 20));
	EXPECT_EQ(0, listxattr(path_a, NULL, 0));
	FAILS(EOPNOTSUPP, setxattr(path_a, ACCESS, "rubbish", 7, 0));
	FAILS(EACCES, setxattr(path_a, DEFAULT, &acl, sizeof(acl), 0));
}

TEST_F(attrs, default_list)
{
	struct acl acl = acl_for(7), got;
	char sub[600], file[600], names[1024];
	struct stat st;
	int fd;

	MOUNT("dram=16M");
	ASSERT_EQ(0, make_all());
	ASSERT_EQ(0, setxattr(path_d, DEFAULT, &acl, sizeof(acl), 0));
	snprintf(sub, sizeof(sub), "%s/sub", path_d);
	snprintf(file, sizeof(file), "%s/file", path_d);
	/* with a default list the umask says nothing, without one it does */
	umask(077);
	ASSERT_EQ(0, mkdir(sub, 0777));
	fd = open(file, O_CREAT | O_EXCL | O_RDWR, 0666);
	ASSERT_LE(0, fd);
	close(fd);
	fd = open(file_path("plain"), O_CREAT | O_EXCL | O_RDWR, 0666);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, fstat(fd, &st));
	EXPECT_EQ(0600, st.st_mode & 07777);
	close(fd);
	umask(022);
	ASSERT_EQ(0, stat(sub, &st));
	EXPECT_EQ(0670, st.st_mode & 07777);
	EXPECT_EQ(sizeof(got), getxattr(sub, DEFAULT, &got, sizeof(got)));
	EXPECT_EQ(0, memcmp(&acl, &got, sizeof(got)));
	EXPECT_EQ(sizeof(got), getxattr(sub, ACCESS, &got, sizeof(got)));
	names_of(sub, names);
	EXPECT_STREQ(ACCESS " " DEFAULT " ", names);
	ASSERT_EQ(0, stat(file, &st));
	EXPECT_EQ(0660, st.st_mode & 07777);
	names_of(file, names);
	EXPECT_STREQ(ACCESS " ", names);
	ASSERT_EQ(0, removexattr(path_d, DEFAULT));
	EXPECT_EQ(0, listxattr(path_d, NULL, 0));
}

/* An imported file has none; what it is does not depend on the mount. */
TEST_F(attrs, not_of_imported_files)
{
	struct acl acl = acl_for(7);
	int fd;

	MOUNT("dram=16M");
	fd = import_open("f", CHUNK, 1, 0);
	ASSERT_LE(0, fd);
	FAILS(EOPNOTSUPP, fsetxattr(fd, "user.x", "y", 1, 0));
	FAILS(EOPNOTSUPP, fsetxattr(fd, ACCESS, &acl, sizeof(acl), 0));
	EXPECT_EQ(0, flistxattr(fd, NULL, 0));
	EXPECT_EQ(0, fchmod(fd, 0400));
	close(fd);
}

TEST_HARNESS_MAIN
