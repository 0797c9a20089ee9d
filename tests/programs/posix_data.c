// SPDX-License-Identifier: GPL-2.0
/* What files contain: read, write, lseek, truncate, mmap, fallocate. */
#include "posix.h"

#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <sys/wait.h>

#define PAGE	4096
#define MIB	1048576

static bool zeroes(const char *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (p[i])
			return false;
	return true;
}

static void fill(char *p, size_t len, unsigned int seed)
{
	for (size_t i = 0; i < len; i++) {
		seed = seed * 1103515245 + 12345;
		p[i] = seed >> 16;
	}
}

static void read_write(void)
{
	void *volatile nowhere = (void *)8;
	char buf[64];
	int fd = make("f", 0);

	WANT(read(fd, buf, sizeof(buf)) == 0);
	WANT(write(fd, "0123456789", 10) == 10);
	WANT(lseek(fd, 0, SEEK_CUR) == 10);
	WANT(read(fd, buf, sizeof(buf)) == 0);
	WANT(lseek(fd, 8, SEEK_SET) == 8 && read(fd, buf, sizeof(buf)) == 2 && buf[0] == '8');
	WANT(pread(fd, buf, 3, 4) == 3 && !memcmp(buf, "456", 3) && lseek(fd, 0, SEEK_CUR) == 10);
	WANT(pwrite(fd, "xy", 2, 9) == 2 && stat_of("f").st_size == 11);
	WANT(pread(fd, buf, 5, 11) == 0 && pread(fd, buf, 5, 1000) == 0);
	WANT(write(fd, buf, 0) == 0);
	FAILS(pread(fd, buf, 1, -1), EINVAL);
	FAILS(pwrite(fd, buf, 1, -1), EINVAL);
	FAILS(write(fd, nowhere, 4), EFAULT);
	FAILS(pread(fd, nowhere, 4, 0), EFAULT);
	WANT(stat_of("f").st_size == 11 && pread(fd, buf, 64, 0) == 11);
	WANT(!memcmp(buf, "012345678xy", 11));
}

static void vectors(void)
{
	char a[3] = "abc", b[5] = "defgh", c[8] = "", d[8] = "";
	struct iovec out[] = { { a, 3 }, { NULL, 0 }, { b, 5 } };
	struct iovec in[] = { { c, 2 }, { d, 8 } };
	volatile int none = -1;
	int fd = make("f", 0);

	WANT(writev(fd, out, 3) == 8);
	WANT(preadv(fd, in, 2, 0) == 8 && !memcmp(c, "ab", 2) && !memcmp(d, "cdefgh", 6));
	WANT(pwritev(fd, out, 3, 100) == 8 && stat_of("f").st_size == 108);
	FAILS(writev(fd, out, none), EINVAL);
}

static void append(void)
{
	char buf[16];
	int fd = make("f", O_APPEND), other;

	WANT(write(fd, "one", 3) == 3);
	WANT((other = open("f", O_WRONLY | O_APPEND)) >= 0 && write(other, "two", 3) == 3);
	WANT(lseek(fd, 0, SEEK_SET) == 0 && write(fd, "three", 5) == 5);
	WANT(lseek(fd, 0, SEEK_CUR) == 11);
	WANT(pread(fd, buf, 16, 0) == 11 && !memcmp(buf, "onetwothree", 11));
}

#define APPENDS		200

static void appender(void)
{
	int fd = open("f", O_WRONLY | O_APPEND);
	char line[100];

	memset(line, 'a' + getpid() % 20, sizeof(line));
	line[99] = '\n';
	for (int i = 0; i < APPENDS; i++)
		if (write(fd, line, sizeof(line)) != sizeof(line))
			_exit(1);
}

/* What is appended at once stays together. */
static void append_together(void)
{
	static char buf[3 * APPENDS * 100 + 1];
	int fd = make("f", 0), status;

	fflush(stdout);
	for (int i = 0; i < 3; i++) {
		if (!fork()) {
			appender();
			_exit(0);
		}
	}
	for (int i = 0; i < 3; i++)
		WANT(wait(&status) > 0 && !status);
	WANT(pread(fd, buf, sizeof(buf), 0) == sizeof(buf) - 1);
	for (size_t i = 0; i < sizeof(buf) - 1; i += 100)
		WANT(buf[i + 99] == '\n' && !memcmp(buf + i, buf + i + 1, 98));
}

