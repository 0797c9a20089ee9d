// SPDX-License-Identifier: GPL-2.0
/* Every way to read that makes no mapping. */
#include <pthread.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "fixture.h"

#define SIZE	(5 * CHUNK + 12345)

FIXTURE(read) {};
ITME_FIXTURE(read)

FIXTURE_VARIANT(read)
{
	const char *opts;	/* all fits, or not */
};

FIXTURE_VARIANT_ADD(read, fits) { .opts = "dram=16M" };
FIXTURE_VARIANT_ADD(read, tight) { .opts = "dram=8M" };

TEST_F(read, sequential_odd)
{
	static const size_t steps[] = { 1 * MIB + 1, 65537, 4097, 77777 };
	char *buf = malloc(2 * MIB);
	uint64_t off;
	ssize_t n;
	size_t i;
	int fd;

	MOUNT(variant->opts);
	fd = import_open("f", SIZE, 1, 0);
	ASSERT_LE(0, fd);
	for (i = 0; i < ARRAY_LEN(steps); i++) {
		ASSERT_EQ(0, lseek(fd, 0, SEEK_SET));
		off = 0;
		while ((n = read(fd, buf, steps[i])) > 0) {
			ASSERT_EQ(0, pattern_check(buf, n, off, 1));
			off += n;
		}
		EXPECT_EQ(0, n);
		EXPECT_EQ(SIZE, off);
	}
}

TEST_F(read, random_odd)
{
	char *buf = malloc(300 * KIB);
	unsigned int seed = 7;
	int fd, i;

	MOUNT(variant->opts);
	fd = import_open("f", SIZE, 1, 64 * KIB);
	ASSERT_LE(0, fd);
	for (i = 0; i < 200; i++) {
		uint64_t off = ((uint64_t)rand_r(&seed) << 8) % SIZE + i;
		size_t len = rand_r(&seed) % (i % 4 ? 9000 : 300 * KIB) + 1;
		ssize_t want = off >= SIZE ? 0 : off + len > SIZE ?
						 SIZE - off : len;

		ASSERT_EQ(want, pread(fd, buf, len, off));
		ASSERT_EQ(0, pattern_check(buf, want, off, 1));
	}
}

TEST_F(read, bounds)
{
	struct iovec nowhere = { (void *)16, 64 };
	char buf[64];
	int fd;

	MOUNT(variant->opts);
	fd = import_open("f", SIZE, 1, 0);
	ASSERT_LE(0, fd);
	EXPECT_EQ(0, pread(fd, buf, sizeof(buf), SIZE));
	EXPECT_EQ(0, pread(fd, buf, sizeof(buf), 1ULL << 62));
	EXPECT_EQ(-1, pread(fd, buf, sizeof(buf), -1));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(0, pread(fd, buf, 0, 5));
	EXPECT_EQ(-1, preadv(fd, &nowhere, 1, 0));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(0, lseek(fd, 0, SEEK_DATA));
	EXPECT_EQ(SIZE, lseek(fd, 0, SEEK_HOLE));
	EXPECT_EQ(-1, lseek(fd, -1, SEEK_SET));
	EXPECT_EQ(10, pread(fd, buf, sizeof(buf), SIZE - 10));
	EXPECT_EQ(0, pattern_check(buf, 10, SIZE - 10, 1));
}

TEST_F(read, vectors)
{
	char a[7], b[8191], c[65536];
	struct iovec iov[] = {
		{ a, sizeof(a) }, { b, sizeof(b) }, { c, sizeof(c) },
	};
	uint64_t off = 2 * CHUNK - 5000;
	int fd;

	MOUNT(variant->opts);
	fd = import_open("f", SIZE, 1, 0);
	ASSERT_LE(0, fd);
	ASSERT_EQ(sizeof(a) + sizeof(b) + sizeof(c), preadv(fd, iov, 3, off));
	EXPECT_EQ(0, pattern_check(a, sizeof(a), off, 1));
	EXPECT_EQ(0, pattern_check(b, sizeof(b), off + 7, 1));
	EXPECT_EQ(0, pattern_check(c, sizeof(c), off + 7 + 8191, 1));
	ASSERT_EQ(off, lseek(fd, off, SEEK_SET));
	ASSERT_EQ(sizeof(a) + sizeof(b) + sizeof(c), readv(fd, iov, 3));
	EXPECT_EQ(0, pattern_check(c, sizeof(c), off + 7 + 8191, 1));
}

