// SPDX-License-Identifier: GPL-2.0
/*
 * Pages that somebody else holds: a pipe that was given them by vmsplice(2),
 * a drive that writes from them with O_DIRECT. They must not leave under it,
 * and nobody may get wrong bytes.
 */
#include <pthread.h>
#include <sys/uio.h>

#include "fixture.h"

#define SIZE	(4 * CHUNK)
#define HELD	(8 * PAGE)

FIXTURE(pin) {};
ITME_FIXTURE(pin)

/* have a pipe hold pages of the mapping */
static int hold(int pipe, char *p)
{
	struct iovec iov = { p, HELD };

	return vmsplice(pipe, &iov, 1, 0) == HELD ? 0 : -1;
}

static int drain(int pipe, uint64_t off)
{
	char buf[HELD];
	size_t n = 0;

	while (n < HELD) {
		ssize_t k = read(pipe, buf + n, HELD - n);

		if (k <= 0)
			return -1;
		n += k;
	}
	return pattern_check(buf, HELD, off, 1);
}

TEST_F(pin, pageout_of_held_pages)
{
	struct itme_stats before, after;
	struct itme_tier_info ti;
	uint64_t done = 77;
	int fd, p[2];
	char *m;

	MOUNT("dram=16M");
	fd = import_open("f", SIZE, 1, 0);
	ASSERT_LE(0, fd);
	m = map_ro(fd, 0, SIZE);
	ASSERT_NE(NULL, m);
	ASSERT_EQ(0, pattern_check(m, SIZE, 0, 1));
	ASSERT_EQ(0, pipe(p));
	ASSERT_EQ(0, hold(p[1], m + CHUNK + 3 * PAGE));
	ASSERT_EQ(0, stats_all(&before));

	ASSERT_EQ(0, advise(fd, 0, 0, ITME_ADVICE_PAGEOUT, ANY, &done));
	ASSERT_EQ(0, stats_all(&after));
	ASSERT_EQ(0, tier_get(DRAM, &ti));
	EXPECT_GT(SIZE, done);
	EXPECT_LE(HELD, resident(fd, CHUNK, CHUNK));
	EXPECT_EQ(0, resident(fd, 0, CHUNK));
	EXPECT_EQ(0, resident(fd, 2 * CHUNK, 2 * CHUNK));
	EXPECT_LE(HELD, ti.busy);
	EXPECT_GE(ti.used, ti.busy);
	EXPECT_LT(before.busy_fails, after.busy_fails);
	EXPECT_EQ(0, pattern_check(m, SIZE, 0, 1));
	EXPECT_EQ(0, drain(p[0], CHUNK + 3 * PAGE));

	/* let go: now it leaves, and is busy no more */
	ASSERT_EQ(0, advise(fd, 0, 0, ITME_ADVICE_PAGEOUT, ANY, &done));
	EXPECT_EQ(SIZE, done);
	EXPECT_EQ(0, resident(fd, 0, 0));
	ASSERT_EQ(0, tier_get(DRAM, &ti));
	EXPECT_EQ(0, ti.busy);
	EXPECT_EQ(0, pattern_check(m, SIZE, 0, 1));
}

TEST_F(pin, move_of_held_pages)
{
	uint64_t done = 77;
	int fd, p[2];
	char *m;

	MOUNT_CXL("dram=16M,cxl=8M");
	fd = import_open("f", SIZE, 1, 0);
	ASSERT_LE(0, fd);
	m = map_ro(fd, 0, SIZE);
	ASSERT_NE(NULL, m);
	ASSERT_EQ(0, pattern_check(m, CHUNK, 0, 1));
	ASSERT_EQ(0, pipe(p));
	ASSERT_EQ(0, hold(p[1], m + PAGE));
	ASSERT_EQ(0, advise(fd, 0, CHUNK, ITME_ADVICE_HOT, CXL, &done));
	EXPECT_GT(CHUNK, done);
	EXPECT_EQ(0, pattern_check(m, CHUNK, 0, 1));
	EXPECT_EQ(0, page_node(m + PAGE));
	EXPECT_EQ(0, drain(p[0], PAGE));
	ASSERT_EQ(0, advise(fd, 0, CHUNK, ITME_ADVICE_HOT, CXL, &done));
	EXPECT_EQ(CHUNK, done);
	EXPECT_EQ(0, pattern_check(m, CHUNK, 0, 1));
}