static void holes(void)
{
	static char buf[3 * MIB];
	int fd = make("f", 0);

	WANT(pwrite(fd, "x", 1, 2 * MIB + 100) == 1);
	WANT(pread(fd, buf, sizeof(buf), 0) == 2 * MIB + 101);
	WANT(zeroes(buf, 2 * MIB + 100) && buf[2 * MIB + 100] == 'x');
	WANT(stat_of("f").st_blocks * 512 < MIB);
	WANT(pwrite(fd, "y", 1, (off_t)1 << 40) == 1);
	WANT(stat_of("f").st_size == ((off_t)1 << 40) + 1);
	WANT(pread(fd, buf, PAGE, (off_t)1 << 39) == PAGE && zeroes(buf, PAGE));
	WANT(pread(fd, buf, 8, (off_t)1 << 40) == 1 && buf[0] == 'y');
}

static void seeks(void)
{
	int fd = make("f", 0);

	WANT(write(fd, "abc", 3) == 3);
	WANT(lseek(fd, 5, SEEK_END) == 8);
	FAILS(lseek(fd, -9, SEEK_CUR), EINVAL);
	WANT(lseek(fd, 0, SEEK_CUR) == 8);
	FAILS(lseek(fd, 0, 99), EINVAL);
	FAILS(lseek(fd, 3, SEEK_DATA), ENXIO);
	FAILS(lseek(fd, 3, SEEK_HOLE), ENXIO);
	WANT(lseek(fd, 0, SEEK_DATA) == 0 && lseek(fd, 1, SEEK_HOLE) == 3);
	WANT(!ftruncate(fd, 8 * MIB) && pwrite(fd, "x", 1, 4 * MIB) == 1);
	WANT(lseek(fd, MIB, SEEK_DATA) <= 4 * MIB && lseek(fd, MIB, SEEK_DATA) >= MIB);
	WANT(lseek(fd, 4 * MIB, SEEK_DATA) == 4 * MIB);
	WANT(lseek(fd, 4 * MIB, SEEK_HOLE) > 4 * MIB && lseek(fd, 4 * MIB, SEEK_HOLE) <= 8 * MIB);
	tell("data", "%ld", (long)lseek(fd, PAGE, SEEK_DATA));
	tell("hole", "%ld", (long)lseek(fd, 4 * MIB, SEEK_HOLE));
}

static void truncates(void)
{
	static char buf[2 * PAGE];
	int fd = make("f", 0);

	memset(buf, 'd', sizeof(buf));
	WANT(write(fd, buf, sizeof(buf)) == sizeof(buf));
	WANT(!ftruncate(fd, 100) && stat_of("f").st_size == 100);
	WANT(!ftruncate(fd, 2 * PAGE) && pread(fd, buf, sizeof(buf), 0) == 2 * PAGE);
	WANT(buf[99] == 'd' && zeroes(buf + 100, 2 * PAGE - 100));
	WANT(lseek(fd, 0, SEEK_CUR) == 2 * PAGE);	/* the position stays */
	FAILS(ftruncate(fd, -1), EINVAL);
	FAILS(truncate(".", 0), EISDIR);
	FAILS(truncate("none", 0), ENOENT);
	WANT(!truncate("f", 0) && stat_of("f").st_size == 0 && stat_of("f").st_blocks == 0);
	WANT((fd = open("f", O_RDONLY)) >= 0);
	FAILS(ftruncate(fd, 1), EINVAL);
	WANT(!truncate("f", (off_t)1 << 41) && stat_of("f").st_size == (off_t)1 << 41);
	WANT(stat_of("f").st_blocks == 0);
}

static volatile sig_atomic_t signalled;
static sigjmp_buf jump;

static void on_signal(int number)
{
	signalled = number;
}

static void on_bus(int number)
{
	siglongjmp(jump, number);
}

static void limit_size(void)
{
	struct rlimit limit = { 1000, 1000 };
	int fd = make("f", 0);
	static char buf[2000];

	signal(SIGXFSZ, on_signal);
	WANT(!setrlimit(RLIMIT_FSIZE, &limit));
	WANT(write(fd, buf, 2000) == 1000 && !signalled);
	FAILS(write(fd, buf, 1), EFBIG);
	WANT(signalled == SIGXFSZ);
	FAILS(ftruncate(fd, 1001), EFBIG);
	WANT(stat_of("f").st_size == 1000);
}

