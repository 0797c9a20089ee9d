// SPDX-License-Identifier: GPL-2.0
/* Directories and what is in them: open, link, unlink, rename, mkdir, symlink, readdir. */
#include "posix.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void open_flags(void)
{
	int fd;

	FAILS(open("none", O_RDONLY), ENOENT);
	touch("f");
	FAILS(open("f", O_RDWR | O_CREAT | O_EXCL, 0644), EEXIST);
	FAILS(open("f", O_RDONLY | O_DIRECTORY), ENOTDIR);
	FAILS(open("f/x", O_RDONLY), ENOTDIR);
	FAILS(open("none/x", O_RDWR | O_CREAT, 0644), ENOENT);
	WANT(!mkdir("d", 0755));
	FAILS(open("d", O_WRONLY), EISDIR);
	FAILS(open("d", O_RDWR), EISDIR);
	WANT((fd = open("d", O_RDONLY)) >= 0);
	FAILS(read(fd, &fd, sizeof(fd)), EISDIR);
	put("f", "abc");
	WANT((fd = open("f", O_WRONLY)) >= 0);
	FAILS(read(fd, &fd, 1), EBADF);
	WANT((fd = open("f", O_RDONLY)) >= 0);
	FAILS(write(fd, "x", 1), EBADF);
	WANT(holds("f", "abc"));
	WANT((fd = open("f", O_WRONLY | O_TRUNC)) >= 0);
	WANT(stat_of("f").st_size == 0);
}

static void open_links(void)
{
	WANT(!symlink("none", "dangling"));
	FAILS(open("dangling", O_RDWR | O_CREAT | O_EXCL, 0644), EEXIST);
	FAILS(open("dangling", O_RDONLY), ENOENT);
	WANT(open("dangling", O_RDWR | O_CREAT, 0644) >= 0);
	WANT(exists("none"));
	FAILS(open("dangling", O_RDONLY | O_NOFOLLOW), ELOOP);
	WANT(!symlink("a", "b") && !symlink("b", "a"));
	FAILS(open("a", O_RDONLY), ELOOP);
	FAILS(open("a/x", O_RDONLY), ELOOP);
}

static void names_long(void)
{
	char name[NAME_MAX + 2];
	long max = pathconf(".", _PC_NAME_MAX);

	WANT(max == NAME_MAX);
	memset(name, 'n', sizeof(name));
	name[NAME_MAX + 1] = 0;
	FAILS(open(name, O_RDWR | O_CREAT, 0644), ENAMETOOLONG);
	FAILS(mkdir(name, 0755), ENAMETOOLONG);
	FAILS(symlink("x", name), ENAMETOOLONG);
	touch("f");
	FAILS(link("f", name), ENAMETOOLONG);
	FAILS(rename("f", name), ENAMETOOLONG);
	name[NAME_MAX] = 0;
	touch(name);
	WANT(!rename(name, "g") && exists("g") && !exists(name));
	touch("\001 \377\n");
	WANT(exists("\001 \377\n") && !unlink("\001 \377\n"));
}

static void mkdir_rmdir(void)
{
	WANT(!mkdir("d", 0755));
	FAILS(mkdir("d", 0755), EEXIST);
	touch("f");
	FAILS(mkdir("f", 0755), EEXIST);
	FAILS(mkdir("f/d", 0755), ENOTDIR);
	FAILS(mkdir("none/d", 0755), ENOENT);
	WANT(!symlink("none", "l"));
	FAILS(mkdir("l", 0755), EEXIST);
	FAILS(rmdir("f"), ENOTDIR);
	FAILS(rmdir("l"), ENOTDIR);
	FAILS(rmdir("none"), ENOENT);
	touch("d/f");
	WANT(rmdir("d") == -1 && (errno == ENOTEMPTY || errno == EEXIST));
	FAILS(rmdir("d/."), EINVAL);
	WANT(!unlink("d/f") && !rmdir("d") && !exists("d"));
	FAILS(unlink("none"), ENOENT);
	WANT(!mkdir("e", 0755));
	WANT(unlink("e") == -1 && (errno == EISDIR || errno == EPERM));
	WANT(!rmdir("e/"));
}

