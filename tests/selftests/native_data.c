// SPDX-License-Identifier: GPL-2.0
/*
 * What is written to files of itmefs: read(2), write(2), mappings, truncate, punch,
 * allocation, holes; and what is pinned, or in memory that has gone bad.
 */
#include <linux/falloc.h>
#include <linux/io_uring.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "fixture.h"
#include "written.h"

#define TIERS	"dram=16M,cxl=32M"

FIXTURE(native_data) {};
ITME_FIXTURE(native_data)

TEST_F(native_data, write_read)
{
	int fd;

	MOUNT(TIERS);
	fd = create("a");
	ASSERT_LE(0, fd);
	EXPECT_EQ(0, size_of(fd));
	ASSERT_EQ(0, write_at(fd, 0, 5000, 1));
	EXPECT_EQ(5000, size_of(fd));
	EXPECT_EQ(0, check_read(fd, 0, 5000, 1));
	EXPECT_EQ(2, pages_of(fd));
	/* over several chunks, not aligned, with a hole before it */
	ASSERT_EQ(0, write_at(fd, CHUNK + 123, 3 * CHUNK + 777, 2));
	EXPECT_EQ((off_t)(4 * CHUNK + 900), size_of(fd));
	EXPECT_EQ(0, check_read(fd, CHUNK + 123, 3 * CHUNK + 777, 2));
	EXPECT_TRUE(reads_zero(fd, 5000, CHUNK + 123 - 5000));
	EXPECT_EQ(0, check_read(fd, 0, 5000, 1));
	/* overwritten in the middle */
	ASSERT_EQ(0, write_at(fd, 2 * CHUNK - 50, 100, 3));
	EXPECT_EQ(0, check_read(fd, 2 * CHUNK - 50, 100, 3));
	EXPECT_EQ(0, check_read(fd, CHUNK + 123, CHUNK - 50 - 123, 2));
	EXPECT_EQ(0, check_read(fd, 2 * CHUNK + 50, 2 * CHUNK, 2));
	close(fd);
	fd = file_open("a", O_WRONLY | O_APPEND | O_DIRECT);
	ASSERT_LE(0, fd);
	EXPECT_EQ(4, write(fd, "tail", 4));
	EXPECT_EQ((off_t)(4 * CHUNK + 904), size_of(fd));
	close(fd);
	EXPECT_EQ(0, file_unlink("a"));
}

TEST_F(native_data, limits)
{
	struct statvfs vfs;
	int fd;

	MOUNT(TIERS);
	fd = create("a");
	ASSERT_LE(0, fd);
	EXPECT_EQ(-1, pwrite(fd, "x", 1, INT64_MAX - 1));
	EXPECT_EQ(EFBIG, errno);
	EXPECT_EQ(-1, ftruncate(fd, INT64_MAX));
	EXPECT_EQ(EFBIG, errno);
	/* sparse, and as large as can be */
	EXPECT_EQ(0, ftruncate(fd, 1LL << 50));
	EXPECT_EQ(0, write_at(fd, (1ULL << 50) - 10, 10, 1));
	EXPECT_EQ(0, check_read(fd, (1ULL << 50) - 10, 10, 1));
	EXPECT_EQ((1LL << 50) - (off_t)PAGE, lseek(fd, 0, SEEK_DATA));
	EXPECT_EQ(1, pages_of(fd));
	ASSERT_EQ(0, statvfs(mnt_dir(), &vfs));
	EXPECT_LT(vfs.f_bfree, vfs.f_blocks);
	close(fd);
}

