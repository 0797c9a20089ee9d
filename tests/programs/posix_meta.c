// SPDX-License-Identifier: GPL-2.0
/* Modes, owners, times, locks, special files, what statvfs and pathconf say. */
#include "posix.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>

static void modes(void)
{
	int fd;

	umask(027);
	WANT((fd = open("f", O_RDWR | O_CREAT, 0666)) >= 0);
	WANT((stat_of("f").st_mode & 07777) == 0640);
	WANT(!mkdir("d", 0777) && (stat_of("d").st_mode & 07777) == 0750);
	WANT(!chmod("f", 06755) && (stat_of("f").st_mode & 07777) == 06755);
	WANT(!fchmod(fd, 0) && (stat_of("f").st_mode & 07777) == 0);
	FAILS(chmod("none", 0644), ENOENT);
	WANT(!symlink("f", "l") && !chmod("l", 0600) && (stat_of("f").st_mode & 07777) == 0600);
	/* Made for writing by nobody, yet open for it. */
	WANT((fd = open("g", O_RDWR | O_CREAT, 0)) >= 0 && write(fd, "x", 1) == 1);
}

static void owners(void)
{
	WANT((stat_of(".").st_uid | stat_of(".").st_gid) == 0);
	touch("f");
	WANT(!chmod("f", 06755) && !chown("f", 1000, 1001));
	WANT(stat_of("f").st_uid == 1000 && stat_of("f").st_gid == 1001);
	tell("suid after chown by root", "%o", stat_of("f").st_mode & 07777);
	WANT(!chown("f", -1, 7) && stat_of("f").st_uid == 1000 && stat_of("f").st_gid == 7);
	WANT(!symlink("f", "l") && !lchown("l", 5, 6));
	WANT(stat_of("l").st_uid == 5 && stat_of("f").st_uid == 1000);
	/* A directory with the group's bit gives its group on, and to directories the bit, too. */
	WANT(!mkdir("d", 0755) && !chown("d", 0, 42) && !chmod("d", 02777));
	touch("d/f");
	WANT(stat_of("d/f").st_gid == 42);
	WANT(!mkdir("d/s", 0755) && stat_of("d/s").st_gid == 42);
	WANT(stat_of("d/s").st_mode & S_ISGID);
}

static void nobody_owns(void)
{
	FAILS(chown("mine", 0, -1), EPERM);
	FAILS(chmod("roots", 0777), EPERM);
	FAILS(open("roots", O_RDONLY), EACCES);
	FAILS(open("readable", O_WRONLY), EACCES);
	WANT(open("readable", O_RDONLY) >= 0);
	FAILS(truncate("readable", 0), EACCES);
	FAILS(access("readable", W_OK), EACCES);
	FAILS(open("closed/f", O_RDONLY), EACCES);
	FAILS(open("closed/new", O_RDWR | O_CREAT, 0644), EACCES);
	FAILS(mkdir("closed/d", 0755), EACCES);
	FAILS(unlink("unwritable/f"), EACCES);
	FAILS(rename("unwritable/f", "f"), EACCES);
	FAILS(utimensat(AT_FDCWD, "roots", NULL, 0), EACCES);
	/* Of a sticky directory only one's own goes. */
	FAILS(unlink("sticky/roots"), EPERM);
	FAILS(rename("sticky/roots", "sticky/x"), EPERM);
	WANT(!rename("sticky/mine", "sticky/y") && !unlink("sticky/y"));
	FAILS(mknod("dev", S_IFCHR | 0600, makedev(1, 3)), EPERM);
	WANT(!mkfifo("fifo", 0600));
	/* By a write of another than root. */
	WANT(write(open("suid", O_WRONLY), "x", 1) == 1);
	WANT(!(stat_of("suid").st_mode & S_ISUID));
}

static void permissions(void)
{
	static const char *const dirs[] = { "closed", "unwritable", "sticky" };

	for (int i = 0; i < 3; i++)
		WANT(!mkdir(dirs[i], 0755));
	touch("closed/f");
	touch("unwritable/f");
	touch("sticky/roots");
	touch("sticky/mine");
	touch("mine");
	touch("roots");
	touch("readable");
	touch("suid");
	WANT(!chown("mine", 65534, 65534) && !chown("sticky/mine", 65534, 65534));
	WANT(!chmod("closed", 0600) && !chmod("sticky", 01777) && !chmod("roots", 0600));
	WANT(!chmod("suid", 04666) && !chmod("unwritable", 0555));
	as_nobody(nobody_owns);
}

