/* SPDX-License-Identifier: GPL-2.0 */
/* For tests of names: the root, what is below it, and calls that must fail. */
#ifndef ITME_SELFTEST_NAMES_H
#define ITME_SELFTEST_NAMES_H

#include <sys/statfs.h>

#include "fixture.h"

#define FAILS(want, call)						\
do {									\
	errno = 0;							\
	EXPECT_EQ(-1, (long)(call)) TH_LOG("%s", #call);		\
	EXPECT_EQ(want, errno) TH_LOG("%s", #call);			\
} while (0)

/* The root, open; all names are below it. */
#define TOP(var)							\
	int var = open(mnt_dir(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);	\
	ASSERT_LE(0, var)

static inline int make(int dir, const char *name)
{
	int fd = openat(dir, name, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0644);

	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

static inline struct stat status(int dir, const char *name)
{
	struct stat st = {};

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW))
		st.st_nlink = -1;
	return st;
}

#define NLINK(dir, name)	((long)status(dir, name).st_nlink)
#define THERE(dir, name)	(!faccessat(dir, name, F_OK, AT_SYMLINK_NOFOLLOW))

static inline long inodes_used(int dir)
{
	struct statfs sf;

	return fstatfs(dir, &sf) ? -1 : (long)(sf.f_files - sf.f_ffree);
}

#endif