TEST_F(native_data, mapped)
{
	char *p, *q, buf[16];
	int fd;

	MOUNT(TIERS);
	fd = create("a");
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, ftruncate(fd, 3 * CHUNK + 100));
	p = mmap(NULL, 4 * CHUNK, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, p);
	EXPECT_TRUE(all_zero(p, 3 * CHUNK + PAGE));
	pattern_fill(p, 3 * CHUNK + 100, 0, 1);
	EXPECT_EQ(0, check_read(fd, 0, 3 * CHUNK + 100, 1));
	EXPECT_EQ(SIGBUS, touch(p + 3 * CHUNK + PAGE));
	/* what a private mapping writes stays there */
	q = mmap(NULL, 3 * CHUNK, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	ASSERT_NE(MAP_FAILED, q);
	strcpy(q + CHUNK, "mine");
	EXPECT_EQ(0, check_read(fd, 0, 3 * CHUNK + 100, 1));
	/* and what is written to the file shows in both, but for that page */
	ASSERT_EQ(3, pwrite(fd, "new", 3, 2 * CHUNK));
	EXPECT_EQ(0, memcmp(p + 2 * CHUNK, "new", 3));
	EXPECT_EQ(0, memcmp(q + 2 * CHUNK, "new", 3));
	EXPECT_STREQ("mine", q + CHUNK);
	/* beyond the end, in its page: it must not come to light when the file grows */
	memset(p + 3 * CHUNK + 100, 'x', 1000);
	ASSERT_EQ(0, ftruncate(fd, 3 * CHUNK + 5000));
	EXPECT_TRUE(reads_zero(fd, 3 * CHUNK + 100, 4900));
	memset(p + 3 * CHUNK + 5000, 'x', 1000);
	ASSERT_EQ(1, pwrite(fd, "y", 1, 3 * CHUNK + 6000));
	EXPECT_TRUE(reads_zero(fd, 3 * CHUNK + 5000, 1000));
	/* the file itself as the source of a write */
	ASSERT_EQ(16, pwrite(fd, p + CHUNK, 16, 0));
	ASSERT_EQ(16, pread(fd, buf, 16, 0));
	EXPECT_EQ(0, memcmp(buf, p + CHUNK, 16));
	munmap(p, 4 * CHUNK);
	munmap(q, 3 * CHUNK);
	close(fd);
}

TEST_F(native_data, populate_write)
{
	char *p;
	int fd;

	MOUNT(TIERS);
	fd = create("a");
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, ftruncate(fd, 4 * CHUNK));
	p = mmap(NULL, 4 * CHUNK, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, p);
	ASSERT_EQ(0, madvise(p, 4 * CHUNK, MADV_POPULATE_WRITE));
	EXPECT_EQ(4 * CHUNK / PAGE, pages_of(fd));
	EXPECT_EQ(4 * CHUNK, resident(fd, 0, 4 * CHUNK));
	EXPECT_TRUE(all_zero(p, 4 * CHUNK));
	munmap(p, 4 * CHUNK);
	close(fd);
}

TEST_F(native_data, truncated)
{
	uint64_t used;
	char *p;
	int fd;

	MOUNT(TIERS);
	fd = create("a");
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, write_at(fd, 0, 4 * CHUNK, 1));
	used = tier_used(DRAM) + tier_used(CXL);
	EXPECT_EQ(4 * CHUNK, used);
	p = mmap(NULL, 4 * CHUNK, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, p);
	EXPECT_EQ(0, pattern_check(p, 4 * CHUNK, 0, 1));
	ASSERT_EQ(0, ftruncate(fd, CHUNK + 100));
	EXPECT_EQ(SIGBUS, touch(p + CHUNK + PAGE));
	EXPECT_EQ(0, pattern_check(p, CHUNK + 100, 0, 1));
	EXPECT_TRUE(all_zero(p + CHUNK + 100, PAGE - 100));
	EXPECT_EQ(CHUNK / PAGE + 1, pages_of(fd));
	EXPECT_EQ(CHUNK + PAGE, tier_used(DRAM) + tier_used(CXL));
	ASSERT_EQ(0, ftruncate(fd, 4 * CHUNK));
	EXPECT_TRUE(reads_zero(fd, CHUNK + 100, 3 * CHUNK - 100));
	EXPECT_EQ(0, check_read(fd, 0, CHUNK + 100, 1));
	EXPECT_EQ(0, pattern_check(p, CHUNK + 100, 0, 1));
	ASSERT_EQ(0, ftruncate(fd, 0));
	EXPECT_EQ(0, pages_of(fd));
	EXPECT_EQ(0, tier_used(DRAM) + tier_used(CXL));
	munmap(p, 4 * CHUNK);
	close(fd);
}