static void times(void)
{
	struct timespec set[2] = { { 1000000000, 123456789 }, { 2000000000, 987654321 } };
	struct stat a, b;
	int fd;

	touch("f");
	a = stat_of("f");
	tick();
	fd = open("f", O_RDWR);
	WANT(write(fd, "x", 1) == 1);
	b = stat_of("f");
	WANT(later(b.st_mtim, a.st_mtim) && later(b.st_ctim, a.st_ctim));
	a = b;
	tick();
	WANT(!chmod("f", 0600));
	b = stat_of("f");
	WANT(!later(b.st_mtim, a.st_mtim) && later(b.st_ctim, a.st_ctim));
	a = b;
	tick();
	WANT(!link("f", "g") && later(stat_of("f").st_ctim, a.st_ctim));
	a = stat_of("f");
	tick();
	WANT(!ftruncate(fd, 0));
	b = stat_of("f");
	WANT(later(b.st_mtim, a.st_mtim) && later(b.st_ctim, a.st_ctim));
	WANT(!futimens(fd, set));
	b = stat_of("f");
	WANT(b.st_atim.tv_sec == 1000000000 && b.st_mtim.tv_sec == 2000000000);
	WANT(b.st_atim.tv_nsec == 123456789 && b.st_mtim.tv_nsec == 987654321);
	set[0].tv_nsec = UTIME_OMIT;
	set[1].tv_nsec = UTIME_NOW;
	WANT(!futimens(fd, set));
	b = stat_of("f");
	WANT(b.st_atim.tv_sec == 1000000000 && later(b.st_mtim, a.st_mtim));
}

static void times_of_dirs(void)
{
	struct stat a;

	WANT(!mkdir("d", 0755) && !mkdir("e", 0755));
#define CHANGES(what) \
	do { \
		a = stat_of("d"); \
		tick(); \
		WANT(what); \
		WANT(later(stat_of("d").st_mtim, a.st_mtim)); \
		WANT(later(stat_of("d").st_ctim, a.st_ctim)); \
	} while (0)
	CHANGES((close(make("d/f", 0)), true));
	CHANGES(!link("d/f", "d/g"));
	CHANGES(!rename("d/g", "d/h"));
	CHANGES(!rename("d/h", "e/h"));
	CHANGES(!rename("e/h", "d/h"));
	CHANGES(!unlink("d/h"));
	CHANGES(!mkdir("d/s", 0755));
	CHANGES(!rmdir("d/s"));
	CHANGES(!symlink("x", "d/l"));
	CHANGES(!mkfifo("d/p", 0600));
}

static void special_files(void)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX, .sun_path = "socket" };
	int fd, client;
	char c = 0;

	WANT(!mkfifo("fifo", 0600) && S_ISFIFO(stat_of("fifo").st_mode));
	FAILS(mkfifo("fifo", 0600), EEXIST);
	FAILS(open("fifo", O_WRONLY | O_NONBLOCK), ENXIO);
	WANT((fd = open("fifo", O_RDWR)) >= 0 && write(fd, "p", 1) == 1 && read(fd, &c, 1) == 1);
	WANT(c == 'p' && stat_of("fifo").st_size == 0);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	WANT(fd >= 0 && !bind(fd, (struct sockaddr *)&name, sizeof(name)) && !listen(fd, 1));
	WANT(S_ISSOCK(stat_of("socket").st_mode));
	client = socket(AF_UNIX, SOCK_STREAM, 0);
	WANT(!connect(client, (struct sockaddr *)&name, sizeof(name)));
	FAILS(open("socket", O_RDWR), ENXIO);
	client = socket(AF_UNIX, SOCK_STREAM, 0);
	FAILS(bind(client, (struct sockaddr *)&name, sizeof(name)), EADDRINUSE);
	WANT(!mknod("null", S_IFCHR | 0666, makedev(1, 3)) && S_ISCHR(stat_of("null").st_mode));
	WANT(stat_of("null").st_rdev == makedev(1, 3));
	WANT(!mknod("file", S_IFREG | 0600, 0) && S_ISREG(stat_of("file").st_mode));
}

static void locked_child(void)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 5, .l_len = 10 };
	int fd = open("f", O_RDWR);

	WANT(fcntl(fd, F_SETLK, &lock) == -1 && (errno == EAGAIN || errno == EACCES));
	WANT(!fcntl(fd, F_GETLK, &lock) && lock.l_type == F_WRLCK);
	WANT(lock.l_start == 0 && lock.l_len == 10);
	lock = (struct flock){ .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 10, .l_len = 0 };
	WANT(!fcntl(fd, F_SETLK, &lock));
	FAILS(flock(fd, LOCK_EX | LOCK_NB), EWOULDBLOCK);
}