static void dir_links(void)
{
	WANT(!mkdir("d", 0755));
	WANT(stat_of("d").st_nlink == 2);
	WANT(!mkdir("d/a", 0755) && !mkdir("d/b", 0755));
	WANT(stat_of("d").st_nlink == 4);
	WANT(!rename("d/a", "a") && stat_of("d").st_nlink == 3);
	WANT(!rename("a", "d/b"));	/* over an empty directory */
	WANT(stat_of("d").st_nlink == 3 && !exists("a"));
	WANT(!rmdir("d/b") && stat_of("d").st_nlink == 2);
	WANT(stat_of("d/..").st_ino == stat_of(".").st_ino);
}

static void dir_removed(void)
{
	int fd;

	WANT(!mkdir("d", 0755) && (fd = open("d", O_RDONLY | O_DIRECTORY)) >= 0);
	WANT(!rmdir("d"));
	FAILS(openat(fd, "f", O_RDWR | O_CREAT, 0644), ENOENT);
	FAILS(mkdirat(fd, "s", 0755), ENOENT);
}

static void links(void)
{
	struct stat a, b;

	put("a", "text");
	WANT(stat_of("a").st_nlink == 1);
	WANT(!link("a", "b"));
	a = stat_of("a");
	b = stat_of("b");
	WANT(a.st_ino == b.st_ino && a.st_dev == b.st_dev && a.st_nlink == 2);
	put("b", "other");
	WANT(holds("a", "other"));
	FAILS(link("a", "b"), EEXIST);
	FAILS(link("none", "c"), ENOENT);
	FAILS(link("a", "none/c"), ENOENT);
	WANT(!mkdir("d", 0755));
	FAILS(link("d", "e"), EPERM);
	FAILS(link("a", "d"), EEXIST);
	WANT(!unlink("a") && holds("b", "other") && stat_of("b").st_nlink == 1);
	WANT(!symlink("b", "l") && !linkat(AT_FDCWD, "l", AT_FDCWD, "m", 0));
	WANT(S_ISLNK(stat_of("m").st_mode));
	WANT(!linkat(AT_FDCWD, "l", AT_FDCWD, "n", AT_SYMLINK_FOLLOW));
	WANT(stat_of("n").st_ino == stat_of("b").st_ino);
}

static void unlinked_lives(void)
{
	char buf[8] = "";
	struct stat st;
	int fd = make("f", 0);

	WANT(write(fd, "before", 6) == 6 && !unlink("f") && !exists("f"));
	WANT(!fstat(fd, &st) && st.st_nlink == 0 && st.st_size == 6);
	WANT(write(fd, "x", 1) == 1 && pread(fd, buf, 7, 0) == 7 && !memcmp(buf, "beforex", 7));
	touch("f");
	WANT(stat_of("f").st_ino != st.st_ino || stat_of("f").st_size == 0);
}

static void rename_files(void)
{
	ino_t ino;

	put("a", "a");
	put("b", "b");
	ino = stat_of("a").st_ino;
	WANT(!rename("a", "b") && !exists("a") && holds("b", "a"));
	WANT(stat_of("b").st_ino == ino && stat_of("b").st_nlink == 1);
	FAILS(rename("none", "b"), ENOENT);
	WANT(holds("b", "a"));
	FAILS(rename("b", "none/x"), ENOENT);
	WANT(!rename("b", "b") && holds("b", "a"));
	/* Two names of one file: nothing is done. */
	WANT(!link("b", "c") && !rename("b", "c") && exists("b") && exists("c"));
	WANT(stat_of("c").st_nlink == 2);
	WANT(!symlink("b", "l") && !rename("l", "m"));
	WANT(S_ISLNK(stat_of("m").st_mode));
}