TEST_F(native_data, punched)
{
	const int punch = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
	char *p;
	int fd;

	MOUNT(TIERS);
	fd = create("a");
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, write_at(fd, 0, 4 * CHUNK, 1));
	p = mmap(NULL, 4 * CHUNK, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, p);
	EXPECT_EQ(0, pattern_check(p, 4 * CHUNK, 0, 1));
	/* within a page, over the edge of one, pages of a chunk, a chunk and more */
	ASSERT_EQ(0, fallocate(fd, punch, 100, 200));
	ASSERT_EQ(0, fallocate(fd, punch, 2 * PAGE - 10, 20));
	ASSERT_EQ(0, fallocate(fd, punch, 16 * PAGE, 16 * PAGE));
	ASSERT_EQ(0, fallocate(fd, punch, CHUNK + PAGE + 1, 2 * CHUNK));
	EXPECT_EQ(0, pattern_check(p, 100, 0, 1));
	EXPECT_TRUE(all_zero(p + 100, 200));
	EXPECT_EQ(0, pattern_check(p + 300, 2 * PAGE - 310, 300, 1));
	EXPECT_TRUE(all_zero(p + 2 * PAGE - 10, 20));
	EXPECT_EQ(0, pattern_check(p + 2 * PAGE + 10, 14 * PAGE - 10, 2 * PAGE + 10, 1));
	EXPECT_TRUE(all_zero(p + 16 * PAGE, 16 * PAGE));
	EXPECT_EQ(0, pattern_check(p + 32 * PAGE, CHUNK - 31 * PAGE + 1, 32 * PAGE, 1));
	EXPECT_TRUE(reads_zero(fd, CHUNK + PAGE + 1, 2 * CHUNK));
	EXPECT_EQ(0, check_read(fd, 3 * CHUNK + PAGE + 1, CHUNK - PAGE - 1, 1));
	/* of the mapping above, the two pages beside the hole, and what it has made anew */
	munmap(p, 4 * CHUNK);
	ASSERT_EQ(0, fallocate(fd, punch, 16 * PAGE, 16 * PAGE));
	ASSERT_EQ(0, fallocate(fd, punch, CHUNK + 2 * PAGE, 2 * CHUNK - PAGE));
	EXPECT_EQ(4 * CHUNK / PAGE - 16 - 2 * CHUNK / PAGE + 1, pages_of(fd));
	EXPECT_EQ(4 * CHUNK, (uint64_t)size_of(fd));
	EXPECT_EQ(16 * (off_t)PAGE, lseek(fd, 0, SEEK_HOLE));
	EXPECT_EQ(32 * (off_t)PAGE, lseek(fd, 17 * PAGE, SEEK_DATA));
	EXPECT_EQ((off_t)(CHUNK + 2 * PAGE), lseek(fd, 32 * PAGE, SEEK_HOLE));
	EXPECT_EQ((off_t)(3 * CHUNK + PAGE), lseek(fd, CHUNK + 2 * PAGE, SEEK_DATA));
	EXPECT_EQ((off_t)(4 * CHUNK), lseek(fd, 3 * CHUNK + PAGE, SEEK_HOLE));
	EXPECT_EQ(-1, lseek(fd, 4 * CHUNK, SEEK_DATA));
	EXPECT_EQ(ENXIO, errno);
	/* by a mapping */
	p = mmap(NULL, 4 * CHUNK, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, p);
	ASSERT_EQ(0, madvise(p, CHUNK, MADV_REMOVE));
	EXPECT_EQ((off_t)CHUNK, lseek(fd, 0, SEEK_DATA));
	EXPECT_TRUE(all_zero(p, CHUNK));
	munmap(p, 4 * CHUNK);
	close(fd);
}

TEST_F(native_data, allocated)
{
	struct statvfs vfs;
	uint64_t most;
	int fd;

	MOUNT(TIERS);
	ASSERT_EQ(0, statvfs(mnt_dir(), &vfs));
	most = vfs.f_bavail * vfs.f_bsize;
	fd = create("a");
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, write_at(fd, 100, 100, 1));
	ASSERT_EQ(0, fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, CHUNK));
	EXPECT_EQ(200, size_of(fd));
	EXPECT_EQ(CHUNK / PAGE, pages_of(fd));
	ASSERT_EQ(0, fallocate(fd, 0, CHUNK, 100));
	EXPECT_EQ((off_t)CHUNK + 100, size_of(fd));
	EXPECT_EQ(0, check_read(fd, 100, 100, 1));
	EXPECT_TRUE(reads_zero(fd, 200, CHUNK - 100));
	EXPECT_EQ((off_t)CHUNK + 100, lseek(fd, 0, SEEK_HOLE));
	ASSERT_EQ(0, fallocate(fd, FALLOC_FL_ZERO_RANGE, 100, 50));
	EXPECT_TRUE(reads_zero(fd, 100, 50));
	EXPECT_EQ(0, check_read(fd, 150, 50, 1));
	/* more than there is fails at once, and leaves nothing behind */
	EXPECT_EQ(-1, fallocate(fd, 0, 0, most + CHUNK));
	EXPECT_EQ(ENOSPC, errno);
	EXPECT_EQ(CHUNK / PAGE + 1, pages_of(fd));
	EXPECT_EQ((off_t)CHUNK + 100, size_of(fd));
	/* and all that there is does not */
	ASSERT_EQ(0, fallocate(fd, 0, 0, most));
	EXPECT_EQ(most / PAGE, pages_of(fd));
	ASSERT_EQ(0, statvfs(mnt_dir(), &vfs));
	EXPECT_EQ(0, vfs.f_bavail);
	EXPECT_EQ(0, check_read(fd, 150, 50, 1));
	close(fd);
}