static void map_shared(void)
{
	static char text[3 * PAGE], buf[3 * PAGE];
	int fd = make("f", 0);
	char *a, *b;

	fill(text, sizeof(text), 1);
	WANT(write(fd, text, sizeof(text)) == sizeof(text));
	a = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	b = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, PAGE);
	WANT(a != MAP_FAILED && b != MAP_FAILED && !memcmp(a, text, sizeof(text)));
	/* By any way in, out by any other. */
	a[PAGE + 7] = 'm';
	WANT(b[7] == 'm' && pread(fd, buf, 1, PAGE + 7) == 1 && buf[0] == 'm');
	WANT(pwrite(fd, "W", 1, PAGE + 8) == 1 && a[PAGE + 8] == 'W' && b[8] == 'W');
	WANT(!munmap(a, 3 * PAGE) && !unlink("f") && b[7] == 'm');
	b[9] = 'u';
	WANT(pread(fd, buf, 1, PAGE + 9) == 1 && buf[0] == 'u');
	close(fd);
	WANT(b[8] == 'W' && b[9] == 'u' && !msync(b, PAGE, MS_SYNC));
}

static void map_private(void)
{
	char buf[4];
	int fd;
	char *p;

	put("f", "original");
	WANT((fd = open("f", O_RDONLY)) >= 0);
	p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	WANT(p != MAP_FAILED && !memcmp(p, "original", 8));
	p[0] = 'X';
	WANT(pread(fd, buf, 1, 0) == 1 && buf[0] == 'o' && holds("f", "original"));
	FAILS(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), EACCES);
	WANT((fd = open("f", O_WRONLY)) >= 0);
	FAILS(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0), EACCES);
	FAILS(mmap(NULL, 0, PROT_READ, MAP_SHARED, open("f", O_RDWR), 0), EINVAL);
	FAILS(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, open("f", O_RDWR), 1), EINVAL);
}

static void map_beyond(void)
{
	int fd = make("f", 0);
	char *p;

	WANT(write(fd, "tail", 4) == 4);
	p = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	WANT(p != MAP_FAILED && zeroes(p + 4, PAGE - 4));
	/* What is written behind the end is not in the file. */
	p[100] = 'x';
	WANT(stat_of("f").st_size == 4);
	WANT(!ftruncate(fd, 200));
	WANT(zeroes(p + 4, 196));
	signal(SIGBUS, on_bus);
	if (!sigsetjmp(jump, 1)) {
		p[PAGE] = 1;
		failed(__LINE__, "no SIGBUS behind the end");
	}
	WANT(!ftruncate(fd, 2 * PAGE));
	p[PAGE] = 1;
	WANT(!ftruncate(fd, 0));
	if (!sigsetjmp(jump, 1)) {
		*(volatile char *)p;
		failed(__LINE__, "no SIGBUS after a truncate");
	}
}

static void map_forked_child(void)
{
	char *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, open("f", O_RDWR), 0);

	p[1] = 'c';
}

static void map_forked(void)
{
	int fd = make("f", 0);
	char *p;

	WANT(!ftruncate(fd, PAGE));
	p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	WANT(p != MAP_FAILED);
	p[0] = 'p';
	WANT(!in_child(map_forked_child) && p[0] == 'p' && p[1] == 'c');
}

/* A write from a mapping of the same file, and a read into one. */
static void map_into_itself(void)
{
	static char text[4 * PAGE];
	int fd = make("f", 0);
	char *p;

	fill(text, sizeof(text), 2);
	WANT(write(fd, text, sizeof(text)) == sizeof(text));
	p = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	WANT(p != MAP_FAILED && pwrite(fd, p, 2 * PAGE, 2 * PAGE) == 2 * PAGE);
	WANT(!memcmp(p + 2 * PAGE, text, 2 * PAGE));
	WANT(pread(fd, p + PAGE, PAGE, 0) == PAGE && !memcmp(p + PAGE, text, PAGE));
}