static void locks(void)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 10 };
	int fd = make("f", 0);

	WANT(!fcntl(fd, F_SETLK, &lock) && !flock(fd, LOCK_SH));
	if (in_child(locked_child))
		_exit(1);
	/* Its locks went with it. */
	lock.l_len = 0;
	WANT(!fcntl(fd, F_SETLK, &lock) && !flock(fd, LOCK_EX));
}

static void attributes(void)
{
	char buf[64];
	int fd = make("f", 0);

	WANT(fsetxattr(fd, "trusted.t", "value", 5, XATTR_CREATE) == 0);
	FAILS(setxattr("f", "trusted.t", "v", 1, XATTR_CREATE), EEXIST);
	FAILS(setxattr("f", "trusted.none", "v", 1, XATTR_REPLACE), ENODATA);
	WANT(getxattr("f", "trusted.t", buf, sizeof(buf)) == 5 && !memcmp(buf, "value", 5));
	WANT(getxattr("f", "trusted.t", NULL, 0) == 5);
	FAILS(getxattr("f", "trusted.t", buf, 2), ERANGE);
	FAILS(getxattr("f", "trusted.none", buf, 2), ENODATA);
	WANT(listxattr("f", buf, sizeof(buf)) >= 10 && memmem(buf, sizeof(buf), "trusted.t", 10));
	WANT(!removexattr("f", "trusted.t"));
	FAILS(removexattr("f", "trusted.t"), ENODATA);
	FAILS(setxattr("f", "nonsense.t", "v", 1, 0), EOPNOTSUPP);
}

static void limits(void)
{
	struct statvfs fs, after;
	static char buf[1 << 20];
	int fd = make("f", 0);

	memset(buf, 'b', sizeof(buf));
	WANT(!statvfs(".", &fs) && fs.f_bsize > 0 && fs.f_namemax == 255);
	WANT(fs.f_blocks >= fs.f_bfree);
	WANT(fs.f_bfree >= fs.f_bavail && fs.f_bavail > 0);
	WANT(write(fd, buf, sizeof(buf)) == sizeof(buf) && !statvfs(".", &after));
	WANT((fs.f_bfree - after.f_bfree) * fs.f_frsize >= sizeof(buf));
	WANT(stat_of("f").st_blocks * 512 == sizeof(buf));
	WANT(!unlink("f") && !close(fd) && !statvfs(".", &after));
	WANT(after.f_bfree >= fs.f_bfree);
	WANT(pathconf(".", _PC_LINK_MAX) >= 8 && pathconf(".", _PC_PATH_MAX) >= 255);
	WANT(pathconf("/proc/self/cwd", _PC_PIPE_BUF) >= 512);
	WANT(fs.f_files == 0 || fs.f_files >= fs.f_ffree);
}

static void full(void)
{
	struct statvfs fs;
	static char buf[1 << 20];
	ssize_t n;
	off_t size = 0;
	int fd = make("f", 0);

	memset(buf, 'f', sizeof(buf));
	WANT(!statvfs(".", &fs));
	/* What more than fills it. */
	WANT(posix_fallocate(make("g", 0), 0, (fs.f_bfree + 1) * fs.f_frsize) == ENOSPC);
	WANT(!unlink("g"));
	while ((n = write(fd, buf, sizeof(buf))) > 0)
		size += n;
	WANT(n == -1 && errno == ENOSPC && size > 0 && stat_of("f").st_size == size);
	/* All of it is there. */
	WANT(!lseek(fd, 0, SEEK_SET));
	for (off_t at = 0; at < size; at += n) {
		n = read(fd, buf, sizeof(buf));
		WANT(n > 0 && buf[0] == 'f' && !memcmp(buf, buf + 1, n - 1));
	}
	WANT(!ftruncate(fd, 0) && write(fd, buf, sizeof(buf)) == sizeof(buf));
}

const struct check meta_checks[] = {
	{ "modes", modes },
	{ "owners", owners },
	{ "permissions", permissions },
	{ "times", times },
	{ "times_of_dirs", times_of_dirs },
	{ "special_files", special_files },
	{ "locks", locks },
	{ "attributes", attributes },
	{ "limits", limits },
	{ "full", full },
	{ },
};