/* No room: an error at once, nothing that was there is lost, and all is well after it. */
TEST_F(native_data, full)
{
	struct statvfs vfs;
	uint64_t most, at;
	double start;
	int fd, lower;
	char *p;

	MOUNT(TIERS);
	lower = import_open("model", 8 * CHUNK, 7, 0);
	ASSERT_LE(0, lower);
	ASSERT_EQ(0, statvfs(mnt_dir(), &vfs));
	most = vfs.f_bavail * vfs.f_bsize;
	fd = create("a");
	ASSERT_LE(0, fd);
	for (at = 0; at < most; at += MIB)
		ASSERT_EQ(0, write_at(fd, at, MIB, 1));
	start = now();
	EXPECT_EQ(-ENOSPC, write_at(fd, most, 1, 1));
	EXPECT_LT(now() - start, 1);
	ASSERT_EQ(0, ftruncate(fd, most + CHUNK));
	p = mmap(NULL, most + CHUNK, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, p);
	start = now();
	EXPECT_EQ(SIGBUS, touch(p + most + PAGE));
	EXPECT_LT(now() - start, 1);
	EXPECT_EQ(0, pattern_check(p, most, 0, 1));
	/* others can still read, and write again when there is room */
	EXPECT_EQ(0, check_read(lower, 0, 8 * CHUNK, 7));
	EXPECT_EQ(0, pattern_check(p, most, 0, 1));
	ASSERT_EQ(0, ftruncate(fd, most - CHUNK));
	EXPECT_EQ(0, write_at(fd, most - CHUNK, CHUNK, 1));
	EXPECT_EQ(0, check_read(fd, 0, most, 1));
	munmap(p, most + CHUNK);
	close(fd);
	close(lower);
	EXPECT_EQ(0, file_unlink("model"));
}

/* More than DRAM has, so it has to go to CXL, and nothing is lost when it is sent about. */
TEST_F(native_data, moved)
{
	const uint64_t size = 12 * CHUNK;
	struct itme_stats stats;
	uint64_t done;
	char *p;
	int fd;

	MOUNT_CXL(TIERS);
	fd = create("a");
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, write_at(fd, 0, size, 1));
	EXPECT_LT(0, resident_on(fd, CXL, 0, size));
	EXPECT_EQ(size, resident(fd, 0, size));
	p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, p);
	EXPECT_EQ(0, pattern_check(p, size, 0, 1));
	for (int i = 0; i < 6; i++) {
		uint64_t at = (i * 5 % 12) * CHUNK;

		/* dirty by the page table alone */
		pattern_fill(p + at, CHUNK, at, 2 + i);
		EXPECT_EQ(0, advise(fd, at, CHUNK, i & 1 ? ITME_ADVICE_HOT : ITME_ADVICE_PAGEOUT,
				    i & 1 ? DRAM : CXL, &done));
		EXPECT_EQ(0, write_file("/proc/sys/vm/drop_caches", "1"));
		/* there is nowhere to go, so it stays */
		EXPECT_EQ(0, advise(fd, at, CHUNK, ITME_ADVICE_PAGEOUT, ANY, &done));
		EXPECT_EQ(0, done);
		EXPECT_EQ(0, check_read(fd, at, CHUNK, 2 + i));
		EXPECT_EQ(0, pattern_check(p + at, CHUNK, at, 2 + i));
		pattern_fill(p + at, CHUNK, at, 1);
	}
	EXPECT_EQ(0, pattern_check(p, size, 0, 1));
	EXPECT_EQ(size, resident(fd, 0, size));
	ASSERT_EQ(0, stats_all(&stats));
	EXPECT_LT(0, stats.demoted_bytes);
	munmap(p, size);
	close(fd);
}