/* the rest of the budget goes round while some of it is stuck */
TEST_F(pin, scan_beside_held_pages)
{
	struct itme_tier_info ti;
	int fd, big, p[2], i;
	char *m;

	MOUNT("dram=16M");
	fd = import_open("f", SIZE, 1, 0);
	ASSERT_LE(0, fd);
	big = import_open("big", 12 * CHUNK, 2, 0);
	ASSERT_LE(0, big);
	m = map_ro(fd, 0, SIZE);
	ASSERT_NE(NULL, m);
	ASSERT_EQ(0, pipe(p));
	ASSERT_EQ(0, touch(m + 2 * CHUNK));
	ASSERT_EQ(0, hold(p[1], m + 2 * CHUNK));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, check_read(big, 0, 12 * CHUNK, 2));
		ASSERT_EQ(0, tier_get(DRAM, &ti));
		EXPECT_GE(16 * MIB, ti.used);
	}
	EXPECT_EQ(0, drain(p[0], 2 * CHUNK));
	EXPECT_EQ(0, check_read(fd, 0, SIZE, 1));
}

/* what was handed out outlives the file */
TEST_F(pin, held_beyond_the_file)
{
	int fd, p[2];
	char *m;

	MOUNT("dram=16M");
	fd = import_open("f", SIZE, 1, 0);
	ASSERT_LE(0, fd);
	m = map_ro(fd, 0, SIZE);
	ASSERT_NE(NULL, m);
	ASSERT_EQ(0, pipe(p));
	ASSERT_EQ(0, touch(m + CHUNK));
	ASSERT_EQ(0, hold(p[1], m + CHUNK + 5 * PAGE));
	munmap(m, SIZE);
	close(fd);
	ASSERT_EQ(0, file_unlink("f"));
	/* other data comes and goes where it was */
	fd = import_open("g", 12 * CHUNK, 2, 0);
	ASSERT_LE(0, fd);
	EXPECT_EQ(0, check_read(fd, 0, 12 * CHUNK, 2));
	close(fd);
	ASSERT_EQ(0, itme_umount());
	EXPECT_EQ(0, drain(p[0], CHUNK + 5 * PAGE));
}

static bool stop;

static void *page_out(void *arg)
{
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED))
		advise(*(int *)arg, 0, 0, ITME_ADVICE_PAGEOUT, ANY, NULL);
	return NULL;
}

TEST_F(pin, direct_write_from_the_mapping)
{
	pthread_t t;
	int fd, out, i;
	char *m;

	MOUNT("dram=16M");
	fd = import_open("f", SIZE, 1, 0);
	ASSERT_LE(0, fd);
	m = map_ro(fd, 0, SIZE);
	ASSERT_NE(NULL, m);
	out = open(lower_path("out"), O_RDWR | O_CREAT | O_DIRECT, 0600);
	ASSERT_LE(0, out);
	ASSERT_EQ(0, pthread_create(&t, NULL, page_out, &fd));
	for (i = 0; i < 4; i++)
		EXPECT_EQ(SIZE, pwrite(out, m, SIZE, 0));
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	pthread_join(t, NULL);
	EXPECT_EQ(0, fsync(out));
	close(out);
	out = open(lower_path("out"), O_RDONLY);
	EXPECT_EQ(0, check_read(out, 0, SIZE, 1));
}

/* a drive that writes into private pages of the mapping */
TEST_F(pin, direct_read_into_the_mapping)
{
	int fd, in;
	char *m;

	MOUNT("dram=16M");
	fd = import_open("f", SIZE, 1, 0);
	ASSERT_LE(0, fd);
	in = lower(SIZE, 2);
	ASSERT_LE(0, in);
	ASSERT_EQ(0, fcntl(in, F_SETFL, O_DIRECT));
	m = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	ASSERT_NE(MAP_FAILED, m);
	ASSERT_EQ(CHUNK, pread(in, m + CHUNK / 2, CHUNK, CHUNK / 2));
	EXPECT_EQ(0, pattern_check(m, CHUNK / 2, 0, 1));
	EXPECT_EQ(0, pattern_check(m + CHUNK / 2, CHUNK, CHUNK / 2, 2));
	EXPECT_EQ(0, pattern_check(m + 3 * CHUNK / 2, CHUNK, 3 * CHUNK / 2, 1));
	EXPECT_EQ(0, check_read(fd, 0, SIZE, 1));
}

TEST_HARNESS_MAIN