static void rename_dirs(void)
{
	WANT(!mkdir("a", 0755) && !mkdir("a/s", 0755) && !mkdir("b", 0755) && !mkdir("c", 0755));
	touch("f");
	touch("c/f");
	FAILS(rename("a", "f"), ENOTDIR);
	FAILS(rename("f", "a"), EISDIR);
	FAILS(rename("a", "a/s/x"), EINVAL);
	WANT(rename("a", "c") == -1 && (errno == ENOTEMPTY || errno == EEXIST));
	WANT(!rename("a", "b") && exists("b/s") && !exists("a"));
	WANT(!rename("b/s", "s") && stat_of("s/..").st_ino == stat_of(".").st_ino);
	WANT(rename("s", ".") == -1 && (errno == EBUSY || errno == EINVAL || errno == EEXIST ||
					errno == ENOTEMPTY));
	WANT(!rename("s", "c/s") && exists("c/s"));
	WANT(stat_of("c/s/..").st_ino == stat_of("c").st_ino);
	FAILS(rename("f", "f/x"), ENOTDIR);
}

static void rename_flags(void)
{
	ino_t a, b;

	put("a", "a");
	put("b", "b");
	FAILS(renameat2(AT_FDCWD, "a", AT_FDCWD, "b", RENAME_NOREPLACE), EEXIST);
	WANT(!renameat2(AT_FDCWD, "a", AT_FDCWD, "c", RENAME_NOREPLACE) && exists("c"));
	WANT(!mkdir("d", 0755));
	a = stat_of("c").st_ino;
	b = stat_of("d").st_ino;
	WANT(!renameat2(AT_FDCWD, "c", AT_FDCWD, "d", RENAME_EXCHANGE));
	WANT(stat_of("d").st_ino == a && stat_of("c").st_ino == b && holds("d", "a"));
	FAILS(renameat2(AT_FDCWD, "c", AT_FDCWD, "none", RENAME_EXCHANGE), ENOENT);
}

static void rename_open(void)
{
	char c;
	int fd;

	put("old", "o");
	put("new", "n");
	WANT((fd = open("new", O_RDONLY)) >= 0);
	WANT(!rename("old", "new"));
	WANT(pread(fd, &c, 1, 0) == 1 && c == 'n');
	WANT(holds("new", "o"));
}

static void symlinks(void)
{
	char target[PATH_MAX], buf[PATH_MAX];

	FAILS(symlink("", "l"), ENOENT);
	memset(target, 't', sizeof(target));
	for (size_t len = 1; len < PATH_MAX; len = len * 3 + 1) {
		target[len] = 0;
		WANT(!symlink(target, "l"));
		WANT(stat_of("l").st_size == (off_t)len);
		WANT(readlink("l", buf, sizeof(buf)) == (ssize_t)len && !memcmp(buf, target, len));
		WANT(readlink("l", buf, 1) == 1 && buf[0] == 't');
		FAILS(symlink("x", "l"), EEXIST);
		WANT(!unlink("l"));
		target[len] = 't';
	}
	touch("f");
	FAILS(readlink("f", buf, sizeof(buf)), EINVAL);
	FAILS(readlink("none", buf, sizeof(buf)), ENOENT);
	WANT(!mkdir("d", 0755) && !symlink("d", "ld") && !symlink("../f", "d/up"));
	WANT(exists("ld/up") && !access("ld/up", R_OK));
	FAILS(rmdir("ld"), ENOTDIR);
	WANT(!unlink("ld") && exists("d"));
}

static int entries(DIR *dir, unsigned char *seen, int nr)
{
	struct dirent *e;
	int found = 0;

	while ((e = readdir(dir))) {
		int i;

		if (sscanf(e->d_name, "e%d", &i) != 1)
			continue;
		WANT(i >= 0 && i < nr && !seen[i]);
		seen[i] = 1;
		found++;
	}
	return found;
}

#define ENTRIES	700

