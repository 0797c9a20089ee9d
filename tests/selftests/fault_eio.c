// SPDX-License-Identifier: GPL-2.0
/*
 * A drive that fails: EIO or SIGBUS for the chunk that is hit, nothing for the
 * others, and all well at the next access once the drive is.
 */
#include <pthread.h>
#include <signal.h>

#include "dm.h"
#include "fixture.h"

#define SIZE	(6 * CHUNK)
#define BAD	(2 * CHUNK + 5 * 64 * KIB + PAGE)	/* one page of chunk 2 */

FIXTURE(fault_eio)
{
	int lower;
};

FIXTURE_SETUP(fault_eio)
{
	const char *why = missing();

	if (!why) {
		cleanup_before();
		dm_teardown();
		why = dm_setup(32);
	}
	if (why)
		SKIP(return, "%s", why);
	self->lower = dm_lower("f", SIZE, 1);
	ASSERT_LE(0, self->lower);
}

FIXTURE_TEARDOWN_PARENT(fault_eio)
{
	const char *wrong = cleanup_after();

	if (wrong)
		EXPECT_NULL(wrong) TH_LOG("after the test: %s", wrong);
	dm_teardown();
}

static int import(int lower_fd, uint32_t chunk)
{
	return import_fd("f", lower_fd, chunk) ?: file_open("f", O_RDONLY);
}

/* all but [from, to) */
static int check_rest(int fd, uint64_t from, uint64_t to)
{
	return check_read(fd, 0, from, 1) ?: check_read(fd, to, SIZE - to, 1);
}

TEST_F(fault_eio, read)
{
	struct itme_residency r;
	struct itme_stats s, t;
	uint8_t map[6];
	char buf[PAGE];
	int fd, i;

	MOUNT("dram=32M");
	fd = import(self->lower, 0);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, dm_fail(self->lower, BAD, PAGE));
	/* in order, so that the bad chunk is also met by read-ahead */
	EXPECT_EQ(0, check_rest(fd, 2 * CHUNK, 3 * CHUNK));
	EXPECT_EQ(-1, pread(fd, buf, PAGE, BAD));
	EXPECT_EQ(EIO, errno);
	ASSERT_EQ(0, stats_file(fd, &s));
	EXPECT_LT(0, s.io_errors);
	ASSERT_EQ(0, residency(fd, 0, 0, &r, map, sizeof(map)));
	for (i = 0; i < 6; i++)
		EXPECT_EQ(i == 2 ? ITME_MAP_ERROR : 0, map[i] & ITME_MAP_ERROR);
	EXPECT_EQ(DRAM, map[1] & ITME_MAP_TIER_MASK);
	EXPECT_EQ(DRAM, map[3] & ITME_MAP_TIER_MASK);

	/* each access tries again */
	EXPECT_EQ(-1, pread(fd, buf, PAGE, BAD));
	EXPECT_EQ(EIO, errno);
	ASSERT_EQ(0, stats_file(fd, &t));
	EXPECT_LT(s.io_errors, t.io_errors);

	ASSERT_EQ(0, dm_heal());
	EXPECT_EQ(0, check_read(fd, 0, SIZE, 1));
	ASSERT_EQ(0, residency(fd, 0, 0, &r, map, sizeof(map)));
	EXPECT_EQ(0, map[2] & ITME_MAP_ERROR);
	EXPECT_EQ(SIZE, r.bytes[DRAM]);
}

TEST_F(fault_eio, read_up_to_it)
{
	char *buf = malloc(2 * CHUNK);
	ssize_t n;
	int fd;

	MOUNT("dram=32M");
	fd = import(self->lower, 0);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, dm_fail(self->lower, 2 * CHUNK, CHUNK));
	/* a read that begins before gets what there is */
	n = pread(fd, buf, 2 * CHUNK, CHUNK);
	EXPECT_EQ(CHUNK, n);
	if (n > 0)
		EXPECT_EQ(0, pattern_check(buf, n, CHUNK, 1));
	EXPECT_EQ(-1, pread(fd, buf, CHUNK, 2 * CHUNK));
	EXPECT_EQ(EIO, errno);
}

TEST_F(fault_eio, mapping)
{
	struct itme_stats s;
	uint64_t c;
	char *p;
	int fd;

	MOUNT("dram=32M");
	fd = import(self->lower, 0);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, dm_fail(self->lower, BAD, PAGE));
	p = mmap(NULL, SIZE, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0);
	ASSERT_NE(MAP_FAILED, p);
	for (c = 0; c < 6; c++) {
		if (c == 2)
			continue;
		EXPECT_EQ(0, pattern_check(p + c * CHUNK, CHUNK, c * CHUNK, 1))
			TH_LOG("chunk %llu", (unsigned long long)c);
	}
	EXPECT_EQ(SIGBUS, touch(p + BAD));
	ASSERT_EQ(0, stats_file(fd, &s));
	EXPECT_LT(0, s.io_errors);
	ASSERT_EQ(0, dm_heal());
	EXPECT_EQ(0, touch(p + BAD));
	EXPECT_EQ(0, pattern_check(p, SIZE, 0, 1));
}