TEST_F(read, nowait)
{
	char buf[3 * PAGE];
	struct iovec iov = { buf, sizeof(buf) };
	ssize_t n;
	int fd;

	MOUNT(variant->opts);
	fd = import_open("f", SIZE, 1, 0);
	ASSERT_LE(0, fd);
	n = preadv2(fd, &iov, 1, CHUNK + 100, RWF_NOWAIT);
	if (n < 0) {
		EXPECT_TRUE(errno == EAGAIN || errno == EOPNOTSUPP);
	} else {
		EXPECT_EQ(0, pattern_check(buf, n, CHUNK + 100, 1));
	}
	ASSERT_EQ(0, check_read(fd, CHUNK, CHUNK, 1));
	n = preadv2(fd, &iov, 1, CHUNK + 100, RWF_NOWAIT);
	if (n >= 0)
		EXPECT_EQ(0, pattern_check(buf, n, CHUNK + 100, 1));
}

TEST_F(read, direct)
{
	int flags = O_RDONLY | O_DIRECT;
	char *buf = NULL;
	uint64_t off;
	int fd;

	MOUNT(variant->opts);
	fd = import_open("f", SIZE, 1, 0);
	ASSERT_LE(0, fd);
	close(fd);
	fd = file_open("f", flags);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, posix_memalign((void **)&buf, PAGE, MIB));
	for (off = 0; off < SIZE; off += MIB) {
		ssize_t want = SIZE - off < MIB ? SIZE - off : MIB;

		ASSERT_EQ(want, pread(fd, buf, MIB, off));
		ASSERT_EQ(0, pattern_check(buf, want, off, 1));
	}
	EXPECT_EQ(0, pread(fd, buf, MIB, (SIZE / PAGE + 1) * PAGE));
}

TEST_F(read, sendfile)
{
	off_t off = 4321;
	uint64_t done = off;
	int fd, out;

	MOUNT(variant->opts);
	fd = import_open("f", SIZE, 1, 0);
	ASSERT_LE(0, fd);
	out = memfd_create("out", 0);
	ASSERT_LE(0, out);
	while (done < SIZE) {
		ssize_t n = sendfile(out, fd, &off, SIZE);

		ASSERT_LT(0, n);
		done += n;
		ASSERT_EQ(done, off);
	}
	EXPECT_EQ(0, sendfile(out, fd, &off, 10));
	for (done = 0; done + 4321 < SIZE;) {
		char buf[65536];
		ssize_t n = pread(out, buf, sizeof(buf), done);

		ASSERT_LT(0, n);
		ASSERT_EQ(0, pattern_check(buf, n, done + 4321, 1));
		done += n;
	}
}

TEST_F(read, splice)
{
	loff_t off = 3 * PAGE + 5;
	uint64_t at = off;
	char buf[65536];
	int fd, p[2];

	MOUNT(variant->opts);
	fd = import_open("f", SIZE, 1, 0);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, pipe(p));
	while (at < SIZE) {
		ssize_t n = splice(fd, &off, p[1], NULL, sizeof(buf), 0);
		ssize_t m = 0, k;

		ASSERT_LT(0, n);
		while (m < n) {
			k = read(p[0], buf, n - m);
			ASSERT_LT(0, k);
			ASSERT_EQ(0, pattern_check(buf, k, at + m, 1));
			m += k;
		}
		at += n;
	}
	EXPECT_EQ(SIZE, at);
}

TEST_F(read, copied_by_another_process)
{
	int fd;

	MOUNT(variant->opts);
	fd = import_open("f", SIZE, 1, 0);
	ASSERT_LE(0, fd);
	close(fd);
	EXPECT_EQ(0, run_cmd("cmp %s %s/p.%llu.1", file_path("f"), lower_dir(),
			     (unsigned long long)SIZE));
	EXPECT_EQ(0, run_cmd("cp %s %s", file_path("f"), lower_path("copy")));
	fd = open(lower_path("copy"), O_RDONLY);
	ASSERT_LE(0, fd);
	EXPECT_EQ(0, check_read(fd, 0, SIZE, 1));
}

struct reader {
	pthread_t thread;
	int fd, ret, start;
};

static void *read_around(void *arg)
{
	struct reader *r = arg;
	int i;

	for (i = 0; i < 6 && !r->ret; i++) {
		uint64_t off = (r->start + i) % 6 * CHUNK;

		r->ret = check_read(r->fd, off,
				    SIZE - off < CHUNK ? SIZE - off : CHUNK, 1);
	}
	return NULL;
}

TEST_F(read, several_at_once)
{
	struct reader r[4];
	int fd, i;

	MOUNT(variant->opts);
	fd = import_open("f", SIZE, 1, 0);
	ASSERT_LE(0, fd);
	for (i = 0; i < 4; i++) {
		/* two and two begin at the same place, cold */
		r[i] = (struct reader){ .fd = fd, .start = i / 2 * 3 };
		ASSERT_EQ(0, pthread_create(&r[i].thread, NULL, read_around,
					    &r[i]));
	}
	for (i = 0; i < 4; i++) {
		pthread_join(r[i].thread, NULL);
		EXPECT_EQ(0, r[i].ret);
	}
}

TEST_HARNESS_MAIN