static void allocate(void)
{
	static char buf[4 * PAGE];
	int fd = make("f", 0);

	WANT(!posix_fallocate(fd, 0, 4 * PAGE) && stat_of("f").st_size == 4 * PAGE);
	WANT(stat_of("f").st_blocks * 512 >= 4 * PAGE);
	WANT(pread(fd, buf, sizeof(buf), 0) == 4 * PAGE && zeroes(buf, sizeof(buf)));
	memset(buf, 'k', sizeof(buf));
	WANT(pwrite(fd, buf, sizeof(buf), 0) == sizeof(buf));
	WANT(!posix_fallocate(fd, 0, 8 * PAGE) && stat_of("f").st_size == 8 * PAGE);
	WANT(pread(fd, buf, PAGE, 0) == PAGE && buf[0] == 'k' && buf[PAGE - 1] == 'k');
	WANT(posix_fallocate(fd, -1, 1) == EINVAL && posix_fallocate(fd, 0, 0) == EINVAL);
	WANT(!fallocate(fd, FALLOC_FL_KEEP_SIZE, 16 * PAGE, PAGE));
	WANT(stat_of("f").st_size == 8 * PAGE);
	WANT(!fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, PAGE / 2, 2 * PAGE));
	WANT(pread(fd, buf, sizeof(buf), 0) == 4 * PAGE);
	WANT(buf[PAGE / 2 - 1] == 'k' && zeroes(buf + PAGE / 2, 2 * PAGE));
	WANT(buf[2 * PAGE + PAGE / 2] == 'k');
	tell("blocks", "%ld", (long)stat_of("f").st_blocks);
}

static void copies(void)
{
	static char text[100000], buf[100000];
	int in = make("in", 0), out = make("out", 0);
	off_t pos = 10;

	fill(text, sizeof(text), 3);
	WANT(write(in, text, sizeof(text)) == sizeof(text));
	WANT(sendfile(out, in, &pos, 50000) == 50000 && pos == 50010);
	WANT(pread(out, buf, sizeof(buf), 0) == 50000 && !memcmp(buf, text + 10, 50000));
	WANT(lseek(in, 0, SEEK_SET) == 0 && lseek(out, 0, SEEK_SET) == 0);
	for (size_t n = 0; n < sizeof(text);) {
		ssize_t part = copy_file_range(in, NULL, out, NULL, sizeof(text) - n, 0);

		WANT(part > 0);
		n += part;
	}
	WANT(pread(out, buf, sizeof(buf), 0) == sizeof(buf) && !memcmp(buf, text, sizeof(buf)));
}

static void syncs(void)
{
	int fd = make("f", O_SYNC), dir = open(".", O_RDONLY | O_DIRECTORY);

	WANT(write(fd, "x", 1) == 1 && !fsync(fd) && !fdatasync(fd) && !fsync(dir));
	WANT(!posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) && holds("f", "x"));
}

/* Larger than a chunk, at offsets that fit nothing, against a copy. */
static void random_data(void)
{
	const size_t size = 5 * MIB + 12345;
	char *copy = calloc(1, size), *buf = malloc(size);
	unsigned int seed = 7;
	int fd = make("f", 0);
	size_t end = 0;
	char *map;

	WANT(copy && buf && !ftruncate(fd, size));
	map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	WANT(map != MAP_FAILED);
	for (int i = 0; i < 300; i++) {
		size_t off = (seed = seed * 1103515245 + 12345) % size;
		size_t len = (seed = seed * 1103515245 + 12345) % 70000;

		len = len < size - off ? len : size - off;
		fill(copy + off, len, seed);
		end = off + len > end ? off + len : end;
		if (i % 3 == 0)
			memcpy(map + off, copy + off, len);
		else
			WANT(pwrite(fd, copy + off, len, off) == (ssize_t)len);
		if (i % 10 == 9) {
			memset(copy + off, 0, len);
			WANT(!len || !fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
						off, len));
		}
	}
	WANT(pread(fd, buf, size, 0) == (ssize_t)size && !memcmp(buf, copy, size));
	WANT(!memcmp(map, copy, size));
}

const struct check data_checks[] = {
	{ "read_write", read_write },
	{ "vectors", vectors },
	{ "append", append },
	{ "append_together", append_together },
	{ "holes", holes },
	{ "seeks", seeks },
	{ "truncates", truncates },
	{ "limit_size", limit_size },
	{ "map_shared", map_shared },
	{ "map_private", map_private },
	{ "map_beyond", map_beyond },
	{ "map_forked", map_forked },
	{ "map_into_itself", map_into_itself },
	{ "allocate", allocate },
	{ "copies", copies },
	{ "syncs", syncs },
	{ "random_data", random_data },
	{ },
};