TEST_F(fault_eio, small_chunks)
{
	uint64_t from = BAD / (64 * KIB) * (64 * KIB);
	char *p;
	int fd;

	MOUNT("dram=32M");
	fd = import(self->lower, 64 * KIB);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, dm_fail(self->lower, BAD, PAGE));
	EXPECT_EQ(0, check_rest(fd, from, from + 64 * KIB));
	p = map_ro(fd, 0, SIZE);
	ASSERT_NE(NULL, p);
	EXPECT_EQ(SIGBUS, touch(p + BAD));
	EXPECT_EQ(0, touch(p + from - 1));
	EXPECT_EQ(0, touch(p + from + 64 * KIB));
	ASSERT_EQ(0, dm_heal());
	EXPECT_EQ(0, pattern_check(p, SIZE, 0, 1));
}

TEST_F(fault_eio, hints)
{
	struct itme_tier_info ti;
	int fd;

	MOUNT("dram=32M");
	fd = import(self->lower, 0);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, dm_fail(self->lower, BAD, PAGE));
	EXPECT_EQ(0, advise(fd, 0, 0, ITME_ADVICE_WILLNEED, ANY, NULL));
	EXPECT_TRUE(POLL(resident(fd, 3 * CHUNK, 3 * CHUNK) == 3 * CHUNK, 20));
	EXPECT_EQ(0, advise(fd, 0, 0, ITME_ADVICE_HOT, ANY, NULL));
	/* who asks for a promise is told that it cannot be kept */
	EXPECT_EQ(-EIO, advise(fd, CHUNK, 3 * CHUNK, ITME_ADVICE_PIN, ANY,
			       NULL));
	ASSERT_EQ(0, tier_get(DRAM, &ti));
	EXPECT_EQ(0, ti.pinned);
	EXPECT_EQ(0, check_rest(fd, 2 * CHUNK, 3 * CHUNK));
	EXPECT_EQ(0, advise(fd, 0, 0, ITME_ADVICE_PAGEOUT, ANY, NULL));
	ASSERT_EQ(0, tier_get(DRAM, &ti));
	EXPECT_EQ(0, ti.used);
	ASSERT_EQ(0, dm_heal());
	EXPECT_EQ(0, advise(fd, CHUNK, 3 * CHUNK, ITME_ADVICE_PIN, ANY, NULL));
	EXPECT_EQ(0, check_read(fd, 0, SIZE, 1));
}

struct reader {
	pthread_t thread;
	int fd, error;
};

static void *read_bad(void *arg)
{
	struct reader *r = arg;
	char buf[PAGE];

	r->error = pread(r->fd, buf, PAGE, BAD) == PAGE ? 0 : errno;
	return NULL;
}

/* all who wait for the same chunk are told */
TEST_F(fault_eio, several_readers)
{
	struct reader r[4];
	int fd, i;

	MOUNT("dram=32M");
	fd = import(self->lower, 0);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, dm_fail(self->lower, BAD, PAGE));
	for (i = 0; i < 4; i++) {
		r[i].fd = fd;
		ASSERT_EQ(0, pthread_create(&r[i].thread, NULL, read_bad,
					    &r[i]));
	}
	for (i = 0; i < 4; i++) {
		pthread_join(r[i].thread, NULL);
		EXPECT_EQ(EIO, r[i].error);
	}
	EXPECT_EQ(0, check_rest(fd, 2 * CHUNK, 3 * CHUNK));
}

TEST_F(fault_eio, drive_gone)
{
	char buf[PAGE];
	char *p;
	int fd, i;

	MOUNT("dram=32M");
	fd = import(self->lower, 0);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, advise(fd, 0, 2 * CHUNK, ITME_ADVICE_PIN, ANY, NULL));
	p = map_ro(fd, 0, SIZE);
	ASSERT_NE(NULL, p);
	ASSERT_EQ(0, dm_fail_all());
	/* what is in memory serves on */
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(0, pattern_check(p, 2 * CHUNK, 0, 1));
		EXPECT_EQ(SIGBUS, touch(p + 4 * CHUNK));
		EXPECT_EQ(-1, pread(fd, buf, PAGE, 5 * CHUNK + 99));
		EXPECT_EQ(EIO, errno);
	}
	EXPECT_EQ(2 * CHUNK, tier_used(DRAM));
	munmap(p, SIZE);
	close(fd);
	EXPECT_EQ(0, file_unlink("f"));
	EXPECT_EQ(0, itme_umount());
}

TEST_HARNESS_MAIN