static void readdir_all(void)
{
	static unsigned char seen[ENTRIES];
	struct dirent *e;
	char name[16];
	DIR *dir;
	int dots = 0;
	bool dot_dot = false;

	for (int i = 0; i < ENTRIES; i++) {
		snprintf(name, sizeof(name), "e%d", i);
		touch(name);
	}
	WANT((dir = opendir(".")));
	WANT(entries(dir, seen, ENTRIES) == ENTRIES);
	/* rewinddir() shows what has changed since. */
	touch("late");
	WANT(!unlink("e5"));
	rewinddir(dir);
	while ((e = readdir(dir))) {
		struct stat st;

		dots += !strcmp(e->d_name, ".") || !strcmp(e->d_name, "..");
		dot_dot |= !strcmp(e->d_name, "late");
		WANT(strcmp(e->d_name, "e5"));
		if (e->d_name[0] == 'e') {
			st = stat_of(e->d_name);
			WANT(st.st_ino == e->d_ino && e->d_type == DT_REG);
		}
	}
	WANT(dots == 2 && dot_dot);
	closedir(dir);
}

/* Each entry that stays is seen once, whatever else is removed and made meanwhile. */
static void readdir_changes(void)
{
	static unsigned char seen[ENTRIES];
	struct dirent *e;
	char name[16];
	DIR *dir;
	int n = 0, i;

	for (i = 0; i < ENTRIES; i++) {
		snprintf(name, sizeof(name), "e%d", i);
		touch(name);
	}
	WANT((dir = opendir(".")));
	while ((e = readdir(dir))) {
		if (sscanf(e->d_name, "e%d", &i) != 1)
			continue;
		WANT(!seen[i]);
		seen[i] = 1;
		/* What has been seen goes; what comes has other names. */
		WANT(!unlink(e->d_name));
		snprintf(name, sizeof(name), "n%d", n++);
		if (n % 3 == 0)
			touch(name);
	}
	for (i = 0; i < ENTRIES; i++)
		WANT(seen[i]);
	closedir(dir);
}

static void readdir_seek(void)
{
	char name[16], at[NAME_MAX + 1];
	struct dirent *e;
	long pos[64];
	char names[64][NAME_MAX + 1];
	DIR *dir;
	int nr = 0;

	for (int i = 0; i < 50; i++) {
		snprintf(name, sizeof(name), "e%d", i);
		touch(name);
	}
	WANT((dir = opendir(".")));
	for (;;) {
		pos[nr] = telldir(dir);
		e = readdir(dir);
		if (!e)
			break;
		strcpy(names[nr++], e->d_name);
		WANT(nr < 64);
	}
	for (int i = nr - 1; i >= 0; i -= 7) {
		seekdir(dir, pos[i]);
		WANT((e = readdir(dir)));
		strcpy(at, e->d_name);
		WANT(!strcmp(at, names[i]));
	}
	closedir(dir);
}

static void tmpfile_link(void)
{
	char path[64];
	int fd = open(".", O_TMPFILE | O_RDWR, 0600);
	struct stat st;

	WANT(fd >= 0 && write(fd, "t", 1) == 1 && !fstat(fd, &st) && st.st_nlink == 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	WANT(!linkat(AT_FDCWD, path, AT_FDCWD, "named", AT_SYMLINK_FOLLOW));
	WANT(holds("named", "t") && stat_of("named").st_nlink == 1);
	WANT((fd = open(".", O_TMPFILE | O_RDWR | O_EXCL, 0600)) >= 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	FAILS(linkat(AT_FDCWD, path, AT_FDCWD, "other", AT_SYMLINK_FOLLOW), ENOENT);
}

const struct check name_checks[] = {
	{ "open_flags", open_flags },
	{ "open_links", open_links },
	{ "names_long", names_long },
	{ "mkdir_rmdir", mkdir_rmdir },
	{ "dir_links", dir_links },
	{ "dir_removed", dir_removed },
	{ "links", links },
	{ "unlinked_lives", unlinked_lives },
	{ "rename_files", rename_files },
	{ "rename_dirs", rename_dirs },
	{ "rename_flags", rename_flags },
	{ "rename_open", rename_open },
	{ "symlinks", symlinks },
	{ "readdir_all", readdir_all },
	{ "readdir_changes", readdir_changes },
	{ "readdir_seek", readdir_seek },
	{ "tmpfile_link", tmpfile_link },
	{ },
};