/* Pinned for long and for writing, as a GPU or RDMA driver does: it stays where it is. */
TEST_F(native_data, pinned_for_long)
{
	struct io_uring_params params = {};
	struct iovec iov;
	uint64_t done;
	int fd, ring;
	char *p;

	MOUNT(TIERS);
	fd = create("a");
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, write_at(fd, 0, 2 * CHUNK, 1));
	p = mmap(NULL, 2 * CHUNK, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, p);
	ring = syscall(SYS_io_uring_setup, 4, &params);
	if (ring < 0)
		SKIP(return, "no io_uring");
	iov = (struct iovec){ p, CHUNK };
	ASSERT_EQ(0, syscall(SYS_io_uring_register, ring, IORING_REGISTER_BUFFERS, &iov, 1))
		TH_LOG("%s", strerror(errno));
	EXPECT_EQ(0, advise(fd, 0, 2 * CHUNK, ITME_ADVICE_PAGEOUT, ANY, &done));
	EXPECT_EQ(0, done);
	if (have_cxl_node()) {
		EXPECT_EQ(0, advise(fd, 0, CHUNK, ITME_ADVICE_PAGEOUT, CXL, &done));
		EXPECT_EQ(0, resident_on(fd, CXL, 0, CHUNK));
	}
	/* what ceases under a pin is zero, for who comes later as for who has it */
	ASSERT_EQ(0, fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, PAGE, 2 * PAGE));
	EXPECT_TRUE(reads_zero(fd, PAGE, 2 * PAGE));
	EXPECT_EQ(0, pattern_check(p + 3 * PAGE, 2 * CHUNK - 3 * PAGE, 3 * PAGE, 1));
	ASSERT_EQ(0, ftruncate(fd, 10 * PAGE));
	ASSERT_EQ(0, ftruncate(fd, CHUNK));
	EXPECT_TRUE(reads_zero(fd, 10 * PAGE, CHUNK - 10 * PAGE));
	EXPECT_EQ(0, check_read(fd, 3 * PAGE, 7 * PAGE, 1));
	close(ring);
	munmap(p, 2 * CHUNK);
	close(fd);
}

/* What was written to memory that has gone bad is lost: an error, nothing else. */
TEST_F(native_data, memory_failure)
{
	const uint64_t bad = 5 * PAGE;
	char buf[PAGE];
	uint64_t done;
	char *p;
	int fd;

	MOUNT(TIERS);
	fd = create("a");
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, write_at(fd, 0, 2 * CHUNK, 1));
	p = mmap(NULL, 2 * CHUNK, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, p);
	EXPECT_EQ(0, pattern_check(p, 2 * CHUNK, 0, 1));
	/* EBUSY: the page is bad, and still in the page cache, as it has to be */
	if (madvise(p + bad, PAGE, MADV_HWPOISON) && errno != EBUSY)
		SKIP(return, "no memory failure: %s", strerror(errno));
	EXPECT_EQ(SIGBUS, touch(p + bad));
	EXPECT_EQ(-1, pread(fd, buf, PAGE, bad));
	EXPECT_EQ(EIO, errno);
	EXPECT_EQ(-1, pwrite(fd, buf, PAGE, bad));
	EXPECT_EQ(EIO, errno);
	/* nor is it written over as one of several, whatever the folio is */
	EXPECT_GE((ssize_t)PAGE, pwrite(fd, p + CHUNK - PAGE, 3 * PAGE, bad - PAGE));
	ASSERT_EQ(0, write_at(fd, bad - PAGE, PAGE, 1));
	/* it goes nowhere, and the rest of the chunk is right */
	EXPECT_EQ(0, advise(fd, 0, CHUNK, ITME_ADVICE_PAGEOUT, ANY, &done));
	EXPECT_EQ(0, advise(fd, 0, CHUNK, ITME_ADVICE_PAGEOUT, CXL, &done));
	EXPECT_EQ(0, check_read(fd, 0, bad, 1));
	EXPECT_EQ(0, check_read(fd, bad + PAGE, 2 * CHUNK - bad - PAGE, 1));
	EXPECT_EQ(0, pattern_check(p + bad + PAGE, 2 * CHUNK - bad - PAGE, bad + PAGE, 1));
	EXPECT_EQ(SIGBUS, touch(p + bad));
	/* until it is a hole; then it is like any other */
	ASSERT_EQ(0, fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, bad, PAGE));
	EXPECT_TRUE(reads_zero(fd, bad, PAGE));
	ASSERT_EQ(0, write_at(fd, bad, PAGE, 1));
	EXPECT_EQ(0, check_read(fd, 0, 2 * CHUNK, 1));
	munmap(p, 2 * CHUNK);
	close(fd);
}

TEST_HARNESS_MAIN
